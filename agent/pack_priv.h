/* agent/pack_priv.h - what packing and unpacking share. One thread. */
#ifndef DH_AGENT_PACK_PRIV_H
#define DH_AGENT_PACK_PRIV_H

#include <stdbool.h>

#define DH_PACK_LINES_MAX ((size_t)1 << 30)

struct dh_buf;
struct dh_export;

/* Files of a session besides its header, lines and pictures; NULL ends. */
extern const char *const dh_pack_others[];
/* 000001.png is 1; 0: no name of a picture. */
int dh_pack_picture_number(const char *name);
/* It can be the name of the folder within a packed file. */
bool dh_pack_is_base(const char *name);

/* session.json without secrets. Those that were marked afterwards become such
 * that were never written; other parameters keep their places. */
void dh_pack_clean_header(const struct dh_export *x, struct dh_buf *out);
/* A line without secrets is appended. What cannot be read is left out. */
void dh_pack_clean_line(const struct dh_export *x, int line,
                        struct dh_buf *out);

#endif
