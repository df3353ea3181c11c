#!/usr/bin/env python3
"""Writes a test set of synthetic scenes that training never saw.

    make_eval.py OUT [SCENES]      OUT/synthetic.json and OUT/*.png, 1024x768

Needs libscene.so and the assets of make_assets.sh in .carry/ (see README.md) and
numpy and pillow. No captured windows are in it. Each scene asks for two elements
and reads one; `deskhand eval ground OUT` measures."""
import json
import os
import random
import sys

from PIL import Image

import data
import tasks
from scene import KIND_NAMES, Scene

HERE = os.path.dirname(os.path.abspath(__file__))
CARRY = os.path.join(HERE, "../../.carry")
FIRST = 1 << 60  # far from any seed of training
W, H = 1024, 768


def located(rng, els, words):
    """Two questions about different elements, as [(instruction, element)]."""
    out, can = [], [e for e in els if tasks.askable(e)]
    rng.shuffle(can)
    for e in can:
        got = tasks.click_clause(rng, e)
        if got and len(out) < 2:
            out.append((tasks.join(rng, [got]), e))
    return out


def main():
    out = sys.argv[1]
    scenes = int(sys.argv[2]) if len(sys.argv) > 2 else 500
    os.makedirs(out, exist_ok=True)
    gen = Scene(lib=os.path.join(CARRY, "libscene.so"), assets=os.path.join(CARRY, "assets"), bank=None)
    words, rows = data.load_words(CARRY), []
    for i in range(scenes):
        rng = random.Random(FIRST + i)
        rgb, scene = gen.make(FIRST + i, W, H, flags=1 | 8)
        els = data.read_elements(scene)
        name = f"{i:04d}.png"
        Image.fromarray(rgb).save(os.path.join(out, name))
        for text, e in located(rng, els, words):
            rows.append({"img_filename": name, "bbox": [int(e.x0), int(e.y0), int(e.x1 - e.x0), int(e.y1 - e.y0)],
                         "instruction": text, "data_type": KIND_NAMES[e.kind], "data_source": "synthetic"})
        can = [e for e in els if tasks.readable(e)]
        if can:
            item = tasks.read(rng, rng.choice(can), W, H)
            rows.append({"img_filename": name, "instruction": item.question, "answer": item.answer,
                         "data_type": "read", "data_source": "synthetic"})
    with open(os.path.join(out, "synthetic.json"), "w", encoding="utf-8") as f:
        json.dump(rows, f, indent=0)
    print(len(rows), "items on", scenes, "scenes")


main()
