/*
 * actions/keymap.h - names and text to keysyms; needs no X server.
 *
 * Keysyms are X11's numbers. actions.md 3.9: names are compared after folding
 * case and deleting spaces, underscores and hyphens.
 */
#ifndef DH_ACTIONS_KEYMAP_H
#define DH_ACTIONS_KEYMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/status.h"
#include "base/str.h"

/* Modifiers held around one key. keysym 0: the modifiers alone. */
struct dh_chord {
    unsigned mods;
    uint32_t keysym;
};

#define DH_CHORDS_MAX 128

/* The keysym of a Unicode scalar value (Latin-1 as itself, newline as Return,
 * tab as Tab, backspace and escape as their keys, else 0x01000000 + cp). */
uint32_t dh_keysym_of_char(uint32_t cp);
/* The keysym that the character had before Unicode, which layouts still use for
 * Greek, Cyrillic and others; 0: none. */
uint32_t dh_keysym_old(uint32_t cp);
/* The keysym of a key's name; 0 where unknown. Knows the spellings of
 * actions.md 3.9, one character, U+XXXX and 0xXXXX. */
uint32_t dh_keysym_of_name(struct dh_str name);
/* DH_MOD_* of a modifier's name, 0 for any other key. */
unsigned dh_mod_of_name(struct dh_str name);

/* Turns an exact X keysym name that we do not know into its number, or 0. */
typedef uint32_t (*dh_keysym_fn)(const char *name);

struct dh_keys_options {
    dh_keysym_fn more; /* may be NULL */
    bool cmd_is_ctrl;  /* cmd+c, as on a Mac, is ctrl+c; else super+c */
};

/*
 * Split a chord text: "ctrl+shift+t", "ctrl c", "Down Down Return", "ctrl++",
 * "Down*3". DH_ERR_NOTFOUND names the unknown key and near spellings; then
 * nothing may be pressed. `more` may be NULL.
 */
DH_MUST_USE enum dh_status dh_keys_parse(const char *text, dh_keysym_fn more,
                                         struct dh_chord *out, size_t *n,
                                         struct dh_diag *diag);
/* The same with options. fn is left out; where it was named and the rest is
 * fine, the result is DH_OK and `diag` says so. */
DH_MUST_USE enum dh_status dh_keys_parse_as(const char *text,
                                            const struct dh_keys_options *o,
                                            struct dh_chord *out, size_t *n,
                                            struct dh_diag *diag);
/* Only modifiers, e.g. "ctrl" or "ctrl+shift", as clicks take them. */
DH_MUST_USE bool dh_mods_parse(const char *text, unsigned *mods);

#endif
