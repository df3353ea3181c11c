// The fast kernels for NEON, which every 64-bit ARM processor has.
#if defined(__aarch64__)

#    include <arm_neon.h>
#    include <math.h>
#    include <string.h>

#    include "model/backend_priv.h"
#    include "model/tensor_priv.h"

#    define W        4
#    define TILE_MAX 12
typedef float32x4_t vec;

#    define load(p)      vld1q_f32(p)
#    define store(p, v)  vst1q_f32(p, v)
#    define set1(f)      vdupq_n_f32(f)
#    define add(a, b)    vaddq_f32(a, b)
#    define sub(a, b)    vsubq_f32(a, b)
#    define mul(a, b)    vmulq_f32(a, b)
#    define divide(a, b) vdivq_f32(a, b)
#    define fma(a, b, c) vfmaq_f32(c, a, b)
#    define vmax(a, b)   vmaxq_f32(a, b)
#    define larger(a, b) vmaxnmq_f32(a, b)
#    define vmin(a, b)   vminq_f32(a, b)
#    define nearest(a)   vrndnq_f32(a)
#    define sum_of(v)    vaddvq_f32(v)
#    define max_of(v)    vmaxvq_f32(v)

// p * 2^n; what would not be a normal number becomes zero.
static inline __attribute__((always_inline)) vec pow2(vec p, vec n)
{
    int32x4_t e = vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127));
    vec by = vreinterpretq_f32_s32(vshlq_n_s32(e, 23));
    uint32x4_t small = vcltq_f32(n, vdupq_n_f32(-126.0f));
    uint32x4_t bits = vreinterpretq_u32_f32(vmulq_f32(p, by));
    return vreinterpretq_f32_u32(vbicq_u32(bits, small));
}

static inline __attribute__((always_inline)) vec widen(enum dh_dtype type,
                                                       const void *p)
{
    if (type == DH_F32)
        return vld1q_f32(p);
    uint16x4_t h = vld1_u16(p);
    if (type == DH_F16)
        return vcvt_f32_f16(vreinterpret_f16_u16(h));
    return vreinterpretq_f32_u32(vshll_n_u16(h, 16));
}

static inline __attribute__((always_inline)) vec load_codes(const int8_t *p)
{
    int32_t four;
    memcpy(&four, p, sizeof(four));
    int16x8_t wide = vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(four)));
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(wide)));
}

#    define load_bits(p) \
        vreinterpretq_f32_u8(vld1q_u8((const uint8_t *)(const void *)(p)))
#    define low_half(v) \
        vreinterpretq_f32_u32(vshlq_n_u32(vreinterpretq_u32_f32(v), 16))
#    define high_half(v)       \
        vreinterpretq_f32_u32( \
            vandq_u32(vreinterpretq_u32_f32(v), vdupq_n_u32(0xffff0000)))

static inline __attribute__((always_inline)) void transpose(vec v[W])
{
    float32x4_t a = vtrn1q_f32(v[0], v[1]), b = vtrn2q_f32(v[0], v[1]);
    float32x4_t c = vtrn1q_f32(v[2], v[3]), d = vtrn2q_f32(v[2], v[3]);
    v[0] = vcombine_f32(vget_low_f32(a), vget_low_f32(c));
    v[1] = vcombine_f32(vget_low_f32(b), vget_low_f32(d));
    v[2] = vcombine_f32(vget_high_f32(a), vget_high_f32(c));
    v[3] = vcombine_f32(vget_high_f32(b), vget_high_f32(d));
}

// After the vectors that it is written in.
#    include "model/cpu/simd_priv.h"
// With the same numbers in plain C.
#    include "model/cpu/expand_priv.h"

#    define ALL_IN_FLOAT32                                                    \
        .tile = tile, .pack = pack, .dot = dot, .soften = soften,             \
        .expand = expand, .widen = widen_codes, .weigh = weigh, .most = most, \
        .scale = scale, .add_scaled = add_scaled, .rmsnorm = rmsnorm,         \
        .layernorm = layernorm, .gelu = gelu, .swiglu = swiglu, .rope = rope

const struct dh_kernels dh_kernels_neon = { .name = "neon", ALL_IN_FLOAT32 };
const struct dh_kernels dh_kernels_neonint8 = { .name = "neonint8",
                                                ALL_IN_FLOAT32,
                                                .ints = &dh_ints_neon };
const struct dh_kernels dh_kernels_neondotprod = {
    .name = "neondotprod", ALL_IN_FLOAT32, .ints = &dh_ints_dotprod_neon
};

#else
typedef int dh_kernels_neon_unused;
#endif
