#include "model/tokenizer.h"

#include <string.h>

#include "base/assert.h"
#include "base/file.h"
#include "base/mem.h"
#include "model/gguf_priv.h"
#include "model/tokenizer_priv.h"

#define DH_LOG_TAG "tokenizer"
#include "base/log.h"

#define MAX_FILE ((size_t)256 << 20)
#define MAX_TEXT ((size_t)512 << 20)

void dh_ids_put(struct dh_ids *ids, int32_t id)
{
    if (ids->n == ids->cap) {
        ids->cap = ids->cap ? 2 * ids->cap : 64;
        ids->id = dh_resize_array(ids->id, ids->cap, sizeof *ids->id);
    }
    ids->id[ids->n++] = id;
}

void dh_ids_finish(struct dh_ids *ids)
{
    dh_free(ids->id);
    *ids = (struct dh_ids){ 0 };
}

// ---- life ------------------------------------------------------------------

enum dh_status dh_tokenizer_parse(struct dh_tokenizer **out, const char *json,
                                  size_t len, struct dh_diag *diag)
{
    struct dh_tokenizer *t;
    dh_new(t);
    enum dh_status st = dh_tokenizer_load(t, json, len, diag);
    if (st) {
        dh_tokenizer_destroy(t);
        return st;
    }
    *out = t;
    return DH_OK;
}

enum dh_status dh_tokenizer_create(struct dh_tokenizer **out, const char *path)
{
    char *json;
    size_t len;
    enum dh_status st = dh_file_read(path, MAX_FILE, &json, &len);
    if (st)
        return st;
    struct dh_diag diag = { 0 };
    st = dh_tokenizer_parse(out, json, len, &diag);
    if (st)
        dh_error("%s: %s", path, diag.text[0] ? diag.text : dh_status_name(st));
    dh_big_free(json);
    return st;
}

static enum dh_status open_gguf(struct dh_tokenizer **out, const char *path,
                                const char *beside)
{
    struct dh_gguf *g;
    struct dh_buf json;
    struct dh_diag diag = { 0 };
    enum dh_status st = dh_gguf_open(&g, path);
    if (st)
        return st;
    dh_buf_init(&json, MAX_FILE);
    st = dh_gguf_tokenizer(g, &json, &diag);
    if (!st)
        st = dh_tokenizer_parse(out, dh_buf_text(&json), json.len, &diag);
    if (st)
        dh_error("%s: its vocabulary: %s. The model's tokenizer.json can be "
                 "put beside it, as %s",
                 path, diag.text[0] ? diag.text : dh_status_name(st), beside);
    dh_buf_finish(&json);
    dh_gguf_close(g);
    return st;
}

enum dh_status dh_tokenizer_open(struct dh_tokenizer **out,
                                 const char *checkpoint)
{
    bool is_gguf = dh_gguf_is_path(checkpoint);
    char *dir = is_gguf ? dh_path_dir(checkpoint) : dh_strdup(checkpoint);
    char *path = dh_path_join(dir, "tokenizer.json");
    enum dh_status st = is_gguf && !dh_path_exists(path)
                            ? open_gguf(out, checkpoint, path)
                            : dh_tokenizer_create(out, path);
    dh_free(path);
    dh_free(dir);
    return st;
}

void dh_tokenizer_destroy(struct dh_tokenizer *t)
{
    if (!t)
        return;
    dh_buf_finish(&t->bytes);
    dh_big_free(t->pieces);
    dh_big_free(t->is_added);
    dh_big_free(t->by_text);
    dh_big_free(t->merges);
    dh_free(t->added);
    dh_pretok_destroy(t->pretok);
    dh_free(t);
}

int dh_tokenizer_size(const struct dh_tokenizer *t)
{
    return t->size;
}

bool dh_tokenizer_is_added(const struct dh_tokenizer *t, int32_t id)
{
    return id >= 0 && id < t->size &&
           (t->is_added[id / 64] >> (id % 64) & 1) != 0;
}

int32_t dh_tokenizer_find_added(const struct dh_tokenizer *t, const char *text)
{
    for (size_t i = 0; i < t->n_added; i++)
        if (dh_str_is(dh_tokenizer_text(t, t->added[i].id), text))
            return t->added[i].id;
    return -1;
}

void dh_tokenizer_decode(const struct dh_tokenizer *t, int32_t id,
                         struct dh_buf *out)
{
    struct dh_str s = dh_tokenizer_text(t, id);
    dh_buf_put(out, s.p, s.n);
}

// ---- scratch ---------------------------------------------------------------

// A run of bytes of the piece that is one id by now.
struct symbol {
    int32_t id; // -1: joined into the one before
    int32_t prev, next;
};

struct dh_encode_scratch {
    struct dh_pretok_scratch *pretok;
    struct symbol *symbols;
    uint64_t *heap; // rank, position: the least comes first
    size_t n_heap;
    size_t cap; // bytes of a piece
};

static enum dh_status reserve(struct dh_encode_scratch *s, size_t n)
{
    if (n <= s->cap)
        return DH_OK;
    size_t cap = DH_MAX(n, 2 * s->cap);
    dh_big_free(s->symbols);
    dh_big_free(s->heap);
    s->cap = 0;
    s->symbols = dh_big_alloc(cap * sizeof *s->symbols);
    // One candidate for each neighbour pair, two more for each merge.
    s->heap = dh_big_alloc(3 * cap * sizeof *s->heap);
    if (!s->symbols || !s->heap)
        return DH_ERR_NOMEM;
    s->cap = cap;
    return DH_OK;
}

enum dh_status dh_encode_scratch_create(struct dh_encode_scratch **out,
                                        const struct dh_tokenizer *t,
                                        size_t max_bytes)
{
    struct dh_encode_scratch *s;
    dh_new(s);
    s->pretok = dh_pretok_scratch_create(t->pretok);
    enum dh_status st = reserve(s, DH_MAX(max_bytes, 64));
    if (st) {
        dh_encode_scratch_destroy(s);
        return st;
    }
    *out = s;
    return DH_OK;
}

void dh_encode_scratch_destroy(struct dh_encode_scratch *s)
{
    if (!s)
        return;
    dh_pretok_scratch_destroy(s->pretok);
    dh_big_free(s->symbols);
    dh_big_free(s->heap);
    dh_free(s);
}

// ---- merges ----------------------------------------------------------------

static void heap_put(struct dh_encode_scratch *s, uint64_t v)
{
    size_t i = s->n_heap++;
    while (i > 0 && s->heap[(i - 1) / 2] > v) {
        s->heap[i] = s->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    s->heap[i] = v;
}

static uint64_t heap_take(struct dh_encode_scratch *s)
{
    uint64_t least = s->heap[0];
    uint64_t v = s->heap[--s->n_heap];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child + 1 < s->n_heap && s->heap[child + 1] < s->heap[child])
            child++;
        if (child >= s->n_heap || s->heap[child] >= v)
            break;
        s->heap[i] = s->heap[child];
        i = child;
    }
    s->heap[i] = v;
    return least;
}

// The merge of the symbol at `at` with the one after it, or NULL.
static const struct dh_tokenizer_merge *
merge_at(const struct dh_tokenizer *t, const struct dh_encode_scratch *s,
         int32_t at)
{
    if (at < 0 || s->symbols[at].id < 0 || s->symbols[at].next < 0)
        return NULL;
    int32_t right = s->symbols[s->symbols[at].next].id;
    return dh_tokenizer_find_merge(t, s->symbols[at].id, right);
}

static void offer(const struct dh_tokenizer *t, struct dh_encode_scratch *s,
                  int32_t at)
{
    const struct dh_tokenizer_merge *m = merge_at(t, s, at);
    if (m)
        heap_put(s, (uint64_t)m->rank << 32 | (uint32_t)at);
}

static void join(struct dh_encode_scratch *s, int32_t at, int32_t id)
{
    struct symbol *a = &s->symbols[at];
    struct symbol *b = &s->symbols[a->next];
    a->id = id;
    b->id = -1;
    a->next = b->next;
    if (a->next >= 0)
        s->symbols[a->next].prev = at;
}

// Lowest rank first, leftmost among equals, in O(n log n): base64 and rulers
// make pieces of thousands of bytes.
static enum dh_status merge_piece(const struct dh_tokenizer *t,
                                  struct dh_encode_scratch *s,
                                  struct dh_str piece, struct dh_ids *out)
{
    enum dh_status st = reserve(s, piece.n);
    if (st)
        return st;
    int32_t n = (int32_t)piece.n;
    for (int32_t i = 0; i < n; i++)
        s->symbols[i] = (struct symbol){ t->byte_id[(unsigned char)piece.p[i]],
                                         i - 1, i + 1 < n ? i + 1 : -1 };
    s->n_heap = 0;
    for (int32_t i = 0; i + 1 < n; i++)
        offer(t, s, i);
    while (s->n_heap) {
        uint64_t top = heap_take(s);
        int32_t at = (int32_t)(top & 0xffffffffu);
        const struct dh_tokenizer_merge *m = merge_at(t, s, at);
        // Another merge may have changed one of the two since.
        if (!m || m->rank != top >> 32)
            continue;
        join(s, at, m->id);
        offer(t, s, s->symbols[at].prev);
        offer(t, s, at);
    }
    for (int32_t i = 0; i >= 0; i = s->symbols[i].next)
        dh_ids_put(out, s->symbols[i].id);
    return DH_OK;
}

static enum dh_status encode_piece(const struct dh_tokenizer *t,
                                   struct dh_encode_scratch *s,
                                   struct dh_str piece, struct dh_ids *out)
{
    if (t->ignore_merges) {
        int32_t id = dh_tokenizer_find_text(t, piece);
        if (id >= 0) {
            dh_ids_put(out, id);
            return DH_OK;
        }
    }
    return merge_piece(t, s, piece, out);
}

// ---- added tokens ----------------------------------------------------------

struct run {
    const struct dh_tokenizer *t;
    struct dh_encode_scratch *s;
    const char *text;
    const bool *trusted;
    struct dh_ids *out;
};

static bool is_trusted(const struct run *r, size_t from, size_t n)
{
    return !r->trusted || !memchr(r->trusted + from, 0, n);
}

// The longest added token of one kind at `at`, or NULL.
static const struct dh_tokenizer_added *added_at(const struct run *r, size_t at,
                                                 size_t end, bool normalized)
{
    unsigned char c = (unsigned char)r->text[at];
    for (size_t k = r->t->added_at[c]; k < r->t->added_at[c + 1]; k++) {
        const struct dh_tokenizer_added *a = &r->t->added[k];
        size_t n = a->text.len;
        if (a->normalized == normalized && n <= end - at &&
            memcmp(r->text + at, r->t->bytes.data + a->text.offset, n) == 0 &&
            is_trusted(r, at, n))
            return a;
    }
    return NULL;
}

// The scalar value that ends at `at`, and where it starts.
static uint32_t char_before(const struct run *r, size_t begin, size_t at,
                            size_t *start)
{
    uint32_t cp;
    do
        at--;
    while (at > begin && ((unsigned char)r->text[at] & 0xc0) == 0x80);
    dh_utf8_read(r->text + at, 4, &cp);
    *start = at;
    return cp;
}

static bool touches_word(const struct run *r, size_t begin, size_t end,
                         size_t from, size_t to)
{
    uint32_t cp;
    size_t start;
    if (from > begin &&
        dh_pretok_is_word(r->t->pretok, char_before(r, begin, from, &start)))
        return true;
    if (to == end)
        return false;
    dh_utf8_read(r->text + to, end - to, &cp);
    return dh_pretok_is_word(r->t->pretok, cp);
}

static size_t strip_left(const struct run *r, size_t begin, size_t at)
{
    size_t start;
    while (at > begin && dh_pretok_is_space(char_before(r, begin, at, &start)))
        at = start;
    return at;
}

static size_t strip_right(const struct run *r, size_t at, size_t end)
{
    while (at < end) {
        uint32_t cp;
        size_t n = dh_utf8_read(r->text + at, end - at, &cp);
        if (!dh_pretok_is_space(cp))
            break;
        at += n;
    }
    return at;
}

static enum dh_status encode_plain(const struct run *r, size_t begin,
                                   size_t end)
{
    const char *text = r->text + begin;
    size_t len = end - begin, at = 0;
    while (at < len) {
        size_t next;
        enum dh_status st =
            dh_pretok_next(r->t->pretok, r->s->pretok, text, len, at, &next);
        if (!st)
            st = encode_piece(r->t, r->s,
                              (struct dh_str){ text + at, next - at }, r->out);
        if (st)
            return st;
        at = next;
    }
    return DH_OK;
}

static enum dh_status encode_span(const struct run *r, size_t begin, size_t end,
                                  bool normalized);

// What lies between added tokens of the first kind may hold the second kind.
static enum dh_status encode_gap(const struct run *r, size_t begin, size_t end,
                                 bool normalized)
{
    if (begin >= end)
        return DH_OK;
    if (!normalized)
        return encode_span(r, begin, end, true);
    return encode_plain(r, begin, end);
}

// The order of the checks is the published library's: a match that the word
// rule rejects is passed over as a whole.
static enum dh_status encode_span(const struct run *r, size_t begin, size_t end,
                                  bool normalized)
{
    size_t done = begin, at = begin;
    while (at < end) {
        const struct dh_tokenizer_added *a = added_at(r, at, end, normalized);
        if (!a) {
            at++;
            continue;
        }
        size_t from = at, to = at + a->text.len;
        at = to;
        if (a->single_word && touches_word(r, begin, end, from, to))
            continue;
        if (a->lstrip)
            from = strip_left(r, done, from);
        if (a->rstrip)
            at = to = strip_right(r, to, end);
        enum dh_status st = encode_gap(r, done, from, normalized);
        if (st)
            return st;
        dh_ids_put(r->out, a->id);
        done = to;
    }
    return encode_gap(r, done, end, normalized);
}

enum dh_status dh_tokenizer_encode_with(const struct dh_tokenizer *t,
                                        struct dh_encode_scratch *s,
                                        const char *text, size_t len,
                                        const bool *trusted, struct dh_ids *out)
{
    if (len > MAX_TEXT)
        return DH_ERR_RANGE;
    struct run r = { t, s, text, trusted, out };
    size_t before = out->n;
    enum dh_status st = len ? encode_span(&r, 0, len, false) : DH_OK;
    if (st)
        out->n = before;
    return st;
}

// ---- text that is not UTF-8 ------------------------------------------------

// Each maximal invalid part becomes one U+FFFD, trusted or not as its first
// byte is; an added token never holds one by accident, since its text is valid.
static void repair(const char *text, size_t len, const bool *trusted,
                   struct dh_buf *out, struct dh_buf *mask)
{
    for (size_t i = 0; i < len;) {
        uint32_t cp;
        size_t n = dh_utf8_read(text + i, len - i, &cp);
        char c[4];
        size_t m = dh_utf8_write(cp, c);
        dh_buf_put(out, c, m);
        for (size_t k = 0; k < m; k++)
            dh_buf_putc(mask, !trusted || trusted[i]);
        i += n;
    }
}

enum dh_status dh_tokenizer_encode(const struct dh_tokenizer *t,
                                   const char *text, size_t len,
                                   const bool *trusted, struct dh_ids *out)
{
    struct dh_encode_scratch *s;
    enum dh_status st = dh_encode_scratch_create(&s, t, 64);
    if (st)
        return st;
    if (len <= MAX_TEXT && !dh_utf8_valid(text, len)) {
        struct dh_buf fixed, mask;
        dh_buf_init(&fixed, 3 * len);
        dh_buf_init(&mask, 3 * len);
        repair(text, len, trusted, &fixed, &mask);
        st = dh_tokenizer_encode_with(t, s, fixed.data, fixed.len,
                                      (const bool *)mask.data, out);
        dh_buf_finish(&fixed);
        dh_buf_finish(&mask);
    } else {
        st = dh_tokenizer_encode_with(t, s, text, len, trusted, out);
    }
    dh_encode_scratch_destroy(s);
    if (st)
        dh_warn("cannot split %zu bytes of text: %s", len, dh_status_name(st));
    return st;
}
