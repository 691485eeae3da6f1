"""How long `graticule variogram` takes on many records, and how much memory.

    .deps/oracles/bin/python bench/variogram.py [--records 1000000] [--dim 512] [--markdown bench/results/variogram.md]

The dataset is generated: 3,000 towns of very different sizes, drives of ten photographs a few hundred metres long, rows of
random waves of the place with a share that a drive has in common and a share of noise, in fp16. The true curve without
pairs of one drive is 0.4 + 0.6 (1 - k(h)), with k close to exp(-h / 300 km) for as many waves as half the dimension.
"""
import argparse
import json
import multiprocessing
import os
import pathlib
import platform
import subprocess
import tempfile
import time

import numpy as np

BIN = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release")).resolve() / "bin"


def generate(folder, n, dim):
    rng = np.random.default_rng(1)
    drives, towns = n // 10, 3000
    share = 1 / np.arange(1, towns + 1) ** 0.7
    town = rng.choice(towns, drives, p=share / share.sum())
    spread = np.where(rng.random(drives) < 0.6, 0.08, 1.0)
    lat = np.degrees(np.arcsin(rng.uniform(-0.7, 0.9, towns)))[town] + spread * rng.normal(size=drives)
    lon = rng.uniform(-180, 180, towns)[town] + spread * rng.normal(size=drives)
    lat = np.clip(np.repeat(lat, 10) + rng.normal(0, 5e-4, n), -89, 89)
    lon = (np.repeat(lon, 10) + rng.normal(0, 5e-4, n) + 180) % 360 - 180
    phi, lam = np.radians(lat), np.radians(lon)
    unit = np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], -1)
    arrays = {"lat.f64": lat, "lon.f64": lon, "sequence.u64": np.arange(n) // 10 + 1, "author.u64": np.arange(n) // 70 + 1,
              "climate.u8": 1 + np.abs(unit[:, 2]) * 29, "landcover.u8": 1 + np.abs(unit[:, 0]) * 9, "elev.f32": 1000 * unit[:, 1],
              "split.u8": np.zeros(n), "valid.u8": np.ones(n)}
    for name, values in arrays.items():
        values.astype({"f64": "<f8", "u64": "<u8", "f32": "<f4", "u8": "u1"}[name.split(".")[1]]).tofile(folder / name)
    # The spectrum of exp(-r / a) is a Cauchy distribution.
    waves = rng.normal(size=(3, dim // 2)) / np.abs(rng.normal(size=dim // 2)) * 6371 / 300

    def directions(count):
        z = rng.normal(size=(count, dim))
        return z / np.linalg.norm(z, axis=1, keepdims=True)

    with open(folder / "rows.f16", "wb") as file:
        for at in range(0, n, 50_000):
            part = unit[at:at + 50_000] @ waves
            place = np.concatenate([np.cos(part), np.sin(part)], 1) * np.sqrt(2 / dim)
            drive = np.repeat(directions(len(part) // 10), 10, axis=0)
            (np.sqrt(0.6) * place + np.sqrt(0.2) * drive + np.sqrt(0.2) * directions(len(part))).astype("<f2").tofile(file)
    subprocess.run([BIN / "variogram_tool", folder, str(n), "100000", str(dim)], check=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--markdown")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        # In a process of its own: a child's peak memory is told as no less than its parent's.
        generator = multiprocessing.Process(target=generate, args=(folder, options.records, options.dim))
        generator.start()
        generator.join()
        if generator.exitcode != 0:
            raise SystemExit("the data could not be generated")
        for what, words in (("climate labels", ["--label", "climate"]), ("embeddings", ["--embeddings", folder / "emb"])):
            words = [BIN / "graticule-data", "variogram", "--data", folder / "data", *words, "--exclude-same", "sequence", "--out", folder / "out", "--json"]
            start = time.monotonic()
            program = subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE, text=True)
            done = json.loads(program.stdout.read())
            usage = os.wait4(program.pid, 0)[2]
            wall = time.monotonic() - start
            rows.append(f"| {what} | {done['pairs']:,} | {wall:.0f} s | {usage.ru_utime:.0f} s | {usage.ru_maxrss / 1e6:.2f} GB | "
                        f"{done['model']}, {done['c0']:.3f} + {done['c']:.3f}, {done['rho']:.0f} km |")
            print(rows[-1], flush=True)
    cpu = next((line.split(": ")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    text = (f"# A semivariogram of many records\n\n`bench/variogram.py` with {options.records:,} records, {options.dim} fp16 numbers each, on {os.cpu_count()} cores of {cpu}, "
            f"load average {os.getloadavg()[1]:.1f}; pairs of one drive left out.\nThe store has {options.records * options.dim * 2 / 1e9:.2f} GB; its pages count as memory while they are mapped.\n\n"
            "| values | pairs | time | CPU time | memory | curve |\n|---|---|---|---|---|---|\n" + "\n".join(rows) + "\n")
    print(text)
    if options.markdown:
        pathlib.Path(options.markdown).write_text(text)


if __name__ == "__main__":
    main()
