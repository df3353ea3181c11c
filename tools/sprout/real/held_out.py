"""Captures the held-out applications with boxes from the accessibility tree: held_out.py OUT_DIR [--only NAME] [--display N].

Each entry of apps.py runs under its own message bus on a private X server. Its steps:
  shot          picture and elements        click LABEL   a real click on the element of that label
  key CHORD, esc                            wait          a second or so
  hold LABEL    the button stays down       release       until here
The folder receives NAME-NN.png and raw-NN.json; review.py makes the set from them.
"""
import argparse
import json
import os
import random
import shlex
import signal
import subprocess
import sys
import time
import zipfile

from apps import APPS

SIZE = (1024, 768)


def shell(*args):
    return subprocess.run(args, capture_output=True, text=True, check=False).stdout.strip()


def top_windows(root):
    out = {}
    for win in root.query_tree().children:
        a = win.get_attributes()
        if a.map_state == 2:
            g = win.get_geometry()
            out[win.id] = (g.x, g.y, g.x + g.width + 2 * g.border_width, g.y + g.height + 2 * g.border_width, bool(a.override_redirect))
    return out


def window_at(root, tops, x, y):
    child = root.translate_coords(root, int(x), int(y)).child
    return tops.get(child.id) if child else None


def on_top(e, root, tops):
    """Is the element's own window what shows at its centre and corners?"""
    x0, y0, x1, y1 = e["box"]
    if x1 - x0 < 6 or y1 - y0 < 6 or x0 < 0 or y0 < 0 or x1 > SIZE[0] or y1 > SIZE[1]:
        return False
    points = [((x0 + x1) / 2, (y0 + y1) / 2), (x0 + 2, y0 + 2), (x1 - 3, y1 - 3), (x0 + 2, y1 - 3), (x1 - 3, y0 + 2)]
    wins = [window_at(root, tops, x, y) for x, y in points]
    if any(w is None or w != wins[0] for w in wins):
        return False
    if e["popup"] != wins[0][4]:
        return False
    t = e["top"]
    return e["popup"] or t is None or (t[0] >= wins[0][0] - 4 and t[1] >= wins[0][1] - 4 and t[2] <= wins[0][2] + 4 and t[3] <= wins[0][3] + 4)


def picture(root, park):
    """The whole screen, without the pointer."""
    from PIL import Image
    if park:
        shell("xdotool", "mousemove", "1022", "766")
    time.sleep(0.9)
    raw = root.get_image(0, 0, *SIZE, 2, 0xFFFFFFFF)
    return Image.frombytes("RGB", SIZE, raw.data, "raw", "BGRX")


def bar_buttons(out, tops):
    """The buttons of the window manager's title bar, when only one window has one."""
    from common import Rig
    active = shell("xdotool", "getactivewindow")
    if not active or sum(not t[4] for t in tops.values()) != 1:
        return []
    rig = Rig(out, "", "", ["icon", "minimize", "maximize", "close"])
    win = rig.dpy.create_resource_object("window", int(active))
    found = rig.frame_elements(rig.frame_of(win.id), win.id, rig.geometry(win), "") or []
    return [{"kind": "winbutton", "label": e["role"], "box": e["box"], "top": None, "popup": False, "checked": False, "text": "", "about": ""}
            for e in found if e["kind"] == "winbutton"]


def one(args):
    """Runs inside the message bus: one application."""
    from Xlib import display
    name, toolkit, command, steps, env = APPS[args.one]
    if toolkit in ("gtk3", "qt5"):
        import tree as reader
    else:
        import dump as reader
        here = os.path.dirname(os.path.abspath(__file__))
        os.environ.update(DUMP_ASK=os.path.join(args.out, "ask"), DUMP_OUT=os.path.join(args.out, "answer"))
        if toolkit == "tk":
            command = f"wish {here}/tk_dump.tcl {command}"
        else:
            env = dict(env, LD_PRELOAD=os.path.abspath(args.preload))
    rng = random.Random(args.one * 7 + 3)
    root = display.Display().screen().root
    bus = subprocess.Popen(["/usr/libexec/at-spi-bus-launcher", "--launch-immediately"])
    time.sleep(0.5)
    shell("xsetroot", "-solid", f"#{rng.randrange(0x202020, 0xd0d0d0):06x}")
    app = subprocess.Popen(shlex.split(command.replace("|", "\\|")), env=dict(os.environ, **env), start_new_session=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(3.5)
    place_window(rng)
    shots, held = [], False
    for step in [s.strip() for s in steps.split(";")]:
        verb, _, rest = step.partition(" ")
        held = (held or verb == "hold") and verb != "release"
        press = ("mousedown", "1") if verb == "hold" else ("click", "1")
        if verb == "shot":
            file = f"{name}-{args.one:02d}-{len(shots)}.png"
            picture(root, not held).save(os.path.join(args.out, file))
            tops = top_windows(root)
            every = reader.read_all() + bar_buttons(args.out, tops)
            for e in every:
                e["seen"] = bool(on_top(e, root, tops))
            shots.append({"file": file, "app": name, "toolkit": toolkit, "elements": every})
        elif verb in ("click", "hold"):
            b = reader.find_box(rest)
            if b is None:
                print("   no", rest, "in", name)
                continue
            shell("xdotool", "mousemove", str((b[0] + b[2]) // 2), str((b[1] + b[3]) // 2), *press)
            time.sleep(0.5)
        elif verb == "release":
            shell("xdotool", "mouseup", "1")
            time.sleep(0.3)
        elif verb in ("key", "esc"):
            shell("xdotool", "key", rest or "Escape")
            time.sleep(0.4)
        elif verb == "wait":
            time.sleep(1.2)
    with open(os.path.join(args.out, f"raw-{args.one:02d}.json"), "w", encoding="utf-8") as fh:
        json.dump(shots, fh, indent=1)
    print(name, [sum(e["seen"] for e in s["elements"]) for s in shots], flush=True)
    os.killpg(app.pid, signal.SIGTERM)
    bus.terminate()


def place_window(rng):
    """Moves the active window somewhere on the screen, and shrinks it to fit."""
    win = shell("xdotool", "getactivewindow")
    if not win:
        return
    geo = dict(line.split("=") for line in shell("xdotool", "getwindowgeometry", "--shell", win).splitlines() if "=" in line)
    w, h = int(geo.get("WIDTH", 400)), int(geo.get("HEIGHT", 300))
    if w > 960 or h > 700:
        w, h = min(w, 900), min(h, 660)
        shell("xdotool", "windowsize", win, str(w), str(h))
        time.sleep(0.4)
    shell("xdotool", "windowmove", win, str(rng.randint(8, max(9, SIZE[0] - w - 12))), str(rng.randint(26, max(27, SIZE[1] - h - 20))))
    time.sleep(0.4)


def prepare(home):
    """A home folder with a few files of invented names for the programs to show."""
    for name in (".run", "Letters", "Maps", "Recipes"):
        os.makedirs(os.path.join(home, name), exist_ok=True)
    os.chmod(os.path.join(home, ".run"), 0o700)
    for name in ("budget.csv", "notes.txt", "route.txt", "poem.txt"):
        with open(os.path.join(home, name), "w", encoding="utf-8") as fh:
            fh.write(f"First line of {name}\nanother line\n")
    if not os.path.isdir(os.path.join(home, "repo")):
        who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        subprocess.run(["git", "init", "-q", "-b", "main", "repo"], cwd=home, check=True)
        subprocess.run(["git", *who, "commit", "-q", "--allow-empty", "-m", "First commit"], cwd=os.path.join(home, "repo"), check=True)
    with zipfile.ZipFile(os.path.join(home, "bundle.zip"), "w") as z:
        for name in ("budget.csv", "notes.txt", "route.txt"):
            z.write(os.path.join(home, name), name)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("out")
    ap.add_argument("--only")
    ap.add_argument("--display", type=int, default=55)
    ap.add_argument("--home", default="/tmp/ada", help="home folder of the programs; its name is seen in titles")
    ap.add_argument("--preload", default="build/sprout-real/xt_dump.so")
    ap.add_argument("--first", type=int, default=0, help="start with this entry of apps.py")
    ap.add_argument("--one", type=int)
    args = ap.parse_args()
    args.out = os.path.abspath(args.out)
    os.makedirs(args.out, exist_ok=True)
    if args.one is not None:
        one(args)
        return
    home = args.home
    prepare(home)
    here = os.path.dirname(os.path.abspath(__file__))
    os.environ.update(DISPLAY=f":{args.display}", HOME=home, XDG_RUNTIME_DIR=os.path.join(home, ".run"), LANG="C.UTF-8",
                      QT_LINUX_ACCESSIBILITY_ALWAYS_ON="1", QT_ACCESSIBILITY="1")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(["Xvfb", os.environ["DISPLAY"], "-screen", "0", "1024x768x24", "-nolisten", "tcp"], **quiet)
    time.sleep(1)
    manager = subprocess.Popen(["openbox", "--sm-disable"], **quiet)
    time.sleep(1)
    try:
        for i, app in enumerate(APPS):
            if i < args.first or args.only and args.only not in (app[0], str(i)):
                continue
            subprocess.run(["dbus-run-session", "--", "/usr/bin/python3", os.path.join(here, "held_out.py"), args.out, "--one", str(i),
                            "--preload", os.path.abspath(args.preload)],
                           cwd=home, timeout=120, check=False, stderr=sys.stderr if os.environ.get("SHOW_ERRORS") else subprocess.DEVNULL)
    finally:
        manager.terminate()
        server.terminate()


main()
