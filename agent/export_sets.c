// The forms that programs read: AgentNet, ScreenSpot, OSWorld.
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "actions/python.h"
#include "agent/export_priv.h"
#include "base/mem.h"
#include "base/str.h"

// ---- AgentNet ---------------------------------------------------------------

static void put_words(struct dh_export *x, const struct dh_export_step *s,
                      struct dh_json_writer *w)
{
    struct dh_session_words words;
    dh_session_words_read(x->s, s->index, &words);
    char *thought = dh_export_clean(x, words.thinking);
    dh_jw_null(w, "observation");
    if (thought[0])
        dh_jw_text(w, "thought", thought);
    else
        dh_jw_null(w, "thought");
    dh_jw_text(w, "action", s->words);
    dh_free(thought);
    dh_session_words_finish(&words);
}

// What a model would say of the step afterwards nobody has said.
static void put_unsaid(struct dh_json_writer *w)
{
    dh_jw_null(w, "last_step_correct");
    dh_jw_null(w, "last_step_redundant");
    dh_jw_null(w, "reflection");
}

static enum dh_status put_agentnet_step(struct dh_export *x,
                                        const struct dh_export_step *s,
                                        struct dh_json_writer *w)
{
    char picture[64];
    struct dh_buf code;
    enum dh_status st = dh_export_picture(x, s->step->before, picture);
    if (st)
        return st;
    dh_buf_init(&code, DH_EXPORT_MAX_BYTES);
    dh_python_write(&s->action, x->screen, &code);
    dh_jw_object(w, NULL);
    dh_jw_i64(w, "index", x->result.steps++);
    // The set names files within its folder of pictures.
    if (picture[0])
        dh_jw_text(w, "image", picture + strlen("images/"));
    else
        dh_jw_null(w, "image");
    dh_jw_object(w, "value");
    put_words(x, s, w);
    dh_jw_text(w, "code", dh_buf_text(&code));
    put_unsaid(w);
    dh_jw_end_object(w);
    dh_jw_end_object(w);
    dh_buf_finish(&code);
    return DH_OK;
}

// Every task of the set ends with a word that it does.
static enum dh_status put_terminate(struct dh_export *x,
                                    struct dh_json_writer *w)
{
    int n;
    const struct dh_session_shot *shots = dh_session_shots(x->s, &n);
    struct dh_session_step at = { .before = n ? shots[n - 1].number : 0,
                                  .answer = -1,
                                  .act = -1,
                                  .done = -1,
                                  .mark = -1 };
    char picture[64];
    enum dh_status st = dh_export_picture(x, at.before, picture);
    if (st)
        return st;
    dh_jw_object(w, NULL);
    dh_jw_i64(w, "index", x->result.steps);
    if (picture[0])
        dh_jw_text(w, "image", picture + strlen("images/"));
    else
        dh_jw_null(w, "image");
    dh_jw_object(w, "value");
    dh_jw_null(w, "observation");
    dh_jw_null(w, "thought");
    dh_jw_text(w, "action", "Done");
    dh_jw_text(w, "code", "computer.terminate(status='success')");
    put_unsaid(w);
    dh_jw_end_object(w);
    dh_jw_end_object(w);
    return DH_OK;
}

static bool ended_well(const struct dh_export *x)
{
    const char *ended = dh_session_info(x->s)->ended;
    return strcmp(ended, "user") == 0 || strcmp(ended, "done") == 0;
}

static enum dh_status put_traj(struct dh_export *x, struct dh_json_writer *w)
{
    enum dh_status st = DH_OK;
    struct dh_export_step s;
    bool final = false;
    dh_jw_array(w, "traj");
    for (int i = 0; !st && dh_export_next(x, &i, &s);) {
        st = put_agentnet_step(x, &s, w);
        final = dh_action_is_final(&s.action);
        dh_export_step_finish(&s);
    }
    if (!st && !final && ended_well(x))
        st = put_terminate(x, w);
    dh_jw_end_array(w);
    return st;
}

enum dh_status dh_export_agentnet(struct dh_export *x)
{
    struct dh_buf out;
    struct dh_json_writer w;
    char *task = dh_export_clean(x, dh_session_info(x->s)->task);
    dh_buf_init(&out, DH_EXPORT_MAX_BYTES);
    dh_jw_init(&w, &out);
    dh_jw_object(&w, NULL);
    dh_jw_text(&w, "task_id", x->name);
    dh_jw_text(&w, "instruction", task);
    dh_jw_text(&w, "natural_language_task", task);
    dh_jw_null(&w, "actual_task");
    if (dh_session_info(x->s)->ended[0])
        dh_jw_bool(&w, "task_completed", ended_well(x));
    else
        dh_jw_null(&w, "task_completed");
    dh_jw_null(&w, "alignment_score");
    dh_jw_null(&w, "efficiency_score");
    dh_jw_null(&w, "task_difficulty");
    dh_jw_null(&w, "reason");
    enum dh_status st = put_traj(x, &w);
    dh_jw_end_object(&w);
    dh_buf_putc(&out, '\n');
    if (!st)
        st = dh_export_put(x, "agentnet.jsonl", &out);
    dh_buf_finish(&out);
    dh_free(task);
    return st;
}

// ---- ScreenSpot -------------------------------------------------------------

// "firefox.Firefox" is Firefox.
static char *application(const struct dh_export *x, const struct dh_json *line)
{
    const struct dh_json *window =
        dh_json_find(dh_json_find(line, "target"), "window");
    char *class =
        dh_export_clean(x, dh_json_text(dh_json_find(window, "class")));
    const char *dot = strrchr(class, '.');
    char *out = dh_strdup(dot ? dot + 1 : class);
    dh_free(class);
    return out;
}

static void put_box(const struct dh_export *x, struct dh_rect r,
                    struct dh_json_writer *w)
{
    dh_jw_array(w, "bbox");
    dh_jw_i64(w, NULL, r.x - x->screen.x);
    dh_jw_i64(w, NULL, r.y - x->screen.y);
    dh_jw_i64(w, NULL, r.w);
    dh_jw_i64(w, NULL, r.h);
    dh_jw_end_array(w);
}

static enum dh_status put_item(struct dh_export *x,
                               const struct dh_export_step *s,
                               struct dh_json_writer *w)
{
    const struct dh_json *t = dh_json_find(s->line, "target");
    const struct dh_json *name = dh_json_find(dh_json_find(t, "node"), "name");
    bool named =
        dh_json_text(name)[0] || dh_json_text(dh_json_find(t, "text"))[0];
    struct dh_rect r = dh_rect_intersect(s->step->target, x->screen);
    char picture[64], *target = dh_export_target(x, s->line);
    enum dh_status st = DH_OK;
    picture[0] = '\0';
    // Without words nobody can be asked for it.
    if (!dh_rect_is_empty(r) && target[0])
        st = dh_export_picture(x, s->step->before, picture);
    if (!st && picture[0]) {
        char *app = application(x, s->line);
        dh_jw_object(w, NULL);
        dh_jw_text(w, "img_filename", picture);
        put_box(x, r, w);
        dh_jw_text(w, "instruction", target);
        dh_jw_text(w, "data_type", named ? "text" : "icon");
        dh_jw_text(w, "data_source", "linux");
        dh_jw_text(w, "application", app);
        dh_jw_end_object(w);
        x->result.items++;
        dh_free(app);
    } else {
        x->result.left_out++;
    }
    dh_free(target);
    return st;
}

enum dh_status dh_export_screenspot(struct dh_export *x)
{
    struct dh_buf out;
    struct dh_json_writer w;
    struct dh_export_step s;
    enum dh_status st = DH_OK;
    dh_buf_init(&out, DH_EXPORT_MAX_BYTES);
    dh_jw_init(&w, &out);
    dh_jw_array(&w, NULL);
    for (int i = 0; !st && dh_export_next(x, &i, &s);) {
        if (s.action.op == DH_ACTION_CLICK)
            st = put_item(x, &s, &w);
        x->result.steps++;
        dh_export_step_finish(&s);
    }
    dh_jw_end_array(&w);
    dh_buf_putc(&out, '\n');
    if (!st)
        st = dh_export_put(x, "screenspot.json", &out);
    dh_buf_finish(&out);
    return st;
}

// ---- OSWorld ----------------------------------------------------------------

static bool seen_before(struct dh_buf *seen, const char *app)
{
    char line[160];
    snprintf(line, sizeof line, "\n%.150s\n", app);
    if (!app[0] || strstr(dh_buf_text(seen), line))
        return true;
    dh_buf_puts(seen, line);
    return false;
}

static void put_apps(struct dh_export *x, struct dh_json_writer *w)
{
    struct dh_export_step s;
    struct dh_buf seen;
    dh_buf_init(&seen, 1 << 20);
    dh_jw_array(w, "related_apps");
    for (int i = 0; dh_export_next(x, &i, &s);) {
        char *app = application(x, s.line);
        for (char *p = app; *p; p++)
            *p = (char)tolower((unsigned char)*p);
        if (!seen_before(&seen, app))
            dh_jw_text(w, NULL, app);
        x->result.steps++;
        dh_free(app);
        dh_export_step_finish(&s);
    }
    dh_jw_end_array(w);
    dh_buf_finish(&seen);
}

// It fails until somebody says how to tell that it was done.
static void put_evaluator(struct dh_json_writer *w)
{
    dh_jw_object(w, "evaluator");
    dh_jw_array(w, "postconfig");
    dh_jw_end_array(w);
    dh_jw_text(w, "func", "exact_match");
    dh_jw_object(w, "result");
    dh_jw_text(w, "type", "vm_command_line");
    dh_jw_text(w, "command", "echo 'write here a command that tells'");
    dh_jw_bool(w, "shell", true);
    dh_jw_end_object(w);
    dh_jw_object(w, "expected");
    dh_jw_text(w, "type", "rule");
    dh_jw_object(w, "rules");
    dh_jw_text(w, "expected", "and here what it prints when it was done");
    dh_jw_end_object(w);
    dh_jw_end_object(w);
    dh_jw_end_object(w);
}

enum dh_status dh_export_osworld(struct dh_export *x)
{
    struct dh_buf out;
    struct dh_json_writer w;
    char *task = dh_export_clean(x, dh_session_info(x->s)->task);
    dh_buf_init(&out, DH_EXPORT_MAX_BYTES);
    dh_jw_init(&w, &out);
    dh_jw_object(&w, NULL);
    dh_jw_text(&w, "id", x->name);
    dh_jw_text(&w, "snapshot", "os");
    dh_jw_text(&w, "instruction", task);
    dh_jw_text(&w, "source", "deskhand session");
    dh_jw_array(&w, "config");
    dh_jw_end_array(&w);
    dh_jw_text(&w, "trajectory", "trajectories/");
    put_apps(x, &w);
    put_evaluator(&w);
    dh_jw_bool(&w, "proxy", false);
    dh_jw_bool(&w, "fixed_ip", false);
    dh_jw_text(&w, "possibility_of_env_change", "low");
    dh_jw_end_object(&w);
    dh_buf_putc(&out, '\n');
    enum dh_status st = dh_export_put(x, NULL, &out);
    dh_buf_finish(&out);
    dh_free(task);
    return st;
}
