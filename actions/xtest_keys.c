#include <string.h>

#include <X11/keysym.h>

#include "actions/xtest_priv.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/x11.h"

#define DH_LOG_TAG "xtest"
#include "base/log.h"

// A program looks a key up when it gets to it, which may be after we have gone;
// a lent key has to be there for so long.
#define LENT_FOR_NS (200 * DH_MS)

enum dh_status dh_xkeys_refresh(struct dh_xkeys *k)
{
    XkbStateRec state;
    if (k->map)
        XkbFreeKeyboard(k->map, 0, True);
    k->map = XkbGetMap(k->dpy, XkbAllClientInfoMask, XkbUseCoreKbd);
    if (!k->map || XkbGetState(k->dpy, XkbUseCoreKbd, &state)) {
        dh_error("the X server does not tell its keymap");
        return DH_ERR_IO;
    }
    k->group = state.group;
    k->level3 = XkbKeysymToModifiers(k->dpy, XK_ISO_Level3_Shift);
    return DH_OK;
}

static bool is_spare(const struct dh_xkeys *k, int code)
{
    return XkbKeyNumGroups(k->map, code) == 0 ||
           XkbKeyNumSyms(k->map, code) == 0;
}

enum dh_status dh_xkeys_init(struct dh_xkeys *k, Display *dpy)
{
    memset(k, 0, sizeof *k);
    k->dpy = dpy;
    enum dh_status st = dh_xkeys_refresh(k);
    if (st)
        return st;
    int n = (int)DH_COUNTOF(k->spare);
    for (int c = k->map->max_key_code; c >= k->map->min_key_code; c--)
        if (k->n_spare < n && is_spare(k, c))
            k->spare[k->n_spare++] = (KeyCode)c;
    return DH_OK;
}

void dh_xkeys_finish(struct dh_xkeys *k)
{
    if (!k->dpy)
        return;
    if (!dh_x11_is_lost(k->dpy)) {
        if (k->n_lent)
            dh_sleep_for(LENT_FOR_NS);
        KeySym none[2] = { NoSymbol, NoSymbol };
        for (int i = 0; i < k->n_lent; i++)
            XChangeKeyboardMapping(k->dpy, k->spare[i], 2, none, 1);
        XSync(k->dpy, False);
        for (int i = 0; i < k->n_lent && k->held; i++)
            dh_held_give_back(k->held, k->spare[i]);
    }
    if (k->map)
        XkbFreeKeyboard(k->map, 0, True);
    memset(k, 0, sizeof *k);
}

// What this key gives in the current group with these real modifiers.
static KeySym symbol_at(const struct dh_xkeys *k, int code, unsigned mods)
{
    unsigned state = XkbBuildCoreState(mods, (unsigned)k->group), used;
    KeySym sym = NoSymbol;
    XkbTranslateKeyCode(k->map, (KeyCode)code, state, &used, &sym);
    return sym;
}

enum dh_status dh_xkeys_find(struct dh_xkeys *k, KeySym sym,
                             struct dh_keystroke *out)
{
    unsigned tries[] = { 0, ShiftMask, k->level3, k->level3 | ShiftMask };
    size_t n = k->level3 ? DH_COUNTOF(tries) : 2;
    for (int i = 0; i < k->n_lent; i++) {
        if (k->lent[i] != sym)
            continue;
        *out = (struct dh_keystroke){ k->spare[i], 0 };
        return DH_OK;
    }
    for (size_t t = 0; t < n; t++) {
        for (int c = k->map->min_key_code; c <= k->map->max_key_code; c++) {
            if (symbol_at(k, c, tries[t]) != sym)
                continue;
            *out = (struct dh_keystroke){ (KeyCode)c, tries[t] };
            return DH_OK;
        }
    }
    return DH_ERR_NOTFOUND;
}

enum dh_status dh_xkeys_lend(struct dh_xkeys *k, KeySym sym,
                             struct dh_keystroke *out, bool *lent)
{
    *lent = false;
    if (dh_xkeys_find(k, sym, out) == DH_OK)
        return DH_OK;
    if (k->n_lent == k->n_spare)
        return DH_ERR_NOTFOUND;
    KeySym syms[2] = { sym, sym };
    KeyCode code = k->spare[k->n_lent];
    if (k->held)
        dh_held_lend(k->held, code, NULL, 0);
    dh_x11_trap_begin(k->dpy);
    XChangeKeyboardMapping(k->dpy, code, 2, syms, 1);
    if (!dh_x11_trap_end(k->dpy))
        return DH_ERR_IO;
    k->lent[k->n_lent++] = sym;
    *out = (struct dh_keystroke){ code, 0 };
    *lent = true;
    return DH_OK;
}
