#include <string.h>
#include <sys/utsname.h>

#include "agent/eval_result.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/thread.h"

#ifndef DH_COMMIT
#    define DH_COMMIT ""
#endif

static void put_machine(struct dh_json_writer *w)
{
    struct utsname host = { 0 };
    char cpu[128];
    uname(&host);
    dh_thread_cpu(cpu, sizeof cpu);
    dh_jw_object(w, "machine");
    dh_jw_text(w, "cpu", cpu);
    dh_jw_i64(w, "cores", dh_thread_cores());
    dh_jw_text(w, "system", host.sysname);
    dh_jw_text(w, "kernel", host.release);
    dh_jw_end_object(w);
}

static enum dh_status put_data(struct dh_json_writer *w,
                               const struct dh_eval_run *run)
{
    enum dh_status st = DH_OK;
    dh_jw_array(w, "data");
    for (int i = 0; i < run->n_data && !st; i++) {
        char hash[65];
        st = dh_sha256_file(run->data[i], hash);
        if (st)
            break;
        dh_jw_object(w, NULL);
        dh_jw_text(w, "file", run->data[i]);
        dh_jw_text(w, "sha256", hash);
        dh_jw_end_object(w);
    }
    dh_jw_end_array(w);
    return st;
}

static void put_text(struct dh_json_writer *w, const char *key, const char *s)
{
    if (s && s[0])
        dh_jw_text(w, key, s);
}

enum dh_status dh_eval_run_write(const char *dir, const struct dh_eval_run *run)
{
    struct dh_buf out;
    struct dh_json_writer w;
    dh_buf_init(&out, 16 << 20);
    dh_jw_init(&w, &out);
    dh_jw_object(&w, NULL);
    dh_jw_text(&w, "format", "deskhand-eval");
    dh_jw_i64(&w, "version", 1);
    dh_jw_object(&w, "program");
    dh_jw_text(&w, "version", DH_VERSION);
    put_text(&w, "commit", DH_COMMIT);
    dh_jw_end_object(&w);
    put_text(&w, "command", run->command);
    put_text(&w, "set", run->set);
    put_text(&w, "path", run->path);
    put_text(&w, "pictures", run->pictures);
    put_text(&w, "model", run->model);
    put_text(&w, "endpoint", run->endpoint);
    put_text(&w, "model_hash", run->model_hash);
    if (run->sampling)
        dh_jw_raw(&w, "sampling", run->sampling);
    put_machine(&w);
    enum dh_status st = put_data(&w, run);
    put_text(&w, "started", run->started);
    put_text(&w, "ended", run->ended);
    if (run->counts)
        dh_jw_raw(&w, "counts", run->counts);
    dh_jw_end_object(&w);
    dh_buf_putc(&out, '\n');
    char *path = dh_path_join(dir, "run.json");
    if (!st)
        st = dh_file_write(path, out.data, out.len);
    dh_free(path);
    dh_buf_finish(&out);
    return st;
}
