// A folder of AgentNetTool: device events, which become actions as our own do,
// and a video, of which the picture before each action is taken.
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "actions/python.h"
#include "agent/import_priv.h"
#include "agent/reduce.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/lines.h"
#include "base/mem.h"
#include "base/thread.h"
#include "capture/frame.h"
#include "capture/input_record.h"
#include "capture/source.h"
#include "capture/video_in.h"

#define DH_LOG_TAG "import"
#include "base/log.h"

#define LINE_MAX_BYTES (1u << 20)
#define MAX_ACTIONS    100000
#define MAX_SECONDS    1e6
#define MAX_NOTCHES    50

struct act {
    struct dh_action action;
    int64_t began_ns;
};

struct raw {
    struct dh_import *x;
    struct dh_reduce *reduce;
    struct act *act;
    int n, cap;
    int64_t number; // of the event
    double first_s; // when the first event was; the events' own clock
    bool begun;
    unsigned mods;
};

static void keep_act(void *user, const struct dh_reduced *d)
{
    struct raw *r = user;
    if (r->n == MAX_ACTIONS)
        return;
    if (r->n == r->cap) {
        r->cap = r->cap ? 2 * r->cap : 64;
        r->act = dh_resize_array(r->act, (size_t)r->cap, sizeof *r->act);
    }
    struct act *a = &r->act[r->n++];
    dh_action_copy(&a->action, &d->action);
    a->began_ns = d->began_ns;
}

// ---- events -----------------------------------------------------------------

static bool read_number(const struct dh_json *o, const char *key, double lo,
                        double hi, double *out)
{
    const struct dh_json *v = dh_json_find(o, key);
    double n = dh_json_number(v);
    if (!v || dh_json_kind(v) != DH_JSON_NUMBER || !(n >= lo && n <= hi))
        return false;
    *out = n;
    return true;
}

static void feed(struct raw *r, struct dh_input_event *e)
{
    e->mods = r->mods;
    dh_reduce_tick(r->reduce, e->time_ns);
    dh_reduce_feed(r->reduce, e, ++r->number, false);
}

static unsigned mod_of(const char *name)
{
    static const struct {
        const char *name;
        unsigned bit;
    } mods[] = { { "shift", DH_INPUT_SHIFT },  { "ctrl", DH_INPUT_CONTROL },
                 { "alt_gr", DH_INPUT_ALTGR }, { "alt", DH_INPUT_ALT },
                 { "cmd", DH_INPUT_SUPER },    { "caps_lock", DH_INPUT_LOCK } };
    // "ctrl_l" is one of two.
    for (size_t i = 0; i < DH_COUNTOF(mods); i++)
        if (strncmp(name, mods[i].name, strlen(mods[i].name)) == 0)
            return mods[i].bit;
    return 0;
}

// "page_down" is Page_Down, with Ctrl the letter is a control character.
static void name_key(const char *name, struct dh_input_event *e)
{
    char flat[32];
    size_t n = 0, used;
    uint32_t cp;
    for (const char *p = name; *p && n + 1 < sizeof flat; p++)
        if (*p != '_' || !p[1])
            flat[n++] = *p;
    flat[n] = '\0';
    if (n == 1 && (unsigned char)flat[0] < 0x20)
        flat[0] = (char)(flat[0] + 0x60);
    used = n ? dh_utf8_read(flat, n, &cp) : 0;
    snprintf(e->name, sizeof e->name, "%s", dh_python_x_key(flat));
    bool held = e->mods & (DH_INPUT_CONTROL | DH_INPUT_ALT | DH_INPUT_SUPER);
    if (strcmp(flat, "space") == 0)
        snprintf(e->text, sizeof e->text, " ");
    else if (used == n && n)
        snprintf(e->text, sizeof e->text, "%s", flat);
    if (held)
        e->text[0] = '\0';
}

static bool feed_key(struct raw *r, const struct dh_json *o,
                     struct dh_input_event *e)
{
    const char *name = dh_json_text(dh_json_find(o, "name"));
    if (strncmp(name, "Key.", 4) == 0)
        name += 4;
    if (!name[0])
        return false;
    e->kind = DH_INPUT_KEY;
    e->modifier = mod_of(name);
    if (!e->down)
        r->mods &= ~(e->modifier & ~(unsigned)DH_INPUT_LOCK);
    e->mods = r->mods;
    name_key(name, e);
    if (e->modifier)
        e->text[0] = '\0';
    feed(r, e);
    if (e->down)
        r->mods |= e->modifier & ~(unsigned)DH_INPUT_LOCK;
    return true;
}

static bool feed_scroll(struct raw *r, const struct dh_json *o,
                        struct dh_input_event *e)
{
    double dx = 0, dy = 0;
    bool x = read_number(o, "dx", -1000, 1000, &dx);
    bool y = read_number(o, "dy", -1000, 1000, &dy);
    int n = (int)fmin(fmax(fabs(dx), fabs(dy)), MAX_NOTCHES);
    e->kind = DH_INPUT_SCROLL;
    e->down = true;
    e->dy = dy > 0 ? -1 : dy < 0; // up is positive there
    e->dx = dx > 0 ? 1 : dx < 0 ? -1 : 0;
    e->code = e->dy < 0 ? 4 : e->dy > 0 ? 5 : e->dx < 0 ? 6 : 7;
    for (int i = 0; i < n; i++)
        feed(r, e);
    return x || y;
}

static bool feed_click(struct raw *r, const struct dh_json *o,
                       struct dh_input_event *e)
{
    const char *name = dh_json_text(dh_json_find(o, "button"));
    e->kind = DH_INPUT_BUTTON;
    e->code = strcmp(name, "left") == 0     ? 1
              : strcmp(name, "middle") == 0 ? 2
              : strcmp(name, "right") == 0  ? 3
                                            : 0;
    e->down = dh_json_is_true(dh_json_find(o, "pressed"));
    if (e->code)
        feed(r, e);
    return e->code > 0;
}

// False: nothing that we know.
static bool feed_event(struct raw *r, const struct dh_json *o)
{
    const char *action = dh_json_text(dh_json_find(o, "action"));
    struct dh_input_event e = { .device = 1 };
    double t, x = 0, y = 0;
    if (!read_number(o, "time_stamp", -1e12, 1e12, &t))
        return false;
    if (!r->begun)
        r->first_s = t;
    r->begun = true;
    t = fmin(fmax(t - r->first_s, 0), MAX_SECONDS);
    e.time_ns = (int64_t)(t * 1e9) + DH_S;
    bool at = read_number(o, "x", -32768, 32767, &x) &&
              read_number(o, "y", -32768, 32767, &y);
    e.at = (struct dh_point){ (int)x, (int)y };
    e.down = strcmp(action, "press") == 0;
    if (e.down || strcmp(action, "release") == 0)
        return feed_key(r, o, &e);
    if (!at)
        return strcmp(action, "pause") == 0 || strcmp(action, "resume") == 0;
    if (strcmp(action, "click") == 0)
        return feed_click(r, o, &e);
    if (strcmp(action, "scroll") == 0)
        return feed_scroll(r, o, &e);
    e.kind = DH_INPUT_MOTION;
    if (strcmp(action, "move") != 0)
        return false;
    feed(r, &e);
    return true;
}

static enum dh_status read_events(struct raw *r)
{
    struct dh_lines l;
    struct dh_str line;
    char *path = dh_path_join(r->x->o->src, "events.jsonl");
    enum dh_status st = dh_lines_open(&l, path, LINE_MAX_BYTES);
    if (st) {
        dh_free(path);
        return st;
    }
    while (!(st = dh_lines_next(&l, &line)) &&
           !dh_cancel_is_set(r->x->o->cancel)) {
        struct dh_diag why = { 0 };
        struct dh_json *o = dh_json_parse(line.p, line.n, &why);
        if (!o || !feed_event(r, o)) {
            dh_warn("%s: line %lld is left out%s%s", path, (long long)l.number,
                    o ? "" : ": ", why.text);
            r->x->result.left_out++;
        }
        dh_json_free(o);
    }
    dh_reduce_flush(r->reduce);
    if (st == DH_ERR_RANGE)
        dh_error("%s: line %lld is too long", path, (long long)l.number + 1);
    dh_lines_close(&l);
    dh_free(path);
    return st == DH_ERR_NOTFOUND ? DH_OK : st;
}

// ---- pictures ---------------------------------------------------------------

// The only one that ends in .mp4, a plain file.
static char *find_video(const char *dir)
{
    char *found = NULL;
    struct stat st;
    DIR *d = opendir(dir);
    for (const struct dirent *e = d ? readdir(d) : NULL; e && !found;
         e = readdir(d)) {
        if (!dh_str_ends(dh_str_of(e->d_name), ".mp4"))
            continue;
        found = dh_path_join(dir, e->d_name);
        if (lstat(found, &st) || !S_ISREG(st.st_mode)) {
            dh_free(found);
            found = NULL;
        }
    }
    if (d)
        closedir(d);
    return found;
}

struct film {
    struct dh_source *source; // NULL: there is none
    struct dh_frame *now, *next;
};

static void film_finish(struct film *f)
{
    dh_frame_unref(f->now);
    dh_frame_unref(f->next);
    dh_source_destroy(f->source);
}

static void film_open(struct film *f, const char *dir)
{
    char *path = find_video(dir);
    if (!path || dh_video_in_create(&f->source, path)) {
        dh_warn("%s has no video that can be read, so the session has no "
                "pictures",
                dir);
        f->source = NULL;
    }
    dh_free(path);
}

// The last frame that is not after `ns` of the film.
static struct dh_frame *film_at(struct film *f, int64_t ns)
{
    while (f->source) {
        if (!f->next && dh_source_grab(f->source, &f->next))
            f->next = NULL;
        if (!f->next || (f->now && f->next->time_ns > ns))
            break;
        dh_frame_unref(f->now);
        f->now = f->next;
        f->next = NULL;
    }
    return f->now;
}

static enum dh_status write_acts(struct raw *r, const struct dh_json *meta)
{
    struct film film = { 0 };
    struct dh_import *x = r->x;
    double start;
    enum dh_status st = DH_OK;
    film_open(&film, x->o->src);
    if (!read_number(meta, "video_start_timestamp", -1e12, 1e12, &start))
        start = r->first_s;
    double lead_s = fmin(fmax(r->first_s - start, -MAX_SECONDS), MAX_SECONDS);
    for (int i = 0; i < r->n && !st && !dh_cancel_is_set(x->o->cancel); i++) {
        int64_t t = r->act[i].began_ns - DH_S;
        struct dh_frame *f = film_at(&film, t + (int64_t)(lead_s * 1e9));
        x->t_ns = DH_MAX(x->t_ns, t);
        if (f)
            st = dh_import_frame(x, f, "before");
        if (!st)
            st = dh_import_act(x, &r->act[i].action, "");
        x->result.steps++;
    }
    film_finish(&film);
    return st;
}

static enum dh_status write_session(struct raw *r, const struct dh_json *meta)
{
    struct dh_import *x = r->x;
    double w, h;
    if (read_number(meta, "screen_width", 1, 32767, &w) &&
        read_number(meta, "screen_height", 1, 32767, &h))
        x->screen = (struct dh_size){ (int)w, (int)h };
    struct dh_json *name = dh_import_json(x->o->src, "task_name.json");
    const char *words = dh_json_text(dh_json_find(name, "description"));
    if (!words[0])
        words = dh_json_text(dh_json_find(name, "task_name"));
    enum dh_status st = dh_import_begin(x, "human", "human", words);
    if (!st)
        st = write_acts(r, meta);
    if (!st)
        st = dh_import_end(x, "user");
    dh_json_free(name);
    return st;
}

enum dh_status dh_import_agentnet_raw(struct dh_import *x)
{
    struct raw r = { .x = x };
    struct dh_reduce_options reduce = { .emit = keep_act, .user = &r };
    struct dh_json *meta = dh_import_json(x->o->src, "metadata.json");
    enum dh_status st = meta ? DH_OK : DH_ERR_NOTFOUND;
    r.reduce = dh_reduce_create(&reduce);
    if (!st)
        st = read_events(&r);
    if (!st && !r.n) {
        dh_error("%s: nobody did anything in events.jsonl", x->o->src);
        st = DH_ERR_FORMAT;
    }
    if (!st)
        st = write_session(&r, meta);
    for (int i = 0; i < r.n; i++)
        dh_action_finish(&r.act[i].action);
    dh_free(r.act);
    dh_reduce_destroy(r.reduce);
    dh_json_free(meta);
    return st;
}
