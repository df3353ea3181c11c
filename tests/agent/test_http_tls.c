// The client and certificates: only a server that proves who it is gets a key.
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/http.h"
#include "base/clock.h"
#include "base/mem.h"
#include "tests/dh_test.h"

// Run openssl in the test's folder; its output goes to `out`, and what it is to
// say to its client comes from `in`.
static pid_t start_with(const char *const *args, int in, int out)
{
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid > 0)
        return pid;
    // A test that fails leaves no server behind.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    char *argv[24];
    int n = 0;
    for (; args[n] && n < 23; n++)
        argv[n] = dh_strdup(args[n]);
    argv[n] = NULL;
    if (chdir(dh_test_dir()) == 0 && dup2(in, STDIN_FILENO) >= 0 &&
        dup2(out, STDOUT_FILENO) >= 0)
        execvp(argv[0], argv);
    _exit(127);
}

static pid_t start(const char *const *args, int out)
{
    return start_with(args, STDIN_FILENO, out);
}

#define OPENSSL(...) \
    finish_well(start((const char *const[]){ "openssl", __VA_ARGS__, NULL }, 2))

static void finish_well(pid_t pid)
{
    int status;
    CHECK_INT(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        dh_test_skip("no openssl here");
    CHECK_INT(status, 0);
}

// cert.pem and key.pem of a server that calls itself `name`.
static void make_certificate(const char *name)
{
    char alt[128];
    snprintf(alt, sizeof alt, "subjectAltName=%s", name);
    OPENSSL("req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "key.pem",
            "-out", "cert.pem", "-days", "2", "-subj", "/CN=deskhand",
            "-addext", alt);
}

struct server {
    pid_t pid;
    char url[64];
};

static const char *const serves_a_page[] = {
    "openssl",  "s_server", "-accept", "127.0.0.1:0", "-cert",
    "cert.pem", "-key",     "key.pem", "-www",        NULL
};
// It says to its client what it reads.
static const char *const speaks_http2[] = {
    "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", "cert.pem",
    "-key",    "key.pem",  "-alpn",   "h2",          NULL
};

static void server_start(struct server *s, const char *const *args, int in)
{
    char said[4096] = "", *at;
    size_t n = 0;
    int out[2], port;
    CHECK_INT(pipe(out), 0);
    s->pid = start_with(args, in, out[1]);
    close(out[1]);
    // The port is in its first words.
    while (!(at = strstr(said, "ACCEPT 127.0.0.1:")) || !strchr(at, '\n')) {
        struct pollfd p = { .fd = out[0], .events = POLLIN };
        CHECK(poll(&p, 1, 20000) == 1 && n < sizeof said - 1);
        ssize_t got = read(out[0], said + n, sizeof said - 1 - n);
        CHECK(got > 0);
        n += (size_t)got;
        said[n] = 0;
    }
    port = 0;
    for (at += strlen("ACCEPT 127.0.0.1:"); *at >= '0' && *at <= '9'; at++)
        port = port * 10 + (*at - '0');
    snprintf(s->url, sizeof s->url, "https://127.0.0.1:%d/", port);
    close(out[0]);
}

static void server_stop(struct server *s)
{
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
}

static enum dh_status ask(bool trusted, struct dh_http_response *out)
{
    static const char *const headers[] = { "Authorization: Bearer secret",
                                           NULL };
    struct server s;
    struct dh_http *h;
    char *ca = dh_test_path("cert.pem");
    struct dh_http_options o = { .total_ns = 20 * DH_S,
                                 .ca_file = trusted ? ca : NULL };
    server_start(&s, serves_a_page, STDIN_FILENO);
    struct dh_http_request r = { .url = s.url, .headers = headers };
    CHECK_INT(dh_http_create(&h, &o), DH_OK);
    enum dh_status st = dh_http_send(h, &r, out);
    dh_http_destroy(h);
    server_stop(&s);
    dh_free(ca);
    printf("%s\n", out->why.text);
    CHECK(!strstr(out->why.text, "secret"));
    return st;
}

static void check_refused(bool trusted, const char *why)
{
    struct dh_http_response a;
    CHECK_INT(ask(trusted, &a), DH_ERR_IO);
    CHECK_INT(a.code, 0);
    CHECK(strstr(a.why.text, why));
    CHECK(strstr(a.why.text, "--ca-file"));
    dh_http_response_finish(&a);
}

static void test_a_certificate_of_ones_own_is_trusted_when_named(void)
{
    struct dh_http_response a;
    make_certificate("IP:127.0.0.1");
    check_refused(false, "certificate");
    CHECK_INT(ask(true, &a), DH_OK);
    CHECK_INT(a.code, 200);
    CHECK(strstr(a.body, "s_server"));
    dh_http_response_finish(&a);
}

static void test_a_certificate_that_has_ended_is_refused(void)
{
    make_certificate("IP:127.0.0.1");
    OPENSSL("x509", "-in", "cert.pem", "-signkey", "key.pem", "-days", "-1",
            "-out", "old.pem");
    OPENSSL("x509", "-in", "old.pem", "-out", "cert.pem");
    check_refused(true, "expired");
}

static void test_a_certificate_of_another_host_is_refused(void)
{
    make_certificate("IP:127.0.0.2");
    check_refused(true, "127.0.0.1");
}

/* --- HTTP/2 --- */

#define SETTINGS "\0\0\0\4\0\0\0\0\0"
#define RESET            \
    "\0\0\4\3\0\0\0\0\1" \
    "\0\0\0\2"
#define GOAWAY            \
    "\0\0\10\7\0\0\0\0\0" \
    "\0\0\0\0\0\0\0\2"
// An answer's head, ":status: 200", whose body is to come.
#define HEAD             \
    "\0\0\1\1\4\0\0\0\1" \
    "\210"

// The frames come once the client has had time to ask.
static void hold_http2(const char *frames, size_t n)
{
    struct server s;
    struct dh_http *h;
    struct dh_http_response a;
    char *ca = dh_test_path("cert.pem");
    struct dh_http_options o = { .idle_ns = 3 * DH_S,
                                 .total_ns = 10 * DH_S,
                                 .ca_file = ca };
    int in[2];
    CHECK_INT(pipe(in), 0);
    server_start(&s, speaks_http2, in[0]);
    CHECK_INT(write(in[1], frames, n), (ssize_t)n);
    struct dh_http_request r = { .url = s.url, .body = "{}", .len = 2 };
    int64_t start = dh_now_ns();
    CHECK_INT(dh_http_create(&h, &o), DH_OK);
    enum dh_status st = dh_http_send(h, &r, &a);
    printf("%s\n", a.why.text);
    CHECK(st == DH_ERR_IO || st == DH_ERR_TIMEOUT);
    CHECK(a.why.text[0]);
    CHECK(dh_now_ns() - start < 15 * DH_S);
    dh_http_response_finish(&a);
    dh_http_destroy(h);
    server_stop(&s);
    close(in[0]);
    close(in[1]);
    dh_free(ca);
}

static void test_streams_that_are_reset_are_errors(void)
{
    make_certificate("IP:127.0.0.1");
    hold_http2(SETTINGS RESET, sizeof(SETTINGS RESET) - 1);
    hold_http2(SETTINGS GOAWAY, sizeof(SETTINGS GOAWAY) - 1);
    hold_http2(SETTINGS HEAD RESET, sizeof(SETTINGS HEAD RESET) - 1);
    hold_http2(SETTINGS HEAD, sizeof(SETTINGS HEAD) - 1);
    hold_http2("HTTP/1.1 200 OK\r\n\r\n", 19);
}

DH_TESTS(DH_TEST(a_certificate_of_ones_own_is_trusted_when_named),
         DH_TEST(a_certificate_that_has_ended_is_refused),
         DH_TEST(a_certificate_of_another_host_is_refused),
         DH_TEST(streams_that_are_reset_are_errors));
