/*
 * actions/action.h - what the agent does to the desktop, in one form.
 *
 * Every dialect is parsed into this, every sink performs this, sessions record
 * this. Names are those of M3's desktop protocol (actions.md 2.4, 3.3).
 */
#ifndef DH_ACTIONS_ACTION_H
#define DH_ACTIONS_ACTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/geom.h"
#include "base/status.h"

struct dh_buf;
struct dh_diag;
struct dh_json;
struct dh_json_writer;

enum dh_action_op {
    DH_ACTION_SCREENSHOT, /* look again, do nothing */
    DH_ACTION_ZOOM,       /* look closer: start..at, or around at */
    DH_ACTION_CURSOR,     /* where the pointer is */
    DH_ACTION_MOVE,
    DH_ACTION_CLICK,
    DH_ACTION_DOWN, /* a button; released at the latest with the sink */
    DH_ACTION_UP,
    DH_ACTION_PRESS, /* a button down for duration_ms */
    DH_ACTION_DRAG,
    DH_ACTION_SCROLL,
    DH_ACTION_TYPE,
    DH_ACTION_KEY,
    DH_ACTION_HOLD_KEY,
    DH_ACTION_KEY_DOWN, /* released at the latest with the sink */
    DH_ACTION_KEY_UP,
    DH_ACTION_WAIT,
    DH_ACTION_ANSWER, /* text for the user; the run ends */
    DH_ACTION_ASK,    /* a question for the user */
    DH_ACTION_DONE,
    DH_ACTION_FAIL,
    DH_ACTION_COUNT
};

/* Bits, in the order in which they are pressed. */
enum dh_action_mods {
    DH_MOD_SHIFT = 1,
    DH_MOD_CONTROL = 2,
    DH_MOD_ALT = 4,
    DH_MOD_SUPER = 8,
    DH_MOD_ALTGR = 16,
};

/* What was mended while parsing; kept for the session's log. */
enum dh_action_repair {
    DH_REPAIR_SPACE = 1 << 0,        /* "left_ click" */
    DH_REPAIR_LICK = 1 << 1,         /* "double_lick" */
    DH_REPAIR_UNTERMINATED = 1 << 2, /* the closing tag is missing */
    DH_REPAIR_BARE = 1 << 3,         /* no tags around the object */
    DH_REPAIR_ARGUMENTS = 1 << 4,    /* "input", "parameters", flat object */
    DH_REPAIR_XML = 1 << 5,    /* native form in place of text, or damaged */
    DH_REPAIR_NUMBER = 1 << 6, /* numbers or points as text */
    DH_REPAIR_JSON = 1 << 7,   /* tolerant reading was needed */
    DH_REPAIR_CLAMP = 1 << 8,  /* 1001..1005 */
    DH_REPAIR_NAME = 1 << 9,   /* another dialect's name */
    DH_REPAIR_REASONING = 1 << 10, /* the call stood among the reasoning */
};

#define DH_ACTION_TEXT_MAX 16384
#define DH_ACTION_PATH_MAX 64

/*
 * `at` and `start` are 0..1000 as the model gave them until the agent maps
 * them, root pixels from then on (on_screen). Zero it before use.
 */
struct dh_action {
    enum dh_action_op op;
    bool has_at, has_start, on_screen;
    struct dh_point at, start;
    int button; /* 1 left, 2 middle, 3 right, 8 back, 9 forward */
    int count;  /* 1..3, of a click */
    unsigned mods;
    int dx, dy;      /* wheel notches, right and down are positive */
    int duration_ms; /* -1: not given */
    int repeat;      /* of a key, 1..100 */
    char *text;      /* owned; characters, chords, or a message. May be NULL */
    /* Of a drag with more than two points: all of them, start and at included;
     * owned, NULL for a straight one. */
    struct dh_point *path;
    int n_path;
    bool paste;   /* text: through the clipboard, whatever it is */
    bool confirm; /* the model's own vendor asks for a person's consent */
    unsigned repairs;
};

void dh_action_finish(struct dh_action *a);
void dh_action_copy(struct dh_action *out, const struct dh_action *a);
bool dh_action_equal(const struct dh_action *a, const struct dh_action *b);
/* The name in M3's protocol, e.g. "double_click". */
const char *dh_action_name(const struct dh_action *a);
bool dh_action_is_pointer(const struct dh_action *a);
/* The run ends with it. */
bool dh_action_is_final(const struct dh_action *a);

/* One line such as `left_click 500 300` or `type "Ada"`: what people read and
 * what `deskhand act` takes. */
void dh_action_text(const struct dh_action *a, struct dh_buf *out);
/* The inverse; quotes around a text may be left out. Points are 0..1000, or
 * root pixels where `pixels` says so. False with `why` set; *out needs no
 * finish then. */
DH_MUST_USE bool dh_action_of_text(const char *line, bool pixels,
                                   struct dh_action *out, struct dh_diag *why);
/* Members into an open object, names of benchmarks.md 10.2. */
void dh_action_json(const struct dh_action *a, struct dh_json_writer *w);
/* The inverse: an `act` line of a session, points in root pixels. Members that
 * are no part of an action are ignored. False with `why` set; *out needs no
 * finish then. */
DH_MUST_USE bool dh_action_of_json(const struct dh_json *o,
                                   struct dh_action *out, struct dh_diag *why);
/* Members of a call's "arguments", in M3's names and order (points 0..1000). */
void dh_action_arguments(const struct dh_action *a, struct dh_json_writer *w);
/* Comma-separated names of repairs, "" for none. */
void dh_action_repairs_text(unsigned repairs, struct dh_buf *out);

#endif
