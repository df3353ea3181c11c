// Logits for given ids and pictures: to hold this program against others.
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/pool.h"
#include "capture/frame.h"
#include "capture/picture.h"
#include "model/session.h"
#include "tools/app.h"
#include "tools/reads.h"
#include "vision/patches.h"

#define DH_LOG_TAG "forward"
#include "base/log.h"

#define MAX_INPUT  ((size_t)256 << 20)
#define MAX_IDS    ((size_t)1 << 20)
#define MAX_IMAGES 256

struct options {
    const char *model, *mmproj, *input, *out, *kernels;
    int64_t memory;
    int threads, chunk;
};

static const struct dh_opt options_table[] = {
    { .name = "model",
      .type = DH_OPT_TEXT,
      .offset = offsetof(struct options, model),
      .arg = "PATH",
      .help = "The checkpoint, a folder or a .gguf file; no tokenizer is "
              "needed" },
    { .name = "input",
      .type = DH_OPT_TEXT,
      .offset = offsetof(struct options, input),
      .arg = "FILE",
      .help = "Cases, as described above" },
    { .name = "out",
      .type = DH_OPT_TEXT,
      .offset = offsetof(struct options, out),
      .arg = "DIR",
      .help = "Where caseN.logits.f32 are written" },
    { .name = "threads",
      .type = DH_OPT_INT,
      .offset = offsetof(struct options, threads),
      .arg = "N",
      .lo = 0,
      .hi = 256,
      .help = "Threads that compute; 0 is one for each core" },
    { .name = "kernels",
      .type = DH_OPT_TEXT,
      .offset = offsetof(struct options, kernels),
      .arg = "NAME",
      .help = "Arithmetic, as of run; here float32 unless told" },
    DH_MMPROJ_OPT(struct options, mmproj),
    DH_READS_OPT(struct options, memory),
    { .name = "chunk",
      .type = DH_OPT_INT,
      .offset = offsetof(struct options, chunk),
      .arg = "N",
      .lo = 0,
      .hi = 65536,
      .help = "Tokens in one pass; 0 is the default" },
    { 0 },
};

// One case while it runs.
struct forward {
    struct dh_model *model;
    struct dh_session *session;
    const char *base; // folder of the input file
    int index;
    int32_t *ids;
    size_t n_ids;
    struct dh_patches *patches;
    struct dh_session_image *images;
    size_t n_images;
    int greedy;
    FILE *logits;
    bool write_failed;
};

static void forward_finish(struct forward *f)
{
    for (size_t i = 0; i < f->n_images; i++)
        dh_patches_finish(&f->patches[i]);
    dh_free(f->patches);
    dh_free(f->images);
    dh_free(f->ids);
    dh_session_destroy(f->session);
    if (f->logits)
        fclose(f->logits);
}

static enum dh_status bad_case(const struct forward *f, const char *what)
{
    dh_error("case %d: %s", f->index, what);
    return DH_ERR_FORMAT;
}

static enum dh_status read_ids(struct forward *f, const struct dh_json *c)
{
    const struct dh_json *list = dh_json_find(c, "ids");
    size_t n = list ? dh_json_count(list) : 0;
    if (n == 0 || n > MAX_IDS || dh_json_kind(list) != DH_JSON_ARRAY)
        return bad_case(f, "ids: a list of integers is expected");
    dh_array(f->ids, n);
    for (const struct dh_json *e = dh_json_first(list); e;
         e = dh_json_next(e)) {
        double v = dh_json_number(e);
        if (dh_json_kind(e) != DH_JSON_NUMBER || !(v >= 0 && v < 1e9) ||
            v != (double)(int32_t)v)
            return bad_case(f, "ids: not an id");
        f->ids[f->n_ids++] = (int32_t)v;
    }
    return DH_OK;
}

static enum dh_status read_image(struct forward *f, const char *name)
{
    char *path = dh_path_join(f->base, name);
    struct dh_frame *frame = NULL;
    enum dh_status st = dh_picture_read(path, &frame);
    if (!st)
        st = dh_patches_of_frame(dh_model_get_image_rule(f->model), frame, NULL,
                                 &f->patches[f->n_images]);
    if (!st) {
        f->images[f->n_images].patches = &f->patches[f->n_images];
        f->images[f->n_images].token_id =
            dh_model_get_info(f->model)->image_token_id;
        f->n_images++;
    }
    dh_frame_unref(frame);
    dh_free(path);
    return st;
}

static enum dh_status read_images(struct forward *f, const struct dh_json *c)
{
    const struct dh_json *list = dh_json_find(c, "images");
    size_t n = list ? dh_json_count(list) : 0;
    if (n > MAX_IMAGES)
        return bad_case(f, "images: too many");
    const char *missing = dh_model_get_info(f->model)->vision_missing;
    if (n > 0 && missing)
        return bad_case(f, missing);
    dh_array(f->patches, n);
    dh_array(f->images, n);
    const struct dh_json *e = list ? dh_json_first(list) : NULL;
    for (; e; e = dh_json_next(e)) {
        if (dh_json_kind(e) != DH_JSON_STRING)
            return bad_case(f, "images: a file name is expected");
        enum dh_status st = read_image(f, dh_json_text(e));
        if (st)
            return st;
    }
    return DH_OK;
}

static enum dh_status read_case(struct forward *f, const struct dh_json *c)
{
    enum dh_status st = read_ids(f, c);
    if (!st)
        st = read_images(f, c);
    if (st || !dh_json_find(c, "greedy"))
        return st;
    struct dh_diag diag = { 0 };
    int64_t greedy;
    if (!dh_json_get_i64(c, "greedy", 0, 1 << 20, &greedy, &diag))
        return bad_case(f, diag.text);
    f->greedy = (int)greedy;
    return DH_OK;
}

static void write_row(void *user, size_t position, const float *logits)
{
    struct forward *f = user;
    size_t n = (size_t)dh_model_get_info(f->model)->vocab_size;
    (void)position;
    if (fwrite(logits, sizeof(*logits), n, f->logits) != n)
        f->write_failed = true;
}

static enum dh_status open_logits(struct forward *f, const char *dir)
{
    char name[64];
    snprintf(name, sizeof(name), "case%d.logits.f32", f->index);
    char *path = dh_path_join(dir, name);
    f->logits = fopen(path, "wb");
    if (!f->logits)
        dh_error("cannot write %s", path);
    dh_free(path);
    return f->logits ? DH_OK : DH_ERR_IO;
}

static void print_greedy(const struct forward *f, const int32_t *ids)
{
    printf("{\"case\":%d,\"greedy\":[", f->index);
    for (int i = 0; i < f->greedy; i++)
        printf(i ? ",%d" : "%d", ids[i]);
    printf("]}\n");
    fflush(stdout);
}

// The most likely token, again and again; prints the case's line once all of
// them are there.
static enum dh_status go_on(struct forward *f)
{
    int vocab = dh_model_get_info(f->model)->vocab_size;
    struct dh_sampling greedy = { 0 };
    enum dh_status st = DH_OK;
    float *scratch;
    int32_t *ids;
    dh_array(scratch, (size_t)vocab);
    dh_array(ids, (size_t)f->greedy);
    for (int i = 0; i < f->greedy && !st; i++) {
        ids[i] = dh_sample(dh_session_logits(f->session), vocab, NULL, &greedy,
                           NULL, scratch);
        if (ids[i] < 0) {
            dh_error("case %d: no finite logit", f->index);
            st = DH_ERR_RANGE;
        } else if (i + 1 < f->greedy) {
            st = dh_session_feed_text(f->session, &ids[i], 1);
        }
    }
    if (!st)
        print_greedy(f, ids);
    dh_free(scratch);
    dh_free(ids);
    return st;
}

static enum dh_status run_case(struct forward *f, const struct dh_json *c,
                               const struct options *o)
{
    enum dh_status st = read_case(f, c);
    if (st)
        return st;
    size_t longest =
        (size_t)dh_model_get_info(f->model)->max_position_embeddings;
    size_t tokens = f->n_ids + (size_t)f->greedy;
    if (tokens > longest)
        return bad_case(f, "more tokens than the model has positions");
    struct dh_session_options so = { .max_tokens = (int)tokens,
                                     .chunk = o->chunk,
                                     .cancel = dh_app_cancel() };
    st = dh_session_create(&f->session, f->model, &so);
    if (!st)
        st = open_logits(f, o->out);
    if (st)
        return st;
    dh_session_watch_logits(f->session, write_row, f);
    st = dh_session_feed(f->session, f->ids, f->n_ids, f->images, f->n_images);
    dh_session_watch_logits(f->session, NULL, NULL);
    if (fflush(f->logits))
        f->write_failed = true;
    if (!st && f->write_failed) {
        dh_error("case %d: the logits could not be written", f->index);
        st = DH_ERR_IO;
    }
    return st ? st : go_on(f);
}

static enum dh_status run_cases(struct dh_model *model,
                                const struct dh_json *cases,
                                const struct options *o)
{
    char *base = dh_path_dir(o->input);
    enum dh_status st = dh_path_mkdirs(o->out);
    int index = 0;
    const struct dh_json *c = dh_json_first(cases);
    for (; c && !st; c = dh_json_next(c)) {
        struct forward f = { .model = model, .base = base, .index = index++ };
        st = run_case(&f, c, o);
        forward_finish(&f);
    }
    dh_free(base);
    return st;
}

static enum dh_status read_cases(const char *path, struct dh_json **out)
{
    struct dh_diag diag = { 0 };
    char *text = NULL;
    size_t len;
    enum dh_status st = dh_file_read(path, MAX_INPUT, &text, &len);
    if (st)
        return st;
    *out = dh_json_parse(text, len, &diag);
    if (*out && dh_json_kind(*out) != DH_JSON_ARRAY) {
        dh_diag_set(&diag, 0, "a list of cases is expected");
        dh_json_free(*out);
        *out = NULL;
    }
    if (!*out)
        dh_error("%s: %s", path, diag.text);
    dh_big_free(text);
    return *out ? DH_OK : DH_ERR_FORMAT;
}

static int run(int argc, char **argv)
{
    struct dh_app_options app = DH_APP_DEFAULTS;
    struct options o = { .kernels = "float32" };
    struct dh_opt_set sets[] = { { options_table, &o },
                                 { dh_app_opts, &app },
                                 { 0 } };
    int n, status;
    if (!dh_app_parse(&dh_cmd_forward, sets, &app, argc, argv, &n, &status))
        return status;
    if (n != 0 || !o.model || !o.input || !o.out)
        return dh_app_usage(&dh_cmd_forward,
                            "--model, --input and --out are needed");
    struct dh_pool *pool = NULL;
    struct dh_model *model = NULL;
    struct dh_json *cases = NULL;
    enum dh_status st = read_cases(o.input, &cases);
    if (!st)
        st = dh_pool_create(&pool, o.threads);
    if (!st) {
        struct dh_model_options mo = { .pool = pool,
                                       .kernels = o.kernels,
                                       .memory_bytes = o.memory,
                                       .mmproj = o.mmproj };
        st = dh_model_create(&model, o.model, &mo);
    }
    if (!st)
        st = run_cases(model, cases, &o);
    struct dh_model_reads reads;
    if (!st && dh_model_get_reads(model, &reads))
        dh_reads_end(stderr, app.json, &reads);
    dh_json_free(cases);
    dh_model_destroy(model);
    dh_pool_destroy(pool);
    return dh_app_exit(st);
}

const struct dh_command dh_cmd_forward = {
    "forward",
    "",
    "Write the logits for given ids and pictures",
    "FILE is a list of "
    "{\"ids\":[...],\"images\":[\"a.png\",...],\"greedy\":16}:\n"
    "complete ids, pictures for the placeholders in order (names relative to\n"
    "FILE), and how many tokens to go on. Writes caseN.logits.f32, float32\n"
    "little-endian, a row for each id, and prints "
    "{\"case\":N,\"greedy\":[...]}.",
    { options_table, dh_app_opts },
    run,
};
