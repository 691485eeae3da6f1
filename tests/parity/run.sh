#!/usr/bin/env bash
# run.sh PYTHON FILE: one parity test with the reference environment; exit 77 (skipped) where that is not installed.
set -u
python=$1 file=$2
if [[ ! -x $python ]]; then
  echo "SKIPPED: no reference implementations at $python; run scripts/setup.sh --oracles"
  exit 77
fi
# Some virtual machines announce AMX and die on its first instruction; the references need no more than AVX-512.
export ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16 HF_HUB_OFFLINE=1
exec "$python" -m pytest -q -p no:cacheprovider "$file"
