"""Files that are cut under a running training: what it holds in memory is not missed, what it still needs ends it with exit code 3."""
import os
import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from training_runs import World  # noqa: E402

STEPS = 400


class CutFiles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # Images of some 2 KiB in shards that are large enough to be mapped.
        cls.world = World(records=1600, per_shard=800)

    @classmethod
    def tearDownClass(cls):
        cls.world.close()

    def run_and_cut(self, name, cut, *overrides):
        """Starts a training, cuts the files while it takes steps, and returns (exit code, stderr, the maps it had)."""
        whole = {path: path.read_bytes() for path in cut}
        run = self.world.start(name, *overrides, steps=STEPS)
        metrics = self.world.folder / name / "metrics.jsonl"
        try:
            for _ in range(600):
                if metrics.exists() and metrics.stat().st_size > 0:
                    break
                self.assertIsNone(run.poll(), "ended before its first step")
                time.sleep(0.05)
            maps = pathlib.Path(f"/proc/{run.pid}/maps").read_text()
            for path in cut:
                os.truncate(path, 100)
            _, told = run.communicate(timeout=300)
        finally:
            run.kill()
            for path, data in whole.items():
                path.write_bytes(data)
        return run.returncode, told, maps

    def test_labels_orders_and_places_are_in_memory(self):
        folder = self.world.folder / "data"
        done = self.world.train("whole", steps=STEPS)
        self.assertEqual(done.returncode, 0, done.stderr)
        code, told, maps = self.run_and_cut("cut", [folder / "index.safetensors", self.world.folder / "cells.safetensors"])
        self.assertEqual(code, 0, told)
        self.assertNotIn(".safetensors", maps)
        self.assertEqual(self.world.losses("cut"), self.world.losses("whole"))

    def test_images_that_are_gone_end_the_run(self):
        code, told, maps = self.run_and_cut("gone", sorted((self.world.folder / "data").glob("*.h5")))
        self.assertIn(".h5", maps)
        self.assertEqual(code, 3, told)
        self.assertIn(".h5", told)
        self.assertEqual(self.world.status("gone")["exit_code"], 3)


if __name__ == "__main__":
    unittest.main()
