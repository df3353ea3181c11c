#include <stdio.h>

#include "base/buf.h"
#include "base/json.h"
#include "capture/frame.h"
#include "capture/png.h"
#include "capture/screen.h"
#include "tools/app.h"

static int run(int argc, char **argv)
{
    struct dh_app_options app = DH_APP_DEFAULTS;
    struct dh_screen_options screen = DH_SCREEN_DEFAULTS;
    struct dh_opt_set sets[] = { { dh_screen_opts, &screen },
                                 { dh_app_opts, &app },
                                 { 0 } };
    int n, status;
    if (!dh_app_parse(&dh_cmd_grab, sets, &app, argc, argv, &n, &status))
        return status;
    if (n != 1)
        return dh_app_usage(&dh_cmd_grab, "one FILE.png is expected");
    struct dh_source *source = NULL;
    struct dh_frame *frame = NULL;
    enum dh_status st = dh_screen_create(&source, &screen);
    if (!st)
        st = dh_source_grab(source, &frame);
    if (!st)
        st = dh_png_write(argv[1], frame);
    if (!st && app.json)
        printf("{\"width\":%d,\"height\":%d}\n", frame->width, frame->height);
    dh_frame_unref(frame);
    dh_source_destroy(source);
    return dh_app_exit(st);
}

const struct dh_command dh_cmd_grab = {
    "grab",
    "FILE.png",
    "Save a picture of the screen",
    NULL,
    { dh_screen_opts, dh_app_opts },
    run,
};
