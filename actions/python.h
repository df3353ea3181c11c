/*
 * actions/python.h - actions as lines of pyautogui, the way that sets of
 * trajectories hold them, and back. Nothing is ever executed.
 *
 * AgentNet's form: points are fractions of the screen, `computer` has what
 * pyautogui lacks. What one of our actions needs several calls for (modifiers,
 * a drag along a path) is one action again when it is read. Lost on the way:
 * `paste`, and which of several spellings a key had.
 */
#ifndef DH_ACTIONS_PYTHON_H
#define DH_ACTIONS_PYTHON_H

#include <stdbool.h>
#include <stddef.h>

#include "actions/parse.h"

struct dh_buf;

/* Lines without an end of line after the last. Points are root pixels; those
 * outside of `screen` become its edge. */
void dh_python_write(const struct dh_action *a, struct dh_rect screen,
                     struct dh_buf *out);

struct dh_python_actions {
    struct dh_action *item; /* owned */
    int n, cap;
};

#define DH_PYTHON_MAX_ACTIONS 1024

/*
 * All calls of a code, which may hold none. Points are root pixels by
 * options->coord and options->screen. False with `why` where one cannot be
 * performed. *out is set in both cases and must be finished.
 */
DH_MUST_USE bool dh_python_read(const struct dh_parse_options *options,
                                const char *code, size_t len,
                                struct dh_python_actions *out,
                                struct dh_diag *why);
void dh_python_finish(struct dh_python_actions *a);

/* The name of a key as X has it, of one that pyautogui has; or the same. */
const char *dh_python_x_key(const char *name);
const char *dh_python_key(const char *x_name);

#endif
