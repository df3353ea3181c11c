// What must not leave: found once, then taken out of every text.
#include <string.h>

#include "agent/export_priv.h"
#include "base/mem.h"
#include "base/str.h"

#define VEIL_MARGIN 3
#define SECRET_MIN  2 // one letter is in every text

static void add_secret(struct dh_export *x, const char *name,
                       struct dh_str text)
{
    struct dh_buf instead;
    if (text.n < SECRET_MIN)
        return;
    dh_buf_init(&instead, 256);
    dh_buf_printf(&instead, "{{secret:%s}}", name);
    x->secret =
        dh_resize_array(x->secret, (size_t)x->n_secrets + 1, sizeof *x->secret);
    x->secret[x->n_secrets++] =
        (struct dh_export_secret){ dh_strndup(text.p, text.n),
                                   dh_buf_take(&instead) };
}

// Where it was typed is painted over, or what came later is not shown.
static void hide_place(struct dh_export *x, const struct dh_session_step *step)
{
    struct dh_rect r = step->target;
    if (dh_rect_is_empty(r)) {
        int from = step->before + 1;
        if (!x->blind_from || from < x->blind_from)
            x->blind_from = from;
        return;
    }
    x->veil = dh_resize_array(x->veil, (size_t)x->n_veils + 1, sizeof *x->veil);
    x->veil[x->n_veils++] =
        (struct dh_rect){ r.x - VEIL_MARGIN, r.y - VEIL_MARGIN,
                          r.w + 2 * VEIL_MARGIN, r.h + 2 * VEIL_MARGIN };
}

static void find_secret(struct dh_export *x, const struct dh_session_param *p,
                        const struct dh_session_place *place)
{
    int n;
    const struct dh_session_step *step = dh_session_steps(x->s, &n);
    for (int i = 0; i < n; i++) {
        if (step[i].act < 0 || step[i].act_n != place->act)
            continue;
        struct dh_diag why = { 0 };
        struct dh_json *o = dh_session_json(x->s, step[i].act, &why);
        struct dh_str text = dh_str_of(dh_json_text(dh_json_find(o, "text")));
        if (place->from < text.n && place->len <= text.n - place->from)
            add_secret(x, p->name,
                       dh_str_sub(text, place->from, place->from + place->len));
        hide_place(x, &step[i]);
        dh_json_free(o);
    }
}

// Of two of which one holds the other the longer one goes first.
static void longest_first(struct dh_export *x)
{
    for (int i = 1; i < x->n_secrets; i++)
        for (int j = i;
             j > 0 && strlen(x->secret[j].text) > strlen(x->secret[j - 1].text);
             j--) {
            struct dh_export_secret s = x->secret[j];
            x->secret[j] = x->secret[j - 1];
            x->secret[j - 1] = s;
        }
}

void dh_export_find_secrets(struct dh_export *x)
{
    for (int i = 0; i < x->params.n; i++) {
        const struct dh_session_param *p = &x->params.item[i];
        for (int j = 0; p->secret && j < p->n_at; j++)
            find_secret(x, p, &p->at[j]);
    }
    longest_first(x);
}

static const struct dh_export_secret *secret_at(const struct dh_export *x,
                                                const char *text)
{
    for (int i = 0; i < x->n_secrets; i++)
        if (strncmp(text, x->secret[i].text, strlen(x->secret[i].text)) == 0)
            return &x->secret[i];
    return NULL;
}

char *dh_export_clean(const struct dh_export *x, const char *text)
{
    struct dh_buf out;
    dh_buf_init(&out, DH_EXPORT_MAX_BYTES);
    while (*text) {
        const struct dh_export_secret *s = secret_at(x, text);
        if (!s) {
            dh_buf_putc(&out, *text++);
            continue;
        }
        dh_buf_puts(&out, s->instead);
        text += strlen(s->text);
    }
    return dh_buf_take(&out);
}
