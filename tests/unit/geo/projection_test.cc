#include "geo/projection.h"

#include <gtest/gtest.h>

#include <cmath>

namespace graticule {
namespace {

TEST(EqualEarth, AgreesWithKnownPlaces) {
  const struct {
    LatLon place;
    double x, y;
  } known[] = {{{40.7128, -74.0060}, -0.3627616, 0.2907912},
               {{-33.86, 151.21}, 0.7711476, -0.2455166},
               {{45, 90}, 0.4285235, 0.3178237},
               {{60, 10}, 0.0418532, 0.4020870},
               {{90, 0}, 0, 0.4867169},
               {{0, -180}, -0.9999999, 0}};
  for (const auto& k : known) {
    EXPECT_NEAR(EqualEarth(k.place).x, k.x, 1e-6) << k.place.lat_deg;
    EXPECT_NEAR(EqualEarth(k.place).y, k.y, 1e-6) << k.place.lat_deg;
  }
}

// Its name: the same share of the globe has the same area wherever it lies, by a finite difference of the
// map.
TEST(EqualEarth, KeepsAreas) {
  const auto area = [](double lat, double lon) {
    constexpr double kStep = 1e-4;
    const PlanePoint o = EqualEarth({lat, lon}), east = EqualEarth({lat, lon + kStep}),
                     north = EqualEarth({lat + kStep, lon});
    const double cross = (east.x - o.x) * (north.y - o.y) - (east.y - o.y) * (north.x - o.x);
    return cross / std::cos((lat + kStep / 2) * M_PI / 180);
  };
  const double reference = area(0, 0);
  for (double lat = -85; lat <= 85; lat += 17) {
    for (double lon = -175; lon < 180; lon += 50) EXPECT_NEAR(area(lat, lon) / reference, 1, 2e-4);
  }
}

TEST(WebMercator, AgreesWithKnownLatitudes) {
  const std::pair<double, double> known[] = {{45, 0.280550},   {60, 0.419201},   {80, 0.775481},
                                             {89, 1.509218},   {89.9, 2.242162}, {85.0511288, 1.0},
                                             {-60, -0.419201}, {90, 2.242162},   {-90, -2.242162}};
  for (const auto& [lat, y] : known) EXPECT_NEAR(WebMercator({lat, 0}).y, y, 1e-6) << lat;
  EXPECT_EQ(WebMercator({12, 90}).x, 0.5);
}

TEST(Projections, APlaceHasOneImageHoweverItIsWritten) {
  for (const double lon : {-180.0, -73.5, 0.25, 179.0}) {
    for (const double turns : {-360.0, 360.0}) {
      EXPECT_NEAR(EqualEarth({33, lon + turns}).x, EqualEarth({33, lon}).x, 1e-12);
      EXPECT_NEAR(WebMercator({33, lon + turns}).x, WebMercator({33, lon}).x, 1e-12);
    }
  }
  EXPECT_EQ(EqualEarth({10, 180}).x, EqualEarth({10, -180}).x);
}

}  // namespace
}  // namespace graticule
