"""Captures windows of all toolkits under private X servers: make_bank.py OUT_DIR ROUNDS [--display N] [--seed S] [--only NAME].

Each round starts a window manager with a random theme and one capture program for PER_ROUND windows.
"""
import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PER_ROUND = 25
PYTHON = "/usr/bin/python3"  # the system's, which has the toolkit bindings
PROGRAMS = {"gtk3": 5, "qt5": 5, "tk": 2, "motif": 1.3, "xaw": 1, "fltk": 1.5}
OPENBOX_THEMES = "Clearlooks Clearlooks-3.4 Clearlooks-Olive Bear2 Mikachu Natura Nightmare Onyx Onyx-Citrus Orang Syscrash " \
                 "Artwiz-boxed Breeze-ob Greybird Numix".split()
XFWM4_THEMES = "Arc Arc-Dark Daloa Default Greybird Kokodi Materia Materia-dark Moheli Numix Blackbird Greybird-dark".split()
ICEWM_THEMES = "CrystalBlue Helix Infadel2 NanoBlue default icedesert metal2 motif win95".split()
FLUXBOX_STYLES = "Artwiz BlueFlux Emerge Meta Nyz Operation Outcomes Shade Squared_blue Twice bora_black carp green_tea qnx-photon".split()
NAMES = {"N": "icon", "I": "minimize", "M": "maximize", "C": "close"}


def openbox(rng, home):
    layout = rng.choice(["NLIMC", "LIMC", "NLC", "CIML", "LC", "NLIMC"])
    theme = rng.choice(OPENBOX_THEMES)
    size = rng.choice([8, 9, 10, 11])
    font = rng.choice(["Sans", "DejaVu Sans", "Cantarell", "Liberation Sans", "Noto Sans"])
    fonts = "".join(f'<font place="{p}"><name>{font}</name><size>{size}</size><weight>{w}</weight></font>'
                    for p, w in (("ActiveWindow", rng.choice(["Bold", "Normal"])), ("InactiveWindow", "Normal")))
    path = os.path.join(home, "rc.xml")
    with open(path, "w", encoding="utf-8") as fh:
        fh.write('<?xml version="1.0"?><openbox_config xmlns="http://openbox.org/3.4/rc"><focus><focusNew>yes</focusNew></focus>'
                 f"<placement><policy>Smart</policy></placement><theme><name>{theme}</name><titleLayout>{layout}</titleLayout>"
                 f"<keepBorder>yes</keepBorder>{fonts}</theme><keyboard/><mouse/></openbox_config>")
    return ["openbox", "--config-file", path, "--sm-disable"], [NAMES[c] for c in layout if c != "L"]


def xfwm4(rng, home):
    layout = rng.choice(["O|HMC", "|HMC", "|C", "CHM|", "C|HM"])
    env_dir = os.path.join(home, "xfce4/xfconf/xfce-perchannel-xml")
    os.makedirs(env_dir, exist_ok=True)
    with open(os.path.join(env_dir, "xfwm4.xml"), "w", encoding="utf-8") as fh:
        fh.write('<?xml version="1.0"?><channel name="xfwm4" version="1.0"><property name="general" type="empty">'
                 f'<property name="theme" type="string" value="{rng.choice(XFWM4_THEMES)}"/>'
                 f'<property name="button_layout" type="string" value="{layout}"/>'
                 f'<property name="title_font" type="string" value="Sans Bold {rng.choice([8, 9, 10])}"/>'
                 f'<property name="title_alignment" type="string" value="{rng.choice(["left", "center"])}"/>'
                 '<property name="use_compositing" type="bool" value="false"/></property></channel>')
    names = {"O": "icon", "H": "minimize", "M": "maximize", "C": "close"}
    return ["dbus-run-session", "--", "xfwm4", "--compositor=off"], [names[c] for c in layout if c != "|"]


def icewm(rng, home):
    os.makedirs(os.path.join(home, "icewm"), exist_ok=True)
    with open(os.path.join(home, "icewm/preferences"), "w", encoding="utf-8") as fh:
        fh.write('ShowTaskBar=0\nTitleButtonsLeft=""\nTitleButtonsRight="xmi"\nTitleButtonsSupported="xmis"\n')
    with open(os.path.join(home, "icewm/theme"), "w", encoding="utf-8") as fh:
        fh.write(f'Theme="{rng.choice(ICEWM_THEMES)}/default.theme"\n')
    os.environ["ICEWM_PRIVCFG"] = os.path.join(home, "icewm")
    return ["icewm"], ["minimize", "maximize", "close"]


def fluxbox(rng, home):
    style = os.path.join("/usr/share/fluxbox/styles", rng.choice(FLUXBOX_STYLES))
    path = os.path.join(home, "fluxbox-init")
    with open(path, "w", encoding="utf-8") as fh:
        fh.write(f"session.styleFile: {style}\nsession.screen0.toolbar.visible: false\nsession.screen0.rootCommand:\n"
                 "session.titlebar.left:\nsession.titlebar.right: Minimize Maximize Close\nsession.screen0.focusNewWindows: true\n")
    return ["fluxbox", "-rc", path, "-no-slit"], ["minimize", "maximize", "close"]


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("out")
    ap.add_argument("rounds", type=int)
    ap.add_argument("--display", type=int, default=50)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--only")
    ap.add_argument("--bin", default="build/sprout-real", help="folder of the compiled programs")
    args = ap.parse_args()
    rng = random.Random(args.seed)
    os.environ["DISPLAY"] = f":{args.display}"
    os.environ["GTK_CSD"] = "0"
    os.environ.pop("WAYLAND_DISPLAY", None)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(["Xvfb", os.environ["DISPLAY"], "-screen", "0", "1280x1000x24", "-nolisten", "tcp"], **quiet)
    time.sleep(1)
    try:
        for i in range(args.rounds):
            one_round(rng, args, args.seed * 1000 + i, quiet)
    finally:
        server.terminate()


def one_round(rng, args, seed, quiet):
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        os.environ["XDG_CONFIG_HOME"] = home
        command, buttons = rng.choices([openbox, xfwm4, icewm, fluxbox], [5, 3, 1.2, 1.2])[0](rng, home)
        manager = subprocess.Popen(command, start_new_session=True, **quiet)
        subprocess.run(["xsetroot", "-solid", f"#{rng.randrange(1 << 24):06x}"], check=False)
        time.sleep(0.8)
        name = args.only or rng.choices(list(PROGRAMS), list(PROGRAMS.values()))[0]
        script = os.path.join(HERE, f"cap_{name}.py")
        extra = [os.path.join(args.bin, f"win_{name}")] if name in ("motif", "xaw", "fltk") else []
        if not os.path.exists(script):
            script = os.path.join(HERE, "cap_c.py")
        start = time.time()
        try:
            subprocess.run([PYTHON, script, str(seed), str(PER_ROUND), args.out, ",".join(buttons)] + extra, check=False, timeout=90,
                           stderr=sys.stderr if os.environ.get("SHOW_ERRORS") else subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            print(name, "timed out", file=sys.stderr)
        print(f"  {command[-1] if command[0] != 'openbox' else 'openbox'} {time.time() - start:.1f} s", flush=True)
        os.killpg(manager.pid, signal.SIGTERM)
        manager.wait()


main()
