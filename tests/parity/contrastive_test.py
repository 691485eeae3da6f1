"""Contrastive losses and their gradients, on 1, 2 and 4 ranks, against fp64 autograd over whole matrices."""
import itertools
import json
import math
import os
import pathlib
import subprocess

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

TOOL = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release")) / "bin" / "contrastive_tool"
KEYS = ["place", "author", "sequence"]
RADIUS_KM = 6371.0088
BINS = [[0, 100, 50, 0.3, 0.1, 60, 0.01, 50], [100, 1000, 60, 0.4, 0.03, 500, 0.01, 60],
        [9000, 20020, 40, 0.6, 0.2, 12000, 0.01, 40]]  # low, high, pairs, mean, std, lag, error, weight
INPUTS = ["images", "places", "candidates", "negatives", "log_scale", "bias"]


def unit(rng, *shape):
    x = rng.normal(size=shape)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def make(seed, samples=24, views=1, slots=0, own=0, width=8, scale=14.0, aligned=1.0, padded=0, without_place=0):
    """A global batch in which images look a little like their places, and some places are close to others."""
    rng = np.random.default_rng(seed)
    places = unit(rng, samples, width)
    images = np.repeat(places, views, 0) * aligned + rng.normal(size=(samples * views, width)) * 0.4
    latlon = np.stack([np.degrees(np.arcsin(rng.uniform(-1, 1, samples))), rng.uniform(-180, 180, samples)], 1)
    latlon[1] = latlon[0] + [1e-3, 0]
    latlon[2] = latlon[0] + [0.1, 0]
    data = {"images": images / np.linalg.norm(images, axis=1, keepdims=True), "places": places,
            "log_scale": np.array(math.log(scale)), "bias": np.array(-2.0), "latlon": latlon,
            "keys": rng.integers(0, 5, (samples, 3)), "draws": rng.random((samples * views, 2))}
    if slots:
        data["candidates"] = unit(rng, slots, width)
        near = latlon[rng.integers(0, samples, slots)]
        data["candidate_latlon"] = near + rng.choice([0, 1e-3, 1.0], (slots, 1)) + rng.normal(size=(slots, 2)) * 1e-4  # no ties
        data["candidate_keys"] = rng.integers(0, 5, (slots, 3))
        data["candidate_latlon"][slots - padded:] = np.nan
    if own:
        data["negatives"] = unit(rng, samples, own, width)
        data["negative_latlon"] = np.repeat(latlon, own, 0) + rng.choice([1e-3, 1.0], (samples * own, 1)) + rng.normal(size=(samples * own, 2)) * 1e-4
    data["latlon"][3:3 + without_place] = np.nan
    return data


def unit_vectors(latlon):
    lat, lon = np.radians(latlon[..., 0]), np.radians(latlon[..., 1])
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], -1)


def distance_km(a, b):
    """Haversine, elementwise over broadcast shapes."""
    p, q = np.radians(a[..., 0]), np.radians(b[..., 0])
    h = np.sin((q - p) / 2) ** 2 + np.cos(p) * np.cos(q) * np.sin(np.radians(b[..., 1] - a[..., 1]) / 2) ** 2
    return 2 * RADIUS_KM * np.arcsin(np.sqrt(np.clip(h, 0, 1)))


def expected_share(case, d):
    """g(d): how far up its curve the variogram is at d km."""
    x = d / case["range"]
    return {"exponential": 1 - np.exp(-x), "gaussian": 1 - np.exp(-x ** 2), "stable": 1 - np.exp(-x ** 0.7),
            "spherical": np.where(x < 1, 1.5 * x - 0.5 * x ** 3, 1)}[case["shape"]]


def row_loss(case, l, positive, out, d_km, draws, s, apart):
    """One row: logits l over all columns, index of the positive, columns left out, distances of places and of features -> loss, floored, largest weight."""
    if case.get("pair", "none").startswith("seed"):
        return seed_row_loss(case, l, positive, out, d_km, apart)
    if case.get("pair", "none") != "none":
        return paired_row_loss(case, l, positive, out, d_km, s, apart)
    keep = torch.ones(len(l), dtype=torch.bool)
    keep[positive] = False
    keep &= ~torch.as_tensor(out)
    neg, pos, n = l[keep], l[positive], int(keep.sum())
    kind, beta, tau = case["kind"], case.get("beta", 0.5), case.get("tau_plus", 2e-4)
    if kind == "siglip":
        return -torch.nn.functional.logsigmoid(pos) - torch.nn.functional.logsigmoid(-neg).sum(), False, 0
    if n == 0:
        return 0 * pos, False, 0
    if case.get("beta_on") == "cosine":
        beta = beta * 2 / s.detach()
    if kind == "triplet":
        dist = (lambda c: 1 - c) if case["distance"] == "cosine" else (lambda c: torch.sqrt(2 - 2 * c))
        margin, far = case["margin"], d_km[keep.numpy()]
        if case["pick"] == "farthest":
            pick = int(np.argmax(far))
        elif case["pick"] == "far_near":
            order, half = np.argsort(far, kind="stable"), n // 2
            first, size = (half, n - half) if draws[0] < 0.5 else (0, half)
            pick = int(order[first + int(draws[1] * size)])
        else:
            semi = (neg < pos) & (dist(neg) < dist(pos) + margin)
            pick = int(torch.where(semi, neg, torch.tensor(-9.0, dtype=neg.dtype)).argmax()) if semi.any() else int(neg.argmax())
        return torch.relu(dist(pos) - dist(neg[pick]) + margin), False, 0
    if kind == "weighted_seed":
        w = torch.exp(beta * neg - torch.logsumexp(beta * neg, 0) + math.log(n)).detach()
        return torch.logsumexp(torch.cat([pos[None], w * neg]), 0) - pos, False, w.max().item() * (beta > 0)
    if kind in ("infonce", "dcl"):
        beta = 0.0
    if kind in ("infonce", "weighted_add"):
        tau = 0.0
    log_w = beta * neg - torch.logsumexp(beta * neg, 0)
    if kind == "weighted_add" or case.get("detach", True):
        log_w = log_w.detach()
    log_r = math.log(n) + torch.logsumexp(log_w + neg, 0)
    largest = n * log_w.max().exp().item() if beta > 0 else 0
    if tau == 0:
        return torch.logaddexp(log_r, pos) - pos, False, largest
    floor = math.log(n) - s.detach()
    r, c = log_r, math.log(tau) + math.log(n) + pos
    left = r + torch.log1p(-torch.exp(c - r)) - math.log1p(-tau) if r > c else None
    floored = left is None or bool(left <= floor)
    return torch.logaddexp(floor if floored else left, pos) - pos, floored, largest


def expected_and_found(case, d_km, apart):
    """gamma(d) - C, and 0 where a pair has not two images."""
    excess = 0.2 + 0.5 * expected_share(case, d_km) - apart
    return np.where(np.isnan(excess), 0, excess), np.isnan(excess)


def seed_row_loss(case, l, positive, out, d_km, apart):
    """The thesis' five ways, plain InfoNCE or its Weighted where the pair has not two images."""
    keep = np.arange(len(l)) != positive
    keep &= ~out
    neg, pos, n = l[torch.as_tensor(keep)], l[positive], int(keep.sum())
    if n == 0:
        return 0 * pos, False, 0
    more, unknown = expected_and_found(case, d_km[keep], apart[keep])
    near, less = d_km[keep] < case["rho"], np.maximum(0, -more)
    replaced = {"seed1": np.clip(np.abs(more), 0.2, 0.5), "seed3": np.where(near, less, 0)}
    if case["pair"] in replaced:
        l2 = torch.where(torch.as_tensor(unknown), neg, torch.as_tensor(replaced[case["pair"]]))
        largest = 0
    elif case["pair"] == "seed5":
        l2, largest = neg * torch.as_tensor(np.where(near, np.exp(less), 1)), 0
    else:
        beta = case["beta"] * torch.as_tensor(np.where(unknown, 1, np.clip(np.abs(more), 0.2, 0.5) if case["pair"] == "seed2" else less))
        w = torch.exp(beta * neg).detach()
        w = w / w.mean()
        l2, largest = w * neg, w.max().item()
    return torch.logsumexp(torch.cat([pos[None], l2]), 0) - pos, False, largest


def paired_row_loss(case, l, positive, out, d_km, s, apart):
    keep = torch.ones(len(l), dtype=torch.bool)
    keep[positive] = False
    keep &= ~torch.as_tensor(out)
    neg, pos, n, g = l[keep], l[positive], int(keep.sum()), expected_share(case, d_km[keep.numpy()])
    if n == 0:
        return 0 * pos, False, 0
    beta = case.get("beta", 0.5) if case["kind"] in ("weighted_add", "hcl") else 0.0
    tau = case["tau_plus"] if case["kind"] in ("dcl", "hcl") else 0.0
    d = d_km[keep.numpy()]
    if case["pair"] == "logit":
        z = np.zeros(n)
        if case.get("kappa_hard", 0) > 0:
            more, _ = expected_and_found(case, d, apart[keep.numpy()])
            z = np.maximum(0, more) / np.maximum(np.interp(np.log(d), np.log([b[5] for b in BINS]), [b[4] for b in BINS]), 0.02)
        u = torch.as_tensor(np.clip(np.where(d < case["rho"], -case["kappa"] * (1 - g) * (1 + z), case.get("kappa_hard", 0) * z), -4, 4))
        exponent = beta * neg + u
    else:
        hardness = torch.as_tensor(g if case["pair"] == "beta" else 1 - g)
        exponent = beta * hardness * (neg - (torch.logsumexp(neg, 0) - math.log(n)).detach())
    log_w = (exponent - torch.logsumexp(exponent, 0)).detach()
    log_r = math.log(n) + torch.logsumexp(log_w + neg, 0)
    floored = False
    if tau > 0:
        c, floor = math.log(tau) + math.log(n) + pos, math.log(n) - s.detach()
        left = log_r + torch.log1p(-torch.exp(c - log_r)) - math.log1p(-tau) if log_r > c else None
        floored = left is None or bool(left <= floor)
        log_r = floor if floored else left
    weighs = case["kind"] in ("weighted_add", "hcl") and beta > 0
    return torch.logaddexp(log_r, pos) - pos, floored, n * log_w.max().exp().item() if weighs else 0


def oracle(case, data):
    t = {k: torch.tensor(data[k], dtype=torch.float64, requires_grad=True) for k in INPUTS if k in data}
    samples, views = len(data["latlon"]), len(data["images"]) // len(data["latlon"])
    scaled = case["kind"] != "triplet"
    s = t["log_scale"].exp() if scaled else torch.tensor(1.0, dtype=torch.float64)
    bias = t["bias"] if case["kind"] == "siglip" else 0
    columns = torch.cat([t["places"]] + ([t["candidates"]] if "candidates" in t else []))
    where = np.concatenate([data["latlon"]] + ([data["candidate_latlon"]] if "candidates" in t else []))
    keys = np.concatenate([data["keys"]] + ([data["candidate_keys"]] if "candidates" in t else []))
    used = [KEYS.index(k) for k in case.get("mask_same", [])]

    def masked(i, places, column_keys):
        out = np.isnan(places[:, 0])
        d = distance_km(data["latlon"][i], places)
        if case.get("mask_km", 0) > 0:
            out |= d < case["mask_km"]
        if places is where and "candidate_km" in data:
            out[len(data["latlon"]):] |= d[len(data["latlon"]):] < data["candidate_km"]
        for k in used:
            if column_keys is not None:
                out |= (column_keys[:, k] == data["keys"][i, k]) & (data["keys"][i, k] != 0)
        return out, d

    forward = backward = 0.0
    report = {"correct": 0, "positive": 0.0, "left_out": 0.0, "floored": 0, "largest_weight": 0.0}
    features = data.get("features", np.full((samples * views, 1), np.nan))
    first = features[::views]
    owners = np.full((len(where), features.shape[1]), np.nan)
    owners[:samples] = first
    if "candidate_features" in data:
        known = np.where(data["candidate_features"].any(1, keepdims=True), data["candidate_features"], np.nan)
        owners[samples:samples + len(known)] = known
    for row in range(samples * views):
        i = row // views
        if np.isnan(data["latlon"][i, 0]):
            continue
        l = s * (columns @ t["images"][row]) + bias
        out, d = masked(i, where, keys)
        apart = 1 - owners @ features[row]
        if "negatives" in t:
            m = t["negatives"].shape[1]
            l = torch.cat([l, s * (t["negatives"][i] @ t["images"][row]) + bias])
            o, e = masked(i, data["negative_latlon"][i * m:(i + 1) * m], None)
            out, d, apart = np.concatenate([out, o]), np.concatenate([d, e]), np.concatenate([apart, np.full(m, np.nan)])
        out[i] = False
        loss, floored, largest = row_loss(case, l, i, out, d, data["draws"][row], s, apart)
        forward = forward + loss
        report["correct"] += bool(l[i] >= l[:samples].max())
        report["positive"] += l[i].item()
        there = np.concatenate([~np.isnan(where[:, 0])] + ([~np.isnan(data["negative_latlon"][i * m:(i + 1) * m, 0])] if "negatives" in t else []))
        report["left_out"] += (out & there).sum() / (there.sum() - 1)  # padding is no candidate
        report["floored"] += floored
        report["largest_weight"] += largest
    share = case.get("gps_to_image", 0.0)
    for j, view in itertools.product(range(samples), range(views)):
        if share == 0 or np.isnan(data["latlon"][j, 0]):
            continue
        own = j * views + view
        l = s * (t["images"] @ t["places"][j]) + bias
        out, d = masked(j, np.repeat(data["latlon"], views, 0), np.repeat(data["keys"], views, 0))
        out[j * views:(j + 1) * views] = True
        out[own] = False
        backward = backward + row_loss(case, l, own, out, d, data["draws"][own], s, 1 - features @ first[j])[0]
    total = (1 - share) * forward + share * backward
    total.backward()
    report["sum"] = total.item()
    for name, tensor in t.items():
        if tensor.grad is not None:
            report["d_" + name] = tensor.grad.numpy()
    return report


def relative(a, b):
    return np.linalg.norm(a.astype(np.float64) - b) / max(np.linalg.norm(b), 1e-300)


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
