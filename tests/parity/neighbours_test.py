"""Neighbour lists against scikit-learn's BallTree, and the order neighbours-v1 written a second time from its description."""
import hashlib
import os
import pathlib
import subprocess

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sklearn.neighbors import BallTree

from order_test import order, philox4x32

TOOL = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release")).resolve() / "bin/neighbour_tool"
WORD = 0xFFFFFFFF
NONE = WORD
NEIGHBOURS = 21  # Purpose::kNeighbours


def tool(*words, code=0):
    done = subprocess.run([TOOL, *map(str, words)], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def km(a, b):
    a, b = np.radians(a), np.radians(b)
    h = np.sin((a[..., 0] - b[..., 0]) / 2) ** 2 + np.cos(a[..., 0]) * np.cos(b[..., 0]) * np.sin((a[..., 1] - b[..., 1]) / 2) ** 2
    return 2 * 6371 * np.arcsin(np.sqrt(np.minimum(h, 1)))


def awkward_places():
    """A crowded town, the poles, both sides of the seam, and every tenth record at a place that exists already."""
    rng = np.random.default_rng(3)
    places = np.stack([np.degrees(np.arcsin(rng.uniform(-1, 1, 2000))), rng.uniform(-180, 180, 2000)], 1)
    places[::3] = [48.85, 2.35] + rng.normal(0, 0.2, (667, 2))
    places[1:200:3] = np.stack([rng.normal(-17, 0.1, 67), 179.95 + rng.normal(0, 0.1, 67)], 1)
    places[2:11] = [[90, 0], [90, 77], [-90, 0], [-90, -5], [89.99, 170], [0, 180], [0, -180], [0, 0], [89.99, -10]]
    places[1000::10] = places[:1000:10]
    places[:, 1] = np.where(places[:, 1] > 180, places[:, 1] - 360, places[:, 1])
    return places


@pytest.mark.parametrize("k,min_km", [(128, 0), (7, 0), (40, 25), (5, 0.001)])
def test_lists_equal_a_ball_tree(tmp_path, k, min_km):
    places = awkward_places()
    places.astype("<f8").tofile(tmp_path / "places.f64")
    found = {}
    for threads in (1, 3):
        tool("lists", tmp_path / "places.f64", k, min_km, threads, tmp_path / "lists.safetensors")
        found[threads] = load_file(tmp_path / "lists.safetensors")["neighbour"]
    assert (found[1] == found[3]).all()
    lists = found[1].astype(np.int64)
    assert lists.shape == (2000, k) and (lists < 2000).all()
    assert all(len(set(row)) == k and i not in row for i, row in enumerate(lists))
    distances, _ = BallTree(np.radians(places), metric="haversine").query(np.radians(places), k=2000)
    expected = [row[row >= min_km][:k] if min_km else row[1:k + 1] for row in distances * 6371]
    # What a haversine loses at tiny distances is 1e-8 rad.
    np.testing.assert_allclose(km(places[:, None], places[lists]), expected, rtol=1e-9, atol=2e-4)
    assert (lists == 0).any()
    if min_km == 0:  # a place that repeats: its other records come first
        assert lists[1010][0] == 10 and lists[10][0] == 1010


class Rng:
    """The stream of one key of base/rng.h."""
    def __init__(self, seed, purpose, epoch, index):
        self.key, self.counter, self.words = (seed & WORD, seed >> 32), [0, index & WORD, index >> 32 | purpose << 16, epoch], []

    def u64(self):
        words = []
        for _ in range(2):
            if not self.words:
                self.words = list(philox4x32(self.counter, self.key))
                self.counter[0] += 1
            words.append(self.words.pop(0))
        return words[0] | words[1] << 32

    def below(self, n):
        while True:
            product = self.u64() * n
            if product & (2**64 - 1) >= 2**64 % n:
                return product >> 64


def shuffle(lists, seed, epoch, batch, select, share, give_up):
    """One batch at a time, from sets."""
    n = len(lists)
    pool, used, batches, current, filled, failures, from_lists, gave_up = list(order(n, seed, epoch)), set(), [], [], 0, 0, 0, -1
    while len(batches) < n // batch:
        record = pool.pop(0)
        if record in used:
            failures += 1
            if failures == give_up and gave_up < 0:
                gave_up = len(batches) * batch + len(current)
            continue
        failures = 0
        position = len(batches) * batch + len(current)
        joins = [(record, False)]
        if gave_up < 0:
            own = [int(v) for v in lists[record] if v != NONE]
            near, far, rng = own[:select // 2], own[select // 2:], Rng(seed, NEIGHBOURS, epoch, position)
            for i in range(min(select - select // 2, len(far))):
                j = i + rng.below(len(far) - i)
                far[i], far[j] = far[j], far[i]
                near.append(far[i])
            joins += [(v, True) for v in near]
        for other, listed in joins:
            if len(current) == batch or (listed and (filled == int(share * batch) or other in used)):
                continue
            used.add(other)
            current.append(other)
            filled += listed
            from_lists += listed
        if len(current) == batch:
            batches.append(current)
            current, filled = [], 0
    return [v for one in batches for v in one], from_lists, gave_up


@pytest.mark.parametrize("n,k,seed,epoch,batch,select,share,give_up", [
    (600, 128, 1, 0, 128, 64, 1, 1024), (600, 128, 2**40 + 9, 5, 50, 64, 0.5, 1024), (600, 16, 3, 1, 64, 64, 1, 1024),
    (601, 20, 3, 70000, 60, 11, 0.3, 2), (600, 40, 7, 2, 100, 0, 1, 1024), (600, 30, 8, 1, 1, 8, 1, 5), (300, 90, 5, 0, 37, 90, 1, 4)])
def test_shuffle_equals_its_second_implementation(tmp_path, n, k, seed, epoch, batch, select, share, give_up):
    rng = np.random.default_rng(n + k)
    lists = np.full((n, k), NONE, "<u4")
    for i in range(n):
        length = rng.integers(k // 2, min(k, n - 1) + 1)
        lists[i, :length] = rng.permutation(np.delete(np.arange(n), i))[:length]
    path = tmp_path / "lists.safetensors"
    digest = hashlib.sha256(lists.tobytes()).hexdigest()
    save_file({"neighbour": lists}, path, {"version": "1", "data_sha256": "d", "method": "drawn", "sha256": digest})
    records, from_lists, gave_up = tool("shuffle", path, "d", n, seed, epoch, batch, select, share, give_up).split("\n")[:3]
    ours = [int(v) for v in records.split()]
    assert (ours, int(from_lists), int(gave_up)) == shuffle(lists, seed, epoch, batch, select, share, give_up)
    assert len(set(ours)) == len(ours) == n // batch * batch
    assert (gave_up != "-1") == (give_up < 5)


def test_lists_of_others_are_refused(tmp_path):
    lists = np.array([[1], [0]], "<u4")
    digest = hashlib.sha256(lists.tobytes()).hexdigest()
    save_file({"neighbour": lists}, tmp_path / "l", {"version": "1", "data_sha256": "d", "sha256": digest})
    assert 'expected "e"' in tool("shuffle", tmp_path / "l", "e", 2, 0, 0, 1, 1, 1, 1, code=3)
