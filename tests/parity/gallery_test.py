"""`gallery build | import | export | inspect` against NumPy, hashlib and the reference reader of safetensors."""
import csv
import hashlib
import json
import os
import pathlib
import subprocess

import numpy as np
import pytest
from safetensors import safe_open

PROGRAM = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release")).resolve() / "bin/graticule-data"


def run(*words, code=0):
    done = subprocess.run([PROGRAM, *map(str, words), "--json"], capture_output=True, text=True)
    assert done.returncode == code, done.stderr + done.stdout
    return json.loads(done.stdout), done.stderr


def gallery(*words, code=0):
    return run("gallery", *words, code=code)[0]


def latlon(path):
    with safe_open(path, "np") as file:
        return file.get_tensor("latlon"), file.metadata()


def digest(places):
    return hashlib.sha256(np.ascontiguousarray(places, "<f8").tobytes()).hexdigest()


def gaps_km(tests, places):
    lat, lon, lat0, lon0 = (np.radians(v) for v in (tests[:, :1], tests[:, 1:], places[:, 0], places[:, 1]))
    h = np.sin((lat - lat0) / 2) ** 2 + np.cos(lat) * np.cos(lat0) * np.sin((lon - lon0) / 2) ** 2
    return (2 * 6371 * np.arcsin(np.sqrt(h))).min(1)


def write_csv(path, places, header=("LAT", "LON")):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows([[repr(float(a)), repr(float(b))] for a, b in places])


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data set of bare coordinates, a third of them in one town, split by place."""
    root = tmp_path_factory.mktemp("gallery")
    rng = np.random.default_rng(1)
    places = np.stack([np.degrees(np.arcsin(rng.uniform(-1, 1, 3000))), rng.uniform(-180, 179.99, 3000)], 1)
    places[::3] = [48, 2] + rng.normal(0, 0.2, (1000, 2))
    with open(root / "places.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "lat", "lon"])
        writer.writerows([f"p{k}", repr(float(a)), repr(float(b))] for k, (a, b) in enumerate(places))
    run("data", "import", "coordinates", "--csv", root / "places.csv", "--out", root / "data")
    run("data", "split", root / "data", "--hold-out", 0.2, "--val", 0.1)
    return root / "data", places


def test_a_draw_is_without_replacement_and_repeats(data, tmp_path):
    folder, places = data
    known = {tuple(p) for p in places}
    reports = [gallery("build", "--data", folder, "--size", size, "--seed", seed, "--out", tmp_path / name)
               for name, size, seed in (("a", 700, 5), ("b", 700, 5), ("c", 300, 5), ("d", 700, 6), ("all", 0, 5))]
    a, b, c, d, everything = (latlon(tmp_path / name)[0] for name in ("a", "b", "c", "d", "all"))
    assert a.shape == (700, 2) and (a == b).all() and (a[:300] == c).all() and not (a == d).all()
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert len({tuple(p) for p in a}) == 700 and {tuple(p) for p in a} <= {tuple(p) for p in everything} < known
    assert reports[0]["sha256"] == digest(a) and reports[0]["known"] == len(everything) == reports[4]["places"]
    metadata = latlon(tmp_path / "a")[1]
    assert (metadata["split"], metadata["seed"], metadata["version"]) == ("train", "5", "1")
    # A third of the draw from the town that holds a third of the places: six standard deviations of the hypergeometric.
    town = np.abs(everything - [48, 2]).max(1) < 1
    share, sigma = town.mean(), (town.mean() * (1 - town.mean()) / 700) ** 0.5
    assert abs((np.abs(a - [48, 2]).max(1) < 1).mean() - share) < 6 * sigma


def test_the_ceiling_is_that_of_all_pairs(data, tmp_path):
    folder, _ = data
    gallery("build", "--data", folder, "--size", 500, "--out", tmp_path / "g")
    gallery("build", "--data", folder, "--split", "val", "--out", tmp_path / "val")
    gaps = gaps_km(latlon(tmp_path / "val")[0], latlon(tmp_path / "g")[0])
    ceiling = gallery("inspect", tmp_path / "g", "--data", folder, "--split", "val")["ceiling"]
    assert ceiling["images"] == len(gaps) > 100
    for km in (1, 25, 200, 750, 2500):
        assert ceiling[f"acc_{km}"] == pytest.approx((gaps < km).mean(), abs=1e-12)
    assert ceiling["median_km"] == pytest.approx(np.median(gaps), abs=1e-6)


def test_leakage_is_refused_or_warned_of(data, tmp_path):
    folder, _ = data
    out = tmp_path / "g"
    run("gallery", "build", "--data", folder, "--exclude-split", "val", "near", "far", "--out", out)
    out.unlink()
    words = ("gallery", "build", "--data", folder, "--split", "train", "val", "--out", out)
    error, _ = run(*words, "--exclude-split", "val", code=3)
    assert "split val" in error["error"]["message"] and not out.exists()
    _, warning = run(*words)
    assert "not train" in warning and out.exists()
    assert "not train" not in run("gallery", "build", "--data", folder, "--out", out)[1]


def test_csv_in_and_out(tmp_path):
    rng = np.random.default_rng(2)
    places = np.round(np.stack([rng.uniform(-90, 90, 1000), rng.uniform(-180, 180, 1000)], 1), 6)
    places[500:550] = places[:50]
    write_csv(tmp_path / "in.csv", places)
    report = gallery("import", tmp_path / "in.csv", "--out", tmp_path / "g")
    assert (latlon(tmp_path / "g")[0] == places).all()
    assert report["sha256"] == digest(places) and report["duplicates"] == 50
    assert report["source_sha256"] == hashlib.sha256((tmp_path / "in.csv").read_bytes()).hexdigest()
    gallery("export", tmp_path / "g", "--out", tmp_path / "out.csv")
    rows = list(csv.reader(open(tmp_path / "out.csv", newline="")))
    assert rows[0] == ["LAT", "LON"] and (np.array(rows[1:], float) == places).all()
    assert gallery("inspect", tmp_path / "out.csv")["sha256"] == digest(places)
    merged = gallery("import", tmp_path / "in.csv", "--merge-duplicates", "--out", tmp_path / "m")
    assert (merged["places"], merged["merged"], merged["duplicates"]) == (950, 50, 0)
    assert (latlon(tmp_path / "m")[0] == np.delete(places, range(500, 550), 0)).all()


def test_mistakes(data, tmp_path):
    folder, _ = data
    out = tmp_path / "g"
    (tmp_path / "bad.csv").write_text("LAT,LON\n1,2\n95,0\n3,4\nx,y\n")
    for words, text, code in ((("build", "--data", folder), "--out", 2), (("build", "--out", out), "--data", 2),
                              (("build", "--data", folder, "--size", 10**6, "--out", out), "--size", 2),
                              (("build", "--data", folder, "--size", -1, "--out", out), "--size", 2),
                              (("build", "--data", folder, "--split", "night", "--out", out), "night", 2),
                              (("build", "--csv", tmp_path / "bad.csv", "--exclude-split", "val", "--out", out), "splits", 2),
                              (("import", tmp_path / "bad.csv", "--out", out), "lines 3, 5", 3), (("inspect",), "expected one", 2)):
        assert text in gallery(*words, code=code)["error"]["message"]
    assert not out.exists()
