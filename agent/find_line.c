#include <stdlib.h>

#include "agent/find_place_priv.h"
#include "base/mem.h"
#include "capture/frame.h"

#define EDGE_PX   3  // of the menu, which has a frame
#define NEAR_PX   8  // so far above or below the hand its text may be
#define LINE_MAX  40 // a text is no higher
#define ROWS_PX   2  // between a dot or an underline and its letter
#define WORDS_PX  9  // between words, less than to what opens it by key
#define ICON_MIN  10
#define ICON_MAX  24
#define SQUARE_PX 3
#define TEXT_MIN  16
#define BLANK_PX  16 // behind it, or "Save" would be in "Save as" too
#define PAD_PX    3

// Text, as far as it differs from the ground, lit or not.
static bool has_ink(const struct dh_frame *f, struct dh_rect r)
{
    int low = 255, high = 0;
    for (int y = r.y; y < r.y + r.h; y++)
        for (int x = r.x; x < r.x + r.w; x++) {
            int v = dh_ladder_light(dh_frame_at(f, x, y));
            low = DH_MIN(low, v);
            high = DH_MAX(high, v);
        }
    return high - low >= DH_LADDER_FLAT;
}

static bool row_has_ink(const struct dh_frame *f, struct dh_rect menu, int y)
{
    return y >= menu.y && y < menu.y + menu.h &&
           has_ink(f, (struct dh_rect){ menu.x, y, menu.w, 1 });
}

// The first row without ink beyond `y`, going by `step`.
static int end_of_rows(const struct dh_frame *f, struct dh_rect menu, int y,
                       int step)
{
    for (int gap = 0, at = y; gap <= ROWS_PX; at += step) {
        gap++;
        if (row_has_ink(f, menu, at)) {
            y = at + step;
            gap = 0;
        }
        if (abs(at - y) > LINE_MAX)
            break;
    }
    return y;
}

// The rows of the text that the hand is on.
static bool find_rows(const struct dh_frame *f, struct dh_rect menu, int y,
                      struct dh_rect *line)
{
    for (int far = 0; far <= NEAR_PX; far++)
        for (int side = -1; side <= 1; side += 2) {
            int at = y + side * far;
            if (!row_has_ink(f, menu, at))
                continue;
            int top = end_of_rows(f, menu, at, -1) + 1;
            int end = end_of_rows(f, menu, at, 1);
            *line = (struct dh_rect){ menu.x, top, menu.w, end - top };
            return line->h <= LINE_MAX;
        }
    return false;
}

// The next words from `x` on; empty: there are none.
static struct dh_rect next_words(const struct dh_frame *f, struct dh_rect line,
                                 int x, int gap)
{
    struct dh_rect words = { x, line.y, 0, line.h };
    int end = line.x + line.w, last = -1;
    for (; x < end && (last < 0 || x - last <= gap); x++) {
        if (!has_ink(f, (struct dh_rect){ x, line.y, 1, line.h }))
            continue;
        if (last < 0)
            words.x = x;
        last = x;
    }
    words.w = last < 0 ? 0 : last + 1 - words.x;
    return words;
}

// A word of that width is not as high.
static bool is_icon(const struct dh_frame *f, struct dh_rect r)
{
    int top = r.y, end = r.y + r.h;
    while (top < end && !has_ink(f, (struct dh_rect){ r.x, top, r.w, 1 }))
        top++;
    while (end > top && !has_ink(f, (struct dh_rect){ r.x, end - 1, r.w, 1 }))
        end--;
    return r.w >= ICON_MIN && r.w <= ICON_MAX &&
           abs(r.w - (end - top)) <= SQUARE_PX;
}

bool dh_ladder_line_text(const struct dh_frame *f, struct dh_rect menu, int y,
                         struct dh_rect *out)
{
    struct dh_rect line, all = { 0, 0, f->width, f->height };
    struct dh_rect in = { menu.x + EDGE_PX, menu.y + EDGE_PX,
                          menu.w - 2 * EDGE_PX, menu.h - 2 * EDGE_PX };
    in = dh_rect_intersect(in, all);
    if (dh_rect_is_empty(in) || !find_rows(f, in, y, &line))
        return false;
    // A box or a picture before it is drawn otherwise by another theme.
    struct dh_rect first = next_words(f, line, line.x, ROWS_PX);
    int from = is_icon(f, first) ? first.x + first.w : first.x;
    struct dh_rect text = next_words(f, line, from, WORDS_PX);
    if (text.w < TEXT_MIN)
        return false;
    text = (struct dh_rect){ text.x - PAD_PX, text.y - PAD_PX,
                             text.w + PAD_PX + BLANK_PX, text.h + 2 * PAD_PX };
    *out = dh_rect_intersect(dh_rect_intersect(text, menu), all);
    return true;
}
