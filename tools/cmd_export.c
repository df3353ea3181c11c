#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "agent/export.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "tools/app.h"

struct export_options {
    int form;
};

static const struct dh_opt export_opts[] = {
    { "to", 't', DH_OPT_ENUM, offsetof(struct export_options, form), "FORM",
      "agentnet, screenspot, osworld, markdown or shell", 0, 0,
      dh_export_names },
    { 0 },
};

// Beside us, named after the session: a file for what is one file.
static char *default_out(const char *name, enum dh_export_form form)
{
    static const char *const endings[] = { "-agentnet", "-screenspot", ".json",
                                           "-markdown", ".sh" };
    struct dh_buf out;
    size_t n = strlen(name);
    while (n > 1 && name[n - 1] == '/')
        n--;
    size_t from = n;
    while (from > 0 && name[from - 1] != '/')
        from--;
    dh_buf_init(&out, 8192);
    dh_buf_put(&out, name + from, n - from);
    dh_buf_puts(&out, endings[form]);
    return dh_buf_take(&out);
}

static void print_json(const char *out, const struct dh_export_result *r)
{
    struct dh_buf text;
    struct dh_json_writer w;
    dh_buf_init(&text, 1 << 16);
    dh_jw_init(&w, &text);
    dh_jw_object(&w, NULL);
    dh_jw_text(&w, "out", out);
    dh_jw_i64(&w, "steps", r->steps);
    dh_jw_i64(&w, "pictures", r->pictures);
    dh_jw_i64(&w, "items", r->items);
    dh_jw_i64(&w, "left_out", r->left_out);
    dh_jw_i64(&w, "hidden", r->hidden);
    dh_jw_end_object(&w);
    puts(dh_buf_text(&text));
    dh_buf_finish(&text);
}

static void print_text(const char *out, enum dh_export_form form,
                       const struct dh_export_result *r)
{
    dh_app_print(stdout, out);
    printf(": %d step%s", r->steps, r->steps == 1 ? "" : "s");
    if (r->pictures)
        printf(", %d picture%s", r->pictures, r->pictures == 1 ? "" : "s");
    if (form == DH_EXPORT_SCREENSPOT)
        printf(", %d item%s", r->items, r->items == 1 ? "" : "s");
    if (r->left_out)
        printf("; %d left out", r->left_out);
    if (r->hidden)
        printf("; %d picture%s held back for a secret", r->hidden,
               r->hidden == 1 ? "" : "s");
    putchar('\n');
}

static int run(int argc, char **argv)
{
    struct dh_app_options app = DH_APP_DEFAULTS;
    struct export_options o = { .form = -1 };
    struct dh_opt_set sets[] = { { export_opts, &o },
                                 { dh_app_opts, &app },
                                 { 0 } };
    struct dh_export_result r;
    int n, status;
    if (!dh_app_parse(&dh_cmd_export, sets, &app, argc, argv, &n, &status))
        return status;
    if (n < 1 || n > 2)
        return dh_app_usage(&dh_cmd_export, "NAME, and OUT if need be");
    if (o.form < 0)
        return dh_app_usage(&dh_cmd_export,
                            "--to which form? agentnet, screenspot, osworld, "
                            "markdown or shell");
    enum dh_export_form form = (enum dh_export_form)o.form;
    char *dir = dh_app_session_find(argv[1]);
    char *out = n > 1 ? dh_strdup(argv[2]) : default_out(argv[1], form);
    enum dh_status st = dh_export(dir, form, out, dh_app_cancel(), &r);
    if (!st && app.json)
        print_json(out, &r);
    else if (!st)
        print_text(out, form, &r);
    dh_free(out);
    dh_free(dir);
    return dh_app_exit(st);
}

const struct dh_command dh_cmd_export = {
    "export",
    "NAME [OUT]",
    "Give a session away in a form that others read",
    "  deskhand export invoice --to markdown       steps and pictures\n"
    "  deskhand export invoice --to shell out.sh   a script\n"
    "  deskhand export invoice --to screenspot     a test set of its clicks\n"
    "  deskhand export invoice --to agentnet       for training\n"
    "  deskhand export invoice --to osworld        a task to be filled in\n"
    "\n"
    "OUT may not be there yet. Secrets stay here: their texts have a name\n"
    "in their place, and where they were typed is painted over.",
    { export_opts, dh_app_opts },
    run,
};
