#!/usr/bin/env bash
# The hard-negative study on the demo world, from the model that scripts/demo.sh has trained.
#
#   experiments/hard-negatives/demo.sh [--quick]
#
# Stores the tower's outputs, estimates their variogram, trains GeoCLIP with six losses and three seeds, and writes
# runs/hard-negatives/: table.md, accuracy.svg, results.json, variogram/. About 15 minutes on two CPU cores; repeated, it goes on.
#
#   --quick   two losses and one seed on the short demo (runs/hard-negatives-quick/)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
study=demo data=demo-data run=runs/demo out=runs/hard-negatives pairs=20000
for option in "$@"; do
  case $option in
    --quick) study=quick data=demo-data/quick run=runs/demo-quick out=runs/hard-negatives-quick pairs=2000 ;;
    -h|--help) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "demo.sh: unknown option $option (known: --quick)" >&2; exit 2 ;;
  esac
done
bin=$PWD/build/release/bin
[[ -d $run/export ]] || { echo "demo.sh: there is no $run/export; run scripts/demo.sh first" >&2; exit 2; }

# A new tower makes new outputs: those of another one are refused, not used.
for name in osv5m mp16pro; do
  store=$data/emb-$name
  if ! cmp -s "$run/export/SHA256SUMS" "$store.stamp"; then rm -rf "$store" "$store.stamp"; fi
  "$bin/graticule" embed --model "$run/export" --data "$data/$name" --out "$store"
  cp "$run/export/SHA256SUMS" "$store.stamp"
done
"$bin/graticule" variogram --data "$data/osv5m" "$data/mp16pro" --split train --pairs "$pairs" \
  --embeddings "$data/emb-osv5m" "$data/emb-mp16pro" --out "$out/variogram"
python3 experiments/study.py "experiments/hard-negatives/$study.json" --out "$out" --parallel 2
