#include "geo/latlon.h"

#include <gtest/gtest.h>

#include <limits>
#include <numbers>

namespace graticule {
namespace {

TEST(Haversine, AgreesWithPublishedDistancesOnTheEvaluationSphere) {
  EXPECT_NEAR(HaversineKm({48.8566, 2.3522}, {51.5074, -0.1278}), 343.556, 5e-4);
  EXPECT_NEAR(HaversineKm({0, 179.5}, {0, -179.5}), 111.195, 5e-4);
  EXPECT_NEAR(HaversineKm({90, 0}, {-90, 0}), 20015.087, 5e-4);
}

// These vectors were written as (lng, lat); here they are turned into our order.
TEST(Haversine, AgreesWithPublishedDistancesOnTheSoftLabelSphere) {
  EXPECT_NEAR(HaversineKm({0, 0}, {0, 1}, kSoftLabelRadiusKm), 111.319491, 5e-7);
  EXPECT_NEAR(HaversineKm({48.8566, 2.3522}, {51.5072, -0.1276}, kSoftLabelRadiusKm), 343.91470, 5e-6);
  EXPECT_NEAR(HaversineKm({0, 179.9}, {0, -179.9}, kSoftLabelRadiusKm), 22.263898, 5e-7);
  EXPECT_NEAR(HaversineKm({0, 0.2}, {0, 0}, kSoftLabelRadiusKm), 22.2639, 5e-5);
  EXPECT_NEAR(HaversineKm({0, 0.2}, {0, 1}, kSoftLabelRadiusKm), 89.0556, 5e-5);
  EXPECT_NEAR(HaversineKm({0, 0.2}, {2, 0}, kSoftLabelRadiusKm), 223.749, 5e-4);
}

TEST(Haversine, IsZeroForTheSamePlaceHoweverItIsWritten) {
  EXPECT_EQ(HaversineKm({12.5, 77.25}, {12.5, 77.25}), 0);
  EXPECT_NEAR(HaversineKm({-17, 180}, {-17, -180}), 0, 1e-9);
  EXPECT_NEAR(HaversineKm({90, 13}, {90, -150}), 0, 1e-9);
}

TEST(Haversine, HoldsItsPrecisionForMetres) {
  const double metre_deg = 1e-3 / 6371.0 * 180 / std::numbers::pi;
  EXPECT_NEAR(HaversineKm({0, 100}, {0, 100 + metre_deg}), 1e-3, 1e-11);
  // Near antipodes the haversine is flat: the formula itself resolves about 10 cm there.
  EXPECT_NEAR(HaversineKm({0, 0}, {0, 180 - metre_deg}), 6371.0 * std::numbers::pi - 1e-3, 1e-4);
}

TEST(GeoScore, AgreesWithPublishedValues) {
  const double km[] = {0, 1, 25, 200, 750, 1492.7, 2500};
  const double score[] = {5000, 4996.651, 4916.956, 4373.013, 3025.247, 1839.397, 936.712};
  for (int i = 0; i < 7; ++i) EXPECT_NEAR(GeoScore(km[i]), score[i], 2e-3) << km[i];
  EXPECT_LT(GeoScore(20000), 0.5);
}

TEST(LatLon, ValidityCoversRangeAndFiniteness) {
  EXPECT_TRUE(IsValid({90, 360}));
  EXPECT_TRUE(IsValid({-90, -360}));
  EXPECT_FALSE(IsValid({90.0001, 0}));
  EXPECT_FALSE(IsValid({0, 360.1}));
  EXPECT_FALSE(IsValid({std::numeric_limits<double>::quiet_NaN(), 0}));
  EXPECT_FALSE(IsValid({0, std::numeric_limits<double>::infinity()}));
}

TEST(LatLon, NormalisationWrapsIntoTheHalfOpenCircle) {
  EXPECT_EQ(Normalised({1, 180}).lon_deg, -180);
  EXPECT_EQ(Normalised({1, -180}).lon_deg, -180);
  EXPECT_EQ(Normalised({1, 359}).lon_deg, -1);
  EXPECT_EQ(Normalised({1, -190}).lon_deg, 170);
  EXPECT_EQ(Normalised({1, 179.75}).lon_deg, 179.75);
  EXPECT_EQ(Normalised({1, 540}).lon_deg, -180);
}

TEST(LatLon, UnitVectorsPointAlongTheAxes) {
  const UnitVector greenwich = ToUnitVector({0, 0}), east = ToUnitVector({0, 90}),
                   north = ToUnitVector({90, 0});
  EXPECT_NEAR(greenwich.x, 1, 1e-15);
  EXPECT_NEAR(east.y, 1, 1e-15);
  EXPECT_NEAR(north.z, 1, 1e-15);
  EXPECT_EQ(ToLatLon({0, 0, 0}), (LatLon{0, 0}));
  const LatLon back = ToLatLon({-2, 0, 0});  // length is free
  EXPECT_EQ(back.lat_deg, 0);
  EXPECT_EQ(back.lon_deg, -180);
}

}  // namespace
}  // namespace graticule
