// The embedded model against the numbers of the program that trained it:
// tools/sprout/export.py wrote them to tests/vectors/sprout, in float32.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/pool.h"
#include "capture/frame.h"
#include "capture/picture.h"
#include "model/backend_priv.h"
#include "model/session.h"
#include "tests/dh_test.h"
#include "tests/model/tiny.h"
#include "vision/patches.h"

#define MODEL   "assets/models/sprout"
#define VECTORS "tests/vectors/sprout/"

struct sprout {
    struct dh_pool *pool;
    struct dh_model *model;
    struct dh_json *json;
    struct dh_patches patches;
    int32_t *ids;
    size_t n, first, vocab; // logits are stored from position `first` on
    float *want, *got;
};

static char *read_file(int index, const char *what, size_t *len)
{
    char path[200], *bytes;
    snprintf(path, sizeof(path), VECTORS "case%d.%s", index, what);
    CHECK_INT(dh_file_read(path, 1 << 24, &bytes, len), DH_OK);
    return bytes;
}

static int64_t integer(const struct sprout *s, const char *key)
{
    int64_t v;
    struct dh_diag diag = { 0 };
    CHECK(dh_json_get_i64(s->json, key, 0, 1 << 24, &v, &diag));
    return v;
}

static void read_case(struct sprout *s, int index)
{
    struct dh_diag diag = { 0 };
    size_t len;
    char *bytes = read_file(index, "json", &len);
    s->json = dh_json_parse(bytes, len, &diag);
    CHECK(s->json);
    dh_big_free(bytes);
    const struct dh_json *ids = dh_json_find(s->json, "ids");
    dh_array(s->ids, dh_json_count(ids));
    for (const struct dh_json *e = dh_json_first(ids); e; e = dh_json_next(e))
        s->ids[s->n++] = (int32_t)dh_json_number(e);
    s->first = (size_t)integer(s, "first_logit_position");
    s->vocab = (size_t)integer(s, "vocab");
    CHECK(s->first < s->n);
    size_t count = (s->n - s->first) * s->vocab;
    bytes = read_file(index, "logits.f32", &len);
    CHECK_INT(len, count * sizeof(float));
    dh_array(s->want, count);
    dh_array(s->got, count);
    memcpy(s->want, bytes, len);
    dh_big_free(bytes);
}

// A picture whose size is one of the sizes that pictures are given.
static void read_picture(struct sprout *s, int index)
{
    char path[200];
    struct dh_frame *frame;
    snprintf(path, sizeof(path), VECTORS "case%d.png", index);
    CHECK_INT(dh_picture_read(path, &frame), DH_OK);
    CHECK_INT(frame->width, integer(s, "width"));
    CHECK_INT(frame->height, integer(s, "height"));
    CHECK_INT(dh_patches_of_frame(dh_model_get_image_rule(s->model), frame,
                                  s->pool, &s->patches),
              DH_OK);
    CHECK_INT(s->patches.resized.w, frame->width);
    CHECK_INT(s->patches.resized.h, frame->height);
    dh_frame_unref(frame);
}

static void keep(void *user, size_t position, const float *logits)
{
    struct sprout *s = user;
    if (position >= s->first && position < s->n)
        memcpy(s->got + (position - s->first) * s->vocab, logits,
               s->vocab * sizeof(*logits));
}

static void feed(struct sprout *s, enum dh_cache_type type)
{
    const struct dh_model_info *info = dh_model_get_info(s->model);
    struct dh_session_image image = { &s->patches, info->image_token_id, 0 };
    struct dh_session_options o = { .max_tokens = (int)s->n,
                                    .cache_type = type };
    struct dh_session *session;
    CHECK_INT(info->vocab_size, s->vocab);
    CHECK_INT(dh_session_create(&session, s->model, &o), DH_OK);
    dh_session_watch_logits(session, keep, s);
    CHECK_INT(dh_session_feed(session, s->ids, s->n, &image, 1), DH_OK);
    dh_session_destroy(session);
}

static size_t highest(const float *v, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        best = v[i] > v[best] ? i : best;
    return best;
}

// near: of the root mean square of the logits. Where numbers are rounded, a
// token whose second and third experts are as good as each other may get the
// other one, and its logits differ by more, now and then.
static void compare(const struct sprout *s, int index, enum dh_cache_type type,
                    double near)
{
    size_t rows = s->n - s->first, count = rows * s->vocab;
    double squares = 0;
    for (size_t i = 0; i < count; i++)
        squares += (double)s->want[i] * (double)s->want[i];
    double rms = sqrt(squares / (double)count);
    double most = 0, limit = near * fmax(1, rms);
    int far = 0;
    for (size_t r = 0; r < rows; r++) {
        double d = dh_max_diff(s->got + r * s->vocab, s->want + r * s->vocab,
                               s->vocab);
        far += !(d <= limit);
        most = fmax(most, d);
    }
    const struct dh_json *e = dh_json_first(dh_json_find(s->json, "argmax"));
    printf(
        "case %d, %s, cache %s: %zu rows of logits, rms %.2f: %.1e of %.1e\n",
        index, dh_model_get_info(s->model)->kernels, dh_cache_type_names[type],
        rows, rms, most, limit);
    CHECK(far <= (near >= 0.1 ? 1 : 0));
    for (size_t r = 0; r < rows; r++, e = dh_json_next(e)) {
        CHECK(e);
        CHECK_INT(highest(s->got + r * s->vocab, s->vocab), dh_json_number(e));
    }
    CHECK(!e);
}

static void check_with(int index, const char *kernels, enum dh_cache_type type,
                       double near)
{
    struct sprout s = { 0 };
    CHECK_INT(dh_pool_create(&s.pool, 0), DH_OK);
    struct dh_model_options o = { .pool = s.pool, .kernels = kernels };
    CHECK_INT(dh_model_create(&s.model, MODEL, &o), DH_OK);
    read_case(&s, index);
    read_picture(&s, index);
    feed(&s, type);
    compare(&s, index, type, near);
    dh_model_destroy(s.model);
    dh_pool_destroy(s.pool);
    dh_patches_finish(&s.patches);
    dh_json_free(s.json);
    dh_free(s.ids);
    dh_free(s.want);
    dh_free(s.got);
}

// Kernels that round activations to bfloat16 stay within what that costs, and
// so does a cache of 8 bits.
static void check_case(int index)
{
    check_with(index, "float32", DH_CACHE_AUTO, 1e-4);
    if (index == 0)
        check_with(index, "float32", DH_CACHE_INT8, 0.1);
    if (dh_kernels_find("auto")->pairs) {
        check_with(index, "auto", DH_CACHE_AUTO, 0.1);
        // Which adds up.
        check_with(index, "auto", DH_CACHE_INT8, 0.15);
    }
}

#ifndef DH_DEBUG // builds that are instrumented take two minutes for it
/* 999 tokens of picture. */
static void test_a_large_picture(void)
{
    check_case(0);
}
#endif

/* 609 tokens of picture. */
static void test_a_small_picture(void)
{
    check_case(1);
}

#ifndef DH_DEBUG
DH_TESTS(DH_TEST(a_large_picture), DH_TEST(a_small_picture));
#else
DH_TESTS(DH_TEST(a_small_picture));
#endif
