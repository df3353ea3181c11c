#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/gguf.h"
#include "model/model.h"
#include "model/safetensors.h"
#include "tools/app.h"

struct inspect_options {
    bool tensors;
};

static const struct dh_opt inspect_opts[] = {
    { "tensors", 't', DH_OPT_BOOL, offsetof(struct inspect_options, tensors),
      NULL, "List every tensor with its type, shape and size", 0, 0, NULL },
    { 0 },
};

static void put_shape(const struct dh_tensor *t, struct dh_buf *out)
{
    dh_buf_putc(out, '[');
    for (int i = 0; i < t->n_dims; i++)
        dh_buf_printf(out, "%s%" PRId64, i ? "," : "", t->shape[i]);
    dh_buf_putc(out, ']');
}

static void print_tensor(const struct dh_tensor *t, bool json)
{
    struct dh_buf shape, out;
    dh_buf_init(&shape, 4096);
    dh_buf_init(&out, 1 << 20);
    put_shape(t, &shape);
    if (json) {
        struct dh_json_writer w;
        dh_jw_init(&w, &out);
        dh_jw_object(&w, NULL);
        dh_jw_text(&w, "tensor", t->name);
        dh_jw_text(&w, "dtype", dh_dtype_name(t->dtype));
        dh_jw_raw(&w, "shape", dh_buf_text(&shape));
        dh_jw_i64(&w, "bytes", (int64_t)t->bytes);
        dh_jw_end_object(&w);
        puts(dh_buf_text(&out));
    } else {
        printf("%-8s %-20s %12zu  %s\n", dh_dtype_name(t->dtype),
               dh_buf_text(&shape), t->bytes, t->name);
    }
    dh_buf_finish(&shape);
    dh_buf_finish(&out);
}

static void print_types(const struct dh_tensors *all)
{
    size_t n[DH_DTYPE_COUNT] = { 0 }, bytes[DH_DTYPE_COUNT] = { 0 };
    for (size_t i = 0; i < all->n; i++) {
        const struct dh_tensor *t = &all->at[i];
        n[t->dtype]++;
        bytes[t->dtype] += t->bytes;
    }
    for (int d = 0; d < DH_DTYPE_COUNT; d++)
        if (n[d])
            printf("  %-8s %6zu tensors %10.1f MB\n",
                   dh_dtype_name((enum dh_dtype)d), n[d],
                   (double)bytes[d] / 1e6);
}

static void print_info(const struct dh_model_info *i, bool json)
{
    if (json) {
        printf("{\"vocab_size\":%d,\"hidden_size\":%d,\"num_hidden_layers\":%d,"
               "\"max_position_embeddings\":%d,\"has_vision\":%s,"
               "\"parameters\":%" PRId64 ",\"weight_bytes\":%" PRId64
               ",\"kernels\":\"%s\"}\n",
               i->vocab_size, i->hidden_size, i->num_hidden_layers,
               i->max_position_embeddings, i->has_vision ? "true" : "false",
               i->parameters, i->weight_bytes, i->kernels);
        return;
    }
    printf("%d layers of %d, vocabulary %d, context %d, vision: %s\n",
           i->num_hidden_layers, i->hidden_size, i->vocab_size,
           i->max_position_embeddings, i->has_vision ? "yes" : "no");
    printf("%.1f million parameters, %.1f MB, kernels: %s\n",
           (double)i->parameters / 1e6, (double)i->weight_bytes / 1e6,
           i->kernels);
}

static void print_value(const struct dh_gguf_value *v)
{
    struct dh_str text;
    int64_t whole;
    double real;
    printf("  %.*s = ", (int)v->key.n, v->key.p);
    bool held = false;
    if (dh_gguf_text(v, &text)) {
        dh_app_print_text(stdout, text.p, DH_MIN(text.n, 200), &held);
        puts(text.n > 200 ? "..." : "");
    } else if (dh_gguf_i64(v, &whole)) {
        printf("%" PRId64 "\n", whole);
    } else if (dh_gguf_double(v, &real)) {
        printf("%g\n", real);
    } else {
        printf("%" PRIu64 " values\n", v->n);
    }
}

// What is opened for a look at the files, one of them.
struct files {
    struct dh_safetensors *st;
    struct dh_gguf *gguf;
    const struct dh_tensors *all;
};

static enum dh_status open_files(struct files *f, const char *path)
{
    if (dh_gguf_is_path(path)) {
        enum dh_status st = dh_gguf_open(&f->gguf, path);
        f->all = st ? NULL : dh_gguf_list(f->gguf);
        return st;
    }
    enum dh_status st = dh_safetensors_open(&f->st, path);
    f->all = st ? NULL : dh_safetensors_list(f->st);
    return st;
}

static void print_files(const struct files *f, bool json)
{
    if (json)
        return;
    print_types(f->all);
    for (size_t i = 0; f->gguf && i < dh_gguf_count(f->gguf); i++)
        print_value(dh_gguf_at(f->gguf, i));
}

static int run(int argc, char **argv)
{
    struct dh_app_options app = DH_APP_DEFAULTS;
    struct inspect_options o = { 0 };
    struct dh_opt_set sets[] = { { inspect_opts, &o },
                                 { dh_app_opts, &app },
                                 { 0 } };
    struct files files = { 0 };
    struct dh_model *model = NULL;
    struct dh_model_options mo = { 0 };
    int n, status;
    if (!dh_app_parse(&dh_cmd_inspect, sets, &app, argc, argv, &n, &status))
        return status;
    if (n > 1)
        return dh_app_usage(&dh_cmd_inspect, "one checkpoint is expected");
    char *dir = n ? dh_strdup(argv[1]) : dh_app_asset("models/sprout");
    enum dh_status st = open_files(&files, dir);
    if (!st)
        st = dh_model_create(&model, dir, &mo);
    if (!st) {
        print_info(dh_model_get_info(model), app.json);
        print_files(&files, app.json);
    }
    for (size_t i = 0; !st && o.tensors && i < files.all->n; i++)
        print_tensor(&files.all->at[i], app.json);
    dh_model_destroy(model);
    dh_safetensors_close(files.st);
    dh_gguf_close(files.gguf);
    dh_free(dir);
    return dh_app_exit(st);
}

const struct dh_command dh_cmd_inspect = {
    "inspect",
    "[CHECKPOINT]",
    "Check a checkpoint and say what is in it",
    "CHECKPOINT is a folder of safetensors, or a file of llama.cpp (.gguf).",
    { inspect_opts, dh_app_opts },
    run,
};
