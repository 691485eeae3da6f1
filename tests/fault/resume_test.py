"""A killed training goes on as if nothing had happened: every logged loss and every byte of state.

GRATICULE_LONG_TESTS=1 (scripts/test.sh --long) kills 20 times instead of 3.
"""
import json
import os
import pathlib
import random
import shutil
import signal
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from training_runs import HAS_MPI, World  # noqa: E402

ROUNDS = 20 if os.environ.get("GRATICULE_LONG_TESTS") else 3
STEPS = 40


class Resume(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = World()

    @classmethod
    def tearDownClass(cls):
        cls.world.close()

    def kill_at(self, name, step, ranks, *overrides):
        """Starts a training and SIGKILLs one of its processes once `step` was logged."""
        process = self.world.start(name, *overrides, ranks=ranks, steps=STEPS)
        metrics = self.world.folder / name / "metrics.jsonl"
        deadline = time.monotonic() + 120
        while not (metrics.exists() and f'"step":{step},' in metrics.read_text()):
            self.assertIsNone(process.poll(), "ended before it was killed")
            self.assertLess(time.monotonic(), deadline)
        victims = trainers(process.pid) if ranks > 1 else [process.pid]
        os.kill(random.choice(victims), signal.SIGKILL)
        process.communicate(timeout=120)
        self.assertNotEqual(process.returncode, 0)

    def check(self, ranks, rounds, *overrides):
        straight, broken = "-".join((f"straight{ranks}", *overrides)), "-".join((f"broken{ranks}", *overrides))
        done = self.world.train(straight, *overrides, ranks=ranks, steps=STEPS)
        self.assertEqual(done.returncode, 0, done.stderr)
        seed = random.randrange(1 << 30)
        random.seed(seed)
        for _ in range(rounds):
            shutil.rmtree(self.world.folder / broken, ignore_errors=True)
            step = random.randrange(1, STEPS - 3)
            self.kill_at(broken, step, ranks, *overrides)
            done = self.world.train(broken, *overrides, ranks=ranks, steps=STEPS)
            self.assertEqual(done.returncode, 0, done.stderr)
            where = f"{ranks} ranks, killed at step {step}, seed {seed}"
            self.assertEqual(self.world.losses(broken), self.world.losses(straight), where)
            self.assertEqual(self.world.fingerprint(broken, STEPS), self.world.fingerprint(straight, STEPS), where)

    def test_one_process_resumes_bit_for_bit(self):
        self.check(1, max(1, ROUNDS // 2))

    @unittest.skipUnless(HAS_MPI, "no mpirun or no MPI module here")
    def test_two_ranks_resume_bit_for_bit(self):
        self.check(2, ROUNDS - max(1, ROUNDS // 2))

    def test_bf16_resumes_bit_for_bit(self):
        self.check(1, 1, "train.precision=bf16")

    @unittest.skipUnless(HAS_MPI, "no mpirun or no MPI module here")
    def test_an_average_of_the_weights_resumes_bit_for_bit(self):
        self.check(2, 1, "optim.ema_decay=0.9", "eval.every_steps=7")
        self.assertIn("ema.safetensors", self.world.fingerprint("straight2-optim.ema_decay=0.9-eval.every_steps=7", STEPS))

    def test_an_order_that_is_a_plan_resumes_bit_for_bit(self):
        self.check(1, 1, "data.plan.kind=gps", "data.plan.neighbours=16", "data.plan.select=8")

    def test_a_finished_run_has_nothing_left_to_do(self):
        self.assertEqual(self.world.train("done", steps=3).returncode, 0)
        before = self.world.fingerprint("done", 3)
        again = self.world.train("done", steps=3)
        self.assertEqual(again.returncode, 0)
        self.assertIn("nothing to do", again.stderr)
        self.assertEqual(self.world.fingerprint("done", 3), before)

    def test_the_first_interrupt_writes_a_checkpoint_and_says_how_to_go_on(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2):
            name = f"interrupted-{number}"
            process = self.world.start(name, steps=100000)
            while not (self.world.folder / name / "ckpt" / "step_00000005").exists():
                self.assertIsNone(process.poll())
            process.send_signal(number)
            _, stderr = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 75, stderr)
            self.assertIn("go on with: graticule train", stderr)
            self.assertEqual(self.world.status(name)["state"], "preempted")

    def test_a_warning_and_one_interrupt_still_write_a_checkpoint(self):
        process = self.world.start("warned", steps=100000)
        run = self.world.folder / "warned"
        while not (run / "ckpt" / "step_00000005").exists():
            self.assertIsNone(process.poll())
        process.send_signal(signal.SIGUSR1)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 75, stderr)

    def test_a_process_that_lost_its_lock_writes_nothing_more(self):
        process = self.world.start("taken", steps=100000)
        run = self.world.folder / "taken"
        while not (run / "ckpt" / "step_00000005").exists():
            self.assertIsNone(process.poll())
        lock = json.loads((run / "run.lock").read_text())
        (run / "taker").write_text(json.dumps(dict(lock, token="0" * 32, pid=1)))
        (run / "taker").rename(run / "run.lock")  # as another process takes it
        _, stderr = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 6, stderr)
        self.assertEqual(self.world.status("taken")["state"], "running", "it wrote over the new owner's status")
        self.assertNotIn('"end"', (run / "events.jsonl").read_text())
        self.assertFalse((run / "failure").exists())
        self.assertEqual(json.loads((run / "run.lock").read_text())["token"], "0" * 32)

    def test_a_damaged_newest_checkpoint_is_passed_over(self):
        self.assertEqual(self.world.train("damaged", steps=10).returncode, 0)
        losses = self.world.losses("damaged")
        flip(self.world.checkpoint("damaged", 10) / "model.safetensors")
        again = self.world.train("damaged", steps=10)
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn("passed over", again.stderr)
        self.assertEqual(self.world.losses("damaged"), losses)

    def test_only_damaged_checkpoints_are_an_error(self):
        self.assertEqual(self.world.train("lost", steps=10).returncode, 0)
        for step in (5, 10):
            flip(self.world.checkpoint("lost", step) / "optimizer.safetensors")
        again = self.world.train("lost", steps=10)
        self.assertEqual(again.returncode, 4, again.stderr)


def trainers(launcher):
    """The training processes below mpirun."""
    children = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError):
            continue
        if parent == launcher:
            children.append(int(entry.name))
    return children


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


if __name__ == "__main__":
    unittest.main()
