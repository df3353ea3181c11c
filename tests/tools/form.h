/* tests/tools/form.h - a program with a field and some buttons, on its own
 * process, that tells what it got. */
#ifndef DH_TESTS_TOOLS_FORM_H
#define DH_TESTS_TOOLS_FORM_H

#include <stdbool.h>
#include <sys/types.h>

struct form_options {
    int x, y, w, h;    /* 0: 60, 40, 420, 300 */
    const char *title; /* NULL: "Form" */
    const char *label; /* of "Save"; NULL: that */
    bool no_save;      /* the button is gone */
    bool two_saves;    /* another one that looks the same, further right */
    bool dark;         /* other colours */
    int late_ms;       /* what it draws comes so much later */
    bool dialog;       /* "Save" opens a window that says so */
    bool deaf;         /* nothing that is pressed has an effect */
    bool mute;         /* what is typed is not shown */
    bool lights;       /* the button under the pointer has another ground */
};

struct form {
    pid_t pid;
    int out;
    unsigned long window;
    char text[4096]; /* what it told so far, a line for each press and key */
};

/* Where things are in the window: the middle of each. */
#define FORM_FIELD_X 140
#define FORM_FIELD_Y 42
#define FORM_SAVE_X  70
#define FORM_SAVE_Y  112
#define FORM_CLEAR_X 70
#define FORM_CLEAR_Y 172

/* Shown, with the focus, when it returns. */
void form_start(struct form *f, const struct form_options *o);
/* Reads until nothing more comes. */
const char *form_told(struct form *f);
void form_stop(struct form *f);

#endif
