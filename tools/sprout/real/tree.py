"""Reads what is on the screen from the accessibility tree: labelled elements with their screen boxes."""
import gi
gi.require_version("Atspi", "2.0")
from gi.repository import Atspi  # noqa: E402

R = Atspi.Role
KINDS = {R.PUSH_BUTTON: "button", R.TOGGLE_BUTTON: "button", R.CHECK_BOX: "check", R.RADIO_BUTTON: "radio", R.MENU: "menu",
         R.MENU_ITEM: "menu_item", R.CHECK_MENU_ITEM: "menu_item", R.RADIO_MENU_ITEM: "menu_item", R.PAGE_TAB: "tab", R.LIST_ITEM: "item",
         R.TABLE_CELL: "cell", R.TREE_ITEM: "cell", R.TABLE_COLUMN_HEADER: "header", R.COLUMN_HEADER: "header", R.ENTRY: "field",
         R.TEXT: "field", R.PASSWORD_TEXT: "field", R.SPIN_BUTTON: "spin", R.COMBO_BOX: "combo", R.LINK: "link", R.SLIDER: "slider",
         R.LABEL: "text", R.ICON: "deskicon", R.PUSH_BUTTON_MENU: "button", R.HEADING: "text", R.STATIC: "text"}
NAMED_BY_OTHERS = ("field", "spin", "combo", "slider")


def state(node, name):
    return node.get_state_set().contains(getattr(Atspi.StateType, name))


def clean(text):
    text = (text or "").strip().replace("&", "")
    while text and (text[-1] == ":" or text.endswith("...") or text.endswith("\u2026")):
        text = text[:-3] if text.endswith("...") else text[:-1]
    return text.strip()


def name_of(node, kind):
    """The visible label: of a field the caption it is labelled by."""
    if kind in NAMED_BY_OTHERS:
        for rel in node.get_relation_set() or []:
            if rel.get_relation_type() == Atspi.RelationType.LABELLED_BY and rel.get_n_targets():
                return clean(rel.get_target(0).get_name())
        hint = (node.get_attributes() or {}).get("placeholder-text", "")
        if kind == "field" and hint:
            return clean(hint)
    return clean(node.get_name())


def box_of(node):
    r = node.get_component_iface().get_extents(Atspi.CoordType.SCREEN)
    return [r.x, r.y, r.x + r.width, r.y + r.height]


def walk(node, top, out, depth=0):
    """Appends a dict for everything that the tree says is showing; top is the box of its window."""
    if depth > 40:
        return
    try:
        role = node.get_role()
        if depth and not state(node, "SHOWING") and role not in (R.FILLER, R.PANEL, R.MENU):
            return
        if role in (R.FRAME, R.DIALOG, R.WINDOW, R.ALERT, R.FILE_CHOOSER) and node.get_component_iface():
            top = box_of(node)
        kind = KINDS.get(role)
        if kind and node.get_component_iface() and state(node, "SHOWING"):
            parent = node.get_parent()
            in_bar = parent is not None and parent.get_role() == R.MENU_BAR
            in_menu = kind in ("menu", "menu_item") and not in_bar
            if kind in ("menu", "menu_item"):  # Qt calls the entries of a menu bar menu items
                kind = "menu" if in_bar else "menu_item"
            out.append({"kind": kind, "label": name_of(node, kind), "box": box_of(node), "top": top, "popup": in_menu,
                        "checked": state(node, "CHECKED"), "text": clean(node.get_name()), "about": clean(node.get_description())})
        for i in range(min(node.get_child_count(), 400)):
            child = node.get_child_at_index(i)
            if child is not None:
                walk(child, top, out, depth + 1)
    except Exception:  # nodes vanish while we read: skip that branch
        return


def applications():
    desk = Atspi.get_desktop(0)
    return [desk.get_child_at_index(i) for i in range(desk.get_child_count())]


def read_all():
    out = []
    for app in applications():
        if app is not None:
            walk(app, None, out)
    return out


def find(label, node=None, depth=0):
    """First showing node with that name."""
    nodes = applications() if node is None else [node.get_child_at_index(i) for i in range(min(node.get_child_count(), 300))]
    for n in nodes:
        try:
            if n is None:
                continue
            if clean(n.get_name()) == label and n.get_role() in KINDS and state(n, "SHOWING"):
                return n
            hit = find(label, n, depth + 1) if depth < 40 else None
            if hit:
                return hit
        except Exception:
            continue
    return None


def find_box(label):
    node = find(label)
    return box_of(node) if node else None
