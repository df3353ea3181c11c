/* What an endpoint sends, events of both protocols: the same answer however the
 * bytes are cut, and whatever it is, a message that can go back. The first byte
 * chooses the protocol and where to cut. */
#include <stdint.h>
#include <string.h>

#include "agent/sse.h"
#include "agent/wire_priv.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        __builtin_trap();
}

struct reading {
    const struct dh_wire_ops *wire;
    struct dh_wire_answer answer;
};

static bool take_event(void *user, const char *name, const char *data,
                       size_t len)
{
    struct reading *r = user;
    return r->wire->event(&r->answer, name, data, len);
}

static void read_in_pieces(struct reading *r, const char *bytes, size_t n,
                           size_t piece)
{
    struct dh_sse sse;
    dh_wire_answer_init(&r->answer);
    dh_one_call_init(&r->answer.one, true);
    dh_sse_init(&sse, 1 << 16, take_event, r);
    for (size_t i = 0; i < n; i += piece)
        if (!dh_sse_feed(&sse, bytes + i, DH_MIN(piece, n - i)))
            break;
    dh_sse_finish(&sse);
}

static void check_message(const struct reading *r, const char *text)
{
    struct dh_buf out;
    struct dh_diag diag = { 0 };
    dh_buf_init(&out, (size_t)64 << 20);
    r->wire->message(&r->answer, text, &out);
    struct dh_json *o = dh_json_parse(dh_buf_text(&out), out.len, &diag);
    check(o && dh_json_find(o, "content"));
    dh_json_free(o);
    dh_buf_finish(&out);
}

static void check_whole(const struct dh_wire_ops *wire, const char *bytes,
                        size_t n)
{
    struct dh_wire_answer a;
    struct dh_diag diag = { 0 };
    struct dh_json *o = dh_json_parse(bytes, n, &diag);
    if (!o)
        return;
    dh_wire_answer_init(&a);
    wire->whole(&a, o);
    dh_free(dh_wire_text(&a));
    dh_wire_answer_finish(&a);
    dh_json_free(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    const char *bytes = (const char *)data + 1;
    size_t n = size - 1, piece = 1 + data[0] / 2;
    const struct dh_wire_ops *wire =
        data[0] % 2 ? &dh_wire_anthropic : &dh_wire_openai;
    struct reading whole = { .wire = wire }, cut = { .wire = wire };
    read_in_pieces(&whole, bytes, n, DH_MAX(n, 1));
    read_in_pieces(&cut, bytes, n, piece);
    char *a = dh_wire_text(&whole.answer), *b = dh_wire_text(&cut.answer);
    check(strcmp(a, b) == 0);
    check(whole.answer.failed == cut.answer.failed);
    check(whole.answer.n_calls == cut.answer.n_calls);
    check(whole.answer.usage.prompt_tokens == cut.answer.usage.prompt_tokens);
    check(!whole.answer.failed || whole.answer.why.text[0]);
    check_message(&whole, a);
    check_whole(wire, bytes, n);
    dh_free(a);
    dh_free(b);
    dh_wire_answer_finish(&whole.answer);
    dh_wire_answer_finish(&cut.answer);
    return 0;
}
