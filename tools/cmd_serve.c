#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "tools/app.h"
#include "tools/reads.h"
#include "tools/serve.h"

#define DH_LOG_TAG "serve"
#include "base/log.h"

#define TOKEN_MAX 4096

struct serve_options {
    const char *listen, *token_file, *name;
    int slots, queue, connections, max_images, max_answer;
    double max_body, idle;
};

static const struct dh_opt serve_opts[] = {
    { "listen", 'l', DH_OPT_TEXT, offsetof(struct serve_options, listen),
      "ADDRESS", "Where to listen; port 0 is any that is free", 0, 0, NULL },
    { "token-file", 0, DH_OPT_TEXT, offsetof(struct serve_options, token_file),
      "FILE",
      "Holds the token that clients must show; needed for other addresses than "
      "this machine's own",
      0, 0, NULL },
    { "name", 0, DH_OPT_TEXT, offsetof(struct serve_options, name), "NAME",
      "What clients call the model (default: as its profile says)", 0, 0,
      NULL },
    { "slots", 0, DH_OPT_INT, offsetof(struct serve_options, slots), "N",
      "Conversations at once; each has a cache of its own", 1, 64, NULL },
    { "queue", 0, DH_OPT_INT, offsetof(struct serve_options, queue), "N",
      "Questions that may wait for one", 0, 10000, NULL },
    { "connections", 0, DH_OPT_INT, offsetof(struct serve_options, connections),
      "N", "Clients at once", 1, 10000, NULL },
    { "max-body", 0, DH_OPT_DOUBLE, offsetof(struct serve_options, max_body),
      "MIB", "Largest question", 0.01, 1024, NULL },
    { "max-images", 0, DH_OPT_INT, offsetof(struct serve_options, max_images),
      "N", "Pictures in one question", 1, 1000, NULL },
    { "max-answer", 0, DH_OPT_INT, offsetof(struct serve_options, max_answer),
      "N", "Tokens of one answer", 1, 1 << 20, NULL },
    { "idle", 0, DH_OPT_DOUBLE, offsetof(struct serve_options, idle), "SECONDS",
      "What a slow client gets for a head, a body or the next question", 1,
      3600, NULL },
    { 0 },
};

static char *read_token(const char *path)
{
    struct stat info;
    char *text, *token = NULL;
    size_t len;
    if (dh_file_read(path, TOKEN_MAX, &text, &len))
        return NULL;
    if (!stat(path, &info) && (info.st_mode & 077))
        dh_warn("others can read %s; chmod 600 keeps the token yours", path);
    struct dh_str s = dh_str_trim((struct dh_str){ text, len });
    if (s.n)
        token = dh_strndup(s.p, s.n);
    else
        dh_error("%s holds no token", path);
    memset(text, 0, len);
    dh_big_free(text);
    return token;
}

static enum dh_status open_slots(struct dh_slots **out,
                                 const struct serve_options *o,
                                 const struct dh_model_opts *m)
{
    char *embedded = dh_app_asset("models/sprout");
    char *prompts = dh_app_asset("prompts");
    struct dh_slots_options so = {
        .brain = { .model_dir = m->model ? m->model : embedded,
                   .mmproj = m->mmproj,
                   .prompts_dir = prompts,
                   .kernels = m->kernels,
                   .threads = m->threads,
                   .memory_bytes = m->memory,
                   .context = m->context,
                   .cache_type = (enum dh_cache_type)m->cache_type,
                   .cache = m->cache,
                   .draft = dh_app_draft(m),
                   .max_pixels = (int64_t)m->max_pixels,
                   .seed = (uint64_t)m->seed },
        .slots = o->slots,
        .queue = o->queue,
    };
    enum dh_status st = dh_slots_create(out, &so);
    dh_free(embedded);
    dh_free(prompts);
    return st;
}

static void print_ready_json(const char *url, const char *name, int slots)
{
    struct dh_buf out;
    struct dh_json_writer w;
    dh_buf_init(&out, 1 << 20);
    dh_jw_init(&w, &out);
    dh_jw_object(&w, NULL);
    dh_jw_text(&w, "event", "listening");
    dh_jw_text(&w, "url", url);
    dh_jw_text(&w, "model", name);
    dh_jw_i64(&w, "slots", slots);
    dh_jw_end_object(&w);
    puts(dh_buf_text(&out));
    dh_buf_finish(&out);
}

static void print_ready_text(const char *url, const char *name, int slots)
{
    printf("listening on %s, model ", url);
    dh_app_print(stdout, name);
    printf(", %d slot%s\n", slots, slots == 1 ? "" : "s");
}

static void print_ready(const struct serve_options *o, const char *name,
                        int port, bool json)
{
    struct dh_str host = dh_str_of(o->listen);
    const char *colon = strrchr(o->listen, ':');
    host.n = colon ? (size_t)(colon - o->listen) : 0;
    const char *before = host.n ? "" : "127.0.0.1";
    struct dh_buf url;
    dh_buf_init(&url, 4096);
    dh_buf_printf(&url, "http://%s%.*s:%d/v1", before, (int)host.n, host.p,
                  port);
    if (json)
        print_ready_json(dh_buf_text(&url), name, o->slots);
    else
        print_ready_text(dh_buf_text(&url), name, o->slots);
    dh_buf_finish(&url);
    fflush(stdout);
}

static enum dh_status serve(const struct serve_options *o,
                            const struct dh_model_opts *m, const char *token,
                            bool json)
{
    struct dh_cancel *cancel = dh_app_cancel();
    sigset_t ends, open;
    struct dh_slots *slots;
    struct dh_server *server = NULL;
    enum dh_status st = open_slots(&slots, o, m);
    if (st)
        return st;
    const char *name = o->name ? o->name : dh_slots_get_profile(slots)->name;
    struct dh_serve_options so = {
        .listen = o->listen,
        .token = token,
        .model = name,
        .connections = o->connections,
        .idle_s = o->idle,
        .limits = { .body = (size_t)(o->max_body * (1 << 20)),
                    .images = o->max_images,
                    .max_tokens = o->max_answer },
    };
    // They come in while ppoll waits, and at no other time nor thread.
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, &open);
    st = dh_server_start(&server, slots, &so);
    if (!st)
        print_ready(o, name, dh_server_get_port(server), json);
    const struct timespec tick = { .tv_nsec = 250 * DH_MS };
    while (!st && !dh_cancel_is_set(cancel)) {
        ppoll(NULL, 0, &tick, &open);
        dh_server_watch(server);
    }
    sigprocmask(SIG_SETMASK, &open, NULL);
    dh_slots_stop(slots);
    dh_server_stop(server);
    struct dh_model_reads reads;
    if (dh_slots_get_reads(slots, &reads))
        dh_reads_end(stdout, json, &reads);
    dh_slots_destroy(slots);
    return st;
}

static int run(int argc, char **argv)
{
    struct dh_app_options app = DH_APP_DEFAULTS;
    struct dh_model_opts model = { 0 };
    struct serve_options o = { .listen = "127.0.0.1:8080",
                               .slots = 2,
                               .queue = 16,
                               .connections = 64,
                               .max_images = 64,
                               .max_answer = 8192,
                               .max_body = 64,
                               .idle = 60 };
    struct dh_opt_set sets[] = { { serve_opts, &o },
                                 { dh_model_opt_table, &model },
                                 { dh_app_opts, &app },
                                 { 0 } };
    char *token = NULL;
    int n, status;
    if (!dh_app_parse(&dh_cmd_serve, sets, &app, argc, argv, &n, &status))
        return status;
    if (n != 0)
        return dh_app_usage(&dh_cmd_serve, "no operand is expected");
    if (dh_app_is_remote(&model))
        return dh_app_usage(&dh_cmd_serve, "a folder is served, no endpoint");
    if (o.token_file && !(token = read_token(o.token_file)))
        return DH_EXIT_FAILED;
    enum dh_status st = serve(&o, &model, token, app.json);
    dh_free(token);
    return dh_app_exit(st);
}

const struct dh_command dh_cmd_serve = {
    "serve",
    "",
    "Let other programs ask the model over HTTP",
    "  deskhand serve --model /models/MiniMax-M3 --slots 4\n"
    "  deskhand run --model http://127.0.0.1:8080 \"Open a terminal.\"\n"
    "\n"
    "It speaks as OpenAI's chat completions (/v1/chat/completions) and as\n"
    "Anthropic's messages (/v1/messages), with pictures, tools, thinking and\n"
    "streams; /v1/models, /health and /metrics tell about it. Pictures come "
    "as\n"
    "data: addresses: the server fetches nothing. A member \"deskhand\":\n"
    "{\"form\": \"action\"} of a chat request keeps the answer to one action.\n"
    "There is no TLS: for other machines, put a proxy with TLS in front.",
    { serve_opts, dh_model_opt_table, dh_app_opts },
    run,
};
