#include "agent/eval_judge.h"

#include <math.h>
#include <string.h>

#include "actions/parse.h"
#include "agent/eval_steps.h"
#include "base/mem.h"
#include "base/str.h"
#include "vision/view.h"

#define ZOOM_SHARE    0.35
#define ZOOM_MIN_SIDE (28 * 16)

enum reading { READS_POINT, READS_REFUSAL, READS_NOTHING };

static struct dh_rect shown(const struct dh_eval_result *r)
{
    if (r->crop.w)
        return r->crop;
    return (struct dh_rect){ 0, 0, r->item.size.w, r->item.size.h };
}

// The numbers of the first action, as pixels of the picture.
static enum reading reading_of(const struct dh_answer *a, enum dh_status st,
                               struct dh_rect area, struct dh_point *out)
{
    const struct dh_action *first = &a->action[0];
    struct dh_view view = { area };
    if (a->n < 1)
        return READS_NOTHING;
    if (first->op == DH_ACTION_FAIL || first->op == DH_ACTION_ASK)
        return READS_REFUSAL;
    // A stranger's line may not say how large the picture was.
    bool nowhere = !first->on_screen && dh_rect_is_empty(area);
    if (st || !first->has_at || nowhere)
        return READS_NOTHING;
    *out = first->on_screen ? first->at : dh_view_to_screen(&view, first->at);
    return READS_POINT;
}

static enum reading read_answer(const struct dh_eval_result *r,
                                enum dh_coord coord, struct dh_rect area,
                                struct dh_point *out)
{
    struct dh_parse_options how = { .coord = coord,
                                    .sent = r->sent,
                                    .screen = area };
    struct dh_answer a;
    struct dh_diag diag = { 0 };
    const char *raw = r->raw ? r->raw : "";
    enum dh_status st =
        r->reasoning && dh_str_trim(dh_str_of(raw)).n == 0
            ? dh_answer_parse_reasoning(&how, r->reasoning,
                                        strlen(r->reasoning), &a, &diag)
            : dh_answer_parse_with(&how, raw, strlen(raw), &a, &diag);
    enum reading found = reading_of(&a, st, area, out);
    dh_answer_finish(&a);
    return found;
}

static void judge_place(struct dh_eval_result *r, enum reading found)
{
    const struct dh_eval_target *t = &r->item.target;
    if (found == READS_REFUSAL) {
        r->error = DH_EVAL_ERROR_REFUSED;
        r->hit = t->kind == DH_EVAL_NONE;
    } else if (!r->has_point) {
        r->error = DH_EVAL_ERROR_FORMAT;
    } else {
        r->gap_px = dh_eval_target_gap(t, r->point[0], r->point[1]);
        r->hit = r->gap_px == 0;
    }
}

void dh_eval_judge(struct dh_eval_result *r)
{
    struct dh_point p;
    const struct dh_eval_target *t = &r->item.target;
    if (t->kind == DH_EVAL_NOTHING)
        return;
    r->hit = r->has_point = false;
    r->gap_px = -1;
    if (!r->raw) {
        r->score = 0;
        return;
    }
    r->error = DH_EVAL_ERROR_NONE;
    if (t->kind == DH_EVAL_STEP) {
        if (!dh_eval_step_score(r, &r->score))
            r->error = DH_EVAL_ERROR_FORMAT;
        r->hit = r->score >= 1;
        return;
    }
    if (t->kind == DH_EVAL_TEXT) {
        r->hit = strcmp(r->raw, t->text) == 0;
    } else {
        enum reading found = read_answer(r, r->coord, shown(r), &p);
        // A second look that sees nothing leaves the first answer.
        if (found != READS_POINT && r->crop.w && r->has_first) {
            r->has_point = true;
            r->point[0] = r->first[0];
            r->point[1] = r->first[1];
            found = READS_POINT;
        } else if (found == READS_POINT) {
            r->has_point = true;
            r->point[0] = p.x;
            r->point[1] = p.y;
        }
        judge_place(r, found);
    }
    r->score = r->hit;
}

bool dh_eval_judge_as(const struct dh_eval_result *r, enum dh_coord coord,
                      bool swapped, double point[2])
{
    struct dh_rect area = shown(r);
    struct dh_point p;
    if (!r->raw || read_answer(r, coord, area, &p) != READS_POINT)
        return false;
    double x = p.x - area.x, y = p.y - area.y;
    bool shares = coord == DH_COORD_NORM1000 || coord == DH_COORD_NORM1;
    double sx = shares ? (double)area.w / area.h : 1;
    point[0] = area.x + (swapped ? y * sx : x);
    point[1] = area.y + (swapped ? x / sx : y);
    return true;
}

bool dh_eval_judge_is_outside(const struct dh_eval_result *r)
{
    // Room for whatever number may come.
    struct dh_eval_result wide = *r;
    struct dh_point p;
    wide.sent = (struct dh_size){ 0, 0 };
    return r->error == DH_EVAL_ERROR_FORMAT && r->raw &&
           read_answer(&wide, DH_COORD_PIXELS_SCREEN,
                       (struct dh_rect){ 0, 0, 32768, 32768 },
                       &p) == READS_POINT;
}

struct dh_rect dh_eval_zoom_crop(struct dh_size picture, const double at[2])
{
    int shorter = DH_MIN(picture.w, picture.h);
    int side =
        DH_MIN(shorter, DH_MAX((int)ceil(ZOOM_SHARE * shorter), ZOOM_MIN_SIDE));
    int x = (int)floor(at[0]) - side / 2, y = (int)floor(at[1]) - side / 2;
    return (struct dh_rect){ DH_CLAMP(x, 0, picture.w - side),
                             DH_CLAMP(y, 0, picture.h - side), side, side };
}
