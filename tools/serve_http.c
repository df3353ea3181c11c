#include <arpa/inet.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "tools/late_priv.h"
#include "tools/serve.h"

#define DH_LOG_TAG "serve"
#include "base/log.h"

#define HEADER_BYTES (64 * 1024)
#define PIECE        (32 * 1024)   // of a stream, at most
#define LOOK         (100 * DH_MS) // how long a client's end may go unnoticed
#define PING         (10 * DH_S)
#define FAREWELL     (2 * DH_S)
#define MAX_CODE     600
#define SLOWEST      (64 * 1024) // bytes a second

struct dh_server {
    struct MHD_Daemon *daemon;
    struct dh_slots *slots;
    struct dh_guests *guests;
    struct dh_serve_options o;
    int port;
    struct dh_mutex lock;
    struct dh_cond left; // a visit has ended
    // guarded by lock
    int visits;
    uint64_t codes[MAX_CODE]; // requests by their code
    struct dh_rng rng;
};

// One request of a client, on its connection's thread.
struct visit {
    struct dh_server *s;
    struct MHD_Connection *c;
    struct dh_guest *guest;
    const char *path;
    struct dh_buf body; // overflow: too large
    size_t received;    // of it
    enum dh_serve_api api;
    struct dh_serve_job *job;
    struct dh_serve_stream stream;
    struct dh_buf out; // of a stream, what is not sent yet
    size_t sent;
    char id[17];
    int code;
    int64_t start;
};

// --- time -------------------------------------------------------------------

// From `start` on there is time for `bytes` of a slow client.
static void allow(struct dh_server *s, struct dh_guest *g, int64_t start,
                  size_t bytes)
{
    double s_left = s->o.idle_s + (double)bytes / SLOWEST;
    dh_guest_allow(g, start + (int64_t)(s_left * 1e9));
}

static void on_connection(void *user, struct MHD_Connection *c, void **guest,
                          enum MHD_ConnectionNotificationCode what)
{
    struct dh_server *s = user;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        dh_guests_remove(s->guests, *guest);
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    *guest = dh_guests_add(s->guests, info->connect_fd);
    allow(s, *guest, dh_now_ns(), 0);
}

// --- answers ----------------------------------------------------------------

static void end_visit(struct dh_server *s, int code)
{
    dh_mutex_lock(&s->lock);
    s->codes[DH_CLAMP(code, 0, MAX_CODE - 1)]++;
    s->visits--;
    dh_cond_broadcast(&s->left);
    dh_mutex_unlock(&s->lock);
}

static enum MHD_Result send_text(struct visit *v, int code, const char *type,
                                 const struct dh_buf *text)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(
        text->len, text->data, MHD_RESPMEM_MUST_COPY);
    if (!r)
        return MHD_NO;
    v->code = code;
    allow(v->s, v->guest, dh_now_ns(), text->len);
    MHD_add_response_header(r, "Content-Type", type);
    MHD_add_response_header(r, "X-Request-Id", v->id);
    if (code == 401)
        MHD_add_response_header(r, "WWW-Authenticate", "Bearer");
    if (code == 429 || code == 503)
        MHD_add_response_header(r, "Retry-After", "1");
    if (code == 405)
        MHD_add_response_header(r, "Allow", "GET, POST");
    enum MHD_Result ok = MHD_queue_response(v->c, (unsigned)code, r);
    MHD_destroy_response(r);
    return ok;
}

static enum MHD_Result send_error(struct visit *v, int code, const char *text)
{
    struct dh_buf out;
    dh_buf_init(&out, 8192);
    dh_serve_reply_error(v->api, code, text, &out);
    enum MHD_Result ok = send_text(v, code, "application/json", &out);
    dh_buf_finish(&out);
    return ok;
}

// --- who may come in --------------------------------------------------------

// Takes as long whatever is wrong with it.
static bool is_same(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    unsigned different = n != m;
    for (size_t i = 0; i < m; i++)
        different |= (unsigned char)a[n ? i % n : 0] ^ (unsigned char)b[i];
    return !different;
}

static bool may_come_in(const struct visit *v)
{
    const char *token = v->s->o.token;
    const char *auth =
        MHD_lookup_connection_value(v->c, MHD_HEADER_KIND, "Authorization");
    const char *key =
        MHD_lookup_connection_value(v->c, MHD_HEADER_KIND, "x-api-key");
    if (!token)
        return true;
    if (auth && dh_str_is_nocase(dh_str_sub(dh_str_of(auth), 0,
                                            DH_MIN(strlen(auth), (size_t)7)),
                                 "bearer "))
        key = auth + 7;
    return key && is_same(key, token);
}

// --- a question -------------------------------------------------------------

static bool client_is_gone(const struct visit *v)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(v->c, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (!info)
        return false;
    struct pollfd at = { .fd = info->connect_fd, .events = POLLRDHUP };
    return poll(&at, 1, 0) > 0 &&
           (at.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

// With the job's lock held: until it is done or has something new, or the
// client has gone (false).
static bool wait_for_job(struct visit *v, bool whole, int64_t until)
{
    struct dh_serve_job *job = v->job;
    size_t reasoning = job->reply.reasoning.len, content = job->content_end;
    while (!job->done) {
        bool news = job->reply.reasoning.len != reasoning ||
                    job->content_end != content;
        int64_t now = dh_now_ns();
        if (!whole && (news || now >= until))
            break;
        dh_cond_wait_until(&job->changed, &job->lock, now + LOOK);
        if (!job->done && client_is_gone(v))
            return false;
    }
    return true;
}

// What is wrong with a question is told by the code, so it has to be known
// before the head is sent: by the first word of a stream, or the end. False:
// *sent is what came of it instead.
static bool is_fine(struct visit *v, bool whole, enum MHD_Result *sent)
{
    struct dh_serve_job *job = v->job;
    dh_mutex_lock(&job->lock);
    bool there = wait_for_job(v, whole, dh_now_ns() + PING);
    enum dh_status st = job->done ? job->status : DH_OK;
    dh_mutex_unlock(&job->lock);
    if (!there) {
        v->code = 499;
        *sent = MHD_NO;
    } else if (st) {
        *sent = send_error(v, dh_serve_code_of(st), dh_serve_text_of(st));
    }
    return there && !st;
}

static enum MHD_Result answer_whole(struct visit *v)
{
    struct dh_serve_job *job = v->job;
    struct dh_buf out;
    dh_buf_init(&out, (size_t)64 << 20);
    dh_serve_reply_whole(job, v->s->o.model, v->id, &out);
    enum MHD_Result ok = send_text(v, 200, "application/json", &out);
    dh_buf_finish(&out);
    return ok;
}

// The library asks for more. It may wait here, on the connection's own thread.
static ssize_t read_stream(void *user, uint64_t pos, char *to, size_t max)
{
    struct visit *v = user;
    struct dh_serve_job *job = v->job;
    (void)pos;
    if (v->sent == v->out.len) {
        if (v->stream.ended)
            return MHD_CONTENT_READER_END_OF_STREAM;
        dh_buf_clear(&v->out);
        v->sent = 0;
        dh_mutex_lock(&job->lock);
        bool first = !v->stream.begun;
        dh_guest_allow(v->guest, INT64_MAX);
        bool there = first || wait_for_job(v, false, dh_now_ns() + PING);
        if (there)
            dh_serve_reply_stream(&v->stream, job, &v->out);
        dh_mutex_unlock(&job->lock);
        if (!there) {
            v->code = 499;
            return MHD_CONTENT_READER_END_WITH_ERROR;
        }
        if (!v->out.len)
            dh_buf_puts(&v->out, ": still here\n\n");
    }
    size_t n = DH_MIN(max, v->out.len - v->sent);
    allow(v->s, v->guest, dh_now_ns(), n);
    memcpy(to, v->out.data + v->sent, n);
    v->sent += n;
    return (ssize_t)n;
}

static enum MHD_Result answer_stream(struct visit *v)
{
    v->stream.model = v->s->o.model;
    v->stream.id = v->id;
    struct MHD_Response *r = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, PIECE, read_stream, v, NULL);
    if (!r)
        return MHD_NO;
    v->code = 200;
    allow(v->s, v->guest, dh_now_ns(), 0);
    MHD_add_response_header(r, "Content-Type", "text/event-stream");
    MHD_add_response_header(r, "Cache-Control", "no-cache");
    MHD_add_response_header(r, "X-Request-Id", v->id);
    enum MHD_Result ok = MHD_queue_response(v->c, 200, r);
    MHD_destroy_response(r);
    return ok;
}

static enum MHD_Result answer_question(struct visit *v)
{
    struct dh_serve_request request;
    struct dh_diag diag = { 0 };
    if (v->body.overflow)
        return send_error(v, 413, "the body is too large");
    enum dh_status st =
        dh_serve_request_read(&request, v->api, dh_buf_text(&v->body),
                              v->body.len, &v->s->o.limits, &diag);
    // Megabytes of pictures are not needed twice.
    dh_buf_finish(&v->body);
    if (st) {
        dh_serve_request_finish(&request);
        return send_error(v, 400, diag.text);
    }
    bool stream = request.stream;
    enum MHD_Result sent;
    dh_guest_allow(v->guest, INT64_MAX);
    v->job = dh_slots_ask(v->s->slots, &request);
    if (!v->job) {
        dh_serve_request_finish(&request);
        return send_error(v, 429, "too many questions wait already");
    }
    if (!is_fine(v, !stream, &sent))
        return sent;
    return stream ? answer_stream(v) : answer_whole(v);
}

// --- the rest ---------------------------------------------------------------

static enum MHD_Result answer_models(struct visit *v)
{
    struct dh_json_writer w;
    struct dh_buf out;
    dh_buf_init(&out, 1 << 20);
    dh_jw_init(&w, &out);
    dh_jw_object(&w, NULL);
    dh_jw_text(&w, "object", "list");
    dh_jw_array(&w, "data");
    dh_jw_object(&w, NULL);
    dh_jw_text(&w, "id", v->s->o.model);
    dh_jw_text(&w, "object", "model");
    dh_jw_i64(&w, "created", 0);
    dh_jw_text(&w, "owned_by", "deskhand");
    dh_jw_object(&w, "deskhand");
    dh_profile_put(dh_slots_get_profile(v->s->slots), &w);
    dh_jw_end_object(&w);
    dh_jw_end_object(&w);
    dh_jw_end_array(&w);
    dh_jw_end_object(&w);
    enum MHD_Result ok = send_text(v, 200, "application/json", &out);
    dh_buf_finish(&out);
    return ok;
}

static void put_metric(struct dh_buf *out, const char *name, const char *type,
                       const char *help, double value)
{
    dh_buf_printf(out,
                  "# HELP deskhand_%s %s\n# TYPE deskhand_%s %s\n"
                  "deskhand_%s %.10g\n",
                  name, help, name, type, name, value);
}

static void put_stages(struct dh_buf *out, const struct dh_slots_stats *t)
{
    const struct {
        const char *name;
        double s;
    } stages[] = { { "wait", t->waited_s },
                   { "preprocess", t->preprocess_s },
                   { "vision", t->vision_s },
                   { "prefill", t->prefill_s },
                   { "decode", t->decode_s } };
    dh_buf_puts(out, "# HELP deskhand_stage_seconds_total Time by stage\n"
                     "# TYPE deskhand_stage_seconds_total counter\n");
    for (size_t i = 0; i < DH_COUNTOF(stages); i++)
        dh_buf_printf(out, "deskhand_stage_seconds_total{stage=\"%s\"} %.6f\n",
                      stages[i].name, stages[i].s);
}

static void put_codes(struct dh_server *s, struct dh_buf *out)
{
    dh_buf_puts(out, "# HELP deskhand_requests_total Requests by HTTP code\n"
                     "# TYPE deskhand_requests_total counter\n");
    dh_mutex_lock(&s->lock);
    for (int i = 0; i < MAX_CODE; i++) {
        if (s->codes[i])
            dh_buf_printf(out, "deskhand_requests_total{code=\"%d\"} %llu\n", i,
                          (unsigned long long)s->codes[i]);
    }
    dh_mutex_unlock(&s->lock);
}

static void put_reads(struct dh_buf *out, const struct dh_slots *slots)
{
    struct dh_model_reads r;
    if (!dh_slots_get_reads(slots, &r))
        return;
    put_metric(out, "experts_found_total", "counter",
               "Experts that were in memory", (double)r.hits);
    put_metric(out, "experts_read_total", "counter",
               "Experts that were read from the disk", (double)r.misses);
    put_metric(out, "experts_read_bytes_total", "counter", "Bytes of them",
               (double)r.bytes);
    put_metric(out, "experts_wait_seconds_total", "counter",
               "Time that questions waited for them", r.wait_s);
}

static enum MHD_Result answer_metrics(struct visit *v)
{
    struct dh_slots_stats t;
    struct rusage usage;
    struct dh_buf out;
    dh_buf_init(&out, 1 << 20);
    dh_slots_get_stats(v->s->slots, &t);
    put_codes(v->s, &out);
    put_metric(&out, "questions_total", "counter", "Questions that ended",
               (double)t.questions);
    put_metric(&out, "questions_failed_total", "counter",
               "Of them, in an error", (double)t.failed);
    put_metric(&out, "questions_abandoned_total", "counter",
               "Questions whose client went away", (double)t.abandoned);
    put_metric(&out, "prompt_tokens_total", "counter", "Tokens of questions",
               (double)t.prompt_tokens);
    put_metric(&out, "cached_tokens_total", "counter",
               "Of them, known from before", (double)t.cached_tokens);
    put_metric(&out, "answer_tokens_total", "counter", "Tokens of answers",
               (double)t.answer_tokens);
    put_metric(&out, "answer_passes_total", "counter",
               "Passes over the weights for them, by question",
               (double)t.passes);
    put_metric(&out, "answer_passes_shared_total", "counter",
               "Of them, with those of other questions",
               (double)t.shared_passes);
    put_metric(&out, "answer_tokens_guessed_total", "counter",
               "Tokens that were guessed (--draft)", (double)t.guessed);
    put_metric(&out, "answer_tokens_guessed_right_total", "counter",
               "Of them, those that stayed", (double)t.guessed_right);
    put_stages(&out, &t);
    put_metric(&out, "slots", "gauge", "Timelines", t.slots);
    put_metric(&out, "slots_busy", "gauge", "Timelines at work", t.busy);
    put_metric(&out, "queue_length", "gauge", "Questions that wait", t.waiting);
    put_reads(&out, v->s->slots);
    getrusage(RUSAGE_SELF, &usage);
    put_metric(&out, "process_peak_memory_bytes", "gauge",
               "Most memory that was resident", (double)usage.ru_maxrss * 1024);
    enum MHD_Result ok = send_text(v, 200, "text/plain; version=0.0.4", &out);
    dh_buf_finish(&out);
    return ok;
}

static enum MHD_Result answer_health(struct visit *v)
{
    struct dh_buf out;
    dh_buf_init(&out, 100);
    dh_buf_puts(&out, "{\"status\":\"ok\"}");
    enum MHD_Result ok = send_text(v, 200, "application/json", &out);
    dh_buf_finish(&out);
    return ok;
}

// --- the library's side -----------------------------------------------------

static const struct door {
    const char *method, *path;
    bool open; // to everybody
    enum MHD_Result (*answer)(struct visit *v);
    enum dh_serve_api api;
} doors[] = {
    { "POST", "/v1/chat/completions", false, answer_question, DH_SERVE_CHAT },
    { "POST", "/v1/messages", false, answer_question, DH_SERVE_MESSAGES },
    { "GET", "/v1/models", false, answer_models, DH_SERVE_CHAT },
    { "GET", "/health", true, answer_health, DH_SERVE_CHAT },
    { "GET", "/metrics", false, answer_metrics, DH_SERVE_CHAT },
};

// NULL: an error was sent.
static const struct door *find_door(struct visit *v, const char *method,
                                    const char *path, enum MHD_Result *sent)
{
    bool other = false;
    for (size_t i = 0; i < DH_COUNTOF(doors); i++) {
        if (strcmp(doors[i].path, path) != 0)
            continue;
        v->api = doors[i].api;
        other = true;
        if (strcmp(doors[i].method, method) != 0)
            continue;
        if (doors[i].open || may_come_in(v))
            return &doors[i];
        *sent = send_error(v, 401,
                           "a token is needed, as Authorization: "
                           "Bearer TOKEN or x-api-key");
        return NULL;
    }
    *sent = other ? send_error(v, 405, "this method is not for that path")
                  : send_error(v, 404,
                               "there is nothing here; see "
                               "/v1/chat/completions, /v1/messages, "
                               "/v1/models, /health, /metrics");
    return NULL;
}

static struct visit *begin_visit(struct dh_server *s, struct MHD_Connection *c,
                                 const char *path)
{
    struct visit *v;
    dh_new(v);
    v->s = s;
    v->c = c;
    v->guest = MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
                   ->socket_context;
    v->path = path;
    v->start = dh_now_ns();
    allow(s, v->guest, v->start, 0);
    dh_buf_init(&v->body, s->o.limits.body);
    dh_buf_init(&v->out, (size_t)16 << 20);
    dh_mutex_lock(&s->lock);
    s->visits++;
    snprintf(v->id, sizeof v->id, "%016llx",
             (unsigned long long)dh_rng_next(&s->rng));
    dh_mutex_unlock(&s->lock);
    return v;
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *c,
                                  const char *path, const char *method,
                                  const char *version, const char *data,
                                  size_t *size, void **con)
{
    enum MHD_Result sent = MHD_YES;
    struct visit *v = *con;
    (void)version;
    if (!v) {
        *con = v = begin_visit(user, c, path);
        // Whoever may not come in need not send a body first.
        return find_door(v, method, path, &sent) ? MHD_YES : sent;
    }
    if (*size) {
        v->received += *size;
        allow(v->s, v->guest, v->start, v->received);
        dh_buf_put(&v->body, data, *size);
        *size = 0;
        return MHD_YES;
    }
    const struct door *door = find_door(v, method, path, &sent);
    return door ? door->answer(v) : sent;
}

static void on_end(void *user, struct MHD_Connection *c, void **con,
                   enum MHD_RequestTerminationCode why)
{
    struct visit *v = *con;
    (void)user;
    (void)c;
    if (!v)
        return;
    if (why != MHD_REQUEST_TERMINATED_COMPLETED_OK && v->code == 200)
        v->code = 499;
    if (v->job && v->job->done)
        dh_info("%s %s: %d, %.0f ms, %d tokens in, %d cached, %d out", v->id,
                v->path, v->code, (double)(dh_now_ns() - v->start) / 1e6,
                v->job->usage.prompt_tokens, v->job->usage.cached_tokens,
                v->job->usage.answer_tokens);
    else
        dh_info("%s %d, %.0f ms", v->id, v->code,
                (double)(dh_now_ns() - v->start) / 1e6);
    end_visit(v->s, v->code);
    allow(v->s, v->guest, dh_now_ns(), 0);
    if (v->job)
        dh_slots_leave(v->s->slots, v->job);
    dh_buf_finish(&v->body);
    dh_buf_finish(&v->out);
    dh_free(v);
    *con = NULL;
}

static void on_log(void *user, const char *fmt, va_list ap)
{
    char text[512];
    (void)user;
    vsnprintf(text, sizeof text, fmt, ap);
    text[strcspn(text, "\n")] = 0;
    dh_debug("%s", text);
}

// --- the address ------------------------------------------------------------

// "HOST:PORT" or "[HOST]:PORT" or "PORT".
static bool read_address(const char *text, struct sockaddr_storage *out)
{
    char host[256] = "127.0.0.1", port[16];
    const char *colon = strrchr(text, ':');
    const char *at = colon ? colon + 1 : text;
    struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                              .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    if (strlen(at) >= sizeof port ||
        (colon && (size_t)(colon - text) >= sizeof host))
        return false;
    snprintf(port, sizeof port, "%s", at);
    if (colon && colon > text) {
        bool bracket = text[0] == '[' && colon[-1] == ']';
        snprintf(host, sizeof host, "%.*s",
                 (int)(colon - text) - (bracket ? 2 : 0),
                 text + (bracket ? 1 : 0));
    }
    const char *name = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    if (getaddrinfo(name, port, &hints, &found) || !found)
        return false;
    memcpy(out, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return true;
}

static bool is_loopback(const struct sockaddr_storage *a)
{
    if (a->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)a;
        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    const struct sockaddr_in6 *in6 = (const void *)a;
    return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

static enum dh_status listen_at(struct dh_server *s)
{
    struct sockaddr_storage address = { 0 };
    if (!read_address(s->o.listen, &address)) {
        dh_error("--listen=%s: an address such as 127.0.0.1:8080 is expected",
                 s->o.listen);
        return DH_ERR_USAGE;
    }
    if (!s->o.token && !is_loopback(&address)) {
        dh_error("others could use %s; give them a token with --token-file, or "
                 "listen at 127.0.0.1",
                 s->o.listen);
        return DH_ERR_USAGE;
    }
    enum dh_status st = dh_late_load(&dh_late_microhttpd);
    if (st)
        return st;
    unsigned flags = MHD_USE_THREAD_PER_CONNECTION |
                     MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ERROR_LOG;
    if (address.ss_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    s->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, on_log,
        NULL, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)s->o.connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HEADER_BYTES, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
        MHD_OPTION_NOTIFY_COMPLETED, on_end, s, MHD_OPTION_END);
    if (!s->daemon) {
        dh_error("cannot listen at %s; is the port taken?", s->o.listen);
        return DH_ERR_IO;
    }
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT);
    s->port = info ? info->port : 0;
    return DH_OK;
}

enum dh_status dh_server_start(struct dh_server **out, struct dh_slots *slots,
                               const struct dh_serve_options *o)
{
    struct dh_server *s;
    dh_new(s);
    s->slots = slots;
    s->o = *o;
    dh_mutex_init(&s->lock);
    dh_cond_init(&s->left);
    dh_rng_init(&s->rng, (uint64_t)dh_realtime_ns());
    s->guests = dh_guests_create();
    enum dh_status st = listen_at(s);
    if (st) {
        dh_guests_destroy(s->guests);
        dh_cond_finish(&s->left);
        dh_mutex_finish(&s->lock);
        dh_free(s);
        return st;
    }
    *out = s;
    return DH_OK;
}

int dh_server_get_port(const struct dh_server *s)
{
    return s->port;
}

void dh_server_watch(struct dh_server *s)
{
    dh_guests_watch(s->guests);
}

void dh_server_stop(struct dh_server *s)
{
    if (!s)
        return;
    // Who waits for an answer is told that there is none, and has a moment to
    // hear it.
    MHD_socket door = MHD_quiesce_daemon(s->daemon);
    int64_t until = dh_now_ns() + FAREWELL;
    dh_mutex_lock(&s->lock);
    while (s->visits && dh_cond_wait_until(&s->left, &s->lock, until))
        ;
    dh_mutex_unlock(&s->lock);
    MHD_stop_daemon(s->daemon);
    if (door != MHD_INVALID_SOCKET)
        close(door);
    dh_guests_destroy(s->guests);
    dh_cond_finish(&s->left);
    dh_mutex_finish(&s->lock);
    dh_free(s);
}
