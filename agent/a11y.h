/*
 * agent/a11y.h - what programs say of their own widgets (AT-SPI).
 *
 * The library behind it may block, and the programs that answer may be slow or
 * hostile. Hence a child process asks, and we wait for it a fixed time at most:
 * what it does not know by then is not known.
 */
#ifndef DH_AGENT_A11Y_H
#define DH_AGENT_A11Y_H

#include <stdbool.h>

#include "base/geom.h"
#include "base/status.h"

/* One thread. */
struct dh_a11y;

/* The longest wait for an answer, and for one with a place. */
#define DH_A11Y_WAIT_MS  200
#define DH_A11Y_PLACE_MS 350

/* Text is UTF-8, cut at the size of its field, and untrusted. */
struct dh_a11y_node {
    char role[32];  /* AT-SPI's name: "push button", "entry", "password text" */
    char name[128]; /* what a screen reader says: a button's label */
    char text[1024];     /* content of a text widget; "" for a password */
    struct dh_rect rect; /* root pixels; empty where it does not say */
    bool password, editable, focused;
};

/* A text near a widget, from its centre to the text's. */
struct dh_a11y_label {
    char text[64];
    int dx, dy;
};

#define DH_A11Y_LABELS 3

/* How a widget is found again in its window. */
struct dh_a11y_place {
    char path[256]; /* "filler:0/push button:1": role and index, from the
                     * window down; "" where it is longer */
    char description[128];
    char states[96]; /* AT-SPI's names with commas, e.g. "checked,focused" */
    /* Widgets of the window that show with the same role and name, and which of
     * them it is, from 0. equal is 0: the window is too large to count. */
    int equal, index;
    int n_labels;
    struct dh_a11y_label label[DH_A11Y_LABELS]; /* the nearest first */
};

/*
 * Start the child; call it before any thread is made. The child talks to the
 * session bus that the environment names, so do not call it without one: a bus
 * would be started. DH_ERR_IO where no process or socket can be had.
 */
DH_MUST_USE enum dh_status dh_a11y_create(struct dh_a11y **out);
/* NULL is allowed. */
void dh_a11y_destroy(struct dh_a11y *a);

/* The innermost widget at a point of the screen, in the window on top there.
 * `pid` is that window's process where known, else 0 for any program. False:
 * nothing is known. a may be NULL. */
DH_MUST_USE bool dh_a11y_at(struct dh_a11y *a, int pid, struct dh_point p,
                            struct dh_a11y_node *out);
/* The last question had no answer in time, which is not the same as "nothing".
 * a may be NULL. */
bool dh_a11y_was_late(const struct dh_a11y *a);
/* The same as dh_a11y_at, and where it is in its window. */
DH_MUST_USE bool dh_a11y_place(struct dh_a11y *a, int pid, struct dh_point p,
                               struct dh_a11y_node *out,
                               struct dh_a11y_place *place);
/* A widget that was seen before, to be found again. */
struct dh_a11y_wanted {
    char role[32], name[128];
    char description[128], path[256]; /* "" where not known */
    char title[256];                  /* of the window that it is in */
    struct dh_rect box;               /* of that window, root pixels */
    int n_labels;
    struct dh_a11y_label label[DH_A11Y_LABELS];
};

#define DH_A11Y_HITS 16

struct dh_a11y_hits {
    struct dh_rect window; /* as the program has it, not always in pixels */
    int n; /* that have the role and the name; the first are in `hit` */
    struct {
        struct dh_rect rect; /* in the units of `window` */
        bool same_path, same_description;
    } hit[DH_A11Y_HITS];
    /* Where the labels are now; empty: not there, or more than once. */
    struct dh_rect label[DH_A11Y_LABELS];
};

/* Look for it in the window of that process. False: nothing is known, which is
 * not the same as n being 0. */
DH_MUST_USE bool dh_a11y_find(struct dh_a11y *a, int pid,
                              const struct dh_a11y_wanted *what,
                              struct dh_a11y_hits *out);
/* From here on the child listens to where the focus goes, so that it is known
 * at once. a may be NULL. */
void dh_a11y_watch(struct dh_a11y *a);
/* The widget that has the focus, in the active window. Likewise. */
DH_MUST_USE bool dh_a11y_focused(struct dh_a11y *a, int pid,
                                 struct dh_a11y_node *out);

#endif
