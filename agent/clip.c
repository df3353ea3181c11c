#include "agent/clip.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "capture/video_out.h"
#include "vision/shrink.h"

#define DH_LOG_TAG "clip"
#include "base/log.h"

#define MAX_BYTES  ((size_t)50 << 20)
#define MAX_PIXELS 301056000.0 // of all frames together

static struct dh_size size_of(const struct dh_brain_video *v, int max_side)
{
    double w = v->frames[0]->width, h = v->frames[0]->height;
    double fit = sqrt(MAX_PIXELS / v->n / (w * h));
    double scale = fmin(1, fmin(fit, max_side / fmax(w, h)));
    // Sides are even, as halved colours want it.
    int even_w = (int)(w * scale) & ~1, even_h = (int)(h * scale) & ~1;
    return (struct dh_size){ DH_MAX(2, even_w), DH_MAX(2, even_h) };
}

// The same pixels, made smaller where they are too large, at another time.
static enum dh_status write_at(struct dh_video_out *out, struct dh_frame *f,
                               struct dh_size to, double seconds)
{
    struct dh_frame *small = NULL, *timed;
    if (to.w < f->width && to.h < f->height) {
        enum dh_status st = dh_shrink_frame(f, to, &small);
        if (st)
            return st;
    } else {
        small = dh_frame_ref(f);
    }
    dh_frame_wrap(&timed, small->pixels, small->width, small->height,
                  small->stride, dh_frame_unref_item, small);
    timed->time_ns = (int64_t)(seconds * (double)DH_S);
    dh_frame_publish(timed);
    enum dh_status st = dh_video_out_write(out, timed, NULL);
    dh_frame_unref(timed);
    return st;
}

static double rate_of(const struct dh_brain_video *v)
{
    double seconds = v->at[v->n - 1] - v->at[0];
    double fps = seconds > 0 ? (v->n - 1) / seconds : 1;
    return DH_CLAMP(fps, 0.2, 5);
}

static enum dh_status write_file(const struct dh_brain_video *v,
                                 struct dh_size to, const char *path)
{
    // The last frame lasts as long as the others: a server that samples by
    // time would leave it out.
    struct dh_video_out_options o = { .width = to.w,
                                      .height = to.h,
                                      .base_ns = (int64_t)(v->at[0] * 1e9),
                                      .frame_ms = (int64_t)(1000 / rate_of(v)),
                                      .mp4 = true };
    struct dh_video_out *out;
    enum dh_status st = dh_video_out_create(&out, path, &o);
    if (st)
        return st;
    for (int i = 0; i < v->n && !st; i++)
        st = write_at(out, v->frames[i], to, v->at[i]);
    if (!st)
        st = dh_video_out_end(out);
    dh_video_out_destroy(out);
    return st;
}

enum dh_status dh_clip_encode(const struct dh_brain_video *v, int max_side,
                              struct dh_buf *out, int *side, double *fps)
{
    char path[64], *data;
    size_t len;
    // A file without a name: nothing is left, however this ends.
    int fd = memfd_create("clip", MFD_CLOEXEC);
    if (fd < 0) {
        dh_error("no file for a clip: %s", strerror(errno));
        return DH_ERR_IO;
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct dh_size to = size_of(v, max_side);
    enum dh_status st = write_file(v, to, path);
    if (!st)
        st = dh_file_read(path, MAX_BYTES, &data, &len);
    close(fd);
    if (st)
        return st;
    dh_buf_put(out, data, len);
    dh_big_free(data);
    *side = DH_MAX(to.w, to.h);
    *fps = rate_of(v);
    return DH_OK;
}
