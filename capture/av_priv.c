#include "capture/av_priv.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <libavutil/error.h>
#include <libavutil/log.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

#include "base/mem.h"
#include "capture/frame.h"

#define DH_LOG_TAG "ffmpeg"
#include "base/log.h"

static pthread_once_t once = PTHREAD_ONCE_INIT; // allowed: its log is global

// FFmpeg's errors are warnings here: whoever called it says what failed.
static enum dh_log_level level_of(int av_level)
{
    if (av_level <= AV_LOG_ERROR)
        return DH_LOG_WARN;
    if (av_level <= AV_LOG_WARNING)
        return DH_LOG_INFO;
    return av_level <= AV_LOG_INFO ? DH_LOG_DEBUG : DH_LOG_TRACE;
}

static void av_note(void *object, int av_level, const char *fmt, va_list ap)
{
    enum dh_log_level level = level_of(av_level);
    if (av_level > AV_LOG_VERBOSE || !dh_log_wants(level, DH_LOG_TAG))
        return;
    char text[512];
    int with_prefix = 1;
    av_log_format_line2(object, av_level, fmt, ap, text, sizeof(text),
                        &with_prefix);
    text[strcspn(text, "\r\n")] = '\0';
    dh_log_at(level, "%s", text);
}

static void init(void)
{
    av_log_set_callback(av_note);
}

enum dh_status dh_av_init(void)
{
    enum dh_status st = dh_late_load(&dh_late_ffmpeg);
    if (!st)
        pthread_once(&once, init);
    return st;
}

const char *dh_av_text(int error, char out[64])
{
    if (av_strerror(error, out, 64) < 0)
        snprintf(out, 64, "error %d", error);
    return out;
}

enum dh_status dh_av_status(int error)
{
    switch (error) {
    case AVERROR(ENOMEM): return DH_ERR_NOMEM;
    case AVERROR(ENOENT): return DH_ERR_NOTFOUND;
    case AVERROR_INVALIDDATA: return DH_ERR_FORMAT;
    case AVERROR_EOF: return DH_ERR_FORMAT;
    case AVERROR(EINVAL): // also a container that is not on the list
    case AVERROR_DECODER_NOT_FOUND: return DH_ERR_UNSUPPORTED;
    case AVERROR_DEMUXER_NOT_FOUND: return DH_ERR_UNSUPPORTED;
    case AVERROR_PATCHWELCOME: return DH_ERR_UNSUPPORTED;
    default: return DH_ERR_IO;
    }
}

static enum dh_status no_converter(const AVFrame *f)
{
    dh_error("cannot convert pictures of the format %s",
             av_get_pix_fmt_name(f->format));
    return DH_ERR_UNSUPPORTED;
}

// Pictures of one size are converted, so that sharp filters for the colour
// planes cost little and keep text legible.
static const int sws_flags =
    SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP;

static bool is_bgrx(const AVFrame *f)
{
    return f->format == AV_PIX_FMT_BGR0;
}

static void rows_copy(const uint8_t *from, size_t from_stride, uint8_t *to,
                      size_t to_stride, int width, int height)
{
    for (int y = 0; y < height; y++)
        memcpy(to + (size_t)y * to_stride, from + (size_t)y * from_stride,
               (size_t)width * 4);
}

enum dh_status dh_av_from_frame(struct SwsContext **sws,
                                const struct dh_frame *from, AVFrame *to)
{
    int width = DH_MIN(from->width, to->width);
    int height = DH_MIN(from->height, to->height);
    if (is_bgrx(to)) {
        rows_copy(from->pixels, from->stride, to->data[0],
                  (size_t)to->linesize[0], width, height);
        return DH_OK;
    }
    *sws =
        sws_getCachedContext(*sws, width, height, AV_PIX_FMT_BGR0, width,
                             height, to->format, sws_flags, NULL, NULL, NULL);
    if (!*sws)
        return no_converter(to);
    const int *bt709 = sws_getCoefficients(SWS_CS_ITU709);
    sws_setColorspaceDetails(*sws, bt709, 1, bt709, 0, 0, 1 << 16, 1 << 16);
    const uint8_t *const rows[4] = { from->pixels };
    const int strides[4] = { (int)from->stride };
    sws_scale(*sws, rows, strides, 0, height, to->data, to->linesize);
    return DH_OK;
}

static const int *coefficients_of(const AVFrame *f)
{
    if (f->colorspace == AVCOL_SPC_BT709)
        return sws_getCoefficients(SWS_CS_ITU709);
    if (f->colorspace == AVCOL_SPC_UNSPECIFIED && f->height >= 720)
        return sws_getCoefficients(SWS_CS_ITU709);
    if (f->colorspace == AVCOL_SPC_BT2020_NCL ||
        f->colorspace == AVCOL_SPC_BT2020_CL)
        return sws_getCoefficients(SWS_CS_BT2020);
    return sws_getCoefficients(SWS_CS_ITU601);
}

enum dh_status dh_av_to_frame(struct SwsContext **sws, const AVFrame *from,
                              struct dh_frame *to)
{
    if (is_bgrx(from) && from->linesize[0] > 0) {
        rows_copy(from->data[0], (size_t)from->linesize[0], to->pixels,
                  to->stride, to->width, to->height);
        return DH_OK;
    }
    *sws = sws_getCachedContext(*sws, from->width, from->height, from->format,
                                to->width, to->height, AV_PIX_FMT_BGR0,
                                sws_flags, NULL, NULL, NULL);
    if (!*sws)
        return no_converter(from);
    bool full = from->color_range == AVCOL_RANGE_JPEG;
    sws_setColorspaceDetails(*sws, coefficients_of(from), full,
                             sws_getCoefficients(SWS_CS_ITU709), 1, 0, 1 << 16,
                             1 << 16);
    uint8_t *const rows[4] = { to->pixels };
    const int strides[4] = { (int)to->stride };
    sws_scale(*sws, (const uint8_t *const *)from->data, from->linesize, 0,
              from->height, rows, strides);
    return DH_OK;
}
