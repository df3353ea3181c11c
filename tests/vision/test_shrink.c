#include "vision/shrink.h"

#include <stdlib.h>

#include "base/mem.h"
#include "capture/frame.h"
#include "tests/dh_test.h"

// Colours that change slowly, so that any fair filter keeps them.
static struct dh_frame *slope(int w, int h)
{
    struct dh_frame *f;
    CHECK_INT(dh_frame_create(&f, NULL, w, h), DH_OK);
    for (int y = 0; y < h; y++) {
        for (int x = 0; x < w; x++) {
            uint8_t *p = dh_frame_at(f, x, y);
            p[0] = (uint8_t)(x * 255 / w);
            p[1] = (uint8_t)(y * 255 / h);
            p[2] = (uint8_t)(255 - x * 255 / w);
            p[3] = 0;
        }
    }
    dh_frame_publish(f);
    return f;
}

static void hold(int w, int h, int to_w, int to_h)
{
    struct dh_frame *f = slope(w, h), *s;
    CHECK_INT(dh_shrink_frame(f, (struct dh_size){ to_w, to_h }, &s), DH_OK);
    CHECK_INT(s->width, to_w);
    CHECK_INT(s->height, to_h);
    for (int y = 0; y < to_h; y++) {
        for (int x = 0; x < to_w; x++) {
            const uint8_t *p = dh_frame_at(s, x, y);
            int at_x = (2 * x + 1) * 255 / (2 * to_w);
            int at_y = (2 * y + 1) * 255 / (2 * to_h);
            int near = 3 + 255 / to_w + 255 / to_h;
            CHECK(abs(p[0] - at_x) <= near);
            CHECK(abs(p[1] - at_y) <= near);
            CHECK(abs(p[2] - (255 - at_x)) <= near);
        }
    }
    dh_frame_unref(s);
    dh_frame_unref(f);
}

static void test_colours_stay_where_they_are(void)
{
    hold(640, 480, 320, 240);
    hold(641, 479, 333, 100);
    hold(100, 33, 99, 32);
    hold(3000, 20, 7, 1);
}

static void test_an_empty_size_is_refused(void)
{
    struct dh_frame *f = slope(10, 10), *s;
    CHECK_INT(dh_shrink_frame(f, (struct dh_size){ 0, 5 }, &s), DH_ERR_RANGE);
    dh_frame_unref(f);
}

DH_TESTS(DH_TEST(colours_stay_where_they_are),
         DH_TEST(an_empty_size_is_refused));
