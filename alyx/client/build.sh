#!/bin/sh
# Build the bench screens into a folder (default: the committed one, ../static/bench). Needs Node; an instance does not.
set -eu
cd "$(dirname "$0")"
out=${1:-../static/bench}
histories=${2:-../../tests/journeys/bench/histories.js}
[ -x node_modules/.bin/esbuild ] || npm ci --ignore-scripts --no-audit --no-fund >/dev/null
screens=""
for name in weigh weigh-rules surgery notes kept sw jsqr; do
  [ -f "src/$name.ts" ] && screens="$screens src/$name.ts"
done
# shellcheck disable=SC2086
node_modules/.bin/esbuild $screens --bundle --format=esm --target=es2022 --minify --legal-comments=inline --charset=utf8 \
  --log-level=warning --outdir="$out"
for name in idb jsqr; do
  cp "node_modules/$name/LICENSE" "$out/LICENSE.$name.txt"
done
# For the tests that run the journal itself: as it is written, so that a test can take a line out of it.
[ ! -f test/histories.ts ] || node_modules/.bin/esbuild test/histories.ts --bundle --format=iife --target=es2022 --legal-comments=inline \
  --charset=utf8 --log-level=warning --outfile="$histories"
