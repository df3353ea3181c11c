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
    unsigned errors; // since the trap began
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

static int error_note(Display *dpy, XErrorEvent *e)
{
    struct slot *s = slot_find(dpy);
    if (!s)
        return other_errors ? other_errors(dpy, e) : 0;
    s->errors++;
    if (!s->trapped) {
        char text[128];
        XGetErrorText(dpy, e->error_code, text, sizeof(text));
        dh_warn("X error: %s (request %d.%d, resource 0x%lx)", text,
                e->request_code, e->minor_code, e->resourceid);
    }
    return 0;
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

// Wait for the answers to all requests, where one is outstanding.
static void sync_up(Display *dpy)
{
    if (LastKnownRequestProcessed(dpy) + 1 != NextRequest(dpy))
        XSync(dpy, False);
}

void dh_x11_trap_begin(Display *dpy)
{
    struct slot *s = slot_of(dpy);
    dh_assert(!s->trapped);
    // Errors of earlier requests are not this trap's.
    if (!s->lost)
        sync_up(dpy);
    s->trapped = true;
    s->errors = 0;
}

bool dh_x11_trap_end(Display *dpy)
{
    struct slot *s = slot_of(dpy);
    dh_assert(s->trapped);
    if (!s->lost)
        sync_up(dpy);
    s->trapped = false;
    return s->errors == 0 && !s->lost;
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
