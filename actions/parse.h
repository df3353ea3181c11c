/*
 * actions/parse.h - the model's answer to actions.
 *
 * Reads every dialect of actions.md 1: the text protocol of M3's desktop agent
 * and its native XML with the repairs of 2.6, native tool calls as the JSON of
 * a message (Anthropic, OpenAI, Gemini), Qwen, UI-TARS, pyautogui (read, never
 * executed), OSWorld, a bare object, and words such as DONE. The text is
 * untrusted: bounded, no recursion deeper than 32, time linear in its length.
 */
#ifndef DH_ACTIONS_PARSE_H
#define DH_ACTIONS_PARSE_H

#include <stddef.h>

#include "actions/action.h"
#include "base/diag.h"
#include "base/status.h"

#define DH_ANSWER_MAX_ACTIONS 32
#define DH_ANSWER_MAX_BYTES   (1024 * 1024)

/* What the numbers of a point mean. It is a property of the model, set by
 * whoever knows the model; it is never guessed from the numbers. */
enum dh_coord {
    DH_COORD_NORM1000, /* 0..1000 on both axes; left so, on_screen false */
    DH_COORD_NORM1,    /* fractions 0..1 */
    DH_COORD_PIXELS_SENT,
    DH_COORD_PIXELS_RESIZED28, /* of the picture after the smart resize */
    DH_COORD_PIXELS_SCREEN,    /* of the captured rectangle */
    DH_COORD_COUNT
};

enum dh_dialect {
    DH_DIALECT_NONE,
    DH_DIALECT_M3_TEXT,
    DH_DIALECT_M3_XML,
    DH_DIALECT_NATIVE, /* `tool_calls` of a chat message */
    DH_DIALECT_ANTHROPIC,
    DH_DIALECT_OPENAI, /* computer_call, `actions` */
    DH_DIALECT_UITARS,
    DH_DIALECT_QWEN,
    DH_DIALECT_GEMINI,
    DH_DIALECT_PYAUTOGUI,
    DH_DIALECT_OSWORLD,
    DH_DIALECT_WORD, /* DONE, FAIL, WAIT, [INFEASIBLE] */
    DH_DIALECT_BARE, /* an object without an envelope */
    DH_DIALECT_COUNT
};

/* Zeroed is the default: norm1000, nothing known of the screen. */
struct dh_parse_options {
    enum dh_coord coord;
    struct dh_size sent;   /* the picture as sent; empty: as the screen */
    struct dh_rect screen; /* the captured rectangle, in root pixels */
    bool thinking;         /* the prompt has opened the thinking already */
};

struct dh_answer {
    struct dh_action action[DH_ANSWER_MAX_ACTIONS];
    int n;
    enum dh_dialect dialect;
    char *step; /* the text after "Action:", trimmed; owned, "" where absent */
};

/*
 * DH_OK: at least one action. DH_ERR_FORMAT: none, or one that cannot be
 * executed; diag says what is wrong in one line that the model can be shown.
 * *out is set in both cases and must be finished. In other conventions than
 * norm1000 points are root pixels and on_screen is set.
 */
DH_MUST_USE enum dh_status
dh_answer_parse_with(const struct dh_parse_options *options, const char *text,
                     size_t len, struct dh_answer *out, struct dh_diag *diag);
/* With the defaults. */
DH_MUST_USE enum dh_status dh_answer_parse(const char *text, size_t len,
                                           struct dh_answer *out,
                                           struct dh_diag *diag);
/* The same for a call among the reasoning, where the answer's own text is
 * empty: some servers misfile it. Its actions carry DH_REPAIR_REASONING. */
DH_MUST_USE enum dh_status
dh_answer_parse_reasoning(const struct dh_parse_options *options,
                          const char *text, size_t len, struct dh_answer *out,
                          struct dh_diag *diag);
void dh_answer_finish(struct dh_answer *a);

/* "norm1000", "pixels-sent", ...; "m3-text", "anthropic", ... */
const char *dh_coord_name(enum dh_coord c);
DH_MUST_USE bool dh_coord_of_name(const char *name, enum dh_coord *out);
const char *dh_dialect_name(enum dh_dialect d);

/*
 * The same answer while it arrives. An action of the tagged forms (M3 text,
 * M3 XML, Qwen) is known when its object or its XML call ends; the other forms
 * need the whole text. What is taken before the end is a prefix of what
 * dh_answer_parse_with gives for the whole text.
 */
struct dh_answer_stream;
struct dh_answer_stream *
dh_answer_stream_create(const struct dh_parse_options *options);
void dh_answer_stream_destroy(struct dh_answer_stream *s);
/* More than DH_ANSWER_MAX_BYTES in all are counted and dropped. */
void dh_answer_stream_feed(struct dh_answer_stream *s, const char *bytes,
                           size_t n);
/* Hand over the next finished action; false where there is none yet. */
DH_MUST_USE bool dh_answer_stream_take(struct dh_answer_stream *s,
                                       struct dh_action *out);
/*
 * The text is complete. The status, diag and *out are those of the whole text,
 * with the actions that were taken already. DH_ERR_FORMAT also where an end of
 * thinking came after an action was handed out, which so was only a thought.
 */
DH_MUST_USE enum dh_status dh_answer_stream_end(struct dh_answer_stream *s,
                                                struct dh_answer *out,
                                                struct dh_diag *diag);

#endif
