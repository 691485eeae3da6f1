"""Geocell files against NumPy: the S2 curve from its published tables, the two building rules, the file by another reader."""
import json
import os
import pathlib
import subprocess

import numpy as np
import pytest
import shapely
from safetensors import safe_open

BUILD = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release")).resolve()
IJ_TO_POS = np.array([[0, 1, 3, 2], [0, 3, 1, 2], [2, 3, 1, 0], [2, 1, 3, 0]])
TURN = np.array([1, 0, 0, 3])


def unit(places):
    lat, lon = np.radians(places[:, 0]), np.radians(places[:, 1])
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], -1)


def leaf_digits(places):
    """Cube face and 30 Hilbert digits of each place."""
    p = unit(places)
    axis = np.abs(p).argmax(1)
    face = np.where(p[np.arange(len(p)), axis] > 0, axis, axis + 3)
    x, y, z = p.T
    with np.errstate(divide="ignore", invalid="ignore"):
        uv = np.stack([[y / x, z / x], [-x / y, z / y], [-x / z, -y / z], [z / x, y / x], [z / y, -x / y], [-y / z, -x / z]])
        u, v = uv[face, 0, np.arange(len(p))], uv[face, 1, np.arange(len(p))]
    st = [np.where(w >= 0, 0.5 * np.sqrt(1 + 3 * np.abs(w)), 1 - 0.5 * np.sqrt(1 + 3 * np.abs(w))) for w in (u, v)]
    i, j = (np.clip(np.floor(s * 2**30).astype(np.int64), 0, 2**30 - 1) for s in st)
    turn, digits = face & 1, []
    for k in range(29, -1, -1):
        d = IJ_TO_POS[turn, 2 * ((i >> k) & 1) + ((j >> k) & 1)]
        turn = turn ^ TURN[d]
        digits.append(d)
    return face, np.stack(digits, 1)


def s2_cells(places, least, most, first_level=2, last_level=30):
    """{id: member rows}, split level by level."""
    face, digits = leaf_digits(places)
    cells = {}
    for row, f in enumerate(face):
        cells.setdefault((f, *digits[row, :first_level]), []).append(row)
    level = first_level
    while level < last_level:
        finer = {}
        for key, rows in cells.items():
            if len(rows) > most and len(key) == level + 1:
                for row in rows:
                    finer.setdefault((*key, digits[row, level]), []).append(row)
            else:
                finer[key] = rows
        cells, level = finer, level + 1

    def number(key):
        position = 0
        for d in key[1:]:
            position = 4 * position + int(d)
        return (int(key[0]) << 61) + (position << (61 - 2 * (len(key) - 1))) + (1 << (60 - 2 * (len(key) - 1)))

    return {number(key): rows for key, rows in cells.items() if len(rows) > least}


def quadtree(places, rows, box, depth, most, leaves):
    if len(rows) == 0:
        return
    if depth == 0 or len(rows) < most:
        leaves.append((box, rows))
        return
    lat0, lon0, lat1, lon1 = box
    lat, lon = (lat0 + lat1) / 2, (lon0 + lon1) / 2
    north, east = places[rows, 0] >= lat, places[rows, 1] >= lon
    quadtree(places, rows[~north & ~east], (lat0, lon0, lat, lon), depth - 1, most, leaves)
    quadtree(places, rows[~north & east], (lat0, lon, lat, lon1), depth - 1, most, leaves)
    quadtree(places, rows[north & ~east], (lat, lon0, lat1, lon), depth - 1, most, leaves)
    quadtree(places, rows[north & east], (lat, lon, lat1, lon1), depth - 1, most, leaves)


def read(path):
    with safe_open(path, "np") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()


def centres(places, members):
    sums = np.array([unit(places[rows]).sum(0) for rows in members])
    return np.stack([np.degrees(np.arctan2(sums[:, 2], np.hypot(sums[:, 0], sums[:, 1]))), np.degrees(np.arctan2(sums[:, 1], sums[:, 0]))], 1)


def run(*words):
    done = subprocess.run([BUILD / "bin/graticule-data", "cells", *map(str, words), "--json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    rng = np.random.default_rng(3)
    towns = np.stack([np.degrees(np.arcsin(rng.uniform(-1, 1, 30))), rng.uniform(-180, 180, 30)], 1)
    towns[:3] = [[-17, 179.95], [89, 10], [0, 0]]
    places = towns[(30 * rng.random(12_000) ** 2).astype(int)] + rng.normal(0, 0.4, (12_000, 2))
    places[::4] = np.stack([np.degrees(np.arcsin(rng.uniform(-1, 1, 3000))), rng.uniform(-180, 180, 3000)], 1)
    places[:, 0] = np.clip(places[:, 0], -90, 90)
    places[:, 1] = (places[:, 1] + 180) % 360 - 180
    path = tmp_path_factory.mktemp("cells") / "places.csv"
    lines = [f"p{i},{float(lat)!r},{float(lon)!r}" for i, (lat, lon) in enumerate(places)]
    path.write_text("id,lat,lon\n" + "\n".join(lines) + "\nunknown,,\n")
    return path, places


def test_s2_cells_follow_the_published_rule(table, tmp_path):
    csv, places = table
    out = tmp_path / "cells.safetensors"
    report = run("build", "--csv", csv, "--kind", "s2", "--min-images", 20, "--max-images", 300, "--out", out)
    assert report["without_place"] == 1 and report["places"] == len(places)
    tensors, metadata = read(out)
    expected = s2_cells(places, 20, 300)
    assert metadata["kind"] == "s2" and metadata["version"] == "1"
    assert tensors["s2_id"].dtype == np.uint64 and tensors["centre_latlon"].dtype == np.float64
    ids = [int(i) for i in tensors["s2_id"]]
    assert ids == sorted(expected)
    assert tensors["count"].tolist() == [len(expected[i]) for i in ids]
    assert (tensors["parent"] == -1).all()
    np.testing.assert_allclose(tensors["centre_latlon"], centres(places, [expected[i] for i in ids]), atol=1e-9)


def test_nested_tables_link_every_cell_to_its_ancestor(table, tmp_path):
    csv, places = table
    report = run("build", "--csv", csv, "--min-images", 20, "--max-images", 1000, 300, "--out", tmp_path / "c.safetensors")
    coarse, fine = (read(entry["path"])[0] for entry in report["tables"])
    low_bit = coarse["s2_id"] & (~coarse["s2_id"] + np.uint64(1))
    first, last = coarse["s2_id"] - (low_bit - np.uint64(1)), coarse["s2_id"] + (low_bit - np.uint64(1))
    for cell, parent in zip(fine["s2_id"], fine["parent"]):
        assert np.flatnonzero((first <= cell) & (cell <= last)).tolist() == [parent]


def test_quadtree_follows_the_published_rule(table, tmp_path):
    csv, places = table
    out = tmp_path / "cells.safetensors"
    run("build", "--csv", csv, "--kind", "quadtree", "--max-images", 200, "--depth", 8, "--out", out)
    tensors, _ = read(out)
    leaves = []
    box = (*places.min(0), *places.max(0))
    quadtree(places, np.arange(len(places)), box, 8, 200, leaves)
    np.testing.assert_array_equal(tensors["box"], [leaf[0] for leaf in leaves])
    assert tensors["count"].tolist() == [len(leaf[1]) for leaf in leaves]
    np.testing.assert_allclose(tensors["centre_latlon"], centres(places, [leaf[1] for leaf in leaves]), atol=1e-9)


def test_inspect_reports_the_ceiling(table, tmp_path):
    csv, places = table
    out = tmp_path / "cells.safetensors"
    run("build", "--csv", csv, "--min-images", 20, "--max-images", 300, "--out", out)
    report = run("inspect", out, "--csv", csv)
    tensors, _ = read(out)
    cells = s2_cells(places, 20, 300)
    row_of = {row: k for k, cell in enumerate(sorted(cells)) for row in cells[cell]}
    middle = unit(tensors["centre_latlon"])
    p = unit(places)
    chosen = [row_of.get(i, int((middle @ p[i]).argmax())) for i in range(len(places))]
    cross = np.linalg.norm(np.cross(p, middle[chosen]), axis=1)
    km = 6371.0 * np.arctan2(cross, (p * middle[chosen]).sum(1))
    assert report["ceiling"]["in_a_cell"] == len(row_of)
    assert report["ceiling"]["acc_200"] == pytest.approx((km < 200).mean(), abs=1.5 / len(km))
    assert report["ceiling"]["median_km"] == pytest.approx(np.median(km), rel=1e-9)


def test_polygons_hold_the_places_that_shapely_finds_in_them(table, tmp_path):
    csv, places = table
    rng = np.random.default_rng(4)
    seeds = shapely.MultiPoint(np.stack([rng.uniform(-180, 180, 80), rng.uniform(-80, 80, 80)], 1))
    shapes = list(shapely.voronoi_polygons(seeds, extend_to=shapely.box(-180, -90, 180, 90)).geoms)
    shapes = [shapely.intersection(s, shapely.box(-179, -85, 179, 85)) for s in shapes]
    shapes[0] = shapely.difference(shapes[0], shapely.Point(shapes[0].centroid).buffer(1.5))  # a hole
    shapes[1] = shapely.difference(shapes[1], shapes[1].centroid.buffer(90).boundary.buffer(2))  # perhaps several parts
    shapes[2] = shapely.unary_union([shapes[2], shapes.pop(40)])  # two parts, not neighbours
    lines = ["cell_id,country,size,wkt"] + [f'{k},"X, Y",{k + 5},"{s.wkt}"' for k, s in enumerate(shapes)]
    (tmp_path / "cells.csv").write_text("\n".join(lines) + "\n")
    out = tmp_path / "cells.safetensors"
    report = run("import", tmp_path / "cells.csv", "--out", out)
    assert report["cells"] == len(shapes) and report["kind"] == "polygon"
    tensors, _ = read(out)
    middles = [s.centroid for s in shapes]
    np.testing.assert_allclose(tensors["centre_latlon"], [[p.y, p.x] for p in middles], atol=1e-9)
    points = shapely.points(places[:, ::-1])
    holds = np.stack([shapely.contains(s, points) for s in shapes], 1)
    report = run("inspect", out, "--csv", csv)
    assert report["ceiling"]["in_a_cell"] == holds.any(1).sum() < len(places)
    for row in rng.integers(0, len(places), 40):
        place = run("inspect", out, f"--at={places[row, 0]},{places[row, 1]}")["at"]
        assert place["cell"] == (int(holds[row].argmax()) if holds[row].any() else None)
    run("export", out, "--out", tmp_path / "back.csv")
    again = run("import", tmp_path / "back.csv", "--out", tmp_path / "again.safetensors")
    assert again["sha256"] != "" and read(tmp_path / "again.safetensors")[0]["ring_latlon"].tolist() == tensors["ring_latlon"].tolist()


def test_bad_tables_and_options_have_one_clear_message(table, tmp_path):
    csv, _ = table
    cases = [
        (["build", "--out", "x"], 2, "neither --data nor --csv"),
        (["build", "--csv", csv], 2, "--out is missing"),
        (["build", "--csv", csv, "--kind", "hexagons", "--out", "x"], 2, "hexagons"),
        (["build", "--csv", csv, "--min-images", 100000, "--out", "x"], 3, "no S2 cell holds more than"),
        (["inspect", csv], 3, str(csv)),
        (["inspect", tmp_path / "missing"], 3, "missing"),
    ]
    for name, text, says in [("range", "lat,lon\n91,0\n", ":2"), ("word", "lat,lon\nnorth,0\n", "north"), ("columns", "x,y\n1,2\n", "lat")]:
        path = tmp_path / f"{name}.csv"
        path.write_text(text)
        cases.append((["build", "--csv", path, "--out", tmp_path / "x"], 3, says))
    for words, code, says in cases:
        done = subprocess.run([BUILD / "bin/graticule-data", "cells", *map(str, words)], capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == code, (words, done.stderr)
        assert says in done.stderr, (words, done.stderr)
        assert not (tmp_path / "x").exists()
