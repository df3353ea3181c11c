#!/bin/sh
# typing.sh - does typed text arrive byte for byte, and how fast, beside xdotool.
#
#   typing.sh [-n N] [-k LAYOUT] [-g] [-c] [-o] RECEIVER
#
# Run it under with_xvfb.sh --wm openbox. RECEIVER: xterm, zenity (GTK),
# featherpad (Qt) or chromium. LAYOUT is setxkbmap's, e.g. us, de or us,ru;
# -g makes its second group the one in force; -c turns Caps Lock on; -o leaves
# xdotool out. A text (TEXT) is typed N times and what the program then holds is
# compared. Prints a row: receiver, layout, and for each tool how many were exact
# and the characters per second, from the start of the tool to its end.
set -eu

n=20 layout=us caps='' only='' group=''
while getopts n:k:gco opt; do
    case $opt in
    n) n=$OPTARG ;;
    k) layout=$OPTARG ;;
    g) group=yes ;;
    c) caps=yes ;;
    o) only=yes ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
receiver=${1:?receiver}
: "${B:=build/release}"
text=${TEXT:-'Hello_World? Spaß éàü ΑΒγ Привет 你好 👍🏽 {}[]|\~'}
export LC_ALL=C.UTF-8 NO_AT_BRIDGE=1
dir=$(mktemp -d)
pid=''
clean() {
    [ -z "$pid" ] || kill "$pid" 2>/dev/null || :
    rm -rf "$dir"
}
trap clean EXIT
printf '%s' "$text" >"$dir/want"

wait_for() { # until the command succeeds
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 400 ] || return 1
        sleep 0.02
    done
}
# The server is asked, not the window manager: it grabs its keys anew at each
# change of the keymap and is late meanwhile, so what it calls the active window
# may be one that is gone, whose number the next program was given.
focused() {
    xprop -id "$(xdotool getwindowfocus)" WM_CLASS | grep -qi "$1"
}
not_focused() { ! focused "$1"; }
same() { cmp -s "$dir/want" "$dir/got"; }
start() {
    rm -f "$dir/got" "$dir/lines"
    lines=0
    case $receiver in
    xterm)
        xterm -u8 -e sh -c ': >"$1"; while IFS= read -r l; do
            printf "%s\n" "$l" >>"$1"; done' sh "$dir/lines" 2>/dev/null &
        ;;
    zenity)
        (zenity --entry --text t >"$dir/out" 2>/dev/null
            tr -d '\n' <"$dir/out" >"$dir/new"; mv "$dir/new" "$dir/got") &
        ;;
    featherpad)
        printf '' >"$dir/file.txt"
        QT_QPA_PLATFORM=xcb featherpad --standalone "$dir/file.txt" \
            >/dev/null 2>&1 &
        ;;
    chromium)
        cat >"$dir/p.html" <<'H'
<textarea id=t autofocus></textarea><title>ready</title><script>
t.oninput = () => { document.title = '<' + t.value + '>' };
onload = () => t.focus()</script>
H
        chromium --no-sandbox --no-first-run --disable-gpu \
            --user-data-dir="$dir/profile" --app="file://$dir/p.html" \
            >/dev/null 2>&1 &
        ;;
    esac
    pid=$!
    wait_for focused "$receiver"
    [ "$receiver" != chromium ] || wait_for title_is ready
    [ "$receiver" != xterm ] || wait_for test -e "$dir/lines"
    # A toolkit maps its window before its entry has the focus.
    sleep "${READY:-0.4}"
}
title() { xdotool getwindowname "$(xdotool getwindowfocus)"; }
title_is() { title | grep -q "^$1"; }
shows_it() { [ "$(title)" = "<$text>" ]; }
press() { "$B/deskhand" act "$@"; }
has_line() { [ "$(wc -l <"$dir/lines")" -gt $lines ]; }
finish() { # the program hands over what it holds, and is empty again
    case $receiver in
    xterm)
        press "key Return"
        wait_for has_line || :
        tail -n +$((lines + 1)) "$dir/lines" | tr -d '\n' >"$dir/got"
        lines=$(wc -l <"$dir/lines")
        ;;
    zenity)
        press "key Return"
        wait_for test -e "$dir/got" || :
        ;;
    featherpad)
        press "key ctrl+s"
        tries=40
        until tr -d '\n' <"$dir/file.txt" >"$dir/got"; same || [ $tries = 0 ]
        do
            tries=$((tries - 1))
            sleep 0.02
        done
        press "key ctrl+a" "key BackSpace"
        ;;
    chromium)
        tries=40
        until shows_it || [ $tries = 0 ]; do
            tries=$((tries - 1))
            sleep 0.02
        done
        title | sed 's/^<//; s/>$//' | tr -d '\n' >"$dir/got"
        # It takes no chord of a letter that no group of the layout has.
        case $layout in gr | ru) setxkbmap -layout us ;; esac
        press "key ctrl+a" "key BackSpace"
        case $layout in gr | ru) setxkbmap -layout "$layout" ;; esac
        wait_for title_is '<>' || :
        ;;
    esac
}
stop() {
    kill "$pid" 2>/dev/null || :
    wait "$pid" 2>/dev/null || :
    pid=''
    wait_for not_focused "$receiver"
}
now() { date +%s%N; }
type_deskhand() { "$B/deskhand" act "type $text"; }
type_xdotool() { xdotool type -- "$text"; }
type_xdotool0() { xdotool type --delay 0 -- "$text"; }

begin() {
    start || { echo "$receiver did not start" >&2; exit 1; }
}
run() { # tool
    exact=0 ns=0 i=0
    setxkbmap -layout "$layout"
    [ "$receiver" = zenity ] || begin
    [ -z "$group" ] || xdotool key ISO_Next_Group
    while [ $i -lt "$n" ]; do
        i=$((i + 1))
        [ "$receiver" != zenity ] || begin
        [ -z "$caps" ] || xdotool key Caps_Lock
        from=$(now)
        "type_$1"
        ns=$((ns + $(now) - from))
        [ -z "$caps" ] || xdotool key Caps_Lock
        finish
        if same; then exact=$((exact + 1))
        elif [ -n "${SHOW:-}" ]; then
            echo "$1 $layout: $(cat "$dir/got" 2>/dev/null || echo none)" >&2
        fi
        [ "$receiver" != zenity ] || stop
    done
    [ "$receiver" = zenity ] || stop
    [ -z "$group" ] || xdotool key ISO_Next_Group
    printf ' | %3s/%s %4s/s' "$exact" "$n" \
        $(($(printf '%s' "$text" | wc -m) * n * 1000000000 / (ns + 1)))
}

printf '%-10s %-11s' "$receiver" "$layout${caps:+ caps}${group:+ 2nd}"
run deskhand
[ -n "$only" ] || { run xdotool; run xdotool0; }
echo
