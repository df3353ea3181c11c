/*
 * tools/cmds.h - the subcommands.
 *
 * Each cmd_*.c exports one struct dh_command; tools/main.c holds the table of
 * them. From it come `deskhand help`, --help of each and the man page.
 */
#ifndef DH_TOOLS_CMDS_H
#define DH_TOOLS_CMDS_H

#include "base/opts.h"

enum dh_exit {
    DH_EXIT_OK = 0,
    DH_EXIT_FAILED = 1,
    DH_EXIT_USAGE = 2,
    DH_EXIT_UNSOLVED = 3, /* the task was not solved */
    DH_EXIT_STOPPED = 4,  /* by the user */
};

#define DH_COMMAND_MAX_TABLES 4

struct dh_command {
    const char *name;
    const char *operands; /* e.g. "TASK", "" for none */
    const char *summary;  /* one line, no full stop */
    const char *text;     /* what a user should know; NULL: nothing more */
    const struct dh_opt *tables[DH_COMMAND_MAX_TABLES]; /* NULL ends */
    int (*run)(int argc, char **argv); /* argv[0] is the subcommand's name */
};

extern const struct dh_command dh_cmd_run, dh_cmd_locate, dh_cmd_ask,
    dh_cmd_grab, dh_cmd_act, dh_cmd_tokens, dh_cmd_inspect, dh_cmd_forward,
    dh_cmd_eval, dh_cmd_doctor, dh_cmd_bench, dh_cmd_serve, dh_cmd_record,
    dh_cmd_view, dh_cmd_mark, dh_cmd_export, dh_cmd_import, dh_cmd_replay,
    dh_cmd_pack, dh_cmd_unpack, dh_cmd_quantize;
/* What eval evaluates, named "eval ground" and the like. */
extern const struct dh_command dh_cmd_eval_ground, dh_cmd_eval_steps,
    dh_cmd_eval_score, dh_cmd_eval_compare, dh_cmd_eval_tasks,
    dh_cmd_eval_miniwob, dh_cmd_eval_view;
/* The commands below this one, NULL at their end; none for most. */
const struct dh_command *const *dh_command_kinds(const struct dh_command *c);

#endif
