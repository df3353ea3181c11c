/*
 * agent/eval_result.h - what one question of an evaluation came to, as a line
 * of results.jsonl (benchmarks.md 7.3).
 *
 * A folder of results holds results.jsonl, one line an item, appended and
 * flushed as items end, and run.json, what was run on what. Everything that is
 * ever reported is computed from these. A later line of the same item, model,
 * method and trial replaces an earlier one.
 */
#ifndef DH_AGENT_EVAL_RESULT_H
#define DH_AGENT_EVAL_RESULT_H

#include <stddef.h>
#include <stdint.h>

#include "actions/parse.h"
#include "agent/eval_item.h"

struct dh_buf;

enum dh_eval_error {
    DH_EVAL_ERROR_NONE,
    DH_EVAL_ERROR_FORMAT,   /* the answer names no point, or cannot be read */
    DH_EVAL_ERROR_REFUSED,  /* the model declined */
    DH_EVAL_ERROR_TIMEOUT,  /* no answer, or no end of the task, in time */
    DH_EVAL_ERROR_ENDPOINT, /* the server failed; not the model's doing */
    DH_EVAL_ERROR_SETUP,    /* picture or task could not be set up */
    DH_EVAL_ERROR_INVALID,  /* the task fails its own check */
    DH_EVAL_ERROR_COUNT
};
const char *dh_eval_error_name(enum dh_eval_error e);
/* Nothing can be said of the model: left out of every score, always counted. */
bool dh_eval_error_is_void(enum dh_eval_error e);

/* Texts are owned, NULL where there is nothing. -1: not known. */
struct dh_eval_result {
    struct dh_eval_item item;
    char *set, *model, *method; /* method: "point", "zoom", "task", ... */
    uint64_t seed;
    int trial; /* from 1 */
    /* How the answer is to be read. */
    enum dh_coord coord;
    struct dh_size sent;
    char *prompt;        /* hash of the instructions */
    char *raw;           /* the whole answer */
    char *reasoning;     /* where the answer's text was empty */
    struct dh_rect crop; /* zoom: what was shown; empty: the whole picture */
    bool has_first;
    double first[2]; /* zoom: the answer before it */
    /* Of the answer. */
    bool has_point;
    double point[2]; /* pixels of the picture */
    bool hit;
    double score; /* 0..1 */
    /* A web page's own: -1..1, and less the longer it took, where it says so.
     */
    bool has_reward;
    double reward, reward_timed;
    double gap_px;
    enum dh_eval_error error;
    char *note; /* what went wrong, for people */
    /* Of a task: how the agent ended: "done", "fail", "limit", "timeout",
     * "budget", ... With "done" and no hit it claimed success falsely. */
    char *end;
    int steps, steps_reference;                   /* 0: unknown */
    double ms_model, ms_act, ms_settle, ms_first; /* ms_first: to first act */
    double ms_wall, ms_setup,
        ms_run; /* a try as a whole; its task's set-up, and
                 * the agent's own time; -1: unknown */
    int64_t tokens_in, tokens_cached, tokens_out, image_tokens;
    double cost;
    char *session; /* path of the session's folder, as from the results' */
};

void dh_eval_result_finish(struct dh_eval_result *r);
/* One object, no line end. */
void dh_eval_result_json(const struct dh_eval_result *r, struct dh_buf *out);
DH_MUST_USE bool dh_eval_result_read(struct dh_eval_result *out,
                                     const char *line, size_t len,
                                     struct dh_diag *diag);

/* ---- the file ---- */

struct dh_eval_log;
/* Opens or goes on with DIR/results.jsonl; a torn last line is cut off. Logs
 * what fails. */
DH_MUST_USE enum dh_status dh_eval_log_open(struct dh_eval_log **out,
                                            const char *dir);
/* Any thread. The line is with the system when it returns. */
DH_MUST_USE enum dh_status dh_eval_log_add(struct dh_eval_log *log,
                                           const struct dh_eval_result *r);
/* NULL is allowed. */
void dh_eval_log_close(struct dh_eval_log *log);

struct dh_eval_results {
    struct dh_eval_result *v;
    int n;
    int bad_lines; /* could not be read; the first is named in the log */
    int *slot;     /* a hash table of indices into v, -1: free */
    size_t n_slots;
};
/* DIR/results.jsonl; where there is none, n is 0. */
DH_MUST_USE enum dh_status dh_eval_results_read(struct dh_eval_results *out,
                                                const char *dir);
void dh_eval_results_finish(struct dh_eval_results *rs);
/* NULL where there is none. */
const struct dh_eval_result *
dh_eval_results_find(const struct dh_eval_results *rs, const char *id,
                     const char *model, const char *method, int trial);

/* ---- run.json ---- */

struct dh_eval_run {
    const char *command;          /* the command line */
    const char *set, *path;       /* format and where its data is */
    const char *pictures;         /* the folder that images are named from */
    const char *model, *endpoint; /* endpoint: its address, or NULL */
    const char *model_hash;       /* of a checkpoint's files, or NULL */
    const char *sampling;         /* one JSON object, or NULL */
    const char *const *data;      /* annotation files, hashed into it */
    int n_data;
    const char *started, *ended; /* RFC 3339; ended NULL: not yet */
    const char *counts;          /* one JSON object, or NULL */
};
/* Whole or not at all; written at the start and again at the end. */
DH_MUST_USE enum dh_status dh_eval_run_write(const char *dir,
                                             const struct dh_eval_run *run);

#endif
