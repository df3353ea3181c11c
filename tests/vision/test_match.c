#include "vision/match.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "capture/frame.h"
#include "tests/dh_test.h"
#include "vision/shrink.h"

static struct dh_frame *blank(int w, int h, unsigned rgb)
{
    struct dh_frame *f;
    CHECK_INT(dh_frame_create(&f, NULL, w, h), DH_OK);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            // What is in the fourth byte is nobody's business.
            memcpy(dh_frame_at(f, x, y),
                   &(uint32_t){ rgb | (unsigned)(x * 7 + y) << 24 }, 4);
    return f;
}

static void box(struct dh_frame *f, struct dh_rect r, unsigned rgb)
{
    struct dh_rect all = { 0, 0, f->width, f->height };
    r = dh_rect_intersect(r, all);
    for (int y = r.y; y < r.y + r.h; y++)
        for (int x = r.x; x < r.x + r.w; x++)
            memcpy(dh_frame_at(f, x, y), &(uint32_t){ rgb }, 4);
}

static unsigned grey(unsigned v)
{
    return v | v << 8 | v << 16;
}

// Boxes of all sizes and one-pixel strokes, as a desktop has.
static struct dh_frame *desktop(uint64_t seed, int w, int h)
{
    struct dh_rng r;
    dh_rng_init(&r, seed);
    struct dh_frame *f = blank(w, h, 0xd0d0d0);
    for (int i = 0; i < w * h / 600; i++) {
        int side = i % 3 ? 12 : 60;
        struct dh_rect at = { (int)dh_rng_below(&r, (uint64_t)w) - side / 2,
                              (int)dh_rng_below(&r, (uint64_t)h) - side / 2,
                              1 + (int)dh_rng_below(&r, (uint64_t)side),
                              1 + (int)dh_rng_below(&r, (uint64_t)side) };
        if (i % 4 == 0)
            at.h = 1;
        if (i % 4 == 1)
            at.w = 1;
        box(f, at, grey((unsigned)dh_rng_below(&r, 256)));
    }
    return f;
}

static struct dh_rect whole(const struct dh_frame *f)
{
    return (struct dh_rect){ 0, 0, f->width, f->height };
}

static void copy(struct dh_frame *to, int x, int y, const struct dh_frame *from,
                 struct dh_rect r)
{
    for (int j = 0; j < r.h; j++)
        memcpy(dh_frame_at(to, x, y + j), dh_frame_at(from, r.x, r.y + j),
               4 * (size_t)r.w);
}

// ------------------------------------------------- the reference, by the book

static double value(const struct dh_frame *f, int x, int y)
{
    const uint8_t *p = dh_frame_at(f, x, y);
    return (29 * p[0] + 150 * p[1] + 77 * p[2] + 128) >> 8;
}

static double steep(const struct dh_frame *f, int x, int y)
{
    double d = fabs(value(f, x, y) - value(f, x + 1, y + 1)) +
               fabs(value(f, x + 1, y) - value(f, x, y + 1));
    return fmin(d, 255);
}

static double reference(const struct dh_frame *in, int x, int y,
                        const struct dh_frame *from, struct dh_rect c,
                        bool gradient)
{
    double (*at)(const struct dh_frame *, int, int) = gradient ? steep : value;
    int w = c.w - gradient, h = c.h - gradient, n = w * h;
    double mi = 0, mt = 0, it = 0, ii = 0, tt = 0;
    for (int j = 0; j < h; j++)
        for (int i = 0; i < w; i++) {
            mi += at(in, x + i, y + j) / n;
            mt += at(from, c.x + i, c.y + j) / n;
        }
    for (int j = 0; j < h; j++)
        for (int i = 0; i < w; i++) {
            double a = at(in, x + i, y + j) - mi;
            double b = at(from, c.x + i, c.y + j) - mt;
            it += a * b;
            ii += a * a;
            tt += b * b;
        }
    return ii < n ? 0 : it / sqrt(ii * tt);
}

static bool is_listed(const struct dh_match *m, int n, int x, int y, int near)
{
    for (int i = 0; i < n; i++)
        if (abs(m[i].rect.x - x) <= near && abs(m[i].rect.y - y) <= near)
            return true;
    return false;
}

enum { MAX = 64 };

// Every place that scores enough is listed or on the slope of one that is, and
// the scores are those of the reference.
static void check_against_reference(const struct dh_frame *in,
                                    const struct dh_frame *from,
                                    struct dh_rect c,
                                    const struct dh_match_options *o)
{
    struct dh_match m[MAX];
    int n;
    enum dh_match_found found =
        dh_match_find(in, whole(in), from, c, o, m, MAX, &n);
    if (found == DH_MATCH_FLAT)
        return;
    double top = -1;
    for (int y = 0; y + c.h <= in->height; y++)
        for (int x = 0; x + c.w <= in->width; x++)
            top = fmax(top, reference(in, x, y, from, c, o->gradient));
    if (top < o->accept) {
        CHECK_INT(found, DH_MATCH_NONE);
        return;
    }
    CHECK(found == DH_MATCH_ONE || found == DH_MATCH_SEVERAL);
    CHECK_NEAR(m[0].score, top, 1e-9);
    for (int i = 0; i < n; i++)
        CHECK_NEAR(
            m[i].score,
            reference(in, m[i].rect.x, m[i].rect.y, from, c, o->gradient),
            1e-9);
    if (n == MAX)
        return;
    int radius = DH_CLAMP(DH_MIN(c.w, c.h) / 4, 2, 8);
    for (int y = 0; y + c.h <= in->height; y++)
        for (int x = 0; x + c.w <= in->width; x++) {
            double score = reference(in, x, y, from, c, o->gradient);
            if (score < top - o->apart || is_listed(m, n, x, y, radius))
                continue;
            // It must then be a slope: something near is higher.
            bool higher = false;
            for (int j = -radius; j <= radius && !higher; j++)
                for (int i = -radius; i <= radius && !higher; i++)
                    if (x + i >= 0 && y + j >= 0 && x + i + c.w <= in->width &&
                        y + j + c.h <= in->height)
                        higher = reference(in, x + i, y + j, from, c,
                                           o->gradient) > score;
            CHECK(higher);
        }
}

static void test_no_place_is_missed_and_no_score_is_off(void)
{
    struct dh_rng r;
    dh_rng_init(&r, 11);
    for (int i = 0; i < 60; i++) {
        struct dh_frame *from = desktop((uint64_t)i, 120, 90);
        struct dh_frame *in = desktop((uint64_t)i % 3 ? (uint64_t)i : 1000,
                                      90 + i % 7, 80 + i % 5);
        struct dh_rect c = { 0, 0, 2 + (int)dh_rng_below(&r, 40),
                             2 + (int)dh_rng_below(&r, 24) };
        c.x = (int)dh_rng_below(&r, (uint64_t)(120 - c.w));
        c.y = (int)dh_rng_below(&r, (uint64_t)(90 - c.h));
        // Odd and even places, twice each.
        copy(in, i % (in->width - c.w), 3 * i % (in->height - c.h), from, c);
        if (i % 2)
            copy(in, 7 * i % (in->width - c.w), i % (in->height - c.h), from,
                 c);
        for (int k = 0; k < i % 4; k++)
            box(in, (struct dh_rect){ i % 50 + 5 * k, 3 * i % 50, 4, 3 },
                grey(40u * (unsigned)k));
        dh_frame_publish(from);
        dh_frame_publish(in);
        for (int g = 0; g < 2; g++)
            check_against_reference(
                in, from, c,
                &(struct dh_match_options){
                    .accept = i % 3 ? 0.9 : 0.6, .apart = 0.1, .gradient = g });
        dh_frame_unref(in);
        dh_frame_unref(from);
    }
}

// ------------------------------------------------------------------- meanings

static enum dh_match_found find(const struct dh_frame *in,
                                const struct dh_frame *from, struct dh_rect c,
                                const struct dh_match_options *o,
                                struct dh_match *m)
{
    int n;
    *m = (struct dh_match){ 0 };
    return dh_match_find(in, whole(in), from, c, o, m, 1, &n);
}

static void check_at(const struct dh_match *m, int x, int y, double score)
{
    CHECK_INT(m->rect.x, x);
    CHECK_INT(m->rect.y, y);
    CHECK(m->score >= score);
}

static void test_an_exact_copy_scores_one_wherever_it_is(void)
{
    struct dh_frame *from = desktop(1, 400, 300);
    const struct dh_rect c = { 101, 57, 90, 41 };
    const struct dh_point at[] = { { 0, 0 },   { 310, 259 }, { 310, 0 },
                                   { 0, 259 }, { 77, 133 },  { 102, 58 } };
    for (size_t i = 0; i < DH_COUNTOF(at); i++)
        for (int gradient = 0; gradient < 2; gradient++) {
            struct dh_match_options o = { .gradient = gradient };
            struct dh_frame *in = desktop(2, 400, 300);
            struct dh_match m;
            copy(in, at[i].x, at[i].y, from, c);
            dh_frame_publish(in);
            CHECK_INT(find(in, from, c, &o, &m), DH_MATCH_ONE);
            check_at(&m, at[i].x, at[i].y, 1);
            CHECK_INT(m.rect.w, 90);
            CHECK_INT(m.rect.h, 41);
            CHECK_NEAR(m.score, 1, 0);
            CHECK_NEAR(dh_match_score(in, at[i], from, c, gradient), 1, 0);
            dh_frame_unref(in);
        }
    dh_frame_unref(from);
}

// Every value v becomes v * gain + add, with noise.
static void spoil(struct dh_frame *f, double gain, double add, int noise)
{
    struct dh_rng r;
    dh_rng_init(&r, 5);
    for (int y = 0; y < f->height; y++)
        for (int x = 0; x < f->width; x++)
            for (int i = 0; i < 3; i++) {
                uint8_t *p = dh_frame_at(f, x, y) + i;
                double v = *p * gain + add;
                if (noise)
                    v += (int)dh_rng_below(&r, 2 * (uint64_t)noise + 1) - noise;
                *p = (uint8_t)DH_CLAMP(v, 0, 255);
            }
}

static void test_light_and_noise_do_not_matter(void)
{
    static const struct {
        double gain, add;
        int noise;
    } of[] = { { 0.5, 90, 0 }, { 0.9, 0, 12 }, { 1, 10, 20 } };
    struct dh_frame *from = desktop(1, 400, 300);
    const struct dh_rect c = { 101, 57, 90, 41 };
    for (size_t i = 0; i < DH_COUNTOF(of); i++) {
        struct dh_frame *in = desktop(2, 400, 300);
        struct dh_match m;
        copy(in, 200, 111, from, c);
        spoil(in, of[i].gain, of[i].add, of[i].noise);
        CHECK_INT(find(in, from, c, NULL, &m), DH_MATCH_ONE);
        check_at(&m, 200, 111, 0.92);
        dh_frame_unref(in);
    }
    dh_frame_unref(from);
}

static void test_gradient_survives_other_colours(void)
{
    struct dh_frame *from = desktop(1, 400, 300), *in = desktop(2, 400, 300);
    const struct dh_rect c = { 101, 57, 90, 41 };
    struct dh_match_options o = { .gradient = true };
    struct dh_match m;
    copy(in, 200, 111, from, c);
    spoil(in, -0.8, 230, 2); // a dark theme
    CHECK_INT(find(in, from, c, NULL, &m), DH_MATCH_NONE);
    CHECK_INT(find(in, from, c, &o, &m), DH_MATCH_ONE);
    check_at(&m, 200, 111, 0.8);
    dh_frame_unref(in);
    dh_frame_unref(from);
}

static void test_what_is_there_twice_is_several(void)
{
    struct dh_frame *from = desktop(1, 400, 300), *in = desktop(2, 400, 300);
    const struct dh_rect c = { 101, 57, 90, 41 };
    struct dh_match m[3];
    int n;
    copy(in, 20, 20, from, c);
    copy(in, 201, 133, from, c);
    CHECK_INT(dh_match_find(in, whole(in), from, c, NULL, m, 3, &n),
              DH_MATCH_SEVERAL);
    CHECK_INT(n, 2);
    CHECK_INT(m[0].rect.y, 20);
    CHECK_INT(m[1].rect.y, 133);
    // No room to list it does not make it one.
    CHECK_INT(dh_match_find(in, whole(in), from, c, NULL, m, 1, &n),
              DH_MATCH_SEVERAL);
    CHECK_INT(n, 1);
    CHECK_INT(dh_match_find(in, whole(in), from, c, NULL, NULL, 0, &n),
              DH_MATCH_SEVERAL);
    CHECK_INT(n, 0);
    // Unless it is elsewhere.
    struct dh_rect area = { 150, 100, 250, 200 };
    CHECK_INT(dh_match_find(in, area, from, c, NULL, m, 3, &n), DH_MATCH_ONE);
    CHECK_INT(m[0].rect.y, 133);
    // One that differs clearly does not count, but is known.
    box(in, (struct dh_rect){ 20, 20, 30, 41 }, 0);
    struct dh_match_options o = { .apart = 0.02 };
    CHECK_INT(dh_match_find(in, whole(in), from, c, &o, m, 3, &n),
              DH_MATCH_ONE);
    dh_frame_unref(in);
    dh_frame_unref(from);
}

// A piece of a long line could be anywhere on it.
static void test_what_slides_along_is_several(void)
{
    struct dh_frame *f = blank(400, 300, 0xffffff);
    struct dh_match m;
    box(f, (struct dh_rect){ 20, 100, 360, 12 }, 0x404040);
    dh_frame_publish(f);
    CHECK_INT(find(f, f, (struct dh_rect){ 150, 90, 60, 32 }, NULL, &m),
              DH_MATCH_SEVERAL);
    // Its end is in one place.
    CHECK_INT(find(f, f, (struct dh_rect){ 5, 90, 60, 32 }, NULL, &m),
              DH_MATCH_ONE);
    check_at(&m, 5, 90, 1);
    dh_frame_unref(f);
}

static void test_rows_that_repeat_are_several_in_good_time(void)
{
    struct dh_frame *f = blank(1200, 900, 0xffffff);
    struct dh_match m;
    for (int y = 0; y < 900; y += 4)
        for (int x = 0; x < 1200; x += 4)
            box(f, (struct dh_rect){ x, y, 2, 2 }, 0);
    dh_frame_publish(f);
    for (int gradient = 0; gradient < 2; gradient++)
        CHECK_INT(find(f, f, (struct dh_rect){ 100, 100, 200, 80 },
                       &(struct dh_match_options){ .gradient = gradient }, &m),
                  DH_MATCH_SEVERAL);
    dh_frame_unref(f);
}

static void test_flat_crops_are_refused(void)
{
    struct dh_frame *f = blank(200, 100, 0x808080);
    struct dh_match m;
    const struct dh_rect c = { 20, 20, 50, 30 };
    CHECK_INT(find(f, f, c, NULL, &m), DH_MATCH_FLAT);
    CHECK_NEAR(dh_match_score(f, (struct dh_point){ 20, 20 }, f, c, false), 0,
               0);
    spoil(f, 1, 0, 3);
    CHECK_INT(find(f, f, c, NULL, &m), DH_MATCH_FLAT);
    CHECK_INT(find(f, f, c, &(struct dh_match_options){ .gradient = true }, &m),
              DH_MATCH_FLAT);
    box(f, (struct dh_rect){ 30, 30, 5, 5 }, 0);
    CHECK_INT(find(f, f, c, NULL, &m), DH_MATCH_ONE);
    dh_frame_unref(f);
}

static void test_another_size_is_found_with_its_scale(void)
{
    struct dh_frame *from = desktop(1, 400, 300), *big;
    const struct dh_rect c = { 100, 56, 90, 42 };
    struct dh_match m;
    CHECK_INT(dh_shrink_frame(from, (struct dh_size){ 600, 450 }, &big), DH_OK);
    CHECK_INT(find(big, from, c, NULL, &m), DH_MATCH_NONE);
    struct dh_match_options o = { .scale_min = 0.67, .scale_max = 2 };
    CHECK_INT(find(big, from, c, &o, &m), DH_MATCH_ONE);
    CHECK_NEAR(m.scale, 1.5, 0.03);
    CHECK_NEAR(m.rect.x, 150, 2);
    CHECK_NEAR(m.rect.y, 84, 2);
    CHECK_NEAR(m.rect.w, 135, 2);
    // A size that is known is taken as it is.
    o.scale_min = o.scale_max = 1.5;
    CHECK_INT(find(big, from, c, &o, &m), DH_MATCH_ONE);
    CHECK_NEAR(m.scale, 1.5, 0);
    check_at(&m, 150, 84, 0.97);
    // What has not changed is found among the sizes, too.
    o = (struct dh_match_options){ .scale_min = 0.67, .scale_max = 2 };
    CHECK_INT(find(from, from, c, &o, &m), DH_MATCH_ONE);
    check_at(&m, 100, 56, 1);
    CHECK_NEAR(m.scale, 1, 0);
    dh_frame_unref(big);
    dh_frame_unref(from);
}

static void test_what_sticks_out_is_clipped(void)
{
    struct dh_frame *from = desktop(1, 400, 300), *in = desktop(2, 400, 300);
    struct dh_match m;
    copy(in, 5, 7, from, (struct dh_rect){ 0, 0, 60, 40 });
    CHECK_INT(find(in, from, (struct dh_rect){ -20, -10, 80, 50 }, NULL, &m),
              DH_MATCH_ONE);
    check_at(&m, 5, 7, 1);
    CHECK_INT(m.rect.w, 60);
    // `at` is where the crop's own corner would be.
    CHECK_NEAR(dh_match_score(in, (struct dh_point){ -15, -3 }, from,
                              (struct dh_rect){ -20, -10, 80, 50 }, false),
               1, 0);
    // A window that was moved half out of the screen.
    copy(in, 0, 200, from, (struct dh_rect){ 30, 30, 50, 40 });
    CHECK_NEAR(dh_match_score(in, (struct dh_point){ -30, 200 }, from,
                              (struct dh_rect){ 0, 30, 80, 40 }, false),
               1, 0);
    CHECK_NEAR(dh_match_score(in, (struct dh_point){ -51, 200 }, from,
                              (struct dh_rect){ 0, 30, 80, 40 }, false),
               0, 0);
    dh_frame_unref(in);
    dh_frame_unref(from);
}

static void test_absurd_sizes_are_answers(void)
{
    struct dh_frame *f = desktop(1, 64, 48), *dot = blank(1, 1, 0);
    const int odd[] = { INT_MIN, INT_MIN / 2, -1, 0, 1, 2, 47, 64, INT_MAX };
    const int n_odd = (int)DH_COUNTOF(odd);
    struct dh_match m;
    int n;
    for (int i = 0; i < n_odd * n_odd * n_odd * n_odd; i++) {
        struct dh_rect r = { odd[i % n_odd], odd[i / n_odd % n_odd],
                             odd[i / n_odd / n_odd % n_odd],
                             odd[i / n_odd / n_odd / n_odd] };
        struct dh_match_options o = { .gradient = i & 1 };
        dh_match_find(f, whole(f), f, r, &o, &m, 1, &n);
        dh_match_find(f, r, f, (struct dh_rect){ 3, 3, 20, 20 }, &o, &m, 1, &n);
        dh_match_score(f, (struct dh_point){ r.x, r.y }, f, r, i & 1);
        dh_match_score(f, (struct dh_point){ r.w, r.h }, f, r, i & 1);
    }
    CHECK_INT(find(f, dot, whole(dot), NULL, &m), DH_MATCH_FLAT);
    CHECK_INT(find(dot, f, whole(f), NULL, &m), DH_MATCH_NONE);
    CHECK_INT(find(f, f, whole(f), NULL, &m), DH_MATCH_ONE);
    const double bad[] = { -1, 1e300, 1e-300, NAN, INFINITY };
    for (size_t i = 0; i < DH_COUNTOF(bad); i++) {
        struct dh_match_options o = { .scale_min = bad[i], .scale_max = 1 };
        CHECK_INT(find(f, f, whole(f), &o, &m), DH_MATCH_NONE);
        o = (struct dh_match_options){ .scale_min = 1, .scale_max = bad[i] };
        CHECK_INT(find(f, f, whole(f), &o, &m), DH_MATCH_NONE);
        o = (struct dh_match_options){ .accept = bad[i] };
        find(f, f, whole(f), &o, &m);
    }
    dh_frame_unref(dot);
    dh_frame_unref(f);
}

static void test_without_memory_nothing_is_found(void)
{
    struct dh_frame *f = desktop(1, 200, 150);
    struct dh_match m;
    const struct dh_rect c = { 30, 30, 80, 40 };
    long before = dh_mem_big_count();
    CHECK_INT(find(f, f, c, NULL, &m), DH_MATCH_ONE);
    long calls = dh_mem_big_count() - before;
    CHECK(calls > 3);
    for (long i = 0; i < calls; i++) {
        dh_mem_fail_after(i);
        CHECK_INT(find(f, f, c, NULL, &m), DH_MATCH_NONE);
        dh_mem_fail_after(-1);
    }
    dh_frame_unref(f);
}

DH_TESTS(DH_TEST(no_place_is_missed_and_no_score_is_off),
         DH_TEST(an_exact_copy_scores_one_wherever_it_is),
         DH_TEST(light_and_noise_do_not_matter),
         DH_TEST(gradient_survives_other_colours),
         DH_TEST(what_is_there_twice_is_several),
         DH_TEST(what_slides_along_is_several),
         DH_TEST(rows_that_repeat_are_several_in_good_time),
         DH_TEST(flat_crops_are_refused),
         DH_TEST(another_size_is_found_with_its_scale),
         DH_TEST(what_sticks_out_is_clipped), DH_TEST(absurd_sizes_are_answers),
         DH_TEST(without_memory_nothing_is_found));
