/*
 * tests/runner.c - runs tables of tests, each in a process of its own.
 *
 *   test-base [-j N] [-v] [part of a name ...]
 *
 * Prints a line for each test, the output of those that failed, and last
 * "<name>: N passed, N failed, N skipped". DH_TEST_SECONDS sets the time limit.
 */
#include "tests/dh_test.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

#define MAX_FILES  256
#define MAX_JOBS   16
#define EXIT_SKIP  77
#define SHOW_BYTES 20000

struct file {
    const char *path;
    const struct dh_test *tests;
    size_t n;
};

struct job {
    pid_t pid; // 0: free
    char name[256];
    char dir[PATH_MAX];
    int output;
    double begun;
    bool late;
};

static struct file files[MAX_FILES];
static size_t n_files;
static struct job jobs[MAX_JOBS];
static char test_dir[PATH_MAX]; // of this process, once it is a test
static double limit_s = 60;
static sigset_t awaited; // what the runner waits for between tests
static bool verbose;
static int passed, failed, skipped;

void dh_test_register(const char *file, const struct dh_test *tests, size_t n)
{
    if (n_files == MAX_FILES)
        abort();
    files[n_files++] = (struct file){ file, tests, n };
}

// ---- inside a test ---------------------------------------------------------

static void end_test(int code)
{
    fflush(NULL);
    _exit(code);
}

void dh_check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
    end_test(1);
}

void dh_check_int(const char *file, int line, const char *expr, int64_t got,
                  int64_t want)
{
    if (got == want)
        return;
    fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", file, line, expr,
            (long long)got, (long long)want);
    end_test(1);
}

void dh_check_str(const char *file, int line, const char *expr, const char *got,
                  const char *want)
{
    if (got == want || (got && want && strcmp(got, want) == 0))
        return;
    fprintf(stderr, "%s:%d: %s is\n    \"%s\"\nnot\n    \"%s\"\n", file, line,
            expr, got ? got : "(null)", want ? want : "(null)");
    end_test(1);
}

void dh_check_near(const char *file, int line, const char *expr, double got,
                   double want, double tolerance)
{
    // Written so that a NaN fails.
    if (fabs(got - want) <= tolerance)
        return;
    fprintf(stderr, "%s:%d: %s is %.9g, not %.9g +- %.3g\n", file, line, expr,
            got, want, tolerance);
    end_test(1);
}

void dh_check_mem(const char *file, int line, const char *expr, const void *got,
                  const void *want, size_t n)
{
    const unsigned char *a = got, *b = want;
    for (size_t i = 0; i < n; i++) {
        if (a[i] == b[i])
            continue;
        fprintf(stderr, "%s:%d: %s: byte %zu of %zu is 0x%02x, not 0x%02x\n",
                file, line, expr, i, n, a[i], b[i]);
        end_test(1);
    }
}

void dh_test_skip(const char *why)
{
    fprintf(stderr, "%s\n", why);
    fflush(NULL);
    _exit(EXIT_SKIP);
}

const char *dh_test_dir(void)
{
    return test_dir;
}

char *dh_test_path(const char *name)
{
    return dh_path_join(test_dir, name);
}

char *dh_test_file(const char *name, const char *text)
{
    char *path = dh_test_path(name);
    CHECK_INT(dh_file_write(path, text, strlen(text)), DH_OK);
    CHECK_INT(chmod(path, 0600), 0);
    return path;
}

// ---- starting and ending tests ---------------------------------------------

static double now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void die(const char *what)
{
    perror(what);
    exit(2);
}

static void child_main(const struct job *j, const struct dh_test *t)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    dup2(j->output, STDOUT_FILENO);
    dup2(j->output, STDERR_FILENO);
    snprintf(test_dir, sizeof(test_dir), "%s", j->dir);
    t->run();
    // Not _exit: the leak check runs at exit.
    exit(0);
}

static void job_start(struct job *j, const struct file *f,
                      const struct dh_test *t, const char *name)
{
    const char *tmp = getenv("TMPDIR");
    (void)f;
    snprintf(j->name, sizeof(j->name), "%s", name);
    snprintf(j->dir, sizeof(j->dir), "%s/dh-test-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(j->dir))
        die(j->dir);
    j->output = memfd_create("output", MFD_CLOEXEC);
    if (j->output < 0)
        die("memfd_create");
    j->begun = now();
    j->late = false;
    fflush(NULL);
    j->pid = fork();
    if (j->pid < 0)
        die("fork");
    if (j->pid == 0)
        child_main(j, t);
    setpgid(j->pid, j->pid); // both sides, or a kill could come too early
}

static int remove_entry(const char *path, const struct stat *st, int flag,
                        struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static void show_output(int fd)
{
    char text[4096];
    off_t size = lseek(fd, 0, SEEK_END);
    off_t at = size > SHOW_BYTES ? size - SHOW_BYTES : 0;
    if (at > 0)
        printf("    (the first %lld bytes are left out)\n", (long long)at);
    ssize_t n;
    while ((n = pread(fd, text, sizeof(text), at)) > 0) {
        fwrite(text, 1, (size_t)n, stdout);
        at += n;
    }
}

static void show_reason(int fd, char *out, size_t size)
{
    off_t end = lseek(fd, 0, SEEK_END);
    off_t at = end > (off_t)size - 1 ? end - ((off_t)size - 1) : 0;
    ssize_t n = pread(fd, out, size - 1, at);
    out[n > 0 ? n : 0] = '\0';
    size_t len = strlen(out);
    while (len > 0 && out[len - 1] == '\n')
        out[--len] = '\0';
    char *last = strrchr(out, '\n');
    if (last)
        memmove(out, last + 1, strlen(last + 1) + 1);
}

static void report(struct job *j, int status)
{
    double s = now() - j->begun;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && !j->late) {
        passed++;
        printf("ok   %s (%.2f s)\n", j->name, s);
        if (verbose)
            show_output(j->output);
    } else if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIP) {
        char why[200];
        show_reason(j->output, why, sizeof(why));
        skipped++;
        printf("skip %s: %s\n", j->name, why);
    } else {
        failed++;
        printf("FAIL %s (%.2f s): ", j->name, s);
        if (j->late)
            printf("longer than %g s\n", limit_s);
        else if (WIFSIGNALED(status))
            printf("%s\n", strsignal(WTERMSIG(status)));
        else
            printf("exit status %d\n", WEXITSTATUS(status));
        show_output(j->output);
    }
    fflush(stdout);
}

static void job_end(struct job *j, int status)
{
    kill(-j->pid, SIGKILL); // what the test left running
    report(j, status);
    close(j->output);
    nftw(j->dir, remove_entry, 32, FTW_DEPTH | FTW_PHYS);
    j->pid = 0;
}

// Stopped from outside: end the tests and leave nothing behind.
static void stop_all(int sig)
{
    for (int i = 0; i < MAX_JOBS; i++) {
        if (jobs[i].pid)
            kill(-jobs[i].pid, SIGKILL);
    }
    for (int i = 0; i < MAX_JOBS; i++) {
        if (!jobs[i].pid)
            continue;
        waitpid(jobs[i].pid, NULL, 0);
        nftw(jobs[i].dir, remove_entry, 32, FTW_DEPTH | FTW_PHYS);
    }
    _exit(128 + sig);
}

// Seconds until the next test has had its time; kills those that have.
static double time_left(int n_jobs)
{
    double left = limit_s;
    for (int i = 0; i < n_jobs; i++) {
        struct job *j = &jobs[i];
        double rest = j->begun + limit_s - now();
        if (j->pid && rest <= 0 && !j->late) {
            j->late = true;
            kill(-j->pid, SIGKILL);
        }
        if (j->pid && rest < left)
            left = rest;
    }
    return left < 0.01 ? 0.01 : left;
}

// Take in one job that has ended, or kill those that are over their time.
static void wait_for_some(int n_jobs)
{
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        for (int i = 0; i < n_jobs && pid > 0; i++) {
            if (jobs[i].pid == pid) {
                job_end(&jobs[i], status);
                return;
            }
        }
        if (pid > 0)
            continue;
        double left = time_left(n_jobs);
        struct timespec ts = { .tv_sec = (time_t)left };
        ts.tv_nsec = (long)((left - (double)ts.tv_sec) * 1e9);
        int sig = sigtimedwait(&awaited, NULL, &ts);
        if (sig > 0 && sig != SIGCHLD)
            stop_all(sig);
    }
}

static struct job *free_job(int n_jobs)
{
    for (;;) {
        for (int i = 0; i < n_jobs; i++) {
            if (!jobs[i].pid)
                return &jobs[i];
        }
        wait_for_some(n_jobs);
    }
}

static bool wanted(const char *name, char **parts, int n)
{
    bool found = n == 0;
    for (int i = 0; i < n && !found; i++)
        found = strstr(name, parts[i]) != NULL;
    return found;
}

static void run_all(int n_jobs, char **parts, int n_parts)
{
    for (size_t i = 0; i < n_files; i++) {
        const struct file *f = &files[i];
        const char *path = f->path;
        if (strncmp(path, "tests/", 6) == 0)
            path += 6;
        int stem = (int)(strlen(path) - strlen(".c"));
        for (size_t k = 0; k < f->n; k++) {
            char name[256];
            snprintf(name, sizeof(name), "%.*s: %s", stem, path,
                     f->tests[k].name);
            if (wanted(name, parts, n_parts))
                job_start(free_job(n_jobs), f, &f->tests[k], name);
        }
    }
    for (int i = 0; i < n_jobs; i++) {
        while (jobs[i].pid)
            wait_for_some(n_jobs);
    }
}

int main(int argc, char **argv)
{
    int n_jobs = 2, opt;
    while ((opt = getopt(argc, argv, "j:v")) != -1) {
        if (opt == 'j')
            n_jobs = (int)strtol(optarg, NULL, 10);
        else if (opt == 'v')
            verbose = true;
        else
            return 2;
    }
    if (n_jobs < 1 || n_jobs > MAX_JOBS)
        n_jobs = 1;
    const char *seconds = getenv("DH_TEST_SECONDS");
    if (seconds && strtod(seconds, NULL) > 0)
        limit_s = strtod(seconds, NULL);

    const int signals[] = { SIGCHLD, SIGHUP, SIGINT, SIGTERM };
    sigemptyset(&awaited);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        // What a script's "&" has ignored would be so in the tests as well.
        signal(signals[i], SIG_DFL);
        sigaddset(&awaited, signals[i]);
    }
    sigprocmask(SIG_BLOCK, &awaited, NULL);

    run_all(n_jobs, argv + optind, argc - optind);
    const char *name = strrchr(argv[0], '/');
    printf("%s: %d passed, %d failed, %d skipped\n", name ? name + 1 : argv[0],
           passed, failed, skipped);
    return failed > 0;
}
