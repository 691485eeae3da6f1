"""Random rows of stored embeddings per second on one core: graticule beside what people use from Python, same rows, same
run, warm page cache.

    GRATICULE_BUILD=build/release .deps/oracles/bin/python bench/embedding_rows.py [--records N] [--dim D] [--rounds N] [--json FILE]
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

import h5py
import numpy as np
import torch
from safetensors import safe_open

BUILD = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release"))
BATCH = 256


def rate(gather, records, seconds):
    random, rows = np.random.default_rng(7), 0
    batches = [random.integers(0, records, BATCH) for _ in range(256)]  # as many rows as the other side draws from
    start = time.perf_counter()
    while time.perf_counter() - start < seconds:
        for batch in batches:
            gather(batch)
        rows += BATCH * len(batches)
    return rows / (time.perf_counter() - start)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--dim", type=int, default=1024)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rates = {}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        command = [BUILD / "bin" / "embedding_rows", folder, str(options.records), str(options.dim), str(options.seconds)]
        subprocess.run([*command[:-1], "0.01"], check=True, capture_output=True)
        # The same rows as one file for the others, who have no parts.
        rows = []
        for part in sorted((folder / "emb").glob("part-*.emb")):
            with safe_open(part, "np") as file:
                rows.append(file.get_tensor("embeddings")[:, 0])
        whole = np.concatenate(rows)
        whole.tofile(folder / "rows.bin")
        with h5py.File(folder / "rows.h5", "w") as file:
            file["rows"] = whole
        mapped = np.memmap(folder / "rows.bin", np.float16, "r", shape=whole.shape)
        tensor = torch.from_file(str(folder / "rows.bin"), False, whole.size, dtype=torch.float16).view(whole.shape)
        stored = h5py.File(folder / "rows.h5")["rows"]
        del whole, rows
        peers = {"NumPy memmap, fancy index": lambda b: mapped[b],
                 "torch index_select, mapped": lambda b: tensor.index_select(0, torch.from_numpy(b)),
                 "torch row by row": lambda b: torch.stack([tensor[i] for i in b.tolist()]),
                 "h5py row by row": lambda b: [stored[i] for i in b]}
        for _ in range(options.rounds):
            ours = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            rates.setdefault("graticule, store", []).append(ours["store"])
            rates.setdefault("graticule, loader", []).append(ours["loader"])
            rates.setdefault("memcpy of mapped rows", []).append(ours["copy"])
            for name, gather in peers.items():
                rates.setdefault(name, []).append(rate(gather, options.records, options.seconds / 2))
    row_bytes = ours["row_bytes"]
    print(f"{options.records} rows of {row_bytes} bytes, one core, median of {options.rounds} rounds")
    print(f"{'':<28} {'rows/s':>10} {'GB/s':>6}")
    for name, values in rates.items():
        print(f"{name:<28} {statistics.median(values):>10.0f} {statistics.median(values) * row_bytes / 1e9:>6.2f}")
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps({"row_bytes": row_bytes, "records": options.records, "rates": rates},
                                                         indent=1) + "\n")


if __name__ == "__main__":
    main()
