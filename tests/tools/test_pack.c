// A session in one file and back, and files that are none.
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "capture/picture.h"
#include "tests/agent/sample.h"
#include "tests/dh_test.h"
#include "tests/tools/program.h"

#define SAY(want, out_has, err_has, ...)                \
    do {                                                \
        struct said said_here;                          \
        RUN(&said_here, __VA_ARGS__);                   \
        CHECK_SAID(&said_here, want, out_has, err_has); \
        said_finish(&said_here);                        \
    } while (0)

static void check_same(const char *a, const char *b, const char *name)
{
    char *of_a = dh_path_join(a, name), *of_b = dh_path_join(b, name);
    char *x, *y;
    size_t n, m;
    CHECK_INT(dh_file_read(of_a, 1 << 26, &x, &n), DH_OK);
    CHECK_INT(dh_file_read(of_b, 1 << 26, &y, &m), DH_OK);
    CHECK(n == m && !memcmp(x, y, n));
    dh_big_free(x);
    dh_big_free(y);
    dh_free(of_a);
    dh_free(of_b);
}

static void test_a_session_comes_back_as_it_was(void)
{
    static const char *const names[] = { "session.json", "events.jsonl",
                                         "stop.json", "frames/000001.png",
                                         "frames/000003.png" };
    struct stat st;
    char *dir = dh_test_path("s"), *file = dh_test_path("s.tar.zst");
    char *back = dh_test_path("back");
    sample_write(dir);
    dh_free(dh_test_file("s/stop.json", "{}"));
    dh_free(dh_test_file("s/index.html", "<p>"));
    dh_free(dh_test_file("s/other", "not a session's"));
    SAY(0, ": 7 files, ", "", "pack", dir, file);
    SAY(2, "", "is there already", "pack", dir, file);
    SAY(0, "\"files\":6,", "", "unpack", "--json", file, back);
    for (size_t i = 0; i < DH_COUNTOF(names); i++)
        check_same(dir, back, names[i]);
    // A stranger's page would be run by a browser.
    char *page = dh_path_join(back, "index.html");
    CHECK(!dh_path_exists(page));
    CHECK(!stat(back, &st) && (st.st_mode & 077) == 0);
    SAY(2, "", "is there already", "unpack", file, back);
    SAY(0, "type text", "", "view", "--list", back);
    dh_free(page);
    dh_free(back);
    dh_free(file);
    dh_free(dir);
}

/* A link in the folder leads to what is no part of the session. */
static void test_links_are_not_followed(void)
{
    char *dir = dh_test_path("s"), *file = dh_test_path("s.tar.zst");
    char *back = dh_test_path("back"), *video = dh_path_join(dir, "video.mkv");
    char *got = dh_path_join(back, "video.mkv");
    sample_write(dir);
    CHECK_INT(symlink("/etc/passwd", video), 0);
    SAY(0, ": 5 files, ", "no plain file", "pack", dir, file);
    SAY(0, NULL, "", "unpack", file, back);
    CHECK(!dh_path_exists(got));
    dh_free(got);
    dh_free(video);
    dh_free(back);
    dh_free(file);
    dh_free(dir);
}

/* --- secrets --- */

static void test_what_was_marked_as_a_secret_does_not_leave(void)
{
    struct dh_frame *f;
    char *dir = dh_test_path("s"), *file = dh_test_path("s.tar.zst");
    char *back = dh_test_path("back");
    sample_write(dir);
    dh_free(dh_test_file("s/index.html", "<p>Dear Ada"));
    SAY(0, "", NULL, "mark", dir, "2", "pin", "--part=Dear Ada", "--secret");
    SAY(0, "", NULL, "mark", dir, "2", "year", "--part=2026");
    // It also stands where nobody marked it, and letter by letter.
    char *lines = sample_read(dir, "events.jsonl"), *at;
    while ((at = strstr(lines, "Customer")) != NULL)
        memcpy(at, "Dear Ada", 8);
    struct dh_buf more;
    dh_buf_init(&more, 1 << 20);
    dh_buf_printf(&more,
                  "{\"n\":90,\"t\":1,\"k\":\"raw\",\"type\":\"key\",\"text\":"
                  "\"D\"}\n{\"n\":91,\"t\":1,\"k\":\"clip\",\"text\":\"a Dear "
                  "Ada\",\"Dear Ada\":[null,1.5,true,{\"Dear Ada\":[]}]}\n%s",
                  lines);
    dh_free(dh_test_file("s/events.jsonl", dh_buf_text(&more)));
    SAY(0, "1 file held back", NULL, "pack", dir, file);
    SAY(0, NULL, "", "unpack", file, back);
    sample_check_nowhere(back, "Dear Ada");
    sample_check_nowhere(back, "\"raw\"");
    dh_big_free(lines);
    lines = sample_read(back, "events.jsonl");
    CHECK(strstr(lines, "\"text\":\"a {{secret:pin}}\",\"{{secret:pin}}\":["
                        "null,1.5,true,{\"{{secret:pin}}\":[]}]"));
    CHECK(strstr(lines, "\"text\":\"{{secret:pin}}, it's 2026\""));
    char *picture = dh_path_join(back, "frames/000002.png");
    CHECK_INT(dh_picture_read(picture, &f), DH_OK);
    CHECK_INT(dh_frame_at(f, 60, 50)[0], 0x80);
    CHECK_INT(dh_frame_at(f, 300, 200)[0], 90);
    dh_frame_unref(f);
    // The other parameter is still where its text is, the secret has to be
    // given, and what is packed again is the same.
    SAY(0, "{{secret:pin}}, it's {{year}}", "", "mark", back);
    SAY(0, "pin, which has to be given: a secret", "", "mark", back);
    SAY(0, "year = 2026", "", "mark", back);
    dh_buf_finish(&more);
    dh_big_free(lines);
    dh_free(picture);
    dh_free(back);
    dh_free(file);
    dh_free(dir);
}

static void test_pictures_after_a_secret_without_a_place_stay(void)
{
    char *dir = dh_test_path("s"), *file = dh_test_path("s.tar.zst");
    char *back = dh_test_path("back");
    sample_write(dir);
    char *lines = sample_read(dir, "events.jsonl");
    memcpy(strstr(strstr(lines, "\"type\""), "\"rect\""), "\"tcer\"", 6);
    dh_free(dh_test_file("s/events.jsonl", lines));
    SAY(0, "", NULL, "mark", dir, "2", "pin", "--part=2026", "--secret");
    SAY(0, ": 3 files, ", NULL, "pack", dir, file);
    SAY(0, NULL, "", "unpack", file, back);
    char *first = dh_path_join(back, "frames/000001.png");
    char *second = dh_path_join(back, "frames/000002.png");
    CHECK(dh_path_exists(first) && !dh_path_exists(second));
    dh_free(second);
    dh_free(first);
    dh_big_free(lines);
    dh_free(back);
    dh_free(file);
    dh_free(dir);
}

/* --- files of strangers --- */

#define BLOCK 512

struct tar {
    char data[64 * BLOCK];
    size_t n;
};

// One entry: a plain file ('0'), a link ('1', '2'), a device ('3', '4'), a
// folder ('5'), a pipe ('6') or almost 8 GiB of nothing ('S').
static void tar_add(struct tar *t, const char *name, char type,
                    const char *link, const char *text)
{
    char *h = t->data + t->n;
    unsigned sum = 0;
    size_t n = strlen(text);
    CHECK(t->n + 3 * BLOCK < sizeof t->data && n <= BLOCK);
    snprintf(h, 100, "%s", name);
    snprintf(h + 100, 8, "%07o", 0644);
    snprintf(h + 124, 12, "%011o", (unsigned)n);
    snprintf(h + 136, 12, "%011o", 0);
    h[156] = type;
    snprintf(h + 157, 100, "%s", link);
    memcpy(h + 257, type == 'S' ? "ustar  " : "ustar\00000", 8);
    if (type == 'S') {
        memcpy(h + 483, "77777777777", 11);
        // The one piece of it that is something.
        memcpy(h + 386,
               "77777777776\0"
               "00000000001",
               24);
    }
    memset(h + 148, ' ', 8);
    for (int i = 0; i < BLOCK; i++)
        sum += (unsigned char)h[i];
    snprintf(h + 148, 8, "%06o", sum);
    memcpy(h + BLOCK, text, n);
    t->n += n ? 2 * BLOCK : BLOCK;
}

// Unpacking leaves nothing, and says why.
static void check_refused(const struct tar *t, size_t n, const char *why)
{
    char *file = dh_test_path("bad.tar"), *back = dh_test_path("in/back");
    char *in = dh_test_path("in");
    CHECK_INT(dh_file_write(file, t->data, n), DH_OK);
    SAY(1, "", why, "unpack", file, back);
    CHECK(!dh_path_exists(back));
    // Nor what it was made as: the folder is empty again.
    CHECK(!dh_path_exists(in) || rmdir(in) == 0);
    CHECK_INT(unlink(file), 0);
    dh_free(in);
    dh_free(back);
    dh_free(file);
}

static const char head[] = "{\"format\":\"deskhand-session\",\"version\":1,"
                           "\"kind\":\"human\"}\n";

static void check_bad_entry(const char *name, char type, const char *link,
                            const char *why)
{
    struct tar t = { 0 };
    tar_add(&t, "s/session.json", '0', "", head);
    tar_add(&t, name, type, link, type == '0' ? "x" : "");
    check_refused(&t, t.n + 2 * BLOCK, why);
}

static void test_what_is_not_a_sessions_is_refused_whole(void)
{
    check_bad_entry("../../evil", '0', "", "is not in the session's folder");
    check_bad_entry("s/../../evil", '0', "", "is no file of a session");
    check_bad_entry("/tmp/evil", '0', "", "is not in the session's folder");
    check_bad_entry("t/events.jsonl", '0', "", "is not in the session's");
    check_bad_entry("s/evil.sh", '0', "", "is no file of a session");
    check_bad_entry("s/frames/../evil", '0', "", "is no file of a session");
    check_bad_entry("s/frames/000000.png", '0', "", "is no file of a session");
    check_bad_entry("s/frames/+00001.png", '0', "", "is no file of a session");
    check_bad_entry("s/events.jsonl", '2', "/etc/passwd", "is no plain file");
    check_bad_entry("s/events.jsonl", '1', "s/session.json", "no plain file");
    check_bad_entry("s/events.jsonl", '3', "", "is no plain file");
    check_bad_entry("s/events.jsonl", '6', "", "is no plain file");
    check_bad_entry("s/frames", '2', "/tmp", "is no plain file");
    check_bad_entry("s/other/", '5', "", "is no folder of a session");
    check_bad_entry("s/session.json", '0', "", "is in it twice");
}

static void test_a_bomb_is_refused(void)
{
    struct tar t = { 0 };
    tar_add(&t, "s/session.json", '0', "", head);
    tar_add(&t, "s/events.jsonl", 'S', "", "x");
    check_refused(&t, t.n + 2 * BLOCK, "grows too much");
    // Also where nothing of it would be kept.
    memset(&t, 0, sizeof t);
    tar_add(&t, "s/session.json", '0', "", head);
    tar_add(&t, "s/index.html", 'S', "", "x");
    check_refused(&t, t.n + 2 * BLOCK, "grows too much");
}

static void test_what_is_no_packed_session_is_said(void)
{
    struct tar t = { 0 };
    check_refused(&t, 0, "is no packed session");
    memset(t.data, 'x', 2 * BLOCK);
    check_refused(&t, 2 * BLOCK, "is no packed session");
    memset(&t, 0, sizeof t);
    tar_add(&t, "s/events.jsonl", '0', "", "{}\n");
    check_refused(&t, t.n + 2 * BLOCK, "has no session.json");
    memset(&t, 0, sizeof t);
    tar_add(&t, "s/session.json", '0', "", head);
    check_refused(&t, BLOCK + 9, "or damaged");
    SAY(1, "", "is not there", "unpack", "./nowhere.tar.zst", "./x");
    SAY(2, "", "FILE", "unpack");
    SAY(2, "", "NAME", "pack");
    SAY(2, "", "is no good name", "unpack", "./.tar.zst");
    SAY(1, "", "nowhere", "pack", "./nowhere");
}

/* Cut anywhere, a packed file becomes nothing. */
static void test_a_cut_file_is_refused(void)
{
    char *dir = dh_test_path("s"), *file = dh_test_path("s.tar.zst");
    char *back = dh_test_path("back");
    struct stat st;
    sample_write(dir);
    SAY(0, NULL, "", "pack", dir, file);
    CHECK_INT(stat(file, &st), 0);
    for (off_t n = st.st_size - 1; n > 0; n -= 1 + st.st_size / 7) {
        CHECK_INT(truncate(file, n), 0);
        SAY(1, "", "or damaged", "unpack", file, back);
        CHECK(!dh_path_exists(back));
    }
    dh_free(back);
    dh_free(file);
    dh_free(dir);
}

DH_TESTS(DH_TEST(a_session_comes_back_as_it_was),
         DH_TEST(links_are_not_followed),
         DH_TEST(what_was_marked_as_a_secret_does_not_leave),
         DH_TEST(pictures_after_a_secret_without_a_place_stay),
         DH_TEST(what_is_not_a_sessions_is_refused_whole),
         DH_TEST(a_bomb_is_refused), DH_TEST(what_is_no_packed_session_is_said),
         DH_TEST(a_cut_file_is_refused));
