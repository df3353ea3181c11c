/* tools/late_priv.h - SDL2 and libmicrohttpd, which not every command needs. */
#ifndef DH_TOOLS_LATE_PRIV_H
#define DH_TOOLS_LATE_PRIV_H

#include "base/late.h"

extern const struct dh_late dh_late_sdl, dh_late_microhttpd;

#endif
