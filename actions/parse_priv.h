/* actions/parse_priv.h - the parts of the answer parser. */
#ifndef DH_ACTIONS_PARSE_PRIV_H
#define DH_ACTIONS_PARSE_PRIV_H

#include <stdbool.h>

#include "actions/action.h"
#include "base/diag.h"
#include "base/json.h"
#include "base/str.h"

struct dh_buf;

#define DH_PARSE_MAX_DEPTH 32
#define DH_PARSE_MARKER    "]<]minimax[>["

/*
 * Read one object that starts at text.p[0] == '{', forgiving what models get
 * wrong (single quotes, raw newlines in strings, trailing commas, bare words,
 * missing brackets at the end), and write it as strict JSON. *used is the
 * number of bytes read. False, with diag, where it is too deep or cut off
 * inside of a string. *mended says whether the text was not strict JSON.
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

/*
 * One call to an action. `tool` may itself be the action's name. *a is zeroed
 * by the caller. False, with diag, where it cannot be executed.
 */
DH_MUST_USE bool dh_parse_call(struct dh_str tool, const struct dh_json *args,
                               struct dh_action *a, struct dh_diag *diag);

#endif
