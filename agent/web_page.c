#include "agent/web_page.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

#define DH_LOG_TAG "web"
#include "base/log.h"

// The room is the sandbox: namespaces, no network, nothing of ours to read.
// The browser's own would want to make such namespaces again, which a room does
// not allow everywhere. The rest keeps out what is not the page: bars, bubbles,
// questions, calls home.
static const char browser[] =
    "exec chromium --no-sandbox --test-type --no-first-run --disable-gpu "
    "--disable-dev-shm-usage --password-store=basic --disable-sync "
    "--disable-background-networking --disable-component-update "
    "--disable-features=Translate,AutofillServerCommunication "
    "--disable-extensions --lang=en-US --force-color-profile=srgb "
    "--kiosk --window-position=0,0 --window-size=%d,%d "
    "--force-device-scale-factor=%d --remote-debugging-pipe "
    "--app=data:text/html, "
    "3<&0 4>&1 </dev/null >/dev/null 2>&1";

static const char is_ready[] =
    "document.readyState !== 'complete' ? 'loading' :"
    " typeof core !== 'object' || typeof core.endEpisode !== 'function' ||"
    " typeof core.startEpisodeReal !== 'function' ||"
    " typeof Math.seedrandom !== 'function' ? 'alien' :"
    " core.cover_div ? 'ready' : 'waiting'";

// The page's own end still happens, but what it says is told once. What stands
// beside the task area is of people who watch.
static const char begin[] =
    "((seed, timed) => {"
    " const limit = core.EPISODE_MAX_TIME, end = core.endEpisode;"
    " const tell = window.dhTell, now = Date.now;"
    " let over = false;"
    " const style = document.createElement('style');"
    " style.textContent ="
    "  '#reward-display, #click-canvas { display: none !important }';"
    " document.head.appendChild(style);"
    " core.endEpisode = function (reward, shrinks, reason) {"
    "  if (over || core.EP_TIMER === null) return;"
    "  over = true;"
    "  const raw = Number(reward), gone = now() - core.ept0;"
    "  tell(JSON.stringify({ raw, timed: shrinks ?"
    "   raw * Math.max(0, 1 - gone / limit) : raw,"
    "   reason: reason === undefined || reason === null ? '' :"
    "    String(reason).slice(0, 300) }));"
    "  return end.apply(this, arguments);"
    " };"
    " if (!timed) core.EPISODE_MAX_TIME = 864e5;"
    " Math.seedrandom(seed);"
    " core.startEpisodeReal();"
    " return limit / 1000;"
    "})(%lld, %s)";

static const char question[] =
    "(() => { if (typeof WOB_TASK_READY !== 'undefined' && !WOB_TASK_READY)"
    " return '';"
    " const u = core.getUtterance();"
    " return (typeof u === 'string' ? u : String(u.utterance)).slice(0, 5000);"
    "})()";

static void hear(void *with, const char *text)
{
    struct dh_web_page *w = with;
    struct dh_diag diag = { 0 };
    struct dh_json *m = dh_json_parse(text, strlen(text), &diag);
    const struct dh_json *raw = dh_json_find(m, "raw");
    double v = dh_json_number(raw);
    if (!w->ended && dh_json_kind(m) == DH_JSON_OBJECT) {
        w->ended = true;
        // A page's reward is -1..1; what is none counts as none.
        w->raw = isfinite(v) ? DH_CLAMP(v, -1, 1) : 0;
        v = dh_json_number(dh_json_find(m, "timed"));
        w->timed = isfinite(v) ? DH_CLAMP(v, -1, 1) : 0;
        w->reason = dh_strdup(dh_json_text(dh_json_find(m, "reason")));
    }
    dh_json_free(m);
}

static void forget(struct dh_web_page *w)
{
    dh_free(w->text);
    dh_free(w->reason);
    w->text = w->reason = NULL;
    w->ended = false;
    w->raw = w->timed = w->limit_s = 0;
}

void dh_web_close(struct dh_web_page *w)
{
    forget(w);
    dh_web_pipe_finish(&w->pipe);
}

static enum dh_status say(struct dh_web_page *w, enum dh_status st,
                          const char *why)
{
    dh_free(w->pipe.why);
    w->pipe.why = dh_strdup(why);
    return st;
}

// ---- the browser ----

static enum dh_status tell(struct dh_web_page *w, const char *method,
                           const char *params, int64_t until_ns)
{
    struct dh_json *m = NULL;
    enum dh_status st = dh_web_call(&w->pipe, method, params, until_ns, &m);
    dh_json_free(m);
    return st;
}

// Its only page, which may not be there yet.
static enum dh_status find_page(struct dh_web_page *w, int64_t until_ns)
{
    while (dh_now_ns() < until_ns) {
        struct dh_json *m = NULL;
        enum dh_status st =
            dh_web_call(&w->pipe, "Target.getTargets", "{}", until_ns, &m);
        if (st)
            return st;
        const struct dh_json *t = dh_json_first(
            dh_json_find(dh_json_find(m, "result"), "targetInfos"));
        while (t && strcmp(dh_json_text(dh_json_find(t, "type")), "page") != 0)
            t = dh_json_next(t);
        struct dh_buf params;
        dh_buf_init(&params, 1000);
        dh_buf_puts(&params, "{\"flatten\":true,\"targetId\":");
        dh_json_quote(&params,
                      dh_str_of(dh_json_text(dh_json_find(t, "targetId"))));
        dh_buf_putc(&params, '}');
        dh_json_free(m);
        m = NULL;
        if (t)
            st = dh_web_call(&w->pipe, "Target.attachToTarget",
                             dh_buf_text(&params), until_ns, &m);
        dh_buf_finish(&params);
        if (t && !st)
            w->pipe.session = dh_strdup(dh_json_text(
                dh_json_find(dh_json_find(m, "result"), "sessionId")));
        dh_json_free(m);
        if (t)
            return st;
        dh_sleep_for(20 * DH_MS);
    }
    return say(w, DH_ERR_TIMEOUT, "the browser opens no window");
}

// Evaluates until it is `want`.
static enum dh_status wait_until(struct dh_web_page *w, const char *expression,
                                 const char *want, int64_t until_ns)
{
    for (;;) {
        struct dh_buf out;
        dh_buf_init(&out, 1000);
        enum dh_status st =
            dh_web_eval(&w->pipe, expression, until_ns + DH_S, &out);
        bool ok = !st && strcmp(dh_buf_text(&out), want) == 0;
        bool alien = !st && strcmp(dh_buf_text(&out), "alien") == 0;
        dh_buf_finish(&out);
        if (alien)
            return say(w, DH_ERR_FORMAT, "it is no page of MiniWoB's form");
        // In between two pages there is nothing to ask.
        if (ok || (st && st != DH_ERR_REFUSED))
            return st;
        if (dh_now_ns() >= until_ns)
            return say(w, DH_ERR_TIMEOUT, "the page is never ready");
        dh_sleep_for(20 * DH_MS);
    }
}

static enum dh_status start_browser(struct dh_web_page *w,
                                    struct dh_task_desk *d,
                                    struct dh_size screen, int scale,
                                    int64_t until_ns)
{
    char command[1200], fits[200];
    int pair[2];
    // Each side does both: what the browser reads as 3 and writes as 4.
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        return say(w, DH_ERR_IO, strerror(errno));
    dh_web_pipe_init(&w->pipe, pair[0]);
    w->pipe.told = hear;
    w->pipe.with = w;
    w->screen = screen;
    snprintf(command, sizeof command, browser, w->screen.w, w->screen.h, scale);
    enum dh_status st = dh_box_start(d->box, command, pair[1], pair[1]);
    close(pair[1]);
    if (st)
        return say(w, st, "the browser cannot be started");
    st = find_page(w, until_ns);
    if (!st)
        st = tell(w, "Runtime.enable", "{}", until_ns);
    if (!st)
        st = tell(w, "Runtime.addBinding", "{\"name\":\"dhTell\"}", until_ns);
    // Points are of the screen, so that its place must be known.
    snprintf(fits, sizeof fits,
             "Math.round(innerWidth * devicePixelRatio) === %d && "
             "Math.round(innerHeight * devicePixelRatio) === %d && "
             "screenX === 0 && screenY === 0",
             w->screen.w, w->screen.h);
    return st ? st : wait_until(w, fits, "true", until_ns);
}

enum dh_status dh_web_open(struct dh_web_page *w, struct dh_task_desk *d,
                           struct dh_size screen, int scale, int64_t until_ns)
{
    memset(w, 0, sizeof *w);
    enum dh_status st = start_browser(w, d, screen, scale, until_ns);
    if (st) {
        struct dh_buf b;
        dh_buf_init(&b, 1000);
        dh_buf_printf(&b, "chromium: %s%s%s",
                      w->pipe.why ? w->pipe.why : dh_status_name(st),
                      st == DH_ERR_CLOSED ? "; is it installed?" : "",
                      dh_box_why(d->box));
        dh_free(d->why);
        d->why = dh_buf_take(&b);
    }
    return st;
}

// ---- a page ----

static enum dh_status load(struct dh_web_page *w, const char *file,
                           int64_t until_ns)
{
    struct dh_json *m = NULL;
    struct dh_buf b, url;
    dh_buf_init(&b, 2 * DH_WEB_TEXT);
    dh_buf_init(&url, DH_WEB_TEXT);
    dh_buf_printf(&url, "file://" DH_BOX_SHOWN "/%s", file);
    dh_buf_puts(&b, "{\"url\":");
    dh_json_quote(&b, dh_str_of(dh_buf_text(&url)));
    dh_buf_putc(&b, '}');
    enum dh_status st =
        dh_web_call(&w->pipe, "Page.navigate", dh_buf_text(&b), until_ns, &m);
    const struct dh_json *error =
        dh_json_find(dh_json_find(m, "result"), "errorText");
    if (!st && error) {
        dh_buf_clear(&b);
        dh_buf_printf(&b, "%.200s: %.100s", file, dh_json_text(error));
        st = say(w, DH_ERR_FORMAT, dh_buf_text(&b));
    }
    dh_json_free(m);
    dh_buf_finish(&b);
    dh_buf_finish(&url);
    return st ? st : wait_until(w, is_ready, "ready", until_ns);
}

static enum dh_status ask_question(struct dh_web_page *w, int64_t until_ns)
{
    struct dh_buf out;
    enum dh_status st = DH_OK;
    dh_buf_init(&out, 1 << 16);
    while (!st && !out.len) {
        st = dh_web_eval(&w->pipe, question, until_ns + DH_S, &out);
        if (st || out.len)
            break;
        if (dh_now_ns() >= until_ns)
            st = say(w, DH_ERR_TIMEOUT, "the page never asks anything");
        dh_sleep_for(20 * DH_MS);
    }
    if (!st && out.len > DH_WEB_TEXT)
        st = say(w, DH_ERR_RANGE, "its question is longer than 4000 bytes");
    if (st)
        dh_buf_finish(&out);
    else
        w->text = dh_buf_take(&out);
    return st;
}

enum dh_status dh_web_start(struct dh_web_page *w, const char *file,
                            int64_t seed, bool timed, int64_t until_ns)
{
    char script[sizeof begin + 40];
    struct dh_buf out;
    forget(w);
    enum dh_status st = load(w, file, until_ns);
    if (st)
        return st;
    dh_buf_init(&out, 1000);
    snprintf(script, sizeof script, begin, (long long)seed,
             timed ? "true" : "false");
    st = dh_web_eval(&w->pipe, script, until_ns, &out);
    if (!st && !dh_parse_double(dh_str_of(dh_buf_text(&out)), &w->limit_s))
        st = say(w, DH_ERR_FORMAT, "its limit of time is no number");
    dh_buf_finish(&out);
    if (!st)
        st = ask_question(w, until_ns);
    // What it painted has to be on the screen.
    dh_buf_init(&out, 1000);
    if (!st)
        st = dh_web_eval(&w->pipe,
                         "new Promise(f => requestAnimationFrame(() => "
                         "requestAnimationFrame(() => f(1))))",
                         until_ns, &out);
    dh_buf_finish(&out);
    if (!st && w->ended)
        st = say(w, DH_ERR_FORMAT, "it ends before anybody does something");
    return st;
}

bool dh_web_is_over(struct dh_web_page *w)
{
    return dh_web_take(&w->pipe) != DH_OK || w->ended;
}
