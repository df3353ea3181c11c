#include "tools/app.h"

#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/brain.h"
#include "agent/endpoint.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "model/draft.h"
#include "tools/cache_type.h"
#include "tools/reads.h"

#define DH_LOG_TAG "app"
#include "base/log.h"

const struct dh_opt dh_app_opts[] = {
    { "log", 0, DH_OPT_TEXT, offsetof(struct dh_app_options, log), "LEVELS",
      "What to log to stderr: error, warn, info, debug, trace, also per module "
      "as in info,model:trace",
      0, 0, NULL },
    { "json", 0, DH_OPT_BOOL, offsetof(struct dh_app_options, json), NULL,
      "Print results as JSON lines", 0, 0, NULL },
    { "help", 'h', DH_OPT_BOOL, offsetof(struct dh_app_options, help), NULL,
      "Print this help", 0, 0, NULL },
    { 0 },
};

enum { DRAFT_AUTO, DRAFT_OFF };
static const char *const draft_names[] = { "auto", "off", NULL };

int dh_app_draft(const struct dh_model_opts *o)
{
    return o->draft == DRAFT_OFF ? 0 : DH_DRAFT_MAX;
}

const struct dh_opt dh_model_opt_table[] = {
    { "model", 'm', DH_OPT_TEXT, offsetof(struct dh_model_opts, model),
      "PATH|URL",
      "A MiniMax-M3 checkpoint, a folder or a .gguf file (default: the "
      "embedded sprout), or the "
      "address of a server that speaks as OpenAI's or Anthropic's do",
      0, 0, NULL },
    DH_MMPROJ_OPT(struct dh_model_opts, mmproj),
    { "endpoint", 0, DH_OPT_TEXT, offsetof(struct dh_model_opts, endpoint),
      "NAME",
      "What the server is: a section of the configuration file, or minimax, "
      "minimax-anthropic, vllm, sglang, llama-server, deskhand, openai, "
      "anthropic, generic (default: told by the address, and by the server)",
      0, 0, NULL },
    { "model-name", 0, DH_OPT_TEXT, offsetof(struct dh_model_opts, model_name),
      "NAME", "The model there (default: the first that the server lists)", 0,
      0, NULL },
    { "api-key-file", 0, DH_OPT_TEXT,
      offsetof(struct dh_model_opts, api_key_file), "FILE",
      "Holds the key for that server", 0, 0, NULL },
    { "ca-file", 0, DH_OPT_TEXT, offsetof(struct dh_model_opts, ca_file),
      "FILE", "Certificates to trust for it, in place of the system's", 0, 0,
      NULL },
    { "thinking", 0, DH_OPT_ENUM, offsetof(struct dh_model_opts, thinking),
      "MODE", "Whether it thinks first: unset, adaptive, enabled, disabled", 0,
      0, dh_thinking_names },
    { "idle-timeout", 0, DH_OPT_DOUBLE, offsetof(struct dh_model_opts, idle_s),
      "S", "Wait so many seconds for the server's next word (default: 120)",
      0.1, 86400, NULL },
    { "total-timeout", 0, DH_OPT_DOUBLE,
      offsetof(struct dh_model_opts, total_s), "S",
      "Wait so many seconds for an answer (default: 600)", 0.1, 86400, NULL },
    { "threads", 't', DH_OPT_INT, offsetof(struct dh_model_opts, threads), "N",
      "Threads to compute with, 0 for one per core", 0, 256, NULL },
    { "kernels", 0, DH_OPT_TEXT, offsetof(struct dh_model_opts, kernels),
      "NAME",
      "Arithmetic: auto (the fastest), float32 (rounds no activation to "
      "bfloat16), or ref, avx2, avx2int8, avxvnni, avx512, "
      "avx512vnni, avx512bf16, amx, neon, neonint8, neondotprod",
      0, 0, NULL },
    DH_READS_OPT(struct dh_model_opts, memory),
    { "context", 0, DH_OPT_INT, offsetof(struct dh_model_opts, context), "N",
      "Tokens that the cache holds, 0 for 8192 or what the model can", 0,
      1 << 20, NULL },
    DH_CACHE_TYPE_OPT(struct dh_model_opts, cache_type),
    { "cache", 0, DH_OPT_TEXT, offsetof(struct dh_model_opts, cache), "FILE",
      "Start from what an earlier run computed, and write it there for the "
      "next "
      "one; it holds what the model saw",
      0, 0, NULL },
    { "draft", 0, DH_OPT_ENUM, offsetof(struct dh_model_opts, draft), "MODE",
      "Compute what an answer may repeat of what was said before in one pass, "
      "where that pays (auto), or never (off); it says the same",
      0, 0, draft_names },
    { "max-pixels", 0, DH_OPT_DOUBLE,
      offsetof(struct dh_model_opts, max_pixels), "N",
      "Largest picture that the model is shown, in pixels", 0, 1e8, NULL },
    { "seed", 0, DH_OPT_INT, offsetof(struct dh_model_opts, seed), "N",
      "Seed of sampling", 0, 1e9, NULL },
    { 0 },
};

static const char *assets_dir;  // set before anything runs
static struct dh_cancel cancel; // set by the signal handler

void dh_app_set_assets(const char *dir)
{
    assets_dir = dir;
}

char *dh_app_asset(const char *name)
{
    return dh_path_join(assets_dir ? assets_dir : "assets", name);
}

int dh_app_usage(const struct dh_command *cmd, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "deskhand %s: ", cmd->name);
    vfprintf(stderr, fmt, ap);
    fprintf(stderr, "\nTry 'deskhand %s --help'.\n", cmd->name);
    va_end(ap);
    return DH_EXIT_USAGE;
}

void dh_command_help(const struct dh_command *cmd, struct dh_buf *out)
{
    dh_buf_printf(out, "Usage: deskhand %s [OPTION]...%s%s\n\n%s.\n", cmd->name,
                  cmd->operands[0] ? " " : "", cmd->operands, cmd->summary);
    if (cmd->text)
        dh_buf_printf(out, "\n%s\n", cmd->text);
    const struct dh_command *const *kind = dh_command_kinds(cmd);
    for (int i = 0; kind[i]; i++)
        dh_buf_printf(out, "%s  %-13s %s\n", i ? "" : "\n", kind[i]->name,
                      kind[i]->summary);
    dh_buf_puts(out, "\nOptions:\n");
    for (int i = 0; i < DH_COMMAND_MAX_TABLES && cmd->tables[i]; i++) {
        struct dh_opt_set sets[] = { { cmd->tables[i], NULL }, { 0 } };
        dh_opts_help(sets, out);
    }
}

static void print_help(const struct dh_command *cmd)
{
    struct dh_buf out;
    dh_buf_init(&out, 1 << 20);
    dh_command_help(cmd, &out);
    fputs(dh_buf_text(&out), stdout);
    dh_buf_finish(&out);
}

bool dh_app_parse(const struct dh_command *cmd, const struct dh_opt_set *sets,
                  struct dh_app_options *app, int argc, char **argv, int *n,
                  int *exit_status)
{
    struct dh_diag diag = { 0 };
    if (dh_opts_parse(sets, argc, argv, n, &diag)) {
        *exit_status = dh_app_usage(cmd, "%s", diag.text);
        return false;
    }
    if (app->help) {
        print_help(cmd);
        *exit_status = DH_EXIT_OK;
        return false;
    }
    if (!dh_log_set_levels(app->log)) {
        *exit_status =
            dh_app_usage(cmd, "--log=%s is not understood", app->log);
        return false;
    }
    return true;
}

// The first signal asks everything to end in order, the second one does not
// wait for that.
static void on_signal(int sig)
{
    if (dh_cancel_is_set(&cancel)) {
        signal(sig, SIG_DFL);
        raise(sig);
        return;
    }
    // SIGTERM comes from a program, which presses nothing.
    static const char text[] = "\nstopping; press again to stop at once\n";
    ssize_t n = sig == SIGINT ? write(STDERR_FILENO, text, sizeof text - 1) : 0;
    (void)n;
    dh_cancel_set(&cancel);
}

struct dh_cancel *dh_app_cancel(void)
{
    struct sigaction sa = { .sa_handler = on_signal };
    sigemptyset(&sa.sa_mask);
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    return &cancel;
}

void dh_app_state_dir(struct dh_buf *path)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (state && state[0] == '/')
        dh_buf_puts(path, state);
    else
        dh_buf_printf(path, "%s/.local/state", home ? home : ".");
    dh_buf_puts(path, "/deskhand");
}

char *dh_app_session_dir(const char *name)
{
    struct dh_buf path;
    if (strchr(name, '/'))
        return dh_strdup(name);
    if (name[0] == '.' || name[0] == '-' || !name[0] || strlen(name) > 200)
        return NULL;
    for (const char *p = name; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return NULL;
    dh_buf_init(&path, 8192);
    dh_app_state_dir(&path);
    dh_buf_printf(&path, "/sessions/%s", name);
    return dh_buf_take(&path);
}

char *dh_app_session_find(const char *name)
{
    char *dir = dh_app_session_dir(name);
    if (dir && dh_path_is_dir(dir))
        return dir;
    dh_free(dir);
    return dh_strdup(name);
}

char *dh_app_config(void)
{
    const char *dir = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    struct dh_buf path;
    dh_buf_init(&path, 8192);
    if (dir && dir[0] == '/')
        dh_buf_puts(&path, dir);
    else
        dh_buf_printf(&path, "%s/.config", home ? home : ".");
    dh_buf_puts(&path, "/deskhand/config");
    return dh_buf_take(&path);
}

bool dh_app_is_remote(const struct dh_model_opts *o)
{
    return o->endpoint || dh_endpoint_is_url(o->model);
}

static const char *env(const char *name)
{
    return getenv(name);
}

enum dh_status dh_app_endpoint(struct dh_endpoint **out,
                               const struct dh_model_opts *o)
{
    char *config = dh_app_config();
    struct dh_endpoint_choice c = {
        .url = dh_endpoint_is_url(o->model) ? o->model : NULL,
        .name = o->endpoint,
        .config = config,
        .model = o->model_name,
        .key_file = o->api_key_file,
        .ca_file = o->ca_file,
        .env = env,
        .thinking = (enum dh_thinking)o->thinking,
        .idle_s = o->idle_s,
        .total_s = o->total_s,
    };
    enum dh_status st = dh_endpoint_open(out, &c);
    dh_free(config);
    return st;
}

// What is mapped is read page by page, and pushed out by what comes next: a
// model in a third of its size took 15 times as long as with a budget.
static void warn_of_size(const struct dh_brain *b)
{
    const struct dh_model_info *i = dh_brain_get_info(b);
    double memory =
        (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    if (i && (double)i->weight_bytes > memory)
        dh_warn("%.1f GB of weights are more than the memory of this machine: "
                "--memory %.0fM reads what is needed, which is much faster",
                (double)i->weight_bytes / 1e9, memory * 0.8 / 0x1p20);
}

enum dh_status dh_app_brain(struct dh_brain **out,
                            const struct dh_model_opts *o)
{
    char *embedded = dh_app_asset("models/sprout");
    char *prompts = dh_app_asset("prompts");
    struct dh_brain_options bo = {
        .model_dir = o->model ? o->model : embedded,
        .mmproj = o->mmproj,
        .prompts_dir = prompts,
        .kernels = o->kernels,
        .threads = o->threads,
        .memory_bytes = o->memory,
        .context = o->context,
        .cache_type = (enum dh_cache_type)o->cache_type,
        .cache = o->cache,
        .draft = dh_app_draft(o),
        .max_pixels = (int64_t)o->max_pixels,
        .seed = (uint64_t)o->seed,
        .cancel = dh_app_cancel(),
        .strict = o->strict,
    };
    bool remote = dh_app_is_remote(o);
    enum dh_status st = DH_OK;
    if (remote && (o->cache || o->cache_type || o->memory || o->mmproj)) {
        dh_error("%s is for a model in this process; a server has its own",
                 o->mmproj       ? "--mmproj"
                 : o->cache      ? "--cache"
                 : o->cache_type ? "--cache-type"
                                 : "--memory");
        st = DH_ERR_USAGE;
    } else if (remote) {
        st = dh_app_endpoint(&bo.endpoint, o);
    }
    if (!st)
        st = dh_brain_create(out, &bo);
    if (!st && !o->memory)
        warn_of_size(*out);
    dh_free(embedded);
    dh_free(prompts);
    return st;
}

// Control characters are below 0x20, 0x7f, and U+0080 to U+009F, which UTF-8
// writes as 0xc2 and the byte itself.
void dh_app_print_text(FILE *to, const char *text, size_t len, bool *held)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (*held && c >= 0x80 && c < 0xa0)
            c = '?';
        else if (*held)
            fputc(0xc2, to);
        *held = c == 0xc2;
        if (*held)
            continue;
        bool obeyed = c < 0x20 && c != '\n' && c != '\t';
        fputc(obeyed || c == 0x7f ? '?' : c, to);
    }
}

void dh_app_print(FILE *to, const char *text)
{
    bool held = false;
    if (text)
        dh_app_print_text(to, text, strlen(text), &held);
}

const char *dh_app_runtime_dir(void)
{
    const char *dir = getenv("XDG_RUNTIME_DIR");
    return dir && dir[0] == '/' ? dir : NULL;
}

const char *dh_app_locale(void)
{
    static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
    for (size_t i = 0; i < DH_COUNTOF(names); i++) {
        const char *value = getenv(names[i]);
        if (value && value[0])
            return value;
    }
    return "C";
}

bool dh_app_has_bus(void)
{
    const char *address = getenv("DBUS_SESSION_BUS_ADDRESS");
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (address && address[0])
        return strcmp(address, "disabled:") != 0;
    char *path = runtime ? dh_path_join(runtime, "bus") : NULL;
    bool there = path && dh_path_exists(path);
    dh_free(path);
    return there;
}

int dh_app_exit(enum dh_status st)
{
    if (st == DH_OK)
        return DH_EXIT_OK;
    if (st == DH_ERR_CANCELLED)
        return DH_EXIT_STOPPED;
    return st == DH_ERR_USAGE ? DH_EXIT_USAGE : DH_EXIT_FAILED;
}
