"""data/image against Pillow, torchvision and transformers: byte for byte where the promise is bytes."""
import math
import os
import pathlib
import random
import subprocess

import numpy as np
import PIL
import pytest
from PIL import Image, ImageOps

BUILD = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release"))
TOOL = BUILD / "bin" / "image_tool"


def tool(*args, expect=0):
    done = subprocess.run([str(TOOL), *map(str, args)], capture_output=True, text=True)
    assert done.returncode == expect, done.stderr
    return done.stdout if expect == 0 else done.stderr


def photo(width, height, seed=0):
    """Smooth colour fields, sharp edges and a little noise: exercises every frequency a photograph has."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    planes = []
    for _ in range(3):
        field = np.zeros((height, width))
        for scale in (0.5, 2, 7, 23):
            fx, fy, phase = rng.uniform(-scale, scale, 3)
            field += np.sin(2 * math.pi * (fx * x / width + fy * y / height) + phase) / (1 + scale)
        field += ((x * rng.integers(1, 9) // 37 + y // 23) % 5 == 0) * 0.7
        planes.append(field)
    image = np.stack(planes, -1)
    image = (image - image.min()) / np.ptp(image) * 255 + rng.normal(0, 4, image.shape)
    return Image.fromarray(np.clip(image, 0, 255).astype(np.uint8), "RGB")


def decoded(path, tmp_path, orientation="ignore", mode="strict"):
    out = tmp_path / "out.rgb"
    line = tool("decode", path, out, orientation, mode).split()
    width, height = int(line[0]), int(line[1])
    return np.fromfile(out, np.uint8).reshape(height, width, 3), [int(v) for v in line[2:]]


VARIANTS = {
    "420": dict(subsampling=2, quality=85),
    "422": dict(subsampling=1, quality=90),
    "444": dict(subsampling=0, quality=95),
    "progressive": dict(progressive=True, quality=80),
    "optimised": dict(optimize=True, quality=60),
    "coarse": dict(quality=5),
    "restarts": dict(quality=85, restart_marker_rows=1),
    "full_range": dict(quality=100, subsampling=0),
}


@pytest.mark.parametrize("size", [(640, 480), (333, 251), (17, 9), (8, 8), (1, 1), (1, 40), (1023, 3)])
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_decode_equals_pillow(tmp_path, size, variant, mode):
    path = tmp_path / "in.jpg"
    photo(*size).convert(mode).save(path, **VARIANTS[variant])
    ours, info = decoded(path, tmp_path)
    theirs = np.asarray(Image.open(path).convert("RGB"))
    assert info[0] == {"RGB": 3, "L": 1, "CMYK": 4}[mode]
    assert info[1] == (variant == "progressive") and info[2] == 0
    np.testing.assert_array_equal(ours, theirs)


def test_decode_of_adobe_transformed_ink_equals_pillow(tmp_path):
    # Photoshop stores CMYK as YCCK: same file with the Adobe marker's transform byte set to 2.
    path = tmp_path / "in.jpg"
    photo(200, 150).convert("CMYK").save(path, quality=90)
    data = bytearray(path.read_bytes())
    adobe = data.find(b"Adobe")
    assert adobe > 0 and data[adobe + 11] in (0, 2)
    data[adobe + 11] = 2 - data[adobe + 11]
    path.write_bytes(data)
    ours, _ = decoded(path, tmp_path)
    np.testing.assert_array_equal(ours, np.asarray(Image.open(path).convert("RGB")))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", ["little", "big"])
def test_orientation_equals_pillow(tmp_path, orientation, order):
    path = tmp_path / "in.jpg"
    exif = Image.Exif()
    exif.endian = "<" if order == "little" else ">"
    exif[0x010E] = "a description that comes first"
    exif[0x0112] = orientation
    photo(67, 41).save(path, exif=exif, quality=90)
    assert Image.open(path).getexif()[0x0112] == orientation
    ours, info = decoded(path, tmp_path, "apply")
    assert info[3] == orientation
    theirs = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    np.testing.assert_array_equal(ours, np.asarray(theirs))
    stored, _ = decoded(path, tmp_path, "ignore")
    np.testing.assert_array_equal(stored, np.asarray(Image.open(path).convert("RGB")))


def test_first_picture_of_several_is_decoded(tmp_path):
    path = tmp_path / "in.jpg"
    photo(96, 64, 1).save(path, format="MPO", save_all=True, append_images=[photo(96, 64, 2)])
    ours, _ = decoded(path, tmp_path)
    image = Image.open(path)
    assert image.n_frames == 2
    np.testing.assert_array_equal(ours, np.asarray(image.convert("RGB")))


def sizes(count):
    rng = random.Random(7)
    for i in range(count):
        width, height = rng.randint(1, 700), rng.randint(1, 500)
        out = rng.choice([(224, 224), (336, 336), (rng.randint(1, 400), rng.randint(1, 400)), (width, rng.randint(1, 300))])
        box_width, box_height = rng.randint(1, width), rng.randint(1, height)
        box = (rng.randint(0, width - box_width), rng.randint(0, height - box_height), box_width, box_height)
        if i % 4 == 0:
            box = (0, 0, width, height)
        yield i, width, height, box, out


@pytest.mark.parametrize("name,filter", [("bicubic", Image.BICUBIC), ("bilinear", Image.BILINEAR)])
def test_resize_equals_pillow_on_200_sizes(tmp_path, name, filter):
    source, out = tmp_path / "in.rgb", tmp_path / "out.rgb"
    for i, width, height, box, (out_width, out_height) in sizes(200):
        image = photo(width, height, i)
        if i % 3 == 0:  # hard edges overshoot, so both passes clip
            image = image.point(lambda v: 255 * (v > 127))
        source.write_bytes(image.tobytes())
        x, y, w, h = box
        cut = image.crop((x, y, x + w, y + h))
        # Columns, then rows. Pillow does so in one call up to version 12; from 13 on it takes rows first where the
        # height shrinks much more than the width, which moves clipped values by a few levels.
        theirs = cut.resize((out_width, h), filter).resize((out_width, out_height), filter)
        if w * out_height >= h * out_width or int(PIL.__version__.split(".")[0]) < 13:
            assert theirs.tobytes() == cut.resize((out_width, out_height), filter).tobytes()
        for kernel in ("vbmi", "avx512", "avx2", "portable"):
            tool("resize", source, width, height, *box, out_width, out_height, name, kernel, out)
            assert out.read_bytes() == theirs.tobytes(), (width, height, box, out_width, out_height, kernel)


def test_resize_of_a_stretch_between_pixels_equals_pillow(tmp_path):
    source, out = tmp_path / "in.rgb", tmp_path / "out.rgb"
    rng = random.Random(8)
    for i in range(40):
        width, height = rng.randint(60, 400), rng.randint(60, 300)
        # Pillow keeps the box in single precision: sixty-fourths are exact there and here.
        x, y = rng.randint(0, 1280) / 64, rng.randint(0, 1280) / 64
        w, h = rng.randint(1280, int(64 * (width - x))) / 64, rng.randint(1280, int(64 * (height - y))) / 64
        size = (rng.randint(10, 300), rng.randint(10, 300))
        image = photo(width, height, i)
        source.write_bytes(image.tobytes())
        theirs = image.resize((size[0], height), Image.BICUBIC, box=(x, 0, x + w, height)).resize(size, Image.BICUBIC, box=(0, y, size[0], y + h))
        for kernel in ("vbmi", "avx512", "avx2", "portable"):
            tool("resize", source, width, height, 0, 0, width, height, *size, "bicubic", kernel, out, x, y, w, h)
            assert out.read_bytes() == theirs.tobytes(), (i, kernel)


@pytest.mark.parametrize("size", [224, 336])
def test_centre_crop_equals_clip_image_processor(tmp_path, size):
    from transformers import CLIPImageProcessor

    processor = CLIPImageProcessor(size={"shortest_edge": size}, crop_size={"height": size, "width": size},
                                   do_rescale=False, do_normalize=False)
    path, out = tmp_path / "in.jpg", tmp_path / "out.rgb"
    # The last ones leave an odd number of pixels to cut (where rounding conventions differ) or enlarge the image.
    for shape in [(640, 480), (480, 640), (500, 500), (501, 333), (333, 501), (227, 224), (224, 231), (90, 61), (1200, 300)]:
        photo(*shape, seed=shape[0]).save(path, quality=88)
        theirs = processor(Image.open(path), return_tensors="np")["pixel_values"][0]
        assert theirs.shape == (3, size, size)
        tool("centre", path, size, "bicubic", out)
        ours = np.fromfile(out, np.uint8).reshape(size, size, 3)
        np.testing.assert_array_equal(ours, theirs.transpose(1, 2, 0).astype(np.uint8))
        assert np.all(theirs == np.round(theirs))


@pytest.mark.parametrize("size", [224, 336])
def test_ten_crops_equal_torchvision(tmp_path, size):
    from torchvision.transforms import InterpolationMode, Resize, TenCrop

    path, out = tmp_path / "in.jpg", tmp_path / "out.rgb"
    for shape in [(640, 480), (480, 641), (500, 500), (333, 501), (257, 256), (90, 61)]:
        photo(*shape, seed=shape[0]).save(path, quality=88)
        image = Resize(size * 8 // 7, InterpolationMode.BICUBIC)(Image.open(path))
        theirs = np.stack([np.asarray(crop) for crop in TenCrop(size)(image)])
        tool("ten", path, size, "bicubic", out)
        np.testing.assert_array_equal(np.fromfile(out, np.uint8).reshape(10, size, size, 3), theirs)


@pytest.mark.parametrize("width,height", [(640, 480), (480, 640), (300, 300), (900, 200), (150, 800), (3, 2), (2000, 20)])
def test_random_crop_equals_torchvision_given_the_same_draws(width, height, monkeypatch):
    import torch
    from torchvision.transforms import RandomResizedCrop

    class Draw:  # what torch.empty(1) is to torchvision here
        def uniform_(self, low, high):
            self.value = low + (high - low) * next(draws)
            return self

        def item(self):
            return self.value

    with monkeypatch.context() as patch:
        patch.setattr(torch, "empty", lambda *_: Draw())
        patch.setattr(torch, "exp", lambda d: _value(math.exp(d.value)))
        patch.setattr(torch, "log", lambda t: [math.log(v) for v in t.tolist()])
        patch.setattr(torch, "randint", lambda low, high, size: _value(int(next(draws) * high)))
        image = Image.new("RGB", (width, height))
        for line in tool("crops", width, height, 11, 300).splitlines():
            fields = line.split()
            draws = iter([float(v) for v in fields[4:]])
            top, left, h, w = RandomResizedCrop.get_params(image, [0.08, 1.0], [3 / 4, 4 / 3])
            assert [int(v) for v in fields[:4]] == [left, top, w, h]


class _value:
    def __init__(self, value):
        self.value = value

    def item(self):
        return self.value


def _scans(data, count):
    """The same progressive file with its last scan repeated."""
    start = data.rfind(b"\xff\xda")
    return data[:start] + data[start:-2] * count + b"\xff\xd9"


def test_hostile_files_are_refused_within_limits(tmp_path):
    import resource

    path, out = tmp_path / "in.jpg", tmp_path / "out.rgb"
    photo(640, 480).save(path, quality=85)
    good = path.read_bytes()
    photo(64, 48).save(path, quality=85, progressive=True)
    progressive = path.read_bytes()
    frame = good.find(b"\xff\xc0")
    huge = bytearray(good)
    huge[frame + 5:frame + 9] = (65500).to_bytes(2, "big") * 2
    deep = bytearray(good)
    deep[frame + 4] = 12
    cases = {
        "65500": (bytes(huge), "65500 x 65500"),
        "scans": (_scans(progressive, 10_000), "more than 100 scans"),
        "truncated": (good[: len(good) // 2], "truncated"),
        "12 bit": (bytes(deep), "precision"),
        "empty": (b"", "JPEG"),
        "not jpeg": (b"\x89PNG\r\n" + bytes(100), "JPEG"),
        "header only": (good[:frame], "JPEG"),
    }
    for name, (data, reason) in cases.items():
        path.write_bytes(data)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        message = tool("decode", path, out, "apply", "strict", expect=3)
        assert reason in message, (name, message)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert after.ru_utime - before.ru_utime < 1, name  # the processor's work, whatever else the machine does
        assert after.ru_maxrss - before.ru_maxrss < 128 * 1024, name


def test_truncated_file_is_decoded_on_request(tmp_path):
    path = tmp_path / "in.jpg"
    photo(640, 480).save(path, quality=85)
    data = path.read_bytes()
    whole = np.asarray(Image.open(path).convert("RGB"))
    path.write_bytes(data[: len(data) // 2])
    ours, info = decoded(path, tmp_path, mode="lenient")
    assert info[2] == 1
    np.testing.assert_array_equal(ours[:200], whole[:200])
    assert not np.array_equal(ours[-50:], whole[-50:])
    # Without its end marker a file is still complete.
    path.write_bytes(data[:-2])
    ours, info = decoded(path, tmp_path)
    assert info[2] == 0
    np.testing.assert_array_equal(ours, whole)
