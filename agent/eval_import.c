#include <math.h>
#include <stdio.h>
#include <string.h>

#include "agent/eval_set_priv.h"
#include "base/buf.h"
#include "base/mem.h"

// ---- members ---------------------------------------------------------------

static bool take_text(const struct dh_json *o, const char *key, char **out,
                      struct dh_diag *diag)
{
    const char *text;
    if (!dh_json_get_text(o, key, &text, diag))
        return false;
    if (!text[0]) {
        dh_diag_set(diag, 0, "%s: is empty", key);
        return false;
    }
    *out = dh_strdup(text);
    return true;
}

// A tag of a member that has to be there.
static bool take_tag(const struct dh_json *o, const char *key, const char *tag,
                     struct dh_eval_item *it, struct dh_diag *diag)
{
    const char *text;
    if (!dh_json_get_text(o, key, &text, diag))
        return false;
    dh_eval_tags_add(&it->tags, tag, text);
    return true;
}

// And of one that may be.
static void take_some(const struct dh_json *o, const char *key, const char *tag,
                      struct dh_eval_item *it)
{
    const struct dh_json *v = dh_json_find(o, key);
    if (v)
        dh_eval_tags_add(&it->tags, tag, dh_json_text(v));
}

// Between lo and hi numbers; -1 with diag set else.
static int take_list(const struct dh_json *o, const char *key, double *v,
                     int lo, int hi, struct dh_diag *diag)
{
    int n = 0;
    const struct dh_json *list = dh_json_find(o, key);
    bool ok = list && dh_json_kind(list) == DH_JSON_ARRAY;
    for (const struct dh_json *x = ok ? dh_json_first(list) : NULL; x && ok;
         x = dh_json_next(x)) {
        ok = n < hi && dh_json_kind(x) == DH_JSON_NUMBER &&
             fabs(dh_json_number(x)) < 1e6;
        if (ok)
            v[n++] = dh_json_number(x);
    }
    if (ok && n >= lo)
        return n;
    dh_diag_set(diag, 0, "%s: a list of %d numbers expected", key, lo);
    return -1;
}

static bool take_box(const struct dh_json *o, const char *key,
                     enum dh_eval_corners corners, struct dh_eval_item *it,
                     struct dh_diag *diag)
{
    double v[4];
    if (take_list(o, key, v, 4, 4, diag) < 0)
        return false;
    if (corners == DH_EVAL_XYWH) {
        v[2] += v[0];
        v[3] += v[1];
    }
    dh_eval_target_set(&it->target, DH_EVAL_BOX, v, 4);
    return true;
}

static bool take_size(const struct dh_json *o, const char *key,
                      struct dh_eval_item *it, struct dh_diag *diag)
{
    double v[2];
    if (take_list(o, key, v, 2, 2, diag) < 0)
        return false;
    it->size = (struct dh_size){ (int)v[0], (int)v[1] };
    if (v[0] >= 1 && v[0] <= 32768 && v[1] >= 1 && v[1] <= 32768)
        return true;
    dh_diag_set(diag, 0, "%s: [%g,%g] is no size of a picture", key, v[0],
                v[1]);
    return false;
}

// "text" and "icon" are all that these sets know.
static void check_type(const struct dh_eval_import *im,
                       const struct dh_eval_item *it)
{
    const char *type = dh_eval_tags_find(&it->tags, "type");
    if (strcmp(type, "text") != 0 && strcmp(type, "icon") != 0)
        dh_eval_set_fault(im->set, DH_EVAL_FAULT_TYPE,
                          "%.60s, item %d: type \"%.40s\" is neither text nor "
                          "icon",
                          im->file, im->index, type);
}

// ---- the sets --------------------------------------------------------------

static bool read_screenspot(const struct dh_eval_import *im,
                            const struct dh_json *o, struct dh_eval_item *it,
                            struct dh_diag *diag)
{
    static const char *const platforms[] = { "mobile", "desktop", "web" };
    if (!take_text(o, "img_filename", &it->image, diag) ||
        !take_text(o, "instruction", &it->instruction, diag) ||
        !take_box(o, "bbox", DH_EVAL_XYWH, it, diag) ||
        !take_tag(o, "data_type", "type", it, diag) ||
        !take_tag(o, "data_source", "source", it, diag))
        return false;
    for (size_t i = 0; i < DH_COUNTOF(platforms); i++)
        if (strstr(im->file, platforms[i]))
            dh_eval_tags_add(&it->tags, "platform", platforms[i]);
    check_type(im, it);
    return true;
}

static bool read_pro_in(const struct dh_eval_import *im,
                        const struct dh_json *o, const char *instruction,
                        struct dh_eval_item *it, struct dh_diag *diag)
{
    if (!take_text(o, "id", &it->id, diag) ||
        !take_text(o, "img_filename", &it->image, diag) ||
        !take_box(o, "bbox", DH_EVAL_XYXY, it, diag) ||
        !take_size(o, "img_size", it, diag) ||
        !take_text(o, instruction, &it->instruction, diag) ||
        !take_tag(o, "ui_type", "type", it, diag) ||
        !take_tag(o, "group", "group", it, diag) ||
        !take_tag(o, "platform", "platform", it, diag) ||
        !take_tag(o, "application", "app", it, diag))
        return false;
    check_type(im, it);
    return true;
}

static bool read_pro(const struct dh_eval_import *im, const struct dh_json *o,
                     struct dh_eval_item *it, struct dh_diag *diag)
{
    return read_pro_in(im, o, "instruction", it, diag);
}

static bool read_pro_cn(const struct dh_eval_import *im,
                        const struct dh_json *o, struct dh_eval_item *it,
                        struct dh_diag *diag)
{
    return read_pro_in(im, o, "instruction_cn", it, diag);
}

static bool take_osworld_target(const struct dh_json *o,
                                struct dh_eval_item *it, struct dh_diag *diag)
{
    double v[DH_EVAL_MAX_NUMBERS];
    const char *type;
    if (!dh_json_get_text(o, "box_type", &type, diag))
        return false;
    if (strcmp(type, "bbox") == 0)
        return take_box(o, "box_coordinates", DH_EVAL_XYWH, it, diag);
    if (strcmp(type, "refusal") == 0) {
        it->target.kind = DH_EVAL_NONE;
        return true;
    }
    if (strcmp(type, "polygon") != 0) {
        dh_diag_set(diag, 0, "box_type: \"%.40s\" is not known", type);
        return false;
    }
    int n = take_list(o, "box_coordinates", v, 6, DH_EVAL_MAX_NUMBERS, diag);
    if (n > 0 && n % 2) {
        dh_diag_set(diag, 0, "box_coordinates: pairs of numbers expected");
        return false;
    }
    if (n > 0)
        dh_eval_target_set(&it->target, DH_EVAL_POLYGON, v, n);
    return n > 0;
}

// Lists of ids by class; some versions have them one level deeper.
static void add_classes(const struct dh_json *classes, const char *id,
                        int depth, struct dh_eval_item *it)
{
    for (const struct dh_json *c = dh_json_first(classes); c;
         c = dh_json_next(c)) {
        if (dh_json_kind(c) == DH_JSON_OBJECT && depth < 2)
            add_classes(c, id, depth + 1, it);
        if (dh_json_kind(c) != DH_JSON_ARRAY)
            continue;
        const struct dh_json *x = dh_json_first(c);
        while (x && strcmp(dh_json_text(x), id) != 0)
            x = dh_json_next(x);
        if (x)
            dh_eval_tags_add(&it->tags, "class", dh_json_key(c));
    }
}

static bool read_osworld(const struct dh_eval_import *im,
                         const struct dh_json *o, struct dh_eval_item *it,
                         struct dh_diag *diag)
{
    if (!take_text(o, "id", &it->id, diag) ||
        !take_text(o, "image_path", &it->image, diag) ||
        !take_size(o, "image_size", it, diag) ||
        !take_text(o, "instruction", &it->instruction, diag) ||
        !take_osworld_target(o, it, diag) ||
        !take_tag(o, "box_type", "target", it, diag))
        return false;
    const struct dh_json *types = dh_json_find(o, "GUI_types");
    for (const struct dh_json *t = dh_json_first(types); t; t = dh_json_next(t))
        dh_eval_tags_add(&it->tags, "gui", dh_json_text(t));
    add_classes(im->extra, it->id, 0, it);
    return true;
}

static bool read_vision(const struct dh_eval_import *im,
                        const struct dh_json *o, struct dh_eval_item *it,
                        struct dh_diag *diag)
{
    static const char *const splits[] = { "basic", "functional", "spatial" };
    if (!take_text(o, "image_path", &it->image, diag) ||
        !take_size(o, "image_size", it, diag) ||
        !take_box(o, "bbox", DH_EVAL_XYXY, it, diag) ||
        !take_text(o, "prompt_to_evaluate", &it->instruction, diag) ||
        !take_tag(o, "element_type", "type", it, diag) ||
        !take_tag(o, "platform", "platform", it, diag))
        return false;
    double *v = it->target.v;
    const double sorted[] = { fmin(v[0], v[2]), fmin(v[1], v[3]),
                              fmax(v[0], v[2]), fmax(v[1], v[3]) };
    memcpy(v, sorted, sizeof sorted);
    take_some(o, "category", "category", it);
    for (size_t i = 0; i < DH_COUNTOF(splits); i++)
        if (strstr(im->file, splits[i]))
            dh_eval_tags_add(&it->tags, "split", splits[i]);
    return true;
}

static bool read_mmbench(const struct dh_eval_import *im,
                         const struct dh_json *o, struct dh_eval_item *it,
                         struct dh_diag *diag)
{
    if (!take_text(o, "image_path", &it->image, diag) ||
        !take_text(o, "instruction", &it->instruction, diag) ||
        !take_box(o, "bbox", DH_EVAL_XYXY, it, diag) ||
        !take_tag(o, "data_type", "type", it, diag) ||
        !take_tag(o, "grounding_type", "grounding", it, diag) ||
        !take_tag(o, "platform", "platform", it, diag) ||
        !take_tag(o, "app_name", "app", it, diag))
        return false;
    for (int i = 0; i < 4; i++)
        if (it->target.v[i] == -1)
            it->target.v[i] = 0;
    check_type(im, it);
    return true;
}

// Our own: as ScreenSpot, and with questions whose answer is a text.
static bool read_ours(const struct dh_eval_import *im, const struct dh_json *o,
                      struct dh_eval_item *it, struct dh_diag *diag)
{
    (void)im;
    if (!take_text(o, "img_filename", &it->image, diag) ||
        !take_text(o, "instruction", &it->instruction, diag))
        return false;
    if (dh_json_find(o, "answer")) {
        if (!take_text(o, "answer", &it->target.text, diag))
            return false;
        it->target.kind = DH_EVAL_TEXT;
    } else if (!take_box(o, "bbox", DH_EVAL_XYWH, it, diag)) {
        return false;
    }
    dh_eval_tags_add(&it->tags, "asked",
                     it->target.kind == DH_EVAL_TEXT ? "read" : "located");
    take_some(o, "data_type", "type", it);
    take_some(o, "data_source", "source", it);
    take_some(o, "kind", "kind", it);
    take_some(o, "application", "app", it);
    return true;
}

static const struct dh_eval_format formats[] = {
    { .name = "deskhand",
      .files = { "*" },
      .folder = "",
      .images = { "" },
      .read = read_ours },
    { .name = "screenspot",
      .published = 1272,
      .files = { "screenspot_mobile.json", "screenspot_desktop.json",
                 "screenspot_web.json" },
      .folder = "",
      .images = { "screenspot_imgs", "images", "" },
      .read = read_screenspot },
    { .name = "screenspot-v2",
      .published = 1272,
      .files = { "screenspot_mobile_v2.json", "screenspot_desktop_v2.json",
                 "screenspot_web_v2.json" },
      .folder = "",
      .images = { "screenspotv2_image", "images", "" },
      .read = read_screenspot },
    { .name = "screenspot-pro",
      .published = 1581,
      .files = { "*" },
      .folder = "annotations",
      .images = { "images", "" },
      .read = read_pro },
    { .name = "screenspot-pro-cn",
      .published = 1581,
      .files = { "*" },
      .folder = "annotations",
      .images = { "images", "" },
      .read = read_pro_cn },
    { .name = "osworld-g",
      .published = 564,
      .files = { "OSWorld-G.json" },
      .folder = "",
      .images = { "images", "" },
      .read = read_osworld },
    { .name = "osworld-g-refined",
      .published = 564,
      .files = { "OSWorld-G_refined.json" },
      .folder = "",
      .images = { "images", "" },
      .read = read_osworld },
    { .name = "ui-vision",
      .files = { "element_grounding_basic.json",
                 "element_grounding_functional.json",
                 "element_grounding_spatial.json" },
      .folder = "",
      .images = { "images", "" },
      .read = read_vision },
    { .name = "mmbench-gui",
      .published = 3574,
      .files = { "L2_annotations.json" },
      .folder = "",
      .images = { "offline_images", "" },
      .read = read_mmbench,
      .fractions = true },
    { .name = "agentnetbench",
      .files = { "*" },
      .folder = "",
      .images = { "images", "" },
      .episodes = true },
    { .name = "session", .folder = "", .images = { "frames" } },
};

const struct dh_eval_format *dh_eval_format_find(const char *name)
{
    for (size_t i = 0; i < DH_COUNTOF(formats); i++)
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    return NULL;
}

const char *const *dh_eval_formats(void)
{
    static const char *const names[] = {
        "deskhand",          "screenspot",        "screenspot-v2",
        "screenspot-pro",    "screenspot-pro-cn", "osworld-g",
        "osworld-g-refined", "ui-vision",         "mmbench-gui",
        "agentnetbench",     "session",           NULL,
    };
    _Static_assert(DH_COUNTOF(names) == DH_COUNTOF(formats) + 1, "the same");
    return names;
}

// ---- a file ----------------------------------------------------------------

static void name_item(const struct dh_eval_import *im, struct dh_eval_item *it)
{
    struct dh_buf id;
    if (it->id)
        return;
    dh_buf_init(&id, 4096);
    dh_buf_printf(&id, "%.200s/%d", im->file, im->index);
    it->id = dh_buf_take(&id);
}

enum dh_status dh_eval_import_text(struct dh_eval_import *im, const char *text,
                                   size_t len, struct dh_diag *diag)
{
    struct dh_json *list = dh_json_parse(text, len, diag);
    if (list && im->format->episodes) {
        dh_eval_import_episodes(im, list);
        dh_json_free(list);
        return DH_OK;
    }
    if (list && dh_json_kind(list) != DH_JSON_ARRAY) {
        dh_diag_set(diag, 0, "a list is expected");
        dh_json_free(list);
        return DH_ERR_FORMAT;
    }
    if (!list)
        return DH_ERR_FORMAT;
    im->index = 0;
    for (const struct dh_json *o = dh_json_first(list); o;
         o = dh_json_next(o), im->index++) {
        struct dh_eval_item it = { 0 };
        struct dh_diag why = { 0 };
        if (im->format->read(im, o, &it, &why)) {
            name_item(im, &it);
            dh_eval_set_add(im->set, &it);
        } else {
            dh_eval_set_fault(im->set, DH_EVAL_FAULT_FIELD,
                              "%.60s, item %d: %s", im->file, im->index,
                              why.text);
            dh_eval_item_finish(&it);
        }
    }
    dh_json_free(list);
    return DH_OK;
}
