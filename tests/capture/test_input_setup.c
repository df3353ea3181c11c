// How a desktop says that it is set up.
#include "capture/input_setup.h"

#include <string.h>

#include <X11/Xatom.h>
#include <X11/Xlib.h>

#include "tests/dh_test.h"

// Two numbers, a colour and a text, little end first.
static const unsigned char settings[] =
    "\0\0\0\0\7\0\0\0\5\0\0\0"
    "\0\0\7\0Xft/DPI\0\0\0\0\0\0\0\2\0"
    "\0\0\23\0Net/DoubleClickTime\0\1\0\0\0\372\0\0\0"
    "\2\0\1\0C\0\0\0\0\0\0\0rrggbbaa"
    "\1\0\15\0Net/ThemeName\0\0\0\0\0\0\0\7\0\0\0Adwaita\0"
    "\0\0\24\0Net/DndDragThreshold\0\0\0\0\5\0\0\0";

static void test_settings_are_read(void)
{
    struct dh_input_setup s = { 0 };
    dh_input_setup_settings(&s, settings, sizeof settings - 1);
    CHECK_NEAR(s.dpi, 128, 1e-9);
    CHECK_INT(s.double_click_ms, 250);
    CHECK_STR(s.theme, "Adwaita");
    CHECK_INT(s.drag_px, 5);
}

/* Cut anywhere, or with any byte another one, it is read as far as it goes. */
static void test_damaged_settings_do_no_harm(void)
{
    unsigned char bytes[sizeof settings];
    for (size_t n = 0; n < sizeof settings; n++) {
        struct dh_input_setup s = { 0 };
        memcpy(bytes, settings, sizeof bytes);
        dh_input_setup_settings(&s, bytes, n);
        CHECK(n >= sizeof settings - 1 || s.drag_px == 0);
        bytes[n] = 0xff;
        dh_input_setup_settings(&s, bytes, sizeof settings - 1);
    }
}

static void test_resources_tell_the_size_of_fonts(void)
{
    static const char text[] = "Xcursor.size:\t24\nXft.dpi:\t144\nXft.rgba: no";
    struct dh_input_setup s = { 0 };
    dh_input_setup_resources(&s, text, strlen(text));
    CHECK_NEAR(s.dpi, 144, 1e-9);
    dh_input_setup_resources(&s, "Xft.dpi: many", 13);
    CHECK_NEAR(s.dpi, 144, 1e-9);
}

static void test_a_desktop_tells_how_it_is_set_up(void)
{
    static const char names[] = "evdev\0pc105\0de\0nodeadkeys\0";
    Display *dpy = XOpenDisplay(NULL);
    CHECK(dpy);
    Window root = DefaultRootWindow(dpy);
    Window w = XCreateSimpleWindow(dpy, root, 0, 0, 1, 1, 0, 0, 0);
    Atom utf8 = XInternAtom(dpy, "UTF8_STRING", False);
    Atom check = XInternAtom(dpy, "_NET_SUPPORTING_WM_CHECK", False);
    Atom set = XInternAtom(dpy, "_XSETTINGS_SETTINGS", False);
    XChangeProperty(dpy, root, XInternAtom(dpy, "_XKB_RULES_NAMES", False),
                    XA_STRING, 8, PropModeReplace, (const unsigned char *)names,
                    sizeof names - 1);
    XChangeProperty(dpy, w, XInternAtom(dpy, "_NET_WM_NAME", False), utf8, 8,
                    PropModeReplace, (const unsigned char *)"Openbox", 7);
    XChangeProperty(dpy, root, check, XA_WINDOW, 32, PropModeReplace,
                    (const unsigned char *)&w, 1);
    XChangeProperty(dpy, w, set, set, 8, PropModeReplace, settings,
                    sizeof settings - 1);
    XSetSelectionOwner(dpy, XInternAtom(dpy, "_XSETTINGS_S0", False), w,
                       CurrentTime);
    XSync(dpy, False);
    struct dh_input_setup s;
    CHECK_INT(dh_input_setup_read(&s, NULL), DH_OK);
    CHECK_STR(s.layout, "de");
    CHECK_STR(s.variant, "nodeadkeys");
    CHECK_STR(s.model, "pc105");
    CHECK_STR(s.wm, "Openbox");
    CHECK_STR(s.theme, "Adwaita");
    CHECK_INT(s.depth, DefaultDepth(dpy, 0));
    CHECK_NEAR(s.font_scale, 128 / 96.0, 1e-9);
    XDeleteProperty(dpy, root, check);
    XCloseDisplay(dpy);
}

static void test_no_server_is_said(void)
{
    struct dh_input_setup s;
    CHECK(dh_input_setup_read(&s, ":98765") != DH_OK);
}

DH_TESTS(DH_TEST(settings_are_read), DH_TEST(damaged_settings_do_no_harm),
         DH_TEST(resources_tell_the_size_of_fonts),
         DH_TEST(a_desktop_tells_how_it_is_set_up), DH_TEST(no_server_is_said));
