"""Every shipped configuration loads: alone where it is whole, else in each documented combination."""
import itertools
import os
import pathlib
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
GRATICULE = pathlib.Path(os.environ.get("GRATICULE_BUILD", ROOT / "build/release")) / "bin/graticule"
PARTS = {"model", "data"}  # folders of fragments; everything else in configs/ is whole by itself or with them


def check(*files, overrides=()):
    return subprocess.run([GRATICULE, "config", "check", *map(str, files), *overrides], cwd=ROOT, capture_output=True, text=True)


class Configs(unittest.TestCase):
    def test_full_size_combinations_load(self):
        models, datasets = sorted((ROOT / "configs/model").glob("*.yaml")), sorted((ROOT / "configs/data").glob("*.yaml"))
        self.assertGreaterEqual(len(models), 2)
        self.assertGreaterEqual(len(datasets), 2)
        for model, data in itertools.product(models, datasets):
            with self.subTest(model=model.name, data=data.name):
                result = check(ROOT / "configs/geocells.yaml", model, data, overrides=["run.dir=runs/x"])
                self.assertEqual(result.returncode, 0, result.stderr)

    def test_every_other_config_loads(self):
        for path in sorted((ROOT / "configs").rglob("*.yaml")):
            if path.parent.name in PARTS or path.name == "geocells.yaml":
                continue
            with self.subTest(config=str(path)):
                result = check(path)
                self.assertEqual(result.returncode, 0, result.stderr)

    def test_a_mistake_is_told_with_line_and_suggestion(self):
        result = check(ROOT / "configs/geocells.yaml", overrides=["run.dir=x", "optim.weight_decy=1"])
        self.assertEqual(result.returncode, 2)
        self.assertIn("optim.weight_decay", result.stderr)


if __name__ == "__main__":
    unittest.main()
