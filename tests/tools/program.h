/* tests/tools/program.h - the built program, run as a user runs it. */
#ifndef DH_TESTS_TOOLS_PROGRAM_H
#define DH_TESTS_TOOLS_PROGRAM_H

#include <sys/types.h>

/* What it printed, and how it ended: the exit status, 128 + a signal. */
struct said {
    char *out, *err; /* from dh_file_read */
    int status;
};

/* Run deskhand with these arguments and wait. said_finish frees the texts. */
#define RUN(s, ...) program_run((s), (const char *const[]){ __VA_ARGS__, NULL })
void program_run(struct said *s, const char *const *args);
void said_finish(struct said *s);

/* The same in two steps, for what happens in between. Output so far may be
 * waited for; false after 10 s without it. */
pid_t program_start(const char *const *args);
int program_saw(const char *text);
void program_wait(struct said *s, pid_t pid);

/* Checks that print what was said where they fail. */
#define CHECK_SAID(s, want_status, out_has, err_has) \
    check_said(__FILE__, __LINE__, (s), (want_status), (out_has), (err_has))
/* out_has, err_has: a part of it; "" for nothing at all; NULL: do not care. */
void check_said(const char *file, int line, const struct said *s, int status,
                const char *out_has, const char *err_has);

/* Every line of a text is a JSON object; returns how many. */
int json_lines(const char *text);

#endif
