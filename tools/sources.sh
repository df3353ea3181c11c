#!/bin/sh
# sources.sh - list the C files of the project, one a line, for the gates.
set -eu
cd "$(dirname "$0")/.."
if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    # Files that were deleted but not committed are listed too.
    git ls-files -co --exclude-standard -- '*.c' '*.h' '*.cu' |
        while read -r f; do [ ! -e "$f" ] || echo "$f"; done
else
    find . -name build -prune -o -type f \
        \( -name '*.c' -o -name '*.h' -o -name '*.cu' \) -print |
        sed 's|^\./||'
fi | LC_ALL=C sort
