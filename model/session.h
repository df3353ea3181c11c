/*
 * model/session.h - one timeline of tokens with its cache.
 *
 * A session belongs to one thread. Feeding appends tokens; the logits of the
 * last fed token can be sampled. Rewinding is exact: the same tokens fed again
 * give the same logits. Keys, values and index keys live and die together
 * (m3.md 10.8).
 *
 * Sessions of one model that are fed by several threads at the same time go
 * through the layers together, so that the weights are read once for all; each
 * gets what it would get alone, to the last bit.
 */
#ifndef DH_MODEL_SESSION_H
#define DH_MODEL_SESSION_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "model/model.h"

struct dh_cancel;
struct dh_rng;
struct dh_session;

struct dh_session_options {
    int max_tokens; /* of the cache; 0: min(max_position_embeddings, 8192) */
    int chunk;      /* tokens per prefill pass; 0: 512 */
    enum dh_cache_type cache_type;
    struct dh_cancel *cancel; /* looked at per layer; may be NULL */
    /* A session of the same model, of any thread, to share memory with: what
     * both begin with is kept and computed once, as its cache type says. May
     * be NULL, and may be destroyed before this one. */
    const struct dh_session *beside;
};

/* DH_ERR_NOMEM where the cache does not fit; DH_ERR_RANGE for a length beyond
 * the model's. */
DH_MUST_USE enum dh_status
dh_session_create(struct dh_session **out, struct dh_model *model,
                  const struct dh_session_options *o);
void dh_session_destroy(struct dh_session *s);

/*
 * A second session where `from` is, beside it: its tokens, cache and logits.
 * Nothing of the cache is copied but the last page, once one of both goes on.
 * Pictures are encoded again if they have to be fed again.
 */
DH_MUST_USE enum dh_status dh_session_fork(struct dh_session **out,
                                           struct dh_session *from);

/* A picture or video on its way into the prompt. */
struct dh_session_image {
    const struct dh_patches *patches;
    int token_id;  /* image_token_id or video_token_id of the model */
    uint64_t hash; /* dh_session_hash of them; 0: it is made when needed */
};

/* By what a session knows a picture again; never 0. */
uint64_t dh_session_hash(const struct dh_patches *p);

/*
 * Append n ids. Each run of placeholder ids takes its embeddings from the
 * pictures in order; their number of merged tokens must match, else
 * DH_ERR_FORMAT. Nothing is appended on failure (DH_ERR_RANGE: the cache is
 * full; DH_ERR_CANCELLED). Pictures that were encoded by this session before
 * with the same pixels are not encoded again while their tokens are cached.
 */
DH_MUST_USE enum dh_status
dh_session_feed(struct dh_session *s, const int32_t *ids, size_t n,
                const struct dh_session_image *images, size_t n_images);

/*
 * Append ids that are text all of them: a placeholder that the model itself
 * emitted stands for its own embedding, as the published code has it.
 */
DH_MUST_USE enum dh_status dh_session_feed_text(struct dh_session *s,
                                                const int32_t *ids, size_t n);

/*
 * The same, the last n_guessed of the ids being guesses: there are logits of
 * each of them, and of the id before them. n > n_guessed, which is at most
 * DH_SESSION_GUESSES and less than the chunk. What was guessed wrong is
 * rewound.
 */
#define DH_SESSION_GUESSES 15
DH_MUST_USE enum dh_status dh_session_feed_guess(struct dh_session *s,
                                                 const int32_t *ids, size_t n,
                                                 int n_guessed);

/* What one of several sessions is fed. */
struct dh_session_turn {
    struct dh_session *session;
    const int32_t *ids;    /* text, as of dh_session_feed_text */
    size_t n;              /* 1 to the chunk of the session */
    enum dh_status status; /* out: as of dh_session_feed_text */
};

/*
 * Feed n sessions of one model, each of them once, in one pass as far as their
 * tokens fit one; for a thread that has several of them. What fails or is
 * cancelled does so alone, but for weights that cannot be read.
 */
void dh_session_feed_together(struct dh_session_turn *turns, int n);

/*
 * Make the timeline equal to ids[0..n): keep the longest common prefix that
 * ends outside a picture or holds the same picture (by hash), rewind to it,
 * feed the rest. Where sessions beside it, or this one before it was rewound,
 * have more of the prefix in whole pages of 128 tokens, these are taken. At
 * least the last token is fed, so that logits are there. *reused is the length
 * of the prefix; may be NULL.
 */
DH_MUST_USE enum dh_status dh_session_set(struct dh_session *s,
                                          const int32_t *ids, size_t n,
                                          const struct dh_session_image *images,
                                          size_t n_images, size_t *reused);

/* Forget all tokens from position n on. n <= length. */
void dh_session_rewind(struct dh_session *s, size_t n);
size_t dh_session_len(const struct dh_session *s);
/* Tokens that still fit. */
size_t dh_session_room(const struct dh_session *s);
/* The timeline: dh_session_len of them, valid until it changes. */
const int32_t *dh_session_ids(const struct dh_session *s);

/*
 * The timeline with its cache as a file, whole or not at all; only the user may
 * read it. Loading takes the place of what the session holds, as far as the
 * file's tokens fit; dh_session_set then starts from there, in this process or
 * another one of the same model, kernels and cache type.
 *
 * DH_ERR_NOTFOUND, logged at info: there is no such file, and nothing changed.
 * DH_ERR_FORMAT: it is damaged or of another model; the session is empty then.
 */
DH_MUST_USE enum dh_status dh_session_save(struct dh_session *s,
                                           const char *path);
DH_MUST_USE enum dh_status dh_session_load(struct dh_session *s,
                                           const char *path);

/*
 * For measurements: append n tokens with random keys, values and index keys in
 * place of computed ones, which takes seconds where a prompt of a million
 * tokens takes hours. DH_ERR_RANGE: the cache is full.
 */
DH_MUST_USE enum dh_status dh_session_fill(struct dh_session *s, size_t n,
                                           struct dh_rng *rng);

/* Logits [vocab_size] after the last fed token; valid until the next feed.
 * NULL right after a rewind. */
const float *dh_session_logits(const struct dh_session *s);
/* The same after guess i - 1, before the first one for i = 0. */
const float *dh_session_logits_at(const struct dh_session *s, int i);

/* For `forward` and tests: during feed, call fn for each fed position with its
 * logits. NULL stops that. */
void dh_session_watch_logits(struct dh_session *s,
                             void (*fn)(void *user, size_t position,
                                        const float *logits),
                             void *user);

/* Seconds spent since create, and tokens, for reports. */
struct dh_session_stats {
    double vision_s, prefill_s, decode_s;
    double attention_s; /* of these: choosing blocks, and what is seen of the
                         * cache; products with weights are not in it */
    uint64_t image_tokens, prefill_tokens, decode_tokens, reused_tokens;
    uint64_t passes;        /* through all layers, of one token or many */
    uint64_t shared_passes; /* of them, with other sessions */
    int others;             /* sessions in the last pass, but for this one */
};
void dh_session_get_stats(const struct dh_session *s,
                          struct dh_session_stats *out);

/* How to pick a token. All zero but temperature 0: greedy. m3.md 12. */
struct dh_sampling {
    float temperature; /* 0: greedy */
    float top_p;       /* 0 or >= 1: off */
    int top_k;         /* 0: off */
};

/*
 * Pick from logits[vocab]; `allowed` is NULL or a bit set (bit i of word i/64)
 * of the ids that may be picked; scratch holds vocab floats. Returns the id;
 * -1 where nothing is allowed or no logit is finite. The lowest id wins ties.
 */
int dh_sample(const float *logits, int vocab, const uint64_t *allowed,
              const struct dh_sampling *how, struct dh_rng *rng,
              float *scratch);

#endif
