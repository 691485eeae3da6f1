"""How an import grows with the number of records: rate, memory, and the time to open what it wrote.

    .deps/oracles/bin/python bench/import_scale.py [--sizes 10000 100000 1000000] [--markdown bench/results/import_scale.md]

Each size is a generated OSV-5M download (zips of 50,000 members, a table of 32 columns at about 600 bytes a row) of tiny
images, so that bookkeeping is all there is to do. Memory is the peak of the importing process; opening is
`cells inspect --data` over it, median of five, which opens the dataset as every rank does (manifest, hashed index) and then asks
for the place of each record: more than opening alone.

    .deps/oracles/bin/python bench/import_scale.py --sizes 20000 --image-bytes 87000 [--beside OTHER_BUILD_FOLDER]

Images of that size instead, so that moving bytes is what there is to do: from the page cache, and with each read of a zip delayed by
3 ms, as network storage has it; medians of five, in turn with another build.
"""
import argparse
import io
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import tempfile
import time
import zipfile

from PIL import Image

PROGRAM = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release")) / "bin/graticule-data"
HEADER = ("id,latitude,longitude,thumb_original_url,country,sequence,captured_at,lon_bin,lat_bin,cell,region,sub-region,city,land_cover,"
          "road_index,drive_side,climate,soil,dist_sea,quadtree_10_5000,quadtree_10_25000,quadtree_10_1000,quadtree_10_50000,"
          "quadtree_10_12500,quadtree_10_500,quadtree_10_2500,unique_region,unique_sub-region,unique_city,unique_country,creator_username,"
          "creator_id")


def generate(root, count, image_bytes=0):
    images = root / "images/train"
    images.mkdir(parents=True)
    out = io.BytesIO()
    Image.new("RGB", (8, 8), (90, 120, 60)).save(out, "JPEG")
    padding = os.urandom(max(0, image_bytes - out.tell()))  # behind the end of the picture
    url = "https://example.org/" + "x" * 300
    with open(root / "train.csv", "w") as table:
        table.write(HEADER + "\n")
        for k in range(count):
            town = k % 70_000
            table.write(f'{10**15 + k * 977},{-49.995 + k % 12000 / 100:.3f},{-170 + k % 34000 / 100},{url},NZ,seq{k // 5},16225541{k % 10**5:05d},0,8,"(0, 8)",'
                        f"r,s,c,4.0,4.66,1.0,15.0,3.0,0.0068,0,0,0,0,0,0,0,Region {town % 3000}_NZ,,Town {town}_NZ,NZ,user{k % 50_000},{k % 50_000}.0\n")
    for begin in range(0, count, 50_000):
        with zipfile.ZipFile(images / f"{begin // 50_000:02d}.zip", "w") as archive:
            for k in range(begin, min(count, begin + 50_000)):
                archive.writestr(f"{10**15 + k * 977}.jpg", out.getvalue() + padding)


def measured(*command, **environment):
    start = time.perf_counter()
    child = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                             env={**os.environ, **environment})
    output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    assert status == 0, command
    return time.perf_counter() - start, usage.ru_maxrss / 1024, output, usage.ru_utime + usage.ru_stime


def measure_large(count, image_bytes, builds):
    """Prints the medians of importing large images with each build in turn."""
    slow = {"LD_PRELOAD": str((PROGRAM.parent / "libflaky_reads.so").resolve()), "FLAKY_FILES": ".zip", "FLAKY_DELAY_MS": "3"}
    with tempfile.TemporaryDirectory(prefix="import-scale-") as name:
        root = pathlib.Path(name)
        generate(root / "osv", count, image_bytes)
        print("| build | zips | images/s | MB/s | wall, s | CPU, s | peak memory, MiB |\n|---|---|---|---|---|---|---|")
        for storage, environment in (("page cache", {}), ("3 ms a read", slow)):
            runs = {build: [] for build in builds}
            for build in builds * 5:
                shutil.rmtree(root / "out", ignore_errors=True)
                runs[build].append(measured(build / "bin/graticule-data", "data", "import", "osv5m", "--root", root / "osv", "--out", root / "out",
                                            "--records-per-shard", "2000", **environment))
            for build, run in runs.items():
                wall, memory, cpu = (statistics.median(r[k] for r in run) for k in (0, 1, 3))
                print(f"| {build} | {storage} | {count / wall:,.0f} | {count * image_bytes / wall / 1e6:,.0f} | {wall:.2f} | {cpu:.2f} | {memory:.0f} |",
                      flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--image-bytes", type=int, default=0)
    parser.add_argument("--beside", type=pathlib.Path, help="build folder of another version, with --image-bytes")
    parser.add_argument("--markdown")
    args = parser.parse_args()
    if args.image_bytes:
        for count in args.sizes:
            measure_large(count, args.image_bytes, [PROGRAM.parent.parent] + [args.beside] * bool(args.beside))
        return
    lines = ["| records | import, s | records/s | peak memory, MiB | bytes a record in the index | open and visit, s | peak memory of that, MiB |", "|---|---|---|---|---|---|---|"]
    for count in args.sizes:
        root = pathlib.Path(tempfile.mkdtemp(prefix="import-scale-"))
        try:
            generate(root / "osv", count)
            seconds, memory, output, _ = measured(PROGRAM, "data", "import", "osv5m", "--root", root / "osv", "--out", root / "out", "--json")
            assert json.loads(output)["records"] == count
            index = (root / "out/index.safetensors").stat().st_size
            (root / "place.csv").write_text("lat,lon\n1,2\n")
            subprocess.run([PROGRAM, "cells", "build", "--csv", root / "place.csv", "--min-images", "0", "--out", root / "cells"], check=True,
                           stdout=subprocess.DEVNULL)
            opened = [measured(PROGRAM, "cells", "inspect", root / "cells", "--data", root / "out", "--json") for _ in range(5)]
            lines.append(f"| {count:,} | {seconds:.1f} | {count / seconds:,.0f} | {memory:.0f} | {index / count:.0f} | "
                         f"{statistics.median(o[0] for o in opened):.2f} | {max(o[1] for o in opened):.0f} |")
            print(lines[-1], flush=True)
        finally:
            shutil.rmtree(root)
    if args.markdown:
        model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
        pathlib.Path(args.markdown).write_text(
            f"# Import, growing\n\n`bench/import_scale.py` on {os.cpu_count()} cores of {model}, temporary folder on local disk, one run per size.\n\n"
            + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
