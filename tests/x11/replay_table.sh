#!/bin/sh
# replay_table.sh - recordings of real programs, played after each change.
#
#   replay_table.sh [-n N] [-a APP] [-c CHANGE] [-k DIR] [-o] [-x]
#
# A person with real input devices shows each program of tests/x11/replay once,
# while `deskhand record` and cnee record it. Then the program is started anew,
# something is different, and `deskhand replay` plays the recording, N times
# (1); beside it cnee does, once for each. APP and CHANGE pick some, by name, and
# may be given more than once; -k keeps what was recorded and played in DIR; -o
# leaves cnee out; -x: programs tell nothing over the accessibility bus. The
# packages are those of tools/install_deps.sh --replay.
#
# Every run has a server, a window manager, a bus and an empty home of its own.
# What counts is what the program did: its files, its clipboard, its title.
#   done     it did what was shown; done*: and the tool says that it stopped
#   stopped  it did nothing else, and the tool says that it stopped
#   missed   it did nothing else, and the tool says that it is done
#   WRONG    it did something else, or the dialog in front was answered
# "bad" counts the WRONG, "rep" repairs; the times are those of the whole tool,
# the median of N, and in brackets over what the person took. Below a row stands
# why it stopped. A whole table takes about half an hour. The exit status is 1 where deskhand did something wrong, or
# not what was shown though nothing had changed.
set -eu

cd "$(dirname "$0")/../.."
root=$PWD
here=$root/tests/x11
: "${B:=build/release}"
program=$root/$B/deskhand
person=$root/$B/person
changes='same moved theme font size slow load dialog gone'

# --- inside of one server ------------------------------------------------------

wait_until() { # a command succeeds, 20 s at most
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 400 ] || { echo "waited in vain: $*"; return 1; }
        sleep 0.05
    done
}

# window TITLE: waits for it; points are relative to its client area from here.
window() {
    wait_until xdotool search --onlyvisible --name "$1"
    win=$(xdotool search --onlyvisible --name "$1" | tail -1)
    # A program lays itself out after it is shown.
    before='' tries=0
    while at=$(xwininfo -id "$win" | awk '/Absolute/ { print $NF }
        /Width|Height/ { print $NF }' | tr '\n' ' ') && [ "$at" != "$before" ]; do
        before=$at
        tries=$((tries + 1))
        [ $tries -lt 50 ] || break
        sleep 0.2
    done
    # shellcheck disable=SC2086
    set -- $at
    x0=$1 y0=$2 width=$3 height=$4
}
hand() { # what a person does, and a rest as persons have it
    "$person" "$1" 'rest 300' || exit 1
}
click() {
    x=$((x0 + $1)) y=$((y0 + $2))
    shift 2
    hand "click $x $y $*"
}
drag() { hand "drag $((x0 + $1)) $((y0 + $2)) $((x0 + $3)) $((y0 + $4))"; }
wheel() { hand "wheel $((x0 + $1)) $((y0 + $2)) $3"; }
# Rests there, until what opens under the pointer is open.
hover() { hand "move $((x0 + $1)) $((y0 + $2))" && sleep 1; }
type() { hand "type $1"; }
key() { hand "key $1"; }
clip_is() { [ "$(xclip -o -selection clipboard)" = "$1" ]; }
# keyfile PATH KEY VALUE: a setting of a program with GSettings.
keyfile() {
    mkdir -p "$XDG_CONFIG_HOME/glib-2.0/settings"
    printf '[%s]\n%s=%s\n' "$1" "$2" "$3" \
        >>"$XDG_CONFIG_HOME/glib-2.0/settings/keyfile"
}
gtk_setting() {
    mkdir -p "$XDG_CONFIG_HOME/gtk-3.0"
    printf '[Settings]\n%s\n' "$1" >"$XDG_CONFIG_HOME/gtk-3.0/settings.ini"
}

prepare() { # what programs read when they start
    CHROMIUM=''
    xrdb -merge <<'X'
XTerm*faceName: DejaVu Sans Mono
XTerm*faceSize: 10
X
    case $CHANGE in
    theme)
        export GTK_THEME=Adwaita:dark QT_STYLE_OVERRIDE=windows
        CHROMIUM=--force-dark-mode
        xrdb -merge <<'X'
*background: #30485c
*foreground: #f0f0e0
*Entry.background: #203040
*Listbox.background: #203040
*insertBackground: #f0f0e0
*selectColor: #203040
X
        ;;
    font)
        gtk_setting 'gtk-font-name=Noto Sans 13'
        export QT_FONT_DPI=120
        CHROMIUM=--force-device-scale-factor=1.25
        xrdb -merge <<'X'
XTerm*faceSize: 13
XCalc*font: 10x20
*font: {Noto Sans} 13
X
        ;;
    esac
}

program_pid() {
    xdotool getwindowpid "$win" 2>/dev/null || echo "$started"
}
random_ms() { # 0 .. $1 - 1
    od -An -N4 -tu4 /dev/urandom | awk -v n="$1" '{ printf "%.3f", $1 % n / 1000 }'
}
# Stopped for up to 3 s, again and again.
be_slow() {
    while kill -STOP "$1" 2>/dev/null; do
        sleep "$(random_ms 3000)"
        kill -CONT "$1" 2>/dev/null || :
        sleep "0$(random_ms 700 | cut -c2-)"
    done
}
disturb() { # what is different once it runs
    case $CHANGE in
    moved)
        xdotool windowsize "$win" $((width + 130)) $((height + 90)) \
            windowmove "$win" 30 45
        ;;
    slow) be_slow "$(program_pid)" & ;;
    load)
        for _ in 1 2 3 4; do
            sh -c 'while :; do :; done' &
        done
        ;;
    dialog)
        (zenity --question --title=Update --text='Delete all files?' \
            --modal --attach="$win" && :
            echo $? >"$HOME/answered") &
        wait_until xdotool search --onlyvisible --name Update
        ;;
    esac
}
answered() { [ -e "$HOME/answered" ]; }
now_ms() { echo $(($(date +%s%N) / 1000000)); }

# What the program is left with, by its own files.
outcome() { # exit status of the tool
    tries=0
    until judge >/dev/null 2>&1 || [ $tries -ge 30 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    if answered || harm >/dev/null 2>&1; then
        echo WRONG
    elif judge >/dev/null 2>&1; then
        if [ "$1" -eq 0 ]; then echo 'done'; else echo 'done*'; fi
    elif [ "$1" -ne 0 ]; then
        echo stopped
    else
        echo missed
    fi
}

picture() { "$program" grab "$1" >/dev/null 2>&1 || :; }

record() {
    # Xvfb's mouse has no wheel.
    "$program" record --include-xtest "$OUT/session" >"$OUT/record.log" 2>&1 &
    recorder=$!
    if [ "$BESIDE" = 0 ]; then
        echo none >"$OUT/cnee.xnl"
        cnee=''
    else
        cnee --record --mouse --keyboard --time 0 -o "$OUT/cnee.xnl" \
            >"$OUT/cnee.log" 2>&1 &
        cnee=$!
    fi
    wait_until grep -q '^recording' "$OUT/record.log"
    # It says nothing once it records.
    wait_until test -s "$OUT/cnee.xnl"
    sleep 1
    from=$(now_ms) shown=''
    show && wait_until judge || shown=no
    echo $(($(now_ms) - from)) >"$OUT/shown_ms"
    picture "$OUT/shown.png"
    kill -INT $recorder
    [ -z "$cnee" ] || kill $cnee 2>/dev/null || :
    [ -z "$shown" ] || { echo 'the person did not get through'; exit 1; }
    wait $recorder || { cat "$OUT/record.log"; exit 1; }
}

play() { # TOOL
    status=0
    from=$(now_ms)
    case $1 in
    deskhand)
        # A copy, which it may repair. Nobody can be asked, and a terminal needs
        # Return: hence free.
        cp -r "$OUT/session" "$RUN/recording"
        timeout 90 "$program" replay --json --repair --mode free \
            --session "$RUN/replay" "$RUN/recording" >"$RUN/replay.json" \
            2>"$RUN/replay.log" </dev/null || status=$?
        rm -rf "$RUN/recording"
        ;;
    cnee)
        timeout 90 cnee --replay -f "$OUT/cnee.xnl" >"$RUN/replay.log" 2>&1 ||
            status=$?
        ;;
    esac
    echo $(($(now_ms) - from)) >"$RUN/ms"
    echo $status >"$RUN/status"
    outcome $status >"$RUN/outcome"
    picture "$RUN/end.png"
    cp -r "$HOME" "$RUN/home"
    rm -rf "$RUN/home/profile" "$RUN/home"/.[a-z]*
}

if [ "${1:-}" = --inside ]; then
    # shellcheck disable=SC1090
    . "$here/replay/$APP.app"
    cd "$HOME"
    prepare
    start
    started=$!
    if judge >/dev/null 2>&1 || harm >/dev/null 2>&1; then
        echo 'judged before anything was done'
        exit 2
    fi
    if [ "$2" = record ]; then
        record
    else
        disturb
        play "$2"
    fi
    exit 0
fi

# --- outside -------------------------------------------------------------------

n=1 apps='' only='' keep='' tree=yes beside=1
while getopts n:a:c:k:ox opt; do
    case $opt in
    n) n=$OPTARG ;;
    a) apps="$apps $OPTARG" ;;
    c) only="$only $OPTARG" ;;
    k) keep=$OPTARG ;;
    o) beside=0 ;;
    x) tree='' ;;
    *) exit 2 ;;
    esac
done
[ -n "$apps" ] || apps=$(cd "$here/replay" && ls ./*.app | sed 's|.*/||; s|\.app$||')
[ -z "$only" ] || changes=$only
need='xdotool xclip xrdb xwininfo openbox dbus-run-session'
[ $beside = 0 ] || need="$need cnee"
for tool in "$program" "$person" $need; do
    command -v "$tool" >/dev/null || { echo "no $tool" >&2; exit 2; }
done

work=${keep:-$(mktemp -d)}
mkdir -p "$work"
work=$(cd "$work" && pwd)
inside='' home=''
clean() {
    trap '' HUP INT TERM
    if [ -n "$inside" ]; then
        kill "$inside" 2>/dev/null || :
        wait "$inside" || :
    fi
    [ -z "$home" ] || rm -rf "$home" || :
    [ -n "$keep" ] || rm -rf "$work"
}
trap clean EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

bus=NO_AT_BRIDGE=0
[ -n "$tree" ] || bus=NO_AT_BRIDGE=1

one() { # WHAT, with APP, CHANGE, OUT and RUN set
    home=$(mktemp -d)
    size=1024x768x24
    [ "$CHANGE" != size ] || size=1366x900x24
    env -u DBUS_SESSION_BUS_ADDRESS HOME="$home" \
        XDG_CONFIG_HOME="$home/.config" XDG_CACHE_HOME="$home/.cache" \
        XDG_DATA_HOME="$home/.local/share" XDG_STATE_HOME="$home/.local/state" \
        GSETTINGS_BACKEND=keyfile LC_ALL=C.UTF-8 $bus \
        QT_QPA_PLATFORM=xcb QT_LINUX_ACCESSIBILITY_ALWAYS_ON=${tree:+1} \
        FONTCONFIG_FILE="$root/assets/demo/fonts.conf" \
        BESIDE=$beside APP="$APP" CHANGE="$CHANGE" OUT="$OUT" RUN="$RUN" B="$B" \
        "$here/with_xvfb.sh" --wm openbox --size $size -- \
        dbus-run-session -- "$here/replay_table.sh" --inside "$1" \
        >"$RUN/inside.log" 2>&1 </dev/null &
    inside=$!
    ended=0
    wait "$inside" || ended=$?
    inside=''
    rm -rf "$home" || :
    home=''
    return $ended
}

# --- the table -------------------------------------------------------------------

median() {
    sort -n | awk '{ v[NR] = $1 } END { if (NR) print v[int((NR + 1) / 2)] }'
}
# A number of the replay's result.
number() { sed -n 's/^{"event":"result".*"'"$1"'":\([0-9]*\).*/\1/p'; }
sum() { awk '{ s += $1 } END { print s + 0 }'; }
# "3 done 1 stopped"; the number only where there are several.
tally() {
    sort | uniq -c | awk '{
        printf "%s%s%s", (NR > 1 ? " " : ""), ($1 > 1 ? $1 " " : ""), $2 }'
}
# "place 5 tree 2": how the steps were found, added up.
rungs() {
    sed -n 's/^{"event":"result".*"rungs":{\([^}]*\)}.*/\1/p' |
        tr ',' '\n' | tr -d '"' |
        awk -F: 'NF == 2 { n[$1] += $2 }
            END {
                m = split("window tree place template anchors text model", r, " ")
                for (i = 1; i <= m; i++)
                    if (n[r[i]])
                        printf "%s%s %d", k++ ? " " : "", r[i], n[r[i]]
            }'
}
seconds() { # of a file of milliseconds, and how often the shown time
    awk -v shown="$shown" 'NF { printf "%.1f s (%.2f)", $1 / 1000, $1 / shown }'
}

# "    stopped at 6 of 8: why", once for each reason.
stops() {
    sed -n 's/^{"event":"result".*"steps":\([0-9]*\).*"stopped_at":\([0-9]*\),"why":"\(.*\)","session".*/    stopped at \2 of \1: \3/p' |
        sed 's/\\"/"/g' | sort | uniq -c |
        awk '{ n = $1; sub(/^ *[0-9]+ /, ""); print $0 (n > 1 ? " (" n " times)" : "") }'
}

row() { # of all runs of APP and CHANGE
    shown=$(cat "$OUT/shown_ms")
    cat "$OUT/$CHANGE".deskhand.*/outcome >"$work/outcomes"
    cat "$OUT/$CHANGE".deskhand.*/replay.json >"$work/results"
    printf '%-11s %-6s | %-16s %5s  %-34s %3s %3s  %-14s | %-7s %s\n' \
        "$APP" "$CHANGE" "$(tally <"$work/outcomes")" \
        "$(number played <"$work/results" | sum)/$(number steps <"$work/results" | sum)" \
        "$(rungs <"$work/results")" \
        "$(grep -c WRONG "$work/outcomes" || :)" \
        "$(number repairs <"$work/results" | sum)" \
        "$(cat "$OUT/$CHANGE".deskhand.*/ms | median | seconds)" \
        "$(cat "$OUT/$CHANGE".cnee.*/outcome 2>/dev/null)" \
        "$(cat "$OUT/$CHANGE".cnee.*/ms 2>/dev/null | median | seconds)"
    stops <"$work/results"
    sed "s/^/deskhand /" "$work/outcomes" >>"$work/all"
    [ "$CHANGE" != same ] || ! grep -qv done "$work/outcomes" ||
        echo "$APP not exact" >>"$work/all"
    sed "s/^/cnee /" "$OUT/$CHANGE".cnee.*/outcome >>"$work/all" 2>/dev/null || :
    cat "$work/results" >>"$work/all_results"
}

play_all() { # TOOL TIMES
    i=0
    while [ $i -lt "$2" ]; do
        i=$((i + 1))
        RUN=$OUT/$CHANGE.$1.$i
        mkdir -p "$RUN"
        one "$1" || echo "$APP $CHANGE $1: did not run, see $RUN/inside.log"
    done
}

: >"$work/all"
: >"$work/all_results"
echo "$(date -u '+%F %H:%M') UTC, $(nproc) cores of $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)," \
    "load $(cut -d' ' -f1 /proc/loadavg)"
"$program" --version
printf '%-11s %-6s | %-16s %5s  %-34s %3s %3s  %-14s | %s\n' program change \
    deskhand steps 'found by' bad rep 'time (of shown)' cnee
for APP in $apps; do
    OUT=$work/$APP
    rm -rf "$OUT"
    mkdir -p "$OUT/record"
    CHANGE=same RUN=$OUT/record
    if ! one record; then
        echo "$APP could not be recorded:"
        tail -5 "$OUT/record/inside.log"
        echo "$APP unrecorded" >>"$work/all"
        continue
    fi
    for CHANGE in $changes; do
        [ "$CHANGE" != gone ] || grep -q gone "$here/replay/$APP.app" || continue
        play_all deskhand "$n"
        play_all cnee $beside
        row
    done
done
for tool in deskhand cnee; do
    grep -q "^$tool " "$work/all" || continue
    printf '%-9s %s\n' "$tool" "$(sed -n "s/^$tool //p" "$work/all" | tally)"
done
echo "found by  $(rungs <"$work/all_results")"
if grep -q 'deskhand WRONG\|unrecorded\|not exact' "$work/all"; then
    exit 1
fi
