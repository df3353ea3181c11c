// Any bytes as text: ids are in range and give the text back (invalid UTF-8 as
// U+FFFD); untrusted, no id is a control token and the text is the same; the
// same bytes as ids never upset the grammar. max-len: 4096
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/grammar.h"
#include "model/tokenizer.h"

static struct dh_tokenizer *t;
static struct dh_grammar *grammar;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    if (dh_tokenizer_create(&t, "tests/vectors/text/tiny_tokenizer.json") ||
        dh_grammar_create(&grammar, DH_GRAMMAR_ACTION, t,
                          dh_tokenizer_find_added(t, "[e~[")))
        abort();
    return 0;
}

static void repair(const char *p, size_t n, struct dh_buf *out)
{
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        char c[4];
        i += dh_utf8_read(p + i, n - i, &cp);
        dh_buf_put(out, c, dh_utf8_write(cp, c));
    }
}

static void check(const char *p, size_t n, bool trust,
                  const struct dh_buf *want)
{
    struct dh_ids ids = { 0 };
    struct dh_buf got;
    bool *mask = dh_zalloc(n);
    dh_buf_init(&got, 1 << 20);
    if (dh_tokenizer_encode(t, p, n, trust ? NULL : mask, &ids))
        abort();
    for (size_t i = 0; i < ids.n; i++) {
        if (ids.id[i] < 0 || ids.id[i] >= dh_tokenizer_size(t) ||
            (!trust && dh_tokenizer_is_added(t, ids.id[i])))
            abort();
        dh_tokenizer_decode(t, ids.id[i], &got);
    }
    if (got.len != want->len ||
        (got.len && memcmp(got.data, want->data, got.len)))
        abort();
    dh_buf_finish(&got);
    dh_ids_finish(&ids);
    dh_free(mask);
}

// Bytes pick among the ids: what is allowed is accepted, and nothing else.
static void walk(const uint8_t *data, size_t size)
{
    int vocab = dh_tokenizer_size(t);
    dh_grammar_reset(grammar);
    for (size_t i = 0; i + 1 < size; i += 2) {
        int32_t ids[16];
        int32_t id = (data[i] | data[i + 1] << 8) % (vocab + 4) - 2;
        const uint64_t *bits = dh_grammar_allowed(grammar, vocab);
        bool may = id >= 0 && id < vocab && (bits[id / 64] >> (id % 64) & 1);
        if (dh_grammar_accept(grammar, id) != may)
            abort();
        size_t n = i % 16 ? 0 : dh_grammar_forced(grammar, ids, 16);
        for (size_t k = 0; k < n; k++)
            if (!dh_grammar_accept(grammar, ids[k]))
                abort();
        if (dh_grammar_is_complete(grammar))
            dh_grammar_reset(grammar);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dh_buf want;
    dh_buf_init(&want, 1 << 20);
    repair((const char *)data, size, &want);
    check((const char *)data, size, true, &want);
    check((const char *)data, size, false, &want);
    walk(data, DH_MIN(size, 512));
    dh_buf_finish(&want);
    return 0;
}
