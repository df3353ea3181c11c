/*
 * agent/http.h - requests over HTTP, for those who talk to an endpoint.
 *
 * The network lives here alone (libcurl). TLS is checked, redirects are never
 * followed (a key must not reach another host), only http and https are
 * spoken, and what is received is bounded after decompression. A client
 * belongs to one thread and keeps its connections.
 */
#ifndef DH_AGENT_HTTP_H
#define DH_AGENT_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/status.h"

struct dh_cancel;
struct dh_http;

struct dh_http_options {
    int64_t connect_ns;       /* 0: 10 s */
    int64_t idle_ns;          /* nothing received for so long; 0: 120 s */
    int64_t total_ns;         /* of one request; 0: 600 s */
    size_t max_bytes;         /* of one response's body; 0: 64 MiB */
    const char *ca_file;      /* NULL: the system's */
    struct dh_cancel *cancel; /* seen within 100 ms; may be NULL */
};

DH_MUST_USE enum dh_status dh_http_create(struct dh_http **out,
                                          const struct dh_http_options *o);
void dh_http_destroy(struct dh_http *h); /* NULL is allowed */

struct dh_http_request {
    const char *url;
    const char *const *headers; /* "Name: value", NULL ends; may be NULL */
    const char *body;           /* NULL: a GET */
    size_t len;
    struct dh_cancel *cancel; /* besides the client's own */
    /* Called with each piece of a 2xx response's body, decompressed; false
     * ends the request, which is then well (ended is set). NULL: the body is
     * kept in the response. The body of any other response is always kept. */
    bool (*on_data)(void *user, const char *bytes, size_t n);
    void *user;
};

struct dh_http_response {
    int code;   /* of HTTP; 0: none came */
    char *body; /* owned, NUL at its end, "" where there is none */
    size_t len;
    char *content_type;     /* owned, or NULL */
    char *request_id;       /* x-request-id, trace-id and their like; or NULL */
    int64_t retry_after_ns; /* -1: the server did not say */
    bool ended;             /* by on_data */
    int64_t first_byte_ns, total_ns; /* since the request began */
    struct dh_diag why; /* of a failure, for a person; never holds a key */
};

/*
 * Any HTTP status is DH_OK. DH_ERR_IO: no connection, it broke, a TLS check
 * failed, a length was wrong. DH_ERR_TIMEOUT; DH_ERR_RANGE: too large;
 * DH_ERR_CANCELLED. The response is set in all cases and must be finished.
 */
DH_MUST_USE enum dh_status dh_http_send(struct dh_http *h,
                                        const struct dh_http_request *r,
                                        struct dh_http_response *out);
void dh_http_response_finish(struct dh_http_response *r);

/* Scheme and host of two addresses are the same. */
bool dh_http_same_host(const char *a, const char *b);
/* Its host is this machine: 127.0.0.1, ::1 or localhost, by its whole name. */
bool dh_http_is_loopback(const char *url);

#endif
