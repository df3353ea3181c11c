#include "agent/profile.h"

#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#define DH_LOG_TAG "profile"
#include "base/log.h"

#define PROFILE_MAX_BYTES (1024 * 1024)

static const char *const history_names[] = { "turns", "summary", NULL };

// MiniMax's desktop agent: temperature 0.6, ten to thirty pictures.
static void set_m3_defaults(struct dh_profile *p)
{
    memset(p, 0, sizeof *p);
    p->thinking = DH_THINKING_ADAPTIVE;
    p->history = DH_HISTORY_TURNS;
    p->keep_min = 10;
    p->chunk = 20;
    p->max_steps_told = 12;
    p->one_call = true;
    p->max_answer_tokens = 8192;
    p->max_pixels = 1932 * 1092;
    p->sampling = (struct dh_sampling){ 0.6F, 0.95F, 40 };
}

static bool take_text(const struct dh_json *o, const char *key, char **out)
{
    const struct dh_json *v = dh_json_find(o, key);
    if (!v)
        return true;
    if (dh_json_kind(v) != DH_JSON_STRING)
        return false;
    dh_free(*out);
    *out = dh_strdup(dh_json_text(v));
    return true;
}

static bool take_int(const struct dh_json *o, const char *key, int64_t lo,
                     int64_t hi, int64_t *out, struct dh_diag *diag)
{
    return !dh_json_find(o, key) || dh_json_get_i64(o, key, lo, hi, out, diag);
}

static bool take_ints(const struct dh_json *o, struct dh_profile *p,
                      struct dh_diag *diag)
{
    int64_t keep = p->keep_min, chunk = p->chunk, told = p->max_steps_told;
    int64_t answer = p->max_answer_tokens, k = p->sampling.top_k;
    if (!take_int(o, "keep_min", 0, 1000, &keep, diag) ||
        !take_int(o, "chunk", 1, 1000, &chunk, diag) ||
        !take_int(o, "max_steps_told", 0, 1000, &told, diag) ||
        !take_int(o, "max_answer_tokens", 1, 1 << 20, &answer, diag) ||
        !take_int(o, "max_pixels", 0, INT64_C(1) << 31, &p->max_pixels, diag) ||
        !take_int(o, "top_k", 0, 1 << 20, &k, diag))
        return false;
    p->keep_min = (int)keep;
    p->chunk = (int)chunk;
    p->max_steps_told = (int)told;
    p->max_answer_tokens = (int)answer;
    p->sampling.top_k = (int)k;
    return true;
}

static bool take_float(const struct dh_json *o, const char *key, double hi,
                       float *out, struct dh_diag *diag)
{
    double v = (double)*out;
    if (dh_json_find(o, key) && !dh_json_get_double(o, key, &v, diag))
        return false;
    if (!(v >= 0 && v <= hi)) {
        dh_diag_set(diag, 0, "%s: %g is not in 0..%g", key, v, hi);
        return false;
    }
    *out = (float)v;
    return true;
}

// One of the names, by its place; unchanged where the member is absent.
static bool take_enum(const struct dh_json *o, const char *key,
                      const char *const *names, int *out, struct dh_diag *diag)
{
    const struct dh_json *v = dh_json_find(o, key);
    if (!v)
        return true;
    for (int i = 0; names[i]; i++) {
        if (strcmp(dh_json_text(v), names[i]) == 0) {
            *out = i;
            return true;
        }
    }
    dh_diag_set(diag, 0, "%s: \"%s\" is none of its values", key,
                dh_json_text(v));
    return false;
}

static bool take_bool(const struct dh_json *o, const char *key, bool *out,
                      struct dh_diag *diag)
{
    return !dh_json_find(o, key) || dh_json_get_bool(o, key, out, diag);
}

static bool take_all(const struct dh_json *o, struct dh_profile *p,
                     struct dh_diag *diag)
{
    int think = p->thinking, hist = p->history;
    if (dh_json_kind(o) != DH_JSON_OBJECT) {
        dh_diag_set(diag, 0, "an object is expected");
        return false;
    }
    if (!take_text(o, "name", &p->name) || !take_text(o, "root", &p->root) ||
        !take_text(o, "developer", &p->developer)) {
        dh_diag_set(diag, 0, "name, root and developer must be texts");
        return false;
    }
    if (!take_ints(o, p, diag) ||
        !take_enum(o, "thinking", dh_thinking_names, &think, diag) ||
        !take_enum(o, "history", history_names, &hist, diag) ||
        !take_float(o, "temperature", 100, &p->sampling.temperature, diag) ||
        !take_float(o, "top_p", 1, &p->sampling.top_p, diag))
        return false;
    p->thinking = (enum dh_thinking)think;
    p->history = (enum dh_history_kind)hist;
    return take_bool(o, "one_call", &p->one_call, diag) &&
           take_bool(o, "constrain", &p->constrain, diag);
}

enum dh_status dh_profile_take(struct dh_profile *p, const struct dh_json *o)
{
    struct dh_diag diag = { 0 };
    if (take_all(o, p, &diag))
        return DH_OK;
    dh_error("how the model wants to be asked: %s", diag.text);
    return DH_ERR_FORMAT;
}

void dh_profile_put(const struct dh_profile *p, struct dh_json_writer *w)
{
    dh_jw_text(w, "name", p->name);
    if (p->root)
        dh_jw_text(w, "root", p->root);
    dh_jw_text(w, "developer", p->developer);
    dh_jw_text(w, "thinking", dh_thinking_names[p->thinking]);
    dh_jw_text(w, "history", history_names[p->history]);
    dh_jw_i64(w, "keep_min", p->keep_min);
    dh_jw_i64(w, "chunk", p->chunk);
    dh_jw_i64(w, "max_steps_told", p->max_steps_told);
    dh_jw_i64(w, "max_answer_tokens", p->max_answer_tokens);
}

static enum dh_status read_file(struct dh_profile *p, const char *path)
{
    struct dh_diag diag = { 0 };
    char *text;
    size_t len;
    enum dh_status st = dh_file_read(path, PROFILE_MAX_BYTES, &text, &len);
    if (st)
        return st;
    struct dh_json *o = dh_json_parse(text, len, &diag);
    dh_big_free(text);
    if (!o || !take_all(o, p, &diag)) {
        dh_error("%s: %s", path, diag.text);
        st = DH_ERR_FORMAT;
    }
    dh_json_free(o);
    return st;
}

enum dh_status dh_profile_read_prompt(struct dh_profile *p, const char *path)
{
    char *text;
    size_t len;
    enum dh_status st = dh_file_read(path, PROFILE_MAX_BYTES, &text, &len);
    if (!st) {
        while (len && text[len - 1] == '\n')
            len--;
        dh_free(p->developer);
        p->developer = dh_strndup(text, len);
        dh_big_free(text);
    }
    return st;
}

enum dh_status dh_profile_init(struct dh_profile *p, const char *dir,
                               const char *prompts)
{
    set_m3_defaults(p);
    char *path = dh_path_join(dir, "deskhand.json");
    enum dh_status st = DH_OK;
    if (dh_path_exists(path))
        st = read_file(p, path);
    dh_free(path);
    if (!st && !p->name)
        p->name = dh_strdup("MiniMax-M3");
    if (!st && !p->developer) {
        path = dh_path_join(prompts, "m3.txt");
        st = dh_profile_read_prompt(p, path);
        dh_free(path);
    }
    if (st)
        dh_profile_finish(p);
    return st;
}

void dh_profile_set_pictures(struct dh_profile *p, int max_images)
{
    if (p->keep_min + p->chunk <= max_images)
        return;
    p->keep_min = max_images * 2 / 5;
    p->chunk = DH_MAX(1, max_images - p->keep_min - 1);
}

void dh_profile_finish(struct dh_profile *p)
{
    dh_free(p->name);
    dh_free(p->root);
    dh_free(p->developer);
    memset(p, 0, sizeof *p);
}
