"""Contrastive losses over a whole batch, forward and backward, beside what one would write or take in PyTorch: time and memory.

    GRATICULE_BUILD=build/release .deps/oracles/bin/python bench/contrastive_loss.py [--rows N...] [--rounds N] [--device cuda] [--precision tf32] [--json FILE]

Unit vectors of width 512, fp32, a learned scale, one process a side, all with the same inputs: the losses must agree.
"PyTorch" writes the whole matrix of logits and calls cross_entropy, or the published formula of HCL with exponentials;
"OpenCLIP" is its ClipLoss, which is symmetric. The sides run in turn, each in a fresh process whose first step does not
count. Seconds are medians over all steps of all rounds, by the clock and of CPU; the latter hardly see what else runs on
the machine as long as a side has one thread. Memory is how far the resident set rose above that of the inputs; the inputs'
gradients are part of it. On a GPU, the first one, memory is what torch's allocator gave out, and every step ends with
reading the loss, so that the clock sees it done.
"""

import argparse
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import time

BUILD = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release"))
WIDTH = 512
# name: kind, gps_to_image, beta, tau_plus
CASES = {"InfoNCE": ("infonce", 0, 0, 0), "InfoNCE both ways": ("infonce", 0.5, 0, 0), "HCL": ("hcl", 0, 1, 0.02)}
PEERS = {"InfoNCE": ["PyTorch"], "InfoNCE both ways": ["PyTorch", "OpenCLIP"], "HCL": ["PyTorch"]}
FITS = {"cpu": 16384, "cuda": 32768}  # rows up to which the peers' matrices are tried; beyond, a CPU takes one step with all cores, for its memory


def pseudorandom(torch, rows, width, offset):
    x = torch.arange(rows * width, dtype=torch.float64).add_(offset).mul_(12.9898).sin_().mul_(43758.5453)
    return (x - x.floor()).sub_(0.5).view(rows, width)


def unit(x):
    return (x / x.norm(2, 1, keepdim=True)).float()


def hcl(torch, logits, log_scale, beta, tau_plus):
    """As published: exponentials, the weights without gradient."""
    n = logits.shape[1] - 1
    others = ~torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    positive, negative = logits.diagonal().exp(), logits.exp() * others
    weight = (beta * logits.detach()).exp() * others
    reweighted = (weight * negative).sum(1) / (weight.sum(1) / n)
    bound = n * math.exp(-log_scale.exp().item())
    total = ((reweighted - tau_plus * n * positive) / (1 - tau_plus)).clamp_min(bound)
    return -(positive / (positive + total)).log().mean()


def peer_side(peer, kind, share, beta, tau_plus, rows, repeats, threads, device, precision):
    import torch
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    cross_entropy = torch.nn.functional.cross_entropy
    if peer == "OpenCLIP":
        from open_clip.loss import ClipLoss
        clip_loss = ClipLoss()

    def problem(count):
        places = pseudorandom(torch, count, WIDTH, 0.25)
        images = unit(pseudorandom(torch, count, WIDTH, 0.75).mul_(8).add_(places))
        return tuple(x.to(device).requires_grad_(True) for x in (images, unit(places), torch.tensor(math.log(1 / 0.07))))

    def step(images, places, log_scale):
        images.grad = places.grad = log_scale.grad = None
        labels = torch.arange(len(images), device=device)
        if peer == "OpenCLIP":
            loss = clip_loss(images, places, log_scale.exp())
        else:
            logits = log_scale.exp() * images @ places.T
            if kind == "hcl":
                loss = hcl(torch, logits, log_scale, beta, tau_plus)
            elif share:
                loss = (1 - share) * cross_entropy(logits, labels) + share * cross_entropy(logits.T, labels)
            else:
                loss = cross_entropy(logits, labels)
        loss.backward()
        return loss.item()

    def status_mib(key):
        lines = pathlib.Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(key + ":")) / 1024

    def memory_mib(peak):
        if device == "cpu":
            return status_mib("VmHWM" if peak else "VmRSS")
        return (torch.cuda.max_memory_allocated() if peak else torch.cuda.memory_allocated()) / 2 ** 20

    step(*problem(64))
    inputs = problem(rows)
    if device == "cpu":
        pathlib.Path("/proc/self/clear_refs").write_text("5")
    else:
        torch.cuda.reset_peak_memory_stats()
    before, seconds, cpu_s = memory_mib(peak=False), [], []
    for i in range(repeats + 1):
        start, cpu_start = time.perf_counter(), time.process_time()
        value = step(*inputs)
        if i > 0 or repeats == 0:
            seconds.append(time.perf_counter() - start)
            cpu_s.append(time.process_time() - cpu_start)
    print(json.dumps({"seconds": seconds, "cpu_s": cpu_s, "loss": value, "peak_mib": round(memory_mib(peak=True) - before, 1)}))


def run(side, case, rows, repeats, threads, device, precision):
    numbers = [str(x) for x in CASES[case]]
    if side == "graticule":
        command = [BUILD / "bin/contrastive_loss", *numbers, str(rows), str(WIDTH), str(repeats), str(threads), device, precision]
    else:
        command = [sys.executable, __file__, "--peer-side", side, *numbers, str(rows), str(repeats), str(threads), device, precision]
    environment = dict(os.environ, ONEDNN_MAX_CPU_ISA="AVX512_CORE_BF16")  # some machines announce AMX in vain
    if device == "cuda":  # both sides with the libraries of this Python's torch
        libraries = sorted(str(p) for p in pathlib.Path(sys.prefix).glob("lib/python3*/site-packages/nvidia/*/lib"))
        environment["LD_LIBRARY_PATH"] = ":".join([*libraries, os.environ.get("LD_LIBRARY_PATH", "")])
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"{side}, {case}, {rows} rows: {done.stderr.strip()}")
    return json.loads(done.stdout)


def machine(options):
    import open_clip
    import torch
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    found = {"cpu": cpu, "cores": os.cpu_count(), "threads": options.threads, "torch": torch.__version__, "open_clip": open_clip.__version__}
    return found if options.device == "cpu" else {**found, "gpu": torch.cuda.get_device_name(0), "precision": options.precision}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1024, 2048, 4096, 8192, 16384, 32768, 65536])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--precision", choices=["fp32", "tf32"], default="fp32", help="of products of matrices, on all sides; tf32 on a GPU")
    parser.add_argument("--only", default="", help="the case of this name")
    parser.add_argument("--json")
    options = parser.parse_args()
    if options.precision == "tf32" and options.device == "cpu":
        parser.error("tf32 needs --device cuda")
    if options.device == "cuda":
        import torch
        if not torch.cuda.is_available():
            sys.exit("no GPU here: torch sees no CUDA device, so nothing is measured; --device cpu runs anywhere")
    fits, bound = FITS[options.device], 1e-4 if options.precision == "fp32" else 2e-3
    results = []
    print(f"{'rows':>6}  {'loss':<18} {'side':<10} {'s':>8} {'times ours':>10} {'CPU s':>8} {'times ours':>10} {'MiB':>7} {'times ours':>10}")
    for rows in options.rows:
        for case in CASES:
            if options.only not in ("", case):
                continue
            sides = ["graticule", *(PEERS[case] if rows <= fits else [])]
            rounds, repeats = (options.rounds, max(1, 4096 // rows)) if rows <= fits else (1, 0)
            threads = options.threads if rows <= fits else os.cpu_count()
            if options.device == "cuda":
                rounds, repeats = options.rounds, 20
            found = {side: {"seconds": [], "cpu_s": [], "peak_mib": 0} for side in sides}
            for _ in range(rounds):
                for side, entry in found.items():
                    result = run(side, case, rows, repeats, threads, options.device, options.precision)
                    for clock in ("seconds", "cpu_s"):
                        entry[clock] += [round(s, 4) for s in result[clock]]
                    entry["peak_mib"] = max(entry["peak_mib"], result["peak_mib"])
                    entry["loss"] = result["loss"]
            ours = found["graticule"]
            for side, entry in found.items():
                assert abs(entry["loss"] - ours["loss"]) < bound * abs(ours["loss"]), (case, rows, found)
                entry["median_s"], entry["median_cpu_s"] = (statistics.median(entry[clock]) for clock in ("seconds", "cpu_s"))
                shown = [f"{entry[key]:>8.{digits}f} {entry[key] / ours[key]:>10.2f}"
                         for key, digits in (("median_s", 3), ("median_cpu_s", 3), ("peak_mib", 0))]
                print(f"{rows:>6}  {case:<18} {side:<10} " + " ".join(shown), flush=True)
            if rows > fits:
                print(f"{'':>27}peers: {4 * rows ** 2 / 2 ** 20:.0f} MiB for each live copy of the logits, not tried")
            results.append({"rows": rows, "case": case, "sides": found, "load_average": os.getloadavg()[0]})
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps({"machine": machine(options), "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    if len(sys.argv) > 2 and sys.argv[1] == "--peer-side":
        peer, kind, *numbers = sys.argv[2:]
        peer_side(peer, kind, *[float(x) for x in numbers[:3]], *[int(x) for x in numbers[3:6]], *numbers[6:])
    else:
        main()
