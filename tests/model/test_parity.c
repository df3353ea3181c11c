// The runtime against numbers that the published code gave. tools/make_fixture
// wrote them; tests/vectors/model/README.md says how. Each test prints how far
// it came from them.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "capture/picture.h"
#include "model/tensor_priv.h"
#include "tests/dh_test.h"
#include "tests/model/tiny.h"

#define VECTORS "tests/vectors/model/"
#define LAYERS  8

// What the probes saw, in the shapes of the stored tensors.
struct seen {
    int n, hidden, heads, topk, experts;
    float *x[LAYERS]; // [n][hidden]
    int32_t *blocks[LAYERS], *chosen[LAYERS];
    float *shares[LAYERS];
};

// The largest differences, and how much was compared.
struct tally {
    double logits, vision, shares, states[LAYERS];
    size_t rows, blocks, experts, greedy, pixels;
};

struct parity {
    struct dh_tiny t;
    struct dh_safetensors *want;
    const struct dh_text_config *text;
    struct seen seen;
    struct tally tally;
    char dir[512];
};

static const struct dh_tensor *find(const struct parity *p, const char *a,
                                    const char *b)
{
    char name[200];
    snprintf(name, sizeof(name), "%s%s", a, b);
    return dh_safetensors_find(p->want, name);
}

static const struct dh_tensor *need(const struct parity *p, const char *a,
                                    const char *b)
{
    const struct dh_tensor *t = find(p, a, b);
    if (!t)
        dh_check_failed(a, 0, b);
    return t;
}

static float *floats_of(const struct dh_tensor *t)
{
    float *f;
    dh_array(f, t->bytes / 4);
    CHECK_INT(t->dtype, DH_F32);
    memcpy(f, t->data, t->bytes);
    return f;
}

static int32_t *ints_of(const struct dh_tensor *t)
{
    int32_t *i;
    dh_array(i, t->bytes / 4);
    CHECK_INT(t->dtype, DH_I32);
    memcpy(i, t->data, t->bytes);
    return i;
}

// --- loading ----------------------------------------------------------------

static char *read_text(const char *dir, const char *name, size_t *len)
{
    char *path = dh_path_join(dir, name), *text;
    CHECK_INT(dh_file_read(path, 1 << 24, &text, len), DH_OK);
    dh_free(path);
    return text;
}

// The checkpoint of a variant, with the very config.json (and budget of
// pictures) that the published code was given or wrote.
static void write_variant(struct parity *p, const char *variant, char *to,
                          size_t to_bytes)
{
    size_t len;
    char *config = read_text(p->dir, "config.json", &len);
    struct dh_checkpoint_spec spec = { .config = config };
    if (*variant == 'g')
        spec.names = DH_CHECKPOINT_TRANSFORMERS;
    if (*variant == 'h') {
        spec.names = DH_CHECKPOINT_TEXT_ONLY;
        spec.config = NULL;
    }
    snprintf(to, to_bytes, "%s/%s", dh_test_dir(), variant);
    CHECK_INT(dh_path_mkdirs(to), DH_OK);
    dh_checkpoint_write(to, &spec);
    char *path = dh_path_join(to, "config.json");
    CHECK_INT(dh_file_write(path, config, len), DH_OK);
    dh_free(path);
    dh_big_free(config);
    char *rule = dh_path_join(p->dir, "preprocessor_config.json");
    if (dh_path_exists(rule)) {
        char *text = read_text(p->dir, "preprocessor_config.json", &len);
        path = dh_path_join(to, "preprocessor_config.json");
        CHECK_INT(dh_file_write(path, text, len), DH_OK);
        dh_free(path);
        dh_big_free(text);
    }
    dh_free(rule);
}

// kernels: NULL for the fastest.
static void parity_open(struct parity *p, const char *variant,
                        const char *kernels)
{
    char checkpoint[600], expected[600];
    memset(p, 0, sizeof(*p));
    snprintf(p->dir, sizeof(p->dir), VECTORS "%s", variant);
    snprintf(expected, sizeof(expected), "%s/expected", p->dir);
    CHECK_INT(dh_safetensors_open(&p->want, expected), DH_OK);
    write_variant(p, variant, checkpoint, sizeof(checkpoint));
    dh_tiny_open(
        &p->t, &(struct dh_tiny_spec){ .dir = checkpoint, .kernels = kernels });
    p->text = &p->t.model->config.text;
}

static void parity_print(const struct parity *p, const char *what)
{
    const struct tally *t = &p->tally;
    printf("%s, %s: logits %.1e of 1e-4", what,
           dh_model_get_info(p->t.model)->kernels, t->logits);
    if (t->pixels)
        printf(", vision %.1e of 2e-5, %zu pixels exact", t->vision, t->pixels);
    printf(", layers");
    for (int i = 0; i <= p->text->num_hidden_layers; i++)
        printf(" %.1e", t->states[i]);
    printf(" of 2e-5, shares %.1e of 1e-5; equal: %zu lists of blocks, %zu of "
           "experts, %zu greedy ids; %zu rows of logits\n",
           t->shares, t->blocks, t->experts, t->greedy, t->rows);
}

static void parity_close(struct parity *p)
{
    dh_tiny_close(&p->t);
    dh_safetensors_close(p->want);
}

// --- probes -----------------------------------------------------------------

static void on_hidden(void *user, int layer, size_t position, int n,
                      const float *x)
{
    struct seen *s = user;
    if (layer >= 0 && layer < LAYERS && s->x[layer])
        memcpy(s->x[layer] + position * (size_t)s->hidden, x,
               (size_t)n * (size_t)s->hidden * sizeof(*x));
}

static void on_blocks(void *user, int layer, size_t position, int head,
                      const int32_t *blocks, int n)
{
    struct seen *s = user;
    int32_t *to =
        s->blocks[layer] +
        (position * (size_t)s->heads + (size_t)head) * (size_t)s->topk;
    memcpy(to, blocks, (size_t)n * sizeof(*to));
    for (int i = n; i < s->topk; i++)
        to[i] = -1;
}

static void on_experts(void *user, int layer, size_t position,
                       const int32_t *experts, const float *shares, int n)
{
    struct seen *s = user;
    size_t at = position * (size_t)s->experts;
    memcpy(s->chosen[layer] + at, experts, (size_t)n * sizeof(*experts));
    memcpy(s->shares[layer] + at, shares, (size_t)n * sizeof(*shares));
}

static void seen_init(struct parity *p, int n)
{
    const struct dh_text_config *t = p->text;
    struct seen *s = &p->seen;
    *s = (struct seen){ .n = n,
                        .hidden = t->hidden_size,
                        .heads = t->index_n_heads,
                        .topk = t->index_topk_blocks,
                        .experts = t->num_experts_per_tok };
    CHECK(t->num_hidden_layers < LAYERS);
    for (int i = 0; i <= t->num_hidden_layers; i++) {
        dh_array(s->x[i], (size_t)(n * s->hidden));
        dh_array(s->blocks[i], (size_t)(n * s->heads * s->topk));
        dh_array(s->chosen[i], (size_t)(n * s->experts));
        dh_array(s->shares[i], (size_t)(n * s->experts));
    }
}

static void seen_finish(struct seen *s)
{
    for (int i = 0; i < LAYERS; i++) {
        dh_free(s->x[i]);
        dh_free(s->blocks[i]);
        dh_free(s->chosen[i]);
        dh_free(s->shares[i]);
    }
}

// --- comparing --------------------------------------------------------------

static void keep_worst(double *worst, double d)
{
    *worst = d > *worst ? d : *worst;
}

// Largest difference within 2e-5 of the larger of 1 and the rms, and the whole
// within 1e-5. Returns the largest as a part of that larger one.
static double check_states(const float *got, const float *want, size_t n)
{
    double squares = 0, wrong = 0;
    for (size_t i = 0; i < n; i++) {
        double d = (double)got[i] - (double)want[i];
        squares += (double)want[i] * (double)want[i];
        wrong += d * d;
    }
    double rms = sqrt(squares / (double)n), most = dh_max_diff(got, want, n);
    CHECK_NEAR(most, 0, 2e-5 * fmax(1, rms));
    CHECK_NEAR(sqrt(wrong / squares), 0, 1e-5);
    return most / fmax(1, rms);
}

// The last 8 positions after a layer, or after the last norm.
static void check_tail(struct parity *p, const char *name, const char *key,
                       int layer)
{
    const struct seen *s = &p->seen;
    const struct dh_tensor *t = need(p, name, key);
    size_t n = 8 * (size_t)s->hidden;
    CHECK_INT(t->bytes, n * sizeof(float));
    float *want = floats_of(t);
    keep_worst(
        &p->tally.states[layer],
        check_states(s->x[layer] + (size_t)(s->n - 8) * (size_t)s->hidden, want,
                     n));
    dh_free(want);
}

// Four projections of each stored position.
static void check_projections(struct parity *p, const char *name, int layer,
                              const int32_t *rows)
{
    char key[32];
    snprintf(key, sizeof(key), ".proj.%d", layer);
    const struct dh_tensor *t = need(p, name, key);
    size_t hidden = (size_t)p->seen.hidden, n = t->bytes / 4;
    float *want = floats_of(t), *by = floats_of(need(p, "projection", ""));
    float *got;
    dh_array(got, n);
    for (size_t i = 0; i < n; i++) {
        size_t at = t->shape[0] == p->seen.n ? i / 4 : (size_t)rows[i / 4];
        double sum = 0;
        for (size_t d = 0; d < hidden; d++)
            sum += (double)p->seen.x[layer][at * hidden + d] *
                   (double)by[i % 4 * hidden + d];
        got[i] = (float)sum;
    }
    keep_worst(&p->tally.states[layer], check_states(got, want, n));
    dh_free(got);
    dh_free(by);
    dh_free(want);
}

static void check_hidden(struct parity *p, const char *name,
                         const int32_t *rows)
{
    int n = p->text->num_hidden_layers;
    for (int i = 0; i < n; i++) {
        char key[32];
        snprintf(key, sizeof(key), ".hidden.%d", i);
        check_tail(p, name, key, i);
        check_projections(p, name, i, rows);
    }
    check_tail(p, name, ".norm", n);
}

// Stored row r of a list of `width` integers is that of position rows[r], or of
// position r where all are stored.
// Returns how many rows there were.
static size_t check_choice(const struct parity *p, const char *name,
                           const char *kind, int layer, const int32_t *got,
                           int width, const int32_t *rows)
{
    char key[32];
    snprintf(key, sizeof(key), ".%s.%d", kind, layer);
    const struct dh_tensor *t = need(p, name, key);
    int32_t *want = ints_of(t);
    int stored = (int)(t->bytes / 4) / (int)t->shape[0];
    CHECK(stored <= width);
    for (int r = 0; r < (int)t->shape[0]; r++) {
        size_t at = (size_t)(t->shape[0] == p->seen.n ? r : rows[r]);
        if (stored == width) {
            CHECK_MEM(got + at * (size_t)width, want + (size_t)r * stored,
                      (size_t)stored * sizeof(*want));
            continue;
        }
        // The published code stores no more blocks than there are.
        int heads = p->seen.heads, each = stored / heads;
        for (int h = 0; h < heads; h++)
            CHECK_MEM(got + (at * (size_t)heads + (size_t)h) *
                                (size_t)p->seen.topk,
                      want + (size_t)(r * stored + h * each),
                      (size_t)each * sizeof(*want));
    }
    dh_free(want);
    return (size_t)t->shape[0];
}

static void check_shares(struct parity *p, const char *name, int layer,
                         const int32_t *rows)
{
    char key[32];
    snprintf(key, sizeof(key), ".weights.%d", layer);
    const struct dh_tensor *t = need(p, name, key);
    float *want = floats_of(t);
    size_t k = (size_t)p->seen.experts;
    for (size_t r = 0; r < (size_t)t->shape[0]; r++) {
        size_t at = t->shape[0] == p->seen.n ? r : (size_t)rows[r];
        double d = dh_max_diff(p->seen.shares[layer] + at * k, want + r * k, k);
        CHECK_NEAR(d, 0, 1e-5);
        keep_worst(&p->tally.shares, d);
    }
    dh_free(want);
}

static void check_layers(struct parity *p, const char *name,
                         const int32_t *rows)
{
    for (int i = 0; i < p->text->num_hidden_layers; i++) {
        int heads = p->seen.heads, kept = p->seen.topk, k = p->seen.experts;
        if (p->text->layer_sparse[i])
            p->tally.blocks +=
                (size_t)heads * check_choice(p, name, "blocks", i,
                                             p->seen.blocks[i], heads * kept,
                                             rows);
        if (p->text->layer_moe[i]) {
            p->tally.experts +=
                check_choice(p, name, "experts", i, p->seen.chosen[i], k, rows);
            check_shares(p, name, i, rows);
        }
    }
    check_hidden(p, name, rows);
}

// got[n][vocab] are the logits of positions from `first` on.
static void check_logits(struct parity *p, const char *name, const float *got,
                         size_t first)
{
    const struct dh_tensor *kept = need(p, name, ".rows");
    const struct dh_tensor *t = need(p, name, ".logits");
    int32_t *rows = ints_of(kept);
    float *want = floats_of(t);
    size_t v = (size_t)p->t.vocab, n = kept->bytes / 4, compared = 0;
    CHECK_INT(t->bytes / 4, n * v);
    for (size_t r = 0; r < n; r++) {
        size_t at = (size_t)rows[r];
        if (at < first)
            continue;
        double d = dh_max_diff(got + (at - first) * v, want + r * v, v);
        CHECK_NEAR(d, 0, 1e-4);
        keep_worst(&p->tally.logits, d);
        compared++;
    }
    CHECK(compared > 0);
    p->tally.rows += compared;
    dh_free(rows);
    dh_free(want);
}

static void check_greedy(struct parity *p, const char *name)
{
    const struct dh_tensor *t = need(p, name, ".greedy");
    int32_t *want = ints_of(t);
    struct dh_sampling greedy = { 0 };
    float *scratch;
    dh_array(scratch, (size_t)p->t.vocab);
    for (size_t i = 0; i < t->bytes / 4; i++) {
        int32_t id = dh_sample(dh_session_logits(p->t.session), p->t.vocab,
                               NULL, &greedy, NULL, scratch);
        CHECK_INT(id, want[i]);
        CHECK_INT(dh_session_feed_text(p->t.session, &id, 1), DH_OK);
    }
    p->tally.greedy += t->bytes / 4;
    dh_free(scratch);
    dh_free(want);
}

static void check_case(struct parity *p, const char *name, int chunk,
                       const struct dh_session_image *images, size_t n_images)
{
    const struct dh_tensor *t = need(p, name, ".ids");
    int n = (int)(t->bytes / 4);
    int32_t *ids = ints_of(t), *rows = ints_of(need(p, name, ".rows"));
    seen_init(p, n);
    struct dh_probe probe = { .user = &p->seen,
                              .hidden = on_hidden,
                              .blocks = on_blocks,
                              .experts = on_experts };
    dh_tiny_restart(&p->t, chunk, n + 32);
    dh_session_set_probe(p->t.session, &probe);
    const float *got = dh_tiny_feed(&p->t, ids, (size_t)n, images, n_images);
    dh_session_set_probe(p->t.session, NULL);
    check_layers(p, name, rows);
    check_logits(p, name, got, 0);
    check_greedy(p, name);
    seen_finish(&p->seen);
    dh_free(ids);
    dh_free(rows);
}

// After check_case: back to `keep` tokens, on to the end, and the same again.
static void check_rewound(struct parity *p, const char *name, size_t keep)
{
    const struct dh_tensor *t = need(p, name, ".ids");
    size_t n = t->bytes / 4;
    int32_t *ids = ints_of(t);
    dh_session_rewind(p->t.session, keep);
    check_logits(p, name, dh_tiny_feed(&p->t, ids + keep, n - keep, NULL, 0),
                 keep);
    check_greedy(p, name);
    dh_free(ids);
}

// After check_case: the prompt asked for anew keeps all but its last token.
static void check_set_again(struct parity *p, const char *name,
                            const struct dh_session_image *images,
                            size_t n_images)
{
    const struct dh_tensor *t = need(p, name, ".ids");
    size_t n = t->bytes / 4, reused;
    int32_t *ids = ints_of(t);
    CHECK_INT(dh_session_set(p->t.session, ids, n, images, n_images, &reused),
              DH_OK);
    CHECK_INT(reused, n - 1);
    check_logits(p, name, dh_session_logits(p->t.session), n - 1);
    check_greedy(p, name);
    dh_free(ids);
}

// --- pictures ---------------------------------------------------------------

static void stored_patches(const struct parity *p, const char *name,
                           struct dh_patches *out)
{
    const struct dh_tensor *t = need(p, name, ".pixels");
    int32_t *grid = ints_of(need(p, name, ".grid"));
    *out = (struct dh_patches){ .grid_t = grid[0],
                                .grid_h = grid[1],
                                .grid_w = grid[2],
                                .row_len = (int)t->shape[1] };
    out->rows = dh_big_alloc(t->bytes);
    CHECK(out->rows);
    memcpy(out->rows, t->data, t->bytes);
    dh_free(grid);
}

struct stages {
    float *x[16]; // by stage + 1
    size_t bytes[16];
};

static void on_stage(void *user, int stage, int n, const float *h)
{
    struct stages *s = user;
    s->bytes[stage + 1] = (size_t)n * 40 * sizeof(*h);
    CHECK(stage < 15 && !s->x[stage + 1]);
    dh_array(s->x[stage + 1], (size_t)n * 40);
    memcpy(s->x[stage + 1], h, s->bytes[stage + 1]);
}

// The tower's stages where they are stored, and the merged tokens.
static void check_picture(struct parity *p, const char *name,
                          const struct dh_patches *patches)
{
    struct dh_backend b;
    struct stages s = { 0 };
    CHECK_INT(dh_backend_init(&b, p->t.model->kernels, NULL, 256, 40), DH_OK);
    struct dh_vit_run r = { .model = p->t.model,
                            .backend = &b,
                            .probe = patches->grid_t == 1 ? on_stage : NULL,
                            .probe_user = &s };
    size_t n = (size_t)dh_vit_tokens(p->t.model, patches) * 64;
    float *got, *want = floats_of(need(p, name, ".merged"));
    dh_array(got, n);
    CHECK_INT(dh_vit_encode(&r, patches, got), DH_OK);
    for (int i = 0; i < 16; i++) {
        char key[32];
        snprintf(key, sizeof(key), i ? ".vit.%d" : ".vit.pre", i - 1);
        const struct dh_tensor *t = find(p, name, key);
        if (t && s.x[i]) {
            float *state = floats_of(t);
            CHECK_INT(t->bytes, s.bytes[i]);
            keep_worst(&p->tally.vision,
                       check_states(s.x[i], state, t->bytes / 4));
            dh_free(state);
        }
        dh_free(s.x[i]);
    }
    CHECK_INT(need(p, name, ".merged")->bytes, n * sizeof(*want));
    keep_worst(&p->tally.vision, check_states(got, want, n));
    const struct dh_tensor *old = find(p, name, ".merged_5_17_unrepaired");
    if (old) { // two axes of three: what this runtime must not compute
        float *other = floats_of(old);
        CHECK(dh_max_diff(got, other, n) > 1e-2);
        dh_free(other);
    }
    dh_free(got);
    dh_free(want);
    dh_backend_finish(&b);
}

static void check_pixels(struct parity *p, const struct dh_patches *got,
                         const struct dh_patches *want)
{
    size_t n = (size_t)want->grid_t * (size_t)want->grid_h *
               (size_t)want->grid_w * (size_t)want->row_len;
    CHECK_INT(got->grid_t, want->grid_t);
    CHECK_INT(got->grid_h, want->grid_h);
    CHECK_INT(got->grid_w, want->grid_w);
    CHECK_INT(got->row_len, want->row_len);
    CHECK_MEM(got->rows, want->rows, n * sizeof(float));
    p->tally.pixels += n;
}

// The stored PNG through our own decoder, resize and patches: bit for bit.
static void check_png(struct parity *p, int index,
                      const struct dh_patches *want)
{
    char path[600];
    struct dh_frame *frame;
    struct dh_patches got;
    snprintf(path, sizeof(path), "%s/picture%d.png", p->dir, index);
    CHECK_INT(dh_picture_read(path, &frame), DH_OK);
    CHECK_INT(dh_patches_of_frame(dh_model_get_image_rule(p->t.model), frame,
                                  NULL, &got),
              DH_OK);
    check_pixels(p, &got, want);
    dh_patches_finish(&got);
    dh_frame_unref(frame);
}

// The stored frames through our own patches: bit for bit.
static void check_frames(struct parity *p, const struct dh_patches *want)
{
    const struct dh_tensor *t = need(p, "video", ".frames");
    struct dh_frame *frames[16];
    struct dh_patches got;
    const uint8_t *rgb = t->data;
    int n = (int)t->shape[0], h = (int)t->shape[1], w = (int)t->shape[2];
    CHECK(n <= 16 && t->dtype == DH_U8);
    for (int i = 0; i < n; i++) {
        CHECK_INT(dh_frame_create(&frames[i], NULL, w, h), DH_OK);
        for (int at = 0; at < w * h; at++, rgb += 3) {
            uint8_t *to = dh_frame_at(frames[i], at % w, at / w);
            for (int c = 0; c < 3; c++)
                to[c] = rgb[2 - c];
        }
        dh_frame_publish(frames[i]);
    }
    CHECK_INT(dh_patches_of_video(dh_model_get_image_rule(p->t.model), frames,
                                  n, NULL, &got),
              DH_OK);
    check_pixels(p, &got, want);
    dh_patches_finish(&got);
    for (int i = 0; i < n; i++)
        dh_frame_unref(frames[i]);
}

static void check_pictures(struct parity *p)
{
    struct dh_patches patches[2];
    struct dh_session_image images[2];
    for (int i = 0; i < 2; i++) {
        char name[16];
        snprintf(name, sizeof(name), "image%d", i);
        stored_patches(p, name, &patches[i]);
        check_png(p, i, &patches[i]);
        check_picture(p, name, &patches[i]);
        images[i] = (struct dh_session_image){ &patches[i], 250, 0 };
    }
    check_case(p, "case1", 0, images, 2);
    check_case(p, "case1", 5, images, 2);
    check_set_again(p, "case1", images, 2);
    for (int i = 0; i < 2; i++)
        dh_patches_finish(&patches[i]);
}

// --- the tests --------------------------------------------------------------

// g, h and i have no pictures.
static void check_variant(const char *variant)
{
    static const char *const kernels[] = { "ref", "avx2", "avx512" };
    for (size_t i = 0; i < DH_COUNTOF(kernels); i++) {
        struct parity p;
        if (!dh_kernels_find(kernels[i])) {
            printf("%s, %s: not on this machine\n", variant, kernels[i]);
            continue;
        }
        parity_open(&p, variant, kernels[i]);
        check_case(&p, "case0", 0, NULL, 0);
        check_rewound(&p, "case0", (size_t)p.seen.n - 43);
        if (*variant < 'g')
            check_pictures(&p);
        parity_print(&p, variant);
        parity_close(&p);
    }
}

static void test_base(void)
{
    check_variant("a");
}

static void test_two_local_blocks(void)
{
    check_variant("b");
}

static void test_only_the_local_block(void)
{
    check_variant("c");
}

static void test_wider_index_heads(void)
{
    check_variant("d");
}

static void test_every_layer_sparse(void)
{
    check_variant("e");
}

static void test_all_experts(void)
{
    check_variant("f");
}

static void test_saved_by_transformers(void)
{
    check_variant("g");
}

static void test_text_model_alone(void)
{
    check_variant("h");
}

static void test_released_blocks(void)
{
    check_variant("i");
}

static void test_prefill_then_decode(void)
{
    static const int chunks[] = { 0, 1, 3, 4, 5, 17 };
    struct parity p;
    parity_open(&p, "a", NULL);
    for (size_t i = 0; i < DH_COUNTOF(chunks); i++) {
        check_case(&p, "case2", chunks[i], NULL, 0);
        for (size_t keep = 0; keep < 60; keep += 7)
            check_rewound(&p, "case2", keep);
    }
    parity_print(&p, "a in chunks and rewound");
    parity_close(&p);
}

static void test_video_in_segments(void)
{
    struct parity p;
    struct dh_patches patches;
    parity_open(&p, "a", NULL);
    stored_patches(&p, "video", &patches);
    check_frames(&p, &patches);
    struct dh_session_image video = { &patches, 251, 0 };
    check_picture(&p, "video", &patches);
    check_case(&p, "video", 0, &video, 1);
    check_case(&p, "video", 7, &video, 1);
    parity_print(&p, "a, a video");
    dh_patches_finish(&patches);
    parity_close(&p);
}

/* Angles at positions up to a million, as the published code has them. */
static void test_text_angles(void)
{
    struct parity p;
    double worst = 0;
    parity_open(&p, "a", NULL);
    const struct dh_tensor *at = need(&p, "rope", ".positions");
    int32_t *pos = ints_of(at);
    float *cos_ = floats_of(need(&p, "rope", ".cos"));
    float *sin_ = floats_of(need(&p, "rope", ".sin"));
    int dim = p.text->rotary_dim;
    for (size_t i = 0; i < at->bytes / 4; i++) {
        float c[64], s[64];
        dh_attn_angles(p.text, (size_t)pos[i], 1, c, s);
        for (int j = 0; j < dim; j++) {
            CHECK_NEAR((double)c[j % (dim / 2)],
                       (double)cos_[i * (size_t)dim + j], 1e-6);
            CHECK_NEAR((double)s[j % (dim / 2)],
                       (double)sin_[i * (size_t)dim + j], 1e-6);
            keep_worst(&worst, fabs((double)c[j % (dim / 2)] -
                                    (double)cos_[i * (size_t)dim + j]));
            keep_worst(&worst, fabs((double)s[j % (dim / 2)] -
                                    (double)sin_[i * (size_t)dim + j]));
        }
    }
    printf("angles up to position 1048575: %.1e of 1e-6\n", worst);
    dh_free(pos);
    dh_free(cos_);
    dh_free(sin_);
    parity_close(&p);
}

/* The names that save_pretrained wrote are those that our writer of small
 * checkpoints uses, with the same shapes. */
static void test_saved_names(void)
{
    static const char *const variants[] = { "g", "h" };
    for (int i = 0; i < 2; i++) {
        struct parity p;
        size_t len, n = 0;
        parity_open(&p, variants[i], NULL);
        char *text = read_text(p.dir, "saved_names.json", &len);
        struct dh_diag diag = { 0 };
        struct dh_json *names = dh_json_parse(text, len, &diag);
        CHECK(names);
        const struct dh_json *e = dh_json_first(names);
        for (; e; e = dh_json_next(e), n++) {
            const struct dh_tensor *t =
                dh_safetensors_find(p.t.model->files, dh_json_key(e));
            if (!t)
                dh_check_failed(__FILE__, __LINE__, dh_json_key(e));
            CHECK_INT(dh_json_count(e), t->n_dims);
            const struct dh_json *d = dh_json_first(e);
            for (int k = 0; k < t->n_dims; k++, d = dh_json_next(d))
                CHECK_INT(dh_json_number(d), t->shape[k]);
        }
        CHECK_INT(n, dh_safetensors_count(p.t.model->files));
        dh_json_free(names);
        dh_big_free(text);
        parity_close(&p);
    }
}

DH_TESTS(DH_TEST(base), DH_TEST(two_local_blocks),
         DH_TEST(only_the_local_block), DH_TEST(wider_index_heads),
         DH_TEST(every_layer_sparse), DH_TEST(all_experts),
         DH_TEST(saved_by_transformers), DH_TEST(text_model_alone),
         DH_TEST(released_blocks), DH_TEST(prefill_then_decode),
         DH_TEST(video_in_segments), DH_TEST(text_angles),
         DH_TEST(saved_names));
