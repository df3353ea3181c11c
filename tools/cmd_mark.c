#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "actions/action.h"
#include "agent/session_params.h"
#include "agent/session_read.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "tools/app.h"

#define DH_LOG_TAG "mark"
#include "base/log.h"

struct mark_options {
    const char *part, *note, *remove;
    bool secret, cut_short;
};

#define MEMBER(m) offsetof(struct mark_options, m)

static const struct dh_opt mark_opts[] = {
    { "part", 0, DH_OPT_TEXT, MEMBER(part), "TEXT",
      "Mark only this part of the step's text", 0, 0, NULL },
    { "secret", 0, DH_OPT_BOOL, MEMBER(secret), NULL,
      "Its value is not kept, shown or exported", 0, 0, NULL },
    { "note", 0, DH_OPT_TEXT, MEMBER(note), "TEXT", "Put a note on the step", 0,
      0, NULL },
    { "remove", 0, DH_OPT_TEXT, MEMBER(remove), "PARAM",
      "This is no parameter any more", 0, 0, NULL },
    { "cut-short", 0, DH_OPT_BOOL, MEMBER(cut_short), NULL,
      "Also change a session that has no end; none may be writing it", 0, 0,
      NULL },
    { 0 },
};

struct marking {
    const char *dir;
    struct dh_session_reader *s;
    struct dh_json *header;
    struct dh_session_params params;
};

/* --- what is there --- */

static const char *shown(void *user, const struct dh_session_param *p)
{
    struct dh_buf *name = user;
    dh_buf_clear(name);
    dh_buf_printf(name, "{{%s%s}}", p->secret ? "secret:" : "", p->name);
    return dh_buf_text(name);
}

// The line of the step's action, whose text is filled in.
static void step_text(const struct marking *m, const struct dh_session_step *p,
                      struct dh_buf *out)
{
    struct dh_diag why = { 0 };
    struct dh_json *o = dh_session_json(m->s, p->act, &why);
    struct dh_action a;
    struct dh_buf name;
    dh_buf_init(&name, 256);
    if (o && dh_action_of_json(o, &a, &why)) {
        char *old = a.text;
        if (old)
            a.text =
                dh_session_params_fill(&m->params, p->act_n, old, shown, &name);
        dh_free(old);
        dh_action_text(&a, out);
        dh_action_finish(&a);
    } else {
        dh_buf_printf(out, "%s ? %s", p->op, why.text);
    }
    dh_buf_finish(&name);
    dh_json_free(o);
}

static void list_step(const struct marking *m, const struct dh_session_step *p,
                      int number, int index, bool json)
{
    struct dh_buf text, out;
    struct dh_json_writer w;
    struct dh_session_words words;
    dh_buf_init(&text, 1 << 20);
    dh_buf_init(&out, 4 << 20);
    step_text(m, p, &text);
    dh_session_words_read(m->s, index, &words);
    if (json) {
        dh_jw_init(&w, &out);
        dh_jw_object(&w, NULL);
        dh_jw_i64(&w, "step", number);
        dh_jw_text(&w, "action", dh_buf_text(&text));
        if (words.note[0])
            dh_jw_text(&w, "note", words.note);
        dh_jw_end_object(&w);
    } else {
        dh_buf_printf(&out, "%4d  %s", number, dh_buf_text(&text));
        if (words.note[0])
            dh_buf_printf(&out, "  (%s)", words.note);
    }
    dh_app_print(stdout, dh_buf_text(&out));
    putchar('\n');
    dh_session_words_finish(&words);
    dh_buf_finish(&out);
    dh_buf_finish(&text);
}

static void list_param(const struct dh_session_param *p, bool json)
{
    struct dh_buf out;
    struct dh_json_writer w;
    dh_buf_init(&out, 4 << 20);
    if (json) {
        dh_jw_init(&w, &out);
        dh_jw_object(&w, NULL);
        dh_jw_text(&w, "param", p->name);
        if (p->value)
            dh_jw_text(&w, "value", p->value);
        dh_jw_bool(&w, "secret", p->secret);
        dh_jw_i64(&w, "step", p->step);
        dh_jw_i64(&w, "places", p->n_at);
        dh_jw_end_object(&w);
    } else if (p->value) {
        dh_buf_printf(&out, "%s = %s", p->name, p->value);
    } else {
        dh_buf_printf(&out, "%s, which has to be given%s", p->name,
                      p->secret ? ": a secret" : "");
    }
    dh_app_print(stdout, dh_buf_text(&out));
    putchar('\n');
    dh_buf_finish(&out);
}

static const struct dh_session_step *step_number(const struct marking *m,
                                                 int number)
{
    int n;
    const struct dh_session_step *p = dh_session_steps(m->s, &n);
    for (int i = 0; i < n; i++)
        if (p[i].act >= 0 && --number == 0)
            return &p[i];
    return NULL;
}

static void list(const struct marking *m, bool json)
{
    int n, number = 0;
    const struct dh_session_step *p = dh_session_steps(m->s, &n);
    for (int i = 0; i < n; i++)
        if (p[i].act >= 0)
            list_step(m, &p[i], ++number, i, json);
    if (!json && m->params.n)
        printf("\nparameters\n");
    for (int i = 0; i < m->params.n; i++)
        list_param(&m->params.item[i], json);
}

/* --- what is changed --- */

static enum dh_status place_of(const char *text, const char *part,
                               struct dh_session_place *out)
{
    struct dh_str all = dh_str_of(text);
    ptrdiff_t at = part ? dh_str_find(all, part, 0) : 0;
    out->from = 0;
    out->len = all.n;
    if (!part)
        return DH_OK;
    if (at < 0 || !part[0]) {
        dh_error("\"%s\" is not in the text of that step", part);
        return DH_ERR_USAGE;
    }
    out->from = (size_t)at;
    out->len = strlen(part);
    if (dh_str_find(all, part, (size_t)at + 1) < 0)
        return DH_OK;
    dh_error("\"%s\" is in the text of that step more than once; give more of "
             "it",
             part);
    return DH_ERR_USAGE;
}

static enum dh_status mark_text(struct marking *m, int number,
                                const struct dh_session_step *step,
                                const char *name, const struct mark_options *o)
{
    struct dh_diag why = { 0 };
    struct dh_json *line = dh_session_json(m->s, step->act, &why);
    const char *text = dh_json_text(dh_json_find(line, "text"));
    struct dh_session_place place = { .act = step->act_n };
    enum dh_status st = DH_OK;
    if (!text[0] || dh_json_is_true(dh_json_find(line, "secret"))) {
        dh_error("step %d has no text that could be marked", number);
        st = DH_ERR_USAGE;
    }
    if (!st)
        st = place_of(text, o->part, &place);
    if (!st) {
        st = dh_session_params_mark(&m->params, name, number, text, place,
                                    o->secret, &why);
        if (st)
            dh_error("%s", why.text);
    }
    if (!st)
        st = dh_session_params_write(&m->params, m->dir, m->header);
    dh_json_free(line);
    return st;
}

static enum dh_status put_note(const struct marking *m,
                               const struct dh_session_step *step,
                               const char *text)
{
    int n;
    const struct dh_session_line *lines = dh_session_lines(m->s, &n);
    struct dh_diag why = { 0 };
    struct dh_json *last = dh_session_json(m->s, n - 1, &why);
    double number = dh_json_number(dh_json_find(last, "n"));
    double t = dh_json_number(dh_json_find(last, "t"));
    dh_json_free(last);
    return dh_session_note_write(m->dir, (int64_t)number + 1,
                                 DH_MAX((int64_t)t, lines[n - 1].t),
                                 step->act_n, text);
}

static enum dh_status change(struct marking *m, int number, const char *name,
                             const struct mark_options *o)
{
    const struct dh_session_step *step = step_number(m, number);
    enum dh_status st = DH_OK;
    if (!dh_session_info(m->s)->ended[0] && !o->cut_short) {
        dh_error("%s has no end: it is being written, or was cut short; "
                 "--cut-short changes it all the same",
                 m->dir);
        return DH_ERR_USAGE;
    }
    if (o->remove && !dh_session_params_remove(&m->params, o->remove)) {
        dh_error("there is no parameter \"%s\"", o->remove);
        return DH_ERR_USAGE;
    }
    if (o->remove)
        st = dh_session_params_write(&m->params, m->dir, m->header);
    if (number && !step) {
        dh_error("there is no step %d", number);
        return DH_ERR_USAGE;
    }
    if (!st && name)
        st = mark_text(m, number, step, name, o);
    if (!st && o->note)
        st = put_note(m, step, o->note);
    if (!st && o->secret)
        dh_warn("what was typed is still in %s and its pictures; it is left "
                "out of exports",
                m->dir);
    return st;
}

static enum dh_status open_marking(struct marking *m)
{
    struct dh_diag why = { 0 };
    enum dh_status st = dh_session_open(&m->s, m->dir, &why);
    if (!st && !(m->header = dh_session_header(m->s, &why)))
        st = DH_ERR_FORMAT;
    if (!st)
        st = dh_session_params_read(m->header, &m->params, &why);
    if (st)
        dh_error("%s: %s", m->dir, why.text);
    return st;
}

static enum dh_status mark(const char *dir, int number, const char *name,
                           const struct mark_options *o, bool json)
{
    struct marking m = { .dir = dir };
    enum dh_status st = open_marking(&m);
    if (!st && !number && !o->remove)
        list(&m, json);
    else if (!st)
        st = change(&m, number, name, o);
    dh_session_params_finish(&m.params);
    dh_json_free(m.header);
    dh_session_close(m.s);
    return st;
}

static int run(int argc, char **argv)
{
    struct mark_options o = { 0 };
    struct dh_app_options app = DH_APP_DEFAULTS;
    struct dh_opt_set sets[] = { { mark_opts, &o },
                                 { dh_app_opts, &app },
                                 { 0 } };
    int n, status;
    int64_t step = 0;
    if (!dh_app_parse(&dh_cmd_mark, sets, &app, argc, argv, &n, &status))
        return status;
    if (n < 1 || n > 3)
        return dh_app_usage(&dh_cmd_mark, "NAME, and STEP PARAM to mark one");
    if (n > 1 && (!dh_parse_i64(dh_str_of(argv[2]), &step) || step < 1 ||
                  step > 1000000))
        return dh_app_usage(&dh_cmd_mark, "\"%s\" is no number of a step",
                            argv[2]);
    if (n == 2 && !o.note)
        return dh_app_usage(&dh_cmd_mark,
                            "a step needs the name of a PARAM, or --note");
    if (n < 3 && (o.part || o.secret))
        return dh_app_usage(&dh_cmd_mark, "--part and --secret are for STEP "
                                          "PARAM");
    if (n == 1 && o.note)
        return dh_app_usage(&dh_cmd_mark, "--note needs a STEP");
    char *dir = dh_app_session_find(argv[1]);
    enum dh_status st =
        mark(dir, (int)step, n > 2 ? argv[3] : NULL, &o, app.json);
    dh_free(dir);
    return dh_app_exit(st);
}

const struct dh_command dh_cmd_mark = {
    "mark",
    "NAME [STEP PARAM]",
    "Name what of a recording may differ when it is played",
    "  deskhand mark invoice                      steps and parameters\n"
    "  deskhand mark invoice 3 customer           the text of step 3\n"
    "  deskhand mark invoice 5 date --part 2026   a part of it\n"
    "  deskhand mark invoice 4 pin --secret\n"
    "  deskhand mark invoice 4 --note \"only new customers have none\"\n"
    "\n"
    "A parameter's value is what was recorded until another is given. The\n"
    "same name may be marked in several steps that have the same text.",
    { mark_opts, dh_app_opts },
    run,
};
