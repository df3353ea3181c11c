#include "base/late.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

#define DH_LOG_TAG "late"
#include "base/log.h"

#define LIBRARIES_MAX 8

static pthread_mutex_t rows_lock = // allowed: so are the libraries
    PTHREAD_MUTEX_INITIALIZER;

void dh_late_absent(void)
{
    dh_assert_failed("a library is loaded before it is called", __FILE__,
                     __LINE__);
}

static enum dh_status row_fill(const struct dh_late *lib,
                               const struct dh_late_row *row,
                               void *const *handles, int n)
{
    void *at = NULL;
    for (int i = 0; i < n && !at; i++)
        at = dlsym(handles[i], row->name);
    if (!at) {
        dh_error("the installed %s has no %s", lib->what, row->name);
        return DH_ERR_UNSUPPORTED;
    }
    // POSIX has it that one fits into the other.
    memcpy(row->to, &at, sizeof at);
    return DH_OK;
}

// They stay: nothing ever unloads them.
static enum dh_status libraries_open(const struct dh_late *lib, void **handles,
                                     int *n)
{
    for (*n = 0; lib->sonames[*n]; ++*n) {
        dh_assert(*n < LIBRARIES_MAX);
        handles[*n] = dlopen(lib->sonames[*n], RTLD_LAZY | RTLD_LOCAL);
        if (handles[*n])
            continue;
        dh_error("%s cannot be loaded: %s", lib->what, dlerror());
        return DH_ERR_UNSUPPORTED;
    }
    return DH_OK;
}

enum dh_status dh_late_load(const struct dh_late *lib)
{
    void *handles[LIBRARIES_MAX];
    int n = 0, rows = 0;
    enum dh_status st = DH_OK;
    while (lib->rows[rows].name)
        rows++;
    pthread_mutex_lock(&rows_lock);
    bool there = rows == 0 || *lib->rows[rows - 1].to != dh_late_absent;
    if (!there)
        st = libraries_open(lib, handles, &n);
    for (int i = 0; i < rows && !there && !st; i++)
        st = row_fill(lib, &lib->rows[i], handles, n);
    pthread_mutex_unlock(&rows_lock);
    return st;
}
