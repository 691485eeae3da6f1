"""Random reads per second from one shard: graticule beside H5Dread and h5py, in the same run on the same file.

    GRATICULE_BUILD=build/release .deps/oracles/bin/python bench/shard_reads.py [--records N] [--bytes N] [--json FILE]
"""

import argparse
import json
import os
import pathlib
import platform
import subprocess
import tempfile
import time

import h5py
import numpy as np

BUILD = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release"))


def h5py_rate(path, seconds):
    with h5py.File(path) as file:
        data, off, length = file["img/data"], file["img/off"][:], file["img/len"][:]
        random, reads, start = np.random.default_rng(7), 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            for i in random.integers(0, len(off), 200):
                data[off[i] : off[i] + length[i]]
            reads += 200
        return reads / (time.perf_counter() - start)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=4000)
    parser.add_argument("--bytes", type=int, default=50_000)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [BUILD / "bin" / "shard_reads", pathlib.Path(folder) / "d", str(options.records), str(options.bytes),
                   str(options.seconds)]
        result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        result["rates"].append({"method": "h5py", "threads": 1,
                                "reads_per_s": round(h5py_rate(result.pop("shard"), options.seconds))})
    result["machine"] = f"{os.cpu_count()} x {platform.processor() or platform.machine()}, warm page cache"
    print(f"{result['records']} images of {result['mean_bytes'] / 1000:.1f} kB; {result['machine']}")
    print(f"{'method':<12} {'threads':>7} {'reads/s':>10} {'MB/s':>8}  checked by CRC")
    for rate in sorted(result["rates"], key=lambda r: (r["threads"], r["method"])):
        print(f"{rate['method']:<12} {rate['threads']:>7} {rate['reads_per_s']:>10.0f} "
              f"{rate['reads_per_s'] * result['mean_bytes'] / 1e6:>8.0f}  {'yes' if rate['method'] == 'graticule' else 'no'}")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
