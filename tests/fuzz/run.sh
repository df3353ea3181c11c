#!/bin/sh
# run.sh - build every fuzz target and run each for some seconds, two at a time.
#
#   tests/fuzz/run.sh [seconds] [part of a name ...]
#
# Seeds come from tests/fuzz/corpus/<name>/; what is found goes to
# build/fuzz/found/<name>/, and an input that crashes or hangs is kept as
# build/fuzz/crash-<name>-*. A line "max-len: N" in a target sets the largest
# input (4096). The last line is "fuzz: N passed, N failed, N skipped".
set -u

cd "$(dirname "$0")/../.." || exit 2
seconds=${1:-60}
[ $# -eq 0 ] || shift
B=${B:-build/fuzz}
CLANG=${CLANG:-clang}
passed=0 failed=0 skipped=0

names=''
for f in tests/fuzz/fuzz_*.c; do
    [ -e "$f" ] || continue
    name=${f#tests/fuzz/fuzz_}
    name=${name%.c}
    wanted=$#
    for part in "$@"; do
        case $name in *"$part"*) wanted=0 ;; esac
    done
    [ "$wanted" -ne 0 ] || names="$names $name"
done

finish() {
    echo "fuzz: $passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ]
    exit
}

mkdir -p "$B"
echo 'int LLVMFuzzerTestOneInput(const char *p, unsigned long n);
int LLVMFuzzerTestOneInput(const char *p, unsigned long n)
{ return (void)p, (void)n, 0; }' >"$B/probe.c"
if ! "$CLANG" -fsanitize=fuzzer,address "$B/probe.c" -o "$B/probe" 2>/dev/null; then
    echo "skip fuzz: no $CLANG with a fuzzer here"
    # shellcheck disable=SC2086
    set -- $names
    skipped=$#
    finish
fi

programs=''
for name in $names; do
    programs="$programs $B/fuzz-$name"
done
# -k: one target that does not build is that target's failure. Only the tail of
# a long build is of interest, and of the commands nothing.
# In the background, so that a signal does not have to wait for its end.
pids=''
trap 'kill $pids 2>/dev/null; exit 130' HUP INT TERM
build() {
    make -k -j"${JOBS:-$(nproc)}" MODE=fuzz B="$B" CC="$CLANG" "$@" \
        >"$B/build.log" 2>&1 &
    pids=$!
    wait "$pids" || grep -vE '^  (CC|LINK) ' "$B/build.log" | tail -n 40
    pids=''
}
# shellcheck disable=SC2086
[ -z "$programs" ] || build $programs

run_one() {
    name=$1
    max_len=$(sed -n 's/.*max-len: \([0-9][0-9]*\).*/\1/p' \
        "tests/fuzz/fuzz_$name.c" | head -n 1)
    seeds=tests/fuzz/corpus/$name
    [ -d "$seeds" ] || seeds=''
    mkdir -p "$B/found/$name"
    # shellcheck disable=SC2086
    exec env ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1 \
        UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
        "$B/fuzz-$name" -max_total_time="$seconds" -max_len="${max_len:-4096}" \
        -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$B/crash-$name-" \
        "$B/found/$name" $seeds >"$B/$name.log" 2>&1
}

report() {
    name=$1
    if [ "$2" -eq 0 ]; then
        passed=$((passed + 1))
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$B/$name.log")
        echo "ok   fuzz $name ($runs runs)"
    else
        failed=$((failed + 1))
        echo "FAIL fuzz $name"
        [ ! -e "$B/$name.log" ] || tail -n 40 "$B/$name.log"
    fi
}

pair=''
flush() {
    for name in $pair; do
        run_one "$name" &
        pids="$pids $!"
    done
    for name in $pair; do
        # shellcheck disable=SC2086
        set -- $pids
        status=0
        wait "$1" || status=$?
        shift
        pids=$*
        report "$name" "$status"
    done
    pair=''
}

for name in $names; do
    rm -f "$B/$name.log"
    if [ ! -x "$B/fuzz-$name" ]; then
        echo "(fuzz_$name.c did not build)"
        report "$name" 1
        continue
    fi
    pair="$pair $name"
    # shellcheck disable=SC2086
    set -- $pair
    [ $# -lt 2 ] || flush
done
flush
finish
