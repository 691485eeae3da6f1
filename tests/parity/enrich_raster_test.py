"""Columns of `data enrich` from rasters. Values are expected from the sampling rules written again in NumPy over the arrays
that rasterio reads."""
import numpy as np
import pytest
import rasterio
from enrich_support import enrich, haversine_km, make_dataset, refused, small, world_places, write_raster  # noqa: F401
from rasterio.transform import from_origin

F32_MIN = float(np.finfo(np.float32).min)


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
