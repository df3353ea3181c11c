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
    if (dh_keys_parse(text, NULL, c, &n, &diag) || diag.text[0])
        dh_buf_puts(&got, diag.text);
    for (size_t i = 0; i < n; i++)
        dh_buf_printf(&got, "%s%u:%x", got.len ? " " : "", c[i].mods,
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
        { "contrl+c", "no such key: \"contrl\"; did you mean \"control\", "
                      "\"ctrl\" or \"controll\"?" },
        { "a+b", "\"a\" is no modifier: only shift, ctrl, alt, super and altgr "
                 "can be held around a key" },
        { "Meta_L", "0:ffeb" },
        { "C-x C-s", "2:78 2:73" },
        { "ctrl+Z x3", "2:7a 2:7a 2:7a" },
        { "KP_Add", "0:ffab" },
        { "numpad7", "0:ffb7" },
        { "arrow_left", "0:ff51" },
        { "\\n", "0:ff0d" },
        { "XF86AudioRaiseVolume", "0:1008ff13" },
        { "fn+F5", "fn is left out: no keyboard sends it 0:ffc2" },
        { "fn", "fn works inside the keyboard: no program sees it" },
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

static void check_command(bool cmd_is_ctrl, const char *text, unsigned mods)
{
    struct dh_keys_options o = { NULL, cmd_is_ctrl };
    struct dh_chord c[DH_CHORDS_MAX];
    struct dh_diag diag = { 0 };
    size_t n = 0;
    CHECK_INT(dh_keys_parse_as(text, &o, c, &n, &diag), DH_OK);
    CHECK_INT(n, 1);
    CHECK_INT(c[0].mods, mods);
}

static void test_the_command_key_is_what_the_option_says(void)
{
    check_command(false, "cmd+c", DH_MOD_SUPER);
    check_command(true, "cmd+c", DH_MOD_CONTROL);
    check_command(true, "Command shift c", DH_MOD_CONTROL | DH_MOD_SHIFT);
    check_command(true, "super+c", DH_MOD_SUPER);
}

static uint32_t exact_meta(const char *name)
{
    return strcmp(name, "Meta_L") == 0 ? 0xffe7 : 0;
}

static void test_an_exact_name_of_x_comes_before_spellings(void)
{
    struct dh_chord c[DH_CHORDS_MAX];
    struct dh_diag diag = { 0 };
    size_t n;
    CHECK_INT(dh_keys_parse("Meta_L", exact_meta, c, &n, &diag), DH_OK);
    CHECK_INT(c[0].keysym, 0xffe7);
    CHECK_INT(dh_keys_parse("metal", exact_meta, c, &n, &diag), DH_OK);
    CHECK_INT(c[0].keysym, 0xffeb);
}

static void test_old_keysyms_of_characters(void)
{
    CHECK_INT(dh_keysym_old(0x391), 0x7c1);
    CHECK_INT(dh_keysym_old(0x43f), 0x6d0);
    CHECK_INT(dh_keysym_old(0x20ac), 0x20ac);
    CHECK_INT(dh_keysym_old(0x4f60), 0);
    CHECK_INT(dh_keysym_old('a'), 0);
}

DH_TESTS(DH_TEST(chords), DH_TEST(the_command_key_is_what_the_option_says),
         DH_TEST(an_exact_name_of_x_comes_before_spellings),
         DH_TEST(old_keysyms_of_characters), DH_TEST(too_many_keys_are_refused),
         DH_TEST(modifiers_alone));
