// A client's body, of either API: what is read holds together, what is not says
// why. The first byte chooses the API. max-len: 8192
#include <stdlib.h>

#include "tools/serve.h"

static void check(const struct dh_serve_request *r)
{
    size_t parts = 0, images = 0, calls = 0;
    for (size_t i = 0; i < r->n_messages; i++) {
        const struct dh_message *m = &r->messages[i];
        parts += m->n_parts;
        calls += m->n_calls;
        for (size_t k = 0; k < m->n_parts; k++) {
            images += m->parts[k].kind == DH_PART_IMAGE;
            if (m->parts[k].kind == DH_PART_TEXT && !m->parts[k].text)
                abort();
        }
        for (size_t k = 0; k < m->n_calls; k++) {
            if (!m->calls[k].name ||
                dh_json_kind(m->calls[k].arguments) != DH_JSON_OBJECT)
                abort();
        }
    }
    if (parts != r->n_parts || images != r->n_images || calls != r->n_calls)
        abort();
    if (r->n_stop > DH_SERVE_MAX_STOPS || r->max_tokens < 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct dh_serve_limits limits = { .body = 1 << 16,
                                                   .images = 3,
                                                   .max_tokens = 100 };
    struct dh_serve_request r;
    struct dh_diag diag = { 0 };
    if (!size)
        return 0;
    enum dh_serve_api api = data[0] & 1 ? DH_SERVE_MESSAGES : DH_SERVE_CHAT;
    enum dh_status st = dh_serve_request_read(&r, api, (const char *)data + 1,
                                              size - 1, &limits, &diag);
    if (!st)
        check(&r);
    else if (!diag.text[0])
        abort();
    dh_serve_request_finish(&r);
    return 0;
}
