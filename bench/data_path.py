"""From JPEG to training crop: ours beside torchvision, Pillow, OpenCV, DALI, WebDataset and FFCV, same files, same machine, one thread each.

    scripts/setup.sh --oracles --peers
    .deps/oracles/bin/python bench/data_path.py [--rounds 5] [--seconds 2] [--write]

The contestants take turns, so that a change of clock or load hits all of them; medians are reported, and the spread. Peers that
are not installed are left out and named. --write replaces bench/results/data_path.md.
"""
import argparse
import importlib.metadata
import io
import json
import math
import os
import pathlib
import platform
import random
import statistics
import subprocess
import sys
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
sys.path += [str(ROOT / ".deps/peers"), str(ROOT / ".deps/ffcv")]
try:
    import cv2
except ImportError:
    cv2 = None
try:
    import webdataset as wds
except ImportError:
    wds = None
try:
    import nvidia.dali as dali
    import nvidia.dali.fn
    import nvidia.dali.types
except ImportError:
    dali = None
try:
    import ffcv
    from ffcv.fields.rgb_image import IMAGE_MODES, RandomResizedCropRGBImageDecoder, RGBImageField
except ImportError:
    ffcv = None
BUILD = pathlib.Path(os.environ.get("GRATICULE_BUILD", ROOT / "build" / "release"))
FILES, WIDTH, HEIGHT, QUALITY = 64, 640, 480, 85
SCALES = (0.9, 0.08)


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


def torchvision_crop(low, tensors, seconds, filter):
    crop = v2.RandomResizedCrop(224, scale=(low, 1.0), interpolation=filter, antialias=True)
    return lambda: rate(lambda t: crop(decode_jpeg(t, ImageReadMode.RGB)), tensors, seconds)


def pillow_crop(low, blobs, seconds):
    crop = v2.RandomResizedCrop(224, scale=(low, 1.0), interpolation=v2.InterpolationMode.BICUBIC)
    return lambda: rate(lambda b: np.asarray(crop(Image.open(io.BytesIO(b)).convert("RGB"))), blobs, seconds)


def opencv_crop(low, blobs, seconds):
    """INTER_AREA is its antialiased reduction; its bicubic does not widen with the reduction."""
    cv2.setNumThreads(1)
    arrays = [np.frombuffer(b, np.uint8) for b in blobs]

    def one(data):
        image = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
        y, x, h, w = crop_of(low)
        cv2.resize(image[y:y + h, x:x + w], (224, 224), interpolation=cv2.INTER_AREA)
    return lambda: rate(one, arrays, seconds)


def crop_of(low):
    """Torchvision's rule, for peers that bring none."""
    for _ in range(10):
        area = random.uniform(low, 1) * WIDTH * HEIGHT
        aspect = math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if w <= WIDTH and h <= HEIGHT:
            return random.randint(0, HEIGHT - h), random.randint(0, WIDTH - w), h, w
    return 0, 0, HEIGHT, WIDTH


def dali_crop(low, blobs, seconds):
    """Its decoder decodes the crop only. CPU seconds of the process, since it works in threads of its own."""
    arrays = [np.frombuffer(b, np.uint8) for b in blobs]
    batch = 32

    @dali.pipeline_def(batch_size=batch, num_threads=1, device_id=None, prefetch_queue_depth=1)
    def pipeline():
        files = dali.fn.external_source(source=lambda k: [arrays[(k * batch + i) % len(arrays)] for i in range(batch)])
        images = dali.fn.decoders.image_random_crop(files, random_area=[low, 1.0], random_aspect_ratio=[3 / 4, 4 / 3])
        return dali.fn.resize(images, size=[224, 224], interp_type=dali.types.INTERP_CUBIC, antialias=True)
    pipe = pipeline()
    pipe.build()

    def run():
        pipe.run()
        begin, done = time.process_time(), 0
        while time.process_time() - begin < seconds:
            pipe.run()
            done += batch
        return done / (time.process_time() - begin)
    return run


def webdataset_crop(low, blobs, seconds, tensor_path):
    """The same images read from a tar, decoded and cropped in its pipeline: by Pillow, its usual way, or torchvision's tensors."""
    folder = tempfile.mkdtemp(prefix="graticule-wds-")
    path = pathlib.Path(folder) / "images.tar"
    with wds.TarWriter(str(path)) as out:
        for i, blob in enumerate(blobs):
            out.write({"__key__": f"{i:06}", "jpg": blob})
    crop = v2.RandomResizedCrop(224, scale=(low, 1.0), interpolation=v2.InterpolationMode.BICUBIC, antialias=True)

    def by_tensor(blob):
        return crop(decode_jpeg(torch.frombuffer(bytearray(blob), dtype=torch.uint8), ImageReadMode.RGB))

    def by_pillow(blob):
        return np.asarray(crop(Image.open(io.BytesIO(blob)).convert("RGB")))

    one = by_tensor if tensor_path else by_pillow

    def run():
        rows = iter(wds.WebDataset(str(path), shardshuffle=False).repeat().to_tuple("jpg").map_tuple(one))
        return rate(lambda _: next(rows), blobs, seconds)
    return run


def ffcv_crop(low, blobs, seconds):
    """The same bytes in its own file; its decoder takes the whole image. CPU seconds of the process, since it works in a thread of its own."""
    class Stored(RGBImageField):
        """Its writer takes pixels and encodes them; this one takes JPEGs and keeps them."""
        def encode(self, destination, blob, malloc):
            destination["mode"], destination["width"], destination["height"] = IMAGE_MODES["jpg"], WIDTH, HEIGHT
            destination["data_ptr"], place = malloc(len(blob))
            place[:] = np.frombuffer(blob, np.uint8)

    file = tempfile.NamedTemporaryFile(prefix="graticule-ffcv-")
    ffcv.DatasetWriter(file.name, {"image": Stored()}, num_workers=1).from_indexed_dataset([(b,) for b in blobs])
    written = pathlib.Path(file.name).read_bytes()
    assert all(b in written for b in blobs), "FFCV changed an image"
    batch, ahead = 32, 1
    loader = ffcv.Loader(file.name, batch, num_workers=1, batches_ahead=ahead, custom_fields={"image": Stored},
                         indices=np.tile(np.arange(len(blobs), dtype=np.uint64), 4096),
                         pipelines={"image": [RandomResizedCropRGBImageDecoder((224, 224), (low, 1.0), (3 / 4, 4 / 3))]})
    loader.file = file  # deleted with it

    def run():
        rows = iter(loader)
        for _ in range(ahead + 2):  # compiles, and touches each of its buffers
            next(rows)
        begin, done = time.process_time(), 0
        while time.process_time() - begin < seconds:
            next(rows)
            done += batch
        images_per_s = done / (time.process_time() - begin)
        rows.close()
        rows.join()
        return images_per_s
    return run


def contestants(folder, blobs, seconds):
    tensors = [torch.frombuffer(bytearray(b), dtype=torch.uint8) for b in blobs]

    def mine(*mode):
        return lambda: ours(folder, seconds, *mode)["images_per_s"]

    runs = {
        "graticule: decode only": mine("decode"),
        "graticule: crop only": mine("resize"),
        "torchvision: decode only": lambda: rate(lambda t: decode_jpeg(t, ImageReadMode.RGB), tensors, seconds),
        "Pillow: decode only": lambda: rate(lambda b: Image.open(io.BytesIO(b)).convert("RGB"), blobs, seconds),
    }
    for low in SCALES:
        runs |= {
            f"{low}: bare decode of the crop, exact": mine("part", low, "exact"),
            f"{low}: graticule exact": mine("crop", low, "exact"),
            f"{low}: graticule exact, AVX2": mine("crop", low, "exact", "avx2"),
            f"{low}: bare decode of the crop, reduced where fast reduces": mine("part", low, "fast"),
            f"{low}: graticule fast": mine("crop", low, "fast"),
            f"{low}: torchvision, bicubic": torchvision_crop(low, tensors, seconds, v2.InterpolationMode.BICUBIC),
            f"{low}: torchvision, bilinear": torchvision_crop(low, tensors, seconds, v2.InterpolationMode.BILINEAR),
            f"{low}: Pillow": pillow_crop(low, blobs, seconds),
        }
        if cv2:
            runs[f"{low}: OpenCV, area"] = opencv_crop(low, blobs, seconds)
        if wds:
            runs[f"{low}: WebDataset, Pillow"] = webdataset_crop(low, blobs, seconds, False)
            runs[f"{low}: WebDataset, torchvision"] = webdataset_crop(low, blobs, seconds, True)
        if ffcv:
            runs[f"{low}: FFCV"] = ffcv_crop(low, blobs, seconds)
        if dali:
            runs[f"{low}: DALI on the CPU"] = dali_crop(low, blobs, seconds)
    return runs


def cpu_model():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def libjpeg_version():
    done = subprocess.run(["pkg-config", "--modversion", "libturbojpeg"], capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


def report(results, errors, loader, sizes, arguments):
    median = {name: statistics.median(values) for name, values in results.items()}
    cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[1]
    versions = [f"torch {torch.__version__}, torchvision {torchvision.__version__} (tensor path, antialiased, `torch.set_num_threads(1)`)",
                f"Pillow {PIL.__version__} (libjpeg-turbo {PIL.features.version('libjpeg_turbo')})",
                f"OpenCV {cv2.__version__}" if cv2 else "OpenCV not installed",
                f"WebDataset {wds.__version__}" if wds else "WebDataset not installed", f"DALI {dali.__version__}" if dali else "DALI not installed",
                f"FFCV {importlib.metadata.version('ffcv')}" if ffcv else "FFCV not installed"]
    lines = [
        "# From JPEG to training crop",
        "",
        f"{FILES} photo-like images of {WIDTH} x {HEIGHT} (amplitude 1/f, softened; quality {QUALITY}, 4:2:0, "
        f"{8 * statistics.mean(sizes) / (WIDTH * HEIGHT):.2f} bit per pixel), in memory; random-resized-crop to 224 with LOW to 1 of the "
        "area, bicubic, result in 8 bits. One thread, rates per second on a core.",
        "",
        f"Machine: {cpu_model()}, {cores} cores visible, load average {load:.1f}; Linux {platform.release()}. Ours: libjpeg-turbo "
        f"{libjpeg_version()} of the distribution. {', '.join(versions)}; Python {platform.python_version()}.",
        "",
        f"Median of {arguments.rounds} rounds of {arguments.seconds:g} s in turn (lowest to highest in brackets).",
        "",
        "| path | images per CPU second |",
        "|---|---|",
    ]
    lines += [f"| {name} | {median[name]:.0f} ({min(values):.0f} to {max(values):.0f}) |" for name, values in results.items()]
    lines += ["", "| LOW | mode | beside the bare decode of the same pixels | beside the best peer | beside torchvision | beside Pillow | error of 8-bit values |",
              "|---|---|---|---|---|---|---|"]
    for low in SCALES:
        peers = {n: m for n, m in median.items() if n.startswith(f"{low}: ") and "graticule" not in n and "bare" not in n}
        best = max(peers, key=peers.get)
        for mode, bare in (("exact", "exact"), ("exact, AVX2", "exact"), ("fast", "reduced where fast reduces")):
            mine = median[f"{low}: graticule {mode}"]
            error = "none: Pillow's bytes" if mode != "fast" else f"mean {errors[low]['mean']:.2f}, rms {errors[low]['rms']:.2f}, worst {errors[low]['worst']:.0f}"
            lines.append(f"| {low} | {mode} | {mine / median[f'{low}: bare decode of the crop, {bare}']:.2f} | {mine / peers[best]:.2f} ({best.split(': ')[1]}) | "
                         f"{mine / peers[f'{low}: torchvision, bicubic']:.2f} | {mine / peers[f'{low}: Pillow']:.2f} | {error} |")
    lines += [
        "",
        "Ours and Pillow agree in every byte in exact mode (tests/parity/image_test.py); torchvision's tensor path, OpenCV, DALI and FFCV do not. "
        "OpenCV reduces by area, its only antialiased way. WebDataset reads the images from a tar. DALI decodes the crop alone, as we do, and its rate counts all its threads. "
        "FFCV reads the same JPEGs from its own file (written by a field that keeps them: its own encodes pixels anew), decodes each whole "
        "at full size with libjpeg-turbo's fast DCT and reduces its crop by area; its rate counts all its threads.",
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
        errors = {low: ours(folder, 0, "error", low) for low in SCALES}
        text = report(results, errors, loader, [len(b) for b in blobs], arguments)
    print(text)
    if arguments.write:
        target = ROOT / "bench" / "results" / "data_path.md"
        target.parent.mkdir(exist_ok=True)
        target.write_text(text)


if __name__ == "__main__":
    main()
