#include "tests/agent/sample.h"

#include <dirent.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "capture/frame.h"
#include "capture/png.h"
#include "tests/dh_test.h"

#define HEAD                                                               \
    "{\"format\":\"deskhand-session\",\"version\":1,\"kind\":\"human\","   \
    "\"created\":\"2026-11-26T10:00:00Z\",\"task\":\"Enter the form.\","   \
    "\"screen\":{\"width\":400,\"height\":300},\"of tomorrow\":[1.5,{}],"  \
    "\"params\":{\"secret1\":{\"value\":null,\"kind\":\"text\",\"secret\"" \
    ":true}},\"ended\":{\"t\":9,\"reason\":\"user\"}}\n"

#define WINDOW                                                             \
    "\"window\":{\"class\":\"form.Form\",\"title\":\"Customer\",\"x\":10," \
    "\"y\":10,\"w\":380,\"h\":280}"

static const char lines_of_sample[] =
    "{\"n\":1,\"t\":10,\"k\":\"frame\",\"f\":1,\"why\":\"before\"}\n"
    "{\"n\":2,\"t\":20,\"k\":\"act\",\"op\":\"left_click\",\"btn\":1,"
    "\"count\":1,\"p\":[[60,50]],\"by\":\"human\",\"before\":1,\"target\":{"
    "\"rect\":{\"x\":50,\"y\":40,\"w\":100,\"h\":20},\"node\":{\"role\":"
    "\"entry\",\"name\":\"Name\"}," WINDOW "}}\n"
    "{\"n\":3,\"t\":30,\"k\":\"done\",\"act\":2,\"ok\":true,\"after\":1}\n"
    "{\"n\":4,\"t\":40,\"k\":\"act\",\"op\":\"type\",\"text\":\"" SAMPLE_TEXT
    "\",\"by\":\"human\",\"before\":1,\"target\":{\"rect\":{\"x\":50,\"y\":"
    "40,\"w\":100,\"h\":20}," WINDOW "}}\n"
    "{\"n\":5,\"t\":50,\"k\":\"frame\",\"f\":2,\"why\":\"after\"}\n"
    "{\"n\":6,\"t\":51,\"k\":\"done\",\"act\":4,\"ok\":true,\"after\":2}\n"
    "{\"n\":7,\"t\":60,\"k\":\"act\",\"op\":\"key\",\"keys\":\"ctrl+s\","
    "\"by\":\"human\",\"before\":2}\n"
    "{\"n\":8,\"t\":70,\"k\":\"done\",\"act\":7,\"ok\":true,\"after\":2}\n"
    "{\"n\":9,\"t\":80,\"k\":\"act\",\"op\":\"type\",\"text\":"
    "\"{{secret:secret1}}\",\"secret\":true,\"by\":\"human\",\"before\":2}\n"
    "{\"n\":10,\"t\":90,\"k\":\"act\",\"op\":\"left_click_drag\",\"btn\":1,"
    "\"p\":[[10,10],[200,150]],\"path\":[[10,10],[100,20],[200,150]],"
    "\"ms\":250,\"by\":\"human\",\"before\":2}\n"
    "{\"n\":11,\"t\":91,\"k\":\"frame\",\"f\":3,\"why\":\"after\"}\n"
    "{\"n\":12,\"t\":92,\"k\":\"act\",\"op\":\"scroll\",\"p\":[[60,50]],"
    "\"dx\":0,\"dy\":3,\"by\":\"human\",\"before\":3}\n"
    "{\"n\":13,\"t\":95,\"k\":\"act\",\"op\":\"right_click\",\"btn\":3,"
    "\"count\":1,\"p\":[[300,200]],\"mods\":\"ctrl\",\"by\":\"human\","
    "\"before\":3,\"target\":{\"rect\":{\"x\":290,\"y\":190,\"w\":40,\"h\":"
    "20}}}\n"
    "{\"n\":14,\"t\":99,\"k\":\"end\",\"reason\":\"user\"}\n";

static void put(const char *dir, const char *name, const char *text)
{
    char *path = dh_path_join(dir, name);
    CHECK_INT(dh_file_write(path, text, strlen(text)), DH_OK);
    dh_free(path);
}

static void put_picture(const char *dir, const char *name, int level)
{
    struct dh_frame *f;
    char *frames = dh_path_join(dir, "frames");
    char *path = dh_path_join(frames, name);
    CHECK_INT(dh_path_mkdirs(frames), DH_OK);
    CHECK_INT(dh_frame_create(&f, NULL, 400, 300), DH_OK);
    memset(f->pixels, level, f->stride * 300);
    dh_frame_publish(f);
    CHECK_INT(dh_png_write(path, f), DH_OK);
    dh_frame_unref(f);
    dh_free(path);
    dh_free(frames);
}

void sample_write_lines(const char *dir, const char *lines)
{
    CHECK_INT(dh_path_mkdirs(dir), DH_OK);
    put(dir, "session.json", HEAD);
    put(dir, "events.jsonl", lines);
    put_picture(dir, "000001.png", 40);
    put_picture(dir, "000002.png", 90);
    put_picture(dir, "000003.png", 140);
}

void sample_write(const char *dir)
{
    sample_write_lines(dir, lines_of_sample);
}

char *sample_read(const char *dir, const char *name)
{
    char *path = dh_path_join(dir, name), *text;
    size_t len;
    CHECK_INT(dh_file_read(path, 1 << 26, &text, &len), DH_OK);
    dh_free(path);
    return text;
}

static void check_file(const char *path, const char *part)
{
    char *text;
    size_t len;
    CHECK_INT(dh_file_read(path, 1 << 26, &text, &len), DH_OK);
    if (memmem(text, len, part, strlen(part)))
        CHECK_STR(path, part);
    dh_big_free(text);
}

void sample_check_nowhere(const char *dir, const char *text)
{
    DIR *d = opendir(dir);
    if (!d) {
        check_file(dir, text);
        return;
    }
    for (const struct dirent *e = readdir(d); e; e = readdir(d)) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        char *path = dh_path_join(dir, e->d_name);
        sample_check_nowhere(path, text);
        dh_free(path);
    }
    closedir(d);
}
