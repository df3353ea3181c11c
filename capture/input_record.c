#include "capture/input_record.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <X11/Xatom.h>
#include <X11/Xlib.h>
#include <X11/extensions/XInput2.h>
#include <X11/extensions/Xfixes.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/queue.h"
#include "base/str.h"
#include "base/thread.h"
#include "base/x11.h"
#include "capture/input_devices_priv.h"
#include "capture/input_keys_priv.h"
#include "capture/windows_watch_priv.h"

#define DH_LOG_TAG "input"
#include "base/log.h"

#define QUEUE_EVENTS 1024
#define MOTION_NS    (DH_S / 60)
#define CLIP_WORDS   65536 // of four bytes

struct chord {
    unsigned mods;
    KeySym key; // NoSymbol: none
};

struct dh_input_record {
    // set before start
    bool include_xtest;
    struct chord stop, pause;
    Display *dpy; // the thread's, which closes it
    int opcode, fixes_event;
    int wake; // an eventfd that ends the thread
    struct dh_thread thread;
    struct dh_queue queue;
    atomic_ullong dropped;

    // only the thread
    struct dh_input_devices devices;
    struct dh_input_keys *keys;
    struct dh_windows_watch *windows;
    int64_t told_ns;  // the last motion that was told
    int moved_device; // with motion since; 0: none
    struct dh_point at;
    int repeating; // the key that the server repeats; 0: none
    int64_t repeating_ns;
    char layout[64];
    Window clip; // gets the clipboard's text; None: it is not asked for
};

const char *dh_window_change_name(enum dh_window_change what)
{
    static const char *const names[] = { "map", "unmap", "focus", "move",
                                         "title" };
    return names[what];
}

static void tell(struct dh_input_record *r, const struct dh_input_event *e)
{
    if (dh_queue_put(&r->queue, e, 0)) {
        atomic_fetch_add(&r->dropped, 1);
        dh_free(e->clip);
    }
}

static void tell_window(void *user, enum dh_window_change what,
                        const struct dh_window *window)
{
    struct dh_input_record *r = user;
    struct dh_input_event e = { .kind = DH_INPUT_WINDOW,
                                .time_ns = dh_now_ns(),
                                .what = what,
                                .window = *window,
                                .stack = -1 };
    if (r->windows && what != DH_WINDOW_UNMAP)
        e.stack = dh_windows_watch_above(r->windows, window->id);
    if (what == DH_WINDOW_FOCUS)
        dh_input_keys_reset(r->keys);
    tell(r, &e);
}

static struct dh_point pointer(struct dh_input_record *r)
{
    Window root, child;
    int x, y;
    unsigned mask;
    XQueryPointer(r->dpy, DefaultRootWindow(r->dpy), &root, &child, &r->at.x,
                  &r->at.y, &x, &y, &mask);
    return r->at;
}

// ---- the pointer -----------------------------------------------------------

static void tell_motion(struct dh_input_record *r)
{
    struct dh_point was = r->at;
    struct dh_input_event e = { .kind = DH_INPUT_MOTION,
                                .time_ns = dh_now_ns(),
                                .device = r->moved_device };
    e.at = pointer(r);
    r->told_ns = e.time_ns;
    r->moved_device = 0;
    if (e.at.x != was.x || e.at.y != was.y)
        tell(r, &e);
}

static Bool is_motion(Display *dpy, XEvent *e, XPointer found)
{
    (void)dpy;
    if (e->type == GenericEvent && e->xcookie.evtype == XI_RawMotion)
        *(bool *)found = true;
    return False; // it stays in the queue
}

// The server tells where the pointer is, not where it was at the event. What
// moved it meanwhile is in the queue by now, and where nothing did before, it
// was where it had been: a hand that goes on at once makes no drag of a click.
static struct dh_point pointer_then(struct dh_input_record *r)
{
    struct dh_point was = r->at;
    bool moved = false;
    XEvent e;
    pointer(r);
    XCheckIfEvent(r->dpy, &e, is_motion, (XPointer)&moved);
    if (moved)
        r->at = was;
    return r->at;
}

static void note_button(struct dh_input_record *r, const XIRawEvent *raw)
{
    struct dh_input_event e = { .kind = DH_INPUT_BUTTON,
                                .time_ns = dh_now_ns(),
                                .device = raw->sourceid,
                                .code = raw->detail,
                                .down = raw->evtype == XI_RawButtonPress,
                                .mods = dh_input_keys_mods(r->keys) };
    if (r->moved_device)
        tell_motion(r);
    e.at = pointer_then(r);
    if (e.code >= 4 && e.code <= 7) {
        e.kind = DH_INPUT_SCROLL;
        e.dy = e.code == 4 ? -1 : e.code == 5;
        e.dx = e.code == 6 ? -1 : e.code == 7;
        if (!e.down)
            return;
    }
    tell(r, &e);
}

// ---- the keyboard ----------------------------------------------------------

static bool is_chord(const struct chord *c, const struct dh_input_event *e)
{
    return c->key != NoSymbol && e->mods == c->mods &&
           (e->keysym == c->key || XStringToKeysym(e->name) == c->key);
}

static void note_layout(struct dh_input_record *r)
{
    const char *name = dh_input_keys_layout(r->keys);
    struct dh_input_event e = { .kind = DH_INPUT_LAYOUT,
                                .time_ns = dh_now_ns() };
    if (strncmp(name, r->layout, sizeof r->layout - 1) == 0)
        return;
    snprintf(r->layout, sizeof r->layout, "%s", name);
    snprintf(e.name, sizeof e.name, "%.31s", name);
    tell(r, &e);
}

// A modifier goes down or up beside a key that repeats on.
static void count_repeats(struct dh_input_record *r, struct dh_input_event *e)
{
    if (r->repeating && !e->modifier && (e->down || e->code == r->repeating)) {
        e->repeats = dh_input_keys_repeats(r->keys, r->repeating,
                                           e->time_ns - r->repeating_ns);
        r->repeating = 0;
    }
    if (e->down && !e->modifier) {
        r->repeating = e->code;
        r->repeating_ns = e->time_ns;
    }
}

static void note_key(struct dh_input_record *r, const XIRawEvent *raw)
{
    struct dh_input_event e = { .kind = DH_INPUT_KEY,
                                .time_ns = dh_now_ns(),
                                .device = raw->sourceid,
                                .code = raw->detail,
                                .down = raw->evtype == XI_RawKeyPress,
                                .at = r->at };
    // Where the focus has gone to has to be known before the key is.
    dh_windows_watch_flush(r->windows);
    dh_input_keys_read(r->keys, &e);
    note_layout(r);
    count_repeats(r, &e);
    if (e.down && is_chord(&r->stop, &e))
        e.kind = DH_INPUT_STOP;
    else if (e.down && is_chord(&r->pause, &e))
        e.kind = DH_INPUT_PAUSE;
    tell(r, &e);
}

// ---- the thread ------------------------------------------------------------

static void note_raw(struct dh_input_record *r, const XIRawEvent *raw)
{
    // The master device tells the same once more.
    if (raw->deviceid != raw->sourceid)
        return;
    if (!r->include_xtest &&
        dh_input_devices_is_xtest(&r->devices, raw->sourceid))
        return;
    switch (raw->evtype) {
    case XI_RawMotion: r->moved_device = raw->sourceid; break;
    case XI_RawButtonPress:
    case XI_RawButtonRelease: note_button(r, raw); break;
    case XI_RawKeyPress:
    case XI_RawKeyRelease: note_key(r, raw); break;
    default: break;
    }
}

static void tell_clip(struct dh_input_record *r, char *text)
{
    struct dh_input_event e = { .kind = DH_INPUT_CLIP,
                                .time_ns = dh_now_ns(),
                                .clip = text };
    tell(r, &e);
}

// The owner answers with an event, or never.
static void note_clip(struct dh_input_record *r)
{
    if (r->clip == None) {
        tell_clip(r, NULL);
        return;
    }
    XConvertSelection(r->dpy, XInternAtom(r->dpy, "CLIPBOARD", False),
                      XInternAtom(r->dpy, "UTF8_STRING", False),
                      XInternAtom(r->dpy, "DH_CLIP", False), r->clip,
                      CurrentTime);
}

static void read_clip(struct dh_input_record *r, const XSelectionEvent *e)
{
    Atom type;
    int format = 0;
    unsigned long n = 0, more = 0;
    unsigned char *p = NULL;
    char *text = NULL;
    if (e->property != None)
        XGetWindowProperty(r->dpy, r->clip, e->property, 0, CLIP_WORDS, True,
                           XInternAtom(r->dpy, "UTF8_STRING", False), &type,
                           &format, &n, &more, &p);
    // Longer ones come in pieces, which are not waited for.
    if (p && format == 8 && !more)
        text = dh_strndup((const char *)p, n);
    if (p)
        XFree(p);
    tell_clip(r, text);
}

static void read_event(struct dh_input_record *r)
{
    XEvent e;
    XNextEvent(r->dpy, &e);
    if (r->fixes_event && e.type == r->fixes_event + XFixesSelectionNotify) {
        note_clip(r);
        return;
    }
    if (e.type == SelectionNotify && e.xselection.requestor == r->clip) {
        read_clip(r, &e.xselection);
        return;
    }
    if (e.type != GenericEvent) {
        dh_input_keys_event(r->keys, &e);
        dh_windows_watch_event(r->windows, &e);
        return;
    }
    if (e.xcookie.extension != r->opcode || !XGetEventData(r->dpy, &e.xcookie))
        return;
    if (e.xcookie.evtype == XI_HierarchyChanged)
        dh_input_devices_find(&r->devices, r->dpy);
    else
        note_raw(r, e.xcookie.data);
    XFreeEventData(r->dpy, &e.xcookie);
}

static void run(void *arg)
{
    struct dh_input_record *r = arg;
    bool on = true;
    while (on && !dh_x11_is_lost(r->dpy)) {
        while (XPending(r->dpy) > 0 && !dh_x11_is_lost(r->dpy))
            read_event(r);
        if (dh_x11_is_lost(r->dpy))
            break;
        int64_t next = dh_windows_watch_flush(r->windows);
        int64_t motion = r->told_ns + MOTION_NS;
        if (r->moved_device && motion <= dh_now_ns())
            tell_motion(r);
        if (r->moved_device)
            next = DH_MIN(next, motion);
        // A round trip may have brought events that wake no poll.
        if (XEventsQueued(r->dpy, QueuedAlready) == 0)
            on = dh_input_wait(r->dpy, r->wake, next);
    }
    if (dh_x11_is_lost(r->dpy))
        tell(r, &(struct dh_input_event){ .kind = DH_INPUT_LOST,
                                          .time_ns = dh_now_ns() });
    // Xlib leaves a lost display locked by the thread that lost it.
    dh_windows_watch_destroy(r->windows);
    dh_input_keys_destroy(r->keys);
    dh_x11_close(r->dpy);
    r->windows = NULL;
    r->keys = NULL;
    r->dpy = NULL;
}

// ---- begin and end ---------------------------------------------------------

static unsigned mod_of(struct dh_str name)
{
    static const struct {
        const char *name;
        unsigned bit;
    } mods[] = { { "shift", DH_INPUT_SHIFT },
                 { "ctrl", DH_INPUT_CONTROL },
                 { "control", DH_INPUT_CONTROL },
                 { "alt", DH_INPUT_ALT },
                 { "super", DH_INPUT_SUPER } };
    for (size_t i = 0; i < DH_COUNTOF(mods); i++)
        if (dh_str_is_nocase(name, mods[i].name))
            return mods[i].bit;
    return 0;
}

static enum dh_status parse_chord(const char *text, struct chord *out)
{
    struct dh_str rest = dh_str_of(text ? text : "");
    ptrdiff_t plus;
    *out = (struct chord){ 0, NoSymbol };
    if (!rest.n)
        return DH_OK;
    while ((plus = dh_str_find(rest, "+", 0)) > 0) {
        unsigned mod = mod_of(dh_str_sub(rest, 0, (size_t)plus));
        if (!mod)
            break;
        out->mods |= mod;
        rest = dh_str_sub(rest, (size_t)plus + 1, rest.n);
    }
    out->key = XStringToKeysym(rest.p);
    if (out->key != NoSymbol)
        return DH_OK;
    dh_error("there is no key \"%s\"; names as in Ctrl+Alt+Shift+Escape, Pause "
             "or Super+F12 are meant",
             text);
    return DH_ERR_USAGE;
}

// Without XFixes nobody tells that the clipboard has changed.
static void select_clip(struct dh_input_record *r)
{
    int error;
    if (!XFixesQueryExtension(r->dpy, &r->fixes_event, &error)) {
        r->fixes_event = 0;
        return;
    }
    XFixesSelectSelectionInput(r->dpy, DefaultRootWindow(r->dpy),
                               XInternAtom(r->dpy, "CLIPBOARD", False),
                               XFixesSetSelectionOwnerNotifyMask);
}

static enum dh_status start(struct dh_input_record *r,
                            const struct dh_input_record_options *o)
{
    enum dh_status st = parse_chord(o->stop_key, &r->stop);
    if (!st)
        st = parse_chord(o->pause_key, &r->pause);
    if (!st)
        st = dh_x11_open(&r->dpy, o->display);
    if (!st)
        st = dh_input_select(r->dpy, true, &r->opcode);
    if (!st)
        st = dh_input_keys_create(&r->keys, r->dpy, o->display, o->locale);
    if (!st)
        st = dh_windows_watch_create(&r->windows, r->dpy, o->display,
                                     tell_window, r);
    if (st)
        return st;
    dh_input_devices_find(&r->devices, r->dpy);
    select_clip(r);
    if (o->clipboard)
        r->clip = XCreateSimpleWindow(r->dpy, DefaultRootWindow(r->dpy), -1, -1,
                                      1, 1, 0, 0, 0);
    note_layout(r);
    pointer(r);
    r->wake = eventfd(0, EFD_CLOEXEC);
    if (r->wake < 0) {
        dh_error("cannot create an event counter: %s", strerror(errno));
        return DH_ERR_IO;
    }
    return dh_thread_start(&r->thread, "dh-input", run, r);
}

enum dh_status dh_input_record_create(struct dh_input_record **out,
                                      const struct dh_input_record_options *o)
{
    struct dh_input_record *r;
    dh_new(r);
    r->wake = -1;
    r->include_xtest = o->include_xtest;
    dh_queue_init(&r->queue, sizeof(struct dh_input_event), QUEUE_EVENTS);
    enum dh_status st = start(r, o);
    if (st) {
        dh_input_record_destroy(r);
        return st;
    }
    *out = r;
    return DH_OK;
}

void dh_input_record_destroy(struct dh_input_record *r)
{
    if (!r)
        return;
    if (r->wake >= 0) {
        uint64_t one = 1;
        ssize_t n = write(r->wake, &one, sizeof one);
        (void)n; // a counter at its end wakes as well
        dh_thread_join(&r->thread);
        close(r->wake);
    }
    dh_windows_watch_destroy(r->windows);
    dh_input_keys_destroy(r->keys);
    dh_x11_close(r->dpy);
    dh_queue_close(&r->queue);
    struct dh_input_event left;
    while (dh_queue_take(&r->queue, &left, 0) == DH_OK)
        dh_free(left.clip);
    explicit_bzero(&left, sizeof left);
    dh_queue_finish(&r->queue);
    dh_free(r);
}

enum dh_status dh_input_record_take(struct dh_input_record *r,
                                    struct dh_input_event *out,
                                    int64_t until_ns)
{
    return dh_queue_take(&r->queue, out, until_ns);
}

uint64_t dh_input_record_dropped(struct dh_input_record *r)
{
    return atomic_exchange(&r->dropped, 0);
}

enum dh_status dh_input_layout_now(const char *display, char *out, int size)
{
    Display *dpy;
    struct dh_input_keys *keys;
    enum dh_status st = dh_x11_open(&dpy, display);
    out[0] = '\0';
    if (st)
        return st;
    if (!dh_input_keys_create(&keys, dpy, display, NULL)) {
        snprintf(out, (size_t)size, "%s", dh_input_keys_layout(keys));
        dh_input_keys_destroy(keys);
    }
    dh_x11_close(dpy);
    return DH_OK;
}
