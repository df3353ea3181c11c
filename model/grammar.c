#include "model/grammar.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/grammar_priv.h"
#include "model/tokenizer_priv.h"

// Longer pieces of the vocabulary are rulers and runs of spaces; the same text
// can be had from shorter ones.
#define MAX_PIECE  32
#define MAX_ANSWER 4096
#define MAX_PROBE  8
#define N_CACHED   24
#define WORDS      ((size_t)DH_GRAMMAR_MAX_VOCAB / 64)

// A piece of the vocabulary, in the order of its bytes.
struct entry {
    const char *text;
    int32_t id;
    uint8_t len;
    uint8_t shared; // bytes in common with the entry before
};

struct cached {
    bool used;
    struct dh_automaton_state key;
    uint64_t *bits;
};

struct dh_grammar {
    const struct dh_tokenizer *t;
    struct dh_automaton automaton;
    struct dh_automaton_state state;
    int32_t eos;
    int32_t tag[2]; // <tool_call>, </tool_call> as added tokens, or -1

    struct entry *entries;
    size_t first[257]; // entry of each first byte

    uint64_t *bits; // WORDS of them
    size_t words;   // of those, the ones that ids of ours can set
    struct cached cache[N_CACHED];
    size_t next_cached;

    // The answer so far, and room to look ahead.
    char text[MAX_ANSWER + MAX_PROBE];
    bool ours[MAX_ANSWER + MAX_PROBE]; // the byte is of the form, not a hole
    size_t len;
    struct dh_ids ids;
    struct dh_ids ahead;
    struct dh_encode_scratch *scratch;
    struct dh_pretok_scratch *pretok;
};

static const char *const tag_text[2] = { "<tool_call>", "</tool_call>" };

// ---- vocabulary ------------------------------------------------------------

static int compare_entries(const void *x, const void *y)
{
    const struct entry *a = x, *b = y;
    int c = memcmp(a->text, b->text, DH_MIN(a->len, b->len));
    return c ? c : (int)a->len - (int)b->len;
}

static void fill_entries(struct dh_grammar *g)
{
    size_t n = 0;
    dh_array(g->entries, (size_t)g->t->size);
    for (int32_t id = 0; id < g->t->size; id++) {
        struct dh_str s = dh_tokenizer_text(g->t, id);
        if (s.n > 0 && s.n <= MAX_PIECE && id != g->eos &&
            !dh_tokenizer_is_added(g->t, id))
            g->entries[n++] = (struct entry){ s.p, id, (uint8_t)s.n, 0 };
    }
    qsort(g->entries, n, sizeof *g->entries, compare_entries);
    size_t i = 0;
    for (unsigned b = 0; b < 256; b++) {
        g->first[b] = i;
        for (; i < n && (unsigned char)g->entries[i].text[0] == b; i++) {
            struct entry *e = &g->entries[i];
            uint8_t k = 0;
            while (i > 0 && k < e->len && k < e[-1].len &&
                   e->text[k] == e[-1].text[k])
                k++;
            e->shared = k;
        }
    }
    g->first[256] = i;
}

// ---- life ------------------------------------------------------------------

static enum dh_status init_buffers(struct dh_grammar *g)
{
    g->bits = dh_big_zalloc((N_CACHED + 1) * WORDS * sizeof *g->bits);
    if (!g->bits)
        return DH_ERR_NOMEM;
    g->words = (size_t)DH_MAX(g->t->size, g->eos + 1) / 64 + 1;
    for (size_t i = 0; i < N_CACHED; i++)
        g->cache[i].bits = g->bits + (i + 1) * WORDS;
    for (int k = 0; k < MAX_ANSWER + MAX_PROBE; k++) {
        dh_ids_put(&g->ids, 0);
        dh_ids_put(&g->ahead, 0);
    }
    g->pretok = dh_pretok_scratch_create(g->t->pretok);
    return dh_encode_scratch_create(&g->scratch, g->t, MAX_ANSWER + MAX_PROBE);
}

enum dh_status dh_grammar_create(struct dh_grammar **out,
                                 enum dh_grammar_kind kind,
                                 const struct dh_tokenizer *t, int32_t eos)
{
    if (eos < 0 || eos >= DH_GRAMMAR_MAX_VOCAB ||
        t->size > DH_GRAMMAR_MAX_VOCAB)
        return DH_ERR_RANGE;
    struct dh_grammar *g;
    dh_new(g);
    g->t = t;
    g->eos = eos;
    for (int k = 0; k < 2; k++)
        g->tag[k] = dh_tokenizer_find_added(t, tag_text[k]);
    dh_automaton_build(&g->automaton, kind);
    fill_entries(g);
    enum dh_status st = init_buffers(g);
    if (st) {
        dh_grammar_destroy(g);
        return st;
    }
    dh_grammar_reset(g);
    *out = g;
    return DH_OK;
}

void dh_grammar_destroy(struct dh_grammar *g)
{
    if (!g)
        return;
    dh_free(g->entries);
    dh_big_free(g->bits);
    dh_ids_finish(&g->ids);
    dh_ids_finish(&g->ahead);
    dh_encode_scratch_destroy(g->scratch);
    dh_pretok_scratch_destroy(g->pretok);
    dh_free(g);
}

void dh_grammar_reset(struct dh_grammar *g)
{
    g->state = (struct dh_automaton_state){ 0 };
    g->len = 0;
    g->ids.n = 0;
}

bool dh_grammar_is_complete(const struct dh_grammar *g)
{
    return dh_automaton_is_end(&g->automaton, &g->state);
}

// ---- what may come next ----------------------------------------------------

static void set_bit(uint64_t *bits, int32_t id)
{
    bits[id / 64] |= UINT64_C(1) << (id % 64);
}

// Entries are in order, so that what two neighbours share is walked once and a
// dead end takes all that begin with it.
static void allow_bucket(const struct dh_grammar *g, uint64_t *bits,
                         unsigned byte)
{
    struct dh_automaton_state at[MAX_PIECE + 1]; // after so many bytes
    size_t known = 1, dead = SIZE_MAX;
    at[1] = g->state;
    if (!dh_automaton_step(&g->automaton, &at[1], (unsigned char)byte))
        return;
    for (size_t i = g->first[byte]; i < g->first[byte + 1]; i++) {
        const struct entry *e = &g->entries[i];
        if (e->shared >= dead)
            continue;
        dead = SIZE_MAX;
        known = e->shared < 1 ? 1 : DH_MIN(known, e->shared);
        while (known < e->len) {
            at[known + 1] = at[known];
            if (!dh_automaton_step(&g->automaton, &at[known + 1],
                                   (unsigned char)e->text[known]))
                break;
            known++;
        }
        if (known == e->len)
            set_bit(bits, e->id);
        else
            dead = known + 1;
    }
}

// A tag counts as its text, but only where the form has it: inside a hole a
// control token is never text.
static bool step_tag(const struct dh_grammar *g, struct dh_automaton_state *s,
                     const char *text)
{
    for (; *text; text++) {
        if (g->automaton.node[s->node].hole != DH_HOLE_NONE ||
            !dh_automaton_step(&g->automaton, s, (unsigned char)*text))
            return false;
    }
    return true;
}

static void find_allowed(const struct dh_grammar *g, uint64_t *bits)
{
    memset(bits, 0, g->words * sizeof *bits);
    if (dh_grammar_is_complete(g)) {
        set_bit(bits, g->eos);
        return;
    }
    for (unsigned b = 0; b < 256; b++)
        if (g->first[b] < g->first[b + 1])
            allow_bucket(g, bits, b);
    for (int k = 0; k < 2; k++) {
        struct dh_automaton_state s = g->state;
        if (g->tag[k] >= 0 && step_tag(g, &s, tag_text[k]))
            set_bit(bits, g->tag[k]);
    }
}

// Text lets most of the vocabulary through, which takes milliseconds for
// 200,000 ids, and it depends on little: whether it has begun and whether it is
// full.
static bool cache_key(const struct dh_grammar *g,
                      struct dh_automaton_state *key)
{
    *key = g->state;
    key->value = g->state.value > 0;
    return dh_automaton_is_text(&g->automaton, &g->state);
}

static bool same_state(struct dh_automaton_state a, struct dh_automaton_state b)
{
    return a.node == b.node && a.sub == b.sub && a.value == b.value &&
           a.full == b.full;
}

const uint64_t *dh_grammar_allowed(struct dh_grammar *g, int vocab)
{
    struct dh_automaton_state key;
    if (vocab > DH_GRAMMAR_MAX_VOCAB)
        return NULL;
    if (!cache_key(g, &key)) {
        find_allowed(g, g->bits);
        return g->bits;
    }
    for (size_t i = 0; i < N_CACHED; i++)
        if (g->cache[i].used && same_state(g->cache[i].key, key))
            return g->cache[i].bits;
    struct cached *c = &g->cache[g->next_cached++ % N_CACHED];
    c->used = true;
    c->key = key;
    find_allowed(g, c->bits);
    return c->bits;
}

// ---- accept ----------------------------------------------------------------

static bool step_id(const struct dh_grammar *g, struct dh_automaton_state *s,
                    int32_t id)
{
    for (int k = 0; k < 2; k++)
        if (id >= 0 && id == g->tag[k])
            return step_tag(g, s, tag_text[k]);
    struct dh_str text = dh_tokenizer_text(g->t, id);
    if (text.n == 0 || text.n > MAX_PIECE || id == g->eos ||
        dh_tokenizer_is_added(g->t, id))
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (!dh_automaton_step(&g->automaton, s, (unsigned char)text.p[i]))
            return false;
    return true;
}

// Write the byte down and whose it is; the state moves on.
static void put_byte(struct dh_grammar *g, struct dh_automaton_state *s,
                     size_t *len, char c)
{
    dh_assert(*len < MAX_ANSWER);
    uint16_t node = s->node;
    bool ok = dh_automaton_step(&g->automaton, s, (unsigned char)c);
    dh_assert(ok);
    g->text[*len] = c;
    g->ours[*len] = s->node != node;
    ++*len;
}

bool dh_grammar_accept(struct dh_grammar *g, int32_t id)
{
    if (dh_grammar_is_complete(g))
        return id == g->eos;
    struct dh_automaton_state s = g->state;
    if (!step_id(g, &s, id))
        return false;
    struct dh_str text = dh_tokenizer_text(g->t, id);
    for (size_t i = 0; i < text.n; i++)
        put_byte(g, &g->state, &g->len, text.p[i]);
    dh_automaton_settle(&g->automaton, &g->state);
    dh_ids_put(&g->ids, id);
    return true;
}

// ---- what must come next ---------------------------------------------------

// Write down the bytes that leave no choice; returns the length with them.
static size_t look_ahead(struct dh_grammar *g, struct dh_automaton_state *s)
{
    size_t len = g->len;
    for (;;) {
        const struct dh_automaton_node *n = &g->automaton.node[s->node];
        if (n->hole != DH_HOLE_NONE || !n->child ||
            g->automaton.node[n->child].next)
            return len;
        put_byte(g, s, &len, (char)g->automaton.node[n->child].byte);
    }
}

// Where the text after the last tag begins: a tag cuts whatever surrounds it.
static size_t find_segment(const struct dh_grammar *g, size_t len)
{
    for (size_t at = len; at > 0; at--) {
        for (int k = 0; k < 2; k++) {
            size_t n = strlen(tag_text[k]);
            if (g->tag[k] >= 0 && n <= at &&
                memcmp(g->text + at - n, tag_text[k], n) == 0 &&
                !memchr(g->ours + at - n, 0, n))
                return at;
        }
    }
    return 0;
}

// The split looks a few characters ahead. What is cut alike whatever follows,
// one of each class that the pattern tells apart, is certain.
static const char *const probes[] = {
    "",   "a",  "A",  "\xc3\xa9", "\xe6\x97\xa5", "\xcc\x81", "1",
    " ",  " a", "  ", " \n",      "\n",           "\r\n",     "\t",
    "\"", ".",  "/",  "'s",       "'S",           "'ll",      "'re",
};

static size_t certain_length(struct dh_grammar *g, size_t len)
{
    size_t begin = find_segment(g, len);
    size_t certain = begin;
    while (certain < len) {
        size_t common = 0;
        for (size_t i = 0; i < DH_COUNTOF(probes); i++) {
            size_t n = strlen(probes[i]), end;
            memcpy(g->text + len, probes[i], n);
            if (dh_pretok_next(g->t->pretok, g->pretok, g->text + begin,
                               len + n - begin, certain - begin, &end))
                return certain;
            if (end > len - begin || (i > 0 && end != common))
                return certain;
            common = end;
        }
        certain = begin + common;
    }
    return certain;
}

// How many of `ahead` lie within the first `certain` bytes, the grammar's own
// ids being the first of them; 0 where they are not.
static size_t count_certain(const struct dh_grammar *g, size_t certain)
{
    size_t n = 0, bytes = 0;
    struct dh_automaton_state s = { 0 };
    while (n < g->ahead.n) {
        int32_t id = g->ahead.id[n];
        bytes += dh_tokenizer_text(g->t, id).n;
        if (bytes > certain || !step_id(g, &s, id))
            break;
        dh_automaton_settle(&g->automaton, &s);
        n++;
    }
    if (n < g->ids.n ||
        memcmp(g->ahead.id, g->ids.id, g->ids.n * sizeof *g->ids.id) != 0)
        return 0;
    return n;
}

size_t dh_grammar_forced(struct dh_grammar *g, int32_t *ids, size_t max)
{
    struct dh_automaton_state s = g->state;
    size_t n = 0, len = look_ahead(g, &s);
    bool ends = dh_automaton_is_end(&g->automaton, &s);
    if (len > g->len) {
        size_t certain = ends ? len : certain_length(g, len);
        g->ahead.n = 0;
        if (dh_tokenizer_encode_with(g->t, g->scratch, g->text, len, g->ours,
                                     &g->ahead))
            return 0;
        size_t known = count_certain(g, certain);
        for (size_t i = g->ids.n; i < known && n < max; i++)
            ids[n++] = g->ahead.id[i];
        ends = ends && known == g->ahead.n && known > g->ids.n &&
               n == known - g->ids.n;
    }
    if (ends && n < max)
        ids[n++] = g->eos;
    return n;
}
