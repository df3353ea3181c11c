// A model behind an endpoint: actions.md 4.
#include <stdio.h>
#include <string.h>

#include "agent/brain_priv.h"
#include "agent/clip.h"
#include "agent/http.h"
#include "agent/sse.h"
#include "agent/wire_priv.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "base/thread.h"
#include "capture/frame.h"
#include "capture/jpeg.h"
#include "capture/png.h"
#include "vision/shrink.h"

#define DH_LOG_TAG "endpoint"
#include "base/log.h"

#define BODY_MAX   ((size_t)64 << 20) // what the vendor takes
#define MEDIA_MAX  ((size_t)32 << 20)
#define VIDEO_SIDE 1008 // as the vendor reads text in it (actions.md 4.3)
#define EVENT_MAX  ((size_t)8 << 20)
#define AUTH_MAX   9000 // of the header with the key
#define WAIT_MAX   (60 * DH_S)
#define LOOK       (50 * DH_MS) // how long a stop may go unnoticed

// A picture as it was sent, for as long as questions show it.
struct kept {
    struct dh_frame *frame;
    char *base64;
    size_t len; // of base64
    int side;
    bool wanted;
};

struct remote {
    struct dh_brain brain;
    struct dh_http *http;
    const struct dh_wire_ops *wire;
    struct dh_cancel *cancel;
    struct dh_rng rng;
    struct kept *kept;
    int n_kept, cap_kept;
    bool strict; // such pictures are an error
    bool warned; // of pictures that were made smaller
};

static const struct dh_endpoint *endpoint_of(const struct remote *b)
{
    return b->brain.endpoint;
}

// --- pictures ---------------------------------------------------------------

static enum dh_status encode(const struct remote *b, const struct dh_frame *f,
                             struct dh_buf *out)
{
    const struct dh_endpoint_settings *s = &endpoint_of(b)->s;
    return s->png ? dh_png_encode(f, out) : dh_jpeg_encode(f, s->quality, out);
}

// Without slack, since a picture is kept for many questions.
static char *base64_of(const struct dh_buf *bytes, size_t *len)
{
    struct dh_buf text;
    dh_buf_init(&text, (bytes->len + 2) / 3 * 4);
    dh_base64_put(&text, bytes->data, bytes->len);
    *len = text.len;
    return dh_buf_take(&text);
}

static enum dh_status keep_picture(struct remote *b, struct dh_frame *f,
                                   struct kept *k)
{
    struct dh_frame *small = NULL;
    struct dh_buf bytes;
    struct dh_size size = { f->width, f->height };
    enum dh_status st = DH_OK;
    dh_endpoint_picture_tokens(endpoint_of(b), &size.w, &size.h);
    if (size.w != f->width || size.h != f->height)
        st = dh_shrink_frame(f, size, &small);
    dh_buf_init(&bytes, MEDIA_MAX);
    if (!st)
        st = encode(b, small ? small : f, &bytes);
    if (!st) {
        *k = (struct kept){ .frame = dh_frame_ref(f),
                            .side = DH_MAX(size.w, size.h),
                            .wanted = true };
        k->base64 = base64_of(&bytes, &k->len);
    }
    dh_buf_finish(&bytes);
    dh_frame_unref(small);
    return st;
}

static struct kept *find_kept(struct remote *b, const struct dh_frame *f)
{
    for (int i = 0; i < b->n_kept; i++) {
        if (b->kept[i].frame == f)
            return &b->kept[i];
    }
    return NULL;
}

static void forget_unwanted(struct remote *b)
{
    int n = 0;
    for (int i = 0; i < b->n_kept; i++) {
        if (b->kept[i].wanted) {
            b->kept[n++] = b->kept[i];
            continue;
        }
        dh_frame_unref(b->kept[i].frame);
        dh_free(b->kept[i].base64);
    }
    b->n_kept = n;
}

static enum dh_status make_images(struct remote *b,
                                  const struct dh_brain_request *r,
                                  struct dh_wire_media *out)
{
    for (int i = 0; i < b->n_kept; i++)
        b->kept[i].wanted = false;
    for (size_t i = 0; i < r->n_images; i++) {
        struct kept *k = find_kept(b, r->images[i]);
        if (k) {
            k->wanted = true;
            continue;
        }
        if (b->n_kept == b->cap_kept) {
            b->cap_kept = b->cap_kept ? 2 * b->cap_kept : 16;
            b->kept =
                dh_resize_array(b->kept, (size_t)b->cap_kept, sizeof *b->kept);
        }
        enum dh_status st = keep_picture(b, r->images[i], &b->kept[b->n_kept]);
        if (st)
            return st;
        b->n_kept++;
    }
    forget_unwanted(b);
    for (size_t i = 0; i < r->n_images; i++) {
        const struct kept *k = find_kept(b, r->images[i]);
        out[i] = (struct dh_wire_media){
            .type = endpoint_of(b)->s.png ? "image/png" : "image/jpeg",
            .base64 = k->base64,
            .len = k->len,
            .side = k->side,
        };
    }
    return DH_OK;
}

// The base64 in `out` is the caller's to free.
static enum dh_status make_videos(const struct remote *b,
                                  const struct dh_brain_request *r,
                                  struct dh_wire_media *out)
{
    if (r->n_videos && endpoint_of(b)->s.protocol == DH_PROTOCOL_ANTHROPIC) {
        dh_error("endpoint %s: this protocol has no videos; send pictures",
                 endpoint_of(b)->name);
        return DH_ERR_UNSUPPORTED;
    }
    int side = DH_MIN(endpoint_of(b)->s.max_side, VIDEO_SIDE);
    for (size_t i = 0; i < r->n_videos; i++) {
        struct dh_buf bytes;
        dh_buf_init(&bytes, BODY_MAX);
        enum dh_status st = dh_clip_encode(&r->videos[i], side, &bytes,
                                           &out[i].side, &out[i].fps);
        out[i].type = "video/mp4";
        if (!st)
            out[i].base64 = base64_of(&bytes, &out[i].len);
        dh_buf_finish(&bytes);
        if (st)
            return st;
    }
    return DH_OK;
}

// --- one request ------------------------------------------------------------

// What to do about an answer.
enum verdict {
    WELL,
    AGAIN,     // later
    TOO_LONG,  // with fewer pictures
    SENSITIVE, // without the oldest picture
    REFUSED,   // the key, or no money
    WRONG,     // never so
};

struct exchange {
    struct remote *b;
    struct dh_sse sse;
    struct dh_wire_answer answer;
    struct dh_buf raw; // of what is no stream
    bool any_event;
};

static bool take_event(void *user, const char *name, const char *data,
                       size_t len)
{
    struct exchange *x = user;
    x->any_event = true;
    return x->b->wire->event(&x->answer, name, data, len);
}

static bool take_bytes(void *user, const char *bytes, size_t n)
{
    struct exchange *x = user;
    // Some servers answer in one piece although a stream was asked for.
    if (!x->any_event)
        dh_buf_put(&x->raw, bytes, n);
    return dh_sse_feed(&x->sse, bytes, n);
}

static void take_whole(struct exchange *x, const char *text, size_t len)
{
    struct dh_diag diag = { 0 };
    struct dh_json *o = dh_json_parse(text, len, &diag);
    if (o) {
        x->b->wire->whole(&x->answer, o);
    } else {
        x->answer.failed = true;
        dh_diag_set(&x->answer.why, 0, "the answer is not JSON: %.100s",
                    diag.text);
    }
    dh_json_free(o);
}

static bool is_one_of(int code, const int *codes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (codes[i] == code)
            return true;
    }
    return false;
}

#define IS_ONE_OF(code, ...)                        \
    is_one_of((code), (const int[]){ __VA_ARGS__ }, \
              sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int))

// actions.md 4.8: the vendor's codes, which come with HTTP 200 as well, then
// those of HTTP.
static enum verdict judge(int http, const struct dh_wire_answer *a)
{
    int e = a->error;
    struct dh_str why = dh_str_of(a->why.text);
    bool length = dh_str_has_nocase(why, "context length") ||
                  dh_str_has_nocase(why, "context size") ||
                  dh_str_has_nocase(why, "too many tokens");
    bool broke = dh_str_has_nocase(why, "current quota") ||
                 dh_str_has_nocase(why, "insufficient") ||
                 dh_str_has_nocase(why, "balance");
    if (broke && IS_ONE_OF(http, 403, 429))
        return REFUSED;
    if (IS_ONE_OF(e, 1000, 1001, 1002, 1024))
        return AGAIN;
    if (IS_ONE_OF(e, 1004, 2049, 1008, 2056) || IS_ONE_OF(http, 401, 402, 403))
        return REFUSED;
    if (IS_ONE_OF(e, 1026, 1027))
        return SENSITIVE;
    if (e == 1039 || http == 413 || (http == 400 && length))
        return TOO_LONG;
    if (e == 2013)
        return WRONG;
    if (IS_ONE_OF(http, 408, 425, 429, 529) || http >= 500)
        return AGAIN;
    if (http >= 200 && http < 300)
        return a->failed ? AGAIN : WELL;
    return WRONG;
}

static const char *advice(enum verdict v, int http, int error)
{
    if (v == REFUSED && (IS_ONE_OF(error, 1008, 2056) || http == 402))
        return "; the account has no balance or quota left";
    if (v == REFUSED)
        return "; is the key right (--api-key-file), and of this region?";
    if (v == WRONG && http == 404)
        return "; is the address right, and the model's name (--model-name)?";
    return "";
}

// --- again and again --------------------------------------------------------

static bool is_stopped(const struct remote *b, const struct dh_brain_request *r)
{
    return dh_cancel_is_set(b->cancel) || dh_cancel_is_set(r->cancel);
}

static bool wait_for(const struct remote *b, const struct dh_brain_request *r,
                     int64_t ns)
{
    int64_t end = dh_now_ns() + ns;
    while (!is_stopped(b, r)) {
        int64_t left = end - dh_now_ns();
        if (left <= 0)
            return true;
        dh_sleep_for(DH_MIN(left, LOOK));
    }
    return false;
}

// Twice as long each time, and not all clients at the same moment.
static int64_t pause_before(struct remote *b, int attempt, int64_t asked_for)
{
    double base = endpoint_of(b)->s.backoff * 1e9;
    int64_t ns = (int64_t)(base * (double)(1 << DH_MIN(attempt, 10)) *
                           (0.5 + dh_rng_unit(&b->rng) / 2));
    return DH_CLAMP(DH_MAX(ns, asked_for), 0, WAIT_MAX);
}

struct talk {
    struct remote *b;
    const struct dh_brain_request *r;
    struct dh_wire_question q;
    struct exchange x;
    struct dh_http_response response;
    int attempt;
    size_t text_bytes; // of the question, without pictures
    bool pruned, dropped, slow;
    enum verdict verdict;
};

static void exchange_begin(struct talk *t)
{
    struct exchange *x = &t->x;
    x->b = t->b;
    x->any_event = false;
    dh_sse_init(&x->sse, EVENT_MAX, take_event, x);
    dh_buf_init(&x->raw, DH_WIRE_MAX_BYTES);
    dh_wire_answer_init(&x->answer);
    x->answer.on_text = t->r->on_text;
    x->answer.user = t->r->user;
    dh_one_call_init(&x->answer.one, t->r->one_call);
}

static void exchange_end(struct talk *t)
{
    dh_sse_finish(&t->x.sse);
    dh_buf_finish(&t->x.raw);
    dh_wire_answer_finish(&t->x.answer);
    dh_http_response_finish(&t->response);
}

// The key stands in `auth`, for the caller to wipe.
static const char *const *make_headers(const struct remote *b,
                                       char auth[AUTH_MAX], const char *list[4])
{
    const struct dh_endpoint *e = endpoint_of(b);
    bool anthropic = e->s.protocol == DH_PROTOCOL_ANTHROPIC;
    int n = 0;
    list[n++] = "Content-Type: application/json";
    if (anthropic)
        list[n++] = "anthropic-version: 2023-06-01";
    if (e->key) {
        // The vendor takes keys of either kind in either header.
        snprintf(auth, AUTH_MAX,
                 anthropic && dh_str_starts(dh_str_of(e->key), "sk-")
                     ? "x-api-key: %s"
                     : "Authorization: Bearer %s",
                 e->key);
        list[n++] = auth;
    }
    list[n] = NULL;
    return list;
}

static char *address(const struct remote *b, const char *path)
{
    struct dh_buf url;
    dh_buf_init(&url, 16384);
    dh_buf_printf(&url, "%s%s", endpoint_of(b)->base, path);
    return dh_buf_take(&url);
}

static enum dh_status send_question(struct talk *t)
{
    struct remote *b = t->b;
    char auth[AUTH_MAX], *url = address(b, b->wire->path);
    const char *list[4];
    struct dh_buf body;
    dh_buf_init(&body, BODY_MAX);
    b->wire->question(&t->q, &body);
    t->text_bytes = body.len;
    for (size_t i = t->q.skip_images; i < t->r->n_images; i++)
        t->text_bytes -= DH_MIN(t->text_bytes, t->q.images[i].len);
    for (size_t i = 0; i < t->r->n_videos; i++)
        t->text_bytes -= DH_MIN(t->text_bytes, t->q.videos[i].len);
    enum dh_status st = DH_ERR_RANGE;
    if (body.overflow) {
        dh_error("the question is larger than %zu MiB", BODY_MAX >> 20);
    } else {
        struct dh_http_request r = {
            .url = url,
            .headers = make_headers(b, auth, list),
            .body = body.data,
            .len = body.len,
            .cancel = t->r->cancel,
            .on_data = endpoint_of(b)->s.stream ? take_bytes : NULL,
            .user = &t->x,
        };
        st = dh_http_send(b->http, &r, &t->response);
    }
    explicit_bzero(auth, sizeof auth);
    dh_buf_finish(&body);
    dh_free(url);
    return st;
}

// What a server says may hold anything, the key too.
static void clean(const struct remote *b, struct dh_diag *d)
{
    const char *key = endpoint_of(b)->key;
    for (char *at; key && (at = strstr(d->text, key));)
        memset(at, '*', strlen(key));
    for (char *p = d->text; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
}

// A connection that breaks or is silent is like a server that is too busy.
static enum dh_status understand(struct talk *t, enum dh_status st)
{
    struct dh_wire_answer *a = &t->x.answer;
    struct dh_http_response *r = &t->response;
    t->verdict = WELL;
    if (st == DH_ERR_IO || st == DH_ERR_TIMEOUT) {
        t->verdict = st == DH_ERR_TIMEOUT && t->slow ? WRONG : AGAIN;
        t->slow = t->slow || st == DH_ERR_TIMEOUT;
        dh_diag_set(&a->why, 0, "%s", r->why.text);
        return DH_OK;
    }
    if (st) {
        if (st != DH_ERR_CANCELLED)
            dh_error("endpoint %s: %s", endpoint_of(t->b)->name, r->why.text);
        return st;
    }
    bool stream = endpoint_of(t->b)->s.stream && r->code / 100 == 2;
    if (!stream)
        take_whole(&t->x, r->body, r->len);
    else if (!t->x.any_event)
        take_whole(&t->x, dh_buf_text(&t->x.raw), t->x.raw.len);
    else if (!a->finish[0] && !a->enough && !a->failed) {
        a->failed = true;
        dh_diag_set(&a->why, 0, "the answer ends in the middle");
    }
    if (dh_sse_status(&t->x.sse)) {
        a->failed = true;
        dh_diag_set(&a->why, 0, "one event is larger than %zu MiB",
                    EVENT_MAX >> 20);
    }
    if (r->code / 100 != 2 && !a->error && !a->why.text[0])
        dh_diag_set(&a->why, 0, "HTTP %d", r->code);
    clean(t->b, &a->why);
    t->verdict = judge(r->code, a);
    return DH_OK;
}

// Whether the question is put again, and how.
static bool try_again(struct talk *t)
{
    struct remote *b = t->b;
    const struct dh_endpoint *e = endpoint_of(b);
    const char *why = t->x.answer.why.text;
    size_t images = t->r->n_images;
    if (t->verdict == SENSITIVE && !t->dropped && images > 1) {
        t->dropped = true;
        t->q.skip_images++;
        dh_warn("endpoint %s: %s; once more without the oldest picture",
                e->name, why);
        return true;
    }
    if (t->verdict == TOO_LONG && !t->pruned && images > 1) {
        t->pruned = true;
        // The next questions show fewer from the start.
        struct dh_profile *p = &b->brain.profile;
        p->keep_min /= 2;
        p->chunk = DH_MAX(1, p->chunk / 2);
        t->q.skip_images = images - 1;
        dh_warn("endpoint %s: %s; once more with the newest picture alone",
                e->name, why);
        return true;
    }
    // What was read along cannot be taken back, unless it may begin anew.
    bool heard = t->r->on_text && t->x.answer.text.len && !t->r->anew;
    if (t->verdict != AGAIN || heard || t->attempt >= e->s.retries)
        return false;
    int64_t ns = pause_before(b, t->attempt, t->response.retry_after_ns);
    t->attempt++;
    dh_warn("endpoint %s: %s; trying again in %.1f s (%d of %d)", e->name, why,
            (double)ns / 1e9, t->attempt, e->s.retries);
    if (t->r->anew)
        t->r->on_text(t->r->user, NULL, 0);
    return wait_for(b, t->r, ns);
}

static enum dh_status give_up(struct talk *t)
{
    struct remote *b = t->b;
    int http = t->response.code, error = t->x.answer.error;
    char code[32] = "";
    if (is_stopped(b, t->r))
        return DH_ERR_CANCELLED;
    if (error)
        snprintf(code, sizeof code, " (%d)", error);
    else if (http)
        snprintf(code, sizeof code, " (HTTP %d)", http);
    dh_error("endpoint %s: %s%s%s", endpoint_of(b)->name, t->x.answer.why.text,
             code, advice(t->verdict, http, error));
    if (t->response.request_id)
        dh_info("the server calls that request %s", t->response.request_id);
    if (t->verdict == REFUSED)
        return DH_ERR_REFUSED;
    if (t->slow)
        return DH_ERR_TIMEOUT;
    return t->verdict == AGAIN ? DH_ERR_IO : DH_ERR_UNSUPPORTED;
}

static enum dh_status talk(struct talk *t)
{
    for (;;) {
        exchange_begin(t);
        enum dh_status st = send_question(t);
        st = understand(t, st);
        if (st || t->verdict == WELL)
            return st;
        if (!try_again(t))
            return give_up(t);
        exchange_end(t);
    }
}

// --- the answer -------------------------------------------------------------

static int picture_tokens(const struct talk *t)
{
    int n = 0;
    for (size_t i = t->q.skip_images; i < t->r->n_images; i++) {
        int w = t->r->images[i]->width, h = t->r->images[i]->height;
        n += dh_endpoint_picture_tokens(endpoint_of(t->b), &w, &h);
    }
    return n;
}

// The open checkpoint's own processor shrinks pictures to 576 tokens, at which
// the text of menus is lost (actions.md 4.3). Text adds to the count, so fewer
// tokens than the pictures alone must have are a proof.
static enum dh_status check_tokens(struct talk *t)
{
    const struct dh_endpoint *e = endpoint_of(t->b);
    const struct dh_usage *u = &t->x.answer.usage;
    int want = picture_tokens(t);
    if (!e->s.check_tokens || !u->prompt_tokens)
        return DH_OK;
    // Eight bytes of text are surely more than a token.
    double seen = u->prompt_tokens - (double)t->text_bytes / 8;
    if (seen >= 0.7 * want)
        return DH_OK;
    if (!t->b->warned || t->b->strict)
        dh_warn(
            "endpoint %s makes pictures smaller: %d tokens in all, where %zu "
            "pictures alone should be %d. Small text cannot be read so. Raise "
            "the server's limit of pixels (see doctor %s)",
            e->name, u->prompt_tokens, t->r->n_images - t->q.skip_images, want,
            e->base);
    t->b->warned = true;
    return t->b->strict ? DH_ERR_REFUSED : DH_OK;
}

// Who hangs up early is not told; four bytes are about a token.
static void estimate_usage(struct talk *t)
{
    struct dh_usage *u = &t->x.answer.usage;
    u->guessed = !u->prompt_tokens;
    if (u->guessed)
        u->prompt_tokens = picture_tokens(t) + (int)(t->text_bytes / 4);
    if (!u->answer_tokens)
        u->answer_tokens = (int)(t->x.answer.text.len / 4);
    u->cached_tokens = DH_MIN(u->cached_tokens, u->prompt_tokens);
}

static enum dh_brain_end end_of(const struct dh_wire_answer *a)
{
    if (a->enough)
        return DH_BRAIN_END_ENOUGH;
    if (strcmp(a->finish, "length") == 0 ||
        strcmp(a->finish, "max_tokens") == 0)
        return DH_BRAIN_END_LENGTH;
    return DH_BRAIN_END_TURN;
}

// Our own server says how long it computed, and then the rest is the way there
// and back. Of others only the first word's moment is known.
static void fill_times(const struct talk *t, struct dh_times *out)
{
    const struct dh_times *there = &t->x.answer.times;
    int64_t total = t->response.total_ns;
    if (!t->x.answer.has_times) {
        out->prefill = t->response.first_byte_ns;
        out->decode = total - t->response.first_byte_ns;
        return;
    }
    int64_t computed =
        there->preprocess + there->vision + there->prefill + there->decode;
    out->preprocess += there->preprocess;
    out->vision = there->vision;
    out->prefill = there->prefill;
    out->decode = there->decode;
    out->wire = DH_MAX(total - computed, 0);
}

static void fill(struct talk *t, struct dh_brain_answer *out)
{
    struct dh_wire_answer *a = &t->x.answer;
    struct dh_buf wire;
    estimate_usage(t);
    out->text = dh_wire_text(a);
    if (dh_wire_reasoning(a))
        out->reasoning = dh_strdup(dh_wire_reasoning(a));
    dh_buf_init(&wire, 4 * (size_t)DH_WIRE_MAX_BYTES);
    t->b->wire->message(a, out->text, &wire);
    out->wire = dh_buf_take(&wire);
    out->end = end_of(a);
    out->usage = a->usage;
    out->usage.cost =
        dh_endpoint_cost(endpoint_of(t->b), a->usage.prompt_tokens,
                         a->usage.cached_tokens, a->usage.answer_tokens);
    fill_times(t, &out->times);
}

static enum dh_status ask(struct dh_brain *brain,
                          const struct dh_brain_request *r,
                          struct dh_brain_answer *out)
{
    struct remote *b = (struct remote *)brain;
    const struct dh_endpoint_settings *s = &endpoint_of(b)->s;
    struct dh_wire_media *images;
    int64_t start = dh_now_ns();
    // Our own server tells what its model needs.
    int max_tokens = r->max_answer_tokens ? r->max_answer_tokens
                     : s->form            ? brain->profile.max_answer_tokens
                                          : s->max_tokens;
    dh_array(images, r->n_images + r->n_videos);
    struct dh_wire_media *videos = images + r->n_images;
    enum dh_status st = make_images(b, r, images);
    if (!st)
        st = make_videos(b, r, videos);
    struct talk t = {
        .b = b,
        .r = r,
        .q = { .e = endpoint_of(b),
               .r = r,
               .images = images,
               .videos = videos,
               .max_tokens = max_tokens },
    };
    if (r->n_images > (size_t)s->max_images)
        t.q.skip_images = r->n_images - (size_t)s->max_images;
    out->times.preprocess = dh_now_ns() - start;
    if (!st) {
        st = talk(&t);
        if (!st)
            st = check_tokens(&t);
        if (!st)
            fill(&t, out);
        exchange_end(&t);
    }
    for (size_t i = 0; i < r->n_videos; i++)
        dh_free(videos[i].base64);
    dh_free(images);
    return st;
}

// --- create -----------------------------------------------------------------

static void destroy(struct dh_brain *brain)
{
    struct remote *b = (struct remote *)brain;
    for (int i = 0; i < b->n_kept; i++)
        b->kept[i].wanted = false;
    forget_unwanted(b);
    dh_free(b->kept);
    dh_http_destroy(b->http);
    dh_profile_finish(&b->brain.profile);
    dh_endpoint_close(b->brain.endpoint);
    dh_free(b->brain.model_name);
    dh_free(b);
}

static const struct dh_brain_ops remote_ops = { .ask = ask,
                                                .destroy = destroy };

// The first model, or the one that was asked for; what the server is, where it
// says so; and how the model wants to be asked, where it is one of ours.
static enum dh_status take_models(struct remote *b, const struct dh_json *o)
{
    struct dh_endpoint *e = b->brain.endpoint;
    const struct dh_json *first = dh_json_first(dh_json_find(o, "data"));
    const struct dh_json *found = NULL;
    for (const struct dh_json *m = first; m; m = dh_json_next(m)) {
        const struct dh_json *id = dh_json_find(m, "id");
        if (id && e->s.model && strcmp(dh_json_text(id), e->s.model) == 0)
            found = m;
    }
    if (!first)
        return DH_OK;
    if (e->s.model && !found)
        dh_warn("endpoint %s does not list the model %s", e->name, e->s.model);
    found = found ? found : first;
    const struct dh_json *id = dh_json_find(found, "id");
    const struct dh_json *owner = dh_json_find(found, "owned_by");
    const char *by = owner ? dh_json_text(owner) : "";
    dh_endpoint_adopt(e, strcmp(by, "llamacpp") == 0 ? "llama-server" : by);
    if (!e->s.model && id) {
        b->brain.model_name = dh_strdup(dh_json_text(id));
        e->s.model = b->brain.model_name;
    }
    const struct dh_json *ours = dh_json_find(found, "deskhand");
    return ours ? dh_profile_take(&b->brain.profile, ours) : DH_OK;
}

static enum dh_status look_around(struct remote *b)
{
    struct dh_endpoint *e = b->brain.endpoint;
    char auth[AUTH_MAX], *url = address(b, "/models");
    const char *list[4];
    struct dh_http_response a;
    struct dh_diag diag = { 0 };
    struct dh_http_request r = { .url = url,
                                 .headers = make_headers(b, auth, list) };
    enum dh_status st = dh_http_send(b->http, &r, &a);
    explicit_bzero(auth, sizeof auth);
    if (st && st != DH_ERR_CANCELLED) {
        dh_error("endpoint %s: %s", e->name, a.why.text);
    } else if (!st && (a.code == 401 || a.code == 403)) {
        dh_error("endpoint %s refuses the key (HTTP %d); see --api-key-file",
                 e->name, a.code);
        st = DH_ERR_REFUSED;
    } else if (!st && a.code == 200) {
        struct dh_json *o = dh_json_parse(a.body, a.len, &diag);
        st = take_models(b, o);
        dh_json_free(o);
    }
    dh_http_response_finish(&a);
    dh_free(url);
    return st;
}

enum dh_status dh_brain_remote_create(struct dh_brain **out,
                                      const struct dh_brain_options *o)
{
    struct remote *b;
    dh_new(b);
    b->brain.ops = &remote_ops;
    b->brain.endpoint = o->endpoint;
    b->cancel = o->cancel;
    b->strict = o->strict;
    dh_rng_init(&b->rng, (uint64_t)dh_realtime_ns());
    const struct dh_endpoint_settings *s = &o->endpoint->s;
    struct dh_http_options ho = { .idle_ns = (int64_t)(s->idle_s * 1e9),
                                  .total_ns = (int64_t)(s->total_s * 1e9),
                                  .ca_file = s->ca_file,
                                  .cancel = o->cancel };
    enum dh_status st =
        dh_profile_init(&b->brain.profile, o->prompts_dir, o->prompts_dir);
    if (!st)
        st = dh_http_create(&b->http, &ho);
    if (!st)
        st = look_around(b);
    if (!st && s->prompt)
        st = dh_profile_read_prompt(&b->brain.profile, s->prompt);
    if (st) {
        destroy(&b->brain);
        return st;
    }
    b->wire = s->protocol == DH_PROTOCOL_ANTHROPIC ? &dh_wire_anthropic
                                                   : &dh_wire_openai;
    dh_profile_set_pictures(&b->brain.profile, s->max_images);
    dh_info("endpoint %s: %s, model %s, points as %s", o->endpoint->name,
            o->endpoint->base, s->model ? s->model : "(none)",
            dh_coord_name((enum dh_coord)s->coord));
    *out = &b->brain;
    return DH_OK;
}
