#!/usr/bin/env python3
"""Make the small tokenizers of the tests, their strings and expected ids.

    python3 make_tiny.py [folder]      (the folder of this script)

Writes
  tiny_tokenizer.json   byte-level BPE in the layout of the released file:
                        merges as "a b", 61 added tokens without flags
  tiny_flags.json       the same merges as pairs, ignore_merges, and added
                        tokens that use single_word, lstrip, rstrip, normalized
  strings.json          the texts
  expected_plain.json   their ids by the plain functions below, which share no
                        code with the program: a matcher by Unicode category
                        and merges by repeated search
make_reference.py gives the same from the published library.
"""
import collections
import json
import os
import random
import sys
import unicodedata

PATTERN = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}",
    r" ?[^\s\p{L}\p{N}]+[\r\n]*",
    r"\s*[\r\n]+",
    r"\s+(?!\S)",
    r"\s+",
])

ADDED = """]!p~[ <fim_prefix> <fim_middle> <fim_suffix> <fim_pad> <reponame> <filename> <gh_stars>
<issue_start> <issue_comment> <issue_closed> <jupyter_start> <jupyter_text> <jupyter_code>
<jupyter_output> <empty_output> <commit_before> <commit_msg> <commit_after> ]~b] [e~[ ]!d~[
<function_call> <code_interpreter> ]<]speech[>[ ]<]image[>[ ]<]video[>[ ]<]start_of_speech[>[
]<]end_of_speech[>[ ]<]start_of_image[>[ ]<]end_of_image[>[ ]<]start_of_video[>[ ]<]end_of_video[>[
]<]vision_pad[>[ ]~!b[ <jupyter_error> <add_file> <delete_file> <rename_file> <edit_file>
<commit_message> <empty_source_file> <repo_struct> <code_context> <file_content> <source_files>
<pr_start> <review_comment> <filepath> <file_sep> <think> </think> <tool_call> </tool_call>
]<]frame[>[ ]<]start_of_frame[>[ ]<]end_of_frame[>[ <|content_altered_placeholder|> ]<]minimax[>[
<mm:think> </mm:think>""".split()
# The five names of several words are written with spaces in the file.
ADDED = [a.replace("_of_", " of ").replace("vision_", "vision ") if a.startswith("]<]") else a for a in ADDED]

CORPUS = """
Action: Click Save.
<tool_call>
{"name":"computer","arguments":{"action":"left_click","coordinate":[,]}}
</tool_call>
{"name":"computer","arguments":{"action":"double_click","coordinate":[,]}}
{"name":"computer","arguments":{"action":"right_click","coordinate":[,]}}
{"name":"computer","arguments":{"action":"mouse_move","coordinate":[,]}}
{"name":"computer","arguments":{"action":"type","text":"Ada"}}
{"name":"computer","arguments":{"action":"key","text":"Return"}}
{"name":"computer","arguments":{"action":"scroll","coordinate":[,],"scroll_direction":"down","scroll_amount":}}
{"name":"computer","arguments":{"action":"wait","duration":}}
{"name":"computer","arguments":{"action":"done"}}
You control a desktop. Coordinates are integers. Answer with one action.
The quick brown fox doesn't jump over the lazy dogs; they'll wait, and we've seen what I'm saying.
You have a thinking capability that allows you to reason step by step before responding.
for (int i = 0; i < n; i++) {
        sum += values[i];
    return sum;
}
Съешь же ещё этих мягких французских булок, да выпей чаю. Привет, мир! ПРИВЕТ МИР
Falsches Üben von Xylophonmusik quält jeden größeren Zwerg.
日本語の文章です。中文文本示例。한국어 문장입니다。
Ünïcödé àéîõü ñandú 100 200 300 2024 1920 1080
"""

BASE = [
    "", " ", "  ", "   ", "a", "A", "\n", "\n\n", "\r\n", "\r\n\r\n", "\t", "\t\tx", " x", "  x", "   x", "x ", "x  ",
    "x   \n", "x \n y", " \n", "\n ", "\n  \n  z", "a\r\nb", "a\rb", "Hello, world!", "hello world", "HELLO WORLD",
    "HelloWorld", "ABc", "aBC", "ABcDEf", "日AB", "日本語ABc", "ǅungla ǈ", "it's", "IT'S", "It'S we'Re THEY'LL i'm I'D x've",
    "don't can't won't", "'s", "''s", "a''s", "'sabc", "x'\u017f", "x'\u017fy", "'\u017f", "\u017fx", "\u212a'll", "x'ſt",
    "x's's", "o'clock", "rock'n'roll", "1", "12", "123", "1234", "12345", "123456", "1234567", "1234567890",
    "a1b22c333d4444", "3.14159", "1,000,000", "²³¹", "½ cup", "Ⅷ", "١٢٣٤", "x1", "1x", "!!!", "!!!\n\n", "!!! \n", " !!!", "  !!!",
    "... ...", "foo/bar/baz", "http://example.org/a?b=c&d=e#f", "a_b_c", "_private __init__", "C:\\Windows\\x", "<div class=\"x\">&amp;</div>",
    "for (int i = 0; i < n; i++) {\n\tsum += values[i];\n}\n", "#include <stdio.h>\n\nint main(void)\n{\n    return 0;\n}\n",
    "Привет, мир", "ПРИВЕТ", "ПриВЕТ", "Съешь ещё", "Ünïcödé", "e\u0301", "E\u0301e\u0301", "\u0301", "\u0301a", " \u0301a", "a \u0301", "1\u0301", "A\u0301B\u0301c\u0301",
    "日本語の文章です。", "中文 文本", "한국어 문장", "ไทยภาษา", "हिन्दी में", "عربي نص", "עברית", "👍", "👩‍👩‍👧‍👦", "🏳️‍🌈 x", "a👍b", "👍🏽",
    "\u0085", "a\u0085b", "\u00a0", "a\u00a0b", "a\u00a0\u00a0b", "\u1680x", "\u180e", "a\u180eb", " \u180e ", "\u180e\u180ex", "\u200b", "a\u200bb",
    "\u2000\u200a", "a\u2028b", "a\u2029\n", "\u202f1", "\u205fx", "\u3000日", "\u3000\u3000x", "\ufeffx", "\x1c\x1d\x1e\x1f", "a\x1fb", "\x0b\x0c", "\x7f", "\x01\x02",
    "\ufffd", "\U0010ffff", "\U0001d400bc", "ªº", "ʰʲ", "A ʰ", "ﬁ ﬂ", "\u2160\u2170", "_\u0300x", "-\u0300X\u0301",
    "]<]image[>[", "]]<]image[>[[", "]<]image[>[]<]image[>[", "]<]start of image[>[]<]image[>[]<]end of image[>[", "]<]minimax[>[<tool_call>",
    "]<]minimax[>[</tool_call>[e~[", "]~b]user\nHi[e~[\n", "]~!b[]~b]system\nx", "x]~b]y", "]~b", "]~b ]", "[e~", "[e~[[e~[", "<tool_call>", "< tool_call>",
    "<tool_call>\n{\"name\":\"computer\",\"arguments\":{\"action\":\"left_click\",\"coordinate\":[412,88]}}\n</tool_call>", "</mm:think>ok", "<mm:think>a</mm:think>b",
    "<mm:think><mm:think>", "a <mm:think> b", "<think>x</think>", "<file_sep><filename>a", "<fim_prefix>a<fim_suffix>b<fim_middle>",
    "<|content_altered_placeholder|>", "<|content_altered_placeholder|", "<commit_msg><commit_message>", "]!p~[]!d~[", "]<]0.0 seconds[>[", "]<]frame[>[]<]video[>[",
    "Action: Click Save.\n", "Action: Type Ada.\n<tool_call>\n", " \n\n  \n", "a  \n\n  b", "tab\tseparated\tvalues\n", "trailing   ", "end\n\n\n",
    "A" * 40, "a" * 300, "=" * 200, " " * 100, " " * 100 + "x", "\n" * 50, "ab" * 300, "0" * 50, "é" * 60, "Zz" * 40, "日本" * 50,
]
FLAGS = ["<w>", " <w> ", "a<w>b", "a <w> b", "<w><w>", "é<w>", "<w>1", "_<w>", "<w>_", "<w>.", "word", "wordword", " word ", "sword", "word's", "a-word-b",
         "<l>", "  <l>", "a  <l>  b", "\n<l>\n", "\u3000<l>", "<r>", "<r>  x", "a <r>\n\n b", "<l><r>", "  <l>  <r>  ", "<r> <l>", "<b>", " \t<b> \n x", "<b><b>", "<b> <b>",
         "<n>", "a<n>b", "x<n", "<lo>", "<long>", "<lo>ng>", "<longer", "<n><w>", "zq", " zqx", " zqxv", "zqxv", "x zqxv y", " Привет", "w<w>w <w>"]
ALPHABET = list("abcdeXYZ") + list("  \t\n\r'.,-_/<>[]~!{}\":012789") + list("éßñДдЖж日本語한글") + [
    "\u0301", "\u0308", "\u00a0", "\u2003", "\u0085", "👍", "\u200d", "'s", "'LL", "'ve", "the", " and", "Click", "ing", "<tool_call>", "]~b]", "]<]image[>["]

SPACE = set([9, 10, 11, 12, 13, 0x20, 0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000] + list(range(0x2000, 0x200B)))


def cat(c):
    return unicodedata.category(c)


def is_space(c):
    return ord(c) in SPACE


def upperish(c):
    return cat(c) in ("Lu", "Lt", "Lm", "Lo") or cat(c)[0] == "M"


def lowerish(c):
    return cat(c) in ("Ll", "Lm", "Lo") or cat(c)[0] == "M"


def contraction(s, i):
    if i >= len(s) or s[i] != "'":
        return i
    for tail in ("s", "t", "re", "ve", "m", "ll", "d"):
        if s[i + 1:i + 1 + len(tail)].replace("\u017f", "s").lower() == tail:
            return i + 1 + len(tail)
    return i


def word(s, i, lower_needed):
    """Alternatives 1 and 2: the end of the match at i, or -1."""
    starts = [i]
    if s[i] not in "\r\n" and cat(s[i])[0] not in "LN":
        starts.insert(0, i + 1)
    for a in starts:
        u = a
        while u < len(s) and upperish(s[u]):
            u += 1
        if lower_needed:
            while u >= a and not (u < len(s) and lowerish(s[u])):
                u -= 1
            if u < a:
                continue
        elif u == a:
            continue
        while u < len(s) and lowerish(s[u]):
            u += 1
        return contraction(s, u)
    return -1


def piece_end(s, i):
    for need in (True, False):
        e = word(s, i, need)
        if e > i:
            return e
    e = i
    while e < len(s) and e < i + 3 and cat(s[e])[0] == "N":
        e += 1
    if e > i:
        return e
    a = i + 1 if s[i] == " " else i
    for a in ([i + 1, i] if s[i] == " " else [i]):
        e = a
        while e < len(s) and not is_space(s[e]) and cat(s[e])[0] not in "LN":
            e += 1
        if e > a:
            while e < len(s) and s[e] in "\r\n":
                e += 1
            return e
    e = i
    while e < len(s) and is_space(s[e]):
        e += 1
    run = s[i:e]
    last = max(run.rfind("\r"), run.rfind("\n"))
    if last >= 0:
        return i + last + 1
    if e < len(s) and e - i > 1:
        return e - 1
    return e


def split(s):
    out, i = [], 0
    while i < len(s):
        e = piece_end(s, i)
        out.append(s[i:e])
        i = e
    return out


def alphabet():
    keep = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    table, n = {}, 0
    for b in range(256):
        if b in keep:
            table[b] = chr(b)
        else:
            table[b] = chr(256 + n)
            n += 1
    return table


LETTER = alphabet()


def spell(text):
    return [LETTER[b] for b in text.encode()]


def train(n_merges):
    words = collections.Counter()
    for p in split(CORPUS):
        words[tuple(spell(p))] += 1
    merges = []
    while len(merges) < n_merges:
        pairs = collections.Counter()
        for w, n in words.items():
            for p in zip(w, w[1:]):
                pairs[p] += n
        best = min(pairs, key=lambda p: (-pairs[p], p))
        if pairs[best] < 2:
            break
        merges.append(best)
        joined = collections.Counter()
        for w, n in words.items():
            out, i = [], 0
            while i < len(w):
                if i + 1 < len(w) and (w[i], w[i + 1]) == best:
                    out.append(w[i] + w[i + 1])
                    i += 2
                else:
                    out.append(w[i])
                    i += 1
            joined[tuple(out)] += n
        words = joined
    return merges


def added(i, content, **flags):
    d = {"id": i, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    d.update(flags)
    return d


def document(vocab, merges, tokens, ignore_merges):
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens, "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated", "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]},
        "post_processor": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": False, "byte_fallback": False, "ignore_merges": ignore_merges, "vocab": vocab, "merges": merges}}


def is_word(c):
    return c.isalpha() or cat(c) in ("Mn", "Mc", "Me", "Nd", "Pc", "Nl") or ord(c) in (0x200C, 0x200D)


def scan(text, tokens):
    """Leftmost, longest; [(id or None, text)]. Flags as the library has them."""
    out, done, i = [], 0, 0
    while i < len(text):
        best = max((t for t in tokens if text.startswith(t["content"], i)), key=lambda t: len(t["content"]), default=None)
        if not best:
            i += 1
            continue
        a, b = i, i + len(best["content"])
        i = b
        if best["single_word"] and ((a > 0 and is_word(text[a - 1])) or (b < len(text) and is_word(text[b]))):
            continue
        if best["lstrip"]:
            while a > done and is_space(text[a - 1]):
                a -= 1
        if best["rstrip"]:
            while b < len(text) and is_space(text[b]):
                b += 1
            i = b
        if a > done:
            out.append((None, text[done:a]))
        out.append((best["id"], text[a:b]))
        done = b
    if done < len(text):
        out.append((None, text[done:]))
    return out


def bpe(piece, doc):
    model = doc["model"]
    word = spell(piece)
    if model["ignore_merges"] and "".join(word) in model["vocab"]:
        return [model["vocab"]["".join(word)]]
    while len(word) > 1:
        ranked = [(doc["rank"].get((a, b), 1 << 30), i) for i, (a, b) in enumerate(zip(word, word[1:]))]
        rank, i = min(ranked)
        if rank == 1 << 30:
            break
        word[i:i + 2] = [word[i] + word[i + 1]]
    return [model["vocab"][w] for w in word]


def encode(text, doc):
    ids = []
    raw = [t for t in doc["added_tokens"] if not t["normalized"]]
    late = [t for t in doc["added_tokens"] if t["normalized"]]
    for i, part in scan(text, raw):
        if i is not None:
            ids.append(i)
            continue
        for j, sub in scan(part, late):
            if j is not None:
                ids.append(j)
                continue
            for piece in split(sub):
                ids += bpe(piece, doc)
    return ids


def save(path, value):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f, ensure_ascii=True, indent=0 if isinstance(value, list) else None)
        f.write("\n")


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    merges = train(420)
    names = [LETTER[b] for b in range(256)] + [a + b for a, b in merges]
    vocab = {}
    for n in names:
        vocab.setdefault(n, len(vocab))
    base = len(vocab)
    plain = document(vocab, [a + " " + b for a, b in merges], [added(base + i, c) for i, c in enumerate(ADDED)], False)

    # Two pieces that no merge reaches, so that ignore_merges shows.
    vocab2 = dict(vocab)
    for piece in (" zqx", "zqxv"):
        vocab2["".join(spell(piece))] = len(vocab2)
    base = len(vocab2)
    odd = [("<w>", dict(single_word=True)), ("word", dict(single_word=True, special=False)), ("<l>", dict(lstrip=True)), ("<r>", dict(rstrip=True)),
           ("<b>", dict(lstrip=True, rstrip=True)), ("<n>", dict(normalized=True, special=False)), ("<lo>", {}), ("<long>", {}), ("<longer", dict(normalized=True, special=False))]
    flags = document(vocab2, [list(m) for m in merges], [added(base + i, c, **f) for i, (c, f) in enumerate(odd)], True)

    rng = random.Random(7)
    strings = list(BASE) + ["".join(rng.choice(ALPHABET) for _ in range(rng.randint(2, 40))) for _ in range(60)]
    strings += [s for s in FLAGS if s not in strings]
    save(os.path.join(out, "strings.json"), strings)
    expected = {}
    for name, doc in (("tiny_tokenizer.json", plain), ("tiny_flags.json", flags)):
        save(os.path.join(out, name), doc)
        doc["rank"] = {m: i for i, m in enumerate(merges)}
        expected[name] = [encode(s, doc) for s in strings]
    save(os.path.join(out, "expected_plain.json"), expected)
    check_with_regex(strings)
    print(f"{len(merges)} merges, {len(ADDED)} added tokens, {len(strings)} strings")


def check_with_regex(strings):
    try:
        import regex
    except ImportError:
        return
    # The module's \s is Unicode White_Space plus 1C..1F.
    white = "".join(f"\\U{c:08x}" for c in sorted(SPACE))
    pattern = PATTERN.replace(r"[^\s\p{L}", f"[^{white}\\p{{L}}").replace(r"(?!\S)", f"(?![^{white}])").replace(r"\s", f"[{white}]")
    for s in strings:
        got = regex.findall(pattern, s)
        assert got == split(s), (s, got, split(s))


main()
