/*
 * tools/task_trial.h - one try at a task, from a bare desktop to a score, in
 * this process. Start it in a child: it forks without exec.
 */
#ifndef DH_TOOLS_TASK_TRIAL_H
#define DH_TOOLS_TASK_TRIAL_H

#include "agent/eval_result.h"
#include "agent/task_desk.h"
#include "base/opts.h"

struct dh_cancel;

/* A page of MiniWoB's form, with a seed. */
struct dh_web_case {
    const char *page;          /* "click-test" */
    const char *root, *folder; /* the page is root/folder/page.html */
    const char *solutions;     /* file of the oracle's script */
    int64_t seed;
    int scale;  /* screen pixels for a CSS pixel */
    bool timed; /* the page's limit of time stays */
};

enum dh_trial_mode {
    DH_TRIAL_AGENT,
    DH_TRIAL_NOOP,   /* nobody does anything */
    DH_TRIAL_ORACLE, /* the task's own solution */
};

struct dh_trial_options {
    enum dh_trial_mode mode;
    struct dh_task_desk_options desk;
    const struct dh_opt_set *agent; /* options that `run` gets as well */
    const struct dh_web_case *web;  /* in place of the task's own set-up */
    const char *script;             /* answers in place of a model, or NULL */
    const char *session;            /* the agent's folder, or NULL: none */
    int max_steps;
    double timeout_s; /* of the agent */
    int setup_s;      /* of what comes before it */
    bool video;
    struct dh_cancel *cancel;
    /* The agent is stopped where this says so; may be NULL. */
    bool (*is_over)(void *with);
    void *with;
};

/*
 * Fills what the trial finds out: score, end, error, times, tokens; the rest is
 * the caller's. *up_ms is how long the desktop took, 0: it never came.
 * DH_ERR_CANCELLED, DH_ERR_UNSUPPORTED end a whole run; nothing else is left of
 * it in any case.
 */
DH_MUST_USE enum dh_status dh_trial_run(const struct dh_task *t,
                                        const struct dh_trial_options *o,
                                        struct dh_eval_result *r,
                                        double *up_ms);

/* The agent alone, on that display, as far as its end. */
DH_MUST_USE enum dh_status dh_trial_agent(const struct dh_task *t,
                                          const struct dh_trial_options *o,
                                          int display,
                                          struct dh_eval_result *r);
/* dh_trial_run of a web page; the task has no instruction yet. */
DH_MUST_USE enum dh_status dh_web_trial_run(const struct dh_task *t,
                                            const struct dh_trial_options *o,
                                            struct dh_eval_result *r,
                                            double *up_ms);

#endif
