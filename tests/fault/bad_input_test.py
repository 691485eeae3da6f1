"""Mistakes and damage: one clear message, the right exit code, and nothing on the way."""
import json
import pathlib
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from training_runs import BIN, ENV, HAS_MPI, World  # noqa: E402


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = World()
        done = cls.world.train("good", steps=6)
        assert done.returncode == 0, done.stderr

    @classmethod
    def tearDownClass(cls):
        cls.world.close()

    def flipped_copy(self, name, every):
        """The dataset with one bit flipped in every so many bytes of its image blocks."""
        copy = self.world.folder / name
        shutil.copytree(self.world.folder / "data", copy)
        for shard in json.loads((copy / "manifest.json").read_text())["shards"]:
            data = bytearray((copy / shard["file"]).read_bytes())
            for at in range(shard["img_abs_off"], shard["img_abs_off"] + shard["img_bytes"], every):
                data[at] ^= 4
            (copy / shard["file"]).write_bytes(data)
        return copy

    def refuse(self, code, *words, name="refused", overrides=(), ranks=1, steps=6):
        done = self.world.train(name, *overrides, ranks=ranks, steps=steps)
        self.assertEqual(done.returncode, code, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        return done

    def test_configuration_mistakes_are_told_all_at_once_before_anything_starts(self):
        self.refuse(2, "optim.weight_decy", "optim.weight_decay", "train.precision", "optim.lr",
                    name="never", overrides=("optim.weight_decy=1", "train.precision=fp8", "optim.lr=-1"))
        self.assertFalse((self.world.folder / "never").exists())

    @unittest.skipUnless(HAS_MPI, "no mpirun or no MPI module here")
    def test_several_ranks_tell_a_mistake_once(self):
        done = self.refuse(2, overrides=("optim.weight_decy=1",), ranks=2)
        self.assertEqual(done.stderr.count('unknown key "optim.weight_decy"'), 1, done.stderr)
        done = self.refuse(3, overrides=("cells.file=/nowhere.safetensors",), ranks=2)
        self.assertEqual(done.stderr.count("/nowhere.safetensors"), 1, done.stderr)

    def test_batches_must_divide(self):
        self.refuse(2, "train.micro_batch", overrides=("train.micro_batch=7",))

    def test_a_missing_dataset_is_named(self):
        self.refuse(3, "/nowhere", overrides=("data.train=[/nowhere]",))

    def test_a_damaged_shard_is_named(self):
        copy = self.world.folder / "damaged"
        shutil.copytree(self.world.folder / "data", copy)
        shard = sorted(copy.glob("*.h5"))[0]
        shard.write_bytes(shard.read_bytes()[:-4096])
        self.refuse(3, shard.name, overrides=(f"data.train=[{copy}]",))

    @unittest.skipUnless(HAS_MPI, "no mpirun or no MPI module here")
    def test_bad_records_are_replaced_counted_and_named_once(self):
        copy = self.world.folder / "flipped"
        shutil.copytree(self.world.folder / "data", copy)
        shard = json.loads((copy / "manifest.json").read_text())["shards"][0]
        data = bytearray((copy / shard["file"]).read_bytes())
        for part in (1, 2):  # two images; most of the block is unused
            data[shard["img_abs_off"] + shard["img_bytes"] * part // 20] ^= 4
        (copy / shard["file"]).write_bytes(data)
        done = self.world.train("quarantine", f"data.train=[{copy}]", "data.train_split=[train,val]", ranks=2, steps=20)
        self.assertEqual(done.returncode, 0, done.stderr)
        events = [json.loads(line) for line in (self.world.folder / "quarantine/events.jsonl").read_text().splitlines()]
        bad = [e for e in events if e["event"] == "quarantine"]
        self.assertEqual(len({e["record"] for e in bad}), 2, bad)
        self.assertEqual(len(bad), 2, "a record is named twice")
        for event in bad:
            self.assertIn(shard["file"], event["record"])
            self.assertIn("CRC", event["reason"])
            self.assertEqual(done.stderr.count(event["record"]), 1)
        self.assertEqual(self.world.rows("quarantine")[20]["bad_records"], 2)

    @unittest.skipUnless(HAS_MPI, "no mpirun or no MPI module here")
    def test_too_many_bad_records_end_the_run_and_the_rank_that_met_them_says_so(self):
        copy = self.flipped_copy("rotten", every=1000)
        self.refuse(3, "bad records, expected at most 10", name="rotten_run", overrides=(f"data.train=[{copy}]",), ranks=2)
        failures = [json.loads(p.read_text()) for p in (self.world.folder / "rotten_run" / "failure").iterdir()]
        self.assertTrue(failures)
        for failure in failures:
            self.assertEqual(failure["exit_code"], 3)
            self.assertIn("bad records", failure["reason"])
        told = subprocess.run([BIN / "graticule", "status", self.world.folder / "rotten_run"], capture_output=True, text=True)
        self.assertIn("bad records, expected at most 10", told.stdout)

    def test_a_refused_resume_leaves_the_run_as_it_was(self):
        cells = self.world.folder / "own-cells.safetensors"
        shutil.copy(self.world.folder / "cells.safetensors", cells)
        overrides = (f"cells.file={cells}", "checkpoint.every_steps=3")
        self.assertEqual(self.world.train("half", *overrides, steps=6).returncode, 0)
        shutil.rmtree(self.world.checkpoint("half", 6))
        run = self.world.folder / "half"
        kept = {name: (run / name).read_bytes() for name in ("metrics.jsonl", "resolved.yaml", "cells.safetensors")}
        made = subprocess.run([BIN / "graticule-data", "cells", "build", "--data", self.world.folder / "data", "--kind", "s2",
                               "--min-images", "1", "--max-images", "20", "--out", cells], capture_output=True, text=True)
        self.assertEqual(made.returncode, 0, made.stderr)
        self.refuse(2, "cell partition changed", name="half", overrides=overrides)
        for name, before in kept.items():
            self.assertEqual((run / name).read_bytes(), before, name)
        shutil.copy(cells, run / "cells.safetensors")
        done = subprocess.run([BIN / "graticule-train", "eval", "--model", run, "--out", self.world.folder / "x"],
                              capture_output=True, text=True, env=ENV)
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn("cells", done.stderr)

    def test_unreadable_images_do_not_stop_an_evaluation(self):
        copy = self.flipped_copy("unreadable", every=4000)
        done = subprocess.run([BIN / "graticule-train", "eval", "--model", self.world.folder / "good", "--data", copy, "--out",
                               self.world.folder / "unreadable-eval", "--json"], capture_output=True, text=True, env=ENV)
        self.assertEqual(done.returncode, 0, done.stderr)
        told = json.loads(done.stdout)
        self.assertGreater(told["unreadable"], 10)
        self.assertEqual(told["images"] + told["unreadable"], 240)

    def test_words_that_are_no_device_are_refused(self):
        for verb in (["eval", "--out", self.world.folder / "y"], ["predict", self.world.folder]):
            done = subprocess.run([BIN / "graticule-train", *verb, "--model", self.world.folder / "good", "--device", "gpu"],
                                  capture_output=True, text=True, env=ENV)
            self.assertEqual(done.returncode, 2, done.stderr)
        self.refuse(2, "tf32", overrides=("train.precision=tf32",))
        done = subprocess.run([BIN / "graticule-train", "eval", "--model", self.world.folder / "good", "--precision", "tf32"],
                              capture_output=True, text=True, env=ENV)
        self.assertEqual(done.returncode, 2, done.stderr)

    def test_decide_always_says_one_word(self):
        for folder in (self.world.folder / "nowhere", self.world.folder):
            (self.world.folder / "status.json").write_text("{")
            done = subprocess.run([BIN / "graticule", "status", "--decide", folder, "--attempt", "5_0_0", "--code", "205"],
                                  capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(done.stdout.strip(), ("requeue", "stop"))
        self.assertFalse((self.world.folder / "nowhere").exists())

    def test_submit_finds_mistakes_before_the_queue_does(self):
        config = self.world.config("submitted", 6)
        for words, said in ((["--run", "my run"], "blanks"), (["--run", "r", "optim.lrr=1"], "optim.lr"),
                            (["--run", "r", "--time", "0:01:00"], "--lead")):
            done = subprocess.run([BIN / "graticule", "submit", "--dry-run", "--config", config, *words], capture_output=True,
                                  text=True)
            self.assertEqual(done.returncode, 2, done.stdout)
            self.assertIn(said, done.stderr)

    def test_fresh_needs_an_empty_folder(self):
        done = self.world.train("good", "--fresh", steps=6)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("--fresh", done.stderr)

    def test_a_run_goes_on_only_with_the_configuration_it_was_started_with(self):
        done = self.world.train("good", "model.vision.width=64", "optim.lr=0.5", steps=6)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("model.vision.width", done.stderr)
        self.assertIn("optim.lr", done.stderr)

    def test_a_diverging_run_stops_with_its_own_code_and_keeps_its_weights(self):
        done = self.world.train("diverging", "optim.lr=1000", "optim.kind=sgd", "optim.clip_norm=0",
                                "checkpoint.every_steps=1", "schedule.warmup_samples=0", steps=30)
        self.assertEqual(done.returncode, 5, done.stderr)
        status = self.world.status("diverging")
        self.assertEqual((status["state"], status["exit_code"]), ("failed", 5))
        self.assertEqual(done.stderr.count("non-finite"), 1, done.stderr)

    def test_skipping_goes_on_until_too_many_steps_are_lost(self):
        done = self.world.train("skipping", "optim.lr=1000", "optim.kind=sgd", "optim.clip_norm=0",
                                "train.non_finite=skip", "train.max_skipped=4", "eval.every_steps=0",
                                "schedule.warmup_samples=0", steps=60)
        self.assertEqual(done.returncode, 5, done.stderr)
        bad = [r for r in self.world.rows("skipping").values() if r["grad_norm"] in ("nan", "inf")]
        self.assertEqual(len(bad), 5)

    def test_a_damaged_export_is_foreign_and_a_damaged_checkpoint_ours(self):
        export = self.world.folder / "export"
        made = subprocess.run([BIN / "graticule-train", "export", "--run", self.world.folder / "good", "--out", export],
                              env=ENV, capture_output=True, text=True)
        self.assertEqual(made.returncode, 0, made.stderr)
        step = self.world.folder / "step"
        for folder, code in ((export, 3), (self.world.checkpoint("good", 6), 4)):
            copy = self.world.folder / f"copy{code}" / "ckpt" / "step_00000006"
            shutil.copytree(folder, copy)
            weights = copy / "model.safetensors"
            weights.write_bytes(weights.read_bytes()[:-8])
            done = subprocess.run([BIN / "graticule-train", "eval", "--model", copy, "--data", self.world.folder / "data",
                                   "--out", step], env=ENV, capture_output=True, text=True)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertIn("model.safetensors", done.stderr)

    def test_predict_names_the_photo_it_cannot_read(self):
        folder = self.world.folder / "photos"
        folder.mkdir()
        (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no photo")
        done = subprocess.run([BIN / "graticule-train", "predict", "--model", self.world.folder / "good", "--json", folder],
                              env=ENV, capture_output=True, text=True)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("broken.jpg", done.stderr)
        self.assertEqual(len(json.loads(done.stdout)["photos"]), 1)


if __name__ == "__main__":
    unittest.main()
