#include "trainer/optim/gradient_norm.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace graticule {
namespace {

TEST(GradientNorm, IsTheNormOverAllBuckets) {
  const auto r = ComputeGradientNorm({at::full({9}, 2.0f), at::full({4}, -4.0f)});
  EXPECT_NEAR(r.norm.item<float>(), std::sqrt(9 * 4.0 + 4 * 16.0), 1e-5);
  EXPECT_EQ(r.found_inf.item<float>(), 0.0f);
}

TEST(GradientNorm, OneBadValueAnywhereIsFound) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    at::Tensor bucket = at::zeros({1000});
    bucket[777] = bad;
    EXPECT_EQ(ComputeGradientNorm({at::zeros({3}), bucket}).found_inf.item<float>(), 1.0f);
  }
}

TEST(GradientNorm, ClippingScalesDownToTheLimitAndNeverUp) {
  at::Tensor x = at::full({16}, 3.0f);  // norm 12
  ClipGradients({x}, ComputeGradientNorm({x}).norm, 6.0);
  EXPECT_NEAR(x[0].item<float>(), 1.5, 1e-5);
  ClipGradients({x}, ComputeGradientNorm({x}).norm, 100.0);
  EXPECT_NEAR(x[0].item<float>(), 1.5, 1e-5);
  ClipGradients({x}, ComputeGradientNorm({x}).norm, 0.0);
  EXPECT_NEAR(x[0].item<float>(), 1.5, 1e-5);
}

}  // namespace
}  // namespace graticule
