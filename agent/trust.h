/*
 * agent/trust.h - a sink around a sink that does only what a person lets it.
 *
 * At the moment of the act it looks which window the action would reach, asks
 * the lists, the mode and, where the mode says so, a person, writes down what
 * was decided, and only then passes the action on. Nothing that stands on the
 * screen or in an answer of the model changes the mode.
 */
#ifndef DH_AGENT_TRUST_H
#define DH_AGENT_TRUST_H

#include <stdbool.h>

#include "actions/sink.h"
#include "actions/tier.h"
#include "base/geom.h"

struct dh_a11y;
struct dh_audit;
struct dh_windows;

enum dh_trust_mode {
    DH_TRUST_OBSERVE, /* looks, and nothing else */
    DH_TRUST_WATCH,   /* asks before it types */
    DH_TRUST_GUARD,   /* asks before what is risky */
    DH_TRUST_FREE,    /* asks never; what is never allowed stays so */
};

enum dh_trust_kind { DH_TRUST_WINDOW, DH_TRUST_PROGRAM, DH_TRUST_REGION };

/* A line of a list. `text` is a part of a title or a program's name, without
 * regard to case, and is not copied. */
struct dh_trust_rule {
    enum dh_trust_kind kind;
    const char *text;
    struct dh_rect box;
};

/* "window:TITLE PART", "program:NAME", "region:WxH+X+Y". */
DH_MUST_USE bool dh_trust_rule_parse(const char *text,
                                     struct dh_trust_rule *out);

struct dh_trust_question {
    const struct dh_action *action;
    const char *title, *program; /* "" where not known */
    const char *why;
    enum dh_tier tier;
};

enum dh_trust_answer {
    DH_TRUST_YES,
    DH_TRUST_NO,
    DH_TRUST_NOBODY, /* there is no one to ask */
};

struct dh_trust_options {
    enum dh_trust_mode mode;
    const struct dh_trust_rule *allow, *deny; /* not copied */
    int n_allow, n_deny;
    int max_rate;               /* actions in a minute; 0: any number */
    struct dh_windows *windows; /* needed; its limit is held to */
    struct dh_a11y *a11y;       /* NULL: what a click is on is not known */
    struct dh_audit *audit;     /* NULL: nothing is written down */
    struct dh_cancel *taken;    /* a person has the desktop; may be NULL */
    /* NULL: nobody. Blocks until there is an answer or a cancel. */
    enum dh_trust_answer (*ask)(void *user, const struct dh_trust_question *q,
                                struct dh_cancel *cancel);
    void *user;
};

/* Takes over `inner`, which the guard belongs in; the rest stays the caller's
 * and outlives it. */
struct dh_sink *dh_trust_create(struct dh_sink *inner,
                                const struct dh_trust_options *o);

#endif
