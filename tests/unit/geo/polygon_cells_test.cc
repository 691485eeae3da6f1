#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "base/error.h"
#include "geo/cell_table.h"
#include "geo_test_support.h"

namespace graticule {
namespace {

std::string CsvOf(const std::vector<std::string>& shapes) {
  std::string text = "polygon\n";
  for (const std::string& shape : shapes) text += "\"" + shape + "\"\n";
  return text;
}

std::shared_ptr<const CellTable> TableOf(const std::vector<std::string>& shapes) {
  return ParseCellCsv(CsvOf(shapes), "shapes.csv");
}

// Winding number by summed angles: another way to ask what the table answers by crossings.
bool Encloses(const std::vector<Ring>& rings, LatLon p) {
  int winding = 0;
  for (const Ring& ring : rings) {
    double angle = 0;
    for (size_t i = 0; i < ring.size(); ++i) {
      const LatLon a = ring[i], b = ring[(i + 1) % ring.size()];
      const double ax = a.lon_deg - p.lon_deg, ay = a.lat_deg - p.lat_deg;
      const double bx = b.lon_deg - p.lon_deg, by = b.lat_deg - p.lat_deg;
      angle += std::atan2(ax * by - bx * ay, ax * bx + ay * by);
    }
    winding += static_cast<int>(std::lround(std::abs(angle) / (2 * std::numbers::pi)));
  }
  return winding % 2 == 1;
}

// A star around a centre, its corners at random distances.
std::string Star(std::mt19937_64& random, LatLon centre, double size_deg, int corners) {
  std::uniform_real_distribution<double> unit(0.3, 1);
  std::string text = "POLYGON ((";
  for (int k = 0; k < corners; ++k) {
    const double angle = 2 * std::numbers::pi * k / corners, r = size_deg * unit(random);
    text += (k > 0 ? ", " : "") +
            std::to_string(std::clamp(centre.lon_deg + r * std::cos(angle), -180., 180.)) + " " +
            std::to_string(std::clamp(centre.lat_deg + r * std::sin(angle), -90., 90.));
  }
  return text + "))";
}

TEST(PolygonCells, AgreeWithSummedAngles) {
  std::mt19937_64 random(71);
  std::vector<std::string> shapes;
  for (const LatLon centre : RandomPlaces(300, 72))
    shapes.push_back(Star(random, centre, 12, 3 + shapes.size() % 60));
  const auto table = TableOf(shapes);
  ASSERT_EQ(table->size(), 300);
  std::vector<std::vector<Ring>> rings;
  for (const std::string& shape : shapes) rings.push_back(ParseWktShape(shape));
  int64_t inside = 0;
  for (const LatLon p : TestPlaces(4'000, 73)) {
    const LatLon q = Normalised(p);
    if (q.lon_deg == -180) continue;  // stars are cut there, and on a border no angle says inside or outside
    std::optional<int64_t> expected;
    for (int64_t row = 0; row < table->size() && !expected; ++row)
      if (Encloses(rings[row], q)) expected = row;
    ASSERT_EQ(table->CellOf(p), expected) << p.lat_deg << ", " << p.lon_deg;
    inside += expected.has_value();
  }
  EXPECT_GT(inside, 1'000);
  EXPECT_LT(inside, 3'600);
}

TEST(PolygonCells, KnowHolesAndParts) {
  const auto table =
      TableOf({"POLYGON ((0 0, 10 0, 10 10, 0 10, 0 0), (2 2, 8 2, 8 8, 2 8, 2 2))",
               "MULTIPOLYGON (((3 3, 4 3, 4 4, 3 4, 3 3)), ((170 -20, 180 -20, 180 -10, 170 -10)))"});
  EXPECT_EQ(table->CellOf({1, 1}), 0);
  EXPECT_EQ(table->CellOf({5, 5}), std::nullopt);
  EXPECT_EQ(table->CellOf({3.5, 3.5}), 1);
  EXPECT_EQ(table->CellOf({-15, 179.99}), 1);
  EXPECT_EQ(table->CellOf({-15, -179.99}), std::nullopt);
  EXPECT_EQ(table->CellOf({std::nan(""), 0}), std::nullopt);
  EXPECT_EQ(table->Rings(0).size(), 2u);
  EXPECT_EQ(table->Rings(1)[0].size(), 4u);
}

TEST(PolygonCells, NeighboursShareTheirBorderWithoutGapOrOverlap) {
  // A square cut by a slanted line: places on the line itself belong to exactly one of the two.
  const auto west = TableOf({"POLYGON ((0 0, 3 0, 7 9, 0 9))"});
  const auto east = TableOf({"POLYGON ((3 0, 10 0, 10 9, 7 9))"});
  std::mt19937_64 random(74);
  std::uniform_real_distribution<double> unit(0, 1);
  for (int i = 0; i < 10'000; ++i) {
    const double lat = 9 * unit(random);
    const LatLon p{lat, i % 2 == 0 ? 3 + 4 * (lat / 9) : 10 * unit(random)};
    ASSERT_NE(west->CellOf(p).has_value(), east->CellOf(p).has_value()) << p.lat_deg << ", " << p.lon_deg;
  }
}

TEST(PolygonCells, TheFirstOfOverlappingRowsHasThePlace) {
  const auto table = TableOf({"POLYGON ((0 0, 2 0, 2 2, 0 2))", "POLYGON ((1 1, 3 1, 3 3, 1 3))"});
  EXPECT_EQ(table->CellOf({1.5, 1.5}), 0);
  EXPECT_EQ(table->CellOf({2.5, 2.5}), 1);
}

TEST(PolygonCells, ComeBackFromTheirFile) {
  std::mt19937_64 random(75);
  std::vector<std::string> shapes;
  for (const LatLon centre : RandomPlaces(40, 76)) shapes.push_back(Star(random, centre, 20, 9));
  const auto table = TableOf(shapes);
  const std::string path = (std::filesystem::path(::testing::TempDir()) / "polygons.safetensors").string();
  table->Save(path);
  const auto back = CellTable::Load(path);
  EXPECT_EQ(back->kind(), "polygon");
  EXPECT_EQ(back->Sha256(), table->Sha256());
  for (const LatLon p : RandomPlaces(2'000, 77)) {
    ASSERT_EQ(back->CellOf(p), table->CellOf(p));
    ASSERT_EQ(back->NearestCell(p), table->NearestCell(p));
  }
  for (int64_t row = 0; row < table->size(); ++row) EXPECT_EQ(back->Rings(row), table->Rings(row));
}

}  // namespace
}  // namespace graticule
