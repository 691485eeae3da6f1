#include "geo/gps_noise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/rng.h"

namespace graticule {
namespace {

TEST(GpsNoise, MovesByMetresInEveryDirectionAtEveryLatitude) {
  // One standard deviation north or east is sigma metres on a sphere whose degree is 111,320 m.
  const double radius_km = 111.320 * 180 / M_PI;
  for (const double lat : {-75.0, 0.0, 48.0, 85.0}) {
    const LatLon p{lat, 11.0};
    EXPECT_NEAR(HaversineKm(p, WithNoise(p, {1000}, 1, 0), radius_km), 1, 1e-3) << lat;
    EXPECT_NEAR(HaversineKm(p, WithNoise(p, {1000}, 0, 1), radius_km), 1, 1e-3) << lat;
  }
}

TEST(GpsNoise, InDegreesIsTheSameStepOnBothAxes) {
  // The published step: 150 m are 0.00134747 degrees, 1 km is 0.00898311.
  const LatLon near = WithNoise({60, 10}, {150, true}, 1, 1), far = WithNoise({60, 10}, {1000, true}, -1, -1);
  EXPECT_NEAR(near.lat_deg - 60, 0.00134747, 1e-8);
  EXPECT_NEAR(near.lon_deg - 10, 0.00134747, 1e-8);
  EXPECT_NEAR(far.lat_deg - 60, -0.00898311, 1e-8);
  EXPECT_NEAR(far.lon_deg - 10, -0.00898311, 1e-8);
}

TEST(GpsNoise, ComesDownOnTheOtherSideOfAPole) {
  const LatLon over = WithNoise({89.999, 20}, {111320}, 0.5, 0);
  EXPECT_NEAR(over.lat_deg, 89.501, 1e-9);
  EXPECT_NEAR(over.lon_deg, -160, 1e-9);
  const LatLon under = WithNoise({-89.999, 20}, {111320}, -0.5, 0);
  EXPECT_NEAR(under.lat_deg, -89.501, 1e-9);
}

TEST(GpsNoise, WrapsTheAntimeridian) {
  const LatLon p = WithNoise({0, 179.9999}, {1000}, 0, 1);
  EXPECT_NEAR(p.lon_deg, -180 + 0.00898311 - 0.0001, 1e-8);
}

TEST(GpsNoise, LeavesAnUnknownPlaceUnknown) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(std::isnan(WithNoise({nan, nan}, {150}, 1, 1).lat_deg));
}

}  // namespace
}  // namespace graticule
