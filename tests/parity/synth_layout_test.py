"""The demo world, read back with Python's own zip, tar and CSV modules and Pillow."""

import csv
import io
import os
import pathlib
import subprocess
import tarfile
import zipfile

import pytest
from PIL import Image

BUILD = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release"))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    out = tmp_path_factory.mktemp("world")
    command = [BUILD / "bin" / "graticule-data", "data", "synth", "--out", out / "w", "--osv", "40", "--mp16", "25"]
    subprocess.run(command, check=True)
    return out / "w"


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_osv5m_zips_and_table_agree(world):
    table = {row["id"]: row for row in rows(world / "osv5m" / "train.csv")}
    assert len(table) == 40
    with zipfile.ZipFile(world / "osv5m" / "images" / "train" / "00.zip") as archive:
        assert archive.testzip() is None
        members = archive.infolist()
        assert {pathlib.PurePath(m.filename).stem for m in members} == set(table)
        for member in members:
            assert member.compress_type == zipfile.ZIP_STORED
            image = Image.open(io.BytesIO(archive.read(member)))
            image.load()
            assert image.mode == "RGB" and 160 <= max(image.size) <= 400
    for row in table.values():
        assert row["cell"] == f"({row['lon_bin']}, {row['lat_bin']})"
        assert 1 <= float(row["climate"]) <= 30
        assert row["unique_city"].endswith(row["country"])


def test_mp16pro_slices_are_one_tar(world):
    slices = sorted((world / "mp16pro").glob("mp-16-images*"))
    assert [s.name[-2:] for s in slices] == [f"{i:02d}" for i in range(19)]
    assert len({s.stat().st_size for s in slices[:-1]}) == 1
    table = {row["IMG_ID"]: row for row in rows(world / "mp16pro" / "metadata" / "MP16_Pro_filtered.csv")}
    with tarfile.open(fileobj=io.BytesIO(b"".join(s.read_bytes() for s in slices))) as archive:
        files = [m for m in archive.getmembers() if m.isfile()]
        assert {m.name.split("/")[2] if m.name.startswith("./") else m.name.split("/")[1] for m in files} == set(table)
        for member in files:
            assert member.size > 5120
            Image.open(archive.extractfile(member)).load()
    slashed = rows(world / "mp16pro" / "metadata" / "MP16_Pro_places365.csv")
    assert {row["IMG_ID"].replace("/", "_") for row in slashed} == set(table)


def test_extra_table_covers_both(world):
    extra = {row["id"]: row for row in rows(world / "extra.csv")}
    assert len(extra) == 65
    for row in rows(world / "osv5m" / "train.csv"):
        assert int(extra[row["id"]]["climate"]) == float(row["climate"])
