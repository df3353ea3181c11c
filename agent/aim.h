/* agent/aim.h - an action's points from the model's units to the screen's. */
#ifndef DH_AGENT_AIM_H
#define DH_AGENT_AIM_H

#include "actions/action.h"
#include "vision/view.h"

/* 0..1000 to root pixels of what the view shows; an action that is on the
 * screen already stays as it is. */
void dh_aim_action(const struct dh_view *view, struct dh_action *a);

#endif
