// The way from the vision tower into the text model (m3.md 8.6).
#include "base/mem.h"
#include "model/vit_priv.h"

#define DH_LOG_TAG "projector"
#include "base/log.h"

// Merged tokens that go through at a time.
#define TOKENS 192

enum dh_status dh_projector_run(const struct dh_vit_run *r, const float *rows,
                                int n, float *out)
{
    const struct dh_config *c = &r->model->config;
    const struct dh_vision_weights *w = &r->model->weights.vision;
    const struct dh_backend *b = r->backend;
    int merge = c->vision.spatial_merge_size * c->vision.spatial_merge_size;
    size_t d = (size_t)c->vision.hidden_size;
    size_t wide = (size_t)c->projector_hidden_size;
    size_t hidden = (size_t)c->text.hidden_size;
    size_t block = (size_t)TOKENS * (size_t)merge;
    float *mid = dh_big_alloc(block * wide * sizeof(float));
    float *each = dh_big_alloc(block * hidden * sizeof(float));
    enum dh_status st = mid && each ? DH_OK : DH_ERR_NOMEM;
    if (st)
        dh_error("no memory for the projector");
    for (int i = 0; i < n && !st; i += (int)block) {
        int patches = DH_MIN((int)block, n - i), tokens = patches / merge;
        dh_backend_matmul(b, mid, wide, rows + (size_t)i * d, d, patches,
                          &w->linear_1, w->linear_1_b);
        dh_backend_gelu(b, mid, (size_t)patches * wide);
        dh_backend_matmul(b, each, hidden, mid, wide, patches, &w->linear_2,
                          w->linear_2_b);
        // Neighbours follow each other, so that `merge` rows are one long row.
        dh_backend_matmul(b, mid, wide, each, hidden * (size_t)merge, tokens,
                          &w->merge_1, w->merge_1_b);
        dh_backend_gelu(b, mid, (size_t)tokens * wide);
        dh_backend_matmul(b, out + (size_t)(i / merge) * hidden, hidden, mid,
                          wide, tokens, &w->merge_2, w->merge_2_b);
    }
    dh_big_free(mid);
    dh_big_free(each);
    return st;
}
