// Weights in a given memory: the same numbers, no more memory, and what happens
// where the files cannot be read.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "model/quantize.h"
#include "tests/dh_test.h"
#include "tests/model/tiny.h"

enum { TOKENS = 16 };

// Rows of whole blocks for every format, and experts of more than one block of
// the disk.
static const char *const wide[] = { "\"intermediate_size\": 32,",
                                    "\"intermediate_size\": 96,",
                                    "\"shared_intermediate_size\": 40",
                                    "\"shared_intermediate_size\": 96", NULL };

static void write_wide(const char *dir, enum dh_checkpoint_names names,
                       struct dh_checkpoint_spec spec)
{
    char *config = dh_checkpoint_edit(dh_checkpoint_config, wide);
    spec.config = config;
    spec.names = names;
    CHECK_INT(dh_path_mkdirs(dir), DH_OK);
    dh_checkpoint_write(dir, &spec);
    dh_free(config);
}

static char said[512];

static void remember(void *user, enum dh_log_level level, const char *tag,
                     const char *text)
{
    (void)user;
    (void)tag;
    if (level <= DH_LOG_WARN)
        snprintf(said, sizeof(said), "%s", text);
}

static bool fits(const char *dir, int64_t memory)
{
    struct dh_model_options o = { .memory_bytes = memory };
    struct dh_model *m;
    enum dh_status st = dh_model_create(&m, dir, &o);
    CHECK(st == DH_OK || st == DH_ERR_RANGE);
    if (!st)
        dh_model_destroy(m);
    return !st;
}

// The least memory that a checkpoint works with, to a block: less than a room.
static int64_t least_of(const char *dir)
{
    int64_t low = 0, high = (int64_t)1 << 22;
    dh_log_set_hook(remember, NULL);
    CHECK(fits(dir, high));
    while (high - low > 4096) {
        int64_t middle = (low + high) / 2;
        if (fits(dir, middle))
            high = middle;
        else
            low = middle;
    }
    CHECK(strstr(said, "the least that works is"));
    dh_log_set_hook(NULL, NULL);
    return high;
}

// What a pass over all and then token by token gives.
static float *logits_of(struct dh_tiny *t)
{
    int32_t ids[TOKENS];
    float *out;
    size_t vocab = (size_t)t->vocab, half = TOKENS / 2;
    dh_tiny_ids(7, ids, TOKENS);
    dh_array(out, TOKENS * vocab);
    memcpy(out, dh_tiny_feed(t, ids, half, NULL, 0),
           half * vocab * sizeof(*out));
    for (size_t i = half; i < TOKENS; i++)
        memcpy(out + i * vocab, dh_tiny_feed(t, ids + i, 1, NULL, 0),
               vocab * sizeof(*out));
    return out;
}

static void check_same(const char *dir, const char *kernels)
{
    struct dh_tiny t;
    struct dh_model_reads r;
    dh_tiny_open(&t, &(struct dh_tiny_spec){ .dir = dir, .kernels = kernels });
    CHECK(!dh_model_get_reads(t.model, &r));
    float *want = logits_of(&t);
    size_t bytes = TOKENS * (size_t)t.vocab * sizeof(*want);
    dh_tiny_close(&t);

    int64_t least = least_of(dir);
    const int64_t budgets[] = { least, least + least / 4, (int64_t)1 << 26 };
    for (size_t i = 0; i < 2 * DH_COUNTOF(budgets); i++) {
        struct dh_tiny_spec spec = { .dir = dir,
                                     .kernels = kernels,
                                     .threads = i % 2 ? 3 : 1,
                                     .chunk = i % 2 ? 7 : 0,
                                     .memory = budgets[i / 2] };
        dh_tiny_open(&t, &spec);
        float *got = logits_of(&t);
        CHECK_MEM(got, want, bytes);
        CHECK(dh_model_get_reads(t.model, &r));
        CHECK_INT(r.budget_bytes, spec.memory);
        CHECK(r.misses > 0 && r.bytes > 0);
        // Where all fit, each is read once: 8 of 4 layers.
        CHECK(i / 2 == 2 ? r.misses <= 32 && r.hits > 50 : r.misses > 32);
        dh_free(got);
        dh_tiny_close(&t);
    }
    dh_free(want);
}

static void test_numbers_are_those_of_the_map(void)
{
    static const struct {
        const char *name;
        enum dh_checkpoint_names names;
        struct dh_checkpoint_spec spec;
    } rows[] = {
        { "bf16 in shards",
          DH_CHECKPOINT_RELEASED,
          { .dtype = DH_BF16, .shards = 5 } },
        { "stacked", DH_CHECKPOINT_TRANSFORMERS, { .dtype = DH_F32 } },
        { "unaligned",
          DH_CHECKPOINT_TEXT_ONLY,
          { .dtype = DH_BF16, .unaligned = true } },
        { "mxfp8", DH_CHECKPOINT_RELEASED, { .mxfp8 = true, .shards = 2 } },
    };
    for (size_t i = 0; i < DH_COUNTOF(rows); i++) {
        char *dir = dh_test_path(rows[i].name);
        printf("%s\n", rows[i].name);
        write_wide(dir, rows[i].names, rows[i].spec);
        check_same(dir, "float32");
        dh_free(dir);
    }
}

static void test_numbers_of_quantised_weights_are_too(void)
{
    static const struct {
        const char *name;
        enum dh_dtype to;
    } rows[] = {
        { "q8.gguf", DH_Q8_0 },
        { "q4.gguf", DH_Q4_0 },
        { "mx.gguf", DH_MXFP4 },
        { "nvfp4", DH_NVFP4 },
    };
    char *from = dh_test_path("source");
    write_wide(from, DH_CHECKPOINT_RELEASED,
               (struct dh_checkpoint_spec){ .dtype = DH_BF16 });
    CHECK(dh_log_set_levels("error"));
    for (size_t i = 0; i < DH_COUNTOF(rows); i++) {
        struct dh_quantize_options o = { .to = rows[i].to };
        char *to = dh_test_path(rows[i].name);
        printf("%s\n", rows[i].name);
        CHECK_INT(dh_quantize(from, to, &o), DH_OK);
        check_same(to, "auto");
        dh_free(to);
    }
    dh_free(from);
}

static char *open_least(struct dh_tiny *t, int threads)
{
    char *dir = dh_test_path("m");
    write_wide(dir, DH_CHECKPOINT_RELEASED,
               (struct dh_checkpoint_spec){ .dtype = DH_BF16 });
    struct dh_tiny_spec spec = { .dir = dir,
                                 .threads = threads,
                                 .memory = least_of(dir) };
    dh_tiny_open(t, &spec);
    return dir;
}

struct guest {
    struct dh_thread thread;
    struct dh_tiny tiny; // a session of its own
    float *logits;
};

static void guest_main(void *arg)
{
    struct guest *g = arg;
    g->logits = logits_of(&g->tiny);
}

/* Two rooms, five sessions: each gets on, and has the numbers of one alone. */
static void test_sessions_share_two_rooms(void)
{
    struct guest guests[5] = { 0 };
    struct dh_tiny t;
    char *dir = open_least(&t, 3);
    float *want = logits_of(&t);
    for (size_t i = 0; i < DH_COUNTOF(guests); i++) {
        guests[i].tiny = t;
        guests[i].tiny.session = NULL;
        guests[i].tiny.logits = NULL;
        dh_tiny_restart(&guests[i].tiny, i % 2 ? 3 : 0, 0);
        CHECK_INT(
            dh_thread_start(&guests[i].thread, "guest", guest_main, &guests[i]),
            DH_OK);
    }
    for (size_t i = 0; i < DH_COUNTOF(guests); i++) {
        dh_thread_join(&guests[i].thread);
        CHECK_MEM(guests[i].logits, want,
                  TOKENS * (size_t)t.vocab * sizeof(*want));
        dh_free(guests[i].logits);
        dh_free(guests[i].tiny.logits);
        dh_session_destroy(guests[i].tiny.session);
    }
    dh_free(want);
    dh_tiny_close(&t);
    dh_free(dir);
}

// The descriptor that this process has on a file.
static int descriptor_of(const char *path)
{
    struct stat want, got;
    CHECK_INT(stat(path, &want), 0);
    for (int fd = 3; fd < 256; fd++)
        if (fstat(fd, &got) == 0 && got.st_ino == want.st_ino &&
            got.st_dev == want.st_dev)
            return fd;
    CHECK(false);
    return -1;
}

static void feed_fails(struct dh_tiny *t, const char *path, const char *why)
{
    static const int32_t ids[] = { 9, 8, 7 };
    size_t len = dh_session_len(t->session);
    said[0] = '\0';
    dh_log_set_hook(remember, NULL);
    CHECK_INT(dh_session_feed(t->session, ids, 3, NULL, 0), DH_ERR_IO);
    dh_log_set_hook(NULL, NULL);
    CHECK(strstr(said, path));
    CHECK(strstr(said, why));
    CHECK_INT(dh_session_len(t->session), len);
}

/* A disk that fails, a file that is cut short: an error that says so; and when
 * it is whole again, the session goes on. */
static void test_a_session_outlives_a_failing_disk(void)
{
    struct dh_tiny t;
    char *dir = open_least(&t, 2);
    char *path = dh_path_join(dir, "model.safetensors"), *bytes;
    float *want = logits_of(&t);
    size_t len;
    CHECK_INT(dh_file_read(path, 1 << 24, &bytes, &len), DH_OK);

    // A page that is not there is EIO in this file.
    int fd = descriptor_of(path), kept = dup(fd);
    int bad = open("/proc/self/mem", O_RDONLY);
    CHECK(kept >= 0 && bad >= 0);
    CHECK_INT(dup2(bad, fd), fd);
    feed_fails(&t, path, strerror(EIO));
    feed_fails(&t, path, strerror(EIO));
    CHECK_INT(dup2(kept, fd), fd);
    dh_session_rewind(t.session, 0);
    float *got = logits_of(&t);
    CHECK_MEM(got, want, TOKENS * (size_t)t.vocab * sizeof(*want));
    dh_free(got);

    CHECK_INT(truncate(path, 4096), 0);
    feed_fails(&t, path, "cut short");
    int again = open(path, O_WRONLY);
    CHECK_INT(write(again, bytes, len), len);
    dh_session_rewind(t.session, 0);
    got = logits_of(&t);
    CHECK_MEM(got, want, TOKENS * (size_t)t.vocab * sizeof(*want));

    dh_free(got);
    dh_free(want);
    close(again);
    close(bad);
    close(kept);
    dh_big_free(bytes);
    dh_tiny_close(&t);
    dh_free(path);
    dh_free(dir);
}

/* One disk for all that go together: it fails for all of them, and the experts
 * that they chose are read once. */
static void test_sessions_of_a_pass_share_the_disk(void)
{
    struct dh_tiny t;
    char *dir = open_least(&t, 2);
    char *path = dh_path_join(dir, "model.safetensors");
    static const int32_t ids[][3] = { { 9, 8, 7 }, { 5, 6, 9 }, { 1, 2, 3 } };
    struct dh_session *s[3];
    struct dh_session_turn turns[3];
    size_t bytes = (size_t)t.vocab * sizeof(float);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(dh_session_create(&s[i], t.model, NULL), DH_OK);
        turns[i] = (struct dh_session_turn){ s[i], ids[i], 3, DH_OK };
    }
    int fd = descriptor_of(path), kept = dup(fd);
    int bad = open("/proc/self/mem", O_RDONLY);
    CHECK(kept >= 0 && bad >= 0);
    CHECK_INT(dup2(bad, fd), fd);
    said[0] = '\0';
    dh_log_set_hook(remember, NULL);
    dh_session_feed_together(turns, 3);
    dh_log_set_hook(NULL, NULL);
    CHECK(strstr(said, path));
    CHECK_INT(dup2(kept, fd), fd);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(turns[i].status, DH_ERR_IO);
        CHECK_INT(dh_session_len(s[i]), 0);
    }
    dh_session_feed_together(turns, 3);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(turns[i].status, DH_OK);
        dh_session_rewind(t.session, 0);
        CHECK_INT(dh_session_feed(t.session, ids[i], 3, NULL, 0), DH_OK);
        CHECK_MEM(dh_session_logits(s[i]), dh_session_logits(t.session), bytes);
        dh_session_destroy(s[i]);
    }
    close(bad);
    close(kept);
    dh_tiny_close(&t);
    dh_free(path);
    dh_free(dir);
}

static void test_a_stop_is_heeded_at_once(void)
{
    static const int32_t ids[] = { 9, 8, 7 };
    struct dh_cancel cancel = { 0 };
    struct dh_tiny t;
    char *dir = open_least(&t, 1);
    struct dh_session_options o = { .cancel = &cancel };
    dh_session_destroy(t.session);
    CHECK_INT(dh_session_create(&t.session, t.model, &o), DH_OK);
    dh_cancel_set(&cancel);
    CHECK_INT(dh_session_feed(t.session, ids, 3, NULL, 0), DH_ERR_CANCELLED);
    dh_cancel_clear(&cancel);
    CHECK_INT(dh_session_feed(t.session, ids, 3, NULL, 0), DH_OK);
    dh_tiny_close(&t);
    dh_free(dir);
}

// Memory of this process, in bytes: its own and that of maps.
static int64_t resident(void)
{
    char *text, *at;
    size_t len;
    CHECK_INT(dh_file_read("/proc/self/status", 1 << 16, &text, &len), DH_OK);
    at = strstr(text, "VmRSS:");
    CHECK(at);
    int64_t kib = strtol(at + 6, NULL, 10);
    dh_big_free(text);
    return kib * 1024;
}

/* 51 MB of experts and a budget of a few: what a pass over all of them adds to
 * this process is no more than the budget and the session. */
static void test_memory_is_not_more_than_was_given(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    dh_test_skip("a sanitizer has memory of its own");
#endif
    static const char *const large[] = { "\"hidden_size\": 64, ",
                                         "\"hidden_size\": 256, ",
                                         "\"intermediate_size\": 32,",
                                         "\"intermediate_size\": 512,",
                                         "\"num_local_experts\": 8",
                                         "\"num_local_experts\": 16",
                                         "\"projection_dim\": 64",
                                         "\"projection_dim\": 256",
                                         NULL };
    char *dir = dh_test_path("large");
    char *config = dh_checkpoint_edit(dh_checkpoint_config, large);
    struct dh_checkpoint_spec spec = { .config = config,
                                       .names = DH_CHECKPOINT_TEXT_ONLY,
                                       .dtype = DH_BF16 };
    CHECK_INT(dh_path_mkdirs(dir), DH_OK);
    dh_checkpoint_write(dir, &spec);
    const int64_t budget = 8 << 20, session = 6 << 20;
    int64_t before = resident();
    struct dh_tiny t;
    struct dh_model_reads r;
    dh_tiny_open(&t, &(struct dh_tiny_spec){
                         .dir = dir, .max_tokens = 64, .memory = budget });
    dh_free(logits_of(&t));
    CHECK(dh_model_get_reads(t.model, &r));
    CHECK(r.bytes > 16 << 20);
    printf("%.1f MB more, of %.1f\n", (double)(resident() - before) / 1e6,
           (double)dh_model_get_info(t.model)->weight_bytes / 1e6);
    CHECK(resident() - before < budget + session);
    dh_tiny_close(&t);
    dh_free(config);
    dh_free(dir);
}

DH_TESTS(DH_TEST(numbers_are_those_of_the_map),
         DH_TEST(numbers_of_quantised_weights_are_too),
         DH_TEST(sessions_share_two_rooms),
         DH_TEST(a_session_outlives_a_failing_disk),
         DH_TEST(sessions_of_a_pass_share_the_disk),
         DH_TEST(a_stop_is_heeded_at_once),
         DH_TEST(memory_is_not_more_than_was_given));
