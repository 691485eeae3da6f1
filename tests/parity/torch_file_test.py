"""Our reader of torch.save's files against torch: equal to the byte, and refusals of what is no plain file of tensors."""
import collections
import concurrent.futures
import io
import os
import pathlib
import pickle
import random
import struct
import subprocess
import zipfile

import geoclip
import pytest
import torch
from safetensors.torch import load_file

TOOL = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release")) / "bin" / "safetensors_tool"
PUBLISHED = pathlib.Path(geoclip.__file__).parent / "model" / "weights"


def read(path, tmp_path):
    result = subprocess.run([TOOL, "torch", path, tmp_path / "read"], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return load_file(tmp_path / "read")


def refusal(path):
    """What the tool says; its exit code must be that of foreign data, so that a crash is not taken for a refusal."""
    result = subprocess.run([TOOL, "torch", path], capture_output=True, text=True, errors="replace")
    assert result.returncode == 3, (result.returncode, result.stderr)
    return result.stderr


def same(a, b):
    return (a.dtype == b.dtype and a.shape == b.shape and
            a.contiguous().flatten().view(torch.uint8).equal(b.contiguous().flatten().view(torch.uint8)))


def flat(tree, name=""):
    if torch.is_tensor(tree):
        return {name: tree}
    return {k: v for key, item in tree.items() for k, v in flat(item, f"{name}.{key}" if name else key).items()}


def forms():
    torch.manual_seed(2)
    base = torch.randn(6, 8)
    large = torch.randn(3, 1000, 200)
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Linear(5, 2))
    return {
        "plain": {"0.weight": torch.randn(4, 3), "0.bias": torch.randn(4)},
        "ordered": collections.OrderedDict([("b", torch.randn(2)), ("a", torch.randn(3))]),
        "nested": {"model": {"tower": collections.OrderedDict(w=torch.randn(2, 2))}, "scale": torch.tensor(1.5)},
        "state_dict": module.state_dict(),
        "bare": torch.randn(3, 4),
        "bare_scalar": torch.tensor(3.6810348),
        "one_storage": {"all": base, "t": base.t(), "rows": base[2:4], "columns": base[:, 1::3], "row": base[3],
                        "one": base[5, 7], "none": base[2:2], "permuted": base.view(2, 3, 8).permute(2, 0, 1)},
        "dtypes": {str(d): torch.randn(3, 5).mul(50).to(d)
                   for d in [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64]},
        "values": {"odd": torch.tensor([float("nan"), float("inf"), -0.0, 1e-45])},
        "empty": {"a": torch.empty(0), "b": torch.empty(3, 0, 2), "c": torch.empty(0, dtype=torch.int64)},
        "no_tensors": {},
        "expanded": {"e": torch.randn(3, 1).expand(3, 7), "b": torch.ones(()).expand(2, 2)},
        "trainable": {"p": torch.randn(3, requires_grad=True).clone().detach().requires_grad_()},
        "large": {"l": large, "lt": large.transpose(0, 2), "part": large[1, 10:, 3::7]},
        "many": {f"layer.{i}.weight": torch.full((2,), float(i)) for i in range(700)},
        "named": {"ü.🌍": torch.ones(1)},
    }


@pytest.mark.parametrize("form", forms())
@pytest.mark.parametrize("checksums", [True, False])
def test_reads_what_torch_saved(form, checksums, tmp_path):
    saved = forms()[form]
    torch.serialization.set_crc32_options(checksums)
    try:
        torch.save(saved, tmp_path / "saved.pth")
    finally:
        torch.serialization.set_crc32_options(True)
    ours, theirs = read(tmp_path / "saved.pth", tmp_path), flat(torch.load(tmp_path / "saved.pth", weights_only=True))
    assert ours.keys() == theirs.keys()
    assert all(same(ours[name], theirs[name]) for name in theirs)


def test_reads_the_published_weights(tmp_path):
    files = {"image_encoder_mlp_weights.pth": (4, 984_320), "location_encoder_weights.pth": (27, 9_449_472),
             "logit_scale_weights.pth": (1, 1)}
    for name, (count, values) in files.items():
        ours, theirs = read(PUBLISHED / name, tmp_path), flat(torch.load(PUBLISHED / name, weights_only=True))
        assert ours.keys() == theirs.keys() and len(ours) == count
        assert sum(t.numel() for t in ours.values()) == values
        assert all(same(ours[key], theirs[key]) for key in theirs)


def archive(path, data, method=zipfile.ZIP_STORED, **entries):
    with zipfile.ZipFile(path, "w", method) as out:
        out.writestr("m/data.pkl", data)
        out.writestr("m/version", "3\n")
        for name, value in entries.items():
            out.writestr(f"m/{name}", value)
    return path


class Calls:
    def __init__(self, function, *arguments):
        self.how = (function, arguments)

    def __reduce__(self):
        return self.how


@pytest.mark.parametrize("function, name", [(os.system, "system"), (eval, "eval"), (exec, "exec"), (getattr, "getattr"),
                                            (subprocess.Popen, "Popen"), (torch.load, "load")])
def test_nothing_is_called(function, name, tmp_path):
    witness = tmp_path / "witness"
    bad = pickle.dumps({"a": Calls(function, f"touch {witness}")}, protocol=2)
    assert f"{name} is not one of torch._utils._rebuild_tensor_v2" in refusal(archive(tmp_path / "bad", bad))
    assert not witness.exists()


@pytest.mark.parametrize("value", [None, 1.5, [1], {1, 2}, b"bytes", 2**40, {"epoch": 3}, {"lr": 0.1}, "text",
                                   torch.device("cpu"), torch.Size([1])], ids=repr)
def test_other_python_values_are_refused(value, tmp_path):
    refusal(archive(tmp_path / "bad", pickle.dumps({"a": value}, protocol=2)))


@pytest.mark.parametrize("thing", [torch.nn.Linear(2, 2), {"p": torch.nn.Parameter(torch.ones(2))},
                                   torch.ones(3, 3).to_sparse(), torch.ones(2, dtype=torch.complex64),
                                   {"a": torch.ones(2, dtype=torch.uint16)}], ids=lambda t: type(t).__name__)
def test_other_objects_of_torch_are_refused(thing, tmp_path):
    torch.save(thing, tmp_path / "bad")
    assert " is not one of " in refusal(tmp_path / "bad")


def test_other_protocols_and_containers_are_refused(tmp_path):
    for protocol in (0, 1, 3, 4, 5):
        torch.save({"a": torch.ones(2)}, tmp_path / "bad", pickle_protocol=protocol)
        assert "protocol" in refusal(tmp_path / "bad")
    torch.save({"a": torch.ones(2)}, tmp_path / "old", _use_new_zipfile_serialization=False)
    assert "before version 1.6" in refusal(tmp_path / "old")
    empty = pickle.dumps({}, protocol=2)
    assert "compressed" in refusal(archive(tmp_path / "packed", empty, zipfile.ZIP_DEFLATED))
    assert "byte order" in refusal(archive(tmp_path / "big", empty, byteorder="big"))
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), tmp_path / "script.pt")
    refusal(tmp_path / "script.pt")


def test_damage_is_refused_or_changes_nothing(tmp_path):
    """Every cut of a small file, a bit of every byte flipped, and bytes thrown about at random."""
    saved = {"w": torch.arange(6.0).reshape(2, 3).t(), "b": torch.tensor(7)}
    buffer = io.BytesIO()
    torch.save(saved, buffer)
    sound = buffer.getvalue()
    generator = random.Random(5)
    cases = [sound[:n] for n in range(len(sound))]
    for n in range(len(sound)):
        cases.append(sound[:n] + bytes([sound[n] ^ 1 << generator.randrange(8)]) + sound[n + 1:])
    for _ in range(500):
        damaged = bytearray(sound)
        for _ in range(generator.randrange(1, 6)):
            damaged[generator.randrange(len(damaged))] = generator.randrange(256)
        cases.append(bytes(damaged))

    def outcome(job):
        i, damaged = job
        path, out = tmp_path / f"case{i}", tmp_path / f"out{i}"
        path.write_bytes(damaged)
        result = subprocess.run([TOOL, "torch", path, out], capture_output=True)
        assert result.returncode in (0, 3), (i, result.stderr)
        if result.returncode == 0:
            values = load_file(out)
            assert values.keys() == saved.keys() and all(same(values[k], saved[k]) for k in saved), i
            out.unlink()
        path.unlink()
        return result.returncode

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        codes = list(pool.map(outcome, enumerate(cases)))
    assert all(codes[:len(sound)])
    assert codes.count(3) > len(sound) * 1.2


def test_shapes_that_claim_too_much_cost_nothing(tmp_path):
    """A kilobyte that would unfold to 16 TB, to 4 TB in many tensors, or that overflows."""
    torch.save({"a": torch.ones(1).expand(2**21, 2**21)}, tmp_path / "wide")
    assert "unfolds to 17592186044416 bytes" in refusal(tmp_path / "wide")
    torch.save({str(i): torch.ones(1).expand(2**12, 2**8) for i in range(1000)}, tmp_path / "many")
    assert "unfolds to" in refusal(tmp_path / "many")
    huge = zipfile.ZipFile(tmp_path / "wide").read("wide/data.pkl").replace(
        b"J" + struct.pack("<i", 2**21), b"J" + struct.pack("<i", 2**31 - 1))
    refusal(archive(tmp_path / "huge", huge, **{"data/0": bytes(4)}))
