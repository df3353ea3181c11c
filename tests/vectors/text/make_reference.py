#!/usr/bin/env python3
"""Ids and decoded text of strings.json by the published tokenizers library.

    python3 make_reference.py [folder]     (default: the folder of this script)

Reads tiny_tokenizer.json, tiny_flags.json and strings.json beside this script;
writes expected.json into the folder: {"library", "version", file name:
[{"ids", "decoded"}]}. The tests compare with it where it is present.
"""
import json
import os
import sys

import tokenizers

here = os.path.dirname(os.path.abspath(__file__))
out = sys.argv[1] if len(sys.argv) > 1 else here
with open(os.path.join(here, "strings.json"), encoding="utf-8") as f:
    strings = json.load(f)
with open(os.path.join(here, "expected_plain.json"), encoding="utf-8") as f:
    plain = json.load(f)

result = {"library": "tokenizers", "version": tokenizers.__version__}
for name in ("tiny_tokenizer.json", "tiny_flags.json"):
    tok = tokenizers.Tokenizer.from_file(os.path.join(here, name))
    rows, differ = [], 0
    for text, mine in zip(strings, plain[name]):
        ids = tok.encode(text, add_special_tokens=False).ids
        rows.append({"ids": ids, "decoded": tok.decode(ids, skip_special_tokens=False)})
        if ids != mine:
            differ += 1
            print(f"{name}: {text!r}\n  library {ids}\n  plain   {mine}")
    result[name] = rows
    print(f"{name}: {len(rows)} strings, {differ} differ from expected_plain.json")

os.makedirs(out, exist_ok=True)
with open(os.path.join(out, "expected.json"), "w", encoding="utf-8") as f:
    json.dump(result, f, ensure_ascii=True)
    f.write("\n")
print("wrote", os.path.join(out, "expected.json"), "with tokenizers", tokenizers.__version__)
