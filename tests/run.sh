#!/bin/sh
# run.sh - run the test programs of folders and add up what they count.
#
#   B=build/release tests/run.sh base capture ...
#
# TESTS="part of a name" picks tests. The last line is "N passed, N failed",
# with ", N skipped" where there are any. Exit 1 where one failed.
set -u

cd "$(dirname "$0")/.." || exit 2
B=${B:-build/release}
dir=$(mktemp -d) || exit 2
mkfifo "$dir/fifo"
child=''
clean() {
    trap '' HUP INT TERM
    if [ -n "$child" ]; then
        kill "$child" 2>/dev/null || :
        wait "$child" || :
    fi
    rm -rf "$dir"
}
trap clean EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
passed=0 failed=0 skipped=0

# Run a command and add its counts; one that ends without them has failed. In
# the background, so that a signal does not have to wait for its end.
count() {
    tee -i "$dir/out" <"$dir/fifo" &
    tee=$!
    "$@" >"$dir/fifo" 2>&1 &
    child=$!
    status=0
    wait "$child" || status=$?
    child=''
    wait "$tee"
    line=$(grep -aE '^[^ ]+: [0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$dir/out" |
        tail -n 1 | tr -cd '0-9 ')
    # shellcheck disable=SC2086
    set -- $line
    # A name such as test-x11 leaves digits of its own: take the last three.
    while [ $# -gt 3 ]; do shift; done
    if [ $# -ne 3 ]; then
        echo "no result (exit status $status)"
        failed=$((failed + 1))
        return
    fi
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
    if [ "$status" -ne 0 ] && [ "$2" -eq 0 ]; then
        echo "exit status $status without a failed test"
        failed=$((failed + 1))
    fi
}

for folder in "$@"; do
    program=$B/test-$folder
    echo "== $folder"
    case $folder in
    capture)
        # shellcheck disable=SC2086
        count tests/x11/with_xvfb.sh -- "$program" -j 1 ${TESTS:-}
        echo '== capture, on a server without MIT-SHM'
        # shellcheck disable=SC2086
        count tests/x11/with_xvfb.sh --no-shm -- "$program" -j 1 ${TESTS:-}
        ;;
    # One server, one pointer, one keyboard: no two of these at a time.
    actions | agent | tools)
        # shellcheck disable=SC2086
        count tests/x11/with_xvfb.sh -- "$program" -j 1 ${TESTS:-}
        ;;
    # With how far the numbers are from the published ones.
    model)
        # shellcheck disable=SC2086
        count "$program" -v ${TESTS:-}
        ;;
    *)
        # shellcheck disable=SC2086
        count "$program" ${TESTS:-}
        ;;
    esac
done

if [ "$skipped" -gt 0 ]; then
    echo "$passed passed, $failed failed, $skipped skipped"
else
    echo "$passed passed, $failed failed"
fi
[ "$failed" -eq 0 ]
