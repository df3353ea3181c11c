/* tests/base/death.h - run something that ends its process, in another one. */
#ifndef DH_TESTS_BASE_DEATH_H
#define DH_TESTS_BASE_DEATH_H

#include <fcntl.h>
#include <stdio.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* The wait status of a child that called fn, silently; it exits with 0 where fn
 * returns. */
static inline int death_status(void (*fn)(void))
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        fn();
        _exit(0);
    }
    int status = -1;
    return waitpid(pid, &status, 0) == pid ? status : -1;
}

/* SIGABRT, or the exit status that a sanitizer makes of it. */
static inline int death_by_abort(void (*fn)(void))
{
    int status = death_status(fn);
    return WIFSIGNALED(status) || WEXITSTATUS(status) != 0;
}

#endif
