#include "agent/profile.h"

#include "base/mem.h"
#include "tests/dh_test.h"

static void put(const char *name, const char *text)
{
    dh_free(dh_test_file(name, text));
}

static enum dh_status load(struct dh_profile *p, const char *json)
{
    put("m3.txt", "You act.\nOn a desktop.\n\n");
    if (json)
        put("deskhand.json", json);
    return dh_profile_init(p, dh_test_dir(), dh_test_dir());
}

static void test_without_a_file_it_is_as_m3_is_asked(void)
{
    struct dh_profile p;
    CHECK_INT(load(&p, NULL), DH_OK);
    CHECK_STR(p.name, "MiniMax-M3");
    CHECK_STR(p.developer, "You act.\nOn a desktop.");
    CHECK(!p.root);
    CHECK_INT(p.history, DH_HISTORY_TURNS);
    CHECK_INT(p.thinking, DH_THINKING_ADAPTIVE);
    CHECK_INT(p.keep_min, 10);
    CHECK_INT(p.chunk, 20);
    CHECK(!p.constrain);
    CHECK(p.sampling.temperature > 0);
    dh_profile_finish(&p);
}

static void test_every_member_is_taken(void)
{
    struct dh_profile p;
    CHECK_INT(load(&p, "{\"name\":\"tiny\",\"root\":\"r\",\"developer\":\"d\","
                       "\"thinking\":\"disabled\",\"history\":\"summary\","
                       "\"keep_min\":3,\"chunk\":7,\"max_steps_told\":5,"
                       "\"max_answer_tokens\":99,\"max_pixels\":1000,"
                       "\"top_k\":4,\"temperature\":0,\"top_p\":0.5,"
                       "\"constrain\":true}"),
              DH_OK);
    CHECK_STR(p.name, "tiny");
    CHECK_STR(p.root, "r");
    CHECK_STR(p.developer, "d");
    CHECK_INT(p.thinking, DH_THINKING_DISABLED);
    CHECK_INT(p.history, DH_HISTORY_SUMMARY);
    CHECK_INT(p.keep_min, 3);
    CHECK_INT(p.chunk, 7);
    CHECK_INT(p.max_steps_told, 5);
    CHECK_INT(p.max_answer_tokens, 99);
    CHECK_INT(p.max_pixels, 1000);
    CHECK_INT(p.sampling.top_k, 4);
    CHECK_NEAR((double)p.sampling.temperature, 0, 0);
    CHECK_NEAR((double)p.sampling.top_p, 0.5, 0);
    CHECK(p.constrain);
    dh_profile_finish(&p);
}

static void test_a_bad_file_is_refused(void)
{
    static const char *const bad[] = {
        "",
        "not json",
        "[]",
        "7",
        "{\"chunk\":0}",
        "{\"chunk\":\"8\"}",
        "{\"chunk\":1.5}",
        "{\"keep_min\":-1}",
        "{\"keep_min\":1e300}",
        "{\"max_answer_tokens\":0}",
        "{\"max_pixels\":-5}",
        "{\"thinking\":\"sometimes\"}",
        "{\"thinking\":true}",
        "{\"history\":7}",
        "{\"name\":7}",
        "{\"developer\":null}",
        "{\"constrain\":\"yes\"}",
        "{\"temperature\":\"hot\"}",
        "{\"temperature\":-1}",
        "{\"top_p\":1e999}",
    };
    struct dh_profile p;
    for (size_t i = 0; i < DH_COUNTOF(bad); i++) {
        if (load(&p, bad[i]) == DH_OK)
            CHECK_STR(bad[i], "refused");
    }
}

static void test_without_a_prompt_there_is_none(void)
{
    struct dh_profile p;
    CHECK(dh_profile_init(&p, dh_test_dir(), dh_test_dir()) != DH_OK);
}

DH_TESTS(DH_TEST(without_a_file_it_is_as_m3_is_asked),
         DH_TEST(every_member_is_taken), DH_TEST(a_bad_file_is_refused),
         DH_TEST(without_a_prompt_there_is_none));
