"""Geocell and auxiliary losses against fp64 NumPy, written from the published formulas."""
import os
import pathlib
import subprocess

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

TOOL = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release")) / "bin" / "loss_tool"
RADIUS_KM = 6378.137
OFFSETS = [416, 1, None, 1, 1, 1]


def haversine(a, b):
    a, b = np.radians(a)[:, None], np.radians(b)[None]
    h = np.sin((b[..., 0] - a[..., 0]) / 2) ** 2 + np.cos(a[..., 0]) * np.cos(b[..., 0]) * np.sin((b[..., 1] - a[..., 1]) / 2) ** 2
    return 2 * RADIUS_KM * np.arcsin(np.sqrt(np.clip(h, 0, 1)))


def log_softmax(z):
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def make_batch(batch, cells, seed):
    rng = np.random.default_rng(seed)
    centres = np.stack([np.degrees(np.arcsin(rng.uniform(-1, 1, cells))), rng.uniform(-180, 180, cells)], axis=1)
    places = centres[rng.integers(0, cells, batch)] + rng.normal(0, 1.0, (batch, 2))
    places[:, 0] = places[:, 0].clip(-90, 90)
    own = haversine(places, centres).argsort(axis=1)[np.arange(batch), rng.integers(0, 2, batch)]
    own[1] = -1
    climate = rng.integers(-1, 30, batch)
    raw = (rng.lognormal(3, 1, (batch, 6)) - 5).astype(np.float32)
    raw[rng.random((batch, 6)) < 0.2] = np.nan
    raw[0, 1] = -3  # no logarithm: masked
    return {"centres": centres, "places": places, "cells": own.astype(np.int64),
            "logits": rng.normal(0, 4, (batch, cells)).astype(np.float32), "climate": climate.astype(np.int64),
            "climate_logits": rng.normal(0, 2, (batch, 30)).astype(np.float32),
            "predicted": rng.normal(0, 1, (batch, 6)).astype(np.float32), "raw": raw,
            "mean": rng.normal(3, 1, 6), "deviation": rng.uniform(0.5, 2, 6)}


def soft_labels(d, own, reference, tau, normalise):
    rows = np.arange(len(own))
    base = d.min(axis=1) if reference == "code" else d[rows, own]
    y = np.exp(-(d - base[:, None]) / tau)
    y[own < 0] = 0
    return y / np.maximum(y.sum(axis=1, keepdims=True), 1e-300) if normalise else y


def relative(a, b):
    return np.linalg.norm(a.astype(np.float64) - b) / np.linalg.norm(b)


@pytest.mark.parametrize("reference,tau,normalise", [("code", 65, 0), ("code", 75, 1), ("paper", 65, 0), ("paper", 400, 1)])
@pytest.mark.parametrize("batch,cells", [(7, 40), (64, 11399)])
def test_losses_and_gradients(reference, tau, normalise, batch, cells, tmp_path):
    data = make_batch(batch, cells, seed=cells + tau)
    save_file(data, tmp_path / "in.safetensors")
    subprocess.run([TOOL, tmp_path / "in.safetensors", tmp_path / "out.safetensors", reference, str(tau), str(normalise)], check=True)
    ours = load_file(tmp_path / "out.safetensors")

    y = soft_labels(haversine(data["places"], data["centres"]), data["cells"], reference, tau, normalise)
    log_p = log_softmax(data["logits"].astype(np.float64))
    assert relative(ours["labels"], y) < 1e-6
    assert ours["sums"][0] == pytest.approx(-(y * log_p).sum(), rel=1e-5)
    assert relative(ours["d_logits"], y.sum(axis=1, keepdims=True) * np.exp(log_p) - y) < 1e-5

    log_q, labels = log_softmax(data["climate_logits"].astype(np.float64)), data["climate"]
    kept = labels >= 0
    one_hot = np.eye(30)[labels] * kept[:, None]
    assert ours["sums"][1] == pytest.approx(-(one_hot * log_q).sum(), rel=1e-5)
    assert relative(ours["d_climate"], np.exp(log_q) * kept[:, None] - one_hot) < 1e-5

    targets = data["raw"].astype(np.float64)
    with np.errstate(invalid="ignore"):
        for column, offset in enumerate(OFFSETS):
            if offset is not None:
                targets[:, column] = np.log(targets[:, column] + offset)
    error = data["predicted"] - (targets - data["mean"]) / data["deviation"]
    error[~np.isfinite(error)] = 0
    assert ours["sums"][2] == pytest.approx((error ** 2).sum(), rel=1e-5)
    assert relative(ours["d_predicted"], 2 * error) < 1e-5
