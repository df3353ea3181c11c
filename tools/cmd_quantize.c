// A checkpoint with fewer bits a weight, and what it costs.
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/pool.h"
#include "model/quantize.h"
#include "tools/agree.h"
#include "tools/app.h"

#define DH_LOG_TAG "quantize"
#include "base/log.h"

#define KINDS_MAX 128

struct options {
    int to, threads, agree;
    const char *prompts;
    bool vision, tensors;
};

static const char *const type_names[] = { "none", "mxfp8", "nvfp4", "q8_0",
                                          "q4_0", "mxfp4", "bf16",  NULL };
static const enum dh_dtype types[] = { DH_F32,  DH_F8_E4M3, DH_NVFP4, DH_Q8_0,
                                       DH_Q4_0, DH_MXFP4,   DH_BF16 };

static const struct dh_opt options_table[] = {
    { .name = "to",
      .type = DH_OPT_ENUM,
      .offset = offsetof(struct options, to),
      .arg = "TYPE",
      .help = "mxfp8 or nvfp4 for a folder; q8_0, q4_0, mxfp4 or bf16 for a "
              "file that ends in .gguf",
      .names = type_names },
    { .name = "vision",
      .type = DH_OPT_BOOL,
      .offset = offsetof(struct options, vision),
      .help = "Vision too, which stays as it is otherwise" },
    { .name = "agree",
      .type = DH_OPT_INT,
      .offset = offsetof(struct options, agree),
      .arg = "N",
      .lo = 0,
      .hi = 1 << 20,
      .help = "Hold both against each other on so many tokens (1024; 0 is not "
              "at all)" },
    { .name = "prompts",
      .type = DH_OPT_TEXT,
      .offset = offsetof(struct options, prompts),
      .arg = "FILE",
      .help = "Lines of text for this, in place of random tokens" },
    { .name = "tensors",
      .letter = 't',
      .type = DH_OPT_BOOL,
      .offset = offsetof(struct options, tensors),
      .help = "The error of each tensor, not of each kind" },
    { .name = "threads",
      .type = DH_OPT_INT,
      .offset = offsetof(struct options, threads),
      .arg = "N",
      .lo = 0,
      .hi = 256,
      .help = "Threads that compute; 0 is one for each core" },
    { 0 },
};

// Tensors whose names differ in numbers alone.
struct kind {
    char name[96];
    enum dh_dtype from, to;
    int n;
    int64_t weights, bytes;
    double worst, squares, most;
};

struct report {
    const struct options *o;
    bool json;
    struct kind kinds[KINDS_MAX];
    int n_kinds;
    int64_t weights, bytes;
    int shown; // per cent
};

static void kind_name(const char *name, char out[96])
{
    size_t at = 0;
    for (const char *p = name; *p && at + 1 < 96; p++) {
        bool digit = isdigit((unsigned char)*p) && p > name && p[-1] == '.';
        out[at++] = digit ? 'N' : *p;
        while (digit && isdigit((unsigned char)p[1]))
            p++;
    }
    out[at] = 0;
}

static void add_kind(struct report *r, const struct dh_quantize_item *t)
{
    char name[96];
    kind_name(t->name, name);
    struct kind *k = r->kinds;
    for (; k < r->kinds + r->n_kinds; k++)
        if (strcmp(k->name, name) == 0 && k->to == t->to && k->from == t->from)
            break;
    if (k == r->kinds + KINDS_MAX)
        return;
    if (k == r->kinds + r->n_kinds) {
        *k = (struct kind){ .from = t->from, .to = t->to };
        memcpy(k->name, name, sizeof(name));
        r->n_kinds++;
    }
    k->n++;
    k->weights += t->weights;
    k->bytes += t->bytes;
    k->worst = DH_MAX(k->worst, t->error);
    k->squares += t->error * t->error;
    k->most = DH_MAX(k->most, t->most);
}

static void print_item(const struct dh_quantize_item *t)
{
    struct dh_buf out;
    struct dh_json_writer w;
    dh_buf_init(&out, 1 << 16);
    dh_jw_init(&w, &out);
    dh_jw_object(&w, NULL);
    dh_jw_text(&w, "tensor", t->name);
    dh_jw_text(&w, "from", dh_dtype_name(t->from));
    dh_jw_text(&w, "to", dh_dtype_name(t->to));
    dh_jw_i64(&w, "weights", t->weights);
    dh_jw_i64(&w, "bytes", t->bytes);
    dh_jw_double(&w, "error", t->error);
    dh_jw_double(&w, "max_error", t->most);
    dh_jw_end_object(&w);
    puts(dh_buf_text(&out));
    dh_buf_finish(&out);
}

static void done(void *user, const struct dh_quantize_item *t)
{
    struct report *r = user;
    r->weights += t->weights;
    r->bytes += t->bytes;
    if (r->json)
        print_item(t);
    else if (r->o->tensors)
        printf("%-7s %-8s %11" PRId64 " %9.5f %10.3g  %s\n",
               dh_dtype_name(t->from), dh_dtype_name(t->to), t->weights,
               t->error, t->most, t->name);
    else
        add_kind(r, t);
    int percent = (t->index + 1) * 100 / t->count;
    if (percent / 10 != r->shown / 10)
        dh_info("%d of %d tensors", t->index + 1, t->count);
    r->shown = percent;
}

static void print_kinds(const struct report *r)
{
    printf("%5s %-8s %-8s %9s %10s %9s %9s %10s\n", "", "from", "to", "million",
           "bits", "error", "worst", "largest");
    for (int i = 0; i < r->n_kinds; i++) {
        const struct kind *k = &r->kinds[i];
        double mean = k->squares / k->n;
        printf("%5d %-8s %-8s %9.3f %10.2f %9.5f %9.5f %10.3g  %s\n", k->n,
               dh_dtype_name(k->from), dh_dtype_name(k->to),
               (double)k->weights / 1e6,
               8 * (double)k->bytes / (double)DH_MAX(k->weights, 1),
               mean > 0 ? __builtin_sqrt(mean) : 0, k->worst, k->most, k->name);
    }
    printf("\nerror: root of sum (w - q)^2 / sum w^2, of a tensor; mean of a "
           "kind and worst\n%.1f million weights in %.1f MB, %.2f bits each\n",
           (double)r->weights / 1e6, (double)r->bytes / 1e6,
           8 * (double)r->bytes / (double)DH_MAX(r->weights, 1));
}

static enum dh_status compare(const struct options *o, const char *from,
                              const char *to, struct dh_pool *pool, bool json)
{
    struct dh_agree_result a;
    enum dh_status st =
        dh_agree_measure(&a, from, to, pool, o->agree, o->prompts);
    if (st)
        return st;
    if (json)
        printf("{\"positions\":%d,\"same_best\":%d,\"kl_mean\":%.6g,"
               "\"kl_max\":%.6g}\n",
               a.positions, a.same, a.kl_mean, a.kl_max);
    else
        printf("agreement on %d %s: the best token is the same at %.2f %%, KL "
               "divergence %.3g nats in the mean, %.3g at most\n",
               a.positions,
               o->prompts ? "tokens of the prompts" : "random tokens",
               100.0 * a.same / DH_MAX(a.positions, 1), a.kl_mean, a.kl_max);
    return DH_OK;
}

static int run(int argc, char **argv)
{
    struct dh_app_options app = DH_APP_DEFAULTS;
    struct options o = { .agree = 1024 };
    struct dh_opt_set sets[] = { { options_table, &o },
                                 { dh_app_opts, &app },
                                 { 0 } };
    struct dh_pool *pool = NULL;
    int n, status;
    app.log = "info";
    if (!dh_app_parse(&dh_cmd_quantize, sets, &app, argc, argv, &n, &status))
        return status;
    if (n != 2 || o.to == 0)
        return dh_app_usage(&dh_cmd_quantize,
                            "SRC, DST and --to TYPE are needed");
    struct report *r;
    dh_new(r);
    r->o = &o;
    r->json = app.json;
    struct dh_quantize_options q = { .to = types[o.to],
                                     .vision = o.vision,
                                     .cancel = dh_app_cancel(),
                                     .done = done,
                                     .user = r };
    enum dh_status st = dh_pool_create(&pool, o.threads);
    q.pool = pool;
    if (!st)
        st = dh_quantize(argv[1], argv[2], &q);
    if (!st && !app.json && !o.tensors)
        print_kinds(r);
    fflush(stdout);
    if (!st && o.agree > 0)
        st = compare(&o, argv[1], argv[2], pool, app.json);
    dh_pool_destroy(pool);
    dh_free(r);
    return dh_app_exit(st);
}

const struct dh_command dh_cmd_quantize = {
    "quantize",
    "SRC DST",
    "Write a checkpoint with fewer bits a weight",
    "SRC is a folder or a .gguf file. DST must not be there; a folder gets "
    "the\n"
    "official 8-bit form or NVFP4, a .gguf file what llama.cpp reads, with\n"
    "vision in mmproj-DST beside it. Prints what every kind of tensor lost, "
    "and\n"
    "how well both models agree on what comes next.\n"
    "  deskhand quantize M3 M3-8bit --to mxfp8\n"
    "  deskhand quantize M3 m3-q4.gguf --to q4_0 --prompts lines.txt",
    { options_table, dh_app_opts },
    run,
};
