#include "agent/import.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "actions/python.h"
#include "agent/import_priv.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "capture/frame.h"
#include "capture/picture.h"

#define DH_LOG_TAG "import"
#include "base/log.h"

#define JSON_MAX_BYTES (64u << 20)

const char *const dh_import_names[DH_IMPORT_FORMS + 1] = {
    "agentnet", "agentnet-raw", "cua", "osworld", NULL
};

// ---- the session ------------------------------------------------------------

static void put_source(void *user, struct dh_json_writer *w)
{
    const struct dh_import *x = user;
    dh_jw_object(w, "source");
    dh_jw_text(w, "form", dh_import_names[x->o->form]);
    dh_jw_text(w, "file", x->o->src);
    if (x->o->pick)
        dh_jw_text(w, "task_id", x->o->pick);
    // Raw events have their own times; of the rest nobody wrote them down.
    dh_jw_bool(w, "times", x->o->form == DH_IMPORT_AGENTNET_RAW);
    dh_jw_end_object(w);
}

enum dh_status dh_import_begin(struct dh_import *x, const char *kind,
                               const char *by, const char *task)
{
    if (x->o->task)
        task = x->o->task;
    struct dh_session_head head = { .kind = kind,
                                    .task = task && task[0] ? task : NULL,
                                    .screen = x->screen,
                                    .more = put_source,
                                    .user = x };
    enum dh_status st = dh_staging_begin(&x->staging, x->o->dir);
    if (!st)
        st = dh_session_file_create(&x->file, x->staging.path, &head);
    x->by = by;
    x->base_ns = dh_now_ns();
    return st;
}

static struct dh_json_writer *begin(struct dh_import *x, const char *kind,
                                    int64_t *n)
{
    return dh_session_file_begin(x->file, kind, x->base_ns + x->t_ns, n);
}

enum dh_status dh_import_frame(struct dh_import *x, struct dh_frame *frame,
                               const char *why)
{
    char text[24];
    uint64_t hash;
    int64_t pts;
    int number;
    enum dh_status st =
        dh_session_file_frame(x->file, frame, &number, &hash, &pts);
    if (st || number == x->frame)
        return st;
    x->screen = (struct dh_size){ frame->width, frame->height };
    x->frame = number;
    x->result.pictures = DH_MAX(x->result.pictures, number);
    struct dh_json_writer *w = begin(x, "frame", NULL);
    snprintf(text, sizeof text, "%016" PRIx64, hash);
    dh_jw_i64(w, "f", number);
    dh_jw_text(w, "hash", text);
    dh_jw_text(w, "why", why);
    return dh_session_file_end(x->file);
}

// Nothing that leads out of the folder.
static bool is_within(const char *name)
{
    struct dh_str rest = dh_str_of(name);
    if (!rest.n || rest.n > 1000 || name[0] == '/')
        return false;
    while (rest.n) {
        ptrdiff_t slash = dh_str_find(rest, "/", 0);
        size_t n = slash < 0 ? rest.n : (size_t)slash;
        if (dh_str_is(dh_str_sub(rest, 0, n), ".."))
            return false;
        rest = dh_str_sub(rest, DH_MIN(n + 1, rest.n), rest.n);
    }
    return true;
}

enum dh_status dh_import_picture(struct dh_import *x, const char *folder,
                                 const char *name, const char *why)
{
    struct stat st;
    struct dh_frame *f = NULL;
    if (!name[0])
        return DH_OK;
    char *path = dh_path_join(folder, is_within(name) ? name : ".");
    if (!is_within(name))
        dh_warn("\"%.100s\" is no picture within %s", name, folder);
    else if (lstat(path, &st) || !S_ISREG(st.st_mode))
        dh_info("there is no picture %s", path);
    else if (dh_picture_read(path, &f))
        f = NULL;
    dh_free(path);
    if (!f) {
        x->result.missing++;
        return DH_OK;
    }
    enum dh_status status = dh_import_frame(x, f, why);
    dh_frame_unref(f);
    return status;
}

enum dh_status dh_import_answer(struct dh_import *x, const char *raw,
                                const char *thinking)
{
    if (!raw[0] && !thinking[0])
        return DH_OK;
    struct dh_json_writer *w = begin(x, "answer", NULL);
    dh_jw_text(w, "raw", raw);
    if (thinking[0])
        dh_jw_text(w, "thinking", thinking);
    return dh_session_file_end(x->file);
}

enum dh_status dh_import_act(struct dh_import *x, const struct dh_action *a,
                             const char *say)
{
    int64_t line;
    struct dh_json_writer *w = begin(x, "act", &line);
    dh_action_json(a, w);
    dh_jw_text(w, "by", x->by);
    if (say[0])
        dh_jw_text(w, "say", say);
    if (x->frame)
        dh_jw_i64(w, "before", x->frame);
    enum dh_status st = dh_session_file_end(x->file);
    if (st)
        return st;
    x->result.actions++;
    w = begin(x, "done", NULL);
    dh_jw_i64(w, "act", line);
    dh_jw_bool(w, "ok", true);
    return dh_session_file_end(x->file);
}

enum dh_status dh_import_note(struct dh_import *x, const char *text)
{
    struct dh_json_writer *w = begin(x, "mark", NULL);
    dh_jw_text(w, "text", text);
    return dh_session_file_end(x->file);
}

// ---- actions ----------------------------------------------------------------

// The words and the objects that OSWorld has besides code.
static bool read_answer(const struct dh_parse_options *how, const char *code,
                        struct dh_answer *out)
{
    struct dh_diag why = { 0 };
    bool ok = dh_answer_parse_with(how, code, strlen(code), out, &why) == DH_OK;
    for (int i = 0; ok && i < out->n; i++)
        out->action[i].on_screen = true;
    return ok;
}

static enum dh_status note_code(struct dh_import *x, const char *code,
                                const char *why)
{
    struct dh_buf text;
    dh_buf_init(&text, 1 << 20);
    dh_buf_printf(&text, "not understood: %s: %.4000s", why, code);
    enum dh_status st = dh_import_note(x, dh_buf_text(&text));
    dh_buf_finish(&text);
    x->result.left_out++;
    return st;
}

enum dh_status dh_import_code(struct dh_import *x, const char *code,
                              enum dh_coord coord, const char *say)
{
    struct dh_size s = x->screen;
    struct dh_parse_options how = { .coord = coord,
                                    .screen = { 0, 0, s.w, s.h } };
    struct dh_python_actions list;
    struct dh_answer answer = { 0 };
    struct dh_diag why = { 0 };
    enum dh_status st = DH_OK;
    if (dh_python_read(&how, code, strlen(code), &list, &why)) {
        for (int i = 0; i < list.n && !st; i++)
            st = dh_import_act(x, &list.item[i], i ? "" : say);
    } else if (read_answer(&how, code, &answer)) {
        for (int i = 0; i < answer.n && !st; i++)
            st = dh_import_act(x, &answer.action[i], i ? "" : say);
    } else {
        st = note_code(x, code, why.text);
    }
    dh_answer_finish(&answer);
    dh_python_finish(&list);
    return st;
}

// ---- begin and end ----------------------------------------------------------

enum dh_status dh_import_end(struct dh_import *x, const char *reason)
{
    static const struct dh_session_spent nothing;
    struct dh_json_writer *w = begin(x, "end", NULL);
    dh_jw_text(w, "reason", reason);
    enum dh_status st = dh_session_file_end(x->file);
    if (st)
        return st;
    return dh_session_file_finish(x->file, x->base_ns + x->t_ns, reason, 0,
                                  strcmp(x->by, "model") ? NULL : &nothing);
}

struct dh_json *dh_import_json(const char *folder, const char *name)
{
    struct dh_diag why = { 0 };
    char *path = dh_path_join(folder, name), *text;
    struct dh_json *o = NULL;
    struct stat st;
    size_t len;
    if (lstat(path, &st) || !S_ISREG(st.st_mode)) {
        dh_error("there is no plain file %s", path);
    } else if (dh_file_read(path, JSON_MAX_BYTES, &text, &len) == DH_OK) {
        o = dh_json_parse(text, len, &why);
        if (!o)
            dh_error("%s: %s", path, why.text);
        dh_big_free(text);
    }
    dh_free(path);
    return o;
}

enum dh_status dh_import(const struct dh_import_options *o,
                         struct dh_import_result *result)
{
    static enum dh_status (*const forms[])(
        struct dh_import *) = { dh_import_agentnet, dh_import_agentnet_raw,
                                dh_import_cua, dh_import_osworld };
    struct dh_import x = { .o = o, .screen = o->screen };
    enum dh_status st = forms[o->form](&x);
    if (!st && dh_cancel_is_set(o->cancel))
        st = DH_ERR_CANCELLED;
    dh_session_file_destroy(x.file);
    if (!st)
        st = dh_staging_end(&x.staging);
    if (!st)
        *result = x.result;
    dh_staging_finish(&x.staging);
    return st;
}
