/* actions/dry.h - writes actions down instead of performing them. */
#ifndef DH_ACTIONS_DRY_H
#define DH_ACTIONS_DRY_H

#include "actions/sink.h"

struct dh_buf;

/* One line of dh_action_text per action into `out`, which must outlive it. */
struct dh_sink *dh_dry_create(struct dh_buf *out);

#endif
