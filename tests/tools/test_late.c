#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/dh_test.h"
#include "tests/tools/program.h"

// As in tests/base/test_late.c.
#ifdef DH_LATE

/* The loader lists what it would load, and runs nothing. */
static void test_the_program_starts_without_large_libraries(void)
{
    static const char *const late[] = { "libav",   "libsw",  "libSDL",
                                        "libcurl", "libmic", "libatspi",
                                        "libglib", "libarch" };
    struct said s;
    setenv("LD_TRACE_LOADED_OBJECTS", "1", 1);
    RUN(&s, "version");
    CHECK_SAID(&s, 0, "libX11.so", NULL);
    for (size_t i = 0; i < DH_COUNTOF(late); i++)
        if (strstr(s.out, late[i]))
            CHECK_STR(s.out, "without it");
    said_finish(&s);
}

DH_TESTS(DH_TEST(the_program_starts_without_large_libraries));

#endif
