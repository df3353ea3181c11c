#include "tests/agent/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "tests/dh_test.h"

struct connection {
    struct peer *p;
    int fd;
};

bool peer_put(int fd, const void *bytes, size_t n)
{
    const char *at = bytes;
    while (n > 0) {
        ssize_t sent = send(fd, at, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        at += sent;
        n -= (size_t)sent;
    }
    return true;
}

bool peer_say(int fd, const char *text)
{
    return peer_put(fd, text, strlen(text));
}

bool peer_answer(int fd, int code, const char *type, const char *body)
{
    char head[256];
    snprintf(head, sizeof head,
             "HTTP/1.1 %d X\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
             code, type, strlen(body));
    return peer_say(fd, head) && peer_say(fd, body);
}

bool peer_stream(int fd)
{
    return peer_say(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                        "Connection: close\r\n\r\n");
}

bool peer_event(int fd, const char *name, const char *data)
{
    bool ok = !name || (peer_say(fd, "event: ") && peer_say(fd, name) &&
                        peer_say(fd, "\n"));
    return ok && peer_say(fd, "data: ") && peer_say(fd, data) &&
           peer_say(fd, "\n\n");
}

bool peer_pause(struct peer *p, int ms)
{
    struct pollfd at = { .fd = p->stop[0], .events = POLLIN };
    return poll(&at, 1, ms) == 0;
}

// Bytes from the other side, or -1 where it has gone or the test ends.
static ssize_t receive(struct peer *p, int fd, char *to, size_t n)
{
    struct pollfd at[] = { { .fd = fd, .events = POLLIN },
                           { .fd = p->stop[0], .events = POLLIN } };
    if (poll(at, 2, 30000) <= 0 || at[1].revents)
        return -1;
    ssize_t got = recv(fd, to, n, 0);
    return got > 0 ? got : -1;
}

static bool read_request(struct peer *p, int fd, struct dh_buf *in,
                         struct peer_request *r)
{
    char some[65536];
    const char *end;
    dh_buf_clear(in);
    while (!(end = in->len ? strstr(in->data, "\r\n\r\n") : NULL)) {
        ssize_t n = receive(p, fd, some, sizeof some);
        if (n < 0)
            return false;
        dh_buf_put(in, some, (size_t)n);
    }
    size_t head = (size_t)(end - in->data) + 4, len = 0;
    const char *length = strcasestr(in->data, "content-length:");
    if (length && length < end)
        len = strtoul(length + 15, NULL, 10);
    while (in->len < head + len) {
        ssize_t n = receive(p, fd, some, sizeof some);
        if (n < 0)
            return false;
        dh_buf_put(in, some, (size_t)n);
    }
    in->data[head - 1] = 0;
    *r = (struct peer_request){ in->data, in->data + head, len,
                                atomic_fetch_add(&p->requests, 1) };
    if (strcasestr(r->head, "\nauthorization:") ||
        strcasestr(r->head, "\nx-api-key:"))
        p->saw_key = true;
    return true;
}

static void serve(void *arg)
{
    struct connection *c = arg;
    struct peer_request r;
    struct dh_buf in;
    dh_buf_init(&in, (size_t)256 << 20);
    while (read_request(c->p, c->fd, &in, &r) && c->p->fn(c->p, c->fd, &r))
        ;
    dh_buf_finish(&in);
    close(c->fd);
    dh_free(c);
}

static void run_accept(void *arg)
{
    struct peer *p = arg;
    struct pollfd at[] = { { .fd = p->listener, .events = POLLIN },
                           { .fd = p->stop[0], .events = POLLIN } };
    while (poll(at, 2, -1) > 0 && !at[1].revents) {
        int fd = accept(p->listener, NULL, NULL);
        int n = p->n_threads;
        if (fd < 0 || n == (int)DH_COUNTOF(p->threads)) {
            close(fd);
            continue;
        }
        struct connection *c;
        dh_new(c);
        *c = (struct connection){ p, fd };
        if (!dh_thread_start(&p->threads[n], "peer", serve, c))
            p->n_threads++;
    }
}

void peer_start(struct peer *p, peer_fn fn, void *user)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof to;
    memset(p, 0, sizeof *p);
    p->fn = fn;
    p->user = user;
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(p->listener >= 0);
    CHECK_INT(bind(p->listener, (struct sockaddr *)&to, len), 0);
    CHECK_INT(listen(p->listener, 16), 0);
    CHECK_INT(getsockname(p->listener, (struct sockaddr *)&to, &len), 0);
    CHECK_INT(pipe(p->stop), 0);
    snprintf(p->url, sizeof p->url, "http://127.0.0.1:%d", ntohs(to.sin_port));
    CHECK_INT(dh_thread_start(&p->acceptor, "peer", run_accept, p), DH_OK);
}

void peer_stop(struct peer *p)
{
    close(p->stop[1]);
    dh_thread_join(&p->acceptor);
    for (int i = 0; i < p->n_threads; i++)
        dh_thread_join(&p->threads[i]);
    close(p->listener);
    close(p->stop[0]);
}
