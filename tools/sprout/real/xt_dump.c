/*
 * Preloaded into a program of the X Toolkit (Athena or Motif), tells its
 * widgets.
 *
 * cc -shared -fPIC -o xt_dump.so xt_dump.c -lXt -lX11 -ldl
 *
 * Whenever the file $DUMP_ASK exists, writes one line a visible widget to
 * $DUMP_OUT and removes it; boxes are on the root window:
 *   class, parent's class, in popup, x0, y0, x1, y1, set, label
 * with tabs between them.
 */

#include <X11/IntrinsicP.h>

#include <X11/CoreP.h>
#include <X11/StringDefs.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_SHELLS = 64, EVERY_MS = 150 };

static Widget shells[MAX_SHELLS];
static int n_shells;

static const char *class_of(Widget w)
{
    return XtClass(w)->core_class.class_name;
}

/* The shown text: "label" of Athena, "labelString" of Motif. NULL for none. */
static char *label_of(Widget w)
{
    const char *cls = class_of(w);
    if (!strncmp(cls, "Xm", 2)) {
        if (!strstr(cls, "Button") && !strstr(cls, "Label"))
            return NULL;
        char *(*unparse)(void *, void *, int, int, void *, int, int) =
            dlsym(RTLD_DEFAULT, "XmStringUnparse");
        unsigned char type = 0;
        void *text = NULL;
        XtVaGetValues(w, "labelType", &type, "labelString", &text, NULL);
        return type == 2 && text && unparse
                   ? unparse(text, NULL, 0, 0, NULL, 0, 0)
                   : NULL; /* 2: XmSTRING */
    }
    String text = NULL;
    Pixmap bitmap = None;
    if (!strcmp(cls, "Command") || !strcmp(cls, "Label") ||
        !strcmp(cls, "Toggle") || !strcmp(cls, "MenuButton") ||
        !strcmp(cls, "Repeater"))
        XtVaGetValues(w, "label", &text, "bitmap", &bitmap, NULL);
    else if (!strcmp(cls, "SmeBSB"))
        XtVaGetValues(w, "label", &text, NULL);
    return text && bitmap == None ? strdup(text) : NULL;
}

static int is_set(Widget w)
{
    Boolean on = False;
    if (!strcmp(class_of(w), "Toggle"))
        XtVaGetValues(w, "state", &on, NULL);
    else if (strstr(class_of(w), "XmToggle"))
        XtVaGetValues(w, "set", &on, NULL);
    return on != False;
}

static void tell(Widget w, int popup, FILE *out)
{
    Widget has = XtIsWidget(w) ? w : XtParent(w);
    XWindowAttributes a;
    Window child;
    int x, y;
    if (!XtIsRealized(has) || !XtIsManaged(w) ||
        !XGetWindowAttributes(XtDisplay(has), XtWindow(has), &a) ||
        a.map_state != IsViewable)
        return;
    char *label = label_of(w);
    if (!label || strpbrk(label, "\t\n"))
        return;
    XTranslateCoordinates(XtDisplay(has), XtWindow(has), a.root, 0, 0, &x, &y,
                          &child);
    int width = a.width, height = a.height;
    if (has != w) {
        x += w->core.x;
        y += w->core.y;
        width = w->core.width;
        height = w->core.height;
    }
    fprintf(out, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", class_of(w),
            XtParent(w) ? class_of(XtParent(w)) : "", popup, x, y, x + width,
            y + height, is_set(w), label);
}

static void walk(Widget w, int popup, FILE *out)
{
    if (XtIsShell(w)) {
        Boolean over = False;
        XtVaGetValues(w, "overrideRedirect", &over, NULL);
        popup = over != False;
    }
    tell(w, popup, out);
    if (XtIsComposite(w)) {
        WidgetList list = NULL;
        Cardinal n = 0;
        XtVaGetValues(w, XtNchildren, &list, XtNnumChildren, &n, NULL);
        for (Cardinal i = 0; i < n; i++)
            walk(list[i], popup, out);
    }
    if (XtIsWidget(w))
        for (Cardinal i = 0; i < w->core.num_popups; i++)
            walk(w->core.popup_list[i], popup, out);
}

static void poll_ask(XtPointer app, XtIntervalId *id)
{
    (void)id;
    const char *ask = getenv("DUMP_ASK"), *path = getenv("DUMP_OUT");
    if (ask && path && access(ask, F_OK) == 0) {
        char part[4096];
        snprintf(part, sizeof part, "%s.part", path);
        FILE *out = fopen(part, "w");
        for (int i = 0; out && i < n_shells; i++)
            walk(shells[i], 0, out);
        if (out) {
            fclose(out);
            unlink(ask);
            rename(part, path);
        }
    }
    XtAppAddTimeOut((XtAppContext)app, EVERY_MS, poll_ask, app);
}

/* In place of the toolkit's: remembers the shells. */
void XtRealizeWidget(Widget w)
{
    void (*real)(Widget) = dlsym(RTLD_NEXT, "XtRealizeWidget");
    Widget top = w;
    while (XtParent(top))
        top = XtParent(top);
    int known = 0;
    for (int i = 0; i < n_shells; i++)
        known |= shells[i] == top;
    if (!known && n_shells < MAX_SHELLS) {
        if (!n_shells)
            XtAppAddTimeOut(XtWidgetToApplicationContext(top), EVERY_MS,
                            poll_ask, XtWidgetToApplicationContext(top));
        shells[n_shells++] = top;
    }
    real(w);
}
