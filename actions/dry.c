#include "actions/dry.h"

#include <stddef.h>

#include "base/buf.h"
#include "base/mem.h"

struct dry {
    struct dh_sink sink;
    struct dh_buf *out;
};

static enum dh_status perform(struct dh_sink *s, const struct dh_action *a,
                              struct dh_cancel *cancel, struct dh_diag *why)
{
    struct dry *d = (struct dry *)s;
    (void)cancel;
    (void)why;
    dh_action_text(a, d->out);
    dh_buf_putc(d->out, '\n');
    return d->out->overflow ? DH_ERR_RANGE : DH_OK;
}

static void release(struct dh_sink *s)
{
    (void)s;
}

static void destroy(struct dh_sink *s)
{
    dh_free(s);
}

static const struct dh_sink_ops dry_ops = { "dry", perform, release, destroy,
                                            NULL };

struct dh_sink *dh_dry_create(struct dh_buf *out)
{
    struct dry *d;
    dh_new(d);
    d->sink.ops = &dry_ops;
    d->out = out;
    return &d->sink;
}
