"""Random windows as plain data: a toolkit program turns one into widgets.

A window is {"title", "layout", "w", "h", "blocks": [...]}; a block is a dict with its type in "t".
Blocks nest through "frame", "tabs" and "hbox".
"""

ICONS = {  # role of the icon -> freedesktop icon names
    "search": ["edit-find", "system-search"], "settings": ["preferences-system", "preferences-other"],
    "menu": ["open-menu"], "close": ["window-close"], "plus": ["list-add"], "minus": ["list-remove"],
    "left": ["go-previous"], "right": ["go-next"], "up": ["go-up"], "down": ["go-down"], "home": ["go-home"],
    "file": ["document-new", "text-x-generic"], "folder": ["folder", "document-open"], "save": ["document-save"],
    "print": ["document-print"], "cut": ["edit-cut"], "copy": ["edit-copy"], "paste": ["edit-paste"],
    "undo": ["edit-undo"], "redo": ["edit-redo"], "trash": ["edit-delete", "user-trash"], "reload": ["view-refresh"],
    "help": ["help-browser", "help-contents"], "info": ["dialog-information", "help-about"],
    "warning": ["dialog-warning"], "zoom_in": ["zoom-in"], "zoom_out": ["zoom-out"],
    "play": ["media-playback-start"], "pause": ["media-playback-pause"], "stop": ["media-playback-stop", "process-stop"],
    "record": ["media-record"], "next": ["media-skip-forward"], "previous": ["media-skip-backward"],
    "mail": ["mail-unread", "mail-message-new"], "bold": ["format-text-bold"], "italic": ["format-text-italic"],
    "underline": ["format-text-underline"], "star": ["starred"], "lock": ["system-lock-screen", "changes-prevent"],
    "calendar": ["x-office-calendar"], "camera": ["camera-photo"], "user": ["avatar-default", "system-users"],
    "terminal": ["utilities-terminal"], "image": ["image-x-generic"], "volume": ["audio-volume-high"],
    "bookmark": ["bookmark-new", "user-bookmarks"], "list": ["view-list"], "grid": ["view-grid"], "more": ["view-more"],
    "edit": ["document-edit"], "power": ["system-shutdown"], "music": ["audio-x-generic"],
    "clock": ["document-open-recent", "preferences-system-time"],
}
MENUS = "File Edit View Search Tools Format Insert Options Window Help Actions Go Bookmarks Project Build Run Document".split()
KEYPADS = [
    [["7", "8", "9", "/"], ["4", "5", "6", "*"], ["1", "2", "3", "-"], ["0", ".", "=", "+"]],
    [["1", "2", "3"], ["4", "5", "6"], ["7", "8", "9"], ["*", "0", "#"]],
    [["C", "(", ")", "/"], ["7", "8", "9", "x"], ["4", "5", "6", "-"], ["1", "2", "3", "+"], ["0", ".", "%", "="]],
    [["A", "B", "C", "D", "E", "F"], ["G", "H", "I", "J", "K", "L"], ["M", "N", "O", "P", "Q", "R"], ["S", "T", "U", "V", "W", "X"]],
    [["sin", "cos", "tan", "ln"], ["7", "8", "9", "/"], ["4", "5", "6", "*"], ["1", "2", "3", "-"], ["0", ".", "=", "+"]],
    [["MC", "MR", "MS", "M+"], ["7", "8", "9", "<"], ["4", "5", "6", ">"], ["1", "2", "3", "^"], ["0", ",", "=", "!"]],
]


class SpecMaker:
    """Draws windows; `icons` says whether the toolkit can show themed icons."""

    def __init__(self, rng, words, icons=True):
        self.rng, self.words, self.icons = rng, words, icons

    def buttons(self):
        rng, w = self.rng, self.words
        if rng.random() < 0.4:
            sets = [["OK", "Cancel"], ["Yes", "No"], ["OK", "Cancel", "Apply"], ["Save", "Discard", "Cancel"], ["Close"], ["Cancel", "Next"]]
            items = [x for x in rng.choice(sets) if x.lower() not in w.used]
            w.used.update(x.lower() for x in items)
            if rng.random() < 0.3:
                items.reverse()
        else:
            items = [w.fresh() for _ in range(rng.randint(1, 4))]
        if not items:
            items = [w.fresh()]
        return {"t": "buttons", "items": items, "vertical": rng.random() < 0.12,
                "align": rng.choice(["start", "end", "center", "fill"]), "off": [rng.random() < 0.06 for _ in items]}

    def form(self):
        rng, w, rows = self.rng, self.words, []
        for _ in range(rng.randint(1, 6)):
            kind = rng.choices(["field", "combo", "spin", "password"], [6, 2, 1.5, 0.6])[0]
            value = {"field": w.value() if rng.random() < 0.35 else "", "combo": w.fresh(), "spin": str(rng.randint(0, 200)),
                     "password": ""}[kind]
            rows.append({"kind": kind, "label": w.fresh(), "value": value})
        return {"t": "form", "rows": rows, "pos": rng.choices(["left", "above", "placeholder"], [6, 3, 2])[0],
                "colon": rng.random() < 0.45, "align": rng.choice(["start", "end"]), "required": rng.random() < 0.05}

    def toggles(self):
        rng, w = self.rng, self.words
        n = rng.randint(1, 6)
        radio = rng.random() < 0.4
        on = [rng.random() < 0.4 for _ in range(n)]
        if radio:
            pick = rng.randrange(n)
            on = [i == pick for i in range(n)]
        return {"t": "radios" if radio else "checks", "items": [w.fresh() for _ in range(n)], "on": on, "cols": rng.choice([1, 1, 1, 2, 3])}

    def switches(self):
        return {"t": "switches", "items": [self.words.fresh() for _ in range(self.rng.randint(1, 4))],
                "on": [self.rng.random() < 0.5 for _ in range(4)]}

    def list(self):
        rng, w = self.rng, self.words
        draw = rng.choice([w.file, w.person, w.any_label])
        items = [w.fresh(draw) for _ in range(rng.randint(3, 10))]
        return {"t": "list", "items": items, "sel": rng.randrange(-1, len(items)), "icon": rng.choice([None, None, "folder"]),
                "header": w.fresh() if rng.random() < 0.25 else None}

    def table(self):
        rng, w = self.rng, self.words
        ncol = rng.randint(2, 4)
        draw = rng.choice([w.file, w.person, w.any_label])
        rows = [[w.fresh(draw)] + [w.fresh(rng.choice([w.number, w.word])) for _ in range(ncol - 1)] for _ in range(rng.randint(2, 9))]
        return {"t": "table", "cols": [w.fresh() for _ in range(ncol)], "rows": rows, "sel": rng.randrange(-1, len(rows))}

    def person_rows(self):
        """Rows of a name and one repeated button: for questions like "the Edit button next to X"."""
        rng, w = self.rng, self.words
        return {"t": "rows", "names": [w.fresh(w.person) for _ in range(rng.randint(2, 5))],
                "button": rng.choice(["Delete", "Edit", "Open", "Remove", "View", "Call", "Send"])}

    def toolbar(self):
        rng, w = self.rng, self.words
        n = rng.randint(3, 9)
        names = rng.sample(sorted(ICONS), n)
        style = rng.choice(["icons", "icons", "icons", "both", "horiz", "text"]) if self.icons else "text"
        return {"t": "toolbar", "style": style, "items": [
            {"icon": nm, "name": rng.choice(ICONS[nm]), "label": w.fresh(), "sep": rng.random() < 0.15} for nm in names]}

    def menubar(self, may_open=True):
        rng, w = self.rng, self.words
        titles = rng.sample(MENUS, rng.randint(2, 7))
        titles.sort(key=MENUS.index)
        menus = []
        for t in titles:
            w.used.add(t.lower())
        for t in titles:
            items = []
            for _ in range(rng.randint(2, 9)):
                kind = rng.choices(["item", "check", "sub", "radio"], [8, 1.3, 0.8, 0.5])[0]
                accel = rng.choice(["", "", f"<Control>{rng.choice('abcdefghklmnopqrsuvwxyz')}", f"F{rng.randint(1, 12)}",
                                    f"<Shift><Control>{rng.choice('abcdefgz')}"])
                items.append({"label": w.fresh(), "kind": kind, "on": rng.random() < 0.5, "accel": accel if kind == "item" else "",
                              "sep": rng.random() < 0.15, "off": rng.random() < 0.08, "dots": rng.random() < 0.2})
            menus.append({"title": t, "items": items})
        opened = rng.randrange(len(menus)) if may_open and rng.random() < 0.65 else -1
        return {"t": "menubar", "menus": menus, "open": opened}

    def keypad(self):
        rng = self.rng
        rows = rng.choice(KEYPADS)
        self.words.used.update(c.lower() for r in rows for c in r)
        return {"t": "keypad", "rows": rows, "display": str(rng.randint(0, 99999)) if rng.random() < 0.6 else "", "gap": rng.choice([0, 2, 4, 6])}

    def slider(self):
        return {"t": "slider", "label": self.words.fresh(), "value": self.rng.randint(0, 100)}

    def search(self):
        w = self.words
        return {"t": "search", "value": w.word() if self.rng.random() < 0.3 else "", "button": w.fresh() if self.rng.random() < 0.5 else None,
                "hint": self.rng.choice(["Search", "Search...", "Find", "Filter", ""])}

    def text(self):
        return {"t": "text", "lines": [self.words.sentence() for _ in range(self.rng.randint(0, 8))]}

    def label(self):
        return {"t": "label", "text": self.words.sentence(3, 8), "big": self.rng.random() < 0.15}

    def link(self):
        return {"t": "link", "label": self.words.fresh()}

    def progress(self):
        return {"t": "progress", "value": self.rng.random()}

    def block(self, depth=0):
        rng = self.rng
        pool = [(self.buttons, 5), (self.form, 6), (self.toggles, 5), (self.list, 2.2), (self.table, 1.6), (self.slider, 0.8),
                (self.search, 0.9), (self.text, 0.6), (self.label, 1.2), (self.link, 0.6), (self.switches, 0.8),
                (self.person_rows, 1.0), (self.progress, 0.3)]
        if depth < 2:
            pool += [(lambda: self.frame(depth), 1.2), (lambda: self.tabs(depth), 1.0), (lambda: self.hbox(depth), 1.6)]
        return rng.choices([p[0] for p in pool], [p[1] for p in pool])[0]()

    def blocks(self, n, depth):
        return [self.block(depth) for _ in range(n)]

    def frame(self, depth):
        return {"t": "frame", "title": self.words.fresh(), "blocks": self.blocks(self.rng.randint(1, 2), depth + 1)}

    def hbox(self, depth):
        return {"t": "hbox", "cols": [self.blocks(self.rng.randint(1, 2), depth + 1) for _ in range(2)]}

    def tabs(self, depth):
        titles = [self.words.fresh() for _ in range(self.rng.randint(2, 5))]
        return {"t": "tabs", "titles": titles, "cur": self.rng.randrange(len(titles)),
                "blocks": self.blocks(self.rng.randint(1, 3), depth + 1)}

    def window(self):
        rng, w = self.rng, self.words
        w.clear()
        kind = rng.choices(["form", "dialog", "editor", "calculator", "browser", "prefs", "mixed", "pad"], [3.5, 2, 3, 1.5, 2.5, 1.8, 5, 0.8])[0]
        title = w.fresh(lambda: rng.choice([w.any_label(), w.file(), f"{w.word()} - {rng.choice(UI_TITLES)}".capitalize(), w.person()]))
        make = getattr(self, "win_" + kind)
        return {"title": title, "kind": kind, "blocks": make(), "w": rng.randint(240, 640), "h": rng.randint(120, 440),
                "pad": rng.choice([4, 6, 8, 12, 16]), "gap": rng.choice([2, 4, 6, 8, 12])}

    def win_form(self):
        return ([self.label()] if self.rng.random() < 0.3 else []) + [self.form()] + ([self.toggles()] if self.rng.random() < 0.5 else []) + [self.buttons()]

    def win_dialog(self):
        body = {"t": "message", "icon": self.rng.choice(["dialog-warning", "dialog-information", "dialog-error", "dialog-question"]),
                "text": self.words.sentence(3, 7), "sub": self.words.sentence(5, 12) if self.rng.random() < 0.5 else ""}
        extra = [self.rng.choice([self.form, self.toggles])()] if self.rng.random() < 0.3 else []
        return [body] + extra + [self.buttons()]

    def win_editor(self):
        out = [self.menubar()]
        if self.rng.random() < 0.6:
            out.append(self.toolbar())
        return out + [self.text(), {"t": "status", "text": self.words.sentence(2, 4)}]

    def win_calculator(self):
        return ([self.menubar()] if self.rng.random() < 0.6 else []) + [self.keypad()] + ([self.toggles()] if self.rng.random() < 0.25 else [])

    def win_browser(self):
        out = [self.menubar()] if self.rng.random() < 0.5 else []
        out.append(self.toolbar())
        if self.rng.random() < 0.4:
            out.append(self.search())
        side, main = self.list(), self.rng.choice([self.table, self.list])()
        return out + ([{"t": "hbox", "cols": [[side], [main]]}] if self.rng.random() < 0.6 else [main])

    def win_prefs(self):
        return [self.tabs(1)] + [self.buttons()]

    def win_pad(self):
        return [{"t": "grid", "items": [self.words.fresh() for _ in range(self.rng.randint(6, 16))], "cols": self.rng.randint(2, 4)}]

    def win_mixed(self):
        out = [self.menubar()] if self.rng.random() < 0.35 else []
        if self.rng.random() < 0.3:
            out.append(self.toolbar())
        return out + self.blocks(self.rng.randint(2, 4), 0)


UI_TITLES = "Editor Viewer Manager Player Browser Notes Reader Studio Desk Mail Tasks Planner".split()
