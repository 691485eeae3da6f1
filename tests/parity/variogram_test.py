"""`graticule variogram` on datasets and stores of known arrays: all pairs by NumPy, fits by SciPy."""
import json
import os
import pathlib
import subprocess

import numpy as np
import pytest
from scipy.optimize import least_squares

BIN = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release")).resolve() / "bin"
RECORDS, DIM = 900, 24
R = 6371.0


def variogram(*words, code=0):
    done = subprocess.run([BIN / "graticule", "variogram", *map(str, words), "--json"], capture_output=True, text=True)
    assert done.returncode == code, done.stderr + done.stdout
    return json.loads(done.stdout), done.stderr


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Towns; features are random waves of the place plus noise; sequences of four in a row look alike."""
    folder = tmp_path_factory.mktemp("variogram")
    rng = np.random.default_rng(5)
    town = rng.integers(0, 40, RECORDS // 4)
    lat = np.repeat(rng.uniform(-60, 70, 40)[town] + rng.normal(0, 1, len(town)), 4) + rng.normal(0, 3e-4, RECORDS)
    lon = np.repeat(rng.uniform(-179, 179, 40)[town] + rng.normal(0, 1, len(town)), 4) + rng.normal(0, 3e-4, RECORDS)
    sequence = np.repeat(np.arange(1, len(town) + 1), 4)
    unit = directions(lat, lon)
    waves = rng.standard_t(2, (3, DIM)) * 4
    rows = np.cos(unit @ waves + rng.uniform(0, 7, DIM)) + 0.3 * rng.normal(size=(RECORDS, DIM))
    rows += 1.5 * np.repeat(rng.normal(size=(len(town), DIM)), 4, axis=0)
    world = {"lat": (lat, "f64", "<f8"), "lon": (lon, "f64", "<f8"), "sequence": (sequence, "u64", "<u8"),
             "author": (rng.integers(0, 30, RECORDS), "u64", "<u8"),
             "climate": ((np.abs(unit[:, 2]) * 5).astype(int) * (rng.random(RECORDS) > 0.1), "u8", "u1"),
             "landcover": (np.where(rng.random(RECORDS) < 0.2, 255, np.repeat(town % 7, 4)), "u8", "u1"),
             "elev": (1000 * unit[:, 1] + 50 * rng.normal(size=RECORDS), "f32", "<f4"), "rows": (3 * rows, "f16", "<f2"),
             "valid": (rng.random(RECORDS) > 0.05, "u8", "u1"), "split": (rng.random(RECORDS) < 0.1, "u8", "u1")}
    world["elev"][0][::9] = np.nan
    arrays = {}
    for name, (values, end, dtype) in world.items():
        arrays[name] = np.asarray(values).astype(dtype)
        arrays[name].tofile(folder / f"{name}.{end}")
    subprocess.run([BIN / "variogram_tool", folder, str(RECORDS), "250", str(DIM)], check=True)
    return folder, arrays


def directions(lat, lon):
    lat, lon = np.radians(lat), np.radians(lon)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], -1)


def distances(arrays, kept):
    unit = directions(arrays["lat"][kept], arrays["lon"][kept])
    chord = np.linalg.norm(unit[:, None] - unit, axis=-1)
    return 2 * R * np.arcsin(np.clip(chord / 2, 0, 1))


def cosine_distance(rows):
    z = rows.astype(np.float64)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    return 1 - z @ z.T


def compare(found, km, half, allowed=True, edges=None):
    """Every bin against all pairs that are allowed."""
    edges = np.concatenate([[0], 0.1 * 10 ** (np.arange(64) / 12), [np.pi * R]]) if edges is None else edges
    upper = np.triu(np.ones_like(km, dtype=bool), 1) & allowed & (km > 0)
    which = np.searchsorted(edges, km[upper], side="left") - 1
    which[which >= len(edges) - 1] = len(edges) - 2
    values, lags = half[upper], km[upper]
    bins = {round(row[1], 6): row for row in found["bins"]}
    counts = np.bincount(which, minlength=len(edges) - 1)
    assert len(bins) == (counts > 0).sum()
    assert found["pairs"] == upper.sum()
    for b in np.flatnonzero(counts):
        row = bins[round(edges[b + 1], 6)]
        inside = values[which == b]
        assert row[2] == counts[b]
        assert row[3] == pytest.approx(inside.mean(), rel=1e-5, abs=2e-6)
        assert row[4] == pytest.approx(inside.std(), rel=1e-3, abs=2e-5)
        assert row[5] == pytest.approx(lags[which == b].mean(), rel=1e-6)


CURVES = {"spherical": lambda h, a, p: np.where(h < a, 1.5 * h / a - 0.5 * (h / a) ** 3, 1), "exponential": lambda h, a, p: 1 - np.exp(-h / a),
          "gaussian": lambda h, a, p: 1 - np.exp(-(h / a) ** 2), "stable": lambda h, a, p: 1 - np.exp(-(h / a) ** p)}


def best_fit(model, lag, gamma, weight, relative=True):
    """SciPy's trust region from many starts over bounded parameters."""
    def residuals(x):
        curve = x[0] + x[1] * CURVES[model](lag, np.exp(x[2]), x[3])
        return np.sqrt(weight / weight.mean()) * (gamma / curve - 1) if relative else gamma - curve
    fits = [least_squares(residuals, [0.5 * gamma.min() + 1e-9, np.ptp(gamma), np.log(a), p], xtol=1e-14, ftol=1e-14, gtol=1e-14, x_scale=[0.1, 0.1, 1, 1],
                          bounds=([1e-12, 1e-9, -10, 0.01], [10 * gamma.max(), 10 * gamma.max(), 20, 2]), max_nfev=4000)
            for a in (3, 30, 300, 3000) for p in ((0.4, 1.0, 1.8) if model == "stable" else (1.0,))]
    return min(fits, key=lambda fit: fit.cost)


def test_embeddings_are_compared_by_cosine_over_all_pairs_and_fits_are_those_of_scipy(world, tmp_path):
    folder, arrays = world
    found, messages = variogram("--data", folder / "data", "--embeddings", folder / "emb", "--out", tmp_path, "--pairs", 20000)
    assert "split" not in messages
    kept = (arrays["split"] == 0) & (arrays["valid"] == 1)
    assert found["records"] == kept.sum() and found["without_value"] == ((arrays["split"] == 0) & (arrays["valid"] == 0)).sum()
    compare(found, distances(arrays, kept), cosine_distance(arrays["rows"][kept]))
    assert json.loads((tmp_path / "variogram.json").read_text())["bins"] == found["bins"]
    assert (tmp_path / "variogram.svg").read_text().startswith("<svg")

    table = np.array([row for row in found["bins"] if row[2] >= 30], dtype=float)
    lag, gamma, weight = table[:, 5], table[:, 3], table[:, 7]
    assert {fit["model"] for fit in found["fits"]} == set(CURVES)
    for ours in found["fits"]:
        theirs = best_fit(ours["model"], lag, gamma, weight)
        assert ours["loss"] == pytest.approx(2 * theirs.cost, rel=1e-4), ours["model"]
        parameters = 4 if ours["model"] == "stable" else 3
        assert ours["score"] == pytest.approx(len(lag) * np.log(ours["loss"] / len(lag)) + 2 * parameters, rel=1e-9)
    assert found["fits"] == sorted(found["fits"], key=lambda fit: fit["score"])
    best = found["fits"][0]
    assert (found["model"], found["c0"], found["c"]) == (best["model"], best["c0"], best["c"])
    share = CURVES[found["model"]](found["rho"], found.get("a") or found["ell"], found.get("alpha"))
    assert share == pytest.approx(0.95)


def test_pairs_of_one_sequence_or_author_are_left_out(world, tmp_path):
    folder, arrays = world
    kept = (arrays["split"] == 0) & (arrays["valid"] == 1)
    km, half = distances(arrays, kept), cosine_distance(arrays["rows"][kept])
    allowed = np.ones_like(km, dtype=bool)
    nuggets = []
    for what in ([], ["sequence"], ["sequence", "author"]):
        for name in what:
            key = arrays[name][kept]
            allowed &= (key[:, None] != key) | (key[:, None] == 0)
        found, _ = variogram("--data", folder / "data", "--embeddings", folder / "emb", "--out", tmp_path, "--pairs", 20000,
                             *(["--exclude-same", *what] if what else []))
        compare(found, km, half, allowed)
        nuggets.append(found["c0"])
    assert nuggets[1] > 3 * nuggets[0]


def test_labels_and_numbers(world, tmp_path):
    folder, arrays = world
    train = arrays["split"] == 0
    for name, column, missing in (("climate", "climate", 0), ("land_cover", "landcover", 255)):
        found, _ = variogram("--data", folder / "data", "--label", name, "--out", tmp_path, "--pairs", 20000)
        kept = train & (arrays[column] != missing)
        labels = arrays[column][kept]
        assert found["records"] == kept.sum() and found["without_value"] == (train & ~kept).sum()
        compare(found, distances(arrays, kept), (labels[:, None] != labels).astype(float))
    kept = train & np.isfinite(arrays["elev"])
    number = arrays["elev"][kept].astype(np.float64)
    found, _ = variogram("--data", folder / "data", "--scalar", "elev_m", "--out", tmp_path, "--pairs", 20000, "--model", "spherical")
    compare(found, distances(arrays, kept), 0.5 * (number[:, None] - number) ** 2)
    assert [fit["model"] for fit in found["fits"]] == ["spherical"]


def test_the_estimator_of_the_thesis(world, tmp_path):
    folder, arrays = world
    found, _ = variogram("--data", folder / "data", "--embeddings", folder / "emb", "--out", tmp_path, "--estimator", "thesis")
    kept = (arrays["split"] == 0) & (arrays["valid"] == 1)
    compare(found, distances(arrays, kept), cosine_distance(arrays["rows"][kept]),
            edges=np.append(np.arange(0, np.pi, 0.001) * R, np.pi * R))
    table = np.array([row[:6] for row in found["bins"] if row[2] >= 30], dtype=float)
    theirs = best_fit("stable", table[:, 5], table[:, 3], np.ones(len(table)), relative=False)
    assert found["fits"][0]["loss"] == pytest.approx(2 * theirs.cost, rel=1e-6)
    # Where a finely sampled curve rises by less than 0.01 per radian.
    grid = np.arange(1, 315) * 0.01
    curve = lambda rad: found["c0"] + found["c"] * CURVES["stable"](rad * R, found["ell"], found["alpha"])
    flat = grid[(curve(grid + 1e-6) - curve(grid - 1e-6)) / 2e-6 < 0.01]
    assert found["rho"] == pytest.approx(R * flat[0])
    some, _ = variogram("--data", folder / "data", "--embeddings", folder / "emb", "--out", tmp_path, "--estimator", "thesis", "--max-records", 600)
    assert some["records"] == 600 and some["pairs"] == 600 * 599 / 2


def test_threads_and_seeds(world, tmp_path):
    folder, _ = world
    words = ("--data", folder / "data", "--embeddings", folder / "emb", "--out", tmp_path, "--pairs", 500)
    one, _ = variogram(*words, "--threads", 1)
    four, _ = variogram(*words, "--threads", 4)
    other, _ = variogram(*words, "--threads", 4, "--seed", 3)
    assert one == four and not one["all_pairs"]
    assert one["bins"] != other["bins"]
    # What is drawn estimates what all pairs say.
    every, _ = variogram(*words[:-2], "--pairs", 20000)
    truth = {row[1]: row for row in every["bins"]}
    for row in one["bins"]:
        if row[2] >= 100:
            assert row[3] == pytest.approx(truth[row[1]][3], abs=5 * truth[row[1]][4] / np.sqrt(row[7]) + 1e-9)


def test_mistakes_are_told_before_anything_is_written(world, tmp_path):
    folder, _ = world
    data, emb, out = ("--data", folder / "data"), ("--embeddings", folder / "emb"), ("--out", tmp_path / "new")
    for words, text in (((*data, *out), "one"), ((*data, *emb, "--label", "country", *out), "one"), ((*emb, *out), "--data"),
                        ((*data, *emb), "--out"), ((*data, "--label", "soil", *out), "land_cover"), ((*data, *emb, "--robust", *out), "--scalar"),
                        ((*data, *emb, *out, "--model", "linear"), "linear"), ((*data, *emb, *out, "--exclude-same", "city"), "city"),
                        ((*data, *emb, *out, "--pairs", "3"), "--pairs"), ((*data, *emb, *out, "--model", "gaussian", "--estimator", "thesis"), "stable")):
        assert text in variogram(*words, code=2)[0]["error"]["message"], words
    assert "no value" in variogram(*data, "--label", "country", *out, code=3)[0]["error"]["message"]
    assert not (tmp_path / "new").exists()
    _, messages = variogram(*data, *emb, "--split", "val", "--out", tmp_path / "val")
    assert "belongs on \"train\"" in messages
