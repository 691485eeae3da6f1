"""The job script that `graticule submit` writes, on a real SLURM of two nodes: it trains under mpirun, turns the warning
before the time limit into a checkpoint and a requeue, and survives a lost node. Losses equal those of a straight run.
"""
import json
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from slurm_cluster import HAS_SLURM, Cluster, until  # noqa: E402
from training_runs import BIN, HAS_MPI, World  # noqa: E402

STEPS = 200


@unittest.skipUnless(HAS_MPI, "no mpirun or no MPI module here")
@unittest.skipUnless(HAS_SLURM, "slurm-wlm and munge are not installed: run scripts/setup.sh --slurm")
class Slurm(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = World()
        cls.addClassCleanup(cls.world.close)
        cls.cluster = cls.enterClassContext(Cluster())
        done = cls.world.train("straight", ranks=2, steps=STEPS)
        assert done.returncode == 0, done.stderr

    def submit(self, name):
        """Submits a training of two ranks, one per node; returns the job id once it has written a checkpoint."""
        run = self.world.folder / name
        script = subprocess.run(
            [BIN / "graticule", "submit", "--dry-run", "--config", self.world.config(name, STEPS), "--run", run, "--nodes", "2",
             "--gpus-per-node", "1", "--cpu", "--cpus-per-rank", "1", "--time", "0:10:00", "--program", BIN / "graticule"],
            check=True, capture_output=True, text=True).stdout
        run.mkdir()  # as submit does without --dry-run: the log lies there
        (self.world.folder / f"{name}.sbatch").write_text(script)
        job = self.cluster.run("sbatch", "--parsable", self.world.folder / f"{name}.sbatch").strip()
        try:
            until((run / "ckpt" / "step_00000005").exists, 60, "the first checkpoint")
        except TimeoutError as error:
            self.fail(f"{error}\n{self.log(name)}")
        return job

    def log(self, name):
        return "\n".join(path.read_text() for path in (self.world.folder / name).glob("slurm-*.out"))

    def wait(self, job, state, name, seconds=90):
        try:
            until(lambda: self.cluster.state(job) == state, seconds, f"job state {state}")
        except TimeoutError as error:
            self.fail(f"{error}, is {self.cluster.state(job)}\n{self.log(name)}")

    def finish(self, job, name):
        """Waits for the end of the requeued job, which SLURM holds for a few seconds, and compares with the straight run."""
        self.wait(job, "COMPLETED", name)
        self.assertEqual(self.world.status(name)["state"], "finished")
        self.assertEqual(self.world.losses(name), self.world.losses("straight"))
        self.assertEqual(self.world.fingerprint(name, STEPS), self.world.fingerprint("straight", STEPS))
        attempts = [json.loads(line)["attempt"] for line in (self.world.folder / name / "events.jsonl").read_text().splitlines()]
        self.assertEqual(sorted(set(attempts)), [f"{job}_0_0", f"{job}_0_1"])

    def test_the_warning_becomes_a_checkpoint_and_a_requeue(self):
        job = self.submit("warned")
        self.cluster.run("scancel", "--batch", "-s", "USR2", job)
        self.wait(job, "PENDING", "warned")
        status = self.world.status("warned")
        self.assertEqual((status["state"], status["exit_code"]), ("preempted", 75),
                         self.log("warned")[-4000:] + self.cluster.controller_log())
        self.assertLess(status["step"], STEPS)
        self.finish(job, "warned")
        self.assertIn("exit code 75: requeue", self.log("warned"))

    def test_a_lost_node_means_a_requeue(self):
        # A cluster of its own: the controller goes on doubting a node that was lost, and may take later jobs from it.
        shared, Slurm.cluster = self.cluster, Cluster()
        try:
            with self.cluster:
                job = self.submit("lost")
                self.cluster.kill_node("n2")
                self.wait(job, "PENDING", "lost")
                self.cluster.start_node("n2")
                self.finish(job, "lost")
        finally:
            Slurm.cluster = shared

    def test_tasks_that_mpi_does_not_know_of_are_refused(self):
        done = subprocess.run(["srun", "-n", "2", "-N", "2", BIN / "graticule-train", "train", "--config",
                               self.world.config("unconnected")], env=self.cluster.env, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("srun --mpi=pmix", done.stderr)
        self.assertFalse((self.world.folder / "unconnected").exists())


if __name__ == "__main__":
    unittest.main()
