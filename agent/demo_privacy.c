#include <string.h>

#include "agent/demo_priv.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "capture/frame.h"
#include "capture/veil.h"

#define FRESH_NS  (30 * DH_MS)  // so long what has the focus is taken as known
#define HANGS_NS  DH_S          // the same of a program that did not answer
#define BEHIND_NS (250 * DH_MS) // later than this the answer is another key's
#define MARGIN    3
#define TRIES     2

bool dh_demo_is_own(const struct dh_window *w)
{
    return w->own || strcmp(w->program, "deskhand") == 0;
}

bool dh_demo_is_hidden(const struct dh_demo *d, unsigned long window)
{
    for (int i = 0; i < d->privacy.n_hidden; i++)
        if (d->privacy.hidden[i] == window)
            return true;
    return false;
}

static bool is_excluded(const struct dh_demo *d, const struct dh_window *w)
{
    for (int i = 0; i < d->o->n_exclude; i++)
        if (dh_str_has_nocase(dh_str_of(w->title), d->o->exclude[i]) ||
            dh_str_has_nocase(dh_str_of(w->wm_class), d->o->exclude[i]))
            return true;
    return false;
}

// Once hidden it stays so, whatever title it takes on.
static void hide(struct dh_demo *d, unsigned long window)
{
    struct dh_demo_privacy *p = &d->privacy;
    if (!window || dh_demo_is_hidden(d, window) ||
        p->n_hidden == DH_DEMO_HIDDEN)
        return;
    p->hidden[p->n_hidden++] = window;
    // A picture that was taken meanwhile may show it.
    dh_frame_unref(d->fresh);
    d->fresh = NULL;
}

static void forget(struct dh_demo *d, unsigned long window)
{
    struct dh_demo_privacy *p = &d->privacy;
    for (int i = 0; i < p->n_hidden; i++)
        if (p->hidden[i] == window)
            p->hidden[i--] = p->hidden[--p->n_hidden];
}

void dh_demo_note_window(struct dh_demo *d, const struct dh_input_event *e)
{
    struct dh_demo_privacy *p = &d->privacy;
    if (e->what == DH_WINDOW_UNMAP)
        forget(d, e->window.id);
    else if (is_excluded(d, &e->window))
        hide(d, e->window.id);
    if (e->what == DH_WINDOW_FOCUS)
        p->focus = e->window;
    p->touched = true;
}

// A program that hangs now may be one that has asked for a password: what it
// cannot tell in time is taken for one.
void dh_demo_ask_focus(struct dh_demo *d)
{
    struct dh_demo_privacy *p = &d->privacy;
    struct dh_a11y *a = d->o->a11y;
    for (int i = 0; i < TRIES; i++) {
        p->has_node = dh_a11y_focused(a, p->focus.pid, &p->node);
        if (p->has_node || !dh_a11y_was_late(a))
            break;
    }
    p->late = !p->has_node && dh_a11y_was_late(a);
    p->asked_ns = dh_now_ns();
    p->touched = false;
    p->secret = p->has_node ? p->node.password : p->late;
    if (p->has_node && p->secret)
        p->field = p->node.rect;
}

// Keys that go somewhere and write nothing stay, or nobody could follow.
static bool writes(const struct dh_input_event *e)
{
    return e->text[0] || e->composing || e->modifier ||
           !strcmp(e->name, "BackSpace") || !strcmp(e->name, "Delete");
}

static void mark_down(struct dh_demo_privacy *p, int code, bool down)
{
    unsigned at = (unsigned)code & 255;
    if (down)
        p->down[at / 8] |= (uint8_t)(1u << at % 8);
    else
        p->down[at / 8] &= (uint8_t) ~(1u << at % 8);
}

static bool was_down(const struct dh_demo_privacy *p, int code)
{
    unsigned at = (unsigned)code & 255;
    return p->down[at / 8] >> at % 8 & 1;
}

bool dh_demo_is_secret(struct dh_demo *d, const struct dh_input_event *e)
{
    struct dh_demo_privacy *p = &d->privacy;
    bool was = p->secret;
    if (!e->down) {
        bool secret = was_down(p, e->code);
        mark_down(p, e->code, false);
        return secret;
    }
    if (!writes(e)) {
        p->touched = true;
        return false;
    }
    int64_t now = dh_now_ns();
    if (p->touched || now - p->asked_ns > (p->late ? HANGS_NS : FRESH_NS))
        dh_demo_ask_focus(d);
    // The field may have gone since the key was pressed, and of a key from
    // before we looked nobody knows where it went.
    bool unseen = was || e->time_ns < d->since_ns;
    bool late = unseen && now - e->time_ns > BEHIND_NS;
    bool secret = p->secret || late || dh_demo_is_hidden(d, p->focus.id);
    if (secret)
        mark_down(p, e->code, true);
    return secret;
}

// So that whoever looks at the pictures knows why a place is gray.
static void note_masked(struct dh_demo_privacy *p)
{
    const struct dh_rect *f = &p->field;
    for (int i = 0; i < p->n_masked; i++)
        if (memcmp(&p->masked[i], f, sizeof *f) == 0)
            return;
    if (p->n_masked < DH_DEMO_MASKED)
        p->masked[p->n_masked++] = *f;
}

void dh_demo_draw_veil(struct dh_demo *d)
{
    struct dh_demo_privacy *p = &d->privacy;
    struct dh_rect box[DH_DEMO_HIDDEN + 1];
    struct dh_window now;
    int n = 0;
    for (int i = 0; i < p->n_hidden; i++)
        if (!dh_windows_within(d->windows, p->hidden[i], &now) && now.id)
            box[n++] = now.box;
    bool field = p->secret && !dh_rect_is_empty(p->field);
    if (field)
        note_masked(p);
    if (field)
        box[n++] = (struct dh_rect){ p->field.x - MARGIN, p->field.y - MARGIN,
                                     p->field.w + 2 * MARGIN,
                                     p->field.h + 2 * MARGIN };
    dh_veil_set(d->source, box, n);
}
