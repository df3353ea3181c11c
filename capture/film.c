#include "capture/film.h"

#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/mailbox.h"
#include "base/mem.h"
#include "base/thread.h"
#include "capture/frame.h"
#include "capture/grabber.h"
#include "capture/source.h"
#include "capture/video_out.h"

#define DH_LOG_TAG "film"
#include "base/log.h"

#define DEFAULT_FPS 30
#define GIVE_WAY    10 // nice: below the model, above what is only idle

struct dh_film {
    // set before start
    char *path;
    bool lossless;
    struct dh_source *source;
    struct dh_grabber *grabber;
    struct dh_mailbox box;
    struct dh_thread thread;
    // only the dh-film thread, then whoever joined it
    struct dh_video_out *video;
    struct dh_frame *last; // the newest in the file
    struct dh_film_stats stats;
    enum dh_status failed;
};

static bool same_picture(const struct dh_frame *a, const struct dh_frame *b)
{
    if (a == b)
        return true;
    if (a->width != b->width || a->height != b->height)
        return false;
    for (int y = 0; y < a->height; y++)
        if (memcmp(dh_frame_at(a, 0, y), dh_frame_at(b, 0, y),
                   (size_t)a->width * 4))
            return false;
    return true;
}

static enum dh_status begin(struct dh_film *f, const struct dh_frame *first)
{
    struct dh_video_out_options o = { .width = first->width,
                                      .height = first->height,
                                      .base_ns = first->time_ns,
                                      .lossless = f->lossless };
    return dh_video_out_create(&f->video, f->path, &o);
}

// Takes over the reference.
static enum dh_status write_one(struct dh_film *f, struct dh_frame *frame)
{
    enum dh_status st = f->video ? DH_OK : begin(f, frame);
    int64_t start = dh_now_ns();
    if (!st)
        st = dh_video_out_write(f->video, frame, NULL);
    f->stats.encode_ns += dh_now_ns() - start;
    f->stats.written += !st;
    dh_frame_unref(f->last);
    f->last = frame;
    return st;
}

static void run(void *arg)
{
    struct dh_film *f = arg;
    // On Linux this is the thread's own. Failing means being nice to nobody.
    (void)setpriority(PRIO_PROCESS, 0, GIVE_WAY);
    void *item;
    while (!f->failed && !dh_mailbox_take(&f->box, INT64_MAX, &item)) {
        struct dh_frame *frame = item;
        if (f->last && same_picture(f->last, frame)) {
            f->stats.same++;
            // The newer one is kept: comparing a frame with itself is free.
            dh_frame_unref(f->last);
            f->last = frame;
        } else {
            f->failed = write_one(f, frame);
        }
    }
    dh_grabber_want(f->grabber, false);
}

// The last picture stood until now, which only one more of it can tell.
static enum dh_status end(struct dh_film *f)
{
    struct dh_frame *copy;
    if (!f->video || f->failed)
        return f->failed;
    enum dh_status st =
        dh_frame_create(&copy, NULL, f->last->width, f->last->height);
    if (!st) {
        for (int y = 0; y < copy->height; y++)
            memcpy(dh_frame_at(copy, 0, y), dh_frame_at(f->last, 0, y),
                   (size_t)copy->width * 4);
        copy->time_ns = dh_now_ns();
        dh_frame_publish(copy);
        st = write_one(f, copy);
    }
    return st ? st : dh_video_out_end(f->video);
}

static void film_free(struct dh_film *f)
{
    dh_grabber_destroy(f->grabber);
    dh_mailbox_close(&f->box);
    dh_mailbox_finish(&f->box);
    dh_source_destroy(f->source);
    dh_video_out_destroy(f->video);
    dh_frame_unref(f->last);
    dh_free(f->path);
    dh_free(f);
}

enum dh_status dh_film_create(struct dh_film **out, struct dh_source *source,
                              const char *path, const struct dh_film_options *o)
{
    int fps = o->max_fps ? o->max_fps : DEFAULT_FPS;
    struct dh_film *f;
    dh_new(f);
    f->source = source;
    f->path = dh_strdup(path);
    f->lossless = o->lossless;
    dh_mailbox_init(&f->box, dh_frame_unref_item);
    enum dh_status st = DH_OK;
    if (fps < 1 || fps > DH_FILM_MAX_FPS) {
        dh_error("%d frames a second is not in 1..%d", fps, DH_FILM_MAX_FPS);
        st = DH_ERR_RANGE;
    }
    if (!st)
        st = dh_grabber_create(&f->grabber, source, &f->box, fps);
    if (!st)
        st = dh_thread_start(&f->thread, "dh-film", run, f);
    if (st) {
        if (f->grabber) {
            dh_grabber_request_stop(f->grabber);
            (void)dh_grabber_join(f->grabber);
        }
        film_free(f);
        return st;
    }
    dh_grabber_want(f->grabber, true);
    *out = f;
    return DH_OK;
}

enum dh_status dh_film_destroy(struct dh_film *f, struct dh_film_stats *stats)
{
    if (!f)
        return DH_OK;
    dh_grabber_request_stop(f->grabber);
    enum dh_status grabbed = dh_grabber_join(f->grabber);
    dh_thread_join(&f->thread);
    f->stats.skipped = dh_mailbox_skipped(&f->box);
    // What the encoder was too late for is gone, but for how it stands now.
    struct dh_frame *now;
    if (grabbed == DH_ERR_CANCELLED && f->last && !f->failed &&
        !dh_source_grab(f->source, &now)) {
        dh_frame_unref(f->last);
        f->last = now;
    }
    enum dh_status st = end(f);
    if (!st && grabbed != DH_ERR_CANCELLED)
        st = grabbed;
    if (stats)
        *stats = f->stats;
    film_free(f);
    return st;
}
