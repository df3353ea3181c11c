#include <dirent.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "tools/task_run.h"

struct tasks_options {
    bool check;
};

static const struct dh_opt tasks_opts[] = {
    { "check", 0, DH_OPT_BOOL, offsetof(struct tasks_options, check), NULL,
      "Read the tasks, show the commands that they would run, run none", 0, 0,
      NULL },
    { 0 },
};

struct tasks {
    struct tasks_options o;
    struct dh_tasks run;
};

// ---- the tasks ----

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

// OSWorld keeps a folder for each domain.
static void add_folder(struct tasks *t, const char *dir, int depth)
{
    struct dirent **e = NULL;
    int n = scandir(dir, &e, NULL, by_name);
    for (int i = 0; i < n; i++) {
        char *path = dh_path_join(dir, e[i]->d_name);
        if (e[i]->d_name[0] != '.' && depth < 4 && dh_path_is_dir(path))
            add_folder(t, path, depth + 1);
        else if (dh_str_ends(dh_str_of(e[i]->d_name), ".json") &&
                 strncmp(e[i]->d_name, "test_", 5) != 0)
            dh_tasks_add_file(&t->run, path);
        dh_free(path);
        free(e[i]); // allowed: scandir's own memory
    }
    free(e); // allowed: scandir's own memory
}

static bool is_known(const struct tasks *t, const char *id)
{
    for (int i = 0; i < t->run.n; i++)
        if (strcmp(t->run.item[i].task.id, id) == 0)
            return true;
    return false;
}

static void say(struct tasks *t, const char *path, const char *what,
                const char *why)
{
    FILE *to = t->run.app.json ? stderr : stdout;
    fprintf(to, "%s  ", what);
    dh_app_print(to, path);
    fputs(": ", to);
    dh_app_print(to, why);
    fputc('\n', to);
}

static void read_tasks(struct tasks *t)
{
    struct dh_task_options o = { t->run.screen, (uint64_t)t->run.model.seed };
    dh_array(t->run.item, (size_t)t->run.n_files);
    for (int i = 0; i < t->run.n_files; i++) {
        struct dh_diag diag = { 0 };
        struct dh_task task;
        if (dh_task_read(&task, t->run.file[i], &o, &diag)) {
            say(t, t->run.file[i], "not a task", diag.text);
            t->run.n_bad++;
        } else if (task.unsupported) {
            say(t, t->run.file[i], "unsupported", task.unsupported);
            t->run.n_unsupported++;
            dh_task_finish(&task);
        } else if (is_known(t, task.id)) {
            say(t, t->run.file[i], "not a task", "another one has its id");
            t->run.n_bad++;
            dh_task_finish(&task);
        } else {
            t->run.item[t->run.n++] =
                (struct dh_tasks_item){ .task = task, .path = t->run.file[i] };
        }
    }
}

static bool find_tasks(struct tasks *t, char **operand, int n)
{
    char *own = dh_app_asset("tasks");
    for (int i = 0; i < DH_MAX(n, 1); i++) {
        const char *path = n ? operand[i] : own;
        if (!path || !dh_path_exists(path)) {
            fprintf(stderr, "deskhand eval: no such folder or file: %s\n",
                    path ? path : "tasks");
            dh_free(own);
            return false;
        }
        if (dh_path_is_dir(path))
            add_folder(t, path, 0);
        else
            dh_tasks_add_file(&t->run, path);
    }
    dh_free(own);
    read_tasks(t);
    return true;
}

static int print_check(struct tasks *t)
{
    struct dh_buf out;
    struct dh_json_writer w;
    for (int i = 0; i < t->run.n; i++) {
        const struct dh_task *task = &t->run.item[i].task;
        dh_buf_init(&out, 8 << 20);
        if (t->run.app.json) {
            struct dh_buf commands;
            dh_buf_init(&commands, 4 << 20);
            dh_task_commands(task, &commands);
            dh_jw_init(&w, &out);
            dh_jw_object(&w, NULL);
            dh_jw_text(&w, "id", task->id);
            dh_jw_text(&w, "domain", task->domain);
            dh_jw_text(&w, "instruction", task->instruction);
            dh_jw_bool(&w, "feasible", !task->infeasible);
            dh_jw_text(&w, "commands", dh_buf_text(&commands));
            dh_jw_end_object(&w);
            puts(dh_buf_text(&out));
            dh_buf_finish(&commands);
        } else {
            printf("== %s\n", task->id);
            dh_app_print(stdout, task->instruction);
            puts("");
            dh_task_commands(task, &out);
            // Line by line, since a line end is one of the things it hides.
            for (char *at = out.data, *line; (line = strsep(&at, "\n"));) {
                if (!*line)
                    continue;
                fputs("    ", stdout);
                dh_app_print(stdout, line);
                puts("");
            }
        }
        dh_buf_finish(&out);
    }
    if (!t->run.app.json)
        printf("%d tasks, %d unsupported, %d that are none\n", t->run.n,
               t->run.n_unsupported, t->run.n_bad);
    return t->run.n_bad ? DH_EXIT_FAILED : DH_EXIT_OK;
}

// ---- the command ----

static int run(int argc, char **argv)
{
    struct tasks t = { .run = { .o = DH_TASKS_DEFAULTS,
                                .app = DH_APP_DEFAULTS,
                                .domain = "domain",
                                .up = "desktop" } };
    struct dh_opt_set sets[] = { { tasks_opts, &t.o },
                                 { dh_tasks_opts, &t.run.o },
                                 { dh_model_opt_table, &t.run.model },
                                 { dh_app_opts, &t.run.app },
                                 { 0 } };
    int n, status;
    dh_buf_init(&t.run.command, 1 << 16);
    dh_eval_report_command(&t.run.command, "eval tasks", argc, argv);
    if (!dh_app_parse(&dh_cmd_eval_tasks, sets, &t.run.app, argc, argv, &n,
                      &status)) {
        dh_tasks_finish(&t.run);
        return status;
    }
    t.run.agent[0] = (struct dh_opt_set){ dh_model_opt_table, &t.run.model };
    t.run.name = dh_tasks_model(&t.run);
    t.run.set = n ? "tasks" : "deskhand-tasks";
    dh_time_text(dh_realtime_ns(), t.run.started);
    dh_app_cancel();
    if (!dh_tasks_screen(&t.run))
        status = dh_app_usage(&dh_cmd_eval_tasks,
                              "--screen is a size such as 1280x800");
    else if (!find_tasks(&t, argv + 1, n))
        status = DH_EXIT_FAILED;
    else
        status = t.o.check ? print_check(&t) : dh_tasks_run(&t.run);
    dh_tasks_finish(&t.run);
    return status;
}

const struct dh_command dh_cmd_eval_tasks = {
    "eval tasks",
    "[DIR|FILE...]",
    "Let a model do live tasks, each on a desktop of its own",
    "  deskhand eval tasks --noop --oracle     are the tasks any good?\n"
    "  deskhand eval tasks --jobs 2            the tasks that come along\n"
    "  deskhand eval tasks --model URL --trials 3 OSWorld/examples/os\n"
    "\n"
    "Reads OSWorld's task files, in a subset; others are listed as\n"
    "unsupported and never scored. Each task has an X server, a window "
    "manager,\n"
    "a bus and an empty home of its own, in namespaces without a network, "
    "with\n"
    "limits on memory, processes, files and time. Its commands run nowhere\n"
    "else: your own display is never touched, and where the kernel allows no\n"
    "such room nothing is run. OUT holds results.jsonl, run.json and a "
    "session\n"
    "folder for each try; `deskhand eval score OUT` counts again.",
    { tasks_opts, dh_tasks_opts, dh_model_opt_table, dh_app_opts },
    run,
};
