"""An import holds some bytes of each record and of each row, and neither the images nor the table."""
import os
import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))
from import_scale import generate, measured  # noqa: E402

PROGRAM = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release")).resolve() / "bin/graticule-data"
FEW, MANY = 70_000, 140_000  # generated places have 70,000 towns, whose names are kept
# 68 B of index, 24 B of the table's row and what vectors that grow hold twice. A row has 600 B, an image here 1,400 B.
MOST_PER_RECORD = 400


class ImportMemory(unittest.TestCase):
    def peak_bytes(self, records):
        with tempfile.TemporaryDirectory(prefix="graticule-") as name:
            folder = pathlib.Path(name)
            generate(folder / "osv", records, image_bytes=1400)
            _, peak_mib, _, _ = measured(PROGRAM, "data", "import", "osv5m", "--root", folder / "osv", "--out", folder / "out",
                                         "--records-per-shard", "1000")
            return peak_mib * 2**20

    def test_grows_by_the_index_alone(self):
        few, many = self.peak_bytes(FEW), self.peak_bytes(MANY)
        self.assertLess((many - few) / (MANY - FEW), MOST_PER_RECORD)


if __name__ == "__main__":
    unittest.main()
