#!/bin/sh
# Types, unit tests, and that the committed files are what the sources make. Without Node it says so and passes.
set -eu
cd "$(dirname "$0")"
if ! command -v node >/dev/null 2>&1 || ! command -v npm >/dev/null 2>&1; then
  echo "client: no Node here, so the built files are taken as they are"
  exit 0
fi
[ -x node_modules/.bin/esbuild ] || npm ci --ignore-scripts --no-audit --no-fund >/dev/null
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
node_modules/.bin/tsc --noEmit -p .
node_modules/.bin/esbuild test/*.test.ts --bundle --platform=node --format=esm --target=node20 --log-level=warning --outdir="$work/tests" --out-extension:.js=.mjs
node --test "$work"/tests/*.mjs >"$work/said" 2>&1 || { cat "$work/said"; exit 1; }
grep -E '^# (tests|pass|fail) ' "$work/said"
sh build.sh "$work/built" "$work/histories.js"
for file in "$work"/built/*; do
  cmp "$file" "../static/bench/$(basename "$file")" || { echo "client: $(basename "$file") is not what the sources make; run build.sh and commit it" >&2; exit 1; }
done
[ ! -f "$work/histories.js" ] || cmp "$work/histories.js" ../../tests/journeys/bench/histories.js
echo "client: types, unit tests and built files are fine"
