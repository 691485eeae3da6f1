"""Mistakes and damage: one clear message, the right exit code, and nothing on the way."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
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

    def test_decoding_on_a_gpu_needs_one_and_says_so_first(self):
        self.refuse(2, "data.decode is nvjpeg", "train.device=cuda", "data.decode=exact",
                    name="never", overrides=("data.decode=nvjpeg",))
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
        self.refuse(2, "/nowhere", overrides=("data.train=[/nowhere]",))

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
        done = subprocess.run([BIN / "graticule-train", "eval", "--model", self.world.folder / "good", "--data", copy, "--split", "all", "--out",
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

    def test_an_unreadable_configuration_draws_no_other_complaint(self):
        for text in (None, "run: {dir: x\n"):
            path = self.world.folder / "broken.yaml"
            path.unlink(missing_ok=True)
            if text:
                path.write_text(text)
            done = subprocess.run([BIN / "graticule-train", "train", "--config", path], capture_output=True, text=True)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("1 mistake ", done.stderr)

    def test_a_failed_start_does_not_forbid_fresh(self):
        done = self.world.train("retried", "--fresh", "cells.file=/nowhere.safetensors", steps=2)
        self.assertEqual(done.returncode, 3, done.stderr)
        done = self.world.train("retried", "--fresh", steps=2)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_more_shards_than_files_may_be_open_at_first(self):
        world = World(records=400, per_shard=2)  # twice as many shards as the limits below: no count of other files decides
        self.addCleanup(world.close)
        for limits, code in (("ulimit -Sn 100", 0), ("ulimit -n 100", 3)):
            command = ["bash", "-c", f'{limits} && exec "$@"', "bash", *world.command(f"run{code}", steps=10)]
            done = subprocess.run(command, env=ENV, capture_output=True, text=True)
            self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn("raise the limit of open files", done.stderr)

    def test_moved_data_is_the_same_data(self):
        self.assertEqual(self.world.train("moving", "checkpoint.every_steps=3", steps=6).returncode, 0)
        shutil.rmtree(self.world.checkpoint("moving", 6))
        copy = self.world.folder / "elsewhere"
        shutil.copytree(self.world.folder / "data", copy)
        done = self.world.train("moving", f"data.train=[{copy}]", "checkpoint.every_steps=3", steps=6)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("data.train", done.stderr)

    def test_a_run_that_waits_for_the_lock_begins_with_what_it_then_finds(self):
        first = self.world.start("twice", steps=150)
        while not (self.world.folder / "twice/run.lock").exists():
            time.sleep(0.01)
        second = self.world.train("twice", "run.seed=4", steps=150)
        self.assertEqual(first.wait(60), 0)
        first.stderr.close()
        self.assertEqual(second.returncode, 2, second.stderr)  # another seed is another run
        state = json.loads((self.world.checkpoint("twice", 150) / "state.json").read_text())
        self.assertEqual(state["seed"], 3)
        self.assertIn("seed: 3", (self.world.folder / "twice/resolved.yaml").read_text())

    def test_a_full_disk_is_told_before_the_first_step(self):
        small = self.world.folder / "small"
        small.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", small], capture_output=True).returncode:
            self.skipTest("no tmpfs can be mounted here")
        try:
            done = self.world.train("full", f"run.dir={small}/run")
            self.assertEqual(done.returncode, 4, done.stderr)
            self.assertIn("MB free", done.stderr)
            self.assertFalse((small / "run/metrics.jsonl").exists())
        finally:
            subprocess.run(["umount", small], check=True)

    def test_status_knows_a_run_whose_process_is_gone(self):
        run = self.world.start("killed", steps=100000)
        while not (self.world.folder / "killed/metrics.jsonl").exists():
            time.sleep(0.05)
        run.kill()
        run.wait()
        run.stderr.close()
        told = subprocess.run([BIN / "graticule", "status", self.world.folder / "killed"], capture_output=True, text=True)
        self.assertIn("is gone", told.stdout)
        for _ in range(2):
            done = subprocess.run([BIN / "graticule", "status", "--decide", self.world.folder / "killed", "--attempt",
                                   self.world.status("killed")["attempt"], "--code", "137"], capture_output=True, text=True)
            self.assertEqual(done.stdout.strip(), "requeue", done.stderr)
        events = (self.world.folder / "killed/events.jsonl").read_text()
        self.assertEqual(events.count('"event":"lost","code":137'), 2, events)

    @unittest.skipUnless(HAS_MPI, "no mpirun or no MPI module here")
    def test_one_rank_answers_for_all(self):
        done = self.world.train("plan", "--dry-run", "--json", ranks=2)
        plan = json.loads(done.stdout)
        self.assertEqual((plan["ranks"], plan["micro_batch"]), (2, 12))
        done = self.world.train("plan", "--json", "data.train=[/nowhere]", ranks=2)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(json.loads(done.stdout)["error"]["code"], 2)
        self.assertIn("resolved_yaml", json.loads(self.world.train("plan", "--print-config", "--json", ranks=2).stdout))

    @unittest.skipUnless(HAS_MPI, "no mpirun or no MPI module here")
    def test_a_rank_that_hangs_leaves_the_stacks_of_those_that_wait(self):
        run = self.world.start("hanging", "comm.timeout_s=5", ranks=2, steps=100000)
        while not (self.world.folder / "hanging/metrics.jsonl").exists():
            time.sleep(0.05)
        pids = subprocess.run(["pgrep", "-f", str(self.world.folder / "hanging.yaml")], capture_output=True, text=True)
        ranks = [int(p) for p in pids.stdout.split() if "graticule-train" in pathlib.Path(f"/proc/{p}/comm").read_text()]
        one = next(p for p in ranks if b"OMPI_COMM_WORLD_RANK=1" in pathlib.Path(f"/proc/{p}/environ").read_bytes())
        os.kill(one, signal.SIGSTOP)
        code = run.wait(120)
        run.stderr.close()
        self.assertEqual(code, 6)
        stacks = (self.world.folder / "hanging/failure/rank_0.stacks.txt").read_text()
        self.assertGreater(stacks.count("\nthread "), 1)
        self.assertIn("graticule-train(+0x", stacks)

    def test_a_fatal_signal_leaves_the_stacks(self):
        run = self.world.start("crashing", steps=100000)
        while not (self.world.folder / "crashing/metrics.jsonl").exists():
            time.sleep(0.05)
        run.send_signal(signal.SIGSEGV)
        self.assertEqual(run.wait(30), -signal.SIGSEGV)
        run.stderr.close()
        stacks = (self.world.folder / "crashing/failure/rank_0.stacks.txt").read_text()
        self.assertTrue(stacks.startswith("signal 11\n"), stacks)
        self.assertGreater(stacks.count("\nthread "), 1)

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
        bad = [r for r in self.world.rows("skipping").values() if r["grad_norm"] is None]
        self.assertEqual(len(bad), 5)
        self.assertEqual(done.stderr.count("is skipped"), 1, done.stderr)

    def test_a_run_that_mostly_skips_is_no_success(self):
        done = self.world.train("hopeless", "optim.lr=1000", "optim.kind=sgd", "optim.clip_norm=0", "train.non_finite=skip",
                                "schedule.warmup_samples=0", steps=40)
        self.assertEqual(done.returncode, 5, done.stderr)

    def test_an_export_replaces_nothing_but_an_export(self):
        out = self.world.folder / "mine"
        out.mkdir()
        (out / "config.json").write_text("my own")
        words = [BIN / "graticule-train", "export", "--run", self.world.folder / "good", "--out", out]
        done = subprocess.run(words, env=ENV, capture_output=True, text=True)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual((out / "config.json").read_text(), "my own")
        (out / "config.json").unlink()
        for _ in range(2):
            done = subprocess.run(words, env=ENV, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(sorted(p.name for p in self.world.folder.glob("mine*")), ["mine"])

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

    def test_predict_reads_a_folder_from_anywhere(self):
        folder = self.world.folder / "holidays"
        (folder / "day 2").mkdir(parents=True)
        shard = json.loads((self.world.folder / "data/manifest.json").read_text())["shards"][0]
        images = (self.world.folder / "data" / shard["file"]).read_bytes()[shard["img_abs_off"]:]
        for name in ("a.jpg", "day 2/b.JPEG"):
            (folder / name).write_bytes(images[:images.index(b"\xff\xd9") + 2])
        done = subprocess.run([BIN / "graticule-train", "predict", "--model", self.world.folder / "good", "--json", folder],
                              env=ENV, capture_output=True, text=True, cwd="/")
        self.assertEqual(done.returncode, 0, done.stderr)
        photos = json.loads(done.stdout)["photos"]
        self.assertEqual([p["photo"] for p in photos], [str(folder / "a.jpg"), str(folder / "day 2/b.JPEG")])
        self.assertTrue(all(p["places"] for p in photos))

    def test_an_evaluation_never_takes_training_images_by_accident(self):
        copy = self.world.folder / "divided"
        shutil.copytree(self.world.folder / "data", copy)
        made = subprocess.run([BIN / "graticule-data", "data", "split", copy, "--hold-out", "0", "--val", "0.3", "--json"],
                              capture_output=True, text=True)
        self.assertEqual(made.returncode, 0, made.stderr)
        words = ["data.train_split=[train]", f"data.train=[{copy}]", f"data.val=[{copy}]", "data.val_split=[val]"]
        self.assertEqual(self.world.train("divided_run", *words, steps=4).returncode, 0)

        def evaluate(*more):
            done = subprocess.run([BIN / "graticule-train", "eval", "--model", self.world.folder / "divided_run", "--json", "--out",
                                   self.world.folder / "divided_eval", *more], env=ENV, capture_output=True, text=True)
            return done, json.loads(done.stdout) if done.stdout else {}
        _, run = evaluate()
        _, named = evaluate("--data", str(copy) + "/.")
        _, everything = evaluate("--data", copy, "--split", "all")
        self.assertEqual(run["split"], "val")
        self.assertEqual((named["split"], named["images"]), ("val", run["images"]))
        self.assertEqual((everything["split"], everything["images"]), ("all", 240))
        self.assertLess(run["images"], 200)
        again = subprocess.run([BIN / "graticule-data", "data", "split", copy, "--hold-out", "0", "--val", "0.3", "--seed", "9"],
                               capture_output=True, text=True)
        self.assertEqual(again.returncode, 0, again.stderr)
        done, _ = evaluate()
        self.assertIn("has changed since the model was trained", done.stderr)


if __name__ == "__main__":
    unittest.main()
