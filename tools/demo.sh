#!/bin/sh
# demo.sh - the agent with the embedded model, at real tasks in real programs.
#
#   tools/demo.sh [--check] [--serve] [--model DIR|URL] [NAME ...]
#
# Every task gets a private X server, a window manager and an empty home. The
# model decides; a mechanical check judges. The sessions stay in demo-out/.
# --check prints the counts of a test run as its last line. --serve puts the
# model behind `deskhand serve` and asks it over HTTP. NAME picks tasks by a part
# of their name.
set -eu

cd "$(dirname "$0")/.."
root=$PWD
program=$root/${B:-build/release}/deskhand
out=$root/${DEMO_OUT:-demo-out}
max_steps=24

# --- inside of one task's X server -------------------------------------------

# wait_for TITLE: until a window of that name is shown, 20 s at most.
wait_for() {
    tries=0
    until xdotool search --onlyvisible --name "$1" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 200 ] || { echo "no window \"$1\""; exit 1; }
        sleep 0.1
    done
}

one_task() {
    name=$1
    . "$root/assets/demo/$name.task"
    cd "$HOME"
    apps >/dev/null 2>&1
    if judge >/dev/null 2>&1; then
        echo 'the check succeeds before anything was done'
        return 2
    fi
    # Nobody can be asked, and one task needs Return in a terminal: hence free.
    # shellcheck disable=SC2086
    "$program" run --mode free --max-steps $max_steps --session "$out/$name" $model "$TASK" || :
    # A program may still be writing its file.
    tries=0
    until judge >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 20 ] || return 1
        sleep 0.1
    done
}

if [ "${1:-}" = --inside ]; then
    # The bus and what it starts say nothing of use.
    exec 1>&4 2>&3 3>&- 4>&-
    model=${3:-}
    one_task "$2"
    exit
fi

# --- outside -------------------------------------------------------------------

check='' model='' names='' serve=''
while [ $# -gt 0 ]; do
    case $1 in
    --check) check=yes ;;
    --serve) serve=yes ;;
    --model) model="--model $2"; shift ;;
    -*) echo "demo.sh: unknown option $1" >&2; exit 2 ;;
    *) names="$names $1" ;;
    esac
    shift
done
if [ ! -x "$program" ]; then
    echo "demo.sh: $program is not built; run make" >&2
    exit 2
fi

wanted() {
    [ -n "$names" ] || return 0
    for n in $names; do
        case $1 in *"$n"*) return 0 ;; esac
    done
    return 1
}

home='' task='' server=''
# A program that was just killed may still be writing.
remove_home() {
    tries=0
    until rm -rf "$home" 2>/dev/null || [ $tries -ge 50 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    home=''
}

# Also on a signal: the task ends first, and takes its programs with it.
clean() {
    trap '' HUP INT TERM
    if [ -n "$task" ]; then
        kill "$task" 2>/dev/null || :
        wait "$task" || :
    fi
    remove_home
    [ -z "$server" ] || kill "$server" 2>/dev/null || :
}
trap clean EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
rm -rf "$out"
mkdir -p "$out"
if [ -n "$serve" ]; then
    # shellcheck disable=SC2086
    "$program" serve --listen 127.0.0.1:0 $model >"$out/serve.log" 2>&1 &
    server=$!
    tries=0
    until url=$(sed -n 's|^listening on \(http://[^,]*\),.*|\1|p' "$out/serve.log") &&
        [ -n "$url" ]; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || { cat "$out/serve.log" >&2; exit 1; }
        sleep 0.1
    done
    echo "the model is served at $url"
    model="--model $url"
fi
passed=0 failed=0 table=''
for file in assets/demo/*.task; do
    name=$(basename "$file" .task)
    wanted "$name" || continue
    echo "== $name"
    home=$(mktemp -d)
    start=$(date +%s)
    status=0
    # A bus of its own keeps programs from talking to ones outside, and fonts
    # named by us show every machine's user the same demo.
    env -u DBUS_SESSION_BUS_ADDRESS HOME="$home" XDG_CONFIG_HOME="$home/.config" \
        XDG_CACHE_HOME="$home/.cache" XDG_DATA_HOME="$home/.local/share" \
        XDG_STATE_HOME="$home/.local/state" NO_AT_BRIDGE=1 GTK_A11Y=none \
        GSETTINGS_BACKEND=memory LC_ALL=C.UTF-8 \
        FONTCONFIG_FILE="$root/assets/demo/fonts.conf" \
        tests/x11/with_xvfb.sh --wm openbox -- \
        sh -c 'exec dbus-run-session -- "$@" 3>&2 4>&1 >/dev/null 2>&1' sh \
        "$0" --inside "$name" "$model" </dev/null &
    task=$!
    wait "$task" || status=$?
    task=''
    remove_home
    took=$(($(date +%s) - start))
    case $status in
    0) passed=$((passed + 1)) verdict=passed ;;
    *) failed=$((failed + 1)) verdict=FAILED ;;
    esac
    echo "$name $verdict"
    table="$table$(printf '%-18s %-7s %4d s' "$name" "$verdict" "$took")
"
done

printf '\n%s\n' "$table"
echo "sessions with pictures, video and a page each: ${DEMO_OUT:-demo-out}/*/index.html"
if [ -n "$check" ]; then
    echo "demo: $passed passed, $failed failed, 0 skipped"
else
    echo "$passed of $((passed + failed)) tasks passed"
fi
[ "$failed" -eq 0 ]
