"""Gradients of GradSync over 2 and 4 MPI ranks against torch's DistributedDataParallel (gloo) on the same data."""
import os
import pathlib
import shutil
import subprocess

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

BIN = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release")) / "bin"
ENV = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMPI_MCA_btl="self,vader",
           OMPI_MCA_mpi_yield_when_idle="1", OMP_NUM_THREADS="1")
IN, HIDDEN, OUT, BATCH = 24, 96, 10, 32

pytestmark = pytest.mark.skipif(not shutil.which("mpirun") or not (BIN / "libgraticule_mpi.so").exists(),
                                reason="no mpirun or no MPI module here")


def model():
    torch.manual_seed(11)
    return nn.Sequential(nn.Linear(IN, HIDDEN), nn.LayerNorm(HIDDEN), nn.GELU(), nn.Linear(HIDDEN, HIDDEN), nn.Tanh(),
                         nn.Linear(HIDDEN, OUT))


def data():
    generator = torch.Generator().manual_seed(5)
    return torch.randn(BATCH, IN, generator=generator), torch.randn(BATCH, OUT, generator=generator)


def ddp_rank(rank, world, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=world)
    net = nn.parallel.DistributedDataParallel(model())
    x, y = data()
    share = BATCH // world
    part = slice(rank * share, (rank + 1) * share)
    # DDP averages over ranks: the mean of the ranks' mean losses is the mean over the global batch.
    (net(x[part]) - y[part]).square().mean().backward()
    if rank == 0:
        torch.save([p.grad for p in net.module.parameters()], f"{folder}/ddp.pt")
    dist.destroy_process_group()


def ours(world, folder, accumulation, dtype="fp32"):
    (folder / "weights.bin").write_bytes(b"".join(p.detach().numpy().tobytes() for p in model().parameters()))
    (folder / "data.bin").write_bytes(b"".join(t.numpy().tobytes() for t in data()))
    subprocess.run(["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(world), BIN / "grad_sync_check", folder,
                    str(accumulation), dtype], env=ENV, check=True, timeout=120)
    flat = torch.frombuffer(bytearray((folder / "grads.bin").read_bytes()), dtype=torch.float32)
    shapes = [p.shape for p in model().parameters()]
    return [g.view(s) for g, s in zip(flat.split([s.numel() for s in shapes]), shapes)]


def worst(a, b):
    """Relative error of tensors: the worst one counts, tiny ones are measured against all gradients."""
    everything = torch.cat([t.flatten() for t in b]).norm()
    return max(((p - q).norm() / max(q.norm(), 1e-6 * everything)).item() for p, q in zip(a, b))


@pytest.fixture(scope="module")
def ddp(tmp_path_factory):
    gradients = {}
    for world in (2, 4):
        folder = tmp_path_factory.mktemp(f"ddp{world}")
        mp.spawn(ddp_rank, (world, str(folder)), nprocs=world)
        gradients[world] = torch.load(folder / "ddp.pt")
    return gradients


@pytest.mark.parametrize("world,accumulation", [(2, 1), (4, 1), (2, 2), (4, 2)])
def test_gradients_equal_distributed_data_parallel(ddp, world, accumulation, tmp_path):
    assert worst(ours(world, tmp_path, accumulation), ddp[world]) <= 1e-6


def test_bf16_on_the_wire_stays_within_its_rounding(ddp, tmp_path):
    assert 1e-5 < worst(ours(2, tmp_path, 1, "bf16"), ddp[2]) <= 1 / 128
