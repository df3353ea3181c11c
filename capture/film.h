/*
 * capture/film.h - a source into a video file, beside whatever else goes on.
 *
 *   source -> grabber (dh-capture) -> newest frame -> encoder (dh-film) -> file
 *
 * What did not change is not encoded again, so a still screen costs next to
 * nothing; the encoder gives way to all other work. Where it cannot keep up,
 * the newest picture wins and the skipped ones are counted.
 */
#ifndef DH_CAPTURE_FILM_H
#define DH_CAPTURE_FILM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct dh_film;
struct dh_source;

#define DH_FILM_MAX_FPS 120

struct dh_film_options {
    int max_fps; /* 1..DH_FILM_MAX_FPS; 0: 30 */
    bool lossless;
};

struct dh_film_stats {
    uint64_t written;  /* pictures in the file, the closing one included */
    uint64_t same;     /* looked at, and not written since nothing changed */
    uint64_t skipped;  /* taken while the encoder was busy, and never seen */
    int64_t encode_ns; /* spent in writing, all together */
};

/*
 * Start both threads. The film takes over `source`, which should have a
 * connection of its own, whatever is returned. The file is made with the first
 * picture, in its size; pictures of another size are cut or padded.
 */
DH_MUST_USE enum dh_status dh_film_create(struct dh_film **out,
                                          struct dh_source *source,
                                          const char *path,
                                          const struct dh_film_options *o);

/*
 * Stop, show the last picture until now, write the index, join, free. NULL is
 * DH_OK. The status is that of the first failure to grab or write, which was
 * logged when it happened; a source that ended by itself is DH_ERR_CLOSED, with
 * the file whole up to there. *stats may be NULL.
 */
enum dh_status dh_film_destroy(struct dh_film *f, struct dh_film_stats *stats);

#endif
