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

static bool any_lent(const struct dh_xkeys *k)
{
    for (int i = 0; i < k->n_spare; i++)
        if (k->spare[i].syms[0])
            return true;
    return false;
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
    for (int i = 0; i < k->n_spare; i++) {
        KeyCode code = k->spare[i].code;
        if (k->spare[i].syms[0] &&
            symbol_at(k, code, 0, 0) == k->spare[i].syms[0])
            k->spare[kept++] = k->spare[i];
        else if (k->held)
            k->held->lent[code] = false;
    }
    k->n_spare = kept;
    for (int c = k->map->max_key_code; c >= k->map->min_key_code; c--) {
        if (k->n_spare == n || !is_spare(k, c))
            continue;
        memset(&k->spare[k->n_spare], 0, sizeof k->spare[0]);
        k->spare[k->n_spare++].code = (KeyCode)c;
    }
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

// The keymap of the server, which nobody else changes until the grab ends: what
// we send holds the keys between ours as well.
static enum dh_status grab_map(struct dh_xkeys *k)
{
    XGrabServer(k->dpy);
    XSync(k->dpy, False);
    note_changes(k);
    return k->stale ? read_map(k) : DH_OK;
}

static void set_key(XkbDescPtr map, KeyCode code, const KeySym syms[2],
                    XkbMapChangesPtr changes)
{
    int types[XkbNumKbdGroups] = { XkbTwoLevelIndex };
    int n = syms[0] ? 1 : 0;
    if (XkbChangeTypesOfKey(map, code, n, XkbGroup1Mask, types, NULL))
        return;
    for (int i = 0; i < n * 2; i++)
        XkbKeySymsPtr(map, code)[i] = syms[i] ? syms[i] : syms[0];
    int first = code, end = code + 1;
    if (changes->changed) {
        first = DH_MIN(first, changes->first_key_sym);
        end = DH_MAX(end, changes->first_key_sym + changes->num_key_syms);
    }
    changes->changed = XkbKeySymsMask;
    changes->first_key_sym = (KeyCode)first;
    changes->num_key_syms = (unsigned char)(end - first);
}

void dh_xkeys_clear(Display *dpy, XkbDescPtr map, const KeyCode *codes, int n)
{
    static const KeySym none[2] = { NoSymbol, NoSymbol };
    XkbMapChangesRec changes = { 0 };
    for (int i = 0; i < n; i++)
        set_key(map, codes[i], none, &changes);
    XkbChangeMap(dpy, map, &changes);
}

// Give lent keycodes back, after a while where nobody said that they were read.
static void unlend(struct dh_xkeys *k)
{
    KeyCode codes[DH_COUNTOF(k->spare)];
    int n = 0;
    if (!any_lent(k))
        return;
    if (k->used_ns)
        dh_sleep_until(k->used_ns + LENT_FOR_NS);
    // Without the keymap nothing can be said of the keys between.
    bool have = grab_map(k) == DH_OK;
    for (int i = 0; i < k->n_spare; i++)
        if (k->spare[i].syms[0])
            codes[n++] = k->spare[i].code;
    if (have && n)
        dh_xkeys_clear(k->dpy, k->map, codes, n);
    XUngrabServer(k->dpy);
    XSync(k->dpy, False);
    for (int i = 0; i < n && k->held; i++)
        k->held->lent[codes[i]] = false;
}

int64_t dh_xkeys_lent_until(const struct dh_xkeys *k)
{
    return any_lent(k) && k->used_ns ? k->used_ns + LENT_FOR_NS : 0;
}

void dh_xkeys_adopt(struct dh_xkeys *k, const KeyCode *codes, int n)
{
    for (int i = 0; i < n && k->n_spare < (int)DH_COUNTOF(k->spare); i++) {
        KeySym plain = symbol_at(k, codes[i], 0, 0);
        KeySym shifted = symbol_at(k, codes[i], k->shift, 0);
        if (!plain)
            continue;
        memset(&k->spare[k->n_spare], 0, sizeof k->spare[0]);
        k->spare[k->n_spare].code = codes[i];
        k->spare[k->n_spare].syms[0] = plain;
        // A lone symbol is on both levels.
        if (shifted != plain)
            k->spare[k->n_spare].syms[1] = shifted;
        k->n_spare++;
        k->used_ns = dh_now_ns();
    }
}

void dh_xkeys_finish(struct dh_xkeys *k, bool leave)
{
    if (!k->dpy)
        return;
    if (!leave && !dh_x11_is_lost(k->dpy))
        unlend(k);
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
    for (int i = 0; i < k->n_spare * 2; i++) {
        if (k->spare[i / 2].syms[i % 2] != sym)
            continue;
        *out = (struct dh_keystroke){ k->spare[i / 2].code,
                                      (unsigned char)k->group,
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
static int levels(const struct dh_xkeys *k)
{
    return k->shift ? 2 : 1;
}

int dh_xkeys_room(const struct dh_xkeys *k)
{
    return k->n_spare * levels(k);
}

bool dh_xkeys_is_lent(const struct dh_xkeys *k, KeyCode code)
{
    for (int i = 0; i < k->n_spare; i++)
        if (k->spare[i].code == code)
            return k->spare[i].syms[0] != NoSymbol;
    return false;
}

// Note that the batch has those that are lent; returns how many are not.
static int mark_lent(struct dh_xkeys *k, const KeySym *syms, int n)
{
    int missing = n;
    for (int i = 0; i < k->n_spare * 2; i++)
        for (int s = 0; s < n; s++)
            if (k->spare[i / 2].syms[i % 2] == syms[s]) {
                k->spare[i / 2].used[i % 2] = k->batch;
                missing--;
            }
    return missing;
}

static bool is_free(const struct dh_xkeys *k, int missing)
{
    for (int i = 0; i < k->n_spare * 2; i++)
        if (i % 2 < levels(k) && !k->spare[i / 2].syms[i % 2])
            missing--;
    return missing <= 0;
}

// Give the place of the oldest symbol to this one.
static void place(struct dh_xkeys *k, KeySym sym, XkbMapChangesPtr changes)
{
    int oldest = 0;
    for (int i = 0; i < k->n_spare * 2; i++)
        if (i % 2 < levels(k) &&
            k->spare[i / 2].used[i % 2] < k->spare[oldest / 2].used[oldest % 2])
            oldest = i;
    KeyCode code = k->spare[oldest / 2].code;
    k->spare[oldest / 2].syms[oldest % 2] = sym;
    k->spare[oldest / 2].used[oldest % 2] = k->batch;
    if (k->held)
        k->held->lent[code] = true;
    set_key(k->map, code, k->spare[oldest / 2].syms, changes);
}

static enum dh_status bind_missing(struct dh_xkeys *k, const KeySym *syms,
                                   int n)
{
    XkbMapChangesRec changes = { 0 };
    struct dh_keystroke at;
    enum dh_status st = grab_map(k);
    if (!st && n > dh_xkeys_room(k))
        st = DH_ERR_RANGE; // another keymap came meanwhile
    if (!st)
        mark_lent(k, syms, n);
    for (int i = 0; i < n && !st; i++)
        if (!find_lent(k, syms[i], &at))
            place(k, syms[i], &changes);
    if (changes.changed)
        XkbChangeMap(k->dpy, k->map, &changes);
    XUngrabServer(k->dpy);
    memset(k->memo, 0, sizeof k->memo);
    return st;
}

enum dh_status dh_xkeys_lend(struct dh_xkeys *k, const KeySym *syms, int n)
{
    if (n > dh_xkeys_room(k))
        return DH_ERR_RANGE;
    k->batch++;
    int missing = mark_lent(k, syms, n);
    if (!missing)
        return DH_OK;
    if (k->used_ns && !is_free(k, missing))
        dh_sleep_until(k->used_ns + LENT_FOR_NS);
    dh_x11_trap_begin(k->dpy);
    enum dh_status st = bind_missing(k, syms, n);
    if (!dh_x11_trap_end(k->dpy) && !st)
        st = DH_ERR_IO;
    return st;
}
