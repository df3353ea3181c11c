/* tests/agent/part.h - what a scripted server does for a brain behind it, and
 * the questions that the tests of endpoints put to it. */
#ifndef DH_TESTS_AGENT_PART_H
#define DH_TESTS_AGENT_PART_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "tests/agent/peer.h"

struct dh_brain;
struct dh_decision;
struct dh_frame;

/* A section that does not wait long. */
#define PART_QUICK                                           \
    "[t]\nurl=http://x/v1\nprofile=minimax\nbackoff=0.001\n" \
    "idle=0.4\ntotal=2\n"

// What a peer is to do, and what it saw.
struct part {
    const char *profile;       // told as owned_by; NULL: no list of models
    const char *const *events; // of each answer, NULL ends
    const char *name;          // of events, NULL: none
    int fail_first, fail_code; // so many answers with this code and body
    const char *fail_body;
    char *bodies[PEER_REQUESTS];
    int n_bodies;
    bool no_end; // the stream goes on
};

/* A peer_fn; user is the part. */
bool part_play(struct peer *p, int fd, const struct peer_request *r);
void part_finish(struct part *part);

/* A brain behind the peer; config is a file's text with a section [t], or NULL:
 * none. */
struct dh_brain *part_connect(const struct peer *p, const char *config);
struct dh_frame *part_picture(int w, int h, uint64_t seed);
/* One decision about one picture. */
enum dh_status part_decide(struct dh_brain *b, struct dh_decision *out);

/* Events of an answer that clicks, its closing tag taken by a stop. */
extern const char *const part_streamed[];

#endif
