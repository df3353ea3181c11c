#include "actions/secrets.h"

#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#define DH_LOG_TAG "secrets"
#include "base/log.h"

#define FILE_MAX_BYTES 65536
#define SECRETS_MAX    256
#define OPEN           "{{secret:"

struct secret {
    struct dh_str name, value; // in data, or in own
    char *own;                 // "name=value", or NULL
    size_t own_len;
};

struct dh_secrets {
    char *data; // the file
    size_t len;
    size_t n;
    struct secret list[SECRETS_MAX];
};

static enum dh_status check_mode(const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && st.st_mode & 077) {
        dh_error("%s can be read or written by others: chmod 600 it, then try "
                 "again",
                 path);
        return DH_ERR_REFUSED;
    }
    return DH_OK; // one that is not there is said when it is read
}

static bool put_line(struct dh_secrets *s, struct dh_str line)
{
    ptrdiff_t eq = dh_str_find(line, "=", 0);
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    if (!dh_str_trim(line).n || line.p[0] == '#')
        return true;
    if (eq <= 0 || s->n == SECRETS_MAX)
        return false;
    struct dh_str name = dh_str_trim(dh_str_sub(line, 0, (size_t)eq));
    if (!name.n || dh_str_find(name, "}", 0) >= 0)
        return false;
    s->list[s->n].name = name;
    s->list[s->n++].value = dh_str_sub(line, (size_t)eq + 1, line.n);
    return true;
}

static enum dh_status read_lines(struct dh_secrets *s, const char *path)
{
    struct dh_str all = { s->data, s->len };
    size_t number = 1;
    if (!dh_utf8_valid(s->data, s->len) || memchr(s->data, 0, s->len)) {
        dh_error("%s is not UTF-8 text", path);
        return DH_ERR_FORMAT;
    }
    for (size_t at = 0; at < all.n; number++) {
        ptrdiff_t end = dh_str_find(all, "\n", at);
        size_t to = end < 0 ? all.n : (size_t)end;
        if (!put_line(s, dh_str_sub(all, at, to))) {
            dh_error("%s: line %zu is not name=value, or there are more than "
                     "%d",
                     path, number, SECRETS_MAX);
            return DH_ERR_FORMAT;
        }
        at = to + 1;
    }
    return DH_OK;
}

enum dh_status dh_secrets_read(struct dh_secrets **out, const char *path)
{
    struct dh_secrets *s;
    enum dh_status st = check_mode(path);
    if (st)
        return st;
    dh_new(s);
    st = dh_file_read(path, FILE_MAX_BYTES, &s->data, &s->len);
    if (!st)
        st = read_lines(s, path);
    if (st) {
        dh_secrets_destroy(s);
        return st;
    }
    *out = s;
    return DH_OK;
}

static void wipe(struct secret *s)
{
    if (s->own)
        explicit_bzero(s->own, s->own_len);
    dh_free(s->own);
    s->own = NULL;
}

void dh_secrets_destroy(struct dh_secrets *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++)
        wipe(&s->list[i]);
    if (s->data)
        explicit_bzero(s->data, s->len);
    dh_big_free(s->data);
    dh_free(s);
}

static const struct secret *find_secret(const struct dh_secrets *s,
                                        struct dh_str name)
{
    for (size_t i = 0; s && i < s->n; i++)
        if (dh_str_eq(s->list[i].name, name))
            return &s->list[i];
    return NULL;
}

bool dh_secrets_has(const struct dh_secrets *s, const char *name)
{
    return find_secret(s, dh_str_of(name)) != NULL;
}

static struct secret *slot_of(struct dh_secrets *s, struct dh_str name)
{
    for (size_t i = 0; i < s->n; i++)
        if (dh_str_eq(s->list[i].name, name))
            return &s->list[i];
    return s->n == SECRETS_MAX ? NULL : &s->list[s->n++];
}

bool dh_secrets_put(struct dh_secrets **s, const char *name, const char *value)
{
    size_t n = strlen(name), len = n + 1 + strlen(value);
    if (!*s)
        dh_new(*s);
    struct secret *slot = slot_of(*s, dh_str_of(name));
    if (!n || strchr(name, '}') || !slot)
        return false;
    char *own;
    dh_array(own, len + 1);
    memcpy(own, name, n);
    own[n] = '=';
    memcpy(own + n + 1, value, len - n);
    wipe(slot);
    *slot =
        (struct secret){ { own, n }, { own + n + 1, len - n - 1 }, own, len };
    return true;
}

// Writes what `text` becomes to `out`, or where that is NULL only counts.
static enum dh_status expand(const struct dh_secrets *s, struct dh_str text,
                             char *out, size_t *n, bool *any,
                             struct dh_diag *why)
{
    *n = 0;
    for (size_t i = 0; i < text.n;) {
        struct dh_str rest = dh_str_sub(text, i, text.n);
        struct dh_str piece = dh_str_sub(rest, 0, 1);
        ptrdiff_t end =
            dh_str_starts(rest, OPEN) ? dh_str_find(rest, "}}", 0) : -1;
        i += end < 0 ? 1 : (size_t)end + 2;
        if (end >= 0) {
            struct dh_str name =
                dh_str_trim(dh_str_sub(rest, sizeof OPEN - 1, (size_t)end));
            const struct secret *found = find_secret(s, name);
            if (!found) {
                dh_diag_set(why, i, "no secret is named \"%.*s\"%s",
                            (int)DH_MIN(name.n, 60), name.p,
                            s ? "" : ": no secret file was given");
                return DH_ERR_NOTFOUND;
            }
            piece = found->value;
            *any = true;
        }
        if (out && piece.n)
            memcpy(out + *n, piece.p, piece.n);
        *n += piece.n;
    }
    return DH_OK;
}

enum dh_status dh_secrets_expand(const struct dh_secrets *s, const char *text,
                                 char **out, bool *any, struct dh_diag *why)
{
    struct dh_str all = dh_str_of(text);
    size_t n;
    *any = false;
    enum dh_status st = expand(s, all, NULL, &n, any, why);
    if (st)
        return st;
    char *copy;
    dh_array(copy, n + 1);
    st = expand(s, all, copy, &n, any, why);
    *out = copy;
    return st;
}

bool dh_secrets_named(const char *text)
{
    return text && dh_str_has_nocase(dh_str_of(text), OPEN);
}
