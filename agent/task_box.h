/*
 * agent/task_box.h - a closed room for a task's programs.
 *
 * Namespaces of its own (user, mounts, processes, network, IPC): what runs in
 * there sees the system's programs read-only, an empty home of a user "user" in
 * memory, no network but its own loopback, and one X server. Its processes,
 * memory and disk are limited. The room ends with everything in it when it is
 * closed or when we end, however we end; nothing of it is ever on a disk.
 *
 * It is untrusted: text that comes out of it is data. Belongs to the one thread
 * of its process, since it forks without exec.
 */
#ifndef DH_AGENT_TASK_BOX_H
#define DH_AGENT_TASK_BOX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct dh_buf;
struct dh_box;

#define DH_BOX_HOME    "/home/user"
#define DH_BOX_COMMAND 65536 /* bytes of a command at most */
#define DH_BOX_SHOWN   "/shown"

struct dh_box_options {
    int display;        /* number of the X server that it may talk to */
    int slot;           /* tells rooms apart that are open at once, from 0 */
    int max_processes;  /* 0: 256 */
    int64_t max_memory; /* bytes of all its processes; 0: 3 GiB */
    int64_t max_disk;   /* bytes of all its files; 0: 512 MiB */
    bool a11y;          /* its programs are to tell of their widgets */
    /* A folder that is seen in there, read-only, as DH_BOX_SHOWN; others than
     * its owner must be allowed to read it. NULL: none. */
    const char *shown;
};

/* DH_ERR_UNSUPPORTED where the kernel does not let us; what failed is logged.
 */
DH_MUST_USE enum dh_status dh_box_open(struct dh_box **out,
                                       const struct dh_box_options *o);
/* Returns when all that ran in there has ended. NULL is allowed. */
void dh_box_close(struct dh_box *b);

/*
 * Run a shell command in there and wait for its end until `until_ns`. `in` is
 * its standard input, -1: nothing. Its output, up to max of `out`, is appended;
 * more is cut. out NULL: not wanted. *exit_status is 128 + N for a signal N.
 *
 * DH_ERR_TIMEOUT: it still runs; DH_ERR_CLOSED: the room has ended, dh_box_why
 * says why; DH_ERR_NOMEM: no process can be had in there. After any of them the
 * room is only good to be closed.
 */
DH_MUST_USE enum dh_status dh_box_run(struct dh_box *b, const char *command,
                                      int in, int64_t until_ns,
                                      struct dh_buf *out, int *exit_status);
/*
 * Likewise, but a function of ours, in a process of its own in there, which is
 * ended when it takes too long. What it writes to descriptor 1 is the output,
 * what it returns the exit status.
 */
DH_MUST_USE enum dh_status dh_box_call(struct dh_box *b, int (*fn)(void),
                                       int seconds, struct dh_buf *out,
                                       int *exit_status);
/* The same without waiting, and with its output to a descriptor. What becomes
 * of the command is not told. */
DH_MUST_USE enum dh_status dh_box_start(struct dh_box *b, const char *command,
                                        int in, int out);
/* Why the room ended: "memory limit", or "". */
const char *dh_box_why(const struct dh_box *b);

/* 'text' in single quotes for a shell. */
void dh_box_quote(struct dh_buf *out, const char *text);

#endif
