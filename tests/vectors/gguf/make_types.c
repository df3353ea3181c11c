// types.gguf: blocks of every type that this runtime reads, and the floats that
// ggml makes of them. See README.md.
#include <ggml.h>
#include <gguf.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLS 512
#define ROWS 2

static uint64_t state = 20261127;

static uint32_t next(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33);
}

// About normal: weights as they are.
static float weight(void)
{
    float sum = 0;
    for (int i = 0; i < 12; i++)
        sum += (float)(next() & 0xffff) / 65536;
    return (sum - 6) / 16;
}

static int all_finite(const float *x, int n)
{
    for (int i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return 0;
    return 1;
}

// The first row is quantised weights, the second any bytes whose floats are
// finite.
static void fill(enum ggml_type type, uint8_t *blocks, float *floats)
{
    const struct ggml_type_traits *t = ggml_get_type_traits(type);
    size_t n = ggml_row_size(type, COLS);
    float x[COLS];
    for (int i = 0; i < COLS; i++)
        x[i] = weight();
    ggml_quantize_chunk(type, x, blocks, 0, 1, COLS, NULL);
    t->to_float(blocks, floats, COLS);
    for (int b = 0; b < COLS / t->blck_size; b++) {
        uint8_t *at = blocks + n + (size_t)b * t->type_size;
        float *out = floats + COLS + b * t->blck_size;
        do {
            for (size_t i = 0; i < t->type_size; i++)
                at[i] = (uint8_t)(next() >> 7);
            t->to_float(at, out, t->blck_size);
        } while (!all_finite(out, (int)t->blck_size));
    }
}

int main(int argc, char **argv)
{
    static const enum ggml_type types[] = {
        GGML_TYPE_F16,    GGML_TYPE_BF16,   GGML_TYPE_Q8_0,  GGML_TYPE_Q4_0,
        GGML_TYPE_Q4_1,   GGML_TYPE_Q5_0,   GGML_TYPE_Q5_1,  GGML_TYPE_Q2_K,
        GGML_TYPE_Q3_K,   GGML_TYPE_Q4_K,   GGML_TYPE_Q5_K,  GGML_TYPE_Q6_K,
        GGML_TYPE_IQ4_NL, GGML_TYPE_IQ4_XS, GGML_TYPE_MXFP4,
    };
    struct ggml_init_params ip = { 1 << 20, NULL, false };
    struct ggml_context *c = ggml_init(ip);
    struct gguf_context *g = gguf_init_empty();
    if (argc != 2 || !c || !g)
        return 2;
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        char name[64];
        struct ggml_tensor *q = ggml_new_tensor_2d(c, types[i], COLS, ROWS);
        struct ggml_tensor *f =
            ggml_new_tensor_2d(c, GGML_TYPE_F32, COLS, ROWS);
        fill(types[i], q->data, f->data);
        snprintf(name, sizeof(name), "%s", ggml_type_name(types[i]));
        ggml_set_name(q, name);
        snprintf(name, sizeof(name), "%s.floats", ggml_type_name(types[i]));
        ggml_set_name(f, name);
        gguf_add_tensor(g, q);
        gguf_add_tensor(g, f);
    }
    return gguf_write_to_file(g, argv[1], false) ? 0 : 1;
}
