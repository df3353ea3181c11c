/*
 * model/products_priv.h - a product in pieces: model/products.c hands them to
 * the pool, model/pieces.c computes them.
 */
#ifndef DH_MODEL_PRODUCTS_PRIV_H
#define DH_MODEL_PRODUCTS_PRIV_H

#include "model/backend_priv.h"

/* Rows up to which weights are read in place: packing them would cost more. */
#define DH_DOT_ROWS    4
/* Rows of x that are rounded together where rows of w are taken as they lie. */
#define DH_GATHER_ROWS 512
/* Rows and columns of one piece of another product. */
#define DH_PIECE_ROWS  96
#define DH_PIECE_COLS  256

struct dh_part;

/* How it is computed: in float32, in pairs of bfloat16, or in whole numbers. */
struct dh_way {
    /* Rows begin..end-1 of w. Where there is nothing else all products are
     * such, otherwise those of up to DH_DOT_ROWS rows of x. */
    void (*dot)(const struct dh_part *p, int begin, int end, int worker);
    void (*pack)(const struct dh_part *p, int panel, int worker);
    void (*piece)(const struct dh_part *p, int i, int worker);
    size_t depth;               /* floats or words of a packed row of w */
    const struct dh_ints *ints; /* of whole numbers */
};

/* A product, or some of its columns. */
struct dh_part {
    const struct dh_backend *b;
    const struct dh_mat *w;
    const float *x, *bias;
    float *y;
    size_t ldx, ldy;
    int m;
    struct dh_way way;
    uint32_t *narrow;         /* x, rounded, for dot products */
    bool shared;              /* another part rounds it */
    float *pack;              /* panels of w */
    int col0, cols;           /* of w's rows: what is packed */
    int rows_each, cols_each; /* of a piece */
};

struct dh_way dh_part_way(const struct dh_backend *b, const struct dh_mat *w,
                          int m);
/* Round the rows of a dot product, once for all pieces: DH_PANEL rows from the
 * i-th panel of them on. */
void dh_part_narrow(const struct dh_part *p, int i);
/* Both would round the same rows to the same. */
bool dh_part_has_same_rows(const struct dh_part *a, const struct dh_part *b);
int dh_part_pieces(const struct dh_part *p);

#endif
