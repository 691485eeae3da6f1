"""The MPI communicators under mpirun: values, bits, and the ways a world can end."""
import os
import pathlib
import shutil
import subprocess
import time
import unittest

BIN = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release")) / "bin"
ENV = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMPI_MCA_btl="self,vader",
           OMPI_MCA_mpi_yield_when_idle="1")


def mpirun(n, mode, *options, program="comm_check", timeout=120):
    options = options or ("--bind-to", "none")
    started = time.monotonic()
    done = subprocess.run(["mpirun", "--oversubscribe", *options, "-n", str(n), BIN / program, mode],
                          env=ENV, capture_output=True, text=True, timeout=timeout)
    done.seconds = time.monotonic() - started
    return done


def alone(mode, **variables):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("OMPI_", "PMI", "SLURM_"))}
    return subprocess.run([BIN / "comm_check", mode], env=dict(env, **variables), capture_output=True, text=True, timeout=60)


@unittest.skipUnless(shutil.which("mpirun") and (BIN / "libgraticule_mpi.so").exists(), "no mpirun or no MPI module here")
class Mpi(unittest.TestCase):
    def test_collectives_agree_with_arithmetic_and_repeat_bit_for_bit(self):
        for n in (1, 2, 3, 4):
            done = mpirun(n, "check")
            self.assertEqual((done.returncode, done.stdout), (0, f"ok size {n} local {n}\n"), done.stderr)

    def test_control_and_data_run_side_by_side(self):
        done = mpirun(2, "both")
        self.assertEqual((done.returncode, done.stdout), (0, "ok\n"), done.stderr)

    def test_a_throwing_rank_ends_the_job_with_its_code_and_name(self):
        for n in (2, 4):
            done = mpirun(n, "throw")
            self.assertEqual(done.returncode, 3, done.stderr)
            self.assertIn(f"rank {n - 1} of {n} on ", done.stderr)
            self.assertIn("found a bad shard", done.stderr)
            self.assertLess(done.seconds, 15)

    def test_an_error_of_all_ranks_is_told_once(self):
        done = mpirun(4, "all-throw")
        self.assertEqual(done.returncode, 5, done.stderr)
        self.assertEqual(done.stderr.count("loss is not finite"), 1, done.stderr)

    def test_a_killed_rank_takes_the_others_down(self):
        done = mpirun(2, "kill")
        self.assertNotEqual(done.returncode, 0)
        self.assertLess(done.seconds, 15)

    def test_a_hanging_rank_is_noticed_by_the_deadline(self):
        done = mpirun(2, "hang")
        self.assertEqual(done.returncode, 6, done.stderr)
        self.assertIn("rank 0 of 2", done.stderr)
        self.assertIn("all-reduce", done.stderr)
        self.assertLess(done.seconds, 20)

    def test_a_common_exit_code_reaches_the_caller(self):
        self.assertEqual(mpirun(2, "preempted").returncode, 75)

    def test_binding_is_noticed(self):
        cores = len(os.sched_getaffinity(0))
        if cores < 2:
            self.skipTest("one core: nothing to bind")
        bound = mpirun(1, "threads", "--bind-to", "core")
        self.assertIn("--bind-to none", bound.stderr)
        self.assertNotIn("warning <>", bound.stderr)
        free = mpirun(1, "threads")
        self.assertIn("warning <>", free.stderr)


class Alone(unittest.TestCase):
    def test_without_a_launcher_the_world_is_one(self):
        done = alone("check")
        self.assertEqual((done.returncode, done.stdout), (0, "ok size 1 local 1\n"), done.stderr)

    def test_an_error_passes_through(self):
        done = alone("throw")
        self.assertEqual(done.returncode, 3)
        self.assertNotIn("rank", done.stderr)

    def test_tasks_that_know_nothing_of_one_another_are_refused(self):
        done = alone("check", SLURM_STEP_NUM_TASKS="4")
        self.assertEqual(done.returncode, 2)
        self.assertIn("srun --mpi=pmix -n 4", done.stderr)
        self.assertEqual(alone("check", SLURM_STEP_NUM_TASKS="1").returncode, 0)

    def test_the_program_itself_links_no_mpi(self):
        needed = subprocess.run(["readelf", "-d", BIN / "comm_check"], capture_output=True, text=True, check=True).stdout
        self.assertNotIn("libmpi", needed)
        self.assertNotIn("libcuda", needed)


if __name__ == "__main__":
    unittest.main()
