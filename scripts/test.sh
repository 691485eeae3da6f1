#!/usr/bin/env bash
# Builds graticule and passes its tests.
#
#   scripts/test.sh [--oracles] [--long] [--ci]
#
#   --oracles  also compares with the Python reference implementations (installs about 5 GB once);
#              without it those tests are skipped, and say so
#   --long     the long forms of the fault tests (20 killed and resumed runs instead of 3)
#   --ci       everything a change must pass: --oracles, the CUDA module, sanitizers and 10 s of fuzzing per parser,
#              and the demo in its short form
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
options=() ci=no
for option in "$@"; do
  case $option in
    --oracles) options+=(--oracles) ;;
    --long) export GRATICULE_LONG_TESTS=1 ;;
    --ci) ci=yes; options+=(--oracles --cuda --dev) ;;
    -h|--help) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "test.sh: unknown option $option (known: --oracles --long --ci)" >&2; exit 2 ;;
  esac
done
step() { printf '\n== %s (%d s)\n' "$1" "$SECONDS"; }

step "build"
scripts/build.sh release ${options[@]+"${options[@]}"}
step "tests"
ctest --test-dir build/release --output-on-failure -j1
if [[ $ci == yes ]]; then
  step "sanitizers (ASan, UBSan) over the torch-free rooms"
  scripts/build.sh asan
  ctest --test-dir build/asan --output-on-failure -L unit
  step "fuzzing, 10 s a parser"
  scripts/fuzz.sh 10
  step "demo, short form"
  scripts/demo.sh --quick
fi
step "all passed"
