/* base/file.h - whole files, maps, atomic writes. All failures are logged with
 * the path and what was tried. */
#ifndef DH_BASE_FILE_H
#define DH_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct dh_buf;
struct iovec;

/* Read a whole file of at most `max` bytes; *data is NUL-terminated (the NUL
 * is not counted), free it with dh_big_free. DH_ERR_RANGE: larger. */
DH_MUST_USE enum dh_status dh_file_read(const char *path, size_t max,
                                        char **data, size_t *len);

struct dh_fault;

/* A file mapped read-only. Its bytes are `data[0..len)`. */
struct dh_map {
    const uint8_t *data;
    size_t len;
    struct dh_fault *fault;
};

/* An empty file is DH_ERR_FORMAT. */
DH_MUST_USE enum dh_status dh_map_open(struct dh_map *map, const char *path);
/* A zeroed map is allowed. */
void dh_map_close(struct dh_map *map);
/* The file was cut short or could not be read: what the map showed then were
 * zeros. A zeroed map is whole. */
bool dh_map_is_lost(const struct dh_map *map);

/* Write a temporary file beside `path`, fsync, rename over it: either the old
 * or the new file is there, whole. */
DH_MUST_USE enum dh_status dh_file_write(const char *path, const void *data,
                                         size_t len);
/* The same for n pieces one after the other; only the user may read it where
 * `secret`. */
DH_MUST_USE enum dh_status dh_file_write_parts(const char *path,
                                               const struct iovec *parts,
                                               size_t n, bool secret);

/* "a/b" from "a" and "b"; an absolute `b` wins. Free it with dh_free. */
char *dh_path_join(const char *a, const char *b);
/* The folder part of a path ("." where there is none); free with dh_free. */
char *dh_path_dir(const char *path);
bool dh_path_exists(const char *path);
bool dh_path_is_dir(const char *path);
/* Create a folder and its parents; existing is fine. */
DH_MUST_USE enum dh_status dh_path_mkdirs(const char *path);
/* Take away a file, or a folder with all in it; no link is followed. What is
 * not there is fine. */
DH_MUST_USE enum dh_status dh_path_remove(const char *path);

#endif
