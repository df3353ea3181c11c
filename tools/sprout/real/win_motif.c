/* A Motif window from lines on stdin, for cap_c.py; prints where each part is.
 *
 * In:  "win TITLE W H", then parts "kind\tx\ty\tw\th\tstate\tlabel\tvalue";
 *      "show" maps the window; "boxes" asks for the boxes.
 * Out: "xid N" after show; "box INDEX x0 y0 x1 y1" lines and "end" after boxes.
 * Menus and their entries are parts too ("menu", "menu_item"); rows of a list
 * follow it as "item". Fonts and colours come as -xrm resources. */

#include <Xm/ComboBox.h>
#include <Xm/SSpinB.h>
#include <Xm/XmAll.h>
#include <stdio.h>

#include "win_lines.h"

enum { MAX_PARTS = 400 };

struct part {
    Widget widget;
    int row; /* 1-based row of the list in widget, or 0 */
};

static XtAppContext app;
static Widget shell, board, bar, pane, last_list;
static struct part parts[MAX_PARTS];
static int n_parts, n_rows;

static XmString text_of(const char *s)
{
    return XmStringCreateLocalized((char *)s);
}

static Widget labelled(Widget parent, WidgetClass cls, const char *label)
{
    XmString s = text_of(label);
    Widget w = XtVaCreateWidget("part", cls, parent, XmNlabelString, s, NULL);
    XmStringFree(s);
    return w;
}

static Widget toggle(Widget parent, const char *label, int state, int radio)
{
    Widget w = labelled(parent, xmToggleButtonWidgetClass, label);
    XtVaSetValues(w, XmNindicatorType, radio ? XmONE_OF_MANY : XmN_OF_MANY,
                  XmNset, state & 1 ? XmSET : XmUNSET, XmNalignment,
                  XmALIGNMENT_BEGINNING, XmNmarginHeight, 0,
                  XmNhighlightThickness, 1, NULL);
    return w;
}

static Widget menu(const char *label)
{
    if (!bar)
        bar = XmCreateMenuBar(XtParent(board), "bar", NULL, 0);
    pane = XmCreatePulldownMenu(bar, "pane", NULL, 0);
    Widget w = labelled(bar, xmCascadeButtonWidgetClass, label);
    XtVaSetValues(w, XmNsubMenuId, pane, NULL);
    XtManageChild(w);
    return w;
}

static Widget menu_item(const char *label, const char *accel, int state)
{
    if (state & 64)
        XtManageChild(XmCreateSeparator(pane, "sep", NULL, 0));
    Widget w = labelled(
        pane, state & 128 ? xmToggleButtonWidgetClass : xmPushButtonWidgetClass,
        label);
    if (state & 128)
        XtVaSetValues(w, XmNset, state & 1 ? XmSET : XmUNSET, XmNvisibleWhenOff,
                      True, NULL);
    if (*accel) {
        XmString s = text_of(accel);
        XtVaSetValues(w, XmNacceleratorText, s, NULL);
        XmStringFree(s);
    }
    XtManageChild(w);
    return w;
}

static Widget combo(const char *value)
{
    XmString s = text_of(value);
    Widget w = XtVaCreateWidget("part", xmComboBoxWidgetClass, board,
                                XmNcomboBoxType, XmDROP_DOWN_LIST, NULL);
    XmComboBoxAddItem(w, s, 0, False);
    XmComboBoxSelectItem(w, s);
    XmStringFree(s);
    return w;
}

static Widget make_input(const char *kind, const char *value)
{
    if (!strcmp(kind, "field"))
        return XtVaCreateWidget("field", xmTextFieldWidgetClass, board,
                                XmNvalue, value, XmNmarginHeight, 2, NULL);
    if (!strcmp(kind, "textarea"))
        return XtVaCreateWidget("field", xmTextWidgetClass, board, XmNeditMode,
                                XmMULTI_LINE_EDIT, XmNvalue, value, NULL);
    if (!strcmp(kind, "combo"))
        return combo(value);
    if (!strcmp(kind, "spin"))
        return XtVaCreateWidget("field", xmSimpleSpinBoxWidgetClass, board,
                                XmNspinBoxChildType, XmNUMERIC, XmNmaximumValue,
                                1000, XmNposition, atoi(value), NULL);
    if (!strcmp(kind, "slider"))
        return XtVaCreateWidget("part", xmScaleWidgetClass, board,
                                XmNorientation, XmHORIZONTAL, XmNvalue,
                                atoi(value), NULL);
    return NULL;
}

static Widget make(const char *kind, int state, const char *label,
                   const char *value)
{
    Widget w = make_input(kind, value);
    if (w)
        return w;
    if (!strcmp(kind, "button") || !strcmp(kind, "key"))
        return labelled(board, xmPushButtonWidgetClass, label);
    if (!strcmp(kind, "check") || !strcmp(kind, "radio"))
        return toggle(board, label, state, *kind == 'r');
    if (!strcmp(kind, "list"))
        return last_list = XtVaCreateWidget(
                   "part", xmListWidgetClass, board, XmNselectionPolicy,
                   XmBROWSE_SELECT, XmNlistSizePolicy, XmCONSTANT, NULL);
    w = labelled(board, xmLabelWidgetClass, label);
    XtVaSetValues(w, XmNalignment, XmALIGNMENT_BEGINNING, NULL);
    return w;
}

static void add_row(const char *label, int state)
{
    XmString s = text_of(label);
    XmListAddItem(last_list, s, 0);
    if (state & 8)
        XmListSelectPos(last_list, n_rows + 1, False);
    XmStringFree(s);
    parts[n_parts++] = (struct part){ last_list, ++n_rows };
}

static void add_part(char **f)
{
    int state = atoi(f[5]);
    if (n_parts == MAX_PARTS)
        return;
    if (!strcmp(f[0], "item")) {
        add_row(f[6], state);
        return;
    }
    Widget w;
    if (!strcmp(f[0], "menu")) {
        w = menu(f[6]);
    } else if (!strcmp(f[0], "menu_item")) {
        w = menu_item(f[6], f[7], state);
    } else {
        w = make(f[0], state, f[6], f[7]);
        n_rows = strcmp(f[0], "list") ? n_rows : 0;
        XtVaSetValues(w, XmNx, atoi(f[1]), XmNy, atoi(f[2]), XmNwidth,
                      atoi(f[3]), XmNheight, atoi(f[4]), NULL);
        XtManageChild(w);
    }
    if (state & 2)
        XtSetSensitive(w, False);
    parts[n_parts++] = (struct part){ w, 0 };
}

static void print_box(int i)
{
    Widget w = parts[i].widget;
    Window child;
    int x, y;
    XWindowAttributes a;
    if (!XtIsRealized(w) ||
        !XGetWindowAttributes(XtDisplay(w), XtWindow(w), &a) ||
        a.map_state != IsViewable)
        return;
    XTranslateCoordinates(XtDisplay(w), XtWindow(w), a.root, 0, 0, &x, &y,
                          &child);
    Dimension width = (Dimension)a.width, height = (Dimension)a.height;
    if (parts[i].row) {
        Position rx, ry;
        Dimension rw, rh;
        if (!XmListPosToBounds(w, parts[i].row, &rx, &ry, &rw, &rh) ||
            ry + rh > height)
            return;
        x += rx;
        y += ry;
        width = rw;
        height = rh;
    }
    printf("box %d %d %d %d %d\n", i, x, y, x + width, y + height);
}

static void start(char **f)
{
    Widget form =
        XtVaCreateManagedWidget("main", xmFormWidgetClass, shell, XmNwidth,
                                atoi(f[2]), XmNheight, atoi(f[3]), NULL);
    XtVaSetValues(shell, XmNtitle, f[1], NULL);
    board = XtVaCreateManagedWidget(
        "board", xmBulletinBoardWidgetClass, form, XmNmarginWidth, 0,
        XmNmarginHeight, 0, XmNresizePolicy, XmRESIZE_NONE, XmNleftAttachment,
        XmATTACH_FORM, XmNrightAttachment, XmATTACH_FORM, XmNbottomAttachment,
        XmATTACH_FORM, XmNtopAttachment, XmATTACH_FORM, NULL);
}

static void show(void)
{
    if (bar) {
        XtVaSetValues(bar, XmNleftAttachment, XmATTACH_FORM, XmNrightAttachment,
                      XmATTACH_FORM, XmNtopAttachment, XmATTACH_FORM, NULL);
        XtManageChild(bar);
        XtVaSetValues(board, XmNtopAttachment, XmATTACH_WIDGET, XmNtopWidget,
                      bar, NULL);
    }
    XtRealizeWidget(shell);
    XFlush(XtDisplay(shell));
    printf("xid %lu\n", XtWindow(shell));
}

static void on_line(char **f)
{
    if (!strcmp(f[0], "win")) {
        start(f);
    } else if (!strcmp(f[0], "show")) {
        show();
    } else if (!strcmp(f[0], "boxes")) {
        for (int i = 0; i < n_parts; i++)
            print_box(i);
        puts("end");
    } else if (board) {
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
    XtSetLanguageProc(NULL, NULL, NULL);
    shell = XtVaAppInitialize(&app, "Window", NULL, 0, &argc, argv, NULL,
                              XmNallowShellResize, False, NULL);
    XtAppAddInput(app, 0, (XtPointer)XtInputReadMask, on_input, NULL);
    XtAppMainLoop(app);
    return 0;
}
