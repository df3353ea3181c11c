// The file that holds the picture tower beside a model of llama.cpp's.
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/gguf_priv.h"

#define DH_LOG_TAG "gguf"
#include "base/log.h"

#define CANDIDATES_MAX 64

// A head is `parts` times `groups` pieces, of which the groups come first to
// lie together: two halves of three axes, or three axes of two halves. What is
// not rotated stays.
static int swap(int row, int head_dim, int parts, int groups)
{
    int n = 2 * (head_dim / 2) / 3 / 2, r = row % head_dim;
    if (r >= 6 * n)
        return row;
    int at = r / n, to = at % groups * parts + at / groups;
    return row - r + to * n + r % n;
}

int dh_gguf_vision_row(int row, int head_dim)
{
    return swap(row, head_dim, 2, 3);
}

int dh_gguf_vision_source(int row, int head_dim)
{
    return swap(row, head_dim, 3, 2);
}

char *dh_gguf_vision_path(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t n = strlen(path) + sizeof("mmproj-");
    char *out = dh_zalloc(n);
    snprintf(out, n, "%.*smmproj-%s", (int)(name - path), path, name);
    return out;
}

static void put_three(const struct dh_gguf *g, struct dh_json_writer *w,
                      const char *key, const char *name)
{
    const struct dh_gguf_value *v = dh_gguf_find(g, name);
    if (!v || !v->is_array || v->type != DH_GGUF_F32)
        return;
    dh_jw_array(w, key);
    for (uint64_t i = 0; i < DH_MIN(v->n, 4); i++) { // four are refused
        float f;
        memcpy(&f, v->data + i * sizeof(f), sizeof(f));
        dh_jw_double(w, NULL, (double)f);
    }
    dh_jw_end_array(w);
}

void dh_gguf_image_rule(const struct dh_gguf *g, struct dh_buf *json)
{
    static const char *const pixels[][2] = {
        { "min_pixels", "clip.vision.image_min_pixels" },
        { "max_pixels", "clip.vision.image_max_pixels" },
    };
    struct dh_json_writer w;
    int64_t n;
    dh_jw_init(&w, json);
    dh_jw_object(&w, NULL);
    put_three(g, &w, "image_mean", "clip.vision.image_mean");
    put_three(g, &w, "image_std", "clip.vision.image_std");
    for (size_t i = 0; i < DH_COUNTOF(pixels); i++)
        if (dh_gguf_i64(dh_gguf_find(g, pixels[i][1]), &n))
            dh_jw_i64(&w, pixels[i][0], n);
    dh_jw_end_object(&w);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// The mmproj*.gguf of a folder in the order of their names.
static size_t list(const char *folder, char *out[CANDIDATES_MAX])
{
    DIR *dir = opendir(folder);
    size_t n = 0;
    for (struct dirent *e; dir && n < CANDIDATES_MAX && (e = readdir(dir));)
        if (strncmp(e->d_name, "mmproj", 6) == 0 &&
            dh_str_ends(dh_str_of(e->d_name), ".gguf"))
            out[n++] = dh_path_join(folder, e->d_name);
    if (dir)
        closedir(dir);
    qsort(out, n, sizeof(*out), by_name);
    return n;
}

// DH_ERR_UNSUPPORTED: it is another model's, which is an error where it was
// named.
static enum dh_status add(struct dh_gguf *g, const char *path, bool named)
{
    struct dh_gguf *vision;
    struct dh_diag diag = { 0 };
    enum dh_status st = dh_gguf_open(&vision, path);
    if (st)
        return st == DH_ERR_UNSUPPORTED ? DH_ERR_FORMAT : st;
    st = dh_gguf_join(g, vision, &diag);
    if (st == DH_ERR_UNSUPPORTED && !named)
        dh_info("%s is passed over: %s", path, diag.text);
    else if (st)
        dh_error("%s: %s", path, diag.text);
    else
        dh_info("pictures are for %s", path);
    return st;
}

static enum dh_status find(struct dh_gguf *g, const char *path)
{
    char *own = dh_gguf_vision_path(path), *folder = dh_path_dir(path);
    char *all[CANDIDATES_MAX];
    size_t n = 0;
    enum dh_status st = DH_ERR_UNSUPPORTED;
    if (dh_path_exists(own))
        st = add(g, own, false);
    if (st == DH_ERR_UNSUPPORTED)
        n = list(folder, all);
    for (size_t i = 0; i < n && st == DH_ERR_UNSUPPORTED; i++)
        st = add(g, all[i], false);
    for (size_t i = 0; i < n; i++)
        dh_free(all[i]);
    dh_free(own);
    dh_free(folder);
    return st == DH_ERR_UNSUPPORTED ? DH_OK : st;
}

enum dh_status dh_gguf_open_model(struct dh_gguf **out, const char *path,
                                  const char *mmproj)
{
    struct dh_gguf *g;
    enum dh_status st = dh_gguf_open(&g, path);
    if (st)
        return st;
    st = mmproj ? add(g, mmproj, true) : find(g, path);
    if (st)
        dh_gguf_close(g);
    else
        *out = g;
    return st;
}
