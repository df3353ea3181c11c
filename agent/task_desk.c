#include "agent/task_desk.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/a11y_tree.h"
#include "agent/task_judge.h"
#include "agent/task_priv.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#define DH_LOG_TAG "task"
#include "base/log.h"

// What a getter may give.
#define MAX_GOT (4 << 20)
#define TREE_S  5

DH_PRINTF(3, 4)
static enum dh_status failed(struct dh_task_desk *d, enum dh_status st,
                             const char *fmt, ...)
{
    struct dh_buf b;
    va_list ap;
    dh_buf_init(&b, 1000);
    va_start(ap, fmt);
    dh_buf_vprintf(&b, fmt, ap);
    va_end(ap);
    if (st == DH_ERR_TIMEOUT)
        dh_buf_puts(&b, ": not done in time");
    if (st == DH_ERR_NOMEM)
        dh_buf_puts(&b, ": no more processes can be had");
    if (st == DH_ERR_CLOSED && d->box)
        dh_buf_printf(&b, ": the room has ended: %s", dh_box_why(d->box));
    dh_free(d->why);
    d->why = dh_buf_take(&b);
    return st;
}

// A shell command; *status NULL: it must succeed.
static enum dh_status in_room(struct dh_task_desk *d, const char *command,
                              int in, int64_t until_ns, struct dh_buf *out,
                              int *status)
{
    struct dh_buf own;
    int code = 0;
    dh_buf_init(&own, 300);
    enum dh_status st =
        dh_box_run(d->box, command, in, until_ns, out ? out : &own, &code);
    if (st && st != DH_ERR_CANCELLED)
        failed(d, st, "%.200s", command);
    else if (!st && !status && code)
        st = failed(d, DH_ERR_IO, "%.200s: exit status %d %.200s", command,
                    code, dh_buf_text(&own));
    if (status)
        *status = code;
    dh_buf_finish(&own);
    return st;
}

// ---- the desktop ----

static _Noreturn void be_server(const char *size, int number_fd)
{
    struct rlimit memory = { (rlim_t)2 << 30, (rlim_t)2 << 30 };
    char fd[16];
    sigset_t none;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    // Programs of the room can make it hold pictures without end.
    setrlimit(RLIMIT_AS, &memory);
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    fcntl(number_fd, F_SETFD, 0);
    snprintf(fd, sizeof fd, "%d", number_fd);
    // Memory cannot be shared between a room and what is outside of it.
    execlp("Xvfb", "Xvfb", "-displayfd", fd, "-screen", "0", size, "-nolisten",
           "tcp", "-noreset", "-extension", "MIT-SHM", (char *)NULL);
    _exit(127);
}

static void stop_server(struct dh_task_desk *d)
{
    int status;
    int64_t limit = dh_now_ns() + 5 * DH_S;
    if (d->server <= 0)
        return;
    kill(d->server, SIGTERM);
    while (waitpid(d->server, &status, WNOHANG) == 0) {
        if (dh_now_ns() > limit) {
            kill(d->server, SIGKILL);
            limit = INT64_MAX;
        }
        dh_sleep_for(2 * DH_MS);
    }
    d->server = 0;
}

// Servers that start at once may want the same number; the loser ends.
static bool try_server(struct dh_task_desk *d, const char *size)
{
    char number[16] = "";
    size_t n = 0;
    int fd[2];
    if (pipe2(fd, O_CLOEXEC))
        return false;
    d->server = fork();
    if (d->server == 0)
        be_server(size, fd[1]);
    close(fd[1]);
    struct pollfd p = { .fd = fd[0], .events = POLLIN };
    while (d->server > 0 && n < sizeof number - 1 && !strchr(number, '\n')) {
        ssize_t got = poll(&p, 1, 20000) > 0
                          ? read(fd[0], number + n, sizeof number - 1 - n)
                          : 0;
        if (got <= 0)
            break;
        n += (size_t)got;
        number[n] = 0;
    }
    close(fd[0]);
    int64_t v;
    if (dh_parse_i64(dh_str_trim(dh_str_of(number)), &v)) {
        d->display = (int)v;
        return true;
    }
    stop_server(d);
    return false;
}

static enum dh_status put_file(struct dh_task_desk *d, const char *from,
                               const char *path, int64_t until_ns)
{
    struct dh_buf b;
    struct stat st;
    int fd = open(from, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        if (fd >= 0)
            close(fd);
        return failed(d, DH_ERR_NOTFOUND, "%.200s: no such file", from);
    }
    dh_buf_init(&b, DH_BOX_COMMAND);
    dh_buf_puts(&b, "p=");
    dh_box_quote(&b, path);
    dh_buf_puts(&b, "; mkdir -p -- \"$(dirname -- \"$p\")\" && cat >\"$p\"");
    enum dh_status s = in_room(d, dh_buf_text(&b), fd, until_ns, NULL, NULL);
    dh_buf_finish(&b);
    close(fd);
    return s;
}

static enum dh_status furnish(struct dh_task_desk *d,
                              const struct dh_task_desk_options *o,
                              int64_t until_ns)
{
    if (o->fonts) {
        enum dh_status st =
            put_file(d, o->fonts, DH_BOX_HOME "/.config/fontconfig/fonts.conf",
                     until_ns);
        if (st)
            return st;
    }
    // xprop asks the server, so that each turn of the loop takes its time.
    return in_room(
        d,
        "dbus-daemon --session --nofork --nopidfile "
        "--address=unix:path=$XDG_RUNTIME_DIR/bus >/dev/null 2>&1 &\n"
        "openbox >/dev/null 2>&1 &\n"
        "until xprop -root _NET_SUPPORTING_WM_CHECK 2>/dev/null | "
        "grep -q 0x && [ -S $XDG_RUNTIME_DIR/bus ]; do sleep 0.02; done",
        -1, until_ns, NULL, NULL);
}

enum dh_status dh_task_desk_open(struct dh_task_desk *d,
                                 const struct dh_task_desk_options *o)
{
    char size[48];
    int64_t begin = dh_now_ns();
    memset(d, 0, sizeof *d);
    snprintf(size, sizeof size, "%dx%dx24", o->screen.w, o->screen.h);
    for (int i = 0; i < 5 && !d->server; i++)
        (void)try_server(d, size);
    if (!d->server)
        return failed(d, DH_ERR_IO, "Xvfb did not start; is it installed?");
    struct dh_box_options box = { .display = d->display,
                                  .slot = o->slot,
                                  .a11y = o->a11y,
                                  .shown = o->shown };
    enum dh_status st = dh_box_open(&d->box, &box);
    if (st)
        return failed(d, st, "there can be no closed room on this machine");
    st = furnish(d, o, begin + 20 * DH_S);
    d->up_ms = (double)(dh_now_ns() - begin) / 1e6;
    return st;
}

void dh_task_desk_close(struct dh_task_desk *d)
{
    dh_box_close(d->box);
    stop_server(d);
    dh_free(d->why);
    memset(d, 0, sizeof *d);
}

// ---- set-up ----

static const char *text_of(const struct dh_json *o, const char *key)
{
    return dh_json_text(dh_json_find(o, key));
}

static double number_of(const struct dh_json *o, const char *key, double other)
{
    const struct dh_json *v = dh_json_find(o, key);
    return v ? dh_json_number(v) : other;
}

static int64_t sooner(int64_t until_ns, double seconds)
{
    return DH_MIN(until_ns, dh_now_ns() + (int64_t)(seconds * 1e9));
}

/* "xdotool search ..." for windows by title or class, as text that is matched
 * itself and not as a pattern. */
static void put_search(struct dh_buf *b, const char *name, bool by_class,
                       bool strict)
{
    struct dh_buf pattern;
    dh_buf_init(&pattern, 8192);
    if (strict)
        dh_buf_putc(&pattern, '^');
    for (; *name; name++) {
        if (strchr("\\^$.|?*+()[]{}", *name))
            dh_buf_putc(&pattern, '\\');
        dh_buf_putc(&pattern, *name);
    }
    if (strict)
        dh_buf_putc(&pattern, '$');
    dh_buf_printf(b, "xdotool search --onlyvisible --%s ",
                  by_class ? "class" : "name");
    dh_box_quote(b, dh_buf_text(&pattern));
    dh_buf_finish(&pattern);
}

static enum dh_status window(struct dh_task_desk *d, const struct dh_json *p,
                             const char *what, int64_t until_ns)
{
    struct dh_buf b;
    dh_buf_init(&b, DH_BOX_COMMAND);
    dh_buf_puts(&b, "w=$(");
    put_search(&b, text_of(p, "window_name"),
               dh_json_is_true(dh_json_find(p, "by_class")),
               dh_json_is_true(dh_json_find(p, "strict")));
    dh_buf_printf(&b, " | tail -n 1) && [ -n \"$w\" ] && xdotool %s \"$w\"",
                  what);
    enum dh_status st =
        in_room(d, dh_buf_text(&b), -1, sooner(until_ns, 20), NULL, NULL);
    dh_buf_finish(&b);
    return st;
}

static enum dh_status launch(struct dh_task_desk *d, const char *command,
                             int64_t until_ns)
{
    struct dh_buf b;
    dh_buf_init(&b, DH_BOX_COMMAND);
    dh_buf_puts(&b, "setsid sh -c ");
    dh_box_quote(&b, command);
    dh_buf_puts(&b, " >/dev/null 2>&1 </dev/null &");
    enum dh_status st =
        b.overflow ? failed(d, DH_ERR_RANGE, "the command is too long")
                   : in_room(d, dh_buf_text(&b), -1, until_ns, NULL, NULL);
    dh_buf_finish(&b);
    return st;
}

// Does the output of a command that is waited for say what it should?
static bool is_until(const struct dh_json *u, int status, struct dh_str out)
{
    const struct dh_json *code = dh_json_find(u, "returncode");
    const char *text = text_of(u, "stdout");
    const char *err = text_of(u, "stderr");
    return (!code || (int)dh_json_number(code) == status) &&
           (!*text || dh_str_find(out, text, 0) >= 0) &&
           (!*err || dh_str_find(out, err, 0) >= 0);
}

// Again and again until `u` holds, or, where u is NULL, it succeeds.
static enum dh_status repeat(struct dh_task_desk *d, const char *command,
                             const struct dh_json *u, int64_t pause_ns,
                             int64_t until_ns)
{
    for (;;) {
        struct dh_buf out;
        int status;
        dh_buf_init(&out, 1 << 16);
        enum dh_status st = in_room(d, command, -1, until_ns, &out, &status);
        bool ok = u ? is_until(u, status,
                               (struct dh_str){ dh_buf_text(&out), out.len })
                    : status == 0;
        dh_buf_finish(&out);
        if (st || ok)
            return st;
        if (dh_now_ns() + pause_ns >= until_ns)
            return failed(d, DH_ERR_TIMEOUT, "%.200s", command);
        dh_sleep_for(pause_ns);
    }
}

static enum dh_status execute(struct dh_task_desk *d, const struct dh_json *p,
                              int64_t until_ns)
{
    const struct dh_json *until = dh_json_find(p, "until");
    struct dh_buf b;
    enum dh_status st;
    int status;
    dh_buf_init(&b, DH_BOX_COMMAND);
    dh_task_command(p, &b);
    if (dh_json_first(until))
        st = repeat(d, dh_buf_text(&b), until, 100 * DH_MS, until_ns);
    else // as in OSWorld, its exit status says nothing
        st = in_room(d, dh_buf_text(&b), -1, until_ns, NULL, &status);
    dh_buf_finish(&b);
    return st;
}

static enum dh_status verify(struct dh_task_desk *d, const struct dh_json *v,
                             int64_t pause_ns, int64_t until_ns)
{
    enum dh_status st = DH_OK;
    for (v = dh_json_first(v); !st && v; v = dh_json_next(v)) {
        struct dh_buf b;
        dh_buf_init(&b, DH_BOX_COMMAND);
        if (strcmp(dh_json_key(v), "window_exists") == 0)
            put_search(&b, text_of(v, "window_name"),
                       dh_json_is_true(dh_json_find(v, "by_class")), false);
        else if (dh_json_kind(v) == DH_JSON_OBJECT)
            dh_task_command(v, &b);
        else
            dh_buf_puts(&b, dh_json_text(v));
        st = repeat(d, dh_buf_text(&b), NULL, pause_ns, until_ns);
        dh_buf_finish(&b);
    }
    return st;
}

static enum dh_status execute_verified(struct dh_task_desk *d,
                                       const struct dh_json *p,
                                       int64_t until_ns)
{
    double pause = DH_CLAMP(number_of(p, "check_interval", 0.05), 0.02, 0.5);
    int64_t limit = sooner(until_ns, number_of(p, "max_wait_time", 20));
    struct dh_buf b;
    int status;
    dh_buf_init(&b, DH_BOX_COMMAND);
    dh_task_command(p, &b);
    enum dh_status st = in_room(d, dh_buf_text(&b), -1, limit, NULL, &status);
    if (!st)
        st = verify(d, dh_json_find(p, "verification"), (int64_t)(pause * 1e9),
                    limit);
    dh_buf_finish(&b);
    return st;
}

// A link must not lead out of the task's folder.
static char *local_file(const struct dh_task *t, const char *name)
{
    char *path = dh_task_local(t, name);
    char *real = path ? realpath(path, NULL) : NULL;
    char *root = realpath(t->dir, NULL);
    char *out = NULL;
    if (real && root && strncmp(real, root, strlen(root)) == 0 &&
        real[strlen(root)] == '/')
        out = dh_strdup(real);
    free(real); // allowed: realpath's own memory
    free(root); // allowed: realpath's own memory
    dh_free(path);
    return out;
}

static enum dh_status upload(struct dh_task_desk *d, const struct dh_task *t,
                             const struct dh_json *files, int64_t until_ns)
{
    enum dh_status st = DH_OK;
    for (const struct dh_json *f = dh_json_first(files); !st && f;
         f = dh_json_next(f)) {
        const char *from = text_of(f, "local_path");
        char *path = local_file(t, *from ? from : text_of(f, "url"));
        st = path ? put_file(d, path, text_of(f, "path"), until_ns)
                  : failed(d, DH_ERR_NOTFOUND, "%.200s is not in the folder",
                           *from ? from : text_of(f, "url"));
        dh_free(path);
    }
    return st;
}

static enum dh_status one_step(struct dh_task_desk *d, const struct dh_task *t,
                               const struct dh_json *step, int64_t until_ns)
{
    const char *type = text_of(step, "type");
    const struct dh_json *p = dh_json_find(step, "parameters");
    struct dh_buf b;
    enum dh_status st;
    if (strcmp(type, "execute") == 0 || strcmp(type, "command") == 0)
        return execute(d, p, until_ns);
    if (strcmp(type, "execute_with_verification") == 0)
        return execute_verified(d, p, until_ns);
    if (strcmp(type, "download") == 0 || strcmp(type, "upload_file") == 0)
        return upload(d, t, dh_json_find(p, "files"), until_ns);
    if (strcmp(type, "activate_window") == 0)
        return window(d, p, "windowactivate --sync", until_ns);
    if (strcmp(type, "close_window") == 0)
        return window(d, p, "windowclose", until_ns);
    if (strcmp(type, "sleep") == 0) {
        dh_sleep_until(sooner(until_ns, number_of(p, "seconds", 0)));
        return DH_OK;
    }
    dh_buf_init(&b, DH_BOX_COMMAND);
    if (strcmp(type, "open") == 0) {
        dh_buf_puts(&b, "xdg-open ");
        dh_box_quote(&b, text_of(p, "path"));
    } else {
        dh_task_command(p, &b);
    }
    st = launch(d, dh_buf_text(&b), until_ns);
    dh_buf_finish(&b);
    return st;
}

enum dh_status dh_task_desk_setup(struct dh_task_desk *d,
                                  const struct dh_task *t,
                                  const struct dh_json *steps, int64_t until_ns)
{
    enum dh_status st = DH_OK;
    for (const struct dh_json *s = dh_json_first(steps); !st && s;
         s = dh_json_next(s)) {
        st = one_step(d, t, s, until_ns);
        if (!st && dh_now_ns() >= until_ns)
            st = failed(d, DH_ERR_TIMEOUT, "%s", text_of(s, "type"));
    }
    // A set-up may have filled the disk or ended the desktop itself. A server
    // that is being killed answers nothing, though it is still to be seen.
    if (!st && steps &&
        in_room(d,
                "xprop -id \"$(xprop -root _NET_SUPPORTING_WM_CHECK | "
                "grep -o '0x[0-9a-f]*')\" _NET_WM_NAME && "
                "head -c 65536 /dev/zero >/tmp/.dh && rm /tmp/.dh",
                -1, until_ns, NULL, NULL))
        st = failed(d, DH_ERR_IO,
                    "after it the disk is full or the desktop has ended");
    return st;
}

// ---- the check ----

static void getter_command(const struct dh_json *g, struct dh_buf *b)
{
    const char *type = text_of(g, "type");
    if (strcmp(type, "vm_command_line") == 0) {
        dh_task_command(g, b);
        dh_buf_puts(b, " 2>/dev/null");
    } else if (strcmp(type, "vm_file") == 0) {
        dh_buf_puts(b, "cat -- ");
        dh_box_quote(b, text_of(g, "path"));
    } else if (strcmp(type, "list_directory") == 0) {
        dh_buf_puts(b, "LC_ALL=C ls -1A -- ");
        dh_box_quote(b, text_of(g, "path"));
    } else if (strcmp(type, "window_titles") == 0) {
        dh_buf_puts(b, "for w in $(xprop -root _NET_CLIENT_LIST | grep -o "
                       "'0x[0-9a-f]*'); do xdotool getwindowname $w; done");
    } else if (strcmp(type, "window_property") == 0) {
        dh_buf_puts(b, "w=$(");
        put_search(b, text_of(g, "window_name"), false, false);
        dh_buf_puts(b, " | tail -n 1); xprop -notype -id \"$w\" ");
        dh_box_quote(b, text_of(g, "property"));
    } else {
        dh_buf_puts(b, "timeout 3 xclip -o -selection clipboard");
    }
}

static int print_tree(void)
{
    struct dh_buf tree;
    dh_buf_init(&tree, MAX_GOT);
    enum dh_status st = dh_a11y_tree(dh_now_ns() + TREE_S * DH_S, &tree);
    for (size_t at = 0; !st && at < tree.len;) {
        ssize_t n = write(STDOUT_FILENO, tree.data + at, tree.len - at);
        if (n <= 0)
            return 1;
        at += (size_t)n;
    }
    return st ? 1 : 0;
}

bool dh_task_desk_tree(struct dh_task_desk *d, struct dh_buf *out)
{
    int status;
    return !dh_box_call(d->box, print_tree, 2 * TREE_S, out, &status) &&
           status == 0;
}

// What is not there is no error: *there is false.
static enum dh_status get(struct dh_task_desk *d, const struct dh_task *t,
                          const struct dh_json *g, int64_t until_ns,
                          struct dh_buf *out, bool *there)
{
    const char *type = text_of(g, "type");
    struct dh_buf b;
    int status = 0;
    enum dh_status st = DH_OK;
    *there = true;
    if (strcmp(type, "rule") == 0)
        return DH_OK;
    dh_buf_init(&b, DH_BOX_COMMAND);
    if (strcmp(type, "cloud_file") == 0) {
        char *data = NULL, *path = local_file(t, text_of(g, "path"));
        size_t len;
        st = path ? dh_file_read(path, MAX_GOT, &data, &len) : DH_ERR_NOTFOUND;
        if (st)
            failed(d, st, "%.200s, what is expected", text_of(g, "path"));
        else
            dh_buf_put(out, data, len);
        dh_big_free(data);
        dh_free(path);
    } else if (strcmp(type, "accessibility_tree") == 0) {
        st = dh_box_call(d->box, print_tree, 2 * TREE_S, out, &status);
        // What is only known in part proves nothing.
        *there = status == 0;
    } else if (strcmp(type, "vm_screen_size") == 0) {
        st = in_room(d,
                     "xdotool getdisplaygeometry | sed 's/\\(.*\\) \\(.*\\)/"
                     "{\"width\": \\1, \"height\": \\2}/'",
                     -1, until_ns, out, &status);
    } else {
        getter_command(g, &b);
        st = in_room(d, dh_buf_text(&b), -1, until_ns, out, &status);
        *there = strcmp(type, "vm_command_line") == 0 || status == 0;
    }
    dh_buf_finish(&b);
    return st;
}

static enum dh_status one_metric(struct dh_task_desk *d,
                                 const struct dh_task *t, int i,
                                 int64_t until_ns, double *score)
{
    const struct dh_json *e = t->evaluator;
    const struct dh_json *result = dh_task_nth(dh_json_find(e, "result"), i);
    const struct dh_json *expected =
        dh_task_nth(dh_json_find(e, "expected"), i);
    struct dh_buf got, file;
    bool there, there_too = true;
    dh_buf_init(&got, MAX_GOT);
    dh_buf_init(&file, MAX_GOT);
    enum dh_status st = get(d, t, result, until_ns, &got, &there);
    if (!st)
        st = get(d, t, expected, until_ns, &file, &there_too);
    *score = 0;
    if (!st && there && there_too)
        *score = dh_task_judge(
            dh_json_text(dh_task_nth(dh_json_find(e, "func"), i)),
            (struct dh_str){ dh_buf_text(&got), got.len }, expected,
            (struct dh_str){ dh_buf_text(&file), file.len },
            dh_task_nth(dh_json_find(e, "options"), i));
    dh_buf_finish(&got);
    dh_buf_finish(&file);
    return st;
}

static enum dh_status score_once(struct dh_task_desk *d,
                                 const struct dh_task *t, int64_t until_ns,
                                 double *out)
{
    const struct dh_json *func = dh_json_find(t->evaluator, "func");
    bool any = strcmp(text_of(t->evaluator, "conj"), "or") == 0;
    int n = dh_json_kind(func) == DH_JSON_ARRAY ? (int)dh_json_count(func) : 1;
    double sum = 0, best = 0;
    for (int i = 0; i < n; i++) {
        double s;
        enum dh_status st = one_metric(d, t, i, until_ns, &s);
        if (st)
            return st;
        if (any ? s >= 1 : s <= 0) {
            *out = any ? 1 : 0;
            return DH_OK;
        }
        sum += s;
        best = DH_MAX(best, s);
    }
    *out = any ? best : sum / n;
    return DH_OK;
}

enum dh_status dh_task_desk_score(struct dh_task_desk *d,
                                  const struct dh_task *t, bool declined,
                                  int64_t acted_ns, int64_t until_ns,
                                  double *score)
{
    double s = 0;
    enum dh_status st = DH_OK;
    if (t->infeasible || declined) {
        *score = t->infeasible && declined;
        return DH_OK;
    }
    st = dh_task_desk_setup(d, t, dh_json_find(t->evaluator, "postconfig"),
                            until_ns);
    // A program may still be writing its file.
    int64_t again = acted_ns + 1500 * DH_MS;
    do {
        if (!st)
            st = score_once(d, t, until_ns, &s);
        if (st || s >= 1)
            break;
        dh_sleep_for(150 * DH_MS);
    } while (dh_now_ns() < again);
    if (!st)
        *score = s;
    return st;
}
