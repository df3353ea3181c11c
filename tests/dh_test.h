/*
 * tests/dh_test.h - tables of tests.
 *
 * A file ends with DH_TESTS(DH_TEST(name), ...), where `test_name` is a static
 * void function. The runner gives each test a process of its own and a time
 * limit. A failed CHECK prints both values and ends the test.
 */
#ifndef DH_TESTS_DH_TEST_H
#define DH_TESTS_DH_TEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct dh_test {
    const char *name;
    void (*run)(void);
};

void dh_test_register(const char *file, const struct dh_test *tests, size_t n);

/* All print and end the test's process. */
void dh_check_failed(const char *file, int line, const char *what);
void dh_check_int(const char *file, int line, const char *expr, int64_t got,
                  int64_t want);
void dh_check_str(const char *file, int line, const char *expr, const char *got,
                  const char *want);
void dh_check_near(const char *file, int line, const char *expr, double got,
                   double want, double tolerance);
void dh_check_mem(const char *file, int line, const char *expr, const void *got,
                  const void *want, size_t n);
/* Count this test as skipped, with a reason that people read. */
DH_NORETURN void dh_test_skip(const char *why);
/* A fresh empty folder that the runner removes after the test. */
const char *dh_test_dir(void);
/* A path in it, freed with dh_free. */
char *dh_test_path(const char *name);
/* The same, of a new file with this text that only its owner may read. */
char *dh_test_file(const char *name, const char *text);

#define CHECK(cond) \
    ((cond) ? (void)0 : dh_check_failed(__FILE__, __LINE__, #cond))
#define CHECK_INT(got, want) \
    dh_check_int(__FILE__, __LINE__, #got, (int64_t)(got), (int64_t)(want))
#define CHECK_STR(got, want) \
    dh_check_str(__FILE__, __LINE__, #got, (got), (want))
#define CHECK_NEAR(got, want, tol) \
    dh_check_near(__FILE__, __LINE__, #got, (got), (want), (tol))
#define CHECK_MEM(got, want, n) \
    dh_check_mem(__FILE__, __LINE__, #got, (got), (want), (n))

#define DH_TEST(name)      \
    {                      \
#        name, test_##name \
    }
#define DH_TESTS(...)                                                       \
    static const struct dh_test dh_tests_here[] = { __VA_ARGS__ };          \
    __attribute__((constructor)) static void dh_tests_add(void)             \
    {                                                                       \
        dh_test_register(__FILE__, dh_tests_here,                           \
                         sizeof(dh_tests_here) / sizeof(dh_tests_here[0])); \
    }                                                                       \
    _Static_assert(1, "")

#endif
