"""What a contrastive training starts from: weights of an export, a variogram, the scale that suits its loss."""
import json
import math
import pathlib
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from safetensors_lite import load  # noqa: E402
from training_runs import BIN, ENV, GEOCLIP, HAS_MPI, TrainingTest  # noqa: E402


def init(path):
    return tuple(f"recipe.init.{part}={path}" for part in ("image_mlp", "location", "logit_scale"))


class GeoclipStart(TrainingTest):
    words, steps = GEOCLIP, 1

    def test_the_heads_of_an_export_are_a_start(self):
        self.train("source", "loss.kind=infonce", "optim.lr=0.05", steps=4)
        export = self.world.folder / "source" / "export"
        subprocess.run([BIN / "graticule-train", "export", "--run", self.world.folder / "source", "--out", export], env=ENV,
                       check=True, capture_output=True)
        heads = load(export / "heads.safetensors")
        words = ("loss.kind=infonce", "run.seed=77", "optim.lr=0", *init(export / "heads.safetensors"))
        self.train("next", *words)
        weights = load(self.world.checkpoint("next", 1) / "model.safetensors")
        found = {k: v for k, v in weights.items() if k.startswith("heads.")}
        self.assertEqual(found, heads)
        self.train("other", *words[:3])
        self.assertNotEqual(load(self.world.checkpoint("other", 1) / "model.safetensors")["heads.image_mlp.0.weight"],
                            heads["heads.image_mlp.0.weight"])
        # What does not fit is told before a rank starts or data is looked for.
        for more, message in (("recipe.outputs=16", "2.weight has shape [32,16], expected [16,16]"),
                              ("recipe.location.sigmas=[64, 16]", "recipe.location.sigmas says 64"),
                              (f"recipe.init.location={export}/none.pth", "none.pth")):
            for extra in ((), ("--dry-run",)):
                told = self.train("refused", *words, more, "data.train=[/nowhere]", *extra, code=3)
                self.assertIn(message, told)
        self.assertFalse((self.world.folder / "refused" / "ckpt").exists())
        # A run that goes on has its weights and needs no file.
        self.train("broken", *words, "checkpoint.every_steps=2", steps=4)
        shutil.rmtree(self.world.checkpoint("broken", 4))
        self.assertIn("finished at step 4", self.train("broken", *words[:3], *init("gone.pth"), "checkpoint.every_steps=2", steps=4))
        self.assertEqual(load(self.world.checkpoint("broken", 4) / "model.safetensors")["heads.logit_scale"], heads["heads.logit_scale"])

    @unittest.skipUnless(HAS_MPI, "no mpirun or no MPI module here")
    def test_several_ranks_tell_it_once(self):
        told = self.train("several", "loss.kind=infonce", *init("gone.pth"), code=3, ranks=2)
        self.assertEqual(told.count("error:"), 1, told)

    def variogram(self, name, *words):
        out = self.world.folder / name
        done = subprocess.run([BIN / "graticule-data", "variogram", "--data", self.world.folder / "data", "--split", "train", "--pairs",
                               "2000", "--out", out, *words], env=ENV, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return out / "variogram.json"

    def test_a_run_keeps_its_variogram_and_says_so(self):
        file = self.variogram("climate", "--label", "climate")
        words = ("loss.kind=infonce", "loss.pair.use=logit", f"loss.pair.file={file}", "checkpoint.every_steps=3")
        kind = "is a variogram of label climate, not of embeddings"
        self.assertIn(kind, self.train("kept", *words, steps=6))
        dry = self.world.train("dry", *GEOCLIP, *words, "--dry-run")
        self.assertIn(kind, dry.stdout)
        losses, run = self.world.losses("kept"), self.world.folder / "kept"
        curve = json.loads(file.read_text())
        for changed in (None, dict(curve, c0=curve["c0"] + 0.5)):
            if changed is not None:
                file.write_text(json.dumps(changed))
            shutil.rmtree(self.world.checkpoint("kept", 6))
            told = self.train("kept", *words, steps=6)
            self.assertEqual("is not the curve that the run was started with" in told, changed is not None, told)
            self.assertEqual(self.world.losses("kept"), losses)
        self.assertEqual(json.loads((self.world.checkpoint("kept", 6) / "state.json").read_text())["recipe"]["variogram"]["c0"],
                         curve["c0"])
        file.unlink()
        shutil.rmtree(self.world.checkpoint("kept", 6))
        self.assertNotIn("not the curve", self.train("kept", *words, steps=6))
        self.assertIn("variogram.json", self.train("new", *words, "data.train=[/nowhere]", code=3))
        self.assertTrue((run / "ckpt" / "step_00000006").exists())

    def test_the_scale_starts_where_the_loss_wants_it(self):
        for kind, words, expected in (("siglip", (), 10), ("infonce", (), 1 / 0.07), ("dcl", (), 1 / 0.07),
                                      ("siglip", ("recipe.logit_scale.start=20",), 20),
                                      ("infonce", ("recipe.logit_scale.max=5",), 5)):
            name = "-".join((kind, *words))
            self.train(name, f"loss.kind={kind}", *words)
            scale = self.world.rows(name)[1]["terms"]["scale"]
            self.assertTrue(math.isclose(scale, expected, rel_tol=1e-5), (name, scale))
        # Only a start asks for it: a run of another one goes on.
        self.assertIn("finished", self.train("siglip", "loss.kind=siglip", "recipe.logit_scale.start=14"))
        told = self.train("bad", "loss.kind=infonce", "recipe.logit_scale.start=101", code=2)
        self.assertIn("start must be 0 or lie in [1, max]", told)


if __name__ == "__main__":
    unittest.main()
