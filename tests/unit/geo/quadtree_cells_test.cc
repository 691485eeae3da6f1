#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>

#include "base/error.h"
#include "geo/cell_table.h"
#include "geo_test_support.h"

namespace graticule {
namespace {

struct Leaf {
  double lat0, lon0, lat1, lon1;
  std::vector<LatLon> members;
  std::string path;
};

// The rule of OSV-5M written out child by child, without the code under test.
void SplitByRule(const std::vector<LatLon>& points, double lat0, double lon0, double lat1, double lon1,
                 int depth_left, size_t max_images, const std::string& path, std::vector<Leaf>& leaves) {
  if (points.empty()) return;
  if (!(depth_left > 0 && points.size() >= max_images)) {
    leaves.push_back({lat0, lon0, lat1, lon1, points, path});
    return;
  }
  const double lat = (lat0 + lat1) / 2, lon = (lon0 + lon1) / 2;
  std::vector<LatLon> child[4];
  for (LatLon p : points) {
    if (p.lat_deg < lat && p.lon_deg < lon) child[0].push_back(p);
    if (p.lat_deg < lat && p.lon_deg >= lon) child[1].push_back(p);
    if (p.lat_deg >= lat && p.lon_deg < lon) child[2].push_back(p);
    if (p.lat_deg >= lat && p.lon_deg >= lon) child[3].push_back(p);
  }
  SplitByRule(child[0], lat0, lon0, lat, lon, depth_left - 1, max_images, path + "0", leaves);
  SplitByRule(child[1], lat0, lon, lat, lon1, depth_left - 1, max_images, path + "1", leaves);
  SplitByRule(child[2], lat, lon0, lat1, lon, depth_left - 1, max_images, path + "2", leaves);
  SplitByRule(child[3], lat, lon, lat1, lon1, depth_left - 1, max_images, path + "3", leaves);
}

std::vector<Leaf> LeavesByRule(const std::vector<LatLon>& points, int depth, size_t max_images) {
  double lat0 = 90, lon0 = 180, lat1 = -90, lon1 = -180;
  for (LatLon p : points) {
    lat0 = std::min(lat0, p.lat_deg), lat1 = std::max(lat1, p.lat_deg);
    lon0 = std::min(lon0, p.lon_deg), lon1 = std::max(lon1, p.lon_deg);
  }
  std::vector<Leaf> leaves;
  SplitByRule(points, lat0, lon0, lat1, lon1, depth, max_images, "", leaves);
  return leaves;
}

TEST(QuadtreeCells, AgreeWithTheRuleWrittenOut) {
  const std::vector<LatLon> points = PhotoPlaces(20'000, 41);
  for (const QuadtreeOptions& options :
       {QuadtreeOptions{.max_images = 100, .depth = 10}, QuadtreeOptions{.max_images = 1'000, .depth = 3},
        QuadtreeOptions{.max_images = 1, .depth = 5}}) {
    const auto table = BuildQuadtreeCells(points, options);
    const std::vector<Leaf> leaves = LeavesByRule(points, options.depth, options.max_images);
    ASSERT_EQ(table->size(), static_cast<int64_t>(leaves.size()));
    for (int64_t row = 0; row < table->size(); ++row) {
      const Leaf& leaf = leaves[row];
      const Ring outline = table->Rings(row)[0];
      ASSERT_EQ(outline[0], (LatLon{leaf.lat0, leaf.lon0}));
      ASSERT_EQ(outline[2], (LatLon{leaf.lat1, leaf.lon1}));
      ASSERT_EQ(table->counts()[row], static_cast<int64_t>(leaf.members.size()));
      ASSERT_EQ(table->Level(row), static_cast<int>(leaf.path.size()));
      UnitVector sum;
      for (LatLon p : leaf.members) {
        const UnitVector v = ToUnitVector(p);
        sum = {sum.x + v.x, sum.y + v.y, sum.z + v.z};
      }
      ASSERT_LT(HaversineKm(table->centres()[row], ToLatLon(sum)), 1e-6);
      for (LatLon p : leaf.members) ASSERT_EQ(table->CellOf(p), row);
    }
  }
}

TEST(QuadtreeCells, ContainExactlyThePlacesInTheirBoxes) {
  const std::vector<LatLon> points = PhotoPlaces(20'000, 42);
  const auto table = BuildQuadtreeCells(points, {.max_images = 100});
  const std::vector<Leaf> leaves = LeavesByRule(points, 10, 100);
  double lat1 = -90, lon1 = -180;
  for (LatLon p : points) lat1 = std::max(lat1, p.lat_deg), lon1 = std::max(lon1, p.lon_deg);
  int64_t outside = 0;
  for (LatLon p : TestPlaces(10'000, 43)) {
    const LatLon q = Normalised(p);
    std::optional<int64_t> expected;
    for (size_t row = 0; row < leaves.size(); ++row) {  // half-open boxes, closed where the root ends
      const Leaf& leaf = leaves[row];
      const bool in_lat =
          q.lat_deg >= leaf.lat0 && (q.lat_deg < leaf.lat1 || (leaf.lat1 == lat1 && q.lat_deg == lat1));
      const bool in_lon =
          q.lon_deg >= leaf.lon0 && (q.lon_deg < leaf.lon1 || (leaf.lon1 == lon1 && q.lon_deg == lon1));
      if (in_lat && in_lon) expected = row;
    }
    ASSERT_EQ(table->CellOf(p), expected) << p.lat_deg << ", " << p.lon_deg;
    outside += !expected;
  }
  EXPECT_GT(outside, 0);
  EXPECT_LT(outside, 9'000);
}

TEST(QuadtreeCells, DoNotDependOnTheOrderOfPoints) {
  std::vector<LatLon> points = PhotoPlaces(8'000, 44);
  const auto table = BuildQuadtreeCells(points, {.max_images = 50});
  std::mt19937_64 random(45);
  std::shuffle(points.begin(), points.end(), random);
  EXPECT_EQ(BuildQuadtreeCells(points, {.max_images = 50})->Sha256(), table->Sha256());
}

TEST(QuadtreeCells, EndWhenAllPlacesAreTheSameOrOnALine) {
  const std::vector<LatLon> same(50, LatLon{10, 20});
  const auto one = BuildQuadtreeCells(same, {.max_images = 10});
  EXPECT_EQ(one->size(), 1);
  EXPECT_EQ(one->CellOf({10, 20}), 0);
  EXPECT_EQ(one->CellOf({10, 20.001}), std::nullopt);
  std::vector<LatLon> line;
  for (int i = 0; i < 64; ++i) line.push_back({10, static_cast<double>(i)});
  const auto row = BuildQuadtreeCells(line, {.max_images = 9});
  EXPECT_EQ(row->size(), 8);
  for (int i = 0; i < 64; ++i) EXPECT_EQ(row->CellOf(line[i]), i / 8) << i;
}

TEST(QuadtreeCells, AreRefusedForImpossibleOptionsAndWithoutPlaces) {
  const std::vector<LatLon> points = RandomPlaces(10, 46);
  EXPECT_THROW(BuildQuadtreeCells(points, {.max_images = 0}), Error);
  EXPECT_THROW(BuildQuadtreeCells(points, {.depth = 33}), Error);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(BuildQuadtreeCells(std::vector<LatLon>{{nan, nan}}, {}), Error);
}

}  // namespace
}  // namespace graticule
