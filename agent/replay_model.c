#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "agent/a11y.h"
#include "agent/brain.h"
#include "agent/find_place_priv.h"
#include "agent/ground.h"
#include "agent/replay_priv.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "capture/frame.h"

#define DH_LOG_TAG "replay"
#include "base/log.h"

#define NEAR_PX   24
#define MARK_PX   9
#define CLOSE_W   240
#define CLOSE_H   180
#define WORDS_MAX 1024

// ---- pictures for it --------------------------------------------------------

// A part of a picture at full resolution, with a red cross at `mark` of the
// part unless that is outside. NULL: there is nothing of it.
static struct dh_frame *part_of(const struct dh_frame *f, struct dh_rect area,
                                struct dh_point mark)
{
    struct dh_frame *out;
    area =
        dh_rect_intersect(area, (struct dh_rect){ 0, 0, f->width, f->height });
    if (dh_rect_is_empty(area) || dh_frame_create(&out, NULL, area.w, area.h))
        return NULL;
    for (int y = 0; y < area.h; y++)
        memcpy(dh_frame_at(out, 0, y), dh_frame_at(f, area.x, area.y + y),
               (size_t)area.w * 4);
    for (int i = -MARK_PX; i <= MARK_PX; i++) {
        const struct dh_point p[] = { { mark.x + i, mark.y },
                                      { mark.x, mark.y + i } };
        for (int k = 0; k < 2; k++)
            if (dh_rect_has((struct dh_rect){ 0, 0, area.w, area.h }, p[k]))
                memcpy(dh_frame_at(out, p[k].x, p[k].y), "\x00\x00\xff", 4);
    }
    out->screen = (struct dh_rect){ area.x + f->screen.x, area.y + f->screen.y,
                                    area.w, area.h };
    dh_frame_publish(out);
    return out;
}

static const struct dh_point unmarked = { -1000, -1000 };

static struct dh_rect in_frame(const struct dh_frame *f, struct dh_rect r)
{
    return (struct dh_rect){ r.x - f->screen.x, r.y - f->screen.y, r.w, r.h };
}

// ---- words for it -----------------------------------------------------------

// False: nothing is known that could be said.
static bool describe(const struct dh_recorded_target *t, struct dh_buf *out)
{
    const struct dh_target *g = &t->t;
    if (t->say[0])
        dh_buf_puts(out, t->say);
    else if (g->has_node && g->node.name[0])
        dh_buf_printf(out, "the %s \"%s\"", g->node.role, g->node.name);
    else if (g->place.n_labels)
        dh_buf_printf(out, "the %s beside \"%s\"",
                      g->has_node ? g->node.role : "thing",
                      g->place.label[0].text);
    else
        return false;
    if (!t->say[0] && g->window.title[0])
        dh_buf_printf(out, " in the window \"%s\"", g->window.title);
    return true;
}

// ---- questions --------------------------------------------------------------

struct asking {
    struct dh_replaying *r;
    const struct dh_recorded_target *t;
    const struct dh_window *window;
    struct dh_frame *now;  // the screen, or the window of it
    struct dh_frame *then; // the recorded surroundings, or NULL
    const char *words;
};

static void count(struct dh_replaying *r, const struct dh_usage *u)
{
    r->result->model_calls++;
    dh_usage_add(&r->result->usage, u);
}

static bool ask_text(struct asking *a, struct dh_point *out)
{
    struct dh_ground g;
    char task[WORDS_MAX];
    snprintf(task, sizeof task, "Click on %.900s.", a->words);
    enum dh_status st = dh_ground_find(a->r->brain, a->now, task, &g);
    if (!st || g.raw)
        count(a->r, &g.usage);
    *out = (struct dh_point){ g.pixel.x + a->now->screen.x,
                              g.pixel.y + a->now->screen.y };
    dh_ground_finish(&g);
    return st == DH_OK;
}

static bool ask_pictures(struct asking *a, struct dh_point *out)
{
    char task[WORDS_MAX];
    struct dh_frame *images[] = { a->now, a->then };
    struct dh_part parts[] = {
        { DH_PART_IMAGE, NULL },
        { DH_PART_TEXT, "The picture above is the screen as it is now." },
        { DH_PART_IMAGE, NULL },
        { DH_PART_TEXT, task },
    };
    struct dh_brain_request q = { .images = images,
                                  .n_images = 2,
                                  .form = DH_FORM_LOCATE };
    struct dh_brain_answer answer;
    struct dh_parse_options how;
    if (!a->then)
        return false;
    snprintf(
        task, sizeof task,
        "The second picture is how it looked before. Task: In the first "
        "picture, click on what is in the middle of the second one%s%.800s.",
        a->words[0] ? ": " : "", a->words);
    if (dh_brain_ask_once(a->r->brain, parts, DH_COUNTOF(parts), &q, &answer))
        return false;
    count(a->r, &answer.usage);
    dh_brain_parse_options(a->r->brain, a->now, &how);
    bool found = !dh_ground_point(&how, a->now, answer.text, out);
    out->x += a->now->screen.x;
    out->y += a->now->screen.y;
    dh_brain_answer_finish(&answer);
    return found;
}

// ---- is it true -------------------------------------------------------------
// A model may be wrong and sure of it. What it points at counts only where the
// program calls it so, or where the model, not told what it should be, reads
// there what was recorded. Looks prove nothing: "Send" looks like "Save".

// What was written on it, or "".
static struct dh_str text_of(const struct dh_recorded_target *t)
{
    struct dh_str say = dh_str_of(t->say);
    ptrdiff_t from = dh_str_find(say, "\"", 0);
    ptrdiff_t to = from < 0 ? -1 : dh_str_find(say, "\"", (size_t)from + 1);
    if (t->t.has_node && t->t.node.name[0])
        return dh_str_trim(dh_str_of(t->t.node.name));
    return to < 0 ? dh_str_of("")
                  : dh_str_trim(dh_str_sub(say, (size_t)from + 1, (size_t)to));
}

static bool says(struct dh_str answer, struct dh_str text)
{
    answer = dh_str_trim(answer);
    if (answer.n > 2 && answer.p[0] == '"' && answer.p[answer.n - 1] == '"')
        answer = dh_str_sub(answer, 1, answer.n - 1);
    return text.n && answer.n == text.n &&
           !strncasecmp(answer.p, text.p, text.n);
}

static bool model_reads_it(struct asking *a, struct dh_point at)
{
    char question[160];
    struct dh_ground g;
    const struct dh_frame *f = a->r->frame;
    struct dh_rect close = { at.x - CLOSE_W / 2, at.y - CLOSE_H / 2, CLOSE_W,
                             CLOSE_H };
    close = dh_rect_intersect(close, f->screen);
    // A checkpoint's points are thousandths; others are shown the place.
    bool far = dh_brain_get_endpoint(a->r->brain) != NULL;
    struct dh_rect in = far ? close : a->now->screen;
    struct dh_point p = { at.x - in.x, at.y - in.y };
    struct dh_frame *part =
        text_of(a->t).n ? part_of(f, in_frame(f, in), far ? p : unmarked)
                        : NULL;
    if (!part)
        return false;
    if (far)
        snprintf(question, sizeof question,
                 "What is written on what is under the red cross? Answer with "
                 "that text alone.");
    else
        snprintf(question, sizeof question, "What is at %d,%d?",
                 p.x * 1000 / in.w, p.y * 1000 / in.h);
    bool reads = false;
    if (!dh_ground_read(a->r->brain, part, question, &g)) {
        count(a->r, &g.usage);
        reads = says(dh_str_of(g.raw), text_of(a->t));
        dh_ground_finish(&g);
    }
    dh_frame_unref(part);
    return reads;
}

static const char *doubt(struct asking *a, struct dh_point at)
{
    struct dh_a11y_node node;
    const struct dh_a11y_node *was = &a->t->t.node;
    struct dh_rect in = dh_rect_intersect(a->now->screen, a->r->frame->screen);
    if (!dh_rect_has(in, at))
        return "the model points outside of the window";
    bool named = a->t->t.has_node && was->name[0];
    if (named &&
        dh_a11y_at(a->r->o->a11y, a->window ? a->window->pid : 0, at, &node))
        return strcmp(node.role, was->role) || strcmp(node.name, was->name)
                   ? "what the model points at is called otherwise by the "
                     "program"
                   : NULL;
    return model_reads_it(a, at)
               ? NULL
               : "what the model points at cannot be confirmed";
}

static bool verify(struct asking *a, enum dh_rung rung, struct dh_point at,
                   struct dh_spot *out)
{
    struct dh_places *p = &a->r->stop.places;
    if (p->n < DH_CANDIDATES)
        p->candidate[p->n++] = (struct dh_candidate){
            .rect = { at.x - NEAR_PX / 2, at.y - NEAR_PX / 2, NEAR_PX,
                      NEAR_PX },
            .at = at,
            .rung = rung,
        };
    p->why = doubt(a, at);
    if (p->why)
        return false;
    memset(out, 0, sizeof *out);
    out->at = at;
    out->rung = rung;
    out->score = 1;
    out->target = a->t;
    if (a->window)
        out->window = *a->window;
    return true;
}

// ---- both rungs -------------------------------------------------------------

static bool have_brain(struct dh_replaying *r)
{
    if (!r->brain && !r->brainless && r->o->brain)
        r->brain = r->o->brain(r->o->user);
    r->brainless = !r->brain;
    return r->brain != NULL;
}

// Of two that look the same, or are called the same, a model's word would
// choose one, and nothing could tell that it is wrong.
static bool is_ambiguous(struct asking *a, const struct dh_frame *then)
{
    struct dh_scene now = { .frame = a->r->frame,
                            .window = a->window,
                            .a11y = a->r->o->a11y };
    struct dh_places places;
    dh_place_find(&now, a->t, then, DH_RUNG_TREE, DH_RUNG_ANCHORS, &places);
    if (places.several)
        a->r->stop.places = places;
    return places.several;
}

static bool climb(struct asking *a, struct dh_spot *out)
{
    struct dh_point at;
    if (a->words[0] && ask_text(a, &at) && verify(a, DH_RUNG_TEXT, at, out))
        return true;
    return ask_pictures(a, &at) && verify(a, DH_RUNG_MODEL, at, out);
}

// The whole screen, as the model knows screens; of one that it would be shown
// smaller, the window alone.
static struct dh_rect area_for(const struct asking *a)
{
    struct dh_rect screen = a->r->frame->screen;
    struct dh_size shown = { screen.w, screen.h };
    (void)dh_brain_show_size(a->r->brain, &shown);
    return !a->window || 10 * shown.w >= 9 * screen.w ? screen : a->window->box;
}

bool dh_replay_ask_model(struct dh_replaying *r,
                         const struct dh_recorded_target *t,
                         const struct dh_window *window, struct dh_spot *out)
{
    struct dh_buf words;
    struct asking a = { .r = r, .t = t, .window = window };
    struct dh_frame *f = r->frame;
    if (!have_brain(r))
        return false;
    dh_buf_init(&words, WORDS_MAX);
    if (!describe(t, &words))
        dh_buf_clear(&words);
    a.words = dh_buf_text(&words);
    a.now = part_of(f, in_frame(f, area_for(&a)), unmarked);
    struct dh_frame *then = dh_recording_frame(r->rec, t->frame);
    if (then)
        a.then = part_of(then, t->t.wide, unmarked);
    bool found = a.now && !is_ambiguous(&a, then) && climb(&a, out);
    dh_frame_unref(then);
    dh_frame_unref(a.then);
    dh_frame_unref(a.now);
    dh_buf_finish(&words);
    return found;
}
