"""The verbs on datasets, typed by somebody who slips: each mistake is one message and the right exit code, and leaves nothing."""
import fcntl
import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import tempfile
import unittest
import zipfile

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
    def call(cls, *words, code, room=("data",), **how):
        done = subprocess.run([BIN / "graticule", *room, *map(str, words)], capture_output=True, text=True, **how)
        assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
        return done

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=self.world))
        self.folder.chmod(0o755)
        self.dataset = self.folder / "set"
        shutil.copytree(self.world / "sealed", self.dataset)

    def whom_permissions_bind(self):
        """How to start a program as somebody who may not do everything."""
        if os.geteuid() != 0:
            return {}
        how = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        if subprocess.run(["test", "-x", BIN / "graticule-data"], **how).returncode != 0:
            self.skipTest("another user cannot start the programs")
        return how

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
                done = self.call(*verb, room=(), code=code, **how)
                self.assertEqual(done.stdout, "")
                for word in (str(dataset), *words):
                    self.assertIn(word, done.stderr)
        self.assertEqual(sorted(self.folder.rglob("*")), before, "something was left")

    def test_one_process_at_a_time_adds_labels_and_columns(self):
        with open(self.dataset / ".sidecar.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for verb in ("split", *(["enrich"] if HAS_ENRICH else [])):
                self.assertIn("another process is at work here", self.call(verb, self.dataset, code=2).stderr)
        self.call("split", self.dataset, code=0)

    def test_where_the_manifest_is_the_report_is_too_and_no_litter(self):
        out = self.folder / "again"
        words = ("import", "osv5m", "--root", self.world / "download/osv5m", "--split", "train", "--records-per-shard", 15, "--out", out)
        (out / "import_report.json").mkdir(parents=True)
        self.call(*words, code=4)
        self.assertFalse((out / "manifest.json").exists())
        (out / "import_report.json").rmdir()
        for name in ("manifest.json.tmp17", "import.journal.json.tmp4", "mine.tmp3"):
            (out / name).write_text("x")
        self.call(*words, code=0)
        expected = {path.name: path.read_bytes() for path in (self.world / "sealed").iterdir()}
        found = {path.name: path.read_bytes() for path in out.iterdir()}
        self.assertEqual(found.pop("mine.tmp3"), b"x")
        self.assertEqual(found, expected)

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
        how = self.whom_permissions_bind()
        closed = self.folder / "closed"
        shutil.copytree(self.dataset, closed)
        closed.chmod(0)
        self.addCleanup(closed.chmod, 0o755)
        for verb in self.reading_verbs(closed):
            with self.subTest(verb=verb):
                done = self.call(*verb, room=(), code=3, cwd="/", **how)
                for word in (str(closed), "Permission denied", "permissions"):
                    self.assertIn(word, done.stderr)

    def test_a_dataset_named_twice_is_refused_whatever_it_is_called(self):
        link = self.folder / "link"
        link.symlink_to(self.dataset)
        out = self.folder / "out"
        for again in (self.dataset, f"{self.folder}/./set", link):
            both = [self.dataset, again]
            verbs = [["data", "verify", *both], ["data", "split", *both], ["data", "attribution", *both, "--out", out],
                     ["data", "baselines", "--train", *both, "--cells", out], ["cells", "build", "--data", *both, "--out", out],
                     ["variogram", "--data", *both, "--label", "country", "--out", out],
                     ["gallery", "build", "--data", *both, "--out", out]] + ([["data", "enrich", *both]] if HAS_ENRICH else [])
            for verb in verbs:
                with self.subTest(verb=verb):
                    done = self.call(*verb, room=(), code=2)
                    self.assertIn("one dataset is named twice", done.stderr)
                    self.assertIn(str(again), done.stderr)
                    self.assertEqual(done.stdout, "")
        self.assertFalse(out.exists())
        manifest = (self.world / "sealed/manifest.json").read_bytes()
        self.assertEqual((self.dataset / "manifest.json").read_bytes(), manifest)

    def test_a_copy_is_not_split_with_its_original(self):
        copy = self.folder / "copy"
        shutil.copytree(self.dataset, copy)
        before = (copy / "manifest.json").read_bytes()
        self.assertIn(f"holds the same records as {self.dataset}", self.call("split", self.dataset, copy, code=2).stderr)
        self.assertEqual((copy / "manifest.json").read_bytes(), before)

    def test_what_a_killed_split_left_goes_with_the_next(self):
        for name in ("split-0123456789ab.safetensors", "split.safetensors.new.tmp17", "split.safetensors.new", "manifest.json.tmp18"):
            (self.dataset / name).write_bytes(b"x")
        mine = {"split.txt", "split-of-mine.safetensors"}
        for name in mine:
            (self.dataset / name).write_text("mine")
        written = pathlib.Path(json.loads(self.call("split", self.dataset, "--json", code=0).stdout)["out"][0])
        self.assertEqual({p.name for p in self.dataset.glob("split*")}, {written.name, *mine})
        self.assertEqual(list(self.dataset.glob("*.tmp*")), [])

    def test_a_path_of_any_bytes_is_told_as_json(self):
        odd = os.fsencode(self.folder) + b"/K\xf6ln"
        os.rename(self.dataset, odd)
        for verb in (["split", odd], ["verify", odd], ["inspect", odd], ["import", "osv5m", "--root", self.world / "download/osv5m", "--out", odd + b"2"],
                     ["import", "folder", "--csv", self.photos_in(odd + b"3"), "--out", odd + b"4"]):
            done = subprocess.run([BIN / "graticule-data", "data", *map(os.fsencode, verb), "--json"], capture_output=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertNotIn("error", json.loads(done.stdout))

    def photos_in(self, folder):
        """A table and a photo of the download."""
        os.mkdir(folder)
        with zipfile.ZipFile(self.world / "download/osv5m/images/train/00.zip") as photos:
            name = next(n for n in photos.namelist() if n.endswith(".jpg"))
            pathlib.Path(os.fsdecode(folder), "a.jpg").write_bytes(photos.read(name))
        table = pathlib.Path(os.fsdecode(folder), "t.csv")
        table.write_text("image,lat,lon\na.jpg,1,2\n")
        return table

    def test_an_import_into_a_finished_dataset_says_so_though_it_may_not_write(self):
        how = self.whom_permissions_bind()
        self.dataset.chmod(0o555)
        words = ("import", "osv5m", "--root", self.world / "download/osv5m", "--out", self.dataset)
        self.assertIn("there is a finished dataset here already", self.call(*words, code=2, **how).stderr)

    def test_folders_to_write_are_looked_at_first(self):
        download = self.world / "download/osv5m"
        for out, said in (("", "--out is missing"), (download, "--out is the folder of --root"), (self.dataset / "manifest.json", "names a file")):
            self.assertIn(said, self.call("import", "osv5m", "--root", download, "--out", out, code=2).stderr)
        self.assertIn("names a folder", self.call("attribution", self.dataset, "--out", f"{self.folder}/new/", code=2).stderr)
        theirs = self.folder / "theirs/osv5m"
        theirs.mkdir(parents=True)
        self.assertIn("of no demo world", self.call("synth", "--out", theirs.parent, "--osv", 2, "--mp16", 0, code=2).stderr)
        self.assertFalse(any(theirs.iterdir()))

    def test_a_damaged_image_is_told_where_it_is_asked_for(self):
        shard = json.loads((self.dataset / "manifest.json").read_text())["shards"][1]
        with open(self.dataset / shard["file"], "r+b") as file:
            file.seek(shard["img_abs_off"] + 7)
            byte = file.read(1)[0]
            file.seek(shard["img_abs_off"] + 7)
            file.write(bytes([byte ^ 1]))
        done = self.call("inspect", self.dataset, "--record", shard["first"], "--image", self.folder / "x.jpg", code=3)
        self.assertIn(f"{shard['file']}[0]", done.stderr)
        self.assertFalse((self.folder / "x.jpg").exists())

    def test_overlap_takes_one_dataset_twice_for_two_of_its_splits_only(self):
        link = self.folder / "link"
        link.symlink_to(self.dataset)
        self.call("split", self.dataset, "--hold-out", 0, "--val", 0.3, code=0)
        for again in (self.dataset, f"{self.folder}/./set", link):
            self.assertIn("the same dataset", self.call("overlap", self.dataset, again, code=2).stderr)
            self.call("overlap", self.dataset, again, "--split-a", "train", "--split-b", "val", code=0)

    def verified(self, *words, code):
        done = self.call("verify", *words, code=code)
        told = json.loads(self.call("verify", *words, "--json", code=code).stdout)
        return done.stdout + done.stderr, told["datasets"]

    def places(self, count):
        table = self.folder / f"{count}.csv"
        table.write_text("id,lat,lon\n" + "".join(f"g{k},{k},{k}\n" for k in range(count)))
        self.call("import", "coordinates", "--csv", table, "--out", self.folder / f"places{count}", code=0)
        return self.folder / f"places{count}"

    def test_verify_counts_what_it_read(self):
        text, (told,) = self.verified(self.places(1), code=0)
        self.assertIn(": 1 shard, 1 record, 0 images read, ", text)
        self.assertIn(": good\n", text)
        self.assertEqual((told["records"], told["images"]), (1, 0))
        text, (told,) = self.verified(self.dataset, code=0)
        self.assertIn(": 3 shards, 40 records, 40 images read, ", text)
        self.assertEqual((told["records"], told["images"]), (40, 40))
        text, (told,) = self.verified(self.dataset, "--fast", code=0)
        self.assertIn(": 3 shards, 40 records, no image read (--fast), ", text)
        self.assertEqual((told["records"], told["images"]), (40, 0))
        shards = sorted(self.dataset.glob("*.h5"))
        shards[0].unlink()
        self.assertIn(": 1 problem\n", self.verified(self.dataset, code=3)[0])
        shards[1].unlink()
        text, (told,) = self.verified(self.dataset, code=3)
        self.assertIn(": 2 problems\n", text)
        self.assertEqual((told["shards"], told["records"], told["problem_count"]), (3, 10, 2))

    def test_reports_know_one_from_many(self):
        one = self.places(1)
        self.assertIn(": 1 record of places (all) in 1 shard, ", self.call("inspect", one, code=0).stdout)
        told = self.call("overlap", self.dataset, one, "--out", self.folder / "pairs", "--km", 20100, code=0).stdout
        for words in ("A: 40 records of ", "B: 1 record of ", "1 pair written to "):
            self.assertIn(words, told)

    def test_verify_adds_the_statistics_up_anew(self):
        path = self.dataset / "manifest.json"
        good = path.read_text()

        def falsified(change):
            manifest = json.loads(good)
            change(manifest)
            path.write_text(json.dumps(manifest))
            return self.call("verify", self.dataset, "--fast", code=3).stderr
        self.assertIn("/aux/climate: ", falsified(lambda m: m["stats"]["/aux/climate"].update(mean=5)))
        self.assertIn("/geo/lat: ", falsified(lambda m: m["stats"]["/geo/lat"].update(count=7)))
        self.assertIn("/time/month: ", falsified(lambda m: m["stats"].pop("/time/month")))
        self.assertIn("consecutive_within_25km", falsified(lambda m: m.update(consecutive_within_25km=0.75)))
        self.assertIn("bbox", falsified(lambda m: m["shards"][1].update(bbox=[-1, -1, 1, 1])))
        path.write_text(good)
        self.call("verify", self.dataset, "--fast", code=0)

    def test_verify_goes_on_after_a_manifest_that_cannot_be_read(self):
        other = self.folder / "other"
        shutil.copytree(self.dataset, other)
        text = (self.dataset / "manifest.json").read_text()
        (self.dataset / "manifest.json").write_text(text.replace("graticule-dataset", "something else"))
        text, told = self.verified(self.dataset, other, code=3)
        self.assertIn('"format" is not "graticule-dataset"', text)
        self.assertEqual([dataset["good"] for dataset in told], [False, True])

    def test_inspect_shows_what_is_there_and_tells_what_is_missing(self):
        self.assertEqual(json.loads(self.call("inspect", self.dataset, "--json", code=0).stdout)["problems"], [])
        index = self.dataset / "index.safetensors"
        index.write_bytes(index.read_bytes()[:-8])
        (self.dataset / "osv5m-00001.h5").unlink()
        done = self.call("inspect", self.dataset, code=3)
        self.assertIn("40 records of osv5m", done.stdout)
        self.assertIn("index.safetensors: found", done.stderr)
        self.assertIn("osv5m-00001.h5: the file is missing", done.stderr)
        told = json.loads(self.call("inspect", self.dataset, "--json", code=3).stdout)
        self.assertEqual((told["records"], len(told["problems"])), (40, 2))
        self.assertIn("/id/u64", self.call("inspect", self.dataset, "--record", 1, code=3).stdout)
        self.assertIn("osv5m-00001.h5", self.call("inspect", self.dataset, "--record", 20, code=3).stderr)
        self.assertIn("osv5m-00001.h5", self.call("inspect", self.dataset, "--legend", code=3).stderr)

    def writing_verbs(self):
        """What writes a file, and the files."""
        out, data, table = self.folder / "out", self.dataset, self.folder / "cells.csv"
        cells, gallery = self.world / "cells.safetensors", self.world / "gallery.safetensors"
        if not cells.exists():
            self.call("cells", "build", "--data", data, "--min-images", 0, "--max-images", 10, "--out", cells, room=(), code=0)
            self.call("gallery", "build", "--data", data, "--out", gallery, room=(), code=0)
        if not table.exists():
            self.call("cells", "export", cells, "--out", table, room=(), code=0)
        if not (self.folder / "places.csv").exists():
            self.call("gallery", "export", gallery, "--out", self.folder / "places.csv", room=(), code=0)
        verbs = [["data", "inspect", data, "--sheet", out], ["data", "inspect", data, "--record", 1, "--image", out],
                 ["data", "attribution", data, "--out", out],
                 ["data", "overlap", data, self.places(3), "--out", out],
                 ["data", "baselines", "--train", data, "--eval-split", "train", "--no-colour", "--cells", cells, "--out", out],
                 ["cells", "build", "--data", data, "--min-images", 0, "--max-images", 10, "--out", out],
                 ["cells", "render", cells, "--out", out], ["cells", "export", cells, "--out", out],
                 ["cells", "import", table, "--out", out], ["gallery", "build", "--data", data, "--out", out],
                 ["gallery", "export", gallery, "--out", out], ["gallery", "import", self.folder / "places.csv", "--out", out]]
        return out, verbs

    def test_each_verb_that_writes_a_file_says_where(self):
        out, verbs = self.writing_verbs()
        for verb in verbs:
            with self.subTest(verb=verb):
                self.assertIn(str(out), self.call(*verb, room=(), code=0).stdout)
                self.assertIn(f'"{out}"', self.call(*verb, "--json", room=(), code=0).stdout)
        self.assertIn(f"{self.dataset}/split-", self.call("split", self.dataset, code=0).stdout)
        if HAS_ENRICH:
            self.assertIn(f"{self.dataset}/enrich-", self.call("enrich", self.dataset, code=0).stdout)

    def test_a_file_that_cannot_be_written_whole_leaves_the_one_that_was_there(self):
        """A limit on file sizes stands for a full disk."""
        out, verbs = self.writing_verbs()
        out.write_text("old")
        before = sorted(self.folder.iterdir())
        for verb in verbs:
            with self.subTest(verb=verb):
                done = self.call(*verb, room=(), code=4, **limited(20))
                self.assertIn("File too large", done.stderr)
                self.assertEqual(out.read_text(), "old")
                self.assertEqual(sorted(self.folder.iterdir()), before, "something was left")

    def test_a_split_that_cannot_be_written_leaves_the_one_that_was_there(self):
        self.call("split", self.dataset, code=0)
        kept = (self.dataset / "manifest.json").read_bytes()
        for size in (20, len(kept) - 1):  # of the labels, and of the manifest alone
            self.assertIn("File too large", self.call("split", self.dataset, "--seed", 1, code=4, **limited(size)).stderr)
            self.assertEqual((self.dataset / "manifest.json").read_bytes(), kept)
            self.call("verify", self.dataset, code=0)
        self.call("split", self.dataset, "--seed", 1, code=0)
        self.assertNotEqual((self.dataset / "manifest.json").read_bytes(), kept)
        self.assertEqual(len(list(self.dataset.glob("split*"))), 1)
        self.call("verify", self.dataset, code=0)

    def test_a_file_that_can_never_be_written_is_refused_before_the_work(self):
        out, verbs = self.writing_verbs()
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        for path, reason in ((self.folder / "no/such/file", "a folder that is not there"), (self.dataset, "names a folder"),
                             (pipe, "names no regular file")):
            for verb in verbs:
                with self.subTest(verb=verb, path=path):
                    done = self.call(*[path if word == out else word for word in verb], room=(), code=2)
                    self.assertIn(reason, done.stderr)
                    self.assertEqual(done.stdout, "")
        self.assertTrue(pipe.is_fifo())

    def test_help_lists_each_option_with_what_holds_without_it(self):
        verbs = [f"data {name}" for name in ("verify", "inspect", "split", "overlap", "attribution", "baselines", "synth")]
        for verb in verbs + ["variogram"] + (["data enrich"] if HAS_ENRICH else []):
            text = self.call(*verb.split(), "--help", room=(), code=0).stdout.split("options:\n")[1]
            entries = re.sub(r"\n {12,}", " ", text).splitlines()
            self.assertGreaterEqual(len([entry for entry in entries if entry.startswith("  -")]), 3, verb)
            for entry in entries:
                with self.subTest(verb=verb, entry=entry):
                    self.assertRegex(entry, r"^  --?\w")
                    if re.match(r"  --\S+ arg", entry):
                        self.assertRegex(entry, r"\(=.+\) |\[.+\]|\(required\)")

    def test_a_report_that_does_not_arrive_is_an_error(self):
        with open("/dev/full", "w") as full:
            for words in (["inspect", self.dataset], ["inspect", self.dataset, "--json"], ["--help"], ["verify", "--help"]):
                done = subprocess.run([BIN / "graticule-data", "data", *words], stdout=full, stderr=subprocess.PIPE, text=True)
                self.assertEqual(done.returncode, 4, (words, done.stderr))
                self.assertIn("standard output: No space left", done.stderr)
            # An error keeps its code where it cannot be told, however long its text.
            for words, code in ((["inspect", "nope"], 2), (["inspect", self.world], 3), (["verify", "x" * 9000, "--json"], 2)):
                done = subprocess.run([BIN / "graticule-data", "data", *words], stdout=full, stderr=full)
                self.assertEqual(done.returncode, code, words)

    def test_numbers_that_cannot_be_meant_are_refused(self):
        out, verbs = self.writing_verbs()
        baselines = next(verb for verb in verbs if "baselines" in verb)
        variogram = ["variogram", "--data", self.dataset, "--label", "country", "--out", out]
        synth = ["data", "synth", "--out", out, "--osv", 1, "--mp16", 0]
        inspect = ["data", "inspect", self.dataset]
        for verb, more, told in ((["data", "split", self.dataset], ["--seed", "-1"], "--seed is -1, expected 0 or more"),
                                 (synth, ["--seed=-1"], "--seed is -1, expected 0 or more"),
                                 (synth, ["--threads", "-1"], "--threads is -1, expected 0 to 1024"),
                                 (baselines, ["--threads", "1000000"], "--threads is 1000000, expected 0 to 1024"),
                                 (variogram, ["--threads", "-1"], "--threads is -1, expected 0 to 1024"),
                                 (inspect, ["--sheet", out, "--count", 0], "--count is 0, expected 1 to "),
                                 (inspect, ["--sheet", out, "--count", 10**9], f"--count is {10**9}, expected 1 to "),
                                 (inspect, ["--count", 5], "--count needs --sheet"),
                                 (inspect, ["--image", out], "--image needs --record"),
                                 (["data", "verify", self.dataset], ["--fast", "--decode"], "--fast")):
            with self.subTest(verb=verb, more=more):
                self.assertIn(told, self.call(*verb, *more, room=(), code=2).stderr)
                self.assertFalse(out.exists())


def limited(size):
    return {"restore_signals": False,  # a write that is too long fails, without SIGXFSZ
            "preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))}


if __name__ == "__main__":
    unittest.main()
