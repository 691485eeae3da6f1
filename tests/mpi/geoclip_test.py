"""Contrastive trainings: one gradient on any number of ranks and in micro-batches, resumed with a full queue."""
import json
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from safetensors_lite import load  # noqa: E402
from training_runs import BIN, ENV, GEOCLIP, RankTest, norm  # noqa: E402

KINDS = ("infonce", "weighted_seed", "weighted_add", "dcl", "hcl", "triplet", "siglip")
BANDS = "recipe.negatives.bands=[{km: [1, 300], count: 3}, {km: [2500, 0], count: 4}]"


class Geoclip(RankTest):
    words, steps = GEOCLIP, 1

    def compare(self, label, kind, *overrides):
        words = (f"loss.kind={kind}", *overrides)
        self.train(f"{label}.1", *words)
        one = self.gradients(f"{label}.1")
        for name, ranks, micro in (("2", 2, 0), ("4", 4, 0), ("cached", 1, 4), ("cached2", 2, 3)):
            self.train(f"{label}.{name}", *words, f"train.micro_batch={micro}", ranks=ranks)
            self.assert_same_gradients(one, self.gradients(f"{label}.{name}"), f"{words} {name}")

    def test_each_loss_with_queue_and_mask(self):
        for kind in KINDS:
            with self.subTest(kind):
                self.compare(kind, kind, "loss.gps_to_image=0.5", "loss.mask.km=25", "loss.beta=1")

    def test_negatives_drawn_for_all_and_for_single_rows_and_two_views(self):
        for mode in ("shared", "per_row"):
            for kind in KINDS:
                with self.subTest(f"{mode} {kind}"):
                    self.compare(f"{mode}-{kind}", kind, BANDS, f"recipe.negatives.mode={mode}", "recipe.views=2")

    def test_goes_on_with_a_full_queue_also_on_other_ranks(self):
        words = ("loss.kind=infonce", BANDS, "checkpoint.every_steps=6")
        self.train("straight", *words, steps=12)
        for ranks in (1, 2):
            name = f"resumed{ranks}"
            self.again_from("straight", name, 6, *words, ranks=ranks, steps=12)
            before, after = self.world.rows("straight"), self.world.rows(name)
            for step in range(7, 13):
                if ranks == 1:
                    self.assertEqual(before[step]["loss"], after[step]["loss"], step)
                self.assertAlmostEqual(before[step]["loss"], after[step]["loss"], delta=1e-4 * abs(before[step]["loss"]))
        self.assertEqual(self.world.fingerprint("straight", 12)["recipe_state.safetensors"],
                         self.world.fingerprint("resumed2", 12)["recipe_state.safetensors"])
        same = {k: v for k, v in self.world.fingerprint("straight", 12).items() if k != "state.json"}
        self.assertEqual(same, {k: v for k, v in self.world.fingerprint("resumed1", 12).items() if k != "state.json"})

    def test_the_queue_holds_the_last_places_without_noise(self):
        self.train("queue", "loss.kind=infonce", "checkpoint.every_steps=2", steps=2)
        state = load(self.world.checkpoint("queue", 2) / "recipe_state.safetensors")
        self.assertEqual(state["gps_queue.ptr"], [48 % 30])
        self.assertEqual(state["gps_queue.filled"], [30])
        gallery = load(self.world.folder / "queue" / "gallery.safetensors")["latlon"]
        known = {tuple(gallery[i:i + 2]) for i in range(0, len(gallery), 2)}
        queued = state["gps_queue.latlon"]
        places = [tuple(queued[i:i + 2]) for i in range(0, len(queued), 2)]
        self.assertGreater(sum(p in known for p in places), 5, "hardly a place of the queue is one of the data's")

    def curve(self):
        """A variogram by which some pairs are more alike than expected, and others less."""
        path = self.world.folder / "by-hand.json"
        bins = [[0, 500, 40, 0.1, 0.1, 200, 0.01, 40], [500, 20020, 40, 0.3, 0.1, 6000, 0.01, 40]]
        path.write_text(json.dumps({"format": "graticule-variogram", "version": 1, "model": "exponential", "c0": 0.05, "c": 0.3, "a": 700.0, "rho": 2100.0, "bins": bins}))
        return f"loss.pair.file={path}"

    def test_the_queue_keeps_what_images_look_like(self):
        ways = {"hard": ("loss.kind=infonce", "loss.pair.use=logit", "loss.pair.kappa_hard=0.5", "loss.gps_to_image=0.5", "recipe.views=2"),
                "seed5": ("loss.kind=infonce", "loss.pair.use=seed5"), "seed2": ("loss.kind=weighted_seed", "loss.pair.use=seed2"),
                "beta": ("loss.kind=hcl", "loss.pair.use=beta", "loss.beta=1")}
        for way, words in ways.items():
            words = (*words, self.curve(), "checkpoint.every_steps=3")
            self.train(way, *words, steps=6)
            for ranks, micro in ((2, 0), (4, 0), (2, 3)):
                self.train(f"{way}.{ranks}.{micro}", *words, f"train.micro_batch={micro}", ranks=ranks, steps=6)
                for a, b in zip(self.world.losses(way), self.world.losses(f"{way}.{ranks}.{micro}")):
                    self.assertAlmostEqual(a, b, delta=1e-4 * abs(a), msg=f"{way} {ranks}")
        state = load(self.world.checkpoint("hard", 6) / "recipe_state.safetensors")
        slots, width = 30, len(state["gps_queue.feat"]) // 30
        for s in range(slots):
            self.assertAlmostEqual(norm(state["gps_queue.feat"][s * width:(s + 1) * width]), 1, delta=2e-3)
        self.assertNotIn("gps_queue.feat", load(self.world.checkpoint("beta", 6) / "recipe_state.safetensors"))
        plain = ("loss.kind=infonce", "loss.pair.use=logit", "loss.gps_to_image=0.5", "recipe.views=2", self.curve())
        self.train("hard-without", *plain, steps=6)
        self.assertNotAlmostEqual(self.world.losses("hard")[-1], self.world.losses("hard-without")[-1], places=3)

        self.again_from("hard", "hard-again", 3, *ways["hard"], self.curve(), "checkpoint.every_steps=3", steps=6)
        one, again = (self.world.fingerprint(name, 6) for name in ("hard", "hard-again"))
        self.assertEqual(one["recipe_state.safetensors"], again["recipe_state.safetensors"])
        self.assertEqual(one["model.safetensors"], again["model.safetensors"])

    def test_a_trained_model_is_evaluated_exported_and_asked(self):
        self.train("whole", "loss.kind=infonce", "eval.every_steps=10", steps=40)
        run = self.world.folder / "whole"

        def tool(program, *words):
            done = subprocess.run([str(BIN / program), *map(str, words)], env=ENV, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            return done.stdout

        tool("graticule-train", "eval", "--model", run, "--crops", "ten")
        report = json.loads((run / "eval" / "val-ten-crops" / "metrics.json").read_text())
        gallery = load(run / "gallery.safetensors")["latlon"]
        self.assertEqual(len(report["hashes"]["gallery_sha256"]), 64)
        self.assertEqual(report["protocol"]["gallery_places"], str(len(gallery) // 2))
        self.assertEqual(report["ceiling"]["acc_2500"], 1.0)
        for name, share in report["ceiling"].items():
            if name.startswith("acc_"):
                self.assertLessEqual(report["metrics"][name], share, name)
        tool("graticule-train", "export", "--run", run, "--out", run / "export")
        rows = []
        for model in (run, run / "export"):
            out = self.world.folder / f"scored-{model.name}"
            tool("graticule-train", "eval", "--model", model, "--data", self.world.folder / "data", "--split", "val", "--out", out)
            rows.append((out / "predictions.csv").read_text())
        self.assertEqual(rows[0], rows[1], "the export answers otherwise")
        photo = self.world.folder / "photo.jpg"
        tool("graticule-data", "data", "inspect", self.world.folder / "data", "--record", "4", "--image", photo)
        for words, near_km in (((), 25), (("--near-km", "30000"), 30000)):
            answers = json.loads(tool("graticule-train", "predict", "--model", run / "export", "--json", *words, photo))
            self.assertEqual(answers["near_km"], near_km)
            for place in answers["photos"][0]["places"]:
                self.assertGreaterEqual(place["near_probability"], place["probability"])
                if near_km == 30000:
                    self.assertAlmostEqual(place["near_probability"], 1, places=5)
        # 48 images: a batch of 32, and one that is not full.
        told = tool("graticule-train", "eval", "--model", run, "--hardest", "48")
        self.assertIn("hardest negatives of 48 images", told)
        page, known = (run / "eval/val/hardest.html").read_text(), (run / "eval/val/predictions.csv").read_text().splitlines()[1:]
        for line in known:
            self.assertEqual(page.count(f"<figcaption>{line.split(',')[0]}<br>"), 1, line)

    def test_a_tau_that_amplifies_is_told(self):
        told = self.train("tau", "loss.kind=hcl", "loss.tau_plus=0.1", BANDS)
        # n = 23 + 30 + 24 * 7 = 221, 0.1 * 221 / 0.9 = 24.6
        self.assertIn("with 221 negatives makes a row's gradient up to 25 times", told)
        self.assertIn("draws candidates by distance", told)
        self.assertNotIn("tau_plus", self.train("tau2", "loss.kind=hcl", "loss.tau_plus=0.001"))

    def variogram(self):
        curve = self.world.folder / "curve"
        if curve.exists():
            return curve / "variogram.json"
        done = subprocess.run([str(BIN / "graticule-data"), "variogram", "--data", str(self.world.folder / "data"), "--split", "train", "--label",
                               "climate", "--pairs", "2000", "--out", str(curve)], env=ENV, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return curve / "variogram.json"

    def test_pairs_harden_by_a_curve_alike_on_any_number_of_ranks(self):
        pair = ("loss.beta=1", BANDS, f"loss.pair.file={self.variogram()}")
        for kind, use in (("weighted_add", "beta"), ("hcl", "beta"), ("hcl", "beta_near")):
            with self.subTest(f"{kind} {use}"):
                label = f"{use}-{kind}"
                self.compare(label, kind, *pair, f"loss.pair.use={use}")
                self.train(f"{label}.none", f"loss.kind={kind}", *pair[:2])
                self.assertNotAlmostEqual(self.world.losses(f"{label}.1")[0], self.world.losses(f"{label}.none")[0], places=4)

    def test_a_variogram_stays_with_the_run(self):
        file = self.variogram()
        words = ("loss.kind=infonce", "loss.pair.use=logit", f"loss.pair.file={file}")
        for ranks in (1, 2):
            self.train(f"pair{ranks}", *words, ranks=ranks, steps=4)
        one, two = self.world.losses("pair1"), self.world.losses("pair2")
        for a, b in zip(one, two):
            self.assertAlmostEqual(a, b, delta=1e-5 * abs(a))
        self.train("nopair", "loss.kind=infonce", steps=4)
        self.assertNotAlmostEqual(one[0], self.world.losses("nopair")[0], places=4)
        state = self.state("pair1", 4)
        known = json.loads(file.read_text())
        self.assertEqual(state["recipe"]["variogram"]["c"], known["c"])
        self.assertIn("pair.use logit is for kind infonce", self.train("pairs", "loss.kind=siglip", *words[1:], code=2))

    def test_what_does_not_fit_together_is_refused(self):
        for words, hint in ((("loss.kind=geocells",), "loss.kind geocells does not fit recipe.kind geoclip"),
                            (("recipe.kind=geocells",), "model.pooling embeds is for recipe.kind geoclip"),
                            (("loss.kind=infonce", "recipe.location.frozen=[2]"), "there is no capsule 2"),
                            (("loss.kind=weighted_add", "loss.pair.use=beta", "loss.pair.file=x", "loss.pair.kappa_hard=1"), "pair.kappa_hard is for pair.use logit, not beta"),
                            (("loss.kind=weighted_seed", "loss.pair.use=seed4", "loss.pair.file=x", "loss.beta=0"), "multiplies beta, which is 0"),
                            (("loss.kind=infonce", "loss.pair.use=seed2", "loss.pair.file=x"), "pair.use seed2 is for kind weighted_seed, not infonce"),
                            (("loss.kind=infonce", "loss.mask.same=[city]"), "expected place, author or sequence")):
            self.assertIn(hint, self.train("refused", *words, code=2))


if __name__ == "__main__":
    unittest.main()
