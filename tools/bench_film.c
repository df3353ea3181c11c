#include "tools/bench_film.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "actions/action.h"
#include "actions/sink.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/thread.h"
#include "capture/film.h"
#include "capture/frame.h"
#include "capture/screen.h"
#include "capture/source.h"
#include "tools/bench.h"
#include "tools/bench_x11.h"

#define FPS 30

// What moves: a window of a usual size, or a line of text.
enum { BUSY_W = 640, BUSY_H = 480, CALM_W = 200, CALM_H = 20 };

// Once in so many pictures the calm screen changes.
#define CALM_EVERY 30

struct trial {
    const char *name;
    bool film, lossless, busy;
};

static const struct trial trials[] = {
    { "busy, no film", false, false, true },
    { "busy, H.264", true, false, true },
    { "busy, lossless", true, true, true },
    { "calm, no film", false, false, false },
    { "calm, H.264", true, false, false },
    { "calm, lossless", true, true, false },
};

struct outcome {
    double *ms; // of each step
    int n, changes;
    double median, p95, seconds, cpu; // cores
    struct dh_film_stats film;
};

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void paint(struct dh_bench *b, const struct trial *t, int tick)
{
    int w = t->busy ? BUSY_W : CALM_W, h = t->busy ? BUSY_H : CALM_H;
    int dx = DH_MAX(1, b->size.w - w), dy = DH_MAX(1, b->size.h - h);
    struct dh_rect r = { tick * 17 % dx, tick * 7 % dy, DH_MIN(w, b->size.w),
                         DH_MIN(h, b->size.h) };
    dh_bench_x11_paint(b->x, r, false);
}

// A click and a look, as the agent does them. The pointer is in the film: on a
// calm screen it stays where it is.
static enum dh_status step(struct dh_bench *b, const struct trial *t,
                           double *ms)
{
    struct dh_action click = { .op = DH_ACTION_CLICK,
                               .button = 1,
                               .count = 1,
                               .has_at = true,
                               .on_screen = true };
    struct dh_frame *frame = NULL;
    click.at = dh_bench_x11_target(b->x, b->flip);
    b->flip = b->flip != t->busy;
    int64_t start = dh_now_ns();
    enum dh_status st = dh_sink_perform(b->sink, &click, b->cancel, NULL);
    if (!st)
        st = dh_source_grab(b->screen, &frame);
    *ms = (double)(dh_now_ns() - start) / 1e6;
    dh_frame_unref(frame);
    return st;
}

static enum dh_status steps(struct dh_bench *b, const struct trial *t,
                            int seconds, struct outcome *out)
{
    int64_t next = dh_now_ns(), end = next + seconds * DH_S;
    enum dh_status st = DH_OK;
    for (int tick = 0; !st && dh_now_ns() < end; tick++) {
        if (dh_cancel_is_set(b->cancel))
            return DH_ERR_CANCELLED;
        if (t->busy || tick % CALM_EVERY == 0) {
            paint(b, t, tick);
            out->changes++;
        }
        if (out->n < seconds * FPS)
            st = step(b, t, &out->ms[out->n++]);
        // Where a step took too long, the screen does not catch up.
        next = DH_MAX(next + DH_S / FPS, dh_now_ns());
        dh_sleep_for(next - dh_now_ns());
    }
    return st;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static enum dh_status film_start(struct dh_bench *b, const struct trial *t,
                                 struct dh_film **out)
{
    struct dh_screen_options screen = DH_SCREEN_DEFAULTS;
    struct dh_film_options o = { .max_fps = FPS, .lossless = t->lossless };
    struct dh_source *source;
    screen.display = b->display;
    enum dh_status st = dh_screen_create(&source, &screen);
    if (st)
        return st;
    char *path = dh_path_join(b->dir, "film.mkv");
    st = dh_film_create(out, source, path, &o);
    dh_free(path);
    return st;
}

static enum dh_status try_one(struct dh_bench *b, const struct trial *t,
                              int seconds, struct outcome *out)
{
    struct dh_film *film = NULL;
    dh_array(out->ms, (size_t)seconds * FPS);
    enum dh_status st = t->film ? film_start(b, t, &film) : DH_OK;
    double cpu = cpu_seconds();
    int64_t start = dh_now_ns();
    if (!st)
        st = steps(b, t, seconds, out);
    out->seconds = dh_seconds_since(start);
    out->cpu = (cpu_seconds() - cpu) / out->seconds;
    enum dh_status ended = dh_film_destroy(film, &out->film);
    if (!out->n)
        return st ? st : ended;
    qsort(out->ms, (size_t)out->n, sizeof *out->ms, by_size);
    out->median = out->ms[out->n / 2];
    out->p95 = out->ms[out->n * 95 / 100];
    return st ? st : ended;
}

static void put_json(const struct trial *t, const struct outcome *o,
                     struct dh_buf *out)
{
    struct dh_json_writer w;
    dh_jw_init(&w, out);
    dh_jw_object(&w, NULL);
    dh_jw_text(&w, "film", t->name);
    dh_jw_double(&w, "seconds", o->seconds);
    dh_jw_i64(&w, "changes", o->changes);
    dh_jw_i64(&w, "written", (int64_t)o->film.written);
    dh_jw_i64(&w, "dropped", (int64_t)o->film.skipped);
    dh_jw_i64(&w, "steps", o->n);
    dh_jw_double(&w, "step_median_ms", o->median);
    dh_jw_double(&w, "step_p95_ms", o->p95);
    dh_jw_double(&w, "cores", o->cpu);
    dh_jw_end_object(&w);
    dh_buf_putc(out, '\n');
}

static void put_text(const struct trial *t, const struct outcome *o,
                     struct dh_buf *out)
{
    dh_buf_printf(out, "%-16s %8.1f %8.1f %8llu %9.2f %8.2f %7.2f\n", t->name,
                  o->changes / o->seconds, (double)o->film.written / o->seconds,
                  (unsigned long long)o->film.skipped, o->median, o->p95,
                  o->cpu);
}

enum dh_status dh_bench_film(struct dh_bench *b, int seconds, bool json,
                             struct dh_buf *out)
{
    enum dh_status st = DH_OK;
    if (!json)
        dh_buf_puts(out, "film              changes  written  dropped  "
                         "step, ms      p95   cores\n"
                         "                     /s       /s\n");
    for (size_t i = 0; i < DH_COUNTOF(trials) && !st; i++) {
        struct outcome o = { 0 };
        st = try_one(b, &trials[i], seconds, &o);
        if (!st && json)
            put_json(&trials[i], &o, out);
        else if (!st)
            put_text(&trials[i], &o, out);
        dh_free(o.ms);
    }
    return st;
}
