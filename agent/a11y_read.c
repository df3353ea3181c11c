#include "agent/a11y_priv.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define MAX_NODES    3000 // looked at for one question
#define MAX_CHILDREN 128  // of a container that is searched by hand

bool dh_a11y_is_over(struct dh_a11y_search *s)
{
    return ++s->nodes > MAX_NODES || dh_now_ns() > s->until_ns;
}

bool dh_a11y_has_state(AtspiAccessible *a, AtspiStateType state)
{
    AtspiStateSet *set = atspi_accessible_get_state_set(a);
    bool has = set && atspi_state_set_contains(set, state);
    if (set)
        g_object_unref(set);
    return has;
}

struct dh_rect dh_a11y_rect(AtspiAccessible *a)
{
    struct dh_rect r = { 0 };
    AtspiComponent *c = atspi_accessible_get_component_iface(a);
    AtspiRect *e =
        c ? atspi_component_get_extents(c, ATSPI_COORD_TYPE_SCREEN, NULL)
          : NULL;
    if (e)
        r = (struct dh_rect){ e->x, e->y, e->width, e->height };
    g_free(e);
    if (c)
        g_object_unref(c);
    return r;
}

void dh_a11y_put(char *to, size_t size, char *from)
{
    if (from)
        snprintf(to, size, "%s", from);
    g_free(from);
}

static void read_text(AtspiAccessible *a, struct dh_a11y_node *out)
{
    AtspiText *t = atspi_accessible_get_text_iface(a);
    if (!t)
        return;
    int n = atspi_text_get_character_count(t, NULL);
    if (n > 0)
        dh_a11y_put(
            out->text, sizeof out->text,
            atspi_text_get_text(t, 0, DH_MIN(n, (int)sizeof out->text), NULL));
    g_object_unref(t);
}

// A password's text is stars in most toolkits, and not to be read in any.
void dh_a11y_read_node(AtspiAccessible *a, struct dh_a11y_node *out)
{
    memset(out, 0, sizeof *out);
    AtspiRole role = atspi_accessible_get_role(a, NULL);
    dh_a11y_put(out->role, sizeof out->role,
                atspi_accessible_get_role_name(a, NULL));
    dh_a11y_put(out->name, sizeof out->name,
                atspi_accessible_get_name(a, NULL));
    out->rect = dh_a11y_rect(a);
    out->password = role == ATSPI_ROLE_PASSWORD_TEXT;
    out->editable = dh_a11y_has_state(a, ATSPI_STATE_EDITABLE);
    out->focused = dh_a11y_has_state(a, ATSPI_STATE_FOCUSED);
    if (!out->password)
        read_text(a, out);
}

void dh_a11y_put_states(AtspiStateSet *set, size_t n, char *out, size_t size)
{
    static const struct {
        AtspiStateType state;
        const char *name;
    } told[DH_A11Y_STATES] = { { ATSPI_STATE_CHECKED, "checked" },
                               { ATSPI_STATE_SELECTED, "selected" },
                               { ATSPI_STATE_EXPANDED, "expanded" },
                               { ATSPI_STATE_FOCUSED, "focused" },
                               { ATSPI_STATE_SENSITIVE, "sensitive" },
                               { ATSPI_STATE_EDITABLE, "editable" },
                               { ATSPI_STATE_PRESSED, "pressed" },
                               { ATSPI_STATE_ACTIVE, "active" },
                               { ATSPI_STATE_INDETERMINATE, "indeterminate" },
                               { ATSPI_STATE_MODAL, "modal" } };
    size_t len = 0;
    for (size_t i = 0; set && i < n; i++)
        if (atspi_state_set_contains(set, told[i].state))
            len += (size_t)snprintf(out + len, size - len, "%s%s",
                                    len ? "," : "", told[i].name);
}

// Some containers do not know what is in them at a point, though it says where
// it is; and some, such as the pages of a notebook, are nowhere themselves. The
// last one that shows is on top.
static AtspiAccessible *child_around(struct dh_a11y_search *s,
                                     AtspiAccessible *a, struct dh_point p,
                                     int depth)
{
    AtspiAccessible *found = NULL;
    int n = atspi_accessible_get_child_count(a, NULL);
    for (int i = DH_MIN(n, MAX_CHILDREN) - 1;
         i >= 0 && !found && !dh_a11y_is_over(s); i--) {
        AtspiAccessible *in = atspi_accessible_get_child_at_index(a, i, NULL);
        struct dh_rect r = { 0 };
        if (in && dh_a11y_has_state(in, ATSPI_STATE_SHOWING))
            r = dh_a11y_rect(in);
        if (dh_rect_has(r, p))
            found = g_object_ref(in);
        else if (r.w < 0 && depth < DH_A11Y_MAX_DEPTH)
            found = child_around(s, in, p, depth + 1);
        if (in)
            g_object_unref(in);
    }
    return found;
}

static AtspiAccessible *child_at(struct dh_a11y_search *s, AtspiAccessible *a,
                                 struct dh_point p)
{
    AtspiComponent *c = atspi_accessible_get_component_iface(a);
    AtspiAccessible *in = c ? atspi_component_get_accessible_at_point(
                                  c, p.x, p.y, ATSPI_COORD_TYPE_SCREEN, NULL)
                            : NULL;
    if (c)
        g_object_unref(c);
    if (in && in != a)
        return in;
    if (in)
        g_object_unref(in);
    return child_around(s, a, p, 0);
}

// Takes dh_a11y_is_over `a`, returns the innermost one below it at the point.
AtspiAccessible *dh_a11y_descend(struct dh_a11y_search *s, AtspiAccessible *a,
                                 struct dh_point p)
{
    for (int depth = 0; depth < DH_A11Y_MAX_DEPTH && !dh_a11y_is_over(s);
         depth++) {
        AtspiAccessible *in = child_at(s, a, p);
        if (!in)
            break;
        g_object_unref(a);
        a = in;
    }
    return a;
}

// Depth first, visible ones only. The caller owns what is returned.
AtspiAccessible *dh_a11y_find_focus(struct dh_a11y_search *s,
                                    AtspiAccessible *a, int depth)
{
    if (depth == DH_A11Y_MAX_DEPTH || dh_a11y_is_over(s))
        return NULL;
    if (dh_a11y_has_state(a, ATSPI_STATE_FOCUSED))
        return g_object_ref(a);
    int n = atspi_accessible_get_child_count(a, NULL);
    AtspiAccessible *found = NULL;
    for (int i = 0; i < n && !found && !dh_a11y_is_over(s); i++) {
        AtspiAccessible *in = atspi_accessible_get_child_at_index(a, i, NULL);
        if (in && dh_a11y_has_state(in, ATSPI_STATE_SHOWING))
            found = dh_a11y_find_focus(s, in, depth + 1);
        if (in)
            g_object_unref(in);
    }
    return found;
}
