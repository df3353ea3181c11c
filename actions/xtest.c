#include "actions/xtest.h"

#include <stdatomic.h>

#include <X11/Xatom.h>
#include <X11/Xlib.h>
#include <X11/extensions/XTest.h>

#include "actions/xtest_priv.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "base/x11.h"

#define DH_LOG_TAG "xtest"
#include "base/log.h"

static void press(struct dh_xtest *x, int hold)
{
    uint8_t was = x->held->state[hold];
    if (was == DH_HOLD_DOWN || was == DH_HOLD_KEPT)
        return;
    x->held->state[hold] = DH_HOLD_DOWN;
    if (hold < DH_XTEST_KEYS)
        XTestFakeKeyEvent(x->dpy, (unsigned)hold, True, CurrentTime);
    else
        XTestFakeButtonEvent(x->dpy, (unsigned)(hold - DH_XTEST_KEYS), True,
                             CurrentTime);
}

static void let_go(struct dh_xtest *x, int hold)
{
    // Marked as leaving, it is not released twice, but the guardian still
    // knows it until it was sent.
    x->held->state[hold] = DH_HOLD_LEAVING;
    if (hold < DH_XTEST_KEYS)
        XTestFakeKeyEvent(x->dpy, (unsigned)hold, False, CurrentTime);
    else
        XTestFakeButtonEvent(x->dpy, (unsigned)(hold - DH_XTEST_KEYS), False,
                             CurrentTime);
}

void dh_xtest_key(struct dh_xtest *x, KeyCode code, bool down)
{
    if (down)
        press(x, code);
    else if (x->held->state[code] == DH_HOLD_DOWN)
        let_go(x, code);
}

void dh_xtest_button(struct dh_xtest *x, int button, bool down)
{
    int hold = DH_XTEST_KEYS + button;
    if (down)
        press(x, hold);
    else if (x->held->state[hold] == DH_HOLD_DOWN)
        let_go(x, hold);
}

bool dh_xtest_is_down(const struct dh_xtest *x, KeyCode code)
{
    uint8_t is = x->held->state[code];
    return is == DH_HOLD_DOWN || is == DH_HOLD_KEPT;
}

void dh_xtest_flush(struct dh_xtest *x)
{
    XFlush(x->dpy);
    dh_held_sent(x->held);
}

void dh_xtest_sync(struct dh_xtest *x)
{
    XSync(x->dpy, False);
    dh_held_sent(x->held);
}

// Let go of all in this state; how many they were.
static int let_go_all(struct dh_xtest *x, enum dh_hold_state state)
{
    int n = 0;
    // Buttons first: a drop with a modifier held is still that drop.
    for (int i = DH_XTEST_HOLDS - 1; i >= 0; i--) {
        if (x->held->state[i] != state)
            continue;
        let_go(x, i);
        n++;
    }
    return n;
}

static int let_go_of_everything(struct dh_xtest *x)
{
    int n = let_go_all(x, DH_HOLD_DOWN) + let_go_all(x, DH_HOLD_KEPT);
    if (n)
        dh_xtest_sync(x);
    return n;
}

static void release(struct dh_sink *s)
{
    struct dh_xtest *x = (struct dh_xtest *)s;
    if (x->dpy && x->held && !dh_x11_is_lost(x->dpy))
        let_go_of_everything(x);
}

// True: a program may still look lent keys up, and another process waits for
// it.
static bool leave_lent(struct dh_xtest *x)
{
    if (!x->dpy || dh_x11_is_lost(x->dpy) || !dh_xkeys_lent_until(&x->keys))
        return false;
    x->held->lent_until_ns = dh_xkeys_lent_until(&x->keys);
    return dh_guardian_stay(&x->guardian, DH_STAY_LENT);
}

static void destroy(struct dh_sink *s)
{
    struct dh_xtest *x = (struct dh_xtest *)s;
    dh_xkeys_finish(&x->keys, leave_lent(x));
    if (x->held && dh_owner_will(x->clip, &x->held->will) &&
        !dh_guardian_stay(&x->guardian, DH_STAY_WILL))
        dh_warn("what was in the clipboard is lost: nobody keeps it");
    dh_owner_destroy(x->clip);
    dh_guardian_stop(&x->guardian);
    dh_x11_close(x->dpy);
    dh_held_destroy(x->held);
    dh_free(x);
}

bool dh_xtest_stopped(struct dh_xtest *x)
{
    return dh_xtest_ended(x) != DH_OK;
}

enum dh_status dh_xtest_ended(struct dh_xtest *x)
{
    if (dh_x11_is_lost(x->dpy))
        return DH_ERR_CLOSED;
    if (dh_cancel_is_set(x->cancel))
        return DH_ERR_CANCELLED;
    return dh_cancel_is_set(x->o.taken) ? DH_ERR_TAKEN : DH_OK;
}

void dh_xtest_pace(struct dh_xtest *x, int64_t ns)
{
    dh_xtest_flush(x);
    if (ns)
        dh_sleep_for(ns);
}

// Sleeps in short parts, so that a stop comes through.
void dh_xtest_hold(struct dh_xtest *x, int64_t ns)
{
    int64_t until = dh_now_ns() + ns;
    while (!dh_xtest_stopped(x) && dh_now_ns() < until)
        dh_xtest_pace(x, DH_MIN(20 * DH_MS, until - dh_now_ns()));
}

static bool keeps(const struct dh_action *a)
{
    return a->op == DH_ACTION_DOWN || a->op == DH_ACTION_UP ||
           a->op == DH_ACTION_KEY_DOWN || a->op == DH_ACTION_KEY_UP;
}

static void change_all(struct dh_xtest *x, enum dh_hold_state from,
                       enum dh_hold_state to)
{
    for (int i = 0; i < DH_XTEST_HOLDS; i++) {
        uint8_t was = (uint8_t)from;
        atomic_compare_exchange_strong(&x->held->state[i], &was, (uint8_t)to);
    }
}

// What this action left down stays down, for a time.
static void keep(struct dh_xtest *x)
{
    int64_t until = dh_now_ns() + x->o.kept_ns;
    for (int i = 0; i < DH_XTEST_HOLDS; i++)
        if (x->held->state[i] == DH_HOLD_DOWN && !x->held->until_ns[i])
            x->held->until_ns[i] = until;
        else if (x->held->state[i] != DH_HOLD_DOWN)
            x->held->until_ns[i] = 0;
    change_all(x, DH_HOLD_DOWN, DH_HOLD_KEPT);
    dh_guardian_wake(&x->guardian);
}

static enum dh_status do_action(struct dh_xtest *x, const struct dh_action *a,
                                struct dh_diag *why)
{
    if (dh_action_is_pointer(a))
        return dh_xtest_pointer(x, a, why);
    bool keys = a->op == DH_ACTION_TYPE || a->op == DH_ACTION_KEY ||
                a->op == DH_ACTION_HOLD_KEY || a->op == DH_ACTION_KEY_DOWN ||
                a->op == DH_ACTION_KEY_UP;
    return keys && a->text ? dh_xtest_keyboard(x, a, why) : DH_OK;
}

// Things that were held too long are let go of by the guardian, or here where
// there is none. Said once.
static void note_expired(struct dh_xtest *x, struct dh_diag *why)
{
    if (x->held->unguarded && !x->told_no_one) {
        dh_warn("the guardian could not connect to the display; what is held "
                "when this program is killed stays down");
        x->told_no_one = true;
    }
    if (dh_held_expire(x->held, x->dpy, dh_now_ns()))
        dh_xtest_sync(x);
    int n = x->held->n_expired - x->n_told;
    if (!n)
        return;
    x->n_told += n;
    dh_warn("%d held keys or buttons were let go of: held for %lld s", n,
            (long long)(x->o.kept_ns / DH_S));
    dh_diag_set(why, 0,
                "%d keys or buttons that were held for %lld s were "
                "released",
                n, (long long)(x->o.kept_ns / DH_S));
}

// The last action of a run, a stop or a person at the desk: nothing stays.
static void end_holds(struct dh_xtest *x, struct dh_diag *why)
{
    int n = dh_x11_is_lost(x->dpy) ? 0 : let_go_of_everything(x);
    if (!n)
        return;
    dh_warn("%d keys or buttons were still held and were let go of", n);
    dh_diag_set(why, 0, "%d keys or buttons were still held and were released",
                n);
}

static enum dh_status perform(struct dh_sink *s, const struct dh_action *a,
                              struct dh_cancel *cancel, struct dh_diag *why)
{
    struct dh_xtest *x = (struct dh_xtest *)s;
    struct dh_diag note = { 0 };
    x->cancel = cancel;
    dh_assert(a->on_screen || !(a->has_at || a->has_start));
    if (!dh_x11_is_lost(x->dpy))
        note_expired(x, &note);
    enum dh_status st = dh_xtest_ended(x);
    if (!st && keeps(a))
        change_all(x, DH_HOLD_KEPT, DH_HOLD_DOWN);
    if (!st)
        st = do_action(x, a, why);
    if (dh_x11_is_lost(x->dpy))
        return DH_ERR_CLOSED;
    if (keeps(a) && st != DH_ERR_TAKEN && st != DH_ERR_CANCELLED)
        keep(x);
    else if (let_go_all(x, DH_HOLD_DOWN))
        dh_xtest_flush(x);
    if (st == DH_ERR_TAKEN || st == DH_ERR_CANCELLED || dh_action_is_final(a))
        end_holds(x, &note);
    // Of two things to say, what went wrong is the one to know.
    if (note.text[0])
        dh_diag_set(why, 0, "%s", note.text);
    return st;
}

static enum dh_status pointer(struct dh_sink *s, struct dh_point *out)
{
    struct dh_xtest *x = (struct dh_xtest *)s;
    Window root, child;
    int wx, wy;
    unsigned mask;
    if (dh_x11_is_lost(x->dpy))
        return DH_ERR_CLOSED;
    // On another screen of the display there is no place to tell.
    if (!XQueryPointer(x->dpy, DefaultRootWindow(x->dpy), &root, &child,
                       &out->x, &out->y, &wx, &wy, &mask))
        return dh_x11_is_lost(x->dpy) ? DH_ERR_CLOSED : DH_ERR_NOTFOUND;
    return DH_OK;
}

static const struct dh_sink_ops xtest_ops = { "xtest", perform, release,
                                              destroy, pointer };

static int64_t or_default(int64_t v, int64_t otherwise)
{
    return v ? v : otherwise;
}

// The guardian finds our connection by this window, whose mark nobody else has.
static void leave_mark(struct dh_xtest *x)
{
    XSetWindowAttributes attr = { .override_redirect = True };
    struct dh_held *h = x->held;
    h->nonce = (uint32_t)dh_realtime_ns() ^ (uint32_t)x->guardian.pid << 16;
    h->mark = XInternAtom(x->dpy, "_DESKHAND_GUARDIAN", False);
    long value = h->nonce;
    Window w =
        XCreateWindow(x->dpy, DefaultRootWindow(x->dpy), -1, -1, 1, 1, 0, 0,
                      InputOnly, CopyFromParent, CWOverrideRedirect, &attr);
    XChangeProperty(x->dpy, w, h->mark, XA_CARDINAL, 32, PropModeReplace,
                    (unsigned char *)&value, 1);
    h->id = w;
}

static enum dh_status connect_sink(struct dh_xtest *x, const char *display)
{
    int event, error, major, minor;
    x->held = dh_held_create();
    if (!x->held)
        return DH_ERR_NOMEM;
    enum dh_status st = dh_x11_open(&x->dpy, display);
    if (st)
        return st;
    if (!XTestQueryExtension(x->dpy, &event, &error, &major, &minor)) {
        dh_error("the X server has no XTEST extension, so nothing can be "
                 "clicked or typed");
        return DH_ERR_UNSUPPORTED;
    }
    dh_guardian_start(&x->guardian, x->held, display);
    // A grab of another client must not hold our input back.
    XTestGrabControl(x->dpy, True);
    leave_mark(x);
    dh_xtest_pointer_init(x);
    st = dh_xkeys_init(&x->keys, x->dpy);
    x->keys.held = x->held;
    return st;
}

enum dh_status dh_xtest_create(struct dh_sink **out, const char *display,
                               const struct dh_xtest_options *o)
{
    struct dh_xtest *x;
    dh_new(x);
    x->sink.ops = &xtest_ops;
    if (o)
        x->o = *o;
    x->o.click_gap_ns = or_default(x->o.click_gap_ns, 10 * DH_MS);
    x->o.drag_ns = or_default(x->o.drag_ns, 300 * DH_MS);
    x->o.kept_ns = or_default(x->o.kept_ns, 60 * DH_S);
    enum dh_status st = connect_sink(x, display);
    if (st) {
        destroy(&x->sink);
        return st;
    }
    *out = &x->sink;
    return DH_OK;
}
