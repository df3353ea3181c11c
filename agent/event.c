#include "agent/event.h"

#include <string.h>

#include "base/mem.h"
#include "capture/frame.h"

static char *copy_text(const char *s)
{
    return s ? dh_strdup(s) : NULL;
}

void dh_event_copy(struct dh_event *out, const struct dh_event *e)
{
    *out = *e;
    out->frame = e->frame ? dh_frame_ref(e->frame) : NULL;
    out->text = copy_text(e->text);
    out->reasoning = copy_text(e->reasoning);
    out->step_text = copy_text(e->step_text);
    dh_action_copy(&out->action, &e->action);
}

void dh_event_finish(struct dh_event *e)
{
    dh_frame_unref(e->frame);
    dh_free(e->text);
    dh_free(e->reasoning);
    dh_free(e->step_text);
    dh_action_finish(&e->action);
    memset(e, 0, sizeof *e);
}

void dh_usage_add(struct dh_usage *sum, const struct dh_usage *u)
{
    sum->prompt_tokens += u->prompt_tokens;
    sum->cached_tokens += u->cached_tokens;
    sum->answer_tokens += u->answer_tokens;
    sum->cost += u->cost;
}
