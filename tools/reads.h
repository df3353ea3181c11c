/* tools/reads.h - what a budget of memory for weights (--memory) came to. */
#ifndef DH_TOOLS_READS_H
#define DH_TOOLS_READS_H

#include <stdio.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/opts.h"
#include "model/model.h"

/* The line of a table of options whose struct has the int64_t `member`. */
#define DH_READS_OPT(type, member)                                           \
    {                                                                        \
        "memory", 0, DH_OPT_SIZE, offsetof(type, member), "SIZE",            \
            "Memory for weights, as in 500M or 24G: experts that do not "    \
            "fit are read from the disk when they are needed (default: the " \
            "system keeps what it can)",                                     \
            0, 0x1p60, NULL                                                  \
    }

/* The same with the text `member` of a vision file. */
#define DH_MMPROJ_OPT(type, member)                                            \
    {                                                                          \
        "mmproj", 0, DH_OPT_TEXT, offsetof(type, member), "FILE",              \
            "The vision file of a .gguf (default: mmproj*.gguf beside it)", 0, \
            0, NULL                                                            \
    }

/* One line. */
void dh_reads_text(struct dh_buf *out, const struct dh_model_reads *r);
void dh_reads_print(FILE *to, const struct dh_model_reads *r);
/* The same, or {"event":"end","memory":...} on standard output. */
void dh_reads_end(FILE *to, bool json, const struct dh_model_reads *r);
/* The member "memory". */
void dh_reads_put(struct dh_json_writer *w, const struct dh_model_reads *r);

#endif
