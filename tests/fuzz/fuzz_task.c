// Any bytes as a task: read, shown, its metrics asked about any text.
// max-len: 4096
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/task.h"
#include "agent/task_judge.h"
#include "base/buf.h"
#include "base/json.h"

static void judge(const struct dh_task *t, struct dh_str text)
{
    const struct dh_json *f = dh_json_find(t->evaluator, "func");
    const struct dh_json *e = dh_json_find(t->evaluator, "expected");
    const struct dh_json *o = dh_json_find(t->evaluator, "options");
    double s = dh_task_judge(dh_json_text(f), text, e, text, o);
    if (!(s >= 0 && s <= 1))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct dh_task_options o = { { 1024, 768 }, 1 };
    struct dh_diag diag = { 0 };
    struct dh_task t;
    struct dh_buf out;
    if (dh_task_parse(&t, (const char *)data, size, "/tmp", &o, &diag)) {
        if (!diag.text[0])
            abort();
        return 0;
    }
    if (!t.id[0] || strchr(t.id, '/') || !t.instruction[0])
        abort();
    dh_buf_init(&out, 8 << 20);
    dh_task_commands(&t, &out);
    if (!t.unsupported && !t.infeasible)
        judge(&t, (struct dh_str){ (const char *)data, size });
    dh_buf_finish(&out);
    dh_task_finish(&t);
    return 0;
}
