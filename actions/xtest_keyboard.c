#include "actions/xtest_priv.h"

#include <X11/XKBlib.h>
#include <X11/Xlib.h>
#include <X11/keysym.h>

#include "actions/keymap.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/x11.h"

#define MAPPING_WAIT_NS (40 * DH_MS) // clients read a changed keymap

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

enum dh_status dh_xtest_mods_down(struct dh_xtest *x, unsigned mods,
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
        dh_xtest_key(x, code, true);
    }
    return DH_OK;
}

void dh_xtest_mods_up(struct dh_xtest *x, unsigned mods)
{
    for (size_t i = DH_COUNTOF(mod_keys); i-- > 0;) {
        KeyCode code = XKeysymToKeycode(x->dpy, mod_keys[i].sym);
        if (mods & mod_keys[i].mod && code)
            dh_xtest_key(x, code, false);
    }
}

// Caps Lock would change the case of what is typed.
static void caps_off(struct dh_xtest *x)
{
    XkbStateRec state;
    x->lock_caps = XkbGetState(x->dpy, XkbUseCoreKbd, &state) == Success &&
                   state.locked_mods & LockMask;
    if (x->lock_caps) {
        x->held->locks = LockMask; // before: the guardian puts it back
        XkbLockModifiers(x->dpy, XkbUseCoreKbd, LockMask, 0);
    }
}

static void caps_back(struct dh_xtest *x)
{
    if (x->lock_caps) {
        XkbLockModifiers(x->dpy, XkbUseCoreKbd, LockMask, LockMask);
        dh_xtest_sync(x);
    }
    x->held->locks = 0;
    x->lock_caps = false;
}

static unsigned level_mods(const struct dh_xtest *x, unsigned real)
{
    unsigned mods = real & ShiftMask ? DH_MOD_SHIFT : 0;
    if (x->keys.level3 && real & x->keys.level3)
        mods |= DH_MOD_ALTGR;
    return mods;
}

static enum dh_status tap(struct dh_xtest *x, struct dh_keystroke k,
                          unsigned mods, struct dh_diag *why)
{
    mods |= level_mods(x, k.mods);
    enum dh_status st = dh_xtest_mods_down(x, mods, why);
    if (!st) {
        dh_xtest_key(x, k.code, true);
        dh_xtest_key(x, k.code, false);
    }
    dh_xtest_mods_up(x, mods);
    return st;
}

static uint32_t keysym_by_x_name(const char *name)
{
    return (uint32_t)XStringToKeysym(name);
}

// All strokes are found before the first is pressed.
static enum dh_status find_chords(struct dh_xtest *x, const struct dh_action *a,
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
            dh_xtest_pace(x, MAPPING_WAIT_NS);
    }
    return st;
}

static enum dh_status press_keys(struct dh_xtest *x, const struct dh_action *a,
                                 struct dh_diag *why)
{
    struct dh_chord chords[DH_CHORDS_MAX];
    struct dh_keystroke strokes[DH_CHORDS_MAX];
    size_t n = 0;
    enum dh_status st = find_chords(x, a, chords, strokes, &n, why);
    for (int r = 0; r < a->repeat && !st; r++) {
        for (size_t i = 0; i < n && !st && !dh_xtest_stopped(x); i++) {
            st = tap(x, strokes[i], chords[i].mods, why);
            dh_xtest_pace(x, x->o.key_gap_ns);
        }
    }
    return st;
}

static enum dh_status hold_keys(struct dh_xtest *x, const struct dh_action *a,
                                struct dh_diag *why)
{
    struct dh_chord chords[DH_CHORDS_MAX];
    struct dh_keystroke strokes[DH_CHORDS_MAX];
    size_t n = 0;
    enum dh_status st = find_chords(x, a, chords, strokes, &n, why);
    for (size_t i = 0; i < n && !st; i++) {
        st = dh_xtest_mods_down(
            x, chords[i].mods | level_mods(x, strokes[i].mods), why);
        if (!st)
            dh_xtest_key(x, strokes[i].code, true);
    }
    if (!st)
        dh_xtest_hold(x, a->duration_ms * DH_MS);
    for (size_t i = n; i-- > 0;) {
        dh_xtest_key(x, strokes[i].code, false);
        dh_xtest_mods_up(x, chords[i].mods | level_mods(x, strokes[i].mods));
    }
    return st;
}

static enum dh_status stroke_of_char(struct dh_xtest *x, uint32_t cp,
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
static enum dh_status find_text(struct dh_xtest *x, struct dh_str text,
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
        dh_xtest_pace(x, MAPPING_WAIT_NS);
    return DH_OK;
}

static enum dh_status type_text(struct dh_xtest *x, const struct dh_action *a,
                                struct dh_diag *why)
{
    struct dh_str text = dh_str_of(a->text);
    enum dh_status st = find_text(x, text, why);
    for (size_t i = 0; i < text.n && !st && !dh_xtest_stopped(x);) {
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
        dh_xtest_pace(x, x->o.key_gap_ns);
    }
    return st;
}

enum dh_status dh_xtest_keyboard(struct dh_xtest *x, const struct dh_action *a,
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
    dh_xtest_sync(x);
    return st ? st : dh_xtest_ended(x);
}
