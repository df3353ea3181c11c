// What is sent to an endpoint, and what has to go back to it.
#include <stdio.h>
#include <string.h>

#include "actions/parse.h"
#include "agent/brain.h"
#include "agent/ground.h"
#include "agent/history.h"
#include "agent/policy.h"
#include "base/base64.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "capture/video_in.h"
#include "tests/agent/part.h"
#include "tests/dh_test.h"

static const char *const details[] = {
    "{\"choices\":[{\"delta\":{\"reasoning_details\":[{\"type\":"
    "\"reasoning.text\",\"text\":\"It is \"}]}}]}",
    "{\"choices\":[{\"delta\":{\"reasoning_details\":[{\"type\":"
    "\"reasoning.text\",\"text\":\"there.\"}]}}]}",
    "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\","
    "\"function\":{\"name\":\"computer\",\"arguments\":\"{\\\"action\\\":"
    "\\\"wait\\\",}\"}}]},\"finish_reason\":\"tool_calls\"}]}",
    NULL
};

static void test_what_is_nearly_json_is_read_and_not_sent_back(void)
{
    struct peer p;
    struct part part = { .events = details };
    struct dh_decision d;
    struct dh_answer a;
    struct dh_diag diag = { 0 };
    peer_start(&p, part_play, &part);
    struct dh_brain *b = part_connect(&p, PART_QUICK);
    CHECK_INT(part_decide(b, &d), DH_OK);
    CHECK_STR(d.reasoning, "It is there.");
    CHECK(strstr(d.wire, "\"reasoning_details\":[{\"type\":\"reasoning.text\","
                         "\"text\":\"It is there.\"}]"));
    CHECK(strstr(d.wire, "\"arguments\":\"{}\""));
    CHECK_INT(dh_answer_parse(d.text, strlen(d.text), &a, &diag), DH_OK);
    CHECK_INT(a.action[0].op, DH_ACTION_WAIT);
    dh_answer_finish(&a);
    dh_decision_finish(&d);
    dh_brain_destroy(b);
    part_finish(&part);
    peer_stop(&p);
}

static const char *const hidden[] = {
    "{\"choices\":[{\"delta\":{\"reasoning_content\":\"Action: Click it.\\n"
    "<tool_call>\\n{\\\"name\\\":\\\"computer\\\",\\\"arguments\\\":{"
    "\\\"action\\\":\\\"left_click\\\",\\\"coordinate\\\":[500,250]}}\\n"
    "</tool_call>\"},"
    "\"finish_reason\":\"stop\"}]}",
    NULL
};

// As a run does, so that a point is not lost that a click would have hit.
static void test_a_call_among_the_reasoning_is_a_point(void)
{
    struct peer p;
    struct part part = { .profile = "vllm", .events = hidden };
    struct dh_frame *f = part_picture(280, 140, 1);
    struct dh_ground g;
    peer_start(&p, part_play, &part);
    struct dh_brain *b = part_connect(&p, NULL);
    CHECK_INT(dh_ground_find(b, f, "Click it.", &g), DH_OK);
    CHECK_INT(g.pixel.x, 140);
    CHECK_INT(g.pixel.y, 35);
    dh_ground_finish(&g);
    dh_brain_destroy(b);
    dh_frame_unref(f);
    part_finish(&part);
    peer_stop(&p);
}

static const char *const thoughts[] = {
    "{\"type\":\"content_block_start\",\"content_block\":{\"type\":"
    "\"thinking\",\"thinking\":\"\"}}",
    "{\"type\":\"content_block_delta\",\"delta\":{\"type\":"
    "\"thinking_delta\",\"thinking\":\"One.\"}}",
    "{\"type\":\"content_block_delta\",\"delta\":{\"type\":"
    "\"signature_delta\",\"signature\":\"s1\"}}",
    "{\"type\":\"content_block_start\",\"content_block\":{\"type\":"
    "\"redacted_thinking\",\"data\":\"zz\"}}",
    "{\"type\":\"content_block_start\",\"content_block\":{\"type\":"
    "\"thinking\",\"thinking\":\"Two.\",\"signature\":\"s2\"}}",
    "{\"type\":\"content_block_start\",\"content_block\":{\"type\":\"text\","
    "\"text\":\"DONE\"}}",
    "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}",
    "{\"type\":\"message_stop\"}",
    NULL
};

static void test_each_thought_keeps_its_signature(void)
{
    struct peer p;
    struct part part = { .events = thoughts };
    struct dh_decision d;
    peer_start(&p, part_play, &part);
    struct dh_brain *b =
        part_connect(&p, "[t]\nurl=http://x/v1\nprofile=anthropic\nmodel=m\n");
    CHECK_INT(part_decide(b, &d), DH_OK);
    CHECK_STR(d.wire,
              "{\"role\":\"assistant\",\"content\":["
              "{\"type\":\"thinking\",\"thinking\":\"One.\",\"signature\":"
              "\"s1\"},{\"type\":\"redacted_thinking\",\"data\":\"zz\"},"
              "{\"type\":\"thinking\",\"thinking\":\"Two.\",\"signature\":"
              "\"s2\"},{\"type\":\"text\",\"text\":\"DONE\"}]}");
    dh_decision_finish(&d);
    dh_brain_destroy(b);
    part_finish(&part);
    peer_stop(&p);
}

// Bytes of the first data URI of this type; freed by the caller.
static char *media_of(const char *body, const char *type, size_t *len)
{
    char head[64];
    struct dh_buf out;
    snprintf(head, sizeof head, "data:%s;base64,", type);
    const char *from = strstr(body, head);
    CHECK(from);
    from += strlen(head);
    dh_buf_init(&out, 1 << 24);
    CHECK(dh_base64_read(&out, from, strcspn(from, "\"")));
    *len = out.len;
    return dh_buf_take(&out);
}

static void test_a_clip_goes_as_mp4(void)
{
    struct peer p;
    struct part part = { .events = part_streamed };
    struct dh_frame *f[4];
    static const double at[] = { 3, 3.5, 4, 4.5 };
    struct dh_brain_video video = { f, at, 4 };
    struct dh_part parts[] = { { DH_PART_VIDEO, NULL },
                               { DH_PART_TEXT, "What happens?" } };
    struct dh_brain_request r = { .videos = &video, .n_videos = 1 };
    struct dh_brain_answer a;
    struct dh_video_sample back;
    struct dh_video_sampling how = { .fps = 2, .max_frames = 10 };
    char *path = dh_test_path("back.mp4");
    size_t len;
    for (int i = 0; i < 4; i++)
        f[i] = part_picture(1500, 750, (uint64_t)i);
    peer_start(&p, part_play, &part);
    struct dh_brain *b = part_connect(&p, PART_QUICK);
    CHECK_INT(dh_brain_ask_once(b, parts, 2, &r, &a), DH_OK);
    const char *q = part.bodies[0];
    CHECK(strstr(q, "{\"type\":\"video_url\",\"video_url\":{\"url\":"
                    "\"data:video/mp4;base64,"));
    CHECK(strstr(q, "\"fps\":2,\"max_long_side_pixel\":1008}"));
    char *mp4 = media_of(q, "video/mp4", &len);
    CHECK_INT(dh_file_write(path, mp4, len), DH_OK);
    CHECK_INT(dh_video_sample_read(&back, path, &how), DH_OK);
    CHECK_INT(back.n, 4);
    CHECK_INT(back.frames[0]->width, 1008);
    CHECK_INT(back.frames[0]->height, 504);
    CHECK_NEAR(back.seconds[3] - back.seconds[0], 1.5, 0.01);
    dh_video_sample_finish(&back);
    dh_brain_answer_finish(&a);
    dh_brain_destroy(b);
    for (int i = 0; i < 4; i++)
        dh_frame_unref(f[i]);
    part_finish(&part);
    peer_stop(&p);
    dh_free(mp4);
    dh_free(path);
}

/* --- questions, byte for byte --- */

#define GOLDEN_OPENAI                                                      \
    "{\"model\":\"m3\",\"temperature\":0.6,"                               \
    "\"max_completion_tokens\":8192,\"stream\":true,\"stream_options\":{"  \
    "\"include_usage\":true},\"thinking\":{\"type\":\"adaptive\"},"        \
    "\"reasoning_split\":true,\"stop\":[\"</tool_call>\"],\"messages\":[{" \
    "\"role\":\"system\",\"content\":\"*\"},{\"role\":\"user\","           \
    "\"content\":[{\"type\":\"image_url\",\"image_url\":{"                 \
    "\"url\":\"data:image/jpeg;base64,*\",\"max_long_side_pixel\":280}},{" \
    "\"type\":\"text\",\"text\":\"Task: Say \\\"hi\\\".\"}]},{"            \
    "\"role\":\"assistant\",\"content\":\"ONE\"},{\"role\":\"user\","      \
    "\"content\":\"nothing changed\"},{\"role\":\"assistant\","            \
    "\"content\":\"two\"},{\"role\":\"user\",\"content\":[{"               \
    "\"type\":\"image_url\",\"image_url\":{"                               \
    "\"url\":\"data:image/jpeg;base64,*\",\"max_long_side_pixel\":280}}]}" \
    "]}"

#define GOLDEN_ANTHROPIC                                                   \
    "{\"model\":\"m3\",\"max_tokens\":8192,\"temperature\":0.6,"           \
    "\"stream\":true,\"thinking\":{\"type\":\"disabled\"},"                \
    "\"stop_sequences\":[\"</tool_call>\"],\"system\":[{"                  \
    "\"type\":\"text\",\"text\":\"*\"}],\"messages\":[{\"role\":\"user\"," \
    "\"content\":[{\"type\":\"image\",\"source\":{\"type\":\"base64\","    \
    "\"media_type\":\"image/jpeg\",\"data\":\"*\"}},{\"type\":\"text\","   \
    "\"text\":\"Task: Say \\\"hi\\\".\"}]},{\"role\":\"assistant\","       \
    "\"content\":\"ONE\"},{\"role\":\"user\",\"content\":[{"               \
    "\"type\":\"text\",\"text\":\"nothing changed\"}]},{"                  \
    "\"role\":\"assistant\",\"content\":[{\"type\":\"text\","              \
    "\"text\":\"two\"}]},{\"role\":\"user\",\"content\":[{"                \
    "\"type\":\"image\",\"source\":{\"type\":\"base64\","                  \
    "\"media_type\":\"image/jpeg\",\"data\":\"*\"},"                       \
    "\"cache_control\":{\"type\":\"ephemeral\"}}]}]}"

// A question of three turns, one of them pruned, as it is sent. The pictures
// are cut out: a JPEG is libjpeg's affair.
static char *question_of(const char *profile)
{
    struct peer p;
    struct part part = { .events = part_streamed };
    struct dh_decision d;
    struct dh_frame *f[3];
    struct dh_history h;
    char config[256];
    snprintf(config, sizeof config,
             "[t]\nurl=http://x/v1\nprofile=%s\nmodel=m3\nretries=0\n",
             profile);
    peer_start(&p, part_play, &part);
    struct dh_brain *b = part_connect(&p, config);
    struct dh_policy *policy = dh_policy_model_create(b);
    dh_history_init(&h, "Say \"hi\".");
    for (int i = 0; i < 3; i++)
        f[i] = part_picture(280, 140, (uint64_t)i);
    dh_history_add(&h, f[0], "one", "One.", "nothing changed");
    dh_history_set_wire(&h, "{\"role\":\"assistant\",\"content\":\"ONE\"}");
    dh_history_add(&h, f[1], "two", "Two.", NULL);
    dh_frame_unref(h.turns[1].frame);
    h.turns[1].frame = NULL;
    enum dh_status st = policy->ops->decide(policy, &h, f[2], 0, NULL, &d);
    if (!st)
        dh_decision_finish(&d);
    CHECK_INT(part.n_bodies, 1);
    char *body = dh_strdup(part.bodies[0]);
    for (int i = 0; i < 3; i++)
        dh_frame_unref(f[i]);
    dh_history_finish(&h);
    dh_policy_destroy(policy);
    dh_brain_destroy(b);
    part_finish(&part);
    peer_stop(&p);
    return body;
}

// Two long texts are made short: base64 and the instructions.
static char *without(char *text, const char *from, const char *to)
{
    struct dh_buf out;
    const char *at = text;
    dh_buf_init(&out, 1 << 20);
    for (const char *s; (s = strstr(at, from));) {
        s += strlen(from);
        const char *end = strstr(s, to);
        CHECK(end);
        dh_buf_put(&out, at, (size_t)(s - at));
        dh_buf_putc(&out, '*');
        at = end;
    }
    dh_buf_puts(&out, at);
    dh_free(text);
    return dh_buf_take(&out);
}

static void test_a_question_for_chat_completions(void)
{
    char *q = question_of("minimax");
    q = without(q, "base64,", "\"");
    q = without(q, "\"system\",\"content\":\"", "\"},{");
    CHECK_STR(q, GOLDEN_OPENAI);
    dh_free(q);
}

static void test_a_question_for_messages(void)
{
    char *q = question_of("anthropic");
    q = without(q, "\"data\":\"", "\"");
    q = without(q, "\"system\":[{\"type\":\"text\",\"text\":\"", "\"}]");
    CHECK_STR(q, GOLDEN_ANTHROPIC);
    dh_free(q);
}

DH_TESTS(DH_TEST(what_is_nearly_json_is_read_and_not_sent_back),
         DH_TEST(a_call_among_the_reasoning_is_a_point),
         DH_TEST(each_thought_keeps_its_signature), DH_TEST(a_clip_goes_as_mp4),
         DH_TEST(a_question_for_chat_completions),
         DH_TEST(a_question_for_messages));
