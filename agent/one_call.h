/* agent/one_call.h - tells when an answer's first call is behind it. */
#ifndef DH_AGENT_ONE_CALL_H
#define DH_AGENT_ONE_CALL_H

#include <stdbool.h>
#include <stddef.h>

struct dh_answer_stream;

struct dh_one_call {
    struct dh_answer_stream *stream; /* NULL: not looked for */
    size_t fed, whole;               /* whole: behind the call's object, or 0 */
};

void dh_one_call_init(struct dh_one_call *c, bool wanted);
void dh_one_call_finish(struct dh_one_call *c);
/*
 * `text` is all of the answer so far. True once it goes on behind its first
 * whole call and the call's closing tag, *keep being the length up to there. A
 * server that ends by itself after the tag is so never cut short of its usage.
 */
bool dh_one_call_is_over(struct dh_one_call *c, const char *text, size_t len,
                         size_t *keep);

#endif
