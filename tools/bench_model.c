#include "tools/bench_model.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/pool.h"
#include "model/gguf.h"
#include "model/model.h"
#include "model/session.h"
#include "tools/app.h"
#include "tools/bench_llama.h"
#include "tools/bench_peak.h"
#include "tools/bench_picture.h"
#include "tools/bench_sessions.h"
#include "tools/bench_shape.h"
#include "tools/cache_type.h"
#include "tools/reads.h"

#define DH_LOG_TAG "bench"
#include "base/log.h"

#define MAX_CONTEXTS 8
#define MAX_ROUNDS   64
#define FIRST_ID     270 // of the prompt, as where peers were measured
#define CHUNK        512

const struct dh_opt dh_bench_model_opts[] = {
    { "model", 'm', DH_OPT_TEXT, offsetof(struct dh_bench_model_options, model),
      "PATH", "A checkpoint (default: random weights of --shape)", 0, 0, NULL },
    { "shape", 0, DH_OPT_TEXT, offsetof(struct dh_bench_model_options, shape),
      "NAME", "tiny (64 million weights, default), mid (684 million), m3-layer",
      0, 0, NULL },
    { "contexts", 0, DH_OPT_TEXT,
      offsetof(struct dh_bench_model_options, contexts), "N,N...",
      "Tokens of the prompts (default: 512,4096)", 0, 0, NULL },
    { "decode", 0, DH_OPT_INT, offsetof(struct dh_bench_model_options, decode),
      "N", "Tokens that are decoded behind each (default: 32)", 1, 4096, NULL },
    { "threads", 't', DH_OPT_INT,
      offsetof(struct dh_bench_model_options, threads), "N",
      "Threads to compute with, 0 for one per core", 0, 256, NULL },
    { "kernels", 0, DH_OPT_TEXT,
      offsetof(struct dh_bench_model_options, kernels), "NAME",
      "Arithmetic, as of run", 0, 0, NULL },
    DH_CACHE_TYPE_OPT(struct dh_bench_model_options, cache_type),
    DH_READS_OPT(struct dh_bench_model_options, memory),
    { "picture", 0, DH_OPT_TEXT,
      offsetof(struct dh_bench_model_options, picture), "WxH",
      "Look at a screen of this size too, with a model that has vision", 0, 0,
      NULL },
    { "sessions", 0, DH_OPT_INT,
      offsetof(struct dh_bench_model_options, sessions), "N",
      "Decode 1, 2, 4 ... N conversations together too, each behind a prompt "
      "of "
      "its own",
      0, DH_BENCH_MAX_SESSIONS, NULL },
    { "peer", 0, DH_OPT_TEXT, offsetof(struct dh_bench_model_options, peer),
      "DIR",
      "Folder with llama.cpp's library, or into which npm installed "
      "node-llama-cpp: it answers the same in turns, for which --model has to "
      "be a .gguf file",
      0, 0, NULL },
    { "peer-seconds", 0, DH_OPT_INT,
      offsetof(struct dh_bench_model_options, peer_seconds), "S",
      "End llama.cpp where one prompt takes longer (default: 1800)", 1, 86400,
      NULL },
    { 0 },
};

struct times {
    double prefill_s[MAX_ROUNDS];
    uint64_t read_bytes; // from the disk while decoding, all of them
    double *decode_s;    // rounds * decode of them
    int n_prefill, n_decode;
};

// What was measured with one length of prompt.
struct row {
    int context;
    struct dh_model_cost cost;
    struct times ours, peer;
    struct dh_bench_sessions sessions;
    bool peer_late; // it was ended; it is not asked again
};

struct bench {
    const struct dh_bench_model_options *o;
    struct dh_pool *pool;
    struct dh_model *model;
    struct dh_bench_peak peak;
    double disk_bytes; // a second; 0: not known
    double load_s, peer_load_s, peer_memory_mb;
    struct row rows[MAX_CONTEXTS];
    int n_rows, rounds;
    struct dh_bench_picture picture;
    double picture_s[MAX_ROUNDS];
};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double dh_bench_quantile(double *v, int n, double share)
{
    qsort(v, (size_t)n, sizeof *v, by_value);
    return v[DH_MIN((int)(share * n), n - 1)];
}

// ---- the model -------------------------------------------------------------

static enum dh_status open_model(struct bench *b)
{
    struct dh_model_options o = { .kernels = b->o->kernels,
                                  .memory_bytes = b->o->memory };
    enum dh_status st = dh_pool_create(&b->pool, b->o->threads);
    if (st)
        return st;
    o.pool = b->pool;
    if (!b->o->model)
        return dh_bench_shape_open(&b->model, NULL,
                                   b->o->shape ? b->o->shape : "tiny", &o,
                                   &b->load_s);
    int64_t start = dh_now_ns();
    st = dh_model_create(&b->model, b->o->model, &o);
    b->load_s = dh_seconds_since(start);
    return st;
}

// Where the weights of --model lie; those of --shape are gone by now.
static void measure_disk(struct bench *b)
{
    if (!b->o->memory || !b->o->model)
        return;
    char *file = dh_gguf_is_path(b->o->model)
                     ? dh_strdup(b->o->model)
                     : dh_path_join(b->o->model, "model.safetensors");
    if (dh_path_exists(file))
        b->disk_bytes = dh_bench_peak_disk(file);
    dh_free(file);
}

static void bench_finish(struct bench *b)
{
    for (int i = 0; i < b->n_rows; i++) {
        dh_free(b->rows[i].ours.decode_s);
        dh_free(b->rows[i].peer.decode_s);
        dh_bench_sessions_finish(&b->rows[i].sessions);
    }
    dh_bench_picture_finish(&b->picture);
    dh_model_destroy(b->model);
    dh_pool_destroy(b->pool);
    dh_free(b);
}

// ---- the rounds ------------------------------------------------------------

int32_t dh_bench_best_id(const float *logits, int vocab)
{
    int32_t best = 0;
    for (int32_t i = 1; i < vocab; i++)
        best = logits[i] > logits[best] ? i : best;
    return best;
}

void dh_bench_ids(int vocab, int32_t *ids, int n)
{
    uint32_t s = 12345;
    int first = vocab > 2 * FIRST_ID ? FIRST_ID : 0;
    for (int i = 0; i < n; i++) {
        s = s * 1664525U + 1013904223U;
        ids[i] = first + (int32_t)((s >> 8) % (uint32_t)(vocab - first));
    }
}

// A prompt of n ids.
static int32_t *prompt_of(const struct dh_model_info *info, int n)
{
    int32_t *ids;
    dh_array(ids, (size_t)n);
    dh_bench_ids(info->vocab_size, ids, n);
    // A placeholder would ask for a picture.
    for (int i = 0; i < n; i++) {
        if (ids[i] == info->image_token_id || ids[i] == info->video_token_id)
            ids[i] = 0;
    }
    return ids;
}

static uint64_t bytes_read(const struct bench *b)
{
    struct dh_model_reads r;
    return dh_model_get_reads(b->model, &r) ? r.bytes : 0;
}

static enum dh_status measure(struct bench *b, struct row *row,
                              struct dh_session *s, const int32_t *ids)
{
    int vocab = dh_model_get_info(b->model)->vocab_size;
    int64_t start = dh_now_ns();
    enum dh_status st = dh_session_feed(s, ids, (size_t)row->context, NULL, 0);
    if (!st)
        row->ours.prefill_s[row->ours.n_prefill++] = dh_seconds_since(start);
    row->ours.read_bytes -= bytes_read(b);
    for (int i = 0; i < b->o->decode && !st; i++) {
        int32_t id = dh_bench_best_id(dh_session_logits(s), vocab);
        start = dh_now_ns();
        st = dh_session_feed_text(s, &id, 1);
        row->ours.decode_s[row->ours.n_decode++] = dh_seconds_since(start);
    }
    row->ours.read_bytes += bytes_read(b);
    return st;
}

static enum dh_status one_round(struct bench *b, struct row *row)
{
    struct dh_session_options so = { .max_tokens = row->context + b->o->decode,
                                     .chunk = CHUNK,
                                     .cache_type =
                                         (enum dh_cache_type)b->o->cache_type,
                                     .cancel = dh_app_cancel() };
    struct dh_session *s;
    enum dh_status st = dh_session_create(&s, b->model, &so);
    if (st)
        return st;
    int32_t *ids = prompt_of(dh_model_get_info(b->model), row->context);
    st = measure(b, row, s, ids);
    dh_free(ids);
    dh_session_destroy(s);
    return st;
}

// They keep their prompts from round to round.
static enum dh_status sessions_round(struct bench *b, struct row *row,
                                     int round)
{
    struct dh_bench_sessions *s = &row->sessions;
    if (s->model)
        return dh_bench_sessions_run(s, round);
    *s = (struct dh_bench_sessions){
        .model = b->model,
        .cache_type = (enum dh_cache_type)b->o->cache_type,
        .context = row->context,
        .decode = b->o->decode,
        .most = b->o->sessions,
        .rounds = b->rounds,
    };
    int32_t *ids = prompt_of(dh_model_get_info(b->model), s->context * s->most);
    enum dh_status st = dh_bench_sessions_init(s, ids);
    dh_free(ids);
    return st ? st : dh_bench_sessions_run(s, round);
}

static enum dh_status peer_round(struct bench *b, struct row *row)
{
    struct dh_bench_llama l = { .folder = b->o->peer,
                                .model = b->o->model,
                                .context = row->context,
                                .decode = b->o->decode,
                                .threads = dh_pool_threads(b->pool),
                                .seconds = b->o->peer_seconds };
    struct times *t = &row->peer;
    struct dh_bench_llama_times now = { .decode_s = t->decode_s + t->n_decode };
    if (row->peer_late)
        return DH_OK;
    enum dh_status st = dh_bench_llama_run(&l, &now);
    if (st == DH_ERR_TIMEOUT) {
        row->peer_late = true;
        return DH_OK;
    }
    if (!st) {
        t->prefill_s[t->n_prefill++] = now.prefill_s;
        t->n_decode += now.n_decode;
        b->peer_load_s = now.load_s;
        b->peer_memory_mb = DH_MAX(b->peer_memory_mb, now.memory_mb);
    }
    return st;
}

enum dh_status dh_bench_contexts(const char *text, int *out, int max, int *n)
{
    const char *at = text;
    bool ok = *at;
    for (*n = 0; ok && *at; ++*n) {
        char *end;
        long value = strtol(at, &end, 10);
        ok = end > at && value >= 1 && value <= 1 << 20 && *n < max &&
             (*end == ',' || !*end);
        if (ok)
            out[*n] = (int)value;
        at = *end ? end + 1 : end;
    }
    if (ok)
        return DH_OK;
    dh_error("--contexts=%s: up to %d numbers from 1 to %d are expected", text,
             max, 1 << 20);
    *n = 0;
    return DH_ERR_USAGE;
}

// What is read for a token, of the least: that is read the fastest.
static size_t token_bytes(struct bench *b)
{
    double least = 0;
    for (int i = 0; i < b->n_rows; i++) {
        struct row *row = &b->rows[i];
        dh_model_get_cost(b->model, (enum dh_cache_type)b->o->cache_type,
                          row->context, &row->cost);
        double bytes = row->cost.weight_bytes + row->cost.cache_bytes;
        least = i ? DH_MIN(least, bytes) : bytes;
    }
    return (size_t)least;
}

static enum dh_status run_rounds(struct bench *b)
{
    for (int i = 0; i < b->n_rows; i++) {
        struct row *row = &b->rows[i];
        size_t n = (size_t)b->rounds * (size_t)b->o->decode;
        dh_array(row->ours.decode_s, n);
        dh_array(row->peer.decode_s, n);
    }
    for (int r = 0; r < b->rounds; r++) {
        for (int i = 0; i < b->n_rows; i++) {
            struct row *row = &b->rows[(i + r) % b->n_rows];
            enum dh_status st = one_round(b, row);
            if (!st && b->o->peer)
                st = peer_round(b, row);
            if (!st && b->o->sessions)
                st = sessions_round(b, row, r);
            if (st)
                return st;
        }
        enum dh_status st =
            b->o->picture
                ? dh_bench_picture_run(&b->picture, b->model, &b->picture_s[r])
                : DH_OK;
        if (st)
            return st;
        dh_info("round %d of %d", r + 1, b->rounds);
    }
    return DH_OK;
}

// ---- output ----------------------------------------------------------------

// The arithmetic that the model's products are done in.
static double peak_of(const struct bench *b)
{
    const char *products = dh_model_get_info(b->model)->products;
    double peak = strcmp(products, "int8") == 0       ? b->peak.int8_flops
                  : strcmp(products, "bfloat16") == 0 ? b->peak.bf16_flops
                                                      : b->peak.f32_flops;
    // Other units do what there are none of its own for.
    return peak > 0 ? peak : b->peak.f32_flops;
}

// What the limits were measured in is not the model's.
static void forget_peak_memory(void)
{
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "5", 1) != 1)
        dh_warn("the peak memory has what limits were measured in, 512 MB");
    if (fd >= 0)
        close(fd);
}

static double megabytes_used(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (double)r.ru_maxrss / 1024;
}

static void put_head(const struct bench *b, struct dh_buf *out)
{
    const struct dh_model_info *info = dh_model_get_info(b->model);
    dh_buf_printf(out,
                  "limits: %.1f GB/s read (%.1f of what a token reads), "
                  "%.0f GFLOP/s float32",
                  b->peak.read_bytes / 1e9, b->peak.near_bytes / 1e9,
                  b->peak.f32_flops / 1e9);
    if (b->peak.bf16_flops > 0)
        dh_buf_printf(out, ", %.0f bfloat16", b->peak.bf16_flops / 1e9);
    if (b->peak.int8_flops > 0)
        dh_buf_printf(out, ", %.0f int8", b->peak.int8_flops / 1e9);
    if (b->disk_bytes > 0)
        dh_buf_printf(out, ", %.2f GB/s from the disk", b->disk_bytes / 1e9);
    dh_buf_printf(out,
                  " (all %d threads, measured now)\n"
                  "model: %s, %.1f million weights, %.0f MB, kernels %s in %s, "
                  "loaded in %.1f ms\n",
                  dh_pool_threads(b->pool),
                  b->o->model   ? b->o->model
                  : b->o->shape ? b->o->shape
                                : "tiny",
                  (double)info->parameters / 1e6,
                  (double)info->weight_bytes / 1e6, info->kernels,
                  info->products, b->load_s * 1e3);
    dh_buf_printf(out,
                  "rounds: %d, interleaved; %% is the share of the limit "
                  "in this run\n\n",
                  b->rounds);
    dh_buf_printf(out, "%-22s %5s %10s %10s %10s %10s %8s\n", "", "n", "median",
                  "p95", "tokens/s", "count", "%");
}

static void put_times(struct times *t, int context, double prefill_share,
                      double decode_share, const char *who,
                      const struct dh_model_cost *cost, struct dh_buf *out)
{
    char name[40];
    double p = dh_bench_quantile(t->prefill_s, t->n_prefill, 0.5);
    double p95 = dh_bench_quantile(t->prefill_s, t->n_prefill, 0.95);
    snprintf(name, sizeof name, "%sprefill @%d", who, context);
    dh_buf_printf(out, "%-22s %5d %8.1fms %8.1fms %10.1f %7.2fGFL %8.1f\n",
                  name, t->n_prefill, p * 1e3, p95 * 1e3, context / p,
                  cost->prefill_flops / 1e9, prefill_share / p * 100);
    double bytes = cost->weight_bytes + cost->cache_bytes;
    double d = dh_bench_quantile(t->decode_s, t->n_decode, 0.5);
    double d95 = dh_bench_quantile(t->decode_s, t->n_decode, 0.95);
    snprintf(name, sizeof name, "%sdecode @%d", who, context);
    dh_buf_printf(out, "%-22s %5d %8.2fms %8.2fms %10.1f %8.1fMB %8.1f\n", name,
                  t->n_decode, d * 1e3, d95 * 1e3, 1 / d, bytes / 1e6,
                  decode_share / d * 100);
}

// What the disk had to give for a token, and how long it takes for that.
static void put_disk(const struct bench *b, struct row *r, struct dh_buf *out)
{
    struct times *t = &r->ours;
    if (!b->o->memory || !t->n_decode)
        return;
    double bytes = (double)t->read_bytes / t->n_decode, sum = 0;
    for (int i = 0; i < t->n_decode; i++)
        sum += t->decode_s[i];
    dh_buf_printf(out, "%-22s %.1f MB a token from the disk", "", bytes / 1e6);
    if (b->disk_bytes > 0)
        dh_buf_printf(out, ", %.2f ms at its limit, %.1f %% of the mean",
                      bytes / b->disk_bytes * 1e3,
                      100 * bytes / b->disk_bytes / (sum / t->n_decode));
    dh_buf_putc(out, '\n');
}

static void put_picture(struct bench *b, struct dh_buf *out)
{
    const struct dh_bench_picture *p = &b->picture;
    char name[40];
    double s = dh_bench_quantile(b->picture_s, b->rounds, 0.5);
    double s95 = dh_bench_quantile(b->picture_s, b->rounds, 0.95);
    snprintf(name, sizeof name, "picture @%dx%d", p->size.w, p->size.h);
    dh_buf_printf(out, "%-22s %5d %8.1fms %8.1fms %10.1f %7.2fGFL %8.1f\n",
                  name, b->rounds, s * 1e3, s95 * 1e3, p->tokens / s,
                  p->flops / 1e9, p->flops / peak_of(b) / s * 100);
}

static void put_picture_json(struct bench *b, struct dh_buf *out)
{
    const struct dh_bench_picture *p = &b->picture;
    struct dh_json_writer w;
    dh_jw_init(&w, out);
    dh_jw_object(&w, NULL);
    dh_jw_i64(&w, "width", p->size.w);
    dh_jw_i64(&w, "height", p->size.h);
    dh_jw_text(&w, "kernels", dh_model_get_info(b->model)->kernels);
    dh_jw_i64(&w, "threads", dh_pool_threads(b->pool));
    dh_jw_double(&w, "peak_flops", peak_of(b));
    dh_jw_double(&w, "picture_s",
                 dh_bench_quantile(b->picture_s, b->rounds, 0.5));
    dh_jw_double(&w, "picture_p95_s",
                 dh_bench_quantile(b->picture_s, b->rounds, 0.95));
    dh_jw_i64(&w, "tokens", p->tokens);
    dh_jw_double(&w, "flops", p->flops);
    dh_jw_end_object(&w);
    dh_buf_putc(out, '\n');
}

static void put_row(const struct bench *b, struct row *r, struct dh_buf *out)
{
    double peak = peak_of(b);
    double bytes = r->cost.weight_bytes + r->cost.cache_bytes;
    double prefill = peak > 0 ? r->cost.prefill_flops / peak : 0;
    double decode = bytes / b->peak.near_bytes;
    put_times(&r->ours, r->context, prefill, decode, "", &r->cost, out);
    put_disk(b, r, out);
    if (r->peer_late)
        dh_buf_printf(out, "llama.cpp @%d: ended after %d s\n", r->context,
                      b->o->peer_seconds);
    if (!r->peer.n_decode)
        return;
    put_times(&r->peer, r->context, prefill, decode, "llama.cpp ", &r->cost,
              out);
    dh_buf_printf(
        out, "%-22s prefill %.2f times as fast, decode %.2f\n",
        "against llama.cpp",
        dh_bench_quantile(r->peer.prefill_s, r->peer.n_prefill, 0.5) /
            dh_bench_quantile(r->ours.prefill_s, r->ours.n_prefill, 0.5),
        dh_bench_quantile(r->peer.decode_s, r->peer.n_decode, 0.5) /
            dh_bench_quantile(r->ours.decode_s, r->ours.n_decode, 0.5));
}

static void put_row_json(const struct bench *b, struct row *r,
                         struct dh_buf *out)
{
    struct dh_json_writer w;
    struct times *t = &r->ours;
    double p = dh_bench_quantile(t->prefill_s, t->n_prefill, 0.5);
    double d = dh_bench_quantile(t->decode_s, t->n_decode, 0.5);
    dh_jw_init(&w, out);
    dh_jw_object(&w, NULL);
    dh_jw_i64(&w, "context", r->context);
    dh_jw_text(&w, "kernels", dh_model_get_info(b->model)->kernels);
    dh_jw_text(&w, "cache_type", dh_cache_type_names[b->o->cache_type]);
    dh_jw_i64(&w, "threads", dh_pool_threads(b->pool));
    dh_jw_double(&w, "read_bytes_s", b->peak.read_bytes);
    dh_jw_double(&w, "near_bytes_s", b->peak.near_bytes);
    dh_jw_double(&w, "peak_flops", peak_of(b));
    dh_jw_double(&w, "prefill_s", p);
    dh_jw_double(&w, "prefill_p95_s",
                 dh_bench_quantile(t->prefill_s, t->n_prefill, 0.95));
    dh_jw_double(&w, "prefill_flops", r->cost.prefill_flops);
    dh_jw_double(&w, "decode_s", d);
    dh_jw_double(&w, "decode_p95_s",
                 dh_bench_quantile(t->decode_s, t->n_decode, 0.95));
    dh_jw_double(&w, "weight_bytes", r->cost.weight_bytes);
    dh_jw_double(&w, "cache_bytes", r->cost.cache_bytes);
    dh_jw_double(&w, "flops", r->cost.flops);
    struct dh_model_reads reads;
    if (dh_model_get_reads(b->model, &reads)) {
        dh_jw_double(&w, "disk_bytes_s", b->disk_bytes);
        dh_jw_double(&w, "decode_read_bytes",
                     t->n_decode ? (double)t->read_bytes / t->n_decode : 0);
        dh_reads_put(&w, &reads);
    }
    if (r->peer_late)
        dh_jw_i64(&w, "llama_ended_after_s", b->o->peer_seconds);
    if (r->peer.n_decode) {
        dh_jw_double(
            &w, "llama_prefill_s",
            dh_bench_quantile(r->peer.prefill_s, r->peer.n_prefill, 0.5));
        dh_jw_double(
            &w, "llama_decode_s",
            dh_bench_quantile(r->peer.decode_s, r->peer.n_decode, 0.5));
        dh_jw_double(&w, "llama_load_s", b->peer_load_s);
        dh_jw_double(&w, "llama_memory_mb", b->peer_memory_mb);
    }
    dh_jw_end_object(&w);
    dh_buf_putc(out, '\n');
}

static void report(struct bench *b, bool json)
{
    struct dh_buf out;
    dh_buf_init(&out, 1 << 20);
    if (!json)
        put_head(b, &out);
    for (int i = 0; i < b->n_rows; i++)
        (json ? put_row_json : put_row)(b, &b->rows[i], &out);
    for (int i = 0; i < b->n_rows && b->o->sessions; i++)
        dh_bench_sessions_put(&b->rows[i].sessions, b->peak.near_bytes, json,
                              &out);
    if (b->o->picture)
        (json ? put_picture_json : put_picture)(b, &out);
    if (!json)
        dh_buf_printf(&out, "\npeak memory %.0f MB\n", megabytes_used());
    struct dh_model_reads reads;
    if (!json && dh_model_get_reads(b->model, &reads))
        dh_reads_text(&out, &reads);
    if (!json && b->peer_load_s > 0)
        dh_buf_printf(
            &out,
            "llama.cpp: loaded in %.1f ms, peak memory %.0f MB; %% is "
            "of the same limits\n",
            b->peer_load_s * 1e3, b->peer_memory_mb);
    fputs(dh_buf_text(&out), stdout);
    dh_buf_finish(&out);
}

enum dh_status dh_bench_model_peer(const struct dh_bench_model_options *o)
{
    int context[1], n;
    if (!o->peer || !o->model || !o->contexts) {
        dh_error("--peer, --model and --contexts are needed");
        return DH_ERR_USAGE;
    }
    enum dh_status st = dh_bench_contexts(o->contexts, context, 1, &n);
    if (st)
        return st;
    struct dh_bench_llama l = { .folder = o->peer,
                                .model = o->model,
                                .context = context[0],
                                .decode = o->decode,
                                .threads = o->threads ? o->threads
                                                      : dh_thread_cores() };
    return dh_bench_llama_child(&l);
}

enum dh_status dh_bench_model(const struct dh_bench_model_options *o,
                              int rounds, bool json)
{
    struct bench *b;
    dh_new(b);
    b->o = o;
    b->rounds = DH_MIN(rounds ? rounds : 5, MAX_ROUNDS);
    int contexts[MAX_CONTEXTS];
    enum dh_status st =
        dh_bench_contexts(o->contexts ? o->contexts : "512,4096", contexts,
                          MAX_CONTEXTS, &b->n_rows);
    for (int i = 0; i < b->n_rows; i++)
        b->rows[i].context = contexts[i];
    if (!st && o->peer && !(o->model && dh_gguf_is_path(o->model))) {
        dh_error("--peer: llama.cpp reads --model FILE.gguf only");
        st = DH_ERR_USAGE;
    }
    if (!st)
        st = open_model(b);
    if (!st && o->picture)
        st = dh_bench_picture_init(&b->picture, b->model, b->pool, o->picture);
    if (!st)
        st = dh_bench_peak_measure(b->pool, token_bytes(b), &b->peak);
    if (!st)
        forget_peak_memory();
    if (!st)
        measure_disk(b);
    if (!st)
        st = run_rounds(b);
    if (!st)
        report(b, json);
    bench_finish(b);
    return st;
}
