#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

#define LINE_MAX_BYTES 2048
#define MAX_RULES      32

struct rule {
    char tag[32];
    enum dh_log_level level;
};

struct levels {
    enum dh_log_level all;
    struct rule rule[MAX_RULES];
    size_t n;
};

static const char *const level_names[] = { "error", "warn", "info", "debug",
                                           "trace" };

static struct levels levels = { .all = DH_LOG_WARN };

static pthread_mutex_t hook_lock = PTHREAD_MUTEX_INITIALIZER;
// guarded by hook_lock
static dh_log_fn hook;
static void *hook_user;

static bool level_parse(struct dh_str s, enum dh_log_level *out)
{
    for (size_t i = 0; i < DH_COUNTOF(level_names); i++) {
        if (dh_str_is(s, level_names[i])) {
            *out = (enum dh_log_level)i;
            return true;
        }
    }
    return false;
}

// One part of the text: "info" or "model:trace".
static bool rule_parse(struct levels *l, struct dh_str part)
{
    ptrdiff_t colon = dh_str_find(part, ":", 0);
    if (colon < 0)
        return level_parse(part, &l->all);

    struct dh_str tag = dh_str_sub(part, 0, (size_t)colon);
    struct rule *r = &l->rule[l->n];
    if (l->n == MAX_RULES || tag.n == 0 || tag.n >= sizeof(r->tag))
        return false;
    if (!level_parse(dh_str_sub(part, (size_t)colon + 1, part.n), &r->level))
        return false;
    for (size_t i = 0; i < tag.n; i++) {
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789_-", tag.p[i]))
            return false;
    }
    memcpy(r->tag, tag.p, tag.n);
    r->tag[tag.n] = '\0';
    l->n++;
    return true;
}

bool dh_log_set_levels(const char *spec)
{
    struct levels l = { .all = DH_LOG_WARN };
    struct dh_str rest = dh_str_of(spec);
    for (;;) {
        ptrdiff_t comma = dh_str_find(rest, ",", 0);
        size_t end = comma < 0 ? rest.n : (size_t)comma;
        if (!rule_parse(&l, dh_str_sub(rest, 0, end)))
            return false;
        if (comma < 0)
            break;
        rest = dh_str_sub(rest, end + 1, rest.n);
    }
    levels = l;
    return true;
}

void dh_log_set_hook(dh_log_fn fn, void *user)
{
    pthread_mutex_lock(&hook_lock);
    hook = fn;
    hook_user = user;
    pthread_mutex_unlock(&hook_lock);
}

bool dh_log_wants(enum dh_log_level level, const char *tag)
{
    // The last rule for a tag wins, as with options.
    for (size_t i = levels.n; i-- > 0;) {
        if (strcmp(levels.rule[i].tag, tag) == 0)
            return level <= levels.rule[i].level;
    }
    return level <= levels.all;
}

// What we log may come from a model or a file: a terminal must not obey it.
static void neutralise(char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == 0x7f)
            *text = c == '\n' || c == '\t' ? ' ' : '?';
    }
}

// One write for the whole line keeps lines of several threads apart.
static void write_stderr(const char *line, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, line, len);
        if (n <= 0)
            return;
        line += n;
        len -= (size_t)n;
    }
}

void dh_log_write(enum dh_log_level level, const char *tag, const char *fmt,
                  ...)
{
    char line[LINE_MAX_BYTES];
    int head =
        snprintf(line, sizeof(line) - 1, "%s %.31s: ", level_names[level], tag);
    char *text = line + head;
    size_t room = sizeof(line) - 1 - (size_t)head;

    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, room, fmt, ap);
    va_end(ap);
    size_t len = n < 0 ? 0 : (size_t)n;
    if (len >= room) {
        len = room - 1;
        memcpy(text + len - 3, "...", 3);
    }
    text[len] = '\0';
    neutralise(text);

    pthread_mutex_lock(&hook_lock);
    if (hook) {
        hook(hook_user, level, tag, text);
    } else {
        text[len] = '\n';
        write_stderr(line, (size_t)head + len + 1);
    }
    pthread_mutex_unlock(&hook_lock);
}
