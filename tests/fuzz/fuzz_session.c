/* Any bytes as a session: the first line is its header, the rest its events.
 * max-len: 8192 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/recording.h"
#include "agent/session_read.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/dh-fuzz-session-XXXXXX";

static void remove_dir(void)
{
    rmdir(dir);
}

static void put(const char *name, const uint8_t *data, size_t size)
{
    char path[sizeof dir + 32];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    close(fd);
}

static void take_away(const char *name)
{
    char path[sizeof dir + 32];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    unlink(path);
}

static void look_at(const struct dh_session_reader *s)
{
    int n;
    (void)dh_session_lines(s, &n);
    for (int i = 0; i < n; i++) {
        struct dh_diag diag = { 0 };
        dh_json_free(dh_session_json(s, i, &diag));
    }
    (void)dh_session_steps(s, &n);
    for (int i = 0; i < n; i++) {
        struct dh_session_words w;
        dh_session_words_read(s, i, &w);
        dh_session_words_finish(&w);
    }
}

// The same folder as something to be played.
static void play(void)
{
    struct dh_diag diag = { 0 };
    struct dh_recording *r;
    if (dh_recording_open(&r, dir, &diag)) {
        if (!diag.text[0])
            abort();
        return;
    }
    for (int i = 0; i < r->n_steps; i++) {
        const struct dh_recorded_step *s = &r->step[i];
        if (s->n_windows < 0 || s->first_window < 0 ||
            s->first_window + s->n_windows > r->n_windows)
            abort();
        (void)dh_recording_target(r, &r->step[i]);
    }
    dh_recording_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int begun;
    if (!begun++ && (!mkdtemp(dir) || atexit(remove_dir)))
        abort();
    const uint8_t *nl = size ? memchr(data, '\n', size) : NULL;
    size_t head = nl ? (size_t)(nl - data) + 1 : size;
    size_t half = head + (size - head) / 2;
    struct dh_diag diag = { 0 };
    struct dh_session_reader *s;
    put("session.json", data, head);
    put("events.jsonl", data + head, half - head);
    if (dh_session_open(&s, dir, &diag)) {
        if (!diag.text[0])
            __builtin_trap();
    } else {
        bool grew;
        put("events.jsonl", data + head, size - head);
        if (dh_session_read_more(s, &grew) == DH_OK)
            look_at(s);
        dh_session_close(s);
        play();
    }
    take_away("session.json");
    take_away("events.jsonl");
    return 0;
}
