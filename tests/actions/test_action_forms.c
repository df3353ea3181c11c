// Every form that an action is written in is read back as the same action.
#include <string.h>

#include "actions/action.h"
#include "actions/python.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "tests/dh_test.h"

#define ROUNDS 20000

static const struct dh_rect screen = { -100, 40, 1920, 1200 };

static const char *const keys[] = { "Return",    "a",
                                    "F5",        "Escape",
                                    "Prior",     "plus",
                                    "KP_Add",    "Page_Down",
                                    "Left",      "super",
                                    "ctrl+s",    "minus",
                                    "shift+Tab", "ctrl+alt+Delete",
                                    "altgr+e",   "ctrl+super+Left" };
static const char *const rows[] = { "Down Return", "Tab Tab a",
                                    "ctrl+a Delete" };
static const char *const texts[] = { "Ada",
                                     "",
                                     "it's \"so\"\n\ttwo \\n lines",
                                     "Größe 東京 ❤",
                                     "```python",
                                     "<think>",
                                     "<function=x>",
                                     "#no), comment;",
                                     "{}" };

static const char *any(struct dh_rng *r, const char *const *list, size_t n)
{
    return list[dh_rng_below(r, n)];
}

static struct dh_point point(struct dh_rng *r)
{
    return (
        struct dh_point){ screen.x + (int)dh_rng_below(r, (uint64_t)screen.w),
                          screen.y + (int)dh_rng_below(r, (uint64_t)screen.h) };
}

static bool half(struct dh_rng *r)
{
    return dh_rng_below(r, 2);
}

static void drag(struct dh_rng *r, struct dh_action *a)
{
    a->has_at = true;
    a->has_start = half(r);
    a->start = point(r);
    if (half(r))
        a->duration_ms = (int)dh_rng_below(r, 5000);
    if (!a->has_start || half(r))
        return;
    a->n_path = 3 + (int)dh_rng_below(r, DH_ACTION_PATH_MAX - 2);
    dh_array(a->path, (size_t)a->n_path);
    for (int i = 0; i < a->n_path; i++)
        a->path[i] = point(r);
    a->start = a->path[0];
    a->at = a->path[a->n_path - 1];
}

static void pointer(struct dh_rng *r, struct dh_action *a)
{
    static const int buttons[] = { 1, 2, 3, 8, 9 };
    a->has_at = a->op == DH_ACTION_MOVE || half(r);
    a->at = point(r);
    if (half(r))
        a->mods = (unsigned)dh_rng_below(r, 32);
    if (a->op != DH_ACTION_MOVE && a->op != DH_ACTION_SCROLL) {
        a->button = buttons[dh_rng_below(r, DH_COUNTOF(buttons))];
        a->count = 1;
    }
    if (a->op == DH_ACTION_CLICK)
        a->count = 1 + (int)dh_rng_below(r, 3);
    if (a->op == DH_ACTION_PRESS)
        a->duration_ms = (int)dh_rng_below(r, 60001);
    if (a->op == DH_ACTION_DRAG)
        drag(r, a);
    if (a->op == DH_ACTION_SCROLL) {
        a->dx = (int)dh_rng_below(r, 101) - 50;
        a->dy = a->dx && half(r) ? 0 : (int)dh_rng_below(r, 50) + 1;
    }
}

static void keyboard(struct dh_rng *r, struct dh_action *a)
{
    bool row = a->op == DH_ACTION_KEY && half(r);
    a->text = dh_strdup(row ? any(r, rows, DH_COUNTOF(rows))
                            : any(r, keys, DH_COUNTOF(keys)));
    if (a->op == DH_ACTION_HOLD_KEY)
        a->duration_ms = (int)dh_rng_below(r, 60001);
    if (a->op == DH_ACTION_KEY && !row && half(r))
        a->repeat = 1 + (int)dh_rng_below(r, 100);
}

// Any action of the kind that the rest of the program makes.
static struct dh_action random_action(struct dh_rng *r)
{
    struct dh_action a = { .op = (enum dh_action_op)dh_rng_below(
                               r, DH_ACTION_COUNT),
                           .on_screen = true,
                           .duration_ms = -1,
                           .repeat = 1 };
    if (dh_action_is_pointer(&a)) {
        pointer(r, &a);
    } else if (a.op >= DH_ACTION_KEY && a.op <= DH_ACTION_KEY_UP) {
        keyboard(r, &a);
    } else if (a.op == DH_ACTION_WAIT) {
        a.duration_ms = (int)dh_rng_below(r, 60001);
    } else if (a.op == DH_ACTION_ZOOM) {
        a.has_at = true;
        a.has_start = half(r);
        a.at = point(r);
        a.start = point(r);
    } else if (a.op >= DH_ACTION_TYPE) {
        if (a.op == DH_ACTION_TYPE || half(r))
            a.text = dh_strdup(any(r, texts, DH_COUNTOF(texts)));
    }
    return a;
}

static void print(const struct dh_action *a, struct dh_buf *out)
{
    struct dh_json_writer w;
    dh_buf_clear(out);
    dh_jw_init(&w, out);
    dh_jw_object(&w, NULL);
    dh_action_json(a, &w);
    dh_jw_end_object(&w);
}

static void check_equal(const struct dh_action *got,
                        const struct dh_action *want, const char *form)
{
    struct dh_buf a, b;
    if (dh_action_equal(got, want))
        return;
    dh_buf_init(&a, 1 << 20);
    dh_buf_init(&b, 1 << 20);
    print(got, &a);
    print(want, &b);
    CHECK_STR(form, "");
    CHECK_STR(dh_buf_text(&a), dh_buf_text(&b));
    CHECK_STR(dh_buf_text(&a), "something that is not printed");
}

static void test_a_line_of_a_session_is_the_action(void)
{
    struct dh_rng r;
    struct dh_buf json;
    dh_rng_init(&r, 1);
    dh_buf_init(&json, 1 << 20);
    for (int i = 0; i < ROUNDS; i++) {
        struct dh_action a = random_action(&r), back;
        struct dh_diag why = { 0 };
        a.paste = a.op == DH_ACTION_TYPE && half(&r);
        print(&a, &json);
        struct dh_json *o = dh_json_parse(json.data, json.len, &why);
        bool ok = dh_action_of_json(o, &back, &why);
        CHECK_STR(why.text, "");
        CHECK(ok);
        check_equal(&back, &a, dh_buf_text(&json));
        dh_action_finish(&back);
        dh_action_finish(&a);
        dh_json_free(o);
    }
    dh_buf_finish(&json);
}

static void test_a_bad_line_is_said(void)
{
    static const char *const lines[][2] = {
        { "{}", "op: \"\" is no action" },
        { "{\"op\":\"dance\"}", "op: \"dance\" is no action" },
        { "{\"op\":\"left_click\",\"p\":[]}", "p: one or two points" },
        { "{\"op\":\"left_click\",\"p\":[[1,2,3]]}", "p: one or two points" },
        { "{\"op\":\"left_click\",\"p\":[[1,1e300]]}", "p: one or two points" },
        { "{\"op\":\"left_click\",\"btn\":0}", "btn: " },
        { "{\"op\":\"left_click\",\"mods\":\"banana\"}", "mods: " },
        { "{\"op\":\"left_click_drag\"}", "p is missing" },
        { "{\"op\":\"left_click_drag\",\"p\":[[1,2]],\"path\":[[1,2]]}",
          "path: " },
        { "{\"op\":\"type\"}", "text is missing" },
        { "{\"op\":\"type\",\"text\":7}", "text: a text" },
        { "{\"op\":\"key\"}", "keys is missing" },
        { "{\"op\":\"scroll\",\"dx\":0}", "dy is missing" },
        { "{\"op\":\"wait\",\"ms\":-5}", "ms: " },
    };
    for (size_t i = 0; i < DH_COUNTOF(lines); i++) {
        struct dh_diag why = { 0 };
        struct dh_action a;
        struct dh_json *o =
            dh_json_parse(lines[i][0], strlen(lines[i][0]), &why);
        CHECK(o != NULL);
        CHECK(!dh_action_of_json(o, &a, &why));
        if (!strstr(why.text, lines[i][1]))
            CHECK_STR(why.text, lines[i][1]);
        dh_json_free(o);
    }
}

static const struct dh_parse_options fractions = {
    .coord = DH_COORD_NORM1, .screen = { -100, 40, 1920, 1200 }
};

static void test_code_is_the_action(void)
{
    struct dh_rng r;
    struct dh_buf code;
    dh_rng_init(&r, 2);
    dh_buf_init(&code, 1 << 20);
    for (int i = 0; i < ROUNDS; i++) {
        struct dh_action a = random_action(&r);
        struct dh_python_actions back;
        struct dh_diag why = { 0 };
        dh_buf_clear(&code);
        dh_python_write(&a, screen, &code);
        bool ok = dh_python_read(&fractions, code.data, code.len, &back, &why);
        if (!ok)
            CHECK_STR(dh_buf_text(&code), why.text);
        if (back.n != 1)
            CHECK_STR(dh_buf_text(&code), "code of one action");
        check_equal(&back.item[0], &a, dh_buf_text(&code));
        dh_python_finish(&back);
        dh_action_finish(&a);
    }
    dh_buf_finish(&code);
}

// In pixels of a screen of 1000x1000 at 0,0; the actions in words.
static void check_code(const char *code, const char *want)
{
    static const struct dh_parse_options how = {
        .coord = DH_COORD_PIXELS_SCREEN, .screen = { 0, 0, 1000, 1000 }
    };
    struct dh_python_actions list;
    struct dh_diag why = { 0 };
    struct dh_buf got;
    dh_buf_init(&got, 1 << 16);
    if (!dh_python_read(&how, code, strlen(code), &list, &why))
        dh_buf_printf(&got, "! %s", why.text);
    else
        for (int i = 0; i < list.n; i++) {
            dh_buf_puts(&got, i ? "; " : "");
            dh_action_text(&list.item[i], &got);
        }
    if (want[0] != '!' || !strstr(dh_buf_text(&got), want + 1))
        CHECK_STR(dh_buf_text(&got), want);
    dh_python_finish(&list);
    dh_buf_finish(&got);
}

static void test_code_of_others_is_read(void)
{
    check_code("", "");
    check_code("import pyautogui\nimport time\n# it's a click\n"
               "pyautogui.click(10, 20)  # here\n\npyautogui.write('a\\nb')",
               "left_click 10 20; type \"a\\nb\"");
    check_code("pyautogui.moveTo(x=1, y=2)\npyautogui.dragTo(x=30, y=40, "
               "button='left')",
               "left_click_drag 1 2 30 40");
    check_code("pyautogui.keyDown('ctrl')\npyautogui.click(x=5, y=6)\n"
               "pyautogui.keyUp('ctrl')\npyautogui.press('enter')",
               "left_click 5 6 +ctrl; key \"Return\"");
    check_code("pyautogui.press(keys=['down', 'down', 'enter'])",
               "key \"Down Down Return\"");
    check_code("pyautogui.hotkey(keys=['ctrl', 'shift', 't'])",
               "key \"ctrl+shift+t\"");
    check_code("pyautogui.hotkey('ctrl', '+')", "key \"ctrl++\"");
    check_code("computer.wait()\ncomputer.terminate(status='success')",
               "wait 1; done");
    check_code("computer.terminate(status='failure')", "fail");
    check_code("pyautogui.mouseDown(x=1, y=1)\npyautogui.moveTo(x=9, y=9)\n"
               "pyautogui.mouseUp()",
               "left_click_drag 1 1 9 9");
    check_code("pyautogui.scroll(-5)", "scroll down 5");
    check_code("subprocess.run('rm')", "!is not performed");
    check_code("pyautogui.click(x=5", "!is missing");
    check_code("pyautogui.click(x=5000, y=1)", "!is outside");
    check_code("hello", "!there is no call");
    check_code("pyautogui.write('unfinished", "!does not end");
}

DH_TESTS(DH_TEST(a_line_of_a_session_is_the_action),
         DH_TEST(a_bad_line_is_said), DH_TEST(code_is_the_action),
         DH_TEST(code_of_others_is_read));
