/*
 * person - a person at the desk, for scripts: input from the server's own
 * devices, each argument one thing that is done.
 *
 *   person 'move X Y' 'click X Y [BUTTON [COUNT]]' 'drag X Y TO_X TO_Y'
 *          'wheel X Y NOTCHES' 'type TEXT' 'key KEYSYM[+KEYSYM...]' 'rest MS'
 *
 * Points are root pixels; notches below 0 go up. The chord's last key is
 * pressed under the others.
 */
#include "tests/x11/person.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <X11/extensions/XTest.h>

#include "base/clock.h"
#include "tests/dh_test.h"

// What the runner of the tests has, for a program of its own.
void dh_check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
    exit(1);
}

void dh_test_skip(const char *why)
{
    fprintf(stderr, "person: %s\n", why);
    exit(1);
}

static int usage(const char *what)
{
    fprintf(stderr, "person: cannot do \"%s\"\n", what);
    return 2;
}

enum { NUMBERS = 4 };

static int numbers(const char *text, long out[NUMBERS])
{
    int n = 0;
    for (; n < NUMBERS; n++) {
        char *end;
        out[n] = strtol(text, &end, 10);
        if (end == text)
            break;
        text = end;
    }
    return n;
}

static bool chord(struct dh_person *p, const char *text)
{
    KeySym keys[6] = { 0 };
    int n = 0;
    for (char *part; n < 5 && *text; n++) {
        size_t len = strcspn(text, "+");
        part = strndup(text, len);
        keys[n] = XStringToKeysym(part);
        free(part);
        if (!keys[n])
            return false;
        text += len + (text[len] == '+');
    }
    if (!n || *text)
        return false;
    KeySym last = keys[n - 1];
    keys[n - 1] = 0;
    dh_person_chord(p, last, keys);
    return true;
}

static void drag(struct dh_person *p, const long v[NUMBERS])
{
    dh_person_moves(p, (int)v[0], (int)v[1]);
    dh_sleep_for(100 * DH_MS);
    dh_person_button(p, 1, true);
    for (int i = 1; i <= 10; i++) {
        dh_sleep_for(30 * DH_MS);
        dh_person_moves(p, (int)(v[0] + (v[2] - v[0]) * i / 10),
                        (int)(v[1] + (v[3] - v[1]) * i / 10));
    }
    dh_sleep_for(100 * DH_MS);
    dh_person_button(p, 1, false);
}

static void wheel(struct dh_person *p, const long v[NUMBERS])
{
    unsigned button = v[2] < 0 ? 4 : 5;
    // Xvfb's mouse has no wheel, XTest's has.
    dh_person_moves(p, (int)v[0], (int)v[1]);
    dh_sleep_for(100 * DH_MS);
    for (long i = labs(v[2]); i > 0; i--) {
        XTestFakeButtonEvent(p->dpy, button, True, 0);
        XTestFakeButtonEvent(p->dpy, button, False, 0);
        XFlush(p->dpy);
        dh_sleep_for(30 * DH_MS);
    }
}

static bool does(struct dh_person *p, const char *what, const char *with)
{
    long v[NUMBERS] = { 0, 0, 1, 1 };
    if (!strcmp(what, "type")) {
        dh_person_types(p, with);
        return true;
    }
    if (!strcmp(what, "key"))
        return chord(p, with);
    int n = numbers(with, v);
    if (!strcmp(what, "rest") && n == 1) {
        dh_sleep_for(v[0] * DH_MS);
    } else if (!strcmp(what, "move") && n == 2) {
        dh_person_moves(p, (int)v[0], (int)v[1]);
    } else if (!strcmp(what, "click") && n >= 2) {
        for (long i = 0; i < (n > 3 ? v[3] : 1); i++)
            if (i) {
                dh_sleep_for(60 * DH_MS);
                dh_person_button(p, (unsigned)v[2], true);
                dh_person_button(p, (unsigned)v[2], false);
            } else {
                dh_person_clicks(p, (int)v[0], (int)v[1],
                                 n > 2 ? (unsigned)v[2] : 1);
            }
    } else if (!strcmp(what, "drag") && n == 4) {
        drag(p, v);
    } else if (!strcmp(what, "wheel") && n == 3) {
        wheel(p, v);
    } else {
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct dh_person p;
    int status = 0;
    dh_person_init(&p);
    for (int i = 1; i < argc && !status; i++) {
        size_t len = strcspn(argv[i], " ");
        char *what = strndup(argv[i], len);
        if (!does(&p, what, argv[i] + len + (argv[i][len] == ' ')))
            status = usage(argv[i]);
        free(what);
    }
    XSync(p.dpy, False);
    dh_person_finish(&p);
    return status;
}
