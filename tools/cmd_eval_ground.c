#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/ground.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "capture/picture.h"
#include "tools/app.h"

// A set is a JSON array in ScreenSpot's form: img_filename, bbox [x,y,w,h] in
// pixels, instruction, data_type, data_source, and where known application. An
// item with an answer in place of a bbox is a question: the words must be
// equal.

#define SET_MAX_BYTES (256 * 1024 * 1024)
#define MAX_GROUPS    64

struct eval_options {
    const char *out;
    int limit;
};

static const struct dh_opt eval_opts[] = {
    { "out", 'o', DH_OPT_TEXT, offsetof(struct eval_options, out), "FILE",
      "Write one JSON line per item", 0, 0, NULL },
    { "limit", 0, DH_OPT_INT, offsetof(struct eval_options, limit), "N",
      "Only the first N items, 0 for all", 0, 1e9, NULL },
    { 0 },
};

/* Counts of one column's value, e.g. data_type "button". */
struct group {
    char column[24], value[48];
    int hits, n;
};

struct eval {
    struct dh_brain *brain;
    struct eval_options o;
    char *dir; // of the set
    struct group group[MAX_GROUPS];
    int n_groups;
    double *seconds, *miss_px;
    int n, n_miss, no_point;
    FILE *out;
    char *image; // of `frame`: items of one picture stand together
    struct dh_frame *frame;
};

static struct group *find_group(struct eval *e, const char *column,
                                const char *value)
{
    for (int i = 0; i < e->n_groups; i++)
        if (strcmp(e->group[i].column, column) == 0 &&
            strcmp(e->group[i].value, value) == 0)
            return &e->group[i];
    if (e->n_groups == MAX_GROUPS)
        return &e->group[MAX_GROUPS - 1];
    struct group *g = &e->group[e->n_groups++];
    snprintf(g->column, sizeof g->column, "%s", column);
    snprintf(g->value, sizeof g->value, "%s", value);
    return g;
}

static void count(struct eval *e, const char *column, const char *value,
                  bool hit)
{
    if (!value[0])
        return;
    struct group *g = find_group(e, column, value);
    g->n++;
    g->hits += hit;
}

struct item {
    const char *image, *instruction, *type, *source, *application;
    const char *answer; // NULL: a place is asked for
    double box[4];      // x, y, w, h
};

static const char *text_or_empty(const struct dh_json *v, const char *key)
{
    const struct dh_json *m = dh_json_find(v, key);
    return m ? dh_json_text(m) : "";
}

static bool read_item(const struct dh_json *v, struct item *it,
                      struct dh_diag *diag)
{
    const struct dh_json *box = dh_json_find(v, "bbox");
    int n = 0;
    if (!dh_json_get_text(v, "img_filename", &it->image, diag) ||
        !dh_json_get_text(v, "instruction", &it->instruction, diag))
        return false;
    for (const struct dh_json *b = box ? dh_json_first(box) : NULL; b && n < 4;
         b = dh_json_next(b))
        it->box[n++] = dh_json_number(b);
    if (dh_json_find(v, "answer")) {
        if (!dh_json_get_text(v, "answer", &it->answer, diag))
            return false;
    } else if (n != 4) {
        dh_diag_set(diag, 0, "bbox: four numbers expected");
        return false;
    }
    it->type = text_or_empty(v, "data_type");
    it->source = text_or_empty(v, "data_source");
    it->application = text_or_empty(v, "application");
    return true;
}

static enum dh_status open_image(struct eval *e, const char *name)
{
    if (e->image && strcmp(e->image, name) == 0)
        return DH_OK;
    dh_frame_unref(e->frame);
    dh_free(e->image);
    e->frame = NULL;
    e->image = dh_strdup(name);
    char *path = dh_path_join(e->dir, name);
    enum dh_status st = dh_picture_read(path, &e->frame);
    dh_free(path);
    return st;
}

static void write_line(struct eval *e, const struct item *it,
                       const struct dh_ground *g, bool hit)
{
    struct dh_buf out;
    struct dh_json_writer w;
    if (!e->out)
        return;
    dh_buf_init(&out, 1 << 22);
    dh_jw_init(&w, &out);
    dh_jw_object(&w, NULL);
    dh_jw_text(&w, "img_filename", it->image);
    dh_jw_text(&w, "instruction", it->instruction);
    dh_jw_bool(&w, "hit", hit);
    dh_jw_i64(&w, "x", g->pixel.x);
    dh_jw_i64(&w, "y", g->pixel.y);
    dh_jw_text(&w, "raw", g->raw ? g->raw : "");
    dh_jw_end_object(&w);
    fprintf(e->out, "%s\n", dh_buf_text(&out));
    dh_buf_finish(&out);
}

static bool in_box(const struct item *it, struct dh_point p)
{
    return p.x >= it->box[0] && p.x <= it->box[0] + it->box[2] &&
           p.y >= it->box[1] && p.y <= it->box[1] + it->box[3];
}

static enum dh_status eval_one(struct eval *e, const struct item *it)
{
    struct dh_ground g = { 0 };
    enum dh_status st = open_image(e, it->image);
    if (st)
        return st;
    int64_t start = dh_now_ns();
    st = it->answer ? dh_ground_read(e->brain, e->frame, it->instruction, &g)
                    : dh_ground_find(e->brain, e->frame, it->instruction, &g);
    e->seconds[e->n++] = (double)(dh_now_ns() - start) / 1e9;
    bool point = st == DH_OK && !it->answer;
    bool hit = it->answer ? !st && strcmp(g.raw, it->answer) == 0
                          : point && in_box(it, g.pixel);
    if (point)
        e->miss_px[e->n_miss++] =
            hypot(it->box[0] + it->box[2] / 2 - g.pixel.x,
                  it->box[1] + it->box[3] / 2 - g.pixel.y);
    if (st == DH_ERR_FORMAT) {
        e->no_point++;
        st = DH_OK;
    }
    count(e, "all", it->answer ? "read" : "located", hit);
    count(e, "type", it->type, hit);
    count(e, "source", it->source, hit);
    count(e, "application", it->application, hit);
    write_line(e, it, &g, hit);
    dh_ground_finish(&g);
    return st;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int n)
{
    if (!n)
        return 0;
    qsort(v, (size_t)n, sizeof *v, by_size);
    return v[n / 2];
}

// Wilson's score interval, 95 %.
static void interval(const struct group *g, double *lo, double *hi)
{
    double z = 1.959964, n = g->n, p = g->hits / n;
    double middle = (p + z * z / (2 * n)) / (1 + z * z / n);
    double half =
        z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n);
    *lo = fmax(0, middle - half);
    *hi = fmin(1, middle + half);
}

static void print_group(const struct group *g, bool json)
{
    double lo, hi;
    interval(g, &lo, &hi);
    if (json)
        printf("{\"column\":\"%s\",\"value\":\"%s\",\"hits\":%d,\"n\":%d,"
               "\"accuracy\":%.4f,\"lo\":%.4f,\"hi\":%.4f}\n",
               g->column, g->value, g->hits, g->n, (double)g->hits / g->n, lo,
               hi);
    else
        printf("%-12s %-20s %5d/%-5d %5.1f %%  (%.1f to %.1f)\n", g->column,
               g->value, g->hits, g->n, 100.0 * g->hits / g->n, 100 * lo,
               100 * hi);
}

static void print_result(struct eval *e, bool json)
{
    static const char *const columns[] = { "all", "type", "source",
                                           "application" };
    if (!json)
        printf("in the box                      hits/n              95 %% "
               "interval\n");
    for (size_t c = 0; c < DH_COUNTOF(columns); c++)
        for (int i = 0; i < e->n_groups; i++)
            if (strcmp(e->group[i].column, columns[c]) == 0)
                print_group(&e->group[i], json);
    if (!json)
        printf("median distance to the centre %.1f px, median %.2f s an item, "
               "%d without a point\n",
               median(e->miss_px, e->n_miss), median(e->seconds, e->n),
               e->no_point);
}

static enum dh_status eval_all(struct eval *e, const struct dh_json *set)
{
    size_t total = dh_json_count(set);
    enum dh_status st = DH_OK;
    dh_array(e->seconds, total);
    dh_array(e->miss_px, total);
    for (const struct dh_json *v = dh_json_first(set); v && !st;
         v = dh_json_next(v)) {
        struct dh_diag diag = { 0 };
        struct item it = { 0 };
        if (e->o.limit && e->n >= e->o.limit)
            break;
        if (!read_item(v, &it, &diag)) {
            fprintf(stderr, "deskhand eval: item %d: %s\n", e->n + 1,
                    diag.text);
            return DH_ERR_FORMAT;
        }
        st = eval_one(e, &it);
        if (e->n % 10 == 0)
            fprintf(stderr, "\r%d of %zu ", e->n, total);
    }
    fprintf(stderr, "\r                    \r");
    return st;
}

static enum dh_status read_set(const char *path, struct dh_json **out)
{
    struct dh_diag diag = { 0 };
    char *text;
    size_t len;
    enum dh_status st = dh_file_read(path, SET_MAX_BYTES, &text, &len);
    if (st)
        return st;
    *out = dh_json_parse(text, len, &diag);
    dh_big_free(text);
    if (*out && dh_json_kind(*out) == DH_JSON_ARRAY)
        return DH_OK;
    fprintf(stderr, "deskhand eval: %s: %s\n", path,
            diag.text[0] ? diag.text : "an array is expected");
    return DH_ERR_FORMAT;
}

static void eval_finish(struct eval *e)
{
    if (e->out && fclose(e->out))
        perror("deskhand eval: --out");
    dh_frame_unref(e->frame);
    dh_free(e->image);
    dh_free(e->dir);
    dh_free(e->seconds);
    dh_free(e->miss_px);
    dh_brain_destroy(e->brain);
}

static int run(int argc, char **argv)
{
    struct dh_app_options app = DH_APP_DEFAULTS;
    struct dh_model_opts model = { .strict = true };
    struct eval e = { 0 };
    struct dh_opt_set sets[] = { { eval_opts, &e.o },
                                 { dh_model_opt_table, &model },
                                 { dh_app_opts, &app },
                                 { 0 } };
    struct dh_json *set = NULL;
    int n, status;
    if (!dh_app_parse(&dh_cmd_eval_ground, sets, &app, argc, argv, &n, &status))
        return status;
    if (n != 1)
        return dh_app_usage(&dh_cmd_eval_ground, "one SET.json is expected");
    enum dh_status st = read_set(argv[1], &set);
    e.dir = dh_path_dir(argv[1]);
    if (!st && e.o.out && !(e.out = fopen(e.o.out, "w"))) {
        perror(e.o.out);
        st = DH_ERR_IO;
    }
    if (!st)
        st = dh_app_brain(&e.brain, &model);
    if (!st)
        st = eval_all(&e, set);
    if (e.n)
        print_result(&e, app.json);
    eval_finish(&e);
    dh_json_free(set);
    return dh_app_exit(st);
}

const struct dh_command dh_cmd_eval_ground = {
    "eval ground",
    "SET.json",
    "Measure how often the model points into the right box",
    "SET.json is a list in ScreenSpot's form; pictures lie beside it:\n"
    "  "
    "[{\"img_filename\":\"a.png\",\"bbox\":[x,y,w,h],\"instruction\":\"Save\","
    "\n"
    "    \"data_type\":\"text\",\"data_source\":\"gtk3\"}]",
    { eval_opts, dh_model_opt_table, dh_app_opts },
    run,
};
