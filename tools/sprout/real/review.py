"""Makes the held-out set from captured screens: review.py RAW_DIR OUT_DIR [--look DIR].

What the tree says is filtered by rule (seen on top, label unique and plain), then by corrections.json, which
holds what a person found wrong on the pictures: per picture the labels to drop, and "*" to drop the picture.
--look writes the pictures with the boxes drawn, for that person.
"""
import argparse
import glob
import json
import os

from PIL import Image, ImageDraw

ICON_WORDS = {  # a name the tree gives -> what the icon shows, as people ask for it
    "new": "file", "open": "folder", "save": "save", "print": "print", "cut": "cut", "copy": "copy", "paste": "paste", "undo": "undo",
    "redo": "redo", "search": "search", "find": "search", "close": "close", "back": "left arrow", "forward": "right arrow", "up": "up arrow",
    "home": "home", "refresh": "reload", "reload": "reload", "zoom in": "zoom in", "zoom out": "zoom out", "preferences": "settings",
    "settings": "settings", "stop": "stop", "delete": "trash", "help": "help", "menu": "menu", "minimize": "minimize", "maximize": "maximize",
    "lock database": "lock", "previous": "left arrow", "next": "right arrow", "add": "plus", "remove": "minus", "filter": "filter"}
TYPES = {"field": "field", "spin": "field", "combo": "field", "slider": "field", "check": "check", "radio": "check"}


def plain(label):
    return 0 < len(label) <= 24 and label.isascii() and label.isprintable()


def is_icon(e):
    """A small button with the name of a common icon, or with no room for its name."""
    width, name = e["box"][2] - e["box"][0], e["label"]
    if e["kind"] != "button" or len(name) < 2:
        return False
    return width <= 46 and name.lower() in ICON_WORDS or width <= 56 and len(name) > 2 and len(name) * 5.5 > width - 6


def candidates(shot):
    seen = [e for e in shot["elements"] if e["seen"]]
    texts = [t.lower() for e in shot["elements"] if e["seen"] for t in {e["label"], e["text"]} if t]
    out, boxes = [], set()
    for e in seen:
        if e["kind"] == "text" or "symbolic" in e["label"] or not plain(e["label"]) or tuple(e["box"]) in boxes:
            continue
        icon = is_icon(e)
        same = sum(t == e["label"].lower() for t in texts)
        caption = e["kind"] in TYPES and TYPES[e["kind"]] == "field"
        if same > (2 if caption else 1):
            continue
        if icon and e["label"].lower() not in ICON_WORDS:
            continue
        word = ICON_WORDS.get(e["label"].lower(), "")
        kind = "icon" if icon else TYPES.get(e["kind"], "text")
        ask = f"the {word} icon" if icon else f"the {e['label']} field" if kind == "field" else e["label"]
        boxes.add(tuple(e["box"]))
        out.append({"instruction": ask, "label": e["label"], "data_type": kind, "kind": e["kind"], "box": e["box"]})
    asks = [c["instruction"].lower() for c in out]
    return [c for c in out if asks.count(c["instruction"].lower()) == 1]


def draw(src, items, dst):
    img = Image.open(src).convert("RGB")
    pen = ImageDraw.Draw(img)
    for c in items:
        b = c["box"]
        colour = {"text": (255, 0, 0), "icon": (0, 0, 255), "field": (0, 140, 0), "check": (200, 0, 200)}[c["data_type"]]
        pen.rectangle((b[0], b[1], b[2] - 1, b[3] - 1), outline=colour)
        tag = c["instruction"]
        pen.rectangle((b[0], b[1] - 7, b[0] + 6 * len(tag), b[1] + 2), fill=(255, 255, 200))
        pen.text((b[0], b[1] - 8), tag, fill=colour)
    img.save(dst)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("raw")
    ap.add_argument("out")
    ap.add_argument("--look")
    args = ap.parse_args()
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "corrections.json"), encoding="utf-8") as fh:
        fixes = json.load(fh)
    os.makedirs(args.out, exist_ok=True)
    rows, asked = [], {}
    for path in sorted(glob.glob(os.path.join(args.raw, "raw-*.json"))):
        for shot in json.load(open(path, encoding="utf-8")):
            drop = fixes.get(shot["file"], [])
            items = [] if "*" in drop else [c for c in candidates(shot) if c["instruction"] not in drop]
            # the same element on the next picture of the program says nothing new
            known = asked.setdefault(shot["app"] + path, set())
            fresh = [c for c in items if (c["instruction"], tuple(c["box"])) not in known]
            if args.look:
                os.makedirs(args.look, exist_ok=True)
                draw(os.path.join(args.raw, shot["file"]), fresh, os.path.join(args.look, shot["file"]))
            if len(fresh) < 2 and shot["app"] != "zenity":
                continue
            known.update((c["instruction"], tuple(c["box"])) for c in fresh)
            Image.open(os.path.join(args.raw, shot["file"])).save(os.path.join(args.out, shot["file"]), optimize=True)
            for c in fresh:
                x0, y0, x1, y1 = c["box"]
                rows.append({"img_filename": shot["file"], "bbox": [x0, y0, x1 - x0, y1 - y0], "instruction": c["instruction"],
                             "data_type": c["data_type"], "data_source": shot["toolkit"], "application": shot["app"], "label": c["label"],
                             "kind": c["kind"]})
    with open(os.path.join(args.out, "real.json"), "w", encoding="utf-8") as fh:
        fh.write("[\n" + ",\n".join(json.dumps(r) for r in rows) + "\n]\n")
    count = lambda key: {k: sum(r[key] == k for r in rows) for k in sorted({r[key] for r in rows})}  # noqa: E731
    print(len(rows), count("data_source"), count("data_type"), count("application"), sep="\n")


main()
