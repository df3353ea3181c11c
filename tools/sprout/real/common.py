"""What all toolkit programs share: capturing a window, finding its frame, writing it to the staging folder.

A staged window is NNN.png (the picture) and NNN.json (title, toolkit, framed, elements).
Boxes are [x0, y0, x1, y1] in pixels of the picture, x1 and y1 exclusive.
"""
import json
import os
import time

from PIL import Image
from Xlib import X, display as xdisplay

MAX_W, MAX_H = 1000, 740


def element(kind, box, label="", role="", state=0, anchor="", value=""):
    """One element; `box` is in root coordinates until `Rig.stage` moves it."""
    return {"kind": kind, "box": [int(round(v)) for v in box], "label": clean(label), "role": role,
            "state": int(state), "anchor": clean(anchor), "value": value}


def clean(text):
    """A label as people say it: no trailing colon or dots."""
    text = text.strip()
    while text and (text[-1] in ":" or text.endswith("...") or text.endswith("\u2026")) and len(text) > 1:
        text = text[:-3] if text.endswith("...") else text[:-1]
    return text.strip()


CHECKED, DISABLED, FOCUSED, SELECTED, DEFAULT, OPEN = 1, 2, 4, 8, 16, 32


def overlap(a, b):
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


class Rig:
    """Screen access of one capture process. `buttons`: the title bar's buttons left to right, or None for no frame."""

    def __init__(self, out, prefix, toolkit, buttons=None):
        self.dpy = xdisplay.Display(os.environ["DISPLAY"])
        self.root = self.dpy.screen().root
        self.out, self.prefix, self.toolkit, self.buttons = out, prefix, toolkit, buttons
        self.count = 0
        os.makedirs(out, exist_ok=True)

    def geometry(self, win):
        """x, y, w, h in root coordinates, without border."""
        g = win.get_geometry()
        p = win.translate_coords(self.root, 0, 0)
        return -p.x, -p.y, g.width, g.height

    def grab(self, box):
        """RGB picture of a root rectangle."""
        x0, y0, x1, y1 = box
        raw = self.root.get_image(x0, y0, x1 - x0, y1 - y0, X.ZPixmap, 0xFFFFFFFF)
        return Image.frombytes("RGB", (x1 - x0, y1 - y0), raw.data, "raw", "BGRX")

    def frame_of(self, xid):
        """The child of the root window that holds `xid`, or None."""
        win = self.dpy.create_resource_object("window", xid)
        while True:
            tree = win.query_tree()
            if tree.parent == 0 or tree.parent == self.root:
                return win
            win = tree.parent

    def frame_parts(self, frame, xid):
        """Viewable windows of the frame that are not the client's, as root rectangles."""
        out, todo = [], list(frame.query_tree().children)
        while todo:
            win = todo.pop()
            if win.id == xid or win.get_attributes().map_state != X.IsViewable:
                continue
            out.append(self.geometry(win))
            todo.extend(win.query_tree().children)
        return out

    def frame_elements(self, frame, xid, client, title):
        """Elements of the title bar, or None when its parts are not as expected."""
        fx, fy, fw, fh = self.geometry(frame)
        top = client[1] - fy
        if top < 12 or not self.buttons:
            return None
        found = sorted(p for p in self.frame_parts(frame, xid)
                       if 8 <= p[2] <= 44 and 8 <= p[3] <= 44 and abs(p[2] - p[3]) <= 12 and p[1] + p[3] <= client[1] + 3
                       and p[2] * p[3] >= 90)
        found = [p for i, p in enumerate(found) if i == 0 or p[0] - found[i - 1][0] >= 6]
        if len(found) != len(self.buttons):
            return None
        out = []
        for name, (x, y, w, h) in zip(self.buttons, found):
            if name in ("close", "minimize", "maximize"):
                out.append(element("winbutton", (x, y, x + w, y + h), role=name, anchor=title))
        left = [p for p, n in zip(found, self.buttons) if p[0] + p[2] / 2 < fx + fw / 2]
        right = [p for p in found if p[0] + p[2] / 2 >= fx + fw / 2]
        x0 = max((p[0] + p[2] for p in left), default=fx + 2)
        x1 = min((p[0] for p in right), default=fx + fw - 2)
        out.append(element("title", (x0, fy + 1, x1, client[1] - 1), label=title))
        return out

    def stage(self, xid, elements, title, framed, own_bar=False, cover=None):
        """Captures the window of `xid` and writes picture and boxes. True when something was written.

        `cover` is the root rectangle of an open menu: what it hides is left out.
        """
        win = self.dpy.create_resource_object("window", xid)
        x, y, w, h = client = self.geometry(win)
        frame, bar = self.frame_of(xid), None
        if framed and frame is not None:
            bar = self.frame_elements(frame, xid, client, title)
        if bar is not None:
            x, y, w, h = self.geometry(frame)
            border = frame.get_geometry().border_width
            x, y, w, h = x - border, y - border, w + 2 * border, h + 2 * border
            elements = elements + bar
        if cover:
            elements = [e for e in elements if e["kind"] == "menu_item" or not overlap(e["box"], cover)]
        scr = self.dpy.screen()
        if x < 0 or y < 0 or x + w > scr.width_in_pixels or y + h > scr.height_in_pixels or w > MAX_W or h > MAX_H or w < 60 or h < 30:
            return False
        image = self.grab((x, y, x + w, y + h))
        kept = []
        for e in elements:
            b = [e["box"][0] - x, e["box"][1] - y, e["box"][2] - x, e["box"][3] - y]
            if b[0] >= 0 and b[1] >= 0 and b[2] <= w and b[3] <= h and b[2] - b[0] >= 3 and b[3] - b[1] >= 3:
                kept.append(dict(e, box=b))
        if not kept:
            return False
        stem = os.path.join(self.out, f"{self.prefix}{self.count:04d}")
        image.save(stem + ".png", compress_level=1)
        with open(stem + ".json", "w", encoding="utf-8") as fh:
            json.dump({"title": title if bar is not None or own_bar else "", "toolkit": self.toolkit,
                       "framed": bar is not None or own_bar, "elements": kept}, fh)
        self.count += 1
        return True


def wait_mapped(rig, xid, pump, limit=1.0):
    """Runs `pump` until the window is viewable and, with a manager, reparented."""
    end = time.time() + limit
    win = rig.dpy.create_resource_object("window", xid)
    while time.time() < end:
        pump()
        try:
            if win.get_attributes().map_state == X.IsViewable:
                return True
        except Exception:  # the window may not exist yet
            pass
        time.sleep(0.01)
    return False
