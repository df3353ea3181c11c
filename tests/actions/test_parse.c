#include <stdio.h>
#include <string.h>

#include "actions/parse.h"
#include "base/buf.h"
#include "base/mem.h"
#include "tests/dh_test.h"

#define NS "]<]minimax[>["

static void check_answer(const char *text, const char *want, unsigned repairs)
{
    struct dh_answer answer;
    struct dh_diag diag = { 0 };
    struct dh_buf got;
    dh_buf_init(&got, 1 << 20);
    enum dh_status st = dh_answer_parse(text, strlen(text), &answer, &diag);
    if (st)
        dh_buf_printf(&got, "error: %s", diag.text);
    for (int i = 0; !st && i < answer.n; i++) {
        if (i)
            dh_buf_puts(&got, "; ");
        dh_action_text(&answer.action[i], &got);
    }
    CHECK_STR(dh_buf_text(&got), want);
    if (!st)
        CHECK_INT(answer.action[0].repairs, repairs);
    dh_answer_finish(&answer);
    dh_buf_finish(&got);
}

static void check_args(const char *args, const char *want, unsigned repairs)
{
    char text[4096];
    snprintf(
        text, sizeof text,
        "Action: x.\n<tool_call>\n{\"name\":\"computer\",\"arguments\":{%s}}"
        "\n</tool_call>",
        args);
    check_answer(text, want, repairs);
}

static void test_text_protocol(void)
{
    static const struct {
        const char *args, *want;
        unsigned repairs;
    } rows[] = {
        { "\"action\":\"left_click\",\"coordinate\":[500,500]",
          "left_click 500 500", 0 },
        { "\"action\":\"double_lick\",\"coordinate\":[1,2]", "double_click 1 2",
          DH_REPAIR_LICK },
        { "\"action\":\"left_ click\",\"coordinate\":[1000,1000]",
          "left_click 1000 1000", DH_REPAIR_SPACE },
        { "\"action\":\"key_ \",\"text_ \":\"ctrl+shift+t\"",
          "key \"ctrl+shift+t\"", DH_REPAIR_SPACE },
        { "\"action\":\"left_\"",
          "error: no such action: \"left_\"; use left_click, double_click, "
          "right_click, type, key, scroll, wait, done ...",
          0 },
        { "\"action\":\"left_click\",\"coordinate\":\"[250, 750]\"",
          "left_click 250 750", DH_REPAIR_NUMBER },
        { "\"action\":\"left_click\",\"coordinate\":[\"7\",\"8\"]",
          "left_click 7 8", DH_REPAIR_NUMBER },
        { "\"action\":\"left_click\",\"coordinate\":{\"x\":7,\"y\":8}",
          "left_click 7 8", DH_REPAIR_NUMBER },
        { "\"action\":\"left_click\",\"coordinate\":[100,100,300,200]",
          "left_click 200 150", 0 },
        { "\"action\":\"left_click\",\"coordinate\":[1003,20]",
          "left_click 1000 20", DH_REPAIR_CLAMP },
        { "\"action\":\"left_click\",\"coordinate\":[1500,900]",
          "error: coordinate: [1500,900] is outside of 0 to 1000", 0 },
        { "\"action\":\"left_click\",\"coordinate\":[-1,9]",
          "error: coordinate: [-1,9] is outside of 0 to 1000", 0 },
        { "\"action\":\"left_click\",\"coordinate\":[5]",
          "error: coordinate: two integers from 0 to 1000 are expected", 0 },
        { "\"action\":\"left_click\"", "left_click", 0 },
        { "\"action\":\"left_click\",\"coordinate\":[1,2],\"text\":\"ctrl\"",
          "left_click 1 2 +ctrl", 0 },
        { "\"action\":\"left_click\",\"coordinate\":[1,2],\"key\":\"ctrl\"",
          "left_click 1 2 +ctrl", 0 },
        { "\"action\":\"type\",\"text\":\"caf\xc3\xa9 \xf0\x9f\x91\x8d\\n\"",
          "type \"caf\xc3\xa9 \xf0\x9f\x91\x8d\\n\"", 0 },
        { "\"action\":\"type\"", "error: type: text is missing", 0 },
        { "\"action\":\"type\",\"text\":42", "type \"42\"", 0 },
        { "\"action\":\"key\",\"keys\":[\"ctrl\",\"shift\",\"esc\"]",
          "key \"ctrl+shift+esc\"", 0 },
        { "\"action\":\"scroll\",\"coordinate\":[5,5],\"scroll_direction\":"
          "\"down\",\"scroll_amount\":5",
          "scroll 5 5 down 5", 0 },
        { "\"action\":\"scroll\",\"scroll_direction\":\"sideways\"",
          "error: scroll_direction: up, down, left or right", 0 },
        { "\"action\":\"left_click_drag\",\"start_coordinate\":[1,2],"
          "\"coordinate\":[3,4]",
          "left_click_drag 1 2 3 4", 0 },
        { "\"action\":\"wait\",\"duration\":2.5", "wait 2.5", 0 },
        { "\"action\":\"wait\",\"duration\":3000", "wait 3", 0 },
        { "\"action\":\"hold_key\",\"text\":\"shift\",\"duration\":1",
          "hold_key \"shift\" 1", 0 },
        { "\"action\":\"terminate\",\"status\":\"failure\"", "fail", 0 },
        { "\"action\":\"done\"", "done", 0 },
    };
    for (size_t i = 0; i < DH_COUNTOF(rows); i++)
        check_args(rows[i].args, rows[i].want, rows[i].repairs);
}

static void test_envelopes(void)
{
    static const struct {
        const char *text, *want;
        unsigned repairs;
    } rows[] = {
        { "Action: Click OK.\n<tool_call>{\"name\":\"computer\",\"arguments\":"
          "{\"action\":\"left_click\",\"coordinate\":[500,500]}}",
          "left_click 500 500", DH_REPAIR_UNTERMINATED },
        { "Well.\n{\"action\":\"left_ click\",\"coordinate\":[1000,1000]}\n",
          "left_click 1000 1000",
          DH_REPAIR_BARE | DH_REPAIR_SPACE | DH_REPAIR_ARGUMENTS },
        { "```json\n{\"action\":\"done\"}\n```", "done",
          DH_REPAIR_BARE | DH_REPAIR_ARGUMENTS },
        { "<tool_call>{\"name\":\"computer\",\"input\":{\"action\":\"done\"}}"
          "</tool_call>",
          "done", DH_REPAIR_ARGUMENTS },
        { "<tool_call>{\"name\":\"computer\",\"arguments\":\"{\\\"action\\\":"
          "\\\"done\\\"}\"}</tool_call>",
          "done", DH_REPAIR_ARGUMENTS },
        { "<tool_call>{'name':'computer','arguments':{'action':'type',"
          "'text':'it\\'s\nhere',},}</tool_call>",
          "type \"it's\\nhere\"", DH_REPAIR_JSON },
        { "<tool_call>{\"name\":\"computer\",\"arguments\":{\"action\":"
          "\"left_click\",\"coordinate\":[1,2",
          "left_click 1 2", DH_REPAIR_JSON | DH_REPAIR_UNTERMINATED },
        { "<tool_call>{\"name\":\"computer\",\"arguments\":{\"action\":"
          "\"type\",\"text\":\"rm -rf",
          "error: the answer ends inside of a string", 0 },
        { "<mm:think><tool_call>{\"action\":\"left_click\",\"coordinate\":[1,1]"
          "}"
          "</tool_call></mm:think><tool_call>{\"action\":\"done\"}</tool_call>",
          "done", DH_REPAIR_ARGUMENTS },
        { "<think>I could\n{\"action\":\"done\"}",
          "error: no action found; answer with an Action: line and one "
          "<tool_call> object",
          0 },
        { "<think>So it is OK.\n<tool_call>{\"action\":\"done\"}</tool_call>",
          "done", DH_REPAIR_ARGUMENTS | DH_REPAIR_UNTERMINATED },
        { "DONE", "done", DH_REPAIR_BARE },
        { " WAIT\n", "wait 1", DH_REPAIR_BARE },
        { "[infeasible] no such app", "fail \"no such app\"", DH_REPAIR_BARE },
        { "I shall click the button.",
          "error: no action found; answer with an Action: line and one "
          "<tool_call> object",
          0 },
        { "",
          "error: no action found; answer with an Action: line and one "
          "<tool_call> object",
          0 },
        { "<tool_call>hello</tool_call>",
          "error: <tool_call> without an object", 0 },
    };
    for (size_t i = 0; i < DH_COUNTOF(rows); i++)
        check_answer(rows[i].text, rows[i].want, rows[i].repairs);
}

static void test_native_xml(void)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        { NS "<tool_call>\n" NS "<invoke name=\"computer\">" NS
             "<action>left_click" NS "</action>" NS "<coordinate>" NS
             "<item>412" NS "</item>" NS "<item>88" NS "</item>" NS
             "</coordinate>" NS "</invoke>\n" NS "<invoke name=\"computer\">" NS
             "<action>type" NS "</action>" NS "<text>a<b>\"c\"" NS "</text>" NS
             "</invoke>\n" NS "</tool_call>",
          "left_click 412 88; type \"a<b>\\\"c\\\"\"" },
        // the bracket before invoke is missing
        { NS "<tool_call>\n" NS "invoke name=\"computer\">" NS "<action>done" NS
             "</action>" NS "</invoke>",
          "done" },
        // the first byte of the marker is missing
        { "<]minimax[>[<tool_call>\n" NS "<invoke name=\"computer\">" NS
          "<action>done" NS "</action>" NS "</invoke>",
          "done" },
        // the opening tag of a parameter is missing
        { NS "<tool_call>" NS "<invoke name=\"computer\">" NS "done" NS
             "</action>" NS "</invoke>" NS "</tool_call>",
          "done" },
        // closers are missing
        { NS "<tool_call>" NS "<invoke name=\"computer\">" NS "<action>type" NS
             "</action>" NS "<text>hi" NS "</invoke>",
          "type \"hi\"" },
        { NS "<tool_call>" NS "<invoke name=\"computer\">" NS "<action>wait",
          "wait 1" },
    };
    for (size_t i = 0; i < DH_COUNTOF(rows); i++)
        check_answer(
            rows[i].text, rows[i].want,
            DH_REPAIR_XML |
                (strstr(rows[i].text, "<item>") ? DH_REPAIR_NUMBER : 0));
}

static void test_step_is_the_action_line(void)
{
    const char *text =
        "Action:  Click Save. \n<tool_call>{\"action\":\"done\"}";
    struct dh_answer answer;
    struct dh_diag diag = { 0 };
    CHECK_INT(dh_answer_parse(text, strlen(text), &answer, &diag), DH_OK);
    CHECK_STR(answer.step, "Click Save.");
    dh_answer_finish(&answer);
}

static void test_absurd_input_is_an_error_in_time(void)
{
    size_t n = 200000;
    char *text = dh_zalloc(n + 1);
    struct dh_answer answer;
    struct dh_diag diag = { 0 };
    memset(text, '{', n);
    CHECK_INT(dh_answer_parse(text, n, &answer, &diag), DH_ERR_FORMAT);
    dh_answer_finish(&answer);
    for (size_t i = 0; i + 11 <= n; i += 11)
        memcpy(text + i, "<tool_call>", 11);
    CHECK_INT(dh_answer_parse(text, n, &answer, &diag), DH_ERR_FORMAT);
    dh_answer_finish(&answer);
    for (size_t i = 0; i + 13 <= n; i += 13)
        memcpy(text + i, NS "<", 13);
    CHECK_INT(dh_answer_parse(text, n, &answer, &diag), DH_ERR_FORMAT);
    dh_answer_finish(&answer);
    dh_free(text);
}

static void test_a_line_round_trips(void)
{
    static const char *const lines[] = {
        "left_click 500 300",
        "double_click 1 2",
        "right_click 0 1000",
        "left_click_drag 1 2 3 4",
        "scroll 5 6 up 3",
        "type \"a \\\"b\\\"\"",
        "key \"ctrl+s\"",
        "wait 1.5",
        "left_click 3 4 +shift+ctrl",
        "done",
        "mouse_move 9 9",
        "zoom 1 2 3 4",
        "zoom 5 6",
        "cursor_position",
        "key_down \"shift\"",
    };
    for (size_t i = 0; i < DH_COUNTOF(lines); i++) {
        struct dh_action a;
        struct dh_diag why = { 0 };
        struct dh_buf out;
        dh_buf_init(&out, 1024);
        bool ok = dh_action_of_text(lines[i], false, &a, &why);
        if (!ok)
            CHECK_STR(why.text, lines[i]);
        dh_action_text(&a, &out);
        CHECK_STR(dh_buf_text(&out), lines[i]);
        dh_action_finish(&a);
        dh_buf_finish(&out);
    }
}

static void test_a_line_in_pixels(void)
{
    struct dh_action a;
    struct dh_diag why = { 0 };
    CHECK(dh_action_of_text("left_click_drag 10 20 1900 -4", true, &a, &why));
    CHECK(a.on_screen && a.has_start && a.has_at);
    CHECK_INT(a.start.x, 10);
    CHECK_INT(a.at.x, 1900);
    CHECK_INT(a.at.y, -4);
    dh_action_finish(&a);
    CHECK(!dh_action_of_text("left_click 99999 3", true, &a, &why));
    CHECK(!dh_action_of_text("frobnicate", false, &a, &why));
    CHECK(!dh_action_of_text("", false, &a, &why));
    CHECK(dh_action_of_text("type hello world", false, &a, &why));
    CHECK_STR(a.text, "hello world");
    dh_action_finish(&a);
    CHECK(dh_action_of_text("key 7", false, &a, &why));
    CHECK_STR(a.text, "7");
    dh_action_finish(&a);
}

DH_TESTS(DH_TEST(text_protocol), DH_TEST(envelopes), DH_TEST(native_xml),
         DH_TEST(step_is_the_action_line),
         DH_TEST(absurd_input_is_an_error_in_time), DH_TEST(a_line_round_trips),
         DH_TEST(a_line_in_pixels));
