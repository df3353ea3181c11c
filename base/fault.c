#include "base/fault.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"

// Never freed, but used again: the handler walks them while others come and go.
struct dh_fault {
    struct dh_fault *next;   // set before it is in the list
    atomic_bool taken, lost; // lost: not cleared while it is taken
    _Atomic(uintptr_t) begin;
    atomic_size_t len; // 0: not watched
};

static _Atomic(struct dh_fault *) first;
static struct sigaction before;
static uintptr_t page;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void on_bus(int sig, siginfo_t *info, void *context)
{
    uintptr_t at = (uintptr_t)info->si_addr;
    (void)context;
    for (struct dh_fault *f = atomic_load(&first); f; f = f->next) {
        size_t len = atomic_load(&f->len);
        uintptr_t begin = atomic_load(&f->begin);
        if (at - begin >= len)
            continue;
        // All that follows, since a signal for each page takes long. mmap is a
        // system call and nothing else; it may be called here.
        uintptr_t from = at & ~(page - 1);
        atomic_store(&f->lost, true);
        void *zeros = mmap((void *)from, begin + len - from, PROT_READ,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        if (zeros != MAP_FAILED)
            return;
    }
    // Not ours: what raised it does so again, and ends the process.
    sigaction(sig, &before, NULL);
}

static void install(void)
{
    struct sigaction sa = { .sa_sigaction = on_bus, .sa_flags = SA_SIGINFO };
    page = (uintptr_t)sysconf(_SC_PAGESIZE);
    sigemptyset(&sa.sa_mask);
    dh_assert(sigaction(SIGBUS, &sa, &before) == 0);
}

static struct dh_fault *take(void)
{
    for (struct dh_fault *f = atomic_load(&first); f; f = f->next) {
        bool taken = false;
        if (atomic_compare_exchange_strong(&f->taken, &taken, true))
            return f;
    }
    struct dh_fault *f;
    dh_new(f);
    atomic_store(&f->taken, true);
    f->next = atomic_load(&first);
    while (!atomic_compare_exchange_weak(&first, &f->next, f))
        ;
    return f;
}

struct dh_fault *dh_fault_watch(const void *p, size_t len)
{
    pthread_once(&once, install);
    struct dh_fault *f = take();
    atomic_store(&f->lost, false);
    atomic_store(&f->begin, (uintptr_t)p);
    atomic_store(&f->len, len);
    return f;
}

void dh_fault_forget(struct dh_fault *f)
{
    if (!f)
        return;
    atomic_store(&f->len, 0);
    atomic_store(&f->taken, false);
}

bool dh_fault_is_lost(const struct dh_fault *f)
{
    return atomic_load_explicit(&f->lost, memory_order_relaxed);
}
