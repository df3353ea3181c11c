/*
 * base/late.h - libraries that are loaded when they are first needed.
 *
 * Most commands need neither FFmpeg nor a window, and loading such libraries
 * takes longer than all the rest of their start. For each function that is used
 * of such a library, DH_LATE_STUB makes one of that name here, which jumps to
 * the library's. So its callers include its headers and call it as ever, but
 * dh_late_load comes first; a function that is not listed does not link.
 *
 * Without DH_LATE (make LATE=no, and processors other than x86-64) the stubs
 * are empty, and the libraries are linked.
 */
#ifndef DH_BASE_LATE_H
#define DH_BASE_LATE_H

#include "base/status.h"

typedef void (*dh_late_fn)(void);

struct dh_late_row {
    const char *name;
    dh_late_fn *to;
};

/* Constant. */
struct dh_late {
    const char *what;               /* for people */
    const char *const *sonames;     /* ends with NULL */
    const struct dh_late_row *rows; /* ends with a name of NULL */
};

/* What a stub leads to before: our mistake, and the end of the process. */
DH_NORETURN void dh_late_absent(void);

// clang-format off
#ifdef DH_LATE
/* The jump leaves registers and stack as they are, so any arguments pass. */
#    define DH_LATE_STUB(name)                                                \
        __attribute__((used)) static dh_late_fn late_##name = dh_late_absent; \
        __asm__(".pushsection .text\n"                                        \
                ".globl " #name "\n.hidden " #name "\n.type " #name           \
                ", @function\n" #name ":\n\tendbr64\n\tjmp *late_" #name      \
                "(%rip)\n.size " #name ", . - " #name "\n.popsection");
#    define DH_LATE_ROW(fn) { .to = &late_##fn, .name = #fn },
#else
#    define DH_LATE_STUB(name)
#    define DH_LATE_ROW(fn)
#endif
// clang-format on

/* Any thread, more than once. DH_ERR_UNSUPPORTED: the library is not installed,
 * or lacks a function; a later call tries again. */
DH_MUST_USE enum dh_status dh_late_load(const struct dh_late *lib);

#endif
