#include "vision/resize_priv.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "tests/dh_test.h"

struct picture {
    int w, h;
    uint8_t *bgrx;
};

static struct picture picture_of(int w, int h)
{
    struct picture p = { w, h, NULL };
    dh_array(p.bgrx, (size_t)w * (size_t)h * 4 + 64);
    return p;
}

// The whole picture by both passes: planes R, G, B of to_w * to_h bytes.
static uint8_t *resize(const struct dh_resize_kernels *k,
                       const struct picture *p, int to_w, int to_h)
{
    struct dh_resize_axis across, down;
    CHECK_INT(dh_resize_axis_init(&across, p->w, to_w), DH_OK);
    CHECK_INT(dh_resize_axis_init(&down, p->h, to_h), DH_OK);
    size_t pitch = ((size_t)to_w + 31) & ~(size_t)31, row = 3 * pitch;
    uint8_t *mid, *line, *out;
    const uint8_t **taps;
    dh_array(mid, row * ((size_t)p->h + 1));
    dh_array(line, row);
    dh_array(out, (size_t)to_w * (size_t)to_h * 3);
    dh_array(taps, (size_t)down.stride);
    for (int y = 0; y < p->h; y += 2) {
        size_t a = (size_t)y, b = (size_t)DH_MIN(y + 1, p->h - 1);
        const uint8_t *const in[2] = { p->bgrx + a * (size_t)p->w * 4,
                                       p->bgrx + b * (size_t)p->w * 4 };
        uint8_t *const to[2] = { mid + a * row, mid + (a + 1) * row };
        k->across(&across, in, to, pitch);
    }
    for (int y = 0; y < to_h; y++) {
        for (int t = 0; t < down.stride; t++)
            taps[t] = mid + (size_t)DH_MIN(down.first[y] + t, p->h - 1) * row;
        k->down(down.weights + (size_t)y * (size_t)down.stride, down.stride,
                down.shift, taps, line, row);
        for (size_t c = 0; c < 3; c++)
            memcpy(out + (c * (size_t)to_h + (size_t)y) * (size_t)to_w,
                   line + c * pitch, (size_t)to_w);
    }
    dh_resize_axis_finish(&across);
    dh_resize_axis_finish(&down);
    dh_free(mid);
    dh_free(line);
    dh_free(taps);
    return out;
}

static int weight_at(const struct dh_resize_axis *a, int i, int x)
{
    int j = x - a->first[i];
    return j >= 0 && j < a->count[i] ? a->weights[i * a->stride + j] : 0;
}

// Output i has these weights from x = first on and no others.
static void check_weights(const struct dh_resize_axis *a, int i, int first,
                          const int *want, int n)
{
    for (int x = 0; x < a->n_in; x++)
        CHECK_INT(weight_at(a, i, x),
                  x >= first && x < first + n ? want[x - first] : 0);
}

#define CHECK_WEIGHTS(a, i, first, ...)                      \
    check_weights(a, i, first, (const int[]){ __VA_ARGS__ }, \
                  (int)DH_COUNTOF(((const int[]){ __VA_ARGS__ })))

/* The published kernel's weights for 8 to 4, and the first two of a screen. */
static void test_weights_are_those_of_the_published_kernel(void)
{
    struct dh_resize_axis a;
    CHECK_INT(dh_resize_axis_init(&a, 8, 4), DH_OK);
    CHECK_INT(a.shift, 16);
    CHECK_WEIGHTS(&a, 0, 0, 30437, 30437, 7952, -2468, -823);
    CHECK_WEIGHTS(&a, 1, 0, -2277, 7338, 28087, 28087, 7338, -2277, -759);
    CHECK_WEIGHTS(&a, 2, 1, -759, -2277, 7338, 28087, 28087, 7338, -2277);
    CHECK_WEIGHTS(&a, 3, 3, -823, -2468, 7952, 30437, 30437);
    dh_resize_axis_finish(&a);
    CHECK_INT(dh_resize_axis_init(&a, 1920, 896), DH_OK);
    CHECK_INT(a.shift, 16);
    CHECK_WEIGHTS(&a, 0, 0, 27904, 29915, 10934, -1643, -1574);
    CHECK_WEIGHTS(&a, 1, 0, -2165, 5074, 23489, 28965, 12805, -877, -1754);
    dh_resize_axis_finish(&a);
    CHECK_INT(dh_resize_axis_init(&a, 4, 7), DH_OK);
    CHECK_INT(a.shift, 14);
    dh_resize_axis_finish(&a);
}

static void check_row(const uint8_t *values, int n, const uint8_t *want,
                      int n_out)
{
    const struct dh_resize_kernels *ks[] = { &dh_resize_plain,
                                             dh_resize_best() };
    for (size_t k = 0; k < DH_COUNTOF(ks); k++)
        for (int upright = 0; upright < 2; upright++) {
            struct picture p = upright ? picture_of(1, n) : picture_of(n, 1);
            for (int i = 0; i < n * 4; i++)
                p.bgrx[i] = values[i / 4];
            uint8_t *got =
                resize(ks[k], &p, upright ? 1 : n_out, upright ? n_out : 1);
            for (int c = 0; c < 3; c++)
                CHECK_MEM(got + c * n_out, want, (size_t)n_out);
            dh_free(got);
            dh_free(p.bgrx);
        }
}

/* Single rows, and the same as columns. */
static void test_rows_are_those_of_the_published_kernel(void)
{
    check_row((const uint8_t[]){ 0, 10, 50, 200, 255, 128, 3, 77 }, 8,
              (const uint8_t[]){ 0, 132, 182, 41 }, 4);
    check_row((const uint8_t[]){ 0, 255, 0, 255 }, 4,
              (const uint8_t[]){ 0, 87, 251, 128, 4, 168, 255 }, 7);
}

static void test_a_picture_is_that_of_the_published_kernel(void)
{
    static const uint8_t want[4][5] = { { 14, 105, 114, 143, 88 },
                                        { 70, 112, 99, 177, 200 },
                                        { 128, 159, 157, 103, 95 },
                                        { 168, 134, 153, 199, 200 } };
    const struct dh_resize_kernels *ks[] = { &dh_resize_plain,
                                             dh_resize_best() };
    struct picture p = picture_of(9, 6);
    for (int y = 0; y < 6; y++)
        for (int x = 0; x < 9; x++)
            memset(p.bgrx + (y * 9 + x) * 4, (17 * x * x + 31 * y + 7 * x * y),
                   4);
    for (size_t k = 0; k < DH_COUNTOF(ks); k++) {
        uint8_t *got = resize(ks[k], &p, 5, 4);
        for (int c = 0; c < 3; c++)
            CHECK_MEM(got + c * 20, want, 20);
        dh_free(got);
    }
    dh_free(p.bgrx);
}

static struct picture noise(struct dh_rng *rng, int w, int h)
{
    struct picture p = picture_of(w, h);
    // Black and white at full contrast overshoot most, so half is that.
    bool hard = dh_rng_below(rng, 2) == 0;
    for (int i = 0; i < w * h * 4; i++)
        p.bgrx[i] = (uint8_t)(hard ? dh_rng_below(rng, 2) * 255
                                   : dh_rng_below(rng, 256));
    return p;
}

static void compare_kernels(const struct dh_resize_kernels *fast)
{
    struct dh_rng rng;
    dh_rng_init(&rng, 1);
    for (int i = 0; i < 200; i++) {
        int side = i % 3 ? 70 : 400;
        int w = 1 + (int)dh_rng_below(&rng, (uint64_t)side);
        int h = 1 + (int)dh_rng_below(&rng, (uint64_t)side);
        int to_w = 1 + (int)dh_rng_below(&rng, (uint64_t)side);
        int to_h = 1 + (int)dh_rng_below(&rng, (uint64_t)side);
        struct picture p = noise(&rng, w, h);
        uint8_t *a = resize(&dh_resize_plain, &p, to_w, to_h);
        uint8_t *b = resize(fast, &p, to_w, to_h);
        CHECK_MEM(b, a, (size_t)to_w * (size_t)to_h * 3);
        dh_free(a);
        dh_free(b);
        dh_free(p.bgrx);
    }
}

/* Every size, up and down, narrow and wide: not one byte differs. */
static void test_avx2_gives_the_bytes_of_the_plain_kernels(void)
{
    if (!dh_resize_find_avx2())
        dh_test_skip("this machine has no AVX2");
    compare_kernels(dh_resize_find_avx2());
}

static void test_avx512_gives_the_bytes_of_the_plain_kernels(void)
{
    if (!dh_resize_find_avx512())
        dh_test_skip("this machine has no AVX-512 with VNNI");
    compare_kernels(dh_resize_find_avx512());
}

/* The passes are exact where nothing changes, for one axis or both. */
static void test_the_same_size_changes_nothing(void)
{
    struct dh_rng rng;
    dh_rng_init(&rng, 2);
    for (int n = 1; n < 40; n++) {
        struct picture p = noise(&rng, n, 41 - n);
        uint8_t *got = resize(dh_resize_best(), &p, n, 41 - n);
        int area = n * (41 - n);
        for (int i = 0; i < area; i++)
            for (int c = 0; c < 3; c++)
                CHECK_INT(got[c * area + i], p.bgrx[4 * i + 2 - c]);
        dh_free(got);
        dh_free(p.bgrx);
    }
}

/* What a kernel may read stays inside, whatever the sizes. */
static void test_windows_lie_inside_and_never_step_back(void)
{
    struct dh_resize_axis a;
    for (int n = 1; n <= 60; n++)
        for (int m = 1; m <= 60; m++) {
            CHECK_INT(dh_resize_axis_init(&a, n, m), DH_OK);
            for (int i = 0; i < m; i++) {
                int end = a.stride <= n ? a.first[i] + a.stride
                                        : a.first[i] + a.count[i];
                CHECK(a.first[i] >= 0 && end <= n);
                CHECK(a.count[i] >= 1 && a.count[i] <= a.stride);
                CHECK(i == 0 || a.first[i] >= a.first[i - 1]);
            }
            dh_resize_axis_finish(&a);
        }
}

static void test_survives_failing_allocations(void)
{
    struct dh_resize_axis a;
    for (int i = 0; i < 4; i++) {
        dh_mem_fail_after(i);
        CHECK_INT(dh_resize_axis_init(&a, 100, 30), DH_ERR_NOMEM);
    }
    dh_mem_fail_after(-1);
    CHECK_INT(dh_resize_axis_init(&a, 100, 30), DH_OK);
    dh_resize_axis_finish(&a);
}

DH_TESTS(DH_TEST(weights_are_those_of_the_published_kernel),
         DH_TEST(rows_are_those_of_the_published_kernel),
         DH_TEST(a_picture_is_that_of_the_published_kernel),
         DH_TEST(avx2_gives_the_bytes_of_the_plain_kernels),
         DH_TEST(avx512_gives_the_bytes_of_the_plain_kernels),
         DH_TEST(the_same_size_changes_nothing),
         DH_TEST(windows_lie_inside_and_never_step_back),
         DH_TEST(survives_failing_allocations));
