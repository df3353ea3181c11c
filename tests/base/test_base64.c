#include "base/base64.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/rng.h"
#include "tests/dh_test.h"

/* RFC 4648, section 10. */
static void test_published_vectors(void)
{
    static const char *const text[] = { "",     "f",     "fo",    "foo",
                                        "foob", "fooba", "foobar" };
    static const char *const want[] = {
        "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"
    };
    for (size_t i = 0; i < DH_COUNTOF(text); i++) {
        struct dh_buf out, back;
        dh_buf_init(&out, 100);
        dh_buf_init(&back, 100);
        dh_base64_put(&out, text[i], strlen(text[i]));
        CHECK_STR(dh_buf_text(&out), want[i]);
        CHECK(dh_base64_read(&back, want[i], strlen(want[i])));
        CHECK_STR(dh_buf_text(&back), text[i]);
        dh_buf_finish(&out);
        dh_buf_finish(&back);
    }
}

static void test_any_bytes_come_back(void)
{
    static unsigned char bytes[10000];
    struct dh_rng rng;
    struct dh_buf out, back;
    dh_rng_init(&rng, 1);
    dh_buf_init(&out, 1 << 20);
    dh_buf_init(&back, 1 << 20);
    for (size_t n = sizeof bytes - 5; n <= sizeof bytes; n++) {
        for (size_t i = 0; i < n; i++)
            bytes[i] = (unsigned char)dh_rng_below(&rng, 256);
        dh_buf_clear(&out);
        dh_buf_clear(&back);
        dh_base64_put(&out, bytes, n);
        CHECK(dh_base64_read(&back, out.data, out.len));
        CHECK_INT(back.len, n);
        CHECK_MEM(back.data, bytes, n);
    }
    dh_buf_finish(&out);
    dh_buf_finish(&back);
}

static void test_what_is_none_is_refused(void)
{
    static const char *const bad[] = { "Z", "Zg=g", "Zm9v!", "Zg===", "Zm9vY" };
    static const char *const good[] = { "Zg", "Zm 9v\r\n", "Zg==" };
    struct dh_buf out;
    dh_buf_init(&out, 1000);
    for (size_t i = 0; i < DH_COUNTOF(bad); i++)
        CHECK(!dh_base64_read(&out, bad[i], strlen(bad[i])));
    for (size_t i = 0; i < DH_COUNTOF(good); i++)
        CHECK(dh_base64_read(&out, good[i], strlen(good[i])));
    dh_buf_finish(&out);
}

DH_TESTS(DH_TEST(published_vectors), DH_TEST(any_bytes_come_back),
         DH_TEST(what_is_none_is_refused));
