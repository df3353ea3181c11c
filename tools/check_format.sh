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
    # One line for a place is enough; --fix shows the rest.
    tools/sources.sh | xargs "$tool" --dry-run -Werror 2>&1 |
        awk -F: '/clang-format-violations/ && !seen[$1 ":" $2]++ {
            print $1 ":" $2 ": not as clang-format has it"
            failed = 1
        }
        END { exit failed }'
fi
