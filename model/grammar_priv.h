/*
 * model/grammar_priv.h - the automaton of one answer, byte by byte.
 *
 * The forms of an answer are strings with holes; put together they make a tree
 * of bytes. A node may have a hole: it is filled before one of the node's
 * children is taken.
 */
#ifndef DH_MODEL_GRAMMAR_PRIV_H
#define DH_MODEL_GRAMMAR_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/grammar.h"

enum dh_hole {
    DH_HOLE_NONE,
    DH_HOLE_LINE,     /* printable text of one line */
    DH_HOLE_TEXT,     /* inside of a JSON string, long */
    DH_HOLE_KEYS,     /* inside of a JSON string, short */
    DH_HOLE_COORD,    /* 0..1000 */
    DH_HOLE_AMOUNT,   /* 1..50 */
    DH_HOLE_DURATION, /* 0..60, up to two decimals */
};

/*
 * A text hole that holds so many bytes when an id begins only closes. Looking
 * at it there, not at each byte, makes what may follow the same all along the
 * hole, so that it can be kept. A hole goes beyond by one piece of the
 * vocabulary and the rest of an escape at most: 31 + 12 bytes.
 */
#define DH_HOLE_LINE_MAX 120
#define DH_HOLE_TEXT_MAX 1950
#define DH_HOLE_KEYS_MAX 64

struct dh_automaton_node {
    unsigned char byte;
    uint8_t hole;
    uint16_t child, next; /* 0: none */
};

/* Where we are: in a hole, `sub` is the place inside a character, an escape or
 * a number, `value` the bytes or the number so far. */
struct dh_automaton_state {
    uint16_t node;
    uint8_t sub;
    bool full; /* only what closes the hole may come */
    uint16_t value;
};

struct dh_automaton {
    struct dh_automaton_node node[4096];
    size_t n;
};

void dh_automaton_build(struct dh_automaton *a, enum dh_grammar_kind kind);
/* Take a byte; false, and the state is then void, where it may not come. */
bool dh_automaton_step(const struct dh_automaton *a,
                       struct dh_automaton_state *s, unsigned char byte);
/* Nothing may follow. */
bool dh_automaton_is_end(const struct dh_automaton *a,
                         const struct dh_automaton_state *s);
/* It is inside of text, where most bytes may come. */
bool dh_automaton_is_text(const struct dh_automaton *a,
                          const struct dh_automaton_state *s);
/* An id ends here: see whether its hole is full. */
void dh_automaton_settle(const struct dh_automaton *a,
                         struct dh_automaton_state *s);

#endif
