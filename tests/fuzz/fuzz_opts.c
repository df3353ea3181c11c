// An option file and a command line of arbitrary bytes. max-len: 1024
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/opts.h"

struct some {
    bool flag;
    int number;
    double share;
    int64_t size;
    const char *text;
    struct dh_opt_list list;
    int choice;
};

static const char *const names[] = { "one", "two", NULL };

static const struct dh_opt table[] = {
    { "flag", 'f', DH_OPT_BOOL, offsetof(struct some, flag), 0, "A", 0, 0, 0 },
    { "number", 'n', DH_OPT_INT, offsetof(struct some, number), "N", "B", -5, 5,
      NULL },
    { "share", 's', DH_OPT_DOUBLE, offsetof(struct some, share), "X", "C", 0, 1,
      NULL },
    { "size", 0, DH_OPT_SIZE, offsetof(struct some, size), "S", "C", 0, 1e15,
      0 },
    { "text", 't', DH_OPT_TEXT, offsetof(struct some, text), 0, "D", 0, 0, 0 },
    { "list", 'l', DH_OPT_LIST, offsetof(struct some, list), 0, "E", 0, 0, 0 },
    { "choice", 'c', DH_OPT_ENUM, offsetof(struct some, choice), 0, "F", 0, 0,
      names },
    { 0 },
};

static void check(const struct some *s)
{
    if (s->number < -5 || s->number > 5 || !(s->share >= 0 && s->share <= 1) ||
        s->size < 0 || s->size > 1000000000000000 || s->choice < 0 ||
        s->choice > 1 || s->list.n < 0 || s->list.n > 64)
        abort();
    // Every text must end, and inside the input.
    for (int i = 0; i < s->list.n; i++) {
        if (strlen(s->list.item[i]) > 1024)
            abort();
    }
    if (s->text && strlen(s->text) > 1024)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct some s = { 0 };
    struct dh_opt_set sets[] = { { table, &s }, { 0 } };
    struct dh_diag d = { 0 };
    if (!dh_log_set_levels("error"))
        abort();

    char *text = malloc(size);
    memcpy(text, data, size);
    bool ok = dh_opts_parse_file(sets, text, size, &d) == DH_OK;
    if (ok == (d.text[0] != '\0') || d.offset > size)
        abort();
    check(&s);
    free(text);

    char line[1025], *argv[80] = { NULL }, *rest = NULL;
    int argc = 1, n_operands = 0;
    size_t n = DH_MIN(size, sizeof(line) - 1);
    memcpy(line, data, n);
    line[n] = '\0';
    for (char *p = strtok_r(line, "\n", &rest); p && argc < 79;
         p = strtok_r(NULL, "\n", &rest))
        argv[argc++] = p;
    s = (struct some){ 0 };
    d = (struct dh_diag){ 0 };
    ok = dh_opts_parse(sets, argc, argv, &n_operands, &d) == DH_OK;
    if (ok == (d.text[0] != '\0') || n_operands >= argc)
        abort();
    check(&s);
    return 0;
}
