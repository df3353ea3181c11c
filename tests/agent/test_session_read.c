// Sessions from strangers, cut short, or written right now.
#include "agent/session_read.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "capture/png.h"
#include "tests/dh_test.h"

#define HEAD                                                             \
    "{\"format\":\"deskhand-session\",\"version\":1,\"kind\":\"agent\"," \
    "\"task\":\"Click OK.\",\"screen\":{\"width\":64,\"height\":48},"    \
    "\"ended\":{\"t\":9,\"reason\":\"done\"},\"of tomorrow\":[1]}\n"

// Two answers, the second of which could not be read.
#define LINES                                                           \
    "{\"n\":1,\"t\":10,\"k\":\"frame\",\"f\":1,\"why\":\"start\"}\n"    \
    "{\"n\":2,\"t\":20,\"k\":\"ask\",\"tokens_in\":300,\"cached\":7}\n" \
    "{\"n\":3,\"t\":20,\"k\":\"answer\",\"raw\":\"I click.\","          \
    "\"tokens_out\":12,\"stages_ms\":{\"vision\":5.5,\"decode\":80}}\n" \
    "{\"n\":4,\"t\":30,\"k\":\"act\",\"op\":\"left_click\","            \
    "\"p\":[[5,7]],\"before\":1,\"say\":\"OK\","                        \
    "\"target\":{\"rect\":{\"x\":1,\"y\":2,\"w\":30,\"h\":20}}}\n"      \
    "{\"n\":5,\"t\":31,\"k\":\"raw\",\"type\":\"motion\",\"x\":5}\n"    \
    "{\"n\":6,\"t\":32,\"k\":\"telepathy\",\"strength\":3}\n"           \
    "{\"n\":7,\"t\":40,\"k\":\"done\",\"act\":4,\"ok\":true,\"ms\":3,"  \
    "\"settle_ms\":90,\"changed\":true,\"note\":\"It opened.\"}\n"      \
    "{\"n\":8,\"t\":50,\"k\":\"frame\",\"f\":2,\"why\":\"after\"}\n"    \
    "{\"n\":9,\"t\":60,\"k\":\"answer\",\"raw\":\"hm\",\"ms\":44}\n"    \
    "{\"n\":10,\"t\":61,\"k\":\"mark\",\"text\":\"no action\"}\n"       \
    "{\"n\":11,\"t\":70,\"k\":\"end\",\"reason\":\"done\"}\n"

static void write_file(const char *name, const char *text)
{
    dh_free(dh_test_file(name, text));
}

static void append(const char *text)
{
    char *path = dh_test_path("events.jsonl");
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    CHECK_INT(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    dh_free(path);
}

static void write_picture(const char *name)
{
    struct dh_frame *f;
    char *frames = dh_test_path("frames"), *path = dh_path_join(frames, name);
    CHECK_INT(dh_path_mkdirs(frames), DH_OK);
    CHECK_INT(dh_frame_create(&f, NULL, 64, 48), DH_OK);
    memset(f->pixels, 90, f->stride * 48);
    dh_frame_publish(f);
    CHECK_INT(dh_png_write(path, f), DH_OK);
    dh_frame_unref(f);
    dh_free(path);
    dh_free(frames);
}

static void write_session(const char *lines)
{
    write_file("session.json", HEAD);
    write_file("events.jsonl", lines);
    write_picture("000001.png");
    write_picture("000002.png");
}

static struct dh_session_reader *opened(void)
{
    struct dh_session_reader *s = NULL;
    struct dh_diag diag = { 0 };
    enum dh_status st = dh_session_open(&s, dh_test_dir(), &diag);
    CHECK_STR(diag.text, "");
    CHECK_INT(st, DH_OK);
    return s;
}

// Some note has this part.
static void check_noted(const struct dh_session_reader *s, const char *part)
{
    int n;
    const char *const *notes = dh_session_notes(s, &n);
    for (int i = 0; i < n; i++)
        if (strstr(notes[i], part))
            return;
    CHECK_STR(n ? notes[0] : "no note", part);
}

static int notes_of(const struct dh_session_reader *s)
{
    int n;
    (void)dh_session_notes(s, &n);
    return n;
}

static const struct dh_session_step *steps_of(const struct dh_session_reader *s,
                                              int want)
{
    int n;
    const struct dh_session_step *p = dh_session_steps(s, &n);
    CHECK_INT(n, want);
    return p;
}

static void test_a_whole_session_is_read(void)
{
    int n;
    write_session(LINES);
    struct dh_session_reader *s = opened();
    const struct dh_session_info *info = dh_session_info(s);
    CHECK_INT(notes_of(s), 0);
    CHECK_STR(info->task, "Click OK.");
    CHECK_STR(info->ended, "done");
    CHECK_INT(info->screen.w, 64);
    (void)dh_session_lines(s, &n);
    CHECK_INT(n, 11);
    (void)dh_session_shots(s, &n);
    CHECK_INT(n, 2);
    const struct dh_session_step *p = steps_of(s, 2);
    CHECK_STR(p->op, "left_click");
    CHECK_INT(p->before, 1);
    CHECK_INT(p->after, 2);
    CHECK_INT(p->n_points, 1);
    CHECK_INT(p->point[0].y, 7);
    CHECK_INT(p->target.w, 30);
    CHECK_INT(p->tokens_in, 300);
    CHECK_INT(p->tokens_out, 12);
    CHECK_NEAR(p->ms.vision, 5.5, 0);
    CHECK_NEAR(p->ms.prefill, -1, 0);
    CHECK_NEAR(p->ms.settle, 90, 0);
    CHECK(!p->failed && !p->unchanged);
    CHECK(p[1].failed);
    CHECK_NEAR(p[1].ms.decode, 44, 0);
    dh_session_close(s);
}

static void test_a_step_tells_its_words(void)
{
    struct dh_session_words w;
    write_session(LINES);
    struct dh_session_reader *s = opened();
    dh_session_words_read(s, 0, &w);
    CHECK_STR(w.answer, "I click.");
    CHECK_STR(w.say, "OK");
    CHECK_STR(w.action, "left_click p [[5,7]]");
    CHECK_STR(w.note, "It opened.");
    dh_session_words_finish(&w);
    dh_session_words_read(s, 1, &w);
    CHECK_STR(w.note, "no action");
    CHECK_STR(w.action, "");
    dh_session_words_finish(&w);
    dh_session_close(s);
}

static void test_unknown_kinds_and_members_are_kept(void)
{
    int n;
    struct dh_diag diag = { 0 };
    write_session(LINES);
    struct dh_session_reader *s = opened();
    CHECK_INT(dh_session_lines(s, &n)[5].kind, DH_SESSION_OTHER);
    CHECK_INT(dh_session_lines(s, &n)[4].kind, DH_SESSION_RAW);
    struct dh_json *o = dh_session_json(s, 5, &diag);
    CHECK_INT(dh_json_number(dh_json_find(o, "strength")), 3);
    dh_json_free(o);
    CHECK(!dh_session_json(s, 11, &diag));
    CHECK(!dh_session_json(s, -1, &diag));
    dh_session_close(s);
}

static void test_a_torn_last_line_is_cut_and_said(void)
{
    write_session(LINES "{\"n\":12,\"t\":80,\"k\":\"ma");
    struct dh_session_reader *s = opened();
    steps_of(s, 2);
    check_noted(s, "the last line is torn: 22 bytes");
    dh_session_close(s);
}

static void test_a_bad_line_is_named_and_skipped(void)
{
    int n;
    write_session("{\"n\":1,\"t\":1,\"k\":\"frame\",\"f\":1}\n"
                  "{\"n\":2,\"t\":\n"
                  "\n"
                  "[1]\n"
                  "{\"n\":5,\"k\":\"mark\"}\n"
                  "{\"n\":6,\"t\":9,\"k\":\"frame\",\"f\":2}\n");
    struct dh_session_reader *s = opened();
    (void)dh_session_shots(s, &n);
    CHECK_INT(n, 2);
    CHECK_INT(notes_of(s), 4);
    check_noted(s, "line 2 is skipped");
    check_noted(s, "line 4 is skipped: it has no kind");
    check_noted(s, "line 5 is skipped: it has no time");
    dh_session_close(s);
}

static void test_many_bad_lines_make_few_notes(void)
{
    struct dh_buf text;
    dh_buf_init(&text, 1 << 20);
    for (int i = 0; i < 1000; i++)
        dh_buf_puts(&text, "bad\n");
    write_session(dh_buf_text(&text));
    struct dh_session_reader *s = opened();
    CHECK_INT(notes_of(s), 32);
    check_noted(s, "and 969 more");
    dh_session_close(s);
    dh_buf_finish(&text);
}

static void test_a_line_that_is_too_long_is_left_out(void)
{
    struct dh_buf text;
    dh_buf_init(&text, 16 << 20);
    for (int mib = 2; mib <= 6; mib += 4) {
        dh_buf_clear(&text);
        dh_buf_puts(&text, "{\"n\":1,\"t\":1,\"k\":\"mark\",\"text\":\"");
        for (int i = 0; i < mib << 16; i++)
            dh_buf_puts(&text, "0123456789abcdef");
        dh_buf_puts(&text, "\"}\n{\"n\":2,\"t\":1,\"k\":\"frame\",\"f\":1}\n");
        write_session(dh_buf_text(&text));
        struct dh_session_reader *s = opened();
        int n;
        (void)dh_session_lines(s, &n);
        CHECK_INT(n, 1);
        CHECK_INT(notes_of(s), 1);
        check_noted(s, "line 1 is longer than 1 MiB");
        dh_session_close(s);
    }
    dh_buf_finish(&text);
}

static void test_another_version_is_opened_and_said(void)
{
    write_session(LINES);
    const char *head = "{\"format\":\"deskhand-session\",\"version\":7,"
                       "\"task\":{\"new\":1},\"ended\":3}";
    write_file("session.json", head);
    struct dh_session_reader *s = opened();
    check_noted(s, "version 7");
    CHECK_STR(dh_session_info(s)->task, "");
    steps_of(s, 2);
    dh_session_close(s);
}

static void test_clocks_that_jump_do_not_turn_time_back(void)
{
    int n;
    write_session("{\"n\":1,\"t\":1000,\"k\":\"mark\"}\n"
                  "{\"n\":2,\"t\":400,\"k\":\"mark\"}\n"
                  "{\"n\":3,\"t\":500,\"k\":\"mark\"}\n"
                  "{\"n\":4,\"t\":9000000000000000,\"k\":\"mark\"}\n"
                  "{\"n\":5,\"t\":1e300,\"k\":\"mark\"}\n"
                  "{\"n\":6,\"t\":600,\"k\":\"mark\"}\n");
    struct dh_session_reader *s = opened();
    const struct dh_session_line *l = dh_session_lines(s, &n);
    CHECK_INT(n, 5);
    CHECK_INT(l[1].t, 1000);
    CHECK_INT(l[2].t, 1100);
    CHECK_INT(l[3].t, 1100);
    CHECK_INT(l[4].t, 1100);
    check_noted(s, "the clock jumps at line 2");
    dh_session_close(s);
}

static void test_missing_pictures_are_said(void)
{
    struct dh_diag diag = { 0 };
    struct dh_frame *f;
    write_session(LINES);
    char *path = dh_test_path("frames/000002.png");
    CHECK_INT(unlink(path), 0);
    struct dh_session_reader *s = opened();
    check_noted(s, "frames/000002.png is missing");
    CHECK_INT(dh_session_frame(s, 2, &f, &diag), DH_ERR_NOTFOUND);
    CHECK(strstr(diag.text, "000002.png"));
    CHECK_INT(dh_session_frame(s, 1, &f, &diag), DH_OK);
    CHECK_INT(f->width, 64);
    dh_frame_unref(f);
    CHECK_INT(dh_session_frame(s, 0, &f, &diag), DH_ERR_NOTFOUND);
    CHECK_INT(dh_session_frame(s, -5, &f, &diag), DH_ERR_NOTFOUND);
    dh_session_close(s);
    dh_free(path);
}

// A stranger's folder does not read our files, and does not make us wait.
static void test_links_and_pipes_are_refused(void)
{
    struct dh_diag diag = { 0 };
    struct dh_frame *f;
    write_session(LINES);
    write_picture("real.png");
    char *one = dh_test_path("frames/000001.png"),
         *two = dh_test_path("frames/000002.png");
    CHECK_INT(unlink(one) | unlink(two), 0);
    CHECK_INT(symlink("real.png", one), 0);
    CHECK_INT(mkfifo(two, 0600), 0);
    struct dh_session_reader *s = opened();
    CHECK_INT(dh_session_frame(s, 1, &f, &diag), DH_ERR_NOTFOUND);
    CHECK(strstr(diag.text, "not a plain file"));
    CHECK_INT(dh_session_frame(s, 2, &f, &diag), DH_ERR_NOTFOUND);
    dh_session_close(s);
    dh_free(one);
    dh_free(two);
}

static void test_a_linked_event_file_is_refused(void)
{
    write_session(LINES);
    char *lines = dh_test_path("events.jsonl");
    CHECK_INT(unlink(lines), 0);
    CHECK_INT(symlink("/etc/passwd", lines), 0);
    struct dh_session_reader *s = opened();
    check_noted(s, "events.jsonl: is not a plain file");
    steps_of(s, 0);
    dh_session_close(s);
    dh_free(lines);
}

static void test_names_from_the_file_lead_nowhere(void)
{
    int n;
    write_session("{\"t\":1,\"k\":\"frame\",\"f\":\"../../etc/passwd\"}\n"
                  "{\"t\":1,\"k\":\"frame\",\"f\":-1}\n"
                  "{\"t\":1,\"k\":\"frame\",\"f\":1e18}\n");
    struct dh_session_reader *s = opened();
    (void)dh_session_shots(s, &n);
    CHECK_INT(n, 0);
    check_noted(s, "line 1 names no picture");
    dh_session_close(s);
}

static void test_what_is_no_session_is_refused(void)
{
    struct dh_session_reader *s = NULL;
    struct dh_diag diag = { 0 }, again = { 0 };
    CHECK_INT(dh_session_open(&s, dh_test_dir(), &diag), DH_ERR_FORMAT);
    CHECK(strstr(diag.text, "is not a session folder"));
    CHECK_INT(dh_session_open(&s, "/nonexistent/s", &again), DH_ERR_NOTFOUND);
    CHECK(strstr(again.text, "/nonexistent/s"));
}

static void test_a_session_that_is_written_grows(void)
{
    const char *head = "{\"format\":\"deskhand-session\",\"version\":1}";
    bool grew;
    write_file("session.json", head);
    struct dh_session_reader *s = opened();
    check_noted(s, "still running");
    append("{\"n\":1,\"t\":5,\"k\":\"answer\",\"raw\":\"a\"}\n{\"n\":2,\"t");
    CHECK_INT(dh_session_read_more(s, &grew), DH_OK);
    CHECK(grew);
    steps_of(s, 1);
    CHECK_INT(dh_session_read_more(s, &grew), DH_OK);
    CHECK(!grew);
    append("\":6,\"k\":\"answer\",\"raw\":\"b\"}\n");
    CHECK_INT(dh_session_read_more(s, &grew), DH_OK);
    CHECK(grew);
    steps_of(s, 2);
    write_file("session.json", HEAD);
    CHECK_INT(dh_session_read_more(s, &grew), DH_OK);
    CHECK(grew);
    CHECK_STR(dh_session_info(s)->ended, "done");
    dh_session_close(s);
}

static void test_a_file_that_shrinks_is_no_end(void)
{
    struct dh_diag diag = { 0 };
    struct dh_session_words w;
    bool grew;
    write_session(LINES);
    struct dh_session_reader *s = opened();
    char *path = dh_test_path("events.jsonl");
    // The same file, which a rename would not be.
    CHECK_INT(truncate(path, 10), 0);
    CHECK(!dh_session_json(s, 3, &diag));
    CHECK(strstr(diag.text, "shorter"));
    dh_session_words_read(s, 0, &w);
    CHECK_STR(w.answer, "");
    dh_session_words_finish(&w);
    CHECK_INT(dh_session_read_more(s, &grew), DH_OK);
    CHECK(!grew);
    dh_session_close(s);
    dh_free(path);
}

// Thoughts under both of their names, and what a person's step leaves out.
static void test_words_are_those_of_the_step(void)
{
    struct dh_session_words w;
    write_session(
        "{\"n\":1,\"t\":1,\"k\":\"answer\",\"raw\":\"a\",\"thinking\":"
        "\"new\"}\n"
        "{\"n\":2,\"t\":2,\"k\":\"answer\",\"raw\":\"b\",\"reasoning\":"
        "\"old\"}\n"
        "{\"n\":3,\"t\":3,\"k\":\"act\",\"op\":\"type\",\"text\":\"x\","
        "\"by\":\"human\",\"from\":1,\"to\":2,\"began\":5,\"ended\":9,"
        "\"secret\":true}\n");
    struct dh_session_reader *s = opened();
    dh_session_words_read(s, 0, &w);
    CHECK_STR(w.thinking, "new");
    dh_session_words_finish(&w);
    dh_session_words_read(s, 1, &w);
    CHECK_STR(w.thinking, "old");
    CHECK_STR(w.action, "type text \"x\"");
    dh_session_words_finish(&w);
    dh_session_close(s);
}

DH_TESTS(DH_TEST(words_are_those_of_the_step), DH_TEST(a_whole_session_is_read),
         DH_TEST(a_step_tells_its_words),
         DH_TEST(unknown_kinds_and_members_are_kept),
         DH_TEST(a_torn_last_line_is_cut_and_said),
         DH_TEST(a_bad_line_is_named_and_skipped),
         DH_TEST(many_bad_lines_make_few_notes),
         DH_TEST(a_line_that_is_too_long_is_left_out),
         DH_TEST(another_version_is_opened_and_said),
         DH_TEST(clocks_that_jump_do_not_turn_time_back),
         DH_TEST(missing_pictures_are_said),
         DH_TEST(links_and_pipes_are_refused),
         DH_TEST(a_linked_event_file_is_refused),
         DH_TEST(names_from_the_file_lead_nowhere),
         DH_TEST(what_is_no_session_is_refused),
         DH_TEST(a_session_that_is_written_grows),
         DH_TEST(a_file_that_shrinks_is_no_end));
