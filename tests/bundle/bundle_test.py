"""The relocatable bundle in an empty root: nothing there but the unpacked archive, /proc and, for graticule-train, /dev and the
torch folder. Needs the right to mount and to change the root; skipped with a reason elsewhere."""
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("GRATICULE_BUILD", ROOT / "build/release")).resolve()
TORCH = pathlib.Path(os.environ.get("GRATICULE_DEPS_DIR", ROOT / ".deps")).resolve() / "torch"


def may_change_root():
    return os.geteuid() == 0 and subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0


@unittest.skipUnless(may_change_root(), "changing the root needs rights that are not given here")
class EmptyRoot(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        done = subprocess.run([ROOT / "scripts/bundle.sh", BUILD, cls.folder / "dist"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        cls.archive = next((cls.folder / "dist").glob("*.tar.gz"))
        with tarfile.open(cls.archive) as archive:
            archive.extractall(cls.folder / "root", filter="data")
        unpacked = next((cls.folder / "root").iterdir())
        cls.bundle = unpacked.name
        for name in ("proc", "dev", "site/torch", "site/nvidia"):
            (cls.folder / "root" / name).mkdir(parents=True)

    def run_inside(self, *command, torch=False, environment=()):
        root = self.folder / "root"
        script = f"mount -t proc proc {root}/proc"
        if torch:
            script += "".join(f" && mount --bind {source} {root}/{target}" for source, target in
                              ((TORCH / "torch", "site/torch"), (TORCH / "nvidia", "site/nvidia"), ("/dev", "dev")))
        script += f' && exec env -i {" ".join(environment)} {shutil.which("chroot")} {root} "$@"'
        return subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", *command], capture_output=True, text=True, timeout=120)

    def test_is_small(self):
        self.assertLess(self.archive.stat().st_size, 60 * 1024 * 1024)

    def test_the_root_is_empty(self):
        self.assertNotEqual(self.run_inside("/bin/sh", "-c", "true").returncode, 0)

    def test_graticule_starts(self):
        done = self.run_inside(f"/{self.bundle}/bin/graticule", "--help")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("train", done.stdout)

    def test_graticule_hands_over_to_graticule_data(self):
        done = self.run_inside(f"/{self.bundle}/bin/graticule-data", "--help")
        self.assertEqual(done.returncode, 0, done.stderr)
        done = self.run_inside(f"/{self.bundle}/bin/graticule", "data", "verify", "--help")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("--decode", done.stdout)
        done = self.run_inside(f"/{self.bundle}/bin/graticule", "data", "no-such-verb")
        self.assertEqual(done.returncode, 2)
        self.assertIn('unknown verb "data no-such-verb"', done.stderr)

    def test_train_without_torch_says_what_to_install(self):
        if not (BUILD / "bin/graticule-train").exists():
            self.skipTest("graticule-train is not built")
        done = self.run_inside(f"/{self.bundle}/bin/graticule-train", "--version")
        self.assertEqual(done.returncode, 2)
        self.assertIn("pip install torch==2.11.0", done.stderr)

    def test_train_runs_with_an_installed_torch(self):
        if not (BUILD / "bin/graticule-train").exists():
            self.skipTest("graticule-train is not built")
        done = self.run_inside(f"/{self.bundle}/bin/graticule-train", "--version", torch=True,
                               environment=["GRATICULE_TORCH=/site/torch"])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("2.11.0", done.stdout)


class Install(unittest.TestCase):
    def test_installed_programs_start_from_another_place(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["cmake", "--install", BUILD, "--prefix", folder], check=True, capture_output=True)
            done = subprocess.run([f"{folder}/bin/graticule", "--help"], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            if (BUILD / "bin/libgraticule_mpi.so").exists():
                self.assertTrue(list(pathlib.Path(folder).glob("lib/graticule/libgraticule_mpi.so")))
            if (BUILD / "bin/graticule-train").exists():
                done = subprocess.run([f"{folder}/bin/graticule-train", "--version"], capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
