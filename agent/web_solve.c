// The solution of a page, played by mouse and keyboard.
#include <string.h>

#include "actions/action.h"
#include "actions/xtest.h"
#include "agent/web_page.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

#define MAX_ACTIONS 300

static enum dh_status fail(struct dh_web_page *w, enum dh_status st,
                           const char *why, const char *what)
{
    struct dh_buf b;
    dh_buf_init(&b, 1000);
    dh_buf_printf(&b, "%s%.200s", why, what);
    dh_free(w->pipe.why);
    w->pipe.why = dh_buf_take(&b);
    return st;
}

static enum dh_status perform(struct dh_web_page *w, struct dh_sink *s,
                              const char *line)
{
    struct dh_action a = { 0 };
    struct dh_diag diag = { 0 };
    if (!dh_action_of_text(line, true, &a, &diag))
        return fail(w, DH_ERR_FORMAT, "the solution says: ", line);
    enum dh_status st = dh_sink_perform(s, &a, NULL, &diag);
    dh_action_finish(&a);
    return st ? fail(w, st, "the solution: ", diag.text) : DH_OK;
}

// It looks again until it knows what to do, and until what moves is at rest.
static enum dh_status play(struct dh_web_page *w, struct dh_sink *s,
                           const char *look, int64_t until_ns)
{
    for (w->acts = 0; w->acts < MAX_ACTIONS && !dh_web_is_over(w);) {
        struct dh_buf line;
        dh_buf_init(&line, 1 << 15);
        enum dh_status st = dh_web_eval(&w->pipe, look, until_ns, &line);
        const char *text = dh_buf_text(&line);
        if (!st && strcmp(text, "unknown") == 0)
            st = fail(w, DH_ERR_NOTFOUND, "no solution is known", "");
        else if (!st && *text)
            st = perform(w, s, text);
        w->acts += *text != 0;
        dh_buf_finish(&line);
        if (w->ended)
            return DH_OK;
        if (!st && dh_now_ns() >= until_ns)
            st = fail(w, DH_ERR_TIMEOUT, "the solution finds no end", "");
        if (st)
            return st;
        dh_sleep_for(30 * DH_MS);
    }
    return w->ended ? DH_OK
                    : fail(w, DH_ERR_TIMEOUT, "the solution finds no end", "");
}

enum dh_status dh_web_solve(struct dh_web_page *w, int display,
                            const char *page, const char *script,
                            int64_t until_ns)
{
    struct dh_xtest_options o = { 0 };
    struct dh_sink *sink = NULL;
    struct dh_buf b, out;
    dh_buf_init(&out, 1000);
    dh_buf_init(&b, 1 << 16);
    enum dh_status st = dh_web_eval(&w->pipe, script, until_ns, &out);
    dh_buf_clear(&out);
    dh_buf_printf(&out, ":%d", display);
    dh_buf_puts(&b, "dhSolve(");
    dh_json_quote(&b, dh_str_of(page));
    dh_buf_putc(&b, ',');
    dh_json_quote(&b, dh_str_of(w->text));
    dh_buf_putc(&b, ')');
    if (!st && dh_xtest_create(&sink, dh_buf_text(&out), &o))
        st = fail(w, DH_ERR_IO, "no input for the solution", "");
    if (!st)
        st = play(w, sink, dh_buf_text(&b), until_ns);
    dh_sink_destroy(sink);
    dh_buf_finish(&out);
    dh_buf_finish(&b);
    return st;
}
