// A run over a set: each item once, resumed where it broke off, with servers
// that die.
#include "agent/eval_ground.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "agent/brain_answers.h"
#include "agent/brain_priv.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "capture/png.h"
#include "tests/dh_test.h"

#define ITEMS 40

/* A brain that clicks in the middle until it dies. */
struct mortal {
    struct dh_brain brain;
    int left;
    enum dh_status death;
    atomic_int *asked;
};

static enum dh_status ask(struct dh_brain *b, const struct dh_brain_request *r,
                          struct dh_brain_answer *out)
{
    struct mortal *m = (struct mortal *)b;
    (void)r;
    if (m->left-- <= 0)
        return m->death;
    atomic_fetch_add(m->asked, 1);
    out->text =
        dh_strdup("{\"action\":\"left_click\",\"coordinate\":[500,500]}");
    return DH_OK;
}

static void destroy(struct dh_brain *b)
{
    dh_free(b);
}

static const struct dh_brain_ops mortal_ops = { .ask = ask,
                                                .destroy = destroy };

static struct dh_brain *mortal(int left, enum dh_status death,
                               atomic_int *asked)
{
    struct mortal *m;
    dh_new(m);
    m->brain.ops = &mortal_ops;
    m->left = left;
    m->death = death;
    m->asked = asked;
    return &m->brain;
}

static struct dh_eval_set *make_set(void)
{
    struct dh_eval_set *s = NULL;
    struct dh_frame *f;
    struct dh_buf text;
    struct dh_diag diag = { 0 };
    dh_buf_init(&text, 1 << 20);
    for (int i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d.png", i);
        char *path = dh_test_path(name);
        CHECK_INT(dh_frame_create(&f, NULL, 100, 50), DH_OK);
        memset(f->pixels, 0, f->stride * 50);
        dh_frame_publish(f);
        CHECK_INT(dh_png_write(path, f), DH_OK);
        dh_frame_unref(f);
        dh_free(path);
    }
    for (int i = 0; i < ITEMS; i++)
        dh_buf_printf(&text,
                      "%c{\"img_filename\":\"%d.png\",\"instruction\":\"%d\","
                      "\"bbox\":[%d,20,20,20]}",
                      i ? ',' : '[', i % 4, i, i % 2 ? 40 : 0);
    dh_buf_puts(&text, "]");
    char *path = dh_test_file("set.json", dh_buf_text(&text));
    CHECK_INT(dh_eval_set_open(&s, "deskhand", path, &diag), DH_OK);
    CHECK_INT(s->n, ITEMS);
    dh_eval_set_by_picture(s);
    dh_free(path);
    dh_buf_finish(&text);
    return s;
}

/* Ends the brains. */
static enum dh_status run(struct dh_eval_set *set, struct dh_brain **brain,
                          int n, bool zoom, struct dh_eval_ground *g)
{
    struct dh_eval_results before;
    char *dir = dh_test_path("out");
    *g = (struct dh_eval_ground){ .set = set,
                                  .brain = brain,
                                  .n_brains = n,
                                  .model = "m",
                                  .zoom = zoom,
                                  .before = &before };
    CHECK_INT(dh_eval_results_read(&before, dir), DH_OK);
    CHECK_INT(dh_eval_log_open(&g->log, dir), DH_OK);
    enum dh_status st = dh_eval_ground_run(g);
    dh_eval_log_close(g->log);
    dh_eval_results_finish(&before);
    for (int i = 0; i < n; i++)
        dh_brain_destroy(brain[i]);
    dh_free(dir);
    return st;
}

static void check_results(int n, int hits, const char *method)
{
    struct dh_eval_results rs;
    char *dir = dh_test_path("out");
    int found = 0, got = 0;
    CHECK_INT(dh_eval_results_read(&rs, dir), DH_OK);
    for (int i = 0; i < rs.n; i++) {
        found += strcmp(rs.v[i].method, method) == 0;
        got += strcmp(rs.v[i].method, method) == 0 && rs.v[i].hit;
    }
    CHECK_INT(found, n);
    CHECK_INT(got, hits);
    dh_eval_results_finish(&rs);
    dh_free(dir);
}

static void test_each_item_once(void)
{
    struct dh_eval_set *set = make_set();
    struct dh_eval_ground g;
    atomic_int asked = 0;
    struct dh_brain *b[] = { mortal(1000, DH_OK, &asked),
                             mortal(1000, DH_OK, &asked),
                             mortal(1000, DH_OK, &asked) };
    CHECK_INT(run(set, b, 3, false, &g), DH_OK);
    CHECK_INT(asked, ITEMS);
    CHECK_INT(g.asked, ITEMS);
    CHECK_INT(g.lost, 0);
    check_results(ITEMS, ITEMS / 2, "point");
    // A second run has nothing left to ask.
    struct dh_brain *again[] = { mortal(1000, DH_OK, &asked) };
    CHECK_INT(run(set, again, 1, false, &g), DH_OK);
    CHECK_INT(asked, ITEMS);
    CHECK_INT(g.kept, ITEMS);
    // But a second method has.
    again[0] = mortal(1000, DH_OK, &asked);
    CHECK_INT(run(set, again, 1, true, &g), DH_OK);
    CHECK_INT(asked, 3 * ITEMS);
    check_results(ITEMS, ITEMS / 2, "zoom");
    check_results(ITEMS, ITEMS / 2, "point");
    dh_eval_set_close(set);
}

static void test_a_dead_server_and_the_run_goes_on_later(void)
{
    struct dh_eval_set *set = make_set();
    struct dh_eval_ground g;
    atomic_int asked = 0;
    struct dh_brain *b[] = { mortal(17, DH_ERR_IO, &asked) };
    CHECK_INT(run(set, b, 1, false, &g), DH_ERR_IO);
    CHECK_INT(g.lost, ITEMS - 17);
    check_results(17, 7, "point");
    b[0] = mortal(1000, DH_OK, &asked);
    CHECK_INT(run(set, b, 1, false, &g), DH_OK);
    CHECK_INT(g.kept, 17);
    CHECK_INT(asked, ITEMS);
    check_results(ITEMS, ITEMS / 2, "point");
    dh_eval_set_close(set);
}

static void test_the_others_take_over(void)
{
    struct dh_eval_set *set = make_set();
    struct dh_eval_ground g;
    atomic_int asked = 0;
    struct dh_brain *b[] = { mortal(3, DH_ERR_IO, &asked),
                             mortal(1000, DH_OK, &asked) };
    CHECK_INT(run(set, b, 2, false, &g), DH_OK);
    CHECK_INT(g.lost, 0);
    check_results(ITEMS, ITEMS / 2, "point");
    dh_eval_set_close(set);
}

// Silence is the model's, and counts; but it is asked again later.
static void test_time_limits(void)
{
    struct dh_eval_set *set = make_set();
    struct dh_eval_ground g;
    atomic_int asked = 0;
    struct dh_brain *b[] = { mortal(5, DH_ERR_TIMEOUT, &asked) };
    CHECK_INT(run(set, b, 1, false, &g), DH_ERR_IO);
    check_results(8, 0, "point");
    b[0] = mortal(1000, DH_OK, &asked);
    CHECK_INT(run(set, b, 1, false, &g), DH_OK);
    CHECK_INT(g.kept, 5);
    check_results(ITEMS, ITEMS / 2, "point");
    dh_eval_set_close(set);
}

static void test_a_refusal_ends_all(void)
{
    struct dh_eval_set *set = make_set();
    struct dh_eval_ground g;
    atomic_int asked = 0;
    struct dh_brain *b[] = { mortal(2, DH_ERR_REFUSED, &asked) };
    CHECK_INT(run(set, b, 1, false, &g), DH_ERR_REFUSED);
    CHECK_INT(asked, 2);
    dh_eval_set_close(set);
}

// The picture was there when the set was read.
static void test_a_broken_picture_is_an_item(void)
{
    struct dh_eval_set *set = make_set();
    struct dh_eval_ground g;
    atomic_int asked = 0;
    struct dh_brain *b[] = { mortal(1000, DH_OK, &asked) };
    char *path = dh_test_path("2.png");
    CHECK_INT(dh_file_write(path, "x", 1), DH_OK);
    CHECK_INT(run(set, b, 1, true, &g), DH_OK);
    check_results(ITEMS, 20, "point");
    CHECK_INT(asked, 2 * 30);
    dh_free(path);
    dh_eval_set_close(set);
}

static void test_answers_from_a_file(void)
{
    struct dh_eval_set *set = make_set();
    struct dh_eval_ground g;
    struct dh_brain *b[2] = { NULL, NULL };
    char *bad = dh_test_file("bad", "{\"raw\":\"x\"}\n{\"id\":\"1\"}\n");
    char *file = dh_test_file(
        "answers",
        "{\"raw\":\"{\\\"action\\\":\\\"left_click\\\",\\\"coordinate\\\":"
        "[10,500]}\"}\n"
        "{\"id\":\"set/1\",\"raw\":\"{\\\"action\\\":\\\"left_click\\\","
        "\\\"coordinate\\\":[500,500]}\"}\n");
    CHECK_INT(dh_brain_answers_create(&b[0], bad), DH_ERR_FORMAT);
    CHECK_INT(dh_brain_answers_create(&b[0], file), DH_OK);
    CHECK_INT(dh_brain_answers_create(&b[1], file), DH_OK);
    CHECK_INT(run(set, b, 2, false, &g), DH_OK);
    check_results(ITEMS, ITEMS / 2 + 1, "point");
    dh_free(file);
    dh_free(bad);
    dh_eval_set_close(set);
}

DH_TESTS(DH_TEST(each_item_once),
         DH_TEST(a_dead_server_and_the_run_goes_on_later),
         DH_TEST(the_others_take_over), DH_TEST(time_limits),
         DH_TEST(a_refusal_ends_all), DH_TEST(a_broken_picture_is_an_item),
         DH_TEST(answers_from_a_file));
