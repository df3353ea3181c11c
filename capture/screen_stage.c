#include "capture/screen_stage_priv.h"

#include <sys/ipc.h>
#include <sys/shm.h>

#include <X11/Xutil.h>

#include "base/x11.h"

#define DH_LOG_TAG "screen"
#include "base/log.h"

static bool shm_init(struct dh_stage *s, const XWindowAttributes *root,
                     struct dh_rect area)
{
    XImage *img =
        XShmCreateImage(s->dpy, root->visual, (unsigned)root->depth, ZPixmap,
                        NULL, &s->shm, (unsigned)area.w, (unsigned)area.h);
    if (!img)
        return false;

    size_t size = (size_t)img->bytes_per_line * (size_t)img->height;
    s->shm.shmid = shmget(IPC_PRIVATE, size, IPC_CREAT | 0600);
    if (s->shm.shmid < 0)
        goto fail_image;
    s->shm.shmaddr = shmat(s->shm.shmid, NULL, 0);
    if ((intptr_t)s->shm.shmaddr == -1)
        goto fail_id;
    s->shm.readOnly = False;

    dh_x11_trap_begin(s->dpy);
    bool sent = XShmAttach(s->dpy, &s->shm);
    if (!dh_x11_trap_end(s->dpy) || !sent)
        goto fail_attach;

    // Both ends hold the segment now. Marked for removal it goes with the last
    // of them, so that a crash leaves none behind.
    shmctl(s->shm.shmid, IPC_RMID, NULL);
    img->data = s->shm.shmaddr;
    s->img = img;
    return true;

fail_attach:
    shmdt(s->shm.shmaddr);
fail_id:
    shmctl(s->shm.shmid, IPC_RMID, NULL);
fail_image:
    s->shm.shmaddr = NULL;
    XDestroyImage(img);
    return false;
}

void dh_stage_finish(struct dh_stage *s)
{
    if (!s->img)
        return;
    if (s->shm.shmaddr) {
        if (!dh_x11_is_lost(s->dpy))
            XShmDetach(s->dpy, &s->shm);
        shmdt(s->shm.shmaddr);
        s->shm.shmaddr = NULL;
        s->img->data = NULL;
    }
    XDestroyImage(s->img);
    s->img = NULL;
}

static bool stage_has_size(const struct dh_stage *s,
                           const XWindowAttributes *root, struct dh_rect area)
{
    return s->img && s->shm.shmaddr && s->img->width == area.w &&
           s->img->height == area.h && s->img->depth == root->depth;
}

bool dh_stage_fill(struct dh_stage *s, const XWindowAttributes *root,
                   struct dh_rect area)
{
    if (!stage_has_size(s, root, area)) {
        dh_stage_finish(s);
        if (!s->no_shm && !shm_init(s, root, area)) {
            s->no_shm = true;
            if (!dh_x11_is_lost(s->dpy))
                dh_info("the X server cannot share memory with this process, "
                        "pictures come over the connection");
        }
    }
    if (dh_x11_is_lost(s->dpy))
        return false;

    dh_x11_trap_begin(s->dpy);
    bool filled;
    if (s->img) {
        filled =
            XShmGetImage(s->dpy, root->root, s->img, area.x, area.y, AllPlanes);
    } else {
        s->img = XGetImage(s->dpy, root->root, area.x, area.y, (unsigned)area.w,
                           (unsigned)area.h, AllPlanes, ZPixmap);
        filled = s->img;
    }
    return dh_x11_trap_end(s->dpy) && filled;
}
