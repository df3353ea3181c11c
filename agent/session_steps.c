#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/session_read_priv.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"

#define MAX_FRAME_NUMBER 99999999
#define MAX_T            (INT64_C(1) << 53) // 104 days; doubles are exact

// Room for one more, doubled each time.
static void *grown(void *p, int n, int *cap, size_t size)
{
    if (n < *cap)
        return p;
    *cap = *cap ? *cap * 2 : 64;
    return dh_resize_array(p, (size_t)*cap, size);
}

static double number(const struct dh_json *o, const char *key, double absent)
{
    const struct dh_json *v = dh_json_find(o, key);
    bool there = v && dh_json_kind(v) == DH_JSON_NUMBER;
    return there && isfinite(dh_json_number(v)) ? dh_json_number(v) : absent;
}

static int64_t whole(const struct dh_json *o, const char *key, int64_t absent)
{
    double v = number(o, key, (double)absent);
    return v >= 0 && v <= (double)MAX_T ? (int64_t)v : absent;
}

static int frame_number(const struct dh_json *o, const char *key)
{
    int64_t v = whole(o, key, 0);
    return v <= MAX_FRAME_NUMBER ? (int)v : 0;
}

static enum dh_session_kind kind_of(const char *k)
{
    static const struct {
        const char *name;
        enum dh_session_kind kind;
    } table[] = {
        { "raw", DH_SESSION_RAW },   { "frame", DH_SESSION_FRAME },
        { "ask", DH_SESSION_ASK },   { "answer", DH_SESSION_ANSWER },
        { "act", DH_SESSION_ACT },   { "done", DH_SESSION_DONE },
        { "mark", DH_SESSION_MARK }, { "end", DH_SESSION_END },
    };
    for (size_t i = 0; i < DH_COUNTOF(table); i++)
        if (strcmp(k, table[i].name) == 0)
            return table[i].kind;
    return DH_SESSION_OTHER;
}

// Time goes on from where it was when a clock was set back, or far ahead.
static int64_t steady(struct dh_session_reader *s, int64_t t)
{
    int64_t shifted = t + s->clock_shift;
    if (shifted < s->clock || shifted - s->clock > MAX_T / 4) {
        dh_session_note(s,
                        "the clock jumps at line %lld; it is taken to "
                        "stand still there",
                        (long long)s->line_number);
        s->clock_shift = s->clock - t;
        shifted = s->clock;
    }
    s->clock = shifted;
    return shifted;
}

static int add_line(struct dh_session_reader *s, enum dh_session_kind kind,
                    int64_t t, uint64_t offset, size_t len)
{
    s->lines = grown(s->lines, s->n_lines, &s->cap_lines, sizeof *s->lines);
    s->lines[s->n_lines] = (struct dh_session_line){
        .offset = offset, .t = steady(s, t), .len = (uint32_t)len, .kind = kind
    };
    return s->n_lines++;
}

/* --- what a line means --- */

static struct dh_session_step *newest(const struct dh_session_reader *s)
{
    return s->n_steps ? &s->steps[s->n_steps - 1] : NULL;
}

// A step without a picture of its own after it left the screen as it was.
static void settle_after(struct dh_session_reader *s)
{
    struct dh_session_step *last = newest(s);
    if (last && last->done >= 0 && !last->after)
        last->after = s->newest_frame;
}

static struct dh_session_step *add_step(struct dh_session_reader *s)
{
    settle_after(s);
    s->steps = grown(s->steps, s->n_steps, &s->cap_steps, sizeof *s->steps);
    struct dh_session_step *p = &s->steps[s->n_steps++];
    memset(p, 0, sizeof *p);
    p->t = p->t_end = s->clock;
    p->ask = p->answer = p->act = p->done = p->mark = -1;
    p->act_n = p->tokens_in = p->tokens_cached = p->tokens_out = -1;
    p->ms = (struct dh_session_times){ -1, -1, -1, -1, -1, -1, -1 };
    p->before = s->newest_frame;
    return p;
}

void dh_session_add_shot(struct dh_session_reader *s, int64_t t, int f,
                         int64_t pts_ms)
{
    s->shots = grown(s->shots, s->n_shots, &s->cap_shots, sizeof *s->shots);
    s->shots[s->n_shots++] = (struct dh_session_shot){ t, f, pts_ms };
}

static void take_frame(struct dh_session_reader *s, const struct dh_json *o)
{
    char name[32];
    int f = frame_number(o, "f");
    struct dh_session_step *last = newest(s);
    snprintf(name, sizeof name, "%06d.png", f);
    if (f < 1) {
        dh_session_note(s, "line %lld names no picture",
                        (long long)s->line_number);
        return;
    }
    if (s->frames_dir < 0 ||
        faccessat(s->frames_dir, name, R_OK, AT_SYMLINK_NOFOLLOW))
        dh_session_note(s, "frames/%s is missing", name);
    dh_session_add_shot(s, s->clock, f, whole(o, "pts", -1));
    if (last && last->done >= 0 && !last->after)
        last->after = f;
    s->newest_frame = f;
}

static void take_ask(const struct dh_session_reader *s,
                     struct dh_session_step *p)
{
    struct dh_diag diag = { 0 };
    struct dh_json *o = dh_session_json(s, p->ask, &diag);
    p->tokens_in = whole(o, "tokens_in", -1);
    p->tokens_cached = whole(o, "cached", -1);
    dh_json_free(o);
}

static void take_answer(struct dh_session_reader *s, const struct dh_json *o,
                        int line)
{
    const struct dh_json *ms = dh_json_find(o, "stages_ms");
    struct dh_session_step *p = add_step(s);
    p->answer = line;
    p->ask = s->pending_ask - 1;
    s->pending_ask = 0;
    if (p->ask >= 0)
        take_ask(s, p);
    p->tokens_out = whole(o, "tokens_out", -1);
    p->cost = number(o, "cost", 0);
    p->ms.grab = number(ms, "grab", -1);
    p->ms.preprocess = number(ms, "preprocess", -1);
    p->ms.vision = number(ms, "vision", -1);
    p->ms.prefill = number(ms, "prefill", -1);
    // A model elsewhere has one time, for all that it did.
    p->ms.decode = number(ms, "decode", number(o, "ms", -1));
}

static int pixel(double v)
{
    return v > -1e6 && v < 1e6 ? (int)v : 0;
}

// "p" and "path": lists of [x, y].
static void take_points(struct dh_session_step *p, const struct dh_json *list)
{
    const struct dh_json *at = list ? dh_json_first(list) : NULL;
    for (; at && p->n_points < DH_SESSION_MAX_POINTS; at = dh_json_next(at)) {
        const struct dh_json *x =
            dh_json_kind(at) == DH_JSON_ARRAY ? dh_json_first(at) : NULL;
        const struct dh_json *y = x ? dh_json_next(x) : NULL;
        if (y)
            p->point[p->n_points++] =
                (struct dh_point){ pixel(dh_json_number(x)),
                                   pixel(dh_json_number(y)) };
    }
}

static void take_act(struct dh_session_reader *s, const struct dh_json *o,
                     int line)
{
    struct dh_session_step *p = newest(s);
    const struct dh_json *target = dh_json_find(o, "target");
    const struct dh_json *rect = dh_json_find(target, "rect");
    if (!p || p->act >= 0 || p->mark >= 0)
        p = add_step(s);
    p->act = line;
    p->act_n = whole(o, "n", -1);
    p->by_hand = strcmp(dh_json_text(dh_json_find(o, "by")), "human") == 0;
    if (frame_number(o, "before"))
        p->before = frame_number(o, "before");
    snprintf(p->op, sizeof p->op, "%s", dh_json_text(dh_json_find(o, "op")));
    take_points(p, dh_json_find(o, "p"));
    take_points(p, dh_json_find(o, "path"));
    p->target = (struct dh_rect){ pixel(number(rect, "x", 0)),
                                  pixel(number(rect, "y", 0)),
                                  pixel(number(rect, "w", 0)),
                                  pixel(number(rect, "h", 0)) };
}

static void take_done(struct dh_session_reader *s, const struct dh_json *o,
                      int line)
{
    int64_t n = whole(o, "act", -1);
    for (int i = s->n_steps; i-- > 0 && i >= s->n_steps - 16;) {
        struct dh_session_step *p = &s->steps[i];
        const struct dh_json *changed = dh_json_find(o, "changed");
        if (p->act < 0 || p->done >= 0 || p->act_n != n)
            continue;
        p->done = line;
        p->t_end = s->clock;
        p->after = frame_number(o, "after");
        p->failed = !dh_json_is_true(dh_json_find(o, "ok"));
        p->unchanged = changed && !dh_json_is_true(changed);
        p->ms.act = number(o, "ms", -1);
        p->ms.settle = number(o, "settle_ms", -1);
        return;
    }
    dh_session_note(s, "line %lld is the result of no action",
                    (long long)s->line_number);
}

static struct dh_session_step *step_of_act(const struct dh_session_reader *s,
                                           int64_t n)
{
    for (int i = s->n_steps; i-- > 0;)
        if (s->steps[i].act >= 0 && s->steps[i].act_n == n)
            return &s->steps[i];
    return NULL;
}

// A note on an answer that nothing was done about says why. One that was made
// later names its act, and the last of them counts.
static void take_mark(const struct dh_session_reader *s,
                      const struct dh_json *o, int line)
{
    int64_t n = whole(o, "act", -1);
    struct dh_session_step *p = n >= 0 ? step_of_act(s, n) : newest(s);
    if (!p || (p->mark >= 0 && n < 0))
        return;
    p->mark = line;
    p->failed |= p->answer >= 0 && p->act < 0;
}

static void take_meaning(struct dh_session_reader *s, const struct dh_json *o,
                         enum dh_session_kind kind, int line)
{
    switch (kind) {
    case DH_SESSION_FRAME: take_frame(s, o); break;
    case DH_SESSION_ASK: s->pending_ask = line + 1; break;
    case DH_SESSION_ANSWER: take_answer(s, o, line); break;
    case DH_SESSION_ACT: take_act(s, o, line); break;
    case DH_SESSION_DONE: take_done(s, o, line); break;
    case DH_SESSION_MARK: take_mark(s, o, line); break;
    case DH_SESSION_END: settle_after(s); break;
    case DH_SESSION_RAW:
    case DH_SESSION_OTHER: break;
    }
}

/* --- a line --- */

// Digits at *p, which is moved behind them; at most 15.
static bool digits(const char **p, const char *end, int64_t *v)
{
    const char *begin = *p;
    *v = 0;
    while (*p < end && **p >= '0' && **p <= '9' && *p - begin < 15)
        *v = *v * 10 + (*(*p)++ - '0');
    return *p > begin;
}

static bool literal(const char **p, const char *end, const char *want)
{
    size_t n = strlen(want);
    if ((size_t)(end - *p) < n || memcmp(*p, want, n) != 0)
        return false;
    *p += n;
    return true;
}

// Device events are most of a long session. As our writer begins them they are
// not parsed before somebody asks for one.
static bool take_raw(struct dh_session_reader *s, const char *text, size_t len,
                     uint64_t offset)
{
    const char *p = text, *end = text + len;
    int64_t n, t;
    if (!literal(&p, end, "{\"n\":") || !digits(&p, end, &n) ||
        !literal(&p, end, ",\"t\":") || !digits(&p, end, &t) ||
        !literal(&p, end, ",\"k\":\"raw\"") || end[-1] != '}')
        return false;
    add_line(s, DH_SESSION_RAW, t, offset, len);
    return true;
}

void dh_session_take_line(struct dh_session_reader *s, const char *text,
                          size_t len, uint64_t offset)
{
    struct dh_diag diag = { 0 };
    if (take_raw(s, text, len, offset))
        return;
    struct dh_json *o = dh_json_parse(text, len, &diag);
    const char *kind = dh_json_text(dh_json_find(o, "k"));
    int64_t t = whole(o, "t", -1);
    if (o && kind[0] && t >= 0) {
        enum dh_session_kind k = kind_of(kind);
        take_meaning(s, o, k, add_line(s, k, t, offset, len));
    } else {
        dh_session_note(s, "line %lld is skipped: %s",
                        (long long)s->line_number,
                        !o         ? diag.text
                        : !kind[0] ? "it has no kind"
                                   : "it has no time");
    }
    dh_json_free(o);
}

/* --- words --- */

static char *member(const struct dh_json *o, const char *key)
{
    return dh_strdup(dh_json_text(dh_json_find(o, key)));
}

static struct dh_json *line_or_null(const struct dh_session_reader *s, int line)
{
    struct dh_diag diag = { 0 };
    return line < 0 ? NULL : dh_session_json(s, line, &diag);
}

// "click p=[[5,7]] count=2": the action's members, without those that are of
// the recording.
static char *action_text(const struct dh_json *o)
{
    static const char *const leave[] = { "n",     "t",   "k",      "op",
                                         "by",    "say", "before", "target",
                                         "from",  "to",  "began",  "ended",
                                         "secret" };
    struct dh_buf out;
    dh_buf_init(&out, 1 << 20);
    dh_buf_puts(&out, dh_json_text(dh_json_find(o, "op")));
    const struct dh_json *m = o ? dh_json_first(o) : NULL;
    for (; m; m = dh_json_next(m)) {
        bool left = false;
        for (size_t i = 0; i < DH_COUNTOF(leave); i++)
            left |= strcmp(dh_json_key(m), leave[i]) == 0;
        if (left)
            continue;
        dh_buf_printf(&out, " %.40s ", dh_json_key(m));
        dh_json_print(m, &out);
    }
    return dh_buf_take(&out);
}

void dh_session_words_read(const struct dh_session_reader *s, int step,
                           struct dh_session_words *out)
{
    const struct dh_session_step *p = &s->steps[step];
    struct dh_json *answer = line_or_null(s, p->answer);
    struct dh_json *act = line_or_null(s, p->act);
    struct dh_json *done = line_or_null(s, p->done);
    struct dh_json *mark = line_or_null(s, p->mark);
    out->answer = member(answer, "raw");
    // Sessions of earlier versions have it under another name.
    out->thinking = member(
        answer, dh_json_find(answer, "thinking") ? "thinking" : "reasoning");
    out->say = member(act, "say");
    out->action = action_text(act);
    const struct dh_json *note = dh_json_find(done, "note");
    out->note = dh_json_text(note)[0] ? dh_strdup(dh_json_text(note))
                                      : member(mark, "text");
    dh_json_free(answer);
    dh_json_free(act);
    dh_json_free(done);
    dh_json_free(mark);
}

void dh_session_words_finish(struct dh_session_words *w)
{
    dh_free(w->answer);
    dh_free(w->thinking);
    dh_free(w->say);
    dh_free(w->action);
    dh_free(w->note);
}
