#!/usr/bin/env bash
# Runs every libFuzzer target under ASan and UBSan for SECONDS each (default 60): scripts/fuzz.sh [SECONDS] [TARGET...]
# New inputs go to build/fuzz/corpus/; an input that crashes is left in build/fuzz/ and belongs into tests/fuzz/corpus/.
# `scripts/fuzz.sh keep [TARGET...]` adds to tests/fuzz/corpus/ what of build/fuzz/corpus/ reaches code that nothing there does.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=${1:-60}; shift || true
scripts/build.sh fuzz --dev
targets=("$@")
((${#targets[@]})) || targets=($(cd build/fuzz/bin && ls -1 | grep '^fuzz_'))
for target in "${targets[@]}"; do
  seeds=$PWD/tests/fuzz/corpus/${target#fuzz_}
  mkdir -p "build/fuzz/corpus/$target" "$seeds"
  if [[ $seconds == keep ]]; then
    before=$(ls "$seeds" | wc -l)
    (cd build/fuzz && "bin/$target" -set_cover_merge=1 -use_counters=0 -max_len=4096 -rss_limit_mb=1024 "$seeds" "corpus/$target" >"$target.log" 2>&1) ||
      { echo "fuzz: $target failed, see build/fuzz/$target.log" >&2; exit 1; }
    echo "fuzz: $target keeps $(ls "$seeds" | wc -l) inputs, before $before"
    continue
  fi
  echo "fuzz: $target for $seconds s"
  (cd build/fuzz && "bin/$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 -max_len=65536 -verbosity=0 \
    -print_final_stats=1 "corpus/$target" "$seeds" >"$target.log" 2>&1) && failed=no || failed=yes
  grep -E 'stat::number_of_executed|ERROR|SUMMARY|Test unit' "build/fuzz/$target.log" || true
  if [[ $failed == yes ]]; then echo "fuzz: $target failed, see build/fuzz/$target.log" >&2; exit 1; fi
done
