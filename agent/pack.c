#include "agent/pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/export_priv.h"
#include "agent/late_priv.h"
#include "agent/pack_priv.h"
#include "agent/staging.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/thread.h"
#include "capture/frame.h"
#include "capture/png.h"

#define DH_LOG_TAG "pack"
#include "base/log.h"

#define PIECE_BYTES (256 << 10)

struct packing {
    struct dh_export x;
    const char *dir;
    char *base; // the folder that all lies in, within the archive
    struct archive *a;
    char *piece;
    time_t time;
    bool secret; // something of it may not leave
    struct dh_pack_result r;
};

static enum dh_status not_written(struct packing *p)
{
    dh_error("%s cannot be written: %s", p->x.out, archive_error_string(p->a));
    return DH_ERR_IO;
}

// ---- one file ---------------------------------------------------------------

static enum dh_status begin_file(struct packing *p, const char *name,
                                 int64_t size)
{
    struct dh_buf path;
    struct archive_entry *e = archive_entry_new();
    dh_buf_init(&path, 8192);
    dh_buf_printf(&path, "%s/%s", p->base, name);
    archive_entry_set_pathname(e, dh_buf_text(&path));
    archive_entry_set_filetype(e, AE_IFREG);
    archive_entry_set_perm(e, 0600);
    archive_entry_set_size(e, size);
    archive_entry_set_mtime(e, p->time, 0);
    bool ok = archive_write_header(p->a, e) == ARCHIVE_OK;
    archive_entry_free(e);
    dh_buf_finish(&path);
    p->r.files++;
    p->r.bytes += size;
    return ok ? DH_OK : not_written(p);
}

static enum dh_status put(struct packing *p, const void *data, size_t n)
{
    return archive_write_data(p->a, data, n) == (la_ssize_t)n ? DH_OK
                                                              : not_written(p);
}

static enum dh_status put_bytes(struct packing *p, const char *name,
                                const void *data, size_t n)
{
    enum dh_status st = begin_file(p, name, (int64_t)n);
    return st || !n ? st : put(p, data, n);
}

static enum dh_status copy(struct packing *p, const char *path, int fd,
                           int64_t left)
{
    enum dh_status st = DH_OK;
    while (!st && left > 0) {
        size_t want = (size_t)DH_MIN(left, PIECE_BYTES);
        ssize_t n = read(fd, p->piece, want);
        if (n <= 0) {
            dh_error("%s cannot be read: %s", path,
                     n ? strerror(errno) : "it is shorter than it was");
            return DH_ERR_IO;
        }
        st = dh_cancel_is_set(p->x.cancel) ? DH_ERR_CANCELLED
                                           : put(p, p->piece, (size_t)n);
        left -= n;
    }
    return st;
}

// As it is. What is not there, or no plain file, is left out.
static enum dh_status add_file(struct packing *p, const char *name)
{
    struct stat at;
    char *path = dh_path_join(p->dir, name);
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    enum dh_status st = DH_OK;
    if (fd >= 0 && !fstat(fd, &at) && S_ISREG(at.st_mode)) {
        st = begin_file(p, name, at.st_size);
        if (!st)
            st = copy(p, path, fd, at.st_size);
    } else if (fd >= 0 || errno != ENOENT) {
        dh_warn("%s is left out: no plain file that can be read", path);
    }
    if (fd >= 0)
        close(fd);
    dh_free(path);
    return st;
}

// ---- what has no secret any more --------------------------------------------

static enum dh_status add_header(struct packing *p)
{
    struct dh_buf text;
    dh_buf_init(&text, DH_EXPORT_MAX_BYTES);
    dh_pack_clean_header(&p->x, &text);
    enum dh_status st = text.overflow
                            ? DH_ERR_RANGE
                            : put_bytes(p, "session.json", text.data, text.len);
    dh_buf_finish(&text);
    return st;
}

static enum dh_status add_lines(struct packing *p)
{
    struct dh_buf text;
    int n;
    dh_buf_init(&text, DH_PACK_LINES_MAX);
    const struct dh_session_line *line = dh_session_lines(p->x.s, &n);
    for (int i = 0; i < n; i++)
        if (line[i].kind != DH_SESSION_RAW)
            dh_pack_clean_line(&p->x, i, &text);
    enum dh_status st = DH_ERR_RANGE;
    if (!text.overflow)
        st = put_bytes(p, "events.jsonl", text.data, text.len);
    else
        dh_error("%s/events.jsonl is too long", p->dir);
    dh_buf_finish(&text);
    return st;
}

static enum dh_status add_picture(struct packing *p, int number,
                                  const char *name)
{
    struct dh_frame *f, *veiled = NULL;
    struct dh_diag why = { 0 };
    struct dh_buf png;
    if (p->x.blind_from && number >= p->x.blind_from) {
        p->r.hidden++;
        return DH_OK;
    }
    if (dh_session_frame(p->x.s, number, &f, &why)) {
        dh_warn("%s is left out: %s", name, why.text);
        return DH_OK;
    }
    dh_buf_init(&png, DH_EXPORT_MAX_BYTES);
    enum dh_status st = dh_export_veil(&p->x, f, &veiled);
    if (!st)
        st = dh_png_encode(veiled, &png);
    if (!st)
        st = put_bytes(p, name, png.data, png.len);
    dh_buf_finish(&png);
    dh_frame_unref(veiled);
    dh_frame_unref(f);
    return st;
}

// ---- all of it --------------------------------------------------------------

static int is_picture(const struct dirent *d)
{
    return dh_pack_picture_number(d->d_name) > 0;
}

static enum dh_status add_pictures(struct packing *p)
{
    struct dirent **found;
    char *frames = dh_path_join(p->dir, "frames");
    int n = scandir(frames, &found, is_picture, alphasort);
    enum dh_status st = DH_OK;
    for (int i = 0; i < n; i++) {
        char name[64];
        snprintf(name, sizeof name, "frames/%.20s", found[i]->d_name);
        int number = dh_pack_picture_number(found[i]->d_name);
        if (!st && dh_cancel_is_set(p->x.cancel))
            st = DH_ERR_CANCELLED;
        if (!st)
            st = p->secret ? add_picture(p, number, name) : add_file(p, name);
        free(found[i]); // not ours: scandir's
    }
    if (n >= 0)
        free(found); // not ours: scandir's
    dh_free(frames);
    return st;
}

static bool has_file(const struct packing *p, const char *name)
{
    char *path = dh_path_join(p->dir, name);
    bool is = dh_path_exists(path);
    dh_free(path);
    return is;
}

static enum dh_status add_all(struct packing *p)
{
    enum dh_status st = p->secret ? add_header(p) : add_file(p, "session.json");
    if (!st)
        st = p->secret ? add_lines(p) : add_file(p, "events.jsonl");
    for (int i = 0; dh_pack_others[i] && !st; i++)
        if (p->secret)
            p->r.hidden += has_file(p, dh_pack_others[i]);
        else
            st = add_file(p, dh_pack_others[i]);
    return st ? st : add_pictures(p);
}

static enum dh_status open_archive(struct packing *p)
{
    p->a = archive_write_new();
    if (!p->a || archive_write_set_format_pax_restricted(p->a) ||
        archive_write_add_filter_zstd(p->a)) {
        dh_error("this libarchive cannot write .tar.zst%s%s", p->a ? ": " : "",
                 p->a ? archive_error_string(p->a) : "");
        return DH_ERR_UNSUPPORTED;
    }
    return archive_write_open_filename(p->a, p->x.out) ? not_written(p) : DH_OK;
}

static enum dh_status pack(struct packing *p)
{
    struct stat at;
    enum dh_status st = open_archive(p);
    char *head = dh_path_join(p->dir, "session.json");
    p->time = lstat(head, &at) ? 0 : at.st_mtime;
    dh_free(head);
    p->secret = p->x.n_secrets || p->x.n_veils || p->x.blind_from;
    // A name that unpacking would not take is not given.
    p->base = dh_strdup(dh_pack_is_base(p->x.name) ? p->x.name : "session");
    p->piece = dh_zalloc(PIECE_BYTES);
    if (!st)
        st = add_all(p);
    if (!st && archive_write_close(p->a))
        st = not_written(p);
    p->r.packed = lstat(p->x.out, &at) ? 0 : at.st_size;
    dh_free(p->piece);
    dh_free(p->base);
    archive_write_free(p->a);
    return st;
}

enum dh_status dh_pack(const char *dir, const char *out,
                       struct dh_cancel *cancel, struct dh_pack_result *result)
{
    struct packing p = { .x.cancel = cancel, .dir = dir };
    struct dh_staging staging = { 0 };
    enum dh_status st = dh_late_load(&dh_late_archive);
    if (!st)
        st = dh_export_open(&p.x, dir);
    if (!st)
        st = dh_staging_begin(&staging, out);
    p.x.out = staging.path;
    if (!st)
        st = pack(&p);
    if (!st)
        st = dh_staging_end(&staging);
    if (!st)
        *result = p.r;
    dh_staging_finish(&staging);
    dh_export_close(&p.x);
    return st;
}
