"""Captures random Tk windows: cap_tk.py SEED COUNT OUT_DIR BUTTONS (comma list, or "-" for no frames)."""
import random
import sys
import time
import tkinter as tk
from tkinter import font as tkfont
from tkinter import ttk

from common import CHECKED, DISABLED, OPEN, SELECTED, Rig, element
from spec import SpecMaker
from words import Words

FONTS = ["DejaVu Sans", "Liberation Sans", "Noto Sans", "Open Sans", "Roboto", "Cantarell", "Ubuntu", "FreeSans", "Lato", "DejaVu Serif"]
SCHEMES = [("#d9d9d9", "#000000", "#ffffff"), ("#d9d9d9", "#000000", "#ffffff"), ("#eeeeee", "#111111", "#ffffff"), ("#2b2b2b", "#e0e0e0", "#1e1e1e"),
           ("#dcdad5", "#000000", "#ffffff"), ("#f5f5f5", "#222222", "#ffffff"), ("#3c3f41", "#bbbbbb", "#2b2b2b"), ("#c0d0e0", "#102030", "#f4f8ff")]


class Look:
    """One window's fonts, colours and widget set."""

    def __init__(self, rng, root):
        self.ttk = rng.random() < 0.6
        self.bg, self.fg, self.base = rng.choice(SCHEMES)
        self.font = (rng.choice(FONTS), rng.choice([8, 9, 9, 10, 10, 11, 12]))
        style = ttk.Style(root)
        style.theme_use(rng.choice(["clam", "alt", "default", "classic"]))
        style.configure(".", font=self.font, background=self.bg, foreground=self.fg, fieldbackground=self.base)
        style.configure("Treeview", background=self.base, fieldbackground=self.base, foreground=self.fg,
                        rowheight=tkfont.Font(root, self.font).metrics("linespace") + 4)
        style.configure("TEntry", fieldbackground=self.base, foreground=self.fg)
        style.map("TCombobox", fieldbackground=[("readonly", self.base)], foreground=[("readonly", self.fg)])
        style.map("TNotebook.Tab", background=[("selected", self.bg)])
        self.plain = {"font": self.font, "bg": self.bg, "fg": self.fg}
        self.entry = {"font": self.font, "bg": self.base, "fg": self.fg, "insertbackground": self.fg}


def place(w):
    x, y = w.winfo_rootx(), w.winfo_rooty()
    return x, y, x + w.winfo_width(), y + w.winfo_height()


def tight(w):
    x0, y0, x1, y1 = place(w)
    return x0, y0, min(x1, x0 + w.winfo_reqwidth()), y1


class Builder:
    """Turns a spec into widgets and remembers how to find each element's box."""

    def __init__(self, rng, rig, look):
        self.rng, self.rig, self.look, self.finders, self.keep, self.opened = rng, rig, look, [], [], None

    def note(self, w, kind, find=tight, **about):
        def run():
            if not w.winfo_viewable() or w.winfo_width() < w.winfo_reqwidth() - 60:
                return []
            state = about.get("state", 0)
            if "state" in w.keys() and str(w["state"]) == "disabled":
                state |= DISABLED
            return [element(kind, find(w), **dict(about, state=state))]
        self.finders.append(run)
        return w

    def elements(self):
        return [e for run in self.finders for e in run()]

    def build(self, parent, b):
        return getattr(self, "b_" + b["t"])(parent, b)

    def frame(self, parent):
        return ttk.Frame(parent) if self.look.ttk else tk.Frame(parent, bg=self.look.bg)

    def column(self, parent, blocks, gap, pad):
        f = self.frame(parent)
        for b in blocks:
            grow = b["t"] in ("list", "table", "text", "hbox", "tabs", "keypad", "grid")
            self.build(f, b).pack(fill="both" if grow else "x", expand=grow, padx=pad, pady=max(1, gap // 2))
        return f

    def caption(self, parent, s):
        return ttk.Label(parent, text=s) if self.look.ttk else tk.Label(parent, text=s, anchor="w", **self.look.plain)

    def text(self, parent, s, kind="text"):
        return self.note(self.caption(parent, s), kind, label=s)

    def push(self, parent, s, kind="button", off=False, **about):
        state = "disabled" if off else "normal"
        if self.look.ttk:
            w = ttk.Button(parent, text=s, state=state)
            if kind == "key":
                w.configure(width=3)
        else:
            w = tk.Button(parent, text=s, state=state, relief=self.rng.choice(["raised"] * 5 + ["groove", "solid"]),
                          padx=4, pady=self.rng.choice([1, 2, 4]), **self.look.plain)
        return self.note(w, kind, place, label=s, **about)

    def b_buttons(self, parent, b):
        f = self.frame(parent)
        side = "top" if b["vertical"] else "right" if b["align"] == "end" else "left"
        order = list(zip(b["items"], b["off"] + [False] * 9))
        for s, off in reversed(order) if side == "right" else order:
            self.push(f, s, off=off).pack(side=side, padx=2, pady=2, expand=b["align"] == "fill", fill="x" if b["align"] == "fill" else "none")
        return f

    def b_form(self, parent, b):
        f = self.frame(parent)
        left = b["pos"] == "left"
        for i, r in enumerate(b["rows"]):
            cap = self.caption(f, r["label"] + (":" if b["colon"] else ""))
            w = self.field(f, r)
            row = i if left else 2 * i
            cap.grid(row=row, column=0, sticky="w" if b["align"] == "start" or not left else "e", padx=2, pady=1)
            w.grid(row=row if left else row + 1, column=1 if left else 0, sticky="ew", padx=2, pady=2)
        f.columnconfigure(1 if left else 0, weight=1)
        return f

    def field(self, parent, r):
        width = self.rng.choice([10, 16, 24])
        if r["kind"] == "combo":
            w = ttk.Combobox(parent, values=[r["value"]], width=width, state=self.rng.choice(["readonly", "normal"]), font=self.look.font)
            w.set(r["value"])
        elif r["kind"] == "spin":
            w = ttk.Spinbox(parent, from_=0, to=1000, width=8, font=self.look.font) if self.look.ttk else \
                tk.Spinbox(parent, from_=0, to=1000, width=8, buttonbackground=self.look.bg, **self.look.entry)
            w.delete(0, "end")
            w.insert(0, r["value"])
        else:
            show = "*" if r["kind"] == "password" else ""
            w = ttk.Entry(parent, width=width, show=show, font=self.look.font) if self.look.ttk else \
                tk.Entry(parent, width=width, show=show, **self.look.entry)
            w.insert(0, r["value"])
        return self.note(w, {"combo": "combo", "spin": "spin"}.get(r["kind"], "field"), place, label=r["label"], value=r["value"])

    def toggles(self, parent, b, radio):
        f = self.frame(parent)
        shared = tk.StringVar(f, value=next((s for s, on in zip(b["items"], b["on"]) if on), ""))
        self.keep.append(shared)
        for i, (s, on) in enumerate(zip(b["items"], b["on"])):
            if radio:
                w = ttk.Radiobutton(f, text=s, variable=shared, value=s) if self.look.ttk else \
                    tk.Radiobutton(f, text=s, variable=shared, value=s, selectcolor=self.look.base, **self.look.plain)
            else:
                var = tk.IntVar(f, value=int(on))
                self.keep.append(var)
                w = ttk.Checkbutton(f, text=s, variable=var) if self.look.ttk else \
                    tk.Checkbutton(f, text=s, variable=var, selectcolor=self.look.base, **self.look.plain)
            self.note(w, "radio" if radio else "check", label=s, state=CHECKED if on else 0)
            w.grid(row=i // b["cols"], column=i % b["cols"], sticky="w", padx=2)
        return f

    def b_checks(self, parent, b):
        return self.toggles(parent, b, False)

    def b_radios(self, parent, b):
        return self.toggles(parent, b, True)

    def b_switches(self, parent, b):
        return self.toggles(parent, dict(b, cols=1), False)

    def b_list(self, parent, b):
        if b["header"] or self.look.ttk:
            return self.b_table(parent, {"cols": [b["header"] or ""], "rows": [[s] for s in b["items"]], "sel": b["sel"]})
        w = tk.Listbox(parent, width=24, height=min(len(b["items"]), self.rng.randint(3, 10)), **{k: v for k, v in self.look.entry.items() if k != "insertbackground"})
        w.insert("end", *b["items"])
        if b["sel"] >= 0:
            w.selection_set(b["sel"])

        def run():
            out, p = [], place(w)
            for i, s in enumerate(b["items"]):
                r = w.bbox(i)
                if r and w.winfo_viewable() and p[1] + r[1] + r[3] <= p[3] - 2 and r[0] + r[2] <= p[2] - p[0]:
                    out.append(element("item", (p[0] + r[0], p[1] + r[1], p[2] - 3, p[1] + r[1] + r[3]), label=s, state=SELECTED if i == b["sel"] else 0))
            return out
        self.finders.append(run)
        return w

    def b_table(self, parent, b):
        n = len(b["cols"])
        head = bool(b["cols"][0])
        w = ttk.Treeview(parent, columns=list(range(n)), show="headings" if head else "", height=min(len(b["rows"]), self.rng.randint(3, 9)))
        metric = tkfont.Font(parent, self.look.font)
        for c, name in enumerate(b["cols"]):
            w.heading(c, text=name)
            need = max([metric.measure(r[c]) for r in b["rows"]] + [metric.measure(name)]) + 16
            w.column(c, width=need, minwidth=need, anchor="w")
        ids = [w.insert("", "end", values=r) for r in b["rows"]]
        if b["sel"] >= 0:
            w.selection_set(ids[b["sel"]])

        def run():
            out, p = [], place(w)
            if not w.winfo_viewable():
                return out
            first = w.bbox(ids[0], 0)
            if head and first:
                x = p[0] + first[0]
                for c, name in enumerate(b["cols"]):
                    cw = w.column(c, "width")
                    if x + cw <= p[2]:
                        out.append(element("header", (x, p[1] + 1, x + cw, p[1] + first[1]), label=name))
                    x += cw
            for i, r in enumerate(b["rows"]):
                for c, s in enumerate(r):
                    q = w.bbox(ids[i], c)
                    if q and q[1] + q[3] <= p[3] - p[1] and q[0] + q[2] <= p[2] - p[0]:
                        out.append(element("item" if n == 1 else "cell", (p[0] + q[0], p[1] + q[1], p[0] + q[0] + q[2], p[1] + q[1] + q[3]),
                                           label=s, anchor=r[0] if c else "", state=SELECTED if i == b["sel"] else 0))
            return out
        self.finders.append(run)
        return w

    def b_rows(self, parent, b):
        f = self.frame(parent)
        f.columnconfigure(0, weight=1)
        for i, name in enumerate(b["names"]):
            self.text(f, name).grid(row=i, column=0, sticky="w")
            self.push(f, b["button"], anchor=name).grid(row=i, column=1, padx=4, pady=1)
        return f

    def b_toolbar(self, parent, b):
        f = self.frame(parent)
        for it in b["items"]:
            self.push(f, it["label"]).pack(side="left", padx=1)
        return f

    def menubar(self, top, b):
        opts = {"font": self.look.font, "bg": self.look.bg, "fg": self.look.fg, "tearoff": self.rng.random() < 0.1}
        bar = tk.Menu(top, font=self.look.font, bg=self.look.bg, fg=self.look.fg)
        for i, m in enumerate(b["menus"]):
            menu = tk.Menu(bar, **opts)
            for it in m["items"]:
                self.menu_item(menu, it)
            bar.add_cascade(label=m["title"], menu=menu)
            if i == b["open"]:
                self.opened = (bar, i, menu, m)
        top["menu"] = bar
        self.bar = bar

    def menu_item(self, menu, it):
        if it["sep"]:
            menu.add_separator()
        accel = it["accel"].replace("<Control>", "Ctrl+").replace("<Shift>", "Shift+")
        kw = {"label": it["label"] + ("..." if it["dots"] else ""), "accelerator": accel, "state": "disabled" if it["off"] else "normal"}
        if it["kind"] == "sub":
            menu.add_cascade(label=it["label"], menu=tk.Menu(menu))
        elif it["kind"] == "check":
            var = tk.IntVar(menu, value=int(it["on"]))
            self.keep.append(var)
            menu.add_checkbutton(variable=var, **kw)
        else:
            menu.add_command(**kw)

    def menu_elements(self, menu, x, y, m):
        """Entries of a posted menu: their edges are its `yposition`s."""
        out, last = [], menu.index("end")
        by_label = {it["label"]: it for it in m["items"]}
        for i in range(last + 1):
            if menu.type(i) in ("separator", "tearoff"):
                continue
            y0 = menu.yposition(i)
            y1 = menu.yposition(i + 1) if i < last else menu.winfo_reqheight() - 2
            label = menu.entrycget(i, "label").removesuffix("...")
            it = by_label[label]
            state = (CHECKED if it["kind"] == "check" and it["on"] else 0) | (DISABLED if it["off"] else 0)
            out.append(element("menu_item", (x + 1, y + y0, x + menu.winfo_reqwidth() - 1, y + y1), label=label, anchor=m["title"], state=state))
        return out

    def b_keypad(self, parent, b):
        f = self.frame(parent)
        cols = max(len(r) for r in b["rows"])
        if b["display"]:
            e = tk.Entry(f, justify="right", **self.look.entry)
            e.insert(0, b["display"])
            self.note(e, "field", place, value=b["display"]).grid(row=0, column=0, columnspan=cols, sticky="ew")
        for y, row in enumerate(b["rows"]):
            f.rowconfigure(y + 1, weight=1)
            for x, s in enumerate(row):
                f.columnconfigure(x, weight=1, uniform="k")
                self.push(f, s, "key").grid(row=y + 1, column=x, sticky="nsew", padx=b["gap"] // 2, pady=b["gap"] // 2)
        return f

    def b_grid(self, parent, b):
        f = self.frame(parent)
        for i, s in enumerate(b["items"]):
            f.columnconfigure(i % b["cols"], weight=1)
            self.push(f, s).grid(row=i // b["cols"], column=i % b["cols"], sticky="ew", padx=2, pady=2)
        return f

    def b_slider(self, parent, b):
        f = self.frame(parent)
        self.caption(f, b["label"]).pack(side="left", padx=4)
        w = ttk.Scale(f, from_=0, to=100) if self.look.ttk else tk.Scale(f, from_=0, to=100, orient="horizontal", **self.look.plain)
        w.set(b["value"])
        self.note(w, "slider", place, label=b["label"]).pack(side="left", fill="x", expand=True)
        return f

    def b_search(self, parent, b):
        f = self.frame(parent)
        cap = b["hint"].rstrip(".") or "Search"
        self.caption(f, cap).pack(side="left")
        e = tk.Entry(f, **self.look.entry)
        e.insert(0, b["value"])
        self.note(e, "field", place, label=cap, value=b["value"], role="search").pack(side="left", fill="x", expand=True)
        if b["button"]:
            self.push(f, b["button"]).pack(side="left", padx=3)
        return f

    def b_text(self, parent, b):
        w = tk.Text(parent, width=self.rng.randint(30, 60), height=self.rng.randint(4, 14), wrap="none", **self.look.entry)
        w.insert("1.0", "\n".join(b["lines"]))

        def run():
            out, p = [], place(w)
            for i, line in enumerate(b["lines"]):
                r = w.dlineinfo(f"{i + 1}.0")
                if r and r[0] + r[2] < p[2] - p[0] and r[1] + r[3] < p[3] - p[1]:
                    out.append(element("text", (p[0] + r[0], p[1] + r[1], p[0] + r[0] + r[2], p[1] + r[1] + r[3]), label=line[:60]))
            return out
        self.finders.append(run)
        return self.note(w, "textarea", place)

    def b_label(self, parent, b):
        w = self.text(parent, b["text"])
        if b["big"]:
            w.configure(font=(self.look.font[0], int(self.look.font[1] * 1.4), "bold"))
        return w

    def b_status(self, parent, b):
        return self.text(parent, b["text"], "status")

    def b_message(self, parent, b):
        f = self.frame(parent)
        names = {"dialog-warning": "warning", "dialog-information": "info", "dialog-error": "error", "dialog-question": "question"}
        tk.Label(f, bitmap=names[b["icon"]], bg=self.look.bg, fg=self.look.fg).pack(side="left", padx=10)
        col = self.frame(f)
        self.text(col, b["text"]).pack(anchor="w")
        if b["sub"]:
            self.text(col, b["sub"]).pack(anchor="w")
        col.pack(side="left")
        return f

    def b_link(self, parent, b):
        w = tk.Label(parent, text=b["label"], fg="#0645ad", bg=self.look.bg, font=self.look.font + ("underline",), anchor="w")
        return self.note(w, "link", label=b["label"])

    def b_progress(self, parent, b):
        w = ttk.Progressbar(parent, value=100 * b["value"])
        return self.note(w, "progress", place)

    def b_frame(self, parent, b):
        cap = self.text(parent.winfo_toplevel(), b["title"], "group")
        f = ttk.LabelFrame(parent, labelwidget=cap) if self.look.ttk else tk.LabelFrame(parent, labelwidget=cap, bg=self.look.bg)
        self.column(f, b["blocks"], 4, 4).pack(fill="both", expand=True)
        cap.lift()
        return f

    def b_hbox(self, parent, b):
        f = self.frame(parent)
        for col in b["cols"]:
            self.column(f, col, 4, 2).pack(side="left", fill="both", expand=True)
        return f

    def b_tabs(self, parent, b):
        book = ttk.Notebook(parent)
        for i, title in enumerate(b["titles"]):
            book.add(self.column(book, b["blocks"], 6, 6) if i == b["cur"] else self.frame(book), text=title)
        book.select(b["cur"])

        def run():
            out, p = {}, place(book)
            if not book.winfo_viewable():
                return []
            for x in range(0, p[2] - p[0], 2):
                for y in range(0, 44, 2):
                    try:
                        i = book.index(f"@{x},{y}")
                    except tk.TclError:
                        continue
                    if i == "":
                        continue
                    q = out.setdefault(int(i), [x, y, x, y])
                    q[0], q[1], q[2], q[3] = min(q[0], x), min(q[1], y), max(q[2], x), max(q[3], y)
            metric = tkfont.Font(book, self.look.font)
            return [element("tab", (p[0] + q[0], p[1] + q[1], p[0] + q[2] + 2, p[1] + q[3] + 2), label=b["titles"][i],
                            state=CHECKED if i == b["cur"] else 0)
                    for i, q in out.items() if q[2] - q[0] > metric.measure(b["titles"][i])]
        self.finders.append(run)
        return book


def settle(root, seconds):
    end = time.time() + seconds
    while time.time() < end:
        root.update()
        time.sleep(0.004)


def bar_elements(build, spec, top):
    """Entries of the menu bar: Tk has no call for their edges, so ask which entry is at each x."""
    bar, out = build.bar, {}
    clone = next((w for w in top.tk.splitlist(top.tk.call("winfo", "children", top._w)) if ".#" in str(w)), None)
    if clone is None:
        return [], None
    call = top.tk.call
    x0, y0 = int(call("winfo", "rootx", clone)), int(call("winfo", "rooty", clone))
    w, h = int(call("winfo", "width", clone)), int(call("winfo", "height", clone))
    for x in range(1, w, 1):
        i = call(clone, "index", f"@{x},{h // 2}")
        if str(i) not in ("none", ""):
            q = out.setdefault(int(i), [x, x])
            q[1] = x
    menus = next(b for b in spec["blocks"] if b["t"] == "menubar")
    metric = tkfont.Font(top, build.look.font)
    found = []
    for i, (a, b) in sorted(out.items()):
        title = bar.entrycget(i, "label")
        need = metric.measure(title) + 24
        found.append(element("menu", (x0 + a, y0, x0 + min(b, a + need), y0 + h), label=title, state=OPEN if i == menus["open"] else 0))
    return found, (x0, y0, h, out)


def one_window(rng, rig, maker, root):
    rig.words.clear()
    spec = maker.window()
    look = Look(rng, root)
    build = Builder(rng, rig, look)
    top = tk.Toplevel(root, bg=look.bg)
    top.title(spec["title"])
    bars = [b for b in spec["blocks"] if b["t"] == "menubar"]
    if bars:
        build.menubar(top, bars[0])
    build.column(top, [b for b in spec["blocks"] if b not in bars], spec["gap"], spec["pad"]).pack(fill="both", expand=True)
    top.update_idletasks()
    w, h = max(spec["w"], top.winfo_reqwidth()), max(spec["h"], top.winfo_reqheight())
    if build.opened:
        w, h = max(w, 420), max(h, 330)
    top.geometry(f"{w}x{h}")
    settle(root, 0.16)
    found, cover = build.elements(), None
    if bars:
        more, info = bar_elements(build, spec, top)
        found += more
        if build.opened and info and build.opened[1] in info[3]:
            _, i, menu, m = build.opened
            x, y = info[0] + info[3][i][0], info[1] + info[2]
            menu.tk.call(menu._w, "post", x, y)
            settle(root, 0.08)
            x, y = menu.winfo_rootx(), menu.winfo_rooty()
            cover = (x, y, x + menu.winfo_reqwidth(), y + menu.winfo_reqheight())
            found += build.menu_elements(menu, x, y, m)
    inner = rig.dpy.create_resource_object("window", int(top.winfo_id()))
    wrapper = inner.query_tree().parent.id  # Tk's own window around content and menu bar
    rig.stage(wrapper, found, spec["title"], rng.random() < 0.6, False, cover)
    if cover:
        build.opened[2].unpost()
    top.destroy()
    settle(root, 0.02)


def main():
    seed, count, out, buttons = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    rng = random.Random(seed)
    root = tk.Tk()
    root.withdraw()
    rig = Rig(out, f"tk-{seed}-", "tk", None if buttons == "-" else buttons.split(","))
    rig.words = Words(rng)
    maker = SpecMaker(rng, rig.words, icons=False)
    for _ in range(count):
        one_window(rng, rig, maker, root)
    print(rig.toolkit, rig.count, "of", count)


main()
