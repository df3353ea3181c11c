#include <stdio.h>
#include <string.h>

#include "actions/action.h"
#include "actions/keymap.h"
#include "base/buf.h"
#include "base/mem.h"
#include "tests/dh_test.h"

static void check_chords(const char *text, const char *want)
{
    struct dh_chord c[DH_CHORDS_MAX];
    struct dh_diag diag = { 0 };
    struct dh_buf got;
    size_t n = 0;
    dh_buf_init(&got, 4096);
    if (dh_keys_parse(text, NULL, c, &n, &diag))
        dh_buf_puts(&got, diag.text);
    for (size_t i = 0; i < n; i++)
        dh_buf_printf(&got, "%s%u:%x", i ? " " : "", c[i].mods,
                      (unsigned)c[i].keysym);
    CHECK_STR(dh_buf_text(&got), want);
    dh_buf_finish(&got);
}

static void test_chords(void)
{
    static const char *const rows[][2] = {
        { "ctrl++", "2:2b" },
        { "+", "0:2b" },
        { "ctrl c", "2:63" },
        { "ctrl+C", "2:63" },
        { "A", "0:41" },
        { "Down Down Return", "0:ff54 0:ff54 0:ff0d" },
        { "Down*3", "0:ff54 0:ff54 0:ff54" },
        { "Down x3", "0:ff54 0:ff54 0:ff54" },
        { "ctrl-alt-Delete", "6:ffff" },
        { "page_down", "0:ff56" },
        { "Page_Down", "0:ff56" },
        { "PAGEDOWN", "0:ff56" },
        { "pgdn", "0:ff56" },
        { "Page Down", "0:ff56" },
        { "F12", "0:ffc9" },
        { "f24", "0:ffd5" },
        { "U+20AC", "0:10020ac" },
        { "\xe2\x82\xac", "0:10020ac" },
        { "0xff0d", "0:ff0d" },
        { "shift", "0:ffe1" },
        { "super", "0:ffeb" },
        { " ", "0:20" },
        { "-", "0:2d" },
        { "frobnicate",
          "no such key: \"frobnicate\"; names are like Return, ctrl+s, F5" },
        { "retrun", "no such key: \"retrun\"; did you mean \"return\"?" },
        { "", "no key is named" },
    };
    for (size_t i = 0; i < DH_COUNTOF(rows); i++)
        check_chords(rows[i][0], rows[i][1]);
}

static void test_too_many_keys_are_refused(void)
{
    char text[1000];
    struct dh_chord c[DH_CHORDS_MAX];
    struct dh_diag diag = { 0 };
    size_t n;
    memset(text, 0, sizeof text);
    for (int i = 0; i < 300; i++)
        memcpy(text + i * 2, "a ", 2);
    CHECK_INT(dh_keys_parse(text, NULL, c, &n, &diag), DH_ERR_NOTFOUND);
    CHECK_INT(dh_keys_parse("a*99 b*99", NULL, c, &n, &diag), DH_ERR_NOTFOUND);
}

static void test_modifiers_alone(void)
{
    unsigned mods;
    CHECK(dh_mods_parse("ctrl+shift", &mods));
    CHECK_INT(mods, DH_MOD_CONTROL | DH_MOD_SHIFT);
    CHECK(dh_mods_parse("", &mods));
    CHECK_INT(mods, 0);
    CHECK(!dh_mods_parse("ctrl+x", &mods));
}

DH_TESTS(DH_TEST(chords), DH_TEST(too_many_keys_are_refused),
         DH_TEST(modifiers_alone));
