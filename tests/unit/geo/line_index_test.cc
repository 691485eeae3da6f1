#include "geo/line_index.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "geo_test_support.h"

namespace graticule {
namespace {

// Independent of tree and arcs: the nearest of samples that lie at most `step_km` apart along every line.
double SampledKm(const std::vector<std::vector<LatLon>>& lines, LatLon p, double step_km) {
  double best = std::numeric_limits<double>::infinity();
  for (const auto& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) {
      const LatLon b = line[i], a = i > 0 ? line[i - 1] : b;
      const int n = 1 + static_cast<int>(HaversineKm(a, b) / step_km);
      for (int j = 0; j <= n; ++j) {
        const double t = static_cast<double>(j) / n;
        best = std::min(best, HaversineKm(p, {a.lat_deg + t * (b.lat_deg - a.lat_deg),
                                              a.lon_deg + t * (b.lon_deg - a.lon_deg)}));
      }
    }
  }
  return best;
}

TEST(LineIndex, AgreesWithDenseSamplesOfEveryLine) {
  std::vector<std::vector<LatLon>> lines;
  for (LatLon p : RandomPlaces(20, 3)) {
    lines.push_back({p});
    for (int k = 1; k < 12; ++k) {
      const LatLon q = lines.back().back();
      const double lat = std::clamp(q.lat_deg + 0.5 * std::sin(k * p.lon_deg), -89.5, 89.5);
      lines.back().push_back({lat, q.lon_deg + 0.7 * std::cos(3 * k + p.lat_deg)});
    }
  }
  lines.push_back({{10, 179.9}, {10.2, 180.4}});  // runs over the antimeridian in its own numbers
  lines.push_back({{-33, 18}});
  const LineIndex index(lines);
  // Pieces are arcs, samples lie on straight lines in degrees: less than two metres apart.
  constexpr double kStepKm = 0.2, kBulgeKm = 2e-3;
  std::vector<LatLon> points = RandomPlaces(300, 4);
  for (const auto& line : lines) points.push_back({line[0].lat_deg * 0.999, line[0].lon_deg + 0.013});
  points.push_back({10.1, -179.7});
  points.push_back({90, 0});
  for (LatLon p : points) {
    const double km = index.Nearest(p).km, sampled = SampledKm(lines, p, kStepKm);
    ASSERT_LE(km, sampled + kBulgeKm) << p.lat_deg << ", " << p.lon_deg;
    // A sample lies within half a step of the nearest point.
    ASSERT_GE(km, std::sqrt(std::max(0.0, sampled * sampled - kStepKm * kStepKm / 4)) - kBulgeKm);
  }
}

TEST(LineIndex, NamesTheNearestLineAndTheSmallestOfEqualOnes) {
  const std::vector<std::vector<LatLon>> lines = {{{0, 0}, {0, 10}}, {{5, 0}, {5, 10}}, {{5, 0}, {5, 10}}};
  const LineIndex index(lines);
  EXPECT_EQ(index.Nearest({1, 5}).line, 0);
  EXPECT_EQ(index.Nearest({4, 5}).line, 1);
  EXPECT_NEAR(index.Nearest({1, 5}).km, 6371.0 * M_PI / 180, 1e-6);
  EXPECT_NEAR(index.Nearest({0, 5}).km, 0, 1e-9);
}

TEST(LineIndex, HasNoAnswerWithoutLinesOrForAPointThatIsNotKnown) {
  EXPECT_EQ(LineIndex({}).Nearest({0, 0}).line, -1);
  const std::vector<std::vector<LatLon>> lines = {{{0, 0}, {0, 10}}};
  EXPECT_EQ(LineIndex(lines).Nearest({std::nan(""), 0}).line, -1);
}

}  // namespace
}  // namespace graticule
