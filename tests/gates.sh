#!/bin/sh
# gates.sh - do the gates of tools/ catch what they are there for?
#
# Each case is a file that must be refused, or must pass, in an empty tree.
set -u
cd "$(dirname "$0")/.." || exit 2
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/tools"
cp tools/sources.sh tools/check_layers.sh tools/check_banned.sh "$dir/tools/"
passed=0 failed=0

# gate, "ok" or "bad", path, text
try() {
    mkdir -p "$dir/$(dirname "$3")"
    printf '%b\n' "$4" >"$dir/$3"
    got=ok
    said=$(GIT_CEILING_DIRECTORIES=$dir "$dir/tools/check_$1.sh") || got=bad
    rm "$dir/$3"
    if [ $got = "$2" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $1: $3 is $got, not $2: $4"
        echo "$said"
    fi
}

try layers ok vision/a.c '#include "base/mem.h"\n#include <stdio.h>'
try layers bad base/a.c '#include "capture/frame.h"'
try layers bad capture/a.c '#include "actions/action.h"'
try layers bad model/cpu/a.c '#include "capture/frame.h"'
try layers bad agent/a.c '#  include "model/config_priv.h"'
try layers ok model/cpu/a.c '#include "model/config_priv.h"'
try layers bad agent/a.c '#include "loop.h"'
try layers bad agent/a.c '#include <X11/Xlib.h>'
try layers ok capture/screen.c '#include <X11/Xlib.h>'
try layers bad model/a.c '#include <immintrin.h>'
try layers ok tests/model/a.c '#include "model/config_priv.h"'
try layers bad agent/a.c '#include HEADER'

try banned ok base/a.c 'static int f(void);\nconst char *f(void) { return "strcpy(a, b)"; }'
try banned bad base/a.c 'void f(void) { strcpy(a, b); }'
try banned ok base/a.c 'void f(void) { strcpy(a, b); } // allowed: a test'
try banned bad base/a.c 'void f(void) { strcpy(a, b); } // allowed:'
try banned ok base/a.c '/* strcpy(a,\n * system(b) */ // popen('
try banned bad base/a.c 'void f(void) { /* x */ system ("ls"); }'
try banned ok base/a.c 'void f(void) { p->system(1); dh_system(2); }'
try banned bad tests/a.c 'void f(void) { system("ls"); }'
try banned bad model/a.c 'void f(void) { p = malloc(3); }'
try banned ok base/mem.c 'void f(void) { p = malloc(3); }'
try banned bad agent/a.c 'void f(void) { usleep(3); }'
try banned bad agent/a.c 'void f(void) { exit(3); }'
try banned bad agent/a.c 'void f(void) { fputs("x", stdout); }'
try banned bad agent/a.c 'static int count;'
try banned bad agent/a.c 'int count = 3;'
try banned bad agent/a.c 'static struct thing things[3] = {\n    { 0 },\n};'
try banned ok agent/a.c 'static const int count = 3;\nstruct a {\n    int b;\n};\nvoid f(int a,\n       int b);'
try banned bad agent/a.c 'int f(void)\n{\n    return 0;\n}\nstatic int late;'

echo "gates: $passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
