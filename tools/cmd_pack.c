#include <stdio.h>
#include <string.h>

#include "agent/pack.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "tools/app.h"

#define ENDING ".tar.zst"

static struct dh_str last_name(const char *path)
{
    struct dh_str s = dh_str_of(path);
    while (s.n > 1 && s.p[s.n - 1] == '/')
        s.n--;
    size_t from = s.n;
    while (from > 0 && s.p[from - 1] != '/')
        from--;
    return dh_str_sub(s, from, s.n);
}

static int print(const char *out, const struct dh_pack_result *r, bool json)
{
    struct dh_buf text;
    struct dh_json_writer w;
    if (!json) {
        dh_app_print(stdout, out);
        printf(": %d file%s, %.1f MB, packed %.1f MB", r->files,
               r->files == 1 ? "" : "s", (double)r->bytes / 1e6,
               (double)r->packed / 1e6);
        if (r->hidden)
            printf("; %d file%s held back for a secret", r->hidden,
                   r->hidden == 1 ? "" : "s");
        putchar('\n');
        return DH_EXIT_OK;
    }
    dh_buf_init(&text, 1 << 16);
    dh_jw_init(&w, &text);
    dh_jw_object(&w, NULL);
    dh_jw_text(&w, "out", out);
    dh_jw_i64(&w, "files", r->files);
    dh_jw_i64(&w, "bytes", r->bytes);
    dh_jw_i64(&w, "packed", r->packed);
    dh_jw_i64(&w, "hidden", r->hidden);
    dh_jw_end_object(&w);
    puts(dh_buf_text(&text));
    dh_buf_finish(&text);
    return DH_EXIT_OK;
}

static int run_pack(int argc, char **argv)
{
    struct dh_app_options app = DH_APP_DEFAULTS;
    struct dh_opt_set sets[] = { { dh_app_opts, &app }, { 0 } };
    struct dh_pack_result r;
    struct dh_buf name;
    int n, status;
    if (!dh_app_parse(&dh_cmd_pack, sets, &app, argc, argv, &n, &status))
        return status;
    if (n < 1 || n > 2 || !argv[1][0])
        return dh_app_usage(&dh_cmd_pack, "NAME, and FILE if need be");
    struct dh_str last = last_name(argv[1]);
    dh_buf_init(&name, 8192);
    dh_buf_put(&name, last.p, last.n);
    dh_buf_puts(&name, ENDING);
    const char *out = n > 1 ? argv[2] : dh_buf_text(&name);
    char *dir = dh_app_session_find(argv[1]);
    enum dh_status st = dh_pack(dir, out, dh_app_cancel(), &r);
    status = st ? dh_app_exit(st) : print(out, &r, app.json);
    dh_free(dir);
    dh_buf_finish(&name);
    return status;
}

static int run_unpack(int argc, char **argv)
{
    struct dh_app_options app = DH_APP_DEFAULTS;
    struct dh_opt_set sets[] = { { dh_app_opts, &app }, { 0 } };
    struct dh_pack_result r;
    int n, status;
    if (!dh_app_parse(&dh_cmd_unpack, sets, &app, argc, argv, &n, &status))
        return status;
    if (n < 1 || n > 2)
        return dh_app_usage(&dh_cmd_unpack, "FILE, and NAME if need be");
    struct dh_str last = last_name(argv[1]), ending = dh_str_of(ENDING);
    if (last.n > ending.n &&
        !strncmp(last.p + last.n - ending.n, ending.p, ending.n))
        last.n -= ending.n;
    char *name = n > 1 ? dh_strdup(argv[2]) : dh_strndup(last.p, last.n);
    char *dir = dh_app_session_dir(name);
    if (dir) {
        enum dh_status st = dh_unpack(argv[1], dir, dh_app_cancel(), &r);
        status = st ? dh_app_exit(st) : print(dir, &r, app.json);
    } else {
        status = dh_app_usage(&dh_cmd_unpack,
                              "\"%.60s\" is no good name for a session", name);
    }
    dh_free(dir);
    dh_free(name);
    return status;
}

const struct dh_command dh_cmd_pack = {
    "pack",
    "NAME [FILE]",
    "Put a session into one file, without its secrets",
    "  deskhand pack invoice                invoice.tar.zst\n"
    "  deskhand pack invoice /tmp/a.tar.zst\n"
    "\n"
    "FILE may not be there yet. Where a text was marked as a secret "
    "afterwards\n"
    "(`deskhand mark --secret`), a name stands in its place, where it was "
    "typed\n"
    "is painted over, and raw keys, the video and the page stay here.",
    { dh_app_opts },
    run_pack,
};

const struct dh_command dh_cmd_unpack = {
    "unpack",
    "FILE [NAME]",
    "Make a session of such a file again, to be viewed or played",
    "  deskhand unpack invoice.tar.zst        the session invoice\n"
    "  deskhand unpack a.tar.zst ./invoice    the folder ./invoice\n"
    "\n"
    "NAME may not be there yet. The file may be a stranger's: it is refused\n"
    "whole where anything in it is not a session's. Its page is left out, "
    "since\n"
    "a browser would run what it says; `deskhand view` shows the same.",
    { dh_app_opts },
    run_unpack,
};
