#include "model/config_priv.h"

#include <string.h>

#include "base/mem.h"
#include "tests/dh_test.h"
#include "tests/model/checkpoint.h"

static struct dh_config parse_ok(const char *json)
{
    struct dh_config c;
    struct dh_diag diag = { 0 };
    enum dh_status st = dh_config_parse(json, strlen(json), &c, &diag);
    CHECK_STR(diag.text, "");
    CHECK_INT(st, DH_OK);
    return c;
}

/* Every number of the released spelling arrives in its place. */
static void test_reads_the_released_spelling(void)
{
    struct dh_config c = parse_ok(dh_checkpoint_config);
    const struct dh_text_config *t = &c.text;
    CHECK_INT(t->hidden_size, 64);
    CHECK_INT(t->num_hidden_layers, 6);
    CHECK_INT(t->num_attention_heads, 8);
    CHECK_INT(t->num_key_value_heads, 2);
    CHECK_INT(t->head_dim, 16);
    CHECK_INT(t->vocab_size, 256);
    CHECK_INT(t->max_position_embeddings, 4096);
    CHECK_INT(t->rotary_dim, 8);
    CHECK_NEAR((double)t->rms_norm_eps, 1e-6, 1e-12);
    CHECK_NEAR((double)t->rope_theta, 5e6, 0);
    CHECK_NEAR((double)t->swiglu_alpha, 1.702, 1e-6);
    CHECK_NEAR((double)t->swiglu_limit, 7, 0);
    CHECK_INT(t->intermediate_size, 32);
    CHECK_INT(t->dense_intermediate_size, 96);
    CHECK_INT(t->shared_intermediate_size, 40);
    CHECK_INT(t->num_local_experts, 8);
    CHECK_INT(t->num_experts_per_tok, 2);
    CHECK_NEAR((double)t->routed_scaling_factor, 2, 0);
    CHECK_INT(t->index_n_heads, 2);
    CHECK_INT(t->index_head_dim, 16);
    CHECK_INT(t->index_block_size, 4);
    CHECK_INT(t->index_topk_blocks, 4);
    CHECK_INT(t->index_local_blocks, 1);
    CHECK(!t->tie_word_embeddings);
    CHECK_INT(t->bos_token_id, 1);
    CHECK_INT(t->eos_token_id, 2);
    for (int i = 0; i < 6; i++) {
        CHECK_INT(t->layer_sparse[i], i >= 2);
        CHECK_INT(t->layer_moe[i], i >= 2);
    }
    const struct dh_vision_config *v = &c.vision;
    CHECK(c.has_vision);
    CHECK_INT(v->hidden_size, 40);
    CHECK_INT(v->num_hidden_layers, 2);
    CHECK_INT(v->num_attention_heads, 2);
    CHECK_INT(v->intermediate_size, 80);
    CHECK_INT(v->num_channels, 3);
    CHECK_INT(v->patch_size, 4);
    CHECK_INT(v->temporal_patch_size, 2);
    CHECK_INT(v->spatial_merge_size, 2);
    CHECK_NEAR((double)v->layer_norm_eps, 1e-5, 1e-11);
    CHECK_NEAR((double)v->rope_theta, 1e4, 0);
    CHECK_INT(v->vision_segment_max_frames, 4);
    CHECK_INT(c.projector_hidden_size, 48);
    CHECK_INT(c.image_token_id, 250);
    CHECK_INT(c.video_token_id, 251);
}

static void test_both_spellings_give_the_same(void)
{
    struct dh_config a = parse_ok(dh_checkpoint_config);
    struct dh_config b = parse_ok(dh_checkpoint_config_flat);
    CHECK_MEM(&a, &b, sizeof(a));
}

static void test_text_only_has_its_members_at_the_top(void)
{
    const char *const edits[] = { "\"text_config\": {",
                                  "\"hidden_act\": "
                                  "\"silu\",",
                                  "\"vision_config\": {\"model_type\": "
                                  "\"clip_vision_model\",",
                                  "\"ignored\": {",
                                  "0, 0, 1, 1, 1, 1]}},",
                                  "0, 0, 1, 1, 1, 1]},",
                                  NULL };
    char *json = dh_checkpoint_edit(dh_checkpoint_config, edits);
    struct dh_config a = parse_ok(dh_checkpoint_config);
    struct dh_config b = parse_ok(json);
    CHECK_MEM(&a.text, &b.text, sizeof(a.text));
    CHECK(!b.has_vision);
    CHECK_INT(b.image_token_id, -1);
    dh_free(json);
}

/* Edits that are fine, and what they change. */
static void test_defaults_and_precedence(void)
{
    const char *const none[] = { "\"moe_layer_freq\": [0, 0, 1, 1, 1, 1],", "",
                                 "\"sparse_attention_freq\"", "\"x\"", NULL };
    char *json = dh_checkpoint_edit(dh_checkpoint_config, none);
    struct dh_config c = parse_ok(json);
    CHECK(c.text.layer_moe[0] && c.text.layer_moe[5]);
    CHECK(!c.text.layer_sparse[0] && !c.text.layer_sparse[5]);
    dh_free(json);

    // The old key overrides the flattened one, but not layer_types.
    const char *const both[] = {
        "\"index_block_size\": 4,",
        "\"index_block_size\": 4, \"sparse_attention_config\": "
        "{\"sparse_block_size\": 8,"
        "\"sparse_attention_freq\": [1, 1, 1, 1, 1, 1]},",
        "\"eos_token_id\": 2",
        "\"eos_token_id\": [7, 2]",
        "\"n_shared_experts\": 1",
        "\"n_shared_experts\": 3",
        "\"partial_rotary_factor\": 0.5",
        "\"x\": 0",
        NULL
    };
    json = dh_checkpoint_edit(dh_checkpoint_config_flat, both);
    c = parse_ok(json);
    CHECK_INT(c.text.index_block_size, 8);
    CHECK(!c.text.layer_sparse[0]);
    CHECK_INT(c.text.eos_token_id, 7);
    CHECK_INT(c.text.shared_intermediate_size, 120);
    CHECK_INT(c.text.rotary_dim, 16);
    dh_free(json);
}

/* One edit each of the released spelling: the status, and the key that the
 * diagnosis names. */
static void test_what_is_wrong_is_refused_and_named(void)
{
    static const struct {
        const char *find, *put;
        enum dh_status st;
        const char *key;
    } rows[] = {
        { "\"minimax_m3_vl\"", "\"llama\"", DH_ERR_UNSUPPORTED, "model_type" },
        { "\"hidden_size\": 64,", "", DH_ERR_FORMAT,
          "text_config.hidden_size: missing" },
        { "\"hidden_size\": 64", "\"hidden_size\": 64.5", DH_ERR_FORMAT,
          "text_config.hidden_size: integer expected" },
        { "\"hidden_size\": 64", "\"hidden_size\": \"64\"", DH_ERR_FORMAT,
          "text_config.hidden_size: integer expected" },
        { "\"hidden_size\": 64", "\"hidden_size\": 65537", DH_ERR_RANGE,
          "text_config.hidden_size: 65537 is not within 1..65536" },
        { "\"hidden_size\": 64", "\"hidden_size\": 1e999", DH_ERR_RANGE,
          "text_config.hidden_size" },
        { "\"hidden_size\": 64", "\"hidden_size\": -1", DH_ERR_RANGE,
          "text_config.hidden_size" },
        { "\"num_hidden_layers\": 6", "\"num_hidden_layers\": 257",
          DH_ERR_RANGE, "text_config.num_hidden_layers" },
        { "\"num_hidden_layers\": 6", "\"num_hidden_layers\": 7", DH_ERR_FORMAT,
          "sparse_attention_freq: a list of 7 entries" },
        { "\"num_attention_heads\": 8", "\"num_attention_heads\": 7",
          DH_ERR_RANGE, "text_config.num_attention_heads" },
        { "\"num_attention_heads\": 8, \"num_key_value_heads\": 2,"
          "\"head_dim\": 16",
          "\"num_attention_heads\": 1024, \"num_key_value_heads\": 2,"
          "\"head_dim\": 1024",
          DH_ERR_RANGE, "text_config.head_dim" },
        { "\"rotary_dim\": 8", "\"rotary_dim\": 16", DH_ERR_RANGE,
          "text_config.rotary_dim: 16, but partial_rotary_factor makes it 8" },
        { "\"rotary_dim\": 8,\"partial_rotary_factor\": 0.5",
          "\"partial_rotary_factor\": 0.2", DH_ERR_RANGE,
          "text_config.rotary_dim: 3 is not even" },
        { "\"rope_theta\": 5000000", "\"rope_scaling\": {\"factor\": 2}",
          DH_ERR_UNSUPPORTED, "text_config.rope_scaling" },
        { "\"rope_theta\": 5000000",
          "\"rope_parameters\": {\"rope_type\": \"yarn\"}", DH_ERR_UNSUPPORTED,
          "text_config.rope_parameters.rope_type" },
        { "\"sparse_num_index_heads\": 2", "\"sparse_num_index_heads\": 4",
          DH_ERR_RANGE, "text_config.index_n_heads" },
        { "\"sparse_index_dim\": 16", "\"sparse_index_dim\": 4", DH_ERR_RANGE,
          "text_config.rotary_dim" },
        { "\"sparse_local_block\": 1", "\"sparse_local_block\": 5",
          DH_ERR_RANGE, "text_config.index_local_blocks" },
        { "\"sparse_block_size\": 4", "\"sparse_block_size\": 0", DH_ERR_RANGE,
          "text_config.sparse_attention_config.sparse_block_size" },
        { "\"sparse_init_block\": 0", "\"sparse_init_block\": 1",
          DH_ERR_UNSUPPORTED,
          "text_config.sparse_attention_config.sparse_init_block" },
        { "\"max\"", "\"mean\"", DH_ERR_UNSUPPORTED, "sparse_score_type" },
        { "\"sparse_disable_index_value\": [0, 0, 1, 1, 1, 1]",
          "\"sparse_disable_index_value\": [0, 0, 1, 0, 1, 1]",
          DH_ERR_UNSUPPORTED, "layer 3" },
        { "\"moe_layer_freq\": [0, 0, 1, 1, 1, 1]", "\"moe_layer_freq\": 1",
          DH_ERR_FORMAT, "text_config.moe_layer_freq" },
        { "\"moe_layer_freq\": [0, 0, 1, 1, 1, 1]",
          "\"moe_layer_freq\": [0, 0, 2, 1, 1, 1]", DH_ERR_RANGE,
          "text_config.moe_layer_freq" },
        { "\"num_experts_per_tok\": 2", "\"num_experts_per_tok\": 9",
          DH_ERR_RANGE, "text_config.num_experts_per_tok" },
        { "\"num_local_experts\": 8", "\"num_local_experts\": 1025",
          DH_ERR_RANGE, "text_config.num_local_experts" },
        { "\"n_shared_experts\": 1", "\"n_shared_experts\": 0", DH_ERR_RANGE,
          "text_config.n_shared_experts" },
        { "\"shared_intermediate_size\": 40,", "", DH_ERR_FORMAT,
          "text_config.shared_intermediate_size" },
        { "\"sigmoid\"", "\"softmax\"", DH_ERR_UNSUPPORTED, "scoring_func" },
        { "\"swigluoai\"", "\"relu\"", DH_ERR_UNSUPPORTED, "hidden_act" },
        { "\"swiglu_limit\": 7.0", "\"swiglu_beta\": 0.5", DH_ERR_UNSUPPORTED,
          "text_config.swiglu_beta" },
        { "\"use_gemma_norm\": true", "\"use_gemma_norm\": false",
          DH_ERR_UNSUPPORTED, "text_config.use_gemma_norm" },
        { "\"attention_output_gate\": false", "\"attention_output_gate\": true",
          DH_ERR_UNSUPPORTED, "text_config.attention_output_gate" },
        { "\"attention_output_gate\": false", "\"attention_output_gate\": 0",
          DH_ERR_FORMAT, "text_config.attention_output_gate" },
        { "\"per_head\"", "\"per_layer\"", DH_ERR_UNSUPPORTED, "qk_norm_type" },
        { "\"eos_token_id\": 2", "\"eos_token_id\": 256", DH_ERR_RANGE,
          "text_config.eos_token_id" },
        { "\"image_token_index\": 250", "\"image_token_index\": 256",
          DH_ERR_RANGE, "image_token_index" },
        { "\"video_token_index\": 251,", "", DH_ERR_FORMAT, "video_token_id" },
        { "\"vision_config\": {", "\"vision_config\": 3, \"x\": {",
          DH_ERR_FORMAT, "vision_config: object expected" },
        { "\"num_attention_heads\": 2", "\"num_attention_heads\": 3",
          DH_ERR_RANGE, "vision_config.num_attention_heads" },
        { "\"num_attention_heads\": 2", "\"num_attention_heads\": 8",
          DH_ERR_RANGE, "vision_config.num_attention_heads" },
        { "\"num_channels\": 3", "\"num_channels\": 4", DH_ERR_RANGE,
          "vision_config.num_channels" },
        { "\"spatial_merge_size\": 2", "\"spatial_merge_size\": 0",
          DH_ERR_RANGE, "spatial_merge_size" },
        { "\"3d\"", "\"2d\"", DH_ERR_UNSUPPORTED, "vision_config.rope_mode" },
        { "\"projector_hidden_act\": \"gelu\"",
          "\"projector_hidden_act\": \"silu\"", DH_ERR_UNSUPPORTED,
          "projector_hidden_act" },
        { "\"multimodal_projector_bias\": true",
          "\"multimodal_projector_bias\": false", DH_ERR_UNSUPPORTED,
          "multimodal_projector_bias" },
    };
    for (size_t i = 0; i < DH_COUNTOF(rows); i++) {
        const char *const edits[] = { rows[i].find, rows[i].put, NULL };
        char *json = dh_checkpoint_edit(dh_checkpoint_config, edits);
        struct dh_diag diag = { 0 };
        struct dh_config c;
        enum dh_status st = dh_config_parse(json, strlen(json), &c, &diag);
        if (!strstr(diag.text, rows[i].key))
            CHECK_STR(diag.text, rows[i].key);
        CHECK_INT(st, rows[i].st);
        dh_free(json);
    }
}

static void test_what_is_no_config_is_refused(void)
{
    static const char *const texts[] = {
        "", "{", "[]", "3", "null", "{}", "{\"text_config\": []}"
    };
    for (size_t i = 0; i < DH_COUNTOF(texts); i++) {
        struct dh_diag diag = { 0 };
        struct dh_config c;
        CHECK_INT(dh_config_parse(texts[i], strlen(texts[i]), &c, &diag),
                  DH_ERR_FORMAT);
        CHECK(diag.text[0]);
    }
}

DH_TESTS(DH_TEST(reads_the_released_spelling),
         DH_TEST(both_spellings_give_the_same),
         DH_TEST(text_only_has_its_members_at_the_top),
         DH_TEST(defaults_and_precedence),
         DH_TEST(what_is_wrong_is_refused_and_named),
         DH_TEST(what_is_no_config_is_refused));
