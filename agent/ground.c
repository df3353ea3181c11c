#include "agent/ground.h"

#include <string.h>

#include "actions/parse.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "capture/frame.h"
#include "vision/view.h"

static enum dh_status ask(struct dh_brain *brain, struct dh_frame *frame,
                          const char *text, enum dh_brain_form form,
                          struct dh_brain_answer *out)
{
    struct dh_part parts[] = { { DH_PART_IMAGE, NULL },
                               { DH_PART_TEXT, text } };
    struct dh_brain_request r = { .images = &frame,
                                  .n_images = 1,
                                  .form = form };
    return dh_brain_ask_once(brain, parts, DH_COUNTOF(parts), &r, out);
}

// Takes what it needs of the answer, and ends it.
static void keep_answer(struct dh_brain_answer *answer, struct dh_ground *out)
{
    out->raw = answer->text;
    out->usage = answer->usage;
    out->times = answer->times;
    answer->text = NULL;
    dh_brain_answer_finish(answer);
}

// Points that are no 0..1000 are on the screen already.
static struct dh_point pixel_of(const struct dh_frame *frame,
                                const struct dh_action *a)
{
    struct dh_view view = { { 0, 0, frame->width, frame->height } };
    if (!a->on_screen)
        return dh_view_to_screen(&view, a->at);
    return (struct dh_point){ a->at.x - frame->screen.x,
                              a->at.y - frame->screen.y };
}

// Ends the answer.
static enum dh_status take_point(enum dh_status st, struct dh_answer *parsed,
                                 const struct dh_frame *frame,
                                 struct dh_point *out)
{
    if (!st && !parsed->action[0].has_at)
        st = DH_ERR_FORMAT;
    if (!st)
        *out = pixel_of(frame, &parsed->action[0]);
    dh_answer_finish(parsed);
    return st;
}

enum dh_status dh_ground_point(const struct dh_parse_options *how,
                               const struct dh_frame *frame, const char *text,
                               struct dh_point *out)
{
    struct dh_answer parsed;
    struct dh_diag diag = { 0 };
    enum dh_status st =
        dh_answer_parse_with(how, text, strlen(text), &parsed, &diag);
    return take_point(st, &parsed, frame, out);
}

// Some servers put a call among the reasoning and leave the answer empty.
static enum dh_status point_of(const struct dh_parse_options *how,
                               const struct dh_frame *frame,
                               const struct dh_brain_answer *a,
                               struct dh_point *out)
{
    struct dh_answer parsed;
    struct dh_diag diag = { 0 };
    if (!a->reasoning || dh_str_trim(dh_str_of(a->text)).n)
        return dh_ground_point(how, frame, a->text, out);
    enum dh_status st = dh_answer_parse_reasoning(
        how, a->reasoning, strlen(a->reasoning), &parsed, &diag);
    return take_point(st, &parsed, frame, out);
}

enum dh_status dh_ground_ask(struct dh_brain *brain, struct dh_frame *frame,
                             const char *instruction, enum dh_brain_form form,
                             struct dh_brain_answer *out)
{
    struct dh_buf task;
    dh_buf_init(&task, 1 << 20);
    dh_buf_printf(&task, "Task: %s", instruction);
    enum dh_status st = ask(brain, frame, dh_buf_text(&task), form, out);
    dh_buf_finish(&task);
    return st;
}

enum dh_status dh_ground_find(struct dh_brain *brain, struct dh_frame *frame,
                              const char *instruction, struct dh_ground *out)
{
    struct dh_brain_answer answer;
    memset(out, 0, sizeof *out);
    enum dh_status st =
        dh_ground_ask(brain, frame, instruction, DH_FORM_LOCATE, &answer);
    if (st)
        return st;
    struct dh_parse_options how;
    dh_brain_parse_options(brain, frame, &how);
    st = point_of(&how, frame, &answer, &out->pixel);
    keep_answer(&answer, out);
    return st;
}

enum dh_status dh_ground_read(struct dh_brain *brain, struct dh_frame *frame,
                              const char *question, struct dh_ground *out)
{
    struct dh_brain_answer answer;
    memset(out, 0, sizeof *out);
    enum dh_status st = ask(brain, frame, question, DH_FORM_FREE, &answer);
    if (st)
        return st;
    keep_answer(&answer, out);
    return DH_OK;
}

void dh_ground_finish(struct dh_ground *g)
{
    dh_free(g->raw);
    memset(g, 0, sizeof *g);
}
