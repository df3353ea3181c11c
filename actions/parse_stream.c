#include <string.h>

#include "actions/parse_priv.h"
#include "base/buf.h"
#include "base/mem.h"

struct dh_answer_stream {
    struct dh_parse_options options;
    struct dh_buf text, clean;
    struct dh_scan scan;
    struct dh_answer early; // what is known before the end
    struct dh_collector collector;
    struct dh_diag diag;
    int taken;
    size_t len; // all that was fed, kept or not
};

struct dh_answer_stream *
dh_answer_stream_create(const struct dh_parse_options *options)
{
    struct dh_answer_stream *s;
    dh_new(s);
    if (options)
        s->options = *options;
    dh_buf_init(&s->text, DH_ANSWER_MAX_BYTES + 1);
    dh_buf_init(&s->clean, DH_ANSWER_MAX_BYTES + 1);
    dh_scan_init(&s->scan, &s->clean, s->options.thinking);
    s->collector = (struct dh_collector){ .how = { .options = &s->options },
                                          .answer = &s->early,
                                          .diag = &s->diag };
    return s;
}

void dh_answer_stream_destroy(struct dh_answer_stream *s)
{
    if (!s)
        return;
    dh_answer_finish(&s->early);
    dh_buf_finish(&s->text);
    dh_buf_finish(&s->clean);
    dh_free(s);
}

void dh_answer_stream_feed(struct dh_answer_stream *s, const char *bytes,
                           size_t n)
{
    s->len += n;
    if (s->len > DH_ANSWER_MAX_BYTES)
        return;
    dh_buf_put(&s->text, bytes, n);
    struct dh_str in = { dh_buf_text(&s->text), s->text.len };
    while (!s->collector.failed && dh_scan_go(&s->scan, in, false)) {
        // An answer in two halves, the first being a thought: see end.
        if (s->scan.dead || s->scan.dropped)
            continue;
        struct dh_str clean = { dh_buf_text(&s->clean), s->clean.len };
        dh_parse_slice(&s->collector, s->scan.kind,
                       dh_str_sub(clean, s->scan.from, s->scan.end));
    }
}

bool dh_answer_stream_take(struct dh_answer_stream *s, struct dh_action *out)
{
    if (s->taken == s->early.n)
        return false;
    dh_action_copy(out, &s->early.action[s->taken++]);
    return true;
}

enum dh_status dh_answer_stream_end(struct dh_answer_stream *s,
                                    struct dh_answer *out, struct dh_diag *diag)
{
    if (s->len > DH_ANSWER_MAX_BYTES) {
        memset(out, 0, sizeof *out);
        out->step = dh_strdup("");
        dh_diag_set(diag, 0, "the answer is longer than 1 MiB");
        return DH_ERR_FORMAT;
    }
    struct dh_diag why = { 0 };
    enum dh_status st = dh_answer_parse_with(&s->options, dh_buf_text(&s->text),
                                             s->text.len, out, &why);
    for (int i = 0; i < s->taken; i++)
        if (i >= out->n ||
            !dh_action_equal(&out->action[i], &s->early.action[i])) {
            dh_diag_set(diag, 0,
                        "an end of thinking came after a call, which so was "
                        "only a thought");
            return DH_ERR_FORMAT;
        }
    if (st)
        dh_diag_set(diag, why.offset, "%s", why.text);
    return st;
}
