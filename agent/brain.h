/*
 * agent/brain.h - what thinks: messages and pictures in, text out.
 *
 * A brain is a checkpoint with its tokenizer and profile in this process, or a
 * model behind an endpoint. One thread.
 */
#ifndef DH_AGENT_BRAIN_H
#define DH_AGENT_BRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "actions/parse.h"
#include "agent/event.h"
#include "agent/profile.h"
#include "base/status.h"
#include "model/model.h"

struct dh_brain;
struct dh_cancel;
struct dh_endpoint;
struct dh_frame;
struct dh_json;

struct dh_brain_options {
    const char *model_dir;
    const char *mmproj; /* as of struct dh_model_options */
    /* A model behind an endpoint in place of the folder. The brain takes it
     * over, also where create fails. */
    struct dh_endpoint *endpoint;
    bool strict; /* a server that makes pictures smaller is an error */
    const char *prompts_dir;
    const char *kernels;           /* NULL: the fastest */
    int threads;                   /* 0: one per core */
    int64_t memory_bytes;          /* as of struct dh_model_options */
    int context;                   /* tokens; 0: as the session chooses */
    enum dh_cache_type cache_type; /* of a brain that joined: the other's */
    const char *cache;  /* a file: its timeline is where it starts, and it is
                         * written at the end; NULL: none */
    int64_t max_pixels; /* 0: the profile's, else the checkpoint's */
    uint64_t seed;
    int draft; /* tokens that are guessed at once, at most DH_DRAFT_MAX: the
                * answer stays what it is; 0: none */
    struct dh_cancel *cancel;
};

DH_MUST_USE enum dh_status dh_brain_create(struct dh_brain **out,
                                           const struct dh_brain_options *o);
/*
 * Another timeline of the same checkpoint, which must be one in this process:
 * the weights are there once, and so is what timelines begin with alike. Its
 * context, seed and cancel are o's. Each belongs to a thread of its own; what
 * they compute at the same time they compute together.
 */
DH_MUST_USE enum dh_status dh_brain_join(struct dh_brain **out,
                                         struct dh_brain *other,
                                         const struct dh_brain_options *o);
void dh_brain_destroy(struct dh_brain *b);
/* Of a checkpoint in this process; NULL for a model elsewhere. */
const struct dh_model_info *dh_brain_get_info(const struct dh_brain *b);
/* Of the weights, which brains that joined share. False for a model elsewhere,
 * and where all are mapped. Any thread. */
DH_MUST_USE bool dh_brain_get_reads(const struct dh_brain *b,
                                    struct dh_model_reads *out);
const struct dh_profile *dh_brain_get_profile(const struct dh_brain *b);
/* NULL for a checkpoint. */
const struct dh_endpoint *dh_brain_get_endpoint(const struct dh_brain *b);
/* How the numbers of an answer about this picture are read. */
void dh_brain_parse_options(const struct dh_brain *b,
                            const struct dh_frame *frame,
                            struct dh_parse_options *out);

/* *size, of a picture, becomes the size that the model is shown; returns its
 * tokens, 0 where they are not known. */
int dh_brain_show_size(const struct dh_brain *b, struct dh_size *size);

enum dh_brain_form { DH_FORM_FREE, DH_FORM_ACTION, DH_FORM_LOCATE };

/* A clip's frames, sampled; they fill the video parts of the prompt. */
struct dh_brain_video {
    struct dh_frame *const *frames;
    const double *at; /* seconds of each frame */
    int n;
};

struct dh_brain_request {
    const struct dh_message *messages;
    size_t n_messages;
    struct dh_frame *const *images; /* in order of the image parts; frozen, and
                                     * some may be kept until the next ask */
    size_t n_images;
    const struct dh_brain_video *videos;
    size_t n_videos;
    enum dh_brain_form form;
    /* What follows may stay zero: then it is as the profile says. */
    const struct dh_json *tools; /* as of struct dh_prompt */
    enum dh_thinking thinking;   /* UNSET: the profile's */
    const struct dh_sampling *sampling;
    int max_answer_tokens;
    bool one_call;            /* the answer ends behind its first whole call */
    uint64_t seed;            /* of sampling from here on */
    struct dh_cancel *cancel; /* besides the brain's own */
    /* Called as text comes; false: it is enough, the answer ends here. May be
     * NULL. */
    bool (*on_text)(void *user, const char *piece, size_t len);
    void *user;
    bool anew; /* on_text is told NULL where the answer begins once more;
                * without it an answer that broke off is not asked for again */
};

enum dh_brain_end {
    DH_BRAIN_END_TURN,   /* the model's own end */
    DH_BRAIN_END_LENGTH, /* the token limit */
    DH_BRAIN_END_ENOUGH, /* on_text said so */
};

struct dh_brain_answer {
    char *text;      /* owned; without the end-of-turn token */
    char *reasoning; /* owned; where it came apart from the text, else NULL */
    char *wire; /* owned; for dh_message.wire of later questions, or NULL */
    enum dh_brain_end end;
    struct dh_usage usage;
    struct dh_times times;
    /* Of a model in this process: tokens that the grammar left no choice about,
     * how often the weights were read behind the prompt, and how often of that
     * for other brains too. */
    int forced, passes, shared_passes;
    int guessed, guessed_right; /* as of model/draft.h; the rest was rewound */
};

/* On failure nothing is set. DH_ERR_RANGE: the prompt does not fit. */
DH_MUST_USE enum dh_status dh_brain_ask(struct dh_brain *b,
                                        const struct dh_brain_request *r,
                                        struct dh_brain_answer *out);
/*
 * The next question will probably begin as this one does: begin to read it, on
 * a thread of its own. That question waits for what is under way, or ends it
 * where it is about another last picture. A model elsewhere does nothing.
 */
void dh_brain_look(struct dh_brain *b, const struct dh_brain_request *r);
/* dh_brain_ask for one user turn behind the profile's head; r->messages need
 * not be set. */
DH_MUST_USE enum dh_status dh_brain_ask_once(struct dh_brain *b,
                                             const struct dh_part *parts,
                                             size_t n_parts,
                                             struct dh_brain_request *r,
                                             struct dh_brain_answer *out);
void dh_brain_answer_finish(struct dh_brain_answer *a);

#endif
