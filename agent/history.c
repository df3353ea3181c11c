#include "agent/history.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "capture/frame.h"

#define BY_HAND_MAX (1 << 20)

void dh_history_init(struct dh_history *h, const char *task)
{
    memset(h, 0, sizeof *h);
    h->task = dh_strdup(task);
}

void dh_history_finish(struct dh_history *h)
{
    for (int i = 0; i < h->n_turns; i++) {
        dh_frame_unref(h->turns[i].frame);
        dh_frame_unref(h->turns[i].extra);
        dh_free(h->turns[i].answer);
        dh_free(h->turns[i].wire);
        dh_free(h->turns[i].step);
        dh_free(h->turns[i].note);
        dh_free(h->turns[i].by_hand);
    }
    dh_free(h->turns);
    dh_free(h->task);
    memset(h, 0, sizeof *h);
}

void dh_history_add(struct dh_history *h, struct dh_frame *frame,
                    const char *answer, const char *step, const char *note)
{
    if (h->n_turns == h->cap) {
        h->cap = h->cap ? h->cap * 2 : 16;
        h->turns = dh_resize_array(h->turns, (size_t)h->cap, sizeof *h->turns);
    }
    h->turns[h->n_turns++] = (struct dh_turn){
        .frame = dh_frame_ref(frame),
        .answer = dh_strdup(answer),
        .step = dh_strdup(step),
        .note = note ? dh_strdup(note) : NULL,
    };
}

void dh_history_by_hand(struct dh_history *h, const char *text)
{
    struct dh_buf all;
    char **to = h->n_turns ? &h->turns[h->n_turns - 1].by_hand : &h->task;
    dh_buf_init(&all, BY_HAND_MAX);
    if (*to)
        dh_buf_printf(&all, "%s\n", *to);
    dh_buf_puts(&all, text);
    if (all.overflow) {
        dh_buf_finish(&all);
        return;
    }
    dh_free(*to);
    *to = dh_buf_take(&all);
}

void dh_history_set_wire(struct dh_history *h, const char *wire)
{
    struct dh_turn *t = &h->turns[h->n_turns - 1];
    dh_free(t->wire);
    t->wire = wire ? dh_strdup(wire) : NULL;
}

void dh_history_show(struct dh_history *h, struct dh_frame *extra)
{
    struct dh_turn *t = &h->turns[h->n_turns - 1];
    dh_frame_unref(t->extra);
    t->extra = dh_frame_ref(extra);
}

static void frame_drop(struct dh_frame **f)
{
    dh_frame_unref(*f);
    *f = NULL;
}

void dh_history_prune(struct dh_history *h, int keep_min, int chunk)
{
    // The picture that is about to be shown is behind the first one, too.
    int k = h->n_turns > 0;
    for (int i = 1; i < h->n_turns; i++)
        k += h->turns[i].frame != NULL;
    int drop = DH_MAX(0, k - keep_min);
    drop -= drop % chunk;
    for (int i = 1; i < h->n_turns && drop > 0; i++) {
        if (!h->turns[i].frame)
            continue;
        // Both are in one message.
        frame_drop(&h->turns[i - 1].extra);
        frame_drop(&h->turns[i].frame);
        drop--;
    }
}
