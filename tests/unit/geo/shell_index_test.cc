#include "geo/variogram/shell_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/unit/geo/geo_test_support.h"

namespace graticule {
namespace {

// Every place of random shells, against all distances. Many places coincide, as photographs do.
TEST(ShellIndex, HoldsThePlacesThatAllDistancesGive) {
  std::vector<UnitVector> points;
  for (const LatLon p : PhotoPlaces(3000, 3)) points.push_back(ToUnitVector(p));
  for (int k = 0; k < 100; ++k) points.push_back(points[7]);
  for (const LatLon p : TestPlaces(50, 4)) points.push_back(ToUnitVector(p));
  const ShellIndex index(points);
  ShellIndex::Shell shell;
  std::mt19937 random(5);
  std::uniform_real_distribution<double> power(-10, 0.7);
  int64_t seen = 0;
  for (int trial = 0; trial < 300; ++trial) {
    const UnitVector c = points[trial % 7 == 0 ? 7 : random() % points.size()];
    double low = trial % 5 == 0 ? 0 : std::pow(10, power(random)), high = std::pow(10, power(random));
    if (low > high) std::swap(low, high);
    std::vector<uint32_t> expected;
    for (uint32_t i = 0; i < points.size(); ++i) {
      const double x = points[i].x - c.x, y = points[i].y - c.y, z = points[i].z - c.z;
      const double squared = x * x + y * y + z * z;
      if (squared > low && squared <= high) expected.push_back(i);
    }
    index.Find(c, low, high, shell);
    std::vector<uint32_t> found;
    for (int64_t k = 0; k < shell.size(); ++k) found.push_back(shell.at(k));
    std::sort(found.begin(), found.end());
    ASSERT_EQ(found, expected) << low << " to " << high;
    seen += shell.size();
  }
  EXPECT_GT(seen, 10'000);
}

TEST(ShellIndex, OfNoPlacesIsEmpty) {
  const ShellIndex index({});
  ShellIndex::Shell shell;
  index.Find({1, 0, 0}, 0, 4, shell);
  EXPECT_EQ(shell.size(), 0);
}

}  // namespace
}  // namespace graticule
