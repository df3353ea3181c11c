#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/tokenizer.h"
#include "tools/app.h"

#define MAX_INPUT ((size_t)64 << 20)

struct tokens_options {
    const char *model;
    bool decode, untrusted;
};

static const struct dh_opt tokens_opts[] = {
    { "model", 'm', DH_OPT_TEXT, offsetof(struct tokens_options, model), "PATH",
      "The checkpoint whose tokenizer is meant (default: the embedded sprout)",
      0, 0, NULL },
    { "decode", 0, DH_OPT_BOOL, offsetof(struct tokens_options, decode), NULL,
      "TEXT is ids; print their text", 0, 0, NULL },
    { "untrusted", 0, DH_OPT_BOOL, offsetof(struct tokens_options, untrusted),
      NULL, "Cut TEXT as text from a screen: no control tokens in it", 0, 0,
      NULL },
    { 0 },
};

static enum dh_status open_tokenizer(struct dh_tokenizer **out,
                                     const char *model)
{
    char *dir = model ? dh_strdup(model) : dh_app_asset("models/sprout");
    enum dh_status st = dh_tokenizer_open(out, dir);
    dh_free(dir);
    return st;
}

// The operands with a space between them, or all of standard input.
static void read_text(int n, char **words, struct dh_buf *text)
{
    for (int i = 0; i < n; i++) {
        if (i)
            dh_buf_putc(text, ' ');
        dh_buf_puts(text, words[i]);
    }
    char chunk[65536];
    size_t got;
    while (n == 0 && (got = fread(chunk, 1, sizeof chunk, stdin)) > 0)
        dh_buf_put(text, chunk, got);
}

static void print_json(const struct dh_tokenizer *t, const struct dh_ids *ids,
                       size_t bytes)
{
    struct dh_buf out, piece;
    struct dh_json_writer w;
    dh_buf_init(&out, SIZE_MAX);
    dh_buf_init(&piece, 1 << 20);
    dh_jw_init(&w, &out);
    dh_jw_object(&w, NULL);
    dh_jw_i64(&w, "bytes", (int64_t)bytes);
    dh_jw_i64(&w, "count", (int64_t)ids->n);
    dh_jw_array(&w, "ids");
    for (size_t i = 0; i < ids->n; i++)
        dh_jw_i64(&w, NULL, ids->id[i]);
    dh_jw_end_array(&w);
    dh_jw_array(&w, "pieces");
    for (size_t i = 0; i < ids->n; i++) {
        dh_buf_clear(&piece);
        dh_tokenizer_decode(t, ids->id[i], &piece);
        dh_jw_str(&w, NULL, (struct dh_str){ dh_buf_text(&piece), piece.len });
    }
    dh_jw_end_array(&w);
    dh_jw_end_object(&w);
    puts(dh_buf_text(&out));
    dh_buf_finish(&piece);
    dh_buf_finish(&out);
}

static void print_lines(const struct dh_tokenizer *t, const struct dh_ids *ids,
                        size_t bytes)
{
    struct dh_buf line, piece;
    dh_buf_init(&line, SIZE_MAX);
    dh_buf_init(&piece, 1 << 20);
    for (size_t i = 0; i < ids->n; i++) {
        dh_buf_clear(&line);
        dh_buf_clear(&piece);
        dh_tokenizer_decode(t, ids->id[i], &piece);
        dh_json_quote(&line, (struct dh_str){ dh_buf_text(&piece), piece.len });
        printf("%7d  %s%s\n", ids->id[i], dh_buf_text(&line),
               dh_tokenizer_is_added(t, ids->id[i]) ? "  control" : "");
    }
    printf("%zu tokens, %zu bytes\n", ids->n, bytes);
    dh_buf_finish(&piece);
    dh_buf_finish(&line);
}

static enum dh_status encode(const struct dh_tokenizer *t,
                             const struct tokens_options *o,
                             const struct dh_buf *text, bool json)
{
    struct dh_ids ids = { 0 };
    bool *mask = o->untrusted ? dh_zalloc(text->len) : NULL;
    enum dh_status st =
        dh_tokenizer_encode(t, dh_buf_text(text), text->len, mask, &ids);
    if (!st && json)
        print_json(t, &ids, text->len);
    else if (!st)
        print_lines(t, &ids, text->len);
    dh_free(mask);
    dh_ids_finish(&ids);
    return st;
}

// Ids between spaces, commas, brackets or line ends: what encode prints as
// JSON may be pasted back.
static int decode(const struct dh_tokenizer *t, struct dh_buf *text, bool json)
{
    static const char between[] = " ,[]\t\r\n";
    const char *p = dh_buf_text(text);
    struct dh_buf out, line;
    dh_buf_init(&out, SIZE_MAX);
    dh_buf_init(&line, SIZE_MAX);
    for (;;) {
        p += strspn(p, between);
        struct dh_str word = { p, strcspn(p, between) };
        int64_t id;
        if (!word.n)
            break;
        if (!dh_parse_i64(word, &id) || id < 0 || id >= dh_tokenizer_size(t)) {
            dh_buf_finish(&out);
            return dh_app_usage(&dh_cmd_tokens, "no id from 0 to %d: %.*s",
                                dh_tokenizer_size(t) - 1,
                                (int)DH_MIN(word.n, 40), word.p);
        }
        dh_tokenizer_decode(t, (int32_t)id, &out);
        p += word.n;
    }
    if (json) {
        dh_json_quote(&line, (struct dh_str){ dh_buf_text(&out), out.len });
        printf("{\"text\":%s}\n", dh_buf_text(&line));
    } else {
        fwrite(dh_buf_text(&out), 1, out.len, stdout);
        putchar('\n');
    }
    dh_buf_finish(&line);
    dh_buf_finish(&out);
    return DH_EXIT_OK;
}

static int run(int argc, char **argv)
{
    struct dh_app_options app = DH_APP_DEFAULTS;
    struct tokens_options o = { 0 };
    struct dh_opt_set sets[] = { { tokens_opts, &o },
                                 { dh_app_opts, &app },
                                 { 0 } };
    struct dh_tokenizer *t = NULL;
    struct dh_buf text;
    int n, status;
    if (!dh_app_parse(&dh_cmd_tokens, sets, &app, argc, argv, &n, &status))
        return status;
    enum dh_status st = open_tokenizer(&t, o.model);
    if (st)
        return dh_app_exit(st);
    dh_buf_init(&text, MAX_INPUT);
    read_text(n, argv + 1, &text);
    if (text.overflow)
        status = dh_app_usage(&dh_cmd_tokens, "more than 64 MiB of text");
    else if (o.decode)
        status = decode(t, &text, app.json);
    else
        status = dh_app_exit(encode(t, &o, &text, app.json));
    dh_buf_finish(&text);
    dh_tokenizer_destroy(t);
    return status;
}

const struct dh_command dh_cmd_tokens = {
    "tokens",
    "[TEXT]",
    "Cut text into the tokens of a model",
    "Reads standard input where no TEXT is given. One line for each token: "
    "its\n"
    "id and its text, \"control\" where it is an added token.",
    { tokens_opts, dh_app_opts },
    run,
};
