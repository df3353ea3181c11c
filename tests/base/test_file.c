#include <dirent.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/thread.h"
#include "tests/dh_test.h"

static void check_content(const char *path, const char *want)
{
    char *data;
    size_t len;
    CHECK_INT(dh_file_read(path, 1 << 20, &data, &len), DH_OK);
    CHECK_STR(data, want);
    CHECK_INT(len, strlen(want));
    dh_big_free(data);
}

static int entries_in(const char *path)
{
    int n = 0;
    DIR *d = opendir(path);
    CHECK(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2; // "." and ".."
}

static void test_write_replaces_whole_and_leaves_nothing_beside(void)
{
    char *path = dh_test_path("f");
    CHECK_INT(dh_file_write(path, "old and longer", 14), DH_OK);
    CHECK_INT(dh_file_write(path, "new", 3), DH_OK);
    check_content(path, "new");
    CHECK_INT(dh_file_write(path, NULL, 0), DH_OK);
    check_content(path, "");
    CHECK_INT(entries_in(dh_test_dir()), 1);
    dh_free(path);
}

// A limit on file sizes stands for a full disk: the write stops half-way.
static void test_write_on_a_full_disk_keeps_the_old_file(void)
{
    static char big[100000];
    char *path = dh_test_path("f");
    CHECK_INT(dh_file_write(path, "old", 3), DH_OK);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit, small;
    CHECK_INT(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = limit;
    small.rlim_cur = 5000;
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &small), 0);
    CHECK_INT(dh_file_write(path, big, sizeof(big)), DH_ERR_IO);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
    check_content(path, "old");
    CHECK_INT(entries_in(dh_test_dir()), 1);
    dh_free(path);
}

static void test_write_into_no_folder_is_not_found(void)
{
    char *path = dh_test_path("none/f");
    CHECK_INT(dh_file_write(path, "x", 1), DH_ERR_NOTFOUND);
    dh_free(path);
}

static void test_read_holds_its_limit(void)
{
    char *path = dh_test_path("f"), *data = NULL;
    size_t len = 7;
    CHECK_INT(dh_file_write(path, "12345", 5), DH_OK);
    CHECK_INT(dh_file_read(path, 4, &data, &len), DH_ERR_RANGE);
    CHECK(!data && len == 7);
    CHECK_INT(dh_file_read(path, 5, &data, &len), DH_OK);
    CHECK_INT(len, 5);
    CHECK_STR(data, "12345");
    dh_big_free(data);
    dh_free(path);
}

static void test_read_says_what_is_wrong(void)
{
    char *data;
    size_t len;
    char *missing = dh_test_path("missing");
    CHECK_INT(dh_file_read(missing, 10, &data, &len), DH_ERR_NOTFOUND);
    CHECK_INT(dh_file_read(dh_test_dir(), 10, &data, &len), DH_ERR_IO);
    dh_free(missing);
}

// Files in /proc tell no size, and /dev/zero has no end.
static void test_read_copes_with_files_without_a_size(void)
{
    char *data;
    size_t len;
    CHECK_INT(dh_file_read("/proc/self/maps", 1 << 24, &data, &len), DH_OK);
    CHECK(len > 100);
    CHECK_INT(len, strlen(data));
    dh_big_free(data);
    CHECK_INT(dh_file_read("/proc/self/maps", 50, &data, &len), DH_ERR_RANGE);
    CHECK_INT(dh_file_read("/dev/zero", 100000, &data, &len), DH_ERR_RANGE);
}

static void test_read_survives_each_failing_allocation(void)
{
    long failures = 0;
    for (long n = 0;; n++) {
        char *data = NULL;
        size_t len;
        long before = dh_mem_big_count();
        dh_mem_fail_after(n);
        enum dh_status st = dh_file_read("/dev/zero", 20000, &data, &len);
        dh_mem_fail_after(-1);
        if (dh_mem_big_count() - before <= n) {
            CHECK_INT(st, DH_ERR_RANGE);
            break;
        }
        CHECK_INT(st, DH_ERR_NOMEM);
        CHECK(!data);
        failures++;
    }
    CHECK(failures >= 2);
}

static void test_map_shows_the_bytes(void)
{
    char *path = dh_test_path("f"), *empty = dh_test_path("empty");
    struct dh_map map = { 0 };
    dh_map_close(&map);
    CHECK_INT(dh_file_write(path, "bytes", 5), DH_OK);
    CHECK_INT(dh_file_write(empty, "", 0), DH_OK);
    CHECK_INT(dh_map_open(&map, empty), DH_ERR_FORMAT);
    CHECK_INT(dh_map_open(&map, dh_test_dir()), DH_ERR_IO);
    CHECK_INT(dh_map_open(&map, "/dev/zero"), DH_ERR_FORMAT);
    CHECK(!map.data);
    CHECK_INT(dh_map_open(&map, path), DH_OK);
    CHECK_INT(map.len, 5);
    CHECK_MEM(map.data, "bytes", 5);
    // A file that is replaced does not change under the map.
    CHECK_INT(dh_file_write(path, "other", 5), DH_OK);
    CHECK_MEM(map.data, "bytes", 5);
    dh_map_close(&map);
    CHECK(!map.data);
    dh_free(path);
    dh_free(empty);
}

static void check_join(const char *a, const char *b, const char *want)
{
    char *got = dh_path_join(a, b);
    CHECK_STR(got, want);
    dh_free(got);
}

static void check_dir(const char *path, const char *want)
{
    char *got = dh_path_dir(path);
    CHECK_STR(got, want);
    dh_free(got);
}

static void test_paths_join_and_split(void)
{
    check_join("a", "b", "a/b");
    check_join("a/", "b", "a/b");
    check_join("/", "b", "/b");
    check_join("", "b", "b");
    check_join("a", "/b", "/b");
    check_dir("a/b", "a");
    check_dir("a//b/", "a");
    check_dir("/a", "/");
    check_dir("/", "/");
    check_dir("a", ".");
    check_dir("", ".");
}

// A file of n pages of ones, mapped.
static void map_of_ones(const char *path, size_t n, struct dh_map *map)
{
    size_t len = n * (size_t)sysconf(_SC_PAGESIZE);
    char *ones = dh_zalloc(len);
    memset(ones, 1, len);
    CHECK_INT(dh_file_write(path, ones, len), DH_OK);
    CHECK_INT(dh_map_open(map, path), DH_OK);
    CHECK(!dh_map_is_lost(map));
    dh_free(ones);
}

static void read_last(void *arg)
{
    const struct dh_map *map = arg;
    CHECK_INT(map->data[map->len - 1], 0);
}

static void test_map_of_a_file_cut_short_is_lost_and_nothing_else(void)
{
    char *a = dh_test_path("a"), *b = dh_test_path("b");
    struct dh_map cut, whole;
    struct dh_thread thread = { 0 };
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    map_of_ones(a, 4, &cut);
    map_of_ones(b, 4, &whole);
    CHECK_INT(truncate(a, (off_t)page), 0);
    CHECK(!dh_map_is_lost(&cut));
    // Where all signals are blocked, too.
    CHECK_INT(dh_thread_start(&thread, "reader", read_last, &cut), DH_OK);
    dh_thread_join(&thread);
    CHECK(dh_map_is_lost(&cut));
    CHECK_INT(cut.data[0], 1);
    CHECK_INT(cut.data[2 * page], 0);
    CHECK(dh_map_is_lost(&cut));
    CHECK(!dh_map_is_lost(&whole));
    CHECK_INT(whole.data[whole.len - 1], 1);
    dh_map_close(&cut);
    map_of_ones(a, 1, &cut); // in the same place of the list
    dh_map_close(&cut);
    dh_map_close(&whole);
    CHECK(!dh_map_is_lost(&whole));
    dh_free(a);
    dh_free(b);
}

static void test_mkdirs_makes_parents_once(void)
{
    char *path = dh_test_path("a/b//c/"), *file = dh_test_path("f"),
         *below = dh_test_path("f/x");
    CHECK_INT(dh_path_mkdirs(path), DH_OK);
    CHECK_INT(dh_path_mkdirs(path), DH_OK);
    CHECK(dh_path_is_dir(path));
    CHECK(dh_path_exists(path));
    CHECK_INT(dh_file_write(file, "x", 1), DH_OK);
    CHECK(!dh_path_is_dir(file));
    CHECK(dh_path_exists(file));
    CHECK_INT(dh_path_mkdirs(file), DH_ERR_IO);
    CHECK(dh_path_mkdirs(below) != DH_OK);
    CHECK_INT(dh_path_mkdirs(""), DH_ERR_NOTFOUND);
    CHECK_INT(dh_path_mkdirs("/"), DH_OK);
    dh_free(path);
    dh_free(file);
    dh_free(below);
}

static void test_remove_takes_all_and_follows_no_link(void)
{
    char *dir = dh_test_path("d"), *in = dh_test_path("d/e/f"),
         *link = dh_test_path("d/e/link"), *kept = dh_test_path("kept");
    CHECK_INT(dh_path_mkdirs(in), DH_OK);
    CHECK_INT(dh_path_mkdirs(kept), DH_OK);
    CHECK_INT(symlink(kept, link), 0);
    CHECK_INT(dh_path_remove(dir), DH_OK);
    CHECK(!dh_path_exists(dir));
    CHECK(dh_path_is_dir(kept));
    CHECK_INT(dh_path_remove(dir), DH_OK);
    dh_free(dir);
    dh_free(in);
    dh_free(link);
    dh_free(kept);
}

DH_TESTS(DH_TEST(write_replaces_whole_and_leaves_nothing_beside),
         DH_TEST(write_on_a_full_disk_keeps_the_old_file),
         DH_TEST(write_into_no_folder_is_not_found),
         DH_TEST(read_holds_its_limit), DH_TEST(read_says_what_is_wrong),
         DH_TEST(read_copes_with_files_without_a_size),
         DH_TEST(read_survives_each_failing_allocation),
         DH_TEST(map_shows_the_bytes),
         DH_TEST(map_of_a_file_cut_short_is_lost_and_nothing_else),
         DH_TEST(paths_join_and_split), DH_TEST(mkdirs_makes_parents_once),
         DH_TEST(remove_takes_all_and_follows_no_link));
