/*
 * tests/agent/peer.h - a server on the loopback address that answers as a test
 * says, well or badly. Each connection is served by a thread of its own.
 */
#ifndef DH_TESTS_AGENT_PEER_H
#define DH_TESTS_AGENT_PEER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/thread.h"

#define PEER_REQUESTS 512

/* One request as it came. */
struct peer_request {
    const char *head; /* request line and headers, NUL at the end */
    const char *body;
    size_t len;
    int n; /* counts from 0 */
};

struct peer;

/* Writes the answer with peer_say and others. The connection is closed when it
 * returns false, else the next request is read. */
typedef bool (*peer_fn)(struct peer *p, int fd, const struct peer_request *r);

struct peer {
    peer_fn fn;
    void *user;
    char url[64]; /* "http://127.0.0.1:PORT" */
    int listener, stop[2];
    struct dh_thread acceptor, threads[PEER_REQUESTS];
    atomic_int n_threads, requests;
    atomic_bool saw_key; /* a request had an Authorization or x-api-key */
};

void peer_start(struct peer *p, peer_fn fn, void *user);
void peer_stop(struct peer *p);

/* False where the other side has gone. */
bool peer_say(int fd, const char *text);
bool peer_put(int fd, const void *bytes, size_t n);
/* A whole answer of this code and type. */
bool peer_answer(int fd, int code, const char *type, const char *body);
/* The head of a stream of events, and one event of it. */
bool peer_stream(int fd);
bool peer_event(int fd, const char *name, const char *data);
/* Wait, but no longer than until peer_stop. False: it stops. */
bool peer_pause(struct peer *p, int ms);

#endif
