// The window on a session, driven as a user drives it, and the page beside it
// in a real browser.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actions/sink.h"
#include "actions/xtest.h"
#include "agent/record.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "capture/screen.h"
#include "capture/source.h"
#include "tests/dh_test.h"
#include "tests/tools/program.h"
#include "tools/control.h"

#define HOSTILE "</pre><script>document.title='owned'</script><img src=x>&\"'"

static void tell(struct dh_recorder *r, struct dh_event e, const char *text,
                 int64_t ms)
{
    e.text = text ? dh_strdup(text) : NULL;
    e.time_ns = dh_now_ns() + ms * DH_MS;
    dh_recorder_event(r, &e);
    dh_free(e.text);
}

static struct dh_frame *gray(int level, int64_t ms)
{
    struct dh_frame *f;
    CHECK_INT(dh_frame_create(&f, NULL, 280, 196), DH_OK);
    memset(f->pixels, level, f->stride * 196);
    f->time_ns = dh_now_ns() + ms * DH_MS;
    dh_frame_publish(f);
    return f;
}

// Each step clicks at 100,50; the second one fails. A step lasts 200 ms.
static void tell_step(struct dh_recorder *r, int i, const char *answer)
{
    char label[] = "Action: a label";
    struct dh_frame *f = gray(40 + 20 * i, i * 200);
    struct dh_event frame = { .kind = DH_EVENT_FRAME, .frame = f, .why = "x" };
    struct dh_event said = { .kind = DH_EVENT_ANSWER, .step = i };
    struct dh_event act = { .kind = DH_EVENT_ACT, .step_text = label };
    struct dh_event done = { .kind = DH_EVENT_DONE, .changed = true };
    act.action = (struct dh_action){ .op = DH_ACTION_CLICK,
                                     .has_at = true,
                                     .on_screen = true,
                                     .at = { 100, 50 },
                                     .button = 1,
                                     .count = 1,
                                     .duration_ms = -1 };
    done.status = i == 2 ? DH_ERR_REFUSED : DH_OK;
    tell(r, frame, NULL, i * 200);
    tell(r, said, answer, i * 200 + 50);
    tell(r, act, NULL, i * 200 + 60);
    tell(r, done, HOSTILE, i * 200 + 150);
    dh_frame_unref(f);
}

static struct dh_recorder *recorder_of(const char *dir, bool video)
{
    struct dh_recorder *r;
    struct dh_recorder_options o = {
        .dir = dir, .kind = "agent", .video = video, .task = "Click " HOSTILE
    };
    CHECK_INT(dh_recorder_create(&r, &o), DH_OK);
    return r;
}

static struct dh_recorder *recorder(const char *dir)
{
    return recorder_of(dir, false);
}

static char *make_session_with(bool video)
{
    char *dir = dh_test_path("s");
    struct dh_recorder *r = recorder_of(dir, video);
    tell_step(r, 1, "first");
    tell_step(r, 2, "second " HOSTILE);
    tell_step(r, 3, "third is Needle");
    tell(r, (struct dh_event){ .kind = DH_EVENT_END }, "done", 900);
    CHECK_INT(dh_recorder_destroy(r), DH_OK);
    return dir;
}

static char *make_session(void)
{
    return make_session_with(false);
}

/* --- the window --- */

static struct dh_sink *keyboard(void)
{
    struct dh_sink *sink;
    CHECK_INT(dh_xtest_create(&sink, NULL, NULL), DH_OK);
    return sink;
}

static void press(struct dh_sink *sink, const char *keys, const char *seen)
{
    struct dh_action a = { .op = DH_ACTION_KEY,
                           .duration_ms = -1,
                           .repeat = 1 };
    a.text = dh_strdup(keys);
    CHECK_INT(dh_sink_perform(sink, &a, NULL, NULL), DH_OK);
    dh_free(a.text);
    if (!program_saw(seen))
        CHECK_STR(keys, seen);
}

#define VIEW(...) \
    program_start((const char *const[]){ "view", "--json", __VA_ARGS__, NULL })

static int count_pixels(int r, int g, int b, int off)
{
    struct dh_screen_options o = DH_SCREEN_DEFAULTS;
    struct dh_source *source;
    struct dh_frame *f;
    int n = 0;
    CHECK_INT(dh_screen_create(&source, &o), DH_OK);
    CHECK_INT(dh_source_grab(source, &f), DH_OK);
    for (int y = 0; y < f->height; y++)
        for (int x = 0; x < f->width; x++) {
            const uint8_t *p = dh_frame_at(f, x, y);
            n += abs(p[0] - b) <= off && abs(p[1] - g) <= off &&
                 abs(p[2] - r) <= off;
        }
    dh_frame_unref(f);
    dh_source_destroy(source);
    return n;
}

static int count_color(int r, int g, int b)
{
    return count_pixels(r, g, b, 0);
}

static int count_near(int gray)
{
    return count_pixels(gray, gray, gray, 4);
}

static void test_keys_lead_through_a_session(void)
{
    char *dir = make_session();
    struct dh_sink *k = keyboard();
    struct said s;
    pid_t pid = VIEW("--fullscreen", "--stats", dir);
    CHECK(
        program_saw("{\"step\":1,\"of\":3,\"show\":\"before\",\"picture\":1"));
    // The click's ring, but no grid yet; the picture's own gray.
    CHECK(count_color(255, 40, 60) > 20);
    CHECK_INT(count_color(0, 190, 200), 0);
    CHECK(count_color(60, 60, 60) > 10000);
    press(k, "g", "\"grid\":true");
    CHECK(count_color(0, 190, 200) > 500);
    press(k, "Tab", "\"show\":\"after\",\"picture\":2");
    press(k, "b", "\"show\":\"both\"");
    press(k, "b", "\"grid\":true");
    press(k, "f", "{\"step\":2,\"of\":3");
    press(k, "slash", "{\"step\":2");
    press(k, "n", "\"search\":\"n\"");
    press(k, "e", "\"search\":\"ne\"");
    press(k, "e", "\"search\":\"nee\"");
    press(k, "Return", "{\"step\":3,\"of\":3");
    press(k, "plus", "\"zoom\":2.7");
    press(k, "question", "\"help\":true");
    press(k, "Escape", "\"help\":false");
    press(k, "Home", "{\"step\":1,");
    press(k, "space", "\"playing\":true");
    press(k, "q", "\"fps\":");
    program_wait(&s, pid);
    CHECK_SAID(&s, 0, "draw_ms", "");
    said_finish(&s);
    dh_sink_destroy(k);
    dh_free(dir);
}

/* The worst first, with its picture, target and answer; of a live task its
 * session. */
static void test_an_evaluation_is_looked_at(void)
{
    static const char text[] =
        "{\"id\":\"good\",\"image\":\"a.png\",\"size\":[280,196],"
        "\"instruction\":\"x\",\"target\":{\"kind\":\"box\",\"v\":[0,0,9,9]},"
        "\"method\":\"point\",\"trial\":1,\"profile\":{\"coord\":\"norm1000\"},"
        "\"raw\":\"{\\\"action\\\":\\\"left_click\\\",\\\"coordinate\\\":[18,"
        "26]}\",\"point\":[5,5],"
        "\"hit\":true,\"score\":1,\"error_kind\":\"none\"}\n"
        "{\"id\":\"task\",\"size\":[280,196],\"instruction\":\"Needle\","
        "\"method\":\"task\",\"trial\":1,\"point\":null,\"hit\":false,"
        "\"score\":0,\"error_kind\":\"none\",\"note\":\"wrong place\",\"end\":"
        "\"done\",\"session\":\"s\"}\n"
        "{\"id\":\"task\",\"instruction\":\"x\",\"method\":\"noop\","
        "\"trial\":1,\"hit\":false,\"score\":0,\"error_kind\":\"none\"}\n";
    char *session = make_session(), *file = dh_test_file("results.jsonl", text);
    char *dir = dh_path_dir(file);
    struct dh_sink *k = keyboard();
    struct said s;
    RUN(&s, "eval", "view", "--list", dir);
    CHECK_SAID(&s, 0, "1 misses of 2, the worst first\nMISS  task  ", "");
    CHECK(strstr(s.out, "(wrong: wrong place)\nok    good") != NULL);
    said_finish(&s);
    RUN(&s, "eval", "view", "--list", dir, "bad");
    CHECK_SAID(&s, 1, "", "holds no result of bad");
    said_finish(&s);
    pid_t pid = program_start((const char *const[]){
        "eval", "view", "--json", "--fullscreen", dir, NULL });
    CHECK(
        program_saw("{\"step\":1,\"of\":2,\"show\":\"before\",\"picture\":1"));
    CHECK(count_color(60, 60, 60) > 10000); // the session's first picture
    press(k, "Tab", "\"show\":\"after\",\"picture\":2");
    CHECK(count_color(100, 100, 100) > 10000); // and its last
    press(k, "o", "{\"step\":1,\"of\":3");
    CHECK_INT(kill(pid, SIGINT), 0);
    program_wait(&s, pid);
    CHECK_SAID(&s, 4, NULL, NULL);
    said_finish(&s);
    dh_sink_destroy(k);
    dh_free(session);
    dh_free(file);
    dh_free(dir);
}

static void test_playing_ends_by_itself(void)
{
    char *dir = make_session();
    struct said s;
    pid_t pid = VIEW("--play", "--stats", dir);
    program_wait(&s, pid);
    CHECK_SAID(&s, 0, "{\"step\":3,\"of\":3,\"show\":\"after\"", "");
    CHECK_SAID(&s, 0, "\"fps\":", "");
    said_finish(&s);
    dh_free(dir);
}

static void test_a_run_is_followed(void)
{
    char *dir = dh_test_path("s");
    struct said s;
    struct dh_recorder *r = recorder(dir);
    tell_step(r, 1, "first");
    pid_t pid = VIEW("--live", dir);
    CHECK(program_saw("{\"step\":1,\"of\":1"));
    tell_step(r, 2, "second");
    CHECK(program_saw("{\"step\":2,\"of\":2"));
    tell_step(r, 3, "third");
    CHECK(program_saw("{\"step\":3,\"of\":3"));
    CHECK_INT(dh_recorder_destroy(r), DH_OK);
    CHECK_INT(kill(pid, SIGINT), 0);
    program_wait(&s, pid);
    CHECK_SAID(&s, 4, "\"follow\":true", NULL);
    said_finish(&s);
    dh_free(dir);
}

static void on_take(void *control)
{
    dh_control_tell(*(struct dh_control **)control, true);
}

static void on_back(void *control)
{
    dh_control_tell(*(struct dh_control **)control, false);
}

static void test_a_run_is_taken_and_handed_back(void)
{
    static const struct dh_control_ops ops = { on_take, on_back };
    char *dir = dh_test_path("s");
    struct said s;
    struct dh_control *control;
    struct dh_sink *k = keyboard();
    struct dh_recorder *r = recorder(dir);
    tell_step(r, 1, "first");
    CHECK_INT(dh_control_create(&control, getenv("XDG_RUNTIME_DIR"), dir, &ops,
                                &control),
              DH_OK);
    pid_t pid = VIEW("--live", "--fullscreen", dir);
    CHECK(program_saw("\"desktop\":\"agent\""));
    CHECK_INT(count_color(190, 130, 255), 0);
    press(k, "t", "\"desktop\":\"person\"");
    CHECK(count_color(190, 130, 255) > 500);
    // In the search they are letters.
    press(k, "slash", "\"search\":\"\"");
    press(k, "r", "\"search\":\"r\"");
    press(k, "Escape", "\"message\":\"\"");
    // The answer as it comes, and the next one from its beginning.
    dh_recorder_piece(r, NULL, 0);
    dh_recorder_piece(r, "I cl", 4);
    CHECK(program_saw("\"running\":\"I cl\""));
    dh_recorder_piece(r, "ick", 3);
    CHECK(program_saw("\"running\":\"I click\""));
    dh_recorder_piece(r, NULL, 0);
    dh_recorder_piece(r, "No", 2);
    CHECK(program_saw("\"running\":\"No\""));
    tell_step(r, 2, "second");
    CHECK(program_saw("{\"step\":2,\"of\":2"));
    press(k, "r", "\"desktop\":\"agent\",\"running\":\"\"");
    dh_control_destroy(control);
    CHECK(program_saw("\"desktop\":\"\",\"running\":\"\""));
    press(k, "t", "No run can be reached.");
    CHECK_INT(dh_recorder_destroy(r), DH_OK);
    char *part = dh_path_join(dir, "answer.part");
    CHECK(!dh_path_exists(part));
    dh_free(part);
    press(k, "q", "");
    program_wait(&s, pid);
    CHECK_SAID(&s, 0, NULL, NULL);
    said_finish(&s);
    dh_sink_destroy(k);
    dh_free(dir);
}

// What is left of the pictures: the video, or nothing at all.
static void check_lost_pictures(const char *lines, const char *first)
{
    char *dir = dh_test_path("s"), *frames = dh_path_join(dir, "frames");
    char *events = dh_path_join(dir, "events.jsonl");
    struct said s;
    struct dh_sink *k = keyboard();
    for (int i = 1; i <= 3; i++) {
        char name[32];
        snprintf(name, sizeof name, "%06d.png", i);
        char *path = dh_path_join(frames, name);
        unlink(path);
        dh_free(path);
    }
    rmdir(frames);
    if (!lines)
        CHECK_INT(unlink(events), 0);
    pid_t pid = VIEW("--fullscreen", dir);
    CHECK(program_saw(first));
    // Yellow and the like are lost in a video, a gray is not.
    CHECK(count_near(60) > 10000);
    press(k, "End", "{\"step\":3,\"of\":3");
    CHECK(count_near(100) > 10000);
    press(k, "Left", "{\"step\":2,\"of\":3");
    CHECK(count_near(80) > 10000);
    press(k, "q", "");
    program_wait(&s, pid);
    CHECK_SAID(&s, 0, NULL,
               lines ? "frames/000001.png is missing" : "only its video");
    said_finish(&s);
    dh_sink_destroy(k);
    dh_free(events);
    dh_free(frames);
    dh_free(dir);
}

static void test_pictures_that_are_lost_come_from_the_video(void)
{
    char *dir = make_session_with(true);
    check_lost_pictures("all", "{\"step\":1,\"of\":3,");
    dh_free(dir);
}

static void test_a_video_alone_is_shown(void)
{
    char *dir = make_session_with(true),
         *head = dh_path_join(dir, "session.json");
    CHECK_INT(unlink(head), 0);
    check_lost_pictures(NULL, "{\"step\":1,\"of\":3,");
    dh_free(head);
    dh_free(dir);
}

static void test_what_is_broken_is_said_and_the_rest_is_listed(void)
{
    char *dir = make_session(), *two = dh_path_join(dir, "frames/000002.png");
    char *events = dh_path_join(dir, "events.jsonl");
    struct said s;
    int fd = open(events, O_WRONLY | O_APPEND | O_CLOEXEC);
    CHECK(fd >= 0 && write(fd, "rot\n{\"to", 8) == 8);
    close(fd);
    CHECK_INT(unlink(two), 0);
    RUN(&s, "view", "--list", dir);
    CHECK_SAID(&s, 0, "3 steps", "frames/000002.png is missing");
    CHECK_SAID(&s, 0, "FAILED", "the last line is torn");
    CHECK_SAID(&s, 0, NULL, "is skipped");
    said_finish(&s);
    RUN(&s, "view", "--list", "--json", dir);
    CHECK_INT(json_lines(s.out), 3);
    said_finish(&s);
    dh_free(events);
    dh_free(two);
    dh_free(dir);
}

static void test_errors_say_what_to_do(void)
{
    struct said s;
    RUN(&s, "view", "/nonexistent");
    CHECK_SAID(&s, 1, "", "/nonexistent cannot be opened");
    said_finish(&s);
    RUN(&s, "view", "a", "b");
    CHECK_SAID(&s, 2, "", "one SESSION folder");
    said_finish(&s);
    setenv("XDG_STATE_HOME", dh_test_dir(), 1);
    RUN(&s, "view");
    CHECK_SAID(&s, 1, "", "there is no session in");
    said_finish(&s);
    char *dir = make_session();
    setenv("DISPLAY", ":98765", 1);
    RUN(&s, "view", dir);
    CHECK_SAID(&s, 1, "", "--list needs none");
    said_finish(&s);
    dh_free(dir);
}

static void put_session(const char *name, const char *task, time_t when)
{
    char head[200], path[80];
    struct timespec t[2] = { { .tv_sec = when }, { .tv_sec = when } };
    snprintf(path, sizeof path, "deskhand/sessions/%s", name);
    char *dir = dh_test_path(path), *file = dh_path_join(dir, "session.json");
    snprintf(
        head, sizeof head,
        "{\"format\":\"deskhand-session\",\"version\":1,\"kind\":\"human\","
        "\"task\":\"%s\"}",
        task);
    CHECK_INT(dh_path_mkdirs(dir), DH_OK);
    CHECK_INT(dh_file_write(file, head, strlen(head)), DH_OK);
    CHECK_INT(utimensat(AT_FDCWD, file, t, 0), 0);
    dh_free(file);
    dh_free(dir);
}

static void test_the_newest_is_so_by_its_time(void)
{
    struct said s;
    setenv("XDG_STATE_HOME", dh_test_dir(), 1);
    put_session("20301122-100000-1", "old", 1000000);
    put_session("a-form", "new", 3000000);
    put_session("zoo", "between", 2000000);
    char *stray = dh_test_path("deskhand/sessions/zzz");
    CHECK_INT(dh_path_mkdirs(stray), DH_OK);
    RUN(&s, "view", "--list");
    CHECK_SAID(&s, 0, "new\n", NULL);
    said_finish(&s);
    dh_free(stray);
}

/* --- the page --- */

static void browse(const char *url, const char *out)
{
    int fd = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int null = open("/dev/null", O_RDWR);
    char *profile = dh_test_path("profile"), option[4200];
    snprintf(option, sizeof option, "--user-data-dir=%s", profile);
    dup2(fd, 1);
    dup2(null, 2);
    execlp("chromium", "chromium", "--headless", "--no-sandbox",
           "--disable-gpu", "--disable-dev-shm-usage", option,
           "--host-resolver-rules=MAP * ~NOTFOUND", "--dump-dom", url,
           (char *)NULL);
    _exit(127);
}

static void test_a_browser_shows_the_page(void)
{
    char *dir = make_session(), *out = dh_test_path("dom");
    char url[4200], *dom;
    size_t len;
    int status;
    snprintf(url, sizeof url, "file://%s/index.html", dir);
    pid_t pid = fork();
    if (pid == 0)
        browse(url, out);
    CHECK(waitpid(pid, &status, 0) == pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        dh_test_skip("no chromium here");
    CHECK_INT(dh_file_read(out, 1 << 24, &dom, &len), DH_OK);
    // The script ran: a tick for each section, of which one failed.
    CHECK(strstr(dom, "<a title=\"Step 1\" class=\"now\">"));
    CHECK(strstr(dom, "<a title=\"Step 2\" class=\"failed\">"));
    CHECK(strstr(dom, "<a title=\"Step 3\""));
    // What the session says did not run, and made no element.
    CHECK(strstr(dom, "<title>deskhand session</title>"));
    CHECK(!strstr(dom, "<img src=\"x\""));
    CHECK(strstr(dom, "&lt;script&gt;document.title"));
    dh_big_free(dom);
    dh_free(out);
    dh_free(dir);
}

DH_TESTS(DH_TEST(keys_lead_through_a_session), DH_TEST(playing_ends_by_itself),
         DH_TEST(an_evaluation_is_looked_at), DH_TEST(a_run_is_followed),
         DH_TEST(a_run_is_taken_and_handed_back),
         DH_TEST(pictures_that_are_lost_come_from_the_video),
         DH_TEST(a_video_alone_is_shown),
         DH_TEST(what_is_broken_is_said_and_the_rest_is_listed),
         DH_TEST(errors_say_what_to_do), DH_TEST(the_newest_is_so_by_its_time),
         DH_TEST(a_browser_shows_the_page));
