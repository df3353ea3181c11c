#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tools/serve.h"

static bool is_chat(const struct dh_serve_job *job)
{
    return job->request.api == DH_SERVE_CHAT;
}

static const char *finish_of(const struct dh_serve_job *job)
{
    bool chat = is_chat(job);
    if (job->stopped_by >= 0)
        return chat ? "stop" : "stop_sequence";
    if (job->end == DH_BRAIN_END_LENGTH)
        return chat ? "length" : "max_tokens";
    if (job->reply.n_calls)
        return chat ? "tool_calls" : "tool_use";
    return chat ? "stop" : "end_turn";
}

// For our own client, which knows what to make of it.
static void put_times(struct dh_json_writer *w, const struct dh_times *t)
{
    dh_jw_object(w, "deskhand_ms");
    dh_jw_double(w, "preprocess", (double)t->preprocess / 1e6);
    dh_jw_double(w, "vision", (double)t->vision / 1e6);
    dh_jw_double(w, "prefill", (double)t->prefill / 1e6);
    dh_jw_double(w, "decode", (double)t->decode / 1e6);
    dh_jw_end_object(w);
}

static void put_usage(struct dh_json_writer *w, const struct dh_serve_job *job)
{
    const struct dh_usage *u = &job->usage;
    dh_jw_object(w, "usage");
    if (is_chat(job)) {
        dh_jw_i64(w, "prompt_tokens", u->prompt_tokens);
        dh_jw_i64(w, "completion_tokens", u->answer_tokens);
        dh_jw_i64(w, "total_tokens", u->prompt_tokens + u->answer_tokens);
        dh_jw_object(w, "prompt_tokens_details");
        dh_jw_i64(w, "cached_tokens", u->cached_tokens);
        dh_jw_end_object(w);
        if (job->request.form_given)
            put_times(w, &job->times);
    } else {
        dh_jw_i64(w, "input_tokens", u->prompt_tokens - u->cached_tokens);
        dh_jw_i64(w, "output_tokens", u->answer_tokens);
        dh_jw_i64(w, "cache_creation_input_tokens", 0);
        dh_jw_i64(w, "cache_read_input_tokens", u->cached_tokens);
    }
    dh_jw_end_object(w);
}

static struct dh_str content_of(const struct dh_serve_job *job)
{
    return (struct dh_str){ dh_buf_text(&job->reply.content),
                            job->content_end };
}

static void put_call_id(struct dh_json_writer *w, const char *id, int call)
{
    struct dh_buf text;
    dh_buf_init(&text, 200);
    dh_buf_printf(&text, "call_%s_%d", id, call);
    dh_jw_text(w, "id", dh_buf_text(&text));
    dh_buf_finish(&text);
}

// --- chat completions -------------------------------------------------------

static void begin_chat(struct dh_json_writer *w, const char *object,
                       const char *model, const char *id)
{
    struct dh_buf text;
    dh_buf_init(&text, 200);
    dh_buf_printf(&text, "chatcmpl-%s", id);
    dh_jw_object(w, NULL);
    dh_jw_text(w, "id", dh_buf_text(&text));
    dh_jw_text(w, "object", object);
    dh_jw_i64(w, "created", dh_realtime_ns() / DH_S);
    dh_jw_text(w, "model", model);
    dh_buf_finish(&text);
}

static void put_chat_call(struct dh_json_writer *w,
                          const struct dh_serve_job *job, const char *id, int i,
                          bool indexed)
{
    const struct dh_reply_call *c = &job->reply.call[i];
    dh_jw_object(w, NULL);
    if (indexed)
        dh_jw_i64(w, "index", i);
    put_call_id(w, id, i);
    dh_jw_text(w, "type", "function");
    dh_jw_object(w, "function");
    dh_jw_text(w, "name", c->name);
    dh_jw_text(w, "arguments", c->arguments);
    dh_jw_end_object(w);
    dh_jw_end_object(w);
}

static void whole_chat(const struct dh_serve_job *job, const char *model,
                       const char *id, struct dh_buf *out)
{
    struct dh_json_writer w;
    dh_jw_init(&w, out);
    begin_chat(&w, "chat.completion", model, id);
    dh_jw_array(&w, "choices");
    dh_jw_object(&w, NULL);
    dh_jw_i64(&w, "index", 0);
    dh_jw_object(&w, "message");
    dh_jw_text(&w, "role", "assistant");
    dh_jw_str(&w, "content", content_of(job));
    if (job->reply.reasoning.len)
        dh_jw_text(&w, "reasoning_content", dh_buf_text(&job->reply.reasoning));
    if (job->reply.n_calls) {
        dh_jw_array(&w, "tool_calls");
        for (int i = 0; i < job->reply.n_calls; i++)
            put_chat_call(&w, job, id, i, false);
        dh_jw_end_array(&w);
    }
    dh_jw_end_object(&w);
    dh_jw_text(&w, "finish_reason", finish_of(job));
    dh_jw_end_object(&w);
    dh_jw_end_array(&w);
    put_usage(&w, job);
    dh_jw_end_object(&w);
}

static void begin_delta(struct dh_serve_stream *s, struct dh_json_writer *w,
                        struct dh_buf *out)
{
    dh_buf_puts(out, "data: ");
    dh_jw_init(w, out);
    begin_chat(w, "chat.completion.chunk", s->model, s->id);
    dh_jw_array(w, "choices");
    dh_jw_object(w, NULL);
    dh_jw_i64(w, "index", 0);
    dh_jw_object(w, "delta");
}

static void end_delta(struct dh_json_writer *w, const char *finish,
                      struct dh_buf *out)
{
    dh_jw_end_object(w);
    if (finish)
        dh_jw_text(w, "finish_reason", finish);
    else
        dh_jw_null(w, "finish_reason");
    dh_jw_end_object(w);
    dh_jw_end_array(w);
    dh_jw_end_object(w);
    dh_buf_puts(out, "\n\n");
}

static void chat_piece(struct dh_serve_stream *s, const char *key,
                       struct dh_str text, struct dh_buf *out)
{
    struct dh_json_writer w;
    begin_delta(s, &w, out);
    dh_jw_str(&w, key, text);
    end_delta(&w, NULL, out);
}

static void end_chat(struct dh_serve_stream *s, const struct dh_serve_job *job,
                     struct dh_buf *out)
{
    struct dh_json_writer w;
    for (; s->calls < job->reply.n_calls; s->calls++) {
        begin_delta(s, &w, out);
        dh_jw_array(&w, "tool_calls");
        put_chat_call(&w, job, s->id, s->calls, true);
        dh_jw_end_array(&w);
        end_delta(&w, NULL, out);
    }
    begin_delta(s, &w, out);
    end_delta(&w, finish_of(job), out);
    if (job->request.include_usage) {
        dh_buf_puts(out, "data: ");
        dh_jw_init(&w, out);
        begin_chat(&w, "chat.completion.chunk", s->model, s->id);
        dh_jw_array(&w, "choices");
        dh_jw_end_array(&w);
        put_usage(&w, job);
        dh_jw_end_object(&w);
        dh_buf_puts(out, "\n\n");
    }
    dh_buf_puts(out, "data: [DONE]\n\n");
}

// Bytes up to the last whole character: a piece must be UTF-8 by itself. The
// last piece is all that is left.
static struct dh_str new_part(const struct dh_buf *b, size_t from, size_t to,
                              bool last)
{
    struct dh_str s = { dh_buf_text(b) + from, to > from ? to - from : 0 };
    size_t cut = s.n;
    for (size_t back = 1; !last && back <= DH_MIN(s.n, (size_t)3); back++) {
        unsigned char c = (unsigned char)s.p[s.n - back];
        if ((c & 0xc0) == 0x80)
            continue;
        size_t need = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
        cut = need > back ? s.n - back : s.n;
        break;
    }
    s.n = cut;
    return s;
}

static void stream_chat(struct dh_serve_stream *s,
                        const struct dh_serve_job *job, struct dh_str reasoning,
                        struct dh_str content, struct dh_buf *out)
{
    struct dh_json_writer w;
    if (!s->begun) {
        begin_delta(s, &w, out);
        dh_jw_text(&w, "role", "assistant");
        dh_jw_text(&w, "content", "");
        end_delta(&w, NULL, out);
        s->begun = true;
    }
    if (reasoning.n)
        chat_piece(s, "reasoning_content", reasoning, out);
    if (content.n)
        chat_piece(s, "content", content, out);
    if (job->done)
        end_chat(s, job, out);
}

// --- messages ---------------------------------------------------------------

static void put_message_head(struct dh_json_writer *w, const char *model,
                             const char *id)
{
    struct dh_buf text;
    dh_buf_init(&text, 200);
    dh_buf_printf(&text, "msg_%s", id);
    dh_jw_text(w, "id", dh_buf_text(&text));
    dh_jw_text(w, "type", "message");
    dh_jw_text(w, "role", "assistant");
    dh_jw_text(w, "model", model);
    dh_buf_finish(&text);
}

static void put_stop(struct dh_json_writer *w, const struct dh_serve_job *job)
{
    dh_jw_text(w, "stop_reason", finish_of(job));
    if (job->stopped_by >= 0)
        dh_jw_text(w, "stop_sequence", job->request.stop[job->stopped_by]);
    else
        dh_jw_null(w, "stop_sequence");
}

static void whole_message(const struct dh_serve_job *job, const char *model,
                          const char *id, struct dh_buf *out)
{
    struct dh_json_writer w;
    dh_jw_init(&w, out);
    dh_jw_object(&w, NULL);
    put_message_head(&w, model, id);
    dh_jw_array(&w, "content");
    if (job->reply.reasoning.len) {
        dh_jw_object(&w, NULL);
        dh_jw_text(&w, "type", "thinking");
        dh_jw_text(&w, "thinking", dh_buf_text(&job->reply.reasoning));
        dh_jw_text(&w, "signature", "deskhand");
        dh_jw_end_object(&w);
    }
    if (job->content_end || !job->reply.n_calls) {
        dh_jw_object(&w, NULL);
        dh_jw_text(&w, "type", "text");
        dh_jw_str(&w, "text", content_of(job));
        dh_jw_end_object(&w);
    }
    for (int i = 0; i < job->reply.n_calls; i++) {
        dh_jw_object(&w, NULL);
        dh_jw_text(&w, "type", "tool_use");
        put_call_id(&w, id, i);
        dh_jw_text(&w, "name", job->reply.call[i].name);
        dh_jw_raw(&w, "input", job->reply.call[i].arguments);
        dh_jw_end_object(&w);
    }
    dh_jw_end_array(&w);
    put_stop(&w, job);
    put_usage(&w, job);
    dh_jw_end_object(&w);
}

static void begin_event(struct dh_json_writer *w, const char *type,
                        struct dh_buf *out)
{
    dh_buf_printf(out, "event: %s\ndata: ", type);
    dh_jw_init(w, out);
    dh_jw_object(w, NULL);
    dh_jw_text(w, "type", type);
}

static void end_event(struct dh_json_writer *w, struct dh_buf *out)
{
    dh_jw_end_object(w);
    dh_buf_puts(out, "\n\n");
}

static void begin_block(struct dh_serve_stream *s, struct dh_json_writer *w,
                        const char *type, struct dh_buf *out)
{
    begin_event(w, "content_block_start", out);
    dh_jw_i64(w, "index", s->block);
    dh_jw_object(w, "content_block");
    dh_jw_text(w, "type", type);
}

static void end_block(struct dh_serve_stream *s, struct dh_buf *out)
{
    struct dh_json_writer w;
    begin_event(&w, "content_block_stop", out);
    dh_jw_i64(&w, "index", s->block++);
    end_event(&w, out);
}

static void delta(struct dh_serve_stream *s, const char *type, const char *key,
                  struct dh_str text, struct dh_buf *out)
{
    struct dh_json_writer w;
    begin_event(&w, "content_block_delta", out);
    dh_jw_i64(&w, "index", s->block);
    dh_jw_object(&w, "delta");
    dh_jw_text(&w, "type", type);
    dh_jw_str(&w, key, text);
    dh_jw_end_object(&w);
    end_event(&w, out);
}

static void open_block(struct dh_serve_stream *s, const char *type,
                       const char *key, struct dh_buf *out)
{
    struct dh_json_writer w;
    begin_block(s, &w, type, out);
    dh_jw_text(&w, key, "");
    dh_jw_end_object(&w);
    end_event(&w, out);
}

static void close_thinking(struct dh_serve_stream *s, struct dh_buf *out)
{
    if (!s->thinking_open)
        return;
    delta(s, "signature_delta", "signature", DH_STR("deskhand"), out);
    end_block(s, out);
    s->thinking_open = false;
}

static void stream_call(struct dh_serve_stream *s,
                        const struct dh_serve_job *job, int i,
                        struct dh_buf *out)
{
    const struct dh_reply_call *c = &job->reply.call[i];
    struct dh_json_writer w;
    begin_block(s, &w, "tool_use", out);
    put_call_id(&w, s->id, i);
    dh_jw_text(&w, "name", c->name);
    dh_jw_raw(&w, "input", "{}");
    dh_jw_end_object(&w);
    end_event(&w, out);
    delta(s, "input_json_delta", "partial_json", dh_str_of(c->arguments), out);
    end_block(s, out);
}

static void end_message(struct dh_serve_stream *s,
                        const struct dh_serve_job *job, struct dh_buf *out)
{
    struct dh_json_writer w;
    close_thinking(s, out);
    if (!s->text_open && !job->reply.n_calls) {
        open_block(s, "text", "text", out);
        s->text_open = true;
    }
    if (s->text_open)
        end_block(s, out);
    for (; s->calls < job->reply.n_calls; s->calls++)
        stream_call(s, job, s->calls, out);
    begin_event(&w, "message_delta", out);
    dh_jw_object(&w, "delta");
    put_stop(&w, job);
    dh_jw_end_object(&w);
    put_usage(&w, job);
    end_event(&w, out);
    begin_event(&w, "message_stop", out);
    end_event(&w, out);
}

static void stream_message(struct dh_serve_stream *s,
                           const struct dh_serve_job *job,
                           struct dh_str reasoning, struct dh_str content,
                           struct dh_buf *out)
{
    struct dh_json_writer w;
    if (!s->begun) {
        begin_event(&w, "message_start", out);
        dh_jw_object(&w, "message");
        put_message_head(&w, s->model, s->id);
        dh_jw_array(&w, "content");
        dh_jw_end_array(&w);
        dh_jw_null(&w, "stop_reason");
        dh_jw_null(&w, "stop_sequence");
        put_usage(&w, job);
        dh_jw_end_object(&w);
        end_event(&w, out);
        s->begun = true;
    }
    if (reasoning.n && !s->thinking_open) {
        open_block(s, "thinking", "thinking", out);
        s->thinking_open = true;
    }
    if (reasoning.n)
        delta(s, "thinking_delta", "thinking", reasoning, out);
    if (content.n)
        close_thinking(s, out);
    if (content.n && !s->text_open) {
        open_block(s, "text", "text", out);
        s->text_open = true;
    }
    if (content.n)
        delta(s, "text_delta", "text", content, out);
    if (job->done)
        end_message(s, job, out);
}

// --- both -------------------------------------------------------------------

void dh_serve_reply_whole(const struct dh_serve_job *job, const char *model,
                          const char *id, struct dh_buf *out)
{
    if (is_chat(job))
        whole_chat(job, model, id, out);
    else
        whole_message(job, model, id, out);
}

void dh_serve_reply_stream(struct dh_serve_stream *s,
                           const struct dh_serve_job *job, struct dh_buf *out)
{
    const struct dh_reply *r = &job->reply;
    if (job->done && job->status) {
        struct dh_buf error;
        dh_buf_init(&error, 4096);
        dh_serve_reply_error(job->request.api, dh_serve_code_of(job->status),
                             dh_serve_text_of(job->status), &error);
        dh_buf_printf(out, "%sdata: %s\n\n",
                      is_chat(job) ? "" : "event: error\n",
                      dh_buf_text(&error));
        dh_buf_finish(&error);
        s->ended = true;
        return;
    }
    struct dh_str reasoning =
        new_part(&r->reasoning, s->reasoning, r->reasoning.len,
                 job->done || job->content_end);
    struct dh_str content =
        new_part(&r->content, s->content, job->content_end, job->done);
    (is_chat(job) ? stream_chat : stream_message)(s, job, reasoning, content,
                                                  out);
    s->reasoning += reasoning.n;
    s->content += content.n;
    s->ended = job->done;
}

int dh_serve_code_of(enum dh_status st)
{
    switch ((int)st) {
    case DH_OK: return 200;
    case DH_ERR_FORMAT:
    case DH_ERR_UNSUPPORTED:
    case DH_ERR_RANGE:
    case DH_ERR_USAGE: return 400;
    case DH_ERR_CANCELLED:
    case DH_ERR_NOMEM: return 503;
    default: return 500;
    }
}

const char *dh_serve_text_of(enum dh_status st)
{
    switch ((int)st) {
    case DH_ERR_RANGE:
        return "the question is longer than the context that is served "
               "(--context)";
    case DH_ERR_UNSUPPORTED:
        return "this model cannot do that; does it see pictures?";
    case DH_ERR_FORMAT: return "the messages do not fit the model's template";
    case DH_ERR_CANCELLED: return "the server is going down";
    default: return dh_status_name(st);
    }
}

void dh_serve_reply_error(enum dh_serve_api api, int code, const char *text,
                          struct dh_buf *out)
{
    const char *type = code == 401   ? "authentication_error"
                       : code == 429 ? "rate_limit_error"
                       : code == 404 ? "not_found_error"
                       : code < 500  ? "invalid_request_error"
                                     : "api_error";
    struct dh_json_writer w;
    dh_jw_init(&w, out);
    dh_jw_object(&w, NULL);
    if (api == DH_SERVE_MESSAGES)
        dh_jw_text(&w, "type", "error");
    dh_jw_object(&w, "error");
    dh_jw_text(&w, "type", type);
    dh_jw_text(&w, "message", text);
    if (api == DH_SERVE_CHAT)
        dh_jw_i64(&w, "code", code);
    dh_jw_end_object(&w);
    dh_jw_end_object(&w);
}
