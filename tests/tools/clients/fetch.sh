#!/bin/sh
# fetch.sh - the scripts, and the npm packages of package-lock.json, in a folder.
#
#   tests/tools/clients/fetch.sh DIR
#
# Exits 77, with a word why, where that is not possible here. No code of the
# packages runs while they are installed; their hashes are in the lock file.
set -eu
mkdir -p "$1"
dir=$(cd "$1" && pwd)
cd "$(dirname "$0")"

skip() {
    echo "$*"
    exit 77
}

for program in node npm; do
    command -v $program >/dev/null || skip "no $program here"
done
[ "$(node -p 'parseInt(process.versions.node)')" -ge 18 ] ||
    skip 'node is older than 18'
if ! cmp -s package-lock.json "$dir/fetched"; then
    cp package.json package-lock.json "$dir/"
    (cd "$dir" && timeout 40 npm ci --ignore-scripts --no-audit --no-fund \
        --omit=optional --omit=peer --fetch-retries=0 >npm.log 2>&1) ||
        skip "npm cannot get the packages: $(tail -n 1 "$dir/npm.log")"
    cp package-lock.json "$dir/fetched"
fi
cp ./*.mjs "$dir/"
