#include "tools/replay_params.h"

#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "actions/secrets.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#define DH_LOG_TAG "replay"
#include "base/log.h"

#define CSV_MAX_BYTES (64 << 20)
#define LINE_MAX_     4096

// ---- names ------------------------------------------------------------------

static int number_of(const struct dh_replay_params *p, struct dh_str name)
{
    for (int i = 0; i < p->params->n; i++)
        if (dh_str_eq(dh_str_of(p->params->item[i].name), name))
            return i;
    return -1;
}

static void say_unknown(const struct dh_replay_params *p, struct dh_str name,
                        const char *where)
{
    char known[400] = "";
    size_t len = 0;
    for (int i = 0; i < p->params->n && len + 60 < sizeof known; i++)
        len += (size_t)snprintf(known + len, sizeof known - len, "%s%s",
                                i ? ", " : "", p->params->item[i].name);
    dh_error("%s: the recording has no parameter \"%.*s\"; it has %s", where,
             (int)DH_MIN(name.n, 60), name.p, known[0] ? known : "none");
}

static enum dh_status put_secret(struct dh_replay_params *p, int i,
                                 const char *value)
{
    if (dh_secrets_put(&p->secrets, p->params->item[i].name, value))
        return DH_OK;
    dh_error("there are too many secrets");
    return DH_ERR_USAGE;
}

// ---- the command line -------------------------------------------------------

static enum dh_status read_set(struct dh_replay_params *p, const char *text)
{
    struct dh_str all = dh_str_of(text);
    ptrdiff_t eq = dh_str_find(all, "=", 0);
    struct dh_str name = dh_str_sub(all, 0, eq > 0 ? (size_t)eq : 0);
    int i = number_of(p, name);
    if (eq <= 0) {
        dh_error("--set=%s: NAME=VALUE is expected", text);
        return DH_ERR_USAGE;
    }
    if (i < 0) {
        say_unknown(p, name, "--set");
        return DH_ERR_USAGE;
    }
    p->set[i] = text + eq + 1;
    return p->params->item[i].secret ? put_secret(p, i, p->set[i]) : DH_OK;
}

// ---- the table --------------------------------------------------------------

static enum dh_status read_columns(struct dh_replay_params *p, const char *path)
{
    for (int c = 0; c < p->table.n_columns; c++) {
        struct dh_str name = dh_str_trim(dh_str_of(dh_csv_name(&p->table, c)));
        int i = number_of(p, name);
        if (i < 0) {
            say_unknown(p, name, path);
            return DH_ERR_USAGE;
        }
        p->column[i] = c;
    }
    return DH_OK;
}

static enum dh_status read_table(struct dh_replay_params *p, const char *path)
{
    char *text;
    size_t len;
    struct dh_diag diag = { 0 };
    enum dh_status st = dh_file_read(path, CSV_MAX_BYTES, &text, &len);
    if (st)
        return st;
    st = dh_csv_parse(&p->table, text, len, &diag);
    dh_big_free(text);
    if (st) {
        dh_error("%s: %s", path, diag.text);
        return st;
    }
    return read_columns(p, path);
}

// ---- a person ---------------------------------------------------------------

// What is typed is not shown. NULL: nobody answers.
static char *ask_person(const char *name, bool secret)
{
    struct termios was, now;
    char line[LINE_MAX_];
    char *value = NULL;
    bool quiet = secret && !tcgetattr(STDIN_FILENO, &was);
    fprintf(stderr, "%s%s: ", name, secret ? " (not shown)" : "");
    fflush(stderr);
    if (quiet) {
        now = was;
        now.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &now);
    }
    ssize_t n = read(STDIN_FILENO, line, sizeof line - 1);
    if (quiet) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
        fputc('\n', stderr);
    }
    if (n > 0) {
        n -= line[n - 1] == '\n';
        value = dh_strndup(line, (size_t)n);
    }
    explicit_bzero(line, sizeof line);
    return value;
}

static bool has_value(const struct dh_replay_params *p, int i)
{
    const struct dh_session_param *q = &p->params->item[i];
    if (p->set[i] || p->column[i] >= 0)
        return true;
    return q->secret ? dh_secrets_has(p->secrets, q->name) : q->value != NULL;
}

static enum dh_status ask_missing(struct dh_replay_params *p)
{
    bool asks = isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
    for (int i = 0; i < p->params->n; i++) {
        const struct dh_session_param *q = &p->params->item[i];
        if (has_value(p, i))
            continue;
        if (asks)
            p->typed[i] = ask_person(q->name, q->secret);
        if (!p->typed[i]) {
            dh_error("the recording needs %s%s: give it with --set %s=VALUE, a "
                     "column of --csv%s",
                     q->secret ? "the secret " : "", q->name, q->name,
                     q->secret ? " or, best, --secret-file" : "");
            return DH_ERR_USAGE;
        }
        if (q->secret && put_secret(p, i, p->typed[i]))
            return DH_ERR_USAGE;
    }
    return DH_OK;
}

// ---- all of it --------------------------------------------------------------

static void init(struct dh_replay_params *p,
                 const struct dh_session_params *params)
{
    size_t n = (size_t)DH_MAX(params->n, 1);
    p->params = params;
    p->row = -1;
    dh_array(p->set, n);
    dh_array(p->typed, n);
    dh_array(p->column, n);
    for (size_t i = 0; i < n; i++)
        p->column[i] = -1;
}

enum dh_status dh_replay_params_open(struct dh_replay_params *p,
                                     const struct dh_session_params *params,
                                     const struct dh_opt_list *set,
                                     const char *csv, const char *secret_file,
                                     bool dry_run)
{
    init(p, params);
    enum dh_status st =
        secret_file ? dh_secrets_read(&p->secrets, secret_file) : DH_OK;
    for (int i = 0; i < set->n && !st; i++)
        st = read_set(p, set->item[i]);
    if (!st && csv)
        st = read_table(p, csv);
    if (!st && !dry_run)
        st = ask_missing(p);
    return !st && p->table.n_rows ? dh_replay_params_row(p, 0) : st;
}

enum dh_status dh_replay_params_row(struct dh_replay_params *p, int row)
{
    p->row = row;
    for (int i = 0; i < p->params->n; i++)
        if (p->params->item[i].secret && p->column[i] >= 0 &&
            put_secret(p, i, dh_csv_cell(&p->table, row, p->column[i])))
            return DH_ERR_USAGE;
    return DH_OK;
}

const char *dh_replay_params_value(void *user,
                                   const struct dh_session_param *param)
{
    struct dh_replay_params *p = user;
    int i = number_of(p, dh_str_of(param->name));
    if (param->secret) {
        snprintf(p->name, sizeof p->name, "{{secret:%s}}", param->name);
        return p->name;
    }
    if (i < 0)
        return NULL;
    if (p->row >= 0 && p->column[i] >= 0)
        return dh_csv_cell(&p->table, p->row, p->column[i]);
    return p->set[i] ? p->set[i] : p->typed[i];
}

void dh_replay_params_close(struct dh_replay_params *p)
{
    for (int i = 0; p->params && i < p->params->n; i++) {
        if (p->typed[i])
            explicit_bzero(p->typed[i], strlen(p->typed[i]));
        dh_free(p->typed[i]);
    }
    dh_free(p->typed);
    dh_free(p->set);
    dh_free(p->column);
    dh_csv_finish(&p->table);
    dh_secrets_destroy(p->secrets);
}
