/* tests/agent/sample.h - a session as a person's recording leaves it. */
#ifndef DH_TESTS_AGENT_SAMPLE_H
#define DH_TESTS_AGENT_SAMPLE_H

/* 400x300, three pictures (gray of 40, 90, 140), seven acts: a click on "Name",
 * a text, a chord, a secret text, a drag along a path, the wheel, a right click
 * with ctrl. */
#define SAMPLE_STEPS 7
#define SAMPLE_TEXT  "Dear Ada, it's 2026"

void sample_write(const char *dir);
/* The same with other lines in place of its own. */
void sample_write_lines(const char *dir, const char *lines);
/* A file's text, to be freed with dh_big_free. */
char *sample_read(const char *dir, const char *name);
/* No file below `dir` has it. */
void sample_check_nowhere(const char *dir, const char *text);

#endif
