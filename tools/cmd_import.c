#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "agent/import.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "tools/app.h"

struct import_options {
    const char *task, *pick, *images, *screen;
};

#define MEMBER(m) offsetof(struct import_options, m)

static const struct dh_opt import_opts[] = {
    { "task", 0, DH_OPT_TEXT, MEMBER(task), "TEXT",
      "What was to be done (default: what the source says)", 0, 0, NULL },
    { "pick", 0, DH_OPT_TEXT, MEMBER(pick), "ID",
      "The task_id of the one to take from AgentNet's file (default: the "
      "first)",
      0, 0, NULL },
    { "images", 0, DH_OPT_TEXT, MEMBER(images), "DIR",
      "Folder of the pictures (default: beside the file)", 0, 0, NULL },
    { "screen", 0, DH_OPT_TEXT, MEMBER(screen), "WxH",
      "Size of the screen where there are no pictures", 0, 0, NULL },
    { 0 },
};

static bool parse_form(const char *name, enum dh_import_form *out)
{
    for (int i = 0; i < DH_IMPORT_FORMS; i++)
        if (strcmp(name, dh_import_names[i]) == 0) {
            *out = (enum dh_import_form)i;
            return true;
        }
    return false;
}

static void print_json(const char *dir, const struct dh_import_result *r)
{
    struct dh_buf text;
    struct dh_json_writer w;
    dh_buf_init(&text, 1 << 16);
    dh_jw_init(&w, &text);
    dh_jw_object(&w, NULL);
    dh_jw_text(&w, "session", dir);
    dh_jw_i64(&w, "steps", r->steps);
    dh_jw_i64(&w, "actions", r->actions);
    dh_jw_i64(&w, "pictures", r->pictures);
    dh_jw_i64(&w, "missing", r->missing);
    dh_jw_i64(&w, "left_out", r->left_out);
    dh_jw_bool(&w, "more", r->more);
    dh_jw_end_object(&w);
    puts(dh_buf_text(&text));
    dh_buf_finish(&text);
}

static void print_text(const char *dir, const struct dh_import_result *r)
{
    printf("session ");
    dh_app_print(stdout, dir);
    printf(": %d step%s, %d action%s, %d picture%s", r->steps,
           r->steps == 1 ? "" : "s", r->actions, r->actions == 1 ? "" : "s",
           r->pictures, r->pictures == 1 ? "" : "s");
    if (r->missing)
        printf(", %d missing", r->missing);
    if (r->left_out)
        printf("; %d not understood", r->left_out);
    putchar('\n');
    if (r->more)
        puts("there are more tasks in the file; --pick ID takes another one");
}

static int import(const struct dh_import_options *o, bool json)
{
    struct dh_import_result r;
    enum dh_status st = dh_import(o, &r);
    if (!st && json)
        print_json(o->dir, &r);
    else if (!st)
        print_text(o->dir, &r);
    return dh_app_exit(st);
}

static int run(int argc, char **argv)
{
    struct dh_app_options app = DH_APP_DEFAULTS;
    struct import_options o = { 0 };
    struct dh_opt_set sets[] = { { import_opts, &o },
                                 { dh_app_opts, &app },
                                 { 0 } };
    struct dh_import_options how = { 0 };
    int n, status;
    if (!dh_app_parse(&dh_cmd_import, sets, &app, argc, argv, &n, &status))
        return status;
    if (n != 3)
        return dh_app_usage(&dh_cmd_import, "FORM, SRC and NAME are expected");
    if (!parse_form(argv[1], &how.form))
        return dh_app_usage(&dh_cmd_import,
                            "\"%.40s\" is none of agentnet, agentnet-raw, cua, "
                            "osworld",
                            argv[1]);
    if (o.screen && !dh_size_parse(o.screen, &how.screen))
        return dh_app_usage(&dh_cmd_import,
                            "--screen: a size such as 1920x1080 is expected");
    char *dir = dh_app_session_dir(argv[3]);
    if (!dir)
        return dh_app_usage(&dh_cmd_import,
                            "\"%s\" is no good name for a folder", argv[3]);
    how.src = argv[2];
    how.dir = dir;
    how.task = o.task;
    how.pick = o.pick;
    how.images = o.images;
    how.cancel = dh_app_cancel();
    status = import(&how, app.json);
    dh_free(dir);
    return status;
}

const struct dh_command dh_cmd_import = {
    "import",
    "FORM SRC NAME",
    "Take in what other programs recorded",
    "  deskhand import agentnet agentnet_ubuntu_5k.jsonl task --images DIR\n"
    "  deskhand import agentnet-raw recordings/1f2e task\n"
    "  deskhand import cua ~/cua-trajectories/demo1 demo\n"
    "  deskhand import osworld results/os/1/traj.jsonl run --task \"...\"\n"
    "\n"
    "NAME is a new session. What cannot be understood is a note in it. Where\n"
    "the source says no times, its steps are a second apart.",
    { import_opts, dh_app_opts },
    run,
};
