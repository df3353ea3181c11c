#include "model/kvpages_priv.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"

#define DH_LOG_TAG "kvpages"
#include "base/log.h"

struct page {
    float *memory;
    int holders;
    uint64_t used; // when it was let go of; 0: nothing in it is wanted
    // What is in it, once that can be found.
    bool shown;
    uint64_t key;
    uint64_t life; // another one each time the content is another
    int32_t before;
    uint64_t before_life;
    int32_t ids[DH_PAGE];
    uint64_t tags[DH_PAGE];
};

// The memory of pages that were made together.
struct arena {
    struct arena *next;
    float *memory;
};

struct dh_kvpages {
    struct dh_mutex lock;
    size_t floats; // of a page
    struct page *page;
    size_t n, promised;
    struct arena *arenas;
    uint64_t clock;
    int users;
};

// --- life -------------------------------------------------------------------

// A step reads keys from all over this memory, and larger pages of the system
// are found faster. It is only asked for them.
static void ask_for_large_pages(void *memory, size_t bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), at = (uintptr_t)memory;
    uintptr_t first = (at + page - 1) / page * page;
    uintptr_t end = (at + bytes) / page * page;
    if (first < end)
        (void)madvise((void *)first, end - first, MADV_HUGEPAGE);
}

// With the lock held.
static enum dh_status grow(struct dh_kvpages *p, size_t n)
{
    size_t bytes, all;
    float *memory = NULL;
    struct page *page = NULL;
    if (dh_mul_size(p->floats, sizeof(float), &bytes) &&
        dh_mul_size(bytes, n, &bytes))
        memory = dh_big_alloc(bytes);
    if (memory && dh_mul_size(p->n + n, sizeof *page, &all))
        page = dh_big_zalloc(all);
    if (!page) {
        dh_big_free(memory);
        return DH_ERR_NOMEM;
    }
    ask_for_large_pages(memory, bytes);
    if (p->n)
        memcpy(page, p->page, p->n * sizeof *page);
    for (size_t i = 0; i < n; i++)
        page[p->n + i].memory = memory + i * p->floats;
    dh_big_free(p->page);
    p->page = page;
    p->n += n;
    struct arena *a;
    dh_new(a);
    a->memory = memory;
    a->next = p->arenas;
    p->arenas = a;
    return DH_OK;
}

static void destroy(struct dh_kvpages *p)
{
    for (struct arena *a = p->arenas, *next; a; a = next) {
        next = a->next;
        dh_big_free(a->memory);
        dh_free(a);
    }
    dh_big_free(p->page);
    dh_mutex_finish(&p->lock);
    dh_free(p);
}

enum dh_status dh_kvpages_join(struct dh_kvpages **pages, size_t floats,
                               size_t n)
{
    struct dh_kvpages *p = *pages;
    if (!p) {
        dh_new(p);
        dh_mutex_init(&p->lock);
        p->floats = floats;
    }
    dh_mutex_lock(&p->lock);
    dh_assert(p->floats == floats);
    enum dh_status st = DH_OK;
    if (p->promised + n > p->n)
        st = grow(p, p->promised + n - p->n);
    if (!st) {
        p->promised += n;
        p->users++;
    }
    int users = p->users;
    dh_mutex_unlock(&p->lock);
    if (users == 0)
        destroy(p);
    else
        *pages = p;
    return st;
}

void dh_kvpages_leave(struct dh_kvpages *p, size_t n)
{
    if (!p)
        return;
    dh_mutex_lock(&p->lock);
    p->promised -= n;
    int users = --p->users;
    dh_mutex_unlock(&p->lock);
    if (users == 0)
        destroy(p);
}

// --- pages ------------------------------------------------------------------

static struct page *at(const struct dh_kvpages *p, int32_t number)
{
    dh_debug_assert(number >= 0 && (size_t)number < p->n);
    return &p->page[number];
}

static struct dh_kvpage handle(const struct dh_kvpages *p, const struct page *g)
{
    return (struct dh_kvpage){ (int32_t)(g - p->page), g->memory };
}

// What was in it is found no more, nor what came after it.
static void forget(struct dh_kvpages *p, struct page *g)
{
    g->shown = false;
    g->used = 0;
    g->life = ++p->clock;
}

// With the lock held, as all below.
static struct page *take(struct dh_kvpages *p)
{
    struct page *best = NULL;
    for (size_t i = 0; i < p->n; i++) {
        struct page *g = &p->page[i];
        if (g->holders == 0 && (!best || g->used < best->used))
            best = g;
    }
    // Nobody holds more than was promised.
    dh_assert(best);
    forget(p, best);
    best->holders = 1;
    return best;
}

static void drop(struct dh_kvpages *p, struct page *g)
{
    dh_assert(g->holders > 0);
    if (--g->holders == 0)
        g->used = g->shown ? ++p->clock : 0;
}

static uint64_t key_of(const struct dh_kvpage_text *t)
{
    return dh_hash_bytes(t->ids, DH_PAGE * sizeof *t->ids) ^
           dh_hash_bytes(t->tags, DH_PAGE * sizeof *t->tags) >> 1;
}

static struct page *find(const struct dh_kvpages *p,
                         const struct dh_kvpage_text *t, uint64_t key)
{
    uint64_t life = t->before < 0 ? 0 : at(p, t->before)->life;
    for (size_t i = 0; i < p->n; i++) {
        struct page *g = &p->page[i];
        if (g->shown && g->key == key && g->before == t->before &&
            g->before_life == life &&
            memcmp(g->ids, t->ids, sizeof g->ids) == 0 &&
            memcmp(g->tags, t->tags, sizeof g->tags) == 0)
            return g;
    }
    return NULL;
}

struct dh_kvpage dh_kvpages_take(struct dh_kvpages *p)
{
    dh_mutex_lock(&p->lock);
    struct dh_kvpage out = handle(p, take(p));
    dh_mutex_unlock(&p->lock);
    memset(out.memory, 0, p->floats * sizeof(float));
    return out;
}

void dh_kvpages_hold(struct dh_kvpages *p, int32_t number)
{
    dh_mutex_lock(&p->lock);
    at(p, number)->holders++;
    dh_mutex_unlock(&p->lock);
}

void dh_kvpages_drop(struct dh_kvpages *p, int32_t number)
{
    dh_mutex_lock(&p->lock);
    drop(p, at(p, number));
    dh_mutex_unlock(&p->lock);
}

struct dh_kvpage dh_kvpages_own(struct dh_kvpages *p, int32_t number)
{
    dh_mutex_lock(&p->lock);
    struct page *g = at(p, number);
    if (g->holders > 1) {
        // The others only read it.
        struct page *mine = take(p);
        memcpy(mine->memory, g->memory, p->floats * sizeof(float));
        drop(p, g);
        g = mine;
    } else if (g->shown) {
        forget(p, g);
    }
    struct dh_kvpage out = handle(p, g);
    dh_mutex_unlock(&p->lock);
    return out;
}

struct dh_kvpage dh_kvpages_show(struct dh_kvpages *p, int32_t number,
                                 const struct dh_kvpage_text *t)
{
    uint64_t key = key_of(t);
    dh_mutex_lock(&p->lock);
    struct page *g = at(p, number), *same = find(p, t, key);
    if (same && same != g) {
        same->holders++;
        drop(p, g);
        g = same;
    } else if (!same) {
        g->shown = true;
        g->key = key;
        g->before = t->before;
        g->before_life = t->before < 0 ? 0 : at(p, t->before)->life;
        memcpy(g->ids, t->ids, sizeof g->ids);
        memcpy(g->tags, t->tags, sizeof g->tags);
    }
    struct dh_kvpage out = handle(p, g);
    dh_mutex_unlock(&p->lock);
    return out;
}

struct dh_kvpage dh_kvpages_find(struct dh_kvpages *p,
                                 const struct dh_kvpage_text *t)
{
    struct dh_kvpage out = { -1, NULL };
    uint64_t key = key_of(t);
    dh_mutex_lock(&p->lock);
    struct page *g = find(p, t, key);
    if (g) {
        g->holders++;
        out = handle(p, g);
    }
    dh_mutex_unlock(&p->lock);
    return out;
}

size_t dh_kvpages_held(struct dh_kvpages *p)
{
    size_t n = 0;
    dh_mutex_lock(&p->lock);
    for (size_t i = 0; i < p->n; i++)
        n += p->page[i].holders > 0;
    dh_mutex_unlock(&p->lock);
    return n;
}
