"""Our safetensors reader and writer against the reference library, byte for byte and refusal for refusal."""

import hashlib
import json
import os
import pathlib
import random
import struct
import subprocess

import numpy as np
import pytest
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, load_file, save, save_file

TOOL = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release")) / "bin" / "safetensors_tool"
DTYPES = [torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.bfloat16,
          torch.float32, torch.float64, torch.uint16, torch.uint32, torch.uint64]


def copy(source, target):
    result = subprocess.run([TOOL, "copy", source, target], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def code_of(path):
    return subprocess.run([TOOL, "check", path], capture_output=True, text=True).returncode


def random_tensors(seed):
    generator = np.random.default_rng(seed)
    tensors = {}
    for i in range(int(generator.integers(1, 40))):
        shape = [int(n) for n in generator.integers(0, 5, size=int(generator.integers(0, 4)))]
        dtype = DTYPES[int(generator.integers(len(DTYPES)))]
        raw = generator.integers(0, 256, size=max(1, int(np.prod(shape))) * 8, dtype=np.uint8)
        tensor = torch.from_numpy(raw.copy()).view(torch.uint8)
        if dtype == torch.bool:
            tensor = (tensor & 1).to(torch.bool)
        else:
            tensor = tensor.view(dtype)
        count = int(np.prod(shape)) if shape else 1
        tensors[f"layer.{i}.ü{'.weight' * (i % 3)}"] = tensor[:count].reshape(shape).clone()
    return tensors


def same(a, b):
    return (a.dtype == b.dtype and a.shape == b.shape and
            a.contiguous().flatten().view(torch.uint8).equal(b.contiguous().flatten().view(torch.uint8)))


@pytest.mark.parametrize("seed", range(12))
def test_a_copy_is_byte_identical_to_what_the_reference_writes(tmp_path, seed):
    tensors = random_tensors(seed)
    save_file(tensors, tmp_path / "theirs", metadata={"format": "pt"})
    digest = copy(tmp_path / "theirs", tmp_path / "ours")
    ours = (tmp_path / "ours").read_bytes()
    assert digest == hashlib.sha256(ours).hexdigest()
    assert ours == (tmp_path / "theirs").read_bytes()


@pytest.mark.parametrize("seed", range(12, 18))
def test_the_reference_reads_ours_bit_equal_with_metadata(tmp_path, seed):
    tensors = random_tensors(seed)
    save_file(tensors, tmp_path / "theirs", metadata={"note": 'quote " \\ \n ü 🌍'})
    copy(tmp_path / "theirs", tmp_path / "ours")
    read = load_file(tmp_path / "ours")
    assert read.keys() == tensors.keys()
    assert all(same(read[name], tensors[name]) for name in tensors)
    with safe_open(tmp_path / "ours", framework="pt") as file:
        assert file.metadata() == {"format": "pt", "note": 'quote " \\ \n ü 🌍'}


def header_file(header, data=b""):
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + data


def entry(dtype="U8", shape=(4,), offsets=(0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def test_what_the_reference_refuses_is_refused_here_too(tmp_path):
    """Cuts, flips and edits of a sound file. Ours may be stricter, never laxer."""
    sound = save({"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(5, dtype=torch.int8)}, {"format": "pt"})
    cases = [sound[:n] for n in range(0, len(sound), 7)] + [sound + b"x"]
    generator = random.Random(7)
    for _ in range(400):
        damaged = bytearray(sound[:200])
        damaged[generator.randrange(len(damaged))] ^= 1 << generator.randrange(8)
        cases.append(bytes(damaged) + sound[200:])
    cases += [header_file({"a": entry(shape=(5,))}, b"wxyz"), header_file({"a": entry(offsets=(1, 5))}, b"vwxyz"),
              header_file({"a": entry(), "b": entry()}, b"wxyz"), header_file({"a": entry(dtype="X8")}, b"wxyz"),
              header_file({"a": entry(shape=(-4,))}, b"wxyz"), header_file({"a": entry(shape=(2**62, 4))}, b"wxyz"),
              struct.pack("<Q", 2**63) + b"{}", b"", b"\0" * 7]
    refused = 0
    for i, case in enumerate(cases):
        try:
            load(case)
        except (SafetensorError, KeyError):
            path = tmp_path / f"case{i}"
            path.write_bytes(case)
            assert code_of(path) == 3, case[:200]
            refused += 1
    assert refused > 250


def test_what_is_sound_is_accepted(tmp_path):
    for i, case in enumerate([save({}), save({"s": torch.tensor(1.0)}), save({"e": torch.zeros(0, 3)}),
                              header_file({"a": entry()}, b"wxyz"),
                              header_file(json.dumps({"a": entry()}).encode() + b"   ", b"wxyz")]):
        load(case)
        path = tmp_path / f"case{i}"
        path.write_bytes(case)
        assert code_of(path) == 0
