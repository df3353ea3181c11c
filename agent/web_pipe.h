/*
 * agent/web_pipe.h - a browser's debugging protocol over a pair of descriptors:
 * JSON objects, each ended by a NUL. There is no port that others could come in
 * by. What comes out of it is untrusted.
 */
#ifndef DH_AGENT_WEB_PIPE_H
#define DH_AGENT_WEB_PIPE_H

#include "base/buf.h"
#include "base/str.h"

struct dh_json;

/* Zero it, then dh_web_pipe_init. Belongs to one thread. */
struct dh_web_pipe {
    int fd; /* a socket; ours from then on */
    int next_id;
    char *session; /* of a page; NULL: the browser itself is asked */
    struct dh_buf in;
    char *why; /* of the last failure, for people; owned */
    /* What the page tells by the binding "dhTell"; may be NULL. */
    void (*told)(void *with, const char *text);
    void *with;
};

void dh_web_pipe_init(struct dh_web_pipe *p, int fd);
void dh_web_pipe_finish(struct dh_web_pipe *p);

/*
 * Ask and wait for the answer; *result is to be freed with dh_json_free.
 * `params` is a JSON object. DH_ERR_CLOSED: the browser is gone;
 * DH_ERR_TIMEOUT; DH_ERR_REFUSED: it says no; DH_ERR_FORMAT, DH_ERR_RANGE: it
 * talks nonsense or too much. `why` says more.
 */
DH_MUST_USE enum dh_status dh_web_call(struct dh_web_pipe *p,
                                       const char *method, const char *params,
                                       int64_t until_ns,
                                       struct dh_json **result);
/* The value of an expression in the page, as text: JavaScript's String of it.
 * A promise is waited for. An exception is DH_ERR_REFUSED. */
DH_MUST_USE enum dh_status dh_web_eval(struct dh_web_pipe *p,
                                       const char *expression, int64_t until_ns,
                                       struct dh_buf *out);
/* Take what it has said without being asked. DH_ERR_CLOSED as above. */
DH_MUST_USE enum dh_status dh_web_take(struct dh_web_pipe *p);

/* One message, as far as it is known what it means; for tests. False: it is
 * none. *answer is set where it answers `id`. */
DH_MUST_USE bool dh_web_message(struct dh_web_pipe *p, struct dh_str text,
                                int id, struct dh_json **answer);

#endif
