// The commands with a model behind an address: a server on the loopback address
// writes what a model would, and a live X server shows what came of it.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "capture/png.h"
#include "capture/source.h"
#include "capture/synth.h"
#include "tests/agent/peer.h"
#include "tests/dh_test.h"
#include "tests/tools/program.h"
#include "tests/x11/listener.h"

#define CALL(args)                                                            \
    "Action: Do it.\n<tool_call>\n{\"name\":\"computer\",\"arguments\":" args \
    "}"
#define CLICK "{\"action\":\"left_click\",\"coordinate\":[500,500]}"
#define HELLO "{\"action\":\"type\",\"text\":\"hello\"}"

// Answers in order, the last one for ever.
struct play {
    const char *const *answer;
    atomic_int asked;
    int tokens; /* of each question; a tenth of it is not cached */
    bool silent;
};

static bool tell_escapes(struct peer *p, int fd, const struct peer_request *r)
{
    (void)p;
    bool models = strncmp(r->head, "GET ", 4) == 0;
    if (!models)
        return peer_answer(fd, 404, "text/plain", "no");
    return peer_answer(fd, 200, "application/json",
                       "{\"data\":[{\"id\":\"m3\\u001b[2J\","
                       "\"owned_by\":\"vllm\"}]}");
}

static bool play(struct peer *p, int fd, const struct peer_request *r)
{
    struct play *it = p->user;
    struct dh_buf event;
    char usage[256];
    if (strncmp(r->head, "GET ", 4) == 0)
        return peer_answer(
            fd, 200, "application/json",
            "{\"data\":[{\"id\":\"m3\",\"owned_by\":\"vllm\"}]}");
    int n = atomic_fetch_add(&it->asked, 1);
    while (it->silent && peer_pause(p, 1000))
        ;
    int last = 0;
    while (it->answer[last + 1])
        last++;
    n = DH_MIN(n, last);
    dh_buf_init(&event, 1 << 16);
    dh_buf_puts(&event, "{\"choices\":[{\"delta\":{\"content\":");
    dh_json_quote(&event, dh_str_of(it->answer[n]));
    dh_buf_puts(&event, "},\"finish_reason\":\"stop\"}]}");
    snprintf(usage, sizeof usage,
             "{\"choices\":[],\"usage\":{\"prompt_tokens\":%d,"
             "\"completion_tokens\":20,\"prompt_tokens_details\":"
             "{\"cached_tokens\":%d}}}",
             it->tokens, it->tokens / 10 * 9);
    bool ok = peer_stream(fd) && peer_event(fd, NULL, dh_buf_text(&event)) &&
              peer_event(fd, NULL, usage) && peer_event(fd, NULL, "[DONE]");
    dh_buf_finish(&event);
    (void)ok; // whoever hung up has what it wanted
    return false;
}

static void write_config(const char *text)
{
    char *dir = dh_test_path("etc/deskhand"), *etc = dh_test_path("etc");
    CHECK_INT(dh_path_mkdirs(dir), DH_OK);
    dh_free(dh_test_file("etc/deskhand/config", text));
    setenv("XDG_CONFIG_HOME", etc, 1);
    dh_free(dir);
    dh_free(etc);
}

static const char *const task[] = { CALL(CLICK), CALL(HELLO),
                                    CALL("{\"action\":\"done\"}"), NULL };

static void check_file_has(const char *name, const char *part)
{
    char *path = dh_test_path(name), *text;
    size_t len;
    CHECK_INT(dh_file_read(path, 1 << 24, &text, &len), DH_OK);
    if (!strstr(text, part))
        CHECK_STR(text, part);
    CHECK(!strstr(text, "very-secret"));
    dh_big_free(text);
    dh_free(path);
}

static void test_a_server_does_a_task(void)
{
    struct dh_listener l;
    struct peer p;
    struct play it = { .answer = task, .tokens = 4000 };
    struct said s;
    char *dir = dh_test_path("session");
    char *key = dh_test_file("key", "sk-very-secret\n");
    dh_listener_init(&l);
    peer_start(&p, play, &it);
    RUN(&s, "run", "--model", p.url, "--api-key-file", key, "--session", dir,
        "--quiet-ms=20", "Say hello.");
    CHECK_SAID(&s, 0, "done after 3 steps", "");
    CHECK_SAID(&s, 0, "model   m3 at http://127.0.0.1:", "");
    CHECK_SAID(&s, 0, "asked as vllm", "");
    CHECK_SAID(&s, 0, "tokens: 12000 in, 90 % of them cached, 60 out", "");
    CHECK(!strstr(s.out, "very-secret"));
    said_finish(&s);
    CHECK_INT(it.asked, 3);
    CHECK(p.saw_key);
    peer_stop(&p);
    dh_listener_drain(&l);
    CHECK_STR(dh_buf_text(&l.typed), "hello");
    CHECK_INT(dh_listener_held(&l), 0);
    check_file_has("session/session.json",
                   "\"spent\":{\"tokens_in\":12000,\"cached\":10800,"
                   "\"tokens_out\":60,");
    check_file_has("session/session.json", "\"name\":\"m3\"");
    check_file_has("session/events.jsonl", "\"cached\":3600");
    dh_listener_finish(&l);
    dh_free(dir);
    dh_free(key);
}

static const char *const for_ever[] = { CALL(CLICK), NULL };

static void test_a_budget_ends_a_run(void)
{
    struct peer p;
    struct play it = { .answer = for_ever, .tokens = 4000 };
    struct said s;
    char config[256];
    peer_start(&p, play, &it);
    snprintf(config, sizeof config,
             "[here]\nurl = %s\nprofile = vllm\nprice-in = 100\n"
             "price-cached = 10\nprice-out = 1000\n",
             p.url);
    write_config(config);
    // 400 * 100 + 3600 * 10 + 20 * 1000 millionths a step.
    RUN(&s, "run", "--no-record", "--endpoint=here", "--quiet-ms=10",
        "--max-cost=0.15", "x");
    CHECK_SAID(&s, 3, "budget after 2 steps", "");
    CHECK_SAID(&s, 3, "$0.1920", "");
    said_finish(&s);
    CHECK_INT(it.asked, 2);
    RUN(&s, "run", "--no-record", "--endpoint=here", "--quiet-ms=10",
        "--max-tokens=4000", "--json", "x");
    CHECK_SAID(&s, 3, "\"end\":\"budget\",\"steps\":1,", "");
    CHECK_SAID(&s, 3, "\"cost\":0.096", "");
    said_finish(&s);
    peer_stop(&p);
}

static void test_a_stop_does_not_wait_for_the_server(void)
{
    struct peer p;
    struct play it = { .answer = task, .silent = true };
    struct said s;
    peer_start(&p, play, &it);
    const char *const args[] = { "run",    "--no-record", "--model", p.url,
                                 "--json", "Wait.",       NULL };
    pid_t pid = program_start(args);
    CHECK(program_saw("\"event\":\"frame\"") ||
          program_saw("\"event\":\"start\""));
    // The question is out, and nothing will ever come back.
    for (int i = 0; i < 100 && !it.asked; i++)
        peer_pause(&p, 100);
    CHECK_INT(it.asked, 1);
    int64_t start = dh_now_ns();
    kill(pid, SIGINT);
    program_wait(&s, pid);
    CHECK(dh_now_ns() - start < 20 * DH_S);
    CHECK_SAID(&s, 4, "\"end\":\"stopped\"", NULL);
    said_finish(&s);
    peer_stop(&p);
}

static char *write_picture(void)
{
    struct dh_synth_options o = { .width = 400, .height = 200, .seed = 1 };
    struct dh_source *s;
    struct dh_frame *f;
    char *path = dh_test_path("a.png");
    CHECK_INT(dh_synth_create(&s, &o), DH_OK);
    CHECK_INT(dh_source_grab(s, &f), DH_OK);
    CHECK_INT(dh_png_write(path, f), DH_OK);
    dh_frame_unref(f);
    dh_source_destroy(s);
    return path;
}

static void test_a_silent_server_runs_into_a_time_limit(void)
{
    struct peer p;
    struct play it = { .answer = task, .silent = true };
    struct said s;
    char *png = write_picture();
    peer_start(&p, play, &it);
    RUN(&s, "locate", "--model", p.url, "--idle-timeout=0.3", png, "x");
    CHECK_SAID(&s, 1, "", "endpoint vllm: ");
    said_finish(&s);
    // One time-out is forgiven.
    CHECK_INT(it.asked, 2);
    peer_stop(&p);
    dh_free(png);
}

static const char *const words[] = { "It is\x1b[31m blue.", NULL };

static void test_locate_and_ask_work_with_a_server(void)
{
    struct peer p;
    struct play it = { .answer = for_ever, .tokens = 4000 };
    struct said s;
    char *png = write_picture();
    peer_start(&p, play, &it);
    RUN(&s, "locate", "--model", p.url, png, "Click it.");
    CHECK_SAID(&s, 0, "200 100\n", "");
    said_finish(&s);
    it.answer = words;
    RUN(&s, "ask", "--model", p.url, "--image", png, "What colour?");
    CHECK_SAID(&s, 0, "It is?[31m blue.\n", "");
    said_finish(&s);
    peer_stop(&p);
    RUN(&s, "locate", "--model", p.url, "--endpoint=minimax", png, "x");
    CHECK_SAID(&s, 1, "", "endpoint minimax");
    said_finish(&s);
    RUN(&s, "locate", "--endpoint=nowhere", png, "x");
    CHECK_SAID(&s, 2, "", "--endpoint=nowhere is neither");
    said_finish(&s);
    dh_free(png);
}

// A number from a server that made the pictures smaller would be worth nothing.
static void test_eval_refuses_smaller_pictures(void)
{
    struct peer p;
    struct play it = { .answer = for_ever, .tokens = 60 };
    struct said s;
    char *png = write_picture(), *out = dh_test_path("results");
    char *set = dh_test_file("set.json",
                             "[{\"img_filename\":\"a.png\",\"bbox\":[0,0,9,9],"
                             "\"instruction\":\"x\"}]");
    peer_start(&p, play, &it);
    RUN(&s, "eval", "ground", "--model", p.url, "--out", out, set);
    CHECK_SAID(&s, 1, NULL, "makes pictures smaller");
    said_finish(&s);
    peer_stop(&p);
    dh_free(png);
    dh_free(out);
    dh_free(set);
}

static bool tell_tales(struct peer *p, int fd, const struct peer_request *r)
{
    (void)p;
    if (strncmp(r->head, "GET ", 4) == 0)
        return peer_answer(fd, 404, "text/plain", "no");
    const char *key = strstr(r->head, "Bearer ");
    struct dh_buf body;
    dh_buf_init(&body, 1 << 16);
    dh_buf_puts(&body, "{\"error\":{\"message\":\"wrong: ");
    dh_buf_put(&body, key ? key : "", key ? strcspn(key, "\r\n") : 0);
    dh_buf_puts(&body, "\\u001b[2J\"}}");
    bool ok = peer_answer(fd, 401, "application/json", dh_buf_text(&body));
    dh_buf_finish(&body);
    return ok;
}

// Some servers say the key again, and any may say what a terminal obeys.
static void test_what_a_server_says_is_printed_harmless(void)
{
    struct peer p;
    struct said s;
    char *png = write_picture(), *key = dh_test_path("key");
    CHECK_INT(dh_file_write(key, "sk-very-secret\n", 15), DH_OK);
    peer_start(&p, tell_tales, NULL);
    RUN(&s, "locate", "--model", p.url, "--api-key-file", key, "--log=trace",
        png, "x");
    CHECK_SAID(&s, 1, "", "wrong: Bearer **************?[2J");
    CHECK_SAID(&s, 1, "", "chmod 600 keeps the key yours");
    CHECK(!strstr(s.err, "very-secret"));
    said_finish(&s);
    peer_stop(&p);
    peer_start(&p, tell_escapes, NULL);
    RUN(&s, "run", "--no-record", "--model", p.url, "x");
    CHECK_SAID(&s, 1, "model   m3?[2J at http://127.0.0.1:", NULL);
    CHECK(!strchr(s.out, '\x1b'));
    said_finish(&s);
    peer_stop(&p);
    dh_free(png);
    dh_free(key);
}

static const char *const marker[] = {
    CALL("{\"action\":\"left_click\",\"coordinate\":[750,250]}"), NULL
};

static void test_doctor_looks_at_a_server(void)
{
    struct peer p;
    struct play it = { .answer = marker, .tokens = 4000 };
    struct said s;
    peer_start(&p, play, &it);
    // The same count with and without the picture: it was left out.
    RUN(&s, "doctor", p.url);
    CHECK_SAID(&s, 1, "ok      points         norm1000: 1428,266", NULL);
    CHECK_SAID(&s, 1, "BROKEN  picture size   the picture is not looked at",
               NULL);
    CHECK(!strstr(s.out, "XTest"));
    said_finish(&s);
    RUN(&s, "doctor", "--json", "--endpoint=openai", "--model", p.url);
    CHECK_SAID(&s, 1, "{\"check\":\"points\",\"verdict\":\"", NULL);
    CHECK_SAID(&s, 1, "\"cache\",\"verdict\":\"ok\"", NULL);
    said_finish(&s);
    peer_stop(&p);
    RUN(&s, "doctor", p.url);
    CHECK_SAID(&s, 1, "BROKEN  endpoint", "is the server running?");
    said_finish(&s);
}

static void test_a_dry_run_asks_nobody(void)
{
    struct said s;
    RUN(&s, "run", "--dry-run", "--endpoint=minimax", "--max-steps=100", "x");
    CHECK_SAID(&s, 0, "100 steps at ", "");
    CHECK_SAID(&s, 0, "if nothing were cached", "");
    said_finish(&s);
}

// 4 bytes of text are a token, and each step sends them again.
static void test_a_dry_run_counts_the_configured_prompt(void)
{
    struct said s;
    char *path = dh_test_path("words"), body[40001], text[4096];
    memset(body, 'x', sizeof body - 1);
    body[sizeof body - 1] = 0;
    snprintf(text, sizeof text,
             "[here]\nurl = http://127.0.0.1:1/v1\nprompt = %s\n", path);
    write_config(text);
    RUN(&s, "run", "--dry-run", "--endpoint=here", "x");
    CHECK_SAID(&s, 1, "", path);
    said_finish(&s);
    dh_free(dh_test_file("words", "Click."));
    RUN(&s, "run", "--dry-run", "--json", "--max-steps=1", "--endpoint=here",
        "x");
    const char *at = strstr(s.out, "\"prompt_tokens\":");
    CHECK(at);
    long few = strtol(at + 16, NULL, 10);
    said_finish(&s);
    dh_free(dh_test_file("words", body));
    RUN(&s, "run", "--dry-run", "--json", "--max-steps=1", "--endpoint=here",
        "x");
    CHECK_INT(json_lines(s.out), 1);
    at = strstr(s.out, "\"prompt_tokens\":");
    CHECK(at && strtol(at + 16, NULL, 10) > few + 5000);
    said_finish(&s);
    dh_free(path);
}

DH_TESTS(DH_TEST(a_server_does_a_task), DH_TEST(a_budget_ends_a_run),
         DH_TEST(a_stop_does_not_wait_for_the_server),
         DH_TEST(a_silent_server_runs_into_a_time_limit),
         DH_TEST(locate_and_ask_work_with_a_server),
         DH_TEST(eval_refuses_smaller_pictures),
         DH_TEST(what_a_server_says_is_printed_harmless),
         DH_TEST(doctor_looks_at_a_server), DH_TEST(a_dry_run_asks_nobody),
         DH_TEST(a_dry_run_counts_the_configured_prompt));
