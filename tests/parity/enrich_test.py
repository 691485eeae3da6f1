"""Runs of `data enrich` one after the other, what the other verbs make of them, and what is refused."""
import json

import numpy as np
import pytest
import rasterio
from enrich_support import enrich, refused, run, small, star, write_geojson, write_raster  # noqa: F401
from rasterio.transform import from_origin


def test_runs_add_columns_and_the_other_verbs_know_them(small):
    dataset, path, folder = small
    _, counts = enrich(dataset, "--koppen", path)
    assert counts["climate"]["agreement"] == {"compared": 2, "equal": 1}
    heights = write_raster(folder / "h.tif", np.full((18, 36), 250, np.int16), from_origin(-180, 90, 10, 10))
    columns, counts = enrich(dataset, "--elevation", heights, "--replace", "elev_m")
    assert set(columns) == {"climate", "elev_m"} and set(counts) == {"elev_m"}
    assert columns["elev_m"].tolist() == [250] * 4
    shown = json.loads(run("graticule-data", "inspect", dataset, "--json").stdout)["enriched"]
    assert shown["climate"] == {"coverage": 1, "fallback": 0, "method": "nearest", "replace": False, "files": ["seven.tif"]}
    assert shown["elev_m"]["replace"] is True
    record = json.loads(run("graticule-data", "inspect", dataset, "--record", 2, "--json").stdout)
    assert record["enrich/climate"] == 7 and record["/aux/climate"] is None
    manifest = json.loads((dataset / "manifest.json").read_text())
    sidecar = dataset / manifest["enrich_sidecar"]["file"]
    run("graticule-data", "verify", dataset)
    damaged = bytearray(sidecar.read_bytes())
    damaged[-1] ^= 1
    sidecar.write_bytes(damaged)
    assert sidecar.name in run("graticule-data", "verify", dataset, code=3).stderr


def test_a_later_run_keeps_what_an_earlier_one_asked_of_the_driving_side(small):
    dataset, path, folder = small
    britain = write_geojson(folder / "gb.geojson", [({"ISO_A2_EH": "GB"}, "Polygon", [[[0, 0], [6, 0], [6, 6], [0, 6], [0, 0]]])])
    enrich(dataset, "--countries", britain, "--replace", "drive_left")
    enrich(dataset, "--koppen", path)
    shown = json.loads(run("graticule-data", "inspect", dataset, "--json").stdout)["enriched"]
    assert shown["drive_left"]["replace"] is True and shown["climate"]["replace"] is False
    legend = json.loads(run("graticule-data", "inspect", dataset, "--legend", "--json").stdout)
    text = json.dumps(legend)
    assert '"code": 826' in text and '"records": 4' in text  # the United Kingdom, on all four


def test_a_layer_that_covers_nothing_is_refused_and_takes_nothing_away(small):
    dataset, path, folder = small
    enrich(dataset, "--koppen", path)
    before = (dataset / "manifest.json").read_bytes()
    elsewhere = write_raster(folder / "part.tif", np.full((4, 4), 7, np.uint8), from_origin(100, 60, 1, 1))
    assert "no record gets a value of climate" in refused(dataset, "--koppen", elsewhere, code=2)
    assert (dataset / "manifest.json").read_bytes() == before


def test_statistics_of_a_split_see_enriched_targets(small):
    dataset, _, folder = small
    heights = write_raster(folder / "h.tif", np.full((18, 36), 250, np.int16), from_origin(-180, 90, 10, 10))
    enrich(dataset, "--elevation", heights)
    run("graticule-data", "split", dataset, "--hold-out", 0, "--val", 0)
    from safetensors import safe_open
    with safe_open(next(dataset.glob("split-*.safetensors")), "np") as file:
        statistics = json.loads(file.metadata()["train_statistics"])
    assert statistics["elev_m"]["count"] == 4 and statistics["elev_m"]["mean"] == pytest.approx((5 + 3 * 250) / 4)
    assert "enrich_sidecar" in json.loads((dataset / "manifest.json").read_text())


def test_what_is_refused_says_why(small):
    dataset, path, folder = small
    grid = from_origin(-180, 90, 10, 10)
    before = (dataset / "manifest.json").read_bytes()
    high = write_raster(folder / "high.tif", np.full((18, 36), 9000, np.int16), grid)
    assert "elevation (m): 4 of 4 values lie outside of -430 to 6500" in refused(dataset, "--elevation", high, code=3)
    foreign = write_raster(folder / "foreign.tif", np.full((18, 36), 31, np.uint8), grid)
    assert "climate: 4 of 4 values are none of its 30 classes, 31" in refused(dataset, "--koppen", foreign, code=3)
    rotated = write_raster(folder / "rotated.tif", np.ones((18, 36), np.uint8), rasterio.Affine(10, 1, -180, 0, -10, 90))
    assert "rotated" in refused(dataset, "--koppen", rotated, code=3)
    (folder / "text.tif").write_text("no raster")
    assert "no raster that GDAL reads" in refused(dataset, "--koppen", folder / "text.tif", code=3)
    assert "no such raster" in refused(dataset, "--koppen", folder / "none.tif", code=2)
    whole = path.read_bytes()
    cut = folder / "cut.tif"
    cut.write_bytes(whole[:-300])
    refused(dataset, "--koppen", cut, code=3)
    assert "--landcover and --landcover-legend" in refused(dataset, "--landcover", path, code=2)
    assert "did you mean worldcover-2021" in refused(dataset, "--landcover", path, "--landcover-legend", "worldcover2021", code=2)
    assert "makes no such column" in refused(dataset, "--koppen", path, "--replace", "elev_m", code=2)
    assert "no layer is named" in refused(dataset, code=2)
    points = write_geojson(folder / "points.geojson", [({}, "Point", [1, 2])])
    assert "lines or polygons" in refused(dataset, "--coastline", points, code=3)
    metres = write_geojson(folder / "metres.geojson", [({}, "LineString", [[500000, 600000], [1, 2]])])
    assert "longitude and latitude" in refused(dataset, "--coastline", metres, code=3)
    nameless = write_geojson(folder / "nameless.geojson", [({"name": "x"}, "Polygon", [star(1, 1, 1, 1)])])
    assert "ISO_A2_EH" in refused(dataset, "--countries", nameless, code=3)
    assert (dataset / "manifest.json").read_bytes() == before


def test_land_cover_needs_the_codes_of_its_legend(small):
    dataset, _, folder = small
    grid = from_origin(-180, 90, 10, 10)
    cover = write_raster(folder / "cover.tif", np.full((18, 36), 95, np.uint8), grid)
    columns, _ = enrich(dataset, "--landcover", cover, "--landcover-legend", "worldcover-2021")
    assert columns["landcover"].tolist() == [95] * 4
    message = refused(dataset, "--landcover", cover, "--landcover-legend", "modis-igbp", code=3)
    assert "landcover: 4 of 4 values are none of its 17 classes" in message
