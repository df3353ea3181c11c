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

// Arguments: folder, model, context, decode, threads. Prints a line of JSON.
// The first token's time is the prompt's; those behind it are decoded.
static const char script[] =
    "import path from 'node:path';\n"
    "process.execArgv = [];\n" // what it forks is not to run this
    "const [dir, file, c, d, t] = process.argv.slice(1);\n"
    "const {getLlama, LlamaLogLevel} = await import(path.resolve(dir,\n"
    "  'node_modules/node-llama-cpp/dist/index.js'));\n"
    "const llama = await getLlama({gpu: false, build: 'never',\n"
    "  logLevel: LlamaLogLevel.error, maxThreads: +t});\n"
    "const now = () => performance.now() / 1e3, start = now();\n"
    "const model = await llama.loadModel({modelPath: path.resolve(file)});\n"
    "const load = now() - start, n = +c, most = +d;\n"
    "const context = await model.createContext({contextSize: n + most + 16,\n"
    "  batchSize: 512, threads: +t, flashAttention: true});\n"
    "const vocab = model.tokens?.size ?? model.fileInfo.metadata\n"
    "  .tokenizer.ggml.tokens.length, ids = [];\n"
    "const first = vocab > 540 ? 270 : 0;\n"
    "for (let i = 0, s = 12345; i < n; i++) {\n"
    "  s = (Math.imul(s, 1664525) + 1013904223) >>> 0;\n"
    "  ids.push(first + (s >>> 8) % (vocab - first));\n"
    "}\n"
    "const times = [];\n"
    "let last = now(), prefill = 0, seen = 0;\n"
    "for await (const x of context.getSequence().evaluate(ids,\n"
    "    {temperature: 0, yieldEogToken: true})) {\n"
    "  const at = now();\n"
    "  if (seen++ == 0) prefill = at - last; else times.push(at - last);\n"
    "  last = at;\n"
    "  if (seen > most) break;\n"
    "}\n"
    "console.log(JSON.stringify({load, prefill, decode: times}));\n"
    "process.exit(0);\n";

static enum dh_status read_answer(const char *line, int decode, double *load_s,
                                  double *prefill_s, double *decode_s,
                                  int *n_decode)
{
    struct dh_diag diag = { 0 };
    struct dh_json *o = dh_json_parse(line, strlen(line), &diag);
    const struct dh_json *list = o ? dh_json_find(o, "decode") : NULL;
    bool good = list && dh_json_get_double(o, "load", load_s, &diag) &&
                dh_json_get_double(o, "prefill", prefill_s, &diag);
    *n_decode = 0;
    const struct dh_json *e = good ? dh_json_first(list) : NULL;
    for (; e && *n_decode < decode; e = dh_json_next(e))
        decode_s[(*n_decode)++] = dh_json_number(e);
    dh_json_free(o);
    if (good && *n_decode > 0)
        return DH_OK;
    dh_error("node-llama-cpp said no times: %.200s", line);
    return DH_ERR_FORMAT;
}

enum dh_status dh_bench_llama_run(const struct dh_bench_llama *l, int context,
                                  int decode, double *load_s, double *prefill_s,
                                  double *decode_s, int *n_decode)
{
    char numbers[3][16];
    int pipes[2];
    pid_t pid = 0;
    snprintf(numbers[0], sizeof numbers[0], "%d", context);
    snprintf(numbers[1], sizeof numbers[1], "%d", decode);
    snprintf(numbers[2], sizeof numbers[2], "%d", l->threads);
    const char *argv[] = { "node",     "--input-type=module",
                           "-e",       script,
                           "--",       l->folder,
                           l->model,   numbers[0],
                           numbers[1], numbers[2],
                           NULL };
    if (pipe(pipes)) {
        dh_error("no pipe for node");
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
            dh_error("node-llama-cpp in %s ended without a word", l->folder);
    }
    if (!st)
        st = read_answer(line, decode, load_s, prefill_s, decode_s, n_decode);
    dh_bench_proc_kill(pid);
    close(pipes[0]);
    dh_free(line);
    return st;
}
