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
fuzz_one() {
  local target=$1 seeds=$PWD/tests/fuzz/corpus/${1#fuzz_} failed=no
  mkdir -p "build/fuzz/corpus/$target" "$seeds"
  (cd build/fuzz && "bin/$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 -max_len=65536 -verbosity=0 \
    -print_final_stats=1 "corpus/$target" "$seeds" >"$target.log" 2>&1) || failed=yes
  echo "fuzz: $target for $seconds s"
  grep -E 'stat::number_of_executed|ERROR|SUMMARY|Test unit' "build/fuzz/$target.log" || true
  if [[ $failed == yes ]]; then echo "fuzz: $target failed, see build/fuzz/$target.log" >&2; return 1; fi
}
keep_one() {
  local target=$1 seeds=$PWD/tests/fuzz/corpus/${1#fuzz_} before
  mkdir -p "build/fuzz/corpus/$target" "$seeds"
  before=$(ls "$seeds" | wc -l)
  (cd build/fuzz && "bin/$target" -set_cover_merge=1 -use_counters=0 -max_len=4096 -rss_limit_mb=1024 "$seeds" "corpus/$target" >"$target.log" 2>&1) ||
    { echo "fuzz: $target failed, see build/fuzz/$target.log" >&2; return 1; }
  echo "fuzz: $target keeps $(ls "$seeds" | wc -l) inputs, before $before"
}
work=fuzz_one
if [[ $seconds == keep ]]; then work=keep_one; fi
export -f fuzz_one keep_one
export seconds
printf '%s\0' "${targets[@]}" | xargs -0 -n 1 -P "$(nproc)" bash -euo pipefail -c '"$0" "$1"' "$work"
