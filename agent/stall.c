#include "agent/stall.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "capture/frame.h"

enum {
    COLS = 64,
    ROWS = 36,
    CYCLE_MAX = 4,
    NEAR = 4,        // of 1000: the same point
    CELL_NEAR = 2,   // of 255: the same grey
    CELLS_APART = 6, // a caret and a clock touch no more of them
};

_Static_assert(COLS *ROWS == DH_STALL_CELLS, "the grid of a pair");

// Rounds of a cycle, or actions without effect, before each level.
static const int rounds_at[] = { 3, 4, 5 };
// Waiting is no stall yet, nor is a page that is loaded again.
static const int patient_at[] = { 6, 8, 10 };
static const int unchanged_at[] = { 6, 9, 12 };

static enum dh_stall_level level_of(int n, const int at[3])
{
    return (enum dh_stall_level)((n >= at[0]) + (n >= at[1]) + (n >= at[2]));
}

static struct dh_stall_pair *pair_at(const struct dh_stall *s, int64_t back)
{
    return &s->pair[(s->n - 1 - back) % DH_STALL_PAIRS];
}

// Every fourth row and second column are enough for a mean.
static uint8_t cell_of(const struct dh_frame *f, int col, int row)
{
    int x0 = col * f->width / COLS, x1 = (col + 1) * f->width / COLS;
    int y0 = row * f->height / ROWS, y1 = (row + 1) * f->height / ROWS;
    unsigned sum = 0, n = 0;
    for (int y = y0; y < y1; y += 4) {
        for (int x = x0; x < x1; x += 2, n++) {
            const uint8_t *p = dh_frame_at(f, x, y);
            sum += p[0] + 2u * p[1] + p[2];
        }
    }
    return (uint8_t)(n ? sum / (4 * n) : 0);
}

static void cells_of(const struct dh_frame *f, uint8_t cell[DH_STALL_CELLS])
{
    for (int i = 0; i < DH_STALL_CELLS; i++)
        cell[i] = cell_of(f, i % COLS, i / COLS);
}

static bool screen_is_same(const struct dh_stall_pair *a,
                           const struct dh_stall_pair *b, int most_apart)
{
    int apart = 0;
    for (int i = 0; i < DH_STALL_CELLS; i++)
        apart += abs(a->cell[i] - b->cell[i]) > CELL_NEAR;
    return apart <= most_apart;
}

static struct dh_point near(struct dh_point p, struct dh_point to)
{
    bool same = abs(p.x - to.x) <= NEAR && abs(p.y - to.y) <= NEAR;
    return same ? to : p;
}

static bool action_is_same(const struct dh_action *a, const struct dh_action *b)
{
    struct dh_action moved = *a;
    moved.at = near(a->at, b->at);
    moved.start = near(a->start, b->start);
    return dh_action_equal(&moved, b);
}

// Where one and the same action changes something, little is enough: an arrow
// key moves a caret or the knob of a slider by a few pixels.
static bool pair_is_same(const struct dh_stall_pair *a,
                         const struct dh_stall_pair *b, int len)
{
    int most_apart = len == 1 && b->changed ? 0 : CELLS_APART;
    return action_is_same(&a->action, &b->action) &&
           screen_is_same(a, b, most_apart);
}

// How often the newest `len` pairs came one after the other.
static int rounds_of(const struct dh_stall *s, int len)
{
    int64_t kept = DH_MIN(s->n, DH_STALL_PAIRS), same = 0;
    while (same + len < kept &&
           pair_is_same(pair_at(s, same), pair_at(s, same + len), len))
        same++;
    return 1 + (int)(same / len);
}

static bool looks_only(const struct dh_action *a)
{
    return a->op == DH_ACTION_SCREENSHOT || a->op == DH_ACTION_ZOOM ||
           a->op == DH_ACTION_CURSOR || a->op == DH_ACTION_WAIT;
}

static bool is_patient(const struct dh_stall *s, int len, int rounds)
{
    if (len > 1)
        return false;
    bool any = looks_only(&pair_at(s, 0)->action);
    // The newest has not been done yet.
    for (int i = 1; i < rounds; i++)
        any = any || pair_at(s, i)->changed;
    return any;
}

// What was typed is not told again: it may be a secret.
static void put_action(struct dh_buf *out, const struct dh_action *a)
{
    if (a->op == DH_ACTION_TYPE)
        dh_buf_puts(out, dh_action_name(a));
    else
        dh_action_text(a, out);
}

static void say_cycle(const struct dh_stall *s, int len, int rounds,
                      char text[512])
{
    struct dh_buf what;
    dh_buf_init(&what, 1 << 17);
    for (int i = len - 1; i >= 0; i--) {
        put_action(&what, &pair_at(s, i)->action);
        dh_buf_puts(&what, i ? ", " : "");
    }
    snprintf(text, 512, "repeated %d times on the same screen: %.280s", rounds,
             dh_buf_text(&what));
    dh_buf_finish(&what);
}

// One action all along is a matter for the cycle of one.
static bool is_cycle(const struct dh_stall *s, int len)
{
    bool mixed = len == 1;
    for (int i = 1; i < len && i < s->n; i++)
        mixed = mixed ||
                !action_is_same(&pair_at(s, 0)->action, &pair_at(s, i)->action);
    return mixed;
}

static enum dh_stall_level cycle_level(const struct dh_stall *s, char text[512])
{
    enum dh_stall_level worst = DH_STALL_NONE;
    for (int len = 1; len <= CYCLE_MAX; len++) {
        if (!is_cycle(s, len))
            continue;
        int rounds = rounds_of(s, len);
        bool patient = is_patient(s, len, rounds);
        enum dh_stall_level l =
            level_of(rounds, patient ? patient_at : rounds_at);
        if (l > worst) {
            worst = l;
            say_cycle(s, len, rounds, text);
        }
        // A cycle of two is one of four as well, which says nothing more.
        if (rounds >= rounds_at[0])
            break;
    }
    return worst;
}

static void put_level(enum dh_stall_level level, char text[512])
{
    size_t len = strlen(text);
    if (level == DH_STALL_WARN)
        snprintf(text + len, 512 - len,
                 "; this does not work: take another way, or answer fail with "
                 "the reason");
}

static void add_pair(struct dh_stall *s, const struct dh_frame *frame,
                     const struct dh_action *a)
{
    if (!s->pair)
        dh_array(s->pair, DH_STALL_PAIRS);
    s->n++;
    struct dh_stall_pair *p = pair_at(s, 0);
    dh_action_finish(&p->action);
    dh_action_copy(&p->action, a);
    cells_of(frame, p->cell);
    p->changed = false;
}

enum dh_stall_level dh_stall_add(struct dh_stall *s,
                                 const struct dh_frame *frame,
                                 const struct dh_action *a, char text[512])
{
    text[0] = '\0';
    add_pair(s, frame, a);
    enum dh_stall_level level = cycle_level(s, text);
    enum dh_stall_level idle = level_of(s->unchanged, unchanged_at);
    if (idle > level && !looks_only(a)) {
        level = idle;
        snprintf(text, 512, "none of the last %d actions changed the screen",
                 s->unchanged);
    }
    put_level(level, text);
    return level;
}

void dh_stall_changed(struct dh_stall *s, bool changed)
{
    if (!s->pair)
        return;
    pair_at(s, 0)->changed = changed;
    if (!looks_only(&pair_at(s, 0)->action))
        s->unchanged = changed ? 0 : s->unchanged + 1;
}

void dh_stall_finish(struct dh_stall *s)
{
    for (int i = 0; s->pair && i < DH_STALL_PAIRS; i++)
        dh_action_finish(&s->pair[i].action);
    dh_free(s->pair);
    memset(s, 0, sizeof *s);
}
