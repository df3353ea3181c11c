#include "agent/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actions/action.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "capture/windows.h"

#define DH_LOG_TAG "audit"
#include "base/log.h"

struct dh_audit {
    int fd;
    char *path;
};

static enum dh_status fail(struct dh_audit *a, const char *what)
{
    dh_error("cannot %s the audit log %s: %s", what, a->path, strerror(errno));
    dh_audit_close(a);
    return DH_ERR_IO;
}

enum dh_status dh_audit_open(struct dh_audit **out, const char *path)
{
    struct dh_audit *a;
    struct stat st;
    char *dir = dh_path_dir(path);
    enum dh_status made = dh_path_mkdirs(dir);
    dh_free(dir);
    if (made)
        return made;
    dh_new(a);
    a->path = dh_strdup(path);
    // A link could lead the lines to a file that is not meant to grow.
    a->fd = open(path,
                 O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW |
                     O_NONBLOCK,
                 0600);
    if (a->fd < 0)
        return fail(a, "open");
    if (fstat(a->fd, &st))
        return fail(a, "look at");
    if (!S_ISREG(st.st_mode)) {
        errno = EINVAL;
        return fail(a, "append to");
    }
    if ((st.st_mode & 077) && fchmod(a->fd, 0600))
        return fail(a, "close to others");
    *out = a;
    return DH_OK;
}

void dh_audit_close(struct dh_audit *a)
{
    if (!a)
        return;
    if (a->fd >= 0)
        close(a->fd);
    dh_free(a->path);
    dh_free(a);
}

// Lines of several programs may meet in one file; each is one write.
static enum dh_status put_line(struct dh_audit *a, struct dh_buf *line)
{
    enum dh_status st = DH_OK;
    dh_buf_putc(line, '\n');
    ssize_t n = write(a->fd, dh_buf_text(line), line->len);
    if (line->overflow || n != (ssize_t)line->len) {
        dh_error("cannot write to the audit log %s: %s", a->path,
                 n < 0 ? strerror(errno) : "the disk is full");
        st = DH_ERR_IO;
    }
    dh_buf_finish(line);
    return st;
}

static void begin_line(struct dh_json_writer *w, struct dh_buf *line,
                       const char *event)
{
    char time[32];
    dh_buf_init(line, 1 << 20);
    dh_jw_init(w, line);
    dh_jw_object(w, NULL);
    dh_time_text(dh_realtime_ns(), time);
    dh_jw_text(w, "time", time);
    dh_jw_i64(w, "pid", getpid());
    dh_jw_text(w, "event", event);
}

static void put_window(struct dh_json_writer *w, const struct dh_window *win)
{
    dh_jw_object(w, "window");
    dh_jw_text(w, "title", win->title);
    dh_jw_text(w, "class", win->wm_class);
    dh_jw_text(w, "program", win->program);
    dh_jw_i64(w, "pid", win->pid);
    dh_jw_end_object(w);
}

static void put_action(struct dh_json_writer *w, const struct dh_audit_entry *e)
{
    struct dh_buf text;
    struct dh_action masked = *e->action;
    char hidden[] = "(hidden)";
    if (e->secret && masked.text)
        masked.text = hidden;
    dh_buf_init(&text, 8 * DH_ACTION_TEXT_MAX);
    dh_action_text(&masked, &text);
    dh_jw_text(w, "action", dh_buf_text(&text));
    dh_buf_finish(&text);
}

enum dh_status dh_audit_write(struct dh_audit *a,
                              const struct dh_audit_entry *e)
{
    struct dh_buf line;
    struct dh_json_writer w;
    begin_line(&w, &line, "action");
    put_action(&w, e);
    if (e->window)
        put_window(&w, e->window);
    dh_jw_i64(&w, "tier", (int64_t)e->tier);
    dh_jw_text(&w, "decision", e->allowed ? "allowed" : "refused");
    dh_jw_text(&w, "by", e->by);
    if (e->why && e->why[0])
        dh_jw_text(&w, "why", e->why);
    dh_jw_end_object(&w);
    return put_line(a, &line);
}

enum dh_status dh_audit_note(struct dh_audit *a, const char *event,
                             const char *text)
{
    struct dh_buf line;
    struct dh_json_writer w;
    begin_line(&w, &line, event);
    if (text && text[0])
        dh_jw_text(&w, "text", text);
    dh_jw_end_object(&w);
    return put_line(a, &line);
}
