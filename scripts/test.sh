#!/usr/bin/env bash
# Builds graticule and passes its tests.
#
#   scripts/test.sh [--oracles] [--long] [--ci] [--sanitize]
#
#   --oracles  also compares with the Python reference implementations (installs about 5 GB once);
#              without it those tests are skipped, and say so
#   --long     the long forms of the fault tests (20 killed and resumed runs instead of 3)
#   --sanitize also base, geo and data under ASan and UBSan, and 10 s of fuzzing per parser
#   --ci       what a change must pass: --oracles, --sanitize, the CUDA module, a SLURM of two nodes, and the demo and its
#              study in their short forms
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
options=() ci=no sanitize=no
for option in "$@"; do
  case $option in
    --oracles) options+=(--oracles) ;;
    --long) export GRATICULE_LONG_TESTS=1 ;;
    --ci) ci=yes sanitize=yes; options+=(--oracles --slurm --cuda) ;;
    --sanitize) sanitize=yes ;;
    -h|--help) sed -n '2,13s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "test.sh: unknown option $option (known: --oracles --long --ci --sanitize)" >&2; exit 2 ;;
  esac
done
step() { printf '\n== %s (%d s)\n' "$1" "$SECONDS"; }

step "build"
scripts/build.sh release ${options[@]+"${options[@]}"}
step "tests"
ctest --test-dir build/release --output-on-failure -j2
if [[ $sanitize == yes ]]; then
  step "sanitizers (ASan, UBSan) over base, geo and data"
  scripts/build.sh asan --dev
  ctest --test-dir build/asan --output-on-failure -j2 -R '^(base|geo|data)$'
  step "fuzzing, 10 s a parser"
  scripts/fuzz.sh 10
fi
if [[ $ci == yes ]]; then
  step "demo, short form"
  scripts/demo.sh --quick
  step "hard-negative study, short form"
  experiments/hard-negatives/demo.sh --quick
fi
step "all passed"
