"""From JPEG to training crop: ours beside torchvision and Pillow, same files, same machine, one thread each.

    .deps/oracles/bin/python bench/data_path.py [--rounds 5] [--seconds 2] [--write]

The contestants take turns, so that a change of clock or load hits all of them; medians are reported, and the spread.
--write replaces bench/results/data_path.md.
"""
import argparse
import io
import json
import os
import pathlib
import platform
import statistics
import subprocess
import tempfile
import time

import numpy as np
import PIL
import PIL.features
import torch
import torchvision
from PIL import Image
from torchvision.io import ImageReadMode, decode_jpeg
from torchvision.transforms import v2

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("GRATICULE_BUILD", ROOT / "build" / "release"))
FILES, WIDTH, HEIGHT, QUALITY = 64, 640, 480, 85
CROP = dict(size=224, scale=(0.9, 1.0), ratio=(3 / 4, 4 / 3))


def photo_like(seed):
    """Noise with a photograph's spectrum: amplitude ~ 1/f, softened as by a lens, more in brightness than in colour."""
    rng = np.random.default_rng(seed)
    fy, fx = np.fft.fftfreq(HEIGHT)[:, None], np.fft.rfftfreq(WIDTH)[None, :]
    frequency = np.hypot(fy, fx)
    falloff = np.exp(-((frequency / 0.35) ** 2)) / np.maximum(frequency, 1 / WIDTH) ** 1.1

    def field():
        spectrum = (rng.normal(size=falloff.shape) + 1j * rng.normal(size=falloff.shape)) * falloff
        plane = np.fft.irfft2(spectrum, s=(HEIGHT, WIDTH))
        return plane / plane.std()

    light = field()
    image = np.stack([128 + 52 * light + 14 * field() for _ in range(3)], -1)
    return Image.fromarray(np.clip(image, 0, 255).astype(np.uint8))


def rate(one, files, seconds):
    for i in range(8):
        one(files[i % len(files)])
    begin, done = time.thread_time(), 0  # time on a core, so that other work on the machine counts for nobody
    while time.thread_time() - begin < seconds:
        one(files[done % len(files)])
        done += 1
    return done / (time.thread_time() - begin)


def ours(folder, seconds, *mode):
    done = subprocess.run([BUILD / "bin" / "bench_data_path", folder, str(seconds), *map(str, mode)],
                          capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def contestants(folder, blobs, seconds):
    tensors = [torch.frombuffer(bytearray(b), dtype=torch.uint8) for b in blobs]
    tensor_crop = v2.RandomResizedCrop(**CROP, interpolation=v2.InterpolationMode.BICUBIC, antialias=True)
    bilinear_crop = v2.RandomResizedCrop(**CROP, interpolation=v2.InterpolationMode.BILINEAR, antialias=True)
    pillow_crop = v2.RandomResizedCrop(**CROP, interpolation=v2.InterpolationMode.BICUBIC)

    def open_rgb(blob):
        return Image.open(io.BytesIO(blob)).convert("RGB")

    return {
        "graticule: decode only": lambda: ours(folder, seconds, "decode")["images_per_s"],
        "graticule: decode + crop": lambda: ours(folder, seconds, "pipeline")["images_per_s"],
        "graticule: decode + crop, AVX2": lambda: ours(folder, seconds, "pipeline-avx2")["images_per_s"],
        "graticule: crop only": lambda: ours(folder, seconds, "resize")["images_per_s"],
        "torchvision: decode only": lambda: rate(lambda t: decode_jpeg(t, ImageReadMode.RGB), tensors, seconds),
        "torchvision: decode + crop": lambda: rate(
            lambda t: tensor_crop(decode_jpeg(t, ImageReadMode.RGB)), tensors, seconds),
        "torchvision: decode + crop, bilinear": lambda: rate(
            lambda t: bilinear_crop(decode_jpeg(t, ImageReadMode.RGB)), tensors, seconds),
        "Pillow: decode only": lambda: rate(open_rgb, blobs, seconds),
        "Pillow: decode + crop": lambda: rate(lambda b: np.asarray(pillow_crop(open_rgb(b))), blobs, seconds),
    }


def cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def libjpeg_version():
    done = subprocess.run(["pkg-config", "--modversion", "libturbojpeg"], capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def report(results, loader, sizes, arguments):
    median = {name: statistics.median(values) for name, values in results.items()}
    bare, full = median["graticule: decode only"], median["graticule: decode + crop"]
    cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[1]
    pixels = WIDTH * HEIGHT
    lines = [
        "# From JPEG to training crop",
        "",
        f"{FILES} photo-like images of {WIDTH} x {HEIGHT} (amplitude 1/f, softened; quality {QUALITY}, 4:2:0, "
        f"{8 * statistics.mean(sizes) / pixels:.2f} bit per pixel), in memory; random-resized-crop to 224 with "
        "0.9 to 1 of the area, bicubic, result in 8 bits. One thread, rates per second on a core.",
        "",
        f"Machine: {cpu_model()}, {cores} cores visible, load average {load:.1f}; Linux {platform.release()}. "
        f"Ours: libjpeg-turbo {libjpeg_version()} of the distribution. torch {torch.__version__}, torchvision "
        f"{torchvision.__version__} (tensor path, antialiased, `torch.set_num_threads(1)`), Pillow {PIL.__version__} "
        f"(libjpeg-turbo {PIL.features.version('libjpeg_turbo')}), Python {platform.python_version()}.",
        "",
        f"Median of {arguments.rounds} rounds of {arguments.seconds:g} s in turn (lowest to highest in brackets).",
        "",
        "| path | images per CPU second | beside ours |",
        "|---|---|---|",
    ]
    for name, values in results.items():
        base = bare if name.endswith("decode only") else full
        share = f"{median[name] / base:.2f}" if "crop only" not in name else ""
        lines.append(f"| {name} | {median[name]:.0f} ({min(values):.0f} to {max(values):.0f}) | {share} |")
    lines += [
        "",
        f"- Decode and crop run at {full / bare:.2f} of the bare decode rate.",
        f"- Beside torchvision: {full / median['torchvision: decode + crop']:.2f} times; beside Pillow: "
        f"{full / median['Pillow: decode + crop']:.2f} times. Ours and Pillow agree in every byte "
        "(tests/parity/image_test.py); torchvision's tensor path does not.",
        "",
        "| loader, batch 32 | images/s | images/s asked for | share of time the consumer waited |",
        "|---|---|---|---|",
    ]
    for threads, runs in loader.items():
        flat_out = statistics.median(r["images_per_s"] for r in runs)
        loaded = statistics.median(r["loaded_images_per_s"] for r in runs)
        wait = statistics.median(r["wait_share"] for r in runs)
        lines.append(f"| {threads} threads | {flat_out:.0f} | {loaded:.0f} | {100 * wait:.2f} % |")
    lines += ["", "The consumer of the last two columns asks for 80 % of the full rate and computes nothing itself. These "
              "rates are by the clock: they say something about the loader only where the load average is below the cores.",
              ""]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        blobs = []
        for i in range(FILES):
            path = pathlib.Path(folder) / f"{i:03}.jpg"
            photo_like(i).save(path, quality=QUALITY)
            blobs.append(path.read_bytes())
        runs = contestants(folder, blobs, arguments.seconds)
        results = {name: [] for name in runs}
        loader = {threads: [] for threads in (1, len(os.sched_getaffinity(0)))}
        for _ in range(arguments.rounds):
            for name, run in runs.items():
                results[name].append(run())
            for threads, values in loader.items():
                values.append(ours(folder, arguments.seconds, "loader", threads, 0.8))
        text = report(results, loader, [len(b) for b in blobs], arguments)
    print(text)
    if arguments.write:
        target = ROOT / "bench" / "results" / "data_path.md"
        target.parent.mkdir(exist_ok=True)
        target.write_text(text)


if __name__ == "__main__":
    main()
