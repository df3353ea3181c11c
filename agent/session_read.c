#include "agent/session_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/session_read_priv.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "capture/png.h"
#include "capture/video_in.h"

#define HEAD_MAX_BYTES (1 << 20)
#define CHUNK_BYTES    (4 * LINE_MAX_BYTES)
#define PART_MAX_BYTES (1 << 20)
#define MAX_FILM_MS    (INT64_C(1) << 33) // 99 days

void dh_session_note(struct dh_session_reader *s, const char *fmt, ...)
{
    struct dh_buf text;
    va_list ap;
    if (s->n_notes >= MAX_NOTES) {
        char *last = s->notes[MAX_NOTES - 1];
        s->more_notes++;
        dh_free(last);
        dh_buf_init(&text, 256);
        dh_buf_printf(&text, "and %d more of this kind", s->more_notes + 1);
        s->notes[MAX_NOTES - 1] = dh_buf_take(&text);
        return;
    }
    dh_buf_init(&text, 1024);
    va_start(ap, fmt);
    dh_buf_vprintf(&text, fmt, ap);
    va_end(ap);
    s->notes[s->n_notes++] = dh_buf_take(&text);
}

/* --- files of the folder --- */

// A plain file, and not where a link leads. A pipe must not make us wait.
static int open_plain(int dir, const char *name, int64_t *size)
{
    struct stat st;
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        *size = st.st_size;
        return fd;
    }
    close(fd);
    errno = EINVAL;
    return -1;
}

static const char *why_not(int err)
{
    return err == ELOOP || err == EINVAL ? "is not a plain file"
                                         : strerror(err);
}

// As much as there is; short at the end of the file.
static ssize_t read_at(int fd, void *to, size_t len, uint64_t offset)
{
    size_t got = 0;
    while (got < len) {
        ssize_t n =
            pread(fd, (char *)to + got, len - got, (off_t)(offset + got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        got += (size_t)n;
    }
    return (ssize_t)got;
}

// A whole file of at most `max` bytes, to be freed with dh_big_free.
static enum dh_status read_plain(int dir, const char *name, size_t max,
                                 char **data, size_t *len, struct dh_diag *diag)
{
    int64_t size;
    int fd = open_plain(dir, name, &size);
    if (fd < 0) {
        dh_diag_set(diag, 0, "%s: %s", name, why_not(errno));
        return DH_ERR_NOTFOUND;
    }
    enum dh_status st = DH_OK;
    char *p = NULL;
    if (size > (int64_t)max)
        st = DH_ERR_RANGE;
    else if (!(p = dh_big_alloc((size_t)size + 1)))
        st = DH_ERR_NOMEM;
    ssize_t n = st ? 0 : read_at(fd, p, (size_t)size, 0);
    if (n < 0)
        st = DH_ERR_IO;
    close(fd);
    if (st) {
        dh_diag_set(diag, 0, "%s: %s", name, dh_status_name(st));
        dh_big_free(p);
        return st;
    }
    p[n] = 0;
    *data = p;
    *len = (size_t)n;
    return DH_OK;
}

enum dh_status dh_session_frame(const struct dh_session_reader *s, int number,
                                struct dh_frame **out, struct dh_diag *diag)
{
    char name[32];
    char *data;
    size_t len;
    snprintf(name, sizeof name, "%06d.png", number);
    if (number < 1 || s->frames_dir < 0) {
        dh_diag_set(diag, 0, "no such picture");
        return DH_ERR_NOTFOUND;
    }
    enum dh_status st =
        read_plain(s->frames_dir, name, DH_PNG_MAX_BYTES, &data, &len, diag);
    if (st)
        return st;
    st = dh_png_decode(data, len, out, diag);
    dh_big_free(data);
    return st;
}

int dh_session_open_film(const struct dh_session_reader *s,
                         char path[DH_SESSION_FD_PATH])
{
    int64_t size;
    int fd = open_plain(s->dir, "video.mkv", &size);
    snprintf(path, DH_SESSION_FD_PATH, "/proc/self/fd/%d", fd);
    return fd;
}

char *dh_session_running(const struct dh_session_reader *s)
{
    struct dh_diag diag = { 0 };
    char *data, *text = NULL;
    size_t len;
    if (read_plain(s->dir, "answer.part", PART_MAX_BYTES, &data, &len, &diag))
        return NULL;
    if (len)
        text = dh_strndup(data, len);
    dh_big_free(data);
    return text;
}

/* --- the header --- */

static char *text_of(const struct dh_json *o, const char *key)
{
    return dh_strdup(dh_json_text(dh_json_find(o, key)));
}

static int side_of(const struct dh_json *screen, const char *key)
{
    double v = dh_json_number(dh_json_find(screen, key));
    return v >= 1 && v <= 32768 ? (int)v : 0;
}

static void info_finish(struct dh_session_info *i)
{
    dh_free(i->kind);
    dh_free(i->task);
    dh_free(i->model);
    dh_free(i->created);
    dh_free(i->ended);
}

static void take_head(struct dh_session_reader *s, const struct dh_json *o)
{
    struct dh_session_info *i = &s->info;
    const struct dh_json *screen = dh_json_find(o, "screen");
    double version = dh_json_number(dh_json_find(o, "version"));
    info_finish(i);
    i->kind = text_of(o, "kind");
    i->task = text_of(o, "task");
    i->created = text_of(o, "created");
    i->model = text_of(dh_json_find(o, "model"), "name");
    i->ended = text_of(dh_json_find(o, "ended"), "reason");
    i->version = version >= 0 && version < 1e6 ? (int)version : 0;
    i->screen =
        (struct dh_size){ side_of(screen, "width"), side_of(screen, "height") };
}

static void warn_of_head(struct dh_session_reader *s, const struct dh_json *o)
{
    const char *format = dh_json_text(dh_json_find(o, "format"));
    if (strcmp(format, "deskhand-session") != 0)
        dh_session_note(s, "session.json does not say that it is a session");
    else if (s->info.version != 1)
        dh_session_note(s,
                        "version %d is not the 1 that is known here; shown as "
                        "far as it is understood",
                        s->info.version);
    if (!dh_json_find(o, "ended"))
        dh_session_note(s, DH_SESSION_NO_END);
}

static bool head_is_new(struct dh_session_reader *s)
{
    struct stat st;
    if (fstatat(s->dir, "session.json", &st, AT_SYMLINK_NOFOLLOW))
        return false;
    bool same = st.st_ino == s->head.st_ino && st.st_size == s->head.st_size &&
                st.st_mtim.tv_sec == s->head.st_mtim.tv_sec &&
                st.st_mtim.tv_nsec == s->head.st_mtim.tv_nsec;
    s->head = st;
    return !same;
}

struct dh_json *dh_session_header(const struct dh_session_reader *s,
                                  struct dh_diag *diag)
{
    struct dh_diag why = { 0 };
    char *text;
    size_t len;
    if (read_plain(s->dir, "session.json", HEAD_MAX_BYTES, &text, &len, &why)) {
        dh_diag_set(diag, 0, "no header: %s", why.text);
        return NULL;
    }
    struct dh_json *o = dh_json_parse(text, len, &why);
    dh_big_free(text);
    if (o && dh_json_kind(o) == DH_JSON_OBJECT)
        return o;
    dh_diag_set(diag, why.offset, "session.json is damaged: %s",
                o ? "an object is expected" : why.text);
    dh_json_free(o);
    return NULL;
}

// While a run lasts the header is replaced once, at the end.
static void read_head(struct dh_session_reader *s, bool first)
{
    struct dh_diag diag = { 0 };
    struct dh_json *o = dh_session_header(s, &diag);
    if (o) {
        take_head(s, o);
        if (first)
            warn_of_head(s, o);
    } else if (first) {
        dh_session_note(s, "%s", diag.text);
    }
    dh_json_free(o);
}

/* --- lines --- */

// One chunk's whole lines; returns the bytes that were taken.
static size_t take_chunk(struct dh_session_reader *s, const char *p, size_t len)
{
    size_t at = 0;
    for (;;) {
        const char *nl = memchr(p + at, '\n', len - at);
        if (!nl)
            return at;
        size_t n = (size_t)(nl - (p + at));
        s->line_number++;
        if (s->skipping)
            s->skipping = false;
        else if (n <= LINE_MAX_BYTES)
            dh_session_take_line(s, p + at, n, s->read_to + at);
        else
            dh_session_note(s, "line %lld is longer than 1 MiB; left out",
                            (long long)s->line_number);
        at += n + 1;
    }
}

// What no line end follows within the longest line is passed over.
static size_t skip_long(struct dh_session_reader *s, size_t len)
{
    if (len <= LINE_MAX_BYTES)
        return 0;
    if (!s->skipping)
        dh_session_note(s, "line %lld is longer than 1 MiB; left out",
                        (long long)s->line_number + 1);
    s->skipping = true;
    return len;
}

static enum dh_status read_lines(struct dh_session_reader *s)
{
    struct stat st;
    if (fstat(s->fd, &st))
        return DH_ERR_IO;
    // One byte more than there is, so that the end is seen.
    int64_t left = DH_MAX(st.st_size - (int64_t)s->read_to, 0);
    size_t cap = left < CHUNK_BYTES ? (size_t)left + 1 : CHUNK_BYTES;
    char *chunk = dh_big_alloc(cap);
    if (!chunk)
        return DH_ERR_NOMEM;
    ssize_t n = 1;
    while (!s->full) {
        n = read_at(s->fd, chunk, cap, s->read_to);
        if (n <= 0)
            break;
        size_t used = take_chunk(s, chunk, (size_t)n);
        if (used == 0)
            used = skip_long(s, (size_t)n);
        s->read_to += used;
        s->torn_bytes = (size_t)n - used;
        s->full = s->n_lines >= MAX_LINES || s->n_steps >= MAX_STEPS;
        if (s->full)
            dh_session_note(s, "too long; what is after line %lld is left out",
                            (long long)s->line_number);
        if (used == 0 || (size_t)n < cap)
            break;
    }
    dh_big_free(chunk);
    return n < 0 ? DH_ERR_IO : DH_OK;
}

static void open_lines(struct dh_session_reader *s)
{
    int64_t size;
    if (s->fd < 0)
        s->fd = open_plain(s->dir, "events.jsonl", &size);
    if (s->frames_dir < 0)
        s->frames_dir = openat(s->dir, "frames",
                               O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

enum dh_status dh_session_read_more(struct dh_session_reader *s, bool *grew)
{
    int before = s->n_lines;
    bool had_end = s->info.ended[0];
    open_lines(s);
    enum dh_status st = s->fd < 0 ? DH_OK : read_lines(s);
    if (!had_end && head_is_new(s))
        read_head(s, false);
    *grew = s->n_lines > before || had_end != (s->info.ended[0] != 0);
    return st;
}

// A folder of which nothing but the video is left.
static bool take_film(struct dh_session_reader *s)
{
    char path[DH_SESSION_FD_PATH];
    int fd = dh_session_open_film(s, path);
    int64_t *ms;
    size_t n;
    if (fd < 0)
        return false;
    enum dh_status st = dh_video_times(path, &ms, &n);
    close(fd);
    if (st)
        return false;
    int shown = (int)DH_MIN(n, MAX_STEPS);
    for (int i = 0; i < shown; i++) {
        int64_t at = DH_CLAMP(ms[i], 0, MAX_FILM_MS);
        dh_session_add_shot(s, at * DH_MS, i + 1, at);
    }
    dh_free(ms);
    dh_session_note(s, "only its video is there, of %d pictures", shown);
    return true;
}

enum dh_status dh_session_open(struct dh_session_reader **out, const char *dir,
                               struct dh_diag *diag)
{
    struct dh_session_reader *s;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        dh_diag_set(diag, 0, "%s cannot be opened: %s", dir, strerror(errno));
        return errno == ENOENT ? DH_ERR_NOTFOUND : DH_ERR_IO;
    }
    dh_new(s);
    s->dir = fd;
    s->fd = s->frames_dir = -1;
    take_head(s, NULL);
    (void)head_is_new(s);
    read_head(s, true);
    open_lines(s);
    int err = errno; // where it did not open
    bool headless = s->n_notes && s->info.version == 0 && !s->info.kind[0];
    bool film = s->fd < 0 && take_film(s);
    if (s->fd < 0 && headless && !film) {
        dh_diag_set(diag, 0, "%s is not a session folder: %s", dir,
                    s->notes[0]);
        dh_session_close(s);
        return DH_ERR_FORMAT;
    }
    if (s->fd < 0)
        dh_session_note(s, "events.jsonl: %s", why_not(err));
    enum dh_status st = s->fd < 0 ? DH_OK : read_lines(s);
    if (st) {
        dh_diag_set(diag, 0, "%s/events.jsonl cannot be read: %s", dir,
                    dh_status_name(st));
        dh_session_close(s);
        return st;
    }
    if (s->torn_bytes)
        dh_session_note(s, "the last line is torn: %zu bytes are left out",
                        s->torn_bytes);
    *out = s;
    return DH_OK;
}

void dh_session_close(struct dh_session_reader *s)
{
    if (!s)
        return;
    close(s->dir);
    if (s->fd >= 0)
        close(s->fd);
    if (s->frames_dir >= 0)
        close(s->frames_dir);
    info_finish(&s->info);
    for (int i = 0; i < s->n_notes; i++)
        dh_free(s->notes[i]);
    dh_free(s->lines);
    dh_free(s->shots);
    dh_free(s->steps);
    dh_free(s);
}

const struct dh_session_info *dh_session_info(const struct dh_session_reader *s)
{
    return &s->info;
}

const struct dh_session_line *
dh_session_lines(const struct dh_session_reader *s, int *n)
{
    *n = s->n_lines;
    return s->lines;
}

const struct dh_session_shot *
dh_session_shots(const struct dh_session_reader *s, int *n)
{
    *n = s->n_shots;
    return s->shots;
}

const struct dh_session_step *
dh_session_steps(const struct dh_session_reader *s, int *n)
{
    *n = s->n_steps;
    return s->steps;
}

const char *const *dh_session_notes(const struct dh_session_reader *s, int *n)
{
    *n = s->n_notes;
    return (const char *const *)s->notes;
}

struct dh_json *dh_session_json(const struct dh_session_reader *s, int line,
                                struct dh_diag *diag)
{
    if (line < 0 || line >= s->n_lines) {
        dh_diag_set(diag, 0, "no such line");
        return NULL;
    }
    const struct dh_session_line *l = &s->lines[line];
    struct dh_json *o = NULL;
    char *text = dh_big_alloc((size_t)l->len + 1);
    if (text && read_at(s->fd, text, l->len, l->offset) == (ssize_t)l->len)
        o = dh_json_parse(text, l->len, diag);
    else
        dh_diag_set(diag, 0, "events.jsonl is shorter than it was");
    dh_big_free(text);
    return o;
}
