"""Trainings with the terms of DeCLIP: one objective on any number of ranks, resumed with a full bank, and left out of exports."""
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from safetensors_lite import load  # noqa: E402
from training_runs import BIN, ENV, GEOCLIP, RankTest, norm  # noqa: E402

SIMSIAM = ("recipe.views=2", "recipe.simsiam.weight=0.1", "recipe.simsiam.width=24", "recipe.simsiam.hidden=12")
NEAREST = ("recipe.nearest.weight=0.2", "recipe.nearest.bank=40", "recipe.nearest.min_km=0", "recipe.nearest.max_km=300", "recipe.nearest.after=48")
ALL = (*GEOCLIP, "loss.kind=infonce", "loss.mask.km=1", "recipe.main_weight=0.7", *SIMSIAM, *NEAREST)


class Declip(RankTest):
    steps = 1

    def test_one_objective_on_any_number_of_ranks_and_in_micro_batches(self):
        """Without a learning rate the weights stay, and Adam's first moment is a sum over the gradients of all steps."""
        words = (*ALL, "optim.lr=0")
        self.train("one", *words, steps=4)
        one, rows = self.gradients("one", 4), self.world.rows("one")
        for step, row in rows.items():
            terms = row["terms"]
            self.assertAlmostEqual(row["loss"], 0.7 * terms["infonce"] + 0.2 * terms["nearest"] + 0.1 * terms["simsiam"], delta=1e-5)
            self.assertEqual(terms["nearest"] > 0, step > 2, "the term starts after 48 samples")
            self.assertEqual(terms["neighbours"] > 0, step > 2)
        self.assertTrue(any(k.startswith("heads.simsiam.predictor.3") for k in one))
        for name, ranks, micro in (("2", 2, 0), ("4", 4, 0), ("cached", 1, 4), ("cached2", 2, 3)):
            self.train(name, *words, f"train.micro_batch={micro}", ranks=ranks, steps=4)
            for step, row in self.world.rows(name).items():
                for term, value in rows[step]["terms"].items():
                    self.assertAlmostEqual(row["terms"][term], value, delta=1e-5 * max(1, abs(value)), msg=f"{name} {step} {term}")
            self.assert_same_gradients(one, self.gradients(name, 4), name)

    def test_goes_on_with_a_full_bank(self):
        for ranks in (1, 2):
            straight, resumed = f"straight{ranks}", f"resumed{ranks}"
            self.train(straight, *ALL, "checkpoint.every_steps=6", ranks=ranks, steps=12)
            self.again_from(straight, resumed, 6, *ALL, "checkpoint.every_steps=6", ranks=ranks, steps=12)
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
                            ((*SIMSIAM, "data.augment.kind=centre_crop"), "with data.augment.kind centre_crop they are the same pixels"),
                            (("recipe.nearest.min_km=25",), "min_km must be below max_km"),
                            (("recipe.main_weight=0",), "main_weight")):
            done = self.world.train("refused", *GEOCLIP, *words)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(hint, done.stderr)


if __name__ == "__main__":
    unittest.main()
