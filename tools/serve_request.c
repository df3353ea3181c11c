#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/mem.h"
#include "base/str.h"
#include "capture/frame.h"
#include "capture/jpeg.h"
#include "capture/png.h"
#include "tools/serve.h"

// Parts, calls and texts that one request may have.
#define MAX_PARTS    4096
#define MAX_FRAMES   768 // of a video
#define MAX_MESSAGES 4096
// Of all its pictures: a small file may be a large picture.
#define MAX_PIXELS   ((int64_t)64 << 20)

struct reader {
    struct dh_serve_request *r;
    const struct dh_serve_limits *limits;
    struct dh_diag *diag;
    enum dh_status status;
    int64_t pixels; // of the pictures so far
};

DH_PRINTF(3, 4)
static bool fail(struct reader *x, enum dh_status st, const char *fmt, ...)
{
    char text[160];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (!x->status) {
        dh_diag_set(x->diag, 0, "%s", text);
        x->status = st;
    }
    return false;
}

static const char *text_of(const struct dh_json *o, const char *key)
{
    const struct dh_json *v = dh_json_find(o, key);
    return v ? dh_json_text(v) : "";
}

static bool is_kind(const struct dh_json *v, enum dh_json_kind kind)
{
    return v && dh_json_kind(v) == kind;
}

// --- content ----------------------------------------------------------------

static bool add_part(struct reader *x, enum dh_part_kind kind, const char *text)
{
    struct dh_serve_request *r = x->r;
    if (r->n_parts == MAX_PARTS)
        return fail(x, DH_ERR_RANGE, "more than %d parts", MAX_PARTS);
    r->parts[r->n_parts++] = (struct dh_part){ kind, text };
    r->messages[r->n_messages - 1].n_parts++;
    return true;
}

static bool add_picture(struct reader *x, const char *type,
                        struct dh_str base64)
{
    struct dh_serve_request *r = x->r;
    struct dh_buf bytes;
    struct dh_diag diag = { 0 };
    struct dh_frame *f = NULL;
    enum dh_status st = DH_ERR_FORMAT;
    if (r->n_images == (size_t)x->limits->images)
        return fail(x, DH_ERR_RANGE, "more than %d pictures",
                    x->limits->images);
    dh_buf_init(&bytes, x->limits->body);
    bool read = dh_base64_read(&bytes, base64.p, base64.n);
    // The bytes tell what it is; some clients name another type.
    if (read && bytes.len > 2 && memcmp(bytes.data, "\xff\xd8", 2) == 0)
        st = dh_jpeg_decode(bytes.data, bytes.len, &f, &diag);
    else if (read && bytes.len)
        st = dh_png_decode(bytes.data, bytes.len, &f, &diag);
    dh_buf_finish(&bytes);
    if (st)
        return fail(x, st == DH_ERR_RANGE ? st : DH_ERR_FORMAT,
                    "a picture (%.20s) cannot be read: %.80s", type,
                    read ? diag.text : "it is no base64");
    r->images[r->n_images++] = f;
    x->pixels += (int64_t)f->width * f->height;
    if (x->pixels > MAX_PIXELS)
        return fail(x, DH_ERR_RANGE, "more than %d million pixels",
                    (int)(MAX_PIXELS / 1000000));
    return add_part(x, DH_PART_IMAGE, NULL);
}

// A file that is in memory alone; -1 where there is none to be had.
static int file_of(const struct dh_buf *bytes)
{
    int fd = memfd_create("video", MFD_CLOEXEC);
    size_t done = 0;
    while (fd >= 0 && done < bytes->len) {
        ssize_t n = write(fd, bytes->data + done, bytes->len - done);
        if (n <= 0) {
            close(fd);
            return -1;
        }
        done += (size_t)n;
    }
    return fd;
}

static enum dh_status read_video(const struct reader *x,
                                 const struct dh_buf *bytes, double fps,
                                 struct dh_video_sample *out)
{
    struct dh_video_sampling how = { .fps = fps,
                                     .max_frames = MAX_FRAMES,
                                     .max_pixels = MAX_PIXELS - x->pixels };
    char path[64];
    int fd = file_of(bytes);
    if (fd < 0)
        return DH_ERR_NOMEM;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    enum dh_status st = dh_video_sample_read(out, path, &how);
    close(fd);
    return st;
}

static bool add_video(struct reader *x, struct dh_str base64, double fps)
{
    struct dh_serve_request *r = x->r;
    struct dh_buf bytes;
    enum dh_status st = DH_ERR_FORMAT;
    if (r->n_videos == DH_SERVE_MAX_VIDEOS)
        return fail(x, DH_ERR_RANGE, "more than %d videos",
                    DH_SERVE_MAX_VIDEOS);
    struct dh_video_sample *v = &r->samples[r->n_videos];
    dh_buf_init(&bytes, x->limits->body);
    if (dh_base64_read(&bytes, base64.p, base64.n) && bytes.len)
        st = read_video(x, &bytes, DH_CLAMP(fps, 0.2, 5), v);
    dh_buf_finish(&bytes);
    if (st)
        return fail(x, st == DH_ERR_RANGE ? st : DH_ERR_FORMAT,
                    "a video cannot be read: %s", dh_status_name(st));
    r->videos[r->n_videos++] =
        (struct dh_brain_video){ v->frames, v->seconds, (int)v->n };
    x->pixels += (int64_t)v->n * v->frames[0]->width * v->frames[0]->height;
    return add_part(x, DH_PART_VIDEO, NULL);
}

// "data:image/png;base64,...": its type and what is behind the comma. The
// server fetches nothing by itself.
static bool read_data_url(struct reader *x, const char *url, char type[64],
                          struct dh_str *base64)
{
    struct dh_str s = dh_str_of(url);
    ptrdiff_t comma = dh_str_find(s, ",", 0);
    if (!dh_str_starts(s, "data:") || comma < 0 ||
        !dh_str_ends(dh_str_sub(s, 0, (size_t)comma), ";base64"))
        return fail(x, DH_ERR_FORMAT,
                    "pictures and videos must come as data: "
                    "addresses in base64");
    snprintf(type, 64, "%.*s", (int)DH_MIN(comma - 5, 60), s.p + 5);
    *base64 = dh_str_sub(s, (size_t)comma + 1, s.n);
    return true;
}

static bool add_url(struct reader *x, const char *url)
{
    char type[64];
    struct dh_str base64;
    return read_data_url(x, url, type, &base64) && add_picture(x, type, base64);
}

static double fps_of(const struct dh_json *o)
{
    const struct dh_json *fps = dh_json_find(o, "fps");
    return fps && dh_json_number(fps) > 0 ? dh_json_number(fps) : 1;
}

static bool add_video_url(struct reader *x, const struct dh_json *o)
{
    char type[64];
    struct dh_str base64;
    return read_data_url(x, text_of(o, "url"), type, &base64) &&
           add_video(x, base64, fps_of(o));
}

static bool read_item(struct reader *x, const struct dh_json *e)
{
    const char *type = text_of(e, "type");
    const struct dh_json *url = dh_json_find(e, "image_url");
    const struct dh_json *source = dh_json_find(e, "source");
    if (strcmp(type, "text") == 0 || strcmp(type, "input_text") == 0)
        return add_part(x, DH_PART_TEXT, text_of(e, "text"));
    if (strcmp(type, "image_url") == 0)
        return add_url(x, is_kind(url, DH_JSON_OBJECT)
                              ? text_of(url, "url")
                              : text_of(e, "image_url"));
    if (strcmp(type, "video_url") == 0)
        return add_video_url(x, dh_json_find(e, "video_url"));
    if (strcmp(type, "image") == 0 || strcmp(type, "video") == 0) {
        if (strcmp(text_of(source, "type"), "base64") != 0)
            return fail(x, DH_ERR_FORMAT,
                        "pictures and videos must come as base64");
        if (type[0] == 'v')
            return add_video(x, dh_str_of(text_of(source, "data")), fps_of(e));
        return add_picture(x, text_of(source, "media_type"),
                           dh_str_of(text_of(source, "data")));
    }
    return fail(x, DH_ERR_UNSUPPORTED, "content of type \"%.40s\" is not known",
                type);
}

// A text, or a list of parts.
static bool read_content(struct reader *x, const struct dh_json *v)
{
    if (!v || dh_json_kind(v) == DH_JSON_NULL)
        return true;
    if (dh_json_kind(v) == DH_JSON_STRING)
        return add_part(x, DH_PART_TEXT, dh_json_text(v));
    if (dh_json_kind(v) != DH_JSON_ARRAY)
        return fail(x, DH_ERR_FORMAT, "content is a text or a list");
    for (const struct dh_json *e = dh_json_first(v); e; e = dh_json_next(e)) {
        if (!read_item(x, e))
            return false;
    }
    return true;
}

// --- messages ---------------------------------------------------------------

static bool begin(struct reader *x, enum dh_role role)
{
    struct dh_serve_request *r = x->r;
    if (r->n_messages == MAX_MESSAGES)
        return fail(x, DH_ERR_RANGE, "more than %d messages", MAX_MESSAGES);
    r->messages[r->n_messages++] =
        (struct dh_message){ .role = role, .parts = r->parts + r->n_parts };
    return true;
}

static bool add_call(struct reader *x, const char *name,
                     const struct dh_json *arguments)
{
    struct dh_serve_request *r = x->r;
    struct dh_message *m = &r->messages[r->n_messages - 1];
    struct dh_diag diag = { 0 };
    if (r->n_calls == MAX_PARTS)
        return fail(x, DH_ERR_RANGE, "more than %d calls", MAX_PARTS);
    struct dh_json *parsed = NULL;
    if (is_kind(arguments, DH_JSON_STRING)) {
        const char *text = dh_json_text(arguments);
        parsed = dh_json_parse(text[0] ? text : "{}",
                               text[0] ? strlen(text) : 2, &diag);
        arguments = parsed;
    }
    r->arguments[r->n_calls] = parsed;
    if (!m->n_calls)
        m->calls = r->calls + r->n_calls;
    r->calls[r->n_calls++] = (struct dh_tool_call){ name, arguments };
    m->n_calls++;
    if (!is_kind(arguments, DH_JSON_OBJECT))
        return fail(x, DH_ERR_FORMAT,
                    "the arguments of the call of %.40s are no object", name);
    return true;
}

static bool read_calls(struct reader *x, const struct dh_json *calls)
{
    for (const struct dh_json *c = dh_json_first(calls); c;
         c = dh_json_next(c)) {
        const struct dh_json *f = dh_json_find(c, "function");
        if (!add_call(x, text_of(f, "name"), dh_json_find(f, "arguments")))
            return false;
    }
    return true;
}

static void set_reasoning(struct reader *x, const char *text)
{
    if (text[0])
        x->r->messages[x->r->n_messages - 1].reasoning = text;
}

static bool role_of(const char *name, enum dh_role *out)
{
    static const struct {
        const char *name;
        enum dh_role role;
    } roles[] = {
        { "root", DH_ROLE_ROOT },           { "system", DH_ROLE_DEVELOPER },
        { "developer", DH_ROLE_DEVELOPER }, { "user", DH_ROLE_USER },
        { "assistant", DH_ROLE_ASSISTANT }, { "tool", DH_ROLE_TOOL }
    };
    for (size_t i = 0; i < DH_COUNTOF(roles); i++) {
        if (strcmp(roles[i].name, name) == 0) {
            *out = roles[i].role;
            return true;
        }
    }
    return false;
}

// The template has one place for instructions, at the beginning; what comes
// there in several messages is put together.
static bool begin_or_join(struct reader *x, enum dh_role role)
{
    struct dh_serve_request *r = x->r;
    struct dh_message *last =
        r->n_messages ? &r->messages[r->n_messages - 1] : NULL;
    if (role != DH_ROLE_DEVELOPER && role != DH_ROLE_ROOT)
        return begin(x, role);
    if (last && role == DH_ROLE_DEVELOPER && last->role == role)
        return add_part(x, DH_PART_TEXT, "\n\n");
    if (last && !(last->role == DH_ROLE_ROOT && role == DH_ROLE_DEVELOPER))
        return fail(x, DH_ERR_FORMAT,
                    "instructions (system) stand only at the beginning");
    return begin(x, role);
}

static bool read_chat_message(struct reader *x, const struct dh_json *m)
{
    enum dh_role role;
    const char *reasoning = text_of(m, "reasoning_content");
    if (!role_of(text_of(m, "role"), &role))
        return fail(x, DH_ERR_FORMAT, "role \"%.40s\" is not known",
                    text_of(m, "role"));
    if (!begin_or_join(x, role) || !read_content(x, dh_json_find(m, "content")))
        return false;
    if (role != DH_ROLE_ASSISTANT)
        return true;
    set_reasoning(x, reasoning[0] ? reasoning : text_of(m, "reasoning"));
    return read_calls(x, dh_json_find(m, "tool_calls"));
}

static bool add_tool_result(struct reader *x, const struct dh_json *b)
{
    return begin(x, DH_ROLE_TOOL) &&
           read_content(x, dh_json_find(b, "content"));
}

// Blocks of one message become several: results of tools stand for themselves.
static bool read_blocks(struct reader *x, enum dh_role role,
                        const struct dh_json *blocks)
{
    bool open = false;
    for (const struct dh_json *b = dh_json_first(blocks); b;
         b = dh_json_next(b)) {
        const char *type = text_of(b, "type");
        if (strcmp(type, "tool_result") == 0) {
            open = false;
            if (!add_tool_result(x, b))
                return false;
            continue;
        }
        if (!open && !begin(x, role))
            return false;
        open = true;
        bool ok = true;
        if (strcmp(type, "thinking") == 0)
            set_reasoning(x, text_of(b, "thinking"));
        else if (strcmp(type, "tool_use") == 0)
            ok = add_call(x, text_of(b, "name"), dh_json_find(b, "input"));
        else if (strcmp(type, "redacted_thinking") != 0)
            ok = read_item(x, b);
        if (!ok)
            return false;
    }
    return true;
}

static bool read_block_message(struct reader *x, const struct dh_json *m)
{
    enum dh_role role;
    const struct dh_json *content = dh_json_find(m, "content");
    if (!role_of(text_of(m, "role"), &role) ||
        (role != DH_ROLE_USER && role != DH_ROLE_ASSISTANT))
        return fail(x, DH_ERR_FORMAT, "role \"%.40s\" is not known",
                    text_of(m, "role"));
    if (is_kind(content, DH_JSON_ARRAY))
        return read_blocks(x, role, content);
    return begin(x, role) && read_content(x, content);
}

static bool read_messages(struct reader *x)
{
    const struct dh_json *o = x->r->json;
    const struct dh_json *list = dh_json_find(o, "messages");
    bool chat = x->r->api == DH_SERVE_CHAT;
    if (!is_kind(list, DH_JSON_ARRAY) || !dh_json_first(list))
        return fail(x, DH_ERR_FORMAT, "messages: a list is expected");
    const struct dh_json *system = chat ? NULL : dh_json_find(o, "system");
    if (system && !(begin(x, DH_ROLE_DEVELOPER) && read_content(x, system)))
        return false;
    for (const struct dh_json *m = dh_json_first(list); m;
         m = dh_json_next(m)) {
        if (!(chat ? read_chat_message : read_block_message)(x, m))
            return false;
    }
    return true;
}

// --- settings ---------------------------------------------------------------

static bool read_number(struct reader *x, const char *key, double lo, double hi,
                        double *out)
{
    const struct dh_json *v = dh_json_find(x->r->json, key);
    if (!v || dh_json_kind(v) == DH_JSON_NULL)
        return false;
    double n = dh_json_number(v);
    if (dh_json_kind(v) != DH_JSON_NUMBER || !(n >= lo && n <= hi))
        return fail(x, DH_ERR_RANGE, "%s: a number from %g to %g is expected",
                    key, lo, hi);
    *out = n;
    return true;
}

static void read_sampling(struct reader *x)
{
    struct dh_serve_request *r = x->r;
    double v;
    if (read_number(x, "temperature", 0, 2, &v)) {
        r->sampling.temperature = (float)v;
        r->has_sampling = true;
    }
    if (read_number(x, "top_p", 0, 1, &v)) {
        r->sampling.top_p = (float)v;
        r->has_sampling = true;
    }
    if (read_number(x, "top_k", 0, 1e6, &v)) {
        r->sampling.top_k = (int)v;
        r->has_sampling = true;
    }
    if (read_number(x, "seed", 0, 9e15, &v))
        r->seed = (uint64_t)v + 1;
    r->max_tokens = 0;
    if (read_number(x, "max_tokens", 1, 1e9, &v))
        r->max_tokens = (int)v;
    if (read_number(x, "max_completion_tokens", 1, 1e9, &v))
        r->max_tokens = (int)v;
    r->max_tokens = DH_MIN(r->max_tokens, x->limits->max_tokens);
}

static bool read_stops(struct reader *x, const char *key)
{
    struct dh_serve_request *r = x->r;
    const struct dh_json *v = dh_json_find(r->json, key);
    if (is_kind(v, DH_JSON_STRING) && dh_json_text(v)[0])
        r->stop[r->n_stop++] = dh_json_text(v);
    for (const struct dh_json *e = is_kind(v, DH_JSON_ARRAY) ? dh_json_first(v)
                                                             : NULL;
         e; e = dh_json_next(e)) {
        if (r->n_stop == DH_SERVE_MAX_STOPS)
            return fail(x, DH_ERR_RANGE, "more than %d stops",
                        DH_SERVE_MAX_STOPS);
        if (dh_json_text(e)[0])
            r->stop[r->n_stop++] = dh_json_text(e);
    }
    return true;
}

static enum dh_thinking thinking_of(const char *name)
{
    if (strcmp(name, "adaptive") == 0)
        return DH_THINKING_ADAPTIVE;
    if (strcmp(name, "enabled") == 0)
        return DH_THINKING_ENABLED;
    return strcmp(name, "disabled") == 0 ? DH_THINKING_DISABLED
                                         : DH_THINKING_UNSET;
}

static void read_thinking(struct reader *x)
{
    const struct dh_json *o = x->r->json;
    const char *field = text_of(dh_json_find(o, "thinking"), "type");
    const char *kwarg =
        text_of(dh_json_find(o, "chat_template_kwargs"), "thinking_mode");
    x->r->thinking = thinking_of(field[0] ? field : kwarg);
}

static void read_form(struct reader *x)
{
    const char *form = text_of(dh_json_find(x->r->json, "deskhand"), "form");
    x->r->form_given = form[0] != 0;
    x->r->form = DH_FORM_FREE;
    if (strcmp(form, "action") == 0)
        x->r->form = DH_FORM_ACTION;
    else if (strcmp(form, "locate") == 0)
        x->r->form = DH_FORM_LOCATE;
    else if (form[0] && strcmp(form, "free") != 0)
        fail(x, DH_ERR_FORMAT, "deskhand.form is free, action or locate");
}

// Both APIs' tools as the template has them.
static void read_tools(struct reader *x)
{
    const struct dh_json *list = dh_json_find(x->r->json, "tools");
    const char *choice = text_of(x->r->json, "tool_choice");
    struct dh_json_writer w;
    struct dh_buf out;
    struct dh_diag diag = { 0 };
    if (!dh_json_first(list) || strcmp(choice, "none") == 0)
        return;
    dh_buf_init(&out, x->limits->body);
    dh_jw_init(&w, &out);
    dh_jw_array(&w, NULL);
    for (const struct dh_json *t = dh_json_first(list); t;
         t = dh_json_next(t)) {
        const struct dh_json *f = dh_json_find(t, "function");
        const struct dh_json *schema =
            f ? dh_json_find(f, "parameters") : dh_json_find(t, "input_schema");
        const struct dh_json *from = f ? f : t;
        struct dh_buf text;
        dh_buf_init(&text, x->limits->body);
        if (schema)
            dh_json_print(schema, &text);
        dh_jw_object(&w, NULL);
        dh_jw_text(&w, "type", "function");
        dh_jw_object(&w, "function");
        dh_jw_text(&w, "name", text_of(from, "name"));
        if (dh_json_find(from, "description"))
            dh_jw_text(&w, "description", text_of(from, "description"));
        dh_jw_raw(&w, "parameters", text.len ? dh_buf_text(&text) : "{}");
        dh_jw_end_object(&w);
        dh_jw_end_object(&w);
        dh_buf_finish(&text);
        if (!text_of(from, "name")[0])
            fail(x, DH_ERR_FORMAT, "a tool has no name");
    }
    dh_jw_end_array(&w);
    x->r->tools = dh_json_parse(dh_buf_text(&out), out.len, &diag);
    dh_buf_finish(&out);
}

// --- hashes -----------------------------------------------------------------

static uint64_t mix(uint64_t h, const void *p, size_t n)
{
    uint64_t both[2] = { h, dh_hash_bytes(p, n) };
    return dh_hash_bytes(both, sizeof both);
}

static uint64_t hash_video(const struct dh_brain_video *v)
{
    uint64_t h = 1;
    for (int i = 0; i < v->n; i++) {
        uint64_t frame = dh_frame_hash(v->frames[i]);
        h = mix(h, &frame, sizeof frame);
    }
    return h;
}

// What a slot compares to find the timeline that has most of a prompt.
static void hash_messages(struct dh_serve_request *r)
{
    uint64_t h = 1;
    size_t image = 0, video = 0;
    dh_array(r->hashes, r->n_messages);
    for (size_t i = 0; i < r->n_messages; i++) {
        const struct dh_message *m = &r->messages[i];
        h = mix(h, &m->role, sizeof m->role);
        for (size_t k = 0; k < m->n_parts; k++) {
            const char *text = m->parts[k].text;
            uint64_t part = text ? dh_hash_bytes(text, strlen(text))
                            : m->parts[k].kind == DH_PART_VIDEO
                                ? hash_video(&r->videos[video++])
                                : dh_frame_hash(r->images[image++]);
            h = mix(h, &part, sizeof part);
        }
        r->hashes[i] = h;
    }
}

enum dh_status dh_serve_request_read(struct dh_serve_request *r,
                                     enum dh_serve_api api, const char *body,
                                     size_t len,
                                     const struct dh_serve_limits *limits,
                                     struct dh_diag *diag)
{
    struct reader x = { .r = r, .limits = limits, .diag = diag };
    memset(r, 0, sizeof *r);
    r->api = api;
    r->json = dh_json_parse(body, len, diag);
    if (!r->json)
        return DH_ERR_FORMAT;
    dh_array(r->messages, MAX_MESSAGES);
    dh_array(r->parts, MAX_PARTS);
    dh_array(r->calls, MAX_PARTS);
    dh_array(r->arguments, MAX_PARTS);
    dh_array(r->images, (size_t)limits->images + 1);
    r->stream = dh_json_is_true(dh_json_find(r->json, "stream"));
    r->include_usage = dh_json_is_true(
        dh_json_find(dh_json_find(r->json, "stream_options"), "include_usage"));
    read_messages(&x);
    read_sampling(&x);
    read_stops(&x, api == DH_SERVE_CHAT ? "stop" : "stop_sequences");
    read_thinking(&x);
    read_form(&x);
    read_tools(&x);
    if (!x.status)
        hash_messages(r);
    return x.status;
}

void dh_serve_request_finish(struct dh_serve_request *r)
{
    for (size_t i = 0; i < r->n_images; i++)
        dh_frame_unref(r->images[i]);
    for (size_t i = 0; i < r->n_calls; i++)
        dh_json_free(r->arguments[i]);
    for (size_t i = 0; i < r->n_videos; i++)
        dh_video_sample_finish(&r->samples[i]);
    dh_free(r->messages);
    dh_free(r->parts);
    dh_free(r->calls);
    dh_free(r->arguments);
    dh_free(r->images);
    dh_free(r->hashes);
    dh_json_free(r->tools);
    dh_json_free(r->json);
    memset(r, 0, sizeof *r);
}
