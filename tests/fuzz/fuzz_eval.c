// Any bytes as an annotation file of each form, and as a line of results: what
// is accepted has numbers and texts, and prints and reads back. max-len: 4096
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/eval_judge.h"
#include "agent/eval_set_priv.h"
#include "base/buf.h"
#include "base/mem.h"

static void check_set(const struct dh_eval_set *s)
{
    for (int i = 0; i < s->n; i++) {
        const struct dh_eval_item *it = &s->item[i];
        if (!it->id || !it->image || !it->instruction ||
            it->target.kind == DH_EVAL_NOTHING)
            abort();
        for (int j = 0; j < it->target.n; j++)
            if (!isfinite(it->target.v[j]))
                abort();
    }
}

static void clip(struct dh_eval_set *s)
{
    for (int i = 0; i < s->n; i++) {
        struct dh_eval_item *it = &s->item[i];
        double b[4];
        it->size = (struct dh_size){ 100, 50 };
        if (dh_eval_set_clip(s, it) && dh_eval_target_box(&it->target, b) &&
            (b[0] < 0 || b[1] < 0 || b[2] > 100 || b[3] > 50))
            abort();
    }
}

static void read_as(const char *format, const char *text, size_t len)
{
    struct dh_eval_set *s;
    struct dh_diag diag = { 0 };
    dh_new(s);
    struct dh_json *extra = dh_json_parse(text, len, &diag);
    struct dh_eval_import im = { .set = s,
                                 .format = dh_eval_format_find(format),
                                 .file = "screenspot_web_basic",
                                 .extra = extra };
    memset(&diag, 0, sizeof diag);
    if (dh_eval_import_text(&im, text, len, &diag) == DH_OK)
        check_set(s);
    else if (!diag.text[0])
        abort();
    clip(s);
    dh_json_free(extra);
    dh_eval_set_close(s);
}

static void read_line(const char *text, size_t len)
{
    struct dh_eval_result r, again;
    struct dh_diag diag = { 0 };
    struct dh_buf a, b;
    if (!dh_eval_result_read(&r, text, len, &diag)) {
        if (!diag.text[0])
            abort();
        return;
    }
    dh_eval_judge(&r);
    dh_buf_init(&a, 1 << 22);
    dh_buf_init(&b, 1 << 22);
    dh_eval_result_json(&r, &a);
    if (!dh_eval_result_read(&again, a.data, a.len, &diag))
        abort();
    dh_eval_result_json(&again, &b);
    if (strcmp(dh_buf_text(&a), dh_buf_text(&b)) != 0)
        abort();
    dh_buf_finish(&a);
    dh_buf_finish(&b);
    dh_eval_result_finish(&r);
    dh_eval_result_finish(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *const *format = dh_eval_formats();
    for (; *format; format++)
        if (strcmp(*format, "session") != 0)
            read_as(*format, (const char *)data, size);
    read_line((const char *)data, size);
    return 0;
}
