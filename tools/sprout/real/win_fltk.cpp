/* An FLTK window from lines on stdin, for cap_c.py; same lines as win_motif.c.
 * Arguments: font name, size, scheme, background, foreground, field colour
 * (hexadecimal). Open menus are not measured: FLTK does not tell their places. */

#include <FL/Fl.H>
#include <FL/Fl_Box.H>
#include <FL/Fl_Button.H>
#include <FL/Fl_Check_Button.H>
#include <FL/Fl_Choice.H>
#include <FL/Fl_Double_Window.H>
#include <FL/Fl_Hold_Browser.H>
#include <FL/Fl_Input.H>
#include <FL/Fl_Menu_Bar.H>
#include <FL/Fl_Multiline_Input.H>
#include <FL/Fl_Round_Button.H>
#include <FL/Fl_Slider.H>
#include <FL/Fl_Spinner.H>
#include <FL/x.H>
#include <cstdio>
#include <vector>

#include "win_lines.h"

struct Rows : Fl_Hold_Browser {
    using Fl_Hold_Browser::Fl_Hold_Browser;
    /* Rectangle of a row; false when it is not wholly shown. */
    bool row_box(int row, int &rx, int &ry, int &rw, int &rh)
    {
        int bx, by, bw, bh, top = 0;
        bbox(bx, by, bw, bh);
        void *item = item_first();
        for (int i = 1; i < row && item; i++, item = item_next(item))
            top += item_height(item);
        if (!item)
            return false;
        rx = bx, rw = bw, rh = item_height(item), ry = by + top - position();
        return ry >= by && ry + rh <= by + bh;
    }
};

struct Part {
    Fl_Widget *widget;
    int row; /* of a list or of the menu bar, from 1; 0: the widget itself */
};

static Fl_Double_Window *window;
static Fl_Menu_Bar *bar;
static Rows *last_list;
static std::vector<Part> parts;

static Fl_Widget *make_toggle(bool radio, int state, int x, int y, int w, int h, char *text)
{
    Fl_Button *b = radio ? (Fl_Button *)new Fl_Round_Button(x, y, w, h, text) : new Fl_Check_Button(x, y, w, h, text);
    b->value(state & 1);
    return b;
}

static Fl_Widget *make_input(const char *kind, int x, int y, int w, int h, char *value)
{
    if (!strcmp(kind, "field") || !strcmp(kind, "textarea")) {
        Fl_Input *in = *kind == 'f' ? new Fl_Input(x, y, w, h) : new Fl_Multiline_Input(x, y, w, h);
        in->value(value);
        in->textsize(FL_NORMAL_SIZE);
        return in;
    }
    if (!strcmp(kind, "combo")) {
        Fl_Choice *c = new Fl_Choice(x, y, w, h);
        c->add(value);
        c->value(0);
        c->textsize(FL_NORMAL_SIZE);
        return c;
    }
    if (!strcmp(kind, "spin")) {
        Fl_Spinner *s = new Fl_Spinner(x, y, w, h);
        s->range(0, 1000);
        s->value(atoi(value));
        s->textsize(FL_NORMAL_SIZE);
        return s;
    }
    if (!strcmp(kind, "slider")) {
        Fl_Slider *s = new Fl_Slider(x, y, w, h);
        s->type(FL_HOR_NICE_SLIDER);
        s->value(atoi(value) / 100.0);
        return s;
    }
    return nullptr;
}

static Fl_Widget *make(const char *kind, int state, int x, int y, int w, int h, char *label, char *value)
{
    char *text = strdup(label);
    if (Fl_Widget *in = make_input(kind, x, y, w, h, value))
        return in;
    if (!strcmp(kind, "button") || !strcmp(kind, "key"))
        return new Fl_Button(x, y, w, h, text);
    if (!strcmp(kind, "check") || !strcmp(kind, "radio"))
        return make_toggle(*kind == 'r', state, x, y, w, h, text);
    if (!strcmp(kind, "list")) {
        last_list = new Rows(x, y, w, h);
        last_list->textsize(FL_NORMAL_SIZE);
        return last_list;
    }
    Fl_Box *b = new Fl_Box(FL_NO_BOX, x, y, w, h, text);
    b->align(FL_ALIGN_LEFT | FL_ALIGN_INSIDE);
    return b;
}

static Part add_row(const char *label, int state)
{
    last_list->add(label);
    if (state & 8)
        last_list->value(last_list->size());
    return {last_list, last_list->size()};
}

static Part add_menu(const char *label)
{
    if (!bar) {
        bar = new Fl_Menu_Bar(0, 0, window->w(), FL_NORMAL_SIZE + 14);
        bar->textsize(FL_NORMAL_SIZE);
    }
    bar->add(label, 0, nullptr, nullptr, FL_SUBMENU);
    return {bar, bar->size() / 2};
}

static void add_part(char **f)
{
    int state = atoi(f[5]);
    if (!strcmp(f[0], "item")) {
        parts.push_back(add_row(f[6], state));
    } else if (!strcmp(f[0], "menu")) {
        parts.push_back(add_menu(f[6]));
    } else if (!strcmp(f[0], "menu_item")) {
        parts.push_back({nullptr, 0});
    } else {
        Fl_Widget *w = make(f[0], state, atoi(f[1]), atoi(f[2]), atoi(f[3]), atoi(f[4]), f[6], f[7]);
        w->labelsize(FL_NORMAL_SIZE);
        if (state & 2)
            w->deactivate();
        parts.push_back({w, 0});
    }
}

/* The bar draws its titles from x + 6 on, each 16 wider than its text. */
static bool bar_box(int row, int &x, int &w)
{
    x = bar->x() + 6;
    int seen = 0;
    for (const Fl_Menu_Item *m = bar->menu(); m && m->text; m = m->next()) {
        w = m->measure(nullptr, bar) + 16;
        if (++seen == row)
            return true;
        x += w;
    }
    return false;
}

static void print_box(size_t i)
{
    Part p = parts[i];
    if (!p.widget)
        return;
    int x = p.widget->x(), y = p.widget->y(), w = p.widget->w(), h = p.widget->h();
    if (p.row && !(p.widget == bar ? bar_box(p.row, x, w) : static_cast<Rows *>(p.widget)->row_box(p.row, x, y, w, h)))
        return;
    Window child;
    int rx, ry;
    XTranslateCoordinates(fl_display, fl_xid(window), DefaultRootWindow(fl_display), 0, 0, &rx, &ry, &child);
    printf("box %zu %d %d %d %d\n", i, rx + x, ry + y, rx + x + w, ry + y + h);
}

static void on_line(char **f)
{
    if (!strcmp(f[0], "win")) {
        window = new Fl_Double_Window(atoi(f[2]), atoi(f[3]), strdup(f[1]));
        window->size_range(40, 30, 2000, 2000);
    } else if (!strcmp(f[0], "show")) {
        window->end();
        window->show();
        Fl::check();
        printf("xid %lu\n", fl_xid(window));
    } else if (!strcmp(f[0], "boxes")) {
        for (size_t i = 0; i < parts.size(); i++)
            print_box(i);
        puts("end");
    } else if (window) {
        add_part(f);
    }
    fflush(stdout);
}

static void on_input(int fd, void *)
{
    lines_read(fd, on_line);
}

int main(int argc, char **argv)
{
    if (argc < 7)
        return 2;
    unsigned c[3];
    for (int i = 0; i < 3; i++)
        c[i] = (unsigned)strtoul(argv[4 + i], nullptr, 16);
    Fl::set_font(FL_HELVETICA, argv[1]);
    FL_NORMAL_SIZE = atoi(argv[2]);
    Fl::background((uchar)(c[0] >> 16), (uchar)(c[0] >> 8), (uchar)c[0]);
    Fl::foreground((uchar)(c[1] >> 16), (uchar)(c[1] >> 8), (uchar)c[1]);
    Fl::background2((uchar)(c[2] >> 16), (uchar)(c[2] >> 8), (uchar)c[2]);
    Fl::scheme(argv[3]);
    Fl::visible_focus(0);
    Fl::add_fd(0, on_input, nullptr);
    while (Fl::wait(1e9) >= 0)
        ;
    return 0;
}
