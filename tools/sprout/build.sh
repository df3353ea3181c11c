#!/bin/sh
# build.sh [outdir] - build libscene.so, which needs only libc and libm when it
# runs: FreeType and what it needs are linked in. ASAN=1 adds sanitizers.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
out=${1:-$root/build/sprout}
mkdir -p "$out"
flags="-O3 -mavx2"
[ -z "${ASAN:-}" ] || flags="-O1 -g -fsanitize=address,undefined"
defs=-Wl,-z,defs
[ -z "${ASAN:-}" ] || defs=
libs=$(pkg-config --variable=libdir freetype2)

# Debian's libpng16.a cannot go into a shared object. FreeType asks for it only
# for fonts made of PNG pictures, of which there are none here: stand-ins.
nm -u 2>/dev/null "$libs/libfreetype.a" | sed -n 's/^ *U \(png_[A-Za-z0-9_]*\)$/\1/p' |
    sort -u | sed 's/.*/void &(void);\nvoid &(void)\n{\n    abort();\n}/' |
    sed '1i #include <stdlib.h>' > "$out/no_png.c"

# shellcheck disable=SC2046,SC2086
${CC:-cc} -std=c17 -D_GNU_SOURCE $flags -fPIC -shared -fvisibility=hidden \
    -ffp-contract=off -Wall -Wextra -Wshadow -Wstrict-prototypes \
    -Wmissing-prototypes -Wvla -Wno-format-truncation -Werror -I "$root" \
    $(pkg-config --cflags freetype2) -static-libgcc \
    -o "$out/libscene.so" "$root"/tools/sprout/scene*.c "$out/no_png.c" \
    -Wl,--exclude-libs,ALL $defs -Wl,-Bstatic -lfreetype -lz -lbrotlidec \
    -lbrotlicommon -Wl,-Bdynamic -lm
