// Which kernels this machine can run, the fastest first.
#include <stdbool.h>
#include <string.h>

#include "base/cpu.h"
#include "base/mem.h"
#include "model/backend_priv.h"

struct choice {
    const struct dh_kernels *k;
    bool (*works)(void);
};

static bool always(void)
{
    return true;
}

#if defined(__x86_64__)
#    include <cpuid.h>

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq");
}

static bool has_avx512vnni(void)
{
    return has_avx512() && __builtin_cpu_supports("avx512vnni");
}

static bool has_avx512bf16(void)
{
    // Every processor with BF16 has VNNI.
    return has_avx512vnni() && __builtin_cpu_supports("avx512bf16");
}

static bool has_amx(void)
{
    // Every processor with AMX has VBMI.
    return has_avx512bf16() && dh_cpu_has_amx();
}

static bool has_avx2(void)
{
    // Every processor with AVX2 has F16C, which clang cannot ask for by name.
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avxvnni(void)
{
    unsigned a = 0, b, c, d;
    // Compilers that know it cannot all ask for it by name.
    return has_avx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && a >> 4 & 1;
}
#endif

#if defined(__aarch64__)
#    include <sys/auxv.h>

static bool has_dotprod(void)
{
    return getauxval(AT_HWCAP) >> 20 & 1; // HWCAP_ASIMDDP
}
#endif

static const struct choice choices[] = {
#if defined(__x86_64__)
    { &dh_kernels_amx, has_amx },
    { &dh_kernels_avx512bf16, has_avx512bf16 },
    { &dh_kernels_avx512vnni, has_avx512vnni },
    { &dh_kernels_avxvnni, has_avxvnni },
    { &dh_kernels_avx512, has_avx512 },
    { &dh_kernels_avx2int8, has_avx2 },
    { &dh_kernels_avx2, has_avx2 },
#elif defined(__aarch64__)
    { &dh_kernels_neondotprod, has_dotprod },
    { &dh_kernels_neonint8, always },
    { &dh_kernels_neon, always },
#endif
    { &dh_kernels_ref, always },
};

const struct dh_kernels *dh_kernels_find(const char *name)
{
    bool any = !name || strcmp(name, "auto") == 0;
    bool exact = name && strcmp(name, "float32") == 0;
    for (size_t i = 0; i < DH_COUNTOF(choices); i++) {
        const struct dh_kernels *k = choices[i].k;
        bool meant = any || (exact && !k->pairs && !k->ints) ||
                     (name && strcmp(name, k->name) == 0);
        if (meant && choices[i].works())
            return k;
    }
    return NULL;
}
