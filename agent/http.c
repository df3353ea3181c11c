#include "agent/http.h"

#include <curl/curl.h>
#include <string.h>

#include "agent/late_priv.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"

#define DH_LOG_TAG "http"
#include "base/log.h"

#define CONNECT_NS (10 * DH_S)
#define IDLE_NS    (120 * DH_S)
#define TOTAL_NS   (600 * DH_S)
#define MAX_BYTES  ((size_t)64 << 20)
// How long a stop may go unnoticed.
#define LOOK_MS    50

struct dh_http {
    CURLM *multi;
    CURL *easy; // kept, and with it its connections
    struct dh_http_options o;
    char *ca_file;
    char error[CURL_ERROR_SIZE];
};

// One request under way.
struct exchange {
    struct dh_http *h;
    const struct dh_http_request *r;
    struct dh_http_response *out;
    struct dh_buf body;
    size_t received;
    curl_off_t sent;
    int64_t start, last; // when something came last
    bool enough, too_large;
};

enum dh_status dh_http_create(struct dh_http **out,
                              const struct dh_http_options *o)
{
    struct dh_http *h;
    enum dh_status st = dh_late_load(&dh_late_curl);
    if (st)
        return st;
    dh_new(h);
    h->o = *o;
    h->o.connect_ns = o->connect_ns ? o->connect_ns : CONNECT_NS;
    h->o.idle_ns = o->idle_ns ? o->idle_ns : IDLE_NS;
    h->o.total_ns = o->total_ns ? o->total_ns : TOTAL_NS;
    h->o.max_bytes = o->max_bytes ? o->max_bytes : MAX_BYTES;
    h->ca_file = o->ca_file ? dh_strdup(o->ca_file) : NULL;
    h->multi = curl_multi_init();
    h->easy = curl_easy_init();
    if (!h->multi || !h->easy) {
        dh_error("the HTTP library does not start");
        dh_http_destroy(h);
        return DH_ERR_NOMEM;
    }
    *out = h;
    return DH_OK;
}

void dh_http_destroy(struct dh_http *h)
{
    if (!h)
        return;
    if (h->easy)
        curl_easy_cleanup(h->easy);
    if (h->multi)
        curl_multi_cleanup(h->multi);
    dh_free(h->ca_file);
    dh_free(h);
}

// --- what comes back ---------------------------------------------------------

static bool is_well(const struct exchange *x)
{
    long code = 0;
    curl_easy_getinfo(x->h->easy, CURLINFO_RESPONSE_CODE, &code);
    return code >= 200 && code < 300;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *user)
{
    struct exchange *x = user;
    n *= size;
    x->last = dh_now_ns();
    if (!x->received)
        x->out->first_byte_ns = x->last - x->start;
    x->received += n;
    if (x->received > x->h->o.max_bytes) {
        x->too_large = true;
        return CURL_WRITEFUNC_ERROR;
    }
    if (!x->r->on_data || !is_well(x)) {
        dh_buf_put(&x->body, bytes, n);
        return n;
    }
    if (x->r->on_data(x->r->user, bytes, n))
        return n;
    x->enough = true;
    return CURL_WRITEFUNC_ERROR;
}

// Names by which servers tell what a request was called there.
static bool is_request_id(struct dh_str name)
{
    static const char *const names[] = { "x-request-id", "request-id",
                                         "trace-id", "minimax-request-id",
                                         "x-trace-id" };
    for (size_t i = 0; i < DH_COUNTOF(names); i++) {
        if (dh_str_is_nocase(name, names[i]))
            return true;
    }
    return false;
}

static size_t on_header(char *bytes, size_t size, size_t n, void *user)
{
    struct exchange *x = user;
    struct dh_str line = { bytes, n * size };
    ptrdiff_t colon = dh_str_find(line, ":", 0);
    x->last = dh_now_ns();
    if (colon > 0 && !x->out->request_id &&
        is_request_id(dh_str_sub(line, 0, (size_t)colon))) {
        struct dh_str id =
            dh_str_trim(dh_str_sub(line, (size_t)colon + 1, line.n));
        x->out->request_id = dh_strndup(id.p, DH_MIN(id.n, (size_t)128));
    }
    return n * size;
}

// --- the request -------------------------------------------------------------

static void set_options(struct exchange *x, struct curl_slist *headers)
{
    struct dh_http *h = x->h;
    CURL *e = h->easy;
    const struct dh_http_request *r = x->r;
    curl_easy_reset(e);
    h->error[0] = 0;
    curl_easy_setopt(e, CURLOPT_URL, r->url);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, h->error);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    // A redirect is an answer like others: keys go where the user pointed.
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(e, CURLOPT_UNRESTRICTED_AUTH, 0L);
    if (dh_http_is_loopback(r->url))
        curl_easy_setopt(e, CURLOPT_PROXY, "");
    curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
    curl_easy_setopt(e, CURLOPT_USERAGENT, "deskhand/" DH_VERSION);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)(h->o.connect_ns / DH_MS));
    if (h->ca_file)
        curl_easy_setopt(e, CURLOPT_CAINFO, h->ca_file);
    if (r->body) {
        curl_easy_setopt(e, CURLOPT_POST, 1L);
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, r->body);
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->len);
    }
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, x);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, x);
}

static struct curl_slist *make_headers(const struct dh_http_request *r)
{
    // No "Expect: 100-continue": some servers never answer it.
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    for (const char *const *h = r->headers; h && *h; h++) {
        struct curl_slist *longer = curl_slist_append(list, *h);
        list = longer ? longer : list;
    }
    return list;
}

// DH_OK: go on.
static enum dh_status look(struct exchange *x)
{
    int64_t now = dh_now_ns();
    struct dh_diag *why = &x->out->why;
    if (dh_cancel_is_set(x->h->o.cancel) || dh_cancel_is_set(x->r->cancel))
        return DH_ERR_CANCELLED;
    if (now - x->start > x->h->o.total_ns) {
        dh_diag_set(why, 0, "no complete answer within %.0f s",
                    (double)x->h->o.total_ns / 1e9);
        return DH_ERR_TIMEOUT;
    }
    // Sending counts as well: a large picture on a slow line is no silence.
    curl_off_t sent = 0;
    curl_easy_getinfo(x->h->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
    if (sent > x->sent) {
        x->sent = sent;
        x->last = now;
    }
    if (now - x->last > x->h->o.idle_ns) {
        dh_diag_set(why, 0, "the server was silent for %.0f s",
                    (double)x->h->o.idle_ns / 1e9);
        return DH_ERR_TIMEOUT;
    }
    return DH_OK;
}

static bool was_connected(struct exchange *x)
{
    long port = 0;
    curl_easy_getinfo(x->h->easy, CURLINFO_PRIMARY_PORT, &port);
    return port > 0;
}

static enum dh_status status_of(struct exchange *x, CURLcode code)
{
    struct dh_diag *why = &x->out->why;
    if (x->enough)
        return DH_OK;
    if (x->too_large) {
        dh_diag_set(why, 0, "the answer is larger than %zu MiB",
                    x->h->o.max_bytes >> 20);
        return DH_ERR_RANGE;
    }
    const char *detail =
        x->h->error[0] ? x->h->error : curl_easy_strerror(code);
    switch ((int)code) {
    case CURLE_OK: return DH_OK;
    case CURLE_OPERATION_TIMEDOUT:
        dh_diag_set(why, 0,
                    "no connection within %.0f s; is the address right?",
                    (double)x->h->o.connect_ns / 1e9);
        return DH_ERR_TIMEOUT;
    case CURLE_COULDNT_CONNECT:
        dh_diag_set(why, 0, "%s; is the server running?", detail);
        break;
    case CURLE_COULDNT_RESOLVE_HOST:
        dh_diag_set(why, 0, "%s; is the address right?", detail);
        break;
    case CURLE_PEER_FAILED_VERIFICATION:
        dh_diag_set(why, 0,
                    "%s; a certificate of your own is trusted with --ca-file",
                    detail);
        break;
    case CURLE_SSL_CACERT_BADFILE:
        dh_diag_set(
            why, 0,
            "%s; install ca-certificates, or name a file with --ca-file",
            detail);
        break;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        if (was_connected(x)) {
            dh_diag_set(why, 0, "what answers there speaks no HTTP: %s",
                        detail);
            break;
        }
        dh_diag_set(why, 0, "the address is not one of HTTP: %s", detail);
        return DH_ERR_USAGE;
    case CURLE_OUT_OF_MEMORY: return DH_ERR_NOMEM;
    default: dh_diag_set(why, 0, "%s", detail); break;
    }
    return DH_ERR_IO;
}

static enum dh_status drive(struct exchange *x)
{
    int running = 1, left;
    enum dh_status st = DH_OK;
    while (running && !st) {
        if (curl_multi_perform(x->h->multi, &running))
            return DH_ERR_IO;
        if (!running)
            break;
        st = look(x);
        if (!st)
            curl_multi_poll(x->h->multi, NULL, 0, LOOK_MS, NULL);
    }
    CURLMsg *m;
    while (!st && (m = curl_multi_info_read(x->h->multi, &left))) {
        if (m->msg == CURLMSG_DONE)
            return status_of(x, m->data.result);
    }
    return st;
}

static void fill(struct exchange *x)
{
    struct dh_http_response *out = x->out;
    CURL *e = x->h->easy;
    long code = 0;
    char *type = NULL;
    curl_off_t wait = 0;
    curl_easy_getinfo(e, CURLINFO_RESPONSE_CODE, &code);
    out->code = (int)code;
    if (!curl_easy_getinfo(e, CURLINFO_CONTENT_TYPE, &type) && type)
        out->content_type = dh_strdup(type);
    if (!curl_easy_getinfo(e, CURLINFO_RETRY_AFTER, &wait) && wait > 0)
        out->retry_after_ns = DH_MIN((int64_t)wait, (int64_t)86400) * DH_S;
    out->ended = x->enough;
    out->total_ns = dh_now_ns() - x->start;
    out->len = x->body.len;
    out->body = dh_buf_take(&x->body);
}

enum dh_status dh_http_send(struct dh_http *h, const struct dh_http_request *r,
                            struct dh_http_response *out)
{
    struct exchange x = { .h = h, .r = r, .out = out };
    memset(out, 0, sizeof *out);
    out->retry_after_ns = -1;
    dh_buf_init(&x.body, h->o.max_bytes);
    x.start = x.last = dh_now_ns();
    struct curl_slist *headers = make_headers(r);
    set_options(&x, headers);
    enum dh_status st = DH_ERR_IO;
    if (!curl_multi_add_handle(h->multi, h->easy)) {
        st = drive(&x);
        // A connection in the middle of an answer is of no further use; curl
        // closes it when its request is taken away.
        curl_multi_remove_handle(h->multi, h->easy);
    }
    fill(&x);
    curl_slist_free_all(headers);
    return st;
}

void dh_http_response_finish(struct dh_http_response *r)
{
    dh_free(r->body);
    dh_free(r->content_type);
    dh_free(r->request_id);
    memset(r, 0, sizeof *r);
}

// --- addresses ---------------------------------------------------------------

bool dh_http_same_host(const char *a, const char *b)
{
    static const CURLUPart parts[] = { CURLUPART_SCHEME, CURLUPART_HOST,
                                       CURLUPART_PORT };
    if (dh_late_load(&dh_late_curl))
        return false;
    CURLU *u = curl_url(), *v = curl_url();
    bool same = u && v && !curl_url_set(u, CURLUPART_URL, a, 0) &&
                !curl_url_set(v, CURLUPART_URL, b, 0);
    for (size_t i = 0; i < DH_COUNTOF(parts) && same; i++) {
        char *p = NULL, *q = NULL;
        same = !curl_url_get(u, parts[i], &p, CURLU_DEFAULT_PORT) &&
               !curl_url_get(v, parts[i], &q, CURLU_DEFAULT_PORT) &&
               dh_str_is_nocase(dh_str_of(p), q);
        curl_free(p);
        curl_free(q);
    }
    curl_url_cleanup(u);
    curl_url_cleanup(v);
    return same;
}

bool dh_http_is_loopback(const char *url)
{
    static const char *const hosts[] = { "127.0.0.1", "localhost", "[::1]" };
    if (dh_late_load(&dh_late_curl))
        return false;
    CURLU *u = curl_url();
    char *host = NULL;
    bool is = false;
    if (u && !curl_url_set(u, CURLUPART_URL, url, 0) &&
        !curl_url_get(u, CURLUPART_HOST, &host, 0)) {
        for (size_t i = 0; i < DH_COUNTOF(hosts); i++)
            is = is || dh_str_is_nocase(dh_str_of(host), hosts[i]);
    }
    curl_free(host);
    curl_url_cleanup(u);
    return is;
}
