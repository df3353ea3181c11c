/*
 * agent/session_read.h - any session folder, as far as it is whole.
 *
 * A folder may come from a stranger, be cut short, or be written right now:
 *   - events.jsonl is indexed and read by offset, never mapped, since a file
 *     that shrinks under a map ends the process;
 *   - nothing outside the folder is opened: pictures go by their number alone,
 *     and neither a link nor a pipe is followed;
 *   - a bad line is skipped and noted with its number, a torn last one is left
 *     until it is whole; what a newer version has is kept and ignored;
 *   - a folder of a video alone has its pictures as shots;
 *   - time never runs backwards: where a clock jumped, later lines are shifted.
 *
 * Belongs to one thread, but for dh_session_frame, which any may call.
 */
#ifndef DH_AGENT_SESSION_READ_H
#define DH_AGENT_SESSION_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/geom.h"
#include "base/status.h"

struct dh_buf;
struct dh_frame;
struct dh_json;
struct dh_session_reader;

#define DH_SESSION_MAX_POINTS 64
/* A note that is no fault while a run is known to write it. */
#define DH_SESSION_NO_END     "it has no end: still running, or cut short"

/* Texts are "" where the header has none. */
struct dh_session_info {
    char *kind, *task, *model, *created, *ended; /* ended: why it did */
    int version;
    struct dh_size screen; /* 0, 0: not known */
};

enum dh_session_kind {
    DH_SESSION_OTHER, /* a kind that this version does not know */
    DH_SESSION_RAW,
    DH_SESSION_FRAME,
    DH_SESSION_ASK,
    DH_SESSION_ANSWER,
    DH_SESSION_ACT,
    DH_SESSION_DONE,
    DH_SESSION_MARK,
    DH_SESSION_END,
};

struct dh_session_line {
    uint64_t offset;
    int64_t t; /* ns since the start */
    uint32_t len;
    enum dh_session_kind kind;
};

/* One picture that was seen; the same one may be seen again. */
struct dh_session_shot {
    int64_t t;
    int number;     /* frames/000001.png is 1 */
    int64_t pts_ms; /* when the video shows it; -1: not known */
};

/* Milliseconds; -1 where it is not known. */
struct dh_session_times {
    double grab, preprocess, vision, prefill, decode, act, settle;
};

/*
 * One answer, one action, or an answer and its action. Lines are indices, -1
 * where there is none. What a step was decided on is `before`, what came of it
 * `after`; 0 where that was not recorded.
 */
struct dh_session_step {
    int64_t t, t_end;
    int ask, answer, act, done, mark;
    int64_t act_n; /* the number by which `done` names its act */
    int before, after;
    bool by_hand;   /* a person did it */
    bool failed;    /* not performed, or an answer that nothing came of */
    bool unchanged; /* performed, and the screen stayed as it was */
    char op[24];
    struct dh_point point[DH_SESSION_MAX_POINTS]; /* pixels of the screen */
    int n_points;
    struct dh_rect target; /* empty: not known */
    struct dh_session_times ms;
    int64_t tokens_in, tokens_cached, tokens_out; /* -1: not known */
    double cost;                                  /* dollars */
};

/* What a step says, each owned and never NULL. */
struct dh_session_words {
    char *answer, *thinking, *say, *action, *note;
};

/* DH_ERR_NOTFOUND, _FORMAT, _IO with diag set. A folder without a header, or
 * with no lines yet, is opened, and noted. */
DH_MUST_USE enum dh_status dh_session_open(struct dh_session_reader **out,
                                           const char *dir,
                                           struct dh_diag *diag);
/* NULL is allowed. */
void dh_session_close(struct dh_session_reader *s);

/* Take in what was written since; *grew where there is more. Indices stay. */
DH_MUST_USE enum dh_status dh_session_read_more(struct dh_session_reader *s,
                                                bool *grew);

/* All valid until the next dh_session_read_more or close. */
const struct dh_session_info *
dh_session_info(const struct dh_session_reader *s);
/* session.json whole, to be freed with dh_json_free. NULL with diag set where
 * it is missing or damaged. */
DH_MUST_USE struct dh_json *dh_session_header(const struct dh_session_reader *s,
                                              struct dh_diag *diag);
const struct dh_session_line *
dh_session_lines(const struct dh_session_reader *s, int *n);
const struct dh_session_shot *
dh_session_shots(const struct dh_session_reader *s, int *n);
const struct dh_session_step *
dh_session_steps(const struct dh_session_reader *s, int *n);
/* What is missing or wrong, a sentence each; the first 32 and a count. */
const char *const *dh_session_notes(const struct dh_session_reader *s, int *n);

/* One line whole, with members that are not known here; free it with
 * dh_json_free. NULL with diag set where it cannot be read (any more). */
DH_MUST_USE struct dh_json *dh_session_json(const struct dh_session_reader *s,
                                            int line, struct dh_diag *diag);
void dh_session_words_read(const struct dh_session_reader *s, int step,
                           struct dh_session_words *out);
void dh_session_words_finish(struct dh_session_words *w);

/* What the model has said so far of the answer that is on its way, to be freed
 * with dh_free; NULL: nothing. */
char *dh_session_running(const struct dh_session_reader *s);

/* A picture, with one reference. DH_ERR_NOTFOUND: it is missing, or no plain
 * file; others as dh_png_decode. Any thread, also while others read. */
DH_MUST_USE enum dh_status dh_session_frame(const struct dh_session_reader *s,
                                            int number, struct dh_frame **out,
                                            struct dh_diag *diag);

#endif
