#include "losses/auxiliary_loss.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/variable.h>

#include <cmath>
#include <limits>

namespace graticule {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(ClassCrossEntropy, LeavesMaskedRowsOut) {
  const at::Tensor z = at::tensor({1.0f, 2.0f, 3.0f, 0.0f, 0.0f, 0.0f}).view({2, 3}).requires_grad_(true);
  const at::Tensor loss = ClassCrossEntropySum(z, at::tensor({0, -1}, at::kLong));
  loss.backward();
  EXPECT_NEAR(loss.item<double>(), std::log(std::exp(1) + std::exp(2) + std::exp(3)) - 1, 1e-6);
  EXPECT_EQ(z.grad()[1].abs().sum().item<double>(), 0);
  const std::vector<int32_t> labels = {0, -1};
  EXPECT_EQ(CountLabelled(std::span<const int32_t>(labels)), 1);
}

TEST(ClassCrossEntropy, IsZeroWhenAllRowsAreMasked) {
  const at::Tensor z = at::ones({2, 3}).requires_grad_(true);
  const at::Tensor loss = ClassCrossEntropySum(z, at::tensor({-1, -1}, at::kLong));
  loss.backward();
  EXPECT_EQ(loss.item<double>(), 0);
  EXPECT_EQ(z.grad().abs().sum().item<double>(), 0);
}

TEST(SquaredError, LeavesMissingValuesOut) {
  const at::Tensor p = at::tensor({1.0f, 2.0f, 3.0f, 4.0f}).view({2, 2}).requires_grad_(true);
  const at::Tensor loss = SquaredErrorSum(p, at::tensor({0.0f, kNan, 5.0f, 4.5f}).view({2, 2}));
  loss.backward();
  EXPECT_FLOAT_EQ(loss.item<float>(), 1 + 4 + 0.25f);
  EXPECT_TRUE(at::equal(p.grad(), at::tensor({2.0f, 0.0f, -4.0f, -1.0f}).view({2, 2})));
  const std::vector<float> targets = {0, kNan, 5, 4.5f};
  EXPECT_EQ(CountLabelled(std::span<const float>(targets)), 3);
}

}  // namespace
}  // namespace graticule
