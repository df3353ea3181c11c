// The server with the clients that people have: the packages openai and
// @anthropic-ai/sdk, and curl. The model is small and random: what it says is
// nonsense, but the same nonsense each time.
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "tests/agent/talker.h"
#include "tests/dh_test.h"
#include "tests/tools/program.h"

#define TOKEN "open-sesame"
#define CHAT  "/v1/chat/completions"
#define HELLO "\"messages\":[{\"role\":\"user\",\"content\":\"Hello.\"}]"
static const char profile[] =
    "{\"name\":\"tiny\",\"developer\":\"You act.\","
    "\"thinking\":\"disabled\",\"max_answer_tokens\":60,"
    "\"temperature\":1,\"constrain\":true}";

/* --- the server --- */

struct server {
    pid_t pid;
    char address[64];
    int port;
};

// Two slots, unless an option of `more` says otherwise.
static void serve(struct server *s, const char *const *more)
{
    char *token = dh_test_file("token", TOKEN "\n");
    const char *args[20] = { "serve",        "--listen",    "127.0.0.1:0",
                             "--model",      dh_test_dir(), "--slots=2",
                             "--token-file", token,         "--threads=1",
                             "--log=error" };
    for (int n = 10; *more; more++)
        args[n++] = *more;
    talker_write(dh_test_dir(), profile);
    s->pid = program_start(args);
    CHECK(program_saw("listening on http://127.0.0.1:"));
    char *path = dh_test_path("out"), *out;
    size_t len;
    CHECK_INT(dh_file_read(path, 1 << 16, &out, &len), DH_OK);
    s->port = (int)strtol(strstr(out, "127.0.0.1:") + 10, NULL, 10);
    snprintf(s->address, sizeof s->address, "http://127.0.0.1:%d", s->port);
    dh_big_free(out);
    dh_free(path);
    dh_free(token);
}

#define SERVE(s, ...) serve((s), (const char *const[]){ __VA_ARGS__, NULL })

static void stop(struct server *s)
{
    struct said said;
    CHECK_INT(kill(s->pid, SIGINT), 0);
    program_wait(&said, s->pid);
    CHECK_SAID(&said, 0, NULL, NULL);
    // What it was told stays with it.
    CHECK(!strstr(said.err, TOKEN));
    CHECK(!strstr(said.err, "Hello"));
    said_finish(&said);
}

/* --- clients --- */

// Start a program; what it prints goes to the file `name`.
static pid_t client_start(const char *const *argv, const char *name)
{
    char *path = dh_test_path(name), *copy[24] = { 0 };
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int out = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(out, 1);
        dup2(out, 2);
        for (int i = 0; argv[i]; i++)
            copy[i] = dh_strdup(argv[i]);
        execvp(copy[0], copy);
        _exit(127);
    }
    CHECK(pid > 0);
    dh_free(path);
    return pid;
}

// Its exit status; the text is from dh_file_read.
static int client_wait(pid_t pid, const char *name, char **text)
{
    char *path = dh_test_path(name);
    int status;
    size_t len;
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK_INT(dh_file_read(path, 1 << 24, text, &len), DH_OK);
    dh_free(path);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int client_run(char **text, const char *const *argv)
{
    return client_wait(client_start(argv, "client"), "client", text);
}

static void run_script(const char *script)
{
    const char *build = getenv("B");
    char *dir = dh_path_join(build ? build : "build/release", "clients");
    char *file = dh_path_join(dir, script), *text;
    char *picture = dh_test_path("a.png");
    struct server s;
    struct said said;
    int status =
        client_run(&text, (const char *const[]){ "tests/tools/clients/fetch.sh",
                                                 dir, NULL });
    if (status == 77)
        dh_test_skip(text);
    CHECK_STR(status ? text : "", "");
    dh_big_free(text);
    RUN(&said, "grab", "--region=64x48+0+0", picture);
    CHECK_SAID(&said, 0, NULL, "");
    said_finish(&said);
    SERVE(&s, "--context=4096");
    status = client_run(&text, (const char *const[]){ "node", file, s.address,
                                                      TOKEN, picture, NULL });
    fputs(text, stderr);
    CHECK_INT(status, 0);
    CHECK(strstr(text, "ok   "));
    dh_big_free(text);
    stop(&s);
    dh_free(picture);
    dh_free(file);
    dh_free(dir);
}

static void test_the_openai_package_is_served(void)
{
    run_script("openai.mjs");
}

static void test_the_anthropic_package_is_served(void)
{
    run_script("anthropic.mjs");
}

/* --- curl --- */

// Start a request; a body that is not NULL makes it a POST.
static pid_t curl_start(const struct server *s, const char *path,
                        const char *header, const char *body, const char *name)
{
    char url[200];
    const char *argv[] = { "curl", "-sS", "-i", "-m", "40", "-H",
                           header, NULL,  NULL, NULL, NULL };
    snprintf(url, sizeof url, "%s%s", s->address, path);
    int n = 7;
    if (body) {
        argv[n++] = "--data-binary";
        argv[n++] = body;
    }
    argv[n] = url;
    return client_start(argv, name);
}

static void check_curl(const struct server *s, const char *path,
                       const char *header, const char *body, int code,
                       const char *has)
{
    char *text, line[32];
    pid_t pid = curl_start(s, path, header, body, "client");
    int status = client_wait(pid, "client", &text);
    if (status == 127)
        dh_test_skip("no curl here");
    snprintf(line, sizeof line, "HTTP/1.1 %d ", code);
    if (status || !strstr(text, line) || !strstr(text, has)) {
        fprintf(stderr, "%s %s\nwanted %d and %s\n%s\n", path, body ? body : "",
                code, has, text);
        CHECK_INT(status, 0);
        CHECK(!"what the server said");
    }
    dh_big_free(text);
}

#define BEARER "Authorization: Bearer " TOKEN

// A question that the plain kernels read for seconds. from dh_zalloc.
static char *long_question(const char *more)
{
    static const char head[] = "{\"max_tokens\":40,\"messages\":[{\"role\":"
                               "\"user\",\"content\":\"";
    size_t n = sizeof head + 400 * 4 + strlen(more) + 8;
    char *body = dh_zalloc(n);
    int len = snprintf(body, n, "%s", head);
    for (int i = 0; i < 400; i++)
        len += snprintf(body + len, n - (size_t)len, "Go. ");
    snprintf(body + len, n - (size_t)len, "\"}]%s}", more);
    return body;
}
#define LONG "--context=4096", "--kernels=ref"

static void wait_until_busy(const struct server *s, int slots)
{
    char want[40];
    bool found = false;
    snprintf(want, sizeof want, "\ndeskhand_slots_busy %d\n", slots);
    for (int i = 0; i < 200 && !found; i++) {
        char *text;
        pid_t pid = curl_start(s, "/metrics", BEARER, NULL, "metrics");
        if (client_wait(pid, "metrics", &text) == 127)
            dh_test_skip("no curl here");
        found = strstr(text, want) != NULL;
        dh_big_free(text);
    }
    CHECK(found);
}

static void test_curl_gets_an_answer_or_the_reason_why_not(void)
{
    static const struct {
        const char *path, *header, *body;
        int code;
        const char *has;
    } visits[] = {
        { "/health", "Accept: */*", NULL, 200, "ok" },
        { "/v1/models", BEARER, NULL, 200, "\"id\":\"tiny\"" },
        { "/v1/models", "Accept: */*", NULL, 401, "authentication_error" },
        { "/metrics", "Accept: */*", NULL, 401, "authentication_error" },
        { "/metrics", BEARER, NULL, 200, "# TYPE deskhand_slots_busy gauge" },
        { CHAT, BEARER, "{" HELLO "}", 200, "\"chat.completion\"" },
        { CHAT, BEARER, "{\"stream\":true," HELLO "}", 200,
          "data: [DONE]\n\n" },
        { "/v1/messages", "x-api-key: " TOKEN, "{\"max_tokens\":9," HELLO "}",
          200, "\"type\":\"message\"" },
        { "/v1/messages", "x-api-key: " TOKEN,
          "{\"max_tokens\":9,\"stream\":true," HELLO "}", 200,
          "event: message_stop\n" },
        { CHAT, "Authorization: Bearer open", "{" HELLO "}", 401,
          "authentication_error" },
        { "/v1/messages", "x-api-key: ", "{" HELLO "}", 401,
          "{\"type\":\"error\",\"error\":{\"type\":\"authentication_error\"" },
        { CHAT, BEARER, "{", 400, "invalid_request_error" },
        { CHAT, BEARER, "[]", 400, "invalid_request_error" },
        { CHAT, BEARER, "{\"messages\":7}", 400, "invalid_request_error" },
        { CHAT, BEARER, "{\"max_tokens\":0," HELLO "}", 400, "max_tokens" },
        { CHAT, BEARER, "{\"top_p\":\"x\"," HELLO "}", 400, "top_p" },
        { CHAT, BEARER, NULL, 405, "error" },
        { "/v1/models", BEARER, "{}", 405, "error" },
        { "/nothing", BEARER, NULL, 404, "not_found_error" },
    };
    struct server s;
    SERVE(&s, "--context=2048");
    for (size_t i = 0; i < DH_COUNTOF(visits); i++)
        check_curl(&s, visits[i].path, visits[i].header, visits[i].body,
                   visits[i].code, visits[i].has);
    stop(&s);
}

static void test_a_question_that_is_too_large_is_refused(void)
{
    char *path = dh_test_path("body"), *at;
    size_t len = 100000;
    char *body = dh_zalloc(len + 1);
    struct server s;
    memset(body, ' ', len);
    CHECK_INT(dh_file_write(path, body, len), DH_OK);
    at = dh_zalloc(strlen(path) + 2);
    snprintf(at, strlen(path) + 2, "@%s", path);
    SERVE(&s, "--context=2048", "--max-body=0.05");
    check_curl(&s, CHAT, BEARER, at, 413, "error");
    check_curl(&s, CHAT, BEARER, "{" HELLO "}", 200, "\"chat.completion\"");
    stop(&s);
    dh_free(at);
    dh_free(body);
    dh_free(path);
}

/* --- many, slow and rude ones --- */

static void test_who_finds_the_queue_full_is_told_to_come_back(void)
{
    struct server s;
    char *body = long_question(""), *text;
    SERVE(&s, LONG, "--slots=1", "--queue=0");
    pid_t pid = curl_start(&s, CHAT, BEARER, body, "first");
    wait_until_busy(&s, 1);
    check_curl(&s, CHAT, BEARER, "{" HELLO "}", 429, "Retry-After: ");
    check_curl(&s, "/health", "Accept: */*", NULL, 200, "ok");
    // And one who goes makes room.
    kill(pid, SIGKILL);
    client_wait(pid, "first", &text);
    dh_big_free(text);
    wait_until_busy(&s, 0);
    check_curl(&s, CHAT, BEARER, "{" HELLO "}", 200, "\"chat.completion\"");
    stop(&s);
    dh_free(body);
}

static void test_an_answer_may_take_longer_than_a_client(void)
{
    struct server s;
    char *body = long_question(""), *text;
    SERVE(&s, LONG, "--idle=1");
    check_curl(&s, CHAT, BEARER, body, 200, "\"chat.completion\"");
    dh_free(body);
    body = long_question(",\"stream\":true,\"seed\":3");
    pid_t pid = curl_start(&s, "/v1/messages", BEARER, body, "stream");
    CHECK_INT(client_wait(pid, "stream", &text), 0);
    CHECK(strstr(text, "event: message_stop"));
    dh_big_free(text);
    stop(&s);
    dh_free(body);
}

static int connect_to(const struct server *s)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)s->port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    CHECK_INT(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

// A byte now and then, so that the connection is never quiet for long.
static void test_slow_clients_do_not_keep_others_out(void)
{
    static const char head[] = "POST " CHAT " HTTP/1.1\r\nHost: a\r\nX-A: ";
    struct server s;
    int fd[20], open = DH_COUNTOF(fd);
    SERVE(&s, "--context=2048", "--idle=2");
    for (size_t i = 0; i < DH_COUNTOF(fd); i++) {
        fd[i] = connect_to(&s);
        CHECK_INT(send(fd[i], head, strlen(head), MSG_NOSIGNAL), strlen(head));
    }
    check_curl(&s, CHAT, BEARER, "{" HELLO "}", 200, "\"chat.completion\"");
    for (int round = 0; round < 200 && open; round++) {
        for (size_t i = 0; i < DH_COUNTOF(fd); i++) {
            if (fd[i] < 0 || send(fd[i], "a", 1, MSG_NOSIGNAL) == 1)
                continue;
            close(fd[i]);
            fd[i] = -1;
            open--;
        }
        dh_sleep_for(100 * DH_MS);
    }
    CHECK_INT(open, 0);
    stop(&s);
}

static void test_a_stop_ends_answers_that_are_under_way(void)
{
    struct server s;
    char *body = long_question(",\"stream\":true"), *text;
    SERVE(&s, LONG);
    pid_t one = curl_start(&s, CHAT, BEARER, body, "one");
    pid_t two = curl_start(&s, "/v1/messages", BEARER, body, "two");
    wait_until_busy(&s, 2);
    stop(&s);
    client_wait(one, "one", &text);
    CHECK(strstr(text, "\"error\""));
    dh_big_free(text);
    client_wait(two, "two", &text);
    CHECK(strstr(text, "\"type\":\"error\""));
    dh_big_free(text);
    dh_free(body);
}

static void test_an_open_door_needs_a_token(void)
{
    struct said s;
    talker_write(dh_test_dir(), profile);
    RUN(&s, "serve", "--model", dh_test_dir(), "--listen", "0.0.0.0:0");
    CHECK(s.status == 1 || s.status == 2);
    CHECK(strstr(s.err, "token"));
    said_finish(&s);
    RUN(&s, "serve", "--model", dh_test_dir(), "--listen", "nonsense");
    CHECK(s.status == 1 || s.status == 2);
    CHECK(strstr(s.err, "nonsense"));
    said_finish(&s);
    RUN(&s, "serve", "--token-file", "/no/such/token");
    CHECK_SAID(&s, 1, "", "/no/such/token");
    said_finish(&s);
}

DH_TESTS(DH_TEST(the_openai_package_is_served),
         DH_TEST(the_anthropic_package_is_served),
         DH_TEST(curl_gets_an_answer_or_the_reason_why_not),
         DH_TEST(a_question_that_is_too_large_is_refused),
         DH_TEST(who_finds_the_queue_full_is_told_to_come_back),
         DH_TEST(an_answer_may_take_longer_than_a_client),
         DH_TEST(slow_clients_do_not_keep_others_out),
         DH_TEST(a_stop_ends_answers_that_are_under_way),
         DH_TEST(an_open_door_needs_a_token));
