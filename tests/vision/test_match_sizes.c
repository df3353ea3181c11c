// How well the matcher tells elements apart that were drawn at another size.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "base/file.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "capture/png.h"
#include "tests/dh_test.h"
#include "vision/match.h"

// Each takes long where every access is checked.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#    define N 3
#else
#    define N 16
#endif

static const struct {
    const char *file;
    int percent;
} sizes[] = { { "tests/vectors/match/080.png", 80 },
              { "tests/vectors/match/125.png", 125 },
              { "tests/vectors/match/150.png", 150 } };

struct pair {
    // Of the element, where it is the best, and of the best where it is gone.
    double is, other;
};

static struct dh_rect element(int i)
{
    return (struct dh_rect){ 20 + 120 * (i % 4), 20 + 60 * (i / 4), 100, 30 };
}

static struct dh_frame *read_picture(const char *path)
{
    char *data;
    size_t len;
    struct dh_frame *f;
    struct dh_diag why = { 0 };
    CHECK_INT(dh_file_read(path, 1 << 20, &data, &len), DH_OK);
    CHECK_INT(dh_png_decode(data, len, &f, &why), DH_OK);
    dh_big_free(data);
    return f;
}

static bool is_at(struct dh_rect r, int i, int percent)
{
    struct dh_rect e = element(i);
    int x = (2 * e.x + e.w) * percent / 200,
        y = (2 * e.y + e.h) * percent / 200;
    return abs(r.x + r.w / 2 - x) <= 6 && abs(r.y + r.h / 2 - y) <= 6;
}

// The same without the element.
static struct dh_frame *without(const struct dh_frame *f, int i, int percent)
{
    struct dh_frame *made;
    struct dh_rect e = element(i);
    CHECK_INT(dh_frame_create(&made, NULL, f->width, f->height), DH_OK);
    for (int y = 0; y < f->height; y++)
        for (int x = 0; x < f->width; x++) {
            int at_x = x * 100 / percent, at_y = y * 100 / percent;
            bool in = at_x >= e.x - 2 && at_x < e.x + e.w + 2 &&
                      at_y >= e.y - 2 && at_y < e.y + e.h + 2;
            memcpy(dh_frame_at(made, x, y),
                   in ? dh_frame_at(f, 0, 0) : dh_frame_at(f, x, y), 4);
        }
    dh_frame_publish(made);
    return made;
}

static double best_score(const struct dh_frame *at_100,
                         const struct dh_frame *in, int i, bool gradient,
                         struct dh_rect *where)
{
    struct dh_match best = { 0 };
    struct dh_rect all = { 0, 0, in->width, in->height };
    struct dh_match_options o = { .accept = 0.3,
                                  .apart = 0.05,
                                  .scale_min = 0.67,
                                  .scale_max = 2,
                                  .gradient = gradient };
    int n = 0;
    dh_match_find(in, all, at_100, element(i), &o, &best, 1, &n);
    *where = best.rect;
    return n ? best.score : 0;
}

static struct pair compare(const struct dh_frame *at_100,
                           const struct dh_frame *in, int i, int percent,
                           bool gradient)
{
    struct pair p = { 0 };
    struct dh_rect where;
    struct dh_frame *gone = without(in, i, percent);
    double best = best_score(at_100, in, i, gradient, &where);
    p.other = best_score(at_100, gone, i, gradient, &(struct dh_rect){ 0 });
    if (is_at(where, i, percent))
        p.is = best;
    dh_frame_unref(gone);
    return p;
}

static void print_curve(const struct pair *p)
{
    puts("    at least  true  false  and 0.05 apart: true  false");
    for (int t = 68; t <= 96; t += 4) {
        int yes = 0, no = 0, one = 0, wrong = 0;
        for (int i = 0; i < N; i++) {
            double a = p[i].is, b = p[i].other;
            yes += a * 100 >= t;
            no += b * 100 >= t;
            one += a * 100 >= t && a - b >= 0.05;
            wrong += b * 100 >= t && b - a >= 0.05;
        }
        printf("    %.2f      %4d  %5d  %21d  %5d\n", t / 100.0, yes, no, one,
               wrong);
    }
}

// None is taken for another, also far below what dh_match_find asks for.
static void check_size(const struct dh_frame *at_100, int s, bool gradient)
{
    struct dh_frame *in = read_picture(sizes[s].file);
    struct pair p[N];
    int wrong = 0;
    printf("%d %% by %s, of %d elements\n", sizes[s].percent,
           gradient ? "gradient" : "brightness", N);
    for (int i = 0; i < N; i++) {
        p[i] = compare(at_100, in, i, sizes[s].percent, gradient);
        printf("    %2d  true %.3f  best other %.3f\n", i, p[i].is, p[i].other);
        // Nor is another taken for it where it is gone.
        CHECK(gradient || p[i].other < 0.80);
        wrong += p[i].other >= 0.68 && p[i].other - p[i].is >= 0.05;
    }
    print_curve(p);
    CHECK_INT(wrong, 0);
    dh_frame_unref(in);
}

static void check_sizes(int s)
{
    struct dh_frame *at_100 = read_picture("tests/vectors/match/100.png");
    check_size(at_100, s, false);
    check_size(at_100, s, true);
    dh_frame_unref(at_100);
}

static void test_what_is_drawn_smaller_is_not_another(void)
{
    check_sizes(0);
}

static void test_what_is_drawn_larger_is_not_another(void)
{
    check_sizes(1);
}

static void test_what_is_drawn_much_larger_is_not_another(void)
{
    check_sizes(2);
}

DH_TESTS(DH_TEST(what_is_drawn_smaller_is_not_another),
         DH_TEST(what_is_drawn_larger_is_not_another),
         DH_TEST(what_is_drawn_much_larger_is_not_another));
