"""The rules of the house that a compiler does not check. Plain Python, no packages.

Floors: includes point down only, siblings never include one another. Libraries: each foreign library is included in
its own rooms. Tests: every test file is registered, none is disabled.
"""
import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROOMS = ["base", "geo", "data", "models", "losses", "trainer", "launch"]
MAY_INCLUDE = {
    "base": {"base"},
    "geo": {"base", "geo"},
    "data": {"base", "geo", "data"},
    "models": {"base", "geo", "models"},
    "losses": {"base", "geo", "losses"},
    "trainer": {"base", "geo", "data", "models", "losses", "trainer"},
    "launch": set(ROOMS),
}
# Header prefix -> the only folders that may include it. `cuda/` folders belong to the CUDA module.
FOREIGN = {
    "yaml-cpp/": ["base/config/"],
    "isa-l": ["base/"],
    "openssl/": ["base/"],
    "s2/": ["geo/"],
    "nanoflann": ["geo/"],
    "Eigen/": ["geo/variogram/"],
    "unsupported/Eigen/": ["geo/variogram/"],
    "hdf5": ["data/shard/"],
    "H5": ["data/shard/", "launch/verbs/version.cc"],
    "jpeglib": ["data/image/"],
    "turbojpeg": ["data/image/", "data/synth/"],
    "xxhash": ["data/shard/"],
    "archive": ["data/import/", "data/synth/"],
    "gdal": ["data/enrich/"],
    "ogr": ["data/enrich/"],
    "cpl_": ["data/enrich/"],
    "expat": ["data/import/"],
    "libexif/": ["data/import/", "data/image/"],
    "mpi.h": ["trainer/comm/"],
    "nccl": ["trainer/cuda/"],
    "nvjpeg": ["trainer/cuda/"],
    "cuda": ["trainer/cuda/", "data/cuda/", "losses/cuda/"],
    "boost/program_options": ["launch/"],
    "ATen/": ["models/", "losses/", "trainer/", "launch/"],
    "torch/": ["models/", "losses/", "trainer/", "launch/"],
    "c10/": ["models/", "losses/", "trainer/", "launch/"],
}
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^">]+)[">]', re.M)


def sources(*folders):
    tracked = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", *folders],
                             cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return [ROOT / name for name in tracked if (ROOT / name).suffix in {".h", ".cc", ".cu", ".cuh"} and (ROOT / name).exists()]


def includes(path):
    return [(quote, name) for quote, name in INCLUDE.findall(path.read_text())]


class Floors(unittest.TestCase):
    def test_includes_point_down_and_never_sideways(self):
        wrong = []
        for room in ROOMS:
            for path in sources(room):
                for quote, name in includes(path):
                    target = name.split("/")[0]
                    if quote == '"' and target in ROOMS and target not in MAY_INCLUDE[room]:
                        wrong.append(f"{path.relative_to(ROOT)} includes {name}")
        self.assertEqual(wrong, [], "a lower floor or a sibling room includes what it may not")

    def test_includes_are_written_from_the_root(self):
        wrong = [f"{path.relative_to(ROOT)}: \"{name}\"" for path in sources(*ROOMS) for quote, name in includes(path)
                 if quote == '"' and name.split("/")[0] not in ROOMS]
        self.assertEqual(wrong, [])

    def test_each_foreign_library_has_one_home(self):
        wrong = []
        for path in sources(*ROOMS):
            relative = str(path.relative_to(ROOT))
            for quote, name in includes(path):
                if quote == '"':
                    continue
                for prefix, homes in FOREIGN.items():
                    if name.startswith(prefix) and not any(relative.startswith(home) for home in homes):
                        wrong.append(f"{relative} includes <{name}>, which belongs to {homes}")
        self.assertEqual(wrong, [])

    def test_umbrella_torch_header_is_never_used(self):
        wrong = [str(path.relative_to(ROOT)) for path in sources(*ROOMS, "tests", "bench")
                 for _, name in includes(path) if name in {"torch/torch.h", "torch/all.h", "torch/extension.h"}]
        self.assertEqual(wrong, [])


class Tests(unittest.TestCase):
    def test_every_test_file_is_registered(self):
        lists = "\n".join(path.read_text() for path in ROOT.glob("*/CMakeLists.txt")) + "\n" + \
            "\n".join(path.read_text() for path in (ROOT / "tests").rglob("CMakeLists.txt"))
        forgotten = []
        for path in sorted((ROOT / "tests").rglob("*_test.*")):
            if path.suffix not in {".cc", ".cu", ".py", ".sh"}:
                continue
            name = path.relative_to(ROOT / "tests" / "unit" / path.parts[-2]) if "unit" in path.parts else path.name
            if str(name) not in lists:
                forgotten.append(str(path.relative_to(ROOT)))
        self.assertEqual(forgotten, [], "declare these with their library or in tests/CMakeLists.txt")

    def test_no_test_is_disabled(self):
        wrong = [str(path.relative_to(ROOT)) for path in sources("tests") if "DISABLED_" in path.read_text()]
        self.assertEqual(wrong, [])

    def test_skips_in_cpp_print_a_reason(self):
        wrong = [str(path.relative_to(ROOT)) for path in sources("tests")
                 if re.search(r"GTEST_SKIP\(\)\s*;", path.read_text())]
        self.assertEqual(wrong, [])


class Style(unittest.TestCase):
    def test_headers_open_with_a_manual_paragraph(self):
        wrong = [str(path.relative_to(ROOT)) for path in sources(*ROOMS)
                 if path.suffix == ".h" and not path.read_text().startswith("//")]
        self.assertEqual(wrong, [])

    def test_files_stay_small_enough_to_hold_in_the_head(self):
        limits = {".h": 200, ".cuh": 200, ".cc": 450, ".cu": 450}
        wrong = []
        for path in sources(*ROOMS):
            lines = len(path.read_text().splitlines())
            if lines > limits[path.suffix]:
                wrong.append(f"{path.relative_to(ROOT)}: {lines} lines")
        self.assertEqual(wrong, [])

    def test_nothing_is_left_undone(self):
        pattern = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
        wrong = [str(path.relative_to(ROOT)) for path in sources(*ROOMS, "tests", "bench") if pattern.search(path.read_text())]
        self.assertEqual(wrong, [])


class Shell(unittest.TestCase):
    def test_scripts_parse(self):
        for path in sorted((ROOT / "scripts").glob("*.sh")):
            result = subprocess.run(["bash", "-n", str(path)], capture_output=True, text=True)
            self.assertEqual(result.returncode, 0, result.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=1)
