#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/eval_result.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"

#define DH_LOG_TAG "eval"
#include "base/log.h"

#define FILE_MAX_BYTES ((size_t)1 << 30)
#define LINE_MAX_BYTES ((size_t)8 << 20)

struct dh_eval_log {
    char *path;
    int fd;
    struct dh_mutex lock;
    // guarded by lock
    struct dh_buf line;
};

// ---- reading ---------------------------------------------------------------

static uint64_t hash_of(const char *id, const char *model, const char *method,
                        int trial)
{
    struct dh_buf key;
    dh_buf_init(&key, LINE_MAX_BYTES);
    dh_buf_printf(&key, "%s\n%s\n%s\n%d", id, model ? model : "",
                  method ? method : "", trial);
    uint64_t h = dh_hash_bytes(key.data, key.len);
    dh_buf_finish(&key);
    return h;
}

static bool is_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

// The slot of this key, which is -1 where it is not there.
static int *find_slot(const struct dh_eval_results *rs, const char *id,
                      const char *model, const char *method, int trial)
{
    size_t mask = rs->n_slots - 1, i = hash_of(id, model, method, trial) & mask;
    for (;; i = (i + 1) & mask) {
        if (rs->slot[i] < 0)
            return &rs->slot[i];
        const struct dh_eval_result *r = &rs->v[rs->slot[i]];
        if (r->trial == trial && is_text(r->item.id, id) &&
            is_text(r->model, model) && is_text(r->method, method))
            return &rs->slot[i];
    }
}

static int *slot_of(const struct dh_eval_results *rs,
                    const struct dh_eval_result *r)
{
    return find_slot(rs, r->item.id, r->model, r->method, r->trial);
}

static void grow(struct dh_eval_results *rs)
{
    if ((size_t)rs->n * 2 < rs->n_slots)
        return;
    rs->n_slots = DH_MAX(rs->n_slots * 4, 256);
    dh_free(rs->slot);
    dh_array(rs->slot, rs->n_slots);
    memset(rs->slot, 0xff, rs->n_slots * sizeof *rs->slot);
    rs->v = dh_resize_array(rs->v, rs->n_slots, sizeof *rs->v);
    for (int i = 0; i < rs->n; i++)
        *slot_of(rs, &rs->v[i]) = i;
}

static void keep(struct dh_eval_results *rs, const struct dh_eval_result *r)
{
    grow(rs);
    int *slot = slot_of(rs, r);
    if (*slot >= 0) {
        dh_eval_result_finish(&rs->v[*slot]);
    } else {
        *slot = rs->n++;
    }
    rs->v[*slot] = *r;
}

static void read_line(struct dh_eval_results *rs, const char *path, int number,
                      const char *line, size_t len)
{
    struct dh_diag diag = { 0 };
    struct dh_eval_result r;
    if (dh_eval_result_read(&r, line, len, &diag)) {
        keep(rs, &r);
        return;
    }
    if (rs->bad_lines++ == 0)
        dh_warn("%s:%d: %s; the line is left out", path, number, diag.text);
}

static enum dh_status read_lines(struct dh_eval_results *rs, const char *path)
{
    char *text;
    size_t len;
    int number = 0;
    enum dh_status st = dh_file_read(path, FILE_MAX_BYTES, &text, &len);
    if (st)
        return st;
    // What has no line end was cut short.
    for (char *at = text, *end; (end = memchr(at, '\n', len)) != NULL;) {
        size_t n = (size_t)(end - at);
        number++;
        if (n)
            read_line(rs, path, number, at, n);
        len -= n + 1;
        at = end + 1;
    }
    dh_big_free(text);
    return DH_OK;
}

enum dh_status dh_eval_results_read(struct dh_eval_results *out,
                                    const char *dir)
{
    struct dh_eval_results rs = { 0 };
    char *path = dh_path_join(dir, "results.jsonl");
    enum dh_status st = dh_path_exists(path) ? read_lines(&rs, path) : DH_OK;
    dh_free(path);
    if (st)
        dh_eval_results_finish(&rs);
    else
        *out = rs;
    return st;
}

void dh_eval_results_finish(struct dh_eval_results *rs)
{
    for (int i = 0; i < rs->n; i++)
        dh_eval_result_finish(&rs->v[i]);
    dh_free(rs->v);
    dh_free(rs->slot);
    *rs = (struct dh_eval_results){ 0 };
}

const struct dh_eval_result *
dh_eval_results_find(const struct dh_eval_results *rs, const char *id,
                     const char *model, const char *method, int trial)
{
    if (!rs->n)
        return NULL;
    int i = *find_slot(rs, id, model, method, trial);
    return i < 0 ? NULL : &rs->v[i];
}

// ---- writing ---------------------------------------------------------------

// What is behind the last line end was torn by a crash.
static bool cut_torn(int fd)
{
    char tail[65536];
    off_t end = lseek(fd, 0, SEEK_END);
    while (end > 0) {
        size_t n = (size_t)DH_MIN(end, (off_t)sizeof tail);
        if (pread(fd, tail, n, end - (off_t)n) != (ssize_t)n)
            return false;
        char *nl = memrchr(tail, '\n', n);
        end -= (off_t)n;
        if (nl)
            return ftruncate(fd, end + (nl - tail) + 1) == 0;
    }
    return end == 0 && ftruncate(fd, 0) == 0;
}

enum dh_status dh_eval_log_open(struct dh_eval_log **out, const char *dir)
{
    struct dh_eval_log *log;
    enum dh_status st = dh_path_mkdirs(dir);
    if (st)
        return st;
    dh_new(log);
    log->path = dh_path_join(dir, "results.jsonl");
    dh_mutex_init(&log->lock);
    dh_buf_init(&log->line, LINE_MAX_BYTES);
    log->fd = open(log->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (log->fd < 0 || !cut_torn(log->fd)) {
        dh_error("cannot write %s: %s", log->path, strerror(errno));
        dh_eval_log_close(log);
        return DH_ERR_IO;
    }
    *out = log;
    return DH_OK;
}

static bool write_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t got = write(fd, p, n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        p += got;
        n -= (size_t)got;
    }
    return true;
}

enum dh_status dh_eval_log_add(struct dh_eval_log *log,
                               const struct dh_eval_result *r)
{
    dh_mutex_lock(&log->lock);
    dh_buf_clear(&log->line);
    dh_eval_result_json(r, &log->line);
    dh_buf_putc(&log->line, '\n');
    bool ok = !log->line.overflow &&
              write_all(log->fd, log->line.data, log->line.len);
    if (!ok)
        dh_error("cannot write %s: %s", log->path, strerror(errno));
    dh_mutex_unlock(&log->lock);
    return ok ? DH_OK : DH_ERR_IO;
}

void dh_eval_log_close(struct dh_eval_log *log)
{
    if (!log)
        return;
    if (log->fd >= 0)
        close(log->fd);
    dh_buf_finish(&log->line);
    dh_mutex_finish(&log->lock);
    dh_free(log->path);
    dh_free(log);
}
