#include "model/batch_priv.h"

#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

#define DH_LOG_TAG "batch"
#include "base/log.h"

// How long those who were in the last pass have for coming back: what choosing
// a token takes, and more where a pass is long.
#define BACK_MIN    (1 * DH_MS)
#define BACK_MAX    (5 * DH_MS)
#define BACK_SHARE  16
#define CANCEL_TICK (100 * DH_MS)

struct dh_batch {
    struct dh_mutex lock;
    struct dh_cond changed; // a pass has ended, or somebody left
    struct dh_cond arrived; // somebody posted
    int sessions;
    float *logits; // [DH_SHARE_LOGITS][vocab]; NULL for a single session
    // guarded by lock
    struct dh_share *first, *last;         // that wait for a pass
    bool busy;                             // somebody leads one
    struct dh_share *taken[DH_PASS_PARTS]; // of the pass; NULL: it left
    pthread_t absent[DH_PASS_PARTS]; // were in the last pass, and not seen yet
    int n_absent;
    int64_t until; // they are waited for
};

struct dh_batch *dh_batch_create(void)
{
    struct dh_batch *b;
    dh_new(b);
    dh_mutex_init(&b->lock);
    dh_cond_init(&b->changed);
    dh_cond_init(&b->arrived);
    return b;
}

void dh_batch_destroy(struct dh_batch *b)
{
    if (!b)
        return;
    dh_assert(!b->first && !b->busy);
    dh_cond_finish(&b->arrived);
    dh_cond_finish(&b->changed);
    dh_mutex_finish(&b->lock);
    dh_big_free(b->logits);
    dh_free(b);
}

enum dh_status dh_batch_join(struct dh_batch *b, const struct dh_text_config *t)
{
    size_t bytes = DH_SHARE_LOGITS * (size_t)t->vocab_size * sizeof(float);
    enum dh_status st = DH_OK;
    dh_mutex_lock(&b->lock);
    if (b->sessions > 0 && !b->logits && !(b->logits = dh_big_alloc(bytes))) {
        dh_error("no memory for the logits of several sessions");
        st = DH_ERR_NOMEM;
    }
    b->sessions += !st;
    dh_mutex_unlock(&b->lock);
    return st;
}

void dh_batch_leave(struct dh_batch *b)
{
    dh_mutex_lock(&b->lock);
    b->sessions--;
    dh_mutex_unlock(&b->lock);
}

// --- one pass ---------------------------------------------------------------

static void copy_logits(const struct dh_batch *b, int row, int n, size_t vocab)
{
    int at = 0;
    for (int i = 0; i < DH_PASS_PARTS; i++) {
        const struct dh_share *s = b->taken[i];
        for (int j = 0; s && j < s->wanted; j++, at++)
            if (at >= row && at < row + n)
                memcpy(s->logits + (size_t)j * vocab,
                       b->logits + (size_t)(at - row) * vocab,
                       vocab * sizeof(float));
    }
}

// Logits of all that are wanted, with one look at their matrix.
static void make_logits(const struct dh_batch *b, const struct dh_pass *p)
{
    const struct dh_work *w = &p->all;
    const struct dh_mat *m = &w->model->weights.lm_head;
    size_t hidden = (size_t)m->cols, vocab = (size_t)m->rows, row = 0;
    const struct dh_share *only = NULL;
    int all = 0, wanting = 0;
    for (int i = 0; i < DH_PASS_PARTS; i++) {
        const struct dh_share *s = b->taken[i];
        if (!s)
            continue;
        if (s->wanted) {
            dh_layer_norm_last(s->work, w->x + row * hidden, s->wanted,
                               w->norm + (size_t)all * hidden);
            only = s;
            wanting++;
        }
        all += s->wanted;
        row += (size_t)s->work->n;
    }
    if (wanting == 1) {
        dh_backend_matmul(&w->backend, only->logits, vocab, w->norm, hidden,
                          all, m, NULL);
        return;
    }
    for (int at = 0; at < all; at += DH_SHARE_LOGITS) {
        int n = DH_MIN(all - at, DH_SHARE_LOGITS);
        dh_backend_matmul(&w->backend, b->logits, vocab,
                          w->norm + (size_t)at * hidden, hidden, n, m, NULL);
        copy_logits(b, at, n, vocab);
    }
}

static void give_rows_back(const struct dh_batch *b, const struct dh_pass *p)
{
    const struct dh_work *w = &p->all;
    size_t hidden = (size_t)w->model->config.text.hidden_size, row = 0;
    for (int i = 0; i < DH_PASS_PARTS; i++) {
        const struct dh_share *s = b->taken[i];
        if (!s)
            continue;
        if (s->work->x != w->x)
            memcpy(s->work->x, w->x + row * hidden,
                   (size_t)s->work->n * hidden * sizeof(float));
        row += (size_t)s->work->n;
    }
}

// With the lock held, as all below but `run`.
static void end_share(struct dh_batch *b, struct dh_share *s, enum dh_status st)
{
    s->status = st;
    s->done = true;
    dh_cond_broadcast(&b->changed);
}

// Its thread need not wait for the others, unless it computes for them.
static void left(void *user, struct dh_work *part)
{
    struct dh_batch *b = user;
    for (int i = 0; i < DH_PASS_PARTS; i++) {
        struct dh_share *s = b->taken[i];
        if (!s || s->work != part)
            continue;
        b->taken[i] = NULL;
        dh_mutex_lock(&b->lock);
        end_share(b, s, DH_ERR_CANCELLED);
        dh_mutex_unlock(&b->lock);
        return;
    }
}

static enum dh_status run(struct dh_batch *b, int n)
{
    struct dh_work *parts[DH_PASS_PARTS];
    struct dh_pass p = { .left = left, .user = b };
    for (int i = 0; i < n; i++)
        parts[i] = b->taken[i]->work;
    dh_pass_init(&p, parts, n);
    enum dh_status st = dh_layer_run_all(&p);
    if (!st) {
        make_logits(b, &p);
        give_rows_back(b, &p);
    }
    return st;
}

// --- who goes ---------------------------------------------------------------

static void take_out(struct dh_batch *b, struct dh_share *s)
{
    struct dh_share **at = &b->first, *before = NULL;
    for (; *at != s; at = &(*at)->next)
        before = *at;
    *at = s->next;
    if (b->last == s)
        b->last = before;
}

// The first, and of the others, in their order, those that fit.
static int take(struct dh_batch *b)
{
    int n = 0, rows = b->first->work->rows;
    memset(b->taken, 0, sizeof b->taken);
    for (struct dh_share *s = b->first, *next; s && n < DH_PASS_PARTS;
         s = next) {
        next = s->next;
        if (s->work->n > rows)
            continue;
        rows -= s->work->n;
        take_out(b, s);
        s->taken = true;
        b->taken[n++] = s;
    }
    for (int i = 0; i < n; i++)
        b->taken[i]->parts = n;
    return n;
}

static void set_absent(struct dh_batch *b, pthread_t thread, bool absent)
{
    int n = 0;
    for (int i = 0; i < b->n_absent; i++)
        if (!pthread_equal(b->absent[i], thread))
            b->absent[n++] = b->absent[i];
    if (absent)
        b->absent[n++] = thread;
    b->n_absent = n;
}

static void lead(struct dh_batch *b)
{
    b->busy = true;
    while (b->n_absent > 0 && dh_now_ns() < b->until)
        (void)dh_cond_wait_until(&b->arrived, &b->lock, b->until);
    int64_t start = dh_now_ns();
    int n = take(b);
    dh_mutex_unlock(&b->lock);
    enum dh_status st = run(b, n);
    dh_mutex_lock(&b->lock);
    b->n_absent = 0;
    for (int i = 0; i < n; i++) {
        if (!b->taken[i])
            continue;
        if (!st)
            set_absent(b, b->taken[i]->thread, true);
        end_share(b, b->taken[i], st);
    }
    int64_t now = dh_now_ns();
    b->until = now + DH_CLAMP((now - start) / BACK_SHARE, BACK_MIN, BACK_MAX);
    b->busy = false;
    dh_cond_broadcast(&b->changed);
}

void dh_batch_post(struct dh_batch *b, struct dh_share *s)
{
    dh_assert(s->work->n <= s->work->rows && s->wanted <= DH_SHARE_LOGITS);
    dh_mutex_lock(&b->lock);
    s->thread = pthread_self();
    s->taken = s->done = false;
    s->next = NULL;
    *(b->last ? &b->last->next : &b->first) = s;
    b->last = s;
    set_absent(b, s->thread, false);
    dh_cond_signal(&b->arrived);
    dh_mutex_unlock(&b->lock);
}

enum dh_status dh_batch_wait(struct dh_batch *b, struct dh_share *s)
{
    dh_mutex_lock(&b->lock);
    while (!s->done) {
        if (!b->busy && b->first == s) {
            lead(b);
        } else if (!s->taken && dh_cancel_is_set(s->work->cancel)) {
            take_out(b, s);
            end_share(b, s, DH_ERR_CANCELLED);
        } else {
            (void)dh_cond_wait_until(&b->changed, &b->lock,
                                     dh_now_ns() + CANCEL_TICK);
        }
    }
    enum dh_status st = s->status;
    dh_mutex_unlock(&b->lock);
    return st;
}
