"""The same as tree.py for programs without an accessibility tree: Athena and Motif (xt_dump.c), Tk (tk_dump.tcl)."""
import os
import time

KINDS = {"Command": "button", "Repeater": "button", "Toggle": "button", "MenuButton": "menu", "Label": "text", "SmeBSB": "menu_item"}


def kind_of(cls, parent, popup):
    if parent == "Tk":
        return cls
    if cls in KINDS:
        return KINDS[cls]
    if popup:
        return "text" if "Label" in cls else "menu_item"
    for part, kind in (("Cascade", "menu"), ("Toggle", "check"), ("Button", "button")):
        if part in cls:
            return kind
    return "text"


def clean(text):
    text = text.strip()
    while text and (text[-1] == ":" or text.endswith("...")):
        text = text[:-3] if text.endswith("...") else text[:-1]
    return text.strip()


def read_all():
    """Asks the running program; an empty list when it does not answer."""
    ask, out = os.environ["DUMP_ASK"], os.environ["DUMP_OUT"]
    if os.path.exists(out):
        os.unlink(out)
    with open(ask, "w", encoding="utf-8"):
        pass
    end = time.time() + 3
    while not os.path.exists(out):
        if time.time() > end:
            return []
        time.sleep(0.05)
    found = []
    with open(out, encoding="utf-8", errors="replace") as fh:
        for line in fh:
            cls, parent, popup, x0, y0, x1, y1, on, label = line.rstrip("\n").split("\t")
            popup = popup == "1"
            found.append({"kind": kind_of(cls, parent, popup), "label": clean(label), "box": [int(x0), int(y0), int(x1), int(y1)], "top": None,
                          "popup": popup, "checked": on == "1", "text": clean(label), "about": ""})
    return found


def find_box(label):
    return next((e["box"] for e in read_all() if e["label"] == label), None)
