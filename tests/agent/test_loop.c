#include "agent/loop.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actions/dry.h"
#include "actions/guard.h"
#include "actions/xtest.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "capture/frame.h"
#include "capture/screen.h"
#include "capture/source.h"
#include "tests/capture/server.h"
#include "tests/dh_test.h"
#include "tests/x11/listener.h"
#include "vision/motion.h"

// A run and all that was seen of it.
struct trial {
    struct dh_source *source;
    struct dh_sink *sink;
    struct dh_policy *policy;
    struct dh_cancel cancel;
    struct dh_buf did;    // lines of the dry sink
    struct dh_buf events; // "start frame:start answer act done ... end:done"
    struct dh_buf notes;  // texts of notes and findings, one a line
    struct dh_loop_options options;
    struct dh_loop_result result;
    int64_t took_ns;
};

static struct dh_source *screen(const char *display)
{
    struct dh_screen_options o = DH_SCREEN_DEFAULTS;
    struct dh_source *s;
    // A pointer that moves would be a change of the screen.
    o.cursor = false;
    o.display = display;
    CHECK_INT(dh_screen_create(&s, &o), DH_OK);
    return s;
}

static struct dh_sink *xtest(const char *display)
{
    struct dh_sink *sink;
    CHECK_INT(dh_xtest_create(&sink, display, NULL), DH_OK);
    return dh_guard_create(sink, (struct dh_rect){ 0 });
}

static void trial_init(struct trial *t, const char *script)
{
    memset(t, 0, sizeof *t);
    dh_buf_init(&t->did, 1 << 16);
    dh_buf_init(&t->events, 1 << 16);
    dh_buf_init(&t->notes, 1 << 16);
    t->source = screen(NULL);
    t->sink = dh_dry_create(&t->did);
    t->policy = dh_policy_script_create(script);
    t->options = (struct dh_loop_options){ .quiet_ns = 20 * DH_MS,
                                           .settle_ns = 300 * DH_MS,
                                           .resamples = -1 };
}

static void trial_finish(struct trial *t)
{
    dh_loop_result_finish(&t->result);
    dh_policy_destroy(t->policy);
    dh_sink_destroy(t->sink);
    dh_source_destroy(t->source);
    dh_buf_finish(&t->did);
    dh_buf_finish(&t->events);
    dh_buf_finish(&t->notes);
}

static void note_event(void *user, const struct dh_event *e)
{
    static const char *const names[] = { "start", "frame", "answer", "act",
                                         "done",  "note",  "end" };
    struct trial *t = user;
    dh_buf_printf(&t->events, "%s%s", t->events.len ? " " : "", names[e->kind]);
    if (e->kind == DH_EVENT_FRAME)
        dh_buf_printf(&t->events, ":%s", e->why);
    if (e->kind == DH_EVENT_END)
        dh_buf_printf(&t->events, ":%s", e->text);
    if ((e->kind == DH_EVENT_NOTE || e->kind == DH_EVENT_DONE) && e->text)
        dh_buf_printf(&t->notes, "%s\n", e->text);
    CHECK(e->time_ns > 0);
}

static void run(struct trial *t)
{
    struct dh_loop l = { .source = t->source,
                         .sink = t->sink,
                         .policy = t->policy,
                         .cancel = &t->cancel,
                         .options = t->options,
                         .watch = { note_event },
                         .watch_user = { t } };
    int64_t start = dh_now_ns();
    dh_loop_run(&l, "a task", &t->result);
    t->took_ns = dh_now_ns() - start;
}

static int count(const struct dh_buf *b, const char *word)
{
    int n = 0;
    for (const char *p = dh_buf_text(b); (p = strstr(p, word)); p++)
        n++;
    return n;
}

static void test_a_run_tells_what_happens_in_order(void)
{
    struct trial t;
    trial_init(&t, "# a comment\n\n  left_click 500 300  \ntype Ada\n");
    run(&t);
    CHECK_INT(t.result.end, DH_LOOP_DONE);
    CHECK_INT(t.result.status, DH_OK);
    CHECK_INT(t.result.steps, 3);
    CHECK_STR(dh_buf_text(&t.events), "start frame:start "
                                      "answer act done frame:after "
                                      "answer act done frame:after "
                                      "answer end:done");
    // 0..1000 became pixels of 1024x768.
    CHECK_STR(dh_buf_text(&t.did), "left_click 512 230\ntype \"Ada\"\n");
    trial_finish(&t);
}

static void test_actions_arrive_on_the_screen(void)
{
    struct trial t;
    struct dh_listener l;
    dh_listener_init(&l);
    trial_init(&t, "left_click 500 300\nleft_mouse_down 10 10\n");
    dh_sink_destroy(t.sink);
    t.sink = xtest(NULL);
    run(&t);
    CHECK_INT(t.result.end, DH_LOOP_DONE);
    dh_listener_drain(&l);
    // What is still held when the run ends is let go of, before destroy.
    CHECK_STR(dh_buf_text(&l.events), "press 1 512,230\nrelease 1 512,230\n"
                                      "press 1 10,8\nrelease 1 10,8\n");
    CHECK_INT(dh_listener_held(&l), 0);
    trial_finish(&t);
    dh_listener_finish(&l);
}

static void check_end(const char *script, enum dh_loop_end end,
                      const char *text)
{
    struct trial t;
    trial_init(&t, script);
    run(&t);
    CHECK_STR(dh_loop_end_name(t.result.end), dh_loop_end_name(end));
    if (text)
        CHECK_STR(t.result.text, text);
    CHECK_STR(dh_buf_text(&t.did), "");
    trial_finish(&t);
}

static void test_a_policy_ends_the_run(void)
{
    check_end("", DH_LOOP_DONE, NULL);
    check_end("raw DONE\nleft_click 1 1", DH_LOOP_DONE, NULL);
    check_end("fail", DH_LOOP_FAILED, NULL);
    check_end("raw [INFEASIBLE]", DH_LOOP_FAILED, NULL);
}

static void test_the_step_limit_ends_the_run(void)
{
    struct trial t;
    trial_init(&t, "left_click 1 1\nleft_click 2 2\nleft_click 3 3\n");
    t.options.max_steps = 2;
    run(&t);
    CHECK_INT(t.result.end, DH_LOOP_LIMIT);
    CHECK_INT(t.result.steps, 2);
    CHECK_INT(count(&t.did, "left_click"), 2);
    trial_finish(&t);
}

static void test_nonsense_ends_the_run_after_two_more_tries(void)
{
    struct trial t;
    trial_init(&t, "raw {hm\nraw <well\nraw {\"action\nleft_click 1 1\n");
    run(&t);
    CHECK_INT(t.result.end, DH_LOOP_NONSENSE);
    CHECK_INT(t.result.steps, 1);
    CHECK_INT(count(&t.events, "answer"), 3);
    CHECK_INT(count(&t.events, "note"), 3);
    CHECK_STR(dh_buf_text(&t.did), "");
    CHECK(t.result.text && t.result.text[0]);
    trial_finish(&t);
}

static void test_resamples_are_no_steps(void)
{
    struct trial t;
    trial_init(&t, "raw hm\nraw {well\nleft_click 1 1\nraw hm\ndone\n");
    t.options.max_steps = 2;
    run(&t);
    CHECK_INT(t.result.end, DH_LOOP_DONE);
    CHECK_INT(t.result.steps, 2);
    CHECK_INT(count(&t.events, "answer"), 5);
    trial_finish(&t);
}

static void test_without_resamples_one_answer_decides(void)
{
    struct trial t;
    trial_init(&t, "raw hm\ndone\n");
    t.options.resamples = 0;
    run(&t);
    CHECK_INT(t.result.end, DH_LOOP_NONSENSE);
    CHECK_INT(count(&t.events, "answer"), 1);
    trial_finish(&t);
}

static void test_the_same_action_on_a_still_screen_is_stuck(void)
{
    struct trial t;
    trial_init(&t, "left_click 1 1\nleft_click 1 1\nleft_click 1 1\n"
                   "left_click 1 1\nleft_click 1 1\n");
    run(&t);
    CHECK_INT(t.result.end, DH_LOOP_STUCK);
    // Told once, told to take another way, and that is that.
    CHECK_INT(count(&t.did, "left_click"), 4);
    CHECK_INT(count(&t.notes, "repeated"), 2);
    CHECK_INT(count(&t.notes, "another way"), 1);
    CHECK_STR(t.result.text, "repeated 5 times on the same screen: "
                             "left_click 1 1");
    trial_finish(&t);
}

static void test_different_actions_are_not_stuck(void)
{
    struct trial t;
    trial_init(&t, "left_click 1 1\nleft_click 1 1\nleft_click 1 1\nkey a\n"
                   "left_click 1 1\nleft_click 1 1\nleft_click 1 1\n");
    run(&t);
    CHECK_INT(t.result.end, DH_LOOP_DONE);
    CHECK_INT(count(&t.did, "left_click"), 6);
    trial_finish(&t);
}

// What cannot be done is found and told, and the run goes on.
static void test_an_action_that_is_refused_is_told(void)
{
    struct trial t;
    trial_init(&t, "key ctrl+alt+Delete\nkey NoSuchKey\nmouse_move 5 5\n");
    dh_sink_destroy(t.sink);
    t.sink = xtest(NULL);
    run(&t);
    CHECK_INT(t.result.end, DH_LOOP_DONE);
    CHECK(strstr(dh_buf_text(&t.notes), "ctrl+alt+Delete"));
    CHECK(strstr(dh_buf_text(&t.notes), "NoSuchKey"));
    CHECK_INT(count(&t.notes, "\n"), 2);
    trial_finish(&t);
}

/* --- a policy that looks at its history --- */

struct asker {
    struct dh_policy policy;
    int asked;
    char note[256];
    char why[256];
};

static enum dh_status ask(struct dh_policy *p, const struct dh_history *h,
                          struct dh_frame *frame, int attempt, const char *why,
                          struct dh_decision *out)
{
    static const char *const answers[] = {
        "hm", "{\"action\":\"key\",\"text\":\"NoSuchKey\"}", "DONE"
    };
    struct asker *a = (struct asker *)p;
    CHECK_STR(h->task, "a task");
    CHECK_INT(frame->width, 1024);
    CHECK_INT(attempt, a->asked == 1);
    CHECK_INT(why != NULL, a->asked == 1);
    CHECK_INT(h->n_turns, a->asked == 2);
    if (a->asked == 2) {
        CHECK_STR(h->turns[0].answer, answers[1]);
        CHECK(h->turns[0].frame);
        CHECK(strstr(h->turns[0].note, "NoSuchKey"));
    }
    memset(out, 0, sizeof *out);
    out->text = dh_strdup(answers[a->asked++]);
    return DH_OK;
}

static void keep(struct dh_policy *p)
{
    (void)p;
}

static void test_a_policy_is_told_what_was_wrong(void)
{
    static const struct dh_policy_ops ops = { .name = "asker",
                                              .decide = ask,
                                              .destroy = keep };
    struct asker asker = { .policy = { &ops } };
    struct trial t;
    trial_init(&t, "");
    dh_policy_destroy(t.policy);
    t.policy = &asker.policy;
    dh_sink_destroy(t.sink);
    t.sink = xtest(NULL);
    run(&t);
    CHECK_INT(t.result.end, DH_LOOP_DONE);
    CHECK_INT(asker.asked, 3);
    trial_finish(&t);
}

/* --- ways out --- */

struct later {
    struct dh_thread thread;
    int64_t after_ns;
    struct dh_cancel *cancel;
    struct server *server;
    int64_t at_ns; // when it happened; read after the join
};

static void happen(void *arg)
{
    struct later *l = arg;
    dh_sleep_for(l->after_ns);
    l->at_ns = dh_now_ns();
    if (l->cancel)
        dh_cancel_set(l->cancel);
    if (l->server)
        server_kill(l->server);
}

static void check_stops(const char *script, const char *events)
{
    struct trial t;
    struct dh_listener l;
    dh_listener_init(&l);
    trial_init(&t, script);
    dh_sink_destroy(t.sink);
    t.sink = xtest(NULL);
    t.options.settle_ns = 60 * DH_S;
    struct later later = { .after_ns = 300 * DH_MS, .cancel = &t.cancel };
    CHECK_INT(dh_thread_start(&later.thread, "later", happen, &later), DH_OK);
    run(&t);
    int64_t end_ns = dh_now_ns();
    dh_thread_join(&later.thread);
    CHECK_STR(dh_loop_end_name(t.result.end), "stopped");
    CHECK(end_ns > later.at_ns);
    CHECK(end_ns - later.at_ns < DH_S / 2);
    CHECK_INT(dh_listener_held(&l), 0);
    CHECK_STR(dh_buf_text(&t.events), events);
    trial_finish(&t);
    dh_listener_finish(&l);
}

static void test_a_stop_ends_a_wait_at_once(void)
{
    check_stops("wait 30\n", "start frame:start answer act done end:stopped");
}

static void test_a_stop_lets_go_of_keys(void)
{
    check_stops("raw {\"action\":\"hold_key\",\"text\":\"shift\","
                "\"duration\":30}",
                "start frame:start answer act end:stopped");
    check_stops("left_mouse_down 500 500\nwait 30\n",
                "start frame:start answer act done frame:after "
                "answer act done end:stopped");
}

static void test_a_stop_before_the_start_does_nothing(void)
{
    struct trial t;
    trial_init(&t, "left_click 1 1\n");
    dh_cancel_set(&t.cancel);
    run(&t);
    CHECK_INT(t.result.end, DH_LOOP_STOPPED);
    CHECK_STR(dh_buf_text(&t.did), "");
    trial_finish(&t);
}

static void check_lost_server(bool real_input)
{
    struct trial t;
    struct server server;
    trial_init(&t, "left_mouse_down 500 500\nwait 30\nleft_click 1 1\n");
    server_start(&server, "640x480x24", NULL);
    dh_source_destroy(t.source);
    t.source = screen(server.display);
    if (real_input) {
        dh_sink_destroy(t.sink);
        t.sink = xtest(server.display);
    }
    t.options.settle_ns = 60 * DH_S;
    struct later later = { .after_ns = 400 * DH_MS, .server = &server };
    CHECK_INT(dh_thread_start(&later.thread, "later", happen, &later), DH_OK);
    run(&t);
    dh_thread_join(&later.thread);
    CHECK_STR(dh_loop_end_name(t.result.end), "error");
    CHECK_STR(dh_status_name(t.result.status), dh_status_name(DH_ERR_CLOSED));
    CHECK(t.took_ns < 5 * DH_S);
    trial_finish(&t);
}

static void test_a_server_that_goes_away_ends_the_run(void)
{
    check_lost_server(true);
}

static void test_a_screen_that_goes_away_ends_the_run(void)
{
    check_lost_server(false);
}

static void test_a_wait_takes_as_long_as_it_says(void)
{
    struct trial t;
    trial_init(&t, "wait 1\n");
    run(&t);
    CHECK_INT(t.result.end, DH_LOOP_DONE);
    CHECK(t.took_ns >= DH_S);
    CHECK(t.took_ns < 2 * DH_S);
    trial_finish(&t);
}

/* --- on a real program --- */

static pid_t start_xterm(const char *shell)
{
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execlp("xterm", "xterm", "-geometry", "60x24+200+200", "-sl", "1000",
               "-e", "sh", "-c", shell, (char *)NULL);
        _exit(127);
    }
    return pid;
}

// Until the terminal has drawn what it runs.
static void wait_for_ink(struct dh_source *s)
{
    struct dh_settle how = { .quiet_ns = 500 * DH_MS, .limit_ns = 20 * DH_S };
    struct dh_settle_result found = { 0 };
    int64_t until = dh_now_ns() + 20 * DH_S;
    while (!found.changed && dh_now_ns() < until)
        CHECK_INT(dh_source_settle(s, &how, NULL, &found), DH_OK);
    CHECK(found.changed);
}

// Decides as another one does, and knows what it was shown early.
struct seer {
    struct dh_policy policy;
    struct dh_policy *inner;
    struct dh_frame *early;
    int looks, right;
};

static void seer_look(struct dh_policy *p, struct dh_frame *frame)
{
    struct seer *s = (struct seer *)p;
    dh_frame_unref(s->early);
    s->early = dh_frame_ref(frame);
    s->looks++;
}

static enum dh_status seer_decide(struct dh_policy *p,
                                  const struct dh_history *h,
                                  struct dh_frame *frame, int attempt,
                                  const char *why, struct dh_decision *out)
{
    struct seer *s = (struct seer *)p;
    s->right += frame == s->early;
    return s->inner->ops->decide(s->inner, h, frame, attempt, why, out);
}

static void seer_destroy(struct dh_policy *p)
{
    struct seer *s = (struct seer *)p;
    dh_frame_unref(s->early);
    dh_policy_destroy(s->inner);
}

static void test_the_next_picture_is_looked_at_early(void)
{
    static const struct dh_policy_ops ops = { .name = "seer",
                                              .decide = seer_decide,
                                              .look = seer_look,
                                              .destroy = seer_destroy };
    struct trial t;
    trial_init(&t, "scroll 400 500 up 2\nscroll 400 500 up 2\n"
                   "scroll 400 500 up 2\nwait 0.1\n");
    struct seer s = { .policy = { &ops }, .inner = t.policy };
    t.policy = &s.policy;
    t.options.quiet_ns = 300 * DH_MS;
    t.options.settle_ns = 5 * DH_S;
    dh_sink_destroy(t.sink);
    t.sink = xtest(NULL);
    CHECK_INT(dh_source_mark(t.source), DH_OK);
    pid_t pid = start_xterm("seq 1001 1200; sleep 60");
    CHECK(pid > 0);
    wait_for_ink(t.source);
    run(&t);
    CHECK_INT(t.result.end, DH_LOOP_DONE);
    // Each scroll is seen once it is drawn, and stays as it was seen.
    CHECK(s.looks >= 3);
    CHECK(s.right >= 3);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    trial_finish(&t);
}

static void test_a_terminal_scrolls_until_its_end(void)
{
    struct trial t;
    // 200 lines, 24 are seen; a notch is five lines.
    trial_init(&t, "scroll 400 500 up 2\nscroll 400 500 up 20\n"
                   "scroll 400 500 up 20\nscroll 400 500 up 20\n"
                   "scroll 400 500 down 1\n");
    dh_sink_destroy(t.sink);
    t.sink = xtest(NULL);
    CHECK_INT(dh_source_mark(t.source), DH_OK);
    pid_t pid = start_xterm("seq 1001 1200; sleep 60");
    CHECK(pid > 0);
    wait_for_ink(t.source);
    run(&t);
    CHECK_INT(t.result.end, DH_LOOP_DONE);
    CHECK_STR(dh_buf_text(&t.notes), "scroll reached the end\n");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    trial_finish(&t);
}

static struct dh_frame *still(struct dh_source *s)
{
    struct dh_settle how = { .quiet_ns = 200 * DH_MS, .limit_ns = 10 * DH_S };
    struct dh_settle_result found;
    struct dh_frame *f;
    CHECK_INT(dh_source_settle(s, &how, NULL, &found), DH_OK);
    CHECK_INT(dh_source_grab(s, &f), DH_OK);
    return f;
}

static void test_the_shift_of_a_terminal_is_measured(void)
{
    struct trial t;
    struct dh_motion m = { 0 };
    struct dh_action a = { .op = DH_ACTION_SCROLL, .dy = -2, .has_at = true };
    trial_init(&t, "");
    dh_sink_destroy(t.sink);
    t.sink = xtest(NULL);
    CHECK_INT(dh_source_mark(t.source), DH_OK);
    pid_t pid = start_xterm("seq -f '%.0f is a line of text' 1001 1200; "
                            "sleep 60");
    CHECK(pid > 0);
    wait_for_ink(t.source);
    struct dh_frame *before = still(t.source);
    a.at = (struct dh_point){ 400, 400 };
    a.on_screen = true;
    CHECK_INT(dh_source_mark(t.source), DH_OK);
    CHECK_INT(dh_sink_perform(t.sink, &a, NULL, NULL), DH_OK);
    struct dh_frame *after = still(t.source);
    CHECK(dh_motion_find(before, after, before->screen, &m));
    // Ten lines of the terminal's own height, which is that of the font.
    CHECK_INT(m.by.x, 0);
    CHECK(m.by.y >= 10 * 8);
    CHECK_INT(m.by.y % 10, 0);
    struct dh_point pointer;
    CHECK_INT(dh_sink_pointer(t.sink, &pointer), DH_OK);
    CHECK_INT(pointer.x, 400);
    CHECK_INT(pointer.y, 400);
    dh_frame_unref(before);
    dh_frame_unref(after);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    trial_finish(&t);
}

static void test_typed_text_appears_or_not(void)
{
    struct trial t;
    trial_init(&t, "mouse_move 400 500\ntype Ada\nkey Return\n"
                   "mouse_move 5 5\ntype Ada\n");
    dh_sink_destroy(t.sink);
    t.sink = xtest(NULL);
    CHECK_INT(dh_source_mark(t.source), DH_OK);
    // Without a window manager the keys go where the pointer is.
    pid_t pid = start_xterm("cat");
    CHECK(pid > 0);
    wait_for_ink(t.source);
    run(&t);
    CHECK_INT(t.result.end, DH_LOOP_DONE);
    CHECK_STR(dh_buf_text(&t.notes), "text did not appear\n");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    trial_finish(&t);
}

// A page that comes while it is waited for.
static void draw_late(void *arg)
{
    struct later *l = arg;
    dh_sleep_for(l->after_ns);
    Display *dpy = XOpenDisplay(NULL);
    CHECK(dpy != NULL);
    paint(dpy, 100, 100, 400, 300, 0x336699);
    XCloseDisplay(dpy);
}

static int64_t wait_of(const char *script, bool exact)
{
    struct trial t;
    struct later later = { .after_ns = 300 * DH_MS };
    trial_init(&t, script);
    t.options.wait_exact = exact;
    CHECK_INT(dh_thread_start(&later.thread, "later", draw_late, &later),
              DH_OK);
    run(&t);
    dh_thread_join(&later.thread);
    CHECK_INT(t.result.end, DH_LOOP_DONE);
    int64_t took = t.took_ns;
    trial_finish(&t);
    return took;
}

static void test_a_wait_ends_with_what_it_waits_for(void)
{
    CHECK(wait_of("wait 30\n", false) < 20 * DH_S);
    CHECK(wait_of("wait 2\n", true) >= 2 * DH_S);
}

DH_TESTS(DH_TEST(a_run_tells_what_happens_in_order),
         DH_TEST(actions_arrive_on_the_screen), DH_TEST(a_policy_ends_the_run),
         DH_TEST(the_step_limit_ends_the_run),
         DH_TEST(nonsense_ends_the_run_after_two_more_tries),
         DH_TEST(resamples_are_no_steps),
         DH_TEST(without_resamples_one_answer_decides),
         DH_TEST(the_same_action_on_a_still_screen_is_stuck),
         DH_TEST(different_actions_are_not_stuck),
         DH_TEST(an_action_that_is_refused_is_told),
         DH_TEST(a_policy_is_told_what_was_wrong),
         DH_TEST(a_stop_ends_a_wait_at_once), DH_TEST(a_stop_lets_go_of_keys),
         DH_TEST(a_stop_before_the_start_does_nothing),
         DH_TEST(a_server_that_goes_away_ends_the_run),
         DH_TEST(a_screen_that_goes_away_ends_the_run),
         DH_TEST(the_next_picture_is_looked_at_early),
         DH_TEST(a_terminal_scrolls_until_its_end),
         DH_TEST(the_shift_of_a_terminal_is_measured),
         DH_TEST(typed_text_appears_or_not),
         DH_TEST(a_wait_ends_with_what_it_waits_for),
         DH_TEST(a_wait_takes_as_long_as_it_says));
