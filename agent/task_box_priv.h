/* agent/task_box_priv.h - the inner side of a room. */
#ifndef DH_AGENT_TASK_BOX_PRIV_H
#define DH_AGENT_TASK_BOX_PRIV_H

#include <stdbool.h>

#include "agent/task_box.h"

/* A request; the command's text follows where it is one, with one or two
 * descriptors: its output and, where there is one, its input. */
struct dh_box_ask {
    int32_t id, seconds; // of fn
    int (*fn)(void);     // the same on both sides: one forked the other
};

enum dh_box_word {
    DH_BOX_READY,     /* status: errno of what failed, 0: none */
    DH_BOX_ENDED,     /* status: the command's exit status */
    DH_BOX_NO_FORK,   /* status: errno */
    DH_BOX_NO_MEMORY, /* the room is about to end */
};

struct dh_box_told {
    int32_t word, id, status;
    char what[64]; /* READY: what failed */
};

/* The rest of the life of the forked child: makes the namespaces, and in them
 * a first process that serves requests. Ends when `sock` is closed. */
_Noreturn void dh_box_live(int sock, const struct dh_box_options *o);
/* Everything the room's programs see. False: *what failed, with errno. */
DH_MUST_USE bool dh_box_furnish(const struct dh_box_options *o,
                                const char **what);

#endif
