#include "agent/sse.h"

#include <string.h>

#include "base/mem.h"
#include "tests/dh_test.h"

struct seen {
    struct dh_buf text; // "name=data;" for each event
    int left;           // events until it is enough; 0: never
};

static bool note(void *user, const char *name, const char *data, size_t len)
{
    struct seen *s = user;
    CHECK_INT(strlen(data), len);
    dh_buf_printf(&s->text, "%s=%s;", name, data);
    return --s->left != 0;
}

static void feed(const char *text, size_t step, const char *want)
{
    struct seen seen = { 0 };
    struct dh_sse s;
    size_t n = strlen(text);
    dh_buf_init(&seen.text, 1 << 16);
    dh_sse_init(&s, 1 << 12, note, &seen);
    for (size_t i = 0; i < n; i += step)
        CHECK(dh_sse_feed(&s, text + i, DH_MIN(step, n - i)));
    CHECK_STR(dh_buf_text(&seen.text), want);
    CHECK_INT(dh_sse_status(&s), DH_OK);
    dh_sse_finish(&s);
    dh_buf_finish(&seen.text);
}

static void test_events_however_they_are_cut(void)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "data: a\n\n", "message=a;" },
        { "data:a\n\ndata:  b\n\n", "message=a;message= b;" },
        { "data: a\ndata: b\n\n", "message=a\nb;" },
        { "data: a\r\n\r\ndata: b\r\rdata: c\n\n",
          "message=a;message=b;message=c;" },
        { ": ping\n\n: ping\n\ndata: x\n\n", "message=x;" },
        { "event: delta\ndata: {}\nid: 7\nretry: 5\n\n", "delta={};" },
        { "event: alone\n\ndata: x\n\n", "message=x;" },
        { "data\n\n", "message=;" },
        { "data: cut", "" },
        { "data: \xc3\xa4\xe4\xbd\xa0\n\n", "message=\xc3\xa4\xe4\xbd\xa0;" },
    };
    for (size_t i = 0; i < DH_COUNTOF(cases); i++)
        for (size_t step = 1; step < 12; step += 2)
            feed(cases[i].text, step, cases[i].want);
}

static void test_a_reader_has_enough(void)
{
    struct seen seen = { .left = 2 };
    struct dh_sse s;
    dh_buf_init(&seen.text, 1 << 16);
    dh_sse_init(&s, 1 << 12, note, &seen);
    CHECK(!dh_sse_feed(&s, "data: 1\n\ndata: 2\n\ndata: 3\n\n", 27));
    CHECK(!dh_sse_feed(&s, "data: 4\n\n", 9));
    CHECK_STR(dh_buf_text(&seen.text), "message=1;message=2;");
    CHECK_INT(dh_sse_status(&s), DH_OK);
    dh_sse_finish(&s);
    dh_buf_finish(&seen.text);
}

static void test_a_huge_event_is_refused(void)
{
    char some[1000];
    struct seen seen = { 0 };
    struct dh_sse s;
    bool ok = true;
    int fed = 0;
    memset(some, 'x', sizeof some);
    dh_sse_init(&s, 1 << 12, note, &seen);
    CHECK(dh_sse_feed(&s, "data: ", 6));
    for (; fed < 100 && ok; fed++)
        ok = dh_sse_feed(&s, some, sizeof some);
    CHECK(!ok && fed < 6);
    CHECK_INT(dh_sse_status(&s), DH_ERR_RANGE);
    dh_sse_finish(&s);
}

DH_TESTS(DH_TEST(events_however_they_are_cut), DH_TEST(a_reader_has_enough),
         DH_TEST(a_huge_event_is_refused));
