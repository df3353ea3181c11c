/*
 * agent/a11y_tree.h - all that the programs of a desktop say of the widgets
 * that show, as text, for a check that is made afterwards.
 */
#ifndef DH_AGENT_A11Y_TREE_H
#define DH_AGENT_A11Y_TREE_H

#include <stdint.h>

#include "base/geom.h"
#include "base/str.h"

struct dh_buf;
struct dh_json;

/*
 * A line of JSON for each widget, a parent before its children: {"depth": 1 for
 * a window, "role", "name", "states": "checked,focused", "text": of a text
 * widget that holds no password, "box": [x, y, width, height]}.
 *
 * Asks in this process, which may hang or crash over it: call it in one that
 * nobody needs. DH_ERR_TIMEOUT, DH_ERR_RANGE: not the whole tree; DH_ERR_IO:
 * there is no bus.
 */
DH_MUST_USE enum dh_status dh_a11y_tree(int64_t until_ns, struct dh_buf *out);

/*
 * Is there a widget as the last part of `path` says, in one as the part before
 * it says, and so on? A part is an object of "role", "name", "text" and "state"
 * (a name or a list of them; "!checked": it must not be) and "label" (a text at
 * its left or above), each as it is or absent. False where `tree` is none.
 */
bool dh_a11y_tree_has(struct dh_str tree, const struct dh_json *path,
                      bool ignore_case);
/* Likewise, and where the first one is that has a place: root pixels. */
bool dh_a11y_tree_find(struct dh_str tree, const struct dh_json *path,
                       struct dh_rect *box);

#endif
