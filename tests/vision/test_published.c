// Preparation of pictures against what the published processor gave, from
// tests/vectors/model/preprocess; its README.md says how it was made.
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "capture/picture.h"
#include "tests/dh_test.h"
#include "vision/patches_priv.h"

#define FOLDER "tests/vectors/model/preprocess/"
#define ROW    1176 // numbers of a patch

static struct dh_json *read_json(const char *path)
{
    char *text;
    size_t len;
    struct dh_diag diag = { 0 };
    CHECK_INT(dh_file_read(path, 1 << 24, &text, &len), DH_OK);
    struct dh_json *json = dh_json_parse(text, len, &diag);
    CHECK(json);
    dh_big_free(text);
    return json;
}

static int number_at(const struct dh_json *list, int i)
{
    const struct dh_json *e = dh_json_first(list);
    while (i-- > 0)
        e = dh_json_next(e);
    CHECK(e && dh_json_kind(e) == DH_JSON_NUMBER);
    return (int)dh_json_number(e);
}

/* [3][256], as the processor normalised each value of each channel. */
static void read_table(float table[3][256])
{
    char *bytes;
    size_t len;
    CHECK_INT(dh_file_read(FOLDER "normalise.f32", 1 << 16, &bytes, &len),
              DH_OK);
    CHECK_INT(len, 3 * 256 * sizeof(float));
    memcpy(table, bytes, len);
    dh_big_free(bytes);
}

// The kernels that this machine has, NULL at the end.
static void all_kernels(const struct dh_resize_kernels *out[4])
{
    int n = 0;
    out[n++] = &dh_resize_plain;
    if (dh_resize_find_avx2())
        out[n++] = dh_resize_find_avx2();
    if (dh_resize_find_avx512())
        out[n++] = dh_resize_find_avx512();
    out[n] = NULL;
}

static const uint8_t *pixel_of(const struct dh_frame *f, size_t row, int i,
                               int *channel)
{
    size_t across = (size_t)f->width / 28, block = row / 4, in = row % 4;
    size_t y = (block / across * 2 + in / 2) * 14 + (size_t)(i % 196 / 14);
    size_t x = (block % across * 2 + in % 2) * 14 + (size_t)(i % 14);
    *channel = i / 392;
    return dh_frame_at(f, (int)x, (int)y) + 2 - *channel;
}

/* The patches are those of this picture, bit for bit. */
static void check_patches(const struct dh_patches *p, const struct dh_frame *f,
                          float table[3][256])
{
    CHECK_INT(p->grid_t, 1);
    CHECK_INT(p->grid_w * 14, f->width);
    CHECK_INT(p->grid_h * 14, f->height);
    CHECK_INT(p->row_len, ROW);
    size_t rows = (size_t)p->grid_w * (size_t)p->grid_h;
    for (size_t r = 0; r < rows; r++)
        for (int i = 0; i < ROW; i++) {
            int c;
            const uint8_t *v = pixel_of(f, r, i, &c);
            CHECK_MEM(&p->rows[r * ROW + (size_t)i], &table[c][*v],
                      sizeof(float));
        }
}

static struct dh_frame *read_picture(int index, const char *which)
{
    char path[200];
    struct dh_frame *f;
    snprintf(path, sizeof(path), FOLDER "resize%d_%s.png", index, which);
    CHECK_INT(dh_picture_read(path, &f), DH_OK);
    return f;
}

/* Noise, gradients, lines of one pixel, larger, the same, one axis only: each
 * byte and its normalised value, by all kernels. */
static void test_pictures_are_resized_to_the_same_bytes(void)
{
    const struct dh_resize_kernels *kernels[4];
    float table[3][256];
    all_kernels(kernels);
    read_table(table);
    for (int i = 0; i < 6; i++) {
        struct dh_frame *in = read_picture(i, "in");
        struct dh_frame *out = read_picture(i, "out");
        for (int k = 0; kernels[k]; k++) {
            struct dh_patches p;
            CHECK_INT(dh_patches_of_frames(&dh_patch_rule_m3, &in, 1,
                                           kernels[k], NULL, &p),
                      DH_OK);
            check_patches(&p, out, table);
            dh_patches_finish(&p);
        }
        dh_frame_unref(in);
        dh_frame_unref(out);
    }
}

/* Half-way cases, extreme shapes, three budgets. */
static void test_sizes_are_those_of_the_processor(void)
{
    struct dh_json *json = read_json(FOLDER "smart_resize.json");
    const struct dh_json *e = dh_json_first(dh_json_find(json, "rows"));
    int n = 0;
    for (; e; e = dh_json_next(e), n++) {
        struct dh_patch_rule rule = dh_patch_rule_m3;
        struct dh_size in = { number_at(e, 0), number_at(e, 1) }, got;
        rule.max_pixels = number_at(e, 2);
        enum dh_status st = dh_patches_size(&rule, in, &got);
        if (number_at(e, 3) == 0) {
            CHECK_INT(st, DH_ERR_RANGE);
            continue;
        }
        CHECK_INT(st, DH_OK);
        if (got.w != number_at(e, 3) || got.h != number_at(e, 4)) {
            fprintf(stderr, "%dx%d: %dx%d, not %dx%d\n", in.w, in.h, got.w,
                    got.h, number_at(e, 3), number_at(e, 4));
            CHECK(!"the sizes are equal");
        }
    }
    printf("%d sizes equal\n", n);
    CHECK(n >= 500);
    dh_json_free(json);
}

static uint64_t fnv1a(const void *data, size_t n, uint64_t h)
{
    for (const uint8_t *p = data, *end = p + n; p < end; p++)
        h = (h ^ *p) * 0x100000001b3;
    return h;
}

#define FNV_START 0xcbf29ce484222325

static struct dh_frame *formula_picture(int w, int h)
{
    struct dh_frame *f;
    CHECK_INT(dh_frame_create(&f, NULL, w, h), DH_OK);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int c = 0; c < 3; c++)
                dh_frame_at(f, x, y)[2 - c] =
                    (uint8_t)((17 * x * x + 31 * y + 7 * x * y) / 64 + 53 * c);
    dh_frame_publish(f);
    return f;
}

// The value that was normalised to v; the table rises.
static uint8_t value_of(const float table[256], float v)
{
    int lo = 0, hi = 255;
    while (lo < hi) {
        int mid = (lo + hi) / 2;
        if (table[mid] < v)
            lo = mid + 1;
        else
            hi = mid;
    }
    CHECK_MEM(&table[lo], &v, sizeof(v));
    return (uint8_t)lo;
}

static uint64_t hash_of_rgb(const struct dh_patches *p, float table[3][256])
{
    int w = p->grid_w * 14, h = p->grid_h * 14;
    uint8_t *rgb;
    dh_array(rgb, (size_t)w * (size_t)h * 3);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int c = 0; c < 3; c++) {
                int row = (y / 28 * (w / 28) + x / 28) * 4 + y / 14 % 2 * 2 +
                          x / 14 % 2;
                int at = c * 392 + y % 14 * 14 + x % 14;
                rgb[(y * w + x) * 3 + c] =
                    value_of(table[c], p->rows[(size_t)row * ROW + (size_t)at]);
            }
    uint64_t hash = fnv1a(rgb, (size_t)w * (size_t)h * 3, FNV_START);
    dh_free(rgb);
    return hash;
}

static void check_hash(const struct dh_json *real, const char *key,
                       uint64_t got)
{
    char text[17];
    snprintf(text, sizeof(text), "%016llx", (unsigned long long)got);
    CHECK_STR(text, dh_json_text(dh_json_find(real, key)));
}

/* 1024 x 768 at the released size of patches, by hashes. */
static void test_a_screen_is_prepared_to_the_same_bytes(void)
{
    const struct dh_resize_kernels *kernels[4];
    struct dh_json *json = read_json(FOLDER "expected.json");
    const struct dh_json *real = dh_json_find(json, "real");
    struct dh_frame *in = formula_picture(1024, 768);
    float table[3][256];
    all_kernels(kernels);
    read_table(table);
    for (int k = 0; kernels[k]; k++) {
        struct dh_patches p;
        CHECK_INT(dh_patches_of_frames(&dh_patch_rule_m3, &in, 1, kernels[k],
                                       NULL, &p),
                  DH_OK);
        CHECK_INT(p.grid_h, number_at(dh_json_find(real, "grid"), 1));
        CHECK_INT(p.grid_w, number_at(dh_json_find(real, "grid"), 2));
        check_hash(real, "rgb_fnv1a64", hash_of_rgb(&p, table));
        uint64_t hash = FNV_START;
        for (size_t r = 0; r < (size_t)p.grid_h * (size_t)p.grid_w; r += 37)
            hash = fnv1a(p.rows + r * ROW, ROW * sizeof(float), hash);
        check_hash(real, "pixels_fnv1a64", hash);
        dh_patches_finish(&p);
    }
    dh_frame_unref(in);
    dh_json_free(json);
}

DH_TESTS(DH_TEST(pictures_are_resized_to_the_same_bytes),
         DH_TEST(sizes_are_those_of_the_processor),
         DH_TEST(a_screen_is_prepared_to_the_same_bytes));
