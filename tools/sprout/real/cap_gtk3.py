"""Captures random GTK 3 windows: cap_gtk3.py SEED COUNT OUT_DIR BUTTONS (comma list, or "-" for no frames)."""
import random
import sys
import time

import gi
gi.require_version("Gtk", "3.0")
gi.require_version("Gdk", "3.0")
gi.require_version("GdkX11", "3.0")
from gi.repository import Gdk, GdkX11, Gtk, Pango  # noqa: E402,F401

from common import CHECKED, DISABLED, FOCUSED, OPEN, SELECTED, Rig, element  # noqa: E402
from spec import SpecMaker  # noqa: E402
from words import Words  # noqa: E402

THEMES = ["Adwaita", "Adwaita-dark", "Arc", "Arc-Dark", "Arc-Darker", "Blackbird", "Breeze", "Breeze-Dark", "Greybird", "Greybird-dark",
          "HighContrast", "Materia", "Materia-dark", "Materia-light-compact", "Numix", "Raleigh"]
ICON_THEMES = ["Adwaita", "Papirus", "Papirus-Dark", "Tango", "elementary-xfce", "elementary-xfce-dark"]
FONTS = ["Cantarell", "DejaVu Sans", "Liberation Sans", "Noto Sans", "Open Sans", "Roboto", "Ubuntu", "FreeSans", "Lato",
         "DejaVu Sans Condensed", "DejaVu Serif", "Noto Serif", "Liberation Sans Narrow"]


def settle(seconds):
    end = time.time() + seconds
    while True:
        while Gtk.events_pending():
            Gtk.main_iteration_do(False)
        if time.time() >= end:
            return
        time.sleep(0.004)


def place(widget):
    """Root rectangle of a widget's allocation."""
    top = widget.get_toplevel()
    x, y = widget.translate_coordinates(top, 0, 0)
    _, ox, oy = top.get_window().get_origin()
    return ox + x, oy + y, ox + x + widget.get_allocated_width(), oy + y + widget.get_allocated_height()


def tight(widget):
    """Root rectangle, no wider than the widget asks to be: check boxes and texts are often stretched."""
    x0, y0, x1, y1 = place(widget)
    want = widget.get_preferred_width()[1]
    if x1 - x0 <= want or widget.get_direction() == Gtk.TextDirection.RTL:
        return x0, y0, x1, y1
    align = widget.get_property("xalign") if isinstance(widget, Gtk.Label) else 0
    x0 += (x1 - x0 - want) * align
    return x0, y0, x0 + want, y1


class Builder:
    """Turns a spec into widgets and remembers how to find each element's box."""

    def __init__(self, rng, rig):
        self.rng, self.rig, self.finders = rng, rig, []

    def note(self, widget, kind, find=tight, **about):
        def run():
            if not widget.get_mapped() or not widget.get_child_visible():
                return []
            state = about.get("state", 0)
            if not widget.is_sensitive():
                state |= DISABLED
            if widget.has_focus():
                state |= FOCUSED
            return [(widget, element(kind, find(widget), **dict(about, state=state)))]
        self.finders.append(run)

    def label(self, text, kind="text", **kw):
        lab = Gtk.Label(label=text, xalign=kw.pop("xalign", 0))
        self.note(lab, kind, label=text)
        return lab

    def elements(self):
        out = []
        for run in self.finders:
            for widget, e in run():
                port = widget.get_ancestor(Gtk.Viewport) or widget.get_ancestor(Gtk.ScrolledWindow)
                if port and widget is not port:
                    b, p = e["box"], place(port)
                    if b[0] < p[0] or b[1] < p[1] or b[2] > p[2] or b[3] > p[3]:
                        continue
                out.append(e)
        return out

    # --- blocks -----------------------------------------------------------

    def build(self, b):
        return getattr(self, "b_" + b["t"])(b)

    def column(self, blocks, gap, pad):
        box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=gap, border_width=pad)
        for b in blocks:
            grow = b["t"] in ("list", "table", "text", "hbox", "tabs", "keypad", "grid")
            box.pack_start(self.build(b), grow, True, 0)
        return box

    def push(self, text, off=False):
        btn = Gtk.Button(label=text, sensitive=not off)
        if self.rng.random() < 0.06:
            btn.get_style_context().add_class(self.rng.choice(["suggested-action", "destructive-action"]))
        if self.rng.random() < 0.06:
            btn.set_image(Gtk.Image.new_from_icon_name("document-save", Gtk.IconSize.BUTTON))
            btn.set_always_show_image(True)
        self.note(btn, "button", place, label=text)
        return btn

    def b_buttons(self, b):
        o = Gtk.Orientation.VERTICAL if b["vertical"] else Gtk.Orientation.HORIZONTAL
        box = Gtk.Box(orientation=o, spacing=self.rng.choice([0, 4, 6, 8]))
        fill = b["align"] == "fill"
        if not fill:
            box.set_halign({"start": Gtk.Align.START, "end": Gtk.Align.END, "center": Gtk.Align.CENTER}[b["align"]])
        for text, off in zip(b["items"], b["off"] + [False] * 9):
            box.pack_start(self.push(text, off), fill, fill, 0)
        return box

    def b_form(self, b):
        if b["pos"] == "left":
            grid = Gtk.Grid(row_spacing=self.rng.choice([2, 4, 6, 10]), column_spacing=self.rng.choice([4, 6, 12]))
            for i, r in enumerate(b["rows"]):
                cap = Gtk.Label(label=r["label"] + (":" if b["colon"] else ""), xalign=0 if b["align"] == "start" else 1)
                grid.attach(cap, 0, i, 1, 1)
                w = self.field(r, r["label"])
                w.set_hexpand(r["kind"] != "spin" or self.rng.random() < 0.3)
                grid.attach(w, 1, i, 1, 1)
            return grid
        box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=self.rng.choice([2, 4, 6]))
        for r in b["rows"]:
            if b["pos"] == "above" or r["kind"] not in ("field", "password"):
                box.pack_start(Gtk.Label(label=r["label"] + (":" if b["colon"] else ""), xalign=0), False, False, 0)
                box.pack_start(self.field(r, r["label"]), False, False, 0)
            else:
                box.pack_start(self.field(dict(r, value="", placeholder=r["label"]), r["label"]), False, False, 0)
        return box

    def field(self, r, label):
        if r["kind"] == "combo":
            w = Gtk.ComboBoxText()
            for t in [r["value"]] + [self.rig.words.fresh() for _ in range(self.rng.randint(1, 5))]:
                w.append_text(t)
            w.set_active(0)
            self.note(w, "combo", place, label=label, value=r["value"])
        elif r["kind"] == "spin":
            w = Gtk.SpinButton.new_with_range(0, 1000, 1)
            w.set_value(float(r["value"]))
            w.set_halign(self.rng.choice([Gtk.Align.START, Gtk.Align.FILL]))
            self.note(w, "spin", place, label=label, value=r["value"])
        else:
            w = Gtk.Entry(text=r["value"], visibility=r["kind"] != "password", placeholder_text=r.get("placeholder", ""))
            w.set_width_chars(self.rng.choice([8, 12, 20, 28]))
            self.note(w, "field", place, label=label, value=r["value"])
        return w

    def toggle(self, cls, b, group=False):
        grid = Gtk.Grid(row_spacing=self.rng.choice([0, 2, 6]), column_spacing=12)
        first = None
        for i, (text, on) in enumerate(zip(b["items"], b["on"])):
            w = cls(label=text, halign=Gtk.Align.START)
            if group:
                w.join_group(first)
                first = first or w
            w.set_active(on)
            w.set_sensitive(self.rng.random() > 0.05)
            self.note(w, "radio" if group else "check", label=text, state=CHECKED if on else 0)
            grid.attach(w, i % b["cols"], i // b["cols"], 1, 1)
        return grid

    def b_checks(self, b):
        return self.toggle(Gtk.CheckButton, b)

    def b_radios(self, b):
        return self.toggle(Gtk.RadioButton, b, True)

    def b_switches(self, b):
        grid = Gtk.Grid(row_spacing=4, column_spacing=12)
        for i, (text, on) in enumerate(zip(b["items"], b["on"])):
            sw = Gtk.Switch(active=on, halign=Gtk.Align.END, valign=Gtk.Align.CENTER)
            grid.attach(Gtk.Label(label=text, xalign=0, hexpand=self.rng.random() < 0.7), 0, i, 1, 1)
            grid.attach(sw, 1, i, 1, 1)
            self.note(sw, "toggle", place, label=text, state=CHECKED if on else 0)
        return grid

    def scrolled(self, child, w, h):
        sw = Gtk.ScrolledWindow(shadow_type=self.rng.choice([Gtk.ShadowType.IN, Gtk.ShadowType.NONE]))
        sw.set_size_request(w, h)
        sw.add(child)
        return sw

    def tree(self, cols, rows, sel, icon, headers):
        types = ([str] if icon else []) + [str] * len(rows[0])
        store = Gtk.ListStore(*types)
        for r in rows:
            store.append(([icon] if icon else []) + r)
        view = Gtk.TreeView(model=store, headers_visible=headers)
        if self.rng.random() < 0.2:
            view.set_grid_lines(Gtk.TreeViewGridLines.BOTH)
        for i in range(len(rows[0])):
            col = Gtk.TreeViewColumn()
            col.set_title(cols[i])
            col.set_resizable(True)
            if i == 0 and icon:
                pix = Gtk.CellRendererPixbuf()
                col.pack_start(pix, False)
                col.add_attribute(pix, "icon-name", 0)
            text = Gtk.CellRendererText()
            col.pack_start(text, True)
            col.add_attribute(text, "text", i + (1 if icon else 0))
            view.append_column(col)
        if sel >= 0:
            view.get_selection().select_path(Gtk.TreePath(sel))
        else:
            view.get_selection().unselect_all()
        self.finders.append(lambda: self.tree_elements(view, rows, cols, headers, sel))
        return view

    def tree_elements(self, view, rows, cols, headers, sel):
        out, port = [], place(view)
        if not view.get_mapped():
            return out
        for c, col in enumerate(view.get_columns()):
            if headers:
                out.append((view, element("header", place(col.get_button()), label=cols[c])))
            for i, r in enumerate(rows):
                a = view.get_cell_area(Gtk.TreePath(i), col)
                x, y = view.convert_bin_window_to_widget_coords(a.x, a.y)
                box = (port[0] + x, port[1] + y, port[0] + x + a.width, port[1] + y + a.height)
                head = place(col.get_button())[3] if headers else port[1]
                if box[1] >= head - 1 and box[3] <= port[3] + 1 and box[2] <= port[2] + 1:
                    out.append((view, element("item" if len(rows[0]) == 1 else "cell", box, label=r[c],
                                              anchor=r[0] if c else "", state=SELECTED if i == sel else 0)))
        return out

    def b_list(self, b):
        rows = [[t] for t in b["items"]]
        view = self.tree([b["header"]] if b["header"] else [""], rows, b["sel"], b["icon"], bool(b["header"]))
        return self.scrolled(view, self.rng.randint(120, 220), self.rng.randint(70, 200))

    def b_table(self, b):
        view = self.tree(b["cols"], b["rows"], b["sel"], None, True)
        return self.scrolled(view, self.rng.randint(240, 460), self.rng.randint(90, 220))

    def b_rows(self, b):
        grid = Gtk.Grid(row_spacing=self.rng.choice([2, 6]), column_spacing=self.rng.choice([6, 24]))
        for i, name in enumerate(b["names"]):
            lab = self.label(name)
            lab.set_hexpand(True)
            btn = Gtk.Button(label=b["button"])
            self.note(btn, "button", place, label=b["button"], anchor=name)
            grid.attach(lab, 0, i, 1, 1)
            grid.attach(btn, 1, i, 1, 1)
        return grid

    def b_toolbar(self, b):
        bar = Gtk.Toolbar(icon_size=self.rng.choice([Gtk.IconSize.SMALL_TOOLBAR, Gtk.IconSize.LARGE_TOOLBAR]), show_arrow=False)
        style = {"icons": Gtk.ToolbarStyle.ICONS, "both": Gtk.ToolbarStyle.BOTH, "horiz": Gtk.ToolbarStyle.BOTH_HORIZ,
                 "text": Gtk.ToolbarStyle.TEXT}[b["style"]]
        bar.set_style(style)
        theme = Gtk.IconTheme.get_default()
        for it in b["items"]:
            name = it["name"] + ("-symbolic" if self.symbolic else "")
            if not theme.has_icon(name):
                name = it["name"]
            if not theme.has_icon(name):
                continue
            if it["sep"]:
                bar.insert(Gtk.SeparatorToolItem(), -1)
            item = Gtk.ToolButton(icon_name=name, label=it["label"], is_important=True)
            bar.insert(item, -1)
            button = item.get_child()
            if b["style"] == "icons":
                self.note(button, "icon", place, role=it["icon"])
            else:
                self.note(button, "toolbutton", place, label=it["label"], role="" if b["style"] == "text" else it["icon"])
        return bar

    def b_menubar(self, b):
        bar = Gtk.MenuBar()
        self.bar, self.open_item = bar, None
        for i, m in enumerate(b["menus"]):
            top = Gtk.MenuItem(label=m["title"])
            menu = Gtk.Menu()
            group = None
            for it in m["items"]:
                if it["sep"]:
                    menu.append(Gtk.SeparatorMenuItem())
                menu.append(self.menu_item(it, m["title"], group))
            top.set_submenu(menu)
            bar.append(top)
            self.note(top, "menu", place, label=m["title"], state=OPEN if i == b["open"] else 0)
            if i == b["open"]:
                self.open_item = top
        return bar

    def menu_item(self, it, title, group):
        text = it["label"] + ("..." if it["dots"] else "")
        item = {"check": Gtk.CheckMenuItem, "radio": Gtk.RadioMenuItem}.get(it["kind"], Gtk.MenuItem)(label=text)
        if it["kind"] in ("check", "radio"):
            item.set_active(it["on"])
        if it["kind"] == "sub":
            sub = Gtk.Menu()
            sub.append(Gtk.MenuItem(label="More"))
            item.set_submenu(sub)
        if it["accel"]:
            key, mods = Gtk.accelerator_parse(it["accel"])
            item.get_child().set_accel(key, mods)
        item.set_sensitive(not it["off"])
        self.note(item, "menu_item", place, label=it["label"], anchor=title,
                  state=CHECKED if it["kind"] in ("check", "radio") and it["on"] else 0)
        return item

    def b_keypad(self, b):
        box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=b["gap"])
        if b["display"]:
            e = Gtk.Entry(text=b["display"], xalign=1)
            self.note(e, "field", place, value=b["display"])
            box.pack_start(e, False, False, 0)
        grid = Gtk.Grid(row_spacing=b["gap"], column_spacing=b["gap"], row_homogeneous=True, column_homogeneous=True)
        for y, row in enumerate(b["rows"]):
            for x, text in enumerate(row):
                btn = Gtk.Button(label=text, hexpand=True, vexpand=True)
                self.note(btn, "key", place, label=text)
                grid.attach(btn, x, y, 1, 1)
        box.pack_start(grid, True, True, 0)
        return box

    def b_grid(self, b):
        grid = Gtk.Grid(row_spacing=4, column_spacing=4, column_homogeneous=True)
        for i, text in enumerate(b["items"]):
            btn = self.push(text)
            btn.set_hexpand(True)
            grid.attach(btn, i % b["cols"], i // b["cols"], 1, 1)
        return grid

    def b_slider(self, b):
        box = Gtk.Box(spacing=8)
        scale = Gtk.Scale.new_with_range(Gtk.Orientation.HORIZONTAL, 0, 100, 1)
        scale.set_value(b["value"])
        scale.set_draw_value(self.rng.random() < 0.4)
        scale.set_size_request(120, -1)
        box.pack_start(Gtk.Label(label=b["label"]), False, False, 0)
        box.pack_start(scale, True, True, 0)
        self.note(scale, "slider", place, label=b["label"])
        return box

    def b_search(self, b):
        box = Gtk.Box(spacing=6)
        e = Gtk.SearchEntry(text=b["value"], placeholder_text=b["hint"])
        box.pack_start(e, True, True, 0)
        self.note(e, "field", place, label="" if b["value"] else b["hint"], value=b["value"], role="search")
        if b["button"]:
            box.pack_start(self.push(b["button"]), False, False, 0)
        return box

    def b_text(self, b):
        view = Gtk.TextView(monospace=self.rng.random() < 0.5, editable=True)
        buf = view.get_buffer()
        buf.set_text("\n".join(b["lines"]))

        def run():
            out, port = [], place(view)
            for i, line in enumerate(b["lines"]):
                r0 = view.get_iter_location(buf.get_iter_at_line(i))
                it = buf.get_iter_at_line(i)
                it.forward_to_line_end()
                r1 = view.get_iter_location(it)
                x0, y0 = view.buffer_to_window_coords(Gtk.TextWindowType.WIDGET, r0.x, r0.y)
                x1, y1 = view.buffer_to_window_coords(Gtk.TextWindowType.WIDGET, r1.x, r1.y + r1.height)
                out.append((view, element("text", (port[0] + x0, port[1] + y0, port[0] + x1, port[1] + y1), label=line[:60])))
            return out
        self.finders.append(run)
        self.note(view, "textarea", place)
        return self.scrolled(view, self.rng.randint(220, 420), self.rng.randint(80, 240))

    def b_label(self, b):
        lab = self.label(b["text"])
        if b["big"]:
            attrs = Pango.AttrList.new()
            attrs.insert(Pango.attr_scale_new(1.4))
            attrs.insert(Pango.attr_weight_new(Pango.Weight.BOLD))
            lab.set_attributes(attrs)
        return lab

    def b_status(self, b):
        bar = Gtk.Statusbar()
        bar.push(0, b["text"])
        self.note(bar.get_message_area().get_children()[0], "status", label=b["text"])
        return bar

    def b_message(self, b):
        box = Gtk.Box(spacing=12)
        icon = Gtk.Image.new_from_icon_name(b["icon"], Gtk.IconSize.DIALOG)
        box.pack_start(icon, False, False, 0)
        col = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=8)
        lab = self.label(b["text"])
        if self.rng.random() < 0.5:
            attrs = Pango.AttrList.new()
            attrs.insert(Pango.attr_weight_new(Pango.Weight.BOLD))
            lab.set_attributes(attrs)
        col.pack_start(lab, False, False, 0)
        if b["sub"]:
            col.pack_start(self.label(b["sub"]), False, False, 0)
        box.pack_start(col, True, True, 0)
        return box

    def b_link(self, b):
        w = Gtk.LinkButton(uri="file:///", label=b["label"], halign=Gtk.Align.START)
        self.note(w, "link", label=b["label"])
        return w

    def b_progress(self, b):
        w = Gtk.ProgressBar(fraction=b["value"])
        self.note(w, "progress", place)
        return w

    def b_frame(self, b):
        frame = Gtk.Frame()
        frame.set_label_widget(self.label(b["title"], "group"))
        frame.add(self.column(b["blocks"], 4, 6))
        return frame

    def b_hbox(self, b):
        box = Gtk.Box(spacing=self.rng.choice([6, 12]))
        for col in b["cols"]:
            box.pack_start(self.column(col, 6, 0), True, True, 0)
        return box

    def b_tabs(self, b):
        book = Gtk.Notebook()
        if self.rng.random() < 0.15:
            book.set_tab_pos(self.rng.choice([Gtk.PositionType.LEFT, Gtk.PositionType.BOTTOM]))
        for i, title in enumerate(b["titles"]):
            lab = Gtk.Label(label=title)
            page = self.column(b["blocks"], 6, 8) if i == b["cur"] else Gtk.Box()
            book.append_page(page, lab)
            self.tab(book, lab, title, i == b["cur"])
        book.show_all()
        book.set_current_page(b["cur"])
        return book

    def tab(self, book, lab, title, cur):
        def find(w):
            x0, y0, x1, y1 = place(w)
            return x0 - 4, y0 - 3, x1 + 4, y1 + 3
        self.note(lab, "tab", find, label=title, state=CHECKED if cur else 0)


def header_bar(build, win, spec, rig):
    bar = Gtk.HeaderBar(title=spec["title"], show_close_button=True)
    win.set_titlebar(bar)
    if build.rng.random() < 0.6:
        bar.pack_start(build.push(rig.words.fresh()))
    if build.rng.random() < 0.5:
        name, role = build.rng.choice([("open-menu-symbolic", "menu"), ("edit-find-symbolic", "search"), ("list-add-symbolic", "plus")])
        btn = Gtk.Button.new_from_icon_name(name, Gtk.IconSize.MENU)
        bar.pack_end(btn)
        build.note(btn, "icon", place, role=role)

    def walk(w, _=None):
        if isinstance(w, Gtk.Button):
            ctx = w.get_style_context()
            for cls, role in (("close", "close"), ("minimize", "minimize"), ("maximize", "maximize")):
                if ctx.has_class("titlebutton") and ctx.has_class(cls):
                    build.note(w, "winbutton", place, role=role, anchor=spec["title"])
        if isinstance(w, Gtk.Label) and w.get_style_context().has_class("title"):
            build.note(w, "title", tight, label=spec["title"])
        if isinstance(w, Gtk.Container):
            w.forall(walk)
    build.after_show = lambda: bar.forall(walk)


def one_window(rng, rig, maker):
    rig.words.clear()
    spec = maker.window()
    build = Builder(rng, rig)
    build.bar = build.open_item = build.after_show = None
    build.symbolic = rng.random() < 0.4
    win = Gtk.Window(title=spec["title"])
    own_bar = rng.random() < 0.18
    if own_bar:
        header_bar(build, win, spec, rig)
    bars = [b for b in spec["blocks"] if b["t"] in ("menubar", "toolbar", "status")]
    rest = [b for b in spec["blocks"] if b not in bars]
    outer = Gtk.Box(orientation=Gtk.Orientation.VERTICAL)
    for b in [b for b in bars if b["t"] != "status"]:
        outer.pack_start(build.build(b), False, False, 0)
    outer.pack_start(build.column(rest, spec["gap"], spec["pad"]), True, True, 0)
    for b in [b for b in bars if b["t"] == "status"]:
        outer.pack_start(build.build(b), False, False, 0)
    win.add(outer)
    w, h = spec["w"], spec["h"]
    if build.open_item:
        w, h = max(w, 420), max(h, 330)
    win.set_default_size(w, h)
    win.show_all()
    win.present()
    settle(0.12)
    if build.after_show:
        build.after_show()
    if build.open_item:
        build.bar.select_item(build.open_item)
        settle(0.1)
    cover = place(build.open_item.get_submenu().get_toplevel()) if build.open_item else None
    rig.stage(win.get_window().get_xid(), build.elements(), spec["title"], rng.random() < 0.6, own_bar, cover)
    if build.open_item:
        build.bar.cancel()
    win.destroy()
    settle(0.02)


def restyle(rng):
    s = Gtk.Settings.get_default()
    s.props.gtk_enable_animations = False
    s.props.gtk_theme_name = rng.choice(THEMES)
    s.props.gtk_application_prefer_dark_theme = rng.random() < 0.15
    s.props.gtk_icon_theme_name = rng.choice(ICON_THEMES)
    s.props.gtk_font_name = f"{rng.choice(FONTS)} {rng.choice([8, 9, 9, 10, 10, 10, 11, 11, 12, 13])}"
    s.props.gtk_xft_antialias = 1
    s.props.gtk_xft_hinting = 1
    s.props.gtk_xft_hintstyle = rng.choice(["hintslight", "hintslight", "hintfull", "hintnone", "hintmedium"])
    s.props.gtk_xft_rgba = rng.choice(["none", "none", "none", "rgb"])
    s.props.gtk_cursor_blink = False
    s.props.gtk_decoration_layout = rng.choice(["menu:close", ":minimize,maximize,close", ":close", "close,minimize,maximize:"])


def main():
    seed, count, out, buttons = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    rng = random.Random(seed)
    rig = Rig(out, f"gtk3-{seed}-", "gtk3", None if buttons == "-" else buttons.split(","))
    rig.words = Words(rng)
    maker = SpecMaker(rng, rig.words)
    for i in range(count):
        if i % 5 == 0:
            restyle(rng)
        one_window(rng, rig, maker)
    print(rig.toolkit, rig.count, "of", count)


main()
