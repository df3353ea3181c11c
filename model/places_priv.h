/*
 * model/places_priv.h - where the experts lie in their files, and reading them.
 *
 * Experts are read past the system's page cache (O_DIRECT) where the file
 * system can do that: what is kept is the caller's alone then, and a budget
 * means what it says. Elsewhere the system may keep a copy, which it gives back
 * when memory is short.
 */
#ifndef DH_MODEL_PLACES_PRIV_H
#define DH_MODEL_PLACES_PRIV_H

#include "model/weights_priv.h"

/* Data and scales of gate, up and down. */
#define DH_PLACE_PARTS 6

/* `bytes` of a file from `from` on, to `at` of the expert's memory. */
struct dh_place_read {
    int file;
    uint64_t from;
    size_t bytes, at;
};

/* One expert. What lies side by side is one read; reads are done in pieces, so
 * that several threads can share them. */
struct dh_place {
    struct dh_place_read reads[DH_PLACE_PARTS];
    int n_reads, n_pieces;
    size_t at[DH_PLACE_PARTS]; /* of the parts in the expert's memory */
};

struct dh_places {
    const struct dh_tensors *tensors;
    int *fds; /* by file; -1: it holds no expert */
    bool *direct;
    struct dh_place *of; /* [num_hidden_layers][num_local_experts] */
    size_t bytes;        /* memory that the largest expert needs */
    size_t n;            /* experts of all layers */
};

/* `w` are views of `t`. Failures are logged. */
DH_MUST_USE enum dh_status dh_places_init(struct dh_places *p,
                                          const struct dh_config *config,
                                          const struct dh_weights *w,
                                          const struct dh_tensors *t);
void dh_places_finish(struct dh_places *p);

/* What memory of experts has to be aligned to. */
#define DH_PLACE_ALIGN 4096

#define DH_PLACE_SHORT (-1)

/* A piece of an expert into its memory. Returns 0, an errno, or DH_PLACE_SHORT
 * where the file ends before; *bytes is what was read. Any thread. */
DH_MUST_USE int dh_places_read(const struct dh_places *p,
                               const struct dh_place *place, int piece,
                               uint8_t *memory, size_t *bytes);

/* m with its parts in `memory`. */
struct dh_mlp_weights dh_places_view(const struct dh_place *place,
                                     const struct dh_mlp_weights *m,
                                     const uint8_t *memory);

#endif
