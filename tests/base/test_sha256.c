// Vectors of FIPS 180-4 and its examples.
#include "base/sha256.h"

#include <string.h>

#include "base/mem.h"
#include "tests/dh_test.h"

static void check(const char *text, size_t times, const char *want)
{
    struct dh_sha256 s;
    char got[65];
    dh_sha256_init(&s);
    for (size_t i = 0; i < times; i++)
        dh_sha256_put(&s, text, strlen(text));
    dh_sha256_text(&s, got);
    CHECK_STR(got, want);
}

static void test_known_texts(void)
{
    check("", 1,
          "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check("abc", 1,
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    check("aaaaaaaaaa", 100000,
          "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void test_files(void)
{
    char got[65], *path = dh_test_file("x", "abc");
    CHECK_INT(dh_sha256_file(path, got), DH_OK);
    CHECK(strncmp(got, "ba7816bf8f01cfea", 16) == 0);
    CHECK_INT(dh_sha256_file("/nonexistent", got), DH_ERR_IO);
    dh_free(path);
}

DH_TESTS(DH_TEST(known_texts), DH_TEST(files));
