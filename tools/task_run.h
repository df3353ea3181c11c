/*
 * tools/task_run.h - live tasks, each some times: processes at once, results as
 * they come, what is done already, the report. What a task is, is the caller's.
 */
#ifndef DH_TOOLS_TASK_RUN_H
#define DH_TOOLS_TASK_RUN_H

#include <sys/types.h>

#include "base/buf.h"
#include "tools/app.h"
#include "tools/eval_report.h"
#include "tools/task_trial.h"

#define DH_TASKS_JOBS 32
#define DH_TASKS_MAX  10000

struct dh_tasks_options {
    const char *script, *out, *resume, *screen;
    int max_steps, trials, jobs, setup_seconds;
    double max_seconds;
    bool noop, oracle, video;
};
#define DH_TASKS_DEFAULTS                                            \
    {                                                                \
        .max_steps = 30, .trials = 1, .jobs = 1, .max_seconds = 900, \
        .setup_seconds = 90,                                         \
    }
extern const struct dh_opt dh_tasks_opts[];

struct dh_tasks_item {
    struct dh_task task;
    char *path;
    bool unsolved;          /* it has no solution, and needs none */
    struct dh_web_case web; /* of a web page; page NULL: it is none */
};

/* A trial that runs in a process of its own. */
struct dh_tasks_job {
    pid_t pid; // 0: free
    int fd;
    int item, trial;
    enum dh_trial_mode mode;
    int64_t begin_ns;
    struct dh_buf said;
};

/* Zeroed, then filled by the caller as far as "own" below. */
struct dh_tasks {
    struct dh_tasks_options o;
    struct dh_model_opts model;
    struct dh_app_options app;
    struct dh_size screen;
    struct dh_opt_set agent[2];
    const char *name, *set; /* of the model and the set */
    const char *domain;     /* the tag that a task's domain is */
    const char *up;         /* what has to be up before a try begins */
    const char *counts;     /* more members of run.json's counts, or NULL */
    struct dh_tasks_item *item;
    int n, n_unsupported, n_bad;
    char **file; /* what was read, for its hash */
    int n_files;
    struct dh_buf command;
    char started[32];
    /* own */
    char *dir, *fonts;
    struct dh_eval_results before;
    struct dh_eval_log *log;
    struct dh_tasks_job job[DH_TASKS_JOBS];
    double *up_ms;
    int n_up, done, total, n_setup;
    enum dh_status failed; /* what ended the run */
};

/* The name of what decides, by the options. */
const char *dh_tasks_model(const struct dh_tasks *t);
/* The size that --screen says; false: it says none. */
DH_MUST_USE bool dh_tasks_screen(struct dh_tasks *t);
void dh_tasks_add_file(struct dh_tasks *t, const char *path);
/* Runs what is not done yet, prints the report; the exit status. */
int dh_tasks_run(struct dh_tasks *t);
void dh_tasks_finish(struct dh_tasks *t);

#endif
