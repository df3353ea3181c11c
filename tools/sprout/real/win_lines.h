#ifndef DH_TOOLS_SPROUT_REAL_WIN_LINES_H
#define DH_TOOLS_SPROUT_REAL_WIN_LINES_H

/* Lines of tab separated fields from stdin, for the win_* programs. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_FIELDS = 8 };

/* Calls on_line for every whole line that a read of fd gives. Fields that the
 * line lacks are empty strings. Ends the program at end of file. */
static void lines_read(int fd, void (*on_line)(char **fields))
{
    static char pending[1 << 16], none[1];
    static size_t len;
    char chunk[4096];
    ssize_t got = read(fd, chunk, sizeof chunk);
    if (got <= 0)
        exit(0);
    for (ssize_t i = 0; i < got; i++) {
        if (chunk[i] != '\n') {
            if (len < sizeof pending - 1)
                pending[len++] = chunk[i];
            continue;
        }
        pending[len] = 0;
        len = 0;
        char *fields[LINE_FIELDS] = { none, none, none, none,
                                      none, none, none, none };
        char *rest = pending;
        for (int n = 0; rest && n < LINE_FIELDS; n++) {
            fields[n] = rest;
            rest = strchr(rest, '\t');
            if (rest)
                *rest++ = 0;
        }
        on_line(fields);
    }
}

#endif
