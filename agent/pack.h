/*
 * agent/pack.h - a session in one file, .tar.zst, and a session out of one.
 *
 * What was secret stays here, as in agent/export.h: of a session with a text
 * that was marked as a secret afterwards no raw keys, no video and no page
 * leave, and its lines and pictures without that text.
 *
 * A packed file may be a stranger's. Only plain files of a session's own names
 * are taken from it, once each, into a new folder; what would become much
 * larger than it is, is refused. Its page is left out: a browser would run what
 * it says.
 */
#ifndef DH_AGENT_PACK_H
#define DH_AGENT_PACK_H

#include <stdint.h>

#include "base/status.h"

struct dh_cancel;

struct dh_pack_result {
    int files;
    int64_t bytes;  /* of them */
    int64_t packed; /* of the packed file */
    int hidden;     /* files that were left out for a secret */
};

/* To `out`, where nothing may be; whole or not at all. Logged. */
DH_MUST_USE enum dh_status dh_pack(const char *dir, const char *out,
                                   struct dh_cancel *cancel,
                                   struct dh_pack_result *result);
/* Into the new folder `dir`, likewise. DH_ERR_FORMAT: it is no packed session,
 * or has what may not be in one. Logged. */
DH_MUST_USE enum dh_status dh_unpack(const char *file, const char *dir,
                                     struct dh_cancel *cancel,
                                     struct dh_pack_result *result);

#endif
