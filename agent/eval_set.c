#include "agent/eval_set.h"

#include <dirent.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/eval_set_priv.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "capture/picture.h"

#define FILE_MAX_BYTES ((size_t)256 << 20)

static const char *const fault_names[DH_EVAL_FAULT_COUNT] = {
    "left out for a field",
    "left out for an empty box",
    "left out without a picture",
    "left out for the picture's size",
    "ids that were there before",
    "boxes clipped",
    "unknown types",
};

const char *dh_eval_fault_name(enum dh_eval_fault f)
{
    return fault_names[f];
}

void dh_eval_set_fault(struct dh_eval_set *s, enum dh_eval_fault f,
                       const char *fmt, ...)
{
    struct dh_buf text;
    va_list ap;
    s->fault[f]++;
    if (s->n_notes == DH_EVAL_MAX_NOTES)
        return;
    dh_buf_init(&text, 4096);
    va_start(ap, fmt);
    dh_buf_vprintf(&text, fmt, ap);
    va_end(ap);
    s->note[s->n_notes++] = dh_buf_take(&text);
}

void dh_eval_set_add(struct dh_eval_set *s, struct dh_eval_item *it)
{
    if (s->n % 64 == 0)
        s->item = dh_resize_array(s->item, (size_t)s->n + 64, sizeof *s->item);
    s->item[s->n++] = *it;
    *it = (struct dh_eval_item){ 0 };
}

bool dh_eval_set_clip(struct dh_eval_set *s, struct dh_eval_item *it)
{
    double w = it->size.w, h = it->size.h, box[4];
    bool clipped = false;
    if (!dh_eval_target_box(&it->target, box))
        return true;
    if (!(box[2] > box[0] && box[3] > box[1]) || box[0] >= w || box[1] >= h ||
        box[2] <= 0 || box[3] <= 0) {
        dh_eval_set_fault(s, DH_EVAL_FAULT_EMPTY,
                          "%.80s: nothing of [%g,%g,%g,%g] is in the picture "
                          "of %g x %g",
                          it->id, box[0], box[1], box[2], box[3], w, h);
        return false;
    }
    for (int i = 0; i < it->target.n; i++) {
        double *v = &it->target.v[i], in = DH_CLAMP(*v, 0, i % 2 ? h : w);
        clipped |= in != *v;
        *v = in;
    }
    if (clipped)
        dh_eval_set_fault(s, DH_EVAL_FAULT_CLIPPED,
                          "%.80s: [%g,%g,%g,%g] sticks out of %g x %g", it->id,
                          box[0], box[1], box[2], box[3], w, h);
    return true;
}

// ---- pictures --------------------------------------------------------------

static char *join(const char *a, const char *b)
{
    struct dh_buf path;
    dh_buf_init(&path, 8192);
    dh_buf_printf(&path, "%s%s%s", a, a[0] ? "/" : "", b);
    return dh_buf_take(&path);
}

// MMBench-GUI keeps each platform's pictures in a folder of its own.
static char *with_platform(const char *folder, const struct dh_eval_item *it)
{
    struct dh_buf path;
    const char *p = dh_eval_tags_find(&it->tags, "platform");
    dh_buf_init(&path, 8192);
    dh_buf_printf(&path, "%s/os_", folder);
    for (; *p; p++)
        dh_buf_putc(&path, (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p));
    dh_buf_printf(&path, "/%s", it->image);
    return dh_buf_take(&path);
}

// A set must not make us open what is not in its folder.
static bool is_inside(const char *name)
{
    return name[0] != '/' && strcmp(name, "..") != 0 &&
           strncmp(name, "../", 3) != 0 && !strstr(name, "/../");
}

static bool try_picture(const struct dh_eval_set *s, char *name,
                        struct dh_eval_item *it, struct dh_size *size)
{
    char *path = dh_path_join(s->dir, name);
    bool found = dh_picture_size(path, size) == DH_OK;
    dh_free(path);
    if (found) {
        dh_free(it->image);
        it->image = name;
    } else {
        dh_free(name);
    }
    return found;
}

static bool find_picture(const struct dh_eval_set *s,
                         const struct dh_eval_format *f,
                         struct dh_eval_item *it, struct dh_size *size)
{
    if (!is_inside(it->image))
        return false;
    for (size_t i = 0; i < DH_COUNTOF(f->images) && f->images[i]; i++) {
        const char *folder = f->images[i];
        if (try_picture(s, join(folder, it->image), it, size) ||
            (f->fractions &&
             try_picture(s, with_platform(folder, it), it, size)))
            return true;
    }
    return false;
}

static void scale_fractions(struct dh_eval_item *it)
{
    for (int i = 0; i < it->target.n; i++)
        if (!(it->target.v[i] >= 0 && it->target.v[i] <= 1))
            return;
    for (int i = 0; i < it->target.n; i++)
        it->target.v[i] *= i % 2 ? it->size.h : it->size.w;
}

static bool check_item(struct dh_eval_set *s, const struct dh_eval_format *f,
                       struct dh_eval_item *it)
{
    struct dh_size real;
    if (!find_picture(s, f, it, &real)) {
        dh_eval_set_fault(s, DH_EVAL_FAULT_PICTURE, "%.80s: no picture %.120s",
                          it->id, it->image);
        return false;
    }
    if (it->size.w && (it->size.w != real.w || it->size.h != real.h)) {
        dh_eval_set_fault(s, DH_EVAL_FAULT_SIZE,
                          "%.80s: %.120s is %d x %d, not %d x %d", it->id,
                          it->image, real.w, real.h, it->size.w, it->size.h);
        return false;
    }
    it->size = real;
    if (f->fractions)
        scale_fractions(it);
    return dh_eval_set_clip(s, it);
}

static void check_items(struct dh_eval_set *s, const struct dh_eval_format *f)
{
    int n = 0;
    for (int i = 0; i < s->n; i++) {
        struct dh_eval_item it = s->item[i];
        if (check_item(s, f, &it))
            s->item[n++] = it;
        else
            dh_eval_item_finish(&it);
    }
    s->n = n;
}

static int by_id(const void *a, const void *b)
{
    const struct dh_eval_item *const *x = a, *const *y = b;
    int c = strcmp((*x)->id, (*y)->id);
    return c ? c : (*x > *y) - (*x < *y);
}

static void rename_duplicates(struct dh_eval_set *s)
{
    struct dh_eval_item **order;
    int same = 1;
    dh_array(order, (size_t)s->n);
    for (int i = 0; i < s->n; i++)
        order[i] = &s->item[i];
    if (s->n)
        qsort(order, (size_t)s->n, sizeof *order, by_id);
    // From the end, so that the one before still has its name.
    for (int i = s->n - 1; i > 0; i--) {
        struct dh_buf id;
        same = 1;
        while (same <= i && strcmp(order[i - same]->id, order[i]->id) == 0)
            same++;
        if (same == 1)
            continue;
        dh_eval_set_fault(s, DH_EVAL_FAULT_DUPLICATE,
                          "%.80s: this id is there more than once",
                          order[i]->id);
        dh_buf_init(&id, 1 << 20);
        dh_buf_printf(&id, "%s#%d", order[i]->id, same);
        dh_free(order[i]->id);
        order[i]->id = dh_buf_take(&id);
    }
    dh_free(order);
}

// ---- files -----------------------------------------------------------------

static int is_json(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return n > 5 && strcmp(e->d_name + n - 5, ".json") == 0;
}

static void add_file(struct dh_eval_set *s, char *path)
{
    s->file = dh_resize_array(s->file, (size_t)s->n_files + 1, sizeof *s->file);
    s->file[s->n_files++] = path;
}

static void find_files(struct dh_eval_set *s, const struct dh_eval_format *f)
{
    char *dir =
        f->folder[0] ? dh_path_join(s->dir, f->folder) : dh_strdup(s->dir);
    if (strcmp(f->files[0], "*") == 0) {
        struct dirent **e;
        int n = scandir(dir, &e, is_json, alphasort);
        for (int i = 0; i < n; i++) {
            add_file(s, dh_path_join(dir, e[i]->d_name));
            free(e[i]);
        }
        if (n >= 0)
            free(e);
    }
    for (int i = 0; f->files[i] && f->files[i][0] != '*'; i++) {
        char *path = dh_path_join(dir, f->files[i]);
        if (dh_path_exists(path))
            add_file(s, path);
        else
            dh_free(path);
    }
    dh_free(dir);
}

// Its name without folder and ending; dh_free.
static char *stem_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    return dh_strndup(name, dot ? (size_t)(dot - name) : strlen(name));
}

static struct dh_json *read_classes(const struct dh_eval_set *s)
{
    char *path = dh_path_join(s->dir, "classification_result.json"), *text;
    struct dh_diag diag = { 0 };
    struct dh_json *o = NULL;
    size_t len;
    if (dh_path_exists(path) &&
        dh_file_read(path, FILE_MAX_BYTES, &text, &len) == DH_OK) {
        o = dh_json_parse(text, len, &diag);
        dh_big_free(text);
    }
    dh_free(path);
    return o;
}

static enum dh_status read_file(struct dh_eval_import *im, const char *path,
                                struct dh_diag *diag)
{
    struct dh_diag why = { 0 };
    char *text, *stem = stem_of(path);
    size_t len;
    enum dh_status st = dh_file_read(path, FILE_MAX_BYTES, &text, &len);
    if (!st) {
        im->file = stem;
        st = dh_eval_import_text(im, text, len, &why);
        dh_big_free(text);
    }
    if (st)
        dh_diag_set(diag, why.offset, "%.100s: %s", path,
                    why.text[0] ? why.text : dh_status_name(st));
    dh_free(stem);
    return st;
}

static enum dh_status read_files(struct dh_eval_set *s,
                                 const struct dh_eval_format *f,
                                 struct dh_diag *diag)
{
    bool classes = strncmp(f->name, "osworld-g", 9) == 0;
    struct dh_json *extra = classes ? read_classes(s) : NULL;
    struct dh_eval_import im = { .set = s, .format = f, .extra = extra };
    enum dh_status st = DH_OK;
    for (int i = 0; i < s->n_files && !st; i++)
        st = read_file(&im, s->file[i], diag);
    dh_json_free(extra);
    return st;
}

// The set's folder of an annotation file.
static char *dir_of_file(const char *path, const struct dh_eval_format *f)
{
    char *dir = dh_path_dir(path), *up;
    size_t n = strlen(dir), m = strlen(f->folder);
    if (!m || n < m || strcmp(dir + n - m, f->folder) != 0)
        return dir;
    up = dh_path_dir(dir);
    dh_free(dir);
    return up;
}

static enum dh_status fill(struct dh_eval_set *s,
                           const struct dh_eval_format *f, const char *path,
                           struct dh_diag *diag)
{
    if (!dh_path_exists(path)) {
        dh_diag_set(diag, 0, "%.120s is not there", path);
        return DH_ERR_NOTFOUND;
    }
    if (!f->read && !f->episodes) {
        s->dir = dh_strdup(path);
        return dh_eval_import_session(s, path, diag);
    }
    if (dh_path_is_dir(path)) {
        s->dir = dh_strdup(path);
        find_files(s, f);
    } else {
        s->dir = dir_of_file(path, f);
        add_file(s, dh_strdup(path));
    }
    if (!s->n_files) {
        dh_diag_set(diag, 0, "%.120s has no %s of the form %s", path,
                    f->files[0][0] == '*' ? "*.json" : f->files[0], f->name);
        return DH_ERR_NOTFOUND;
    }
    return read_files(s, f, diag);
}

enum dh_status dh_eval_set_open(struct dh_eval_set **out, const char *format,
                                const char *path, struct dh_diag *diag)
{
    const struct dh_eval_format *f = dh_eval_format_find(format);
    struct dh_eval_set *s;
    if (!f) {
        dh_diag_set(diag, 0, "there is no format %.40s", format);
        return DH_ERR_USAGE;
    }
    dh_new(s);
    s->format = f->name;
    s->published = f->published;
    enum dh_status st = fill(s, f, path, diag);
    if (!st) {
        rename_duplicates(s);
        check_items(s, f);
    }
    if (!st && !s->n) {
        dh_diag_set(diag, 0, "%.100s has not one item: %s", path,
                    s->n_notes ? s->note[0] : "its lists are empty");
        st = DH_ERR_FORMAT;
    }
    if (st)
        dh_eval_set_close(s);
    else
        *out = s;
    return st;
}

void dh_eval_set_close(struct dh_eval_set *s)
{
    if (!s)
        return;
    for (int i = 0; i < s->n; i++)
        dh_eval_item_finish(&s->item[i]);
    for (int i = 0; i < s->n_files; i++)
        dh_free(s->file[i]);
    for (int i = 0; i < s->n_notes; i++)
        dh_free(s->note[i]);
    dh_free(s->item);
    dh_free(s->file);
    dh_free(s->dir);
    dh_free(s);
}

// ---- which of them ---------------------------------------------------------

void dh_eval_set_first(struct dh_eval_set *s, int n)
{
    while (n > 0 && s->n > n)
        dh_eval_item_finish(&s->item[--s->n]);
}

void dh_eval_set_sample(struct dh_eval_set *s, int n, uint64_t seed)
{
    struct dh_rng rng;
    dh_rng_init(&rng, seed);
    for (int i = 0; i < n && i < s->n; i++) {
        int j = i + (int)dh_rng_below(&rng, (uint64_t)(s->n - i));
        struct dh_eval_item swap = s->item[i];
        s->item[i] = s->item[j];
        s->item[j] = swap;
    }
    dh_eval_set_first(s, n);
}

static int by_picture(const void *a, const void *b)
{
    const struct dh_eval_item *x = a, *y = b;
    int c = strcmp(x->image, y->image);
    return c ? c : strcmp(x->id, y->id);
}

void dh_eval_set_by_picture(struct dh_eval_set *s)
{
    if (s->n)
        qsort(s->item, (size_t)s->n, sizeof *s->item, by_picture);
}

char *dh_eval_set_picture(const struct dh_eval_set *s, int item)
{
    return dh_path_join(s->dir, s->item[item].image);
}
