/* agent/session_read_priv.h - what the two halves of the session reader share:
 * session_read.c knows files, session_steps.c knows what lines mean. */
#ifndef DH_AGENT_SESSION_READ_PRIV_H
#define DH_AGENT_SESSION_READ_PRIV_H

#include <sys/stat.h>

#include "agent/session_read.h"

#define LINE_MAX_BYTES (1024 * 1024)
#define MAX_LINES      (8 * 1024 * 1024)
#define MAX_STEPS      (256 * 1024)
#define MAX_NOTES      32

#define DH_SESSION_FD_PATH 32

struct dh_session_reader {
    int dir, fd, frames_dir; // fd: events.jsonl; -1 where it is not there
    struct stat head;        // of session.json as it was read
    struct dh_session_info info;
    uint64_t read_to; // bytes of events.jsonl that are indexed
    size_t torn_bytes;
    bool skipping, full; // inside a line that is too long; no more is taken
    int64_t line_number, clock, clock_shift;
    struct dh_session_line *lines;
    struct dh_session_shot *shots;
    struct dh_session_step *steps;
    int n_lines, n_shots, n_steps;
    int cap_lines, cap_shots, cap_steps;
    int newest_frame, pending_ask;
    char *notes[MAX_NOTES];
    int n_notes, more_notes;
};

void dh_session_note(struct dh_session_reader *s, const char *fmt, ...)
    DH_PRINTF(2, 3);
/* The video, a plain file; *path leads to the open one. -1: there is none. Any
 * thread. */
int dh_session_open_film(const struct dh_session_reader *s,
                         char path[DH_SESSION_FD_PATH]);
void dh_session_add_shot(struct dh_session_reader *s, int64_t t, int number,
                         int64_t pts_ms);
/* Index one line, without its end, that begins at `offset`. */
void dh_session_take_line(struct dh_session_reader *s, const char *text,
                          size_t len, uint64_t offset);

#endif
