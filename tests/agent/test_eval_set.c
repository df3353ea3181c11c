// Small sets in every form, with pictures made here: each reader to the last
// field, and what is wrong with an item counted, named and contained.
#include "agent/eval_set.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "capture/jpeg.h"
#include "capture/png.h"
#include "tests/dh_test.h"

// Made with its folders.
static void put_file(const char *name, const void *bytes, size_t len)
{
    char *path = dh_test_path(name), *dir = dh_path_dir(path);
    CHECK_INT(dh_path_mkdirs(dir), DH_OK);
    CHECK_INT(dh_file_write(path, bytes, len), DH_OK);
    dh_free(dir);
    dh_free(path);
}

static void put_text(const char *name, const char *text)
{
    put_file(name, text, strlen(text));
}

static void put_picture(const char *name, int w, int h)
{
    struct dh_frame *f;
    struct dh_buf out;
    dh_buf_init(&out, 1 << 20);
    CHECK_INT(dh_frame_create(&f, NULL, w, h), DH_OK);
    memset(f->pixels, 0x80, f->stride * (size_t)h);
    dh_frame_publish(f);
    if (strstr(name, ".jpg"))
        CHECK_INT(dh_jpeg_encode(f, 90, &out), DH_OK);
    else
        CHECK_INT(dh_png_encode(f, &out), DH_OK);
    put_file(name, out.data, out.len);
    dh_frame_unref(f);
    dh_buf_finish(&out);
}

static struct dh_eval_set *open_set(const char *format, const char *name)
{
    struct dh_eval_set *s = NULL;
    struct dh_diag diag = { 0 };
    char *path = dh_test_path(name);
    if (dh_eval_set_open(&s, format, path, &diag) != DH_OK)
        CHECK_STR(diag.text, "a set");
    dh_free(path);
    return s;
}

static void check_item(const struct dh_eval_set *s, int i, const char *want)
{
    struct dh_buf out;
    struct dh_json_writer w;
    CHECK(i < s->n);
    dh_buf_init(&out, 1 << 20);
    dh_jw_init(&w, &out);
    dh_jw_object(&w, NULL);
    dh_eval_item_json(&s->item[i], &w);
    dh_jw_end_object(&w);
    CHECK_STR(dh_buf_text(&out), want);
    dh_buf_finish(&out);
}

static void check_faults(const struct dh_eval_set *s, enum dh_eval_fault f,
                         int n, const char *note)
{
    int others = 0;
    CHECK_INT(s->fault[f], n);
    for (int i = 0; i < DH_EVAL_FAULT_COUNT; i++)
        others += i == (int)f ? 0 : s->fault[i];
    CHECK_INT(others, 0);
    if (n && !strstr(s->note[0], note))
        CHECK_STR(s->note[0], note);
}

static void check_clean(const struct dh_eval_set *s)
{
    check_faults(s, DH_EVAL_FAULT_FIELD, 0, "");
}

// ---- each form -------------------------------------------------------------

static void check_screenspot(const char *format, const char *suffix,
                             const char *folder)
{
    static const char *const platform[] = { "mobile", "desktop", "web" };
    char name[80], text[400], want[400];
    snprintf(name, sizeof name, "%s/a.png", folder);
    put_picture(name, 100, 50);
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "screenspot_%s%s.json", platform[i],
                 suffix);
        snprintf(text, sizeof text,
                 "[{\"img_filename\":\"a.png\",\"bbox\":[10,20,30.5,4],"
                 "\"instruction\":\"open %d\",\"data_type\":\"icon\","
                 "\"data_source\":\"gitlab\"}]",
                 i);
        put_text(name, text);
    }
    struct dh_eval_set *s = open_set(format, "");
    CHECK_INT(s->n, 3);
    CHECK_INT(s->published, 1272);
    CHECK_INT(s->n_files, 3);
    check_clean(s);
    for (int i = 0; i < 3; i++) {
        snprintf(want, sizeof want,
                 "{\"id\":\"screenspot_%s%s/0\",\"tags\":[\"type=icon\","
                 "\"source=gitlab\",\"platform=%s\"],\"image\":\"%s/a.png\","
                 "\"size\":[100,50],\"instruction\":\"open %d\","
                 "\"target\":{\"kind\":\"box\",\"v\":[10,20,40.5,24]}}",
                 platform[i], suffix, platform[i], folder, i);
        check_item(s, i, want);
    }
    dh_eval_set_close(s);
}

static void test_screenspot(void)
{
    check_screenspot("screenspot", "", "screenspot_imgs");
}

static void test_screenspot_v2(void)
{
    check_screenspot("screenspot-v2", "_v2", "screenspotv2_image");
}

static void test_screenspot_pro(void)
{
    put_picture("images/android_studio/x.jpg", 100, 50);
    put_text("annotations/android_studio.json",
             "[{\"id\":\"as_1\",\"img_filename\":\"android_studio/x.jpg\","
             "\"bbox\":[10,20,30,40],\"img_size\":[100,50],"
             "\"instruction\":\"run it\",\"instruction_cn\":\"\\u8fd0\","
             "\"platform\":\"macos\",\"application\":\"android_studio\","
             "\"group\":\"Dev\",\"ui_type\":\"text\"}]");
    struct dh_eval_set *s = open_set("screenspot-pro", "");
    CHECK_INT(s->n, 1);
    check_clean(s);
    check_item(s, 0,
               "{\"id\":\"as_1\",\"tags\":[\"type=text\",\"group=Dev\","
               "\"platform=macos\",\"app=android_studio\"],"
               "\"image\":\"images/android_studio/x.jpg\",\"size\":[100,50],"
               "\"instruction\":\"run it\","
               "\"target\":{\"kind\":\"box\",\"v\":[10,20,30,40]}}");
    dh_eval_set_close(s);
    s = open_set("screenspot-pro-cn", "annotations/android_studio.json");
    CHECK_INT(s->n, 1);
    CHECK_STR(s->item[0].instruction, "\xe8\xbf\x90");
    dh_eval_set_close(s);
}

static void test_osworld_g(void)
{
    put_picture("images/a.png", 100, 50);
    put_text("OSWorld-G.json",
             "[{\"id\":\"b1\",\"image_path\":\"a.png\",\"image_size\":[100,50],"
             "\"instruction\":\"box\",\"box_type\":\"bbox\","
             "\"box_coordinates\":[1.5,2,10,20],\"GUI_types\":[\"Icon\","
             "\"Label\"]},"
             "{\"id\":\"p1\",\"image_path\":\"a.png\",\"image_size\":[100,50],"
             "\"instruction\":\"polygon\",\"box_type\":\"polygon\","
             "\"box_coordinates\":[0,0,10,0,10,10],\"GUI_types\":[]},"
             "{\"id\":\"r1\",\"image_path\":\"a.png\",\"image_size\":[100,50],"
             "\"instruction\":\"none\",\"box_type\":\"refusal\","
             "\"box_coordinates\":[-1,-1,-1,-1],\"GUI_types\":[]}]");
    put_text("OSWorld-G_refined.json",
             "[{\"id\":\"b1\",\"image_path\":\"a.png\",\"image_size\":[100,50],"
             "\"instruction\":\"refined\",\"box_type\":\"bbox\","
             "\"box_coordinates\":[1.5,2,10,20]}]");
    put_text("classification_result.json",
             "{\"classified\":{\"text_matching\":[\"b1\",\"x\"],"
             "\"element_recognition\":[\"b1\"],\"refusal\":[\"r1\"]}}");
    struct dh_eval_set *s = open_set("osworld-g", "");
    CHECK_INT(s->n, 3);
    check_clean(s);
    check_item(s, 0,
               "{\"id\":\"b1\",\"tags\":[\"target=bbox\",\"gui=Icon\","
               "\"gui=Label\",\"class=text_matching\","
               "\"class=element_recognition\"],\"image\":\"images/a.png\","
               "\"size\":[100,50],\"instruction\":\"box\","
               "\"target\":{\"kind\":\"box\",\"v\":[1.5,2,11.5,22]}}");
    check_item(s, 1,
               "{\"id\":\"p1\",\"tags\":[\"target=polygon\"],"
               "\"image\":\"images/a.png\",\"size\":[100,50],"
               "\"instruction\":\"polygon\",\"target\":{\"kind\":\"polygon\","
               "\"v\":[0,0,10,0,10,10]}}");
    check_item(s, 2,
               "{\"id\":\"r1\",\"tags\":[\"target=refusal\",\"class=refusal\"],"
               "\"image\":\"images/a.png\",\"size\":[100,50],"
               "\"instruction\":\"none\",\"target\":{\"kind\":\"none\"}}");
    dh_eval_set_close(s);
    s = open_set("osworld-g-refined", "");
    CHECK_INT(s->n, 1);
    CHECK_STR(s->item[0].instruction, "refined");
    dh_eval_set_close(s);
}

static void test_ui_vision(void)
{
    static const char *const split[] = { "basic", "functional", "spatial" };
    char name[60];
    put_picture("images/a.png", 100, 50);
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "element_grounding_%s.json", split[i]);
        put_text(name, "[{\"image_path\":\"a.png\",\"image_size\":[100,50],"
                       "\"bbox\":[30,40,10,20],\"prompt_to_evaluate\":\"it\","
                       "\"element_type\":\"Button\",\"platform\":\"gimp\","
                       "\"category\":\"Creativity\"}]");
    }
    struct dh_eval_set *s = open_set("ui-vision", "");
    CHECK_INT(s->n, 3);
    check_clean(s);
    check_item(s, 2,
               "{\"id\":\"element_grounding_spatial/0\",\"tags\":"
               "[\"type=Button\",\"platform=gimp\",\"category=Creativity\","
               "\"split=spatial\"],\"image\":\"images/a.png\","
               "\"size\":[100,50],\"instruction\":\"it\","
               "\"target\":{\"kind\":\"box\",\"v\":[10,20,30,40]}}");
    dh_eval_set_close(s);
}

static void test_mmbench_gui(void)
{
    put_picture("offline_images/os_windows/a.png", 100, 50);
    put_picture("offline_images/os_mac/b.png", 200, 100);
    put_text("L2_annotations.json",
             "[{\"image_path\":\"a.png\",\"instruction\":\"f\","
             "\"bbox\":[0.1,-1,0.5,0.5],\"data_type\":\"text\","
             "\"grounding_type\":\"basic\",\"platform\":\"Windows\","
             "\"app_name\":\"word\"},"
             "{\"image_path\":\"os_mac/b.png\",\"instruction\":\"p\","
             "\"bbox\":[0,1,150,90],\"data_type\":\"icon\","
             "\"grounding_type\":\"advanced\",\"platform\":\"mac\","
             "\"app_name\":\"mail\"}]");
    struct dh_eval_set *s = open_set("mmbench-gui", "");
    CHECK_INT(s->n, 2);
    check_clean(s);
    check_item(s, 0,
               "{\"id\":\"L2_annotations/0\",\"tags\":[\"type=text\","
               "\"grounding=basic\",\"platform=Windows\",\"app=word\"],"
               "\"image\":\"offline_images/os_windows/a.png\","
               "\"size\":[100,50],\"instruction\":\"f\","
               "\"target\":{\"kind\":\"box\",\"v\":[10,0,50,25]}}");
    check_item(s, 1,
               "{\"id\":\"L2_annotations/1\",\"tags\":[\"type=icon\","
               "\"grounding=advanced\",\"platform=mac\",\"app=mail\"],"
               "\"image\":\"offline_images/os_mac/b.png\","
               "\"size\":[200,100],\"instruction\":\"p\","
               "\"target\":{\"kind\":\"box\",\"v\":[0,1,150,90]}}");
    dh_eval_set_close(s);
}

static void test_deskhand(void)
{
    put_picture("a.png", 100, 50);
    put_text("set.json",
             "[{\"img_filename\":\"a.png\",\"bbox\":[1,2,3,4],"
             "\"instruction\":\"Save\",\"data_type\":\"check\","
             "\"data_source\":\"gtk3\",\"application\":\"gimp\","
             "\"kind\":\"menu\",\"label\":\"more\"},"
             "{\"img_filename\":\"a.png\",\"instruction\":\"What?\","
             "\"answer\":\"Ada\"}]");
    struct dh_eval_set *s = open_set("deskhand", "set.json");
    CHECK_INT(s->n, 2);
    check_clean(s);
    check_item(s, 0,
               "{\"id\":\"set/0\",\"tags\":[\"asked=located\",\"type=check\","
               "\"source=gtk3\",\"kind=menu\",\"app=gimp\"],"
               "\"image\":\"a.png\",\"size\":[100,50],\"instruction\":\"Save\","
               "\"target\":{\"kind\":\"box\",\"v\":[1,2,4,6]}}");
    check_item(
        s, 1,
        "{\"id\":\"set/1\",\"tags\":[\"asked=read\"],\"image\":\"a.png\","
        "\"size\":[100,50],\"instruction\":\"What?\","
        "\"target\":{\"kind\":\"text\",\"text\":\"Ada\"}}");
    dh_eval_set_close(s);
}

static void test_session(void)
{
    put_picture("frames/000001.png", 64, 48);
    put_text("session.json",
             "{\"format\":\"deskhand-session\",\"version\":1,"
             "\"kind\":\"human\",\"screen\":{\"width\":64,\"height\":48}}");
    put_text("events.jsonl",
             "{\"n\":1,\"t\":10,\"k\":\"frame\",\"f\":1,\"why\":\"start\"}\n"
             "{\"n\":2,\"t\":30,\"k\":\"act\",\"op\":\"left_click\","
             "\"p\":[[5,7]],\"before\":1,\"target\":{\"rect\":{\"x\":1,\"y\":2,"
             "\"w\":30,\"h\":20},\"window\":{\"class\":\"Gimp\"},"
             "\"node\":{\"role\":\"push button\",\"name\":\"OK\"}}}\n"
             "{\"n\":3,\"t\":40,\"k\":\"act\",\"op\":\"type\",\"text\":\"x\"}\n"
             "{\"n\":4,\"t\":50,\"k\":\"act\",\"op\":\"double_click\","
             "\"p\":[[5,7]],\"before\":1,\"target\":{\"missing\":\"rect\"}}\n");
    struct dh_eval_set *s = open_set("session", "");
    CHECK_INT(s->n, 1);
    check_item(s, 0,
               "{\"id\":\"step-1\",\"tags\":[\"op=left_click\","
               "\"role=push button\",\"app=Gimp\"],"
               "\"image\":\"frames/000001.png\",\"size\":[64,48],"
               "\"instruction\":\"OK\","
               "\"target\":{\"kind\":\"box\",\"v\":[1,2,31,22]}}");
    check_faults(s, DH_EVAL_FAULT_FIELD, 1, "step 3: nothing says");
    dh_eval_set_close(s);
}

// ---- what is wrong ---------------------------------------------------------

#define ITEM(members)                                                \
    "{\"instruction\":\"x\",\"data_type\":\"text\",\"data_source\":" \
    "\"s\"," members "}"
#define GOOD ITEM("\"img_filename\":\"a.png\",\"bbox\":[1,1,2,2]")

static void check_wrong(const char *item, enum dh_eval_fault f, int left,
                        const char *note)
{
    struct dh_buf text;
    dh_buf_init(&text, 1 << 16);
    dh_buf_printf(&text, "[" GOOD ",%s]", item);
    put_text("screenspot_web.json", dh_buf_text(&text));
    struct dh_eval_set *s = open_set("screenspot", "screenspot_web.json");
    CHECK_INT(s->n, left);
    check_faults(s, f, 1, note);
    dh_eval_set_close(s);
    dh_buf_finish(&text);
}

static void test_faults_are_counted_and_the_rest_goes_on(void)
{
    put_picture("a.png", 100, 50);
    put_text("b.png", "no picture");
    check_wrong(ITEM("\"bbox\":[1,1,2,2]"), DH_EVAL_FAULT_FIELD, 1,
                "screenspot_web, item 1: img_filename");
    check_wrong("17", DH_EVAL_FAULT_FIELD, 1, "item 1: img_filename");
    check_wrong(ITEM("\"img_filename\":\"a.png\",\"bbox\":[1,1,2]"),
                DH_EVAL_FAULT_FIELD, 1, "bbox: a list of 4 numbers");
    check_wrong(ITEM("\"img_filename\":\"a.png\",\"bbox\":[1,1,2,1e9]"),
                DH_EVAL_FAULT_FIELD, 1, "bbox");
    check_wrong(ITEM("\"img_filename\":\"a.png\",\"bbox\":[1,1,0,2]"),
                DH_EVAL_FAULT_EMPTY, 1, "nothing of [1,1,1,3]");
    check_wrong(ITEM("\"img_filename\":\"a.png\",\"bbox\":[200,1,5,5]"),
                DH_EVAL_FAULT_EMPTY, 1, "of 100 x 50");
    check_wrong(ITEM("\"img_filename\":\"a.png\",\"bbox\":[90,-5,20,20]"),
                DH_EVAL_FAULT_CLIPPED, 2, "sticks out");
    check_wrong(ITEM("\"img_filename\":\"c.png\",\"bbox\":[1,1,2,2]"),
                DH_EVAL_FAULT_PICTURE, 1, "no picture c.png");
    check_wrong(ITEM("\"img_filename\":\"b.png\",\"bbox\":[1,1,2,2]"),
                DH_EVAL_FAULT_PICTURE, 1, "no picture b.png");
    check_wrong(ITEM("\"img_filename\":\"../a.png\",\"bbox\":[1,1,2,2]"),
                DH_EVAL_FAULT_PICTURE, 1, "no picture ../a.png");
    check_wrong("{\"instruction\":\"x\",\"data_type\":\"blob\","
                "\"data_source\":\"s\",\"img_filename\":\"a.png\","
                "\"bbox\":[1,1,2,2]}",
                DH_EVAL_FAULT_TYPE, 2, "type \"blob\"");
}

static void test_a_clipped_box_is_inside(void)
{
    put_picture("a.png", 100, 50);
    put_text("set.json", "[{\"img_filename\":\"a.png\",\"instruction\":\"x\","
                         "\"bbox\":[90,-5,20,20]}]");
    struct dh_eval_set *s = open_set("deskhand", "");
    CHECK_NEAR(s->item[0].target.v[1], 0, 0);
    CHECK_NEAR(s->item[0].target.v[2], 100, 0);
    CHECK_NEAR(s->item[0].target.v[3], 15, 0);
    dh_eval_set_close(s);
}

static void test_sizes_that_disagree_and_ids_twice(void)
{
    put_picture("images/a.png", 100, 50);
#define PRO(id, size)                                                       \
    "{\"id\":\"" id "\",\"img_filename\":\"a.png\",\"bbox\":[1,2,3,4],"     \
    "\"img_size\":" size ",\"instruction\":\"x\",\"instruction_cn\":\"x\"," \
    "\"platform\":\"p\",\"application\":\"a\",\"group\":\"g\",\"ui_type\":" \
    "\"icon\"}"
    put_text("annotations/a.json",
             "[" PRO("1", "[100,50]") "," PRO("1", "[100,50]") "," PRO(
                 "1", "[100,50]") "," PRO("2", "[50,100]") "]");
    struct dh_eval_set *s = open_set("screenspot-pro", "");
    CHECK_INT(s->n, 3);
    CHECK_INT(s->fault[DH_EVAL_FAULT_SIZE], 1);
    CHECK_INT(s->fault[DH_EVAL_FAULT_DUPLICATE], 2);
    CHECK_STR(s->item[0].id, "1");
    CHECK_STR(s->item[1].id, "1#2");
    CHECK_STR(s->item[2].id, "1#3");
    dh_eval_set_close(s);
}

static void check_no_set(const char *format, const char *name,
                         enum dh_status want, const char *why)
{
    struct dh_eval_set *s;
    struct dh_diag diag = { 0 };
    char *path = dh_test_path(name);
    CHECK_INT(dh_eval_set_open(&s, format, path, &diag), want);
    if (!strstr(diag.text, why))
        CHECK_STR(diag.text, why);
    dh_free(path);
}

static void test_what_is_no_set(void)
{
    put_text("empty.json", "[]");
    put_text("object.json", "{}");
    put_text("bad.json", "[1,");
    put_text("none.json", "[1]");
    put_text("sub/x", "");
    check_no_set("windows", "", DH_ERR_USAGE, "no format windows");
    check_no_set("deskhand", "nothing", DH_ERR_NOTFOUND, "is not there");
    check_no_set("deskhand", "sub", DH_ERR_NOTFOUND, "has no *.json");
    check_no_set("screenspot", "sub", DH_ERR_NOTFOUND, "screenspot_mobile");
    check_no_set("deskhand", "empty.json", DH_ERR_FORMAT, "lists are empty");
    check_no_set("deskhand", "object.json", DH_ERR_FORMAT, "a list");
    check_no_set("deskhand", "bad.json", DH_ERR_FORMAT, "bad.json");
    check_no_set("deskhand", "none.json", DH_ERR_FORMAT, "img_filename");
    check_no_set("session", "sub", DH_ERR_FORMAT, "session");
}

static void test_choices(void)
{
    struct dh_buf text;
    put_picture("b.png", 100, 50);
    put_picture("a.png", 100, 50);
    dh_buf_init(&text, 1 << 16);
    for (int i = 0; i < 40; i++)
        dh_buf_printf(&text,
                      "%c{\"img_filename\":\"%c.png\",\"instruction\":\"%d\","
                      "\"bbox\":[1,1,2,2]}",
                      i ? ',' : '[', i % 2 ? 'a' : 'b', i);
    dh_buf_puts(&text, "]");
    put_text("set.json", dh_buf_text(&text));
    struct dh_eval_set *s = open_set("deskhand", "");
    struct dh_eval_set *again = open_set("deskhand", "");
    dh_eval_set_sample(s, 10, 3);
    dh_eval_set_sample(again, 10, 3);
    dh_eval_set_by_picture(s);
    dh_eval_set_by_picture(again);
    CHECK_INT(s->n, 10);
    int changes = 0;
    for (int i = 0; i < s->n; i++) {
        CHECK_STR(s->item[i].id, again->item[i].id);
        changes += i && strcmp(s->item[i].image, s->item[i - 1].image) != 0;
    }
    CHECK_INT(changes, 1);
    dh_eval_set_close(s);
    dh_eval_set_close(again);
    s = open_set("deskhand", "");
    dh_eval_set_first(s, 2);
    CHECK_INT(s->n, 2);
    CHECK_STR(s->item[1].instruction, "1");
    dh_eval_set_close(s);
    dh_buf_finish(&text);
}

DH_TESTS(DH_TEST(screenspot), DH_TEST(screenspot_v2), DH_TEST(screenspot_pro),
         DH_TEST(osworld_g), DH_TEST(ui_vision), DH_TEST(mmbench_gui),
         DH_TEST(deskhand), DH_TEST(session),
         DH_TEST(faults_are_counted_and_the_rest_goes_on),
         DH_TEST(a_clipped_box_is_inside),
         DH_TEST(sizes_that_disagree_and_ids_twice), DH_TEST(what_is_no_set),
         DH_TEST(choices));
