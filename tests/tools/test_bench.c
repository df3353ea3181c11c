// The benchmark of the desktop: what it prints, and that nothing stays behind.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "tests/capture/server.h"
#include "tests/dh_test.h"
#include "tests/tools/program.h"
#include "tools/bench_proc.h"

// The server of with_xvfb.sh, whose other programs a test would not disturb.
static const char *display(void)
{
    const char *name = getenv("DISPLAY");
    CHECK(name != NULL);
    return name;
}

static void test_a_stage_prints_rows_and_goals(void)
{
    struct said s;
    RUN(&s, "bench", "io", "--quick", "--only=damage", "--display", display());
    CHECK_SAID(&s, 0, "deskhand bench io --quick", "");
    CHECK_SAID(&s, 0, "machine: ", "");
    CHECK_SAID(&s, 0, "1024 x 768", "");
    CHECK_SAID(&s, 0, "\n  deskhand ", "");
    CHECK_SAID(&s, 0, "\n  bare XDamage, XShmGetImage ", "");
    CHECK_SAID(&s, 0, "goal: at most 1.2 times bare XDamage", "");
    CHECK_SAID(&s, 0, "goal: all of ours exact: 1.00, met", "");
    said_finish(&s);
}

static void test_json_has_a_line_for_each_row_and_goal(void)
{
    struct said s;
    RUN(&s, "bench", "io", "--quick", "--json", "--only=still", "--display",
        display());
    CHECK_SAID(&s, 0, "\"row\":\"deskhand\",\"kind\":\"ours\",\"n\":2,", "");
    CHECK_SAID(&s, 0, "\"median_ms\":", "");
    // The machine, three rows, one goal.
    CHECK_INT(json_lines(s.out), 5);
    said_finish(&s);
}

static void test_a_films_cost_is_measured(void)
{
    struct said s;
    char *tmp = dh_test_path("tmp");
    CHECK_INT(dh_path_mkdirs(tmp), DH_OK);
    setenv("TMPDIR", tmp, 1);
    RUN(&s, "bench", "film", "--quick", "--json", "--display", display());
    CHECK_SAID(&s, 0, "\"film\":\"busy, lossless\"", "");
    CHECK_SAID(&s, 0, "\"step_p95_ms\":", "");
    CHECK_INT(json_lines(s.out), 6);
    said_finish(&s);
    // Nothing is left behind.
    CHECK_INT(rmdir(tmp), 0);
    dh_free(tmp);
}

static void test_clicks_arrive_in_the_bench(void)
{
    struct said s;
    RUN(&s, "bench", "io", "--quick", "--no-peers", "--only=click", "--display",
        display());
    CHECK_SAID(&s, 0, "goal: all of ours exact: 1.00, met", "");
    CHECK_SAID(&s, 0, "xdotool mousemove --sync, click   not run", "");
    said_finish(&s);
}

static void test_text_arrives_in_a_program_in_xterm(void)
{
    struct said s;
    RUN(&s, "bench", "io", "--quick", "--no-peers", "--only=xterm", "--display",
        display());
    CHECK_SAID(&s, 0, "goal: all of ours exact: 1.00, met", "");
    said_finish(&s);
}

static void test_a_peer_that_is_absent_is_named_and_skipped(void)
{
    struct said s;
    setenv("PATH", dh_test_dir(), 1);
    RUN(&s, "bench", "io", "--quick", "--only=frame", "--display", display());
    CHECK_SAID(&s, 0, "skipped: scrot is not installed", "");
    CHECK_SAID(&s, 0, "skipped: import is not installed", "");
    CHECK_SAID(&s, 0, "goal: at most 1.1 times bare XShmGetImage: ", "");
    said_finish(&s);
    RUN(&s, "bench", "io", "--quick", "--only=frame");
    CHECK_SAID(&s, 1, "", "Xvfb is not installed");
    said_finish(&s);
}

static void test_one_frame_is_taken(void)
{
    struct said s;
    RUN(&s, "bench", "frame");
    CHECK_SAID(&s, 0, "", "");
    said_finish(&s);
}

static void test_what_is_wrong_is_said(void)
{
    struct said s;
    RUN(&s, "bench");
    CHECK_SAID(&s, 2, "", "io, film, model, msa, llama or frame is expected");
    said_finish(&s);
    RUN(&s, "bench", "oi");
    CHECK_SAID(&s, 2, "", "io, film, model, msa, llama or frame is expected");
    said_finish(&s);
    RUN(&s, "bench", "io", "--only=nothing");
    CHECK_SAID(&s, 2, "", "there is no stage \"nothing\"");
    said_finish(&s);
    RUN(&s, "bench", "io", "--rounds=-1");
    CHECK_SAID(&s, 2, "", "rounds");
    said_finish(&s);
    RUN(&s, "bench", "io", "--display", ":9999");
    CHECK_SAID(&s, 1, "", ":9999");
    said_finish(&s);
}

// Orphans of the program become children of this process, so that waiting for
// all of them shows that all of them end. Its files go into the folder that is
// returned.
static char *adopt_orphans(void)
{
    char *tmp = dh_test_path("tmp");
    CHECK_INT(dh_path_mkdirs(tmp), DH_OK);
    setenv("TMPDIR", tmp, 1);
    CHECK_INT(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    return tmp;
}

static void wait_for_all(void)
{
    while (wait(NULL) > 0) {
    }
    CHECK_INT(errno, ECHILD);
}

static void test_it_ends_the_server_that_it_started(void)
{
    struct said s;
    char *tmp = adopt_orphans();
    RUN(&s, "bench", "io", "--quick", "--only=still");
    CHECK_SAID(&s, 0, "private Xvfb, 1920 x 1080", "");
    wait_for_all();
    CHECK_INT(rmdir(tmp), 0); // it is empty
    dh_free(tmp);
    said_finish(&s);
}

// Start a run that would take hours, on this display or, NULL, on its own, and
// come back when it is under way.
static pid_t start_long_run(const char *on)
{
    const char *const args[] = { "bench",
                                 "io",
                                 "--only=still",
                                 "--log=info",
                                 "--rounds=100000",
                                 on ? "--display" : NULL,
                                 on,
                                 NULL };
    char *path = dh_test_path("err");
    bool begun = false;
    remove(path);
    pid_t pid = program_start(args);
    for (int i = 0; i < 200 && !begun; i++) {
        char *text;
        size_t len;
        dh_sleep_for(50 * DH_MS);
        if (!dh_path_exists(path) ||
            dh_file_read(path, (size_t)64 << 20, &text, &len))
            continue;
        begun = strstr(text, "round 1 of 100000") != NULL;
        dh_big_free(text);
    }
    CHECK(begun);
    dh_free(path);
    return pid;
}

static void test_an_interrupt_ends_the_server_too(void)
{
    struct said s;
    char *tmp = adopt_orphans();
    pid_t pid = start_long_run(NULL);
    CHECK_INT(kill(pid, SIGINT), 0);
    program_wait(&s, pid);
    CHECK_SAID(&s, 4, "", NULL);
    wait_for_all();
    CHECK_INT(rmdir(tmp), 0); // it is empty
    dh_free(tmp);
    said_finish(&s);
}

static void test_a_killed_bench_leaves_no_server(void)
{
    struct said s;
    dh_free(adopt_orphans());
    pid_t pid = start_long_run(NULL);
    CHECK_INT(kill(pid, SIGKILL), 0);
    program_wait(&s, pid);
    CHECK_INT(s.status, 128 + SIGKILL);
    wait_for_all();
    said_finish(&s);
}

static void test_a_server_that_dies_ends_the_bench(void)
{
    struct said s;
    struct server server;
    server_start(&server, "640x480x24", NULL);
    pid_t pid = start_long_run(server.display);
    server_kill(&server);
    program_wait(&s, pid);
    CHECK_SAID(&s, 1, "", "lost the X server");
    said_finish(&s);
}

static void test_a_server_without_shm_has_nothing_to_compare(void)
{
    struct said s;
    struct server server;
    server_start(&server, "640x480x24", "MIT-SHM");
    RUN(&s, "bench", "io", "--quick", "--display", server.display);
    CHECK_SAID(&s, 1, "", "the X server lacks MIT-SHM");
    said_finish(&s);
}

// What 600 tokens hold follows from the shape: 8 layers of 2 heads of keys and
// values.
static void test_a_model_is_measured_against_the_limits(void)
{
    struct said s;
    RUN(&s, "bench", "model", "--rounds=1", "--contexts=40,600", "--decode=2",
        "--kernels=float32");
    CHECK_SAID(&s, 0, "limits: ", "");
    CHECK_SAID(&s, 0, "\nprefill @40 ", "");
    CHECK_SAID(&s, 0, "\ndecode @600 ", "");
    said_finish(&s);
    RUN(&s, "bench", "model", "--rounds=1", "--contexts=600", "--decode=2",
        "--kernels=float32", "--json");
    CHECK_SAID(&s, 0, "\"context\":600,\"kernels\":\"", "");
    CHECK_SAID(&s, 0, "\"cache_bytes\":9830400,", "");
    CHECK_INT(json_lines(s.out), 1);
    said_finish(&s);
    RUN(&s, "bench", "model", "--rounds=2", "--contexts=40", "--decode=2",
        "--sessions=3");
    CHECK_SAID(&s, 0, "\n2 together @40 ", "");
    said_finish(&s);
    RUN(&s, "bench", "model", "--rounds=1", "--contexts=40", "--decode=2",
        "--sessions=4", "--json");
    CHECK_SAID(&s, 0, "{\"sessions\":4,\"context\":40,", "");
    CHECK_INT(json_lines(s.out), 4);
    said_finish(&s);
    RUN(&s, "bench", "model", "--sessions=65");
    CHECK_SAID(&s, 2, "", "sessions");
    said_finish(&s);
    // A byte each, and a scale for 128 of them.
    RUN(&s, "bench", "model", "--rounds=1", "--contexts=600", "--decode=2",
        "--cache-type=int8", "--json");
    CHECK_SAID(&s, 0, "\"cache_type\":\"int8\",", "");
    CHECK_SAID(&s, 0, "\"cache_bytes\":2534400,", "");
    said_finish(&s);
    RUN(&s, "bench", "model", "--cache-type=int4");
    CHECK_SAID(&s, 2, "", "cache-type");
    said_finish(&s);
    RUN(&s, "bench", "model", "--rounds=1", "--contexts=40", "--decode=2",
        "--memory=16M", "--model", "assets/models/sprout");
    CHECK_SAID(&s, 0, " GB/s from the disk (", "");
    CHECK_SAID(&s, 0, " MB a token from the disk, ", "");
    CHECK_SAID(&s, 0, "\nmemory: 16 MiB for weights, ", "");
    said_finish(&s);
    RUN(&s, "bench", "model", "--model=assets/models/sprout", "--rounds=1",
        "--contexts=40", "--decode=1", "--picture=120x90", "--json");
    CHECK_SAID(&s, 0, "\"width\":120,\"height\":90,", "");
    CHECK_SAID(&s, 0, "\"tokens\":12,", "");
    CHECK_INT(json_lines(s.out), 2);
    said_finish(&s);
    RUN(&s, "bench", "model", "--picture=120x90");
    CHECK_SAID(&s, 2, "", "no vision");
    said_finish(&s);
    RUN(&s, "bench", "model", "--model=assets/models/sprout", "--picture=0x9");
    CHECK_SAID(&s, 2, "", "--picture=0x9: WIDTHxHEIGHT");
    said_finish(&s);
    RUN(&s, "bench", "model", "--shape=huge");
    CHECK_SAID(&s, 2, "", "there is no shape \"huge\": tiny, mid");
    said_finish(&s);
    RUN(&s, "bench", "model", "--contexts=12,x");
    CHECK_SAID(&s, 2, "", "--contexts=12,x");
    said_finish(&s);
}

// A library that never opens.
static void test_a_peer_that_takes_long_is_ended(void)
{
    char *peer = dh_test_path("peer"), *lib = dh_test_path("peer/libllama.so");
    char *model = dh_test_path("sprout.gguf");
    struct said s;
    CHECK_INT(dh_path_mkdirs(peer), DH_OK);
    CHECK_INT(mkfifo(lib, 0600), 0);
    RUN(&s, "quantize", "assets/models/sprout", model, "--to", "q4_0");
    CHECK_SAID(&s, 0, NULL, NULL);
    said_finish(&s);
    RUN(&s, "bench", "model", "--model", model, "--contexts=8", "--decode=1",
        "--rounds=2", "--peer", peer, "--peer-seconds=1");
    CHECK_SAID(&s, 0, "\nllama.cpp @8: ended after 1 s\n", NULL);
    said_finish(&s);
    dh_free(peer);
    dh_free(lib);
    dh_free(model);
}

static void test_what_is_no_llama_is_said(void)
{
    char *peer = dh_test_path("peer"), *lib = dh_test_path("peer/libllama.so");
    struct said s;
    CHECK_INT(dh_path_mkdirs(peer), DH_OK);
    RUN(&s, "bench", "llama", "--model=x.gguf", "--contexts=8", "--peer", peer);
    CHECK_SAID(&s, 1, "", "there is no libllama.so in ");
    said_finish(&s);
    CHECK_INT(dh_file_write(lib, "not an object", 13), DH_OK);
    RUN(&s, "bench", "llama", "--model=x.gguf", "--contexts=8", "--peer", peer);
    CHECK_SAID(&s, 1, "", "cannot load llama.cpp: ");
    said_finish(&s);
    RUN(&s, "bench", "llama", "--contexts=8", "--peer", peer);
    CHECK_SAID(&s, 2, "", "--peer, --model and --contexts are needed");
    said_finish(&s);
    dh_free(peer);
    dh_free(lib);
}

DH_TESTS(DH_TEST(a_peer_that_takes_long_is_ended),
         DH_TEST(what_is_no_llama_is_said),
         DH_TEST(a_stage_prints_rows_and_goals),
         DH_TEST(a_model_is_measured_against_the_limits),
         DH_TEST(json_has_a_line_for_each_row_and_goal),
         DH_TEST(a_films_cost_is_measured), DH_TEST(clicks_arrive_in_the_bench),
         DH_TEST(text_arrives_in_a_program_in_xterm),
         DH_TEST(a_peer_that_is_absent_is_named_and_skipped),
         DH_TEST(one_frame_is_taken), DH_TEST(what_is_wrong_is_said),
         DH_TEST(it_ends_the_server_that_it_started),
         DH_TEST(an_interrupt_ends_the_server_too),
         DH_TEST(a_killed_bench_leaves_no_server),
         DH_TEST(a_server_that_dies_ends_the_bench),
         DH_TEST(a_server_without_shm_has_nothing_to_compare));
