#include "agent/page_priv.h"

#include <string.h>

#include "base/mem.h"
#include "vision/patches.h"

#define PAGE_MAX_BYTES (64 * 1024 * 1024)

static const char head[] =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width\">"
    "<title>deskhand session</title><style>"
    "body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:1100px;"
    "padding:1.5rem;background:#fafafa;color:#222}"
    "h1{font-size:1.4rem;margin:0 0 .2rem}.sub{color:#666;margin:0 0 1.5rem}"
    "section{background:#fff;border:1px solid #ddd;border-radius:8px;"
    "padding:1rem;margin:0 0 1rem}"
    "h2{font-size:1.05rem;margin:0 0 .5rem}h2 b{color:#0a6}"
    "code{background:#f0f0f0;padding:.1rem .3rem;border-radius:4px}"
    "pre{background:#f6f6f6;padding:.6rem;overflow:auto;font-size:.8rem;"
    "white-space:pre-wrap;overflow-wrap:anywhere;margin:.6rem 0 0}"
    ".shot{position:relative;margin:.6rem 0;line-height:0}"
    ".shot img{width:100%;border:1px solid #ccc}"
    ".dot{position:absolute;width:26px;height:26px;margin:-13px 0 0 -13px;"
    "border:3px solid #e00;border-radius:50%;box-shadow:0 0 0 2px #fff8}"
    ".t{color:#666;font-size:.85rem}.bad{color:#b00}"
    ".dot{pointer-events:none}body.nomarks .dot{display:none}"
    ".grid{position:absolute;inset:0;display:none;background-image:"
    "linear-gradient(to right,#0bc 1px,transparent 1px),"
    "linear-gradient(to bottom,#0bc 1px,transparent 1px);"
    "background-size:var(--gx) var(--gy)}body.grid .grid{display:block}"
    "#bar{position:sticky;top:0;z-index:2;background:#fafafaee;"
    "padding:.4rem 0;font-size:.85rem}"
    "#line{display:flex;gap:2px;height:18px;margin:.3rem 0}"
    "#line a{flex:1;min-width:2px;background:#3b8;border-radius:2px}"
    "#line a.failed{background:#d33}#line a.now{outline:2px solid #fa0}"
    "section.now{border-color:#fa0}section.hit{background:#ff92}"
    "#bar input{font:inherit;width:12rem}"
    "@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}"
    "section{background:#222;border-color:#444}code,pre{background:#333}"
    "#bar{background:#181818ee}"
    ".sub,.t{color:#999}}"
    "</style><body>";

// Works on what is in the page, and holds nothing of the session itself. All
// of the page can be read without it.
static const char script[] =
    "<script>'use strict';(()=>{"
    "const all=[...document.querySelectorAll('section')],B=document.body;"
    "const bar=document.getElementById('bar'),line="
    "document.getElementById('line'),q=document.getElementById('q');"
    "let now=0,hits=[];bar.hidden=false;"
    "const ticks=all.map((s,i)=>{const a=document.createElement('a');"
    "a.title=s.querySelector('h2').textContent;"
    "a.classList.toggle('failed',failed(s));"
    "a.onclick=()=>go(i);line.append(a);return a});"
    "function failed(s){return !!s.querySelector('.bad')}"
    "function mark(){all.forEach((s,k)=>{s.classList.toggle('now',k===now);"
    "ticks[k].classList.toggle('now',k===now)})}"
    "function go(i){now=Math.max(0,Math.min(all.length-1,i));mark();"
    "if(all[now])window.scrollTo(0,all[now].getBoundingClientRect().top+"
    "scrollY-bar.offsetHeight-8)}"
    "function next(test,by){for(let k=1;k<=all.length;k++){"
    "const i=((now+by*k)%all.length+all.length)%all.length;"
    "if(test(all[i]))return go(i)}}"
    "function flip(){const s=all[now],b=s&&s.querySelector('.shot img'),"
    "n=all[now+1]&&all[now+1].querySelector('.shot img');if(!b||!n)return;"
    "const was=b.dataset.before;if(was){b.src=was;delete b.dataset.before}"
    "else{b.dataset.before=b.getAttribute('src');"
    "b.src=n.dataset.before||n.getAttribute('src')}"
    "s.querySelectorAll('.dot').forEach(d=>d.hidden=!was)}"
    "function find(){const w=q.value.toLowerCase();hits=all.filter(s=>w&&"
    "s.textContent.toLowerCase().includes(w));"
    "all.forEach(s=>s.classList.toggle('hit',hits.includes(s)))}"
    "q.oninput=find;"
    "const keys={ArrowRight:()=>go(now+1),ArrowLeft:()=>go(now-1),"
    "Home:()=>go(0),End:()=>go(all.length-1),Tab:flip,"
    "g:()=>B.classList.toggle('grid'),m:()=>B.classList.toggle('nomarks'),"
    "f:()=>next(failed,1),F:()=>next(failed,-1),'/':()=>q.focus(),"
    "n:()=>next(s=>hits.includes(s),1),N:()=>next(s=>hits.includes(s),-1)};"
    "addEventListener('keydown',e=>{if(e.ctrlKey||e.altKey||e.metaKey)return;"
    "if(e.target===q){if(e.key==='Enter'||e.key==='Escape'){q.blur();"
    "if(e.key==='Enter')keys.n()}return}"
    "if(Object.hasOwn(keys,e.key)){e.preventDefault();keys[e.key]()}});"
    "mark()})()</script>";

static const char bar[] =
    "<div id=\"bar\" hidden>Left and Right: steps, Tab: before and after, "
    "g: token grid, m: marks, f: failures, n: next place of "
    "<input id=\"q\" placeholder=\"/ search\" aria-label=\"search\">"
    "<div id=\"line\"></div></div>";

void dh_page_escape(struct dh_buf *out, const char *text)
{
    for (; text && *text; text++) {
        switch (*text) {
        case '<': dh_buf_puts(out, "&lt;"); break;
        case '>': dh_buf_puts(out, "&gt;"); break;
        case '&': dh_buf_puts(out, "&amp;"); break;
        case '"': dh_buf_puts(out, "&quot;"); break;
        default: dh_buf_putc(out, *text); break;
        }
    }
}

void dh_page_init(struct dh_page *p, const char *task, const char *model,
                  bool video)
{
    memset(p, 0, sizeof *p);
    dh_buf_init(&p->html, PAGE_MAX_BYTES);
    dh_buf_puts(&p->html, head);
    dh_buf_puts(&p->html, "<h1>");
    dh_page_escape(&p->html, task ? task : "session");
    dh_buf_puts(&p->html, "</h1><p class=\"sub\">deskhand " DH_VERSION ", ");
    dh_page_escape(&p->html, model ? model : "no model");
    if (video)
        dh_buf_puts(&p->html, " &middot; <a href=\"video.mkv\">video</a>");
    dh_buf_puts(&p->html, " &middot; <a href=\"events.jsonl\">events</a></p>");
    dh_buf_puts(&p->html, bar);
}

void dh_page_finish(struct dh_page *p)
{
    dh_buf_finish(&p->html);
}

static void close_step(struct dh_page *p)
{
    if (p->step_open)
        dh_buf_puts(&p->html, "</section>\n");
    p->step_open = false;
}

static void open_step(struct dh_page *p, int step)
{
    close_step(p);
    dh_buf_printf(&p->html, "<section id=\"s%d\"><h2>Step %d</h2>", step, step);
    p->step_open = true;
}

static void put_dot(struct dh_page *p, struct dh_point at)
{
    if (p->size.w > 0 && p->size.h > 0)
        dh_buf_printf(&p->html,
                      "<div class=\"dot\" style=\"left:%.3f%%;top:%.3f%%\">"
                      "</div>",
                      at.x * 100.0 / p->size.w, at.y * 100.0 / p->size.h);
}

// Squares of 28 pixels of the picture as the model gets it.
static void put_grid(struct dh_page *p)
{
    struct dh_size resized;
    if (p->size.w > 0 && p->size.h > 0 &&
        dh_patches_size(&dh_patch_rule_m3, p->size, &resized) == DH_OK)
        dh_buf_printf(&p->html,
                      "<div class=\"grid\" style=\"--gx:%.4f%%;--gy:%.4f%%\">"
                      "</div>",
                      2800.0 / resized.w, 2800.0 / resized.h);
}

static void put_action(struct dh_page *p, const struct dh_action *a,
                       const char *label)
{
    struct dh_buf text;
    dh_buf_init(&text, 1 << 20);
    dh_action_text(a, &text);
    dh_buf_puts(&p->html, "<p><b>");
    dh_page_escape(&p->html, label);
    dh_buf_puts(&p->html, "</b> <code>");
    dh_page_escape(&p->html, dh_buf_text(&text));
    dh_buf_puts(&p->html, "</code></p>");
    dh_buf_finish(&text);
    if (!p->frame)
        return;
    dh_buf_printf(&p->html,
                  "<div class=\"shot\"><img loading=\"lazy\" "
                  "src=\"frames/%06d.png\" alt=\"the screen before\">",
                  p->frame);
    put_grid(p);
    if (a->has_start)
        put_dot(p, a->start);
    if (a->has_at)
        put_dot(p, a->at);
    dh_buf_puts(&p->html, "</div>");
}

static double ms(int64_t ns)
{
    return (double)ns / 1e6;
}

static void put_answer(struct dh_page *p, const struct dh_event *e)
{
    const struct dh_times *t = &e->times;
    dh_buf_printf(&p->html,
                  "<p class=\"t\">grab %.1f ms, preprocess %.1f, vision %.0f, "
                  "prefill %.0f, decode %.0f; %d tokens in, %d cached, %d out"
                  "</p><pre>",
                  ms(t->grab), ms(t->preprocess), ms(t->vision), ms(t->prefill),
                  ms(t->decode), e->usage.prompt_tokens, e->usage.cached_tokens,
                  e->usage.answer_tokens);
    dh_page_escape(&p->html, e->text);
    dh_buf_puts(&p->html, "</pre>");
}

static void put_end(struct dh_page *p, const char *how)
{
    close_step(p);
    dh_buf_puts(&p->html, "<section><h2>");
    dh_page_escape(&p->html, how);
    dh_buf_puts(&p->html, "</h2>");
    if (p->frame)
        dh_buf_printf(&p->html,
                      "<div class=\"shot\"><img loading=\"lazy\" "
                      "src=\"frames/%06d.png\" alt=\"the last picture\"></div>",
                      p->frame);
    dh_buf_puts(&p->html, "</section>\n");
}

void dh_page_event(struct dh_page *p, const struct dh_event *e, int frame,
                   struct dh_size size)
{
    switch (e->kind) {
    case DH_EVENT_START: break;
    case DH_EVENT_FRAME:
        p->frame = frame;
        p->size = size;
        break;
    case DH_EVENT_ANSWER:
        open_step(p, e->step);
        put_answer(p, e);
        break;
    case DH_EVENT_ACT:
        put_action(p, &e->action, e->step_text);
        if (e->replayed.act)
            dh_buf_printf(&p->html,
                          "<p class=\"t\">found by %s, score %.2f</p>",
                          e->replayed.rung, e->replayed.score);
        break;
    case DH_EVENT_DONE:
        dh_buf_printf(&p->html,
                      "<p class=\"t%s\">acted %.1f ms, settled %.0f ms"
                      "%s ",
                      e->status ? " bad" : "", ms(e->times.act),
                      ms(e->times.settle), e->changed ? "" : ", no change");
        dh_page_escape(&p->html, e->text);
        dh_buf_puts(&p->html, "</p>");
        break;
    case DH_EVENT_NOTE:
        dh_buf_puts(&p->html, "<p class=\"bad\">");
        dh_page_escape(&p->html, e->text);
        dh_buf_puts(&p->html, "</p>");
        break;
    case DH_EVENT_END: put_end(p, e->text); break;
    }
}

void dh_page_by_hand(struct dh_page *p, const struct dh_action *a, int frame)
{
    close_step(p);
    dh_buf_puts(&p->html, "<section><h2>By hand</h2>");
    p->step_open = true;
    if (frame)
        p->frame = frame;
    put_action(p, a, "");
}

void dh_page_shown(struct dh_page *p, int step, const struct dh_action *a,
                   const char *where, int frame, struct dh_size size)
{
    open_step(p, step);
    p->frame = frame;
    p->size = size;
    put_action(p, a, where);
}

void dh_page_shown_end(struct dh_page *p, const char *how, int frame)
{
    p->frame = frame;
    put_end(p, how);
}

void dh_page_end(struct dh_page *p)
{
    close_step(p);
    dh_buf_puts(&p->html, script);
    dh_buf_puts(&p->html, "</body></html>\n");
}
