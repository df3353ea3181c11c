#include "agent/brain.h"

#include <stdatomic.h>
#include <string.h>

#include "agent/brain_priv.h"
#include "agent/brain_write_priv.h"
#include "agent/seen_priv.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/rng.h"
#include "base/thread.h"
#include "capture/frame.h"
#include "model/grammar.h"
#include "model/session.h"
#include "model/tokenizer.h"
#include "vision/patches.h"

#define DH_LOG_TAG "brain"
#include "base/log.h"

#define ANSWER_MAX_BYTES (4 * 1024 * 1024)

// What brains of the same checkpoint have in common. Immutable once it is open.
struct mind {
    atomic_int users;
    char *dir, *prompts;
    struct dh_pool *pool;
    struct dh_model *model;
    struct dh_tokenizer *tokenizer;
};

// Everything that one question needs, freed together.
struct question {
    struct dh_patches *videos;
    size_t n_videos;
    struct dh_session_image *media; // pictures, then videos
    size_t n_media;
    struct dh_prompt_media *sizes; // the same order
    double *seconds;               // of the videos' groups
    struct dh_ids ids;
};

// A question that is read before it is asked. Its thread has the session.
struct ahead {
    struct dh_thread thread;
    struct dh_frame *frame; // the last picture of it, a reference; or NULL
    struct question q;
    enum dh_status status;
    size_t reused;
};

struct local {
    struct dh_brain brain;
    struct mind *mind;
    // The mind's.
    struct dh_pool *pool;
    struct dh_model *model;
    struct dh_tokenizer *tokenizer;
    struct dh_session *session;
    struct dh_grammar *grammar[DH_FORM_LOCATE + 1]; // NULL for free text
    struct dh_patch_rule image_rule, video_rule;
    struct dh_rng rng;
    struct dh_cancel cancel; // the caller's is its parent
    struct ahead ahead;
    char *cache; // the file of the timeline, or NULL
    int32_t eos;
    int32_t stop[3]; // ids that end a turn, -1: absent
    uint64_t *free;  // the ids that free text may use
    float *scratch;  // of sampling, [vocab_size]
    struct dh_draft draft;
    struct dh_seen seen;
};

/* --- create --- */

static void allow(uint64_t *set, int32_t id, bool on)
{
    uint64_t bit = UINT64_C(1) << (id % 64);
    if (id < 0)
        return;
    set[id / 64] = on ? set[id / 64] | bit : set[id / 64] & ~bit;
}

// Placeholders in an answer would break the next prompt's count of pictures.
static void set_free_ids(struct local *b)
{
    static const char *const never[] = {
        "]<]image[>[",        "]<]video[>[",          "]<]start of image[>[",
        "]<]end of image[>[", "]<]start of video[>[", "]<]end of video[>[",
    };
    int vocab = dh_model_get_info(b->model)->vocab_size;
    int n = DH_MIN(vocab, dh_tokenizer_size(b->tokenizer));
    dh_array(b->free, ((size_t)vocab + 63) / 64);
    for (int32_t id = 0; id < n; id++)
        allow(b->free, id, true);
    for (size_t i = 0; i < DH_COUNTOF(never); i++)
        allow(b->free, dh_tokenizer_find_added(b->tokenizer, never[i]), false);
    if (b->brain.profile.thinking == DH_THINKING_DISABLED)
        allow(b->free, dh_tokenizer_find_added(b->tokenizer, "<mm:think>"),
              false);
}

static void mind_leave(struct mind *m)
{
    if (!m || atomic_fetch_sub(&m->users, 1) > 1)
        return;
    dh_model_destroy(m->model);
    dh_tokenizer_destroy(m->tokenizer);
    dh_pool_destroy(m->pool);
    dh_free(m->dir);
    dh_free(m->prompts);
    dh_free(m);
}

static enum dh_status mind_open(struct mind **out,
                                const struct dh_brain_options *o)
{
    struct mind *m;
    dh_new(m);
    atomic_init(&m->users, 1);
    m->dir = dh_strdup(o->model_dir);
    m->prompts = dh_strdup(o->prompts_dir);
    enum dh_status st = dh_pool_create(&m->pool, o->threads);
    if (!st)
        st = dh_tokenizer_open(&m->tokenizer, o->model_dir);
    struct dh_model_options mo = { m->pool, o->kernels, o->memory_bytes,
                                   o->mmproj };
    if (!st)
        st = dh_model_create(&m->model, o->model_dir, &mo);
    if (st)
        mind_leave(m);
    else
        *out = m;
    return st;
}

static enum dh_status find_ids(struct local *b)
{
    b->eos = dh_tokenizer_find_added(b->tokenizer, "[e~[");
    b->stop[0] = b->eos;
    b->stop[1] = dh_tokenizer_find_added(b->tokenizer, "]~b]");
    b->stop[2] = dh_tokenizer_find_added(b->tokenizer, "]~!b[");
    if (b->eos < 0) {
        dh_error("the tokenizer of %s has no end-of-turn token [e~[",
                 b->mind->dir);
        return DH_ERR_UNSUPPORTED;
    }
    return DH_OK;
}

static enum dh_status open_session(struct local *b,
                                   const struct dh_brain_options *o,
                                   const struct local *beside)
{
    struct dh_session_options so = { .max_tokens = o->context,
                                     .cache_type = o->cache_type,
                                     .cancel = &b->cancel,
                                     .beside =
                                         beside ? beside->session : NULL };
    b->image_rule = *dh_model_get_image_rule(b->model);
    b->video_rule = *dh_model_get_video_rule(b->model);
    int64_t pixels =
        o->max_pixels ? o->max_pixels : b->brain.profile.max_pixels;
    if (pixels)
        b->image_rule.max_pixels = pixels;
    enum dh_status st = dh_session_create(&b->session, b->model, &so);
    if (st || !o->cache)
        return st;
    // Only time is lost with a bad one, and it is written anew.
    b->cache = dh_strdup(o->cache);
    st = dh_session_load(b->session, o->cache);
    if (!st)
        dh_info("%zu tokens are known from %s", dh_session_len(b->session),
                o->cache);
    else if (st != DH_ERR_NOTFOUND)
        dh_warn("the answer starts from nothing");
    return DH_OK;
}

static enum dh_status open_grammars(struct local *b)
{
    enum dh_status st = DH_OK;
    if (b->brain.profile.constrain)
        st = dh_grammar_create(&b->grammar[DH_FORM_ACTION], DH_GRAMMAR_ACTION,
                               b->tokenizer, b->eos);
    if (!st)
        st = dh_grammar_create(&b->grammar[DH_FORM_LOCATE], DH_GRAMMAR_LOCATE,
                               b->tokenizer, b->eos);
    return st;
}

static void question_finish(struct question *q)
{
    for (size_t i = 0; i < q->n_videos; i++)
        dh_patches_finish(&q->videos[i]);
    dh_free(q->videos);
    dh_free(q->media);
    dh_free(q->sizes);
    dh_free(q->seconds);
    dh_ids_finish(&q->ids);
}

/* --- ahead --- */

// Ends what is under way, at once unless it is wanted. Returns how many of its
// tokens were there before it.
static size_t ahead_end(struct local *b, bool wanted)
{
    struct ahead *a = &b->ahead;
    if (!a->thread.started)
        return SIZE_MAX;
    if (!wanted)
        dh_cancel_set(&b->cancel);
    dh_thread_join(&a->thread);
    dh_cancel_clear(&b->cancel);
    question_finish(&a->q);
    dh_frame_unref(a->frame);
    size_t reused = a->status ? SIZE_MAX : a->reused;
    *a = (struct ahead){ 0 };
    return reused;
}

static void destroy(struct dh_brain *brain)
{
    struct local *b = (struct local *)brain;
    ahead_end(b, false);
    if (b->cache && dh_session_len(b->session) > 0 &&
        dh_session_save(b->session, b->cache))
        dh_warn("the next start will be as slow as this one");
    dh_free(b->cache);
    dh_seen_finish(&b->seen);
    for (size_t i = 0; i < DH_COUNTOF(b->grammar); i++)
        dh_grammar_destroy(b->grammar[i]);
    dh_session_destroy(b->session);
    mind_leave(b->mind);
    dh_profile_finish(&b->brain.profile);
    dh_free(b->free);
    dh_free(b->scratch);
    dh_free(b);
}

/* --- ask --- */

static void put_media(struct local *b, struct question *q,
                      const struct dh_patches *p, uint64_t hash, bool video)
{
    const struct dh_model_info *info = dh_model_get_info(b->model);
    int merge = b->image_rule.merge_size;
    int groups = video ? p->grid_t : 1;
    q->sizes[q->n_media].tokens = dh_patches_tokens(p, merge) / groups;
    q->sizes[q->n_media].groups = groups;
    q->media[q->n_media].patches = p;
    q->media[q->n_media].hash = hash;
    q->media[q->n_media].token_id =
        video ? info->video_token_id : info->image_token_id;
    q->n_media++;
}

static enum dh_status encode_video(struct local *b, struct question *q,
                                   const struct dh_brain_video *v,
                                   size_t *seconds)
{
    struct dh_patches *p = &q->videos[q->n_videos];
    enum dh_status st =
        dh_patches_of_video(&b->video_rule, v->frames, v->n, b->pool, p);
    if (st)
        return st;
    q->n_videos++;
    int tps = b->video_rule.temporal_patch_size;
    q->sizes[q->n_media].at = q->seconds + *seconds;
    for (int g = 0; g < p->grid_t; g++)
        q->seconds[(*seconds)++] = v->at[DH_MIN(g * tps, v->n - 1)];
    put_media(b, q, p, 0, true);
    return DH_OK;
}

static enum dh_status encode_media(struct local *b, struct question *q,
                                   const struct dh_brain_request *r)
{
    size_t n = r->n_images + r->n_videos, seconds = 0;
    const char *missing = dh_model_get_info(b->model)->vision_missing;
    if (n && missing) {
        dh_error("it cannot see pictures: %s", missing);
        return DH_ERR_UNSUPPORTED;
    }
    for (size_t i = 0; i < r->n_videos; i++)
        seconds += (size_t)r->videos[i].n;
    dh_array(q->videos, r->n_videos);
    dh_array(q->media, n);
    dh_array(q->sizes, n);
    dh_array(q->seconds, seconds);
    enum dh_status st =
        dh_seen_look(&b->seen, &b->image_rule, b->pool, r->images, r->n_images);
    for (size_t i = 0; i < r->n_images && !st; i++)
        put_media(b, q, &b->seen.pictures[i].patches, b->seen.pictures[i].hash,
                  false);
    seconds = 0;
    for (size_t i = 0; i < r->n_videos && !st; i++)
        st = encode_video(b, q, &r->videos[i], &seconds);
    return st;
}

static enum dh_thinking thinking_of(const struct local *b,
                                    const struct dh_brain_request *r)
{
    return r->thinking ? r->thinking : b->brain.profile.thinking;
}

static enum dh_status make_prompt(struct local *b, struct question *q,
                                  const struct dh_brain_request *r)
{
    struct dh_diag diag = { 0 };
    struct dh_prompt prompt = { .messages = r->messages,
                                .n_messages = r->n_messages,
                                .tools = r->tools,
                                .thinking = thinking_of(b, r),
                                .add_generation_prompt = true };
    enum dh_status st = dh_prompt_ids(&prompt, b->tokenizer, q->sizes,
                                      r->n_images, q->sizes + r->n_images,
                                      r->n_videos, true, &q->ids, &diag);
    if (st)
        dh_error("the prompt cannot be written: %s", diag.text);
    return st;
}

static struct dh_grammar *grammar_for(struct local *b,
                                      const struct dh_brain_request *r)
{
    // A model that thinks first writes what no grammar foresees.
    bool thinks = thinking_of(b, r) != DH_THINKING_DISABLED;
    struct dh_grammar *g = thinks ? NULL : b->grammar[r->form];
    if (g)
        dh_grammar_reset(g);
    return g;
}

static int64_t ns_of(double seconds)
{
    return (int64_t)(seconds * 1e9);
}

// An answer's tokens are fed one by one or, forced, together: all are decoded.
static int64_t passes_ns(const struct dh_session_stats *from,
                         const struct dh_session_stats *to)
{
    return ns_of(to->prefill_s - from->prefill_s + to->decode_s -
                 from->decode_s);
}

static enum dh_status answer_question(struct local *b, struct question *q,
                                      const struct dh_brain_request *r,
                                      struct dh_brain_answer *out)
{
    struct dh_session_stats before, read, after;
    const struct dh_profile *p = &b->brain.profile;
    struct dh_writer w = {
        .session = b->session,
        .tokenizer = b->tokenizer,
        .vocab = dh_model_get_info(b->model)->vocab_size,
        .free = b->free,
        .stop = b->stop,
        .rng = &b->rng,
        .scratch = b->scratch,
        .draft = &b->draft,
        .cancel = &b->cancel,
        .r = r,
        .grammar = grammar_for(b, r),
        .sampling = r->sampling ? r->sampling : &p->sampling,
        .max_tokens =
            r->max_answer_tokens ? r->max_answer_tokens : p->max_answer_tokens,
    };
    size_t reused = 0;
    if (r->seed)
        dh_rng_init(&b->rng, r->seed);
    dh_buf_init(&w.text, ANSWER_MAX_BYTES);
    // A grammar ends by itself.
    dh_one_call_init(&w.call, r->one_call && !w.grammar);
    dh_session_get_stats(b->session, &before);
    enum dh_status st = dh_session_set(b->session, q->ids.id, q->ids.n,
                                       q->media, q->n_media, &reused);
    dh_session_get_stats(b->session, &read);
    if (!st)
        st = dh_write_answer(&w);
    dh_one_call_finish(&w.call);
    if (st) {
        dh_buf_finish(&w.text);
        return st;
    }
    dh_session_get_stats(b->session, &after);
    out->times.vision = ns_of(read.vision_s - before.vision_s);
    out->times.prefill = passes_ns(&before, &read);
    out->times.decode = passes_ns(&read, &after);
    out->passes = (int)(after.passes - read.passes);
    out->shared_passes = (int)(after.shared_passes - read.shared_passes);
    out->end = w.end;
    out->forced = w.forced;
    out->guessed = w.guessed;
    out->guessed_right = w.guessed_right;
    out->usage.prompt_tokens = (int)q->ids.n;
    out->usage.cached_tokens = (int)reused;
    out->usage.answer_tokens = w.tokens;
    dh_debug("%d tokens of an answer, %d of them forced, %d of %d guessed, in "
             "%d passes",
             w.tokens, out->forced, out->guessed_right, out->guessed,
             out->passes);
    out->text = dh_buf_take(&w.text);
    return DH_OK;
}

static enum dh_status ask(struct dh_brain *brain,
                          const struct dh_brain_request *r,
                          struct dh_brain_answer *out)
{
    struct local *b = (struct local *)brain;
    struct question q = { 0 };
    int64_t begun = dh_now_ns();
    bool looked = r->n_images && r->images[r->n_images - 1] == b->ahead.frame;
    size_t most_cached = ahead_end(b, looked);
    int64_t start = dh_now_ns();
    enum dh_status st = encode_media(b, &q, r);
    out->times.preprocess = dh_now_ns() - start;
    if (!st)
        st = make_prompt(b, &q, r);
    if (!st)
        st = answer_question(b, &q, r, out);
    out->times.vision += start - begun;
    out->usage.cached_tokens =
        (int)DH_MIN((size_t)out->usage.cached_tokens, most_cached);
    question_finish(&q);
    dh_seen_trim(&b->seen);
    return st;
}

static void ahead_run(void *arg)
{
    struct local *b = arg;
    struct ahead *a = &b->ahead;
    a->status = dh_session_set(b->session, a->q.ids.id, a->q.ids.n, a->q.media,
                               a->q.n_media, &a->reused);
}

static void look(struct dh_brain *brain, const struct dh_brain_request *r)
{
    struct local *b = (struct local *)brain;
    struct ahead *a = &b->ahead;
    ahead_end(b, false);
    if (encode_media(b, &a->q, r) || make_prompt(b, &a->q, r) ||
        dh_thread_start(&a->thread, "dh-ahead", ahead_run, b))
        question_finish(&a->q);
    else
        a->frame = dh_frame_ref(r->images[r->n_images - 1]);
}

static int show(const struct dh_brain *brain, struct dh_size *size)
{
    const struct dh_patch_rule *rule =
        &((const struct local *)brain)->image_rule;
    int side = rule->patch_size * rule->merge_size;
    struct dh_size to;
    if (dh_patches_size(rule, *size, &to))
        return 0;
    *size = to;
    return (to.w / side) * (to.h / side);
}

static const struct dh_brain_ops local_ops = {
    .ask = ask, .look = look, .destroy = destroy, .show = show
};

// Takes the mind over, also where it fails.
static enum dh_status begin(struct dh_brain **out, struct mind *mind,
                            const struct dh_brain_options *o,
                            const struct local *beside)
{
    struct local *b;
    dh_new(b);
    b->brain.ops = &local_ops;
    b->mind = mind;
    b->pool = mind->pool;
    b->model = mind->model;
    b->tokenizer = mind->tokenizer;
    b->cancel.parent = o->cancel;
    dh_rng_init(&b->rng, o->seed);
    enum dh_status st =
        dh_profile_init(&b->brain.profile, mind->dir, mind->prompts);
    if (!st)
        st = find_ids(b);
    if (!st)
        st = open_session(b, o, beside);
    if (!st)
        st = open_grammars(b);
    if (st) {
        destroy(&b->brain);
        return st;
    }
    set_free_ids(b);
    dh_draft_init(&b->draft, b->model, o->draft);
    dh_array(b->scratch, (size_t)dh_model_get_info(b->model)->vocab_size);
    *out = &b->brain;
    return DH_OK;
}

enum dh_status dh_brain_local_create(struct dh_brain **out,
                                     const struct dh_brain_options *o)
{
    struct mind *mind;
    enum dh_status st = mind_open(&mind, o);
    return st ? st : begin(out, mind, o, NULL);
}

enum dh_status dh_brain_join(struct dh_brain **out, struct dh_brain *other,
                             const struct dh_brain_options *o)
{
    const struct local *beside = (struct local *)other;
    dh_assert(!other->endpoint);
    atomic_fetch_add(&beside->mind->users, 1);
    return begin(out, beside->mind, o, beside);
}

const struct dh_model_info *dh_brain_get_info(const struct dh_brain *b)
{
    return b->endpoint ? NULL
                       : dh_model_get_info(((const struct local *)b)->model);
}

bool dh_brain_get_reads(const struct dh_brain *b, struct dh_model_reads *out)
{
    return b->ops == &local_ops &&
           dh_model_get_reads(((const struct local *)b)->model, out);
}
