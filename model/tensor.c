#include "model/tensor_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/assert.h"
#include "base/mem.h"

#define DH_LOG_TAG "tensor"
#include "base/log.h"

static const struct {
    const char *name;
    size_t block, bytes;
} dtypes[DH_DTYPE_COUNT] = {
    [DH_F32] = { "F32", 1, 4 },
    [DH_F16] = { "F16", 1, 2 },
    [DH_BF16] = { "BF16", 1, 2 },
    [DH_F8_E4M3] = { "F8_E4M3", 1, 1 },
    [DH_F8_E8M0] = { "F8_E8M0", 1, 1 },
    [DH_U8] = { "U8", 1, 1 },
    [DH_I8] = { "I8", 1, 1 },
    [DH_I32] = { "I32", 1, 4 },
    [DH_I64] = { "I64", 1, 8 },
    [DH_Q8_0] = { "Q8_0", 32, 34 },
    [DH_Q4_0] = { "Q4_0", 32, 18 },
    [DH_Q4_1] = { "Q4_1", 32, 20 },
    [DH_Q5_0] = { "Q5_0", 32, 22 },
    [DH_Q5_1] = { "Q5_1", 32, 24 },
    [DH_Q2_K] = { "Q2_K", 256, 84 },
    [DH_Q3_K] = { "Q3_K", 256, 110 },
    [DH_Q4_K] = { "Q4_K", 256, 144 },
    [DH_Q5_K] = { "Q5_K", 256, 176 },
    [DH_Q6_K] = { "Q6_K", 256, 210 },
    [DH_IQ4_NL] = { "IQ4_NL", 32, 18 },
    [DH_IQ4_XS] = { "IQ4_XS", 256, 136 },
    [DH_MXFP4] = { "MXFP4", 32, 17 },
    [DH_NVFP4] = { "NVFP4", 16, 8 },
};

const char *dh_dtype_name(enum dh_dtype t)
{
    return dtypes[t].name;
}

size_t dh_dtype_bytes(enum dh_dtype t)
{
    return dtypes[t].bytes;
}

size_t dh_dtype_block(enum dh_dtype t)
{
    return dtypes[t].block;
}

float dh_f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16;
    uint32_t exponent = (h >> 10) & 31, fraction = h & 0x3ff;
    uint32_t u;
    if (exponent == 31) {
        u = sign | 0x7f800000 | fraction << 13;
    } else if (exponent != 0) {
        u = sign | (exponent + 112) << 23 | fraction << 13;
    } else {
        // A subnormal counts steps of 2^-24, which float32 holds exactly.
        float f = (float)fraction * 0x1p-24f;
        return sign ? -f : f;
    }
    float f;
    memcpy(&f, &u, sizeof(f));
    return f;
}

uint16_t dh_f32_to_f16(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof(u));
    uint32_t sign = (u >> 16) & 0x8000, magnitude = u & 0x7fffffff;
    if (magnitude > 0x7f800000)
        return (uint16_t)(sign | 0x7e00);
    if (magnitude >= 0x477ff000)
        return (uint16_t)(sign | 0x7c00);
    if (magnitude < 0x38800000) {
        // Adding 0.5 puts the last kept bit of a half's subnormal at the last
        // bit of the float, and so lets the machine do the rounding.
        float a;
        memcpy(&a, &magnitude, sizeof(a));
        a += 0.5f;
        memcpy(&magnitude, &a, sizeof(magnitude));
        return (uint16_t)(sign | (magnitude - 0x3f000000));
    }
    uint32_t rounded = magnitude - 0x38000000 + 0xfff + ((magnitude >> 13) & 1);
    return (uint16_t)(sign | rounded >> 13);
}

bool dh_dtype_is_float(enum dh_dtype t)
{
    return t == DH_F32 || t == DH_F16 || t == DH_BF16;
}

void dh_tensor_to_f32(enum dh_dtype t, const void *src, size_t n, float *dst)
{
    dh_assert(dh_dtype_is_float(t));
    if (t == DH_F32) {
        memcpy(dst, src, n * sizeof(*dst));
        return;
    }
    const uint8_t *p = src;
    for (size_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, p + 2 * i, sizeof(h));
        dst[i] = t == DH_BF16 ? dh_bf16_to_f32(h) : dh_f16_to_f32(h);
    }
}

const char *dh_tensor_shape_text(const int64_t *shape, int n_dims, char *out,
                                 size_t out_bytes)
{
    size_t at = 0;
    for (int i = 0; i < n_dims && at < out_bytes; i++) {
        int n = snprintf(out + at, out_bytes - at, "%s%" PRId64, i ? ", " : "[",
                         shape[i]);
        at += (size_t)n;
    }
    if (n_dims == 0)
        snprintf(out, out_bytes, "[");
    at = strlen(out);
    if (at + 1 < out_bytes)
        memcpy(out + at, "]", 2);
    return out;
}

bool dh_tensor_has_shape(const struct dh_tensor *t, const int64_t *shape,
                         int n_dims)
{
    return t->n_dims == n_dims &&
           memcmp(t->shape, shape, (size_t)n_dims * sizeof(*shape)) == 0;
}

// Below this a checkpoint is read ahead; above, the experts are touched here
// and there, and reading ahead would push out what is in use.
#define READ_AHEAD_MAX ((size_t)4 << 30)

void dh_tensors_advise(const struct dh_tensors *t, bool forget)
{
    size_t total = 0;
    for (int i = 0; i < t->n_files; i++)
        total += t->files[i].map.len;
    int how = forget                   ? MADV_DONTNEED
              : total > READ_AHEAD_MAX ? MADV_RANDOM
                                       : MADV_WILLNEED;
    for (int i = 0; i < t->n_files; i++) {
        const struct dh_map *map = &t->files[i].map;
        // Only a hint, and so its result does not matter.
        (void)madvise((void *)(uintptr_t)map->data, map->len, how);
    }
}

enum dh_status dh_tensors_check(const struct dh_tensors *t)
{
    for (int i = 0; i < t->n_files; i++) {
        if (!dh_map_is_lost(&t->files[i].map))
            continue;
        dh_error("%s was cut short or cannot be read any more: start again "
                 "with a whole one",
                 t->files[i].path);
        return DH_ERR_IO;
    }
    return DH_OK;
}

static int by_name(const void *a, const void *b)
{
    const struct dh_tensor *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static int by_place(const void *a, const void *b)
{
    const struct dh_tensor *const *x = a, *const *y = b;
    if ((*x)->data != (*y)->data)
        return (uintptr_t)(*x)->data < (uintptr_t)(*y)->data ? -1 : 1;
    return (*x)->bytes < (*y)->bytes ? -1 : (*x)->bytes > (*y)->bytes;
}

const struct dh_tensor *dh_tensors_find(const struct dh_tensors *all,
                                        const char *name)
{
    struct dh_tensor key = { .name = name };
    return bsearch(&key, all->at, all->n, sizeof(key), by_name);
}

static bool find_overlap(const struct dh_tensor *t, size_t n,
                         const struct dh_tensor *pair[2])
{
    const struct dh_tensor **order;
    bool found = false;
    dh_array(order, n);
    for (size_t i = 0; i < n; i++)
        order[i] = &t[i];
    qsort(order, n, sizeof(*order), by_place);
    for (size_t i = 1; i < n && !found; i++) {
        pair[0] = order[i - 1];
        pair[1] = order[i];
        found = pair[0]->shard == pair[1]->shard &&
                pair[0]->data + pair[0]->bytes > pair[1]->data;
    }
    dh_free(order);
    return found;
}

enum dh_tensors_fault dh_tensors_sort(struct dh_tensor *t, size_t n,
                                      const struct dh_tensor *pair[2])
{
    qsort(t, n, sizeof(*t), by_name);
    for (size_t i = 1; i < n; i++) {
        pair[0] = &t[i - 1];
        pair[1] = &t[i];
        if (strcmp(t[i - 1].name, t[i].name) == 0)
            return DH_TENSORS_TWICE;
    }
    return find_overlap(t, n, pair) ? DH_TENSORS_OVERLAP : DH_TENSORS_FINE;
}
