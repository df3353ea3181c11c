// One try at a web page, from a bare desktop to its reward.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/web_page.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/thread.h"
#include "tools/task_trial.h"

#define DH_LOG_TAG "web"
#include "base/log.h"

#define MAX_SCRIPT (1 << 20)

struct trial {
    const struct dh_trial_options *o;
    struct dh_eval_result *r;
    struct dh_task_desk desk;
    struct dh_web_page page;
};

static enum dh_status void_of(struct trial *t, enum dh_eval_error error,
                              const char *why, enum dh_status st)
{
    t->r->error = error;
    t->r->note = dh_strdup(why ? why : dh_status_name(st));
    return st == DH_ERR_CANCELLED || (st == DH_ERR_UNSUPPORTED && !t->desk.box)
               ? st
               : DH_OK;
}

static enum dh_status set_up(struct trial *t, int64_t until_ns)
{
    const struct dh_web_case *c = t->o->web;
    struct dh_buf file;
    enum dh_status st = dh_task_desk_open(&t->desk, &t->o->desk);
    if (!st)
        st = dh_web_open(&t->page, &t->desk, t->o->desk.screen, c->scale,
                         until_ns);
    if (st)
        return st;
    dh_buf_init(&file, DH_WEB_TEXT);
    dh_buf_printf(&file, "%s/%s.html", c->folder, c->page);
    // A page that is never ready takes no more than its share of that.
    st = dh_web_start(&t->page, dh_buf_text(&file), c->seed, c->timed,
                      DH_MIN(until_ns, dh_now_ns() + DH_WEB_READY));
    dh_buf_finish(&file);
    return st;
}

static enum dh_status solve(struct trial *t)
{
    char *script = NULL;
    size_t len;
    enum dh_status st =
        dh_file_read(t->o->web->solutions, MAX_SCRIPT, &script, &len);
    if (!st)
        st = dh_web_solve(&t->page, t->desk.display, t->o->web->page, script,
                          dh_now_ns() + (int64_t)(t->o->timeout_s * 1e9));
    dh_big_free(script);
    t->r->end = dh_strdup("done");
    t->r->steps = t->page.acts;
    if (st)
        t->r->note =
            dh_strdup(t->page.pipe.why ? t->page.pipe.why : dh_status_name(st));
    return DH_OK;
}

static bool is_over(void *with)
{
    return dh_web_is_over(with);
}

static enum dh_status ask_agent(struct trial *t, const struct dh_task *task)
{
    struct dh_trial_options o = *t->o;
    struct dh_task mine = *task;
    mine.instruction = t->page.text;
    o.is_over = is_over;
    o.with = &t->page;
    enum dh_status st = dh_trial_agent(&mine, &o, t->desk.display, t->r);
    // We stopped it ourselves.
    if (!st && dh_web_is_over(&t->page) && strcmp(t->r->end, "stopped") == 0) {
        dh_free(t->r->end);
        t->r->end = dh_strdup("over");
    }
    return st;
}

static enum dh_status judge(struct trial *t)
{
    struct dh_eval_result *r = t->r;
    bool gone = dh_web_take(&t->page.pipe) != DH_OK && !t->page.ended;
    double least = t->o->mode == DH_TRIAL_ORACLE ? 1 : 0;
    if (strcmp(r->end, "error") == 0 && !gone)
        return void_of(t, DH_EVAL_ERROR_ENDPOINT,
                       "the agent's model, screen or input failed", DH_OK);
    if (strcmp(r->end, "stopped") == 0)
        return DH_ERR_CANCELLED;
    if (t->page.ended) {
        r->has_reward = true;
        r->reward = t->page.raw;
        r->reward_timed = t->page.timed;
        // The literature counts any raw reward; a solution has to earn it all.
        r->hit = least > 0 ? r->reward >= least : r->reward > 0;
        r->score = r->hit;
    }
    if (strcmp(r->end, "nonsense") == 0)
        r->error = DH_EVAL_ERROR_FORMAT;
    if (r->hit || r->note)
        return DH_OK;
    r->note = dh_strdup(gone              ? "the page was closed"
                        : !t->page.ended  ? "the page was not finished"
                        : *t->page.reason ? t->page.reason
                                          : "a reward of 0 or less");
    return DH_OK;
}

enum dh_status dh_web_trial_run(const struct dh_task *task,
                                const struct dh_trial_options *o,
                                struct dh_eval_result *r, double *up_ms)
{
    struct trial t = { .o = o, .r = r };
    int64_t begin = dh_now_ns();
    *up_ms = 0;
    enum dh_status st = set_up(&t, begin + o->setup_s * DH_S);
    if (st) {
        st = void_of(&t, DH_EVAL_ERROR_SETUP,
                     t.page.pipe.why ? t.page.pipe.why : t.desk.why, st);
    } else {
        *up_ms = r->ms_setup = (double)(dh_now_ns() - begin) / 1e6;
        dh_free(r->item.instruction);
        r->item.instruction = dh_strdup(t.page.text);
        switch (o->mode) {
        case DH_TRIAL_AGENT: st = ask_agent(&t, task); break;
        case DH_TRIAL_ORACLE: st = solve(&t); break;
        case DH_TRIAL_NOOP:
            // As long as a page takes that ends by itself at once.
            r->end = dh_strdup("done");
            for (int i = 0; i < 10 && !dh_web_is_over(&t.page); i++)
                dh_sleep_for(50 * DH_MS);
            break;
        }
        st = st ? void_of(&t, DH_EVAL_ERROR_ENDPOINT, NULL, st) : judge(&t);
    }
    dh_web_close(&t.page);
    dh_task_desk_close(&t.desk);
    r->ms_wall = (double)(dh_now_ns() - begin) / 1e6;
    return st;
}
