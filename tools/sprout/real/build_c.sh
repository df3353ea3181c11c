#!/bin/sh
# build_c.sh [outdir] - the window programs of cap_c.py. Needs libmotif-dev, libxaw7-dev, libfltk1.3-dev.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-build/sprout-real}
mkdir -p "$out"
${CC:-cc} -std=gnu17 -Wall -Wextra -O1 -o "$out/win_motif" "$here/win_motif.c" -lXm -lXt -lX11
${CC:-cc} -std=gnu17 -Wall -Wextra -O1 -o "$out/win_xaw" "$here/win_xaw.c" -lXaw -lXt -lX11
${CC:-cc} -std=gnu17 -Wall -Wextra -O1 -shared -fPIC -o "$out/xt_dump.so" "$here/xt_dump.c" -lXt -lX11 -ldl
${CXX:-c++} -Wall -Wextra -O1 -o "$out/win_fltk" "$here/win_fltk.cpp" -lfltk -lX11
