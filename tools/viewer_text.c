#include <fontconfig/fontconfig.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "tools/viewer_priv.h"

#define DH_LOG_TAG "viewer"
#include "base/log.h"

#define MAX_TEXT_BYTES 12000 // more of it nobody reads in a window

// The file of the font that the system would take, or NULL.
static char *font_file(const char *pattern)
{
    FcPattern *want = FcNameParse((const FcChar8 *)pattern);
    FcResult result;
    FcChar8 *file = NULL;
    char *path = NULL;
    if (!want)
        return NULL;
    FcConfigSubstitute(NULL, want, FcMatchPattern);
    FcDefaultSubstitute(want);
    FcPattern *found = FcFontMatch(NULL, want, &result);
    if (found && FcPatternGetString(found, FC_FILE, 0, &file) == FcResultMatch)
        path = dh_strdup((const char *)file);
    if (found)
        FcPatternDestroy(found);
    FcPatternDestroy(want);
    return path;
}

static TTF_Font *font_open(const char *pattern, int px)
{
    char *path = font_file(pattern);
    TTF_Font *font = path ? TTF_OpenFont(path, px) : NULL;
    if (!font)
        dh_error("no font for \"%s\"%s%s; install one, such as the package "
                 "fonts-dejavu-core",
                 pattern, path ? " in " : "", path ? path : "");
    dh_free(path);
    return font;
}

enum dh_status dh_viewer_fonts_open(struct dh_viewer_fonts *f, int px)
{
    f->plain = font_open("sans-serif:fontformat=TrueType", px);
    f->bold =
        f->plain ? font_open("sans-serif:bold:fontformat=TrueType", px) : NULL;
    f->mono = f->bold ? font_open("monospace:fontformat=TrueType", px) : NULL;
    FcFini(); // nothing more is looked for
    return f->mono ? DH_OK : DH_ERR_NOTFOUND;
}

static void close_font(TTF_Font **f)
{
    if (*f)
        TTF_CloseFont(*f);
    *f = NULL;
}

void dh_viewer_fonts_close(struct dh_viewer_fonts *f)
{
    close_font(&f->plain);
    close_font(&f->bold);
    close_font(&f->mono);
}

// Only what a font can show: no control characters, no broken UTF-8.
static void put_clean(struct dh_buf *out, const char *text)
{
    size_t n = strlen(text);
    bool cut = n > MAX_TEXT_BYTES;
    for (size_t at = 0; at < (cut ? MAX_TEXT_BYTES : n);) {
        char utf8[4];
        uint32_t cp;
        at += dh_utf8_read(text + at, n - at, &cp);
        if (cp == '\n' || (cp >= ' ' && cp != 0x7f && cp < 0x80))
            dh_buf_putc(out, (char)cp);
        else if (cp < 0xa0 || (cp >= 0x200b && cp <= 0x202e) || cp == 0xfeff)
            dh_buf_putc(out, ' ');
        else
            dh_buf_put(out, utf8, dh_utf8_write(cp, utf8));
    }
    if (cut)
        dh_buf_puts(out, "\n... (longer than is shown here)");
}

SDL_Surface *dh_viewer_text_render(TTF_Font *font, const char *text,
                                   SDL_Color color, int width)
{
    struct dh_buf clean;
    SDL_Surface *drawn = NULL;
    dh_buf_init(&clean, 2 * MAX_TEXT_BYTES);
    put_clean(&clean, text);
    if (clean.len && width > 0)
        drawn = TTF_RenderUTF8_Blended_Wrapped(font, dh_buf_text(&clean), color,
                                               (Uint32)width);
    dh_buf_finish(&clean);
    return drawn;
}

int dh_viewer_text(SDL_Surface *to, TTF_Font *font, const char *text,
                   SDL_Color color, SDL_Rect area, const SDL_Rect *clip)
{
    int height = 0;
    SDL_Surface *drawn = dh_viewer_text_render(font, text, color, area.w);
    if (drawn) {
        height = drawn->h;
        SDL_SetClipRect(to, clip);
        SDL_BlitSurface(drawn, NULL, to, &area);
        SDL_SetClipRect(to, NULL);
        SDL_FreeSurface(drawn);
    }
    return height;
}
