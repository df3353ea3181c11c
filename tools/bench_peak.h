/*
 * tools/bench_peak.h - the limits of this machine: arithmetic, memory, disk.
 *
 * Measured, not looked up: what a figure of `bench model` is a share of.
 */
#ifndef DH_TOOLS_BENCH_PEAK_H
#define DH_TOOLS_BENCH_PEAK_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct dh_pool;

/* All threads of the pool together; 0: this machine has no such units. The
 * best of some tries, since only interruptions make it worse. */
struct dh_bench_peak {
    /* a second, a multiply-add counted as two; of several units the fastest */
    double f32_flops, bf16_flops, int8_flops;
    double read_bytes; /* a second, from memory past the caches */
    double
        near_bytes; /* the same of what was read just before, if it is more */
};

/* `near`: bytes that are read again and again; what fits there is in the
 * caches. DH_ERR_NOMEM where there is no room for what is read. */
DH_MUST_USE enum dh_status dh_bench_peak_measure(struct dh_pool *pool,
                                                 size_t near,
                                                 struct dh_bench_peak *out);

/* Bytes a second from a file, past the system's page cache: pieces of 1 MiB far
 * apart, 8 at a time, the best of some tries. 0, with a warning: it cannot be
 * told. */
double dh_bench_peak_disk(const char *path);

/* The operations that were done on one core; x86-64 only. */
double dh_bench_peak_f32_avx512(int64_t rounds);
double dh_bench_peak_pairs_avx512(int64_t rounds);
double dh_bench_peak_ints_avx512(int64_t rounds);
double dh_bench_peak_pairs_amx(int64_t rounds);
double dh_bench_peak_ints_amx(int64_t rounds);
/* Reads so many bytes, a multiple of 1024, and returns something of them. */
double dh_bench_peak_read_avx512(const void *from, size_t bytes);
double dh_bench_peak_f32_avx2(int64_t rounds);

#endif
