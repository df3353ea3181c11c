/*
 * llama.cpp through its C interface, without its headers: what is called here
 * takes and returns structures whose sizes differ from version to version. They
 * travel in memory, so that a larger room does as well, and what is changed in
 * them is found by the defaults that they come with.
 */
#include <dlfcn.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "tools/bench_llama.h"
#include "tools/bench_model.h"

#define DH_LOG_TAG "bench"
#include "base/log.h"

#define BATCH     512 // tokens of a pass
#define LOG_ERROR 4   // of enum ggml_log_level

struct room {
    int32_t v[256];
};

// struct llama_batch
struct batch {
    int32_t n;
    void *members[6];
};

struct llama {
    void *lib;
    void (*load_backends)(const char *folder);
    void (*log_set)(void (*fn)(int, const char *, void *), void *user);
    struct room (*model_defaults)(void);
    struct room (*context_defaults)(void);
    void *(*model_load)(const char *path, struct room params);
    void *(*context_new)(void *model, struct room params);
    const void *(*vocab_of)(const void *model);
    int32_t (*vocab_size)(const void *vocab);
    void *(*memory_of)(void *context);
    void (*memory_clear)(void *memory, bool data);
    struct batch (*batch_of)(int32_t *ids, int32_t n);
    int32_t (*decode)(void *context, struct batch batch);
    void (*synchronize)(void *context);
    float *(*logits)(void *context, int32_t i);
};

#ifdef __aarch64__
#    define NPM_FOLDER "linux-arm64"
#else
#    define NPM_FOLDER "linux-x64"
#endif

// The library under `folder`: as llama.cpp builds it, or as npm ships it.
static bool find_library(const char *folder, char *out, size_t size)
{
    static const char *const places[] = {
        "",
        "lib/",
        "bin/",
        "build/bin/",
        "node_modules/@node-llama-cpp/" NPM_FOLDER "/bins/" NPM_FOLDER "/",
    };
    for (size_t i = 0; i < DH_COUNTOF(places); i++) {
        // Behind the name there may be a version, before the ending or after.
        static const char *const names[] = { "libllama.so*", "libllama.*.so" };
        for (size_t k = 0; k < DH_COUNTOF(names); k++) {
            char pattern[4096];
            glob_t found;
            snprintf(pattern, sizeof pattern, "%s/%s%s", folder, places[i],
                     names[k]);
            bool there = glob(pattern, 0, NULL, &found) == 0;
            if (there)
                snprintf(out, size, "%s", found.gl_pathv[0]);
            globfree(&found);
            if (there)
                return true;
        }
    }
    return false;
}

static bool library_open(struct llama *l, const char *path)
{
    const struct {
        const char *name;
        void *to;
    } all[] = {
        { "ggml_backend_load_all_from_path", &l->load_backends },
        { "llama_log_set", &l->log_set },
        { "llama_model_default_params", &l->model_defaults },
        { "llama_context_default_params", &l->context_defaults },
        { "llama_model_load_from_file", &l->model_load },
        { "llama_init_from_model", &l->context_new },
        { "llama_model_get_vocab", &l->vocab_of },
        { "llama_vocab_n_tokens", &l->vocab_size },
        { "llama_get_memory", &l->memory_of },
        { "llama_memory_clear", &l->memory_clear },
        { "llama_batch_get_one", &l->batch_of },
        { "llama_decode", &l->decode },
        { "llama_synchronize", &l->synchronize },
        { "llama_get_logits_ith", &l->logits },
    };
    l->lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!l->lib) {
        dh_error("cannot load llama.cpp: %s", dlerror());
        return false;
    }
    for (size_t i = 0; i < DH_COUNTOF(all); i++) {
        void *fn = dlsym(l->lib, all[i].name);
        if (!fn) {
            dh_error("%s has no %s: it is another version of llama.cpp", path,
                     all[i].name);
            return false;
        }
        memcpy(all[i].to, &fn, sizeof fn);
    }
    return true;
}

static void say(int level, const char *text, void *user)
{
    (void)user;
    if (level == LOG_ERROR)
        fputs(text, stderr);
}

// n_ctx, n_batch, n_ubatch and n_seq_max come first, by default 512, 2048, 512
// and 1; a little later, side by side, both numbers of threads, by default 4.
static bool set_context(struct room *r, int tokens, int threads)
{
    int at = 4;
    while (at < 16 && !(r->v[at] == 4 && r->v[at + 1] == 4))
        at++;
    if (at == 16 || r->v[0] != 512 || r->v[1] != 2048 || r->v[2] != 512 ||
        r->v[3] != 1) {
        dh_error("this version of llama.cpp has settings that deskhand does "
                 "not know");
        return false;
    }
    r->v[0] = tokens;
    r->v[1] = r->v[2] = BATCH;
    r->v[at] = r->v[at + 1] = threads;
    return true;
}

static bool feed(struct llama *l, void *context, int32_t *ids, int n)
{
    for (int i = 0; i < n; i += BATCH) {
        if (l->decode(context, l->batch_of(ids + i, DH_MIN(BATCH, n - i)))) {
            dh_error("llama.cpp failed at token %d", i);
            return false;
        }
    }
    l->synchronize(context);
    return true;
}

static bool answer(struct llama *l, void *context, int vocab,
                   const struct dh_bench_llama *o,
                   struct dh_bench_llama_times *t)
{
    int32_t *ids;
    dh_array(ids, (size_t)o->context);
    dh_bench_ids(vocab, ids, o->context);
    // One token warms it up.
    bool ok = feed(l, context, ids, 1);
    l->memory_clear(l->memory_of(context), true);
    int64_t start = dh_now_ns();
    ok = ok && feed(l, context, ids, o->context);
    t->prefill_s = dh_seconds_since(start);
    for (t->n_decode = 0; ok && t->n_decode < o->decode; t->n_decode++) {
        start = dh_now_ns();
        int32_t id = dh_bench_best_id(l->logits(context, -1), vocab);
        ok = feed(l, context, &id, 1);
        t->decode_s[t->n_decode] = dh_seconds_since(start);
    }
    dh_free(ids);
    return ok;
}

static void print(const struct dh_bench_llama_times *t)
{
    struct dh_buf out;
    struct dh_json_writer w;
    dh_buf_init(&out, 1 << 20);
    dh_jw_init(&w, &out);
    dh_jw_object(&w, NULL);
    dh_jw_double(&w, "load", t->load_s);
    dh_jw_double(&w, "prefill", t->prefill_s);
    dh_jw_double(&w, "memory", t->memory_mb);
    dh_jw_array(&w, "decode");
    for (int i = 0; i < t->n_decode; i++)
        dh_jw_double(&w, NULL, t->decode_s[i]);
    dh_jw_end_array(&w);
    dh_jw_end_object(&w);
    puts(dh_buf_text(&out));
    dh_buf_finish(&out);
}

enum dh_status dh_bench_llama_child(const struct dh_bench_llama *o)
{
    struct llama l = { 0 };
    struct dh_bench_llama_times t = { 0 };
    char path[4096];
    if (!find_library(o->folder, path, sizeof path)) {
        dh_error("there is no libllama.so in %s, nor node-llama-cpp",
                 o->folder);
        return DH_ERR_NOTFOUND;
    }
    if (!library_open(&l, path))
        return DH_ERR_UNSUPPORTED;
    l.log_set(say, NULL);
    *strrchr(path, '/') = 0;
    l.load_backends(path);
    struct room settings = l.context_defaults();
    if (!set_context(&settings, o->context + o->decode + 16, o->threads))
        return DH_ERR_UNSUPPORTED;
    int64_t start = dh_now_ns();
    void *model = l.model_load(o->model, l.model_defaults());
    t.load_s = dh_seconds_since(start);
    void *context = model ? l.context_new(model, settings) : NULL;
    if (!context) {
        dh_error("llama.cpp does not load %s", o->model);
        return DH_ERR_FORMAT;
    }
    dh_array(t.decode_s, (size_t)o->decode);
    bool ok = answer(&l, context, l.vocab_size(l.vocab_of(model)), o, &t);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    t.memory_mb = (double)usage.ru_maxrss / 1024;
    if (ok)
        print(&t);
    dh_free(t.decode_s);
    // The process ends now: nothing is taken down.
    return ok ? DH_OK : DH_ERR_IO;
}
