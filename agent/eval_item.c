#include "agent/eval_item.h"

#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"

static const char *const kind_names[] = { "nothing", "box",  "polygon",
                                          "none",    "text", "step" };

void dh_eval_tags_add(struct dh_eval_tags *t, const char *key,
                      const char *value)
{
    struct dh_buf text;
    if (!value[0])
        return;
    dh_buf_init(&text, 1 << 20);
    dh_buf_printf(&text, "%s=%s", key, value);
    t->tag = dh_resize_array(t->tag, (size_t)t->n + 1, sizeof *t->tag);
    t->tag[t->n++] = dh_buf_take(&text);
}

const char *dh_eval_tags_find(const struct dh_eval_tags *t, const char *key)
{
    size_t n = strlen(key);
    for (int i = 0; i < t->n; i++)
        if (strncmp(t->tag[i], key, n) == 0 && t->tag[i][n] == '=')
            return t->tag[i] + n + 1;
    return "";
}

void dh_eval_tags_finish(struct dh_eval_tags *t)
{
    for (int i = 0; i < t->n; i++)
        dh_free(t->tag[i]);
    dh_free(t->tag);
    *t = (struct dh_eval_tags){ 0 };
}

void dh_eval_item_finish(struct dh_eval_item *it)
{
    dh_free(it->id);
    dh_free(it->image);
    dh_free(it->instruction);
    dh_free(it->target.v);
    dh_free(it->target.text);
    dh_eval_tags_finish(&it->tags);
    *it = (struct dh_eval_item){ 0 };
}

void dh_eval_target_set(struct dh_eval_target *t, enum dh_eval_kind kind,
                        const double *v, int n)
{
    dh_free(t->v);
    dh_array(t->v, (size_t)n);
    if (n)
        memcpy(t->v, v, (size_t)n * sizeof *v);
    t->n = n;
    t->kind = kind;
}

void dh_eval_item_copy(struct dh_eval_item *out, const struct dh_eval_item *it)
{
    *out = (struct dh_eval_item){ .id = dh_strdup(it->id),
                                  .image = dh_strdup(it->image),
                                  .size = it->size,
                                  .instruction = dh_strdup(it->instruction) };
    dh_eval_target_set(&out->target, it->target.kind, it->target.v,
                       it->target.n);
    if (it->target.text)
        out->target.text = dh_strdup(it->target.text);
    dh_array(out->tags.tag, (size_t)it->tags.n);
    for (int i = 0; i < it->tags.n; i++)
        out->tags.tag[out->tags.n++] = dh_strdup(it->tags.tag[i]);
}

static double gap_of_segment(const double *a, const double *b, double x,
                             double y)
{
    double dx = b[0] - a[0], dy = b[1] - a[1], len = dx * dx + dy * dy;
    double t = len > 0 ? ((x - a[0]) * dx + (y - a[1]) * dy) / len : 0;
    t = DH_CLAMP(t, 0, 1);
    return hypot(x - a[0] - t * dx, y - a[1] - t * dy);
}

static double gap_of_edges(const struct dh_eval_target *t, double x, double y)
{
    double best = INFINITY;
    for (int i = 0; i + 1 < t->n; i += 2)
        best =
            fmin(best, gap_of_segment(t->v + i, t->v + (i + 2) % t->n, x, y));
    return best;
}

// Even-odd rule.
static bool is_in_polygon(const struct dh_eval_target *t, double x, double y)
{
    bool in = false;
    for (int i = 0; i + 1 < t->n; i += 2) {
        const double *a = t->v + i, *b = t->v + (i + 2) % t->n;
        if ((a[1] > y) != (b[1] > y) &&
            x < (b[0] - a[0]) * (y - a[1]) / (b[1] - a[1]) + a[0])
            in = !in;
    }
    return in || gap_of_edges(t, x, y) < 1e-9;
}

double dh_eval_target_gap(const struct dh_eval_target *t, double x, double y)
{
    if (t->kind == DH_EVAL_POLYGON)
        return is_in_polygon(t, x, y) ? 0 : gap_of_edges(t, x, y);
    if (t->kind != DH_EVAL_BOX)
        return -1;
    double dx = fmax(0, fmax(t->v[0] - x, x - t->v[2]));
    double dy = fmax(0, fmax(t->v[1] - y, y - t->v[3]));
    return hypot(dx, dy);
}

bool dh_eval_target_has(const struct dh_eval_target *t, double x, double y)
{
    return dh_eval_target_gap(t, x, y) == 0;
}

bool dh_eval_target_box(const struct dh_eval_target *t, double box[4])
{
    if (t->kind != DH_EVAL_BOX && t->kind != DH_EVAL_POLYGON)
        return false;
    box[0] = box[2] = t->v[0];
    box[1] = box[3] = t->v[1];
    for (int i = 2; i + 1 < t->n; i += 2) {
        box[0] = fmin(box[0], t->v[i]);
        box[1] = fmin(box[1], t->v[i + 1]);
        box[2] = fmax(box[2], t->v[i]);
        box[3] = fmax(box[3], t->v[i + 1]);
    }
    return true;
}

static void put_target(struct dh_json_writer *w, const struct dh_eval_target *t)
{
    dh_jw_object(w, "target");
    dh_jw_text(w, "kind", kind_names[t->kind]);
    if (t->text)
        dh_jw_text(w, "text", t->text);
    if (t->n) {
        dh_jw_array(w, "v");
        for (int i = 0; i < t->n; i++)
            dh_jw_double(w, NULL, t->v[i]);
        dh_jw_end_array(w);
    }
    dh_jw_end_object(w);
}

void dh_eval_item_json(const struct dh_eval_item *it, struct dh_json_writer *w)
{
    dh_jw_text(w, "id", it->id);
    dh_jw_array(w, "tags");
    for (int i = 0; i < it->tags.n; i++)
        dh_jw_text(w, NULL, it->tags.tag[i]);
    dh_jw_end_array(w);
    if (it->image && it->image[0])
        dh_jw_text(w, "image", it->image);
    if (it->size.w) {
        dh_jw_array(w, "size");
        dh_jw_i64(w, NULL, it->size.w);
        dh_jw_i64(w, NULL, it->size.h);
        dh_jw_end_array(w);
    }
    dh_jw_text(w, "instruction", it->instruction ? it->instruction : "");
    if (it->target.kind != DH_EVAL_NOTHING)
        put_target(w, &it->target);
}

static bool read_numbers(struct dh_eval_target *t, const struct dh_json *list)
{
    double v[DH_EVAL_MAX_NUMBERS];
    int n = 0;
    for (const struct dh_json *x = dh_json_first(list); x;
         x = dh_json_next(x)) {
        if (n == DH_EVAL_MAX_NUMBERS || dh_json_kind(x) != DH_JSON_NUMBER ||
            !isfinite(dh_json_number(x)))
            return false;
        v[n++] = dh_json_number(x);
    }
    dh_eval_target_set(t, t->kind, v, n);
    return true;
}

static bool read_target(struct dh_eval_target *t, const struct dh_json *o,
                        struct dh_diag *diag)
{
    const char *kind;
    if (!o)
        return true;
    if (!dh_json_get_text(o, "kind", &kind, diag))
        return false;
    for (size_t i = 0; i < DH_COUNTOF(kind_names); i++)
        if (strcmp(kind, kind_names[i]) == 0)
            t->kind = (enum dh_eval_kind)i;
    const struct dh_json *v = dh_json_find(o, "v");
    const struct dh_json *text = dh_json_find(o, "text");
    bool ok = !v || read_numbers(t, v);
    if (text)
        t->text = dh_strdup(dh_json_text(text));
    ok &= t->kind != DH_EVAL_BOX || t->n == 4;
    ok &= t->kind != DH_EVAL_POLYGON || (t->n >= 6 && t->n % 2 == 0);
    ok &=
        (t->kind == DH_EVAL_TEXT || t->kind == DH_EVAL_STEP) == (text != NULL);
    if (!ok)
        dh_diag_set(diag, 0, "target: not a %s", kind);
    return ok;
}

static bool read_size(struct dh_size *out, const struct dh_json *pair,
                      struct dh_diag *diag)
{
    const struct dh_json *w = dh_json_first(pair);
    const struct dh_json *h = w ? dh_json_next(w) : NULL;
    double x = w ? dh_json_number(w) : 0, y = h ? dh_json_number(h) : 0;
    if (!(x >= 1 && x <= 32768 && y >= 1 && y <= 32768)) {
        dh_diag_set(diag, 0, "size: two numbers from 1 to 32768 expected");
        return false;
    }
    *out = (struct dh_size){ (int)x, (int)y };
    return true;
}

bool dh_eval_item_read(struct dh_eval_item *out, const struct dh_json *o,
                       struct dh_diag *diag)
{
    struct dh_eval_item it = { 0 };
    const char *id, *instruction;
    const struct dh_json *image = dh_json_find(o, "image");
    const struct dh_json *size = dh_json_find(o, "size");
    if (!dh_json_get_text(o, "id", &id, diag) ||
        !dh_json_get_text(o, "instruction", &instruction, diag) ||
        (size && !read_size(&it.size, size, diag)))
        return false;
    it.id = dh_strdup(id);
    it.instruction = dh_strdup(instruction);
    it.image = dh_strdup(image ? dh_json_text(image) : "");
    bool ok = read_target(&it.target, dh_json_find(o, "target"), diag);
    const struct dh_json *tags = dh_json_find(o, "tags");
    for (const struct dh_json *t = tags ? dh_json_first(tags) : NULL; t;
         t = dh_json_next(t)) {
        char *text = dh_strdup(dh_json_text(t)), *eq = strchr(text, '=');
        if (eq) {
            *eq = '\0';
            dh_eval_tags_add(&it.tags, text, eq + 1);
        }
        dh_free(text);
    }
    if (ok)
        *out = it;
    else
        dh_eval_item_finish(&it);
    return ok;
}
