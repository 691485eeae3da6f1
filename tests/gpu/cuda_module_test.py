"""The CUDA module where no GPU is needed: what it exports and needs, how the program meets a machine without one, and,
with the complete torch wheel of the reference environment, that it opens and knows its versions. Where a GPU is, the
programs of this folder run."""
import ctypes.util
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from training_runs import World  # noqa: E402

BIN = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release")) / "bin"
DEPS = pathlib.Path(os.environ.get("GRATICULE_DEPS_DIR", ".deps")).resolve()
MODULE = BIN / "libgraticule_cuda.so"
NVIDIA = next(iter(DEPS.glob("oracles/lib/python3*/site-packages/nvidia")), None)


def has_gpu():
    return bool(shutil.which("nvidia-smi")) and subprocess.run(["nvidia-smi", "-L"], capture_output=True).returncode == 0


def check(mode, environment=None, program=None):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("OMPI_", "PMI", "SLURM_"))}
    return subprocess.run([program or BIN / "cuda_check", mode], env=dict(env, **(environment or {})), capture_output=True,
                          text=True, timeout=300)


def complete_wheel():
    """The libraries that the lean set of wheels leaves out."""
    return {"LD_LIBRARY_PATH": ":".join(str(p) for p in sorted(NVIDIA.glob("*/lib")))}


@unittest.skipUnless(MODULE.exists(), "built without a CUDA compiler")
class Module(unittest.TestCase):
    def test_exports_its_entry_and_nothing_of_ours(self):
        out = subprocess.run(["nm", "-D", "--defined-only", MODULE], capture_output=True, text=True, check=True).stdout
        ours = [line.split()[-1] for line in out.splitlines() if "graticule" in line]
        self.assertEqual(ours, ["graticule_cuda_module"])

    def test_needs_torch_nccl_and_the_runtime_but_no_driver_library(self):
        out = subprocess.run(["readelf", "-d", MODULE], capture_output=True, text=True, check=True).stdout
        needed = set(re.findall(r"NEEDED.*\[(.*)\]", out))
        self.assertLessEqual({"libtorch_cuda.so", "libc10_cuda.so", "libnccl.so.2", "libcudart.so.13"}, needed)
        self.assertFalse({n for n in needed if n.startswith(("libcuda.so", "libmpi", "libtorch.so"))}, needed)

    def test_device_code_is_there_for_each_architecture(self):
        dump = shutil.which("cuobjdump") or shutil.which("cuobjdump", path="/usr/local/cuda/bin")
        if not dump:
            sections = subprocess.run(["readelf", "-SW", MODULE], capture_output=True, text=True, check=True).stdout
            self.assertRegex(sections, r"\.nv_fatbin\s+PROGBITS")
            return
        out = subprocess.run([dump, "--list-elf", MODULE], capture_output=True, text=True, check=True).stdout
        self.assertIn("sm_80", out)
        self.assertIn("sm_90", out)

    def test_a_missing_module_is_named_with_the_remedy(self):
        with tempfile.TemporaryDirectory() as folder:
            alone = pathlib.Path(folder) / "cuda_check"
            shutil.copy(BIN / "cuda_check", alone)
            done = check("open", program=alone)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("libgraticule_cuda.so", done.stderr)
        self.assertIn("train.device=cpu", done.stderr)

    @unittest.skipUnless(NVIDIA, "no complete torch wheel: run scripts/setup.sh --oracles")
    def test_opens_beside_the_complete_wheel_and_knows_its_versions(self):
        done = check("version", complete_wheel())
        self.assertEqual((done.returncode, done.stdout), (0, "CUDA 13.0, NCCL 2.28.9\n"), done.stderr)

    @unittest.skipUnless(NVIDIA, "no complete torch wheel: run scripts/setup.sh --oracles")
    @unittest.skipIf(has_gpu(), "a GPU is here")
    def test_nvjpeg_is_found_with_all_its_functions(self):
        done = check("open", complete_wheel(), program=BIN / "jpeg_check")
        self.assertIn("cudaSetDevice", done.stderr)  # the first call after the library was opened

    @unittest.skipUnless(NVIDIA, "no complete torch wheel: run scripts/setup.sh --oracles")
    @unittest.skipIf(ctypes.util.find_library("nvjpeg"), "the system has an nvJPEG of its own")
    def test_a_missing_nvjpeg_is_named_with_the_remedy(self):
        with tempfile.TemporaryDirectory() as folder:
            alone = pathlib.Path(folder) / "jpeg_check"
            shutil.copy(BIN / "jpeg_check", alone)
            module = MODULE.read_bytes()
            self.assertIn(b"/cuda/nvidia/cu13/lib", module)
            (alone.parent / MODULE.name).write_bytes(module.replace(b"/cuda/nvidia/cu13/lib", b"/cuda/nvidia/none/lib"))
            done = check("open", complete_wheel(), program=alone)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("libnvjpeg.so.13 cannot be opened", done.stderr)
        self.assertIn("data.decode=exact", done.stderr)

    def test_the_jpeg_decoder_is_right_on_a_device_made_of_plain_memory(self):
        for environment in ({}, {"FAKE_NVJPEG_WITHOUT_ENGINES": "1"}):
            done = check("", environment, program=BIN / "jpeg_host_check")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("ok", done.stdout)

    @unittest.skipUnless(NVIDIA, "no complete torch wheel: run scripts/setup.sh --oracles")
    @unittest.skipIf(has_gpu(), "a GPU is here")
    def test_without_a_gpu_the_error_says_so(self):
        done = check("open", complete_wheel())
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertRegex(done.stderr, "have no GPU of their own.*no NVIDIA driver")


@unittest.skipUnless(MODULE.exists(), "built without a CUDA compiler")
@unittest.skipUnless(has_gpu(), "no GPU here: kernels and NCCL are not run")
class Gpu(unittest.TestCase):
    environment = complete_wheel() if NVIDIA else {}

    def run_mode(self, mode, program=None):
        done = check(mode, self.environment, program)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("ok", done.stdout)

    def test_crops_decoded_on_the_gpu_are_near_those_of_the_cpu(self):
        self.run_mode("compare", BIN / "jpeg_check")

    def test_collectives_of_nccl_in_a_world_of_one(self):
        self.run_mode("nccl")

    def test_normalise_kernel_equals_the_cpu(self):
        self.run_mode("normalise")

    def test_contrastive_kernels_and_losses_equal_fp64_on_the_cpu(self):
        self.run_mode("contrastive")

    def test_bf16_step_stays_near_fp32_on_the_cpu(self):
        self.run_mode("step")

    def test_training_follows_the_cpu(self):
        world = World()
        self.addCleanup(world.close)
        losses = {}
        for name, tolerance, *overrides in (("cpu", 0), ("fp32", 1e-3, "train.device=cuda"),
                                            ("nvjpeg", 2e-2, "train.device=cuda", "data.decode=nvjpeg"),
                                            ("bf16", 2e-2, "train.device=cuda", "train.precision=bf16")):
            done = world.train(name, *overrides, steps=20, environment=self.environment)
            self.assertEqual(done.returncode, 0, done.stderr)
            losses[name] = world.losses(name)
            for cpu, here in zip(losses["cpu"], losses[name], strict=True):
                self.assertLessEqual(abs(here - cpu), tolerance * abs(cpu), name)

    @unittest.skipUnless(shutil.which("mpirun"), "no mpirun here")
    def test_collectives_of_nccl_between_gpus(self):
        count = len(subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True).stdout.splitlines())
        if count < 2:
            self.skipTest("one GPU: NCCL between GPUs is not run")
        env = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", **self.environment)
        done = subprocess.run(["mpirun", "--bind-to", "none", "-n", str(count), BIN / "cuda_check", "nccl"], env=env,
                              capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
