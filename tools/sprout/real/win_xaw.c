/* An Athena (Xaw) window from lines on stdin, for cap_c.py; same lines as
 * win_motif.c, and "rows SELECTED" after the rows of a list. Menus are menu
 * buttons of their own; their entries are shown while the button is held. */

#include <X11/Intrinsic.h>
#include <X11/Shell.h>
#include <X11/StringDefs.h>
#include <X11/Xaw/AsciiText.h>
#include <X11/Xaw/Command.h>
#include <X11/Xaw/Form.h>
#include <X11/Xaw/Label.h>
#include <X11/Xaw/List.h>
#include <X11/Xaw/MenuButton.h>
#include <X11/Xaw/Scrollbar.h>
#include <X11/Xaw/SimpleMenu.h>
#include <X11/Xaw/SmeBSB.h>
#include <X11/Xaw/SmeLine.h>
#include <X11/Xaw/Toggle.h>
#include <stdio.h>

#include "win_lines.h"

enum { MAX_PARTS = 400, MAX_ROWS = 64 };

struct part {
    Widget widget;
    int row; /* of the list, or -1 */
};

static XtAppContext app;
static Widget shell, form, pane, radio_group, last_list;
static struct part parts[MAX_PARTS];
static int n_parts, n_rows;
static _Xconst char *rows[MAX_ROWS];

static Widget make_toggle(int radio, int state, char *label)
{
    Widget w = XtVaCreateWidget("part", toggleWidgetClass, form, XtNlabel,
                                label, XtNstate, state & 1, NULL);
    if (radio && radio_group)
        XtVaSetValues(w, XtNradioGroup, radio_group, NULL);
    radio_group = radio ? w : NULL;
    return w;
}

static Widget make_menu(char *label)
{
    char name[32];
    snprintf(name, sizeof name, "menu%d", n_parts);
    Widget w = XtVaCreateWidget("part", menuButtonWidgetClass, form, XtNlabel,
                                label, XtNmenuName, strdup(name), NULL);
    pane = XtCreatePopupShell(name, simpleMenuWidgetClass, w, NULL, 0);
    return w;
}

static Widget make(const char *kind, int state, char *label, char *value)
{
    if (!strcmp(kind, "button") || !strcmp(kind, "key"))
        return XtVaCreateWidget("part", commandWidgetClass, form, XtNlabel,
                                label, NULL);
    if (!strcmp(kind, "check") || !strcmp(kind, "radio"))
        return make_toggle(*kind == 'r', state, label);
    if (!strcmp(kind, "field") || !strcmp(kind, "textarea"))
        return XtVaCreateWidget("field", asciiTextWidgetClass, form, XtNstring,
                                value, XtNeditType, XawtextEdit,
                                XtNdisplayCaret, False, NULL);
    if (!strcmp(kind, "slider"))
        return XtVaCreateWidget("part", scrollbarWidgetClass, form,
                                XtNorientation, XtorientHorizontal, NULL);
    if (!strcmp(kind, "list")) {
        n_rows = 0;
        return last_list = XtVaCreateWidget(
                   "part", listWidgetClass, form, XtNforceColumns, True,
                   XtNdefaultColumns, 1, XtNverticalList, True, NULL);
    }
    if (!strcmp(kind, "menu"))
        return make_menu(label);
    return XtVaCreateWidget("text", labelWidgetClass, form, XtNlabel, label,
                            XtNborderWidth, 0, XtNjustify, XtJustifyLeft, NULL);
}

static void place(Widget w, char **f)
{
    XtVaSetValues(w, XtNhorizDistance, atoi(f[1]), XtNvertDistance, atoi(f[2]),
                  XtNwidth, atoi(f[3]), XtNheight, atoi(f[4]), XtNresizable,
                  False, XtNleft, XawChainLeft, XtNright, XawChainLeft, XtNtop,
                  XawChainTop, XtNbottom, XawChainTop, NULL);
    XtManageChild(w);
}

static void add_part(char **f)
{
    int state = atoi(f[5]);
    if (n_parts == MAX_PARTS)
        return;
    if (!strcmp(f[0], "item")) {
        if (n_rows < MAX_ROWS - 1)
            rows[n_rows] = strdup(f[6]);
        parts[n_parts++] = (struct part){ last_list, n_rows++ };
        return;
    }
    Widget w;
    if (!strcmp(f[0], "menu_item")) {
        if (state & 64)
            XtVaCreateManagedWidget("line", smeLineObjectClass, pane, NULL);
        w = XtVaCreateManagedWidget("entry", smeBSBObjectClass, pane, XtNlabel,
                                    f[6], NULL);
    } else {
        w = make(f[0], state, f[6], f[7]);
        place(w, f);
    }
    if (state & 2)
        XtSetSensitive(w, False);
    parts[n_parts++] = (struct part){ w, -1 };
}

/* The list gets all its rows at once; its size stays. */
static void set_rows(int selected)
{
    n_rows = n_rows < MAX_ROWS - 1 ? n_rows : MAX_ROWS - 1;
    rows[n_rows] = NULL;
    _Xconst char **copy = (_Xconst char **)XtMalloc((Cardinal)sizeof rows);
    memcpy(copy, rows, sizeof rows);
    Dimension w, h;
    XtVaGetValues(last_list, XtNwidth, &w, XtNheight, &h, NULL);
    XawListChange(last_list, copy, n_rows, 0, False);
    XtVaSetValues(last_list, XtNwidth, w, XtNheight, h, NULL);
    if (selected >= 0)
        XawListHighlight(last_list, selected);
}

static void print_box(int i)
{
    Widget w = parts[i].widget, has = XtIsWidget(w) ? w : XtParent(w);
    Window child;
    int x, y;
    XWindowAttributes a;
    if (!XtIsRealized(has) ||
        !XGetWindowAttributes(XtDisplay(has), XtWindow(has), &a) ||
        a.map_state != IsViewable)
        return;
    XTranslateCoordinates(XtDisplay(has), XtWindow(has), a.root, 0, 0, &x, &y,
                          &child);
    Dimension width = (Dimension)a.width, height = (Dimension)a.height;
    if (has != w) {
        Position rx, ry;
        XtVaGetValues(w, XtNx, &rx, XtNy, &ry, XtNwidth, &width, XtNheight,
                      &height, NULL);
        x += rx;
        y += ry;
    }
    if (parts[i].row >= 0) { /* rows of a list are of equal height */
        Dimension inner = 0, space = 0;
        XFontStruct *font = NULL;
        XtVaGetValues(w, XtNinternalHeight, &inner, XtNrowSpacing, &space,
                      XtNfont, &font, NULL);
        int row = font->max_bounds.ascent + font->max_bounds.descent + space,
            top = inner + parts[i].row * row;
        if (top + row > a.height)
            return;
        y += top;
        height = (Dimension)row;
    }
    printf("box %d %d %d %d %d\n", i, x, y, x + width, y + height);
}

static void on_line(char **f)
{
    if (!strcmp(f[0], "win")) {
        XtVaSetValues(shell, XtNtitle, f[1], NULL);
        form = XtVaCreateManagedWidget("form", formWidgetClass, shell, XtNwidth,
                                       atoi(f[2]), XtNheight, atoi(f[3]),
                                       XtNdefaultDistance, 0, NULL);
    } else if (!strcmp(f[0], "show")) {
        XtRealizeWidget(shell);
        XFlush(XtDisplay(shell));
        printf("xid %lu\n", XtWindow(shell));
    } else if (!strcmp(f[0], "rows")) {
        set_rows(atoi(f[1]));
    } else if (!strcmp(f[0], "boxes")) {
        for (int i = 0; i < n_parts; i++)
            print_box(i);
        puts("end");
    } else if (form) {
        add_part(f);
    }
    fflush(stdout);
}

static void on_input(XtPointer data, int *fd, XtInputId *id)
{
    (void)data;
    (void)id;
    lines_read(*fd, on_line);
}

int main(int argc, char **argv)
{
    shell = XtVaAppInitialize(&app, "Window", NULL, 0, &argc, argv, NULL,
                              XtNallowShellResize, False, NULL);
    XtAppAddInput(app, 0, (XtPointer)XtInputReadMask, on_input, NULL);
    XtAppMainLoop(app);
    return 0;
}
