#include "agent/endpoint.h"

#include <math.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/http.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#define DH_LOG_TAG "endpoint"
#include "base/log.h"

#define CONFIG_MAX_BYTES (1 << 20)
#define KEY_MAX_BYTES    8192
// Above so many tokens of input the vendor takes twice the price.
#define DEAR_TOKENS      512000

#define AT(member) offsetof(struct dh_endpoint_settings, member)

static const char *const protocols[] = { "openai", "anthropic", NULL };
static const char *const thinks[] = { "nowhere", "field", "template", NULL };
static const char *const coords[] = { "norm1000",      "norm1",
                                      "pixels-sent",   "pixels-resized28",
                                      "pixels-screen", NULL };

const struct dh_opt dh_endpoint_opts[] = {
    { "url", 0, DH_OPT_TEXT, AT(url), "URL", "Where it is", 0, 0, NULL },
    { "profile", 0, DH_OPT_TEXT, AT(profile), "NAME",
      "What it is: minimax, minimax-anthropic, vllm, sglang, llama-server, "
      "deskhand, openai, anthropic, generic",
      0, 0, NULL },
    { "model", 0, DH_OPT_TEXT, AT(model), "NAME",
      "The model's name there (default: the first that it lists)", 0, 0, NULL },
    { "key-file", 0, DH_OPT_TEXT, AT(key_file), "FILE",
      "Holds the key that lets us in", 0, 0, NULL },
    { "key-env", 0, DH_OPT_TEXT, AT(key_env), "NAME",
      "The variable of the environment with that key", 0, 0, NULL },
    { "ca-file", 0, DH_OPT_TEXT, AT(ca_file), "FILE",
      "Certificates to trust in place of the system's", 0, 0, NULL },
    { "prompt", 0, DH_OPT_TEXT, AT(prompt), "FILE",
      "Instructions to the model, in place of those for M3", 0, 0, NULL },
    { "protocol", 0, DH_OPT_ENUM, AT(protocol), "NAME", "openai or anthropic",
      0, 0, protocols },
    { "think-by", 0, DH_OPT_ENUM, AT(think_by), "NAME",
      "Where a request says whether to think: nowhere, field or template", 0, 0,
      thinks },
    { "thinking", 0, DH_OPT_ENUM, AT(thinking), "MODE",
      "adaptive, enabled or disabled", 0, 0, dh_thinking_names },
    { "coord", 0, DH_OPT_ENUM, AT(coord), "NAME",
      "What the numbers of a point mean", 0, 0, coords },
    { "png", 0, DH_OPT_BOOL, AT(png), NULL, "Send pictures as PNG, not JPEG", 0,
      0, NULL },
    { "quality", 0, DH_OPT_INT, AT(quality), "N", "Quality of a JPEG", 1, 100,
      NULL },
    { "max-side", 0, DH_OPT_INT, AT(max_side), "N",
      "Longest side that a picture may have there, in pixels", 28, 16384,
      NULL },
    { "tell-side", 0, DH_OPT_BOOL, AT(tell_side), NULL,
      "Say max_long_side_pixel with each picture", 0, 0, NULL },
    { "max-images", 0, DH_OPT_INT, AT(max_images), "N",
      "Pictures that one request may hold", 1, 1000, NULL },
    { "max-tokens", 0, DH_OPT_INT, AT(max_tokens), "N",
      "Tokens that one answer may have", 1, 1 << 20, NULL },
    { "temperature", 0, DH_OPT_DOUBLE, AT(temperature), "N",
      "Of sampling; negative: the server's", -1, 2, NULL },
    { "top-p", 0, DH_OPT_DOUBLE, AT(top_p), "N",
      "Of sampling; negative: the server's", -1, 1, NULL },
    { "stop", 0, DH_OPT_BOOL, AT(stop), NULL, "Send stop sequences", 0, 0,
      NULL },
    { "stream", 0, DH_OPT_BOOL, AT(stream), NULL,
      "Read answers while they are written", 0, 0, NULL },
    { "check-tokens", 0, DH_OPT_BOOL, AT(check_tokens), NULL,
      "Warn where pictures were made smaller on the way", 0, 0, NULL },
    { "form", 0, DH_OPT_BOOL, AT(form), NULL,
      "Ask for answers in a form, as deskhand serve knows it", 0, 0, NULL },
    { "idle", 0, DH_OPT_DOUBLE, AT(idle_s), "SECONDS",
      "Wait no longer for the next word", 0.1, 86400, NULL },
    { "total", 0, DH_OPT_DOUBLE, AT(total_s), "SECONDS",
      "Wait no longer for an answer", 0.1, 86400, NULL },
    { "retries", 0, DH_OPT_INT, AT(retries), "N",
      "Times that a request is made again", 0, 100, NULL },
    { "backoff", 0, DH_OPT_DOUBLE, AT(backoff), "SECONDS",
      "Wait so long before the first of them, twice as long each time", 0, 60,
      NULL },
    { "price-in", 0, DH_OPT_DOUBLE, AT(price_in), "DOLLARS",
      "Of a million tokens of input", 0, 1e6, NULL },
    { "price-cached", 0, DH_OPT_DOUBLE, AT(price_cached), "DOLLARS",
      "The same where they were cached", 0, 1e6, NULL },
    { "price-out", 0, DH_OPT_DOUBLE, AT(price_out), "DOLLARS",
      "Of a million tokens of answers", 0, 1e6, NULL },
    { 0 },
};

// What holds unless a profile says otherwise: an OpenAI-compatible server of
// which nothing is known. Limits are actions.md 4.3, sampling is 2.3.
static const struct dh_endpoint_settings generic = {
    .profile = "generic",
    .protocol = DH_PROTOCOL_OPENAI,
    .coord = DH_COORD_NORM1000,
    .thinking = DH_THINKING_ADAPTIVE,
    .stop = true,
    .stream = true,
    .quality = 90,
    .max_side = 2016,
    .max_images = 20,
    .max_tokens = 8192,
    .retries = 5,
    .temperature = 0.6,
    .top_p = -1,
    .idle_s = 120,
    .total_s = 600,
    .backoff = 1,
};

static bool set_profile(struct dh_endpoint_settings *s, const char *name)
{
    struct dh_endpoint_settings p = generic;
    struct dh_str n = dh_str_of(name);
    bool vendor = dh_str_starts(n, "minimax");
    p.profile = name;
    if (vendor || dh_str_is(n, "vllm") || dh_str_is(n, "sglang") ||
        dh_str_is(n, "llama-server")) {
        p.think_by = vendor ? DH_THINK_FIELD : DH_THINK_TEMPLATE;
        p.check_tokens = true;
        p.tell_side = !dh_str_is(n, "llama-server");
        // Servers of one's own have the cap that they are started with.
        p.max_images = vendor ? p.max_images : 30;
    }
    // OpenAI's own models refuse the older name, others the newer one.
    p.completion_tokens = vendor || dh_str_is(n, "openai");
    p.root = vendor;
    if (vendor) {
        p.url = dh_str_is(n, "minimax") ? "https://api.minimax.io/v1"
                                        : "https://api.minimax.io/anthropic/v1";
        p.model = "MiniMax-M3";
        p.price_in = 0.30; // September 2026
        p.price_cached = 0.06;
        p.price_out = 1.20;
    }
    if (dh_str_is(n, "openai"))
        p.url = "https://api.openai.com/v1";
    if (dh_str_is(n, "anthropic")) {
        p.url = "https://api.anthropic.com/v1";
        p.think_by = DH_THINK_FIELD;
        p.thinking = DH_THINKING_DISABLED;
        p.mark_cache = true;
    }
    if (dh_str_is(n, "anthropic") || dh_str_is(n, "minimax-anthropic"))
        p.protocol = DH_PROTOCOL_ANTHROPIC;
    if (dh_str_is(n, "deskhand")) {
        p.think_by = DH_THINK_TEMPLATE;
        p.form = true;
        p.thinking = DH_THINKING_UNSET;
        p.max_images = 30;
        p.temperature = -1;
    }
    static const char *const all[] = { "minimax",      "minimax-anthropic",
                                       "vllm",         "sglang",
                                       "llama-server", "deskhand",
                                       "openai",       "anthropic",
                                       "generic" };
    for (size_t i = 0; i < DH_COUNTOF(all); i++) {
        if (dh_str_is(n, all[i])) {
            p.profile = all[i];
            *s = p;
            return true;
        }
    }
    return false;
}

bool dh_endpoint_is_url(const char *text)
{
    struct dh_str s = dh_str_of(text ? text : "");
    return dh_str_starts(s, "http://") || dh_str_starts(s, "https://");
}

// By its address alone, before anybody was asked.
static const char *profile_of_url(const char *url)
{
    struct dh_str s = dh_str_of(url);
    if (dh_str_find(s, "api.minimax", 0) >= 0)
        return dh_str_find(s, "/anthropic", 0) >= 0 ? "minimax-anthropic"
                                                    : "minimax";
    if (dh_str_find(s, "api.openai.com", 0) >= 0)
        return "openai";
    if (dh_str_find(s, "api.anthropic.com", 0) >= 0 ||
        dh_str_ends(s, "/messages"))
        return "anthropic";
    return "generic";
}

// ---- the configuration file ------------------------------------------------

// The lines of one section; {NULL, 0} where there is none.
static struct dh_str section_of(char *text, size_t len, const char *name)
{
    struct dh_str s = { text, len }, found = { NULL, 0 };
    for (size_t at = 0; at < len;) {
        ptrdiff_t nl = dh_str_find(s, "\n", at);
        size_t end = nl < 0 ? len : (size_t)nl;
        struct dh_str line = dh_str_trim(dh_str_sub(s, at, end));
        if (line.n > 1 && line.p[0] == '[') {
            if (found.p)
                return (struct dh_str){ found.p,
                                        (size_t)(text + at - found.p) };
            struct dh_str title = dh_str_trim(dh_str_sub(line, 1, line.n - 1));
            if (dh_str_is(title, name))
                found.p = text + DH_MIN(end + 1, len);
        }
        at = end + 1;
    }
    if (found.p)
        found.n = (size_t)(text + len - found.p);
    return found;
}

// A section may name its profile, which has to be known before its other lines.
static enum dh_status read_section(struct dh_endpoint *e, struct dh_str section,
                                   const char *config)
{
    struct dh_opt_set sets[] = { { dh_endpoint_opts, &e->s }, { 0 } };
    struct dh_diag diag = { 0 };
    char *lines = dh_strndup(section.p, section.n);
    char *kept = dh_strndup(section.p, section.n);
    enum dh_status st = dh_opts_parse_file(sets, lines, section.n, &diag);
    const char *profile = e->s.profile;
    if (!st && !set_profile(&e->s, profile)) {
        dh_error("%s: there is no profile \"%s\"", config, profile);
        st = DH_ERR_USAGE;
    }
    dh_free(lines);
    e->section = dh_strndup(section.p, section.n);
    e->text = kept;
    if (!st)
        st = dh_opts_parse_file(sets, kept, section.n, &diag);
    if (st && diag.text[0])
        dh_error("%s, section [%s]: %s", config, e->name, diag.text);
    return st;
}

// *found: the file has such a section.
static enum dh_status read_config(struct dh_endpoint *e, const char *config,
                                  bool *found)
{
    char *text;
    size_t len;
    *found = false;
    if (!config || !dh_path_exists(config))
        return DH_OK;
    enum dh_status st = dh_file_read(config, CONFIG_MAX_BYTES, &text, &len);
    if (st)
        return st;
    struct dh_str section = section_of(text, len, e->name);
    *found = section.p != NULL;
    if (*found)
        st = read_section(e, section, config);
    dh_big_free(text);
    return st;
}

// ---- address and key -------------------------------------------------------

static void cut_end(struct dh_str *s, const char *end)
{
    if (dh_str_ends(*s, end))
        s->n -= strlen(end);
}

// "http://host", ".../v1/" and ".../v1/chat/completions" all mean the same.
static char *base_of(const char *url, enum dh_protocol protocol)
{
    struct dh_str s = dh_str_trim(dh_str_of(url));
    cut_end(&s, "/");
    cut_end(&s, "/chat/completions");
    cut_end(&s, "/messages");
    cut_end(&s, "/");
    struct dh_buf out;
    dh_buf_init(&out, 8192);
    dh_buf_put(&out, s.p, s.n);
    ptrdiff_t host = dh_str_find(s, "://", 0);
    bool bare = host >= 0 && dh_str_find(s, "/", (size_t)host + 3) < 0;
    if (bare ||
        (protocol == DH_PROTOCOL_ANTHROPIC && dh_str_ends(s, "/anthropic")))
        dh_buf_puts(&out, "/v1");
    return dh_buf_take(&out);
}

static enum dh_status take_key(struct dh_endpoint *e, struct dh_str key,
                               const char *from)
{
    key = dh_str_trim(key);
    bool clean = key.n > 0;
    for (size_t i = 0; i < key.n; i++)
        clean = clean && key.p[i] > ' ' && key.p[i] < 0x7f;
    if (!clean) {
        dh_error("%s holds no key: one line of visible characters is expected",
                 from);
        return DH_ERR_FORMAT;
    }
    e->key = dh_strndup(key.p, key.n);
    return DH_OK;
}

static enum dh_status read_key(struct dh_endpoint *e)
{
    struct stat st;
    char *text;
    size_t len;
    enum dh_status status =
        dh_file_read(e->s.key_file, KEY_MAX_BYTES, &text, &len);
    if (status)
        return status;
    if (!stat(e->s.key_file, &st) && (st.st_mode & 077))
        dh_warn("others can read %s; chmod 600 keeps the key yours",
                e->s.key_file);
    status = take_key(e, (struct dh_str){ text, len }, e->s.key_file);
    explicit_bzero(text, len);
    dh_big_free(text);
    return status;
}

// The key of a section is for the section's host, whatever address was given
// beside it; own is that of the section, NULL where it has none.
static enum dh_status find_key(struct dh_endpoint *e, const char *own,
                               const struct dh_endpoint_choice *c)
{
    if (c->key_file) {
        e->s.key_file = c->key_file;
        return read_key(e);
    }
    if (!e->s.key_file && !e->s.key_env)
        return DH_OK;
    if (!own || !dh_http_same_host(own, e->s.url)) {
        dh_warn("the key of [%s] is kept back: its url names another host than "
                "%s; --api-key-file sends one there",
                e->name, e->s.url);
        return DH_OK;
    }
    if (e->s.key_file)
        return read_key(e);
    const char *value = c->env ? c->env(e->s.key_env) : NULL;
    if (!value) {
        dh_error("$%s, which key-env of [%s] names, is not set", e->s.key_env,
                 e->name);
        return DH_ERR_USAGE;
    }
    return take_key(e, dh_str_of(value), e->s.key_env);
}

static void warn_of_clear_text(const struct dh_endpoint *e)
{
    bool safe = dh_str_starts(dh_str_of(e->s.url), "https://") ||
                dh_http_is_loopback(e->s.url);
    if (e->key && !safe)
        dh_warn("the key goes to %s unencrypted", e->s.url);
}

static enum dh_status find_settings(struct dh_endpoint *e,
                                    const struct dh_endpoint_choice *c)
{
    bool found;
    const char *name = c->name  ? c->name
                       : c->url ? profile_of_url(c->url)
                                : "generic";
    e->name = dh_strdup(name);
    if (!set_profile(&e->s, name))
        e->s = generic;
    enum dh_status st = read_config(e, c->config, &found);
    if (!st && !found && !set_profile(&e->s, name)) {
        dh_error("--endpoint=%s is neither a profile nor a section of %s", name,
                 c->config ? c->config : "the configuration file");
        st = DH_ERR_USAGE;
    }
    return st;
}

// The command line has the last word.
static void obey(const struct dh_endpoint *e, struct dh_endpoint_settings *s)
{
    if (e->thinking)
        s->thinking = (int)e->thinking;
    s->idle_s = e->idle_s > 0 ? e->idle_s : s->idle_s;
    s->total_s = e->total_s > 0 ? e->total_s : s->total_s;
}

enum dh_status dh_endpoint_open(struct dh_endpoint **out,
                                const struct dh_endpoint_choice *c)
{
    struct dh_endpoint *e;
    dh_new(e);
    enum dh_status st = find_settings(e, c);
    const char *own = e->s.url;
    e->s.url = c->url ? c->url : own;
    e->s.model = c->model ? c->model : e->s.model;
    e->s.ca_file = c->ca_file ? c->ca_file : e->s.ca_file;
    e->thinking = c->thinking;
    e->idle_s = c->idle_s;
    e->total_s = c->total_s;
    obey(e, &e->s);
    if (!st && !dh_endpoint_is_url(e->s.url)) {
        dh_error("endpoint %s: an address that begins with http:// or https:// "
                 "is needed, not \"%s\"",
                 e->name, e->s.url ? e->s.url : "");
        st = DH_ERR_USAGE;
    }
    if (!st && e->s.coord != DH_COORD_NORM1000 && !e->s.prompt)
        dh_warn("endpoint %s: with coord = %s a prompt = FILE has to tell the "
                "model so; the one for M3 speaks of 0 to 1000",
                e->name, coords[e->s.coord]);
    if (!st)
        e->base = base_of(e->s.url, (enum dh_protocol)e->s.protocol);
    if (!st)
        st = find_key(e, own, c);
    if (!st)
        warn_of_clear_text(e);
    if (st) {
        dh_endpoint_close(e);
        return st;
    }
    *out = e;
    return DH_OK;
}

void dh_endpoint_close(struct dh_endpoint *e)
{
    if (!e)
        return;
    if (e->key)
        explicit_bzero(e->key, strlen(e->key));
    dh_free(e->key);
    dh_free(e->name);
    dh_free(e->base);
    dh_free(e->section);
    dh_free(e->text);
    dh_free(e->again);
    dh_free(e);
}

// What the section says goes before what its server tells of itself.
static bool say_again(struct dh_endpoint *e, struct dh_endpoint_settings *s)
{
    struct dh_opt_set sets[] = { { dh_endpoint_opts, s }, { 0 } };
    struct dh_diag diag = { 0 };
    if (!e->section)
        return true;
    const char *profile = s->profile;
    e->again = dh_strdup(e->section);
    bool well = !dh_opts_parse_file(sets, e->again, strlen(e->again), &diag);
    s->profile = profile;
    return well;
}

bool dh_endpoint_adopt(struct dh_endpoint *e, const char *profile)
{
    struct dh_endpoint_settings s;
    // What was chosen by name stays.
    if (strcmp(e->s.profile, "generic") != 0 || !set_profile(&s, profile))
        return false;
    if (!say_again(e, &s))
        return false;
    s.url = e->s.url;
    s.model = e->s.model;
    s.key_file = e->s.key_file;
    s.key_env = e->s.key_env;
    s.ca_file = e->s.ca_file;
    obey(e, &s);
    e->s = s;
    if (e->section)
        return true;
    dh_free(e->name);
    e->name = dh_strdup(s.profile);
    return true;
}

double dh_endpoint_cost(const struct dh_endpoint *e, double prompt,
                        double cached, double answer)
{
    double times = prompt > DEAR_TOKENS ? 2 : 1;
    return times *
           ((prompt - cached) * e->s.price_in + cached * e->s.price_cached +
            answer * e->s.price_out) /
           1e6;
}

int dh_endpoint_picture_tokens(const struct dh_endpoint *e, int *w, int *h)
{
    int side = DH_MAX(*w, *h);
    if (side > e->s.max_side) {
        *w = DH_MAX(1, (int)((int64_t)*w * e->s.max_side / side));
        *h = DH_MAX(1, (int)((int64_t)*h * e->s.max_side / side));
    }
    return (int)(lround(*w / 28.0) * lround(*h / 28.0));
}
