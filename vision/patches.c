#include "vision/patches.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/pool.h"
#include "capture/frame.h"
#include "vision/motion.h"
#include "vision/patches_priv.h"
#include "vision/resize_priv.h"

#define DH_LOG_TAG "patches"
#include "base/log.h"

#define CHANNELS   3
#define MAX_RATIO  200
#define PATCH_MAX  256
#define GROUP_MAX  16
#define PIXELS_MAX ((int64_t)1 << 30)

const struct dh_patch_rule dh_patch_rule_m3 = {
    .patch_size = 14,
    .temporal_patch_size = 2,
    .merge_size = 2,
    .min_pixels = 3136,
    .max_pixels = 451584,
    .mean = { 0.48145466f, 0.4578275f, 0.40821073f },
    .std = { 0.26862954f, 0.26130258f, 0.27577711f },
};

// ---------------------------------------------------------------------- size

static enum dh_status check_rule(const struct dh_patch_rule *r)
{
    bool fine = r->patch_size >= 1 && r->patch_size <= PATCH_MAX &&
                r->merge_size >= 1 && r->merge_size <= GROUP_MAX &&
                r->temporal_patch_size >= 1 &&
                r->temporal_patch_size <= GROUP_MAX && r->min_pixels >= 0 &&
                r->max_pixels >= 1 && r->max_pixels <= PIXELS_MAX &&
                r->min_pixels <= r->max_pixels;
    for (int c = 0; c < CHANNELS; c++)
        fine = fine && isfinite(r->mean[c]) && r->std[c] > 0;
    if (fine)
        return DH_OK;
    dh_error("the rule for patches is out of range: patch %d, merge %d, "
             "temporal %d, pixels %lld to %lld",
             r->patch_size, r->merge_size, r->temporal_patch_size,
             (long long)r->min_pixels, (long long)r->max_pixels);
    return DH_ERR_RANGE;
}

// Sizes are decided on edges (1280 x 720 lands exactly on 504.0), and so the
// order of these operations is part of the rule.
static double shrink(double side, double beta, double factor)
{
    return fmax(factor, floor(side / beta / factor) * factor);
}

static double grow(double side, double beta, double factor)
{
    return ceil(side * beta / factor) * factor;
}

enum dh_status dh_patches_size(const struct dh_patch_rule *rule,
                               struct dh_size in, struct dh_size *out)
{
    enum dh_status st = check_rule(rule);
    if (st)
        return st;
    double h = in.h, w = in.w, factor = rule->patch_size * rule->merge_size;
    if (in.w < 1 || in.h < 1 || fmax(h, w) / fmin(h, w) > MAX_RATIO ||
        in.w > DH_FRAME_MAX_SIDE || in.h > DH_FRAME_MAX_SIDE) {
        dh_error("a picture of %d x %d: one side is missing, or more than %d "
                 "times as long as the other",
                 in.w, in.h, MAX_RATIO);
        return DH_ERR_RANGE;
    }
    double most = (double)rule->max_pixels, least = (double)rule->min_pixels;
    double to_h = rint(h / factor) * factor, to_w = rint(w / factor) * factor;
    if (to_h * to_w > most) {
        double beta = sqrt(h * w / most);
        to_h = shrink(h, beta, factor);
        to_w = shrink(w, beta, factor);
    } else if (to_h * to_w < least) {
        double beta = sqrt(least / (h * w));
        to_h = grow(h, beta, factor);
        to_w = grow(w, beta, factor);
    }
    // Only a rule without a minimum leaves a side empty.
    out->w = (int)fmax(to_w, factor);
    out->h = (int)fmax(to_h, factor);
    return DH_OK;
}

int dh_patches_tokens(const struct dh_patches *p, int merge_size)
{
    return p->grid_t * p->grid_h * p->grid_w / (merge_size * merge_size);
}

void dh_patches_finish(struct dh_patches *p)
{
    dh_big_free(p->rows);
    *p = (struct dh_patches){ 0 };
}

// ----------------------------------------------------------------- one frame

// What a worker needs: the rows between the passes in a ring, and the rows of
// one line of patches.
struct scratch {
    uint8_t *ring;        // ring_rows of row_bytes
    uint8_t *line;        // patch_size of row_bytes
    const uint8_t **taps; // as many as the axis down has
};

struct job {
    const struct dh_patch_rule *rule;
    const struct dh_resize_kernels *kernels;
    const struct dh_frame *frame;
    const struct dh_frame *before; // whose patches `out` has; NULL: none
    struct dh_resize_axis across, down;
    size_t pitch, row_bytes; // of a planar row
    int ring_rows;
    struct scratch *workers;
    int n_workers;
    struct dh_patches *out;
    int group, slot_begin, slot_end; // where the frame goes
    float mean[CHANNELS], std[CHANNELS];
};

// A part of the patches of a line, and the columns of the resized picture
// around it: as many as the kernels like, since they write whole vectors.
struct part {
    int begin, end;
    int left, right;
    struct dh_resize_axis across; // no arrays of its own
};

static uint8_t *ring_row(const struct job *j, const struct scratch *s, int y)
{
    return s->ring + (size_t)(y % j->ring_rows) * j->row_bytes;
}

// Rows y and y + 1 of the frame, resized across. Past the last row there is
// nothing to read, and the ring has room for a row that nobody looks at.
static void fill_rows(const struct job *j, const struct scratch *s,
                      const struct part *part, int y)
{
    const struct dh_frame *f = j->frame;
    int next = DH_MIN(y + 1, f->height - 1);
    const uint8_t *const in[2] = { dh_frame_at(f, 0, y),
                                   dh_frame_at(f, 0, next) };
    uint8_t *const out[2] = { ring_row(j, s, y) + part->left,
                              ring_row(j, s, y + 1) + part->left };
    j->kernels->across(&part->across, in, out, j->pitch);
}

// Row y of the result; `*have` rows of the frame have been in the ring.
static void make_row(const struct job *j, const struct scratch *s,
                     const struct part *part, int y, int *have, uint8_t *out)
{
    const struct dh_resize_axis *a = &j->down;
    int first = a->first[y], last = first + a->count[y] - 1;
    // Rows that no window needs are never made.
    *have = DH_MAX(*have, first);
    for (; *have <= last; *have += 2)
        fill_rows(j, s, part, *have);
    int n = (a->count[y] + 1) & ~1;
    for (int t = 0; t < n; t++)
        s->taps[t] = ring_row(j, s, DH_MIN(first + t, last)) + part->left;
    out += part->left;
    for (int c = 0; c < CHANNELS; c++, out += j->pitch) {
        j->kernels->down(a->weights + (size_t)y * (size_t)a->stride, n,
                         a->shift, s->taps, out,
                         (size_t)(part->right - part->left));
        for (int t = 0; t < n; t++)
            s->taps[t] += j->pitch;
    }
}

// The row of the result that holds the patch at (y, x): blocks of
// merge x merge patches lie together.
static size_t row_of_patch(const struct job *j, int y, int x)
{
    size_t m = (size_t)j->rule->merge_size, py = (size_t)y, px = (size_t)x;
    size_t per_group = (size_t)j->out->grid_h * (size_t)j->out->grid_w;
    size_t block = py / m * ((size_t)j->out->grid_w / m) + px / m;
    return (size_t)j->group * per_group + (block * m + py % m) * m + px % m;
}

static void put_patch(const struct job *j, const uint8_t *line, int y, int x)
{
    int p = j->rule->patch_size;
    size_t area = (size_t)p * (size_t)p;
    float *row = j->out->rows + row_of_patch(j, y, x) * (size_t)j->out->row_len;
    for (int c = 0; c < CHANNELS; c++) {
        const uint8_t *in = line + (size_t)c * j->pitch + (size_t)(x * p);
        float *slots = row + (size_t)(c * j->rule->temporal_patch_size) * area;
        float *first = slots + (size_t)j->slot_begin * area;
        j->kernels->normalise(in, j->row_bytes, p, j->mean[c], j->std[c],
                              first);
        for (int s = j->slot_begin + 1; s < j->slot_end; s++)
            memcpy(slots + (size_t)s * area, first, area * sizeof(*first));
    }
}

static int end_of(const struct dh_resize_axis *a, int i)
{
    return a->first[i] + a->count[i];
}

// Around the pixels that are others than before, of those that line y is made
// from.
static struct dh_rect changed_for(const struct job *j, int y)
{
    int p = j->rule->patch_size, top = j->down.first[y * p];
    struct dh_rect rows = { 0, top, j->frame->width,
                            end_of(&j->down, y * p + p - 1) - top };
    return j->before ? dh_motion_bounds(j->before, j->frame, rows) : rows;
}

// What is to be made of line y; false: nothing.
static bool part_find(const struct job *j, int y, struct part *part)
{
    const struct dh_resize_axis *a = &j->across;
    struct dh_rect changed = changed_for(j, y);
    int p = j->rule->patch_size, begin = 0, end = j->out->grid_w;
    if (dh_rect_is_empty(changed))
        return false;
    // A window that ends at or before the first of them sees none.
    while (begin < end && end_of(a, begin * p + p - 1) <= changed.x)
        begin++;
    while (begin < end && a->first[(end - 1) * p] >= changed.x + changed.w)
        end--;
    int left = begin * p & ~(DH_RESIZE_VECTOR - 1);
    *part = (struct part){ .begin = begin,
                           .end = end,
                           .left = left,
                           .right = (end * p + DH_RESIZE_VECTOR - 1) &
                                    ~(DH_RESIZE_VECTOR - 1),
                           .across = *a };
    part->across.n_out = DH_MIN(part->right, a->n_out) - left;
    part->across.first += left;
    part->across.count += left;
    part->across.weights += (size_t)left * (size_t)a->stride;
    return begin < end;
}

static void make_lines(void *arg, size_t begin, size_t end, int worker)
{
    const struct job *j = arg;
    const struct scratch *s = &j->workers[worker];
    struct part part, last = { 0 };
    int p = j->rule->patch_size, have = 0;
    for (int y = (int)begin; y < (int)end; y++) {
        if (!part_find(j, y, &part))
            continue;
        // What the ring has is of other columns.
        if (part.left != last.left || part.right != last.right)
            have = 0;
        last = part;
        for (int i = 0; i < p; i++)
            make_row(j, s, &part, y * p + i, &have,
                     s->line + (size_t)i * j->row_bytes);
        for (int x = part.begin; x < part.end; x++)
            put_patch(j, s->line, y, x);
    }
}

// -------------------------------------------------------------------- set up

static enum dh_status scratch_init(const struct job *j, struct scratch *s)
{
    size_t ring = 0, line = 0;
    bool fits = dh_mul_size((size_t)j->ring_rows, j->row_bytes, &ring) &&
                dh_mul_size((size_t)j->rule->patch_size, j->row_bytes, &line);
    if (fits) {
        s->ring = dh_big_alloc(ring);
        s->line = dh_big_alloc(line);
        s->taps = dh_big_alloc((size_t)j->ring_rows * sizeof(*s->taps));
    }
    if (s->ring && s->line && s->taps)
        return DH_OK;
    dh_error("no memory for resizing %d x %d", j->frame->width,
             j->frame->height);
    return DH_ERR_NOMEM;
}

static void job_finish(struct job *j)
{
    for (int i = 0; i < j->n_workers; i++) {
        dh_big_free(j->workers[i].ring);
        dh_big_free(j->workers[i].line);
        dh_big_free(j->workers[i].taps);
    }
    dh_free(j->workers);
    dh_resize_axis_finish(&j->across);
    dh_resize_axis_finish(&j->down);
}

static enum dh_status job_init(struct job *j, struct dh_size from,
                               struct dh_size to, int n_workers)
{
    enum dh_status st = dh_resize_axis_init(&j->across, from.w, to.w);
    if (!st)
        st = dh_resize_axis_init(&j->down, from.h, to.h);
    if (st)
        return st;
    j->pitch =
        ((size_t)to.w + DH_RESIZE_VECTOR - 1) & ~(size_t)(DH_RESIZE_VECTOR - 1);
    j->row_bytes = CHANNELS * j->pitch;
    // One more than a window, since rows are made in pairs.
    j->ring_rows = j->down.stride + 2;
    for (int c = 0; c < CHANNELS; c++) {
        j->mean[c] = j->rule->mean[c] * 255.0f;
        j->std[c] = j->rule->std[c] * 255.0f;
    }
    dh_array(j->workers, (size_t)n_workers);
    j->n_workers = n_workers;
    for (int i = 0; i < n_workers && !st; i++)
        st = scratch_init(j, &j->workers[i]);
    return st;
}

static enum dh_status out_init(const struct dh_patch_rule *rule, int n_frames,
                               struct dh_size to, struct dh_patches *out)
{
    int p = rule->patch_size, slots = rule->temporal_patch_size;
    *out = (struct dh_patches){
        .grid_t = (n_frames - 1) / slots + 1,
        .grid_h = to.h / p,
        .grid_w = to.w / p,
        .row_len = CHANNELS * slots * p * p,
        .resized = to,
    };
    size_t n = (size_t)out->grid_h * (size_t)out->grid_w;
    if (dh_mul_size(n, (size_t)out->grid_t, &n) &&
        dh_mul_size(n, (size_t)out->row_len, &n) &&
        dh_mul_size(n, sizeof(*out->rows), &n))
        out->rows = dh_big_alloc(n);
    if (out->rows)
        return DH_OK;
    dh_error("no memory for the patches of %d pictures of %d x %d", n_frames,
             to.w, to.h);
    return DH_ERR_NOMEM;
}

// The slots of frame f of n: one, and for the last one all that are left.
static void run_frame(struct job *j, struct dh_pool *pool,
                      struct dh_frame *const *frames, int f, int n)
{
    int slots = j->rule->temporal_patch_size;
    j->frame = frames[f];
    j->group = f / slots;
    j->slot_begin = f % slots;
    j->slot_end = f == n - 1 ? slots : j->slot_begin + 1;
    size_t lines = (size_t)j->out->grid_h;
    // A slice begins with rows that its neighbour makes, too: few slices. What
    // has changed may lie in one place, which more of them share out.
    size_t slices = (size_t)j->n_workers * (j->before ? 4 : 1);
    size_t grain = (lines - 1) / slices + 1;
    dh_pool_run(pool, lines, grain, make_lines, j);
}

enum dh_status dh_patches_of_frames(const struct dh_patch_rule *rule,
                                    struct dh_frame *const *frames, int n,
                                    const struct dh_resize_kernels *kernels,
                                    struct dh_pool *pool,
                                    struct dh_patches *out)
{
    dh_assert(n >= 1);
    struct dh_size from = { frames[0]->width, frames[0]->height }, to;
    for (int i = 1; i < n; i++)
        if (frames[i]->width != from.w || frames[i]->height != from.h) {
            dh_error("frame %d of a video is %d x %d, the first is %d x %d", i,
                     frames[i]->width, frames[i]->height, from.w, from.h);
            return DH_ERR_RANGE;
        }
    enum dh_status st = dh_patches_size(rule, from, &to);
    if (st)
        return st;
    struct dh_patches made;
    st = out_init(rule, n, to, &made);
    if (st)
        return st;
    struct job j = {
        .rule = rule, .kernels = kernels, .frame = frames[0], .out = &made
    };
    st = job_init(&j, from, to, pool ? dh_pool_threads(pool) : 1);
    for (int f = 0; f < n && !st; f++)
        run_frame(&j, pool, frames, f, n);
    job_finish(&j);
    if (st)
        dh_patches_finish(&made);
    else
        *out = made;
    return st;
}

static bool is_same_shape(const struct dh_patches *p, struct dh_size to,
                          int row_len)
{
    return p->rows && p->grid_t == 1 && p->row_len == row_len &&
           p->resized.w == to.w && p->resized.h == to.h;
}

enum dh_status dh_patches_update_with(const struct dh_patch_rule *rule,
                                      const struct dh_frame *before,
                                      const struct dh_frame *now,
                                      const struct dh_resize_kernels *kernels,
                                      struct dh_pool *pool,
                                      struct dh_patches *p)
{
    // Frames are only read.
    struct dh_frame *one = (struct dh_frame *)(uintptr_t)now;
    struct dh_size from = { now->width, now->height }, to;
    int side = rule->patch_size;
    enum dh_status st = dh_patches_size(rule, from, &to);
    if (st)
        return st;
    if (before->width != from.w || before->height != from.h ||
        !is_same_shape(p, to,
                       CHANNELS * rule->temporal_patch_size * side * side)) {
        struct dh_patches made;
        st = dh_patches_of_frames(rule, &one, 1, kernels, pool, &made);
        if (st)
            return st;
        dh_patches_finish(p);
        *p = made;
        return DH_OK;
    }
    struct job j = { .rule = rule,
                     .kernels = kernels,
                     .frame = now,
                     .before = before,
                     .out = p };
    st = job_init(&j, from, to, pool ? dh_pool_threads(pool) : 1);
    if (!st)
        run_frame(&j, pool, &one, 0, 1);
    job_finish(&j);
    return st;
}

enum dh_status dh_patches_update(const struct dh_patch_rule *rule,
                                 const struct dh_frame *before,
                                 const struct dh_frame *now,
                                 struct dh_pool *pool, struct dh_patches *p)
{
    return dh_patches_update_with(rule, before, now, dh_resize_best(), pool, p);
}

enum dh_status dh_patches_of_video(const struct dh_patch_rule *rule,
                                   struct dh_frame *const *frames, int n,
                                   struct dh_pool *pool, struct dh_patches *out)
{
    return dh_patches_of_frames(rule, frames, n, dh_resize_best(), pool, out);
}

enum dh_status dh_patches_of_frame(const struct dh_patch_rule *rule,
                                   const struct dh_frame *frame,
                                   struct dh_pool *pool, struct dh_patches *out)
{
    // Frames are only read.
    struct dh_frame *one = (struct dh_frame *)(uintptr_t)frame;
    return dh_patches_of_video(rule, &one, 1, pool, out);
}
