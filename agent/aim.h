/* agent/aim.h - an action's points from the model's units to the screen's. */
#ifndef DH_AGENT_AIM_H
#define DH_AGENT_AIM_H

#include "actions/action.h"
#include "base/status.h"
#include "capture/layout.h"
#include "vision/view.h"

struct dh_diag;

/*
 * 0..1000 to root pixels of what the view shows; an action that is on the
 * screen already stays as it is. DH_ERR_REFUSED, with the reason in *why, where
 * a point then lies where no monitor of the layout shows anything, or off the
 * screen: nobody would see what it did.
 */
DH_MUST_USE enum dh_status dh_aim_action(const struct dh_view *view,
                                         const struct dh_layout *layout,
                                         struct dh_action *a,
                                         struct dh_diag *why);

#endif
