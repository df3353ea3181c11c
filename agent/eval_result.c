#include "agent/eval_result.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"

static const char *const error_names[DH_EVAL_ERROR_COUNT] = {
    "none", "format", "refused", "timeout", "endpoint", "setup", "invalid_task",
};

const char *dh_eval_error_name(enum dh_eval_error e)
{
    return error_names[e];
}

bool dh_eval_error_is_void(enum dh_eval_error e)
{
    return e == DH_EVAL_ERROR_ENDPOINT || e == DH_EVAL_ERROR_SETUP ||
           e == DH_EVAL_ERROR_INVALID;
}

void dh_eval_result_finish(struct dh_eval_result *r)
{
    char **const texts[] = { &r->set,    &r->model, &r->method,
                             &r->prompt, &r->raw,   &r->reasoning,
                             &r->note,   &r->end,   &r->session };
    for (size_t i = 0; i < DH_COUNTOF(texts); i++)
        dh_free(*texts[i]);
    dh_eval_item_finish(&r->item);
    *r = (struct dh_eval_result){ 0 };
}

// ---- writing ---------------------------------------------------------------

static void put_text(struct dh_json_writer *w, const char *key, const char *s)
{
    if (s)
        dh_jw_text(w, key, s);
}

static void put_pair(struct dh_json_writer *w, const char *key, double x,
                     double y)
{
    dh_jw_array(w, key);
    dh_jw_double(w, NULL, x);
    dh_jw_double(w, NULL, y);
    dh_jw_end_array(w);
}

// To a thousandth: more digits are noise.
static void put_number(struct dh_json_writer *w, const char *key, double v)
{
    if (v >= 0)
        dh_jw_double(w, key, floor(v * 1000 + 0.5) / 1000);
}

static void put_count(struct dh_json_writer *w, const char *key, int64_t v)
{
    if (v >= 0)
        dh_jw_i64(w, key, v);
}

static void put_profile(struct dh_json_writer *w,
                        const struct dh_eval_result *r)
{
    dh_jw_object(w, "profile");
    dh_jw_text(w, "coord", dh_coord_name(r->coord));
    if (r->sent.w)
        put_pair(w, "sent", r->sent.w, r->sent.h);
    put_text(w, "prompt", r->prompt);
    dh_jw_end_object(w);
}

static void put_answer(struct dh_json_writer *w, const struct dh_eval_result *r)
{
    put_text(w, "raw", r->raw);
    put_text(w, "reasoning", r->reasoning);
    if (r->crop.w) {
        dh_jw_array(w, "crop");
        dh_jw_i64(w, NULL, r->crop.x);
        dh_jw_i64(w, NULL, r->crop.y);
        dh_jw_i64(w, NULL, r->crop.w);
        dh_jw_i64(w, NULL, r->crop.h);
        dh_jw_end_array(w);
    }
    if (r->has_first)
        put_pair(w, "first", r->first[0], r->first[1]);
    if (r->has_point)
        put_pair(w, "point", r->point[0], r->point[1]);
    else
        dh_jw_null(w, "point");
    dh_jw_bool(w, "hit", r->hit);
    put_number(w, "score", r->score);
    if (r->has_reward) {
        dh_jw_double(w, "reward", r->reward);
        dh_jw_double(w, "reward_timed", r->reward_timed);
    }
    dh_jw_text(w, "error_kind", error_names[r->error]);
    put_number(w, "gap_px", r->gap_px);
    put_text(w, "note", r->note);
    put_text(w, "end", r->end);
}

static void put_costs(struct dh_json_writer *w, const struct dh_eval_result *r)
{
    put_count(w, "steps", r->steps);
    if (r->steps_reference)
        dh_jw_i64(w, "steps_reference", r->steps_reference);
    put_number(w, "ms_model", r->ms_model);
    put_number(w, "ms_act", r->ms_act);
    put_number(w, "ms_settle", r->ms_settle);
    put_number(w, "ms_first", r->ms_first);
    put_number(w, "ms_wall", r->ms_wall);
    put_number(w, "ms_setup", r->ms_setup);
    put_number(w, "ms_run", r->ms_run);
    put_count(w, "tokens_in", r->tokens_in);
    put_count(w, "tokens_cached", r->tokens_cached);
    put_count(w, "tokens_out", r->tokens_out);
    put_count(w, "image_tokens", r->image_tokens);
    dh_jw_double(w, "cost", r->cost);
    put_text(w, "session", r->session);
}

void dh_eval_result_json(const struct dh_eval_result *r, struct dh_buf *out)
{
    struct dh_json_writer w;
    dh_jw_init(&w, out);
    dh_jw_object(&w, NULL);
    dh_eval_item_json(&r->item, &w);
    put_text(&w, "set", r->set);
    put_text(&w, "model", r->model);
    put_text(&w, "method", r->method);
    if (r->seed)
        dh_jw_i64(&w, "seed", (int64_t)r->seed);
    dh_jw_i64(&w, "trial", DH_MAX(r->trial, 1));
    put_profile(&w, r);
    put_answer(&w, r);
    put_costs(&w, r);
    dh_jw_end_object(&w);
}

// ---- reading ---------------------------------------------------------------

static char *take_text(const struct dh_json *o, const char *key)
{
    const struct dh_json *v = dh_json_find(o, key);
    return v && dh_json_kind(v) == DH_JSON_STRING ? dh_strdup(dh_json_text(v))
                                                  : NULL;
}

static double take_number(const struct dh_json *o, const char *key,
                          double absent)
{
    const struct dh_json *v = dh_json_find(o, key);
    bool there = v && dh_json_kind(v) == DH_JSON_NUMBER;
    return there && isfinite(dh_json_number(v)) ? dh_json_number(v) : absent;
}

static int64_t take_count(const struct dh_json *o, const char *key,
                          int64_t absent)
{
    double v = take_number(o, key, (double)absent);
    return v >= 0 && v < 9e15 ? (int64_t)v : absent;
}

// How many numbers the list has, up to `n` of them in v.
static int take_list(const struct dh_json *o, const char *key, double *v, int n)
{
    int i = 0;
    for (const struct dh_json *x = dh_json_first(dh_json_find(o, key));
         x && i < n; x = dh_json_next(x)) {
        if (dh_json_kind(x) != DH_JSON_NUMBER ||
            !(fabs(dh_json_number(x)) < 1e9))
            return 0;
        v[i++] = dh_json_number(x);
    }
    return i;
}

static bool take_profile(struct dh_eval_result *r, const struct dh_json *o,
                         struct dh_diag *diag)
{
    double v[2];
    const char *coord;
    if (!o)
        return true;
    if (!dh_json_get_text(o, "coord", &coord, diag))
        return false;
    if (!dh_coord_of_name(coord, &r->coord)) {
        dh_diag_set(diag, 0, "profile.coord: %.40s is not known", coord);
        return false;
    }
    if (take_list(o, "sent", v, 2) == 2)
        r->sent = (struct dh_size){ (int)v[0], (int)v[1] };
    r->prompt = take_text(o, "prompt");
    return true;
}

static bool take_error(struct dh_eval_result *r, const struct dh_json *o,
                       struct dh_diag *diag)
{
    const char *name;
    if (!dh_json_get_text(o, "error_kind", &name, diag))
        return false;
    for (int i = 0; i < DH_EVAL_ERROR_COUNT; i++) {
        if (strcmp(name, error_names[i]) == 0) {
            r->error = (enum dh_eval_error)i;
            return true;
        }
    }
    dh_diag_set(diag, 0, "error_kind: %.40s is not known", name);
    return false;
}

static bool take_answer(struct dh_eval_result *r, const struct dh_json *o,
                        struct dh_diag *diag)
{
    double v[4];
    r->raw = take_text(o, "raw");
    r->reasoning = take_text(o, "reasoning");
    if (take_list(o, "crop", v, 4) == 4)
        r->crop =
            (struct dh_rect){ (int)v[0], (int)v[1], (int)v[2], (int)v[3] };
    r->has_first = take_list(o, "first", r->first, 2) == 2;
    r->has_point = take_list(o, "point", r->point, 2) == 2;
    r->score = take_number(o, "score", 0);
    r->reward = take_number(o, "reward", NAN);
    r->has_reward = !isnan(r->reward);
    r->reward_timed = take_number(o, "reward_timed", r->reward);
    r->gap_px = take_number(o, "gap_px", -1);
    r->note = take_text(o, "note");
    r->end = take_text(o, "end");
    return dh_json_get_bool(o, "hit", &r->hit, diag) && take_error(r, o, diag);
}

static void take_costs(struct dh_eval_result *r, const struct dh_json *o)
{
    r->steps = (int)take_count(o, "steps", 0);
    r->steps_reference = (int)take_count(o, "steps_reference", 0);
    r->ms_model = take_number(o, "ms_model", -1);
    r->ms_act = take_number(o, "ms_act", -1);
    r->ms_settle = take_number(o, "ms_settle", -1);
    r->ms_first = take_number(o, "ms_first", -1);
    r->ms_wall = take_number(o, "ms_wall", -1);
    r->ms_setup = take_number(o, "ms_setup", -1);
    r->ms_run = take_number(o, "ms_run", -1);
    r->tokens_in = take_count(o, "tokens_in", -1);
    r->tokens_cached = take_count(o, "tokens_cached", -1);
    r->tokens_out = take_count(o, "tokens_out", -1);
    r->image_tokens = take_count(o, "image_tokens", -1);
    r->cost = take_number(o, "cost", 0);
    r->session = take_text(o, "session");
}

static bool take_all(struct dh_eval_result *r, const struct dh_json *o,
                     struct dh_diag *diag)
{
    if (!dh_eval_item_read(&r->item, o, diag) ||
        !take_profile(r, dh_json_find(o, "profile"), diag) ||
        !take_answer(r, o, diag))
        return false;
    r->set = take_text(o, "set");
    r->model = take_text(o, "model");
    r->method = take_text(o, "method");
    r->seed = (uint64_t)take_count(o, "seed", 0);
    r->trial = (int)DH_CLAMP(take_count(o, "trial", 1), 1, 1000000);
    take_costs(r, o);
    return true;
}

bool dh_eval_result_read(struct dh_eval_result *out, const char *line,
                         size_t len, struct dh_diag *diag)
{
    struct dh_eval_result r = { 0 };
    struct dh_json *o = dh_json_parse(line, len, diag);
    bool ok = o && take_all(&r, o, diag);
    dh_json_free(o);
    if (ok)
        *out = r;
    else
        dh_eval_result_finish(&r);
    return ok;
}
