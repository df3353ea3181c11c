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

#include <atspi/atspi.h>

#include "base/clock.h"
#include "base/mem.h"

#define DH_LOG_TAG "a11y"
#include "base/log.h"

// A call to a program that hangs; several of them make one question.
#define CALL_MS   50
#define MAX_DEPTH 48
#define MAX_NODES 3000 // looked at for one question
#define MAX_APPS  64

enum op { AT, FOCUSED };

struct question {
    uint32_t serial;
    int32_t op, pid, x, y;
};

struct answer {
    uint32_t serial;
    bool found;
    struct dh_a11y_node node;
};

struct dh_a11y {
    pid_t child;
    int fd;
    uint32_t serial;
};

// ---- the child -------------------------------------------------------------

struct search {
    int64_t until_ns;
    int nodes;
};

static bool over(struct search *s)
{
    return ++s->nodes > MAX_NODES || dh_now_ns() > s->until_ns;
}

static bool has_state(AtspiAccessible *a, AtspiStateType state)
{
    AtspiStateSet *set = atspi_accessible_get_state_set(a);
    bool has = set && atspi_state_set_contains(set, state);
    if (set)
        g_object_unref(set);
    return has;
}

static struct dh_rect rect_of(AtspiAccessible *a)
{
    struct dh_rect r = { 0 };
    AtspiComponent *c = atspi_accessible_get_component_iface(a);
    AtspiRect *e =
        c ? atspi_component_get_extents(c, ATSPI_COORD_TYPE_SCREEN, NULL)
          : NULL;
    if (e)
        r = (struct dh_rect){ e->x, e->y, e->width, e->height };
    g_free(e);
    if (c)
        g_object_unref(c);
    return r;
}

static void put(char *to, size_t size, char *from)
{
    if (from)
        snprintf(to, size, "%s", from);
    g_free(from);
}

static void read_text(AtspiAccessible *a, struct dh_a11y_node *out)
{
    AtspiText *t = atspi_accessible_get_text_iface(a);
    if (!t)
        return;
    int n = atspi_text_get_character_count(t, NULL);
    if (n > 0)
        put(out->text, sizeof out->text,
            atspi_text_get_text(t, 0, DH_MIN(n, (int)sizeof out->text), NULL));
    g_object_unref(t);
}

// A password's text is stars in most toolkits, and not to be read in any.
static void read_node(AtspiAccessible *a, struct dh_a11y_node *out)
{
    memset(out, 0, sizeof *out);
    AtspiRole role = atspi_accessible_get_role(a, NULL);
    put(out->role, sizeof out->role, atspi_accessible_get_role_name(a, NULL));
    put(out->name, sizeof out->name, atspi_accessible_get_name(a, NULL));
    out->rect = rect_of(a);
    out->password = role == ATSPI_ROLE_PASSWORD_TEXT;
    out->editable = has_state(a, ATSPI_STATE_EDITABLE);
    out->focused = has_state(a, ATSPI_STATE_FOCUSED);
    if (!out->password)
        read_text(a, out);
}

// Takes over `a`, returns the innermost one below it at the point.
static AtspiAccessible *descend(struct search *s, AtspiAccessible *a, int x,
                                int y)
{
    for (int depth = 0; depth < MAX_DEPTH && !over(s); depth++) {
        AtspiComponent *c = atspi_accessible_get_component_iface(a);
        AtspiAccessible *in = c ? atspi_component_get_accessible_at_point(
                                      c, x, y, ATSPI_COORD_TYPE_SCREEN, NULL)
                                : NULL;
        if (c)
            g_object_unref(c);
        if (!in || in == a) {
            if (in)
                g_object_unref(in);
            return a;
        }
        g_object_unref(a);
        a = in;
    }
    return a;
}

// Depth first, visible ones only. The caller owns what is returned.
static AtspiAccessible *find_focus(struct search *s, AtspiAccessible *a,
                                   int depth)
{
    if (depth == MAX_DEPTH || over(s))
        return NULL;
    if (has_state(a, ATSPI_STATE_FOCUSED))
        return g_object_ref(a);
    int n = atspi_accessible_get_child_count(a, NULL);
    AtspiAccessible *found = NULL;
    for (int i = 0; i < n && !found && !over(s); i++) {
        AtspiAccessible *in = atspi_accessible_get_child_at_index(a, i, NULL);
        if (in && has_state(in, ATSPI_STATE_SHOWING))
            found = find_focus(s, in, depth + 1);
        if (in)
            g_object_unref(in);
    }
    return found;
}

// A window of a program as far as it can answer the question.
static bool ask_window(struct search *s, AtspiAccessible *win,
                       const struct question *q, struct dh_a11y_node *out)
{
    struct dh_point p = { q->x, q->y };
    AtspiAccessible *hit = NULL;
    if (q->op == AT && has_state(win, ATSPI_STATE_SHOWING) &&
        dh_rect_has(rect_of(win), p))
        hit = descend(s, g_object_ref(win), q->x, q->y);
    else if (q->op == FOCUSED && has_state(win, ATSPI_STATE_ACTIVE))
        hit = find_focus(s, win, 0);
    if (!hit)
        return false;
    read_node(hit, out);
    g_object_unref(hit);
    return true;
}

static bool ask_app(struct search *s, AtspiAccessible *app,
                    const struct question *q, struct dh_a11y_node *out)
{
    if (q->pid && (int)atspi_accessible_get_process_id(app, NULL) != q->pid)
        return false;
    int n = atspi_accessible_get_child_count(app, NULL);
    bool found = false;
    // The newest window, a dialog or a menu, comes last.
    for (int i = n - 1; i >= 0 && !found && !over(s); i--) {
        AtspiAccessible *win =
            atspi_accessible_get_child_at_index(app, i, NULL);
        found = win && ask_window(s, win, q, out);
        if (win)
            g_object_unref(win);
    }
    return found;
}

static bool ask_desktop(const struct question *q, struct dh_a11y_node *out)
{
    struct search s = { dh_now_ns() + DH_A11Y_WAIT_MS * DH_MS, 0 };
    AtspiAccessible *desktop = atspi_get_desktop(0);
    if (!desktop)
        return false;
    int n = DH_MIN(atspi_accessible_get_child_count(desktop, NULL), MAX_APPS);
    bool found = false;
    for (int i = 0; i < n && !found && !over(&s); i++) {
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

static DH_NORETURN void child_run(int fd)
{
    // A Ctrl-C at the terminal is the parent's to handle; its end is our end.
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_DFL);
    keep_only(fd);
    bool ready = atspi_init() <= 1;
    atspi_set_timeout(CALL_MS, CALL_MS);
    struct question q;
    while (recv(3, &q, sizeof q, 0) == (ssize_t)sizeof q) {
        struct answer a = { .serial = q.serial };
        a.found = ready && ask_desktop(&q, &a.node);
        if (send(3, &a, sizeof a, MSG_NOSIGNAL) < 0)
            break;
    }
    _exit(0);
}

// ---- our side --------------------------------------------------------------

enum dh_status dh_a11y_create(struct dh_a11y **out)
{
    int fd[2];
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
static bool ask(struct dh_a11y *a, struct question q, struct dh_a11y_node *out)
{
    if (!a)
        return false;
    q.serial = ++a->serial;
    if (send(a->fd, &q, sizeof q, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return false;
    int64_t until = dh_now_ns() + DH_A11Y_WAIT_MS * DH_MS;
    for (;;) {
        struct pollfd p = { .fd = a->fd, .events = POLLIN };
        int64_t left = until - dh_now_ns();
        struct answer got;
        int n = left > 0 ? poll(&p, 1, (int)(left / DH_MS) + 1) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 ||
            recv(a->fd, &got, sizeof got, MSG_DONTWAIT) != (ssize_t)sizeof got)
            return false;
        if (got.serial != q.serial)
            continue;
        if (got.found)
            *out = got.node;
        return got.found;
    }
}

bool dh_a11y_at(struct dh_a11y *a, int pid, struct dh_point p,
                struct dh_a11y_node *out)
{
    return ask(a, (struct question){ .op = AT, .pid = pid, .x = p.x, .y = p.y },
               out);
}

bool dh_a11y_focused(struct dh_a11y *a, int pid, struct dh_a11y_node *out)
{
    return ask(a, (struct question){ .op = FOCUSED, .pid = pid }, out);
}
