#include "agent/demo.h"

#include <stdio.h>
#include <string.h>

#include "agent/demo_priv.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "capture/frame.h"
#include "capture/screen.h"
#include "capture/sign.h"
#include "capture/source.h"
#include "capture/veil.h"
#include "vision/motion.h"

#define DH_LOG_TAG "demo"
#include "base/log.h"

#define LOOK_NS   (100 * DH_MS) // a person does not act on what is younger
#define PAUSE_NS  (250 * DH_MS) // the hand rested: a new movement begins
#define QUIET_NS  (300 * DH_MS) // the screen has settled
#define SETTLE_NS (5 * DH_S)    // something will always move
#define SMALL_PX  64            // a caret, a spinner
#define AROUND_PX 200
#define UPSET     0.4 // so much is new around the place that is clicked on

// ---- pictures ---------------------------------------------------------------

static void replace(struct dh_frame **slot, struct dh_frame *frame)
{
    dh_frame_unref(*slot);
    *slot = frame;
}

static struct dh_frame *keep(struct dh_frame *frame)
{
    return frame ? dh_frame_ref(frame) : NULL;
}

static struct dh_rect whole(const struct dh_frame *f)
{
    return (struct dh_rect){ 0, 0, f->width, f->height };
}

// Before `frame` becomes what is on the screen.
static void note_change(struct dh_demo *d, const struct dh_frame *frame)
{
    if (!d->latest || d->latest == frame)
        return;
    struct dh_rect box = dh_motion_bounds(d->latest, frame, whole(frame));
    if (dh_rect_is_empty(box))
        return;
    d->wait.changed = true;
    if (box.w > SMALL_PX || box.h > SMALL_PX)
        d->wait.still_ns = frame->time_ns;
    box.x += frame->screen.x;
    box.y += frame->screen.y;
    dh_reduce_changed(d->reduce, box, frame->time_ns);
}

static void accept(struct dh_demo *d, struct dh_frame *frame)
{
    note_change(d, frame);
    if (d->o->video && frame != d->latest)
        dh_session_file_film(d->file, frame);
    if (d->latest == frame) {
        dh_frame_unref(frame);
        return;
    }
    dh_frame_unref(d->past[DH_DEMO_PAST - 1]);
    memmove(d->past + 1, d->past, sizeof d->past - sizeof *d->past);
    d->past[0] = d->latest;
    d->latest = frame;
}

static void grab(struct dh_demo *d)
{
    struct dh_frame *frame;
    dh_demo_draw_veil(d);
    enum dh_status st = dh_source_grab(d->source, &frame);
    if (st == DH_ERR_CLOSED) {
        d->over = true;
        d->result.end = DH_DEMO_LOST;
    }
    if (st)
        return;
    // A window that shows up is told of a little later than it can be seen, so
    // with windows that may not be seen a picture waits for the next look.
    if (!d->o->n_exclude) {
        accept(d, frame);
        return;
    }
    if (d->fresh)
        accept(d, d->fresh);
    d->fresh = frame;
}

static void note_settled(struct dh_demo *d)
{
    int64_t now = dh_now_ns();
    if (d->wait.line && (now - d->wait.still_ns > QUIET_NS ||
                         now - d->wait.ended_ns > SETTLE_NS))
        dh_demo_write_done(d, d->latest, now);
}

static void look(struct dh_demo *d)
{
    d->looked_ns = dh_now_ns();
    if (d->paused)
        return;
    if (d->privacy.touched || (d->privacy.secret && !d->privacy.late))
        dh_demo_ask_focus(d);
    grab(d);
    dh_reduce_tick(d->reduce, dh_now_ns());
    dh_demo_write_acts(d);
    note_settled(d);
}

// ---- moments ----------------------------------------------------------------

static void moment_finish(struct dh_moment *m)
{
    dh_frame_unref(m->before);
    memset(m, 0, sizeof *m);
}

// We may come to an event late, when what it did is seen already.
static struct dh_frame *seen_at(const struct dh_demo *d, int64_t time_ns)
{
    struct dh_frame *seen = d->latest;
    for (int i = 0; i < DH_DEMO_PAST && d->past[i]; i++) {
        if (seen->time_ns <= time_ns)
            break;
        seen = d->past[i];
    }
    return seen;
}

// The picture of a click is that from before the hand began to move, since on
// the way things light up; unless what is clicked on came up meanwhile.
static struct dh_frame *before_click(struct dh_demo *d, struct dh_point at,
                                     int64_t time_ns)
{
    if (!d->still || !d->latest)
        return keep(d->latest);
    struct dh_frame *seen = seen_at(d, time_ns);
    struct dh_rect around = { at.x - seen->screen.x - AROUND_PX,
                              at.y - seen->screen.y - AROUND_PX, 2 * AROUND_PX,
                              2 * AROUND_PX };
    int total;
    int changed = dh_motion_changed(d->still, seen, around, &total);
    return keep(changed > UPSET * total ? seen : d->still);
}

static bool is_shown(struct dh_demo *d, unsigned long id)
{
    struct dh_window all[DH_WINDOWS_LISTED];
    int n = 0;
    if (dh_windows_stack(d->windows, all, DH_WINDOWS_LISTED, &n))
        return false;
    for (int i = 0; i < n; i++)
        if (all[i].id == id)
            return true;
    return false;
}

// A menu is gone as soon as it is clicked on, but its end is told after that.
// NULL: none of them is what was clicked on.
static const struct dh_window *late_menu(struct dh_demo *d, struct dh_point at,
                                         const struct dh_window *now)
{
    for (int i = d->n_menus; i-- > 0;)
        if (dh_rect_has(d->menu[i].box, at))
            return d->menu[i].id == now->id || is_shown(d, d->menu[i].id)
                       ? NULL
                       : &d->menu[i];
    return NULL;
}

static void note_menu(struct dh_demo *d, const struct dh_input_event *e)
{
    int n = 0;
    for (int i = 0; i < d->n_menus; i++)
        if (d->menu[i].id != e->window.id)
            d->menu[n++] = d->menu[i];
    bool shows =
        n < d->n_menus ? e->what != DH_WINDOW_UNMAP : e->what == DH_WINDOW_MAP;
    d->n_menus = n;
    if (shows && e->window.menu && !e->window.own && n < DH_DEMO_MENUS)
        d->menu[d->n_menus++] = e->window;
}

static void target_of_pointer(struct dh_demo *d, struct dh_moment *m,
                              struct dh_point at)
{
    struct dh_window window;
    m->has_target = true;
    if (dh_windows_at(d->windows, &at, &window))
        memset(&window, 0, sizeof window);
    const struct dh_window *menu = late_menu(d, at, &window);
    // What the program tells now is of what lay below it.
    struct dh_a11y *a11y = menu ? NULL : d->o->a11y;
    if (menu)
        window = *menu;
    if (dh_demo_is_hidden(d, window.id))
        dh_target_hide(&m->target, at);
    else
        dh_target_find(&m->target, m->before, at, &window, a11y);
}

static void target_of_keys(struct dh_demo *d, struct dh_moment *m)
{
    const struct dh_demo_privacy *p = &d->privacy;
    const struct dh_rect *r = &p->node.rect;
    m->has_target = p->focus.id != 0;
    if (dh_demo_is_hidden(d, p->focus.id)) {
        dh_target_hide(&m->target, d->privacy.focus.at);
    } else if (p->has_node && !dh_rect_is_empty(*r)) {
        struct dh_point centre = { r->x + r->w / 2, r->y + r->h / 2 };
        dh_target_find(&m->target, m->before, centre, &p->focus, d->o->a11y);
    } else {
        m->target.window = p->focus;
    }
}

// An action begins with this event.
static void begin_moment(struct dh_demo *d, const struct dh_input_event *e,
                         int64_t n, bool secret)
{
    struct dh_moment *m = &d->pending;
    bool keys = e->kind == DH_INPUT_KEY;
    moment_finish(m);
    m->n = n;
    // The field has to be painted over in its own first picture.
    if (secret)
        grab(d);
    struct dh_frame *seen = secret ? d->latest : seen_at(d, e->time_ns);
    m->before = keys ? keep(seen) : before_click(d, e->at, e->time_ns);
    if (keys)
        target_of_keys(d, m);
    else
        target_of_pointer(d, m, e->at);
    replace(&d->still, NULL);
}

static void on_reduced(void *user, const struct dh_reduced *what)
{
    struct dh_demo *d = user;
    if (d->n_acts == DH_DEMO_ACTS)
        dh_demo_write_acts(d);
    struct dh_demo_act *a = &d->act[d->n_acts++];
    memset(a, 0, sizeof *a);
    a->what = *what;
    dh_action_copy(&a->what.action, &what->action);
    if (what->from == d->pending.n) {
        a->moment = d->pending;
        memset(&d->pending, 0, sizeof d->pending);
        return;
    }
    a->moment.before = keep(d->latest);
    if (what->action.op == DH_ACTION_MOVE || what->action.op == DH_ACTION_DRAG)
        target_of_pointer(d, &a->moment,
                          what->action.has_start ? what->action.start
                                                 : what->action.at);
}

// ---- events -----------------------------------------------------------------

static void feed(struct dh_demo *d, const struct dh_input_event *e, int64_t n,
                 bool secret)
{
    dh_reduce_feed(d->reduce, e, n, secret);
    if (dh_reduce_began(d->reduce) == n && d->pending.n != n)
        begin_moment(d, e, n, secret);
    dh_demo_write_acts(d);
}

static void note_key(struct dh_demo *d, const struct dh_input_event *e)
{
    if (dh_demo_is_own(&d->privacy.focus))
        return;
    bool secret = dh_demo_is_secret(d, e);
    if (!secret) {
        d->privacy.secret_n = 0;
        feed(d, e, dh_demo_write_raw(d, e), false);
    } else if (e->down && !e->modifier) {
        feed(d, e, dh_demo_write_secret(d, e->time_ns), true);
    }
}

static void note_pointer(struct dh_demo *d, const struct dh_input_event *e)
{
    if (e->kind == DH_INPUT_MOTION) {
        if (e->time_ns - d->moved_ns > PAUSE_NS)
            replace(&d->still, keep(seen_at(d, e->time_ns)));
        d->moved_ns = e->time_ns;
    } else {
        d->privacy.touched = true;
        d->privacy.secret_n = 0;
    }
    feed(d, e, dh_demo_write_raw(d, e), false);
}

static struct dh_reduce *new_reduce(struct dh_demo *d)
{
    struct dh_reduce_options o = { .double_click_ms = d->setup.double_click_ms,
                                   .drag_px = d->setup.drag_px,
                                   .tidy = d->o->tidy,
                                   .emit = on_reduced,
                                   .user = d };
    return dh_reduce_create(&o);
}

// What is held while it pauses may be let go of unseen, so it starts anew.
static void set_paused(struct dh_demo *d, bool paused)
{
    d->paused = paused;
    dh_reduce_flush(d->reduce);
    dh_demo_write_acts(d);
    dh_demo_write_done(d, d->latest, dh_now_ns());
    dh_reduce_destroy(d->reduce);
    d->reduce = new_reduce(d);
    moment_finish(&d->pending);
    replace(&d->still, NULL);
    dh_demo_write_text(d, paused ? "pause" : "resume", "why", "user");
    dh_sign_show(d->o->sign, paused ? DH_SIGN_PAUSES : DH_SIGN_RECORDS);
    if (d->o->paused)
        d->o->paused(d->o->user, paused);
}

static void stop(struct dh_demo *d, enum dh_demo_end end)
{
    d->over = true;
    d->result.end = end;
}

static void note_window(struct dh_demo *d, const struct dh_input_event *e)
{
    dh_demo_note_window(d, e);
    note_menu(d, e);
    if (e->what == DH_WINDOW_MAP)
        dh_sign_raise(d->o->sign);
    if (d->paused)
        return;
    dh_demo_write_window(d, e);
    dh_demo_note_change(d, e);
    dh_reduce_feed(d->reduce, e, 0, false);
    dh_demo_write_acts(d);
}

static void note_event(struct dh_demo *d, const struct dh_input_event *e)
{
    switch (e->kind) {
    case DH_INPUT_STOP:
        if (!d->o->into)
            stop(d, DH_DEMO_STOPPED);
        break;
    case DH_INPUT_LOST: stop(d, DH_DEMO_LOST); break;
    case DH_INPUT_PAUSE:
        if (!d->o->into)
            set_paused(d, !d->paused);
        break;
    case DH_INPUT_WINDOW: note_window(d, e); break;
    case DH_INPUT_LAYOUT:
        snprintf(d->layout, sizeof d->layout, "%s", e->name);
        dh_demo_write_text(d, "layout", "name", e->name);
        break;
    case DH_INPUT_CLIP:
        if (!d->paused)
            dh_demo_write_clip(d, e->clip);
        break;
    case DH_INPUT_MOTION:
    case DH_INPUT_BUTTON:
    case DH_INPUT_SCROLL:
        if (!d->paused)
            note_pointer(d, e);
        break;
    case DH_INPUT_KEY:
        if (!d->paused)
            note_key(d, e);
        break;
    }
}

// ---- begin and end ----------------------------------------------------------

static enum dh_status open_source(struct dh_demo *d)
{
    struct dh_screen_options screen = DH_SCREEN_DEFAULTS;
    struct dh_source *inner;
    if (d->o->screen)
        screen = *d->o->screen;
    screen.display = d->o->display;
    // The pointer is known, and would cover what it points at.
    screen.cursor = false;
    enum dh_status st = dh_screen_create(&inner, &screen);
    if (!st)
        d->source = dh_veil_create(inner);
    return st;
}

static enum dh_status open_session(struct dh_demo *d)
{
    struct dh_session_head head = { .kind = "human",
                                    .task = d->o->task,
                                    .display = d->o->display,
                                    .video = d->o->video,
                                    .film = true,
                                    .more = dh_demo_write_head,
                                    .more_screen = dh_demo_write_screen,
                                    .user = d };
    d->file = d->o->into;
    dh_page_init(&d->page, d->o->task, "shown by a person", d->o->video);
    return d->file ? DH_OK : dh_session_file_create(&d->file, d->o->dir, &head);
}

static enum dh_status open_input(struct dh_demo *d)
{
    struct dh_input_record_options input = { .display = d->o->display,
                                             .locale = d->o->locale,
                                             .stop_key = d->o->stop_key,
                                             .pause_key = d->o->pause_key,
                                             .include_xtest =
                                                 d->o->include_xtest,
                                             .clipboard = d->o->clipboard };
    d->input = d->o->input;
    if (!d->input)
        return dh_input_record_create(&d->input, &input);
    // What it told of windows before was for nobody, and so was what it lost.
    (void)dh_input_record_dropped(d->input);
    if (dh_windows_focused(d->windows, &d->privacy.focus))
        memset(&d->privacy.focus, 0, sizeof d->privacy.focus);
    d->privacy.touched = true;
    return DH_OK;
}

static enum dh_status open_all(struct dh_demo *d)
{
    enum dh_status st = dh_screen_probe(d->o->display, &d->screen);
    if (!st)
        st = dh_input_setup_read(&d->setup, d->o->display);
    d->reduce = new_reduce(d);
    if (!st)
        st = open_source(d);
    if (!st)
        st = dh_windows_create(&d->windows, d->o->display);
    if (!st)
        st = open_session(d);
    // Last: from here on nothing that is done is missed.
    if (!st)
        st = open_input(d);
    dh_a11y_watch(d->o->a11y);
    d->since_ns = dh_now_ns();
    d->began_ns = d->o->into ? dh_session_file_base(d->o->into) : dh_now_ns();
    return st;
}

static void close_all(struct dh_demo *d)
{
    if (!d->o->input)
        dh_input_record_destroy(d->input);
    if (!d->o->into)
        dh_session_file_destroy(d->file);
    dh_page_finish(&d->page);
    dh_windows_destroy(d->windows);
    dh_reduce_destroy(d->reduce);
    moment_finish(&d->pending);
    dh_frame_unref(d->latest);
    for (int i = 0; i < DH_DEMO_PAST; i++)
        dh_frame_unref(d->past[i]);
    dh_frame_unref(d->fresh);
    dh_frame_unref(d->still);
    dh_source_destroy(d->source);
}

static void check_limits(struct dh_demo *d, struct dh_cancel *cancel)
{
    uint64_t dropped = dh_input_record_dropped(d->input);
    if (dropped)
        dh_demo_write_drop(d, dropped);
    if (d->failed)
        stop(d, DH_DEMO_FAILED);
    else if (d->over)
        return;
    else if (dh_cancel_is_set(cancel) || (d->o->over && d->o->over(d->o->user)))
        stop(d, DH_DEMO_STOPPED);
    else if (d->o->limit_ns && dh_now_ns() - d->began_ns > d->o->limit_ns)
        stop(d, DH_DEMO_LIMIT);
}

// That it is over may be noticed before what was done up to then.
static void take_rest(struct dh_demo *d)
{
    struct dh_input_event e;
    int64_t end = dh_now_ns();
    bool more = true;
    while (more && dh_input_record_take(d->input, &e, 0) == DH_OK) {
        more = e.time_ns <= end;
        if (more)
            note_event(d, &e);
        dh_free(e.clip);
    }
    explicit_bzero(&e, sizeof e);
}

static void finish_session(struct dh_demo *d)
{
    static const char *const reasons[] = { "user", "limit", "error", "error" };
    const char *reason = reasons[d->result.end];
    // Not that the modifiers of the stop key are still down.
    dh_reduce_flush(d->reduce);
    dh_demo_write_acts(d);
    dh_demo_write_done(d, d->latest, dh_now_ns());
    if (d->o->into)
        return;
    dh_demo_write_text(d, "end", "reason", reason);
    dh_page_shown_end(&d->page, "The end", d->frame);
    dh_page_end(&d->page);
    enum dh_status st =
        d->page.html.overflow
            ? DH_OK
            : dh_session_file_put(d->file, "index.html", d->page.html.data,
                                  d->page.html.len);
    enum dh_status ended = dh_session_file_finish(
        d->file, dh_now_ns(), reason, (uint64_t)d->result.dropped, NULL);
    if (st || ended)
        d->result.end = DH_DEMO_FAILED;
    d->result.took_ns = dh_now_ns() - d->began_ns;
}

enum dh_status dh_demo_run(const struct dh_demo_options *o,
                           struct dh_cancel *cancel, struct dh_demo_result *out)
{
    struct dh_demo *d;
    struct dh_input_event e;
    dh_new(d);
    d->o = o;
    enum dh_status st = open_all(d);
    if (!st) {
        look(d);
        while (!d->over) {
            int64_t next = d->looked_ns + LOOK_NS;
            if (!dh_input_record_take(d->input, &e, next)) {
                note_event(d, &e);
                dh_free(e.clip);
            }
            if (dh_now_ns() >= next)
                look(d);
            check_limits(d, cancel);
        }
        explicit_bzero(&e, sizeof e);
        if (d->o->into || dh_cancel_is_set(cancel))
            take_rest(d);
        finish_session(d);
        *out = d->result;
    }
    close_all(d);
    dh_free(d);
    return st;
}
