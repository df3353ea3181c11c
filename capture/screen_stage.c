#include "capture/screen_stage_priv.h"

#include <stdint.h>
#include <sys/ipc.h>
#include <sys/shm.h>

#include <X11/Xutil.h>

#include "base/x11.h"

#define DH_LOG_TAG "screen"
#include "base/log.h"

bool dh_shared_init(struct dh_shared *s, Display *dpy, size_t bytes)
{
    s->shm.shmid = shmget(IPC_PRIVATE, bytes, IPC_CREAT | 0600);
    if (s->shm.shmid < 0)
        return false;
    s->shm.shmaddr = shmat(s->shm.shmid, NULL, 0);
    s->shm.readOnly = False;
    bool mapped = (intptr_t)s->shm.shmaddr != -1, attached = false;
    if (mapped) {
        dh_x11_trap_begin(dpy);
        bool sent = XShmAttach(dpy, &s->shm);
        attached = dh_x11_trap_end(dpy) && sent;
    }
    // Both ends hold the segment now. Marked for removal it goes with the last
    // of them, so that a crash leaves none behind.
    shmctl(s->shm.shmid, IPC_RMID, NULL);
    if (mapped && !attached)
        shmdt(s->shm.shmaddr);
    if (!attached)
        s->shm.shmaddr = NULL;
    s->bytes = attached ? bytes : 0;
    return attached;
}

void dh_shared_detach(struct dh_shared *s, Display *dpy)
{
    if (s->shm.shmaddr && !dh_x11_is_lost(dpy))
        XShmDetach(dpy, &s->shm);
}

void dh_shared_unmap(struct dh_shared *s)
{
    if (s->shm.shmaddr)
        shmdt(s->shm.shmaddr);
    s->shm.shmaddr = NULL;
    s->bytes = 0;
}

static XImage *image_over(struct dh_shared *s, Display *dpy,
                          const struct dh_shot *shot, struct dh_rect area,
                          char *at)
{
    return XShmCreateImage(dpy, shot->visual, (unsigned)shot->depth, ZPixmap,
                           at, &s->shm, (unsigned)area.w, (unsigned)area.h);
}

static bool image_fill(XImage *img, Display *dpy, const struct dh_shot *shot,
                       struct dh_rect area)
{
    if (dh_x11_is_lost(dpy))
        return false;
    dh_x11_trap_begin(dpy);
    bool filled =
        XShmGetImage(dpy, shot->drawable, img, area.x - shot->origin.x,
                     area.y - shot->origin.y, AllPlanes);
    return dh_x11_trap_end(dpy) && filled;
}

static void image_free(XImage *img)
{
    img->data = NULL;
    XDestroyImage(img);
}

bool dh_shared_fetch(struct dh_shared *s, Display *dpy,
                     const struct dh_shot *shot, struct dh_rect area, char *at)
{
    XImage *img = image_over(s, dpy, shot, area, at);
    if (!img)
        return false;
    size_t size = (size_t)img->bytes_per_line * (size_t)img->height;
    bool fits = size <= s->bytes - (size_t)(at - s->shm.shmaddr);
    bool filled = fits && image_fill(img, dpy, shot, area);
    image_free(img);
    return filled;
}

static bool stage_init_shm(struct dh_stage *s, const struct dh_shot *shot)
{
    XImage *img = image_over(&s->shared, s->dpy, shot, shot->area, NULL);
    if (!img)
        return false;
    size_t size = (size_t)img->bytes_per_line * (size_t)img->height;
    if (!dh_shared_init(&s->shared, s->dpy, size)) {
        image_free(img);
        return false;
    }
    img->data = s->shared.shm.shmaddr;
    s->img = img;
    return true;
}

void dh_stage_finish(struct dh_stage *s)
{
    if (s->img && s->shared.shm.shmaddr) {
        dh_shared_detach(&s->shared, s->dpy);
        dh_shared_unmap(&s->shared);
        s->img->data = NULL;
    }
    if (s->img)
        XDestroyImage(s->img);
    s->img = NULL;
}

static bool stage_suits(const struct dh_stage *s, const struct dh_shot *shot)
{
    return s->img && s->shared.shm.shmaddr && s->img->width == shot->area.w &&
           s->img->height == shot->area.h && s->img->depth == shot->depth &&
           s->img->red_mask == shot->visual->red_mask &&
           s->img->blue_mask == shot->visual->blue_mask;
}

static bool fill_plain(struct dh_stage *s, const struct dh_shot *shot)
{
    dh_x11_trap_begin(s->dpy);
    s->img = XGetImage(s->dpy, shot->drawable, shot->area.x - shot->origin.x,
                       shot->area.y - shot->origin.y, (unsigned)shot->area.w,
                       (unsigned)shot->area.h, AllPlanes, ZPixmap);
    // A pixmap has no visual to tell the masks of.
    if (s->img) {
        s->img->red_mask = shot->visual->red_mask;
        s->img->green_mask = shot->visual->green_mask;
        s->img->blue_mask = shot->visual->blue_mask;
    }
    return dh_x11_trap_end(s->dpy) && s->img;
}

bool dh_stage_fill(struct dh_stage *s, const struct dh_shot *shot)
{
    if (!stage_suits(s, shot)) {
        dh_stage_finish(s);
        if (!s->no_shm && !stage_init_shm(s, shot)) {
            s->no_shm = true;
            if (!dh_x11_is_lost(s->dpy))
                dh_info("the X server cannot share memory with this process, "
                        "pictures come over the connection");
        }
    }
    if (dh_x11_is_lost(s->dpy))
        return false;
    return s->img ? image_fill(s->img, s->dpy, shot, shot->area)
                  : fill_plain(s, shot);
}
