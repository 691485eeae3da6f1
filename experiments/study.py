#!/usr/bin/env python3
"""Runs a study: every point of an ablation with every seed, one table, and what of it is noise.

    experiments/study.py experiments/hard-negatives/demo.json --out runs/hard-negatives [--parallel 2]

A study is a JSON file: `base` (configuration files), `common` (overrides of all points), `seeds`, `points` (name ->
overrides) and `reference` (the point that others are compared with). Runs that are finished are left alone, broken ones go
on from their checkpoint, so the command may be repeated. Leaves OUT/<point>/<seed>/, OUT/results.json, OUT/table.md and
OUT/accuracy.svg. `--list` prints the commands, for a cluster's own scheduler; `--only` and `--seeds` take a part.
"""
import argparse
import concurrent.futures
import csv
import json
import math
import os
import pathlib
import random
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
BIN = pathlib.Path(os.environ.get("GRATICULE_BUILD", ROOT / "build/release")) / "bin"
METRICS = ["acc_25", "acc_200", "acc_750", "acc_2500", "median_km"]
# Two-sided 95 % of Student's t by degrees of freedom.
STUDENT = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


def train_command(study, point, seed, run):
    words = [str(BIN / "graticule-train"), "train"]
    for base in study["base"]:
        words += ["--config", base]
    return words + study["common"] + study["points"][point] + [f"run.seed={seed}", f"run.dir={run}"]


def run_one(study, point, seed, run):
    """Trains, or finds it trained; the validation at the end of a training is its score."""
    run.parent.mkdir(parents=True, exist_ok=True)
    with open(run.parent / f"{seed}.log", "a") as log:
        code = subprocess.run(train_command(study, point, seed, run), cwd=ROOT, stdout=log, stderr=log).returncode
    if code != 0:
        raise SystemExit(f"{point}, seed {seed}: training ended with {code}; see {log.name}")
    print(f"{point}, seed {seed}: done", file=sys.stderr, flush=True)
    return json.loads((run / "eval" / "val" / "metrics.json").read_text())


def haversine(a, b):
    p, q = math.radians(a[0]), math.radians(b[0])
    h = math.sin((q - p) / 2) ** 2 + math.cos(p) * math.cos(q) * math.sin(math.radians(b[1] - a[1]) / 2) ** 2
    return 2 * 6371.0 * math.asin(math.sqrt(min(1, h)))


def chance(run, draws=100):
    """What picking a random prediction of the run for each image would give: its own spread, no knowledge of the image."""
    with open(run / "eval" / "val" / "predictions.csv") as file:
        rows = [row for row in csv.DictReader(file) if row["lat"]]
    picks, rng = [(float(r["pred_lat"]), float(r["pred_lon"])) for r in rows], random.Random(0)
    errors = [haversine((float(r["lat"]), float(r["lon"])), rng.choice(picks)) for r in rows for _ in range(draws)]
    named = {f"acc_{km}": sum(e < km for e in errors) / len(errors) for km in (25, 200, 750, 2500)}
    return {**named, "median_km": statistics.median(errors)}


def interval(values):
    """Mean and half width of its 95 % interval over seeds; no width from one seed."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, math.nan
    return mean, STUDENT.get(len(values) - 1, 1.96) * statistics.stdev(values) / math.sqrt(len(values))


def shown(metric, mean, half):
    text = f"{mean:.0f}" if metric == "median_km" else f"{100 * mean:.1f}"
    if math.isnan(half):
        return text
    return text + (f" ± {half:.0f}" if metric == "median_km" else f" ± {100 * half:.1f}")


def table(study, results, by_chance):
    seeds = len(next(iter(results.values())))
    lines = [f"{study['question']}", "", f"{seeds} seed{'s' if seeds > 1 else ''}; mean ± half of the 95 % interval over seeds (Student's t). "
             "Shares in %, distances in km.", "", "| point | " + " | ".join(METRICS) + " | against " + study["reference"] + " (acc_750) |",
             "|" + "---|" * (len(METRICS) + 2)]
    reference = results.get(study["reference"])
    for point, runs in results.items():
        cells = [shown(m, *interval([r["metrics"][m] for r in runs])) for m in METRICS]
        verdict = ""
        if reference is not None and point != study["reference"]:
            mean, half = interval([100 * (a["metrics"]["acc_750"] - b["metrics"]["acc_750"]) for a, b in zip(runs, reference)])
            noise = math.isnan(half) or abs(mean) <= half
            verdict = f"{mean:+.1f}" + ("" if math.isnan(half) else f" ± {half:.1f}") + (": within noise" if noise else ": differs")
        lines.append(f"| {point} | " + " | ".join(cells) + f" | {verdict} |")
    lines.append("| (chance) | " + " | ".join(shown(m, by_chance[m], math.nan) for m in METRICS) + " | |")
    ceiling = next(iter(results.values()))[0].get("ceiling", {})
    if ceiling:
        lines.append("| (ceiling of the gallery) | " + " | ".join(shown(m, ceiling[m], math.nan) for m in METRICS) + " | |")
    return "\n".join(lines) + "\n"


def picture(results, by_chance):
    """Dots of single seeds and a bar at their mean, within 750 km."""
    left, width, row, top = 180, 420, 34, 40
    most = max(r["metrics"]["acc_750"] for runs in results.values() for r in runs) * 1.1
    x = lambda share: left + width * share / most  # noqa: E731
    height = top + row * len(results) + 50
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 40}" height="{height}" font-family="sans-serif" font-size="13">',
             '<rect width="100%" height="100%" fill="white"/>', f'<text x="{left}" y="22" font-weight="bold">images within 750 km</text>']
    step = 0.02 if most < 0.2 else 0.05 if most < 0.5 else 0.1
    for i in range(int(most / step) + 1):
        parts += [f'<line x1="{x(i * step):.1f}" x2="{x(i * step):.1f}" y1="{top - 6}" y2="{height - 44}" stroke="#ddd"/>',
                  f'<text x="{x(i * step):.1f}" y="{height - 26}" text-anchor="middle" fill="#555">{100 * i * step:.0f} %</text>']
    parts += [f'<line x1="{x(by_chance["acc_750"]):.1f}" x2="{x(by_chance["acc_750"]):.1f}" y1="{top - 6}" y2="{height - 44}" stroke="#b33" stroke-dasharray="4 3"/>',
              f'<text x="{x(by_chance["acc_750"]) + 4:.1f}" y="{height - 8}" fill="#b33">chance</text>']
    for i, (point, runs) in enumerate(results.items()):
        y = top + row * i + row / 2
        values = [r["metrics"]["acc_750"] for r in runs]
        parts.append(f'<text x="{left - 10}" y="{y + 4:.1f}" text-anchor="end">{point}</text>')
        parts.append(f'<line x1="{x(statistics.fmean(values)):.1f}" x2="{x(statistics.fmean(values)):.1f}" y1="{y - 11:.1f}" y2="{y + 11:.1f}" stroke="#1f5fa8" stroke-width="3"/>')
        parts += [f'<circle cx="{x(v):.1f}" cy="{y:.1f}" r="4.5" fill="#1f5fa8" fill-opacity="0.5"/>' for v in values]
    return "\n".join(parts) + "\n</svg>\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--only", nargs="+", help="points to run")
    parser.add_argument("--seeds", nargs="+", type=int)
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="further overrides of all points")
    parser.add_argument("--parallel", type=int, default=1, help="runs at a time")
    parser.add_argument("--list", action="store_true", help="print the commands of all runs and do nothing")
    arguments = parser.parse_args()
    study = json.loads(arguments.study.read_text())
    study["common"] = study["common"] + arguments.set
    points, seeds = arguments.only or list(study["points"]), arguments.seeds or study["seeds"]
    unknown = [p for p in points if p not in study["points"]]
    if unknown:
        parser.error(f"the study has no point {', '.join(unknown)}; it has {', '.join(study['points'])}")
    runs = {(p, s): (arguments.out / p / str(s)).resolve() for p in points for s in seeds}
    if arguments.list:
        for (point, seed), run in runs.items():
            print(subprocess.list2cmdline(train_command(study, point, seed, run)))
        return
    with concurrent.futures.ThreadPoolExecutor(arguments.parallel) as pool:
        futures = {key: pool.submit(run_one, study, *key, run) for key, run in runs.items()}
        scores = {key: future.result() for key, future in futures.items()}
    results = {p: [scores[p, s] for s in seeds] for p in points}
    by_chance = chance(runs[points[0], seeds[0]])
    (arguments.out / "results.json").write_text(json.dumps({"study": study, "seeds": seeds, "chance": by_chance, "results": {
        p: [{"metrics": r["metrics"], "ceiling": r.get("ceiling")} for r in rs] for p, rs in results.items()}}, indent=1) + "\n")
    text = table(study, results, by_chance)
    (arguments.out / "table.md").write_text(text)
    (arguments.out / "accuracy.svg").write_text(picture(results, by_chance))
    print(text)


if __name__ == "__main__":
    main()
