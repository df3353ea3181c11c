#include "agent/brain_answers.h"

#include <stdlib.h>
#include <string.h>

#include "agent/brain_priv.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#define DH_LOG_TAG "answers"
#include "base/log.h"

#define FILE_MAX_BYTES ((size_t)1 << 30)

struct line {
    char *id, *method, *raw; // id "": for all that have none
};

struct answers {
    struct dh_brain brain;
    struct line *line; // sorted
    size_t n;
    char *id, *method; // of the next question
};

static int by_key(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    int c = strcmp(x->id, y->id);
    return c ? c : strcmp(x->method, y->method);
}

static const struct line *find(const struct answers *b, const char *id,
                               const char *method)
{
    char *i = dh_strdup(id), *m = dh_strdup(method);
    struct line key = { i, m, NULL };
    const struct line *found =
        b->n ? bsearch(&key, b->line, b->n, sizeof key, by_key) : NULL;
    dh_free(i);
    dh_free(m);
    return found;
}

static enum dh_status ask(struct dh_brain *brain,
                          const struct dh_brain_request *r,
                          struct dh_brain_answer *out)
{
    const struct answers *b = (const struct answers *)brain;
    const struct line *found = find(b, b->id, b->method);
    (void)r;
    if (!found)
        found = find(b, "", b->method);
    if (!found)
        found = find(b, "", "point");
    if (!found)
        return DH_ERR_NOTFOUND;
    out->text = dh_strdup(found->raw);
    return DH_OK;
}

static void destroy(struct dh_brain *brain)
{
    struct answers *b = (struct answers *)brain;
    for (size_t i = 0; i < b->n; i++) {
        dh_free(b->line[i].id);
        dh_free(b->line[i].method);
        dh_free(b->line[i].raw);
    }
    dh_free(b->line);
    dh_free(b->id);
    dh_free(b->method);
    dh_profile_finish(&brain->profile);
    dh_free(b);
}

static const struct dh_brain_ops answers_ops = { .ask = ask,
                                                 .destroy = destroy };

// A line of results may have no answer: then there is none to keep.
static bool take_line(struct answers *b, const char *text, size_t len,
                      struct dh_diag *diag)
{
    struct dh_json *o = dh_json_parse(text, len, diag);
    const struct dh_json *id = dh_json_find(o, "id");
    const struct dh_json *method = dh_json_find(o, "method");
    const struct dh_json *raw = dh_json_find(o, "raw");
    bool ok = o && dh_json_kind(o) == DH_JSON_OBJECT;
    if (ok && raw && dh_json_kind(raw) == DH_JSON_STRING) {
        if ((b->n & (b->n + 1)) == 0)
            b->line = dh_resize_array(b->line, 2 * b->n + 2, sizeof *b->line);
        b->line[b->n++] = (struct line){
            dh_strdup(id ? dh_json_text(id) : ""),
            dh_strdup(method ? dh_json_text(method) : "point"),
            dh_strdup(dh_json_text(raw)),
        };
    } else if (ok && !dh_json_find(o, "error_kind")) {
        dh_diag_set(diag, 0, "raw: a text expected");
        ok = false;
    }
    dh_json_free(o);
    return ok;
}

static enum dh_status take_lines(struct answers *b, const char *path)
{
    char *text;
    size_t len;
    enum dh_status st = dh_file_read(path, FILE_MAX_BYTES, &text, &len);
    if (st)
        return st;
    int number = 0;
    for (const char *at = text; *at && !st; at += strspn(at, "\n")) {
        size_t n = strcspn(at, "\n");
        struct dh_diag diag = { 0 };
        number++;
        if (!take_line(b, at, n, &diag)) {
            dh_error("%s:%d: %s", path, number,
                     diag.text[0] ? diag.text : "an object is expected");
            st = DH_ERR_FORMAT;
        }
        at += n;
    }
    dh_big_free(text);
    if (b->n)
        qsort(b->line, b->n, sizeof *b->line, by_key);
    return st;
}

enum dh_status dh_brain_answers_create(struct dh_brain **out, const char *path)
{
    struct answers *b;
    dh_new(b);
    b->brain.ops = &answers_ops;
    b->id = dh_strdup("");
    b->method = dh_strdup("");
    enum dh_status st = take_lines(b, path);
    if (st)
        destroy(&b->brain);
    else
        *out = &b->brain;
    return st;
}

void dh_brain_answers_next(struct dh_brain *brain, const char *id,
                           const char *method)
{
    struct answers *b = (struct answers *)brain;
    if (brain->ops != &answers_ops)
        return;
    dh_free(b->id);
    dh_free(b->method);
    b->id = dh_strdup(id);
    b->method = dh_strdup(method);
}
