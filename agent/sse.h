/*
 * agent/sse.h - server-sent events, as they arrive.
 *
 * Bytes in, cut anywhere; whole events out. Comments are skipped, data lines of
 * one event joined with newlines, CR, LF and CRLF all end a line (WHATWG HTML,
 * server-sent events). What is not UTF-8 is handed on as it came: JSON's reader
 * refuses it. Untrusted: an event is bounded.
 */
#ifndef DH_AGENT_SSE_H
#define DH_AGENT_SSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/status.h"

/* `name` is the event's, "message" where it has none; both end with NUL and
 * live until the call returns. False ends the reading. */
typedef bool (*dh_sse_fn)(void *user, const char *name, const char *data,
                          size_t len);

struct dh_sse {
    dh_sse_fn fn;
    void *user;
    struct dh_buf line, data, name;
    bool has_data, after_cr, ended;
};

void dh_sse_init(struct dh_sse *s, size_t max_event, dh_sse_fn fn, void *user);
void dh_sse_finish(struct dh_sse *s);
/* False once fn has said so, or an event was too large (DH_ERR_RANGE from
 * dh_sse_status). */
bool dh_sse_feed(struct dh_sse *s, const char *bytes, size_t n);
enum dh_status dh_sse_status(const struct dh_sse *s);

#endif
