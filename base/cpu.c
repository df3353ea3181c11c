#include "base/cpu.h"

#if defined(__x86_64__) && defined(__linux__)
#    include <cpuid.h>
#    include <sys/syscall.h>
#    include <unistd.h>

bool dh_cpu_has_amx(void)
{
    enum { ASK = 0x1023, TILES = 18 }; // ARCH_REQ_XCOMP_PERM, XTILEDATA
    const unsigned needed = 1u << 22 | 1u << 24 | 1u << 25; // BF16, TILE, INT8
    unsigned a, b, c, d = 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & needed) == needed &&
           syscall(SYS_arch_prctl, ASK, TILES) == 0;
}
#else
bool dh_cpu_has_amx(void)
{
    return false;
}
#endif
