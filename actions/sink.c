#include "actions/sink.h"

#include <stddef.h>

enum dh_status dh_sink_perform(struct dh_sink *s, const struct dh_action *a,
                               struct dh_cancel *cancel, struct dh_diag *why)
{
    return s->ops->perform(s, a, cancel, why);
}

enum dh_status dh_sink_pointer(struct dh_sink *s, struct dh_point *out)
{
    return s->ops->pointer ? s->ops->pointer(s, out) : DH_ERR_UNSUPPORTED;
}

void dh_sink_release(struct dh_sink *s)
{
    s->ops->release(s);
}

void dh_sink_destroy(struct dh_sink *s)
{
    if (!s)
        return;
    s->ops->release(s);
    s->ops->destroy(s);
}
