#include "capture/frame.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/thread.h"
#include "tests/dh_test.h"

static struct dh_frame *frame_of(struct dh_frame_pool *pool, int w, int h)
{
    struct dh_frame *f;
    CHECK_INT(dh_frame_create(&f, pool, w, h), DH_OK);
    memset(f->pixels, 0x5a, f->stride * (size_t)h);
    return f;
}

/* A pool that is destroyed first lives on until the last frame is back. */
static void test_pool_may_die_before_its_frames(void)
{
    struct dh_frame_pool *pool = dh_frame_pool_create(2);
    struct dh_frame *a = frame_of(pool, 31, 7), *b = frame_of(pool, 31, 7);
    dh_frame_publish(a);
    dh_frame_unref(a);
    dh_frame_pool_destroy(pool);
    CHECK_INT(*dh_frame_at(b, 30, 6), 0x5a);
    dh_frame_unref(b);
}

/* Pixels of a dead frame serve the next one of about its size. */
static void test_pool_keeps_pixels(void)
{
    struct dh_frame_pool *pool = dh_frame_pool_create(1);
    struct dh_frame *f = frame_of(pool, 200, 100);
    const uint8_t *pixels = f->pixels;
    dh_frame_unref(f);
    f = frame_of(pool, 190, 100);
    CHECK(f->pixels == pixels);
    CHECK_INT(f->width, 190);
    CHECK_INT(f->screen.w, 190);
    dh_frame_unref(f);
    long before = dh_mem_big_count();
    f = frame_of(pool, 400, 300);
    CHECK_INT(dh_mem_big_count(), before + 1);
    dh_frame_unref(f);
    dh_frame_pool_destroy(pool);
}

static void test_rows_are_aligned_and_far_corner_is_inside(void)
{
    struct dh_frame *f = frame_of(NULL, 17, 3);
    CHECK_INT(f->stride % 64, 0);
    CHECK_INT((uintptr_t)f->pixels % 64, 0);
    memset(dh_frame_at(f, 16, 2), 1, 4);
    CHECK_INT(dh_frame_at(f, 16, 2) - f->pixels, 2 * (int)f->stride + 64);
    dh_frame_unref(f);
}

static void test_create_refuses_sizes_and_survives_no_memory(void)
{
    static const int bad[][2] = {
        { 0, 5 }, { 5, 0 }, { -1, 5 }, { 32769, 1 }, { 1, 32769 },
    };
    struct dh_frame *f;
    for (size_t i = 0; i < DH_COUNTOF(bad); i++)
        CHECK_INT(dh_frame_create(&f, NULL, bad[i][0], bad[i][1]),
                  DH_ERR_RANGE);
    struct dh_frame_pool *pool = dh_frame_pool_create(1);
    dh_mem_fail_after(0);
    CHECK_INT(dh_frame_create(&f, pool, 100, 100), DH_ERR_NOMEM);
    dh_mem_fail_after(-1);
    dh_frame_unref(frame_of(pool, 100, 100));
    dh_frame_pool_destroy(pool);
}

/* Padding and the fourth byte are no part of the picture. */
static void test_hash_sees_visible_pixels_only(void)
{
    struct dh_frame *a = frame_of(NULL, 21, 5), *b = frame_of(NULL, 21, 5);
    memset(b->pixels, 0xee, b->stride * 5);
    for (int y = 0; y < 5; y++)
        for (int x = 0; x < 21; x++)
            memcpy(dh_frame_at(b, x, y), dh_frame_at(a, x, y), 3);
    CHECK_INT(dh_frame_hash(a), dh_frame_hash(b));
    for (int c = 0; c < 3; c++) {
        for (int x = 0; x < 21; x++) {
            dh_frame_at(b, x, 4)[c] ^= 1;
            CHECK(dh_frame_hash(a) != dh_frame_hash(b));
            dh_frame_at(b, x, 4)[c] ^= 1;
        }
    }
    CHECK_INT(dh_frame_hash(a), dh_frame_hash(b));
    dh_frame_unref(a);
    dh_frame_unref(b);
}

static void test_hash_tells_sizes_and_moved_pixels_apart(void)
{
    struct dh_frame *a = frame_of(NULL, 20, 10), *b = frame_of(NULL, 10, 20);
    CHECK(dh_frame_hash(a) != dh_frame_hash(b));
    uint64_t before = dh_frame_hash(a);
    memset(dh_frame_at(a, 3, 3), 0, 4);
    uint64_t first = dh_frame_hash(a);
    memset(dh_frame_at(a, 3, 3), 0x5a, 4);
    memset(dh_frame_at(a, 4, 3), 0, 4);
    CHECK(first != before);
    CHECK(first != dh_frame_hash(a));
    dh_frame_unref(a);
    dh_frame_unref(b);
}

/* Drawing into a published frame ends a debug build; others do not look. */
static void test_frozen_frame_is_checked(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        close(2);
        struct dh_frame *f = frame_of(NULL, 8, 8);
        dh_frame_publish(f);
        dh_frame_at(f, 7, 7)[1] ^= 1;
        dh_frame_unref(f);
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
#ifdef DH_DEBUG
    CHECK(WIFSIGNALED(status));
    CHECK_INT(WTERMSIG(status), SIGABRT);
#else
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 0);
#endif
}

static void many_refs(void *arg)
{
    struct dh_frame *f = arg;
    for (int i = 0; i < 20000; i++)
        dh_frame_unref(dh_frame_ref(f));
    dh_frame_unref(f);
}

static void test_refs_count_from_many_threads(void)
{
    struct dh_frame_pool *pool = dh_frame_pool_create(0);
    struct dh_frame *f = frame_of(pool, 64, 64);
    dh_frame_publish(f);
    struct dh_thread threads[4] = { 0 };
    for (size_t i = 0; i < DH_COUNTOF(threads); i++)
        CHECK_INT(
            dh_thread_start(&threads[i], "refs", many_refs, dh_frame_ref(f)),
            DH_OK);
    dh_frame_unref(f);
    dh_frame_pool_destroy(pool);
    for (size_t i = 0; i < DH_COUNTOF(threads); i++)
        dh_thread_join(&threads[i]);
}

DH_TESTS(DH_TEST(pool_may_die_before_its_frames), DH_TEST(pool_keeps_pixels),
         DH_TEST(rows_are_aligned_and_far_corner_is_inside),
         DH_TEST(create_refuses_sizes_and_survives_no_memory),
         DH_TEST(hash_sees_visible_pixels_only),
         DH_TEST(hash_tells_sizes_and_moved_pixels_apart),
         DH_TEST(frozen_frame_is_checked),
         DH_TEST(refs_count_from_many_threads));
