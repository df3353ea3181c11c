#include <string.h>

#include <X11/Xlib.h>

#include "actions/keymap.h"
#include "actions/secrets.h"
#include "actions/xtest_priv.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/x11.h"

#define BURST 64 // keys between two looks at what the server has done

struct letter {
    uint32_t cp;
    struct dh_keystroke stroke;
};

// One text on its way to the keyboard; it may hold a secret.
struct typing {
    struct letter *letters;
    size_t n;
    bool secret;
};

static bool find_letter(struct dh_xtest *x, struct letter *l)
{
    KeySym sym = dh_keysym_of_char(l->cp), old = dh_keysym_old(l->cp);
    if (sym && dh_xkeys_find(&x->keys, sym, &l->stroke) == DH_OK)
        return true;
    return old && dh_xkeys_find(&x->keys, old, &l->stroke) == DH_OK;
}

static bool holds(const KeySym *syms, int n, KeySym sym)
{
    for (int i = 0; i < n; i++)
        if (syms[i] == sym)
            return true;
    return false;
}

// From `from` on as many letters as can be typed with this keymap and all the
// lent symbols that there can be. Returns the end; *n of syms are to be lent.
static size_t reach(struct dh_xtest *x, struct typing *t, size_t from,
                    KeySym *syms, int *n)
{
    size_t i;
    *n = 0;
    for (i = from; i < t->n; i++) {
        struct letter *l = &t->letters[i];
        KeySym sym = dh_keysym_of_char(l->cp);
        if (holds(syms, *n, sym) ||
            (find_letter(x, l) && !dh_xkeys_is_lent(&x->keys, l->stroke.code)))
            continue;
        if (*n == dh_xkeys_room(&x->keys))
            break;
        syms[(*n)++] = sym;
    }
    return i;
}

// Every symbol of the run gets its key before the first is pressed: a keymap
// that changes between two keys is how other programs lose characters.
static enum dh_status lend_run(struct dh_xtest *x, struct typing *t,
                               size_t from, size_t *end)
{
    KeySym syms[2 * DH_COUNTOF(x->keys.spare)];
    struct dh_xkeys *k = &x->keys;
    int n;
    *end = reach(x, t, from, syms, &n);
    if (*end == from)
        return DH_ERR_NOTFOUND;
    if (!n)
        return DH_OK;
    // What was lent before may go; and a program that answers has read the
    // change before the first key.
    dh_xtest_drain(x);
    enum dh_status st = dh_xkeys_lend(k, syms, n);
    if (!st) {
        k->used_ns = dh_now_ns();
        dh_xtest_drain(x);
    }
    return st;
}

static enum dh_status press_run(struct dh_xtest *x, struct typing *t,
                                size_t from, size_t end, struct dh_diag *why)
{
    unsigned held = 0;
    enum dh_status st = DH_OK;
    for (size_t i = from; i < end && !st && !dh_xtest_stopped(x); i++) {
        struct letter *l = &t->letters[i];
        if (!find_letter(x, l))
            return DH_ERR_NOTFOUND;
        unsigned mods = dh_xtest_level_mods(x, l->stroke.mods);
        dh_xtest_mods_up(x, held & ~mods);
        dh_xtest_group(x, l->stroke.group);
        st = dh_xtest_mods_down(x, mods & ~held, why);
        held = mods;
        if (!st) {
            dh_xtest_key(x, l->stroke.code, true);
            dh_xtest_key(x, l->stroke.code, false);
        }
        if (dh_xkeys_is_lent(&x->keys, l->stroke.code))
            x->keys.used_ns = dh_now_ns();
        if (x->o.key_gap_ns)
            dh_xtest_pace(x, x->o.key_gap_ns);
        else if ((i - from) % BURST == BURST - 1)
            XSync(x->dpy, False);
    }
    dh_xtest_mods_up(x, held);
    return st;
}

static void no_key(const struct typing *t, size_t i, struct dh_diag *why)
{
    if (t->secret)
        dh_diag_set(why, 0,
                    "a character of the secret cannot be typed on this "
                    "keyboard");
    else
        dh_diag_set(why, 0, "U+%04X cannot be typed on this keyboard",
                    (unsigned)t->letters[i].cp);
}

static enum dh_status type_all(struct dh_xtest *x, struct typing *t,
                               struct dh_diag *why)
{
    enum dh_status st = DH_OK;
    for (size_t i = 0; i < t->n; i++) {
        if (dh_keysym_of_char(t->letters[i].cp))
            continue;
        no_key(t, i, why);
        return DH_ERR_NOTFOUND;
    }
    for (size_t from = 0, end; from < t->n && !st && !dh_xtest_stopped(x);
         from = end) {
        st = lend_run(x, t, from, &end);
        if (st)
            no_key(t, from, why);
        else
            st = press_run(x, t, from, end, why);
    }
    // When they have been read, lent keys can go at any time.
    dh_xtest_drain(x);
    return st;
}

// Line ends of three kinds are one Return each.
static void read_letters(struct typing *t, struct dh_str text)
{
    dh_array(t->letters, text.n);
    for (size_t i = 0; i < text.n;) {
        uint32_t cp;
        i += dh_utf8_read(text.p + i, text.n - i, &cp);
        if (cp == '\r' && i < text.n && text.p[i] == '\n')
            continue;
        t->letters[t->n++].cp = cp;
    }
}

static enum dh_status paste(struct dh_xtest *x, const struct dh_action *a,
                            struct typing *t, const char *text,
                            struct dh_diag *why)
{
    bool all = true;
    if (t->secret || x->o.never_paste)
        return DH_ERR_NOTFOUND;
    for (size_t i = 0; i < t->n && all; i++)
        all = find_letter(x, &t->letters[i]);
    return dh_xtest_paste(x, text, a->paste, all, why);
}

enum dh_status dh_xtest_type(struct dh_xtest *x, const struct dh_action *a,
                             struct dh_diag *why)
{
    struct typing t = { 0 };
    char *text = NULL;
    enum dh_status st =
        dh_secrets_expand(x->o.secrets, a->text, &text, &t.secret, why);
    if (st)
        return st;
    size_t n = strlen(text);
    read_letters(&t, dh_str_of(text));
    st = paste(x, a, &t, text, why);
    if (st == DH_ERR_NOTFOUND)
        st = type_all(x, &t, why);
    if (t.secret) {
        explicit_bzero(text, n);
        explicit_bzero(t.letters, n * sizeof *t.letters);
    }
    dh_free(t.letters);
    dh_free(text);
    return st;
}
