#include "agent/eval_page.h"

#include <math.h>

#include "agent/page_priv.h"
#include "base/base64.h"
#include "base/file.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "capture/jpeg.h"
#include "capture/picture.h"
#include "vision/shrink.h"
#include "vision/zoom.h"

#define PAGE_MAX_BYTES ((size_t)256 << 20)
#define MARGIN_PX      120
#define WIDEST_PX      900
#define QUALITY        80

static const char head[] =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width\">"
    "<title>evaluation</title><style>"
    "body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;"
    "padding:0 1rem;color:#222;background:#fafafa}"
    "section{background:#fff;border:1px solid #ddd;border-radius:6px;"
    "padding:.6rem 1rem;margin:1rem 0}h2{font-size:1.05rem;margin:.2rem 0}"
    "pre{background:#f0f0f0;padding:.5rem;overflow:auto;white-space:pre-wrap}"
    "pre.table{white-space:pre}svg{max-width:100%;height:auto;display:block;"
    "border:1px solid #ccc}.t{color:#666;font-size:.85rem}.bad{color:#b00}"
    "@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}"
    "section{background:#222;border-color:#444}pre{background:#333}"
    ".t{color:#999}}</style><body><h1>evaluation</h1>";

// What has to be seen of the picture: target and answer, and some more.
static struct dh_rect region_of(const struct dh_eval_result *r)
{
    double b[4] = { 0, 0, r->item.size.w, r->item.size.h };
    bool place = dh_eval_target_box(&r->item.target, b);
    if (place && r->has_point) {
        b[0] = fmin(b[0], r->point[0]);
        b[1] = fmin(b[1], r->point[1]);
        b[2] = fmax(b[2], r->point[0]);
        b[3] = fmax(b[3], r->point[1]);
    }
    int x = DH_MAX(0, (int)b[0] - MARGIN_PX);
    int y = DH_MAX(0, (int)b[1] - MARGIN_PX);
    return (struct dh_rect){ x, y,
                             DH_MIN(r->item.size.w, (int)b[2] + MARGIN_PX) - x,
                             DH_MIN(r->item.size.h, (int)b[3] + MARGIN_PX) -
                                 y };
}

static enum dh_status put_jpeg(struct dh_buf *out, const struct dh_frame *frame,
                               struct dh_rect region)
{
    struct dh_frame *part, *small = NULL;
    struct dh_buf jpeg;
    enum dh_status st = dh_zoom_frame(frame, region, &part);
    if (st)
        return st;
    dh_buf_init(&jpeg, 64 << 20);
    if (part->width > WIDEST_PX) {
        double scale = (double)WIDEST_PX / part->width;
        struct dh_size to = { WIDEST_PX,
                              DH_MAX(1, (int)(part->height * scale)) };
        st = dh_shrink_frame(part, to, &small);
    }
    if (!st)
        st = dh_jpeg_encode(small ? small : part, QUALITY, &jpeg);
    if (!st)
        dh_base64_put(out, jpeg.data, jpeg.len);
    dh_buf_finish(&jpeg);
    dh_frame_unref(small);
    dh_frame_unref(part);
    return st;
}

static void put_marks(struct dh_buf *out, const struct dh_eval_result *r)
{
    const struct dh_eval_target *t = &r->item.target;
    double b[4];
    if (dh_eval_target_box(t, b)) {
        dh_buf_puts(out, "<polygon fill=\"none\" stroke=\"#0a0\" "
                         "stroke-width=\"2\" points=\"");
        if (t->kind == DH_EVAL_BOX)
            dh_buf_printf(out, "%g,%g %g,%g %g,%g %g,%g", b[0], b[1], b[2],
                          b[1], b[2], b[3], b[0], b[3]);
        for (int i = 0; t->kind == DH_EVAL_POLYGON && i + 1 < t->n; i += 2)
            dh_buf_printf(out, "%g,%g ", t->v[i], t->v[i + 1]);
        dh_buf_puts(out, "\"/>");
    }
    if (r->crop.w)
        dh_buf_printf(out,
                      "<rect fill=\"none\" stroke=\"#06c\" x=\"%d\" y=\"%d\" "
                      "width=\"%d\" height=\"%d\"/>",
                      r->crop.x, r->crop.y, r->crop.w, r->crop.h);
    if (r->has_point)
        dh_buf_printf(
            out,
            "<circle fill=\"none\" stroke=\"#e00\" stroke-width=\"3\" "
            "cx=\"%g\" cy=\"%g\" r=\"9\"/>",
            r->point[0], r->point[1]);
}

static void put_picture(struct dh_buf *out, const char *pictures,
                        const struct dh_eval_result *r)
{
    struct dh_frame *frame = NULL;
    struct dh_rect g = region_of(r);
    char *path = dh_path_join(pictures, r->item.image);
    bool there = dh_path_exists(path) && g.w > 0 && g.h > 0 &&
                 dh_picture_read(path, &frame) == DH_OK;
    dh_free(path);
    // The set may have changed since.
    if (there &&
        (frame->width != r->item.size.w || frame->height != r->item.size.h))
        there = false;
    if (!there) {
        dh_buf_puts(out, "<p class=\"bad\">its picture is not there: ");
        dh_page_escape(out, r->item.image);
        dh_buf_puts(out, "</p>");
        dh_frame_unref(frame);
        return;
    }
    dh_buf_printf(out,
                  "<svg viewBox=\"%d %d %d %d\" width=\"%d\"><image x=\"%d\" "
                  "y=\"%d\" width=\"%d\" height=\"%d\" "
                  "preserveAspectRatio=\"none\" "
                  "href=\"data:image/jpeg;base64,",
                  g.x, g.y, g.w, g.h, DH_MIN(WIDEST_PX, 2 * g.w), g.x, g.y, g.w,
                  g.h);
    enum dh_status st = put_jpeg(out, frame, g);
    dh_buf_puts(out, "\"/>");
    put_marks(out, r);
    dh_buf_puts(out, "</svg>");
    if (st)
        dh_buf_puts(out, "<p class=\"bad\">its picture cannot be shown</p>");
    dh_frame_unref(frame);
}

static void put_item(struct dh_buf *out, const char *pictures,
                     const struct dh_eval_result *r)
{
    dh_buf_puts(out, "<section><h2>");
    dh_page_escape(out, r->item.instruction);
    dh_buf_puts(out, "</h2><p class=\"t\">");
    dh_page_escape(out, r->item.id);
    dh_buf_puts(out, ", ");
    dh_page_escape(out, r->method);
    for (int i = 0; i < r->item.tags.n; i++) {
        dh_buf_puts(out, ", ");
        dh_page_escape(out, r->item.tags.tag[i]);
    }
    dh_buf_puts(out, "</p><p class=\"bad\">");
    if (r->error)
        dh_buf_puts(out, dh_eval_error_name(r->error));
    else if (r->item.target.kind == DH_EVAL_NONE)
        dh_buf_puts(out, "there is no such thing");
    else if (r->gap_px >= 0)
        dh_buf_printf(out, "%.1f px beside it", r->gap_px);
    if (r->item.target.text) {
        dh_buf_puts(out, "expected: ");
        dh_page_escape(out, r->item.target.text);
    }
    dh_page_escape(out, r->note);
    dh_buf_puts(out, "</p>");
    if (r->item.image[0])
        put_picture(out, pictures, r);
    dh_buf_puts(out, "<pre>");
    dh_page_escape(out, r->raw ? r->raw : "(no answer)");
    dh_page_escape(out, r->reasoning);
    dh_buf_puts(out, "</pre></section>\n");
}

static void put_head(struct dh_buf *out, const struct dh_eval_table *table,
                     const char *doubts, int n, int shown)
{
    struct dh_buf text;
    dh_buf_init(&text, PAGE_MAX_BYTES);
    dh_eval_table_text(table, &text);
    dh_buf_puts(out, head);
    dh_buf_puts(out, "<pre class=\"table\">");
    dh_page_escape(out, dh_buf_text(&text));
    dh_buf_puts(out, "</pre>");
    dh_buf_finish(&text);
    if (doubts[0]) {
        dh_buf_puts(out, "<pre class=\"bad\">");
        dh_page_escape(out, doubts);
        dh_buf_puts(out, "</pre>");
    }
    dh_buf_printf(out,
                  "<p>%d misses, the worst %d of them here. Green is the "
                  "target, red the answer, blue what a second look saw.</p>\n",
                  n, shown);
}

enum dh_status dh_eval_page_write(const char *dir, const char *pictures,
                                  const struct dh_eval_results *rs,
                                  const struct dh_eval_table *table,
                                  const char *doubts, int most)
{
    struct dh_buf out;
    int *order;
    dh_array(order, (size_t)rs->n);
    int n = dh_eval_worst(rs, order), shown = DH_MIN(n, most);
    dh_buf_init(&out, PAGE_MAX_BYTES);
    put_head(&out, table, doubts, n, shown);
    for (int i = 0; i < shown; i++)
        put_item(&out, pictures, &rs->v[order[i]]);
    dh_buf_puts(&out, "</body></html>\n");
    char *path = dh_path_join(dir, "index.html");
    enum dh_status st =
        out.overflow ? DH_ERR_RANGE : dh_file_write(path, out.data, out.len);
    dh_free(path);
    dh_free(order);
    dh_buf_finish(&out);
    return st;
}
