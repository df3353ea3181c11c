/*
 * agent/wire_priv.h - questions and answers as the two protocols write them.
 *
 * Pure: text to text. The same question gives the same bytes, and one more turn
 * changes nothing before it, so that the server's cache finds the prefix
 * (actions.md 4.6): keys in a fixed order, pictures as they were sent before.
 */
#ifndef DH_AGENT_WIRE_PRIV_H
#define DH_AGENT_WIRE_PRIV_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/brain.h"
#include "agent/endpoint.h"
#include "agent/one_call.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/json.h"

#define DH_WIRE_LEFT_OUT     "(an earlier picture, left out)"
#define DH_WIRE_MAX_CALLS    8
#define DH_WIRE_MAX_THOUGHTS 16
#define DH_WIRE_MAX_BYTES    (4 * 1024 * 1024) /* of an answer */

/* A picture or video as base64, ready to be sent. */
struct dh_wire_media {
    const char *type; /* "image/jpeg", "video/mp4" */
    char *base64;
    size_t len; /* of base64 */
    int side;   /* longest, in pixels */
    double fps; /* of a video; 0: a picture */
};

struct dh_wire_question {
    const struct dh_endpoint *e;
    const struct dh_brain_request *r;
    const struct dh_wire_media *images, *videos; /* in order of their parts */
    size_t skip_images; /* so many of the oldest are left out */
    int max_tokens;
};

/* A block of thoughts that has to go back as it came (Anthropic). */
struct dh_wire_thought {
    struct dh_buf text, signature;
    bool redacted; /* the text is not for reading */
};

struct dh_wire_call {
    char id[128], name[128];
    struct dh_buf arguments; /* JSON, as far as it came */
};

/* What has come of an answer. */
struct dh_wire_answer {
    struct dh_buf text, reasoning;
    struct dh_buf details; /* of reasoning_details, which may say the same */
    const char *reasoning_key; /* the field that it came in; NULL: none */
    struct dh_wire_thought thought[DH_WIRE_MAX_THOUGHTS];
    int n_thoughts;
    struct dh_wire_call call[DH_WIRE_MAX_CALLS];
    int n_calls;
    char finish[32]; /* "" until the server has said why it ends */
    struct dh_usage usage;
    bool has_usage;
    struct dh_times times; /* as our own server tells them */
    bool has_times;
    int error;          /* the vendor's code, or 0 */
    struct dh_diag why; /* of an error, in the server's words */
    bool failed;        /* the server said so, or it is nonsense */
    bool enough;        /* on_text said so, or the one call is there */
    struct dh_one_call one;
    bool (*on_text)(void *user, const char *piece, size_t len);
    void *user;
};

void dh_wire_answer_init(struct dh_wire_answer *a);
void dh_wire_answer_finish(struct dh_wire_answer *a);
/* Append text, telling on_text. */
void dh_wire_take_text(struct dh_wire_answer *a, const char *text);
/* Nothing that may still come is wanted. */
bool dh_wire_is_over(const struct dh_wire_answer *a);
/* The call of this index; NULL where there are too many. */
struct dh_wire_call *dh_wire_call_at(struct dh_wire_answer *a, int index);
/* One more block of thoughts, or the last one where there are too many. */
struct dh_wire_thought *dh_wire_think(struct dh_wire_answer *a);
/* What it thought apart from the text; NULL: nothing. */
const char *dh_wire_reasoning(const struct dh_wire_answer *a);
/* A count from a server, 0 where it is none. */
int dh_wire_count(const struct dh_json *o, const char *key);
/* What the server says is wrong, from either protocol's error object or the
 * vendor's base_resp; false where the object holds neither. */
bool dh_wire_take_error(struct dh_wire_answer *a, const struct dh_json *o);

/* One protocol. */
struct dh_wire_ops {
    const char *path; /* behind the base address */
    void (*question)(const struct dh_wire_question *q, struct dh_buf *out);
    /* One event of a stream; false: nothing more is wanted. */
    bool (*event)(struct dh_wire_answer *a, const char *name, const char *data,
                  size_t len);
    /* An answer in one piece. */
    void (*whole)(struct dh_wire_answer *a, const struct dh_json *o);
    /* The assistant's message as it has to go back. */
    void (*message)(const struct dh_wire_answer *a, const char *text,
                    struct dh_buf *out);
};

extern const struct dh_wire_ops dh_wire_openai, dh_wire_anthropic;

/* The text with native calls as <tool_call> blocks, and with the closing tag
 * that a stop sequence took put back, in the same way every time. Owned. */
char *dh_wire_text(const struct dh_wire_answer *a);
/* Arguments of a call, "{}" where they are no JSON object. */
void dh_wire_put_arguments(struct dh_json_writer *w, const char *key,
                           const struct dh_wire_call *c);

#endif
