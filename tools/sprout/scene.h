#ifndef DH_TOOLS_SPROUT_SCENE_H
#define DH_TOOLS_SPROUT_SCENE_H

/* Synthetic desktop scenes with labelled widgets, for training sprout.
 *
 * A library of its own (libscene.so), used from Python through ctypes. All
 * structs are flat and of fixed size. One instance per process and not thread
 * safe: the glyph cache is shared by all calls. Use one process per core; fork
 * after scene_init and scene_bank_open shares fonts and bank.
 *
 * The same seed, size, flags, assets and bank give the same scene. */

#include <stdint.h>

#define SCENE_API __attribute__((visibility("default")))

enum {
    SCENE_MAX_ELEMENTS = 768,
    SCENE_MAX_WINDOWS = 16,
    SCENE_MAX_CHARS = 12288,
    SCENE_MAX_UNKNOWN = 32,
    SCENE_LABEL = 64,
    SCENE_ANCHOR = 48,
    SCENE_VALUE = 48,
};

/* What an element is. Do not renumber: bank files store these. */
enum scene_kind {
    SCENE_TEXT = 0,      /* plain text: label, heading, line of a page */
    SCENE_BUTTON = 1,    /* push button with a text */
    SCENE_ICON = 2,      /* button showing only an icon: role, no label */
    SCENE_MENU = 3,      /* entry of a menu bar */
    SCENE_MENU_ITEM = 4, /* entry of an open menu; anchor: the menu */
    SCENE_CHECK = 5,
    SCENE_RADIO = 6,
    SCENE_TOGGLE = 7, /* on/off switch */
    SCENE_FIELD = 8,  /* one line to type in; label is its name */
    SCENE_TEXTAREA = 9,
    SCENE_COMBO = 10, /* drop-down; label is its name or, bare, its value */
    SCENE_SPIN = 11,
    SCENE_SLIDER = 12,
    SCENE_TAB = 13,
    SCENE_ITEM = 14,   /* row of a list */
    SCENE_TREE = 15,   /* row of a tree */
    SCENE_CELL = 16,   /* cell of a table */
    SCENE_HEADER = 17, /* column header */
    SCENE_LINK = 18,
    SCENE_TITLE = 19,     /* text of a title bar */
    SCENE_WINBUTTON = 20, /* close, minimize, maximize; anchor: the title */
    SCENE_DESKICON = 21,  /* icon with a caption: desktop or icon view */
    SCENE_PANEL = 22,     /* entry of a task bar or panel */
    SCENE_KEY = 23,       /* key of a keypad; day of a calendar */
    SCENE_PROGRESS = 24,
    SCENE_SCROLLBAR = 25,
    SCENE_TOOLTIP = 26,
    SCENE_TOOLBUTTON = 27, /* toolbar button with icon and text */
    SCENE_STATUS = 28,     /* text of a status bar */
    SCENE_GROUP = 29,      /* title of a group box */
    SCENE_N_KINDS = 30,
};

/* The meaning of an icon. Do not renumber; append. */
enum scene_role {
    SCENE_ROLE_NONE = 0,
    SCENE_ROLE_CLOSE,
    SCENE_ROLE_MINIMIZE,
    SCENE_ROLE_MAXIMIZE,
    SCENE_ROLE_SEARCH,
    SCENE_ROLE_SETTINGS,
    SCENE_ROLE_MENU,
    SCENE_ROLE_LEFT,
    SCENE_ROLE_RIGHT,
    SCENE_ROLE_UP,
    SCENE_ROLE_DOWN,
    SCENE_ROLE_PLUS,
    SCENE_ROLE_MINUS,
    SCENE_ROLE_HOME,
    SCENE_ROLE_RELOAD,
    SCENE_ROLE_TRASH,
    SCENE_ROLE_SAVE,
    SCENE_ROLE_FOLDER,
    SCENE_ROLE_FILE,
    SCENE_ROLE_CUT,
    SCENE_ROLE_COPY,
    SCENE_ROLE_PASTE,
    SCENE_ROLE_UNDO,
    SCENE_ROLE_REDO,
    SCENE_ROLE_PRINT,
    SCENE_ROLE_PLAY,
    SCENE_ROLE_PAUSE,
    SCENE_ROLE_STOP,
    SCENE_ROLE_RECORD,
    SCENE_ROLE_NEXT,
    SCENE_ROLE_PREVIOUS,
    SCENE_ROLE_INFO,
    SCENE_ROLE_HELP,
    SCENE_ROLE_WARNING,
    SCENE_ROLE_USER,
    SCENE_ROLE_MAIL,
    SCENE_ROLE_HEART,
    SCENE_ROLE_STAR,
    SCENE_ROLE_BELL,
    SCENE_ROLE_LOCK,
    SCENE_ROLE_EDIT,
    SCENE_ROLE_DOWNLOAD,
    SCENE_ROLE_UPLOAD,
    SCENE_ROLE_SHARE,
    SCENE_ROLE_LINK,
    SCENE_ROLE_CAMERA,
    SCENE_ROLE_CALENDAR,
    SCENE_ROLE_CLOCK,
    SCENE_ROLE_LIST,
    SCENE_ROLE_GRID,
    SCENE_ROLE_MORE,
    SCENE_ROLE_ZOOM_IN,
    SCENE_ROLE_ZOOM_OUT,
    SCENE_ROLE_VOLUME,
    SCENE_ROLE_POWER,
    SCENE_ROLE_EYE,
    SCENE_ROLE_FILTER,
    SCENE_ROLE_BOOKMARK,
    SCENE_ROLE_IMAGE,
    SCENE_ROLE_TERMINAL,
    SCENE_ROLE_CHECK,
    SCENE_ROLE_BOLD,
    SCENE_ROLE_ITALIC,
    SCENE_ROLE_UNDERLINE,
    SCENE_ROLE_CHAT,
    SCENE_ROLE_CART,
    SCENE_ROLE_PHONE,
    SCENE_ROLE_MUSIC,
    SCENE_N_ROLES,
};

/* Bits of scene_element.state. */
enum {
    SCENE_CHECKED = 1,  /* check, radio, toggle, tab: is on */
    SCENE_DISABLED = 2, /* drawn greyed out */
    SCENE_FOCUSED = 4,
    SCENE_SELECTED = 8,
    SCENE_DEFAULT = 16, /* default button of a dialog */
    SCENE_OPEN = 32,    /* menu whose popup is shown; expanded tree row */
};

/* Bits of scene_element.flags. */
enum {
    SCENE_UNIQUE = 1,       /* no other visible text or element has the label
                             * (letter case ignored), label not empty */
    SCENE_UNIQUE_ROLE = 2,  /* the only one of its role (fields apart) */
    SCENE_RELATION = 4,     /* label (or role) is not unique, but together with
                             * the anchor it is, and the anchor is visible */
    SCENE_FROM_BANK = 8,    /* from a captured window */
    SCENE_ASCII_LABEL = 16, /* label and anchor are plain ASCII */
    SCENE_NAMED_KIND = 32,  /* "the <label> <kind>" is unique: same label
                             * elsewhere, but on no other element of the kind */
};

/* Box: screen pixels, x1 and y1 exclusive. Texts: UTF-8, zero terminated. */
struct scene_element {
    int16_t x0, y0, x1, y1;
    uint8_t kind, role, state, flags;
    int16_t window; /* index into windows, or -1 */
    int16_t group;  /* same for the radios, rows, items of one set; -1 none */
    char label[SCENE_LABEL];
    char anchor[SCENE_ANCHOR]; /* row's name, window's title, menu's name */
    char value[SCENE_VALUE];   /* text in a field, value of a combo or spin */
};

/* Bits of scene_window.flags. */
enum {
    SCENE_WIN_ACTIVE = 1,
    SCENE_WIN_TITLED = 2, /* the whole title is to be seen */
    SCENE_WIN_TITLE_UNIQUE = 4,
    SCENE_WIN_BANK = 8,
    SCENE_WIN_POPUP = 16, /* menu, tooltip: no title */
};

struct scene_window {
    int16_t x0, y0, x1, y1;
    int16_t close[4], minimize[4], maximize[4]; /* -1 if absent or covered */
    int16_t title_box[4];
    uint16_t flags, kind; /* kind: which content was drawn, for inspection */
    char title[SCENE_LABEL];
};

/* Centre of one visible glyph (blanks left out). */
struct scene_char {
    int16_t x, y;
    uint32_t code;
};

/* Where glyphs are shown that are not in chars. */
struct scene_rect {
    int16_t x0, y0, x1, y1;
};

struct scene_out {
    int32_t width, height;
    int32_t n_elements, n_windows, n_chars, n_unknown;
    int32_t cursor_x, cursor_y; /* hot spot, -1 without a cursor */
    int32_t n_dropped;          /* elements beyond the maximum */
    int32_t reserved;
    struct scene_element elements[SCENE_MAX_ELEMENTS];
    struct scene_window windows[SCENE_MAX_WINDOWS];
    struct scene_char chars[SCENE_MAX_CHARS];
    struct scene_rect unknown[SCENE_MAX_UNKNOWN];
};

/* Flags of scene_make. */
enum {
    SCENE_NO_BANK = 1,   /* no captured windows */
    SCENE_ONLY_BANK = 2, /* only captured windows, when a bank is open */
    SCENE_NO_CURSOR = 4,
    SCENE_ASCII = 8, /* no character outside ASCII */
};

/* Loads fonts and words. 0, or -1 with a line on stderr. */
SCENE_API int scene_init(const char *asset_dir);

/* Frees fonts, caches and bank. */
SCENE_API void scene_finish(void);

/* Opens a bank of captured windows (scene_bank.h). Number of windows or -1. */
SCENE_API int scene_bank_open(const char *path);

/* Draws a scene of width x height (320..2048 x 240..2048) into rgb, rows of
 * width * 3 bytes. 0, or -1 for a bad size or a missing scene_init. */
SCENE_API int scene_make(uint64_t seed, int width, int height, int flags,
                         uint8_t *rgb, struct scene_out *out);

/* Size of struct scene_out, for bindings to check theirs against. */
SCENE_API int scene_out_size(void);

/* 8-bit bicubic with antialias, the released preprocessor's arithmetic.
 * Packed RGB; dst holds dw * dh * 3 bytes. 0, or -1 when out of memory. */
SCENE_API int scene_resize_bicubic(const uint8_t *src, int sw, int sh,
                                   uint8_t *dst, int dw, int dh);

/* Names for logs: "button", "search". NULL when out of range. */
SCENE_API const char *scene_kind_name(int kind);
SCENE_API const char *scene_role_name(int role);

#endif
