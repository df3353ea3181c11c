#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "tools/app.h"

static const struct dh_command *const commands[] = {
    &dh_cmd_run,      &dh_cmd_locate, &dh_cmd_ask,     &dh_cmd_grab,
    &dh_cmd_act,      &dh_cmd_tokens, &dh_cmd_inspect, &dh_cmd_forward,
    &dh_cmd_eval,     &dh_cmd_doctor, &dh_cmd_bench,   &dh_cmd_serve,
    &dh_cmd_record,   &dh_cmd_view,   &dh_cmd_mark,    &dh_cmd_export,
    &dh_cmd_import,   &dh_cmd_replay, &dh_cmd_pack,    &dh_cmd_unpack,
    &dh_cmd_quantize,
};

static const char about[] = "deskhand watches the screen, asks MiniMax-M3 (or "
                            "the small embedded model\n"
                            "sprout) what to do, and clicks and types it "
                            "through XTest, until the task\n"
                            "is done.";

static void put_overview(struct dh_buf *out)
{
    dh_buf_printf(out, "Usage: deskhand COMMAND [OPTION]...\n\n%s\n\n", about);
    dh_buf_puts(out, "Commands:\n");
    for (size_t i = 0; i < DH_COUNTOF(commands); i++)
        dh_buf_printf(out, "  %-9s %s\n", commands[i]->name,
                      commands[i]->summary);
    dh_buf_puts(out,
                "  help      This text, the help of a command, or --man\n\n"
                "Try:\n"
                "  deskhand doctor\n"
                "  deskhand run \"Click OK.\"\n"
                "  deskhand help run\n\n"
                "Exit status: 0 done, 1 failed, 2 usage, 3 the task was not "
                "solved, 4 stopped.\n");
}

static void put_man_paragraph(struct dh_buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '-')
            dh_buf_puts(out, "\\-");
        else if (*text == '\\')
            dh_buf_puts(out, "\\e");
        else
            dh_buf_putc(out, *text);
    }
    dh_buf_putc(out, '\n');
}

static void put_man_command(struct dh_buf *out, const struct dh_command *c)
{
    dh_buf_printf(out, ".SH DESKHAND %s\n", c->name);
    dh_buf_printf(out, ".B deskhand %s\n[\\fIOPTION\\fR]... %s\n.PP\n", c->name,
                  c->operands);
    put_man_paragraph(out, c->summary);
    if (c->text) {
        dh_buf_puts(out, ".PP\n.nf\n");
        put_man_paragraph(out, c->text);
        dh_buf_puts(out, ".fi\n");
    }
    for (int t = 0; t < DH_COMMAND_MAX_TABLES && c->tables[t]; t++) {
        struct dh_opt_set sets[] = { { c->tables[t], NULL }, { 0 } };
        dh_opts_man(sets, out);
    }
}

static void put_man(struct dh_buf *out)
{
    dh_buf_printf(out,
                  ".TH DESKHAND 1 \"\" \"deskhand %s\" \"User Commands\"\n",
                  DH_VERSION);
    dh_buf_puts(out, ".SH NAME\ndeskhand \\- a desktop computer-use agent for "
                     "X11\n.SH SYNOPSIS\n.B deskhand\n\\fICOMMAND\\fR "
                     "[\\fIOPTION\\fR]...\n.SH DESCRIPTION\n");
    put_man_paragraph(out, about);
    for (size_t i = 0; i < DH_COUNTOF(commands); i++) {
        const struct dh_command *const *kind = dh_command_kinds(commands[i]);
        put_man_command(out, commands[i]);
        while (*kind)
            put_man_command(out, *kind++);
    }
    dh_buf_puts(out, ".SH EXIT STATUS\n0 done, 1 failed, 2 usage, 3 the task "
                     "was not solved, 4 stopped by the user.\n");
}

static const struct dh_command *find_command(const char *name)
{
    for (size_t i = 0; i < DH_COUNTOF(commands); i++)
        if (strcmp(name, commands[i]->name) == 0)
            return commands[i];
    return NULL;
}

// The kind of it that is named, else the command itself.
static const struct dh_command *find_kind(const struct dh_command *c,
                                          const char *name)
{
    const struct dh_command *const *kind = dh_command_kinds(c);
    for (; *kind; kind++)
        if (strcmp(strchr((*kind)->name, ' ') + 1, name) == 0)
            return *kind;
    return c;
}

// Of all commands the one that is meant, or NULL: a slip or two, or its start.
static const char *nearest_command(const char *name)
{
    const char *best = NULL;
    size_t best_d = 3, len = strlen(name);
    for (size_t i = 0; i < DH_COUNTOF(commands); i++) {
        const char *c = commands[i]->name;
        size_t d = dh_str_distance(dh_str_of(name), dh_str_of(c));
        if (len && strncmp(c, name, len) == 0)
            d = 0;
        if (d < best_d && d < strlen(c)) {
            best = c;
            best_d = d;
        }
    }
    return best;
}

static int unknown_command(const char *name)
{
    const char *guess = nearest_command(name);
    fprintf(stderr, "deskhand: no command \"%.60s\"", name);
    if (guess)
        fprintf(stderr, "; did you mean %s?", guess);
    fputs("\nTry 'deskhand help'.\n", stderr);
    return DH_EXIT_USAGE;
}

static int help(int argc, char **argv)
{
    struct dh_buf out;
    dh_buf_init(&out, 1 << 20);
    const struct dh_command *c = argc > 1 ? find_command(argv[1]) : NULL;
    bool man = argc > 1 && strcmp(argv[1], "--man") == 0;
    if (c && argc > 2)
        c = find_kind(c, argv[2]);
    if (argc > 1 && !c && !man)
        return unknown_command(argv[1]);
    if (man)
        put_man(&out);
    else if (c)
        dh_command_help(c, &out);
    else
        put_overview(&out);
    fputs(dh_buf_text(&out), stdout);
    dh_buf_finish(&out);
    return DH_EXIT_OK;
}

// Beside the program in a build tree, or under the prefix it is installed in.
static char *find_assets(void)
{
    static const char *const places[] = { "../../assets", "../share/deskhand",
                                          "assets" };
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n <= 0)
        return NULL;
    exe[n] = 0;
    char *dir = dh_path_dir(exe), *found = NULL;
    for (size_t i = 0; i < DH_COUNTOF(places) && !found; i++) {
        char *base = dh_path_join(dir, places[i]);
        char *prompts = dh_path_join(base, "prompts");
        if (dh_path_is_dir(prompts))
            found = dh_strdup(base);
        dh_free(prompts);
        dh_free(base);
    }
    dh_free(dir);
    return found;
}

// Results that could not be written must not look like success.
static int flushed(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    perror("deskhand: standard output");
    return status ? status : DH_EXIT_FAILED;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "help";
    signal(SIGPIPE, SIG_IGN);
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
        puts("deskhand " DH_VERSION);
        return flushed(DH_EXIT_OK);
    }
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 ||
        strcmp(name, "-h") == 0)
        return flushed(help(argc - (argc > 1), argv + (argc > 1)));
    const struct dh_command *c = find_command(name);
    if (!c)
        return unknown_command(name);
    char *assets = find_assets();
    dh_app_set_assets(assets);
    int status = flushed(c->run(argc - 1, argv + 1));
    dh_free(assets);
    return status;
}
