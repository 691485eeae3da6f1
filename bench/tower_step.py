"""Step time of our tower beside the same model in Python PyTorch, in one run.

    .deps/oracles/bin/python bench/tower_step.py [--threads 2] [--rounds 3] [--markdown bench/results/tower_step.md]

Both sides take the same shape, batch, threads and precision, and do forward, mean over tokens, linear head, soft
cross-entropy, backward and fused AdamW. They run in turn, each in a process of its own; a figure is the median over
all steps of all rounds but the first two of each.
"""
import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

CELLS = 300
# name: width, layers, heads, image, patch, batch, steps a round, options
CASES = {
    "demo tower, batch 256, fp32": (128, 4, 2, 64, 8, 256, 8, ()),
    "demo tower, batch 256, bf16": (128, 4, 2, 64, 8, 256, 8, ("bf16",)),
    "B/32, batch 8, fp32": (768, 12, 12, 224, 32, 8, 5, ()),
    "B/32, batch 8, fp32, recomputed": (768, 12, 12, 224, 32, 8, 5, ("recompute",)),
}


def python_side(width, layers, heads, image, patch, batch, steps, threads, *options):
    import contextlib
    import resource
    import time

    import torch
    from transformers import CLIPVisionConfig, CLIPVisionModel
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    model = CLIPVisionModel(CLIPVisionConfig(hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads,
                                             intermediate_size=4 * width, image_size=image, patch_size=patch,
                                             attn_implementation="sdpa")).train()
    if "recompute" in options:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    model.vision_model.post_layernorm.requires_grad_(False)
    head = torch.nn.Linear(width, CELLS)
    trained = [p for p in [*model.parameters(), *head.parameters()] if p.requires_grad]
    adam = torch.optim.AdamW(trained, lr=1e-4, weight_decay=0.01, fused=True)
    images, labels = torch.randn(batch, 3, image, image), torch.rand(batch, CELLS)
    autocast = torch.autocast("cpu", torch.bfloat16) if "bf16" in options else contextlib.nullcontext()
    times, cpu_times = [], []
    for _ in range(steps):
        start, cpu_start = time.perf_counter(), time.process_time()
        with autocast:
            pooled = model(pixel_values=images).last_hidden_state.float().mean(1)
        loss = -(torch.log_softmax(head(pooled), 1) * labels).sum() / batch
        loss.backward()
        adam.step()
        adam.zero_grad(set_to_none=True)
        value = loss.item()
        times.append(time.perf_counter() - start)
        cpu_times.append(time.process_time() - cpu_start)
    print(json.dumps({"steps_s": times, "cpu_s": cpu_times, "loss": value,
                      "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))


def run(command):
    environment = dict(os.environ, ONEDNN_MAX_CPU_ISA="AVX512_CORE_BF16")  # some machines announce AMX in vain
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout)


def add(side, result):
    """Steps by the clock, steps in CPU seconds, peak memory; the first two steps warm up."""
    return side[0] + result["steps_s"][2:], side[1] + result["cpu_s"][2:], max(side[2], result["peak_mib"])


def machine(threads):
    import torch
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    return (f"{cpu}, {os.cpu_count()} cores, {threads} threads a side, Linux {platform.release()}, "
            f"torch {torch.__version__} on both sides")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--markdown", help="write the table there")
    args = parser.parse_args()
    tool = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release")) / "bin" / "tower_step"
    rows = []
    for name, (*shape, options) in CASES.items():
        if args.only not in name:
            continue
        numbers = [str(n) for n in (*shape, args.threads)]
        ours, theirs = ([], [], 0), ([], [], 0)
        for _ in range(args.rounds):
            ours = add(ours, run([tool, *numbers, *options]))
            theirs = add(theirs, run([sys.executable, __file__, "--python-side", *numbers, *options]))
        wall, cpu = ([statistics.median(side[i]) for side in (ours, theirs)] for i in (0, 1))
        rows.append("| {} | {:.3f} | {:.3f} | **{:.2f}** | {:.3f} | {:.3f} | **{:.2f}** | {:.0f} | {} | {} |".format(
            name, *wall, wall[1] / wall[0], *cpu, cpu[1] / cpu[0], shape[5] / wall[0], ours[2], theirs[2]))
        print(rows[-1], flush=True)
    if args.markdown:
        lines = ["# Step time of the tower beside Python PyTorch", "", machine(args.threads) + ".",
                 f"Load of the machine when this was written: {os.getloadavg()[1]:.1f} (5 minutes).",
                 "Written by `bench/tower_step.py`, whose head says what a step is. Medians of seconds a step, by the clock and of",
                 "CPU (user and system, all threads); a ratio above 1 means that ours needs less.", "",
                 "| case | ours, s | Python, s | ratio | ours, CPU s | Python, CPU s | ratio | ours, images/s | ours, peak MiB | Python, peak MiB |",
                 "|---|---|---|---|---|---|---|---|---|---|", *rows]
        pathlib.Path(args.markdown).write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    if len(sys.argv) > 2 and sys.argv[1] == "--python-side":
        python_side(*[int(n) for n in sys.argv[2:10]], *sys.argv[10:])
    else:
        main()
