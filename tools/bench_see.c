// Stages about seeing: pictures, damage, the whole step.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actions/sink.h"
#include "base/clock.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "capture/screen.h"
#include "tools/bench.h"
#include "tools/bench_proc.h"
#include "tools/bench_x11.h"
#include "vision/patches.h"

#define PEER_NS          (20 * DH_S)
#define SEEN_NS          (2 * DH_S)
#define FFMPEG_FRAMES    "200"
// Names that goals refer to.
#define FFMPEG_SUSTAINED "ffmpeg x11grab, sustained"
#define BARE_DAMAGE      "bare XDamage, XShmGetImage"
#define CHAIN            "scrot, convert, base64, xdotool"
#define BARE_START       "exec of true, bare first frame"

#define PICTURE_WIDTH  "896" // of 1920x1080 for the model
#define PICTURE_HEIGHT "504"

static double ms_since(int64_t begun)
{
    return (double)(dh_now_ns() - begun) / (double)DH_MS;
}

static struct dh_rect all_of(const struct dh_bench *b)
{
    return (struct dh_rect){ 0, 0, b->size.w, b->size.h };
}

static struct dh_rect box_of(const struct dh_bench *b)
{
    return (struct dh_rect){ b->size.w - 300, b->size.h - 300, 200, 200 };
}

static uint32_t pixel(const struct dh_frame *f, int x, int y)
{
    const uint8_t *p = dh_frame_at(f, x, y);
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
}

// The area's first and last pixel have this colour.
static bool shows(const struct dh_frame *f, struct dh_rect r, uint32_t colour)
{
    return f->width >= r.x + r.w && f->height >= r.y + r.h &&
           pixel(f, r.x, r.y) == colour &&
           pixel(f, r.x + r.w - 1, r.y + r.h - 1) == colour;
}

// ---- a full frame ----------------------------------------------------------

// All of it is new, so that nobody can do with less than all of it.
static bool grab_with(struct dh_bench *b, struct dh_source *source,
                      struct dh_bench_sample *s)
{
    struct dh_frame *frame = NULL;
    uint32_t colour = dh_bench_x11_paint(b->x, all_of(b), true);
    int64_t t = dh_now_ns();
    if (dh_source_grab(source, &frame))
        return false;
    s->ms = ms_since(t);
    s->exact = shows(frame, all_of(b), colour);
    dh_frame_unref(frame);
    return true;
}

static bool our_frame(struct dh_bench *b, struct dh_bench_sample *s)
{
    return grab_with(b, b->screen, s);
}

static bool our_pointer_frame(struct dh_bench *b, struct dh_bench_sample *s)
{
    return grab_with(b, b->pointer_screen, s);
}

static bool bare_frame(struct dh_bench *b, struct dh_bench_sample *s)
{
    uint32_t colour = dh_bench_x11_paint(b->x, all_of(b), true);
    int64_t t = dh_now_ns();
    s->exact = dh_bench_x11_grab(b->x, all_of(b), colour);
    s->ms = ms_since(t);
    return true;
}

static bool copy(struct dh_bench *b, struct dh_bench_sample *s)
{
    size_t bytes = (size_t)b->size.w * (size_t)b->size.h * 4;
    int64_t t = dh_now_ns();
    memcpy(b->to, b->from, bytes);
    s->ms = ms_since(t);
    // A copy that nobody reads is none.
    b->from[0] = (uint8_t)(b->to[bytes - 1] + 1);
    s->exact = true;
    return true;
}

// A program that writes the picture into a file of the folder.
static bool program_frame(struct dh_bench *b, const char *const *argv,
                          const char *path, struct dh_bench_sample *s)
{
    struct stat st;
    unlink(path);
    dh_bench_x11_paint(b->x, all_of(b), true);
    int64_t t = dh_now_ns();
    if (dh_bench_proc_run(argv, PEER_NS, b->cancel))
        return false;
    s->ms = ms_since(t);
    s->exact = stat(path, &st) == 0 && st.st_size > 0;
    return true;
}

static const char *path_in(const struct dh_bench *b, const char *name,
                           char out[512])
{
    snprintf(out, 512, "%s/%s", b->dir, name);
    return out;
}

static bool scrot_frame(struct dh_bench *b, struct dh_bench_sample *s)
{
    char path[512];
    path_in(b, "scrot.png", path);
    return program_frame(b, (const char *[]){ "scrot", "-o", path, NULL }, path,
                         s);
}

static bool maim_frame(struct dh_bench *b, struct dh_bench_sample *s)
{
    char path[512];
    path_in(b, "maim.png", path);
    return program_frame(b, (const char *[]){ "maim", path, NULL }, path, s);
}

static bool import_frame(struct dh_bench *b, struct dh_bench_sample *s)
{
    char path[512];
    path_in(b, "import.png", path);
    const char *argv[] = { "import", "-window", "root", path, NULL };
    return program_frame(b, argv, path, s);
}

static bool ffmpeg_frame(struct dh_bench *b, struct dh_bench_sample *s)
{
    char path[512], size[32];
    path_in(b, "ffmpeg.png", path);
    snprintf(size, sizeof size, "%dx%d", b->size.w, b->size.h);
    const char *argv[] = { "ffmpeg", "-nostdin", "-y", "-f",       "x11grab",
                           "-s",     size,       "-i", b->display, "-frames:v",
                           "1",      path,       NULL };
    return program_frame(b, argv, path, s);
}

// The time of a frame among many, by ffmpeg's own clock, which leaves out its
// start.
static bool ffmpeg_sustained(struct dh_bench *b, struct dh_bench_sample *s)
{
    char size[32], line[512];
    int pipes[2];
    double took = 0;
    snprintf(size, sizeof size, "%dx%d", b->size.w, b->size.h);
    const char *argv[] = { "ffmpeg",      "-nostdin", "-hide_banner",
                           "-benchmark",  "-f",       "x11grab",
                           "-draw_mouse", "0",        "-framerate",
                           "10000",       "-s",       size,
                           "-i",          b->display, "-frames:v",
                           FFMPEG_FRAMES, "-f",       "null",
                           "-",           NULL };
    pid_t pid;
    if (pipe(pipes))
        return false;
    enum dh_status st = dh_bench_proc_start(&pid, argv, -1, pipes[1], -1);
    close(pipes[1]);
    int64_t until = dh_now_ns() + PEER_NS;
    while (!st &&
           dh_bench_proc_line(pipes[0], line, sizeof line, until, b->cancel)) {
        const char *at = strstr(line, "rtime=");
        if (at)
            took = strtod(at + 6, NULL);
    }
    close(pipes[0]);
    if (!st)
        st = dh_bench_proc_wait(pid, until, b->cancel);
    s->ms = took * 1000 / strtod(FFMPEG_FRAMES, NULL);
    s->exact = true;
    return !st && took > 0;
}

// ---- damage ----------------------------------------------------------------

// Until a frame of ours shows it.
static bool see_change(struct dh_bench *b, struct dh_rect r, uint32_t colour)
{
    int64_t until = dh_now_ns() + SEEN_NS;
    bool seen = false, changed = true;
    while (!seen && changed) {
        struct dh_frame *frame = NULL;
        if (dh_source_wait(b->screen, until, b->cancel, &changed) ||
            dh_source_grab(b->screen, &frame))
            return false;
        seen = shows(frame, r, colour);
        dh_frame_unref(frame);
    }
    return seen;
}

// What others painted before is seen first.
static bool our_damage(struct dh_bench *b, struct dh_bench_sample *s)
{
    struct dh_frame *before = NULL;
    if (dh_source_grab(b->screen, &before))
        return false;
    dh_frame_unref(before);
    int64_t t = dh_now_ns();
    uint32_t colour = dh_bench_x11_paint(b->x, box_of(b), false);
    s->exact = see_change(b, box_of(b), colour);
    s->ms = ms_since(t);
    return true;
}

static bool bare_damage(struct dh_bench *b, struct dh_bench_sample *s)
{
    dh_bench_x11_arm(b->x);
    int64_t t = dh_now_ns();
    uint32_t colour = dh_bench_x11_paint(b->x, box_of(b), false);
    s->exact = dh_bench_x11_damage_grab(b->x, box_of(b), colour);
    s->ms = ms_since(t);
    return true;
}

// The first grab sees what others have painted, the second one nothing new.
static bool our_still(struct dh_bench *b, struct dh_bench_sample *s)
{
    struct dh_frame *frame = NULL;
    if (dh_source_grab(b->screen, &frame))
        return false;
    dh_frame_unref(frame);
    frame = NULL;
    int64_t t = dh_now_ns();
    if (dh_source_grab(b->screen, &frame))
        return false;
    s->ms = ms_since(t);
    s->exact = true;
    dh_frame_unref(frame);
    return true;
}

static bool bare_still(struct dh_bench *b, struct dh_bench_sample *s)
{
    uint32_t colour = dh_bench_x11_paint(b->x, all_of(b), true);
    if (!dh_bench_x11_grab(b->x, all_of(b), colour))
        return false;
    int64_t t = dh_now_ns();
    s->exact = dh_bench_x11_grab(b->x, all_of(b), colour);
    s->ms = ms_since(t);
    return true;
}

static bool round_trip(struct dh_bench *b, struct dh_bench_sample *s)
{
    int64_t t = dh_now_ns();
    dh_bench_x11_round_trip(b->x);
    s->ms = ms_since(t);
    s->exact = true;
    return true;
}

// ---- a whole step ----------------------------------------------------------

// The newest picture and its patches, made from those of the one before.
static bool look(struct dh_bench *b)
{
    struct dh_frame *frame = NULL;
    if (dh_source_grab(b->screen, &frame))
        return false;
    enum dh_status st = b->seen ? dh_patches_update(&dh_patch_rule_m3, b->seen,
                                                    frame, b->pool, &b->patches)
                                : dh_patches_of_frame(&dh_patch_rule_m3, frame,
                                                      b->pool, &b->patches);
    dh_frame_unref(st ? frame : b->seen);
    if (!st)
        b->seen = frame;
    return !st;
}

void dh_bench_see_finish(struct dh_bench *b)
{
    dh_frame_unref(b->seen);
    dh_patches_finish(&b->patches);
    b->seen = NULL;
}

// Look, make patches, click; the client answers by painting; see that. `fresh`
// is what is new since the look before.
static bool step_with(struct dh_bench *b, struct dh_rect fresh,
                      struct dh_bench_sample *s)
{
    struct dh_diag why = { 0 };
    struct dh_point at = dh_bench_x11_target(b->x, b->flip = !b->flip);
    struct dh_action click = { .op = DH_ACTION_CLICK,
                               .has_at = true,
                               .on_screen = true,
                               .at = at,
                               .button = 1,
                               .count = 1 };
    dh_bench_x11_listen(b->x);
    if (!look(b))
        return false;
    dh_bench_x11_paint(b->x, fresh, true);
    int64_t t = dh_now_ns();
    bool done = look(b) && !dh_source_mark(b->screen) &&
                !dh_sink_perform(b->sink, &click, b->cancel, &why) &&
                dh_bench_x11_heard_click(b->x, at, t + SEEN_NS);
    if (done) {
        uint32_t colour = dh_bench_x11_paint(b->x, box_of(b), false);
        s->exact = see_change(b, box_of(b), colour);
        s->ms = ms_since(t);
    }
    return done;
}

static bool our_step(struct dh_bench *b, struct dh_bench_sample *s)
{
    return step_with(b, box_of(b), s);
}

static bool our_new_step(struct dh_bench *b, struct dh_bench_sample *s)
{
    return step_with(b, all_of(b), s);
}

static bool chain_step(struct dh_bench *b, struct dh_bench_sample *s)
{
    char shot[512], small[512], x[16], y[16];
    struct dh_point at = dh_bench_x11_target(b->x, b->flip = !b->flip);
    path_in(b, "shot.png", shot);
    path_in(b, "small.png", small);
    snprintf(x, sizeof x, "%d", at.x);
    snprintf(y, sizeof y, "%d", at.y);
    const char *const scrot[] = { "scrot", "-o", shot, NULL };
    const char *const convert[] = {
        "convert", shot, "-resize", PICTURE_WIDTH "x" PICTURE_HEIGHT "!",
        small,     NULL
    };
    const char *const base64[] = { "base64", small, NULL };
    const char *const click[] = { "xdotool", "mousemove", "--sync", x,
                                  y,         "click",     "1",      NULL };
    const char *const *const chain[] = { scrot, convert, base64, click };
    dh_bench_x11_listen(b->x);
    dh_bench_x11_paint(b->x, all_of(b), true);
    int64_t t = dh_now_ns();
    for (size_t i = 0; i < DH_COUNTOF(chain); i++) {
        if (dh_bench_proc_run(chain[i], PEER_NS, b->cancel))
            return false;
    }
    s->exact = dh_bench_x11_heard_click(b->x, at, dh_now_ns() + SEEN_NS);
    s->ms = ms_since(t);
    return true;
}

// ---- start -----------------------------------------------------------------

static bool our_start(struct dh_bench *b, struct dh_bench_sample *s)
{
    const char *argv[] = { "/proc/self/exe", "bench",    "frame",
                           "--display",      b->display, NULL };
    int64_t t = dh_now_ns();
    if (dh_bench_proc_run(argv, PEER_NS, b->cancel))
        return false;
    s->ms = ms_since(t);
    s->exact = true;
    return true;
}

static bool bare_start(struct dh_bench *b, struct dh_bench_sample *s)
{
    const char *const nothing[] = { "true", NULL };
    int64_t t = dh_now_ns();
    if (dh_bench_proc_run(nothing, PEER_NS, b->cancel))
        return false;
    s->exact = dh_bench_x11_first_frame(b->display);
    s->ms = ms_since(t);
    return true;
}

static bool ffmpeg_start(struct dh_bench *b, struct dh_bench_sample *s)
{
    char size[32];
    snprintf(size, sizeof size, "%dx%d", b->size.w, b->size.h);
    const char *argv[] = { "ffmpeg", "-nostdin", "-f",       "x11grab",   "-s",
                           size,     "-i",       b->display, "-frames:v", "1",
                           "-f",     "null",     "-",        NULL };
    int64_t t = dh_now_ns();
    if (dh_bench_proc_run(argv, PEER_NS, b->cancel))
        return false;
    s->ms = ms_since(t);
    s->exact = true;
    return true;
}

const struct dh_bench_stage dh_bench_see_stages[] = {
    { .name = "frame",
      .what = "a full frame in our memory, all of it new",
      .exact = true,
      .cases = { DH_BENCH_ROW(OURS, "deskhand", our_frame, 10, NULL),
                 DH_BENCH_ROW(LIMIT, "bare XShmGetImage", bare_frame, 10, NULL),
                 DH_BENCH_ROW(OTHER, "memcpy", copy, 10, NULL),
                 DH_BENCH_ROW(OTHER, "deskhand, with the pointer",
                              our_pointer_frame, 10, NULL),
                 DH_BENCH_ROW(PEER, FFMPEG_SUSTAINED, ffmpeg_sustained, 1,
                              "ffmpeg"),
                 DH_BENCH_ROW(PEER, "ffmpeg, one PNG", ffmpeg_frame, 1,
                              "ffmpeg"),
                 DH_BENCH_ROW(PEER, "scrot", scrot_frame, 1, "scrot"),
                 DH_BENCH_ROW(PEER, "maim", maim_frame, 1, "maim"),
                 DH_BENCH_ROW(PEER, "import", import_frame, 1, "import") },
      .goals = { { "bare XShmGetImage", 1.1, 0 },
                 { FFMPEG_SUSTAINED, 0, 1.8 },
                 { "scrot", 0, 250 } } },
    { .name = "damage",
      .what = "200x200 painted by a client, until in our memory",
      .exact = true,
      .cases = { DH_BENCH_ROW(OURS, "deskhand", our_damage, 20, NULL),
                 DH_BENCH_ROW(LIMIT, BARE_DAMAGE, bare_damage, 20, NULL) },
      .goals = { { BARE_DAMAGE, 1.2, 0 } } },
    { .name = "still",
      .what = "a grab of a screen that has not changed",
      .cases = { DH_BENCH_ROW(OURS, "deskhand", our_still, 20, NULL),
                 DH_BENCH_ROW(LIMIT, "one round trip", round_trip, 20, NULL),
                 DH_BENCH_ROW(OTHER, "bare XShmGetImage", bare_still, 10,
                              NULL) },
      .goals = { { "bare XShmGetImage", 0.5, 0 } } },
    { .name = "step",
      .what = "look at what a step changed (200x200), patches for the model,\n "
              " click, see what it did",
      .exact = true,
      .cases = { DH_BENCH_ROW(OURS, "deskhand", our_step, 3, NULL),
                 DH_BENCH_ROW(OTHER, "deskhand, all of the screen new",
                              our_new_step, 3, NULL),
                 DH_BENCH_ROW(PEER, CHAIN, chain_step, 1, "scrot", "convert",
                              "base64", "xdotool") },
      .goals = { { CHAIN, 0, 200 } },
      .at_most_ms = 2 },
    { .name = "start",
      .what = "from exec to the first frame",
      .cases = { DH_BENCH_ROW(OURS, "deskhand", our_start, 1, NULL),
                 DH_BENCH_ROW(LIMIT, BARE_START, bare_start, 1, "true"),
                 DH_BENCH_ROW(PEER, "ffmpeg", ffmpeg_start, 1, "ffmpeg") },
      .goals = { { BARE_START, 2, 0 } } },
};
const int dh_bench_n_see = (int)DH_COUNTOF(dh_bench_see_stages);
