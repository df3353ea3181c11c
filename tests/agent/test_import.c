// What others recorded becomes a session, and what is given away comes back.
#include "agent/import.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actions/action.h"
#include "agent/export.h"
#include "agent/session_read.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/lines.h"
#include "base/mem.h"
#include "tests/agent/sample.h"
#include "tests/dh_test.h"

static void put_file(const char *name, const char *text)
{
    char *path = dh_test_path(name), *dir = dh_path_dir(path);
    CHECK_INT(dh_path_mkdirs(dir), DH_OK);
    CHECK_INT(dh_file_write(path, text, strlen(text)), DH_OK);
    dh_free(dir);
    dh_free(path);
}

// The actions of a session, a line of JSON each.
static void read_acts(const char *dir, struct dh_buf *out)
{
    struct dh_session_reader *s;
    struct dh_diag why = { 0 };
    int n;
    CHECK_INT(dh_session_open(&s, dir, &why), DH_OK);
    (void)dh_session_notes(s, &n);
    CHECK_INT(n, 0);
    const struct dh_session_step *p = dh_session_steps(s, &n);
    dh_buf_clear(out);
    for (int i = 0; i < n; i++) {
        struct dh_json_writer w;
        struct dh_action a;
        struct dh_json *o =
            p[i].act < 0 ? NULL : dh_session_json(s, p[i].act, &why);
        if (!o)
            continue;
        CHECK(dh_action_of_json(o, &a, &why));
        dh_jw_init(&w, out);
        dh_jw_object(&w, NULL);
        dh_action_json(&a, &w);
        dh_jw_end_object(&w);
        dh_buf_putc(out, '\n');
        dh_action_finish(&a);
        dh_json_free(o);
    }
    dh_session_close(s);
}

static enum dh_status import(enum dh_import_form form, const char *src,
                             struct dh_import_result *r)
{
    char *from = dh_test_path(src), *to = dh_test_path("new");
    struct dh_import_options o = { .form = form, .src = from, .dir = to };
    memset(r, 0, sizeof *r);
    enum dh_status st = dh_import(&o, r);
    // Nothing half-made is left.
    CHECK_INT(dh_path_exists(to), st == DH_OK);
    dh_free(to);
    dh_free(from);
    return st;
}

static void check_acts(const char *want)
{
    struct dh_buf got;
    char *dir = dh_test_path("new");
    dh_buf_init(&got, 1 << 20);
    read_acts(dir, &got);
    CHECK_STR(dh_buf_text(&got), want);
    dh_buf_finish(&got);
    dh_free(dir);
}

static void test_what_is_given_away_comes_back(void)
{
    struct dh_export_result er;
    struct dh_import_result r;
    struct dh_buf acts;
    char *dir = dh_test_path("s"), *out = dh_test_path("set");
    sample_write(dir);
    CHECK_INT(dh_export(dir, DH_EXPORT_AGENTNET, out, NULL, &er), DH_OK);
    CHECK_INT(import(DH_IMPORT_AGENTNET, "set/agentnet.jsonl", &r), DH_OK);
    CHECK_INT(r.steps, SAMPLE_STEPS + 1); // and that it is done
    CHECK_INT(r.pictures, 3);
    CHECK_INT(r.missing, 0);
    CHECK(!r.more);
    dh_buf_init(&acts, 1 << 20);
    read_acts(dir, &acts);
    dh_buf_puts(&acts, "{\"op\":\"done\"}\n");
    check_acts(dh_buf_text(&acts));
    char *new = dh_test_path("new"), *head = sample_read(new, "session.json");
    CHECK(strstr(head, "\"task\":\"Enter the form.\""));
    CHECK(strstr(head, "\"width\":400,\"height\":300"));
    CHECK(strstr(head, "\"form\":\"agentnet\""));
    dh_big_free(head);
    dh_buf_finish(&acts);
    dh_free(new);
    dh_free(out);
    dh_free(dir);
}

#define TASK(id, code)                                               \
    "{\"task_id\":\"" id "\",\"instruction\":\"Do it.\",\"traj\":[{" \
    "\"image\":\"000001.png\",\"value\":{\"code\":\"" code           \
    "\",\"thought\":\"Hm.\"}}]}\n"

static void test_one_task_of_many_is_picked(void)
{
    struct dh_import_result r;
    char *images = dh_test_path("pictures"), *to = dh_test_path("new");
    sample_write(images);
    put_file("tasks.jsonl", "\n" TASK("a", "pyautogui.click(x=0.5, y=0.5)")
                                TASK("b", "exec('rm')"));
    char *src = dh_test_path("tasks.jsonl"),
         *frames = dh_path_join(images, "frames");
    struct dh_import_options o = {
        .form = DH_IMPORT_AGENTNET, .src = src, .dir = to, .images = frames
    };
    CHECK_INT(dh_import(&o, &r), DH_OK);
    CHECK(r.more);
    check_acts("{\"op\":\"left_click\",\"btn\":1,\"count\":1,\"p\":[[200,150]]}"
               "\n");
    CHECK_INT(dh_import(&o, &r), DH_ERR_USAGE); // it is there
    char *b = dh_test_path("b"), *c = dh_test_path("c");
    o.dir = b;
    o.pick = "b";
    CHECK_INT(dh_import(&o, &r), DH_OK);
    CHECK_INT(r.left_out, 1);
    char *lines = sample_read(o.dir, "events.jsonl");
    CHECK(strstr(lines, "\"k\":\"mark\",\"text\":\"not understood: "));
    CHECK(strstr(lines, "\"thinking\":\"Hm.\""));
    dh_big_free(lines);
    o.dir = c;
    o.pick = "c";
    CHECK_INT(dh_import(&o, &r), DH_ERR_FORMAT);
    CHECK(!dh_path_exists(c));
    dh_free(c);
    dh_free(b);
    dh_free(frames);
    dh_free(src);
    dh_free(to);
    dh_free(images);
}

static void test_osworld_is_taken_in(void)
{
    struct dh_import_result r;
    char *dir = dh_test_path("s");
    sample_write(dir);
    put_file("s/frames/traj.jsonl",
             "{\"step_num\":1,\"action\":\"pyautogui.click(60, 50)\","
             "\"response\":\"I click.\",\"screenshot_file\":\"000001.png\"}\n"
             "{\"step_num\":2,\"action\":{\"action_type\":\"TYPING\","
             "\"parameters\":{\"text\":\"Ada\"}},\"screenshot_file\":"
             "\"000002.png\"}\n"
             "{\"step_num\":3,\"action\":\"DONE\",\"screenshot_file\":"
             "\"nowhere.png\"}\n");
    CHECK_INT(import(DH_IMPORT_OSWORLD, "s/frames", &r), DH_OK);
    CHECK_INT(r.steps, 3);
    CHECK_INT(r.pictures, 2);
    CHECK_INT(r.missing, 1);
    check_acts("{\"op\":\"left_click\",\"btn\":1,\"count\":1,\"p\":[[60,50]]}\n"
               "{\"op\":\"type\",\"text\":\"Ada\"}\n{\"op\":\"done\"}\n");
    dh_free(dir);
}

static void put_turn(const char *name, const char *action, const char *picture)
{
    char path[80], *dir = dh_test_path("s/frames"), *from, *to;
    snprintf(path, sizeof path, "cua/%s/action.json", name);
    put_file(path, action);
    snprintf(path, sizeof path, "cua/%s/before.png", name);
    from = dh_path_join(dir, picture);
    to = dh_test_path(path);
    CHECK_INT(link(from, to), 0);
    dh_free(to);
    dh_free(from);
    dh_free(dir);
}

static void test_turns_of_cua_are_taken_in(void)
{
    struct dh_import_result r;
    char *dir = dh_test_path("s");
    sample_write(dir);
    put_turn("turn-00002",
             "{\"tool\":\"type_text\",\"arguments\":{\"text\":\"Ada\",\"pid\":7"
             "}}",
             "000002.png");
    put_turn("turn-00001",
             "{\"tool\":\"click\",\"arguments\":{\"element_index\":4},"
             "\"click_point\":{\"x\":60,\"y\":50}}",
             "000001.png");
    put_turn("turn-00010",
             "{\"tool\":\"press_key\",\"arguments\":{\"key\":\"s\","
             "\"modifiers\":[\"ctrl\"]}}",
             "000002.png");
    put_turn("turn-00011",
             "{\"tool\":\"click\",\"arguments\":{\"element_index\":4}}",
             "000003.png");
    put_turn("turn-00012",
             "{\"tool\":\"drag\",\"arguments\":{\"from_x\":1,\"from_y\":2,"
             "\"to_x\":30,\"to_y\":40}}",
             "000003.png");
    CHECK_INT(import(DH_IMPORT_CUA, "cua", &r), DH_OK);
    CHECK_INT(r.steps, 5);
    CHECK_INT(r.left_out, 1);
    check_acts("{\"op\":\"left_click\",\"btn\":1,\"count\":1,\"p\":[[60,50]]}\n"
               "{\"op\":\"type\",\"text\":\"Ada\"}\n"
               "{\"op\":\"key\",\"keys\":\"ctrl+s\"}\n"
               "{\"op\":\"left_click_drag\",\"btn\":1,\"p\":[[1,2],[30,40]]}"
               "\n");
    dh_free(dir);
}

static void test_raw_events_become_actions(void)
{
    struct dh_import_result r;
    put_file("raw/metadata.json", "{\"screen_width\":800,\"screen_height\":600,"
                                  "\"video_start_timestamp\":100.0}");
    put_file("raw/task_name.json",
             "{\"task_name\":\"t\",\"description\":\"Say Hi.\"}");
    put_file(
        "raw/events.jsonl",
        "{\"time_stamp\":101,\"action\":\"move\",\"x\":60,\"y\":50}\n"
        "{\"time_stamp\":101.5,\"action\":\"click\",\"x\":60,\"y\":50,"
        "\"button\":\"left\",\"pressed\":true}\n"
        "{\"time_stamp\":101.6,\"action\":\"click\",\"x\":60,\"y\":50,"
        "\"button\":\"left\",\"pressed\":false}\n"
        "{\"time_stamp\":103,\"action\":\"press\",\"name\":\"shift\"}\n"
        "{\"time_stamp\":103.1,\"action\":\"press\",\"name\":\"H\"}\n"
        "{\"time_stamp\":103.2,\"action\":\"release\",\"name\":\"H\"}\n"
        "{\"time_stamp\":103.3,\"action\":\"release\",\"name\":\"shift\"}\n"
        "{\"time_stamp\":103.4,\"action\":\"press\",\"name\":\"i\"}\n"
        "{\"time_stamp\":103.5,\"action\":\"release\",\"name\":\"i\"}\n"
        "{\"time_stamp\":104,\"action\":\"press\",\"name\":\"ctrl_l\"}\n"
        "{\"time_stamp\":104.1,\"action\":\"press\",\"name\":\"s\"}\n"
        "{\"time_stamp\":104.2,\"action\":\"release\",\"name\":\"s\"}\n"
        "{\"time_stamp\":104.3,\"action\":\"release\",\"name\":\"ctrl_l\"}\n"
        "{\"time_stamp\":105,\"action\":\"dance\"}\n"
        "{\"time_stamp\":106,\"action\":\"scroll\",\"x\":60,\"y\":50,\"dx\":0,"
        "\"dy\":-2}\n");
    CHECK_INT(import(DH_IMPORT_AGENTNET_RAW, "raw", &r), DH_OK);
    CHECK_INT(r.left_out, 1);
    check_acts("{\"op\":\"left_click\",\"btn\":1,\"count\":1,\"p\":[[60,50]]}\n"
               "{\"op\":\"type\",\"text\":\"Hi\"}\n"
               "{\"op\":\"key\",\"keys\":\"ctrl+s\"}\n"
               "{\"op\":\"scroll\",\"p\":[[60,50]],\"dx\":0,\"dy\":2}\n");
    char *new = dh_test_path("new"), *head = sample_read(new, "session.json");
    CHECK(strstr(head, "\"task\":\"Say Hi.\""));
    CHECK(strstr(head, "\"width\":800,\"height\":600"));
    dh_big_free(head);
    dh_free(new);
}

/* Pictures are looked for in the folder alone, and nothing is waited for. */
static void test_names_lead_nowhere(void)
{
    struct dh_import_result r;
    char *dir = dh_test_path("s"), *pipe = dh_test_path("in/pipe.png");
    sample_write(dir);
    put_file("in/traj.jsonl", "{\"action\":\"DONE\",\"screenshot_file\":"
                              "\"../s/frames/000001.png\"}\n");
    CHECK_INT(import(DH_IMPORT_OSWORLD, "in", &r), DH_ERR_NOTFOUND);
    CHECK_INT(mkfifo(pipe, 0600), 0);
    put_file("in/traj.jsonl",
             "{\"action\":\"DONE\",\"screenshot_file\":\"pipe.png\"}\n");
    CHECK_INT(import(DH_IMPORT_OSWORLD, "in", &r), DH_ERR_NOTFOUND);
    CHECK_INT(import(DH_IMPORT_AGENTNET, "in/pipe.png", &r), DH_ERR_FORMAT);
    dh_free(pipe);
    dh_free(dir);
}

static void test_what_is_no_recording_is_said(void)
{
    struct dh_import_result r;
    put_file("bad.jsonl", "{\"task_id\":\"a\"}\n");
    CHECK_INT(import(DH_IMPORT_AGENTNET, "bad.jsonl", &r), DH_ERR_FORMAT);
    put_file("bad.jsonl", "{\"task_id\":");
    CHECK_INT(import(DH_IMPORT_AGENTNET, "bad.jsonl", &r), DH_ERR_FORMAT);
    CHECK_INT(import(DH_IMPORT_OSWORLD, "bad.jsonl", &r), DH_ERR_FORMAT);
    put_file("bad.jsonl", "");
    CHECK_INT(import(DH_IMPORT_AGENTNET, "bad.jsonl", &r), DH_ERR_FORMAT);
    CHECK_INT(import(DH_IMPORT_OSWORLD, "bad.jsonl", &r), DH_ERR_FORMAT);
    CHECK_INT(import(DH_IMPORT_CUA, "bad.jsonl", &r), DH_ERR_NOTFOUND);
    CHECK_INT(import(DH_IMPORT_AGENTNET_RAW, "nowhere", &r), DH_ERR_NOTFOUND);
}

static void test_lines_of_any_length_are_told(void)
{
    struct dh_lines l;
    struct dh_str line;
    struct dh_buf text;
    dh_buf_init(&text, 1 << 22);
    for (int i = 0; i < 200000; i++)
        dh_buf_putc(&text, 'a');
    dh_buf_puts(&text, "\n\nlast");
    put_file("lines", dh_buf_text(&text));
    char *path = dh_test_path("lines");
    CHECK_INT(dh_lines_open(&l, path, 1 << 20), DH_OK);
    CHECK_INT(dh_lines_next(&l, &line), DH_OK);
    CHECK_INT(line.n, 200000);
    CHECK_INT(dh_lines_next(&l, &line), DH_OK);
    CHECK_INT(line.n, 0);
    CHECK_INT(dh_lines_next(&l, &line), DH_OK);
    CHECK(dh_str_is(line, "last"));
    CHECK_INT(l.number, 3);
    CHECK_INT(dh_lines_next(&l, &line), DH_ERR_NOTFOUND);
    dh_lines_close(&l);
    CHECK_INT(dh_lines_open(&l, path, 1000), DH_OK);
    CHECK_INT(dh_lines_next(&l, &line), DH_ERR_RANGE);
    dh_lines_close(&l);
    dh_buf_finish(&text);
    dh_free(path);
}

DH_TESTS(DH_TEST(what_is_given_away_comes_back),
         DH_TEST(one_task_of_many_is_picked), DH_TEST(osworld_is_taken_in),
         DH_TEST(turns_of_cua_are_taken_in), DH_TEST(raw_events_become_actions),
         DH_TEST(names_lead_nowhere), DH_TEST(what_is_no_recording_is_said),
         DH_TEST(lines_of_any_length_are_told));
