#include "capture/video_in.h"
#include "capture/video_out.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "capture/synth.h"
#include "tests/dh_test.h"

static const int64_t base_ns = 123456789 * DH_MS;

static struct dh_source *synth(int w, int h, int n)
{
    struct dh_synth_options o = { .width = w,
                                  .height = h,
                                  .n_frames = n,
                                  .interval_ns = 40 * DH_MS,
                                  .seed = 3 };
    struct dh_source *s;
    CHECK_INT(dh_synth_create(&s, &o), DH_OK);
    return s;
}

static const char *video_path(void)
{
    static char path[4096];
    snprintf(path, sizeof(path), "%s/v: 1.mkv", dh_test_dir());
    return path;
}

static struct dh_video_out *video_create(int w, int h, bool lossless)
{
    struct dh_video_out_options o = { w, h, .lossless = lossless };
    struct dh_video_out *v;
    CHECK_INT(dh_video_out_create(&v, video_path(), &o), DH_OK);
    return v;
}

/* Frames from synth, 40 ms apart. */
static void frames_write(struct dh_video_out *v, int w, int h, int n)
{
    struct dh_source *s = synth(w, h, n);
    struct dh_frame *f;
    while (dh_source_grab(s, &f) == DH_OK) {
        int64_t pts = 0;
        CHECK_INT(dh_video_out_write(v, f, &pts), DH_OK);
        CHECK_INT(pts, f->time_ns / DH_MS);
        dh_frame_unref(f);
    }
    dh_source_destroy(s);
}

static void video_make(int w, int h, int n, bool lossless)
{
    struct dh_video_out *v = video_create(w, h, lossless);
    frames_write(v, w, h, n);
    CHECK_INT(dh_video_out_end(v), DH_OK);
    dh_video_out_destroy(v);
}

static double mean_difference(const struct dh_frame *a,
                              const struct dh_frame *b)
{
    double sum = 0;
    for (int y = 0; y < a->height; y++)
        for (int x = 0; x < a->width; x++)
            for (int c = 0; c < 3; c++)
                sum += abs(dh_frame_at(a, x, y)[c] - dh_frame_at(b, x, y)[c]);
    return sum / (3.0 * a->width * a->height);
}

static void check_round_trip(int w, int h, bool lossless)
{
    enum { N = 12 };
    video_make(w, h, N, lossless);
    struct dh_source *in, *original = synth(w, h, N);
    CHECK_INT(dh_video_in_create(&in, video_path()), DH_OK);
    for (int i = 0; i < N; i++) {
        struct dh_frame *got, *want;
        CHECK_INT(dh_source_grab(in, &got), DH_OK);
        CHECK_INT(dh_source_grab(original, &want), DH_OK);
        CHECK_INT(got->width, w);
        CHECK_INT(got->height, h);
        CHECK_INT(got->serial, i + 1);
        CHECK_INT(got->time_ns, i * 40 * DH_MS);
        if (lossless)
            CHECK_INT(dh_frame_hash(got), dh_frame_hash(want));
        else
            CHECK(mean_difference(got, want) < 3);
        dh_frame_unref(got);
        dh_frame_unref(want);
    }
    struct dh_frame *f;
    CHECK_INT(dh_source_grab(in, &f), DH_ERR_CLOSED);
    CHECK_INT(dh_source_grab(in, &f), DH_ERR_CLOSED);
    dh_source_destroy(in);
    dh_source_destroy(original);
}

static void test_lossless_is_exact(void)
{
    check_round_trip(320, 200, true);
    check_round_trip(161, 77, true);
}

static void test_h264_is_close(void)
{
    struct dh_video_out *v = video_create(64, 64, false);
    bool h264 = !strcmp(dh_video_out_codec(v), "libx264");
    dh_video_out_destroy(v);
    if (!h264)
        dh_test_skip("this FFmpeg has no libx264");
    check_round_trip(320, 200, false);
    check_round_trip(161, 77, false);
}

/* Flat colours, which a wrong matrix or range would move, come back. */
static void test_h264_keeps_colours(void)
{
    static const uint8_t colours[][3] = {
        { 255, 255, 255 }, { 0, 0, 0 },     { 255, 0, 0 },     { 0, 255, 0 },
        { 0, 0, 255 },     { 0, 255, 255 }, { 128, 128, 128 },
    };
    struct dh_video_out *v = video_create(70, 16, false);
    struct dh_frame *f, *got;
    CHECK_INT(dh_frame_create(&f, NULL, 70, 16), DH_OK);
    for (int y = 0; y < 16; y++)
        for (int x = 0; x < 70; x++)
            memcpy(dh_frame_at(f, x, y), colours[x / 10], 3);
    CHECK_INT(dh_video_out_write(v, f, NULL), DH_OK);
    CHECK_INT(dh_video_out_end(v), DH_OK);
    dh_video_out_destroy(v);
    struct dh_source *in;
    CHECK_INT(dh_video_in_create(&in, video_path()), DH_OK);
    CHECK_INT(dh_source_grab(in, &got), DH_OK);
    for (int i = 0; i < 7; i++)
        for (int c = 0; c < 3; c++)
            CHECK_NEAR(dh_frame_at(got, i * 10 + 5, 8)[c], colours[i][c], 8);
    dh_frame_unref(f);
    dh_frame_unref(got);
    dh_source_destroy(in);
}

/* Times that stand still or go back move on by a millisecond; a smaller frame
 * is padded with black, a larger one cut. */
static void test_odd_times_and_sizes(void)
{
    struct dh_video_out_options o = {
        .width = 64, .height = 48, .base_ns = base_ns, .lossless = true
    };
    struct dh_video_out *v;
    CHECK_INT(dh_video_out_create(&v, video_path(), &o), DH_OK);
    static const struct {
        int w, h, ms;
    } t[] = {
        { 64, 48, 100 }, { 30, 20, 100 }, { 100, 90, 5 }, { 64, 48, 900 }
    };
    static const int want_ms[] = { 100, 101, 102, 900 };
    for (int i = 0; i < 4; i++) {
        struct dh_frame *f;
        int64_t pts;
        CHECK_INT(dh_frame_create(&f, NULL, t[i].w, t[i].h), DH_OK);
        memset(f->pixels, 0xf0 + i, f->stride * (size_t)t[i].h);
        f->time_ns = base_ns + t[i].ms * DH_MS;
        CHECK_INT(dh_video_out_write(v, f, &pts), DH_OK);
        CHECK_INT(pts, want_ms[i]);
        dh_frame_unref(f);
    }
    CHECK_INT(dh_video_out_end(v), DH_OK);
    dh_video_out_destroy(v);

    struct dh_source *in;
    CHECK_INT(dh_video_in_create(&in, video_path()), DH_OK);
    for (int i = 0; i < 4; i++) {
        struct dh_frame *f;
        CHECK_INT(dh_source_grab(in, &f), DH_OK);
        CHECK_INT(f->width, 64);
        CHECK_INT(f->time_ns, (want_ms[i] - 100) * DH_MS);
        CHECK_INT(dh_frame_at(f, 29, 19)[1], 0xf0 + i);
        CHECK_INT(dh_frame_at(f, 63, 47)[1], i == 1 ? 0 : 0xf0 + i);
        CHECK_INT(dh_frame_at(f, 30, 19)[1], i == 1 ? 0 : 0xf0 + i);
        dh_frame_unref(f);
    }
    dh_source_destroy(in);
}

static void test_create_refuses(void)
{
    struct dh_video_out *v;
    struct dh_video_out_options o = { .width = 0, .height = 10 };
    CHECK_INT(dh_video_out_create(&v, video_path(), &o), DH_ERR_RANGE);
    o = (struct dh_video_out_options){ .width = 64, .height = 64 };
    CHECK(dh_video_out_create(&v, "/nonexistent/x.mkv", &o) != DH_OK);
    dh_video_out_destroy(NULL);
}

/* A file without its end plays as far as it goes: all but the last second. */
static void test_cut_short_still_plays(void)
{
    enum { N = 100 };
    struct dh_video_out *v = video_create(160, 120, false);
    frames_write(v, 160, 120, N);
    dh_video_out_destroy(v); // no end
    struct dh_source *in;
    struct dh_frame *f;
    CHECK_INT(dh_video_in_create(&in, video_path()), DH_OK);
    int n = 0;
    while (dh_source_grab(in, &f) == DH_OK) {
        n++;
        dh_frame_unref(f);
    }
    CHECK(n >= N - 1 - 25);
    dh_source_destroy(in);

    // And torn anywhere it ends in a status.
    char *data;
    size_t len;
    CHECK_INT(dh_file_read(video_path(), 64 << 20, &data, &len), DH_OK);
    for (size_t cut = len; cut > 0; cut -= DH_MIN(cut, len / 13 + 1)) {
        CHECK_INT(dh_file_write(video_path(), data, cut), DH_OK);
        if (dh_video_in_create(&in, video_path()))
            continue;
        while (dh_source_grab(in, &f) == DH_OK)
            dh_frame_unref(f);
        dh_source_destroy(in);
    }
    dh_big_free(data);
}

/* Bytes changed at random: frames or a status, never a crash or a hang. */
static void test_damaged_file_does_no_harm(void)
{
    video_make(96, 64, 20, false);
    char *data;
    size_t len;
    CHECK_INT(dh_file_read(video_path(), 64 << 20, &data, &len), DH_OK);
    char *damaged;
    dh_array(damaged, len);
    for (unsigned i = 0; i < 60; i++) {
        memcpy(damaged, data, len);
        // The header only in every third round, or hardly any gets further.
        unsigned first = i % 3 ? 600 : 0;
        for (unsigned k = 0; k < 8; k++)
            damaged[first + (i * 7919u + k * 104729u) % (len - first)] ^=
                (char)(1 + i + k);
        CHECK_INT(dh_file_write(video_path(), damaged, len), DH_OK);
        struct dh_source *in;
        struct dh_frame *f;
        if (dh_video_in_create(&in, video_path()))
            continue;
        for (int n = 0; n < 100 && dh_source_grab(in, &f) == DH_OK; n++)
            dh_frame_unref(f);
        dh_source_destroy(in);
    }
    dh_free(damaged);
    dh_big_free(data);
}

/* A full disk is a status, told once; the program goes on. */
static void test_full_disk_is_a_status(void)
{
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = { 100000, 100000 };
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
    struct dh_video_out *v = video_create(320, 200, true);
    struct dh_source *s = synth(320, 200, 200);
    struct dh_frame *f;
    enum dh_status st = DH_OK;
    int n = 0;
    while (!st && dh_source_grab(s, &f) == DH_OK) {
        st = dh_video_out_write(v, f, NULL);
        dh_frame_unref(f);
        n++;
    }
    CHECK_INT(st, DH_ERR_IO);
    CHECK(n < 100);
    CHECK_INT(dh_source_grab(s, &f), DH_OK);
    CHECK_INT(dh_video_out_write(v, f, NULL), DH_ERR_IO);
    dh_frame_unref(f);
    CHECK_INT(dh_video_out_end(v), DH_ERR_IO);
    dh_video_out_destroy(v);
    dh_source_destroy(s);
}

static void test_what_is_no_video_is_refused(void)
{
    struct dh_source *in;
    CHECK_INT(dh_video_in_create(&in, "/nonexistent/x.mkv"), DH_ERR_NOTFOUND);
    static const char *const texts[] = {
        "this is text and no video\n",
        "",
        // A list that names another file.
        "ffconcat version 1.0\nfile /etc/passwd\n",
        "#EXTM3U\n#EXTINF:1,\nfile:/etc/passwd\n#EXT-X-ENDLIST\n",
    };
    for (size_t i = 0; i < DH_COUNTOF(texts); i++) {
        CHECK_INT(dh_file_write(video_path(), texts[i], strlen(texts[i])),
                  DH_OK);
        CHECK(dh_video_in_create(&in, video_path()) != DH_OK);
    }
}

// ---- sampling --------------------------------------------------------------

static size_t rule_even(size_t n, double rate, double fps, size_t max,
                        size_t *idx)
{
    double *times;
    dh_array(times, n);
    for (size_t i = 0; i < n; i++)
        times[i] = (double)i / rate;
    size_t len = dh_video_rule(times, n, fps, max, idx);
    dh_free(times);
    return len;
}

/* 10 s at 30 a second, one a second: 0, 30, ... 270, and the last, 299. */
static void test_rule_takes_one_a_second_and_the_last(void)
{
    size_t idx[300];
    CHECK_INT(rule_even(300, 30, 1, 768, idx), 11);
    for (size_t i = 0; i < 10; i++)
        CHECK_INT(idx[i], i * 30);
    CHECK_INT(idx[10], 299);
}

static size_t rule_as_published(size_t n, double rate, double fps, size_t max,
                                size_t *idx)
{
    size_t len = 0;
    idx[len++] = 0;
    for (;;) {
        double prev = (double)idx[len - 1] / rate;
        double at = ceil((prev + 1 / fps - 1e-4) * rate);
        size_t next = DH_MAX((size_t)at, idx[len - 1] + 1);
        if (next >= n)
            break;
        idx[len++] = next;
    }
    if ((double)(n - 1) / rate - (double)idx[len - 1] / rate > 1e-4)
        idx[len++] = n - 1;
    if (len <= max)
        return len;
    size_t *all, last = idx[len - 1];
    dh_array(all, len);
    memcpy(all, idx, len * sizeof(all[0]));
    for (size_t i = 0; i < max - 1; i++)
        idx[i] = all[i * len / (max - 1)];
    idx[max - 1] = last;
    dh_free(all);
    return max;
}

/* At even rates the rule by times is the rule by numbers of frames. */
static void test_rule_is_that_by_frame_numbers(void)
{
    static const double rates[] = {
        5, 10, 12.5, 23.976, 24, 25, 29.97, 30, 60
    };
    static const double fps[] = { 0.2, 0.5, 1, 2, 3, 4, 10, 100 };
    static const size_t ns[] = { 1, 2, 3, 24, 25, 31, 100, 301 };
    static const size_t maxes[] = { 2, 3, 7, 16, 768 };
    size_t got[301], want[301];
    for (size_t r = 0; r < DH_COUNTOF(rates); r++)
        for (size_t f = 0; f < DH_COUNTOF(fps); f++)
            for (size_t n = 0; n < DH_COUNTOF(ns); n++)
                for (size_t m = 0; m < DH_COUNTOF(maxes); m++) {
                    size_t len =
                        rule_even(ns[n], rates[r], fps[f], maxes[m], got);
                    CHECK_INT(len, rule_as_published(ns[n], rates[r], fps[f],
                                                     maxes[m], want));
                    CHECK_MEM(got, want, len * sizeof(got[0]));
                }
}

/* A screen that stood still for long has few frames, and none is made up. */
static void test_rule_on_uneven_times(void)
{
    static const double times[] = { 0, 0.04, 0.5, 0.99, 1.0, 1.2, 60, 60.1 };
    static const size_t want[] = { 0, 4, 6, 7 };
    size_t idx[8];
    CHECK_INT(dh_video_rule(times, 8, 1, 100, idx), 4);
    CHECK_MEM(idx, want, sizeof(want));
    CHECK_INT(dh_video_rule(times, 1, 1, 100, idx), 1);
    CHECK_INT(idx[0], 0);
}

static void test_sample_reads_the_chosen_frames(void)
{
    enum { N = 60 }; // 25 a second
    video_make(64, 48, N, true);
    struct dh_video_sampling how = { .fps = 1, .max_frames = 768 };
    struct dh_video_sample s;
    CHECK_INT(dh_video_sample_read(&s, video_path(), &how), DH_OK);
    static const int want[] = { 0, 25, 50, 59 };
    CHECK_INT(s.n, 4);
    struct dh_source *original = synth(64, 48, N);
    struct dh_frame *f;
    for (int i = 0, k = 0; dh_source_grab(original, &f) == DH_OK; i++) {
        if (k < 4 && i == want[k]) {
            CHECK_INT(dh_frame_hash(s.frames[k]), dh_frame_hash(f));
            CHECK_NEAR(s.seconds[k], i / 25.0, 1e-9);
            CHECK_INT(s.frames[k]->time_ns, i * 40 * DH_MS);
            k++;
        }
        dh_frame_unref(f);
    }
    dh_source_destroy(original);
    dh_video_sample_finish(&s);

    how.max_frames = 2;
    CHECK_INT(dh_video_sample_read(&s, video_path(), &how), DH_OK);
    CHECK_INT(s.n, 2);
    CHECK_NEAR(s.seconds[0], 0, 1e-9);
    CHECK_NEAR(s.seconds[1], 59 / 25.0, 1e-9);
    dh_video_sample_finish(&s);

    how.max_frames = 768;
    how.max_pixels = 64 * 48 * 3;
    CHECK_INT(dh_video_sample_read(&s, video_path(), &how), DH_ERR_RANGE);
    how.max_frames = 1;
    CHECK_INT(dh_video_sample_read(&s, video_path(), &how), DH_ERR_RANGE);
    how = (struct dh_video_sampling){ .fps = (double)NAN, .max_frames = 4 };
    CHECK_INT(dh_video_sample_read(&s, video_path(), &how), DH_ERR_RANGE);
    how.fps = 1;
    CHECK_INT(dh_video_sample_read(&s, "/nonexistent", &how), DH_ERR_NOTFOUND);
}

DH_TESTS(DH_TEST(lossless_is_exact), DH_TEST(h264_is_close),
         DH_TEST(h264_keeps_colours), DH_TEST(odd_times_and_sizes),
         DH_TEST(create_refuses), DH_TEST(cut_short_still_plays),
         DH_TEST(damaged_file_does_no_harm), DH_TEST(full_disk_is_a_status),
         DH_TEST(what_is_no_video_is_refused),
         DH_TEST(rule_takes_one_a_second_and_the_last),
         DH_TEST(rule_is_that_by_frame_numbers), DH_TEST(rule_on_uneven_times),
         DH_TEST(sample_reads_the_chosen_frames));
