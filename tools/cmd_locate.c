#include <stdio.h>

#include "agent/ground.h"
#include "base/buf.h"
#include "base/json.h"
#include "capture/frame.h"
#include "capture/picture.h"
#include "tools/app.h"

static void print_found(const struct dh_ground *g, bool json)
{
    struct dh_buf out;
    struct dh_json_writer w;
    if (!json) {
        printf("%d %d\n", g->pixel.x, g->pixel.y);
        return;
    }
    dh_buf_init(&out, 1 << 22);
    dh_jw_init(&w, &out);
    dh_jw_object(&w, NULL);
    dh_jw_i64(&w, "x", g->pixel.x);
    dh_jw_i64(&w, "y", g->pixel.y);
    dh_jw_text(&w, "raw", g->raw);
    dh_jw_double(&w, "vision_s", (double)g->times.vision / 1e9);
    dh_jw_double(&w, "prefill_s", (double)g->times.prefill / 1e9);
    dh_jw_double(&w, "decode_s", (double)g->times.decode / 1e9);
    dh_jw_end_object(&w);
    puts(dh_buf_text(&out));
    dh_buf_finish(&out);
}

static int run(int argc, char **argv)
{
    struct dh_app_options app = DH_APP_DEFAULTS;
    struct dh_model_opts model = { 0 };
    struct dh_opt_set sets[] = { { dh_model_opt_table, &model },
                                 { dh_app_opts, &app },
                                 { 0 } };
    struct dh_brain *brain = NULL;
    struct dh_frame *frame = NULL;
    struct dh_ground found = { 0 };
    int n, status;
    if (!dh_app_parse(&dh_cmd_locate, sets, &app, argc, argv, &n, &status))
        return status;
    if (n != 2)
        return dh_app_usage(&dh_cmd_locate,
                            "IMAGE and INSTRUCTION are expected");
    enum dh_status st = dh_picture_read(argv[1], &frame);
    if (!st)
        st = dh_app_brain(&brain, &model);
    if (!st)
        st = dh_ground_find(brain, frame, argv[2], &found);
    if (!st)
        print_found(&found, app.json);
    else if (found.raw) {
        fputs("deskhand locate: the model names no point: ", stderr);
        dh_app_print(stderr, found.raw);
        fputc('\n', stderr);
    }
    // Only a model that did answer has not solved it.
    status =
        found.raw && st == DH_ERR_FORMAT ? DH_EXIT_UNSOLVED : dh_app_exit(st);
    dh_ground_finish(&found);
    dh_brain_destroy(brain);
    dh_frame_unref(frame);
    return status;
}

const struct dh_command dh_cmd_locate = {
    "locate",
    "IMAGE INSTRUCTION",
    "Print where in a picture something is, as x y in its pixels",
    "  deskhand locate screenshot.png \"Click Save.\"",
    { dh_model_opt_table, dh_app_opts },
    run,
};
