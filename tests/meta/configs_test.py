"""Every shipped configuration loads: alone where it is whole, else in each documented combination."""
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
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

    def test_geoclip_loads_with_every_model_and_dataset_and_keeps_its_pooling(self):
        for model, data in itertools.product((ROOT / "configs/model").glob("*.yaml"), (ROOT / "configs/data").glob("*.yaml")):
            with self.subTest(model=model.name, data=data.name):
                result = subprocess.run([GRATICULE, "config", "resolve", ROOT / "configs/geoclip.yaml", model, data, "run.dir=runs/x"],
                                        cwd=ROOT, capture_output=True, text=True)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertIn("pooling: embeds", result.stdout)

    def test_every_point_of_every_study_loads(self):
        points = 0
        for path in sorted((ROOT / "experiments").rglob("*.json")):
            study = json.loads(path.read_text())
            if "points" not in study:
                continue
            self.assertIn(study["reference"], study["points"])
            for name, overrides in study["points"].items():
                words = [w for w in study["common"] + overrides if not w.startswith("model.init=")]  # made by a run
                with self.subTest(study=str(path), point=name):
                    result = check(*study["base"], overrides=[*words, "run.dir=runs/x"])
                    self.assertEqual(result.returncode, 0, result.stderr)
                    points += 1
        self.assertGreater(points, 15)

    def test_every_other_config_loads(self):
        for path in sorted((ROOT / "configs").rglob("*.yaml")):
            if path.parent.name in PARTS or path.name in ("geocells.yaml", "geoclip.yaml"):
                continue
            with self.subTest(config=str(path)):
                result = check(path)
                self.assertEqual(result.returncode, 0, result.stderr)

    @unittest.skipUnless((GRATICULE.parent / "graticule-train").exists(), "built without LibTorch")
    def test_full_size_configurations_fit_what_the_readme_imports(self):
        """Without extra tables: no head may ask for a column that the downloads do not have."""
        bin, folder = GRATICULE.parent, pathlib.Path(tempfile.mkdtemp(prefix="graticule-"))
        self.addCleanup(shutil.rmtree, folder)

        def run(*command):
            done = subprocess.run([str(word) for word in command], cwd=ROOT, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)

        run(bin / "graticule-data", "data", "synth", "--out", folder / "world", "--osv", "60", "--mp16", "60")
        for name in ("osv5m", "mp16pro"):
            data, cells = folder / name, folder / f"{name}.safetensors"
            run(bin / "graticule-data", "data", "import", name, "--root", folder / "world" / name, "--out", data)
            run(bin / "graticule-data", "data", "split", data, "--hold-out", "0", "--val", "0.1")
            run(bin / "graticule-data", "cells", "build", "--data", data, "--split", "train", "--kind", "s2", "--min-images", "1",
                "--max-images", "10", "--out", cells)
            run(bin / "graticule-train", "train", "--dry-run", "--config", "configs/geocells.yaml", "--config",
                "configs/model/clip-vit-b32.yaml", "--config", f"configs/data/{name}.yaml", f"data.train=[{data}]",
                f"data.val=[{data}]", f"cells.file={cells}", f"run.dir={folder}/run", "train.device=cpu",
                "train.global_batch=16", "train.micro_batch=4")

    def test_a_mistake_is_told_with_line_and_suggestion(self):
        result = check(ROOT / "configs/geocells.yaml", overrides=["run.dir=x", "optim.weight_decy=1"])
        self.assertEqual(result.returncode, 2)
        self.assertIn("optim.weight_decay", result.stderr)


if __name__ == "__main__":
    unittest.main()
