#include "tools/task_how.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "tests/dh_test.h"

#define TREE                                                                  \
    "{\"depth\":1,\"role\":\"frame\",\"name\":\"A\",\"box\":[0,0,400,300]}\n" \
    "{\"depth\":2,\"role\":\"push "                                           \
    "button\",\"name\":\"OK\",\"box\":[300,200,80,"                           \
    "30]}\n"
#define CLICK(x, y) "{\"op\":\"left_click\",\"p\":[[" #x "," #y "]]}"
#define ADA         "{\"op\":\"type\",\"text\":\"Ada\"}"
#define BOB         "{\"op\":\"type\",\"text\":\"Bob\"}"

// Of a task whose solution is to click at 100 100, type Ada, and click OK.
static void check_how(const char *const *acts, const char *end,
                      const char *want)
{
    static const char text[] =
        "{\"id\":\"x\",\"instruction\":\"x\",\"oracle\":[\"left_click 100 "
        "100\","
        "\"type \\\"Ada\\\"\",{\"left_click\":[{\"role\":\"push "
        "button\",\"name\":"
        "\"OK\"}]},\"done\"],\"evaluator\":{\"func\":\"exact_match\","
        "\"result\":"
        "{\"type\":\"clipboard\"},\"expected\":{\"type\":\"rule\",\"rules\":{"
        "\"expected\":\"x\"}}}}";
    const struct dh_task_options o = { { 1000, 1000 }, 1 };
    struct dh_eval_result r = { .end = dh_strdup(end) };
    struct dh_diag diag = { 0 };
    struct dh_task t;
    struct dh_task_how h;
    CHECK_INT(dh_task_parse(&t, text, sizeof text - 1, ".", &o, &diag), DH_OK);
    dh_task_how_init(&h, &t, o.screen);
    dh_buf_puts(&h.tree, TREE);
    for (; *acts; acts++) {
        struct dh_json *e = dh_json_parse(*acts, strlen(*acts), &diag);
        CHECK(e != NULL);
        dh_task_how_add(&h, e);
        dh_json_free(e);
    }
    CHECK_STR(dh_task_how_name(&h, &r), want);
    r.hit = true;
    CHECK(dh_task_how_name(&h, &r) == NULL);
    dh_task_how_finish(&h);
    dh_task_finish(&t);
    dh_eval_result_finish(&r);
}

static void test_kinds_of_failure(void)
{
    static const struct {
        const char *acts[8], *end, *want;
    } rows[] = {
        { { NULL }, "done", "claimed falsely, did nothing" },
        { { "{\"op\":\"wait\",\"ms\":1000}" }, "limit", "did nothing" },
        { { NULL }, "failed", "declined wrongly" },
        { { CLICK(110, 90) }, "done", "claimed falsely, stopped early" },
        { { CLICK(110, 90), ADA }, "limit", "not finished" },
        { { ADA, CLICK(110, 90) }, "limit", "not finished" },
        { { CLICK(110, 90), CLICK(310, 210) },
          "done",
          "claimed falsely, left a step out" },
        { { CLICK(140, 100), ADA }, "done", "claimed falsely, wrong place" },
        { { CLICK(299, 215) }, "limit", "wrong place" },
        { { CLICK(100, 100), BOB, CLICK(310, 210) },
          "done",
          "claimed falsely, wrong action" },
        { { "{\"op\":\"key\",\"keys\":\"Return\"}" }, "limit", "wrong action" },
        { { CLICK(379, 229), ADA, CLICK(100, 100) },
          "done",
          "claimed falsely, too much or in a wrong order" },
    };
    for (size_t i = 0; i < DH_COUNTOF(rows); i++)
        check_how(rows[i].acts, rows[i].end, rows[i].want);
}

DH_TESTS(DH_TEST(kinds_of_failure));
