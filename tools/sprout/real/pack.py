"""Packs staged windows into a bank for the scene generator: pack.py STAGE_DIR BANK [--lib PATH].

Writes BANK and BANK.xz; prints how many windows of each toolkit.
"""
import argparse
import collections
import glob
import json
import os
import random
import sys

import numpy
from PIL import Image

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from scene import KINDS, ROLES, BankWriter  # noqa: E402

TOOLKITS = {"gtk3": 1, "qt5": 2, "tk": 3, "motif": 4, "xaw": 4, "fltk": 5}
FRAMED = 1
SHOWN = set("text button menu menu_item check radio tab item cell header key link title group status toolbutton toggle".split())


def ready(e):
    """An element as the bank wants it, or None."""
    if e["kind"] not in KINDS:
        raise SystemExit(f"unknown kind {e['kind']}")
    role = e["role"].replace("_", " ")
    role = role if role in ROLES else ""
    if e["kind"] == "icon" and not role:
        return None
    return dict(e, role=role, label=e["label"][:63], anchor=e["anchor"][:47], value=e["value"][:47])


def legible(pixels, e):
    """Whether what shows the label stands out at all: some themes draw text in the colour of its ground."""
    if not e["label"] or e["kind"] not in SHOWN:
        return True
    x0, y0, x1, y1 = e["box"]
    grey = pixels[y0 + 2:y1 - 2, x0 + 2:x1 - 2].mean(axis=2)
    return grey.size == 0 or grey.max() - grey.min() >= 24


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("stage")
    ap.add_argument("bank")
    ap.add_argument("--lib")
    args = ap.parse_args()
    stems = sorted(p[:-5] for p in glob.glob(os.path.join(args.stage, "*.json")))
    random.Random(5).shuffle(stems)
    # neighbours in the file share fonts and colours, which packs better: keep runs of one program together
    stems.sort(key=lambda s: os.path.basename(s).split("-")[:2])
    bank, count, elements = BankWriter(args.bank, args.lib), collections.Counter(), 0
    for stem in stems:
        with open(stem + ".json", encoding="utf-8") as fh:
            window = json.load(fh)
        pixels = numpy.asarray(Image.open(stem + ".png").convert("RGB"))
        every = [e for e in map(ready, window["elements"]) if e]
        found = [e for e in every if legible(pixels, e)]
        if len(found) < 0.7 * len(every):
            count["illegible"] += 1
            continue
        bank.add(pixels, found, title=window["title"][:63],
                 toolkit=TOOLKITS[window["toolkit"]], flags=FRAMED if window["framed"] else 0)
        count[window["toolkit"]] += 1
        elements += len(found)
    bank.close(xz=True)
    print(dict(count), "windows", elements, "elements", os.path.getsize(args.bank + ".xz") // 1024, "KiB packed")


main()
