#include <dirent.h>
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

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "tools/app.h"
#include "tools/eval_report.h"
#include "tools/task_report.h"
#include "tools/task_trial.h"

#define DH_LOG_TAG "tasks"
#include "base/log.h"

#define MAX_JOBS         32
#define MAX_TASKS        10000
// How a trial's process says what ends the whole run.
#define EXIT_CANCELLED   40
#define EXIT_UNSUPPORTED 41

struct tasks_options {
    const char *script, *out, *resume, *screen;
    int max_steps, trials, jobs, setup_seconds;
    double max_seconds;
    bool noop, oracle, check, video;
};

static const struct dh_opt tasks_opts[] = {
    { "max-steps", 'n', DH_OPT_INT, offsetof(struct tasks_options, max_steps),
      "N", "Stop after so many answers, unless a task says less (default: 30)",
      1, 10000, NULL },
    { "max-seconds", 0, DH_OPT_DOUBLE,
      offsetof(struct tasks_options, max_seconds), "N",
      "Ask nothing more after so many seconds of a task, unless it says "
      "otherwise (default: 900)",
      1, 86400, NULL },
    { "setup-seconds", 0, DH_OPT_INT,
      offsetof(struct tasks_options, setup_seconds), "N",
      "A set-up that takes longer has failed (default: 90)", 1, 3600, NULL },
    { "trials", 'k', DH_OPT_INT, offsetof(struct tasks_options, trials), "K",
      "Try each task so often (default: 1)", 1, 1000, NULL },
    { "jobs", 'j', DH_OPT_INT, offsetof(struct tasks_options, jobs), "N",
      "Desktops at once (default: 1)", 1, MAX_JOBS, NULL },
    { "screen", 0, DH_OPT_TEXT, offsetof(struct tasks_options, screen), "WxH",
      "Size of the desktops (default: 1024x768)", 0, 0, NULL },
    { "script", 0, DH_OPT_TEXT, offsetof(struct tasks_options, script), "FILE",
      "Take answers from a file, one action a line, in place of a model", 0, 0,
      NULL },
    { "noop", 0, DH_OPT_BOOL, offsetof(struct tasks_options, noop), NULL,
      "Do nothing in place of a model: a task that passes so is invalid", 0, 0,
      NULL },
    { "oracle", 0, DH_OPT_BOOL, offsetof(struct tasks_options, oracle), NULL,
      "Play each task's own solution: a task that fails so is invalid", 0, 0,
      NULL },
    { "check", 0, DH_OPT_BOOL, offsetof(struct tasks_options, check), NULL,
      "Read the tasks, show the commands that they would run, run none", 0, 0,
      NULL },
    { "video", 0, DH_OPT_BOOL, offsetof(struct tasks_options, video), NULL,
      "Put a video into each session folder", 0, 0, NULL },
    { "out", 'o', DH_OPT_TEXT, offsetof(struct tasks_options, out), "DIR",
      "New folder for results and sessions (default: one beside what is kept "
      "from run to run)",
      0, 0, NULL },
    { "resume", 0, DH_OPT_TEXT, offsetof(struct tasks_options, resume), "DIR",
      "Go on with the run in this folder; what it knows of invalid tasks "
      "counts",
      0, 0, NULL },
    { 0 },
};

struct item {
    struct dh_task task;
    char *path;
};

/* A trial that runs in a process of its own. */
struct job {
    pid_t pid; // 0: free
    int fd;
    int item, trial;
    enum dh_trial_mode mode;
    int64_t begin_ns;
    struct dh_buf said;
};

struct tasks {
    struct tasks_options o;
    struct dh_model_opts model;
    struct dh_app_options app;
    struct dh_size screen;
    struct dh_opt_set agent[2];
    char *dir, *fonts;
    const char *name, *set; // of the model and the set
    struct item *item;
    int n, n_unsupported, n_bad;
    char **file;
    int n_files;
    struct dh_eval_results before;
    struct dh_eval_log *log;
    struct job job[MAX_JOBS];
    struct dh_buf command;
    char started[32];
    double *up_ms;
    int n_up, done, total, n_setup;
    enum dh_status failed; // what ended the run
};

// ---- the tasks
// -----------------------------------------------------------------

static void add_file(struct tasks *t, const char *path)
{
    if (t->n_files == MAX_TASKS)
        return;
    if (!t->file)
        dh_array(t->file, MAX_TASKS);
    t->file[t->n_files++] = dh_strdup(path);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

// OSWorld keeps a folder for each domain.
static void add_folder(struct tasks *t, const char *dir, int depth)
{
    struct dirent **e = NULL;
    int n = scandir(dir, &e, NULL, by_name);
    for (int i = 0; i < n; i++) {
        char *path = dh_path_join(dir, e[i]->d_name);
        if (e[i]->d_name[0] != '.' && depth < 4 && dh_path_is_dir(path))
            add_folder(t, path, depth + 1);
        else if (dh_str_ends(dh_str_of(e[i]->d_name), ".json") &&
                 strncmp(e[i]->d_name, "test_", 5) != 0)
            add_file(t, path);
        dh_free(path);
        free(e[i]); // allowed: scandir's own memory
    }
    free(e); // allowed: scandir's own memory
}

static bool is_known(const struct tasks *t, const char *id)
{
    for (int i = 0; i < t->n; i++)
        if (strcmp(t->item[i].task.id, id) == 0)
            return true;
    return false;
}

static void say(struct tasks *t, const char *path, const char *what,
                const char *why)
{
    FILE *to = t->app.json ? stderr : stdout;
    fprintf(to, "%s  ", what);
    dh_app_print(to, path);
    fputs(": ", to);
    dh_app_print(to, why);
    fputc('\n', to);
}

static void read_tasks(struct tasks *t)
{
    struct dh_task_options o = { t->screen, (uint64_t)t->model.seed };
    dh_array(t->item, (size_t)t->n_files);
    for (int i = 0; i < t->n_files; i++) {
        struct dh_diag diag = { 0 };
        struct dh_task task;
        if (dh_task_read(&task, t->file[i], &o, &diag)) {
            say(t, t->file[i], "not a task", diag.text);
            t->n_bad++;
        } else if (task.unsupported) {
            say(t, t->file[i], "unsupported", task.unsupported);
            t->n_unsupported++;
            dh_task_finish(&task);
        } else if (is_known(t, task.id)) {
            say(t, t->file[i], "not a task", "another one has its id");
            t->n_bad++;
            dh_task_finish(&task);
        } else {
            t->item[t->n++] = (struct item){ task, t->file[i] };
        }
    }
}

static bool find_tasks(struct tasks *t, char **operand, int n)
{
    char *own = dh_app_asset("tasks");
    for (int i = 0; i < DH_MAX(n, 1); i++) {
        const char *path = n ? operand[i] : own;
        if (!path || !dh_path_exists(path)) {
            fprintf(stderr, "deskhand eval: no such folder or file: %s\n",
                    path ? path : "tasks");
            dh_free(own);
            return false;
        }
        if (dh_path_is_dir(path))
            add_folder(t, path, 0);
        else
            add_file(t, path);
    }
    dh_free(own);
    read_tasks(t);
    return true;
}

static void print_check(struct tasks *t)
{
    struct dh_buf out;
    struct dh_json_writer w;
    for (int i = 0; i < t->n; i++) {
        const struct dh_task *task = &t->item[i].task;
        dh_buf_init(&out, 8 << 20);
        if (t->app.json) {
            struct dh_buf commands;
            dh_buf_init(&commands, 4 << 20);
            dh_task_commands(task, &commands);
            dh_jw_init(&w, &out);
            dh_jw_object(&w, NULL);
            dh_jw_text(&w, "id", task->id);
            dh_jw_text(&w, "domain", task->domain);
            dh_jw_text(&w, "instruction", task->instruction);
            dh_jw_bool(&w, "feasible", !task->infeasible);
            dh_jw_text(&w, "commands", dh_buf_text(&commands));
            dh_jw_end_object(&w);
            puts(dh_buf_text(&out));
            dh_buf_finish(&commands);
        } else {
            printf("== %s\n", task->id);
            dh_app_print(stdout, task->instruction);
            puts("");
            dh_task_commands(task, &out);
            // Line by line, since a line end is one of the things it hides.
            for (char *at = out.data, *line; (line = strsep(&at, "\n"));) {
                if (!*line)
                    continue;
                fputs("    ", stdout);
                dh_app_print(stdout, line);
                puts("");
            }
        }
        dh_buf_finish(&out);
    }
    if (!t->app.json)
        printf("%d tasks, %d unsupported, %d that are none\n", t->n,
               t->n_unsupported, t->n_bad);
}

// ---- a trial
// --------------------------------------------------------------------

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
static const char *model_of(const struct tasks *t, enum dh_trial_mode mode)
{
    return mode == DH_TRIAL_AGENT ? t->name : "none";
}

static void describe(const struct tasks *t, const struct job *j,
                     struct dh_eval_result *r)
{
    const struct dh_task *task = &t->item[j->item].task;
    r->item.id = dh_strdup(task->id);
    r->item.instruction = dh_strdup(task->instruction);
    dh_eval_tags_add(&r->item.tags, "domain", task->domain);
    dh_eval_tags_add(&r->item.tags, "level", task->level);
    dh_eval_tags_add(&r->item.tags, "feasible",
                     task->infeasible ? "no" : "yes");
    r->item.size = t->screen;
    r->set = dh_strdup(t->set);
    r->model = dh_strdup(model_of(t, j->mode));
    r->method = dh_strdup(method_of(j->mode));
    r->seed = (uint64_t)t->model.seed;
    r->trial = j->trial;
    r->gap_px = -1;
    r->image_tokens = -1;
    r->steps_reference = dh_task_reference(task);
}

static _Noreturn void be_trial(const struct tasks *t, const struct job *j,
                               int slot, int fd)
{
    const struct dh_task *task = &t->item[j->item].task;
    struct dh_eval_result r = { 0 };
    struct dh_buf out;
    double up_ms;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0); // Ctrl-C is for our parent, who tells us
    struct dh_trial_options o = {
        .mode = j->mode,
        .desk = { t->screen, slot, t->fonts, task->reads_tree },
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
        dh_buf_printf(&out, "%s/sessions/%s-%d", t->dir, task->id, j->trial);
        r.session = dh_strdup(dh_buf_text(&out));
        dh_buf_clear(&out);
        o.session = r.session;
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

static void start(struct tasks *t, struct job *j, int slot)
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
        for (int i = 0; i < MAX_JOBS; i++)
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

static void print_result(struct tasks *t, const struct job *j,
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
    fprintf(to, " %5.1f s, desktop up in %.2f s", //
            (double)(dh_now_ns() - j->begin_ns) / 1e9, up_ms / 1e3);
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
static void keep_result(struct tasks *t, struct job *j, int status)
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

static void end(struct tasks *t, struct job *j)
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
static bool tend(struct tasks *t, bool *told)
{
    struct pollfd p[MAX_JOBS];
    int slot[MAX_JOBS], n = 0;
    for (int i = 0; i < MAX_JOBS; i++)
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
        struct job *j = &t->job[slot[i]];
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

// ---- all trials
// -------------------------------------------------------------------

static bool is_done(const struct tasks *t, const struct job *j)
{
    const struct dh_eval_result *r = dh_eval_results_find(
        &t->before, t->item[j->item].task.id, model_of(t, j->mode),
        method_of(j->mode), j->trial);
    return r && r->error != DH_EVAL_ERROR_ENDPOINT &&
           r->error != DH_EVAL_ERROR_SETUP;
}

// An invalid task is not tried, and said to be so.
static bool is_invalid(struct tasks *t, const struct job *j)
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

static struct job *free_job(struct tasks *t, bool *told)
{
    for (;;) {
        for (int i = 0; i < t->o.jobs; i++)
            if (!t->job[i].pid)
                return &t->job[i];
        tend(t, told);
    }
}

static void run_mode(struct tasks *t, enum dh_trial_mode mode, bool *told)
{
    int trials = mode == DH_TRIAL_AGENT ? t->o.trials : 1;
    for (int trial = 1; trial <= trials; trial++) {
        for (int i = 0; i < t->n; i++) {
            struct job *j = free_job(t, told);
            if (t->failed || dh_cancel_is_set(dh_app_cancel()))
                return;
            *j = (struct job){ .item = i, .trial = trial, .mode = mode };
            if (!is_done(t, j) && !is_invalid(t, j))
                start(t, j, (int)(j - t->job));
        }
    }
}

static int count_left(const struct tasks *t, enum dh_trial_mode mode,
                      int trials)
{
    int n = 0;
    for (int i = 0; i < t->n; i++)
        for (int trial = 1; trial <= trials; trial++) {
            struct job j = { .item = i, .trial = trial, .mode = mode };
            n += !is_done(t, &j);
        }
    return n;
}

static enum dh_status write_run(struct tasks *t, bool ended)
{
    struct dh_buf counts;
    char now[32];
    dh_buf_init(&counts, 4096);
    dh_buf_printf(&counts,
                  "{\"tasks\":%d,\"unsupported\":%d,\"not_tasks\":%d,"
                  "\"trials\":%d,\"done\":%d,\"setup_errors\":%d,"
                  "\"screen\":\"%dx%d\",\"max_steps\":%d}",
                  t->n, t->n_unsupported, t->n_bad, t->o.trials, t->done,
                  t->n_setup, t->screen.w, t->screen.h, t->o.max_steps);
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

static void print_desktops(struct tasks *t)
{
    if (!t->n_up || t->app.json)
        return;
    dh_eval_sort(t->up_ms, t->n_up);
    printf("a desktop was up in %.2f s (median of %d; at most %.2f s)\n",
           dh_eval_quantile(t->up_ms, t->n_up, 0.5) / 1e3, t->n_up,
           t->up_ms[t->n_up - 1] / 1e3);
    if (t->n_setup * 20 > t->done)
        printf("%d of %d could not be set up: this is no result\n", t->n_setup,
               t->done);
}

static enum dh_status run_all(struct tasks *t)
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

static bool make_dir(struct tasks *t)
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
        dh_buf_printf(&path, "/eval/tasks-%s", now);
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

// ---- the command
// -------------------------------------------------------------------

static bool take_screen(struct tasks *t)
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

static void finish(struct tasks *t)
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

static int run_tasks(struct tasks *t)
{
    if (t->o.check) {
        print_check(t);
        return t->n_bad ? DH_EXIT_FAILED : DH_EXIT_OK;
    }
    if (!t->n) {
        fputs("deskhand eval: there is no task that can be run\n", stderr);
        return DH_EXIT_FAILED;
    }
    if (!make_dir(t))
        return DH_EXIT_FAILED;
    t->fonts = dh_app_asset("demo/fonts.conf");
    enum dh_status st = run_all(t);
    if (st == DH_ERR_CANCELLED)
        fprintf(stderr, "deskhand eval: stopped; --resume %s goes on\n",
                t->dir);
    return dh_app_exit(st);
}

static int run(int argc, char **argv)
{
    struct tasks t = { .o = { .max_steps = 30,
                              .trials = 1,
                              .jobs = 1,
                              .max_seconds = 900,
                              .setup_seconds = 90 },
                       .app = DH_APP_DEFAULTS };
    struct dh_opt_set sets[] = { { tasks_opts, &t.o },
                                 { dh_model_opt_table, &t.model },
                                 { dh_app_opts, &t.app },
                                 { 0 } };
    int n, status;
    dh_buf_init(&t.command, 1 << 16);
    dh_eval_report_command(&t.command, "eval tasks", argc, argv);
    if (!dh_app_parse(&dh_cmd_eval_tasks, sets, &t.app, argc, argv, &n,
                      &status)) {
        finish(&t);
        return status;
    }
    t.agent[0] = (struct dh_opt_set){ dh_model_opt_table, &t.model };
    t.name = t.o.script           ? "script"
             : t.model.model_name ? t.model.model_name
             : t.model.model      ? t.model.model
                                  : "sprout";
    t.set = n ? "tasks" : "deskhand-tasks";
    dh_time_text(dh_realtime_ns(), t.started);
    dh_app_cancel();
    if (!take_screen(&t))
        status = dh_app_usage(&dh_cmd_eval_tasks,
                              "--screen is a size such as 1280x800");
    else if (!find_tasks(&t, argv + 1, n))
        status = DH_EXIT_FAILED;
    else
        status = run_tasks(&t);
    finish(&t);
    return status;
}

const struct dh_command dh_cmd_eval_tasks = {
    "eval tasks",
    "[DIR|FILE...]",
    "Let a model do live tasks, each on a desktop of its own",
    "  deskhand eval tasks --noop --oracle     are the tasks any good?\n"
    "  deskhand eval tasks --jobs 2            the tasks that come along\n"
    "  deskhand eval tasks --model URL --trials 3 OSWorld/examples/os\n"
    "\n"
    "Reads OSWorld's task files, in a subset; others are listed as\n"
    "unsupported and never scored. Each task has an X server, a window "
    "manager,\n"
    "a bus and an empty home of its own, in namespaces without a network, "
    "with\n"
    "limits on memory, processes, files and time. Its commands run nowhere\n"
    "else: your own display is never touched, and where the kernel allows no\n"
    "such room nothing is run. OUT holds results.jsonl, run.json and a "
    "session\n"
    "folder for each try; `deskhand eval score OUT` counts again.",
    { tasks_opts, dh_model_opt_table, dh_app_opts },
    run,
};
