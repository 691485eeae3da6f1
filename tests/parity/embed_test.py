"""graticule embed against transformers and torchvision on the same records, and its parts against themselves on other
numbers of ranks and after a kill."""
import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from training_runs import BIN, ENV, HAS_MPI, MPI_ENV  # noqa: E402

RECORDS = 350  # 97 to a shard
SHAPE = dict(hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, image_size=28, patch_size=7,
             projection_dim=48, hidden_act="quick_gelu")


def embed(*words, ranks=1):
    program = [str(BIN / "graticule"), "embed", "--json", *map(str, words)]
    if ranks > 1:
        program = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks), str(BIN / "graticule-train"), *program[1:]]
    return subprocess.run(program, env=MPI_ENV if ranks > 1 else ENV, capture_output=True, text=True, timeout=300)


def parts(store):
    manifest = json.loads((store / "manifest.json").read_text())
    rows, valid = [], []
    for part in manifest["parts"]:
        with safe_open(store / part["file"], "np") as file:
            rows.append(file.get_tensor("embeddings"))
            valid.append(file.get_tensor("valid"))
    return np.concatenate(rows), np.concatenate(valid), manifest


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("embed")
    subprocess.run([BIN / "tiny_world", folder, str(RECORDS), "97"], check=True)
    torch.manual_seed(3)
    model = CLIPVisionModelWithProjection(CLIPVisionConfig(**SHAPE)).eval()
    with torch.no_grad():
        for value in model.parameters():
            value.add_(0.05 * torch.randn_like(value))
    model.save_pretrained(folder / "clip")
    return folder, model, images(folder / "data")


def images(dataset):
    """Every record's picture, read by h5py and Pillow."""
    out = []
    for shard in json.loads((dataset / "manifest.json").read_text())["shards"]:
        with h5py.File(dataset / shard["file"]) as file:
            data, off, length = file["/img/data"][:], file["/img/off"][:], file["/img/len"][:]
        out += [Image.open(io.BytesIO(data[o:o + n].tobytes())).convert("RGB") for o, n in zip(off, length)]
    return out


def reference(model, pixels_BHWC):
    size = SHAPE["image_size"]
    normalise = CLIPImageProcessor(do_resize=False, do_center_crop=False)
    with torch.no_grad():
        out = model.double()(pixel_values=normalise(list(pixels_BHWC), return_tensors="pt")["pixel_values"].double())
    assert pixels_BHWC.shape[1:] == (size, size, 3)
    return out


def relative(ours, theirs):
    return np.linalg.norm(ours - theirs, axis=-1).max() / np.linalg.norm(theirs, axis=-1).mean()


def centres(pictures):
    size = SHAPE["image_size"]
    crop = CLIPImageProcessor(size={"shortest_edge": size}, crop_size={"height": size, "width": size}, do_rescale=False,
                              do_normalize=False)
    return np.stack([crop(p, return_tensors="np")["pixel_values"][0].transpose(1, 2, 0) for p in pictures]).astype(np.uint8)


def test_outputs_equal_transformers(world, tmp_path):
    folder, model, pictures = world
    theirs = reference(model, centres(pictures))
    expected = {"image_embeds": theirs.image_embeds.numpy(), "mean_tokens": theirs.last_hidden_state.mean(1).numpy(),
                "pooler_output": model.vision_model(
                    pixel_values=CLIPImageProcessor(do_resize=False, do_center_crop=False)(
                        list(centres(pictures)), return_tensors="pt")["pixel_values"].double()).pooler_output.detach().numpy()}
    for output, values in expected.items():
        done = embed("--clip", folder / "clip", "--data", folder / "data", "--out", tmp_path / output, "--output", output,
                     "--dtype", "fp32")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["embedded"] == RECORDS
        rows, valid, manifest = parts(tmp_path / output)
        assert rows.shape == (RECORDS, 1, values.shape[1]) and valid.all() and len(manifest["parts"]) == 4
        assert relative(rows[:, 0], values) < 1e-5
    done = embed("--clip", folder / "clip", "--data", folder / "data", "--out", tmp_path / "half")
    assert done.returncode == 0, done.stderr
    half, _, manifest = parts(tmp_path / "half")
    assert half.dtype == np.float16 and manifest["output"] == "image_embeds"
    assert relative(half[:, 0].astype(np.float64), expected["image_embeds"]) < 4e-4


def test_ten_crops_equal_torchvision(world, tmp_path):
    from torchvision.transforms import InterpolationMode, Resize, TenCrop

    folder, model, pictures = world
    size = SHAPE["image_size"]
    crops = [TenCrop(size)(Resize(size * 8 // 7, InterpolationMode.BICUBIC)(p)) for p in pictures[:30]]
    theirs = reference(model, np.stack([np.asarray(c) for ten in crops for c in ten])).image_embeds.numpy()
    done = embed("--clip", folder / "clip", "--data", folder / "data", "--out", tmp_path / "ten", "--crops", "ten",
                 "--dtype", "fp32")
    assert done.returncode == 0, done.stderr
    rows, _, manifest = parts(tmp_path / "ten")
    assert manifest["views"] == 10
    assert relative(rows[:30].reshape(300, -1), theirs) < 1e-5


def config(folder, path, **data):
    path.write_text(json.dumps({
        "run": {"dir": str(path.with_suffix("")), "seed": 5}, "model": {"init": str(folder / "clip"), "frozen_layers": -1},
        "data": {"train": [str(folder / "data")], "augment": {"scale": [0.3, 1.0]}, **data},
        "cells": {"file": str(folder / "cells.safetensors")}, "train": {"global_batch": 10, "steps": 10}}))
    return path


def test_draws_differ_and_are_the_same_on_any_ranks_and_after_a_kill(world, tmp_path):
    folder, _, _ = world
    words = ("--config", config(folder, tmp_path / "c.yaml"), "--data", folder / "data", "--draws", "3")
    done = embed(*words, "--out", tmp_path / "one")
    assert done.returncode == 0, done.stderr
    rows, _, manifest = parts(tmp_path / "one")
    assert manifest["preprocessing"]["scale"] == [0.3, 1.0] and manifest["output"] == "mean_tokens"
    assert len({rows[7, v].tobytes() for v in range(3)}) == 3
    if HAS_MPI:
        done = embed(*words, "--out", tmp_path / "three", ranks=3)
        assert done.returncode == 0, done.stderr
        assert parts(tmp_path / "three")[2] == manifest
    # Killed once the second part is there; the first ones are kept as they are.
    program = subprocess.Popen([str(BIN / "graticule-train"), "embed", *map(str, words), "--out", tmp_path / "killed", "--batch", "3"],
                               env=ENV, stderr=subprocess.DEVNULL)
    second = tmp_path / "killed" / "part-00001.emb"
    while not second.exists() and program.poll() is None:
        time.sleep(0.002)
    program.send_signal(signal.SIGKILL)
    program.wait()
    assert not (tmp_path / "killed" / "manifest.json").exists(), "it was too fast to be killed"
    before = second.stat().st_mtime_ns
    done = embed(*words, "--out", tmp_path / "killed")
    assert done.returncode == 0, done.stderr
    assert second.stat().st_mtime_ns == before
    assert relative(parts(tmp_path / "killed")[0].astype(float), rows.astype(float)) < 1e-3
    # Finished: nothing is left to do. Another plan: refused.
    assert embed(*words, "--out", tmp_path / "killed").returncode == 0
    refused = embed(*words, "--out", tmp_path / "killed", "--dtype", "fp32")
    assert refused.returncode == 2 and 'dtype is "F16" there, "F32" here' in refused.stderr
    # A part of a finished store that was cut is made again, and the store is whole.
    os.truncate(second, second.stat().st_size - 10)
    assert embed(*words, "--out", tmp_path / "killed").returncode == 0
    verified = subprocess.run([BIN / "graticule", "data", "verify", tmp_path / "killed"], env=ENV, capture_output=True, text=True)
    assert verified.returncode == 0, verified.stderr


def test_places_without_images_are_refused(world, tmp_path):
    folder, _, _ = world
    (tmp_path / "places.csv").write_text("id,lat,lon\na,1,2\nb,3,4\n")
    run = [BIN / "graticule", "data", "import", "coordinates", "--csv", tmp_path / "places.csv", "--out", tmp_path / "places"]
    assert subprocess.run(run, env=ENV, capture_output=True).returncode == 0
    done = embed("--clip", folder / "clip", "--data", tmp_path / "places", "--out", tmp_path / "out")
    assert done.returncode == 3 and "none of its 2 records has an image" in done.stderr, done.stderr
    assert not (tmp_path / "out").exists()


def test_a_damaged_part_is_to_be_made_again(world, tmp_path):
    folder, _, _ = world
    words = ("--clip", folder / "clip", "--data", folder / "data", "--out", tmp_path / "out")
    assert embed(*words).returncode == 0
    part = tmp_path / "out" / "part-00000.emb"
    whole = part.read_bytes()
    part.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    verify = [BIN / "graticule", "data", "verify", tmp_path / "out"]
    told = subprocess.run(verify, env=ENV, capture_output=True, text=True)
    assert told.returncode == 3 and "Remove the part and repeat" in told.stderr and "fetch" not in told.stderr, told.stderr
    again = embed(*words)
    assert again.returncode == 0 and "are there already; `graticule data verify`" in again.stderr, again.stderr
    other, left_by_a_kill = tmp_path / "out" / "part-00002.emb", tmp_path / "out" / "part-00001.emb.tmp17"
    left_by_a_kill.write_bytes(b"x")
    intact = other.read_bytes()
    other.unlink()  # a new manifest must not vouch for the damaged one
    again = embed(*words)
    assert again.returncode == 0 and "it is made again" in again.stderr, again.stderr
    assert part.read_bytes() == whole and other.read_bytes() == intact and not left_by_a_kill.exists()
    told = embed("--clip", folder / "clip", "--data", tmp_path / "out", "--out", tmp_path / "x")
    assert told.returncode == 2 and "names an embedding store" in told.stderr
    told = embed("--clip", folder / "clip", "--data", folder / "data", "--out", folder / "data")
    assert told.returncode == 2 and "holds a dataset" in told.stderr
    assert subprocess.run(verify, env=ENV, capture_output=True).returncode == 0


def test_a_record_that_cannot_be_read_has_no_embedding(world, tmp_path):
    folder, _, _ = world
    shutil.copytree(folder / "data", tmp_path / "data")
    shard = json.loads((tmp_path / "data" / "manifest.json").read_text())["shards"][1]
    with h5py.File(tmp_path / "data" / shard["file"]) as file:
        at = shard["img_abs_off"] + int(file["/img/off"][11]) + 30
    with open(tmp_path / "data" / shard["file"], "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 16]))
    done = embed("--clip", folder / "clip", "--data", tmp_path / "data", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    rows, valid, _ = parts(tmp_path / "out")
    assert list(np.flatnonzero(valid == 0)) == [shard["first"] + 11]
    assert not rows[shard["first"] + 11].any()
