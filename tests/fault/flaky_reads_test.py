"""Storage that fails now and then is survived and counted; storage that fails for good ends the run with exit code 3."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from training_runs import BIN, ENV, World  # noqa: E402

PRELOAD = next(iter(BIN.parent.glob("**/libflaky_reads.so")), None)


class FlakyReads(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = World()
        done = cls.world.train("good", steps=30)
        assert done.returncode == 0, done.stderr

    @classmethod
    def tearDownClass(cls):
        cls.world.close()

    def train(self, name, **faults):
        return self.world.train(name, steps=30, environment={"LD_PRELOAD": str(PRELOAD), **faults})

    def test_failing_and_short_reads_change_nothing_but_a_count(self):
        done = self.train("flaky", FLAKY_EVERY="250")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.world.losses("flaky"), self.world.losses("good"))
        last = self.world.rows("flaky")[30]
        # 30 batches of 24 images, beside what opening the shards reads; a short read is just continued.
        self.assertGreaterEqual(last["data"]["repeated_reads"], 3)
        self.assertEqual(last["bad_records"], 0)
        self.assertEqual(self.world.rows("good")[30]["data"]["repeated_reads"], 0)

    def test_a_stall_is_waited_for_and_shows_as_waiting(self):
        done = self.train("stalled", FLAKY_STALL_S="5")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.world.losses("stalled"), self.world.losses("good"))
        waits = [row["data_wait_frac"] for row in self.world.rows("stalled").values()]
        reads = [row["data"]["read_s"] for row in self.world.rows("stalled").values()]
        self.assertGreater(max(waits), 0.5)
        self.assertGreater(sum(reads), 4.9)
        worst = max(self.world.rows("stalled").values(), key=lambda row: row["data_wait_frac"])
        self.assertEqual(worst["data_culprit"], "read")
        self.assertRegex(done.stderr, r"data wait \d+ % \((read|decode), \d+ ready\)")

    def test_storage_that_fails_for_good_ends_the_run(self):
        done = self.train("broken", FLAKY_AFTER="400")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn(".h5", done.stderr)
        self.assertIn("Input/output error", done.stderr)
        self.assertEqual(self.world.status("broken")["exit_code"], 3)


class FlakyEmbeddings(unittest.TestCase):
    """A training on stored embeddings: 12 parts of 2 pages, each page read once, rows copied from a mapping."""

    FROZEN = ("model.frozen_layers=-1", "data.augment.kind=centre_crop")

    @classmethod
    def setUpClass(cls):
        cls.world = World(records=1200, per_shard=100)
        cls.world.embed("frozen", "rows", *cls.FROZEN)
        cls.overrides = (*cls.FROZEN, *(f"data.{part}_embeddings=[{cls.world.folder}/rows]" for part in ("train", "val")))
        done = cls.world.train("good", *cls.overrides, steps=50)
        assert done.returncode == 0, done.stderr

    @classmethod
    def tearDownClass(cls):
        cls.world.close()

    def train(self, name, **faults):
        return self.world.train(name, *self.overrides, steps=50,
                                environment={"LD_PRELOAD": str(PRELOAD), "FLAKY_FILES": ".emb", **faults})

    def test_failing_and_short_reads_change_nothing_but_a_count(self):
        done = self.train("flaky", FLAKY_EVERY="9")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.world.losses("flaky"), self.world.losses("good"))
        repeated = [row["data"]["repeated_reads"] for row in self.world.rows("flaky").values()]
        self.assertGreaterEqual(repeated[-1], 3)
        self.assertEqual(self.world.rows("good")[50]["data"]["repeated_reads"], 0)
        self.assertEqual({row["data_culprit"] for row in self.world.rows("good").values()}, {"read"})

    def test_storage_that_fails_for_good_ends_the_run(self):
        done = self.train("broken", FLAKY_AFTER="20")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn(".emb", done.stderr)
        self.assertIn("Input/output error", done.stderr)
        self.assertEqual(self.world.status("broken")["exit_code"], 3)


class FlakyArchives(unittest.TestCase):
    """An import whose zip, of 24 blocks of reading ahead, stands on such storage."""

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="graticule-")
        cls.folder = pathlib.Path(cls.temporary.name)
        subprocess.run([BIN / "graticule-data", "data", "synth", "--out", cls.folder / "world", "--osv", "24", "--mp16", "1"],
                       check=True, capture_output=True)
        path = cls.folder / "world/osv5m/images/train/00.zip"
        with zipfile.ZipFile(path) as archive:
            images = {name: archive.read(name) for name in archive.namelist() if name.endswith(".jpg")}
        with zipfile.ZipFile(path, "w") as archive:
            for k, (name, image) in enumerate(images.items()):
                archive.writestr(name, image + bytes([k]) * 1_000_000)  # bytes behind the picture belong to the file
        done = cls.import_to("good")
        assert done.returncode == 0, done.stderr

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    @classmethod
    def import_to(cls, name, **faults):
        environment = dict(ENV, **({"LD_PRELOAD": str(PRELOAD), "FLAKY_FILES": ".zip", **faults} if faults else {}))
        return subprocess.run([BIN / "graticule-data", "data", "import", "osv5m", "--root", cls.folder / "world/osv5m", "--out",
                               cls.folder / name, "--records-per-shard", "4"], env=environment, capture_output=True, text=True)

    def shards(self, name):
        return json.loads((self.folder / name / "manifest.json").read_text())["shards"]

    def test_failing_and_short_reads_change_nothing(self):
        done = self.import_to("flaky", FLAKY_EVERY="20")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.shards("flaky"), self.shards("good"))

    def test_an_archive_that_fails_for_good_ends_the_import_which_can_go_on(self):
        done = self.import_to("broken", FLAKY_AFTER="12")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("00.zip", done.stderr)
        self.assertIn("Input/output error", done.stderr)
        journal = json.loads((self.folder / "broken/import.journal.json").read_text())
        self.assertGreater(len(journal["shards"]), 0)
        self.assertLess(len(journal["shards"]), 6)
        done = self.import_to("broken")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.shards("broken"), self.shards("good"))


if __name__ == "__main__":
    if PRELOAD is None:
        sys.exit("libflaky_reads.so was not built")
    unittest.main()
