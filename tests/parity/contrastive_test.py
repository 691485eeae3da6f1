"""Contrastive losses and their gradients, on 1, 2 and 4 ranks, against fp64 autograd over whole matrices."""
import itertools
import json
import math
import os
import pathlib
import subprocess

import numpy as np
import pytest
from contrastive_oracle import BINS, make, oracle
from safetensors.numpy import load_file, save_file

TOOL = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release")) / "bin" / "contrastive_tool"


def compare(cases, tmp_path):
    """cases: (case, data). Runs each in fp64 on 1 rank and in fp32 on 1, 2 and 4, in small blocks, and by the CUDA kernels' bodies."""
    jobs, wanted = [], []
    for number, (case, data) in enumerate(cases):
        save_file(data, tmp_path / f"{number}.in")
        expected = oracle(case, data)
        for fp64, ranks, kernels in [(True, 1, False), (True, 4, False), (False, 1, False), (False, 2, False), (False, 4, False), (False, 1, True), (False, 2, True)]:
            out = tmp_path / f"{number}.{ranks}.{fp64}.{kernels}.out"
            jobs.append({**case, "in": str(tmp_path / f"{number}.in"), "out": str(out), "ranks": ranks, "fp64": fp64, "kernels": kernels, "block": 150})
            wanted.append((expected, fp64, ranks, {**case, "kernels": kernels}))
    (tmp_path / "cases.json").write_text(json.dumps(jobs))
    subprocess.run([TOOL, tmp_path / "cases.json"], check=True)
    for job, (expected, fp64, ranks, case) in zip(jobs, wanted):
        ours, what = load_file(job["out"]), f"{case} ranks {ranks} fp64 {fp64}"
        bound = 1e-10 if fp64 else 1e-5
        scale = max(np.linalg.norm(v) for k, v in expected.items() if k.startswith("d_"))
        assert all(np.isfinite(v).all() for v in ours.values()), what
        assert ours["sum"] == pytest.approx(expected["sum"], rel=bound, abs=bound), what
        for name in ("correct", "positive", "left_out", "floored", "largest_weight"):
            assert ours[name] == pytest.approx(expected[name], rel=3e-5, abs=1e-9), (name, what)
        for name, gradient in expected.items():
            if name.startswith("d_"):
                error = np.linalg.norm(ours[name].astype(np.float64) - gradient)
                floor = 1e-2 if gradient.ndim else 1.0  # a scalar sums terms that cancel, each as large as the rest of the gradient
                assert error <= bound * max(np.linalg.norm(gradient), floor * scale), (name, error, what)


KINDS = [{"kind": "infonce"}, {"kind": "dcl", "tau_plus": 0.05}, {"kind": "siglip"},
         *({"kind": k, "beta": b} for k in ("weighted_add", "weighted_seed") for b in (0, 0.5, 1, 2)),
         *({"kind": "hcl", "beta": b, "tau_plus": t, "detach": d} for b in (0, 0.5, 1, 2) for t in (0.02, 0.1) for d in (True, False)),
         {"kind": "hcl", "beta": 1, "tau_plus": 0.02, "beta_on": "cosine"}, {"kind": "weighted_add", "beta": 1, "beta_on": "cosine"},
         *({"kind": "triplet", "distance": d, "margin": m, "pick": p} for d in ("cosine", "l2") for m in (0.3, 1.0) for p in ("semi_hard", "farthest", "far_near"))]


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_every_loss_plain(share, tmp_path):
    compare([({**kind, "gps_to_image": share}, make(1)) for kind in KINDS], tmp_path)


def test_every_loss_with_everything(tmp_path):
    """Queue with padding, own negatives, views, masks, and samples without a place."""
    data = make(2, views=2, slots=16, own=3, padded=3, without_place=2)
    compare([({**kind, "gps_to_image": 0.3, "mask_km": 1.0, "mask_same": ["author"]}, data) for kind in KINDS], tmp_path)


@pytest.mark.parametrize("km,same", [(0, ["place"]), (25.0, []), (0.15, ["sequence", "place"]), (20000.0, []), (30000.0, [])])
def test_masks(km, same, tmp_path):
    """The last one leaves no negative at all: such rows cost nothing."""
    cases = [{"kind": "infonce"}, {"kind": "hcl", "beta": 1, "tau_plus": 0.1}, {"kind": "weighted_seed", "beta": 1}, {"kind": "triplet", "distance": "cosine", "margin": 0.3, "pick": "farthest"}]
    data = make(3, slots=12, own=2)
    if km >= 30000:  # of InfoNCE alone, since siglip and the others have nothing to give either
        out = tmp_path / "o"
        save_file(data, tmp_path / "i")
        (tmp_path / "c").write_text(json.dumps([{**c, "mask_km": 20016.0, "in": str(tmp_path / "i"), "out": str(out), "fp64": True} for c in cases]))
        subprocess.run([TOOL, tmp_path / "c"], check=True)
        ours = load_file(out)
        assert ours["sum"] == 0 and all(not ours[k].any() for k in ours if k.startswith("d_"))
        return
    compare([({**case, "mask_km": km, "mask_same": same, "gps_to_image": 0.5}, data) for case in cases], tmp_path)


def test_drawn_candidates_are_no_negatives_of_the_places_they_are_near(tmp_path):
    data = make(8, slots=16)
    data["candidate_km"] = np.repeat([0.0, 30.0], 8)
    compare([({"kind": kind, "mask_km": km, "tau_plus": 0.02}, data) for kind in ("infonce", "hcl") for km in (0, 1.0)], tmp_path)


def test_extreme_logits(tmp_path):
    """Scale 100, perfectly aligned or opposed rows: finite, and right in fp64."""
    jobs = []
    for number, (kind, aligned) in enumerate(itertools.product(KINDS, (50.0, -50.0))):
        data = make(4, scale=100.0, aligned=aligned, slots=8)
        save_file(data, tmp_path / f"{number}.in")
        for fp64 in (False, True):
            jobs.append(({**kind, "in": str(tmp_path / f"{number}.in"), "out": str(tmp_path / f"{number}.{fp64}"), "fp64": fp64, "gps_to_image": 0.5}, data))
    (tmp_path / "cases.json").write_text(json.dumps([job for job, _ in jobs]))
    subprocess.run([TOOL, tmp_path / "cases.json"], check=True)
    for job, data in jobs:
        ours = load_file(job["out"])
        assert all(np.isfinite(v).all() for v in ours.values()), job
        if job["fp64"]:
            expected = oracle(job, data)
            assert ours["sum"] == pytest.approx(expected["sum"], rel=1e-9, abs=1e-12), job
            for name in expected:
                if name.startswith("d_"):
                    assert np.linalg.norm(ours[name] - expected[name]) <= 1e-8 * max(np.linalg.norm(expected[name]), 1), (name, job)


def write_curve(tmp_path, shape):
    curve = {"format": "graticule-variogram", "version": 1, "model": shape, "c0": 0.2, "c": 0.5, "rho": 1500.0, "bins": BINS}
    curve.update({"ell": 800.0, "alpha": 0.7} if shape == "stable" else {"a": 800.0})
    (tmp_path / "variogram.json").write_text(json.dumps(curve))
    return {"variogram": str(tmp_path / "variogram.json"), "shape": shape, "range": 800.0, "rho": 1500.0}


@pytest.mark.parametrize("shape", ["spherical", "exponential", "gaussian", "stable"])
def test_a_variogram_weighs_pairs(shape, tmp_path):
    common = {**write_curve(tmp_path, shape), "kappa": 3.0, "gps_to_image": 0.3, "mask_km": 0.5}
    cases = [{"kind": "infonce", "pair": "logit"}, {"kind": "hcl", "beta": 1, "tau_plus": 0.02, "pair": "logit"}, {"kind": "weighted_add", "beta": 1, "pair": "beta"},
             {"kind": "hcl", "beta": 0.5, "tau_plus": 0.02, "pair": "beta"}, {"kind": "weighted_add", "beta": 1, "pair": "beta_near"}]
    data = make(7, views=2, slots=16, own=2, padded=3, without_place=1)
    compare([({**common, **case}, data) for case in cases], tmp_path)


@pytest.mark.parametrize("shape", ["exponential", "stable"])
def test_a_variogram_compares_how_alike_images_are(shape, tmp_path):
    """Features of the batch and of most candidates; one has none, others are beyond what is known."""
    data = make(9, views=2, slots=16, own=2, padded=3, without_place=1)
    rng = np.random.default_rng(10)
    base = rng.normal(size=6)  # all a little alike: more and less than the curve expects
    for name, rows in (("features", 48), ("candidate_features", 12)):
        data[name] = base * rng.uniform(0.3, 1.5, (rows, 1)) + rng.normal(size=(rows, 6))
        data[name] /= np.linalg.norm(data[name], axis=1, keepdims=True)
    data["candidate_features"][4] = 0
    common = {**write_curve(tmp_path, shape), "kappa": 2.0, "gps_to_image": 0.3, "mask_km": 0.5}
    cases = [{"kind": kind, "beta": 1, "tau_plus": 0.02, "pair": "logit", "kappa_hard": 0.5} for kind in ("infonce", "hcl", "weighted_add", "dcl")]
    cases += [{"kind": "infonce", "pair": pair} for pair in ("seed1", "seed3", "seed5")] + [{"kind": "weighted_seed", "beta": b, "pair": pair} for b in (1, 0.5) for pair in ("seed2", "seed4")]
    compare([({**common, **case}, data) for case in cases], tmp_path)
    plain = {name: oracle({**common, **case}, data)["sum"] for name, case in (("with", cases[0]), ("without", {**cases[0], "kappa_hard": 0}))}
    assert abs(plain["with"] - plain["without"]) > 0.1, "the features have no say in this case"


def known_row(case, tmp_path):
    """l = [2, 1, 0, -1], the positive first, s = 14: cosines l / 14, from one image and a width of 5."""
    cosines = np.array([2, 1, 0, -1]) / case.get("s", 14.0)
    image = np.eye(5)[:1]
    rest = np.sqrt(1 - cosines ** 2)
    rows = np.concatenate([cosines[:, None], np.eye(4) * rest[:, None]], 1)
    data = {"images": image, "places": rows[:1], "candidates": rows[1:], "log_scale": np.array(math.log(14.0)),
            "latlon": np.zeros((1, 2)), "candidate_latlon": np.array([[10.0, 0], [20, 0], [30, 0]])}
    save_file(data, tmp_path / "in")
    (tmp_path / "c").write_text(json.dumps([{**case, "in": str(tmp_path / "in"), "out": str(tmp_path / "out"), "fp64": True}]))
    subprocess.run([TOOL, tmp_path / "c"], check=True)
    ours = load_file(tmp_path / "out")
    # d / d candidate = G s image; d / d positive likewise.
    return ours["sum"], np.concatenate([ours["d_places"][:, 0], ours["d_candidates"][:, 0]]) / 14.0


@pytest.mark.parametrize("case,loss", [
    ({"kind": "infonce"}, 0.4401897), ({"kind": "weighted_seed", "beta": 1}, 0.8039593), ({"kind": "weighted_add", "beta": 1}, 0.6135593),
    ({"kind": "hcl", "beta": 1, "tau_plus": 0}, 0.6135593), ({"kind": "hcl", "beta": 1, "tau_plus": 0.1}, 0.4748486),
    ({"kind": "dcl", "tau_plus": 0.1}, 0.2477293), ({"kind": "hcl", "beta": 2, "tau_plus": 0.1}, 0.5795108),
    ({"kind": "hcl", "beta": 1, "tau_plus": 0.3}, 3.37605e-7)])
def test_known_values(case, loss, tmp_path):
    assert known_row(case, tmp_path)[0] == pytest.approx(loss, rel=3e-7, abs=1e-12)


@pytest.mark.parametrize("detach,gradient", [(True, [-0.5853472, 0.5073867, 0.0686673, 0.0092931]), (False, [-0.5853472, 0.6253766, -0.0059165, -0.0341129])])
def test_known_gradients(detach, gradient, tmp_path):
    assert known_row({"kind": "hcl", "beta": 1, "tau_plus": 0.1, "detach": detach}, tmp_path)[1] == pytest.approx(np.array(gradient), abs=6e-8)


def test_a_floored_row_still_pulls_its_positive(tmp_path):
    loss, gradient = known_row({"kind": "hcl", "beta": 1, "tau_plus": 0.3}, tmp_path)
    sigma = 1 / (1 + math.exp(-(math.log(3) - 14 - 2)))
    assert gradient == pytest.approx(np.array([-sigma, 0, 0, 0]), rel=1e-9)


@pytest.mark.parametrize("distance,loss", [("cosine", 0.7), ("l2", 0.7112112)])
def test_known_triplets(distance, loss, tmp_path):
    rows = [[0.6, 0.8, 0], [0.3, 0, math.sqrt(0.91)]]
    data = {"images": np.eye(3)[:1], "places": np.array(rows[:1]), "candidates": np.array(rows[1:]), "log_scale": np.array(0.0), "latlon": np.zeros((1, 2)), "candidate_latlon": np.array([[10.0, 0]])}
    save_file(data, tmp_path / "in")
    (tmp_path / "c").write_text(json.dumps([{"kind": "triplet", "distance": distance, "margin": 1.0, "in": str(tmp_path / "in"), "out": str(tmp_path / "out"), "fp64": True}]))
    subprocess.run([TOOL, tmp_path / "c"], check=True)
    assert load_file(tmp_path / "out")["sum"] == pytest.approx(loss, abs=5e-7)
