#include "agent/record.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "actions/dry.h"
#include "agent/loop.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "capture/picture.h"
#include "capture/source.h"
#include "capture/synth.h"
#include "capture/video_in.h"
#include "tests/dh_test.h"

#define DH_LOG_TAG "test"
#include "base/log.h"

// Of 320x200, each picture unlike the one before.
static struct dh_source *moving(void)
{
    struct dh_synth_options o = {
        .width = 320, .height = 200, .interval_ns = 40 * DH_MS, .seed = 7
    };
    struct dh_source *s;
    CHECK_INT(dh_synth_create(&s, &o), DH_OK);
    return s;
}

/* --- a source that shows the same picture for ever --- */

struct still {
    struct dh_source source;
    struct dh_frame *frame;
};

static enum dh_status still_grab(struct dh_source *s, struct dh_frame **out)
{
    *out = dh_frame_ref(((struct still *)s)->frame);
    return DH_OK;
}

static void still_destroy(struct dh_source *s)
{
    dh_frame_unref(((struct still *)s)->frame);
    dh_free(s);
}

static struct dh_source *still(void)
{
    static const struct dh_source_ops ops = { .name = "still",
                                              .grab = still_grab,
                                              .destroy = still_destroy };
    struct dh_source *from = moving();
    struct still *s;
    dh_new(s);
    s->source.ops = &ops;
    CHECK_INT(dh_source_grab(from, &s->frame), DH_OK);
    dh_source_destroy(from);
    return &s->source;
}

// A run of a script, recorded in `dir`. The sources never wait. The status is
// that of the recording.
static enum dh_status record(const char *dir, struct dh_source *source,
                             const char *task, const char *script, bool video,
                             enum dh_loop_end *end)
{
    struct dh_recorder *r;
    struct dh_recorder_options o = { .dir = dir,
                                     .kind = "agent",
                                     .task = task,
                                     .model = "<b>model</b>",
                                     .display = ":7",
                                     .video = video };
    struct dh_buf did;
    struct dh_loop_result result;
    dh_buf_init(&did, 1 << 20);
    CHECK_INT(dh_recorder_create(&r, &o), DH_OK);
    struct dh_loop l = { .source = source,
                         .sink = dh_dry_create(&did),
                         .policy = dh_policy_script_create(script),
                         .options = { .max_steps = 100, .resamples = -1 },
                         .watch = { dh_recorder_event },
                         .watch_user = { r } };
    dh_loop_run(&l, task, &result);
    *end = result.end;
    dh_loop_result_finish(&result);
    dh_policy_destroy(l.policy);
    dh_sink_destroy(l.sink);
    dh_source_destroy(source);
    dh_buf_finish(&did);
    return dh_recorder_destroy(r);
}

static char *read_text(const char *dir, const char *name)
{
    char *path = dh_path_join(dir, name), *text;
    size_t len;
    CHECK_INT(dh_file_read(path, 1 << 26, &text, &len), DH_OK);
    CHECK_INT(strlen(text), len);
    dh_free(path);
    return text;
}

static struct dh_json *parse(const char *text, size_t len)
{
    struct dh_diag diag = { 0 };
    struct dh_json *v = dh_json_parse(text, len, &diag);
    CHECK_STR(diag.text, "");
    CHECK_INT(dh_json_kind(v), DH_JSON_OBJECT);
    return v;
}

static double number(const struct dh_json *o, const char *key)
{
    const struct dh_json *v = dh_json_find(o, key);
    if (!v || dh_json_kind(v) != DH_JSON_NUMBER)
        dh_check_failed(__FILE__, __LINE__, key);
    return dh_json_number(v);
}

// What the lines of a session hold, in short.
struct lines {
    struct dh_buf kinds; // "frame ask answer ..."
    int n, max_frame, n_frames;
};

static void take_line(struct lines *l, const struct dh_json *o, double *t)
{
    const char *kind = dh_json_text(dh_json_find(o, "k"));
    CHECK(kind[0]);
    CHECK_INT(number(o, "n"), ++l->n);
    CHECK(number(o, "t") >= *t);
    *t = number(o, "t");
    dh_buf_printf(&l->kinds, "%s%s", l->n > 1 ? " " : "", kind);
    if (strcmp(kind, "frame") == 0) {
        int f = (int)number(o, "f");
        l->n_frames++;
        l->max_frame = DH_MAX(l->max_frame, f);
        CHECK_INT(strlen(dh_json_text(dh_json_find(o, "hash"))), 16);
    }
    if (strcmp(kind, "answer") == 0)
        CHECK(dh_json_find(o, "raw") && dh_json_find(o, "stages_ms"));
    if (strcmp(kind, "act") == 0)
        CHECK(dh_json_find(o, "op") && number(o, "before") >= 1);
    if (strcmp(kind, "done") == 0)
        CHECK(number(o, "act") == l->n - 1);
}

// Every line is an object; the text ends with the end of a line.
static void read_lines(struct lines *l, const char *dir)
{
    char *text = read_text(dir, "events.jsonl");
    double t = 0;
    memset(l, 0, sizeof *l);
    dh_buf_init(&l->kinds, 1 << 16);
    for (const char *p = text; *p;) {
        const char *nl = strchr(p, '\n');
        CHECK(nl != NULL);
        struct dh_json *o = parse(p, (size_t)(nl - p));
        take_line(l, o, &t);
        dh_json_free(o);
        p = nl + 1;
    }
    dh_big_free(text);
}

static int pictures_in(const char *dir)
{
    char *frames = dh_path_join(dir, "frames");
    DIR *d = opendir(frames);
    int n = 0;
    CHECK(d != NULL);
    for (const struct dirent *e = readdir(d); e; e = readdir(d))
        n += e->d_name[0] != '.';
    closedir(d);
    dh_free(frames);
    return n;
}

static int frames_of_video(const char *dir)
{
    char *path = dh_path_join(dir, "video.mkv");
    struct dh_source *s;
    struct dh_frame *f;
    int n = 0;
    CHECK_INT(dh_video_in_create(&s, path), DH_OK);
    enum dh_status st = dh_source_grab(s, &f);
    for (; !st; st = dh_source_grab(s, &f)) {
        CHECK_INT(f->width, 320);
        CHECK_INT(f->height, 200);
        dh_frame_unref(f);
        n++;
    }
    CHECK_INT(st, DH_ERR_CLOSED);
    dh_source_destroy(s);
    dh_free(path);
    return n;
}

static void check_head(const char *dir, const char *task, const char *reason,
                       const struct lines *l)
{
    char *text = read_text(dir, "session.json");
    struct dh_json *o = parse(text, strlen(text));
    const struct dh_json *counts = dh_json_find(o, "counts");
    const struct dh_json *ended = dh_json_find(o, "ended");
    const struct dh_json *at = dh_json_find(o, "screen");
    CHECK_STR(dh_json_text(dh_json_find(o, "format")), "deskhand-session");
    CHECK_STR(dh_json_text(dh_json_find(o, "task")), task);
    CHECK_INT(number(counts, "lines"), l->n);
    CHECK_INT(number(counts, "frames"), l->max_frame);
    CHECK_INT(number(counts, "dropped"), 0);
    CHECK_INT(number(at, "width"), 320);
    CHECK_STR(dh_json_text(dh_json_find(at, "display")), ":7");
    CHECK(ended != NULL);
    CHECK_STR(dh_json_text(dh_json_find(ended, "reason")), reason);
    CHECK(number(ended, "t") > 0);
    dh_json_free(o);
    dh_big_free(text);
}

static void test_a_session_holds_all_that_was_told(void)
{
    char *dir = dh_test_path("s");
    struct lines l;
    enum dh_loop_end end;
    CHECK_INT(record(dir, moving(), "Click.",
                     "left_click 500 500\nraw hm\ntype \xc3\xa4\"\\\n", true,
                     &end),
              DH_OK);
    CHECK_INT(end, DH_LOOP_DONE);
    read_lines(&l, dir);
    CHECK_STR(dh_buf_text(&l.kinds), "frame ask answer act done "
                                     "frame ask answer mark "
                                     "ask answer act done "
                                     "frame ask answer end");
    CHECK_INT(l.n_frames, 3);
    CHECK_INT(l.max_frame, 3);
    CHECK_INT(pictures_in(dir), 3);
    CHECK_INT(frames_of_video(dir), 3);
    check_head(dir, "Click.", "done", &l);
    dh_buf_finish(&l.kinds);
    dh_free(dir);
}

static void test_equal_pictures_are_kept_once(void)
{
    char *dir = dh_test_path("s");
    struct lines l;
    enum dh_loop_end end;
    CHECK_INT(record(dir, still(), "Click.",
                     "left_click 1 1\nleft_click 2 2\nleft_click 3 3\n", false,
                     &end),
              DH_OK);
    read_lines(&l, dir);
    CHECK_INT(l.n_frames, 4);
    CHECK_INT(l.max_frame, 1);
    CHECK_INT(pictures_in(dir), 1);
    check_head(dir, "Click.", "done", &l);
    char *video = dh_path_join(dir, "video.mkv");
    char *page = read_text(dir, "index.html");
    CHECK(!dh_path_exists(video));
    CHECK(!strstr(page, "video.mkv"));
    dh_big_free(page);
    dh_free(video);
    dh_buf_finish(&l.kinds);
    dh_free(dir);
}

// The picture in the folder is, to the last pixel, what was seen.
static void test_pictures_are_exact(void)
{
    char *dir = dh_test_path("s"), *path = dh_test_path("s/frames/000002.png");
    struct dh_source *s = moving();
    struct dh_frame *seen, *kept;
    enum dh_loop_end end;
    CHECK_INT(record(dir, moving(), "Click.", "left_click 1 1\n", false, &end),
              DH_OK);
    CHECK_INT(dh_source_grab(s, &seen), DH_OK);
    dh_frame_unref(seen);
    CHECK_INT(dh_source_grab(s, &seen), DH_OK);
    CHECK_INT(dh_picture_read(path, &kept), DH_OK);
    CHECK(dh_frame_hash(kept) == dh_frame_hash(seen));
    dh_frame_unref(kept);
    dh_frame_unref(seen);
    dh_source_destroy(s);
    dh_free(path);
    dh_free(dir);
}

#define HOSTILE "</title><script>alert(1)</script>&\"'<img src=x>"

static void test_the_page_shows_hostile_text_as_text(void)
{
    char *dir = dh_test_path("s");
    struct lines l;
    enum dh_loop_end end;
    CHECK_INT(record(dir, moving(), HOSTILE,
                     "raw " HOSTILE "\nraw Action: " HOSTILE
                     " {\"action\":\"type\",\"text\":\""
                     "<svg onload=x>"
                     "\"}",
                     true, &end),
              DH_OK);
    char *page = read_text(dir, "index.html");
    // Only the page's own one, which holds no text of the session.
    const char *own = strstr(page, "<script");
    CHECK(own && !strstr(own + 1, "<script") && !strstr(own, "alert"));
    CHECK(!strstr(page, "<img src=x"));
    CHECK(!strstr(page, "<svg"));
    CHECK(!strstr(page, "<b>model"));
    CHECK(strstr(page, "&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;"));
    CHECK(strstr(page, "&lt;b&gt;model"));
    CHECK(strstr(page, "video.mkv"));
    CHECK(strstr(page, "src=\"frames/000001.png\""));
    CHECK(strstr(page, "</html>"));
    read_lines(&l, dir);
    check_head(dir, HOSTILE, "done", &l);
    dh_big_free(page);
    dh_buf_finish(&l.kinds);
    dh_free(dir);
}

static void test_a_folder_in_use_is_refused(void)
{
    char *dir = dh_test_path("s"), *file = dh_test_path("s/precious");
    struct dh_recorder *r = NULL;
    struct dh_recorder_options o = { .dir = dir, .kind = "agent", .task = "t" };
    CHECK_INT(dh_path_mkdirs(dir), DH_OK);
    CHECK_INT(dh_file_write(file, "x", 1), DH_OK);
    CHECK_INT(dh_recorder_create(&r, &o), DH_ERR_USAGE);
    CHECK(!r);
    char *text = read_text(dir, "precious");
    CHECK_STR(text, "x");
    dh_big_free(text);
    dh_free(file);
    dh_free(dir);
}

static void test_a_folder_that_cannot_be_made_is_an_error(void)
{
    char *file = dh_test_file("file", "x"), *dir = dh_test_path("file/s");
    struct dh_recorder *r = NULL;
    struct dh_recorder_options o = { .dir = dir, .kind = "agent", .task = "t" };
    CHECK_INT(dh_recorder_create(&r, &o), DH_ERR_IO);
    CHECK(!r);
    dh_free(file);
    dh_free(dir);
}

/* --- a full disk --- */

static void count_errors(void *user, enum dh_log_level level, const char *tag,
                         const char *text)
{
    (void)tag;
    (void)text;
    *(int *)user += level == DH_LOG_ERROR;
}

// A disk of so many KiB of this process's own; it goes away with the process.
static char *small_disk(int kib)
{
    char *dir = dh_test_path("disk");
    char size[32];
    snprintf(size, sizeof size, "size=%dk", kib);
    CHECK_INT(dh_path_mkdirs(dir), DH_OK);
    if (unshare(CLONE_NEWNS) ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", dir, "tmpfs", 0, size))
        dh_test_skip("only root can mount a small disk");
    return dir;
}

// Every line that is whole is an object; only the last may be cut.
static void check_whole_lines(const char *dir)
{
    char *text = read_text(dir, "events.jsonl");
    const char *p = text;
    for (const char *nl = strchr(p, '\n'); nl; nl = strchr(p, '\n')) {
        dh_json_free(parse(p, (size_t)(nl - p)));
        p = nl + 1;
    }
    CHECK(p > text);
    dh_big_free(text);
}

static void check_full_disk(bool video)
{
    char *disk = small_disk(160), *dir = dh_path_join(disk, "s");
    struct dh_buf script;
    enum dh_loop_end end;
    int errors = 0;
    dh_buf_init(&script, 1 << 16);
    for (int i = 0; i < 60; i++)
        dh_buf_printf(&script, "left_click %d %d\n", i, i);
    dh_log_set_hook(count_errors, &errors);
    enum dh_status st =
        record(dir, moving(), "t", dh_buf_text(&script), video, &end);
    dh_log_set_hook(NULL, NULL);
    CHECK_INT(st, DH_ERR_IO);
    CHECK_INT(end, DH_LOOP_DONE);
    // Said once by each that writes, not for each picture.
    CHECK(errors >= 1 && errors <= 3);
    check_whole_lines(dir);
    dh_buf_finish(&script);
    dh_free(dir);
    dh_free(disk);
}

static void test_a_full_disk_ends_the_recording_not_the_run(void)
{
    check_full_disk(false);
}

static void test_a_full_disk_with_a_video_does_so_too(void)
{
    check_full_disk(true);
}

// A run that was killed: the header is there without an end.
static void test_a_session_that_was_cut_short_says_so(void)
{
    char *dir = dh_test_path("s");
    struct dh_recorder *r;
    struct dh_recorder_options o = { .dir = dir, .kind = "agent", .task = "t" };
    CHECK_INT(dh_recorder_create(&r, &o), DH_OK);
    char *text = read_text(dir, "session.json");
    struct dh_json *head = parse(text, strlen(text));
    CHECK(!dh_json_find(head, "ended"));
    dh_json_free(head);
    dh_big_free(text);
    CHECK_INT(dh_recorder_destroy(r), DH_OK);
    dh_free(dir);
}

static void test_thoughts_are_kept_apart(void)
{
    struct dh_recorder *r;
    char thought[] = "It is there.", text[] = "I click.", end[] = "done";
    char *dir = dh_test_path("s");
    struct dh_recorder_options o = { .dir = dir, .kind = "agent" };
    struct dh_event said = { .kind = DH_EVENT_ANSWER,
                             .text = text,
                             .reasoning = thought };
    CHECK_INT(dh_recorder_create(&r, &o), DH_OK);
    dh_recorder_event(r, &said);
    dh_recorder_event(r,
                      &(struct dh_event){ .kind = DH_EVENT_END, .text = end });
    CHECK_INT(dh_recorder_destroy(r), DH_OK);
    char *lines = read_text(dir, "events.jsonl");
    CHECK(strstr(lines, "\"thinking\":\"It is there.\""));
    CHECK(!strstr(lines, "reasoning"));
    dh_big_free(lines);
    dh_free(dir);
}

DH_TESTS(DH_TEST(thoughts_are_kept_apart),
         DH_TEST(a_session_holds_all_that_was_told),
         DH_TEST(equal_pictures_are_kept_once), DH_TEST(pictures_are_exact),
         DH_TEST(the_page_shows_hostile_text_as_text),
         DH_TEST(a_folder_in_use_is_refused),
         DH_TEST(a_folder_that_cannot_be_made_is_an_error),
         DH_TEST(a_full_disk_ends_the_recording_not_the_run),
         DH_TEST(a_full_disk_with_a_video_does_so_too),
         DH_TEST(a_session_that_was_cut_short_says_so));
