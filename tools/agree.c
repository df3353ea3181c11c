#include "tools/agree.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "model/session.h"
#include "model/tokenizer.h"
#include "tools/app.h"

#define DH_LOG_TAG "agree"
#include "base/log.h"

#define PROMPT_MAX 256
#define FILE_MAX   ((size_t)64 << 20)

struct agree {
    struct dh_agree_result *out;
    struct dh_model *model[2];
    struct dh_session *session[2];
    struct dh_tokenizer *tokenizer;
    int vocab, longest;
    float *logits; // of the first, [longest][vocab]
    double kl_sum;
};

static double log_sum(const float *l, int n, float most)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += exp((double)(l[i] - most));
    return (double)most + log(sum);
}

static int best(const float *l, int n)
{
    int b = 0;
    for (int i = 1; i < n; i++)
        b = l[i] > l[b] ? i : b;
    return b;
}

static void keep(void *user, size_t position, const float *logits)
{
    struct agree *a = user;
    memcpy(a->logits + position * (size_t)a->vocab, logits,
           (size_t)a->vocab * sizeof(*logits));
}

static void hold_against(void *user, size_t position, const float *logits)
{
    struct agree *a = user;
    const float *p = a->logits + position * (size_t)a->vocab;
    int bp = best(p, a->vocab), bq = best(logits, a->vocab);
    double zp = log_sum(p, a->vocab, p[bp]);
    double zq = log_sum(logits, a->vocab, logits[bq]);
    double kl = 0;
    for (int i = 0; i < a->vocab; i++) {
        double lp = (double)p[i] - zp, lq = (double)logits[i] - zq;
        kl += exp(lp) * (lp - lq);
    }
    a->out->positions++;
    a->out->same += bp == bq;
    a->out->kl_max = fmax(a->out->kl_max, kl);
    a->kl_sum += kl;
}

static enum dh_status feed(struct agree *a, const int32_t *ids, size_t n)
{
    for (int i = 0; i < 2; i++) {
        dh_session_rewind(a->session[i], 0);
        dh_session_watch_logits(a->session[i], i ? hold_against : keep, a);
        enum dh_status st = dh_session_feed_text(a->session[i], ids, n);
        if (st)
            return st;
    }
    return DH_OK;
}

static enum dh_status feed_random(struct agree *a, int tokens)
{
    struct dh_rng rng = { { 1, 2, 3, 4 } };
    enum dh_status st = DH_OK;
    int32_t ids[PROMPT_MAX];
    for (int at = 0; at < tokens && !st; at += a->longest) {
        int n = DH_MIN(tokens - at, a->longest);
        for (int i = 0; i < n; i++)
            ids[i] = (int32_t)(dh_rng_unit(&rng) * a->vocab);
        st = feed(a, ids, (size_t)n);
    }
    return st;
}

static enum dh_status feed_line(struct agree *a, const char *line, size_t len)
{
    struct dh_ids ids = { 0 };
    enum dh_status st =
        dh_tokenizer_encode(a->tokenizer, line, len, NULL, &ids);
    if (!st && ids.n > 0)
        st = feed(a, ids.id, DH_MIN(ids.n, (size_t)a->longest));
    dh_ids_finish(&ids);
    return st;
}

static enum dh_status feed_file(struct agree *a, const char *path)
{
    char *text;
    size_t len;
    enum dh_status st = dh_file_read(path, FILE_MAX, &text, &len);
    for (size_t at = 0; !st && at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t n = end ? (size_t)(end - text) - at : len - at;
        st = feed_line(a, text + at, n);
        at += n + 1;
    }
    if (!st && a->out->positions == 0) {
        dh_error("%s holds no text", path);
        st = DH_ERR_FORMAT;
    }
    dh_big_free(text);
    return st;
}

static enum dh_status open_both(struct agree *a, const char *const paths[2],
                                struct dh_pool *pool)
{
    struct dh_model_options mo = { .pool = pool, .kernels = "float32" };
    for (int i = 0; i < 2; i++) {
        enum dh_status st = dh_model_create(&a->model[i], paths[i], &mo);
        if (st)
            return st;
        int most = dh_model_get_info(a->model[i])->max_position_embeddings;
        a->longest = DH_MIN(i ? a->longest : PROMPT_MAX, most);
    }
    struct dh_session_options so = { .max_tokens = a->longest,
                                     .chunk = a->longest,
                                     .cancel = dh_app_cancel() };
    for (int i = 0; i < 2; i++) {
        enum dh_status st = dh_session_create(&a->session[i], a->model[i], &so);
        if (st)
            return st;
    }
    a->vocab = dh_model_get_info(a->model[0])->vocab_size;
    if (dh_model_get_info(a->model[1])->vocab_size != a->vocab) {
        dh_error("%s and %s have different vocabularies", paths[0], paths[1]);
        return DH_ERR_FORMAT;
    }
    a->logits =
        dh_big_alloc(PROMPT_MAX * (size_t)a->vocab * sizeof(*a->logits));
    if (a->logits)
        return DH_OK;
    dh_error("no memory for the logits");
    return DH_ERR_NOMEM;
}

enum dh_status dh_agree_measure(struct dh_agree_result *out, const char *a,
                                const char *b, struct dh_pool *pool, int tokens,
                                const char *prompts)
{
    const char *const paths[] = { a, b };
    struct dh_agree_result result = { 0 };
    struct agree w = { .out = &result };
    enum dh_status st = open_both(&w, paths, pool);
    if (!st && prompts)
        st = dh_tokenizer_open(&w.tokenizer, a);
    if (!st)
        st = prompts ? feed_file(&w, prompts) : feed_random(&w, tokens);
    result.kl_mean = w.kl_sum / DH_MAX(result.positions, 1);
    for (int i = 0; i < 2; i++) {
        dh_session_destroy(w.session[i]);
        dh_model_destroy(w.model[i]);
    }
    dh_tokenizer_destroy(w.tokenizer);
    dh_big_free(w.logits);
    if (!st)
        *out = result;
    return st;
}
