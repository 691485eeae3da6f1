"""Trainings whose order is a plan (data.plan): the same on any number of ranks, and made again where it was lost."""
import array
import hashlib
import json
import pathlib
import shutil
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from training_runs import RankTest  # noqa: E402

GPS = ("data.plan.kind=gps", "data.plan.neighbours=16", "data.plan.select=8", "eval.every_steps=0")
SIMILARITY = ("data.plan.kind=similarity", "data.plan.neighbours=16", "data.plan.select=8", "data.plan.every_epochs=2",
              "data.plan.similar_min_km=5", "eval.every_steps=0", "recipe.kind=geoclip", "loss.kind=infonce", "model.pooling=embeds",
              "recipe.outputs=16", "recipe.location.features=16", "recipe.location.width=32",
              "recipe.negatives.queue=48", "checkpoint.keep=100")


def neighbours(path):
    """Header and rows of a file of neighbour lists."""
    data = path.read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    values = array.array("I", data[end:])
    k = header["neighbour"]["shape"][1]
    return header, [values[i:i + k] for i in range(0, len(values), k)]


class Plans(RankTest):
    def order(self, name):
        return self.world.folder / name / "order"

    def drop(self, name, *steps):
        for step in steps:
            shutil.rmtree(self.world.checkpoint(name, step))

    def test_neighbours_share_batches_on_any_number_of_ranks(self):
        for ranks in (1, 2, 4):
            self.train(f"gps{ranks}", *GPS, ranks=ranks, steps=20)
            self.assertEqual(self.samples(f"gps{ranks}"), self.samples("gps1"))
            for path in sorted(self.order("gps1").iterdir()):
                self.assertEqual((self.order(f"gps{ranks}") / path.name).read_bytes(), path.read_bytes(), path.name)
        self.assertEqual(len(set(self.samples("gps1"))), 20, "batches repeat")
        state = self.state("gps1", 20)
        self.assertEqual(state["order"], "neighbours-v1:24x8of16,share=0.5,give_up=1024,gps>=0km")
        per_epoch = state["batches_per_epoch"]
        self.assertGreater(20, per_epoch, "one epoch is no test")
        epochs = [array.array("I", (self.order("gps1") / f"epoch_{e:04}.u32").read_bytes()) for e in range(20 // per_epoch)]
        for records in epochs:
            self.assertEqual(len(records), 24 * per_epoch)
            self.assertEqual(len(set(records)), len(records))
        self.assertNotEqual(epochs[0], epochs[1])
        plan = (self.order("gps1") / f"epoch_{19 // per_epoch:04}.u32").read_bytes()
        self.assertEqual(state["plan_sha256"], hashlib.sha256(plan).hexdigest())
        self.train("plain", "eval.every_steps=0", steps=20)
        self.assertNotEqual(self.samples("plain"), self.samples("gps1"))

    def test_a_plan_that_was_lost_in_the_middle_of_an_epoch_is_made_again(self):
        self.train("whole", *GPS, ranks=2, steps=20)
        end = self.world.fingerprint("whole", 20)
        epoch = self.order("whole") / f"epoch_{15 // self.state('whole', 20)['batches_per_epoch']:04}.u32"
        for lost in (("epoch",), ("epoch", "lists"), ("damaged",), ()):
            self.drop("whole", 20)
            if "damaged" in lost:
                epoch.write_bytes(epoch.read_bytes()[::-1])
            for path in self.order("whole").iterdir() if lost else ():
                if path.name.split("_")[0] in lost:
                    path.unlink()
            told = self.train("whole", *GPS, ranks=2, steps=20)
            self.assertEqual("is made again" in told, bool(lost), told)
            self.assertEqual(self.world.fingerprint("whole", 20), end, lost)

    def test_a_model_makes_lists_anew_and_they_are_kept(self):
        self.train("dss", *SIMILARITY, steps=40)
        per_epoch = self.state("dss", 40)["batches_per_epoch"]
        first, inside = 2 * per_epoch, (2 * per_epoch // 5 + 1) * 5
        self.assertLess(inside, 3 * per_epoch)
        self.assertTrue(self.world.checkpoint("dss", first).exists(), "no checkpoint was forced before the lists were made")
        lists = {path.name for path in self.order("dss").iterdir() if path.name.startswith("lists")}
        self.assertIn("lists_0002.safetensors", lists)
        end = self.world.fingerprint("dss", 40)
        later = [step for step in range(5, 45, 5) if step > inside] + [3 * per_epoch, 4 * per_epoch]
        self.drop("dss", *[step for step in set(later) if self.world.checkpoint("dss", step).exists()])
        # In the epoch that follows new lists: the plan is made again of them.
        (self.order("dss") / "epoch_0002.u32").unlink()
        self.train("dss", *SIMILARITY, steps=40)
        self.assertEqual(self.world.fingerprint("dss", 40), end)
        # Without them there is no way on from here, but from the step at which they were made.
        self.drop("dss", *[step for step in set(later) if self.world.checkpoint("dss", step).exists()])
        shutil.rmtree(self.order("dss"))
        told = self.train("dss", *SIMILARITY, steps=40, code=4)
        self.assertIn("go on from the checkpoint of the first step of epoch 2", told)
        self.drop("dss", *[step for step in range(5, inside + 1, 5) if step > first])
        self.train("dss", *SIMILARITY, steps=40)
        self.assertEqual(self.world.fingerprint("dss", 40), end)

    def test_lists_by_similarity_do_not_depend_on_the_ranks_that_embed(self):
        # Weights that stand still: what ranks differ in is the last bit of a sum.
        still = (*SIMILARITY, "optim.lr=1e-12", "data.plan.every_epochs=1")
        found = {}
        for ranks in (1, 2, 4):
            self.train(f"still{ranks}", *still, ranks=ranks, steps=10)
            header, lists = neighbours(self.order(f"still{ranks}") / "lists_0001.safetensors")
            self.assertIn("similarity at the start of epoch 1, 5 km and more", header["__metadata__"]["method"])
            found[ranks] = [set(row) for row in lists]
        _, by_distance = neighbours(self.order("still1") / "lists_0000.safetensors")
        self.assertNotEqual([set(row) for row in by_distance], found[1])
        for ranks in (2, 4):
            shared = sum(len(a & b) for a, b in zip(found[1], found[ranks]))
            self.assertGreater(shared, 0.98 * sum(map(len, found[1])))

    def test_what_cannot_be_planned_is_refused(self):
        for words, told in ((("data.plan.kind=similarity",), "needs recipe.kind geoclip"),
                            ((*GPS, "data.epoch_samples=48"), "data.plan covers whole epochs"),
                            ((*GPS, "data.block.records=8"), "exclude each other"),
                            ((*GPS, "data.plan.select=17"), "is more than data.plan.neighbours 16")):
            self.assertIn(told, self.train("refused", *words, code=2))


if __name__ == "__main__":
    unittest.main(verbosity=1)
