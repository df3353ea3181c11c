// A saved timeline with any bytes in it, whose sum is right: it is refused, or
// the session goes on with what it says.
// max-len: 512
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "model/model.h"
#include "model/session.h"

#define TOKENS  3
#define CRC_AT  32 // of struct head in model/snapshot.c
#define HEAD    40
#define MODEL   8 // and what is never mended away: magic and model
#define MODEL_N 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct dh_session *session;
static char path[64], *good, *bad;
static size_t len;

static void remove_file(void)
{
    unlink(path);
}

static void start(void)
{
    static const int32_t ids[TOKENS] = { 40, 41, 42 };
    struct dh_model_options mo = { .kernels = "float32" };
    struct dh_session_options so = { .max_tokens = 256 };
    struct dh_model *model;
    snprintf(path, sizeof path, "/tmp/deskhand-fuzz-%d", (int)getpid());
    if (!dh_log_set_levels("error") ||
        dh_model_create(&model, "assets/models/sprout", &mo) ||
        dh_session_create(&session, model, &so) ||
        dh_session_feed(session, ids, TOKENS, NULL, 0) ||
        dh_session_save(session, path) ||
        dh_file_read(path, (size_t)1 << 26, &good, &len))
        abort();
    bad = dh_zalloc(len);
    atexit(remove_file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int32_t next = 43;
    if (!session)
        start();
    if (size < 3)
        return 0;
    memcpy(bad, good, len);
    // What follows says where it goes: three bytes for the place, in the head
    // or anywhere, and one to write there.
    for (size_t i = 1; i + 4 <= size; i += 4) {
        size_t at = (size_t)data[i] | (size_t)data[i + 1] << 8 |
                    (size_t)data[i + 2] << 16;
        at %= data[0] & 1 ? HEAD : len;
        bad[at] = (char)data[i + 3];
    }
    size_t n = data[0] & 2 ? (size_t)data[1] * len / 256 : len;
    memcpy(bad, good, MODEL + MODEL_N);
    if (n > HEAD) {
        uint32_t crc =
            (uint32_t)crc32_z(0, (unsigned char *)bad + HEAD, n - HEAD);
        memcpy(bad + CRC_AT, &crc, sizeof crc);
    }
    if (dh_file_write(path, bad, n))
        abort();
    enum dh_status st = dh_session_load(session, path);
    if (st ? dh_session_len(session) != 0 : dh_session_len(session) > 256)
        abort();
    st = dh_session_feed(session, &next, 1, NULL, 0);
    if (st && st != DH_ERR_RANGE)
        abort();
    return 0;
}
