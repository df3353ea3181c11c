"""Captures random Qt 5 windows: cap_qt5.py SEED COUNT OUT_DIR BUTTONS (comma list, or "-" for no frames)."""
import random
import sys
import time

from PyQt5 import QtCore, QtGui, QtWidgets
from PyQt5.QtCore import QPoint, Qt
from PyQt5.QtGui import QColor, QPalette

from common import CHECKED, DEFAULT, DISABLED, FOCUSED, OPEN, SELECTED, Rig, element
from spec import SpecMaker
from words import Words

STYLES = ["fusion", "fusion", "fusion", "windows", "adwaita", "adwaita-dark", "breeze", "cleanlooks", "plastique", "motif", "cde", "gtk2"]
ICON_THEMES = ["Adwaita", "Papirus", "Papirus-Dark", "Tango", "elementary-xfce"]
FONTS = ["Cantarell", "DejaVu Sans", "Liberation Sans", "Noto Sans", "Open Sans", "Roboto", "Ubuntu", "FreeSans", "Lato",
         "DejaVu Sans Condensed", "DejaVu Serif"]
PALETTES = [  # window, base, text, button, highlight; None keeps the style's own
    None, None, None, ("#eff0f1", "#fcfcfc", "#232627", "#eff0f1", "#3daee9"), ("#31363b", "#232629", "#eff0f1", "#31363b", "#3daee9"),
    ("#353535", "#2a2a2a", "#ffffff", "#353535", "#2a82da"), ("#ece9d8", "#ffffff", "#000000", "#ece9d8", "#316ac5"),
    ("#d4d0c8", "#ffffff", "#000000", "#d4d0c8", "#0a246a"), ("#f6f5f4", "#ffffff", "#2e3436", "#f6f5f4", "#3584e4"),
    ("#2d2d30", "#1e1e1e", "#dcdcdc", "#3e3e42", "#007acc"), ("#e8f0e8", "#fbfffb", "#102010", "#dce8dc", "#4a9a4a")]


def settle(seconds):
    end = time.time() + seconds
    app = QtWidgets.QApplication.instance()
    while time.time() < end:
        app.processEvents(QtCore.QEventLoop.AllEvents, 5)
        time.sleep(0.003)


def place(w, rect=None):
    """Root rectangle of a widget or of a part of it."""
    rect = rect or w.rect()
    p = w.mapToGlobal(rect.topLeft())
    return p.x(), p.y(), p.x() + rect.width(), p.y() + rect.height()


def tight(w):
    x0, y0, x1, y1 = place(w)
    want = w.sizeHint().width()
    if x1 - x0 > want:
        align = w.alignment() if isinstance(w, QtWidgets.QLabel) else Qt.AlignLeft
        if align & Qt.AlignRight:
            x0 = x1 - want
        elif align & Qt.AlignHCenter:
            x0 = (x0 + x1 - want) / 2
        x1 = x0 + want
    return x0, y0, x1, y1


class Builder:
    """Turns a spec into widgets and remembers how to find each element's box."""

    def __init__(self, rng, rig):
        self.rng, self.rig, self.finders, self.opened = rng, rig, [], None

    def note(self, w, kind, find=tight, **about):
        def run():
            if not w.isVisible() or w.visibleRegion().isEmpty():
                return []
            state = about.get("state", 0) | (0 if w.isEnabled() else DISABLED) | (FOCUSED if w.hasFocus() else 0)
            return [element(kind, find(w), **dict(about, state=state))]
        self.finders.append(run)
        return w

    def elements(self):
        return [e for run in self.finders for e in run()]

    def build(self, b):
        return getattr(self, "b_" + b["t"])(b)

    def column(self, blocks, gap, pad):
        w = QtWidgets.QWidget()
        lay = QtWidgets.QVBoxLayout(w)
        lay.setSpacing(gap)
        lay.setContentsMargins(pad, pad, pad, pad)
        grows = False
        for b in blocks:
            grow = b["t"] in ("list", "table", "text", "hbox", "tabs", "keypad", "grid")
            grows |= grow
            lay.addWidget(self.build(b), 1 if grow else 0)
        if not grows:
            lay.addStretch(1)
        return w

    def box(self, vertical=False, gap=6):
        w = QtWidgets.QWidget()
        lay = (QtWidgets.QVBoxLayout if vertical else QtWidgets.QHBoxLayout)(w)
        lay.setContentsMargins(0, 0, 0, 0)
        lay.setSpacing(gap)
        return w, lay

    def text(self, s, kind="text"):
        lab = QtWidgets.QLabel(s)
        return self.note(lab, kind, label=s)

    def mnemonic(self, s):
        """Sometimes an underlined letter, which is no part of the label."""
        if self.rng.random() < 0.3:
            i = self.rng.randrange(len(s))
            if s[i].isalpha():
                return s[:i] + "&" + s[i:]
        return s

    def push(self, s, off=False, default=False):
        btn = QtWidgets.QPushButton(self.mnemonic(s))
        btn.setEnabled(not off)
        btn.setAutoDefault(False)
        if default:
            btn.setDefault(True)
        if self.rng.random() < 0.12:
            btn.setIcon(QtGui.QIcon.fromTheme(self.rng.choice(["document-save", "dialog-ok", "list-add", "edit-delete"])))
        return self.note(btn, "button", place, label=s, state=DEFAULT if default else 0)

    def b_buttons(self, b):
        w, lay = self.box(b["vertical"], self.rng.choice([0, 4, 6, 8]))
        if b["align"] in ("end", "center") and not b["vertical"]:
            lay.addStretch(1)
        for i, (s, off) in enumerate(zip(b["items"], b["off"] + [False] * 9)):
            lay.addWidget(self.push(s, off, i == 0 and self.rng.random() < 0.4), 1 if b["align"] == "fill" else 0)
        if b["align"] in ("start", "center") and not b["vertical"]:
            lay.addStretch(1)
        return w

    def b_form(self, b):
        w = QtWidgets.QWidget()
        grid = QtWidgets.QGridLayout(w)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(self.rng.choice([2, 4, 6, 10]))
        for i, r in enumerate(b["rows"]):
            shown = b["pos"] == "placeholder" and r["kind"] in ("field", "password")
            cap = QtWidgets.QLabel(r["label"] + (":" if b["colon"] else ""))
            field = self.field(dict(r, value="", placeholder=r["label"]) if shown else r, r["label"])
            if b["pos"] == "left":
                if b["align"] == "end":
                    cap.setAlignment(Qt.AlignRight | Qt.AlignVCenter)
                grid.addWidget(cap, i, 0)
                grid.addWidget(field, i, 1)
                continue
            if not shown:
                grid.addWidget(cap, 2 * i, 0)
            grid.addWidget(field, 2 * i + 1, 0)
        return w

    def field(self, r, label):
        if r["kind"] == "combo":
            w = QtWidgets.QComboBox()
            w.addItems([r["value"]] + [self.rig.words.fresh() for _ in range(self.rng.randint(1, 5))])
            return self.note(w, "combo", place, label=label, value=r["value"])
        if r["kind"] == "spin":
            w = QtWidgets.QSpinBox()
            w.setMaximum(1000)
            w.setValue(int(r["value"]))
            if self.rng.random() < 0.5:
                w.setSizePolicy(QtWidgets.QSizePolicy.Fixed, QtWidgets.QSizePolicy.Fixed)
            return self.note(w, "spin", place, label=label, value=r["value"])
        w = QtWidgets.QLineEdit(r["value"])
        w.setPlaceholderText(r.get("placeholder", ""))
        w.setClearButtonEnabled(self.rng.random() < 0.1)
        if r["kind"] == "password":
            w.setEchoMode(QtWidgets.QLineEdit.Password)
        return self.note(w, "field", place, label=label, value=r["value"])

    def toggle(self, cls, kind, b):
        w = QtWidgets.QWidget()
        grid = QtWidgets.QGridLayout(w)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(self.rng.choice([0, 2, 6]))
        for i, (s, on) in enumerate(zip(b["items"], b["on"])):
            t = cls(self.mnemonic(s))
            t.setChecked(on)
            t.setEnabled(self.rng.random() > 0.05)
            self.note(t, kind, label=s, state=CHECKED if on else 0)
            grid.addWidget(t, i // b["cols"], i % b["cols"])
        return w

    def b_checks(self, b):
        return self.toggle(QtWidgets.QCheckBox, "check", b)

    def b_radios(self, b):
        return self.toggle(QtWidgets.QRadioButton, "radio", b)

    def b_switches(self, b):
        return self.toggle(QtWidgets.QCheckBox, "check", dict(b, cols=1))

    def view_elements(self, view, rows, cols, sel, kind):
        def run():
            out, port = [], view.viewport()
            if not view.isVisible():
                return out
            px = place(port)
            if cols:
                head = view.horizontalHeader() if isinstance(view, QtWidgets.QTableWidget) else view.header()
                hx = place(head.viewport())
                for c, name in enumerate(cols):
                    x0 = hx[0] + head.sectionViewportPosition(c)
                    x1 = min(x0 + head.sectionSize(c), hx[2])
                    if x1 - x0 >= head.fontMetrics().horizontalAdvance(name) + 6:
                        out.append(element("header", (x0, hx[1], x1, hx[3]), label=name))
            for i, r in enumerate(rows):
                for c, s in enumerate(r):
                    rect = view.visualRect(view.model().index(i, c))
                    b = place(port, rect)
                    b = (b[0], b[1], min(b[2], px[2]), b[3])
                    if b[3] <= px[3] and b[2] - b[0] >= view.fontMetrics().horizontalAdvance(s) + 6:
                        out.append(element(kind, b, label=s, anchor=r[0] if c else "", state=SELECTED if i == sel else 0))
            return out
        self.finders.append(run)

    def b_list(self, b):
        if b["header"]:
            return self.b_table({"cols": [b["header"]], "rows": [[s] for s in b["items"]], "sel": b["sel"], "tree": True})
        w = QtWidgets.QListWidget()
        for s in b["items"]:
            QtWidgets.QListWidgetItem(QtGui.QIcon.fromTheme(b["icon"]) if b["icon"] else QtGui.QIcon(), s, w)
        w.setCurrentRow(b["sel"])
        w.setMinimumSize(self.rng.randint(110, 220), self.rng.randint(60, 180))
        self.view_elements(w, [[s] for s in b["items"]], None, b["sel"], "item")
        return w

    def b_table(self, b):
        one = len(b["cols"]) == 1
        if b.get("tree") or self.rng.random() < 0.5:
            w = QtWidgets.QTreeWidget()
            w.setHeaderLabels(b["cols"])
            w.setRootIsDecorated(self.rng.random() < 0.3)
            w.setAlternatingRowColors(self.rng.random() < 0.4)
            for r in b["rows"]:
                QtWidgets.QTreeWidgetItem(w, r)
            if b["sel"] >= 0:
                w.setCurrentItem(w.topLevelItem(b["sel"]))
        else:
            w = QtWidgets.QTableWidget(len(b["rows"]), len(b["cols"]))
            w.setHorizontalHeaderLabels(b["cols"])
            w.verticalHeader().setVisible(self.rng.random() < 0.5)
            w.verticalHeader().setDefaultSectionSize(self.rng.choice([20, 24, 30]))
            for i, r in enumerate(b["rows"]):
                for c, s in enumerate(r):
                    w.setItem(i, c, QtWidgets.QTableWidgetItem(s))
            w.setSelectionBehavior(QtWidgets.QAbstractItemView.SelectRows)
            if b["sel"] >= 0:
                w.selectRow(b["sel"])
        for c in range(len(b["cols"])):
            w.resizeColumnToContents(c)
        w.setMinimumSize(self.rng.randint(160, 420), self.rng.randint(80, 200))
        self.view_elements(w, b["rows"], b["cols"], b["sel"], "item" if one else "cell")
        return w

    def b_rows(self, b):
        w = QtWidgets.QWidget()
        grid = QtWidgets.QGridLayout(w)
        for i, name in enumerate(b["names"]):
            btn = QtWidgets.QPushButton(b["button"])
            self.note(btn, "button", place, label=b["button"], anchor=name)
            grid.addWidget(self.text(name), i, 0)
            grid.addWidget(btn, i, 1)
        return w

    def b_toolbar(self, b):
        bar = QtWidgets.QToolBar()
        size = self.rng.choice([16, 22, 24, 32])
        bar.setIconSize(QtCore.QSize(size, size))
        bar.setToolButtonStyle({"icons": Qt.ToolButtonIconOnly, "both": Qt.ToolButtonTextUnderIcon, "horiz": Qt.ToolButtonTextBesideIcon,
                                "text": Qt.ToolButtonTextOnly}[b["style"]])
        for it in b["items"]:
            icon = QtGui.QIcon.fromTheme(it["name"])
            if icon.isNull():
                continue
            if it["sep"]:
                bar.addSeparator()
            button = bar.widgetForAction(bar.addAction(icon, it["label"]))
            if b["style"] == "icons":
                self.note(button, "icon", place, role=it["icon"])
            else:
                self.note(button, "toolbutton", place, label=it["label"], role="" if b["style"] == "text" else it["icon"])
        return bar

    def b_menubar(self, b):
        bar = QtWidgets.QMenuBar()
        bar.setNativeMenuBar(False)
        for i, m in enumerate(b["menus"]):
            menu = QtWidgets.QMenu(self.mnemonic(m["title"]), bar)
            group = QtWidgets.QActionGroup(menu)
            for it in m["items"]:
                self.menu_item(menu, it, m["title"], group)
            act = bar.addMenu(menu)
            if i == b["open"]:
                self.opened = (bar, act, menu)
            self.finders.append(self.action_finder(bar, act, "menu", m["title"], "", OPEN if i == b["open"] else 0))
        return bar

    @staticmethod
    def action_finder(owner, act, kind, label, anchor, state):
        def run():
            rect = owner.actionGeometry(act)
            if not owner.isVisible() or rect.isEmpty() or not owner.rect().contains(rect):
                return []
            return [element(kind, place(owner, rect), label=label, anchor=anchor, state=state)]
        return run

    def menu_item(self, menu, it, title, group):
        if it["sep"]:
            menu.addSeparator()
        text = self.mnemonic(it["label"]) + ("..." if it["dots"] else "")
        if it["kind"] == "sub":
            act = menu.addMenu(QtWidgets.QMenu(text, menu))
        else:
            act = menu.addAction(text)
        on = it["kind"] in ("check", "radio") and it["on"]
        if it["kind"] in ("check", "radio"):
            act.setCheckable(True)
            act.setChecked(on)
            if it["kind"] == "radio":
                group.addAction(act)
        if it["accel"]:
            act.setShortcut(it["accel"].replace("<Control>", "Ctrl+").replace("<Shift>", "Shift+").upper())
        if self.rng.random() < 0.15:
            act.setIcon(QtGui.QIcon.fromTheme(self.rng.choice(["document-open", "edit-copy", "edit-find", "list-remove"])))
        act.setEnabled(not it["off"])
        self.finders.append(self.action_finder(menu, act, "menu_item", it["label"], title,
                                               (CHECKED if on else 0) | (DISABLED if it["off"] else 0)))

    def b_keypad(self, b):
        w, lay = self.box(True, b["gap"])
        if b["display"]:
            e = QtWidgets.QLineEdit(b["display"])
            e.setAlignment(Qt.AlignRight)
            lay.addWidget(self.note(e, "field", place, value=b["display"]))
        grid = QtWidgets.QGridLayout()
        grid.setSpacing(b["gap"])
        tool = self.rng.random() < 0.3
        for y, row in enumerate(b["rows"]):
            for x, s in enumerate(row):
                btn = QtWidgets.QToolButton() if tool else QtWidgets.QPushButton()
                btn.setText(s)
                btn.setMinimumSize(24, 20)
                btn.setSizePolicy(QtWidgets.QSizePolicy.Expanding, QtWidgets.QSizePolicy.Expanding)
                grid.addWidget(self.note(btn, "key", place, label=s), y, x)
        lay.addLayout(grid, 1)
        return w

    def b_grid(self, b):
        w = QtWidgets.QWidget()
        grid = QtWidgets.QGridLayout(w)
        for i, s in enumerate(b["items"]):
            grid.addWidget(self.push(s), i // b["cols"], i % b["cols"])
        return w

    def b_slider(self, b):
        w, lay = self.box()
        lay.addWidget(QtWidgets.QLabel(b["label"]))
        sl = QtWidgets.QSlider(Qt.Horizontal)
        sl.setValue(b["value"])
        lay.addWidget(self.note(sl, "slider", place, label=b["label"]), 1)
        return w

    def b_search(self, b):
        w, lay = self.box()
        e = QtWidgets.QLineEdit(b["value"])
        e.setPlaceholderText(b["hint"])
        e.addAction(QtGui.QIcon.fromTheme("edit-find"), QtWidgets.QLineEdit.LeadingPosition)
        lay.addWidget(self.note(e, "field", place, label="" if b["value"] else b["hint"], value=b["value"], role="search"), 1)
        if b["button"]:
            lay.addWidget(self.push(b["button"]))
        return w

    def b_text(self, b):
        w = QtWidgets.QPlainTextEdit("\n".join(b["lines"]))
        w.setLineWrapMode(QtWidgets.QPlainTextEdit.NoWrap)
        w.setMinimumSize(self.rng.randint(200, 400), self.rng.randint(70, 220))
        if self.rng.random() < 0.5:
            w.setFont(QtGui.QFont("DejaVu Sans Mono", self.rng.choice([9, 10, 11])))

        def run():
            out, port = [], place(w.viewport())
            block = w.document().firstBlock()
            for line in b["lines"]:
                r = w.blockBoundingGeometry(block).translated(w.contentOffset())
                x0, y0 = port[0] + r.left() + 4, port[1] + r.top()
                x1 = x0 + w.fontMetrics().horizontalAdvance(line)
                if x1 <= port[2] and y0 + r.height() <= port[3] and w.isVisible():
                    out.append(element("text", (x0, y0, x1, y0 + r.height()), label=line[:60]))
                block = block.next()
            return out
        self.finders.append(run)
        return self.note(w, "textarea", place)

    def b_label(self, b):
        lab = self.text(b["text"])
        if b["big"]:
            font = lab.font()
            font.setPointSizeF(font.pointSizeF() * 1.4)
            font.setBold(True)
            lab.setFont(font)
        return lab

    def b_status(self, b):
        bar = QtWidgets.QStatusBar()
        bar.addWidget(self.text(b["text"], "status"))
        return bar

    def b_message(self, b):
        w, lay = self.box(gap=12)
        icon = QtWidgets.QLabel()
        icon.setPixmap(QtGui.QIcon.fromTheme(b["icon"]).pixmap(self.rng.choice([32, 48])))
        lay.addWidget(icon)
        col, inner = self.box(True)
        lab = self.text(b["text"])
        if self.rng.random() < 0.4:
            font = lab.font()
            font.setBold(True)
            lab.setFont(font)
        inner.addWidget(lab)
        if b["sub"]:
            inner.addWidget(self.text(b["sub"]))
        lay.addWidget(col, 1)
        return w

    def b_link(self, b):
        lab = QtWidgets.QLabel(f'<a href="x">{b["label"]}</a>')
        return self.note(lab, "link", label=b["label"])

    def b_progress(self, b):
        w = QtWidgets.QProgressBar()
        w.setValue(int(100 * b["value"]))
        return self.note(w, "progress", place)

    def b_frame(self, b):
        box = QtWidgets.QGroupBox(b["title"])
        check = self.rng.random() < 0.1
        box.setCheckable(check)
        lay = QtWidgets.QVBoxLayout(box)
        lay.addWidget(self.column(b["blocks"], 4, 2))

        def find(w):
            opt = QtWidgets.QStyleOptionGroupBox()
            w.initStyleOption(opt)
            style = w.style()
            rect = style.subControlRect(QtWidgets.QStyle.CC_GroupBox, opt, QtWidgets.QStyle.SC_GroupBoxLabel, w)
            if check:
                rect = rect.united(style.subControlRect(QtWidgets.QStyle.CC_GroupBox, opt, QtWidgets.QStyle.SC_GroupBoxCheckBox, w))
            return place(w, rect)
        return self.note(box, "check" if check else "group", find, label=b["title"], state=CHECKED if check else 0)

    def b_hbox(self, b):
        if self.rng.random() < 0.3:
            w = QtWidgets.QSplitter()
            for col in b["cols"]:
                w.addWidget(self.column(col, 6, 0))
            return w
        w, lay = self.box(gap=12)
        for col in b["cols"]:
            lay.addWidget(self.column(col, 6, 0))
        return w

    def b_tabs(self, b):
        book = QtWidgets.QTabWidget()
        book.setDocumentMode(self.rng.random() < 0.15)
        for i, title in enumerate(b["titles"]):
            book.addTab(self.column(b["blocks"], 6, 8) if i == b["cur"] else QtWidgets.QWidget(), self.mnemonic(title))
        book.setCurrentIndex(b["cur"])
        bar = book.tabBar()
        bar.setUsesScrollButtons(False)

        def run():
            if not bar.isVisible():
                return []
            out = []
            for i, title in enumerate(b["titles"]):
                r = bar.tabRect(i)
                if r.width() > bar.fontMetrics().horizontalAdvance(title):
                    out.append(element("tab", place(bar, r), label=title, state=CHECKED if i == b["cur"] else 0))
            return out
        self.finders.append(run)
        return book


def restyle(rng, app):
    style = rng.choice(STYLES)
    app.setStyle(QtWidgets.QStyleFactory.create(style) or QtWidgets.QStyleFactory.create("fusion"))
    pal = app.style().standardPalette()
    colours = rng.choice(PALETTES) if style in ("fusion", "windows", "cleanlooks", "plastique", "motif", "cde") else None
    if colours:
        window, base, text, button, high = (QColor(c) for c in colours)
        pal = QPalette(text, button, button.lighter(150), button.darker(200), button.darker(130), text, QColor("white"), base, window)
        pal.setColor(QPalette.Highlight, high)
        pal.setColor(QPalette.HighlightedText, QColor("white"))
        for role in (QPalette.Text, QPalette.WindowText, QPalette.ButtonText):
            pal.setColor(QPalette.Disabled, role, QColor("#909090"))
        pal.setColor(QPalette.AlternateBase, window)
        pal.setColor(QPalette.PlaceholderText, QColor("#8c8c8c"))
    app.setPalette(pal)
    font = QtGui.QFont(rng.choice(FONTS), rng.choice([8, 9, 9, 10, 10, 10, 11, 11, 12, 13]))
    font.setHintingPreference(rng.choice([QtGui.QFont.PreferDefaultHinting, QtGui.QFont.PreferNoHinting, QtGui.QFont.PreferFullHinting]))
    app.setFont(font)
    QtGui.QIcon.setThemeName(rng.choice(ICON_THEMES))


def one_window(rng, rig, maker):
    rig.words.clear()
    spec = maker.window()
    build = Builder(rng, rig)
    win = QtWidgets.QMainWindow()
    win.setWindowTitle(spec["title"])
    bars = [b for b in spec["blocks"] if b["t"] in ("menubar", "toolbar", "status")]
    for b in bars:
        w = build.build(b)
        {"menubar": win.setMenuBar, "toolbar": win.addToolBar, "status": win.setStatusBar}[b["t"]](w)
    win.setCentralWidget(build.column([b for b in spec["blocks"] if b not in bars], spec["gap"], spec["pad"]))
    w, h = spec["w"], spec["h"]
    if build.opened:
        w, h = max(w, 420), max(h, 330)
    win.resize(w, h)
    win.show()
    win.activateWindow()
    settle(0.13)
    cover = None
    if build.opened:
        bar, act, menu = build.opened
        rect = bar.actionGeometry(act)
        bar.setActiveAction(act)
        if not menu.isVisible():
            menu.popup(bar.mapToGlobal(QPoint(rect.left(), rect.bottom() + 1)))
        settle(0.08)
        cover = place(menu)
    rig.stage(int(win.winId()), build.elements(), spec["title"], rng.random() < 0.6, False, cover)
    if build.opened:
        build.opened[2].hide()
    win.close()
    win.deleteLater()
    settle(0.02)


def main():
    seed, count, out, buttons = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    rng = random.Random(seed)
    app = QtWidgets.QApplication(["window"])
    app.setCursorFlashTime(0)
    app.setEffectEnabled(Qt.UI_AnimateMenu, False)
    app.setQuitOnLastWindowClosed(False)
    rig = Rig(out, f"qt5-{seed}-", "qt5", None if buttons == "-" else buttons.split(","))
    rig.words = Words(rng)
    maker = SpecMaker(rng, rig.words)
    for i in range(count):
        if i % 5 == 0:
            restyle(rng, app)
        one_window(rng, rig, maker)
    print(rig.toolkit, rig.count, "of", count)


main()
