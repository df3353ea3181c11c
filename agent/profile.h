/*
 * agent/profile.h - how a model wants to be asked.
 *
 * A checkpoint's folder may hold a deskhand.json; without one the model is
 * asked as MiniMax's own desktop agent asks M3 (actions.md 2.3 to 2.5).
 */
#ifndef DH_AGENT_PROFILE_H
#define DH_AGENT_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "base/status.h"
#include "model/prompt.h"
#include "model/session.h"

enum dh_history_kind {
    DH_HISTORY_TURNS,   /* each answer is a turn, screenshots follow */
    DH_HISTORY_SUMMARY, /* one turn: the newest picture, steps in words */
};

struct dh_profile {
    char *name;
    char *root;      /* system text, NULL: the template's default */
    char *developer; /* the instructions */
    enum dh_thinking thinking;
    enum dh_history_kind history;
    /* Pictures of a history in turns: the oldest go in blocks of `chunk`, so
     * that at most keep_min + chunk are shown (actions.md 2.5). */
    int keep_min, chunk;
    int max_steps_told; /* of a summary, the newest ones */
    int max_answer_tokens;
    int64_t max_pixels; /* of a picture; 0: the checkpoint's own */
    struct dh_sampling sampling;
    bool one_call;  /* what follows an answer's first call is not waited for */
    bool constrain; /* decode under the action grammar */
};

/* `dir`: the checkpoint's folder; `prompts`: the folder with m3.txt. */
DH_MUST_USE enum dh_status
dh_profile_init(struct dh_profile *p, const char *dir, const char *prompts);
/* Change what the members of a deskhand.json's object say; logged. */
DH_MUST_USE enum dh_status dh_profile_take(struct dh_profile *p,
                                           const struct dh_json *o);
/* What a client of the model has to know of it, as members that
 * dh_profile_take reads. */
void dh_profile_put(const struct dh_profile *p, struct dh_json_writer *w);
/* For a server that takes so many pictures in one question: at most keep_min +
 * chunk are shown (actions.md 2.5). */
void dh_profile_set_pictures(struct dh_profile *p, int max_images);
/* A file of text as the instructions. */
DH_MUST_USE enum dh_status dh_profile_read_prompt(struct dh_profile *p,
                                                  const char *path);
void dh_profile_finish(struct dh_profile *p);

#endif
