#include "agent/web_pipe.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

#define MAX_SAID (8 << 20)

DH_PRINTF(3, 4)
static enum dh_status failed(struct dh_web_pipe *p, enum dh_status st,
                             const char *fmt, ...)
{
    struct dh_buf b;
    va_list ap;
    dh_buf_init(&b, 1000);
    va_start(ap, fmt);
    dh_buf_vprintf(&b, fmt, ap);
    va_end(ap);
    dh_free(p->why);
    p->why = dh_buf_take(&b);
    return st;
}

void dh_web_pipe_init(struct dh_web_pipe *p, int fd)
{
    p->fd = fd;
    dh_buf_init(&p->in, MAX_SAID);
}

void dh_web_pipe_finish(struct dh_web_pipe *p)
{
    if (p->fd > 0)
        close(p->fd);
    dh_buf_finish(&p->in);
    dh_free(p->session);
    dh_free(p->why);
    memset(p, 0, sizeof *p);
}

static enum dh_status closed(struct dh_web_pipe *p)
{
    return failed(p, DH_ERR_CLOSED, "the browser is gone");
}

// Until the descriptor may be read or written.
static enum dh_status wait_for(struct dh_web_pipe *p, short what,
                               int64_t until_ns)
{
    struct pollfd fd = { .fd = p->fd, .events = what };
    for (;;) {
        int64_t left = until_ns - dh_now_ns();
        int n = poll(&fd, 1, left <= 0 ? 0 : (int)(left / DH_MS + 1));
        if (n > 0)
            return DH_OK;
        if (n < 0 && errno == EINTR)
            return DH_ERR_CANCELLED;
        if (n < 0)
            return closed(p);
        if (dh_now_ns() >= until_ns)
            return failed(p, DH_ERR_TIMEOUT,
                          "the page does not answer; it may never come to an "
                          "end");
    }
}

static enum dh_status put(struct dh_web_pipe *p, const struct dh_buf *b,
                          int64_t until_ns)
{
    // With the NUL that ends it.
    for (size_t at = 0; at < b->len + 1;) {
        enum dh_status st = wait_for(p, POLLOUT, until_ns);
        if (st)
            return st;
        ssize_t n = send(p->fd, b->data + at, b->len + 1 - at,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return closed(p);
        at += n > 0 ? (size_t)n : 0;
    }
    return DH_OK;
}

bool dh_web_message(struct dh_web_pipe *p, struct dh_str text, int id,
                    struct dh_json **answer)
{
    struct dh_diag diag = { 0 };
    struct dh_json *m = dh_json_parse(text.p, text.n, &diag);
    if (dh_json_kind(m) != DH_JSON_OBJECT) {
        dh_json_free(m);
        return false;
    }
    const struct dh_json *of = dh_json_find(m, "id");
    const struct dh_json *params = dh_json_find(m, "params");
    if (dh_json_kind(of) == DH_JSON_NUMBER && dh_json_number(of) == id &&
        !*answer) {
        *answer = m;
        return true;
    }
    if (p->told &&
        strcmp(dh_json_text(dh_json_find(m, "method")),
               "Runtime.bindingCalled") == 0 &&
        strcmp(dh_json_text(dh_json_find(params, "name")), "dhTell") == 0)
        p->told(p->with, dh_json_text(dh_json_find(params, "payload")));
    dh_json_free(m);
    return true;
}

// All whole messages that are there.
static enum dh_status take_messages(struct dh_web_pipe *p, int id,
                                    struct dh_json **answer)
{
    size_t at = 0;
    const char *end;
    bool ok = true;
    while (ok && p->in.len > at &&
           (end = memchr(p->in.data + at, 0, p->in.len - at))) {
        size_t n = (size_t)(end - (p->in.data + at));
        ok = dh_web_message(p, (struct dh_str){ p->in.data + at, n }, id,
                            answer);
        at += n + 1;
    }
    if (at) {
        memmove(p->in.data, p->in.data + at, p->in.len - at);
        p->in.len -= at;
    }
    return ok ? DH_OK : failed(p, DH_ERR_FORMAT, "the browser talks nonsense");
}

// What can be had now; *any: was there something?
static enum dh_status get(struct dh_web_pipe *p, bool *any)
{
    char bytes[65536];
    ssize_t n = recv(p->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    *any = n > 0;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return DH_OK;
    if (n <= 0)
        return closed(p);
    dh_buf_put(&p->in, bytes, (size_t)n);
    return p->in.overflow
               ? failed(p, DH_ERR_RANGE, "the page says more than 8 MiB")
               : DH_OK;
}

enum dh_status dh_web_take(struct dh_web_pipe *p)
{
    struct dh_json *none = NULL;
    bool any = true;
    enum dh_status st = DH_OK;
    while (!st && any) {
        st = get(p, &any);
        if (!st)
            st = take_messages(p, 0, &none);
        dh_json_free(none); // nobody asked with id 0
        none = NULL;
    }
    return st;
}

static enum dh_status answer_of(struct dh_web_pipe *p, const char *method,
                                struct dh_json *m, struct dh_json **result)
{
    const struct dh_json *error = dh_json_find(m, "error");
    if (!error) {
        *result = m;
        return DH_OK;
    }
    enum dh_status st = failed(p, DH_ERR_REFUSED, "%s: %.200s", method,
                               dh_json_text(dh_json_find(error, "message")));
    dh_json_free(m);
    return st;
}

enum dh_status dh_web_call(struct dh_web_pipe *p, const char *method,
                           const char *params, int64_t until_ns,
                           struct dh_json **result)
{
    struct dh_json *answer = NULL;
    struct dh_json_writer w;
    struct dh_buf b;
    int id = ++p->next_id;
    bool any;
    dh_buf_init(&b, 4 << 20);
    dh_jw_init(&w, &b);
    dh_jw_object(&w, NULL);
    dh_jw_i64(&w, "id", id);
    dh_jw_text(&w, "method", method);
    dh_jw_raw(&w, "params", params);
    if (p->session)
        dh_jw_text(&w, "sessionId", p->session);
    dh_jw_end_object(&w);
    enum dh_status st = put(p, &b, until_ns);
    dh_buf_finish(&b);
    while (!st && !answer) {
        st = wait_for(p, POLLIN, until_ns);
        if (!st)
            st = get(p, &any);
        if (!st)
            st = take_messages(p, id, &answer);
    }
    if (st) {
        dh_json_free(answer);
        return st;
    }
    return answer_of(p, method, answer, result);
}

enum dh_status dh_web_eval(struct dh_web_pipe *p, const char *expression,
                           int64_t until_ns, struct dh_buf *out)
{
    struct dh_json *m = NULL;
    struct dh_json_writer w;
    struct dh_buf params;
    dh_buf_init(&params, 4 << 20);
    dh_jw_init(&w, &params);
    dh_jw_object(&w, NULL);
    dh_jw_text(&w, "expression", expression);
    dh_jw_bool(&w, "returnByValue", true);
    dh_jw_bool(&w, "awaitPromise", true);
    dh_jw_end_object(&w);
    enum dh_status st =
        dh_web_call(p, "Runtime.evaluate", dh_buf_text(&params), until_ns, &m);
    dh_buf_finish(&params);
    if (st)
        return st;
    const struct dh_json *r = dh_json_find(m, "result");
    const struct dh_json *wrong = dh_json_find(r, "exceptionDetails");
    const struct dh_json *value =
        dh_json_find(dh_json_find(r, "result"), "value");
    if (wrong) {
        const char *text = dh_json_text(
            dh_json_find(dh_json_find(wrong, "exception"), "description"));
        st = failed(p, DH_ERR_REFUSED, "the page throws: %.*s",
                    (int)DH_MIN(strcspn(text, "\n"), 200), text);
    } else if (dh_json_kind(value) == DH_JSON_STRING) {
        dh_buf_puts(out, dh_json_text(value));
    } else if (value) {
        dh_json_print(value, out);
    }
    dh_json_free(m);
    return st;
}
