/* agent/one_call.h - tells when an answer's first call is behind it. */
#ifndef DH_AGENT_ONE_CALL_H
#define DH_AGENT_ONE_CALL_H

#include <stdbool.h>
#include <stddef.h>

struct dh_answer_stream;
struct dh_buf;

struct dh_one_call {
    struct dh_answer_stream *stream; /* NULL: not looked for */
    size_t fed, whole;               /* whole: behind the call's object, or 0 */
};

void dh_one_call_init(struct dh_one_call *c, bool wanted);
void dh_one_call_finish(struct dh_one_call *c);
/*
 * `text` is all of the answer so far, the piece from `before` on being new.
 * Once it goes on behind its first whole call and the call's closing tag it is
 * cut there. A server that ends by itself after the tag is so never cut short
 * of its usage. What stays of the piece is told on_text, which may be NULL.
 * True: it was cut, or on_text returned false; nothing more is wanted.
 */
bool dh_one_call_take(struct dh_one_call *c, struct dh_buf *text, size_t before,
                      bool (*on_text)(void *user, const char *piece,
                                      size_t len),
                      void *user);

#endif
