/*
 * agent/a11y_priv.h - the child that asks programs about their widgets. What a
 * function returns as an AtspiAccessible is the caller's.
 */
#ifndef DH_AGENT_A11Y_PRIV_H
#define DH_AGENT_A11Y_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <atspi/atspi.h>

#include "agent/a11y.h"

#define DH_A11Y_MAX_DEPTH 48

enum dh_a11y_op {
    DH_A11Y_OP_AT,
    DH_A11Y_OP_PLACE,
    DH_A11Y_OP_FOCUSED,
    DH_A11Y_OP_FIND,
    DH_A11Y_OP_WATCH,
};

struct dh_a11y_question {
    uint32_t serial;
    int32_t op, pid, x, y;
    struct dh_a11y_wanted what; // of DH_A11Y_OP_FIND
};

struct dh_a11y_answer {
    uint32_t serial;
    bool found;
    bool late; // a program did not answer the child
    struct dh_a11y_node node;
    struct dh_a11y_place place;
    struct dh_a11y_hits hits;
};

/* One walk through widgets, which ends in time. */
struct dh_a11y_search {
    int64_t until_ns;
    int nodes;
};

/* One more was looked at; true: that is enough. */
bool dh_a11y_is_over(struct dh_a11y_search *s);

bool dh_a11y_has_state(AtspiAccessible *a, AtspiStateType state);
struct dh_rect dh_a11y_rect(AtspiAccessible *a);
/* Takes `from`, which may be NULL. */
void dh_a11y_put(char *to, size_t size, char *from);
void dh_a11y_read_node(AtspiAccessible *a, struct dh_a11y_node *out);
/* The first `n` names of states that recordings keep, or all that are known. */
#define DH_A11Y_KEPT_STATES 6
#define DH_A11Y_STATES      10
void dh_a11y_put_states(AtspiStateSet *set, size_t n, char *out, size_t size);

/* Takes over `a`, returns the innermost one below it at the point. */
AtspiAccessible *dh_a11y_descend(struct dh_a11y_search *s, AtspiAccessible *a,
                                 struct dh_point p);
/* Depth first, visible ones only. */
AtspiAccessible *dh_a11y_find_focus(struct dh_a11y_search *s,
                                    AtspiAccessible *a, int depth);

void dh_a11y_read_place(struct dh_a11y_search *s, AtspiAccessible *hit,
                        AtspiAccessible *win, struct dh_a11y_answer *out);
/* False: it is not this window. */
bool dh_a11y_hunt(struct dh_a11y_search *s, AtspiAccessible *win,
                  const struct dh_a11y_question *q, struct dh_a11y_answer *out);

#endif
