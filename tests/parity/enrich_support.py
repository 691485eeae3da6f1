"""What the tests of `data enrich` share: datasets of bare places, and the files that a layer is read from."""
import csv
import json
import os
import pathlib
import subprocess

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin
from safetensors.numpy import load_file

BIN = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release")).resolve() / "bin"
RADIUS_KM = 6371.0


def run(program, *words, code=0):
    done = subprocess.run([BIN / program, "data", *map(str, words)], capture_output=True, text=True)
    assert done.returncode == code, done.stderr + done.stdout
    return done


def make_dataset(folder, lat, lon, **extra):
    """A dataset of places; `extra` are columns of /aux."""
    folder.mkdir(parents=True)
    with open(folder / "places.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "lat", "lon"])
        writer.writerows([i, repr(float(a)), repr(float(b))] for i, (a, b) in enumerate(zip(lat, lon)))
    words = []
    if extra:
        with open(folder / "extra.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", *extra])
            writer.writerows([i, *values] for i, values in enumerate(zip(*extra.values())))
        words = ["--extra-csv", folder / "extra.csv"]
    run("graticule-data", "import", "coordinates", "--csv", folder / "places.csv", "--out", folder / "d", *words)
    return folder / "d"


def enrich(folder, *words):
    result = json.loads(run("graticule-enrich", "enrich", folder, *words, "--json").stdout)["datasets"][0]
    return load_file(folder / result["sidecar"]), result["columns"]


def refused(folder, *words, code):
    return run("graticule-enrich", "enrich", folder, *words, code=code).stderr


def write_raster(path, array, transform, nodata=None, crs="EPSG:4326", scale=None, offset=None, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(path, "w", driver="GTiff", height=array.shape[0], width=array.shape[1], count=1, dtype=array.dtype,
                       crs=crs, transform=transform, nodata=nodata, **how) as out:
        out.write(array, 1)
        if scale is not None:
            out.scales, out.offsets = (scale,), (offset,)
    return path


def haversine_km(lat1, lon1, lat2, lon2):
    lat1, lon1, lat2, lon2 = (np.radians(x) for x in (lat1, lon1, lat2, lon2))
    h = np.sin((lat2 - lat1) / 2) ** 2 + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    return 2 * RADIUS_KM * np.arcsin(np.sqrt(np.clip(h, 0, 1)))


def star(lat, lon, size, seed, n=40):
    rng = np.random.default_rng(seed)
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    radius = size * rng.uniform(0.4, 1, n)
    ring = [[lon + r * np.cos(a), lat + r * np.sin(a)] for r, a in zip(radius, angle)]
    return ring + ring[:1]


def write_geojson(path, features):
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": fields, "geometry": {"type": kind, "coordinates": where}} for fields, kind, where in features]}))
    return path


def world_places(n, seed):
    """All over the sphere, with the poles, the antimeridian and its neighbourhood."""
    rng = np.random.default_rng(seed)
    lat = np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    lon = rng.uniform(-180, 180, n)
    eps = 1e-9
    special = [(90, 0), (-90, 0), (90, -180), (-90, 179), (0, -180), (12.3, 180 - eps), (-45, -180 + eps), (0, 0), (89.9999, 33),
               (-89.9999, -120), (-90 + eps, 60), (66.6, 179.9999), (66.6, -179.9999), (-16.2, 180 - 1e-4)]
    lat[:len(special)], lon[:len(special)] = zip(*special)
    near = slice(len(special), n // 10)  # along the antimeridian
    lon[near] = 180 - np.abs(rng.normal(0, 0.5, n // 10 - len(special)))
    lon[near][::2] *= -1
    return lat, lon


@pytest.fixture
def small(tmp_path):
    """Four places; the source knows the climate of three and the driving side of two."""
    dataset = make_dataset(tmp_path / "s", [1, 2, 3, 4], [1, 2, 3, 4], climate=[7, 8, "", 0], elev_m=[5, "", "", ""])
    classes = np.full((18, 36), 7, np.uint8)
    return dataset, write_raster(tmp_path / "seven.tif", classes, from_origin(-180, 90, 10, 10)), tmp_path
