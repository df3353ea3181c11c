#include "model/snapshot_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#define DH_LOG_TAG "snapshot"
#include "base/log.h"

#define BOUNCE ((size_t)64 << 10)

// In this machine's byte order, as the cache is.
struct head {
    char magic[8];
    uint64_t model; // fingerprint
    uint64_t len;   // tokens
    uint64_t bytes; // that follow: ids, tags, whole pages of the cache
    uint32_t crc;   // of them
    uint32_t layout;
};

static const char magic[8] = "dhcache2";

// Two models whose norms are all the same are taken for one.
static uint64_t fingerprint(const struct dh_model *m)
{
    const struct dh_text_config *t = &m->config.text;
    size_t bytes = (size_t)t->hidden_size * sizeof(float);
    uint64_t h = dh_hash_bytes(m->weights.norm, bytes);
    // The numbers before the first bool have no gaps between them.
    uint64_t all[] = {
        h,
        m->info.parameters,
        m->info.weight_bytes,
        dh_hash_bytes(t, offsetof(struct dh_text_config, tie_word_embeddings)),
        dh_hash_bytes(t->layer_sparse, sizeof t->layer_sparse),
    };
    for (int l = 0; l < t->num_hidden_layers; l++) {
        all[0] = dh_hash_bytes(all, sizeof all);
        all[0] ^= dh_hash_bytes(m->weights.layers[l].input_layernorm, bytes);
    }
    return dh_hash_bytes(all, sizeof all);
}

static uint32_t layout(const struct dh_snapshot *s)
{
    return DH_PANEL | (s->cache->pairs ? 1U << 16 : 0) |
           (s->cache->index_pairs ? 1U << 17 : 0) |
           (s->cache->codes ? 1U << 18 : 0);
}

// Ids, tags and pages of `len` tokens, of which the first `kept` are in the
// cache: the others' have no length here. Free it with dh_free.
static struct iovec *pieces(const struct dh_snapshot *s, size_t len,
                            size_t kept, size_t *n)
{
    const struct dh_kvcache *c = s->cache;
    size_t mine = (kept + DH_PAGE - 1) / DH_PAGE;
    struct iovec *all;
    *n = 2 + (len + DH_PAGE - 1) / DH_PAGE;
    dh_array(all, *n + 1); // one more for a head
    all[0] = (struct iovec){ s->ids, kept * sizeof *s->ids };
    all[1] = (struct iovec){ s->tags, kept * sizeof *s->tags };
    for (size_t i = 0; i < mine; i++)
        all[2 + i] =
            (struct iovec){ c->page[i], c->page_floats * sizeof(float) };
    return all;
}

enum dh_status dh_snapshot_write(const struct dh_snapshot *s, size_t len,
                                 const char *path)
{
    size_t n;
    struct iovec *all = pieces(s, len, len, &n);
    struct head h = { .model = fingerprint(s->model),
                      .len = len,
                      .layout = layout(s) };
    memcpy(h.magic, magic, sizeof h.magic);
    for (size_t i = 0; i < n; i++) {
        h.crc = (uint32_t)crc32_z(h.crc, all[i].iov_base, all[i].iov_len);
        h.bytes += all[i].iov_len;
    }
    memmove(all + 1, all, n * sizeof *all);
    all[0] = (struct iovec){ &h, sizeof h };
    enum dh_status st = dh_file_write_parts(path, all, n + 1, true);
    dh_free(all);
    return st;
}

// --- reading ----------------------------------------------------------------

struct reader {
    int fd;
    const char *path;
    uint32_t crc;
    unsigned char bounce[BOUNCE];
};

static enum dh_status bad(const struct reader *r, const char *why)
{
    dh_error("cache %s: %s", r->path, why);
    return DH_ERR_FORMAT;
}

static enum dh_status read_whole(struct reader *r, void *to, size_t n)
{
    unsigned char *at = to;
    while (n > 0) {
        ssize_t got = read(r->fd, at, n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            dh_error("cannot read %s: %s", r->path, strerror(errno));
            return DH_ERR_IO;
        }
        if (got == 0)
            return bad(r, "it is cut short");
        r->crc = (uint32_t)crc32_z(r->crc, at, (size_t)got);
        at += got;
        n -= (size_t)got;
    }
    return DH_OK;
}

// The first `kept` of `bytes` bytes; the others only count for the sum.
static enum dh_status read_piece(struct reader *r, const struct iovec *to,
                                 size_t bytes)
{
    size_t kept = DH_MIN(to->iov_len, bytes);
    enum dh_status st = read_whole(r, to->iov_base, kept);
    for (bytes -= kept; bytes > 0 && !st; bytes -= kept) {
        kept = DH_MIN(bytes, BOUNCE);
        st = read_whole(r, r->bounce, kept);
    }
    return st;
}

static enum dh_status check_ids(const struct reader *r,
                                const struct dh_snapshot *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (s->ids[i] < 0 || s->ids[i] >= s->model->info.vocab_size)
            return bad(r, "it has an id beyond the vocabulary");
    return DH_OK;
}

static enum dh_status read_pieces(struct reader *r, const struct dh_snapshot *s,
                                  const struct head *h, size_t *len)
{
    size_t all = (size_t)h->len, kept = DH_MIN(all, s->max_tokens), n;
    size_t page = s->cache->page_floats * sizeof(float), pages, bytes;
    size_t texts = sizeof *s->ids + sizeof *s->tags;
    if (!dh_mul_size((all + DH_PAGE - 1) / DH_PAGE, page, &pages) ||
        !dh_mul_size(all, texts, &bytes) ||
        !dh_add_size(bytes, pages, &bytes) || bytes != h->bytes)
        return bad(r, "its size is not that of its tokens");
    dh_kvcache_open(s->cache, 0, kept);
    struct iovec *mine = pieces(s, all, kept, &n);
    enum dh_status st = DH_OK;
    r->crc = 0;
    for (size_t i = 0; i < n && !st; i++)
        st = read_piece(r, &mine[i],
                        i == 0   ? all * sizeof *s->ids
                        : i == 1 ? all * sizeof *s->tags
                                 : page);
    if (!st && r->crc != h->crc)
        st = bad(r, "it is damaged");
    if (!st)
        st = check_ids(r, s, kept);
    if (!st)
        *len = kept;
    dh_free(mine);
    return st;
}

static enum dh_status read_all(struct reader *r, const struct dh_snapshot *s,
                               size_t *len)
{
    struct head h;
    struct stat info;
    if (fstat(r->fd, &info) || !S_ISREG(info.st_mode))
        return bad(r, "it is no plain file");
    enum dh_status st = read_whole(r, &h, sizeof h);
    if (st)
        return st;
    if (memcmp(h.magic, magic, sizeof h.magic) != 0)
        return bad(r, "it is no cache of deskhand's, or of another version");
    if (h.model != fingerprint(s->model))
        return bad(r, "it is of another model");
    if (h.layout != layout(s))
        return bad(r, "it was written with other --kernels or another "
                      "--cache-type");
    if (h.len > (uint64_t)info.st_size ||
        h.bytes != (uint64_t)info.st_size - sizeof h)
        return bad(r, "it is cut short");
    return read_pieces(r, s, &h, len);
}

enum dh_status dh_snapshot_read(const struct dh_snapshot *s, size_t *len,
                                const char *path)
{
    struct reader *r;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT) {
        dh_info("there is no cache %s yet", path);
        return DH_ERR_NOTFOUND;
    }
    if (fd < 0) {
        dh_error("cannot open %s: %s", path, strerror(errno));
        return DH_ERR_IO;
    }
    dh_new(r);
    r->fd = fd;
    r->path = path;
    enum dh_status st = read_all(r, s, len);
    dh_free(r);
    close(fd);
    return st;
}
