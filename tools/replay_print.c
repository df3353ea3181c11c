#include "tools/replay_print.h"

#include <stdio.h>

#include "agent/recording.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "tools/app.h"

static double ms(int64_t ns)
{
    return (double)ns / 1e6;
}

static void print_field(const char *before, const char *text, const char *after)
{
    fputs(before, stdout);
    dh_app_print(stdout, text);
    fputs(after, stdout);
}

static struct dh_json_writer
begin(struct dh_buf *out, const struct dh_replay_printer *p, const char *event)
{
    struct dh_json_writer w;
    dh_buf_init(out, 1 << 22);
    dh_jw_init(&w, out);
    dh_jw_object(&w, NULL);
    dh_jw_text(&w, "event", event);
    if (p->row)
        dh_jw_i64(&w, "row", p->row);
    return w;
}

static void end(struct dh_buf *out, struct dh_json_writer *w)
{
    dh_jw_end_object(w);
    puts(dh_buf_text(out));
    fflush(stdout);
    dh_buf_finish(out);
}

void dh_replay_print_note(const struct dh_replay_printer *p, const char *text)
{
    struct dh_buf out;
    if (!p->json) {
        print_field("! ", text, "\n");
    } else {
        struct dh_json_writer w = begin(&out, p, "note");
        dh_jw_text(&w, "text", text);
        end(&out, &w);
    }
    fflush(stdout);
}

// ---- a step -----------------------------------------------------------------

static void step_json(const struct dh_replay_printer *p,
                      const struct dh_replay_step *s)
{
    struct dh_buf out;
    struct dh_json_writer w =
        begin(&out, p, s->skipped && !p->dry_run ? "skip" : "step");
    dh_jw_i64(&w, "step", s->number);
    dh_jw_i64(&w, "of", s->of);
    dh_jw_i64(&w, "act", s->recorded->n);
    dh_action_json(s->action, &w);
    dh_jw_bool(&w, "found", s->found);
    dh_jw_text(&w, "rung", dh_rung_name(s->rung));
    dh_jw_double(&w, "score", s->score);
    dh_jw_bool(&w, "retried", s->retried);
    dh_jw_bool(&w, "repaired", s->repaired);
    dh_jw_double(&w, "find_ms", ms(s->find_ns));
    dh_jw_double(&w, "act_ms", ms(s->act_ns));
    dh_jw_double(&w, "check_ms", ms(s->check_ns));
    dh_jw_text(&w, "why", s->why);
    end(&out, &w);
}

static void print_place(const struct dh_recorded_step *s)
{
    if (!s->n_targets)
        return;
    const struct dh_target *t = &s->target[0].t;
    const char *name = t->node.name[0] ? t->node.name : t->node.role;
    if (t->has_node && name[0])
        print_field("  on ", name, "");
    if (t->window.id && t->window.title[0])
        print_field("  in ", t->window.title, "");
}

static void step_text(const struct dh_replay_printer *p,
                      const struct dh_replay_step *s)
{
    struct dh_buf action;
    dh_buf_init(&action, 1 << 20);
    dh_action_text(s->action, &action);
    printf("%4d/%d  ", s->number, s->of);
    if (s->found)
        printf("%-8s %4.2f  ", dh_rung_name(s->rung), s->score);
    else
        printf("%-14s  ", p->dry_run ? "not there" : "skipped");
    dh_app_print(stdout, dh_buf_text(&action));
    print_place(s->recorded);
    if (!p->dry_run && s->found)
        printf("  (%.0f + %.0f ms)", ms(s->find_ns),
               ms(s->act_ns + s->check_ns));
    if (s->repaired)
        printf("  repaired");
    if (s->why[0])
        print_field("\n        ! ", s->why, "");
    putchar('\n');
    dh_buf_finish(&action);
}

void dh_replay_print_step(const struct dh_replay_printer *p,
                          const struct dh_replay_step *s)
{
    if (p->json)
        step_json(p, s);
    else
        step_text(p, s);
    fflush(stdout);
}

// ---- a stop -----------------------------------------------------------------

static void stop_json(const struct dh_replay_printer *p,
                      const struct dh_replay_stop *s)
{
    struct dh_buf out;
    struct dh_json_writer w = begin(&out, p, "stop");
    dh_jw_i64(&w, "step", s->number);
    if (s->recorded)
        dh_jw_i64(&w, "act", s->recorded->n);
    dh_jw_bool(&w, "performed", s->performed);
    dh_jw_text(&w, "why", s->why);
    dh_jw_array(&w, "candidates");
    for (int i = 0; i < s->places.n; i++) {
        const struct dh_candidate *c = &s->places.candidate[i];
        dh_jw_object(&w, NULL);
        dh_jw_text(&w, "rung", dh_rung_name(c->rung));
        dh_jw_double(&w, "score", c->score);
        dh_jw_i64(&w, "x", c->at.x);
        dh_jw_i64(&w, "y", c->at.y);
        dh_jw_end_object(&w);
    }
    dh_jw_end_array(&w);
    if (p->session)
        dh_jw_text(&w, "evidence", p->session);
    end(&out, &w);
}

void dh_replay_print_stop(const struct dh_replay_printer *p,
                          const struct dh_replay_stop *s)
{
    struct dh_buf action;
    if (p->json) {
        stop_json(p, s);
        return;
    }
    dh_buf_init(&action, 1 << 20);
    if (s->recorded && !s->recorded->broken)
        dh_action_text(s->action, &action);
    printf("%4d     stopped         ", s->number);
    print_field("", dh_buf_text(&action), "");
    if (s->recorded)
        print_place(s->recorded);
    print_field("\n        ! ", s->why, "\n");
    for (int i = 0; i < s->places.n; i++) {
        const struct dh_candidate *c = &s->places.candidate[i];
        printf("          looked at %d, %d: %s %.2f\n", c->at.x, c->at.y,
               dh_rung_name(c->rung), c->score);
    }
    if (p->session)
        print_field("        what was seen and what was looked for: ",
                    p->session, "/stop-screen.png, stop-wanted.png\n");
    fflush(stdout);
    dh_buf_finish(&action);
}

// ---- the end ----------------------------------------------------------------

static void result_json(const struct dh_replay_printer *p,
                        const struct dh_replay_result *r)
{
    struct dh_buf out;
    struct dh_json_writer w = begin(&out, p, "result");
    dh_jw_text(&w, "end", dh_replay_end_name(r->end));
    dh_jw_i64(&w, "steps", r->steps);
    dh_jw_i64(&w, "played", r->played);
    dh_jw_i64(&w, "skipped", r->skipped);
    if (p->dry_run)
        dh_jw_i64(&w, "found", r->found);
    dh_jw_object(&w, "rungs");
    for (int i = 0; i <= DH_RUNG_PERSON; i++)
        if (r->rungs[i])
            dh_jw_i64(&w, dh_rung_name((enum dh_rung)i), r->rungs[i]);
    dh_jw_end_object(&w);
    dh_jw_i64(&w, "repairs", r->repairs);
    dh_jw_i64(&w, "model_calls", r->model_calls);
    if (r->usage.cost > 0)
        dh_jw_double(&w, "cost", r->usage.cost);
    dh_jw_double(&w, "seconds", (double)r->took_ns / 1e9);
    dh_jw_double(&w, "recorded_seconds", (double)r->recorded_ns / 1e9);
    if (r->stopped_at)
        dh_jw_i64(&w, "stopped_at", r->stopped_at);
    if (r->why[0])
        dh_jw_text(&w, "why", r->why);
    if (p->session)
        dh_jw_text(&w, "session", p->session);
    end(&out, &w);
}

static void result_text(const struct dh_replay_printer *p,
                        const struct dh_replay_result *r)
{
    if (p->dry_run) {
        printf("%d of %d steps would find their place on the screen as it is "
               "now\n",
               r->found, r->steps);
        return;
    }
    printf("%s: %d of %d steps in %.1f s, recorded in %.1f s",
           dh_replay_end_name(r->end), r->played, r->steps,
           (double)r->took_ns / 1e9, (double)r->recorded_ns / 1e9);
    for (int i = 0; i <= DH_RUNG_PERSON; i++)
        if (r->rungs[i])
            printf("; %s %d", dh_rung_name((enum dh_rung)i), r->rungs[i]);
    if (r->repairs)
        printf("; %d repaired", r->repairs);
    if (r->model_calls)
        printf("; the model was asked %d times", r->model_calls);
    if (r->usage.cost > 0)
        printf(" for $%.4f", r->usage.cost);
    putchar('\n');
    if (p->session)
        printf("session %s\n", p->session);
}

void dh_replay_print_result(const struct dh_replay_printer *p,
                            const struct dh_replay_result *r)
{
    if (p->json)
        result_json(p, r);
    else
        result_text(p, r);
    fflush(stdout);
}
