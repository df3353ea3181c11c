#!/usr/bin/env python3
"""Hold `deskhand forward` against the stored numbers.

    tests/vectors/model/compare_forward.py [build/release/deskhand]

Writes each variant's checkpoint (its weights are a function of their names, see
tools/make_fixture.py), runs the program on cases.json, and compares the logits
and the greedy ids with expected/. Variants g and h have the weights of a under
other names; the tests in C write those. Needs numpy only.
"""
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "..", "tools"))
sys.dont_write_bytecode = True
import make_fixture  # noqa: E402

LIMIT = 1e-4


def read_tensors(path):
    with open(path, "rb") as f:
        head = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    kinds = {"F32": "<f4", "I32": "<i4", "U8": "u1"}
    head.pop("__metadata__", None)
    return {k: np.frombuffer(data[v["data_offsets"][0]:v["data_offsets"][1]],
                             kinds[v["dtype"]]).reshape(v["shape"])
            for k, v in head.items()}


def run(program, folder, work, options):
    """-> {case: (logits, greedy)}"""
    with open(os.path.join(folder, "config.json")) as f:
        cfg = json.load(f)
    model, out = os.path.join(work, "model"), os.path.join(work, "out")
    make_fixture.write_model(model, cfg, {
        n: make_fixture.values(n, s) for n, s in make_fixture.released_shapes(cfg)})
    shutil.copy(os.path.join(folder, "preprocessor_config.json"), model)
    said = subprocess.run(
        [program, "forward", "--model", model, "--input",
         os.path.join(folder, "cases.json"), "--out", out] + options,
        check=True, stdout=subprocess.PIPE, text=True).stdout
    vocab = cfg["text_config"]["vocab_size"]
    got = {}
    for line in said.splitlines():
        one = json.loads(line)
        path = os.path.join(out, f"case{one['case']}.logits.f32")
        got[one["case"]] = np.fromfile(path, "<f4").reshape(-1, vocab), one["greedy"]
    return got


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else "build/release/deskhand"
    bad = 0
    for variant in "abcdefi":
        folder = os.path.join(HERE, variant)
        want = read_tensors(os.path.join(folder, "expected", "model.safetensors"))
        with open(os.path.join(folder, "cases.json")) as f:
            cases = json.load(f)
        for options in ([], ["--kernels", "ref", "--chunk", "7"]):
            with tempfile.TemporaryDirectory() as work:
                got = run(program, folder, work, options)
            for k in range(len(cases)):
                logits, greedy = got[k]
                name = f"case{k}."
                assert len(logits) == len(want[name + "ids"]) == len(cases[k]["ids"])
                rows = want[name + "rows"]
                diff = np.abs(logits[rows].astype(np.float64) - want[name + "logits"]).max()
                same = greedy == want[name + "greedy"].tolist()
                ok = diff <= LIMIT and same
                bad += not ok
                print(f"{variant} case{k} {' '.join(options) or 'default':24s} "
                      f"{len(logits):5d} ids, {len(rows):3d} rows: {diff:.1e}, "
                      f"{len(greedy)} greedy ids {'equal' if same else 'DIFFER'}"
                      f"{'' if ok else '  FAILED'}")
    print("failed:" if bad else "all within", bad if bad else LIMIT)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
