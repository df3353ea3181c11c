#include "tests/agent/talker.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "tests/dh_test.h"
#include "tests/model/checkpoint.h"

static void put(const char *dir, const char *name, const char *text, size_t len)
{
    char *path = dh_path_join(dir, name);
    CHECK_INT(dh_file_write(path, text, len), DH_OK);
    dh_free(path);
}

void talker_write(const char *dir, const char *profile)
{
    // As many ids as the tokenizer has, and its placeholders.
    static const char *const edits[] = {
        "\"vocab_size\": 256",
        "\"vocab_size\": 512",
        "\"image_token_index\": 250",
        "\"image_token_index\": 418",
        "\"video_token_index\": 251",
        "\"video_token_index\": 419",
        NULL,
    };
    char *config = dh_checkpoint_edit(dh_checkpoint_config, edits);
    struct dh_checkpoint_spec spec = { .config = config };
    char *text;
    size_t len;
    dh_checkpoint_write(dir, &spec);
    dh_free(config);
    CHECK_INT(dh_file_read("tests/vectors/text/tiny_tokenizer.json", 1 << 22,
                           &text, &len),
              DH_OK);
    put(dir, "tokenizer.json", text, len);
    dh_big_free(text);
    put(dir, "deskhand.json", profile, strlen(profile));
}
