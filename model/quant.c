#include "model/quant_priv.h"

#include <math.h>

#include "base/assert.h"
#include "model/tensor_priv.h"

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

void dh_quant_mxfp8_to_bf16(const uint8_t *codes, const uint8_t *scales,
                            size_t rows, size_t cols, uint16_t *out)
{
    dh_assert(cols % DH_QUANT_MX_BLOCK == 0);
    float value_of[256];
    for (int i = 0; i < 256; i++)
        value_of[i] = dh_quant_e4m3((uint8_t)i);
    for (size_t b = 0; b < rows * cols / DH_QUANT_MX_BLOCK; b++) {
        float scale = dh_quant_e8m0(scales[b]);
        const uint8_t *in = codes + b * DH_QUANT_MX_BLOCK;
        uint16_t *to = out + b * DH_QUANT_MX_BLOCK;
        for (int i = 0; i < DH_QUANT_MX_BLOCK; i++)
            to[i] = dh_f32_to_bf16(value_of[in[i]] * scale);
    }
}
