#include "losses/soft_labels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace graticule {
namespace {

// The textbook formula, written apart from the code under test.
double Haversine(LatLon a, LatLon b, double radius) {
  const double r = M_PI / 180;
  const double u = std::sin((b.lat_deg - a.lat_deg) * r / 2), v = std::sin((b.lon_deg - a.lon_deg) * r / 2);
  const double h = u * u + std::cos(a.lat_deg * r) * std::cos(b.lat_deg * r) * v * v;
  return 2 * radius * std::asin(std::sqrt(std::min(1.0, h)));
}

std::vector<float> Row(const std::vector<LatLon>& centres, SoftLabelOptions options, LatLon place,
                       int64_t cell) {
  std::vector<float> row(centres.size());
  SoftLabels(centres, options).Fill({&place, 1}, {&cell, 1}, row.data());
  return row;
}

const std::vector<LatLon> kThree = {{0, 0}, {0, 1}, {2, 0}};  // (lat, lon)

TEST(SoftLabels, MatchPublishedVectors) {
  const std::vector<float> near = Row(kThree, {.tau_km = 65}, {0, 0.2}, 0);
  EXPECT_NEAR(near[0], 1, 1e-7);
  EXPECT_NEAR(near[1], 0.35788, 5e-6);
  EXPECT_NEAR(near[2], 0.04506, 5e-6);
  const std::vector<float> far = Row(kThree, {.tau_km = 75}, {0, 0.2}, 0);
  EXPECT_NEAR(far[1], 0.41043, 5e-6);
  EXPECT_NEAR(far[2], 0.06812, 5e-6);
}

TEST(SoftLabels, CountFromTheContainingCellInThePaperForm) {
  const std::vector<float> row = Row(kThree, {.reference = "paper", .tau_km = 65}, {0, 0.2}, 1);
  EXPECT_NEAR(row[1], 1, 1e-6);
  EXPECT_NEAR(row[0], 1 / 0.35788, 1e-4);  // a nearer centre weighs more than the own one
}

TEST(SoftLabels, SumToOneWhenNormalised) {
  const std::vector<float> row = Row(kThree, {.tau_km = 65, .normalise = true}, {0, 0.2}, 0);
  EXPECT_NEAR(row[0] + row[1] + row[2], 1, 1e-6);
  EXPECT_NEAR(row[0], 1 / 1.40294, 1e-5);
}

TEST(SoftLabels, AreHardWithoutSmoothing) {
  EXPECT_EQ(Row(kThree, {.tau_km = 0}, {0, 0.2}, 2), (std::vector<float>{0, 0, 1}));
}

TEST(SoftLabels, MaskRowsWithoutCellOrPlace) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<LatLon> places = {{0, 0.2}, {nan, nan}, {0, 0.2}};
  const std::vector<int64_t> cells = {-1, 0, 0};
  std::vector<float> rows(9, 7.0f);
  SoftLabels(kThree, {}).Fill(places, cells, rows.data());
  EXPECT_EQ(std::count(rows.begin(), rows.begin() + 6, 0.0f), 6);
  EXPECT_GT(rows[6], 0);
  EXPECT_EQ(SoftLabels::CountLabelled(places, cells), 1);
}

TEST(SoftLabels, AgreeWithTheHaversineFormulaEverywhere) {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> lat(-89.9, 89.9), lon(-180, 180);
  std::vector<LatLon> centres;
  for (int k = 0; k < 2000; ++k) centres.push_back({lat(random), lon(random)});
  centres.push_back({10, 179.99});
  for (int trial = 0; trial < 200; ++trial) {
    const LatLon place = trial == 0 ? LatLon{10, -179.99} : LatLon{lat(random), lon(random)};
    for (const char* reference : {"code", "paper"}) {
      // A containing cell is never far: take any centre within 2,000 km.
      int64_t own = trial;
      while (Haversine(place, centres[own], 6378.137) > 2000) own = (own + 1) % 2001;
      const std::vector<float> row = Row(centres, {.reference = reference, .tau_km = 65}, place, own);
      double nearest = 1e9;
      for (const LatLon& c : centres) nearest = std::min(nearest, Haversine(place, c, 6378.137));
      const double from = reference[0] == 'c' ? nearest : Haversine(place, centres[own], 6378.137);
      for (size_t k = 0; k < centres.size(); ++k) {
        const double expected = std::exp((from - Haversine(place, centres[k], 6378.137)) / 65);
        ASSERT_NEAR(row[k], expected, 2e-6 * expected + 1e-13) << "trial " << trial << " cell " << k;
      }
    }
  }
}

}  // namespace
}  // namespace graticule
