"""Columns of `data enrich` from borders and coasts, against shapely and brute force over every segment of a coast."""
import numpy as np
import pytest
import shapely
from enrich_support import RADIUS_KM, enrich, haversine_km, make_dataset, star, world_places, write_geojson

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
