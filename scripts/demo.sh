#!/usr/bin/env bash
# From nothing to a trained, evaluated and exported model, in one go on two CPU cores.
#
#   scripts/demo.sh [--quick]
#
# Sets up and builds, draws a demo world in the download layouts of OSV-5M and MP16-Pro, imports both, holds out a tenth of
# the places, builds geocells, trains on two MPI ranks, kills one of them on the way, resumes, evaluates the held-out
# places beside four baselines and exports the model. Leaves runs/demo/ with summary.json, loss_curve.svg, error_map.svg
# and export/. Data are drawn and imported once and reused.
#
#   --quick   2,000 images and 60 steps: everything runs, nothing is learnt (runs/demo-quick/)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

run=runs/demo data=demo-data osv=14000 mp16=6000 max_cell=150 min_cell=8 kill_at=350
# bf16 products run twice as fast where the CPU has them in hardware, and far slower where it has not.
precision=fp32
if grep -qw avx512_bf16 /proc/cpuinfo; then precision=bf16; fi
overrides=(train.precision="$precision")
for option in "$@"; do
  case $option in
    --quick)
      run=runs/demo-quick data=demo-data/quick osv=1400 mp16=600 max_cell=12 min_cell=1 kill_at=30
      overrides+=(run.dir="$run" "data.train=[$data/osv5m,$data/mp16pro]" "data.val=[$data/osv5m,$data/mp16pro]"
                  cells.file="$data/cells.safetensors" train.samples=3840 schedule.warmup_samples=640
                  checkpoint.every_steps=10 eval.samples=64)
      ;;
    -h|--help) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "demo.sh: unknown option $option (known: --quick)" >&2; exit 2 ;;
  esac
done

# Two ranks on one machine, also for root inside a container.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
seed=1 ranks=2
bin=$PWD/build/release/bin
graticule() { "$bin/graticule" "$@"; }

started=$SECONDS
step() { printf '\n== %s (after %d s)\n' "$1" "$((SECONDS - started))"; }

step "set-up and build"
scripts/build.sh release
built=$SECONDS

step "draw the demo world: $osv + $mp16 images"
draw() { graticule data synth --out "$data/world" --seed "$seed" --osv "$osv" --mp16 "$mp16"; }
draw || { echo "demo: replacing the world of another version"; rm -rf "${data:?}/world"; draw; }

step "import both downloads"
import() {  # layout, folder: skipped when the shards of this world are already there
  local stamp=$data/$2.stamp
  if ! cmp -s "$data/world/world.json" "$stamp"; then
    rm -rf "${data:?}/$2" "$stamp"
    graticule data import "$1" --root "$data/world/$2" --out "$data/$2" --extra-csv "$data/world/extra.csv"
    cp "$data/world/world.json" "$stamp"
  fi
}
import osv5m osv5m
import mp16pro mp16pro

step "hold out a tenth of the places, near and far"
graticule data split "$data/osv5m" "$data/mp16pro" --val 0.02 --seed "$seed"

step "build geocells"
graticule cells build --data "$data/osv5m" "$data/mp16pro" --split train --kind s2 --min-images "$min_cell" \
  --max-images "$max_cell" --out "$data/cells.safetensors"

train=(mpirun -n "$ranks" --bind-to none "$bin/graticule-train" train --config configs/demo.yaml "${overrides[@]}")
step_reached() {  # the last step that the run has logged
  tail -n 1 "$run/metrics.jsonl" 2>/dev/null | sed -n 's/.*"step": *\([0-9]*\).*/\1/p'
}

step "train on $ranks ranks ($precision); one of them is killed at step $kill_at"
rm -rf "$run"
train_started=$SECONDS
"${train[@]}" &
launcher=$!
until (( $(step_reached || true) + 0 >= kill_at )); do
  kill -0 "$launcher" 2>/dev/null || { wait "$launcher"; echo "demo: training ended before step $kill_at" >&2; exit 70; }
  sleep 0.2
done
victim=
for child in $(<"/proc/$launcher/task/$launcher/children"); do
  [[ $(<"/proc/$child/comm") == graticule-trai* ]] && victim=$child
done
printf '\ndemo: SIGKILL for rank process %s at step %s\n' "$victim" "$(step_reached)"
kill -9 "$victim"
wait "$launcher" && { echo "demo: the launcher ended well although a rank was killed" >&2; exit 70; }

step "the same command again resumes from the last checkpoint"
"${train[@]}"
train_seconds=$((SECONDS - train_started))
attempts=$(sed -n 's/.*"attempt": *"\([^"]*\)".*/\1/p' "$run/metrics.jsonl" | sort -u | wc -l)
(( attempts >= 2 )) || { echo "demo: the run started anew instead of going on after the kill" >&2; exit 70; }

step "evaluate the held-out places"
for part in near far; do
  mpirun -n "$ranks" --bind-to none "$bin/graticule-train" eval --model "$run" --data "$data/osv5m" --data "$data/mp16pro" \
    --split "$part" --out "$run/eval/$part"
done

step "baselines on the same places"
graticule data baselines --train "$data/osv5m" "$data/mp16pro" --eval-split near far --cells "$data/cells.safetensors" \
  --seed "$seed" --out "$run/baselines.json" >/dev/null

step "export"
rm -rf "$run/export"
graticule export --run "$run" --out "$run/export"

step "result"
graticule report accuracy --run "$run" --parts near far --baselines "$run/baselines.json"
if [[ $run == runs/demo ]]; then  # a run that has learnt nothing must not look like a success
  python3 - "$run/summary.json" <<'CHECK' || { echo "demo: the model does not beat the baselines as it should" >&2; exit 70; }
import json, sys
summary = json.load(open(sys.argv[1]))
model, common, place, colour = (summary[name]["acc_750"] for name in ("model", "common_cell", "random_place", "colour_knn"))
sys.exit(model < 3 * common or model < 1.5 * max(place, colour))
CHECK
fi
printf '\nset-up and build %d s, demo %d s of which training %d s\n' "$((built - started))" "$((SECONDS - built))" "$train_seconds"
printf 'see %s: summary.json loss_curve.svg error_map.svg eval/ export/\n' "$run"
