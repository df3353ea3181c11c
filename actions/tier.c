#include "actions/tier.h"

#include <string.h>

#include "actions/keymap.h"
#include "actions/secrets.h"
#include "base/mem.h"
#include "base/str.h"

#define SYM_BACKSPACE 0xff08u
#define SYM_LINEFEED  0xff0au
#define SYM_RETURN    0xff0du
#define SYM_SYSRQ     0xff15u
#define SYM_PRINT     0xff61u
#define SYM_INSERT    0xff63u
#define SYM_KP_ENTER  0xff8du
#define SYM_KP_INSERT 0xff9eu
#define SYM_KP_DELETE 0xff9fu
#define SYM_KP_FIRST  0xffaau // KP_Multiply
#define SYM_KP_LAST   0xffafu // KP_Divide
#define SYM_F1        0xffbeu
#define SYM_F4        0xffc1u
#define SYM_F12       0xffc9u
#define SYM_F35       0xffe0u
#define SYM_DELETE    0xffffu
#define SYM_TERMINATE 0xfed5u
#define SYM_VT1       0x1008fe01u
#define SYM_VT12      0x1008fe0cu
#define SYM_UNKNOWN   0x00ffffffu

const char *dh_tier_name(enum dh_tier t)
{
    static const char *const names[] = { "0 look", "1 point", "2 type",
                                         "3 risk", "4 never" };
    return (unsigned)t < DH_COUNTOF(names) ? names[t] : "?";
}

// Keys of the system by their exact X names. The keymap knows only names that
// a model writes, but what performs knows all of X's; a name that is not here
// is an ordinary key for us.
static uint32_t system_key(const char *name)
{
    static const struct {
        const char *name;
        uint32_t sym;
    } keys[] = {
        { "XF86PowerOff", 0x1008ff2a },    { "XF86PowerDown", 0x1008ff21 },
        { "XF86ScreenSaver", 0x1008ff2d }, { "XF86Standby", 0x1008ff10 },
        { "XF86Sleep", 0x1008ff2f },       { "XF86LogOff", 0x1008ff61 },
        { "XF86Suspend", 0x1008ffa7 },     { "XF86Hibernate", 0x1008ffa8 },
        { "XF86Display", 0x1008ff59 },     { "XF86LogGrabInfo", 0x1008fe25 },
        { "XF86Ungrab", 0x1008fe20 },      { "XF86ClearGrab", 0x1008fe21 },
        { "Terminate_Server", 0xfed5 },    { "Sys_Req", 0xff15 },
    };
    struct dh_str s = dh_str_of(name);
    for (size_t i = 0; i < DH_COUNTOF(keys); i++)
        if (dh_str_is_nocase(s, keys[i].name))
            return keys[i].sym;
    // This is asked first: what the keymap knows is left to it.
    if (dh_keysym_of_name(s))
        return 0;
    // Chords are tried as names too.
    for (size_t i = 0; i < s.n; i++)
        if (!strchr("_0123456789abcdefghijklmnopqrstuvwxyz"
                    "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
                    s.p[i]))
            return 0;
    return dh_str_find(s, "Switch_VT", 0) >= 0 ? SYM_VT1 : SYM_UNKNOWN;
}

static bool is_system_key(uint32_t sym)
{
    static const uint32_t keys[] = {
        0x1008ff2a, 0x1008ff21, 0x1008ff2d, 0x1008ff10, 0x1008ff2f,
        0x1008ff61, 0x1008ffa7, 0x1008ffa8, 0x1008ff59, 0x1008fe25,
        0x1008fe20, 0x1008fe21, 0x1008fe22, 0x1008fe23, 0x1008fe24,
    };
    for (size_t i = 0; i < DH_COUNTOF(keys); i++)
        if (sym == keys[i])
            return true;
    return sym == SYM_SYSRQ || sym == SYM_TERMINATE ||
           (sym >= SYM_VT1 && sym <= SYM_VT12);
}

// Shift_L to Hyper_R, and the third level.
static unsigned mod_of_keysym(uint32_t sym)
{
    switch (sym) {
    case 0xffe1:
    case 0xffe2: return DH_MOD_SHIFT;
    case 0xffe3:
    case 0xffe4: return DH_MOD_CONTROL;
    case 0xffe7:
    case 0xffe8:
    case 0xffe9:
    case 0xffea: return DH_MOD_ALT;
    case 0xffeb:
    case 0xffec:
    case 0xffed:
    case 0xffee: return DH_MOD_SUPER;
    case 0xfe03: return DH_MOD_ALTGR;
    default: return 0;
    }
}

static uint32_t lower(uint32_t sym)
{
    return sym >= 'A' && sym <= 'Z' ? sym + 32 : sym;
}

static struct dh_chord plain_chord(struct dh_chord c, unsigned mods)
{
    c.mods |= mods | mod_of_keysym(c.keysym);
    // The sink may be told that cmd means ctrl; here it then means both.
    if (c.mods & DH_MOD_SUPER)
        c.mods |= DH_MOD_CONTROL;
    c.keysym = mod_of_keysym(c.keysym) ? 0 : lower(c.keysym);
    return c;
}

static size_t chords_of(const struct dh_action *a, struct dh_chord *out)
{
    size_t n;
    if (!a->text || dh_keys_parse(a->text, system_key, out, &n, NULL))
        return 0; // what cannot be read is not pressed
    return n;
}

static void held_add(struct dh_tier_held *h, uint32_t sym)
{
    for (int i = 0; i < h->n; i++)
        if (h->keysym[i] == sym)
            return;
    // A full table keeps its modifiers, which are what matters.
    if (h->n < DH_TIER_HELD_MAX)
        h->keysym[h->n++] = sym;
    else if (mod_of_keysym(sym))
        h->keysym[DH_TIER_HELD_MAX - 1] = sym;
}

static void held_drop(struct dh_tier_held *h, uint32_t sym)
{
    int n = 0;
    for (int i = 0; i < h->n; i++)
        if (h->keysym[i] != sym)
            h->keysym[n++] = h->keysym[i];
    h->n = n;
}

static void held_change(struct dh_tier_held *h, uint32_t sym, bool down)
{
    if (sym && down)
        held_add(h, sym);
    else if (sym)
        held_drop(h, sym);
}

void dh_tier_held_note(struct dh_tier_held *h, const struct dh_action *a)
{
    static const uint32_t left[] = { 0xffe1, 0xffe3, 0xffe9, 0xffeb, 0xfe03 };
    struct dh_chord chords[DH_CHORDS_MAX];
    bool down = a->op == DH_ACTION_KEY_DOWN;
    if (!down && a->op != DH_ACTION_KEY_UP)
        return;
    size_t n = chords_of(a, chords);
    for (size_t i = 0; i < n; i++) {
        for (size_t m = 0; m < DH_COUNTOF(left); m++)
            if (chords[i].mods & (1u << m))
                held_change(h, left[m], down);
        held_change(h, lower(chords[i].keysym), down);
    }
}

static unsigned held_mods(const struct dh_tier_held *h)
{
    unsigned mods = 0;
    for (int i = 0; h && i < h->n; i++)
        mods |= mod_of_keysym(h->keysym[i]);
    return mods;
}

static bool has(unsigned mods, unsigned wanted)
{
    return (mods & wanted) == wanted;
}

// Virtual terminals, the server's kill and grab chords, SysRq, log-out, lock.
static bool leaves_desktop(struct dh_chord c)
{
    uint32_t k = c.keysym;
    if (is_system_key(k) || (has(c.mods, DH_MOD_ALT) && k == SYM_PRINT))
        return true;
    if (has(c.mods, DH_MOD_SUPER) && k == 'l')
        return true;
    if (has(c.mods, DH_MOD_SUPER | DH_MOD_SHIFT) && (k == 'e' || k == 'q'))
        return true;
    if (!has(c.mods, DH_MOD_CONTROL | DH_MOD_ALT))
        return false;
    return k == SYM_DELETE || k == SYM_KP_DELETE || k == SYM_BACKSPACE ||
           k == 'l' || (k >= SYM_F1 && k <= SYM_F12) ||
           (k > SYM_F12 && k < SYM_F35) ||
           (k >= SYM_KP_FIRST && k <= SYM_KP_LAST);
}

static bool closes_window(struct dh_chord c)
{
    uint32_t k = c.keysym;
    if (has(c.mods, DH_MOD_CONTROL) && (k == 'q' || k == 'w' || k == SYM_F4))
        return true;
    if (has(c.mods, DH_MOD_SUPER) && k == 'q')
        return true;
    return has(c.mods, DH_MOD_ALT) && k == SYM_F4;
}

static bool enters(struct dh_chord c)
{
    uint32_t k = c.keysym;
    if (k == SYM_RETURN || k == SYM_KP_ENTER || k == SYM_LINEFEED)
        return true;
    // What a terminal makes of these: Return, Return, run line, end of input.
    return has(c.mods, DH_MOD_CONTROL) &&
           (k == 'm' || k == 'j' || k == 'o' || k == 'd');
}

static bool pastes(struct dh_chord c)
{
    uint32_t k = c.keysym;
    return (has(c.mods, DH_MOD_CONTROL) && (k == 'v' || k == 'y')) ||
           (has(c.mods, DH_MOD_SHIFT) &&
            (k == SYM_INSERT || k == SYM_KP_INSERT));
}

static enum dh_tier risk(struct dh_diag *why, const char *text)
{
    dh_diag_set(why, 0, "%s", text);
    return DH_TIER_RISK;
}

static enum dh_tier never(struct dh_diag *why, const char *text)
{
    dh_diag_set(why, 0, "%s", text);
    return DH_TIER_NEVER;
}

static enum dh_tier tier_of_chord(struct dh_chord c, bool terminal,
                                  struct dh_diag *why)
{
    if (leaves_desktop(c))
        return never(why, "the keys would leave the desktop");
    if (closes_window(c))
        return risk(why, "the keys close a window");
    if (terminal && enters(c))
        return risk(why, "Return in a terminal runs a command");
    if (terminal && pastes(c))
        return risk(why, "a paste into a terminal may run commands");
    return DH_TIER_TYPE;
}

static enum dh_tier tier_of_keys(const struct dh_action *a,
                                 const struct dh_tier_context *c,
                                 struct dh_diag *why)
{
    struct dh_chord chords[DH_CHORDS_MAX];
    bool terminal = dh_tier_is_terminal(c);
    unsigned mods = held_mods(c->held);
    size_t n = chords_of(a, chords);
    enum dh_tier most = DH_TIER_TYPE;
    struct dh_diag found = { 0 };
    for (size_t i = 0; i < n && most < DH_TIER_NEVER; i++) {
        struct dh_diag this = { 0 };
        struct dh_chord chord = plain_chord(chords[i], mods | a->mods);
        enum dh_tier t = tier_of_chord(chord, terminal, &this);
        if (t > most) {
            most = t;
            found = this;
        }
        // A key that is held repeats, and would with this modifier too.
        for (int k = 0; c->held && k < c->held->n; k++) {
            struct dh_chord old = { chord.mods, lower(c->held->keysym[k]) };
            if (!mod_of_keysym(old.keysym) && leaves_desktop(old))
                return never(why, "the keys would leave the desktop");
        }
    }
    if (found.text[0])
        dh_diag_set(why, 0, "%s", found.text);
    return most;
}

// Each character is a key, and what is held is held around all of them.
static bool text_leaves_desktop(const char *text, unsigned mods)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        i += dh_utf8_read(text + i, n - i, &cp);
        struct dh_chord c = { 0, dh_keysym_of_char(cp) };
        if (leaves_desktop(plain_chord(c, mods)))
            return true;
    }
    return false;
}

static bool text_closes_window(const char *text, unsigned mods)
{
    for (const char *p = text; *p; p++) {
        struct dh_chord c = { 0, (unsigned char)*p };
        if (closes_window(plain_chord(c, mods)))
            return true;
    }
    return false;
}

static enum dh_tier tier_of_text(const struct dh_action *a,
                                 const struct dh_tier_context *c,
                                 struct dh_diag *why)
{
    const char *text = a->text ? a->text : "";
    unsigned mods = held_mods(c->held);
    if (mods && text_leaves_desktop(text, mods))
        return never(why, "the keys would leave the desktop");
    if (mods && text_closes_window(text, mods))
        return risk(why, "the keys close a window");
    if (dh_tier_is_secret(a, c))
        return risk(why, "a password or a secret is entered");
    if (dh_tier_text_is_destructive(text))
        return risk(why, "the text is a command that can destroy something");
    // The same as the keys themselves: \n, \r, and ^D, ^J, ^M, ^O as written.
    if (dh_tier_is_terminal(c) && (strpbrk(text, "\n\r\004\017") || mods))
        return risk(why, "Return in a terminal runs a command");
    return DH_TIER_TYPE;
}

static bool text_has(const char *text, const char *const *parts)
{
    struct dh_str s = dh_str_of(text ? text : "");
    for (; *parts; parts++)
        if (dh_str_has_nocase(s, *parts))
            return true;
    return false;
}

bool dh_tier_is_terminal(const struct dh_tier_context *c)
{
    static const char *const parts[] = {
        "term",        "konsole",   "rxvt",    "kitty",       "tilix",
        "guake",       "yakuake",   "ghostty", "foot",        "cool-retro",
        "terminology", "alacritty", "wezterm", "st-256color", NULL
    };
    struct dh_str program = dh_str_of(c->program ? c->program : "");
    return text_has(c->wm_class, parts) || text_has(c->program, parts) ||
           dh_str_is(program, "st");
}

bool dh_tier_is_secret(const struct dh_action *a,
                       const struct dh_tier_context *c)
{
    static const char *const asks[] = {
        "password",    "passphrase",   "passwort", "pinentry",
        "authenticat", "askpass",      "unlock",   "polkit",
        "credential",  "mot de passe", NULL
    };
    return c->password || dh_secrets_named(a->text) ||
           text_has(c->title, asks) || text_has(c->wm_class, asks) ||
           text_has(c->program, asks);
}

static enum dh_tier tier_of_pointer(const struct dh_action *a,
                                    const struct dh_tier_context *c,
                                    struct dh_diag *why)
{
    static const char *const words[] = {
        "delete", "pay",    "send",  "publish", "install",  "grant", "purchase",
        "buy",    "remove", "erase", "format",  "transfer", NULL
    };
    if (a->op == DH_ACTION_MOVE || a->op == DH_ACTION_SCROLL ||
        a->op == DH_ACTION_UP)
        return DH_TIER_POINT;
    if (text_has(c->target, words))
        return risk(why, "the target's text reads as a step that counts");
    if (a->button == 2 && dh_tier_is_terminal(c))
        return risk(why, "a paste into a terminal may run commands");
    return DH_TIER_POINT;
}

static enum dh_tier tier_alone(const struct dh_action *a,
                               const struct dh_tier_context *c,
                               struct dh_diag *why)
{
    switch (a->op) {
    case DH_ACTION_MOVE:
    case DH_ACTION_CLICK:
    case DH_ACTION_DOWN:
    case DH_ACTION_UP:
    case DH_ACTION_PRESS:
    case DH_ACTION_DRAG:
    case DH_ACTION_SCROLL: return tier_of_pointer(a, c, why);
    case DH_ACTION_TYPE: return tier_of_text(a, c, why);
    case DH_ACTION_KEY:
    case DH_ACTION_HOLD_KEY:
    case DH_ACTION_KEY_DOWN: return tier_of_keys(a, c, why);
    case DH_ACTION_KEY_UP: return DH_TIER_POINT;
    case DH_ACTION_SCREENSHOT:
    case DH_ACTION_ZOOM:
    case DH_ACTION_CURSOR:
    case DH_ACTION_WAIT:
    case DH_ACTION_ANSWER:
    case DH_ACTION_ASK:
    case DH_ACTION_DONE:
    case DH_ACTION_FAIL:
    case DH_ACTION_COUNT: break;
    }
    return DH_TIER_LOOK;
}

enum dh_tier dh_tier_of(const struct dh_action *a,
                        const struct dh_tier_context *c, struct dh_diag *why)
{
    struct dh_diag found = { 0 };
    enum dh_tier t = tier_alone(a, c, &found);
    if (c->own && t > DH_TIER_LOOK) {
        memset(&found, 0, sizeof found);
        t = never(&found, "the window controls this agent");
    }
    if (a->confirm && t < DH_TIER_RISK && !dh_action_is_final(a))
        t = risk(&found, "the model's vendor wants a person to confirm it");
    if (why && found.text[0])
        dh_diag_set(why, 0, "%s", found.text);
    return t;
}
