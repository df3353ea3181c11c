/*
 * model/cpu/ints_dot_priv.h - packing by type, and products of few rows by type
 * and number of rows. Included by a file that has defined `pack_type`,
 * `dot_rows`, for W rows of weights, INLINE and the three types that there are,
 * TYPE_0 to TYPE_2: each of their calls here is compiled for its constants.
 */

static void pack(uint32_t *words, float *scales, const struct dh_mat *w,
                 int row0, int rows, int b0, int blocks)
{
    if (w->dtype == TYPE_0)
        pack_type(words, scales, w, row0, rows, b0, blocks, TYPE_0);
    else if (w->dtype == TYPE_1)
        pack_type(words, scales, w, row0, rows, b0, blocks, TYPE_1);
    else
        pack_type(words, scales, w, row0, rows, b0, blocks, TYPE_2);
}

INLINE void dot_type(const struct dh_dot *d, const struct dh_ints_x *x,
                     const enum dh_dtype type)
{
    for (int row = 0; row < d->rows; row += W) {
        switch (d->m) {
        case 1: dot_rows(d, x, 1, row, type); break;
        case 2: dot_rows(d, x, 2, row, type); break;
        case 3: dot_rows(d, x, 3, row, type); break;
        default: dot_rows(d, x, 4, row, type); break;
        }
    }
}

static void dot(const struct dh_dot *d, const struct dh_ints_x *x)
{
    if (d->w->dtype == TYPE_0)
        dot_type(d, x, TYPE_0);
    else if (d->w->dtype == TYPE_1)
        dot_type(d, x, TYPE_1);
    else
        dot_type(d, x, TYPE_2);
}
