#include "tools/task_run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "tools/task_report.h"

#define DH_LOG_TAG "tasks"
#include "base/log.h"

// How a trial's process says what ends the whole run.
#define EXIT_CANCELLED   40
#define EXIT_UNSUPPORTED 41

const struct dh_opt dh_tasks_opts[] = {
    { "max-steps", 'n', DH_OPT_INT,
      offsetof(struct dh_tasks_options, max_steps), "N",
      "Stop after so many answers, unless a task says less (default: 30)", 1,
      10000, NULL },
    { "max-seconds", 0, DH_OPT_DOUBLE,
      offsetof(struct dh_tasks_options, max_seconds), "N",
      "Ask nothing more after so many seconds of a task, unless it says "
      "otherwise (default: 900)",
      1, 86400, NULL },
    { "setup-seconds", 0, DH_OPT_INT,
      offsetof(struct dh_tasks_options, setup_seconds), "N",
      "A set-up that takes longer has failed (default: 90)", 1, 3600, NULL },
    { "trials", 'k', DH_OPT_INT, offsetof(struct dh_tasks_options, trials), "K",
      "Try each task so often (default: 1)", 1, 1000, NULL },
    { "jobs", 'j', DH_OPT_INT, offsetof(struct dh_tasks_options, jobs), "N",
      "Desktops at once (default: 1)", 1, DH_TASKS_JOBS, NULL },
    { "screen", 0, DH_OPT_TEXT, offsetof(struct dh_tasks_options, screen),
      "WxH", "Size of the desktops (default: 1024x768)", 0, 0, NULL },
    { "script", 0, DH_OPT_TEXT, offsetof(struct dh_tasks_options, script),
      "FILE",
      "Take answers from a file, one action a line, in place of a model", 0, 0,
      NULL },
    { "noop", 0, DH_OPT_BOOL, offsetof(struct dh_tasks_options, noop), NULL,
      "Do nothing in place of a model: a task that passes so is invalid", 0, 0,
      NULL },
    { "oracle", 0, DH_OPT_BOOL, offsetof(struct dh_tasks_options, oracle), NULL,
      "Play each task's own solution: a task that fails so is invalid", 0, 0,
      NULL },
    { "video", 0, DH_OPT_BOOL, offsetof(struct dh_tasks_options, video), NULL,
      "Put a video into each session folder", 0, 0, NULL },
    { "out", 'o', DH_OPT_TEXT, offsetof(struct dh_tasks_options, out), "DIR",
      "New folder for results and sessions (default: one beside what is kept "
      "from run to run)",
      0, 0, NULL },
    { "resume", 0, DH_OPT_TEXT, offsetof(struct dh_tasks_options, resume),
      "DIR",
      "Go on with the run in this folder; what it knows of invalid tasks "
      "counts",
      0, 0, NULL },
    { 0 },
};

void dh_tasks_add_file(struct dh_tasks *t, const char *path)
{
    if (t->n_files == DH_TASKS_MAX)
        return;
    if (!t->file)
        dh_array(t->file, DH_TASKS_MAX);
    t->file[t->n_files++] = dh_strdup(path);
}

const char *dh_tasks_model(const struct dh_tasks *t)
{
    return t->o.script           ? "script"
           : t->model.model_name ? t->model.model_name
           : t->model.model      ? t->model.model
                                 : "sprout";
}

bool dh_tasks_screen(struct dh_tasks *t)
{
    struct dh_str s = dh_str_of(t->o.screen ? t->o.screen : "1024x768");
    ptrdiff_t x = dh_str_find(s, "x", 0);
    int64_t w, h;
    if (x < 0 || !dh_parse_i64(dh_str_sub(s, 0, (size_t)x), &w) ||
        !dh_parse_i64(dh_str_sub(s, (size_t)x + 1, s.n), &h) || w < 320 ||
        h < 240 || w > 7680 || h > 4320)
        return false;
    t->screen = (struct dh_size){ (int)w, (int)h };
    return true;
}

// ---- a trial ----

static const char *method_of(enum dh_trial_mode mode)
{
    switch (mode) {
    case DH_TRIAL_NOOP: return DH_TASK_METHOD_NOOP;
    case DH_TRIAL_ORACLE: return DH_TASK_METHOD_ORACLE;
    case DH_TRIAL_AGENT: break;
    }
    return DH_TASK_METHOD_AGENT;
}

// Noop and oracle are of the task alone.
static const char *model_of(const struct dh_tasks *t, enum dh_trial_mode mode)
{
    return mode == DH_TRIAL_AGENT ? t->name : "none";
}

static void describe(const struct dh_tasks *t, const struct dh_tasks_job *j,
                     struct dh_eval_result *r)
{
    const struct dh_task *task = &t->item[j->item].task;
    r->item.id = dh_strdup(task->id);
    // A web page says what it wants when it has been started.
    r->item.instruction = dh_strdup(task->instruction ? task->instruction : "");
    dh_eval_tags_add(&r->item.tags, t->domain, task->domain);
    dh_eval_tags_add(&r->item.tags, "level", task->level);
    dh_eval_tags_add(&r->item.tags, "feasible",
                     task->infeasible ? "no" : "yes");
    r->item.size = t->screen;
    r->set = dh_strdup(t->set);
    r->model = dh_strdup(model_of(t, j->mode));
    r->method = dh_strdup(method_of(j->mode));
    r->seed = t->item[j->item].web.page ? (uint64_t)t->item[j->item].web.seed
                                        : (uint64_t)t->model.seed;
    r->trial = j->trial;
    r->gap_px = -1;
    r->image_tokens = -1;
    r->steps_reference = dh_task_reference(task);
}

static _Noreturn void be_trial(const struct dh_tasks *t,
                               const struct dh_tasks_job *j, int slot, int fd)
{
    const struct dh_task *task = &t->item[j->item].task;
    struct dh_eval_result r = { 0 };
    struct dh_buf out;
    double up_ms;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0); // Ctrl-C is for our parent, who tells us
    struct dh_trial_options o = {
        .mode = j->mode,
        .desk = { .screen = t->screen,
                  .slot = slot,
                  .fonts = t->fonts,
                  .a11y = task->reads_tree,
                  .shown = t->item[j->item].web.root },
        .web = t->item[j->item].web.page ? &t->item[j->item].web : NULL,
        .agent = t->agent,
        .script = t->o.script,
        .max_steps = task->max_steps ? DH_MIN(task->max_steps, t->o.max_steps)
                                     : t->o.max_steps,
        .timeout_s = task->timeout_s > 0 ? task->timeout_s : t->o.max_seconds,
        .setup_s = t->o.setup_seconds,
        .video = t->o.video,
        .cancel = dh_app_cancel(),
    };
    dh_buf_init(&out, 8 << 20);
    describe(t, j, &r);
    if (j->mode == DH_TRIAL_AGENT) {
        dh_buf_printf(&out, "sessions/%s-%d", task->id, j->trial);
        r.session = dh_strdup(dh_buf_text(&out));
        dh_buf_clear(&out);
        o.session = dh_path_join(t->dir, r.session);
    }
    enum dh_status st = dh_trial_run(task, &o, &r, &up_ms);
    dh_buf_printf(&out, "%.3f\n", up_ms);
    dh_eval_result_json(&r, &out);
    dh_eval_result_finish(&r);
    for (size_t at = 0; at < out.len;) {
        ssize_t n = write(fd, out.data + at, out.len - at);
        if (n <= 0)
            break;
        at += (size_t)n;
    }
    dh_buf_finish(&out);
    _exit(st == DH_ERR_CANCELLED     ? EXIT_CANCELLED
          : st == DH_ERR_UNSUPPORTED ? EXIT_UNSUPPORTED
                                     : 0);
}

static void start(struct dh_tasks *t, struct dh_tasks_job *j, int slot)
{
    int fd[2];
    fflush(NULL);
    if (pipe(fd)) {
        dh_error("pipe: %s", strerror(errno));
        t->failed = DH_ERR_IO;
        return;
    }
    j->begin_ns = dh_now_ns();
    j->pid = fork();
    if (j->pid == 0) {
        for (int i = 0; i < DH_TASKS_JOBS; i++)
            if (i != slot && t->job[i].pid)
                close(t->job[i].fd);
        close(fd[0]);
        be_trial(t, j, slot, fd[1]);
    }
    close(fd[1]);
    j->fd = fd[0];
    dh_buf_init(&j->said, 8 << 20);
    if (j->pid < 0) {
        dh_error("fork: %s", strerror(errno));
        j->pid = 0;
        close(j->fd);
        t->failed = DH_ERR_IO;
    }
}

static void print_result(struct dh_tasks *t, const struct dh_tasks_job *j,
                         const struct dh_eval_result *r, double up_ms)
{
    FILE *to = t->app.json ? stderr : stdout;
    bool spoiled =
        dh_eval_error_is_void(r->error) || r->error == DH_EVAL_ERROR_ENDPOINT;
    fprintf(to, "%4d/%d  %-7s %-6s %-28s", t->done, t->total,
            spoiled  ? "void"
            : r->hit ? "pass"
                     : "fail",
            r->method, r->item.id);
    fprintf(to, " %5.1f s, %s up in %.2f s", //
            dh_seconds_since(j->begin_ns), t->up, up_ms / 1e3);
    if (j->mode == DH_TRIAL_AGENT)
        fprintf(to, ", %d steps, %s", r->steps, r->end ? r->end : "?");
    if (r->note) {
        fputs("; ", to);
        dh_app_print(to, r->note);
    }
    fputc('\n', to);
    fflush(to);
}

// What its process said, or, where it said nothing, that it did not.
static void keep_result(struct dh_tasks *t, struct dh_tasks_job *j, int status)
{
    struct dh_eval_result r = { 0 };
    struct dh_diag diag = { 0 };
    double up_ms = 0;
    const char *text = dh_buf_text(&j->said), *line = strchr(text, '\n');
    if (!line ||
        !dh_parse_double((struct dh_str){ text, (size_t)(line - text) },
                         &up_ms) ||
        !dh_eval_result_read(&r, line + 1, strlen(line + 1), &diag)) {
        r = (struct dh_eval_result){ 0 };
        describe(t, j, &r);
        r.error = DH_EVAL_ERROR_SETUP;
        r.note = dh_strdup(WIFSIGNALED(status) ? "its process was killed"
                                               : "its process said nothing");
    }
    if (up_ms > 0)
        t->up_ms[t->n_up++] = up_ms;
    t->n_setup += r.error == DH_EVAL_ERROR_SETUP;
    t->done++;
    print_result(t, j, &r, up_ms);
    if (dh_eval_log_add(t->log, &r))
        t->failed = DH_ERR_IO;
    dh_eval_result_finish(&r);
}

static void end(struct dh_tasks *t, struct dh_tasks_job *j)
{
    int status = 0;
    while (waitpid(j->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    close(j->fd);
    j->pid = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_CANCELLED)
        t->failed = DH_ERR_CANCELLED;
    else if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_UNSUPPORTED)
        t->failed = DH_ERR_UNSUPPORTED;
    else if (!dh_cancel_is_set(dh_app_cancel()))
        keep_result(t, j, status);
    dh_buf_finish(&j->said);
}

// Waits for any of them; false: none runs.
static bool tend(struct dh_tasks *t, bool *told)
{
    struct pollfd p[DH_TASKS_JOBS];
    int slot[DH_TASKS_JOBS], n = 0;
    for (int i = 0; i < DH_TASKS_JOBS; i++)
        if (t->job[i].pid) {
            p[n] = (struct pollfd){ .fd = t->job[i].fd, .events = POLLIN };
            slot[n++] = i;
        }
    if (!n)
        return false;
    if (dh_cancel_is_set(dh_app_cancel()) && !*told) {
        *told = true;
        for (int i = 0; i < n; i++)
            kill(t->job[slot[i]].pid, SIGTERM);
    }
    if (poll(p, (nfds_t)n, 200) <= 0)
        return true;
    for (int i = 0; i < n; i++) {
        char bytes[65536];
        struct dh_tasks_job *j = &t->job[slot[i]];
        if (!p[i].revents)
            continue;
        ssize_t got = read(j->fd, bytes, sizeof bytes);
        if (got > 0)
            dh_buf_put(&j->said, bytes, (size_t)got);
        else if (got == 0)
            end(t, j);
    }
    return true;
}

// ---- all trials ----

static bool is_done(const struct dh_tasks *t, const struct dh_tasks_job *j)
{
    const struct dh_eval_result *r = dh_eval_results_find(
        &t->before, t->item[j->item].task.id, model_of(t, j->mode),
        method_of(j->mode), j->trial);
    return r && r->error != DH_EVAL_ERROR_ENDPOINT &&
           r->error != DH_EVAL_ERROR_SETUP;
}

// An invalid task is not tried, and said to be so.
static bool is_invalid(struct dh_tasks *t, const struct dh_tasks_job *j)
{
    const char *why = j->mode == DH_TRIAL_AGENT
                          ? dh_task_fault(&t->before, t->item[j->item].task.id)
                          : NULL;
    struct dh_eval_result r = { 0 };
    if (!why)
        return false;
    describe(t, j, &r);
    r.error = DH_EVAL_ERROR_INVALID;
    r.note = dh_strdup(why);
    if (dh_eval_log_add(t->log, &r))
        t->failed = DH_ERR_IO;
    t->done++;
    dh_eval_result_finish(&r);
    return true;
}

static struct dh_tasks_job *free_job(struct dh_tasks *t, bool *told)
{
    for (;;) {
        for (int i = 0; i < t->o.jobs; i++)
            if (!t->job[i].pid)
                return &t->job[i];
        tend(t, told);
    }
}

static void run_mode(struct dh_tasks *t, enum dh_trial_mode mode, bool *told)
{
    int trials = mode == DH_TRIAL_AGENT ? t->o.trials : 1;
    for (int trial = 1; trial <= trials; trial++) {
        for (int i = 0; i < t->n; i++) {
            struct dh_tasks_job *j = free_job(t, told);
            if (t->failed || dh_cancel_is_set(dh_app_cancel()))
                return;
            *j = (struct dh_tasks_job){ .item = i,
                                        .trial = trial,
                                        .mode = mode };
            if (mode == DH_TRIAL_ORACLE && t->item[i].unsolved)
                continue;
            if (!is_done(t, j) && !is_invalid(t, j))
                start(t, j, (int)(j - t->job));
        }
    }
}

static int count_left(const struct dh_tasks *t, enum dh_trial_mode mode,
                      int trials)
{
    int n = 0;
    for (int i = 0; i < t->n; i++)
        for (int trial = 1; trial <= trials; trial++) {
            struct dh_tasks_job j = { .item = i, .trial = trial, .mode = mode };
            n += !(mode == DH_TRIAL_ORACLE && t->item[i].unsolved) &&
                 !is_done(t, &j);
        }
    return n;
}

static enum dh_status write_run(struct dh_tasks *t, bool ended)
{
    struct dh_buf counts;
    char now[32];
    dh_buf_init(&counts, 4096);
    dh_buf_printf(&counts,
                  "{\"tasks\":%d,\"unsupported\":%d,\"not_tasks\":%d,"
                  "\"trials\":%d,\"done\":%d,\"setup_errors\":%d,"
                  "\"screen\":\"%dx%d\",\"max_steps\":%d%s}",
                  t->n, t->n_unsupported, t->n_bad, t->o.trials, t->done,
                  t->n_setup, t->screen.w, t->screen.h, t->o.max_steps,
                  t->counts ? t->counts : "");
    dh_time_text(dh_realtime_ns(), now);
    struct dh_eval_run r = { .command = dh_buf_text(&t->command),
                             .set = t->set,
                             .path = t->n_files ? t->file[0] : NULL,
                             .model = t->name,
                             .endpoint = t->model.endpoint,
                             .data = (const char *const *)t->file,
                             .n_data = t->n_files,
                             .started = t->started,
                             .ended = ended ? now : NULL,
                             .counts = dh_buf_text(&counts) };
    enum dh_status st = dh_eval_run_write(t->dir, &r);
    dh_buf_finish(&counts);
    return st;
}

static void print_desktops(struct dh_tasks *t)
{
    if (!t->n_up || t->app.json)
        return;
    dh_eval_sort(t->up_ms, t->n_up);
    printf("a %s was up in %.2f s (median of %d; at most %.2f s)\n", t->up,
           dh_eval_quantile(t->up_ms, t->n_up, 0.5) / 1e3, t->n_up,
           t->up_ms[t->n_up - 1] / 1e3);
    if (t->n_setup * 20 > t->done)
        printf("%d of %d could not be set up: this is no result\n", t->n_setup,
               t->done);
}

static enum dh_status run_all(struct dh_tasks *t)
{
    struct dh_eval_results rs;
    bool told = false, agent = !t->o.noop && !t->o.oracle;
    t->total = count_left(t, DH_TRIAL_NOOP, t->o.noop) +
               count_left(t, DH_TRIAL_ORACLE, t->o.oracle) +
               count_left(t, DH_TRIAL_AGENT, agent ? t->o.trials : 0);
    dh_array(t->up_ms, (size_t)t->total + 1);
    enum dh_status st = write_run(t, false);
    if (!st)
        st = dh_eval_log_open(&t->log, t->dir);
    if (st)
        return st;
    if (t->o.noop)
        run_mode(t, DH_TRIAL_NOOP, &told);
    if (t->o.oracle)
        run_mode(t, DH_TRIAL_ORACLE, &told);
    if (agent)
        run_mode(t, DH_TRIAL_AGENT, &told);
    while (tend(t, &told))
        continue;
    dh_eval_log_close(t->log);
    st = write_run(t, !t->failed);
    if (dh_cancel_is_set(dh_app_cancel()))
        return DH_ERR_CANCELLED;
    if (t->failed || st)
        return t->failed ? t->failed : st;
    st = dh_eval_results_read(&rs, t->dir);
    if (st)
        return st;
    print_desktops(t);
    dh_task_report(&rs, t->app.json);
    for (int i = 0; i < rs.n && !st && !agent; i++)
        if (dh_task_fault(&rs, rs.v[i].item.id))
            st = DH_ERR_FORMAT;
    dh_eval_results_finish(&rs);
    if (!t->app.json)
        printf("results and sessions: %s\n", t->dir);
    return st;
}

static bool make_dir(struct dh_tasks *t)
{
    struct dh_buf path;
    char now[32];
    dh_buf_init(&path, 8192);
    if (t->o.resume || t->o.out) {
        char *cwd = getcwd(NULL, 0);
        char *full =
            dh_path_join(cwd ? cwd : ".", t->o.resume ? t->o.resume : t->o.out);
        dh_buf_puts(&path, full);
        dh_free(full);
        free(cwd); // allowed: getcwd's own memory
    } else {
        dh_app_state_dir(&path);
        dh_time_text(dh_realtime_ns(), now);
        dh_buf_printf(&path, "/eval/%s-%s", t->set, now);
    }
    t->dir = dh_buf_take(&path);
    char *file = dh_path_join(t->dir, "results.jsonl");
    bool there = dh_path_exists(file);
    dh_free(file);
    if (there != (t->o.resume != NULL)) {
        fprintf(stderr,
                there ? "deskhand eval: %s holds results; --resume goes on "
                        "with them\n"
                      : "deskhand eval: %s holds no results to go on with\n",
                t->dir);
        return false;
    }
    return !dh_path_mkdirs(t->dir) && !dh_eval_results_read(&t->before, t->dir);
}

void dh_tasks_finish(struct dh_tasks *t)
{
    for (int i = 0; i < t->n; i++)
        dh_task_finish(&t->item[i].task);
    for (int i = 0; i < t->n_files; i++)
        dh_free(t->file[i]);
    dh_free(t->item);
    dh_free(t->file);
    dh_free(t->up_ms);
    dh_free(t->dir);
    dh_free(t->fonts);
    dh_eval_results_finish(&t->before);
    dh_buf_finish(&t->command);
}

int dh_tasks_run(struct dh_tasks *t)
{
    if (!t->n) {
        fputs("deskhand eval: there is nothing that can be run\n", stderr);
        return DH_EXIT_FAILED;
    }
    if (!make_dir(t))
        return DH_EXIT_FAILED;
    t->fonts = dh_app_asset("demo/fonts.conf");
    if (t->fonts && !dh_path_exists(t->fonts)) {
        dh_warn("%s is missing: the system's own fonts are used", t->fonts);
        dh_free(t->fonts);
        t->fonts = NULL;
    }
    enum dh_status st = run_all(t);
    if (st == DH_ERR_CANCELLED)
        fprintf(stderr, "deskhand eval: stopped; --resume %s goes on\n",
                t->dir);
    return dh_app_exit(st);
}
