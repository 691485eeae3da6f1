#!/usr/bin/env bash
# Runs every libFuzzer target under ASan and UBSan for SECONDS each (default 60): scripts/fuzz.sh [SECONDS] [TARGET...]
# New inputs go to build/fuzz/corpus/; an input that crashes is left in build/fuzz/ and belongs into tests/fuzz/corpus/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=${1:-60}; shift || true
scripts/build.sh fuzz --dev
targets=("$@")
((${#targets[@]})) || targets=($(cd build/fuzz/bin && ls -1 | grep '^fuzz_'))
for target in "${targets[@]}"; do
  seeds=tests/fuzz/corpus/${target#fuzz_}
  work=build/fuzz/corpus/$target
  mkdir -p "$work"
  echo "fuzz: $target for $seconds s"
  (cd build/fuzz && "bin/$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 -max_len=65536 -verbosity=0 \
    -print_final_stats=1 "corpus/$target" $([[ -d ../../$seeds ]] && echo "../../$seeds") \
    >"$target.log" 2>&1) && failed=no || failed=yes
  grep -E 'stat::number_of_executed|ERROR|SUMMARY|Test unit' "build/fuzz/$target.log" || true
  if [[ $failed == yes ]]; then echo "fuzz: $target failed, see build/fuzz/$target.log" >&2; exit 1; fi
done
