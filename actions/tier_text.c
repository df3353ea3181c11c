#include <string.h>

#include "actions/tier.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

// More of a text is looked at in windows of its own length: DH_ACTION_TEXT_MAX
// is the longest that there is.
#define WORDS_MAX 4096

struct words {
    struct dh_str w[WORDS_MAX];
    size_t n;
};

static bool is_quoting(char c)
{
    return c == '\\' || c == '"' || c == '\'';
}

static bool is_break(char c)
{
    return c == ';' || c == '|' || c == '&' || c == '(' || c == ')' ||
           c == '`' || c == '\n' || c == '\r' || c == '{' || c == '}' ||
           c == '$';
}

// Lower case, without what a shell would drop (r\m, "rm"), with blanks around
// what ends a command, so that words can be compared.
static char *normal_form(const char *text)
{
    struct dh_buf out;
    dh_buf_init(&out, 8 * DH_ACTION_TEXT_MAX);
    for (const char *p = text; *p; p++) {
        char c = *p;
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if (is_quoting(c))
            continue;
        if (is_break(c))
            dh_buf_printf(&out, " %c ", c == '\n' || c == '\r' ? ';' : c);
        else
            dh_buf_putc(&out, c == '\t' ? ' ' : c);
    }
    return dh_buf_take(&out);
}

static void split(const char *text, struct words *out)
{
    const char *p = text;
    out->n = 0;
    while (*p && out->n < WORDS_MAX) {
        while (*p == ' ')
            p++;
        size_t n = strcspn(p, " ");
        if (n)
            out->w[out->n++] = (struct dh_str){ p, n };
        p += n;
    }
}

// "/usr/bin/rm" is rm.
static struct dh_str base_of(struct dh_str w)
{
    for (size_t i = w.n; i-- > 0;)
        if (w.p[i] == '/')
            return dh_str_sub(w, i + 1, w.n);
    return w;
}

static bool is_one_of(struct dh_str w, const char *const *list)
{
    for (; *list; list++)
        if (dh_str_is(w, *list))
            return true;
    return false;
}

// The words from i up to the next that ends a command.
static size_t command_end(const struct words *s, size_t i)
{
    while (i < s->n && !(s->w[i].n == 1 && is_break(s->w[i].p[0])))
        i++;
    return i;
}

static bool has_option(const struct words *s, size_t from, size_t to,
                       const char *letters, const char *beginning)
{
    for (size_t i = from; i < to; i++) {
        struct dh_str w = s->w[i];
        if (beginning && dh_str_starts(w, beginning))
            return true;
        if (w.n < 2 || w.p[0] != '-' || w.p[1] == '-')
            continue;
        for (size_t k = 1; k < w.n; k++)
            if (strchr(letters, w.p[k]))
                return true;
    }
    return false;
}

// Words that only come with something before or after them.
static bool runs_what_it_fetched(const struct words *s, size_t i)
{
    static const char *const fetch[] = { "curl", "wget", "base64", "nc", NULL };
    static const char *const shells[] = { "sh",   "bash",    "zsh",    "dash",
                                          "ksh",  "fish",    "python", "perl",
                                          "ruby", "python3", "node",   NULL };
    if (!is_one_of(base_of(s->w[i]), fetch))
        return false;
    for (size_t k = i + 1; k < s->n; k++) {
        size_t next = k + 1;
        if (dh_str_is(s->w[k], ";"))
            return false;
        if (dh_str_is(s->w[k], "|") && next < s->n &&
            is_one_of(base_of(s->w[next]), shells))
            return true;
    }
    // sh -c "$(curl ...)" and sh <(curl ...)
    return i >= 2 && dh_str_is(s->w[i - 1], "(");
}

static bool word_is_destructive(const struct words *s, size_t i)
{
    static const char *const always[] = {
        "sudo",     "doas",     "pkexec", "shutdown",   "reboot",
        "poweroff", "halt",     "wipefs", "shred",      "fdisk",
        "parted",   "mkswap",   "sfdisk", "cryptsetup", "userdel",
        "passwd",   "chpasswd", "visudo", NULL
    };
    struct dh_str w = base_of(s->w[i]);
    size_t end = command_end(s, i);
    if (is_one_of(w, always) || dh_str_starts(w, "mkfs"))
        return true;
    if (dh_str_is(w, "rm"))
        return has_option(s, i + 1, end, "rf", "--");
    if (dh_str_is(w, "su"))
        return i == 0 || command_end(s, i - 1) == i - 1;
    if (dh_str_is(w, "dd"))
        return has_option(s, i + 1, end, "", "of=");
    if (dh_str_is(w, "chmod") || dh_str_is(w, "chown"))
        return has_option(s, i + 1, end, "r", "--rec");
    if (dh_str_is(w, "find"))
        return has_option(s, i + 1, end, "", "-delete") ||
               has_option(s, i + 1, end, "", "-exec");
    if (dh_str_is(w, "kill") || dh_str_is(w, "killall") ||
        dh_str_is(w, "pkill"))
        return true;
    if (dh_str_is(w, "crontab"))
        return has_option(s, i + 1, end, "r", NULL);
    return runs_what_it_fetched(s, i);
}

bool dh_tier_text_is_destructive(const char *text)
{
    static const char *const parts[] = { ">/dev/sd",
                                         "> /dev/sd",
                                         ">/dev/nvme",
                                         "> /dev/nvme",
                                         ":  (  )",
                                         "drop table",
                                         "drop database",
                                         "git push --force",
                                         "git push -f",
                                         "git reset --hard",
                                         "git clean -",
                                         "systemctl stop",
                                         "systemctl disable",
                                         "> /etc/",
                                         ">/etc/",
                                         "--no-preserve-root",
                                         NULL };
    struct words *s;
    char *form = normal_form(text);
    bool bad = false;
    dh_new(s);
    for (const char *const *p = parts; *p && !bad; p++)
        bad = strstr(form, *p) != NULL;
    split(form, s);
    // What is longer than can be looked at is not known to be harmless.
    bad = bad || s->n == WORDS_MAX;
    for (size_t i = 0; i < s->n && !bad; i++)
        bad = word_is_destructive(s, i);
    dh_free(s);
    dh_free(form);
    return bad;
}
