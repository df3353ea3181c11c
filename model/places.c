#include "model/places_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "model/quant_priv.h"
#include "model/tensor_priv.h"

#define DH_LOG_TAG "experts"
#include "base/log.h"

#define PIECE ((size_t)1 << 20)

struct part {
    const uint8_t *data; // NULL: absent
    size_t bytes;
    size_t align; // of the numbers
    int file;
    uint64_t from;
};

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

static size_t alignment(const struct dh_places *p, int file)
{
    return p->direct[file] ? DH_PLACE_ALIGN : 64;
}

// ------------------------------------------------------------------- finding

static void parts_of(const struct dh_mlp_weights *m, struct part *parts)
{
    const struct dh_mat *mats[] = { &m->gate, &m->up, &m->down };
    for (size_t i = 0; i < DH_COUNTOF(mats); i++) {
        const struct dh_mat *x = mats[i];
        size_t n = (size_t)x->rows * (size_t)x->cols;
        parts[2 * i] = (struct part){
            .data = x->data,
            .bytes = dh_dtype_size(x->dtype, n),
            .align = dh_dtype_is_float(x->dtype) ? dh_dtype_bytes(x->dtype) : 1,
        };
        parts[2 * i + 1] = (struct part){
            .data = x->scales,
            .bytes = x->scales ? n / (size_t)dh_quant_block(x->dtype) : 0,
            .align = 1,
        };
    }
}

// Files are few, and one after the other: the search begins where it ended.
static void find_file(const struct dh_tensors *t, int hint, struct part *part)
{
    for (int i = 0; i < t->n_files; i++) {
        int file = (hint + i) % t->n_files;
        const struct dh_map *map = &t->files[file].map;
        size_t at = (size_t)((uintptr_t)part->data - (uintptr_t)map->data);
        if (at < map->len) {
            part->file = file;
            part->from = at;
            return;
        }
    }
    dh_assert(false); // a view of no file
}

static bool reads_directly(int fd)
{
    uint8_t *block = dh_big_alloc(2 * DH_PLACE_ALIGN);
    if (!block)
        return false;
    uint8_t *aligned =
        block + round_up((uintptr_t)block, DH_PLACE_ALIGN) - (uintptr_t)block;
    bool good = pread(fd, aligned, DH_PLACE_ALIGN, 0) > 0;
    dh_big_free(block);
    return good;
}

static enum dh_status open_file(struct dh_places *p, int i)
{
    const struct dh_tensors_file *f = &p->tensors->files[i];
    struct stat info;
    int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_DIRECT);
    if (fd >= 0 && !reads_directly(fd)) {
        close(fd);
        fd = -1;
    }
    p->direct[i] = fd >= 0;
    if (fd < 0)
        fd = open(f->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) != 0) {
        dh_error("cannot open %s: %s", f->path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return DH_ERR_IO;
    }
    p->fds[i] = fd;
    if ((uint64_t)info.st_size == f->map.len)
        return DH_OK;
    dh_error("%s has changed while it was opened", f->path);
    return DH_ERR_IO;
}

// ------------------------------------------------------------------- placing

static void put_part(struct dh_places *p, struct dh_place *place,
                     const struct part *part, size_t *at)
{
    size_t align = alignment(p, part->file);
    uint64_t from = part->from, end = from + part->bytes;
    struct dh_place_read *r =
        place->n_reads ? &place->reads[place->n_reads - 1] : NULL;
    if (p->direct[part->file]) {
        from -= from % align;
        end = round_up(end, align);
        if (r && r->file == part->file && from <= r->from + r->bytes) {
            r->bytes = DH_MAX(r->bytes, end - r->from);
            *at = r->at + (size_t)(part->from - r->from);
            return;
        }
    }
    size_t used = r ? r->at + r->bytes : 0;
    r = &place->reads[place->n_reads++];
    *r = (struct dh_place_read){ part->file, from, end - from,
                                 round_up(used, align) };
    *at = r->at + (size_t)(part->from - from);
}

static void put_expert(struct dh_places *p, struct dh_place *place,
                       const struct part *parts)
{
    int order[DH_PLACE_PARTS], n = 0;
    for (int i = 0; i < DH_PLACE_PARTS; i++) {
        int at = n;
        if (!parts[i].data)
            continue;
        for (; at > 0 &&
               (uintptr_t)parts[order[at - 1]].data > (uintptr_t)parts[i].data;
             at--)
            order[at] = order[at - 1];
        order[at] = i;
        n++;
    }
    for (int i = 0; i < n; i++)
        put_part(p, place, &parts[order[i]], &place->at[order[i]]);
    const struct dh_place_read *last = &place->reads[place->n_reads - 1];
    p->bytes =
        DH_MAX(p->bytes, round_up(last->at + last->bytes, DH_PLACE_ALIGN));
    for (int i = 0; i < place->n_reads; i++)
        place->n_pieces += (int)((place->reads[i].bytes + PIECE - 1) / PIECE);
}

// Opens the files of one expert. Where numbers are not aligned, they cannot
// stay at the same place of a block, and no block is read directly.
static enum dh_status open_parts(struct dh_places *p, struct part *parts,
                                 int *hint)
{
    for (int i = 0; i < DH_PLACE_PARTS; i++) {
        struct part *x = &parts[i];
        if (!x->data)
            continue;
        find_file(p->tensors, *hint, x);
        *hint = x->file;
        enum dh_status st = p->fds[x->file] < 0 ? open_file(p, x->file) : DH_OK;
        if (st)
            return st;
        if (x->from % x->align == 0 || !p->direct[x->file])
            continue;
        close(p->fds[x->file]);
        p->fds[x->file] =
            open(p->tensors->files[x->file].path, O_RDONLY | O_CLOEXEC);
        p->direct[x->file] = false;
        if (p->fds[x->file] < 0) {
            dh_error("cannot open %s: %s", p->tensors->files[x->file].path,
                     strerror(errno));
            return DH_ERR_IO;
        }
    }
    return DH_OK;
}

// Twice over all experts: what is direct is known only when all were seen.
static enum dh_status place_all(struct dh_places *p,
                                const struct dh_config *config,
                                const struct dh_weights *w, bool opening)
{
    const struct dh_text_config *t = &config->text;
    int hint = 0;
    for (int i = 0; i < t->num_hidden_layers; i++) {
        for (int e = 0; t->layer_moe[i] && e < t->num_local_experts; e++) {
            struct part parts[DH_PLACE_PARTS];
            parts_of(&w->layers[i].experts[e], parts);
            enum dh_status st = open_parts(p, parts, &hint);
            if (st)
                return st;
            if (opening)
                continue;
            put_expert(p, &p->of[i * t->num_local_experts + e], parts);
            p->n++;
        }
    }
    return DH_OK;
}

enum dh_status dh_places_init(struct dh_places *p,
                              const struct dh_config *config,
                              const struct dh_weights *w,
                              const struct dh_tensors *t)
{
    *p = (struct dh_places){ .tensors = t };
    dh_array(p->fds, (size_t)t->n_files);
    dh_array(p->direct, (size_t)t->n_files);
    dh_array(p->of, (size_t)config->text.num_hidden_layers *
                        (size_t)config->text.num_local_experts);
    for (int i = 0; i < t->n_files; i++)
        p->fds[i] = -1;
    enum dh_status st = place_all(p, config, w, true);
    if (!st)
        st = place_all(p, config, w, false);
    if (st)
        dh_places_finish(p);
    return st;
}

void dh_places_finish(struct dh_places *p)
{
    for (int i = 0; p->fds && i < p->tensors->n_files; i++)
        if (p->fds[i] >= 0)
            close(p->fds[i]);
    dh_free(p->fds);
    dh_free(p->direct);
    dh_free(p->of);
    *p = (struct dh_places){ 0 };
}

// ------------------------------------------------------------------- reading

int dh_places_read(const struct dh_places *p, const struct dh_place *place,
                   int piece, uint8_t *memory, size_t *bytes)
{
    const struct dh_place_read *r = place->reads;
    size_t at = (size_t)piece * PIECE;
    for (; at >= r->bytes; r++)
        at -= round_up(r->bytes, PIECE);
    size_t want = DH_MIN(PIECE, r->bytes - at), got = 0;
    uint64_t from = r->from + at, end = p->tensors->files[r->file].map.len;
    // The last block of a file may be less than a whole one.
    size_t least = from < end ? (size_t)DH_MIN((uint64_t)want, end - from) : 0;
    while (got < least) {
        ssize_t n = pread(p->fds[r->file], memory + r->at + at + got,
                          want - got, (off_t)(from + got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : DH_PLACE_SHORT;
        got += (size_t)n;
        // From there on a direct read is not possible, and there is no more.
        if (p->direct[r->file] && got % DH_PLACE_ALIGN != 0 && got < least)
            return DH_PLACE_SHORT;
    }
    *bytes = got;
    return 0;
}

struct dh_mlp_weights dh_places_view(const struct dh_place *place,
                                     const struct dh_mlp_weights *m,
                                     const uint8_t *memory)
{
    struct dh_mlp_weights out = *m;
    struct dh_mat *mats[] = { &out.gate, &out.up, &out.down };
    for (size_t i = 0; i < DH_COUNTOF(mats); i++) {
        mats[i]->data = memory + place->at[2 * i];
        if (mats[i]->scales)
            mats[i]->scales = memory + place->at[2 * i + 1];
    }
    return out;
}
