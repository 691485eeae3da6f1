"""Trainings on 1, 2 and 4 ranks: the same objective, the same samples, checkpoints that go from one to the other."""
import json
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from training_runs import BIN, ENV, MPI_ENV, RankTest  # noqa: E402


def relative(a, b):
    return abs(a - b) / max(abs(a), 1e-12)


class Ranks(RankTest):
    def test_rank_count_changes_neither_the_samples_nor_the_losses(self):
        for ranks in (1, 2, 4):
            self.train(f"ranks{ranks}", "eval.every_steps=0", ranks=ranks, steps=50)
        one = self.world.losses("ranks1")
        self.assertEqual(len(one), 50)
        self.assertLess(one[-1], one[0], "it learns nothing")
        for ranks in (2, 4):
            other = self.world.losses(f"ranks{ranks}")
            self.assertEqual(len(other), 50)
            self.assertLess(max(relative(a, b) for a, b in zip(one[:5], other[:5])), 1e-5, f"{ranks} ranks")
            self.assertLess(max(relative(a, b) for a, b in zip(one, other)), 1e-4, f"{ranks} ranks")
            self.assertEqual(self.samples(f"ranks{ranks}"), self.samples("ranks1"), "other samples or another order")
        self.assertEqual(len(set(self.samples("ranks1"))), 50, "batches repeat")

    def test_weighted_sampling_of_a_share_in_the_fast_mode_is_the_same_on_any_number_of_ranks(self):
        words = ("data.sampling.by=cell", "data.sampling.alpha=1", "data.share=0.5", "data.decode=fast")
        self.train("even", "data.share=0.5")
        for ranks in (1, 2):
            self.train(f"weighted{ranks}", *words, ranks=ranks)
        self.assertEqual(self.samples("weighted1"), self.samples("weighted2"))
        self.assertLess(max(relative(a, b) for a, b in zip(self.world.losses("weighted1"), self.world.losses("weighted2"))), 1e-4)
        self.assertNotEqual(self.samples("weighted1"), self.samples("even"))
        state = self.state("weighted2", 12)
        self.assertTrue(state["order"].startswith("alias-v1:"), state["order"])

    def test_stored_embeddings_train_as_the_images_they_stand_for(self):
        frozen = ("model.frozen_layers=-1", "data.augment.kind=centre_crop", "optim.lr=0.02")
        self.world.embed("frozen", "centre", "--dtype", "fp32", *frozen, ranks=2)
        stores = [f"data.{part}_embeddings=[{self.world.folder}/centre]" for part in ("train", "val")]
        self.train("pixels", *frozen, steps=20)
        for ranks in (1, 2):
            self.train(f"stored{ranks}", *frozen, *stores, ranks=ranks, steps=20)
            self.assertEqual(self.samples(f"stored{ranks}"), self.samples("pixels"))
            for a, b in zip(self.world.losses("pixels"), self.world.losses(f"stored{ranks}")):
                self.assertLess(relative(a, b), 1e-5)
        figures = [(self.world.folder / name / "eval/val/predictions.csv").read_text()
                   for name in ("pixels", "stored1")]
        self.assertEqual(figures[0], figures[1])
        stage = self.world.folder / "disk" / "stores"
        self.assertNotIn("source is read", self.train("near", *frozen, *stores, f"data.stage={stage}", steps=20))
        self.assertEqual(self.world.losses("near"), self.world.losses("stored1"))
        parts = json.loads((self.world.folder / "centre" / "manifest.json").read_text())["parts"]
        self.assertEqual(sorted(p.name for p in stage.iterdir() if p.name != ".lock"), sorted(p["sha256"] for p in parts))
        # The other tower of another seed, and a tower that is trained, are refused.
        for words, told in (((*frozen, "run.seed=4"), "was made with tower"), (frozen[1:], "model.frozen_layers"),
                            (frozen[:1], "the store holds images cropped by centre_crop")):
            self.assertIn(told, self.train("refused", *words, *stores, code=2))
        scored = subprocess.run([str(BIN / "graticule-train"), "eval", "--model", str(self.world.folder / "stored1"),
                                 "--embeddings", str(self.world.folder / "centre"), "--json"], env=ENV, capture_output=True, text=True)
        self.assertEqual(scored.returncode, 0, scored.stderr)
        self.assertNotIn("has changed since the model was trained", scored.stderr)

    def test_epochs_go_through_the_draws_and_a_mixture_holds_its_proportions(self):
        frozen = ("model.frozen_layers=-1", "data.augment.scale=[0.3, 1.0]", "data.epoch_samples=96",
                  f"data.train=[{self.world.folder}/data, {self.world.folder}/data]", "data.mixture=[3, 1]")
        self.world.embed("draws", "draws", "--draws", "2", *frozen)
        store = f"data.train_embeddings=[{self.world.folder}/draws, {self.world.folder}/draws]"
        for ranks in (1, 2):
            self.train(f"drawn{ranks}", *frozen, store, "checkpoint.every_steps=5", ranks=ranks, steps=12)
        self.assertEqual(self.samples("drawn1"), self.samples("drawn2"))
        self.assertLess(max(relative(a, b) for a, b in zip(self.world.losses("drawn1"), self.world.losses("drawn2"))), 1e-4)
        state = self.state("drawn1", 12)
        self.assertEqual(state["order"], "mixture-v1:750/250")
        # Killed in the middle of an epoch: the same end.
        whole = self.world.fingerprint("drawn1", 12)["model.safetensors"]
        subprocess.run(["rm", "-r", self.world.checkpoint("drawn1", 12), self.world.checkpoint("drawn1", 10)], check=False)
        self.train("drawn1", *frozen, store, "checkpoint.every_steps=5", steps=12)
        self.assertEqual(self.world.fingerprint("drawn1", 12)["model.safetensors"], whole)

    def test_block_order_is_the_same_on_any_number_of_ranks(self):
        for ranks in (1, 2):
            self.train(f"blocks{ranks}", "data.block.records=8", "data.block.pool=4", ranks=ranks)
        self.assertEqual(self.samples("blocks1"), self.samples("blocks2"))
        self.assertEqual(len(set(self.samples("blocks1"))), 12)

    def test_shards_staged_on_the_nodes_disk_train_the_same(self):
        stage = self.world.folder / "disk" / "stage"
        self.train("direct", ranks=2)
        for name in ("staged", "again"):
            told = self.train(name, f"data.stage={stage}", ranks=2)
            self.assertEqual(self.world.losses(name), self.world.losses("direct"))
            shards = json.loads((self.world.folder / "data" / "manifest.json").read_text())["shards"]
            copies = sorted(path.name for path in stage.iterdir() if path.name != ".lock")
            self.assertEqual(copies, sorted(shard["sha256"] for shard in shards))
            self.assertIn(f"{len(shards)} files lie in {stage}", told)
            self.assertNotIn("source is read", told)
        told = self.train("refused", f"data.stage={stage}", "data.stage_gb=1e-6", ranks=2, code=2)
        self.assertIn("data.stage_gb allows 0.000", told)

    def test_accumulation_does_not_change_the_losses(self):
        self.train("whole", ranks=2, steps=8)
        self.train("parts", "train.micro_batch=3", ranks=2, steps=8)
        for a, b in zip(self.world.losses("whole"), self.world.losses("parts")):
            self.assertLess(relative(a, b), 1e-5)

    def test_a_checkpoint_of_two_ranks_goes_on_with_one(self):
        self.train("straight", ranks=2, steps=10)
        self.train("moved", "checkpoint.every_steps=5", ranks=2, steps=10)
        # Take the end away, then let one rank do it again.
        for step in (10,):
            subprocess.run(["rm", "-r", self.world.checkpoint("moved", step)], check=True)
        self.train("moved", ranks=1, steps=10)
        for a, b in zip(self.world.losses("straight"), self.world.losses("moved")):
            self.assertLess(relative(a, b), 1e-4)

    def test_evaluation_predicts_each_record_once_on_any_number_of_ranks(self):
        self.train("evaluated", steps=12)
        run, texts = self.world.folder / "evaluated", []
        for ranks in (1, 2, 3):
            out = self.world.folder / f"eval{ranks}"
            program = [BIN / "graticule-train", "eval", "--model", run, "--out", out, "--batch", "7", "--json"]
            launch = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks)] if ranks > 1 else []
            done = subprocess.run(launch + program, env=MPI_ENV if ranks > 1 else ENV, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(json.loads(done.stdout)["images"], 48)
            texts.append((out / "predictions.csv").read_text().splitlines())
        ids = [line.split(",")[0] for line in texts[0][1:]]
        self.assertEqual(len(set(ids)), 48)
        for other in texts[1:]:
            self.assertEqual([line.split(",")[0] for line in other[1:]], ids)
            self.assertEqual([line.split(",")[6] for line in other[1:]], [line.split(",")[6] for line in texts[0][1:]])

    def test_bf16_follows_fp32_and_repeats_exactly(self):
        self.train("fp32", ranks=2, steps=20)
        for name in ("bf16", "bf16again"):
            self.train(name, "train.precision=bf16", ranks=2, steps=20)
        self.assertEqual(self.world.losses("bf16"), self.world.losses("bf16again"))
        self.assertNotEqual(self.world.losses("bf16"), self.world.losses("fp32"), "bf16 was not used")
        for exact, rounded in zip(self.world.losses("fp32"), self.world.losses("bf16")):
            self.assertLess(relative(exact, rounded), 0.05)

    def test_an_export_predicts_what_its_run_predicts(self):
        self.train("source", steps=12)
        run, export = self.world.folder / "source", self.world.folder / "source-export"
        subprocess.run([BIN / "graticule-train", "export", "--run", run, "--out", export], env=ENV, check=True,
                       capture_output=True)
        predictions = []
        for model in (run, export):
            out = self.world.folder / f"eval-{model.name}"
            subprocess.run([BIN / "graticule-train", "eval", "--model", model, "--data", self.world.folder / "data", "--split",
                            "val", "--out", out], env=ENV, check=True, capture_output=True)
            predictions.append((out / "predictions.csv").read_text())
        self.assertEqual(predictions[0], predictions[1])
        self.assertEqual(len(predictions[0].splitlines()), 1 + 48)

    def test_all_ranks_obey_a_stop_file(self):
        process = self.world.start("stopped", ranks=2, steps=100000)
        run = self.world.folder / "stopped"
        while not (run / "ckpt" / "step_00000005").exists():
            self.assertIsNone(process.poll(), "ended before its first checkpoint")
        (run / "STOP").touch()
        _, stderr = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 75, stderr)
        self.assertIn("go on with: mpirun -n 2 --bind-to none graticule train", stderr)
        status = self.world.status("stopped")
        self.assertEqual((status["state"], status["exit_code"]), ("preempted", 75))
        self.assertTrue((run / status["last_checkpoint"]).is_dir())
        self.assertFalse((run / "STOP").exists())


if __name__ == "__main__":
    unittest.main()
