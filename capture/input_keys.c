#include "capture/input_keys_priv.h"

#include <stdarg.h>
#include <string.h>

#include <X11/XKBlib.h>
#include <xcb/xcb.h>
#include <xkbcommon/xkbcommon-compose.h>
#include <xkbcommon/xkbcommon-keysyms.h>
#include <xkbcommon/xkbcommon-x11.h>
#include <xkbcommon/xkbcommon.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/x11.h"

#define DH_LOG_TAG "input"
#include "base/log.h"

struct dh_input_keys {
    Display *dpy; // not owned
    char *display;
    int xkb_event;
    struct xkb_context *context;
    struct xkb_keymap *keymap; // NULL: could not be had
    struct xkb_state *state;
    struct xkb_compose_table *table; // NULL: no sequences
    struct xkb_compose_state *compose;
    XkbStateRec now;
    bool stale; // the server has another keymap
    int64_t delay_ns, interval_ns;
};

static void no_log(struct xkb_context *c, enum xkb_log_level level,
                   const char *format, va_list args)
{
    (void)c;
    (void)level;
    (void)format;
    (void)args;
}

static void update_state(struct dh_input_keys *k)
{
    const XkbStateRec *s = &k->now;
    if (k->state)
        xkb_state_update_mask(k->state, s->base_mods, s->latched_mods,
                              s->locked_mods, (xkb_layout_index_t)s->base_group,
                              (xkb_layout_index_t)s->latched_group,
                              (xkb_layout_index_t)s->locked_group);
}

static void drop_keymap(struct dh_input_keys *k)
{
    xkb_state_unref(k->state);
    xkb_keymap_unref(k->keymap);
    k->state = NULL;
    k->keymap = NULL;
}

// xkbcommon speaks XCB; a connection for the moment keeps that in this file.
static void load_keymap(struct dh_input_keys *k)
{
    xcb_connection_t *c = xcb_connect(k->display, NULL);
    drop_keymap(k);
    k->stale = false;
    if (!xcb_connection_has_error(c) &&
        xkb_x11_setup_xkb_extension(c, XKB_X11_MIN_MAJOR_XKB_VERSION,
                                    XKB_X11_MIN_MINOR_XKB_VERSION, 0, NULL,
                                    NULL, NULL, NULL))
        k->keymap = xkb_x11_keymap_new_from_device(
            k->context, c, xkb_x11_get_core_keyboard_device_id(c), 0);
    xcb_disconnect(c);
    if (k->keymap)
        k->state = xkb_state_new(k->keymap);
    else
        dh_warn("the keyboard's layout cannot be read, so keys are recorded "
                "without their text");
    XkbGetState(k->dpy, XkbUseCoreKbd, &k->now);
    update_state(k);
    unsigned delay = 500, interval = 30;
    XkbGetAutoRepeatRate(k->dpy, XkbUseCoreKbd, &delay, &interval);
    k->delay_ns = delay * DH_MS;
    k->interval_ns = DH_MAX(interval, 1u) * DH_MS;
}

static enum dh_status select_state(struct dh_input_keys *k)
{
    int opcode, error, major = XkbMajorVersion, minor = XkbMinorVersion;
    const unsigned which = XkbStateNotifyMask | XkbNewKeyboardNotifyMask |
                           XkbMapNotifyMask | XkbControlsNotifyMask;
    if (!XkbQueryExtension(k->dpy, &opcode, &k->xkb_event, &error, &major,
                           &minor)) {
        dh_error("the X server has no XKB, so keys cannot be read");
        return DH_ERR_UNSUPPORTED;
    }
    XkbSelectEvents(k->dpy, XkbUseCoreKbd, which, which);
    return DH_OK;
}

enum dh_status dh_input_keys_create(struct dh_input_keys **out, Display *dpy,
                                    const char *display, const char *locale)
{
    struct dh_input_keys *k;
    dh_new(k);
    k->dpy = dpy;
    k->display = dh_strdup(display ? display : XDisplayString(dpy));
    enum dh_status st = select_state(k);
    if (!st)
        k->context = xkb_context_new(XKB_CONTEXT_NO_ENVIRONMENT_NAMES);
    if (!st && !k->context)
        st = DH_ERR_NOMEM;
    if (st) {
        dh_input_keys_destroy(k);
        return st;
    }
    // It complains of each line of a compose file that it does not know.
    xkb_context_set_log_fn(k->context, no_log);
    if (locale)
        k->table = xkb_compose_table_new_from_locale(
            k->context, locale, XKB_COMPOSE_COMPILE_NO_FLAGS);
    if (k->table)
        k->compose =
            xkb_compose_state_new(k->table, XKB_COMPOSE_STATE_NO_FLAGS);
    load_keymap(k);
    *out = k;
    return DH_OK;
}

void dh_input_keys_destroy(struct dh_input_keys *k)
{
    if (!k)
        return;
    xkb_compose_state_unref(k->compose);
    xkb_compose_table_unref(k->table);
    drop_keymap(k);
    xkb_context_unref(k->context);
    dh_free(k->display);
    dh_free(k);
}

static void note_state(struct dh_input_keys *k, const XkbStateNotifyEvent *e)
{
    k->now.base_mods = (unsigned char)e->base_mods;
    k->now.latched_mods = (unsigned char)e->latched_mods;
    k->now.locked_mods = (unsigned char)e->locked_mods;
    k->now.base_group = (unsigned short)e->base_group;
    k->now.latched_group = (unsigned short)e->latched_group;
    k->now.locked_group = (unsigned char)e->locked_group;
    update_state(k);
}

void dh_input_keys_event(struct dh_input_keys *k, const XEvent *e)
{
    if (e->type != k->xkb_event)
        return;
    const XkbEvent *x = (const XkbEvent *)e;
    if (x->any.xkb_type == XkbStateNotify)
        note_state(k, &x->state);
    else
        k->stale = true;
}

unsigned dh_input_keys_mods(const struct dh_input_keys *k)
{
    static const struct {
        const char *name;
        unsigned bit;
    } mods[] = { { XKB_MOD_NAME_SHIFT, DH_INPUT_SHIFT },
                 { XKB_MOD_NAME_CTRL, DH_INPUT_CONTROL },
                 { XKB_MOD_NAME_ALT, DH_INPUT_ALT },
                 { XKB_MOD_NAME_LOGO, DH_INPUT_SUPER },
                 { "Mod5", DH_INPUT_ALTGR } };
    // What is held, and what sticky keys hold; Caps_Lock and Num_Lock are not.
    const enum xkb_state_component held =
        XKB_STATE_MODS_DEPRESSED | XKB_STATE_MODS_LATCHED;
    unsigned found = 0;
    for (size_t i = 0; k->state && i < DH_COUNTOF(mods); i++)
        if (xkb_state_mod_name_is_active(k->state, mods[i].name, held) > 0)
            found |= mods[i].bit;
    return found;
}

static unsigned modifier_of(xkb_keysym_t sym)
{
    switch (sym) {
    case XKB_KEY_Shift_L:
    case XKB_KEY_Shift_R: return DH_INPUT_SHIFT;
    case XKB_KEY_Control_L:
    case XKB_KEY_Control_R: return DH_INPUT_CONTROL;
    case XKB_KEY_Alt_L:
    case XKB_KEY_Alt_R:
    case XKB_KEY_Meta_L:
    case XKB_KEY_Meta_R: return DH_INPUT_ALT;
    case XKB_KEY_Super_L:
    case XKB_KEY_Super_R: return DH_INPUT_SUPER;
    case XKB_KEY_ISO_Level3_Shift:
    case XKB_KEY_Mode_switch: return DH_INPUT_ALTGR;
    case XKB_KEY_Caps_Lock:
    case XKB_KEY_Shift_Lock:
    case XKB_KEY_Num_Lock:
    case XKB_KEY_ISO_Next_Group:
    case XKB_KEY_ISO_Prev_Group: return DH_INPUT_LOCK;
    default: return 0;
    }
}

// The text of a key that ends a sequence, or is in none.
static void read_text(struct dh_input_keys *k, struct dh_input_event *e)
{
    enum xkb_compose_status st = XKB_COMPOSE_NOTHING;
    const unsigned commands = DH_INPUT_CONTROL | DH_INPUT_ALT | DH_INPUT_SUPER;
    if (k->compose && e->down && !(e->mods & commands) &&
        xkb_compose_state_feed(k->compose, e->keysym))
        st = xkb_compose_state_get_status(k->compose);
    e->composing = st == XKB_COMPOSE_COMPOSING;
    if (st == XKB_COMPOSE_COMPOSED)
        xkb_compose_state_get_utf8(k->compose, e->text, sizeof e->text);
    else if (st == XKB_COMPOSE_NOTHING)
        xkb_state_key_get_utf8(k->state, (xkb_keycode_t)e->code, e->text,
                               sizeof e->text);
    bool control = (unsigned char)e->text[0] < ' ' || e->text[0] == 0x7f;
    if (control || (e->mods & commands))
        e->text[0] = '\0';
}

void dh_input_keys_read(struct dh_input_keys *k, struct dh_input_event *e)
{
    const xkb_keysym_t *plain = NULL;
    xkb_keycode_t code = (xkb_keycode_t)e->code;
    if (k->stale)
        load_keymap(k);
    if (!k->state)
        return;
    e->mods = dh_input_keys_mods(k);
    e->keysym = xkb_state_key_get_one_sym(k->state, code);
    int n = xkb_keymap_key_get_syms_by_level(
        k->keymap, code, xkb_state_key_get_layout(k->state, code), 0, &plain);
    xkb_keysym_get_name(n > 0 ? plain[0] : e->keysym, e->name, sizeof e->name);
    // With Shift an Alt key may be called Meta, and is what it is without.
    e->modifier = modifier_of(n > 0 ? plain[0] : e->keysym);
    if (!e->modifier)
        read_text(k, e);
}

int dh_input_keys_repeats(const struct dh_input_keys *k, int code,
                          int64_t held_ns)
{
    if (!k->keymap || held_ns < k->delay_ns ||
        !xkb_keymap_key_repeats(k->keymap, (xkb_keycode_t)code))
        return 0;
    return 1 + (int)((held_ns - k->delay_ns) / k->interval_ns);
}

void dh_input_keys_reset(struct dh_input_keys *k)
{
    if (k->compose)
        xkb_compose_state_reset(k->compose);
}

const char *dh_input_keys_layout(const struct dh_input_keys *k)
{
    const char *name = NULL;
    if (k->state)
        name = xkb_keymap_layout_get_name(
            k->keymap,
            xkb_state_serialize_layout(k->state, XKB_STATE_LAYOUT_EFFECTIVE));
    return name ? name : "";
}
