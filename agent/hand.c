#include "agent/hand.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "vision/view.h"

#define ACTION_BYTES 160

void dh_hand_add(struct dh_hand *h, const struct dh_action *a)
{
    if (h->n < DH_HAND_TOLD)
        dh_action_copy(&h->first[h->n], a);
    h->n++;
}

static void map(const struct dh_view *view, struct dh_action *a)
{
    if (!a->on_screen)
        return;
    a->at = dh_view_to_model(view, a->at);
    a->start = dh_view_to_model(view, a->start);
    for (int i = 0; i < a->n_path; i++)
        a->path[i] = dh_view_to_model(view, a->path[i]);
    a->on_screen = false;
}

// A cut leaves no half of a character.
static void put_action(const struct dh_view *view, const struct dh_action *a,
                       struct dh_buf *out)
{
    struct dh_action mapped;
    struct dh_buf text;
    dh_buf_init(&text, 8 * DH_ACTION_TEXT_MAX);
    dh_action_copy(&mapped, a);
    map(view, &mapped);
    dh_action_text(&mapped, &text);
    size_t n = DH_MIN(text.len, ACTION_BYTES);
    while (n && n < text.len && ((unsigned char)text.data[n] & 0xc0) == 0x80)
        n--;
    dh_buf_put(out, dh_buf_text(&text), n);
    if (n < text.len)
        dh_buf_puts(out, "...");
    dh_action_finish(&mapped);
    dh_buf_finish(&text);
}

void dh_hand_text(const struct dh_hand *h, const struct dh_view *view,
                  struct dh_buf *out)
{
    if (!h->known) {
        dh_buf_puts(out, "what the user did by hand was not recorded");
        return;
    }
    dh_buf_puts(out, "by hand, the user did: ");
    if (!h->n)
        dh_buf_puts(out, "nothing");
    for (int i = 0; i < DH_MIN(h->n, DH_HAND_TOLD); i++) {
        if (i)
            dh_buf_puts(out, "; ");
        put_action(view, &h->first[i], out);
    }
    if (h->n > DH_HAND_TOLD)
        dh_buf_printf(out, "; and %d more", h->n - DH_HAND_TOLD);
}

void dh_hand_finish(struct dh_hand *h)
{
    for (int i = 0; i < DH_MIN(h->n, DH_HAND_TOLD); i++)
        dh_action_finish(&h->first[i]);
    memset(h, 0, sizeof *h);
}
