// A browser that answers what it was told to.
#include "agent/web_pipe.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "tests/dh_test.h"

struct side {
    struct dh_web_pipe p;
    int other;
    char told[100];
};

static void hear(void *with, const char *text)
{
    struct side *s = with;
    size_t at = strlen(s->told);
    snprintf(s->told + at, sizeof s->told - at, "%s", text);
}

static void begin(struct side *s)
{
    int pair[2];
    memset(s, 0, sizeof *s);
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    dh_web_pipe_init(&s->p, pair[0]);
    s->other = pair[1];
    s->p.told = hear;
    s->p.with = s;
}

static void end(struct side *s)
{
    dh_web_pipe_finish(&s->p);
    close(s->other);
}

// With the NUL after each.
static void answers(struct side *s, const char *text)
{
    size_t n = strlen(text) + 1;
    CHECK_INT(write(s->other, text, n), n);
}

static void check_eval(const char *const *said, enum dh_status want,
                       const char *value, const char *why)
{
    struct side s;
    struct dh_buf out;
    begin(&s);
    dh_buf_init(&out, 1000);
    for (; *said; said++)
        answers(&s, *said);
    CHECK_INT(dh_web_eval(&s.p, "1 + 1", dh_now_ns() + 100 * DH_MS, &out),
              want);
    CHECK_STR(dh_buf_text(&out), value);
    if (why)
        CHECK(s.p.why && strstr(s.p.why, why));
    dh_buf_finish(&out);
    end(&s);
}
#define SAID(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void test_values_and_failures_are_told_apart(void)
{
    check_eval(SAID("{\"id\":1,\"result\":{\"result\":{\"value\":\"two\"}}}"),
               DH_OK, "two", NULL);
    check_eval(SAID("{\"id\":1,\"result\":{\"result\":{\"value\":2.5}}}"),
               DH_OK, "2.5", NULL);
    check_eval(SAID("{\"id\":1,\"result\":{\"result\":{}}}"), DH_OK, "", NULL);
    // Others come before it, and answers to what was given up.
    check_eval(SAID("{\"id\":0,\"result\":{}}", "{\"method\":\"x\"}",
                    "{\"id\":1,\"result\":{\"result\":{\"value\":\"b\"}}}"),
               DH_OK, "b", NULL);
    check_eval(SAID("{\"id\":1,\"error\":{\"message\":\"no context\"}}"),
               DH_ERR_REFUSED, "", "no context");
    check_eval(
        SAID("{\"id\":1,\"result\":{\"result\":{},\"exceptionDetails\":{"
             "\"exception\":{\"description\":\"Error: bad\\n at x\"}}}}"),
        DH_ERR_REFUSED, "", "the page throws: Error: bad");
    check_eval(SAID("{\"id\":2,\"result\":{}}"), DH_ERR_TIMEOUT, "",
               "does not answer");
    check_eval(SAID("{\"id\":"), DH_ERR_FORMAT, "", "nonsense");
}

static void test_what_is_asked_ends_with_a_nul(void)
{
    struct side s;
    struct dh_json *m = NULL;
    char got[200] = "";
    begin(&s);
    s.p.session = dh_strdup("S");
    CHECK_INT(dh_web_call(&s.p, "A.b", "{\"c\":1}", dh_now_ns(), &m),
              DH_ERR_TIMEOUT);
    CHECK_INT(read(s.other, got, sizeof got),
              strlen("{\"id\":1,\"method\":\"A.b\",\"params\":{\"c\":1},"
                     "\"sessionId\":\"S\"}") +
                  1);
    CHECK_STR(got, "{\"id\":1,\"method\":\"A.b\",\"params\":{\"c\":1},"
                   "\"sessionId\":\"S\"}");
    end(&s);
}

static void test_what_a_page_tells_is_taken_in_pieces_too(void)
{
    static const char told[] = "{\"method\":\"Runtime.bindingCalled\","
                               "\"params\":{\"name\":\"dhTell\",\"payload\":"
                               "\"one\"}}";
    struct side s;
    begin(&s);
    CHECK_INT(dh_web_take(&s.p), DH_OK);
    CHECK_INT(write(s.other, told, 20), 20);
    CHECK_INT(dh_web_take(&s.p), DH_OK);
    CHECK_STR(s.told, "");
    answers(&s, told + 20);
    answers(&s, "{\"method\":\"Runtime.bindingCalled\",\"params\":{\"name\":"
                "\"other\",\"payload\":\"two\"}}");
    CHECK_INT(dh_web_take(&s.p), DH_OK);
    CHECK_STR(s.told, "one");
    close(s.other);
    s.other = dup(0);
    CHECK_INT(dh_web_take(&s.p), DH_ERR_CLOSED);
    end(&s);
}

DH_TESTS(DH_TEST(values_and_failures_are_told_apart),
         DH_TEST(what_is_asked_ends_with_a_nul),
         DH_TEST(what_a_page_tells_is_taken_in_pieces_too));
