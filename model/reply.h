/*
 * model/reply.h - the model's own text taken apart: reasoning, content, and
 * calls of tools (m3.md 5).
 *
 * Text may come in any pieces; what may still become a marker is held back. The
 * text is untrusted: bounded, never executed, broken calls do not spoil others.
 */
#ifndef DH_MODEL_REPLY_H
#define DH_MODEL_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct dh_json;

#define DH_REPLY_MAX_CALLS 32
#define DH_REPLY_MAX_BYTES ((size_t)4 * 1024 * 1024)

struct dh_reply_call {
    char *name;      /* owned */
    char *arguments; /* owned: a JSON object, typed by the tool's schema */
    bool whole;      /* its end was there */
};

struct dh_reply {
    struct dh_buf reasoning, content; /* all of it so far */
    struct dh_reply_call call[DH_REPLY_MAX_CALLS];
    int n_calls;
    /* Inside */
    const struct dh_json *tools;
    struct dh_buf held, block;
    int state;
};

/*
 * `thinking`: the prompt has opened the thinking. `tools`: as of struct
 * dh_prompt, for the types of arguments; may be NULL; must outlive the reply.
 */
void dh_reply_init(struct dh_reply *r, bool thinking,
                   const struct dh_json *tools);
void dh_reply_finish(struct dh_reply *r);
/* What was added to reasoning and content can be read off their lengths. */
void dh_reply_feed(struct dh_reply *r, const char *text, size_t n);
/* Nothing more comes. */
void dh_reply_end(struct dh_reply *r);

#endif
