"""Sprout's tokenizer: byte-level BPE with the released pre-split, and M3's added tokens.

    python3 tok.py build WORDS [OUT]    learn merges, write tokenizer.json
    python3 tok.py check [FILE]         a few self-checks

The merges serve the protocol's own text. A pair is taken where it helps there and
is rare in ordinary words, so that labels stay spelled in letters."""
import json
import os
import re
import sys
import unicodedata
from collections import Counter

HERE = os.path.dirname(os.path.abspath(__file__))
SPLIT = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
ADDED = """]!p~[ <fim_prefix> <fim_middle> <fim_suffix> <fim_pad> <reponame> <filename> <gh_stars> <issue_start>
<issue_comment> <issue_closed> <jupyter_start> <jupyter_text> <jupyter_code> <jupyter_output> <empty_output>
<commit_before> <commit_msg> <commit_after> ]~b] [e~[ ]!d~[ <function_call> <code_interpreter> ]<]speech[>[
]<]image[>[ ]<]video[>[ ]<]start_of_speech[>[ ]<]end_of_speech[>[ ]<]start_of_image[>[ ]<]end_of_image[>[
]<]start_of_video[>[ ]<]end_of_video[>[ ]<]vision_pad[>[ ]~!b[ <jupyter_error> <add_file> <delete_file>
<rename_file> <edit_file> <commit_message> <empty_source_file> <repo_struct> <code_context> <file_content>
<source_files> <pr_start> <review_comment> <filepath> <file_sep> <think> </think> <tool_call> </tool_call>
]<]frame[>[ ]<]start_of_frame[>[ ]<]end_of_frame[>[ <|content_altered_placeholder|> ]<]minimax[>[ <mm:think>
</mm:think>""".split()
ADDED = [re.sub(r"_(of|pad)(_|\[)", lambda m: " " + m.group(1) + (" " if m.group(2) == "_" else "["), a)
         if a.startswith("]<]") else a for a in ADDED]
assert len(ADDED) == 61 and "]<]start of image[>[" in ADDED and "]<]vision pad[>[" in ADDED
VOCAB = 768

# The pre-split through Python's re: characters beyond ASCII are replaced, one for
# one, by a stand-in of their class, so that plain character classes suffice.
_CLS = {"Lu": "\u0100", "Lt": "\u0100", "Ll": "\u0101", "Lm": "\u0102", "Lo": "\u0102"}
_L, _U, _W = "A-Za-z\u0100-\u0102", "A-Z\u0100\u0102\u0103", "a-z\u0101-\u0103"
_N, _S = "0-9\u0104", " \\t\\n\\r\\f\\v\u0105"
_SUF = "(?:'(?:[sStTmMdD]|[rR][eE]|[vV][eE]|[lL][lL]))?"
_RE = re.compile(
    f"[^\\r\\n{_L}{_N}]?[{_U}]*[{_W}]+{_SUF}|[^\\r\\n{_L}{_N}]?[{_U}]+[{_W}]*{_SUF}|[{_N}]{{1,3}}"
    f"| ?[^{_S}{_L}{_N}]+[\\r\\n]*|[{_S}]*[\\r\\n]+|[{_S}]+(?![^{_S}])|[{_S}]+")


def _stand_in(c):
    if c < "\x80":
        return c
    if c.isspace():
        return "\u0105"
    cat = unicodedata.category(c)
    return _CLS.get(cat) or {"M": "\u0103", "N": "\u0104"}.get(cat[0], "\u0106")


def presplit(text):
    if text.isascii():
        return _RE.findall(text)
    return [text[m.start():m.end()] for m in _RE.finditer("".join(map(_stand_in, text)))]


def byte_chars():
    keep = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    rest = [b for b in range(256) if b not in keep]
    table = {b: chr(b) for b in keep}
    table.update({b: chr(256 + i) for i, b in enumerate(rest)})
    return table


B2C = byte_chars()
C2B = {c: b for b, c in B2C.items()}


def to_chars(piece):
    return "".join(B2C[b] for b in piece.encode())


class Tokenizer:
    def __init__(self, path=os.path.join(HERE, "tokenizer.json")):
        with open(path, encoding="utf-8") as f:
            data = json.load(f)
        self.vocab = data["model"]["vocab"]
        merges = [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in data["model"]["merges"]]
        self.rank = {m: i for i, m in enumerate(merges)}
        self.added = {a["content"]: a["id"] for a in data["added_tokens"]}
        self.names = {i: t for t, i in self.vocab.items()}
        self.names.update({i: t for t, i in self.added.items()})
        self.size = (max(self.names) + 64) // 64 * 64
        pat = "|".join(re.escape(a) for a in sorted(self.added, key=len, reverse=True))
        self.added_re = re.compile("(" + pat + ")")
        self.cache = {}

    def _bpe(self, piece):
        parts = list(to_chars(piece))
        while len(parts) > 1:
            best = min(range(len(parts) - 1), key=lambda i: self.rank.get((parts[i], parts[i + 1]), 1 << 30))
            if (parts[best], parts[best + 1]) not in self.rank:
                break
            parts[best:best + 2] = [parts[best] + parts[best + 1]]
        return [self.vocab[p] for p in parts]

    def encode_plain(self, text):
        """Without looking for added tokens."""
        out, cache = [], self.cache
        for piece in presplit(text):
            ids = cache.get(piece)
            if ids is None:
                if len(cache) > 200000:
                    cache.clear()
                ids = cache[piece] = self._bpe(piece)
            out += ids
        return out

    def encode(self, text):
        out = []
        for part in self.added_re.split(text):
            if part in self.added:
                out.append(self.added[part])
            elif part:
                out += self.encode_plain(part)
        return out

    def byte_len(self, i):
        name = self.names.get(i, "")
        return len(name.encode()) if name in self.added else len(name)

    def decode(self, ids):
        out = bytearray()
        for i in ids:
            name = self.names.get(int(i), "")
            out += name.encode() if name in self.added else bytes(C2B[c] for c in name)
        return out.decode("utf-8", "replace")


def learn(protocol, ordinary, n, weight):
    """n merges; protocol, ordinary: Counter of pieces. weight: price of a hit in an ordinary piece."""
    words = [([*to_chars(w)], c) for w, c in protocol.items()] + [([*to_chars(w)], -c * weight) for w, c in ordinary.items()]
    merges = []
    for _ in range(n):
        score = Counter()
        for parts, c in words:
            for a, b in zip(parts, parts[1:]):
                score[a, b] += c
        for pair in list(score):
            if any(ch.isdigit() for ch in pair[0] + pair[1]):
                del score[pair]
        pair = max(score, key=lambda p: (score[p], p))
        if score[pair] <= 0:
            break
        merges.append(pair)
        for parts, _ in words:
            i = 0
            while i < len(parts) - 1:
                if parts[i] == pair[0] and parts[i + 1] == pair[1]:
                    parts[i:i + 2] = [pair[0] + pair[1]]
                i += 1
    return merges


def build(words_file, out, price=3.0):
    import random
    import tasks
    protocol = Counter()
    strip = re.compile("|".join(re.escape(a) for a in sorted(ADDED, key=len, reverse=True)))
    for text, count in tasks.protocol_texts():
        for part in strip.split(text):
            for piece in presplit(part):
                protocol[piece] += count
    rng = random.Random(1)
    with open(words_file, encoding="utf-8", errors="ignore") as f:
        ws = [w.strip() for w in f if w.strip().isalpha() and w.strip().isascii()]
    ordinary = Counter()
    for w in rng.sample(ws, min(2500, len(ws))):
        for form in (" " + w.lower(), w.capitalize(), w.lower()):
            ordinary[form] += 1
    scale = sum(protocol.values()) / sum(ordinary.values())
    ordinary = Counter({w: c * scale * 0.05 for w, c in ordinary.items()})
    n = VOCAB - 256 - len(ADDED)
    merges = learn(protocol, ordinary, n, price)
    vocab = {B2C[b]: i for i, b in enumerate(sorted(B2C, key=lambda b: B2C[b]))}
    for a, b in merges:
        vocab.setdefault(a + b, len(vocab))
    # Unused rows between the merges and the added tokens keep the ids of the
    # added tokens at the end of the vocabulary.
    base = VOCAB - len(ADDED)
    data = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": base + i, "content": a, "single_word": False, "lstrip": False, "rstrip": False,
                          "normalized": False, "special": True} for i, a in enumerate(ADDED)],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": SPLIT}, "behavior": "Isolated", "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]},
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "",
                  "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                  "vocab": vocab, "merges": [list(m) for m in merges]},
    }
    with open(out, "w", encoding="utf-8") as f:
        json.dump(data, f, ensure_ascii=False, indent=0)
        f.write("\n")
    tok = Tokenizer(out)
    sample = rng.sample(ws, 1000)
    print("merges", len(merges), "header tokens", len(tok.encode(tasks.HEADER)),
          "letters per token in ordinary words %.2f" % (sum(map(len, sample)) / sum(len(tok.encode(w)) for w in sample)))
    answer = tasks.answer("Click Save.", tasks.click_args("left_click", 412, 88))[0]
    print("answer tokens", len(tok.encode(answer)), [tok.names[i] for i in tok.encode(answer)])


def check(path):
    tok = Tokenizer(path)
    for s in ("Hello  world", "ABc's it'S 12345,6", "日本語AB тест É é\u0301x", "a\r\n\r\n  b  ", "]~b]user\n<tool_call>\n{\"a\":[1,22]}",
              "x  \n y", " 'llama", "€ 3½ a_b--c\n\n", "\u00a0\u00a0z", "Don't"):
        assert tok.decode(tok.encode(s)) == s, s
        assert "".join(presplit(s)) == s
    assert presplit("日AB") == ["日", "AB"] and presplit("ABc") == ["ABc"] and presplit("a  b") == ["a", " ", " b"]
    try:
        import regex
        import random
        rng, pat = random.Random(0), regex.compile(SPLIT)
        for _ in range(20000):
            s = "".join(rng.choice("aBcZ'sStrRlLdDvVmM019 \n\r\t_-.,é日\u0301٣\u00a0\u2003ªǅ€") for _ in range(rng.randrange(1, 24)))
            assert pat.findall(s) == presplit(s), repr(s)
        print("pre-split equals the regex module's")
    except ImportError:
        pass
    try:
        from tokenizers import Tokenizer as Reference
        ref = Reference.from_file(path)
        import random
        rng = random.Random(0)
        for _ in range(5000):
            s = "".join(rng.choice(["Click", " Save", "the ", "12", "\n", ".", '":"', "x", "<tool_call>", "é", " ", "name"]) for _ in range(12))
            assert ref.encode(s, add_special_tokens=False).ids == tok.encode(s), repr(s)
        print("ids equal the tokenizers package's")
    except ImportError:
        pass
    print("tokenizer ok", tok.size)


if __name__ == "__main__":
    if sys.argv[1] == "build":
        build(sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else os.path.join(HERE, "tokenizer.json"))
    else:
        check(sys.argv[2] if len(sys.argv) > 2 else os.path.join(HERE, "tokenizer.json"))
