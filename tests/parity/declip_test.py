"""The terms of DeCLIP, on 1, 2 and 4 ranks, against fp64 autograd over the whole batch."""
import json
import math
import os
import pathlib
import subprocess

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

TOOL = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release")) / "bin" / "declip_tool"
RADIUS_KM = 6371.0088


def run(jobs, folder):
    """jobs: (words, inputs); each on 1, 2 and 4 ranks in fp64 and fp32 -> (words, precision, outputs)."""
    cases = []
    for number, (words, data) in enumerate(jobs):
        save_file({k: np.ascontiguousarray(v) for k, v in data.items()}, folder / f"{number}.in")
        for ranks in (1, 2, 4):
            for fp64 in (True, False):
                cases.append({**words, "in": str(folder / f"{number}.in"), "out": str(folder / f"{number}.{ranks}.{fp64}"),
                              "ranks": ranks, "fp64": fp64, "job": number})
    (folder / "cases.json").write_text(json.dumps(cases))
    subprocess.run([TOOL, folder / "cases.json"], check=True)
    for case in cases:
        yield case, 1e-10 if case["fp64"] else 1e-5, load_file(case["out"])


def assert_gradients(ours, expected, tolerance, what):
    """Each against its own size, but not below a millionth of all of them together."""
    total = math.sqrt(sum((g ** 2).sum() for g in expected.values()))
    for name, gradient in expected.items():
        error = np.linalg.norm(ours["d_" + name] - gradient) / max(np.linalg.norm(gradient), 1e-6 * total, 1e-300)
        assert error <= tolerance, (name, error, what)


# SimSiam: torch.nn's own layers, one view after the other.

def networks(inputs, width, hidden, seed):
    torch.manual_seed(seed)
    nn, f64 = torch.nn, torch.float64
    heads = nn.ModuleDict({
        "projector": nn.Sequential(nn.Linear(inputs, width, bias=False), nn.BatchNorm1d(width), nn.ReLU(),
                                   nn.Linear(width, width, bias=False), nn.BatchNorm1d(width), nn.ReLU(),
                                   nn.Linear(width, width, bias=False), nn.BatchNorm1d(width, affine=False)),
        "predictor": nn.Sequential(nn.Linear(width, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, width))}).to(f64)
    for module in heads.modules():
        if isinstance(module, nn.BatchNorm1d) and module.affine:
            module.weight.data = torch.rand(module.num_features, dtype=f64) + 0.5
            module.bias.data = torch.randn(module.num_features, dtype=f64) * 0.3
    return heads.train()


def simsiam(heads, features):
    """features [V, G, D] -> the sum over samples of the mean over neighbouring views."""
    projected = [heads["projector"](view) for view in features]
    predicted = [heads["predictor"](z) for z in projected]
    cos, pairs = torch.nn.functional.cosine_similarity, len(features) - 1
    return -sum((cos(predicted[v], projected[v + 1].detach()) + cos(predicted[v + 1], projected[v].detach())).sum() / 2
                for v in range(pairs)) / pairs


@pytest.mark.parametrize("views,offset", [(2, 0.0), (3, 0.0), (2, 30.0)])
def test_simsiam(views, offset, tmp_path):
    """The last one: features far from zero beside their spread, where one-pass variances lose their digits."""
    samples, inputs, width, hidden = 24, 10, 16, 6
    heads = networks(inputs, width, hidden, views)
    features = (torch.randn(views, samples, inputs, dtype=torch.float64) * 0.4 + torch.randn(samples, inputs, dtype=torch.float64) + offset)
    features = features.to(torch.float32).to(torch.float64).requires_grad_(True)
    total = simsiam(heads, features)
    total.backward()
    expected = {"features": features.grad.transpose(0, 1).reshape(samples * views, inputs).numpy()}
    expected.update({name: p.grad.numpy() for name, p in heads.named_parameters()})
    data = {"features": features.detach().transpose(0, 1).reshape(samples * views, inputs).numpy()}
    data.update({name: p.detach().numpy() for name, p in heads.named_parameters()})
    for case, tolerance, ours in run([({"term": "simsiam", "views": views, "width": width, "hidden": hidden}, data)], tmp_path):
        if offset and not case["fp64"]:  # what the rounding of the map in front of the first norm leaves
            tolerance *= 30
        assert ours["sum"] == pytest.approx(total.item(), rel=tolerance), case
        assert_gradients(ours, expected, tolerance, case)


# Nearest neighbours: a list for the bank, a loop over samples.

def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def distance_km(a, b):
    p, q = np.radians(a[..., 0]), np.radians(b[..., 0])
    h = np.sin((q - p) / 2) ** 2 + np.cos(p) * np.cos(q) * np.sin(np.radians(b[..., 1] - a[..., 1]) / 2) ** 2
    return 2 * RADIUS_KM * np.arcsin(np.sqrt(np.clip(h, 0, 1)))


def world(seed, samples=24, views=1, entries=40, width=8, without_place=0, lonely=0):
    """Samples around a few towns, and a bank whose entries lie 0, 0.5, 5, 15 or 60 km from some of them."""
    rng = np.random.default_rng(seed)
    towns = np.stack([rng.uniform(-60, 60, 6), rng.uniform(-179, 179, 6)], 1)
    latlon = towns[rng.integers(0, 6, samples)] + rng.normal(size=(samples, 2)) * 0.02
    places = unit(rng.normal(size=(samples, width)))
    images = unit(np.repeat(places, views, 0) + rng.normal(size=(samples * views, width)) * 0.4)
    owner = rng.integers(0, samples, entries)
    bank_latlon = latlon[owner] + np.stack([rng.choice([0, 0.5, 5.0, 15.0, 60.0], entries) / 111.2, np.zeros(entries)], 1)
    bank_emb = unit(places[owner] + rng.normal(size=(entries, width)) * 0.7).astype(np.float32).astype(np.float64)
    latlon[:lonely] = [89.0, 0.0]
    latlon[lonely:lonely + without_place] = np.nan
    bank_latlon[3] = np.nan  # a row that enters no bank
    return {"images": images, "places": places, "log_scale": np.array(math.log(12.0)), "latlon": latlon,
            "keys": rng.integers(0, 4, (samples, 3)), "bank_emb": bank_emb, "bank_latlon": bank_latlon}


def fifo(slots, batches, width):
    """The bank by the book: a list whose slots are overwritten in turn."""
    emb, latlon, at = np.zeros((slots, width), np.float32), np.full((slots, 2), np.nan), 0
    for rows, places in batches:
        for row, place in zip(rows, places):
            if np.isfinite(place).all():
                emb[at], latlon[at], at = row.astype(np.float32), place, (at + 1) % slots
    return emb, latlon, at


def nearest(words, data):
    samples, views = len(data["places"]), len(data["images"]) // len(data["places"])
    emb, latlon, _ = fifo(words["bank"], [(data["bank_emb"], data["bank_latlon"])], data["places"].shape[1])
    chosen = []
    for row, place in zip(data["places"], data["latlon"]):
        km = distance_km(place, latlon)  # NaN is in no range
        allowed = np.flatnonzero((words["min_km"] <= km) & (km <= words["max_km"]))
        chosen.append(allowed[np.argmax(emb[allowed] @ row)] if len(allowed) else None)
    images = torch.tensor(data["images"], requires_grad=True)
    log_scale = torch.tensor(data["log_scale"], requires_grad=True)
    there = [g for g in range(samples) if chosen[g] is not None]
    columns = torch.tensor(emb[[chosen[g] for g in there]], dtype=torch.float64)
    kinds = [["place", "author", "sequence"].index(k) for k in words.get("mask_same", [])]
    losses = []
    for i, g in enumerate(there):
        keep = [j for j, h in enumerate(there) if j == i or not (
            distance_km(latlon[chosen[g]], latlon[chosen[h]]) < max(words.get("mask_km", 0), 1e-3)
            or any(data["keys"][g, k] == data["keys"][h, k] != 0 for k in kinds))]
        for view in range(views):
            logits = torch.exp(log_scale) * columns[keep] @ images[g * views + view]
            losses.append(torch.logsumexp(logits, 0) - logits[keep.index(i)])
    mean = torch.stack(losses).mean() if losses else 0 * log_scale
    mean.backward()
    return mean.item(), there, images.grad, log_scale.grad


JOBS = [({"min_km": 1.0, "max_km": 25.0, "bank": 64}, {}),
        ({"min_km": 0.0, "max_km": 25.0, "bank": 64, "mask_km": 2.0}, {"views": 2, "without_place": 2, "lonely": 1}),
        ({"min_km": 1.0, "max_km": 25.0, "bank": 17, "mask_same": ["author"]}, {"lonely": 3}),  # entries pushed out again
        ({"min_km": 1.0, "max_km": 10.0, "bank": 20000, "mask_same": ["place", "sequence"]}, {"samples": 200, "entries": 12000})]


def test_nearest(tmp_path):
    jobs = [({"term": "nearest", **words}, world(seed, **shape)) for seed, (words, shape) in enumerate(JOBS)]
    expected = [nearest(words, data) for words, data in jobs]
    for case, tolerance, ours in run(jobs, tmp_path):
        words, data = jobs[case["job"]]
        mean, there, images, log_scale = expected[case["job"]]
        assert 0 < len(there) and ours["found"] == len(there), case
        assert ours["mean"] == pytest.approx(mean, rel=tolerance), case
        assert_gradients(ours, {"images": images.numpy(), "log_scale": log_scale.numpy()}, tolerance, case)
        emb, latlon, at = fifo(words["bank"], [(data["bank_emb"], data["bank_latlon"]), (data["places"], data["latlon"])], data["places"].shape[1])
        assert np.array_equal(ours["nn_bank.emb"], emb) and ours["nn_bank.ptr"] == at
        assert np.array_equal(ours["nn_bank.latlon"], latlon, equal_nan=True)


def test_nobody_has_a_neighbour_or_it_is_too_early(tmp_path):
    words = {"term": "nearest", "min_km": 1.0, "max_km": 25.0, "bank": 64}
    jobs = [(words, world(9, lonely=24)), ({**words, "first_sample": 99}, world(9))]
    for case, _, ours in run(jobs, tmp_path):
        assert ours["mean"] == 0 and ours["found"] == 0 and not ours["d_images"].any(), case
        assert ours["nn_bank.ptr"] == (39 + 24) % 64, case
