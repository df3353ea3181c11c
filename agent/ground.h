/* agent/ground.h - where in a picture something is, and what stands there. */
#ifndef DH_AGENT_GROUND_H
#define DH_AGENT_GROUND_H

#include "agent/brain.h"
#include "base/geom.h"

struct dh_ground {
    struct dh_point pixel; /* in the picture */
    char *raw;             /* the model's answer, owned */
    struct dh_usage usage;
    struct dh_times times;
};

/* The question where something is (DH_FORM_LOCATE), or what to do next
 * (DH_FORM_ACTION), and the whole answer, unread. */
DH_MUST_USE enum dh_status dh_ground_ask(struct dh_brain *brain,
                                         struct dh_frame *frame,
                                         const char *instruction,
                                         enum dh_brain_form form,
                                         struct dh_brain_answer *out);
/* DH_ERR_FORMAT: the model named no point; out->raw is set then, too. */
DH_MUST_USE enum dh_status dh_ground_find(struct dh_brain *brain,
                                          struct dh_frame *frame,
                                          const char *instruction,
                                          struct dh_ground *out);
/* Where in the picture an answer points, read as `how` says. DH_ERR_FORMAT: it
 * names no point. */
DH_MUST_USE enum dh_status dh_ground_point(const struct dh_parse_options *how,
                                           const struct dh_frame *frame,
                                           const char *text,
                                           struct dh_point *out);
/* The model's words for a question about the picture; out->pixel is not set. */
DH_MUST_USE enum dh_status dh_ground_read(struct dh_brain *brain,
                                          struct dh_frame *frame,
                                          const char *question,
                                          struct dh_ground *out);
void dh_ground_finish(struct dh_ground *g);

#endif
