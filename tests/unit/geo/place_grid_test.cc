#include "geo/place_grid.h"

#include <gtest/gtest.h>

#include "geo_test_support.h"

namespace graticule {
namespace {

TEST(PlaceGrid, CountsPlacesOnOneGridPointAsOne) {
  EXPECT_EQ(PlaceGridKey({48.858401, 2.294501}), PlaceGridKey({48.858404, 2.294499}));
  EXPECT_NE(PlaceGridKey({48.85840, 2.29450}), PlaceGridKey({48.85841, 2.29450}));
  EXPECT_NE(PlaceGridKey({48.85840, 2.29450}), PlaceGridKey({48.85840, 2.29451}));
  EXPECT_NE(PlaceGridKey({48.85840, 2.29450}), PlaceGridKey({-48.85840, 2.29450}));
}

TEST(PlaceGrid, KnowsTheSeamAndThePoles) {
  EXPECT_EQ(PlaceGridKey({10, 180}), PlaceGridKey({10, -180}));
  EXPECT_EQ(PlaceGridKey({10, 350}), PlaceGridKey({10, -10}));
  EXPECT_EQ(PlaceGridKey({10, -360}), PlaceGridKey({10, 0}));
  EXPECT_EQ(PlaceGridKey({10, 179.999999}), PlaceGridKey({10, -180}));
  EXPECT_EQ(PlaceGridKey({90, 12}), PlaceGridKey({90, -100}));
  EXPECT_NE(PlaceGridKey({90, 12}), PlaceGridKey({-90, 12}));
}

TEST(PlaceGrid, MergesRepeatsIntoTheFirst) {
  const std::vector<LatLon> places = {{5, 5},        {1, 2}, {5, 5},   {-90, 3},
                                      {1.000001, 2}, {7, 7}, {-90, 4}, {5, 5}};
  const PlaceMerge merge = MergePlaces(places);
  EXPECT_EQ(merge.kept, (std::vector<int64_t>{0, 1, 3, 5}));
  EXPECT_EQ(merge.row_of, (std::vector<int64_t>{0, 1, 0, 2, 1, 3, 2, 0}));
  EXPECT_TRUE(MergePlaces(std::vector<LatLon>{}).kept.empty());
}

// Coordinates on a coarse lattice, where the comparison by pairs needs no grid.
TEST(PlaceGrid, AgreesWithEveryPairCompared) {
  std::vector<LatLon> places;
  for (LatLon p : RandomPlaces(600, 4))
    places.push_back({std::round(p.lat_deg / 20), std::round(p.lon_deg / 20)});
  const PlaceMerge merge = MergePlaces(places);
  std::vector<int64_t> kept, row_of;
  for (size_t i = 0; i < places.size(); ++i) {
    size_t first = 0;
    while (!(places[first] == places[i])) ++first;
    if (first == i) kept.push_back(static_cast<int64_t>(i));
    row_of.push_back(first == i ? std::ssize(kept) - 1 : row_of[first]);
  }
  EXPECT_EQ(merge.kept, kept);
  EXPECT_EQ(merge.row_of, row_of);
}

}  // namespace
}  // namespace graticule
