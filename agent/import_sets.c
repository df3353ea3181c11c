// The forms with a step in each object: AgentNet's, cua's, OSWorld's.
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actions/action.h"
#include "agent/import_priv.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/lines.h"
#include "base/mem.h"
#include "base/thread.h"

#define DH_LOG_TAG "import"
#include "base/log.h"

#define STEP_NS   DH_S // nobody says when it was; they are shown one by one
#define MAX_TURNS 100000

static const char *text_of(const struct dh_json *o, const char *key)
{
    return dh_json_text(dh_json_find(o, key));
}

// ---- AgentNet ---------------------------------------------------------------

// A folder "images" beside the file, or the file's own.
static char *folder_of_images(const struct dh_import *x)
{
    if (x->o->images)
        return dh_strdup(x->o->images);
    char *dir = dh_path_dir(x->o->src), *images = dh_path_join(dir, "images");
    bool there = dh_path_is_dir(images);
    dh_free(there ? dir : images);
    return there ? images : dir;
}

static enum dh_status agentnet_step(struct dh_import *x, const char *images,
                                    const struct dh_json *step)
{
    const struct dh_json *v = dh_json_find(step, "value");
    enum dh_status st =
        dh_import_picture(x, images, text_of(step, "image"), "before");
    if (!st && (x->screen.w <= 0 || x->screen.h <= 0)) {
        dh_error("there is no picture in %s that tells how large the screen "
                 "was; give --screen",
                 images);
        return DH_ERR_NOTFOUND;
    }
    if (!st && text_of(v, "thought")[0])
        st = dh_import_answer(x, text_of(v, "action"), text_of(v, "thought"));
    if (!st)
        st = dh_import_code(x, text_of(v, "code"), DH_COORD_NORM1,
                            text_of(v, "action"));
    x->result.steps++;
    x->t_ns += STEP_NS;
    return st;
}

static enum dh_status agentnet_task(struct dh_import *x,
                                    const struct dh_json *task)
{
    const struct dh_json *traj = dh_json_find(task, "traj");
    const char *words = text_of(task, "instruction");
    if (!traj || dh_json_kind(traj) != DH_JSON_ARRAY) {
        dh_error("%s: the task has no traj", x->o->src);
        return DH_ERR_FORMAT;
    }
    if (!words[0])
        words = text_of(task, "natural_language_task");
    char *images = folder_of_images(x);
    enum dh_status st = dh_import_begin(x, "human", "human", words);
    for (const struct dh_json *v = dh_json_first(traj);
         v && !st && !dh_cancel_is_set(x->o->cancel); v = dh_json_next(v))
        st = agentnet_step(x, images, v);
    if (!st)
        st = dh_import_end(x, "user");
    dh_free(images);
    return st;
}

static bool is_blank(struct dh_str line)
{
    return dh_str_trim(line).n == 0;
}

// NULL: it is no JSON; logged.
static struct dh_json *read_line(const struct dh_import *x,
                                 const struct dh_lines *l, struct dh_str line)
{
    struct dh_diag why = { 0 };
    struct dh_json *o = dh_json_parse(line.p, line.n, &why);
    if (!o)
        dh_error("%s: line %lld: %s", x->o->src, (long long)l->number,
                 why.text);
    return o;
}

// The task of that id, or the first one. Its line alone is in memory.
static struct dh_json *find_task(struct dh_import *x, struct dh_lines *l)
{
    struct dh_str line;
    enum dh_status st;
    while (!(st = dh_lines_next(l, &line)) && !dh_cancel_is_set(x->o->cancel)) {
        if (is_blank(line))
            continue;
        struct dh_json *o = read_line(x, l, line);
        if (!o)
            return NULL;
        if (!x->o->pick || strcmp(text_of(o, "task_id"), x->o->pick) == 0)
            return o;
        dh_json_free(o);
    }
    if (st == DH_ERR_RANGE)
        dh_error("%s: line %lld is too long", x->o->src,
                 (long long)l->number + 1);
    else
        dh_error("%s has no %s%s", x->o->src, x->o->pick ? "task " : "task",
                 x->o->pick ? x->o->pick : "");
    return NULL;
}

enum dh_status dh_import_agentnet(struct dh_import *x)
{
    struct dh_lines l;
    struct dh_str line;
    enum dh_status st = dh_lines_open(&l, x->o->src, DH_IMPORT_LINE_MAX);
    if (st)
        return st;
    struct dh_json *task = find_task(x, &l);
    st = task ? agentnet_task(x, task) : DH_ERR_FORMAT;
    dh_json_free(task);
    while (!st && !x->o->pick && !x->result.more &&
           dh_lines_next(&l, &line) == DH_OK)
        x->result.more = !is_blank(line);
    dh_lines_close(&l);
    return st;
}

// ---- OSWorld ----------------------------------------------------------------

// Its own objects name what they take under "parameters".
static void put_action(const struct dh_json *action, struct dh_buf *out)
{
    if (dh_json_kind(action) == DH_JSON_STRING)
        dh_buf_puts(out, dh_json_text(action));
    else
        dh_json_print(action, out);
}

static enum dh_status osworld_step(struct dh_import *x, const char *folder,
                                   const struct dh_json *o)
{
    const struct dh_json *action = dh_json_find(o, "action");
    struct dh_buf code;
    dh_buf_init(&code, 1 << 20);
    if (action)
        put_action(action, &code);
    enum dh_status st = dh_import_answer(x, text_of(o, "response"), "");
    // The first picture is what the first step led to, so of that one only the
    // size is known.
    if (!st && x->screen.w <= 0)
        st = dh_import_picture(x, folder, text_of(o, "screenshot_file"),
                               "start");
    if (!st && x->screen.w <= 0) {
        dh_error("there is no picture in %s that tells how large the screen "
                 "was; give --screen",
                 folder);
        st = DH_ERR_NOTFOUND;
    }
    if (!st && code.len)
        st = dh_import_code(x, dh_buf_text(&code), DH_COORD_PIXELS_SCREEN, "");
    if (!st)
        st = dh_import_picture(x, folder, text_of(o, "screenshot_file"),
                               "after");
    dh_buf_finish(&code);
    x->result.steps++;
    x->t_ns += STEP_NS;
    return st;
}

static enum dh_status osworld_lines(struct dh_import *x, struct dh_lines *l,
                                    const char *folder)
{
    struct dh_str line;
    enum dh_status st;
    while (!(st = dh_lines_next(l, &line)) && !dh_cancel_is_set(x->o->cancel)) {
        if (is_blank(line))
            continue;
        struct dh_json *o = read_line(x, l, line);
        if (!o)
            return DH_ERR_FORMAT;
        st = osworld_step(x, folder, o);
        dh_json_free(o);
        if (st)
            return st;
    }
    if (st == DH_ERR_RANGE)
        dh_error("%s: line %lld is too long", x->o->src,
                 (long long)l->number + 1);
    return st == DH_ERR_NOTFOUND ? DH_OK : st;
}

enum dh_status dh_import_osworld(struct dh_import *x)
{
    struct dh_lines l;
    bool is_folder = dh_path_is_dir(x->o->src);
    char *path = is_folder ? dh_path_join(x->o->src, "traj.jsonl")
                           : dh_strdup(x->o->src);
    char *own = dh_path_dir(path);
    const char *folder = x->o->images ? x->o->images : own;
    enum dh_status st = dh_lines_open(&l, path, DH_IMPORT_LINE_MAX);
    bool opened = !st;
    if (!st)
        st = dh_import_begin(x, "agent", "model", NULL);
    if (!st)
        st = osworld_lines(x, &l, folder);
    if (!st && !x->result.steps) {
        dh_error("%s has no step", path);
        st = DH_ERR_FORMAT;
    }
    if (!st)
        st = dh_import_end(x, "done");
    if (opened)
        dh_lines_close(&l);
    dh_free(own);
    dh_free(path);
    return st;
}

// ---- cua --------------------------------------------------------------------

static bool is_number(const struct dh_json *v)
{
    return v && dh_json_kind(v) == DH_JSON_NUMBER;
}

// {"x","y"} or [x, y].
static bool put_point(const struct dh_json *p, const char *key,
                      struct dh_json_writer *w)
{
    const struct dh_json *x = dh_json_find(p, "x"), *y = dh_json_find(p, "y");
    if (p && dh_json_kind(p) == DH_JSON_ARRAY && dh_json_count(p) == 2) {
        x = dh_json_first(p);
        y = dh_json_next(x);
    }
    if (!is_number(x) || !is_number(y))
        return false;
    dh_jw_array(w, key);
    dh_jw_double(w, NULL, dh_json_number(x));
    dh_jw_double(w, NULL, dh_json_number(y));
    dh_jw_end_array(w);
    return true;
}

static bool put_ends(const struct dh_json *args, struct dh_json_writer *w)
{
    static const char *const keys[] = { "from_x", "from_y", "to_x", "to_y" };
    const struct dh_json *v[4];
    for (int i = 0; i < 4; i++)
        if (!is_number(v[i] = dh_json_find(args, keys[i])))
            return false;
    for (int i = 0; i < 4; i += 2) {
        dh_jw_array(w, i ? "coordinate" : "start_coordinate");
        dh_jw_double(w, NULL, dh_json_number(v[i]));
        dh_jw_double(w, NULL, dh_json_number(v[i + 1]));
        dh_jw_end_array(w);
    }
    return true;
}

// press_key has its modifiers apart.
static void put_key(const struct dh_json *args, struct dh_json_writer *w)
{
    const struct dh_json *mods = dh_json_find(args, "modifiers");
    struct dh_buf chord;
    dh_buf_init(&chord, 4096);
    for (const struct dh_json *m = mods ? dh_json_first(mods) : NULL; m;
         m = dh_json_next(m))
        dh_buf_printf(&chord, "%s+", dh_json_text(m));
    dh_buf_puts(&chord, text_of(args, "key"));
    dh_jw_text(w, "text", dh_buf_text(&chord));
    dh_buf_finish(&chord);
}

// The call as the parser of answers takes it.
static void put_call(const struct dh_json *turn, struct dh_buf *out)
{
    static const char *const names[] = { "text",      "keys",   "button",
                                         "direction", "amount", "count",
                                         "by",        "clicks" };
    const char *tool = text_of(turn, "tool");
    const struct dh_json *args = dh_json_find(turn, "arguments");
    struct dh_json_writer w;
    struct dh_buf value;
    dh_jw_init(&w, out);
    dh_jw_object(&w, NULL);
    dh_jw_text(&w, "action", strcmp(tool, "move_cursor") ? tool : "mouse_move");
    if (!put_ends(args, &w) &&
        !put_point(dh_json_find(turn, "click_point"), "coordinate", &w))
        put_point(args, "coordinate", &w);
    if (dh_json_find(args, "key"))
        put_key(args, &w);
    dh_buf_init(&value, 1 << 20);
    for (size_t i = 0; i < DH_COUNTOF(names); i++) {
        const struct dh_json *v = dh_json_find(args, names[i]);
        if (!v || (strcmp(names[i], "text") == 0 && dh_json_find(args, "key")))
            continue;
        dh_buf_clear(&value);
        dh_json_print(v, &value);
        dh_jw_raw(&w, strcmp(names[i], "count") ? names[i] : "clicks",
                  dh_buf_text(&value));
    }
    dh_buf_finish(&value);
    dh_jw_end_object(&w);
}

// A click on an element without a place of it cannot be done again.
static bool needs_place(const char *tool)
{
    return strstr(tool, "click") || strcmp(tool, "set_value") == 0;
}

static bool has_place(const struct dh_json *turn)
{
    const struct dh_json *args = dh_json_find(turn, "arguments");
    return dh_json_find(turn, "click_point") ||
           is_number(dh_json_find(args, "x"));
}

static enum dh_status cua_turn(struct dh_import *x, const char *name)
{
    char *folder = dh_path_join(x->o->src, name);
    struct dh_json *turn = dh_import_json(folder, "action.json");
    struct dh_buf call;
    const char *tool = text_of(turn, "tool");
    dh_buf_init(&call, 4 << 20);
    enum dh_status st = dh_import_picture(x, folder, "before.png", "before");
    if (!st && turn && needs_place(tool) && !has_place(turn)) {
        dh_buf_printf(&call, "%s: it has no place: %.200s", tool,
                      text_of(turn, "result_summary"));
        st = dh_import_note(x, dh_buf_text(&call));
        x->result.left_out++;
    } else if (!st && turn) {
        put_call(turn, &call);
        st = dh_import_code(x, dh_buf_text(&call), DH_COORD_PIXELS_SCREEN, "");
    } else {
        x->result.left_out++;
    }
    if (!st)
        st = dh_import_picture(x, folder, "after.png", "after");
    dh_buf_finish(&call);
    dh_json_free(turn);
    dh_free(folder);
    x->result.steps++;
    x->t_ns += STEP_NS;
    return st;
}

static int64_t number_of(const char *name)
{
    int64_t n;
    struct dh_str s = dh_str_of(name);
    if (!dh_str_starts(s, "turn-") ||
        !dh_parse_i64(dh_str_sub(s, 5, s.n), &n) || n < 0)
        return -1;
    return n;
}

static int by_number(const void *a, const void *b)
{
    int64_t x = number_of(*(char *const *)a), y = number_of(*(char *const *)b);
    return (x > y) - (x < y);
}

static char **read_turns(const char *dir, int *n)
{
    char **names = NULL;
    DIR *d = opendir(dir);
    *n = 0;
    if (!d)
        dh_error("%s cannot be opened: %s", dir, strerror(errno));
    for (const struct dirent *e = d ? readdir(d) : NULL; e && *n < MAX_TURNS;
         e = readdir(d)) {
        if (number_of(e->d_name) < 0)
            continue;
        names = dh_resize_array(names, (size_t)*n + 1, sizeof *names);
        names[(*n)++] = dh_strdup(e->d_name);
    }
    if (d && !*n)
        dh_error("%s has no folder turn-00001 or the like", dir);
    if (d)
        closedir(d);
    if (*n)
        qsort(names, (size_t)*n, sizeof *names, by_number);
    return names;
}

enum dh_status dh_import_cua(struct dh_import *x)
{
    int n;
    char **turns = read_turns(x->o->src, &n);
    enum dh_status st =
        n ? dh_import_begin(x, "agent", "model", NULL) : DH_ERR_NOTFOUND;
    for (int i = 0; i < n; i++) {
        if (!st && !dh_cancel_is_set(x->o->cancel))
            st = cua_turn(x, turns[i]);
        dh_free(turns[i]);
    }
    if (!st)
        st = dh_import_end(x, "done");
    dh_free(turns);
    return st;
}
