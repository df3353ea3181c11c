/*
 * agent/web_page.h - a page of MiniWoB's form in a real Chromium: started with
 * a seed, watched until it gives its reward (benchmarks.md 3.3).
 *
 * The browser fills the desk's screen, with the page at its upper left, and
 * runs in the desk's room without a network. Only the first reward counts.
 * Everything a page says is data.
 */
#ifndef DH_AGENT_WEB_PAGE_H
#define DH_AGENT_WEB_PAGE_H

#include <stdint.h>

#include "agent/task_desk.h"
#include "agent/web_pipe.h"
#include "base/clock.h"

/* Of a page's task area, in CSS pixels. */
#define DH_WEB_WIDTH  160
#define DH_WEB_HEIGHT 210
#define DH_WEB_TEXT   4000        /* bytes of a question at most */
#define DH_WEB_READY  (15 * DH_S) /* a page that takes longer never is */

struct dh_web_page {
    struct dh_web_pipe pipe;
    struct dh_size screen;
    char *text;     /* the question of the page that was started */
    double limit_s; /* its own limit of time */
    bool ended;     /* it has given its reward: */
    double raw, timed;
    char *reason; /* what it said of it, "" for nothing */
    int acts;     /* of a solution */
};

/* Start the browser, on a desk with a screen of that size. `scale`: its pixels
 * for a CSS pixel. `why` of the desk is set where it fails. */
DH_MUST_USE enum dh_status dh_web_open(struct dh_web_page *w,
                                       struct dh_task_desk *d,
                                       struct dh_size screen, int scale,
                                       int64_t until_ns);
/* A zeroed one is allowed. */
void dh_web_close(struct dh_web_page *w);

/*
 * Load `file`, a path below the desk's shown folder, and begin its episode.
 * Where `timed`, its limit of time stays; else it is lifted. DH_ERR_FORMAT: it
 * is no such page; DH_ERR_REFUSED: it throws; DH_ERR_TIMEOUT: it is never
 * ready; DH_ERR_RANGE: it asks too long a question; DH_ERR_CLOSED. pipe.why
 * says more.
 */
DH_MUST_USE enum dh_status dh_web_start(struct dh_web_page *w, const char *file,
                                        int64_t seed, bool timed,
                                        int64_t until_ns);
/* Has it ended, or is the browser gone? */
bool dh_web_is_over(struct dh_web_page *w);

/*
 * Play the solution of `page` by mouse and keyboard alone, until it ends.
 * `script` is JavaScript that looks and says the next action (assets/web). Not
 * DH_OK: pipe.why; DH_ERR_NOTFOUND: it knows none.
 */
DH_MUST_USE enum dh_status dh_web_solve(struct dh_web_page *w, int display,
                                        const char *page, const char *script,
                                        int64_t until_ns);

#endif
