#include "losses/regression_targets.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace graticule {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(RegressionTargets, TakeLogarithmsWithTheirOffsets) {
  const RegressionTargets raw;  // mean 0, deviation 1
  EXPECT_DOUBLE_EQ(raw.Forward(0, 84), std::log(500.0));
  EXPECT_DOUBLE_EQ(raw.Forward(1, 0), 0);
  EXPECT_DOUBLE_EQ(raw.Forward(2, -7.5), -7.5);
  for (size_t column : {3, 4, 5}) EXPECT_DOUBLE_EQ(raw.Forward(column, 9), std::log(10.0));
}

TEST(RegressionTargets, MaskWhatHasNoLogarithm) {
  const RegressionTargets raw;
  EXPECT_TRUE(std::isnan(raw.Forward(0, -416)));
  EXPECT_TRUE(std::isnan(raw.Forward(1, -2)));
  EXPECT_TRUE(std::isnan(raw.Forward(2, kNan)));
}

TEST(RegressionTargets, StandardiseTheTrainingSplit) {
  std::vector<float> rows;
  for (int i = 0; i < 100; ++i)
    for (int c = 0; c < 6; ++c)
      rows.push_back(c == 5 ? 3.0f : i == 50 ? kNan : static_cast<float>(i * (c + 1)));
  const RegressionTargets fitted = RegressionTargets::Fit(rows, 408);
  EXPECT_EQ(fitted.elevation_offset_m, 408);
  std::vector<float> targets(rows.size());
  fitted.Forward(rows, targets.data());
  for (int c = 0; c < 5; ++c) {
    double sum = 0, squares = 0;
    for (int i = 0; i < 100; ++i) {
      const double v = targets[i * 6 + c];
      if (i == 50) {
        EXPECT_TRUE(std::isnan(v));
      } else {
        sum += v;
        squares += v * v;
      }
    }
    EXPECT_NEAR(sum / 99, 0, 1e-6);
    EXPECT_NEAR(squares / 99, 1, 1e-6);
  }
  EXPECT_EQ(fitted.deviation[5], 1);  // constant column
}

TEST(RegressionTargets, ComeBackToPhysicalUnits) {
  RegressionTargets t;
  t.mean = {5, 1, 10, 2, 3, 4};
  t.deviation = {0.5, 2, 8, 0.25, 1, 3};
  for (size_t c = 0; c < 6; ++c) EXPECT_NEAR(t.Inverse(c, t.Forward(c, 123.5)), 123.5, 1e-9);
}

}  // namespace
}  // namespace graticule
