#include "tools/late_priv.h"

#include <stddef.h>

// All that is called of them.
// clang-format off
#define SDL(F) \
    F(FcConfigSubstitute) \
    F(FcDefaultSubstitute) \
    F(FcFini) \
    F(FcFontMatch) \
    F(FcNameParse) \
    F(FcPatternDestroy) \
    F(FcPatternGetString) \
    F(SDL_CreateRGBSurfaceWithFormat) \
    F(SDL_CreateRGBSurfaceWithFormatFrom) \
    F(SDL_CreateWindow) \
    F(SDL_DestroyWindow) \
    F(SDL_FillRect) \
    F(SDL_FreeSurface) \
    F(SDL_GetDisplayBounds) \
    F(SDL_GetDisplayDPI) \
    F(SDL_GetDisplayUsableBounds) \
    F(SDL_GetError) \
    F(SDL_GetMouseState) \
    F(SDL_GetWindowFlags) \
    F(SDL_GetWindowSurface) \
    F(SDL_Init) \
    F(SDL_MapRGB) \
    F(SDL_PollEvent) \
    F(SDL_PushEvent) \
    F(SDL_Quit) \
    F(SDL_RegisterEvents) \
    F(SDL_SetClipRect) \
    F(SDL_SetHint) \
    F(SDL_SetWindowFullscreen) \
    F(SDL_SoftStretch) \
    F(SDL_SoftStretchLinear) \
    F(SDL_StartTextInput) \
    F(SDL_UpdateWindowSurfaceRects) \
    F(SDL_UpperBlit) \
    F(SDL_WaitEvent) \
    F(SDL_WaitEventTimeout) \
    F(TTF_CloseFont) \
    F(TTF_Init) \
    F(TTF_OpenFont) \
    F(TTF_Quit) \
    F(TTF_RenderUTF8_Blended_Wrapped) \
    F(TTF_SizeUTF8) \
    F(TTF_WasInit)

#define MICROHTTPD(F) \
    F(MHD_add_response_header) \
    F(MHD_create_response_from_buffer) \
    F(MHD_create_response_from_callback) \
    F(MHD_destroy_response) \
    F(MHD_get_connection_info) \
    F(MHD_get_daemon_info) \
    F(MHD_lookup_connection_value) \
    F(MHD_queue_response) \
    F(MHD_quiesce_daemon) \
    F(MHD_start_daemon) \
    F(MHD_stop_daemon)
// clang-format on

SDL(DH_LATE_STUB)

static const char *const sdl_names[] = { DH_SONAME_SDL2, DH_SONAME_SDL2_ttf,
                                         DH_SONAME_fontconfig, NULL };
static const struct dh_late_row sdl_rows[] = { SDL(DH_LATE_ROW){ 0 } };
const struct dh_late dh_late_sdl = { "SDL2", sdl_names, sdl_rows };

MICROHTTPD(DH_LATE_STUB)

static const char *const microhttpd_names[] = { DH_SONAME_microhttpd, NULL };
static const struct dh_late_row microhttpd_rows[] = { MICROHTTPD(DH_LATE_ROW){
    0 } };
const struct dh_late dh_late_microhttpd = { "libmicrohttpd", microhttpd_names,
                                            microhttpd_rows };
