/*
 * tools/viewer_priv.h - the parts of the viewer.
 *
 *   viewer           the window: events, keys, time; main thread
 *   viewer_draw      what is shown, into the window's surface
 *   viewer_text      fonts, and text on a surface
 *   viewer_pictures  decodes ahead on the thread dh-view
 *   viewer_watch     wakes the window when the folder changes (dh-watch)
 *
 * It draws on the window's own memory and not through a renderer: without a GPU
 * that is the fastest way, and the parts that did not change stay as they are.
 */
#ifndef DH_TOOLS_VIEWER_PRIV_H
#define DH_TOOLS_VIEWER_PRIV_H

#include <SDL.h>
#include <SDL_ttf.h>

#include "agent/session_read.h"
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
    bool typing; // into the search
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

/* --- viewer_text --- */
/* `px`: height of the text. Logs what to install where no font is found. */
DH_MUST_USE enum dh_status dh_viewer_fonts_open(struct dh_viewer_fonts *f,
                                                int px);
void dh_viewer_fonts_close(struct dh_viewer_fonts *f);
/* Wrapped at the width of `area`, clipped to `clip`; returns the height.
 * Whatever the text holds: what is no printable UTF-8 is replaced. */
int dh_viewer_text(SDL_Surface *to, TTF_Font *font, const char *text,
                   SDL_Color color, SDL_Rect area, const SDL_Rect *clip);

/* --- viewer_pictures --- */
/* An event of type `wake` is pushed when a picture is there. */
DH_MUST_USE enum dh_status
dh_viewer_pictures_create(struct dh_viewer_pictures **out,
                          const struct dh_session_reader *s, uint32_t wake);
void dh_viewer_pictures_destroy(struct dh_viewer_pictures *p);
/* These are wanted, the first one first; 0s are passed over. */
void dh_viewer_pictures_want(struct dh_viewer_pictures *p, const int *number,
                             int n);
/* A reference, or NULL: *why is "" while it is not there yet. */
struct dh_frame *dh_viewer_pictures_find(struct dh_viewer_pictures *p,
                                         int number, char why[200]);

/* --- viewer_watch --- */
DH_MUST_USE enum dh_status dh_viewer_watch_create(struct dh_viewer_watch **out,
                                                  const char *dir,
                                                  uint32_t wake);
void dh_viewer_watch_destroy(struct dh_viewer_watch *w);

#endif
