/*
 * model/prompt.h - messages and pictures to ids: the chat template of m3.md 4,
 * written out natively, and the expansion of placeholders (4.4).
 */
#ifndef DH_MODEL_PROMPT_H
#define DH_MODEL_PROMPT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"
#include "base/status.h"
#include "model/tokenizer.h"

struct dh_buf;
struct dh_json;

enum dh_role {
    DH_ROLE_ROOT,
    DH_ROLE_SYSTEM, /* the same place as developer */
    DH_ROLE_DEVELOPER,
    DH_ROLE_USER,
    DH_ROLE_ASSISTANT,
    DH_ROLE_TOOL,
};

enum dh_thinking {
    DH_THINKING_UNSET,
    DH_THINKING_ADAPTIVE,
    DH_THINKING_ENABLED,
    DH_THINKING_DISABLED,
    DH_THINKING_OTHER, /* an unknown mode: no line at all */
};
/* "unset", "adaptive", "enabled", "disabled", NULL */
extern const char *const dh_thinking_names[];

enum dh_part_kind { DH_PART_TEXT, DH_PART_IMAGE, DH_PART_VIDEO };

/* A piece of content. Pictures are consumed in order of appearance. */
struct dh_part {
    enum dh_part_kind kind;
    const char *text; /* of a text part */
};

struct dh_tool_call {
    const char *name;
    const struct dh_json *arguments; /* an object */
};

struct dh_message {
    enum dh_role role;
    const struct dh_part *parts;
    size_t n_parts;
    const char *reasoning; /* assistant: reasoning_content, NULL: absent */
    /* Assistant: the message as the server that made it wrote it, JSON, which
     * goes back unchanged; NULL: made here. Nothing to the template. */
    const char *wire;
    const struct dh_tool_call *calls; /* assistant */
    size_t n_calls;
};

struct dh_prompt {
    const struct dh_message *messages;
    size_t n_messages;
    /* Array of {"type":"function","function":{..}}, or NULL. */
    const struct dh_json *tools;
    enum dh_thinking thinking;
    const char *model_identity; /* NULL: none */
    bool add_generation_prompt;
};

/* Tokens of one picture or of each temporal group of a video. */
struct dh_prompt_media {
    int tokens;       /* per group */
    int groups;       /* 1 for a picture */
    const double *at; /* seconds of each group, or NULL: no time stamps */
};

/*
 * The rendered text with one ]<]image[>[ or ]<]video[>[ per picture, as the
 * published template writes it. `trusted` (may be NULL) receives one byte per
 * byte of text: 1 for the template's own, 0 for what came with messages.
 * DH_ERR_FORMAT with diag where the template would fail (a tool message
 * without a call) or a role stands where it would be dropped in silence.
 */
DH_MUST_USE enum dh_status dh_prompt_render(const struct dh_prompt *p,
                                            struct dh_buf *text,
                                            struct dh_buf *trusted,
                                            struct dh_diag *diag);

/*
 * Render, expand placeholders, tokenise. images and videos are consumed in
 * order; their number must match. safe: text of messages never becomes a
 * control token; otherwise as the published tokenizer does it (for parity).
 */
DH_MUST_USE enum dh_status
dh_prompt_ids(const struct dh_prompt *p, const struct dh_tokenizer *t,
              const struct dh_prompt_media *images, size_t n_images,
              const struct dh_prompt_media *videos, size_t n_videos, bool safe,
              struct dh_ids *out, struct dh_diag *diag);

#endif
