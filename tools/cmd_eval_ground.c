#include <dirent.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/brain.h"
#include "agent/brain_answers.h"
#include "agent/endpoint.h"
#include "agent/eval_ground.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "tools/app.h"
#include "tools/eval_report.h"

#define MAX_BRAINS       256
#define HASHED_MAX_BYTES ((off_t)256 << 20)

struct ground_options {
    const char *format, *out, *resume, *answers, *coord;
    int limit, sample, jobs, cluster;
    bool zoom, check;
    struct dh_opt_list models, endpoints;
};

static const char *const clusters[] = { "item", "image", NULL };

static const struct dh_opt ground_opts[] = {
    { "format", 'f', DH_OPT_TEXT, offsetof(struct ground_options, format),
      "NAME",
      "Form of the set: deskhand (default), screenspot, screenspot-v2, "
      "screenspot-pro, screenspot-pro-cn, osworld-g, osworld-g-refined, "
      "ui-vision, mmbench-gui, agentnetbench, session",
      0, 0, NULL },
    { "out", 'o', DH_OPT_TEXT, offsetof(struct ground_options, out), "DIR",
      "New folder for answers, numbers and a page (default: one beside what is "
      "kept from run to run)",
      0, 0, NULL },
    { "resume", 0, DH_OPT_TEXT, offsetof(struct ground_options, resume), "DIR",
      "Go on with the run in this folder", 0, 0, NULL },
    { "zoom", 0, DH_OPT_BOOL, offsetof(struct ground_options, zoom), NULL,
      "Also ask a second time on a crop, as a method with rows of its own", 0,
      0, NULL },
    { "limit", 0, DH_OPT_INT, offsetof(struct ground_options, limit), "N",
      "Only the first N items", 1, 1e9, NULL },
    { "sample", 0, DH_OPT_INT, offsetof(struct ground_options, sample), "N",
      "Only N items, drawn by --seed", 1, 1e9, NULL },
    { "jobs", 'j', DH_OPT_INT, offsetof(struct ground_options, jobs), "N",
      "Questions at once for each --model (default: 1)", 1, 64, NULL },
    { "cluster", 0, DH_OPT_ENUM, offsetof(struct ground_options, cluster),
      "WHAT", "What intervals draw again, as items of a picture are alike", 0,
      0, clusters },
    { "check", 0, DH_OPT_BOOL, offsetof(struct ground_options, check), NULL,
      "Read the set, tell what is in it and what is wrong, ask nobody", 0, 0,
      NULL },
    { "answers", 0, DH_OPT_TEXT, offsetof(struct ground_options, answers),
      "FILE",
      "Take answers from JSON lines {\"id\":..., \"raw\":...} in place of a "
      "model",
      0, 0, NULL },
    { "coord", 0, DH_OPT_TEXT, offsetof(struct ground_options, coord), "NAME",
      "What the numbers of --answers mean: norm1000 (default), norm1, "
      "pixels-sent, pixels-resized28, pixels-screen",
      0, 0, NULL },
    { 0 },
};

// These two may be given more than once here; their help is that of the shared
// table.
static const struct dh_opt many_opts[] = {
    { "model", 'm', DH_OPT_LIST, offsetof(struct ground_options, models),
      "DIR|URL", "", 0, 0, NULL },
    { "endpoint", 0, DH_OPT_LIST, offsetof(struct ground_options, endpoints),
      "NAME", "", 0, 0, NULL },
    { 0 },
};

struct ground {
    const struct dh_command *cmd;
    struct ground_options o;
    struct dh_model_opts model;
    struct dh_app_options app;
    const char *path;
    char *dir;  // of the results
    char *name; // of the model
    struct dh_eval_set *set;
    struct dh_brain *brain[MAX_BRAINS];
    int n_brains;
    struct dh_buf command, sampling, hash;
    char started[32];
};

// ---- the set ---------------------------------------------------------------

static void put_faults(const struct dh_eval_set *s, struct dh_json_writer *w)
{
    for (int f = 0; f < DH_EVAL_FAULT_COUNT; f++)
        if (s->fault[f])
            dh_jw_i64(w, dh_eval_fault_name((enum dh_eval_fault)f),
                      s->fault[f]);
}

static void tell_faults(const struct dh_eval_set *s)
{
    for (int f = 0; f < DH_EVAL_FAULT_COUNT; f++)
        if (s->fault[f])
            fprintf(stderr, "deskhand eval: %d %s\n", s->fault[f],
                    dh_eval_fault_name((enum dh_eval_fault)f));
    for (int i = 0; i < s->n_notes; i++) {
        fputs("  ", stderr);
        dh_app_print(stderr, s->note[i]);
        fputc('\n', stderr);
    }
    if (s->published && s->n != s->published)
        fprintf(stderr, "deskhand eval: %d items, where %s has %d\n", s->n,
                s->format, s->published);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// Each tag and how many items have it.
static void count_tags(const struct dh_eval_set *s, struct dh_json_writer *w)
{
    const char **tag;
    int n = 0, cap = 0;
    for (int i = 0; i < s->n; i++)
        cap += s->item[i].tags.n;
    dh_array(tag, (size_t)cap);
    for (int i = 0; i < s->n; i++)
        for (int j = 0; j < s->item[i].tags.n; j++)
            tag[n++] = s->item[i].tags.tag[j];
    if (n)
        qsort(tag, (size_t)n, sizeof *tag, by_text);
    for (int from = 0, to; from < n; from = to) {
        for (to = from; to < n && strcmp(tag[to], tag[from]) == 0; to++)
            ;
        if (w) {
            dh_jw_i64(w, tag[from], to - from);
            continue;
        }
        printf("%6d  ", to - from);
        dh_app_print(stdout, tag[from]);
        putchar('\n');
    }
    dh_free(tag);
}

static void print_check(const struct dh_eval_set *s, bool json)
{
    struct dh_buf out;
    struct dh_json_writer w;
    if (!json) {
        printf("%6d  items\n", s->n);
        count_tags(s, NULL);
        return;
    }
    dh_buf_init(&out, 16 << 20);
    dh_jw_init(&w, &out);
    dh_jw_object(&w, NULL);
    dh_jw_text(&w, "format", s->format);
    dh_jw_i64(&w, "items", s->n);
    dh_jw_object(&w, "tags");
    count_tags(s, &w);
    dh_jw_end_object(&w);
    dh_jw_object(&w, "faults");
    put_faults(s, &w);
    dh_jw_end_object(&w);
    dh_jw_end_object(&w);
    puts(dh_buf_text(&out));
    dh_buf_finish(&out);
}

static enum dh_status open_set(struct ground *g)
{
    struct dh_diag diag = { 0 };
    enum dh_status st = dh_eval_set_open(&g->set, g->o.format, g->path, &diag);
    if (st) {
        fputs("deskhand eval: ", stderr);
        dh_app_print(stderr, diag.text);
        fputc('\n', stderr);
        return st;
    }
    tell_faults(g->set);
    if (g->o.sample)
        dh_eval_set_sample(g->set, g->o.sample, (uint64_t)g->model.seed);
    dh_eval_set_first(g->set, g->o.limit);
    dh_eval_set_by_picture(g->set);
    return DH_OK;
}

// ---- who is asked ----------------------------------------------------------

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static const char *name_of(const struct ground *g, const struct dh_brain *b,
                           const struct dh_model_opts *m)
{
    const struct dh_endpoint *e = dh_brain_get_endpoint(b);
    if (g->model.model_name)
        return g->model.model_name;
    if (g->o.answers)
        return last_part(g->o.answers);
    if (e)
        return e->s.model ? e->s.model : e->name;
    return m->model ? last_part(m->model) : "sprout";
}

// Another thread for the same model.
static enum dh_status add_brain(struct ground *g, struct dh_model_opts *m,
                                struct dh_brain *first)
{
    struct dh_brain **b = &g->brain[g->n_brains];
    struct dh_brain_options o = { .context = m->context,
                                  .seed = (uint64_t)m->seed,
                                  .max_pixels = (int64_t)m->max_pixels,
                                  .draft = dh_app_draft(m),
                                  .cancel = dh_app_cancel() };
    enum dh_status st;
    if (g->n_brains == MAX_BRAINS)
        return DH_OK;
    if (g->o.answers)
        st = dh_brain_answers_create(b, g->o.answers);
    else if (first && !dh_brain_get_endpoint(first))
        st = dh_brain_join(b, first, &o);
    else
        st = dh_app_brain(b, m);
    if (st)
        return st;
    g->n_brains++;
    const char *name = name_of(g, *b, m);
    if (!g->name)
        g->name = dh_strdup(name);
    if (strcmp(g->name, name) != 0) {
        fprintf(stderr,
                "deskhand eval: %s and %s are different models; measure one "
                "after the other and compare\n",
                g->name, name);
        return DH_ERR_USAGE;
    }
    return DH_OK;
}

static enum dh_status add_server(struct ground *g, int i)
{
    const struct dh_opt_list *m = &g->o.models, *e = &g->o.endpoints;
    struct dh_model_opts one = g->model;
    enum dh_status st = DH_OK;
    int first = g->n_brains;
    one.strict = true;
    one.model = i < m->n ? m->item[i] : NULL;
    one.endpoint = e->n == 1 ? e->item[0] : i < e->n ? e->item[i] : NULL;
    for (int j = 0; j < DH_MAX(g->o.jobs, 1) && !st; j++)
        st = add_brain(g, &one, j ? g->brain[first] : NULL);
    return st;
}

static enum dh_status open_brains(struct ground *g)
{
    int n = DH_MAX(1, DH_MAX(g->o.models.n, g->o.endpoints.n));
    enum dh_status st = DH_OK;
    for (int i = 0; i < n && !st; i++)
        st = add_server(g, i);
    return st;
}

// ---- run.json --------------------------------------------------------------

static int is_weights(const struct dirent *e)
{
    const char *dot = strrchr(e->d_name, '.');
    return dot &&
           (strcmp(dot, ".safetensors") == 0 || strcmp(dot, ".json") == 0);
}

// A name for the checkpoint: its files' names, sizes and, but for those of
// hundreds of gigabytes, contents.
static enum dh_status hash_model(struct ground *g)
{
    char *embedded = dh_app_asset("models/sprout"), hash[65];
    const char *dir = g->o.models.n ? g->o.models.item[0] : embedded;
    struct dirent **e = NULL;
    struct dh_sha256 all;
    enum dh_status st = DH_OK;
    dh_sha256_init(&all);
    int n = scandir(dir, &e, is_weights, alphasort);
    for (int i = 0; i < n; i++) {
        char *path = dh_path_join(dir, e[i]->d_name), line[128];
        struct stat s = { 0 };
        hash[0] = '\0';
        if (!st && stat(path, &s) == 0 && s.st_size <= HASHED_MAX_BYTES)
            st = dh_sha256_file(path, hash);
        int len = snprintf(line, sizeof line, " %lld %s\n",
                           (long long)s.st_size, hash);
        dh_sha256_put(&all, e[i]->d_name, strlen(e[i]->d_name));
        dh_sha256_put(&all, line, (size_t)len);
        dh_free(path);
        free(e[i]);
    }
    free(e);
    dh_sha256_text(&all, hash);
    if (n > 0)
        dh_buf_puts(&g->hash, hash);
    dh_free(embedded);
    return st;
}

static void describe_sampling(struct ground *g)
{
    const struct dh_profile *p = dh_brain_get_profile(g->brain[0]);
    const struct dh_endpoint *e = dh_brain_get_endpoint(g->brain[0]);
    struct dh_json_writer w;
    dh_jw_init(&w, &g->sampling);
    dh_jw_object(&w, NULL);
    dh_jw_double(&w, "temperature",
                 e ? e->s.temperature : (double)p->sampling.temperature);
    dh_jw_double(&w, "top_p", e ? e->s.top_p : (double)p->sampling.top_p);
    if (!e)
        dh_jw_i64(&w, "top_k", p->sampling.top_k);
    dh_jw_i64(&w, "seed", g->model.seed);
    dh_jw_text(&w, "thinking", dh_thinking_names[g->model.thinking]);
    dh_jw_bool(&w, "constrained", !e && p->constrain);
    dh_jw_end_object(&w);
}

static void put_counts(const struct ground *g, const struct dh_eval_ground *run,
                       struct dh_buf *out)
{
    struct dh_json_writer w;
    dh_jw_init(&w, out);
    dh_jw_object(&w, NULL);
    dh_jw_i64(&w, "items", g->set->n);
    dh_jw_i64(&w, "asked", run->asked);
    dh_jw_i64(&w, "kept", run->kept);
    dh_jw_i64(&w, "lost", run->lost);
    put_faults(g->set, &w);
    dh_jw_double(&w, "model_s", run->model_s);
    dh_jw_double(&w, "other_s", run->other_s);
    dh_jw_end_object(&w);
}

static enum dh_status write_run(struct ground *g,
                                const struct dh_eval_ground *run, bool ended)
{
    const struct dh_endpoint *e = dh_brain_get_endpoint(g->brain[0]);
    struct dh_buf counts;
    char now[32];
    dh_buf_init(&counts, 1 << 20);
    put_counts(g, run, &counts);
    dh_time_text(dh_realtime_ns(), now);
    struct dh_eval_run r = { .command = dh_buf_text(&g->command),
                             .set = g->set->format,
                             .path = g->path,
                             .pictures = g->set->dir,
                             .model = g->name,
                             .endpoint = e ? e->base : NULL,
                             .model_hash = dh_buf_text(&g->hash),
                             .sampling = dh_buf_text(&g->sampling),
                             .data = (const char *const *)g->set->file,
                             .n_data = g->set->n_files,
                             .started = g->started,
                             .ended = ended ? now : NULL,
                             .counts = dh_buf_text(&counts) };
    enum dh_status st = dh_eval_run_write(g->dir, &r);
    dh_buf_finish(&counts);
    return st;
}

// ---- the run ---------------------------------------------------------------

static void on_item(void *user, int done, int total)
{
    (void)user;
    if (done == total)
        fputs("\r                    \r", stderr);
    else if (done % 10 == 0)
        fprintf(stderr, "\r%d of %d ", done, total);
}

static void tell_cost(const struct dh_eval_ground *run, double seconds)
{
    double all = run->model_s + run->other_s;
    fprintf(stderr,
            "%d items asked, %d had been before, in %.2f s; all but the model "
            "took %.2f s of the threads' %.2f s, %.2f %%\n",
            run->asked, run->kept, seconds, run->other_s, all,
            all > 0 ? 100 * run->other_s / all : 0);
}

static enum dh_status ask_all(struct ground *g,
                              const struct dh_eval_results *rs)
{
    struct dh_eval_ground run = { .set = g->set,
                                  .brain = g->brain,
                                  .n_brains = g->n_brains,
                                  .model = g->name,
                                  .zoom = g->o.zoom,
                                  .seed = (uint64_t)g->model.seed,
                                  .before = rs,
                                  .cancel = dh_app_cancel(),
                                  .on_item =
                                      isatty(STDERR_FILENO) ? on_item : NULL };
    if (g->o.coord && !dh_coord_of_name(g->o.coord, &run.coord)) {
        fprintf(stderr, "deskhand eval: there is no --coord=%s\n", g->o.coord);
        return DH_ERR_USAGE;
    }
    enum dh_status st = write_run(g, &run, false);
    if (!st)
        st = dh_eval_log_open(&run.log, g->dir);
    if (st)
        return st;
    int64_t start = dh_now_ns();
    st = dh_eval_ground_run(&run);
    dh_eval_log_close(run.log);
    tell_cost(&run, dh_seconds_since(start));
    if (run.lost)
        fprintf(stderr,
                "deskhand eval: %d items were not asked; go on with --resume "
                "%s\n",
                run.lost, g->dir);
    enum dh_status wrote = write_run(g, &run, true);
    return st ? st : wrote;
}

static enum dh_status make_dir(struct ground *g)
{
    struct dh_buf path;
    char now[32];
    if (g->o.resume || g->o.out) {
        g->dir = dh_strdup(g->o.resume ? g->o.resume : g->o.out);
    } else {
        dh_buf_init(&path, 8192);
        dh_app_state_dir(&path);
        dh_time_text(dh_realtime_ns(), now);
        dh_buf_printf(&path, "/eval/%s-%s", g->set->format, now);
        g->dir = dh_buf_take(&path);
    }
    char *file = dh_path_join(g->dir, "results.jsonl");
    bool there = dh_path_exists(file);
    dh_free(file);
    if (there == (g->o.resume != NULL))
        return dh_path_mkdirs(g->dir);
    fprintf(stderr,
            there ? "deskhand eval: %s holds results; --resume goes on with "
                    "them\n"
                  : "deskhand eval: %s holds no results to go on with\n",
            g->dir);
    return DH_ERR_USAGE;
}

static enum dh_status measure(struct ground *g)
{
    struct dh_eval_results before = { 0 };
    struct dh_eval_score_options so = { .by_picture = g->o.cluster == 1,
                                        .seed = (uint64_t)g->model.seed };
    enum dh_status st = make_dir(g);
    if (!st)
        st = open_brains(g);
    if (!st && !dh_brain_get_endpoint(g->brain[0]) && !g->o.answers)
        st = hash_model(g);
    if (!st)
        st = dh_eval_results_read(&before, g->dir);
    if (st)
        return st;
    describe_sampling(g);
    st = ask_all(g, &before);
    dh_eval_results_finish(&before);
    // What there is, is told, however it ended.
    if (st != DH_ERR_USAGE) {
        enum dh_status told =
            dh_eval_report(g->dir, g->set->dir, &so, g->app.json);
        st = st ? st : told;
    }
    return st;
}

static void ground_finish(struct ground *g)
{
    for (int i = g->n_brains; i-- > 0;)
        dh_brain_destroy(g->brain[i]);
    dh_eval_set_close(g->set);
    dh_buf_finish(&g->command);
    dh_buf_finish(&g->sampling);
    dh_buf_finish(&g->hash);
    dh_free(g->dir);
    dh_free(g->name);
}

static int run_ground(struct ground *g)
{
    const struct ground_options *o = &g->o;
    if (o->resume && o->out)
        return dh_app_usage(g->cmd, "--resume and --out exclude each other");
    if (o->endpoints.n > 1 && o->models.n && o->models.n != o->endpoints.n)
        return dh_app_usage(g->cmd,
                            "as many --model as --endpoint are expected");
    if (o->coord && !o->answers)
        return dh_app_usage(g->cmd, "--coord is for --answers");
    enum dh_status st = open_set(g);
    if (!st && o->check)
        print_check(g->set, g->app.json);
    else if (!st)
        st = measure(g);
    return dh_app_exit(st);
}

static int run_as(const struct dh_command *cmd, const char *format, int argc,
                  char **argv)
{
    struct ground g = { .cmd = cmd,
                        .o = { .format = format },
                        .app = DH_APP_DEFAULTS };
    struct dh_opt_set sets[] = { { many_opts, &g.o },
                                 { ground_opts, &g.o },
                                 { dh_model_opt_table, &g.model },
                                 { dh_app_opts, &g.app },
                                 { 0 } };
    int n, status;
    dh_buf_init(&g.command, 1 << 20);
    dh_buf_init(&g.sampling, 1 << 20);
    dh_buf_init(&g.hash, 256);
    dh_eval_report_command(&g.command, cmd->name, argc, argv);
    dh_time_text(dh_realtime_ns(), g.started);
    if (dh_app_parse(cmd, sets, &g.app, argc, argv, &n, &status)) {
        g.path = argv[1];
        status = n == 1 ? run_ground(&g)
                        : dh_app_usage(cmd, "one folder or file of a set is "
                                            "expected");
    }
    ground_finish(&g);
    return status;
}

static int run_places(int argc, char **argv)
{
    return run_as(&dh_cmd_eval_ground, "deskhand", argc, argv);
}

static int run_steps(int argc, char **argv)
{
    return run_as(&dh_cmd_eval_steps, "agentnetbench", argc, argv);
}

const struct dh_command dh_cmd_eval_ground = {
    "eval ground",
    "DIR|FILE.json",
    "How often a model points at the right place",
    "Each answer is written down as it comes, and a run that was cut short "
    "goes\n"
    "on with --resume. --model and --endpoint may be given more than once, "
    "for\n"
    "servers of one model that share the work.\n"
    "The form deskhand is a list; pictures lie beside it:\n"
    "  "
    "[{\"img_filename\":\"a.png\",\"bbox\":[x,y,w,h],\"instruction\":\"Save\","
    "\n"
    "    \"data_type\":\"text\",\"data_source\":\"gtk3\"}]",
    { ground_opts, dh_model_opt_table, dh_app_opts },
    run_places,
};

const struct dh_command dh_cmd_eval_steps = {
    "eval steps",
    "DIR|FILE.json",
    "How often the next action is what a person did",
    "Reads AgentNetBench's form: task_id, high_level_task_description, and "
    "steps\n"
    "with image and ground_truth_actions. Each step is asked with the "
    "person's\n"
    "earlier ones told, and scored by that benchmark's rule: clicks by box or\n"
    "distance, texts by edit distance, keys as sets. The mean is over the\n"
    "person's actions; what a model does beyond them does not count.",
    { ground_opts, dh_model_opt_table, dh_app_opts },
    run_steps,
};
