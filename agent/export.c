#include "agent/export.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/export_priv.h"
#include "agent/staging.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "capture/frame.h"
#include "capture/png.h"

#define DH_LOG_TAG "export"
#include "base/log.h"

#define GREY        0x80
#define MAX_PICTURE 999999 // more names than that nobody has written

const char *const dh_export_names[DH_EXPORT_FORMS + 1] = {
    "agentnet", "screenspot", "osworld", "markdown", "shell", NULL
};

static int side(const struct dh_json *o, const char *key)
{
    double v = dh_json_number(dh_json_find(o, key));
    return v > -1e6 && v < 1e6 ? (int)v : 0;
}

static struct dh_rect rect_of(const struct dh_json *o)
{
    return (struct dh_rect){ side(o, "x"), side(o, "y"), side(o, "w"),
                             side(o, "h") };
}

// ---- steps ------------------------------------------------------------------

static const char *secret_name(void *user, const struct dh_session_param *p)
{
    struct dh_buf *name = user;
    dh_buf_clear(name);
    dh_buf_printf(name, "{{secret:%s}}", p->name);
    return p->secret ? dh_buf_text(name) : NULL;
}

char *dh_export_clean_act(const struct dh_export *x, int64_t act,
                          const char *text)
{
    struct dh_buf name;
    dh_buf_init(&name, 256);
    // First by its place, which is exact, then wherever else it stands.
    char *filled =
        dh_session_params_fill(&x->params, act, text, secret_name, &name);
    char *clean = dh_export_clean(x, filled);
    dh_free(filled);
    dh_buf_finish(&name);
    return clean;
}

static void clean_action(const struct dh_export *x, int64_t act,
                         struct dh_action *a)
{
    if (!a->text)
        return;
    char *clean = dh_export_clean_act(x, act, a->text);
    dh_free(a->text);
    a->text = clean;
}

static char *clean_member(const struct dh_export *x, const struct dh_json *o,
                          const char *key)
{
    return dh_export_clean(x, dh_json_text(dh_json_find(o, key)));
}

char *dh_export_target(const struct dh_export *x, const struct dh_json *line)
{
    const struct dh_json *t = dh_json_find(line, "target");
    const struct dh_json *node = dh_json_find(t, "node");
    const struct dh_json *labels = dh_json_find(t, "labels");
    char *say = clean_member(x, t, "say"),
         *name = clean_member(x, node, "name");
    char *role = clean_member(x, node, "role"),
         *text = clean_member(x, t, "text");
    char *label =
        clean_member(x, labels ? dh_json_first(labels) : NULL, "text");
    struct dh_buf out;
    dh_buf_init(&out, DH_EXPORT_MAX_BYTES);
    const char *what = role[0] ? role : "element";
    if (say[0])
        dh_buf_puts(&out, say);
    else if (name[0] || text[0])
        dh_buf_printf(&out, "the %s \"%s\"", what, name[0] ? name : text);
    else if (label[0])
        dh_buf_printf(&out, "the %s beside \"%s\"", what, label);
    dh_free(say);
    dh_free(name);
    dh_free(role);
    dh_free(text);
    dh_free(label);
    return dh_buf_take(&out);
}

static const char *verb_of(const struct dh_action *a)
{
    static const char *const verbs[DH_ACTION_COUNT] = {
        "Look again",
        "Look closer",
        "Ask where the pointer is",
        "Move to",
        "Click",
        "Press the button on",
        "Let go of the button on",
        "Press long on",
        "Drag",
        "Scroll",
        "Type",
        "Press",
        "Hold",
        "Press down",
        "Let go of",
        "Wait",
        "Answer",
        "Ask",
        "Done",
        "Give up",
    };
    if (a->op == DH_ACTION_CLICK && a->button == 3)
        return "Right-click";
    if (a->op == DH_ACTION_CLICK && a->button == 2)
        return "Middle-click";
    if (a->op == DH_ACTION_CLICK && a->count > 1)
        return a->count == 2 ? "Double-click" : "Triple-click";
    return verbs[a->op];
}

static struct dh_point told(const struct dh_export *x, struct dh_point p)
{
    const struct dh_rect *s = &x->screen;
    if (!x->thousandths)
        return p;
    return (struct dh_point){ DH_CLAMP((p.x - s->x) * 1000 / s->w, 0, 1000),
                              DH_CLAMP((p.y - s->y) * 1000 / s->h, 0, 1000) };
}

static void put_place(const struct dh_export *x, const struct dh_action *a,
                      const struct dh_json *line, struct dh_buf *out)
{
    const struct dh_json *window =
        dh_json_find(dh_json_find(line, "target"), "window");
    const struct dh_point at = told(x, a->at), start = told(x, a->start);
    char *target = dh_export_target(x, line);
    char *title = clean_member(x, window, "title");
    if (a->op == DH_ACTION_SCROLL)
        dh_buf_printf(out, " %s %d",
                      a->dy < 0   ? "up"
                      : a->dy > 0 ? "down"
                      : a->dx < 0 ? "left"
                                  : "right",
                      a->dy       ? a->dy < 0 ? -a->dy : a->dy
                      : a->dx < 0 ? -a->dx
                                  : a->dx);
    if (dh_action_is_pointer(a) && target[0])
        dh_buf_printf(out, a->op == DH_ACTION_SCROLL ? " on %s" : " %s",
                      target);
    else if (a->has_at && a->has_start)
        dh_buf_printf(out, " from %d,%d to %d,%d", start.x, start.y, at.x,
                      at.y);
    else if (a->has_at)
        dh_buf_printf(out, " at %d,%d", at.x, at.y);
    if (a->text) {
        dh_buf_putc(out, ' ');
        dh_json_quote(out, dh_str_of(a->text));
    }
    if (title[0])
        dh_buf_printf(out, " in the window \"%s\"", title);
    dh_free(target);
    dh_free(title);
}

static char *words_of(const struct dh_export *x, const struct dh_action *a,
                      const struct dh_json *line)
{
    char *say = clean_member(x, line, "say");
    struct dh_buf out;
    if (say[0])
        return say;
    dh_free(say);
    dh_buf_init(&out, DH_EXPORT_MAX_BYTES);
    dh_buf_puts(&out, verb_of(a));
    put_place(x, a, line, &out);
    return dh_buf_take(&out);
}

bool dh_export_next(struct dh_export *x, int *i, struct dh_export_step *out)
{
    int n;
    const struct dh_session_step *step = dh_session_steps(x->s, &n);
    for (; *i < n && !dh_cancel_is_set(x->cancel); ++*i) {
        struct dh_diag why = { 0 };
        if (step[*i].act < 0)
            continue;
        memset(out, 0, sizeof *out);
        out->step = &step[*i];
        out->index = *i;
        out->line = dh_session_json(x->s, step[*i].act, &why);
        if (out->line && dh_action_of_json(out->line, &out->action, &why)) {
            clean_action(x, step[*i].act_n, &out->action);
            out->words = words_of(x, &out->action, out->line);
            ++*i;
            return true;
        }
        dh_warn("step %d is left out: %s", *i + 1, why.text);
        x->result.left_out++;
        dh_json_free(out->line);
    }
    return false;
}

void dh_export_step_finish(struct dh_export_step *s)
{
    dh_action_finish(&s->action);
    dh_json_free(s->line);
    dh_free(s->words);
}

// ---- files ------------------------------------------------------------------

enum dh_status dh_export_veil(const struct dh_export *x,
                              const struct dh_frame *in, struct dh_frame **out)
{
    enum dh_status st = dh_frame_create(out, NULL, in->width, in->height);
    if (st)
        return st;
    for (int y = 0; y < in->height; y++)
        memcpy(dh_frame_at(*out, 0, y), dh_frame_at(in, 0, y),
               (size_t)in->width * 4);
    for (int i = 0; i < x->n_veils; i++) {
        struct dh_rect r = x->veil[i];
        r.x -= x->screen.x;
        r.y -= x->screen.y;
        r = dh_rect_intersect(r,
                              (struct dh_rect){ 0, 0, in->width, in->height });
        for (int y = r.y; y < r.y + r.h; y++)
            memset(dh_frame_at(*out, r.x, y), GREY, (size_t)r.w * 4);
    }
    dh_frame_publish(*out);
    return DH_OK;
}

static enum dh_status write_picture(struct dh_export *x, int number,
                                    const char *name)
{
    struct dh_frame *f, *clean = NULL;
    struct dh_diag why = { 0 };
    if (dh_session_frame(x->s, number, &f, &why)) {
        dh_warn("picture %d is left out: %s", number, why.text);
        return DH_ERR_NOTFOUND;
    }
    char *images = dh_path_join(x->out, "images");
    char *path = dh_path_join(x->out, name);
    enum dh_status st = dh_path_mkdirs(images);
    if (!st)
        st = dh_export_veil(x, f, &clean);
    if (!st)
        st = dh_png_write(path, clean);
    dh_frame_unref(clean);
    dh_frame_unref(f);
    dh_free(path);
    dh_free(images);
    return st;
}

// 0: not looked at yet, 1: written, 2: it cannot be.
static unsigned char *state_of(struct dh_export *x, int number)
{
    if (number >= x->n_written) {
        x->written =
            dh_resize_array(x->written, (size_t)number + 1, sizeof *x->written);
        memset(x->written + x->n_written, 0,
               (size_t)(number + 1 - x->n_written));
        x->n_written = number + 1;
    }
    return &x->written[number];
}

enum dh_status dh_export_picture(struct dh_export *x, int number, char name[64])
{
    enum { WRITTEN = 1, NONE };
    name[0] = '\0';
    if (number < 1 || number > MAX_PICTURE)
        return DH_OK;
    unsigned char *state = state_of(x, number);
    if (*state == 0 && x->blind_from && number >= x->blind_from) {
        x->result.hidden++;
        *state = NONE;
    }
    snprintf(name, 64, "images/%06d.png", number);
    if (*state == 0) {
        enum dh_status st = write_picture(x, number, name);
        if (st && st != DH_ERR_NOTFOUND)
            return st;
        *state = st ? NONE : WRITTEN;
        x->result.pictures += !st;
    }
    if (*state == NONE)
        name[0] = '\0';
    return DH_OK;
}

enum dh_status dh_export_put(struct dh_export *x, const char *name,
                             const struct dh_buf *text)
{
    if (text->overflow) {
        dh_error("%s is too long", name ? name : x->out);
        return DH_ERR_RANGE;
    }
    enum dh_status st = name ? dh_path_mkdirs(x->out) : DH_OK;
    char *path = name ? dh_path_join(x->out, name) : dh_strdup(x->out);
    if (!st)
        st = dh_file_write(path, dh_buf_text(text), text->len);
    dh_free(path);
    return st;
}

// ---- begin and end ----------------------------------------------------------

static struct dh_rect screen_of(const struct dh_export *x)
{
    const struct dh_json *screen = dh_json_find(x->header, "screen");
    struct dh_rect captured = rect_of(dh_json_find(screen, "captured"));
    struct dh_size size = dh_session_info(x->s)->screen;
    return captured.w > 0 && captured.h > 0
               ? captured
               : (struct dh_rect){ 0, 0, size.w, size.h };
}

static char *name_of(const char *dir)
{
    size_t n = strlen(dir);
    while (n > 1 && dir[n - 1] == '/')
        n--;
    size_t from = n;
    while (from > 0 && dir[from - 1] != '/')
        from--;
    return dh_strndup(dir + from, n - from);
}

enum dh_status dh_export_open(struct dh_export *x, const char *dir)
{
    struct dh_diag why = { 0 };
    int n;
    enum dh_status st = dh_session_open(&x->s, dir, &why);
    if (!st && !(x->header = dh_session_header(x->s, &why)))
        st = DH_ERR_FORMAT;
    // Without them nobody knows what is secret.
    if (!st)
        st = dh_session_params_read(x->header, &x->params, &why);
    if (st) {
        dh_error("%s: %s", dir, why.text);
        return st;
    }
    const char *const *notes = dh_session_notes(x->s, &n);
    for (int i = 0; i < n; i++)
        dh_warn("%s: %s", dir, notes[i]);
    x->name = name_of(dir);
    x->screen = screen_of(x);
    dh_export_find_secrets(x);
    if (x->screen.w > 0 && x->screen.h > 0)
        return DH_OK;
    dh_error("%s does not say how large the screen was", dir);
    return DH_ERR_FORMAT;
}

void dh_export_close(struct dh_export *x)
{
    for (int i = 0; i < x->n_secrets; i++) {
        dh_free(x->secret[i].text);
        dh_free(x->secret[i].instead);
    }
    dh_free(x->secret);
    dh_free(x->veil);
    dh_free(x->written);
    dh_free(x->name);
    dh_session_params_finish(&x->params);
    dh_json_free(x->header);
    dh_session_close(x->s);
}

enum dh_status dh_export(const char *dir, enum dh_export_form form,
                         const char *out, struct dh_cancel *cancel,
                         struct dh_export_result *result)
{
    static enum dh_status (*const forms[])(struct dh_export *) = {
        dh_export_agentnet, dh_export_screenspot, dh_export_osworld,
        dh_export_markdown, dh_export_shell
    };
    struct dh_export x = { .cancel = cancel };
    struct dh_staging staging = { 0 };
    enum dh_status st = dh_export_open(&x, dir);
    if (!st)
        st = dh_staging_begin(&staging, out);
    x.out = staging.path;
    if (!st)
        st = forms[form](&x);
    if (!st && dh_cancel_is_set(cancel))
        st = DH_ERR_CANCELLED;
    if (!st)
        st = dh_staging_end(&staging);
    if (!st)
        *result = x.result;
    dh_staging_finish(&staging);
    dh_export_close(&x);
    return st;
}
