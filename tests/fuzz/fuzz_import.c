/* Any bytes as what another program recorded. The first byte picks the form.
 * max-len: 4096 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/import.h"
#include "base/file.h"
#include "base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/dh-fuzz-import-XXXXXX";

static void empty_dir(void)
{
    if (dh_path_remove(dir) || mkdir(dir, 0700))
        abort();
}

static void remove_dir(void)
{
    (void)!dh_path_remove(dir);
}

static void put(const char *name, const uint8_t *data, size_t size)
{
    char path[sizeof dir + 64];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    close(fd);
}

static void quiet(void *user, enum dh_log_level level, const char *tag,
                  const char *text)
{
    (void)user;
    (void)level;
    (void)tag;
    (void)text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const sources[] = { "/tasks.jsonl", "", "",
                                           "/traj.jsonl" };
    static int begun;
    char src[sizeof dir + 64], to[sizeof dir + 64], turn[sizeof dir + 64];
    if (!size)
        return 0;
    if (!begun++ && (!mkdtemp(dir) || atexit(remove_dir)))
        abort();
    dh_log_set_hook(quiet, NULL);
    int form = data[0] % DH_IMPORT_FORMS;
    snprintf(src, sizeof src, "%s%s", dir, sources[form]);
    snprintf(to, sizeof to, "%s/new", dir);
    snprintf(turn, sizeof turn, "%s/turn-1", dir);
    mkdir(turn, 0700);
    put("tasks.jsonl", data + 1, size - 1);
    put("traj.jsonl", data + 1, size - 1);
    put("turn-1/action.json", data + 1, size - 1);
    put("metadata.json", (const uint8_t *)"{\"screen_width\":9}", 18);
    put("events.jsonl", data + 1, size - 1);
    struct dh_import_options o = { .form = (enum dh_import_form)form,
                                   .src = src,
                                   .dir = to,
                                   .screen = { 640, 480 } };
    struct dh_import_result r;
    enum dh_status st = dh_import(&o, &r);
    // Whole or not at all.
    if ((st == DH_OK) != (access(to, F_OK) == 0))
        __builtin_trap();
    empty_dir();
    return 0;
}
