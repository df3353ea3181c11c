// From tokenizer.json to tables. What the rest of the code cannot follow is
// refused here, by name.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/tokenizer_priv.h"

#define EMPTY_PAIR UINT64_MAX
#define MAX_ADDED  4096

struct loader {
    struct dh_tokenizer *t;
    struct dh_diag *diag;
    int16_t byte_of[512]; // of a letter of the byte-level alphabet; -1: none
};

static enum dh_status unsupported(struct loader *l, const char *what)
{
    dh_diag_set(l->diag, 0, "%s", what);
    return DH_ERR_UNSUPPORTED;
}

// ---- hashes ----------------------------------------------------------------

static size_t table_size(size_t n)
{
    size_t size = 16;
    while (size < 2 * n)
        size *= 2;
    return size;
}

static uint64_t mix(uint64_t v)
{
    v = (v ^ v >> 33) * UINT64_C(0xff51afd7ed558ccd);
    v = (v ^ v >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return v ^ v >> 33;
}

struct dh_str dh_tokenizer_text(const struct dh_tokenizer *t, int32_t id)
{
    if (id < 0 || id >= t->size)
        return (struct dh_str){ "", 0 };
    struct dh_tokenizer_piece p = t->pieces[id];
    return (struct dh_str){ dh_buf_text(&t->bytes) + p.offset, p.len };
}

// The slot that holds the text or is free for it.
static int32_t *text_slot(const struct dh_tokenizer *t, struct dh_str s)
{
    size_t i = mix(dh_hash_bytes(s.p, s.n)) & t->by_text_mask;
    while (t->by_text[i] >= 0 &&
           !dh_str_eq(dh_tokenizer_text(t, t->by_text[i]), s))
        i = (i + 1) & t->by_text_mask;
    return &t->by_text[i];
}

int32_t dh_tokenizer_find_text(const struct dh_tokenizer *t, struct dh_str s)
{
    return *text_slot(t, s);
}

static struct dh_tokenizer_merge *merge_slot(const struct dh_tokenizer *t,
                                             uint64_t pair)
{
    size_t i = mix(pair) & t->merges_mask;
    while (t->merges[i].pair != pair && t->merges[i].pair != EMPTY_PAIR)
        i = (i + 1) & t->merges_mask;
    return &t->merges[i];
}

const struct dh_tokenizer_merge *
dh_tokenizer_find_merge(const struct dh_tokenizer *t, int32_t left,
                        int32_t right)
{
    const struct dh_tokenizer_merge *m =
        merge_slot(t, (uint64_t)(uint32_t)left << 32 | (uint32_t)right);
    return m->pair == EMPTY_PAIR ? NULL : m;
}

// ---- the byte-level alphabet -----------------------------------------------

// Printable Latin-1 stands for itself, the other 68 bytes for U+0100 and on.
static void fill_alphabet(struct loader *l)
{
    int next = 256;
    for (int i = 0; i < 512; i++)
        l->byte_of[i] = -1;
    for (int b = 0; b < 256; b++) {
        bool itself = (b >= 33 && b <= 126) || (b >= 161 && b != 173);
        l->byte_of[itself ? b : next++] = (int16_t)b;
    }
}

// Append the bytes that letters stand for; false on a letter of no byte.
static bool put_bytes(struct loader *l, struct dh_str s)
{
    for (size_t i = 0; i < s.n;) {
        uint32_t cp;
        i += dh_utf8_read(s.p + i, s.n - i, &cp);
        if (cp >= DH_COUNTOF(l->byte_of) || l->byte_of[cp] < 0)
            return false;
        dh_buf_putc(&l->t->bytes, (char)l->byte_of[cp]);
    }
    return true;
}

// ---- vocabulary ------------------------------------------------------------

static bool is_id(const struct dh_json *v)
{
    double d = dh_json_number(v);
    return v && dh_json_kind(v) == DH_JSON_NUMBER && d >= 0 &&
           d < DH_TOKENIZER_MAX_IDS && floor(d) == d;
}

static enum dh_status size_tables(struct loader *l, const struct dh_json *vocab,
                                  const struct dh_json *added)
{
    struct dh_tokenizer *t = l->t;
    size_t n = 0;
    int top = -1;
    for (const struct dh_json *v = dh_json_first(vocab); v;
         v = dh_json_next(v), n++) {
        if (!is_id(v)) {
            dh_diag_set(l->diag, 0, "model.vocab: \"%.40s\" has no usable id",
                        dh_json_key(v));
            return DH_ERR_FORMAT;
        }
        top = DH_MAX(top, (int)dh_json_number(v));
    }
    for (const struct dh_json *v = dh_json_first(added); v;
         v = dh_json_next(v)) {
        const struct dh_json *id = dh_json_find(v, "id");
        if (is_id(id))
            top = DH_MAX(top, (int)dh_json_number(id));
    }
    t->size = top + 1;
    size_t size = table_size(n);
    t->by_text_mask = size - 1;
    t->pieces = dh_big_zalloc((size_t)(t->size + 1) * sizeof *t->pieces);
    t->is_added = dh_big_zalloc(((size_t)t->size / 64 + 1) * 8);
    t->by_text = dh_big_alloc(size * sizeof *t->by_text);
    if (!t->pieces || !t->is_added || !t->by_text)
        return DH_ERR_NOMEM;
    memset(t->by_text, 0xff, size * sizeof *t->by_text);
    return DH_OK;
}

static enum dh_status load_piece(struct loader *l, const char *letters, int id)
{
    struct dh_tokenizer *t = l->t;
    size_t start = t->bytes.len;
    if (!*letters || !put_bytes(l, dh_str_of(letters))) {
        dh_diag_set(l->diag, 0,
                    "model.vocab: \"%.40s\" is not of the byte-level alphabet",
                    letters);
        return DH_ERR_UNSUPPORTED;
    }
    struct dh_tokenizer_piece p = { (uint32_t)start,
                                    (uint32_t)(t->bytes.len - start) };
    struct dh_str text = { t->bytes.data + start, p.len };
    int32_t *slot = text_slot(t, text);
    if (t->pieces[id].len || *slot >= 0) {
        dh_diag_set(l->diag, 0, "model.vocab: \"%.40s\" or its id %d twice",
                    letters, id);
        return DH_ERR_FORMAT;
    }
    t->pieces[id] = p;
    *slot = id;
    return DH_OK;
}

static enum dh_status load_vocab(struct loader *l, const struct dh_json *vocab)
{
    for (const struct dh_json *v = dh_json_first(vocab); v;
         v = dh_json_next(v)) {
        enum dh_status st =
            load_piece(l, dh_json_key(v), (int)dh_json_number(v));
        if (st)
            return st;
    }
    for (int b = 0; b < 256; b++) {
        char c = (char)b;
        l->t->byte_id[b] =
            dh_tokenizer_find_text(l->t, (struct dh_str){ &c, 1 });
        if (l->t->byte_id[b] < 0) {
            dh_diag_set(l->diag, 0, "model.vocab: byte 0x%02x is missing", b);
            return DH_ERR_FORMAT;
        }
    }
    return DH_OK;
}

// ---- merges ----------------------------------------------------------------

// The id of a text in letters; its bytes are only borrowed from `bytes`.
static int32_t find_letters(struct loader *l, struct dh_str s)
{
    struct dh_buf *bytes = &l->t->bytes;
    size_t start = bytes->len;
    int32_t id = -1;
    if (s.n && put_bytes(l, s) && !bytes->overflow)
        id = dh_tokenizer_find_text(
            l->t, (struct dh_str){ bytes->data + start, bytes->len - start });
    bytes->len = start;
    return id;
}

// "a b" or ["a", "b"].
static bool split_merge(const struct dh_json *v, struct dh_str *a,
                        struct dh_str *b)
{
    if (dh_json_kind(v) == DH_JSON_STRING) {
        struct dh_str both = dh_str_of(dh_json_text(v));
        ptrdiff_t at = dh_str_find(both, " ", 0);
        if (at < 0)
            return false;
        *a = dh_str_sub(both, 0, (size_t)at);
        *b = dh_str_sub(both, (size_t)at + 1, both.n);
        return true;
    }
    const struct dh_json *x = dh_json_first(v);
    const struct dh_json *y = x ? dh_json_next(x) : NULL;
    if (!y || dh_json_next(y) || dh_json_kind(v) != DH_JSON_ARRAY)
        return false;
    *a = dh_str_of(dh_json_text(x));
    *b = dh_str_of(dh_json_text(y));
    return true;
}

static enum dh_status load_merge(struct loader *l, const struct dh_json *v,
                                 uint32_t rank)
{
    struct dh_tokenizer *t = l->t;
    struct dh_str a, b;
    int32_t left = -1, right = -1, joined = -1;
    if (split_merge(v, &a, &b)) {
        left = find_letters(l, a);
        right = find_letters(l, b);
    }
    if (left >= 0 && right >= 0) {
        size_t start = t->bytes.len;
        put_bytes(l, a);
        put_bytes(l, b);
        struct dh_str text = { t->bytes.data + start, t->bytes.len - start };
        joined = dh_tokenizer_find_text(t, text);
        t->bytes.len = start;
    }
    if (joined < 0) {
        dh_diag_set(l->diag, 0,
                    "model.merges[%u]: not two pieces whose join is known",
                    rank);
        return DH_ERR_FORMAT;
    }
    uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    *merge_slot(t, pair) = (struct dh_tokenizer_merge){ pair, rank, joined };
    return DH_OK;
}

static enum dh_status load_merges(struct loader *l,
                                  const struct dh_json *merges)
{
    struct dh_tokenizer *t = l->t;
    size_t n = dh_json_count(merges);
    size_t size = table_size(n);
    if (n > UINT32_MAX / 2)
        return DH_ERR_RANGE;
    t->merges_mask = size - 1;
    t->merges = dh_big_alloc(size * sizeof *t->merges);
    if (!t->merges)
        return DH_ERR_NOMEM;
    for (size_t i = 0; i < size; i++)
        t->merges[i] = (struct dh_tokenizer_merge){ EMPTY_PAIR, 0, 0 };

    uint32_t rank = 0;
    for (const struct dh_json *v = dh_json_first(merges); v;
         v = dh_json_next(v)) {
        enum dh_status st = load_merge(l, v, rank++);
        if (st)
            return st;
    }
    return DH_OK;
}

// ---- added tokens ----------------------------------------------------------

// A flag that is absent is false.
static bool get_flag(const struct dh_json *v, const char *key)
{
    const struct dh_json *flag = dh_json_find(v, key);
    return flag && dh_json_is_true(flag);
}

static enum dh_status load_added_one(struct loader *l, const struct dh_json *v)
{
    struct dh_tokenizer *t = l->t;
    const char *content = dh_json_text(dh_json_find(v, "content"));
    const struct dh_json *id_member = dh_json_find(v, "id");
    if (!is_id(id_member) || !*content) {
        dh_diag_set(l->diag, 0, "added_tokens: id or content is missing");
        return DH_ERR_FORMAT;
    }
    struct dh_tokenizer_added a = {
        .id = (int32_t)dh_json_number(id_member),
        .text = { (uint32_t)t->bytes.len, (uint32_t)strlen(content) },
        .single_word = get_flag(v, "single_word"),
        .lstrip = get_flag(v, "lstrip"),
        .rstrip = get_flag(v, "rstrip"),
        .normalized = get_flag(v, "normalized"),
    };
    struct dh_str old = dh_tokenizer_text(t, a.id);
    if (dh_tokenizer_is_added(t, a.id) || (old.n && !dh_str_is(old, content))) {
        dh_diag_set(l->diag, 0, "added_tokens: id %d is taken", a.id);
        return DH_ERR_FORMAT;
    }
    if (a.single_word && !dh_pretok_knows_words(t->pretok))
        return unsupported(l, "added_tokens: single_word needs PCRE2 10.40");
    dh_buf_puts(&t->bytes, content);
    t->pieces[a.id] = a.text;
    t->is_added[a.id / 64] |= UINT64_C(1) << (a.id % 64);
    t->added[t->n_added++] = a;
    return DH_OK;
}

static unsigned char first_byte(const struct dh_tokenizer *t,
                                const struct dh_tokenizer_added *a)
{
    return (unsigned char)t->bytes.data[a->text.offset];
}

static bool comes_before(const struct dh_tokenizer *t,
                         const struct dh_tokenizer_added *a,
                         const struct dh_tokenizer_added *b)
{
    unsigned char fa = first_byte(t, a), fb = first_byte(t, b);
    return fa != fb ? fa < fb : a->text.len > b->text.len;
}

// Insertion: a file has tens of them, and no more than MAX_ADDED.
static void sort_added(struct dh_tokenizer *t)
{
    for (size_t i = 1; i < t->n_added; i++) {
        struct dh_tokenizer_added a = t->added[i];
        size_t k = i;
        for (; k > 0 && comes_before(t, &a, &t->added[k - 1]); k--)
            t->added[k] = t->added[k - 1];
        t->added[k] = a;
    }
    size_t k = 0;
    for (unsigned b = 0; b < 256; b++) {
        t->added_at[b] = (uint32_t)k;
        while (k < t->n_added && first_byte(t, &t->added[k]) == b)
            k++;
    }
    t->added_at[256] = (uint32_t)k;
}

static enum dh_status load_added(struct loader *l, const struct dh_json *added)
{
    struct dh_tokenizer *t = l->t;
    size_t n = dh_json_count(added);
    if (n > MAX_ADDED)
        return unsupported(l, "added_tokens: more than 4096");
    dh_array(t->added, n);
    for (const struct dh_json *v = dh_json_first(added); v;
         v = dh_json_next(v)) {
        enum dh_status st = load_added_one(l, v);
        if (st)
            return st;
    }
    sort_added(t);
    for (size_t i = 1; i < t->n_added; i++) {
        struct dh_str a = dh_tokenizer_text(t, t->added[i - 1].id);
        for (size_t k = i; k < t->n_added; k++) {
            struct dh_str b = dh_tokenizer_text(t, t->added[k].id);
            if (b.n != a.n || b.p[0] != a.p[0])
                break;
            if (!dh_str_eq(a, b))
                continue;
            dh_diag_set(l->diag, 0, "added_tokens: one content twice (id %d)",
                        t->added[k].id);
            return DH_ERR_FORMAT;
        }
    }
    return DH_OK;
}

// ---- the stages ------------------------------------------------------------

static bool is_absent(const struct dh_json *obj, const char *key)
{
    const struct dh_json *v = dh_json_find(obj, key);
    return !v || dh_json_kind(v) == DH_JSON_NULL;
}

static bool is_type(const struct dh_json *v, const char *type)
{
    return v && strcmp(dh_json_text(dh_json_find(v, "type")), type) == 0;
}

static bool is_absent_or_empty(const struct dh_json *obj, const char *key)
{
    const struct dh_json *v = dh_json_find(obj, key);
    return is_absent(obj, key) ||
           (dh_json_kind(v) == DH_JSON_STRING && !*dh_json_text(v));
}

static enum dh_status check_model(struct loader *l, const struct dh_json *m)
{
    const struct dh_json *dropout = dh_json_find(m, "dropout");
    if (!is_type(m, "BPE"))
        return unsupported(l, "model.type: not BPE");
    if (get_flag(m, "byte_fallback"))
        return unsupported(l, "model.byte_fallback is set");
    if (!is_absent_or_empty(m, "unk_token"))
        return unsupported(l, "model.unk_token is set");
    if (!is_absent_or_empty(m, "continuing_subword_prefix"))
        return unsupported(l, "model.continuing_subword_prefix is set");
    if (!is_absent_or_empty(m, "end_of_word_suffix"))
        return unsupported(l, "model.end_of_word_suffix is set");
    if (!is_absent(m, "dropout") && dh_json_number(dropout) != 0.0)
        return unsupported(l, "model.dropout is set");
    l->t->ignore_merges = get_flag(m, "ignore_merges");
    return DH_OK;
}

static enum dh_status check_stages(struct loader *l, const struct dh_json *root)
{
    const struct dh_json *norm = dh_json_find(root, "normalizer");
    const struct dh_json *post = dh_json_find(root, "post_processor");
    const struct dh_json *dec = dh_json_find(root, "decoder");
    if (is_type(norm, "NFC"))
        return unsupported(l, "normalizer: NFC, which is not implemented");
    if (!is_absent(root, "normalizer"))
        return unsupported(l, "normalizer: only null is supported");
    if (!is_absent(root, "post_processor") && !is_type(post, "ByteLevel"))
        return unsupported(l, "post_processor: only ByteLevel or null");
    if (!is_absent(root, "decoder") && !is_type(dec, "ByteLevel"))
        return unsupported(l, "decoder: only ByteLevel or null");
    if (!is_absent(root, "truncation") || !is_absent(root, "padding"))
        return unsupported(l, "truncation or padding is set");
    return DH_OK;
}

// Sequence [ Split(Regex, Isolated), ByteLevel without prefix space or regex ].
static enum dh_status load_split(struct loader *l, const struct dh_json *root)
{
    const struct dh_json *pre = dh_json_find(root, "pre_tokenizer");
    const struct dh_json *list = dh_json_find(pre, "pretokenizers");
    const struct dh_json *split = list ? dh_json_first(list) : NULL;
    const struct dh_json *level = split ? dh_json_next(split) : NULL;
    if (!is_type(pre, "Sequence") || dh_json_kind(list) != DH_JSON_ARRAY ||
        !is_type(split, "Split") || !is_type(level, "ByteLevel") ||
        dh_json_next(level))
        return unsupported(l,
                           "pre_tokenizer: not a Sequence of Split, ByteLevel");
    const char *behavior = dh_json_text(dh_json_find(split, "behavior"));
    if (strcmp(behavior, "Isolated") != 0 || get_flag(split, "invert"))
        return unsupported(l, "pre_tokenizer: Split is not plain Isolated");
    const struct dh_json *uses_regex = dh_json_find(level, "use_regex");
    if (get_flag(level, "add_prefix_space") || !uses_regex ||
        get_flag(level, "use_regex"))
        return unsupported(l, "pre_tokenizer: ByteLevel with a prefix space or "
                              "a regex of its own");
    const struct dh_json *pattern = dh_json_find(split, "pattern");
    const struct dh_json *regex = dh_json_find(pattern, "Regex");
    if (!regex || dh_json_kind(regex) != DH_JSON_STRING)
        return unsupported(l, "pre_tokenizer: Split has no regex");
    return dh_pretok_create(&l->t->pretok, dh_json_text(regex), l->diag);
}

static enum dh_status load_root(struct loader *l, const struct dh_json *root)
{
    const struct dh_json *model = dh_json_find(root, "model");
    const struct dh_json *vocab = dh_json_find(model, "vocab");
    const struct dh_json *merges = dh_json_find(model, "merges");
    const struct dh_json *added = dh_json_find(root, "added_tokens");
    enum dh_status st = check_model(l, model);
    if (!st)
        st = check_stages(l, root);
    if (!st)
        st = load_split(l, root);
    if (st)
        return st;
    if (!vocab || dh_json_kind(vocab) != DH_JSON_OBJECT || !merges ||
        dh_json_kind(merges) != DH_JSON_ARRAY ||
        (added && dh_json_kind(added) != DH_JSON_ARRAY)) {
        dh_diag_set(l->diag, 0,
                    "model.vocab, model.merges or added_tokens: "
                    "missing or of the wrong kind");
        return DH_ERR_FORMAT;
    }
    st = size_tables(l, vocab, added);
    if (!st)
        st = load_vocab(l, vocab);
    if (!st)
        st = load_merges(l, merges);
    if (!st && added)
        st = load_added(l, added);
    return st;
}

enum dh_status dh_tokenizer_load(struct dh_tokenizer *t, const char *json,
                                 size_t len, struct dh_diag *diag)
{
    struct loader l = { .t = t, .diag = diag };
    struct dh_json *root = dh_json_parse(json, len, diag);
    if (!root)
        return DH_ERR_FORMAT;
    fill_alphabet(&l);
    // A letter takes one byte at least; the join of a merge is borrowed on top.
    dh_buf_init(&t->bytes, 2 * len + 64);
    enum dh_status st = load_root(&l, root);
    dh_json_free(root);
    return st;
}
