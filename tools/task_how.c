#include "tools/task_how.h"

#include <math.h>
#include <string.h>

#include "actions/action.h"
#include "agent/a11y_tree.h"
#include "base/json.h"
#include "base/mem.h"

// Of a point that the solution gives as such.
#define NEAR_PX 24

void dh_task_how_finish(struct dh_task_how *h)
{
    dh_buf_finish(&h->tree);
}

static bool changes_nothing(const struct dh_action *a)
{
    const char *name = dh_action_name(a);
    return dh_action_is_final(a) || strcmp(name, "wait") == 0 ||
           strcmp(name, "screenshot") == 0 || strcmp(name, "mouse_move") == 0;
}

// Waits, and the end.
static bool is_idle(const struct dh_json *step)
{
    struct dh_action a;
    if (dh_task_click(step) ||
        !dh_action_of_text(dh_json_text(step), false, &a, NULL))
        return false;
    bool idle = changes_nothing(&a);
    dh_action_finish(&a);
    return idle;
}

void dh_task_how_init(struct dh_task_how *h, const struct dh_task *t,
                      struct dh_size screen)
{
    *h = (struct dh_task_how){ .t = t, .screen = screen };
    dh_buf_init(&h->tree, 4 << 20);
    const struct dh_json *step = dh_json_first(t->oracle);
    for (int i = 0; step; step = dh_json_next(step), i++)
        h->steps |= (uint64_t)!is_idle(step) << i;
}

static bool is_near(const struct dh_task_how *h, struct dh_point px,
                    const struct dh_action *step)
{
    return hypot(px.x - step->at.x * h->screen.w / 1000.0,
                 px.y - step->at.y * h->screen.h / 1000.0) <= NEAR_PX;
}

static bool is_same_text(const struct dh_action *a, const struct dh_action *b)
{
    struct dh_str x = dh_str_trim(dh_str_of(a->text ? a->text : ""));
    struct dh_str y = dh_str_trim(dh_str_of(b->text ? b->text : ""));
    return x.n == y.n && memcmp(x.p, y.p, x.n) == 0;
}

static bool is_step(const struct dh_task_how *h, const struct dh_json *step,
                    const struct dh_action *a, bool *other_place)
{
    const struct dh_json *path = dh_task_click(step);
    struct dh_action s;
    struct dh_rect box;
    bool same;
    if (path) {
        struct dh_str tree = { dh_buf_text(&h->tree), h->tree.len };
        same = strcmp(dh_action_name(a), dh_json_key(path)) == 0 && a->has_at;
        *other_place |= same;
        return same && dh_a11y_tree_find(tree, path, &box) &&
               dh_rect_has(box, a->at);
    }
    if (!dh_action_of_text(dh_json_text(step), false, &s, NULL))
        return false;
    same = strcmp(dh_action_name(a), dh_action_name(&s)) == 0 &&
           is_same_text(a, &s);
    if (same && s.has_at && !is_near(h, a->at, &s)) {
        *other_place = true;
        same = false;
    }
    dh_action_finish(&s);
    return same;
}

void dh_task_how_add(struct dh_task_how *h, const struct dh_json *act)
{
    const struct dh_json *step = dh_json_first(h->t->oracle);
    struct dh_action a;
    bool found = false, other_place = false;
    if (!dh_action_of_json(act, &a, NULL))
        return;
    if (!changes_nothing(&a)) {
        h->n_acts++;
        // The first that is not done yet, else it is done again.
        uint64_t again = 0;
        for (int i = 0; step && !found; step = dh_json_next(step), i++) {
            uint64_t bit = UINT64_C(1) << i;
            if (!(h->steps & bit) || !is_step(h, step, &a, &other_place))
                continue;
            found = !(h->met & bit);
            again |= bit;
            h->met |= bit;
        }
        found |= again != 0;
        h->other_place |= !found && other_place;
        h->other_action |= !found && !other_place;
    }
    dh_action_finish(&a);
}

// The words for a claim and for none.
static const char *said(bool claims, const char *claimed, const char *other)
{
    return claims ? claimed : other;
}

const char *dh_task_how_name(const struct dh_task_how *h,
                             const struct dh_eval_result *r)
{
    bool claims =
        strcmp(r->end, "done") == 0 || strcmp(r->end, "answered") == 0;
    if (r->hit)
        return h->t->infeasible ? "declined rightly" : NULL;
    if (strcmp(r->end, "failed") == 0)
        return "declined wrongly";
    if (h->t->infeasible)
        return said(claims, "claimed falsely, cannot be done", "not declined");
    if (!h->n_acts)
        return said(claims, "claimed falsely, did nothing", "did nothing");
    if (dh_json_kind(h->t->oracle) != DH_JSON_ARRAY)
        return said(claims, "claimed falsely, kind not known",
                    "not finished, kind not known");
    uint64_t left = h->steps & ~h->met;
    if (!left)
        return said(claims, "claimed falsely, too much or in a wrong order",
                    "too much or in a wrong order");
    if (h->other_place)
        return said(claims, "claimed falsely, wrong place", "wrong place");
    if (h->other_action)
        return said(claims, "claimed falsely, wrong action", "wrong action");
    if ((left & -left) < h->met) // a later one was done
        return said(claims, "claimed falsely, left a step out",
                    "left a step out");
    return said(claims, "claimed falsely, stopped early", "not finished");
}
