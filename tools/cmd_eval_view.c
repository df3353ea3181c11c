#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/eval_score.h"
#include "agent/session_file.h"
#include "agent/session_read.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "capture/picture.h"
#include "tools/app.h"
#include "tools/eval_report.h"
#include "tools/task_report.h"
#include "tools/viewer.h"

#define DH_LOG_TAG "view"
#include "base/log.h"

struct view_options {
    bool list;
    struct dh_viewer_options window;
};

static const struct dh_opt view_opts[] = {
    { "list", 0, DH_OPT_BOOL, offsetof(struct view_options, list), NULL,
      "Print them, and open no window", 0, 0, NULL },
    { 0 },
};

/* An evaluation's results in the order in which they are looked at. */
struct show {
    struct dh_eval_results rs;
    int *order;
    int n, n_misses;
    const char *dir;
    char *pictures; // the folder that images are named from
    bool json;
};

static void sort_results(struct show *s)
{
    int *worst, n;
    dh_array(worst, (size_t)s->rs.n);
    dh_array(s->order, (size_t)s->rs.n);
    n = dh_eval_worst(&s->rs, worst);
    for (int i = 0; i < n; i++)
        if (!dh_task_is_proof(&s->rs.v[worst[i]]))
            s->order[s->n++] = worst[i];
    s->n_misses = s->n;
    for (int i = 0; i < s->rs.n; i++)
        if (s->rs.v[i].hit && !dh_task_is_proof(&s->rs.v[i]))
            s->order[s->n++] = i;
    dh_free(worst);
}

static const struct dh_eval_result *result(const struct show *s, int i)
{
    return &s->rs.v[s->order[i]];
}

// Of a live task; dh_free. The folder of results may have moved since.
static char *session_of(const struct show *s, const struct dh_eval_result *r)
{
    return r->session ? dh_path_join(s->dir, r->session) : NULL;
}

static void put_verdict(const struct dh_eval_result *r, struct dh_buf *out)
{
    if (r->error)
        dh_buf_puts(out, dh_eval_error_name(r->error));
    else if (r->hit)
        dh_buf_puts(out, "right");
    else if (r->item.target.kind == DH_EVAL_NONE)
        dh_buf_puts(out, "there is no such thing");
    else if (r->gap_px >= 0)
        dh_buf_printf(out, "%.1f px beside it", r->gap_px);
    else
        dh_buf_puts(out, "wrong");
    if (r->note && r->note[0])
        dh_buf_printf(out, ": %s", r->note);
    if (r->item.target.text && r->item.target.text[0])
        dh_buf_printf(out, "; expected: %s", r->item.target.text);
}

// ---- as text ----

static void print_json(const struct dh_eval_result *r, const char *verdict)
{
    struct dh_buf out;
    struct dh_json_writer w;
    dh_buf_init(&out, 64 << 20);
    dh_jw_init(&w, &out);
    dh_jw_object(&w, NULL);
    dh_jw_text(&w, "id", r->item.id);
    dh_jw_bool(&w, "hit", r->hit);
    dh_jw_text(&w, "verdict", verdict);
    dh_jw_text(&w, "instruction", r->item.instruction);
    if (r->item.image[0])
        dh_jw_text(&w, "image", r->item.image);
    if (r->session)
        dh_jw_text(&w, "session", r->session);
    if (r->raw)
        dh_jw_text(&w, "raw", r->raw);
    dh_jw_end_object(&w);
    puts(dh_buf_text(&out));
    dh_buf_finish(&out);
}

static void print_plain(const struct dh_eval_result *r, const char *verdict)
{
    printf("%s  ", r->hit ? "ok  " : "MISS");
    dh_app_print(stdout, r->item.id);
    fputs("  ", stdout);
    dh_app_print(stdout, r->item.instruction);
    fputs("  (", stdout);
    dh_app_print(stdout, verdict);
    fputs(")\n", stdout);
}

static void list(const struct show *s, bool json)
{
    if (!json)
        printf("%d misses of %d, the worst first\n", s->n_misses, s->n);
    for (int i = 0; i < s->n; i++) {
        struct dh_buf verdict;
        dh_buf_init(&verdict, 1 << 20);
        put_verdict(result(s, i), &verdict);
        (json ? print_json : print_plain)(result(s, i), dh_buf_text(&verdict));
        dh_buf_finish(&verdict);
    }
}

// ---- in the window ----

// A live task's first and last picture.
static char *picture_of_session(const char *session, bool last)
{
    char *dir = dh_path_join(session, "frames"), *best = NULL;
    DIR *d = opendir(dir);
    const struct dirent *e = d ? readdir(d) : NULL;
    for (; e; e = readdir(d)) {
        int cmp = best ? strcmp(e->d_name, best) : 0;
        if (!dh_str_ends(dh_str_of(e->d_name), ".png") ||
            (best && (last ? cmp < 0 : cmp > 0)))
            continue;
        dh_free(best);
        best = dh_strdup(e->d_name);
    }
    if (d)
        closedir(d);
    char *path = best ? dh_path_join(dir, best) : NULL;
    dh_free(best);
    dh_free(dir);
    return path;
}

// Pictures 1 and 2 are those before and after the first item, and so on.
static enum dh_status picture(const void *user, int number,
                              struct dh_frame **out, struct dh_diag *diag)
{
    const struct show *s = user;
    const struct dh_eval_result *r = result(s, (number - 1) / 2);
    char *session = session_of(s, r), *path = NULL;
    enum dh_status st = DH_ERR_NOTFOUND;
    if (session)
        path = picture_of_session(session, number % 2 == 0);
    else if (r->item.image[0])
        path = dh_path_join(s->pictures ? s->pictures : s->dir, r->item.image);
    if (path)
        st = dh_picture_read(path, out);
    if (st)
        dh_diag_set(diag, 0, "%.160s", path ? path : "it has none");
    dh_free(path);
    dh_free(session);
    return st;
}

static void open_session(const void *user, int step)
{
    const struct show *s = user;
    char *session = session_of(s, result(s, step));
    if (session && fork() == 0) {
        execl("/proc/self/exe", "deskhand", "view", s->json ? "--json" : "--",
              session, (char *)NULL);
        _exit(127);
    }
    dh_free(session);
}

static void put_rect(struct dh_json_writer *w, const double b[4])
{
    dh_jw_object(w, "target");
    dh_jw_object(w, "rect");
    dh_jw_i64(w, "x", (int64_t)floor(b[0]));
    dh_jw_i64(w, "y", (int64_t)floor(b[1]));
    dh_jw_i64(w, "w", (int64_t)ceil(b[2]) - (int64_t)floor(b[0]));
    dh_jw_i64(w, "h", (int64_t)ceil(b[3]) - (int64_t)floor(b[1]));
    dh_jw_end_object(w);
    dh_jw_end_object(w);
}

static void put_act(struct dh_json_writer *w, const struct dh_eval_result *r,
                    int i)
{
    double box[4];
    dh_jw_text(w, "op",
               r->has_point        ? "left_click"
               : r->end && *r->end ? r->end
                                   : "no point");
    dh_jw_text(w, "say", r->item.instruction);
    dh_jw_i64(w, "before", 2 * i + 1);
    if (r->has_point) {
        dh_jw_array(w, "p");
        dh_jw_array(w, NULL);
        dh_jw_double(w, NULL, r->point[0]);
        dh_jw_double(w, NULL, r->point[1]);
        dh_jw_end_array(w);
        dh_jw_end_array(w);
    }
    if (dh_eval_target_box(&r->item.target, box))
        put_rect(w, box);
}

// An item as a step: what was asked, said and pointed at, and what it is worth.
static enum dh_status put_item(struct dh_session_file *f, const struct show *s,
                               int i)
{
    const struct dh_eval_result *r = result(s, i);
    int64_t at = dh_session_file_base(f) + i * DH_S, act;
    struct dh_buf verdict;
    struct dh_json_writer *w = dh_session_file_begin(f, "answer", at, NULL);
    dh_jw_i64(w, "step", i + 1);
    dh_jw_text(w, "raw", r->raw ? r->raw : "");
    if (r->reasoning)
        dh_jw_text(w, "thinking", r->reasoning);
    enum dh_status st = dh_session_file_end(f);
    if (st)
        return st;
    put_act(dh_session_file_begin(f, "act", at, &act), r, i);
    st = dh_session_file_end(f);
    if (st)
        return st;
    dh_buf_init(&verdict, 1 << 20);
    dh_buf_printf(&verdict, "%s: ", r->item.id);
    put_verdict(r, &verdict);
    w = dh_session_file_begin(f, "done", at + DH_S / 2, NULL);
    dh_jw_i64(w, "act", act);
    dh_jw_bool(w, "ok", r->hit);
    dh_jw_text(w, "note", dh_buf_text(&verdict));
    if (r->session)
        dh_jw_i64(w, "after", 2 * i + 2);
    dh_buf_finish(&verdict);
    return dh_session_file_end(f);
}

static enum dh_status write_session(const struct show *s, const char *dir)
{
    char task[100];
    const struct dh_session_spent none = { 0 };
    struct dh_session_file *f;
    snprintf(task, sizeof task, "%d misses of %d, the worst first", s->n_misses,
             s->n);
    struct dh_session_head head = { .kind = "eval",
                                    .task = task,
                                    .model = result(s, 0)->model,
                                    .screen = result(s, 0)->item.size };
    enum dh_status st = dh_session_file_create(&f, dir, &head);
    if (st)
        return st;
    for (int i = 0; i < s->n && !st; i++)
        st = put_item(f, s, i);
    if (!st)
        st = dh_session_file_finish(f, dh_session_file_base(f) + s->n * DH_S,
                                    "done", 0, &none);
    dh_session_file_destroy(f);
    return st;
}

static enum dh_status show_window(const struct show *s,
                                  struct dh_viewer_options *o)
{
    char dir[] = "/tmp/deskhand-view-XXXXXX";
    struct dh_session_reader *session;
    struct dh_diag diag = { 0 };
    if (!mkdtemp(dir)) {
        dh_error("no folder can be made in /tmp");
        return DH_ERR_IO;
    }
    enum dh_status st = write_session(s, dir);
    if (!st) {
        st = dh_session_open(&session, dir, &diag);
        if (st)
            dh_error("%s", diag.text);
    }
    if (!st) {
        o->title = s->dir;
        o->picture = picture;
        o->open = open_session;
        o->user = s;
        signal(SIGCHLD, SIG_IGN); // nobody waits for the windows it opens
        st = dh_viewer_run(session, dir, o);
        dh_session_close(session);
    }
    (void)!dh_path_remove(dir);
    return st;
}

// ---- the command ----

static int find_item(const struct show *s, const char *id)
{
    for (int i = 0; i < s->n; i++)
        if (strcmp(result(s, i)->item.id, id) == 0)
            return i;
    return -1;
}

static enum dh_status view(struct show *s, const char *id,
                           struct view_options *o)
{
    int at = id ? find_item(s, id) : 0;
    if (!s->n || at < 0) {
        fprintf(stderr, "deskhand eval: %s holds no %s%s\n", s->dir,
                s->n ? "result of " : "answers of a model",
                s->n && id ? id : "");
        return DH_ERR_NOTFOUND;
    }
    if (o->list) {
        list(s, o->window.json);
        return DH_OK;
    }
    if (id)
        o->window.step = at + 1;
    return show_window(s, &o->window);
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
    if (!dh_app_parse(&dh_cmd_eval_view, sets, &app, argc, argv, &n, &status))
        return status;
    if (n != 1 && n != 2)
        return dh_app_usage(&dh_cmd_eval_view,
                            "one folder of results is expected");
    o.window.json = app.json;
    struct show s = { .dir = argv[1], .json = app.json };
    enum dh_status st = dh_eval_report_read(&s.rs, s.dir);
    if (!st) {
        s.pictures = dh_eval_report_pictures(s.dir);
        sort_results(&s);
        st = view(&s, n == 2 ? argv[2] : NULL, &o);
        dh_eval_results_finish(&s.rs);
    }
    dh_free(s.order);
    dh_free(s.pictures);
    return dh_app_exit(st);
}

const struct dh_command dh_cmd_eval_view = {
    "eval view",
    "DIR [ID]",
    "Look at an evaluation, the worst answers first",
    "  deskhand eval view OUT\n"
    "  deskhand eval view OUT form-terms     begin at this item\n"
    "  deskhand eval view --list OUT         without a window\n"
    "\n"
    "Keys are those of `deskhand view`: f goes to the next miss, / searches\n"
    "instructions and answers, + and 1 zoom. Of a live task, Tab shows the\n"
    "last picture and o opens its session.",
    { view_opts, dh_viewer_opts, dh_app_opts },
    run,
};
