"""`data enrich` on generated rasters, borders and coasts. Values are expected from the sampling rules written again in NumPy
over the arrays that rasterio reads, from shapely, and from brute force over every segment of a coast."""
import csv
import json
import os
import pathlib
import subprocess

import numpy as np
import pytest
import rasterio
import shapely
from rasterio.transform import from_origin
from safetensors.numpy import load_file

BIN = pathlib.Path(os.environ.get("GRATICULE_BUILD", "build/release")).resolve() / "bin"
RADIUS_KM = 6371.0
F32_MIN = float(np.finfo(np.float32).min)


def run(program, *words, code=0):
    done = subprocess.run([BIN / program, "data", *map(str, words)], capture_output=True, text=True)
    assert done.returncode == code, done.stderr + done.stdout
    return done


def make_dataset(folder, lat, lon, **extra):
    """A dataset of places; `extra` are columns of /aux."""
    folder.mkdir(parents=True)
    with open(folder / "places.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "lat", "lon"])
        writer.writerows([i, repr(float(a)), repr(float(b))] for i, (a, b) in enumerate(zip(lat, lon)))
    words = []
    if extra:
        with open(folder / "extra.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", *extra])
            writer.writerows([i, *values] for i, values in enumerate(zip(*extra.values())))
        words = ["--extra-csv", folder / "extra.csv"]
    run("graticule-data", "import", "coordinates", "--csv", folder / "places.csv", "--out", folder / "d", *words)
    return folder / "d"


def enrich(folder, *words):
    result = json.loads(run("graticule-enrich", "enrich", folder, *words, "--json").stdout)["datasets"][0]
    return load_file(folder / result["sidecar"]), result["columns"]


def refused(folder, *words, code):
    return run("graticule-enrich", "enrich", folder, *words, code=code).stderr


def write_raster(path, array, transform, nodata=None, crs="EPSG:4326", scale=None, offset=None, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(path, "w", driver="GTiff", height=array.shape[0], width=array.shape[1], count=1, dtype=array.dtype,
                       crs=crs, transform=transform, nodata=nodata, **how) as out:
        out.write(array, 1)
        if scale is not None:
            out.scales, out.offsets = (scale,), (offset,)
    return path


def haversine_km(lat1, lon1, lat2, lon2):
    lat1, lon1, lat2, lon2 = (np.radians(x) for x in (lat1, lon1, lat2, lon2))
    h = np.sin((lat2 - lat1) / 2) ** 2 + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    return 2 * RADIUS_KM * np.arcsin(np.sqrt(np.clip(h, 0, 1)))


def mollweide(lat, lon):
    """Snyder's equations on the sphere of the semi-major axis; the auxiliary angle by Newton's method."""
    radius, phi, lam = 6378137.0, np.radians(lat), np.radians(lon)
    theta = phi.copy()
    for _ in range(200):
        slope = 2 + 2 * np.cos(2 * theta)
        theta -= np.where(slope > 1e-14, (2 * theta + np.sin(2 * theta) - np.pi * np.sin(phi)) / np.maximum(slope, 1e-14), 0)
    theta = np.where(np.abs(lat) >= 90, phi, theta)
    return 2 * np.sqrt(2) / np.pi * radius * lam * np.cos(theta), np.sqrt(2) * radius * np.sin(theta)


def mollweide_inverse(x, y):
    radius = 6378137.0
    with np.errstate(invalid="ignore", divide="ignore"):
        theta = np.arcsin(y / (np.sqrt(2) * radius))
        lam = np.pi * x / (2 * np.sqrt(2) * radius * np.cos(theta))
        phi = np.arcsin((2 * theta + np.sin(2 * theta)) / np.pi)
    good = np.abs(lam) < np.pi
    return np.where(good, np.degrees(phi), np.nan), np.where(good, np.degrees(lam), np.nan)


class Oracle:
    """The sampling rules, slow and plain."""

    def __init__(self, path):
        with rasterio.open(path) as file:
            self.raw = file.read(1)
            g = file.transform
            self.x0, self.dx, self.y0, self.dy = g.c, g.a, g.f, g.e
            self.scale, self.offset = file.scales[0], file.offsets[0]
            self.degrees = file.crs.is_geographic
            nodata = file.nodata
        self.height, self.width = self.raw.shape
        self.wraps = self.degrees and abs(self.width * abs(self.dx) - 360) < abs(self.dx) / 2
        self.known = np.isfinite(self.raw.astype(np.float64)) & (np.abs(self.raw.astype(np.float64)) <= 1e30)
        if nodata is not None:
            self.known &= self.raw != np.asarray(nodata).astype(self.raw.dtype)
        x = self.x0 + (np.arange(self.width) + 0.5) * self.dx
        y = self.y0 + (np.arange(self.height) + 0.5) * self.dy
        x, y = np.meshgrid(x, y)
        self.lat, self.lon = (y, x) if self.degrees else mollweide_inverse(x, y)

    def locate(self, lat, lon):
        lon = (lon + 180) % 360 - 180
        if not self.degrees:
            x, y = mollweide(lat, lon)
        else:
            x, y = lon.copy(), lat
            if not self.wraps:
                x = np.where(x < self.x0, x + 360, x)
        return (x - self.x0) / self.dx, (y - self.y0) / self.dy

    def pixel(self, u, v):
        col, row = np.floor(u).astype(int), np.floor(v).astype(int)
        if self.wraps:
            col = col % self.width
        row = np.where((row == self.height) & (v <= self.height + 0.01), self.height - 1, row)
        return col, row, (col >= 0) & (col < self.width) & (row >= 0) & (row < self.height)

    def sample(self, lat, lon, interpolate, reach_km):
        """Values, and kinds: 0 outside, 1 no data, 2 direct, 3 from afar."""
        u, v = self.locate(lat, lon)
        col, row, inside = self.pixel(u, v)
        raw = np.full(len(lat), np.nan)
        if interpolate:
            a, b = np.floor(u - 0.5).astype(int), np.floor(v - 0.5).astype(int)
            s, t = u - 0.5 - a, v - 0.5 - b
            total, weights = np.zeros(len(lat)), np.zeros(len(lat))
            for dc, dr, w in ((0, 0, (1 - s) * (1 - t)), (1, 0, s * (1 - t)), (0, 1, (1 - s) * t), (1, 1, s * t)):
                c, r = a + dc, b + dr
                if self.wraps:
                    c = c % self.width
                ok = inside & (c >= 0) & (c < self.width) & (r >= 0) & (r < self.height)
                c, r = np.clip(c, 0, self.width - 1), np.clip(r, 0, self.height - 1)
                ok &= self.known[r, c]
                total += np.where(ok, w * np.where(ok, self.raw[r, c].astype(np.float64), 0), 0)
                weights += np.where(ok, w, 0)
            good = weights > 0
            raw[good] = total[good] / weights[good]
        else:
            good = inside.copy()
            good[inside] = self.known[row[inside], col[inside]]
            raw[good] = self.raw[row[good], col[good]]
        kind = np.where(~inside, 0, np.where(good, 2, 1))
        if reach_km > 0:
            pixels = np.flatnonzero(self.known & np.isfinite(self.lat))
            pixels = pixels[np.argsort(self.lat.ravel()[pixels])]
            pixel_lat, pixel_lon, pixel_raw = (a.ravel()[pixels] for a in (self.lat, self.lon, self.raw))
            for i in np.flatnonzero(kind == 1):
                low, high = np.searchsorted(pixel_lat, [lat[i] - reach_km / 111, lat[i] + reach_km / 111])
                if low == high:
                    continue
                d = haversine_km(lat[i], lon[i], pixel_lat[low:high], pixel_lon[low:high])
                if d.min() <= reach_km:
                    raw[i], kind[i] = pixel_raw[low + d.argmin()], 3
        return raw * self.scale + self.offset, kind


def world_places(n, seed):
    """All over the sphere, with the poles, the antimeridian and its neighbourhood."""
    rng = np.random.default_rng(seed)
    lat = np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    lon = rng.uniform(-180, 180, n)
    eps = 1e-9
    special = [(90, 0), (-90, 0), (90, -180), (-90, 179), (0, -180), (12.3, 180 - eps), (-45, -180 + eps), (0, 0), (89.9999, 33),
               (-89.9999, -120), (-90 + eps, 60), (66.6, 179.9999), (66.6, -179.9999), (-16.2, 180 - 1e-4)]
    lat[:len(special)], lon[:len(special)] = zip(*special)
    near = slice(len(special), n // 10)  # along the antimeridian
    lon[near] = 180 - np.abs(rng.normal(0, 0.5, n // 10 - len(special)))
    lon[near][::2] *= -1
    return lat, lon


def land(shape, seed, share=0.55):
    """A smooth random mask, so that there are coasts and islands."""
    rng = np.random.default_rng(seed)
    field = np.zeros(shape)
    y, x = np.meshgrid(np.linspace(0, 1, shape[0]), np.linspace(0, 1, shape[1]), indexing="ij")
    for k in range(1, 9):
        a, b, c, d = rng.normal(size=4) * 3 * k
        field += np.sin(a * x + b * y + c) * np.cos(d * y - a * x) / k
    field += rng.normal(0, 0.12, shape)
    return field > np.quantile(field, 1 - share)


def check_counts(counts, kind, outside_counts=False):
    direct = (kind == 2).sum() + ((kind == 0).sum() if outside_counts else 0)
    assert (counts["direct"], counts["fallback"]) == (direct, (kind == 3).sum())
    assert counts["direct"] + counts["fallback"] + counts["missing"] == len(kind)


N = 10_000


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    lat, lon = world_places(N, 1)
    return make_dataset(folder / "w", lat, lon), lat, lon, folder


@pytest.mark.parametrize("west", [-180, 0])
@pytest.mark.parametrize("reach_km", [0, 80])
@pytest.mark.parametrize("layout", [{"tiled": True, "blockxsize": 128, "blockysize": 128, "compress": "deflate"}, {"blockysize": 1}])
def test_classes_come_from_the_pixel_that_holds_the_place(world, west, reach_km, layout):
    dataset, lat, lon, folder = world
    classes = np.where(land((360, 720), 2), np.random.default_rng(3).integers(1, 31, (360, 720)), 0).astype(np.uint8)
    path = write_raster(folder / "koppen.tif", classes, from_origin(west, 90, 0.5, 0.5), nodata=0, **layout)
    columns, counts = enrich(dataset, "--koppen", path, "--reach-km", reach_km, "--threads", 3)
    value, kind = Oracle(path).sample(lat, lon, False, reach_km)
    assert (kind == 1).sum() > 100 and (reach_km == 0 or (kind == 3).sum() > 500)
    assert np.array_equal(columns["climate"], np.where(kind >= 2, value, 255).astype(np.uint8))
    check_counts(counts["climate"], kind)


@pytest.mark.parametrize("west,nodata,layout", [
    (-180, F32_MIN, {"tiled": True, "blockxsize": 256, "blockysize": 256, "predictor": 3, "compress": "lzw"}), (0, -9999.5, {"blockysize": 16})])
def test_quantities_are_interpolated_over_the_pixels_with_data(world, west, nodata, layout):
    dataset, lat, lon, folder = world
    rng = np.random.default_rng(4)
    heights = np.where(land((720, 1440), 5), rng.uniform(-100, 3000, (720, 1440)), nodata).astype(np.float32)
    heights[rng.integers(0, 720, 500), rng.integers(0, 1440, 500)] = np.nan
    path = write_raster(folder / "heights.tif", heights, from_origin(west, 90, 0.25, 0.25), nodata=nodata, **layout)
    columns, counts = enrich(dataset, "--elevation", path, "--reach-km", 30)
    value, kind = Oracle(path).sample(lat, lon, True, 30)
    assert (kind == 3).sum() > 100 and (kind == 1).sum() > 100
    np.testing.assert_allclose(columns["elev_m"], np.where(kind >= 2, value, np.nan), rtol=1e-6, atol=1e-4)
    check_counts(counts["elev_m"], kind)


def test_no_data_is_compared_in_the_type_of_the_band(small):
    """-0.1 is no single-precision number; the header says it in decimals, as those of many tools do."""
    dataset, _, folder = small
    values = np.full((18, 36), -0.1, np.float32)
    write_raster(folder / "plain.tif", values, from_origin(-180, 90, 10, 10))
    (folder / "layer.vrt").write_text("""<VRTDataset rasterXSize="36" rasterYSize="18"><SRS>EPSG:4326</SRS>
      <GeoTransform>-180, 10, 0, 90, 0, -10</GeoTransform><VRTRasterBand dataType="Float32" band="1"><NoDataValue>-0.1</NoDataValue>
      <SimpleSource><SourceFilename relativeToVRT="1">plain.tif</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>""")
    columns, counts = enrich(dataset, "--elevation", folder / "plain.tif")
    assert columns["elev_m"].tolist() == [values[0, 0]] * 4
    assert "no record gets a value of elev_m" in refused(dataset, "--elevation", folder / "layer.vrt", code=2)


def test_scale_and_offset_follow_the_nodata_test_on_a_raster_across_the_antimeridian(world):
    _, _, _, folder = world
    rng = np.random.default_rng(6)
    shape = (480, 600)  # 30 arc seconds; 178 E to 177 W, 64 N to 60 N
    raw = np.where(land(shape, 7), rng.integers(-9000, 30000, shape), -32768).astype(np.int16)
    path = write_raster(folder / "scaled.tif", raw, from_origin(178, 64, 1 / 120, 1 / 120), nodata=-32768, scale=0.1, offset=500.0)
    lat, lon = rng.uniform(59.9, 64.1, N), rng.uniform(177.9, 183.1, N)
    lat[:4], lon[:4] = [60, 60, 64, 62], [179, 182, 180, 178]
    lon = (lon + 180) % 360 - 180
    dataset = make_dataset(folder / "scaled", lat, lon)
    columns, counts = enrich(dataset, "--elevation", path)
    value, kind = Oracle(path).sample(lat, lon, True, 10)
    assert min((kind == k).sum() for k in range(4)) > 20
    np.testing.assert_allclose(columns["elev_m"], np.where(kind >= 2, value, np.nan), rtol=1e-5, atol=2e-3)
    check_counts(counts["elev_m"], kind)


def test_an_equal_area_projection(world):
    dataset, lat, lon, folder = world
    rng = np.random.default_rng(8)
    shape = (180, 361)
    people = np.where(land(shape, 9, 0.7), rng.uniform(0, 5000, shape), -200.0)
    transform = from_origin(-18_050_000, 9_000_000, 100_000, 100_000)
    path = folder / "people.tif"
    write_raster(path, people, transform, nodata=-200, crs="ESRI:54009")
    oracle = Oracle(path)
    people[np.isnan(oracle.lat)] = -200
    write_raster(path, people, transform, nodata=-200, crs="ESRI:54009")
    columns, counts = enrich(dataset, "--population", path, "--reach-km", 150)
    value, kind = Oracle(path).sample(lat, lon, True, 150)
    assert (kind == 3).sum() > 200 and (kind == 2).sum() > 5000
    np.testing.assert_allclose(columns["popden_km2"], np.where(kind >= 2, value, np.where(kind == 0, 0, np.nan)), rtol=1e-5, atol=1e-3)
    check_counts(counts["popden_km2"], kind, outside_counts=True)


def test_nobody_lives_outside_of_the_population_raster(world):
    dataset, lat, lon, folder = world
    people = np.full((150, 360), 7.5, np.float32)  # 90 N to 60 S
    path = write_raster(folder / "north.tif", people, from_origin(-180, 90, 1, 1))
    columns, _ = enrich(dataset, "--population", path)
    inside = 90 - lat <= 150
    assert np.array_equal(columns["popden_km2"], np.where(inside, 7.5, 0).astype(np.float32))


def months(folder, variable, make):
    for month in range(1, 13):
        write_raster(folder / f"wc2.1_10m_{variable}_{month:02}.tif", make(month), from_origin(-180, 90, 2, 2), nodata=F32_MIN)
    return folder


def test_twelve_months_become_mean_and_range(world):
    dataset, lat, lon, folder = world
    rng = np.random.default_rng(10)
    base, swing, sea = rng.uniform(-30, 25, (90, 180)), rng.uniform(0, 20, (90, 180)), ~land((90, 180), 11)
    warm = months(folder / "tavg", "tavg", lambda m: np.where(sea, F32_MIN, base + swing * np.cos(m)).astype(np.float32))
    wet = months(folder / "prec", "prec", lambda m: np.where(sea, F32_MIN, 100 + 60 * np.sin(base + m)).astype(np.float32))
    columns, counts = enrich(dataset, "--worldclim-tavg", warm, "--worldclim-prec", wet / "wc2.1_10m_prec_*.tif")
    for variable, where, mean, spread in (("tavg", warm, "tavg_c", "tdiff_c"), ("prec", wet, "prec_mm", "precdiff_mm")):
        year = [Oracle(where / f"wc2.1_10m_{variable}_{m:02}.tif").sample(lat, lon, True, 10) for m in range(1, 13)]
        kind = year[0][1]
        values = np.where(kind >= 2, np.stack([value for value, _ in year]), np.nan)
        np.testing.assert_allclose(columns[mean], values.mean(0), rtol=1e-5, atol=1e-4)
        np.testing.assert_allclose(columns[spread], values.max(0) - values.min(0), rtol=1e-5, atol=1e-4)
        check_counts(counts[spread], kind)
    months(folder / "v1", "tavg", lambda m: np.full((90, 180), 251, np.float32))
    message = refused(dataset, "--worldclim-tavg", folder / "v1", code=3)
    assert "251" in message and "WorldClim 1" in message
    (warm / "wc2.1_10m_tavg_07.tif").unlink()
    assert "month 07" in refused(dataset, "--worldclim-tavg", warm, code=3)


def star(lat, lon, size, seed, n=40):
    rng = np.random.default_rng(seed)
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    radius = size * rng.uniform(0.4, 1, n)
    ring = [[lon + r * np.cos(a), lat + r * np.sin(a)] for r, a in zip(radius, angle)]
    return ring + ring[:1]


def write_geojson(path, features):
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": fields, "geometry": {"type": kind, "coordinates": where}} for fields, kind, where in features]}))
    return path


NATURAL_EARTH = [  # fields as the real file has them, trapped values included; the numeric code that must come out
    ({"ISO_A2": "-99", "ISO_A3": "-99", "ISO_A2_EH": "FR", "ISO_A3_EH": "FRA", "ADM0_A3": "FRA"}, 250),
    ({"ISO_A2": "-99", "ISO_A3": "-99", "ISO_A2_EH": "NO", "ISO_A3_EH": "NOR", "ADM0_A3": "NOR"}, 578),
    ({"ISO_A2": "-99", "ISO_A3": "-99", "ISO_A2_EH": "-99", "ISO_A3_EH": "-99", "ADM0_A3": "KOS"}, 983),
    ({"ISO_A2": "NA", "ISO_A3": "NAM", "ISO_A2_EH": "NA", "ISO_A3_EH": "NAM", "ADM0_A3": "NAM"}, 516),
    ({"ISO_A2": "GB", "ISO_A3": "GBR", "ISO_A2_EH": "-99", "ISO_A3_EH": "GBR", "ADM0_A3": "GBR"}, 826),
    ({"ISO_A2": "-99", "ISO_A3": "-99", "ISO_A2_EH": "-99", "ISO_A3_EH": "-99", "ADM0_A3": "KAS"}, 0),
]
LEFT = {516, 826}


def test_countries_by_polygon_and_by_the_nearest_border(tmp_path):
    shapes, features = [], []
    for k, (fields, _) in enumerate(NATURAL_EARTH):
        rings = [star(10 + 3 * (k // 3), 3 * (k % 3), 1.6, 20 + k)]
        rings.append([[x * 0.2 + rings[0][0][0] * 0 + 3 * (k % 3) * 0.8, y * 0.2 + (10 + 3 * (k // 3)) * 0.8] for x, y in rings[0]])  # a hole
        island = [star(10 + 3 * (k // 3) + 1.45, 3 * (k % 3) + 1.45, 0.3, 40 + k)]
        features.append((fields, "MultiPolygon", [rings, island]))
        shapes.append(shapely.MultiPolygon([shapely.Polygon(rings[0], rings[1:]), shapely.Polygon(island[0])]))
    path = write_geojson(tmp_path / "ne.geojson", features)
    rng = np.random.default_rng(12)
    lat, lon = rng.uniform(8, 15, 6000), rng.uniform(-2, 8, 6000)
    dataset = make_dataset(tmp_path / "c", lat, lon)
    columns, counts = enrich(dataset, "--countries", path)
    expected, unsure = np.zeros(len(lat), int), np.zeros(len(lat), bool)
    points = shapely.points(lon, lat)
    inside = np.stack([shapely.contains(shape, points) for shape in shapes])
    distance = np.stack([segment_km(lat, lon, [line for line in lines_of(shape)]) for shape in shapes])
    for i in range(len(lat)):
        hits = np.flatnonzero(inside[:, i])
        if len(hits):
            expected[i] = NATURAL_EARTH[hits[0]][1]
        elif distance[:, i].min() <= 25:
            expected[i] = NATURAL_EARTH[distance[:, i].argmin()][1]
            two = np.sort(distance[:, i])[:2]
            unsure[i] = two[1] - two[0] < 1e-3 or abs(two[0] - 25) < 1e-3
    assert unsure.sum() < 5 and (inside.sum(0) == 0).sum() > 500
    known = ~unsure
    assert np.array_equal(columns["country_iso"][known], expected[known])
    assert counts["country_iso"]["direct"] == sum(expected[i] != 0 for i in np.flatnonzero(inside.any(0)))
    drive = np.array([255 if c == 0 else c in LEFT for c in columns["country_iso"]])
    assert np.array_equal(columns["drive_left"], drive)


def test_the_antimeridian_belongs_to_both_of_its_sides(tmp_path):
    box = [[178, -1], [180, -1], [180, 1], [178, 1], [178, -1]]
    path = write_geojson(tmp_path / "fiji.geojson", [({"ISO_A2_EH": "FJ"}, "Polygon", [box])])
    dataset = make_dataset(tmp_path / "f", [0, 0, 0, 0], [180, -180, -179.9, -179.5])
    columns, counts = enrich(dataset, "--countries", path)
    assert columns["country_iso"].tolist() == [242, 242, 242, 0]  # the third lies 11 km from the border, the fourth 56
    assert counts["country_iso"]["fallback"] == 1 and counts["country_iso"]["fallback_max_km"] == pytest.approx(0.1 * np.pi / 180 * RADIUS_KM, rel=1e-6)


def lines_of(shape):
    for polygon in shape.geoms:
        for ring in [polygon.exterior, *polygon.interiors]:
            yield np.asarray(ring.coords)[:, ::-1]


def segment_km(lat, lon, lines, piece_km=1.0):
    """Brute force: every piece of every line against every place, as arcs."""
    def unit(a, b):
        a, b = np.radians(a), np.radians(b)
        return np.stack([np.cos(a) * np.cos(b), np.cos(a) * np.sin(b), np.sin(a)], -1)
    starts, ends = [], []
    for line in lines:
        for a, b in zip(line[:-1], line[1:]):
            n = max(1, int(np.ceil(haversine_km(*a, *b) / piece_km)))
            t = np.linspace(0, 1, n + 1)[:, None]
            p = unit(*(a + t * (b - a)).T)
            starts.append(p[:-1])
            ends.append(p[1:])
    a, b = np.concatenate(starts), np.concatenate(ends)
    chord = b - a
    squared = (chord ** 2).sum(-1)
    places = unit(lat, lon)
    out = np.empty(len(lat))
    for i, p in enumerate(places):
        # On pieces of a kilometre the chord is the arc to a tenth of a millimetre.
        t = np.clip(((p - a) * chord).sum(-1) / squared, 0, 1)
        foot = a + t[:, None] * chord
        foot /= np.linalg.norm(foot, axis=-1, keepdims=True)
        out[i] = 2 * np.arcsin(np.clip(np.linalg.norm(foot - p, axis=-1).min() / 2, 0, 1)) * RADIUS_KM
    return out


def test_distance_to_the_coast(tmp_path):
    rng = np.random.default_rng(13)
    lines = []
    for _ in range(12):
        steps = np.cumsum(rng.normal(0, 0.15, (60, 2)), 0)
        line = np.array([rng.uniform(-70, 70), rng.uniform(-170, 170)]) + steps
        lines.append(line[(np.abs(line[:, 1]) < 180)])
    lines.append(np.array([[10.0, 179.5], [11.0, 180.0]]))
    lines.append(np.array([[11.0, -180.0], [12.0, -179.0]]))
    path = write_geojson(tmp_path / "coast.geojson", [({}, "LineString", line[:, ::-1].tolist()) for line in lines])
    lat, lon = world_places(1200, 14)
    close = np.concatenate(lines)[rng.integers(0, 500, 800)] + rng.normal(0, 0.05, (800, 2))
    lat, lon = np.concatenate([lat, close[:, 0]]), np.concatenate([lon, (close[:, 1] + 180) % 360 - 180])
    dataset = make_dataset(tmp_path / "k", lat, lon)
    columns, counts = enrich(dataset, "--coastline", path)
    np.testing.assert_allclose(columns["coast_km"], segment_km(lat, lon, lines), rtol=1e-6, atol=1e-3)
    assert counts["coast_km"]["direct"] == len(lat)


@pytest.fixture
def small(tmp_path):
    """Four places; the source knows the climate of three and the driving side of two."""
    dataset = make_dataset(tmp_path / "s", [1, 2, 3, 4], [1, 2, 3, 4], climate=[7, 8, "", 0], elev_m=[5, "", "", ""])
    classes = np.full((18, 36), 7, np.uint8)
    return dataset, write_raster(tmp_path / "seven.tif", classes, from_origin(-180, 90, 10, 10)), tmp_path


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
    with safe_open(dataset / "split.safetensors", "np") as file:
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
