"""Trainings with the terms of DeCLIP: one objective on any number of ranks, resumed with a full bank, and left out of exports."""
import pathlib
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from safetensors_lite import load  # noqa: E402
from training_runs import BIN, ENV, HAS_MPI, World  # noqa: E402

GEOCLIP = ("recipe.kind=geoclip", "loss.kind=infonce", "loss.mask.km=1", "model.pooling=embeds", "optim.kind=adam", "recipe.outputs=32",
           "recipe.location.sigmas=[1, 16]", "recipe.location.features=32", "recipe.location.width=64", "recipe.negatives.queue=30",
           "recipe.gallery.size=100", "eval.every_steps=0")
SIMSIAM = ("recipe.views=2", "recipe.simsiam.weight=0.1", "recipe.simsiam.width=24", "recipe.simsiam.hidden=12")
NEAREST = ("recipe.nearest.weight=0.2", "recipe.nearest.bank=40", "recipe.nearest.min_km=0", "recipe.nearest.max_km=300", "recipe.nearest.after=48")
ALL = (*GEOCLIP, "recipe.main_weight=0.7", *SIMSIAM, *NEAREST)


def norm(values):
    return sum(v * v for v in values) ** 0.5


@unittest.skipUnless(HAS_MPI, "no mpirun or no MPI module here")
class Declip(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = World()

    @classmethod
    def tearDownClass(cls):
        cls.world.close()

    def train(self, name, *overrides, ranks=1, steps=1):
        done = self.world.train(name, *overrides, ranks=ranks, steps=steps)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_one_objective_on_any_number_of_ranks_and_in_micro_batches(self):
        """Without a learning rate the weights stay, and Adam's first moment is a sum over the gradients of all steps."""
        def moments(name):
            tensors = load(self.world.checkpoint(name, 4) / "optimizer.safetensors")
            return {k: v for k, v in tensors.items() if k.endswith(".exp_avg")}

        words = (*ALL, "optim.lr=0")
        self.train("one", *words, steps=4)
        one, rows = moments("one"), self.world.rows("one")
        for step, row in rows.items():
            terms = row["terms"]
            self.assertAlmostEqual(row["loss"], 0.7 * terms["infonce"] + 0.2 * terms["nearest"] + 0.1 * terms["simsiam"], delta=1e-5)
            self.assertEqual(terms["nearest"] > 0, step > 2, "the term starts after 48 samples")
            self.assertEqual(terms["neighbours"] > 0, step > 2)
        self.assertTrue(any(k.startswith("heads.simsiam.predictor.3") for k in one))
        total = norm([norm(v) for v in one.values()])
        for name, ranks, micro in (("2", 2, 0), ("4", 4, 0), ("cached", 1, 4), ("cached2", 2, 3)):
            self.train(name, *words, f"train.micro_batch={micro}", ranks=ranks, steps=4)
            for step, row in self.world.rows(name).items():
                for term, value in rows[step]["terms"].items():
                    self.assertAlmostEqual(row["terms"][term], value, delta=1e-5 * max(1, abs(value)), msg=f"{name} {step} {term}")
            other = moments(name)
            self.assertEqual(one.keys(), other.keys())
            for tensor, values in one.items():
                if tensor.endswith("k_proj.bias.exp_avg"):  # the true gradient is zero
                    continue
                # A scalar sums terms that cancel, each about as large as the whole gradient.
                floor = total if len(values) == 1 else 1e-6 * total
                error = norm([a - b for a, b in zip(values, other[tensor])]) / max(norm(values), floor)
                self.assertLess(error, 1e-5, f"{name}: {tensor}")

    def test_goes_on_with_a_full_bank(self):
        for ranks in (1, 2):
            straight, resumed = f"straight{ranks}", f"resumed{ranks}"
            self.train(straight, *ALL, "checkpoint.every_steps=6", ranks=ranks, steps=12)
            shutil.copytree(self.world.folder / straight, self.world.folder / resumed)
            shutil.rmtree(self.world.checkpoint(resumed, 12))
            (self.world.folder / resumed / "run.lock").unlink(missing_ok=True)
            self.train(resumed, *ALL, "checkpoint.every_steps=6", ranks=ranks, steps=12)
            before, after = self.world.rows(straight), self.world.rows(resumed)
            for step in range(7, 13):
                self.assertEqual(before[step]["terms"], after[step]["terms"], step)
            one, other = (self.world.fingerprint(name, 12) for name in (straight, resumed))
            for file in ("model.safetensors", "optimizer.safetensors", "recipe_state.safetensors"):
                self.assertEqual(one[file], other[file], file)
        state = load(self.world.checkpoint("straight1", 12) / "recipe_state.safetensors")
        self.assertEqual(state["nn_bank.ptr"], [12 * 24 % 40])
        for slot in range(40):
            self.assertAlmostEqual(norm(state["nn_bank.emb"][32 * slot:32 * slot + 32]), 1, places=5)
        # The bank and the queue were given the same places: the last ones stand in both.
        places = [[tuple(state[f"{which}.latlon"][i:i + 2]) for i in range(0, 2 * slots, 2)] for which, slots in (("nn_bank", 40), ("gps_queue", 30))]
        self.assertEqual(set(places[1]) - set(places[0]), set())

    def test_what_only_training_needs_stays_out_of_the_export(self):
        self.train("whole", *ALL, steps=2)
        run = self.world.folder / "whole"
        rows = []
        for words in (("export", "--run", run, "--out", run / "export"),
                      *(("eval", "--model", model, "--data", self.world.folder / "data", "--split", "val", "--out", self.world.folder / f"scored-{model.name}")
                        for model in (run, run / "export"))):
            done = subprocess.run([str(BIN / "graticule-train"), *map(str, words)], env=ENV, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
        for model in (run, run / "export"):
            rows.append((self.world.folder / f"scored-{model.name}" / "predictions.csv").read_text())
        self.assertEqual(rows[0], rows[1], "the export answers otherwise")
        self.assertEqual([k for k in load(run / "export" / "heads.safetensors") if "simsiam" in k], [])
        self.assertIn("heads.simsiam.projector.6.weight", load(self.world.checkpoint("whole", 2) / "model.safetensors"))

    def test_what_does_not_fit_together_is_refused(self):
        for words, hint in ((("recipe.simsiam.weight=0.1",), "views is 1, but simsiam.weight 0.1 compares views of an image"),
                            ((*SIMSIAM, "train.global_batch=1"), "needs a train.global_batch of 2 or more"),
                            (("recipe.nearest.weight=0.2", "loss.kind=triplet"), "loss.kind triplet has none"),
                            (("recipe.nearest.min_km=25",), "min_km must be below max_km"),
                            (("recipe.main_weight=0",), "main_weight")):
            done = self.world.train("refused", *GEOCLIP, *words)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(hint, done.stderr)


if __name__ == "__main__":
    unittest.main()
