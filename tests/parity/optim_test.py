"""Our optimisers against torch.optim over 100 steps with the same gradients."""
import os
import pathlib
import subprocess

import numpy
import pytest
import torch

BUILD = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release"))
STEPS = 100
BETAS = (0.9, 0.999)


def reference(kind, lr, decay, momentum, nesterov, clip, start, gradients):
    matrix = torch.nn.Parameter(torch.from_numpy(start[:40].reshape(8, 5).copy()).double())
    vector = torch.nn.Parameter(torch.from_numpy(start[40:].copy()).double())
    groups = [{"params": [matrix], "lr": 0.5 * lr, "weight_decay": decay},
              {"params": [vector], "lr": lr, "weight_decay": 0.0}]
    if kind == "adamw":
        optimizer = torch.optim.AdamW(groups, betas=BETAS, eps=1e-8)
    elif kind == "adam":
        optimizer = torch.optim.Adam(groups, betas=BETAS, eps=1e-8)
    else:
        optimizer = torch.optim.SGD(groups, lr=lr, momentum=momentum, nesterov=nesterov)
    rows = []
    for gradient in gradients:
        matrix.grad = torch.from_numpy(gradient[:40].reshape(8, 5).copy()).double()
        vector.grad = torch.from_numpy(gradient[40:].copy()).double()
        if clip > 0:
            torch.nn.utils.clip_grad_norm_([matrix, vector], clip)
        optimizer.step()
        rows.append(numpy.concatenate([matrix.detach().numpy().ravel(), vector.detach().numpy()]))
    return numpy.stack(rows)


@pytest.mark.parametrize("clip", [0.0, 1.0])
@pytest.mark.parametrize("kind,momentum,nesterov", [
    ("adamw", 0, False), ("adam", 0, False), ("sgd", 0, False), ("sgd", 0.9, False), ("sgd", 0.9, True)])
def test_hundred_steps(tmp_path, kind, momentum, nesterov, clip):
    rng = numpy.random.default_rng(7)
    start = rng.normal(size=47).astype(numpy.float32)
    scale = 10.0 ** rng.uniform(-3, 1, size=(STEPS, 1))
    gradients = (rng.normal(size=(STEPS, 47)) * scale).astype(numpy.float32)
    (tmp_path / "in.bin").write_bytes(start.tobytes() + gradients.tobytes())
    lr, decay = 1e-2, 0.05
    subprocess.run([BUILD / "bin" / "optim_tool", kind, str(lr), str(decay), str(momentum), str(int(nesterov)),
                    str(clip), str(STEPS), tmp_path / "in.bin", tmp_path / "out.bin"], check=True)
    ours = numpy.fromfile(tmp_path / "out.bin", dtype=numpy.float32).reshape(STEPS, 47)
    theirs = reference(kind, lr, decay, momentum, nesterov, clip, start, gradients)
    for step in (0, 9, STEPS - 1):
        relative = numpy.linalg.norm(ours[step] - theirs[step]) / numpy.linalg.norm(theirs[step])
        assert relative < 2e-6, (step, relative)
    moved = numpy.linalg.norm(theirs[-1] - start)  # the change itself, not only the much larger values
    assert numpy.linalg.norm(ours[-1] - theirs[-1]) < 1e-4 * moved
