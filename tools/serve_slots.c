#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "tools/serve.h"

#define DH_LOG_TAG "serve"
#include "base/log.h"

#define MAX_SLOTS 64

struct slot {
    struct dh_slots *all;
    struct dh_thread thread;
    struct dh_brain *brain;
    struct dh_cancel cancel;
    struct dh_serve_job *job; // guarded by all->lock
    uint64_t *hashes;         // of its last question's messages
    size_t n_hashes;
    uint64_t used;
};

struct dh_slots {
    struct dh_slots_options o;
    struct slot slot[MAX_SLOTS];
    int n;
    struct dh_mutex lock;
    struct dh_cond work; // a job was given out, or all ends
    // guarded by lock
    struct dh_serve_job *first, *last; // that wait
    int waiting;
    uint64_t clock;
    bool stop;
    struct dh_slots_stats stats;
};

// --- one job ----------------------------------------------------------------

static void job_free(struct dh_serve_job *job)
{
    dh_reply_finish(&job->reply);
    dh_serve_request_finish(&job->request);
    dh_mutex_finish(&job->lock);
    dh_cond_finish(&job->changed);
    dh_free(job);
}

// The first stop that is in the content, searched from where it may begin.
static bool find_stop(struct dh_serve_job *job, struct dh_str content)
{
    const struct dh_serve_request *r = &job->request;
    ptrdiff_t best = -1;
    for (int i = 0; i < r->n_stop; i++) {
        size_t len = strlen(r->stop[i]);
        size_t from = job->content_end >= len ? job->content_end - len : 0;
        ptrdiff_t at = dh_str_find(content, r->stop[i], from);
        if (at >= 0 && (best < 0 || at < best)) {
            best = at;
            job->stopped_by = i;
        }
    }
    if (best >= 0)
        job->content_end = (size_t)best;
    return best >= 0;
}

// What is at the end and may become a stop is not told yet.
static size_t held_back(const struct dh_serve_request *r, struct dh_str content)
{
    size_t most = 0;
    for (int i = 0; i < r->n_stop; i++) {
        size_t len = strlen(r->stop[i]);
        for (size_t k = DH_MIN(len - 1, content.n); k > most; k--) {
            if (memcmp(content.p + content.n - k, r->stop[i], k) == 0)
                most = k;
        }
    }
    return most;
}

static bool take_text(void *user, const char *piece, size_t len)
{
    struct dh_serve_job *job = user;
    dh_mutex_lock(&job->lock);
    dh_reply_feed(&job->reply, piece, len);
    struct dh_str content = { dh_buf_text(&job->reply.content),
                              job->reply.content.len };
    bool stopped = find_stop(job, content);
    if (!stopped)
        job->content_end = content.n - held_back(&job->request, content);
    bool on = !stopped && !job->abandoned;
    dh_cond_broadcast(&job->changed);
    dh_mutex_unlock(&job->lock);
    return on;
}

static void job_end(struct dh_serve_job *job, enum dh_status st,
                    const struct dh_brain_answer *a)
{
    dh_mutex_lock(&job->lock);
    if (job->stopped_by < 0) {
        dh_reply_end(&job->reply);
        job->content_end = job->reply.content.len;
    }
    job->status = st;
    job->end = a->end;
    job->usage = a->usage;
    job->times = a->times;
    job->done = true;
    dh_cond_broadcast(&job->changed);
    dh_mutex_unlock(&job->lock);
}

static enum dh_status run_job(struct slot *s, struct dh_serve_job *job,
                              struct dh_brain_answer *a)
{
    const struct dh_serve_request *r = &job->request;
    struct dh_brain_request q = {
        .messages = r->messages,
        .n_messages = r->n_messages,
        .images = r->images,
        .n_images = r->n_images,
        .videos = r->videos,
        .n_videos = r->n_videos,
        .form = r->form,
        .tools = r->tools,
        .thinking = r->thinking,
        .sampling = r->has_sampling ? &r->sampling : NULL,
        .max_answer_tokens = r->max_tokens,
        .seed = r->seed,
        .on_text = take_text,
        .user = job,
    };
    memset(a, 0, sizeof *a);
    return dh_brain_ask(s->brain, &q, a);
}

// --- slots ------------------------------------------------------------------

static size_t common(const struct slot *s, const struct dh_serve_request *r)
{
    size_t n = 0;
    while (n < s->n_hashes && n < r->n_messages && s->hashes[n] == r->hashes[n])
        n++;
    return n;
}

// Of the idle ones, the one whose timeline has most of the prompt; of equals,
// the one that was not used for the longest time.
static struct slot *best_slot(struct dh_slots *all,
                              const struct dh_serve_request *r)
{
    struct slot *best = NULL;
    for (int i = 0; i < all->n; i++) {
        struct slot *s = &all->slot[i];
        if (s->job)
            continue;
        size_t mine = common(s, r), its = best ? common(best, r) : 0;
        if (!best || mine > its || (mine == its && s->used < best->used))
            best = s;
    }
    return best;
}

// With the lock held.
static void give_out(struct dh_slots *all)
{
    struct slot *s;
    while (all->first && (s = best_slot(all, &all->first->request))) {
        struct dh_serve_job *job = all->first;
        all->first = job->next;
        all->last = all->first ? all->last : NULL;
        all->waiting--;
        s->job = job;
        s->used = ++all->clock;
        all->stats.busy++;
        all->stats.waited_s += dh_seconds_since(job->queued_ns);
        dh_cancel_clear(&s->cancel);
        job->cancel = &s->cancel;
        dh_cond_broadcast(&all->work);
    }
}

static double seconds(int64_t ns)
{
    return (double)ns / 1e9;
}

static void count(struct dh_slots_stats *t, const struct dh_serve_job *job,
                  const struct dh_brain_answer *a)
{
    t->passes += (uint64_t)a->passes;
    t->shared_passes += (uint64_t)a->shared_passes;
    t->guessed += (uint64_t)a->guessed;
    t->guessed_right += (uint64_t)a->guessed_right;
    t->questions++;
    t->failed += job->status != DH_OK && !job->abandoned;
    t->abandoned += job->abandoned;
    t->prompt_tokens += (uint64_t)job->usage.prompt_tokens;
    t->cached_tokens += (uint64_t)job->usage.cached_tokens;
    t->answer_tokens += (uint64_t)job->usage.answer_tokens;
    t->preprocess_s += seconds(job->times.preprocess);
    t->vision_s += seconds(job->times.vision);
    t->prefill_s += seconds(job->times.prefill);
    t->decode_s += seconds(job->times.decode);
}

static void remember(struct slot *s, struct dh_serve_job *job)
{
    dh_free(s->hashes);
    s->hashes = job->request.hashes;
    s->n_hashes = job->status ? 0 : job->request.n_messages;
    job->request.hashes = NULL;
}

static void slot_main(void *arg)
{
    struct slot *s = arg;
    struct dh_slots *all = s->all;
    dh_mutex_lock(&all->lock);
    for (;;) {
        while (!s->job && !all->stop)
            dh_cond_wait(&all->work, &all->lock);
        struct dh_serve_job *job = s->job;
        if (!job)
            break;
        if (all->stop)
            dh_cancel_set(&s->cancel);
        dh_mutex_unlock(&all->lock);
        struct dh_brain_answer answer;
        enum dh_status st = run_job(s, job, &answer);
        // The client's next question must find this slot idle, and its timeline
        // known: so it learns of the end no earlier.
        dh_mutex_lock(&all->lock);
        job_end(job, st, &answer);
        remember(s, job);
        count(&all->stats, job, &answer);
        all->stats.busy--;
        s->job = NULL;
        job->cancel = NULL;
        if (job->abandoned)
            job_free(job);
        give_out(all);
        dh_brain_answer_finish(&answer);
    }
    dh_mutex_unlock(&all->lock);
}

// --- what others call -------------------------------------------------------

static enum dh_status open_slot(struct dh_slots *all, int i)
{
    struct slot *s = &all->slot[i];
    struct dh_brain_options o = all->o.brain;
    s->all = all;
    o.cancel = &s->cancel;
    o.cache = i ? NULL : o.cache; // a file is one timeline
    enum dh_status st = i ? dh_brain_join(&s->brain, all->slot[0].brain, &o)
                          : dh_brain_create(&s->brain, &o);
    return st ? st : dh_thread_start(&s->thread, "dh-slot", slot_main, s);
}

enum dh_status dh_slots_create(struct dh_slots **out,
                               const struct dh_slots_options *o)
{
    struct dh_slots *all;
    enum dh_status st = DH_OK;
    dh_new(all);
    all->o = *o;
    all->n = DH_CLAMP(o->slots, 1, MAX_SLOTS);
    dh_mutex_init(&all->lock);
    dh_cond_init(&all->work);
    for (int i = 0; i < all->n && !st; i++)
        st = open_slot(all, i);
    if (st) {
        dh_slots_destroy(all);
        return st;
    }
    *out = all;
    return DH_OK;
}

void dh_slots_stop(struct dh_slots *all)
{
    dh_mutex_lock(&all->lock);
    all->stop = true;
    for (int i = 0; i < all->n; i++)
        dh_cancel_set(&all->slot[i].cancel);
    // Nobody will work on what waits.
    while (all->first) {
        struct dh_serve_job *job = all->first;
        struct dh_brain_answer none = { 0 };
        all->first = job->next;
        all->waiting--;
        job_end(job, DH_ERR_CANCELLED, &none);
    }
    all->last = NULL;
    dh_cond_broadcast(&all->work);
    dh_mutex_unlock(&all->lock);
}

void dh_slots_destroy(struct dh_slots *all)
{
    if (!all)
        return;
    dh_slots_stop(all);
    for (int i = 0; i < all->n; i++)
        dh_thread_join(&all->slot[i].thread);
    // The first one's weights are all the others', so it goes last.
    for (int i = all->n - 1; i >= 0; i--) {
        dh_brain_destroy(all->slot[i].brain);
        dh_free(all->slot[i].hashes);
    }
    dh_cond_finish(&all->work);
    dh_mutex_finish(&all->lock);
    dh_free(all);
}

const struct dh_profile *dh_slots_get_profile(const struct dh_slots *s)
{
    return dh_brain_get_profile(s->slot[0].brain);
}

bool dh_slots_get_reads(const struct dh_slots *s, struct dh_model_reads *out)
{
    return dh_brain_get_reads(s->slot[0].brain, out);
}

void dh_slots_get_stats(struct dh_slots *s, struct dh_slots_stats *out)
{
    dh_mutex_lock(&s->lock);
    *out = s->stats;
    out->slots = s->n;
    out->waiting = s->waiting;
    dh_mutex_unlock(&s->lock);
}

struct dh_serve_job *dh_slots_ask(struct dh_slots *s,
                                  struct dh_serve_request *request)
{
    struct dh_serve_job *job = NULL;
    enum dh_thinking mode = request->thinking
                                ? request->thinking
                                : dh_slots_get_profile(s)->thinking;
    dh_mutex_lock(&s->lock);
    bool room = s->waiting < s->o.queue || s->stats.busy < s->n;
    if (!s->stop && room) {
        dh_new(job);
        job->request = *request;
        memset(request, 0, sizeof *request);
        dh_mutex_init(&job->lock);
        dh_cond_init(&job->changed);
        dh_reply_init(&job->reply, mode == DH_THINKING_ENABLED,
                      job->request.tools);
        job->stopped_by = -1;
        job->queued_ns = dh_now_ns();
        *(s->last ? &s->last->next : &s->first) = job;
        s->last = job;
        s->waiting++;
        give_out(s);
    }
    dh_mutex_unlock(&s->lock);
    return job;
}

// With the lock held: a job that waits is taken out of the queue.
static bool take_out(struct dh_slots *s, struct dh_serve_job *job)
{
    struct dh_serve_job **at = &s->first, *before = NULL;
    for (; *at && *at != job; at = &(*at)->next)
        before = *at;
    if (!*at)
        return false;
    *at = job->next;
    if (s->last == job)
        s->last = before;
    s->waiting--;
    return true;
}

void dh_slots_leave(struct dh_slots *s, struct dh_serve_job *job)
{
    dh_mutex_lock(&s->lock);
    bool waits = take_out(s, job);
    bool running = job->cancel != NULL;
    // While a slot holds it, the job is the slot's to free.
    dh_mutex_lock(&job->lock);
    job->abandoned = running;
    if (running)
        dh_cancel_set(job->cancel);
    dh_mutex_unlock(&job->lock);
    s->stats.abandoned += waits;
    dh_mutex_unlock(&s->lock);
    if (!running)
        job_free(job);
}
