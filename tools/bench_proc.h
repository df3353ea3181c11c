/*
 * tools/bench_proc.h - other programs, for a benchmark: started, waited for
 * with a limit, and ended.
 *
 * Each leads a process group of its own and is killed when this process dies,
 * however that happens. No shell is involved.
 */
#ifndef DH_TOOLS_BENCH_PROC_H
#define DH_TOOLS_BENCH_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/status.h"

struct dh_cancel;

/* There is a program of that name in $PATH. */
bool dh_bench_proc_exists(const char *name);

/* Start argv[0], found in $PATH. Its input is empty; its output goes to `out`
 * and its complaints to `err`, -1 for nowhere; `keep` (or -1) stays open under
 * its number. *pid ends with dh_bench_proc_wait or _kill. */
DH_MUST_USE enum dh_status dh_bench_proc_start(pid_t *pid,
                                               const char *const *argv, int out,
                                               int err, int keep);
/* DH_OK where it ended with status 0, DH_ERR_IO with another. It is killed
 * where until_ns passed (DH_ERR_TIMEOUT) or on DH_ERR_CANCELLED. */
DH_MUST_USE enum dh_status dh_bench_proc_wait(pid_t pid, int64_t until_ns,
                                              struct dh_cancel *cancel);
/* Kill it with its group and wait; 0 is allowed. */
void dh_bench_proc_kill(pid_t pid);
/* Start and wait; its output goes nowhere. */
DH_MUST_USE enum dh_status dh_bench_proc_run(const char *const *argv,
                                             int64_t limit_ns,
                                             struct dh_cancel *cancel);

/* Read a line into line[0..size), without its end. False where until_ns
 * passed, the writer has gone, or *cancel is set. */
DH_MUST_USE bool dh_bench_proc_line(int fd, char *line, int size,
                                    int64_t until_ns, struct dh_cancel *cancel);

#endif
