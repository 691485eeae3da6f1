"""The moving average of the weights over trainings of the real program, against a recursion in doubles."""
import hashlib
import json
import math
import pathlib
import struct
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from safetensors_lite import load  # noqa: E402
from training_runs import BIN, ENV, HAS_MPI, TrainingTest  # noqa: E402

EVERY_STEP = ("checkpoint.every_steps=1", "checkpoint.keep=100", "eval.every_steps=6")


class Ema(TrainingTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # A rate of zero leaves the weights that every run of this seed starts with.
        done = cls.world.train("start", "optim.lr=0", steps=1)
        assert done.returncode == 0, done.stderr

    def tensors(self, name, step, file):
        return load(self.world.checkpoint(name, step) / f"{file}.safetensors")

    def assert_average(self, name, decay, first, last, start):
        """start: the weights at step `first`, from which the average began."""
        average = {k: list(v) for k, v in start.items()}
        for n, step in enumerate(range(first + 1, last + 1)):
            d = min(decay, (1 + n) / (10 + n))
            weights = self.tensors(name, step, "model")
            average = {k: [d * a + (1 - d) * w for a, w in zip(v, weights[k])] for k, v in average.items()}
        found = self.tensors(name, last, "ema")
        self.assertEqual(found.pop("updates"), [last - first])
        self.assertTrue(found)
        for key, values in found.items():
            scale = max(1e-3, max(map(abs, average[key])))
            self.assertLess(max(abs(a - b) for a, b in zip(values, average[key])), 1e-6 * scale, key)
        return found

    def test_it_is_what_the_weights_of_all_steps_say(self):
        start = self.tensors("start", 1, "model")
        for name, decay, words in (("slow", 0.999, ()), ("fast", 0.2, ("model.frozen_layers=1",))):
            self.train(name, f"optim.ema_decay={decay}", *EVERY_STEP, *words)
            found = self.assert_average(name, decay, 0, 12, start)
            frozen = [k for k in start if k.startswith("vision_model.encoder.layers.0.")]
            self.assertEqual([k in found for k in frozen], [not words] * len(frozen), "frozen weights are themselves")
        # It changes nothing in the training itself.
        self.train("without", *EVERY_STEP)
        self.assertEqual(self.world.losses("without"), self.world.losses("slow"))
        self.assertFalse((self.world.checkpoint("without", 12) / "ema.safetensors").exists())

    @unittest.skipUnless(HAS_MPI, "no mpirun or no MPI module here")
    def test_a_resume_goes_on_with_it_on_any_number_of_ranks(self):
        self.train("two", "optim.ema_decay=0.8", *EVERY_STEP, ranks=2)
        straight = self.world.fingerprint("two", 12)
        for ranks in (2, 1):
            name = f"again{ranks}"
            self.again_from("two", name, 5, "optim.ema_decay=0.8", *EVERY_STEP, ranks=ranks)
            if ranks == 2:
                self.assertEqual(self.world.fingerprint(name, 12), straight)
            self.assert_average(name, 0.8, 0, 12, self.tensors("start", 1, "model"))

    def test_switched_on_it_starts_as_the_weights_are_and_switched_off_it_goes(self):
        self.train("off", *EVERY_STEP)
        told = self.again_from("off", "on", 5, "optim.ema_decay=0.9", *EVERY_STEP)
        self.assertIn("there is no average of the weights in", told)
        self.assertIn("it starts as the weights of step 5", told)
        self.assertIn("optim.ema_decay: 0 -> 0.9", told)
        self.assert_average("on", 0.9, 5, 12, self.tensors("off", 5, "model"))
        told = self.again_from("on", "dropped", 8, *EVERY_STEP)
        self.assertIn("is dropped", told)
        self.assertTrue((self.world.checkpoint("dropped", 8) / "ema.safetensors").exists())
        self.assertFalse((self.world.checkpoint("dropped", 9) / "ema.safetensors").exists())
        self.assertEqual(self.world.losses("dropped"), self.world.losses("off"))

    def test_scores_of_weights_and_of_their_average_do_not_compete(self):
        """Without a learning rate all scores are equal, and the first one stays the best."""
        words = ("optim.lr=0", *EVERY_STEP)
        self.train("still", *words)
        self.assertEqual(self.state("still", 12)["best"]["step"], 6)
        self.again_from("still", "averaged", 8, "optim.ema_decay=0.9", *words)
        self.assertEqual(self.state("averaged", 12)["best"]["step"], 12)

    def run_verb(self, *words, code=0):
        done = subprocess.run([str(BIN / "graticule-train"), *map(str, words)], env=ENV, capture_output=True, text=True)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout if code == 0 else done.stderr

    def score(self, model, out, *words):
        self.run_verb("eval", "--model", model, "--data", self.world.folder / "data", "--split", "val", "--out", out, *words)
        report = json.loads((out / "metrics.json").read_text())
        return report["protocol"]["weights"], (out / "predictions.csv").read_text(), report["metrics"]["median_km"]

    def test_what_is_finished_uses_it_unless_asked_otherwise(self):
        # A rate that shakes the weights, so that their average answers otherwise.
        self.train("used", "optim.ema_decay=0.99", "optim.lr=0.05", "data.val_split=[val]", *EVERY_STEP)
        run, out = self.world.folder / "used", self.world.folder / "scores"
        step = self.world.checkpoint("used", 12)
        # An export of the start, into which the averages are written by hand.
        by_hand = self.world.folder / "by-hand"
        self.run_verb("export", "--run", self.world.folder / "start", "--out", by_hand)
        self.overwrite(by_hand, step / "ema.safetensors")
        average, raw, hand = (self.score(m, out / n, *w) for m, n, w in (
            (step, "ema", ()), (step, "raw", ("--weights", "raw")), (by_hand, "hand", ())))
        self.assertEqual((average[0], raw[0], hand[0]), ("ema", "raw", "raw"))
        self.assertEqual(average[1], hand[1])
        self.assertNotEqual(average[1], raw[1])
        # Validation during training is of the average, and leaves the weights as they were.
        val = json.loads((run / "eval" / "val" / "metrics.json").read_text())
        self.assertEqual(val["protocol"]["weights"], "ema")
        rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        last = [row["val"]["median_km"] for row in rows if "val" in row][-1]
        self.assertTrue(math.isclose(last, average[2], rel_tol=1e-9), (last, average[2]))
        self.train("unvalidated", "optim.ema_decay=0.99", "optim.lr=0.05", *EVERY_STEP[:2], "data.val=[]")
        self.assertEqual(self.world.losses("unvalidated"), self.world.losses("used"))
        # An export holds one of them and says which.
        for weights, scored in (("ema", average), ("raw", raw)):
            words = () if weights == "ema" else ("--weights", "raw")
            told = json.loads(self.run_verb("export", "--run", step, "--out", run / weights, "--json", *words))
            self.assertEqual(told["weights"], weights)
            self.assertEqual(self.score(run / weights, out / f"export-{weights}")[:2], scored[:2])
        self.assertIn("holds the moving average of the weights alone",
                      self.run_verb("eval", "--model", run / "ema", "--weights", "raw", code=2))
        photo = self.world.folder / "photo.jpg"
        photo.touch()
        self.assertIn("there is no moving average of the weights",
                      self.run_verb("predict", "--model", by_hand, "--weights", "ema", photo, code=2))
        towers = [json.loads(self.run_verb("embed", "--model", model, "--data", self.world.folder / "data", "--out",
                                           self.world.folder / f"store{i}", "--json", *words))["tower_sha256"]
                  for i, (model, words) in enumerate(((step, ()), (by_hand, ()), (step, ("--weights", "raw"))))]
        self.assertEqual(towers[0], towers[1])
        self.assertNotEqual(towers[0], towers[2])
        self.assertIn("--weights is \"best\", expected auto or ema or raw",
                      self.run_verb("eval", "--model", run, "--weights", "best", code=2))

    def test_a_dry_run_counts_its_memory(self):
        plans = [json.loads(self.world.train("dry", *words, "--dry-run", "--json").stdout) for words in ((), ("optim.ema_decay=0.9",))]
        self.assertAlmostEqual(plans[1]["memory_bytes"] - plans[0]["memory_bytes"], 4 * plans[0]["parameters"], delta=1)

    def overwrite(self, export, source):
        """Writes tensors over those of the same names, and mends the hashes."""
        values = source.read_bytes()
        found, base = header_of(values)
        for file in ("model.safetensors", "heads.safetensors"):
            data = bytearray((export / file).read_bytes())
            tensors, at = header_of(data)
            for name in tensors.keys() & found.keys() - {"__metadata__"}:
                (begin, end), (first, last) = tensors.pop(name)["data_offsets"], found.pop(name)["data_offsets"]
                data[at + begin:at + end] = values[base + first:base + last]
            (export / file).write_bytes(data)
        self.assertEqual(set(found) - {"__metadata__"}, {"updates"})
        names = [line.split()[1] for line in (export / "SHA256SUMS").read_text().splitlines()]
        (export / "SHA256SUMS").write_text("".join(
            f"{hashlib.sha256((export / name).read_bytes()).hexdigest()}  {name}\n" for name in names))


def header_of(data):
    """The header of a safetensors file, and where its values begin."""
    size, = struct.unpack("<Q", bytes(data[:8]))
    return json.loads(bytes(data[8:8 + size])), 8 + size


if __name__ == "__main__":
    unittest.main()
