#!/usr/bin/env python3
"""Writes scenes as PNG, plain and with their boxes; --bench measures, --check tests invariants."""
import argparse
import collections
import os
import sys
import time

from PIL import Image, ImageDraw

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import scene as sc

COLOURS = ["red", "blue", "green", "magenta", "orange", "cyan", "purple", "brown"]


def annotate(rgb, out, chars):
    im = Image.fromarray(rgb)
    d = ImageDraw.Draw(im)
    for e in out.elements:
        box = (int(e["x0"]), int(e["y0"]), int(e["x1"]) - 1, int(e["y1"]) - 1)
        d.rectangle(box, outline=COLOURS[e["kind"] % 8], width=1 + bool(e["flags"] & sc.F.UNIQUE))
        name = sc.ROLE_NAMES[e["role"]] if e["role"] else ""
        if name and not e["label"]:
            d.text((box[0], box[1] - 4), name, fill="red")
    if chars:
        for c in out.chars:
            d.point((int(c["x"]), int(c["y"])), fill=(0, 255, 0))
            d.point((int(c["x"]) + 1, int(c["y"])), fill=(255, 0, 255))
    return im


def listing(out):
    for w in out.windows:
        print("window", w["title"].decode(), [int(w[k]) for k in ("x0", "y0", "x1", "y1", "flags",
                                                                  "kind")])
    for e in out.elements:
        print(sc.KIND_NAMES[e["kind"]], [int(e[k]) for k in ("x0", "y0", "x1", "y1")],
              e["label"].decode(), sc.ROLE_NAMES[e["role"]], "flags", int(e["flags"]), "state",
              int(e["state"]), e["anchor"].decode(), e["value"].decode())


def check(g, first, n, size):
    """Invariants over n scenes: the same seed gives the same scene, boxes lie inside."""
    kinds = collections.Counter()
    total = collections.Counter()
    for seed in range(first, first + n):
        rgb, out = g.make(seed, *size)
        a = (rgb.copy(), out.elements.copy(), out.chars.copy())
        rgb, out = g.make(seed, *size)
        assert (rgb == a[0]).all() and (out.elements == a[1]).all(), seed
        assert (out.chars == a[2]).all(), seed
        e = out.elements
        assert (e["x0"] < e["x1"]).all() and (e["y0"] < e["y1"]).all(), seed
        assert (e["x0"] >= 0).all() and (e["x1"] <= size[0]).all(), seed
        assert (e["y0"] >= 0).all() and (e["y1"] <= size[1]).all(), seed
        for x in e:
            kinds[sc.KIND_NAMES[x["kind"]]] += 1
            kinds[sc.KIND_NAMES[x["kind"]] + " unique"] += bool(x["flags"] & sc.F.UNIQUE)
            total["role"] += bool(x["flags"] & sc.F.UNIQUE_ROLE)
            total["relation"] += bool(x["flags"] & sc.F.RELATION)
        total["elements"] += len(e)
        total["chars"] += len(out.chars)
        total["dropped"] += out.dropped
        total["unknown"] += len(out.unknown)
    print({k: round(v / n, 2) for k, v in total.items()})
    print({k: round(kinds[k] / n, 2) for k in sorted(kinds)})


def bench(g, first, n, size):
    rgb = None
    for k in range(2):
        t = time.process_time()
        for i in range(n):
            rgb, _ = g.make(first + k * n + i, *size, rgb=rgb)
        dt = time.process_time() - t
        print("pass %d: %.0f scenes/s" % (k, n / dt))
    t = time.process_time()
    for i in range(50):
        g.resize(rgb, 1036, 756)
    print("resize %.2f ms" % ((time.process_time() - t) * 20))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--lib")
    p.add_argument("--assets")
    p.add_argument("--bank")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("-n", type=int, default=8)
    p.add_argument("--size", default="1036x756")
    p.add_argument("--flags", type=int, default=0)
    p.add_argument("--out", default="/tmp/scenes")
    p.add_argument("--chars", action="store_true")
    p.add_argument("--list", action="store_true")
    p.add_argument("--bench", action="store_true")
    p.add_argument("--check", action="store_true")
    a = p.parse_args()
    size = tuple(int(v) for v in a.size.split("x"))
    g = sc.Scene(a.lib, a.assets, a.bank)
    if a.bench:
        return bench(g, a.seed, a.n, size)
    if a.check:
        return check(g, a.seed, a.n, size)
    os.makedirs(a.out, exist_ok=True)
    for seed in range(a.seed, a.seed + a.n):
        rgb, out = g.make(seed, *size, flags=a.flags)
        Image.fromarray(rgb).save("%s/%d.png" % (a.out, seed))
        annotate(rgb, out, a.chars).save("%s/%d_boxes.png" % (a.out, seed))
        if a.list:
            listing(out)


if __name__ == "__main__":
    main()
