#include "model/experts_priv.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "model/places_priv.h"
#include "model/tensor_priv.h"

#define DH_LOG_TAG "experts"
#include "base/log.h"

// Enough to keep a fast disk busy; they wait for it, they do not compute.
#define READERS     8
// One that is computed with while the next one arrives.
#define ROOMS_MIN   2
// Experts of a pass that are read ahead: all that a token chose, and enough to
// keep the disk busy; more would push out what other layers want.
#define AHEAD       8
// How much the newest pass counts in what is known of an expert's use.
#define NEWEST      (1.0f / 64)
#define RATE_MIN    1e-3f
#define CANCEL_TICK (100 * DH_MS)

struct room {
    int key;     // layer * num_local_experts + expert; -1: empty
    int left;    // pieces that are not read yet
    int claimed; // pieces that a reader has begun
    int users;   // that wait for it or compute with it
    bool fresh;  // wanted by a pass that has not used it yet
    int error;   // of a piece: as dh_places_read; 0: none
    int next;    // in the line of those to read
    uint8_t *memory;
    struct dh_mlp_weights mlp;
};

struct dh_experts {
    // set before start
    const struct dh_weights *weights;
    struct dh_places places;
    int n_experts, n_layers, n_rooms, n_keys;
    void *memory;
    struct dh_thread readers[READERS];
    struct dh_mutex lock;
    struct dh_cond more;    // to read, or the end
    struct dh_cond arrived; // an expert, or one was put back
    // guarded by lock
    struct room *rooms;
    int *room_of; // [n_keys], -1: none
    float *rate;  // [n_keys]: of passes that used it, the latest counting most
    int first, last; // of the line; first -1: empty
    int reading;     // pieces
    int64_t reading_since;
    bool stop;
    struct dh_model_reads reads;
    int64_t read_ns, wait_ns;
};

// ------------------------------------------------------------------- readers

static void finish_piece(struct dh_experts *x, struct room *r, int error,
                         size_t bytes)
{
    if (--x->reading == 0)
        x->read_ns += dh_now_ns() - x->reading_since;
    x->reads.bytes += bytes;
    if (error)
        r->error = error;
    if (--r->left > 0)
        return;
    // Nobody is told of an error that nobody waits for: who takes this expert
    // tries once more.
    if (r->error && r->users == 0) {
        x->room_of[r->key] = -1;
        r->key = -1;
    }
    dh_cond_broadcast(&x->arrived);
}

static void read_pieces(void *arg)
{
    struct dh_experts *x = arg;
    dh_mutex_lock(&x->lock);
    while (!x->stop) {
        if (x->first < 0) {
            dh_cond_wait(&x->more, &x->lock);
            continue;
        }
        struct room *r = &x->rooms[x->first];
        const struct dh_place *place = &x->places.of[r->key];
        int piece = r->claimed++;
        if (r->claimed == place->n_pieces)
            x->first = r->next;
        if (x->reading++ == 0)
            x->reading_since = dh_now_ns();
        dh_mutex_unlock(&x->lock);
        size_t bytes = 0;
        int error = dh_places_read(&x->places, place, piece, r->memory, &bytes);
        dh_mutex_lock(&x->lock);
        finish_piece(x, r, error, bytes);
    }
    dh_mutex_unlock(&x->lock);
}

// --------------------------------------------------------------------- rooms

/*
 * In passes: when an expert is expected to be used next, seen from this layer.
 * Layers come in turn, and an expert is used in a share of the passes. While a
 * prompt is read that share is near 1, and the expert that was used last is the
 * one to go. The one that was not used for the longest time, the usual choice,
 * is then the next to be needed: a model of 684 million parameters in 43 % of
 * its size so found 0.3 % of the experts of a prompt and 37 % of those of 250
 * tokens that follow, against 26 % and 53 % with this.
 */
static float next_use(const struct dh_experts *x, const struct room *r,
                      int layer)
{
    int ahead = r->key / x->n_experts - layer;
    if (ahead <= 0)
        ahead += x->n_layers;
    float rate = DH_MAX(x->rate[r->key], RATE_MIN);
    return (float)ahead / (float)x->n_layers + 1 / rate;
}

// The room to give up, or NULL. What a pass waits for goes only where `any`.
static struct room *find_room(struct dh_experts *x, int layer, bool any)
{
    struct room *best = NULL;
    float latest = 0;
    for (int i = 0; i < x->n_rooms; i++) {
        struct room *r = &x->rooms[i];
        if (r->key < 0)
            return r;
        if (r->users > 0 || r->left > 0 || (r->fresh && !any))
            continue;
        float next = next_use(x, r, layer);
        if (!best || next > latest) {
            best = r;
            latest = next;
        }
    }
    return best;
}

// Put an expert into the line of those to read.
static struct room *start_reading(struct dh_experts *x, int layer, int expert,
                                  bool any)
{
    struct room *r = find_room(x, layer, any);
    if (!r)
        return NULL;
    if (r->key >= 0)
        x->room_of[r->key] = -1;
    int key = layer * x->n_experts + expert, at = (int)(r - x->rooms);
    const struct dh_place *place = &x->places.of[key];
    *r = (struct room){
        .key = key,
        .left = place->n_pieces,
        .fresh = true,
        .next = -1,
        .memory = r->memory,
        .mlp = dh_places_view(place, &x->weights->layers[layer].experts[expert],
                              r->memory),
    };
    x->room_of[key] = at;
    if (x->first < 0)
        x->first = at;
    else
        x->rooms[x->last].next = at;
    x->last = at;
    dh_cond_broadcast(&x->more);
    return r;
}

static struct room *find_expert(struct dh_experts *x, int layer, int expert)
{
    int at = x->room_of[layer * x->n_experts + expert];
    return at < 0 ? NULL : &x->rooms[at];
}

// In their order, as long as there is room.
static void want(struct dh_experts *x, int layer, const int32_t *experts, int n)
{
    for (int i = 0; i < DH_MIN(n, AHEAD); i++) {
        struct room *r = find_expert(x, layer, experts[i]);
        if (r)
            r->fresh = true;
        else if (!start_reading(x, layer, experts[i], false))
            return;
    }
}

// ---------------------------------------------------------------------- life

static enum dh_status check_budget(const struct dh_places *p, size_t resident,
                                   size_t budget)
{
    size_t rooms = DH_MIN(p->n, ROOMS_MIN), mib = (size_t)1 << 20;
    size_t least = resident + rooms * p->bytes + DH_PLACE_ALIGN;
    if (budget >= least)
        return DH_OK;
    dh_error("the weights do not fit into %.1f MiB of memory: what every token "
             "needs is %.1f MiB, and experts come and go in %zu rooms of "
             "%.1f MiB; the least that works is %zuM",
             (double)budget / (double)mib, (double)resident / (double)mib,
             rooms, (double)p->bytes / (double)mib, (least + mib - 1) / mib);
    return DH_ERR_RANGE;
}

static enum dh_status open_rooms(struct dh_experts *x, size_t bytes)
{
    size_t room = x->places.bytes;
    size_t n = room ? DH_MIN((bytes - DH_PLACE_ALIGN) / room, x->places.n) : 0;
    x->n_rooms = (int)n;
    dh_array(x->rooms, n);
    dh_array(x->rate, (size_t)x->n_keys);
    dh_array(x->room_of, (size_t)x->n_keys);
    for (int i = 0; i < x->n_keys; i++)
        x->room_of[i] = -1;
    x->memory = dh_big_alloc(n * room + DH_PLACE_ALIGN);
    if (!x->memory) {
        dh_error("no memory for %zu experts of %zu bytes", n, room);
        return DH_ERR_NOMEM;
    }
    uint8_t *at = x->memory;
    at += (DH_PLACE_ALIGN - (uintptr_t)at % DH_PLACE_ALIGN) % DH_PLACE_ALIGN;
    for (size_t i = 0; i < n; i++)
        x->rooms[i] = (struct room){ .key = -1, .memory = at + i * room };
    for (int i = 0; i < READERS && n > 0; i++) {
        enum dh_status st =
            dh_thread_start(&x->readers[i], "dh-read", read_pieces, x);
        if (st)
            return st;
    }
    return DH_OK;
}

enum dh_status dh_experts_create(struct dh_experts **out,
                                 const struct dh_config *config,
                                 struct dh_weights *w,
                                 const struct dh_tensors *t, size_t budget)
{
    struct dh_places places;
    enum dh_status st = dh_places_init(&places, config, w, t);
    if (st)
        return st;
    struct dh_experts *x;
    dh_new(x);
    dh_mutex_init(&x->lock);
    dh_cond_init(&x->more);
    dh_cond_init(&x->arrived);
    x->places = places;
    x->weights = w;
    x->first = -1;
    x->n_layers = config->text.num_hidden_layers;
    x->n_experts = config->text.num_local_experts;
    x->n_keys = x->n_layers * x->n_experts;
    st = check_budget(&x->places, w->resident_bytes, budget);
    if (!st) {
        dh_weights_finish(w);
        st = dh_weights_init(w, config, t, DH_WEIGHTS_RESIDENT);
    }
    if (!st)
        st = open_rooms(x, budget - w->resident_bytes);
    dh_tensors_advise(t, true);
    x->reads.budget_bytes = (int64_t)budget;
    x->reads.resident_bytes = (int64_t)w->resident_bytes;
    if (st)
        dh_experts_destroy(x);
    else
        *out = x;
    return st;
}

void dh_experts_destroy(struct dh_experts *x)
{
    if (!x)
        return;
    dh_mutex_lock(&x->lock);
    x->stop = true;
    dh_cond_broadcast(&x->more);
    dh_mutex_unlock(&x->lock);
    for (int i = 0; i < READERS; i++)
        dh_thread_join(&x->readers[i]);
    dh_mutex_finish(&x->lock);
    dh_cond_finish(&x->more);
    dh_cond_finish(&x->arrived);
    dh_places_finish(&x->places);
    dh_big_free(x->memory);
    dh_free(x->rooms);
    dh_free(x->room_of);
    dh_free(x->rate);
    dh_free(x);
}

// -------------------------------------------------------------------- passes

void dh_experts_begin(struct dh_experts *x, int layer, const int32_t *experts,
                      int n)
{
    dh_mutex_lock(&x->lock);
    float *rate = x->rate + layer * x->n_experts;
    for (int e = 0; e < x->n_experts; e++)
        rate[e] *= 1 - NEWEST;
    for (int i = 0; i < n; i++) {
        rate[experts[i]] += NEWEST;
        if (find_expert(x, layer, experts[i]))
            x->reads.hits++;
        else
            x->reads.misses++;
    }
    want(x, layer, experts, n);
    dh_mutex_unlock(&x->lock);
}

static enum dh_status say_error(const struct dh_experts *x,
                                const struct room *r)
{
    const struct dh_place_read *at = &x->places.of[r->key].reads[0];
    dh_error("cannot read expert %d of layer %d, from byte %" PRIu64
             " of %s: %s",
             r->key % x->n_experts, r->key / x->n_experts, at->from,
             x->places.tensors->files[at->file].path,
             r->error == DH_PLACE_SHORT ? "the file was cut short"
                                        : strerror(r->error));
    return DH_ERR_IO;
}

// With a room of the expert that this thread uses, and all of it there.
static enum dh_status wait_for(struct dh_experts *x, int layer, int expert,
                               struct dh_cancel *cancel, struct room **out)
{
    struct room *r = NULL;
    for (;;) {
        if (!r) {
            r = find_expert(x, layer, expert);
            if (!r)
                r = start_reading(x, layer, expert, true);
            if (r)
                r->users++;
        }
        if (r && r->left == 0)
            break;
        if (dh_cancel_is_set(cancel)) {
            if (r)
                r->users--;
            return DH_ERR_CANCELLED;
        }
        (void)dh_cond_wait_until(&x->arrived, &x->lock,
                                 dh_now_ns() + CANCEL_TICK);
    }
    if (!r->error) {
        *out = r;
        return DH_OK;
    }
    enum dh_status st = say_error(x, r);
    if (--r->users == 0) {
        x->room_of[r->key] = -1;
        r->key = -1;
    }
    return st;
}

enum dh_status dh_experts_take(struct dh_experts *x, int layer,
                               const int32_t *experts, int n,
                               struct dh_cancel *cancel,
                               const struct dh_mlp_weights **out)
{
    struct room *r = NULL;
    dh_mutex_lock(&x->lock);
    want(x, layer, experts, n);
    int64_t start = dh_now_ns();
    enum dh_status st = wait_for(x, layer, experts[0], cancel, &r);
    x->wait_ns += dh_now_ns() - start;
    dh_mutex_unlock(&x->lock);
    if (!st)
        *out = &r->mlp;
    return st;
}

void dh_experts_put(struct dh_experts *x, int layer, int expert)
{
    dh_mutex_lock(&x->lock);
    struct room *r = find_expert(x, layer, expert);
    dh_assert(r && r->users > 0);
    r->users--;
    r->fresh = false;
    dh_cond_broadcast(&x->arrived);
    dh_mutex_unlock(&x->lock);
}

void dh_experts_get_reads(struct dh_experts *x, struct dh_model_reads *out)
{
    dh_mutex_lock(&x->lock);
    *out = x->reads;
    out->read_s = (double)x->read_ns / 1e9;
    out->wait_s = (double)x->wait_ns / 1e9;
    dh_mutex_unlock(&x->lock);
}
