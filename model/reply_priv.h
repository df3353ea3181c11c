/* model/reply_priv.h - calls out of a tool block. */
#ifndef DH_MODEL_REPLY_PRIV_H
#define DH_MODEL_REPLY_PRIV_H

#include "base/str.h"
#include "model/reply.h"

/* What carries all structure; one token to the model. */
#define DH_REPLY_NS "]<]minimax[>["

/* Append the calls of a block, the text between its tags. */
void dh_reply_read_calls(struct dh_reply *r, struct dh_str block);

#endif
