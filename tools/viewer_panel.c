#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "tools/viewer_priv.h"

#define C dh_viewer_colors

#define RUNNING_BYTES 2000

/* --- the panel --- */

// Where the next line of text goes.
struct pen {
    struct dh_viewer *v;
    int y, w;
};

static void write_text(struct pen *p, TTF_Font *font, const char *text,
                       SDL_Color c)
{
    struct dh_viewer *v = p->v;
    SDL_Surface *drawn = dh_viewer_text_render(font, text, c, p->w);
    if (!drawn)
        return;
    if (v->n_pieces == v->cap_pieces) {
        v->cap_pieces = v->cap_pieces ? v->cap_pieces * 2 : 32;
        v->piece =
            dh_resize_array(v->piece, (size_t)v->cap_pieces, sizeof *v->piece);
    }
    v->piece[v->n_pieces++] = (struct dh_viewer_piece){ drawn, p->y };
    p->y += drawn->h;
}

static void write_section(struct pen *p, const char *title, const char *text,
                          TTF_Font *font, SDL_Color c)
{
    if (!text[0])
        return;
    p->y += dh_viewer_px(p->v, 10);
    write_text(p, p->v->fonts.bold, title, C.dim);
    write_text(p, font, text, c);
}

static void put_ms(struct dh_buf *b, const char *name, double ms)
{
    if (ms >= 0)
        dh_buf_printf(b, "%s%-10s %9.1f ms", b->len ? "\n" : "", name, ms);
}

static void put_count(struct dh_buf *b, const char *name, int64_t n)
{
    if (n >= 0)
        dh_buf_printf(b, "%s%-10s %9lld", b->len ? "\n" : "", name,
                      (long long)n);
}

static void write_numbers(struct pen *p, const struct dh_session_step *s)
{
    struct dh_buf b;
    dh_buf_init(&b, 4096);
    put_ms(&b, "grab", s->ms.grab);
    put_ms(&b, "preprocess", s->ms.preprocess);
    put_ms(&b, "vision", s->ms.vision);
    put_ms(&b, "prefill", s->ms.prefill);
    put_ms(&b, "decode", s->ms.decode);
    put_ms(&b, "act", s->ms.act);
    put_ms(&b, "settle", s->ms.settle);
    write_section(p, "Time", dh_buf_text(&b), p->v->fonts.mono, C.ink);
    dh_buf_clear(&b);
    put_count(&b, "in", s->tokens_in);
    put_count(&b, "cached", s->tokens_cached);
    put_count(&b, "out", s->tokens_out);
    if (s->cost > 0)
        dh_buf_printf(&b, "\n%-10s %9.4f $", "cost", s->cost);
    write_section(p, "Tokens", dh_buf_text(&b), p->v->fonts.mono, C.ink);
    dh_buf_finish(&b);
}

static void write_step(struct pen *p, const struct dh_session_step *s)
{
    struct dh_viewer *v = p->v;
    struct dh_session_words w;
    const char *end = s->failed      ? "failed"
                      : s->done < 0  ? "no result"
                      : s->unchanged ? "done, nothing changed"
                                     : "done";
    dh_session_words_read(v->session, v->at, &w);
    if (s->by_hand)
        write_text(p, v->fonts.bold, "by hand", C.person);
    bool eval = strcmp(dh_session_info(v->session)->kind, "eval") == 0;
    write_section(p, eval ? "Asked" : "Says", w.say, v->fonts.bold, C.ink);
    write_section(p, "Action", w.action, v->fonts.mono, C.accent);
    write_section(p, "Result", s->act >= 0 || s->failed ? end : "",
                  v->fonts.plain, s->failed ? C.bad : C.good);
    write_text(p, v->fonts.plain, w.note, s->failed ? C.bad : C.ink);
    write_numbers(p, s);
    write_section(p, "Thinking", w.thinking, v->fonts.plain, C.dim);
    write_section(p, "Answer", w.answer, v->fonts.mono, C.ink);
    dh_session_words_finish(&w);
}

static void write_notes(struct pen *p)
{
    int n;
    const char *const *notes = dh_session_notes(p->v->session, &n);
    const char *title = "This session is not whole";
    bool runs = p->v->state != DH_CONTROL_GONE ||
                dh_session_info(p->v->session)->ended[0];
    for (int i = 0; i < n; i++) {
        if (runs && strcmp(notes[i], DH_SESSION_NO_END) == 0)
            continue;
        write_section(p, title, notes[i], p->v->fonts.plain, C.bad);
        title = "";
    }
}

static void write_top(struct pen *p)
{
    struct dh_viewer *v = p->v;
    static const char *const shows[] = { "before", "after", "before | after" };
    const struct dh_session_info *info = dh_session_info(v->session);
    char text[200];
    write_text(p, v->fonts.bold, info->task[0] ? info->task : "session", C.ink);
    snprintf(text, sizeof text, "%s %d of %d, %s%s",
             v->n_steps ? "step" : "picture", v->n_stops ? v->at + 1 : 0,
             v->n_stops, shows[v->show], v->follow ? ", live" : "");
    write_text(p, v->fonts.plain, text, C.accent);
    snprintf(text, sizeof text, "%.100s%s%.60s", info->model,
             info->ended[0] ? ", ended: " : "", info->ended);
    write_text(p, v->fonts.plain, text, C.dim);
}

static void write_search(struct pen *p)
{
    char text[160];
    snprintf(text, sizeof text, "/%s%s", p->v->query, p->v->typing ? "_" : "");
    if (p->v->typing)
        write_text(p, p->v->fonts.mono, text, C.accent);
    if (p->v->message)
        write_text(p, p->v->fonts.plain, p->v->message, C.accent);
}

static void clear(struct dh_viewer *v)
{
    for (int i = 0; i < v->n_pieces; i++)
        SDL_FreeSurface(v->piece[i].text);
    v->n_pieces = 0;
}

void dh_viewer_panel_finish(struct dh_viewer *v)
{
    clear(v);
    dh_free(v->piece);
    dh_free(v->running);
}

// The newest of it is what counts; a character that is cut is cleaned away.
static void write_running(struct pen *p)
{
    const struct dh_viewer *v = p->v;
    size_t n = v->running ? strlen(v->running) : 0;
    if (!n || v->at + 1 < v->n_stops)
        return;
    write_section(p, "The model says, so far",
                  v->running + (n > RUNNING_BYTES ? n - RUNNING_BYTES : 0),
                  v->fonts.mono, C.accent);
}

void dh_viewer_panel_show(struct dh_viewer *v)
{
    SDL_Rect a = v->panel;
    SDL_FillRect(v->to, &a,
                 SDL_MapRGB(v->to->format, C.panel.r, C.panel.g, C.panel.b));
    SDL_SetClipRect(v->to, &a);
    for (int i = 0; i < v->n_pieces; i++) {
        SDL_Rect at = { a.x + dh_viewer_px(v, 14),
                        a.y + v->piece[i].y - v->scroll, 0, 0 };
        SDL_BlitSurface(v->piece[i].text, NULL, v->to, &at);
    }
    SDL_SetClipRect(v->to, NULL);
}

void dh_viewer_panel_write(struct dh_viewer *v)
{
    SDL_Rect a = v->panel;
    struct pen p = { v, dh_viewer_px(v, 12), a.w - dh_viewer_px(v, 28) };
    const struct dh_session_step *s = dh_viewer_step(v);
    clear(v);
    write_search(&p);
    write_top(&p);
    if (s)
        write_step(&p, s);
    write_running(&p);
    write_notes(&p);
    v->panel_height = p.y;
}
