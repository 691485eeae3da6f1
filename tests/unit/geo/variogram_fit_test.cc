#include "geo/variogram/variogram_fit.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/base/failure_of.h"

namespace graticule {
namespace {

// Points on a curve at the lags of twelve bins to a decade, 0.05 to 19,000 km.
std::vector<FitPoint> PointsOn(const VariogramModel& model, double noise = 0) {
  std::vector<FitPoint> points;
  for (int k = 0; k < 65; ++k) {
    const double lag = 0.05 * std::pow(10, k / 12.0 + 0.02);
    const double wave = std::sin(78.233 * k) * 43758.5453;  // scattered in [0, 1)
    points.push_back(
        {lag, model.Gamma(lag) * (1 + noise * (2 * (wave - std::floor(wave)) - 1)), 1000.0 + 10 * k});
  }
  return points;
}

TEST(VariogramFit, RecoversTheParametersOfExactCurves) {
  const VariogramModel models[] = {{VariogramShape::kSpherical, 0.21, 0.4, 730, 1},
                                   {VariogramShape::kExponential, 0.05, 0.6, 42, 1},
                                   {VariogramShape::kGaussian, 0.3, 0.1, 2300, 1},
                                   {VariogramShape::kStable, 0.12, 0.33, 150, 0.55},
                                   {VariogramShape::kStable, 0.12, 0.33, 900, 1.7}};
  for (const VariogramModel& model : models) {
    for (const FitWeights weights : {FitWeights::kCressie, FitWeights::kEqual}) {
      const VariogramModel found = FitVariogram(PointsOn(model), model.shape, weights).model;
      EXPECT_NEAR(found.nugget / model.nugget, 1, 1e-5) << NameOf(model.shape);
      EXPECT_NEAR(found.sill / model.sill, 1, 1e-5) << NameOf(model.shape);
      EXPECT_NEAR(found.range_km / model.range_km, 1, 1e-5) << NameOf(model.shape);
      EXPECT_NEAR(found.alpha, model.alpha, 1e-5);
    }
  }
}

TEST(VariogramFit, FindsACurveWithoutNugget) {
  const VariogramModel model{VariogramShape::kExponential, 0, 0.5, 300, 1};
  const VariogramFit fit = FitVariogram(PointsOn(model), model.shape);
  EXPECT_LT(fit.model.nugget, 1e-6);
  EXPECT_NEAR(fit.model.range_km, 300, 0.01);
}

// With noise of 2 % the shape that made the points wins; of shapes that say the same, the one with fewer
// parameters.
TEST(VariogramFit, ChoosesTheShapeThatMadeThePoints) {
  for (const VariogramShape shape :
       {VariogramShape::kSpherical, VariogramShape::kExponential, VariogramShape::kGaussian})
    EXPECT_EQ(FitAllShapes(PointsOn({shape, 0.1, 0.4, 500, 1}, 0.02)).front().model.shape, shape)
        << NameOf(shape);
  EXPECT_EQ(FitAllShapes(PointsOn({VariogramShape::kStable, 0.1, 0.4, 500, 0.5}, 0.02)).front().model.shape,
            VariogramShape::kStable);
}

// B ln(loss / B) + 2 p with the loss summed by hand.
TEST(VariogramFit, ScoreCountsLossAndParameters) {
  const auto points = PointsOn({VariogramShape::kStable, 0.1, 0.4, 500, 0.6}, 0.05);
  const VariogramFit fit = FitVariogram(points, VariogramShape::kGaussian);
  double weights = 0, loss = 0;
  for (const FitPoint& p : points) weights += p.weight;
  for (const FitPoint& p : points)
    loss += p.weight * 65 / weights * std::pow(p.gamma / fit.model.Gamma(p.lag_km) - 1, 2);
  EXPECT_NEAR(fit.loss, loss, 1e-9 * loss);
  EXPECT_NEAR(fit.score, 65 * std::log(loss / 65) + 6, 1e-6);
}

// Two groups of replicates that move the whole curve up and down by a known amount.
TEST(VariogramFit, IntervalsFollowTheReplicates) {
  const VariogramModel model{VariogramShape::kExponential, 0.1, 0.4, 200, 1};
  const auto points = PointsOn(model);
  std::vector<VariogramBin> bins;
  for (const FitPoint& p : points)
    bins.push_back({p.lag_km * 0.99, p.lag_km * 1.01, 1000, p.gamma, 0.1, p.lag_km, 0.01, p.weight});
  std::vector<std::vector<double>> replicates;
  for (int g = 0; g < 20; ++g) {
    const double factor = g % 2 == 0 ? 1.01 : 0.99;
    for (auto* out = &replicates.emplace_back(); const FitPoint& p : points) out->push_back(p.gamma * factor);
  }
  const auto intervals = JackknifeIntervals(FitVariogram(points, model.shape), bins, replicates);
  const double half = 1.96 * std::sqrt(19) * 0.01;  // (G - 1) / G times the sum of squares
  EXPECT_NEAR(intervals.at("c0").high, 0.1 * (1 + half), 1e-5);
  EXPECT_NEAR(std::log(intervals.at("c").high / 0.4), half, 1e-4);
  EXPECT_NEAR(intervals.at("a").low, 200, 0.01);
  EXPECT_NEAR(intervals.at("rho").high, 200 * std::log(20), 0.03);
  EXPECT_TRUE(JackknifeIntervals(FitVariogram(points, model.shape), bins, {}).empty());
}

TEST(VariogramFit, RefusesWhatHasNoCurve) {
  const auto points = PointsOn({VariogramShape::kExponential, 0.1, 0.4, 500, 1});
  EXPECT_NE(FailureOf([&] {
              FitVariogram(std::span(points).first(3), VariogramShape::kSpherical);
            }).find("needs 4"),
            std::string::npos);
  std::vector<FitPoint> flat(20, {10, 0, 5});
  EXPECT_NE(FailureOf([&] { FitVariogram(flat, VariogramShape::kSpherical); }).find("the same"),
            std::string::npos);
  const VariogramBin few{0, 1, kFewestPairs - 1, 0.1, 0, 0.5, 0, 29},
      enough{1, 2, kFewestPairs, 0.1, 0, 1.5, 0, 30};
  EXPECT_EQ(FitPoints(std::vector{few, enough}).size(), 1u);
}

}  // namespace
}  // namespace graticule
