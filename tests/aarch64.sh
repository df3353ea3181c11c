#!/bin/sh
# aarch64.sh - the kernels' tests for 64-bit ARM, on any machine.
#
# Compiles them for that processor and runs them in an emulator, without what
# needs other libraries. Packages: tools/install_deps.sh --arm. Exit 77 where
# these are missing. The last line is "test: N passed, N failed, N skipped".
#   --can      only look whether they are there
#   TESTS=...  only the tests with that in their name
set -eu
cd "$(dirname "$0")/.."

cc=aarch64-linux-gnu-gcc run=qemu-aarch64
for tool in $cc $run; do
    if ! command -v $tool >/dev/null; then
        echo "aarch64: no $tool here, skipped"
        exit 77
    fi
done

[ "${1:-}" != --can ] || exit 0

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
base='assert diag fault file log mem pool rng status str thread clock buf'
set -- tests/runner.c tests/model/test_kernels.c tests/model/test_quant.c \
    tests/model/diff.c model/cpu/*.c model/backend.c model/products.c \
    model/pieces.c model/attend.c model/quant.c model/quant_make.c \
    model/tensor.c model/gguf.c
for f in $base; do
    set -- "$@" base/$f.c
done
flags='-std=c17 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Werror -I.'
objects=''
for f in "$@"; do
    case $f in
    *_dotprod_neon.c) isa=-march=armv8.2-a+dotprod ;;
    *) isa='' ;;
    esac
    o=$dir/$(echo "$f" | tr / -).o
    # shellcheck disable=SC2086
    $cc $flags $isa -c -o "$o" "$f"
    objects="$objects $o"
done
# shellcheck disable=SC2086
$cc -static -o "$dir/test" $objects -lm -pthread
$run "$dir/test" ${TESTS:-}
