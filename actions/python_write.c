#include "actions/python.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

struct spelling {
    const char *x, *python;
};

// Where lower case is not enough. Each stands once on both sides.
static const struct spelling spellings[] = {
    { "Return", "enter" },
    { "Escape", "esc" },
    { "BackSpace", "backspace" },
    { "Tab", "tab" },
    { "Delete", "delete" },
    { "Insert", "insert" },
    { "Home", "home" },
    { "End", "end" },
    { "Prior", "pgup" },
    { "Next", "pgdn" },
    { "Page_Up", "pageup" },
    { "Page_Down", "pagedown" },
    { "Left", "left" },
    { "Right", "right" },
    { "Up", "up" },
    { "Down", "down" },
    { "Caps_Lock", "capslock" },
    { "Num_Lock", "numlock" },
    { "Scroll_Lock", "scrolllock" },
    { "Print", "printscreen" },
    { "Pause", "pause" },
    { "Menu", "apps" },
    { "Help", "help" },
    { "super", "win" },
    { "altgr", "altright" },
    { "KP_Enter", "numenter" },
    { "KP_Add", "add" },
    { "KP_Subtract", "subtract" },
    { "KP_Multiply", "multiply" },
    { "KP_Divide", "divide" },
    { "KP_Decimal", "decimal" },
    { "XF86AudioMute", "volumemute" },
    { "XF86AudioRaiseVolume", "volumeup" },
    { "XF86AudioLowerVolume", "volumedown" },
    { "XF86AudioPlay", "playpause" },
    { "XF86AudioNext", "nexttrack" },
    { "XF86AudioPrev", "prevtrack" },
    { "XF86Back", "browserback" },
    { "XF86Forward", "browserforward" },
    { "XF86Reload", "browserrefresh" },
    { "minus", "-" },
    { "equal", "=" },
    { "comma", "," },
    { "period", "." },
    { "slash", "/" },
    { "backslash", "\\" },
    { "semicolon", ";" },
    { "apostrophe", "'" },
    { "grave", "`" },
    { "bracketleft", "[" },
    { "bracketright", "]" },
    { "F1", "f1" },
    { "F2", "f2" },
    { "F3", "f3" },
    { "F4", "f4" },
    { "F5", "f5" },
    { "F6", "f6" },
    { "F7", "f7" },
    { "F8", "f8" },
    { "F9", "f9" },
    { "F10", "f10" },
    { "F11", "f11" },
    { "F12", "f12" },
};

const char *dh_python_key(const char *x_name)
{
    for (size_t i = 0; i < DH_COUNTOF(spellings); i++)
        if (strcmp(x_name, spellings[i].x) == 0)
            return spellings[i].python;
    return x_name;
}

const char *dh_python_x_key(const char *name)
{
    static const struct spelling others[] = {
        { "Return", "return" },    { "Escape", "escape" },
        { "Delete", "del" },       { "super", "winleft" },
        { "super", "command" },    { "ctrl", "ctrlleft" },
        { "shift", "shiftleft" },  { "alt", "altleft" },
        { "Print", "prtsc" },      { "Print", "prntscrn" },
        { "BackSpace", "\b" },     { "Return", "\n" },
        { "Tab", "\t" },           { "space", " " },
        { "Num_Lock", "num_lock" }
    };
    for (size_t i = 0; i < DH_COUNTOF(spellings); i++)
        if (strcmp(name, spellings[i].python) == 0)
            return spellings[i].x;
    for (size_t i = 0; i < DH_COUNTOF(others); i++)
        if (strcmp(name, others[i].python) == 0)
            return others[i].x;
    return name;
}

struct writer {
    struct dh_buf *out;
    struct dh_rect screen;
    bool begun;  // a line was written
    bool second; // an argument was written
};

static void call(struct writer *w, const char *name)
{
    if (w->begun)
        dh_buf_putc(w->out, '\n');
    dh_buf_printf(w->out, "%s(", name);
    w->begun = true;
    w->second = false;
}

static void argument(struct writer *w, const char *key)
{
    dh_buf_printf(w->out, "%s%s=", w->second ? ", " : "", key);
    w->second = true;
}

static void end(struct writer *w)
{
    dh_buf_putc(w->out, ')');
}

static void quote(struct writer *w, const char *text, size_t len)
{
    dh_buf_putc(w->out, '\'');
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '\\' || c == '\'')
            dh_buf_putc(w->out, '\\');
        if (c == '\n')
            dh_buf_puts(w->out, "\\n");
        else if (c == '\t')
            dh_buf_puts(w->out, "\\t");
        else if (c == '\r')
            dh_buf_puts(w->out, "\\r");
        else
            dh_buf_putc(w->out, c);
    }
    dh_buf_putc(w->out, '\'');
}

static void text(struct writer *w, const char *key, const char *s)
{
    argument(w, key);
    quote(w, s, strlen(s));
}

static void seconds(struct writer *w, const char *key, int ms)
{
    argument(w, key);
    dh_buf_printf(w->out, "%.10g", ms / 1000.0);
}

static double fraction(int v, int from, int side)
{
    return side > 0 ? (double)DH_CLAMP(v - from, 0, side - 1) / side : 0;
}

// Four digits are exact to the pixel up to a side of 5000.
static void number(struct writer *w, double v, int side)
{
    dh_buf_printf(w->out, side <= 5000 ? "%.4f" : "%.5f", v);
}

static void point(struct writer *w, struct dh_point p)
{
    const struct dh_rect *s = &w->screen;
    argument(w, "x");
    number(w, fraction(p.x, s->x, s->w), s->w);
    argument(w, "y");
    number(w, fraction(p.y, s->y, s->h), s->h);
}

static void button(struct writer *w, int n)
{
    text(w, "button",
         n == 2   ? "middle"
         : n == 3 ? "right"
         : n == 8 ? "back"
         : n == 9 ? "forward"
                  : "left");
}

static void at(struct writer *w, const char *name, const struct dh_action *a)
{
    call(w, name);
    if (a->has_at)
        point(w, a->at);
}

static void click(struct writer *w, const struct dh_action *a)
{
    static const char *const left[] = { "pyautogui.click",
                                        "pyautogui.doubleClick",
                                        "computer.tripleClick" };
    bool plain = a->count <= 1;
    if (a->button == 1) {
        at(w, left[DH_CLAMP(a->count, 1, 3) - 1], a);
    } else if (plain && (a->button == 2 || a->button == 3)) {
        at(w, a->button == 2 ? "pyautogui.middleClick" : "pyautogui.rightClick",
           a);
    } else {
        at(w, "pyautogui.click", a);
        if (!plain) {
            argument(w, "clicks");
            dh_buf_printf(w->out, "%d", a->count);
        }
        button(w, a->button);
    }
    end(w);
}

static void button_call(struct writer *w, const char *name,
                        const struct dh_point *p, int n)
{
    call(w, name);
    if (p)
        point(w, *p);
    button(w, n);
    end(w);
}

static void pause_for(struct writer *w, int ms)
{
    call(w, "time.sleep");
    dh_buf_printf(w->out, "%.10g)", ms / 1000.0);
}

static void move(struct writer *w, struct dh_point p)
{
    call(w, "pyautogui.moveTo");
    point(w, p);
    end(w);
}

static void drag(struct writer *w, const struct dh_action *a)
{
    if (a->n_path < 3) {
        if (a->has_start)
            move(w, a->start);
        at(w, "pyautogui.dragTo", a);
        if (a->duration_ms >= 0)
            seconds(w, "duration", a->duration_ms);
        button(w, a->button);
        end(w);
        return;
    }
    button_call(w, "pyautogui.mouseDown", &a->path[0], a->button);
    for (int i = 1; i < a->n_path - 1; i++)
        move(w, a->path[i]);
    if (a->duration_ms >= 0)
        pause_for(w, a->duration_ms);
    button_call(w, "pyautogui.mouseUp", &a->path[a->n_path - 1], a->button);
}

static void press(struct writer *w, const struct dh_action *a)
{
    button_call(w, "pyautogui.mouseDown", a->has_at ? &a->at : NULL, a->button);
    pause_for(w, DH_MAX(a->duration_ms, 0));
    button_call(w, "pyautogui.mouseUp", NULL, a->button);
}

static void scroll_call(struct writer *w, const char *name, int clicks,
                        const struct dh_action *a)
{
    call(w, name);
    dh_buf_printf(w->out, "%d", clicks);
    w->second = true;
    if (a->has_at)
        point(w, a->at);
    end(w);
}

static void scroll(struct writer *w, const struct dh_action *a)
{
    if (a->dy || !a->dx)
        scroll_call(w, "pyautogui.scroll", -a->dy, a);
    if (a->dx)
        scroll_call(w, "pyautogui.hscroll", a->dx, a);
}

// The next key of a chord such as ctrl+plus, ctrl++ or +.
static struct dh_str next_key(struct dh_str *chord)
{
    size_t i = chord->n ? 1 : 0;
    while (i < chord->n && chord->p[i] != '+')
        i++;
    struct dh_str key = dh_str_sub(*chord, 0, i);
    *chord = dh_str_sub(*chord, DH_MIN(i + 1, chord->n), chord->n);
    return key;
}

static void key_name(struct writer *w, struct dh_str key)
{
    char *name = dh_strndup(key.p, key.n);
    const char *python = dh_python_key(name);
    quote(w, python, strlen(python));
    dh_free(name);
}

static void key_calls(struct writer *w, const char *name, struct dh_str chord)
{
    while (chord.n) {
        call(w, name);
        key_name(w, next_key(&chord));
        end(w);
    }
}

// The last key comes up first.
static void keys_up(struct writer *w, struct dh_str chord)
{
    struct dh_str key = next_key(&chord);
    if (chord.n)
        keys_up(w, chord);
    key_calls(w, "pyautogui.keyUp", key);
}

static void chord(struct writer *w, struct dh_str keys, int repeat)
{
    struct dh_str rest = keys, first = next_key(&rest);
    if (!rest.n) {
        call(w, "pyautogui.press");
        argument(w, "keys");
        key_name(w, first);
        if (repeat > 1) {
            argument(w, "presses");
            dh_buf_printf(w->out, "%d", repeat);
        }
        end(w);
        return;
    }
    for (int i = 0; i < repeat; i++) {
        rest = keys;
        call(w, "pyautogui.hotkey");
        argument(w, "keys");
        for (const char *sep = "["; rest.n; sep = ", ") {
            dh_buf_puts(w->out, sep);
            key_name(w, next_key(&rest));
        }
        dh_buf_putc(w->out, ']');
        end(w);
    }
}

static void keys(struct writer *w, const struct dh_action *a)
{
    struct dh_str rest = dh_str_trim(dh_str_of(a->text ? a->text : ""));
    bool row = dh_str_find(rest, " ", 0) >= 0;
    // A row that is repeated is written out.
    for (int i = 0; i < (row ? DH_MAX(a->repeat, 1) : 1); i++)
        for (struct dh_str s = rest; s.n;) {
            ptrdiff_t space = dh_str_find(s, " ", 0);
            size_t to = space < 0 ? s.n : (size_t)space;
            chord(w, dh_str_sub(s, 0, to), row ? 1 : a->repeat);
            s = dh_str_trim(dh_str_sub(s, to, s.n));
        }
}

static void hold(struct writer *w, const struct dh_action *a)
{
    struct dh_str chord_of = dh_str_of(a->text ? a->text : "");
    key_calls(w, "pyautogui.keyDown", chord_of);
    pause_for(w, a->duration_ms < 0 ? 1000 : a->duration_ms);
    if (chord_of.n)
        keys_up(w, chord_of);
}

static void zoom(struct writer *w, const struct dh_action *a)
{
    if (!a->has_start) {
        at(w, "computer.zoom", a);
        end(w);
        return;
    }
    const struct dh_point p[] = { a->start, a->at };
    const struct dh_rect *s = &w->screen;
    call(w, "computer.zoom");
    argument(w, "region");
    for (int i = 0; i < 2; i++) {
        dh_buf_puts(w->out, i ? ", " : "[");
        number(w, fraction(p[i].x, s->x, s->w), s->w);
        dh_buf_puts(w->out, ", ");
        number(w, fraction(p[i].y, s->y, s->h), s->h);
    }
    dh_buf_putc(w->out, ']');
    end(w);
}

static void say(struct writer *w, const char *name, const char *status,
                const struct dh_action *a)
{
    call(w, name);
    if (status)
        text(w, "status", status);
    if (a->text)
        text(w, "text", a->text);
    end(w);
}

static void wait_call(struct writer *w, const struct dh_action *a)
{
    call(w, "computer.wait");
    if (a->duration_ms >= 0 && a->duration_ms != 1000)
        seconds(w, "seconds", a->duration_ms);
    end(w);
}

static void type(struct writer *w, const struct dh_action *a)
{
    call(w, "pyautogui.write");
    text(w, "message", a->text ? a->text : "");
    end(w);
}

static void write_one(struct writer *w, const struct dh_action *a)
{
    struct dh_str name = dh_str_of(a->text ? a->text : "");
    switch (a->op) {
    case DH_ACTION_SCREENSHOT: say(w, "computer.screenshot", NULL, a); break;
    case DH_ACTION_ZOOM: zoom(w, a); break;
    case DH_ACTION_CURSOR: say(w, "computer.cursor_position", NULL, a); break;
    case DH_ACTION_MOVE: move(w, a->at); break;
    case DH_ACTION_CLICK: click(w, a); break;
    case DH_ACTION_DOWN:
        button_call(w, "pyautogui.mouseDown", a->has_at ? &a->at : NULL,
                    a->button);
        break;
    case DH_ACTION_UP:
        button_call(w, "pyautogui.mouseUp", a->has_at ? &a->at : NULL,
                    a->button);
        break;
    case DH_ACTION_PRESS: press(w, a); break;
    case DH_ACTION_DRAG: drag(w, a); break;
    case DH_ACTION_SCROLL: scroll(w, a); break;
    case DH_ACTION_TYPE: type(w, a); break;
    case DH_ACTION_KEY: keys(w, a); break;
    case DH_ACTION_HOLD_KEY: hold(w, a); break;
    case DH_ACTION_KEY_DOWN: key_calls(w, "pyautogui.keyDown", name); break;
    case DH_ACTION_KEY_UP: key_calls(w, "pyautogui.keyUp", name); break;
    case DH_ACTION_WAIT: wait_call(w, a); break;
    case DH_ACTION_ANSWER: say(w, "computer.answer", NULL, a); break;
    case DH_ACTION_ASK: say(w, "computer.ask_user", NULL, a); break;
    case DH_ACTION_DONE: say(w, "computer.terminate", "success", a); break;
    case DH_ACTION_FAIL: say(w, "computer.terminate", "failure", a); break;
    case DH_ACTION_COUNT: break;
    }
}

void dh_python_write(const struct dh_action *a, struct dh_rect screen,
                     struct dh_buf *out)
{
    static const char *const names[] = { "shift", "ctrl", "alt", "super",
                                         "altgr" };
    struct writer w = { .out = out, .screen = screen };
    unsigned mods = dh_action_is_pointer(a) ? a->mods : 0;
    for (size_t i = 0; i < DH_COUNTOF(names); i++)
        if (mods & 1u << i)
            key_calls(&w, "pyautogui.keyDown", dh_str_of(names[i]));
    write_one(&w, a);
    for (size_t i = DH_COUNTOF(names); i-- > 0;)
        if (mods & 1u << i)
            key_calls(&w, "pyautogui.keyUp", dh_str_of(names[i]));
}
