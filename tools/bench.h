/*
 * tools/bench.h - what a benchmark of the desktop consists of: stages, and in
 * each of them contestants that do the same thing.
 *
 * A round lets every contestant of every stage have its turn, in an order that
 * rotates, so that what else the machine does falls on all of them. Only the
 * ratios of one run mean something.
 */
#ifndef DH_TOOLS_BENCH_H
#define DH_TOOLS_BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/geom.h"
#include "base/status.h"
#include "vision/patches.h"

struct dh_bench_x11;
struct dh_buf;
struct dh_cancel;
struct dh_frame;
struct dh_pool;
struct dh_sink;
struct dh_source;

#define DH_BENCH_MAX_CASES  10
#define DH_BENCH_MAX_NEEDS  4
#define DH_BENCH_MAX_GOALS  4
#define DH_BENCH_MAX_STAGES 12

/* What the contestants work with; made by tools/cmd_bench.c. */
struct dh_bench {
    const char *display;
    const char *dir; /* for files, empty */
    struct dh_cancel *cancel;
    struct dh_bench_x11 *x;
    struct dh_source *screen; /* without the pointer */
    struct dh_source *pointer_screen;
    struct dh_sink *sink;
    struct dh_pool *pool;
    struct dh_size size;
    uint8_t *from, *to;        /* as large as a picture */
    struct dh_frame *seen;     /* the last picture of a step; NULL: none */
    struct dh_patches patches; /* of it */
    bool flip;                 /* the next click goes to the other place */
    pid_t xterm;               /* 0: not started */
    int fifo; /* the lines that its program got; -1: not open */
};

struct dh_bench_sample {
    double ms;
    bool exact; /* the result was right, to the last pixel or character */
};

enum dh_bench_kind {
    DH_BENCH_OURS,
    DH_BENCH_LIMIT, /* the shortest way that there is */
    DH_BENCH_PEER,  /* another program */
    DH_BENCH_OTHER, /* for comparison */
};

struct dh_bench_case {
    const char *name;
    enum dh_bench_kind kind;
    /* False where there is no time to report. */
    bool (*once)(struct dh_bench *b, struct dh_bench_sample *s);
    int reps;                              /* in a round */
    const char *needs[DH_BENCH_MAX_NEEDS]; /* programs */
};

/* One of an array of them; ends with what it needs, or NULL. */
#define DH_BENCH_ROW(kind, name, once, reps, ...) \
    {                                             \
        name, DH_BENCH_##kind, once, reps,        \
        {                                         \
            __VA_ARGS__                           \
        }                                         \
    }

/* The median of ours against that of `against`: at most so many times, or at
 * least so many times faster. */
struct dh_bench_goal {
    const char *against;
    double at_most, at_least; /* one is 0 */
};

/* Arrays end with an entry without a name. */
struct dh_bench_stage {
    const char *name;
    const char *what;
    bool exact; /* counts whether results are right, and all of ours must be */
    struct dh_bench_case cases[DH_BENCH_MAX_CASES];
    struct dh_bench_goal goals[DH_BENCH_MAX_GOALS];
    double at_most_ms; /* a goal for the median of ours; 0: none */
};

/* Constant; `n` of each. */
extern const struct dh_bench_stage dh_bench_see_stages[];
extern const struct dh_bench_stage dh_bench_act_stages[];
extern const int dh_bench_n_see, dh_bench_n_act;

/* Forget the last step. */
void dh_bench_see_finish(struct dh_bench *b);
/* End the applications that stages started. */
void dh_bench_act_finish(struct dh_bench *b);

/* What one contestant measured. */
struct dh_bench_result {
    const struct dh_bench_case *c;
    double *ms; /* n of them, owned */
    int n, cap, exact, failed;
    const char *missing; /* a program that is not installed; NULL: none */
};

void dh_bench_result_add(struct dh_bench_result *r,
                         const struct dh_bench_sample *s);
/* One stage's results, in the order of its cases, as text or JSON lines. */
void dh_bench_report(const struct dh_bench_stage *stage,
                     struct dh_bench_result *results, bool json,
                     struct dh_buf *out);

#endif
