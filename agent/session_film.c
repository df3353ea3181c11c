#include "agent/session_film.h"

#include <stdio.h>
#include <unistd.h>

#include "agent/session_read_priv.h"
#include "base/clock.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "capture/source.h"
#include "capture/video_in.h"

#define KEPT 6 // of 4K about 200 MB

struct dh_session_film {
    const struct dh_session_reader *session;
    struct dh_source *source; // NULL: not open
    struct dh_frame *kept[KEPT];
    int newest;   // of those
    int64_t head; // time in the session of the newest, ns
    bool ended;
};

struct dh_session_film *
dh_session_film_create(const struct dh_session_reader *s)
{
    struct dh_session_film *f;
    dh_new(f);
    f->session = s;
    return f;
}

static void rewind_film(struct dh_session_film *f)
{
    for (int i = 0; i < KEPT; i++) {
        dh_frame_unref(f->kept[i]);
        f->kept[i] = NULL;
    }
    dh_source_destroy(f->source);
    f->source = NULL;
    f->ended = false;
}

void dh_session_film_destroy(struct dh_session_film *f)
{
    if (!f)
        return;
    rewind_film(f);
    dh_free(f);
}

// By the open file, so that no link is followed.
static enum dh_status open_film(struct dh_session_film *f)
{
    char path[DH_SESSION_FD_PATH];
    int fd = dh_session_open_film(f->session, path);
    if (fd < 0)
        return DH_ERR_NOTFOUND;
    enum dh_status st = dh_video_in_create(&f->source, path);
    close(fd);
    return st;
}

static int64_t time_of(const struct dh_session_film *f,
                       const struct dh_frame *frame)
{
    return frame->time_ns + dh_video_in_start(f->source);
}

static enum dh_status advance(struct dh_session_film *f)
{
    struct dh_frame *frame;
    enum dh_status st = dh_source_grab(f->source, &frame);
    f->ended = st != DH_OK;
    if (st)
        return st;
    f->newest = (f->newest + 1) % KEPT;
    dh_frame_unref(f->kept[f->newest]);
    f->kept[f->newest] = frame;
    return DH_OK;
}

// The newest of those kept that is not later. NULL: none is.
static struct dh_frame *find(const struct dh_session_film *f, int64_t t)
{
    for (int i = 0; i < KEPT; i++) {
        struct dh_frame *frame = f->kept[(f->newest + KEPT - i) % KEPT];
        if (frame && time_of(f, frame) <= t)
            return frame;
    }
    return NULL;
}

enum dh_status dh_session_film_frame(struct dh_session_film *f, int64_t pts_ms,
                                     struct dh_frame **out,
                                     struct dh_diag *diag)
{
    // The container rounds to a millisecond.
    int64_t t = pts_ms * DH_MS + DH_MS / 2;
    enum dh_status st = DH_OK;
    if (f->source && f->kept[f->newest] && !find(f, t))
        rewind_film(f);
    if (!f->source)
        st = open_film(f);
    while (!st && !f->ended &&
           (!f->kept[f->newest] || time_of(f, f->kept[f->newest]) < t - DH_MS))
        st = advance(f);
    struct dh_frame *frame = f->source ? find(f, t) : NULL;
    // A video that was cut short does not show what came after it.
    if (frame && f->ended && time_of(f, frame) < t - DH_S)
        frame = NULL;
    if (!frame) {
        dh_diag_set(diag, 0, "video.mkv %s",
                    f->source ? "does not reach it" : "cannot be read");
        return DH_ERR_NOTFOUND;
    }
    *out = dh_frame_ref(frame);
    return DH_OK;
}
