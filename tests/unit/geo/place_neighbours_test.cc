#include "geo/place_neighbours.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "geo_test_support.h"

namespace graticule {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Half-angle formula in long double, apart from the code under test.
double Km(LatLon a, LatLon b) {
  const long double rad = std::numbers::pi_v<long double> / 180;
  const long double u = std::sin((a.lat_deg - b.lat_deg) * rad / 2),
                    v = std::sin((a.lon_deg - b.lon_deg) * rad / 2);
  const long double h = u * u + std::cos(a.lat_deg * rad) * std::cos(b.lat_deg * rad) * v * v;
  return static_cast<double>(2 * 6371 * std::asin(std::sqrt(std::fmin(h, 1.0L))));
}

using Row = std::vector<uint32_t>;

Row RowOf(const std::vector<uint32_t>& lists_NK, size_t row, int64_t k) {
  return {lists_NK.begin() + static_cast<int64_t>(row) * k,
          lists_NK.begin() + (static_cast<int64_t>(row) + 1) * k};
}

// Distances equal those of an exhaustive search; which of several equally far rows stand there is told by
// their numbers where they are equal beyond rounding.
void ExpectNearest(const std::vector<LatLon>& places, int64_t k, double min_km) {
  const auto lists = NearestOthers(places, {.neighbours = k, .min_km = min_km, .threads = 2});
  ASSERT_EQ(lists.size(), places.size() * static_cast<size_t>(k));
  for (size_t i = 0; i < places.size(); ++i) {
    std::vector<double> all;
    for (size_t j = 0; j < places.size(); ++j)
      if (j != i && Km(places[i], places[j]) >= min_km) all.push_back(Km(places[i], places[j]));
    std::sort(all.begin(), all.end());
    const Row row = RowOf(lists, i, k);
    std::set<uint32_t> seen;
    for (size_t r = 0; r < row.size(); ++r) {
      if (r >= all.size()) {
        ASSERT_EQ(row[r], kNoNeighbour) << "place " << i << " rank " << r;
        continue;
      }
      ASSERT_LT(row[r], places.size()) << "place " << i << " rank " << r;
      ASSERT_NE(row[r], i);
      ASSERT_TRUE(seen.insert(row[r]).second);
      ASSERT_NEAR(Km(places[i], places[row[r]]), all[r], 1e-7) << "place " << i << " rank " << r;
    }
  }
}

TEST(NearestOthers, EqualAnExhaustiveSearchWithPolesAndSeam) {
  ExpectNearest(TestPlaces(500, 1), 40, 0);
  ExpectNearest(PhotoPlaces(900, 2), 128, 0);
  ExpectNearest(PhotoPlaces(900, 3), 16, 25);
  ExpectNearest(TestPlaces(60, 4), 128, 0);     // more wanted than there are
  ExpectNearest(PhotoPlaces(200, 5), 9, 5000);  // far away only
}

TEST(NearestOthers, RowZeroIsANeighbourAndDegreesAreNoRadians) {
  // Along a meridian; taken for radians, 3.14 degrees would be half a turn and 6.3 a whole one.
  const std::vector<LatLon> places = {{0, 0}, {3.14, 0}, {6.3, 0}, {1, 0}};
  const auto lists = NearestOthers(places, {.neighbours = 3});
  EXPECT_EQ(RowOf(lists, 0, 3), (Row{3, 1, 2}));
  EXPECT_EQ(RowOf(lists, 1, 3), (Row{3, 0, 2}));
  EXPECT_EQ(RowOf(lists, 2, 3), (Row{1, 3, 0}));
  EXPECT_EQ(RowOf(lists, 3, 3), (Row{0, 1, 2}));
}

TEST(NearestOthers, EqualPlacesComeFirstInTheOrderOfTheirRows) {
  // One place under two longitudes, the pole under three, and a stranger.
  const std::vector<LatLon> places = {{10, 180}, {90, 5},   {10, -180}, {90, -70},
                                      {10, 180}, {90, 100}, {0, 0}};
  const auto lists = NearestOthers(places, {.neighbours = 4});
  EXPECT_EQ(RowOf(lists, 0, 4), (Row{2, 4, 1, 3}));
  EXPECT_EQ(RowOf(lists, 2, 4), (Row{0, 4, 1, 3}));
  EXPECT_EQ(RowOf(lists, 5, 4), (Row{1, 3, 0, 2}));
  const auto apart = NearestOthers(places, {.neighbours = 4, .min_km = 0.001});
  EXPECT_EQ(RowOf(apart, 0, 4), (Row{1, 3, 5, 6}));
  EXPECT_EQ(RowOf(apart, 3, 4), (Row{0, 2, 4, 6}));
}

// A burst of one place is longer than the list; rows east and west of it are equally far to the last bit.
TEST(NearestOthers, TiesAreSettledByTheRow) {
  std::vector<LatLon> places(40, LatLon{20, 30});
  const auto burst = NearestOthers(places, {.neighbours = 5});
  EXPECT_EQ(RowOf(burst, 0, 5), (Row{1, 2, 3, 4, 5}));
  EXPECT_EQ(RowOf(burst, 3, 5), (Row{0, 1, 2, 4, 5}));
  EXPECT_EQ(RowOf(burst, 39, 5), (Row{0, 1, 2, 3, 4}));

  const std::vector<LatLon> cross = {{0, 1}, {0, 0}, {0, -1}, {0, 1}, {0, -1}, {0, 1}};
  const auto lists = NearestOthers(cross, {.neighbours = 4});
  EXPECT_EQ(RowOf(lists, 1, 4), (Row{0, 2, 3, 4}));
  EXPECT_EQ(RowOf(lists, 3, 4), (Row{0, 5, 1, 2}));
}

TEST(NearestOthers, PlacesThatAreNoneStayAlone) {
  const std::vector<LatLon> places = {{kNaN, 0}, {1, 1}, {0, kNaN}, {2, 2}};
  const auto lists = NearestOthers(places, {.neighbours = 2});
  EXPECT_EQ(RowOf(lists, 0, 2), (Row{kNoNeighbour, kNoNeighbour}));
  EXPECT_EQ(RowOf(lists, 1, 2), (Row{3, kNoNeighbour}));
  EXPECT_EQ(RowOf(lists, 2, 2), (Row{kNoNeighbour, kNoNeighbour}));
  const std::vector<LatLon> nowhere(3, LatLon{kNaN, kNaN});
  EXPECT_EQ(NearestOthers(nowhere, {.neighbours = 1}), Row(3, kNoNeighbour));
}

TEST(NearestOthers, ThreadsChangeNothing) {
  std::vector<LatLon> places = PhotoPlaces(3000, 6);
  for (int i = 0; i < 500; ++i) places.push_back(places[i % 7]);
  const auto one = NearestOthers(places, {.neighbours = 20});
  for (const int threads : {2, 5, 16})
    EXPECT_EQ(NearestOthers(places, {.neighbours = 20, .threads = threads}), one) << threads;
}

}  // namespace
}  // namespace graticule
