#include <string.h>

#include "actions/parse.h"
#include "base/buf.h"
#include "base/mem.h"
#include "tests/dh_test.h"

#define NS "]<]minimax[>["
#define CALL(args)                                                       \
    "Action: x.\n<tool_call>{\"name\":\"computer\",\"arguments\":{" args \
    "}}</tool_call>"
#define UITARS(call) "Thought: so.\nAction: " call
#define QWEN(args)                                                        \
    "<tool_call>\n{\"name\":\"computer_use\",\"arguments\":{" args "}}\n" \
    "</tool_call>"
#define GEMINI(name, args)                                                   \
    "{\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":" \
    "\"" name "\",\"args\":{" args "}}}]}}]}"
#define NO_ACTION                                              \
    "error: no action found; answer with an Action: line and " \
    "one <tool_call> object"

struct row {
    int vector; // of actions.md section 5; 0: our own
    const char *text, *want;
    enum dh_dialect dialect;
    enum dh_coord coord;
};

// 15 to 21 are about keys: the parser hands the text over, keymap resolves it.
// 18 and 40 end in a tier, 21 in suggestions, 50 in a release: other modules'.
// Points of norm1000 stay as they are until the agent aims.
static const struct row rows[] = {
    { 1, CALL("\"action\":\"left_click\",\"coordinate\":[500,500]"),
      "left_click 500 500", DH_DIALECT_M3_TEXT, 0 },
    { 2,
      "<tool_call>{\"name\":\"computer\",\"arguments\":{\"action\":"
      "\"left_click\",\"coordinate\":[500,500]}}",
      "left_click 500 500", DH_DIALECT_M3_TEXT, 0 },
    { 3, "So:\n{\"action\":\"left_ click\",\"coordinate\":[1000,1000]}",
      "left_click 1000 1000", DH_DIALECT_BARE, 0 },
    { 4, CALL("\"action\":\"double_lick\""), "double_click", DH_DIALECT_M3_TEXT,
      0 },
    { 5, CALL("\"action\":\"key_ \",\"text_ \":\"ctrl+shift+t\""),
      "key \"ctrl+shift+t\"", DH_DIALECT_M3_TEXT, 0 },
    { 6, CALL("\"action\":\"left_\""),
      "error: no such action: \"left_\"; use left_click, double_click, "
      "right_click, type, key, scroll, wait, done ...",
      DH_DIALECT_M3_TEXT, 0 },
    { 7,
      "<tool_call>{\"name\":\"computer\",\"input\":{\"action\":\"type\","
      "\"text\":\"caf\xc3\xa9 \xf0\x9f\x91\x8d\\n\"}}</tool_call>",
      "type \"caf\xc3\xa9 \xf0\x9f\x91\x8d\\n\"", DH_DIALECT_M3_TEXT, 0 },
    { 8, CALL("\"action\":\"left_click\",\"coordinate\":\"[250, 750]\""),
      "left_click 250 750", DH_DIALECT_M3_TEXT, 0 },
    { 9, CALL("\"action\":\"left_click\",\"coordinate\":[1003,20]"),
      "left_click 1000 20", DH_DIALECT_M3_TEXT, 0 },
    { 10, CALL("\"action\":\"left_click\",\"coordinate\":[1500,900]"),
      "error: coordinate: [1500,900] is outside of 0 to 1000",
      DH_DIALECT_M3_TEXT, 0 },
    { 11,
      "{\"tool_calls\":[{\"type\":\"function\",\"function\":{\"name\":"
      "\"computer\",\"arguments\":\"{\\\"action\\\":\\\"scroll\\\","
      "\\\"coordinate\\\":[500,500],\\\"scroll_direction\\\":\\\"down\\\","
      "\\\"scroll_amount\\\":5}\"}}]}",
      "scroll 500 500 down 5", DH_DIALECT_NATIVE, 0 },
    { 12,
      NS "<tool_call>" NS "<invoke name=\"computer\">" NS
         "<action>left_click" NS "</action>" NS "<coordinate>" NS "<item>4" NS
         "</item>" NS "<item>8" NS "</item>" NS "</coordinate>" NS
         "</invoke>" NS "<invoke name=\"computer\">" NS "<action>done" NS
         "</action>" NS "</invoke>" NS "</tool_call>",
      "left_click 4 8; done", DH_DIALECT_M3_XML, 0 },
    { 13,
      NS "<tool_call>" NS "invoke name=\"computer\">" NS "<action>done" NS
         "</action>" NS "</invoke>",
      "done", DH_DIALECT_M3_XML, 0 },
    { 14,
      "<]minimax[>[<tool_call>" NS "<invoke name=\"computer\">" NS
      "<action>done" NS "</action>" NS "</invoke>",
      "done", DH_DIALECT_M3_XML, 0 },
    { 15, CALL("\"action\":\"key\",\"text\":\"ctrl++\""), "key \"ctrl++\"",
      DH_DIALECT_M3_TEXT, 0 },
    { 16, CALL("\"action\":\"key\",\"text\":\"ctrl c\""), "key \"ctrl c\"",
      DH_DIALECT_M3_TEXT, 0 },
    { 17, CALL("\"action\":\"key\",\"text\":\"Down Down Return\""),
      "key \"Down Down Return\"", DH_DIALECT_M3_TEXT, 0 },
    { 18, CALL("\"action\":\"key\",\"text\":\"ctrl-alt-Delete\""),
      "key \"ctrl-alt-Delete\"", DH_DIALECT_M3_TEXT, 0 },
    { 19, CALL("\"action\":\"key\",\"text\":\"ctrl+A\""), "key \"ctrl+A\"",
      DH_DIALECT_M3_TEXT, 0 },
    { 20, CALL("\"action\":\"key\",\"text\":\"PAGEDOWN\""), "key \"PAGEDOWN\"",
      DH_DIALECT_M3_TEXT, 0 },
    { 21, CALL("\"action\":\"key\",\"text\":\"frobnicate\""),
      "key \"frobnicate\"", DH_DIALECT_M3_TEXT, 0 },
    { 22, UITARS("hotkey(key='ctrl v')"), "key \"ctrl v\"", DH_DIALECT_UITARS,
      0 },
    { 23, UITARS("type(content='a\\\\nb\\\\n')"), "type \"a\\nb\\n\"",
      DH_DIALECT_UITARS, 0 },
    { 24, UITARS("click(point='<point>200 300</point>')"), "left_click 200 300",
      DH_DIALECT_UITARS, 0 },
    { 25, UITARS("click(start_box='[100,100,300,200]')"), "left_click 200 150",
      DH_DIALECT_UITARS, 0 },
    { 26, UITARS("left_double(start_box='<|box_start|>(10,10)<|box_end|>')"),
      "double_click 10 10", DH_DIALECT_UITARS, 0 },
    { 27, UITARS("scroll(point='<point>500 500</point>', direction='left')"),
      "scroll 500 500 left 5", DH_DIALECT_UITARS, 0 },
    { 28, UITARS("wait()\n\nfinished(content='done')"), "wait 5; done \"done\"",
      DH_DIALECT_UITARS, 0 },
    { 28, UITARS("call_user()"), "ask_user", DH_DIALECT_UITARS, 0 },
    { 29, "{\"type\":\"click\",\"button\":\"wheel\",\"x\":10,\"y\":20}",
      "middle_click 10 20", DH_DIALECT_OPENAI, DH_COORD_PIXELS_SENT },
    { 30,
      "{\"type\":\"scroll\",\"x\":5,\"y\":6,\"scroll_x\":0,\"scroll_y\":-300}",
      "scroll 5 6 up 3", DH_DIALECT_OPENAI, DH_COORD_PIXELS_SENT },
    { 31,
      "{\"type\":\"drag\",\"path\":[{\"x\":1,\"y\":1},{\"x\":50,\"y\":60}],"
      "\"keys\":[\"SHIFT\"]}",
      "left_click_drag 1 1 50 60 +shift", DH_DIALECT_OPENAI,
      DH_COORD_PIXELS_SENT },
    { 32,
      "{\"type\":\"computer_call\",\"actions\":[{\"type\":\"click\",\"button\":"
      "\"left\",\"x\":1,\"y\":2},{\"type\":\"type\",\"text\":\"a\"},{\"type\":"
      "\"keypress\",\"keys\":[\"CTRL\",\"s\"]}]}",
      "left_click 1 2; type \"a\"; key \"CTRL+s\"", DH_DIALECT_OPENAI,
      DH_COORD_PIXELS_SENT },
    { 33, QWEN("\"action\":\"key\",\"keys\":[\"ctrl\",\"shift\",\"esc\"]"),
      "key \"ctrl+shift+esc\"", DH_DIALECT_QWEN, 0 },
    { 34, QWEN("\"action\":\"scroll\",\"pixels\":-5"), "scroll down 5",
      DH_DIALECT_QWEN, 0 },
    { 34, QWEN("\"action\":\"scroll\",\"pixels\":-500"), "scroll down 5",
      DH_DIALECT_QWEN, 0 },
    { 35, QWEN("\"action\":\"left_click_drag\",\"coordinate\":[3,4]"),
      "left_click_drag 3 4", DH_DIALECT_QWEN, 0 },
    { 36, QWEN("\"action\":\"terminate\",\"status\":\"failure\""), "fail",
      DH_DIALECT_QWEN, 0 },
    { 37,
      "<function=computer><parameter=type>left_click</parameter>"
      "<parameter=coordinate>[1,2]</parameter></function>",
      "left_click 1 2", DH_DIALECT_QWEN, 0 },
    { 38,
      GEMINI("type_text_at",
             "\"x\":500,\"y\":100,\"text\":\"hi\",\"press_enter\":true"),
      "left_click 500 100; key \"ctrl+a\"; key \"Delete\"; type \"hi\"; "
      "key \"Return\"",
      DH_DIALECT_GEMINI, 0 },
    { 39,
      GEMINI("scroll_at",
             "\"x\":5,\"y\":6,\"direction\":\"down\",\"magnitude\":800"),
      "scroll 5 6 down 9", DH_DIALECT_GEMINI, 0 },
    { 40,
      GEMINI("click_at", "\"x\":5,\"y\":6,\"safety_decision\":{\"decision\":"
                         "\"require_confirmation\"}"),
      "left_click 5 6 (confirm)", DH_DIALECT_GEMINI, 0 },
    { 41, "```python\npyautogui.click(960, 540, clicks=2)\n```",
      "double_click 960 540", DH_DIALECT_PYAUTOGUI, DH_COORD_PIXELS_SCREEN },
    { 42, "```python\nimport os; os.system('rm -rf ~')\n```",
      "error: a call with literal arguments is expected: there is no call",
      DH_DIALECT_PYAUTOGUI, DH_COORD_PIXELS_SCREEN },
    { 43, "pyautogui.hotkey('ctrl','s'); time.sleep(1)",
      "key \"ctrl+s\"; wait 1", DH_DIALECT_PYAUTOGUI, DH_COORD_PIXELS_SCREEN },
    { 44, "WAIT", "wait 1", DH_DIALECT_WORD, 0 },
    { 44, "DONE", "done", DH_DIALECT_WORD, 0 },
    { 44, "FAIL", "fail", DH_DIALECT_WORD, 0 },
    { 45, "[infeasible] no such app", "fail \"no such app\"", DH_DIALECT_WORD,
      0 },
    { 46, "I shall click the button.", NO_ACTION, DH_DIALECT_NONE, 0 },
    { 47,
      "<think><tool_call>{\"action\":\"fail\"}</tool_call></think>\n"
      "<tool_call>{\"action\":\"done\"}</tool_call>",
      "done", DH_DIALECT_M3_TEXT, 0 },
    { 49,
      CALL("\"action\":\"left_click\",\"coordinate\":[1,2],\"text\":\"ctrl\""),
      "left_click 1 2 +ctrl", DH_DIALECT_M3_TEXT, 0 },
    { 49,
      CALL("\"action\":\"left_click\",\"coordinate\":[1,2],\"key\":\"ctrl\""),
      "left_click 1 2 +ctrl", DH_DIALECT_M3_TEXT, 0 },
    { 50, CALL("\"action\":\"left_mouse_down\"") CALL("\"action\":\"done\""),
      "left_mouse_down; done", DH_DIALECT_M3_TEXT, 0 },
    { 0, UITARS("press(key='a')"), "key_down \"a\"", DH_DIALECT_UITARS, 0 },
    { 0, UITARS("type(content='it's')"), "type \"it's\"", DH_DIALECT_UITARS,
      0 },
    { 0, "pyautogui.press('enter')", "key \"enter\"", DH_DIALECT_PYAUTOGUI,
      DH_COORD_PIXELS_SCREEN },
    { 0, "pyautogui.press(['tab', 'tab'])", "key \"tab\"; key \"tab\"",
      DH_DIALECT_PYAUTOGUI, DH_COORD_PIXELS_SCREEN },
    { 0, "pyautogui.click(x=f(1), y=2)",
      "error: a call with literal arguments is expected: something is no "
      "number and no text",
      DH_DIALECT_PYAUTOGUI, DH_COORD_PIXELS_SCREEN },
    { 0, "{\"action_type\":\"CLICK\",\"parameters\":{\"x\":7,\"y\":8}}",
      "left_click 7 8", DH_DIALECT_OSWORLD, DH_COORD_PIXELS_SCREEN },
    { 0,
      "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":"
      "\"Well\""
      "},{\"type\":\"tool_use\",\"name\":\"left_click\",\"toolset_name\":"
      "\"computer\",\"input\":{\"coordinate\":[9,8]}}]}",
      "left_click 9 8", DH_DIALECT_ANTHROPIC, DH_COORD_PIXELS_SENT },
    { 0,
      "{\"type\":\"computer_call\",\"action\":{\"type\":\"wait\"},"
      "\"pending_safety_checks\":[{\"id\":\"1\"}]}",
      "wait 1 (confirm)", DH_DIALECT_OPENAI, DH_COORD_PIXELS_SENT },
    { 0, GEMINI("navigate", "\"url\":\"http://a\""),
      "error: navigate: there is no launcher; open programs and pages with "
      "the mouse and the keyboard",
      DH_DIALECT_GEMINI, 0 },
    { 0,
      "{\"choices\":[{\"message\":{\"content\":\"\",\"reasoning_content\":"
      "\"<tool_call>{\\\"action\\\":\\\"done\\\"}</tool_call>\"}}]}",
      "done (reasoning)", DH_DIALECT_M3_TEXT, 0 },
    { 0, "{\"type\":\"click\",\"button\":\"left\",\"x\":1920,\"y\":20}",
      "error: x: [1920,20] is outside of 0 to 1919, 0 to 1079",
      DH_DIALECT_OPENAI, DH_COORD_PIXELS_SENT },
    { 0, UITARS("click(start_box='(966,546)')"), "left_click 960 540",
      DH_DIALECT_UITARS, DH_COORD_PIXELS_RESIZED28 },
    { 0, UITARS("click(point='(0.5,1.0)')"), "left_click 960 1079",
      DH_DIALECT_UITARS, DH_COORD_NORM1 },
};

static void describe(const struct dh_action *a, int i, struct dh_buf *out)
{
    dh_buf_puts(out, i ? "; " : "");
    dh_action_text(a, out);
    dh_buf_puts(out, a->confirm ? " (confirm)" : "");
    dh_buf_puts(out, a->repairs & DH_REPAIR_REASONING ? " (reasoning)" : "");
}

static struct dh_parse_options options_of(const struct row *r)
{
    return (struct dh_parse_options){ .coord = r->coord,
                                      .screen = { 0, 0, 1920, 1080 } };
}

static void check_row(const struct row *r)
{
    struct dh_parse_options o = options_of(r);
    struct dh_answer answer;
    struct dh_diag diag = { 0 };
    struct dh_buf got;
    dh_buf_init(&got, 1 << 20);
    enum dh_status st =
        dh_answer_parse_with(&o, r->text, strlen(r->text), &answer, &diag);
    if (st)
        dh_buf_printf(&got, "error: %s", diag.text);
    for (int i = 0; !st && i < answer.n; i++)
        describe(&answer.action[i], i, &got);
    CHECK_STR(dh_buf_text(&got), r->want);
    CHECK_STR(dh_dialect_name(answer.dialect), dh_dialect_name(r->dialect));
    for (int i = 0; !st && i < answer.n; i++)
        CHECK(!answer.action[i].has_at ||
              answer.action[i].on_screen == (r->coord != 0));
    dh_answer_finish(&answer);
    dh_buf_finish(&got);
}

static void test_the_vectors(void)
{
    for (size_t i = 0; i < DH_COUNTOF(rows); i++)
        check_row(&rows[i]);
}

/* Byte for byte, the actions taken early are the first of the whole. */
static void check_stream(const struct row *r)
{
    struct dh_parse_options o = options_of(r);
    struct dh_answer_stream *s = dh_answer_stream_create(&o);
    struct dh_answer whole, end;
    struct dh_diag a = { 0 }, b = { 0 };
    struct dh_action early;
    int taken = 0;
    enum dh_status st =
        dh_answer_parse_with(&o, r->text, strlen(r->text), &whole, &a);
    for (const char *p = r->text; *p; p++) {
        dh_answer_stream_feed(s, p, 1);
        while (dh_answer_stream_take(s, &early)) {
            CHECK(taken < whole.n);
            CHECK(dh_action_equal(&early, &whole.action[taken++]));
            dh_action_finish(&early);
        }
    }
    CHECK_INT(dh_answer_stream_end(s, &end, &b), st);
    CHECK_INT(end.n, whole.n);
    CHECK_STR(b.text, a.text);
    // Where a closing tag follows the object, nothing is left for the end.
    if (!st && r->vector && strstr(r->text, "</tool_call>"))
        CHECK_INT(taken, whole.n);
    dh_answer_finish(&end);
    dh_answer_finish(&whole);
    dh_answer_stream_destroy(s);
}

static void test_the_stream_agrees_with_the_whole(void)
{
    for (size_t i = 0; i < DH_COUNTOF(rows); i++)
        check_stream(&rows[i]);
}

/* Vector 48, in one piece and in many. */
static void test_braces_without_end_are_an_error(void)
{
    size_t n = 200000;
    char *text = dh_zalloc(n + 1);
    struct dh_answer answer;
    struct dh_diag diag = { 0 };
    memset(text, '{', n);
    CHECK_INT(dh_answer_parse(text, n, &answer, &diag), DH_ERR_FORMAT);
    dh_answer_finish(&answer);
    struct dh_answer_stream *s = dh_answer_stream_create(NULL);
    for (size_t i = 0; i < n; i += 100)
        dh_answer_stream_feed(s, text + i, 100);
    CHECK_INT(dh_answer_stream_end(s, &answer, &diag), DH_ERR_FORMAT);
    dh_answer_finish(&answer);
    dh_answer_stream_destroy(s);
    dh_free(text);
}

static void test_a_thought_that_was_taken_is_an_error(void)
{
    static const char text[] =
        "<tool_call>{\"action\":\"wait\"}</tool_call></think>"
        "<tool_call>{\"action\":\"done\"}</tool_call>";
    for (int thinking = 0; thinking < 2; thinking++) {
        struct dh_parse_options o = { .thinking = thinking };
        struct dh_answer_stream *s = dh_answer_stream_create(&o);
        struct dh_answer answer;
        struct dh_diag diag = { 0 };
        struct dh_action a;
        dh_answer_stream_feed(s, text, sizeof text - 1);
        CHECK(dh_answer_stream_take(s, &a));
        CHECK_INT(a.op, thinking ? DH_ACTION_DONE : DH_ACTION_WAIT);
        dh_action_finish(&a);
        CHECK_INT(dh_answer_stream_end(s, &answer, &diag),
                  thinking ? DH_OK : DH_ERR_FORMAT);
        dh_answer_finish(&answer);
        dh_answer_stream_destroy(s);
    }
}

DH_TESTS(DH_TEST(the_vectors), DH_TEST(the_stream_agrees_with_the_whole),
         DH_TEST(braces_without_end_are_an_error),
         DH_TEST(a_thought_that_was_taken_is_an_error));
