#include <dirent.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/session_read.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "tools/app.h"
#include "tools/viewer.h"

#define DH_LOG_TAG "view"
#include "base/log.h"

struct view_options {
    bool last, list;
    struct dh_viewer_options window;
};

static const struct dh_opt view_opts[] = {
    { "last", 0, DH_OPT_BOOL, offsetof(struct view_options, last), NULL,
      "The newest session (the default)", 0, 0, NULL },
    { "live", 0, DH_OPT_BOOL, offsetof(struct view_options, window.live), NULL,
      "Follow a run that is being recorded", 0, 0, NULL },
    { "list", 0, DH_OPT_BOOL, offsetof(struct view_options, list), NULL,
      "Print the steps, and open no window", 0, 0, NULL },
    { 0 },
};

static bool is_later(struct timespec a, struct timespec b)
{
    return a.tv_sec > b.tv_sec ||
           (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

// When something was written last; false where it is no session. Its name says
// nothing: a recording is called as its maker likes.
static bool time_of_session(int dir, const char *name, struct timespec *out)
{
    static const char *const files[] = { "session.json", "events.jsonl" };
    struct stat st;
    bool found = false;
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; fd >= 0 && i < DH_COUNTOF(files); i++) {
        if (fstatat(fd, files[i], &st, AT_SYMLINK_NOFOLLOW) ||
            (found && !is_later(st.st_mtim, *out)))
            continue;
        *out = st.st_mtim;
        found = true;
    }
    if (fd >= 0)
        close(fd);
    return found;
}

static char *newest_session(void)
{
    struct dh_buf path;
    struct timespec newest = { 0 }, now = { 0 };
    dh_buf_init(&path, 8192);
    dh_app_state_dir(&path);
    dh_buf_puts(&path, "/sessions");
    char *dir = dh_buf_take(&path), *best = NULL;
    DIR *d = opendir(dir);
    const struct dirent *e = d ? readdir(d) : NULL;
    for (; e; e = readdir(d)) {
        if (e->d_name[0] == '.' ||
            !time_of_session(dirfd(d), e->d_name, &now) ||
            (best && !is_later(now, newest)))
            continue;
        dh_free(best);
        best = dh_strdup(e->d_name);
        newest = now;
    }
    if (d)
        closedir(d);
    char *found = best ? dh_path_join(dir, best) : NULL;
    if (!found)
        dh_error("there is no session in %s yet; deskhand run makes one, or "
                 "name a folder",
                 dir);
    dh_free(best);
    dh_free(dir);
    return found;
}

static void print_step_json(const struct dh_session_step *p, int number,
                            const struct dh_session_words *w)
{
    struct dh_buf out;
    struct dh_json_writer j;
    dh_buf_init(&out, 64 << 20);
    dh_jw_init(&j, &out);
    dh_jw_object(&j, NULL);
    dh_jw_i64(&j, "step", number);
    dh_jw_i64(&j, "t", p->t);
    dh_jw_text(&j, "op", p->op);
    dh_jw_text(&j, "action", w->action);
    dh_jw_text(&j, "say", w->say);
    dh_jw_i64(&j, "before", p->before);
    dh_jw_i64(&j, "after", p->after);
    dh_jw_bool(&j, "failed", p->failed);
    dh_jw_bool(&j, "unchanged", p->unchanged);
    dh_jw_text(&j, "note", w->note);
    dh_jw_end_object(&j);
    printf("%s\n", dh_buf_text(&out));
    dh_buf_finish(&out);
}

static void print_step(const struct dh_session_step *p, int number,
                       const struct dh_session_words *w)
{
    printf("%4d %8.2f s  %s  ", number, (double)p->t / 1e9,
           p->failed      ? "FAILED"
           : p->unchanged ? "no change"
                          : "ok");
    dh_app_print(stdout, w->action[0] ? w->action : w->answer);
    if (w->note[0]) {
        printf("  (");
        dh_app_print(stdout, w->note);
        printf(")");
    }
    printf("\n");
}

static void list(const struct dh_session_reader *s, bool json)
{
    int n, n_lines, n_shots;
    const struct dh_session_step *p = dh_session_steps(s, &n);
    (void)dh_session_lines(s, &n_lines);
    (void)dh_session_shots(s, &n_shots);
    if (!json) {
        dh_app_print(stdout, dh_session_info(s)->task);
        printf("\n%d lines, %d pictures seen, %d steps\n", n_lines, n_shots, n);
    }
    for (int i = 0; i < n; i++) {
        struct dh_session_words w;
        dh_session_words_read(s, i, &w);
        (json ? print_step_json : print_step)(&p[i], i + 1, &w);
        dh_session_words_finish(&w);
    }
}

static enum dh_status view(const char *dir, const struct view_options *o)
{
    struct dh_session_reader *s;
    struct dh_diag diag = { 0 };
    int n;
    enum dh_status st = dh_session_open(&s, dir, &diag);
    if (st) {
        dh_error("%s", diag.text);
        return st;
    }
    const char *const *notes = dh_session_notes(s, &n);
    for (int i = 0; i < n; i++)
        dh_warn("%s: %s", dir, notes[i]);
    if (o->list)
        list(s, o->window.json);
    else
        st = dh_viewer_run(s, dir, &o->window);
    dh_session_close(s);
    return st;
}

static int run(int argc, char **argv)
{
    struct dh_app_options app = DH_APP_DEFAULTS;
    struct view_options o = { 0 };
    struct dh_opt_set sets[] = { { view_opts, &o },
                                 { dh_viewer_opts, &o.window },
                                 { dh_app_opts, &app },
                                 { 0 } };
    int n, status;
    if (!dh_app_parse(&dh_cmd_view, sets, &app, argc, argv, &n, &status))
        return status;
    if (n > 1 || (n == 1 && o.last))
        return dh_app_usage(&dh_cmd_view, "one SESSION folder is expected");
    o.window.json = app.json;
    o.window.runtime = dh_app_runtime_dir();
    char *dir = n == 1 ? dh_app_session_find(argv[1]) : newest_session();
    enum dh_status st = dir ? view(dir, &o) : DH_ERR_NOTFOUND;
    dh_free(dir);
    return dh_app_exit(st);
}

const struct dh_command dh_cmd_view = {
    "view",
    "[SESSION]",
    "Look at a session: pictures, answers, actions, times",
    "  deskhand view                     the newest session\n"
    "  deskhand view --live              follow the run that is going on\n"
    "  deskhand view demo-out/1-form\n"
    "  deskhand view --list --json DIR   steps for a script, without a window\n"
    "\n"
    "Press ? in the window for its keys. What is missing or damaged in a\n"
    "folder is said, and the rest is shown. With --json a line is printed for\n"
    "each thing that the window shows.",
    { view_opts, dh_viewer_opts, dh_app_opts },
    run,
};
