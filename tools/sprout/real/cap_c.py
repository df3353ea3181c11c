"""Captures random Motif, Athena or FLTK windows: cap_c.py SEED COUNT OUT_DIR BUTTONS PROGRAM (win_motif, win_xaw or win_fltk).

Lays a spec out in absolute places, sends it to the program as lines, and asks it where the parts came to be.
"""
import os
import random
import subprocess
import sys
import time

from PIL import ImageFont
from Xlib import X
from Xlib.ext import xtest

from common import CHECKED, DISABLED, OPEN, SELECTED, Rig, element
from spec import SpecMaker
from words import Words

FONT_DIR = "/usr/share/fonts/truetype/"
XFT = {"DejaVu Sans": "dejavu/DejaVuSans.ttf", "Liberation Sans": "liberation/LiberationSans-Regular.ttf",
       "DejaVu Serif": "dejavu/DejaVuSerif.ttf", "Liberation Sans Narrow": "liberation/LiberationSansNarrow-Regular.ttf",
       "FreeSans": "freefont/FreeSans.ttf", "DejaVu Sans Mono": "dejavu/DejaVuSansMono.ttf"}
CORE = [("-*-helvetica-medium-r-normal--12-*-*-*-*-*-iso8859-1", "Liberation Sans", 12), ("-*-helvetica-bold-r-normal--12-*-*-*-*-*-iso8859-1", "DejaVu Sans", 12),
        ("-*-helvetica-medium-r-normal--14-*-*-*-*-*-iso8859-1", "Liberation Sans", 14), ("fixed", "DejaVu Sans Mono", 11), ("8x13", "DejaVu Sans Mono", 14),
        ("9x15", "DejaVu Sans Mono", 15), ("-*-lucida-medium-r-normal-sans-12-*-*-*-*-*-iso8859-1", "DejaVu Sans", 12),
        ("-*-times-medium-r-normal--14-*-*-*-*-*-iso8859-1", "Liberation Sans", 14)]
COLOURS = [("#c4c4c4", "#000000", "#b0b0b0"), ("#aeb2c3", "#000000", "#9397a5"), ("#d6d6d6", "#000000", "#ffffff"), ("#e6e6e6", "#101010", "#ffffff"),
           ("#5f9ea0", "#000000", "#eeeeee"), ("#c0c0c0", "#000000", "#ffffff"), ("#2e3436", "#eeeeec", "#555753"), ("#dcdad5", "#000000", "#ffffff"),
           ("#b2c3ae", "#000000", "#d8e0d6"), ("#404858", "#e8e8f0", "#2c3240"), ("#ffffff", "#000000", "#ffffff")]
SEPARATOR, TICKABLE = 64, 128  # bits of a menu entry's state for the programs


class Layout:
    """Places parts from top to bottom; `parts` holds each one's line and what is known of it."""

    def __init__(self, rng, font, family):
        self.rng, self.font, self.family, self.parts = rng, font, family, []
        self.row = int(font.size * 1.25) + rng.choice([8, 10, 12, 14])
        self.gap = rng.choice([4, 6, 8, 10])

    def wide(self, s):
        return int(self.font.getlength(s) * 1.12) + 8

    def add(self, kind, x, y, w, h, label="", value="", state=0, about=None):
        self.parts.append({"line": (kind, x, y, w, h, state, label, value), "about": about})

    def blocks(self, blocks, x, y, w):
        for b in blocks:
            make = getattr(self, "b_" + b["t"], None)
            y = (make(b, x, y, w) if make else y) + self.gap
        return y

    def flow(self, items, x, y, w):
        """Left to right, wrapping; items are (width, draw(x, y))."""
        cx = x
        for width, draw in items:
            if cx > x and cx + width > x + w:
                cx, y = x, y + self.row + self.gap
            draw(cx, y)
            cx += width + self.gap
        return y + self.row

    def button(self, label, off=False, anchor=""):
        width = self.wide(label) + self.rng.choice([14, 20, 30])

        def draw(x, y):
            state = DISABLED if off else 0
            self.add("button", x, y, width, self.row, label, state=state, about={"kind": "button", "label": label, "anchor": anchor, "state": state})
        return width, draw

    def text(self, s, x, y, kind="text", listed=True):
        self.add("label", x, y, self.wide(s) + 6, self.row, s, about={"kind": kind, "label": s} if listed else None)

    def b_buttons(self, b, x, y, w):
        return self.flow([self.button(s, off) for s, off in zip(b["items"], b["off"] + [False] * 9)], x, y, w)

    def b_toolbar(self, b, x, y, w):
        return self.flow([self.button(it["label"]) for it in b["items"]], x, y, w)

    def b_grid(self, b, x, y, w):
        cw = max(self.button(s)[0] for s in b["items"])
        cols = max(1, min(b["cols"], w // (cw + self.gap)))
        for i, s in enumerate(b["items"]):
            self.add("button", x + i % cols * (cw + self.gap), y + i // cols * (self.row + self.gap), cw, self.row, s, about={"kind": "button", "label": s})
        return y + ((len(b["items"]) - 1) // cols) * (self.row + self.gap) + self.row

    def b_form(self, b, x, y, w):
        caption = max(self.wide(r["label"] + ":") + 6 for r in b["rows"])
        left = b["pos"] == "left"
        for r in b["rows"]:
            kind = "field" if r["kind"] == "password" or self.family == "xaw" else r["kind"]
            fx, fw = (x + caption + 4, w - caption - 4) if left else (x, w)
            self.text(r["label"] + (":" if b["colon"] else ""), x, y, listed=False)
            if not left:
                y += self.row
            if kind in ("spin", "combo"):
                fw = min(fw, 130 if kind == "spin" else self.wide(r["value"]) + 60)
            self.add(kind, fx, y, max(60, fw), self.row, "", r["value"], about={"kind": kind, "label": r["label"], "value": r["value"]})
            y += self.row + self.gap
        return y - self.gap

    def toggles(self, b, x, y, w, kind):
        cw = max(self.wide(s) for s in b["items"]) + self.row + 14
        cols = max(1, min(b["cols"], w // cw))
        for i, (s, on) in enumerate(zip(b["items"], b["on"])):
            shown, state = "toggle" if self.family == "xaw" else kind, CHECKED if on else 0
            width = self.wide(s) + (12 if self.family == "xaw" else self.row + 6)
            self.add(kind, x + i % cols * cw, y + i // cols * (self.row + 2), width, self.row, s, state=state,
                     about={"kind": shown, "label": s, "state": state})
        return y + ((len(b["items"]) - 1) // cols + 1) * (self.row + 2)

    def b_checks(self, b, x, y, w):
        return self.toggles(b, x, y, w, "check")

    def b_radios(self, b, x, y, w):
        return self.toggles(b, x, y, w, "radio")

    def b_switches(self, b, x, y, w):
        return self.toggles(dict(b, cols=1), x, y, w, "check")

    def b_list(self, b, x, y, w):
        h = int(self.font.size * 1.45) * len(b["items"]) + 24
        need = max(self.wide(s) for s in b["items"]) + 20
        self.add("list", x, y, max(need, min(w, need + self.rng.randint(0, 120))), h)
        for i, s in enumerate(b["items"]):
            state = SELECTED if i == b["sel"] else 0
            self.add("item", 0, 0, 0, 0, s, state=state, about={"kind": "item", "label": s, "state": state})
        if self.family == "xaw":
            self.parts.append({"line": ("rows", b["sel"]), "about": None, "control": True})
        return y + h

    def b_table(self, b, x, y, w):
        return self.b_list({"items": [r[0] for r in b["rows"]], "sel": b["sel"]}, x, y, w)

    def b_rows(self, b, x, y, w):
        cw = max(self.wide(n) for n in b["names"]) + 20
        for name in b["names"]:
            self.text(name, x, y)
            self.button(b["button"], anchor=name)[1](x + cw, y)
            y += self.row + self.gap
        return y - self.gap

    def b_keypad(self, b, x, y, w):
        cols = max(len(r) for r in b["rows"])
        kw, kh = max(34, min(80, w // cols)), self.row + self.rng.choice([0, 4, 10])
        if b["display"]:
            self.add("field", x, y, kw * cols, self.row, "", b["display"], about={"kind": "field", "value": b["display"]})
            y += self.row + self.gap
        for j, row in enumerate(b["rows"]):
            for i, s in enumerate(row):
                self.add("key", x + i * kw, y + j * kh, kw - b["gap"], kh - b["gap"], s, about={"kind": "key", "label": s})
        return y + kh * len(b["rows"])

    def b_slider(self, b, x, y, w):
        self.text(b["label"], x, y, listed=False)
        cw = self.wide(b["label"]) + 12
        self.add("slider", x + cw, y + 3, max(80, w - cw), self.row - 6, "", str(b["value"]), about={"kind": "slider", "label": b["label"]})
        return y + self.row

    def b_search(self, b, x, y, w):
        caption = b["hint"].rstrip(".") or "Search"
        self.text(caption, x, y, listed=False)
        cw = self.wide(caption) + 10
        width, draw = self.button(b["button"]) if b["button"] else (0, None)
        fw = max(60, w - cw - width - 6)
        self.add("field", x + cw, y, fw, self.row, "", b["value"], about={"kind": "field", "label": caption, "role": "search", "value": b["value"]})
        if draw:
            draw(x + cw + fw + 6, y)
        return y + self.row

    def b_text(self, b, x, y, w):
        h = self.rng.randint(60, 200)
        line = (b["lines"] or [""])[0]
        self.add("textarea", x, y, w, h, "", line if self.wide(line) < w else "", about={"kind": "textarea"})
        return y + h

    def b_label(self, b, x, y, w):
        self.text(b["text"], x, y)
        return y + self.row

    def b_status(self, b, x, y, w):
        self.text(b["text"], x, y, "status")
        return y + self.row

    def b_message(self, b, x, y, w):
        self.text(b["text"], x, y)
        if b["sub"]:
            self.text(b["sub"], x, y + self.row)
        return y + self.row * (2 if b["sub"] else 1)

    def b_frame(self, b, x, y, w):
        self.text(b["title"], x, y, "group")
        return self.blocks(b["blocks"], x + 8, y + self.row + 4, w - 16)

    def b_tabs(self, b, x, y, w):
        return self.blocks(b["blocks"], x, y, w)

    def b_hbox(self, b, x, y, w):
        return max(self.blocks(col, x + i * (w // 2 + 4), y, w // 2 - 8) for i, col in enumerate(b["cols"]))

    def menus(self, b):
        """Menu titles with their entries: in the bar, or along the top for Athena."""
        x = 2
        for i, m in enumerate(b["menus"]):
            width, state = self.wide(m["title"]) + 12, OPEN if i == b["open"] else 0
            self.add("menu", x, 2, width, self.row, m["title"], about={"kind": "menu", "label": m["title"], "state": state})
            x += width + 2
            for it in m["items"]:
                self.menu_item(it, m["title"])

    def menu_item(self, it, title):
        tickable = it["kind"] in ("check", "radio")
        off = DISABLED if it["off"] else 0
        on = CHECKED if it["on"] and tickable and self.family == "motif" else 0
        accel = it["accel"].replace("<Control>", "Ctrl+").replace("<Shift>", "Shift+")
        self.add("menu_item", 0, 0, 0, 0, it["label"], accel, state=off | on | (SEPARATOR if it["sep"] else 0) | (TICKABLE if tickable else 0),
                 about={"kind": "menu_item", "label": it["label"], "anchor": title, "state": on | off})


class Program:
    """The running window program."""

    def __init__(self, argv):
        self.proc = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1)

    def send(self, *fields):
        self.proc.stdin.write("\t".join(str(f) for f in fields) + "\n")
        self.proc.stdin.flush()

    def boxes(self):
        self.send("boxes")
        out = {}
        for line in self.proc.stdout:
            word = line.split()
            if word[0] == "end":
                break
            out[int(word[1])] = [int(v) for v in word[2:6]]
        return out

    def stop(self):
        self.proc.kill()
        self.proc.wait()


def arguments(rng, family, binary):
    """Command line for random fonts and colours, and a font to measure with."""
    bg, fg, base = rng.choice(COLOURS)
    name, size = rng.choice(list(XFT)), rng.choice([8, 9, 10, 10, 11, 12])
    px = round(size * 96 / 72)
    font = ImageFont.truetype(FONT_DIR + XFT[name], px)
    if family == "fltk":
        scheme = rng.choice(["none", "plastic", "gtk+", "gleam"])
        return [binary, " " + name, str(px), scheme, bg[1:], fg[1:], base[1:]], font
    if family == "motif" and rng.random() < 0.6:
        res = ["*renderTable:rt", "*rt.fontType:FONT_IS_XFT", f"*rt.fontName:{name}", f"*rt.fontSize:{size}"]
    else:
        core, like, px = rng.choice(CORE)
        res = [f"*fontList:{core}"] if family == "motif" else [f"*font:{core}"]
        font = ImageFont.truetype(FONT_DIR + XFT[like], px)
    if family == "xaw" and rng.random() < 0.5:
        res.append(f"*Command.shapeStyle:{rng.choice(['rectangle', 'oval', 'roundedRectangle'])}")
    res += [f"*background:{bg}", f"*foreground:{fg}", f"*field*background:{base}", f"*field.background:{base}"]
    return [binary] + [word for r in res for word in ("-xrm", r)], font


def press_menu(rig, box, down):
    """Holds the first mouse button on a menu title, or lets it go elsewhere."""
    x, y = ((box[0] + box[2]) // 2, (box[1] + box[3]) // 2) if down else (1270, 990)
    xtest.fake_input(rig.dpy, X.MotionNotify, x=x, y=y)
    xtest.fake_input(rig.dpy, X.ButtonPress if down else X.ButtonRelease, 1)
    rig.dpy.sync()


def one_window(rng, rig, maker, family, binary):
    spec = maker.window()
    argv, font = arguments(rng, family, binary)
    lay = Layout(rng, font, family)
    bars = [b for b in spec["blocks"] if b["t"] == "menubar"]
    top = spec["pad"]
    if bars:
        lay.menus(bars[0])
        top += lay.row + 6 if family != "motif" else 0
    width = max(spec["w"], 330)
    bottom = lay.blocks([b for b in spec["blocks"] if b not in bars], spec["pad"], top, width - 2 * spec["pad"])
    right = max([p["line"][1] + p["line"][3] for p in lay.parts if not p.get("control")] + [width])
    height = max(bottom + spec["pad"], 80, 300 if bars and bars[0]["open"] >= 0 else 0)
    if bars and family == "motif":
        height += lay.row + 8
    if right > 900 or height > 700:
        return
    prog = Program(argv)
    try:
        prog.send("win", spec["title"], right + spec["pad"], height)
        for p in lay.parts:
            prog.send(*p["line"])
        prog.send("show")
        word = prog.proc.stdout.readline().split()
        if len(word) == 2:
            capture(rng, rig, lay, prog, spec, bars, family, int(word[1]))
    finally:
        prog.stop()


def capture(rng, rig, lay, prog, spec, bars, family, xid):
    time.sleep(0.3)
    known = [p["about"] for p in lay.parts if not p.get("control")]
    boxes, cover, opened = prog.boxes(), None, None
    if bars and bars[0]["open"] >= 0 and family != "fltk":
        opened = next(b for i, b in boxes.items() if known[i] and known[i].get("state") == OPEN and known[i]["kind"] == "menu")
        press_menu(rig, opened, True)
        time.sleep(0.25)
        boxes = prog.boxes()
        items = [b for i, b in boxes.items() if known[i] and known[i]["kind"] == "menu_item"]
        if items:
            cover = (min(b[0] for b in items) - 3, min(b[1] for b in items), max(b[2] for b in items) + 3, max(b[3] for b in items) + 3)
    found = []
    for i, b in boxes.items():
        about = dict(known[i]) if known[i] else None
        if about and about["kind"] == "menu" and not cover:
            about["state"] = 0
        if about:
            found.append(element(about.pop("kind"), b, **about))
    rig.stage(xid, found, spec["title"], rng.random() < 0.6, False, cover)
    if opened:
        press_menu(rig, opened, False)


def main():
    seed, count, out, buttons, binary = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4], sys.argv[5]
    family = os.path.basename(binary).removeprefix("win_")
    rng = random.Random(seed)
    rig = Rig(out, f"{family}-{seed}-", family, None if buttons == "-" else buttons.split(","))
    rig.words = Words(rng)
    maker = SpecMaker(rng, rig.words, icons=False)
    for _ in range(count):
        one_window(rng, rig, maker, family, binary)
    print(rig.toolkit, rig.count, "of", count)


main()
