// The commands that read checkpoints, on small random ones and on broken ones.
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "capture/png.h"
#include "capture/source.h"
#include "capture/synth.h"
#include "tests/agent/talker.h"
#include "tests/dh_test.h"
#include "tests/model/checkpoint.h"
#include "tests/tools/program.h"

#define VOCAB 256 // of the small checkpoint
#define IMAGE 250 // its placeholder

static void put_file(const char *path, const void *data, size_t len)
{
    CHECK_INT(dh_file_write(path, data, len), DH_OK);
}

static char *checkpoint(const struct dh_checkpoint_spec *spec)
{
    char *dir = dh_test_path("model");
    CHECK_INT(dh_path_mkdirs(dir), DH_OK);
    dh_checkpoint_write(dir, spec);
    return dir;
}

static void write_picture(const char *path, int w, int h)
{
    struct dh_synth_options o = { .width = w, .height = h, .seed = 1 };
    struct dh_source *s;
    struct dh_frame *f;
    CHECK_INT(dh_synth_create(&s, &o), DH_OK);
    CHECK_INT(dh_source_grab(s, &f), DH_OK);
    CHECK_INT(dh_png_write(path, f), DH_OK);
    dh_frame_unref(f);
    dh_source_destroy(s);
}

/* --- inspect, doctor --- */

static void test_inspect_tells_the_shapes(void)
{
    struct dh_checkpoint_spec spec = { .shards = 2, .dtype = DH_BF16 };
    char *dir = checkpoint(&spec);
    struct said s;
    RUN(&s, "inspect", dir);
    CHECK_SAID(&s, 0, "6 layers of 64, vocabulary 256, context 4096", "");
    CHECK_SAID(&s, 0, "BF16", "");
    said_finish(&s);
    RUN(&s, "inspect", "--tensors", dir);
    CHECK_SAID(&s, 0, "language_model.model.norm.weight\n", "");
    said_finish(&s);
    RUN(&s, "inspect", "--json", "--tensors", dir);
    CHECK_SAID(&s, 0, "\"vocab_size\":256", "");
    CHECK(json_lines(s.out) > 50);
    said_finish(&s);
    dh_free(dir);
}

/* --- quantize --- */

static void test_quantize_writes_what_the_others_read(void)
{
    struct dh_checkpoint_spec spec = { .dtype = DH_BF16 };
    char *dir = checkpoint(&spec), *file = dh_test_path("m.gguf");
    char *eight = dh_test_path("eight");
    struct said s;
    RUN(&s, "quantize", "--log=error", dir, file, "--to", "q8_0");
    CHECK_SAID(&s, 0, "the best token is the same at ", "");
    said_finish(&s);
    RUN(&s, "inspect", file);
    CHECK_SAID(&s, 0, "6 layers of 64, vocabulary 256, context 4096", "");
    CHECK_SAID(&s, 0, "general.architecture = minimax-m3", "");
    CHECK_SAID(&s, 0, "Q8_0", "");
    said_finish(&s);
    RUN(&s, "quantize", "--json", "--log=error", "--agree=64", dir, eight,
        "--to", "mxfp8");
    CHECK_SAID(&s, 0, "\"positions\":64,", "");
    CHECK(json_lines(s.out) > 50);
    said_finish(&s);
    RUN(&s, "inspect", "--json", eight);
    CHECK_SAID(&s, 0, "\"has_vision\":true", "");
    said_finish(&s);
    dh_free(dir);
    dh_free(file);
    dh_free(eight);
}

static void test_quantize_refuses_what_it_cannot_do(void)
{
    struct dh_checkpoint_spec spec = { .dtype = DH_BF16 };
    char *dir = checkpoint(&spec), *file = dh_test_path("m.gguf");
    struct said s;
    RUN(&s, "quantize", dir, file);
    CHECK_SAID(&s, 2, "", "--to TYPE");
    said_finish(&s);
    RUN(&s, "quantize", dir, file, "--to", "q3");
    CHECK_SAID(&s, 2, "", "q3");
    said_finish(&s);
    RUN(&s, "quantize", dir, file, "--to", "nvfp4");
    CHECK_SAID(&s, 2, "", "is a GGUF file");
    said_finish(&s);
    put_file(file, "GGUF, but no more", 17);
    RUN(&s, "inspect", file);
    CHECK_SAID(&s, 1, "", "m.gguf: byte ");
    said_finish(&s);
    RUN(&s, "ask", "--model", file, "hello");
    CHECK_SAID(&s, 1, "", "m.gguf: byte ");
    said_finish(&s);
    RUN(&s, "bench", "model", "--peer", dir, "--model", dir);
    CHECK_SAID(&s, 2, "", "--peer");
    said_finish(&s);
    dh_free(dir);
    dh_free(file);
}

static void check_refused(const char *dir, const char *err)
{
    static const char *const commands[] = { "inspect", "doctor" };
    struct said s;
    RUN(&s, commands[0], dir);
    CHECK_SAID(&s, 1, "", err);
    // One line says it, not a page.
    CHECK(strlen(s.err) < 1000);
    said_finish(&s);
    RUN(&s, commands[1], "--model", dir);
    CHECK_SAID(&s, 1, "BROKEN  model ", err);
    said_finish(&s);
}

static void test_a_checkpoint_with_wrong_shapes_is_refused(void)
{
    struct dh_checkpoint_spec spec = { .narrow =
                                           "language_model.model.norm.weight" };
    char *dir = checkpoint(&spec);
    check_refused(dir, "language_model.model.norm.weight");
    dh_free(dir);
}

static void test_a_checkpoint_with_a_hole_is_refused(void)
{
    struct dh_checkpoint_spec spec = {
        .skip = "language_model.model.layers.3.self_attn.k_proj.weight"
    };
    char *dir = checkpoint(&spec);
    check_refused(dir, "layers.3.self_attn.k_proj.weight");
    dh_free(dir);
}

static void test_a_checkpoint_cut_short_is_refused(void)
{
    struct dh_checkpoint_spec spec = { 0 };
    char *dir = checkpoint(&spec);
    char *path = dh_path_join(dir, "model.safetensors");
    struct stat st;
    CHECK_INT(stat(path, &st), 0);
    const off_t sizes[] = { st.st_size - 1, st.st_size / 2, 100, 7, 0 };
    for (size_t i = 0; i < DH_COUNTOF(sizes); i++) {
        CHECK_INT(truncate(path, sizes[i]), 0);
        check_refused(dir, "model.safetensors");
    }
    CHECK_INT(remove(path), 0);
    check_refused(dir, "model.safetensors");
    dh_free(path);
    dh_free(dir);
}

static void test_a_lying_header_is_refused(void)
{
    static const uint64_t lengths[] = { UINT64_MAX, UINT64_MAX / 2,
                                        UINT64_C(1) << 40, 3, 0 };
    struct dh_checkpoint_spec spec = { 0 };
    char *dir = checkpoint(&spec);
    char *path = dh_path_join(dir, "model.safetensors");
    for (size_t i = 0; i < DH_COUNTOF(lengths); i++) {
        int fd = open(path, O_WRONLY);
        CHECK(fd >= 0);
        CHECK_INT(pwrite(fd, &lengths[i], 8, 0), 8);
        close(fd);
        check_refused(dir, "model.safetensors");
    }
    dh_free(path);
    dh_free(dir);
}

static void test_a_bad_configuration_is_refused(void)
{
    static const char *const texts[] = { "", "{", "[]", "{}",
                                         "{\"model_type\":\"llama\"}" };
    struct dh_checkpoint_spec spec = { 0 };
    char *dir = checkpoint(&spec);
    char *path = dh_path_join(dir, "config.json");
    for (size_t i = 0; i < DH_COUNTOF(texts); i++) {
        put_file(path, texts[i], strlen(texts[i]));
        check_refused(dir, "config.json");
    }
    dh_free(path);
    dh_free(dir);
}

static void test_a_checkpoint_without_a_tokenizer_cannot_talk(void)
{
    struct dh_checkpoint_spec spec = { 0 };
    char *dir = checkpoint(&spec), *png = dh_test_path("a.png");
    struct said s;
    write_picture(png, 64, 48);
    RUN(&s, "inspect", dir);
    CHECK_SAID(&s, 0, "6 layers", "");
    said_finish(&s);
    RUN(&s, "doctor", "--model", dir);
    CHECK_SAID(&s, 1, "BROKEN  tokenizer ", NULL);
    said_finish(&s);
    RUN(&s, "ask", "--model", dir, "Who?");
    CHECK_SAID(&s, 1, "", "tokenizer.json");
    said_finish(&s);
    RUN(&s, "locate", "--model", dir, png, "OK");
    CHECK_SAID(&s, 1, "", "tokenizer.json");
    said_finish(&s);
    dh_free(png);
    dh_free(dir);
}

/* --- locate --- */

static uint32_t crc_of(const uint8_t *p, size_t n)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320U : 0);
    }
    return ~crc;
}

static void put_u32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void put_chunk(struct dh_buf *out, const char *type, const void *data,
                      size_t len)
{
    uint8_t number[4];
    put_u32(number, (uint32_t)len);
    dh_buf_put(out, number, 4);
    size_t from = out->len;
    dh_buf_put(out, type, 4);
    dh_buf_put(out, data, len);
    put_u32(number, crc_of((uint8_t *)out->data + from, len + 4));
    dh_buf_put(out, number, 4);
}

// A whole file that promises w x h pixels and brings none.
static void write_claim(const char *path, uint32_t w, uint32_t h)
{
    uint8_t head[13] = { [8] = 8, [9] = 2 };
    struct dh_buf png;
    put_u32(head, w);
    put_u32(head + 4, h);
    dh_buf_init(&png, 1 << 16);
    dh_buf_put(&png, "\x89PNG\r\n\x1a\n", 8);
    put_chunk(&png, "IHDR", head, sizeof head);
    put_chunk(&png, "IDAT", "\x78\x9c\x03\0\0\0\0\x01", 8);
    put_chunk(&png, "IEND", "", 0);
    put_file(path, png.data, png.len);
    dh_buf_finish(&png);
}

static void test_an_absurd_picture_is_refused(void)
{
    static const uint32_t sizes[][2] = { { 100000, 100000 },
                                         { 0x7fffffff, 0x7fffffff },
                                         { 1, 2000000000 },
                                         { 30000, 30000 } };
    char *png = dh_test_path("a.png");
    struct said s;
    for (size_t i = 0; i < DH_COUNTOF(sizes); i++) {
        write_claim(png, sizes[i][0], sizes[i][1]);
        RUN(&s, "locate", png, "OK");
        CHECK_SAID(&s, 1, "", png);
        said_finish(&s);
    }
    dh_free(png);
}

static void test_what_is_no_picture_is_refused(void)
{
    static const char text[] = "not a picture at all\n";
    char *name = dh_test_path("a.png"), *missing = dh_test_path("missing.png");
    struct said s;
    put_file(name, text, sizeof text);
    RUN(&s, "locate", name, "OK");
    CHECK_SAID(&s, 1, "", "a.png");
    said_finish(&s);
    put_file(name, "", 0);
    RUN(&s, "locate", name, "OK");
    CHECK_SAID(&s, 1, "", "a.png");
    said_finish(&s);
    RUN(&s, "locate", missing, "OK");
    CHECK_SAID(&s, 1, "", "missing.png: No such file");
    said_finish(&s);
    RUN(&s, "locate", dh_test_dir(), "OK");
    CHECK_SAID(&s, 1, "", dh_test_dir());
    said_finish(&s);
    dh_free(name);
    dh_free(missing);
}

/* --- a model that talks nonsense --- */

static char *talker(void)
{
    char *dir = dh_test_path("model");
    CHECK_INT(dh_path_mkdirs(dir), DH_OK);
    talker_write(dir, "{\"name\":\"tiny\",\"developer\":\"Act.\","
                      "\"thinking\":\"disabled\",\"history\":\"summary\","
                      "\"temperature\":1,\"constrain\":true,"
                      "\"max_answer_tokens\":1500,\"max_pixels\":10000}");
    return dir;
}

static void test_locate_prints_a_pixel_of_the_picture(void)
{
    char *dir = talker(), *png = dh_test_path("a.png"), *end;
    struct said s;
    write_picture(png, 300, 200);
    RUN(&s, "locate", "--model", dir, png, "Click OK.");
    CHECK_SAID(&s, 0, " ", "");
    long x = strtol(s.out, &end, 10);
    CHECK(end > s.out && *end == ' ');
    long y = strtol(end, &end, 10);
    CHECK_STR(end, "\n");
    CHECK(x >= 0 && x < 300 && y >= 0 && y < 200);
    said_finish(&s);
    RUN(&s, "locate", "--json", "--model", dir, png, "Click OK.");
    CHECK_SAID(&s, 0, "\"raw\":\"Action: ", "");
    CHECK_INT(json_lines(s.out), 1);
    said_finish(&s);
    dh_free(png);
    dh_free(dir);
}

static void test_ask_answers(void)
{
    char *dir = talker(), *png = dh_test_path("a.png");
    struct said s;
    write_picture(png, 100, 80);
    RUN(&s, "ask", "--model", dir, "--image", png, "-i", png, "What?");
    CHECK_SAID(&s, 0, NULL, "");
    // It may say nothing, but it ends its line.
    CHECK(s.out[0] && s.out[strlen(s.out) - 1] == '\n');
    said_finish(&s);
    RUN(&s, "ask", "--json", "--model", dir, "What?");
    CHECK_SAID(&s, 0, "{\"answer\":\"", "");
    CHECK_INT(json_lines(s.out), 1);
    said_finish(&s);
    RUN(&s, "ask", "--model", dir, "--image", "/none.png", "What?");
    CHECK_SAID(&s, 1, "", "/none.png");
    said_finish(&s);
    RUN(&s, "ask", "--model", dir, "--video", "/none.mkv", "What?");
    CHECK_SAID(&s, 1, "", "/none.mkv");
    said_finish(&s);
    dh_free(png);
    dh_free(dir);
}

// What one process computed, the next one need not.
static void test_a_cache_is_kept(void)
{
    char *dir = talker(), *png = dh_test_path("a.png");
    char *cache = dh_test_path("cache");
    struct said first, again;
    write_picture(png, 100, 80);
    RUN(&first, "ask", "--model", dir, "-i", png, "--cache", cache, "What?");
    CHECK_SAID(&first, 0, NULL, "");
    RUN(&again, "ask", "--model", dir, "-i", png, "--cache", cache,
        "--log=info", "What?");
    CHECK_SAID(&again, 0, first.out, "tokens are known");
    CHECK_STR(again.out, first.out);
    said_finish(&first);
    said_finish(&again);
    // A bad one costs only time, and a good one takes its place.
    CHECK_INT(dh_file_write(cache, "none", 4), DH_OK);
    RUN(&again, "ask", "--model", dir, "-i", png, "--cache", cache, "What?");
    CHECK_SAID(&again, 0, NULL, "cut short");
    said_finish(&again);
    RUN(&again, "ask", "--model", dir, "-i", png, "--cache", cache, "What?");
    CHECK_SAID(&again, 0, NULL, "");
    said_finish(&again);
    RUN(&again, "ask", "--model", "http://127.0.0.1:9", "--cache", cache, "x");
    CHECK_SAID(&again, 2, "", "a model in this process");
    said_finish(&again);
    dh_free(cache);
    dh_free(png);
    dh_free(dir);
}

// What cannot be kept costs the next run time, and this one nothing.
static void test_a_cache_without_room_is_said(void)
{
    char *dir = talker(), *cache = dh_test_path("cache");
    struct rlimit limit, small;
    struct said s;
    signal(SIGXFSZ, SIG_IGN);
    CHECK_INT(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = limit;
    small.rlim_cur = 20000;
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &small), 0);
    RUN(&s, "ask", "--model", dir, "--cache", cache, "What?");
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
    CHECK_SAID(&s, 0, "\n", cache);
    CHECK_SAID(&s, 0, NULL, "the next start will be as slow");
    CHECK(!dh_path_exists(cache));
    said_finish(&s);
    dh_free(cache);
    dh_free(dir);
}

// The same answer with any memory that is enough, and what it came to.
static void test_memory_for_weights_can_be_given(void)
{
    char *dir = talker();
    struct said all, s;
    RUN(&all, "ask", "--model", dir, "What?");
    CHECK_SAID(&all, 0, NULL, "");
    RUN(&s, "ask", "--model", dir, "--memory=64M", "What?");
    CHECK_SAID(&s, 0, NULL, "memory: 64 MiB for weights, ");
    CHECK_STR(s.out, all.out);
    said_finish(&s);
    said_finish(&all);
    RUN(&s, "ask", "--model", dir, "--memory=0.5G", "--json", "What?");
    CHECK_SAID(&s, 0, "\"memory\":{\"budget_bytes\":536870912,", "");
    CHECK_INT(json_lines(s.out), 1);
    said_finish(&s);
    RUN(&s, "ask", "--model", dir, "--memory=1K", "What?");
    CHECK_SAID(&s, 1, "", "the least that works is ");
    said_finish(&s);
    RUN(&s, "ask", "--model", dir, "--memory=lots", "What?");
    CHECK_SAID(&s, 2, "", "memory: size such as 500M or 24G expected");
    said_finish(&s);
    RUN(&s, "ask", "--model", "http://127.0.0.1:9", "--memory=1G", "x");
    CHECK_SAID(&s, 2, "", "--memory is for a model in this process");
    said_finish(&s);
    RUN(&s, "ask", "--model", "http://127.0.0.1:9", "--cache-type=int8", "x");
    CHECK_SAID(&s, 2, "", "--cache-type is for a model in this process");
    said_finish(&s);
    dh_free(dir);
}

// A tensor of 4 TB, which is a hole in the file and read by nobody.
static void add_a_hole(const char *path)
{
    static const uint64_t hole = UINT64_C(1) << 42;
    struct dh_buf out;
    char *bytes;
    size_t len;
    uint64_t header;
    CHECK_INT(dh_file_read(path, 1 << 24, &bytes, &len), DH_OK);
    memcpy(&header, bytes, 8);
    size_t close = 8 + (size_t)header, data = len - close;
    while (bytes[--close] != '}')
        ;
    dh_buf_init(&out, 1 << 24);
    dh_buf_put(&out, "12345678", 8);
    dh_buf_put(&out, bytes + 8, close - 8);
    dh_buf_printf(&out,
                  ",\"hole\":{\"dtype\":\"U8\",\"shape\":[%" PRIu64
                  "],\"data_offsets\":[%zu,%" PRIu64 "]}}",
                  hole, data, data + hole);
    header = out.len - 8;
    memcpy(out.data, &header, 8);
    dh_buf_put(&out, bytes + len - data, data);
    put_file(path, out.data, out.len);
    CHECK_INT(truncate(path, (off_t)(out.len + hole)), 0);
    dh_buf_finish(&out);
    dh_big_free(bytes);
}

static void test_a_model_beyond_the_memory_is_told_of_it(void)
{
    char *dir = talker();
    char *path = dh_path_join(dir, "model.safetensors");
    struct said s;
    add_a_hole(path);
    RUN(&s, "ask", "--model", dir, "What?");
    CHECK_SAID(&s, 0, NULL, "4398.0 GB of weights are more than the memory");
    said_finish(&s);
    RUN(&s, "ask", "--model", dir, "--memory=64M", "What?");
    CHECK_SAID(&s, 0, NULL, "memory: 64 MiB for weights, ");
    CHECK(!strstr(s.err, "more than the memory"));
    said_finish(&s);
    dh_free(path);
    dh_free(dir);
}

// It acts on the screen, is recorded, and what was recorded can be watched.
static void test_a_model_runs_and_is_recorded(void)
{
    char *dir = talker(), *session = dh_test_path("session");
    char *video = dh_test_path("session/video.mkv");
    struct said s;
    RUN(&s, "run", "--model", dir, "--session", session, "--max-steps=3",
        "--quiet-ms=10", "--settle-ms=200", "--region=160x120+100+100", "Go.");
    CHECK(s.status == 0 || s.status == 3);
    CHECK_SAID(&s, s.status, "task    Go.\nstep 1  saw ", "");
    CHECK_SAID(&s, s.status, "\nprefill ", "");
    said_finish(&s);
    RUN(&s, "ask", "--model", dir, "--video", video, "--fps=10", "What?");
    CHECK_SAID(&s, 0, "\n", "");
    said_finish(&s);
    RUN(&s, "run", "--model", dir, "--no-record", "--context=50", "Go.");
    CHECK_SAID(&s, 1, "error after 1 step", "the cache holds 50");
    said_finish(&s);
    RUN(&s, "run", "--model", dir, "--no-record", "--kernels=sse9", "Go.");
    CHECK_SAID(&s, 2, "", "sse9");
    said_finish(&s);
    dh_free(dir);
    dh_free(session);
    dh_free(video);
}

static void test_tokens_come_back_as_text(void)
{
    char *dir = talker();
    struct said s, back;
    RUN(&s, "tokens", "--model", dir, "Click OK.");
    CHECK_SAID(&s, 0, " bytes\n", "");
    said_finish(&s);
    RUN(&s, "tokens", "--model", dir, "--json", "Click OK.");
    CHECK_INT(json_lines(s.out), 1);
    char *ids = strstr(s.out, "\"ids\":[");
    CHECK(ids != NULL);
    ids += strlen("\"ids\":");
    strchr(ids, ']')[1] = '\0';
    RUN(&back, "tokens", "--model", dir, "--decode", ids);
    CHECK_SAID(&back, 0, "Click OK.\n", "");
    said_finish(&back);
    said_finish(&s);
    RUN(&s, "tokens", "--model", dir, "--decode", "99999999");
    CHECK_SAID(&s, 2, "", "99999999");
    said_finish(&s);
    dh_free(dir);
}

/* --- forward --- */

struct forward {
    char *model, *cases, *out;
};

static void forward_init(struct forward *f)
{
    struct dh_checkpoint_spec spec = { 0 };
    f->model = checkpoint(&spec);
    f->cases = dh_test_path("cases.json");
    f->out = dh_test_path("logits");
}

static void forward_finish(struct forward *f)
{
    dh_free(f->model);
    dh_free(f->cases);
    dh_free(f->out);
}

static void forward_run(struct forward *f, const char *cases, struct said *s)
{
    put_file(f->cases, cases, strlen(cases));
    RUN(s, "forward", "--model", f->model, "--input", f->cases, "--out",
        f->out);
}

static long size_of(const char *name)
{
    struct stat st;
    char *path = dh_test_path(name);
    CHECK_INT(stat(path, &st), 0);
    dh_free(path);
    return (long)st.st_size;
}

static void test_forward_writes_logits(void)
{
    struct forward f;
    struct said s;
    forward_init(&f);
    forward_run(&f,
                "[{\"ids\":[1,2,3,4,5],\"greedy\":4},{\"ids\":[9]},"
                "{\"ids\":[1,2,3,4,5],\"images\":[],\"greedy\":0}]",
                &s);
    CHECK_SAID(&s, 0, "{\"case\":0,\"greedy\":[", "");
    CHECK_SAID(&s, 0, "]}\n{\"case\":1,\"greedy\":[]}\n", "");
    CHECK_INT(json_lines(s.out), 3);
    CHECK_INT(size_of("logits/case0.logits.f32"), 5 * VOCAB * 4);
    CHECK_INT(size_of("logits/case1.logits.f32"), VOCAB * 4);
    char *first = dh_test_path("logits/case0.logits.f32"), *a, *b;
    char *third = dh_test_path("logits/case2.logits.f32");
    size_t n;
    CHECK_INT(dh_file_read(first, 1 << 20, &a, &n), DH_OK);
    CHECK_INT(dh_file_read(third, 1 << 20, &b, &n), DH_OK);
    CHECK_MEM(a, b, n);
    dh_big_free(a);
    dh_big_free(b);
    dh_free(first);
    dh_free(third);
    said_finish(&s);
    forward_finish(&f);
}

// Pictures lie beside the input file and fill the placeholders in order.
static void test_forward_takes_pictures(void)
{
    struct forward f;
    struct said s;
    struct dh_buf cases;
    char *png = dh_test_path("a.png");
    forward_init(&f);
    write_picture(png, 64, 64);
    // Patches of 4 pixels, 2 x 2 of them to a token.
    for (int tokens = 63; tokens <= 65; tokens++) {
        dh_buf_init(&cases, 1 << 16);
        dh_buf_puts(&cases, "[{\"ids\":[1");
        for (int i = 0; i < tokens; i++)
            dh_buf_printf(&cases, ",%d", IMAGE);
        dh_buf_puts(&cases, ",7],\"images\":[\"a.png\"],\"greedy\":2}]");
        forward_run(&f, dh_buf_text(&cases), &s);
        if (tokens == 64)
            CHECK_SAID(&s, 0, "{\"case\":0,\"greedy\":[", "");
        else
            CHECK_SAID(&s, 1, "", NULL);
        CHECK_INT(s.err[0] != 0, tokens != 64);
        said_finish(&s);
        dh_buf_finish(&cases);
    }
    dh_free(png);
    forward_finish(&f);
}

static void test_forward_refuses_bad_cases(void)
{
    static const char *const rows[][2] = {
        { "", "cases.json" },
        { "{", "cases.json" },
        { "{\"ids\":[1]}", "a list of cases" },
        { "[7]", "case 0" },
        { "[{}]", "ids" },
        { "[{\"ids\":[]}]", "ids" },
        { "[{\"ids\":\"1 2\"}]", "ids" },
        { "[{\"ids\":[1,-1]}]", "ids" },
        { "[{\"ids\":[1.5]}]", "ids" },
        { "[{\"ids\":[256]}]", "256" },
        { "[{\"ids\":[1e300]}]", "ids" },
        { "[{\"ids\":[1,250]}]", "picture" },
        { "[{\"ids\":[1],\"images\":[\"none.png\"]}]", "none.png" },
        { "[{\"ids\":[1],\"images\":[7]}]", "images" },
        { "[{\"ids\":[1],\"greedy\":-1}]", "greedy" },
        { "[{\"ids\":[1],\"greedy\":\"two\"}]", "greedy" },
        { "[{\"ids\":[1],\"greedy\":100000}]", "positions" },
    };
    struct forward f;
    struct said s;
    forward_init(&f);
    for (size_t i = 0; i < DH_COUNTOF(rows); i++) {
        forward_run(&f, rows[i][0], &s);
        CHECK_SAID(&s, 1, "", rows[i][1]);
        said_finish(&s);
    }
    // What was good before the bad one is there.
    forward_run(&f, "[{\"ids\":[1]},{\"ids\":[300]}]", &s);
    CHECK_SAID(&s, 1, "{\"case\":0,\"greedy\":[]}\n", "300");
    said_finish(&s);
    forward_finish(&f);
}

static void test_forward_needs_a_place_to_write(void)
{
    struct forward f;
    struct said s;
    forward_init(&f);
    put_file(f.out, "x", 1);
    forward_run(&f, "[{\"ids\":[1]}]", &s);
    CHECK_SAID(&s, 1, "", "logits");
    said_finish(&s);
    forward_finish(&f);
}

DH_TESTS(DH_TEST(inspect_tells_the_shapes),
         DH_TEST(quantize_writes_what_the_others_read),
         DH_TEST(quantize_refuses_what_it_cannot_do),
         DH_TEST(a_checkpoint_with_wrong_shapes_is_refused),
         DH_TEST(a_checkpoint_with_a_hole_is_refused),
         DH_TEST(a_checkpoint_cut_short_is_refused),
         DH_TEST(a_lying_header_is_refused),
         DH_TEST(a_bad_configuration_is_refused),
         DH_TEST(a_checkpoint_without_a_tokenizer_cannot_talk),
         DH_TEST(an_absurd_picture_is_refused),
         DH_TEST(what_is_no_picture_is_refused),
         DH_TEST(locate_prints_a_pixel_of_the_picture), DH_TEST(ask_answers),
         DH_TEST(a_cache_is_kept), DH_TEST(a_cache_without_room_is_said),
         DH_TEST(memory_for_weights_can_be_given),
         DH_TEST(a_model_beyond_the_memory_is_told_of_it),
         DH_TEST(a_model_runs_and_is_recorded),
         DH_TEST(tokens_come_back_as_text), DH_TEST(forward_writes_logits),
         DH_TEST(forward_takes_pictures), DH_TEST(forward_refuses_bad_cases),
         DH_TEST(forward_needs_a_place_to_write));
