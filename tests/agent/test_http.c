// The client against servers that answer well and badly.
#include "agent/http.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tests/agent/peer.h"
#include "tests/dh_test.h"

static const char *const with_key[] = { "Authorization: Bearer secret",
                                        "x-api-key: secret", NULL };

static enum dh_status send_with(struct dh_http_options o, const char *url,
                                struct dh_http_response *out)
{
    struct dh_http *h;
    struct dh_http_request r = {
        .url = url, .headers = with_key, .body = "{}", .len = 2
    };
    CHECK_INT(dh_http_create(&h, &o), DH_OK);
    enum dh_status st = dh_http_send(h, &r, out);
    dh_http_destroy(h);
    CHECK(!strstr(out->why.text, "secret"));
    return st;
}

static struct dh_http_options fast(void)
{
    return (struct dh_http_options){ .idle_ns = DH_S / 2,
                                     .total_ns = 2 * DH_S,
                                     .connect_ns = 2 * DH_S,
                                     .max_bytes = 1 << 20 };
}

// The same against a peer of one behaviour; it must be over in time.
static enum dh_status ask(peer_fn fn, struct dh_http_response *out)
{
    struct peer p;
    int64_t start = dh_now_ns();
    peer_start(&p, fn, NULL);
    enum dh_status st = send_with(fast(), p.url, out);
    CHECK(dh_now_ns() - start < 20 * DH_S);
    peer_stop(&p);
    return st;
}

static bool echo(struct peer *p, int fd, const struct peer_request *r)
{
    (void)p;
    CHECK(strncmp(r->head, "POST ", 5) == 0);
    CHECK(r->len == 2 && memcmp(r->body, "{}", 2) == 0);
    return peer_say(fd, "HTTP/1.1 200 OK\r\nX-Request-Id: abc-1\r\n"
                        "Content-Type: application/json\r\n"
                        "Content-Length: 7\r\n\r\n[1,2,3]");
}

static void test_an_answer_comes_whole(void)
{
    struct dh_http_response a;
    CHECK_INT(ask(echo, &a), DH_OK);
    CHECK_INT(a.code, 200);
    CHECK_STR(a.body, "[1,2,3]");
    CHECK_STR(a.request_id, "abc-1");
    CHECK_STR(a.content_type, "application/json");
    CHECK(a.total_ns > 0 && a.first_byte_ns > 0);
    dh_http_response_finish(&a);
}

static bool count_connections(struct peer *p, int fd,
                              const struct peer_request *r)
{
    (void)p;
    (void)r;
    return peer_answer(fd, 200, "text/plain", "ok");
}

static void test_a_connection_is_kept(void)
{
    struct peer p;
    struct dh_http *h;
    struct dh_http_options o = fast();
    peer_start(&p, count_connections, NULL);
    CHECK_INT(dh_http_create(&h, &o), DH_OK);
    for (int i = 0; i < 5; i++) {
        struct dh_http_request r = { .url = p.url };
        struct dh_http_response a;
        CHECK_INT(dh_http_send(h, &r, &a), DH_OK);
        CHECK_STR(a.body, "ok");
        dh_http_response_finish(&a);
    }
    CHECK_INT(p.requests, 5);
    CHECK_INT(p.n_threads, 1);
    dh_http_destroy(h);
    peer_stop(&p);
}

static void test_no_server_is_said_so(void)
{
    struct peer p;
    struct dh_http_response a;
    peer_start(&p, echo, NULL);
    peer_stop(&p);
    CHECK_INT(send_with(fast(), p.url, &a), DH_ERR_IO);
    CHECK(strstr(a.why.text, "is the server running?"));
    CHECK_INT(a.code, 0);
    dh_http_response_finish(&a);
    CHECK_INT(send_with(fast(), "file:///etc/passwd", &a), DH_ERR_USAGE);
    CHECK_STR(a.body, "");
    dh_http_response_finish(&a);
}

/* --- slow ones --- */

static bool say_nothing(struct peer *p, int fd, const struct peer_request *r)
{
    (void)fd;
    (void)r;
    peer_pause(p, 60000);
    return false;
}

static bool drip(struct peer *p, int fd, const struct peer_request *r)
{
    (void)r;
    bool ok = peer_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    while (ok && peer_pause(p, 100))
        ok = peer_say(fd, "x");
    return false;
}

static bool half_a_head(struct peer *p, int fd, const struct peer_request *r)
{
    (void)r;
    peer_say(fd, "HTTP/1.1 200 OK\r\nContent-Ty");
    peer_pause(p, 60000);
    return false;
}

static void test_silence_ends_in_time(void)
{
    struct dh_http_response a;
    CHECK_INT(ask(say_nothing, &a), DH_ERR_TIMEOUT);
    CHECK(strstr(a.why.text, "silent"));
    CHECK(a.total_ns >= DH_S / 2);
    dh_http_response_finish(&a);
    CHECK_INT(ask(half_a_head, &a), DH_ERR_TIMEOUT);
    dh_http_response_finish(&a);
}

static void test_an_answer_by_drops_ends_in_time(void)
{
    struct dh_http_response a;
    CHECK_INT(ask(drip, &a), DH_ERR_TIMEOUT);
    CHECK(strstr(a.why.text, "no complete answer"));
    CHECK(a.total_ns >= 2 * DH_S);
    dh_http_response_finish(&a);
}

struct canceller {
    struct dh_cancel cancel;
    int64_t at;
};

static bool cancel_then_wait(struct peer *p, int fd,
                             const struct peer_request *r)
{
    struct canceller *c = p->user;
    (void)fd;
    (void)r;
    c->at = dh_now_ns();
    dh_cancel_set(&c->cancel);
    peer_pause(p, 60000);
    return false;
}

static void test_a_stop_is_seen_at_once(void)
{
    struct peer p;
    struct canceller c = { 0 };
    struct dh_http_response a;
    struct dh_http_options o = { .cancel = &c.cancel };
    peer_start(&p, cancel_then_wait, &c);
    CHECK_INT(send_with(o, p.url, &a), DH_ERR_CANCELLED);
    CHECK(dh_now_ns() - c.at < 5 * DH_S);
    dh_http_response_finish(&a);
    peer_stop(&p);
}

/* --- broken ones --- */

static bool close_early(struct peer *p, int fd, const struct peer_request *r)
{
    (void)p;
    (void)r;
    peer_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"half\":");
    return false;
}

static bool bad_chunk(struct peer *p, int fd, const struct peer_request *r)
{
    (void)p;
    (void)r;
    peer_say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "5\r\nhello\r\nzz\r\n");
    return false;
}

static bool no_http(struct peer *p, int fd, const struct peer_request *r)
{
    (void)p;
    (void)r;
    peer_say(fd, "220 mail.example ESMTP\r\n");
    return false;
}

static bool close_at_once(struct peer *p, int fd, const struct peer_request *r)
{
    (void)p;
    (void)fd;
    (void)r;
    return false;
}

static bool false_gzip(struct peer *p, int fd, const struct peer_request *r)
{
    (void)p;
    (void)r;
    return peer_say(fd, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
                        "Content-Length: 8\r\n\r\nnot gzip");
}

static void test_half_answers_are_errors(void)
{
    static const peer_fn broken[] = { close_early, bad_chunk, no_http,
                                      close_at_once, false_gzip };
    for (size_t i = 0; i < DH_COUNTOF(broken); i++) {
        struct dh_http_response a;
        CHECK_INT(ask(broken[i], &a), DH_ERR_IO);
        CHECK(a.why.text[0]);
        dh_http_response_finish(&a);
    }
}

/* --- too much --- */

// Zeros as gzip, made by hand: one literal, then copies of 258 bytes from one
// back, in the fixed code. Eight copies are 13 whole bytes, so the middle can
// be sent again and again: 4 KB become 600 KiB each time.
static bool bomb(struct peer *p, int fd, const struct peer_request *r)
{
    static const unsigned char head[] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3 };
    unsigned char some[4096];
    (void)p;
    (void)r;
    bool ok = peer_say(fd, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
                           "Connection: close\r\n\r\n") &&
              peer_put(fd, head, sizeof head);
    // Last block, fixed code: 1 01; 0 is 00110000, a length of 258 is 11000101,
    // a distance of 1 is 00000.
    size_t bits = 0;
    memset(some, 0, sizeof some);
#define PUT_BIT(b)                                               \
    do {                                                         \
        if (b)                                                   \
            some[bits / 8] |= (unsigned char)(1U << (bits % 8)); \
        bits++;                                                  \
    } while (0)
    PUT_BIT(1);
    PUT_BIT(1);
    PUT_BIT(0);
    for (int i = 7; i >= 0; i--)
        PUT_BIT(0x30 >> i & 1);
    while (bits + 13 <= sizeof some * 8 && bits < 11 + 13 * 8 * 300) {
        for (int i = 7; i >= 0; i--)
            PUT_BIT(0xc5 >> i & 1);
        bits += 5;
    }
#undef PUT_BIT
    size_t whole = (bits - 11) / 104 * 13; // bytes of whole groups of eight
    unsigned char shifted[4096];
    for (size_t i = 0; i < whole; i++)
        shifted[i] = some[1 + i];
    ok = ok && peer_put(fd, some, 1 + whole);
    for (int i = 0; i < 400 && ok; i++)
        ok = peer_put(fd, shifted, whole);
    return false;
}

static bool endless(struct peer *p, int fd, const struct peer_request *r)
{
    char some[65536];
    (void)p;
    (void)r;
    memset(some, 'x', sizeof some);
    bool ok = peer_say(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
    for (int i = 0; i < 4096 && ok; i++)
        ok = peer_put(fd, some, sizeof some);
    return false;
}

static long peak_kib(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}

static void test_too_much_is_refused_in_bounded_memory(void)
{
    struct dh_http_response a;
    long before = peak_kib();
    CHECK_INT(ask(endless, &a), DH_ERR_RANGE);
    CHECK(strstr(a.why.text, "larger than 1 MiB"));
    dh_http_response_finish(&a);
    CHECK_INT(ask(bomb, &a), DH_ERR_RANGE);
    dh_http_response_finish(&a);
    CHECK(peak_kib() - before < 64 * 1024);
}

/* --- elsewhere --- */

static bool redirect(struct peer *p, int fd, const struct peer_request *r)
{
    const struct peer *other = p->user;
    char head[256];
    (void)r;
    snprintf(head, sizeof head,
             "HTTP/1.1 307 Go\r\nLocation: %s/\r\nContent-Length: 0\r\n\r\n",
             other->url);
    return peer_say(fd, head);
}

static void test_a_key_never_goes_to_another_host(void)
{
    struct peer p, other;
    struct dh_http_response a;
    peer_start(&other, echo, NULL);
    peer_start(&p, redirect, &other);
    CHECK_INT(send_with(fast(), p.url, &a), DH_OK);
    CHECK_INT(a.code, 307);
    CHECK(p.saw_key);
    CHECK_INT(other.requests, 0);
    dh_http_response_finish(&a);
    peer_stop(&p);
    peer_stop(&other);
    CHECK(dh_http_same_host("https://a.b/v1", "https://A.b:443/x"));
    CHECK(!dh_http_same_host("https://a.b/v1", "http://a.b/v1"));
    CHECK(!dh_http_same_host("https://a.b/v1", "https://a.b.c/v1"));
    CHECK(!dh_http_same_host("https://a.b/v1", "nonsense"));
}

static bool later(struct peer *p, int fd, const struct peer_request *r)
{
    (void)p;
    (void)r;
    return peer_say(fd, "HTTP/1.1 429 Too Many\r\nRetry-After: 7\r\n"
                        "Content-Length: 4\r\n\r\nwait");
}

static void test_an_error_keeps_its_body(void)
{
    struct dh_http_response a;
    CHECK_INT(ask(later, &a), DH_OK);
    CHECK_INT(a.code, 429);
    CHECK_STR(a.body, "wait");
    CHECK_INT(a.retry_after_ns, 7 * DH_S);
    dh_http_response_finish(&a);
}

/* --- by pieces --- */

static bool some_pieces(struct peer *p, int fd, const struct peer_request *r)
{
    (void)r;
    bool ok = peer_stream(fd);
    for (int i = 0; i < 200 && ok; i++)
        ok = peer_event(fd, NULL, "piece") && peer_pause(p, 10);
    return false;
}

static bool three_events(void *user, const char *bytes, size_t n)
{
    int *seen = user;
    for (size_t i = 0; i + 1 < n; i++)
        *seen += bytes[i] == '\n' && bytes[i + 1] == '\n';
    return *seen < 3;
}

static void test_a_reader_drops_the_connection(void)
{
    struct peer p;
    struct dh_http *h;
    struct dh_http_options o = fast();
    struct dh_http_response a;
    int seen = 0;
    peer_start(&p, some_pieces, NULL);
    CHECK_INT(dh_http_create(&h, &o), DH_OK);
    struct dh_http_request r = { .url = p.url,
                                 .on_data = three_events,
                                 .user = &seen };
    CHECK_INT(dh_http_send(h, &r, &a), DH_OK);
    CHECK(a.ended);
    CHECK(seen >= 3 && seen < 100);
    CHECK_STR(a.body, "");
    dh_http_response_finish(&a);
    dh_http_destroy(h);
    peer_stop(&p);
}

DH_TESTS(DH_TEST(an_answer_comes_whole), DH_TEST(a_connection_is_kept),
         DH_TEST(no_server_is_said_so), DH_TEST(silence_ends_in_time),
         DH_TEST(an_answer_by_drops_ends_in_time),
         DH_TEST(a_stop_is_seen_at_once), DH_TEST(half_answers_are_errors),
         DH_TEST(too_much_is_refused_in_bounded_memory),
         DH_TEST(a_key_never_goes_to_another_host),
         DH_TEST(an_error_keeps_its_body),
         DH_TEST(a_reader_drops_the_connection));
