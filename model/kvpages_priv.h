/*
 * model/kvpages_priv.h - the memory of caches, in pages of 128 tokens.
 *
 * A page holds what all layers keep of its tokens. Timelines that begin alike
 * hold the same pages, and what nobody holds any more is still found until its
 * memory is needed. A page that somebody else holds too, or that can be found,
 * is never written to.
 *
 * Each timeline says at its beginning how many pages it may hold, and so many
 * are made then: taking one later neither allocates nor fails. Any thread.
 */
#ifndef DH_MODEL_KVPAGES_PRIV_H
#define DH_MODEL_KVPAGES_PRIV_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define DH_PAGE 128 /* tokens, whole panels */

struct dh_kvpages;

struct dh_kvpage {
    int32_t number; /* -1: none */
    float *memory;
};

/* What the tokens of a page are, and the page before it. */
struct dh_kvpage_text {
    int32_t before;       /* its number; -1: the first page */
    const int32_t *ids;   /* [DH_PAGE] */
    const uint64_t *tags; /* [DH_PAGE]: of pictures */
};

/* Room for n more pages of `floats` each, in *p or, where that is NULL, in new
 * ones. DH_ERR_NOMEM: *p is what it was. */
DH_MUST_USE enum dh_status dh_kvpages_join(struct dh_kvpages **p, size_t floats,
                                           size_t n);
/* All that was held has been let go of. The last one frees it; NULL is
 * allowed. */
void dh_kvpages_leave(struct dh_kvpages *p, size_t n);

/* A page of zeroes, in place of what nobody holds and was not used longest. */
struct dh_kvpage dh_kvpages_take(struct dh_kvpages *p);
void dh_kvpages_hold(struct dh_kvpages *p, int32_t number);
void dh_kvpages_drop(struct dh_kvpages *p, int32_t number);
/* The same page, or a copy of it in place of it, to be written to. */
struct dh_kvpage dh_kvpages_own(struct dh_kvpages *p, int32_t number);

/* From now on this page, which is full, is found by its text, and `text.before`
 * can be. Where another one is already, that is held in place of it. */
struct dh_kvpage dh_kvpages_show(struct dh_kvpages *p, int32_t number,
                                 const struct dh_kvpage_text *text);
/* Held, or none. */
struct dh_kvpage dh_kvpages_find(struct dh_kvpages *p,
                                 const struct dh_kvpage_text *text);

/* Pages that are held by somebody. */
size_t dh_kvpages_held(struct dh_kvpages *p);

#endif
