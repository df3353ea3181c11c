#include "capture/video_out.h"

#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/imgutils.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>

#include "base/assert.h"
#include "base/geom.h"
#include "base/mem.h"
#include "capture/av_priv.h"
#include "capture/frame.h"

#define DH_LOG_TAG "video_out"
#include "base/log.h"

#define MAX_SIDE   16384
#define KEY_GAP_MS 10000

struct dh_video_out {
    char *path;
    int64_t base_ns, frame_ms;
    int64_t last_ms, last_key_ms; // -1: none yet
    enum dh_status failed;        // the first failure; all later calls say it
    bool ended;
    AVFormatContext *file;
    AVStream *stream;
    AVCodecContext *encoder;
    AVFrame *picture;
    AVPacket *packet;
    struct SwsContext *sws;
    struct dh_size covered; // of the picture, by the last frame
};

static enum dh_status fail(struct dh_video_out *v, int error, const char *what)
{
    char text[64];
    if (!v->failed) {
        dh_error("cannot write the video \"%s\": %s: %s", v->path, what,
                 dh_av_text(error, text));
        v->failed = dh_av_status(error);
    }
    return v->failed;
}

// ---- set up ----------------------------------------------------------------

static bool has_format(const AVCodec *codec, enum AVPixelFormat wanted)
{
    for (const enum AVPixelFormat *f = codec->pix_fmts;
         f && *f != AV_PIX_FMT_NONE; f++) {
        if (*f == wanted)
            return true;
    }
    return false;
}

// Without loss, H.264 of the very pixels codes what has changed alone and is
// several times as fast as FFV1, which codes each picture whole.
static const AVCodec *codec_find(const struct dh_video_out_options *o,
                                 enum AVPixelFormat *format)
{
    const AVCodec *c =
        avcodec_find_encoder_by_name(o->lossless ? "libx264rgb" : "libx264");
    if (c && o->lossless) {
        *format = AV_PIX_FMT_BGR0;
        return c;
    }
    if (c) {
        // Halved colour planes smear one-pixel coloured text, but they are what
        // every decoder knows.
        bool whole = !o->mp4 && has_format(c, AV_PIX_FMT_YUV444P);
        *format = whole ? AV_PIX_FMT_YUV444P : AV_PIX_FMT_YUV420P;
        return c;
    }
    *format = AV_PIX_FMT_BGR0;
    return o->mp4 ? NULL : avcodec_find_encoder(AV_CODEC_ID_FFV1);
}

static void encoder_set(AVCodecContext *e, const AVCodec *codec,
                        enum AVPixelFormat format,
                        const struct dh_video_out_options *o)
{
    // With halved colour planes the sides have to be even.
    int odd = format == AV_PIX_FMT_YUV420P;
    e->width = o->width + (odd & o->width);
    e->height = o->height + (odd & o->height);
    e->pix_fmt = format;
    e->time_base = (AVRational){ 1, 1000 };
    e->framerate = (AVRational){ 0, 1 };
    e->thread_count = 1;  // the cores are the model's
    e->gop_size = 100000; // key frames are asked for by time
    e->max_b_frames = 0;
    if (codec->id == AV_CODEC_ID_FFV1) {
        e->level = 3;
        e->gop_size = 1;
        return;
    }
    bool fast = o->fast || o->lossless;
    e->colorspace = o->lossless ? AVCOL_SPC_RGB : AVCOL_SPC_BT709;
    e->color_range = o->lossless ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
    e->color_primaries = AVCOL_PRI_BT709;
    e->color_trc = AVCOL_TRC_BT709;
    av_opt_set(e->priv_data, "preset", fast ? "ultrafast" : "veryfast", 0);
    if (o->lossless)
        av_opt_set(e->priv_data, "qp", "0", 0);
    else
        av_opt_set(e->priv_data, "crf", "18", 0);
    // Nothing is held back: what was shown is in the file after a crash.
    av_opt_set(e->priv_data, "tune", "zerolatency", 0);
    av_opt_set(e->priv_data, "forced-idr", "1", 0);
}

static enum dh_status encoder_open(struct dh_video_out *v,
                                   const struct dh_video_out_options *o)
{
    enum AVPixelFormat format;
    const AVCodec *codec = codec_find(o, &format);
    if (!codec) {
        dh_error("this FFmpeg lacks the encoder %s",
                 o->mp4 ? "libx264" : "libx264, and ffv1 as well");
        return v->failed = DH_ERR_UNSUPPORTED;
    }
    v->encoder = avcodec_alloc_context3(codec);
    v->packet = av_packet_alloc();
    v->picture = av_frame_alloc();
    if (!v->encoder || !v->packet || !v->picture)
        return fail(v, AVERROR(ENOMEM), "the encoder");
    encoder_set(v->encoder, codec, format, o);
    if (v->file->oformat->flags & AVFMT_GLOBALHEADER)
        v->encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    int e = avcodec_open2(v->encoder, codec, NULL);
    if (e < 0)
        return fail(v, e, "the encoder");
    v->picture->format = v->encoder->pix_fmt;
    v->picture->width = v->encoder->width;
    v->picture->height = v->encoder->height;
    e = av_frame_get_buffer(v->picture, 0);
    return e < 0 ? fail(v, e, "the encoder's picture") : DH_OK;
}

static enum dh_status stream_open(struct dh_video_out *v)
{
    v->stream = avformat_new_stream(v->file, NULL);
    if (!v->stream)
        return fail(v, AVERROR(ENOMEM), "the stream");
    v->stream->time_base = v->encoder->time_base;
    int e = avcodec_parameters_from_context(v->stream->codecpar, v->encoder);
    if (e >= 0)
        e = avio_open(&v->file->pb, v->path, AVIO_FLAG_WRITE);
    if (e < 0)
        return fail(v, e, "opening it");
    // Short clusters that leave at once bound what a crash can take.
    AVDictionary *options = NULL;
    av_dict_set(&options, "cluster_time_limit", "1000", 0);
    v->file->flags |= AVFMT_FLAG_FLUSH_PACKETS;
    e = avformat_write_header(v->file, &options);
    av_dict_free(&options);
    if (e >= 0)
        e = v->file->pb->error;
    return e < 0 ? fail(v, e, "its header") : DH_OK;
}

enum dh_status dh_video_out_create(struct dh_video_out **out, const char *path,
                                   const struct dh_video_out_options *options)
{
    if (options->width < 1 || options->height < 1 ||
        options->width > MAX_SIDE || options->height > MAX_SIDE) {
        dh_error("no video can be %d x %d", options->width, options->height);
        return DH_ERR_RANGE;
    }
    enum dh_status st = dh_av_init();
    if (st)
        return st;
    struct dh_video_out *v;
    dh_new(v);
    v->path = dh_strdup(path);
    v->base_ns = options->base_ns;
    v->frame_ms = options->frame_ms;
    v->last_ms = v->last_key_ms = -1;
    int e = avformat_alloc_output_context2(
        &v->file, NULL, options->mp4 ? "mp4" : "matroska", path);
    st = e < 0 ? fail(v, e, "the container") : encoder_open(v, options);
    if (!st)
        st = stream_open(v);
    if (st) {
        dh_video_out_destroy(v);
        return st;
    }
    *out = v;
    return DH_OK;
}

// ---- frames ----------------------------------------------------------------

// Hand on what the encoder has ready.
static enum dh_status packets_write(struct dh_video_out *v)
{
    for (;;) {
        int e = avcodec_receive_packet(v->encoder, v->packet);
        if (e == AVERROR(EAGAIN) || e == AVERROR_EOF)
            return DH_OK;
        if (e < 0)
            return fail(v, e, "encoding");
        v->packet->stream_index = v->stream->index;
        if (v->frame_ms)
            v->packet->duration = v->frame_ms;
        av_packet_rescale_ts(v->packet, v->encoder->time_base,
                             v->stream->time_base);
        e = av_write_frame(v->file, v->packet);
        av_packet_unref(v->packet);
        if (e >= 0)
            e = v->file->pb->error;
        if (e < 0)
            return fail(v, e, "writing");
    }
}

static enum dh_status picture_blacken(struct dh_video_out *v)
{
    AVFrame *p = v->picture;
    ptrdiff_t strides[4];
    for (int i = 0; i < 4; i++)
        strides[i] = p->linesize[i];
    int e = av_image_fill_black(p->data, strides, p->format, p->color_range,
                                p->width, p->height);
    return e < 0 ? fail(v, e, "padding") : DH_OK;
}

static enum dh_status picture_fill(struct dh_video_out *v,
                                   const struct dh_frame *f)
{
    // The encoder may still hold the last picture.
    int e = av_frame_make_writable(v->picture);
    if (e < 0)
        return fail(v, e, "the encoder's picture");
    enum dh_status st = DH_OK;
    if (f->width < v->covered.w || f->height < v->covered.h || v->last_ms < 0)
        st = picture_blacken(v);
    v->covered = (struct dh_size){ f->width, f->height };
    if (!st)
        st = dh_av_from_frame(&v->sws, f, v->picture);
    return v->failed = st;
}

static void picture_stamp(struct dh_video_out *v, const struct dh_frame *f)
{
    int64_t ms = (f->time_ns - v->base_ns) / 1000000;
    ms = DH_MAX(ms, v->last_ms + 1);
    bool key = v->last_key_ms < 0 || ms - v->last_key_ms >= KEY_GAP_MS;
    v->picture->pts = ms;
    v->picture->pict_type = key ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    v->last_ms = ms;
    if (key)
        v->last_key_ms = ms;
}

enum dh_status dh_video_out_write(struct dh_video_out *v,
                                  const struct dh_frame *frame, int64_t *pts_ms)
{
    dh_assert(!v->ended);
    if (v->failed)
        return v->failed;
    enum dh_status st = picture_fill(v, frame);
    if (st)
        return st;
    picture_stamp(v, frame);
    int e = avcodec_send_frame(v->encoder, v->picture);
    st = e < 0 ? fail(v, e, "encoding") : packets_write(v);
    if (!st && pts_ms)
        *pts_ms = v->last_ms;
    return st;
}

enum dh_status dh_video_out_end(struct dh_video_out *v)
{
    dh_assert(!v->ended);
    v->ended = true;
    if (v->failed)
        return v->failed;
    int e = avcodec_send_frame(v->encoder, NULL);
    if (e < 0)
        return fail(v, e, "ending it");
    enum dh_status st = packets_write(v);
    if (st)
        return st;
    e = av_write_trailer(v->file);
    int closed = avio_closep(&v->file->pb);
    if (e >= 0)
        e = closed;
    return e < 0 ? fail(v, e, "ending it") : DH_OK;
}

void dh_video_out_destroy(struct dh_video_out *v)
{
    if (!v)
        return;
    if (v->file && v->file->pb)
        avio_closep(&v->file->pb);
    avformat_free_context(v->file);
    avcodec_free_context(&v->encoder);
    av_frame_free(&v->picture);
    av_packet_free(&v->packet);
    sws_freeContext(v->sws);
    dh_free(v->path);
    dh_free(v);
}

const char *dh_video_out_codec(const struct dh_video_out *v)
{
    return v->encoder->codec->name;
}
