#!/usr/bin/env bash
# Configures and builds graticule: scripts/build.sh [PRESET] [setup.sh options...]   (default preset: release)
# The programs land in build/<preset>/bin/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
preset=release
if [[ ${1:-} && $1 != --* ]]; then preset=$1; shift; fi
scripts/setup.sh --test "$@"
log=build/$preset/build.log
mkdir -p "build/$preset"
jobs=${GRATICULE_JOBS:-$(nproc)}
echo "build: $preset with $jobs jobs (log: $log)" >&2
{ cmake --preset "$preset" && cmake --build --preset "$preset" -j "$jobs"; } >"$log" 2>&1 || {
  grep -E -A6 'error|Error|FAILED' "$log" | head -60 >&2
  echo "build: failed; the whole log is $log" >&2
  exit 1
}
