"""How fast `data enrich` looks places up in a raster of the size of the real ones, beside rasterio's sample().

    .deps/oracles/bin/python bench/enrich_points.py [--places 1000000] [--markdown bench/results/enrich_points.md]

The raster is generated: 43,200 x 21,600 classes of one byte (30 arc seconds), deflate, once in tiles of 256 x 256 and once
in strips of one row; 70 % of it are "no data", in wide seas with frayed coasts. Places are drawn from the land pixels, or
evenly from the whole sphere, where most lie at sea and are searched for data within 10 km. Times are those of the whole
command: opening the dataset, hashing the raster, sampling, writing. rasterio gets the same places as one list in memory,
in the given order and ordered by row, and is timed on its loop alone; it has no fallback to the nearest pixel with data.
"""
import argparse
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import tempfile
import time

import numpy as np
import rasterio
from rasterio.transform import from_origin
from rasterio.windows import Window

BIN = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release")) / "bin"
WIDTH, HEIGHT, COARSE = 43200, 21600, 120
LAYOUTS = {"tiles": {"tiled": True, "blockxsize": 256, "blockysize": 256}, "strips": {"blockysize": 1}}


def coarse_classes():
    rng = np.random.default_rng(0)
    shape = (HEIGHT // COARSE, WIDTH // COARSE)
    y, x = np.meshgrid(np.linspace(0, 1, shape[0]), np.linspace(0, 1, shape[1]), indexing="ij")
    field = sum(np.sin(rng.normal() * 6 * k * x + rng.normal() * 6 * k * y + rng.normal() * 6) / k for k in range(1, 9))
    return np.where(field < np.quantile(field, 0.7), 0, rng.integers(1, 31, shape)).astype(np.uint8)


def write_raster(path, layout):
    coarse, rng, step = coarse_classes(), np.random.default_rng(1), 512
    with rasterio.open(path, "w", driver="GTiff", width=WIDTH, height=HEIGHT, count=1, dtype="uint8", crs="EPSG:4326", nodata=0,
                       compress="deflate", transform=from_origin(-180, 90, 1 / 120, 1 / 120), **LAYOUTS[layout]) as out:
        for top in range(0, HEIGHT, step):
            n = min(step, HEIGHT - top)
            rows = (np.arange(top, top + n)[:, None] + rng.integers(-40, 41, (n, 1))) // COARSE
            cols = (np.arange(WIDTH)[None, :] + np.repeat(rng.integers(-40, 41, (n, WIDTH // 8)), 8, 1)) // COARSE
            out.write(coarse[rows.clip(0, HEIGHT // COARSE - 1), cols.clip(0, WIDTH // COARSE - 1)], 1, window=Window(0, top, WIDTH, n))


def draw(count, land):
    rng, coarse = np.random.default_rng(2), coarse_classes()
    lat, lon = np.degrees(np.arcsin(rng.uniform(-1, 1, 8 * count))), rng.uniform(-180, 180, 8 * count)
    if land:
        rows, cols = ((90 - lat) * 120 / COARSE).astype(int), ((lon + 180) * 120 / COARSE).astype(int)
        keep = np.flatnonzero(coarse[rows.clip(0, coarse.shape[0] - 1), cols.clip(0, coarse.shape[1] - 1)])
        lat, lon = lat[keep], lon[keep]
    return lat[:count], lon[:count]


def dataset(folder, lat, lon):
    table = folder.with_suffix(".csv")
    with open(table, "w") as file:
        file.write("id,lat,lon\n")
        file.writelines(f"{i},{a!r},{b!r}\n" for i, (a, b) in enumerate(zip(lat.tolist(), lon.tolist())))
    subprocess.run([BIN / "graticule-data", "data", "import", "coordinates", "--csv", table, "--out", folder], check=True, capture_output=True)
    return folder


def time_command(folder, raster, threads):
    times = []
    for _ in range(3):
        started = time.monotonic()
        done = subprocess.run([BIN / "graticule-enrich", "data", "enrich", folder, "--koppen", raster, "--threads", str(threads), "--json"],
                              check=True, capture_output=True, text=True)
        times.append(time.monotonic() - started)
    counts = json.loads(done.stdout)["datasets"][0]["columns"]["climate"]
    return statistics.median(times), counts


def time_rasterio(raster, lat, lon):
    with rasterio.open(raster) as file:
        places = list(zip(lon.tolist(), lat.tolist()))
        started = time.monotonic()
        for _ in file.sample(places):
            pass
        return time.monotonic() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--places", type=int, default=1_000_000)
    parser.add_argument("--peer-places", type=int, default=100_000, help="so many of them go through rasterio")
    parser.add_argument("--markdown")
    options = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(prefix="graticule-enrich-"))
    rows = []
    try:
        places = {"on land": draw(options.places, True), "anywhere": draw(options.places, False)}
        folders = {name: dataset(work / name.replace(" ", "-"), *p) for name, p in places.items()}
        for layout in LAYOUTS:
            raster = work / f"{layout}.tif"
            write_raster(raster, layout)
            for name, (lat, lon) in places.items():
                for threads in (1, 2):
                    seconds, counts = time_command(folders[name], raster, threads)
                    rows.append((f"data enrich, {threads} thread{'s' * (threads > 1)}", layout, name, options.places / seconds,
                                 f"{counts['direct']:,} direct, {counts['fallback']:,} from within reach"))
                few_lat, few_lon = lat[:options.peer_places], lon[:options.peer_places]
                order = np.lexsort((few_lon, -few_lat))
                for how, (a, b) in {"as given": (few_lat, few_lon), "by row": (few_lat[order], few_lon[order])}.items():
                    rows.append((f"rasterio, {how}", layout, name, options.peer_places / time_rasterio(raster, a, b), ""))
    finally:
        shutil.rmtree(work)
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    text = "# Places looked up in a raster\n\n" \
        f"`bench/enrich_points.py` with {options.places:,} places ({options.peer_places:,} for rasterio) on {os.cpu_count()} cores of " \
        f"{model}, load average {os.getloadavg()[0]:.1f}; median of three.\n\n" \
        "| program | layout | places | places/s | |\n|---|---|---|---|---|\n" + \
        "".join(f"| {a} | {b} | {c} | {d:,.0f} | {e} |\n" for a, b, c, d, e in rows)
    print(text)
    if options.markdown:
        pathlib.Path(options.markdown).write_text(text)


if __name__ == "__main__":
    main()
