#include <stdlib.h>
#include <string.h>

#include "agent/replay_priv.h"
#include "base/mem.h"
#include "capture/frame.h"

#define LENGTH_PX  2
#define LINES_PX   60 // a text that is as high as this has several lines
#define STRIP_PX   20 // above and below the point
#define STRIP_W    400
#define CARET_COLS 3
#define FAINT      24

static bool has_other_length(const struct dh_target *t,
                             const struct dh_candidate *is)
{
    bool measures =
        !strcmp(t->node.role, "slider") || !strcmp(t->node.role, "scroll bar");
    return measures && abs(DH_MAX(is->rect.w, is->rect.h) -
                           DH_MAX(t->rect.w, t->rect.h)) > LENGTH_PX;
}

// A box of a picture as ink on ground, whatever their colours are.
struct ink {
    const struct dh_frame *frame;
    struct dh_rect box; // in the frame
    int ground, least;  // what differs from the ground by so much is ink
};

static int light_at(const struct dh_frame *f, int x, int y)
{
    const uint8_t *p = dh_frame_at(f, x, y);
    return (p[0] + 6 * p[1] + 3 * p[2]) / 10;
}

static void find_ink(struct ink *k)
{
    int count[256] = { 0 }, most = 0;
    for (int y = k->box.y; y < k->box.y + k->box.h; y++)
        for (int x = k->box.x; x < k->box.x + k->box.w; x++)
            count[light_at(k->frame, x, y)]++;
    for (int i = 0; i < 256; i++)
        if (count[i] > count[k->ground])
            k->ground = i;
    for (int i = 0; i < 256; i++)
        if (count[i])
            most = DH_MAX(most, abs(i - k->ground));
    k->least = DH_MAX(most / 2, FAINT);
}

static bool is_ink(const struct ink *k, int x, int y)
{
    int v = light_at(k->frame, k->box.x + x, k->box.y + y);
    return abs(v - k->ground) > k->least;
}

static bool has_same_column(const struct ink *a, const struct ink *b, int x)
{
    int n = 0;
    for (int y = 0; y < a->box.h; y++)
        n += is_ink(a, x, y) != is_ink(b, x, y);
    return n <= 1;
}

// The beginnings of the lines around the point, but for a caret. A text shows
// something else where it has another size or was left elsewhere.
static bool has_other_lines(const struct dh_scene *now,
                            const struct dh_target *t,
                            const struct dh_frame *then,
                            const struct dh_candidate *is)
{
    const struct dh_rect *was = &t->rect;
    if (!then || !t->node.editable || was->h < LINES_PX)
        return false;
    struct dh_rect strip = { was->x, t->at.y - STRIP_PX,
                             DH_MIN(DH_MIN(was->w, is->rect.w), STRIP_W),
                             2 * STRIP_PX };
    struct dh_rect all = { 0, 0, then->width, then->height };
    struct dh_point by = { is->rect.x - was->x - now->frame->screen.x,
                           is->at.y - t->at.y - now->frame->screen.y };
    struct dh_rect seen = { -by.x, -by.y, now->frame->width,
                            now->frame->height };
    strip = dh_rect_intersect(dh_rect_intersect(strip, *was),
                              dh_rect_intersect(all, seen));
    if (dh_rect_is_empty(strip))
        return true;
    struct ink a = { .frame = then, .box = strip }, b = { .frame = now->frame };
    b.box =
        (struct dh_rect){ strip.x + by.x, strip.y + by.y, strip.w, strip.h };
    find_ink(&a);
    find_ink(&b);
    int cols = 0;
    for (int x = 0; x < strip.w; x++)
        cols += !has_same_column(&a, &b, x);
    return cols > CARET_COLS;
}

const char *dh_replay_unfit(const struct dh_scene *now,
                            const struct dh_recorded_target *t,
                            const struct dh_frame *then,
                            const struct dh_action *a,
                            const struct dh_candidate *is)
{
    bool drag = a->op == DH_ACTION_DRAG;
    if (is->rung != DH_RUNG_TREE)
        return NULL;
    if (drag && has_other_length(&t->t, is))
        return "what is dragged there has another length than in the "
               "recording, so that it would come to another value";
    if ((drag || a->op == DH_ACTION_CLICK) &&
        has_other_lines(now, &t->t, then, is))
        return "the text shows other lines there than in the recording";
    return NULL;
}
