/* agent/demo_priv.h - what the files of the demonstration share. One thread. */
#ifndef DH_AGENT_DEMO_PRIV_H
#define DH_AGENT_DEMO_PRIV_H

#include "agent/demo.h"
#include "agent/page_priv.h"
#include "agent/reduce.h"
#include "agent/session_file.h"
#include "agent/target.h"
#include "capture/input_record.h"
#include "capture/input_setup.h"
#include "capture/screen.h"

struct dh_frame;
struct dh_source;

#define DH_DEMO_HIDDEN  32
#define DH_DEMO_ACTS    16
#define DH_DEMO_CHANGES 16
#define DH_DEMO_MASKED  32
#define DH_DEMO_MENUS   8
#define DH_DEMO_PAST    3

/* What there was when an action began. */
struct dh_moment {
    int64_t n; /* of its first event; 0: none */
    struct dh_frame *before;
    bool has_target;
    struct dh_target target;
};

/* An action that is to be written. */
struct dh_demo_act {
    struct dh_reduced what;
    struct dh_moment moment;
};

/* An action of which it is not known yet what it did. */
struct dh_demo_wait {
    int64_t line;  /* 0: none */
    int64_t acted; /* the same, kept until the next one */
    int64_t began_ns, ended_ns, still_ns;
    uint64_t before;
    bool changed;
};

/* A window that came, went or was renamed. */
struct dh_demo_change {
    int64_t time_ns;
    enum dh_window_change what;
    char title[256], wm_class[128];
};

/* Who may see what: agent/demo_privacy.c. */
struct dh_demo_privacy {
    struct dh_window focus;
    unsigned long hidden[DH_DEMO_HIDDEN]; /* windows that are excluded */
    int n_hidden;
    bool secret;                           /* a password field has the focus */
    struct dh_rect field;                  /* that field */
    struct dh_rect masked[DH_DEMO_MASKED]; /* all of them until now */
    int n_masked;
    struct dh_a11y_node node;
    bool has_node; /* of what has the focus */
    int64_t asked_ns;
    bool late;        /* the program did not say in time */
    bool touched;     /* the focus may have gone elsewhere since */
    int64_t secret_n; /* the line that stands for secret keys; 0: none */
    uint8_t down[32]; /* keys whose press was not told, a bit each */
};

struct dh_demo {
    const struct dh_demo_options *o;
    struct dh_session_file *file;
    struct dh_source *source; /* a veil */
    struct dh_input_record *input;
    struct dh_reduce *reduce;
    struct dh_windows *windows;
    struct dh_demo_privacy privacy;
    struct dh_frame *latest; /* what is on the screen */
    struct dh_frame
        *past[DH_DEMO_PAST]; /* what was there before, the newest first */
    struct dh_frame *fresh;  /* newer, not known to be clean yet */
    struct dh_frame *still;  /* as it was before the hand began to move */
    int64_t looked_ns, moved_ns, began_ns;
    int64_t since_ns; /* from here on what has the focus is asked for */
    struct dh_moment pending;
    struct dh_demo_act act[DH_DEMO_ACTS];
    int n_acts;
    struct dh_demo_wait wait;
    int frame; /* number of the last `frame` line */
    struct dh_page page;
    char layout[64];
    struct dh_input_setup setup;
    struct dh_screen_info screen;
    struct dh_demo_change change[DH_DEMO_CHANGES]; /* not told of yet */
    int n_changes;
    struct dh_window menu[DH_DEMO_MENUS]; /* those that show, the newest last */
    int n_menus;
    bool paused, over;
    enum dh_status failed;
    struct dh_demo_result result;
};

/* --- demo_privacy --- */

/* What is done in it is no part of the demonstration: the terminal that we run
 * in, our own windows. */
bool dh_demo_is_own(const struct dh_window *w);
/* The window may not be looked into. */
bool dh_demo_is_hidden(const struct dh_demo *d, unsigned long window);
void dh_demo_note_window(struct dh_demo *d, const struct dh_input_event *e);
/* What this key types may not be known. Asks the program where it has to. */
bool dh_demo_is_secret(struct dh_demo *d, const struct dh_input_event *e);
/* Ask again what has the focus, where it may have moved. */
void dh_demo_ask_focus(struct dh_demo *d);
/* Paint over what has to be, from the next picture on. */
void dh_demo_draw_veil(struct dh_demo *d);

/* --- demo_write: all failures are kept in d->failed --- */

/* The number of the line. */
int64_t dh_demo_write_raw(struct dh_demo *d, const struct dh_input_event *e);
int64_t dh_demo_write_secret(struct dh_demo *d, int64_t time_ns);
void dh_demo_write_window(struct dh_demo *d, const struct dh_input_event *e);
/* One member: `key` with `text`. */
void dh_demo_write_text(struct dh_demo *d, const char *kind, const char *key,
                        const char *text);
void dh_demo_write_drop(struct dh_demo *d, uint64_t count);
/* The actions that wait for it. */
void dh_demo_write_acts(struct dh_demo *d);
/* What the last action did until then, as far as it can be seen in `after`;
 * NULL is allowed. */
void dh_demo_write_done(struct dh_demo *d, const struct dh_frame *after,
                        int64_t until_ns);
/* To be told of with the action that it came of. */
void dh_demo_note_change(struct dh_demo *d, const struct dh_input_event *e);
/* The clipboard has another content. */
void dh_demo_write_clip(struct dh_demo *d, const char *text);

/* --- demo_head: members of the header, and of its screen --- */

void dh_demo_write_head(void *demo, struct dh_json_writer *w);
void dh_demo_write_screen(void *demo, struct dh_json_writer *w);

#endif
