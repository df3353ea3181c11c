#include <dirent.h>
#include <fnmatch.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/web_page.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "tools/task_run.h"

#define MAX_LIST (1 << 20)

struct web_options {
    const char *tasks;
    int seeds, first_seed, scale;
    bool time_limit, check;
};

static const struct dh_opt web_opts[] = {
    { "tasks", 't', DH_OPT_TEXT, offsetof(struct web_options, tasks), "LIST",
      "Only these pages: names or patterns with commas between them, or @FILE "
      "with one a line (default: all)",
      0, 0, NULL },
    { "seeds", 's', DH_OPT_INT, offsetof(struct web_options, seeds), "K",
      "Ask each page with so many seeds (default: 5)", 1, 1000, NULL },
    { "first-seed", 0, DH_OPT_INT, offsetof(struct web_options, first_seed),
      "N", "The first of them (default: 1)", 1, 1000000000, NULL },
    { "scale", 0, DH_OPT_INT, offsetof(struct web_options, scale), "N",
      "Screen pixels for each of a page's 160x210, at the upper left of the "
      "screen (default: 2)",
      2, 8, NULL },
    { "time-limit", 0, DH_OPT_BOOL, offsetof(struct web_options, time_limit),
      NULL,
      "Keep each page's own limit of time, 10 s for most (default: it is "
      "lifted)",
      0, 0, NULL },
    { "check", 0, DH_OPT_BOOL, offsetof(struct web_options, check), NULL,
      "Start every page once, say which cannot be used, ask no model", 0, 0,
      NULL },
    { 0 },
};

struct web {
    struct web_options o;
    struct dh_tasks run;
    char *root, *solutions, *script;
    const char *folder;
    char **page;
    int n_pages;
    struct dh_buf counts;
};

// ---- the pages ----

// The folder of a copy may be named, or what is in it, as far as the pages.
static bool find_root(struct web *w, const char *dir)
{
    static const char *const below[] = { "miniwob/html", "html", ".", ".." };
    for (size_t i = 0; i < DH_COUNTOF(below); i++) {
        char *root = dh_path_join(dir, below[i]);
        char *core = dh_path_join(root, "core/core.js");
        char *pages = dh_path_join(root, "miniwob");
        bool found = dh_path_exists(core) && dh_path_is_dir(pages);
        char *real = found ? realpath(root, NULL) : NULL;
        if (real)
            w->root = dh_strdup(real);
        free(real); // allowed: realpath's own memory
        dh_free(root);
        dh_free(core);
        dh_free(pages);
        if (w->root)
            break;
    }
    struct stat st;
    if (!w->root) {
        fprintf(stderr,
                "deskhand eval: %s: no core/core.js beside a folder miniwob "
                "there; is it a copy of miniwob-plusplus?\n",
                dir);
        return false;
    }
    if (stat(w->root, &st) || (st.st_mode & 05) != 05) {
        fprintf(stderr,
                "deskhand eval: %s: the browser runs as another user, who may "
                "not read it (chmod -R o+rX)\n",
                w->root);
        return false;
    }
    w->folder = "miniwob";
    return true;
}

static bool is_in(struct dh_str list, const char *name)
{
    while (list.n) {
        char pattern[256];
        size_t n = 0;
        while (n < list.n && !strchr(",\n\r \t", list.p[n]))
            n++;
        if (n && n < sizeof pattern) {
            memcpy(pattern, list.p, n);
            pattern[n] = 0;
            if (pattern[0] != '#' && fnmatch(pattern, name, 0) == 0)
                return true;
        }
        list = dh_str_sub(list, DH_MIN(n + 1, list.n), list.n);
    }
    return false;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool find_pages(struct web *w)
{
    char *from_file = NULL;
    const char *list = w->o.tasks ? w->o.tasks : "*";
    size_t len = strlen(list);
    if (*list == '@' && dh_file_read(list + 1, MAX_LIST, &from_file, &len))
        return false;
    struct dh_str wanted = { from_file ? from_file : list, len };
    struct dirent **e = NULL;
    char *dir = dh_path_join(w->root, w->folder);
    int n = scandir(dir, &e, NULL, by_name);
    dh_array(w->page, (size_t)DH_MAX(n, 1));
    for (int i = 0; i < n; i++) {
        struct dh_str name = dh_str_of(e[i]->d_name);
        if (dh_str_ends(name, ".html")) {
            char *path = dh_path_join(dir, e[i]->d_name);
            e[i]->d_name[name.n - 5] = 0;
            if (is_in(wanted, e[i]->d_name)) {
                w->page[w->n_pages++] = dh_strdup(e[i]->d_name);
                dh_tasks_add_file(&w->run, path);
            }
            dh_free(path);
        }
        free(e[i]); // allowed: scandir's own memory
    }
    free(e); // allowed: scandir's own memory
    dh_free(dir);
    dir = dh_path_join(w->root, "core/core.js");
    dh_tasks_add_file(&w->run, dir);
    dh_free(dir);
    dh_big_free(from_file);
    if (!w->n_pages)
        fprintf(stderr, "deskhand eval: no page in %s/%s is among --tasks\n",
                w->root, w->folder);
    return w->n_pages > 0;
}

// A solution names its page in quotes.
static bool is_solved(const struct web *w, const char *page)
{
    char name[300];
    snprintf(name, sizeof name, "'%s'", page);
    return w->script && strstr(w->script, name) != NULL;
}

static void make_items(struct web *w)
{
    struct dh_tasks *t = &w->run;
    int unsolved = 0;
    size_t n = (size_t)w->n_pages * (size_t)w->o.seeds;
    dh_array(t->item, n);
    // Seed by seed, so that a run that is cut short has seen all pages.
    for (size_t i = 0; i < n; i++) {
        const char *page = w->page[i % (size_t)w->n_pages];
        int seed = w->o.first_seed + (int)(i / (size_t)w->n_pages);
        char id[300];
        snprintf(id, sizeof id, "%s.%d", page, seed);
        struct dh_tasks_item *it = &t->item[t->n++];
        it->task.id = dh_strdup(id);
        it->task.domain = dh_strdup(page);
        it->task.level = dh_strdup("");
        it->unsolved = !is_solved(w, page);
        unsolved += it->unsolved && i < (size_t)w->n_pages;
        it->web = (struct dh_web_case){ .page = page,
                                        .root = w->root,
                                        .folder = w->folder,
                                        .solutions = w->solutions,
                                        .seed = seed,
                                        .scale = w->o.scale,
                                        .timed = w->o.time_limit };
    }
    if (t->o.oracle && unsolved)
        fprintf(t->app.json ? stderr : stdout,
                "%d of %d pages have no solution here and are not played\n",
                unsolved, w->n_pages);
}

// ---- --check ----

static void say(struct web *w, const char *page, const char *why,
                const struct dh_web_page *p)
{
    if (!w->run.app.json) {
        printf("%-11s  %-30s ", why ? "unsupported" : "ok", page);
        dh_app_print(stdout, why ? why : p->text);
        puts("");
        fflush(stdout);
        return;
    }
    struct dh_json_writer j;
    struct dh_buf b;
    dh_buf_init(&b, 1 << 16);
    dh_jw_init(&j, &b);
    dh_jw_object(&j, NULL);
    dh_jw_text(&j, "page", page);
    dh_jw_bool(&j, "supported", !why);
    if (why)
        dh_jw_text(&j, "why", why);
    else
        dh_jw_text(&j, "instruction", p->text);
    dh_jw_bool(&j, "solution", is_solved(w, page));
    if (!why)
        dh_jw_double(&j, "limit_s", p->limit_s);
    dh_jw_end_object(&j);
    puts(dh_buf_text(&b));
    fflush(stdout);
    dh_buf_finish(&b);
}

// Pages one after the other in one browser, and in a new one after a bad page.
static int check_from(struct web *w, int i, int *bad)
{
    struct dh_task_desk desk;
    struct dh_web_page page = { 0 };
    struct dh_task_desk_options o = { .screen = w->run.screen,
                                      .shown = w->root };
    enum dh_status st = dh_task_desk_open(&desk, &o);
    if (!st)
        st = dh_web_open(&page, &desk, w->run.screen, w->o.scale,
                         dh_now_ns() + 60 * DH_S);
    if (st) {
        fprintf(stderr, "deskhand eval: %s\n",
                desk.why ? desk.why : dh_status_name(st));
        i = -1;
    }
    while (!st && i < w->n_pages && !dh_cancel_is_set(dh_app_cancel())) {
        struct dh_buf file;
        dh_buf_init(&file, DH_WEB_TEXT);
        dh_buf_printf(&file, "%s/%s.html", w->folder, w->page[i]);
        st = dh_web_start(
            &page, dh_buf_text(&file), w->o.first_seed, w->o.time_limit,
            dh_now_ns() + DH_MIN(DH_WEB_READY, w->run.o.setup_seconds * DH_S));
        say(w, w->page[i],
            !st             ? NULL
            : page.pipe.why ? page.pipe.why
                            : dh_status_name(st),
            &page);
        *bad += st != DH_OK;
        dh_buf_finish(&file);
        i++;
    }
    dh_web_close(&page);
    dh_task_desk_close(&desk);
    return i;
}

static int check(struct web *w)
{
    int bad = 0, i = 0;
    while (i >= 0 && i < w->n_pages && !dh_cancel_is_set(dh_app_cancel()))
        i = check_from(w, i, &bad);
    if (dh_cancel_is_set(dh_app_cancel()))
        return DH_EXIT_STOPPED;
    if (i < 0)
        return DH_EXIT_FAILED;
    if (!w->run.app.json)
        printf("%d pages, %d unsupported\n", w->n_pages, bad);
    return DH_EXIT_OK;
}

// ---- the command ----

static void finish(struct web *w)
{
    for (int i = 0; i < w->n_pages; i++)
        dh_free(w->page[i]);
    dh_tasks_finish(&w->run);
    dh_free(w->page);
    dh_free(w->root);
    dh_free(w->solutions);
    dh_big_free(w->script);
    dh_buf_finish(&w->counts);
}

static int run_web(struct web *w, const char *dir)
{
    size_t len;
    w->solutions = dh_app_asset("web/solve.js");
    if (!find_root(w, dir) || !find_pages(w) ||
        dh_file_read(w->solutions, MAX_LIST, &w->script, &len))
        return DH_EXIT_FAILED;
    if (w->o.check)
        return check(w);
    if ((size_t)w->n_pages * (size_t)w->o.seeds > DH_TASKS_MAX) {
        fprintf(stderr, "deskhand eval: more than %d pages and seeds\n",
                DH_TASKS_MAX);
        return DH_EXIT_FAILED;
    }
    make_items(w);
    dh_buf_printf(&w->counts,
                  ",\"pages\":%d,\"seeds\":%d,\"first_seed\":%d,\"scale\":%d,"
                  "\"time_limit\":\"%s\"",
                  w->n_pages, w->o.seeds, w->o.first_seed, w->o.scale,
                  w->o.time_limit ? "kept" : "lifted");
    w->run.counts = dh_buf_text(&w->counts);
    if (!w->run.app.json)
        printf("%d pages, seeds %d to %d, the limit of time is %s; solved is "
               "a raw reward above 0\n",
               w->n_pages, w->o.first_seed, w->o.first_seed + w->o.seeds - 1,
               w->o.time_limit ? "kept" : "lifted");
    return dh_tasks_run(&w->run);
}

static int run(int argc, char **argv)
{
    struct web w = { .o = { .seeds = 5, .first_seed = 1, .scale = 2 },
                     .run = { .o = DH_TASKS_DEFAULTS,
                              .app = DH_APP_DEFAULTS,
                              .set = "miniwob",
                              .domain = "page",
                              .up = "page" } };
    struct dh_tasks *t = &w.run;
    struct dh_opt_set sets[] = { { web_opts, &w.o },
                                 { dh_tasks_opts, &t->o },
                                 { dh_model_opt_table, &t->model },
                                 { dh_app_opts, &t->app },
                                 { 0 } };
    int n, status;
    dh_buf_init(&t->command, 1 << 16);
    dh_buf_init(&w.counts, 1000);
    dh_eval_report_command(&t->command, "eval miniwob", argc, argv);
    if (!dh_app_parse(&dh_cmd_eval_miniwob, sets, &t->app, argc, argv, &n,
                      &status)) {
        finish(&w);
        return status;
    }
    t->agent[0] = (struct dh_opt_set){ dh_model_opt_table, &t->model };
    t->name = dh_tasks_model(t);
    dh_time_text(dh_realtime_ns(), t->started);
    dh_app_cancel();
    if (!dh_tasks_screen(t) || t->screen.w < DH_WEB_WIDTH * w.o.scale ||
        t->screen.h < DH_WEB_HEIGHT * w.o.scale)
        status = dh_app_usage(&dh_cmd_eval_miniwob,
                              "--screen is a size such as 1280x800, at least "
                              "160x210 times --scale");
    else
        status = n == 1 ? run_web(&w, argv[1])
                        : dh_app_usage(&dh_cmd_eval_miniwob,
                                       "one folder with MiniWoB++'s pages is "
                                       "expected");
    finish(&w);
    return status;
}

const struct dh_command dh_cmd_eval_miniwob = {
    "eval miniwob",
    "DIR",
    "Let a model do MiniWoB++'s pages in a real Chromium",
    "  deskhand eval miniwob --check DIR            which pages work here?\n"
    "  deskhand eval miniwob --noop --oracle DIR    is the harness right?\n"
    "  deskhand eval miniwob --tasks 'click-*' --seeds 25 --model URL DIR\n"
    "\n"
    "DIR is a copy of miniwob-plusplus, which you bring; its pages are shown\n"
    "read-only to a browser that fills a screen of its own, in a room without\n"
    "a network as `eval tasks` has it. The question on the page is the task;\n"
    "what is done is done by mouse and keyboard. The page's first reward\n"
    "counts, whatever comes after it, and ends the try. Solved is a raw "
    "reward\n"
    "above 0; results.jsonl has the raw reward and the one that shrinks with\n"
    "time. Pages that do not start are left out and counted, never scored 0.\n"
    "`deskhand eval score OUT --json` has a row for each page.",
    { web_opts, dh_tasks_opts, dh_model_opt_table, dh_app_opts },
    run,
};
