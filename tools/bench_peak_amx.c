// How many multiply-adds one core does in the tiles of AMX.
#if defined(__x86_64__)

#    include <immintrin.h>

#    include "tools/bench_peak.h"

// Full tiles: the first four are sums, and what is multiplied is zero, which
// takes as long as anything else.
static const struct {
    uint8_t palette, none[15];
    uint16_t bytes[16];
    uint8_t rows[16];
} shapes = { .palette = 1,
             .bytes = { 64, 64, 64, 64, 64, 64, 64, 64 },
             .rows = { 16, 16, 16, 16, 16, 16, 16, 16 } };

static void zero(void)
{
    __asm__ volatile("ldtilecfg %0" : : "m"(shapes));
    _tile_zero(4);
    _tile_zero(5);
    _tile_zero(6);
    _tile_zero(7);
}

double dh_bench_peak_pairs_amx(int64_t rounds)
{
    zero();
    for (int64_t r = 0; r < rounds / 4; r++) {
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_release();
    return (double)(rounds / 4) * 4 * 16 * 16 * 32 * 2;
}

double dh_bench_peak_ints_amx(int64_t rounds)
{
    zero();
    for (int64_t r = 0; r < rounds / 4; r++) {
        _tile_dpbssd(0, 4, 6);
        _tile_dpbssd(1, 4, 7);
        _tile_dpbssd(2, 5, 6);
        _tile_dpbssd(3, 5, 7);
    }
    _tile_release();
    return (double)(rounds / 4) * 4 * 16 * 16 * 64 * 2;
}

#else
typedef int dh_bench_peak_amx_unused;
#endif
