#include "agent/brain.h"

#include <string.h>

#include "agent/brain_priv.h"
#include "agent/endpoint.h"
#include "base/mem.h"
#include "capture/frame.h"

enum dh_status dh_brain_create(struct dh_brain **out,
                               const struct dh_brain_options *o)
{
    return o->endpoint ? dh_brain_remote_create(out, o)
                       : dh_brain_local_create(out, o);
}

void dh_brain_destroy(struct dh_brain *b)
{
    if (b)
        b->ops->destroy(b);
}

const struct dh_profile *dh_brain_get_profile(const struct dh_brain *b)
{
    return &b->profile;
}

const struct dh_endpoint *dh_brain_get_endpoint(const struct dh_brain *b)
{
    return b->endpoint;
}

int dh_brain_show_size(const struct dh_brain *b, struct dh_size *size)
{
    if (b->ops->show)
        return b->ops->show(b, size);
    return b->endpoint
               ? dh_endpoint_picture_tokens(b->endpoint, &size->w, &size->h)
               : 0;
}

void dh_brain_parse_options(const struct dh_brain *b,
                            const struct dh_frame *frame,
                            struct dh_parse_options *out)
{
    *out = (struct dh_parse_options){ 0 };
    if (!b->endpoint)
        return;
    int w = frame->width, h = frame->height;
    dh_endpoint_picture_tokens(b->endpoint, &w, &h);
    out->coord = (enum dh_coord)b->endpoint->s.coord;
    out->sent = (struct dh_size){ w, h };
    out->screen = frame->screen;
}

void dh_brain_look(struct dh_brain *b, const struct dh_brain_request *r)
{
    if (b->ops->look)
        b->ops->look(b, r);
}

enum dh_status dh_brain_ask(struct dh_brain *b,
                            const struct dh_brain_request *r,
                            struct dh_brain_answer *out)
{
    memset(out, 0, sizeof *out);
    return b->ops->ask(b, r, out);
}

enum dh_status dh_brain_ask_once(struct dh_brain *b,
                                 const struct dh_part *parts, size_t n_parts,
                                 struct dh_brain_request *r,
                                 struct dh_brain_answer *out)
{
    struct dh_part root = { DH_PART_TEXT, b->profile.root };
    struct dh_part developer = { DH_PART_TEXT, b->profile.developer };
    struct dh_message messages[] = {
        { .role = DH_ROLE_ROOT, .parts = &root, .n_parts = 1 },
        { .role = DH_ROLE_DEVELOPER, .parts = &developer, .n_parts = 1 },
        { .role = DH_ROLE_USER, .parts = parts, .n_parts = n_parts },
    };
    size_t skip = b->profile.root ? 0 : 1;
    r->messages = messages + skip;
    r->n_messages = DH_COUNTOF(messages) - skip;
    enum dh_status st = dh_brain_ask(b, r, out);
    r->messages = NULL;
    return st;
}

void dh_brain_answer_finish(struct dh_brain_answer *a)
{
    dh_free(a->text);
    dh_free(a->reasoning);
    dh_free(a->wire);
    memset(a, 0, sizeof *a);
}
