/*
 * agent/session_params.h - what is added to a session afterwards: what of it
 * may be another the next time, and notes.
 *
 * The header's member `params` is an object of them by name:
 *
 *   "customer": { "value": "Ada", "kind": "text", "secret": false, "step": 3,
 *                 "at": [ { "act": 17, "from": 0, "len": 3 } ] }
 *
 * `act` is the number n of an `act` line, `from` and `len` are bytes of its
 * text, which the line keeps as it was recorded. `step` is for people: the
 * first of its acts, 1 being the session's first. Secrets that were never
 * written have no `at` and no value: the text has {{secret:NAME}} in their
 * place. One that was marked as a secret afterwards has no value either.
 */
#ifndef DH_AGENT_SESSION_PARAMS_H
#define DH_AGENT_SESSION_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/status.h"

struct dh_buf;
struct dh_json;

#define DH_SESSION_PARAM_NAME 40
#define DH_SESSION_PARAMS_MAX 256
#define DH_SESSION_PLACES_MAX 64

struct dh_session_place {
    int64_t act;
    size_t from, len;
};

struct dh_session_param {
    char *name, *value, *kind; /* owned; value is NULL where there is none */
    bool secret;
    int step; /* 0: not known */
    struct dh_session_place at[DH_SESSION_PLACES_MAX];
    int n_at;
};

struct dh_session_params {
    struct dh_session_param *item; /* owned */
    int n;
};

/* Of a header from dh_session_header. DH_ERR_FORMAT with diag set. *out must be
 * finished in either case. */
DH_MUST_USE enum dh_status dh_session_params_read(const struct dh_json *header,
                                                  struct dh_session_params *out,
                                                  struct dh_diag *diag);
void dh_session_params_finish(struct dh_session_params *p);
struct dh_session_param *
dh_session_params_find(const struct dh_session_params *p, const char *name);
/* A letter, then letters, digits, _ and -. */
bool dh_session_param_is_name(const char *name);

/* What is to stand in a parameter's place; NULL: what was recorded. */
typedef const char *(*dh_session_value_fn)(void *user,
                                           const struct dh_session_param *p);
/* The text of an act with its places filled, to be freed with dh_free. A place
 * that is not in the text is left alone. */
char *dh_session_params_fill(const struct dh_session_params *p, int64_t act,
                             const char *text, dh_session_value_fn value,
                             void *user);

/* The next part of the text becomes (another place of) the parameter, which is
 * made where there is none of this name. DH_ERR_USAGE, with diag set: a bad
 * name, a place that is taken, another value than the parameter's. */
DH_MUST_USE enum dh_status
dh_session_params_mark(struct dh_session_params *p, const char *name, int step,
                       const char *text, struct dh_session_place place,
                       bool secret, struct dh_diag *diag);
/* False where there is none. */
bool dh_session_params_remove(struct dh_session_params *p, const char *name);

/* The header with these in place of its own. */
void dh_session_params_print(const struct dh_session_params *p,
                             const struct dh_json *header, struct dh_buf *out);
/* Write dir/session.json anew, whole or not at all, with these. Everything else
 * in it stays. Logged. */
DH_MUST_USE enum dh_status
dh_session_params_write(const struct dh_session_params *p, const char *dir,
                        const struct dh_json *header);

/* Append one line, which has no end yet, to the events of a session that is not
 * written any more; a last line that was torn is ended. Logged. */
DH_MUST_USE enum dh_status dh_session_line_append(const char *dir,
                                                  struct dh_buf *line);
/* Append a `mark` line about the act to a session that is not written any more;
 * `n` is the line's number, `t` its time. Logged. */
DH_MUST_USE enum dh_status dh_session_note_write(const char *dir, int64_t n,
                                                 int64_t t, int64_t act,
                                                 const char *text);

#endif
