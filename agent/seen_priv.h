/*
 * agent/seen_priv.h - the pictures of the last question, ready for the model.
 *
 * The next question mostly has them again, or one that differs from them in a
 * few places. A picture that is the same frame costs nothing; one of the same
 * size is brought up to date from one that is not asked about any more.
 */
#ifndef DH_AGENT_SEEN_PRIV_H
#define DH_AGENT_SEEN_PRIV_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "vision/patches.h"

struct dh_frame;
struct dh_pool;

struct dh_seen_picture {
    struct dh_frame *frame; /* a reference; NULL: forgotten */
    struct dh_patches patches;
    uint64_t hash; /* dh_session_hash of the patches */
};

/* Zero it. One thread at a time; always with the same rule. */
struct dh_seen {
    struct dh_seen_picture *pictures;
    size_t n;
};

/* Make `pictures` those of `frames`, in order, which are frozen. After a
 * failure there are none. */
DH_MUST_USE enum dh_status
dh_seen_look(struct dh_seen *s, const struct dh_patch_rule *rule,
             struct dh_pool *pool, struct dh_frame *const *frames, size_t n);
/* Keep the newest ones, which are worth their memory. */
void dh_seen_trim(struct dh_seen *s);
void dh_seen_finish(struct dh_seen *s);

#endif
