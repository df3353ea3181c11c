#include "tools/bench_picture.h"

#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "capture/frame.h"
#include "model/model.h"
#include "model/session.h"
#include "tools/app.h"

#define DH_LOG_TAG "bench"
#include "base/log.h"

static enum dh_status noise(struct dh_size size, struct dh_frame **out)
{
    struct dh_rng rng = { { 1, 2, 3, 4 } };
    enum dh_status st = dh_frame_create(out, NULL, size.w, size.h);
    if (st)
        return st;
    for (int y = 0; y < size.h; y++) {
        uint8_t *row = dh_frame_at(*out, 0, y);
        for (int x = 0; x < 4 * size.w; x++)
            row[x] = (uint8_t)(dh_rng_unit(&rng) * 256);
    }
    dh_frame_publish(*out);
    return DH_OK;
}

enum dh_status dh_bench_picture_init(struct dh_bench_picture *p,
                                     const struct dh_model *model,
                                     struct dh_pool *pool, const char *size)
{
    const struct dh_patch_rule *rule = dh_model_get_image_rule(model);
    struct dh_frame *frame;
    memset(p, 0, sizeof *p);
    if (!dh_size_parse(size, &p->size)) {
        dh_error("--picture=%s: WIDTHxHEIGHT in pixels is expected", size);
        return DH_ERR_USAGE;
    }
    if (!dh_model_get_info(model)->has_vision) {
        dh_error("--picture: this model has no vision; --model names one");
        return DH_ERR_USAGE;
    }
    enum dh_status st = noise(p->size, &frame);
    if (st)
        return st;
    st = dh_patches_of_frame(rule, frame, pool, &p->patches);
    dh_frame_unref(frame);
    if (st)
        return st;
    p->tokens = dh_patches_tokens(&p->patches, rule->merge_size);
    p->flops = dh_model_get_picture_flops(model, &p->patches);
    return DH_OK;
}

enum dh_status dh_bench_picture_run(const struct dh_bench_picture *p,
                                    struct dh_model *model, double *seconds)
{
    struct dh_session_options so = { .max_tokens = p->tokens,
                                     .cancel = dh_app_cancel() };
    struct dh_session_stats stats;
    struct dh_session *s;
    enum dh_status st = dh_session_create(&s, model, &so);
    if (st)
        return st;
    int id = dh_model_get_info(model)->image_token_id;
    struct dh_session_image image = { .patches = &p->patches, .token_id = id };
    int32_t *ids;
    dh_array(ids, (size_t)p->tokens);
    for (int i = 0; i < p->tokens; i++)
        ids[i] = id;
    st = dh_session_feed(s, ids, (size_t)p->tokens, &image, 1);
    dh_session_get_stats(s, &stats);
    *seconds = stats.vision_s;
    dh_free(ids);
    dh_session_destroy(s);
    return st;
}

void dh_bench_picture_finish(struct dh_bench_picture *p)
{
    dh_patches_finish(&p->patches);
}
