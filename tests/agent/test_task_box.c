// Rooms on the X server that the tests have.
#include "agent/task_box.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "tests/dh_test.h"

static struct dh_box *room(struct dh_box_options o)
{
    struct dh_box *b;
    const char *display = getenv("DISPLAY");
    if (!display)
        dh_test_skip("no X server");
    o.display = (int)strtol(display + 1, NULL, 10);
    enum dh_status st = dh_box_open(&b, &o);
    if (st == DH_ERR_UNSUPPORTED)
        dh_test_skip("the kernel allows no room here");
    CHECK_INT(st, DH_OK);
    return b;
}

static enum dh_status run(struct dh_box *b, const char *command, double seconds,
                          struct dh_buf *out, int *status)
{
    return dh_box_run(b, command, -1, dh_now_ns() + (int64_t)(seconds * 1e9),
                      out, status);
}

static void check_says(struct dh_box *b, const char *command, const char *want)
{
    struct dh_buf out;
    int status = -1;
    dh_buf_init(&out, 4096);
    CHECK_INT(run(b, command, 30, &out, &status), DH_OK);
    CHECK_STR(dh_buf_text(&out), want);
    dh_buf_finish(&out);
}

static void test_commands_run_as_a_user_in_an_empty_home(void)
{
    struct dh_box *b = room((struct dh_box_options){ 0 });
    int status = -1;
    check_says(b, "id -un; pwd; ls -A", "user\n/home/user\n");
    CHECK_INT(run(b, "exit 7", 30, NULL, &status), DH_OK);
    CHECK_INT(status, 7);
    CHECK_INT(run(b, "kill -9 $$", 30, NULL, &status), DH_OK);
    CHECK_INT(status, 128 + 9);
    dh_box_close(b);
}

static int look_around(void)
{
    puts(access("/home/user", W_OK) == 0 && getuid() == 1000 ? "in" : "out");
    fflush(stdout);
    return 5;
}

static int never_ends(void)
{
    for (;;)
        pause();
    return 0;
}

static void test_a_function_of_ours_runs_in_there(void)
{
    struct dh_box *b = room((struct dh_box_options){ 0 });
    struct dh_buf out;
    int status = -1;
    dh_buf_init(&out, 4096);
    CHECK_INT(dh_box_call(b, look_around, 10, &out, &status), DH_OK);
    CHECK_INT(status, 5);
    CHECK_STR(dh_buf_text(&out), "in\n");
    CHECK_INT(dh_box_call(b, never_ends, 1, NULL, &status), DH_OK);
    CHECK_INT(status, 128 + 14);
    check_says(b, "echo on", "on\n");
    dh_buf_finish(&out);
    dh_box_close(b);
}

static void test_nothing_outside_can_be_reached(void)
{
    struct dh_box *b = room((struct dh_box_options){ 0 });
    check_says(b, "ls /home /root /tmp | tr '\\n' ' '",
               "/home: user  /root:  /tmp: ");
    check_says(b, "touch /usr/x /etc/x 2>/dev/null || echo no", "no\n");
    check_says(b, "grep -c : /proc/net/dev", "1\n");
    check_says(b, "grep CapEff /proc/self/status",
               "CapEff:\t0000000000000000\n");
    check_says(b, "kill -9 1; echo still here", "still here\n");
    dh_box_close(b);
}

static void test_output_is_cut_and_input_is_a_file(void)
{
    struct dh_box *b = room((struct dh_box_options){ 0 });
    struct dh_buf out;
    char *path = dh_test_file("in", "hello");
    FILE *f = fopen(path, "r");
    int status;
    dh_buf_init(&out, 100);
    CHECK_INT(run(b, "yes | head -c 1000000", 30, &out, &status), DH_OK);
    CHECK_INT(out.len, 100);
    CHECK(f != NULL);
    dh_buf_clear(&out);
    CHECK_INT(
        dh_box_run(b, "cat", fileno(f), dh_now_ns() + 30 * DH_S, &out, &status),
        DH_OK);
    CHECK_STR(dh_buf_text(&out), "hello");
    fclose(f);
    dh_free(path);
    dh_buf_finish(&out);
    dh_box_close(b);
}

static void test_what_hangs_is_over_with_the_room(void)
{
    struct dh_box *b = room((struct dh_box_options){ 0 });
    int status;
    CHECK_INT(run(b, "sleep 1000", 0.2, NULL, &status), DH_ERR_TIMEOUT);
    int64_t begin = dh_now_ns();
    dh_box_close(b);
    CHECK(dh_now_ns() - begin < 8 * DH_S);
}

static void test_a_fork_bomb_is_contained(void)
{
    struct dh_box *b = room((struct dh_box_options){ .max_processes = 40 });
    int status;
    enum dh_status st =
        run(b, "f() { f | f & }; f; sleep 1000", 1, NULL, &status);
    CHECK(st == DH_ERR_TIMEOUT || st == DH_ERR_NOMEM || st == DH_OK);
    dh_box_close(b);
}

static void test_disk_and_memory_have_limits(void)
{
    struct dh_box *b = room((struct dh_box_options){
        .max_disk = 8 << 20, .max_memory = INT64_C(200) << 20 });
    int status;
    check_says(b,
               "head -c 20000000 /dev/zero >~/a 2>/dev/null; [ $(stat -c %s "
               "~/a) -lt 8500000 ] && echo full; rm ~/a",
               "full\n");
    CHECK_INT(run(b, "tail /dev/zero", 60, NULL, &status), DH_ERR_CLOSED);
    CHECK_STR(dh_box_why(b), "memory limit");
    dh_box_close(b);
}

static void test_a_shown_folder_is_read_only_and_nothing_above_it(void)
{
    struct dh_box *b = room((struct dh_box_options){ .shown = "tests/agent" });
    check_says(b,
               "cd /shown && ls test_task_box.c && touch x 2>&1; ls / | grep "
               "-c tests",
               "test_task_box.c\ntouch: cannot touch 'x': Read-only file "
               "system\n0\n");
    dh_box_close(b);
}

DH_TESTS(DH_TEST(commands_run_as_a_user_in_an_empty_home),
         DH_TEST(a_function_of_ours_runs_in_there),
         DH_TEST(nothing_outside_can_be_reached),
         DH_TEST(output_is_cut_and_input_is_a_file),
         DH_TEST(what_hangs_is_over_with_the_room),
         DH_TEST(a_fork_bomb_is_contained),
         DH_TEST(disk_and_memory_have_limits),
         DH_TEST(a_shown_folder_is_read_only_and_nothing_above_it));
