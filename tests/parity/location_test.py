"""The location tower and the image head against the published geoclip package: with its own weights and with random
ones, out of every kind of file and back into the package."""
import os
import pathlib
import subprocess

import geoclip
import numpy as np
import pytest
import torch
from geoclip.model._hub import load_geoclip_weights
from geoclip.model.location_encoder import LocationEncoder
from safetensors.numpy import load_file
from safetensors.torch import load_file as load_torch_file
from safetensors.torch import save_file

TOOL = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release")) / "bin" / "location_tool"
PUBLISHED = pathlib.Path(geoclip.__file__).parent / "model" / "weights"


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


@pytest.fixture(scope="module", params=["published.pth", "random.safetensors", "random.pth"])
def tower(request, tmp_path_factory):
    """A tower of the package, the file of its weights, and a folder with the places."""
    model = reference(request.param.startswith("published"))
    folder = tmp_path_factory.mktemp("location")
    weights = folder / request.param
    if request.param == "published.pth":
        weights = PUBLISHED / "location_encoder_weights.pth"
    elif request.param == "random.pth":
        torch.save(model.state_dict(), weights)
    else:
        save_file(model.state_dict(), weights)
    save_file({"places": torch.from_numpy(places())}, folder / "input.safetensors")
    return model, weights, folder


def run(*arguments):
    result = subprocess.run([TOOL, *arguments], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


def ours(weights, folder, mode, precision, *prefix):
    out = folder / f"{mode}-{precision}.safetensors"
    run(weights, folder / "input.safetensors", out, mode, precision, *prefix)
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
    model, weights, folder = tower
    assert error(ours(weights, folder, "parity", "fp32"), theirs(model, torch.float32)) <= 1e-6


def test_single_precision_stays_near_the_package(tower):
    model, weights, folder = tower
    assert error(ours(weights, folder, "plain", "fp32"), theirs(model, torch.float32)) <= 5e-4


def test_double_precision_is_the_same_function(tower):
    model, weights, folder = tower
    assert error(ours(weights, folder, "plain", "fp64"), theirs(model, torch.float64)) <= 1e-10


def package_model(published, monkeypatch):
    """The package's whole model, a single layer standing in for CLIP, whose weights are elsewhere."""
    monkeypatch.setattr("geoclip.model.image_encoder.CLIPModel", lambda config: torch.nn.Linear(2, 2))
    return geoclip.GeoCLIP(from_pretrained=published, clip_pretrained=False).eval()


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    folder = tmp_path_factory.mktemp("features")
    values = torch.randn(500, 768, generator=torch.Generator().manual_seed(3))
    save_file({"features": values, "places": torch.from_numpy(places())}, folder / "input.safetensors")
    return values, folder


@pytest.mark.parametrize("precision, limit", [("fp32", 1e-6), ("fp64", 1e-10)])
def test_the_image_head_is_the_package_s(features, precision, limit, monkeypatch):
    values, folder = features
    dtype = torch.float64 if precision == "fp64" else torch.float32
    with torch.no_grad():
        expected = package_model(True, monkeypatch).image_encoder.mlp.to(dtype)(values.to(dtype)).double().numpy()
    out = ours(PUBLISHED / "image_encoder_mlp_weights.pth", folder, "image", precision)
    assert error(out, expected) <= limit


@pytest.mark.parametrize("write", [lambda m, f: torch.save(m.state_dict(), f), lambda m, f: save_file(m.state_dict(), f)],
                         ids=["torch", "safetensors"])
def test_a_whole_model_s_file_serves_each_part(features, write, monkeypatch):
    values, folder = features
    model = package_model(True, monkeypatch)
    write(model, folder / "whole")
    with torch.no_grad():
        image = model.image_encoder.mlp(values).double().numpy()
        location = model.location_encoder(torch.from_numpy(places()).float()).double().numpy()
    assert error(ours(folder / "whole", folder, "image", "fp32", "image_encoder.mlp."), image) <= 1e-6
    assert error(ours(folder / "whole", folder, "parity", "fp32", "location_encoder."), location) <= 1e-6


def test_the_package_loads_what_we_write(tmp_path, monkeypatch):
    scale = float(run("release", PUBLISHED / "image_encoder_mlp_weights.pth", PUBLISHED / "location_encoder_weights.pth",
                      PUBLISHED / "logit_scale_weights.pth", tmp_path / "model.safetensors"))
    assert abs(scale - 39.68744) <= 1e-5  # from the logarithm 3.6810348
    model, published = package_model(False, monkeypatch), package_model(True, monkeypatch).state_dict()
    load_geoclip_weights(model, load_torch_file(tmp_path / "model.safetensors"))  # wants exactly its own names
    ours = {name: value for name, value in model.state_dict().items() if "CLIP" not in name and "queue" not in name}
    assert len(ours) == 32 and all(torch.equal(value, published[name]) for name, value in ours.items())


def test_files_that_do_not_fit_are_refused(tmp_path):
    save_file({"places": torch.zeros(1, 2)}, tmp_path / "input.safetensors")
    result = subprocess.run([TOOL, PUBLISHED / "image_encoder_mlp_weights.pth", tmp_path / "input.safetensors",
                             tmp_path / "out", "plain", "fp32"], capture_output=True, text=True)
    assert result.returncode == 3
    assert "27 missing: LocEnc0.capsule.0.b" in result.stderr and "4 unexpected: 0.bias, 0.weight, 2.bias" in result.stderr
