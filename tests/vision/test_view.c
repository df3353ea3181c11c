#include "vision/view.h"

#include "base/mem.h"
#include "tests/dh_test.h"

static struct dh_view view_of(int x, int y, int w, int h)
{
    return (struct dh_view){ { x, y, w, h } };
}

static void test_points_of_the_model_are_thousandths(void)
{
    static const struct {
        int w, model, pixel;
    } rows[] = {
        { 1920, 0, 0 },       { 1920, 1000, 1919 }, { 1920, 500, 960 },
        { 1920, 1, 2 },       { 1920, 999, 1918 },  { 1000, 7, 7 },
        { 3840, 333, 1279 },  { 100, 4, 0 },        { 100, 5, 1 },
        { 1, 0, 0 },          { 1, 1000, 0 },       { 32768, 1000, 32767 },
        { 1920, 1005, 1919 }, { 1920, -5, 0 },
    };
    for (size_t i = 0; i < DH_COUNTOF(rows); i++) {
        struct dh_view v = view_of(0, 0, rows[i].w, rows[i].w);
        struct dh_point p = dh_view_to_screen(
            &v, (struct dh_point){ rows[i].model, rows[i].model });
        CHECK_INT(p.x, rows[i].pixel);
        CHECK_INT(p.y, rows[i].pixel);
    }
}

static void test_the_origin_of_the_view_is_added(void)
{
    struct dh_view v = view_of(1920, -100, 200, 400);
    struct dh_point p = dh_view_to_screen(&v, (struct dh_point){ 500, 250 });
    CHECK_INT(p.x, 2020);
    CHECK_INT(p.y, 0);
    struct dh_point m = dh_view_to_model(&v, p);
    CHECK_INT(m.x, 500);
    CHECK_INT(m.y, 250);
    m = dh_view_to_model(&v, (struct dh_point){ 0, 5000 });
    CHECK_INT(m.x, 0);
    CHECK_INT(m.y, 1000);
}

/* Up to 1000 pixels nothing is lost on the way to the model and back; above,
 * a point moves by no more than the grid's step. */
static void test_there_and_back_stays_near(void)
{
    static const int sides[] = {
        1, 2, 3, 28, 333, 999, 1000, 1366, 1920, 3840
    };
    for (size_t i = 0; i < DH_COUNTOF(sides); i++) {
        struct dh_view v = view_of(50, 60, sides[i], sides[i]);
        int step = sides[i] <= 1000 ? 0 : sides[i] / 1000 + 1;
        for (int x = 0; x < sides[i]; x++) {
            struct dh_point p = { 50 + x, 60 + x };
            struct dh_point q = dh_view_to_screen(&v, dh_view_to_model(&v, p));
            CHECK(q.x >= p.x - step && q.x <= p.x + step);
            CHECK_INT(q.y - q.x, 10);
        }
    }
}

DH_TESTS(DH_TEST(points_of_the_model_are_thousandths),
         DH_TEST(the_origin_of_the_view_is_added),
         DH_TEST(there_and_back_stays_near));
