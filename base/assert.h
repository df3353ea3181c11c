/* base/assert.h - what cannot happen. Never for input, files or the server. */
#ifndef DH_BASE_ASSERT_H
#define DH_BASE_ASSERT_H

#include "base/status.h"

/* Print the failed condition and its place to stderr, then abort(). */
DH_NORETURN void dh_assert_failed(const char *cond, const char *file, int line);

/* Always compiled in. */
#define dh_assert(cond) \
    ((cond) ? (void)0 : dh_assert_failed(#cond, __FILE__, __LINE__))

/* For hot loops: gone in release builds. */
#ifdef DH_DEBUG
#    define dh_debug_assert(cond) dh_assert(cond)
#else
#    define dh_debug_assert(cond) ((void)sizeof(!(cond)))
#endif

#endif
