#include "agent/policy.h"

#include <string.h>

#include "base/mem.h"

void dh_decision_finish(struct dh_decision *d)
{
    dh_free(d->text);
    dh_free(d->reasoning);
    dh_free(d->wire);
    memset(d, 0, sizeof *d);
}

void dh_policy_destroy(struct dh_policy *p)
{
    if (p)
        p->ops->destroy(p);
}
