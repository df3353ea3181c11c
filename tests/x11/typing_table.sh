#!/bin/sh
# typing_table.sh - typing.sh for every receiver, layout and lock, as one table.
#
#   typing_table.sh [-n N] [-o] [RECEIVER ...]
#
# Options as of typing.sh; without receivers, those that are installed. Each row
# gets a server of its own. Takes about a minute a row with N=20.
set -eu

n=20 only=''
while getopts n:o opt; do
    case $opt in
    n) n=$OPTARG ;;
    o) only=-o ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
here=$(dirname "$0")
[ $# -gt 0 ] || set -- xterm zenity featherpad chromium

row() { # receiver, options
    "$here/with_xvfb.sh" --wm openbox -- \
        "$here/typing.sh" -n "$n" $only $2 "$1" ||
        echo "$1 $2: did not run"
}
printf '%-10s %-11s | %-14s | %-14s | %s\n' receiver layout deskhand xdotool \
    'xdotool --delay 0'
for receiver; do
    if ! command -v "$receiver" >/dev/null; then
        echo "$receiver is not installed"
        continue
    fi
    for layout in us de fr gr ru dvorak jp; do
        row "$receiver" "-k $layout"
    done
    row "$receiver" '-k us -c'
    row "$receiver" '-k us,ru -g'
done
