// `deskhand forward` on the stored cases of small models, against the numbers
// of the published code. What it computes inside is held to them by
// tests/model.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/safetensors.h"
#include "tests/dh_test.h"
#include "tests/model/checkpoint.h"
#include "tests/tools/program.h"

#define VECTORS "tests/vectors/model/"
#define VOCAB   256

static void copy_file(const char *from_dir, const char *to_dir,
                      const char *name)
{
    char *from = dh_path_join(from_dir, name), *to = dh_path_join(to_dir, name);
    char *text;
    size_t len;
    CHECK_INT(dh_file_read(from, 1 << 24, &text, &len), DH_OK);
    CHECK_INT(dh_file_write(to, text, len), DH_OK);
    dh_big_free(text);
    dh_free(from);
    dh_free(to);
}

static void write_model(const char *vectors, const char *to)
{
    char *config, *path = dh_path_join(vectors, "config.json");
    size_t len;
    CHECK_INT(dh_path_mkdirs(to), DH_OK);
    CHECK_INT(dh_file_read(path, 1 << 24, &config, &len), DH_OK);
    dh_checkpoint_write(to, &(struct dh_checkpoint_spec){ .config = config });
    copy_file(vectors, to, "preprocessor_config.json");
    dh_big_free(config);
    dh_free(path);
}

static const struct dh_tensor *stored(const struct dh_safetensors *want,
                                      int index, const char *what)
{
    char name[64];
    snprintf(name, sizeof(name), "case%d.%s", index, what);
    const struct dh_tensor *t = dh_safetensors_find(want, name);
    CHECK(t);
    return t;
}

static void check_logits(const struct dh_safetensors *want, int index,
                         const char *out)
{
    char name[64], *bytes;
    snprintf(name, sizeof(name), "case%d.logits.f32", index);
    char *path = dh_path_join(out, name);
    size_t len;
    CHECK_INT(dh_file_read(path, 1 << 24, &bytes, &len), DH_OK);
    CHECK_INT(len, stored(want, index, "ids")->bytes * VOCAB);
    const struct dh_tensor *rows = stored(want, index, "rows");
    const uint8_t *at = stored(want, index, "logits")->data;
    for (size_t r = 0; r < rows->bytes / 4; r++) {
        int32_t row;
        memcpy(&row, rows->data + r * 4, 4);
        for (size_t i = 0; i < VOCAB; i++, at += 4) {
            float a, b;
            memcpy(&a, bytes + ((size_t)row * VOCAB + i) * 4, 4);
            memcpy(&b, at, 4);
            CHECK_NEAR((double)a, (double)b, 1e-4);
        }
    }
    dh_big_free(bytes);
    dh_free(path);
}

static void check_greedy(const struct dh_safetensors *want, int index,
                         const char *said)
{
    const struct dh_tensor *t = stored(want, index, "greedy");
    char line[1024];
    int n = snprintf(line, sizeof(line), "{\"case\":%d,\"greedy\":[", index);
    for (size_t i = 0; i < t->bytes / 4; i++) {
        int32_t id;
        memcpy(&id, t->data + i * 4, 4);
        n += snprintf(line + n, sizeof(line) - (size_t)n, i ? ",%d" : "%d", id);
    }
    snprintf(line + n, sizeof(line) - (size_t)n, "]}\n");
    if (!strstr(said, line))
        fprintf(stderr, "said %snot %s", said, line);
    CHECK(strstr(said, line));
}

static void check_variant(const char *variant, int cases)
{
    char *vectors = dh_path_join(VECTORS, variant);
    char *model = dh_test_path(variant);
    char *out = dh_test_path("logits");
    char *input = dh_path_join(vectors, "cases.json");
    char *expected = dh_path_join(vectors, "expected");
    struct dh_safetensors *want;
    struct said s;
    write_model(vectors, model);
    CHECK_INT(dh_safetensors_open(&want, expected), DH_OK);
    RUN(&s, "forward", "--model", model, "--input", input, "--out", out);
    CHECK_SAID(&s, 0, "{\"case\":0,", "");
    CHECK_INT(json_lines(s.out), cases);
    for (int i = 0; i < cases; i++) {
        check_logits(want, i, out);
        check_greedy(want, i, s.out);
    }
    said_finish(&s);
    dh_safetensors_close(want);
    dh_free(expected);
    dh_free(input);
    dh_free(out);
    dh_free(model);
    dh_free(vectors);
}

/* Text, two pictures, and a short prompt. */
static void test_forward_of_the_base(void)
{
    check_variant("a", 3);
}

/* The most likely token of this one is a placeholder once. */
static void test_forward_past_a_placeholder(void)
{
    check_variant("e", 2);
}

DH_TESTS(DH_TEST(forward_of_the_base), DH_TEST(forward_past_a_placeholder));
