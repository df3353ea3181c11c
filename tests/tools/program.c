#include "tests/tools/program.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <signal.h>

#include "base/clock.h"
#include "base/diag.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "tests/dh_test.h"

#define MAX_ARGS   32
#define MAX_OUTPUT ((size_t)64 << 20)

static char *program_path(void)
{
    const char *build = getenv("B");
    return dh_path_join(build ? build : "build/release", "deskhand");
}

static void become(const char *path, const char *const *args)
{
    char *argv[MAX_ARGS + 2] = { dh_strdup(path) };
    for (int i = 0; args[i] && i < MAX_ARGS; i++)
        argv[i + 1] = dh_strdup(args[i]);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int out = open(dh_test_path("out"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int err = open(dh_test_path("err"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int in = open("/dev/null", O_RDONLY);
    if (in < 0 || out < 0 || err < 0)
        _exit(126);
    dup2(in, 0);
    dup2(out, 1);
    dup2(err, 2);
    execv(path, argv);
    _exit(127);
}

pid_t program_start(const char *const *args)
{
    char *path = program_path();
    char *out = dh_test_path("out");
    // What the last one said must not be taken for this one's.
    remove(out);
    pid_t pid = fork();
    if (pid == 0)
        become(path, args);
    CHECK(pid > 0);
    dh_free(out);
    dh_free(path);
    return pid;
}

static char *read_output(const char *name)
{
    char *path = dh_test_path(name), *text;
    size_t len;
    CHECK_INT(dh_file_read(path, MAX_OUTPUT, &text, &len), DH_OK);
    dh_free(path);
    return text;
}

int program_saw(const char *text)
{
    char *path = dh_test_path("out");
    bool found = false;
    for (int i = 0; i < 200 && !found; i++) {
        dh_sleep_for(50 * DH_MS);
        if (!dh_path_exists(path))
            continue;
        char *out = read_output("out");
        found = strstr(out, text) != NULL;
        dh_big_free(out);
    }
    dh_free(path);
    return found;
}

void program_wait(struct said *s, pid_t pid)
{
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    s->status =
        WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    s->out = read_output("out");
    s->err = read_output("err");
    if (s->status == 127)
        dh_check_failed(__FILE__, __LINE__, "the program is not built");
}

void program_run(struct said *s, const char *const *args)
{
    program_wait(s, program_start(args));
}

void said_finish(struct said *s)
{
    dh_big_free(s->out);
    dh_big_free(s->err);
    memset(s, 0, sizeof *s);
}

static int is_said(const char *text, const char *part)
{
    if (!part)
        return 1;
    return part[0] ? strstr(text, part) != NULL : text[0] == '\0';
}

void check_said(const char *file, int line, const struct said *s, int status,
                const char *out_has, const char *err_has)
{
    if (s->status == status && is_said(s->out, out_has) &&
        is_said(s->err, err_has))
        return;
    fprintf(stderr, "exit status %d\n--- stdout\n%s--- stderr\n%s---\n",
            s->status, s->out, s->err);
    fprintf(stderr, "wanted status %d, stdout \"%s\", stderr \"%s\"\n", status,
            out_has ? out_has : "*", err_has ? err_has : "*");
    dh_check_failed(file, line, "what the program said");
}

int json_lines(const char *text)
{
    int n = 0;
    while (*text) {
        const char *nl = strchr(text, '\n');
        struct dh_diag diag = { 0 };
        CHECK(nl != NULL);
        struct dh_json *o = dh_json_parse(text, (size_t)(nl - text), &diag);
        if (!o)
            CHECK_STR(text, "a line of JSON");
        CHECK_INT(dh_json_kind(o), DH_JSON_OBJECT);
        dh_json_free(o);
        text = nl + 1;
        n++;
    }
    return n;
}
