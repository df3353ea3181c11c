// The server with the embedded model, and clients that behave well and badly.
#include <arpa/inet.h>
#include <math.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/http.h"
#include "agent/sse.h"
#include "base/base64.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/thread.h"
#include "capture/frame.h"
#include "capture/png.h"
#include "capture/source.h"
#include "capture/synth.h"
#include "capture/video_out.h"
#include "tests/dh_test.h"
#include "tests/tools/program.h"

struct served {
    pid_t pid;
    int port;
    char url[64];
};

// Starts the server with these arguments behind "serve --listen 127.0.0.1:0".
static void serve(struct served *s, const char *const *more)
{
    const char *args[20] = { "serve", "--listen", "127.0.0.1:0" };
    for (int i = 0; more && more[i]; i++)
        args[3 + i] = more[i];
    s->pid = program_start(args);
    CHECK(program_saw("listening on "));
    char *path = dh_test_path("out"), *text;
    size_t len;
    CHECK_INT(dh_file_read(path, 1 << 20, &text, &len), DH_OK);
    s->port = (int)strtol(strstr(text, "127.0.0.1:") + 10, NULL, 10);
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d", s->port);
    dh_big_free(text);
    dh_free(path);
}

static void serve_end(struct served *s)
{
    struct said said;
    CHECK_INT(kill(s->pid, SIGTERM), 0);
    program_wait(&said, s->pid);
    CHECK_INT(said.status, 0);
    said_finish(&said);
}

static struct dh_http_response ask_as(const struct served *s, const char *path,
                                      const char *body, const char *header)
{
    struct dh_http_options o = { 0 };
    struct dh_http *h;
    struct dh_http_response a;
    char url[256];
    const char *headers[] = { header, NULL };
    snprintf(url, sizeof url, "%s%s", s->url, path);
    struct dh_http_request r = { .url = url,
                                 .headers = header ? headers : NULL,
                                 .body = body,
                                 .len = body ? strlen(body) : 0 };
    CHECK_INT(dh_http_create(&h, &o), DH_OK);
    CHECK_INT(dh_http_send(h, &r, &a), DH_OK);
    dh_http_destroy(h);
    return a;
}

static int code_of(const struct served *s, const char *path, const char *body)
{
    struct dh_http_response a = ask_as(s, path, body, NULL);
    int code = a.code;
    struct dh_diag diag = { 0 };
    struct dh_json *o = dh_json_parse(a.body, a.len, &diag);
    // An error is told in the API's own shape.
    CHECK(o || strcmp(path, "/metrics") == 0);
    CHECK(code < 400 || dh_json_find(dh_json_find(o, "error"), "message"));
    dh_json_free(o);
    dh_http_response_finish(&a);
    return code;
}

// The text of a chat answer; owned.
static char *content(const struct served *s, const char *body)
{
    struct dh_diag diag = { 0 };
    struct dh_http_response a = ask_as(s, "/v1/chat/completions", body, NULL);
    CHECK_INT(a.code, 200);
    struct dh_json *o = dh_json_parse(a.body, a.len, &diag);
    const struct dh_json *choice = dh_json_first(dh_json_find(o, "choices"));
    char *text = dh_strdup(
        dh_json_text(dh_json_find(dh_json_find(choice, "message"), "content")));
    dh_json_free(o);
    dh_http_response_finish(&a);
    return text;
}

static double metric(const struct served *s, const char *name)
{
    struct dh_http_response a = ask_as(s, "/metrics", NULL, NULL);
    char line[128];
    snprintf(line, sizeof line, "\ndeskhand_%s ", name);
    const char *at = strstr(a.body, line);
    CHECK(at);
    double v = strtod(at + strlen(line), NULL);
    dh_http_response_finish(&a);
    return v;
}

#define HELLO                                                        \
    "{\"messages\":[{\"role\":\"system\",\"content\":\"You act.\"}," \
    "{\"role\":\"user\",\"content\":\"Task: Click OK.\"}],\"max_tokens\":30"

#define WRITE                                                     \
    "{\"messages\":[{\"role\":\"user\",\"content\":\"Write.\"}]," \
    "\"max_tokens\":6000,\"temperature\":2"

/* --- what is answered --- */

// How many of a question's tokens, *all of them, were known before.
static double cached(const struct served *s, const char *body, double *all)
{
    struct dh_diag diag = { 0 };
    struct dh_http_response a = ask_as(s, "/v1/chat/completions", body, NULL);
    CHECK_INT(a.code, 200);
    struct dh_json *o = dh_json_parse(a.body, a.len, &diag);
    const struct dh_json *usage = dh_json_find(o, "usage");
    *all = dh_json_number(dh_json_find(usage, "prompt_tokens"));
    double known = dh_json_number(dh_json_find(
        dh_json_find(usage, "prompt_tokens_details"), "cached_tokens"));
    dh_json_free(o);
    dh_http_response_finish(&a);
    return known;
}

static void test_a_chat_is_answered(void)
{
    struct served s;
    struct dh_diag diag = { 0 };
    serve(&s, NULL);
    struct dh_http_response a =
        ask_as(&s, "/v1/chat/completions", HELLO "}", NULL);
    CHECK_INT(a.code, 200);
    CHECK(a.request_id);
    struct dh_json *o = dh_json_parse(a.body, a.len, &diag);
    const struct dh_json *usage = dh_json_find(o, "usage");
    CHECK_STR(dh_json_text(dh_json_find(o, "object")), "chat.completion");
    CHECK_STR(dh_json_text(dh_json_find(o, "model")), "sprout");
    CHECK(dh_json_number(dh_json_find(usage, "prompt_tokens")) > 100);
    CHECK(dh_json_number(dh_json_find(usage, "completion_tokens")) <= 30);
    dh_json_free(o);
    dh_http_response_finish(&a);
    // Asked again, almost all of it is known.
    double all, known = cached(&s, HELLO "}", &all);
    CHECK_NEAR(known, all - 1, 0);
    CHECK_INT(code_of(&s, "/v1/models", NULL), 200);
    CHECK_INT(code_of(&s, "/health", NULL), 200);
    serve_end(&s);
}

struct collected {
    struct dh_buf text;
    int events;
    bool done, usage;
};

static bool collect(void *user, const char *name, const char *data, size_t len)
{
    struct collected *c = user;
    struct dh_diag diag = { 0 };
    (void)name;
    c->events++;
    if (strcmp(data, "[DONE]") == 0) {
        c->done = true;
        return true;
    }
    struct dh_json *o = dh_json_parse(data, len, &diag);
    CHECK(o);
    const struct dh_json *choice = dh_json_first(dh_json_find(o, "choices"));
    const struct dh_json *delta = dh_json_find(choice, "delta");
    const struct dh_json *text = dh_json_find(delta, "content");
    const struct dh_json *block = dh_json_find(o, "delta");
    if (text)
        dh_buf_puts(&c->text, dh_json_text(text));
    if (dh_json_find(block, "text"))
        dh_buf_puts(&c->text, dh_json_text(dh_json_find(block, "text")));
    c->usage = c->usage || dh_json_find(o, "usage");
    const struct dh_json *type = dh_json_find(o, "type");
    c->done =
        c->done || (type && strcmp(dh_json_text(type), "message_stop") == 0);
    dh_json_free(o);
    return true;
}

static void hold_stream(const struct served *s, const char *path,
                        const char *body, const char *want)
{
    struct collected c = { 0 };
    struct dh_sse sse;
    dh_buf_init(&c.text, 1 << 20);
    dh_sse_init(&sse, 1 << 20, collect, &c);
    struct dh_http_response a = ask_as(s, path, body, NULL);
    CHECK_INT(a.code, 200);
    CHECK(strstr(a.content_type, "text/event-stream"));
    CHECK(dh_sse_feed(&sse, a.body, a.len));
    CHECK_STR(dh_buf_text(&c.text), want);
    CHECK(c.done && c.usage && c.events > 5);
    dh_http_response_finish(&a);
    dh_sse_finish(&sse);
    dh_buf_finish(&c.text);
}

static void test_a_stream_says_the_same(void)
{
    struct served s;
    serve(&s, NULL);
    char *whole = content(&s, HELLO "}");
    CHECK(strlen(whole) > 10);
    hold_stream(&s, "/v1/chat/completions",
                HELLO ",\"stream\":true,\"stream_options\":"
                      "{\"include_usage\":true}}",
                whole);
    hold_stream(&s, "/v1/messages",
                "{\"system\":\"You act.\",\"messages\":[{\"role\":\"user\","
                "\"content\":\"Task: Click OK.\"}],\"max_tokens\":30,"
                "\"stream\":true}",
                whole);
    dh_free(whole);
    serve_end(&s);
}

static void test_a_stop_ends_the_answer_before_it(void)
{
    struct served s;
    serve(&s, NULL);
    char *whole = content(&s, HELLO "}");
    const char *at = strstr(whole, "lick");
    CHECK(at);
    char *cut = content(&s, HELLO ",\"stop\":[\"never\",\"lick\"]}");
    CHECK_INT(strlen(cut), at - whole);
    CHECK(strncmp(cut, whole, strlen(cut)) == 0);
    dh_free(cut);
    dh_free(whole);
    serve_end(&s);
}

// A question about a picture, in the form of a click; owned.
static char *picture_question(int w, int h, const char *more)
{
    struct dh_synth_options so = { .width = w, .height = h, .seed = 5 };
    struct dh_source *source;
    struct dh_frame *f;
    struct dh_buf png, body;
    CHECK_INT(dh_synth_create(&source, &so), DH_OK);
    CHECK_INT(dh_source_grab(source, &f), DH_OK);
    dh_buf_init(&png, 1 << 24);
    dh_buf_init(&body, 1 << 25);
    CHECK_INT(dh_png_encode(f, &png), DH_OK);
    dh_buf_puts(&body, "{\"messages\":[{\"role\":\"user\",\"content\":["
                       "{\"type\":\"image_url\",\"image_url\":{\"url\":"
                       "\"data:image/png;base64,");
    dh_base64_put(&body, png.data, png.len);
    dh_buf_printf(&body,
                  "\"}},{\"type\":\"text\",\"text\":\"Task: Click "
                  "it.\"}]}]%s}",
                  more);
    dh_frame_unref(f);
    dh_source_destroy(source);
    dh_buf_finish(&png);
    return dh_buf_take(&body);
}

static void test_a_form_keeps_the_answer_to_one_action(void)
{
    struct served s;
    serve(&s, NULL);
    char *body =
        picture_question(168, 112, ",\"deskhand\":{\"form\":\"locate\"}");
    char *text = content(&s, body);
    CHECK(strstr(text, "<tool_call>\n{\"name\":\"computer\",\"arguments\":"
                       "{\"action\":\"left_click\",\"coordinate\":["));
    CHECK(strstr(text, "\n</tool_call>"));
    dh_free(text);
    dh_free(body);
    serve_end(&s);
}

/* --- who and what is refused --- */

static void test_what_is_wrong_is_refused_in_its_own_shape(void)
{
    static const struct {
        const char *path, *body;
        int code;
    } cases[] = {
        { "/v1/chat/completions", "", 400 },
        { "/v1/chat/completions", "{", 400 },
        { "/v1/chat/completions", "{}", 400 },
        { "/v1/chat/completions", "{\"messages\":[]}", 400 },
        { "/v1/chat/completions", "{\"messages\":[{\"role\":\"cat\"}]}", 400 },
        { "/v1/chat/completions",
          "{\"messages\":[{\"role\":\"user\",\"content\":7}]}", 400 },
        { "/v1/chat/completions",
          "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
          "\"image_url\",\"image_url\":{\"url\":\"http://a/b.png\"}}]}]}",
          400 },
        { "/v1/chat/completions",
          "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
          "\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,aaaa"
          "\"}}]}]}",
          400 },
        { "/v1/chat/completions",
          "{\"messages\":[{\"role\":\"tool\",\"content\":\"x\"}]}", 400 },
        { "/v1/chat/completions",
          "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"},{\"role\":"
          "\"system\",\"content\":\"y\"}]}",
          400 },
        { "/v1/messages", "{\"messages\":[{\"role\":\"system\"}]}", 400 },
        { "/v1/nothing", "{}", 404 },
        { "/v1/chat/completions", NULL, 405 },
        { "/v1/models", "{}", 405 },
    };
    struct served s;
    serve(&s, NULL);
    for (size_t i = 0; i < DH_COUNTOF(cases); i++) {
        printf("%s %s\n", cases[i].path, cases[i].body ? cases[i].body : "");
        CHECK_INT(code_of(&s, cases[i].path, cases[i].body), cases[i].code);
    }
    CHECK_INT(code_of(&s, "/v1/chat/completions", HELLO ",\"temperature\":7}"),
              400);
    // It still answers.
    dh_free(content(&s, HELLO "}"));
    serve_end(&s);
}

static void test_without_the_token_nobody_comes_in(void)
{
    struct served s;
    char *path = dh_test_file("token", "tok-1\n");
    const char *args[] = { "--token-file", path, NULL };
    serve(&s, args);
    CHECK_INT(code_of(&s, "/v1/models", NULL), 401);
    CHECK_INT(code_of(&s, "/v1/chat/completions", HELLO "}"), 401);
    CHECK_INT(code_of(&s, "/health", NULL), 200);
    static const char *const wrong[] = {
        "Authorization: Bearer tok-2", "Authorization: Bearer tok-11",
        "Authorization: Bearer ", "Authorization: tok-1", "x-api-key: tok"
    };
    for (size_t i = 0; i < DH_COUNTOF(wrong); i++) {
        struct dh_http_response a = ask_as(&s, "/v1/models", NULL, wrong[i]);
        CHECK_INT(a.code, 401);
        dh_http_response_finish(&a);
    }
    static const char *const right[] = { "Authorization: Bearer tok-1",
                                         "x-api-key: tok-1" };
    for (size_t i = 0; i < DH_COUNTOF(right); i++) {
        struct dh_http_response a = ask_as(&s, "/v1/models", NULL, right[i]);
        CHECK_INT(a.code, 200);
        dh_http_response_finish(&a);
    }
    serve_end(&s);
    dh_free(path);
    struct said said;
    RUN(&said, "serve", "--listen", "0.0.0.0:0");
    CHECK_SAID(&said, 2, "", "--token-file");
    said_finish(&said);
}

static void test_too_much_is_refused(void)
{
    struct served s;
    static const char *const args[] = { "--max-body=0.05", "--max-images=1",
                                        NULL };
    struct dh_buf big;
    serve(&s, args);
    dh_buf_init(&big, 1 << 20);
    for (int i = 0; i < 100000; i++)
        dh_buf_putc(&big, ' ');
    CHECK_INT(code_of(&s, "/v1/chat/completions", dh_buf_text(&big)), 413);
    dh_buf_finish(&big);
    CHECK_INT(code_of(&s, "/v1/chat/completions", HELLO "}"), 200);
    serve_end(&s);
}

/* --- several at once --- */

struct client {
    const struct served *s;
    char body[512];
    char *got;
};

static void be_client(void *arg)
{
    struct client *c = arg;
    c->got = content(c->s, c->body);
}

static void test_several_clients_get_what_they_get_alone(void)
{
    struct served s;
    static const char *const args[] = { "--slots=2", NULL };
    struct client c[4];
    struct dh_thread t[4];
    char *alone[4];
    serve(&s, args);
    for (int i = 0; i < 4; i++) {
        c[i].s = &s;
        snprintf(c[i].body, sizeof c[i].body,
                 "{\"messages\":[{\"role\":\"user\",\"content\":\"Task: Click "
                 "number %d.\"}],\"max_tokens\":24}",
                 i);
        alone[i] = content(&s, c[i].body);
    }
    CHECK(metric(&s, "answer_passes_total") > 0);
    CHECK_NEAR(metric(&s, "answer_passes_shared_total"), 0, 0);
    for (int i = 0; i < 4; i++)
        CHECK_INT(dh_thread_start(&t[i], "client", be_client, &c[i]), DH_OK);
    for (int i = 0; i < 4; i++)
        dh_thread_join(&t[i]);
    for (int i = 0; i < 4; i++) {
        CHECK_STR(c[i].got, alone[i]);
        dh_free(c[i].got);
        dh_free(alone[i]);
    }
    CHECK_NEAR(metric(&s, "questions_total"), 8, 0);
    // They did go together.
    CHECK(metric(&s, "answer_passes_shared_total") > 0);
    serve_end(&s);
}

/* Slots share the memory for weights, with the answers of one that has all. */
static void test_slots_share_the_memory_for_weights(void)
{
    struct served s;
    struct said said;
    static const char *const args[] = { "--slots=3", "--memory=16M", NULL };
    struct client c[3];
    struct dh_thread t[3];
    char *want[3];
    serve(&s, NULL);
    for (int i = 0; i < 3; i++) {
        snprintf(c[i].body, sizeof c[i].body,
                 "{\"messages\":[{\"role\":\"user\",\"content\":\"Task: Click "
                 "number %d.\"}],\"max_tokens\":24}",
                 i);
        want[i] = content(&s, c[i].body);
    }
    serve_end(&s);
    serve(&s, args);
    for (int i = 0; i < 3; i++) {
        c[i].s = &s;
        CHECK_INT(dh_thread_start(&t[i], "client", be_client, &c[i]), DH_OK);
    }
    for (int i = 0; i < 3; i++) {
        dh_thread_join(&t[i]);
        CHECK_STR(c[i].got, want[i]);
        dh_free(c[i].got);
        dh_free(want[i]);
    }
    CHECK(metric(&s, "experts_read_total") > 56); // more than all of them once
    CHECK(metric(&s, "experts_read_bytes_total") > 1e6);
    CHECK_INT(kill(s.pid, SIGTERM), 0);
    program_wait(&said, s.pid);
    CHECK_SAID(&said, 0, "\nmemory: 16 MiB for weights, ", NULL);
    said_finish(&said);
}

/* A first message that is another, so that it goes to the other slot, and still
 * begins as the first slot's does. */
static void test_slots_share_what_begins_alike(void)
{
    struct served s;
    static const char *const args[] = { "--slots=2", NULL };
    char body[2][4096];
    double all;
    for (int i = 0; i < 2; i++) {
        int n = snprintf(body[i], sizeof body[i],
                         "{\"max_tokens\":2,\"messages\":[{\"role\":"
                         "\"user\",\"content\":\"");
        for (int j = 0; j < 100; j++)
            n += snprintf(body[i] + n, sizeof body[i] - (size_t)n,
                          "Rule %d: wait. ", j);
        snprintf(body[i] + n, sizeof body[i] - (size_t)n,
                 "Task: click number %d.\"}]}", i);
    }
    serve(&s, args);
    double alone = cached(&s, body[0], &all);
    double known = cached(&s, body[1], &all);
    CHECK_NEAR(alone, 0, 0);
    CHECK(known >= 0.7 * all);
    CHECK_NEAR(known / 128, floor(known / 128), 0);
    // Each has its own now.
    CHECK_NEAR(cached(&s, body[0], &all), all - 1, 0);
    CHECK_NEAR(cached(&s, body[1], &all), all - 1, 0);
    serve_end(&s);
}

static bool wait_until_idle(const struct served *s)
{
    for (int i = 0; i < 200; i++) {
        if (metric(s, "slots_busy") < 1)
            return true;
        dh_sleep_for(50 * DH_MS);
    }
    return false;
}

static bool one_piece(void *user, const char *bytes, size_t n)
{
    (void)user;
    (void)bytes;
    (void)n;
    return false;
}

static void test_a_client_that_goes_away_frees_its_slot(void)
{
    struct served s;
    static const char *const args[] = { "--slots=1", NULL };
    struct dh_http *h;
    struct dh_http_options o = { 0 };
    struct dh_http_response a;
    char url[128];
    serve(&s, args);
    snprintf(url, sizeof url, "%s/v1/chat/completions", s.url);
    static const char body[] = WRITE ",\"stream\":true}";
    struct dh_http_request r = {
        .url = url, .body = body, .len = sizeof body - 1, .on_data = one_piece
    };
    CHECK_INT(dh_http_create(&h, &o), DH_OK);
    CHECK_INT(dh_http_send(h, &r, &a), DH_OK);
    dh_http_response_finish(&a);
    dh_http_destroy(h);
    CHECK(wait_until_idle(&s));
    dh_free(content(&s, HELLO "}"));
    serve_end(&s);
}

// Connects and says this much; the socket stays open.
static int say(const struct served *s, const char *text)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)s->port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    CHECK_INT(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    CHECK(send(fd, text, strlen(text), MSG_NOSIGNAL) >= 0);
    return fd;
}

static int post(const struct served *s, const char *body)
{
    char text[1024];
    snprintf(text, sizeof text,
             "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
             "Content-Length: %zu\r\n\r\n%s",
             strlen(body), body);
    return say(s, text);
}

static void test_slow_clients_keep_nobody_waiting(void)
{
    struct served s;
    int fd[20];
    serve(&s, NULL);
    for (int i = 0; i < 20; i++)
        fd[i] = say(&s, i % 2 ? "POST /v1/chat/completions HTTP/1.1\r\nHo"
                              : "POST /v1/chat/completions HTTP/1.1\r\n"
                                "Host: x\r\nContent-Length: 1000\r\n\r\n{\"m");
    int64_t start = dh_now_ns();
    dh_free(content(&s, HELLO "}"));
    CHECK(dh_now_ns() - start < 30 * DH_S);
    for (int i = 0; i < 20; i++)
        close(fd[i]);
    serve_end(&s);
}

static void test_a_full_queue_says_so(void)
{
    struct served s;
    static const char *const args[] = { "--slots=1", "--queue=0", NULL };
    serve(&s, args);
    int fd = post(&s, WRITE ",\"stream\":true}");
    for (int i = 0; i < 200 && metric(&s, "slots_busy") < 1; i++)
        dh_sleep_for(20 * DH_MS);
    struct dh_http_response a =
        ask_as(&s, "/v1/chat/completions", HELLO "}", NULL);
    CHECK_INT(a.code, 429);
    CHECK(a.retry_after_ns > 0);
    dh_http_response_finish(&a);
    close(fd);
    CHECK(wait_until_idle(&s));
    CHECK_INT(code_of(&s, "/v1/chat/completions", HELLO "}"), 200);
    serve_end(&s);
}

static void test_the_end_ends_what_is_under_way(void)
{
    struct served s;
    static const char *const args[] = { "--slots=1", NULL };
    serve(&s, args);
    int fd = post(&s, WRITE "}");
    for (int i = 0; i < 200 && metric(&s, "slots_busy") < 1; i++)
        dh_sleep_for(20 * DH_MS);
    int64_t start = dh_now_ns();
    serve_end(&s);
    CHECK(dh_now_ns() - start < 20 * DH_S);
    close(fd);
}

/* --- our own client --- */

static void test_a_clip_is_asked_about_over_http(void)
{
    struct served s;
    struct said here, there;
    struct dh_synth_options so = { .width = 168, .height = 112, .seed = 9 };
    struct dh_video_out_options vo = { .width = 168, .height = 112 };
    struct dh_source *source;
    struct dh_video_out *v;
    char *path = dh_test_path("clip.mkv");
    CHECK_INT(dh_synth_create(&source, &so), DH_OK);
    CHECK_INT(dh_video_out_create(&v, path, &vo), DH_OK);
    for (int i = 0; i < 4; i++) {
        struct dh_frame *f;
        CHECK_INT(dh_source_grab(source, &f), DH_OK);
        f->time_ns = (i + 1) * DH_S;
        CHECK_INT(dh_video_out_write(v, f, NULL), DH_OK);
        dh_frame_unref(f);
    }
    CHECK_INT(dh_video_out_end(v), DH_OK);
    dh_video_out_destroy(v);
    dh_source_destroy(source);
    RUN(&here, "ask", "--json", "--video", path, "What?");
    serve(&s, NULL);
    RUN(&there, "ask", "--json", "--model", s.url, "--video", path, "What?");
    CHECK_INT(here.status, 0);
    CHECK_INT(there.status, 0);
    // The same frames, so the same number of tokens.
    const char *at = strstr(here.out, "\"prompt_tokens\":");
    CHECK(at);
    char want[64];
    snprintf(want, sizeof want, "%.*s", (int)strcspn(at, ",}"), at);
    printf("%s\n", want);
    CHECK(strstr(there.out, want));
    said_finish(&here);
    said_finish(&there);
    serve_end(&s);
    dh_free(path);
}

static void test_our_client_asks_it_as_it_asks_a_folder(void)
{
    struct served s;
    struct said here, there;
    struct dh_synth_options so = { .width = 280, .height = 168, .seed = 9 };
    struct dh_source *source;
    struct dh_frame *f;
    char *png = dh_test_path("p.png");
    CHECK_INT(dh_synth_create(&source, &so), DH_OK);
    CHECK_INT(dh_source_grab(source, &f), DH_OK);
    CHECK_INT(dh_png_write(png, f), DH_OK);
    dh_frame_unref(f);
    dh_source_destroy(source);
    RUN(&here, "locate", png, "Click the button.");
    CHECK_INT(here.status, 0);
    serve(&s, NULL);
    // program_start forgets what the server said, which is read already.
    RUN(&there, "locate", "--model", s.url, png, "Click the button.");
    CHECK_INT(there.status, 0);
    // A JPEG on the way: a pixel or two may be another.
    int x = 0, y = 0, u = 0, v = 0;
    char *end;
    x = (int)strtol(here.out, &end, 10);
    y = (int)strtol(end + 1, NULL, 10);
    u = (int)strtol(there.out, &end, 10);
    v = (int)strtol(end + 1, NULL, 10);
    printf("%d %d in this process, %d %d over HTTP\n", x, y, u, v);
    CHECK(abs(x - u) <= 28 && abs(y - v) <= 28);
    said_finish(&here);
    said_finish(&there);
    serve_end(&s);
    dh_free(png);
}

static void test_any_name_makes_sound_json(void)
{
    struct said said;
    const char *const args[] = { "serve",  "--listen", "127.0.0.1:0", "--json",
                                 "--name", "a\"b\\",   NULL };
    pid_t pid = program_start(args);
    CHECK(program_saw("}"));
    CHECK_INT(kill(pid, SIGTERM), 0);
    program_wait(&said, pid);
    CHECK_SAID(&said, 0, "\"model\":\"a\\\"b\\\\\",\"slots\":", NULL);
    CHECK_INT(json_lines(said.out), 1);
    said_finish(&said);
}

DH_TESTS(DH_TEST(a_chat_is_answered), DH_TEST(any_name_makes_sound_json),
         DH_TEST(a_stream_says_the_same),
         DH_TEST(a_stop_ends_the_answer_before_it),
         DH_TEST(a_form_keeps_the_answer_to_one_action),
         DH_TEST(what_is_wrong_is_refused_in_its_own_shape),
         DH_TEST(without_the_token_nobody_comes_in),
         DH_TEST(too_much_is_refused),
         DH_TEST(several_clients_get_what_they_get_alone),
         DH_TEST(slots_share_the_memory_for_weights),
         DH_TEST(slots_share_what_begins_alike),
         DH_TEST(a_client_that_goes_away_frees_its_slot),
         DH_TEST(slow_clients_keep_nobody_waiting),
         DH_TEST(a_full_queue_says_so), DH_TEST(the_end_ends_what_is_under_way),
         DH_TEST(our_client_asks_it_as_it_asks_a_folder),
         DH_TEST(a_clip_is_asked_about_over_http));
