#include "tools/task_trial.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/a11y_tree.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/thread.h"
#include "tools/task_how.h"

#define DH_LOG_TAG "task"
#include "base/log.h"

#define CHECK_S  60
#define WIDGET_S 10
#define MAX_ARG  64

/* What the agent's events said. */
struct told {
    struct dh_eval_result *r;
    const struct dh_task *t;
    struct dh_task_desk *desk;
    struct dh_task_how how;
    bool compares; // with the solution, which it does not play itself
    int acts;
    int64_t begin_ns, acted_ns;
};

// ---- the agent, as a child
// ---------------------------------------------------

static double sum_of(const struct dh_json *e, const char *const *names)
{
    double sum = 0;
    for (; *names; names++)
        sum += dh_json_number(dh_json_find(e, *names));
    return sum;
}

// What shows before the agent thinks is what it acts on.
static void look(struct told *x)
{
    struct dh_buf *tree = &x->how.tree;
    dh_buf_clear(tree);
    if (x->t->reads_tree && !dh_task_desk_tree(x->desk, tree))
        dh_buf_clear(tree);
}

static void take_event(struct told *x, const struct dh_json *e)
{
    static const char *const thought[] = { "preprocess_ms", "vision_ms",
                                           "prefill_ms",    "decode_ms",
                                           "wire_ms",       NULL };
    struct dh_eval_result *r = x->r;
    const char *kind = dh_json_text(dh_json_find(e, "event"));
    if (strcmp(kind, "frame") == 0 && x->compares) {
        look(x);
    } else if (strcmp(kind, "answer") == 0) {
        r->ms_model += sum_of(e, thought);
    } else if (strcmp(kind, "act") == 0) {
        if (!x->acts++)
            r->ms_first = (double)(dh_now_ns() - x->begin_ns) / 1e6;
        dh_task_how_add(&x->how, e);
    } else if (strcmp(kind, "done") == 0) {
        x->acted_ns = dh_now_ns();
        r->ms_act += dh_json_number(dh_json_find(e, "act_ms"));
        r->ms_settle += dh_json_number(dh_json_find(e, "settle_ms"));
    } else if (strcmp(kind, "result") == 0) {
        dh_free(r->end);
        r->end = dh_strdup(dh_json_text(dh_json_find(e, "end")));
        r->steps = (int)dh_json_number(dh_json_find(e, "steps"));
        r->ms_run += 1e3 * dh_json_number(dh_json_find(e, "seconds"));
        r->tokens_in =
            (int64_t)dh_json_number(dh_json_find(e, "prompt_tokens"));
        r->tokens_cached =
            (int64_t)dh_json_number(dh_json_find(e, "cached_tokens"));
        r->tokens_out =
            (int64_t)dh_json_number(dh_json_find(e, "answer_tokens"));
        r->cost = dh_json_number(dh_json_find(e, "cost"));
        dh_free(r->raw);
        r->raw = NULL;
        if (dh_json_find(e, "text"))
            r->raw = dh_strdup(dh_json_text(dh_json_find(e, "text")));
    }
}

static void take_lines(struct told *x, struct dh_buf *in)
{
    char *at = in->data, *end;
    while (at && (end = memchr(at, '\n', in->len - (size_t)(at - in->data)))) {
        struct dh_diag diag = { 0 };
        struct dh_json *e = dh_json_parse(at, (size_t)(end - at), &diag);
        if (e)
            take_event(x, e);
        dh_json_free(e);
        at = end + 1;
    }
    if (!at)
        return;
    size_t rest = in->len - (size_t)(at - in->data);
    memmove(in->data, at, rest);
    in->len = rest;
}

struct argv {
    char *v[MAX_ARG + 1];
    int n;
};

DH_PRINTF(2, 3) static void add(struct argv *a, const char *fmt, ...)
{
    struct dh_buf b;
    va_list ap;
    if (a->n == MAX_ARG)
        return;
    dh_buf_init(&b, 1 << 16);
    va_start(ap, fmt);
    dh_buf_vprintf(&b, fmt, ap);
    va_end(ap);
    a->v[a->n++] = dh_buf_take(&b);
}

// What differs from zero was said.
static void add_options(struct argv *a, const struct dh_opt_set *s)
{
    for (; s && s->table; s++) {
        for (const struct dh_opt *o = s->table; o->name; o++) {
            const char *at = (const char *)s->base + o->offset;
            const char *text = NULL;
            double number = 0;
            int64_t size;
            int whole = 0;
            switch (o->type) {
            case DH_OPT_TEXT: memcpy(&text, at, sizeof text); break;
            case DH_OPT_DOUBLE: memcpy(&number, at, sizeof number); break;
            case DH_OPT_SIZE:
                memcpy(&size, at, sizeof size);
                number = (double)size;
                break;
            case DH_OPT_INT:
            case DH_OPT_ENUM: memcpy(&whole, at, sizeof whole); break;
            case DH_OPT_BOOL: whole = *(const bool *)at; break;
            case DH_OPT_LIST: break;
            }
            if (text)
                add(a, "--%s=%s", o->name, text);
            else if (number > 0)
                add(a, "--%s=%.17g", o->name, number);
            else if (whole && o->type == DH_OPT_ENUM)
                add(a, "--%s=%s", o->name, o->names[whole]);
            else if (whole && o->type == DH_OPT_BOOL)
                add(a, "--%s", o->name);
            else if (whole)
                add(a, "--%s=%d", o->name, whole);
        }
    }
}

static void arguments(struct argv *a, const struct dh_task *t,
                      const struct dh_trial_options *o, int display,
                      const char *script)
{
    add(a, "deskhand");
    add(a, "run");
    add(a, "--json");
    add(a, "--display=:%d", display);
    add(a, "--mode=free"); // nobody can be asked, and all it reaches is ours
    add(a, "--max-steps=%d", o->max_steps);
    add(a, "--max-seconds=%.17g", o->timeout_s);
    if (o->session)
        add(a, "--session=%s", o->session);
    else
        add(a, "--no-record");
    if (!o->video)
        add(a, "--no-video");
    if (o->web)
        add(a, "--no-sign"); // nothing may cover the page
    if (script)
        add(a, "--script=%s", script);
    else
        add_options(a, o->agent);
    add(a, "--");
    add(a, "%s", t->instruction);
}

static _Noreturn void be_agent(struct argv *a, int out, int keep)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    setsid(); // Ctrl-C is for us, who ask it to stop
    // A bus of the user's own knows nothing of that desktop.
    unsetenv("DBUS_SESSION_BUS_ADDRESS");
    unsetenv("WAYLAND_DISPLAY");
    unsetenv("XAUTHORITY");
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(out, 1);
    if (keep >= 0)
        fcntl(keep, F_SETFD, 0);
    execv("/proc/self/exe", a->v);
    _exit(127);
}

// Reads what it says until it ends; asks it to stop at a cancel or too late.
static int listen_to(struct told *x, const struct dh_trial_options *o,
                     pid_t pid, int fd)
{
    struct dh_buf in;
    // It stops by itself at its own limit; what hangs is ended.
    int64_t limit = x->begin_ns + (int64_t)((o->timeout_s + 60) * 1e9);
    int status = 0, asked = 0;
    bool open = true;
    dh_buf_init(&in, 8 << 20);
    while (open) {
        char bytes[65536];
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int n = poll(&p, 1, 100);
        bool stop = dh_cancel_is_set(o->cancel) || dh_now_ns() > limit ||
                    (o->is_over && o->is_over(o->with));
        if (stop && asked < 2 && (!asked || dh_now_ns() > limit)) {
            kill(pid, asked ? SIGKILL : SIGTERM);
            limit = dh_now_ns() + 10 * DH_S;
            asked++;
        }
        if (n <= 0)
            continue;
        ssize_t got = read(fd, bytes, sizeof bytes);
        open = got > 0 || (got < 0 && errno == EINTR);
        if (got > 0)
            dh_buf_put(&in, bytes, (size_t)got);
        if (in.overflow)
            dh_buf_clear(&in);
        take_lines(x, &in);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    dh_buf_finish(&in);
    return status;
}

static enum dh_status run_agent(struct told *x,
                                const struct dh_trial_options *o, int display,
                                const char *script, int keep)
{
    struct argv a = { .n = 0 };
    int fd[2];
    if (pipe2(fd, O_CLOEXEC)) {
        dh_error("pipe: %s", strerror(errno));
        return DH_ERR_IO;
    }
    arguments(&a, x->t, o, display, script);
    x->begin_ns = dh_now_ns();
    pid_t pid = fork();
    if (pid == 0)
        be_agent(&a, fd[1], keep);
    close(fd[1]);
    int status = pid > 0 ? listen_to(x, o, pid, fd[0]) : -1;
    close(fd[0]);
    for (int i = 0; i < a.n; i++)
        dh_free(a.v[i]);
    if (dh_cancel_is_set(o->cancel))
        return DH_ERR_CANCELLED;
    if (pid > 0 && WIFEXITED(status) && x->r->end)
        return DH_OK;
    dh_error("the agent ended %s %d and said no result",
             WIFSIGNALED(status) ? "by signal" : "with status",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return DH_ERR_IO;
}

// A web page has no solution to be held beside.
enum dh_status dh_trial_agent(const struct dh_task *t,
                              const struct dh_trial_options *o, int display,
                              struct dh_eval_result *r)
{
    struct told x = { .r = r, .t = t };
    dh_task_how_init(&x.how, t, o->desk.screen);
    enum dh_status st = run_agent(&x, o, display, o->script, -1);
    dh_task_how_finish(&x.how);
    return st;
}

// ---- the task's own solution ----

static enum dh_status play_command(struct told *x, struct dh_task_desk *d)
{
    struct dh_buf out, why;
    int status = 0;
    dh_buf_init(&out, 400);
    enum dh_status st = dh_box_run(d->box, dh_json_text(x->t->oracle), -1,
                                   dh_now_ns() + CHECK_S * DH_S, &out, &status);
    if (st || status) {
        dh_buf_init(&why, 1000);
        dh_buf_printf(&why, "its oracle: exit status %d, %s %s", status,
                      st ? dh_status_name(st) : "", dh_buf_text(&out));
        x->r->note = dh_buf_take(&why);
    }
    dh_buf_finish(&out);
    x->r->end = dh_strdup("done");
    return st;
}

// The lines so far, by an agent that takes them for answers.
static enum dh_status play_lines(struct told *x, struct dh_task_desk *d,
                                 const struct dh_trial_options *o,
                                 struct dh_buf *lines)
{
    char path[32];
    int fd = memfd_create("oracle", MFD_CLOEXEC);
    enum dh_status st = DH_ERR_IO;
    if (fd >= 0 &&
        write(fd, dh_buf_text(lines), lines->len) == (ssize_t)lines->len) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        st = run_agent(x, o, d->display, path, fd);
    }
    if (fd >= 0)
        close(fd);
    dh_buf_clear(lines);
    return st;
}

// Waits until the widget shows, as a person would.
static enum dh_status put_click(struct told *x, const struct dh_json *path,
                                struct dh_size screen, struct dh_buf *lines)
{
    int64_t until = dh_now_ns() + WIDGET_S * DH_S;
    struct dh_rect box;
    struct dh_buf *tree = &x->how.tree;
    do {
        dh_sleep_for(100 * DH_MS);
        look(x);
        if (!dh_a11y_tree_find((struct dh_str){ dh_buf_text(tree), tree->len },
                               path, &box))
            continue;
        dh_buf_printf(lines, "%s %.0f %.0f\n", dh_json_key(path),
                      (box.x + box.w / 2) * 1000.0 / screen.w,
                      (box.y + box.h / 2) * 1000.0 / screen.h);
        return DH_OK;
    } while (dh_now_ns() < until);
    dh_buf_clear(lines);
    dh_buf_puts(lines, "its oracle: no such widget shows: ");
    dh_json_print(path, lines);
    x->r->note = dh_strdup(dh_buf_text(lines));
    return DH_ERR_NOTFOUND;
}

// The solution is a command in the room, or actions that the agent plays.
static enum dh_status run_oracle(struct told *x, struct dh_task_desk *d,
                                 const struct dh_trial_options *o)
{
    const struct dh_json *step = x->t->oracle;
    struct dh_buf lines;
    enum dh_status st = DH_OK;
    if (!step) {
        x->r->note = dh_strdup("it has no oracle");
        return DH_ERR_NOTFOUND;
    }
    if (dh_json_kind(step) == DH_JSON_STRING)
        return play_command(x, d);
    dh_buf_init(&lines, 4 << 20);
    for (step = dh_json_first(step); step && !st; step = dh_json_next(step)) {
        const struct dh_json *path = dh_task_click(step);
        if (path && lines.len)
            st = play_lines(x, d, o, &lines);
        if (path && !st)
            st = put_click(x, path, o->desk.screen, &lines);
        if (!path)
            dh_buf_printf(&lines, "%s\n", dh_json_text(step));
    }
    if (!st)
        st = play_lines(x, d, o, &lines);
    dh_buf_finish(&lines);
    return st;
}

// ---- the trial
// -----------------------------------------------------------------

static enum dh_status spoiled(struct dh_eval_result *r, struct dh_task_desk *d,
                              enum dh_eval_error error, enum dh_status st)
{
    r->error = error;
    if (!r->note)
        r->note = dh_strdup(d->why ? d->why : dh_status_name(st));
    if (st == DH_ERR_CANCELLED || (st == DH_ERR_UNSUPPORTED && !d->box))
        return st;
    return DH_OK;
}

static enum dh_status act(struct told *x, struct dh_task_desk *d,
                          const struct dh_trial_options *o)
{
    switch (o->mode) {
    case DH_TRIAL_AGENT: return run_agent(x, o, d->display, o->script, -1);
    case DH_TRIAL_ORACLE: return run_oracle(x, d, o);
    case DH_TRIAL_NOOP: break;
    }
    x->r->end = dh_strdup("done");
    return DH_OK;
}

static enum dh_status judge(struct told *x, struct dh_task_desk *d,
                            const struct dh_trial_options *o)
{
    struct dh_eval_result *r = x->r;
    double score = 0;
    if (strcmp(r->end, "error") == 0) {
        r->error = DH_EVAL_ERROR_ENDPOINT;
        r->note = dh_strdup("the agent's model, screen or input failed");
        return DH_OK;
    }
    if (strcmp(r->end, "stopped") == 0)
        return DH_ERR_CANCELLED;
    enum dh_status st = dh_task_desk_score(
        d, x->t, strcmp(r->end, "failed") == 0,
        o->mode == DH_TRIAL_AGENT ? x->acted_ns : dh_now_ns(),
        dh_now_ns() + CHECK_S * DH_S, &score);
    if (st)
        return spoiled(r, d, DH_EVAL_ERROR_SETUP, st);
    r->score = score;
    r->hit = score >= 1;
    if (strcmp(r->end, "nonsense") == 0)
        r->error = DH_EVAL_ERROR_FORMAT;
    const char *how = dh_task_how_name(&x->how, r);
    if (o->mode == DH_TRIAL_AGENT && how)
        r->note = dh_strdup(how);
    return DH_OK;
}

enum dh_status dh_trial_run(const struct dh_task *t,
                            const struct dh_trial_options *o,
                            struct dh_eval_result *r, double *up_ms)
{
    struct dh_task_desk d;
    struct told x = {
        .r = r, .t = t, .desk = &d, .compares = o->mode == DH_TRIAL_AGENT
    };
    int64_t begin = dh_now_ns(), up;
    if (o->web)
        return dh_web_trial_run(t, o, r, up_ms);
    *up_ms = 0;
    dh_task_how_init(&x.how, t, o->desk.screen);
    enum dh_status st = dh_task_desk_open(&d, &o->desk);
    if (!st) {
        *up_ms = d.up_ms;
        up = dh_now_ns();
        st = dh_task_desk_setup(&d, t, t->config, up + o->setup_s * DH_S);
        r->ms_setup = (double)(dh_now_ns() - up) / 1e6;
    }
    if (st) {
        st = spoiled(r, &d, DH_EVAL_ERROR_SETUP, st);
        goto end;
    }
    st = act(&x, &d, o);
    if (st)
        st = spoiled(r, &d,
                     o->mode == DH_TRIAL_AGENT ? DH_EVAL_ERROR_ENDPOINT
                                               : DH_EVAL_ERROR_INVALID,
                     st);
    else
        st = judge(&x, &d, o);
end:
    dh_task_desk_close(&d);
    dh_task_how_finish(&x.how);
    r->ms_wall = (double)(dh_now_ns() - begin) / 1e6;
    return st;
}
