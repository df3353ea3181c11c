#include <string.h>

#include "actions/dry.h"
#include "actions/guard.h"
#include "actions/xtest.h"
#include "agent/hand.h"
#include "agent/loop.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "capture/frame.h"
#include "capture/source.h"
#include "tests/dh_test.h"
#include "tests/x11/listener.h"

enum { W = 1000, H = 500 };

/*
 * A screen that is a column of grey bars, told by one number, and the hand that
 * changes it: each action takes the next number of `shows`.
 */
struct stage {
    struct dh_source source;
    struct dh_sink sink;
    const int *shows; // 0 ends: the screen stays
    int now;
    int outputs, outputs_at_act; // monitors now, and from that act on
    int acts;
    enum dh_status status[8]; // of each act
    struct dh_buf did;
};

static struct dh_layout layout_of(const struct stage *s)
{
    struct dh_layout l = { .root = { 0, 0, W, H }, .n = s->outputs };
    for (int i = 0; i < l.n; i++)
        l.output[i].rect = l.root;
    return l;
}

static struct stage *of_source(struct dh_source *s)
{
    return (struct stage *)s;
}

static struct stage *of_sink(struct dh_sink *s)
{
    return (struct stage *)((char *)s - offsetof(struct stage, sink));
}

static void bar(struct dh_frame *f, int from, int to, uint8_t grey)
{
    for (int y = from; y < to; y++)
        memset(dh_frame_at(f, 0, y), grey, (size_t)W * 4);
}

static enum dh_status stage_grab(struct dh_source *source,
                                 struct dh_frame **out)
{
    struct stage *s = of_source(source);
    struct dh_frame *f;
    CHECK_INT(dh_frame_create(&f, NULL, W, H), DH_OK);
    bar(f, 0, H, 200);
    // The tens are a large bar at the top, the ones a thin one at the bottom.
    bar(f, 0, s->now / 10 * 10, 90);
    bar(f, H - s->now % 10 * 2, H, 10);
    f->screen = (struct dh_rect){ 0, 0, W, H };
    f->layout = layout_of(s);
    dh_frame_publish(f);
    *out = f;
    return DH_OK;
}

static enum dh_status stage_layout(struct dh_source *source,
                                   struct dh_layout *out)
{
    struct stage *s = of_source(source);
    // A monitor is plugged in between the look and the act.
    if (s->outputs_at_act && s->acts == s->outputs_at_act - 1) {
        s->outputs++;
        s->outputs_at_act = 0;
    }
    *out = layout_of(s);
    return DH_OK;
}

static void stage_destroy(struct dh_source *source)
{
    (void)source;
}

static enum dh_status stage_perform(struct dh_sink *sink,
                                    const struct dh_action *a,
                                    struct dh_cancel *cancel,
                                    struct dh_diag *why)
{
    struct stage *s = of_sink(sink);
    (void)cancel;
    dh_action_text(a, &s->did);
    dh_buf_putc(&s->did, '\n');
    if (s->shows && *s->shows)
        s->now = *s->shows++;
    enum dh_status st = s->status[s->acts++ % 8];
    if (st)
        dh_diag_set(why, 0, "blocked: by the test");
    return st;
}

static void stage_release(struct dh_sink *sink)
{
    dh_buf_puts(&of_sink(sink)->did, "release\n");
}

static void sink_destroy(struct dh_sink *sink)
{
    (void)sink;
}

static enum dh_status stage_pointer(struct dh_sink *sink, struct dh_point *out)
{
    (void)sink;
    *out = (struct dh_point){ 250, 250 };
    return DH_OK;
}

static const struct dh_source_ops source_ops = {
    .name = "stage",
    .grab = stage_grab,
    .layout = stage_layout,
    .destroy = stage_destroy,
};

static const struct dh_sink_ops sink_ops = {
    .name = "stage",
    .perform = stage_perform,
    .release = stage_release,
    .destroy = sink_destroy,
    .pointer = stage_pointer,
};

/* Says its answers one after the other and keeps what it was told. */
struct talker {
    struct dh_policy policy;
    const char *const *says; // NULL: done
    struct dh_buf told;      // "n: note" of each turn, at the end
    int extra_w, extra_h;    // of the last extra picture
    int asked;
    int resampled;
};

static enum dh_status talk(struct dh_policy *p, const struct dh_history *h,
                           struct dh_frame *frame, int attempt, const char *why,
                           struct dh_decision *out)
{
    struct talker *t = (struct talker *)p;
    (void)frame;
    t->asked++;
    t->resampled += attempt > 0;
    CHECK_INT(why != NULL, attempt > 0);
    if (h->n_turns && attempt == 0) {
        const struct dh_turn *last = &h->turns[h->n_turns - 1];
        dh_buf_printf(&t->told, "%s\n", last->note ? last->note : "-");
        if (last->extra) {
            t->extra_w = last->extra->width;
            t->extra_h = last->extra->height;
        }
    }
    memset(out, 0, sizeof *out);
    out->text = dh_strdup(*t->says ? *t->says++ : "DONE");
    return DH_OK;
}

static void talker_destroy(struct dh_policy *p)
{
    (void)p;
}

static const struct dh_policy_ops talker_ops = { .name = "talker",
                                                 .decide = talk,
                                                 .destroy = talker_destroy };

struct play {
    struct stage stage;
    struct talker talker;
    struct dh_loop loop;
    struct dh_loop_result result;
};

static void play_init(struct play *p, const char *const *says)
{
    memset(p, 0, sizeof *p);
    p->stage.source.ops = &source_ops;
    p->stage.sink.ops = &sink_ops;
    p->stage.outputs = 1;
    dh_buf_init(&p->stage.did, 1 << 16);
    p->talker.policy.ops = &talker_ops;
    p->talker.says = says;
    dh_buf_init(&p->talker.told, 1 << 16);
    p->loop = (struct dh_loop){ .source = &p->stage.source,
                                .sink = &p->stage.sink,
                                .policy = &p->talker.policy,
                                .options = { .resamples = -1 } };
}

static void play_run(struct play *p, enum dh_loop_end end, const char *did,
                     const char *told)
{
    dh_loop_run(&p->loop, "a task", &p->result);
    CHECK_STR(dh_loop_end_name(p->result.end), dh_loop_end_name(end));
    CHECK_STR(dh_buf_text(&p->stage.did), did);
    CHECK_STR(dh_buf_text(&p->talker.told), told);
}

static void play_finish(struct play *p)
{
    dh_loop_result_finish(&p->result);
    dh_buf_finish(&p->stage.did);
    dh_buf_finish(&p->talker.told);
}

#define CALL(args)                                                      \
    "<tool_call>{\"name\":\"computer\",\"arguments\":{\"action\":" args \
    "}}</tool_call>"
#define CLICK(xy) CALL("\"left_click\",\"coordinate\":[" xy "]")
#define TYPE(s)   CALL("\"type\",\"text\":\"" s "\"")

static void test_a_finding_is_told_with_the_next_picture(void)
{
    static const char *const says[] = { CLICK("500,500"), TYPE("Ada"),
                                        CLICK("100,100"), NULL };
    static const int shows[] = { 3, 3, 5, 0 };
    struct play p;
    play_init(&p, says);
    p.stage.shows = shows;
    play_run(&p, DH_LOOP_DONE,
             "left_click 500 250\ntype \"Ada\"\nleft_click 100 50\n"
             "release\nrelease\n",
             "-\ntext did not appear\n-\n");
    play_finish(&p);
}

static void test_a_scroll_at_the_end_is_told(void)
{
    static const char *const says[] = {
        CALL("\"scroll\",\"coordinate\":[500,500],"
             "\"scroll_direction\":\"down\",\"scroll_amount\":5"),
        NULL
    };
    struct play p;
    play_init(&p, says);
    play_run(&p, DH_LOOP_DONE, "scroll 500 250 down 5\nrelease\nrelease\n",
             "scroll reached the end\n");
    play_finish(&p);
}

static void test_an_answer_for_another_layout_is_not_done(void)
{
    static const char *const says[] = { CLICK("500,500"), CLICK("250,250"),
                                        CLICK("100,100"), NULL };
    static const int shows[] = { 3, 5, 0 };
    struct play p;
    play_init(&p, says);
    p.stage.shows = shows;
    p.stage.outputs_at_act = 2;
    play_run(&p, DH_LOOP_DONE,
             "left_click 500 250\nleft_click 100 50\nrelease\nrelease\n",
             "-\nthe screen's layout changed; nothing was done\n-\n");
    // It is no step.
    CHECK_INT(p.result.steps, 3);
    CHECK_INT(p.talker.asked, 4);
    play_finish(&p);
}

static void test_actions_of_one_answer_run_in_order(void)
{
    static const char *const says[] = { CLICK("500,500") TYPE("Ada")
                                            CLICK("900,900"),
                                        NULL };
    static const int shows[] = { 1, 2, 3, 0 };
    struct play p;
    play_init(&p, says);
    p.stage.shows = shows;
    play_run(&p, DH_LOOP_DONE,
             "left_click 500 250\ntype \"Ada\"\nleft_click 900 450\n"
             "release\nrelease\n",
             "-\n");
    CHECK_INT(p.result.steps, 2);
    play_finish(&p);
}

static void test_a_refusal_ends_the_answer(void)
{
    static const char *const says[] = { CLICK("500,500") TYPE("hunter2")
                                            CLICK("900,900"),
                                        NULL };
    static const int shows[] = { 1, 2, 0 };
    struct play p;
    play_init(&p, says);
    p.stage.shows = shows;
    p.stage.status[1] = DH_ERR_REFUSED;
    play_run(&p, DH_LOOP_DONE,
             "left_click 500 250\ntype \"hunter2\"\nrelease\nrelease\n",
             "blocked by policy: by the test\n1 left_click: executed; "
             "2 type: not executed; 3 left_click: not executed\n");
    play_finish(&p);
}

// A person clicks in the middle of the screen, types a long text, and more.
static void by_hand(struct dh_hand *did)
{
    char long_text[400];
    struct dh_action a = { .op = DH_ACTION_CLICK,
                           .has_at = true,
                           .on_screen = true,
                           .at = { 500, 250 },
                           .button = 1,
                           .count = 1,
                           .duration_ms = -1 };
    did->known = true;
    dh_hand_add(did, &a);
    a = (struct dh_action){ .op = DH_ACTION_TYPE, .text = long_text };
    memset(long_text, 'x', sizeof long_text);
    long_text[sizeof long_text - 1] = '\0';
    for (int i = 0; i < 9; i++) {
        dh_hand_add(did, &a);
        long_text[2] = '\0';
    }
}

static bool given_back(void *user, struct dh_cancel *cancel,
                       struct dh_hand *did)
{
    struct stage *s = user;
    (void)cancel;
    by_hand(did);
    dh_buf_puts(&s->did, "a person\n");
    return s->outputs == 1;
}

static void check_taken(enum dh_loop_end end, const char *did, const char *told,
                        bool wait, int outputs)
{
    static const char *const says[] = { TYPE("Ada") TYPE("Bob"), NULL };
    struct play p;
    play_init(&p, says);
    p.stage.status[0] = DH_ERR_TAKEN;
    p.stage.outputs = outputs;
    p.loop.wait_back = wait ? given_back : NULL;
    p.loop.wait_user = &p.stage;
    play_run(&p, end, did, told);
    CHECK_INT(p.result.steps, 1);
    play_finish(&p);
}

static void test_a_person_ends_the_answer(void)
{
    check_taken(
        DH_LOOP_DONE, "type \"Ada\"\nrelease\na person\nrelease\nrelease\n",
        "user took over\n"
        "by hand, the user did: left_click 500 500; type "
        "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...; type \"xx\"; type \"xx\"; "
        "type \"xx\"; type \"xx\"; type \"xx\"; type \"xx\"; and 2 more\n"
        "1 type: not executed; 2 type: not executed\n",
        true, 1);
    check_taken(DH_LOOP_STOPPED, "type \"Ada\"\nrelease\na person\nrelease\n",
                "", true, 2);
    check_taken(DH_LOOP_ERROR, "type \"Ada\"\nrelease\nrelease\n", "", false,
                1);
}

// A model that thinks until a person takes the desktop.
struct thinker {
    struct dh_policy policy;
    struct dh_cancel taken;
    int asked;
    char *task;
};

static enum dh_status think_until(struct dh_policy *p,
                                  const struct dh_history *h,
                                  struct dh_frame *frame, int attempt,
                                  const char *why, struct dh_decision *out)
{
    struct thinker *t = (struct thinker *)p;
    (void)frame;
    (void)attempt;
    (void)why;
    memset(out, 0, sizeof *out);
    if (t->asked++ == 0) {
        dh_cancel_set(&t->taken);
        return DH_ERR_CANCELLED;
    }
    t->task = dh_strdup(h->task);
    out->text = dh_strdup(CALL("\"done\""));
    return DH_OK;
}

static bool act_by_hand(void *user, struct dh_cancel *cancel,
                        struct dh_hand *did)
{
    struct dh_action a = { .op = DH_ACTION_TYPE };
    (void)cancel;
    a.text = dh_strdup("Ada");
    did->known = true;
    dh_hand_add(did, &a);
    dh_action_finish(&a);
    dh_cancel_clear(&((struct thinker *)user)->taken);
    return true;
}

static void test_a_person_ends_the_thinking(void)
{
    static const struct dh_policy_ops ops = { .decide = think_until };
    static const char *const says[] = { NULL };
    static const int shows[] = { 1, 1, 1, 0 };
    struct thinker t = { .policy.ops = &ops };
    struct play p;
    play_init(&p, says);
    p.stage.shows = shows;
    p.loop.policy = &t.policy;
    p.loop.taken = &t.taken;
    p.loop.wait_back = act_by_hand;
    p.loop.wait_user = &t;
    dh_loop_run(&p.loop, "Do it.", &p.result);
    CHECK_INT(p.result.end, DH_LOOP_DONE);
    CHECK_INT(p.result.steps, 1);
    CHECK_INT(t.asked, 2);
    CHECK_STR(t.task, "Do it.\nuser took over\nby hand, the user did: "
                      "type \"Ada\"");
    dh_free(t.task);
    play_finish(&p);
}

// A page that came with the first click is not clicked blindly; it is typed
// into.
static void test_no_second_click_on_another_page(void)
{
    static const char *const says[] = { CLICK("500,500") TYPE("Ada")
                                            CLICK("900,100"),
                                        NULL };
    static const int shows[] = { 300, 301, 0 };
    struct play p;
    play_init(&p, says);
    p.stage.shows = shows;
    play_run(&p, DH_LOOP_DONE,
             "left_click 500 250\ntype \"Ada\"\nrelease\nrelease\n",
             "the screen is another one now; look before you point\n"
             "1 left_click: executed; 2 type: executed; "
             "3 left_click: not executed\n");
    play_finish(&p);
}

static void test_nothing_is_held_when_it_is_done(void)
{
    static const char *const says[] = {
        CALL("\"left_mouse_down\",\"coordinate\":[500,500]") CALL("\"done\""),
        NULL
    };
    struct play p;
    play_init(&p, says);
    play_run(&p, DH_LOOP_DONE, "left_mouse_down 500 250\nrelease\nrelease\n",
             "");
    play_finish(&p);
}

static void test_words_are_asked_back_once(void)
{
    static const char *const once[] = { "It is 4 o'clock (see the clock).",
                                        "DONE", NULL };
    static const char *const twice[] = {
        "Let me see.", "<think>hm</think>\nIt is 4 o'clock.\n", NULL
    };
    struct play p;
    play_init(&p, once);
    play_run(&p, DH_LOOP_DONE, "release\nrelease\n", "");
    CHECK_INT(p.talker.resampled, 1);
    play_finish(&p);
    play_init(&p, twice);
    play_run(&p, DH_LOOP_ANSWERED, "release\n", "");
    CHECK_STR(p.result.text, "It is 4 o'clock.");
    play_finish(&p);
}

static void test_a_damaged_call_is_no_answer_in_words(void)
{
    static const char *const says[] = { "Action: Click OK.",
                                        "click(at the button",
                                        "```\nimport os\n```", NULL };
    struct play p;
    play_init(&p, says);
    play_run(&p, DH_LOOP_NONSENSE, "release\n", "");
    play_finish(&p);
}

/* --- a closer look --- */

static void check_zoom(const char *call, int w, int h, const char *told)
{
    const char *const says[] = { call, NULL };
    struct play p;
    play_init(&p, says);
    dh_loop_run(&p.loop, "a task", &p.result);
    CHECK_STR(dh_loop_end_name(p.result.end), "done");
    CHECK_INT(p.talker.extra_w, w);
    CHECK_INT(p.talker.extra_h, h);
    CHECK_STR(dh_buf_text(&p.talker.told), told);
    play_finish(&p);
}

static void test_a_zoom_is_a_picture_with_the_next_question(void)
{
    check_zoom(CALL("\"zoom\",\"coordinate\":[500,500]"), 999, 498,
               "the first picture is 334 334 to 666 664 of the screen; points "
               "are still of the whole screen\n");
    check_zoom(CALL("\"zoom\",\"start_coordinate\":[100,100],"
                    "\"coordinate\":[200,180]"),
               303, 123,
               "the first picture is 100 100 to 200 180 of the screen; points "
               "are still of the whole screen\n");
}

static void test_the_pointer_is_told_in_the_models_units(void)
{
    static const char *const says[] = { CALL("\"cursor_position\""), NULL };
    struct play p;
    play_init(&p, says);
    play_run(&p, DH_LOOP_DONE, "cursor_position\nrelease\nrelease\n",
             "the pointer is at 250 500\n");
    play_finish(&p);
}

/* --- a question --- */

static enum dh_status reply(void *user, const char *question,
                            struct dh_cancel *cancel, char **out)
{
    const char *text = user;
    (void)cancel;
    CHECK_STR(question, "Which one?");
    if (!text)
        return DH_ERR_CLOSED;
    *out = dh_strdup(text);
    return DH_OK;
}

#define ASK CALL("\"ask_user\",\"text\":\"Which one?\"")

static void test_a_question_is_answered_by_a_person(void)
{
    static const char *const says[] = { ASK, CLICK("500,500"), NULL };
    static const int shows[] = { 3, 0 };
    static char answer[] = "The left one.";
    struct play p;
    play_init(&p, says);
    p.stage.shows = shows;
    p.loop.ask = reply;
    p.loop.ask_user = answer;
    play_run(&p, DH_LOOP_DONE,
             "release\nleft_click 500 250\nrelease\nrelease\n",
             "The user answers: The left one.\n-\n");
    play_finish(&p);
}

static void test_a_question_without_a_person_fails(void)
{
    static const char *const says[] = { ASK, CLICK("500,500"), NULL };
    struct play p;
    for (int i = 0; i < 2; i++) {
        play_init(&p, says);
        p.loop.ask = i ? reply : NULL;
        play_run(&p, DH_LOOP_FAILED, "release\nrelease\n", "");
        CHECK_STR(p.result.text, "nobody answered: Which one?");
        play_finish(&p);
    }
}

static void test_a_cycle_is_told_and_then_ends(void)
{
    static const char *const says[] = {
        CLICK("500,500"), CLICK("100,100"), CLICK("500,500"), CLICK("100,100"),
        CLICK("500,500"), CLICK("100,100"), CLICK("500,500"), CLICK("100,100"),
        CLICK("500,500"), CLICK("100,100"), CLICK("500,500"), NULL
    };
    static const int shows[] = { 300, 3, 300, 3, 300, 3, 300, 3, 300, 3, 300 };
    struct play p;
    play_init(&p, says);
    p.stage.shows = shows;
    p.stage.now = 3;
    dh_loop_run(&p.loop, "a task", &p.result);
    CHECK_STR(dh_loop_end_name(p.result.end), "stuck");
    CHECK_STR(p.result.text, "repeated 5 times on the same screen: "
                             "left_click 500 500, left_click 100 100");
    CHECK(strstr(dh_buf_text(&p.talker.told), "repeated 3 times"));
    CHECK(strstr(dh_buf_text(&p.talker.told), "take another way"));
    CHECK_INT(p.stage.acts, 9);
    play_finish(&p);
}

DH_TESTS(DH_TEST(a_finding_is_told_with_the_next_picture),
         DH_TEST(a_scroll_at_the_end_is_told),
         DH_TEST(an_answer_for_another_layout_is_not_done),
         DH_TEST(actions_of_one_answer_run_in_order),
         DH_TEST(a_refusal_ends_the_answer), DH_TEST(a_person_ends_the_answer),
         DH_TEST(a_person_ends_the_thinking),
         DH_TEST(no_second_click_on_another_page),
         DH_TEST(nothing_is_held_when_it_is_done),
         DH_TEST(words_are_asked_back_once),
         DH_TEST(a_damaged_call_is_no_answer_in_words),
         DH_TEST(a_zoom_is_a_picture_with_the_next_question),
         DH_TEST(the_pointer_is_told_in_the_models_units),
         DH_TEST(a_question_is_answered_by_a_person),
         DH_TEST(a_question_without_a_person_fails),
         DH_TEST(a_cycle_is_told_and_then_ends));
