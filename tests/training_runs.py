"""Small trainings of the real programs, for the tests under mpi/ and fault/."""
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from safetensors_lite import load

BIN = (pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release")) / "bin").resolve()
HAS_MPI = shutil.which("mpirun") is not None and (BIN / "libgraticule_mpi.so").exists()
ENV = {k: v for k, v in os.environ.items() if not k.startswith(("OMPI_", "PMI", "SLURM_"))}
MPI_ENV = dict(ENV, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMPI_MCA_mpi_yield_when_idle="1")

CONFIG = """
run: {{dir: {run}, seed: 3}}
data:
  train: [{world}/data]
  val: [{world}/data]
  threads: 1
cells: {{file: {world}/cells.safetensors}}
model: {{vision: {{image_size: 32, patch_size: 8, width: 32, layers: 2, heads: 2, mlp_width: 64, projection: 16}}}}
loss: {{tau_km: 500}}
optim: {{lr: 0.002, clip_norm: 5}}
schedule: {{kind: cosine, warmup_samples: 48}}
train: {{global_batch: 24, micro_batch: 0, steps: {steps}, threads: 1}}
checkpoint: {{every_steps: 5}}
eval: {{every_steps: 20}}
log: {{every_steps: 1, progress_s: 0}}
"""


# A GeoCLIP of a few thousand parameters, beside the tower of CONFIG.
GEOCLIP = ("recipe.kind=geoclip", "model.pooling=embeds", "optim.kind=adam", "recipe.outputs=32", "recipe.location.sigmas=[1, 16]",
           "recipe.location.features=32", "recipe.location.width=64", "recipe.negatives.queue=30", "recipe.gallery.size=100",
           "eval.every_steps=0")


def norm(values):
    return sum(v * v for v in values) ** 0.5


class World:
    """A folder with a tiny dataset, and runs beside it."""

    def __init__(self, records=240, per_shard=97):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="graticule-"))
        subprocess.run([BIN / "tiny_world", self.folder, str(records), str(per_shard)], check=True)

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def config(self, name, steps=12):
        path = self.folder / f"{name}.yaml"
        path.write_text(CONFIG.format(run=self.folder / name, world=self.folder, steps=steps))
        return path

    def command(self, name, *overrides, ranks=1, steps=12, verb="train"):
        program = [str(BIN / "graticule-train"), verb, "--config", str(self.config(name, steps)), *overrides]
        if ranks == 1:
            return program
        return ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks), *program]

    def train(self, name, *overrides, ranks=1, steps=12, timeout=300, environment=None):
        env = dict(MPI_ENV if ranks > 1 else ENV, **(environment or {}))
        return subprocess.run(self.command(name, *overrides, ranks=ranks, steps=steps), env=env, capture_output=True,
                              text=True, timeout=timeout)

    def embed(self, name, out, *words, ranks=1):
        """Stores what the frozen tower of the configuration gives for the dataset."""
        program = [str(BIN / "graticule-train"), "embed", "--config", str(self.config(name)), "--data", str(self.folder / "data"),
                   "--out", str(self.folder / out), *words]
        if ranks > 1:
            program = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks), *program]
        done = subprocess.run(program, env=MPI_ENV if ranks > 1 else ENV, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr

    def start(self, name, *overrides, ranks=1, steps=12):
        return subprocess.Popen(self.command(name, *overrides, ranks=ranks, steps=steps),
                                env=MPI_ENV if ranks > 1 else ENV, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True, start_new_session=True)

    def rows(self, name):
        """metrics.jsonl by step, training rows only."""
        rows = {}
        for line in (self.folder / name / "metrics.jsonl").read_text().splitlines():
            row = json.loads(line)
            if "loss" in row:
                rows[row["step"]] = row
        return rows

    def losses(self, name):
        return [row["loss"] for _, row in sorted(self.rows(name).items())]

    def status(self, name):
        return json.loads((self.folder / name / "status.json").read_text())

    def checkpoint(self, name, step):
        return self.folder / name / "ckpt" / f"step_{step:08d}"

    def fingerprint(self, name, step):
        """SHA-256 of every file of a checkpoint but the manifest, which repeats them."""
        folder = self.checkpoint(name, step)
        return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())
                if p.name != "MANIFEST.json"}


class TrainingTest(unittest.TestCase):
    """Trainings in a world of the class's own."""
    words = ()  # overrides of every training
    steps = 12

    @classmethod
    def setUpClass(cls):
        cls.world = World()
        cls.addClassCleanup(cls.world.close)

    def train(self, name, *overrides, ranks=1, steps=None, code=0):
        """What the training told; it must end with `code`."""
        done = self.world.train(name, *self.words, *overrides, ranks=ranks, steps=steps or self.steps)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stderr

    def again_from(self, source, name, step, *overrides, **how):
        """A copy of a run without what came after the step, and that trained anew."""
        run = self.world.folder / name
        shutil.copytree(self.world.folder / source, run)
        (run / "run.lock").unlink(missing_ok=True)
        for folder in (run / "ckpt").glob("step_*"):
            if int(folder.name[5:]) > step:
                shutil.rmtree(folder)
        return self.train(name, *overrides, **how)

    def gradients(self, name, step=1):
        """Adam's first moments: after one step a tenth of the gradient."""
        tensors = load(self.world.checkpoint(name, step) / "optimizer.safetensors")
        return {k: v for k, v in tensors.items() if k.endswith(".exp_avg")}

    def assert_same_gradients(self, one, other, what):
        total = norm([norm(v) for v in one.values()])
        self.assertEqual(one.keys(), other.keys())
        for name, values in one.items():
            if name.endswith("k_proj.bias.exp_avg"):  # the true gradient is zero
                continue
            # A scalar sums terms that cancel, each about as large as the whole gradient.
            floor = total if len(values) == 1 else 1e-6 * total
            error = norm([a - b for a, b in zip(values, other[name])]) / max(norm(values), floor)
            self.assertLess(error, 1e-5, f"{what}: {name}")

    def samples(self, name):
        """Per step, the digest over the global batch of which record stood at which position."""
        return [row["samples"] for _, row in sorted(self.world.rows(name).items())]

    def state(self, name, step):
        return json.loads((self.world.checkpoint(name, step) / "state.json").read_text())


@unittest.skipUnless(HAS_MPI, "no mpirun or no MPI module here")
class RankTest(TrainingTest):
    """Trainings on several ranks."""
