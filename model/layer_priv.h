/*
 * model/layer_priv.h - one pass of some tokens through the decoder.
 *
 * All buffers are made once for the largest pass; a pass allocates nothing.
 * Tokens of several timelines can go together: products, norms and experts do
 * not care whose a row is, and what looks at the cache goes part by part. A row
 * so comes out as it does alone, to the last bit.
 */
#ifndef DH_MODEL_LAYER_PRIV_H
#define DH_MODEL_LAYER_PRIV_H

#include "base/status.h"
#include "model/backend_priv.h"
#include "model/kvcache_priv.h"
#include "model/model_priv.h"

struct dh_cancel;

/* What tests look at while a pass runs. Members may be NULL. */
struct dh_probe {
    void *user;
    /* x[n][hidden_size] after layer i; layer -1: the embeddings, layer
     * num_hidden_layers: the final norm's result (only rows it was asked of) */
    void (*hidden)(void *user, int layer, size_t position, int n,
                   const float *x);
    /* Blocks that one index head keeps for the token at `position`, rising. */
    void (*blocks)(void *user, int layer, size_t position, int head,
                   const int32_t *blocks, int n);
    /* Experts of the token at `position`, rising, and their shares. */
    void (*experts)(void *user, int layer, size_t position,
                    const int32_t *experts, const float *shares, int n);
};

/* Rows of index queries that meet each key together, and blocks after which the
 * best are taken; so few rows that threads share the keys and not the rows. */
#define DH_SELECT_ROWS   256
#define DH_SELECT_BLOCKS 64
#define DH_SELECT_FEW    64

struct dh_work {
    const struct dh_model *model;
    struct dh_backend backend;
    struct dh_kvcache cache;
    struct dh_cancel *cancel; /* may be NULL */
    const struct dh_probe *probe;
    int chunk;   /* tokens of the largest pass */
    int rows;    /* that the buffers hold: those, and some of others */
    int n;       /* tokens of this pass */
    size_t from; /* position of the first */

    /* [rows][..] each; see layer.c for the widths */
    float *x, *norm, *side;
    float *q, *k, *v, *heads;
    float *index_q, *index_k; /* turned queries are scaled, and words where the
                                 cache has pairs: of a row, the first half */
    float *cos, *sin;         /* [n][rotary_dim / 2] */
    float *gate, *up;
    /* sparse attention */
    int32_t *blocks;   /* [n][index_n_heads][index_topk_blocks], -1: none */
    int max_blocks;    /* of the whole cache */
    float *maxima;     /* per thread: [DH_SELECT_ROWS][DH_SELECT_BLOCKS] */
    float *few_maxima; /* [DH_SELECT_FEW][max_blocks] */
    float *best;       /* per thread: [DH_SELECT_ROWS][index_topk_blocks] */
    int32_t *starts;   /* per thread: [max_blocks + 2] */
    int32_t *who;      /* per thread: [n][index_topk_blocks] */
    struct dh_attend_panel *panels; /* per thread: max_panels, of a block */
    int max_panels;
    struct dh_soft *soft; /* [n][num_attention_heads] */
    int64_t *attend_ns;   /* [1]: choosing blocks and attending, so far */
    /* mixture */
    float *router;    /* [n][num_local_experts] */
    int32_t *chosen;  /* [n][num_experts_per_tok], rising */
    float *shares;    /* the same shape */
    int32_t *active;  /* [num_local_experts]: those of the pass, rising */
    int32_t *members; /* [n]: tokens of one expert */
    float *member_shares;
    float *gather, *routed;

    void *memory;
};

/* Timelines that go together at most, and rows of others that every buffer has
 * room for beyond a whole chunk. */
#define DH_PASS_PARTS 64
#define DH_PASS_SPARE 16

/* What goes together: the rows of its parts one after the other. */
struct dh_pass {
    struct dh_work all; /* the first part's buffers, with all the rows */
    struct dh_work *part[DH_PASS_PARTS];
    int n_parts;
    /* Called for a part that was cancelled: it is no longer one, and not looked
     * at again, but for the buffers of the first. May be NULL. */
    void (*left)(void *user, struct dh_work *part);
    void *user;
};

/* `beside`: of the same model, to share the cache's pages with, whose type is
 * then the same; or NULL. */
DH_MUST_USE enum dh_status
dh_work_init(struct dh_work *w, const struct dh_model *model, size_t max_tokens,
             int chunk, enum dh_cache_type type, const struct dh_work *beside);
void dh_work_finish(struct dh_work *w);

/* Cosines and sines for positions from..from+n-1, in the float arithmetic of
 * the published code: out[n][rotary_dim / 2] each. */
void dh_attn_angles(const struct dh_text_config *t, size_t from, int n,
                    float *cos, float *sin);

/* Gather the parts, which have n, from and x[n] each and fit the rows of the
 * first. `left` and `user` stay what they are. */
void dh_pass_init(struct dh_pass *p, struct dh_work *const *parts, int n);
/* Part i, from row `first` on, as a pass of its own behind the products: its
 * cache and scratch memory with the rows of all. */
struct dh_work dh_pass_part(const struct dh_pass *p, int i, int first);
/*
 * x of all parts through all layers; keys and values go to their caches. Parts
 * that are cancelled leave between layers; DH_ERR_CANCELLED where none is left.
 */
DH_MUST_USE enum dh_status dh_layer_run_all(struct dh_pass *p);
/* The final norm of the last `n` rows of a part, whose rows are at x. */
void dh_layer_norm_last(const struct dh_work *part, const float *x, int n,
                        float *out);

/* side = attention(norm) of layer i. */
void dh_attn_run(struct dh_pass *p, int layer);

/* Blocks for all tokens of the pass; index queries as `index_q` holds them once
 * they were turned. */
void dh_sparse_select(struct dh_work *w, int layer);

/* Who sees a block b < n_blocks: who[start[b]] up to who[start[b + 1]], tokens
 * of the pass, rising. */
struct dh_sparse_lists {
    const int32_t *start, *who;
    int n_blocks;
};

/* Of the tokens [first, last) and one head, in scratch memory of `worker`. */
void dh_sparse_gather(const struct dh_work *w, int head, int first, int last,
                      int worker, struct dh_sparse_lists *out);
/* A block as panels of the cache, rising; returns their number. */
int dh_sparse_panels(const struct dh_text_config *t, int block,
                     struct dh_attend_panel *out);
/*
 * The `topk` best of the blocks up to `own`, `local` of which are forced: ties
 * go to the lower index, -inf and NaN are dropped. Blocks are offered rising,
 * some at a time: scores[i] is that of first + i. Once it is closed, blocks are
 * rising, -1 at the end.
 */
struct dh_sparse_best {
    float *scores; /* [topk], the best first */
    int32_t *blocks;
    int kept, topk, own, local;
};
void dh_sparse_offer(struct dh_sparse_best *best, const float *scores,
                     int first, int n);
void dh_sparse_close(struct dh_sparse_best *best);

/* side = mlp(norm) of layer i, w->chosen and w->shares where it is a mixture.
 * Fails where experts are read on demand only. */
DH_MUST_USE enum dh_status dh_moe_run(struct dh_work *w, int layer);
/*
 * The router of one token: logits[n] become scores; experts[k] rising and
 * shares[k] that sum to 1. m3.md 9.3.
 */
void dh_moe_pick(float *logits, const float *bias, int n, int k,
                 int32_t *experts, float *shares);

#endif
