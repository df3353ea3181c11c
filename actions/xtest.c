#include "actions/xtest.h"

#include <stdlib.h>
#include <string.h>

#include <X11/XKBlib.h>
#include <X11/Xlib.h>
#include <X11/extensions/XTest.h>
#include <X11/keysym.h>

#include "actions/keymap.h"
#include "actions/xtest_priv.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "base/x11.h"

#define DH_LOG_TAG "xtest"
#include "base/log.h"

#define DRAG_STEPS      20
#define DRAG_DWELL_NS   (60 * DH_MS) // drop targets need an enter event first
#define SCROLL_GAP_NS   (10 * DH_MS)
#define MAPPING_WAIT_NS (40 * DH_MS) // clients read a changed keymap
#define BUTTON_MAX      16

struct xtest {
    struct dh_sink sink;
    Display *dpy;
    struct dh_xkeys keys;
    struct dh_xtest_options o;
    bool key_down[256];
    bool button_down[BUTTON_MAX];
    struct dh_cancel *cancel; // of the action under way
    bool lock_caps;           // was on; put back when the keys are done
};

static void set_key(struct xtest *x, KeyCode code, bool down)
{
    if (x->key_down[code] == down)
        return;
    x->key_down[code] = down;
    XTestFakeKeyEvent(x->dpy, code, down, CurrentTime);
}

static void set_button(struct xtest *x, int button, bool down)
{
    if (x->button_down[button] == down)
        return;
    x->button_down[button] = down;
    XTestFakeButtonEvent(x->dpy, (unsigned)button, down, CurrentTime);
}

static void release(struct dh_sink *s)
{
    struct xtest *x = (struct xtest *)s;
    if (!x->dpy || dh_x11_is_lost(x->dpy))
        return;
    for (int b = 0; b < BUTTON_MAX; b++)
        set_button(x, b, false);
    for (int c = 255; c >= 0; c--)
        set_key(x, (KeyCode)c, false);
    XSync(x->dpy, False);
}

static void destroy(struct dh_sink *s)
{
    struct xtest *x = (struct xtest *)s;
    dh_xkeys_finish(&x->keys);
    dh_x11_close(x->dpy);
    dh_free(x);
}

static bool stopped(struct xtest *x)
{
    return dh_cancel_is_set(x->cancel) || dh_x11_is_lost(x->dpy);
}

static enum dh_status ended(struct xtest *x)
{
    if (dh_x11_is_lost(x->dpy))
        return DH_ERR_CLOSED;
    return dh_cancel_is_set(x->cancel) ? DH_ERR_CANCELLED : DH_OK;
}

static void pace(struct xtest *x, int64_t ns)
{
    XFlush(x->dpy);
    dh_sleep_for(ns);
}

// Sleeps in short parts, so that a stop comes through.
static void hold_for(struct xtest *x, int64_t ns)
{
    int64_t until = dh_now_ns() + ns;
    while (!stopped(x) && dh_now_ns() < until)
        pace(x, DH_MIN(20 * DH_MS, until - dh_now_ns()));
}

/* --- modifiers --- */

static const struct {
    unsigned mod;
    KeySym sym;
} mod_keys[] = {
    { DH_MOD_SHIFT, XK_Shift_L },
    { DH_MOD_CONTROL, XK_Control_L },
    { DH_MOD_ALT, XK_Alt_L },
    { DH_MOD_SUPER, XK_Super_L },
    { DH_MOD_ALTGR, XK_ISO_Level3_Shift },
};

static enum dh_status mods_down(struct xtest *x, unsigned mods,
                                struct dh_diag *why)
{
    for (size_t i = 0; i < DH_COUNTOF(mod_keys); i++) {
        if (!(mods & mod_keys[i].mod))
            continue;
        KeyCode code = XKeysymToKeycode(x->dpy, mod_keys[i].sym);
        if (!code) {
            dh_diag_set(why, 0, "this keyboard has no %s key",
                        XKeysymToString(mod_keys[i].sym));
            return DH_ERR_NOTFOUND;
        }
        set_key(x, code, true);
    }
    return DH_OK;
}

static void mods_up(struct xtest *x, unsigned mods)
{
    for (size_t i = DH_COUNTOF(mod_keys); i-- > 0;) {
        KeyCode code = XKeysymToKeycode(x->dpy, mod_keys[i].sym);
        if (mods & mod_keys[i].mod && code)
            set_key(x, code, false);
    }
}

/* --- pointer --- */

static enum dh_status move_to(struct xtest *x, struct dh_point p,
                              struct dh_diag *why)
{
    Window root = DefaultRootWindow(x->dpy), w;
    int rx, ry, wx, wy;
    unsigned mask;
    XTestFakeMotionEvent(x->dpy, DefaultScreen(x->dpy), p.x, p.y, CurrentTime);
    XSync(x->dpy, False);
    if (dh_x11_is_lost(x->dpy))
        return DH_ERR_CLOSED;
    if (!XQueryPointer(x->dpy, root, &w, &w, &rx, &ry, &wx, &wy, &mask) ||
        rx != p.x || ry != p.y) {
        dh_diag_set(why, 0, "the pointer did not reach %d,%d", p.x, p.y);
        return dh_x11_is_lost(x->dpy) ? DH_ERR_CLOSED : DH_ERR_RANGE;
    }
    return DH_OK;
}

static void click(struct xtest *x, int button, int count)
{
    for (int i = 0; i < count && !stopped(x); i++) {
        if (i)
            pace(x, x->o.click_gap_ns);
        set_button(x, button, true);
        pace(x, x->o.hold_ns);
        set_button(x, button, false);
    }
}

static enum dh_status drag(struct xtest *x, const struct dh_action *a,
                           struct dh_diag *why)
{
    Window root = DefaultRootWindow(x->dpy), w;
    int sx = a->start.x, sy = a->start.y, wx, wy;
    unsigned mask;
    if (!a->has_start)
        XQueryPointer(x->dpy, root, &w, &w, &sx, &sy, &wx, &wy, &mask);
    enum dh_status st = move_to(x, (struct dh_point){ sx, sy }, why);
    if (st)
        return st;
    set_button(x, a->button, true);
    pace(x, x->o.hold_ns);
    for (int i = 1; i <= DRAG_STEPS && !st && !stopped(x); i++) {
        struct dh_point p = { sx + (a->at.x - sx) * i / DRAG_STEPS,
                              sy + (a->at.y - sy) * i / DRAG_STEPS };
        st = move_to(x, p, why);
        pace(x, x->o.drag_ns / DRAG_STEPS);
    }
    pace(x, DRAG_DWELL_NS);
    set_button(x, a->button, false);
    return st;
}

static void wheel(struct xtest *x, int notches, int back, int forth)
{
    int button = notches < 0 ? back : forth;
    for (int i = 0; i < abs(notches) && !stopped(x); i++) {
        set_button(x, button, true);
        set_button(x, button, false);
        pace(x, SCROLL_GAP_NS);
    }
}

static enum dh_status pointer_action(struct xtest *x, const struct dh_action *a,
                                     struct dh_diag *why)
{
    switch ((int)a->op) {
    case DH_ACTION_CLICK: click(x, a->button, a->count); break;
    case DH_ACTION_DOWN: set_button(x, a->button, true); break;
    case DH_ACTION_UP: set_button(x, a->button, false); break;
    case DH_ACTION_PRESS:
        set_button(x, a->button, true);
        hold_for(x, a->duration_ms * DH_MS);
        set_button(x, a->button, false);
        break;
    case DH_ACTION_SCROLL:
        wheel(x, a->dy, 4, 5);
        wheel(x, a->dx, 6, 7);
        break;
    case DH_ACTION_DRAG: return drag(x, a, why);
    default: break;
    }
    return DH_OK;
}

static enum dh_status
perform_pointer(struct xtest *x, const struct dh_action *a, struct dh_diag *why)
{
    enum dh_status st = DH_OK;
    if (a->button < 0 || a->button >= BUTTON_MAX) {
        dh_diag_set(why, 0, "there is no mouse button %d", a->button);
        return DH_ERR_RANGE;
    }
    if (a->has_at && a->op != DH_ACTION_DRAG)
        st = move_to(x, a->at, why);
    if (!st)
        st = mods_down(x, a->mods, why);
    if (!st)
        st = pointer_action(x, a, why);
    mods_up(x, a->mods);
    XSync(x->dpy, False);
    return st ? st : ended(x);
}

/* --- keys --- */

// Caps Lock would change the case of what is typed.
static void caps_off(struct xtest *x)
{
    XkbStateRec state;
    x->lock_caps = XkbGetState(x->dpy, XkbUseCoreKbd, &state) == Success &&
                   state.locked_mods & LockMask;
    if (x->lock_caps)
        XkbLockModifiers(x->dpy, XkbUseCoreKbd, LockMask, 0);
}

static void caps_back(struct xtest *x)
{
    if (x->lock_caps)
        XkbLockModifiers(x->dpy, XkbUseCoreKbd, LockMask, LockMask);
    x->lock_caps = false;
}

static unsigned level_mods(const struct xtest *x, unsigned real)
{
    unsigned mods = real & ShiftMask ? DH_MOD_SHIFT : 0;
    if (x->keys.level3 && real & x->keys.level3)
        mods |= DH_MOD_ALTGR;
    return mods;
}

static enum dh_status tap(struct xtest *x, struct dh_keystroke k, unsigned mods,
                          struct dh_diag *why)
{
    mods |= level_mods(x, k.mods);
    enum dh_status st = mods_down(x, mods, why);
    if (!st) {
        set_key(x, k.code, true);
        set_key(x, k.code, false);
    }
    mods_up(x, mods);
    return st;
}

static uint32_t keysym_by_x_name(const char *name)
{
    return (uint32_t)XStringToKeysym(name);
}

// All strokes are found before the first is pressed.
static enum dh_status find_chords(struct xtest *x, const struct dh_action *a,
                                  struct dh_chord *chords,
                                  struct dh_keystroke *strokes, size_t *n,
                                  struct dh_diag *why)
{
    enum dh_status st =
        dh_keys_parse(a->text, keysym_by_x_name, chords, n, why);
    for (size_t i = 0; i < *n && !st; i++) {
        bool lent;
        st = dh_xkeys_lend(&x->keys, chords[i].keysym, &strokes[i], &lent);
        if (st)
            dh_diag_set(why, 0, "no key of this keyboard gives \"%s\"",
                        XKeysymToString(chords[i].keysym));
        else if (lent)
            pace(x, MAPPING_WAIT_NS);
    }
    return st;
}

static enum dh_status press_keys(struct xtest *x, const struct dh_action *a,
                                 struct dh_diag *why)
{
    struct dh_chord chords[DH_CHORDS_MAX];
    struct dh_keystroke strokes[DH_CHORDS_MAX];
    size_t n = 0;
    enum dh_status st = find_chords(x, a, chords, strokes, &n, why);
    for (int r = 0; r < a->repeat && !st; r++) {
        for (size_t i = 0; i < n && !st && !stopped(x); i++) {
            st = tap(x, strokes[i], chords[i].mods, why);
            pace(x, x->o.key_gap_ns);
        }
    }
    return st;
}

static enum dh_status hold_keys(struct xtest *x, const struct dh_action *a,
                                struct dh_diag *why)
{
    struct dh_chord chords[DH_CHORDS_MAX];
    struct dh_keystroke strokes[DH_CHORDS_MAX];
    size_t n = 0;
    enum dh_status st = find_chords(x, a, chords, strokes, &n, why);
    for (size_t i = 0; i < n && !st; i++) {
        st = mods_down(x, chords[i].mods | level_mods(x, strokes[i].mods), why);
        if (!st)
            set_key(x, strokes[i].code, true);
    }
    if (!st)
        hold_for(x, a->duration_ms * DH_MS);
    for (size_t i = n; i-- > 0;) {
        set_key(x, strokes[i].code, false);
        mods_up(x, chords[i].mods | level_mods(x, strokes[i].mods));
    }
    return st;
}

static enum dh_status stroke_of_char(struct xtest *x, uint32_t cp,
                                     struct dh_keystroke *out, bool *lent,
                                     struct dh_diag *why)
{
    KeySym sym = dh_keysym_of_char(cp);
    enum dh_status st =
        sym ? dh_xkeys_lend(&x->keys, sym, out, lent) : DH_ERR_NOTFOUND;
    if (st)
        dh_diag_set(why, 0, "U+%04X cannot be typed on this keyboard",
                    (unsigned)cp);
    return st;
}

// First every symbol gets its key, then all are pressed: a keymap that changes
// between two keys is how other programs lose characters.
static enum dh_status find_text(struct xtest *x, struct dh_str text,
                                struct dh_diag *why)
{
    bool any = false;
    for (size_t i = 0; i < text.n;) {
        struct dh_keystroke k;
        uint32_t cp;
        bool lent = false;
        i += dh_utf8_read(text.p + i, text.n - i, &cp);
        enum dh_status st = stroke_of_char(x, cp, &k, &lent, why);
        if (st)
            return st;
        any |= lent;
    }
    if (any)
        pace(x, MAPPING_WAIT_NS);
    return DH_OK;
}

static enum dh_status type_text(struct xtest *x, const struct dh_action *a,
                                struct dh_diag *why)
{
    struct dh_str text = dh_str_of(a->text);
    enum dh_status st = find_text(x, text, why);
    for (size_t i = 0; i < text.n && !st && !stopped(x);) {
        struct dh_keystroke k;
        uint32_t cp;
        bool lent,
            crlf = i + 1 < text.n && text.p[i] == '\r' && text.p[i + 1] == '\n';
        i += dh_utf8_read(text.p + i, text.n - i, &cp);
        if (crlf)
            continue;
        st = stroke_of_char(x, cp, &k, &lent, why);
        if (!st)
            st = tap(x, k, 0, why);
        pace(x, x->o.key_gap_ns);
    }
    return st;
}

static enum dh_status perform_keys(struct xtest *x, const struct dh_action *a,
                                   struct dh_diag *why)
{
    enum dh_status st = dh_xkeys_refresh(&x->keys);
    if (st)
        return dh_x11_is_lost(x->dpy) ? DH_ERR_CLOSED : st;
    caps_off(x);
    if (a->op == DH_ACTION_TYPE)
        st = type_text(x, a, why);
    else if (a->op == DH_ACTION_KEY)
        st = press_keys(x, a, why);
    else
        st = hold_keys(x, a, why);
    caps_back(x);
    XSync(x->dpy, False);
    return st ? st : ended(x);
}

static enum dh_status perform(struct dh_sink *s, const struct dh_action *a,
                              struct dh_cancel *cancel, struct dh_diag *why)
{
    struct xtest *x = (struct xtest *)s;
    x->cancel = cancel;
    enum dh_status st = ended(x);
    if (st)
        return st;
    dh_assert(a->on_screen || !(a->has_at || a->has_start));
    if (dh_action_is_pointer(a))
        return perform_pointer(x, a, why);
    bool keys = a->op == DH_ACTION_TYPE || a->op == DH_ACTION_KEY ||
                a->op == DH_ACTION_HOLD_KEY;
    return keys && a->text ? perform_keys(x, a, why) : DH_OK;
}

static const struct dh_sink_ops xtest_ops = { "xtest", perform, release,
                                              destroy };

static int64_t or_default(int64_t v, int64_t otherwise)
{
    return v ? v : otherwise;
}

enum dh_status dh_xtest_create(struct dh_sink **out, const char *display,
                               const struct dh_xtest_options *o)
{
    struct xtest *x;
    int event, error, major, minor;
    dh_new(x);
    x->sink.ops = &xtest_ops;
    if (o)
        x->o = *o;
    x->o.key_gap_ns = or_default(x->o.key_gap_ns, 2 * DH_MS);
    x->o.hold_ns = or_default(x->o.hold_ns, 10 * DH_MS);
    x->o.click_gap_ns = or_default(x->o.click_gap_ns, 40 * DH_MS);
    x->o.drag_ns = or_default(x->o.drag_ns, 300 * DH_MS);
    enum dh_status st = dh_x11_open(&x->dpy, display);
    if (!st && !XTestQueryExtension(x->dpy, &event, &error, &major, &minor)) {
        dh_error("the X server has no XTEST extension, so nothing can be "
                 "clicked or typed");
        st = DH_ERR_UNSUPPORTED;
    }
    if (!st) {
        // A grab of another client must not hold our input back.
        XTestGrabControl(x->dpy, True);
        st = dh_xkeys_init(&x->keys, x->dpy);
    }
    if (st) {
        destroy(&x->sink);
        return st;
    }
    *out = &x->sink;
    return DH_OK;
}
