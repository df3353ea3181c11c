#include <stdio.h>
#include <string.h>

#include "agent/policy.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

struct script {
    struct dh_policy policy;
    char *text;
    size_t at;
};

static struct dh_str next_line(struct script *s)
{
    while (s->text[s->at]) {
        const char *from = s->text + s->at;
        size_t n = strcspn(from, "\n");
        s->at += n + (from[n] == '\n');
        struct dh_str line = dh_str_trim((struct dh_str){ from, n });
        if (line.n && line.p[0] != '#')
            return line;
    }
    return DH_STR("done");
}

// A line becomes the answer that a model would have written.
static char *answer_of_line(struct dh_str line)
{
    struct dh_action a;
    struct dh_buf out;
    if (dh_str_starts(line, "raw "))
        return dh_strndup(line.p + 4, line.n - 4);
    char *text = dh_strndup(line.p, line.n);
    if (!dh_action_of_text(text, false, &a, NULL))
        return text;
    dh_buf_init(&out, 8 * DH_ACTION_TEXT_MAX);
    struct dh_json_writer w;
    dh_buf_printf(&out, "Action: %s\n<tool_call>\n", text);
    dh_jw_init(&w, &out);
    dh_jw_object(&w, NULL);
    dh_jw_text(&w, "name", "computer");
    dh_jw_object(&w, "arguments");
    dh_action_arguments(&a, &w);
    dh_jw_end_object(&w);
    dh_jw_end_object(&w);
    dh_buf_puts(&out, "\n</tool_call>");
    dh_action_finish(&a);
    dh_free(text);
    return dh_buf_take(&out);
}

static enum dh_status decide(struct dh_policy *p, const struct dh_history *h,
                             struct dh_frame *frame, int attempt,
                             const char *why, struct dh_decision *out)
{
    struct script *s = (struct script *)p;
    (void)h;
    (void)frame;
    (void)attempt;
    (void)why;
    memset(out, 0, sizeof *out);
    out->text = answer_of_line(next_line(s));
    return DH_OK;
}

static void destroy(struct dh_policy *p)
{
    dh_free(((struct script *)p)->text);
    dh_free(p);
}

static const struct dh_policy_ops script_ops = { .name = "script",
                                                 .decide = decide,
                                                 .destroy = destroy };

struct dh_policy *dh_policy_script_create(const char *text)
{
    struct script *s;
    dh_new(s);
    s->policy.ops = &script_ops;
    s->text = dh_strdup(text);
    return &s->policy;
}
