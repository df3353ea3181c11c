#include "agent/one_call.h"

#include <string.h>

#include "actions/parse.h"
#include "base/buf.h"
#include "base/str.h"

// The closing tag follows its object closely, or there is none.
#define TAG_WITHIN 64

void dh_one_call_init(struct dh_one_call *c, bool wanted)
{
    memset(c, 0, sizeof *c);
    if (wanted)
        c->stream = dh_answer_stream_create(NULL);
}

void dh_one_call_finish(struct dh_one_call *c)
{
    dh_answer_stream_destroy(c->stream);
    memset(c, 0, sizeof *c);
}

// Where the first call's object ends, to within a piece of text.
static void find_call(struct dh_one_call *c, const char *text, size_t len)
{
    struct dh_action a;
    // Byte by byte, so that what is kept does not depend on how it was cut.
    while (c->fed < len && !c->whole) {
        dh_answer_stream_feed(c->stream, text + c->fed++, 1);
        if (!dh_answer_stream_take(c->stream, &a))
            continue;
        dh_action_finish(&a);
        c->whole = c->fed;
    }
}

// It goes on behind the first call, which ends at *keep.
static bool is_over(struct dh_one_call *c, const char *text, size_t len,
                    size_t *keep)
{
    static const char tag[] = "</tool_call>";
    if (!c->stream)
        return false;
    find_call(c, text, len);
    if (!c->whole)
        return false;
    struct dh_str rest = { text + c->whole, len - c->whole };
    ptrdiff_t at = dh_str_find(rest, tag, 0);
    if (at < 0 || at > TAG_WITHIN) {
        *keep = c->whole;
        return rest.n > TAG_WITHIN + sizeof tag;
    }
    size_t end = (size_t)at + sizeof tag - 1;
    *keep = c->whole + end;
    return dh_str_trim(dh_str_sub(rest, end, rest.n)).n > 0;
}

bool dh_one_call_take(struct dh_one_call *c, struct dh_buf *text, size_t before,
                      bool (*on_text)(void *user, const char *piece,
                                      size_t len),
                      void *user)
{
    size_t keep;
    bool over = is_over(c, dh_buf_text(text), text->len, &keep);
    if (over)
        text->data[text->len = keep] = '\0';
    if (on_text && text->len > before)
        over |= !on_text(user, text->data + before, text->len - before);
    return over;
}
