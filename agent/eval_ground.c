#include "agent/eval_ground.h"

#include <stdio.h>
#include <string.h>

#include "agent/brain_answers.h"
#include "agent/endpoint.h"
#include "agent/eval_judge.h"
#include "agent/ground.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "capture/frame.h"
#include "capture/picture.h"
#include "vision/zoom.h"

#define DH_LOG_TAG "eval"
#include "base/log.h"

#define MAX_FAILURES 3

enum state { FREE, TAKEN, DONE };

struct work {
    struct dh_eval_ground *g;
    struct dh_mutex lock;
    // guarded by lock
    unsigned char *state; // enum state of each item
    int first_free, done;
    enum dh_status failed; // ends all
};

struct worker {
    struct work *work;
    struct dh_brain *brain;
    struct dh_thread thread;
    int at; // the item whose picture is held, -1
    struct dh_frame *frame;
    enum dh_status picture; // what came of reading it
    int failures;           // one after the other
    double model_s, all_s;
    int asked;
};

// ---- which item ------------------------------------------------------------

static bool same_picture(const struct dh_eval_set *s, int a, int b)
{
    return strcmp(s->item[a].image, s->item[b].image) == 0;
}

// Nobody else is at this picture, as far as its neighbours tell.
static bool is_untouched(const struct work *w, int i)
{
    return i == 0 || !same_picture(w->g->set, i, i - 1) ||
           w->state[i - 1] == FREE;
}

// An item of the picture that is held, else of one that nobody is at, else any.
static int pick(struct work *w, int at)
{
    int any = -1, untouched = -1, n = w->g->set->n;
    while (w->first_free < n && w->state[w->first_free] != FREE)
        w->first_free++;
    for (int i = at; i >= 0 && i < n && same_picture(w->g->set, i, at); i++)
        if (w->state[i] == FREE)
            return i;
    for (int i = w->first_free; i < n && untouched < 0; i++) {
        if (w->state[i] != FREE)
            continue;
        any = any < 0 ? i : any;
        untouched = is_untouched(w, i) ? i : -1;
    }
    return untouched >= 0 ? untouched : any;
}

static int take_item(struct work *w, int at)
{
    dh_mutex_lock(&w->lock);
    bool stop = w->failed || dh_cancel_is_set(w->g->cancel);
    int i = stop ? -1 : pick(w, at);
    if (i >= 0)
        w->state[i] = TAKEN;
    dh_mutex_unlock(&w->lock);
    return i;
}

static void give_back(struct work *w, int i)
{
    dh_mutex_lock(&w->lock);
    w->state[i] = FREE;
    w->first_free = DH_MIN(w->first_free, i);
    dh_mutex_unlock(&w->lock);
}

static void end_item(struct work *w, int i)
{
    dh_mutex_lock(&w->lock);
    w->state[i] = DONE;
    int done = ++w->done;
    dh_mutex_unlock(&w->lock);
    if (w->g->on_item)
        w->g->on_item(w->g->user, done, w->g->set->n);
}

static void end_all(struct work *w, enum dh_status st)
{
    dh_mutex_lock(&w->lock);
    if (!w->failed)
        w->failed = st;
    dh_mutex_unlock(&w->lock);
}

// ---- one answer ------------------------------------------------------------

static void hold_picture(struct worker *k, int i)
{
    struct dh_eval_set *set = k->work->g->set;
    if (k->at >= 0 && same_picture(set, k->at, i)) {
        k->at = i;
        return;
    }
    dh_frame_unref(k->frame);
    k->frame = NULL;
    char *path = dh_eval_set_picture(set, i);
    k->picture = dh_picture_read(path, &k->frame);
    dh_free(path);
    k->at = i;
}

static char *hash_of_prompt(const struct dh_brain *b)
{
    const struct dh_profile *p = dh_brain_get_profile(b);
    char text[40];
    const char *root = p->root ? p->root : "";
    const char *rest = p->developer ? p->developer : "";
    uint64_t h = dh_hash_bytes(root, strlen(root)) * 31 +
                 dh_hash_bytes(rest, strlen(rest));
    snprintf(text, sizeof text, "%016llx", (unsigned long long)h);
    return dh_strdup(text);
}

static void begin_result(const struct worker *k, struct dh_eval_result *r,
                         int i, const char *method)
{
    const struct dh_eval_ground *g = k->work->g;
    *r = (struct dh_eval_result){ .set = dh_strdup(g->set->format),
                                  .model = dh_strdup(g->model),
                                  .method = dh_strdup(method),
                                  .seed = g->seed,
                                  .trial = 1,
                                  .steps = 0,
                                  .gap_px = -1,
                                  .ms_act = -1,
                                  .ms_settle = -1,
                                  .ms_first = -1,
                                  .ms_wall = -1,
                                  .ms_setup = -1,
                                  .ms_run = -1,
                                  .tokens_in = -1,
                                  .tokens_cached = -1,
                                  .tokens_out = -1,
                                  .image_tokens = -1,
                                  .ms_model = -1 };
    dh_eval_item_copy(&r->item, &g->set->item[i]);
}

static void note_profile(struct worker *k, struct dh_eval_result *r,
                         const struct dh_frame *frame)
{
    struct dh_parse_options how;
    dh_brain_parse_options(k->brain, frame, &how);
    bool asked = dh_brain_get_endpoint(k->brain) != NULL;
    r->coord = asked ? how.coord : k->work->g->coord;
    r->sent = (struct dh_size){ frame->width, frame->height };
    int tokens = dh_brain_show_size(k->brain, &r->sent);
    r->image_tokens = tokens ? tokens : -1;
    r->prompt = hash_of_prompt(k->brain);
}

static enum dh_status ask(struct worker *k, struct dh_eval_result *r,
                          struct dh_frame *frame)
{
    struct dh_brain_answer a = { 0 };
    int64_t start = dh_now_ns();
    enum dh_status st;
    dh_brain_answers_next(k->brain, r->item.id, r->method);
    if (r->item.target.kind == DH_EVAL_TEXT) {
        struct dh_ground g;
        st = dh_ground_read(k->brain, frame, r->item.instruction, &g);
        a.text = st ? NULL : g.raw;
        a.usage = g.usage;
    } else {
        st = dh_ground_ask(k->brain, frame, r->item.instruction,
                           r->item.target.kind == DH_EVAL_STEP ? DH_FORM_ACTION
                                                               : DH_FORM_LOCATE,
                           &a);
    }
    int64_t took = dh_now_ns() - start;
    k->model_s += (double)took / 1e9;
    r->ms_model = (double)took / 1e6;
    if (st)
        return st;
    note_profile(k, r, frame);
    r->raw = a.text;
    r->reasoning = dh_str_trim(dh_str_of(a.text)).n ? NULL : a.reasoning;
    if (r->reasoning)
        a.reasoning = NULL;
    a.text = NULL;
    r->tokens_in = a.usage.prompt_tokens;
    r->tokens_cached = a.usage.cached_tokens;
    r->tokens_out = a.usage.answer_tokens;
    r->cost = a.usage.cost;
    dh_brain_answer_finish(&a);
    dh_eval_judge(r);
    return DH_OK;
}

static int64_t sum(int64_t a, int64_t b)
{
    return a < 0 || b < 0 ? -1 : a + b;
}

static void add_costs(struct dh_eval_result *to,
                      const struct dh_eval_result *of)
{
    to->ms_model += of->ms_model;
    to->tokens_in = sum(to->tokens_in, of->tokens_in);
    to->tokens_cached = sum(to->tokens_cached, of->tokens_cached);
    to->tokens_out = sum(to->tokens_out, of->tokens_out);
    to->image_tokens = sum(to->image_tokens, of->image_tokens);
    to->cost += of->cost;
}

// Where the first answer is no place the second look has nothing to look at,
// and the method's answer is that one.
static enum dh_status look_again(struct worker *k,
                                 const struct dh_eval_result *first,
                                 struct dh_eval_result *r)
{
    if (!first->has_point) {
        r->raw = first->raw ? dh_strdup(first->raw) : NULL;
        r->reasoning = first->reasoning ? dh_strdup(first->reasoning) : NULL;
        r->coord = first->coord;
        r->sent = first->sent;
        r->prompt = dh_strdup(first->prompt);
        dh_eval_judge(r);
        r->tokens_in = r->tokens_cached = r->tokens_out = r->image_tokens = 0;
        r->ms_model = 0;
        add_costs(r, first);
        return DH_OK;
    }
    r->crop = dh_eval_zoom_crop(r->item.size, first->point);
    r->has_first = true;
    memcpy(r->first, first->point, sizeof r->first);
    struct dh_frame *frame;
    enum dh_status st = dh_zoom_frame(k->frame, r->crop, &frame);
    if (st)
        return st;
    st = ask(k, r, frame);
    dh_frame_unref(frame);
    if (!st)
        add_costs(r, first);
    return st;
}

// ---- one item --------------------------------------------------------------

static void note_failure(struct dh_eval_result *r, enum dh_eval_error e,
                         enum dh_status st)
{
    r->error = e;
    dh_free(r->raw);
    r->raw = NULL;
    dh_free(r->note);
    r->note = dh_strdup(dh_status_name(st));
    dh_eval_judge(r);
}

// How an item that could not be asked counts; NONE: it is asked again.
static enum dh_eval_error kind_of(enum dh_status st)
{
    switch (st) {
    case DH_ERR_TIMEOUT: return DH_EVAL_ERROR_TIMEOUT;
    case DH_ERR_RANGE:
    case DH_ERR_NOTFOUND:
    case DH_ERR_NOMEM:
    case DH_ERR_FORMAT: return DH_EVAL_ERROR_SETUP;
    case DH_OK:
    case DH_ERR_USAGE:
    case DH_ERR_IO:
    case DH_ERR_UNSUPPORTED:
    case DH_ERR_CANCELLED:
    case DH_ERR_CLOSED:
    case DH_ERR_REFUSED:
    case DH_ERR_TAKEN: break;
    }
    return DH_EVAL_ERROR_NONE;
}

static enum dh_status ask_item(struct worker *k, int i,
                               struct dh_eval_result r[2], int *n)
{
    bool zoom = k->work->g->zoom;
    begin_result(k, &r[0], i, "point");
    *n = 1;
    if (zoom) {
        begin_result(k, &r[1], i, "zoom");
        *n = 2;
    }
    if (k->picture) {
        note_failure(&r[0], DH_EVAL_ERROR_SETUP, k->picture);
        if (zoom)
            note_failure(&r[1], DH_EVAL_ERROR_SETUP, k->picture);
        return DH_OK;
    }
    enum dh_status st = ask(k, &r[0], k->frame);
    if (!st && zoom)
        st = look_again(k, &r[0], &r[1]);
    enum dh_eval_error e = kind_of(st);
    if (st && e) {
        if (!r[0].raw)
            note_failure(&r[0], e, st);
        if (zoom)
            note_failure(&r[1], e, st);
    }
    return st;
}

static enum dh_status write_down(struct worker *k, struct dh_eval_result r[2],
                                 int n)
{
    enum dh_status st = DH_OK;
    for (int i = 0; i < n && !st; i++)
        st = dh_eval_log_add(k->work->g->log, &r[i]);
    return st;
}

// False: this brain is done for.
static bool do_item(struct worker *k, int i)
{
    struct dh_eval_result r[2] = { 0 };
    int n;
    hold_picture(k, i);
    enum dh_status st = ask_item(k, i, r, &n), wrote = DH_OK;
    bool counts = !st || kind_of(st), server = st == DH_ERR_TIMEOUT || !counts;
    if (counts)
        wrote = write_down(k, r, n);
    for (int j = 0; j < n; j++)
        dh_eval_result_finish(&r[j]);
    k->failures = server ? k->failures + 1 : 0;
    k->asked += counts;
    if (counts && !wrote)
        end_item(k->work, i);
    else
        give_back(k->work, i);
    if (wrote || st == DH_ERR_CANCELLED || st == DH_ERR_REFUSED)
        end_all(k->work, wrote ? wrote : st);
    return k->failures < MAX_FAILURES;
}

static void run(void *arg)
{
    struct worker *k = arg;
    int64_t start = dh_now_ns();
    for (int i; (i = take_item(k->work, k->at)) >= 0;) {
        if (!do_item(k, i)) {
            const struct dh_endpoint *e = dh_brain_get_endpoint(k->brain);
            dh_error("%s failed %d times one after the other and is left alone",
                     e ? e->base : "the model", MAX_FAILURES);
            break;
        }
    }
    k->all_s = dh_seconds_since(start);
    dh_frame_unref(k->frame);
}

// ---- all of them -----------------------------------------------------------

static bool has_answer(const struct dh_eval_ground *g, int i,
                       const char *method)
{
    const struct dh_eval_result *r =
        g->before ? dh_eval_results_find(g->before, g->set->item[i].id,
                                         g->model, method, 1)
                  : NULL;
    return r && r->error != DH_EVAL_ERROR_ENDPOINT &&
           r->error != DH_EVAL_ERROR_TIMEOUT && r->error != DH_EVAL_ERROR_SETUP;
}

static void skip_answered(struct work *w)
{
    for (int i = 0; i < w->g->set->n; i++) {
        if (has_answer(w->g, i, "point") &&
            (!w->g->zoom || has_answer(w->g, i, "zoom"))) {
            w->state[i] = DONE;
            w->done++;
        }
    }
    w->g->kept = w->done;
}

static enum dh_status run_workers(struct work *w)
{
    struct dh_eval_ground *g = w->g;
    struct worker *k;
    enum dh_status st = DH_OK;
    dh_array(k, (size_t)g->n_brains);
    for (int i = 0; i < g->n_brains && !st; i++) {
        k[i] = (struct worker){ .work = w, .brain = g->brain[i], .at = -1 };
        st = dh_thread_start(&k[i].thread, "dh-eval", run, &k[i]);
    }
    if (st)
        end_all(w, st);
    for (int i = 0; i < g->n_brains; i++) {
        dh_thread_join(&k[i].thread);
        g->asked += k[i].asked;
        g->model_s += k[i].model_s;
        g->other_s += k[i].all_s - k[i].model_s;
    }
    dh_free(k);
    return w->failed;
}

enum dh_status dh_eval_ground_run(struct dh_eval_ground *g)
{
    struct work w = { .g = g };
    dh_mutex_init(&w.lock);
    dh_array(w.state, (size_t)g->set->n);
    skip_answered(&w);
    enum dh_status st = run_workers(&w);
    g->lost = g->set->n - w.done;
    if (!st && dh_cancel_is_set(g->cancel))
        st = DH_ERR_CANCELLED;
    if (!st && g->lost)
        st = DH_ERR_IO;
    dh_free(w.state);
    dh_mutex_finish(&w.lock);
    return st;
}
