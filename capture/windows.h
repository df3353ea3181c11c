/*
 * capture/windows.h - which window is where, and whose it is.
 *
 * Title and class are what the program says of itself; the program's name is
 * what the system says of the process that the window names.
 */
#ifndef DH_CAPTURE_WINDOWS_H
#define DH_CAPTURE_WINDOWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/geom.h"
#include "base/status.h"

/* A connection of its own; one thread. */
struct dh_windows;

struct dh_window {
    unsigned long id;    /* 0: none, the bare desktop */
    struct dh_point at;  /* the point that was asked for, or the pointer's */
    struct dh_rect box;  /* in root pixels, without the manager's frame */
    int pid;             /* 0: not known */
    unsigned long owner; /* the window that it says it belongs to; 0: none */
    bool menu;           /* no manager minds it: a menu, a hint */
    bool own;            /* of this process, or of a terminal that it runs in */
    bool within;         /* see dh_windows_limit; true without a limit */
    char title[256], wm_class[128]; /* "name.Class" */
    char program[64];               /* the file's name, "" where not known */
};

DH_MUST_USE enum dh_status dh_windows_create(struct dh_windows **out,
                                             const char *display);
/* NULL is allowed. */
void dh_windows_destroy(struct dh_windows *w);

/*
 * The window that a click at `at` (NULL: where the pointer is) would reach, or
 * that keys would. DH_OK with id 0: none. A window that goes in between is
 * none as well; DH_ERR_CLOSED: the server is gone.
 */
DH_MUST_USE enum dh_status dh_windows_at(struct dh_windows *w,
                                         const struct dh_point *at,
                                         struct dh_window *out);
DH_MUST_USE enum dh_status dh_windows_focused(struct dh_windows *w,
                                              struct dh_window *out);
/* The program's window that `id` is or holds, such as a manager's frame. */
DH_MUST_USE enum dh_status dh_windows_within(struct dh_windows *w,
                                             unsigned long id,
                                             struct dh_window *out);
/* `within` of what is found tells from now on whether a click or a key would
 * reach the window `id`, what lies in it, or a dialog or menu that belongs to
 * it. 0: no limit. */
void dh_windows_limit(struct dh_windows *w, unsigned long id);

#define DH_WINDOWS_LISTED 64

/* The programs' windows, without menus and the like. */
struct dh_window_list {
    int n;               /* DH_WINDOWS_LISTED: there may be more */
    unsigned long focus; /* 0: none, or on the bare desktop */
    struct {
        unsigned long id;
        char title[128];
    } item[DH_WINDOWS_LISTED];
};

/* DH_ERR_NOTFOUND: a window went while we asked. */
DH_MUST_USE enum dh_status dh_windows_list(struct dh_windows *w,
                                           struct dh_window_list *out);
/*
 * All programs' windows that show, menus and dialogs too, the topmost first:
 * their number, `max` at most. What belongs to no program is left out, and so
 * is a window that goes while we ask. DH_ERR_CLOSED.
 */
DH_MUST_USE enum dh_status
dh_windows_stack(struct dh_windows *w, struct dh_window *out, int max, int *n);
/*
 * Put a window on top and give it the focus, as a person does in a task bar;
 * where no manager runs, by our own hand. It waits for that, until_ns at most.
 * DH_ERR_TIMEOUT: it has not come; DH_ERR_NOTFOUND: it has gone.
 */
DH_MUST_USE enum dh_status dh_windows_raise(struct dh_windows *w,
                                            unsigned long id, int64_t until_ns);
/* Move it so that its box is `box`, and wait likewise. DH_ERR_TIMEOUT: the
 * manager or the program has it otherwise. */
DH_MUST_USE enum dh_status dh_windows_place(struct dh_windows *w,
                                            unsigned long id,
                                            struct dh_rect box,
                                            int64_t until_ns);
/* Give the focus back to where dh_windows_focused found it last: a person who
 * answered a question had to take it. Nothing happens if that has gone. */
void dh_windows_refocus(struct dh_windows *w);

#endif
