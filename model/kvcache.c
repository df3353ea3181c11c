#include "model/kvcache_priv.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

#define DH_LOG_TAG "kvcache"
#include "base/log.h"

const char *const dh_cache_type_names[] = { "auto", "int8", NULL };

// Floats of a page that `width` numbers of each token take.
static size_t numbers_floats(const struct dh_kvcache *c, int width)
{
    return DH_PAGE * (size_t)width / (c->codes ? 4 : c->pairs ? 2 : 1);
}

static size_t scales_floats(const struct dh_kvcache *c)
{
    return c->codes ? DH_PAGE : 0;
}

// The same for one head of one layer, scales behind the numbers.
static size_t keys_floats(const struct dh_kvcache *c)
{
    return numbers_floats(c, c->dim) + scales_floats(c);
}

static size_t values_floats(const struct dh_kvcache *c)
{
    return numbers_floats(c, c->ldv) + scales_floats(c);
}

static size_t index_floats(const struct dh_kvcache *c)
{
    return DH_PAGE * (size_t)c->index_dim / (c->index_pairs ? 2 : 1);
}

static size_t pages_of(size_t tokens)
{
    return (tokens + DH_PAGE - 1) / DH_PAGE;
}

enum dh_status dh_kvcache_init(struct dh_kvcache *c,
                               const struct dh_text_config *t,
                               const struct dh_kernels *k,
                               enum dh_cache_type type, size_t max_tokens,
                               const struct dh_kvcache *beside)
{
    memset(c, 0, sizeof(*c));
    c->kv_heads = t->num_key_value_heads;
    c->dim = t->head_dim;
    c->ldv = (t->head_dim + 15) / 16 * 16;
    c->pairs = dh_attend_pairs(k, c->dim);
    c->codes = beside ? beside->codes : type == DH_CACHE_INT8;
    c->index_dim = t->index_head_dim;
    c->index_pairs = dh_attend_pairs(k, c->index_dim);
    c->cap = pages_of(max_tokens) * DH_PAGE;
    dh_array(c->layer, (size_t)t->num_hidden_layers);
    for (int i = 0; i < t->num_hidden_layers; i++) {
        c->layer[i] = c->page_floats;
        c->page_floats +=
            (keys_floats(c) + values_floats(c)) * (size_t)c->kv_heads +
            (t->layer_sparse[i] ? index_floats(c) : 0);
    }
    struct dh_kvpages *pages = beside ? beside->pages : NULL;
    enum dh_status st =
        dh_kvpages_join(&pages, c->page_floats, c->cap / DH_PAGE);
    if (st) {
        dh_error("no memory for a cache of %zu tokens", max_tokens);
        return st;
    }
    c->pages = pages;
    dh_array(c->page, c->cap / DH_PAGE);
    dh_array(c->number, c->cap / DH_PAGE);
    return DH_OK;
}

void dh_kvcache_finish(struct dh_kvcache *c)
{
    dh_kvcache_trim(c, 0);
    dh_kvpages_leave(c->pages, c->cap / DH_PAGE);
    dh_free(c->layer);
    dh_free(c->page);
    dh_free(c->number);
    memset(c, 0, sizeof(*c));
}

// --- where things are -------------------------------------------------------

static size_t keys_at(const struct dh_kvcache *c, int layer, int head)
{
    return c->layer[layer] + (size_t)head * keys_floats(c);
}

static size_t values_at(const struct dh_kvcache *c, int layer, int head)
{
    return c->layer[layer] + (size_t)c->kv_heads * keys_floats(c) +
           (size_t)head * values_floats(c);
}

static size_t index_at(const struct dh_kvcache *c, int layer)
{
    return values_at(c, layer, c->kv_heads);
}

struct dh_attend_head dh_kvcache_get_head(const struct dh_kvcache *c, int layer,
                                          int head)
{
    size_t k = keys_at(c, layer, head), v = values_at(c, layer, head);
    struct dh_attend_head h = dh_attend_head_of(c->pairs, c->page[0] + k,
                                                c->page[0] + v, c->dim, c->ldv);
    h.pages = c->page;
    h.keys_at = k;
    h.values_at = v;
    h.codes = c->codes;
    h.key_scales_at = k + numbers_floats(c, c->dim);
    h.value_scales_at = v + numbers_floats(c, c->ldv);
    h.page_panels = DH_PAGE / DH_PANEL;
    return h;
}

const float *dh_kvcache_get_index(const struct dh_kvcache *c, int layer,
                                  size_t panel)
{
    size_t each = DH_PAGE / DH_PANEL;
    return c->page[panel / each] + index_at(c, layer) +
           panel % each * (index_floats(c) / each);
}

void dh_kvcache_put(struct dh_kvcache *c, int layer, size_t token,
                    const float *k, const float *v, const float *index_k)
{
    float *page = c->page[token / DH_PAGE];
    token %= DH_PAGE;
    for (int h = 0; h < c->kv_heads; h++) {
        size_t at = (size_t)h * (size_t)c->dim;
        float *keys = page + keys_at(c, layer, h);
        float *values = page + values_at(c, layer, h);
        if (c->codes) {
            keys[numbers_floats(c, c->dim) + token] = dh_attend_put_key_codes(
                c->pairs, (int8_t *)(void *)keys, c->dim, token, k + at);
            values[numbers_floats(c, c->ldv) + token] =
                dh_attend_put_value_codes(c->pairs, (int8_t *)(void *)values,
                                          c->dim, c->ldv, token, v + at);
            continue;
        }
        dh_attend_put_key(c->pairs, keys, c->dim, token, k + at);
        dh_attend_put_value(c->pairs, values, c->dim, c->ldv, token, v + at);
    }
    if (index_k)
        dh_attend_put_key(c->index_pairs, page + index_at(c, layer),
                          c->index_dim, token, index_k);
}

void dh_kvcache_open_panel(struct dh_kvcache *c, int layer, size_t token)
{
    float *page = c->page[token / DH_PAGE];
    size_t numbers = numbers_floats(c, c->ldv),
           panel = token % DH_PAGE / DH_PANEL;
    // A code is finite whatever it is: of these, scales count.
    size_t floats = c->codes ? DH_PANEL : numbers / (DH_PAGE / DH_PANEL);
    size_t first = (c->codes ? numbers : 0) + panel * floats;
    for (int h = 0; h < c->kv_heads; h++)
        memset(page + values_at(c, layer, h) + first, 0,
               floats * sizeof(float));
}

// --- pages ------------------------------------------------------------------

static void push(struct dh_kvcache *c, size_t at, struct dh_kvpage p)
{
    c->page[at] = p.memory;
    c->number[at] = p.number;
    c->n = DH_MAX(c->n, at + 1);
}

void dh_kvcache_trim(struct dh_kvcache *c, size_t tokens)
{
    // The last first, which is the one that is needed again least.
    while (c->n > pages_of(tokens))
        dh_kvpages_drop(c->pages, c->number[--c->n]);
    c->shown = DH_MIN(c->shown, tokens / DH_PAGE);
    c->hidden &= tokens > 0;
}

void dh_kvcache_open(struct dh_kvcache *c, size_t from, size_t to)
{
    dh_assert(from <= to && to <= c->cap);
    dh_kvcache_trim(c, from);
    if (from % DH_PAGE && from < to)
        push(c, from / DH_PAGE, dh_kvpages_own(c->pages, c->number[c->n - 1]));
    while (c->n < pages_of(to))
        push(c, c->n, dh_kvpages_take(c->pages));
}

static struct dh_kvpage_text text_of(const struct dh_kvcache *c, size_t page,
                                     const int32_t *ids, const uint64_t *tags)
{
    return (struct dh_kvpage_text){ page ? c->number[page - 1] : -1, ids,
                                    tags };
}

void dh_kvcache_show(struct dh_kvcache *c, const int32_t *ids,
                     const uint64_t *tags, size_t tokens)
{
    for (; !c->hidden && c->shown < tokens / DH_PAGE; c->shown++) {
        size_t at = c->shown * DH_PAGE;
        struct dh_kvpage_text text = text_of(c, c->shown, ids + at, tags + at);
        push(c, c->shown,
             dh_kvpages_show(c->pages, c->number[c->shown], &text));
    }
}

bool dh_kvcache_find(struct dh_kvcache *c, size_t tokens, const int32_t *ids,
                     const uint64_t *tags)
{
    size_t at = tokens / DH_PAGE;
    if (c->hidden || c->shown < at)
        return false;
    struct dh_kvpage_text text = text_of(c, at, ids, tags);
    struct dh_kvpage found = dh_kvpages_find(c->pages, &text);
    if (found.number < 0)
        return false;
    dh_kvcache_trim(c, tokens);
    push(c, at, found);
    c->shown = c->n;
    return true;
}

void dh_kvcache_copy(struct dh_kvcache *c, const struct dh_kvcache *other,
                     size_t tokens)
{
    dh_assert(c->pages == other->pages && tokens <= c->cap);
    dh_kvcache_trim(c, 0);
    for (size_t i = 0; i < pages_of(tokens); i++) {
        dh_kvpages_hold(c->pages, other->number[i]);
        push(c, i, (struct dh_kvpage){ other->number[i], other->page[i] });
    }
    c->shown = DH_MIN(other->shown, tokens / DH_PAGE);
    c->hidden = other->hidden;
}
