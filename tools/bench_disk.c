#include "tools/bench_peak.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/thread.h"

#define DH_LOG_TAG "bench"
#include "base/log.h"

#define READERS    8
#define PIECE      ((size_t)1 << 20)
#define PIECES_MAX 512
#define TRIES      3
#define BLOCK      4096 // what memory and places of a direct read are aligned to

struct disk {
    int fd;
    size_t in_file;     // pieces
    atomic_size_t next; // to read
    atomic_size_t pieces;
    size_t n;
    uint8_t *memory; // a piece for each reader
    atomic_int reader;
};

// Far apart, since the experts of a token are.
static void read_pieces(void *arg)
{
    struct disk *d = arg;
    uint8_t *to = d->memory + (size_t)atomic_fetch_add(&d->reader, 1) * PIECE;
    for (;;) {
        size_t i = atomic_fetch_add(&d->next, 1);
        off_t at = (off_t)(i * 7919 % d->in_file * PIECE);
        if (i >= d->n || pread(d->fd, to, PIECE, at) != (ssize_t)PIECE)
            return;
        atomic_fetch_add(&d->pieces, 1);
    }
}

static double measure(struct disk *d)
{
    struct dh_thread readers[READERS] = { 0 };
    atomic_store(&d->next, 0);
    atomic_store(&d->pieces, 0);
    atomic_store(&d->reader, 0);
    int64_t start = dh_now_ns();
    bool good = true;
    for (int i = 0; i < READERS; i++)
        good &= !dh_thread_start(&readers[i], "dh-read", read_pieces, d);
    for (int i = 0; i < READERS; i++)
        dh_thread_join(&readers[i]);
    double s = dh_seconds_since(start);
    size_t read = atomic_load(&d->pieces);
    return good && read == d->n ? (double)(read * PIECE) / s : 0;
}

double dh_bench_peak_disk(const char *path)
{
    struct disk d = { 0 };
    struct stat info;
    double speed = 0;
    d.fd = open(path, O_RDONLY | O_CLOEXEC | O_DIRECT);
    if (d.fd < 0 || fstat(d.fd, &info) != 0) {
        dh_warn("how fast %s is read is not known: %s", path, strerror(errno));
        if (d.fd >= 0)
            close(d.fd);
        return 0;
    }
    d.in_file = (size_t)info.st_size / PIECE;
    d.n = DH_MIN(d.in_file, PIECES_MAX);
    uint8_t *memory = dh_big_alloc(READERS * PIECE + BLOCK);
    if (memory && d.n > 0) {
        d.memory = memory + (BLOCK - (uintptr_t)memory % BLOCK) % BLOCK;
        for (int i = 0; i < TRIES; i++)
            speed = DH_MAX(speed, measure(&d));
    }
    dh_big_free(memory);
    close(d.fd);
    return speed;
}
