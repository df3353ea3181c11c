#include "model/reply.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "tests/dh_test.h"

#define NS "]<]minimax[>["
#define TOOLS                                                                \
    "[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{"  \
    "\"type\":\"object\",\"properties\":{\"s\":{\"type\":\"string\"},"       \
    "\"i\":{\"type\":\"integer\"},\"b\":{\"type\":\"boolean\"},"             \
    "\"a\":{\"type\":\"array\",\"items\":{\"type\":\"integer\"}},"           \
    "\"o\":{\"type\":\"object\",\"properties\":{\"k\":{\"type\":\"string\"}" \
    "}},\"u\":{\"type\":[\"string\",\"null\"]}}}}}]"

// Takes text apart in pieces of `step` bytes; all must give the same.
static void hold(const char *text, bool thinking, const char *reasoning,
                 const char *content, const char *calls)
{
    struct dh_diag diag = { 0 };
    struct dh_json *tools = dh_json_parse(TOOLS, strlen(TOOLS), &diag);
    size_t n = strlen(text);
    for (size_t step = 1; step <= n + 1;
         step = step < 9 ? step + 1 : step * 3) {
        struct dh_reply r;
        struct dh_buf got;
        dh_buf_init(&got, 1 << 16);
        dh_reply_init(&r, thinking, tools);
        for (size_t i = 0; i < n; i += step)
            dh_reply_feed(&r, text + i, DH_MIN(step, n - i));
        dh_reply_end(&r);
        CHECK_STR(dh_buf_text(&r.reasoning), reasoning);
        CHECK_STR(dh_buf_text(&r.content), content);
        for (int i = 0; i < r.n_calls; i++)
            dh_buf_printf(&got, "%s%s%s;", r.call[i].name, r.call[i].arguments,
                          r.call[i].whole ? "" : "!");
        CHECK_STR(dh_buf_text(&got), calls);
        dh_reply_finish(&r);
        dh_buf_finish(&got);
    }
    dh_json_free(tools);
}

/* m3.md 5.1. */
static void test_thinking_and_content_come_apart(void)
{
    hold("Hello.", false, "", "Hello.", "");
    hold("</mm:think>Hello.", false, "", "Hello.", "");
    hold("<mm:think>\nHm.\n</mm:think>\n\nHello.\n", false, "Hm.", "Hello.",
         "");
    hold("Hm, so.\n</mm:think>Hello.", true, "Hm, so.", "Hello.", "");
    hold("for ever", true, "for ever", "", "");
    hold("a < b, <mm:thin, ]<]mini", false, "", "a < b, <mm:thin, ]<]mini", "");
    hold("x </mm:think> y", false, "", "x  y", "");
}

static void test_calls_have_the_types_of_their_schema(void)
{
    hold("Look.\n" NS "<tool_call>\n" NS "<invoke name=\"f\">" NS "<s>12" NS
         "</s>" NS "<i>3.0" NS "</i>" NS "<b>True" NS "</b>" NS "</invoke>\n" NS
         "</tool_call>",
         false, "", "Look.", "f{\"s\":\"12\",\"i\":3,\"b\":true};");
    hold(NS "<tool_call>\n" NS "<invoke name=\"f\">" NS "<a>" NS "<item>1" NS
            "</item>" NS "<item>2" NS "</item>" NS "</a>" NS "<o>" NS
            "<k><b>x</b>\n" NS "</k>" NS "</o>" NS "<u>null" NS "</u>" NS
            "</invoke>\n" NS "<invoke name=\"g\">" NS "<z>{\"q\":[1]}" NS
            "</z>" NS "<z>7" NS "</z>" NS "</invoke>\n" NS "</tool_call>",
         false, "", "",
         "f{\"a\":[1,2],\"o\":{\"k\":\"<b>x</b>\\n\"},\"u\":null};"
         "g{\"z\":[{\"q\":[1]},7]};");
    hold(NS "<tool_call>" NS "<invoke name=\"f\">" NS "<a>" NS "</a>" NS
            "<o>" NS "</o>" NS "<i>1.5" NS "</i>" NS "</invoke>" NS
            "</tool_call> and",
         false, "", " and", "f{\"a\":[],\"o\":{},\"i\":\"1.5\"};");
}

/* m3.md 5.5. */
static void test_broken_calls_are_mended_or_told(void)
{
    // The first parameter's opening tag is missing.
    hold(NS "<tool_call>" NS "<invoke name=\"f\">" NS "offer.docx" NS "</s>" NS
            "</invoke>" NS "</tool_call>",
         false, "", "", "f{\"s\":\"offer.docx\"};");
    // No "<" before invoke; closers that match nothing; nothing closed.
    hold(NS "<tool_call>" NS "invoke name=\"f\">" NS "<i>4" NS "</x>" NS
            "</i>" NS "</invoke>" NS "</tool_call>",
         false, "", "", "f{\"i\":4};");
    hold(NS "<tool_call>" NS "<invoke name=\"f\">" NS "<o>" NS "<k>v", false,
         "", "", "f{\"o\":{\"k\":\"v\"}}!;");
    // A broken one does not spoil the next.
    hold(NS "<tool_call>" NS "<invoke name=\"f\">" NS "<i>1" NS
            "<invoke name=\"g\">" NS "</invoke>" NS "</tool_call>",
         false, "", "", "f{\"i\":1}!;g{};");
}

static void test_depth_and_number_are_bounded(void)
{
    struct dh_reply r;
    dh_reply_init(&r, false, NULL);
    dh_reply_feed(&r, NS "<tool_call>", strlen(NS "<tool_call>"));
    for (int i = 0; i < 100; i++)
        dh_reply_feed(&r, NS "<invoke name=\"n\">",
                      strlen(NS "<invoke name=\"n\">"));
    for (int i = 0; i < 30000; i++)
        dh_reply_feed(&r, NS "<k>", strlen(NS "<k>"));
    dh_reply_end(&r);
    CHECK_INT(r.n_calls, DH_REPLY_MAX_CALLS);
    dh_reply_finish(&r);
}

DH_TESTS(DH_TEST(thinking_and_content_come_apart),
         DH_TEST(calls_have_the_types_of_their_schema),
         DH_TEST(broken_calls_are_mended_or_told),
         DH_TEST(depth_and_number_are_bounded));
