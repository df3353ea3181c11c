/*
 * agent/session_file.h - writing a session folder: header, lines, pictures,
 * video. benchmarks.md 10 names the fields. One thread.
 *
 * After the first failure all calls return its status and write nothing more;
 * what is there stays readable.
 */
#ifndef DH_AGENT_SESSION_FILE_H
#define DH_AGENT_SESSION_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/event.h"
#include "base/geom.h"
#include "base/json.h"
#include "base/status.h"

struct dh_frame;
struct dh_session_file;

struct dh_session_head {
    const char *kind, *task, *model, *display; /* NULL: unknown */
    struct dh_size screen;                     /* until a picture tells */
    bool video;
    /* The video is made of what dh_session_file_film is given, in place of the
     * pictures. */
    bool film;
    /* More members of the header, and of its screen, each time that it is
     * written; or NULL. */
    void (*more)(void *user, struct dh_json_writer *w);
    void (*more_screen)(void *user, struct dh_json_writer *w);
    void *user;
};

/* What all answers took. */
struct dh_session_spent {
    struct dh_usage usage;
    int64_t model_ns;
};

/* The folder is created; a non-empty one is DH_ERR_USAGE. Texts of the head
 * are copied. */
DH_MUST_USE enum dh_status
dh_session_file_create(struct dh_session_file **out, const char *dir,
                       const struct dh_session_head *head);
/* NULL is allowed. Without an end before, the session reads as cut short. */
void dh_session_file_destroy(struct dh_session_file *s);

/*
 * One line. begin opens the object with n, t (from `time_ns`) and k; the caller
 * adds members; end writes it. *n is the line's number, may be NULL.
 */
struct dh_json_writer *dh_session_file_begin(struct dh_session_file *s,
                                             const char *kind, int64_t time_ns,
                                             int64_t *n);
DH_MUST_USE enum dh_status dh_session_file_end(struct dh_session_file *s);

/* Write a picture unless the same one is there already; *number is its name
 * (frames/000001.png is 1). Also into the video. */
DH_MUST_USE enum dh_status dh_session_file_frame(struct dh_session_file *s,
                                                 const struct dh_frame *frame,
                                                 int *number, uint64_t *hash,
                                                 int64_t *pts_ms);
/* Only into the video. */
void dh_session_file_film(struct dh_session_file *s,
                          const struct dh_frame *frame);
/* dh_now_ns when it was created, from which all times count. */
int64_t dh_session_file_base(const struct dh_session_file *s);
/* At most once a second, so that a crash loses little. */
void dh_session_file_sync(struct dh_session_file *s);

/* Finish the video and write the header with how it ended. */
DH_MUST_USE enum dh_status
dh_session_file_finish(struct dh_session_file *s, int64_t time_ns,
                       const char *reason, uint64_t dropped,
                       const struct dh_session_spent *spent);
/* Write another file of the folder, whole or not at all. */
DH_MUST_USE enum dh_status dh_session_file_put(struct dh_session_file *s,
                                               const char *name,
                                               const void *data, size_t len);

#endif
