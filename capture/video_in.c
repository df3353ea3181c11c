#include "capture/video_in.h"

#include <math.h>
#include <stdlib.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avstring.h>
#include <libswscale/swscale.h>

#include "base/mem.h"
#include "capture/av_priv.h"
#include "capture/frame.h"

#define DH_LOG_TAG "video_in"
#include "base/log.h"

#define MAX_PIXELS        (INT64_C(64) * 1024 * 1024)
#define MAX_FRAMES        (16u << 20)
#define SAMPLE_MAX_PIXELS INT64_C(301056000)

static const char formats[] =
    "matroska,webm,mov,mp4,avi,mpegts,mpeg,ogg,gif,flv,h264,hevc,ivf,"
    "yuv4mpegpipe";

struct video_in {
    struct dh_source source;
    char *path;
    AVFormatContext *file;
    AVCodecContext *decoder;
    int stream;
    AVPacket *packet;
    AVFrame *picture;
    struct SwsContext *sws;
    struct dh_frame_pool *pool;
    bool drained;      // the decoder was told that no more comes
    int64_t first_pts; // AV_NOPTS_VALUE: no frame yet
    int64_t last_time; // of the last frame
    uint64_t serial;
};

static enum dh_status fail(const struct video_in *v, int error,
                           const char *what)
{
    char text[64];
    dh_error("cannot read the video \"%s\": %s: %s", v->path, what,
             dh_av_text(error, text));
    return dh_av_status(error);
}

// ---- set up ----------------------------------------------------------------

static void video_close(struct video_in *v)
{
    avcodec_free_context(&v->decoder);
    avformat_close_input(&v->file);
    av_packet_free(&v->packet);
    av_frame_free(&v->picture);
    sws_freeContext(v->sws);
    dh_frame_pool_destroy(v->pool);
    dh_free(v->path);
    *v = (struct video_in){ 0 };
}

static enum dh_status decoder_open(struct video_in *v, const AVCodec *codec)
{
    AVStream *stream = v->file->streams[v->stream];
    const AVCodecParameters *p = stream->codecpar;
    if (p->width > DH_FRAME_MAX_SIDE || p->height > DH_FRAME_MAX_SIDE ||
        (int64_t)p->width * p->height > MAX_PIXELS) {
        dh_error("the pictures of the video \"%s\" are too large: %d x %d",
                 v->path, p->width, p->height);
        return DH_ERR_RANGE;
    }
    v->decoder = avcodec_alloc_context3(codec);
    if (!v->decoder)
        return DH_ERR_NOMEM;
    int e = avcodec_parameters_to_context(v->decoder, p);
    if (e >= 0) {
        v->decoder->thread_count = 1;
        v->decoder->max_pixels = MAX_PIXELS;
        v->decoder->pkt_timebase = stream->time_base;
        e = avcodec_open2(v->decoder, codec, NULL);
    }
    return e < 0 ? fail(v, e, "its decoder") : DH_OK;
}

static enum dh_status video_open(struct video_in *v, const char *path)
{
    *v = (struct video_in){ .path = dh_strdup(path),
                            .first_pts = AV_NOPTS_VALUE,
                            .pool = dh_frame_pool_create(2),
                            .packet = av_packet_alloc(),
                            .picture = av_frame_alloc() };
    int e = v->packet && v->picture ? 0 : AVERROR(ENOMEM);
    // Without a protocol a name with a colon would be taken for an address.
    // Play lists and the like, which name other files to open, are not wanted.
    AVDictionary *options = NULL;
    av_dict_set(&options, "protocol_whitelist", "file", 0);
    av_dict_set(&options, "format_whitelist", formats, 0);
    char *url = av_asprintf("file:%s", path);
    if (!e)
        e = url ? avformat_open_input(&v->file, url, NULL, &options)
                : AVERROR(ENOMEM);
    av_free(url);
    av_dict_free(&options);
    if (e < 0)
        return fail(v, e, "opening it");
    e = avformat_find_stream_info(v->file, NULL);
    if (e < 0)
        return fail(v, e, "looking for its streams");
    const AVCodec *codec = NULL;
    v->stream =
        av_find_best_stream(v->file, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0);
    if (v->stream < 0 || !codec) {
        dh_error("no video that can be decoded is in \"%s\"", path);
        return DH_ERR_UNSUPPORTED;
    }
    for (unsigned i = 0; i < v->file->nb_streams; i++) {
        if ((int)i != v->stream)
            v->file->streams[i]->discard = AVDISCARD_ALL;
    }
    return decoder_open(v, codec);
}

// ---- frames ----------------------------------------------------------------

// Give the decoder one packet, or the end. Whatever keeps a packet from coming
// is the end: so a file that was cut short is read as far as it goes.
static enum dh_status packet_feed(struct video_in *v)
{
    int e;
    while ((e = av_read_frame(v->file, v->packet)) >= 0 &&
           v->packet->stream_index != v->stream)
        av_packet_unref(v->packet);
    if (e < 0) {
        char text[64];
        if (e != AVERROR_EOF)
            dh_warn("the video \"%s\" ends early: %s", v->path,
                    dh_av_text(e, text));
        v->drained = true;
        avcodec_send_packet(v->decoder, NULL);
        return DH_OK;
    }
    e = avcodec_send_packet(v->decoder, v->packet);
    av_packet_unref(v->packet);
    return e == AVERROR(ENOMEM) ? DH_ERR_NOMEM : DH_OK;
}

// Decode the next picture. DH_ERR_CLOSED at the end.
static enum dh_status picture_next(struct video_in *v)
{
    for (;;) {
        int e = avcodec_receive_frame(v->decoder, v->picture);
        if (e >= 0)
            return DH_OK;
        // Other errors are damaged frames, which the decoder has logged.
        if (e == AVERROR_EOF || v->drained)
            return DH_ERR_CLOSED;
        enum dh_status st = packet_feed(v);
        if (st)
            return st;
    }
}

// Since the first picture, never shrinking.
static int64_t picture_time(struct video_in *v)
{
    int64_t pts = v->picture->best_effort_timestamp;
    if (pts == AV_NOPTS_VALUE)
        return v->last_time;
    if (v->first_pts == AV_NOPTS_VALUE)
        v->first_pts = pts;
    int64_t ns =
        av_rescale_q(pts - v->first_pts, v->file->streams[v->stream]->time_base,
                     (AVRational){ 1, 1000000000 });
    v->last_time = DH_MAX(v->last_time, ns);
    return v->last_time;
}

static enum dh_status picture_take(struct video_in *v, struct dh_frame **out)
{
    struct dh_frame *f;
    enum dh_status st =
        dh_frame_create(&f, v->pool, v->picture->width, v->picture->height);
    if (st)
        return st;
    st = dh_av_to_frame(&v->sws, v->picture, f);
    if (st) {
        dh_frame_unref(f);
        return st;
    }
    f->time_ns = v->last_time;
    f->serial = v->serial;
    dh_frame_publish(f);
    *out = f;
    return DH_OK;
}

static enum dh_status video_in_grab(struct dh_source *source,
                                    struct dh_frame **out)
{
    struct video_in *v = (struct video_in *)source;
    enum dh_status st = picture_next(v);
    if (st)
        return st;
    v->serial++;
    (void)picture_time(v);
    st = picture_take(v, out);
    av_frame_unref(v->picture);
    return st;
}

static void video_in_destroy(struct dh_source *source)
{
    struct video_in *v = (struct video_in *)source;
    video_close(v);
    dh_free(v);
}

static const struct dh_source_ops video_in_ops = {
    .name = "video",
    .grab = video_in_grab,
    .destroy = video_in_destroy,
};

enum dh_status dh_video_in_create(struct dh_source **out, const char *path)
{
    struct video_in *v;
    enum dh_status st = dh_av_init();
    if (st)
        return st;
    dh_new(v);
    st = video_open(v, path);
    v->source.ops = &video_in_ops;
    if (st) {
        video_in_destroy(&v->source);
        return st;
    }
    *out = &v->source;
    return DH_OK;
}

int64_t dh_video_in_start(const struct dh_source *video)
{
    const struct video_in *v = (const struct video_in *)video;
    if (v->first_pts == AV_NOPTS_VALUE)
        return 0;
    return av_rescale_q(v->first_pts, v->file->streams[v->stream]->time_base,
                        (AVRational){ 1, 1000000000 });
}

// ---- sampling --------------------------------------------------------------

size_t dh_video_rule(const double *times, size_t n, double fps,
                     size_t max_frames, size_t *idx)
{
    const double slack = 1e-4;
    size_t len = 0;
    idx[len++] = 0;
    for (size_t i = 1; i < n; i++) {
        if (times[i] - times[idx[len - 1]] >= 1 / fps - slack)
            idx[len++] = i;
    }
    if (times[n - 1] - times[idx[len - 1]] > slack)
        idx[len++] = n - 1;
    if (len <= max_frames)
        return len;
    // Ascending sources, so that choosing in place reads nothing overwritten.
    size_t last = idx[len - 1];
    for (size_t i = 0; i + 1 < max_frames; i++)
        idx[i] = idx[i * len / (max_frames - 1)];
    idx[max_frames - 1] = last;
    return max_frames;
}

struct times {
    int64_t *pts;
    size_t n, cap;
};

static int pts_compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

// The time stamps of all packets, in the order of showing.
static enum dh_status times_read(struct video_in *v, struct times *t)
{
    while (av_read_frame(v->file, v->packet) >= 0) {
        int64_t pts =
            v->packet->pts != AV_NOPTS_VALUE ? v->packet->pts : v->packet->dts;
        bool wanted =
            v->packet->stream_index == v->stream && pts != AV_NOPTS_VALUE;
        av_packet_unref(v->packet);
        if (!wanted)
            continue;
        if (t->n == MAX_FRAMES) {
            dh_error("the video \"%s\" has too many frames", v->path);
            return DH_ERR_RANGE;
        }
        if (t->n == t->cap) {
            t->cap = t->cap ? t->cap * 2 : 256;
            t->pts = dh_resize_array(t->pts, t->cap, sizeof(t->pts[0]));
        }
        t->pts[t->n++] = pts;
    }
    if (t->n == 0) {
        dh_error("the video \"%s\" has no frames", v->path);
        return DH_ERR_FORMAT;
    }
    qsort(t->pts, t->n, sizeof(t->pts[0]), pts_compare);
    return DH_OK;
}

// Containers round times, to a millisecond mostly, which would move choices
// that lie on the edge by a frame. Where all times are those of an even rate,
// take that rate's.
static void times_even(double *s, size_t n, double rate)
{
    if (!(rate > 0))
        return;
    for (size_t i = 0; i < n; i++) {
        if (fabs(s[i] - (double)i / rate) > 0.0011)
            return;
    }
    for (size_t i = 0; i < n; i++)
        s[i] = (double)i / rate;
}

static enum dh_status choice_make(struct video_in *v,
                                  const struct dh_video_sampling *how,
                                  struct times *t, double *seconds, size_t *idx,
                                  size_t *n)
{
    const AVStream *stream = v->file->streams[v->stream];
    for (size_t i = 0; i < t->n; i++)
        seconds[i] =
            (double)(t->pts[i] - t->pts[0]) * av_q2d(stream->time_base);
    times_even(seconds, t->n, av_q2d(stream->avg_frame_rate));
    *n = dh_video_rule(seconds, t->n, how->fps, how->max_frames, idx);
    int64_t pixels = (int64_t)v->decoder->width * v->decoder->height;
    int64_t max = how->max_pixels ? how->max_pixels : SAMPLE_MAX_PIXELS;
    if (pixels * (int64_t)*n > max) {
        dh_error("%zu frames of the video \"%s\" are too many pixels", *n,
                 v->path);
        return DH_ERR_RANGE;
    }
    return DH_OK;
}

// Decode on until each chosen frame has come by.
static enum dh_status chosen_read(struct video_in *v, const struct times *t,
                                  const double *seconds, const size_t *idx,
                                  size_t n, struct dh_video_sample *out)
{
    dh_array(out->frames, n);
    dh_array(out->seconds, n);
    v->first_pts = t->pts[0];
    for (size_t i = 0; i < n;) {
        enum dh_status st = picture_next(v);
        // Frames that cannot be decoded are missing, as at a torn end.
        if (st == DH_ERR_CLOSED)
            break;
        if (st)
            return st;
        int64_t pts = v->picture->best_effort_timestamp;
        if (pts != AV_NOPTS_VALUE && pts >= t->pts[idx[i]]) {
            v->serial = idx[i] + 1;
            (void)picture_time(v);
            st = picture_take(v, &out->frames[out->n]);
            if (st)
                return st;
            out->seconds[out->n++] = seconds[idx[i]];
            while (i < n && t->pts[idx[i]] <= pts)
                i++;
        }
        av_frame_unref(v->picture);
    }
    if (out->n)
        return DH_OK;
    dh_error("no frame of the video \"%s\" could be decoded", v->path);
    return DH_ERR_FORMAT;
}

static enum dh_status sample_read(struct dh_video_sample *out, const char *path,
                                  const struct dh_video_sampling *how,
                                  struct times *t)
{
    struct video_in v;
    enum dh_status st = video_open(&v, path);
    if (!st)
        st = times_read(&v, t);
    double *seconds;
    size_t *idx, n;
    dh_array(seconds, t->n);
    dh_array(idx, t->n);
    if (!st)
        st = choice_make(&v, how, t, seconds, idx, &n);
    video_close(&v);
    if (!st) {
        st = video_open(&v, path);
        if (!st)
            st = chosen_read(&v, t, seconds, idx, n, out);
        video_close(&v);
    }
    dh_free(seconds);
    dh_free(idx);
    return st;
}

enum dh_status dh_video_sample_read(struct dh_video_sample *out,
                                    const char *path,
                                    const struct dh_video_sampling *how)
{
    if (!(how->fps >= 0.001 && how->fps <= 1000) || how->max_frames < 2 ||
        how->max_frames > 4096 || how->max_pixels < 0) {
        dh_error("frames of a video: %g a second, %zu at most, is out of range",
                 how->fps, how->max_frames);
        return DH_ERR_RANGE;
    }
    struct dh_video_sample s = { 0 };
    struct times t = { 0 };
    enum dh_status st = dh_av_init();
    if (!st)
        st = sample_read(&s, path, how, &t);
    dh_free(t.pts);
    if (st) {
        dh_video_sample_finish(&s);
        return st;
    }
    *out = s;
    return DH_OK;
}

enum dh_status dh_video_times(const char *path, int64_t **ms, size_t *n)
{
    struct video_in v;
    struct times t = { 0 };
    enum dh_status st = dh_av_init();
    if (st)
        return st;
    st = video_open(&v, path);
    if (!st)
        st = times_read(&v, &t);
    for (size_t i = 0; !st && i < t.n; i++)
        t.pts[i] = av_rescale_q(t.pts[i], v.file->streams[v.stream]->time_base,
                                (AVRational){ 1, 1000 });
    video_close(&v);
    if (st) {
        dh_free(t.pts);
        return st;
    }
    *ms = t.pts;
    *n = t.n;
    return DH_OK;
}

void dh_video_sample_finish(struct dh_video_sample *s)
{
    for (size_t i = 0; i < s->n; i++)
        dh_frame_unref(s->frames[i]);
    dh_free(s->frames);
    dh_free(s->seconds);
    *s = (struct dh_video_sample){ 0 };
}
