// Any bytes as tokenizer.json: it is refused with a reason, or it encodes and
// decodes. A document is long, so an input may also be a patch: after '#',
// lines "text of the small file" TAB "replacement". max-len: 16384
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/tokenizer.h"

static struct dh_buf small;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    char chunk[4096];
    size_t n;
    FILE *f = fopen("tests/vectors/text/tiny_tokenizer.json", "rb");
    if (!f || !dh_log_set_levels("error"))
        abort();
    dh_buf_init(&small, 1 << 20);
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
        dh_buf_put(&small, chunk, n);
    fclose(f);
    return 0;
}

static void replace_first(struct dh_buf *text, struct dh_str from,
                          struct dh_str to)
{
    char *at = from.n ? memmem(text->data, text->len, from.p, from.n) : NULL;
    if (!at)
        return;
    struct dh_buf out;
    size_t before = (size_t)(at - text->data);
    dh_buf_init(&out, 1 << 20);
    dh_buf_put(&out, text->data, before);
    dh_buf_put(&out, to.p, to.n);
    dh_buf_put(&out, at + from.n, text->len - before - from.n);
    dh_buf_finish(text);
    *text = out;
}

static void patch(struct dh_buf *text, struct dh_str lines)
{
    while (lines.n) {
        const char *nl = memchr(lines.p, '\n', lines.n);
        size_t n = nl ? (size_t)(nl - lines.p) : lines.n;
        const char *tab = memchr(lines.p, '\t', n);
        size_t k = tab ? (size_t)(tab - lines.p) : n;
        replace_first(text, (struct dh_str){ lines.p, k },
                      dh_str_sub((struct dh_str){ lines.p, n }, k + 1, n));
        lines = dh_str_sub(lines, n + 1, lines.n);
    }
}

static void use(const struct dh_tokenizer *t)
{
    static const char text[] = "]~b]user\nHello, it's 1234  x <tool_call>\n\n";
    struct dh_ids ids = { 0 };
    struct dh_buf out;
    dh_buf_init(&out, 1 << 20);
    if (dh_tokenizer_encode(t, text, sizeof text - 1, NULL, &ids) == DH_OK)
        for (size_t i = 0; i < ids.n; i++) {
            if (ids.id[i] < 0 || ids.id[i] >= dh_tokenizer_size(t))
                abort();
            dh_tokenizer_decode(t, ids.id[i], &out);
        }
    (void)dh_tokenizer_find_added(t, "<tool_call>");
    dh_buf_finish(&out);
    dh_ids_finish(&ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dh_str in = { (const char *)data, size };
    struct dh_buf text;
    dh_buf_init(&text, 1 << 20);
    if (size && data[0] == '#') {
        dh_buf_put(&text, small.data, small.len);
        patch(&text, dh_str_sub(in, 1, size));
    } else {
        dh_buf_put(&text, data, size);
    }
    struct dh_diag diag = { 0 };
    struct dh_tokenizer *t = NULL;
    enum dh_status st =
        dh_tokenizer_parse(&t, dh_buf_text(&text), text.len, &diag);
    if (st ? t || (!diag.text[0] && st != DH_ERR_NOMEM) : !t)
        abort();
    if (t)
        use(t);
    dh_tokenizer_destroy(t);
    dh_buf_finish(&text);
    return 0;
}
