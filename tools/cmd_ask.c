#include <stddef.h>
#include <stdio.h>

#include "agent/brain.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "capture/picture.h"
#include "capture/video_in.h"
#include "tools/app.h"
#include "tools/reads.h"

struct ask_options {
    struct dh_opt_list image, video;
    double fps;
};

static const struct dh_opt ask_opts[] = {
    { "image", 'i', DH_OPT_LIST, offsetof(struct ask_options, image), "FILE",
      "A PNG or JPEG picture; may be given more than once", 0, 0, NULL },
    { "video", 'v', DH_OPT_LIST, offsetof(struct ask_options, video), "FILE",
      "A video file", 0, 0, NULL },
    { "fps", 0, DH_OPT_DOUBLE, offsetof(struct ask_options, fps), "N",
      "Frames a second that are taken from a video", 0.01, 30, NULL },
    { 0 },
};

// All that the question shows, freed together.
struct media {
    struct dh_frame *image[64];
    struct dh_video_sample sample[64];
    struct dh_brain_video video[64];
    size_t n_images, n_videos;
};

static void media_finish(struct media *m)
{
    for (size_t i = 0; i < m->n_images; i++)
        dh_frame_unref(m->image[i]);
    for (size_t i = 0; i < m->n_videos; i++)
        dh_video_sample_finish(&m->sample[i]);
}

static enum dh_status read_media(struct media *m, const struct ask_options *o)
{
    struct dh_video_sampling how = { .fps = o->fps, .max_frames = 768 };
    for (int i = 0; i < o->image.n; i++) {
        enum dh_status st =
            dh_picture_read(o->image.item[i], &m->image[m->n_images]);
        if (st)
            return st;
        m->n_images++;
    }
    for (int i = 0; i < o->video.n; i++) {
        struct dh_video_sample *s = &m->sample[m->n_videos];
        enum dh_status st = dh_video_sample_read(s, o->video.item[i], &how);
        if (st)
            return st;
        m->video[m->n_videos++] =
            (struct dh_brain_video){ s->frames, s->seconds, (int)s->n };
    }
    return DH_OK;
}

static bool print_piece(void *user, const char *piece, size_t len)
{
    dh_app_print_text(stdout, piece, len, user);
    fflush(stdout);
    return true;
}

static enum dh_status ask(struct dh_brain *brain, struct media *m,
                          const char *question, bool stream,
                          struct dh_brain_answer *out)
{
    struct dh_part parts[130];
    bool held = false;
    size_t n = 0;
    for (size_t i = 0; i < m->n_images; i++)
        parts[n++] = (struct dh_part){ DH_PART_IMAGE, NULL };
    for (size_t i = 0; i < m->n_videos; i++)
        parts[n++] = (struct dh_part){ DH_PART_VIDEO, NULL };
    parts[n++] = (struct dh_part){ DH_PART_TEXT, question };
    struct dh_brain_request r = { .images = m->image,
                                  .n_images = m->n_images,
                                  .videos = m->video,
                                  .n_videos = m->n_videos,
                                  .form = DH_FORM_FREE,
                                  .on_text = stream ? print_piece : NULL,
                                  .user = &held };
    return dh_brain_ask_once(brain, parts, n, &r, out);
}

static void print_json(const struct dh_brain_answer *a,
                       const struct dh_model_reads *reads)
{
    struct dh_buf out;
    struct dh_json_writer w;
    dh_buf_init(&out, 1 << 24);
    dh_jw_init(&w, &out);
    dh_jw_object(&w, NULL);
    dh_jw_text(&w, "answer", a->text);
    dh_jw_bool(&w, "cut", a->end == DH_BRAIN_END_LENGTH);
    dh_jw_i64(&w, "prompt_tokens", a->usage.prompt_tokens);
    dh_jw_i64(&w, "answer_tokens", a->usage.answer_tokens);
    if (a->passes) {
        dh_jw_i64(&w, "passes", a->passes);
        dh_jw_i64(&w, "guessed", a->guessed);
        dh_jw_i64(&w, "guessed_right", a->guessed_right);
        dh_jw_double(&w, "decode_s", (double)a->times.decode / 1e9);
    }
    if (reads)
        dh_reads_put(&w, reads);
    dh_jw_end_object(&w);
    puts(dh_buf_text(&out));
    dh_buf_finish(&out);
}

static int run(int argc, char **argv)
{
    struct dh_app_options app = DH_APP_DEFAULTS;
    struct dh_model_opts model = { 0 };
    struct ask_options o = { .fps = 1 };
    struct dh_opt_set sets[] = { { ask_opts, &o },
                                 { dh_model_opt_table, &model },
                                 { dh_app_opts, &app },
                                 { 0 } };
    struct dh_brain *brain = NULL;
    struct dh_brain_answer answer = { 0 };
    struct media *m;
    int n, status;
    if (!dh_app_parse(&dh_cmd_ask, sets, &app, argc, argv, &n, &status))
        return status;
    if (n != 1)
        return dh_app_usage(&dh_cmd_ask, "one QUESTION is expected");
    dh_new(m);
    enum dh_status st = read_media(m, &o);
    if (!st)
        st = dh_app_brain(&brain, &model);
    if (!st)
        st = ask(brain, m, argv[1], !app.json, &answer);
    struct dh_model_reads reads;
    bool on_demand = !st && dh_brain_get_reads(brain, &reads);
    if (!st && app.json)
        print_json(&answer, on_demand ? &reads : NULL);
    else if (!st)
        puts("");
    if (on_demand && !app.json)
        dh_reads_print(stderr, &reads);
    dh_brain_answer_finish(&answer);
    dh_brain_destroy(brain);
    media_finish(m);
    dh_free(m);
    return dh_app_exit(st);
}

const struct dh_command dh_cmd_ask = {
    "ask",
    "QUESTION",
    "Ask the model about pictures or a video",
    "  deskhand ask --image screenshot.png \"What is at 500,30?\"",
    { ask_opts, dh_model_opt_table, dh_app_opts },
    run,
};
