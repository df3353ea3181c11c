#include <string.h>

#include "agent/recording.h"
#include "agent/replay.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "capture/png.h"

static void put_rect(struct dh_json_writer *w, const char *key,
                     struct dh_rect r)
{
    dh_jw_array(w, key);
    dh_jw_i64(w, NULL, r.x);
    dh_jw_i64(w, NULL, r.y);
    dh_jw_i64(w, NULL, r.w);
    dh_jw_i64(w, NULL, r.h);
    dh_jw_end_array(w);
}

static void put_candidates(const struct dh_places *p, struct dh_json_writer *w)
{
    dh_jw_array(w, "candidates");
    for (int i = 0; i < p->n; i++) {
        const struct dh_candidate *c = &p->candidate[i];
        dh_jw_object(w, NULL);
        dh_jw_text(w, "rung", dh_rung_name(c->rung));
        dh_jw_double(w, "score", c->score);
        put_rect(w, "rect", c->rect);
        dh_jw_end_object(w);
    }
    dh_jw_end_array(w);
}

// Pixels of the part, which lies in the picture.
static enum dh_status write_part(const struct dh_frame *f, struct dh_rect part,
                                 const char *path)
{
    struct dh_frame *out;
    enum dh_status st = dh_frame_create(&out, NULL, part.w, part.h);
    if (st)
        return st;
    for (int y = 0; y < part.h; y++)
        memcpy(dh_frame_at(out, 0, y), dh_frame_at(f, part.x, part.y + y),
               (size_t)part.w * 4);
    dh_frame_publish(out);
    st = dh_png_write(path, out);
    dh_frame_unref(out);
    return st;
}

static enum dh_status write_pictures(const struct dh_replay_stop *stop,
                                     const char *dir, struct dh_json_writer *w)
{
    enum dh_status st = DH_OK;
    if (stop->frame) {
        char *path = dh_path_join(dir, "stop-screen.png");
        st = dh_png_write(path, stop->frame);
        dh_free(path);
        dh_jw_text(w, "screen", "stop-screen.png");
    }
    struct dh_rect wanted = stop->wanted;
    if (stop->then)
        wanted =
            dh_rect_intersect(wanted, (struct dh_rect){ 0, 0, stop->then->width,
                                                        stop->then->height });
    if (!st && stop->then && !dh_rect_is_empty(wanted)) {
        char *path = dh_path_join(dir, "stop-wanted.png");
        st = write_part(stop->then, wanted, path);
        dh_free(path);
        dh_jw_text(w, "wanted", "stop-wanted.png");
        put_rect(w, "wanted_rect", wanted);
    }
    return st;
}

enum dh_status dh_replay_stop_write(const struct dh_replay_stop *stop,
                                    const char *dir)
{
    struct dh_buf out;
    struct dh_json_writer w;
    dh_buf_init(&out, 1 << 20);
    dh_jw_init(&w, &out);
    dh_jw_object(&w, NULL);
    dh_jw_i64(&w, "step", stop->number);
    if (stop->recorded)
        dh_jw_i64(&w, "act", stop->recorded->n);
    dh_jw_bool(&w, "performed", stop->performed);
    dh_jw_text(&w, "why", stop->why);
    enum dh_status st = dh_path_mkdirs(dir);
    if (!st)
        st = write_pictures(stop, dir, &w);
    put_candidates(&stop->places, &w);
    dh_jw_end_object(&w);
    dh_buf_putc(&out, '\n');
    char *path = dh_path_join(dir, "stop.json");
    if (!st)
        st = dh_file_write(path, out.data, out.len);
    dh_free(path);
    dh_buf_finish(&out);
    return st;
}
