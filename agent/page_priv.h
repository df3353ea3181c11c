/* agent/page_priv.h - the page of a session: what was seen, said and done. */
#ifndef DH_AGENT_PAGE_PRIV_H
#define DH_AGENT_PAGE_PRIV_H

#include "agent/event.h"
#include "base/buf.h"
#include "base/geom.h"

/* Grows with the run; texts are escaped, pictures are named by number. */
struct dh_page {
    struct dh_buf html;
    int frame; /* the newest picture */
    struct dh_size size;
    bool step_open;
};

void dh_page_init(struct dh_page *p, const char *task, const char *model,
                  bool video);
void dh_page_finish(struct dh_page *p);
/* `frame` and `size` are those of the newest picture written. */
void dh_page_event(struct dh_page *p, const struct dh_event *e, int frame,
                   struct dh_size size);
/* A step that a person did while the run waited. */
void dh_page_by_hand(struct dh_page *p, const struct dh_action *a, int frame);
/* A step of a demonstration; `where` in words, or NULL. */
void dh_page_shown(struct dh_page *p, int step, const struct dh_action *a,
                   const char *where, int frame, struct dh_size size);
/* The last section: how it ended, and the last picture. */
void dh_page_shown_end(struct dh_page *p, const char *how, int frame);
/* Text as text, also within quotes; NULL is "". */
void dh_page_escape(struct dh_buf *out, const char *text);
/* Closes the document; the text is in `html`. */
void dh_page_end(struct dh_page *p);

#endif
