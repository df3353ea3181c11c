#include "vision/patches.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "base/pool.h"
#include "base/rng.h"
#include "capture/frame.h"
#include "tests/dh_test.h"
#include "vision/patches_priv.h"

static struct dh_size size_for(int64_t max_pixels, int w, int h)
{
    struct dh_patch_rule rule = dh_patch_rule_m3;
    rule.max_pixels = max_pixels;
    struct dh_size out;
    CHECK_INT(dh_patches_size(&rule, (struct dh_size){ w, h }, &out), DH_OK);
    return out;
}

/* Sizes that the published processor gives, for three budgets. */
static void test_sizes_are_those_of_the_published_rule(void)
{
    static const struct {
        int w, h;
        int64_t max_pixels;
        int to_w, to_h, tokens;
    } rows[] = {
        { 1024, 768, 451584, 756, 560, 540 },
        { 1280, 720, 451584, 896, 504, 576 },
        { 1920, 1080, 451584, 896, 504, 576 },
        { 2560, 1440, 451584, 896, 504, 576 },
        { 3840, 2160, 451584, 896, 504, 576 },
        { 1024, 768, 1003520, 1036, 756, 999 },
        { 1280, 720, 1003520, 1288, 728, 1196 },
        { 1920, 1080, 1003520, 1316, 728, 1222 },
        { 2560, 1440, 1003520, 1316, 728, 1222 },
        { 3840, 2160, 1003520, 1316, 728, 1222 },
        { 1920, 1080, 3686400, 1932, 1092, 2691 },
        { 2560, 1440, 3686400, 2548, 1428, 4641 },
        { 3840, 2160, 3686400, 2548, 1428, 4641 },
        { 1366, 768, 451584, 896, 476, 544 },
        { 1440, 900, 451584, 840, 504, 540 },
        { 1680, 1050, 451584, 840, 504, 540 },
        { 1920, 1200, 451584, 840, 504, 540 },
        { 3440, 1440, 451584, 1036, 420, 555 },
        { 640, 480, 451584, 644, 476, 391 },
        { 672, 672, 451584, 672, 672, 576 },
        { 100, 50, 451584, 112, 56, 8 },
        { 27, 27, 451584, 56, 56, 4 },
        { 20, 3000, 451584, 28, 2996, 107 },
        { 10, 1000, 451584, 28, 560, 20 },
        { 1920, 1080, 602112, 1008, 560, 720 },
        // Half-way cases go to the even multiple: 42 and 70 to 56.
        { 42, 70, 451584, 56, 56, 4 },
        { 98, 126, 451584, 112, 112, 16 },
        { 154, 70, 451584, 168, 56, 12 },
    };
    for (size_t i = 0; i < DH_COUNTOF(rows); i++) {
        struct dh_size got = size_for(rows[i].max_pixels, rows[i].w, rows[i].h);
        CHECK_INT(got.w, rows[i].to_w);
        CHECK_INT(got.h, rows[i].to_h);
        CHECK_INT(got.w * got.h / 784, rows[i].tokens);
    }
}

/* Over a grid of sizes: multiples of 28, and within the budgets as far as the
 * rule promises. */
static void test_sizes_keep_to_the_budget(void)
{
    for (int w = 1; w < 4000; w += 37)
        for (int h = 1; h < 4000; h += 41) {
            if (DH_MAX(w, h) > 200 * DH_MIN(w, h))
                continue;
            struct dh_size s = size_for(451584, w, h);
            CHECK_INT(s.w % 28, 0);
            CHECK_INT(s.h % 28, 0);
            CHECK(s.w >= 28 && s.h >= 28);
            CHECK(s.w * s.h <= 451584 || s.w == 28 || s.h == 28);
            CHECK(s.w * s.h >= 3136);
        }
}

static void test_sizes_out_of_range_are_refused(void)
{
    static const struct dh_size sizes[] = { { 1, 201 }, { 201, 1 },
                                            { 0, 5 },   { 5, -1 },
                                            { 0, 0 },   { 32769, 9000 } };
    struct dh_size out;
    for (size_t i = 0; i < DH_COUNTOF(sizes); i++)
        CHECK_INT(dh_patches_size(&dh_patch_rule_m3, sizes[i], &out),
                  DH_ERR_RANGE);
    struct dh_patch_rule rule = dh_patch_rule_m3;
    rule.patch_size = 0;
    CHECK_INT(dh_patches_size(&rule, (struct dh_size){ 9, 9 }, &out),
              DH_ERR_RANGE);
    rule = dh_patch_rule_m3;
    rule.std[1] = 0;
    CHECK_INT(dh_patches_size(&rule, (struct dh_size){ 9, 9 }, &out),
              DH_ERR_RANGE);
    CHECK_INT(
        dh_patches_size(&dh_patch_rule_m3, (struct dh_size){ 1, 200 }, &out),
        DH_OK);
}

// -------------------------------------------------------------------- frames

static struct dh_frame *frame_of(int w, int h)
{
    struct dh_frame *f;
    CHECK_INT(dh_frame_create(&f, NULL, w, h), DH_OK);
    memset(f->pixels, 0, f->stride * (size_t)h);
    return f;
}

static void set_pixel(struct dh_frame *f, int x, int y, int r, int g, int b)
{
    uint8_t *p = dh_frame_at(f, x, y);
    p[0] = (uint8_t)b;
    p[1] = (uint8_t)g;
    p[2] = (uint8_t)r;
    p[3] = (uint8_t)(x + y);
}

static struct dh_frame *noise_frame(uint64_t seed, int w, int h)
{
    struct dh_rng rng;
    dh_rng_init(&rng, seed);
    struct dh_frame *f = frame_of(w, h);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            uint64_t v = dh_rng_next(&rng);
            set_pixel(f, x, y, v & 255, v >> 8 & 255, v >> 16 & 255);
        }
    return f;
}

static struct dh_patches patches_of(const struct dh_frame *f)
{
    struct dh_patches p;
    CHECK_INT(dh_patches_of_frame(&dh_patch_rule_m3, f, NULL, &p), DH_OK);
    return p;
}

static uint32_t bits_of(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof(u));
    return u;
}

/* A picture of one colour has one value a channel, to the last bit. */
static void test_normalised_values_are_exact(void)
{
    static const struct {
        int v;
        uint32_t rgb[3];
    } rows[] = {
        { 0, { 0xbfe568dc, 0xbfe044b7, 0xbfbd77d8 } },
        { 128, { 0x3d9c560e, 0x3e2cf360, 0x3eae0dc1 } },
        { 255, { 0x3ff71542, 0x4004cae4, 0x40095661 } },
    };
    const struct dh_resize_kernels *ks[] = { &dh_resize_plain,
                                             dh_resize_best() };
    for (size_t k = 0; k < DH_COUNTOF(ks); k++)
        for (size_t i = 0; i < DH_COUNTOF(rows); i++) {
            int v = rows[i].v;
            struct dh_frame *f = frame_of(56, 56);
            for (int at = 0; at < 56 * 56; at++)
                set_pixel(f, at % 56, at / 56, v, v, v);
            struct dh_patches p;
            CHECK_INT(
                dh_patches_of_frames(&dh_patch_rule_m3, &f, 1, ks[k], NULL, &p),
                DH_OK);
            CHECK_INT(p.row_len, 1176);
            for (int at = 0; at < 16 * 1176; at++)
                CHECK_INT(bits_of(p.rows[at]), rows[i].rgb[at % 1176 / 392]);
            dh_patches_finish(&p);
            dh_frame_unref(f);
        }
}

/* All 256 values of all channels, fast against the formula. */
static void test_every_value_is_normalised_as_the_formula_says(void)
{
    struct dh_frame *f = frame_of(56, 56);
    for (int at = 0; at < 56 * 56; at++)
        set_pixel(f, at % 56, at / 56, at & 255, at & 255, at & 255);
    struct dh_patches p = patches_of(f);
    bool seen[3][256] = { { false } };
    for (int r = 0; r < 16; r++)
        for (int i = 0; i < 1176; i++) {
            int c = i / 392, py = i % 196 / 14, px = i % 14;
            int block = r / 4, inner = r % 4;
            int y = (block / 2 * 2 + inner / 2) * 14 + py;
            int x = (block % 2 * 2 + inner % 2) * 14 + px;
            int v = (y * 56 + x) & 255;
            float mean = dh_patch_rule_m3.mean[c] * 255.0f;
            float std = dh_patch_rule_m3.std[c] * 255.0f;
            float want = ((float)v - mean) / std;
            CHECK_INT(bits_of(p.rows[r * 1176 + i]), bits_of(want));
            seen[c][v] = true;
        }
    for (int i = 0; i < 3 * 256; i++)
        CHECK(seen[i / 256][i % 256]);
    dh_patches_finish(&p);
    dh_frame_unref(f);
}

static float normal(int c, int v)
{
    return ((float)v - dh_patch_rule_m3.mean[c] * 255.0f) /
           (dh_patch_rule_m3.std[c] * 255.0f);
}

/* A picture whose pixels say where they are: 84 x 112, no resizing. */
static void test_patches_come_in_the_published_order(void)
{
    struct dh_frame *f = frame_of(84, 112);
    for (int y = 0; y < 112; y++)
        for (int x = 0; x < 84; x++)
            set_pixel(f, x, y, x, y, x ^ y);
    struct dh_patches p = patches_of(f);
    CHECK_INT(p.grid_t, 1);
    CHECK_INT(p.grid_h, 8);
    CHECK_INT(p.grid_w, 6);
    CHECK_INT(p.resized.w, 84);
    CHECK_INT(p.resized.h, 112);
    CHECK_INT(dh_patches_tokens(&p, 2), 12);
    for (int by = 0; by < 4; by++)
        for (int bx = 0; bx < 3; bx++)
            for (int in = 0; in < 4; in++) {
                int r = (by * 3 + bx) * 4 + in;
                int top = (2 * by + in / 2) * 14, left = (2 * bx + in % 2) * 14;
                for (int i = 0; i < 196; i++) {
                    int x = left + i % 14, y = top + i / 14;
                    const int rgb[3] = { x, y, x ^ y };
                    for (int c = 0; c < 3; c++)
                        for (int t = 0; t < 2; t++)
                            CHECK_INT(
                                bits_of(
                                    p.rows[r * 1176 + (c * 2 + t) * 196 + i]),
                                bits_of(normal(c, rgb[c])));
                }
            }
    dh_patches_finish(&p);
    dh_frame_unref(f);
}

static size_t floats_of(const struct dh_patches *p)
{
    return (size_t)p->grid_t * (size_t)p->grid_h * (size_t)p->grid_w *
           (size_t)p->row_len;
}

static void check_same(const struct dh_patches *a, const struct dh_patches *b)
{
    CHECK_INT(a->grid_t, b->grid_t);
    CHECK_INT(a->grid_h, b->grid_h);
    CHECK_INT(a->grid_w, b->grid_w);
    CHECK_MEM(a->rows, b->rows, floats_of(a) * sizeof(float));
}

/* Fast kernels, slow ones, one thread or four: the same bits. */
static void test_kernels_and_threads_change_nothing(void)
{
    struct dh_rng rng;
    struct dh_pool *pool;
    dh_rng_init(&rng, 3);
    CHECK_INT(dh_pool_create(&pool, 4), DH_OK);
    for (int i = 0; i < 25; i++) {
        struct dh_patch_rule rule = dh_patch_rule_m3;
        static const int patch_sizes[] = { 14, 14, 4, 16, 7 };
        rule.patch_size = patch_sizes[i % 5];
        rule.merge_size = 1 + i % 3;
        rule.max_pixels = 20000 + (int64_t)dh_rng_below(&rng, 100000);
        struct dh_frame *f =
            noise_frame((uint64_t)i, 20 + (int)dh_rng_below(&rng, 500),
                        20 + (int)dh_rng_below(&rng, 500));
        struct dh_patches a, b, c;
        CHECK_INT(
            dh_patches_of_frames(&rule, &f, 1, &dh_resize_plain, NULL, &a),
            DH_OK);
        CHECK_INT(dh_patches_of_frame(&rule, f, NULL, &b), DH_OK);
        CHECK_INT(dh_patches_of_frame(&rule, f, pool, &c), DH_OK);
        check_same(&a, &b);
        check_same(&a, &c);
        dh_patches_finish(&a);
        dh_patches_finish(&b);
        dh_patches_finish(&c);
        dh_frame_unref(f);
    }
    dh_pool_destroy(pool);
}

static struct dh_frame *copy_of(const struct dh_frame *f)
{
    struct dh_frame *copy = frame_of(f->width, f->height);
    memcpy(copy->pixels, f->pixels, f->stride * (size_t)f->height);
    return copy;
}

// One pixel, a box, a line across or down, all, or what nobody sees.
static void damage(struct dh_frame *f, struct dh_rng *rng)
{
    int w = f->width, h = f->height, kind = (int)dh_rng_below(rng, 6);
    int x0 = (int)dh_rng_below(rng, (uint64_t)w);
    int y0 = (int)dh_rng_below(rng, (uint64_t)h);
    int bw = 1 + (int)dh_rng_below(rng, (uint64_t)(w - x0));
    int bh = 1 + (int)dh_rng_below(rng, (uint64_t)(h - y0));
    if (kind == 0)
        bw = bh = 1;
    else if (kind == 1)
        bw = 1;
    else if (kind == 2)
        bh = 1;
    for (int y = y0; y < y0 + bh; y++)
        for (int x = x0; x < x0 + bw; x++) {
            uint8_t *p = dh_frame_at(f, x, y);
            uint64_t v = dh_rng_next(rng);
            if (kind == 3)
                p[3] = (uint8_t)v;
            else
                memcpy(p, &v, 4);
        }
}

// Follows a screen through `steps` changes.
static void follow(const struct dh_patch_rule *rule, uint64_t seed, int steps,
                   const struct dh_resize_kernels *kernels,
                   struct dh_pool *pool)
{
    struct dh_rng rng;
    dh_rng_init(&rng, seed);
    struct dh_frame *now = noise_frame(seed, 30 + (int)dh_rng_below(&rng, 500),
                                       30 + (int)dh_rng_below(&rng, 500));
    struct dh_patches kept, whole;
    CHECK_INT(dh_patches_of_frame(rule, now, pool, &kept), DH_OK);
    for (int i = 0; i < steps; i++) {
        struct dh_frame *before = now;
        bool resized = i % 5 == 4;
        now = resized ? noise_frame(seed + (uint64_t)i,
                                    30 + (int)dh_rng_below(&rng, 500),
                                    before->height)
                      : copy_of(before);
        for (int n = (int)dh_rng_below(&rng, 4); n > 0; n--)
            damage(now, &rng);
        CHECK_INT(
            dh_patches_update_with(rule, before, now, kernels, pool, &kept),
            DH_OK);
        CHECK_INT(dh_patches_of_frame(rule, now, NULL, &whole), DH_OK);
        check_same(&kept, &whole);
        dh_patches_finish(&whole);
        dh_frame_unref(before);
    }
    dh_patches_finish(&kept);
    dh_frame_unref(now);
}

/* Whatever changes on a screen, what is kept of the patches before is right. */
static void test_an_update_gives_what_a_whole_picture_gives(void)
{
    struct dh_pool *pool;
    CHECK_INT(dh_pool_create(&pool, 4), DH_OK);
    for (int i = 0; i < 30; i++) {
        static const int patch_sizes[] = { 14, 14, 4, 16, 7 };
        struct dh_patch_rule rule = dh_patch_rule_m3;
        rule.patch_size = patch_sizes[i % 5];
        rule.merge_size = 1 + i % 3;
        rule.temporal_patch_size = 1 + i % 2;
        rule.max_pixels = 20000 + 4000 * i;
        follow(&rule, (uint64_t)i + 1, 12,
               i % 3 ? dh_resize_best() : &dh_resize_plain,
               i % 2 ? pool : NULL);
    }
    dh_pool_destroy(pool);
}

/* Else the test before could not tell an update from a whole picture. */
static void test_an_update_leaves_alone_what_is_the_same(void)
{
    struct dh_frame *before = noise_frame(1, 1920, 1080);
    struct dh_frame *now = copy_of(before);
    struct dh_patches p = patches_of(before);
    size_t n = floats_of(&p), touched = 0;
    for (int i = 0; i < 200 * 200; i++)
        dh_frame_at(now, 700 + i % 200, 500 + i / 200)[1] ^= 1;
    memset(p.rows, 0, n * sizeof(*p.rows));
    CHECK_INT(dh_patches_update(&dh_patch_rule_m3, before, now, NULL, &p),
              DH_OK);
    for (size_t i = 0; i < n; i++)
        touched += p.rows[i] != 0;
    // 200 / 15 * 7 pixels and what the filter adds: 8 or 9 patches a side.
    CHECK(touched > 64 * 1176 * 9 / 10 && touched <= 81 * 1176);
    dh_patches_finish(&p);
    dh_frame_unref(before);
    dh_frame_unref(now);
}

static void test_an_update_without_memory_changes_nothing(void)
{
    struct dh_frame *before = noise_frame(1, 200, 100);
    struct dh_frame *now = noise_frame(2, 200, 100);
    struct dh_frame *wide = noise_frame(3, 300, 100);
    struct dh_patches p = patches_of(before), same = patches_of(before);
    for (int i = 0; i < 3; i++) {
        dh_mem_fail_after(i);
        CHECK_INT(dh_patches_update(&dh_patch_rule_m3, before, now, NULL, &p),
                  DH_ERR_NOMEM);
        dh_mem_fail_after(i);
        CHECK_INT(dh_patches_update(&dh_patch_rule_m3, before, wide, NULL, &p),
                  DH_ERR_NOMEM);
        check_same(&p, &same);
    }
    dh_mem_fail_after(-1);
    dh_patches_finish(&p);
    dh_patches_finish(&same);
    dh_frame_unref(before);
    dh_frame_unref(now);
    dh_frame_unref(wide);
}

/* The slices of group g, slot s are the picture of its frame alone. */
static void test_videos_pair_their_frames(void)
{
    struct dh_frame *frames[5];
    struct dh_patches alone[5], video;
    for (int i = 0; i < 5; i++) {
        frames[i] = noise_frame((uint64_t)i, 90, 61);
        alone[i] = patches_of(frames[i]);
    }
    CHECK_INT(dh_patches_of_video(&dh_patch_rule_m3, frames, 5, NULL, &video),
              DH_OK);
    CHECK_INT(video.grid_t, 3);
    int rows = video.grid_h * video.grid_w;
    CHECK_INT(dh_patches_tokens(&video, 2), 3 * rows / 4);
    for (int g = 0; g < 3; g++)
        for (int r = 0; r < rows; r++)
            for (int ct = 0; ct < 6; ct++) {
                const float *want =
                    alone[DH_MIN(2 * g + ct % 2, 4)].rows + r * 1176 + ct * 196;
                CHECK_MEM(video.rows + (g * rows + r) * 1176 + ct * 196, want,
                          196 * sizeof(float));
            }
    for (int i = 0; i < 5; i++) {
        dh_patches_finish(&alone[i]);
        dh_frame_unref(frames[i]);
    }
    dh_patches_finish(&video);
}

static void test_frames_of_a_video_have_one_size(void)
{
    struct dh_frame *frames[2] = { frame_of(60, 60), frame_of(60, 61) };
    struct dh_patches p;
    CHECK_INT(dh_patches_of_video(&dh_patch_rule_m3, frames, 2, NULL, &p),
              DH_ERR_RANGE);
    dh_frame_unref(frames[0]);
    dh_frame_unref(frames[1]);
}

static void test_survives_failing_allocations(void)
{
    struct dh_frame *f = noise_frame(1, 200, 100);
    struct dh_patches p;
    long before = dh_mem_big_count();
    p = patches_of(f);
    long n = dh_mem_big_count() - before;
    dh_patches_finish(&p);
    CHECK(n > 5);
    for (long i = 0; i < n; i++) {
        dh_mem_fail_after(i);
        CHECK_INT(dh_patches_of_frame(&dh_patch_rule_m3, f, NULL, &p),
                  DH_ERR_NOMEM);
    }
    dh_mem_fail_after(-1);
    p = patches_of(f);
    dh_patches_finish(&p);
    dh_frame_unref(f);
}

DH_TESTS(DH_TEST(sizes_are_those_of_the_published_rule),
         DH_TEST(sizes_keep_to_the_budget),
         DH_TEST(sizes_out_of_range_are_refused),
         DH_TEST(normalised_values_are_exact),
         DH_TEST(every_value_is_normalised_as_the_formula_says),
         DH_TEST(patches_come_in_the_published_order),
         DH_TEST(kernels_and_threads_change_nothing),
         DH_TEST(an_update_gives_what_a_whole_picture_gives),
         DH_TEST(an_update_leaves_alone_what_is_the_same),
         DH_TEST(an_update_without_memory_changes_nothing),
         DH_TEST(videos_pair_their_frames),
         DH_TEST(frames_of_a_video_have_one_size),
         DH_TEST(survives_failing_allocations));
