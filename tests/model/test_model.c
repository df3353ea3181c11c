#include "model/model_priv.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "tests/dh_test.h"
#include "tests/model/tiny.h"

struct rule_case {
    const char *json;
    enum dh_status st;
    int64_t min_pixels, max_pixels;
    const char *diag; /* a part of it */
};

static const struct rule_case cases[] = {
    { "{}", DH_OK, 3136, 451584, NULL },
    // The released file: no size, but the default budget.
    { "{\"size\":[672,672],\"patch_size\":14}", DH_OK, 3136, 451584, NULL },
    { "{\"size\":{\"shortest_edge\":784,\"longest_edge\":1003520}}", DH_OK, 784,
      1003520, NULL },
    { "{\"min_pixels\":56,\"max_pixels\":9999}", DH_OK, 56, 9999, NULL },
    { "{\"max_pixels\":null}", DH_OK, 3136, 451584, NULL },
    { "{\"size\":{\"height\":672,\"width\":672}}", DH_OK, 3136, 451584, NULL },
    { "{\"max_pixels\":3000}", DH_ERR_FORMAT, 0, 0, "min_pixels" },
    { "{\"max_pixels\":-1}", DH_ERR_FORMAT, 0, 0, "max_pixels" },
    { "{\"max_pixels\":\"many\"}", DH_ERR_FORMAT, 0, 0, "max_pixels" },
    { "{\"patch_size\":0}", DH_ERR_FORMAT, 0, 0, "patch_size" },
    { "{\"image_mean\":[0.5,0.5]}", DH_ERR_FORMAT, 0, 0, "image_mean" },
    { "{\"image_mean\":[0.5,0.5,0.5,0.5]}", DH_ERR_FORMAT, 0, 0, "image_mean" },
    { "{\"image_std\":[0.5,0,0.5]}", DH_ERR_FORMAT, 0, 0, "image_std" },
    { "{\"image_std\":7}", DH_ERR_FORMAT, 0, 0, "image_std" },
    { "[]", DH_ERR_FORMAT, 0, 0, "object" },
    { "{\"size\":", DH_ERR_FORMAT, 0, 0, "" },
};

static void test_picture_rules(void)
{
    for (size_t i = 0; i < DH_COUNTOF(cases); i++) {
        const struct rule_case *c = &cases[i];
        struct dh_patch_rule rule = dh_patch_rule_m3, was = rule;
        struct dh_diag diag = { 0 };
        CHECK_INT(dh_model_parse_rule(c->json, strlen(c->json), &rule, &diag),
                  c->st);
        if (c->st) {
            CHECK(strstr(diag.text, c->diag));
            CHECK_MEM(&rule, &was, sizeof(rule));
            continue;
        }
        CHECK_INT(rule.min_pixels, c->min_pixels);
        CHECK_INT(rule.max_pixels, c->max_pixels);
    }
}

static void quiet(void *user, enum dh_log_level level, const char *tag,
                  const char *text)
{
    (void)level;
    (void)tag;
    snprintf(user, 300, "%s", text);
}

static void test_what_is_known_of_a_model(void)
{
    struct dh_tiny t;
    dh_tiny_open(&t, &(struct dh_tiny_spec){ .kernels = "ref" });
    const struct dh_model_info *info = dh_model_get_info(t.model);
    CHECK_INT(info->vocab_size, 256);
    CHECK_INT(info->hidden_size, 64);
    CHECK_INT(info->num_hidden_layers, 6);
    CHECK_INT(info->image_token_id, 250);
    CHECK_INT(info->video_token_id, 251);
    CHECK_INT(info->eos_token_id, 2);
    CHECK_INT(info->max_position_embeddings, 4096);
    CHECK(info->has_vision);
    CHECK_STR(info->kernels, "ref");
    CHECK(info->parameters > 300000);
    CHECK_INT(info->weight_bytes, info->parameters * 4);
    CHECK_INT(dh_model_get_image_rule(t.model)->patch_size, 4);
    CHECK_INT(dh_model_get_image_rule(t.model)->max_pixels, 451584);
    CHECK_INT(dh_model_get_video_rule(t.model)->max_pixels, 602112);
    dh_tiny_close(&t);
}

/* A text model has no placeholders: all ids are text. */
static void test_text_model(void)
{
    struct dh_tiny t;
    int32_t ids[4] = { 1, 250, 251, 5 };
    dh_tiny_open(&t,
                 &(struct dh_tiny_spec){ .names = DH_CHECKPOINT_TEXT_ONLY });
    CHECK_INT(dh_model_get_info(t.model)->has_vision, 0);
    CHECK_INT(dh_model_get_info(t.model)->image_token_id, -1);
    CHECK_INT(dh_session_feed(t.session, ids, 4, NULL, 0), DH_OK);
    dh_tiny_close(&t);
}

/* Each failure names what is wrong and leaves nothing behind. */
static void test_failures(void)
{
    char text[300] = "", dir[4096];
    struct dh_model *m = NULL;
    dh_log_set_hook(quiet, text);
    CHECK_INT(dh_model_create(&m, "/nonexistent", NULL), DH_ERR_NOTFOUND);
    CHECK(strstr(text, "config.json"));
    struct dh_model_options o = { .kernels = "abacus" };
    CHECK_INT(dh_model_create(&m, "/nonexistent", &o), DH_ERR_USAGE);
    CHECK(strstr(text, "abacus"));

    snprintf(dir, sizeof(dir), "%s/m", dh_test_dir());
    CHECK_INT(dh_path_mkdirs(dir), DH_OK);
    struct dh_checkpoint_spec spec = { 0 };
    dh_checkpoint_write(dir, &spec);
    char *path = dh_path_join(dir, "preprocessor_config.json");
    CHECK_INT(dh_file_write(path, "{\"patch_size\":14}", 17), DH_OK);
    CHECK_INT(dh_model_create(&m, dir, NULL), DH_ERR_FORMAT);
    CHECK(strstr(text, "preprocessor_config.json"));
    CHECK_INT(dh_file_write(path, "{\"patch_size\":", 14), DH_OK);
    CHECK_INT(dh_model_create(&m, dir, NULL), DH_ERR_FORMAT);
    CHECK(strstr(text, "preprocessor_config.json"));
    CHECK_INT(dh_file_write(path, "{\"patch_size\":4}", 16), DH_OK);
    CHECK_INT(dh_model_create(&m, dir, NULL), DH_OK);
    dh_model_destroy(m);
    dh_model_destroy(NULL);
    dh_log_set_hook(NULL, NULL);
    dh_free(path);
}

/* Weights that are cut short under a session are an error that names the file,
 * on every thread that may meet them, and no crash. */
static void test_weights_cut_short_while_in_use(void)
{
    static const int32_t ids[] = { 3, 4, 5, 6 };
    char text[300] = "", dir[4096];
    struct dh_tiny t;
    snprintf(dir, sizeof(dir), "%s/m", dh_test_dir());
    CHECK_INT(dh_path_mkdirs(dir), DH_OK);
    struct dh_checkpoint_spec spec = { .dtype = DH_BF16, .shards = 3 };
    dh_checkpoint_write(dir, &spec);
    dh_tiny_open(&t, &(struct dh_tiny_spec){ .dir = dir, .threads = 3 });
    CHECK_INT(dh_session_feed(t.session, ids, 4, NULL, 0), DH_OK);
    const struct dh_tensors_file *last =
        &t.model->tensors->files[t.model->tensors->n_files - 1];
    CHECK_INT(truncate(last->path, 64), 0);
    dh_log_set_hook(quiet, text);
    CHECK_INT(dh_session_feed(t.session, ids, 4, NULL, 0), DH_ERR_IO);
    CHECK(strstr(text, last->path));
    CHECK_INT(dh_session_len(t.session), 4);
    CHECK_INT(dh_session_feed(t.session, ids, 1, NULL, 0), DH_ERR_IO);
    dh_log_set_hook(NULL, NULL);
    dh_tiny_close(&t);
}

/* Blocks that are no numbers end in logits that say so, and in no id. */
static void test_weights_that_are_no_numbers(void)
{
    static const int32_t ids[] = { 3, 4, 5 };
    static const char *const kernels[] = { "ref", "float32", "auto" };
    char dir[4096];
    snprintf(dir, sizeof(dir), "%s/m", dh_test_dir());
    CHECK_INT(dh_path_mkdirs(dir), DH_OK);
    dh_checkpoint_write(dir, &(struct dh_checkpoint_spec){ .mxfp8 = true });
    struct dh_safetensors *st;
    CHECK_INT(dh_safetensors_open(&st, dir), DH_OK);
    const struct dh_tensor *scales = dh_safetensors_find(
        st, "language_model.model.layers.1.self_attn.o_proj.weight_scale_inv");
    CHECK(scales);
    const struct dh_tensors_file *file = dh_safetensors_list(st)->files;
    int fd = open(file->path, O_WRONLY);
    for (size_t i = 0; i < scales->bytes; i++) // 2^128: NaN
        CHECK_INT(
            pwrite(fd, "\xff", 1, scales->data - file->map.data + (ptrdiff_t)i),
            1);
    close(fd);
    dh_safetensors_close(st);
    for (size_t i = 0; i < 2 * DH_COUNTOF(kernels); i++) {
        struct dh_tiny t;
        struct dh_sampling greedy = { 0 };
        float *scratch;
        dh_tiny_open(&t, &(struct dh_tiny_spec){
                             .dir = dir,
                             .kernels = kernels[i / 2],
                             .memory = i % 2 ? (int64_t)1 << 26 : 0 });
        dh_array(scratch, (size_t)t.vocab);
        CHECK_INT(dh_session_feed(t.session, ids, 3, NULL, 0), DH_OK);
        CHECK_INT(dh_sample(dh_session_logits(t.session), t.vocab, NULL,
                            &greedy, NULL, scratch),
                  -1);
        dh_free(scratch);
        dh_tiny_close(&t);
    }
}

DH_TESTS(DH_TEST(picture_rules), DH_TEST(what_is_known_of_a_model),
         DH_TEST(text_model), DH_TEST(failures),
         DH_TEST(weights_cut_short_while_in_use),
         DH_TEST(weights_that_are_no_numbers));
