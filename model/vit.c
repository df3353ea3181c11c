#include "model/vit_priv.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/pool.h"
#include "base/thread.h"
#include "vision/patches.h"

#define DH_LOG_TAG "vit"
#include "base/log.h"

// Rows that go through the wide part of a block at a time, so that it stays in
// the cache.
#define MLP_ROWS 768

// Buffers of one segment.
struct tower {
    const struct dh_vit_run *r;
    const struct dh_backend *b;
    const struct dh_vision_config *v;
    int n;    // patches
    int dim;  // of a head
    int ldv;  // dim up to a multiple of 16
    int half; // angles of a patch
    size_t padded;
    float *h; // [n][hidden]
    float *a; // [n][hidden]: norm, later the heads' results
    float *q, *k, *v_rows;
    float *keys, *values;         // per head, as struct dh_attend_head has them
    const struct dh_pairs *pairs; // of keys and values, NULL: float32
    float *mid;                   // [MLP_ROWS][intermediate]
    float *side;                  // [MLP_ROWS][hidden]
    float *cos, *sin;
    void *memory;
};

int dh_vit_tokens(const struct dh_model *model, const struct dh_patches *p)
{
    const struct dh_vision_config *v = &model->config.vision;
    int m = v->spatial_merge_size;
    if (!model->config.has_vision || p->grid_t < 1 || p->grid_h < 1 ||
        p->grid_w < 1 || p->grid_h % m || p->grid_w % m ||
        p->row_len != model->weights.vision.patch_embedding.cols)
        return 0;
    int64_t n = (int64_t)p->grid_t * p->grid_h * p->grid_w;
    return n > INT32_MAX / 4 ? 0 : (int)(n / m / m);
}

static float *carve(float **at, size_t floats)
{
    float *p = *at;
    *at += (floats + 15) / 16 * 16;
    return p;
}

static enum dh_status tower_init(struct tower *t, const struct dh_vit_run *r,
                                 int n)
{
    const struct dh_vision_config *v = &r->model->config.vision;
    *t = (struct tower){ .r = r, .b = r->backend, .v = v, .n = n };
    t->dim = v->hidden_size / v->num_attention_heads;
    t->ldv = (t->dim + 15) / 16 * 16;
    t->padded = dh_panel_round((size_t)n);
    t->pairs = dh_attend_pairs(r->backend->k, t->dim);
    size_t d = (size_t)v->hidden_size, rows = t->padded * d;
    size_t wide = (size_t)MLP_ROWS * (size_t)v->intermediate_size;
    size_t values = t->padded * (size_t)t->ldv * (size_t)v->num_attention_heads;
    size_t angles = t->padded * (size_t)t->dim;
    size_t all = 6 * rows + values + wide + MLP_ROWS * d + 2 * angles + 16 * 16;
    t->memory = dh_big_alloc(all * sizeof(float));
    if (!t->memory) {
        dh_error("no memory for a picture of %d patches", n);
        return DH_ERR_NOMEM;
    }
    float *at = t->memory;
    t->h = carve(&at, rows);
    t->a = carve(&at, rows);
    t->q = carve(&at, rows);
    t->k = carve(&at, rows);
    t->v_rows = carve(&at, rows);
    t->keys = carve(&at, rows);
    t->values = carve(&at, values);
    t->mid = carve(&at, wide);
    t->side = carve(&at, MLP_ROWS * d);
    t->cos = carve(&at, angles);
    t->sin = carve(&at, angles);
    // The padding of the last panel is read: it must hold numbers.
    memset(t->keys, 0, rows * sizeof(float));
    memset(t->values, 0, values * sizeof(float));
    return DH_OK;
}

static void turn(float *cos, float *sin, int n, int pos, const float *inv)
{
    for (int i = 0; i < n; i++) {
        float angle = (float)pos * inv[i];
        cos[i] = cosf(angle);
        sin[i] = sinf(angle);
    }
}

int dh_vit_angles(const struct dh_vision_config *v, int groups, int h, int w,
                  float *cos, float *sin)
{
    int dim = v->hidden_size / v->num_attention_heads;
    int axis = 2 * (2 * (dim / 2) / 3 / 2), n = axis / 2, half = 3 * n;
    int m = v->spatial_merge_size;
    float inv[256];
    n = DH_MIN(n, (int)DH_COUNTOF(inv));
    for (int i = 0; i < n; i++)
        inv[i] = 1.0f / powf(v->rope_theta, (float)(2 * i) / (float)axis);
    // Rows come in squares of m x m patches, squares from left to right.
    int per = h * w;
    for (int r = 0; r < groups * per; r++) {
        int in = r % per, square = in / (m * m), part = in % (m * m);
        int y = square / (w / m) * m + part / m;
        int x = square % (w / m) * m + part % m;
        float *c = cos + (size_t)r * (size_t)half;
        float *s = sin + (size_t)r * (size_t)half;
        turn(c, s, n, r / per, inv);
        turn(c + n, s + n, n, y, inv);
        turn(c + 2 * n, s + 2 * n, n, x, inv);
    }
    return half;
}

static float *keys_of(const struct tower *t, size_t head)
{
    return t->keys + head * t->padded * (size_t)t->dim / (t->pairs ? 2 : 1);
}

static float *values_of(const struct tower *t, size_t head)
{
    return t->values + head * t->padded * (size_t)t->ldv / (t->pairs ? 2 : 1);
}

// Rotate queries and keys of some patches and lay keys and values out by head.
static void run_layout(void *arg, size_t begin, size_t end, int worker)
{
    const struct tower *t = arg;
    size_t d = (size_t)t->v->hidden_size, dim = (size_t)t->dim;
    size_t half = (size_t)t->half, heads = (size_t)t->v->num_attention_heads;
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        const float *cos = t->cos + i * half, *sin = t->sin + i * half;
        for (size_t head = 0; head < heads; head++) {
            size_t at = i * d + head * dim;
            t->b->k->rope(t->q + at, cos, sin, t->half);
            t->b->k->rope(t->k + at, cos, sin, t->half);
            dh_attend_put_key(t->pairs, keys_of(t, head), t->dim, i, t->k + at);
            dh_attend_put_value(t->pairs, values_of(t, head), t->dim, t->ldv, i,
                                t->v_rows + at);
        }
    }
}

static void run_heads(void *arg, size_t begin, size_t end, int worker)
{
    const struct tower *t = arg;
    size_t d = (size_t)t->v->hidden_size, dim = (size_t)t->dim;
    size_t pieces = (size_t)(t->n + DH_ATTEND_ROWS - 1) / DH_ATTEND_ROWS;
    for (size_t i = begin; i < end; i++) {
        size_t head = i / pieces, row = i % pieces * DH_ATTEND_ROWS;
        struct dh_attend a = {
            .head = dh_attend_head_of(t->pairs, keys_of(t, head),
                                      values_of(t, head), t->dim, t->ldv),
            .rows = (int)DH_MIN((size_t)DH_ATTEND_ROWS, (size_t)t->n - row),
            .scale = 1.0f / sqrtf((float)t->dim),
            .n_panels = (int)(t->padded / DH_PANEL),
        };
        for (int r = 0; r < a.rows; r++) {
            size_t at = (row + (size_t)r) * d + head * dim;
            a.q[r] = t->q + at;
            a.out[r] = t->a + at;
            a.limit[r] = t->n - 1;
        }
        dh_backend_attend(t->b, &a, worker);
    }
}

static void attention(struct tower *t, const struct dh_vision_layer_weights *l)
{
    const struct dh_backend *b = t->b;
    int d = t->v->hidden_size, n = t->n;
    size_t ld = (size_t)d;
    dh_backend_layernorm(b, t->a, t->h, l->ln1_w, l->ln1_b, n, d,
                         t->v->layer_norm_eps);
    const struct dh_product in[] = {
        { t->q, t->a, l->q_b, &l->q, ld, ld, n },
        { t->k, t->a, l->k_b, &l->k, ld, ld, n },
        { t->v_rows, t->a, l->v_b, &l->v, ld, ld, n },
    };
    dh_backend_products(b, in, (int)DH_COUNTOF(in));
    dh_pool_run(b->pool, (size_t)n, 64, run_layout, t);
    size_t pieces = (size_t)(n + DH_ATTEND_ROWS - 1) / DH_ATTEND_ROWS *
                    (size_t)t->v->num_attention_heads;
    dh_pool_run(b->pool, pieces, 1, run_heads, t);
    dh_backend_matmul(b, t->q, ld, t->a, ld, n, &l->out, l->out_b);
    dh_backend_add(b, t->h, t->q, (size_t)n * ld);
}

static void mlp(struct tower *t, const struct dh_vision_layer_weights *l)
{
    const struct dh_backend *b = t->b;
    size_t d = (size_t)t->v->hidden_size;
    size_t wide = (size_t)t->v->intermediate_size;
    dh_backend_layernorm(b, t->a, t->h, l->ln2_w, l->ln2_b, t->n,
                         t->v->hidden_size, t->v->layer_norm_eps);
    for (int i = 0; i < t->n; i += MLP_ROWS) {
        int n = DH_MIN(MLP_ROWS, t->n - i);
        dh_backend_matmul(b, t->mid, wide, t->a + (size_t)i * d, d, n, &l->fc1,
                          l->fc1_b);
        dh_backend_gelu(b, t->mid, (size_t)n * wide);
        dh_backend_matmul(b, t->side, d, t->mid, wide, n, &l->fc2, l->fc2_b);
        dh_backend_add(b, t->h + (size_t)i * d, t->side, (size_t)n * d);
    }
}

static void show(const struct tower *t, int stage)
{
    if (t->r->probe)
        t->r->probe(t->r->probe_user, stage, t->n, t->h);
}

static enum dh_status run_tower(struct tower *t, const float *rows)
{
    const struct dh_vision_weights *w = &t->r->model->weights.vision;
    size_t d = (size_t)t->v->hidden_size;
    dh_backend_matmul(t->b, t->a, d, rows, (size_t)w->patch_embedding.cols,
                      t->n, &w->patch_embedding, NULL);
    dh_backend_layernorm(t->b, t->h, t->a, w->pre_w, w->pre_b, t->n,
                         t->v->hidden_size, t->v->layer_norm_eps);
    show(t, -1);
    for (int j = 0; j < t->v->num_hidden_layers; j++) {
        if (dh_cancel_is_set(t->r->cancel))
            return DH_ERR_CANCELLED;
        attention(t, &w->layers[j]);
        mlp(t, &w->layers[j]);
        show(t, j);
    }
    return DH_OK;
}

enum dh_status dh_vit_encode(const struct dh_vit_run *r,
                             const struct dh_patches *p, float *out)
{
    const struct dh_vision_config *v = &r->model->config.vision;
    int per = p->grid_h * p->grid_w, m = v->spatial_merge_size;
    size_t hidden = (size_t)r->model->config.text.hidden_size;
    for (int g = 0; g < p->grid_t; g += v->vision_segment_max_frames) {
        int groups = DH_MIN(v->vision_segment_max_frames, p->grid_t - g);
        size_t row = (size_t)g * (size_t)per;
        struct tower t;
        enum dh_status st = tower_init(&t, r, groups * per);
        if (st)
            return st;
        t.half = dh_vit_angles(v, groups, p->grid_h, p->grid_w, t.cos, t.sin);
        st = run_tower(&t, p->rows + row * (size_t)p->row_len);
        if (!st)
            st = dh_projector_run(r, t.h, t.n,
                                  out + row / (size_t)(m * m) * hidden);
        dh_big_free(t.memory);
        if (st)
            return st;
    }
    return DH_OK;
}
