/*
 * base/fault.h - files that lose bytes while they are mapped.
 *
 * A map of a file that was cut short, or whose disk fails, raises SIGBUS where
 * it is read. The rest of a watched range becomes zeros there, and the range
 * says from then on that it is lost: who computed with it asks, and drops what
 * came out. SIGBUS elsewhere ends the process as ever.
 */
#ifndef DH_BASE_FAULT_H
#define DH_BASE_FAULT_H

#include <stdbool.h>
#include <stddef.h>

struct dh_fault;

/* A map of whole pages from p on. Any thread. Never NULL. */
struct dh_fault *dh_fault_watch(const void *p, size_t len);
/* Before the map is taken down. NULL is allowed. */
void dh_fault_forget(struct dh_fault *f);
/* Any thread, at any time in between. */
bool dh_fault_is_lost(const struct dh_fault *f);

#endif
