/*
 * model/cpu/ints_edge_priv.h - the same parts of products of whole numbers for
 * several sets. Included by a file that has defined INLINE; TILE_COLS, the
 * columns of a tile, and `tile_all`, for whole ones; and `half_of`, the number
 * that 16 bits are.
 */

// The last columns of a matrix may be less than a whole tile: aside.
static void tile_edge(const struct dh_tile_ints *t)
{
    float aside[DH_PANEL], bias[DH_PANEL] = { 0 };
    struct dh_tile_ints one = *t;
    size_t bytes = (size_t)t->n * sizeof(float);
    if (t->start == DH_TILE_BIAS)
        memcpy(bias, t->bias, bytes);
    one.bias = bias;
    one.c = aside;
    one.m = 1;
    one.n = (t->n + TILE_COLS - 1) / TILE_COLS * TILE_COLS;
    for (int i = 0; i < t->m; i++) {
        float *c = t->c + (size_t)i * t->ldc;
        memset(aside, 0, sizeof(aside));
        memcpy(aside, c, t->start == DH_TILE_ADD ? bytes : 0);
        one.x.codes = t->x.codes + (size_t)i * t->x.ldc;
        one.x.scales = t->x.scales + (size_t)i * t->x.lds;
        one.x.sums = t->x.sums + (size_t)i * t->x.lds;
        tile_all(&one);
        memcpy(c, aside, bytes);
    }
}

static void tile(const struct dh_tile_ints *t)
{
    if (t->n % TILE_COLS)
        tile_edge(t);
    else
        tile_all(t);
}

INLINE float scale_of(const uint8_t *at, const enum dh_dtype type)
{
    if (type != DH_MXFP4) {
        uint16_t half;
        memcpy(&half, at, sizeof(half));
        return half_of(half);
    }
    // Half of the power of two, since the codes are twice the numbers.
    uint32_t bits = *at == 255 ? 0x7fc00000
                    : *at < 2  ? (uint32_t)0x00200000 << *at
                               : (uint32_t)(*at - 1) << 23;
    float f;
    memcpy(&f, &bits, sizeof(f));
    return f;
}

// n rows of w that are read together; beyond the last, it is repeated.
INLINE void rows_of(const uint8_t **at, const int n, const struct dh_mat *w,
                    int row0, int rows)
{
    size_t bytes = dh_dtype_size(w->dtype, (size_t)w->cols);
    for (int j = 0; j < n; j++)
        at[j] = (const uint8_t *)w->data +
                (size_t)(row0 + (j < rows ? j : rows - 1)) * bytes;
}
