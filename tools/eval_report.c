#include "tools/eval_report.h"

#include <stdio.h>
#include <string.h>

#include "agent/eval_judge.h"
#include "agent/eval_page.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "tools/app.h"
#include "tools/task_report.h"

#define MOST_ON_PAGE 50

void dh_eval_report_command(struct dh_buf *out, const char *name, int argc,
                            char **argv)
{
    dh_buf_printf(out, "deskhand %s", name);
    for (int i = 1; i < argc; i++)
        dh_buf_printf(out, strpbrk(argv[i], " \"'$\\") ? " '%s'" : " %s",
                      argv[i]);
}

enum dh_status dh_eval_report_read(struct dh_eval_results *out, const char *dir)
{
    enum dh_status st = dh_eval_results_read(out, dir);
    if (!st && !out->n) {
        fprintf(stderr, "deskhand eval: %s holds no results\n", dir);
        dh_eval_results_finish(out);
        return DH_ERR_NOTFOUND;
    }
    for (int i = 0; !st && i < out->n; i++)
        dh_eval_judge(&out->v[i]);
    return st;
}

char *dh_eval_report_pictures(const char *dir)
{
    char *path = dh_path_join(dir, "run.json"), *text, *found = NULL;
    struct dh_diag diag = { 0 };
    size_t len;
    if (dh_path_exists(path) && dh_file_read(path, 1 << 24, &text, &len) == 0) {
        struct dh_json *o = dh_json_parse(text, len, &diag);
        const struct dh_json *set = dh_json_find(o, "pictures");
        found = set ? dh_strdup(dh_json_text(set)) : NULL;
        dh_json_free(o);
        dh_big_free(text);
    }
    dh_free(path);
    return found;
}

static void print(const struct dh_eval_table *table, const char *doubts,
                  bool json)
{
    struct dh_buf out;
    dh_buf_init(&out, 64 << 20);
    if (json)
        dh_eval_table_json(table, &out);
    else
        dh_eval_table_text(table, &out);
    dh_app_print(stdout, dh_buf_text(&out));
    fflush(stdout);
    for (const char *at = doubts; *at;) {
        size_t n = strcspn(at, "\n");
        fprintf(stderr, "deskhand eval: doubtful: %.*s\n", (int)n, at);
        at += n + (at[n] == '\n');
    }
    dh_buf_finish(&out);
}

// Live tasks have a report of their own. In the table are a model's tries
// alone.
static bool report_tasks(struct dh_eval_results *rs, bool json)
{
    int n = 0;
    bool tasks = false;
    for (int i = 0; i < rs->n; i++)
        tasks |= dh_task_is_try(&rs->v[i]) || dh_task_is_proof(&rs->v[i]);
    if (tasks)
        dh_task_report(rs, json);
    for (int i = 0; i < rs->n; i++)
        if (dh_task_is_proof(&rs->v[i]))
            dh_eval_result_finish(&rs->v[i]);
        else
            rs->v[n++] = rs->v[i];
    rs->n = n;
    return tasks;
}

enum dh_status dh_eval_report(const char *dir, const char *pictures,
                              const struct dh_eval_score_options *o, bool json)
{
    struct dh_eval_results rs;
    struct dh_eval_table table;
    struct dh_buf doubts;
    enum dh_status st = dh_eval_report_read(&rs, dir);
    if (st)
        return st;
    bool tasks = report_tasks(&rs, json);
    if (tasks && (json || !rs.n)) {
        dh_eval_results_finish(&rs);
        return DH_OK;
    }
    char *from = pictures ? dh_strdup(pictures) : dh_eval_report_pictures(dir);
    dh_buf_init(&doubts, 1 << 20);
    dh_eval_score(&table, &rs, o);
    dh_eval_doubts(&rs, &doubts);
    print(&table, dh_buf_text(&doubts), json);
    st = dh_eval_page_write(dir, from ? from : dir, &rs, &table,
                            dh_buf_text(&doubts), MOST_ON_PAGE);
    if (!st && !json)
        printf("%s/index.html has the misses, worst first\n", dir);
    dh_free(from);
    dh_buf_finish(&doubts);
    dh_eval_table_finish(&table);
    dh_eval_results_finish(&rs);
    return st;
}
