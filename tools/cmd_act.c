#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "actions/dry.h"
#include "actions/guard.h"
#include "actions/parse.h"
#include "actions/secrets.h"
#include "actions/xtest.h"
#include "agent/aim.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "capture/screen.h"
#include "tools/app.h"

struct act_options {
    const char *display, *secret_file;
    const char *answer, *coord;
    bool pixels, dry_run, cmd_is_ctrl;
};

static const struct dh_opt act_opts[] = {
    { "display", 'd', DH_OPT_TEXT, offsetof(struct act_options, display), ":N",
      "X display to act on (default: $DISPLAY)", 0, 0, NULL },
    { "pixels", 0, DH_OPT_BOOL, offsetof(struct act_options, pixels), NULL,
      "Points are pixels of the screen in place of 0 to 1000", 0, 0, NULL },
    { "answer", 'a', DH_OPT_TEXT, offsetof(struct act_options, answer), "FILE",
      "Perform what a model's answer in FILE asks for (\"-\": stdin)", 0, 0,
      NULL },
    { "coord", 0, DH_OPT_TEXT, offsetof(struct act_options, coord), "NAME",
      "What the answer's points mean: norm1000, norm1, pixels-sent, "
      "pixels-resized28, pixels-screen",
      0, 0, NULL },
    { "dry-run", 'n', DH_OPT_BOOL, offsetof(struct act_options, dry_run), NULL,
      "Print what would be done", 0, 0, NULL },
    { "secret-file", 0, DH_OPT_TEXT, offsetof(struct act_options, secret_file),
      "FILE", "Lines name=value: what {{secret:name}} in a text types", 0, 0,
      NULL },
    { "cmd-is-ctrl", 0, DH_OPT_BOOL, offsetof(struct act_options, cmd_is_ctrl),
      NULL, "Press ctrl where cmd is asked for (default: super)", 0, 0, NULL },
    { 0 },
};

static enum dh_status perform(struct dh_sink *sink, struct dh_action *a,
                              const char *text, const struct act_options *o,
                              const struct dh_screen_info *info)
{
    struct dh_diag why = { 0 };
    struct dh_view view = { { 0, 0, info->width, info->height } };
    enum dh_status st =
        o->dry_run ? DH_OK : dh_aim_action(&view, &info->layout, a, &why);
    if (!st)
        st = dh_sink_perform(sink, a, dh_app_cancel(), &why);
    if (!st && a->op == DH_ACTION_WAIT && !o->dry_run)
        dh_sleep_for(a->duration_ms * DH_MS);
    if (st && st != DH_ERR_CANCELLED)
        fprintf(stderr, "deskhand act: \"%s\": %s\n", text,
                why.text[0] ? why.text : dh_status_name(st));
    return st;
}

static enum dh_status act_one(struct dh_sink *sink, const char *line,
                              const struct act_options *o,
                              const struct dh_screen_info *info)
{
    struct dh_diag why = { 0 };
    struct dh_action a;
    if (!dh_action_of_text(line, o->pixels, &a, &why)) {
        fprintf(stderr, "deskhand act: \"%s\": %s\n", line, why.text);
        return DH_ERR_USAGE;
    }
    enum dh_status st = perform(sink, &a, line, o, info);
    dh_action_finish(&a);
    return st;
}

static enum dh_status read_answer(const char *path, struct dh_buf *out)
{
    char chunk[4096];
    size_t n;
    char *data;
    if (strcmp(path, "-") == 0) {
        while ((n = fread(chunk, 1, sizeof chunk, stdin)) > 0)
            dh_buf_put(out, chunk, n);
        return ferror(stdin) ? DH_ERR_IO : DH_OK;
    }
    enum dh_status st = dh_file_read(path, DH_ANSWER_MAX_BYTES, &data, &n);
    if (!st) {
        dh_buf_put(out, data, n);
        dh_big_free(data);
    }
    return st;
}

static enum dh_status act_answer(struct dh_sink *sink,
                                 const struct act_options *o,
                                 enum dh_coord coord,
                                 const struct dh_screen_info *info)
{
    struct dh_parse_options how = {
        .coord = coord, .screen = { 0, 0, info->width, info->height }
    };
    struct dh_buf text;
    struct dh_diag why = { 0 };
    struct dh_answer answer;
    dh_buf_init(&text, DH_ANSWER_MAX_BYTES);
    enum dh_status st = read_answer(o->answer, &text);
    if (!st && text.overflow) {
        fputs("deskhand act: the answer is longer than 1 MiB\n", stderr);
        st = DH_ERR_FORMAT;
    } else if (!st) {
        st = dh_answer_parse_with(&how, dh_buf_text(&text), text.len, &answer,
                                  &why);
        if (st)
            fprintf(stderr, "deskhand act: %s: %s\n",
                    dh_dialect_name(answer.dialect), why.text);
        for (int i = 0; i < answer.n && !st; i++)
            st = perform(sink, &answer.action[i],
                         dh_action_name(&answer.action[i]), o, info);
        dh_answer_finish(&answer);
    }
    dh_buf_finish(&text);
    return st;
}

static enum dh_status open_sink(struct dh_sink **out, struct dh_buf *text,
                                const struct act_options *o,
                                struct dh_secrets **secrets,
                                struct dh_screen_info *info)
{
    // Only points that are no 0 to 1000 need a screen to be understood.
    bool pixels = o->coord && strcmp(o->coord, "norm1000") != 0;
    enum dh_status st = DH_OK;
    if (!o->dry_run || (o->answer && pixels))
        st = dh_screen_probe(o->display, info);
    if (o->dry_run) {
        *out = st ? NULL : dh_dry_create(text);
        return st;
    }
    struct dh_sink *inner;
    if (!st && o->secret_file)
        st = dh_secrets_read(secrets, o->secret_file);
    struct dh_xtest_options xtest = { .secrets = *secrets,
                                      .cmd_is_ctrl = o->cmd_is_ctrl };
    if (!st)
        st = dh_xtest_create(&inner, o->display, &xtest);
    if (!st)
        *out = dh_guard_create(inner, (struct dh_rect){ 0 });
    return st;
}

static int run(int argc, char **argv)
{
    struct dh_app_options app = DH_APP_DEFAULTS;
    struct act_options o = { 0 };
    struct dh_opt_set sets[] = { { act_opts, &o },
                                 { dh_app_opts, &app },
                                 { 0 } };
    struct dh_screen_info info = { 0 };
    struct dh_secrets *secrets = NULL;
    struct dh_sink *sink = NULL;
    enum dh_coord coord = DH_COORD_NORM1000;
    struct dh_buf text;
    int n, status;
    if (!dh_app_parse(&dh_cmd_act, sets, &app, argc, argv, &n, &status))
        return status;
    if (!n && !o.answer)
        return dh_app_usage(&dh_cmd_act, "no action is given");
    if (o.coord && !dh_coord_of_name(o.coord, &coord))
        return dh_app_usage(&dh_cmd_act,
                            "--coord: \"%s\" is none of norm1000, "
                            "norm1, pixels-sent, pixels-resized28, "
                            "pixels-screen",
                            o.coord);
    if (o.coord && !o.answer)
        return dh_app_usage(&dh_cmd_act, "--coord is for --answer");
    dh_buf_init(&text, 1 << 24);
    enum dh_status st = open_sink(&sink, &text, &o, &secrets, &info);
    if (!st && o.answer)
        st = act_answer(sink, &o, coord, &info);
    for (int i = 1; i <= n && !st; i++)
        st = act_one(sink, argv[i], &o, &info);
    dh_sink_destroy(sink);
    dh_secrets_destroy(secrets);
    fputs(dh_buf_text(&text), stdout);
    dh_buf_finish(&text);
    return dh_app_exit(st);
}

const struct dh_command dh_cmd_act = {
    "act",
    "[ACTION...]",
    "Perform actions given as text",
    "Each ACTION is one argument, in the words of M3's desktop protocol; "
    "points\n"
    "run from 0 to 1000 on both axes, whatever the size of the screen:\n"
    "\n"
    "  \"left_click 500 300\"   \"double_click 10 20\"   \"right_click 10 20 "
    "+ctrl\"\n"
    "  \"left_click_drag 10 20 300 400\"   \"scroll 500 500 down 5\"\n"
    "  \"type hello\"   \"key ctrl+s\"   \"key Down*3\"   \"wait 1.5\"\n"
    "\n"
    "With --answer the actions are read from what a model wrote, in any "
    "dialect\n"
    "that deskhand knows, first; nothing in it is executed as code.",
    { act_opts, dh_app_opts },
    run,
};
