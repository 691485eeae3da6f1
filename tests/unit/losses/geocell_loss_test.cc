#include "losses/geocell_loss.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/variable.h>

namespace graticule {
namespace {

at::Tensor Leaf(const at::Tensor& values) { return values.detach().clone().requires_grad_(true); }

TEST(SoftCrossEntropy, MatchesPublishedVectors) {
  const at::Tensor z = at::tensor({1.0, 0.0, -1.0}, at::kDouble).view({1, 3});
  EXPECT_NEAR(
      SoftCrossEntropySum(z, at::tensor({1.0, 0.35788, 0.04506}, at::kDouble).view({1, 3})).item<double>(),
      1.019842, 2e-5);
  EXPECT_NEAR(
      SoftCrossEntropySum(z, at::tensor({1.0, 0.41043, 0.06812}, at::kDouble).view({1, 3})).item<double>(),
      1.149335, 2e-5);
}

TEST(SoftCrossEntropy, HasTheGradientOfFiniteDifferences) {
  at::manual_seed(3);
  const at::Tensor z = Leaf(at::randn({4, 7}, at::kDouble));
  at::Tensor y = at::rand({4, 7}, at::kDouble);
  y[2].zero_();  // a masked row
  (SoftCrossEntropySum(z, y) * 0.25).backward();
  const double h = 1e-6;
  for (int64_t b = 0; b < 4; ++b) {
    for (int64_t k = 0; k < 7; ++k) {
      const auto shifted = [&](double by) {
        at::Tensor copy = z.detach().clone();
        copy[b][k] += by;
        return SoftCrossEntropySum(copy, y).item<double>() * 0.25;
      };
      EXPECT_NEAR(z.grad()[b][k].item<double>(), (shifted(h) - shifted(-h)) / (2 * h), 1e-8);
    }
  }
  EXPECT_EQ(z.grad()[2].abs().sum().item<double>(), 0);
}

TEST(SoftCrossEntropy, AddsUpOverRows) {
  at::manual_seed(4);
  const at::Tensor z = at::randn({6, 5}), y = at::rand({6, 5});
  const double parts = SoftCrossEntropySum(z.narrow(0, 0, 2), y.narrow(0, 0, 2)).item<double>() +
                       SoftCrossEntropySum(z.narrow(0, 2, 4), y.narrow(0, 2, 4)).item<double>();
  EXPECT_NEAR(SoftCrossEntropySum(z, y).item<double>(), parts, 1e-5);
}

TEST(SoftCrossEntropy, SurvivesLargeLogits) {
  const at::Tensor z = Leaf(at::tensor({900.0f, -900.0f}).view({1, 2}));
  const at::Tensor loss = SoftCrossEntropySum(z, at::tensor({0.0f, 1.0f}).view({1, 2}));
  loss.backward();
  EXPECT_FLOAT_EQ(loss.item<float>(), 1800);
  EXPECT_FLOAT_EQ(z.grad()[0][0].item<float>(), 1);
}

}  // namespace
}  // namespace graticule
