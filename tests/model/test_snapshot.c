// A timeline in a file: whole, damaged, of another model.
#include "model/session.h"

#include <dirent.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "tests/dh_test.h"
#include "tests/model/tiny.h"

#define N 113

static int32_t ids[N];

static void quiet(void *user, enum dh_log_level level, const char *tag,
                  const char *text)
{
    (void)user;
    (void)level;
    (void)tag;
    (void)text;
}

// The first n ids, with a picture among them, in a file of the test.
static char *saved(struct dh_tiny *t, size_t n, struct dh_patches *p)
{
    char *path = dh_test_path("cache");
    struct dh_session_image image = { p, 250, 0 };
    dh_tiny_patches(1, 1, 4, 6, p);
    dh_tiny_ids(7, ids, N);
    for (int i = 10; i < 16; i++)
        ids[i] = 250;
    CHECK_INT(dh_session_feed(t->session, ids, n, &image, 1), DH_OK);
    CHECK_INT(dh_session_save(t->session, path), DH_OK);
    return path;
}

static void continue_with(const char *kernels, int max_tokens, size_t want)
{
    struct dh_tiny a, b;
    struct dh_patches p;
    struct stat info;
    size_t reused;
    dh_tiny_open(&a, &(struct dh_tiny_spec){ .kernels = kernels });
    char *path = saved(&a, 80, &p);
    CHECK_INT(stat(path, &info), 0);
    CHECK_INT(info.st_mode & 0777, 0600);
    struct dh_session_image image = { &p, 250, 0 };
    // As another process: nothing is shared but the file.
    dh_tiny_open(&b, &(struct dh_tiny_spec){ .kernels = kernels,
                                             .max_tokens = max_tokens });
    CHECK_INT(dh_session_load(b.session, path), DH_OK);
    CHECK_INT(dh_session_len(b.session), want);
    CHECK(!dh_session_logits(b.session));
    size_t n = max_tokens ? (size_t)max_tokens : N;
    CHECK_INT(dh_session_set(b.session, ids, n, &image, 1, &reused), DH_OK);
    CHECK_INT(reused, DH_MIN(want, n - 1));
    struct dh_session_stats stats;
    dh_session_get_stats(b.session, &stats);
    CHECK_INT(stats.image_tokens, 0);
    CHECK_INT(dh_session_set(a.session, ids, n, &image, 1, NULL), DH_OK);
    CHECK_MEM(dh_session_logits(b.session), dh_session_logits(a.session),
              (size_t)a.vocab * sizeof(float));
    dh_patches_finish(&p);
    dh_free(path);
    dh_tiny_close(&a);
    dh_tiny_close(&b);
}

static void test_another_process_goes_on_where_it_was(void)
{
    continue_with(NULL, 0, 80);
    continue_with("ref", 0, 80);
}

// A cache with less room takes what fits.
static void test_a_smaller_cache_takes_the_beginning(void)
{
    continue_with(NULL, 50, 50);
}

static void test_damage_is_found(void)
{
    struct dh_tiny a, b;
    struct dh_patches p;
    dh_tiny_open(&a, &(struct dh_tiny_spec){ 0 });
    dh_tiny_open(&b, &(struct dh_tiny_spec){ 0 });
    char *path = saved(&a, 40, &p), *bad = dh_test_path("bad"), *data;
    size_t len;
    CHECK_INT(dh_file_read(path, 1 << 26, &data, &len), DH_OK);
    dh_log_set_hook(quiet, NULL);
    // Cut anywhere, and one bit anywhere.
    for (size_t at = 0; at < len; at += at < 600 ? 7 : 4999) {
        CHECK_INT(dh_file_write(bad, data, at), DH_OK);
        CHECK_INT(dh_session_load(b.session, bad), DH_ERR_FORMAT);
        CHECK_INT(dh_session_len(b.session), 0);
        data[at] ^= 1;
        CHECK_INT(dh_file_write(bad, data, len), DH_OK);
        CHECK_INT(dh_session_load(b.session, bad), DH_ERR_FORMAT);
        data[at] ^= 1;
    }
    dh_log_set_hook(NULL, NULL);
    // Nothing of it stays.
    CHECK_INT(dh_session_feed(b.session, ids + 20, 20, NULL, 0), DH_OK);
    dh_tiny_restart(&a, 0, 0);
    CHECK_INT(dh_session_feed(a.session, ids + 20, 20, NULL, 0), DH_OK);
    CHECK_MEM(dh_session_logits(b.session), dh_session_logits(a.session),
              (size_t)a.vocab * sizeof(float));
    dh_big_free(data);
    dh_free(path);
    dh_free(bad);
    dh_patches_finish(&p);
    dh_tiny_close(&a);
    dh_tiny_close(&b);
}

static void test_another_model_is_refused(void)
{
    static const char *const edits[] = { "\"sparse_topk_blocks\": 4",
                                         "\"sparse_topk_blocks\": 2", NULL };
    struct dh_tiny a, other, half;
    struct dh_patches p;
    dh_tiny_open(&a, &(struct dh_tiny_spec){ 0 });
    char *path = saved(&a, 40, &p);
    dh_tiny_open(&other, &(struct dh_tiny_spec){ .edits = edits });
    dh_tiny_open(&half, &(struct dh_tiny_spec){ .dtype = DH_BF16 });
    dh_log_set_hook(quiet, NULL);
    CHECK_INT(dh_session_load(other.session, path), DH_ERR_FORMAT);
    CHECK_INT(dh_session_load(half.session, path), DH_ERR_FORMAT);
    dh_log_set_hook(NULL, NULL);
    dh_patches_finish(&p);
    dh_free(path);
    dh_tiny_close(&a);
    dh_tiny_close(&other);
    dh_tiny_close(&half);
}

static void test_no_file_changes_nothing(void)
{
    struct dh_tiny t;
    char *none = dh_test_path("none"), *nowhere = dh_test_path("no/where");
    dh_tiny_open(&t, &(struct dh_tiny_spec){ 0 });
    dh_tiny_ids(7, ids, N);
    CHECK_INT(dh_session_feed(t.session, ids, 20, NULL, 0), DH_OK);
    CHECK_INT(dh_session_load(t.session, none), DH_ERR_NOTFOUND);
    CHECK_INT(dh_session_len(t.session), 20);
    CHECK(dh_session_logits(t.session));
    dh_log_set_hook(quiet, NULL);
    CHECK(dh_session_save(t.session, nowhere) != DH_OK);
    CHECK_INT(dh_session_load(t.session, dh_test_dir()), DH_ERR_FORMAT);
    dh_log_set_hook(NULL, NULL);
    dh_free(none);
    dh_free(nowhere);
    dh_tiny_close(&t);
}

static int entries(void)
{
    DIR *d = opendir(dh_test_dir());
    int n = 0;
    CHECK(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

// The disk is full: the cache of before stays, and so does the session.
static void test_no_space_for_it_loses_nothing(void)
{
    struct dh_tiny a, b;
    struct dh_patches p;
    struct stat info;
    dh_tiny_open(&a, &(struct dh_tiny_spec){ 0 });
    dh_tiny_open(&b, &(struct dh_tiny_spec){ 0 });
    char *path = saved(&a, 40, &p);
    CHECK_INT(stat(path, &info), 0);
    int before = entries();
    const struct rlimit little = { (rlim_t)info.st_size / 2, RLIM_INFINITY };
    const struct rlimit enough = { RLIM_INFINITY, RLIM_INFINITY };
    CHECK_INT(dh_session_feed(a.session, ids + 40, 20, NULL, 0), DH_OK);
    signal(SIGXFSZ, SIG_IGN);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &little), 0);
    dh_log_set_hook(quiet, NULL);
    CHECK_INT(dh_session_save(a.session, path), DH_ERR_IO);
    dh_log_set_hook(NULL, NULL);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &enough), 0);
    CHECK_INT(dh_session_len(a.session), 60);
    CHECK_INT(dh_session_load(b.session, path), DH_OK);
    CHECK_INT(dh_session_len(b.session), 40);
    CHECK_INT(entries(), before); // nothing half-written beside it
    dh_patches_finish(&p);
    dh_free(path);
    dh_tiny_close(&a);
    dh_tiny_close(&b);
}

DH_TESTS(DH_TEST(no_space_for_it_loses_nothing),
         DH_TEST(another_process_goes_on_where_it_was),
         DH_TEST(a_smaller_cache_takes_the_beginning), DH_TEST(damage_is_found),
         DH_TEST(another_model_is_refused), DH_TEST(no_file_changes_nothing));
