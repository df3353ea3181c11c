#include "agent/session_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "capture/frame.h"
#include "capture/png.h"
#include "capture/video_out.h"

#define DH_LOG_TAG "session"
#include "base/log.h"

#define LINE_MAX_BYTES (1024 * 1024)

struct seen {
    uint64_t hash;
    int number;
};

struct dh_session_file {
    char *dir, *kind, *task, *model, *display;
    int fd; // events.jsonl
    bool with_video, film;
    void (*more)(void *user, struct dh_json_writer *w);
    void (*more_screen)(void *user, struct dh_json_writer *w);
    void *user;
    struct dh_video_out *video; // from the first frame on
    struct dh_buf line;
    struct dh_json_writer w;
    enum dh_status failed;
    int64_t base_ns, base_realtime_ns, synced_ns;
    int64_t n_lines;
    uint64_t id;
    struct dh_size screen;
    struct seen *frames;
    int n_frames, cap;
};

static enum dh_status fail(struct dh_session_file *s, enum dh_status st)
{
    if (st && !s->failed)
        s->failed = st;
    return s->failed;
}

static bool folder_is_empty(const char *dir)
{
    DIR *d = opendir(dir);
    bool empty = true;
    if (!d)
        return true;
    for (const struct dirent *e = readdir(d); e; e = readdir(d))
        empty &= strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
    closedir(d);
    return empty;
}

static enum dh_status make_folder(struct dh_session_file *s)
{
    if (!folder_is_empty(s->dir)) {
        dh_error("%s is not empty; a session needs a folder of its own",
                 s->dir);
        return DH_ERR_USAGE;
    }
    char *frames = dh_path_join(s->dir, "frames");
    enum dh_status st = dh_path_mkdirs(frames);
    dh_free(frames);
    if (st)
        return st;
    char *lines = dh_path_join(s->dir, "events.jsonl");
    s->fd =
        open(lines, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (s->fd < 0) {
        dh_error("%s cannot be created: %s", lines, strerror(errno));
        st = DH_ERR_IO;
    }
    dh_free(lines);
    return st;
}

static void put_clock(const struct dh_session_file *s, struct dh_json_writer *w)
{
    char created[32];
    dh_time_text(s->base_realtime_ns, created);
    char id[24];
    snprintf(id, sizeof id, "%016" PRIx64, s->id);
    dh_jw_text(w, "id", id);
    dh_jw_text(w, "created", created);
    dh_jw_object(w, "clock");
    dh_jw_i64(w, "base_ns", s->base_ns);
    dh_jw_text(w, "realtime", created);
    dh_jw_end_object(w);
}

static void put_optional(struct dh_json_writer *w, const char *key,
                         const char *text)
{
    if (text)
        dh_jw_text(w, key, text);
    else
        dh_jw_null(w, key);
}

static void put_screen(const struct dh_session_file *s,
                       struct dh_json_writer *w)
{
    dh_jw_object(w, "screen");
    dh_jw_i64(w, "width", s->screen.w);
    dh_jw_i64(w, "height", s->screen.h);
    put_optional(w, "display", s->display);
    if (s->more_screen)
        s->more_screen(s->user, w);
    dh_jw_end_object(w);
}

static void put_end(struct dh_json_writer *w, int64_t t, const char *reason)
{
    dh_jw_object(w, "ended");
    dh_jw_i64(w, "t", t);
    dh_jw_text(w, "reason", reason);
    dh_jw_end_object(w);
}

static void put_spent(struct dh_json_writer *w,
                      const struct dh_session_spent *spent)
{
    dh_jw_object(w, "spent");
    dh_jw_i64(w, "tokens_in", spent->usage.prompt_tokens);
    dh_jw_i64(w, "cached", spent->usage.cached_tokens);
    dh_jw_i64(w, "tokens_out", spent->usage.answer_tokens);
    dh_jw_double(w, "model_s", (double)spent->model_ns / 1e9);
    dh_jw_double(w, "cost", spent->usage.cost);
    dh_jw_end_object(w);
}

// reason and spent are NULL while it runs.
static enum dh_status write_head(struct dh_session_file *s, int64_t t,
                                 const char *reason, uint64_t dropped,
                                 const struct dh_session_spent *spent)
{
    struct dh_buf out;
    struct dh_json_writer w;
    dh_buf_init(&out, LINE_MAX_BYTES);
    dh_jw_init(&w, &out);
    dh_jw_object(&w, NULL);
    dh_jw_text(&w, "format", "deskhand-session");
    dh_jw_i64(&w, "version", 1);
    dh_jw_text(&w, "kind", s->kind);
    put_clock(s, &w);
    put_optional(&w, "task", s->task);
    dh_jw_object(&w, "program");
    dh_jw_text(&w, "version", DH_VERSION);
    put_optional(&w, "commit", DH_COMMIT[0] ? DH_COMMIT : NULL);
    dh_jw_end_object(&w);
    put_screen(s, &w);
    dh_jw_object(&w, "model");
    put_optional(&w, "name", s->model);
    dh_jw_text(&w, "coord", "norm1000");
    dh_jw_end_object(&w);
    dh_jw_object(&w, "counts");
    dh_jw_i64(&w, "lines", s->n_lines);
    dh_jw_i64(&w, "frames", s->n_frames);
    dh_jw_i64(&w, "dropped", (int64_t)dropped);
    dh_jw_end_object(&w);
    if (spent)
        put_spent(&w, spent);
    if (s->more)
        s->more(s->user, &w);
    if (reason)
        put_end(&w, t, reason);
    dh_jw_end_object(&w);
    dh_buf_putc(&out, '\n');
    enum dh_status st =
        dh_session_file_put(s, "session.json", out.data, out.len);
    dh_buf_finish(&out);
    return st;
}

static char *copy_text(const char *s)
{
    return s ? dh_strdup(s) : NULL;
}

enum dh_status dh_session_file_create(struct dh_session_file **out,
                                      const char *dir,
                                      const struct dh_session_head *head)
{
    struct dh_session_file *s;
    dh_new(s);
    s->fd = -1;
    s->dir = dh_strdup(dir);
    s->kind = copy_text(head->kind ? head->kind : "agent");
    s->task = copy_text(head->task);
    s->model = copy_text(head->model);
    s->display = copy_text(head->display);
    s->with_video = head->video;
    s->film = head->film;
    s->screen = head->screen;
    s->more = head->more;
    s->more_screen = head->more_screen;
    s->user = head->user;
    s->base_ns = dh_now_ns();
    s->base_realtime_ns = dh_realtime_ns();
    const int64_t made[] = { s->base_ns, s->base_realtime_ns, getpid() };
    s->id = dh_hash_bytes(made, sizeof made);
    dh_buf_init(&s->line, LINE_MAX_BYTES);
    enum dh_status st = make_folder(s);
    if (!st)
        st = write_head(s, 0, NULL, 0, NULL);
    if (st) {
        dh_session_file_destroy(s);
        return st;
    }
    *out = s;
    return DH_OK;
}

void dh_session_file_destroy(struct dh_session_file *s)
{
    if (!s)
        return;
    dh_video_out_destroy(s->video);
    if (s->fd >= 0)
        close(s->fd);
    dh_buf_finish(&s->line);
    dh_free(s->frames);
    dh_free(s->dir);
    dh_free(s->kind);
    dh_free(s->task);
    dh_free(s->model);
    dh_free(s->display);
    dh_free(s);
}

struct dh_json_writer *dh_session_file_begin(struct dh_session_file *s,
                                             const char *kind, int64_t time_ns,
                                             int64_t *n)
{
    dh_buf_clear(&s->line);
    dh_jw_init(&s->w, &s->line);
    dh_jw_object(&s->w, NULL);
    dh_jw_i64(&s->w, "n", ++s->n_lines);
    dh_jw_i64(&s->w, "t", time_ns - s->base_ns);
    dh_jw_text(&s->w, "k", kind);
    if (n)
        *n = s->n_lines;
    return &s->w;
}

static enum dh_status write_line(struct dh_session_file *s)
{
    size_t at = 0;
    while (at < s->line.len) {
        ssize_t n = write(s->fd, s->line.data + at, s->line.len - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            dh_error("%s/events.jsonl: %s; the session ends here", s->dir,
                     strerror(errno));
            return DH_ERR_IO;
        }
        at += (size_t)n;
    }
    return DH_OK;
}

enum dh_status dh_session_file_end(struct dh_session_file *s)
{
    dh_jw_end_object(&s->w);
    dh_buf_putc(&s->line, '\n');
    if (s->failed)
        return s->failed;
    if (s->line.overflow) {
        dh_warn("%s: line %lld is longer than 1 MiB and is left out", s->dir,
                (long long)s->n_lines);
        return DH_OK;
    }
    return fail(s, write_line(s));
}

static enum dh_status open_video(struct dh_session_file *s,
                                 const struct dh_frame *frame)
{
    struct dh_video_out_options o = { .width = frame->width,
                                      .height = frame->height,
                                      .base_ns = s->base_ns };
    char *path = dh_path_join(s->dir, "video.mkv");
    enum dh_status st = dh_video_out_create(&s->video, path, &o);
    dh_free(path);
    return st;
}

// A video that cannot be made costs no session.
static void write_video(struct dh_session_file *s, const struct dh_frame *frame,
                        int64_t *pts_ms)
{
    *pts_ms = -1;
    if (!s->with_video)
        return;
    enum dh_status st = s->video ? DH_OK : open_video(s, frame);
    if (!st)
        st = dh_video_out_write(s->video, frame, pts_ms);
    if (st) {
        dh_warn("%s: the session goes on without its video", s->dir);
        dh_video_out_destroy(s->video);
        s->video = NULL;
        s->with_video = false;
    }
}

static int find_frame(const struct dh_session_file *s, uint64_t hash)
{
    for (int i = s->n_frames; i-- > 0;)
        if (s->frames[i].hash == hash)
            return s->frames[i].number;
    return 0;
}

static enum dh_status write_frame(struct dh_session_file *s,
                                  const struct dh_frame *frame, uint64_t hash)
{
    char name[32];
    if (s->n_frames == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 64;
        s->frames =
            dh_resize_array(s->frames, (size_t)s->cap, sizeof *s->frames);
    }
    snprintf(name, sizeof name, "frames/%06d.png", s->n_frames + 1);
    char *path = dh_path_join(s->dir, name);
    enum dh_status st = dh_png_write(path, frame);
    dh_free(path);
    if (st)
        return st;
    s->n_frames++;
    s->frames[s->n_frames - 1] = (struct seen){ hash, s->n_frames };
    return DH_OK;
}

enum dh_status dh_session_file_frame(struct dh_session_file *s,
                                     const struct dh_frame *frame, int *number,
                                     uint64_t *hash, int64_t *pts_ms)
{
    *hash = dh_frame_hash(frame);
    *number = find_frame(s, *hash);
    *pts_ms = -1;
    if (s->failed)
        return s->failed;
    s->screen = (struct dh_size){ frame->width, frame->height };
    if (!s->film)
        write_video(s, frame, pts_ms);
    else if (s->with_video)
        *pts_ms = DH_MAX(frame->time_ns - s->base_ns, 0) / DH_MS;
    if (*number)
        return DH_OK;
    enum dh_status st = fail(s, write_frame(s, frame, *hash));
    *number = s->n_frames;
    return st;
}

void dh_session_file_film(struct dh_session_file *s,
                          const struct dh_frame *frame)
{
    int64_t pts_ms;
    if (!s->failed)
        write_video(s, frame, &pts_ms);
}

int64_t dh_session_file_base(const struct dh_session_file *s)
{
    return s->base_ns;
}

void dh_session_file_sync(struct dh_session_file *s)
{
    int64_t now = dh_now_ns();
    if (now - s->synced_ns < DH_S)
        return;
    s->synced_ns = now;
    fdatasync(s->fd);
}

enum dh_status dh_session_file_finish(struct dh_session_file *s,
                                      int64_t time_ns, const char *reason,
                                      uint64_t dropped,
                                      const struct dh_session_spent *spent)
{
    if (s->video && dh_video_out_end(s->video))
        dh_warn("%s: the video is not whole", s->dir);
    fdatasync(s->fd);
    if (s->failed)
        return s->failed;
    return fail(s, write_head(s, time_ns - s->base_ns, reason, dropped, spent));
}

enum dh_status dh_session_file_put(struct dh_session_file *s, const char *name,
                                   const void *data, size_t len)
{
    if (s->failed)
        return s->failed;
    char *path = dh_path_join(s->dir, name);
    enum dh_status st = dh_file_write(path, data, len);
    dh_free(path);
    return fail(s, st);
}
