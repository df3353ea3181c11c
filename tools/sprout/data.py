"""Training batches: worker processes draw scenes into shared memory, in a fixed order.

Batch i is made by worker i mod W, so every rank sees the same picture size at the same
step. A worker that dies is started again by its supervisor; one that hangs is left out."""
import ctypes
import json
import mmap
import os
import queue
import random
import select
import signal
import struct
import sys
import threading
import time
import traceback

import numpy as np

import tasks
import tok

HERE = os.path.dirname(os.path.abspath(__file__))
# (model width, height, share, screen width, height): what the preprocessor makes of common screens
FULL = [(1036, 756, .60, 1024, 768), (1288, 728, .13, 1280, 720), (1260, 784, .10, 1280, 800), (812, 588, .11, 800, 600),
        (1036, 588, .06, 1024, 600)]
SMALL = [(700, 504, .6, 0, 0), (784, 448, .2, 0, 0), (812, 588, .2, 0, 0)]
SIZES = [SMALL, FULL]
TINY_SIZES = [[(364, 280, .6, 0, 0), (392, 280, .4, 0, 0)], [(392, 308, 1.0, 384, 308)]]
EVAL_SEED = 1 << 40
TEMPLATE, CONTENT, STOP = 40, 255, 128  # weights of answer tokens, of 255


class Packer:
    """Questions on a scene -> token ids and weights."""

    def __init__(self, path=os.path.join(HERE, "tokenizer.json")):
        self.tok = tok.Tokenizer(path)
        a = self.tok.added
        self.prefix = self.tok.encode(tasks.HEADER) + [a["]<]start of image[>["]]
        self.image_end, self.stop, self.pad = a["]<]end of image[>["], a["[e~["], a["<fim_pad>"]

    def prompt(self, question, first=True):
        return self.tok.encode(("" if first else tasks.NEXT) + question + tasks.ASK)

    def answer(self, text, spans):
        ids = self.tok.encode(text)
        if not text.isascii():
            cut = [0]
            for c in text:
                cut.append(cut[-1] + len(c.encode()))
            spans = [(cut[a], cut[b]) for a, b in spans]
        w, at = [], 0
        for i in ids:
            end = at + self.tok.byte_len(i)
            w.append(CONTENT if any(a < end and at < b for a, b in spans) else TEMPLATE)
            at = end
        return ids + [self.stop], w + [STOP]

    def pack(self, items, size):
        ids, weights = [self.image_end], [0]
        for it in items:
            q = self.prompt(it.question, len(ids) == 1)
            a, w = self.answer(it.answer, it.content)
            if len(ids) + len(q) + len(a) > size:
                continue
            ids += q + a
            weights += [0] * len(q) + w
        return ids, weights


class Source:
    """Scenes at model input size, with labels for the character head."""

    def __init__(self, carry, stub=False):
        self.words = load_words(carry)
        self.gen = None
        if not stub:
            sys.path.insert(0, HERE)
            from scene import Scene
            bank = next((b for b in (os.path.join(carry, n) for n in ("bank.bin", "bank.bin.xz")) if os.path.exists(b)), None)
            self.gen = Scene(lib=os.path.join(carry, "libscene.so"), assets=os.path.join(carry, "assets"), bank=bank)

    def scene(self, seed, size, rng, resized):
        """-> (rgb [H, W, 3], elements, windows, chars [gh, 2 gw], (w, h) the boxes are in)"""
        w, h, _, sw, sh = size
        if not resized:
            sw, sh = w, h
        elif not sw or rng.random() < .12:
            sw, sh = w + rng.randrange(-13, 14), h + rng.randrange(-13, 14)
        if self.gen is None:
            return stub_scene(seed, w, h, self.words)
        rgb, out = self.gen.make(seed, sw, sh, flags=0)
        els = read_elements(out)
        wins = read_windows(out)
        cm = char_labels(out, w, h, sw, sh)
        if (sw, sh) != (w, h):
            rgb = self.gen.resize(rgb, w, h)
        return rgb, els, wins, cm, (sw, sh)


def load_words(carry):
    for path in (os.path.join(carry, "assets", "words"), os.path.join(carry, "assets", "words.txt"), "/usr/share/dict/words"):
        if os.path.exists(path):
            with open(path, encoding="utf-8", errors="ignore") as f:
                ws = [w.strip() for w in f]
            ws = [w for w in ws if w.isalpha() and w.isascii() and 1 < len(w) < 12]
            if ws:
                return ws
    return tasks.NAMES + tasks.UI[:60]


def text_of(b):
    return b.decode("utf-8", "replace") if isinstance(b, bytes) else str(b)


def read_elements(out):
    e = out.elements
    cols = [e[n].tolist() for n in ("x0", "y0", "x1", "y1", "kind", "role", "state", "flags", "window")]
    strs = [list(map(text_of, e[n].tolist())) for n in ("label", "anchor", "value")]
    return [tasks.El(*row) for row in zip(*cols, *strs)]


class Win:
    def __init__(self, title, title_box, flags):
        self.title, self.title_box, self.flags = title, title_box, flags


def read_windows(out):
    return [Win(text_of(w["title"]), tuple(int(v) for v in w["title_box"]), int(w["flags"])) for w in out.windows]


def char_labels(out, w, h, sw, sh):
    """uint8 [gh, 2 gw]: 0 blank, 1..94 ASCII, 95 other, 255 unknown"""
    gh, gw = h // 14, w // 14
    cm = np.zeros((gh, 2 * gw), np.uint8)
    ch = out.chars
    if len(ch):
        r = (ch["y"].astype(np.float32) + .5) * (h / sh) // 14
        q = (ch["x"].astype(np.float32) + .5) * (w / sw) // 7
        code = ch["code"].astype(np.int64)
        lab = np.where((code > 32) & (code < 127), code - 32, 95)
        ok = (r >= 0) & (r < gh) & (q >= 0) & (q < 2 * gw)
        cm[r[ok].astype(int), q[ok].astype(int)] = lab[ok]
    for u in out.unknown:
        ux0, uy0, ux1, uy1 = (int(u[k]) for k in ("x0", "y0", "x1", "y1"))
        x0, x1 = int(ux0 * w / sw) // 14 * 2, (int(ux1 * w / sw) // 14 + 1) * 2
        y0, y1 = int(uy0 * h / sh) // 14, int(uy1 * h / sh) // 14 + 1
        cm[max(0, y0):y1, max(0, x0):x1] = 255
    return cm


def stub_scene(seed, w, h, words):
    """Boxes with a bar code of their label: enough to test the machinery without the generator."""
    rng = random.Random(seed)
    rgb = np.full((h, w, 3), rng.randrange(180, 255), np.uint8)
    cm = np.zeros((h // 14, w // 14 * 2), np.uint8)
    els = []
    for gy in range(0, h - 40, 42):
        for gx in range(0, w - 110, 112):
            if rng.random() < .5:
                continue
            label = rng.choice(words)
            x1, y1 = gx + 90, gy + 26
            rgb[gy:y1, gx:x1] = rng.randrange(60, 160)
            for i, c in enumerate(label[:12]):
                rgb[gy + 8:gy + 20, gx + 4 + 7 * i:gx + 10 + 7 * i] = [(ord(c) * 37) % 256, (ord(c) * 91) % 256, 255]
                cm[(gy + 14) // 14, (gx + 7 + 7 * i) // 7] = ord(c) - 32
            kind = rng.choice([tasks.BUTTON, tasks.FIELD, tasks.CHECK, tasks.MENU, tasks.TAB, tasks.KEY, tasks.TEXT, tasks.COMBO])
            els.append(tasks.El(gx, gy, x1, y1, kind, 0, rng.choice([0, 0, 1]), tasks.UNIQUE | tasks.ASCII, 0, label, "", ""))
    return rgb, els, [], cm, (w, h)


def batch_spec(index, phase, mb, prefix, sizes=SIZES):
    """Size, number of scenes and of text tokens of batch index; the same on every rank."""
    rng = random.Random(index * 7919 + 13)
    x, table = rng.random(), sizes[phase]
    for size in table:
        if x < size[2]:
            break
        x -= size[2]
    w, h = size[:2]
    n = max(1, min(mb * 3 // 2, int(mb * 1036 * 756 / (w * h)))) if sizes is SIZES else mb
    text = min(864, (2048 - prefix - w * h // 784) // 32 * 32)
    return size, n, text


def make_batch(src, packer, index, phase, mb, seed0, buf, sizes=SIZES):
    """Writes a batch into the slot's views; -> (w, h, n, s)"""
    size, n, s = batch_spec(index, phase, mb, len(packer.prefix), sizes)
    w, h = size[:2]
    img, ids, wt, cm = views(buf, w, h, n, s)
    seed, b, tries = seed0, 0, 0
    while b < n:
        rng = random.Random(seed)
        rgb, els, wins, chars, (sw, sh) = src.scene(seed, size, rng, rng.random() < (.3 if phase == 0 else .75))
        seed += 1
        tries += 1
        items = tasks.questions(rng, tasks.Scene(els, wins), sw, sh, src.words, 22)
        if len(items) < 3 and tries < 50:
            continue
        tries = 0
        img[b], cm[b] = rgb, chars
        i, k = packer.pack(items, s)
        ids[b, :len(i)], ids[b, len(i):] = i, packer.pad
        wt[b, :len(k)], wt[b, len(k):] = k, 0
        b += 1
    return w, h, n, s


def views(buf, w, h, n, s):
    at, out = 0, []
    for shape, kind in (((n, h, w, 3), np.uint8), ((n, s), np.int16), ((n, s), np.uint8), ((n, h // 14, w // 14 * 2), np.uint8)):
        size = int(np.prod(shape)) * np.dtype(kind).itemsize
        out.append(np.frombuffer(buf, kind, int(np.prod(shape)), at).reshape(shape))
        at += (size + 63) // 64 * 64
    return out


def slot_bytes(mb, sizes):
    most = 0
    for phase in (0, 1):
        for w, h, *_ in sizes[phase]:
            n = max(1, min(mb * 3 // 2, int(mb * 1036 * 756 / (w * h)))) if sizes is SIZES else mb
            most = max(most, n * (w * h * 3 + 864 * 3 + w * h // 98 + 4096))
    return (most + 4096 * 4) // 4096 * 4096


def die_with_parent(parent):
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    except OSError:
        pass
    if os.getppid() != parent:
        os._exit(0)


class Loader:
    SLOTS = 2

    def __init__(self, src, packer, mb, workers, rank, world, start, full, salt=0, sizes=SIZES):
        self.src, self.packer, self.mb, self.W, self.sizes = src, packer, mb, workers, sizes
        self.rank, self.world, self.start, self.salt = rank, world, start, salt
        self.size = slot_bytes(mb, sizes)
        self.shared = mmap.mmap(-1, 4096)
        self.state = np.frombuffer(self.shared, np.int64, 8 + workers)
        self.state[0] = full   # first batch of the full size
        self.state[8:] = -1
        self.mem = [mmap.mmap(-1, self.size * self.SLOTS) for _ in range(workers)]
        self.ready_r, self.ready_w = os.pipe()
        self.free, self.pids = [], []
        for w in range(workers):
            r, wr = os.pipe()
            for s in range(self.SLOTS):
                os.write(wr, bytes([s]))
            self.free.append((r, wr))
        for w in range(workers):
            parent = os.getpid()
            pid = os.fork()
            if pid == 0:
                die_with_parent(parent)
                self._supervise(w)
            self.pids.append(pid)
        self.next, self.got, self.dead, self.last = start, {}, set(), None

    def _supervise(self, w):
        """Forks the worker again whenever it dies."""
        try:
            os.nice(5)
            for attempt in range(1000):
                me = os.getpid()
                pid = os.fork()
                if pid == 0:
                    die_with_parent(me)
                    try:
                        self._work(w, attempt)
                    except BaseException:
                        traceback.print_exc()
                    os._exit(1)
                _, status = os.waitpid(pid, 0)
                print(f"loader: worker {w} ended with status {status}, batch {int(self.state[8 + w])}", file=sys.stderr, flush=True)
                time.sleep(0.2)
        finally:
            os._exit(0)

    def _work(self, w, attempt):
        # after a crash: go on with the batch that was being made, from other seeds
        at = int(self.state[8 + w])
        index, slot = (at >> 8, at & 255) if at >= 0 else (self.start + (w - self.start) % self.W, 255)
        while True:
            if slot == 255:
                slot = os.read(self.free[w][0], 1)[0]
            self.state[8 + w] = index << 8 | slot
            phase = 1 if index >= self.state[0] else 0
            seed = (self.salt << 44) + (index * self.world + self.rank) * 4096 + attempt * 997 % 4096
            buf = memoryview(self.mem[w])[slot * self.size:(slot + 1) * self.size]
            dims = make_batch(self.src, self.packer, index, phase, self.mb, seed, buf, self.sizes)
            os.write(self.ready_w, struct.pack("<qiiiiii", index, w, slot, *dims))
            index, slot = index + self.W, 255
            self.state[8 + w] = index << 8 | 255

    def switch(self, now):
        """From a batch that nobody has begun on, make full-size ones."""
        if self.state[0] >= 1 << 60:
            self.state[0] = now + self.W * (self.SLOTS + 2) + 8

    def fetch(self, timeout=40):
        """-> (views, release) of the next batch; None when its worker is out of order."""
        i, w = self.next, self.next % self.W
        self.next += 1
        end = time.time() + (timeout if w not in self.dead else 0)
        while i not in self.got:
            left = end - time.time()
            if left <= 0:
                if w not in self.dead:
                    print(f"loader: batch {i} of worker {w} is late", file=sys.stderr, flush=True)
                    self.dead.add(w)
                return None
            if select.select([self.ready_r], [], [], min(left, 1.0))[0]:
                rec = struct.unpack("<qiiiiii", os.read(self.ready_r, 32))
                if rec[0] < i:      # late after all
                    os.write(self.free[rec[1]][1], bytes([rec[2]]))
                    self.dead.discard(rec[1])
                else:
                    self.got[rec[0]] = rec
                    if rec[0] > i and rec[1] == w:
                        return None
        _, w, slot, bw, bh, n, s = self.got.pop(i)
        buf = memoryview(self.mem[w])[slot * self.size:(slot + 1) * self.size]
        return views(buf, bw, bh, n, s), lambda: os.write(self.free[w][1], bytes([slot]))

    def close(self):
        for pid in self.pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass


class Feeder:
    """A thread that brings batches to the device ahead of use."""

    def __init__(self, loader, device, depth=2):
        import torch
        self.torch, self.loader, self.device = torch, loader, device
        self.queue, self.stop, self.wait = queue.Queue(depth), False, 0.0
        self.cuda = torch.device(device).type == "cuda"
        self.pinned = [torch.empty(loader.size, dtype=torch.uint8, pin_memory=True) for _ in range(2)] if self.cuda else None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            torch = self.torch
            if self.cuda:
                torch.cuda.set_device(self.device)
                stream = torch.cuda.Stream()
                busy = [None, None]
            turn, last = 0, None
            while not self.stop:
                got = self.loader.fetch()
                if got is None:
                    if last is None:
                        continue
                    self.queue.put(last)
                    continue
                arrays, release = got
                if not self.cuda:
                    batch = [torch.from_numpy(a.copy()) for a in arrays]
                    release()
                    self.queue.put((batch, None))
                    continue
                if busy[turn] is not None:
                    busy[turn].synchronize()
                pin, at, batch = self.pinned[turn], 0, []
                with torch.cuda.stream(stream):
                    for a in arrays:
                        t = torch.from_numpy(a)
                        room = pin[at:at + a.nbytes].view(t.dtype).view(t.shape)
                        room.copy_(t)
                        batch.append(room.to(self.device, non_blocking=True))
                        at += (a.nbytes + 63) // 64 * 64
                    event = torch.cuda.Event()
                    event.record(stream)
                release()
                busy[turn], turn = event, 1 - turn
                last = (batch, event)
                self.queue.put(last)
        except BaseException:
            traceback.print_exc()
            self.queue.put(None)

    def get(self):
        t = time.time()
        got = self.queue.get()
        self.wait += time.time() - t
        if got is None:
            raise RuntimeError("the loader ended")
        batch, event = got
        if event is not None:
            cur = self.torch.cuda.current_stream()
            cur.wait_event(event)
            for t in batch:
                t.record_stream(cur)
        return batch


def eval_set(src, packer, size, count, first):
    """count scenes with one question each, of kinds in turn. -> [(rgb, Item, w, h)]"""
    want = ["locate", "read", "locate", "multi", "locate", "read", "done", "locate"]
    out, seed = [], EVAL_SEED + first * 64
    while len(out) < count and seed < EVAL_SEED + (first + count) * 64:
        rng = random.Random(seed)
        rgb, els, wins, _, (sw, sh) = src.scene(seed, size, rng, bool(size[3]))
        seed += 1
        kind = want[(len(out) + first) % len(want)]
        for it in tasks.questions(rng, tasks.Scene(els, wins), sw, sh, src.words, 40):
            if it.kind == kind or kind == "multi" and it.kind == "free":
                out.append((rgb.copy(), it, sw, sh))
                break
    return out


def parse(text):
    """-> (action, arguments) of an answer, or None."""
    try:
        a = text.index("<tool_call>") + 11
        args = json.loads(text[a:text.index("</tool_call>")])["arguments"]
        return args["action"], args
    except (ValueError, KeyError, TypeError):
        return None


def right(it, text, w, h):
    if it.kind == "read":
        return text == it.answer
    got, ref = parse(text), parse(it.answer)
    if got is None or got[0] != ref[0]:
        return False
    if it.box is None:
        return got[1] == ref[1]
    try:
        x, y = got[1]["coordinate"]
        return it.box[0] <= x * w / 1000 < it.box[2] and it.box[1] <= y * h / 1000 < it.box[3]
    except (KeyError, ValueError, TypeError):
        return False
