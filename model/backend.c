#include "model/backend_priv.h"

#include <string.h>

#include "base/mem.h"
#include "base/pool.h"

#define DH_LOG_TAG "backend"
#include "base/log.h"

// Packed weights that the shared cache is to hold.
#define PACK_FLOATS ((size_t)1 << 20)
// Below so many multiply-adds waking a thread costs more than it brings.
#define SMALL       ((size_t)1 << 18)

enum dh_status dh_backend_init(struct dh_backend *b, const struct dh_kernels *k,
                               struct dh_pool *pool, int max_depth, int max_dim)
{
    memset(b, 0, sizeof(*b));
    b->k = k;
    b->pool = pool;
    b->threads = dh_pool_threads(pool);
    b->pack_floats =
        DH_MAX(PACK_FLOATS, (size_t)DH_PANEL * (size_t)DH_MAX(max_depth, 1));
    b->scratch_floats =
        DH_MAX(dh_backend_attend_floats(max_dim), dh_backend_product_floats());
    b->pack = dh_big_alloc(b->pack_floats * sizeof(float));
    b->narrow_words = dh_backend_narrow_words(max_depth);
    b->narrow = dh_big_alloc(b->narrow_words * sizeof(*b->narrow));
    b->scratch =
        dh_big_alloc(b->scratch_floats * (size_t)b->threads * sizeof(float));
    if (b->pack && b->scratch && b->narrow)
        return DH_OK;
    dh_error("no memory for the kernels");
    dh_backend_finish(b);
    return DH_ERR_NOMEM;
}

void dh_backend_finish(struct dh_backend *b)
{
    dh_big_free(b->pack);
    dh_big_free(b->scratch);
    dh_big_free(b->narrow);
    memset(b, 0, sizeof(*b));
}

// --- row by row -------------------------------------------------------------

struct rows {
    const struct dh_kernels *k;
    float *y;
    const float *x, *w, *bias;
    size_t n;
    float eps, alpha, limit;
};

// Elements of one piece of a long vector.
#define PIECE ((size_t)1 << 13)

static void run_rmsnorm(void *arg, size_t begin, size_t end, int worker)
{
    const struct rows *r = arg;
    (void)worker;
    for (size_t i = begin; i < end; i++)
        r->k->rmsnorm(r->y + i * r->n, r->x + i * r->n, r->w, (int)r->n,
                      r->eps);
}

static void run_layernorm(void *arg, size_t begin, size_t end, int worker)
{
    const struct rows *r = arg;
    (void)worker;
    for (size_t i = begin; i < end; i++)
        r->k->layernorm(r->y + i * r->n, r->x + i * r->n, r->w, r->bias,
                        (int)r->n, r->eps);
}

static void run_gelu(void *arg, size_t begin, size_t end, int worker)
{
    const struct rows *r = arg;
    (void)worker;
    r->k->gelu(r->y + begin, end - begin);
}

static void run_swiglu(void *arg, size_t begin, size_t end, int worker)
{
    const struct rows *r = arg;
    (void)worker;
    r->k->swiglu(r->y + begin, r->x + begin, r->w + begin, end - begin,
                 r->alpha, r->limit);
}

static void run_add(void *arg, size_t begin, size_t end, int worker)
{
    const struct rows *r = arg;
    (void)worker;
    r->k->add_scaled(r->y + begin, r->x + begin, 1, end - begin);
}

static struct dh_pool *pool_for(const struct dh_backend *b, size_t elements)
{
    return elements < SMALL / 8 ? NULL : b->pool;
}

void dh_backend_rmsnorm(const struct dh_backend *b, float *y, const float *x,
                        const float *w, int rows, int n, float eps)
{
    struct rows r = {
        .k = b->k, .y = y, .x = x, .w = w, .n = (size_t)n, .eps = eps
    };
    dh_pool_run(pool_for(b, (size_t)rows * r.n), (size_t)rows, 32, run_rmsnorm,
                &r);
}

void dh_backend_layernorm(const struct dh_backend *b, float *y, const float *x,
                          const float *w, const float *bias, int rows, int n,
                          float eps)
{
    struct rows r = { .k = b->k,
                      .y = y,
                      .x = x,
                      .w = w,
                      .bias = bias,
                      .n = (size_t)n,
                      .eps = eps };
    dh_pool_run(pool_for(b, (size_t)rows * r.n), (size_t)rows, 32,
                run_layernorm, &r);
}

void dh_backend_gelu(const struct dh_backend *b, float *x, size_t n)
{
    struct rows r = { .k = b->k, .y = x };
    dh_pool_run(pool_for(b, n), n, PIECE, run_gelu, &r);
}

void dh_backend_swiglu(const struct dh_backend *b, float *y, const float *gate,
                       const float *up, size_t n, float alpha, float limit)
{
    struct rows r = {
        .k = b->k, .y = y, .x = gate, .w = up, .alpha = alpha, .limit = limit
    };
    dh_pool_run(pool_for(b, n), n, PIECE, run_swiglu, &r);
}

void dh_backend_add(const struct dh_backend *b, float *y, const float *x,
                    size_t n)
{
    struct rows r = { .k = b->k, .y = y, .x = x };
    dh_pool_run(pool_for(b, n), n, PIECE, run_add, &r);
}
