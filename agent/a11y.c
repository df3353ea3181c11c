#include "agent/a11y.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib-unix.h>

#include "agent/a11y_priv.h"
#include "agent/late_priv.h"
#include "base/clock.h"
#include "base/mem.h"

#define DH_LOG_TAG "a11y"
#include "base/log.h"

// A call to a program that hangs; several of them make one question.
#define CALL_MS  50
#define PLACE_MS 250
#define MAX_APPS 64

struct dh_a11y {
    pid_t child;
    int fd;
    uint32_t serial;
    bool late; // no answer to the last one
};

// ---- questions --------------------------------------------------------------

// A window of a program as far as it can answer the question.
static bool ask_window(struct dh_a11y_search *s, AtspiAccessible *win,
                       const struct dh_a11y_question *q,
                       struct dh_a11y_answer *out)
{
    struct dh_point p = { q->x, q->y };
    AtspiAccessible *hit = NULL;
    if (q->op == DH_A11Y_OP_FIND)
        return dh_a11y_hunt(s, win, q, out);
    if (q->op != DH_A11Y_OP_FOCUSED &&
        dh_a11y_has_state(win, ATSPI_STATE_SHOWING) &&
        dh_rect_has(dh_a11y_rect(win), p))
        hit = dh_a11y_descend(s, g_object_ref(win), p);
    else if (q->op == DH_A11Y_OP_FOCUSED &&
             dh_a11y_has_state(win, ATSPI_STATE_ACTIVE))
        hit = dh_a11y_find_focus(s, win, 0);
    if (!hit)
        return false;
    dh_a11y_read_node(hit, &out->node);
    if (q->op == DH_A11Y_OP_PLACE)
        dh_a11y_read_place(s, hit, win, out);
    g_object_unref(hit);
    return true;
}

static bool ask_app(struct dh_a11y_search *s, AtspiAccessible *app,
                    const struct dh_a11y_question *q,
                    struct dh_a11y_answer *out)
{
    if (q->pid && (int)atspi_accessible_get_process_id(app, NULL) != q->pid)
        return false;
    int n = atspi_accessible_get_child_count(app, NULL);
    bool found = false;
    // The newest window, a dialog or a menu, comes last.
    for (int i = n - 1; i >= 0 && !found && !dh_a11y_is_over(s); i--) {
        AtspiAccessible *win =
            atspi_accessible_get_child_at_index(app, i, NULL);
        found = win && ask_window(s, win, q, out);
        if (win)
            g_object_unref(win);
    }
    return found;
}

static bool ask_desktop(const struct dh_a11y_question *q,
                        struct dh_a11y_answer *out)
{
    // An answer that is not whole is worth more than one that comes too late.
    bool long_one = q->op == DH_A11Y_OP_PLACE || q->op == DH_A11Y_OP_FIND;
    int64_t ms = long_one ? PLACE_MS : DH_A11Y_WAIT_MS;
    struct dh_a11y_search s = { dh_now_ns() + ms * DH_MS, 0 };
    AtspiAccessible *desktop = atspi_get_desktop(0);
    if (!desktop)
        return false;
    int n = DH_MIN(atspi_accessible_get_child_count(desktop, NULL), MAX_APPS);
    bool found = false;
    for (int i = 0; i < n && !found && !dh_a11y_is_over(&s); i++) {
        AtspiAccessible *app =
            atspi_accessible_get_child_at_index(desktop, i, NULL);
        found = app && ask_app(&s, app, q, out);
        if (app)
            g_object_unref(app);
    }
    g_object_unref(desktop);
    return found;
}

static void keep_only(int fd)
{
    int null = open("/dev/null", O_RDWR);
    for (int i = 0; i < 3 && null >= 0; i++)
        dup2(null, i); // the library writes its warnings there
    dup2(fd, 3);
    close_range(4, ~0U, 0);
}

// What the child knows from one question to the next.
struct child {
    bool ready;
    AtspiEventListener *listener; // NULL: nobody wants to know at once
    AtspiAccessible *focus;       // as it was told last
    int64_t vain_ns; // when the whole tree of a program had no focus
    int vain_pid;
    GMainLoop *loop;
};

static void on_focus(AtspiEvent *e, void *user)
{
    struct child *c = user;
    if (!e->detail1)
        return;
    if (c->focus)
        g_object_unref(c->focus);
    c->focus = g_object_ref(e->source);
    c->vain_ns = 0;
}

static void watch(struct child *c)
{
    if (!c->ready || c->listener)
        return;
    c->listener = atspi_event_listener_new(on_focus, c, NULL);
    atspi_event_listener_register(c->listener, "object:state-changed:focused",
                                  NULL);
}

// What was told and still holds needs no search.
static bool ask_focus(struct child *c, const struct dh_a11y_question *q,
                      struct dh_a11y_answer *out)
{
    if (!c->focus || !dh_a11y_has_state(c->focus, ATSPI_STATE_FOCUSED) ||
        (q->pid &&
         (int)atspi_accessible_get_process_id(c->focus, NULL) != q->pid))
        return false;
    dh_a11y_read_node(c->focus, &out->node);
    return true;
}

static bool answer(struct child *c, const struct dh_a11y_question *q,
                   struct dh_a11y_answer *out)
{
    if (!c->ready)
        return false;
    if (q->op != DH_A11Y_OP_FOCUSED || !c->listener)
        return ask_desktop(q, out);
    // Events that have arrived come before the question.
    while (g_main_context_iteration(NULL, FALSE))
        continue;
    if (ask_focus(c, q, out))
        return true;
    if (c->vain_ns && c->vain_pid == q->pid && dh_now_ns() < c->vain_ns + DH_S)
        return false;
    bool found = ask_desktop(q, out);
    c->vain_ns = found ? 0 : dh_now_ns();
    c->vain_pid = q->pid;
    return found;
}

static gboolean on_question(gint fd, GIOCondition condition, void *user)
{
    struct child *c = user;
    struct dh_a11y_question q;
    (void)condition;
    if (recv(fd, &q, sizeof q, MSG_DONTWAIT) != (ssize_t)sizeof q) {
        g_main_loop_quit(c->loop);
        return FALSE;
    }
    struct dh_a11y_answer a = { .serial = q.serial };
    int64_t start = dh_now_ns();
    if (q.op == DH_A11Y_OP_WATCH)
        watch(c);
    else
        a.found = answer(c, &q, &a);
    // A call that timed out looks the same as one that found nothing.
    a.late = !a.found && dh_now_ns() - start >= CALL_MS * DH_MS;
    if (q.op != DH_A11Y_OP_WATCH && send(fd, &a, sizeof a, MSG_NOSIGNAL) < 0)
        g_main_loop_quit(c->loop);
    return TRUE;
}

static DH_NORETURN void child_run(int fd)
{
    // A Ctrl-C at the terminal is the parent's to handle; its end is our end.
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_DFL);
    keep_only(fd);
    struct child c = { .ready = atspi_init() <= 1 };
    atspi_set_timeout(CALL_MS, CALL_MS);
    c.loop = g_main_loop_new(NULL, FALSE);
    g_unix_fd_add(3, G_IO_IN | G_IO_HUP, on_question, &c);
    g_main_loop_run(c.loop);
    _exit(0);
}

// ---- our side --------------------------------------------------------------

enum dh_status dh_a11y_create(struct dh_a11y **out)
{
    int fd[2];
    enum dh_status st = dh_late_load(&dh_late_atspi);
    if (st)
        return st;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd)) {
        dh_error("no socket for the accessibility reader: %s", strerror(errno));
        return DH_ERR_IO;
    }
    pid_t child = fork();
    if (child == 0)
        child_run(fd[1]);
    close(fd[1]);
    if (child < 0) {
        dh_error("no process for the accessibility reader: %s",
                 strerror(errno));
        close(fd[0]);
        return DH_ERR_IO;
    }
    struct dh_a11y *a;
    dh_new(a);
    a->child = child;
    a->fd = fd[0];
    *out = a;
    return DH_OK;
}

void dh_a11y_destroy(struct dh_a11y *a)
{
    if (!a)
        return;
    close(a->fd);
    // It may hang in a call; it holds nothing that would be lost.
    kill(a->child, SIGKILL);
    while (waitpid(a->child, NULL, 0) < 0 && errno == EINTR)
        continue;
    dh_free(a);
}

// Late answers to older questions are dropped on the way.
static bool ask(struct dh_a11y *a, struct dh_a11y_question q,
                struct dh_a11y_answer *out)
{
    if (!a)
        return false;
    q.serial = ++a->serial;
    a->late = true;
    if (send(a->fd, &q, sizeof q, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return false;
    bool long_one = q.op == DH_A11Y_OP_PLACE || q.op == DH_A11Y_OP_FIND;
    int64_t ms = long_one ? DH_A11Y_PLACE_MS : DH_A11Y_WAIT_MS;
    int64_t until = dh_now_ns() + ms * DH_MS;
    for (;;) {
        struct pollfd p = { .fd = a->fd, .events = POLLIN };
        int64_t left = until - dh_now_ns();
        int n = left > 0 ? poll(&p, 1, (int)(left / DH_MS) + 1) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 ||
            recv(a->fd, out, sizeof *out, MSG_DONTWAIT) != (ssize_t)sizeof *out)
            return false;
        if (out->serial != q.serial)
            continue;
        a->late = out->late;
        return out->found;
    }
}

static bool ask_node(struct dh_a11y *a, struct dh_a11y_question q,
                     struct dh_a11y_node *out)
{
    struct dh_a11y_answer got;
    if (!ask(a, q, &got))
        return false;
    *out = got.node;
    return true;
}

bool dh_a11y_at(struct dh_a11y *a, int pid, struct dh_point p,
                struct dh_a11y_node *out)
{
    struct dh_a11y_question q = {
        .op = DH_A11Y_OP_AT, .pid = pid, .x = p.x, .y = p.y
    };
    return ask_node(a, q, out);
}

bool dh_a11y_focused(struct dh_a11y *a, int pid, struct dh_a11y_node *out)
{
    return ask_node(
        a, (struct dh_a11y_question){ .op = DH_A11Y_OP_FOCUSED, .pid = pid },
        out);
}

bool dh_a11y_place(struct dh_a11y *a, int pid, struct dh_point p,
                   struct dh_a11y_node *out, struct dh_a11y_place *place)
{
    struct dh_a11y_question q = {
        .op = DH_A11Y_OP_PLACE, .pid = pid, .x = p.x, .y = p.y
    };
    struct dh_a11y_answer got;
    if (!ask(a, q, &got))
        return false;
    *out = got.node;
    *place = got.place;
    return true;
}

bool dh_a11y_find(struct dh_a11y *a, int pid, const struct dh_a11y_wanted *what,
                  struct dh_a11y_hits *out)
{
    struct dh_a11y_question q = { .op = DH_A11Y_OP_FIND,
                                  .pid = pid,
                                  .what = *what };
    struct dh_a11y_answer got;
    if (!ask(a, q, &got))
        return false;
    *out = got.hits;
    return true;
}

bool dh_a11y_was_late(const struct dh_a11y *a)
{
    return a && a->late;
}

void dh_a11y_watch(struct dh_a11y *a)
{
    struct dh_a11y_question q = { .op = DH_A11Y_OP_WATCH };
    if (a && send(a->fd, &q, sizeof q, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        dh_debug("the accessibility reader cannot be told to watch");
}
