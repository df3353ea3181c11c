#include "capture/av_priv.h"

#include <stddef.h>

// All that is called of them.
// clang-format off
#define FFMPEG(F) \
    F(av_asprintf) \
    F(av_dict_free) \
    F(av_dict_set) \
    F(av_find_best_stream) \
    F(av_frame_alloc) \
    F(av_frame_free) \
    F(av_frame_get_buffer) \
    F(av_frame_make_writable) \
    F(av_frame_unref) \
    F(av_free) \
    F(av_get_pix_fmt_name) \
    F(av_image_fill_black) \
    F(av_log_format_line2) \
    F(av_log_set_callback) \
    F(av_opt_set) \
    F(av_packet_alloc) \
    F(av_packet_free) \
    F(av_packet_rescale_ts) \
    F(av_packet_unref) \
    F(av_read_frame) \
    F(av_rescale_q) \
    F(av_strerror) \
    F(av_write_frame) \
    F(av_write_trailer) \
    F(avcodec_alloc_context3) \
    F(avcodec_find_encoder) \
    F(avcodec_find_encoder_by_name) \
    F(avcodec_free_context) \
    F(avcodec_open2) \
    F(avcodec_parameters_from_context) \
    F(avcodec_parameters_to_context) \
    F(avcodec_receive_frame) \
    F(avcodec_receive_packet) \
    F(avcodec_send_frame) \
    F(avcodec_send_packet) \
    F(avformat_alloc_output_context2) \
    F(avformat_close_input) \
    F(avformat_find_stream_info) \
    F(avformat_free_context) \
    F(avformat_new_stream) \
    F(avformat_open_input) \
    F(avformat_write_header) \
    F(avio_closep) \
    F(avio_open) \
    F(sws_freeContext) \
    F(sws_getCachedContext) \
    F(sws_getCoefficients) \
    F(sws_scale) \
    F(sws_setColorspaceDetails)
// clang-format on

FFMPEG(DH_LATE_STUB)

static const char *const ffmpeg_names[] = { DH_SONAME_avutil, DH_SONAME_avcodec,
                                            DH_SONAME_avformat,
                                            DH_SONAME_swscale, NULL };
static const struct dh_late_row ffmpeg_rows[] = { FFMPEG(DH_LATE_ROW){ 0 } };
const struct dh_late dh_late_ffmpeg = { "FFmpeg", ffmpeg_names, ffmpeg_rows };
