"""The location tower against the published geoclip package: with its own weights and with random ones."""
import os
import pathlib
import subprocess

import numpy as np
import pytest
import torch
from geoclip.model.location_encoder import LocationEncoder
from safetensors.numpy import load_file
from safetensors.torch import save_file

TOOL = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release")) / "bin" / "location_tool"


def places(n=4000):
    random = np.random.default_rng(4)
    lat = np.degrees(np.arcsin(random.uniform(-1, 1, n)))
    out = np.stack([lat, random.uniform(-180, 180, n)], 1)
    out[:4] = [[90, 0], [-90, 12], [0, -180], [40.7128, -74.0060]]
    return out


def reference(published):
    torch.manual_seed(1)
    model = LocationEncoder(from_pretrained=published).eval()
    if not published:  # the package's own start is small: larger numbers show more
        with torch.no_grad():
            for name, value in model.named_parameters():
                value.mul_(2)
    return model


@pytest.fixture(scope="module", params=[True, False], ids=["published", "random"])
def tower(request, tmp_path_factory):
    model = reference(request.param)
    folder = tmp_path_factory.mktemp("location")
    weights = {name: value.contiguous() for name, value in model.state_dict().items() if name.startswith("LocEnc")}
    save_file(weights, folder / "weights.safetensors")
    save_file({"places": torch.from_numpy(places())}, folder / "places.safetensors")
    return model, folder


def ours(folder, mode, precision):
    out = folder / f"{mode}-{precision}.safetensors"
    subprocess.run([TOOL, folder / "weights.safetensors", folder / "places.safetensors", out, mode, precision], check=True)
    return load_file(out)["embeddings"].astype(np.float64)


def theirs(model, dtype):
    torch.set_default_dtype(dtype)  # else the package takes the root of 3 in single precision
    try:
        with torch.no_grad():
            return model.to(dtype)(torch.from_numpy(places()).to(dtype)).double().numpy()
    finally:
        torch.set_default_dtype(torch.float32)


def error(a, b):
    return np.abs(a - b).max() / np.abs(b).max()


def test_parity_mode_follows_the_package(tower):
    model, folder = tower
    assert error(ours(folder, "parity", "fp32"), theirs(model, torch.float32)) <= 1e-6


def test_single_precision_stays_near_the_package(tower):
    model, folder = tower
    assert error(ours(folder, "plain", "fp32"), theirs(model, torch.float32)) <= 5e-4


def test_double_precision_is_the_same_function(tower):
    model, folder = tower
    assert error(ours(folder, "plain", "fp64"), theirs(model, torch.float64)) <= 1e-10
