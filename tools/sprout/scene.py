"""Binding of libscene.so: synthetic desktop scenes and the bank of captured windows."""
import ctypes
import lzma
import os
import struct
import tempfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))

KIND_NAMES = """text button icon menu menu_item check radio toggle field textarea combo spin
slider tab item tree cell header link title winbutton deskicon panel key progress scrollbar
tooltip toolbutton status group""".split()
ROLE_NAMES = [""] + """close|minimize|maximize|search|settings|menu|left|right|up|down|plus|minus|home|
reload|trash|save|folder|file|cut|copy|paste|undo|redo|print|play|pause|stop|record|next|previous|
info|help|warning|user|mail|heart|star|bell|lock|edit|download|upload|share|link|camera|calendar|
clock|list|grid|more|zoom in|zoom out|volume|power|eye|filter|bookmark|image|terminal|check|bold|
italic|underline|chat|cart|phone|music""".replace("\n", "").split("|")
KINDS = {name: i for i, name in enumerate(KIND_NAMES)}
ROLES = {name: i for i, name in enumerate(ROLE_NAMES)}


class F:
    """Bits of an element's flags."""
    UNIQUE, UNIQUE_ROLE, RELATION, FROM_BANK, ASCII, NAMED_KIND = 1, 2, 4, 8, 16, 32


class State:
    CHECKED, DISABLED, FOCUSED, SELECTED, DEFAULT, OPEN = 1, 2, 4, 8, 16, 32


class Win:
    ACTIVE, TITLED, TITLE_UNIQUE, BANK, POPUP = 1, 2, 4, 8, 16


# Flags of make().
NO_BANK, ONLY_BANK, NO_CURSOR, ASCII = 1, 2, 4, 8

ELEMENT = np.dtype([("x0", "<i2"), ("y0", "<i2"), ("x1", "<i2"), ("y1", "<i2"),
                    ("kind", "u1"), ("role", "u1"), ("state", "u1"), ("flags", "u1"),
                    ("window", "<i2"), ("group", "<i2"),
                    ("label", "S64"), ("anchor", "S48"), ("value", "S48")])
WINDOW = np.dtype([("x0", "<i2"), ("y0", "<i2"), ("x1", "<i2"), ("y1", "<i2"),
                   ("close", "<i2", 4), ("minimize", "<i2", 4), ("maximize", "<i2", 4),
                   ("title_box", "<i2", 4), ("flags", "<u2"), ("kind", "<u2"), ("title", "S64")])
CHAR = np.dtype([("x", "<i2"), ("y", "<i2"), ("code", "<u4")])
RECT = np.dtype([("x0", "<i2"), ("y0", "<i2"), ("x1", "<i2"), ("y1", "<i2")])
OUT = np.dtype([("width", "<i4"), ("height", "<i4"), ("n_elements", "<i4"), ("n_windows", "<i4"),
                ("n_chars", "<i4"), ("n_unknown", "<i4"), ("cursor_x", "<i4"),
                ("cursor_y", "<i4"), ("n_dropped", "<i4"), ("reserved", "<i4"),
                ("elements", ELEMENT, 768), ("windows", WINDOW, 16), ("chars", CHAR, 12288),
                ("unknown", RECT, 32)])


def load(lib=None):
    so = ctypes.CDLL(os.path.abspath(lib or os.path.join(ROOT, "build/sprout/libscene.so")))
    p, i, z = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t
    so.scene_init.argtypes = [ctypes.c_char_p]
    so.scene_bank_open.argtypes = [ctypes.c_char_p]
    so.scene_make.argtypes = [ctypes.c_uint64, i, i, i, p, p]
    so.scene_resize_bicubic.argtypes = [p, i, i, p, i, i]
    so.scene_bank_encode.argtypes = [p, i, i, p, z]
    so.scene_bank_encode.restype = z
    so.scene_bank_decode.argtypes = [p, z, i, i, p, z]
    so.scene_kind_name.restype = so.scene_role_name.restype = ctypes.c_char_p
    so.scene_kind_name.argtypes = so.scene_role_name.argtypes = [i]
    assert so.scene_out_size() == OUT.itemsize, "libscene.so and scene.py do not match: rebuild"
    for k, name in enumerate(KIND_NAMES):
        assert so.scene_kind_name(k).decode() == name, name
    for k, name in enumerate(ROLE_NAMES):
        assert so.scene_role_name(k).decode() == name, name
    return so


class Out:
    """What is on one picture. The arrays are views of a buffer that the next make() reuses."""

    def __init__(self, rec):
        self.elements = rec["elements"][:rec["n_elements"]]
        self.windows = rec["windows"][:rec["n_windows"]]
        self.chars = rec["chars"][:rec["n_chars"]]
        self.unknown = rec["unknown"][:rec["n_unknown"]]
        self.cursor = (int(rec["cursor_x"]), int(rec["cursor_y"]))
        self.dropped = int(rec["n_dropped"])


class Scene:
    """One per process."""

    def __init__(self, lib=None, assets=None, bank=None):
        self.so = load(lib)
        assets = assets or os.path.join(ROOT, "build/sprout/assets")
        if self.so.scene_init(assets.encode()):
            raise RuntimeError("scene_init failed: " + assets)
        self.rec = np.zeros(1, OUT)
        self.n_bank = self.open_bank(bank) if bank else 0

    def open_bank(self, path):
        """Opens a bank; an .xz is unpacked beside a temporary name first."""
        if path.endswith(".xz"):
            with lzma.open(path) as f, tempfile.NamedTemporaryFile(delete=False) as t:
                while block := f.read(1 << 22):
                    t.write(block)
            n = self.so.scene_bank_open(t.name.encode())
            os.unlink(t.name)
        else:
            n = self.so.scene_bank_open(path.encode())
        if n < 0:
            raise RuntimeError("cannot open bank " + path)
        return n

    def make(self, seed, width, height, flags=0, rgb=None):
        if rgb is None:
            rgb = np.empty((height, width, 3), np.uint8)
        assert rgb.shape == (height, width, 3) and rgb.dtype == np.uint8 and rgb.flags.c_contiguous
        if self.so.scene_make(seed, width, height, flags, rgb.ctypes.data, self.rec.ctypes.data):
            raise ValueError("scene_make failed")
        return rgb, Out(self.rec[0])

    def resize(self, rgb, width, height):
        h, w = rgb.shape[:2]
        rgb = np.ascontiguousarray(rgb)
        out = np.empty((height, width, 3), np.uint8)
        if self.so.scene_resize_bicubic(rgb.ctypes.data, w, h, out.ctypes.data, width, height):
            raise MemoryError("scene_resize_bicubic failed")
        return out


def _text(s, limit):
    """At most limit bytes of UTF-8, whole characters, behind a length byte."""
    b = s.encode()[:limit].decode(errors="ignore").encode()
    return struct.pack("B", len(b)) + b


class BankWriter:
    """Writes a bank file (scene_bank.h); boxes outside the picture are refused."""

    def __init__(self, path, lib=None):
        self.so, self.path, self.n = load(lib), path, 0
        self.file = open(path, "wb")
        self.file.write(b"SPBANK01" + struct.pack("<I", 0))

    def add(self, rgb, elements, title="", toolkit=0, flags=0):
        rgb = np.ascontiguousarray(rgb, np.uint8)
        h, w = rgb.shape[:2]
        body = struct.pack("<HHHBB", w, h, len(elements), toolkit, flags) + _text(title, 63)
        for e in elements:
            x0, y0, x1, y1 = (int(v) for v in e["box"])
            if not (0 <= x0 < x1 <= w and 0 <= y0 < y1 <= h):
                raise ValueError("box %r outside %dx%d" % (e["box"], w, h))
            body += struct.pack("<4h3B", x0, y0, x1, y1, KINDS[e["kind"]],
                                ROLES[e.get("role", "")], e.get("state", 0))
            body += _text(e.get("label", ""), 63) + _text(e.get("anchor", ""), 47)
            body += _text(e.get("value", ""), 47)
        room = np.empty(4 * w * h + 16, np.uint8)
        n = self.so.scene_bank_encode(rgb.ctypes.data, w, h, room.ctypes.data, room.size)
        body += room[:n].tobytes()
        self.file.write(struct.pack("<I", len(body)) + body)
        self.n += 1

    def close(self, xz=False):
        self.file.seek(8)
        self.file.write(struct.pack("<I", self.n))
        self.file.close()
        if xz:
            filters = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 1 << 26}]
            with open(self.path, "rb") as f, lzma.open(self.path + ".xz", "wb",
                                                       filters=filters) as z:
                while block := f.read(1 << 22):
                    z.write(block)
