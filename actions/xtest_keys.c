#include <string.h>

#include <X11/keysym.h>

#include "actions/xtest_priv.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/x11.h"

// A program looks a key up when it gets to it, which may be after we have gone;
// a lent key stays for so long where nobody said that it was read.
#define LENT_FOR_NS (1 * DH_S)

#define DH_LOG_TAG "xtest"
#include "base/log.h"

// What this key gives in this group with these real modifiers.
static KeySym symbol_at(const struct dh_xkeys *k, int code, unsigned mods,
                        int group)
{
    unsigned state = XkbBuildCoreState(mods, (unsigned)group), used;
    KeySym sym = NoSymbol;
    XkbTranslateKeyCode(k->map, (KeyCode)code, state, &used, &sym);
    return sym;
}

// The first key whose lowest level is this modifier, and the modifier's bit.
static unsigned find_modifier(const struct dh_xkeys *k, KeySym sym,
                              KeyCode *code)
{
    *code = 0;
    for (int c = k->map->min_key_code; c <= k->map->max_key_code; c++) {
        unsigned bits = k->map->map->modmap[c];
        if (!bits || symbol_at(k, c, 0, 0) != sym)
            continue;
        *code = (KeyCode)c;
        return bits;
    }
    return 0;
}

static bool is_spare(const struct dh_xkeys *k, int code)
{
    return XkbKeyNumGroups(k->map, code) == 0 ||
           XkbKeyNumSyms(k->map, code) == 0;
}

// Another keymap may have taken what we lent, and may have other spare keys.
static void list_spares(struct dh_xkeys *k)
{
    int n = (int)DH_COUNTOF(k->spare), kept = 0;
    for (int i = 0; i < k->n_lent; i++) {
        if (symbol_at(k, k->spare[i], 0, 0) != k->lent[i][0]) {
            if (k->held)
                dh_held_give_back(k->held, k->spare[i]);
            continue;
        }
        k->spare[kept] = k->spare[i];
        k->lent[kept][0] = k->lent[i][0];
        k->lent[kept++][1] = k->lent[i][1];
    }
    k->n_lent = k->n_spare = kept;
    for (int c = k->map->max_key_code; c >= k->map->min_key_code; c--)
        if (k->n_spare < n && is_spare(k, c))
            k->spare[k->n_spare++] = (KeyCode)c;
}

static enum dh_status read_map(struct dh_xkeys *k)
{
    if (k->map)
        XkbFreeKeyboard(k->map, 0, True);
    k->map = XkbGetMap(k->dpy, XkbAllClientInfoMask, XkbUseCoreKbd);
    memset(k->memo, 0, sizeof k->memo);
    if (!k->map) {
        dh_error("the X server does not tell its keymap");
        return DH_ERR_IO;
    }
    k->n_groups = 1;
    for (int c = k->map->min_key_code; c <= k->map->max_key_code; c++)
        k->n_groups = DH_MAX(k->n_groups, XkbKeyNumGroups(k->map, c));
    k->shift = find_modifier(k, XK_Shift_L, &k->shift_code);
    k->level3 = find_modifier(k, XK_ISO_Level3_Shift, &k->level3_code);
    k->level5 = find_modifier(k, XK_ISO_Level5_Shift, &k->level5_code);
    k->stale = false;
    list_spares(k);
    return DH_OK;
}

void dh_xkeys_note(struct dh_xkeys *k, XEvent *e)
{
    int what = e->type == k->event ? ((XkbEvent *)e)->any.xkb_type : -1;
    bool pointer =
        e->type == MappingNotify && e->xmapping.request == MappingPointer;
    k->pointer_stale |= pointer;
    if (e->type == MappingNotify && !pointer)
        XRefreshKeyboardMapping(&e->xmapping);
    if ((e->type == MappingNotify && !pointer) || what == XkbMapNotify ||
        what == XkbNewKeyboardNotify)
        k->stale = true;
}

// A round trip was made, so what the server told before it is in the queue.
static void note_changes(struct dh_xkeys *k)
{
    while (XEventsQueued(k->dpy, QueuedAlready) > 0) {
        XEvent e;
        XNextEvent(k->dpy, &e);
        dh_xkeys_note(k, &e);
    }
}

enum dh_status dh_xkeys_refresh(struct dh_xkeys *k, XkbStateRec *state)
{
    if (XkbGetState(k->dpy, XkbUseCoreKbd, state)) {
        dh_error("the X server does not tell the state of its keyboard");
        return DH_ERR_IO;
    }
    note_changes(k);
    if (k->group != state->group)
        memset(k->memo, 0, sizeof k->memo);
    k->group = state->group;
    return k->stale ? read_map(k) : DH_OK;
}

enum dh_status dh_xkeys_init(struct dh_xkeys *k, Display *dpy)
{
    XkbStateRec state;
    int op, error, major = XkbMajorVersion, minor = XkbMinorVersion;
    memset(k, 0, sizeof *k);
    k->dpy = dpy;
    k->stale = true;
    if (!XkbQueryExtension(dpy, &op, &k->event, &error, &major, &minor)) {
        dh_error("the X server has no XKB extension, so its keymap cannot be "
                 "read");
        return DH_ERR_UNSUPPORTED;
    }
    unsigned what = XkbMapNotifyMask | XkbNewKeyboardNotifyMask;
    XkbSelectEvents(dpy, XkbUseCoreKbd, what, what);
    return dh_xkeys_refresh(k, &state);
}

// The only two places where the keymap is changed.
static void bind_key(struct dh_xkeys *k, KeySym plain, KeySym shifted)
{
    KeySym syms[2] = { plain, shifted };
    k->lent[k->n_lent][0] = plain;
    k->lent[k->n_lent][1] = shifted;
    if (k->held)
        dh_held_lend(k->held, k->spare[k->n_lent], NULL, 0);
    XChangeKeyboardMapping(k->dpy, k->spare[k->n_lent++], 2, syms, 1);
}

static void unbind_key(struct dh_xkeys *k)
{
    KeySym none[2] = { NoSymbol, NoSymbol };
    XChangeKeyboardMapping(k->dpy, k->spare[--k->n_lent], 2, none, 1);
}

void dh_xkeys_unlend(struct dh_xkeys *k)
{
    if (k->n_lent && k->used_ns)
        dh_sleep_until(k->used_ns + LENT_FOR_NS);
    int n = k->n_lent;
    while (k->n_lent)
        unbind_key(k);
    XSync(k->dpy, False);
    for (int i = 0; i < n && k->held; i++)
        dh_held_give_back(k->held, k->spare[i]);
    memset(k->memo, 0, sizeof k->memo);
    k->used_ns = 0;
}

void dh_xkeys_finish(struct dh_xkeys *k)
{
    if (!k->dpy)
        return;
    if (!dh_x11_is_lost(k->dpy))
        dh_xkeys_unlend(k);
    if (k->map)
        XkbFreeKeyboard(k->map, 0, True);
    memset(k, 0, sizeof *k);
}

static bool find_in_group(const struct dh_xkeys *k, KeySym sym, int group,
                          struct dh_keystroke *out)
{
    unsigned l3 = k->level3, l5 = k->level5, s = k->shift;
    unsigned tries[] = { 0, s, l3, l3 | s, l5, l5 | s, l3 | l5, l3 | l5 | s };
    size_t n = l5 ? DH_COUNTOF(tries) : l3 ? 4 : 2;
    for (size_t t = 0; t < n; t++) {
        for (int c = k->map->min_key_code; c <= k->map->max_key_code; c++) {
            if (symbol_at(k, c, tries[t], group) != sym)
                continue;
            *out = (struct dh_keystroke){ (KeyCode)c, (unsigned char)group,
                                          tries[t] };
            return true;
        }
    }
    return false;
}

static bool find_lent(const struct dh_xkeys *k, KeySym sym,
                      struct dh_keystroke *out)
{
    for (int i = 0; i < k->n_lent * 2; i++) {
        if (k->lent[i / 2][i % 2] != sym)
            continue;
        *out = (struct dh_keystroke){ k->spare[i / 2], (unsigned char)k->group,
                                      i % 2 ? k->shift : 0 };
        return true;
    }
    return false;
}

enum dh_status dh_xkeys_find(struct dh_xkeys *k, KeySym sym,
                             struct dh_keystroke *out)
{
    size_t slot = (sym ^ sym >> 9) % DH_XKEYS_MEMO;
    if (sym && k->memo[slot].sym == sym) {
        *out = k->memo[slot].stroke;
        return DH_OK;
    }
    bool found = find_in_group(k, sym, k->group, out) || find_lent(k, sym, out);
    for (int g = 0; g < k->n_groups && !found; g++)
        found = g != k->group && find_in_group(k, sym, g, out);
    if (!found)
        return DH_ERR_NOTFOUND;
    k->memo[slot].sym = sym;
    k->memo[slot].stroke = *out;
    return DH_OK;
}

// Without a Shift key the second symbol of a lent key cannot be had.
int dh_xkeys_room(const struct dh_xkeys *k)
{
    return (k->n_spare - k->n_lent) * (k->shift ? 2 : 1);
}

int dh_xkeys_room_max(const struct dh_xkeys *k)
{
    return k->n_spare * (k->shift ? 2 : 1);
}

bool dh_xkeys_is_lent(const struct dh_xkeys *k, KeyCode code)
{
    for (int i = 0; i < k->n_lent; i++)
        if (k->spare[i] == code)
            return true;
    return false;
}

enum dh_status dh_xkeys_lend(struct dh_xkeys *k, const KeySym *syms, int n)
{
    int each = k->shift ? 2 : 1;
    if (n > dh_xkeys_room(k))
        return DH_ERR_RANGE;
    if (!n)
        return DH_OK;
    dh_x11_trap_begin(k->dpy);
    for (int i = 0; i < n; i += each)
        bind_key(k, syms[i], each == 2 && i + 1 < n ? syms[i + 1] : syms[i]);
    return dh_x11_trap_end(k->dpy) ? DH_OK : DH_ERR_IO;
}
