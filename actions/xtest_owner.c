#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <X11/Xatom.h>
#include <X11/Xlib.h>
#include <X11/Xlibint.h>

#include "actions/xtest_priv.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "base/x11.h"

#define DH_LOG_TAG "clip"
#include "base/log.h"

#define OLD_MAX     DH_WILL_MAX
#define OLD_NS      (200 * DH_MS)
#define TRANSFERS   8
#define CHUNK_MAX   (256 * 1024)
#define REQUEST_PAD 256 // what is no data in a request
// Chromium reads it all, thinks, and reads it again for the page; who asks too
// late would paste the old content.
#define QUIET_NS    (200 * DH_MS)
#define HEIR_S      3600 // seconds that the heir stays

enum { CLIPBOARD, PRIMARY, N_SELECTIONS };

enum job { JOB_NONE, JOB_OFFER, JOB_RESTORE, JOB_QUIT };

struct selection {
    Atom name;
    _Atomic bool ours; // we own it; others take it at any time
    bool had_old;      // somebody owned it before us
    char *old; // what it held; NULL: nothing, or nothing that we could keep
    size_t old_n;
};

// Data on its way to a window in pieces, or whole and not read yet.
struct transfer {
    Window to; // None: free
    Atom property, type;
    char *data; // a copy: the text may be gone before a slow reader is done
    size_t n, at;
    bool incr, ended;
    bool pasted; // our text, and it is the program that was to get it
};

struct dh_owner {
    struct dh_thread thread;
    int wake_fd;
    struct dh_mutex lock;
    struct dh_cond changed;
    // guarded by lock
    enum job job;
    enum dh_status offered;
    struct dh_offer coming;
    char *coming_text;
    struct dh_served served;
    // of the thread
    struct dh_offer offer; // without its text
    Display *dpy;
    Window win;
    Time since;
    char *text; // offered now; NULL: the old content is
    size_t text_n;
    struct selection sel[N_SELECTIONS];
    struct transfer transfers[TRANSFERS];
    size_t next_transfer, chunk;
    Atom utf8, targets, timestamp, mime, incr, text_atom, here;
};

static struct selection *selection_of(struct dh_owner *o, Atom name)
{
    for (int i = 0; i < N_SELECTIONS; i++)
        if (o->sel[i].name == name)
            return &o->sel[i];
    return NULL;
}

// All windows of a client share the bits that the server gave it.
static bool is_target(const struct dh_owner *o, Window w)
{
    XID mask = ~(XID)o->dpy->resource_mask;
    return o->offer.any_client || (w & mask) == (o->offer.top & mask);
}

static void tell(struct dh_owner *o, bool asked, size_t given, bool done)
{
    dh_mutex_lock(&o->lock);
    o->served.asked |= asked;
    o->served.given = DH_MAX(o->served.given, given);
    o->served.done |= done;
    o->served.progress_ns = dh_now_ns();
    dh_cond_broadcast(&o->changed);
    dh_mutex_unlock(&o->lock);
}

// What is offered is only for the target, which may ask again.
static bool is_leaving(struct dh_owner *o)
{
    dh_mutex_lock(&o->lock);
    bool leaving = o->job == JOB_RESTORE;
    dh_mutex_unlock(&o->lock);
    return leaving;
}

static void transfer_drop(struct dh_owner *o, struct transfer *t)
{
    if (t->to && t->to != o->win)
        XSelectInput(o->dpy, t->to, NoEventMask);
    dh_free(t->data);
    *t = (struct transfer){ 0 };
}

static struct transfer *transfer_take(struct dh_owner *o)
{
    for (size_t i = 0; i < TRANSFERS; i++)
        if (!o->transfers[i].to)
            return &o->transfers[i];
    // Readers that never came back make room.
    struct transfer *t = &o->transfers[o->next_transfer++ % TRANSFERS];
    transfer_drop(o, t);
    return t;
}

// STRING is Latin-1, and has no way to say what is not in it.
static bool to_latin1(struct dh_str text, char *out, size_t *n)
{
    *n = 0;
    for (size_t i = 0; i < text.n;) {
        uint32_t cp;
        i += dh_utf8_read(text.p + i, text.n - i, &cp);
        if (cp > 0xff)
            return false;
        out[(*n)++] = (char)cp;
    }
    return true;
}

static void put_data(struct dh_owner *o, const struct transfer *t,
                     const char *p, size_t n)
{
    XChangeProperty(o->dpy, t->to, t->property, t->type, 8, PropModeReplace,
                    (const unsigned char *)p, (int)n);
}

static void send_text(struct dh_owner *o, const XSelectionRequestEvent *r,
                      Atom property, struct transfer *t)
{
    long total = (long)t->n;
    t->to = r->requestor;
    t->property = property;
    t->incr = t->n > o->chunk;
    t->pasted = o->text && is_target(o, r->requestor);
    if (t->to != o->win)
        XSelectInput(o->dpy, t->to, PropertyChangeMask | StructureNotifyMask);
    if (t->incr) {
        XChangeProperty(o->dpy, t->to, property, o->incr, 32, PropModeReplace,
                        (unsigned char *)&total, 1);
    } else {
        put_data(o, t, t->data, t->n);
        t->at = t->n;
        t->ended = true;
    }
    if (t->pasted)
        tell(o, true, t->at, false);
}

// False: this target is refused.
static bool answer_text(struct dh_owner *o, const XSelectionRequestEvent *r,
                        Atom property, struct dh_str text)
{
    bool latin1 = r->target == XA_STRING;
    if (!latin1 && r->target != o->utf8 && r->target != o->mime &&
        r->target != o->text_atom)
        return false;
    struct transfer *t = transfer_take(o);
    dh_array(t->data, text.n + 1);
    if (latin1 && !to_latin1(text, t->data, &t->n)) {
        transfer_drop(o, t);
        return false;
    }
    if (!latin1) {
        memcpy(t->data, text.p, text.n);
        t->n = text.n;
    }
    t->type = r->target == o->text_atom ? o->utf8 : r->target;
    send_text(o, r, property, t);
    return true;
}

static bool answer(struct dh_owner *o, const XSelectionRequestEvent *r,
                   Atom property)
{
    const struct selection *s = selection_of(o, r->selection);
    struct dh_str text = { o->text, o->text_n };
    if (!s || !s->ours)
        return false;
    if (!o->text || (is_leaving(o) && !is_target(o, r->requestor)))
        text = (struct dh_str){ s->old, s->old_n };
    if (r->target == o->timestamp) {
        long since = (long)o->since;
        XChangeProperty(o->dpy, r->requestor, property, XA_INTEGER, 32,
                        PropModeReplace, (unsigned char *)&since, 1);
        return true;
    }
    if (r->target == o->targets) {
        Atom all[] = { o->targets, o->timestamp, o->utf8,
                       o->mime,    o->text_atom, XA_STRING };
        int n = text.p ? (int)DH_COUNTOF(all) : 2;
        XChangeProperty(o->dpy, r->requestor, property, XA_ATOM, 32,
                        PropModeReplace, (unsigned char *)all, n);
        return true;
    }
    return text.p && answer_text(o, r, property, text);
}

static void on_request(struct dh_owner *o, const XSelectionRequestEvent *r)
{
    XEvent e = { 0 };
    // Clients from before ICCCM name no property.
    Atom property = r->property ? r->property : r->target;
    e.xselection.type = SelectionNotify;
    e.xselection.requestor = r->requestor;
    e.xselection.selection = r->selection;
    e.xselection.target = r->target;
    e.xselection.time = r->time;
    if (o->text && is_target(o, r->requestor))
        tell(o, false, 0, false);
    dh_x11_trap_begin(o->dpy);
    if (answer(o, r, property))
        e.xselection.property = property;
    XSendEvent(o->dpy, r->requestor, False, NoEventMask, &e);
    if (!dh_x11_trap_end(o->dpy))
        dh_debug("a program that asked for the clipboard has gone");
}

// The reader took a piece: the next one, and an empty one as the end.
static void on_taken(struct dh_owner *o, struct transfer *t)
{
    if (t->ended) {
        if (t->pasted)
            tell(o, true, t->n, true);
        transfer_drop(o, t);
        return;
    }
    size_t n = DH_MIN(o->chunk, t->n - t->at);
    put_data(o, t, t->data + t->at, n);
    t->at += n;
    t->ended = n == 0;
    if (t->pasted)
        tell(o, true, t->at, false);
}

static void on_window(struct dh_owner *o, const XEvent *e)
{
    dh_x11_trap_begin(o->dpy);
    for (size_t i = 0; i < TRANSFERS; i++) {
        struct transfer *t = &o->transfers[i];
        if (!t->to)
            continue;
        if (e->type == PropertyNotify && e->xproperty.window == t->to &&
            e->xproperty.atom == t->property)
            on_taken(o, t);
        else if (e->type == DestroyNotify && e->xdestroywindow.window == t->to)
            transfer_drop(o, t);
    }
    if (!dh_x11_trap_end(o->dpy))
        dh_debug("a program left before it had all of the clipboard");
}

static void on_event(struct dh_owner *o, const XEvent *e)
{
    struct selection *s;
    if (e->type == SelectionRequest)
        on_request(o, &e->xselectionrequest);
    else if ((e->type == PropertyNotify &&
              e->xproperty.state == PropertyDelete) ||
             e->type == DestroyNotify)
        on_window(o, e);
    else if (e->type == SelectionClear &&
             (s = selection_of(o, e->xselectionclear.selection)))
        s->ours = XGetSelectionOwner(o->dpy, s->name) == o->win;
}

// Others are served while we wait for something of ours.
static bool wait_for(struct dh_owner *o, int type, int state, Atom atom,
                     int64_t until_ns, XEvent *e)
{
    while (dh_x11_wait_event(o->dpy, until_ns) == DH_OK) {
        XNextEvent(o->dpy, e);
        if (e->type == type && type == SelectionNotify &&
            e->xselection.selection == atom)
            return true;
        if (e->type == type && type == PropertyNotify &&
            e->xproperty.window == o->win && e->xproperty.atom == atom &&
            e->xproperty.state == state)
            return true;
        on_event(o, e);
    }
    return false;
}

static Time server_time(struct dh_owner *o)
{
    XEvent e;
    XChangeProperty(o->dpy, o->win, o->timestamp, XA_INTEGER, 32,
                    PropModeAppend, (const unsigned char *)"", 0);
    return wait_for(o, PropertyNotify, PropertyNewValue, o->timestamp,
                    dh_now_ns() + 1 * DH_S, &e)
               ? e.xproperty.time
               : CurrentTime;
}

// The property that an owner filled, added to the old content. False: too
// much, or no text. *n: bytes of it.
static bool take_property(struct dh_owner *o, struct selection *s, Atom *type,
                          size_t *n)
{
    unsigned char *data = NULL;
    unsigned long got = 0, left = 0;
    int format = 0;
    bool fits = XGetWindowProperty(o->dpy, o->win, o->here, 0, OLD_MAX / 4,
                                   True, AnyPropertyType, type, &format, &got,
                                   &left, &data) == Success &&
                !left && s->old_n + got <= OLD_MAX;
    *n = 0;
    if (fits && format == 8 && *type == o->utf8) {
        *n = got;
        s->old = dh_resize_array(s->old, s->old_n + got + 1, 1);
        memcpy(s->old + s->old_n, data, got);
        s->old_n += got;
    }
    if (data)
        XFree(data);
    return fits && (*type == o->utf8 || *type == o->incr);
}

// What the selection holds, as text. False: it cannot be kept.
static bool read_old(struct dh_owner *o, struct selection *s)
{
    int64_t until = dh_now_ns() + OLD_NS;
    Atom type = None;
    XEvent e;
    size_t n;
    XDeleteProperty(o->dpy, o->win, o->here);
    XConvertSelection(o->dpy, s->name, o->utf8, o->here, o->win, CurrentTime);
    if (!wait_for(o, SelectionNotify, 0, s->name, until, &e) ||
        e.xselection.property == None)
        return false;
    if (!take_property(o, s, &type, &n))
        return false;
    if (type != o->incr)
        return true;
    do {
        if (!wait_for(o, PropertyNotify, PropertyNewValue, o->here, until,
                      &e) ||
            !take_property(o, s, &type, &n))
            return false;
    } while (n);
    return s->old != NULL;
}

static bool keep_old(struct dh_owner *o, struct selection *s)
{
    if (dh_x11_is_lost(o->dpy))
        return false;
    Window owner = XGetSelectionOwner(o->dpy, s->name);
    if (owner == o->win && s->ours)
        return true; // it is what we serve
    dh_free(s->old);
    s->old = NULL;
    s->old_n = 0;
    s->had_old = owner != None;
    if (!s->had_old || read_old(o, s))
        return true;
    dh_free(s->old);
    s->old = NULL;
    s->old_n = 0;
    return false;
}

static enum dh_status take_selections(struct dh_owner *o)
{
    int n = o->offer.primary ? N_SELECTIONS : 1;
    for (int i = 0; i < n; i++) {
        if (keep_old(o, &o->sel[i]))
            continue;
        if (!o->offer.asked)
            return DH_ERR_REFUSED;
        dh_warn("what the clipboard holds is no text, or does not come: it "
                "is not put back");
    }
    o->since = server_time(o);
    if (dh_x11_is_lost(o->dpy))
        return DH_ERR_CLOSED;
    for (int i = 0; i < n; i++) {
        struct selection *s = &o->sel[i];
        XSetSelectionOwner(o->dpy, s->name, o->win, o->since);
        s->ours = XGetSelectionOwner(o->dpy, s->name) == o->win;
        if (!s->ours)
            return DH_ERR_REFUSED;
    }
    return dh_x11_is_lost(o->dpy) ? DH_ERR_CLOSED : DH_OK;
}

static void drop_text(struct dh_owner *o)
{
    dh_free(o->text);
    o->text = NULL;
    o->text_n = 0;
    for (size_t i = 0; i < TRANSFERS; i++)
        o->transfers[i].pasted = false; // too late to count for the next
}

static void restore(struct dh_owner *o)
{
    drop_text(o);
    if (dh_x11_is_lost(o->dpy))
        return;
    o->since = server_time(o);
    for (int i = 0; i < N_SELECTIONS; i++) {
        struct selection *s = &o->sel[i];
        if (!s->ours)
            continue;
        // Taken again, those who watch it learn that it has changed.
        s->ours = s->old != NULL;
        XSetSelectionOwner(o->dpy, s->name, s->ours ? o->win : None, o->since);
    }
    XSync(o->dpy, False);
}

static void offer(struct dh_owner *o)
{
    drop_text(o);
    dh_mutex_lock(&o->lock);
    o->offer = o->coming;
    o->text = o->coming_text;
    o->text_n = o->coming.n;
    o->coming_text = NULL;
    dh_mutex_unlock(&o->lock);
    enum dh_status st = take_selections(o);
    if (st)
        restore(o);
    dh_mutex_lock(&o->lock);
    o->offered = st;
    dh_mutex_unlock(&o->lock);
}

// How long the text still has to be there, for poll; -1: it may stay.
static int ms_left(struct dh_owner *o)
{
    dh_mutex_lock(&o->lock);
    int64_t end = o->served.progress_ns + QUIET_NS;
    dh_mutex_unlock(&o->lock);
    if (!is_leaving(o))
        return -1;
    return (int)DH_CLAMP((end - dh_now_ns() + DH_MS - 1) / DH_MS, 0, 1000);
}

// The job stays set until it is done: it is how the sink waits.
static bool run_job(struct dh_owner *o)
{
    dh_mutex_lock(&o->lock);
    enum job job = o->job;
    dh_mutex_unlock(&o->lock);
    if (job == JOB_RESTORE && ms_left(o))
        return true;
    if (job == JOB_OFFER)
        offer(o);
    else if (job == JOB_RESTORE)
        restore(o);
    dh_mutex_lock(&o->lock);
    if (o->job == job)
        o->job = JOB_NONE;
    dh_cond_broadcast(&o->changed);
    dh_mutex_unlock(&o->lock);
    return job != JOB_QUIT;
}

static void take_events(struct dh_owner *o)
{
    // A lost server leaves nothing to serve; jobs end all the same.
    while (!dh_x11_is_lost(o->dpy) && XPending(o->dpy) > 0) {
        XEvent e;
        XNextEvent(o->dpy, &e);
        on_event(o, &e);
    }
}

static void run(void *arg)
{
    struct dh_owner *o = arg;
    uint64_t count;
    bool going = true;
    while (going) {
        struct pollfd p[] = { { .fd = o->wake_fd, .events = POLLIN },
                              { .fd = -1, .events = POLLIN } };
        take_events(o);
        if (!dh_x11_is_lost(o->dpy))
            p[1].fd = ConnectionNumber(o->dpy);
        if (poll(p, DH_COUNTOF(p), ms_left(o)) < 0)
            continue;
        if (p[0].revents && read(o->wake_fd, &count, sizeof count) < 0)
            dh_debug("nothing woke the clipboard's thread");
        going = run_job(o);
    }
}

static void wait_job(struct dh_owner *o)
{
    while (o->job != JOB_NONE)
        dh_cond_wait(&o->changed, &o->lock);
}

// After the one before.
static void set_job(struct dh_owner *o, enum job job)
{
    uint64_t one = 1;
    wait_job(o);
    o->job = job;
    if (write(o->wake_fd, &one, sizeof one) < 0)
        dh_warn("the clipboard's thread was not woken: %s", strerror(errno));
}

static void name_atoms(struct dh_owner *o)
{
    o->sel[CLIPBOARD].name = XInternAtom(o->dpy, "CLIPBOARD", False);
    o->sel[PRIMARY].name = XA_PRIMARY;
    o->utf8 = XInternAtom(o->dpy, "UTF8_STRING", False);
    o->targets = XInternAtom(o->dpy, "TARGETS", False);
    o->timestamp = XInternAtom(o->dpy, "TIMESTAMP", False);
    o->mime = XInternAtom(o->dpy, "text/plain;charset=utf-8", False);
    o->text_atom = XInternAtom(o->dpy, "TEXT", False);
    o->incr = XInternAtom(o->dpy, "INCR", False);
    o->here = XInternAtom(o->dpy, "_DESKHAND_CLIP", False);
}

static void begin(struct dh_owner *o)
{
    name_atoms(o);
    o->chunk = DH_MIN((size_t)XMaxRequestSize(o->dpy) * 4 - REQUEST_PAD,
                      (size_t)CHUNK_MAX);
    o->win = XCreateSimpleWindow(o->dpy, DefaultRootWindow(o->dpy), -1, -1, 1,
                                 1, 0, 0, 0);
    XSelectInput(o->dpy, o->win, PropertyChangeMask);
}

enum dh_status dh_owner_create(struct dh_owner **out, const char *display)
{
    struct dh_owner *o;
    dh_new(o);
    dh_mutex_init(&o->lock);
    dh_cond_init(&o->changed);
    o->wake_fd = eventfd(0, EFD_CLOEXEC);
    enum dh_status st = o->wake_fd < 0 ? DH_ERR_IO : DH_OK;
    if (!st)
        st = dh_x11_open(&o->dpy, display);
    if (!st) {
        begin(o);
        st = dh_thread_start(&o->thread, "dh-clip", run, o);
    }
    if (st) {
        dh_owner_destroy(o);
        return st;
    }
    *out = o;
    return DH_OK;
}

static bool owns_something(const struct dh_owner *o)
{
    return o->sel[CLIPBOARD].ours || o->sel[PRIMARY].ours;
}

void dh_owner_inherit(const struct dh_will *will, const char *display)
{
    struct dh_owner *o;
    alarm(HEIR_S);
    dh_new(o);
    dh_mutex_init(&o->lock);
    dh_cond_init(&o->changed);
    if (dh_x11_open(&o->dpy, display))
        _exit(1);
    begin(o);
    for (int i = 0; i < N_SELECTIONS; i++) {
        o->sel[i].ours = will->n[i] != 0;
        o->sel[i].old_n = will->n[i];
        if (o->sel[i].ours)
            o->sel[i].old = dh_strndup(will->text[i], will->n[i]);
    }
    restore(o);
    dh_guardian_reply();
    while (owns_something(o) && !dh_x11_is_lost(o->dpy)) {
        if (dh_x11_wait_event(o->dpy, dh_now_ns() + HEIR_S * DH_S) == DH_OK)
            take_events(o);
    }
    _exit(0);
}

bool dh_owner_will(struct dh_owner *o, struct dh_will *will)
{
    bool any = false;
    if (!o)
        return false;
    dh_owner_settle(o);
    dh_mutex_lock(&o->lock);
    for (int i = 0; i < N_SELECTIONS && !dh_x11_is_lost(o->dpy); i++) {
        const struct selection *s = &o->sel[i];
        will->n[i] = s->ours && s->old ? s->old_n : 0;
        if (will->n[i])
            memcpy(will->text[i], s->old, s->old_n);
        any |= will->n[i] != 0;
    }
    dh_mutex_unlock(&o->lock);
    return any;
}

void dh_owner_destroy(struct dh_owner *o)
{
    if (!o)
        return;
    if (o->thread.started) {
        dh_mutex_lock(&o->lock);
        set_job(o, JOB_QUIT);
        dh_mutex_unlock(&o->lock);
        dh_thread_join(&o->thread);
    }
    for (size_t i = 0; i < TRANSFERS; i++)
        dh_free(o->transfers[i].data);
    for (int i = 0; i < N_SELECTIONS; i++)
        dh_free(o->sel[i].old);
    dh_free(o->text);
    dh_free(o->coming_text);
    dh_x11_close(o->dpy);
    if (o->wake_fd >= 0)
        close(o->wake_fd);
    dh_cond_finish(&o->changed);
    dh_mutex_finish(&o->lock);
    dh_free(o);
}

enum dh_status dh_owner_offer(struct dh_owner *o, const struct dh_offer *offer)
{
    dh_mutex_lock(&o->lock);
    wait_job(o);
    o->coming = *offer;
    o->coming.text = NULL;
    o->coming_text = dh_strndup(offer->text, offer->n);
    o->served = (struct dh_served){ .progress_ns = dh_now_ns() };
    set_job(o, JOB_OFFER);
    wait_job(o);
    enum dh_status st = o->offered;
    dh_mutex_unlock(&o->lock);
    return st;
}

struct dh_served dh_owner_wait(struct dh_owner *o, int64_t until_ns)
{
    dh_mutex_lock(&o->lock);
    while (!o->served.done &&
           dh_cond_wait_until(&o->changed, &o->lock, until_ns))
        continue;
    struct dh_served s = o->served;
    dh_mutex_unlock(&o->lock);
    return s;
}

void dh_owner_restore(struct dh_owner *o)
{
    dh_mutex_lock(&o->lock);
    set_job(o, JOB_RESTORE);
    dh_mutex_unlock(&o->lock);
}

void dh_owner_settle(struct dh_owner *o)
{
    dh_mutex_lock(&o->lock);
    wait_job(o);
    dh_mutex_unlock(&o->lock);
}
