"""Negatives of a batch from distance bands (12 in (1, 25] km, 12 in (25, 200], 8 in (200, 750], 32 beyond 2500 km per
anchor): graticule beside what people use from Python, same places, same run.

    GRATICULE_BUILD=build/release .deps/oracles/bin/python bench/band_sampler.py [--places N...] [--rounds N] [--json FILE]

The places are clustered as photographs are: towns of very different size, each with its own spread. The Python sides are
timed on fewer anchors where a gallery is large and scaled to a batch: they serve one anchor after another.
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import tempfile
import time

import numpy as np
from safetensors.numpy import save_file
from scipy.spatial import cKDTree
from sklearn.neighbors import BallTree

BUILD = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release"))
RADIUS_KM = 6371.0
NEAR = ((1, 25, 12), (25, 200, 12), (200, 750, 8))
FAR_KM, FAR_COUNT = 2500, 32
BATCH = 512


def photo_places(count, towns_seed, seed):
    towns, rng = np.random.default_rng(towns_seed), np.random.default_rng(seed)
    centre = np.stack([np.degrees(np.arcsin(towns.uniform(-0.8, 0.9, 5000))), towns.uniform(-180, 180, 5000)], 1)
    spread = 0.15 * np.exp(towns.normal(0, 0.8, 5000))
    weight = 1 / np.arange(1, 5001)
    town = rng.choice(5000, count, p=weight / weight.sum())
    places = centre[town] + spread[town, None] * rng.normal(size=(count, 2))
    places[:, 0] = places[:, 0].clip(-90, 90)
    places[:, 1] = (places[:, 1] + 180) % 360 - 180
    return places


def unit(radians):
    lat, lon = radians[..., 0], radians[..., 1]
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], -1)


def km_of_chord(chord):
    return 2 * RADIUS_KM * np.arcsin(np.minimum(1, chord / 2))


def choose(rng, index, distance, measure=lambda km: km):
    """Near bands from places with their distances, as `measure` gives them; a deficit goes outwards."""
    chosen, missing = [], 0
    for low, high, count in NEAR:
        members = np.flatnonzero((distance > measure(low)) & (distance <= measure(high)))
        members = members if index is None else index[members]
        take = min(count + missing, len(members))
        missing += count - take
        chosen.append(rng.choice(members, take, replace=False, shuffle=False))
    return chosen, missing


def far(rng, points, anchor, count):
    """Uniform indices, those too near thrown away."""
    got = np.empty(0, np.int64)
    chord = 2 * np.sin(FAR_KM / (2 * RADIUS_KM))
    for _ in range(64):
        index = rng.integers(0, len(points), 2 * count)
        index = index[np.linalg.norm(points[index] - anchor, axis=1) > chord]
        got = np.unique(np.concatenate([got, index]))
        if len(got) >= count:
            return rng.permutation(got)[:count]
    return got


class Peers:
    def __init__(self, places):
        self.radians = np.radians(places)
        self.points = unit(self.radians)
        self.rng = np.random.default_rng(1)
        start = time.perf_counter()
        self.ball = BallTree(self.radians, metric="haversine")
        self.ball_build_s = time.perf_counter() - start
        start = time.perf_counter()
        self.kd = cKDTree(self.points)
        self.kd_build_s = time.perf_counter() - start

    def finish(self, anchor, *near):
        chosen, missing = choose(self.rng, *near)
        return np.concatenate([*chosen, far(self.rng, self.points, anchor, FAR_COUNT + missing)])

    def ball_radius(self, anchors):
        for a in anchors:
            index, angle = self.ball.query_radius(a[None], NEAR[-1][1] / RADIUS_KM, return_distance=True)
            yield self.finish(unit(a), index[0], angle[0] * RADIUS_KM)

    def kd_radius(self, anchors):
        for a in anchors:
            anchor = unit(a)
            index = np.array(self.kd.query_ball_point(anchor, 2 * np.sin(NEAR[-1][1] / (2 * RADIUS_KM))), np.int64)
            yield self.finish(anchor, index, km_of_chord(np.linalg.norm(self.points[index] - anchor, axis=1)))

    def every_distance(self, anchors):
        for a in anchors:
            anchor = unit(a)  # the cosine falls with the distance: no root or arc for each place
            yield self.finish(anchor, None, -(self.points @ anchor), lambda km: -np.cos(km / RADIUS_KM))

    def ball_nearest(self, anchors):
        """Ranks instead of bands, as published: half of 1..6, half of 7..24. Not the same work, and all of it is near."""
        _, ranks = self.ball.query(anchors, 24)
        for row in ranks:
            yield np.concatenate([self.rng.choice(row[:6], 3, replace=False), self.rng.choice(row[6:], 9, replace=False)])


def check(places, anchors, rows):
    """The Python sides do what they are timed for: every near choice lies in a near band."""
    points = unit(np.radians(places))
    for a, row in zip(anchors, rows):
        km = km_of_chord(np.linalg.norm(points[row] - unit(a), axis=1))
        inside = sum(((km > low - 1e-6) & (km <= high + 1e-6)).sum() for low, high, _ in NEAR) + (km > FAR_KM - 1e-3).sum()
        assert inside == len(row) and len(set(row.tolist())) == len(row)


def timed(function, anchors):
    start = time.perf_counter()
    rows = list(function(anchors))
    return (time.perf_counter() - start) * BATCH / len(anchors), rows


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--places", type=int, nargs="+", default=[100_000, 1_000_000, 5_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json")
    options = parser.parse_args()
    results = []
    for count in options.places:
        places, anchors = photo_places(count, 1, 2), photo_places(BATCH, 1, 3)
        peers, radians = Peers(places), np.radians(anchors)
        methods = {"scikit-learn BallTree, radius": peers.ball_radius, "SciPy cKDTree, radius": peers.kd_radius,
                   "NumPy, every distance": peers.every_distance, "scikit-learn BallTree, 24-NN, no bands": peers.ball_nearest}
        served = max(16, min(BATCH, BATCH * 100_000 // count))
        batch_s, builds = {}, []
        with tempfile.TemporaryDirectory() as folder:
            for name, rows in (("gallery", places), ("anchors", anchors)):
                save_file({"latlon": rows}, f"{folder}/{name}", {"version": "1"})
            for _ in range(options.rounds):
                run = subprocess.run([BUILD / "bin/band_sampler", f"{folder}/gallery", f"{folder}/anchors", "0.5"], check=True,
                                     capture_output=True, text=True)
                ours = json.loads(run.stdout)
                builds.append(ours["build_s"])
                batch_s.setdefault("graticule, one thread", []).append(ours["batch_s"])
                batch_s.setdefault("graticule, two threads", []).append(ours["batch_two_threads_s"])
                for name, function in methods.items():
                    seconds, rows = timed(function, radians[:served])
                    batch_s.setdefault(name, []).append(round(seconds, 6))
                    if function != peers.ball_nearest:
                        check(places, radians, rows[:8])
        result = {"places": count, "anchors_of_python_sides": served, "empty_slots": ours["empty"], "batch_s": batch_s,
                  "build_s": {"graticule": builds, "scikit-learn BallTree": [peers.ball_build_s], "SciPy cKDTree": [peers.kd_build_s]},
                  "load_average": os.getloadavg()[0]}
        results.append(result)
        first = statistics.median(batch_s["graticule, one thread"])
        print(f"{count:,} places, batch of {BATCH} anchors with 64 negatives each, median of {options.rounds} rounds")
        print(f"{'':<40} {'ms/batch':>10} {'times':>8}")
        for name, values in batch_s.items():
            print(f"{name:<40} {1e3 * statistics.median(values):>10.1f} {statistics.median(values) / first:>8.1f}")
        print("build, s: " + ", ".join(f"{name} {statistics.median(values):.2f}" for name, values in result["build_s"].items()) + "\n",
              flush=True)
    if options.json:
        machine = {"cpu": cpu_name(), "cpus": os.cpu_count()}
        pathlib.Path(options.json).write_text(json.dumps({"machine": machine, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
