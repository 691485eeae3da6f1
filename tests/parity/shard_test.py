"""Importers and shards against independent readers: zips, tars and tables made by Python, results read by h5py."""

import csv
import ctypes
import hashlib
import io
import json
import os
import pathlib
import subprocess
import tarfile
import zipfile

import h5py
import numpy as np
import pytest
from PIL import Image

BUILD = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release"))
OSV_COLUMNS = (
    "id,latitude,longitude,thumb_original_url,country,sequence,captured_at,lon_bin,lat_bin,cell,region,sub-region,city,"
    "land_cover,road_index,drive_side,climate,soil,dist_sea,quadtree_10_5000,quadtree_10_25000,quadtree_10_1000,"
    "quadtree_10_50000,quadtree_10_12500,quadtree_10_500,quadtree_10_2500,unique_region,unique_sub-region,unique_city,"
    "unique_country,creator_username,creator_id"
).split(",")
MP_COLUMNS = (
    "IMG_ID,AUTHOR,LAT,LON,S3_Label,S16_Label,S365_Label,Prob_indoor,Prob_natural,Prob_urban,neighbourhood,city,county,"
    "state,region,country,country_code,continent"
).split(",")


def run(*words, code=0):
    result = subprocess.run([BUILD / "bin" / "graticule-data", "data", *map(str, words)], capture_output=True, text=True)
    assert result.returncode == code, result.stderr + result.stdout
    return result


def run_json(*words):
    return json.loads(run(*words, "--json").stdout)


def jpeg(seed, size=(160, 120), **options):
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", **options)
    return out.getvalue()


def write_csv(path, columns, rows, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding=options.pop("encoding", "utf-8")) as file:
        writer = csv.DictWriter(file, columns, restval="", **options)
        writer.writeheader()
        writer.writerows(rows)


class Shards:
    """All shards of a dataset, concatenated by h5py."""

    def __init__(self, folder):
        self.manifest = json.loads((folder / "manifest.json").read_text())
        self.files = [h5py.File(folder / shard["file"]) for shard in self.manifest["shards"]]

    def __getitem__(self, path):
        return np.concatenate([file[path][:] for file in self.files])

    def ids(self):
        out = []
        for file in self.files:
            data, off = file["id/str_data"][:].tobytes(), file["id/str_off"][:]
            out += [data[a:b].decode() for a, b in zip(off, off[1:])]
        return out

    def images(self):
        for file in self.files:
            data = file["img/data"]
            for off, length in zip(file["img/off"][:], file["img/len"][:]):
                yield data[off : off + length].tobytes()

    def name(self, level, number):
        data, off = self.files[0][f"dict/{level}/data"][:].tobytes(), self.files[0][f"dict/{level}/off"][:]
        return data[off[number] : off[number + 1]].decode()


@pytest.fixture(scope="module")
def osv(tmp_path_factory):
    """Two zips, stored and deflated, members with and without a folder, 64-bit records, and every kind of stray."""
    root = tmp_path_factory.mktemp("osv")
    images, rows = {}, []
    for i in range(60):
        key = str(3859149887465501 + i)
        images[key] = jpeg(i, progressive=i % 4 == 0)
        rows.append({
            "id": key, "latitude": -60 + 2 * i, "longitude": -179.5 + 5 * i, "country": ["NZ", "NA", "XK"][i % 3],
            "cell": f"({i}, 3)", "captured_at": f"{1500000000000 + i * 86400000 * 31}.0", "climate": f"{i % 30 + 1}.0",
            "drive_side": "1.0" if i % 3 < 2 else "0.0", "land_cover": "4.0", "soil": "", "road_index": 4.5 + i,
            "unique_city": 'Quoted "City", of_NaN_X', "unique_region": f"R{i % 5}_NZ", "quadtree_10_1000": i,
            "sequence": f"s{i % 7}", "creator_id": f"{100 + i % 2}.0", "creator_username": "Jürgen",
        })
    del images[rows[10]["id"]]  # a row without its image
    write_csv(root / "train.csv", OSV_COLUMNS, rows, lineterminator="\r\n", encoding="utf-8-sig")
    folder = root / "images" / "train"
    folder.mkdir(parents=True)
    keys = list(images)
    with zipfile.ZipFile(folder / "00.zip", "w", zipfile.ZIP_STORED) as archive:
        archive.mkdir("00") if hasattr(archive, "mkdir") else None
        for key in keys[:30]:
            with archive.open(f"00/{key}.jpg", "w", force_zip64=True) as member:
                member.write(images[key])
        archive.writestr("__MACOSX/00/._x.jpg", b"x")
        archive.writestr("00/readme.txt", b"x")
    with zipfile.ZipFile(folder / "01.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for key in keys[30:]:
            archive.writestr(f"{key}.JPG", images[key])
        archive.writestr("99999.jpg", jpeg(999))  # an image without a row
    run("import", "osv5m", "--root", root, "--out", root / "out", "--records-per-shard", 25)
    return root, images, {row["id"]: row for row in rows}, Shards(root / "out")


def test_osv5m_images_and_columns(osv):
    root, images, rows, shards = osv
    assert shards.ids() == list(images), "records keep source order"
    assert list(shards.images()) == list(images.values())
    mine = [rows[key] for key in shards.ids()]
    assert shards["geo/lat"].tolist() == [float(r["latitude"]) for r in mine]
    assert shards["geo/lon"].tolist() == [(float(r["longitude"]) + 180) % 360 - 180 for r in mine]
    assert shards["id/u64"].tolist() == [int(r["id"]) for r in mine]
    assert shards["aux/climate"].tolist() == [int(float(r["climate"])) for r in mine]
    assert shards["aux/drive_left"].tolist() == [int(float(r["drive_side"])) for r in mine]
    assert shards["time/captured_ms"].tolist() == [int(float(r["captured_at"])) for r in mine]
    months = shards["time/captured_ms"].astype("datetime64[ms]").astype("datetime64[M]").astype(int) % 12 + 1
    assert shards["time/month"].tolist() == months.tolist()
    assert shards["adm/country_iso"].tolist() == [{"NZ": 554, "NA": 516, "XK": 983}[r["country"]] for r in mine]
    assert shards["cell/quadtree_10_1000"].tolist() == [r["quadtree_10_1000"] for r in mine]
    assert [shards.name("region", k) for k in shards["adm/region"]] == [r["unique_region"] for r in mine]
    assert shards.name("city", shards["adm/city"][0]) == 'Quoted "City", of_NaN_X'
    assert shards.name("creator", shards["own/creator"][0]) == "Jürgen"
    assert len(set(shards["seq/hash"].tolist())) == 7 and len(set(shards["own/author_hash"].tolist())) == 2
    assert "aux/soil" not in shards.files[0]
    assert shards["img/width"].tolist() == [160] * 59 and shards["img/height"].tolist() == [120] * 59
    assert (shards["img/flags"] & 1).tolist() == [int(int(r["id"]) - 3859149887465501) % 4 == 0 for r in mine]


def test_osv5m_report(osv):
    reasons = json.loads((osv[0] / "out" / "import_report.json").read_text())["reasons"]
    assert {name: reason["count"] for name, reason in reasons.items()} == {
        "row_without_file": 1, "file_without_row": 1, "not_a_jpeg_name": 1, "unexpected_row_count": 1, "absent_file": 96}
    assert reasons["file_without_row"]["first"] == ["99999.jpg"]


def test_profile_offsets_and_manifest(osv):
    root, _, _, shards = osv
    for entry, file in zip(shards.manifest["shards"], shards.files):
        path = root / "out" / entry["file"]
        raw = path.read_bytes()
        assert entry["size"] == len(raw) and entry["sha256"] == hashlib.sha256(raw).hexdigest()
        begin, end = entry["img_abs_off"], entry["img_abs_off"] + entry["img_bytes"]
        assert entry["head_sha256"] == hashlib.sha256(raw[:begin] + raw[end:]).hexdigest()
        assert begin % (1 << 20) == 0 and file["img/data"].id.get_offset() == begin

        def check(name, item):
            if isinstance(item, h5py.Dataset):
                assert item.chunks is None and item.compression is None and not item.external and item.ndim == 1, name
                assert item.dtype.byteorder in "=<|", name
                assert {"crc32c", "units", "missing", "long_name"} <= set(item.attrs), name
        file.visititems(check)
        assert file.attrs["schema"] in ("geoloc-record", b"geoloc-record") and file.attrs["n_records"] == entry["n"]


def test_split_by_zip_numbers(osv, tmp_path):
    result = run_json("import", "osv5m", "--root", osv[0], "--out", tmp_path / "o", "--zips", "01-05")
    assert result["records"] == 29


def test_damaged_zip_member_is_counted_and_truncated_zip_is_an_error(osv, tmp_path):
    root, images, rows, _ = osv
    folder = tmp_path / "images" / "train"
    folder.mkdir(parents=True)
    (tmp_path / "train.csv").write_bytes((root / "train.csv").read_bytes())
    raw = bytearray((root / "images" / "train" / "00.zip").read_bytes())
    at = raw.find(images[list(images)[4]][-200:-100])
    raw[at] ^= 1
    (folder / "00.zip").write_bytes(raw)
    result = run_json("import", "osv5m", "--root", tmp_path, "--out", tmp_path / "o")
    assert result["records"] == 29
    assert result["report"]["reasons"]["damaged_member"]["count"] == 1
    assert list(images)[4] in result["report"]["reasons"]["damaged_member"]["first"][0]
    (folder / "00.zip").write_bytes(raw[: len(raw) // 2])
    message = run("import", "osv5m", "--root", tmp_path, "--out", tmp_path / "p", code=3).stderr
    assert "00.zip" in message


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_mp16pro_slices_cut_anywhere(tmp_path, form):
    images, rows = {}, []
    for i in range(40):
        key = f"{i:02x}_a0_{3963216890 + i}.jpg"
        images[key] = jpeg(i, (200, 150))
        rows.append({"IMG_ID": key.replace("_", "/") if i % 2 else key, "AUTHOR": f"{i % 3}@N00", "LAT": i, "LON": -i - 1,
                     "country": "" if i == 5 else "Namibia", "country_code": "na", "city": "NaN", "state": "Khomas",
                     "S3_Label": 2, "S16_Label": 1, "S365_Label": 364, "Prob_urban": 0.5})
    images["12_a0_3963216908.jpg"] = images["11_a0_3963216907.jpg"]  # the same bytes under two ids
    write_csv(tmp_path / "metadata" / "MP16_Pro_filtered.csv", MP_COLUMNS, rows)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        def add(name, data):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        folder = tarfile.TarInfo("./images")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for key, data in images.items():
            add(f"./images/{key}", data)
        add("./images/aa_bb_777.jpg", b"\xff\xd8" + b"x" * 100)  # too small
        if form != tarfile.USTAR_FORMAT:
            add("./images/" + "long/" * 40 + "aa_bb_778.jpg", jpeg(5, (300, 300)))  # a name that needs an extension record
    raw = stream.getvalue()
    step = len(raw) // 19 + 7
    for s in range(19):
        (tmp_path / f"mp-16-images{s:02d}").write_bytes(raw[s * step : (s + 1) * step])
    result = run_json("import", "mp16pro", "--root", tmp_path, "--out", tmp_path / "o")
    counts = {name: reason["count"] for name, reason in result["report"]["reasons"].items()}
    strays = 2 if form != tarfile.USTAR_FORMAT else 1
    assert counts == {"no_country": 1, "identical_bytes": 1, "file_without_row": strays}  # the image of the row without country is counted once
    shards = Shards(tmp_path / "o")
    expected = [k for i, k in enumerate(images) if i != 5 and k != "12_a0_3963216908.jpg"]
    assert [i.replace("/", "_") for i in shards.ids()] == expected
    assert list(shards.images()) == [images[k] for k in expected]
    assert set(shards["adm/country_iso"].tolist()) == {516} and set(shards["aux/drive_left"].tolist()) == {1}
    assert set(shards["scene/s365"].tolist()) == {364}


def test_mp16pro_missing_slice(tmp_path):
    write_csv(tmp_path / "metadata" / "MP16_Pro_filtered.csv", MP_COLUMNS,
              [{"IMG_ID": "a_b_1.jpg", "LAT": 1, "LON": 2, "country": "x"}])
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for k in range(3):
            data = jpeg(k)
            info = tarfile.TarInfo(f"images/a_b_{k}.jpg")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    (tmp_path / "mp-16-images00").write_bytes(stream.getvalue()[:30000])
    assert "mp-16-images00" in run("import", "mp16pro", "--root", tmp_path, "--out", tmp_path / "o", code=3).stderr


def test_folder_of_photos_placed_by_exif(tmp_path):
    """EXIF written by Pillow; an MPO counts by its first image; a rotated photo is flagged."""
    def save(name, lat, lon, orientation=1, **options):
        exif = Image.Exif()
        exif[0x0112] = orientation
        if lat is not None:
            exif.get_ifd(0x8825).update({1: "S" if lat < 0 else "N", 2: (abs(lat), 30.0, 36.0), 3: "W" if lon < 0 else "E",
                                         4: (abs(lon), 0.0, 0.0)})
        Image.new("RGB", (64, 48), (10, 200, 30)).save(tmp_path / "p" / name, exif=exif, **options)
    (tmp_path / "p" / "sub").mkdir(parents=True)
    save("a.jpg", -33, 151.0)
    save("sub/b.jpeg", 10, -20.0, orientation=6)
    save("c.jpg", 45, 9.0, format="MPO", save_all=True, append_images=[Image.new("RGB", (8, 8))])
    save("nowhere.jpg", None, None)
    result = run_json("import", "folder", "--images", tmp_path / "p", "--out", tmp_path / "o")
    assert result["records"] == 3 and result["report"]["reasons"]["without_place"]["count"] == 1
    shards = Shards(tmp_path / "o")
    assert shards.ids() == ["a.jpg", "c.jpg", "sub/b.jpeg"]
    np.testing.assert_allclose(shards["geo/lat"], [-33.51, 45.51, 10.51], atol=1e-9)
    np.testing.assert_allclose(shards["geo/lon"], [151, 9, -20], atol=1e-9)
    assert shards["img/width"].tolist() == [64, 64, 64] and shards["img/flags"].tolist() == [0, 0, 8]


def test_usage_and_data_errors(osv, tmp_path):
    assert run("import", "nonsense", code=2).stderr.count("unknown source") == 1
    run("import", "osv5m", code=2)
    run("import", "osv5m", "--root", osv[0], "--out", tmp_path / "o", "--zips", "a-b", code=2)
    run("import", "osv5m", "--root", osv[0], "--out", tmp_path / "o", "--shard-mib", "0", code=2)
    assert "finished dataset" in run("import", "osv5m", "--root", osv[0], "--out", osv[0] / "out", code=2).stderr
    assert "latitude" in run_on_csv(tmp_path, "id,lat\n1,2\n").stderr
    for verb in (["verify"], ["inspect"], ["split"], ["import", "osv5m"], ["import", "mp16pro"], ["import", "folder"]):
        assert "usage" in run(*verb, "--help").stdout
    assert json.loads(run("verify", tmp_path, "--json", code=3).stdout)["error"]["code"] == 3


def run_on_csv(folder, text):
    (folder / "images" / "train").mkdir(parents=True, exist_ok=True)
    (folder / "train.csv").write_text(text)
    with zipfile.ZipFile(folder / "images" / "train" / "00.zip", "w") as archive:
        archive.writestr("1.jpg", jpeg(1))
    return run("import", "osv5m", "--root", folder, "--out", folder / "out", code=3)


def test_verify_inspect_split(osv):
    out = osv[0] / "out"
    assert run_json("verify", out)["good"]
    summary = run_json("inspect", out)
    assert summary["records"] == 59 and summary["columns"]["/aux/climate"]["coverage"] == 1
    record = run_json("inspect", out, "--record", "30")
    shards = osv[3]
    assert record["id"] == shards.ids()[30] and record["/geo/lat"] == shards["geo/lat"][30]
    counts = run_json("split", out, "--hold-out", "0.2", "--val", "0.05")["splits"]
    from safetensors.numpy import load_file
    label = load_file(next(out.glob("split-*.safetensors")))["label"]
    assert len(label) == 59 and np.bincount(label, minlength=5).tolist() == list(
        counts[name] for name in ("train", "val", "near", "far", "none"))
    # the labels against distances by NumPy
    lat, lon = np.radians(shards["geo/lat"]), np.radians(shards["geo/lon"])
    h = np.sin((lat[:, None] - lat) / 2) ** 2 + np.cos(lat[:, None]) * np.cos(lat) * np.sin((lon[:, None] - lon) / 2) ** 2
    nearest = (2 * 6371 * np.arcsin(np.sqrt(h)))[:, label == 0].min(axis=1)
    assert (nearest[label == 3] >= 200).all() and (nearest[label == 2] < 200).all()


def hostile(name):
    """Files that break the profile in one way each."""
    def soft(f): f["aux/x"] = h5py.SoftLink("/img/data")
    def loop(f): f["loop"] = h5py.SoftLink("/loop")
    def external_link(f): f["aux/x"] = h5py.ExternalLink("/etc/hostname", "/x")
    def external_storage(f): f.create_dataset("aux/x", (4,), "u1", external=[(SECRET, 0, 4)])
    def virtual(f):
        layout = h5py.VirtualLayout((4,), "u1")
        layout[:] = h5py.VirtualSource(SECRET, "x", (4,))
        f.create_virtual_dataset("aux/x", layout)
    def chunked(f): f.create_dataset("aux/x", (100,), "u1", chunks=(10,))
    def deflate(f): f.create_dataset("aux/x", data=np.zeros(100, "u1"), compression="gzip")
    def shuffle(f): f.create_dataset("aux/x", data=np.zeros(100, "i4"), shuffle=True)
    def fletcher(f): f.create_dataset("aux/x", data=np.zeros(100, "i4"), fletcher32=True)
    def vlen(f): f.create_dataset("aux/x", data=["a", "bc"], dtype=h5py.string_dtype())
    def compound(f): f.create_dataset("aux/x", data=np.zeros(3, [("a", "i4"), ("b", "f4")]))
    def big_endian(f): f.create_dataset("aux/x", data=np.zeros(3, ">i4"))
    def half(f): f.create_dataset("aux/x", data=np.zeros(3, "f2"))
    def boolean(f): f.create_dataset("aux/x", data=np.zeros(3, bool))
    def two_dimensional(f): f.create_dataset("aux/x", data=np.zeros((3, 3), "f4"))
    def scalar(f): f.create_dataset("aux/x", data=np.float32(1))
    def null(f): f.create_dataset("aux/x", data=h5py.Empty("f4"))
    def reference(f): f.create_dataset("aux/x", data=f["img"].ref, dtype=h5py.ref_dtype)
    def named_type(f): f["aux/x"] = np.dtype("i4")
    def cycle(f): f["img/again"] = f["/"]
    def twice(f): f["aux2"] = f["aux"]
    def deep(f): f.create_group("a/b/c/d/e/f")
    def crowd(f):
        for i in range(1100): f.create_group(f"g{i}")
    def huge(f):
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_alloc_time(h5py.h5d.ALLOC_TIME_LATE)
        h5py.h5d.create(f.id, b"x", h5py.h5t.STD_U8LE, h5py.h5s.create_simple((1 << 50,)), plist)
    def no_storage(f):
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_alloc_time(h5py.h5d.ALLOC_TIME_LATE)
        h5py.h5d.create(f.id, b"x", h5py.h5t.STD_U8LE, h5py.h5s.create_simple((100,)), plist)
    def wrong_schema(f): f.attrs["schema"] = np.bytes_("other")
    def vlen_schema(f): f.attrs["schema"] = "geoloc-record"
    def wrong_version(f): f.attrs["schema_version"] = np.uint32(2)
    def wrong_count(f): f.attrs["n_records"] = np.uint64(3)
    def no_images(f): del f["img/data"]
    def short_column(f):
        del f["geo/lat"]
        f.create_dataset("geo/lat", data=np.zeros(3))
    return locals()[name]


HOSTILE = [name for name in hostile.__code__.co_varnames if name != "name"]
SECRET = "outside.bin"


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_shards_are_refused_and_open_nothing_else(osv, tmp_path, name):
    global SECRET
    SECRET = str(tmp_path / "outside.bin")
    with h5py.File(SECRET, "w") as file:
        file["x"] = np.arange(4, dtype="u1")
    out = tmp_path / "d"
    out.mkdir()
    for path in (osv[0] / "out").iterdir():
        (out / path.name).write_bytes(path.read_bytes())
    manifest = json.loads((out / "manifest.json").read_text())
    entry = manifest["shards"][0]
    shard = out / entry["file"]
    with h5py.File(shard, "r+") as file:
        hostile(name)(file)
    # An attacker who also writes the manifest: all hashes fit.
    raw = shard.read_bytes()
    head = raw[: entry["img_abs_off"]] + raw[entry["img_abs_off"] + entry["img_bytes"] :]
    entry.update(size=len(raw), sha256=hashlib.sha256(raw).hexdigest(), head_sha256=hashlib.sha256(head).hexdigest())
    (out / "manifest.json").write_text(json.dumps(manifest))
    libc = ctypes.CDLL(None)
    watch = libc.inotify_init1(os.O_NONBLOCK)
    assert libc.inotify_add_watch(watch, SECRET.encode(), 0x20) >= 0  # IN_OPEN
    message = run("verify", out, "--fast", code=3).stderr
    assert entry["file"] in message
    with pytest.raises(BlockingIOError):
        os.read(watch, 100)
    os.close(watch)


def test_the_hostile_harness_accepts_the_untouched_shard(osv, tmp_path):
    """A shard rewritten by h5py with a further, well-formed dataset is still a shard: unknown columns are ignored."""
    out = tmp_path / "d"
    out.mkdir()
    for path in (osv[0] / "out").iterdir():
        (out / path.name).write_bytes(path.read_bytes())
    manifest = json.loads((out / "manifest.json").read_text())
    entry = manifest["shards"][0]
    shard = out / entry["file"]
    with h5py.File(shard, "r+") as file:
        data = np.arange(5, dtype="<f4")
        file.create_dataset("new/thing", data=data, track_times=False).attrs["crc32c"] = np.uint32(crc32c(data.tobytes()))
    raw = shard.read_bytes()
    head = raw[: entry["img_abs_off"]] + raw[entry["img_abs_off"] + entry["img_bytes"] :]
    entry.update(size=len(raw), sha256=hashlib.sha256(raw).hexdigest(), head_sha256=hashlib.sha256(head).hexdigest())
    (out / "manifest.json").write_text(json.dumps(manifest))
    assert run_json("verify", out)["good"]


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def test_checksums_are_castagnoli(osv):
    shards = osv[3]
    file = shards.files[0]
    assert int(file["geo/lat"].attrs["crc32c"]) == crc32c(file["geo/lat"][:].tobytes())
    image = next(shards.images())
    assert int(file["img/crc32c"][0]) == crc32c(image)
