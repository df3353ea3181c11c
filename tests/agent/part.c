#include "tests/agent/part.h"

#include <stdio.h>
#include <string.h>

#include "agent/brain.h"
#include "agent/endpoint.h"
#include "agent/history.h"
#include "agent/policy.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "capture/source.h"
#include "capture/synth.h"
#include "tests/dh_test.h"

bool part_play(struct peer *p, int fd, const struct peer_request *r)
{
    struct part *part = p->user;
    char text[512];
    if (strncmp(r->head, "GET ", 4) == 0) {
        snprintf(text, sizeof text,
                 "{\"data\":[{\"id\":\"m3\",\"owned_by\":\"%s\"}]}",
                 part->profile ? part->profile : "");
        return part->profile ? peer_answer(fd, 200, "application/json", text)
                             : peer_answer(fd, 404, "text/plain", "no");
    }
    CHECK(part->n_bodies < PEER_REQUESTS);
    part->bodies[part->n_bodies++] = dh_strndup(r->body, r->len);
    if (part->n_bodies <= part->fail_first)
        return peer_answer(fd, part->fail_code, "application/json",
                           part->fail_body);
    bool ok = peer_stream(fd);
    for (int i = 0; part->events[i] && ok; i++)
        ok = peer_event(fd, part->name, part->events[i]);
    for (int i = 0; part->no_end && i < 500 && ok; i++)
        ok = peer_event(fd, part->name, part->events[0]) && peer_pause(p, 10);
    return false;
}

void part_finish(struct part *part)
{
    for (int i = 0; i < part->n_bodies; i++)
        dh_free(part->bodies[i]);
}

struct dh_brain *part_connect(const struct peer *p, const char *config)
{
    struct dh_endpoint_choice c = { .url = p->url };
    struct dh_brain_options o = { .prompts_dir = "assets/prompts" };
    struct dh_brain *b;
    char *path = config ? dh_test_file("config", config) : NULL;
    if (config) {
        c.config = path;
        c.name = "t";
    }
    CHECK_INT(dh_endpoint_open(&o.endpoint, &c), DH_OK);
    dh_free(path);
    CHECK_INT(dh_brain_create(&b, &o), DH_OK);
    return b;
}

struct dh_frame *part_picture(int w, int h, uint64_t seed)
{
    struct dh_synth_options o = { .width = w, .height = h, .seed = seed };
    struct dh_source *s;
    struct dh_frame *f;
    CHECK_INT(dh_synth_create(&s, &o), DH_OK);
    CHECK_INT(dh_source_grab(s, &f), DH_OK);
    dh_source_destroy(s);
    return f;
}

enum dh_status part_decide(struct dh_brain *b, struct dh_decision *out)
{
    struct dh_policy *p = dh_policy_model_create(b);
    struct dh_history h;
    struct dh_frame *f = part_picture(280, 140, 1);
    dh_history_init(&h, "Click it.");
    memset(out, 0, sizeof *out);
    enum dh_status st = p->ops->decide(p, &h, f, 0, NULL, out);
    dh_history_finish(&h);
    dh_frame_unref(f);
    dh_policy_destroy(p);
    return st;
}

const char *const part_streamed[] = {
    "{\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}",
    "{\"choices\":[{\"delta\":{\"reasoning_content\":\"It is there.\"}}]}",
    "{\"choices\":[{\"delta\":{\"content\":\"Action: Click.\\n<tool_\"}}]}",
    "{\"choices\":[{\"delta\":{\"content\":\"call>\\n{\\\"name\\\":\\\"computer"
    "\\\",\\\"arguments\\\":{\\\"action\\\":\\\"left_click\\\",\\\"coordinate"
    "\\\":[500,250]}}\"}}]}",
    "{\"choices\":[{\"delta\":{\"content\":\"\\n\"},\"finish_reason\":"
    "\"stop\"}]}",
    "{\"choices\":[],\"usage\":{\"prompt_tokens\":900,\"completion_tokens\":40,"
    "\"prompt_tokens_details\":{\"cached_tokens\":800}}}",
    "[DONE]",
    NULL
};
