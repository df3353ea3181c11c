#include <string.h>

#include "agent/brain.h"
#include "agent/policy.h"
#include "base/buf.h"
#include "base/mem.h"

#define TEXT_MAX (1024 * 1024)

struct model_policy {
    struct dh_policy policy;
    struct dh_brain *brain;
    struct dh_policy_ear ear;
};

// The messages of one question; texts that were made for it are freed with it.
struct draft {
    struct dh_message *messages;
    struct dh_part *parts;
    char **texts;
    struct dh_frame **images;
    size_t n_messages, n_parts, n_texts, n_images;
};

static void draft_init(struct draft *d, const struct dh_history *h)
{
    size_t turns = (size_t)h->n_turns;
    dh_array(d->messages, 2 * turns + 4);
    dh_array(d->parts, 5 * turns + 8);
    dh_array(d->texts, turns + 4);
    dh_array(d->images, 2 * turns + 1);
}

static void draft_finish(struct draft *d)
{
    for (size_t i = 0; i < d->n_texts; i++)
        dh_free(d->texts[i]);
    dh_free(d->messages);
    dh_free(d->parts);
    dh_free(d->texts);
    dh_free(d->images);
}

static void begin(struct draft *d, enum dh_role role)
{
    d->messages[d->n_messages++] =
        (struct dh_message){ .role = role, .parts = d->parts + d->n_parts };
}

static void put_text(struct draft *d, const char *text)
{
    d->parts[d->n_parts++] = (struct dh_part){ DH_PART_TEXT, text };
    d->messages[d->n_messages - 1].n_parts++;
}

static void put_image(struct draft *d, struct dh_frame *frame)
{
    d->parts[d->n_parts++] = (struct dh_part){ DH_PART_IMAGE, NULL };
    d->images[d->n_images++] = frame;
    d->messages[d->n_messages - 1].n_parts++;
}

static void put_owned_text(struct draft *d, struct dh_buf *text)
{
    d->texts[d->n_texts] = dh_buf_take(text);
    put_text(d, d->texts[d->n_texts++]);
}

static void put_head(struct draft *d, const struct dh_profile *p)
{
    if (p->root) {
        begin(d, DH_ROLE_ROOT);
        put_text(d, p->root);
    }
    begin(d, DH_ROLE_DEVELOPER);
    put_text(d, p->developer);
}

static void put_task(struct draft *d, const struct dh_history *h)
{
    struct dh_buf text;
    dh_buf_init(&text, TEXT_MAX);
    dh_buf_printf(&text, "Task: %s", h->task);
    put_owned_text(d, &text);
}

// One user turn: the newest picture, the task, the steps so far in words.
static void put_summary(struct draft *d, const struct dh_history *h,
                        struct dh_frame *frame, int max_told)
{
    struct dh_buf text;
    begin(d, DH_ROLE_USER);
    if (h->n_turns && h->turns[h->n_turns - 1].extra)
        put_image(d, h->turns[h->n_turns - 1].extra);
    put_image(d, frame);
    dh_buf_init(&text, TEXT_MAX);
    dh_buf_printf(&text, "Task: %s", h->task);
    if (h->n_turns)
        dh_buf_puts(&text, "\nSteps so far:");
    for (int i = DH_MAX(0, h->n_turns - max_told); i < h->n_turns; i++)
        dh_buf_printf(&text, "\n%d. %s%s%s", i + 1, h->turns[i].step,
                      h->turns[i].by_hand ? "\n" : "",
                      h->turns[i].by_hand ? h->turns[i].by_hand : "");
    put_owned_text(d, &text);
}

// A line of its own, also where the note before it is another part.
static void put_by_hand(struct draft *d, const struct dh_turn *t)
{
    struct dh_buf text;
    dh_buf_init(&text, TEXT_MAX);
    dh_buf_printf(&text, "%s%s", t->note ? "\n" : "", t->by_hand);
    put_owned_text(d, &text);
}

// As MiniMax's agent writes it: picture and task first, then each answer as a
// turn of its own with the next picture after it.
static void put_turns(struct draft *d, const struct dh_history *h,
                      struct dh_frame *frame)
{
    begin(d, DH_ROLE_USER);
    put_image(d, h->n_turns ? h->turns[0].frame : frame);
    put_task(d, h);
    for (int i = 0; i < h->n_turns; i++) {
        bool last = i + 1 == h->n_turns;
        struct dh_frame *next = last ? frame : h->turns[i + 1].frame;
        begin(d, DH_ROLE_ASSISTANT);
        put_text(d, h->turns[i].answer);
        d->messages[d->n_messages - 1].wire = h->turns[i].wire;
        begin(d, DH_ROLE_USER);
        if (h->turns[i].note)
            put_text(d, h->turns[i].note);
        if (h->turns[i].by_hand)
            put_by_hand(d, h->turns + i);
        if (h->turns[i].extra)
            put_image(d, h->turns[i].extra);
        if (next)
            put_image(d, next);
        else if (!h->turns[i].note && !h->turns[i].by_hand)
            put_text(d, "Done.");
    }
}

// The temperature makes a second try differ; told what was wrong, a model that
// reads history does better still.
static void put_retry(struct draft *d, const char *why)
{
    struct dh_buf text;
    if (!why)
        return;
    dh_buf_init(&text, TEXT_MAX);
    dh_buf_printf(&text, "\nYour last answer could not be used: %s", why);
    put_owned_text(d, &text);
}

static bool on_text(void *user, const char *piece, size_t len)
{
    const struct dh_policy_ear *ear = user;
    ear->piece(ear->user, piece, len);
    return true;
}

static enum dh_status decide(struct dh_policy *p, const struct dh_history *h,
                             struct dh_frame *frame, int attempt,
                             const char *why, struct dh_decision *out)
{
    struct model_policy *m = (struct model_policy *)p;
    struct dh_brain *brain = m->brain;
    const struct dh_profile *profile = dh_brain_get_profile(brain);
    struct draft d = { 0 };
    struct dh_brain_answer answer;
    draft_init(&d, h);
    put_head(&d, profile);
    if (profile->history == DH_HISTORY_SUMMARY)
        put_summary(&d, h, frame, profile->max_steps_told);
    else
        put_turns(&d, h, frame);
    if (attempt)
        put_retry(&d, why);
    struct dh_brain_request r = { .messages = d.messages,
                                  .n_messages = d.n_messages,
                                  .images = d.images,
                                  .n_images = d.n_images,
                                  .form = DH_FORM_ACTION,
                                  .one_call = profile->one_call,
                                  .cancel = m->ear.taken };
    if (m->ear.piece) {
        r.on_text = on_text;
        r.user = &m->ear;
        r.anew = true;
        m->ear.piece(m->ear.user, NULL, 0);
    }
    enum dh_status st = dh_brain_ask(brain, &r, &answer);
    draft_finish(&d);
    if (st)
        return st;
    *out = (struct dh_decision){ .text = answer.text,
                                 .reasoning = answer.reasoning,
                                 .wire = answer.wire,
                                 .usage = answer.usage,
                                 .times = answer.times };
    return DH_OK;
}

// In the form that keeps turns the picture's place is known only behind the
// turn that is still going on.
static void look(struct dh_policy *p, struct dh_frame *frame)
{
    struct dh_brain *brain = ((struct model_policy *)p)->brain;
    const struct dh_profile *profile = dh_brain_get_profile(brain);
    static const struct dh_history nothing;
    struct draft d = { 0 };
    if (profile->history != DH_HISTORY_SUMMARY)
        return;
    draft_init(&d, &nothing);
    put_head(&d, profile);
    begin(&d, DH_ROLE_USER);
    put_image(&d, frame);
    struct dh_brain_request r = { .messages = d.messages,
                                  .n_messages = d.n_messages,
                                  .images = d.images,
                                  .n_images = d.n_images,
                                  .form = DH_FORM_ACTION };
    dh_brain_look(brain, &r);
    draft_finish(&d);
}

static void prune(struct dh_policy *p, struct dh_history *h)
{
    const struct dh_profile *profile =
        dh_brain_get_profile(((struct model_policy *)p)->brain);
    if (profile->history == DH_HISTORY_TURNS)
        dh_history_prune(h, profile->keep_min, profile->chunk);
    else
        dh_history_prune(h, 0, 1);
}

static void parse_options(struct dh_policy *p, const struct dh_frame *frame,
                          struct dh_parse_options *out)
{
    dh_brain_parse_options(((struct model_policy *)p)->brain, frame, out);
}

static void destroy(struct dh_policy *p)
{
    dh_free(p);
}

static const struct dh_policy_ops model_ops = { .name = "model",
                                                .decide = decide,
                                                .look = look,
                                                .prune = prune,
                                                .parse_options = parse_options,
                                                .destroy = destroy };

void dh_policy_model_listen(struct dh_policy *p,
                            const struct dh_policy_ear *ear)
{
    ((struct model_policy *)p)->ear = *ear;
}

struct dh_policy *dh_policy_model_create(struct dh_brain *brain)
{
    struct model_policy *m;
    dh_new(m);
    m->policy.ops = &model_ops;
    m->brain = brain;
    return &m->policy;
}
