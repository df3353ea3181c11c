#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <X11/Xatom.h>
#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <X11/keysym.h>

#include "actions/secrets.h"
#include "actions/xtest.h"
#include "actions/xtest_priv.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "base/x11.h"
#include "tests/dh_test.h"
#include "tests/x11/listener.h"

// "Hello", thumbs up with a skin tone, e and a combining acute.
#define ODD "Hello \xf0\x9f\x91\x8d\xf0\x9f\x8f\xbd e\xcc\x81 ok"

enum reads { READS, READS_A_PART, NEVER_READS, NEVER_ASKS, STOPS };

// A program that pastes at ctrl+v, as toolkits do: it asks for the selection,
// and reads what comes. A thread of its own, with a listener's window.
struct paster {
    struct dh_listener l;
    struct dh_thread thread;
    enum reads reads;
    struct dh_cancel cancel;
    atomic_bool quit;
    struct dh_buf got; // pasted text, and <key> of other keys
};

static bool next_event(Display *dpy, int type, XEvent *e)
{
    while (dh_x11_wait_event(dpy, dh_now_ns() + 5 * DH_S) == DH_OK) {
        XNextEvent(dpy, e);
        if (e->type == type &&
            (type != PropertyNotify || e->xproperty.state == PropertyNewValue))
            return true;
    }
    return false;
}

static size_t take(Display *dpy, Window w, Atom property, Atom *type,
                   struct dh_buf *out)
{
    unsigned char *data = NULL;
    unsigned long n = 0, left;
    int format;
    CHECK_INT(XGetWindowProperty(dpy, w, property, 0, 1 << 24, True,
                                 AnyPropertyType, type, &format, &n, &left,
                                 &data),
              Success);
    if (format == 8)
        dh_buf_put(out, (char *)data, n);
    if (data)
        XFree(data);
    return format == 8 ? n : 0;
}

// False: refused.
static bool fetch(Display *dpy, Window w, const char *selection,
                  const char *target, bool whole, struct dh_buf *out)
{
    Atom here = XInternAtom(dpy, "TEST_HERE", False), type;
    XEvent e;
    XConvertSelection(dpy, XInternAtom(dpy, selection, False),
                      XInternAtom(dpy, target, False), here, w, CurrentTime);
    CHECK(next_event(dpy, SelectionNotify, &e));
    if (!e.xselection.property)
        return false;
    while (XCheckTypedEvent(dpy, PropertyNotify, &e))
        continue;
    take(dpy, w, here, &type, out);
    if (type != XInternAtom(dpy, "INCR", False))
        return true;
    do
        CHECK(next_event(dpy, PropertyNotify, &e));
    while (take(dpy, w, here, &type, out) && whole);
    return true;
}

static void paste_at(struct paster *p, const char *selection)
{
    Display *dpy = p->l.dpy;
    if (p->reads == STOPS)
        dh_cancel_set(&p->cancel);
    else if (p->reads == NEVER_READS)
        XConvertSelection(dpy, XInternAtom(dpy, selection, False),
                          XInternAtom(dpy, "UTF8_STRING", False),
                          XInternAtom(dpy, "TEST_HERE", False), p->l.win,
                          CurrentTime);
    else if (p->reads != NEVER_ASKS)
        CHECK(fetch(dpy, p->l.win, selection, "UTF8_STRING", p->reads == READS,
                    &p->got));
    XFlush(dpy);
}

static void on_key(struct paster *p, XKeyEvent *e)
{
    KeySym sym = XLookupKeysym(e, 0);
    bool shift = e->state & ShiftMask;
    if (e->state & ControlMask && sym == XK_v) {
        dh_buf_puts(&p->got, shift ? "[C-S-v]" : "[C-v]");
        paste_at(p, "CLIPBOARD");
    } else if (shift && sym == XK_Insert) {
        dh_buf_puts(&p->got, "[S-Insert]");
        paste_at(p, "PRIMARY");
    } else if (sym == XK_Return) {
        dh_buf_puts(&p->got, "\n");
    } else if (!IsModifierKey(sym)) {
        dh_buf_puts(&p->got, "<key>");
    }
}

static void run_paster(void *arg)
{
    struct paster *p = arg;
    while (!p->quit) {
        XEvent e;
        if (dh_x11_wait_event(p->l.dpy, dh_now_ns() + 50 * DH_MS))
            continue;
        XNextEvent(p->l.dpy, &e);
        if (e.type == MappingNotify)
            XRefreshKeyboardMapping(&e.xmapping);
        else if (e.type == KeyPress)
            on_key(p, &e.xkey);
    }
}

static void paster_init(struct paster *p, enum reads reads, const char *name)
{
    XClassHint hint = { (char *)(uintptr_t)name, (char *)(uintptr_t)name };
    memset(p, 0, sizeof *p);
    p->reads = reads;
    dh_buf_init(&p->got, 4 << 20);
    dh_listener_init(&p->l);
    XSetClassHint(p->l.dpy, p->l.win, &hint);
    XSelectInput(p->l.dpy, p->l.win, KeyPressMask | PropertyChangeMask);
    XSync(p->l.dpy, False);
    CHECK_INT(dh_thread_start(&p->thread, "paster", run_paster, p), DH_OK);
}

// What it has by then is in `got`.
static void paster_stop(struct paster *p)
{
    p->quit = true;
    dh_thread_join(&p->thread);
    // What is queued still counts.
    while (XPending(p->l.dpy)) {
        XEvent e;
        XNextEvent(p->l.dpy, &e);
        if (e.type == KeyPress)
            on_key(p, &e.xkey);
    }
}

static void paster_finish(struct paster *p)
{
    CHECK_INT(dh_listener_held(&p->l), 0);
    dh_buf_finish(&p->got);
    dh_listener_finish(&p->l);
}

static enum dh_status act(struct dh_sink *sink, const char *text, bool paste,
                          struct dh_cancel *cancel, struct dh_diag *why)
{
    struct dh_action a = {
        .op = DH_ACTION_TYPE, .duration_ms = -1, .repeat = 1, .paste = paste
    };
    memset(why, 0, sizeof *why);
    a.text = dh_strdup(text);
    enum dh_status st = dh_sink_perform(sink, &a, cancel, why);
    dh_action_finish(&a);
    return st;
}

static struct dh_sink *sink_new(const struct dh_xtest_options *o)
{
    struct dh_sink *sink;
    CHECK_INT(dh_xtest_create(&sink, NULL, o), DH_OK);
    return sink;
}

// Its heir goes when nobody's is what it holds.
static void sink_end(struct dh_sink *sink)
{
    Display *dpy;
    dh_sink_destroy(sink);
    CHECK_INT(dh_x11_open(&dpy, NULL), DH_OK);
    XSetSelectionOwner(dpy, XInternAtom(dpy, "CLIPBOARD", False), None,
                       CurrentTime);
    XSetSelectionOwner(dpy, XA_PRIMARY, None, CurrentTime);
    dh_x11_close(dpy);
}

// Somebody who had something in the clipboard before.
static struct dh_owner *other_new(const char *text)
{
    struct dh_owner *o;
    struct dh_offer offer = { .text = text,
                              .n = strlen(text),
                              .any_client = true,
                              .primary = true,
                              .asked = true };
    CHECK_INT(dh_owner_create(&o, NULL), DH_OK);
    CHECK_INT(dh_owner_offer(o, &offer), DH_OK);
    return o;
}

// A third program looks.
static void check_holds(const char *selection, const char *target,
                        const char *want)
{
    Display *dpy;
    struct dh_buf got;
    dh_buf_init(&got, 4 << 20);
    CHECK_INT(dh_x11_open(&dpy, NULL), DH_OK);
    Window w =
        XCreateSimpleWindow(dpy, DefaultRootWindow(dpy), 0, 0, 1, 1, 0, 0, 0);
    XSelectInput(dpy, w, PropertyChangeMask);
    bool found = fetch(dpy, w, selection, target, true, &got);
    CHECK_STR(found ? dh_buf_text(&got) : "(none)", want);
    dh_buf_finish(&got);
    dh_x11_close(dpy);
}

static void check_paste(const char *name, const char *text, bool asked,
                        const char *want)
{
    struct paster p;
    struct dh_diag why;
    struct dh_owner *other = other_new("what was there");
    struct dh_sink *sink = sink_new(NULL);
    paster_init(&p, READS, name);
    CHECK_INT(act(sink, text, asked, NULL, &why), DH_OK);
    paster_stop(&p);
    CHECK_STR(dh_buf_text(&p.got), want);
    check_holds("CLIPBOARD", "UTF8_STRING", "what was there");
    check_holds("PRIMARY", "UTF8_STRING", "what was there");
    paster_finish(&p);
    sink_end(sink);
    dh_owner_destroy(other);
}

static void test_emoji_are_pasted_and_the_old_content_is_back(void)
{
    check_paste("editor", ODD, false, "[C-v]" ODD);
}

static void test_a_plain_text_is_pasted_where_that_is_asked_for(void)
{
    check_paste("editor", " a\r\nb \n\n", true, "[C-v] a\nb \n\n");
}

static void test_xterm_is_pasted_to_from_primary(void)
{
    check_paste("XTerm", ODD "\n", true, "[S-Insert]" ODD "\n");
}

static void test_other_terminals_take_ctrl_shift_v(void)
{
    check_paste("Gnome-terminal", ODD, true, "[C-S-v]" ODD);
}

static void test_to_a_terminal_a_sequence_is_keys(void)
{
    check_paste("XTerm", "e\xcc\x81", false, "<key><key>");
}

static void test_the_old_content_outlives_the_sink(void)
{
    struct paster p;
    struct dh_diag why;
    struct dh_owner *other = other_new("old");
    struct dh_sink *sink = sink_new(NULL);
    paster_init(&p, READS, "editor");
    CHECK_INT(act(sink, ODD, false, NULL, &why), DH_OK);
    paster_stop(&p);
    dh_owner_destroy(other);
    dh_sink_destroy(sink);
    check_holds("CLIPBOARD", "UTF8_STRING", "old");
    // The next one keeps what the heir has.
    sink = sink_new(NULL);
    paster_finish(&p);
    paster_init(&p, READS, "editor");
    CHECK_INT(act(sink, ODD, false, NULL, &why), DH_OK);
    paster_stop(&p);
    check_holds("CLIPBOARD", "UTF8_STRING", "old");
    paster_finish(&p);
    sink_end(sink);
}

static void test_a_plain_text_is_typed_and_the_clipboard_left_alone(void)
{
    check_paste("editor", "ab", false, "<key><key>");
}

static void test_a_megabyte_arrives_in_pieces(void)
{
    size_t n = 1 << 20;
    char *text, *want;
    dh_array(text, n + 1);
    for (size_t i = 0; i < n; i++)
        text[i] = (char)('a' + i % 23);
    dh_array(want, n + 6);
    snprintf(want, n + 6, "[C-v]%s", text);
    check_paste("editor", text, true, want);
    dh_free(text);
    dh_free(want);
}

static void test_an_old_megabyte_is_put_back(void)
{
    size_t n = (1 << 20) - 1;
    struct paster p;
    struct dh_diag why;
    char *old;
    dh_array(old, n + 1);
    memset(old, 'x', n);
    struct dh_owner *other = other_new(old);
    struct dh_sink *sink = sink_new(NULL);
    paster_init(&p, READS, "editor");
    CHECK_INT(act(sink, ODD, true, NULL, &why), DH_OK);
    CHECK_INT(act(sink, ODD, true, NULL, &why), DH_OK);
    paster_stop(&p);
    CHECK_STR(dh_buf_text(&p.got), "[C-v]" ODD "[C-v]" ODD);
    check_holds("CLIPBOARD", "UTF8_STRING", old);
    paster_finish(&p);
    sink_end(sink);
    dh_owner_destroy(other);
    dh_free(old);
}

static void test_an_empty_clipboard_is_empty_again(void)
{
    struct paster p;
    struct dh_diag why;
    struct dh_sink *sink = sink_new(NULL);
    paster_init(&p, READS, "XTerm");
    CHECK_INT(act(sink, ODD, true, NULL, &why), DH_OK);
    paster_stop(&p);
    CHECK_STR(dh_buf_text(&p.got), "[S-Insert]" ODD);
    sink_end(sink);
    CHECK_INT(XGetSelectionOwner(p.l.dpy, XA_PRIMARY), None);
    check_holds("CLIPBOARD", "UTF8_STRING", "(none)");
    paster_finish(&p);
}

static void test_who_takes_the_clipboard_meanwhile_keeps_it(void)
{
    struct paster p;
    struct dh_diag why;
    struct dh_owner *other = other_new("old");
    struct dh_sink *sink = sink_new(NULL);
    paster_init(&p, READS, "editor");
    CHECK_INT(act(sink, ODD, false, NULL, &why), DH_OK);
    struct dh_owner *later = other_new("new");
    CHECK_INT(act(sink, "ab", false, NULL, &why), DH_OK);
    check_holds("CLIPBOARD", "UTF8_STRING", "new");
    CHECK_INT(act(sink, ODD, false, NULL, &why), DH_OK);
    check_holds("CLIPBOARD", "UTF8_STRING", "new");
    paster_stop(&p);
    paster_finish(&p);
    sink_end(sink);
    dh_owner_destroy(later);
    dh_owner_destroy(other);
}

static void test_what_is_no_text_is_not_lost_for_an_emoji(void)
{
    struct paster p;
    struct dh_diag why;
    struct dh_sink *sink = sink_new(NULL);
    paster_init(&p, READS, "editor");
    // An owner that never answers could hold anything.
    Display *dpy;
    CHECK_INT(dh_x11_open(&dpy, NULL), DH_OK);
    Atom clipboard = XInternAtom(dpy, "CLIPBOARD", False);
    Window w =
        XCreateSimpleWindow(dpy, DefaultRootWindow(dpy), 0, 0, 1, 1, 0, 0, 0);
    XSetSelectionOwner(dpy, clipboard, w, CurrentTime);
    XSync(dpy, False);
    CHECK_INT(act(sink, "e\xcc\x81", false, NULL, &why), DH_OK);
    paster_stop(&p);
    CHECK_STR(dh_buf_text(&p.got), "<key><key>");
    CHECK_INT(XGetSelectionOwner(dpy, clipboard), w);
    dh_x11_close(dpy);
    paster_finish(&p);
    sink_end(sink);
}

static void test_a_program_that_does_not_paste_gets_keys(void)
{
    struct paster p;
    struct dh_diag why;
    struct dh_sink *sink = sink_new(NULL);
    paster_init(&p, NEVER_ASKS, "game");
    // Who watches the clipboard is not the program that is to paste.
    struct dh_owner *other = other_new("old");
    CHECK_INT(act(sink, "a\xf0\x9f\x91\x8d\xf0\x9f\x8f\xbd", false, NULL, &why),
              DH_OK);
    paster_stop(&p);
    CHECK_STR(dh_buf_text(&p.got), "[C-v]<key><key><key>");
    check_holds("CLIPBOARD", "UTF8_STRING", "old");
    paster_finish(&p);
    sink_end(sink);
    dh_owner_destroy(other);
}

static void test_a_program_that_asks_and_never_reads_is_not_waited_for(void)
{
    struct paster p;
    struct dh_diag why;
    struct dh_owner *other = other_new("old");
    struct dh_sink *sink = sink_new(NULL);
    int64_t begin = dh_now_ns();
    paster_init(&p, NEVER_READS, "editor");
    CHECK_INT(act(sink, ODD, false, NULL, &why), DH_OK);
    CHECK(dh_now_ns() - begin < 10 * DH_S);
    paster_stop(&p);
    // It could read: typed as well, the text would be there twice.
    CHECK_STR(dh_buf_text(&p.got), "[C-v]");
    check_holds("CLIPBOARD", "UTF8_STRING", "old");
    paster_finish(&p);
    sink_end(sink);
    dh_owner_destroy(other);
}

static void test_a_paste_that_breaks_off_is_told(void)
{
    size_t n = 1 << 20;
    struct paster p;
    struct dh_diag why;
    char *text;
    dh_array(text, n + 1);
    memset(text, 'x', n);
    struct dh_owner *other = other_new("old");
    struct dh_sink *sink = sink_new(NULL);
    paster_init(&p, READS_A_PART, "editor");
    CHECK_INT(act(sink, text, true, NULL, &why), DH_ERR_REFUSED);
    CHECK_STR(why.text, "the program took only part of the pasted text");
    paster_stop(&p);
    check_holds("CLIPBOARD", "UTF8_STRING", "old");
    paster_finish(&p);
    sink_end(sink);
    dh_owner_destroy(other);
    dh_free(text);
}

static void test_a_stop_comes_through_and_puts_the_old_content_back(void)
{
    struct paster p;
    struct dh_diag why;
    struct dh_owner *other = other_new("old");
    struct dh_sink *sink = sink_new(NULL);
    paster_init(&p, STOPS, "editor");
    CHECK_INT(act(sink, ODD "\n", false, &p.cancel, &why), DH_ERR_CANCELLED);
    paster_stop(&p);
    CHECK_STR(dh_buf_text(&p.got), "[C-v]");
    check_holds("CLIPBOARD", "UTF8_STRING", "old");
    paster_finish(&p);
    sink_end(sink);
    dh_owner_destroy(other);
}

static void test_a_password_prompt_is_typed_into(void)
{
    check_paste("Pinentry-gtk-2", "ab", true, "<key><key>");
}

static void test_a_secret_is_never_pasted(void)
{
    struct paster p;
    struct dh_diag why;
    struct dh_secrets *secrets;
    char *path = dh_test_file("secrets", "pw=abc\n");
    CHECK_INT(dh_secrets_read(&secrets, path), DH_OK);
    dh_free(path);
    struct dh_xtest_options o = { .secrets = secrets };
    struct dh_sink *sink = sink_new(&o);
    paster_init(&p, READS, "editor");
    CHECK_INT(act(sink, "{{secret:pw}}", true, NULL, &why), DH_OK);
    paster_stop(&p);
    CHECK_STR(dh_buf_text(&p.got), "<key><key><key>");
    paster_finish(&p);
    sink_end(sink);
    dh_secrets_destroy(secrets);
}

static void test_targets_that_do_not_fit_are_refused(void)
{
    struct dh_owner *other = other_new("caf\xc3\xa9");
    check_holds("CLIPBOARD", "STRING", "caf\xe9");
    check_holds("CLIPBOARD", "text/plain;charset=utf-8", "caf\xc3\xa9");
    check_holds("CLIPBOARD", "TARGETS", "");
    check_holds("CLIPBOARD", "TIMESTAMP", "");
    check_holds("CLIPBOARD", "MULTIPLE", "(none)");
    check_holds("CLIPBOARD", "image/png", "(none)");
    dh_owner_destroy(other);
    other = other_new(ODD);
    check_holds("CLIPBOARD", "STRING", "(none)");
    dh_owner_destroy(other);
}

static void test_what_suits_the_clipboard(void)
{
    char text[256] = { 0 };
    CHECK(dh_clip_suits(dh_str_of(ODD), true, false));
    CHECK(dh_clip_suits(dh_str_of(ODD "\n"), true, false));
    CHECK(!dh_clip_suits(dh_str_of(ODD "\nand"), true, false));
    CHECK(!dh_clip_suits(dh_str_of("\t" ODD), true, false));
    CHECK(!dh_clip_suits(dh_str_of("\xd0\x9f"), false, false));
    memset(text, 'a', 200);
    CHECK(!dh_clip_suits(dh_str_of(text), false, false));
    text[200] = '\n';
    text[201] = 'b';
    CHECK(dh_clip_suits(dh_str_of(text), false, false));
    CHECK(!dh_clip_suits(dh_str_of(text), true, false));
    text[100] = '\033';
    CHECK(!dh_clip_suits(dh_str_of(text), false, false));
}

// A real program of its own, whose only window gets the focus.
static pid_t start_program(Display *dpy, const char *command, const char *file)
{
    Window root, parent, *list = NULL;
    XWindowAttributes at = { 0 };
    unsigned n = 0;
    bool seen = false;
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        execl("/bin/sh", "sh", "-c", command, "sh", file, (char *)NULL);
        _exit(127);
    }
    CHECK(pid > 0);
    for (int64_t until = dh_now_ns() + 20 * DH_S;
         !seen && dh_now_ns() < until;) {
        dh_sleep_for(20 * DH_MS);
        if (!XQueryTree(dpy, DefaultRootWindow(dpy), &root, &parent, &list, &n))
            continue;
        for (unsigned i = 0; i < n && !seen; i++) {
            seen = XGetWindowAttributes(dpy, list[i], &at) && at.width > 60 &&
                   at.map_state == IsViewable;
            if (seen)
                XSetInputFocus(dpy, list[i], RevertToParent, CurrentTime);
        }
        if (list)
            XFree(list);
    }
    CHECK(seen);
    XSync(dpy, False);
    return pid;
}

// What the program wrote once it got a line.
static void check_received(const char *program, const char *command)
{
    char file[64], *got = NULL;
    struct dh_diag why;
    Display *dpy;
    size_t n;
    if (!dh_path_exists(program))
        dh_test_skip("the program is not installed");
    snprintf(file, sizeof file, "/tmp/dh-pasted-%d", (int)getpid());
    struct dh_owner *other = other_new("old");
    struct dh_sink *sink = sink_new(NULL);
    CHECK_INT(dh_x11_open(&dpy, NULL), DH_OK);
    pid_t pid = start_program(dpy, command, file);
    CHECK_INT(act(sink, ODD "\n", true, NULL, &why), DH_OK);
    int64_t until = dh_now_ns() + 20 * DH_S;
    while (!dh_path_exists(file) && dh_now_ns() < until)
        dh_sleep_for(20 * DH_MS);
    CHECK_INT(dh_file_read(file, 4096, &got, &n), DH_OK);
    CHECK_STR(got, ODD "\n");
    dh_big_free(got);
    unlink(file);
    // No window manager, so nobody knows who asks; before a chord, which may
    // paste, the old content is back for all.
    struct dh_action chord = { .op = DH_ACTION_KEY, .repeat = 1 };
    chord.text = dh_strdup("shift+F12");
    CHECK_INT(dh_sink_perform(sink, &chord, NULL, &why), DH_OK);
    dh_action_finish(&chord);
    check_holds("CLIPBOARD", "UTF8_STRING", "old");
    kill(-pid, SIGTERM);
    waitpid(pid, NULL, 0);
    sink_end(sink);
    dh_owner_destroy(other);
    dh_x11_close(dpy);
}

static void test_xterm_gets_a_paste_byte_for_byte(void)
{
    check_received("/usr/bin/xterm",
                   "exec xterm -u8 -e sh -c 'IFS= read -r l; "
                   "printf \"%s\\n\" \"$l\" >\"$1.new\"; mv \"$1.new\" "
                   "\"$1\"' sh \"$1\" 2>/dev/null");
}

static void test_a_gtk_entry_gets_a_paste_byte_for_byte(void)
{
    check_received("/usr/bin/zenity",
                   "export NO_AT_BRIDGE=1 LC_ALL=C.UTF-8; zenity --entry "
                   "--text t >\"$1.new\" 2>/dev/null; mv \"$1.new\" \"$1\"");
}

DH_TESTS(DH_TEST(emoji_are_pasted_and_the_old_content_is_back),
         DH_TEST(a_plain_text_is_pasted_where_that_is_asked_for),
         DH_TEST(xterm_is_pasted_to_from_primary),
         DH_TEST(other_terminals_take_ctrl_shift_v),
         DH_TEST(to_a_terminal_a_sequence_is_keys),
         DH_TEST(the_old_content_outlives_the_sink),
         DH_TEST(a_plain_text_is_typed_and_the_clipboard_left_alone),
         DH_TEST(a_megabyte_arrives_in_pieces),
         DH_TEST(an_old_megabyte_is_put_back),
         DH_TEST(an_empty_clipboard_is_empty_again),
         DH_TEST(who_takes_the_clipboard_meanwhile_keeps_it),
         DH_TEST(what_is_no_text_is_not_lost_for_an_emoji),
         DH_TEST(a_program_that_does_not_paste_gets_keys),
         DH_TEST(a_program_that_asks_and_never_reads_is_not_waited_for),
         DH_TEST(a_paste_that_breaks_off_is_told),
         DH_TEST(a_stop_comes_through_and_puts_the_old_content_back),
         DH_TEST(a_password_prompt_is_typed_into),
         DH_TEST(a_secret_is_never_pasted),
         DH_TEST(targets_that_do_not_fit_are_refused),
         DH_TEST(what_suits_the_clipboard),
         DH_TEST(xterm_gets_a_paste_byte_for_byte),
         DH_TEST(a_gtk_entry_gets_a_paste_byte_for_byte));
