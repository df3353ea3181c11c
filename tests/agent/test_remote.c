// The brain behind an endpoint, against servers that answer well and badly.
#include <stdio.h>
#include <string.h>

#include "actions/parse.h"
#include "agent/brain.h"
#include "agent/endpoint.h"
#include "agent/history.h"
#include "agent/policy.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "tests/agent/part.h"
#include "tests/dh_test.h"

static void test_an_action_comes_over_a_stream(void)
{
    struct peer p;
    struct part part = { .profile = "vllm", .events = part_streamed };
    struct dh_decision d;
    peer_start(&p, part_play, &part);
    struct dh_brain *b = part_connect(&p, NULL);
    CHECK_STR(dh_brain_get_endpoint(b)->s.profile, "vllm");
    CHECK_STR(dh_brain_get_endpoint(b)->s.model, "m3");
    CHECK_INT(part_decide(b, &d), DH_OK);
    // The stop sequence took the tag, which is put back.
    CHECK(strstr(d.text, "[500,250]}}\n</tool_call>"));
    CHECK_STR(d.reasoning, "It is there.");
    CHECK(strstr(d.wire, "\"reasoning_content\":\"It is there.\""));
    CHECK_INT(d.usage.prompt_tokens, 900);
    CHECK_INT(d.usage.cached_tokens, 800);
    CHECK_INT(d.usage.answer_tokens, 40);
    dh_decision_finish(&d);
    const char *q = part.bodies[0];
    CHECK(strstr(q, "\"model\":\"m3\""));
    CHECK(
        strstr(q, "\"chat_template_kwargs\":{\"thinking_mode\":\"adaptive\"}"));
    CHECK(strstr(q, "\"stop\":[\"</tool_call>\"]"));
    CHECK(strstr(q, "\"image_url\":{\"url\":\"data:image/jpeg;base64,/9j/"));
    CHECK(strstr(q, "\"max_long_side_pixel\":280"));
    CHECK(strstr(q, "Task: Click it."));
    dh_brain_destroy(b);
    part_finish(&part);
    peer_stop(&p);
}

static const char *const two_actions[] = {
    "{\"choices\":[{\"delta\":{\"content\":\"Action: Click.\\n<tool_call>\\n"
    "{\\\"name\\\":\\\"computer\\\",\\\"arguments\\\":{\\\"action\\\":"
    "\\\"left_click\\\",\\\"coordinate\\\":[1,2]}}\\n</tool_call>\"}}]}",
    NULL
};

static void test_the_connection_is_dropped_after_the_action(void)
{
    struct peer p;
    struct part part = { .profile = "vllm",
                         .events = two_actions,
                         .no_end = true };
    struct dh_decision d;
    peer_start(&p, part_play, &part);
    struct dh_brain *b = part_connect(&p, NULL);
    int64_t start = dh_now_ns();
    CHECK_INT(part_decide(b, &d), DH_OK);
    CHECK(dh_now_ns() - start < 4 * DH_S);
    CHECK(strlen(d.text) < 200);
    // Nobody told what it took, and it was not for nothing.
    CHECK(d.usage.prompt_tokens > 300 && d.usage.answer_tokens > 10);
    dh_decision_finish(&d);
    dh_brain_destroy(b);
    part_finish(&part);
    peer_stop(&p);
}

static const char *const native[] = {
    "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c1\","
    "\"function\":{\"name\":\"computer\",\"arguments\":\"{\\\"action\\\":\"}}]"
    "}}]}",
    "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":"
    "{\"arguments\":\"\\\"key\\\",\\\"text\\\":\\\"Return\\\"}\"}}]}}]}",
    "{\"choices\":[{\"delta\":{},\"finish_reason\":\"tool_calls\"}]}", NULL
};

static void test_a_native_call_is_read_and_answered(void)
{
    struct peer p;
    struct part part = { .profile = "vllm", .events = native };
    struct dh_decision d;
    struct dh_answer a;
    struct dh_diag diag = { 0 };
    struct dh_frame *f = part_picture(280, 140, 1),
                    *g = part_picture(280, 140, 2);
    peer_start(&p, part_play, &part);
    struct dh_brain *b = part_connect(&p, NULL);
    CHECK_INT(part_decide(b, &d), DH_OK);
    CHECK_INT(dh_answer_parse(d.text, strlen(d.text), &a, &diag), DH_OK);
    CHECK_INT(a.n, 1);
    CHECK_INT(a.action[0].op, DH_ACTION_KEY);
    dh_answer_finish(&a);
    // As history, the call goes back whole and is answered under its id.
    struct dh_policy *policy = dh_policy_model_create(b);
    struct dh_history h;
    struct dh_decision next;
    dh_history_init(&h, "Press it.");
    dh_history_add(&h, f, d.text, "Press.", NULL);
    dh_history_set_wire(&h, d.wire);
    CHECK_INT(policy->ops->decide(policy, &h, g, 0, NULL, &next), DH_OK);
    const char *call = strstr(part.bodies[1], "\"tool_calls\":[{\"id\":\"c1\"");
    CHECK(call);
    CHECK(strstr(call, "{\"role\":\"tool\",\"tool_call_id\":\"c1\""));
    dh_decision_finish(&next);
    dh_decision_finish(&d);
    dh_history_finish(&h);
    dh_policy_destroy(policy);
    dh_brain_destroy(b);
    dh_frame_unref(f);
    dh_frame_unref(g);
    part_finish(&part);
    peer_stop(&p);
}

static const char *const messages[] = {
    "{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":100,"
    "\"cache_read_input_tokens\":700,\"output_tokens\":1}}}",
    "{\"type\":\"ping\"}",
    "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":"
    "\"thinking\",\"thinking\":\"\"}}",
    "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":"
    "\"thinking_delta\",\"thinking\":\"Hm.\"}}",
    "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":"
    "\"signature_delta\",\"signature\":\"sig\"}}",
    "{\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":"
    "\"tool_use\",\"id\":\"t1\",\"name\":\"computer\",\"input\":{}}}",
    "{\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":"
    "\"input_json_delta\",\"partial_json\":\"{\\\"action\\\":\\\"wait\\\"}\"}}",
    "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},"
    "\"usage\":{\"output_tokens\":30}}",
    "{\"type\":\"message_stop\"}",
    NULL
};

static void test_messages_are_the_other_protocol(void)
{
    struct peer p;
    struct part part = { .events = messages, .name = "x" };
    struct dh_decision d;
    peer_start(&p, part_play, &part);
    struct dh_brain *b =
        part_connect(&p, "[t]\nurl=http://x/v1\nprofile=minimax-anthropic\n");
    CHECK_INT(part_decide(b, &d), DH_OK);
    CHECK(strstr(d.text, "<tool_call>\n{\"name\":\"computer\",\"arguments\":"
                         "{\"action\":\"wait\"}}\n</tool_call>"));
    CHECK_STR(d.reasoning, "Hm.");
    CHECK(strstr(d.wire, "{\"type\":\"thinking\",\"thinking\":\"Hm.\","
                         "\"signature\":\"sig\"}"));
    CHECK(strstr(d.wire, "{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":"
                         "\"computer\",\"input\":{\"action\":\"wait\"}}"));
    CHECK_INT(d.usage.prompt_tokens, 800);
    CHECK_INT(d.usage.cached_tokens, 700);
    CHECK_INT(d.usage.answer_tokens, 30);
    CHECK(d.usage.cost > 0);
    const char *q = part.bodies[0];
    CHECK(strstr(q, "\"system\":[{\"type\":\"text\""));
    CHECK(strstr(q, "\"source\":{\"type\":\"base64\",\"media_type\":"
                    "\"image/jpeg\",\"data\":\"/9j/"));
    CHECK(strstr(q, "\"thinking\":{\"type\":\"adaptive\"}"));
    dh_decision_finish(&d);
    dh_brain_destroy(b);
    part_finish(&part);
    peer_stop(&p);
}

static void test_a_section_goes_before_what_a_server_tells(void)
{
    struct peer p;
    struct part part = { .profile = "vllm", .events = part_streamed };
    struct dh_decision d;
    char *prompt = dh_test_file("prompt", "Act well.\n"), config[4096];
    snprintf(config, sizeof config,
             "[t]\nurl=http://x/v1\nmax-images=7\nthinking=disabled\n"
             "prompt=%s\n",
             prompt);
    peer_start(&p, part_play, &part);
    struct dh_brain *b = part_connect(&p, config);
    const struct dh_endpoint *e = dh_brain_get_endpoint(b);
    CHECK_STR(e->name, "t");
    CHECK_STR(e->s.profile, "vllm");
    CHECK_INT(e->s.max_images, 7);
    CHECK_INT(part_decide(b, &d), DH_OK);
    CHECK(strstr(part.bodies[0], "\"chat_template_kwargs\":{\"thinking_mode\":"
                                 "\"disabled\"}"));
    CHECK(strstr(part.bodies[0], "{\"role\":\"system\",\"content\":\"Act "
                                 "well.\"}"));
    dh_decision_finish(&d);
    dh_brain_destroy(b);
    part_finish(&part);
    peer_stop(&p);
    dh_free(prompt);
}

// One mark, behind the newest picture: what stands before it is kept.
static void test_the_end_of_a_question_is_marked_for_one_cache(void)
{
    static const char *const profiles[] = { "anthropic", "minimax-anthropic" };
    for (size_t i = 0; i < DH_COUNTOF(profiles); i++) {
        struct peer p;
        struct part part = { .events = messages, .name = "x" };
        struct dh_decision d;
        char config[128];
        snprintf(config, sizeof config, "[t]\nurl=http://x/v1\nprofile=%s\n",
                 profiles[i]);
        peer_start(&p, part_play, &part);
        struct dh_brain *b = part_connect(&p, config);
        CHECK_INT(part_decide(b, &d), DH_OK);
        const char *mark = strstr(part.bodies[0],
                                  "\"cache_control\":{\"type\":\"ephemeral\"}");
        CHECK((mark != NULL) == (i == 0));
        CHECK(!mark || (!strstr(mark + 2, "cache_control") &&
                        !strstr(mark, "\"type\":\"text\"")));
        dh_decision_finish(&d);
        dh_brain_destroy(b);
        part_finish(&part);
        peer_stop(&p);
    }
}

/* --- what goes wrong --- */

static enum dh_status fail(int times, int code, const char *body, int *asked)
{
    struct peer p;
    struct part part = { .events = part_streamed,
                         .fail_first = times,
                         .fail_code = code,
                         .fail_body = body };
    struct dh_decision d;
    peer_start(&p, part_play, &part);
    struct dh_brain *b = part_connect(&p, PART_QUICK);
    enum dh_status st = part_decide(b, &d);
    *asked = part.n_bodies;
    dh_decision_finish(&d);
    dh_brain_destroy(b);
    part_finish(&part);
    peer_stop(&p);
    return st;
}

/* actions.md 4.8. */
static void test_errors_are_handled_as_they_mean(void)
{
    static const struct {
        int times, code;
        const char *body;
        enum dh_status want;
        int asked;
    } cases[] = {
        { 2, 429, "slow down", DH_OK, 3 },
        { 3, 503, "<html>busy</html>", DH_OK, 4 },
        { 1, 500, "", DH_OK, 2 },
        { 1, 200, "{\"base_resp\":{\"status_code\":1002,\"status_msg\":\"r\"}}",
          DH_OK, 2 },
        { 1, 200, "{\"error\":{\"message\":\"odd\"}}", DH_OK, 2 },
        { 99, 429, "storm", DH_ERR_IO, 6 },
        { 99, 429,
          "{\"error\":{\"message\":\"You exceeded your current quota\"}}",
          DH_ERR_REFUSED, 1 },
        { 99, 401, "{\"error\":{\"message\":\"bad key\"}}", DH_ERR_REFUSED, 1 },
        { 99, 200, "{\"base_resp\":{\"status_code\":1008}}", DH_ERR_REFUSED,
          1 },
        { 99, 200, "{\"base_resp\":{\"status_code\":2049}}", DH_ERR_REFUSED,
          1 },
        { 99, 400, "{\"error\":{\"message\":\"no\",\"code\":2013}}",
          DH_ERR_UNSUPPORTED, 1 },
        { 99, 404, "not here", DH_ERR_UNSUPPORTED, 1 },
        { 99, 307, "", DH_ERR_UNSUPPORTED, 1 },
        // One picture alone cannot be left out.
        { 99, 200, "{\"base_resp\":{\"status_code\":1039}}", DH_ERR_UNSUPPORTED,
          1 },
        { 99, 200, "{\"base_resp\":{\"status_code\":1026}}", DH_ERR_UNSUPPORTED,
          1 },
        { 99, 200, "no JSON at all", DH_ERR_IO, 6 },
        { 99, 200, "{\"choices\":[]}", DH_ERR_IO, 6 },
        { 99, 200, "[]", DH_ERR_IO, 6 },
        { 99, 200, "\xff\xfe{\"a\":", DH_ERR_IO, 6 },
    };
    for (size_t i = 0; i < DH_COUNTOF(cases); i++) {
        int asked;
        printf("%d %s\n", cases[i].code, cases[i].body);
        CHECK_INT(fail(cases[i].times, cases[i].code, cases[i].body, &asked),
                  cases[i].want);
        CHECK_INT(asked, cases[i].asked);
    }
}

static int pictures_in(const char *body)
{
    int n = 0;
    for (const char *at = body; (at = strstr(at, "base64,")); at++)
        n++;
    return n;
}

// How many pictures the two tries have of a question with six of them.
static void check_with_fewer(const char *body, int second)
{
    struct peer p;
    struct part part = { .events = part_streamed,
                         .fail_first = 1,
                         .fail_code = 200,
                         .fail_body = body };
    struct dh_decision d;
    struct dh_history h;
    struct dh_frame *f = part_picture(280, 140, 9);
    peer_start(&p, part_play, &part);
    struct dh_brain *b = part_connect(&p, PART_QUICK);
    struct dh_policy *policy = dh_policy_model_create(b);
    dh_history_init(&h, "Click it.");
    for (int i = 0; i < 5; i++)
        dh_history_add(&h, f, "x", "X.", NULL);
    CHECK_INT(policy->ops->decide(policy, &h, f, 0, NULL, &d), DH_OK);
    CHECK_INT(part.n_bodies, 2);
    CHECK_INT(pictures_in(part.bodies[0]), 6);
    CHECK_INT(pictures_in(part.bodies[1]), second);
    dh_decision_finish(&d);
    // From here on fewer are shown where it was too long.
    bool fewer = second == 1;
    CHECK_INT(dh_brain_get_profile(b)->keep_min, fewer ? 4 : 8);
    dh_history_finish(&h);
    dh_policy_destroy(policy);
    dh_brain_destroy(b);
    dh_frame_unref(f);
    part_finish(&part);
    peer_stop(&p);
}

static void test_too_long_or_disliked_is_asked_with_fewer_pictures(void)
{
    check_with_fewer("{\"base_resp\":{\"status_code\":1039}}", 1);
    check_with_fewer("{\"base_resp\":{\"status_code\":1026}}", 5);
}

static const char *const cut[] = {
    "{\"choices\":[{\"delta\":{\"content\":\"Action: Cli\"}}]}", NULL
};
static const char *const garbage[] = { "{\"choices\":[{\"delta\":", NULL };
static const char *const in_stream[] = {
    "{\"choices\":[{\"delta\":{\"content\":\"Ac\"}}]}",
    "{\"error\":{\"message\":\"out of memory\",\"code\":1000}}", NULL
};

static void test_streams_that_break_are_errors(void)
{
    static const char *const *const broken[] = { cut, garbage, in_stream };
    for (size_t i = 0; i < DH_COUNTOF(broken); i++) {
        struct peer p;
        struct part part = { .events = broken[i] };
        struct dh_decision d;
        peer_start(&p, part_play, &part);
        struct dh_brain *b = part_connect(&p, PART_QUICK "retries=1\n");
        CHECK_INT(part_decide(b, &d), DH_ERR_IO);
        CHECK_INT(part.n_bodies, 2);
        dh_brain_destroy(b);
        part_finish(&part);
        peer_stop(&p);
    }
}

static const char *const thinks_for_ever[] = {
    "{\"choices\":[{\"delta\":{\"reasoning_content\":\"and then \"}}]}", NULL
};

static void test_a_stream_without_end_ends_in_time(void)
{
    struct peer p;
    struct part part = { .events = thinks_for_ever, .no_end = true };
    struct dh_decision d;
    int64_t start = dh_now_ns();
    peer_start(&p, part_play, &part);
    struct dh_brain *b = part_connect(&p, PART_QUICK);
    CHECK_INT(part_decide(b, &d), DH_ERR_TIMEOUT);
    // One time-out is forgiven.
    CHECK_INT(part.n_bodies, 2);
    CHECK(dh_now_ns() - start < 30 * DH_S);
    dh_brain_destroy(b);
    part_finish(&part);
    peer_stop(&p);
}

static void test_keys_are_nowhere_but_in_the_header(void)
{
    struct peer p;
    struct part part = { .events = part_streamed };
    struct dh_decision d;
    char config[4096], *key = dh_test_file("key", "sk-very-secret");
    peer_start(&p, part_play, &part);
    snprintf(config, sizeof config, PART_QUICK "url=%s/v1\nkey-file=%s\n",
             p.url, key);
    struct dh_brain *b = part_connect(&p, config);
    CHECK_INT(part_decide(b, &d), DH_OK);
    CHECK(p.saw_key);
    CHECK(!strstr(part.bodies[0], "very-secret"));
    CHECK(!strstr(d.wire, "very-secret"));
    dh_decision_finish(&d);
    dh_brain_destroy(b);
    part_finish(&part);
    peer_stop(&p);
    dh_free(key);
}

static void test_a_key_goes_to_no_other_host(void)
{
    struct peer p;
    struct part part = { .events = part_streamed };
    struct dh_decision d;
    char config[4096], *key = dh_test_file("key", "sk-very-secret");
    peer_start(&p, part_play, &part);
    snprintf(config, sizeof config, PART_QUICK "key-file=%s\n", key);
    // The section's url is http://x, the address beside it this server.
    struct dh_brain *b = part_connect(&p, config);
    CHECK_INT(part_decide(b, &d), DH_OK);
    CHECK(!p.saw_key);
    dh_decision_finish(&d);
    dh_brain_destroy(b);
    part_finish(&part);
    peer_stop(&p);
    dh_free(key);
}

/* --- long runs --- */

// A server that knows the beginning of the last question: bytes stand for
// tokens, four to one.
struct cache {
    char *last;
    double all, cached;
};

static bool remember(struct peer *p, int fd, const struct peer_request *r)
{
    struct cache *c = p->user;
    char usage[256];
    size_t same = 0;
    if (strncmp(r->head, "GET ", 4) == 0)
        return peer_answer(fd, 404, "text/plain", "no");
    const char *from = strstr(r->body, "\"messages\":");
    CHECK(from);
    size_t len = r->len - (size_t)(from - r->body);
    while (c->last && c->last[same] && same < len &&
           c->last[same] == from[same])
        same++;
    dh_free(c->last);
    c->last = dh_strndup(from, len);
    c->all += (double)len;
    c->cached += (double)same;
    snprintf(usage, sizeof usage,
             "{\"choices\":[],\"usage\":{\"prompt_tokens\":%zu,"
             "\"completion_tokens\":40,\"prompt_tokens_details\":"
             "{\"cached_tokens\":%zu}}}",
             len / 4, same / 4);
    bool ok = peer_stream(fd);
    for (int i = 0; part_streamed[i] && i < 5 && ok; i++)
        ok = peer_event(fd, NULL, part_streamed[i]);
    ok = ok && peer_event(fd, NULL, usage) && peer_event(fd, NULL, "[DONE]");
    return false;
}

static void test_most_of_a_hundred_steps_is_cached(void)
{
    struct peer p;
    struct cache c = { 0 };
    struct dh_history h;
    struct dh_frame *f = part_picture(560, 280, 0);
    double prompt = 0, cached = 0;
    peer_start(&p, remember, &c);
    struct dh_brain *b =
        part_connect(&p, "[t]\nurl=http://x/v1\nprofile=vllm\nmodel=m3\n"
                         "check-tokens=no\n");
    struct dh_policy *policy = dh_policy_model_create(b);
    dh_history_init(&h, "Do it all.");
    for (int i = 0; i < 100; i++) {
        struct dh_decision d;
        policy->ops->prune(policy, &h);
        CHECK_INT(policy->ops->decide(policy, &h, f, 0, NULL, &d), DH_OK);
        prompt += d.usage.prompt_tokens;
        cached += d.usage.cached_tokens;
        dh_history_add(&h, f, d.text, "Click.", NULL);
        dh_history_set_wire(&h, d.wire);
        dh_decision_finish(&d);
        dh_frame_unref(f);
        f = part_picture(560, 280, (uint64_t)i + 1);
    }
    printf("100 steps: %.0f tokens, %.1f %% of them cached\n", prompt,
           100 * cached / prompt);
    CHECK(cached >= 0.9 * prompt);
    dh_frame_unref(f);
    dh_history_finish(&h);
    dh_policy_destroy(policy);
    dh_brain_destroy(b);
    peer_stop(&p);
    dh_free(c.last);
}

DH_TESTS(DH_TEST(an_action_comes_over_a_stream),
         DH_TEST(the_connection_is_dropped_after_the_action),
         DH_TEST(a_native_call_is_read_and_answered),
         DH_TEST(messages_are_the_other_protocol),
         DH_TEST(the_end_of_a_question_is_marked_for_one_cache),
         DH_TEST(a_section_goes_before_what_a_server_tells),
         DH_TEST(errors_are_handled_as_they_mean),
         DH_TEST(too_long_or_disliked_is_asked_with_fewer_pictures),
         DH_TEST(streams_that_break_are_errors),
         DH_TEST(a_stream_without_end_ends_in_time),
         DH_TEST(keys_are_nowhere_but_in_the_header),
         DH_TEST(a_key_goes_to_no_other_host),
         DH_TEST(most_of_a_hundred_steps_is_cached));
