#include "model/session_priv.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"
#include "model/batch_priv.h"
#include "model/quant_priv.h"
#include "model/snapshot_priv.h"
#include "vision/patches.h"

#define DH_LOG_TAG "session"
#include "base/log.h"

#define DEFAULT_TOKENS 8192
#define DEFAULT_CHUNK  512
// Where others wait with their next tokens for each pass of a prompt, it is so
// many times shorter: with 64 million weights a prompt of 5,836 tokens took 2 %
// longer for that, and an answer beside it came 2.2 times as fast. Not where
// each pass would read the experts from the disk again.
#define WAITED         4
// Pictures whose tokens are kept for the case that they are fed again.
#define KEPT_PICTURES  8

// An encoded picture.
struct picture {
    uint64_t hash; // 0: empty place
    int tokens;
    float *rows; // [tokens][hidden]
    uint64_t used;
};

// One placeholder token: a row of a picture.
struct place {
    const float *row;
    uint64_t tag;
};

struct dh_session {
    struct dh_model *model;
    struct dh_work work;
    struct dh_share share; // of the pass that is under way
    bool joined;
    struct dh_cancel *cancel;
    size_t max_tokens, len;
    int32_t *ids;   // [max_tokens]
    uint64_t *tags; // [max_tokens]: 0, or which row of which picture
    float *logits;  // [DH_SHARE_LOGITS][vocab]; the first row is the public one
    int rows;       // of logits; 0: there are none
    void (*watch)(void *user, size_t position, const float *logits);
    void *watch_user;
    dh_vit_probe_fn vit_probe;
    void *vit_probe_user;
    struct picture pictures[KEPT_PICTURES];
    uint64_t clock; // counts uses of pictures
    struct dh_session_stats stats;
};

// --- life -------------------------------------------------------------------

static enum dh_status session_alloc(struct dh_session *s, int chunk,
                                    enum dh_cache_type type,
                                    const struct dh_session *beside)
{
    const struct dh_text_config *t = &s->model->config.text;
    enum dh_status st = dh_work_init(&s->work, s->model, s->max_tokens, chunk,
                                     type, beside ? &beside->work : NULL);
    if (st)
        return st;
    s->work.cancel = s->cancel;
    s->ids = dh_big_alloc(s->max_tokens * sizeof(*s->ids));
    s->tags = dh_big_alloc(s->max_tokens * sizeof(*s->tags));
    s->logits =
        dh_big_alloc(DH_SHARE_LOGITS * (size_t)t->vocab_size * sizeof(float));
    if (!s->ids || !s->tags || !s->logits) {
        dh_error("no memory for a session of %zu tokens", s->max_tokens);
        return DH_ERR_NOMEM;
    }
    st = dh_batch_join(s->model->batch, t);
    s->joined = !st;
    return st;
}

enum dh_status dh_session_create(struct dh_session **out,
                                 struct dh_model *model,
                                 const struct dh_session_options *o)
{
    int longest = model->config.text.max_position_embeddings;
    int tokens =
        o && o->max_tokens ? o->max_tokens : DH_MIN(longest, DEFAULT_TOKENS);
    int chunk = o && o->chunk ? o->chunk : DEFAULT_CHUNK;
    if (tokens < 1 || tokens > longest || chunk < 1) {
        dh_error("%d tokens in passes of %d: 1 to %d are possible", tokens,
                 chunk, longest);
        return DH_ERR_RANGE;
    }
    struct dh_session *s;
    dh_new(s);
    s->model = model;
    s->cancel = o ? o->cancel : NULL;
    s->max_tokens = (size_t)tokens;
    const struct dh_session *beside = o ? o->beside : NULL;
    dh_assert(!beside || beside->model == model);
    enum dh_status st = session_alloc(
        s, DH_MIN(chunk, tokens), o ? o->cache_type : DH_CACHE_AUTO, beside);
    if (st) {
        dh_session_destroy(s);
        return st;
    }
    *out = s;
    return DH_OK;
}

enum dh_status dh_session_fork(struct dh_session **out, struct dh_session *from)
{
    struct dh_session_options o = { .max_tokens = (int)from->max_tokens,
                                    .chunk = from->work.chunk,
                                    .cancel = from->cancel,
                                    .beside = from };
    struct dh_session *s;
    enum dh_status st = dh_session_create(&s, from->model, &o);
    if (st)
        return st;
    dh_kvcache_copy(&s->work.cache, &from->work.cache, from->len);
    memcpy(s->ids, from->ids, from->len * sizeof *s->ids);
    memcpy(s->tags, from->tags, from->len * sizeof *s->tags);
    s->len = from->len;
    if (from->rows) {
        memcpy(s->logits, dh_session_logits(from),
               (size_t)s->model->info.vocab_size * sizeof(float));
        s->rows = 1;
    }
    *out = s;
    return DH_OK;
}

void dh_session_destroy(struct dh_session *s)
{
    if (!s)
        return;
    for (int i = 0; i < KEPT_PICTURES; i++)
        dh_big_free(s->pictures[i].rows);
    if (s->joined)
        dh_batch_leave(s->model->batch);
    dh_work_finish(&s->work);
    dh_big_free(s->ids);
    dh_big_free(s->tags);
    dh_big_free(s->logits);
    dh_free(s);
}

// --- pictures ---------------------------------------------------------------

static uint64_t mix(uint64_t h)
{
    h = (h ^ (h >> 31)) * 0x7fb5d329728ea185u;
    h = (h ^ (h >> 27)) * 0x81dadef4bc2dd44du;
    return h ^ (h >> 33);
}

static uint64_t stir(uint64_t lane, const float *two)
{
    uint64_t w;
    memcpy(&w, two, sizeof(w));
    lane = (lane ^ w) * 0x9e3779b97f4a7c15u;
    return lane ^ lane >> 29;
}

// Four words side by side, since a picture is 11 MB of floats. Written out, the
// lanes stay in registers, which takes less than half of the time.
uint64_t dh_session_hash(const struct dh_patches *p)
{
    size_t floats = (size_t)p->grid_t * (size_t)p->grid_h * (size_t)p->grid_w *
                    (size_t)p->row_len;
    size_t i = 0;
    uint64_t a = 1, b = 2, c = 3, d = 4;
    for (; i + 8 <= floats; i += 8) {
        a = stir(a, p->rows + i);
        b = stir(b, p->rows + i + 2);
        c = stir(c, p->rows + i + 4);
        d = stir(d, p->rows + i + 6);
    }
    uint64_t h = mix((uint64_t)p->grid_t << 42 ^ (uint64_t)p->grid_h << 21 ^
                     (uint64_t)p->grid_w);
    for (; i < floats; i++) {
        uint32_t w;
        memcpy(&w, p->rows + i, sizeof(w));
        h = mix(h ^ w);
    }
    h = mix(mix(mix(mix(h ^ a) ^ b) ^ c) ^ d);
    return h ? h : 1;
}

static struct picture *find_picture(struct dh_session *s, uint64_t hash)
{
    for (int i = 0; i < KEPT_PICTURES; i++) {
        if (s->pictures[i].hash == hash)
            return &s->pictures[i];
    }
    return NULL;
}

// The place of the picture that was not used for the longest time.
static struct picture *free_place(struct dh_session *s)
{
    struct picture *old = &s->pictures[0];
    for (int i = 1; i < KEPT_PICTURES; i++) {
        if (s->pictures[i].used < old->used)
            old = &s->pictures[i];
    }
    dh_big_free(old->rows);
    *old = (struct picture){ 0 };
    return old;
}

static enum dh_status encode(struct dh_session *s, const struct dh_patches *p,
                             int tokens, float **out)
{
    size_t hidden = (size_t)s->model->config.text.hidden_size;
    int64_t start = dh_now_ns();
    float *rows = dh_big_alloc((size_t)tokens * hidden * sizeof(float));
    if (!rows) {
        dh_error("no memory for %d tokens of a picture", tokens);
        return DH_ERR_NOMEM;
    }
    struct dh_vit_run r = { .model = s->model,
                            .backend = &s->work.backend,
                            .cancel = s->cancel,
                            .probe = s->vit_probe,
                            .probe_user = s->vit_probe_user };
    enum dh_status st = dh_vit_encode(&r, p, rows);
    if (st) {
        dh_big_free(rows);
        return st;
    }
    s->stats.vision_s += dh_seconds_since(start);
    s->stats.image_tokens += (uint64_t)tokens;
    *out = rows;
    return DH_OK;
}

// --- what goes where --------------------------------------------------------

// A feed with pictures: where each token's row comes from.
struct plan {
    struct place *places; // [n]; NULL where no token is a placeholder
    uint64_t *hashes;     // [n_images]
    int *tokens;          // [n_images]
    float **rows;         // [n_images]; NULL: not needed
    bool *owned;          // [n_images]: rows are this plan's to free
    size_t n_images;
};

static void plan_finish(struct plan *p)
{
    for (size_t i = 0; i < p->n_images && p->owned; i++) {
        if (p->owned[i])
            dh_big_free(p->rows[i]);
    }
    dh_free(p->places);
    dh_free(p->hashes);
    dh_free(p->tokens);
    dh_free(p->rows);
    dh_free(p->owned);
}

static bool is_placeholder(const struct dh_model *m, int32_t id)
{
    return m->info.has_vision &&
           (id == m->info.image_token_id || id == m->info.video_token_id);
}

static enum dh_status check_ids(const struct dh_session *s, const int32_t *ids,
                                size_t n, bool *any)
{
    *any = false;
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0 || ids[i] >= s->model->info.vocab_size) {
            dh_error("id %d at %zu is not in the vocabulary", ids[i], i);
            return DH_ERR_RANGE;
        }
        *any |= is_placeholder(s->model, ids[i]);
    }
    return DH_OK;
}

static enum dh_status mismatch(const char *what, size_t at)
{
    dh_error("the pictures do not fit the placeholders: %s at token %zu", what,
             at);
    return DH_ERR_FORMAT;
}

// Give every placeholder its picture and row. A run of placeholders holds whole
// temporal groups.
static enum dh_status place_all(const struct dh_session *s, struct plan *p,
                                const int32_t *ids, size_t n,
                                const struct dh_session_image *images)
{
    size_t image = 0;
    int row = 0;
    for (size_t i = 0; i < n; i++) {
        if (!is_placeholder(s->model, ids[i]))
            continue;
        if (image == p->n_images)
            return mismatch("too few pictures", i);
        if (ids[i] != images[image].token_id)
            return mismatch("another kind of picture", i);
        int per = p->tokens[image] / images[image].patches->grid_t;
        p->places[i].tag = mix(p->hashes[image] + (uint64_t)row) | 1;
        p->places[i].row = NULL;
        if (++row == p->tokens[image]) {
            image++;
            row = 0;
        }
        bool ends = i + 1 == n || ids[i + 1] != ids[i];
        if (ends && row % per != 0)
            return mismatch("a run of another length", i);
    }
    if (image != p->n_images)
        return mismatch("too many pictures", n);
    return DH_OK;
}

static enum dh_status plan_init(struct dh_session *s, struct plan *p,
                                const int32_t *ids, size_t n,
                                const struct dh_session_image *images,
                                size_t n_images)
{
    bool any;
    memset(p, 0, sizeof(*p));
    enum dh_status st = check_ids(s, ids, n, &any);
    if (st || (!any && n_images == 0))
        return st;
    p->n_images = n_images;
    dh_array(p->places, n);
    dh_array(p->hashes, n_images);
    dh_array(p->tokens, n_images);
    dh_array(p->rows, n_images);
    dh_array(p->owned, n_images);
    for (size_t i = 0; i < n_images; i++) {
        p->tokens[i] = dh_vit_tokens(s->model, images[i].patches);
        if (p->tokens[i] == 0)
            return mismatch("a grid that is not the model's", 0);
        p->hashes[i] = images[i].hash ? images[i].hash
                                      : dh_session_hash(images[i].patches);
    }
    return place_all(s, p, ids, n, images);
}

// Encode picture i unless this session, or this feed, has its rows.
static enum dh_status plan_encode(struct dh_session *s, struct plan *p,
                                  const struct dh_session_image *images,
                                  size_t i)
{
    struct picture *kept = find_picture(s, p->hashes[i]);
    if (kept) {
        kept->used = ++s->clock;
        p->rows[i] = kept->rows;
        return DH_OK;
    }
    for (size_t j = 0; j < i; j++) {
        if (p->hashes[j] == p->hashes[i] && p->rows[j]) {
            p->rows[i] = p->rows[j];
            return DH_OK;
        }
    }
    enum dh_status st = encode(s, images[i].patches, p->tokens[i], &p->rows[i]);
    p->owned[i] = !st;
    return st;
}

// Rows for all placeholders from token `from` on.
static enum dh_status plan_rows(struct dh_session *s, struct plan *p, size_t n,
                                size_t from,
                                const struct dh_session_image *images)
{
    size_t hidden = (size_t)s->model->config.text.hidden_size;
    size_t image = 0;
    int row = 0;
    for (size_t i = 0; i < n && p->places; i++) {
        if (!p->places[i].tag)
            continue;
        if (i >= from && !p->rows[image]) {
            enum dh_status st = plan_encode(s, p, images, image);
            if (st)
                return st;
        }
        if (i >= from)
            p->places[i].row = p->rows[image] + (size_t)row * hidden;
        if (++row == p->tokens[image]) {
            image++;
            row = 0;
        }
    }
    return DH_OK;
}

// After a feed its rows are no more needed here: keep what was encoded for it.
static void plan_keep(struct dh_session *s, struct plan *p)
{
    for (size_t i = 0; i < p->n_images; i++) {
        if (!p->owned[i])
            continue;
        struct picture *place = free_place(s);
        *place = (struct picture){ p->hashes[i], p->tokens[i], p->rows[i],
                                   ++s->clock };
        p->owned[i] = false;
    }
}

// --- passes -----------------------------------------------------------------

static void embed(struct dh_session *s, const int32_t *ids,
                  const struct place *places, int n)
{
    const struct dh_mat *e = &s->model->weights.embed_tokens;
    size_t hidden = (size_t)e->cols;
    for (int i = 0; i < n; i++) {
        float *x = s->work.x + (size_t)i * hidden;
        if (places && places[i].row)
            memcpy(x, places[i].row, hidden * sizeof(float));
        else
            dh_quant_expand(x, e, ids[i], 0, e->cols);
    }
}

// Logits of the n rows before row `end` of the pass into s->logits.
static void make_logits(struct dh_session *s, int end, int n)
{
    struct dh_work part = s->work;
    const struct dh_mat *m = &s->model->weights.lm_head;
    part.n = end;
    dh_layer_norm_last(&part, part.x, n, part.norm);
    dh_backend_matmul(&part.backend, s->logits, (size_t)m->rows, part.norm,
                      (size_t)m->cols, n, m, NULL);
}

static void show_logits(struct dh_session *s)
{
    size_t vocab = (size_t)s->model->config.text.vocab_size;
    for (int i = 0; i < s->work.n; i += DH_SHARE_LOGITS) {
        int n = DH_MIN(DH_SHARE_LOGITS, s->work.n - i);
        make_logits(s, i + n, n);
        for (int j = 0; j < n; j++)
            s->watch(s->watch_user, s->work.from + (size_t)(i + j),
                     s->logits + (size_t)j * vocab);
    }
    if (s->share.wanted)
        make_logits(s, s->work.n, s->share.wanted);
}

// One pass; of its last rows the logits of `wanted` will be there.
static void begin_pass(struct dh_session *s, const int32_t *ids,
                       const struct place *places, int n, size_t from,
                       int wanted)
{
    s->work.n = n;
    s->work.from = from;
    embed(s, ids, places, n);
    s->share = (struct dh_share){ .work = &s->work,
                                  .wanted = wanted,
                                  .logits = s->logits };
    dh_batch_post(s->model->batch, &s->share);
}

static enum dh_status end_pass(struct dh_session *s)
{
    enum dh_status st = dh_batch_wait(s->model->batch, &s->share);
    if (st)
        return st;
    s->stats.passes++;
    s->stats.shared_passes += s->share.parts > 1;
    s->stats.others = s->share.parts - 1;
    if (s->watch)
        show_logits(s);
    return DH_OK;
}

// The last one has all the rows whose logits are wanted.
static enum dh_status run_passes(struct dh_session *s, const int32_t *ids,
                                 const struct place *places, size_t n,
                                 size_t wanted)
{
    for (size_t done = 0; done < n; done += (size_t)s->work.n) {
        size_t chunk = (size_t)s->work.chunk;
        if (done && s->stats.others && !s->model->experts &&
            chunk >= WAITED * DH_SHARE_LOGITS)
            chunk /= WAITED;
        size_t more = DH_MIN(chunk, n - done);
        if (more < n - done)
            more = DH_MIN(more, n - done - wanted);
        begin_pass(s, ids + done, places ? places + done : NULL, (int)more,
                   s->len + done, done + more == n ? (int)wanted : 0);
        enum dh_status st = end_pass(s);
        if (st)
            return st;
    }
    return dh_tensors_check(s->model->tensors);
}

static enum dh_status check_room(const struct dh_session *s, size_t more)
{
    if (more <= s->max_tokens - s->len)
        return DH_OK;
    dh_error("%zu tokens and %zu more: the cache holds %zu", s->len, more,
             s->max_tokens);
    return DH_ERR_RANGE;
}

static void open_cache(struct dh_session *s, size_t more)
{
    s->rows = 0;
    dh_kvcache_open(&s->work.cache, s->len, s->len + more);
}

// What came of n tokens since `start`: they are the timeline's, or forgotten.
static void keep(struct dh_session *s, const int32_t *ids,
                 const struct place *places, size_t n, int64_t start,
                 enum dh_status st)
{
    if (st) {
        dh_kvcache_trim(&s->work.cache, s->len);
        return;
    }
    double seconds = dh_seconds_since(start);
    *(n == 1 ? &s->stats.decode_s : &s->stats.prefill_s) += seconds;
    *(n == 1 ? &s->stats.decode_tokens : &s->stats.prefill_tokens) += n;
    for (size_t i = 0; i < n; i++) {
        s->ids[s->len + i] = ids[i];
        s->tags[s->len + i] = places ? places[i].tag : 0;
    }
    s->len += n;
    s->rows = s->share.wanted;
    dh_kvcache_show(&s->work.cache, s->ids, s->tags, s->len);
}

// Append ids[from..n), the plan being for all of ids[0..n).
static enum dh_status append(struct dh_session *s, struct plan *p,
                             const int32_t *ids, size_t n, size_t from,
                             const struct dh_session_image *images, int wanted)
{
    const struct place *places = p->places ? p->places + from : NULL;
    enum dh_status st = check_room(s, n - from);
    if (!st)
        st = plan_rows(s, p, n, from, images);
    if (st)
        return st;
    int64_t start = dh_now_ns();
    dh_mem_forbid(true);
    open_cache(s, n - from);
    st = run_passes(s, ids + from, places, n - from, (size_t)wanted);
    dh_mem_forbid(false);
    keep(s, ids + from, places, n - from, start, st);
    if (!st && p->places)
        plan_keep(s, p);
    return st;
}

// --- the public side --------------------------------------------------------

enum dh_status dh_session_feed(struct dh_session *s, const int32_t *ids,
                               size_t n, const struct dh_session_image *images,
                               size_t n_images)
{
    struct plan p;
    enum dh_status st = plan_init(s, &p, ids, n, images, n_images);
    if (!st && n > 0)
        st = append(s, &p, ids, n, 0, images, 1);
    plan_finish(&p);
    return st;
}

enum dh_status dh_session_feed_text(struct dh_session *s, const int32_t *ids,
                                    size_t n)
{
    struct plan p = { 0 };
    bool any;
    enum dh_status st = check_ids(s, ids, n, &any);
    return st || n == 0 ? st : append(s, &p, ids, n, 0, NULL, 1);
}

enum dh_status dh_session_feed_guess(struct dh_session *s, const int32_t *ids,
                                     size_t n, int n_guessed)
{
    struct plan p = { 0 };
    bool any;
    dh_assert(n_guessed >= 0 && n_guessed < s->work.chunk &&
              n_guessed <= DH_SESSION_GUESSES && n > (size_t)n_guessed);
    enum dh_status st = check_ids(s, ids, n, &any);
    return st ? st : append(s, &p, ids, n, 0, NULL, 1 + n_guessed);
}

static enum dh_status begin_turn(const struct dh_session_turn *t)
{
    struct dh_session *s = t->session;
    bool any;
    enum dh_status st = check_ids(s, t->ids, t->n, &any);
    if (!st && (t->n < 1 || t->n > (size_t)s->work.chunk)) {
        dh_error("%zu tokens in one pass: 1 to %d are possible", t->n,
                 s->work.chunk);
        st = DH_ERR_RANGE;
    }
    if (!st)
        st = check_room(s, t->n);
    if (st)
        return st;
    open_cache(s, t->n);
    begin_pass(s, t->ids, NULL, (int)t->n, s->len, 1);
    return DH_OK;
}

void dh_session_feed_together(struct dh_session_turn *turns, int n)
{
    int64_t start = dh_now_ns();
    dh_mem_forbid(true);
    for (int i = 0; i < n; i++)
        turns[i].status = begin_turn(&turns[i]);
    for (int i = 0; i < n; i++) {
        struct dh_session_turn *t = &turns[i];
        if (t->status)
            continue;
        t->status = end_pass(t->session);
        if (!t->status)
            t->status = dh_tensors_check(t->session->model->tensors);
        keep(t->session, t->ids, NULL, t->n, start, t->status);
    }
    dh_mem_forbid(false);
}

// Go on with pages of other timelines, and of what was rewound, from where this
// one is another than ids[0..most).
static void take_pages(struct dh_session *s, const int32_t *ids,
                       const struct place *places, size_t most)
{
    uint64_t tags[DH_PAGE] = { 0 };
    for (size_t at = s->len / DH_PAGE * DH_PAGE; at + DH_PAGE <= most;
         at += DH_PAGE) {
        for (size_t i = 0; i < DH_PAGE && places; i++)
            tags[i] = places[at + i].tag;
        if (!dh_kvcache_find(&s->work.cache, at, ids + at, tags))
            return;
        memcpy(s->ids + at, ids + at, DH_PAGE * sizeof *ids);
        memcpy(s->tags + at, tags, sizeof tags);
        s->len = at + DH_PAGE;
        s->rows = 0;
    }
}

enum dh_status dh_session_set(struct dh_session *s, const int32_t *ids,
                              size_t n, const struct dh_session_image *images,
                              size_t n_images, size_t *reused)
{
    struct plan p;
    enum dh_status st = plan_init(s, &p, ids, n, images, n_images);
    if (!st && n > s->max_tokens) {
        dh_error("%zu tokens: the cache holds %zu", n, s->max_tokens);
        st = DH_ERR_RANGE;
    }
    if (!st) {
        size_t same = 0, most = DH_MIN(s->len, n ? n - 1 : 0);
        while (same < most && s->ids[same] == ids[same] &&
               s->tags[same] == (p.places ? p.places[same].tag : 0))
            same++;
        dh_session_rewind(s, same);
        take_pages(s, ids, p.places, n ? n - 1 : 0);
        same = s->len;
        if (n > 0)
            st = append(s, &p, ids, n, same, images, 1);
        if (!st) {
            s->stats.reused_tokens += same;
            if (reused)
                *reused = same;
        }
    }
    plan_finish(&p);
    return st;
}

void dh_session_rewind(struct dh_session *s, size_t n)
{
    dh_assert(n <= s->len);
    if (n == s->len)
        return;
    s->len = n;
    s->rows = 0;
    dh_kvcache_trim(&s->work.cache, n);
}

size_t dh_session_len(const struct dh_session *s)
{
    return s->len;
}

size_t dh_session_room(const struct dh_session *s)
{
    return s->max_tokens - s->len;
}

const int32_t *dh_session_ids(const struct dh_session *s)
{
    return s->ids;
}

static struct dh_snapshot snapshot_of(struct dh_session *s)
{
    return (struct dh_snapshot){ s->model, &s->work.cache, s->ids, s->tags,
                                 s->max_tokens };
}

enum dh_status dh_session_save(struct dh_session *s, const char *path)
{
    struct dh_snapshot all = snapshot_of(s);
    return dh_snapshot_write(&all, s->len, path);
}

enum dh_status dh_session_load(struct dh_session *s, const char *path)
{
    struct dh_snapshot all = snapshot_of(s);
    size_t len = 0;
    enum dh_status st = dh_snapshot_read(&all, &len, path);
    if (st == DH_ERR_NOTFOUND)
        return st;
    s->len = len;
    s->rows = 0;
    dh_kvcache_trim(&s->work.cache, len);
    dh_kvcache_show(&s->work.cache, s->ids, s->tags, len);
    return st;
}

// Rows begin anywhere in one piece of noise.
#define NOISE 65536

enum dh_status dh_session_fill(struct dh_session *s, size_t n,
                               struct dh_rng *rng)
{
    const struct dh_text_config *t = &s->model->config.text;
    struct dh_kvcache *c = &s->work.cache;
    size_t row = (size_t)c->kv_heads * (size_t)c->dim;
    if (n > s->max_tokens - s->len)
        return DH_ERR_RANGE;
    float *noise;
    dh_array(noise, NOISE + 2 * row + (size_t)c->index_dim);
    for (size_t i = 0; i < NOISE + 2 * row + (size_t)c->index_dim; i++)
        noise[i] = (float)(2 * dh_rng_unit(rng) - 1);
    dh_kvcache_open(c, s->len, s->len + n);
    c->hidden = true;
    for (int l = 0; l < t->num_hidden_layers; l++) {
        for (size_t at = s->len; at < s->len + n; at++) {
            const float *k = noise + dh_rng_next(rng) % NOISE;
            if (at % DH_PANEL == 0)
                dh_kvcache_open_panel(c, l, at);
            dh_kvcache_put(c, l, at, k, k + row,
                           t->layer_sparse[l] ? k + 2 * row : NULL);
        }
    }
    memset(s->ids + s->len, 0, n * sizeof *s->ids);
    memset(s->tags + s->len, 0, n * sizeof *s->tags);
    s->len += n;
    s->rows = 0;
    dh_free(noise);
    return DH_OK;
}

const float *dh_session_logits(const struct dh_session *s)
{
    return s->rows ? dh_session_logits_at(s, s->rows - 1) : NULL;
}

const float *dh_session_logits_at(const struct dh_session *s, int i)
{
    dh_assert(i >= 0 && i < s->rows);
    return s->logits + (size_t)i * (size_t)s->model->info.vocab_size;
}

void dh_session_watch_logits(struct dh_session *s,
                             void (*fn)(void *user, size_t position,
                                        const float *logits),
                             void *user)
{
    s->watch = fn;
    s->watch_user = user;
}

void dh_session_get_stats(const struct dh_session *s,
                          struct dh_session_stats *out)
{
    *out = s->stats;
    out->attention_s = (double)*s->work.attend_ns / 1e9;
}

void dh_session_set_probe(struct dh_session *s, const struct dh_probe *probe)
{
    s->work.probe = probe;
}

void dh_session_set_vit_probe(struct dh_session *s, dh_vit_probe_fn fn,
                              void *user)
{
    s->vit_probe = fn;
    s->vit_probe_user = user;
}
