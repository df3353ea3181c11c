#include <stddef.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "capture/film.h"
#include "capture/frame.h"
#include "capture/png.h"
#include "capture/screen.h"
#include "tools/app.h"

struct grab_options {
    double seconds;
    int fps;
    bool video, lossless;
};

static const struct dh_opt grab_opts[] = {
    { "video", 'v', DH_OPT_BOOL, offsetof(struct grab_options, video), NULL,
      "Film the screen into FILE.mkv in place of one picture", 0, 0, NULL },
    { "seconds", 0, DH_OPT_DOUBLE, offsetof(struct grab_options, seconds), "S",
      "Film for so long (default: until Ctrl-C)", 0, 1e6, NULL },
    { "fps", 0, DH_OPT_INT, offsetof(struct grab_options, fps), "N",
      "Look at most so often a second (default: 30)", 1, DH_FILM_MAX_FPS,
      NULL },
    { "lossless", 0, DH_OPT_BOOL, offsetof(struct grab_options, lossless), NULL,
      "Film without loss, each pixel as it was", 0, 0, NULL },
    { 0 },
};

static enum dh_status grab_picture(struct dh_source *source, const char *path,
                                   bool json)
{
    struct dh_frame *frame = NULL;
    enum dh_status st = dh_source_grab(source, &frame);
    if (!st)
        st = dh_png_write(path, frame);
    if (!st && json)
        printf("{\"width\":%d,\"height\":%d}\n", frame->width, frame->height);
    dh_frame_unref(frame);
    return st;
}

// A covered window draws itself anew once its pixels are kept, in its own time.
static enum dh_status window_wait(struct dh_source *source)
{
    struct dh_settle how = { .quiet_ns = 100 * DH_MS, .limit_ns = 2 * DH_S };
    struct dh_settle_result found;
    return dh_source_settle(source, &how, dh_app_cancel(), &found);
}

static void print_stats(const struct dh_film_stats *s, double seconds,
                        bool json)
{
    printf(json
               ? "{\"seconds\":%.2f,\"written\":%llu,\"same\":%llu,"
                 "\"skipped\":%llu,\"encode_ms\":%.1f}\n"
               : "%.2f s: %llu pictures written, %llu looks found nothing new, "
                 "%llu skipped, %.1f ms of encoding\n",
           seconds, (unsigned long long)s->written, (unsigned long long)s->same,
           (unsigned long long)s->skipped, (double)s->encode_ns / 1e6);
}

// A stop by the user is how a film without a length ends.
static enum dh_status grab_film(struct dh_source *source, const char *path,
                                const struct grab_options *o, bool json)
{
    struct dh_film_options fo = { .max_fps = o->fps, .lossless = o->lossless };
    struct dh_film_stats stats;
    struct dh_cancel *cancel = dh_app_cancel();
    struct dh_film *film;
    int64_t begun = dh_now_ns();
    enum dh_status st = dh_film_create(&film, source, path, &fo);
    if (st)
        return st;
    int64_t until =
        o->seconds > 0 ? begun + (int64_t)(o->seconds * 1e9) : INT64_MAX;
    while (!dh_cancel_is_set(cancel) && dh_now_ns() < until)
        dh_sleep_for(DH_MIN(50 * DH_MS, until - dh_now_ns()));
    st = dh_film_destroy(film, &stats);
    if (!st)
        print_stats(&stats, dh_seconds_since(begun), json);
    return st;
}

static int run(int argc, char **argv)
{
    struct dh_app_options app = DH_APP_DEFAULTS;
    struct dh_screen_options screen = DH_SCREEN_DEFAULTS;
    struct grab_options o = { .fps = 30 };
    struct dh_opt_set sets[] = { { grab_opts, &o },
                                 { dh_screen_opts, &screen },
                                 { dh_app_opts, &app },
                                 { 0 } };
    int n, status;
    if (!dh_app_parse(&dh_cmd_grab, sets, &app, argc, argv, &n, &status))
        return status;
    if (n != 1)
        return dh_app_usage(&dh_cmd_grab, "one FILE is expected");
    struct dh_source *source = NULL;
    enum dh_status st = dh_screen_create(&source, &screen);
    if (!st && screen.window)
        st = window_wait(source);
    if (!st && o.video)
        return dh_app_exit(grab_film(source, argv[1], &o, app.json));
    if (!st)
        st = grab_picture(source, argv[1], app.json);
    dh_source_destroy(source);
    return dh_app_exit(st);
}

const struct dh_command dh_cmd_grab = {
    "grab",
    "FILE",
    "Save a picture of the screen, or a film",
    "  deskhand grab now.png\n"
    "  deskhand grab --window calculator sums.png\n"
    "  deskhand grab --video --seconds 10 film.mkv\n"
    "\n"
    "A picture is written as PNG, a film as Matroska with H.264. A still "
    "screen\n"
    "costs next to nothing while it is filmed.",
    { grab_opts, dh_screen_opts, dh_app_opts },
    run,
};
