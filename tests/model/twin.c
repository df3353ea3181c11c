#include "tests/model/twin.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "model/tensor_priv.h"

static double *zeros(size_t n, size_t m)
{
    double *p;
    dh_array(p, n * m);
    return p;
}

static double weight(const struct dh_mat *w, int r, int c)
{
    float f;
    size_t at = (size_t)r * (size_t)w->cols + (size_t)c;
    dh_tensor_to_f32(w->dtype,
                     (const uint8_t *)w->data + at * dh_dtype_bytes(w->dtype),
                     1, &f);
    return (double)f;
}

static double *linear(const double *x, int n, const struct dh_mat *w,
                      const float *bias)
{
    double *y = zeros((size_t)n, (size_t)w->rows);
    for (int r = 0; r < w->rows; r++) {
        for (int c = 0; c < w->cols; c++) {
            double v = weight(w, r, c);
            for (int i = 0; i < n; i++)
                y[(size_t)i * w->rows + r] += v * x[(size_t)i * w->cols + c];
        }
        for (int i = 0; i < n && bias; i++)
            y[(size_t)i * w->rows + r] += (double)bias[r];
    }
    return y;
}

static void gemma(double *x, int rows, int n, const float *w, double eps)
{
    for (int i = 0; i < rows; i++) {
        double sum = 0, *row = x + (size_t)i * n;
        for (int j = 0; j < n; j++)
            sum += row[j] * row[j];
        for (int j = 0; j < n; j++)
            row[j] = row[j] / sqrt(sum / n + eps) * (1 + (double)w[j]);
    }
}

static double *gemma_of(const double *x, int rows, int n, const float *w,
                        double eps)
{
    double *y = zeros((size_t)rows, (size_t)n);
    memcpy(y, x, (size_t)rows * (size_t)n * sizeof(*y));
    gemma(y, rows, n, w, eps);
    return y;
}

// The first `turn` of every `dim` numbers, heads of token i at position i.
static void rotate(double *x, int n, int heads, int dim, int turn, float theta)
{
    for (int i = 0; i < n * heads; i++) {
        double *row = x + (size_t)i * dim;
        for (int j = 0; j < turn / 2; j++) {
            float inv = 1.0f / powf(theta, (float)(2 * j) / (float)turn);
            double angle = (double)((float)(i / heads) * inv);
            double a = row[j], b = row[j + turn / 2];
            row[j] = a * cos(angle) - b * sin(angle);
            row[j + turn / 2] = b * cos(angle) + a * sin(angle);
        }
    }
}

// One row: out = softmax over allowed keys.
static void attend(double *out, const double *q, const double *k,
                   const double *v, int n, int stride, int dim,
                   const bool *allowed)
{
    double *s = zeros((size_t)n, 1), top = (double)-INFINITY, sum = 0;
    for (int j = 0; j < n; j++) {
        for (int d = 0; d < dim; d++)
            s[j] += q[d] * k[(size_t)j * stride + d];
        s[j] = allowed[j] ? s[j] / sqrt(dim) : (double)-INFINITY;
        top = fmax(top, s[j]);
    }
    for (int j = 0; j < n; j++)
        sum += s[j] = exp(s[j] - top);
    for (int d = 0; d < dim; d++) {
        out[d] = 0;
        for (int j = 0; j < n; j++)
            out[d] += s[j] / sum * v[(size_t)j * stride + d];
    }
    dh_free(s);
}

// Which keys may token p see through one index head: the blocks are ranked by
// counting how many are better.
static void mask_blocks(const struct dh_text_config *t, const double *iq,
                        const double *ik, int p, bool *allowed)
{
    int size = t->index_block_size, n = p / size + 1, di = t->index_head_dim;
    double *best = zeros((size_t)n, 1);
    for (int b = 0; b < n; b++) {
        best[b] = (double)-INFINITY;
        for (int j = b * size; j < (b + 1) * size && j <= p; j++) {
            double s = 0;
            for (int d = 0; d < di; d++)
                s += iq[d] * ik[(size_t)j * di + d];
            best[b] = fmax(best[b], s);
        }
    }
    for (int l = 0; l < t->index_local_blocks; l++)
        best[p / size - l > 0 ? p / size - l : 0] = (double)INFINITY;
    for (int j = 0; j <= p; j++) {
        int better = 0;
        for (int b = 0; b < n; b++)
            better += best[b] > best[j / size] ||
                      (best[b] >= best[j / size] && b < j / size);
        allowed[j] = better < t->index_topk_blocks;
    }
    dh_free(best);
}

static double *attention(const struct dh_model *m, const double *x, int n,
                         int layer)
{
    const struct dh_text_config *t = &m->config.text;
    const struct dh_layer_weights *l = &m->weights.layers[layer];
    int hq = t->num_attention_heads, hk = t->num_key_value_heads;
    int d = t->head_dim, hi = t->index_n_heads, di = t->index_head_dim;
    double eps = (double)t->rms_norm_eps, *iq = NULL, *ik = NULL;
    double *q = linear(x, n, &l->q_proj, NULL);
    double *k = linear(x, n, &l->k_proj, NULL);
    double *v = linear(x, n, &l->v_proj, NULL);
    gemma(q, n * hq, d, l->q_norm, eps);
    gemma(k, n * hk, d, l->k_norm, eps);
    rotate(q, n, hq, d, t->rotary_dim, t->rope_theta);
    rotate(k, n, hk, d, t->rotary_dim, t->rope_theta);
    if (t->layer_sparse[layer]) {
        iq = linear(x, n, &l->index_q_proj, NULL);
        ik = linear(x, n, &l->index_k_proj, NULL);
        gemma(iq, n * hi, di, l->index_q_norm, eps);
        gemma(ik, n, di, l->index_k_norm, eps);
        rotate(iq, n, hi, di, t->rotary_dim, t->rope_theta);
        rotate(ik, n, 1, di, t->rotary_dim, t->rope_theta);
    }
    double *heads = zeros((size_t)n, (size_t)(hq * d));
    bool *allowed;
    dh_array(allowed, (size_t)n);
    for (int p = 0; p < n; p++) {
        for (int h = 0; h < hq; h++) {
            int kv = h / (hq / hk);
            for (int j = 0; j < n; j++)
                allowed[j] = j <= p;
            if (iq)
                mask_blocks(t, iq + ((size_t)p * hi + kv) * di, ik, p, allowed);
            size_t at = ((size_t)p * hq + h) * d;
            attend(heads + at, q + at, k + kv * d, v + kv * d, n, hk * d, d,
                   allowed);
        }
    }
    double *y = linear(heads, n, &l->o_proj, NULL);
    dh_free(allowed);
    dh_free(heads);
    dh_free(q);
    dh_free(k);
    dh_free(v);
    dh_free(iq);
    dh_free(ik);
    return y;
}

static double *mlp(const struct dh_text_config *t, const double *x, int n,
                   const struct dh_mlp_weights *w)
{
    double *g = linear(x, n, &w->gate, NULL), *u = linear(x, n, &w->up, NULL);
    double lim = (double)t->swiglu_limit;
    for (size_t i = 0; i < (size_t)n * (size_t)w->gate.rows; i++) {
        double a = g[i] > lim ? lim : g[i];
        double b = u[i] > lim ? lim : u[i] < -lim ? -lim : u[i];
        g[i] = (b + 1) * a / (1 + exp(-(double)t->swiglu_alpha * a));
    }
    double *y = linear(g, n, &w->down, NULL);
    dh_free(g);
    dh_free(u);
    return y;
}

// Every expert on every token; a share of 0 where it was not chosen.
static double *mixture(const struct dh_model *m, const double *x, int n,
                       int layer)
{
    const struct dh_text_config *t = &m->config.text;
    const struct dh_layer_weights *l = &m->weights.layers[layer];
    int ne = t->num_local_experts, hidden = t->hidden_size;
    double *s = linear(x, n, &l->router, NULL);
    double *share = zeros((size_t)n, (size_t)ne);
    for (int i = 0; i < n; i++) {
        double *row = s + (size_t)i * ne, sum = 0;
        for (int e = 0; e < ne; e++)
            row[e] = 1 / (1 + exp(-row[e]));
        for (int e = 0; e < ne; e++) {
            int better = 0;
            double mine = row[e] + (double)l->e_score_correction_bias[e];
            for (int f = 0; f < ne; f++) {
                double its = row[f] + (double)l->e_score_correction_bias[f];
                better += its > mine || (its >= mine && f < e);
            }
            if (better < t->num_experts_per_tok)
                sum += share[(size_t)i * ne + e] = row[e];
        }
        for (int e = 0; e < ne; e++)
            share[(size_t)i * ne + e] *= (double)t->routed_scaling_factor / sum;
    }
    double *y = mlp(t, x, n, &l->shared);
    for (int e = 0; e < ne; e++) {
        double *z = mlp(t, x, n, &l->experts[e]);
        for (int i = 0; i < n * hidden; i++)
            y[i] += share[(size_t)(i / hidden) * ne + e] * z[i];
        dh_free(z);
    }
    dh_free(s);
    dh_free(share);
    return y;
}

static void add_and_free(double *x, double *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] += y[i];
    dh_free(y);
}

double *dh_twin_text(const struct dh_model *m, const int32_t *ids, int n,
                     const double *const *rows)
{
    const struct dh_text_config *t = &m->config.text;
    int hidden = t->hidden_size;
    double eps = (double)t->rms_norm_eps, *y;
    double *x = zeros((size_t)n, (size_t)hidden);
    for (int i = 0; i < n * hidden; i++)
        x[i] = rows && rows[i / hidden] ? rows[i / hidden][i % hidden]
                                        : weight(&m->weights.embed_tokens,
                                                 ids[i / hidden], i % hidden);
    for (int i = 0; i < t->num_hidden_layers; i++) {
        const struct dh_layer_weights *l = &m->weights.layers[i];
        double *a = gemma_of(x, n, hidden, l->input_layernorm, eps);
        y = attention(m, a, n, i);
        dh_free(a);
        add_and_free(x, y, (size_t)n * hidden);
        a = gemma_of(x, n, hidden, l->post_attention_layernorm, eps);
        y = t->layer_moe[i] ? mixture(m, a, n, i) : mlp(t, a, n, &l->mlp);
        dh_free(a);
        add_and_free(x, y, (size_t)n * hidden);
    }
    gemma(x, n, hidden, m->weights.norm, eps);
    y = linear(x, n, &m->weights.lm_head, NULL);
    dh_free(x);
    return y;
}

// --- vision -----------------------------------------------------------------

static double *layernorm(const double *x, int rows, int n, const float *w,
                         const float *b, double eps)
{
    double *y = zeros((size_t)rows, (size_t)n);
    for (int i = 0; i < rows; i++) {
        const double *row = x + (size_t)i * n;
        double mean = 0, var = 0;
        for (int j = 0; j < n; j++)
            mean += row[j] / n;
        for (int j = 0; j < n; j++)
            var += (row[j] - mean) * (row[j] - mean) / n;
        for (int j = 0; j < n; j++)
            y[(size_t)i * n + j] =
                (row[j] - mean) / sqrt(var + eps) * (double)w[j] + (double)b[j];
    }
    return y;
}

static void gelu(double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = x[i] / 2 * (1 + erf(x[i] / sqrt(2)));
}

// Where patch r of the picture lies: group, row, column.
struct where {
    int t, h, w;
};

static struct where where_of(const struct dh_model *m,
                             const struct dh_patches *p, int r)
{
    int merge = m->config.vision.spatial_merge_size, at = 0;
    for (int t = 0; t < p->grid_t; t++)
        for (int by = 0; by < p->grid_h / merge; by++)
            for (int bx = 0; bx < p->grid_w / merge; bx++)
                for (int dy = 0; dy < merge; dy++)
                    for (int dx = 0; dx < merge; dx++)
                        if (at++ == r)
                            return (struct where){ t, by * merge + dy,
                                                   bx * merge + dx };
    return (struct where){ 0 };
}

static void rotate3(const struct dh_vision_config *v, double *head, int dim,
                    struct where at)
{
    int axis = 2 * (2 * (dim / 2) / 3 / 2), n = axis / 2;
    int place[3] = { at.t % v->vision_segment_max_frames, at.h, at.w };
    for (int j = 0; j < 3 * n; j++) {
        double inv = pow((double)v->rope_theta, -2.0 * (j % n) / axis);
        double angle = place[j / n] * inv, a = head[j], b = head[j + 3 * n];
        head[j] = a * cos(angle) - b * sin(angle);
        head[j + 3 * n] = b * cos(angle) + a * sin(angle);
    }
}

static double *vision_attention(const struct dh_model *m,
                                const struct dh_patches *p,
                                const struct dh_vision_layer_weights *l,
                                const double *x, int n)
{
    const struct dh_vision_config *v = &m->config.vision;
    int d = v->hidden_size, dim = d / v->num_attention_heads;
    double *q = linear(x, n, &l->q, l->q_b), *k = linear(x, n, &l->k, l->k_b);
    double *val = linear(x, n, &l->v, l->v_b);
    double *o = zeros((size_t)n, (size_t)d);
    bool *allowed;
    dh_array(allowed, (size_t)n);
    for (int i = 0; i < n; i++) {
        for (int h = 0; h < d; h += dim) {
            rotate3(v, q + (size_t)i * d + h, dim, where_of(m, p, i));
            rotate3(v, k + (size_t)i * d + h, dim, where_of(m, p, i));
        }
    }
    for (int i = 0; i < n; i++) {
        int seg = where_of(m, p, i).t / v->vision_segment_max_frames;
        for (int j = 0; j < n; j++)
            allowed[j] =
                where_of(m, p, j).t / v->vision_segment_max_frames == seg;
        for (int h = 0; h < d; h += dim)
            attend(o + (size_t)i * d + h, q + (size_t)i * d + h, k + h, val + h,
                   n, d, dim, allowed);
    }
    double *y = linear(o, n, &l->out, l->out_b);
    dh_free(allowed);
    dh_free(q);
    dh_free(k);
    dh_free(val);
    dh_free(o);
    return y;
}

// Two linears with gelu between; frees x.
static double *two(double *x, int n, const struct dh_mat *a, const float *ab,
                   const struct dh_mat *b, const float *bb)
{
    double *mid = linear(x, n, a, ab);
    gelu(mid, (size_t)n * (size_t)a->rows);
    double *y = linear(mid, n, b, bb);
    dh_free(mid);
    dh_free(x);
    return y;
}

double *dh_twin_vision(const struct dh_model *m, const struct dh_patches *p,
                       int *tokens)
{
    const struct dh_vision_config *v = &m->config.vision;
    const struct dh_vision_weights *w = &m->weights.vision;
    int n = p->grid_t * p->grid_h * p->grid_w, d = v->hidden_size;
    int merge = v->spatial_merge_size * v->spatial_merge_size;
    double eps = (double)v->layer_norm_eps;
    double *in = zeros((size_t)n, (size_t)p->row_len);
    for (int i = 0; i < n * p->row_len; i++)
        in[i] = (double)p->rows[i];
    double *x = linear(in, n, &w->patch_embedding, NULL);
    double *h = layernorm(x, n, d, w->pre_w, w->pre_b, eps);
    for (int j = 0; j < v->num_hidden_layers; j++) {
        const struct dh_vision_layer_weights *l = &w->layers[j];
        double *a = layernorm(h, n, d, l->ln1_w, l->ln1_b, eps);
        add_and_free(h, vision_attention(m, p, l, a, n), (size_t)n * d);
        dh_free(a);
        a = layernorm(h, n, d, l->ln2_w, l->ln2_b, eps);
        add_and_free(h, two(a, n, &l->fc1, l->fc1_b, &l->fc2, l->fc2_b),
                     (size_t)n * d);
    }
    dh_free(in);
    dh_free(x);
    h = two(h, n, &w->linear_1, w->linear_1_b, &w->linear_2, w->linear_2_b);
    *tokens = n / merge;
    return two(h, n / merge, &w->merge_1, w->merge_1_b, &w->merge_2,
               w->merge_2_b);
}
