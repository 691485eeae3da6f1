"""The embeddings that an export's gallery carries: against the location tower written again in NumPy in double precision, and
what is answered when they are there, changed, or of other weights."""
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from training_runs import BIN, ENV, World  # noqa: E402

WORDS = ("recipe.kind=geoclip", "model.pooling=embeds", "loss.kind=infonce", "recipe.outputs=24", "recipe.location.sigmas=[1, 16]",
         "recipe.location.features=16", "recipe.location.width=32", "recipe.negatives.queue=24", "recipe.gallery.size=90",
         "eval.every_steps=0")


def tool(program, *words, code=0):
    done = subprocess.run([BIN / program, *map(str, words)], env=ENV, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return done.stdout


def equal_earth(latlon):
    """Savric, Patterson and Jenny 2018, on a unit sphere, scaled as GeoCLIP has it."""
    a1, a2, a3, a4 = 1.340264, -0.081106, 0.000893, 0.003796
    lat, lon = np.radians(latlon[:, 0]), np.radians(latlon[:, 1])
    t = np.arcsin(np.sqrt(3) / 2 * np.sin(lat))
    x = 2 * np.sqrt(3) * lon * np.cos(t) / (3 * (9 * a4 * t**8 + 7 * a3 * t**6 + 3 * a2 * t**2 + a1))
    y = a4 * t**9 + a3 * t**7 + a2 * t**3 + a1 * t
    return np.stack([x, y], 1) * 66.50336 / 180


def location_rows(heads, latlon):
    total = 0
    for i in range(2):
        w = {k.split(f"LocEnc{i}.")[1]: v.astype(np.float64) for k, v in heads.items() if f"LocEnc{i}." in k}
        phase = 2 * np.pi * equal_earth(latlon) @ w["capsule.0.b"].T
        h = np.concatenate([np.cos(phase), np.sin(phase)], 1)
        for layer in ("capsule.1", "capsule.3", "capsule.5"):
            h = np.maximum(h @ w[f"{layer}.weight"].T + w[f"{layer}.bias"], 0)
        total = total + h @ w["head.0.weight"].T + w["head.0.bias"]
    return total / np.linalg.norm(total, axis=1, keepdims=True)


def weights_sha256(heads):
    digest = hashlib.sha256(b"projection equal_earth parity false\n")
    for i in range(2):
        for name in ("capsule.0.b", *(f"{layer}.{part}" for layer in ("capsule.1", "capsule.3", "capsule.5", "head.0")
                                      for part in ("weight", "bias"))):
            value = heads[f"heads.location.LocEnc{i}.{name}"]
            digest.update(f"LocEnc{i}.{name} {'x'.join(map(str, value.shape))}\n".encode() + value.astype("<f4").tobytes())
    return digest.hexdigest()


@pytest.fixture(scope="module")
def export():
    world = World()
    done = world.train("run", *WORDS, steps=6)
    assert done.returncode == 0, done.stderr
    tool("graticule-train", "export", "--run", world.folder / "run", "--out", world.folder / "export")
    yield world.folder / "export", world.folder
    world.close()


def metadata(path):
    with safe_open(path, "np") as file:
        return file.metadata()


def changed(export, name, gallery=lambda tensors, metadata: None, heads=lambda tensors: None):
    """A copy of the export with other contents, whose sums are right."""
    folder, root = export
    copy = root / name
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    for file, change in (("gallery.safetensors", gallery), ("heads.safetensors", lambda t, _: heads(t))):
        tensors, text = load_file(copy / file), metadata(copy / file)
        change(tensors, text)
        save_file(tensors, copy / file, text)
    names = [line[66:] for line in (copy / "SHA256SUMS").read_text().splitlines()]
    (copy / "SHA256SUMS").write_text("".join(f"{hashlib.sha256((copy / n).read_bytes()).hexdigest()}  {n}\n" for n in names))
    return copy


def answers(export, model):
    out = export[1] / f"{model.name}-scored"
    tool("graticule-train", "eval", "--model", model, "--data", export[1] / "data", "--split", "val", "--out", out)
    return (out / "predictions.csv").read_text()


def without(tensors, text):
    del tensors["emb"], text["emb_weights_sha256"]


def test_rows_are_those_of_the_location_tower(export):
    gallery, heads = load_file(export[0] / "gallery.safetensors"), load_file(export[0] / "heads.safetensors")
    expected = location_rows(heads, gallery["latlon"])
    assert gallery["emb"].dtype == np.float32 and gallery["emb"].shape == (len(gallery["latlon"]), 24)
    assert np.abs(gallery["emb"] - expected).max() < 2e-5
    assert metadata(export[0] / "gallery.safetensors")["emb_weights_sha256"] == weights_sha256(heads)
    # The run's own gallery names the places alone, and both are one gallery.
    assert "emb" not in load_file(export[1] / "run/gallery.safetensors")
    shown = [json.loads(tool("graticule-data", "gallery", "inspect", f, "--json"))["sha256"]
             for f in (export[0] / "gallery.safetensors", export[1] / "run/gallery.safetensors")]
    assert shown[0] == shown[1]


def test_answers_are_the_same_with_and_without_them(export):
    assert answers(export, changed(export, "bare", gallery=without)) == answers(export, export[0])


def test_they_are_what_is_answered_from(export):
    def turn(tensors, _):
        tensors["emb"] = np.ascontiguousarray(tensors["emb"][::-1])
    assert answers(export, changed(export, "turned", gallery=turn)) != answers(export, export[0])


def test_those_of_other_weights_are_left_alone(export):
    def train_on(tensors):
        for name in tensors:
            if "location" in name and name.endswith("head.0.bias"):
                tensors[name] = tensors[name] + np.linspace(-1, 1, 24, dtype=np.float32)
    stale, bare = changed(export, "stale", heads=train_on), changed(export, "stale-bare", gallery=without, heads=train_on)
    assert answers(export, stale) == answers(export, bare) != answers(export, export[0])


def test_rows_that_do_not_fit_are_refused(export):
    def cut(tensors, _):
        tensors["emb"] = np.ascontiguousarray(tensors["emb"][:-1])
    copy = changed(export, "cut", gallery=cut)
    done = subprocess.run([BIN / "graticule-train", "eval", "--model", copy, "--data", export[1] / "data", "--split", "val", "--out",
                           export[1] / "none"], env=ENV, capture_output=True, text=True)
    assert done.returncode == 3 and 'tensor "emb" is F32' in done.stderr
