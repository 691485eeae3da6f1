#include "geo/place_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "geo_test_support.h"

namespace graticule {
namespace {

// Independent of the tree: the smallest haversine distance over all places.
double NearestKm(const std::vector<LatLon>& places, LatLon p) {
  double best = std::numeric_limits<double>::infinity();
  for (LatLon q : places) best = std::min(best, HaversineKm(p, q));
  return best;
}

TEST(PlaceIndex, FindsTheNearestPlaceEverywhere) {
  std::vector<LatLon> places = RandomPlaces(400, 1);
  places.push_back({90, 0});
  places.push_back({-89.9, 170});
  places.push_back({12, 179.99});
  places.push_back({12, -179.5});
  const PlaceIndex index(places);
  for (LatLon p : TestPlaces(10'000, 2)) {
    const int64_t found = index.Nearest(p);
    ASSERT_GE(found, 0);
    ASSERT_NEAR(HaversineKm(p, places[found]), NearestKm(places, p), 1e-6) << p.lat_deg << ", " << p.lon_deg;
  }
}

TEST(PlaceIndex, CrossesTheAntimeridian) {
  const PlaceIndex index(std::vector<LatLon>{{0, 170}, {0, -179}});
  EXPECT_EQ(index.Nearest({0, 179}), 1);
}

TEST(PlaceIndex, GivesTheSmallestIndexAmongEquals) {
  std::vector<LatLon> places = RandomPlaces(300, 3);
  const std::vector<LatLon> twice = places;
  places.insert(places.end(), twice.begin(), twice.end());
  const PlaceIndex index(places);
  for (size_t i = 0; i < twice.size(); ++i) EXPECT_EQ(index.Nearest(twice[i]), static_cast<int64_t>(i));
}

TEST(PlaceIndex, FindsTheKNearestInOrder) {
  std::vector<LatLon> places = PhotoPlaces(700, 4);
  places.insert(places.end(), places.begin(), places.begin() + 50);  // equals in the order of their indices
  const PlaceIndex index(places);
  for (LatLon p : TestPlaces(300, 5)) {
    std::vector<std::pair<double, int64_t>> all;
    for (size_t i = 0; i < places.size(); ++i) {
      const UnitVector a = ToUnitVector(p), b = ToUnitVector(places[i]);
      const double x = a.x - b.x, y = a.y - b.y, z = a.z - b.z;
      all.emplace_back(x * x + y * y + z * z, static_cast<int64_t>(i));
    }
    std::sort(all.begin(), all.end());
    for (const int64_t k : {1, 9, 200}) {
      const std::vector<int64_t> found = index.Nearest(p, k);
      ASSERT_EQ(std::ssize(found), k);
      for (int64_t i = 0; i < k; ++i) ASSERT_EQ(found[i], all[i].second) << "k " << k << " rank " << i;
    }
  }
  EXPECT_EQ(index.Nearest({0, 0}, 1000).size(), 750u);
  EXPECT_TRUE(index.Nearest({0, 0}, 0).empty());
}

TEST(PlaceIndex, HasNoAnswerWithoutPlacesOrForNaN) {
  EXPECT_EQ(PlaceIndex(std::vector<LatLon>{}).Nearest({0, 0}), -1);
  const PlaceIndex index(std::vector<LatLon>{{1, 2}});
  EXPECT_EQ(index.Nearest({std::numeric_limits<double>::quiet_NaN(), 0}), -1);
  EXPECT_TRUE(index.Nearest({std::numeric_limits<double>::quiet_NaN(), 0}, 3).empty());
  EXPECT_EQ(index.Nearest({-90, 0}), 0);
}

}  // namespace
}  // namespace graticule
