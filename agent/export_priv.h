/* agent/export_priv.h - what the forms of an export share. One thread. */
#ifndef DH_AGENT_EXPORT_PRIV_H
#define DH_AGENT_EXPORT_PRIV_H

#include "actions/action.h"
#include "agent/export.h"
#include "agent/session_params.h"
#include "agent/session_read.h"
#include "base/buf.h"
#include "base/geom.h"
#include "base/json.h"

#define DH_EXPORT_MAX_BYTES (64u << 20)

struct dh_frame;

/* A text that must not leave, and what stands in its place. */
struct dh_export_secret {
    char *text, *instead;
};

struct dh_export {
    char *name; /* of the session's folder */
    struct dh_session_reader *s;
    struct dh_json *header;
    struct dh_session_params params;
    struct dh_rect screen;
    struct dh_export_secret *secret;
    int n_secrets;
    struct dh_rect *veil; /* where secrets were typed */
    int n_veils;
    bool thousandths; /* words have points from 0 to 1000 */
    int blind_from;   /* pictures from this number on are left out; 0: none */
    unsigned char *written; /* pictures that were, by number */
    int n_written;
    const char *out; /* the file or folder that is made */
    struct dh_cancel *cancel;
    struct dh_export_result result;
};

struct dh_export_step {
    const struct dh_session_step *step;
    int index;               /* of it, for dh_session_words_read */
    struct dh_action action; /* its text without secrets */
    struct dh_json *line;    /* as it was recorded: never copy texts of it */
    char *words; /* "Click the push button \"OK\" in the window \"Save\"" */
};

/* The next step after *i that is an action, and *i moves; false at the end or
 * where the user stopped. Finish it. What cannot be read is left out. */
bool dh_export_next(struct dh_export *x, int *i, struct dh_export_step *out);
void dh_export_step_finish(struct dh_export_step *s);
/* Of the parameters that are secret; once. */
void dh_export_find_secrets(struct dh_export *x);
/* Text without secrets, to be freed with dh_free. */
char *dh_export_clean(const struct dh_export *x, const char *text);
/* The same of the text of an act, whose secrets are also known by place. */
char *dh_export_clean_act(const struct dh_export *x, int64_t act,
                          const char *text);
/* A copy in which the places of secrets are gray, with one reference. */
DH_MUST_USE enum dh_status dh_export_veil(const struct dh_export *x,
                                          const struct dh_frame *in,
                                          struct dh_frame **out);
/* The element that was acted on in words; "" where nothing is known. */
char *dh_export_target(const struct dh_export *x, const struct dh_json *line);
/* Write the picture to images/ of the folder, once. Its name within the folder
 * or "" where there is none, or may be none. */
DH_MUST_USE enum dh_status dh_export_picture(struct dh_export *x, int number,
                                             char name[64]);
/* A file of the folder, or with NULL the file itself. */
DH_MUST_USE enum dh_status dh_export_put(struct dh_export *x, const char *name,
                                         const struct dh_buf *text);

/* Of the session alone; close also what was not opened. */
DH_MUST_USE enum dh_status dh_export_open(struct dh_export *x, const char *dir);
void dh_export_close(struct dh_export *x);

enum dh_status dh_export_agentnet(struct dh_export *x);
enum dh_status dh_export_screenspot(struct dh_export *x);
enum dh_status dh_export_osworld(struct dh_export *x);
enum dh_status dh_export_markdown(struct dh_export *x);
enum dh_status dh_export_shell(struct dh_export *x);

#endif
