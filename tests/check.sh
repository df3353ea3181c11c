#!/bin/sh
# check.sh - everything that `make check` runs once the packages are there.
#
# Gates, release build and tests, the same under the address and undefined
# behaviour sanitizers, the thread sanitizer, a short fuzz, and the demo.
# The last line is "N passed, N failed"; exit 1 where one failed.
#   FUZZ_SECONDS=N  how long each fuzz target runs (10)
#   STAGES="..."    only these: gates release asan tsan fuzz demo; also arm
set -u

cd "$(dirname "$0")/.." || exit 2
STAGES=${STAGES:-gates release asan tsan fuzz demo}
JOBS=${JOBS:-$(nproc)}
FOLDERS='base capture actions vision model agent tools'
# The builds below are of their own kinds, whatever `make check` was told.
unset MAKEFLAGS MFLAGS MAKEOVERRIDES B MODE || :
passed=0 failed=0 skipped=0
# Whoever reads from a terminal here would wait for ever.
exec </dev/null
dir=$(mktemp -d) || exit 2
log=$dir/log
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

# Run a command so that a signal does not have to wait for its end. Its exit
# status becomes $status.
run() {
    "$@" &
    child=$!
    status=0
    wait "$child" || status=$?
    child=''
}

pass() {
    passed=$((passed + 1))
    echo "ok   $1"
}

fail() {
    failed=$((failed + 1))
    echo "FAIL $1"
}

# A command that counts as one test.
one() {
    name=$1
    shift
    run "$@"
    if [ "$status" -eq 0 ]; then
        pass "$name"
    else
        fail "$name"
    fi
}

# A command whose last line of counts is added, with or without a name.
count() {
    name=$1
    shift
    tee -i "$log" <"$dir/fifo" &
    tee=$!
    run "$@" >"$dir/fifo" 2>&1
    wait "$tee"
    line=$(grep -aE '^([a-z0-9-]+: )?[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$' \
        "$log" | tail -n 1)
    if [ -z "$line" ]; then
        fail "$name: no result, exit status $status"
        return
    fi
    p=$(echo "$line" | sed 's/.*\b\([0-9][0-9]*\) passed.*/\1/')
    f=$(echo "$line" | sed 's/.*\b\([0-9][0-9]*\) failed.*/\1/')
    s=$(echo "$line" | sed -n 's/.*\b\([0-9][0-9]*\) skipped.*/\1/p')
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + ${s:-0}))
    if [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then
        fail "$name: exit status $status"
    fi
}

# Build a mode; tests of what did not build would only repeat the message.
build() {
    mode=$1
    shift
    run make -k -j"$JOBS" MODE="$mode" "$@" >"$log" 2>&1
    if [ "$status" -eq 0 ]; then
        pass "build $mode"
        return 0
    fi
    grep -vE '^  (CC|LINK) ' "$log" | tail -n 60
    fail "build $mode"
    return 1
}

tests_of() {
    for f in "$@"; do
        printf 'build/%s/test-%s ' "$mode" "$f"
    done
}

stage_gates() {
    one 'gate format' tools/check_format.sh
    one 'gate layers' tools/check_layers.sh
    one 'gate banned' tools/check_banned.sh
    count 'gates catch' tests/gates.sh
}

stage_release() {
    mode=release
    # shellcheck disable=SC2046,SC2086
    build release build/release/deskhand $(tests_of $FOLDERS) || return
    # shellcheck disable=SC2086
    count tests env B=build/release tests/run.sh $FOLDERS
}

stage_asan() {
    mode=asan
    # shellcheck disable=SC2046,SC2086
    build asan build/asan/deskhand $(tests_of $FOLDERS) || return
    # shellcheck disable=SC2086
    count 'tests asan' env B=build/asan DH_TEST_SECONDS=180 \
        ASAN_OPTIONS=abort_on_error=1:detect_leaks=1:allocator_may_return_null=1 \
        LSAN_OPTIONS="print_suppressions=0:suppressions=$PWD/tests/lsan.supp" \
        UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
        tests/run.sh $FOLDERS
}

# The thread sanitizer wants its addresses where newer kernels may not put
# them; without randomisation they are.
tsan_wrapper() {
    echo 'int main(void) { return 0; }' >"$dir/probe.c"
    cc -fsanitize=thread -o "$dir/probe" "$dir/probe.c" || return 1
    wrapper=none
    for w in env "setarch $(uname -m) -R"; do
        if $w "$dir/probe" >/dev/null 2>&1; then
            wrapper=$w
            break
        fi
    done
    [ "$wrapper" != none ]
}

# Tests of folders under the thread sanitizer; the first argument picks some.
tsan() {
    parts=$1
    shift
    # shellcheck disable=SC2086
    count 'tests tsan' $wrapper env B=build/tsan DH_TEST_SECONDS=300 \
        TESTS="$parts" \
        TSAN_OPTIONS="halt_on_error=1:suppressions=$PWD/tests/tsan.supp" \
        tests/run.sh "$@"
}

stage_tsan() {
    mode=tsan
    if ! tsan_wrapper; then
        echo 'skip tsan: it cannot run here'
        skipped=$((skipped + 1))
        return
    fi
    # shellcheck disable=SC2046
    build tsan $(tests_of base capture actions model agent) || return
    tsan '' base capture actions
    # Where the model has threads; the rest of it only takes long here.
    tsan 'threads test_kernels' model
    tsan 'test_loop test_record a_policy_in' agent
}

stage_arm() {
    if tests/aarch64.sh --can; then
        count 'tests of the kernels for ARM' tests/aarch64.sh
    else
        skipped=$((skipped + 1))
    fi
}

stage_fuzz() {
    count fuzz tests/fuzz/run.sh "${FUZZ_SECONDS:-10}"
}

stage_demo() {
    [ -x tools/demo.sh ] || return 0
    count demo tools/demo.sh --check
    # A person shows a form, and it is played with and without a dialog in front.
    mode=release
    build release build/release/deskhand build/release/person || return
    one 'replay of a real program' \
        tests/x11/replay_table.sh -o -a zenity -c same -c dialog
}

for stage in $STAGES; do
    echo "==== $stage"
    begun=$(date +%s)
    "stage_$stage"
    echo "==== $stage took $(($(date +%s) - begun)) s"
done

if [ "$skipped" -gt 0 ]; then
    echo "$passed passed, $failed failed, $skipped skipped"
else
    echo "$passed passed, $failed failed"
fi
[ "$failed" -eq 0 ]
