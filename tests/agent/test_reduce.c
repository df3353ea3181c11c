#include "agent/reduce.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "capture/input_record.h"
#include "tests/dh_test.h"

/*
 * Events as text, one word each:
 *   @N      the time is N ms         mX,Y    the pointer goes there
 *   bN eN   button N down, up        w+ w-   the wheel down, up by a notch
 *   'c      character c typed        <Name   key Name down and up
 *   (Name   modifier down            )Name   modifier up
 *   ?       a dead key               *       a secret key
 *   rN      the last key has repeated N times
 *   f       the focus goes elsewhere  cX,Y,W,H  the screen changes there
 *   pX,Y,W,H  a menu or a hint comes up there
 */
struct play {
    struct dh_reduce *r;
    struct dh_buf out;
    int64_t ms, n;
    struct dh_point at;
    unsigned mods;
};

static const struct {
    const char *name, *chord;
    unsigned bit;
} mods[] = { { "Shift_L", "shift", DH_INPUT_SHIFT },
             { "Control_L", "ctrl", DH_INPUT_CONTROL },
             { "Alt_L", "alt", DH_INPUT_ALT },
             { "Super_L", "super", DH_INPUT_SUPER } };

static void note(void *user, const struct dh_reduced *d)
{
    struct play *p = user;
    dh_action_text(&d->action, &p->out);
    if (d->action.op == DH_ACTION_CLICK && d->action.count > 1)
        dh_buf_printf(&p->out, " x%d", d->action.count);
    if (d->action.repeat > 1)
        dh_buf_printf(&p->out, " x%d", d->action.repeat);
    if (d->action.n_path)
        dh_buf_printf(&p->out, " by %d", d->action.n_path);
    dh_buf_puts(&p->out, d->secret ? " secret; " : "; ");
    CHECK(d->from <= d->to);
    CHECK(d->began_ns <= d->ended_ns);
}

static void play_init(struct play *p, bool tidy)
{
    struct dh_reduce_options o = { .tidy = tidy, .emit = note, .user = p };
    memset(p, 0, sizeof *p);
    p->ms = 1000;
    p->r = dh_reduce_create(&o);
    dh_buf_init(&p->out, 1 << 20);
}

static void send(struct play *p, struct dh_input_event e, bool secret)
{
    e.time_ns = p->ms * DH_MS;
    e.at = p->at;
    e.mods = p->mods;
    dh_reduce_feed(p->r, &e, ++p->n, secret);
}

static void send_key(struct play *p, const char *name, const char *text)
{
    struct dh_input_event e = { .kind = DH_INPUT_KEY, .down = true };
    snprintf(e.name, sizeof e.name, "%s", name);
    snprintf(e.text, sizeof e.text, "%s",
             p->mods & ~DH_INPUT_SHIFT ? "" : text);
    send(p, e, false);
    e.down = false;
    e.text[0] = '\0';
    send(p, e, false);
}

static void send_mod(struct play *p, const char *name, bool down)
{
    struct dh_input_event e = { .kind = DH_INPUT_KEY, .down = down };
    for (size_t i = 0; i < DH_COUNTOF(mods); i++)
        if (!strcmp(name, mods[i].name))
            e.modifier = mods[i].bit;
    snprintf(e.name, sizeof e.name, "%s", name);
    if (!down)
        p->mods &= ~e.modifier;
    send(p, e, false);
    if (down)
        p->mods |= e.modifier;
}

static void numbers(const char *text, int *out, int n)
{
    char *end;
    for (int i = 0; i < n; i++, text = end + 1)
        out[i] = (int)strtol(text, &end, 10);
}

static int number(const char *text)
{
    return (int)strtol(text, NULL, 10);
}

static void play_word(struct play *p, const char *word)
{
    int v[4];
    switch (word[0]) {
    case '@': p->ms = strtol(word + 1, NULL, 10) + 1000; break;
    case 'm':
        numbers(word + 1, v, 2);
        p->at = (struct dh_point){ v[0], v[1] };
        send(p, (struct dh_input_event){ .kind = DH_INPUT_MOTION }, false);
        break;
    case 'b':
    case 'e':
        send(p,
             (struct dh_input_event){ .kind = DH_INPUT_BUTTON,
                                      .code = number(word + 1),
                                      .down = word[0] == 'b' },
             false);
        break;
    case 'w':
        send(p,
             (struct dh_input_event){ .kind = DH_INPUT_SCROLL,
                                      .dy = word[1] == '+' ? 1 : -1 },
             false);
        break;
    case '\'': send_key(p, word + 1, word + 1); break;
    case '<': send_key(p, word + 1, ""); break;
    case '(': send_mod(p, word + 1, true); break;
    case ')': send_mod(p, word + 1, false); break;
    case '?':
        send(p,
             (struct dh_input_event){
                 .kind = DH_INPUT_KEY, .down = true, .composing = true },
             false);
        break;
    case '*':
        send(p,
             (struct dh_input_event){
                 .kind = DH_INPUT_KEY, .down = true, .text = "S" },
             true);
        break;
    case 'r':
        send(p,
             (struct dh_input_event){ .kind = DH_INPUT_KEY,
                                      .repeats = number(word + 1) },
             false);
        break;
    case 'f':
        send(p,
             (struct dh_input_event){ .kind = DH_INPUT_WINDOW,
                                      .what = DH_WINDOW_FOCUS },
             false);
        break;
    case 'p':
        numbers(word + 1, v, 4);
        send(
            p,
            (struct dh_input_event){
                .kind = DH_INPUT_WINDOW,
                .what = DH_WINDOW_MAP,
                .window = { .menu = true, .box = { v[0], v[1], v[2], v[3] } } },
            false);
        break;
    case 'c':
        numbers(word + 1, v, 4);
        dh_reduce_changed(p->r, (struct dh_rect){ v[0], v[1], v[2], v[3] },
                          p->ms * DH_MS);
        break;
    default: dh_check_failed(__FILE__, __LINE__, word);
    }
}

static void play(struct play *p, const char *events)
{
    char *copy = dh_strdup(events), *save = NULL;
    for (char *w = strtok_r(copy, " ", &save); w;
         w = strtok_r(NULL, " ", &save))
        play_word(p, w);
    dh_reduce_flush(p->r);
    dh_free(copy);
}

static void play_finish(struct play *p)
{
    dh_reduce_destroy(p->r);
    dh_buf_finish(&p->out);
}

struct row {
    const char *events, *actions;
};

static void check_rows(const struct row *row, size_t n, bool tidy)
{
    for (size_t i = 0; i < n; i++) {
        struct play p;
        play_init(&p, tidy);
        play(&p, row[i].events);
        CHECK_STR(dh_buf_text(&p.out), row[i].actions);
        play_finish(&p);
    }
}

static void test_the_mouse_makes_clicks_drags_and_scrolls(void)
{
    static const struct row rows[] = {
        { "m10,10 b1 @50 e1", "left_click 10 10; " },
        { "m10,10 b3 @50 e3", "right_click 10 10; " },
        { "m10,10 b1 m14,12 e1", "left_click 10 10; " },
        { "m10,10 b1 @50 e1 @200 b1 @250 e1", "double_click 10 10 x2; " },
        { "m10,10 b1 e1 @200 b1 e1 @400 b1 e1", "triple_click 10 10 x3; " },
        // The fourth is the first of the next.
        { "m1,1 b1 e1 b1 e1 b1 e1 b1 e1",
          "triple_click 1 1 x3; left_click 1 1; " },
        { "m10,10 b1 e1 @500 b1 e1", "left_click 10 10; left_click 10 10; " },
        { "m10,10 b1 e1 @100 m20,10 b1 e1",
          "left_click 10 10; left_click 20 10; " },
        { "m10,10 b1 e1 @100 b3 e3", "left_click 10 10; right_click 10 10; " },
        { "m10,10 b1 m30,10 m60,10 e1", "left_click_drag 10 10 60 10; " },
        { "m10,10 b1 m60,10 m60,50 e1", "left_click_drag 10 10 60 50 by 3; " },
        // Out and back is no click.
        { "m10,10 b1 m60,10 m10,10 e1", "left_click_drag 10 10 10 10 by 3; " },
        { "m10,10 b1 e1 @100 b1 m60,10 e1",
          "left_click 10 10; left_click_drag 10 10 60 10; " },
        { "m5,5 w+ @100 w+ @200 w+", "scroll 5 5 down 3; " },
        { "m5,5 w+ @100 w- @200 w-", "scroll 5 5 down 1; scroll 5 5 up 2; " },
        { "m5,5 w+ @400 w+", "scroll 5 5 down 1; scroll 5 5 down 1; " },
        { "m5,5 (Control_L w+ w+ )Control_L", "scroll 5 5 down 2 +ctrl; " },
        { "(Shift_L m5,5 b1 e1 )Shift_L", "left_click 5 5 +shift; " },
        // Both at once: each by itself, and all are up at the end.
        { "m5,5 b1 b3 e1 e3", "left_mouse_down 5 5; left_mouse_down 5 5; "
                              "left_mouse_up 5 5; left_mouse_up 5 5; " },
        { "m5,5 b1 m90,5 <Escape e1",
          "left_mouse_down 5 5; key \"Escape\"; left_mouse_up 90 5; " },
        { "e1 e3 m5,5", "" },
    };
    check_rows(rows, DH_COUNTOF(rows), false);
}

static void test_the_keyboard_makes_texts_and_chords(void)
{
    static const struct row rows[] = {
        { "'H 'i", "type \"Hi\"; " },
        { "(Shift_L 'H )Shift_L 'i", "type \"Hi\"; " },
        { "'a @1500 'b", "type \"ab\"; " },
        { "'a @2500 'b", "type \"a\"; type \"b\"; " },
        { "'a f 'b", "type \"a\"; type \"b\"; " },
        { "'a m1,1 b1 e1 'b", "type \"a\"; left_click 1 1; type \"b\"; " },
        { "'a <Return 'b", "type \"a\"; key \"Return\"; type \"b\"; " },
        { "'a r3", "type \"aaaa\"; " },
        { "? '\xc3\xa9", "type \"\xc3\xa9\"; " },
        { "? f", "" },
        { "'a 'b <BackSpace 'c",
          "type \"ab\"; key \"BackSpace\"; type \"c\"; " },
        { "<BackSpace r4", "key \"BackSpace\" x5; " },
        { "<Down @100 <Down @200 <Down", "key \"Down\" x3; " },
        { "<Down @900 <Down", "key \"Down\"; key \"Down\"; " },
        { "(Control_L 's )Control_L", "key \"ctrl+s\"; " },
        { "(Control_L (Shift_L 't )Shift_L )Control_L",
          "key \"shift+ctrl+t\"; " },
        { "(Control_L 'c 'v )Control_L", "key \"ctrl+c\"; key \"ctrl+v\"; " },
        { "(Alt_L <F4 )Alt_L", "key \"alt+F4\"; " },
        { "(Alt_L <Tab @3000 )Alt_L @4000 m1,1", "key \"alt+Tab\"; " },
        // A switcher of windows: Alt stays down.
        { "(Alt_L <Tab @100 <Tab @200 )Alt_L",
          "key_down \"alt\"; key \"Tab\" x2; key_up \"alt\"; " },
        { "(Alt_L <Tab (Shift_L <Tab )Shift_L )Alt_L",
          "key_down \"alt\"; key \"Tab\"; key \"shift+Tab\"; "
          "key_up \"alt\"; " },
        { "(Alt_L 'f @900 'o )Alt_L",
          "key_down \"alt\"; key \"f\"; key \"o\"; key_up \"alt\"; " },
        // Twice, and let go of in between, is twice.
        { "(Alt_L <Tab )Alt_L @800 (Alt_L <Tab )Alt_L",
          "key \"alt+Tab\"; key \"alt+Tab\"; " },
        { "(Super_L )Super_L @2000 m1,1", "" },
        { "(Super_L )Super_L @200 c0,0,300,500", "key \"Super_L\"; " },
        { "(Super_L )Super_L @200 c0,0,5,15", "" },
        { "(Control_L m1,1 b1 e1 )Control_L @100 c0,0,300,500",
          "left_click 1 1 +ctrl; " },
        { "'a * * 'b", "type \"a\"; type secret; type \"b\"; " },
    };
    check_rows(rows, DH_COUNTOF(rows), false);
}

static void test_tidy_takes_back_what_was_taken_back(void)
{
    static const struct row rows[] = {
        { "'a 'b <BackSpace 'c", "type \"ac\"; " },
        { "'\xc3\xa9 'b <BackSpace <BackSpace 'c", "type \"c\"; " },
        { "'a <BackSpace", "" },
        { "'a <BackSpace <BackSpace", "key \"BackSpace\"; " },
        { "<BackSpace 'a", "key \"BackSpace\"; type \"a\"; " },
    };
    check_rows(rows, DH_COUNTOF(rows), true);
}

static void test_a_rest_that_opens_something_is_a_step(void)
{
    static const struct row rows[] = {
        { "m50,50 @300 c60,40,150,200 @600 m200,60", "mouse_move 50 50; " },
        // The end of a menu's line may be far from the hand.
        { "m50,50 @300 p400,40,150,200 @600 m200,60", "mouse_move 50 50; " },
        { "m50,50 @300 p60,60,100,20 @600 m200,60", "" },
        // It was too short, too far away, too small, or a click came of it.
        { "m50,50 @300 c60,40,150,200 @400 m200,60", "" },
        { "m50,50 @300 c400,400,150,200 @600 m200,60", "" },
        { "m50,50 @300 c40,40,100,20 @600 m200,60", "" },
        { "m50,50 @300 c60,40,150,200 @600 b1 e1 m200,60",
          "left_click 50 50; " },
    };
    check_rows(rows, DH_COUNTOF(rows), false);
}

/* --- properties --- */

static double off_line(struct dh_point p, struct dh_point a, struct dh_point b)
{
    double best = 1e9;
    for (int i = 0; i <= 200; i++) {
        double x = a.x + (b.x - a.x) * i / 200.0 - p.x;
        double y = a.y + (b.y - a.y) * i / 200.0 - p.y;
        best = DH_MIN(best, x * x + y * y);
    }
    return best;
}

static void test_a_thinned_path_stays_close(void)
{
    struct dh_rng rng;
    dh_rng_init(&rng, 5);
    for (int round = 0; round < 20; round++) {
        struct dh_point all[300], kept[300], p = { 500, 500 };
        int n = 3 + (int)(dh_rng_next(&rng) % 297);
        for (int i = 0; i < n; i++) {
            p.x += (int)(dh_rng_next(&rng) % 15) - 5;
            p.y += (int)(dh_rng_next(&rng) % 15) - 7;
            all[i] = kept[i] = p;
        }
        int m = dh_reduce_thin(kept, n, 3);
        CHECK(m >= 2 && m <= n);
        CHECK_MEM(&kept[0], &all[0], sizeof *all);
        CHECK_MEM(&kept[m - 1], &all[n - 1], sizeof *all);
        for (int i = 0; i < n; i++) {
            double best = 1e9;
            for (int j = 0; j + 1 < m; j++)
                best = DH_MIN(best, off_line(all[i], kept[j], kept[j + 1]));
            CHECK(best <= 3.1 * 3.1);
        }
    }
}

static int count(const char *text, const char *part)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, part)); at++)
        n++;
    return n;
}

// Whatever comes: no crash, bounded output, and each press told has a release.
static void test_any_order_of_events_ends_well(void)
{
    static const char *const words[] = {
        "b1",     "e1",     "b2",         "e2",           "b3",
        "e3",     "m10,10", "m300,40",    "m12,11",       "w+",
        "w-",     "'a",     "'b",         "<Tab",         "<BackSpace",
        "(Alt_L", ")Alt_L", "(Control_L", ")Control_L",   "?",
        "*",      "r2",     "f",          "c0,0,200,200", "@+20",
        "@+350",  "@+900",  "@+3000"
    };
    struct dh_rng rng;
    dh_rng_init(&rng, 11);
    for (int round = 0; round < 200; round++) {
        struct play p;
        play_init(&p, round % 2);
        for (int i = 0; i < 300; i++) {
            const char *w = words[dh_rng_next(&rng) % DH_COUNTOF(words)];
            if (w[1] == '+' && w[0] == '@')
                p.ms += number(w + 2);
            else
                play_word(&p, w);
        }
        for (const char *w = "e1\0e2\0e3\0)Alt_L\0)Control_L\0"; *w;
             w += strlen(w) + 1)
            play_word(&p, w);
        dh_reduce_flush(p.r);
        CHECK_INT(dh_reduce_began(p.r), 0);
        CHECK(p.out.len < 300 * 64);
        CHECK_INT(count(dh_buf_text(&p.out), "left_mouse_down"),
                  count(dh_buf_text(&p.out), "left_mouse_up"));
        CHECK_INT(count(dh_buf_text(&p.out), "key_down"),
                  count(dh_buf_text(&p.out), "key_up"));
        play_finish(&p);
    }
}

static void test_a_scribble_of_minutes_keeps_its_ends(void)
{
    struct play p;
    char word[32];
    play_init(&p, false);
    play(&p, "m10,10");
    play_word(&p, "b1");
    for (int i = 0; i < 20000; i++) {
        p.ms += 16;
        snprintf(word, sizeof word, "m%d,%d", 100 + i * 37 % 800,
                 100 + i * 91 % 600);
        play_word(&p, word);
    }
    play_word(&p, "m77,88");
    play_word(&p, "e1");
    CHECK(strstr(dh_buf_text(&p.out), "left_click_drag 10 10 77 88 by "));
    int n = number(strstr(dh_buf_text(&p.out), "by ") + 3);
    CHECK(n >= 2 && n <= DH_ACTION_PATH_MAX);
    play_finish(&p);
}

DH_TESTS(DH_TEST(the_mouse_makes_clicks_drags_and_scrolls),
         DH_TEST(the_keyboard_makes_texts_and_chords),
         DH_TEST(tidy_takes_back_what_was_taken_back),
         DH_TEST(a_rest_that_opens_something_is_a_step),
         DH_TEST(a_thinned_path_stays_close),
         DH_TEST(any_order_of_events_ends_well),
         DH_TEST(a_scribble_of_minutes_keeps_its_ends));
