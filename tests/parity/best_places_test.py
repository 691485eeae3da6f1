"""Answers, their probabilities and those of all places near them, against NumPy over all pairs."""
import os
import pathlib
import subprocess

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

TOOL = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release")).resolve() / "bin/best_places_tool"
IMAGES = 6


def km_between(a, b):
    """By the angle of unit vectors: another formula than the haversine."""
    def unit(p):
        lat, lon = np.radians(p[:, 0]), np.radians(p[:, 1])
        return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], -1)
    u, v = unit(a)[:, None], unit(b)[None]
    return 6371.0 * np.arctan2(np.linalg.norm(np.cross(u, v), axis=-1), (u * v).sum(-1))


@pytest.fixture(scope="module")
def world():
    """Towns, one across the antimeridian and one at a pole, a spread of single places, and rows that repeat a place."""
    rng = np.random.default_rng(5)
    towns = [[48.8, 2.3], [-17, 180], [90, 0], [-33.9, 151.2]]
    near = np.concatenate([np.array(t) + rng.normal(0, 0.2, (300, 2)) for t in towns])
    far = np.stack([np.degrees(np.arcsin(rng.uniform(-1, 1, 400))), rng.uniform(-180, 180, 400)], 1)
    places = np.concatenate([near, far])
    places[:, 0] = np.where(np.abs(places[:, 0]) > 90, 180 - places[:, 0], places[:, 0])
    places = np.concatenate([places, places[rng.integers(0, 100, 250)], places[300:310] - [0, 360]])
    order = rng.permutation(len(places))
    place_of_row = np.unique(np.round(places * 1e5) % [1e9, 36e6], axis=0, return_inverse=True)[1].reshape(-1)
    logits = rng.normal(0, 2.5, (IMAGES, place_of_row.max() + 1)).astype(np.float32)[:, place_of_row]
    return places[order], np.ascontiguousarray(logits[:, order]), place_of_row[order]


def answers(folder, places, logits, kind, k, near_km):
    save_file({"latlon": places, "logits": logits}, folder / "in")
    subprocess.run([TOOL, folder / "in", folder / "out", kind, str(k), str(near_km)], check=True)
    return load_file(folder / "out")


def shares(logits):
    e = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


@pytest.mark.parametrize("near_km", [0.5, 25, 750, 30000])
def test_rows_of_a_gallery(world, tmp_path, near_km):
    places, logits, place_of_row = world
    found = answers(tmp_path, places, logits, "gallery", 12, near_km)
    share, km = shares(logits), km_between(places, places)
    assert len(np.unique(place_of_row)) < len(places) - 200
    assert np.abs(km - near_km).min() > 1e-7  # the other formula may not decide an edge
    for image in range(IMAGES):
        rows, seen = [], set()
        for row in np.argsort(-logits[image], kind="stable"):  # of equal rows the first
            if place_of_row[row] not in seen:
                rows.append(row)
                seen.add(place_of_row[row])
        rows = rows[:12]
        assert found["cell"][image].tolist() == rows
        own = [share[image][place_of_row == place_of_row[row]].sum() for row in rows]
        near = [share[image][km[row] < near_km].sum() for row in rows]
        assert found["probability"][image] == pytest.approx(own, rel=1e-5)
        assert found["near_probability"][image] == pytest.approx(near, rel=1e-5)
    if near_km == 25:
        assert (found["near_probability"] > 1.5 * found["probability"]).any()


def test_cells_stay_apart_even_at_one_place(world, tmp_path):
    places, logits, _ = world
    logits = logits + np.arange(logits.shape[1], dtype=np.float32) * 1e-3  # no two alike
    found = answers(tmp_path, places, logits, "cells", 5, 25)
    share, km = shares(logits), km_between(places, places)
    for image in range(IMAGES):
        rows = np.argsort(-logits[image])[:5]
        assert found["cell"][image].tolist() == rows.tolist()
        assert found["probability"][image] == pytest.approx(share[image][rows], rel=1e-5)
        assert found["near_probability"][image] == pytest.approx([share[image][km[r] < 25].sum() for r in rows], rel=1e-5)


def test_a_denser_gallery_changes_the_share_of_a_row_but_hardly_that_of_its_surroundings(tmp_path):
    """Two towns that fit alike; each place of them comes 1 or 20 times, some metres apart."""
    rng = np.random.default_rng(6)
    towns = np.array([[48.8, 2.3], [-33.9, 151.2]])
    own, near = [], []
    for copies in (1, 20):
        places = np.concatenate([np.repeat(t[None], 50 * copies, 0) for t in towns])
        places += rng.normal(0, 0.01, places.shape)
        found = answers(tmp_path, places, rng.normal(0, 0.1, (1, len(places))).astype(np.float32), "gallery", 1, 25)
        own.append(found["probability"][0, 0])
        near.append(found["near_probability"][0, 0])
    assert own[0] > 10 * own[1]
    assert near == pytest.approx([0.5, 0.5], abs=0.02)


def test_fewer_places_than_are_asked_for(tmp_path):
    places = np.array([[10.0, 20], [10, 20], [-5, 7]])
    found = answers(tmp_path, places, np.array([[1.0, 1, 1]], np.float32), "gallery", 9, 25)
    assert sorted(found["cell"][0].tolist()) == [0, 2]
    by_cell = dict(zip(found["cell"][0].tolist(), found["probability"][0]))
    assert by_cell[0] == pytest.approx(2 / 3, rel=1e-6) and by_cell[2] == pytest.approx(1 / 3, rel=1e-6)
