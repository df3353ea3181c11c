#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "tools/app.h"

// A line here, and one in cmds.h, is all that a new one needs.
static const struct dh_command *const kinds[] = {
    &dh_cmd_eval_ground, &dh_cmd_eval_steps,
    &dh_cmd_eval_tasks,  &dh_cmd_eval_miniwob,
    &dh_cmd_eval_score,  &dh_cmd_eval_compare,
    &dh_cmd_eval_view,   NULL,
};

static int run(int argc, char **argv)
{
    struct dh_app_options app = DH_APP_DEFAULTS;
    struct dh_opt_set sets[] = { { dh_app_opts, &app }, { 0 } };
    int n, status;
    for (int i = 0; argc > 1 && kinds[i]; i++)
        if (strcmp(argv[1], strchr(kinds[i]->name, ' ') + 1) == 0)
            return kinds[i]->run(argc - 1, argv + 1);
    if (!dh_app_parse(&dh_cmd_eval, sets, &app, argc, argv, &n, &status))
        return status;
    return dh_app_usage(&dh_cmd_eval, "what to evaluate is expected");
}

const struct dh_command dh_cmd_eval = {
    "eval",
    "WHAT",
    "Measure a model, with numbers that others can check",
    NULL,
    { dh_app_opts },
    run,
};

const struct dh_command *const *dh_command_kinds(const struct dh_command *c)
{
    return c == &dh_cmd_eval ? kinds : kinds + DH_COUNTOF(kinds) - 1;
}
