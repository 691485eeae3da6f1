"""Storage that fails now and then is survived and counted; storage that fails for good ends the run with exit code 3."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from training_runs import BIN, World  # noqa: E402

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

    def test_storage_that_fails_for_good_ends_the_run(self):
        done = self.train("broken", FLAKY_AFTER="400")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn(".h5", done.stderr)
        self.assertIn("Input/output error", done.stderr)
        self.assertEqual(self.world.status("broken")["exit_code"], 3)


if __name__ == "__main__":
    if PRELOAD is None:
        sys.exit("libflaky_reads.so was not built")
    unittest.main()
