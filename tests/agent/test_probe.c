// What doctor finds out about servers that each have one fault.
#include "agent/probe.h"

#include <stdio.h>
#include <string.h>

#include "agent/brain.h"
#include "agent/endpoint.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "tests/agent/peer.h"
#include "tests/dh_test.h"

#define CALL(at)                                            \
    "Action: Click.\n<tool_call>\n{\"name\":\"computer\","  \
    "\"arguments\":{\"action\":\"left_click\",\"coordinate" \
    "\":" at "}}\n</tool_call>"

// The card is 1904x1064 and its marker at 1428,266.
struct server {
    const char *text;
    const char *delta; // in place of the text
    int picture;       // tokens of the card
    bool caches, counts;
    atomic_int asked;
};

static bool play(struct peer *p, int fd, const struct peer_request *r)
{
    struct server *s = p->user;
    struct dh_buf event;
    char usage[256];
    if (strncmp(r->head, "GET ", 4) == 0)
        return peer_answer(
            fd, 200, "application/json",
            "{\"data\":[{\"id\":\"m3\",\"owned_by\":\"vllm\"}]}");
    int n = atomic_fetch_add(&s->asked, 1);
    int tokens = 300 + (strstr(r->body, "image_url") ? s->picture : 0);
    dh_buf_init(&event, 1 << 16);
    dh_buf_puts(&event, "{\"choices\":[{\"delta\":");
    if (s->delta) {
        dh_buf_puts(&event, s->delta);
    } else {
        dh_buf_puts(&event, "{\"content\":");
        dh_json_quote(&event, dh_str_of(s->text));
        dh_buf_putc(&event, '}');
    }
    dh_buf_puts(&event, ",\"finish_reason\":\"stop\"}]}");
    snprintf(usage, sizeof usage,
             "{\"choices\":[],\"usage\":{\"prompt_tokens\":%d,"
             "\"completion_tokens\":20,\"prompt_tokens_details\":"
             "{\"cached_tokens\":%d}}}",
             tokens, s->caches && n ? tokens - 10 : 0);
    bool ok = peer_stream(fd) && peer_event(fd, NULL, dh_buf_text(&event)) &&
              (!s->counts || peer_event(fd, NULL, usage)) &&
              peer_event(fd, NULL, "[DONE]");
    dh_buf_finish(&event);
    (void)ok;
    return false;
}

static void note(void *user, enum dh_probe_verdict v, const char *what,
                 const char *found, const char *mend)
{
    struct dh_buf *out = user;
    CHECK((mend != NULL) == (v != DH_PROBE_FINE));
    dh_buf_printf(out, "%d %s: %s (%s)\n", (int)v, what, found,
                  mend ? mend : "");
}

// Every line of the report. `more` goes into the endpoint's section.
static char *probe(struct server *s, const char *more)
{
    struct peer p;
    struct dh_brain *b;
    struct dh_buf out;
    char config[512];
    snprintf(config, sizeof config,
             "[t]\nurl=http://x/v1\nprofile=vllm\nretries=0\n%s", more);
    char *path = dh_test_file("config", config);
    peer_start(&p, play, s);
    struct dh_endpoint_choice c = { .url = p.url, .name = "t", .config = path };
    struct dh_brain_options o = { .prompts_dir = "assets/prompts" };
    CHECK_INT(dh_endpoint_open(&o.endpoint, &c), DH_OK);
    CHECK_INT(dh_brain_create(&b, &o), DH_OK);
    dh_buf_init(&out, 1 << 16);
    CHECK_INT(dh_probe_endpoint(b, note, &out), DH_OK);
    CHECK_INT(s->asked, 3);
    dh_brain_destroy(b);
    peer_stop(&p);
    dh_free(path);
    printf("%s", dh_buf_text(&out));
    return dh_buf_take(&out);
}

static void check_probe(struct server s, const char *more, const char *line)
{
    char *report = probe(&s, more);
    if (!strstr(report, line))
        CHECK_STR(report, line);
    dh_free(report);
}

static struct server good(void)
{
    return (struct server){ .text = CALL("[750,250]"),
                            .picture = 68 * 38 + 2,
                            .caches = true,
                            .counts = true };
}

static void test_a_good_server_has_no_fault(void)
{
    struct server s = good();
    char *report = probe(&s, "");
    CHECK(strstr(report, "0 picture size: 1904x1064 is 2586 tokens"));
    CHECK(strstr(report, "0 points: norm1000: 1428,266 for"));
    CHECK(strstr(report, "0 calls: come in the text"));
    CHECK(strstr(report, "0 cache: 2876 of 2886 "));
    CHECK(!strstr(report, "\n1 ") && !strstr(report, "\n2 "));
    dh_free(report);
}

static void test_a_server_that_shrinks_pictures_is_found(void)
{
    struct server s = good();
    s.picture = 513;
    check_probe(s, "",
                "2 picture size: 1904x1064 is 513 tokens, of M3 it "
                "should be 2584");
    s.picture = 0;
    check_probe(s, "", "2 picture size: the picture is not looked at");
    s.picture = 4000;
    check_probe(s, "", "1 picture size: ");
    s.counts = false;
    check_probe(s, "", "1 picture size: cannot be told");
}

static void test_points_of_another_convention_are_named(void)
{
    struct server s = good();
    s.text = CALL("[1428,266]");
    check_probe(s, "",
                "2 points: the answer fits pixels-sent and not norm1000");
    check_probe(s, "coord=pixels-sent\n", "0 points: pixels-sent: 1428,266");
    s.text = CALL("[750,250]");
    check_probe(s, "coord=pixels-sent\n",
                "2 points: the answer fits norm1000 and not pixels-sent");
    s.text = CALL("[10,900]");
    check_probe(s, "", "no other convention fits");
    s.text = "I see a red square.";
    check_probe(s, "", "2 points: no point could be read");
}

static void test_a_server_without_a_cache_is_told(void)
{
    struct server s = good();
    s.caches = false;
    check_probe(s, "", "1 cache: 0 of 2886 tokens");
}

#define NATIVE                                                             \
    "{\"reasoning\":\"Hm.\",\"tool_calls\":[{\"index\":0,\"id\":\"c\","    \
    "\"function\":{\"name\":\"computer\",\"arguments\":\"{\\\"action\\\":" \
    "\\\"left_click\\\",\\\"coordinate\\\":[750,250]}\"}}]}"

static void test_the_fields_of_an_answer_are_told(void)
{
    struct server s = good();
    s.delta = NATIVE;
    check_probe(s, "", "1 calls: come as native tool calls, which a stop");
    check_probe(s, "stop=no\n", "0 calls: come as native tool calls (");
    check_probe(s, "", "0 thoughts: come in reasoning (");
    s.delta = "{\"reasoning_content\":\"<tool_call>{}\",\"content\":\"\"}";
    check_probe(s, "", "2 calls: come among the thoughts");
}

DH_TESTS(DH_TEST(a_good_server_has_no_fault),
         DH_TEST(a_server_that_shrinks_pictures_is_found),
         DH_TEST(points_of_another_convention_are_named),
         DH_TEST(a_server_without_a_cache_is_told),
         DH_TEST(the_fields_of_an_answer_are_told));
