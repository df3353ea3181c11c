/*
 * tools/viewer_priv.h - the parts of the viewer.
 *
 *   viewer           the window: events, keys, time; main thread
 *   viewer_draw      what is shown, into the window's surface
 *   viewer_panel     the texts beside the picture
 *   viewer_text      fonts, and text on a surface
 *   viewer_pictures  decodes ahead on the thread dh-view
 *   viewer_watch     wakes the window when the folder changes, and talks to the
 *                    run that writes it (dh-watch)
 *
 * It draws on the window's own memory and not through a renderer: without a GPU
 * that is the fastest way, and the parts that did not change stay as they are.
 */
#ifndef DH_TOOLS_VIEWER_PRIV_H
#define DH_TOOLS_VIEWER_PRIV_H

#include <SDL.h>
#include <SDL_ttf.h>

#include "agent/session_read.h"
#include "tools/control.h"
#include "tools/viewer.h"

struct dh_frame;
struct dh_viewer_pictures;
struct dh_viewer_watch;

enum dh_viewer_show { DH_VIEWER_BEFORE, DH_VIEWER_AFTER, DH_VIEWER_BOTH };

/* Parts of the window that are drawn apart. */
enum dh_viewer_part {
    DH_VIEWER_PICTURE = 1,
    DH_VIEWER_PANEL = 2,
    DH_VIEWER_LINE = 4,
    DH_VIEWER_ALL = 7,
    DH_VIEWER_SCROLL = 8, /* the panel's texts stay, and move */
};

/* What is new in the folder. */
enum dh_viewer_news {
    DH_VIEWER_LINES = 1, /* events, header, the folder of pictures */
    DH_VIEWER_PART = 2,  /* the answer that is on its way */
    DH_VIEWER_STATE = 4, /* who has the desktop */
};

struct dh_viewer_colors {
    SDL_Color ink, dim, good, bad, accent, ground, panel, faint, mark, box,
        tokens, person;
};
extern const struct dh_viewer_colors dh_viewer_colors;

/* A text of the panel, drawn once. */
struct dh_viewer_piece {
    SDL_Surface *text;
    int y; /* from the panel's top, unscrolled */
};

struct dh_viewer_fonts {
    TTF_Font *plain, *bold, *mono;
};

struct dh_viewer {
    SDL_Window *window;
    SDL_Surface *to; // the window's; renewed when its size changes
    struct dh_viewer_fonts fonts;
    double scale;
    SDL_Rect picture, panel, line; // where the parts are
    SDL_Rect button; // of the line: takes or hands back; empty without a run

    struct dh_session_reader *session;
    struct dh_viewer_pictures *pictures;
    struct dh_viewer_watch *watch;
    int n_steps, n_stops; // stops: steps, or pictures where there are none
    int at;               // of the stops
    int64_t t, t_end;     // time that is shown; of the last line
    enum dh_viewer_show show;
    bool grid, marks, help, follow, playing;
    int speed;
    double zoom;           // screen pixels to a picture's; 0: all of it fits
    double look_x, look_y; // picture point in the middle, where zoom is set
    int scroll, panel_height;
    struct dh_viewer_piece *piece;
    int n_pieces, cap_pieces;
    enum dh_control_state state; // who has the desktop; GONE: not known
    char *running;               // what the model has said so far, or NULL
    bool typing;                 // into the search
    char query[128];
    const char *message; // constant, shown in the panel
    unsigned dirty;      // parts to draw
    bool waiting;        // a picture is still being decoded
};

/* --- viewer_draw --- */
void dh_viewer_lay_out(struct dh_viewer *v);
/* Draws the dirty parts and shows them. */
void dh_viewer_draw(struct dh_viewer *v);
/* The picture at the stop, 0 where there is none. */
int dh_viewer_number(const struct dh_viewer *v, bool after);
int64_t dh_viewer_stop_time(const struct dh_viewer *v, int stop);
/* Screen pixels to one of the picture of this size in an area. */
double dh_viewer_zoom(const struct dh_viewer *v, SDL_Rect area, int w, int h);

/* The step at the stop; NULL where there are only pictures. */
const struct dh_session_step *dh_viewer_step(const struct dh_viewer *v);
/* Pixels of a length; at least 1. */
int dh_viewer_px(const struct dh_viewer *v, double logical);

/* --- viewer_panel --- */
/* Reads and draws the texts of the stop. */
void dh_viewer_panel_write(struct dh_viewer *v);
/* Shows them on the window's surface. */
void dh_viewer_panel_show(struct dh_viewer *v);
void dh_viewer_panel_finish(struct dh_viewer *v);

/* --- viewer_text --- */
/* `px`: height of the text. Logs what to install where no font is found. */
DH_MUST_USE enum dh_status dh_viewer_fonts_open(struct dh_viewer_fonts *f,
                                                int px);
void dh_viewer_fonts_close(struct dh_viewer_fonts *f);
/* Wrapped at this width; NULL where nothing of it can be shown. Whatever the
 * text holds: what is no printable UTF-8 is replaced. */
SDL_Surface *dh_viewer_text_render(TTF_Font *font, const char *text,
                                   SDL_Color color, int width);
/* Wrapped at the width of `area`, clipped to `clip`; returns the height. */
int dh_viewer_text(SDL_Surface *to, TTF_Font *font, const char *text,
                   SDL_Color color, SDL_Rect area, const SDL_Rect *clip);

/* --- viewer_pictures --- */
/* An event of type `wake` is pushed when a picture is there. */
DH_MUST_USE enum dh_status
dh_viewer_pictures_create(struct dh_viewer_pictures **out,
                          const struct dh_session_reader *s,
                          const struct dh_viewer_options *o, uint32_t wake);
void dh_viewer_pictures_destroy(struct dh_viewer_pictures *p);
struct dh_viewer_want {
    int number;     /* 0: none */
    int64_t pts_ms; /* where the video shows it; -1: not known */
};
#define DH_VIEWER_WANTED 6
/* These are wanted, the first one first. */
void dh_viewer_pictures_want(
    struct dh_viewer_pictures *p,
    const struct dh_viewer_want want[DH_VIEWER_WANTED]);
/* A reference, or NULL: *why is "" while it is not there yet. */
struct dh_frame *dh_viewer_pictures_find(struct dh_viewer_pictures *p,
                                         int number, char why[200]);

/* --- viewer_watch --- */
DH_MUST_USE enum dh_status dh_viewer_watch_create(struct dh_viewer_watch **out,
                                                  const char *dir,
                                                  const char *runtime,
                                                  uint32_t wake);
void dh_viewer_watch_destroy(struct dh_viewer_watch *w);
/* What came since the last call, bits of enum dh_viewer_news. */
unsigned dh_viewer_watch_news(struct dh_viewer_watch *w);
/* GONE where no run listens; w may be NULL. */
enum dh_control_state dh_viewer_watch_state(struct dh_viewer_watch *w);
/* Ask the run for the desktop, or hand it back. */
void dh_viewer_watch_ask(struct dh_viewer_watch *w, bool take);

#endif
