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
#include <glib-unix.h>

#include "agent/late_priv.h"
#include "base/clock.h"
#include "base/mem.h"

#define DH_LOG_TAG "a11y"
#include "base/log.h"

// A call to a program that hangs; several of them make one question.
#define CALL_MS      50
#define PLACE_MS     250
#define MAX_DEPTH    48
#define MAX_NODES    3000 // looked at for one question
#define MAX_APPS     64
#define MAX_CHILDREN 128 // of a container that is searched by hand

enum op { AT, PLACE, FOCUSED, FIND, WATCH };

struct question {
    uint32_t serial;
    int32_t op, pid, x, y;
    struct dh_a11y_wanted what; // of FIND
};

struct answer {
    uint32_t serial;
    bool found;
    bool late; // a program did not answer the child
    struct dh_a11y_node node;
    struct dh_a11y_place place;
    struct dh_a11y_hits hits;
};

struct dh_a11y {
    pid_t child;
    int fd;
    uint32_t serial;
    bool late; // no answer to the last one
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

// Some containers do not know what is in them at a point, though it says where
// it is; and some, such as the pages of a notebook, are nowhere themselves. The
// last one that shows is on top.
static AtspiAccessible *child_around(struct search *s, AtspiAccessible *a,
                                     struct dh_point p, int depth)
{
    AtspiAccessible *found = NULL;
    int n = atspi_accessible_get_child_count(a, NULL);
    for (int i = DH_MIN(n, MAX_CHILDREN) - 1; i >= 0 && !found && !over(s);
         i--) {
        AtspiAccessible *in = atspi_accessible_get_child_at_index(a, i, NULL);
        struct dh_rect r = { 0 };
        if (in && has_state(in, ATSPI_STATE_SHOWING))
            r = rect_of(in);
        if (dh_rect_has(r, p))
            found = g_object_ref(in);
        else if (r.w < 0 && depth < MAX_DEPTH)
            found = child_around(s, in, p, depth + 1);
        if (in)
            g_object_unref(in);
    }
    return found;
}

static AtspiAccessible *child_at(struct search *s, AtspiAccessible *a,
                                 struct dh_point p)
{
    AtspiComponent *c = atspi_accessible_get_component_iface(a);
    AtspiAccessible *in = c ? atspi_component_get_accessible_at_point(
                                  c, p.x, p.y, ATSPI_COORD_TYPE_SCREEN, NULL)
                            : NULL;
    if (c)
        g_object_unref(c);
    if (in && in != a)
        return in;
    if (in)
        g_object_unref(in);
    return child_around(s, a, p, 0);
}

// Takes over `a`, returns the innermost one below it at the point.
static AtspiAccessible *descend(struct search *s, AtspiAccessible *a,
                                struct dh_point p)
{
    for (int depth = 0; depth < MAX_DEPTH && !over(s); depth++) {
        AtspiAccessible *in = child_at(s, a, p);
        if (!in)
            break;
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

// ---- where a widget is in its window ----------------------------------------

// "role:index" of each widget from the window down, found from below.
static void read_path(AtspiAccessible *a, AtspiAccessible *win, char *out,
                      size_t size)
{
    char path[256] = "";
    a = g_object_ref(a);
    for (int depth = 0; a && a != win && depth < MAX_DEPTH; depth++) {
        char longer[sizeof path];
        char *role = atspi_accessible_get_role_name(a, NULL);
        int n = snprintf(longer, sizeof longer, "%s:%d%s%s", role ? role : "",
                         (int)atspi_accessible_get_index_in_parent(a, NULL),
                         path[0] ? "/" : "", path);
        g_free(role);
        AtspiAccessible *up = atspi_accessible_get_parent(a, NULL);
        g_object_unref(a);
        a = up;
        if (n < 0 || n >= (int)sizeof longer)
            break;
        memcpy(path, longer, sizeof path);
    }
    if (a == win)
        snprintf(out, size, "%s", path);
    if (a)
        g_object_unref(a);
}

static void read_states(AtspiAccessible *a, char *out, size_t size)
{
    static const struct {
        AtspiStateType state;
        const char *name;
    } told[] = { { ATSPI_STATE_CHECKED, "checked" },
                 { ATSPI_STATE_SELECTED, "selected" },
                 { ATSPI_STATE_EXPANDED, "expanded" },
                 { ATSPI_STATE_FOCUSED, "focused" },
                 { ATSPI_STATE_SENSITIVE, "sensitive" },
                 { ATSPI_STATE_EDITABLE, "editable" } };
    size_t len = 0;
    AtspiStateSet *set = atspi_accessible_get_state_set(a);
    for (size_t i = 0; set && i < DH_COUNTOF(told); i++)
        if (atspi_state_set_contains(set, told[i].state))
            len += (size_t)snprintf(out + len, size - len, "%s%s",
                                    len ? "," : "", told[i].name);
    if (set)
        g_object_unref(set);
}

// What is told of the other widgets of a window.
struct around {
    struct search *s;
    AtspiAccessible *hit;
    AtspiRole role; // of the hit
    const struct dh_a11y_node *node;
    struct dh_a11y_place *out;
    int equal, index; // index is -1 until it was met
};

static bool is_label(AtspiRole role)
{
    return role == ATSPI_ROLE_LABEL || role == ATSPI_ROLE_STATIC ||
           role == ATSPI_ROLE_HEADING || role == ATSPI_ROLE_CAPTION;
}

static int64_t far(const struct dh_a11y_label *l)
{
    return (int64_t)l->dx * l->dx + (int64_t)l->dy * l->dy;
}

static void add_label(struct dh_a11y_place *p, const struct dh_a11y_label *l)
{
    int at = p->n_labels;
    while (at > 0 && far(&p->label[at - 1]) > far(l))
        at--;
    if (at == DH_A11Y_LABELS)
        return;
    int last = DH_MIN(p->n_labels, DH_A11Y_LABELS - 1);
    memmove(&p->label[at + 1], &p->label[at],
            (size_t)(last - at) * sizeof *p->label);
    p->label[at] = *l;
    p->n_labels = last + 1;
}

static void look_at(struct around *c, AtspiAccessible *a)
{
    char name[sizeof c->node->name] = "";
    AtspiRole role = atspi_accessible_get_role(a, NULL);
    if (a == c->hit)
        c->index = c->equal;
    // A name may be one more call to the program.
    if (role != c->role && !is_label(role))
        return;
    put(name, sizeof name, atspi_accessible_get_name(a, NULL));
    if (role == c->role && !strcmp(name, c->node->name))
        c->equal++;
    if (a == c->hit || !name[0] || !is_label(role))
        return;
    struct dh_rect r = rect_of(a), me = c->node->rect;
    struct dh_a11y_label l = { .dx = r.x + r.w / 2 - me.x - me.w / 2,
                               .dy = r.y + r.h / 2 - me.y - me.h / 2 };
    snprintf(l.text, sizeof l.text, "%.63s", name);
    if (!dh_rect_is_empty(r))
        add_label(c->out, &l);
}

static void look_around(struct around *c, AtspiAccessible *a, int depth)
{
    if (depth == MAX_DEPTH || over(c->s))
        return;
    look_at(c, a);
    int n = atspi_accessible_get_child_count(a, NULL);
    for (int i = 0; i < n && !over(c->s); i++) {
        AtspiAccessible *in = atspi_accessible_get_child_at_index(a, i, NULL);
        if (in && has_state(in, ATSPI_STATE_SHOWING))
            look_around(c, in, depth + 1);
        if (in)
            g_object_unref(in);
    }
}

static void read_place(struct search *s, AtspiAccessible *hit,
                       AtspiAccessible *win, struct answer *out)
{
    struct dh_a11y_place *p = &out->place;
    struct around c = { .s = s,
                        .hit = hit,
                        .role = atspi_accessible_get_role(hit, NULL),
                        .node = &out->node,
                        .out = p,
                        .index = -1 };
    put(p->description, sizeof p->description,
        atspi_accessible_get_description(hit, NULL));
    read_path(hit, win, p->path, sizeof p->path);
    read_states(hit, p->states, sizeof p->states);
    look_around(&c, win, 0);
    // What was cut short is not counted.
    if (over(s) || c.index < 0)
        return;
    p->equal = c.equal;
    p->index = c.index;
}

// ---- a widget that was seen before ------------------------------------------

struct hunt {
    struct search *s;
    AtspiAccessible *win;
    const struct dh_a11y_wanted *what;
    struct dh_a11y_hits *out;
    int labels[DH_A11Y_LABELS]; // how often each was met
};

static bool name_is(AtspiAccessible *a, const char *name)
{
    char *got = atspi_accessible_get_name(a, NULL);
    // What is kept is cut at the size of its field.
    bool same =
        got && !strncmp(got, name, sizeof((struct dh_a11y_node *)0)->name - 1);
    g_free(got);
    return same;
}

static bool role_is(AtspiAccessible *a, AtspiRole role, const char *name)
{
    char *got = role == ATSPI_ROLE_EXTENDED
                    ? atspi_accessible_get_role_name(a, NULL)
                    : atspi_role_get_name(role);
    bool same = got && !strcmp(got, name);
    g_free(got);
    return same;
}

static void add_hit(struct hunt *h, AtspiAccessible *a)
{
    char path[sizeof h->what->path] = "", text[sizeof h->what->description];
    int i = h->out->n++;
    if (i >= DH_A11Y_HITS)
        return;
    text[0] = '\0';
    put(text, sizeof text, atspi_accessible_get_description(a, NULL));
    read_path(a, h->win, path, sizeof path);
    h->out->hit[i].rect = rect_of(a);
    h->out->hit[i].same_path = path[0] && !strcmp(path, h->what->path);
    h->out->hit[i].same_description = !strcmp(text, h->what->description);
}

static void hunt_labels(struct hunt *h, AtspiAccessible *a)
{
    for (int i = 0; i < h->what->n_labels; i++) {
        char name[128] = "";
        put(name, sizeof name, atspi_accessible_get_name(a, NULL));
        if (strncmp(name, h->what->label[i].text,
                    sizeof h->what->label[i].text - 1))
            continue;
        bool again = h->labels[i]++;
        h->out->label[i] = again ? (struct dh_rect){ 0 } : rect_of(a);
    }
}

static void hunt_below(struct hunt *h, AtspiAccessible *a, int depth)
{
    if (depth == MAX_DEPTH || over(h->s))
        return;
    AtspiRole role = atspi_accessible_get_role(a, NULL);
    if (role_is(a, role, h->what->role) && name_is(a, h->what->name))
        add_hit(h, a);
    if (is_label(role))
        hunt_labels(h, a);
    int n = atspi_accessible_get_child_count(a, NULL);
    for (int i = 0; i < n && !over(h->s); i++) {
        AtspiAccessible *in = atspi_accessible_get_child_at_index(a, i, NULL);
        if (in && has_state(in, ATSPI_STATE_SHOWING))
            hunt_below(h, in, depth + 1);
        if (in)
            g_object_unref(in);
    }
}

static int64_t area(struct dh_rect r)
{
    return (int64_t)r.w * r.h;
}

// Programs do not say which X window it is: title and place have to tell.
static bool is_window(AtspiAccessible *win, const struct dh_a11y_wanted *what,
                      struct dh_rect *rect)
{
    *rect = rect_of(win);
    int64_t both = area(dh_rect_intersect(*rect, what->box));
    int64_t all = area(*rect) + area(what->box) - both;
    if (what->title[0] && name_is(win, what->title))
        return dh_rect_is_empty(*rect) || 4 * both > all ||
               rect->w != what->box.w; // logical units, or a shadow
    return 10 * both > 7 * all;
}

static bool hunt_window(struct search *s, AtspiAccessible *win,
                        const struct question *q, struct answer *out)
{
    struct hunt h = { .s = s, .win = win, .what = &q->what, .out = &out->hits };
    if (!has_state(win, ATSPI_STATE_SHOWING) ||
        !is_window(win, &q->what, &out->hits.window))
        return false;
    hunt_below(&h, win, 0);
    // Of what was cut short there may be one more.
    return !over(s);
}

// ---- questions --------------------------------------------------------------

// A window of a program as far as it can answer the question.
static bool ask_window(struct search *s, AtspiAccessible *win,
                       const struct question *q, struct answer *out)
{
    struct dh_point p = { q->x, q->y };
    AtspiAccessible *hit = NULL;
    if (q->op == FIND)
        return hunt_window(s, win, q, out);
    if (q->op != FOCUSED && has_state(win, ATSPI_STATE_SHOWING) &&
        dh_rect_has(rect_of(win), p))
        hit = descend(s, g_object_ref(win), p);
    else if (q->op == FOCUSED && has_state(win, ATSPI_STATE_ACTIVE))
        hit = find_focus(s, win, 0);
    if (!hit)
        return false;
    read_node(hit, &out->node);
    if (q->op == PLACE)
        read_place(s, hit, win, out);
    g_object_unref(hit);
    return true;
}

static bool ask_app(struct search *s, AtspiAccessible *app,
                    const struct question *q, struct answer *out)
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

static bool ask_desktop(const struct question *q, struct answer *out)
{
    // An answer that is not whole is worth more than one that comes too late.
    bool long_one = q->op == PLACE || q->op == FIND;
    int64_t ms = long_one ? PLACE_MS : DH_A11Y_WAIT_MS;
    struct search s = { dh_now_ns() + ms * DH_MS, 0 };
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
static bool ask_focus(struct child *c, const struct question *q,
                      struct answer *out)
{
    if (!c->focus || !has_state(c->focus, ATSPI_STATE_FOCUSED) ||
        (q->pid &&
         (int)atspi_accessible_get_process_id(c->focus, NULL) != q->pid))
        return false;
    read_node(c->focus, &out->node);
    return true;
}

static bool answer(struct child *c, const struct question *q,
                   struct answer *out)
{
    if (!c->ready)
        return false;
    if (q->op != FOCUSED || !c->listener)
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
    struct question q;
    (void)condition;
    if (recv(fd, &q, sizeof q, MSG_DONTWAIT) != (ssize_t)sizeof q) {
        g_main_loop_quit(c->loop);
        return FALSE;
    }
    struct answer a = { .serial = q.serial };
    int64_t start = dh_now_ns();
    if (q.op == WATCH)
        watch(c);
    else
        a.found = answer(c, &q, &a);
    // A call that timed out looks the same as one that found nothing.
    a.late = !a.found && dh_now_ns() - start >= CALL_MS * DH_MS;
    if (q.op != WATCH && send(fd, &a, sizeof a, MSG_NOSIGNAL) < 0)
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
static bool ask(struct dh_a11y *a, struct question q, struct answer *out)
{
    if (!a)
        return false;
    q.serial = ++a->serial;
    a->late = true;
    if (send(a->fd, &q, sizeof q, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return false;
    bool long_one = q.op == PLACE || q.op == FIND;
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

static bool ask_node(struct dh_a11y *a, struct question q,
                     struct dh_a11y_node *out)
{
    struct answer got;
    if (!ask(a, q, &got))
        return false;
    *out = got.node;
    return true;
}

bool dh_a11y_at(struct dh_a11y *a, int pid, struct dh_point p,
                struct dh_a11y_node *out)
{
    struct question q = { .op = AT, .pid = pid, .x = p.x, .y = p.y };
    return ask_node(a, q, out);
}

bool dh_a11y_focused(struct dh_a11y *a, int pid, struct dh_a11y_node *out)
{
    return ask_node(a, (struct question){ .op = FOCUSED, .pid = pid }, out);
}

bool dh_a11y_place(struct dh_a11y *a, int pid, struct dh_point p,
                   struct dh_a11y_node *out, struct dh_a11y_place *place)
{
    struct question q = { .op = PLACE, .pid = pid, .x = p.x, .y = p.y };
    struct answer got;
    if (!ask(a, q, &got))
        return false;
    *out = got.node;
    *place = got.place;
    return true;
}

bool dh_a11y_find(struct dh_a11y *a, int pid, const struct dh_a11y_wanted *what,
                  struct dh_a11y_hits *out)
{
    struct question q = { .op = FIND, .pid = pid, .what = *what };
    struct answer got;
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
    struct question q = { .op = WATCH };
    if (a && send(a->fd, &q, sizeof q, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        dh_debug("the accessibility reader cannot be told to watch");
}
