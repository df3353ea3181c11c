#include <stdio.h>

#include "agent/demo_priv.h"

// As agent/reduce.h has them where the desktop says nothing.
#define DRAG_PX         8
#define DOUBLE_CLICK_MS 400

static void put_optional(struct dh_json_writer *w, const char *key,
                         const char *text)
{
    if (text)
        dh_jw_text(w, key, text);
}

static void put_params(const struct dh_demo *d, struct dh_json_writer *w)
{
    char name[32];
    dh_jw_object(w, "params");
    for (int i = 1; i <= d->result.secrets; i++) {
        snprintf(name, sizeof name, "secret%d", i);
        dh_jw_object(w, name);
        dh_jw_null(w, "value");
        dh_jw_text(w, "kind", "text");
        dh_jw_bool(w, "secret", true);
        dh_jw_end_object(w);
    }
    dh_jw_end_object(w);
}

static void put_rect(struct dh_json_writer *w, const char *key,
                     struct dh_rect r)
{
    dh_jw_object(w, key);
    dh_jw_i64(w, "x", r.x);
    dh_jw_i64(w, "y", r.y);
    dh_jw_i64(w, "w", r.w);
    dh_jw_i64(w, "h", r.h);
    dh_jw_end_object(w);
}

void dh_demo_write_screen(void *demo, struct dh_json_writer *w)
{
    const struct dh_demo *d = demo;
    const struct dh_layout *l = &d->screen.layout;
    dh_jw_i64(w, "depth", d->setup.depth);
    dh_jw_double(w, "dpi", d->setup.dpi);
    dh_jw_array(w, "outputs");
    for (int i = 0; i < l->n; i++) {
        dh_jw_object(w, NULL);
        dh_jw_text(w, "name", l->output[i].name);
        dh_jw_i64(w, "x", l->output[i].rect.x);
        dh_jw_i64(w, "y", l->output[i].rect.y);
        dh_jw_i64(w, "w", l->output[i].rect.w);
        dh_jw_i64(w, "h", l->output[i].rect.h);
        dh_jw_end_object(w);
    }
    dh_jw_end_array(w);
    put_rect(w, "captured",
             (struct dh_rect){ 0, 0, d->screen.width, d->screen.height });
}

static void put_known(struct dh_json_writer *w, const char *key,
                      const char *text)
{
    put_optional(w, key, text[0] ? text : NULL);
}

// The layout in words is what is in use; the others are what XKB was told.
static void put_input(const struct dh_demo *d, struct dh_json_writer *w)
{
    const struct dh_input_setup *s = &d->setup;
    int ms = s->double_click_ms, px = s->drag_px;
    dh_jw_object(w, "input");
    dh_jw_text(w, "layout", s->layout[0] ? s->layout : d->layout);
    put_known(w, "layout_name", d->layout);
    put_known(w, "variant", s->variant);
    put_known(w, "model", s->model);
    dh_jw_i64(w, "double_click_ms", ms ? ms : DOUBLE_CLICK_MS);
    dh_jw_i64(w, "drag_px", px ? px : DRAG_PX);
    if (s->natural_scroll >= 0)
        dh_jw_bool(w, "natural_scroll", s->natural_scroll);
    dh_jw_end_object(w);
}

static void put_desktop(const struct dh_demo *d, struct dh_json_writer *w)
{
    const struct dh_input_setup *s = &d->setup;
    dh_jw_object(w, "desktop");
    put_known(w, "wm", s->wm);
    put_optional(w, "session", d->o->desktop);
    put_known(w, "theme", s->theme);
    put_known(w, "icons", s->icons);
    put_known(w, "font", s->font);
    if (s->font_scale > 0)
        dh_jw_double(w, "font_scale", s->font_scale);
    put_optional(w, "locale", d->o->locale);
    dh_jw_end_object(w);
}

static void put_privacy(const struct dh_demo *d, struct dh_json_writer *w)
{
    dh_jw_object(w, "privacy");
    dh_jw_text(w, "text", d->o->a11y ? "masked" : "full");
    dh_jw_bool(w, "clipboard", d->o->clipboard);
    dh_jw_array(w, "masked_rects");
    for (int i = 0; i < d->privacy.n_masked; i++)
        put_rect(w, NULL, d->privacy.masked[i]);
    dh_jw_end_array(w);
    dh_jw_array(w, "excluded_windows");
    for (int i = 0; i < d->o->n_exclude; i++)
        dh_jw_text(w, NULL, d->o->exclude[i]);
    dh_jw_end_array(w);
    dh_jw_end_object(w);
}

void dh_demo_write_head(void *demo, struct dh_json_writer *w)
{
    const struct dh_demo *d = demo;
    put_input(d, w);
    put_desktop(d, w);
    put_params(d, w);
    put_privacy(d, w);
}
