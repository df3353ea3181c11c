#include "actions/secrets.h"

#include <string.h>

#include "base/mem.h"
#include "tests/dh_test.h"

static void check_expands(const struct dh_secrets *s, const char *text,
                          const char *want)
{
    struct dh_diag why = { 0 };
    char *out;
    bool any;
    CHECK_INT(dh_secrets_expand(s, text, &out, &any, &why), DH_OK);
    CHECK_STR(out, want);
    dh_free(out);
}

static void test_a_secret_that_was_put_is_typed_and_can_be_another(void)
{
    struct dh_secrets *s = NULL;
    CHECK(!dh_secrets_has(s, "pin"));
    CHECK(dh_secrets_put(&s, "pin", "1=2"));
    CHECK(dh_secrets_has(s, "pin"));
    check_expands(s, "a{{secret:pin}}b", "a1=2b");
    CHECK(dh_secrets_put(&s, "pin", ""));
    CHECK(dh_secrets_put(&s, "name", "Ada"));
    check_expands(s, "{{secret:name}}{{secret:pin}}", "Ada");
    CHECK(!dh_secrets_put(&s, "a}b", "x"));
    CHECK(!dh_secrets_put(&s, "", "x"));
    dh_secrets_destroy(s);
}

DH_TESTS(DH_TEST(a_secret_that_was_put_is_typed_and_can_be_another));
