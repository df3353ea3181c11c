#!/bin/sh
# check_format.sh - fail where clang-format would change a file.
#   --fix  change them instead
set -eu
cd "$(dirname "$0")/.."

# Versions disagree on details; this is the one that .clang-format was made for.
want=14
tool=''
for t in clang-format-$want clang-format; do
    if "$t" --version 2>/dev/null | grep -q "version $want\."; then
        tool=$t
        break
    fi
done
if [ -z "$tool" ]; then
    echo "format: no clang-format $want here, not checked"
    exit 0
fi
if [ "${1:-}" = --fix ]; then
    tools/sources.sh | xargs "$tool" -i
else
    tools/sources.sh | xargs "$tool" --dry-run -Werror
fi
