// The checks of actions.md 4.9.
#include "agent/probe.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/brain.h"
#include "agent/endpoint.h"
#include "agent/ground.h"
#include "base/json.h"
#include "base/mem.h"
#include "capture/frame.h"

#define CARD_SIDE 1904 // as wide as a screen, and a multiple of the patch
#define PATCH     28
#define MARK      56 // pixels of the marker's side
#define TASK      "Task: Click the centre of the red square."

struct probe {
    struct dh_brain *brain;
    const struct dh_endpoint *e;
    dh_probe_fn say;
    void *user;
    struct dh_frame *card;
    struct dh_point mark;                      // its centre
    struct dh_brain_answer first, again, bare; // bare: without the picture
};

static void say(const struct probe *p, enum dh_probe_verdict v,
                const char *what, const char *mend, const char *fmt, ...)
    DH_PRINTF(5, 6);
static void say(const struct probe *p, enum dh_probe_verdict v,
                const char *what, const char *mend, const char *fmt, ...)
{
    char found[300];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(found, sizeof found, fmt, ap);
    va_end(ap);
    p->say(p->user, v, what, found, v == DH_PROBE_FINE ? NULL : mend);
}

// The marker lies where no two conventions agree on its numbers.
static enum dh_status draw_card(struct probe *p)
{
    int w = DH_MIN(CARD_SIDE, p->e->s.max_side) / PATCH * PATCH;
    w = DH_MAX(w, 10 * PATCH);
    int h = w * 9 / 16 / PATCH * PATCH;
    enum dh_status st = dh_frame_create(&p->card, NULL, w, h);
    if (st)
        return st;
    p->mark = (struct dh_point){ w * 3 / 4, h / 4 };
    for (int y = 0; y < h; y++) {
        for (int x = 0; x < w; x++) {
            bool in = abs(x - p->mark.x) <= MARK / 2 &&
                      abs(y - p->mark.y) <= MARK / 2;
            const uint8_t red[] = { 0, 0, 255, 255 };
            const uint8_t grey[] = { 230, 230, 230, 255 };
            memcpy(dh_frame_at(p->card, x, y), in ? red : grey, 4);
        }
    }
    p->card->screen = (struct dh_rect){ 0, 0, w, h };
    dh_frame_publish(p->card);
    return DH_OK;
}

static enum dh_status ask(struct probe *p, bool with_card,
                          struct dh_brain_answer *out)
{
    struct dh_part parts[] = { { DH_PART_IMAGE, NULL },
                               { DH_PART_TEXT, TASK } };
    struct dh_brain_request r = { 0 };
    if (!with_card)
        return dh_brain_ask_once(p->brain, parts + 1, 1, &r, out);
    r.images = &p->card;
    r.n_images = 1;
    r.form = DH_FORM_LOCATE;
    return dh_brain_ask_once(p->brain, parts, 2, &r, out);
}

static void tell_model(const struct probe *p)
{
    const struct dh_endpoint_settings *s = &p->e->s;
    say(p, s->model ? DH_PROBE_FINE : DH_PROBE_WORSE, "model",
        "the server lists none; name one with --model-name",
        "%s at %s, asked as %s", s->model ? s->model : "no name", p->e->base,
        p->e->name);
}

// Text counts in both questions and so cancels.
static void tell_shrink(const struct probe *p)
{
    int w = p->card->width, h = p->card->height;
    int want = dh_endpoint_picture_tokens(p->e, &w, &h);
    int got = p->first.usage.prompt_tokens - p->bare.usage.prompt_tokens;
    if (p->first.usage.guessed || p->bare.usage.guessed) {
        say(p, DH_PROBE_WORSE, "picture size",
            "have the server report usage, also of streams",
            "cannot be told: the server counts no tokens");
        return;
    }
    if (got < 0.02 * want) {
        say(p, DH_PROBE_BROKEN, "picture size",
            "start the server with its vision: llama-server wants --mmproj, "
            "vLLM no --language-model-only",
            "the picture is not looked at: %d tokens more than without it",
            got);
        return;
    }
    bool small = got<0.95 * want, large = got> 1.2 * want + 16;
    // Other models count otherwise.
    enum dh_probe_verdict bad =
        p->e->s.check_tokens ? DH_PROBE_BROKEN : DH_PROBE_WORSE;
    say(p,
        small   ? bad
        : large ? DH_PROBE_WORSE
                : DH_PROBE_FINE,
        "picture size",
        small ? "small text cannot be read so. Raise the server's limit of "
                "pixels: --mm-processor-kwargs of vLLM, --image-max-tokens of "
                "llama-server; or set tell-side = yes in the configuration"
              : "each step costs more than it should; lower max-side in the "
                "configuration",
        "%dx%d is %d tokens, of M3 it should be %d", w, h, got, want);
}

static bool is_near(const struct probe *p, const struct dh_point *at)
{
    return abs(at->x - p->mark.x) <= MARK && abs(at->y - p->mark.y) <= MARK;
}

// The convention under which the answer hits the marker; the configured one
// where none does.
static enum dh_coord fitting(const struct probe *p, struct dh_parse_options how)
{
    enum dh_coord configured = how.coord;
    for (int c = 0; c < DH_COORD_COUNT; c++) {
        struct dh_point at;
        how.coord = (enum dh_coord)c;
        if (!dh_ground_point(&how, p->card, p->first.text, &at) &&
            is_near(p, &at))
            return how.coord;
    }
    return configured;
}

// A number that one convention takes is outside the range of another, so that
// an answer without a point may still fit one.
static void tell_points(const struct probe *p)
{
    struct dh_parse_options how;
    struct dh_point at;
    char mend[200];
    dh_brain_parse_options(p->brain, p->card, &how);
    const char *name = dh_coord_name(how.coord);
    bool read = !dh_ground_point(&how, p->card, p->first.text, &at);
    if (read && is_near(p, &at)) {
        say(p, DH_PROBE_FINE, "points", NULL, "%s: %d,%d for a marker at %d,%d",
            name, at.x, at.y, p->mark.x, p->mark.y);
        return;
    }
    enum dh_coord other = fitting(p, how);
    if (other != how.coord) {
        snprintf(mend, sizeof mend,
                 "set coord = %s in the endpoint's section of the "
                 "configuration",
                 dh_coord_name(other));
        say(p, DH_PROBE_BROKEN, "points", mend,
            "the answer fits %s and not %s, as which it is read",
            dh_coord_name(other), name);
    } else if (!read) {
        say(p, DH_PROBE_BROKEN, "points",
            "is it a model that acts on pictures? Is --endpoint the right one?",
            "no point could be read from the answer");
    } else {
        // Our own server may run a model that knows no such card.
        say(p, p->e->s.form ? DH_PROBE_WORSE : DH_PROBE_BROKEN, "points",
            p->e->s.form ? "a very small model does not know the card; try "
                           "deskhand locate on a picture of your screen"
                         : "the model does not see the picture or cannot "
                           "point; see picture size",
            "%d,%d for a marker at %d,%d, and no other convention fits", at.x,
            at.y, p->mark.x, p->mark.y);
    }
}

static void tell_cache(const struct probe *p)
{
    const struct dh_usage *u = &p->again.usage;
    say(p, u->cached_tokens > 0 ? DH_PROBE_FINE : DH_PROBE_WORSE, "cache",
        "each step is paid in full. vLLM: --enable-prefix-caching and "
        "--enable-prompt-tokens-details; SGLang: --enable-cache-report",
        "%d of %d tokens of a repeated question", u->cached_tokens,
        u->prompt_tokens);
}

// A block of this type among the content.
static bool has_block(const struct dh_json *message, const char *type)
{
    const struct dh_json *b = dh_json_first(dh_json_find(message, "content"));
    for (; b; b = dh_json_next(b)) {
        const struct dh_json *t = dh_json_find(b, "type");
        if (t && strcmp(dh_json_text(t), type) == 0)
            return true;
    }
    return false;
}

static bool has(const char *text, const char *part)
{
    return text && strstr(text, part);
}

static void tell_call(const struct probe *p, const struct dh_json *message)
{
    bool native = dh_json_first(dh_json_find(message, "tool_calls")) ||
                  has_block(message, "tool_use");
    // A stop sequence may cut what the server's parser has yet to read.
    if (native)
        say(p, p->e->s.stop ? DH_PROBE_WORSE : DH_PROBE_FINE, "calls",
            "set stop = no in the configuration, or start the server without "
            "a tool parser",
            "come as native tool calls%s",
            p->e->s.stop ? ", which a stop sequence may cut" : "");
    else if (has(p->first.text, "tool_call"))
        say(p, DH_PROBE_FINE, "calls", NULL, "come in the text");
    else if (has(p->first.reasoning, "tool_call"))
        say(p, DH_PROBE_BROKEN, "calls",
            "start the server with the reasoning parser of this model, or "
            "with none",
            "come among the thoughts");
    else
        say(p, DH_PROBE_WORSE, "calls",
            "the model may not know the protocol; is --endpoint right?",
            "none came");
}

static void tell_thoughts(const struct probe *p, const struct dh_json *message)
{
    static const char *const keys[] = { "reasoning_content", "reasoning",
                                        "reasoning_details" };
    for (size_t i = 0; i < DH_COUNTOF(keys); i++) {
        if (dh_json_find(message, keys[i])) {
            say(p, DH_PROBE_FINE, "thoughts", NULL, "come in %s", keys[i]);
            return;
        }
    }
    say(p, DH_PROBE_FINE, "thoughts", NULL, "%s",
        has_block(message, "thinking") ? "come in blocks of their own"
        : has(p->first.text, "</think>") || has(p->first.text, "</mm:think>")
            ? "come in the text"
            : "none came");
}

static void tell_fields(const struct probe *p)
{
    struct dh_diag diag = { 0 };
    const char *wire = p->first.wire ? p->first.wire : "null";
    struct dh_json *message = dh_json_parse(wire, strlen(wire), &diag);
    tell_call(p, message);
    tell_thoughts(p, message);
    dh_json_free(message);
}

static enum dh_status look(struct probe *p)
{
    tell_model(p);
    enum dh_status st = draw_card(p);
    if (!st)
        st = ask(p, true, &p->first);
    if (st)
        return st;
    tell_points(p);
    tell_fields(p);
    st = ask(p, true, &p->again);
    if (st)
        return st;
    tell_cache(p);
    st = ask(p, false, &p->bare);
    if (!st)
        tell_shrink(p);
    return st;
}

enum dh_status dh_probe_endpoint(struct dh_brain *brain, dh_probe_fn fn,
                                 void *user)
{
    struct probe p = { .brain = brain,
                       .e = dh_brain_get_endpoint(brain),
                       .say = fn,
                       .user = user };
    enum dh_status st = look(&p);
    dh_brain_answer_finish(&p.first);
    dh_brain_answer_finish(&p.again);
    dh_brain_answer_finish(&p.bare);
    dh_frame_unref(p.card);
    return st;
}
