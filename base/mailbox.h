/*
 * base/mailbox.h - one slot between two threads, newest wins.
 *
 * It holds counted things (frames): the mailbox owns one reference to what it
 * holds and drops it with the `unref` it was given. All functions may be
 * called from any thread, except finish.
 */
#ifndef DH_BASE_MAILBOX_H
#define DH_BASE_MAILBOX_H

#include <stdint.h>

#include "base/thread.h"

struct dh_mailbox {
    void (*unref)(void *item); // set before start
    struct dh_mutex lock;
    struct dh_cond filled;
    // guarded by lock
    void *item;
    uint64_t skipped; // put over an item that nobody took
    bool closed;
};

void dh_mailbox_init(struct dh_mailbox *m, void (*unref)(void *));
/* Closed and without users. */
void dh_mailbox_finish(struct dh_mailbox *m);
/* Takes over the reference. After close the item is dropped. */
void dh_mailbox_put(struct dh_mailbox *m, void *item);
/* Wait for an item until `until_ns`; hands its reference over. DH_ERR_TIMEOUT,
 * DH_ERR_CLOSED (also where an item is left). */
DH_MUST_USE enum dh_status dh_mailbox_take(struct dh_mailbox *m,
                                           int64_t until_ns, void **out);
/* Wakes all who wait; may be called more than once. */
void dh_mailbox_close(struct dh_mailbox *m);
uint64_t dh_mailbox_skipped(struct dh_mailbox *m);

#endif
