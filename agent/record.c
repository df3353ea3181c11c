#include "agent/record.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "actions/parse.h"
#include "agent/page_priv.h"
#include "agent/session_file.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/queue.h"
#include "base/thread.h"
#include "capture/frame.h"

#define DH_LOG_TAG "record"
#include "base/log.h"

#define QUEUE_EVENTS   64
#define PART_MAX_BYTES ((size_t)256 * 1024)
#define QUEUE_SPARE    8 // room that pictures leave for what may not be lost

struct dh_recorder {
    struct dh_queue queue;
    struct dh_thread thread;
    // only the thread that sends events, until joined
    uint64_t dropped, sent;
    char *part_path; // of the answer that is on its way
    int part_fd;     // -1: it cannot be written
    size_t part_len;
    struct dh_mutex lock;
    struct dh_cond moved;
    uint64_t written; // guarded by lock
    // only the dh-record thread
    struct dh_session_file *file;
    struct dh_page page;
    int frame;
    struct dh_size size;
    int64_t act_line, end_ns;
    char *reason;
    struct dh_session_spent spent;
    enum dh_status status;
};

static void note_failure(struct dh_recorder *r, enum dh_status st)
{
    if (st && !r->status)
        r->status = st;
}

static void put_frame(struct dh_recorder *r, const struct dh_event *e)
{
    uint64_t hash;
    int64_t pts;
    char text[24];
    note_failure(
        r, dh_session_file_frame(r->file, e->frame, &r->frame, &hash, &pts));
    r->size = (struct dh_size){ e->frame->width, e->frame->height };
    struct dh_json_writer *w =
        dh_session_file_begin(r->file, "frame", e->time_ns, NULL);
    snprintf(text, sizeof text, "%016" PRIx64, hash);
    dh_jw_i64(w, "f", r->frame);
    dh_jw_text(w, "hash", text);
    dh_jw_text(w, "why", e->why);
    if (pts >= 0)
        dh_jw_i64(w, "pts", pts);
    note_failure(r, dh_session_file_end(r->file));
}

static void put_ms(struct dh_json_writer *w, const char *key, int64_t ns)
{
    dh_jw_double(w, key, (double)(ns / 1000) / 1000.0);
}

static void put_repairs(struct dh_json_writer *w, const char *raw)
{
    struct dh_answer answer;
    struct dh_diag diag = { 0 };
    struct dh_buf text;
    if (dh_answer_parse(raw, strlen(raw), &answer, &diag) == DH_OK) {
        dh_buf_init(&text, 256);
        dh_action_repairs_text(answer.action[0].repairs, &text);
        dh_jw_text(w, "repairs", dh_buf_text(&text));
        dh_buf_finish(&text);
    }
    dh_answer_finish(&answer);
}

static int64_t model_ns(const struct dh_event *e)
{
    const struct dh_times *t = &e->times;
    return t->preprocess + t->vision + t->prefill + t->decode;
}

static void put_answer(struct dh_recorder *r, const struct dh_event *e)
{
    const struct dh_times *t = &e->times;
    struct dh_json_writer *w =
        dh_session_file_begin(r->file, "ask", e->time_ns, NULL);
    dh_jw_array(w, "frames");
    dh_jw_i64(w, NULL, r->frame);
    dh_jw_end_array(w);
    dh_jw_i64(w, "tokens_in", e->usage.prompt_tokens);
    dh_jw_i64(w, "cached", e->usage.cached_tokens);
    note_failure(r, dh_session_file_end(r->file));
    w = dh_session_file_begin(r->file, "answer", e->time_ns, NULL);
    dh_jw_i64(w, "step", e->step);
    dh_jw_text(w, "raw", e->text);
    if (e->reasoning)
        dh_jw_text(w, "thinking", e->reasoning);
    dh_jw_i64(w, "tokens_out", e->usage.answer_tokens);
    if (e->usage.cost > 0)
        dh_jw_double(w, "cost", e->usage.cost);
    put_repairs(w, e->text);
    put_ms(w, "ms", model_ns(e));
    dh_jw_object(w, "stages_ms");
    put_ms(w, "grab", t->grab);
    put_ms(w, "preprocess", t->preprocess);
    put_ms(w, "vision", t->vision);
    put_ms(w, "prefill", t->prefill);
    put_ms(w, "decode", t->decode);
    dh_jw_end_object(w);
    note_failure(r, dh_session_file_end(r->file));
}

static void put_act(struct dh_recorder *r, const struct dh_event *e)
{
    struct dh_json_writer *w =
        dh_session_file_begin(r->file, "act", e->time_ns, &r->act_line);
    dh_action_json(&e->action, w);
    dh_jw_text(w, "by", e->replayed.act ? "replay" : "model");
    dh_jw_text(w, "say", e->step_text ? e->step_text : "");
    dh_jw_i64(w, "before", r->frame);
    if (e->replayed.act) {
        dh_jw_i64(w, "of", e->replayed.act);
        dh_jw_text(w, "rung", e->replayed.rung);
        dh_jw_double(w, "score", e->replayed.score);
    }
    note_failure(r, dh_session_file_end(r->file));
}

static void put_done(struct dh_recorder *r, const struct dh_event *e)
{
    struct dh_json_writer *w =
        dh_session_file_begin(r->file, "done", e->time_ns, NULL);
    dh_jw_i64(w, "act", r->act_line);
    dh_jw_bool(w, "ok", e->status == DH_OK);
    put_ms(w, "ms", e->times.act);
    put_ms(w, "settle_ms", e->times.settle);
    dh_jw_bool(w, "changed", e->changed);
    if (e->text)
        dh_jw_text(w, "note", e->text);
    note_failure(r, dh_session_file_end(r->file));
    dh_session_file_sync(r->file);
}

static void put_text(struct dh_recorder *r, const char *kind, const char *key,
                     const struct dh_event *e)
{
    struct dh_json_writer *w =
        dh_session_file_begin(r->file, kind, e->time_ns, NULL);
    dh_jw_text(w, key, e->text ? e->text : "");
    note_failure(r, dh_session_file_end(r->file));
}

static void put_event(struct dh_recorder *r, const struct dh_event *e)
{
    switch (e->kind) {
    case DH_EVENT_START: break;
    case DH_EVENT_FRAME: put_frame(r, e); break;
    case DH_EVENT_ANSWER:
        put_answer(r, e);
        dh_usage_add(&r->spent.usage, &e->usage);
        r->spent.model_ns += model_ns(e);
        break;
    case DH_EVENT_ACT: put_act(r, e); break;
    case DH_EVENT_DONE: put_done(r, e); break;
    case DH_EVENT_NOTE: put_text(r, "mark", "text", e); break;
    case DH_EVENT_END:
        put_text(r, "end", "reason", e);
        dh_free(r->reason);
        r->reason = dh_strdup(e->text ? e->text : "");
        break;
    }
    r->end_ns = e->time_ns;
    dh_page_event(&r->page, e, r->frame, r->size);
}

static void write_all(void *arg)
{
    struct dh_recorder *r = arg;
    struct dh_event e;
    while (dh_queue_take(&r->queue, &e, INT64_MAX) == DH_OK) {
        put_event(r, &e);
        dh_event_finish(&e);
        dh_mutex_lock(&r->lock);
        r->written++;
        dh_cond_signal(&r->moved);
        dh_mutex_unlock(&r->lock);
    }
}

// Nobody needs it but who looks on.
static void open_part(struct dh_recorder *r, const char *dir)
{
    r->part_path = dh_path_join(dir, "answer.part");
    r->part_fd = open(r->part_path,
                      O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
}

static void begin_part(struct dh_recorder *r)
{
    if (r->part_len && ftruncate(r->part_fd, 0) == 0)
        r->part_len = 0;
}

static void close_part(struct dh_recorder *r)
{
    if (r->part_fd >= 0) {
        close(r->part_fd);
        unlink(r->part_path);
    }
    dh_free(r->part_path);
}

void dh_recorder_piece(void *recorder, const char *piece, size_t len)
{
    struct dh_recorder *r = recorder;
    if (r->part_fd < 0)
        return;
    if (!piece) {
        begin_part(r);
        return;
    }
    size_t n = DH_MIN(len, PART_MAX_BYTES - r->part_len);
    ssize_t put = n ? write(r->part_fd, piece, n) : 0;
    r->part_len += put > 0 ? (size_t)put : 0;
}

struct dh_session_file *dh_recorder_lend(struct dh_recorder *r)
{
    dh_mutex_lock(&r->lock);
    while (r->written < r->sent)
        dh_cond_wait(&r->moved, &r->lock);
    dh_mutex_unlock(&r->lock);
    return r->file;
}

void dh_recorder_by_hand(struct dh_recorder *r, const struct dh_action *a,
                         int before)
{
    dh_page_by_hand(&r->page, a, before);
}

enum dh_status dh_recorder_create(struct dh_recorder **out,
                                  const struct dh_recorder_options *o)
{
    struct dh_recorder *r;
    struct dh_session_head head = { .kind = o->kind,
                                    .task = o->task,
                                    .model = o->model,
                                    .display = o->display,
                                    .video = o->video };
    dh_new(r);
    r->part_fd = -1;
    dh_mutex_init(&r->lock);
    dh_cond_init(&r->moved);
    dh_queue_init(&r->queue, sizeof(struct dh_event), QUEUE_EVENTS);
    dh_page_init(&r->page, o->task, o->model, o->video);
    enum dh_status st = dh_session_file_create(&r->file, o->dir, &head);
    if (!st)
        open_part(r, o->dir);
    if (!st)
        st = dh_thread_start(&r->thread, "dh-record", write_all, r);
    if (st) {
        enum dh_status ignored = dh_recorder_destroy(r);
        (void)ignored;
        return st;
    }
    *out = r;
    return DH_OK;
}

void dh_recorder_event(void *recorder, const struct dh_event *e)
{
    struct dh_recorder *r = recorder;
    struct dh_event copy;
    bool full = dh_queue_len(&r->queue) >= QUEUE_EVENTS - QUEUE_SPARE;
    if (e->kind == DH_EVENT_FRAME && full) {
        r->dropped++;
        return;
    }
    if (e->kind == DH_EVENT_ANSWER)
        begin_part(r);
    dh_event_copy(&copy, e);
    if (dh_queue_put(&r->queue, &copy, INT64_MAX))
        dh_event_finish(&copy);
    else
        r->sent++;
}

static void finish_files(struct dh_recorder *r)
{
    if (r->dropped) {
        struct dh_json_writer *w =
            dh_session_file_begin(r->file, "drop", r->end_ns, NULL);
        dh_jw_text(w, "what", "frame");
        dh_jw_i64(w, "count", (int64_t)r->dropped);
        note_failure(r, dh_session_file_end(r->file));
    }
    dh_page_end(&r->page);
    if (!r->page.html.overflow)
        note_failure(r,
                     dh_session_file_put(r->file, "index.html",
                                         r->page.html.data, r->page.html.len));
    note_failure(r, dh_session_file_finish(r->file, r->end_ns,
                                           r->reason ? r->reason : "error",
                                           r->dropped, &r->spent));
}

enum dh_status dh_recorder_destroy(struct dh_recorder *r)
{
    if (!r)
        return DH_OK;
    bool ran = r->thread.started;
    dh_queue_close(&r->queue);
    dh_thread_join(&r->thread);
    if (ran)
        finish_files(r);
    enum dh_status st = r->status;
    dh_session_file_destroy(r->file);
    dh_page_finish(&r->page);
    dh_queue_finish(&r->queue);
    close_part(r);
    dh_cond_finish(&r->moved);
    dh_mutex_finish(&r->lock);
    dh_free(r->reason);
    dh_free(r);
    return st;
}
