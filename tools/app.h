/* tools/app.h - what the subcommands share: options, places, signals. */
#ifndef DH_TOOLS_APP_H
#define DH_TOOLS_APP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/opts.h"
#include "base/status.h"
#include "base/thread.h"
#include "tools/cmds.h"

struct dh_brain;
struct dh_endpoint;
struct dh_buf;

/* Options that every subcommand has. */
struct dh_app_options {
    const char *log;
    bool json;
    bool help;
};
#define DH_APP_DEFAULTS \
    {                   \
        .log = "warn",  \
    }
extern const struct dh_opt dh_app_opts[];

/* Options of the subcommands that think. */
struct dh_model_opts {
    const char *model; /* a folder; NULL: the embedded sprout */
    const char *mmproj, *kernels, *cache;
    int64_t memory;
    int threads, context;
    int cache_type; /* enum dh_cache_type */
    int draft;      /* as dh_app_draft */
    double max_pixels;
    int seed;
    /* A model behind an endpoint. */
    const char *endpoint, *model_name, *api_key_file, *ca_file;
    int thinking; /* enum dh_thinking */
    double idle_s, total_s;
    bool strict; /* no option: set by those that measure */
};
extern const struct dh_opt dh_model_opt_table[];

/* Set once by main before anything runs: the folder of assets, or NULL. */
void dh_app_set_assets(const char *dir);
/* assets/NAME, to be freed with dh_free. */
char *dh_app_asset(const char *name);

/*
 * Parse the command line of one subcommand. True: go on, with *n operands in
 * argv[1..]. False: return *exit_status at once (help was printed, or a usage
 * error was).
 */
DH_MUST_USE bool dh_app_parse(const struct dh_command *cmd,
                              const struct dh_opt_set *sets,
                              struct dh_app_options *app, int argc, char **argv,
                              int *n, int *exit_status);
/* Print a usage error of this subcommand to stderr; returns DH_EXIT_USAGE. */
int dh_app_usage(const struct dh_command *cmd, const char *fmt, ...)
    DH_PRINTF(2, 3);

/* Set by SIGINT and SIGTERM; a second one ends the process. */
struct dh_cancel *dh_app_cancel(void);
/* The configuration file's path, which need not be there; free with dh_free. */
char *dh_app_config(void);
/* The model is behind an endpoint, which dh_app_endpoint opens. */
bool dh_app_is_remote(const struct dh_model_opts *o);
DH_MUST_USE enum dh_status dh_app_endpoint(struct dh_endpoint **out,
                                           const struct dh_model_opts *o);
/* For struct dh_brain_options. */
int dh_app_draft(const struct dh_model_opts *o);
/* Load the model that the options name. */
DH_MUST_USE enum dh_status dh_app_brain(struct dh_brain **out,
                                        const struct dh_model_opts *o);

/*
 * Print text that came from a model, which may have it from a hostile screen:
 * what a terminal would obey becomes "?". *held is false at the start and kept
 * between the pieces of one text.
 */
void dh_app_print_text(FILE *to, const char *text, size_t len, bool *held);
/* The same for a whole text; NULL is "". */
void dh_app_print(FILE *to, const char *text);

/* Append the folder for what is kept from run to run. */
void dh_app_state_dir(struct dh_buf *path);

/* The folder of a session by its name, which is one among the others, or by a
 * path with a slash; NULL where it is no good name. Free it with dh_free. */
char *dh_app_session_dir(const char *name);
/* The same of one that is there; a folder beside us where none is so named. */
char *dh_app_session_find(const char *name);

/* $XDG_RUNTIME_DIR, where it is an absolute path; else NULL. */
const char *dh_app_runtime_dir(void);
/* What the environment says of language and characters, "C" where nothing. */
const char *dh_app_locale(void);

/* There is a session bus to talk to; asking without one would start one. */
bool dh_app_has_bus(void);

/* The exit status of a failure. */
int dh_app_exit(enum dh_status st);

void dh_command_help(const struct dh_command *cmd, struct dh_buf *out);

#endif
