#include <string.h>

#include <X11/Xlib.h>
#include <X11/keysym.h>

#include "actions/xtest_priv.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/x11.h"

#define DH_LOG_TAG "clip"
#include "base/log.h"

#define FETCH_NS (1 * DH_S)   // without progress
#define READ_NS  (1 * DH_S)   // for a program that says when it has read
#define LOOK_NS  (20 * DH_MS) // between two looks at a stop
#define LONG     200          // characters

// What makes one sign of several characters. A program draws and deletes it as
// one, and some wait for more after each key; a single emoji is a key like any.
static bool is_sequence(uint32_t cp)
{
    static const struct {
        uint32_t from, to;
    } ranges[] = {
        { 0x0300, 0x036f },   { 0x1ab0, 0x1aff },   { 0x1dc0, 0x1dff },
        { 0x200d, 0x200d },   { 0x20d0, 0x20ff },   { 0xfe00, 0xfe0f },
        { 0xfe20, 0xfe2f },   { 0x1f1e6, 0x1f1ff }, { 0x1f3fb, 0x1f3ff },
        { 0xe0020, 0xe007f }, { 0xe0100, 0xe01ef },
    };
    for (size_t i = 0; i < DH_COUNTOF(ranges); i++)
        if (cp >= ranges[i].from && cp <= ranges[i].to)
            return true;
    return false;
}

bool dh_clip_suits(struct dh_str text, bool all_in_layout, bool terminal)
{
    size_t n = 0;
    bool sequence = false, keys = false, lines = false;
    for (size_t i = 0; i < text.n; n++) {
        uint32_t cp;
        i += dh_utf8_read(text.p + i, text.n - i, &cp);
        bool line = cp == '\n' || cp == '\r';
        // To a terminal they are bytes.
        sequence |= !terminal && is_sequence(cp);
        keys |= cp == 0x7f || (cp < ' ' && !line && cp != '\t');
        lines |= cp == '\t' || (line && i < text.n);
    }
    // Other control characters are keys. In a short text so are these two: Tab
    // goes to the next field, and a field may not take a line end.
    if (keys || (lines && n <= LONG))
        return false;
    return sequence || (n > LONG && !all_in_layout);
}

// Windows that ask for a password, and for nothing else.
static bool is_prompt(const char *name)
{
    static const char *const known[] = { "pinentry", "askpass", "polkit",
                                         "gcr-prompter", "kwallet" };
    for (size_t i = 0; i < DH_COUNTOF(known); i++)
        if (dh_str_find(dh_str_of(name), known[i], 0) >= 0)
            return true;
    return false;
}

// These terminals know no other keys, and read PRIMARY at them.
static bool reads_primary(const struct dh_xfocus *f)
{
    struct dh_str name = dh_str_of(f->name);
    return f->terminal && (dh_str_find(name, "xterm", 0) >= 0 ||
                           dh_str_find(name, "rxvt", 0) >= 0);
}

static enum dh_status press(struct dh_xtest *x, const char *keys, size_t n,
                            struct dh_diag *why)
{
    enum dh_status st = DH_OK;
    char text[32];
    size_t len = strlen(keys);
    memcpy(text, keys, len + 1);
    for (; n && !st && !dh_xtest_stopped(x); n--) {
        struct dh_action a = { .op = DH_ACTION_KEY, .text = text, .repeat = 1 };
        st = dh_xtest_chords(x, &a, why);
    }
    dh_xtest_flush(x);
    return st;
}

// Until the program has it all, or for a while has taken nothing.
static struct dh_served wait_served(struct dh_xtest *x,
                                    const struct dh_xfocus *f)
{
    struct dh_served s = { 0 };
    int64_t begin = dh_now_ns();
    do
        s = dh_owner_wait(x->clip, dh_now_ns() + LOOK_NS);
    while (!s.done && !dh_xtest_stopped(x) &&
           dh_now_ns() - DH_MAX(s.progress_ns, begin) < FETCH_NS);
    // Some are slow to begin.
    if (dh_xfocus_drain(x, f, READ_NS) && !s.done)
        s = dh_owner_wait(x->clip, dh_now_ns());
    return s;
}

static enum dh_status judge(struct dh_xtest *x, const struct dh_served *s,
                            size_t n, struct dh_diag *why)
{
    enum dh_status st = dh_xtest_ended(x);
    if (st || s->done || (s->asked && s->given >= n))
        return st;
    if (!s->given) {
        dh_info("the program did not paste; the text is typed");
        return DH_ERR_NOTFOUND;
    }
    dh_diag_set(why, 0, "the program took only part of the pasted text");
    return DH_ERR_REFUSED;
}

static enum dh_status paste(struct dh_xtest *x, struct dh_offer *o,
                            const struct dh_xfocus *f, size_t returns,
                            struct dh_diag *why)
{
    struct dh_keystroke v;
    const char *keys = "ctrl+v";
    // Chromium takes no chord with a lent key.
    bool has_v = dh_xkeys_find(&x->keys, XK_v, &v) == DH_OK &&
                 !dh_xkeys_is_lent(&x->keys, v.code);
    if (o->primary || (!has_v && !f->terminal))
        keys = "shift+Insert";
    else if (f->terminal)
        keys = "ctrl+shift+v";
    if (!x->clip && dh_owner_create(&x->clip, DisplayString(x->dpy)))
        return DH_ERR_NOTFOUND;
    enum dh_status st = dh_owner_offer(x->clip, o);
    if (st) {
        dh_info("the clipboard is left alone; the text is typed");
        return DH_ERR_NOTFOUND;
    }
    if (press(x, keys, 1, why) == DH_OK) {
        struct dh_served s = wait_served(x, f);
        st = judge(x, &s, o->n, why);
    } else {
        st = DH_ERR_NOTFOUND; // no such keys
    }
    dh_owner_restore(x->clip);
    return st ? st : press(x, "Return", returns, why);
}

// One kind of line end inside, none at the end; how many those were.
static size_t even_lines(char *text, size_t *n)
{
    size_t to = 0, returns = 0;
    for (size_t i = 0; text[i]; i++) {
        if (text[i] == '\r' && text[i + 1] == '\n')
            continue;
        text[to++] = text[i] == '\r' ? '\n' : text[i];
    }
    for (; to && text[to - 1] == '\n'; to--)
        returns++;
    text[to] = '\0';
    *n = to;
    return returns;
}

enum dh_status dh_xtest_paste(struct dh_xtest *x, const char *text, bool asked,
                              bool all_in_layout, struct dh_diag *why)
{
    struct dh_xfocus f;
    struct dh_offer o = { .asked = asked };
    enum dh_status st = DH_ERR_NOTFOUND;
    bool kept = false;
    for (int c = 0; c < 256; c++)
        kept |= x->key_kept[c]; // it would be part of the chord
    // What suits a terminal suits others: most texts ask for no focus.
    if (kept ||
        (!asked && !dh_clip_suits(dh_str_of(text), all_in_layout, false)))
        return st;
    dh_xfocus_read(x->dpy, &f);
    if (is_prompt(f.name) ||
        (!asked && !dh_clip_suits(dh_str_of(text), all_in_layout, f.terminal)))
        return st;
    char *copy = dh_strdup(text);
    size_t returns = even_lines(copy, &o.n);
    o.text = copy;
    o.top = f.top;
    // Programs under Wine read the clipboard by another one's connection.
    o.any_client = !f.top || dh_str_ends(dh_str_of(f.name), ".exe");
    o.primary = reads_primary(&f);
    if (o.n)
        st = paste(x, &o, &f, returns, why);
    dh_free(copy);
    return st;
}
