"""Generated downloads in the real layouts, each with the defects that real ones have, imported by the program. Expected
counts are written down by hand; stored values are read back with h5py."""
import csv
import html
import io
import json
import os
import pathlib
import resource
import shutil
import subprocess
import tarfile
import zipfile

import h5py
import numpy as np
import pytest
from PIL import Image

PROGRAM = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release")).resolve() / "bin/graticule-data"
SCENES = ["S3_Label", "S16_Label", "S365_Label", "Prob_indoor", "Prob_natural", "Prob_urban"]


def jpeg(seed, size=(48, 36), kind="JPEG", exif=None):
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, **({"exif": exif} if exif else {}))
    return out.getvalue()


def write_csv(path, header, rows, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, **how)
        writer.writerow(header)
        writer.writerows(rows)


def put(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def run(*words, code=0):
    done = subprocess.run([PROGRAM, "data", "import", *map(str, words), "--json"], capture_output=True, text=True)
    assert done.returncode == code, done.stderr + done.stdout
    result = json.loads(done.stdout)
    if code == 0:
        result["reasons"] = {name: entry["count"] for name, entry in result["report"]["reasons"].items()}
    return result


def column(folder, path):
    """A column over all shards, in record order; None where no shard has it."""
    parts = []
    for entry in json.loads((folder / "manifest.json").read_text())["shards"]:
        with h5py.File(folder / entry["file"]) as shard:
            if path not in shard:
                return None
            parts.append(shard[path][:])
    return np.concatenate(parts)


def names(folder, level, codes):
    with h5py.File(next(folder.glob("*.h5"))) as shard:
        data, off = shard[f"/dict/{level}/data"][:].tobytes(), shard[f"/dict/{level}/off"][:]
    return [data[off[c]:off[c + 1]].decode() for c in codes]


OSV_HEADER = ("id,latitude,longitude,thumb_original_url,country,sequence,captured_at,lon_bin,lat_bin,cell,region,sub-region,city,"
              "land_cover,road_index,drive_side,climate,soil,dist_sea,quadtree_10_5000,quadtree_10_25000,quadtree_10_1000,"
              "quadtree_10_50000,quadtree_10_12500,quadtree_10_500,quadtree_10_2500,unique_region,unique_sub-region,unique_city,"
              "unique_country,creator_username,creator_id").split(",")


def osv_row(k, lat, lon, country="NZ", captured="1622554127000.0", creator="104232611816.0"):
    return [str(10**14 + k), lat, lon, f"https://x/?a={k},b", country, f"seq-{k}", captured, 0, 8, "(0, 8)", "Chatham, Islands", "",
            "Waitangi", "4.0", "4.66", "1.0", "15.0", "3.0", "0.0068", *[0] * 7, f"R_{country}", "", f"C_NaN_R_{country}", country,
            'some "one"', creator]


@pytest.fixture
def osv(tmp_path):
    rows = [osv_row(k, -40 + k, 170 + k) for k in range(10)]
    rows[1][4] = rows[1][29] = "NA"       # Namibia
    rows[2][4] = "NMB"                    # Namibia too
    rows[3][1] = "91.5"                   # no latitude
    rows[4][6] = ""                       # no date
    rows.append(list(rows[5]))            # the same id again
    rows.append(osv_row(77, 1, 2))        # no image
    root = tmp_path / "osv"
    write_csv(root / "train.csv", OSV_HEADER, rows)
    broken = jpeg(6)
    (root / "images/train").mkdir(parents=True)
    with zipfile.ZipFile(root / "images/train/00.zip", "w") as archive:
        archive.writestr("__MACOSX/00/._x.jpg", b"x")
        archive.writestr("00/readme.txt", b"x")
        for k in range(5):
            archive.writestr(f"00/{10**14 + k}.jpg", jpeg(k), zipfile.ZIP_DEFLATED if k % 2 else zipfile.ZIP_STORED)
    with zipfile.ZipFile(root / "images/train/01.zip", "w") as archive:
        archive.writestr(f"{10**14 + 5}.JPG", jpeg(5))
        archive.writestr(f"01/{10**14 + 6}.jpg", broken)
        archive.writestr(f"01/{10**14 + 7}.jpg", jpeg(7)[:-40])
        archive.writestr(f"01/{10**14 + 8}.jpg", b"no image")
        archive.writestr(f"01/{10**14 + 9}.jpg", jpeg(9))
        archive.writestr(f"01/{10**14 + 500}.jpg", jpeg(10))
    zipped = (root / "images/train/01.zip").read_bytes()
    at = zipped.index(broken) + 400
    (root / "images/train/01.zip").write_bytes(zipped[:at] + bytes([zipped[at] ^ 1]) + zipped[at + 1:])  # CRC no longer fits
    return root


def test_osv5m(osv, tmp_path):
    result = run("osv5m", "--root", osv, "--out", tmp_path / "out")
    assert result["records"] == 7
    assert result["reasons"] == {"bad_coordinates": 1, "row_with_repeated_id": 1, "row_without_file": 1, "file_without_row": 1,
                                 "not_a_jpeg_name": 1, "damaged_member": 1, "undecodable": 1, "truncated": 1, "unexpected_row_count": 1, "absent_file": 96}
    assert result["report"]["reasons"]["absent_file"]["first"] == ["2 of 98 zips of train; absent: 02.zip-97.zip"]
    assert result["report"]["totals"]["rows of the published table"] == 4894685
    out = tmp_path / "out"
    # Records 0 to 6 lie a degree apart and more, along a line; see osv.
    assert result["report"]["shares"] == {"consecutive_within_25km": 0} == json.loads((out / "import_report.json").read_text())["shares"]
    assert column(out, "/id/u64").tolist() == [10**14 + k for k in (0, 1, 2, 4, 5, 7, 9)]
    assert column(out, "/adm/country_iso").tolist() == [554, 516, 516, 554, 554, 554, 554]
    assert column(out, "/time/captured_ms").tolist()[3] == -2**63 and column(out, "/time/month").tolist()[:4] == [6, 6, 6, 0]
    assert names(out, "creator", column(out, "/own/creator")) == ['some "one"'] * 7
    assert len(set(column(out, "/own/author_hash"))) == 1


def tool(*words, code=0):
    done = subprocess.run([PROGRAM, "data", *map(str, words), "--json"], capture_output=True, text=True)
    assert done.returncode == code, done.stderr + done.stdout
    return json.loads(done.stdout)


def test_what_was_imported_can_be_looked_at_credited_and_checked(osv, tmp_path):
    out = tmp_path / "out"
    run("osv5m", "--root", osv, "--out", out)
    shown = tool("inspect", out, "--record", 1, "--image", tmp_path / "one.jpg", "--sheet", tmp_path / "sheet.jpg", "--count", 5)
    assert (tmp_path / "one.jpg").read_bytes() == jpeg(1) and shown["id"] == str(10**14 + 1)
    assert shown["sheet_records"] == [0, 1, 2, 4, 5]
    sheet = Image.open(tmp_path / "sheet.jpg")
    assert sheet.size == (5 * 160, 160)
    whole = Image.open(io.BytesIO(jpeg(4))).convert("RGB")  # record 3 is the image of id 4; the sheet shows 4, which is id 5
    side = Image.open(io.BytesIO(jpeg(5))).convert("RGB").resize((213, 160), Image.BICUBIC).crop((26, 0, 186, 160))
    difference = np.abs(np.asarray(sheet.crop((480, 0, 640, 160)), float) - np.asarray(side, float))
    assert difference.mean() < 12 < np.abs(np.asarray(whole.resize((160, 160)), float) - np.asarray(side, float)).mean()
    legend = tool("inspect", out, "--legend")["legend"]
    assert legend["/aux/climate"] == [{"code": 15, "name": "Cfb temperate, no dry season, warm summer", "records": 7}]
    assert legend["/adm/country_iso"] == [{"code": 516, "name": "NA", "records": 2}, {"code": 554, "name": "NZ", "records": 5}]
    assert legend["/aux/drive_left"] == [{"code": 1, "name": "left", "records": 7}] and "/scene/s365" not in legend
    credits = tool("attribution", out, "--out", tmp_path / "who.csv")
    assert credits["records_by_licence"] == {"CC-BY-SA-4.0": 7}
    rows = list(csv.DictReader(open(tmp_path / "who.csv", newline="")))
    assert [r["id"] for r in rows] == [str(10**14 + k) for k in (0, 1, 2, 4, 5, 7, 9)]
    assert {(r["creator"], r["licence"], r["dataset"]) for r in rows} == {('some "one"', "CC-BY-SA-4.0", "osv5m")}
    checked = tool("verify", out, "--decode")["datasets"][0]
    assert checked["good"] and checked["truncated"] == 1 and checked["images"] == 7


def test_filters_decide_before_images_are_read(osv, tmp_path):
    cases = [(["--zips", "00"], 4), (["--countries", "NA"], 2), (["--countries", "nz", "--per-country", "2"], 2), (["--bbox=-40,169,-37,173"], 3),
             (["--from", "2021-06", "--to", "2021-06-02"], 6), (["--to", "2021-06-01"], None), (["--max-records", "3"], 3)]
    for k, (words, records) in enumerate(cases):
        result = run("osv5m", "--root", osv, "--out", tmp_path / f"out{k}", *words, code=0 if records else 3)
        if records:
            assert result["records"] == records, (words, result)
    # The two images that cannot be read lie in New Zealand: asked for Namibia, nobody reads them.
    assert "undecodable" not in run("osv5m", "--root", osv, "--out", tmp_path / "na", "--countries", "NA")["reasons"]


def test_osv5m_tells_which_published_zips_are_absent(osv, tmp_path):
    def absent(*words):
        report = run("osv5m", "--root", osv, "--out", tmp_path / "out", *words)["report"]
        shutil.rmtree(tmp_path / "out")
        return report["reasons"].get("absent_file", {"first": [None]})["first"][0], report["reasons"]
    for k in range(2, 98):
        if k not in (7, 31, 40, 41, 42, 97):
            with zipfile.ZipFile(osv / f"images/train/{k:02d}.zip", "w") as archive:
                archive.writestr(f"{k:02d}/readme.txt", b"x")
    line, reasons = absent()
    assert line == "92 of 98 zips of train; absent: 07.zip 31.zip 40.zip-42.zip 97.zip" and reasons["row_without_file"]["count"] == 1
    line, reasons = absent("--zips", "01-09")
    assert line == "8 of 9 zips of train; absent: 07.zip" and "row_without_file" not in reasons
    assert absent("--zips", "01,06-08,30-32,40-41,96-97")[0] == "6 of 11 zips of train; absent: 07.zip 31.zip 40.zip 41.zip 97.zip"
    assert absent("--zips", "01,40,42")[0] == "1 of 3 zips of train; absent: 40.zip 42.zip"
    line, reasons = absent("--zips", "00,01")
    assert line is None and reasons["row_of_another_part"]["count"] == 1, "what was asked for is here"
    assert "row_of_another_part" not in absent("--max-records", "3")[1]
    for k in (7, 31, 40, 41, 42, 97):
        with zipfile.ZipFile(osv / f"images/train/{k:02d}.zip", "w") as archive:
            archive.writestr(f"{k:02d}/readme.txt", b"x")
    assert absent()[0] is None
    done = subprocess.run([PROGRAM, "data", "import", "osv5m", "--root", osv, "--zips", "1,98", "--out", tmp_path / "text"], capture_output=True, text=True)
    assert done.returncode == 0 and " of consecutive records lie within 25 km" in done.stdout and "           1  zips of train expected" in done.stdout


def test_tables_in_another_encoding_lose_no_record_and_unfinished_ones_are_refused(osv, tmp_path):
    table = (osv / "train.csv").read_bytes()
    lines = table.split(b"\r\n")
    lines[2] = lines[2].replace(b"Waitangi", b"Wait\xe4ngi").replace(b'some ""one""', b"Jos\xe9")
    put(osv / "train.csv", b"\r\n".join(lines))
    put(tmp_path / "more.csv", b"id,elev_m\nn\xe9ant,5\n")
    result = run("osv5m", "--root", osv, "--extra-csv", tmp_path / "more.csv", "--out", tmp_path / "out")
    assert result["records"] == 7
    assert result["report"]["reasons"]["row_not_utf8"]["first"] == ["train.csv:3", "more.csv:2"]
    assert names(tmp_path / "out", "creator", column(tmp_path / "out", "/own/creator"))[:2] == ['some "one"', "José"]
    put(osv / "train.csv", b"\r\n".join(lines[:4]) + bytes(1000))
    told = run("osv5m", "--root", osv, "--out", tmp_path / "nul", code=3)["error"]
    assert told["where"] == f"{osv / 'train.csv'}:4" and "NUL" in told["message"]


def test_osv_mini(tmp_path):
    root = tmp_path / "mini"
    header = [c for c in OSV_HEADER if not c.startswith("quadtree") or c == "quadtree_10_1000"]
    keep = [OSV_HEADER.index(c) for c in header]
    write_csv(root / "val_mini.csv", header, [[osv_row(k, 30 + k, -90, "US")[c] for c in keep] for k in range(4)])
    for k in (0, 1, 3):
        put(root / "val_images" / ("Texas" if k else "Ohio") / f"{10**14 + k}.jpg", jpeg(k))
    put(root / "val_images/Texas/999.jpg", jpeg(5))
    result = run("osv-mini", "--root", root, "--split", "val", "--out", tmp_path / "out")
    assert result["records"] == 3 and result["reasons"] == {"row_without_file": 1, "file_without_row": 1}
    assert column(tmp_path / "out", "/geo/lat").tolist() == [30, 31, 33]


def test_mp16pro(tmp_path):
    root = tmp_path / "mp16"
    header = ["IMG_ID", "AUTHOR", "LAT", "LON", *SCENES, "neighbourhood", "city", "county", "state", "region", "country", "country_code", "continent"]
    place = ["", "Solothurn", "", "Solothurn", "", "Switzerland", "ch", ""]

    def row(k, lat="47.2", lon="7.5", where=place):
        return [f"4f_a0_{k}.jpg", "12345@N00", lat, lon, 2, 5, 100, .1, .2, .7, *where]
    rows = [row(k) for k in range(9)]
    rows[1] = row(1, where=["", "", "", "", "", "Namibia", "na", ""])
    rows[2] = row(2, where=[""] * 8)          # no country
    rows[3] = row(3, "0", "0.0")              # null island
    rows[4] = row(4, "47.2", "seven")
    write_csv(root / "metadata/MP16_Pro_filtered.csv", header, rows)
    big = (300, 240)
    members = {f"./images/4f_a0_{k}.jpg": jpeg(k, big) for k in range(9)}
    members["./images/4f_a0_5.jpg"] = jpeg(5)[:5000]                      # too small
    members["./images/4f_a0_7.jpg"] = members["./images/4f_a0_6.jpg"]     # the same bytes
    members["./images/4f_a0_99.jpg"] = jpeg(99, big)                      # no row
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    whole = tar.getvalue()
    step = -(-len(whole) // 19)
    for k in range(19):
        put(root / f"mp-16-images{k:02d}", whole[k * step:(k + 1) * step])
    result = run("mp16pro", "--root", root, "--out", tmp_path / "out")
    assert result["records"] == 4
    assert result["reasons"] == {"no_country": 1, "bad_coordinates": 2, "too_small": 1, "identical_bytes": 1, "file_without_row": 1}
    assert result["report"]["totals"]["slices"] == result["report"]["totals"]["slices published"] == 19
    assert result["report"]["shares"] == {"consecutive_within_25km": 1}, "all at one place"
    assert column(tmp_path / "out", "/adm/country_iso").tolist() == [756, 516, 756, 756]
    assert run("mp16pro", "--root", root, "--out", tmp_path / "all", "--keep-without-country")["records"] == 5
    assert names(tmp_path / "out", "creator", column(tmp_path / "out", "/own/creator")) == ["12345@N00"] * 4
    write_csv(root / "nocode.csv", [name for name in header if name != "country_code"],
              [[*r[:-2], r[-1]] for r in [rows[0], [*rows[1][:-3], "Atlantis", "", ""], *rows[6:]]])
    named = run("mp16pro", "--root", root, "--csv", root / "nocode.csv", "--out", tmp_path / "named")
    assert column(tmp_path / "named", "/adm/country_iso").tolist() == [756, 0, 756, 756]
    assert named["reasons"]["unknown_country"] == 1 and "Atlantis" in named["report"]["reasons"]["unknown_country"]["first"][0]
    rows[0] = row(0, where=["", "NA", "None", "null", "", "Switzerland", "ch", ""])
    write_csv(root / "words.csv", header, rows)
    run("mp16pro", "--root", root, "--csv", root / "words.csv", "--out", tmp_path / "words")
    assert names(tmp_path / "words", "city", column(tmp_path / "words", "/adm/city")) == ["", "", "Solothurn", "Solothurn"]
    assert names(tmp_path / "words", "region", column(tmp_path / "words", "/adm/region")) == ["", "", "Solothurn", "Solothurn"]
    assert column(tmp_path / "words", "/adm/subregion") is None
    put(root / "mp-16-images05.aria2", whole[:100])  # what a downloader leaves behind is no slice
    assert run("mp16pro", "--root", root, "--out", tmp_path / "again")["records"] == 4
    flipped = bytearray(whole)
    flipped[[k for k in range(0, len(whole), 512) if whole[k + 257:k + 262] == b"ustar"][2] + 20] ^= 1  # of a header
    for k in range(19):
        put(root / f"mp-16-images{k:02d}", bytes(flipped[k * step:(k + 1) * step]))
    assert run("mp16pro", "--root", root, "--out", tmp_path / "flipped", code=3)["error"]["code"] == 3
    (root / "mp-16-images07").unlink()
    assert "mp-16-images07 is missing" in str(run("mp16pro", "--root", root, "--out", tmp_path / "gap", code=3)["error"])
    for k in range(8, 19):
        (root / f"mp-16-images{k:02d}").unlink()
    cut = run("mp16pro", "--root", root, "--out", tmp_path / "cut", code=3)["error"]
    assert cut["where"].endswith("mp-16-images06") and "does not end here" in cut["message"]
    header = whole.index(b"./images/4f_a0_7.jpg")
    for k in range(19):  # one slice only has its place on the disk
        put(root / f"mp-16-images{k:02d}", bytes(step) if k == header // step else whole[k * step:(k + 1) * step])
    slice_of_header = root / f"mp-16-images{header // step:02d}"
    zeros = run("mp16pro", "--root", root, "--out", tmp_path / "zeros", "--records-per-shard", 2, code=3)["error"]
    assert zeros["where"] == str(slice_of_header) and zeros["message"].startswith(f"near byte {header % step}: zeros"), zeros
    put(slice_of_header, bytes(step - 7))
    short = run("mp16pro", "--root", root, "--out", tmp_path / "short", code=3)["error"]
    assert short["where"] == str(slice_of_header) and f"{step - 7} bytes" in short["message"] and str(step) in short["message"]
    put(slice_of_header, whole[header // step * step:(header // step + 1) * step])
    assert run("mp16pro", "--root", root, "--out", tmp_path / "zeros", "--records-per-shard", 2)["records"] == 4, "goes on once it is fetched"


def without_utf8_flag(data):
    """A zip whose flags no longer say that its names are UTF-8 (local and central headers)."""
    data = bytearray(data)
    for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = data.find(signature)
        while at >= 0:
            data[at + flags + 1] &= ~8
            at = data.find(signature, at + 4)
    return bytes(data)


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_names_beyond_ascii_are_read_in_every_locale(tmp_path, monkeypatch, locale):
    monkeypatch.setenv("LC_ALL", locale)
    header, rows = places365(4, "日本 é{}.jpg")
    for kind in ("said", "unsaid", "wrong"):
        root = tmp_path / kind
        write_csv(root / "im2gps3k_places365.csv", header, rows)
        with zipfile.ZipFile(root / "im2gps3ktest.zip", "w") as archive:
            for k in range(4):
                archive.writestr(f"ö/日本 é{1000 + k}.jpg", jpeg(k))
        zipped = (root / "im2gps3ktest.zip").read_bytes()
        if kind == "unsaid":
            zipped = without_utf8_flag(zipped)
        if kind == "wrong":  # says UTF-8 and is not
            zipped = zipped.replace("é1002".encode(), b"\xe9\xe91002")
        put(root / "im2gps3ktest.zip", zipped)
        result = run("im2gps3k", "--root", root, "--out", tmp_path / f"{kind}_out")
        if kind == "wrong":
            assert result["records"] == 3 and result["reasons"] == {"member_without_name": 1, "row_without_file": 1, "unexpected_row_count": 1}
            assert result["report"]["reasons"]["member_without_name"]["first"] == ["im2gps3ktest.zip, member 2"]
        else:
            assert result["records"] == 4 and result["reasons"] == {"unexpected_row_count": 1}
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        root = tmp_path / f"tar{form}"
        write_csv(root / "metadata/MP16_Pro_filtered.csv", ["IMG_ID", "LAT", "LON", "country"], [[f"4f_a0_é{k}.jpg", 1, 2, "France"] for k in range(2)])
        with tarfile.open(root / "mp-16-images.tar", "w", format=form) as archive:
            for k in range(2):
                info, data = tarfile.TarInfo(f"./images/4f_a0_é{k}.jpg"), jpeg(k, (300, 240))
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        assert run("mp16pro", "--root", root, "--out", tmp_path / f"tar{form}_out")["records"] == 2


def places365(count, name="{}_a_b_9@N00.jpg"):
    return ["IMG_ID", "AUTHOR", "LAT", "LON", *SCENES], [[name.format(1000 + k), "9@N00", 10 + k % 60, 20 + k % 150, 1, 2, 3, .1, .8, .1]
                                                         for k in range(count)]


def test_im2gps3k_counts_what_its_table_does_not_know(tmp_path):
    root = tmp_path / "set"
    header, rows = places365(12)
    write_csv(root / "im2gps3k_places365.csv", header, rows)
    with zipfile.ZipFile(root / "im2gps3ktest.zip", "w") as archive:
        for k in range(15):
            archive.writestr(f"im2gps3ktest/{1000 + k}_a_b_9@N00.jpg", jpeg(k))
    result = run("im2gps3k", "--root", root, "--out", tmp_path / "out")
    assert result["records"] == 12
    assert result["reasons"] == {"file_without_row": 3, "unexpected_row_count": 1}
    assert result["report"]["totals"]["rows of the published table"] == 2997
    assert column(tmp_path / "out", "/id/u64").tolist() == [1000 + k for k in range(12)]
    (root / "im2gps3ktest.zip").unlink()
    (tmp_path / "elsewhere").mkdir()
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/back").symlink_to(root)  # and round again
    for k in range(15):
        put(tmp_path / "elsewhere" / f"{1000 + k}_a_b_9@N00.jpg", jpeg(k))
    again = run("im2gps3k", "--root", root, "--out", tmp_path / "folder")
    assert again["records"] == 12 and again["reasons"] == result["reasons"]
    rows = [[r[0], r[1], r[3], r[2], *r[4:]] for r in rows]
    for r in rows[::2]:
        r[2] = "-157.9"
    write_csv(root / "im2gps3k_places365.csv", header, rows)
    assert "swapped" in run("im2gps3k", "--root", root, "--out", tmp_path / "swapped", code=3)["error"]["hint"]


def test_im2gps_reads_the_info_json_of_osv(tmp_path):
    root, names = tmp_path / "im2gps", [f"{2000 + k}_a_b_9@N00.jpg" for k in range(50)]
    info = {name: ["tags: x, y", "views: 3", f"latitude: {-33.5 + k}", f"longitude: {151.25 - k}", "accuracy: 16", "url: http://x/?a,b"]
            for k, name in enumerate(names)}
    info[names[2]] = []                                                    # nothing known: no row
    info[names[3]][2:4] = info[names[3]][3:1:-1]                           # not in their places
    info[names[4]] = ["latitude: 1", "longitude: 2"]                       # too short
    info[names[5]][2] = "latitude: -12.5\n"
    info["9999_gone.jpg"] = ["latitude: 1", "longitude: 2", "", ""]
    put(root / "info.json", json.dumps(info).encode())
    for k, name in enumerate(names):
        put(root / "images" / name, jpeg(k))
    result = run("im2gps", "--root", root, "--out", tmp_path / "out")
    assert result["records"] == 47
    assert result["reasons"] == {"bad_coordinates": 2, "row_without_file": 1, "file_without_row": 1, "unexpected_row_count": 1}
    kept = [k for k in range(50) if k not in (2, 3, 4)]
    assert column(tmp_path / "out", "/geo/lat").tolist() == [-12.5 if k == 5 else -33.5 + k for k in kept]
    assert column(tmp_path / "out", "/geo/lon").tolist() == [151.25 - k for k in kept]
    for text, words in ((b"[1]", "object"), (b'{"a.jpg": 3}', "a.jpg"), (b'{"a.jpg": [', "JSON"), (b"[" * 100_000, "JSON")):
        put(root / "info.json", text)
        assert words in run("im2gps", "--root", root, "--out", tmp_path / "bad", code=3)["error"]["message"]


def workbook(path, rows, sheet="Sheet1"):
    """As spreadsheet programs write it: texts shared, numbers in place, every cell with its reference."""
    shared, lines = {}, []
    for r, row in enumerate(rows, 1):
        cells = []
        for c, value in enumerate(row):
            where = f'r="{chr(65 + c)}{r}"'
            if isinstance(value, str):
                cells.append(f'<c {where} t="s"><v>{shared.setdefault(value, len(shared))}</v></c>')
            elif value is not None:
                cells.append(f"<c {where}><v>{value!r}</v></c>")
        lines.append(f'<row r="{r}">{"".join(cells)}</row>')
    main, office = "http://schemas.openxmlformats.org/spreadsheetml/2006/main", "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="{sheet}" sheetId="1" r:id="rId1"/></sheets></workbook>')
        archive.writestr("xl/_rels/workbook.xml.rels", '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
                         f'<Relationship Id="rId1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>')
        archive.writestr("xl/worksheets/sheet1.xml", f'<worksheet xmlns="{main}"><sheetData>{"".join(lines)}</sheetData></worksheet>')
        texts = "".join(f"<si><t>{html.escape(text)}</t></si>" for text in shared)
        archive.writestr("xl/sharedStrings.xml", f'<sst xmlns="{main}">{texts}</sst>')


def texts_of(folder):
    with h5py.File(next(folder.glob("*.h5"))) as shard:
        data, off = shard["/text/data"][:].tobytes(), shard["/text/off"][:]
    return [data[a:b].decode() for a, b in zip(off, off[1:])]


def test_street360loc_keeps_places_views_and_descriptions(tmp_path):
    root, lat, lon = tmp_path / "s360", {1: 40.4406, 3079: 28.5383, 4000: 28.54, 6000: 40.78}, {1: -79.9959, 3079: -81.3792, 4000: -81.38, 6000: -73.97}
    rows = [["index", "pos", "x", "y", "z", "text_description"]]
    for index in lat:
        a, b = np.radians(lat[index]), np.radians(lon[index])
        for pos in (1, 2, 3, 4):
            xyz = 6365000 * np.array([np.cos(a) * np.cos(b), np.cos(a) * np.sin(b), np.sin(a)]) + (0.0004 if pos == 4 else 0)
            rows.append([f"{index:06d}", pos, *map(float, xyz), f"From left to right: view {pos} of {index}, “a café” & <sign>, 1. red"])
            put(root / f"Street360Loc_images/{index:06d}_{pos}.jpg", jpeg(index * 10 + pos))
    rows[2][5] = "I’m unable to view the image, but I can help."
    rows[3][5] = "I'm sorry, but I can't directly analyze images."
    rows[8][2] += 500                                        # off the sphere
    (root / "Street360Loc_images/003079_3.jpg").unlink()
    workbook(root / "dataset/train_description.xlsx", rows)
    result = run("street360loc", "--root", root, "--split", "train", "--out", tmp_path / "out")
    assert result["reasons"] == {"refused_description": 2, "bad_coordinates": 1, "place_of_two_splits": 4, "row_without_file": 1,
                                 "place_without_four_views": 1, "unexpected_row_count": 1}
    kept = [(1, p) for p in (1, 2, 3, 4)] + [(3079, 1), (3079, 2)] + [(6000, p) for p in (1, 2, 3, 4)]
    out = tmp_path / "out"
    assert column(out, "/id/u64").tolist() == [i for i, _ in kept] and column(out, "/seq/index").tolist() == [p for _, p in kept]
    assert np.abs(column(out, "/geo/lat") - [lat[i] for i, _ in kept]).max() < 1e-9 and np.abs(column(out, "/geo/lon") - [lon[i] for i, _ in kept]).max() < 1e-9
    assert len({*zip(column(out, "/geo/lat"), column(out, "/geo/lon"))}) == 3, "a place is where its first view is"
    assert names(out, "city", column(out, "/adm/city")) == ["Pittsburgh"] * 4 + ["Orlando"] * 2 + ["New York"] * 4
    places = column(out, "/seq/hash")
    assert len(set(places)) == 3 and (places[:4] == places[0]).all() and 0 not in places
    assert texts_of(out) == ["" if (i, p) in ((1, 2), (1, 3)) else f"From left to right: view {p} of {i}, “a café” & <sign>, 1. red" for i, p in kept]
    assert tool("inspect", out, "--record", 5)["/text"] == texts_of(out)[5]
    assert tool("inspect", out, "--record", 5)["id"] == "003079_2"
    every = run("street360loc", "--root", root, "--out", tmp_path / "all", "--keep-refusals", "--keep-overlap")
    assert every["records"] == 14 and texts_of(tmp_path / "all")[1].startswith("I’m unable")
    assert "--split" in run("street360loc", "--root", root, "--split", "dev", "--out", tmp_path / "x", code=2)["error"]["message"]
    workbook(root / "dataset/val_description.xlsx", [["index", "pos", "x", "y", "text_description"]])
    away = tmp_path / "away"
    (root / "Street360Loc_images").rename(away)
    for words, told, code in (((), "Street360Loc_images", 3), (("--images", tmp_path / "none"), "none", 2), (("--images", away, "--xlsx", tmp_path / "none"), "none", 2)):
        assert told in run("street360loc", "--root", root, *words, "--out", tmp_path / "x", code=code)["error"]["where"]
    away.rename(root / "Street360Loc_images")
    (tmp_path / "empty").mkdir()
    assert "no train_description.xlsx here" in run("street360loc", "--root", tmp_path / "empty", "--images", away.parent, "--out", tmp_path / "x", code=3)["error"]["message"]
    assert '"z"' in run("street360loc", "--root", root, "--split", "val", "--out", tmp_path / "x", code=3)["error"]["message"]
    put(root / "dataset/test_description.xlsx", b"PK no zip")
    assert "zip" in run("street360loc", "--root", root, "--split", "test", "--out", tmp_path / "x", code=3)["error"]["message"]


def test_yfcc4k_in_its_three_forms_and_not_in_that_of_yfcc26k(tmp_path):
    images = tmp_path / "images"
    for k in range(5):
        put(images / f"{1000 + k}.jpg", jpeg(k))
    put(images / "1005.jpg", jpeg(5, kind="PNG"))
    put(images / "1006.jpg", jpeg(6, kind="GIF"))
    header, rows = places365(7, "ab/cd/{}.jpg")
    write_csv(tmp_path / "yfcc4k_places365.csv", header, rows)
    result = run("yfcc4k", "--root", tmp_path, "--images", images, "--out", tmp_path / "a")
    assert result["records"] == 5 and result["reasons"] == {"other_format": 2, "unexpected_row_count": 1}
    extract = ("RecordNumber,name,Secret,OwnerNSID,Username,DateTaken,DateUploaded,Camera,Title,Description,Tags,EmptyField,lon,lat,"
               "Accuracy,PhotoPageURL,PhotoURL,LicenseName,LicenseURL,FarmID,ServerID,Secret2,Hash,Format,Placeholder").split(",")
    lines = [[k, f"{1000 + k}.jpg", "s", "9@N00", 'He "said"', "", "", "", '"half', "d", "t", "", -79.5 + k, 43.6, 16, "", "",
              ["Attribution License", "Attribution-NonCommercial License", "Attribution-ShareAlike License"][k % 3], "", 1, 2, "", "", "jpg", ""]
             for k in range(5)]
    write_csv(tmp_path / "other.csv", extract, lines)
    run("yfcc4k", "--root", tmp_path, "--images", images, "--csv", tmp_path / "other.csv", "--out", tmp_path / "b")
    assert column(tmp_path / "b", "/geo/lon").tolist() == [-79.5 + k for k in range(5)]
    assert column(tmp_path / "b", "/own/licence").tolist() == [4, 5, 2, 4, 5]
    assert (column(tmp_path / "b", "/own/author_hash") == column(tmp_path / "a", "/own/author_hash")).all()
    (tmp_path / "info.txt").write_text("".join("\t".join(map(str, line)) + "\n" for line in lines))
    run("yfcc4k", "--root", tmp_path, "--images", images, "--csv", tmp_path / "info.txt", "--out", tmp_path / "c")
    assert column(tmp_path / "c", "/geo/lon").tolist() == [-79.5 + k for k in range(5)]
    header, rows = places365(25_600, "45/77/{}.jpg")
    write_csv(tmp_path / "wrong.csv", header, rows)
    wrong = run("yfcc4k", "--root", tmp_path, "--images", images, "--csv", tmp_path / "wrong.csv", "--out", tmp_path / "d", code=3)
    assert "YFCC26K" in wrong["error"]["message"]
    for k in range(7):
        (images / f"{1000 + k}.jpg").rename(images / f"45_77_{1000 + k}.jpg")
    right = run("yfcc26k", "--root", tmp_path, "--images", images, "--csv", tmp_path / "wrong.csv", "--out", tmp_path / "e")
    assert right["records"] == 5 and "unexpected_row_count" not in right["reasons"]


def test_streetscapes_joins_its_tables_by_uuid(tmp_path):
    root, keys = tmp_path / "gss", [[f"{k:08x}-aaaa-4bbb-8ccc-0123456789ab", "Mapillary" if k % 2 else "KartaView", str(500 + k)] for k in range(6)]
    key_columns = ["uuid", "source", "orig_id"]
    common = [[*key, 10 + k, 100 + k, f"2024-07-09 0{k}:24:18.913000+02:00" if k != 3 else "2024-07-09 03:24:18", 2024, 7, 9, k, "7680.0", 3840, 90.5,
               "spherical" if k == 1 else "", 360 if k == 1 else "", "", k, "s1", 6] for k, key in enumerate(keys)]
    common[5][3] = "95"
    write_csv(root / "data/metadata_common_attributes.csv",
              [*key_columns, "lat", "lon", "datetime_local", "year", "month", "day", "hour", "width", "height", "heading", "projection_type", "hFoV",
               "vFoV", "sequence_index", "sequence_id", "sequence_img_count"], common)
    city = [[*key, "Zürich", "Zurich", 1, 47, 8, "Switzerland", "CH", "CHE", "Zürich", "admin", 1, "Europe"] for key in keys]
    city[2][9:11] = ["NA", "NAM"]
    write_csv(root / "data/simplemaps.csv", [*key_columns, *"city,city_ascii,city_id,city_lat,city_lon,country,iso2,iso3,admin_name,capital,population,continent".split(",")],
              city[::-1])  # another order
    write_csv(root / "data/contextual.csv", [*key_columns, *"glare,lighting_condition,pano_status,platform,quality,reflection,view_direction,weather".split(",")],
              [[*keys[0], "no", "dusk/dawn", "False", "field", "good", "no", "side", "snowy"], [*keys[1], "yes", "night", "True", "moon", "very poor", "no", "front/back", ""]])
    write_csv(root / "data/metadata_mly3.csv", [*key_columns, "mly_make", "mly_model", "mly_creator.username", "mly_creator.id"],
              [[*key, "", "", f"user{k}", "104232611816.0"] for k, key in enumerate(keys) if k % 2])
    for k in (0, 1, 2, 5):
        put(tmp_path / "images/1_10000" / f"{keys[k][0]}.jpeg", jpeg(k))
    result = run("streetscapes", "--root", root, "--images", tmp_path / "images", "--out", tmp_path / "out")
    assert result["records"] == 3
    assert result["reasons"] == {"bad_coordinates": 1, "row_without_file": 2, "bad_value": 1, "side_row_count": 2}
    out = tmp_path / "out"
    assert column(out, "/adm/country_iso").tolist() == [756, 756, 516]
    assert column(out, "/view/weather").tolist() == [3, 255, 255] and column(out, "/view/platform").tolist() == [4, 255, 255]
    assert column(out, "/view/lighting").tolist() == [2, 1, 255] and column(out, "/view/pano").tolist() == [0, 1, 255]
    assert names(out, "city", column(out, "/adm/city")) == ["Zürich"] * 3
    assert column(out, "/id/u64").tolist() == [k << 32 | 0xaaaa4bbb for k in range(3)]
    assert column(out, "/time/captured_ms").tolist()[1] == 1720481058913  # date -u -d "2024-07-09 01:24:18 +0200" +%s
    author = column(out, "/own/author_hash")
    assert author[0] == 0 and author[1] != 0
    kept = run("streetscapes", "--root", root, "--images", tmp_path / "images", "--out", tmp_path / "kept", "--keep-without-image")
    assert kept["records"] == 5 and kept["reasons"]["record_without_image"] == 2
    assert column(tmp_path / "kept", "/img/len").tolist()[3:] == [0, 0]
    assert column(tmp_path / "kept", "/time/captured_ms").tolist()[3] == -2**63  # its text names no zone
    done = subprocess.run([PROGRAM, "data", "verify", tmp_path / "kept"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_places_without_images_make_cells_and_are_passed_over_by_training(tmp_path):
    write_csv(tmp_path / "gws.csv", ["id", "lat", "lon"], [[f"g{k}", k % 70, k * 7 % 170] for k in range(300)] + [["g1", 1, 1], ["bad", 91, 0]])
    result = run("coordinates", "--csv", tmp_path / "gws.csv", "--out", tmp_path / "out")
    assert result["records"] == 300
    assert result["reasons"] == {"record_without_image": 300, "row_with_repeated_id": 1, "bad_coordinates": 1}
    done = subprocess.run([PROGRAM, "cells", "build", "--data", tmp_path / "out", "--split", "all", "--min-images", "0", "--max-images", "20", "--out",
                           tmp_path / "cells.safetensors", "--json"], capture_output=True, text=True)
    assert done.returncode == 0 and json.loads(done.stdout)["places"] == 300, done.stderr


def test_photos_are_placed_by_exif_where_there_is_no_table(tmp_path):
    photos = tmp_path / "photos"
    gps = Image.Exif()
    gps.get_ifd(0x8825).update({1: "S", 2: (33.0, 51.0, 36.0), 3: "E", 4: (151.0, 12.0, 0.0)})
    put(photos / "a.jpg", jpeg(1, exif=gps.tobytes()))
    put(photos / "deeper/b.jpeg", jpeg(2))
    put(photos / "c.png", jpeg(3, kind="PNG"))
    result = run("folder", "--images", photos, "--out", tmp_path / "out")
    assert result["records"] == 1
    assert result["reasons"] == {"place_from_exif": 1, "without_place": 1}
    assert column(tmp_path / "out", "/geo/lat")[0] == pytest.approx(-33.86) and column(tmp_path / "out", "/geo/lon")[0] == pytest.approx(151.2)


def test_photos_have_the_same_ids_with_and_without_a_table(tmp_path):
    gps = Image.Exif()
    gps.get_ifd(0x8825).update({1: "S", 2: (33.0, 51.0, 36.0), 3: "E", 4: (151.0, 12.0, 0.0)})
    for k, name in enumerate(("images/a.jpg", "images/b.jpg")):
        put(tmp_path / "in" / name, jpeg(k, exif=gps.tobytes()))
    write_csv(tmp_path / "in/t.csv", ["image", "lat", "lon"], [["images/a.jpg", 1, 2], ["./images/b.jpg", 3, 4]])
    run("folder", "--csv", tmp_path / "in/t.csv", "--out", tmp_path / "table")
    run("folder", "--images", tmp_path / "in", "--out", tmp_path / "exif")
    assert tool("overlap", tmp_path / "table", tmp_path / "exif")["by"]["id"]["records"] == 2


def test_what_the_command_line_names_and_is_not_there_is_2_and_what_a_folder_lacks_3(osv, tmp_path):
    def told(code, *words):
        error = run(*words, "--out", tmp_path / "x", code=code)["error"]
        return f"{error['where']}: {error['message']} {error['hint']}"
    for source in ("osv5m", "osv-mini", "mp16pro", "im2gps3k", "streetscapes"):
        assert "no such folder" in told(2, source, "--root", tmp_path / "nowhere")
        if source != "streetscapes":
            assert "Fetch" in told(3, source, "--root", osv / "images") or source in ("mp16pro", "im2gps3k"), source
            if source != "mp16pro":
                assert "nowhere.csv" in told(2, source, "--root", osv, "--csv", tmp_path / "nowhere.csv")
    for source in ("folder", "coordinates"):
        assert "no such file" in told(2, source, "--csv", tmp_path / "nowhere.csv")
    assert "no such folder" in told(2, "folder", "--images", tmp_path / "nowhere")
    assert "no such file" in told(2, "osv5m", "--root", osv, "--extra-csv", tmp_path / "nowhere.csv")
    (osv / "train.csv").rename(osv / "test.csv")
    assert "test.csv" in told(3, "osv5m", "--root", osv)
    (osv / "test.csv").rename(osv / "train.csv")
    assert "a zip of --zips 98" in told(3, "osv5m", "--root", osv, "--zips", "98")
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/null"):
        assert "not a regular file" in told(3, "coordinates", "--csv", path)
    zipped = (osv / "images/train/00.zip").read_bytes()
    put(osv / "images/train/00.zip", zipped[:len(zipped) // 2])
    assert f"00.zip: the end of the zip, its central directory, is missing behind byte {len(zipped) // 2}" in told(3, "osv5m", "--root", osv)
    put(tmp_path / "t.csv", b"image,lat,lon\na.jpg,1,2\n")
    put(tmp_path / "extra.csv", b"key,elev_m\na.jpg,1\n")
    assert told(3, "folder", "--csv", tmp_path / "t.csv", "--extra-csv", tmp_path / "extra.csv").count('"id"') == 1


def test_a_failed_import_leaves_no_lock_and_says_what_photos_lack(tmp_path):
    put(tmp_path / "photos/a.jpg", jpeg(1))
    error = run("folder", "--images", tmp_path / "photos", "--out", tmp_path / "out", code=3)["error"]
    assert "EXIF" in error["hint"] and "table and images" not in error["hint"]
    assert not list((tmp_path / "out").iterdir())
    put(tmp_path / "photos/t.csv", b"image,lat,lon\na.jpg,1,2\n")
    words = ("folder", "--csv", tmp_path / "photos/t.csv", "--out", tmp_path / "out")
    run(*words)
    whole = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert "finished dataset" in run(*words, code=2)["error"]["message"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == whole


def test_a_zip_that_was_cut_is_told_before_others_are_read(tmp_path):
    root = tmp_path / "osv"
    write_csv(root / "train.csv", OSV_HEADER, [osv_row(k, 10, 20, "DE") for k in range(40)])
    zips = [root / f"images/train/{z:02d}.zip" for z in range(3)]
    for z, path in enumerate(zips):
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w") as archive:
            for k in range(z * 10, z * 10 + 10):
                archive.writestr(f"{10**14 + k}.jpg", jpeg(k))
    whole = [path.read_bytes() for path in zips]
    zips[1].write_bytes(whole[1][:-100])
    zips[2].write_bytes(b"<html>" * 9)
    words = ("osv5m", "--root", root, "--records-per-shard", 4, "--out", tmp_path / "out")
    told = run(*words, code=3)["error"]
    assert told["where"] == str(zips[1]) and "missing behind byte" in told["message"] and "02.zip" in told["message"]
    assert not list((tmp_path / "out").glob("*")), "nothing was begun that other zips would not fit"
    for path, data in zip(zips, whole):
        path.write_bytes(data)
    assert run(*words)["records"] == 30


def test_a_table_of_ones_own_carries_names_and_licences(tmp_path):
    for k in range(3):
        put(tmp_path / f"in/{k}.jpg", jpeg(k))
    write_csv(tmp_path / "in/t.csv", ["image", "lat", "lon", "country_iso", "city", "creator", "licence", "month"],
              [["0.jpg", 1, 2, "ng", "Jos", "Ada", "CC-BY-SA-4.0", 3], ["1.jpg", 1, 2, "NA", "", "", "CC-BY-NC-2.0", ""], ["2.jpg", 1, 2, "", "Jos", "Bo", "mine", 14]])
    result = run("folder", "--csv", tmp_path / "in/t.csv", "--out", tmp_path / "out")
    assert result["reasons"] == {"bad_value": 2}
    assert column(tmp_path / "out", "/adm/country_iso").tolist() == [566, 516, 0]
    assert column(tmp_path / "out", "/own/licence").tolist() == [1, 5, 0] and column(tmp_path / "out", "/time/month").tolist() == [3, 0, 0]
    assert names(tmp_path / "out", "creator", column(tmp_path / "out", "/own/creator")) == ["Ada", "", "Bo"]
    assert names(tmp_path / "out", "city", column(tmp_path / "out", "/adm/city")) == ["Jos", "", "Jos"]
    credit = subprocess.run([PROGRAM, "data", "attribution", tmp_path / "out", "--out", tmp_path / "credit.csv"], capture_output=True, text=True)
    assert credit.returncode == 0 and "0.jpg,Ada,CC-BY-SA-4.0" in (tmp_path / "credit.csv").read_text()


def test_slips_of_splits_and_days(tmp_path):
    (tmp_path / "in").mkdir()
    for source in ("osv5m", "osv-mini", "street360loc"):
        assert "expected train or" in run(source, "--root", tmp_path / "in", "--split", "tarin", "--out", tmp_path / "out", code=2)["error"]["message"]
    late = ("--from", "2020", "--to", "2019")
    assert "--from is not before --to" in run("osv5m", "--root", tmp_path / "in", *late, "--out", tmp_path / "out", code=2)["error"]["message"]
    put(tmp_path / "in/a.jpg", jpeg(1))
    write_csv(tmp_path / "in/t.csv", ["image", "lat", "lon"], [["a.jpg", 1, 2]])
    nothing = run("folder", "--csv", tmp_path / "in/t.csv", "--bbox=40,5,50,15", "--out", tmp_path / "out", code=3)
    assert "filters" in nothing["error"]["hint"]


def test_an_unknown_source_is_answered_with_the_nearest(tmp_path):
    assert "did you mean mp16pro" in run("mp16por", code=2)["error"]["message"]


def test_storage_that_takes_no_more_is_an_error_wherever_it_ends(tmp_path):
    """A limit on file sizes stands for a full disk: it meets the writes of HDF5 too, after the images."""
    root = tmp_path / "set"
    for k in range(200):
        put(root / f"{k}.jpg", jpeg(k) + bytes(5000))
    write_csv(root / "t.csv", ["image", "lat", "lon"], [[f"{k}.jpg", k % 80, k % 170] for k in range(200)])
    command = [PROGRAM, "data", "import", "folder", "--images", root, "--csv", root / "t.csv", "--out"]
    subprocess.run([*command, tmp_path / "whole"], check=True, capture_output=True)
    size = max(file.stat().st_size for file in (tmp_path / "whole").glob("*.h5"))
    for k, limit in enumerate(range(size // 2, size, size // 40)):
        done = subprocess.run([*command, tmp_path / f"out{k}"], capture_output=True, text=True,
                              restore_signals=False,  # a write that is too long fails, without SIGXFSZ
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        assert done.returncode == 4, (limit, done.returncode, done.stderr)
        assert "File too large" in done.stderr


def test_names_and_tables_of_an_old_disk_in_latin_1_belong_together(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    image = io.BytesIO()
    Image.new("RGB", (8, 8)).save(image, "JPEG")
    (photos / "plain.jpg").write_bytes(image.getvalue())
    with open(os.fsencode(photos) + b"/caf\xe9.jpg", "wb") as file:
        file.write(image.getvalue())
    (photos / "t.csv").write_bytes(b"image,lat,lon\ncaf\xe9.jpg,7,8\nplain.jpg,1,2\n")
    result = run("folder", "--csv", photos / "t.csv", "--out", tmp_path / "out")
    assert result["records"] == 2 and list(result["report"]["reasons"]) == ["row_not_utf8"]
    shard = next((tmp_path / "out").glob("*.h5"))
    with h5py.File(shard) as file:
        assert bytes(file["id/str_data"][:]).decode() == "caf\u00e9.jpgplain.jpg"
