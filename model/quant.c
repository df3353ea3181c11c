#include "model/quant_priv.h"

#include <math.h>

#include "model/cpu/expand_priv.h"

// ------------------------------------------------------------------- numbers

float dh_quant_e4m3(uint8_t code)
{
    int exponent = (code >> 3) & 15, mantissa = code & 7;
    float f;
    if ((code & 0x7f) == 0x7f)
        f = NAN;
    else if (exponent == 0)
        f = (float)mantissa * 0x1p-9f;
    else
        f = ldexpf((float)(8 + mantissa), exponent - 10);
    return code & 0x80 ? -f : f;
}

float dh_quant_e8m0(uint8_t code)
{
    return code == 255 ? NAN : ldexpf(1.0f, code - 127);
}

float dh_quant_e2m1(uint8_t code)
{
    static const float of[8] = { 0, 0.5f, 1, 1.5f, 2, 3, 4, 6 };
    return code & 8 ? -of[code & 7] : of[code & 7];
}

int dh_quant_block(enum dh_dtype t)
{
    return t == DH_F8_E4M3 ? DH_QUANT_MX_BLOCK : (int)dh_dtype_block(t);
}

size_t dh_quant_mat_bytes(const struct dh_mat *w)
{
    size_t n = (size_t)w->rows * (size_t)w->cols;
    return dh_dtype_size(w->dtype, n) +
           (w->scales ? n / (size_t)dh_quant_block(w->dtype) : 0);
}

void dh_quant_expand(float *out, const struct dh_mat *w, int row, int k0, int n)
{
    expand(out, w, row, k0, n);
}
