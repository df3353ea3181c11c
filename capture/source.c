#include "capture/source.h"

#include <stddef.h>
#include <string.h>

#include "capture/frame.h"

enum dh_status dh_source_grab(struct dh_source *s, struct dh_frame **out)
{
    return s->ops->grab(s, out);
}

enum dh_status dh_source_mark(struct dh_source *s)
{
    return s->ops->mark ? s->ops->mark(s) : DH_OK;
}

enum dh_status dh_source_settle(struct dh_source *s,
                                const struct dh_settle *how,
                                struct dh_cancel *cancel,
                                struct dh_settle_result *out)
{
    if (s->ops->settle)
        return s->ops->settle(s, how, cancel, out);
    *out = (struct dh_settle_result){ .settled = true };
    return DH_OK;
}

enum dh_status dh_source_wait(struct dh_source *s, int64_t until_ns,
                              struct dh_cancel *cancel, bool *changed)
{
    *changed = true;
    return s->ops->wait ? s->ops->wait(s, until_ns, cancel, changed) : DH_OK;
}

enum dh_status dh_source_layout(struct dh_source *s, struct dh_layout *out)
{
    if (s->ops->layout)
        return s->ops->layout(s, out);
    memset(out, 0, sizeof *out);
    return DH_OK;
}

void dh_source_destroy(struct dh_source *s)
{
    if (s)
        s->ops->destroy(s);
}
