/* agent/brain_priv.h - what each kind of brain has behind agent/brain.h. */
#ifndef DH_AGENT_BRAIN_PRIV_H
#define DH_AGENT_BRAIN_PRIV_H

#include "agent/brain.h"

/* `ask` gets a zeroed answer and leaves nothing owned in it on failure. */
struct dh_brain_ops {
    enum dh_status (*ask)(struct dh_brain *b, const struct dh_brain_request *r,
                          struct dh_brain_answer *out);
    /* NULL: it cannot. */
    void (*look)(struct dh_brain *b, const struct dh_brain_request *r);
    void (*destroy)(struct dh_brain *b);
    /* *size becomes what the model is shown of such a picture; returns its
     * tokens. NULL: as the endpoint's settings say, or as it is. */
    int (*show)(const struct dh_brain *b, struct dh_size *size);
};

/* Embedded by its implementer, who fills the profile. */
struct dh_brain {
    const struct dh_brain_ops *ops;
    struct dh_profile profile;
    struct dh_endpoint *endpoint; /* owned; NULL: a checkpoint */
    char *model_name;             /* owned; where the server chose it */
};

/* The two kinds. */
enum dh_status dh_brain_local_create(struct dh_brain **out,
                                     const struct dh_brain_options *o);
enum dh_status dh_brain_remote_create(struct dh_brain **out,
                                      const struct dh_brain_options *o);

#endif
