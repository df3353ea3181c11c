#include "agent/sse.h"

#include <string.h>

#include "base/str.h"

void dh_sse_init(struct dh_sse *s, size_t max_event, dh_sse_fn fn, void *user)
{
    memset(s, 0, sizeof *s);
    s->fn = fn;
    s->user = user;
    dh_buf_init(&s->line, max_event);
    dh_buf_init(&s->data, max_event);
    dh_buf_init(&s->name, max_event);
}

void dh_sse_finish(struct dh_sse *s)
{
    dh_buf_finish(&s->line);
    dh_buf_finish(&s->data);
    dh_buf_finish(&s->name);
}

enum dh_status dh_sse_status(const struct dh_sse *s)
{
    bool large = s->line.overflow || s->data.overflow || s->name.overflow;
    return large ? DH_ERR_RANGE : DH_OK;
}

static void take_line(struct dh_sse *s)
{
    const char *line = dh_buf_text(&s->line);
    size_t n = s->line.len;
    const char *colon = memchr(line, ':', n);
    struct dh_str name = { line, colon ? (size_t)(colon - line) : n };
    const char *value = colon ? colon + 1 : line + n;
    if (colon && value < line + n && *value == ' ')
        value++;
    size_t len = (size_t)(line + n - value);
    if (dh_str_is(name, "data")) {
        if (s->has_data)
            dh_buf_putc(&s->data, '\n');
        dh_buf_put(&s->data, value, len);
        s->has_data = true;
    } else if (dh_str_is(name, "event")) {
        dh_buf_clear(&s->name);
        dh_buf_put(&s->name, value, len);
    }
}

static void end_line(struct dh_sse *s)
{
    if (s->line.len > 0) {
        take_line(s);
        dh_buf_clear(&s->line);
        return;
    }
    // An empty line ends an event; one without data is none.
    if (s->has_data)
        s->ended =
            !s->fn(s->user, s->name.len ? dh_buf_text(&s->name) : "message",
                   dh_buf_text(&s->data), s->data.len);
    dh_buf_clear(&s->data);
    dh_buf_clear(&s->name);
    s->has_data = false;
}

bool dh_sse_feed(struct dh_sse *s, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n && !s->ended; i++) {
        char c = bytes[i];
        bool pair = c == '\n' && s->after_cr;
        s->after_cr = c == '\r';
        if (c == '\r' || (c == '\n' && !pair))
            end_line(s);
        else if (!pair)
            dh_buf_putc(&s->line, c);
        if (dh_sse_status(s))
            s->ended = true;
    }
    return !s->ended;
}
