#include <stdio.h>
#include <string.h>

#include "agent/session_film.h"
#include "base/mem.h"
#include "base/thread.h"
#include "capture/frame.h"
#include "tools/viewer_priv.h"

#define CACHE 12 // of 4K about 400 MB

struct picture {
    int number; // 0: free
    struct dh_frame *frame;
    char why[200]; // it cannot be had
};

struct dh_viewer_pictures {
    const struct dh_session_reader *session;
    const struct dh_viewer_options *o;
    struct dh_session_film *film; // only the thread
    uint32_t wake;
    struct dh_thread thread;
    struct dh_mutex lock;
    struct dh_cond changed;
    // guarded by lock
    struct picture cache[CACHE];
    struct dh_viewer_want wanted[DH_VIEWER_WANTED];
    bool stop;
};

static struct picture *find(struct dh_viewer_pictures *p, int number)
{
    for (int i = 0; i < CACHE; i++)
        if (p->cache[i].number == number)
            return &p->cache[i];
    return NULL;
}

static bool is_wanted(const struct dh_viewer_pictures *p, int number)
{
    for (int i = 0; i < DH_VIEWER_WANTED; i++)
        if (p->wanted[i].number == number)
            return true;
    return false;
}

static struct dh_viewer_want next_missing(struct dh_viewer_pictures *p)
{
    for (int i = 0; i < DH_VIEWER_WANTED; i++)
        if (p->wanted[i].number && !find(p, p->wanted[i].number))
            return p->wanted[i];
    return (struct dh_viewer_want){ 0 };
}

// A free place, or one of a picture that nobody waits for: there are more
// places than can be wanted.
static struct picture *place(struct dh_viewer_pictures *p)
{
    struct picture *c = p->cache;
    while (c < p->cache + CACHE - 1 && c->number && is_wanted(p, c->number))
        c++;
    return c;
}

static void keep(struct dh_viewer_pictures *p, const struct picture *made)
{
    struct picture *c = place(p);
    dh_frame_unref(c->frame);
    *c = *made;
}

static struct picture decoded(const struct dh_viewer_pictures *p,
                              struct dh_viewer_want want)
{
    struct picture made = { .number = want.number };
    struct dh_diag diag = { 0 };
    enum dh_status st =
        p->o->picture
            ? p->o->picture(p->o->user, want.number, &made.frame, &diag)
            : dh_session_frame(p->session, want.number, &made.frame, &diag);
    struct dh_diag other = { 0 };
    if (st && want.pts_ms >= 0)
        st = dh_session_film_frame(p->film, want.pts_ms, &made.frame, &other);
    if (st) {
        made.frame = NULL;
        snprintf(made.why, sizeof made.why, "%.110s%s%.80s", diag.text,
                 other.text[0] ? "; " : "", other.text);
    }
    return made;
}

static void decode_all(void *arg)
{
    struct dh_viewer_pictures *p = arg;
    dh_mutex_lock(&p->lock);
    while (!p->stop) {
        struct dh_viewer_want want = next_missing(p);
        if (!want.number) {
            dh_cond_wait(&p->changed, &p->lock);
            continue;
        }
        dh_mutex_unlock(&p->lock);
        struct picture made = decoded(p, want);
        dh_mutex_lock(&p->lock);
        keep(p, &made);
        SDL_Event e = { .type = p->wake };
        SDL_PushEvent(&e);
    }
    dh_mutex_unlock(&p->lock);
}

enum dh_status dh_viewer_pictures_create(struct dh_viewer_pictures **out,
                                         const struct dh_session_reader *s,
                                         const struct dh_viewer_options *o,
                                         uint32_t wake)
{
    struct dh_viewer_pictures *p;
    dh_new(p);
    p->session = s;
    p->o = o;
    p->film = dh_session_film_create(s);
    p->wake = wake;
    dh_mutex_init(&p->lock);
    dh_cond_init(&p->changed);
    enum dh_status st = dh_thread_start(&p->thread, "dh-view", decode_all, p);
    if (st) {
        dh_viewer_pictures_destroy(p);
        return st;
    }
    *out = p;
    return DH_OK;
}

void dh_viewer_pictures_destroy(struct dh_viewer_pictures *p)
{
    if (!p)
        return;
    dh_mutex_lock(&p->lock);
    p->stop = true;
    dh_cond_signal(&p->changed);
    dh_mutex_unlock(&p->lock);
    dh_thread_join(&p->thread);
    dh_session_film_destroy(p->film);
    for (int i = 0; i < CACHE; i++)
        dh_frame_unref(p->cache[i].frame);
    dh_cond_finish(&p->changed);
    dh_mutex_finish(&p->lock);
    dh_free(p);
}

void dh_viewer_pictures_want(struct dh_viewer_pictures *p,
                             const struct dh_viewer_want want[DH_VIEWER_WANTED])
{
    dh_mutex_lock(&p->lock);
    memcpy(p->wanted, want, sizeof p->wanted);
    dh_cond_signal(&p->changed);
    dh_mutex_unlock(&p->lock);
}

struct dh_frame *dh_viewer_pictures_find(struct dh_viewer_pictures *p,
                                         int number, char why[200])
{
    struct dh_frame *frame = NULL;
    why[0] = 0;
    dh_mutex_lock(&p->lock);
    const struct picture *c = number ? find(p, number) : NULL;
    if (c && c->frame)
        frame = dh_frame_ref(c->frame);
    else if (c)
        snprintf(why, 200, "%s", c->why);
    dh_mutex_unlock(&p->lock);
    return frame;
}
