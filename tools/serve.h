/*
 * tools/serve.h - the parts of `deskhand serve`.
 *
 *   serve_http     HTTP, who may come in, limits, metrics; a thread for each
 *                  connection, which is the library's
 *   serve_request  a body of either API to messages, pictures and settings
 *   serve_slots    timelines of the same weights, a thread each, and the queue
 *   serve_reply    what a client of either API is told, at once or by pieces
 *   serve_guests   until when a connection must have said or taken something
 */
#ifndef DH_TOOLS_SERVE_H
#define DH_TOOLS_SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/brain.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/json.h"
#include "base/status.h"
#include "base/thread.h"
#include "capture/video_in.h"
#include "model/reply.h"

enum dh_serve_api { DH_SERVE_CHAT, DH_SERVE_MESSAGES };

/* --- requests --- */

#define DH_SERVE_MAX_STOPS  16
#define DH_SERVE_MAX_VIDEOS 8

/* One question; all of it is owned. */
struct dh_serve_request {
    enum dh_serve_api api;
    struct dh_json *json; /* texts of messages point into it */
    struct dh_message *messages;
    size_t n_messages;
    struct dh_part *parts;
    struct dh_tool_call *calls;
    struct dh_json **arguments; /* of calls, parsed */
    size_t n_parts, n_calls;
    struct dh_frame **images;
    size_t n_images;
    struct dh_video_sample samples[DH_SERVE_MAX_VIDEOS];
    struct dh_brain_video videos[DH_SERVE_MAX_VIDEOS]; /* views of them */
    size_t n_videos;
    struct dh_json *tools; /* in the form of struct dh_prompt, or NULL */
    const char *stop[DH_SERVE_MAX_STOPS];
    int n_stop;
    struct dh_sampling sampling;
    bool has_sampling;
    enum dh_thinking thinking;
    enum dh_brain_form form;
    bool form_given, stream, include_usage;
    int max_tokens;
    uint64_t seed;
    uint64_t *hashes; /* of each message, with those before it */
};

struct dh_serve_limits {
    size_t body;    /* bytes */
    int images;     /* of one request */
    int max_tokens; /* of one answer */
};

/* DH_ERR_FORMAT or DH_ERR_RANGE with diag for the client; *out must be
 * finished in all cases. */
DH_MUST_USE enum dh_status dh_serve_request_read(
    struct dh_serve_request *out, enum dh_serve_api api, const char *body,
    size_t len, const struct dh_serve_limits *limits, struct dh_diag *diag);
void dh_serve_request_finish(struct dh_serve_request *r);

/* --- jobs and slots --- */

/* A question under way. The connection's thread makes and ends it; the slot's
 * thread fills it. */
struct dh_serve_job {
    struct dh_serve_request request;
    struct dh_cancel *cancel; /* the slot's, while it works on this */
    struct dh_mutex lock;
    struct dh_cond changed;
    /* guarded by lock */
    struct dh_reply reply; /* grows */
    size_t content_end; /* what of the content may be told, stops held back */
    bool done, abandoned;
    enum dh_status status; /* once it is done */
    enum dh_brain_end end;
    int stopped_by; /* index of the stop, or -1 */
    struct dh_usage usage;
    struct dh_times times;
    int64_t queued_ns;
    struct dh_serve_job *next; /* guarded by the slots' lock */
};

struct dh_slots;

struct dh_slots_options {
    struct dh_brain_options brain;
    int slots; /* at least 1 */
    int queue; /* questions that may wait */
};

struct dh_slots_stats {
    uint64_t questions, failed, abandoned;
    uint64_t prompt_tokens, cached_tokens, answer_tokens;
    /* as of struct dh_brain_answer */
    uint64_t passes, shared_passes, guessed, guessed_right;
    double preprocess_s, vision_s, prefill_s, decode_s, waited_s;
    int slots, busy, waiting;
};

DH_MUST_USE enum dh_status dh_slots_create(struct dh_slots **out,
                                           const struct dh_slots_options *o);
/* Stops what is under way. No job may be left with a caller. */
void dh_slots_destroy(struct dh_slots *s);
/* Make everything end soon; any thread, also a signal's flag may lead here. */
void dh_slots_stop(struct dh_slots *s);
const struct dh_profile *dh_slots_get_profile(const struct dh_slots *s);
/* As dh_brain_get_reads: the slots share them. */
DH_MUST_USE bool dh_slots_get_reads(const struct dh_slots *s,
                                    struct dh_model_reads *out);
void dh_slots_get_stats(struct dh_slots *s, struct dh_slots_stats *out);

/* Takes the request over. NULL: the queue is full, the request is not taken. */
struct dh_serve_job *dh_slots_ask(struct dh_slots *s,
                                  struct dh_serve_request *request);
/* The client has gone, or has all. Frees the job, now or when its slot has
 * let go of it. */
void dh_slots_leave(struct dh_slots *s, struct dh_serve_job *job);

/* --- replies --- */

/* The body of a whole answer, under the job's lock or after its end. */
void dh_serve_reply_whole(const struct dh_serve_job *job, const char *model,
                          const char *id, struct dh_buf *out);
/* What is told of a stream so far. */
struct dh_serve_stream {
    const char *model, *id;
    size_t reasoning, content; /* bytes that were told */
    int calls;
    bool begun, thinking_open, text_open, ended;
    int block; /* of messages */
};
/* Append what is new to `out`; with the job's lock held. */
void dh_serve_reply_stream(struct dh_serve_stream *s,
                           const struct dh_serve_job *job, struct dh_buf *out);
/* An error in the shape of the API. */
void dh_serve_reply_error(enum dh_serve_api api, int code, const char *text,
                          struct dh_buf *out);
/* The HTTP code of a failed question. */
int dh_serve_code_of(enum dh_status st);
/* And what people read. */
const char *dh_serve_text_of(enum dh_status st);

/* --- guests --- */

/*
 * Connections and how long each may take. Any thread; a guest itself belongs to
 * its connection's thread.
 */
struct dh_guests;
struct dh_guest;

struct dh_guests *dh_guests_create(void);
/* All have left. NULL is allowed. */
void dh_guests_destroy(struct dh_guests *all);
struct dh_guest *dh_guests_add(struct dh_guests *all, int fd);
/* Before its socket is closed. */
void dh_guests_remove(struct dh_guests *all, struct dh_guest *g);
/* It may take until then (dh_now_ns); INT64_MAX: it waits for us. */
void dh_guest_allow(struct dh_guest *g, int64_t until_ns);
/* Shut the sockets of those whose time is over. */
void dh_guests_watch(struct dh_guests *all);

/* --- HTTP --- */

struct dh_serve_options {
    const char *listen; /* "127.0.0.1:8080"; port 0: any */
    const char *token;  /* NULL: everybody may come in */
    const char *model;  /* its name for clients */
    int connections;
    /* For a head, and for what of a body or an answer is slower than 64 KiB a
     * second. */
    double idle_s;
    struct dh_serve_limits limits;
};

struct dh_server;
/* DH_ERR_USAGE, logged: an address that cannot be. */
DH_MUST_USE enum dh_status dh_server_start(struct dh_server **out,
                                           struct dh_slots *slots,
                                           const struct dh_serve_options *o);
int dh_server_get_port(const struct dh_server *s);
/* Several times a second: ends the connections that take too long. */
void dh_server_watch(struct dh_server *s);
/* Ends all connections. */
void dh_server_stop(struct dh_server *s);

#endif
