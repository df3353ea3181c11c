#include "base/x11.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"

#define DH_LOG_TAG "x11"
#include "base/log.h"

#define MAX_DISPLAYS 16

// Only the thread of the display looks inside a slot; the lock is for finding
// and giving them out.
struct slot {
    Display *dpy;
    bool lost;
    bool trapped;
    unsigned long first; // request of the trap
    unsigned errors;     // since then
};

static pthread_mutex_t slots_lock = PTHREAD_MUTEX_INITIALIZER;
// guarded by slots_lock
static struct slot slots[MAX_DISPLAYS];
static XErrorHandler other_errors;

static struct slot *slot_find(Display *dpy)
{
    struct slot *found = NULL;
    pthread_mutex_lock(&slots_lock);
    for (size_t i = 0; i < MAX_DISPLAYS && !found; i++) {
        if (slots[i].dpy == dpy)
            found = &slots[i];
    }
    pthread_mutex_unlock(&slots_lock);
    return found;
}

static struct slot *slot_of(Display *dpy)
{
    struct slot *s = dpy ? slot_find(dpy) : NULL;
    dh_assert(s);
    return s;
}

static void error_log(Display *dpy, const XErrorEvent *e,
                      enum dh_log_level level)
{
    char text[128];
    XGetErrorText(dpy, e->error_code, text, sizeof(text));
    dh_log_at(level, "X error: %s (request %d.%d, resource 0x%lx)", text,
              e->request_code, e->minor_code, e->resourceid);
}

static int error_note(Display *dpy, XErrorEvent *e)
{
    struct slot *s = slot_find(dpy);
    if (!s)
        return other_errors ? other_errors(dpy, e) : 0;
    // Errors of earlier requests are not the trap's.
    bool trapped = s->trapped && e->serial >= s->first;
    s->errors += trapped;
    if (!trapped)
        error_log(dpy, e, DH_LOG_WARN);
    return 0;
}

// A library's business, which knows what it asked for.
static int error_forgive(Display *dpy, XErrorEvent *e)
{
    error_log(dpy, e, DH_LOG_INFO);
    return 0;
}

void dh_x11_forgive_others(void)
{
    XSetErrorHandler(error_forgive);
}

// Xlib prints a message of its own unless some handler is set.
static int lost_note(Display *dpy)
{
    struct slot *s = slot_find(dpy);
    if (s && !s->lost) {
        s->lost = true;
        dh_error("lost the X server");
    }
    return 0;
}

// Where this returns, Xlib does not exit, and its calls fail from then on.
static void stay_alive(Display *dpy, void *user)
{
    (void)dpy;
    (void)user;
}

static bool slot_take(Display *dpy)
{
    struct slot *free_slot = NULL;
    pthread_mutex_lock(&slots_lock);
    for (size_t i = 0; i < MAX_DISPLAYS && !free_slot; i++) {
        if (!slots[i].dpy)
            free_slot = &slots[i];
    }
    if (free_slot)
        *free_slot = (struct slot){ .dpy = dpy };
    XErrorHandler old = XSetErrorHandler(error_note);
    if (old != error_note)
        other_errors = old;
    XSetIOErrorHandler(lost_note);
    pthread_mutex_unlock(&slots_lock);
    return free_slot;
}

enum dh_status dh_x11_open(Display **out, const char *name)
{
    Display *dpy = XOpenDisplay(name);
    if (!dpy) {
        const char *meant = XDisplayName(name);
        if (meant[0])
            dh_error("cannot connect to X display \"%s\"", meant);
        else
            dh_error("DISPLAY is not set, and no display was named");
        return DH_ERR_NOTFOUND;
    }
    XSetIOErrorExitHandler(dpy, stay_alive, NULL);
    if (!slot_take(dpy)) {
        dh_error("more than %d X connections", MAX_DISPLAYS);
        XCloseDisplay(dpy);
        return DH_ERR_RANGE;
    }
    *out = dpy;
    return DH_OK;
}

void dh_x11_close(Display *dpy)
{
    if (!dpy)
        return;
    struct slot *s = slot_of(dpy);
    XCloseDisplay(dpy);
    pthread_mutex_lock(&slots_lock);
    s->dpy = NULL;
    pthread_mutex_unlock(&slots_lock);
}

void dh_x11_ask_begin(Display *dpy)
{
    struct slot *s = slot_of(dpy);
    dh_assert(!s->trapped);
    s->first = NextRequest(dpy);
    s->trapped = true;
    s->errors = 0;
}

bool dh_x11_ask_end(Display *dpy)
{
    struct slot *s = slot_of(dpy);
    dh_assert(s->trapped);
    // A request with an answer has told of the errors up to it.
    if (!s->lost && LastKnownRequestProcessed(dpy) + 1 != NextRequest(dpy))
        XSync(dpy, False);
    s->trapped = false;
    return s->errors == 0 && !s->lost;
}

void dh_x11_trap_begin(Display *dpy)
{
    // What went wrong before is told before.
    if (!dh_x11_is_lost(dpy))
        XSync(dpy, False);
    dh_x11_ask_begin(dpy);
}

bool dh_x11_trap_end(Display *dpy)
{
    if (!dh_x11_is_lost(dpy))
        XSync(dpy, False);
    return dh_x11_ask_end(dpy);
}

bool dh_x11_is_lost(Display *dpy)
{
    return slot_of(dpy)->lost;
}

// False where nothing came until then.
static bool wait_readable(int fd, int64_t until_ns)
{
    int64_t left = DH_MAX(until_ns - dh_now_ns(), 0);
    struct timespec ts = { .tv_sec = left / DH_S, .tv_nsec = left % DH_S };
    struct pollfd p = { .fd = fd, .events = POLLIN };
    int n = ppoll(&p, 1, &ts, NULL);
    return n > 0 || (n < 0 && errno == EINTR);
}

enum dh_status dh_x11_wait_event(Display *dpy, int64_t until_ns)
{
    struct slot *s = slot_of(dpy);
    while (!s->lost) {
        if (XPending(dpy) > 0)
            return DH_OK;
        if (s->lost)
            break;
        if (!wait_readable(ConnectionNumber(dpy), until_ns)) {
            dh_sleep_until(until_ns); // moves a fake clock
            return DH_ERR_TIMEOUT;
        }
    }
    return DH_ERR_CLOSED;
}
