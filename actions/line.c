#include <ctype.h>
#include <string.h>

#include "actions/parse_priv.h"
#include "base/buf.h"
#include "base/mem.h"

// A line such as `left_click_drag 10 20 30 40` or `type "a b"`: a name, up to
// four integers, words and a text. It becomes the arguments of a call, so that
// there is one place that knows what each action needs.

struct line {
    struct dh_str name;
    int64_t number[4];
    int n_numbers;
    struct dh_str rest; // what follows the numbers, trimmed
};

static struct dh_str next_word(struct dh_str *s)
{
    size_t i = 0;
    *s = dh_str_trim(*s);
    while (i < s->n && !isspace((unsigned char)s->p[i]))
        i++;
    struct dh_str word = dh_str_sub(*s, 0, i);
    *s = dh_str_trim(dh_str_sub(*s, i, s->n));
    return word;
}

static struct line split_line(const char *text)
{
    struct dh_str s = dh_str_of(text);
    struct line l = { .name = next_word(&s) };
    while (l.n_numbers < 4) {
        struct dh_str after = s, word = next_word(&after);
        if (!dh_parse_i64(word, &l.number[l.n_numbers]))
            break;
        l.n_numbers++;
        s = after;
    }
    l.rest = s;
    return l;
}

static void put_coordinate(struct dh_buf *json, const char *key,
                           const int64_t *n, bool pixels)
{
    dh_buf_printf(json, ",\"%s\":[%lld,%lld]", key,
                  pixels ? 0LL : (long long)n[0],
                  pixels ? 0LL : (long long)n[1]);
}

// The text in quotes is JSON already; without them it is taken as it is.
static void put_text(struct dh_buf *json, struct dh_str text)
{
    bool quoted = text.n >= 2 && text.p[0] == '"' && text.p[text.n - 1] == '"';
    dh_buf_puts(json, ",\"text\":");
    if (quoted)
        dh_buf_put(json, text.p, text.n);
    else
        dh_json_quote(json, text);
}

static void put_rest(struct dh_buf *json, const struct line *l)
{
    struct dh_str rest = l->rest;
    if (dh_str_is(l->name, "wait") || dh_str_is(l->name, "left_press")) {
        if (rest.n)
            dh_buf_printf(json, ",\"duration\":\"%.*s\"", (int)rest.n, rest.p);
        return;
    }
    if (dh_str_is(l->name, "scroll")) {
        struct dh_str dir = next_word(&rest), amount = next_word(&rest);
        dh_buf_puts(json, ",\"scroll_direction\":");
        dh_json_quote(json, dir);
        if (amount.n && isdigit((unsigned char)amount.p[0])) {
            dh_buf_puts(json, ",\"scroll_amount\":");
            dh_json_quote(json, amount);
        } else if (amount.n) {
            rest = amount;
        }
    }
    if (dh_str_starts(rest, "+"))
        rest = dh_str_sub(rest, 1, rest.n);
    if (rest.n)
        put_text(json, rest);
}

static struct dh_json *arguments_of_line(const struct line *l, bool pixels,
                                         struct dh_diag *why)
{
    struct dh_buf json;
    dh_buf_init(&json, 8 * DH_ACTION_TEXT_MAX);
    dh_buf_puts(&json, "{\"action\":");
    dh_json_quote(&json, l->name);
    if (dh_str_is(l->name, "wait") && l->n_numbers == 1) {
        dh_buf_printf(&json, ",\"duration\":%lld", (long long)l->number[0]);
    } else if (l->n_numbers == 4) {
        put_coordinate(&json, "start_coordinate", l->number, pixels);
        put_coordinate(&json, "coordinate", l->number + 2, pixels);
    } else if (l->n_numbers == 2) {
        put_coordinate(&json, "coordinate", l->number, pixels);
    } else if (l->n_numbers) {
        // `type 42`, `key 7`: what looks like a number is the text.
        struct dh_str text = { l->name.p + l->name.n, 0 };
        text.n = (size_t)(l->rest.p + l->rest.n - text.p);
        put_text(&json, dh_str_trim(text));
    }
    if (l->n_numbers != 1 && l->n_numbers != 3)
        put_rest(&json, l);
    dh_buf_putc(&json, '}');
    struct dh_json *args = dh_json_parse(dh_buf_text(&json), json.len, why);
    dh_buf_finish(&json);
    return args;
}

static bool set_pixels(struct dh_action *a, const int64_t *n,
                       struct dh_diag *why)
{
    const int64_t *at = a->has_start ? n + 2 : n;
    for (int i = 0; i < (a->has_start ? 4 : 2); i++) {
        if (n[i] >= -32768 && n[i] <= 32767)
            continue;
        dh_diag_set(why, 0, "%lld is no pixel of a screen", (long long)n[i]);
        return false;
    }
    a->start = (struct dh_point){ (int)n[0], (int)n[1] };
    a->at = (struct dh_point){ (int)at[0], (int)at[1] };
    a->on_screen = true;
    return true;
}

bool dh_action_of_text(const char *text, bool pixels, struct dh_action *out,
                       struct dh_diag *why)
{
    struct line l = split_line(text);
    memset(out, 0, sizeof *out);
    struct dh_json *args = arguments_of_line(&l, pixels, why);
    if (!args)
        return false;
    bool ok = dh_parse_call(NULL, l.name, args, out, why);
    dh_json_free(args);
    if (ok && pixels && out->has_at)
        ok = set_pixels(out, l.number, why);
    if (!ok)
        dh_action_finish(out);
    out->repairs = 0;
    return ok;
}
