// What of a session may be another the next time.
#include "agent/session_params.h"

#include <stdio.h>
#include <string.h>

#include "agent/session_read.h"
#include "base/json.h"
#include "base/mem.h"
#include "tests/agent/sample.h"
#include "tests/dh_test.h"

static enum dh_status read_text(const char *params,
                                struct dh_session_params *out, char *said)
{
    char text[1000];
    struct dh_diag why = { 0 };
    size_t n = (size_t)snprintf(text, sizeof text, "{\"params\":%s}", params);
    struct dh_json *o = dh_json_parse(text, n, &why);
    CHECK_STR(why.text, "");
    enum dh_status st = dh_session_params_read(o, out, &why);
    snprintf(said, 200, "%s", why.text);
    dh_json_free(o);
    return st;
}

static const char *given(void *user, const struct dh_session_param *p)
{
    return strcmp(p->name, "same") == 0 ? NULL : user;
}

static void test_places_are_filled(void)
{
    struct dh_session_params p;
    char said[200], value[] = "Grace";
    CHECK_INT(
        read_text("{\"year\":{\"value\":\"2026\",\"kind\":\"text\",\"secret\":"
                  "false,\"step\":2,\"at\":[{\"act\":4,\"from\":15,\"len\":4},"
                  "{\"act\":9,\"from\":90,\"len\":4}]},"
                  "\"name\":{\"value\":\"Ada\",\"kind\":\"text\",\"at\":[{"
                  "\"act\":4,\"from\":5,\"len\":3}]},"
                  "\"same\":{\"at\":[{\"act\":4,\"from\":0,\"len\":4}]}}",
                  &p, said),
        DH_OK);
    CHECK_INT(p.n, 3);
    CHECK_INT(dh_session_params_find(&p, "year")->step, 2);
    CHECK_STR(dh_session_params_find(&p, "name")->value, "Ada");
    char *text = dh_session_params_fill(&p, 4, SAMPLE_TEXT, given, value);
    CHECK_STR(text, "Dear Grace, it's Grace");
    dh_free(text);
    // What is not in a text is left alone.
    text = dh_session_params_fill(&p, 9, "short", given, value);
    CHECK_STR(text, "short");
    dh_free(text);
    dh_session_params_finish(&p);
}

static void test_bad_ones_are_refused(void)
{
    static const char *const bad[][2] = {
        { "{\"1st\":{}}", "\"1st\" cannot be one" },
        { "{\"a\":{},\"a\":{}}", "\"a\" cannot be one" },
        { "{\"a\":7}", "\"a\" cannot be one" },
        { "{\"a\":{\"at\":[{\"act\":1,\"from\":-1,\"len\":1}]}}", "from" },
        { "{\"a\":{\"at\":[{\"act\":1,\"from\":0,\"len\":0}]}}", "len" },
        { "{\"a\":{\"at\":[{\"act\":1,\"from\":0,\"len\":3}]},"
          "\"b\":{\"at\":[{\"act\":1,\"from\":2,\"len\":3}]}}",
          "is \"a\" already" },
    };
    for (size_t i = 0; i < DH_COUNTOF(bad); i++) {
        struct dh_session_params p;
        char said[200];
        CHECK_INT(read_text(bad[i][0], &p, said), DH_ERR_FORMAT);
        if (!strstr(said, bad[i][1]))
            CHECK_STR(said, bad[i][1]);
        dh_session_params_finish(&p);
    }
}

static struct dh_json *header_of(const char *dir, struct dh_session_params *p)
{
    struct dh_session_reader *s;
    struct dh_diag why = { 0 };
    CHECK_INT(dh_session_open(&s, dir, &why), DH_OK);
    struct dh_json *o = dh_session_header(s, &why);
    CHECK_STR(why.text, "");
    CHECK_INT(dh_session_params_read(o, p, &why), DH_OK);
    dh_session_close(s);
    return o;
}

/* Marked, written, and read again; the rest of the header is as it was. */
static void test_marks_are_kept(void)
{
    struct dh_session_params p;
    struct dh_diag why = { 0 };
    struct dh_session_place whole = { 4, 0, strlen(SAMPLE_TEXT) };
    struct dh_session_place ada = { 4, 5, 3 }, year = { 4, 15, 4 };
    char *dir = dh_test_path("s");
    sample_write(dir);
    struct dh_json *head = header_of(dir, &p);
    CHECK_INT(
        dh_session_params_mark(&p, "name", 2, SAMPLE_TEXT, ada, false, &why),
        DH_OK);
    CHECK_INT(
        dh_session_params_mark(&p, "pin", 2, SAMPLE_TEXT, year, true, &why),
        DH_OK);
    CHECK_STR(why.text, "");
    CHECK_INT(
        dh_session_params_mark(&p, "all", 2, SAMPLE_TEXT, whole, false, &why),
        DH_ERR_USAGE);
    CHECK(strstr(why.text, "is \"name\" already"));
    CHECK_INT(dh_session_params_write(&p, dir, head), DH_OK);
    dh_session_params_finish(&p);
    dh_json_free(head);

    char *text = sample_read(dir, "session.json");
    CHECK(strstr(text, "\"of tomorrow\":[1.5,{}]"));
    CHECK(strstr(text, "\"created\":\"2026-11-26T10:00:00Z\""));
    CHECK(!strstr(text, "\"value\":\"2026\""));
    dh_big_free(text);
    head = header_of(dir, &p);
    CHECK_STR(dh_session_params_find(&p, "name")->value, "Ada");
    CHECK(dh_session_params_find(&p, "pin")->secret);
    CHECK(!dh_session_params_find(&p, "pin")->value);
    CHECK(dh_session_params_find(&p, "secret1")->secret);
    CHECK(dh_session_params_remove(&p, "name"));
    CHECK(!dh_session_params_remove(&p, "name"));
    CHECK_INT(p.n, 2);
    dh_session_params_finish(&p);
    dh_json_free(head);
    dh_free(dir);
}

static void test_a_note_is_on_its_step(void)
{
    struct dh_session_reader *s;
    struct dh_session_words w;
    struct dh_diag why = { 0 };
    int n;
    char *dir = dh_test_path("s");
    sample_write(dir);
    CHECK_INT(dh_session_note_write(dir, 15, 99, 4, "only \"new\" ones"),
              DH_OK);
    CHECK_INT(dh_session_open(&s, dir, &why), DH_OK);
    (void)dh_session_notes(s, &n);
    CHECK_INT(n, 0);
    (void)dh_session_steps(s, &n);
    CHECK_INT(n, SAMPLE_STEPS);
    dh_session_words_read(s, 1, &w);
    CHECK_STR(w.note, "only \"new\" ones");
    dh_session_words_finish(&w);
    dh_session_close(s);
    dh_free(dir);
}

DH_TESTS(DH_TEST(places_are_filled), DH_TEST(bad_ones_are_refused),
         DH_TEST(marks_are_kept), DH_TEST(a_note_is_on_its_step));
