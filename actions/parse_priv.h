/* actions/parse_priv.h - the parts of the answer parser. */
#ifndef DH_ACTIONS_PARSE_PRIV_H
#define DH_ACTIONS_PARSE_PRIV_H

#include <stdbool.h>

#include "actions/parse.h"
#include "base/json.h"
#include "base/str.h"

struct dh_buf;

#define DH_PARSE_MAX_DEPTH 32
#define DH_PARSE_MARKER    "]<]minimax[>["
#define DH_PARSE_NAME_MAX  48

/* How a call is to be understood. NULL stands for the defaults. */
struct dh_parse_how {
    const struct dh_parse_options *options;
    enum dh_dialect dialect;
};

/* Where the actions of one answer are put together. */
struct dh_collector {
    struct dh_parse_how how;
    struct dh_answer *answer;
    struct dh_diag *diag;
    unsigned repairs; /* of the envelope, added to each action */
    bool confirm;     /* of the envelope, likewise */
    bool failed;
    int depth;
};

/*
 * Read one object that starts at text.p[0] == '{', or an array at '[',
 * forgiving what models get wrong (single quotes, raw newlines in strings,
 * trailing commas, bare words, missing brackets at the end), and write it as
 * strict JSON. *used is the number of bytes read. False, with diag, where it is
 * too deep or cut off inside of a string. *mended says whether the text was not
 * strict JSON.
 */
DH_MUST_USE bool dh_parse_json_object(struct dh_str text, struct dh_buf *out,
                                      size_t *used, bool *mended,
                                      struct dh_diag *diag);

/* Called per call with the tool's name and its arguments as strict JSON. */
typedef bool (*dh_parse_call_fn)(void *user, struct dh_str name,
                                 struct dh_str arguments);

/* Read calls in M3's native form; text starts at a marker, whole or damaged.
 * Stops where fn returns false. m3.md 5.2, 5.5. */
void dh_parse_xml(struct dh_str text, dh_parse_call_fn fn, void *user);

/* Read `<function=name><parameter=key>value</parameter></function>` at the
 * start of text; values that are JSON arrays or objects are taken as such.
 * Returns the bytes read, 0 where it is none. */
size_t dh_parse_function(struct dh_str text, struct dh_str *name,
                         struct dh_buf *json);

/* A block of pyautogui calls; false, with diag, where one line is another. */
bool dh_parse_pyautogui(struct dh_collector *c, struct dh_str block);
/* `click(point='...')` and its like, one in each line. False where there is
 * none. */
bool dh_parse_uitars(struct dh_collector *c, struct dh_str text);
/* The JSON of a message, of tool calls, of one call, or of one action: an
 * object or an array. False where no action stands in it. */
bool dh_parse_message(struct dh_collector *c, const struct dh_json *v);
enum dh_scan_kind {
    DH_SCAN_PLAIN,
    DH_SCAN_JSON,   /* it starts with an object or a list */
    DH_SCAN_TAGGED, /* <tool_call> came first */
    DH_SCAN_XML,    /* M3's marker came first */
};

/* Reads the text as it comes, drops the thinking and finds where a call ends.
 * In what is kept, `call` is the last one that has ended. */
struct dh_scan {
    struct dh_buf *clean; /* the text without the thinking */
    enum dh_scan_kind kind;
    int mode;
    size_t at;        /* of the input, what is before was read */
    size_t from, end; /* in clean: where the open call begins, where it ended */
    char quote;
    bool escaped;
    int depth;
    char closer[DH_PARSE_MAX_DEPTH];
    bool dead;      /* no call can be told before the end any more */
    bool dropped;   /* a call was dropped, being a thought */
    bool thinking;  /* it has begun and not ended */
    size_t thought; /* where in the input it began */
    bool ended;     /* a call is between from and end */
};
void dh_scan_init(struct dh_scan *s, struct dh_buf *clean, bool thinking);
/* Go on to the end of `in`, whose first s->at bytes are known, or to the end of
 * the next call: true, and it is to be called again. */
bool dh_scan_go(struct dh_scan *s, struct dh_str in, bool final);
/* The calls in clean[from..end): one object, or M3's XML, or Qwen's. */
void dh_parse_slice(struct dh_collector *c, enum dh_scan_kind kind,
                    struct dh_str slice);

/* Any text, behind the thinking. */
void dh_parse_text(struct dh_collector *c, struct dh_str text);

/* A member by its name, forgiving stray spaces and underscores ("text_ "). */
const struct dh_json *dh_parse_member(const struct dh_json *args,
                                      const char *key);
/* The first of several names, the last one being NULL. */
const struct dh_json *dh_parse_member_of(const struct dh_json *args,
                                         const char *const *keys);
/* Lower case, spaces and hyphens as underscores, no prefix of a tool. */
void dh_parse_clean_name(struct dh_str s, char out[DH_PARSE_NAME_MAX],
                         unsigned *repairs);

/* Up to four numbers in a number, list, text or {x,y}; -1 where it is not. */
int dh_parse_numbers(const struct dh_json *v, double out[4], unsigned *repairs);
/* Two numbers as the model gave them, by the convention of `how`. */
DH_MUST_USE bool dh_parse_aim(const struct dh_parse_how *how, const char *key,
                              const double n[2], struct dh_point *out,
                              struct dh_action *a, struct dh_diag *diag);
/* The members of a pointer's places: at, start and path. */
DH_MUST_USE bool dh_parse_places(const struct dh_parse_how *how,
                                 const struct dh_json *args,
                                 struct dh_action *a, struct dh_diag *diag);
/* The distance of a scroll in notches, in whatever unit it is given. */
DH_MUST_USE bool dh_parse_scroll(const struct dh_parse_how *how,
                                 const char *name, const struct dh_json *args,
                                 struct dh_action *a, struct dh_diag *diag);
/* A number by its name; false where absent or not one. */
bool dh_parse_number(const struct dh_json *args, const char *key, double *out,
                     unsigned *repairs);

/* Is it the name of an action, in any dialect? */
bool dh_parse_is_verb(struct dh_str name);
/*
 * One call to an action. `tool` may itself be the action's name. *a is zeroed
 * by the caller. False, with diag, where it cannot be executed.
 */
DH_MUST_USE bool dh_parse_call(const struct dh_parse_how *how,
                               struct dh_str tool, const struct dh_json *args,
                               struct dh_action *a, struct dh_diag *diag);
/* One call to the actions that it stands for, into the answer. False where it
 * cannot be executed (c->failed) or the answer is full. */
bool dh_parse_add(struct dh_collector *c, struct dh_str tool,
                  const struct dh_json *args, unsigned repairs);

#endif
