"""Scene -> questions and answers in the protocol's words.

questions(rng, scene, width, height) gives Items; every element is located or read
at most once a sequence, so that no answer can be copied from another."""
import json
from collections import namedtuple

ROOT_TEXT = "You are sprout, a small desktop model."
DEVELOPER_TEXT = "You control a desktop. Coordinates are integers from 0 to 1000. Answer with one action."
THINKING = (
    "<thinking_instructions>\nYou have a thinking capability that allows you to reason step by step before responding. "
    "When thinking is enabled, wrap your reasoning in <mm:think></mm:think> tags before your response. When thinking is "
    "disabled, begin your response directly after the </mm:think> prefix. When thinking is adaptive, decide on your own "
    "whether to think for the current turn.\nCurrent thinking mode: disabled. Do not output any thinking process.\n"
    "</thinking_instructions>")
HEADER = (f"]~!b[]~b]system\n{ROOT_TEXT}\n\n{THINKING}[e~[\n]~b]developer\n{DEVELOPER_TEXT}[e~[\n]~b]user\n")
NEXT = "\n]~b]user\n"
ASK = "[e~[\n]~b]ai\n</mm:think>"
END = "[e~["
HISTORY = 12

# text answered; content: [(start, end)] of what is not fixed text; box: where a click must land
Item = namedtuple("Item", "question answer content kind box action element")
El = namedtuple("El", "x0 y0 x1 y1 kind role state flags window label anchor value")
# one thing to do: step text, call arguments (without place), element or None
Step = namedtuple("Step", "text args target")

(TEXT, BUTTON, ICON, MENU, MENU_ITEM, CHECK, RADIO, TOGGLE, FIELD, TEXTAREA, COMBO, SPIN, SLIDER, TAB, ITEM, TREE, CELL,
 HEADER_CELL, LINK, TITLE, WINBUTTON, DESKICON, PANEL, KEY, PROGRESS, SCROLLBAR, TOOLTIP, TOOLBUTTON, STATUS, GROUP) = range(30)
UNIQUE, UNIQUE_ROLE, RELATION, FROM_BANK, ASCII, NAMED_KIND = 1, 2, 4, 8, 16, 32
CHECKED, DISABLED, OPEN = 1, 2, 32
ROLE_WORDS = """|close|minimize|maximize|search|settings|menu|left arrow|right arrow|up arrow|down arrow|plus|minus|home|reload
|trash|save|folder|file|cut|copy|paste|undo|redo|print|play|pause|stop|record|next|previous|info|help|warning|user
|mail|heart|star|bell|lock|edit|download|upload|share|link|camera|calendar|clock|list|grid|more|zoom in|zoom out
|volume|power|eye|filter|bookmark|image|terminal|check|bold|italic|underline|chat|cart|phone|music""".replace("\n", "").split("|")
ROLE_ALSO = {"close": ["x", "cross"], "minimize": ["minimise"], "maximize": ["maximise"], "search": ["magnifier", "find"],
             "settings": ["gear", "cog", "preferences"], "menu": ["hamburger"], "left arrow": ["back", "left"],
             "right arrow": ["forward", "right"], "up arrow": ["up"], "down arrow": ["down"], "plus": ["add", "+"],
             "minus": ["remove", "-"], "reload": ["refresh"], "trash": ["delete", "bin"], "user": ["account", "profile"],
             "mail": ["envelope"], "edit": ["pencil"], "more": ["three dots"], "print": ["printer"], "home": ["house"],
             "bell": ["notifications"], "star": ["favourite"], "chat": ["message"], "file": ["document"]}
KIND_WORDS = {BUTTON: ["button"], TOOLBUTTON: ["button", "toolbar button"], MENU: ["menu"], MENU_ITEM: ["menu item", "entry"],
              CHECK: ["checkbox", "check box"], RADIO: ["radio button", "option"], TOGGLE: ["switch", "toggle"],
              FIELD: ["field", "text field", "entry", "box"], TEXTAREA: ["text area", "field", "box"],
              COMBO: ["drop-down", "combo box", "list"], SPIN: ["spin box", "field", "number field"], SLIDER: ["slider"],
              TAB: ["tab"], ITEM: ["item", "row", "entry"], TREE: ["item", "entry", "node"], CELL: ["cell"], LINK: ["link"],
              DESKICON: ["icon"], PANEL: ["button", "entry"], KEY: ["key", "button"], HEADER_CELL: ["column", "header"]}
CLICKABLE = {BUTTON, MENU, MENU_ITEM, CHECK, RADIO, TOGGLE, FIELD, TEXTAREA, COMBO, SPIN, SLIDER, TAB, ITEM, TREE, CELL, LINK,
             DESKICON, PANEL, KEY, TOOLBUTTON}
TYPED = {FIELD, TEXTAREA, SPIN, COMBO}
READABLE = CLICKABLE - {FIELD, TEXTAREA, SPIN, SLIDER, COMBO} | {TEXT, TITLE, HEADER_CELL, STATUS, GROUP, TOOLTIP}
NAMES = """Ada Lovelace Grace Hopper Alan Turing Linus Maria Chen Bob Alice Carol David Emma Frank Julia Karl Lena Mia Noah Olga
Paul Quentin Rosa Sam Tom Uma Victor Wendy Xavier Yara Zoe Berlin Paris Oslo Tokyo Lima Cairo""".split()
COMMANDS = ["ls -la", "echo hi", "pwd", "cat notes.txt", "make check", "git status", "cd /tmp", "echo $HOME", "python3 -V",
            "grep -n main a.c", "echo \"hi\"", "date > now.txt", "df -h", "uname -a", "mkdir test", "rm old.log", "whoami",
            "sleep 1; echo ok", "touch a b", "top", "exit", "tar xf a.tar.gz", "ssh bob@host", "seq 1 10 | tail -3"]
UI = """Save|Save As|Open|Close|Cancel|OK|Apply|Yes|No|Help|About|File|Edit|View|Insert|Format|Tools|Window|Search|Find|Replace|
Options|Settings|Preferences|New|New Tab|Print|Quit|Exit|Undo|Redo|Cut|Copy|Paste|Select All|Zoom In|Reset|Next|Previous|
Back|Forward|Reload|Stop|Start|Pause|Play|Login|Sign In|Register|Username|Password|Email|Name|First Name|Surname|Address|City|
Country|Phone|Submit|Send|Reply|Inbox|Sent|Drafts|Trash|Download|Upload|Import|Export|Share|Add|Remove|Rename|Move|Properties|
Details|General|Advanced|Network|Display|Sound|Language|Keyboard|Mouse|Date|Time|Calendar|Color|Font|Size|Bold|Italic|Documents|
Pictures|Music|Videos|Desktop|Connect|Enable|Disable|Continue|Finish|Install|Update|Retry|Ignore|Browse|Remember me|Dark mode|
Subscribe|Learn more|Log out|My Account|Profile|Users|Filter|Sort|Refresh|Sync|Clear|Run|Build|Test|1|2|3|4|5|6|7|8|9|0|+|-|=|C
""".replace("\n", "").split("|")
KEYS = {"Return": ["Return", "Enter", "Return", "the Return key", "the Enter key"], "Escape": ["Escape", "Esc", "the Escape key"],
        "Tab": ["Tab", "the Tab key"], "BackSpace": ["Backspace", "BackSpace"], "Delete": ["the Delete key", "Del"],
        "Up": ["the up key", "the Up key"], "Down": ["the down key", "the Down key"], "Left": ["the left key", "the Left key"],
        "Right": ["the right key", "the Right key"], "Home": ["the Home key"], "End": ["the End key"],
        "Page_Up": ["Page Up", "Page_Up"], "Page_Down": ["Page Down", "Page_Down"], "space": ["space", "the space bar"],
        **{f"F{i}": [f"F{i}", f"the F{i} key"] for i in range(1, 13)}}
KEY_WORDS = {w.lower() for ws in KEYS.values() for w in ws} | {k.lower() for k in KEYS}


def esc(text):
    return json.dumps(text, ensure_ascii=False)


def click_args(action, x, y):
    return '{"action":"%s","coordinate":[' % action, f"{x},{y}", "]}", action


def answer(step, args):
    """-> (text, spans of content)"""
    head = f"Action: {step}\n<tool_call>\n" + '{"name":"computer","arguments":'
    a, value, tail, action = args
    text = head + a + value + tail + "}\n</tool_call>"
    k = len(head)
    spans = [(8, 8 + len(step)), (k + 11, k + 11 + len(action))]
    if value:
        spans.append((k + len(a), k + len(a) + len(value)))
    return text, spans


def text_args(text):
    return '{"action":"type","text":', esc(text), "}", "type"


def key_args(key):
    return '{"action":"key","text":', f'"{key}"', "}", "key"


def scroll_args(direction, amount):
    return ('{"action":"scroll","coordinate":[500,500],"scroll_direction":', f'"{direction}","scroll_amount":{amount}', "}",
            "scroll")


def wait_args(n):
    return '{"action":"wait","duration":', str(n), "}", "wait"


DONE = Step("Done.", ('{"action":"done"}', "", "", "done"), None)


def norm(v, size):
    return max(0, min(1000, int(v * 1000 / size + 0.5)))


def center(el, w, h):
    return norm((el.x0 + el.x1) / 2, w), norm((el.y0 + el.y1) / 2, h)


# ---- things to type

def some_text(rng, words):
    x = rng.random()
    w = lambda: rng.choice(words)
    if x < .22:
        return rng.choice(NAMES)
    if x < .40:
        return w()
    if x < .50:
        return rng.choice(NAMES) + " " + rng.choice(NAMES)
    if x < .60:
        return str(rng.randrange(10 ** rng.randrange(1, 7)))
    if x < .68:
        return w().lower() + rng.choice([".txt", ".pdf", ".png", ".c", ".html", ".csv", ".md"])
    if x < .76:
        return f"{w().lower()}@{w().lower()}.{rng.choice(['com', 'org', 'net', 'de'])}"
    if x < .86:
        return " ".join(w() for _ in range(rng.randrange(2, 5)))
    if x < .92:
        return rng.choice(COMMANDS)
    if x < .96:
        return "%d.%02d" % (rng.randrange(1000), rng.randrange(100))
    return "".join(rng.choice("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&*+-/:?@_") for _ in range(rng.randrange(4, 11)))


def told(rng, text):
    """The text as an instruction names it: bare, or in quotes."""
    plain = all(c.isalnum() or c in " @_-" or c == "." and i + 1 < len(text) for i, c in enumerate(text))
    hard = " then " in text or " in " in text or not plain
    if hard and '"' in text:
        return f"'{text}'" if "'" not in text else text
    if hard or rng.random() < .3:
        return f'"{text}"'
    return text


# ---- clauses: (words without full stop, lower-case verb first, [steps])

def label_of(rng, label):
    return f'"{label}"' if rng.random() < .15 else label


def click_clause(rng, el, action="left_click"):
    """How to ask for one element. None: it cannot be told apart."""
    lab, kinds = el.label, KIND_WORDS.get(el.kind, [])
    short = len(lab) > 0 and "\n" not in lab and len(lab) <= 40
    verb_step = {"left_click": "Click", "double_click": "Double-click", "right_click": "Right-click", "mouse_move": "Point at"}[action]
    verbs = {"left_click": ["click", "click", "click", "click on", "press", "select", "choose", "tap", "hit"],
             "double_click": ["double-click", "double-click", "double click", "double-click on"],
             "right_click": ["right-click", "right-click", "right click", "right-click on", "open the context menu of"],
             "mouse_move": ["move the mouse to", "hover over", "point at", "move the pointer to"]}[action]
    v = rng.choice(verbs)
    step = lambda name: [Step(f"{verb_step} {name}.", action, el)]
    forms = []
    plain = short and bool(el.flags & UNIQUE)
    if plain:
        if action == "left_click" and v in ("press", "hit") and lab.lower() in KEY_WORDS:
            v = "click"
        forms += [f"{v} {label_of(rng, lab)}"] * 3
        if action == "left_click":
            if el.kind in (FIELD, TEXTAREA, SPIN):
                forms += [f"focus the {lab} field", f"click into {lab}", f"go to the {lab} field"]
            if el.kind == MENU:
                forms += [f"open the {lab} menu", f"open {lab}", f"open the {lab} menu"]
            if el.kind == TAB:
                forms += [f"switch to the {lab} tab", f"go to {lab}", f"open the {lab} tab"]
            if el.kind == MENU_ITEM and el.anchor and len(el.anchor) < 24:
                forms += [f"choose {lab} from the {el.anchor} menu", f"pick {lab}"]
            if el.kind == COMBO:
                forms += [f"open the {lab} drop-down", f"open the {lab} list"]
            if el.kind in (CHECK, TOGGLE):
                on = el.state & CHECKED
                verbs2 = ["uncheck", "untick", "clear", "disable", "turn off", "switch off"] if on else \
                    ["check", "tick", "tick", "enable", "turn on", "switch on"]
                forms += [f"{rng.choice(verbs2)} {label_of(rng, lab)}", f"{rng.choice(verbs2[:2])} the {lab} {rng.choice(kinds)}"] * 2
            if el.kind == RADIO:
                forms += [f"select {lab}", f"select the {lab} option", f"choose {lab}"]
            if el.kind == LINK:
                forms += [f"follow the {lab} link", f"follow {lab}"]
            if el.kind == DESKICON:
                forms += [f"select {lab}"]
            if el.kind == KEY:
                forms += [f"press {lab} on the keypad"] if lab.lower() not in KEY_WORDS else []
    if short and kinds and el.flags & (UNIQUE | NAMED_KIND):
        k = rng.choice(kinds)
        forms += [f"{v} the {label_of(rng, lab)} {k}", f"{v} the {lab} {k}"]
        if rng.random() < .15:
            forms += [f"{v} the {k} labelled {label_of(rng, lab)}", f"{v} the {k} named {lab}"]
    if forms and (plain or el.flags & NAMED_KIND):
        return rng.choice(forms), step(lab)
    role = ROLE_WORDS[el.role] if el.role < len(ROLE_WORDS) else ""
    if el.kind == WINBUTTON:
        return winbutton_clause(rng, el, role, action)
    if role and el.flags & UNIQUE_ROLE and el.kind in (ICON, FIELD, TOOLBUTTON, BUTTON, COMBO):
        word = rng.choice([role] * 4 + ROLE_ALSO.get(role, []))
        what = "field" if el.kind == FIELD else rng.choice(["icon", "icon", "button"])
        if el.kind == FIELD:
            word = role
            what = rng.choice(["field", "field", "box", "bar"])
        name = f"the {word} {what}"
        return f"{v} {name}", step(name)
    if el.flags & RELATION and el.anchor and len(el.anchor) <= 32:
        what = kinds[0] if kinds else "icon"
        name = lab if short else role
        if not name:
            return None
        if el.kind == ICON:
            what = rng.choice(["icon", "button"])
        full = rng.choice([f"the {name} {what} next to {el.anchor}", f"the {name} {what} of {el.anchor}",
                           f"the {name} {what} for {el.anchor}", f"the {name} {what} next to {el.anchor}",
                           f"{name} next to {el.anchor}", f"the {name} {what} in the row of {el.anchor}"])
        if el.kind == MENU_ITEM:
            full = f"{name} in the {el.anchor} menu"
        return f"{v} {full}", step(full)
    return None


def winbutton_clause(rng, el, role, action):
    if action != "left_click" or role not in ("close", "minimize", "maximize"):
        return None
    if el.anchor and el.flags & (RELATION | UNIQUE | UNIQUE_ROLE) and (not el.flags & UNIQUE_ROLE or rng.random() < .8):
        verb = rng.choice({"close": ["close"], "minimize": ["minimise", "minimize"], "maximize": ["maximise", "maximize"]}[role])
        words = rng.choice([f"{verb} the window titled {label_of(rng, el.anchor)}", f"{verb} the {el.anchor} window",
                            f"{verb} the window {label_of(rng, el.anchor)}", f"{verb} the window titled {el.anchor}",
                            f"click the {role} button of {el.anchor}", f"click the {role} button of the {el.anchor} window"])
        return words, [Step(f"Click the {role} button of {el.anchor}.", action, el)]
    if el.flags & UNIQUE_ROLE:
        verb = {"close": "close", "minimize": "minimise", "maximize": "maximise"}[role]
        words = rng.choice([f"{verb} the window", f"click the {role} icon", f"click the {role} button", f"{verb} this window"])
        return words, [Step(f"Click the {role} button.", action, el)]
    return None


def type_clause(rng, el, words):
    """Type something into el (a field), as two steps."""
    got = click_clause(rng, el)
    if got is None or el.kind not in TYPED:
        return None
    text = str(rng.randrange(1000)) if el.kind == SPIN else some_text(rng, words)
    name = got[1][0].text[len("Click "):-1]
    t = told(rng, text)
    the = name if name.startswith("the ") else rng.choice([name, name, f"the {name} field", label_of(rng, name)])
    form = rng.choice([f"type {t} in {the}", f"type {t} in {the}", f"type {t} into {the}", f"enter {t} in {the}", f"put {t} in {the}",
                       f"write {t} in {the}", f"fill in {the} with {t}", f"set {the} to {t}", f"fill {the} with {t}"])
    return form, got[1] + [Step(f"Type {text}.", text_args(text), None)]


def plain_type_clause(rng, words):
    text = some_text(rng, words)
    t = told(rng, text)
    return f"{rng.choice(['type', 'type', 'type', 'enter', 'write'])} {t}", [Step(f"Type {text}.", text_args(text), None)]


def key_clause(rng):
    if rng.random() < .5:
        key = rng.choice(["Return"] * 6 + ["Escape", "Tab"] * 2 + list(KEYS))
        return f"{rng.choice(['press', 'press', 'hit', 'press'])} {rng.choice(KEYS[key])}", [Step(f"Press {key}.", key_args(key), None)]
    mods = rng.choice([["ctrl"]] * 5 + [["alt"], ["ctrl", "shift"], ["shift"], ["super"], ["ctrl", "alt"]])
    last = rng.choice("abcdefghijklmnopqrstuvwxyz0123456789") if rng.random() < .85 else rng.choice(["Tab", "F4", "Return", "Delete", "Left", "Right", "Home", "End"])
    key = "+".join(mods + [last])
    said = key
    if rng.random() < .3:
        said = "+".join([m.capitalize() for m in mods] + [last.upper() if len(last) == 1 else last])
    return f"{rng.choice(['press', 'press', 'hit', 'use'])} {said}", [Step(f"Press {key}.", key_args(key), None)]


def scroll_clause(rng):
    d = rng.choice(["down", "down", "down", "up", "up", "left", "right"])
    x = rng.random()
    if x < .7:
        return rng.choice([f"scroll {d}", f"scroll {d}", f"scroll the page {d}", f"scroll {d} the page"]), [Step(f"Scroll {d}.", scroll_args(d, 5), None)]
    if x < .85:
        n = rng.randrange(1, 21)
        return f"scroll {d} by {n}", [Step(f"Scroll {d} by {n}.", scroll_args(d, n), None)]
    return f"scroll {d} a little", [Step(f"Scroll {d} a little.", scroll_args(d, 2), None)]


def wait_clause(rng):
    n = rng.choice([1, 1, 2, 3, 5, 10])
    if n == 1:
        return rng.choice(["wait", "wait a second", "wait a moment"]), [Step("Wait.", wait_args(1), None)]
    return f"wait {n} seconds", [Step(f"Wait {n} seconds.", wait_args(n), None)]


def other_clause(rng, words):
    """An element that is not on this screen (a dialog to come, or one gone)."""
    name = rng.choice(UI) if rng.random() < .6 else rng.choice(words).capitalize()
    x = rng.random()
    if x < .25:
        text = some_text(rng, words)
        return rng.choice([f"type {told(rng, text)} in {name}", f"enter {told(rng, text)} in the {name} field"]), \
            [Step(f"Click {name}.", None, None), Step(f"Type {text}.", text_args(text), None)]
    if x < .4:
        return f"{rng.choice(['tick', 'check', 'uncheck'])} {name}", [Step(f"Click {name}.", None, None)]
    v = rng.choice(["click", "click", "select", "choose", "click on"])
    form = rng.choice([f"{v} {name}", f"{v} {name}", f"{v} the {name} button", f"open the {name} menu", f"switch to the {name} tab"])
    return form, [Step(f"Click {name}.", None, None)]


# ---- sentences

def cap(s):
    return s[0].upper() + s[1:]


def join(rng, clauses):
    words = [c[0] for c in clauses]
    n = len(words)
    if n == 1:
        x = rng.random()
        return words[0] if x < .12 else cap(words[0]) + ("." if x < .9 else "")
    if all(w.startswith("click ") for w in words) and rng.random() < .6:
        rest = [w[6:] for w in words]
        sep = rng.choice([", then ", ", "])
        return "Click " + sep.join(rest[:-1]) + rng.choice([", then ", " and ", " then "]) * (1 if sep == ", " else 0) + \
            (sep if sep != ", " else "") + rest[-1] + "."
    x = rng.random()
    if x < .35:
        s = ", ".join(words[:-1]) + rng.choice([", then ", " and ", ", and ", ", and then ", " then "]) + words[-1]
    elif x < .65:
        s = ", then ".join(words)
    elif x < .75:
        s = " and ".join(words) if n == 2 else ", ".join(words)
    elif x < .85:
        return ". ".join(cap(w) for w in words) + "."
    elif x < .93:
        return "First " + ", then ".join(words) + "."
    else:
        return cap(words[0]) + ". " + " ".join("Then " + w + "." for w in words[1:])
    return cap(s) + ("." if rng.random() < .92 else "")


def question_text(instruction, done):
    if not done:
        return "Task: " + instruction
    lines = [f"{i + 1}. {s}" for i, s in enumerate(done)][-HISTORY:]
    return "Task: " + instruction + "\nSteps so far:\n" + "\n".join(lines)


def item(instruction, steps, k, w, h, kind):
    step = steps[k] if k < len(steps) else DONE
    q = question_text(instruction, [s.text for s in steps[:k]])
    if step.target is not None:
        e = step.target
        args = click_args(step.args, *center(e, w, h))
        text, spans = answer(step.text, args)
        return Item(q, text, spans, kind, (e.x0, e.y0, e.x1, e.y1), args[3], e)
    if step.args is None:
        return None
    text, spans = answer(step.text, step.args)
    return Item(q, text, spans, kind if step is not DONE else "done", None, step.args[3], None)


class Scene:
    """What questions need of a scene, as plain Python values."""

    def __init__(self, elements, windows=()):
        self.els, self.windows = elements, windows


def actions_for(rng, el):
    if el.kind in (DESKICON, ITEM, TREE, CELL) and rng.random() < .35:
        return rng.choice(["double_click", "double_click", "right_click"])
    if rng.random() < .05:
        return rng.choice(["right_click", "double_click", "mouse_move", "right_click"])
    return "left_click"


def askable(el):
    if el.state & DISABLED and el.kind not in (FIELD,):
        return False
    if el.kind in CLICKABLE:
        return bool(el.flags & (UNIQUE | NAMED_KIND | RELATION | UNIQUE_ROLE))
    return el.kind in (ICON, WINBUTTON) and bool(el.flags & (UNIQUE_ROLE | RELATION | UNIQUE))


def clause_for(rng, el, words, typed=.45):
    if el.kind in TYPED and rng.random() < typed:
        got = type_clause(rng, el, words)
        if got:
            return got
    return click_clause(rng, el, actions_for(rng, el))


def free_clause(rng, words):
    x = rng.random()
    if x < .42:
        return plain_type_clause(rng, words)
    if x < .80:
        return key_clause(rng)
    if x < .95:
        return scroll_clause(rng)
    return wait_clause(rng)


def single(rng, el, words, w, h):
    """One element, asked for itself; the answer is always to go to it."""
    if el.kind in TYPED and rng.random() < .3:
        got = type_clause(rng, el, words)
    else:
        got = click_clause(rng, el, actions_for(rng, el))
        if got and el.label and el.flags & UNIQUE and got[1][0].args == "left_click" and rng.random() < .12:
            return item(el.label, got[1], 0, w, h, "locate")
    return item(join(rng, [got]), got[1], 0, w, h, "locate") if got else None


def several(rng, el, pool, words, w, h):
    """A sentence of 2 to 5 clauses in which el (or nothing on the screen, when None) is next."""
    n = rng.choice([2, 2, 3, 3, 3, 4, 4, 5])
    keypad = el is not None and el.kind == KEY
    if keypad and rng.random() < .6:
        n = rng.randrange(3, 9)
    at = rng.randrange(n)
    clauses = []
    for i in range(n):
        if i == at and el is not None:
            c = click_clause(rng, el) if keypad else clause_for(rng, el, words, .6)
        else:
            x = rng.random()
            same = [p for p in pool if p.kind == KEY] if keypad else pool
            if same and x < (.9 if keypad else .5):
                c = clause_for(rng, rng.choice(same), words, .6)
            elif x < .75:
                c = free_clause(rng, words)
            else:
                c = other_clause(rng, words)
        if c is None:
            return None
        if keypad and c[1][0].text.startswith("Click ") and len(c[1]) == 1 and rng.random() < .9:
            c = ("click " + c[1][0].text[6:-1], c[1])
        clauses.append(c)
    steps = [s for c in clauses for s in c[1]]
    starts = [0]
    for c in clauses:
        starts.append(starts[-1] + len(c[1]))
    if el is not None:
        k = starts[at]
        if len(clauses[at][1]) == 2 and rng.random() < .35:
            k += 1
    else:
        # next is an action without a place, or the end
        ks = [i for i, s in enumerate(steps) if s.target is None and s.args is not None]
        k = len(steps) if not ks or rng.random() < .45 else rng.choice(ks)
    return item(join(rng, clauses), steps, k, w, h, "multi")


def finished(rng, pool, words, w, h):
    c = clause_for(rng, rng.choice(pool), words) if pool and rng.random() < .8 else free_clause(rng, words)
    if c is None:
        return None
    k = len(c[1])
    if k == 2 and rng.random() < .5:
        k = 1
    return item(join(rng, [c]), c[1], k, w, h, "multi")


def read(rng, el, w, h):
    x, y = center(el, w, h)
    return Item(f"What is at {x},{y}?", el.label, [(0, len(el.label))], "read", None, "read", el)


def readable(el):
    return el.kind in READABLE and 0 < len(el.label) <= 48 and "\n" not in el.label


def read_title(rng, win, w, h):
    """A point in the window that is inside no later (higher) window is the caller's business: the title bar itself."""
    x0, y0, x1, y1 = win.title_box
    return Item(f"What is the title of the window at {norm((x0 + x1) / 2, w)},{norm((y0 + y1) / 2, h)}?", win.title,
                [(0, len(win.title))], "read", None, "read", None)


def questions(rng, scene, w, h, words, n=16):
    """Up to n Items in random order."""
    els = list(scene.els)
    rng.shuffle(els)
    can = [e for e in els if askable(e)]
    out, used = [], set()
    quota_free, quota_read = max(2, n // 6), max(1, n * 3 // 10)
    reads = [e for e in els if readable(e)]
    taken = 0
    for e in reads:
        if taken >= quota_read:
            break
        # leave most clickable ones to be located
        if e in can and rng.random() < .6:
            continue
        out.append(read(rng, e, w, h))
        used.add(id(e))
        taken += 1
    icons = [e for e in can if e.kind in (ICON, WINBUTTON, FIELD, CHECK, RADIO, TOGGLE, COMBO, SPIN, TEXTAREA) and id(e) not in used]
    rest = [e for e in can if id(e) not in used and e.kind not in (ICON, WINBUTTON, FIELD, CHECK, RADIO, TOGGLE, COMBO, SPIN, TEXTAREA)]
    # special kinds are few on a screen and need practice
    order = []
    while icons or rest:
        src = icons if icons and (not rest or rng.random() < .4) else rest
        order.append(src.pop())
    for e in order:
        if len(out) >= n - quota_free:
            break
        it = several(rng, e, can, words, w, h) if rng.random() < .28 else single(rng, e, words, w, h)
        if it:
            out.append(it)
    for _ in range(quota_free):
        x = rng.random()
        if x < .25:
            c = free_clause(rng, words)
            it = item(join(rng, [c]), c[1], 0, w, h, "free")
        elif x < .6:
            it = several(rng, None, can, words, w, h)
        else:
            it = finished(rng, can, words, w, h)
        if it:
            out.append(it)
    rng.shuffle(out)
    return out[:n]


def protocol_texts():
    """(text, how often) for the tokenizer."""
    import random
    rng = random.Random(5)
    texts = [(HEADER, 40), (NEXT + ASK, 60)]
    fake = [El(10 * i, 10, 10 * i + 9, 20, k, 0, 0, UNIQUE | ASCII, -1, "Q", "", "") for i, k in enumerate(sorted(CLICKABLE))]
    roles = [El(5, 5, 9, 9, ICON, r, 0, UNIQUE_ROLE | ASCII, -1, "", "", "") for r in range(1, len(ROLE_WORDS))]
    win = El(5, 5, 9, 9, WINBUTTON, 1, 0, RELATION, -1, "", "Q", "")
    rel = El(5, 5, 9, 9, BUTTON, 0, 0, RELATION, -1, "Q", "Q", "")
    for _ in range(700):
        e = rng.choice(fake if rng.random() < .7 else roles + [win, rel] * 8)
        it = single(rng, e, ["Q"], 1000, 1000)
        if it:
            texts += [(it.question, 1), (it.answer, 1)]
        c = rng.choice([key_clause, scroll_clause, wait_clause])(rng)
        it = item(join(rng, [c, ("click Q", [Step("Click Q.", None, None)])]), c[1], 0, 1000, 1000, "free")
        texts += [(it.question, .5), (it.answer, 1)]
    texts += [("What is at 5,5?", 150), ("What is the title of the window at 5,5?", 10), ("\nSteps so far:\n1. Click Q.\n2. Type Q.", 60)]
    texts += [(answer(*a)[0], 20) for a in ((DONE.text, DONE.args), ("Type Q.", text_args("Q")), ("Press Return.", key_args("Return")),
                                            ("Scroll down.", scroll_args("down", 5)), ("Wait.", wait_args(1)),
                                            ("Double-click Q.", click_args("double_click", 5, 5)),
                                            ("Right-click Q.", click_args("right_click", 5, 5)),
                                            ("Point at Q.", click_args("mouse_move", 5, 5)))]
    texts += [(answer("Click Q.", click_args("left_click", 5, 5))[0], 200)]
    return texts
