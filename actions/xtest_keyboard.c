#include "actions/xtest_priv.h"

#include <string.h>

#include <X11/XKBlib.h>
#include <X11/Xlib.h>
#include <X11/extensions/XTest.h>
#include <X11/keysym.h>

#include "actions/keymap.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/x11.h"

#define DH_LOG_TAG "xtest"
#include "base/log.h"

#define REPEAT_GAP_NS (20 * DH_MS)
#define PERSON_NS     (2 * DH_S) // for a person to let go of a key
#define FOCUS_NS      (1 * DH_S) // for a window manager to give the focus on
#define ALL_MODS      0xffu

static const struct {
    unsigned mod;
    KeySym sym;
} mod_keys[] = {
    { DH_MOD_SHIFT, XK_Shift_L },
    { DH_MOD_CONTROL, XK_Control_L },
    { DH_MOD_ALT, XK_Alt_L },
    { DH_MOD_SUPER, XK_Super_L },
    { DH_MOD_ALTGR, XK_ISO_Level3_Shift },
    { DH_XTEST_LEVEL5, XK_ISO_Level5_Shift },
};

static KeyCode code_of_mod(struct dh_xtest *x, KeySym sym)
{
    struct dh_keystroke k;
    if (sym == XK_Shift_L && x->keys.shift_code)
        return x->keys.shift_code;
    if (sym == XK_ISO_Level3_Shift && x->keys.level3_code)
        return x->keys.level3_code;
    if (sym == XK_ISO_Level5_Shift && x->keys.level5_code)
        return x->keys.level5_code;
    return dh_xkeys_find(&x->keys, sym, &k) ? 0 : k.code;
}

enum dh_status dh_xtest_mods_down(struct dh_xtest *x, unsigned mods,
                                  struct dh_diag *why)
{
    for (size_t i = 0; i < DH_COUNTOF(mod_keys); i++) {
        if (!(mods & mod_keys[i].mod))
            continue;
        KeyCode code = code_of_mod(x, mod_keys[i].sym);
        if (!code) {
            dh_diag_set(why, 0, "this keyboard has no %s key",
                        XKeysymToString(mod_keys[i].sym));
            return DH_ERR_NOTFOUND;
        }
        if (!dh_xtest_is_down(x, code))
            x->key_kept[code] = false;
        dh_xtest_key(x, code, true);
    }
    return DH_OK;
}

void dh_xtest_mods_up(struct dh_xtest *x, unsigned mods)
{
    for (size_t i = DH_COUNTOF(mod_keys); i-- > 0;) {
        if (!(mods & mod_keys[i].mod))
            continue;
        KeyCode code = code_of_mod(x, mod_keys[i].sym);
        if (code && !x->key_kept[code])
            dh_xtest_key(x, code, false);
    }
}

static unsigned our_mods(const struct dh_xtest *x)
{
    unsigned mods = 0;
    for (int c = 0; c < 256; c++)
        if (dh_xtest_is_down(x, (KeyCode)c))
            mods |= x->keys.map->map->modmap[c];
    return mods;
}

// Only the device that pressed a key can let it go, so this works for what
// another program holds, and not for a person's hand.
static void let_go_of_foreign(struct dh_xtest *x)
{
    char down[32], after[32];
    XQueryKeymap(x->dpy, down);
    for (int c = 8; c < 256; c++)
        if (down[c / 8] >> (c % 8) & 1 && !dh_xtest_is_down(x, (KeyCode)c) &&
            x->keys.map->map->modmap[c])
            XTestFakeKeyEvent(x->dpy, (unsigned)c, False, CurrentTime);
    XQueryKeymap(x->dpy, after);
    for (int c = 8; c < 256; c++)
        if ((down[c / 8] & ~after[c / 8]) >> (c % 8) & 1 &&
            x->was.n_foreign < (int)DH_COUNTOF(x->was.foreign))
            x->was.foreign[x->was.n_foreign++] = (KeyCode)c;
}

// A modifier that a person holds would change every key.
static enum dh_status wait_for_person(struct dh_xtest *x, struct dh_diag *why)
{
    unsigned ours = our_mods(x);
    int64_t until = dh_now_ns() + PERSON_NS;
    XkbStateRec state;
    XkbSelectEventDetails(x->dpy, XkbUseCoreKbd, XkbStateNotify,
                          XkbModifierBaseMask, XkbModifierBaseMask);
    bool held = true;
    while (held && !dh_xtest_stopped(x)) {
        XEvent e;
        held = XkbGetState(x->dpy, XkbUseCoreKbd, &state) == Success &&
               state.base_mods & ~ours;
        if (!held || dh_x11_wait_event(x->dpy, until))
            break;
        XNextEvent(x->dpy, &e);
        dh_xkeys_note(&x->keys, &e);
    }
    if (!dh_x11_is_lost(x->dpy))
        XkbSelectEventDetails(x->dpy, XkbUseCoreKbd, XkbStateNotify,
                              XkbModifierBaseMask, 0);
    if (!held || dh_xtest_stopped(x))
        return DH_OK;
    dh_diag_set(why, 0, "somebody holds a modifier key down: nothing typed");
    return DH_ERR_REFUSED;
}

// What the sink before us has lent is there to be used, and ours to give back.
static void adopt_lent(struct dh_xtest *x)
{
    KeyCode codes[DH_XTEST_KEYS];
    if (x->adopted)
        return;
    x->adopted = true;
    dh_xkeys_adopt(&x->keys, codes, dh_lent_adopt(x->held, x->dpy, codes));
}

// Caps Lock, another group or a held key would change what is typed. They are
// taken out of the way here and put back by keyboard_back.
static enum dh_status keyboard_own(struct dh_xtest *x, struct dh_diag *why)
{
    XkbStateRec state;
    memset(&x->was, 0, sizeof x->was);
    enum dh_status st = dh_xkeys_refresh(&x->keys, &state);
    if (st)
        return dh_x11_is_lost(x->dpy) ? DH_ERR_CLOSED : st;
    adopt_lent(x);
    x->was.locked = state.locked_mods;
    x->was.group = state.locked_group;
    x->was.now = x->keys.group;
    // Before it is done: the guardian would put it back.
    x->held->locks = state.locked_mods;
    if (state.locked_mods)
        XkbLockModifiers(x->dpy, XkbUseCoreKbd, ALL_MODS, 0);
    if (state.latched_mods)
        XkbLatchModifiers(x->dpy, XkbUseCoreKbd, ALL_MODS, 0);
    if (!(state.base_mods & ~our_mods(x)))
        return DH_OK;
    let_go_of_foreign(x);
    return wait_for_person(x, why);
}

static void keyboard_back(struct dh_xtest *x)
{
    if (dh_x11_is_lost(x->dpy))
        return;
    for (int i = 0; i < x->was.n_foreign; i++)
        XTestFakeKeyEvent(x->dpy, x->was.foreign[i], True, CurrentTime);
    if (x->was.now != x->keys.group)
        XkbLockGroup(x->dpy, XkbUseCoreKbd, (unsigned)x->was.group);
    if (x->was.locked)
        XkbLockModifiers(x->dpy, XkbUseCoreKbd, ALL_MODS, x->was.locked);
    memset(&x->was, 0, sizeof x->was);
    dh_xtest_sync(x);
    x->held->locks = 0;
    x->held->group = 0;
}

void dh_xtest_group(struct dh_xtest *x, int group)
{
    if (x->was.now == group)
        return;
    x->was.now = group;
    x->held->group = 1 + x->was.group;
    XkbLockGroup(x->dpy, XkbUseCoreKbd, (unsigned)group);
}

unsigned dh_xtest_level_mods(const struct dh_xtest *x, unsigned real)
{
    unsigned mods = real & x->keys.shift ? DH_MOD_SHIFT : 0;
    if (real & x->keys.level3)
        mods |= DH_MOD_ALTGR;
    if (real & x->keys.level5)
        mods |= DH_XTEST_LEVEL5;
    return mods;
}

static uint32_t keysym_by_x_name(const char *name)
{
    return (uint32_t)XStringToKeysym(name);
}

// A chord's key by its character: layouts name some with older keysyms.
static enum dh_status find_key(struct dh_xtest *x, KeySym sym,
                               struct dh_keystroke *out)
{
    enum dh_status st = dh_xkeys_find(&x->keys, sym, out);
    KeySym old =
        sym > 0x01000000 ? dh_keysym_old((uint32_t)sym - 0x01000000) : 0;
    if (st && old)
        st = dh_xkeys_find(&x->keys, old, out);
    if (st != DH_ERR_NOTFOUND)
        return st;
    dh_xtest_drain(x);
    st = dh_xkeys_lend(&x->keys, &sym, 1);
    return st ? st : dh_xkeys_find(&x->keys, sym, out);
}

struct strokes {
    struct dh_chord chords[DH_CHORDS_MAX];
    struct dh_keystroke at[DH_CHORDS_MAX];
    size_t n;
};

// All strokes are found before the first is pressed.
static enum dh_status find_chords(struct dh_xtest *x, const struct dh_action *a,
                                  struct strokes *s, struct dh_diag *why)
{
    struct dh_keys_options o = { keysym_by_x_name, x->o.cmd_is_ctrl };
    struct dh_diag said = { 0 };
    s->n = 0;
    enum dh_status st = dh_keys_parse_as(a->text, &o, s->chords, &s->n, &said);
    if (said.text[0] && !st)
        dh_info("%s: %s", a->text, said.text);
    else if (said.text[0])
        dh_diag_set(why, said.offset, "%s", said.text);
    for (size_t i = 0; i < s->n && !st; i++) {
        st = find_key(x, s->chords[i].keysym, &s->at[i]);
        // It may paste, and where we pasted last the text may still be ours.
        if (s->chords[i].mods && x->clip)
            dh_owner_settle(x->clip);
        const char *name = XKeysymToString(s->chords[i].keysym);
        if (st)
            dh_diag_set(why, 0, "no key of this keyboard gives \"%s\"",
                        name ? name : a->text);
    }
    return st;
}

static enum dh_status chord_down(struct dh_xtest *x, const struct strokes *s,
                                 size_t i, struct dh_diag *why)
{
    unsigned mods = s->chords[i].mods | dh_xtest_level_mods(x, s->at[i].mods);
    dh_xtest_group(x, s->at[i].group);
    enum dh_status st = dh_xtest_mods_down(x, mods, why);
    if (!st)
        dh_xtest_key(x, s->at[i].code, true);
    if (dh_xkeys_is_lent(&x->keys, s->at[i].code))
        x->keys.used_ns = dh_now_ns();
    return st;
}

static void chord_up(struct dh_xtest *x, const struct strokes *s, size_t i)
{
    if (!x->key_kept[s->at[i].code])
        dh_xtest_key(x, s->at[i].code, false);
    dh_xtest_mods_up(x,
                     s->chords[i].mods | dh_xtest_level_mods(x, s->at[i].mods));
}

enum dh_status dh_xtest_chords(struct dh_xtest *x, const struct dh_action *a,
                               struct dh_diag *why)
{
    struct strokes s;
    enum dh_status st = find_chords(x, a, &s, why);
    size_t all = s.n * (size_t)a->repeat;
    for (size_t i = 0; i < all && !st && !dh_xtest_stopped(x); i++) {
        if (i)
            dh_xtest_pace(x, REPEAT_GAP_NS);
        st = chord_down(x, &s, i % s.n, why);
        chord_up(x, &s, i % s.n);
    }
    return st;
}

static enum dh_status hold_keys(struct dh_xtest *x, const struct dh_action *a,
                                struct dh_diag *why)
{
    struct strokes s;
    enum dh_status st = find_chords(x, a, &s, why);
    for (size_t i = 0; i < s.n && !st; i++)
        st = chord_down(x, &s, i, why);
    if (!st)
        dh_xtest_hold(x, (a->duration_ms < 0 ? 1000 : a->duration_ms) * DH_MS);
    for (size_t i = s.n; i-- > 0;)
        chord_up(x, &s, i);
    return st;
}

// The keys of a chord stay down, its modifiers too.
static enum dh_status keys_down(struct dh_xtest *x, const struct dh_action *a,
                                struct dh_diag *why)
{
    struct strokes s;
    enum dh_status st = find_chords(x, a, &s, why);
    for (size_t i = 0; i < s.n && !st; i++)
        st = chord_down(x, &s, i, why);
    for (int c = 0; c < 256; c++)
        x->key_kept[c] = !st && dh_xtest_is_down(x, (KeyCode)c);
    if (st)
        for (size_t i = s.n; i-- > 0;)
            chord_up(x, &s, i);
    return st;
}

static enum dh_status keys_up(struct dh_xtest *x, const struct dh_action *a,
                              struct dh_diag *why)
{
    struct strokes s;
    enum dh_status st = find_chords(x, a, &s, why);
    for (int c = 0; c < 256; c++)
        if (!st)
            x->key_kept[c] = x->key_kept[c] && dh_xtest_is_down(x, (KeyCode)c);
    for (size_t i = s.n; i-- > 0 && !st;) {
        x->key_kept[s.at[i].code] = false;
        for (size_t m = 0; m < DH_COUNTOF(mod_keys); m++)
            if (s.chords[i].mods & mod_keys[m].mod)
                x->key_kept[code_of_mod(x, mod_keys[m].sym)] = false;
        chord_up(x, &s, i);
    }
    return st;
}

void dh_xtest_drain(struct dh_xtest *x)
{
    struct dh_xfocus focus;
    if (!x->keys.used_ns)
        return;
    XSync(x->dpy, False);
    dh_xfocus_read(x->dpy, &focus);
    if (dh_xfocus_drain(x, &focus, 1 * DH_S))
        x->keys.used_ns = 0;
}

static enum dh_status
keyboard_act(struct dh_xtest *x, const struct dh_action *a, struct dh_diag *why)
{
    if (a->op == DH_ACTION_TYPE)
        return dh_xtest_type(x, a, why);
    if (a->op == DH_ACTION_KEY)
        return dh_xtest_chords(x, a, why);
    if (a->op == DH_ACTION_KEY_DOWN)
        return keys_down(x, a, why);
    if (a->op == DH_ACTION_KEY_UP)
        return keys_up(x, a, why);
    return hold_keys(x, a, why);
}

enum dh_status dh_xtest_keyboard(struct dh_xtest *x, const struct dh_action *a,
                                 struct dh_diag *why)
{
    // Text for nobody is lost; a chord may be for the window manager.
    if (a->op == DH_ACTION_TYPE)
        dh_xfocus_wait(x, FOCUS_NS);
    enum dh_status st = keyboard_own(x, why);
    if (!st && !dh_xtest_stopped(x))
        st = keyboard_act(x, a, why);
    keyboard_back(x);
    return st ? st : dh_xtest_ended(x);
}
