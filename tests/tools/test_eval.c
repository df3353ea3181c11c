// Evaluations as a user runs them.
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "capture/png.h"
#include "tests/dh_test.h"
#include "tests/tools/program.h"

#define CLICK(x, y)                                                     \
    "{\"raw\":\"{\\\"action\\\":\\\"left_click\\\",\\\"coordinate\\\":" \
    "[" #x "," #y "]}\"}\n"

struct desk {
    char *set, *out, *other, *answers;
};

static void write_picture(void)
{
    struct dh_frame *f;
    char *path = dh_test_path("a.png");
    CHECK_INT(dh_frame_create(&f, NULL, 100, 50), DH_OK);
    memset(f->pixels, 0, f->stride * 50);
    dh_frame_publish(f);
    CHECK_INT(dh_png_write(path, f), DH_OK);
    dh_frame_unref(f);
    dh_free(path);
}

static void desk_init(struct desk *d, const char *answers)
{
    write_picture();
    d->set = dh_test_file(
        "set.json", "[{\"img_filename\":\"a.png\",\"instruction\":\"left\","
                    "\"bbox\":[0,0,50,50],\"data_type\":\"text\"},"
                    "{\"img_filename\":\"a.png\",\"instruction\":\"right\","
                    "\"bbox\":[60,0,40,50],\"data_type\":\"icon\"},"
                    "{\"img_filename\":\"b.png\",\"instruction\":\"gone\","
                    "\"bbox\":[60,0,40,50],\"data_type\":\"icon\"}]");
    d->out = dh_test_path("out-a");
    d->other = dh_test_path("out-b");
    d->answers = dh_test_file("answers.jsonl", answers);
}

static void desk_finish(struct desk *d)
{
    dh_free(d->set);
    dh_free(d->out);
    dh_free(d->other);
    dh_free(d->answers);
}

static bool is_there(const char *dir, const char *name)
{
    char *path = dh_path_join(dir, name);
    bool there = dh_path_exists(path);
    dh_free(path);
    return there;
}

static void test_ground_score_compare(void)
{
    struct desk d;
    struct said s, again;
    desk_init(&d, CLICK(250, 500));
    RUN(&s, "eval", "ground", "--answers", d.answers, "--out", d.out, d.set);
    CHECK_SAID(&s, 0, "attempted 2 of 2", "1 left out without a picture");
    CHECK_SAID(&s, 0, "type      icon", "2 items asked");
    CHECK(is_there(d.out, "results.jsonl") && is_there(d.out, "run.json") &&
          is_there(d.out, "index.html"));
    RUN(&again, "eval", "score", d.out);
    CHECK_SAID(&again, 0, NULL, "");
    CHECK_STR(again.out, s.out);
    said_finish(&again);
    said_finish(&s);
    RUN(&s, "eval", "score", "--json", d.out);
    CHECK_SAID(&s, 0, "\"key\":\"all\",\"value\":\"\",\"n\":2,\"hits\":1", "");
    json_lines(s.out);
    said_finish(&s);
    // The answers of a run are answers for another.
    char *results = dh_path_join(d.out, "results.jsonl");
    RUN(&s, "eval", "ground", "--answers", results, "--out", d.other, "--zoom",
        d.set);
    CHECK_SAID(&s, 0, "2 left out, set-up or server failed", NULL);
    said_finish(&s);
    RUN(&s, "eval", "compare", "--method", "point", d.out, d.other);
    CHECK_SAID(&s, 0, "2 items in both", "");
    CHECK_SAID(&s, 0, "McNemar p = 1", "");
    said_finish(&s);
    RUN(&s, "eval", "compare", "--json", d.out, d.other);
    CHECK_SAID(&s, 0, "\"only_a\":0", "");
    json_lines(s.out);
    said_finish(&s);
    dh_free(results);
    desk_finish(&d);
}

static void test_resume(void)
{
    struct desk d;
    struct said s;
    desk_init(&d, CLICK(250, 500));
    RUN(&s, "eval", "ground", "--answers", d.answers, "--out", d.out,
        "--limit=1", d.set);
    CHECK_SAID(&s, 0, "attempted 1 of 1", NULL);
    said_finish(&s);
    RUN(&s, "eval", "ground", "--answers", d.answers, "--out", d.out, d.set);
    CHECK_SAID(&s, 2, "", "--resume goes on with them");
    said_finish(&s);
    RUN(&s, "eval", "ground", "--answers", d.answers, "--resume", d.out, d.set);
    CHECK_SAID(&s, 0, "attempted 2 of 2", "1 items asked, 1 had been before");
    said_finish(&s);
    RUN(&s, "eval", "ground", "--answers", d.answers, "--resume", d.other,
        d.set);
    CHECK_SAID(&s, 2, "", "holds no results to go on with");
    said_finish(&s);
    desk_finish(&d);
}

static void test_check_asks_nobody(void)
{
    struct desk d;
    struct said s;
    desk_init(&d, "");
    RUN(&s, "eval", "ground", "--check", d.set);
    CHECK_SAID(&s, 0, "     2  items\n     2  asked=located\n     1  type=icon",
               "set/2: no picture b.png");
    said_finish(&s);
    RUN(&s, "eval", "ground", "--check", "--json", d.set);
    CHECK_SAID(&s, 0, "\"left out without a picture\":1", NULL);
    json_lines(s.out);
    said_finish(&s);
    desk_finish(&d);
}

static void test_wrong_use(void)
{
    struct desk d;
    struct said s;
    desk_init(&d, CLICK(1, 1));
    RUN(&s, "eval");
    CHECK_SAID(&s, 2, "", "what to evaluate");
    said_finish(&s);
    RUN(&s, "eval", "ground");
    CHECK_SAID(&s, 2, "", "deskhand eval ground: one folder or file");
    said_finish(&s);
    RUN(&s, "eval", "steps", "--resume", d.out, "--out", d.out, d.set);
    CHECK_SAID(&s, 2, "", "deskhand eval steps: --resume and --out");
    said_finish(&s);
    RUN(&s, "eval", "ground", "--format", "osworld", d.set);
    CHECK_SAID(&s, 2, "", "there is no format osworld");
    said_finish(&s);
    RUN(&s, "eval", "ground", "--coord=norm1", d.set);
    CHECK_SAID(&s, 2, "", "--coord is for --answers");
    said_finish(&s);
    RUN(&s, "eval", "ground", "--answers", d.answers, "--coord=x", "--out",
        d.out, d.set);
    CHECK_SAID(&s, 2, "", "no --coord=x");
    said_finish(&s);
    RUN(&s, "eval", "score", d.other);
    CHECK_SAID(&s, 1, "", "holds no results");
    said_finish(&s);
    RUN(&s, "help", "eval", "compare");
    CHECK_SAID(&s, 0, "Usage: deskhand eval compare [OPTION]... A B", "");
    said_finish(&s);
    desk_finish(&d);
}

static void test_steps(void)
{
    struct desk d;
    struct said s;
    desk_init(&d, CLICK(500, 500));
    char *set = dh_test_file(
        "steps.json",
        "[{\"task_id\":\"t\",\"high_level_task_description\":\"x\",\"steps\":["
        "{\"image\":\"a.png\",\"ground_truth_actions\":[{\"type\":\"click\","
        "\"params\":{\"position\":{\"x\":0.52,\"y\":0.5}}}]}]}]");
    RUN(&s, "eval", "steps", "--json", "--answers", d.answers, "--out", d.out,
        set);
    CHECK_SAID(&s, 0, "\"n\":1,\"hits\":0,\"score\":0.495", NULL);
    said_finish(&s);
    dh_free(set);
    desk_finish(&d);
}

DH_TESTS(DH_TEST(ground_score_compare), DH_TEST(resume),
         DH_TEST(check_asks_nobody), DH_TEST(wrong_use), DH_TEST(steps));
