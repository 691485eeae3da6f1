#include "geo/variogram/variogram_model.h"

#include <gtest/gtest.h>

#include <cmath>

namespace graticule {
namespace {

VariogramModel Example(VariogramShape shape, double alpha = 1) { return {shape, 0.1, 0.4, 1000, alpha}; }

// Worked by hand from the formulas, in fp64 by NumPy.
TEST(VariogramModel, HasTheKnownValues) {
  EXPECT_NEAR(Example(VariogramShape::kSpherical).Gamma(500), 0.375, 1e-12);
  EXPECT_NEAR(Example(VariogramShape::kExponential).Gamma(500), 0.2573877, 5e-8);
  EXPECT_NEAR(Example(VariogramShape::kGaussian).Gamma(500), 0.1884797, 5e-8);
  EXPECT_NEAR(Example(VariogramShape::kStable, 0.5).Gamma(500), 0.3027725, 5e-8);
}

TEST(VariogramModel, IsZeroAtLagZeroAndJumpsToTheNugget) {
  for (const VariogramShape shape : kVariogramShapes) {
    const VariogramModel model = Example(shape, 0.7);
    EXPECT_EQ(model.Gamma(0), 0);
    EXPECT_EQ(model.Share(0), 0);
    EXPECT_NEAR(model.Gamma(1e-12), 0.1, 1e-6);
    EXPECT_NEAR(model.Gamma(1e9), 0.5, 1e-12);
    EXPECT_NEAR(model.Share(300), (model.Gamma(300) - 0.1) / 0.4, 1e-12);
  }
}

// The lag with 95 % of the partial sill, by bisection.
TEST(VariogramModel, PracticalRangeReachesNinetyFivePercent) {
  for (const VariogramShape shape : kVariogramShapes) {
    const VariogramModel model = Example(shape, 0.7);
    double low = 1, high = 1e5;
    for (int k = 0; k < 60; ++k) {
      const double middle = (low + high) / 2;
      (model.Share(middle) < 0.95 ? low : high) = middle;
    }
    EXPECT_NEAR(model.PracticalRangeKm(), low, 1e-5) << NameOf(shape);
  }
  EXPECT_NEAR(Example(VariogramShape::kExponential).PracticalRangeKm(), 3000, 5);
  EXPECT_NEAR(Example(VariogramShape::kGaussian).PracticalRangeKm(), std::sqrt(3.0) * 1000, 2);
}

TEST(VariogramModel, SlopeIsTheDerivative) {
  for (const VariogramShape shape : kVariogramShapes) {
    const VariogramModel model = Example(shape, 1.3);
    for (const double km : {3.0, 400.0, 990.0, 1010.0, 5000.0}) {
      const double step = 1e-3;
      EXPECT_NEAR(model.Slope(km), (model.Gamma(km + step) - model.Gamma(km - step)) / (2 * step), 1e-9);
    }
  }
}

// A stable curve in radians, 0.2 (1 - exp(-(h / 0.1)^0.8)): NumPy finds the first multiple of 0.01 whose
// slope is below 0.01 at 0.69.
TEST(VariogramModel, FlatRangeIsTheFirstFlatMultiple) {
  const VariogramModel model{VariogramShape::kStable, 0.1, 0.2, 637.1, 0.8};
  EXPECT_NEAR(FlatRangeKm(model), 0.69 * 6371, 1e-6);
  EXPECT_NEAR(FlatRangeKm({VariogramShape::kExponential, 0, 10, 1e5, 1}), 20015.09, 0.01);
}

TEST(VariogramModel, NamesGoBothWays) {
  for (const VariogramShape shape : kVariogramShapes) EXPECT_EQ(VariogramShapeNamed(NameOf(shape)), shape);
  EXPECT_FALSE(VariogramShapeNamed("linear"));
}

}  // namespace
}  // namespace graticule
