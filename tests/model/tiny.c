#include "tests/model/tiny.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/pool.h"
#include "base/rng.h"
#include "tests/dh_test.h"

static const char *write_checkpoint(const struct dh_tiny_spec *s)
{
    static char dir[4096];
    static int count;
    snprintf(dir, sizeof(dir), "%s/m%d", dh_test_dir(), count++);
    CHECK_INT(dh_path_mkdirs(dir), DH_OK);
    const char *config = s->config ? s->config : dh_checkpoint_config;
    char *edited = s->edits ? dh_checkpoint_edit(config, s->edits) : NULL;
    struct dh_checkpoint_spec c = { .config = edited ? edited : config,
                                    .names = s->names,
                                    .dtype = s->dtype };
    dh_checkpoint_write(dir, &c);
    dh_free(edited);
    return dir;
}

void dh_tiny_restart(struct dh_tiny *t, int chunk, int max_tokens)
{
    dh_session_destroy(t->session);
    struct dh_session_options o = { .chunk = chunk,
                                    .max_tokens = max_tokens,
                                    .cache_type = t->cache_type };
    CHECK_INT(dh_session_create(&t->session, t->model, &o), DH_OK);
}

void dh_tiny_open(struct dh_tiny *t, const struct dh_tiny_spec *s)
{
    memset(t, 0, sizeof(*t));
    if (s->threads > 1)
        CHECK_INT(dh_pool_create(&t->pool, s->threads), DH_OK);
    struct dh_model_options o = { .pool = t->pool,
                                  .kernels =
                                      s->kernels ? s->kernels : "float32",
                                  .memory_bytes = s->memory };
    const char *dir = s->dir ? s->dir : write_checkpoint(s);
    CHECK_INT(dh_model_create(&t->model, dir, &o), DH_OK);
    t->vocab = dh_model_get_info(t->model)->vocab_size;
    t->cache_type = s->cache_type;
    dh_tiny_restart(t, s->chunk, s->max_tokens);
}

void dh_tiny_close(struct dh_tiny *t)
{
    dh_free(t->logits);
    dh_session_destroy(t->session);
    dh_model_destroy(t->model);
    dh_pool_destroy(t->pool);
}

static void keep(void *user, size_t position, const float *logits)
{
    struct dh_tiny *t = user;
    memcpy(t->logits + (position - t->first) * (size_t)t->vocab, logits,
           (size_t)t->vocab * sizeof(*logits));
}

const float *dh_tiny_feed(struct dh_tiny *t, const int32_t *ids, size_t n,
                          const struct dh_session_image *images,
                          size_t n_images)
{
    dh_free(t->logits);
    dh_array(t->logits, n * (size_t)t->vocab);
    t->first = dh_session_len(t->session);
    dh_session_watch_logits(t->session, keep, t);
    CHECK_INT(dh_session_feed(t->session, ids, n, images, n_images), DH_OK);
    dh_session_watch_logits(t->session, NULL, NULL);
    return t->logits;
}

void dh_tiny_ids(unsigned seed, int32_t *ids, size_t n)
{
    struct dh_rng rng;
    dh_rng_init(&rng, seed);
    for (size_t i = 0; i < n; i++)
        ids[i] = 3 + (int32_t)dh_rng_below(&rng, 240);
}

void dh_tiny_patches(unsigned seed, int t, int h, int w, struct dh_patches *out)
{
    struct dh_rng rng;
    dh_rng_init(&rng, seed);
    *out = (struct dh_patches){ .grid_t = t,
                                .grid_h = h,
                                .grid_w = w,
                                .row_len = 96,
                                .resized = { w * 4, h * 4 } };
    size_t n = (size_t)t * (size_t)h * (size_t)w * 96;
    out->rows = dh_big_alloc(n * sizeof(float));
    CHECK(out->rows);
    for (size_t i = 0; i < n; i++)
        out->rows[i] = (float)(dh_rng_unit(&rng) * 4 - 2);
}
