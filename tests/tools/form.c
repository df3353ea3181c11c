#include "tests/tools/form.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <X11/Xlib.h>
#include <X11/Xutil.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "tests/dh_test.h"

struct button {
    const char *label;
    int x, y, w, h;
};

struct program {
    struct form_options o;
    Display *dpy;
    Window win, dialog;
    GC gc;
    int out;
    char typed[64];
    const char *pressed; // the last button
    int under;           // the button under the pointer, from 1 on
    int presses;
};

static const struct button field = { "", 20, 30, 240, 24 };
static const struct button buttons[] = {
    { "Save", 30, 100, 80, 24 },
    { "Clear", 30, 160, 80, 24 },
    { "Save", 230, 100, 80, 24 },
};

static bool is_there(const struct program *p, size_t i)
{
    return i == 0 ? !p->o.no_save : i == 1 || p->o.two_saves;
}

static void tell(const struct program *p, const char *what, const char *text)
{
    char line[128];
    int n = snprintf(line, sizeof line, "%s %s\n", what, text);
    if (write(p->out, line, (size_t)n) != n)
        _exit(1);
}

static void draw_box(struct program *p, const struct button *b,
                     unsigned long ground, unsigned long ink, const char *text)
{
    XSetForeground(p->dpy, p->gc, ground);
    XFillRectangle(p->dpy, p->win, p->gc, b->x, b->y, (unsigned)b->w,
                   (unsigned)b->h);
    XSetForeground(p->dpy, p->gc, ink);
    XDrawRectangle(p->dpy, p->win, p->gc, b->x, b->y, (unsigned)b->w,
                   (unsigned)b->h);
    XDrawString(p->dpy, p->win, p->gc, b->x + 8, b->y + 16, text,
                (int)strlen(text));
}

static void draw(struct program *p)
{
    unsigned long ground = p->o.dark ? 0x203040 : 0xe0e0d8;
    unsigned long box = p->o.dark ? 0x405060 : 0xffffff;
    unsigned long ink = p->o.dark ? 0xf0f0f0 : 0x101010;
    char line[64] = "";
    XSetForeground(p->dpy, p->gc, ground);
    XFillRectangle(p->dpy, p->win, p->gc, 0, 0, 2000, 2000);
    XSetForeground(p->dpy, p->gc, ink);
    XDrawString(p->dpy, p->win, p->gc, 20, 22, "Name of the customer", 20);
    draw_box(p, &field, box, ink, p->typed);
    for (size_t i = 0; i < DH_COUNTOF(buttons); i++)
        if (is_there(p, i))
            draw_box(p, &buttons[i], p->under == (int)i + 1 ? 0xf0d080 : box,
                     ink, i == 0 && p->o.label ? p->o.label : buttons[i].label);
    if (p->pressed)
        snprintf(line, sizeof line, "%s was pressed %d times", p->pressed,
                 p->presses);
    XSetForeground(p->dpy, p->gc, ink);
    XDrawString(p->dpy, p->win, p->gc, 20, 260, line, (int)strlen(line));
    XFlush(p->dpy);
}

static void open_dialog(struct program *p)
{
    XClassHint hint = { (char[]){ "form" }, (char[]){ "Form" } };
    p->dialog = XCreateSimpleWindow(p->dpy, DefaultRootWindow(p->dpy), 200, 250,
                                    300, 120, 0, 0, 0xc0d0f0);
    XSetClassHint(p->dpy, p->dialog, &hint);
    XStoreName(p->dpy, p->dialog, "It is saved");
    XMapRaised(p->dpy, p->dialog);
    XFlush(p->dpy);
}

static bool has(const struct button *b, int x, int y)
{
    return x >= b->x && x < b->x + b->w && y >= b->y && y < b->y + b->h;
}

// Whether that is another one.
static bool light(struct program *p, int x, int y)
{
    int was = p->under;
    p->under = 0;
    for (size_t i = 0; i < DH_COUNTOF(buttons); i++)
        if (is_there(p, i) && has(&buttons[i], x, y))
            p->under = (int)i + 1;
    return p->under != was;
}

static void press(struct program *p, int x, int y)
{
    if (has(&field, x, y)) {
        tell(p, "field", "");
        return;
    }
    for (size_t i = 0; i < DH_COUNTOF(buttons); i++) {
        if (!is_there(p, i) || !has(&buttons[i], x, y))
            continue;
        tell(p, "press", i == 2 ? "right Save" : buttons[i].label);
        p->pressed = buttons[i].label;
        p->presses++;
        if (i == 1)
            p->typed[0] = '\0';
        else if (p->o.dialog)
            open_dialog(p);
        return;
    }
    tell(p, "press", "nothing");
}

static void type(struct program *p, XKeyEvent *e)
{
    char text[8];
    KeySym sym;
    int n = XLookupString(e, text, sizeof text - 1, &sym, NULL);
    size_t len = strlen(p->typed);
    if (n != 1 || text[0] < ' ' || len + 1 >= sizeof p->typed)
        return;
    p->typed[len] = text[0];
    p->typed[len + 1] = '\0';
    text[1] = '\0';
    tell(p, "key", text);
}

static void take_event(struct program *p)
{
    XEvent e;
    XNextEvent(p->dpy, &e);
    bool draws = e.type == Expose && e.xexpose.window == p->win;
    if (e.type == ButtonPress && e.xbutton.window == p->win) {
        press(p, e.xbutton.x, e.xbutton.y);
        draws = true;
    } else if (e.type == KeyPress) {
        type(p, &e.xkey);
        draws = true;
    }
    if (draws && e.type != Expose &&
        (p->o.deaf || (p->o.mute && e.type == KeyPress)))
        return;
    if (draws && e.type != Expose)
        dh_sleep_for(p->o.late_ms * DH_MS);
    bool lit = e.type == MotionNotify && light(p, e.xmotion.x, e.xmotion.y);
    if (draws || lit)
        draw(p);
}

static DH_NORETURN void run(struct program *p)
{
    XClassHint hint = { (char[]){ "form" }, (char[]){ "Form" } };
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    p->dpy = XOpenDisplay(NULL);
    if (!p->dpy)
        _exit(1);
    p->win =
        XCreateSimpleWindow(p->dpy, DefaultRootWindow(p->dpy), p->o.x, p->o.y,
                            (unsigned)p->o.w, (unsigned)p->o.h, 0, 0, 0);
    XSetClassHint(p->dpy, p->win, &hint);
    XStoreName(p->dpy, p->win, p->o.title ? p->o.title : "Form");
    XSelectInput(p->dpy, p->win,
                 ExposureMask | ButtonPressMask | KeyPressMask |
                     StructureNotifyMask |
                     (p->o.lights ? PointerMotionMask : 0));
    p->gc = XCreateGC(p->dpy, p->win, 0, NULL);
    XFontStruct *font = XLoadQueryFont(p->dpy, "fixed");
    if (font)
        XSetFont(p->dpy, p->gc, font->fid);
    XMapRaised(p->dpy, p->win);
    for (XEvent e = { 0 }; e.type != MapNotify;)
        XWindowEvent(p->dpy, p->win, StructureNotifyMask, &e);
    draw(p);
    XSetInputFocus(p->dpy, p->win, RevertToParent, CurrentTime);
    XSync(p->dpy, False);
    char id[32];
    snprintf(id, sizeof id, "%lu", p->win);
    tell(p, "window", id);
    for (;;)
        take_event(p);
}

void form_start(struct form *f, const struct form_options *o)
{
    int fd[2];
    struct program p = { .o = *o };
    memset(f, 0, sizeof *f);
    if (!p.o.w) {
        p.o.x = p.o.x ? p.o.x : 60;
        p.o.y = p.o.y ? p.o.y : 40;
        p.o.w = 420;
        p.o.h = 300;
    }
    CHECK_INT(pipe(fd), 0);
    f->pid = fork();
    CHECK(f->pid >= 0);
    if (!f->pid) {
        close(fd[0]);
        p.out = fd[1];
        run(&p);
    }
    close(fd[1]);
    f->out = fd[0];
    struct pollfd in = { .fd = f->out, .events = POLLIN };
    CHECK(poll(&in, 1, 20000) == 1);
    char *id = strstr(form_told(f), "window ");
    int64_t window = 0;
    CHECK(id != NULL);
    id += strlen("window ");
    CHECK(dh_parse_i64((struct dh_str){ id, strcspn(id, "\n") }, &window));
    f->window = (unsigned long)window;
    f->text[0] = '\0';
}

const char *form_told(struct form *f)
{
    struct pollfd in = { .fd = f->out, .events = POLLIN };
    while (poll(&in, 1, 200) == 1) {
        size_t len = strlen(f->text);
        ssize_t n = read(f->out, f->text + len, sizeof f->text - 1 - len);
        if (n <= 0)
            break;
        f->text[len + (size_t)n] = '\0';
    }
    return f->text;
}

void form_stop(struct form *f)
{
    kill(f->pid, SIGKILL);
    waitpid(f->pid, NULL, 0);
    close(f->out);
}
