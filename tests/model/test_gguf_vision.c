// Models of llama.cpp's form with their vision file beside them.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "model/gguf_priv.h"
#include "model/quantize.h"
#include "model/tensor_priv.h"
#include "model/vit_priv.h"
#include "tests/dh_test.h"
#include "tests/model/tiny.h"

#define HIDDEN 64

static char last_log[400];

static void remember(void *user, enum dh_log_level level, const char *tag,
                     const char *text)
{
    (void)user;
    (void)tag;
    if (level <= DH_LOG_WARN)
        snprintf(last_log, sizeof(last_log), "%s", text);
}

static char *write_folder(const char *name, const char *const *edits,
                          enum dh_dtype dtype)
{
    char *dir = dh_test_path(name);
    char *config =
        edits ? dh_checkpoint_edit(dh_checkpoint_config, edits) : NULL;
    struct dh_checkpoint_spec s = { .config = config, .dtype = dtype };
    CHECK_INT(dh_path_mkdirs(dir), DH_OK);
    dh_checkpoint_write(dir, &s);
    dh_free(config);
    return dir;
}

// "a.gguf" and "mmproj-a.gguf" of a folder.
static char *write_files(const char *folder, const char *name, bool vision)
{
    char *to = dh_test_path(name);
    struct dh_quantize_options o = { .to = vision ? DH_Q8_0 : DH_BF16,
                                     .vision = vision };
    CHECK_INT(dh_quantize(folder, to, &o), DH_OK);
    return to;
}

static enum dh_status open_model(struct dh_model **m, const char *path,
                                 const char *mmproj)
{
    struct dh_model_options o = { .kernels = "float32", .mmproj = mmproj };
    last_log[0] = '\0';
    dh_log_set_hook(remember, NULL);
    enum dh_status st = dh_model_create(m, path, &o);
    dh_log_set_hook(NULL, NULL);
    return st;
}

static float *see(const char *path, int t, int h, int w, int64_t memory,
                  size_t *n)
{
    struct dh_model *m;
    struct dh_model_options o = { .kernels = "float32",
                                  .memory_bytes = memory };
    struct dh_patches p;
    struct dh_backend b;
    CHECK_INT(dh_model_create(&m, path, &o), DH_OK);
    CHECK(dh_model_get_info(m)->has_vision);
    CHECK(!dh_model_get_info(m)->vision_missing);
    dh_tiny_patches(1, t, h, w, &p);
    CHECK_INT(dh_backend_init(&b, m->kernels, NULL, 256, 40), DH_OK);
    struct dh_vit_run r = { .model = m, .backend = &b };
    float *out;
    *n = (size_t)dh_vit_tokens(m, &p) * HIDDEN;
    CHECK(*n > 0);
    dh_array(out, *n);
    CHECK_INT(dh_vit_encode(&r, &p, out), DH_OK);
    dh_backend_finish(&b);
    dh_patches_finish(&p);
    dh_model_destroy(m);
    return out;
}

/* The order of the rows in a head of 80, as llama.cpp's converter has it. */
static void test_rows_have_their_places(void)
{
    for (int axis = 0; axis < 3; axis++)
        for (int i = 0; i < 13; i++) {
            CHECK_INT(dh_gguf_vision_row(13 * axis + i, 80), 26 * axis + i);
            CHECK_INT(dh_gguf_vision_row(80 + 39 + 13 * axis + i, 80),
                      80 + 26 * axis + 13 + i);
        }
    CHECK_INT(dh_gguf_vision_row(78, 80), 78);
    CHECK_INT(dh_gguf_vision_row(159, 80), 159);
    for (int d = 6; d < 200; d++)
        for (int r = 0; r < 3 * d; r++)
            CHECK_INT(dh_gguf_vision_source(dh_gguf_vision_row(r, d), d), r);
}

/* Of heads of 20, of 80 and of 10: pictures and a video come out as those of
 * the folder, to the last bit; where weights are copied as well. */
static void test_pictures_are_those_of_the_folder(void)
{
    static const char *const wide[] = { "\"hidden_size\": 40",
                                        "\"hidden_size\": 160", NULL };
    static const char *const narrow[] = { "\"hidden_size\": 40",
                                          "\"hidden_size\": 20", NULL };
    static const char *const *const edits[] = { NULL, wide, narrow };
    static const enum dh_dtype dtypes[] = { DH_F32, DH_BF16, DH_F16 };
    for (size_t i = 0; i < DH_COUNTOF(edits); i++) {
        char folder[16], file[16];
        size_t a, b;
        snprintf(folder, sizeof(folder), "folder%zu", i);
        snprintf(file, sizeof(file), "%zu.gguf", i);
        char *from = write_folder(folder, edits[i], dtypes[i]);
        char *to = write_files(from, file, false);
        for (int t = 1; t <= 2; t++) {
            float *want = see(from, t, 6, 4, 0, &a);
            float *got = see(to, t, 6, 4, 0, &b);
            float *copied = see(to, t, 6, 4, 1 << 26, &b);
            CHECK_INT(a, b);
            CHECK_MEM(got, want, a * sizeof(*want));
            CHECK_MEM(copied, want, a * sizeof(*want));
            dh_free(want);
            dh_free(got);
            dh_free(copied);
        }
        dh_free(from);
        dh_free(to);
    }
}

/* In blocks of 8 bits they are near, and one file is made of the other. */
static void test_quantised_towers_are_near(void)
{
    static const char *const wide[] = { "\"hidden_size\": 40",
                                        "\"hidden_size\": 160", NULL };
    size_t n;
    char *from = write_folder("source", wide, DH_F32);
    char *q8 = write_files(from, "q8.gguf", true);
    char *again = write_files(q8, "again.gguf", false);
    float *want = see(from, 1, 4, 6, 0, &n), *got = see(q8, 1, 4, 6, 0, &n);
    double most = dh_max_diff(got, want, n);
    printf("Q8_0: %.4f of rows of about 1\n", most);
    CHECK(most > 0 && most < 0.2);
    dh_free(want);
    // BF16 cannot hold the numbers of Q8_0, and is as near.
    want = see(again, 1, 4, 6, 0, &n);
    CHECK(dh_max_diff(got, want, n) < 0.2);
    dh_free(want);
    dh_free(got);
    dh_free(from);
    dh_free(q8);
    dh_free(again);
}

/* Its own file, else any of M3's, else the one that is named; or none. */
static void test_the_file_is_found(void)
{
    struct dh_model *m;
    char *from = write_folder("source", NULL, DH_F32);
    char *to = write_files(from, "a.gguf", false);
    char *own = dh_test_path("mmproj-a.gguf");
    char *other = dh_test_path("mmproj-other.gguf");
    char *far = dh_test_path("vision.gguf");
    CHECK_INT(rename(own, other), 0);
    CHECK_INT(open_model(&m, to, NULL), DH_OK);
    CHECK(dh_model_get_info(m)->has_vision);
    dh_model_destroy(m);

    CHECK_INT(rename(other, far), 0);
    CHECK_INT(open_model(&m, to, NULL), DH_OK);
    CHECK(!dh_model_get_info(m)->has_vision);
    CHECK(strstr(dh_model_get_info(m)->vision_missing, "--mmproj"));
    dh_model_destroy(m);

    CHECK_INT(open_model(&m, to, far), DH_OK);
    CHECK(dh_model_get_info(m)->has_vision);
    dh_model_destroy(m);

    // What is another model's is passed over, unless it is named.
    CHECK_INT(link(to, other), 0);
    CHECK_INT(open_model(&m, to, NULL), DH_OK);
    CHECK(!dh_model_get_info(m)->has_vision);
    dh_model_destroy(m);
    CHECK_INT(open_model(&m, to, other), DH_ERR_UNSUPPORTED);
    CHECK(strstr(last_log, "no vision file"));
    CHECK_INT(open_model(&m, far, NULL), DH_ERR_UNSUPPORTED);
    CHECK(strstr(last_log, "(mmproj)"));
    CHECK_INT(open_model(&m, from, far), DH_ERR_USAGE);
    CHECK_INT(open_model(&m, to, "absent.gguf"), DH_ERR_NOTFOUND);

    // One that is not whole is no reason to go blind without a word.
    CHECK_INT(dh_file_write(own, "GGUF", 4), DH_OK);
    CHECK_INT(open_model(&m, to, NULL), DH_ERR_FORMAT);
    CHECK(strstr(last_log, "mmproj-a.gguf: byte 4: cut short"));
    dh_free(from);
    dh_free(to);
    dh_free(own);
    dh_free(other);
    dh_free(far);
}

/* Of another width, or with a tensor that is none. */
static void test_files_that_do_not_fit(void)
{
    static const char *const narrow[] = { "\"hidden_size\": 64",
                                          "\"hidden_size\": 32", NULL };
    struct dh_model *m;
    char *from = write_folder("source", NULL, DH_F32), *text;
    char *small = write_folder("small", narrow, DH_F32);
    char *to = write_files(from, "a.gguf", false);
    char *less = write_files(small, "b.gguf", false);
    char *wrong = dh_test_path("mmproj-b.gguf");
    char *own = dh_test_path("mmproj-a.gguf");
    size_t len;
    // Beside it such a file is another model's.
    CHECK_INT(open_model(&m, to, wrong), DH_ERR_UNSUPPORTED);
    CHECK(strstr(last_log, "of width 32, which here is 64"));
    CHECK_INT(rename(wrong, own), 0);
    CHECK_INT(open_model(&m, to, NULL), DH_OK);
    CHECK(!dh_model_get_info(m)->has_vision);
    dh_model_destroy(m);
    CHECK_INT(unlink(own), 0);
    CHECK_INT(unlink(to), 0);
    dh_free(to);
    to = write_files(from, "a.gguf", false);

    static const struct {
        const char *find, *put, *why;
    } lies[] = {
        { "mm.1.weight", "mm.7.weight", "projector_hidden_size" },
        { "v.patch_embd.weight.1", "v.patch_embd.weight.2",
          "v.patch_embd.weight.1 is missing" },
        { "v.blk.1.attn_k.bias", "v.blk.1.attn_k.bees",
          "layers.1.self_attn.k_proj.bias is missing" },
        { "clip.vision.patch_size", "clip.vision.patch_siez",
          "clip.vision.patch_size: a whole number" },
        { "clip.vision.image_std", "clip.vision.image_sdt", NULL },
    };
    for (size_t i = 0; i < DH_COUNTOF(lies); i++) {
        CHECK_INT(dh_file_read(own, 1 << 24, &text, &len), DH_OK);
        size_t n = strlen(lies[i].find);
        char *at = memmem(text, len, lies[i].find, n);
        CHECK(at);
        memcpy(at, lies[i].put, n);
        CHECK_INT(dh_file_write(wrong, text, len), DH_OK);
        dh_big_free(text);
        enum dh_status st = open_model(&m, to, wrong);
        if (!lies[i].why) {
            CHECK_INT(st, DH_OK);
            dh_model_destroy(m);
            continue;
        }
        CHECK(st == DH_ERR_FORMAT || st == DH_ERR_RANGE);
        if (!strstr(last_log, lies[i].why))
            CHECK_STR(last_log, lies[i].why);
    }
    dh_free(from);
    dh_free(small);
    dh_free(to);
    dh_free(less);
    dh_free(own);
    dh_free(wrong);
}

DH_TESTS(DH_TEST(rows_have_their_places),
         DH_TEST(pictures_are_those_of_the_folder),
         DH_TEST(quantised_towers_are_near), DH_TEST(the_file_is_found),
         DH_TEST(files_that_do_not_fit));
