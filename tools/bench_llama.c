#include "tools/bench_llama.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "tools/app.h"
#include "tools/bench_proc.h"

#define DH_LOG_TAG "bench"
#include "base/log.h"

#define LINE_SIZE 262144

static enum dh_status read_answer(const char *line, int decode,
                                  struct dh_bench_llama_times *out)
{
    struct dh_diag diag = { 0 };
    struct dh_json *o = dh_json_parse(line, strlen(line), &diag);
    const struct dh_json *list = o ? dh_json_find(o, "decode") : NULL;
    bool good = list && dh_json_get_double(o, "load", &out->load_s, &diag) &&
                dh_json_get_double(o, "prefill", &out->prefill_s, &diag) &&
                dh_json_get_double(o, "memory", &out->memory_mb, &diag);
    out->n_decode = 0;
    const struct dh_json *e = good ? dh_json_first(list) : NULL;
    for (; e && out->n_decode < decode; e = dh_json_next(e))
        out->decode_s[out->n_decode++] = dh_json_number(e);
    dh_json_free(o);
    if (good && out->n_decode > 0)
        return DH_OK;
    dh_error("llama.cpp said no times: %.200s", line);
    return DH_ERR_FORMAT;
}

enum dh_status dh_bench_llama_run(const struct dh_bench_llama *l,
                                  struct dh_bench_llama_times *out)
{
    char numbers[3][16];
    int pipes[2];
    pid_t pid = 0;
    snprintf(numbers[0], sizeof numbers[0], "%d", l->context);
    snprintf(numbers[1], sizeof numbers[1], "%d", l->decode);
    snprintf(numbers[2], sizeof numbers[2], "%d", l->threads);
    const char *argv[] = {
        "/proc/self/exe", "bench",     "llama",      "--peer",     l->folder,
        "--model",        l->model,    "--contexts", numbers[0],   "--decode",
        numbers[1],       "--threads", numbers[2],   (char *)NULL,
    };
    if (pipe(pipes)) {
        dh_error("no pipe for llama.cpp");
        return DH_ERR_IO;
    }
    int64_t until = dh_now_ns() + (int64_t)l->seconds * 1000000000;
    enum dh_status st =
        dh_bench_proc_start(&pid, argv, pipes[1], STDERR_FILENO, -1);
    close(pipes[1]);
    char *line = dh_zalloc(LINE_SIZE);
    if (!st && !dh_bench_proc_line(pipes[0], line, LINE_SIZE, until,
                                   dh_app_cancel())) {
        st = dh_cancel_is_set(dh_app_cancel()) ? DH_ERR_CANCELLED
             : dh_now_ns() >= until            ? DH_ERR_TIMEOUT
                                               : DH_ERR_IO;
        if (st == DH_ERR_IO)
            dh_error("llama.cpp from %s gave no answer", l->folder);
    }
    if (!st)
        st = read_answer(line, l->decode, out);
    dh_bench_proc_kill(pid);
    close(pipes[0]);
    dh_free(line);
    return st;
}
