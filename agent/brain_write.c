#include "agent/brain_write_priv.h"

#include "base/mem.h"
#include "base/thread.h"
#include "model/grammar.h"
#include "model/tokenizer.h"

#define DH_LOG_TAG "brain"
#include "base/log.h"

static bool is_allowed(const uint64_t *set, int32_t id)
{
    return !set || (set[id / 64] >> (id % 64) & 1);
}

static bool is_stop(const struct dh_writer *w, int32_t id)
{
    return id == w->stop[0] || id == w->stop[1] || id == w->stop[2];
}

static void take_token(struct dh_writer *w, int32_t id)
{
    w->tokens++;
    if (is_stop(w, id)) {
        w->ended = true;
        return;
    }
    size_t before = w->text.len;
    dh_tokenizer_decode(w->tokenizer, id, &w->text);
    if (dh_one_call_take(&w->call, &w->text, before, w->r->on_text, w->r->user))
        w->enough = true;
}

// What was guessed is in the timeline already.
static void hold(struct dh_writer *w, int32_t id)
{
    if (w->n_held == 0 && w->right < w->n_guess && w->guess[w->right] == id)
        w->right++;
    else
        w->held[w->n_held++] = id;
}

// The timeline is what was written again, but for what is held.
static void end_guess(struct dh_writer *w)
{
    struct dh_session *s = w->session;
    size_t wrong = (size_t)(w->n_guess - w->right);
    if (w->n_guess)
        dh_draft_learn(w->draft, w->right, wrong && w->n_held);
    if (wrong)
        dh_session_rewind(s, dh_session_len(s) - wrong);
    w->guessed += w->n_guess;
    w->guessed_right += w->right;
    w->n_guess = w->right = 0;
}

static void make_guess(struct dh_writer *w, const uint64_t *allowed, int most)
{
    struct dh_session *s = w->session;
    struct dh_session_stats stats;
    dh_session_get_stats(s, &stats);
    struct dh_draft_from from = { .ids = dh_session_ids(s),
                                  .n = dh_session_len(s),
                                  .more = w->held,
                                  .n_more = w->n_held,
                                  .others = stats.others };
    size_t room = dh_session_room(s);
    room -= DH_MIN(room, w->n_held);
    most = (int)DH_MIN((size_t)DH_MAX(most, 0), room);
    w->n_guess = dh_draft_guess(w->draft, &from, most, w->guess);
    if (w->n_guess && !is_allowed(allowed, w->guess[0]))
        w->n_guess = 0;
}

// What is held goes through the model, and what may follow with it.
static enum dh_status feed_held(struct dh_writer *w, const uint64_t *allowed)
{
    end_guess(w);
    make_guess(w, allowed, w->max_tokens - w->tokens - 1);
    size_t n = w->n_held;
    for (int i = 0; i < w->n_guess; i++)
        w->held[n++] = w->guess[i];
    w->n_held = 0;
    enum dh_status st =
        dh_session_feed_guess(w->session, w->held, n, w->n_guess);
    if (st)
        w->n_guess = 0;
    return st;
}

// What the grammar leaves no choice about goes through the model with the token
// before it, and only if another one is chosen behind it.
static enum dh_status write_forced(struct dh_writer *w)
{
    int32_t ids[DH_WRITE_FORCED];
    size_t n = dh_grammar_forced(w->grammar, ids, DH_WRITE_FORCED);
    for (size_t i = 0; i < n; i++) {
        if (!dh_grammar_accept(w->grammar, ids[i]))
            return DH_ERR_FORMAT;
        take_token(w, ids[i]);
        hold(w, ids[i]);
    }
    w->forced += (int)n;
    return DH_OK;
}

static enum dh_status write_one(struct dh_writer *w)
{
    const uint64_t *allowed =
        w->grammar ? dh_grammar_allowed(w->grammar, w->vocab) : w->free;
    enum dh_status st = w->n_held ? feed_held(w, allowed) : DH_OK;
    if (st)
        return st;
    int32_t id = dh_sample(dh_session_logits_at(w->session, w->right), w->vocab,
                           allowed, w->sampling, w->rng, w->scratch);
    if (id < 0) {
        dh_error("the model gives no number that could be sampled: "
                 "weights may be damaged");
        return DH_ERR_FORMAT;
    }
    if (w->grammar && !dh_grammar_accept(w->grammar, id))
        return DH_ERR_FORMAT;
    take_token(w, id);
    hold(w, id);
    return DH_OK;
}

static bool is_cancelled(const struct dh_writer *w)
{
    return dh_cancel_is_set(w->cancel) || dh_cancel_is_set(w->r->cancel);
}

static enum dh_status write_all(struct dh_writer *w)
{
    enum dh_status st = DH_OK;
    w->end = DH_BRAIN_END_TURN;
    while (!st && !w->ended && !w->enough) {
        if (is_cancelled(w))
            return DH_ERR_CANCELLED;
        if (w->tokens >= w->max_tokens) {
            w->end = DH_BRAIN_END_LENGTH;
            return DH_OK;
        }
        if (w->grammar)
            st = write_forced(w);
        if (!st && w->grammar && dh_grammar_is_complete(w->grammar))
            break;
        if (!st && !w->enough)
            st = write_one(w);
    }
    if (w->enough)
        w->end = DH_BRAIN_END_ENOUGH;
    return st;
}

enum dh_status dh_write_answer(struct dh_writer *w)
{
    enum dh_status st = write_all(w);
    end_guess(w);
    return st;
}
