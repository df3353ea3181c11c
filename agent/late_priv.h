/* agent/late_priv.h - libraries that not every command needs. */
#ifndef DH_AGENT_LATE_PRIV_H
#define DH_AGENT_LATE_PRIV_H

#include "base/late.h"

extern const struct dh_late dh_late_curl, dh_late_atspi, dh_late_archive;

#endif
