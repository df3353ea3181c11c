/* base/cpu.h - what the processor has and the kernel has to grant first. */
#ifndef DH_BASE_CPU_H
#define DH_BASE_CPU_H

#include <stdbool.h>

/*
 * The tiles of AMX, with products of bfloat16 and of 8 bits. Their registers
 * are more than a thread's state has room for until the kernel is asked, once
 * for all threads of the process: this asks. False: not there, or refused. Any
 * thread, any number of times.
 */
bool dh_cpu_has_amx(void);

#endif
