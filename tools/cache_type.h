/* tools/cache_type.h - the option for what keys and values are kept as. */
#ifndef DH_TOOLS_CACHE_TYPE_H
#define DH_TOOLS_CACHE_TYPE_H

#include "base/opts.h"
#include "model/model.h"

/* --cache-type, for an int of enum dh_cache_type. */
#define DH_CACHE_TYPE_OPT(type, member)                                       \
    {                                                                         \
        "cache-type", 0, DH_OPT_ENUM, offsetof(type, member), "TYPE",         \
            "What keys and values of earlier tokens are kept as: auto (what " \
            "--kernels multiplies: bfloat16 or float32), int8 (8 bits with "  \
            "a scale for each token and head: half the memory of bfloat16)",  \
            0, 0, dh_cache_type_names                                         \
    }

#endif
