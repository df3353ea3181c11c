#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/demo_priv.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "capture/frame.h"

#define EXPECT_NS (10 * DH_S) // a window that comes later has another cause

static struct dh_json_writer *begin(struct dh_demo *d, const char *kind,
                                    int64_t *n)
{
    return dh_session_file_begin(d->file, kind, dh_now_ns(), n);
}

static void end(struct dh_demo *d)
{
    enum dh_status st = dh_session_file_end(d->file);
    if (st && !d->failed)
        d->failed = st;
}

static void put_mods(struct dh_json_writer *w, unsigned mods)
{
    static const char *const names[] = { "shift", "ctrl", "alt", "super",
                                         "altgr" };
    if (!mods)
        return;
    dh_jw_array(w, "mods");
    for (size_t i = 0; i < DH_COUNTOF(names); i++)
        if (mods & 1u << i)
            dh_jw_text(w, NULL, names[i]);
    dh_jw_end_array(w);
}

// ---- what happened ----------------------------------------------------------

static void put_key(struct dh_json_writer *w, const struct dh_input_event *e)
{
    dh_jw_text(w, "type", "key");
    dh_jw_i64(w, "keysym", e->keysym);
    dh_jw_text(w, "name", e->name);
    if (e->text[0])
        dh_jw_text(w, "text", e->text);
    if (e->repeats)
        dh_jw_i64(w, "repeat", e->repeats);
}

int64_t dh_demo_write_raw(struct dh_demo *d, const struct dh_input_event *e)
{
    static const char *const types[] = { [DH_INPUT_MOTION] = "motion",
                                         [DH_INPUT_BUTTON] = "button",
                                         [DH_INPUT_SCROLL] = "scroll" };
    int64_t n;
    struct dh_json_writer *w = begin(d, "raw", &n);
    dh_jw_i64(w, "at", e->time_ns - d->began_ns);
    if (e->kind == DH_INPUT_KEY)
        put_key(w, e);
    else
        dh_jw_text(w, "type", types[e->kind]);
    dh_jw_i64(w, "dev", e->device);
    if (e->kind != DH_INPUT_MOTION) {
        dh_jw_i64(w, "code", e->code);
        dh_jw_bool(w, "down", e->down);
    }
    if (e->kind != DH_INPUT_KEY) {
        dh_jw_i64(w, "x", e->at.x);
        dh_jw_i64(w, "y", e->at.y);
    }
    put_mods(w, e->mods);
    end(d);
    d->result.events++;
    return n;
}

// One line for all keys of a text: not even how many there were is told.
int64_t dh_demo_write_secret(struct dh_demo *d, int64_t time_ns)
{
    if (d->privacy.secret_n)
        return d->privacy.secret_n;
    struct dh_json_writer *w = begin(d, "raw", &d->privacy.secret_n);
    dh_jw_i64(w, "at", time_ns - d->began_ns);
    dh_jw_text(w, "type", "key");
    dh_jw_bool(w, "secret", true);
    end(d);
    d->result.events++;
    return d->privacy.secret_n;
}

void dh_demo_write_window(struct dh_demo *d, const struct dh_input_event *e)
{
    const struct dh_window *win = &e->window;
    bool hidden = dh_demo_is_hidden(d, win->id);
    struct dh_json_writer *w = begin(d, "win", NULL);
    dh_jw_i64(w, "id", (int64_t)win->id);
    dh_jw_text(w, "what", dh_window_change_name(e->what));
    if (hidden) {
        dh_jw_bool(w, "excluded", true);
    } else {
        dh_jw_text(w, "title", win->title);
        dh_jw_text(w, "class", win->wm_class);
        dh_jw_i64(w, "pid", win->pid);
    }
    if (win->menu)
        dh_jw_bool(w, "menu", true);
    dh_jw_i64(w, "x", win->box.x);
    dh_jw_i64(w, "y", win->box.y);
    dh_jw_i64(w, "w", win->box.w);
    dh_jw_i64(w, "h", win->box.h);
    if (e->stack >= 0)
        dh_jw_i64(w, "stack", e->stack);
    end(d);
}

void dh_demo_write_clip(struct dh_demo *d, const char *text)
{
    const struct dh_demo_privacy *p = &d->privacy;
    struct dh_json_writer *w = begin(d, "clip", NULL);
    dh_jw_text(w, "what", "owner");
    // What is copied where nobody may look is not looked at either.
    if (text && !p->secret && !dh_demo_is_hidden(d, p->focus.id))
        dh_jw_text(w, "text", text);
    end(d);
}

// ---- what an action did to windows ------------------------------------------

void dh_demo_note_change(struct dh_demo *d, const struct dh_input_event *e)
{
    bool told = e->what == DH_WINDOW_MAP || e->what == DH_WINDOW_UNMAP ||
                e->what == DH_WINDOW_TITLE;
    if (!told || dh_demo_is_hidden(d, e->window.id) || e->window.own)
        return;
    if (d->n_changes == DH_DEMO_CHANGES) {
        memmove(d->change, d->change + 1, sizeof d->change - sizeof *d->change);
        d->n_changes--;
    }
    struct dh_demo_change *c = &d->change[d->n_changes++];
    c->time_ns = e->time_ns;
    c->what = e->what;
    snprintf(c->title, sizeof c->title, "%s", e->window.title);
    snprintf(c->wm_class, sizeof c->wm_class, "%s", e->window.wm_class);
}

// What happened since the action began, and before the next one did.
static void put_expected(struct dh_demo *d, int64_t until_ns)
{
    static const char *const names[] = { [DH_WINDOW_MAP] = "appeared",
                                         [DH_WINDOW_UNMAP] = "vanished",
                                         [DH_WINDOW_TITLE] = "renamed" };
    int left = 0;
    for (int i = 0; i < d->n_changes; i++) {
        const struct dh_demo_change *c = &d->change[i];
        if (c->time_ns > until_ns) {
            d->change[left++] = *c;
            continue;
        }
        if (!d->wait.acted || c->time_ns < d->wait.began_ns ||
            c->time_ns > d->wait.ended_ns + EXPECT_NS)
            continue;
        struct dh_json_writer *w = begin(d, "expect", NULL);
        dh_jw_i64(w, "act", d->wait.acted);
        dh_jw_text(w, "what", "window");
        dh_jw_text(w, "is", names[c->what]);
        dh_jw_text(w, "class", c->wm_class);
        dh_jw_text(w, "title", c->title);
        end(d);
    }
    d->n_changes = left;
}

void dh_demo_write_text(struct dh_demo *d, const char *kind, const char *key,
                        const char *text)
{
    dh_jw_text(begin(d, kind, NULL), key, text);
    end(d);
}

void dh_demo_write_drop(struct dh_demo *d, uint64_t count)
{
    struct dh_json_writer *w = begin(d, "drop", NULL);
    dh_jw_text(w, "what", "event");
    dh_jw_i64(w, "count", (int64_t)count);
    end(d);
    d->result.dropped += (int64_t)count;
}

// A `frame` line unless the last one says the same; the picture's number.
static int put_frame(struct dh_demo *d, const struct dh_frame *frame,
                     const char *why, uint64_t *hash)
{
    char text[24];
    int number;
    int64_t pts;
    *hash = 0;
    if (!frame)
        return 0;
    enum dh_status st =
        dh_session_file_frame(d->file, frame, &number, hash, &pts);
    if (st && !d->failed)
        d->failed = st;
    if (st || number == d->frame)
        return d->frame;
    snprintf(text, sizeof text, "%016" PRIx64, *hash);
    struct dh_json_writer *w = begin(d, "frame", NULL);
    dh_jw_i64(w, "f", number);
    dh_jw_text(w, "hash", text);
    dh_jw_text(w, "why", why);
    if (pts >= 0)
        dh_jw_i64(w, "pts", pts);
    end(d);
    d->frame = number;
    d->result.pictures = DH_MAX(d->result.pictures, number);
    return number;
}

// ---- actions ----------------------------------------------------------------

static void name_secret(struct dh_demo *d, struct dh_action *a)
{
    char text[48];
    snprintf(text, sizeof text, "{{secret:secret%d}}", ++d->result.secrets);
    a->text = dh_strdup(text);
}

// Places that the keyboard needs none of are not doubted.
static const char *doubt_of(const struct dh_demo_act *a)
{
    if (!a->moment.has_target || !dh_action_is_pointer(&a->what.action))
        return NULL;
    return dh_target_doubt(&a->moment.target);
}

static void put_in_page(struct dh_demo *d, const struct dh_demo_act *a,
                        int before)
{
    const struct dh_frame *f = a->moment.before;
    const struct dh_target *t = &a->moment.target;
    const char *what = t->node.name[0] ? t->node.name : t->node.role;
    bool named = a->moment.has_target && t->has_node && what[0];
    bool in = a->moment.has_target && t->window.title[0];
    char where[600] = "";
    snprintf(where, sizeof where, "%s%s%.255s", named ? what : "",
             named && in ? " in " : "", in ? t->window.title : "");
    dh_page_shown(&d->page, d->result.steps, &a->what.action, where, before,
                  f ? (struct dh_size){ f->width, f->height }
                    : (struct dh_size){ 0 });
}

static void tell_step(struct dh_demo *d, const struct dh_demo_act *a,
                      int before)
{
    struct dh_buf text;
    struct dh_demo_step step = {
        .number = d->result.steps,
        .before = before,
        .t_ns = a->what.began_ns - d->began_ns,
        .what = &a->what,
        .target = a->moment.has_target ? &a->moment.target : NULL,
        .doubt = doubt_of(a),
    };
    if (step.doubt)
        d->result.doubts++;
    if (!d->o->step)
        return;
    dh_buf_init(&text, 1 << 20);
    dh_action_text(&a->what.action, &text);
    step.text = dh_buf_text(&text);
    d->o->step(d->o->user, &step);
    dh_buf_finish(&text);
}

static void write_act(struct dh_demo *d, struct dh_demo_act *a)
{
    const struct dh_reduced *what = &a->what;
    uint64_t hash;
    // The next action ends it, and began with what it had left.
    dh_demo_write_done(d, a->moment.before, what->began_ns);
    if (what->secret)
        name_secret(d, &a->what.action);
    int before = put_frame(d, a->moment.before, "before", &hash);
    struct dh_json_writer *w = begin(d, "act", &d->wait.line);
    dh_action_json(&what->action, w);
    dh_jw_text(w, "by", "human");
    dh_jw_i64(w, "from", what->from);
    dh_jw_i64(w, "to", what->to);
    dh_jw_i64(w, "began", what->began_ns - d->began_ns);
    dh_jw_i64(w, "ended", what->ended_ns - d->began_ns);
    if (before)
        dh_jw_i64(w, "before", before);
    if (what->secret)
        dh_jw_bool(w, "secret", true);
    if (a->moment.has_target)
        dh_target_json(&a->moment.target, before, w);
    end(d);
    d->wait.acted = d->wait.line;
    d->wait.began_ns = what->began_ns;
    d->wait.ended_ns = d->wait.still_ns = what->ended_ns;
    d->wait.before = hash;
    d->wait.changed = false;
    d->result.steps++;
    if (!d->o->into)
        put_in_page(d, a, before);
    tell_step(d, a, before);
    dh_session_file_sync(d->file);
}

void dh_demo_write_acts(struct dh_demo *d)
{
    for (int i = 0; i < d->n_acts; i++) {
        struct dh_demo_act *a = &d->act[i];
        if (!(a->moment.has_target && dh_demo_is_own(&a->moment.target.window)))
            write_act(d, a);
        dh_action_finish(&a->what.action);
        dh_frame_unref(a->moment.before);
    }
    d->n_acts = 0;
}

void dh_demo_write_done(struct dh_demo *d, const struct dh_frame *after,
                        int64_t until_ns)
{
    struct dh_demo_wait *wait = &d->wait;
    uint64_t hash;
    // Also of one that was done with: a window may come late.
    put_expected(d, until_ns);
    if (!wait->line)
        return;
    int number = put_frame(d, after, "after", &hash);
    struct dh_json_writer *w = begin(d, "done", NULL);
    dh_jw_i64(w, "act", wait->line);
    dh_jw_bool(w, "ok", true);
    if (number)
        dh_jw_i64(w, "after", number);
    dh_jw_i64(w, "settle_ms",
              DH_MAX(wait->still_ns - wait->ended_ns, 0) / DH_MS);
    dh_jw_bool(w, "changed", wait->changed || hash != wait->before);
    end(d);
    wait->line = 0;
}
