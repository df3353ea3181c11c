#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "actions/xtest.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/pool.h"
#include "capture/frame.h"
#include "capture/screen.h"
#include "tools/app.h"
#include "tools/bench.h"
#include "tools/bench_film.h"
#include "tools/bench_model.h"
#include "tools/bench_msa.h"
#include "tools/bench_proc.h"
#include "tools/bench_x11.h"

#define DH_LOG_TAG "bench"
#include "base/log.h"

#define SERVER_SCREEN "1920x1080x24"
#define SERVER_TRIES  5 // two that start at once may want the same number
#define SERVER_NS     (20 * DH_S)
#define ROUNDS        20
#define QUICK_ROUNDS  2
#define FILM_SECONDS  5 // for each row
#define GIVE_UP       3 // failures of a contestant without a success

struct bench_options {
    const char *display, *only;
    int rounds;
    bool quick, peers;
};

static const struct dh_opt bench_opts[] = {
    { "display", 0, DH_OPT_TEXT, offsetof(struct bench_options, display),
      "NAME", "The X display (default: a private Xvfb)", 0, 0, NULL },
    { "rounds", 0, DH_OPT_INT, offsetof(struct bench_options, rounds), "N",
      "Turns of every contestant, 0 for 20", 0, 100000, NULL },
    { "quick", 0, DH_OPT_BOOL, offsetof(struct bench_options, quick), NULL,
      "Two rounds, of one turn each: a look at whether all works", 0, 0, NULL },
    { "peers", 0, DH_OPT_BOOL, offsetof(struct bench_options, peers), NULL,
      "Run other programs too (default)", 0, 0, NULL },
    { "only", 0, DH_OPT_TEXT, offsetof(struct bench_options, only), "STAGE",
      "One stage, by its name in the output", 0, 0, NULL },
    { 0 },
};

// Everything of a run; zeroed, it can be finished at any time.
struct bench {
    struct dh_bench env;
    struct bench_options o;
    pid_t server;
    char display[32];
    char dir[512];
    const struct dh_bench_stage *stages[DH_BENCH_MAX_STAGES];
    int n_stages;
    struct dh_bench_result results[DH_BENCH_MAX_STAGES][DH_BENCH_MAX_CASES + 1];
};

// ---- begin and end ---------------------------------------------------------

// It writes its number into the pipe when it is ready, and ends where it finds
// none that is free.
static bool server_try(struct bench *b)
{
    char number[16], fd[16];
    int pipes[2];
    if (pipe(pipes))
        return false;
    snprintf(fd, sizeof fd, "%d", pipes[1]);
    const char *argv[] = {
        "Xvfb",        "-displayfd", fd,    "-screen",  "0",
        SERVER_SCREEN, "-nolisten",  "tcp", "-noreset", NULL
    };
    bool ok = !dh_bench_proc_start(&b->server, argv, -1, -1, pipes[1]);
    close(pipes[1]);
    ok = ok && dh_bench_proc_line(pipes[0], number, sizeof number,
                                  dh_now_ns() + SERVER_NS, b->env.cancel);
    close(pipes[0]);
    if (!ok) {
        dh_bench_proc_kill(b->server);
        b->server = 0;
        return false;
    }
    snprintf(b->display, sizeof b->display, ":%s", number);
    b->env.display = b->display;
    return true;
}

static enum dh_status server_start(struct bench *b)
{
    if (!dh_bench_proc_exists("Xvfb")) {
        dh_error("Xvfb is not installed; name a display with --display");
        return DH_ERR_NOTFOUND;
    }
    for (int i = 0; i < SERVER_TRIES; i++) {
        if (server_try(b))
            return DH_OK;
        if (dh_cancel_is_set(b->env.cancel))
            return DH_ERR_CANCELLED;
    }
    dh_error("Xvfb did not start");
    return DH_ERR_IO;
}

// The programs that are compared find the same display, read text as UTF-8 and
// ask no service of the session.
static enum dh_status surroundings(struct bench *b)
{
    const char *tmp = getenv("TMPDIR");
    setenv("DISPLAY", b->env.display, 1);
    setenv("LC_ALL", "C.UTF-8", 1);
    setenv("GDK_BACKEND", "x11", 1);
    setenv("NO_AT_BRIDGE", "1", 1);
    unsetenv("WAYLAND_DISPLAY");
    unsetenv("XMODIFIERS");
    unsetenv("GTK_IM_MODULE");
    snprintf(b->dir, sizeof b->dir, "%s/deskhand-bench-XXXXXX",
             tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(b->dir)) {
        dh_error("cannot make a folder such as %s", b->dir);
        b->dir[0] = 0;
        return DH_ERR_IO;
    }
    b->env.dir = b->dir;
    return DH_OK;
}

static enum dh_status env_open(struct dh_bench *e)
{
    struct dh_screen_options so = DH_SCREEN_DEFAULTS;
    so.display = e->display;
    enum dh_status st = dh_bench_x11_create(&e->x, e->display);
    if (!st)
        st = dh_screen_create(&e->pointer_screen, &so);
    so.cursor = false;
    if (!st)
        st = dh_screen_create(&e->screen, &so);
    if (!st)
        st = dh_xtest_create(&e->sink, e->display, NULL);
    if (!st)
        st = dh_pool_create(&e->pool, 0);
    if (st)
        return st;
    e->size = dh_bench_x11_size(e->x);
    size_t bytes = (size_t)e->size.w * (size_t)e->size.h * 4;
    e->from = dh_big_zalloc(bytes);
    e->to = dh_big_zalloc(bytes);
    return e->from && e->to ? DH_OK : DH_ERR_NOMEM;
}

static void files_remove(const char *dir)
{
    static const char *const names[] = { "scrot.png",  "maim.png", "import.png",
                                         "ffmpeg.png", "shot.png", "small.png",
                                         "lines",      "film.mkv" };
    for (size_t i = 0; i < DH_COUNTOF(names); i++) {
        char *path = dh_path_join(dir, names[i]);
        unlink(path);
        dh_free(path);
    }
    rmdir(dir);
}

static void bench_finish(struct bench *b)
{
    struct dh_bench *e = &b->env;
    dh_bench_see_finish(e);
    dh_bench_act_finish(e);
    dh_big_free(e->from);
    dh_big_free(e->to);
    dh_pool_destroy(e->pool);
    dh_sink_destroy(e->sink);
    dh_source_destroy(e->screen);
    dh_source_destroy(e->pointer_screen);
    dh_bench_x11_destroy(e->x);
    dh_bench_proc_kill(b->server);
    if (b->dir[0])
        files_remove(b->dir);
    for (int s = 0; s < b->n_stages; s++) {
        for (int c = 0; c < DH_BENCH_MAX_CASES; c++)
            dh_free(b->results[s][c].ms);
    }
}

// ---- the rounds ------------------------------------------------------------

static void add_stages(struct bench *b, const struct dh_bench_stage *stages,
                       int n)
{
    for (int i = 0; i < n; i++) {
        const struct dh_bench_stage *s = &stages[i];
        if (b->o.only && strcmp(b->o.only, s->name) != 0)
            continue;
        struct dh_bench_result *r = b->results[b->n_stages];
        b->stages[b->n_stages++] = s;
        for (int c = 0; c < DH_BENCH_MAX_CASES && s->cases[c].name; c++) {
            r[c].c = &s->cases[c];
            for (int k = 0; k < DH_BENCH_MAX_NEEDS; k++) {
                const char *needs = s->cases[c].needs[k];
                if (needs && !dh_bench_proc_exists(needs))
                    r[c].missing = needs;
            }
        }
    }
}

static bool is_over(const struct bench *b)
{
    return dh_cancel_is_set(b->env.cancel) || dh_bench_x11_is_lost(b->env.x);
}

static void turn(struct bench *b, struct dh_bench_result *r)
{
    struct dh_bench_sample s = { 0 };
    bool unwanted = r->c->kind == DH_BENCH_PEER && !b->o.peers;
    bool hopeless = !r->n && r->failed >= GIVE_UP;
    if (r->missing || unwanted || hopeless || is_over(b))
        return;
    if (r->c->once(&b->env, &s))
        dh_bench_result_add(r, &s);
    else if (!is_over(b))
        r->failed++;
}

// Who has many times in a round has them by turns with the others: what runs
// just before somebody leaves its mark on caches and cores.
static void stage_round(struct bench *b, int stage, int round)
{
    struct dh_bench_result *r = b->results[stage];
    int n = 0, most = 1;
    for (; r[n].c; n++)
        most = DH_MAX(most, b->o.quick ? 1 : r[n].c->reps);
    for (int k = 0; k < most; k++) {
        for (int i = 0; i < n; i++) {
            struct dh_bench_result *next = &r[(i + round + k) % n];
            if (k < next->c->reps)
                turn(b, next);
        }
    }
}

// The first time, memory is touched and keyboards are read. Where that shows in
// the numbers, there is one time that does not count.
static void warm_up(struct bench *b)
{
    for (int s = 0; s < b->n_stages; s++) {
        for (struct dh_bench_result *r = b->results[s]; r->c; r++) {
            struct dh_bench_sample unused = { 0 };
            bool alone = !r->c->needs[0];
            if (alone && !is_over(b) && !r->c->once(&b->env, &unused))
                r->failed++;
        }
    }
}

static enum dh_status rounds_run(struct bench *b)
{
    warm_up(b);
    for (int i = 0; i < b->o.rounds; i++) {
        for (int s = 0; s < b->n_stages; s++) {
            stage_round(b, s, i);
            if (is_over(b))
                return dh_cancel_is_set(b->env.cancel) ? DH_ERR_CANCELLED
                                                       : DH_ERR_CLOSED;
        }
        dh_info("round %d of %d", i + 1, b->o.rounds);
    }
    return DH_OK;
}

// ---- output ----------------------------------------------------------------

static void machine_json(const struct bench *b, const char *command,
                         const char *cpu, double load,
                         const struct utsname *host, struct dh_buf *out)
{
    struct dh_json_writer w;
    dh_jw_init(&w, out);
    dh_jw_object(&w, NULL);
    dh_jw_text(&w, "command", command);
    dh_jw_text(&w, "version", DH_VERSION);
    dh_jw_text(&w, "cpu", cpu);
    dh_jw_i64(&w, "cores", dh_thread_cores());
    dh_jw_double(&w, "load", load);
    dh_jw_text(&w, "system", host->sysname);
    dh_jw_text(&w, "kernel", host->release);
    dh_jw_text(&w, "server", dh_bench_x11_vendor(b->env.x));
    dh_jw_bool(&w, "private_server", b->server > 0);
    dh_jw_i64(&w, "width", b->env.size.w);
    dh_jw_i64(&w, "height", b->env.size.h);
    dh_jw_i64(&w, "rounds", b->o.rounds);
    dh_jw_end_object(&w);
    dh_buf_putc(out, '\n');
}

static void put_machine(const struct bench *b, const char *command, bool json,
                        struct dh_buf *out)
{
    struct utsname host = { 0 };
    char cpu[128];
    double load = 0;
    uname(&host);
    dh_thread_cpu(cpu, sizeof cpu);
    if (getloadavg(&load, 1) != 1)
        load = 0;
    if (json) {
        machine_json(b, command, cpu, load, &host, out);
        return;
    }
    dh_buf_printf(out, "%s (%s)\n", command, DH_VERSION);
    dh_buf_printf(out, "machine: %s, %d cores, load %.2f, %s %s\n", cpu,
                  dh_thread_cores(), load, host.sysname, host.release);
    dh_buf_printf(out, "server: %s, %s, %d x %d, MIT-SHM, DAMAGE, XTEST\n",
                  dh_bench_x11_vendor(b->env.x),
                  b->server > 0 ? "private Xvfb" : b->env.display,
                  b->env.size.w, b->env.size.h);
    dh_buf_printf(out,
                  "rounds: %d, interleaved; times in milliseconds; \"x ours\" "
                  "is how many\ntimes as long as deskhand\n",
                  b->o.rounds);
}

static void report(struct bench *b, const char *command, bool json)
{
    struct dh_buf out;
    dh_buf_init(&out, 1 << 20);
    put_machine(b, command, json, &out);
    for (int s = 0; s < b->n_stages; s++)
        dh_bench_report(b->stages[s], b->results[s], json, &out);
    fputs(dh_buf_text(&out), stdout);
    dh_buf_finish(&out);
}

// ---- the subcommand --------------------------------------------------------

// What `start` runs: a program that does nothing but take a picture.
static int one_frame(const struct bench_options *o)
{
    struct dh_screen_options so = DH_SCREEN_DEFAULTS;
    struct dh_source *source = NULL;
    struct dh_frame *frame = NULL;
    so.display = o->display;
    enum dh_status st = dh_screen_create(&source, &so);
    if (!st)
        st = dh_source_grab(source, &frame);
    dh_frame_unref(frame);
    dh_source_destroy(source);
    return dh_app_exit(st);
}

static enum dh_status bench_open(struct bench *b)
{
    enum dh_status st = DH_OK;
    if (b->o.display)
        b->env.display = b->o.display;
    else
        st = server_start(b);
    if (!st)
        st = surroundings(b);
    if (!st)
        st = env_open(&b->env);
    return st;
}

static int run_io(struct bench *b, const char *command, bool json)
{
    b->env.fifo = -1;
    b->env.cancel = dh_app_cancel();
    if (!b->o.rounds)
        b->o.rounds = b->o.quick ? QUICK_ROUNDS : ROUNDS;
    add_stages(b, dh_bench_see_stages, dh_bench_n_see);
    add_stages(b, dh_bench_act_stages, dh_bench_n_act);
    if (!b->n_stages)
        return dh_app_usage(&dh_cmd_bench, "there is no stage \"%s\"",
                            b->o.only);
    enum dh_status st = bench_open(b);
    if (!st)
        st = rounds_run(b);
    if (!st)
        report(b, command, json);
    bench_finish(b);
    return dh_app_exit(st);
}

static int run_film(struct bench *b, bool json)
{
    struct dh_buf out;
    b->env.fifo = -1;
    b->env.cancel = dh_app_cancel();
    dh_buf_init(&out, 1 << 16);
    enum dh_status st = bench_open(b);
    if (!st)
        st = dh_bench_film(&b->env, b->o.quick ? 1 : FILM_SECONDS, json, &out);
    fputs(dh_buf_text(&out), stdout);
    dh_buf_finish(&out);
    bench_finish(b);
    return dh_app_exit(st);
}

// As it was typed, for the record.
static void put_command(struct dh_buf *out, int argc, char **argv)
{
    dh_buf_puts(out, "deskhand");
    for (int i = 0; i < argc; i++)
        dh_buf_printf(out, " %s", argv[i]);
}

static int run(int argc, char **argv)
{
    struct dh_app_options app = DH_APP_DEFAULTS;
    struct dh_bench_model_options model = DH_BENCH_MODEL_DEFAULTS;
    struct bench *b;
    struct dh_buf command;
    int n, status;
    dh_new(b);
    b->o.peers = true;
    struct dh_opt_set sets[] = { { bench_opts, &b->o },
                                 { dh_bench_model_opts, &model },
                                 { dh_app_opts, &app },
                                 { 0 } };
    dh_buf_init(&command, 1 << 16);
    put_command(&command, argc, argv);
    if (dh_app_parse(&dh_cmd_bench, sets, &app, argc, argv, &n, &status)) {
        if (n == 1 && strcmp(argv[1], "io") == 0)
            status = run_io(b, dh_buf_text(&command), app.json);
        else if (n == 1 && strcmp(argv[1], "film") == 0)
            status = run_film(b, app.json);
        else if (n == 1 && strcmp(argv[1], "frame") == 0)
            status = one_frame(&b->o);
        else if (n == 1 && strcmp(argv[1], "model") == 0)
            status = dh_app_exit(dh_bench_model(&model, b->o.rounds, app.json));
        else if (n == 1 && strcmp(argv[1], "msa") == 0)
            status = dh_app_exit(dh_bench_msa(&model, b->o.rounds, app.json));
        else if (n == 1 && strcmp(argv[1], "llama") == 0)
            status = dh_app_exit(dh_bench_model_peer(&model));
        else
            status = dh_app_usage(
                &dh_cmd_bench,
                "io, film, model, msa, llama or frame is expected");
    }
    dh_buf_finish(&command);
    dh_free(b);
    return status;
}

const struct dh_command dh_cmd_bench = {
    "bench",
    "io|film|model|msa|llama|frame",
    "Measure seeing, acting and thinking",
    "io compares, in one interleaved run, deskhand with bare X calls, which "
    "are\n"
    "the limit, and with programs that are installed. Only ratios of one run\n"
    "mean something. It paints, clicks and types all over the display.\n"
    "film measures what filming the screen costs the agent's steps.\n"
    "model measures how fast prompts are read and answers written, as shares "
    "of\n"
    "what memory and arithmetic of this machine allow, measured in the same "
    "run.\n"
    "msa decodes over contexts of up to a million tokens with sparse and with\n"
    "full attention, in one layer of the released model's size: 8 GB, and 5 GB "
    "for\n"
    "a million tokens.\n"
    "llama has llama.cpp alone read and answer, which model --peer does in "
    "turns.\n"
    "frame connects, takes one picture and ends: what io measures as start.",
    { bench_opts, dh_bench_model_opts, dh_app_opts },
    run,
};
