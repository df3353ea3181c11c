#include "agent/brain.h"

#include <stdio.h>
#include <string.h>

#include "actions/parse.h"
#include "agent/policy.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/thread.h"
#include "capture/frame.h"
#include "capture/source.h"
#include "capture/synth.h"
#include "model/session.h"
#include "tests/agent/talker.h"
#include "tests/dh_test.h"

#define PROFILE                                                     \
    "{\"name\":\"tiny\",\"root\":\"r\",\"developer\":\"You act.\"," \
    "\"thinking\":\"disabled\",\"history\":\"turns\","              \
    "\"keep_min\":2,\"chunk\":2,\"max_answer_tokens\":400,"         \
    "\"temperature\":1.5,\"constrain\":true}"

static struct dh_brain *brain_that_guesses(const char *profile, uint64_t seed,
                                           struct dh_cancel *cancel, int draft)
{
    struct dh_brain_options o = { .model_dir = dh_test_dir(),
                                  .prompts_dir = "assets/prompts",
                                  .threads = 1,
                                  .context = 2048,
                                  .seed = seed,
                                  .draft = draft,
                                  .cancel = cancel };
    struct dh_brain *b;
    talker_write(dh_test_dir(), profile);
    CHECK_INT(dh_brain_create(&b, &o), DH_OK);
    CHECK_STR(dh_brain_get_profile(b)->name, "tiny");
    return b;
}

static struct dh_brain *brain_of(const char *profile, uint64_t seed,
                                 struct dh_cancel *cancel)
{
    return brain_that_guesses(profile, seed, cancel, 0);
}

static struct dh_source *pictures(void)
{
    struct dh_synth_options o = { .width = 64, .height = 48, .seed = 3 };
    struct dh_source *s;
    CHECK_INT(dh_synth_create(&s, &o), DH_OK);
    return s;
}

static struct dh_frame *picture(struct dh_source *s)
{
    struct dh_frame *f;
    CHECK_INT(dh_source_grab(s, &f), DH_OK);
    return f;
}

static enum dh_status ask(struct dh_brain *b, struct dh_frame *f,
                          const char *task, enum dh_brain_form form,
                          struct dh_brain_answer *out)
{
    struct dh_part head = { DH_PART_TEXT, "You act." };
    struct dh_part user[] = { { DH_PART_IMAGE, NULL }, { DH_PART_TEXT, task } };
    struct dh_message messages[] = {
        { .role = DH_ROLE_DEVELOPER, .parts = &head, .n_parts = 1 },
        { .role = DH_ROLE_USER, .parts = user, .n_parts = 2 },
    };
    struct dh_brain_request r = { .messages = messages,
                                  .n_messages = 2,
                                  .images = &f,
                                  .n_images = 1,
                                  .form = form };
    return dh_brain_ask(b, &r, out);
}

static void check_point(struct dh_point p)
{
    CHECK(p.x >= 0 && p.x <= 1000 && p.y >= 0 && p.y <= 1000);
}

// Whatever the weights are, an answer under the grammar is one legal action,
// needs no repair and is known to the parser.
static void check_legal(const char *text, unsigned *ops)
{
    struct dh_answer a;
    struct dh_diag diag = { 0 };
    if (dh_answer_parse(text, strlen(text), &a, &diag)) {
        fprintf(stderr, "%s\n", text);
        CHECK_STR(diag.text, "");
    }
    CHECK_INT(a.n, 1);
    if (a.action[0].repairs)
        CHECK_STR(text, "without repairs");
    check_point(a.action[0].at);
    check_point(a.action[0].start);
    *ops |= 1U << a.action[0].op;
    dh_answer_finish(&a);
}

static void test_a_random_model_only_writes_legal_actions(void)
{
    struct dh_source *s = pictures();
    struct dh_brain *b = brain_of(PROFILE, 1, NULL);
    unsigned ops = 0;
    int whole = 0;
    for (int i = 0; i < 60; i++) {
        struct dh_frame *f = picture(s);
        struct dh_brain_answer a;
        char task[32];
        snprintf(task, sizeof task, "Task: number %d", i);
        CHECK_INT(ask(b, f, task, DH_FORM_ACTION, &a), DH_OK);
        CHECK(a.usage.answer_tokens > 0);
        if (a.end != DH_BRAIN_END_LENGTH) {
            check_legal(a.text, &ops);
            whole++;
        }
        dh_brain_answer_finish(&a);
        dh_frame_unref(f);
    }
    // It was no single action over and over.
    CHECK(whole >= 30);
    CHECK((ops & (ops - 1)) != 0);
    dh_brain_destroy(b);
    dh_source_destroy(s);
}

/* The model runs for tokens that are chosen, and not for those that the grammar
 * leaves no choice about. */
static void test_forced_tokens_cost_no_pass(void)
{
    struct dh_source *s = pictures();
    struct dh_brain *b = brain_of(PROFILE, 4, NULL);
    struct dh_frame *f = picture(s);
    int tokens = 0, forced = 0, passes = 0;
    for (int i = 0; i < 20; i++) {
        struct dh_brain_answer a;
        enum dh_brain_form form = i % 2 ? DH_FORM_ACTION : DH_FORM_LOCATE;
        CHECK_INT(ask(b, f, "Task: Click OK.", form, &a), DH_OK);
        int chosen = a.usage.answer_tokens - a.forced;
        // What the prompt ends with is enough for the first one.
        CHECK(a.passes == chosen || a.passes == chosen - 1);
        tokens += a.usage.answer_tokens;
        forced += a.forced;
        passes += a.passes;
        dh_brain_answer_finish(&a);
    }
    printf("%d tokens, %d of them forced, %d passes\n", tokens, forced, passes);
    CHECK(forced > 20 && passes + forced <= tokens);
    dh_frame_unref(f);
    dh_brain_destroy(b);
    dh_source_destroy(s);
}

static void test_locate_only_writes_points(void)
{
    struct dh_source *s = pictures();
    struct dh_brain *b = brain_of(PROFILE, 2, NULL);
    struct dh_frame *f = picture(s);
    unsigned ops = 0;
    for (int i = 0; i < 20; i++) {
        struct dh_brain_answer a;
        CHECK_INT(ask(b, f, "Task: Click OK.", DH_FORM_LOCATE, &a), DH_OK);
        if (a.end != DH_BRAIN_END_LENGTH)
            check_legal(a.text, &ops);
        dh_brain_answer_finish(&a);
    }
    CHECK_INT(ops, 1U << DH_ACTION_CLICK);
    dh_frame_unref(f);
    dh_brain_destroy(b);
    dh_source_destroy(s);
}

static void test_the_same_seed_gives_the_same_answers(void)
{
    struct dh_source *s = pictures();
    struct dh_frame *f = picture(s);
    char *first[3];
    for (int round = 0; round < 2; round++) {
        struct dh_brain *b = brain_of(PROFILE, 5, NULL);
        for (int i = 0; i < 3; i++) {
            struct dh_brain_answer a;
            CHECK_INT(ask(b, f, "Task: Click OK.", DH_FORM_ACTION, &a), DH_OK);
            if (round)
                CHECK_STR(a.text, first[i]);
            else
                first[i] = dh_strdup(a.text);
            dh_brain_answer_finish(&a);
        }
        dh_brain_destroy(b);
    }
    for (int i = 0; i < 3; i++)
        dh_free(first[i]);
    dh_frame_unref(f);
    dh_source_destroy(s);
}

// Greedy, so that what is kept may not change what is said.
#define GREEDY                                              \
    "{\"name\":\"tiny\",\"developer\":\"You act.\","        \
    "\"thinking\":\"disabled\",\"history\":\"turns\","      \
    "\"keep_min\":2,\"chunk\":2,\"max_answer_tokens\":120," \
    "\"temperature\":0,\"constrain\":true}"

static void test_a_second_question_keeps_what_is_the_same(void)
{
    struct dh_source *s = pictures();
    struct dh_brain *b = brain_of(GREEDY, 1, NULL);
    struct dh_frame *f = picture(s), *other = picture(s);
    struct dh_brain_answer one, two, three, four;
    CHECK_INT(ask(b, f, "Task: Click OK.", DH_FORM_ACTION, &one), DH_OK);
    CHECK_INT(one.usage.cached_tokens, 0);
    CHECK_INT(ask(b, f, "Task: Click OK.", DH_FORM_ACTION, &two), DH_OK);
    CHECK_STR(two.text, one.text);
    // All but the last token, which has to give the logits.
    CHECK_INT(two.usage.prompt_tokens, one.usage.prompt_tokens);
    CHECK_INT(two.usage.cached_tokens, two.usage.prompt_tokens - 1);
    CHECK(two.times.vision < one.times.vision || two.times.vision == 0);
    // Another task behind the same picture keeps the picture.
    CHECK_INT(ask(b, f, "Task: Press F1.", DH_FORM_ACTION, &three), DH_OK);
    CHECK(three.usage.cached_tokens >= 48);
    CHECK(three.usage.cached_tokens < three.usage.prompt_tokens - 1);
    // Another picture does not, though its ids are equal.
    CHECK_INT(ask(b, other, "Task: Press F1.", DH_FORM_ACTION, &four), DH_OK);
    CHECK(four.usage.cached_tokens + 48 <= three.usage.cached_tokens);
    dh_brain_answer_finish(&one);
    dh_brain_answer_finish(&two);
    dh_brain_answer_finish(&three);
    dh_brain_answer_finish(&four);
    dh_frame_unref(f);
    dh_frame_unref(other);
    dh_brain_destroy(b);
    dh_source_destroy(s);
}

static enum dh_status ask_text(struct dh_brain *b, const char *text,
                               enum dh_brain_form form,
                               struct dh_brain_answer *out)
{
    struct dh_part part = { DH_PART_TEXT, text };
    struct dh_message m = { .role = DH_ROLE_USER,
                            .parts = &part,
                            .n_parts = 1 };
    struct dh_brain_request r = {
        .messages = &m, .n_messages = 1, .max_answer_tokens = 100, .form = form
    };
    return dh_brain_ask(b, &r, out);
}

// With guesses every answer of these two is what it is without.
static void hold_guesses(struct dh_brain *plain, struct dh_brain *guesser,
                         int sum[4])
{
    for (int i = 0; i < 12; i++) {
        struct dh_brain_answer one, two;
        enum dh_brain_form form = i % 3 ? DH_FORM_ACTION : DH_FORM_FREE;
        char task[80];
        snprintf(task, sizeof task, "Task: Click Open number %d of %d%d.", i,
                 3 * i, 11 * i % 7);
        CHECK_INT(ask_text(plain, task, form, &one), DH_OK);
        CHECK_INT(ask_text(guesser, task, form, &two), DH_OK);
        CHECK_STR(two.text, one.text);
        CHECK_INT(two.end, one.end);
        CHECK_INT(two.usage.answer_tokens, one.usage.answer_tokens);
        // What was guessed wrong is not in the timeline.
        CHECK_INT(two.usage.cached_tokens, one.usage.cached_tokens);
        CHECK_INT(two.forced, one.forced);
        CHECK_INT(one.guessed, 0);
        CHECK(two.passes <= one.passes);
        sum[0] += two.guessed;
        sum[1] += two.guessed_right;
        sum[2] += one.passes;
        sum[3] += two.passes;
        dh_brain_answer_finish(&one);
        dh_brain_answer_finish(&two);
    }
    printf("%d of %d guessed right, %d passes for %d\n", sum[1], sum[0], sum[3],
           sum[2]);
    dh_brain_destroy(plain);
    dh_brain_destroy(guesser);
}

/* Chosen greedily or drawn, free or kept to a form, cut or ended. */
static void test_guesses_change_no_answer(void)
{
    static const char *const temperatures[] = { "0", "0.1", "1.5" };
    int sum[4] = { 0 };
    for (size_t t = 0; t < DH_COUNTOF(temperatures); t++) {
        char profile[400];
        snprintf(profile, sizeof profile,
                 "{\"name\":\"tiny\",\"developer\":\"You act.\","
                 "\"thinking\":\"disabled\",\"history\":\"turns\","
                 "\"temperature\":%s,\"constrain\":true}",
                 temperatures[t]);
        hold_guesses(brain_that_guesses(profile, 7, NULL, 0),
                     brain_that_guesses(profile, 7, NULL, 8), sum);
    }
    CHECK(sum[0] > sum[1]);
}

/* A model that was taught says what it was told; guesses then spare passes. */
static void test_guesses_spare_passes(void)
{
    struct dh_brain *b[2];
    int sum[4] = { 0 };
    for (int i = 0; i < 2; i++) {
        struct dh_brain_options o = { .model_dir = "assets/models/sprout",
                                      .prompts_dir = "assets/prompts",
                                      .threads = 1,
                                      .context = 1024,
                                      .draft = 8 * i };
        CHECK_INT(dh_brain_create(&b[i], &o), DH_OK);
    }
    hold_guesses(b[0], b[1], sum);
    CHECK(sum[1] > sum[0] / 2);
    CHECK(sum[3] < sum[2] * 9 / 10);
}

/* A context that is full ends an answer where it ends without guesses. */
static void test_guesses_fit_the_context(void)
{
    struct dh_brain *b[2];
    enum dh_status st[2];
    for (int i = 0; i < 2; i++) {
        struct dh_brain_options o = { .model_dir = dh_test_dir(),
                                      .prompts_dir = "assets/prompts",
                                      .threads = 1,
                                      .context = 556,
                                      .draft = 8 * i };
        struct dh_message m = { .role = DH_ROLE_USER };
        struct dh_part text = { DH_PART_TEXT, "again again again again" };
        struct dh_brain_request r = { .messages = &m, .n_messages = 1 };
        struct dh_brain_answer a;
        m.parts = &text;
        m.n_parts = 1;
        r.max_answer_tokens = 300;
        talker_write(dh_test_dir(), GREEDY);
        CHECK_INT(dh_brain_create(&b[i], &o), DH_OK);
        st[i] = dh_brain_ask(b[i], &r, &a);
        if (!st[i])
            dh_brain_answer_finish(&a);
        dh_brain_destroy(b[i]);
    }
    CHECK_INT(st[0], DH_ERR_RANGE);
    CHECK_INT(st[1], DH_ERR_RANGE);
}

/* --- stopping --- */

struct stop {
    struct dh_cancel cancel;
    int pieces;
};

static bool stop_on_text(void *user, const char *piece, size_t len)
{
    struct stop *s = user;
    (void)piece;
    (void)len;
    if (++s->pieces == 3)
        dh_cancel_set(&s->cancel);
    return true;
}

static bool two_are_enough(void *user, const char *piece, size_t len)
{
    int *pieces = user;
    (void)piece;
    (void)len;
    return ++*pieces < 2;
}

static struct dh_frame *repainted(const struct dh_frame *f, struct dh_rect r)
{
    struct dh_frame *copy;
    CHECK_INT(dh_frame_create(&copy, NULL, f->width, f->height), DH_OK);
    memcpy(copy->pixels, f->pixels, f->stride * (size_t)f->height);
    for (int y = r.y; y < r.y + r.h; y++)
        memset(dh_frame_at(copy, r.x, y), 0x5a, (size_t)r.w * 4);
    dh_frame_publish(copy);
    return copy;
}

/* What a brain keeps of the pictures before is not taken for new ones. */
static void test_a_screen_that_changes_a_little_is_seen_anew(void)
{
    struct dh_source *s = pictures();
    struct dh_synth_options wide = { .width = 96, .height = 48, .seed = 3 };
    struct dh_source *other;
    CHECK_INT(dh_synth_create(&other, &wide), DH_OK);
    struct dh_frame *first = picture(s);
    struct dh_frame *screen[] = {
        first,
        repainted(first, (struct dh_rect){ 40, 30, 1, 1 }),
        repainted(first, (struct dh_rect){ 0 }),
        repainted(first, (struct dh_rect){ 0 }),
        picture(other),
        repainted(first, (struct dh_rect){ 3, 3, 30, 9 }),
    };
    // Only the fourth is what is seen before it.
    const bool same[] = { false, false, false, true, false, false };
    struct dh_brain *b = brain_of(PROFILE, 5, NULL);
    for (size_t i = 0; i < DH_COUNTOF(screen); i++) {
        struct dh_brain_answer a;
        CHECK_INT(ask(b, screen[i], "x", DH_FORM_LOCATE, &a), DH_OK);
        CHECK_INT(a.usage.cached_tokens == a.usage.prompt_tokens - 1, same[i]);
        dh_brain_answer_finish(&a);
    }
    dh_brain_destroy(b);
    for (size_t i = 0; i < DH_COUNTOF(screen); i++)
        dh_frame_unref(screen[i]);
    dh_source_destroy(s);
    dh_source_destroy(other);
}

static void look(struct dh_brain *b, struct dh_frame *f)
{
    struct dh_part head = { DH_PART_TEXT, "You act." };
    struct dh_part user = { DH_PART_IMAGE, NULL };
    struct dh_message messages[] = {
        { .role = DH_ROLE_DEVELOPER, .parts = &head, .n_parts = 1 },
        { .role = DH_ROLE_USER, .parts = &user, .n_parts = 1 },
    };
    struct dh_brain_request r = {
        .messages = messages, .n_messages = 2, .images = &f, .n_images = 1
    };
    dh_brain_look(b, &r);
}

/* Looking early, at the right picture or at another one, changes no answer,
 * and what it has read is not called cached. */
static void test_an_early_look_changes_nothing(void)
{
    struct dh_source *s = pictures();
    struct dh_frame *f[] = { picture(s), picture(s), picture(s) };
    // What is looked at before each question: -1 nothing.
    const int early[][3] = { { -1, -1, -1 }, { 0, 1, 2 }, { 2, 0, 1 } };
    struct dh_brain_answer want[3], got;
    for (size_t k = 0; k < DH_COUNTOF(early); k++) {
        struct dh_brain *b = brain_of(PROFILE, 5, NULL);
        for (size_t i = 0; i < 3; i++) {
            if (early[k][i] >= 0)
                look(b, f[early[k][i]]);
            CHECK_INT(
                ask(b, f[i], "Task: x", DH_FORM_ACTION, k ? &got : &want[i]),
                DH_OK);
            if (k == 0)
                continue;
            CHECK_STR(got.text, want[i].text);
            CHECK_INT(got.usage.prompt_tokens, want[i].usage.prompt_tokens);
            CHECK(got.usage.cached_tokens <= want[i].usage.cached_tokens);
            dh_brain_answer_finish(&got);
        }
        // One that nobody asks about is left alone.
        look(b, f[1]);
        look(b, f[0]);
        dh_brain_destroy(b);
    }
    for (size_t i = 0; i < 3; i++) {
        dh_brain_answer_finish(&want[i]);
        dh_frame_unref(f[i]);
    }
    dh_source_destroy(s);
}

static void test_a_stop_ends_an_early_look(void)
{
    struct dh_source *s = pictures();
    struct dh_frame *f = picture(s);
    struct dh_cancel cancel = { 0 };
    struct dh_brain *b = brain_of(PROFILE, 5, &cancel);
    struct dh_brain_answer a;
    dh_cancel_set(&cancel);
    look(b, f);
    CHECK_INT(ask(b, f, "x", DH_FORM_LOCATE, &a), DH_ERR_CANCELLED);
    dh_cancel_clear(&cancel);
    CHECK_INT(ask(b, f, "x", DH_FORM_LOCATE, &a), DH_OK);
    dh_brain_answer_finish(&a);
    dh_brain_destroy(b);
    dh_frame_unref(f);
    dh_source_destroy(s);
}

static void test_a_reader_ends_an_answer(void)
{
    struct dh_brain *b = brain_of(PROFILE, 1, NULL);
    struct dh_part part = { DH_PART_TEXT, "Write." };
    struct dh_message message = { .role = DH_ROLE_USER,
                                  .parts = &part,
                                  .n_parts = 1 };
    int pieces = 0;
    struct dh_brain_request r = { .messages = &message,
                                  .n_messages = 1,
                                  .on_text = two_are_enough,
                                  .user = &pieces };
    struct dh_brain_answer a;
    CHECK_INT(dh_brain_ask(b, &r, &a), DH_OK);
    CHECK_INT(a.end, DH_BRAIN_END_ENOUGH);
    CHECK_INT(pieces, 2);
    CHECK(a.usage.answer_tokens >= 2);
    dh_brain_answer_finish(&a);
    // A request's own limit counts, not the profile's.
    r.on_text = NULL;
    r.max_answer_tokens = 3;
    CHECK_INT(dh_brain_ask(b, &r, &a), DH_OK);
    CHECK(a.end == DH_BRAIN_END_LENGTH ? a.usage.answer_tokens == 3
                                       : a.usage.answer_tokens < 3);
    dh_brain_answer_finish(&a);
    dh_brain_destroy(b);
}

static void test_a_stop_ends_an_answer(void)
{
    struct dh_source *s = pictures();
    struct stop stop = { 0 };
    struct dh_brain *b = brain_of(PROFILE, 1, &stop.cancel);
    struct dh_frame *f = picture(s);
    struct dh_part user[] = { { DH_PART_IMAGE, NULL },
                              { DH_PART_TEXT, "Task: Write." } };
    struct dh_message message = { .role = DH_ROLE_USER,
                                  .parts = user,
                                  .n_parts = 2 };
    struct dh_brain_request r = { .messages = &message,
                                  .n_messages = 1,
                                  .images = &f,
                                  .n_images = 1,
                                  .form = DH_FORM_FREE,
                                  .on_text = stop_on_text,
                                  .user = &stop };
    struct dh_brain_answer a;
    CHECK_INT(dh_brain_ask(b, &r, &a), DH_ERR_CANCELLED);
    CHECK_INT(stop.pieces, 3);
    // And it can be asked again.
    stop = (struct stop){ .pieces = 3 };
    CHECK_INT(ask(b, f, "Task: Click OK.", DH_FORM_ACTION, &a), DH_OK);
    dh_brain_answer_finish(&a);
    dh_frame_unref(f);
    dh_brain_destroy(b);
    dh_source_destroy(s);
}

/* --- the policy --- */

static void decide(struct dh_policy *p, const struct dh_history *h,
                   struct dh_frame *f, int attempt, const char *why,
                   struct dh_decision *d)
{
    CHECK_INT(p->ops->decide(p, h, f, attempt, why, d), DH_OK);
    CHECK(d->text[0]);
}

static void check_policy(const char *profile, bool turns)
{
    struct dh_source *s = pictures();
    struct dh_brain *b = brain_of(profile, 1, NULL);
    struct dh_policy *p = dh_policy_model_create(b);
    struct dh_history h;
    int before = 0, most = 0;
    dh_history_init(&h, "Click OK.");
    for (int i = 0; i < 9; i++) {
        struct dh_frame *f = picture(s);
        struct dh_decision d;
        unsigned ops = 0;
        int images = 1;
        p->ops->prune(p, &h);
        for (int k = 0; k < h.n_turns; k++)
            images += h.turns[k].frame != NULL;
        most = DH_MAX(most, images);
        decide(p, &h, f, 0, NULL, &d);
        check_legal(d.text, &ops);
        // Between two drops the beginning is what it was.
        if (turns && images > before && before > 0)
            CHECK(d.usage.cached_tokens >= 48 * before);
        before = images;
        dh_history_add(&h, f, d.text, "Click.", i == 2 ? "a finding" : NULL);
        dh_decision_finish(&d);
        dh_frame_unref(f);
    }
    CHECK_INT(most, turns ? 4 : 2);
    dh_history_finish(&h);
    dh_policy_destroy(p);
    dh_brain_destroy(b);
    dh_source_destroy(s);
}

// Tokens of the question about the same picture, with another before it or not.
static int tokens_of(struct dh_policy *p, struct dh_history *h,
                     struct dh_frame *f, struct dh_frame *extra)
{
    struct dh_decision d;
    if (extra)
        dh_history_show(h, extra);
    decide(p, h, f, 0, NULL, &d);
    int n = d.usage.prompt_tokens;
    dh_decision_finish(&d);
    return n;
}

static void check_extra(const char *profile)
{
    struct dh_source *s = pictures();
    struct dh_brain *b = brain_of(profile, 1, NULL);
    struct dh_policy *p = dh_policy_model_create(b);
    struct dh_frame *f = picture(s), *extra = picture(s);
    struct dh_history h;
    dh_history_init(&h, "Click OK.");
    int first = tokens_of(p, &h, f, NULL);
    dh_history_add(&h, f, "Action: Look.", "Look.", NULL);
    int without = tokens_of(p, &h, f, NULL);
    int with = tokens_of(p, &h, f, extra);
    CHECK(without > first);
    // A picture as large as the first question's, and nothing else.
    CHECK(with > without + 8);
    CHECK(with - without < first);
    dh_frame_unref(f);
    dh_frame_unref(extra);
    dh_history_finish(&h);
    dh_policy_destroy(p);
    dh_brain_destroy(b);
    dh_source_destroy(s);
}

#define SHORT                                                             \
    "\"name\":\"tiny\",\"developer\":\"Act.\",\"thinking\":\"disabled\"," \
    "\"keep_min\":2,\"chunk\":2,\"temperature\":1,\"constrain\":true,"    \
    "\"max_answer_tokens\":1000"

static void test_a_policy_in_turns_reuses_the_past(void)
{
    check_policy("{" SHORT ",\"history\":\"turns\"}", true);
}

static void test_an_extra_picture_is_shown_once_more(void)
{
    check_extra("{" SHORT ",\"history\":\"turns\"}");
    check_extra("{" SHORT ",\"history\":\"summary\",\"max_steps_told\":3}");
}

static void test_a_policy_in_words_shows_one_picture(void)
{
    check_policy("{" SHORT ",\"history\":\"summary\",\"max_steps_told\":3}",
                 false);
}

static void test_a_second_try_is_told_why(void)
{
    struct dh_source *s = pictures();
    struct dh_brain *b = brain_of(PROFILE, 1, NULL);
    struct dh_policy *p = dh_policy_model_create(b);
    struct dh_frame *f = picture(s);
    struct dh_history h;
    struct dh_decision one, two;
    dh_history_init(&h, "Click OK.");
    decide(p, &h, f, 0, NULL, &one);
    decide(p, &h, f, 1, "no action in it", &two);
    CHECK(two.usage.prompt_tokens > one.usage.prompt_tokens);
    dh_decision_finish(&one);
    dh_decision_finish(&two);
    dh_history_finish(&h);
    dh_frame_unref(f);
    dh_policy_destroy(p);
    dh_brain_destroy(b);
    dh_source_destroy(s);
}

static void test_a_prompt_that_does_not_fit_is_refused(void)
{
    struct dh_source *s = pictures();
    struct dh_brain *b = brain_of(PROFILE, 1, NULL);
    struct dh_frame *f = picture(s);
    struct dh_brain_answer a;
    char *task = dh_zalloc(20001);
    for (int i = 0; i < 20000; i++)
        task[i] = "a b c d e f "[i % 12];
    CHECK_INT(ask(b, f, task, DH_FORM_ACTION, &a), DH_ERR_RANGE);
    CHECK_INT(ask(b, f, "Task: Click.", DH_FORM_ACTION, &a), DH_OK);
    dh_brain_answer_finish(&a);
    dh_free(task);
    dh_frame_unref(f);
    dh_brain_destroy(b);
    dh_source_destroy(s);
}

static void test_a_model_without_a_tokenizer_is_refused(void)
{
    const char *dir = dh_test_dir();
    char *path = dh_path_join(dir, "tokenizer.json");
    struct dh_brain_options o = { .model_dir = dir,
                                  .prompts_dir = "assets/prompts",
                                  .threads = 1 };
    struct dh_brain *b = NULL;
    talker_write(dir, PROFILE);
    CHECK_INT(remove(path), 0);
    CHECK_INT(dh_brain_create(&b, &o), DH_ERR_NOTFOUND);
    CHECK_INT(dh_file_write(path, "{}", 2), DH_OK);
    CHECK(dh_brain_create(&b, &o) != DH_OK);
    CHECK(!b);
    dh_free(path);
}

DH_TESTS(DH_TEST(a_random_model_only_writes_legal_actions),
         DH_TEST(forced_tokens_cost_no_pass), DH_TEST(guesses_change_no_answer),
         DH_TEST(guesses_spare_passes), DH_TEST(guesses_fit_the_context),
         DH_TEST(locate_only_writes_points),
         DH_TEST(the_same_seed_gives_the_same_answers),
         DH_TEST(a_second_question_keeps_what_is_the_same),
         DH_TEST(a_screen_that_changes_a_little_is_seen_anew),
         DH_TEST(an_early_look_changes_nothing),
         DH_TEST(a_stop_ends_an_early_look), DH_TEST(a_stop_ends_an_answer),
         DH_TEST(a_reader_ends_an_answer),
         DH_TEST(a_policy_in_turns_reuses_the_past),
         DH_TEST(an_extra_picture_is_shown_once_more),
         DH_TEST(a_policy_in_words_shows_one_picture),
         DH_TEST(a_second_try_is_told_why),
         DH_TEST(a_prompt_that_does_not_fit_is_refused),
         DH_TEST(a_model_without_a_tokenizer_is_refused));
