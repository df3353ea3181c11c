// Stages about acting: clicks and text, until a program has them.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actions/sink.h"
#include "actions/xtest.h"
#include "base/clock.h"
#include "base/mem.h"
#include "capture/source.h"
#include "tools/bench.h"
#include "tools/bench_proc.h"
#include "tools/bench_x11.h"

#define PEER_NS   (20 * DH_S)
#define HEARD_NS  (2 * DH_S)
#define WINDOW_NS (20 * DH_S)

// Names that goals refer to.
#define BARE          "bare XTest"
#define BARE_SHORT    "bare XTest, 12 ASCII characters"
#define BARE_ASKED    "bare XTest, pointer asked for"
#define XDOTOOL       "xdotool type"
#define XDOTOOL_FAST  "xdotool type --delay 0"
#define XDOTOOL_CLICK "xdotool mousemove --sync, click"

#define XTERM_NAME "deskhand-bench-xterm"
#define ENTRY_NAME "deskhand-bench-entry"

// 100 characters of an American keyboard; 12 that are not all on any keyboard;
// and what a program needs for 12 that are.
static const char ascii[] =
    "The quick brown fox jumps over the lazy dog, 0123 "
    "456789 {}[]() <>?! @#$%^&* Pack my box w/ 12 jugs.";
static const char mixed[] = "héllo – 你好 🙂";
static const char plain[] = "hello, world";
_Static_assert(sizeof ascii == 101, "a hundred characters");

static double ms_since(int64_t begun)
{
    return (double)(dh_now_ns() - begun) / (double)DH_MS;
}

// ---- who types and clicks --------------------------------------------------

typedef bool (*type_fn)(struct dh_bench *b, const char *text);

static bool we_type(struct dh_bench *b, const char *text)
{
    struct dh_diag why = { 0 };
    struct dh_action a = { .op = DH_ACTION_TYPE, .text = dh_strdup(text) };
    enum dh_status st = dh_sink_perform(b->sink, &a, b->cancel, &why);
    dh_action_finish(&a);
    return !st;
}

static bool bare_types(struct dh_bench *b, const char *text)
{
    dh_bench_x11_type(b->x, text);
    return true;
}

// It types a line's end as Linefeed, which ends no entry, so it is told to
// press Return.
static bool xdotool_with(struct dh_bench *b, const char *delay_ms,
                         const char *text)
{
    char line[256];
    size_t len = strcspn(text, "\n");
    snprintf(line, sizeof line, "%.*s", (int)len, text);
    const char *argv[12] = { "xdotool", "type", "--args", "1" };
    int n = 4;
    if (delay_ms) {
        argv[n++] = "--delay";
        argv[n++] = delay_ms;
    }
    argv[n++] = line;
    if (text[len]) {
        argv[n++] = "key";
        argv[n++] = "Return";
    }
    return !dh_bench_proc_run(argv, PEER_NS, b->cancel);
}

static bool xdotool_types(struct dh_bench *b, const char *text)
{
    return xdotool_with(b, NULL, text);
}

static bool xdotool_types_fast(struct dh_bench *b, const char *text)
{
    return xdotool_with(b, "0", text);
}

static bool we_click(struct dh_bench *b, struct dh_point at)
{
    struct dh_diag why = { 0 };
    struct dh_action a = { .op = DH_ACTION_CLICK,
                           .has_at = true,
                           .on_screen = true,
                           .at = at,
                           .button = 1,
                           .count = 1 };
    return !dh_sink_perform(b->sink, &a, b->cancel, &why);
}

static bool bare_clicks(struct dh_bench *b, struct dh_point at)
{
    dh_bench_x11_click(b->x, at);
    return true;
}

// Nothing is pressed before the pointer is known to be there.
static bool bare_asks_and_clicks(struct dh_bench *b, struct dh_point at)
{
    return dh_bench_x11_click_there(b->x, at);
}

static bool xdotool_clicks(struct dh_bench *b, struct dh_point at)
{
    char x[16], y[16];
    snprintf(x, sizeof x, "%d", at.x);
    snprintf(y, sizeof y, "%d", at.y);
    const char *argv[] = { "xdotool", "mousemove", "--sync", x,
                           y,         "click",     "1",      NULL };
    return !dh_bench_proc_run(argv, PEER_NS, b->cancel);
}

// ---- a client --------------------------------------------------------------

static bool click_with(struct dh_bench *b,
                       bool (*click)(struct dh_bench *, struct dh_point),
                       struct dh_bench_sample *s)
{
    struct dh_point at = dh_bench_x11_target(b->x, b->flip = !b->flip);
    dh_bench_x11_listen(b->x);
    int64_t t = dh_now_ns();
    if (!click(b, at))
        return false;
    s->exact = dh_bench_x11_heard_click(b->x, at, dh_now_ns() + HEARD_NS);
    s->ms = ms_since(t);
    return true;
}

static bool our_click(struct dh_bench *b, struct dh_bench_sample *s)
{
    return click_with(b, we_click, s);
}

static bool bare_click(struct dh_bench *b, struct dh_bench_sample *s)
{
    return click_with(b, bare_clicks, s);
}

static bool bare_asked_click(struct dh_bench *b, struct dh_bench_sample *s)
{
    return click_with(b, bare_asks_and_clicks, s);
}

static bool xdotool_click(struct dh_bench *b, struct dh_bench_sample *s)
{
    return click_with(b, xdotool_clicks, s);
}

static bool client_text(struct dh_bench *b, type_fn type,
                        struct dh_bench_sample *s)
{
    dh_bench_x11_listen(b->x);
    int64_t t = dh_now_ns();
    if (!type(b, ascii))
        return false;
    bool came =
        dh_bench_x11_heard_text(b->x, ascii, dh_now_ns() + HEARD_NS, &s->exact);
    s->ms = ms_since(t);
    s->exact = s->exact && came;
    return true;
}

static bool our_text(struct dh_bench *b, struct dh_bench_sample *s)
{
    return client_text(b, we_type, s);
}

static bool bare_text(struct dh_bench *b, struct dh_bench_sample *s)
{
    return client_text(b, bare_types, s);
}

static bool xdotool_text(struct dh_bench *b, struct dh_bench_sample *s)
{
    return client_text(b, xdotool_types, s);
}

static bool xdotool_text_fast(struct dh_bench *b, struct dh_bench_sample *s)
{
    return client_text(b, xdotool_types_fast, s);
}

// ---- a program in xterm ----------------------------------------------------

// tee hands on each line that the terminal gives it, and no shell is needed.
static bool xterm_open(struct dh_bench *b)
{
    char path[512];
    if (b->xterm)
        return true;
    snprintf(path, sizeof path, "%s/lines", b->dir);
    if (mkfifo(path, 0600) && errno != EEXIST)
        return false;
    // Opened for writing too, it never ends between two writers.
    b->fifo = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    const char *argv[] = { "xterm",     "-u8", "-T",  XTERM_NAME, "-geometry",
                           "80x24+0-0", "-e",  "tee", path,       NULL };
    return b->fifo >= 0 && !dh_bench_proc_start(&b->xterm, argv, -1, -1, -1) &&
           dh_bench_x11_focus(b->x, XTERM_NAME, dh_now_ns() + WINDOW_NS);
}

void dh_bench_act_finish(struct dh_bench *b)
{
    dh_bench_proc_kill(b->xterm);
    b->xterm = 0;
    if (b->fifo >= 0)
        close(b->fifo);
    b->fifo = -1;
}

// Whatever is left of the text before, the next line is empty.
static bool xterm_clear(struct dh_bench *b)
{
    char line[512] = "";
    int64_t until = dh_now_ns() + HEARD_NS;
    dh_bench_x11_control(b->x, "u");
    dh_bench_x11_type(b->x, "ready\n");
    while (strcmp(line, "ready") != 0) {
        if (!dh_bench_proc_line(b->fifo, line, sizeof line, until, b->cancel))
            return false;
    }
    return true;
}

static bool xterm_text(struct dh_bench *b, type_fn type, const char *text,
                       struct dh_bench_sample *s)
{
    char line[512] = "", keys[256];
    snprintf(keys, sizeof keys, "%s\n", text);
    if (!xterm_open(b) ||
        !dh_bench_x11_focus(b->x, XTERM_NAME, dh_now_ns() + HEARD_NS) ||
        !xterm_clear(b)) {
        dh_bench_act_finish(b); // the next one gets a new one
        return false;
    }
    int64_t t = dh_now_ns();
    if (!type(b, keys))
        return false;
    bool came = dh_bench_proc_line(b->fifo, line, sizeof line,
                                   dh_now_ns() + HEARD_NS, b->cancel);
    s->ms = ms_since(t);
    s->exact = came && strcmp(line, text) == 0;
    return true;
}

static bool our_xterm(struct dh_bench *b, struct dh_bench_sample *s)
{
    return xterm_text(b, we_type, ascii, s);
}

static bool bare_xterm(struct dh_bench *b, struct dh_bench_sample *s)
{
    return xterm_text(b, bare_types, ascii, s);
}

static bool xdotool_xterm(struct dh_bench *b, struct dh_bench_sample *s)
{
    return xterm_text(b, xdotool_types_fast, ascii, s);
}

// Keys that we lent to characters would be there for others too: everyone
// begins with the keyboard as the server had it.
static bool fresh_sink(struct dh_bench *b)
{
    dh_sink_destroy(b->sink);
    b->sink = NULL;
    return !dh_xtest_create(&b->sink, b->display, NULL);
}

static bool our_mixed_xterm(struct dh_bench *b, struct dh_bench_sample *s)
{
    bool typed = xterm_text(b, we_type, mixed, s);
    return fresh_sink(b) && typed;
}

static bool bare_short_xterm(struct dh_bench *b, struct dh_bench_sample *s)
{
    return xterm_text(b, bare_types, plain, s);
}

static bool xdotool_mixed_xterm(struct dh_bench *b, struct dh_bench_sample *s)
{
    return xterm_text(b, xdotool_types, mixed, s);
}

static bool xdotool_mixed_xterm_fast(struct dh_bench *b,
                                     struct dh_bench_sample *s)
{
    return xterm_text(b, xdotool_types_fast, mixed, s);
}

// ---- a GTK entry -----------------------------------------------------------

// Drawn and still: a toolkit that has a window may yet be starting.
static bool drawn(struct dh_bench *b)
{
    static const struct dh_settle still = { .quiet_ns = 150 * DH_MS,
                                            .limit_ns = 5 * DH_S };
    struct dh_settle_result found;
    return !dh_source_mark(b->screen) &&
           !dh_source_settle(b->screen, &still, b->cancel, &found);
}

// zenity prints what was typed and ends, so each text has an entry of its own.
static bool entry_text(struct dh_bench *b, type_fn type, const char *text,
                       struct dh_bench_sample *s)
{
    char line[512] = "", keys[256];
    int pipes[2];
    pid_t pid = 0;
    const char *argv[] = { "zenity", "--entry", "--title", ENTRY_NAME, NULL };
    snprintf(keys, sizeof keys, "%s\n", text);
    if (pipe(pipes))
        return false;
    bool ready =
        !dh_bench_proc_start(&pid, argv, pipes[1], -1, -1) &&
        dh_bench_x11_focus(b->x, ENTRY_NAME, dh_now_ns() + WINDOW_NS) &&
        drawn(b);
    close(pipes[1]);
    int64_t t = dh_now_ns();
    bool typed = ready && type(b, keys);
    bool came = typed && dh_bench_proc_line(pipes[0], line, sizeof line,
                                            dh_now_ns() + HEARD_NS, b->cancel);
    s->ms = ms_since(t);
    s->exact = came && strcmp(line, text) == 0;
    dh_bench_proc_kill(pid);
    close(pipes[0]);
    return typed;
}

static bool our_entry(struct dh_bench *b, struct dh_bench_sample *s)
{
    bool typed = entry_text(b, we_type, mixed, s);
    return fresh_sink(b) && typed;
}

static bool bare_short_entry(struct dh_bench *b, struct dh_bench_sample *s)
{
    return entry_text(b, bare_types, plain, s);
}

static bool xdotool_entry(struct dh_bench *b, struct dh_bench_sample *s)
{
    return entry_text(b, xdotool_types, mixed, s);
}

static bool xdotool_entry_fast(struct dh_bench *b, struct dh_bench_sample *s)
{
    return entry_text(b, xdotool_types_fast, mixed, s);
}

const struct dh_bench_stage dh_bench_act_stages[] = {
    { .name = "click",
      .what = "move and click, until a client has it",
      .exact = true,
      .cases = { DH_BENCH_ROW(OURS, "deskhand", our_click, 10, NULL),
                 DH_BENCH_ROW(LIMIT, "bare XTest, XSync", bare_click, 10, NULL),
                 DH_BENCH_ROW(OTHER, BARE_ASKED, bare_asked_click, 10, NULL),
                 DH_BENCH_ROW(PEER, XDOTOOL_CLICK, xdotool_click, 1,
                              "xdotool") },
      .goals = { { "bare XTest, XSync", 1.3, 0 },
                 { BARE_ASKED, 1.1, 0 },
                 { XDOTOOL_CLICK, 0, 1000 } } },
    { .name = "type",
      .what = "100 ASCII characters, until a client has all",
      .exact = true,
      .cases = { DH_BENCH_ROW(OURS, "deskhand", our_text, 5, NULL),
                 DH_BENCH_ROW(LIMIT, BARE, bare_text, 5, NULL),
                 DH_BENCH_ROW(PEER, XDOTOOL_FAST, xdotool_text_fast, 1,
                              "xdotool"),
                 DH_BENCH_ROW(PEER, XDOTOOL, xdotool_text, 1, "xdotool") },
      .goals = { { BARE, 1.2, 0 },
                 { XDOTOOL_FAST, 0, 40 },
                 { XDOTOOL, 0, 500 } } },
    { .name = "xterm",
      .what = "100 ASCII characters, until a program in xterm has the line",
      .exact = true,
      .cases = { DH_BENCH_ROW(OURS, "deskhand", our_xterm, 2, "xterm", "tee"),
                 DH_BENCH_ROW(LIMIT, BARE, bare_xterm, 2, "xterm", "tee"),
                 DH_BENCH_ROW(PEER, XDOTOOL_FAST, xdotool_xterm, 1, "xterm",
                              "tee", "xdotool") },
      .goals = { { XDOTOOL_FAST, 0, 10 } } },
    { .name = "mixed-xterm",
      .what = "12 characters of many scripts into a program in xterm",
      .exact = true,
      .cases = { DH_BENCH_ROW(OURS, "deskhand", our_mixed_xterm, 2, "xterm",
                              "tee"),
                 DH_BENCH_ROW(LIMIT, BARE_SHORT, bare_short_xterm, 2, "xterm",
                              "tee"),
                 DH_BENCH_ROW(PEER, XDOTOOL_FAST, xdotool_mixed_xterm_fast, 1,
                              "xterm", "tee", "xdotool"),
                 DH_BENCH_ROW(PEER, XDOTOOL, xdotool_mixed_xterm, 1, "xterm",
                              "tee", "xdotool") },
      .goals = { { XDOTOOL, 0, 8 } } },
    { .name = "mixed-gtk",
      .what = "the same into a GTK entry, until it has ended with the text",
      .exact = true,
      .cases = { DH_BENCH_ROW(OURS, "deskhand", our_entry, 1, "zenity"),
                 DH_BENCH_ROW(LIMIT, BARE_SHORT, bare_short_entry, 1, "zenity"),
                 DH_BENCH_ROW(PEER, XDOTOOL_FAST, xdotool_entry_fast, 1,
                              "zenity", "xdotool"),
                 DH_BENCH_ROW(PEER, XDOTOOL, xdotool_entry, 1, "zenity",
                              "xdotool") } },
};
const int dh_bench_n_act = (int)DH_COUNTOF(dh_bench_act_stages);
