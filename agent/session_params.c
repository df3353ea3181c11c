#include "agent/session_params.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#define DH_LOG_TAG "session"
#include "base/log.h"

#define TEXT_MAX_BYTES (1 << 20)

static void param_finish(struct dh_session_param *p)
{
    dh_free(p->name);
    dh_free(p->value);
    dh_free(p->kind);
    memset(p, 0, sizeof *p);
}

void dh_session_params_finish(struct dh_session_params *p)
{
    for (int i = 0; i < p->n; i++)
        param_finish(&p->item[i]);
    dh_free(p->item);
    memset(p, 0, sizeof *p);
}

struct dh_session_param *
dh_session_params_find(const struct dh_session_params *p, const char *name)
{
    for (int i = 0; i < p->n; i++)
        if (strcmp(p->item[i].name, name) == 0)
            return &p->item[i];
    return NULL;
}

bool dh_session_param_is_name(const char *name)
{
    size_t n = strlen(name);
    if (!isalpha((unsigned char)name[0]) || n > DH_SESSION_PARAM_NAME)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)name[i]) && name[i] != '_' &&
            name[i] != '-')
            return false;
    return true;
}

static struct dh_session_param *add(struct dh_session_params *p,
                                    const char *name)
{
    p->item = dh_resize_array(p->item, (size_t)p->n + 1, sizeof *p->item);
    struct dh_session_param *one = &p->item[p->n++];
    memset(one, 0, sizeof *one);
    one->name = dh_strdup(name);
    return one;
}

// In the order of where they stand, and none within another.
static enum dh_status add_place(struct dh_session_params *p,
                                struct dh_session_param *to,
                                struct dh_session_place place,
                                struct dh_diag *diag)
{
    for (int i = 0; i < p->n; i++)
        for (int j = 0; j < p->item[i].n_at; j++) {
            const struct dh_session_place *q = &p->item[i].at[j];
            if (q->act != place.act || q->from >= place.from + place.len ||
                place.from >= q->from + q->len)
                continue;
            dh_diag_set(diag, 0, "that part of the text is \"%s\" already",
                        p->item[i].name);
            return DH_ERR_USAGE;
        }
    if (to->n_at == DH_SESSION_PLACES_MAX) {
        dh_diag_set(diag, 0, "\"%s\" stands in %d places already", to->name,
                    to->n_at);
        return DH_ERR_USAGE;
    }
    to->at[to->n_at++] = place;
    return DH_OK;
}

// ---- reading ----------------------------------------------------------------

static enum dh_status read_places(struct dh_session_params *p,
                                  struct dh_session_param *to,
                                  const struct dh_json *list,
                                  struct dh_diag *diag)
{
    enum dh_status st = DH_OK;
    const struct dh_json *v = list ? dh_json_first(list) : NULL;
    for (; v && !st; v = dh_json_next(v)) {
        int64_t act, from, len;
        if (!dh_json_get_i64(v, "act", 0, INT64_C(1) << 53, &act, diag) ||
            !dh_json_get_i64(v, "from", 0, TEXT_MAX_BYTES, &from, diag) ||
            !dh_json_get_i64(v, "len", 1, TEXT_MAX_BYTES, &len, diag))
            return DH_ERR_FORMAT;
        struct dh_session_place place = { act, (size_t)from, (size_t)len };
        st = add_place(p, to, place, diag) ? DH_ERR_FORMAT : DH_OK;
    }
    return st;
}

static enum dh_status read_param(struct dh_session_params *p,
                                 const struct dh_json *v, struct dh_diag *diag)
{
    const char *name = dh_json_key(v);
    const struct dh_json *value = dh_json_find(v, "value");
    double step = dh_json_number(dh_json_find(v, "step"));
    if (!dh_session_param_is_name(name) || dh_session_params_find(p, name) ||
        dh_json_kind(v) != DH_JSON_OBJECT || p->n == DH_SESSION_PARAMS_MAX) {
        dh_diag_set(diag, 0, "params: \"%.40s\" cannot be one", name);
        return DH_ERR_FORMAT;
    }
    struct dh_session_param *one = add(p, name);
    one->kind = dh_strdup(dh_json_text(dh_json_find(v, "kind")));
    one->secret = dh_json_is_true(dh_json_find(v, "secret"));
    one->step = step >= 1 && step < 1e9 ? (int)step : 0;
    if (value && dh_json_kind(value) == DH_JSON_STRING && !one->secret)
        one->value = dh_strdup(dh_json_text(value));
    return read_places(p, one, dh_json_find(v, "at"), diag);
}

enum dh_status dh_session_params_read(const struct dh_json *header,
                                      struct dh_session_params *out,
                                      struct dh_diag *diag)
{
    const struct dh_json *all = dh_json_find(header, "params");
    enum dh_status st = DH_OK;
    memset(out, 0, sizeof *out);
    for (const struct dh_json *v = all ? dh_json_first(all) : NULL; v && !st;
         v = dh_json_next(v))
        st = read_param(out, v, diag);
    return st;
}

// ---- filling ----------------------------------------------------------------

/* The first place of the act at or after `from`. */
static const struct dh_session_param *
next_place(const struct dh_session_params *p, int64_t act, size_t from,
           struct dh_session_place *out)
{
    const struct dh_session_param *found = NULL;
    for (int i = 0; i < p->n; i++)
        for (int j = 0; j < p->item[i].n_at; j++) {
            const struct dh_session_place *q = &p->item[i].at[j];
            if (q->act != act || q->from < from ||
                (found && q->from > out->from))
                continue;
            found = &p->item[i];
            *out = *q;
        }
    return found;
}

char *dh_session_params_fill(const struct dh_session_params *p, int64_t act,
                             const char *text, dh_session_value_fn value,
                             void *user)
{
    size_t at = 0, len = strlen(text);
    struct dh_session_place place;
    const struct dh_session_param *one;
    struct dh_buf out;
    dh_buf_init(&out, TEXT_MAX_BYTES);
    while ((one = next_place(p, act, at, &place)) != NULL &&
           place.from + place.len <= len) {
        const char *v = value(user, one);
        dh_buf_put(&out, text + at, place.from - at);
        if (v)
            dh_buf_puts(&out, v);
        else
            dh_buf_put(&out, text + place.from, place.len);
        at = place.from + place.len;
    }
    dh_buf_put(&out, text + at, len - at);
    return dh_buf_take(&out);
}

// ---- marking ----------------------------------------------------------------

enum dh_status dh_session_params_mark(struct dh_session_params *p,
                                      const char *name, int step,
                                      const char *text,
                                      struct dh_session_place place,
                                      bool secret, struct dh_diag *diag)
{
    struct dh_session_param *one = dh_session_params_find(p, name);
    if (!dh_session_param_is_name(name)) {
        dh_diag_set(diag, 0,
                    "\"%.60s\" is no name; letters, digits, _ and - are, "
                    "starting with a letter, %d at most",
                    name, DH_SESSION_PARAM_NAME);
        return DH_ERR_USAGE;
    }
    char *value = dh_strndup(text + place.from, place.len);
    bool other = one && one->value && strcmp(one->value, value) != 0;
    enum dh_status st = DH_ERR_USAGE;
    if (other)
        dh_diag_set(diag, 0, "\"%s\" is another text already; use another name",
                    name);
    else if (one && !one->n_at)
        dh_diag_set(diag, 0, "\"%s\" was made while recording", name);
    else if (!one && p->n == DH_SESSION_PARAMS_MAX)
        dh_diag_set(diag, 0, "%d parameters are the most", p->n);
    else
        st = DH_OK;
    bool made = !st && !one;
    if (made) {
        one = add(p, name);
        one->kind = dh_strdup("text");
        one->step = step;
        one->value = dh_strdup(value);
    }
    if (!st)
        st = add_place(p, one, place, diag);
    if (st && made)
        dh_session_params_remove(p, name);
    if (!st && (secret || one->secret)) {
        one->secret = true;
        dh_free(one->value);
        one->value = NULL;
    }
    dh_free(value);
    return st;
}

bool dh_session_params_remove(struct dh_session_params *p, const char *name)
{
    struct dh_session_param *one = dh_session_params_find(p, name);
    if (!one)
        return false;
    param_finish(one);
    size_t left = (size_t)(p->item + p->n - (one + 1));
    memmove(one, one + 1, left * sizeof *one);
    p->n--;
    return true;
}

// ---- writing ----------------------------------------------------------------

static void put_param(const struct dh_session_param *one,
                      struct dh_json_writer *w)
{
    dh_jw_object(w, one->name);
    if (one->value)
        dh_jw_text(w, "value", one->value);
    else
        dh_jw_null(w, "value");
    dh_jw_text(w, "kind", one->kind);
    dh_jw_bool(w, "secret", one->secret);
    if (one->step)
        dh_jw_i64(w, "step", one->step);
    if (one->n_at)
        dh_jw_array(w, "at");
    for (int i = 0; i < one->n_at; i++) {
        dh_jw_object(w, NULL);
        dh_jw_i64(w, "act", one->at[i].act);
        dh_jw_i64(w, "from", (int64_t)one->at[i].from);
        dh_jw_i64(w, "len", (int64_t)one->at[i].len);
        dh_jw_end_object(w);
    }
    if (one->n_at)
        dh_jw_end_array(w);
    dh_jw_end_object(w);
}

static void put_params(const struct dh_session_params *p,
                       struct dh_json_writer *w)
{
    dh_jw_object(w, "params");
    for (int i = 0; i < p->n; i++)
        put_param(&p->item[i], w);
    dh_jw_end_object(w);
}

void dh_session_params_print(const struct dh_session_params *p,
                             const struct dh_json *header, struct dh_buf *out)
{
    struct dh_buf member;
    struct dh_json_writer w;
    dh_buf_init(&member, 2 * TEXT_MAX_BYTES);
    dh_jw_init(&w, out);
    dh_jw_object(&w, NULL);
    for (const struct dh_json *v = dh_json_first(header); v;
         v = dh_json_next(v)) {
        if (strcmp(dh_json_key(v), "params") == 0)
            continue;
        dh_buf_clear(&member);
        dh_json_print(v, &member);
        dh_jw_raw(&w, dh_json_key(v), dh_buf_text(&member));
    }
    put_params(p, &w);
    dh_jw_end_object(&w);
    dh_buf_putc(out, '\n');
    dh_buf_finish(&member);
}

enum dh_status dh_session_params_write(const struct dh_session_params *p,
                                       const char *dir,
                                       const struct dh_json *header)
{
    struct dh_buf out;
    dh_buf_init(&out, 4 * TEXT_MAX_BYTES);
    dh_session_params_print(p, header, &out);
    char *path = dh_path_join(dir, "session.json");
    enum dh_status st =
        out.overflow ? DH_ERR_RANGE : dh_file_write(path, out.data, out.len);
    dh_free(path);
    dh_buf_finish(&out);
    return st;
}

// ---- notes ------------------------------------------------------------------

// A last line that was torn is ended, so that it alone is lost.
static bool ends_in_line(int fd)
{
    char c = '\n';
    off_t size = lseek(fd, 0, SEEK_END);
    return size <= 0 || (pread(fd, &c, 1, size - 1) == 1 && c == '\n');
}

// One write, so that whoever reads meanwhile sees all of it or nothing.
enum dh_status dh_session_line_append(const char *dir, struct dh_buf *line)
{
    char *path = dh_path_join(dir, "events.jsonl");
    int fd = open(path, O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
    bool torn = fd >= 0 && !ends_in_line(fd);
    dh_buf_putc(line, '\n');
    bool ok = fd >= 0 && !line->overflow &&
              (!torn || write(fd, "\n", 1) == 1) &&
              write(fd, line->data, line->len) == (ssize_t)line->len &&
              fdatasync(fd) == 0;
    if (!ok)
        dh_error("%s cannot be written: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    dh_free(path);
    return ok ? DH_OK : DH_ERR_IO;
}

enum dh_status dh_session_note_write(const char *dir, int64_t n, int64_t t,
                                     int64_t act, const char *text)
{
    struct dh_buf line;
    struct dh_json_writer w;
    dh_buf_init(&line, TEXT_MAX_BYTES);
    dh_jw_init(&w, &line);
    dh_jw_object(&w, NULL);
    dh_jw_i64(&w, "n", n);
    dh_jw_i64(&w, "t", t);
    dh_jw_text(&w, "k", "mark");
    dh_jw_i64(&w, "act", act);
    dh_jw_text(&w, "text", text);
    dh_jw_end_object(&w);
    enum dh_status st = dh_session_line_append(dir, &line);
    dh_buf_finish(&line);
    return st;
}
