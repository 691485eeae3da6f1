"""`data overlap` against every pair compared by NumPy: two imports in the layout of OSV-5M that share ids, images, authors,
sequences and neighbourhoods by chance."""
import csv
import io
import json
import os
import pathlib
import subprocess
import zipfile

import numpy as np
import pytest
from PIL import Image

PROGRAM = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release")).resolve() / "bin/graticule-data"


def program(*words, code=0):
    done = subprocess.run([PROGRAM, "data", *map(str, words), "--json"], capture_output=True, text=True)
    assert done.returncode == code, done.stderr + done.stdout
    return json.loads(done.stdout)


def jpeg(seed):
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (24, 32, 3), dtype=np.uint8)).save(out, "JPEG")
    return out.getvalue()


def download(root, split, seed, count):
    """Rows as columns of arrays; every value but the id is drawn from few, so that the two downloads meet."""
    rng = np.random.default_rng(seed)
    rows = {"id": rng.permutation(4 * count)[:count] + 10**14, "lat": np.round(rng.uniform(-89, 89, count), 3),
            "lon": np.round(rng.uniform(-180, 179.99, count), 3), "creator": rng.integers(0, 3 * count, count),
            "sequence": rng.integers(0, 6 * count, count), "image": rng.integers(0, 5 * count, count)}
    close = rng.random(count) < 0.3        # some around one place on the date line
    rows["lat"][close] = np.round(rng.uniform(-0.05, 0.05, close.sum()), 3)
    rows["lon"][close] = np.round((180 + rng.uniform(-0.05, 0.05, close.sum()) + 180) % 360 - 180, 3)
    (root / f"images/{split}").mkdir(parents=True)
    with open(root / f"{split}.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "latitude", "longitude", "country", "sequence", "captured_at", "creator_username", "creator_id"])
        for k in range(count):
            writer.writerow([rows["id"][k], rows["lat"][k], rows["lon"][k], "FR", f"s{rows['sequence'][k]}", "", "who", f"{rows['creator'][k]}.0"])
    with zipfile.ZipFile(root / f"images/{split}/00.zip", "w") as archive:
        for k in range(count):
            archive.writestr(f"{rows['id'][k]}.jpg", jpeg(rows["image"][k]))
    return rows


def distances_km(a, b):
    def unit(part):
        lat, lon = np.radians(part["lat"]), np.radians(part["lon"])
        return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
    chord = np.linalg.norm(unit(a)[:, None] - unit(b), axis=-1)
    return 2 * 6371 * np.arcsin(np.clip(chord / 2, 0, 1))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    rows = {}
    for split, seed, count in (("train", 1, 500), ("test", 2, 300)):
        rows[split] = download(root, split, seed, count)
        assert program("import", "osv5m", "--root", root, "--split", split, "--out", root / f"d-{split}")["records"] == count
    return root, rows["train"], rows["test"]


def test_counts_and_pairs_are_those_of_all_pairs(world, tmp_path):
    root, a, b = world
    km = distances_km(a, b)
    same = {"id": a["id"][:, None] == b["id"], "bytes": a["image"][:, None] == b["image"], "author": a["creator"][:, None] == b["creator"],
            "sequence": a["sequence"][:, None] == b["sequence"], "place": km < 1.5}
    found = program("overlap", root / "d-train", root / "d-test", "--km", 1.5, "--out", tmp_path / "pairs.csv")
    for name, matrix in same.items():
        assert matrix.any(axis=0).sum() > 5
        assert found["by"][name]["records"] == matrix.any(axis=0).sum(), name
        assert found["by"][name]["share"] == pytest.approx(matrix.any(axis=0).mean())
    assert found["any"]["records"] == np.any(list(same.values()), axis=0).any(axis=0).sum()
    assert found["min_km"] == pytest.approx(km.min(), abs=1e-6)
    # The pairs of the file: for each record of the test and criterion the first one of the training part, or the nearest.
    wanted = {}
    for k in range(len(b["id"])):
        for name, matrix in same.items():
            partners = np.flatnonzero(matrix[:, k])
            if len(partners):
                first = partners[km[partners, k].argmin()] if name == "place" else partners[0]
                wanted[first, k] = "+".join(n for n, m in same.items() if m[first, k])
    # The order of import is that of the archive, which is that of the tables here.
    rows = list(csv.DictReader(open(tmp_path / "pairs.csv", newline="")))
    assert {(int(r["record_a"]), int(r["record_b"])): r["criteria"] for r in rows} == wanted and len(rows) == len(wanted) == found["pairs"]
    for r in rows:
        i, k = int(r["record_a"]), int(r["record_b"])
        assert (r["id_a"], r["id_b"]) == (str(a["id"][i]), str(b["id"][k]))
        assert (float(r["lat_a"]), float(r["lon_b"])) == (a["lat"][i], b["lon"][k])
        assert float(r["km"]) == pytest.approx(km[i, k], abs=2e-6)


def test_two_splits_of_one_folder(world, tmp_path):
    root, a, _ = world
    program("split", root / "d-train", "--hold-out", 0.3, "--val", 0.1, "--gap-km", 1)
    for split, least_km in (("val", 1), ("far", 200)):
        found = program("overlap", root / "d-train", "--split-a", "train", "--split-b", split)
        assert found["by"]["id"]["records"] == 0 and found["min_km"] >= least_km, "the promise that `data split` makes"
    assert found["a"]["records"] + found["b"]["records"] < 500


def test_mistakes_are_answered_before_anything_is_written(world, tmp_path):
    root, _, _ = world
    out = tmp_path / "pairs.csv"
    for words, text in ((["d-train"], "splits"), (["d-train", "d-train"], "splits"), (["d-train", "d-test", "--split-a", "night"], "night"),
                        (["d-train", "d-test", "--km", "-1"], "--km"), (["d-train", "d-test", "d-test"], "one or two")):
        folders = [root / w if w.startswith("d-") else w for w in words]
        assert text in program("overlap", *folders, "--out", out, code=2)["error"]["message"]
    assert "manifest.json" in program("overlap", root / "d-train", root, "--out", out, code=3)["error"]["message"]
    assert not out.exists()
