#!/bin/sh
# with_xvfb.sh - run a command on a private X server and pass its exit status.
#
#   with_xvfb.sh [--wm NAME] [--no-shm] [--size WxHxD] [--] command ...
#
# Picks a free display, gives the command its own XDG_RUNTIME_DIR, and ends the
# server, the window manager and what the command has left running, whatever
# happens.
set -eu

# A closed standard input could not be passed on.
[ -e /proc/self/fd/0 ] || exec </dev/null

wm='' size=1024x768x24 shm=''
while [ $# -gt 0 ]; do
    case $1 in
    --wm) wm=$2; shift 2 ;;
    --no-shm) shm='-extension MIT-SHM'; shift ;;
    --size) size=$2; shift 2 ;;
    --) shift; break ;;
    -*) echo "with_xvfb.sh: unknown option $1" >&2; exit 2 ;;
    *) break ;;
    esac
done
if [ $# -eq 0 ]; then
    echo 'usage: with_xvfb.sh [options] command ...' >&2
    exit 2
fi

dir=$(mktemp -d "${TMPDIR:-/tmp}/dh-x11-XXXXXX")
server='' manager='' child='' ended=''
clean() {
    trap '' HUP INT TERM
    if [ -n "$child" ]; then
        kill -s TERM -- "-$child" "$child" 2>/dev/null || :
        # Stopped early, it may have something to tidy.
        tries=0
        while [ -z "$ended" ] && [ $tries -lt 30 ] &&
            kill -s 0 -- "-$child" 2>/dev/null; do
            tries=$((tries + 1))
            sleep 0.1
        done
        kill -s KILL -- "-$child" 2>/dev/null || :
    fi
    for pid in $manager $server; do
        kill "$pid" 2>/dev/null || :
    done
    [ -z "$server" ] || wait "$server" 2>/dev/null || :
    rm -rf "$dir"
}
trap clean EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# The server writes its display number once it is ready; the pipe is what we
# wait on. Servers that start at the same moment may want the same number, and
# the loser ends, so it gets more than one try.
mkfifo "$dir/number"
number='' try=0
while [ -z "$number" ] && [ $try -lt 5 ]; do
    try=$((try + 1))
    # A server resets itself when its last client leaves, and who connects at
    # that moment is turned away: hence -noreset.
    # shellcheck disable=SC2086
    Xvfb -displayfd 3 -screen 0 "$size" -nolisten tcp -noreset $shm \
        3>"$dir/number" >"$dir/log" 2>&1 &
    server=$!
    read -r number <"$dir/number" || :
done
if [ -z "$number" ]; then
    echo 'with_xvfb.sh: no X server started:' >&2
    cat "$dir/log" >&2
    exit 1
fi

mkdir -m 700 "$dir/runtime"
export DISPLAY=":$number" XDG_RUNTIME_DIR="$dir/runtime"
# Toolkits that find no session bus start one, which stays for ever.
export DBUS_SESSION_BUS_ADDRESS=disabled:
# Terminals take their encoding from here.
export LC_ALL=C.UTF-8
unset WAYLAND_DISPLAY XAUTHORITY SESSION_MANAGER || :
if [ -n "$wm" ]; then
    "$wm" >"$dir/wm.log" 2>&1 &
    manager=$!
    # Ready once it has announced itself on the root window.
    tries=0
    until xprop -root _NET_SUPPORTING_WM_CHECK 2>/dev/null | grep -q 0x; do
        tries=$((tries + 1))
        if [ $tries -gt 100 ]; then
            echo "with_xvfb.sh: $wm did not start:" >&2
            cat "$dir/wm.log" >&2
            exit 1
        fi
        sleep 0.1
    done
fi

# In the background, so that a signal to us is not held back until it ends; in
# a session of its own, so that all that it starts can be told to end.
setsid "$@" <&0 &
child=$!
status=0
wait "$child" || status=$?
ended=yes
exit "$status"
