/*
 * model/backend_priv.h - the arithmetic of the model, behind one table.
 *
 * A table of kernels (`struct dh_kernels`) works on one core and small tiles;
 * the operations (`dh_backend_...`) cut the work into pieces, give them to the
 * pool and never let the result depend on how many threads there are. Sums are
 * float32. What is multiplied is float32 too, to which weights are converted on
 * the way; or, where the kernels have `pairs`, bfloat16, to which activations
 * are rounded before they meet weights of that type, and so are quantised
 * weights; or, where they have `ints`, whole numbers. Nothing here allocates.
 */
#ifndef DH_MODEL_BACKEND_PRIV_H
#define DH_MODEL_BACKEND_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "model/weights_priv.h"

struct dh_pool;

/* Rows that a tile of floats is fastest with, and columns of the largest one.
 * Weights and keys are laid out in panels of DH_PANEL columns: element (k, j)
 * of a panel at k * DH_PANEL + j. */
#define DH_TILE_ROWS 12
#define DH_PANEL     32

enum dh_tile_start {
    DH_TILE_ZERO, /* c = a b */
    DH_TILE_BIAS, /* c = bias + a b */
    DH_TILE_ADD,  /* c = c + a b */
};

/* c[i][j] from sum_k a[i][k] b[k][j]; a, b, c have rows lda, ldb, ldc floats
 * apart. n is 16 or 32. Each element is summed in the order of k whatever m and
 * n are. */
struct dh_tile {
    const float *a, *b, *bias;
    float *c;
    size_t lda, ldb, ldc;
    int m, n, k;
    enum dh_tile_start start;
};

/*
 * Products of bfloat16 numbers. Two that follow each other in the sum are one
 * word, the first in its low half; `k`, lda and ldb count words. Each element
 * is summed pair by pair, whatever m and n are; n is 1..DH_PANEL, or twice
 * that, of which the second half lies at `more` as the first one at b.
 */
struct dh_tile_pairs {
    const uint32_t *a, *b, *more;
    const float *bias;
    float *c;
    size_t lda, ldb, ldc;
    int m, n, k;
    enum dh_tile_start start;
};

/*
 * y[i * ldy + r] = start[i * lds + r] + the product of row i of x, which is
 * given beside it, and row row0 + r of w, for i < m <= 4 and r < rows, summed
 * as `tile` does. start may be y, or NULL for zero.
 */
struct dh_dot {
    float *y;
    const float *start;
    const struct dh_mat *w;
    size_t ldy, lds;
    int m, row0, rows;
};

/* State of a softmax over pieces of one row. */
struct dh_soft {
    float max; /* -inf at the start */
    float sum;
};

/* As `soften` of struct dh_kernels for some rows at once, whose results are
 * rounded; exact to what the rounding leaves. Rows of s and out are lds
 * elements apart. Where `by` is not NULL, DH_PANEL columns from p * DH_PANEL on
 * are multiplied by by[p][DH_PANEL] before that; the sum is without. */
struct dh_soften {
    uint16_t *out;
    const float *s;
    float *keep;
    struct dh_soft *state;
    const float *const *by;
    size_t lds;
    int rows, n;
};

/* The widest head whose keys and values are kept as words. */
#define DH_PAIRS_MAX_DIM 1024

struct dh_pairs {
    /* Round n floats, to nearest even. */
    void (*narrow)(uint16_t *dst, const float *x, size_t n);
    void (*soften)(const struct dh_soften *t);
    /* n codes as BF16, which has them all; n is a multiple of DH_PANEL. */
    void (*widen)(uint16_t *dst, const int8_t *codes, size_t n);
    void (*tile)(const struct dh_tile_pairs *t);
    /* As `pack` and `dot` of struct dh_kernels; w is BF16 of an even number of
     * columns, and k0, depth and ldx count words. */
    void (*pack)(uint32_t *dst, const struct dh_mat *w, int row0, int rows,
                 int k0, int depth);
    /* Of F8_E4M3 too, as if it were expanded. */
    void (*dot)(const struct dh_dot *d, const uint32_t *x, size_t ldx);
    /* As dh_quant_expand, to the nearest BF16. */
    void (*expand)(uint16_t *out, const struct dh_mat *w, int row, int k0,
                   int n);
    /*
     * Where rows of w are multiplied as they lie there, by columns that are
     * rows of x; then there is neither `pack` nor `dot`. Of m <= DH_PANEL rows
     * of n floats, word k of row i at k * m + i: NULL: not so.
     */
    void (*gather)(uint32_t *dst, const float *x, size_t ldx, int m, int n);
    /* y[i * ldy + r] = sums[r * DH_PANEL + i] + bias[r] for i < m <= DH_PANEL
     * and r < rows; bias may be NULL. */
    void (*scatter)(float *y, size_t ldy, const float *sums, const float *bias,
                    int m, int rows);
};

/*
 * Products of whole numbers, for matrices whose blocks of 32 have one scale:
 * Q8_0, Q4_0, MXFP4. Activations are rounded to as many steps: block by block
 * to 8 bits, with a scale and the sum of the codes. In a block all is exact;
 * then y = fma(sum of products, scale of w * scale of x, y), from block to
 * block.
 */
struct dh_ints_x {
    int8_t *codes;
    float *scales;
    int32_t *sums;
    size_t ldc, lds; /* from row to row: codes; scales and sums */
};

/* As dh_tile_pairs. Four codes of a column of w are one word, plus `zero`, so
 * that they are not negative; word k of column j at w[k * DH_PANEL + j], the
 * scale of block b at scales[b * DH_PANEL + j]. */
struct dh_tile_ints {
    struct dh_ints_x x;
    const uint32_t *w;
    const float *scales, *bias;
    float *c;
    size_t ldc;
    int m, n, blocks, zero;
    enum dh_tile_start start;
};

#define DH_INTS_BLOCK 32

/*
 * Rows of w, DH_PANEL at most, and as many columns that are rows of x: sums[r *
 * DH_PANEL + i] over some blocks, as of a tile. Of w are given signed codes,
 * row by row, and scales[b * DH_PANEL + r], of K types two after the other for
 * each block; of x words of four codes, word k of column i at k * m + i, and
 * x_scales[b * m + i] and x_sums. bias[r] begins a row.
 */
struct dh_sum_ints {
    enum dh_dtype type; /* of w */
    const int8_t *codes;
    const float *scales;
    const uint32_t *x;
    const float *x_scales, *x_sums, *bias;
    float *sums;
    int rows, m, blocks;
    enum dh_tile_start start;
};

struct dh_ints {
    /* One row of n floats, whole blocks; a block with a NaN or an infinity has
     * the scale NaN. */
    void (*narrow)(int8_t *codes, float *scales, int32_t *sums, const float *x,
                   size_t n);
    void (*tile)(const struct dh_tile_ints *t);
    /* DH_PANEL columns from row0 on, zero beyond `rows`; blocks b0.. */
    void (*pack)(uint32_t *words, float *scales, const struct dh_mat *w,
                 int row0, int rows, int b0, int blocks);
    void (*dot)(const struct dh_dot *d, const struct dh_ints_x *x);
    /* As of struct dh_pairs, for more rows of x than `dot` takes; then there is
     * neither `tile` nor `pack`. All words of the columns, then all scales,
     * then all sums of codes, as floats. */
    void (*gather)(uint32_t *dst, const float *x, size_t ldx, int m, int n);
    void (*spread)(int8_t *codes, float *scales, const struct dh_mat *w,
                   int row0, int rows, int b0, int blocks);
    void (*sum)(const struct dh_sum_ints *t);
};

/* What is added to the codes of a type; 0: a type that is not multiplied so. */
int dh_ints_zero(enum dh_dtype t);

/*
 * The same for Q4_K, Q5_K and Q6_K, with two factors a, b of each 32 codes. A
 * sum of x holds those of both halves, the second in its upper 16 bits. Q4_K,
 * Q5_K: y = fma(sum of products, a * scale of x, y), then fma(-sum of x, b *
 * scale of x, y) with the scale and the minimum. Q6_K, whose codes are 32 too
 * large: y = fma(sum of products of one half, its factor * scale of x, y), half
 * by half. Panels have a's and b's of each 32; `zero` of a tile is 32 for Q6_K,
 * else 0.
 */
bool dh_ints_is_k(enum dh_dtype t);
/* The sums of both halves of each 32 codes, for `narrow`. */
void dh_ints_k_halves(const int8_t *codes, int32_t *sums, size_t n);

struct dh_kernels {
    const char *name;
    void (*tile)(const struct dh_tile *t);
    /* dst[k][j] = w[j][k] for j < rows <= DH_PANEL, zero for the rest; rows of
     * w are `cols` apart, `depth` of them are taken from column k0 on. */
    void (*pack)(float *dst, const struct dh_mat *w, int row0, int rows, int k0,
                 int depth);
    void (*dot)(const struct dh_dot *d, const float *x, size_t ldx);
    /* dh_quant_expand, to the last bit. */
    void (*expand)(float *out, const struct dh_mat *w, int row, int k0, int n);
    /* n codes as floats; n is a multiple of DH_PANEL. */
    void (*widen)(float *dst, const int8_t *codes, size_t n);
    /* DH_PANEL columns of `rows` rows of s times by[DH_PANEL]. */
    void (*weigh)(float *s, size_t lds, int rows, const float *by);
    /* Scores s[0..n) become exp(s - max) with the new maximum; the factor by
     * which everything summed before must be multiplied is returned. n is a
     * multiple of 32; scores may be -inf. */
    float (*soften)(float *s, int n, struct dh_soft *state);
    /* best[r * step] becomes the largest of itself and s[r * lds .. + n), of
     * which NaN is none. */
    void (*most)(float *best, size_t step, const float *s, size_t lds, int rows,
                 int n);
    void (*scale)(float *x, float by, size_t n);
    /* y = y + by * x */
    void (*add_scaled)(float *y, const float *x, float by, size_t n);
    /* x * (mean(x^2) + eps)^(-1/2) * (1 + w); y may be x. */
    void (*rmsnorm)(float *y, const float *x, const float *w, int n, float eps);
    void (*layernorm)(float *y, const float *x, const float *w, const float *b,
                      int n, float eps);
    /* x/2 * (1 + erf(x / sqrt 2)) in place */
    void (*gelu)(float *x, size_t n);
    /* (clamp(u) + 1) * g' * sigmoid(alpha g'), g' = min(g, limit); y may be
     * gate. */
    void (*swiglu)(float *y, const float *gate, const float *up, size_t n,
                   float alpha, float limit);
    /* Rotate pairs (x[j], x[j + half]) by the angles' cos and sin. */
    void (*rope)(float *x, const float *cos, const float *sin, int half);
    const struct dh_pairs *pairs; /* NULL: products are all float32 */
    const struct dh_ints *ints;   /* likewise */
    const struct dh_ints *ints_k; /* likewise, of K types */
};

/* F16 weights are worth being rounded to BF16: tiles bring more than that
 * costs. */
static inline bool dh_pairs_take_halves(const struct dh_kernels *k)
{
    return k->pairs && k->pairs->gather;
}

extern const struct dh_kernels dh_kernels_ref;
extern const struct dh_ints dh_ints_ref, dh_ints_k_ref;
/* 64-bit ARM only */
extern const struct dh_kernels dh_kernels_neon, dh_kernels_neonint8;
extern const struct dh_kernels dh_kernels_neondotprod;
extern const struct dh_ints dh_ints_neon, dh_ints_dotprod_neon;
/* x86-64 only */
extern const struct dh_kernels dh_kernels_avx2, dh_kernels_avx2int8;
extern const struct dh_kernels dh_kernels_avxvnni;
extern const struct dh_kernels dh_kernels_avx512, dh_kernels_avx512vnni;
extern const struct dh_kernels dh_kernels_avx512bf16, dh_kernels_amx;
extern const struct dh_pairs dh_pairs_avx512, dh_pairs_amx;
extern const struct dh_ints dh_ints_avx2, dh_ints_vnni_avx2, dh_ints_avx512;
extern const struct dh_ints dh_ints_amx;
void dh_ints_gather_amx(uint32_t *dst, const float *x, size_t ldx, int m,
                        int n);
void dh_ints_spread_amx(int8_t *codes, float *scales, const struct dh_mat *w,
                        int row0, int rows, int b0, int blocks);
void dh_ints_sum_amx(const struct dh_sum_ints *t);
extern const struct dh_ints dh_ints_k_avx2, dh_ints_k_vnni_avx2;
extern const struct dh_ints dh_ints_k_avx512, dh_ints_k_amx;
void dh_pairs_tile_amx(const struct dh_tile_pairs *t);
void dh_pairs_gather_amx(uint32_t *dst, const float *x, size_t ldx, int m,
                         int n);
void dh_pairs_scatter_amx(float *y, size_t ldy, const float *sums,
                          const float *bias, int m, int rows);
void dh_pairs_expand_amx(uint16_t *out, const struct dh_mat *w, int row, int k0,
                         int n);
void dh_pairs_dot_mxfp8(const struct dh_dot *d, const uint32_t *x, size_t ldx);
/* `expand` of struct dh_pairs for some types; false: not for this one. */
bool dh_pairs_expand_blocks(uint16_t *out, const struct dh_mat *w, int row,
                            int k0, int n);

/* By name; NULL or "auto": the fastest that this machine has; "float32": the
 * fastest that rounds nothing. NULL where the name is unknown or the machine
 * lacks it. */
const struct dh_kernels *dh_kernels_find(const char *name);

/* Kernels, threads and the memory that operations need while they run. */
struct dh_backend {
    const struct dh_kernels *k;
    struct dh_pool *pool; /* may be NULL */
    int threads;
    float *pack; /* packed panels of weights, or words of them */
    size_t pack_floats;
    uint32_t *narrow; /* rows of activations as words */
    size_t narrow_words;
    float *scratch; /* threads pieces of scratch_floats */
    size_t scratch_floats;
};

/* `max_depth`: columns of the widest matrix; `max_dim`: of a head. */
DH_MUST_USE enum dh_status dh_backend_init(struct dh_backend *b,
                                           const struct dh_kernels *k,
                                           struct dh_pool *pool, int max_depth,
                                           int max_dim);
void dh_backend_finish(struct dh_backend *b);

/* Floats of scratch and words of `narrow` that products need. */
size_t dh_backend_product_floats(void);
size_t dh_backend_narrow_words(int max_depth);

/* y[m][w->rows] = x[m][w->cols] w^T + bias; bias may be NULL. Rows of x and y
 * are ldx and ldy floats apart. A row of y depends on its row of x alone, to
 * the last bit, whatever m is. */
void dh_backend_matmul(const struct dh_backend *b, float *y, size_t ldy,
                       const float *x, size_t ldx, int m,
                       const struct dh_mat *w, const float *bias);

struct dh_product {
    float *y;
    const float *x, *bias;
    const struct dh_mat *w;
    size_t ldy, ldx;
    int m;
};

/* dh_backend_matmul for each of n, in fewer turns of the threads. None may read
 * or write what another one writes. */
void dh_backend_products(const struct dh_backend *b, const struct dh_product *p,
                         int n);

/* Row by row, rows n floats apart. */
void dh_backend_rmsnorm(const struct dh_backend *b, float *y, const float *x,
                        const float *w, int rows, int n, float eps);
void dh_backend_layernorm(const struct dh_backend *b, float *y, const float *x,
                          const float *w, const float *bias, int rows, int n,
                          float eps);
void dh_backend_gelu(const struct dh_backend *b, float *x, size_t n);
void dh_backend_swiglu(const struct dh_backend *b, float *y, const float *gate,
                       const float *up, size_t n, float alpha, float limit);
/* y += x */
void dh_backend_add(const struct dh_backend *b, float *y, const float *x,
                    size_t n);

/* --- attention ----------------------------------------------------------- */

/* Rows that attend together, and panels of keys that are softened at once. */
#define DH_ATTEND_ROWS 32
#define DH_ATTEND_SPAN 8

/* Keys and values of one head. Key t, dimension d at
 * keys[(t / 32) * 32 * dim + d * 32 + t % 32]; value at values[t * ldv + d],
 * readable (and finite) up to the end of the last panel and to ldv, which is a
 * multiple of 16. */
struct dh_attend_head {
    const float *keys, *values;
    /* In place of them, where the kernels have pairs and dim is even: word d of
     * key t at key_pairs[(t / 32) * 16 * dim + d * 32 + t % 32], values t and
     * t + 1 at value_pairs[t / 2 * ldv + d]. */
    const uint32_t *key_pairs, *value_pairs;
    int dim, ldv;
    /* Where they stand in pages: of page_panels panels each, keys so many
     * floats after the beginning of a page, and values. NULL: all in one. */
    float *const *pages;
    size_t keys_at, values_at;
    int page_panels;
    /* In pages only, numbers may be codes of 8 bits in the same places, for
     * pairs in the order of their halves: token t's, by its scale. */
    bool codes;
    size_t key_scales_at, value_scales_at; /* [page_panels * DH_PANEL] */
};

/*
 * The same for keys and values that were put there, in one buffer each of
 * floats or, with pairs, of words: half of it. NULL: float32. Any thread, one
 * token each; what is read beyond the last token must be zeroed before.
 */
struct dh_attend_head dh_attend_head_of(const struct dh_pairs *pairs,
                                        const float *keys, const float *values,
                                        int dim, int ldv);
void dh_attend_put_key(const struct dh_pairs *pairs, float *keys, int dim,
                       size_t token, const float *key);
void dh_attend_put_value(const struct dh_pairs *pairs, float *values, int dim,
                         int ldv, size_t token, const float *value);

/* The same as codes of 8 bits; returns their scale: finite, or NaN where a
 * number is not. */
float dh_attend_put_key_codes(const struct dh_pairs *pairs, int8_t *keys,
                              int dim, size_t token, const float *key);
float dh_attend_put_value_codes(const struct dh_pairs *pairs, int8_t *values,
                                int dim, int ldv, size_t token,
                                const float *value);

/* The pairs of k where heads of `dim` can be multiplied so, else NULL. */
static inline const struct dh_pairs *dh_attend_pairs(const struct dh_kernels *k,
                                                     int dim)
{
    return dim % 2 == 0 && dim <= DH_PAIRS_MAX_DIM ? k->pairs : NULL;
}

/* 32 keys from token 32 * panel on; bit i of mask allows token 32 * panel + i.
 */
struct dh_attend_panel {
    int32_t panel;
    uint32_t mask;
};

/*
 * softmax(scale q k^T) v for up to DH_ATTEND_ROWS rows over the same panels.
 * Row i may see tokens up to limit[i]. out[i] receives dim floats. The result
 * of a row does not depend on the other rows. Each row must be allowed at
 * least one token.
 *
 * A row with a state can meet its panels in several calls, rising, of whole
 * spans but for the last: state[i], which begins as { -INFINITY, 0 }, goes on,
 * and out[i] is the sum so far. The last call's is to be divided by
 * state[i]->sum. All in one call gives the same to the last bit.
 */
struct dh_attend {
    struct dh_attend_head head;
    int rows;
    const float *q[DH_ATTEND_ROWS];
    float *out[DH_ATTEND_ROWS];
    struct dh_soft *state[DH_ATTEND_ROWS]; /* NULL: these panels are all */
    int64_t limit[DH_ATTEND_ROWS];
    float scale;
    bool ready; /* q is scaled, and words where the head has pairs */
    const struct dh_attend_panel *panels; /* NULL: whole ones from `first` on */
    int first, n_panels;
};

/* Runs on the calling thread with the scratch of `worker`. */
void dh_backend_attend(const struct dh_backend *b, const struct dh_attend *a,
                       int worker);
/* Floats of scratch that dh_backend_attend needs for heads of `dim`. */
size_t dh_backend_attend_floats(int dim);

/* Tokens up to a whole panel. */
static inline size_t dh_panel_round(size_t n)
{
    return (n + DH_PANEL - 1) / DH_PANEL * DH_PANEL;
}

#endif
