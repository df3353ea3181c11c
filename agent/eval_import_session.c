#include <stdio.h>
#include <string.h>

#include "agent/eval_set_priv.h"
#include "agent/session_read.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"

// The best words for what was clicked: made for a model, else its name, else
// what stands on it. NULL where the recording has none.
static const char *words_of(const struct dh_json *act)
{
    const struct dh_json *t = dh_json_find(act, "target");
    const struct dh_json *node = t ? dh_json_find(t, "node") : NULL;
    const struct dh_json *words[] = {
        t ? dh_json_find(t, "say") : NULL,
        node ? dh_json_find(node, "name") : NULL,
        t ? dh_json_find(t, "text") : NULL,
    };
    for (size_t i = 0; i < DH_COUNTOF(words); i++)
        if (words[i] && dh_json_text(words[i])[0])
            return dh_json_text(words[i]);
    return NULL;
}

static void take_step(struct dh_eval_set *s, const struct dh_json *act,
                      const struct dh_session_step *step, int number)
{
    struct dh_eval_item it = { 0 };
    char id[24], image[24];
    const struct dh_json *t = dh_json_find(act, "target");
    const struct dh_json *node = t ? dh_json_find(t, "node") : NULL;
    const char *words = words_of(act);
    const struct dh_rect *r = &step->target;
    const double box[] = { r->x, r->y, r->x + r->w, r->y + r->h };
    if (!words || dh_rect_is_empty(*r) || !step->before) {
        dh_eval_set_fault(s, DH_EVAL_FAULT_FIELD, "step %d: %s", number,
                          !words          ? "nothing says what was clicked"
                          : !step->before ? "no picture before it"
                                          : "no box of what was clicked");
        return;
    }
    snprintf(id, sizeof id, "step-%d", number);
    snprintf(image, sizeof image, "%06d.png", step->before);
    it.id = dh_strdup(id);
    it.image = dh_strdup(image);
    it.instruction = dh_strdup(words);
    dh_eval_target_set(&it.target, DH_EVAL_BOX, box, 4);
    dh_eval_tags_add(&it.tags, "op", step->op);
    if (node && dh_json_find(node, "role"))
        dh_eval_tags_add(&it.tags, "role",
                         dh_json_text(dh_json_find(node, "role")));
    const struct dh_json *window = t ? dh_json_find(t, "window") : NULL;
    const struct dh_json *class = window ? dh_json_find(window, "class") : NULL;
    if (class)
        dh_eval_tags_add(&it.tags, "app", dh_json_text(class));
    dh_eval_set_add(s, &it);
}

enum dh_status dh_eval_import_session(struct dh_eval_set *s, const char *dir,
                                      struct dh_diag *diag)
{
    struct dh_session_reader *reader;
    int n;
    enum dh_status st = dh_session_open(&reader, dir, diag);
    if (st)
        return st;
    const struct dh_session_step *step = dh_session_steps(reader, &n);
    for (int i = 0; i < n; i++) {
        struct dh_diag why = { 0 };
        if (step[i].act < 0 || !strstr(step[i].op, "click"))
            continue;
        struct dh_json *act = dh_session_json(reader, step[i].act, &why);
        if (act)
            take_step(s, act, &step[i], i + 1);
        else
            dh_eval_set_fault(s, DH_EVAL_FAULT_FIELD, "step %d: %s", i + 1,
                              why.text);
        dh_json_free(act);
    }
    dh_session_close(reader);
    s->file = dh_resize_array(s->file, 1, sizeof *s->file);
    s->file[s->n_files++] = dh_path_join(dir, "events.jsonl");
    return DH_OK;
}
