#include "capture/input_setup.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <X11/Xatom.h>
#include <X11/Xlib.h>
#include <X11/extensions/XInput2.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/x11.h"

#define PROPERTY_WORDS 65536 // of four bytes
#define DPI            96.0

// ---- what the desktop says to all programs ----------------------------------

struct reader {
    const unsigned char *p;
    size_t n, at;
    bool big, bad;
};

static size_t number(struct reader *r, size_t bytes)
{
    size_t v = 0;
    if (r->bad || r->n - r->at < bytes) {
        r->bad = true;
        return 0;
    }
    for (size_t i = 0; i < bytes; i++)
        v |= (size_t)r->p[r->at + i] << 8 * (r->big ? bytes - 1 - i : i);
    r->at += bytes;
    return v;
}

// A text of which each begins at a word.
static struct dh_str text(struct reader *r, size_t len)
{
    size_t padded = (len + 3) / 4 * 4;
    if (r->bad || r->n - r->at < padded) {
        r->bad = true;
        return (struct dh_str){ "", 0 };
    }
    struct dh_str s = { (const char *)r->p + r->at, len };
    r->at += padded;
    return s;
}

static void keep(char *out, size_t size, struct dh_str s)
{
    snprintf(out, size, "%.*s", (int)DH_MIN(s.n, size - 1), s.p);
}

static void take_text(struct dh_input_setup *s, struct dh_str name,
                      struct dh_str value)
{
    if (dh_str_is(name, "Net/ThemeName"))
        keep(s->theme, sizeof s->theme, value);
    else if (dh_str_is(name, "Net/IconThemeName"))
        keep(s->icons, sizeof s->icons, value);
    else if (dh_str_is(name, "Gtk/FontName"))
        keep(s->font, sizeof s->font, value);
}

static void take_number(struct dh_input_setup *s, struct dh_str name,
                        uint32_t value)
{
    if (value == 0 || value > 1000000)
        return;
    if (dh_str_is(name, "Xft/DPI"))
        s->dpi = value / 1024.0;
    else if (dh_str_is(name, "Net/DoubleClickTime"))
        s->double_click_ms = (int)value;
    else if (dh_str_is(name, "Net/DndDragThreshold"))
        s->drag_px = (int)value;
}

void dh_input_setup_settings(struct dh_input_setup *out,
                             const unsigned char *bytes, size_t len)
{
    enum { INTEGER, TEXT, COLOR };
    struct reader r = { .p = bytes, .n = len };
    r.big = number(&r, 1) == MSBFirst;
    number(&r, 3);
    number(&r, 4); // its version
    size_t n = number(&r, 4);
    for (size_t i = 0; i < n && !r.bad; i++) {
        size_t type = number(&r, 1);
        number(&r, 1);
        struct dh_str name = text(&r, number(&r, 2));
        number(&r, 4); // when it changed
        if (type == INTEGER)
            take_number(out, name, (uint32_t)number(&r, 4));
        else if (type == TEXT)
            take_text(out, name, text(&r, number(&r, 4)));
        else if (type == COLOR)
            text(&r, 8);
        else
            r.bad = true;
    }
}

void dh_input_setup_resources(struct dh_input_setup *out, const char *bytes,
                              size_t len)
{
    struct dh_str all = { bytes, len };
    ptrdiff_t at = dh_str_find(all, "Xft.dpi:", 0);
    double dpi;
    if (at < 0)
        return;
    struct dh_str rest = dh_str_sub(all, (size_t)at + strlen("Xft.dpi:"), len);
    ptrdiff_t nl = dh_str_find(rest, "\n", 0);
    rest = dh_str_trim(dh_str_sub(rest, 0, nl < 0 ? rest.n : (size_t)nl));
    if (dh_parse_double(rest, &dpi) && dpi >= 10 && dpi <= 1000)
        out->dpi = dpi;
}

// ---- asking -----------------------------------------------------------------

// Of format 8, to be freed with XFree; NULL: there is none.
static unsigned char *property(Display *dpy, Window w, const char *name,
                               size_t *len)
{
    Atom type, atom = XInternAtom(dpy, name, True);
    int format;
    unsigned long n = 0, more;
    unsigned char *p = NULL;
    *len = 0;
    dh_x11_trap_begin(dpy);
    bool got =
        atom != None && XGetWindowProperty(dpy, w, atom, 0, PROPERTY_WORDS,
                                           False, AnyPropertyType, &type,
                                           &format, &n, &more, &p) == Success;
    if (dh_x11_trap_end(dpy) && got && format == 8 && p) {
        *len = n;
        return p;
    }
    if (p)
        XFree(p);
    return NULL;
}

static void read_text(Display *dpy, Window w, const char *name, char *out,
                      size_t size)
{
    size_t len;
    unsigned char *p = property(dpy, w, name, &len);
    if (!p)
        return;
    keep(out, size, (struct dh_str){ (const char *)p, len });
    XFree(p);
}

// rules, model, layout, variant, options, each with a NUL behind it.
static void read_keyboard(struct dh_input_setup *s, Display *dpy, Window root)
{
    size_t len, at = 0;
    unsigned char *p = property(dpy, root, "_XKB_RULES_NAMES", &len);
    struct {
        char *to;
        size_t size;
    } part[] = { { NULL, 0 },
                 { s->model, sizeof s->model },
                 { s->layout, sizeof s->layout },
                 { s->variant, sizeof s->variant } };
    for (size_t i = 0; p && i < DH_COUNTOF(part) && at < len; i++) {
        size_t n = strnlen((const char *)p + at, len - at);
        if (part[i].to)
            keep(part[i].to, part[i].size,
                 (struct dh_str){ (const char *)p + at, n });
        at += n + 1;
    }
    if (p)
        XFree(p);
}

static void read_wm(struct dh_input_setup *s, Display *dpy, Window root)
{
    Atom type, atom = XInternAtom(dpy, "_NET_SUPPORTING_WM_CHECK", True);
    int format;
    unsigned long n = 0, more;
    unsigned char *p = NULL;
    if (atom == None ||
        XGetWindowProperty(dpy, root, atom, 0, 1, False, XA_WINDOW, &type,
                           &format, &n, &more, &p) != Success)
        return;
    if (p && format == 32 && n == 1) {
        unsigned long id;
        memcpy(&id, p, sizeof id);
        read_text(dpy, id, "_NET_WM_NAME", s->wm, sizeof s->wm);
    }
    if (p)
        XFree(p);
}

static void read_settings(struct dh_input_setup *s, Display *dpy, Window root)
{
    char name[32];
    size_t len;
    unsigned char *p = property(dpy, root, "RESOURCE_MANAGER", &len);
    if (p)
        dh_input_setup_resources(s, (const char *)p, len);
    if (p)
        XFree(p);
    snprintf(name, sizeof name, "_XSETTINGS_S%d", DefaultScreen(dpy));
    Window owner = XGetSelectionOwner(dpy, XInternAtom(dpy, name, False));
    p = owner ? property(dpy, owner, "_XSETTINGS_SETTINGS", &len) : NULL;
    if (p)
        dh_input_setup_settings(s, p, len);
    if (p)
        XFree(p);
}

static void read_pointers(struct dh_input_setup *s, Display *dpy)
{
    int n = 0, opcode, event, error;
    Atom atom = XInternAtom(dpy, "libinput Natural Scrolling Enabled", True);
    if (atom == None ||
        !XQueryExtension(dpy, "XInputExtension", &opcode, &event, &error))
        return;
    XIDeviceInfo *all = XIQueryDevice(dpy, XIAllDevices, &n);
    for (int i = 0; all && i < n; i++) {
        Atom type;
        int format;
        unsigned long items = 0, more;
        unsigned char *p = NULL;
        if (all[i].use != XISlavePointer ||
            XIGetProperty(dpy, all[i].deviceid, atom, 0, 1, False, XA_INTEGER,
                          &type, &format, &items, &more, &p) != Success)
            continue;
        if (p && format == 8 && items)
            s->natural_scroll = DH_MAX(s->natural_scroll, p[0] != 0);
        if (p)
            XFree(p);
    }
    if (all)
        XIFreeDeviceInfo(all);
}

enum dh_status dh_input_setup_read(struct dh_input_setup *out,
                                   const char *display)
{
    struct dh_input_setup s = { .natural_scroll = -1 };
    Display *dpy;
    enum dh_status st = dh_x11_open(&dpy, display);
    if (st)
        return st;
    Window root = DefaultRootWindow(dpy);
    int screen = DefaultScreen(dpy);
    s.depth = DefaultDepth(dpy, screen);
    read_keyboard(&s, dpy, root);
    read_wm(&s, dpy, root);
    read_settings(&s, dpy, root);
    read_pointers(&s, dpy);
    s.font_scale = s.dpi / DPI;
    int mm = DisplayHeightMM(dpy, screen);
    if (s.dpi <= 0 && mm > 0)
        s.dpi = floor(DisplayHeight(dpy, screen) * 25.4 / mm + 0.5);
    bool lost = dh_x11_is_lost(dpy);
    dh_x11_close(dpy);
    if (lost)
        return DH_ERR_CLOSED;
    *out = s;
    return DH_OK;
}
