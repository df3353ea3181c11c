#include "actions/keymap.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "actions/action.h"
#include "base/mem.h"

#define NAME_MAX_BYTES 32

struct key_name {
    const char *folded;
    uint32_t keysym;
};

// Keysyms are written as numbers, so that this file needs no X headers.
static const struct key_name key_names[] = {
    { "return", 0xff0d },
    { "enter", 0xff0d },
    { "ret", 0xff0d },
    { "newline", 0xff0d },
    { "kpenter", 0xff8d },
    { "numpadenter", 0xff8d },
    { "escape", 0xff1b },
    { "esc", 0xff1b },
    { "tab", 0xff09 },
    { "backtab", 0xfe20 },
    { "isolefttab", 0xfe20 },
    { "backspace", 0xff08 },
    { "bksp", 0xff08 },
    { "delete", 0xffff },
    { "del", 0xffff },
    { "forwarddelete", 0xffff },
    { "insert", 0xff63 },
    { "ins", 0xff63 },
    { "space", 0x20 },
    { "spacebar", 0x20 },
    { "home", 0xff50 },
    { "end", 0xff57 },
    { "pageup", 0xff55 },
    { "pgup", 0xff55 },
    { "prior", 0xff55 },
    { "pagedown", 0xff56 },
    { "pgdown", 0xff56 },
    { "pgdn", 0xff56 },
    { "next", 0xff56 },
    { "left", 0xff51 },
    { "arrowleft", 0xff51 },
    { "leftarrow", 0xff51 },
    { "kpleft", 0xff96 },
    { "up", 0xff52 },
    { "arrowup", 0xff52 },
    { "uparrow", 0xff52 },
    { "kpup", 0xff97 },
    { "right", 0xff53 },
    { "arrowright", 0xff53 },
    { "rightarrow", 0xff53 },
    { "kpright", 0xff98 },
    { "down", 0xff54 },
    { "arrowdown", 0xff54 },
    { "downarrow", 0xff54 },
    { "kpdown", 0xff99 },
    { "capslock", 0xffe5 },
    { "numlock", 0xff7f },
    { "scrolllock", 0xff14 },
    { "print", 0xff61 },
    { "printscreen", 0xff61 },
    { "prtsc", 0xff61 },
    { "prntscrn", 0xff61 },
    { "sysrq", 0xff61 },
    { "sysreq", 0xff15 },
    { "hyper", 0xffed },
    { "hyperl", 0xffed },
    { "hyperr", 0xffee },
    { "isolevel5shift", 0xfe11 },
    { "multikey", 0xff20 },
    { "compose", 0xff20 },
    { "clear", 0xff0b },
    { "help", 0xff6a },
    { "pause", 0xff13 },
    { "break", 0xff6b },
    { "menu", 0xff67 },
    { "apps", 0xff67 },
    { "contextmenu", 0xff67 },
    { "kpadd", 0xffab },
    { "numpadadd", 0xffab },
    { "numadd", 0xffab },
    { "add", 0xffab },
    { "kpplus", 0xffab },
    { "kpsubtract", 0xffad },
    { "numpadsubtract", 0xffad },
    { "numsubtract", 0xffad },
    { "subtract", 0xffad },
    { "kpminus", 0xffad },
    { "kpmultiply", 0xffaa },
    { "numpadmultiply", 0xffaa },
    { "nummultiply", 0xffaa },
    { "multiply", 0xffaa },
    { "kpdivide", 0xffaf },
    { "numpaddivide", 0xffaf },
    { "numdivide", 0xffaf },
    { "divide", 0xffaf },
    { "kpdecimal", 0xffae },
    { "numpaddecimal", 0xffae },
    { "numdecimal", 0xffae },
    { "decimal", 0xffae },
    { "kpseparator", 0xffac },
    { "separator", 0xffac },
    { "kpequal", 0xffbd },
    { "numpadequal", 0xffbd },
    { "numenter", 0xff8d },
    { "kptab", 0xff89 },
    { "kpspace", 0xff80 },
    { "kphome", 0xff95 },
    { "kpend", 0xff9c },
    { "kppageup", 0xff9a },
    { "kpprior", 0xff9a },
    { "kppagedown", 0xff9b },
    { "kpnext", 0xff9b },
    { "kpbegin", 0xff9d },
    { "kpinsert", 0xff9e },
    { "kpdelete", 0xff9f },
    { "plus", '+' },
    { "minus", '-' },
    { "hyphen", '-' },
    { "equal", '=' },
    { "equals", '=' },
    { "comma", ',' },
    { "period", '.' },
    { "dot", '.' },
    { "slash", '/' },
    { "backslash", '\\' },
    { "semicolon", ';' },
    { "colon", ':' },
    { "apostrophe", '\'' },
    { "quote", '\'' },
    { "grave", '`' },
    { "backtick", '`' },
    { "bracketleft", '[' },
    { "bracketright", ']' },
    { "underscore", '_' },
    { "asterisk", '*' },
    { "exclam", '!' },
    { "question", '?' },
    { "at", '@' },
    { "numbersign", '#' },
    { "dollar", '$' },
    { "percent", '%' },
    { "ampersand", '&' },
    { "parenleft", '(' },
    { "parenright", ')' },
    { "less", '<' },
    { "greater", '>' },
    { "bar", '|' },
    { "asciitilde", '~' },
    { "tilde", '~' },
    { "asciicircum", '^' },
    { "caret", '^' },
    { "circumflex", '^' },
    { "exclamation", '!' },
    { "exclamationmark", '!' },
    { "questionmark", '?' },
    { "hash", '#' },
    { "pound", '#' },
    { "pipe", '|' },
    { "quotedbl", '"' },
    { "doublequote", '"' },
    { "singlequote", '\'' },
    { "braceleft", '{' },
    { "braceright", '}' },
    { "leftbracket", '[' },
    { "rightbracket", ']' },
    { "leftbrace", '{' },
    { "rightbrace", '}' },
    { "leftparen", '(' },
    { "rightparen", ')' },
    { "lessthan", '<' },
    { "greaterthan", '>' },
    { "fullstop", '.' },
    { "euro", 0x10020ac },
    { "eurosign", 0x10020ac },
    { "volumeup", 0x1008ff13 },
    { "volumedown", 0x1008ff11 },
    { "volumemute", 0x1008ff12 },
    { "playpause", 0x1008ff14 },
    { "nexttrack", 0x1008ff17 },
    { "prevtrack", 0x1008ff16 },
    { "browserback", 0x1008ff26 },
    { "browserforward", 0x1008ff27 },
    { "browserrefresh", 0x1008ff29 },
    { "mute", 0x1008ff12 },
    { "audiovolumeup", 0x1008ff13 },
    { "audiovolumedown", 0x1008ff11 },
    { "audiovolumemute", 0x1008ff12 },
    { "mediaplaypause", 0x1008ff14 },
    { "mediatracknext", 0x1008ff17 },
    { "mediatrackprevious", 0x1008ff16 },
    { "previoustrack", 0x1008ff16 },
    { "stop", 0x1008ff15 },
    { "mediastop", 0x1008ff15 },
    { "browserhome", 0x1008ff18 },
    { "browsersearch", 0x1008ff1b },
    { "xf86audioraisevolume", 0x1008ff13 },
    { "xf86audiolowervolume", 0x1008ff11 },
    { "xf86audiomute", 0x1008ff12 },
    { "xf86audioplay", 0x1008ff14 },
    { "xf86audiostop", 0x1008ff15 },
    { "xf86audionext", 0x1008ff17 },
    { "xf86audioprev", 0x1008ff16 },
    { "xf86back", 0x1008ff26 },
    { "xf86forward", 0x1008ff27 },
    { "xf86reload", 0x1008ff29 },
    { "xf86homepage", 0x1008ff18 },
    { "xf86search", 0x1008ff1b },
    { "xf86monbrightnessup", 0x1008ff02 },
    { "xf86monbrightnessdown", 0x1008ff03 },
};

struct mod_name {
    const char *folded;
    unsigned mod;
    uint32_t keysym;
};

static const struct mod_name mod_names[] = {
    { "shift", DH_MOD_SHIFT, 0xffe1 },
    { "shiftl", DH_MOD_SHIFT, 0xffe1 },
    { "shiftleft", DH_MOD_SHIFT, 0xffe1 },
    { "shiftr", DH_MOD_SHIFT, 0xffe2 },
    { "shiftright", DH_MOD_SHIFT, 0xffe2 },
    { "ctrl", DH_MOD_CONTROL, 0xffe3 },
    { "control", DH_MOD_CONTROL, 0xffe3 },
    { "ctl", DH_MOD_CONTROL, 0xffe3 },
    { "controll", DH_MOD_CONTROL, 0xffe3 },
    { "ctrlleft", DH_MOD_CONTROL, 0xffe3 },
    { "ctrll", DH_MOD_CONTROL, 0xffe3 },
    { "controlr", DH_MOD_CONTROL, 0xffe4 },
    { "ctrlr", DH_MOD_CONTROL, 0xffe4 },
    { "ctrlright", DH_MOD_CONTROL, 0xffe4 },
    { "alt", DH_MOD_ALT, 0xffe9 },
    { "option", DH_MOD_ALT, 0xffe9 },
    { "opt", DH_MOD_ALT, 0xffe9 },
    { "altl", DH_MOD_ALT, 0xffe9 },
    { "altleft", DH_MOD_ALT, 0xffe9 },
    { "altr", DH_MOD_ALT, 0xffea },
    { "altright", DH_MOD_ALT, 0xffea },
    { "super", DH_MOD_SUPER, 0xffeb },
    { "superl", DH_MOD_SUPER, 0xffeb },
    { "win", DH_MOD_SUPER, 0xffeb },
    { "windows", DH_MOD_SUPER, 0xffeb },
    { "winleft", DH_MOD_SUPER, 0xffeb },
    { "meta", DH_MOD_SUPER, 0xffeb },
    { "metal", DH_MOD_SUPER, 0xffeb },
    { "cmd", DH_MOD_SUPER, 0xffeb },
    { "command", DH_MOD_SUPER, 0xffeb },
    { "os", DH_MOD_SUPER, 0xffeb },
    { "superr", DH_MOD_SUPER, 0xffec },
    { "shiftkey", DH_MOD_SHIFT, 0xffe1 },
    { "controlleft", DH_MOD_CONTROL, 0xffe3 },
    { "controlright", DH_MOD_CONTROL, 0xffe4 },
    { "optionleft", DH_MOD_ALT, 0xffe9 },
    { "optionright", DH_MOD_ALT, 0xffea },
    { "superleft", DH_MOD_SUPER, 0xffeb },
    { "superright", DH_MOD_SUPER, 0xffec },
    { "winl", DH_MOD_SUPER, 0xffeb },
    { "winr", DH_MOD_SUPER, 0xffec },
    { "winright", DH_MOD_SUPER, 0xffec },
    { "metaleft", DH_MOD_SUPER, 0xffeb },
    { "metar", DH_MOD_SUPER, 0xffec },
    { "metaright", DH_MOD_SUPER, 0xffec },
    { "cmdleft", DH_MOD_SUPER, 0xffeb },
    { "cmdright", DH_MOD_SUPER, 0xffec },
    { "commandleft", DH_MOD_SUPER, 0xffeb },
    { "commandright", DH_MOD_SUPER, 0xffec },
    { "fn", 0, 0 },
    { "altgr", DH_MOD_ALTGR, 0xfe03 },
    { "altgraph", DH_MOD_ALTGR, 0xfe03 },
    { "isolevel3shift", DH_MOD_ALTGR, 0xfe03 },
};

uint32_t dh_keysym_of_char(uint32_t cp)
{
    switch (cp) {
    case '\n':
    case '\r': return 0xff0d;
    case '\t': return 0xff09;
    case '\b': return 0xff08;
    case 0x1b: return 0xff1b;
    case 0x7f: return 0xffff;
    default: break;
    }
    if ((cp >= 0x20 && cp < 0x7f) || (cp >= 0xa0 && cp <= 0xff))
        return cp;
    return cp < 0x20 ? 0 : 0x01000000 + cp;
}

// Lower case, without spaces, underscores and hyphens. "" where too long.
static void fold(struct dh_str s, char out[NAME_MAX_BYTES])
{
    size_t n = 0;
    out[0] = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == ' ' || c == '_' || c == '-')
            continue;
        if (n + 1 >= NAME_MAX_BYTES) {
            out[0] = 0;
            return;
        }
        out[n++] = (char)tolower((unsigned char)c);
    }
    out[n] = 0;
}

static const struct mod_name *find_mod(struct dh_str name)
{
    char folded[NAME_MAX_BYTES];
    fold(name, folded);
    for (size_t i = 0; i < DH_COUNTOF(mod_names); i++)
        if (strcmp(folded, mod_names[i].folded) == 0)
            return &mod_names[i];
    return NULL;
}

unsigned dh_mod_of_name(struct dh_str name)
{
    const struct mod_name *m = find_mod(name);
    return m ? m->mod : 0;
}

// U+XXXX is a character, 0xXXXX a keysym. The digits are hexadecimal.
static bool hex_key(struct dh_str name, uint32_t *keysym)
{
    if (name.n < 3 || name.n > 10)
        return false;
    bool unicode = (name.p[0] == 'U' || name.p[0] == 'u') && name.p[1] == '+';
    if (!unicode && !(name.p[0] == '0' && (name.p[1] | 32) == 'x'))
        return false;
    uint32_t v = 0;
    for (size_t i = 2; i < name.n; i++) {
        if (!isxdigit((unsigned char)name.p[i]))
            return false;
        int c = tolower((unsigned char)name.p[i]);
        v = v * 16 + (uint32_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    if (unicode && (v > 0x10ffff || (v >= 0xd800 && v < 0xe000)))
        return false;
    *keysym = unicode ? dh_keysym_of_char(v) : v;
    return *keysym != 0;
}

static uint32_t numbered_key(const char *folded)
{
    static const struct {
        const char *prefix;
        int64_t lo, hi;
        uint32_t first;
    } rows[] = {
        { "f", 1, 24, 0xffbe },
        { "kp", 0, 9, 0xffb0 },
        { "numpad", 0, 9, 0xffb0 },
        { "num", 0, 9, 0xffb0 },
    };
    for (size_t i = 0; i < DH_COUNTOF(rows); i++) {
        struct dh_str s = dh_str_of(folded);
        size_t skip = strlen(rows[i].prefix);
        int64_t v;
        if (!dh_str_starts(s, rows[i].prefix) || s.n == skip ||
            !isdigit((unsigned char)s.p[skip]) ||
            !dh_parse_i64(dh_str_sub(s, skip, s.n), &v))
            continue;
        if (v >= rows[i].lo && v <= rows[i].hi)
            return rows[i].first + (uint32_t)(v - rows[i].lo);
    }
    return 0;
}

uint32_t dh_keysym_of_name(struct dh_str name)
{
    if (dh_str_is(name, "\\n"))
        return 0xff0d;
    if (!name.n)
        return 0;
    uint32_t cp, keysym;
    if (dh_utf8_read(name.p, name.n, &cp) == name.n && cp != 0xfffd)
        return cp == 0x23ce ? 0xff0d : dh_keysym_of_char(cp);
    if (hex_key(name, &keysym))
        return keysym;
    const struct mod_name *m = find_mod(name);
    if (m)
        return m->keysym;
    char folded[NAME_MAX_BYTES];
    fold(name, folded);
    for (size_t i = 0; i < DH_COUNTOF(key_names); i++)
        if (strcmp(folded, key_names[i].folded) == 0)
            return key_names[i].keysym;
    return numbered_key(folded);
}

#define NEAR_MAX 3

struct near {
    const char *name[NEAR_MAX];
    size_t far[NEAR_MAX];
    size_t n;
};

// Keeps the nearest few, nearest first, each name once.
static void near_put(struct near *near, struct dh_str folded, const char *name)
{
    struct dh_str known = dh_str_of(name);
    size_t far = dh_str_distance(folded, known);
    size_t limit = folded.n < 4 ? 1 : folded.n < 8 ? 2 : 3;
    bool begins = folded.n >= 3 && dh_str_starts(known, folded.p);
    if (far > limit && !begins)
        return;
    size_t i = near->n;
    if (i == NEAR_MAX && near->far[i - 1] <= far)
        return;
    i = i == NEAR_MAX ? i - 1 : near->n++;
    for (; i && near->far[i - 1] > far; i--) {
        near->name[i] = near->name[i - 1];
        near->far[i] = near->far[i - 1];
    }
    near->name[i] = name;
    near->far[i] = far;
}

static void near_find(struct near *near, struct dh_str name)
{
    char folded[NAME_MAX_BYTES];
    fold(name, folded);
    struct dh_str f = dh_str_of(folded);
    near->n = 0;
    for (size_t i = 0; f.n && i < DH_COUNTOF(key_names); i++)
        near_put(near, f, key_names[i].folded);
    for (size_t i = 0; f.n && i < DH_COUNTOF(mod_names); i++)
        if (mod_names[i].mod)
            near_put(near, f, mod_names[i].folded);
}

static void unknown_key(struct dh_str name, size_t offset, struct dh_diag *diag)
{
    struct near near;
    char list[3 * (NAME_MAX_BYTES + 8)];
    size_t n = 0;
    int shown = (int)DH_MIN(name.n, 40);
    near_find(&near, name);
    list[0] = 0;
    for (size_t i = 0; i < near.n; i++)
        n += (size_t)snprintf(list + n, sizeof list - n, "%s\"%s\"",
                              !i                ? ""
                              : i + 1 == near.n ? " or "
                                                : ", ",
                              near.name[i]);
    if (near.n)
        dh_diag_set(diag, offset, "no such key: \"%.*s\"; did you mean %s?",
                    shown, name.p, list);
    else
        dh_diag_set(diag, offset,
                    "no such key: \"%.*s\"; names are like Return, ctrl+s, F5",
                    shown, name.p);
}

struct chord_parse {
    dh_keysym_fn more;
    bool cmd_is_ctrl, fn;
    struct dh_chord *out;
    size_t n;
    struct dh_diag *diag;
};

// Where a letter is upper case it may be X's own name, which comes before
// spellings: Meta_L is not Super.
static uint32_t key_of_token(const struct chord_parse *p, struct dh_str token)
{
    char name[NAME_MAX_BYTES];
    uint32_t keysym = 0;
    if (p->more && token.n > 1 && token.n < sizeof name &&
        !memchr(token.p, 0, token.n)) {
        memcpy(name, token.p, token.n);
        name[token.n] = 0;
        keysym = p->more(name);
    }
    return keysym ? keysym : dh_keysym_of_name(token);
}

static bool is_command(struct dh_str token)
{
    char folded[NAME_MAX_BYTES];
    fold(token, folded);
    struct dh_str f = dh_str_of(folded);
    return dh_str_starts(f, "cmd") || dh_str_starts(f, "command");
}

// Emacs writes C-x and M-x.
static unsigned emacs_mod(struct dh_str token)
{
    if (token.n != 1)
        return 0;
    return token.p[0] == 'C'   ? DH_MOD_CONTROL
           : token.p[0] == 'M' ? DH_MOD_ALT
                               : 0;
}

// False where it is no modifier. Adds it to *mods.
static bool mod_of_token(struct chord_parse *p, struct dh_str token, char sep,
                         unsigned *mods)
{
    const struct mod_name *m = find_mod(token);
    unsigned emacs = sep == '-' ? emacs_mod(token) : 0;
    if (!m && !emacs)
        return false;
    if (m && !m->mod)
        p->fn = true;
    if (m)
        *mods |= p->cmd_is_ctrl && is_command(token) ? DH_MOD_CONTROL : m->mod;
    *mods |= emacs;
    return true;
}

static bool no_modifier(const struct chord_parse *p, struct dh_str token,
                        size_t offset)
{
    if (key_of_token(p, token))
        dh_diag_set(p->diag, offset,
                    "\"%.*s\" is no modifier: only shift, ctrl, alt, super and "
                    "altgr can be held around a key",
                    (int)DH_MIN(token.n, 40), token.p);
    else
        unknown_key(token, offset, p->diag);
    return false;
}

static bool no_key(const struct chord_parse *p, struct dh_str token,
                   size_t offset)
{
    if (find_mod(token))
        dh_diag_set(p->diag, offset,
                    "fn works inside the keyboard: no program sees it");
    else
        unknown_key(token, offset, p->diag);
    return false;
}

// In a chord a letter is folded: ctrl+C is ctrl+c. Alone, A means shift+a,
// which the level of the keysym asks for by itself.
static uint32_t fold_letter(uint32_t keysym, unsigned mods)
{
    if (mods && ((keysym >= 'A' && keysym <= 'Z') ||
                 (keysym >= 0xc0 && keysym <= 0xde && keysym != 0xd7)))
        return keysym + 32;
    return keysym;
}

static bool put_chord(struct chord_parse *p, unsigned mods, uint32_t keysym,
                      int64_t repeat)
{
    for (int64_t i = 0; i < repeat; i++) {
        if (p->n == DH_CHORDS_MAX) {
            dh_diag_set(p->diag, 0, "more than %d keys in one action",
                        DH_CHORDS_MAX);
            return false;
        }
        p->out[p->n].mods = mods;
        p->out[p->n++].keysym = fold_letter(keysym, mods);
    }
    return true;
}

// "Down*3" and "Down x3": cuts the number off the end of the token.
static int64_t cut_repeat(struct dh_str *token)
{
    for (size_t i = token->n; i-- > 1;) {
        int64_t v;
        if (token->p[i] != '*')
            continue;
        if (!dh_parse_i64(dh_str_sub(*token, i + 1, token->n), &v) || v < 1)
            return 1;
        token->n = i;
        return DH_MIN(v, 100);
    }
    return 1;
}

// One chord: tokens joined by `sep`; an empty last one is the separator itself.
static bool one_chord(struct chord_parse *p, struct dh_str s, char sep,
                      size_t offset)
{
    unsigned mods = 0;
    int64_t repeat = cut_repeat(&s);
    size_t from = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != sep || i + 1 == s.n)
            continue;
        if (i == from)
            break;
        struct dh_str token = dh_str_sub(s, from, i);
        if (!mod_of_token(p, token, sep, &mods))
            return no_modifier(p, token, offset + from);
        from = i + 1;
    }
    struct dh_str last = dh_str_sub(s, from, s.n);
    uint32_t keysym = key_of_token(p, last);
    if (!keysym)
        return no_key(p, last, offset + from);
    // cmd alone is a key too.
    if (p->cmd_is_ctrl && find_mod(last) && is_command(last))
        keysym = 0xffe3;
    return put_chord(p, mods, keysym, repeat);
}

// '+' always separates; '-' where all before it are modifiers (ctrl-c, C-x).
static char separator(struct dh_str s)
{
    if (memchr(s.p, '+', s.n))
        return '+';
    const char *dash = memchr(s.p, '-', s.n);
    if (!dash)
        return '+';
    struct dh_str first = dh_str_sub(s, 0, (size_t)(dash - s.p));
    if (find_mod(first) || emacs_mod(first))
        return '-';
    return '+';
}

static bool is_repeat_token(struct dh_str t, int64_t *n)
{
    return t.n >= 2 && (t.p[0] == 'x' || t.p[0] == 'X') &&
           dh_parse_i64(dh_str_sub(t, 1, t.n), n) && *n >= 1 && *n <= 100;
}

// Split at spaces. Returns the number of tokens, at most max + 1.
static size_t split_spaces(struct dh_str s, struct dh_str *out, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n;) {
        while (i < s.n && s.p[i] == ' ')
            i++;
        size_t from = i;
        while (i < s.n && s.p[i] != ' ')
            i++;
        if (i == from)
            break;
        if (n < max)
            out[n] = dh_str_sub(s, from, i);
        if (++n > max)
            break;
    }
    return n;
}

static bool all_but_last_are_mods(const struct dh_str *t, size_t n)
{
    for (size_t i = 0; i + 1 < n; i++)
        if (!find_mod(t[i]))
            return false;
    return n > 1;
}

static bool token_list(struct chord_parse *p, struct dh_str s,
                       const struct dh_str *t, size_t n)
{
    if (all_but_last_are_mods(t, n)) {
        unsigned mods = 0;
        for (size_t i = 0; i + 1 < n; i++)
            if (!mod_of_token(p, t[i], ' ', &mods))
                return no_modifier(p, t[i], (size_t)(t[i].p - s.p));
        uint32_t keysym = key_of_token(p, t[n - 1]);
        if (!keysym)
            return no_key(p, t[n - 1], (size_t)(t[n - 1].p - s.p));
        return put_chord(p, mods, keysym, 1);
    }
    for (size_t i = 0; i < n; i++) {
        int64_t repeat;
        size_t last = p->n;
        if (i && is_repeat_token(t[i], &repeat)) {
            struct dh_chord c = p->out[last - 1];
            if (!put_chord(p, c.mods, c.keysym, repeat - 1))
                return false;
            continue;
        }
        if (!one_chord(p, t[i], separator(t[i]), (size_t)(t[i].p - s.p)))
            return false;
    }
    return true;
}

enum dh_status dh_keys_parse(const char *text, dh_keysym_fn more,
                             struct dh_chord *out, size_t *n,
                             struct dh_diag *diag)
{
    struct dh_keys_options o = { more, false };
    return dh_keys_parse_as(text, &o, out, n, diag);
}

enum dh_status dh_keys_parse_as(const char *text,
                                const struct dh_keys_options *o,
                                struct dh_chord *out, size_t *n,
                                struct dh_diag *diag)
{
    struct chord_parse p = {
        .more = o->more, .cmd_is_ctrl = o->cmd_is_ctrl, .out = out, .diag = diag
    };
    struct dh_str all = dh_str_of(text), s = dh_str_trim(all);
    struct dh_str tokens[DH_CHORDS_MAX];
    if (!s.n && all.n)
        s = DH_STR("space");
    uint32_t whole = s.n ? key_of_token(&p, s) : 0;
    bool ok;
    if (!s.n) {
        dh_diag_set(diag, 0, "no key is named");
        ok = false;
    } else if (whole && !(p.cmd_is_ctrl && is_command(s))) {
        ok = put_chord(&p, 0, whole, 1);
    } else {
        size_t count = split_spaces(s, tokens, DH_CHORDS_MAX);
        if (count > DH_CHORDS_MAX) {
            dh_diag_set(diag, 0, "more than %d keys in one action",
                        DH_CHORDS_MAX);
            ok = false;
        } else {
            ok = token_list(&p, s, tokens, count);
        }
    }
    if (!ok)
        return DH_ERR_NOTFOUND;
    if (p.fn)
        dh_diag_set(diag, 0, "fn is left out: no keyboard sends it");
    *n = p.n;
    return DH_OK;
}

bool dh_mods_parse(const char *text, unsigned *mods)
{
    struct dh_str s = dh_str_of(text);
    unsigned all = 0;
    size_t from = 0;
    for (size_t i = 0; i <= s.n; i++) {
        if (i < s.n && s.p[i] != '+' && s.p[i] != ' ' && s.p[i] != ',')
            continue;
        struct dh_str token = dh_str_sub(s, from, i);
        from = i + 1;
        if (!token.n)
            continue;
        unsigned mod = dh_mod_of_name(token);
        if (!mod)
            return false;
        all |= mod;
    }
    *mods = all;
    return true;
}
