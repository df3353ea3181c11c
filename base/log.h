/*
 * base/log.h - one line to stderr for people.
 *
 * A .c file defines DH_LOG_TAG (its module's name) before it includes this.
 * Any thread may log; lines never mix.
 */
#ifndef DH_BASE_LOG_H
#define DH_BASE_LOG_H

#include <stdbool.h>

#include "base/status.h"

enum dh_log_level {
    DH_LOG_ERROR, /* the task failed */
    DH_LOG_WARN,  /* it goes on, worse */
    DH_LOG_INFO,  /* what a user wants to read once */
    DH_LOG_DEBUG, /* once a step */
    DH_LOG_TRACE, /* once a token or a frame */
};

typedef void (*dh_log_fn)(void *user, enum dh_log_level level, const char *tag,
                          const char *text);

/*
 * Set the levels from text such as "info" or "warn,model:trace". False, and
 * nothing changed, where the text is not of that form. The default is "warn".
 * Call it before threads start.
 */
DH_MUST_USE bool dh_log_set_levels(const char *spec);

/* Lines go to `fn` in place of stderr; NULL sets stderr again. For tests and
 * for the viewer. `fn` may not log. */
void dh_log_set_hook(dh_log_fn fn, void *user);

bool dh_log_wants(enum dh_log_level level, const char *tag);
void dh_log_write(enum dh_log_level level, const char *tag, const char *fmt,
                  ...) DH_PRINTF(3, 4);

#define dh_log_at(level, ...)                           \
    (dh_log_wants(level, DH_LOG_TAG)                    \
         ? dh_log_write(level, DH_LOG_TAG, __VA_ARGS__) \
         : (void)0)
#define dh_error(...) dh_log_at(DH_LOG_ERROR, __VA_ARGS__)
#define dh_warn(...)  dh_log_at(DH_LOG_WARN, __VA_ARGS__)
#define dh_info(...)  dh_log_at(DH_LOG_INFO, __VA_ARGS__)
#define dh_debug(...) dh_log_at(DH_LOG_DEBUG, __VA_ARGS__)
#define dh_trace(...) dh_log_at(DH_LOG_TRACE, __VA_ARGS__)

#endif
