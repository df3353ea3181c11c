#include "capture/input_tap.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <X11/XKBlib.h>
#include <X11/Xlib.h>
#include <X11/extensions/XInput2.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "base/x11.h"
#include "capture/input_devices_priv.h"

#define DH_LOG_TAG "tap"
#include "base/log.h"

struct dh_input_tap {
    // set before start
    struct dh_input_tap_options o;
    Display *dpy;                // the thread's, which closes it
    KeySym stop_key, resume_key; // NoSymbol: none
    int opcode;
    int wake; // an eventfd: there is something to do
    struct dh_thread thread;

    // only the thread
    struct dh_input_devices devices; // those that are not a person's

    struct dh_mutex lock;
    struct dh_cond back;
    // guarded by lock
    bool taken, off;
    bool to_watch; // once what was done so far is read
    bool to_end, ended;
    int64_t last_ns; // of a person's input
};

static void set_taken(struct dh_input_tap *t, bool taken)
{
    bool changed;
    dh_mutex_lock(&t->lock);
    changed = t->taken != taken;
    t->taken = taken;
    if (taken)
        dh_cancel_set(t->o.taken);
    else
        dh_cond_broadcast(&t->back);
    dh_mutex_unlock(&t->lock);
    if (changed && t->o.changed)
        t->o.changed(t->o.user, taken);
}

static bool key_is(struct dh_input_tap *t, int code, KeySym wanted)
{
    if (wanted == NoSymbol)
        return false;
    for (unsigned group = 0; group < 4; group++)
        for (unsigned level = 0; level < 4; level++)
            if (XkbKeycodeToKeysym(t->dpy, (KeyCode)code, (int)group,
                                   (int)level) == wanted)
                return true;
    return false;
}

static void toggle(struct dh_input_tap *t)
{
    dh_mutex_lock(&t->lock);
    bool taken = t->taken;
    t->last_ns = dh_now_ns();
    dh_mutex_unlock(&t->lock);
    set_taken(t, !taken);
}

static void note_input(struct dh_input_tap *t, const XIRawEvent *e)
{
    // Each comes once more of its master: a desktop that was handed back
    // between the two would be taken again.
    if (e->deviceid != e->sourceid ||
        dh_input_devices_is_xtest(&t->devices, e->sourceid))
        return;
    bool key = e->evtype == XI_RawKeyPress;
    if (key && key_is(t, e->detail, t->stop_key)) {
        dh_cancel_set(t->o.stop);
        return;
    }
    if (key && key_is(t, e->detail, t->resume_key)) {
        toggle(t);
        return;
    }
    dh_mutex_lock(&t->lock);
    bool counts = !t->off;
    t->last_ns = dh_now_ns();
    dh_mutex_unlock(&t->lock);
    if (counts)
        set_taken(t, true);
}

static void read_event(struct dh_input_tap *t)
{
    XEvent e;
    XNextEvent(t->dpy, &e);
    if (e.type == MappingNotify) {
        XRefreshKeyboardMapping(&e.xmapping);
        return;
    }
    if (e.type != GenericEvent || e.xcookie.extension != t->opcode ||
        !XGetEventData(t->dpy, &e.xcookie))
        return;
    switch (e.xcookie.evtype) {
    case XI_HierarchyChanged: dh_input_devices_find(&t->devices, t->dpy); break;
    case XI_RawKeyPress:
    case XI_RawButtonPress:
    case XI_RawMotion: note_input(t, e.xcookie.data); break;
    default: break;
    }
    XFreeEventData(t->dpy, &e.xcookie);
}

// The moment at which it hands back by itself; INT64_MAX: never.
static int64_t back_at(struct dh_input_tap *t)
{
    int64_t at = INT64_MAX;
    dh_mutex_lock(&t->lock);
    if (t->taken && t->o.resume_after_ns)
        at = t->last_ns + t->o.resume_after_ns;
    dh_mutex_unlock(&t->lock);
    return at;
}

static void read_events(struct dh_input_tap *t)
{
    while (XPending(t->dpy) > 0 && !dh_x11_is_lost(t->dpy))
        read_event(t);
}

static void wake(struct dh_input_tap *t)
{
    uint64_t one = 1;
    ssize_t n = write(t->wake, &one, sizeof one);
    (void)n; // a counter at its end wakes as well
}

// False: it is to end.
static bool wake_up(struct dh_input_tap *t)
{
    uint64_t count;
    ssize_t n = read(t->wake, &count, sizeof count);
    (void)n; // what is to be done says the rest
    dh_mutex_lock(&t->lock);
    bool watch = t->to_watch, on = !t->to_end;
    dh_mutex_unlock(&t->lock);
    if (watch && !dh_x11_is_lost(t->dpy)) {
        XSync(t->dpy, False);
        read_events(t);
        dh_mutex_lock(&t->lock);
        t->off = t->to_watch = false;
        dh_cond_broadcast(&t->back);
        dh_mutex_unlock(&t->lock);
    }
    return on;
}

static void run(void *arg)
{
    struct dh_input_tap *t = arg;
    bool on = true;
    while (on && !dh_x11_is_lost(t->dpy)) {
        read_events(t);
        int64_t until = back_at(t);
        if (until <= dh_now_ns())
            set_taken(t, false);
        else if (!dh_input_wait(t->dpy, t->wake, until))
            on = wake_up(t);
    }
    // A server that is gone gives nothing back, and nobody waits for it.
    if (dh_x11_is_lost(t->dpy))
        set_taken(t, false);
    dh_mutex_lock(&t->lock);
    t->ended = true;
    dh_cond_broadcast(&t->back);
    dh_mutex_unlock(&t->lock);
    // Xlib leaves a lost display locked by the thread that lost it.
    dh_x11_close(t->dpy);
    t->dpy = NULL;
}

static enum dh_status find_key(const char *name, KeySym *out)
{
    *out = name && name[0] ? XStringToKeysym(name) : NoSymbol;
    if (*out != NoSymbol || !name || !name[0])
        return DH_OK;
    dh_error("there is no key \"%s\"; X names are meant, such as Pause, "
             "Scroll_Lock or F12",
             name);
    return DH_ERR_USAGE;
}

static enum dh_status start(struct dh_input_tap *t)
{
    enum dh_status st = find_key(t->o.stop_key, &t->stop_key);
    if (!st)
        st = find_key(t->o.resume_key, &t->resume_key);
    if (!st)
        st = dh_x11_open(&t->dpy, t->o.display);
    if (!st)
        st = dh_input_select(t->dpy, false, &t->opcode);
    if (st)
        return st;
    dh_input_devices_find(&t->devices, t->dpy);
    t->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (t->wake < 0) {
        dh_error("cannot create an event counter: %s", strerror(errno));
        return DH_ERR_IO;
    }
    return dh_thread_start(&t->thread, "dh-tap", run, t);
}

enum dh_status dh_input_tap_create(struct dh_input_tap **out,
                                   const struct dh_input_tap_options *o)
{
    struct dh_input_tap *t;
    dh_new(t);
    t->o = *o;
    t->wake = -1;
    dh_mutex_init(&t->lock);
    dh_cond_init(&t->back);
    enum dh_status st = start(t);
    if (st) {
        dh_input_tap_destroy(t);
        return st;
    }
    *out = t;
    return DH_OK;
}

void dh_input_tap_destroy(struct dh_input_tap *t)
{
    if (!t)
        return;
    if (t->wake >= 0) {
        dh_mutex_lock(&t->lock);
        t->to_end = true;
        dh_mutex_unlock(&t->lock);
        wake(t);
        dh_thread_join(&t->thread);
        close(t->wake);
    }
    dh_x11_close(t->dpy);
    dh_cond_finish(&t->back);
    dh_mutex_finish(&t->lock);
    dh_free(t);
}

void dh_input_tap_watch(struct dh_input_tap *t, bool on)
{
    dh_mutex_lock(&t->lock);
    t->off |= !on;
    t->to_watch = on && t->off;
    if (t->to_watch)
        wake(t);
    while (t->to_watch && !t->ended)
        dh_cond_wait(&t->back, &t->lock);
    dh_mutex_unlock(&t->lock);
}

bool dh_input_tap_is_taken(struct dh_input_tap *t)
{
    dh_mutex_lock(&t->lock);
    bool taken = t->taken;
    dh_mutex_unlock(&t->lock);
    return taken;
}

void dh_input_tap_take(struct dh_input_tap *t)
{
    dh_mutex_lock(&t->lock);
    t->last_ns = dh_now_ns();
    dh_mutex_unlock(&t->lock);
    set_taken(t, true);
}

void dh_input_tap_hand_back(struct dh_input_tap *t)
{
    set_taken(t, false);
}

bool dh_input_tap_wait(struct dh_input_tap *t, int64_t ns)
{
    int64_t until = dh_now_ns() + ns;
    dh_mutex_lock(&t->lock);
    while (t->taken && dh_cond_wait_until(&t->back, &t->lock, until))
        ;
    bool back = !t->taken;
    if (back)
        dh_cancel_clear(t->o.taken);
    dh_mutex_unlock(&t->lock);
    return back;
}
