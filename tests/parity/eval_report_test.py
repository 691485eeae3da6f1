"""Evaluation files against NumPy, which measures angles in another way (atan2 of cross and dot product)."""
import csv
import json
import os
import pathlib
import subprocess
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

BUILD = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release")).resolve()
THRESHOLDS = [1, 25, 200, 750, 2500]


def unit(lat, lon):
    lat, lon = np.radians(lat), np.radians(lon)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], -1)


def angle_km(a, b):
    return 6371.0 * np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), (a * b).sum(-1))


def make_rows(rng, n):
    lat = np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    lon = rng.uniform(-180, 180, n)
    spread = np.exp(rng.normal(0, 3, n))
    pred_lat = np.clip(lat + spread * rng.normal(size=n), -90, 90)
    pred_lon = (lon + spread * rng.normal(size=n) + 180) % 360 - 180
    special = [(90, 0, 90, 120), (-90, 5, 90, 5), (0, 179.999, 0, -179.999), (12, 34, 12, 34), (0, 0, 0, -180), (-60, 180, -60, -180)]
    for i, values in enumerate(special):
        lat[i], lon[i], pred_lat[i], pred_lon[i] = values
    country = rng.choice(["FR", "NZ", "BR", "-"], n, p=[0.5, 0.2, 0.2, 0.1])
    unknown = rng.random(n) < 0.05
    unknown[: len(special)] = False
    lat[unknown] = lon[unknown] = np.nan
    return lat, lon, pred_lat, pred_lon, country, unknown


def figures(km):
    result = {f"acc_{t}": float((km < t).mean()) for t in THRESHOLDS}
    return result | {"median_km": float(np.median(km)), "mean_km": float(km.mean()),
                     "geoscore": float((5000 * np.exp(-km / 1492.7)).mean())}


def check_figures(found, expected):
    for name, value in expected.items():
        if name.startswith("acc_"):
            assert found[name] == value, name
        else:
            assert found[name] == pytest.approx(value, rel=1e-9, abs=1e-9), name


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory):
    n, rng = 3000, np.random.default_rng(7)
    lat, lon, pred_lat, pred_lon, country, unknown = make_rows(rng, n)
    folder = tmp_path_factory.mktemp("eval")
    lines = [f"{i} {lat[i]!r} {lon[i]!r} {pred_lat[i]!r} {pred_lon[i]!r} {i % 17} {1 / (1 + i)!r} {2 / (2 + i)!r} {country[i]}"
             .replace("np.float64(", "").replace(")", "") for i in range(n)]
    rng.shuffle(lines)
    subprocess.run([BUILD / "bin/eval_report_tool", folder], input="\n".join(lines) + "\n", text=True, check=True)
    km = angle_km(unit(lat, lon), unit(pred_lat, pred_lon))
    known = km[~unknown]
    assert min(abs(known - t).min() for t in THRESHOLDS) > 1e-6  # the other formula may not decide a threshold
    return folder, lat, lon, pred_lat, pred_lon, country, unknown, km


def test_predictions_are_in_record_order_with_exact_columns(evaluation):
    folder, lat, lon, pred_lat, pred_lon, country, unknown, km = evaluation
    with open(folder / "predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["id", "lat", "lon", "pred_lat", "pred_lon", "error_km", "cell", "probability", "country", "probability_25km"]
    assert [row["id"] for row in rows] == [f"id{i}" for i in range(len(km))]
    for i, row in enumerate(rows):
        assert float(row["pred_lat"]) == pred_lat[i] and float(row["pred_lon"]) == pred_lon[i]
        assert row["country"] == ("" if country[i] == "-" else country[i])
        assert int(row["cell"]) == i % 17
        assert float(row["probability"]) == pytest.approx(1 / (1 + i), rel=1e-8)
        assert float(row["probability_25km"]) == pytest.approx(2 / (2 + i), rel=1e-8)
        if unknown[i]:
            assert row["lat"] == row["lon"] == row["error_km"] == ""
        else:
            assert float(row["lat"]) == lat[i] and float(row["lon"]) == lon[i]
            # Half a metre of the six printed decimals; near antipodes the haversine itself is worse.
            assert float(row["error_km"]) == pytest.approx(km[i], abs=2e-6 if km[i] < 19000 else 2e-4)


def test_metrics_agree(evaluation):
    folder, *_, country, unknown, km = evaluation
    report = json.loads((folder / "metrics.json").read_text())
    check_figures(report["metrics"], figures(km[~unknown]))
    assert report["denominators"] == {"records": len(km), "images": int((~unknown).sum()), "without_place": int(unknown.sum()),
                                      "with_country": int((~unknown & (country != "-")).sum())}
    assert set(report["by_country"]) == {"FR", "NZ", "BR"}
    for name, found in report["by_country"].items():
        members = km[~unknown & (country == name)]
        assert found["images"] == len(members)
        check_figures(found, figures(members))
    assert report["hashes"] == {"data_sha256": "d", "cells_sha256": "c", "weights_sha256": "w"}
    assert report["step"] == 7


def test_intervals_agree_with_another_bootstrap(evaluation):
    folder, *_, unknown, km = evaluation
    known, rng = km[~unknown], np.random.default_rng(1)
    draws = [figures(rng.choice(known, len(known))) for _ in range(1000)]
    report = json.loads((folder / "metrics.json").read_text())
    for name, (low, high) in report["intervals_95"].items():
        values = np.array([draw[name] for draw in draws])
        # The ends of a 95 % interval from 1,000 draws scatter by about 0.08 standard errors.
        tolerance = 0.35 * values.std() + 1e-12
        assert low == pytest.approx(np.percentile(values, 2.5), abs=tolerance), name
        assert high == pytest.approx(np.percentile(values, 97.5), abs=tolerance), name


def test_drawings_are_well_formed_and_complete(evaluation):
    folder, *_, unknown, km = evaluation
    svg = "{http://www.w3.org/2000/svg}"
    dots = ElementTree.parse(folder / "error_map.svg").getroot().findall(f"{svg}circle")
    assert len(dots) == int((~unknown).sum())
    texts = [t.text for t in ElementTree.parse(folder / "error_cdf.svg").getroot().findall(f"{svg}text")]
    for share in figures(km[~unknown]).items():
        if share[0].startswith("acc_"):
            assert f"{100 * share[1]:.1f} %" in texts
