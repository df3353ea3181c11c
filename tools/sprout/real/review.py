"""Makes the held-out set from captured screens: review.py RAW_DIR OUT_DIR [--look DIR].

What the tree says is filtered by rule (seen on top, label unique and plain), then by corrections.json, which
holds what a person found wrong on the pictures: per picture the questions to drop (null) or to replace by the text
that is shown; "*" drops the picture.
--look writes the pictures with the boxes drawn, for that person.
"""
import argparse
import glob
import json
import os
import subprocess

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
    """A small button with the name of a common icon, or with no room for its name.

    Only the accessibility tree names icons; the other readers give shown text alone.
    """
    width, name = e["box"][2] - e["box"][0], e["label"]
    if e["kind"] != "button" or len(name) < 2 or e["top"] is None:
        return False
    return width <= 46 and name.lower() in ICON_WORDS or width <= 56 and len(name) > 2 and len(name) * 5.5 > width - 6


def has_text(e):
    return e["top"] is None or e["box"][2] - e["box"][0] >= len(e["label"]) * 5.5 + 4


def ask_of(e, captions):
    """(what to ask, its type), or None when what the tree calls it cannot be seen."""
    kind, label = e["kind"], e["label"]
    if kind == "winbutton":
        return f"the {label} icon", "icon"
    icon = is_icon(e)
    if icon or kind in ("check", "radio") and not has_text(e):
        word = ICON_WORDS.get(label.lower())
        return (f"the {word} icon", "icon") if word else None
    if TYPES.get(kind) == "field":
        hint = kind == "field" and label != e["text"]  # GTK's text in an empty field
        if label.lower() in captions or hint:
            return f"the {label} field", "field"
        return (label, "text") if kind == "combo" and label == e["text"] else None
    if kind in ("check", "radio") and e["box"][3] - e["box"][1] >= 32:
        return label, "text"  # a row of buttons of which one is on
    return label, TYPES.get(kind, "text")


def candidates(shot):
    seen = [e for e in shot["elements"] if e["seen"]]
    texts = [t.lower() for e in seen for t in {e["label"], e["text"]} if t]
    captions = {e["label"].lower() for e in seen if e["kind"] == "text"}
    out, boxes = [], set()
    for e in seen:
        if e["kind"] == "text" or "symbolic" in e["label"] or not plain(e["label"]) or tuple(e["box"]) in boxes:
            continue
        asked = ask_of(e, captions)
        same = texts.count(e["label"].lower())
        if asked is None or same > (2 if asked[1] == "field" else 1):
            continue
        boxes.add(tuple(e["box"]))
        out.append({"instruction": asked[0], "label": e["label"], "data_type": asked[1], "kind": e["kind"], "box": e["box"]})
    asks = [c["instruction"].lower() for c in out]
    return [c for c in out if asks.count(c["instruction"].lower()) == 1]


def correct(items, fixes):
    """A person's findings: what to drop, or the text that is really shown."""
    if "*" in fixes:
        return []
    out = []
    for c in items:
        fix = fixes.get(c["instruction"], c["instruction"])
        if fix is not None:
            out.append(c if fix == c["instruction"] else dict(c, instruction=fix, label=fix, data_type="text"))
    return out


def save(src, dst):
    """The same pixels in fewer bytes."""
    Image.open(src).save(dst, optimize=True)
    subprocess.run(["optipng", "-quiet", "-o2", dst], check=False)


def row(shot, c):
    x0, y0, x1, y1 = c["box"]
    return {"img_filename": shot["file"], "bbox": [x0, y0, x1 - x0, y1 - y0], "instruction": c["instruction"], "data_type": c["data_type"],
            "data_source": shot["toolkit"], "application": shot["app"], "label": c["label"], "kind": c["kind"]}


def shrink(rows, folder, limit):
    """Drops the pictures that hold least for their size, never a program's last one."""
    size = {f: os.path.getsize(os.path.join(folder, f)) for f in {r["img_filename"] for r in rows}}
    app = {r["img_filename"]: r["application"] for r in rows}
    worth = {f: sum(2 if r["data_type"] != "text" else 1 for r in rows if r["img_filename"] == f) / size[f] for f in size}
    for f in sorted(size, key=worth.get):
        if sum(size.values()) <= limit:
            break
        if sum(app[g] == app[f] for g in size) > 1:
            del size[f]
            os.unlink(os.path.join(folder, f))
    return [r for r in rows if r["img_filename"] in size]


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
    ap.add_argument("--limit", type=int, default=2640, help="KiB of pictures: beyond it those with the fewest elements for their size go")
    args = ap.parse_args()
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "corrections.json"), encoding="utf-8") as fh:
        fixes = json.load(fh)
    os.makedirs(args.out, exist_ok=True)
    rows, asked = [], {}
    for path in sorted(glob.glob(os.path.join(args.raw, "raw-*.json"))):
        for shot in json.load(open(path, encoding="utf-8")):
            known_wrong = {**fixes.get(shot["file"].rsplit("-", 1)[0], {}), **fixes.get(shot["file"], {})}
            items = correct(candidates(shot), known_wrong)
            # the same element on the next picture of the program says nothing new
            known = asked.setdefault(path, set())
            fresh = [c for c in items if (c["instruction"], tuple(c["box"])) not in known]
            if len(fresh) < 3 and shot["app"] != "zenity":
                continue
            if args.look:
                os.makedirs(args.look, exist_ok=True)
                draw(os.path.join(args.raw, shot["file"]), fresh, os.path.join(args.look, shot["file"]))
            known.update((c["instruction"], tuple(c["box"])) for c in fresh)
            save(os.path.join(args.raw, shot["file"]), os.path.join(args.out, shot["file"]))
            rows += [row(shot, c) for c in fresh]
    rows = shrink(rows, args.out, args.limit * 1024)
    with open(os.path.join(args.out, "real.json"), "w", encoding="utf-8") as fh:
        fh.write("[\n" + ",\n".join(json.dumps(r) for r in rows) + "\n]\n")
    count = lambda key: {k: sum(r[key] == k for r in rows) for k in sorted({r[key] for r in rows})}  # noqa: E731
    print(len(rows), count("data_source"), count("data_type"), count("application"), sep="\n")


main()
