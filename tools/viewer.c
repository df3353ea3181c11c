#include "tools/viewer.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/x11.h"
#include "capture/frame.h"
#include "tools/late_priv.h"
#include "tools/viewer_priv.h"

#define DH_LOG_TAG "viewer"
#include "base/log.h"

#define FRAME_NS    (DH_S / 60)
#define MAX_SPEED   64
#define MAX_SAMPLES 36000
#define TEXT_PX     15

#define STATE_MAX_BYTES (8 << 20) // the answer on its way is in it

const struct dh_opt dh_viewer_opts[] = {
    { "scale", 0, DH_OPT_DOUBLE, offsetof(struct dh_viewer_options, scale), "F",
      "Size of text and lines (default: by the display)", 0.5, 8, NULL },
    { "step", 0, DH_OPT_INT, offsetof(struct dh_viewer_options, step), "N",
      "Begin at this step", 1, 1e9, NULL },
    { "play", 0, DH_OPT_BOOL, offsetof(struct dh_viewer_options, play), NULL,
      "Begin to play at once, and end with it", 0, 0, NULL },
    { "fullscreen", 0, DH_OPT_BOOL,
      offsetof(struct dh_viewer_options, fullscreen), NULL,
      "Take the whole screen", 0, 0, NULL },
    { "stats", 0, DH_OPT_BOOL, offsetof(struct dh_viewer_options, stats), NULL,
      "Print how long frames took while it played", 0, 0, NULL },
    { 0 },
};

// How long frames took, while it plays.
struct samples {
    float *draw_ms, *gap_ms;
    int n;
    int64_t last_ns;
};

struct run {
    struct dh_viewer v;
    const struct dh_viewer_options *o;
    const char *dir;
    struct samples samples;
    struct dh_buf state, shown; // the line of --json, and the last one
    uint32_t wake;     // the folder changed; one more: a picture is there
    int64_t played_ns; // when time was last moved
    bool quit, play_and_end;
    bool closed; // by its user, and not by a signal
    SDL_Point drag;
    bool dragging;
    bool pressing;     // the button
    SDL_Keycode armed; // goes with the key's release; 0: none
};

/* --- moving --- */

static void count_stops(struct dh_viewer *v)
{
    int n_shots, n_lines;
    (void)dh_session_steps(v->session, &v->n_steps);
    const struct dh_session_shot *shot = dh_session_shots(v->session, &n_shots);
    const struct dh_session_line *l = dh_session_lines(v->session, &n_lines);
    v->n_stops = v->n_steps ? v->n_steps : n_shots;
    v->t_end = n_lines ? l[n_lines - 1].t : 0;
    if (n_shots)
        v->t_end = DH_MAX(v->t_end, shot[n_shots - 1].t);
}

static int64_t step_end(const struct dh_viewer *v)
{
    int n;
    const struct dh_session_step *p = dh_session_steps(v->session, &n);
    return v->n_steps ? p[v->at].t_end : dh_viewer_stop_time(v, v->at);
}

static void show_time(struct dh_viewer *v)
{
    if (!v->n_stops)
        v->t = 0;
    else
        v->t = v->show == DH_VIEWER_AFTER ? step_end(v)
                                          : dh_viewer_stop_time(v, v->at);
}

static void go_to(struct dh_viewer *v, int at)
{
    v->at = DH_CLAMP(at, 0, DH_MAX(v->n_stops - 1, 0));
    v->scroll = 0;
    v->message = NULL;
    show_time(v);
    v->dirty = DH_VIEWER_ALL;
}

// By hand: neither time nor a running session moves it any more.
static void step_to(struct dh_viewer *v, int at)
{
    v->playing = v->follow = false;
    go_to(v, at);
}

// The last stop that has begun at this time.
static int stop_at(const struct dh_viewer *v, int64_t t)
{
    int lo = 0, hi = v->n_stops;
    while (hi - lo > 1) {
        int mid = lo + (hi - lo) / 2;
        if (dh_viewer_stop_time(v, mid) <= t)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

// What is seen at this time, while it plays.
static void play_to(struct dh_viewer *v, int64_t t)
{
    int at = stop_at(v, t);
    if (v->n_stops && at != v->at)
        go_to(v, at);
    enum dh_viewer_show show = v->show;
    if (v->n_steps && show != DH_VIEWER_BOTH) {
        bool over = t > step_end(v);
        v->show = over ? DH_VIEWER_AFTER : DH_VIEWER_BEFORE;
    }
    if (v->show != show)
        v->dirty |= DH_VIEWER_ALL;
    v->t = t;
    v->dirty |= DH_VIEWER_LINE;
}

static void play_on(struct run *r)
{
    struct dh_viewer *v = &r->v;
    int64_t now = dh_now_ns(), t = v->t + (now - r->played_ns) * v->speed;
    r->played_ns = now;
    v->playing = t < v->t_end;
    play_to(v, DH_MIN(t, v->t_end));
    if (v->playing)
        return;
    v->dirty = DH_VIEWER_ALL;
    r->closed = r->play_and_end;
    r->quit |= r->play_and_end;
}

static void play_or_pause(struct run *r)
{
    struct dh_viewer *v = &r->v;
    v->playing = !v->playing && v->n_stops > 0;
    v->follow = false;
    r->played_ns = dh_now_ns();
    r->samples.last_ns = 0;
    if (v->playing && v->t >= v->t_end)
        play_to(v, 0);
    v->dirty |= DH_VIEWER_LINE | DH_VIEWER_PANEL;
}

/* --- searching --- */

typedef bool (*step_test)(const struct dh_viewer *v, int step);

static bool step_failed(const struct dh_viewer *v, int step)
{
    int n;
    return dh_session_steps(v->session, &n)[step].failed;
}

static bool step_has_query(const struct dh_viewer *v, int step)
{
    struct dh_session_words w;
    dh_session_words_read(v->session, step, &w);
    const char *const texts[] = { w.say, w.action, w.answer, w.thinking,
                                  w.note };
    bool found = false;
    for (size_t i = 0; i < DH_COUNTOF(texts); i++)
        found |= dh_str_has_nocase(dh_str_of(texts[i]), v->query);
    dh_session_words_finish(&w);
    return found;
}

// The next step of a kind, around the end; the one that is shown comes last.
static void find_step(struct dh_viewer *v, step_test test, int by,
                      const char *none)
{
    for (int i = 1; i <= v->n_steps; i++) {
        int at = ((v->at + by * i) % v->n_steps + v->n_steps) % v->n_steps;
        if (test(v, at)) {
            step_to(v, at);
            return;
        }
    }
    v->message = none;
    v->dirty |= DH_VIEWER_PANEL;
}

static void find_text(struct dh_viewer *v, int by)
{
    if (v->query[0])
        find_step(v, step_has_query, by, "Nothing found.");
}

static void begin_search(struct dh_viewer *v)
{
    v->typing = true;
    v->query[0] = 0;
    v->message = NULL;
    v->scroll = 0;
    v->dirty |= DH_VIEWER_PANEL;
}

static void type_key(struct dh_viewer *v, SDL_Keycode key)
{
    size_t n = strlen(v->query);
    if (key == SDLK_BACKSPACE && n) {
        // A whole character.
        while (n > 1 && ((unsigned char)v->query[n - 1] & 0xc0) == 0x80)
            n--;
        v->query[n - 1] = 0;
    } else if (key == SDLK_RETURN || key == SDLK_ESCAPE) {
        v->typing = false;
        if (key == SDLK_RETURN)
            find_text(v, 1);
    }
    v->dirty |= DH_VIEWER_PANEL;
}

static void type_text(struct dh_viewer *v, const char *text)
{
    size_t n = strlen(v->query);
    if (!v->typing || n + strlen(text) >= sizeof v->query)
        return;
    memcpy(v->query + n, text, strlen(text) + 1);
    v->dirty |= DH_VIEWER_PANEL;
}

/* --- zooming --- */

static bool shown_size(const struct dh_viewer *v, struct dh_size *size)
{
    char why[200];
    bool after = v->show == DH_VIEWER_AFTER;
    struct dh_frame *f =
        dh_viewer_pictures_find(v->pictures, dh_viewer_number(v, after), why);
    if (!f)
        return false;
    *size = (struct dh_size){ f->width, f->height };
    dh_frame_unref(f);
    return true;
}

static SDL_Rect shown_area(const struct dh_viewer *v)
{
    SDL_Rect a = v->picture;
    if (v->show == DH_VIEWER_BOTH)
        a.w /= 2;
    return a;
}

// What lies under `at` stays there. zoom 0 shows all of it.
static void zoom_to(struct dh_viewer *v, double zoom, SDL_Point at)
{
    struct dh_size size;
    SDL_Rect a = shown_area(v);
    if (!shown_size(v, &size))
        return;
    double now = dh_viewer_zoom(v, a, size.w, size.h);
    double x = (at.x - a.x) % a.w - a.w / 2.0, y = at.y - a.y - a.h / 2.0;
    if (v->zoom <= 0) {
        v->look_x = size.w / 2.0;
        v->look_y = size.h / 2.0;
    }
    v->zoom = zoom > 0 ? DH_CLAMP(zoom, 0.05, 64.0) : 0;
    if (v->zoom > 0) {
        v->look_x += x / now - x / v->zoom;
        v->look_y += y / now - y / v->zoom;
    }
    v->look_x = DH_CLAMP(v->look_x, 0.0, (double)size.w);
    v->look_y = DH_CLAMP(v->look_y, 0.0, (double)size.h);
    v->dirty |= DH_VIEWER_PICTURE;
}

static SDL_Point middle(const struct dh_viewer *v)
{
    SDL_Rect a = shown_area(v);
    return (SDL_Point){ a.x + a.w / 2, a.y + a.h / 2 };
}

static void zoom_by(struct dh_viewer *v, double factor, SDL_Point at)
{
    struct dh_size size;
    if (shown_size(v, &size))
        zoom_to(v, factor * dh_viewer_zoom(v, shown_area(v), size.w, size.h),
                at);
}

static void look_by(struct dh_viewer *v, double x, double y)
{
    struct dh_size size;
    if (v->zoom <= 0 || !shown_size(v, &size))
        return;
    v->look_x = DH_CLAMP(v->look_x + x / v->zoom, 0.0, (double)size.w);
    v->look_y = DH_CLAMP(v->look_y + y / v->zoom, 0.0, (double)size.h);
    v->dirty |= DH_VIEWER_PICTURE;
}

/* --- keys and mouse --- */

static void set_show(struct dh_viewer *v, enum dh_viewer_show show)
{
    v->show = show;
    show_time(v);
    v->dirty = DH_VIEWER_ALL;
}

static void scroll_by(struct dh_viewer *v, int by)
{
    int most = DH_MAX(0, v->panel_height - v->panel.h);
    v->scroll = DH_CLAMP(v->scroll + by, 0, most);
    v->dirty |= DH_VIEWER_SCROLL;
}

static void toggle(struct dh_viewer *v, bool *what)
{
    *what = !*what;
    v->dirty = DH_VIEWER_ALL;
}

static void toggle_fullscreen(const struct dh_viewer *v)
{
    bool is = SDL_GetWindowFlags(v->window) & SDL_WINDOW_FULLSCREEN;
    SDL_SetWindowFullscreen(v->window, is ? 0 : SDL_WINDOW_FULLSCREEN_DESKTOP);
}

static void leave(struct run *r)
{
    if (r->v.help)
        toggle(&r->v, &r->v.help);
    else
        r->quit = r->closed = true;
}

static void follow(struct dh_viewer *v)
{
    if (!v->watch) {
        v->message = "This session is not being written.";
        v->dirty |= DH_VIEWER_PANEL;
        return;
    }
    v->follow = !v->follow;
    v->playing = false;
    go_to(v, v->follow ? v->n_stops - 1 : v->at);
}

static void change_speed(struct dh_viewer *v, int speed)
{
    v->speed = DH_CLAMP(speed, 1, MAX_SPEED);
    v->dirty |= DH_VIEWER_LINE;
}

// A person's key takes the desktop as it goes down. So that handing it back is
// the last that happens, both wait until it is up, which takes nothing.
static void ask_run(struct dh_viewer *v, bool take)
{
    if (v->state == DH_CONTROL_GONE) {
        v->message = "No run can be reached.";
        v->dirty |= DH_VIEWER_PANEL;
        return;
    }
    dh_viewer_watch_ask(v->watch, take);
}

static void take_key_up(struct run *r, SDL_Keycode key)
{
    SDL_Keycode armed = r->armed;
    r->armed = 0;
    if (armed == key && !r->v.typing)
        ask_run(&r->v, key == SDLK_t);
}

static void arm(struct run *r, const SDL_Keysym *key)
{
    bool plain = !(key->mod & (KMOD_CTRL | KMOD_ALT | KMOD_GUI));
    bool asks = key->sym == SDLK_t || key->sym == SDLK_r;
    r->armed = plain && asks ? key->sym : 0;
}

// Keys that have no character, or the same one everywhere.
static void take_key(struct run *r, const SDL_Keysym *key)
{
    struct dh_viewer *v = &r->v;
    arm(r, key);
    switch (key->sym) {
    case SDLK_LEFT: step_to(v, v->at - 1); break;
    case SDLK_RIGHT: step_to(v, v->at + 1); break;
    case SDLK_HOME: step_to(v, 0); break;
    case SDLK_END: step_to(v, v->n_stops - 1); break;
    case SDLK_TAB: set_show(v, v->show == DH_VIEWER_BEFORE); break;
    case SDLK_SPACE: play_or_pause(r); break;
    case SDLK_PAGEUP: scroll_by(v, -v->panel.h * 3 / 4); break;
    case SDLK_PAGEDOWN: scroll_by(v, v->panel.h * 3 / 4); break;
    case SDLK_F11: toggle_fullscreen(v); break;
    case SDLK_ESCAPE: leave(r); break;
    default: break;
    }
}

static void take_character(struct run *r, char c)
{
    struct dh_viewer *v = &r->v;
    double far = 80 * v->scale;
    switch (c) {
    case 'b':
        set_show(v, v->show == DH_VIEWER_BOTH ? 0 : DH_VIEWER_BOTH);
        break;
    case '[': change_speed(v, v->speed / 2); break;
    case ']': change_speed(v, v->speed * 2); break;
    case 'f': find_step(v, step_failed, 1, "No step failed."); break;
    case 'F': find_step(v, step_failed, -1, "No step failed."); break;
    case '/': begin_search(v); break;
    case 'o':
        if (r->o->open && v->n_steps)
            r->o->open(r->o->user, v->at);
        break;
    case 'n': find_text(v, 1); break;
    case 'N': find_text(v, -1); break;
    case '+':
    case '=': zoom_by(v, 1.25, middle(v)); break;
    case '-': zoom_by(v, 0.8, middle(v)); break;
    case '0': zoom_to(v, 0, middle(v)); break;
    case '1': zoom_to(v, 1, middle(v)); break;
    case 'h': look_by(v, -far, 0); break;
    case 'l': look_by(v, far, 0); break;
    case 'j': look_by(v, 0, far); break;
    case 'k': look_by(v, 0, -far); break;
    case 'g': toggle(v, &v->grid); break;
    case 'm': toggle(v, &v->marks); break;
    case 'L': follow(v); break;
    case '?': toggle(v, &v->help); break;
    case 'q': leave(r); break;
    default: break;
    }
}

static void click_line(struct dh_viewer *v, int x)
{
    int margin = (int)(14 * v->scale);
    double share = (double)(x - margin) / (v->line.w - 2 * margin);
    step_to(v, stop_at(v, (int64_t)(share * (double)v->t_end)));
}

static void take_button(struct run *r, const SDL_MouseButtonEvent *e)
{
    SDL_Point at = { e->x, e->y };
    r->dragging = e->state == SDL_PRESSED && e->button == SDL_BUTTON_LEFT &&
                  SDL_PointInRect(&at, &r->v.picture);
    r->drag = at;
    bool pressed = r->pressing, on = SDL_PointInRect(&at, &r->v.button);
    r->pressing = e->state == SDL_PRESSED && on;
    if (e->state == SDL_RELEASED && pressed && on)
        ask_run(&r->v, r->v.state == DH_CONTROL_AGENT);
    else if (e->state == SDL_PRESSED && !on && SDL_PointInRect(&at, &r->v.line))
        click_line(&r->v, e->x);
}

static void take_motion(struct run *r, const SDL_MouseMotionEvent *e)
{
    if (!r->dragging)
        return;
    look_by(&r->v, r->drag.x - e->x, r->drag.y - e->y);
    r->drag = (SDL_Point){ e->x, e->y };
}

static void take_wheel(struct dh_viewer *v, const SDL_MouseWheelEvent *e)
{
    SDL_Point at;
    SDL_GetMouseState(&at.x, &at.y);
    if (SDL_PointInRect(&at, &v->panel))
        scroll_by(v, (int)(-60 * v->scale) * e->y);
    else if (SDL_PointInRect(&at, &v->picture))
        zoom_by(v, e->y > 0 ? 1.25 : 0.8, at);
}

/* --- the window --- */

static bool renew_surface(struct dh_viewer *v)
{
    v->to = SDL_GetWindowSurface(v->window);
    if (!v->to) {
        dh_error("the window cannot be drawn on: %s", SDL_GetError());
        return false;
    }
    dh_viewer_lay_out(v);
    return true;
}

static void take_window(struct run *r, const SDL_WindowEvent *e)
{
    if (e->event == SDL_WINDOWEVENT_SIZE_CHANGED)
        r->quit |= !renew_surface(&r->v);
    else if (e->event == SDL_WINDOWEVENT_EXPOSED)
        r->v.dirty = DH_VIEWER_ALL;
    else if (e->event == SDL_WINDOWEVENT_CLOSE)
        r->closed = true;
}

// Device events make the time line longer, and no more.
static bool has_meaning(const struct dh_viewer *v, int from)
{
    int n;
    const struct dh_session_line *l = dh_session_lines(v->session, &n);
    while (from < n &&
           (l[from].kind == DH_SESSION_RAW || l[from].kind == DH_SESSION_OTHER))
        from++;
    return from < n;
}

static void read_more(struct dh_viewer *v)
{
    int before;
    bool grew = false, whole = dh_session_info(v->session)->ended[0];
    bool none = v->n_stops == 0;
    (void)dh_session_lines(v->session, &before);
    if (dh_session_read_more(v->session, &grew) || !grew)
        return;
    count_stops(v);
    v->dirty |= DH_VIEWER_LINE;
    if (!has_meaning(v, before) &&
        whole == (dh_session_info(v->session)->ended[0] != 0))
        return;
    if (v->follow || none)
        go_to(v, v->follow ? v->n_stops - 1 : 0);
    v->dirty = DH_VIEWER_ALL;
}

// The folder changed, or who has the desktop.
static void take_wake(struct run *r)
{
    struct dh_viewer *v = &r->v;
    unsigned news = v->watch ? dh_viewer_watch_news(v->watch) : 0;
    if (news & DH_VIEWER_LINES)
        read_more(v);
    if (news & DH_VIEWER_PART) {
        dh_free(v->running);
        v->running = dh_session_running(v->session);
        v->dirty |= DH_VIEWER_PANEL;
    }
    if (news & DH_VIEWER_STATE) {
        v->state = dh_viewer_watch_state(v->watch);
        v->message = NULL;
        v->dirty |= DH_VIEWER_LINE | DH_VIEWER_PANEL;
    }
}

static void take_event(struct run *r, const SDL_Event *e)
{
    struct dh_viewer *v = &r->v;
    if (e->type == SDL_QUIT)
        r->quit = true;
    else if (e->type == r->wake)
        take_wake(r);
    else if (e->type == r->wake + 1)
        v->dirty |= v->waiting ? DH_VIEWER_PICTURE : 0;
    else if (e->type == SDL_WINDOWEVENT)
        take_window(r, &e->window);
    else if (e->type == SDL_MOUSEBUTTONDOWN || e->type == SDL_MOUSEBUTTONUP)
        take_button(r, &e->button);
    else if (e->type == SDL_MOUSEMOTION)
        take_motion(r, &e->motion);
    else if (e->type == SDL_MOUSEWHEEL)
        take_wheel(v, &e->wheel);
    else if (e->type == SDL_KEYDOWN && v->typing)
        type_key(v, e->key.keysym.sym);
    else if (e->type == SDL_KEYUP)
        take_key_up(r, e->key.keysym.sym);
    else if (e->type == SDL_KEYDOWN)
        take_key(r, &e->key.keysym);
    else if (e->type == SDL_TEXTINPUT && v->typing)
        type_text(v, e->text.text);
    else if (e->type == SDL_TEXTINPUT)
        take_character(r, e->text.text[0]);
}

/* --- what it tells --- */

static void print_state(struct run *r)
{
    static const char *const shows[] = { "before", "after", "both" };
    static const char *const desktops[] = { "", "agent", "person" };
    const struct dh_viewer *v = &r->v;
    struct dh_json_writer w;
    dh_buf_clear(&r->state);
    dh_jw_init(&w, &r->state);
    dh_jw_object(&w, NULL);
    dh_jw_i64(&w, "step", v->n_stops ? v->at + 1 : 0);
    dh_jw_i64(&w, "of", v->n_stops);
    dh_jw_text(&w, "show", shows[v->show]);
    dh_jw_i64(&w, "picture", dh_viewer_number(v, v->show == DH_VIEWER_AFTER));
    dh_jw_double(&w, "zoom", v->zoom);
    dh_jw_bool(&w, "grid", v->grid);
    dh_jw_bool(&w, "marks", v->marks);
    dh_jw_bool(&w, "help", v->help);
    dh_jw_bool(&w, "playing", v->playing);
    dh_jw_bool(&w, "follow", v->follow);
    dh_jw_i64(&w, "speed", v->speed);
    dh_jw_text(&w, "desktop", desktops[v->state]);
    dh_jw_text(&w, "running", v->running ? v->running : "");
    dh_jw_text(&w, "search", v->query);
    dh_jw_text(&w, "message", v->message ? v->message : "");
    dh_jw_end_object(&w);
    if (strcmp(dh_buf_text(&r->state), dh_buf_text(&r->shown)) == 0)
        return;
    printf("%s\n", dh_buf_text(&r->state));
    fflush(stdout);
    dh_buf_clear(&r->shown);
    dh_buf_puts(&r->shown, dh_buf_text(&r->state));
}

static void sample(struct samples *s, int64_t begun, int64_t ended)
{
    if (s->draw_ms && s->last_ns && s->n < MAX_SAMPLES) {
        s->draw_ms[s->n] = (float)(ended - begun) / 1e6F;
        s->gap_ms[s->n++] = (float)(begun - s->last_ns) / 1e6F;
    }
    s->last_ns = begun;
}

static int by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void print_samples(struct samples *s, SDL_Surface *to, bool json)
{
    double sum = 0;
    if (!s->n)
        return;
    for (int i = 0; i < s->n; i++)
        sum += (double)s->gap_ms[i];
    qsort(s->draw_ms, (size_t)s->n, sizeof *s->draw_ms, by_size);
    qsort(s->gap_ms, (size_t)s->n, sizeof *s->gap_ms, by_size);
    printf(json ? "{\"frames\":%d,\"width\":%d,\"height\":%d,\"fps\":%.2f,"
                  "\"draw_ms\":{\"p50\":%.2f,\"p95\":%.2f,\"max\":%.2f},"
                  "\"gap_ms\":{\"p50\":%.2f,\"p95\":%.2f,\"max\":%.2f}}\n"
                : "%d frames of %dx%d played, %.2f a second; drawing took "
                  "p50 %.2f, p95 %.2f, max %.2f ms; between frames "
                  "p50 %.2f, p95 %.2f, max %.2f ms\n",
           s->n, to->w, to->h, s->n / sum * 1000, (double)s->draw_ms[s->n / 2],
           (double)s->draw_ms[s->n * 95 / 100], (double)s->draw_ms[s->n - 1],
           (double)s->gap_ms[s->n / 2], (double)s->gap_ms[s->n * 95 / 100],
           (double)s->gap_ms[s->n - 1]);
}

/* --- from beginning to end --- */

static void loop(struct run *r)
{
    struct dh_viewer *v = &r->v;
    int64_t next = dh_now_ns();
    while (!r->quit) {
        SDL_Event e;
        int64_t left = next - dh_now_ns();
        int ms = left > 0 ? (int)((left + DH_MS - 1) / DH_MS) : 0;
        int got = v->playing ? SDL_WaitEventTimeout(&e, ms) : SDL_WaitEvent(&e);
        for (; got && !r->quit; got = SDL_PollEvent(&e))
            take_event(r, &e);
        if (v->playing && dh_now_ns() < next)
            continue;
        int64_t begun = dh_now_ns();
        next = DH_MAX(next + FRAME_NS, begun);
        if (v->playing)
            play_on(r);
        dh_viewer_draw(v);
        if (v->playing)
            sample(&r->samples, begun, dh_now_ns());
        if (r->o->json && !v->waiting)
            print_state(r);
    }
}

// A display of many pixels that says nothing of its size is a large one.
static double display_scale(void)
{
    float dpi = 96;
    SDL_Rect whole = { 0, 0, 1, 1 };
    if (SDL_GetDisplayDPI(0, NULL, &dpi, NULL))
        dpi = 96;
    SDL_GetDisplayBounds(0, &whole);
    double scale = DH_MAX((double)dpi / 96, whole.h / 1440.0);
    return DH_CLAMP(scale, 1.0, 4.0);
}

static bool open_window(struct dh_viewer *v, const struct dh_viewer_options *o,
                        const char *dir)
{
    SDL_Rect room;
    char title[300];
    // Without a display it would draw into nothing, for ever.
    SDL_SetHint(SDL_HINT_VIDEODRIVER, "x11");
    SDL_SetHint(SDL_HINT_FRAMEBUFFER_ACCELERATION, "0");
    SDL_SetHint(SDL_HINT_VIDEO_X11_NET_WM_BYPASS_COMPOSITOR, "0");
    SDL_SetHint(SDL_HINT_VIDEO_ALLOW_SCREENSAVER, "1");
    // Without a session bus it would start one, which outlives us.
    setenv("DBUS_SESSION_BUS_ADDRESS", "disabled:", 0);
    // It wakes us by an event to our window, which may be gone by then.
    dh_x11_forgive_others();
    if (SDL_Init(SDL_INIT_VIDEO) || SDL_GetDisplayUsableBounds(0, &room)) {
        dh_error("no window can be opened: %s; --list needs none",
                 SDL_GetError());
        return false;
    }
    v->scale = o->scale > 0 ? o->scale : display_scale();
    snprintf(title, sizeof title, "deskhand: %.250s",
             o->title ? o->title : dir);
    int w = room.w * 9 / 10, h = room.h * 9 / 10;
    Uint32 flags = SDL_WINDOW_RESIZABLE | SDL_WINDOW_ALLOW_HIGHDPI;
    if (o->fullscreen) {
        w = room.w, h = room.h;
        flags |= SDL_WINDOW_BORDERLESS;
    }
    v->window = SDL_CreateWindow(title, SDL_WINDOWPOS_CENTERED,
                                 SDL_WINDOWPOS_CENTERED, w, h, flags);
    if (!v->window) {
        dh_error("no window can be opened: %s", SDL_GetError());
        return false;
    }
    SDL_StartTextInput();
    return renew_surface(v);
}

static enum dh_status open_all(struct run *r)
{
    struct dh_viewer *v = &r->v;
    if (!open_window(v, r->o, r->dir) || TTF_Init())
        return DH_ERR_NOTFOUND;
    r->wake = SDL_RegisterEvents(2);
    enum dh_status st =
        dh_viewer_fonts_open(&v->fonts, (int)(TEXT_PX * v->scale + 0.5));
    if (!st)
        st = dh_viewer_pictures_create(&v->pictures, v->session, r->o,
                                       r->wake + 1);
    // What is whole does not change any more.
    if (!st && (r->o->live || !dh_session_info(v->session)->ended[0]) &&
        dh_viewer_watch_create(&v->watch, r->dir, r->o->runtime, r->wake))
        v->watch = NULL;
    return st;
}

static void close_all(struct run *r)
{
    struct dh_viewer *v = &r->v;
    dh_viewer_watch_destroy(v->watch);
    dh_viewer_pictures_destroy(v->pictures);
    dh_viewer_panel_finish(v);
    dh_viewer_fonts_close(&v->fonts);
    if (TTF_WasInit())
        TTF_Quit();
    if (v->window)
        SDL_DestroyWindow(v->window);
    SDL_Quit();
    dh_buf_finish(&r->state);
    dh_buf_finish(&r->shown);
    dh_free(r->samples.draw_ms);
    dh_free(r->samples.gap_ms);
}

enum dh_status dh_viewer_run(struct dh_session_reader *s, const char *dir,
                             const struct dh_viewer_options *o)
{
    enum dh_status st = dh_late_load(&dh_late_sdl);
    if (st)
        return st;
    struct run r = { .v = { .session = s, .marks = true, .speed = 1 },
                     .o = o,
                     .dir = dir,
                     .play_and_end = o->play };
    dh_buf_init(&r.state, STATE_MAX_BYTES);
    dh_buf_init(&r.shown, STATE_MAX_BYTES);
    if (o->stats) {
        dh_array(r.samples.draw_ms, MAX_SAMPLES);
        dh_array(r.samples.gap_ms, MAX_SAMPLES);
    }
    st = open_all(&r);
    if (!st) {
        count_stops(&r.v);
        r.v.follow = r.v.watch && o->live;
        go_to(&r.v, r.v.follow ? r.v.n_stops - 1 : o->step - 1);
        if (o->play)
            play_or_pause(&r);
        loop(&r);
        if (o->stats)
            print_samples(&r.samples, r.v.to, o->json);
        if (!r.closed)
            st = DH_ERR_CANCELLED;
    }
    close_all(&r);
    return st;
}
