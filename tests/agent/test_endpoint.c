#include "agent/endpoint.h"

#include <stdio.h>
#include <string.h>

#include "agent/estimate.h"
#include "agent/profile.h"
#include "base/log.h"
#include "base/mem.h"
#include "tests/dh_test.h"

static void test_addresses_mean_what_they_should(void)
{
    static const struct {
        const char *url, *name, *base;
    } cases[] = {
        { "http://127.0.0.1:8000", NULL, "http://127.0.0.1:8000/v1" },
        { "http://127.0.0.1:8000/", NULL, "http://127.0.0.1:8000/v1" },
        { "http://a.b/v1/", NULL, "http://a.b/v1" },
        { "http://a.b/v1/chat/completions", NULL, "http://a.b/v1" },
        { "https://api.minimax.io/anthropic", NULL,
          "https://api.minimax.io/anthropic/v1" },
        { "https://api.minimax.io/anthropic/v1/messages", NULL,
          "https://api.minimax.io/anthropic/v1" },
        { "https://proxy.example/llm/v2", "vllm",
          "https://proxy.example/llm/v2" },
    };
    for (size_t i = 0; i < DH_COUNTOF(cases); i++) {
        struct dh_endpoint *e;
        struct dh_endpoint_choice c = { .url = cases[i].url,
                                        .name = cases[i].name };
        CHECK_INT(dh_endpoint_open(&e, &c), DH_OK);
        CHECK_STR(e->base, cases[i].base);
        dh_endpoint_close(e);
    }
}

static void test_a_section_is_laid_over_its_profile(void)
{
    char *key = dh_test_file("key", "sk-abc\n");
    char text[8192];
    snprintf(text, sizeof text,
             "# mine\n[other]\nurl = http://no.where/v1\n\n"
             "[cluster]\nurl = http://10.1.2.3:9/v1\nprofile = sglang\n"
             "key-file = %s\nmax-images = 64\ncoord = pixels-sent\n"
             "no-stop\n[last]\nurl = http://x/v1\n",
             key);
    // Options without a value are written out in a file.
    char *flag = strstr(text, "no-stop");
    memcpy(flag, "stop=no", 7);
    char *config = dh_test_file("config", text);
    struct dh_endpoint *e;
    struct dh_endpoint_choice c = { .name = "cluster", .config = config };
    CHECK_INT(dh_endpoint_open(&e, &c), DH_OK);
    CHECK_STR(e->name, "cluster");
    CHECK_STR(e->s.profile, "sglang");
    CHECK_STR(e->base, "http://10.1.2.3:9/v1");
    CHECK_STR(e->key, "sk-abc");
    CHECK_INT(e->s.max_images, 64);
    CHECK_INT(e->s.coord, DH_COORD_PIXELS_SENT);
    CHECK_INT(e->s.think_by, DH_THINK_TEMPLATE);
    CHECK(!e->s.stop && e->s.tell_side);
    dh_endpoint_close(e);
    // The command line wins.
    c.url = "http://elsewhere/v1";
    c.thinking = DH_THINKING_DISABLED;
    CHECK_INT(dh_endpoint_open(&e, &c), DH_OK);
    CHECK_STR(e->base, "http://elsewhere/v1");
    CHECK_INT(e->s.thinking, DH_THINKING_DISABLED);
    dh_endpoint_close(e);
    dh_free(config);
    dh_free(key);
}

static void test_what_is_wrong_is_refused(void)
{
    char *config =
        dh_test_file("bad", "[a]\nurl = http://x/v1\nmax-images = many\n"
                            "[b]\nprofile = gpt\n[c]\nurl = ftp://x\n");
    char *empty = dh_test_file("empty", " \n");
    struct dh_endpoint *e;
    struct dh_endpoint_choice bad[] = {
        { .name = "a", .config = config },
        { .name = "b", .config = config },
        { .name = "c", .config = config },
        { .name = "nobody", .config = config, .url = "http://x" },
        { .url = "http://x", .key_file = "/nonexistent/key" },
        { .url = "http://x", .key_file = empty },
    };
    for (size_t i = 0; i < DH_COUNTOF(bad); i++)
        CHECK(dh_endpoint_open(&e, &bad[i]) != DH_OK);
    dh_free(config);
    dh_free(empty);
}

static void count_warnings(void *user, enum dh_log_level level, const char *tag,
                           const char *text)
{
    (void)tag;
    *(int *)user += level == DH_LOG_WARN && strstr(text, "unencrypted");
}

/* A name that only begins like this machine's is another one's. */
static void test_a_key_in_the_clear_is_warned_of(void)
{
    static const struct {
        const char *url;
        int warned;
    } cases[] = {
        { "https://a.b/v1", 0 },
        { "http://127.0.0.1:8000/v1", 0 },
        { "http://localhost:8000/v1", 0 },
        { "http://[::1]:8000/v1", 0 },
        { "http://a.b/v1", 1 },
        { "http://localhost.evil.com/v1", 1 },
        { "http://127.evil.com/v1", 1 },
        { "http://localhost@evil.com/v1", 1 },
    };
    char *key = dh_test_file("key", "sk-abc\n");
    for (size_t i = 0; i < DH_COUNTOF(cases); i++) {
        struct dh_endpoint *e;
        struct dh_endpoint_choice c = { .url = cases[i].url, .key_file = key };
        int warned = 0;
        dh_log_set_hook(count_warnings, &warned);
        enum dh_status st = dh_endpoint_open(&e, &c);
        dh_log_set_hook(NULL, NULL);
        CHECK_INT(st, DH_OK);
        CHECK_STR(e->key, "sk-abc");
        CHECK_INT(warned, cases[i].warned);
        dh_endpoint_close(e);
    }
    dh_free(key);
}

/* actions.md 4.3 and 4.7. */
static void test_tokens_and_prices(void)
{
    struct dh_endpoint *e;
    struct dh_endpoint_choice c = { .url = "https://api.minimax.io/v1" };
    CHECK_INT(dh_endpoint_open(&e, &c), DH_OK);
    int w = 1920, h = 1080;
    CHECK_INT(dh_endpoint_picture_tokens(e, &w, &h), 69 * 39);
    CHECK_INT(w, 1920);
    w = 3840;
    h = 2160;
    CHECK_INT(dh_endpoint_picture_tokens(e, &w, &h), 72 * 41);
    CHECK_INT(w, 2016);
    CHECK_INT(h, 1134);
    CHECK_NEAR(dh_endpoint_cost(e, 1e5, 0, 1000), 0.0312, 1e-9);
    CHECK_NEAR(dh_endpoint_cost(e, 1e5, 9e4, 0), 0.0084, 1e-9);
    CHECK_NEAR(dh_endpoint_cost(e, 6e5, 0, 0), 0.36, 1e-9);
    dh_endpoint_close(e);
}

/* actions.md 4.7: 1,900 pictures and 5.8 million tokens with (10, 20). */
static void test_a_hundred_steps_cost_what_was_computed(void)
{
    struct dh_endpoint *e;
    struct dh_endpoint_choice c = { .url = "https://api.minimax.io/v1" };
    struct dh_profile p = { .keep_min = 10, .chunk = 20 };
    struct dh_estimate got;
    CHECK_INT(dh_endpoint_open(&e, &c), DH_OK);
    dh_estimate_run(e, &p, (struct dh_size){ 1920, 1080 }, 100, &got);
    CHECK_NEAR(got.pictures_sent, 1900, 100);
    CHECK_NEAR(got.prompt_tokens, 5.8e6, 0.6e6);
    CHECK(got.cached_tokens > 0.9 * got.prompt_tokens);
    CHECK(got.cost < got.cost_uncached / 2);
    dh_endpoint_close(e);
}

DH_TESTS(DH_TEST(addresses_mean_what_they_should),
         DH_TEST(a_section_is_laid_over_its_profile),
         DH_TEST(what_is_wrong_is_refused),
         DH_TEST(a_key_in_the_clear_is_warned_of), DH_TEST(tokens_and_prices),
         DH_TEST(a_hundred_steps_cost_what_was_computed));
