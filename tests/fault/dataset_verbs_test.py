"""The verbs on datasets, typed by somebody who slips: each mistake is one message and the right exit code, and leaves nothing."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

BIN = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release")).resolve() / "bin"
HAS_ENRICH = (BIN / "graticule-enrich").exists()
NOBODY = 65534


class DatasetVerbs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.world = pathlib.Path(cls.temporary.name)
        cls.world.chmod(0o755)
        cls.call("synth", "--out", cls.world / "download", "--osv", 40, "--mp16", 0, code=0)
        cls.call("import", "osv5m", "--root", cls.world / "download/osv5m", "--split", "train", "--records-per-shard", 15,
                 "--out", cls.world / "sealed", code=0)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    @classmethod
    def call(cls, *words, code, group=("data",), **how):
        done = subprocess.run([BIN / "graticule", *group, *map(str, words)], capture_output=True, text=True, **how)
        assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
        return done

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=self.world))
        self.folder.chmod(0o755)
        self.dataset = self.folder / "set"
        shutil.copytree(self.world / "sealed", self.dataset)

    def reading_verbs(self, dataset):
        """Every verb that reads a dataset, on this one."""
        out = self.folder / "out"
        verbs = [["data", "verify", dataset], ["data", "inspect", dataset], ["data", "split", dataset],
                 ["data", "overlap", self.dataset, dataset], ["data", "attribution", dataset, "--out", out],
                 ["data", "baselines", "--train", dataset, "--cells", out, "--out", out],
                 ["variogram", "--data", dataset, "--label", "country", "--out", out],
                 ["cells", "build", "--data", dataset, "--out", out], ["gallery", "build", "--data", dataset, "--out", out]]
        return verbs + ([["data", "enrich", dataset]] if HAS_ENRICH else [])

    def refused_by_all(self, dataset, code, *words, **how):
        before = sorted(self.folder.rglob("*"))
        for verb in self.reading_verbs(dataset):
            with self.subTest(verb=verb):
                done = self.call(*verb, group=(), code=code, **how)
                self.assertEqual(done.stdout, "")
                for word in (str(dataset), *words):
                    self.assertIn(word, done.stderr)
        self.assertEqual(sorted(self.folder.rglob("*")), before, "something was left")

    def test_a_path_that_is_not_there_is_a_slip_of_the_command_line(self):
        self.refused_by_all(self.folder / "nope", 2, "no such folder", "`graticule data import`")

    def test_a_folder_or_a_file_that_is_no_dataset_is_called_so(self):
        (self.folder / "empty").mkdir()
        self.refused_by_all(self.folder / "empty", 3, "no dataset is here", "manifest.json", "`graticule data import`")
        (self.folder / "file").write_text("x")
        self.refused_by_all(self.folder / "file", 3, "this is a file; expected the folder of a dataset")

    def test_an_import_that_was_cut_off_is_called_so(self):
        (self.dataset / "manifest.json").unlink()
        (self.dataset / "import.journal.json").write_text("{}")
        unfinished = self.dataset.rename(self.folder / "unfinished")
        shutil.copytree(self.world / "sealed", self.dataset)
        self.refused_by_all(unfinished, 3, "has not finished", "Repeat the `graticule data import` command")

    def test_a_dataset_without_permission_is_not_called_missing(self):
        how = {}
        if os.geteuid() == 0:
            how = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            if subprocess.run(["test", "-x", BIN / "graticule-data"], **how).returncode != 0:
                self.skipTest("another user cannot start the programs")
        closed = self.folder / "closed"
        shutil.copytree(self.dataset, closed)
        closed.chmod(0)
        self.addCleanup(closed.chmod, 0o755)
        for verb in self.reading_verbs(closed):
            with self.subTest(verb=verb):
                done = self.call(*verb, group=(), code=3, cwd="/", **how)
                for word in (str(closed), "Permission denied", "permissions"):
                    self.assertIn(word, done.stderr)


if __name__ == "__main__":
    unittest.main()
