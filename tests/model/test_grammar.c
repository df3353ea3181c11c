#include "model/grammar.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "tests/dh_test.h"

#define HEAD \
    "Action: Click Save.\n<tool_call>\n{\"name\":\"computer\",\"arguments\":"
#define TAIL "}\n</tool_call>"

static struct dh_tokenizer *open_tiny(const char *name)
{
    char path[100];
    struct dh_tokenizer *t;
    snprintf(path, sizeof path, "tests/vectors/text/%s", name);
    CHECK_INT(dh_tokenizer_create(&t, path), DH_OK);
    return t;
}

static struct dh_tokenizer *tiny;
static struct dh_grammar *grammar;
static int32_t eos;

static void setup(enum dh_grammar_kind kind)
{
    tiny = open_tiny("tiny_tokenizer.json");
    eos = dh_tokenizer_find_added(tiny, "[e~[");
    CHECK_INT(dh_grammar_create(&grammar, kind, tiny, eos), DH_OK);
}

static void teardown(void)
{
    dh_grammar_destroy(grammar);
    dh_tokenizer_destroy(tiny);
}

static bool has_bit(const uint64_t *bits, int32_t id)
{
    return (bits[id / 64] >> (id % 64) & 1) != 0;
}

static bool is_allowed(int32_t id)
{
    return has_bit(dh_grammar_allowed(grammar, dh_tokenizer_size(tiny)), id);
}

static const char *const answers[] = {
    HEAD "{\"action\":\"left_click\",\"coordinate\":[412,88]}" TAIL,
    HEAD "{\"action\":\"double_click\",\"coordinate\":[0,1000]}" TAIL,
    HEAD "{\"action\":\"right_click\",\"coordinate\":[1000,0]}" TAIL,
    HEAD "{\"action\":\"triple_click\",\"coordinate\":[9,10],\"text\":"
         "\"ctrl+shift\"}" TAIL,
    HEAD "{\"action\":\"mouse_move\",\"coordinate\":[99,100]}" TAIL,
    HEAD "{\"action\":\"left_mouse_down\",\"coordinate\":[1,999]}" TAIL,
    HEAD "{\"action\":\"left_click_drag\",\"coordinate\":[1,2]}" TAIL,
    HEAD "{\"action\":\"left_click_drag\",\"start_coordinate\":[3,4],"
         "\"coordinate\":[1,2]}" TAIL,
    HEAD "{\"action\":\"scroll\",\"coordinate\":[500,500],"
         "\"scroll_direction\":\"down\",\"scroll_amount\":5}" TAIL,
    HEAD "{\"action\":\"scroll\",\"coordinate\":[500,500],"
         "\"scroll_direction\":\"left\",\"scroll_amount\":50}" TAIL,
    HEAD "{\"action\":\"type\",\"text\":\"Ada\"}" TAIL,
    HEAD "{\"action\":\"type\",\"text\":\"a \\\"b\\\" \\\\ \\/ \\n\\t\\u00e9 "
         "\\ud83d\\ude00 \xc3\xa9 \xf0\x9f\x98\x80 <tool_call> 1.\"}" TAIL,
    HEAD "{\"action\":\"key\",\"text\":\"Return\"}" TAIL,
    HEAD "{\"action\":\"key\",\"text\":\"ctrl+s\"}" TAIL,
    HEAD "{\"action\":\"hold_key\",\"text\":\"a\",\"duration\":0.25}" TAIL,
    HEAD "{\"action\":\"wait\",\"duration\":1}" TAIL,
    HEAD "{\"action\":\"wait\",\"duration\":60}" TAIL,
    HEAD "{\"action\":\"wait\",\"duration\":0.5}" TAIL,
    HEAD "{\"action\":\"screenshot\"}" TAIL,
    HEAD "{\"action\":\"done\"}" TAIL,
    "Action: Type \"G\xc3\xb6\xc3\x9f\xe6\x97\xa5\" in Name, field 12: 50%.\n"
    "<tool_call>\n{\"name\":\"computer\",\"arguments\":{\"action\":\"done\"}}\n"
    "</tool_call>",
};

// Ids of an answer as the published tokenizer gives them in training: tags are
// added tokens only where the form has them.
static void encode_answer(const char *text, struct dh_ids *ids)
{
    bool ours[4096];
    size_t n = strlen(text);
    CHECK(n < sizeof ours);
    memset(ours, 1, sizeof ours);
    const char *typed = strstr(text, "\"text\":\"");
    const char *end = text + n - strlen(TAIL);
    for (const char *p = typed; typed && p < end; p++)
        ours[p - text] = false;
    CHECK_INT(dh_tokenizer_encode(tiny, text, n, ours, ids), DH_OK);
}

/* Every answer of the protocol goes through, id by id, and ends. */
static void test_protocol_answers_are_accepted(void)
{
    setup(DH_GRAMMAR_ACTION);
    for (size_t i = 0; i < DH_COUNTOF(answers); i++) {
        struct dh_ids ids = { 0 };
        encode_answer(answers[i], &ids);
        dh_grammar_reset(grammar);
        for (size_t k = 0; k < ids.n; k++) {
            CHECK(!dh_grammar_is_complete(grammar));
            if (!is_allowed(ids.id[k]))
                CHECK_STR(answers[i], "allowed");
            CHECK(!is_allowed(eos));
            CHECK(dh_grammar_accept(grammar, ids.id[k]));
        }
        CHECK(dh_grammar_is_complete(grammar));
        for (int32_t id = 0; id < dh_tokenizer_size(tiny); id++)
            CHECK_INT(is_allowed(id), id == eos);
        CHECK(dh_grammar_accept(grammar, eos));
        dh_ids_finish(&ids);
    }
    teardown();
}

// How many bytes of the text go in one by one.
static size_t accept_bytes(const char *text)
{
    dh_grammar_reset(grammar);
    size_t n = 0;
    for (; text[n]; n++) {
        struct dh_ids ids = { 0 };
        // A byte is its own id in the small vocabulary.
        int32_t id = (unsigned char)text[n];
        bool allowed = is_allowed(id);
        CHECK_INT(dh_grammar_accept(grammar, id), allowed);
        dh_ids_finish(&ids);
        if (!allowed)
            break;
    }
    return n;
}

/* Tags may also be spelled in bytes. */
static void test_answers_in_bytes_are_accepted(void)
{
    setup(DH_GRAMMAR_ACTION);
    for (size_t i = 0; i < DH_COUNTOF(answers); i++) {
        CHECK_INT(accept_bytes(answers[i]), strlen(answers[i]));
        CHECK(dh_grammar_is_complete(grammar));
    }
    teardown();
}

// The text and the part of it that goes through; the byte after is refused.
static const struct {
    const char *good, *bad;
} refusals[] = {
    { "", "action: x" },
    { "Action: ", "\n" },
    { "Action: ", " x" },
    { "Action: a", "\tb" },
    { "Action: a", "\x7f" },
    { "Action: a", "\xff" },
    { "Action: a\xc2", "\x85" },
    { "Action: a\xed", "\xa0\x80" },
    { "Action: a\xe2\x82", "a" },
    { "Action: a\n", "\n" },
    { "Action: a\n", "{" },
    { "Action: a\n<tool_call>\n{", " \"name\"" },
    { HEAD "{\"action\":\"", "fly\"" },
    { HEAD "{\"action\":\"left_click", "s" },
    { HEAD "{\"action\":\"left_click\"", "}" },
    { HEAD "{\"action\":\"left_click\",\"", "text\":\"ctrl\"" },
    { HEAD "{\"action\":\"left_click\",\"coordinate\":[", "]" },
    { HEAD "{\"action\":\"left_click\",\"coordinate\":[", "-1" },
    { HEAD "{\"action\":\"left_click\",\"coordinate\":[", " 1" },
    { HEAD "{\"action\":\"left_click\",\"coordinate\":[0", "1" },
    { HEAD "{\"action\":\"left_click\",\"coordinate\":[100", "1" },
    { HEAD "{\"action\":\"left_click\",\"coordinate\":[101", "0" },
    { HEAD "{\"action\":\"left_click\",\"coordinate\":[1", ".5" },
    { HEAD "{\"action\":\"left_click\",\"coordinate\":[1", "]" },
    { HEAD "{\"action\":\"left_click\",\"coordinate\":[1,2", ",3]" },
    { HEAD "{\"action\":\"mouse_move\",\"coordinate\":[1,2]", ",\"text\"" },
    { HEAD "{\"action\":\"scroll\",\"coordinate\":[1,2]", "}" },
    { HEAD
      "{\"action\":\"scroll\",\"coordinate\":[1,2],\"scroll_direction\":\"",
      "north\"" },
    { HEAD "{\"action\":\"scroll\",\"coordinate\":[1,2],\"scroll_direction\":"
           "\"up\",\"scroll_amount\":",
      "0" },
    { HEAD "{\"action\":\"scroll\",\"coordinate\":[1,2],\"scroll_direction\":"
           "\"up\",\"scroll_amount\":5",
      "1" },
    { HEAD "{\"action\":\"type\",\"text\":\"", "\"" },
    { HEAD "{\"action\":\"type\",\"text\":\"a", "\n" },
    { HEAD "{\"action\":\"type\",\"text\":\"a\\", "x" },
    { HEAD "{\"action\":\"type\",\"text\":\"a\\u00", "00" },
    { HEAD "{\"action\":\"type\",\"text\":\"a\\u00", "1f" },
    { HEAD "{\"action\":\"type\",\"text\":\"a\\ud", "c00" },
    { HEAD "{\"action\":\"type\",\"text\":\"a\\ud800", "\"" },
    { HEAD "{\"action\":\"type\",\"text\":\"a\\ud83d\\u", "00e9" },
    { HEAD "{\"action\":\"type\",\"text\":\"a\\u12", "g" },
    { HEAD "{\"action\":\"wait\",\"duration\":6", "1" },
    { HEAD "{\"action\":\"wait\",\"duration\":60", ".5" },
    { HEAD "{\"action\":\"wait\",\"duration\":1.", "}" },
    { HEAD "{\"action\":\"wait\",\"duration\":1.25", "0" },
    { HEAD "{\"action\":\"wait\",\"duration\":", ".5" },
    { HEAD "{\"action\":\"done\"", ",\"text\"" },
    { HEAD "{\"action\":\"done\"}" TAIL, "\n" },
};

/* Each broken answer stops at the byte that breaks it. */
static void test_broken_answers_stop(void)
{
    setup(DH_GRAMMAR_ACTION);
    for (size_t i = 0; i < DH_COUNTOF(refusals); i++) {
        char text[400];
        snprintf(text, sizeof text, "%s%s", refusals[i].good, refusals[i].bad);
        if (accept_bytes(text) != strlen(refusals[i].good))
            printf("%s\n", text);
        CHECK_INT(accept_bytes(text), strlen(refusals[i].good));
    }
    teardown();
}

/* Control tokens never come, tags only in their two places. */
static void test_control_tokens_are_never_text(void)
{
    setup(DH_GRAMMAR_ACTION);
    static const char *const places[] = {
        "",
        "Action: ",
        "Action: a",
        "Action: a\n<tool_call>\n{",
        HEAD "{\"action\":\"type\",\"text\":\"a",
        HEAD "{\"action\":\"left_click\",\"coordinate\":[1",
    };
    int32_t open = dh_tokenizer_find_added(tiny, "<tool_call>");
    int32_t close = dh_tokenizer_find_added(tiny, "</tool_call>");
    int32_t first = dh_tokenizer_find_added(tiny, "]!p~[");
    for (size_t i = 0; i < DH_COUNTOF(places); i++) {
        CHECK_INT(accept_bytes(places[i]), strlen(places[i]));
        for (int32_t id = first; id < dh_tokenizer_size(tiny); id++) {
            CHECK(!is_allowed(id));
            CHECK(!dh_grammar_accept(grammar, id));
        }
    }
    accept_bytes("Action: a\n");
    CHECK(is_allowed(open));
    CHECK(!is_allowed(close));
    accept_bytes(HEAD "{\"action\":\"done\"}}\n");
    CHECK(is_allowed(close));
    CHECK(!is_allowed(open));
    CHECK(!dh_grammar_accept(grammar, -1));
    CHECK(!dh_grammar_accept(grammar, INT32_MAX));
    CHECK(dh_grammar_allowed(grammar, DH_GRAMMAR_MAX_VOCAB));
    CHECK(!dh_grammar_allowed(grammar, DH_GRAMMAR_MAX_VOCAB + 1));
    teardown();
}

/* locate may only click. */
static void test_locate_only_clicks(void)
{
    setup(DH_GRAMMAR_LOCATE);
    CHECK_INT(accept_bytes(answers[0]), strlen(answers[0]));
    CHECK(dh_grammar_is_complete(grammar));
    for (size_t i = 1; i < DH_COUNTOF(answers); i++)
        CHECK(accept_bytes(answers[i]) < strlen(answers[i]));
    teardown();
}

// ---- a checker that knows nothing of the automaton -------------------------

static bool check_point(const struct dh_json *v)
{
    CHECK_INT(dh_json_kind(v), DH_JSON_ARRAY);
    CHECK_INT(dh_json_count(v), 2);
    for (const struct dh_json *c = dh_json_first(v); c; c = dh_json_next(c)) {
        double d = dh_json_number(c);
        CHECK(dh_json_kind(c) == DH_JSON_NUMBER && !dh_json_is_float(c));
        CHECK(d >= 0 && d <= 1000);
    }
    return true;
}

static bool check_string(const struct dh_json *v, size_t max)
{
    const char *s = dh_json_text(v);
    CHECK_INT(dh_json_kind(v), DH_JSON_STRING);
    CHECK(*s && strlen(s) <= max && dh_utf8_valid(s, strlen(s)));
    return true;
}

static void check_member(const struct dh_json *v)
{
    static const char *const ways[] = { "up", "down", "left", "right" };
    const char *key = dh_json_key(v);
    double d = dh_json_number(v);
    bool ok = false;
    if (strcmp(key, "coordinate") == 0 || strcmp(key, "start_coordinate") == 0)
        ok = check_point(v);
    else if (strcmp(key, "text") == 0)
        ok = check_string(v, 2000);
    else if (strcmp(key, "duration") == 0)
        ok = dh_json_kind(v) == DH_JSON_NUMBER && d >= 0 && d <= 60;
    else if (strcmp(key, "scroll_amount") == 0)
        ok = !dh_json_is_float(v) && d >= 1 && d <= 50;
    else if (strcmp(key, "scroll_direction") == 0)
        for (size_t i = 0; i < 4; i++)
            ok = ok || strcmp(dh_json_text(v), ways[i]) == 0;
    if (!ok)
        CHECK_STR(key, "a known key with a good value");
}

// The keys in order, joined by commas, decide what actions there are.
static void check_keys(const struct dh_json *args)
{
    static const struct {
        const char *actions, *keys;
    } known[] = {
        { " left_click right_click middle_click double_click triple_click "
          "mouse_move left_mouse_down left_mouse_up left_click_drag ",
          "action,coordinate," },
        { " left_click right_click middle_click double_click triple_click ",
          "action,coordinate,text," },
        { " left_click_drag ", "action,start_coordinate,coordinate," },
        { " scroll ", "action,coordinate,scroll_direction,scroll_amount," },
        { " type key ", "action,text," },
        { " hold_key ", "action,text,duration," },
        { " wait ", "action,duration," },
        { " screenshot done ", "action," },
    };
    char keys[200] = "", name[60];
    for (const struct dh_json *v = dh_json_first(args); v;
         v = dh_json_next(v)) {
        size_t n = strlen(keys);
        snprintf(keys + n, sizeof keys - n, "%s,", dh_json_key(v));
        if (v != dh_json_first(args))
            check_member(v);
    }
    snprintf(name, sizeof name, " %s ",
             dh_json_text(dh_json_find(args, "action")));
    for (size_t i = 0; i < DH_COUNTOF(known); i++)
        if (strcmp(keys, known[i].keys) == 0 && strstr(known[i].actions, name))
            return;
    CHECK_STR(name, keys);
}

static void check_answer(struct dh_str text)
{
    CHECK(dh_utf8_valid(text.p, text.n));
    CHECK(dh_str_starts(text, "Action: "));
    ptrdiff_t line = dh_str_find(text, "\n", 0);
    CHECK(line > 8 && line <= 8 + 160);
    for (ptrdiff_t i = 8; i < line; i++)
        CHECK((unsigned char)text.p[i] >= 0x20 && text.p[i] != 0x7f);
    struct dh_str rest = dh_str_sub(text, (size_t)line, text.n);
    CHECK(dh_str_starts(rest, "\n<tool_call>\n{"));
    CHECK(dh_str_ends(rest, "}\n</tool_call>"));
    struct dh_str json = dh_str_sub(rest, 13, rest.n - 13);
    // Compact: no white space outside of strings.
    bool inside = false;
    for (size_t i = 0; i < json.n; i++) {
        if (json.p[i] == '\\')
            i++;
        else if (json.p[i] == '"')
            inside = !inside;
        else
            CHECK(inside || !strchr(" \t\r\n", json.p[i]));
    }
    struct dh_diag diag = { 0 };
    struct dh_json *v = dh_json_parse(json.p, json.n, &diag);
    CHECK_STR(diag.text, "");
    const struct dh_json *name = dh_json_first(v);
    const struct dh_json *args = dh_json_next(name);
    CHECK_STR(dh_json_key(name), "name");
    CHECK_STR(dh_json_text(name), "computer");
    CHECK_STR(dh_json_key(args), "arguments");
    CHECK(!dh_json_next(args));
    check_keys(args);
    dh_json_free(v);
}

// One of the allowed ids; one that closes text if `close` says so.
static int32_t pick(struct dh_rng *rng, bool close)
{
    int n = 0, size = dh_tokenizer_size(tiny);
    int32_t allowed[1024];
    CHECK(size <= 1024);
    const uint64_t *bits = dh_grammar_allowed(grammar, size);
    if (close && has_bit(bits, '"'))
        return '"';
    if (close && has_bit(bits, '\n'))
        return '\n';
    for (int32_t id = 0; id < size; id++)
        if (has_bit(bits, id))
            allowed[n++] = id;
    CHECK(n > 0);
    return allowed[dh_rng_below(rng, (uint64_t)n)];
}

static void walk(struct dh_rng *rng, struct dh_buf *text, double p_close,
                 bool use_forced)
{
    dh_grammar_reset(grammar);
    dh_buf_clear(text);
    for (;;) {
        int32_t ids[64];
        size_t n = use_forced ? dh_grammar_forced(grammar, ids, 64) : 0;
        if (n == 0) {
            ids[0] = pick(rng, dh_rng_unit(rng) < p_close);
            n = 1;
        }
        for (size_t i = 0; i < n; i++) {
            bool complete = dh_grammar_is_complete(grammar);
            CHECK(is_allowed(ids[i]));
            CHECK(dh_grammar_accept(grammar, ids[i]));
            if (complete) {
                CHECK_INT(ids[i], eos);
                return;
            }
            dh_tokenizer_decode(tiny, ids[i], text);
        }
    }
}

/* Whatever a model picks among the allowed ids, the answer is one of ours, and
 * no step allocates. */
static void test_random_walks_give_valid_answers(void)
{
    static const double p_close[] = { 0.0, 0.02, 0.2, 0.9 };
    setup(DH_GRAMMAR_ACTION);
    struct dh_rng rng;
    struct dh_buf text;
    dh_rng_init(&rng, 5);
    dh_buf_init(&text, 1 << 16);
    for (int k = 0; k < 8000; k++)
        dh_buf_putc(&text, ' ');
    for (int i = 0; i < 400; i++) {
        dh_mem_forbid(true);
        walk(&rng, &text, p_close[i % 4], i % 8 >= 4);
        dh_mem_forbid(false);
        check_answer((struct dh_str){ dh_buf_text(&text), text.len });
    }
    dh_buf_finish(&text);
    teardown();
}

/* The set says of every id what accept says of it, near a hole's end as well.
 */
static void test_allowed_is_what_accept_takes(void)
{
    setup(DH_GRAMMAR_ACTION);
    struct dh_rng rng;
    dh_rng_init(&rng, 11);
    struct dh_grammar *twin;
    CHECK_INT(dh_grammar_create(&twin, DH_GRAMMAR_ACTION, tiny, eos), DH_OK);
    for (int i = 0; i < 12; i++) {
        struct dh_ids so_far = { 0 };
        dh_grammar_reset(grammar);
        while (!dh_grammar_is_complete(grammar) && so_far.n < 90) {
            const uint64_t *bits =
                dh_grammar_allowed(grammar, dh_tokenizer_size(tiny));
            for (int32_t id = 0; id < dh_tokenizer_size(tiny); id += 1 + i) {
                dh_grammar_reset(twin);
                for (size_t k = 0; k < so_far.n; k++)
                    CHECK(dh_grammar_accept(twin, so_far.id[k]));
                CHECK_INT(dh_grammar_accept(twin, id), has_bit(bits, id));
            }
            int32_t id = pick(&rng, i % 3 && dh_rng_unit(&rng) < 0.1);
            CHECK(dh_grammar_accept(grammar, id));
            dh_ids_put(&so_far, id);
        }
        dh_ids_finish(&so_far);
    }
    dh_grammar_destroy(twin);
    teardown();
}

/* What is forced is what training showed: the ids of the whole answer. */
static void test_forced_ids_are_the_published_cut(void)
{
    setup(DH_GRAMMAR_ACTION);
    size_t saved = 0, all = 0;
    for (size_t i = 0; i < DH_COUNTOF(answers); i++) {
        struct dh_ids want = { 0 };
        encode_answer(answers[i], &want);
        dh_ids_put(&want, eos);
        dh_grammar_reset(grammar);
        for (size_t k = 0; k < want.n;) {
            int32_t ids[64];
            size_t n = dh_grammar_forced(grammar, ids, 64);
            for (size_t j = 0; j < n; j++)
                CHECK_INT(ids[j], want.id[k + j]);
            saved += n;
            n = n ? n : 1;
            for (size_t j = 0; j < n; j++)
                CHECK(dh_grammar_accept(grammar, want.id[k++]));
        }
        all += want.n;
        dh_ids_finish(&want);
    }
    printf("%zu of %zu ids need no model\n", saved, all);
    CHECK(saved * 3 > all);
    teardown();
}

/* Once the ids so far are not the published cut, nothing is forced but the
 * end. */
static void test_forced_gives_up_on_another_cut(void)
{
    setup(DH_GRAMMAR_ACTION);
    int32_t ids[8];
    CHECK(dh_grammar_forced(grammar, ids, 8) > 0);
    CHECK_INT(dh_grammar_forced(grammar, ids, 1), 1);
    CHECK_INT(dh_grammar_forced(grammar, ids, 0), 0);
    CHECK_INT(accept_bytes("Action"), 6);
    CHECK_INT(dh_grammar_forced(grammar, ids, 8), 0);
    CHECK_INT(accept_bytes(answers[0]), strlen(answers[0]));
    CHECK_INT(dh_grammar_forced(grammar, ids, 8), 1);
    CHECK_INT(ids[0], eos);
    teardown();
}

/* A tokenizer without the tags spells them, and an odd eos is refused. */
static void test_tokenizer_without_tags(void)
{
    tiny = open_tiny("tiny_flags.json");
    eos = dh_tokenizer_find_added(tiny, "<b>");
    CHECK_INT(dh_grammar_create(&grammar, DH_GRAMMAR_ACTION, tiny, -1),
              DH_ERR_RANGE);
    CHECK_INT(dh_grammar_create(&grammar, DH_GRAMMAR_ACTION, tiny, INT32_MAX),
              DH_ERR_RANGE);
    CHECK_INT(dh_grammar_create(&grammar, DH_GRAMMAR_ACTION, tiny, eos), DH_OK);
    CHECK_INT(accept_bytes(answers[0]), strlen(answers[0]));
    CHECK(dh_grammar_is_complete(grammar));
    struct dh_rng rng;
    struct dh_buf text;
    dh_rng_init(&rng, 1);
    dh_buf_init(&text, 1 << 16);
    for (int i = 0; i < 20; i++) {
        walk(&rng, &text, 0.3, true);
        check_answer((struct dh_str){ dh_buf_text(&text), text.len });
    }
    dh_buf_finish(&text);
    teardown();
}

DH_TESTS(DH_TEST(protocol_answers_are_accepted),
         DH_TEST(answers_in_bytes_are_accepted), DH_TEST(broken_answers_stop),
         DH_TEST(control_tokens_are_never_text), DH_TEST(locate_only_clicks),
         DH_TEST(random_walks_give_valid_answers),
         DH_TEST(allowed_is_what_accept_takes),
         DH_TEST(forced_ids_are_the_published_cut),
         DH_TEST(forced_gives_up_on_another_cut),
         DH_TEST(tokenizer_without_tags));
