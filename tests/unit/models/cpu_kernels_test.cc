#include "models/cpu_kernels.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/variable.h>

#include <cmath>
#include <limits>

#include "models/activation.h"
#include "models/cpu_attention.h"

namespace graticule {
namespace {

double Relative(const at::Tensor& found, const at::Tensor& expected) {
  return ((found.to(at::kDouble) - expected).norm() / expected.norm()).item<double>();
}

// The definition, by library operators in double precision.
at::Tensor QuickGeluInDouble(const at::Tensor& x) { return x * at::sigmoid(1.702 * x); }

TEST(Multiply, AgreesWithDoublePrecision) {
  at::manual_seed(1);
  const at::Tensor a = at::randn({37, 53}), b = at::randn({53, 21}), start = at::randn({37, 21});
  const at::Tensor expected = at::mm(a.to(at::kDouble), b.to(at::kDouble));
  EXPECT_LT(Relative(Multiply(a, b), expected), 1e-6);
  const at::Tensor a_t = a.t().contiguous(), b_t = b.t().contiguous();
  EXPECT_LT(Relative(Multiply(a_t.t(), b_t.t()), expected), 1e-6);
  at::Tensor sum = start.clone();
  Multiply(a, b, sum, /*add=*/true);
  EXPECT_LT(Relative(sum, expected + start), 1e-6);
  EXPECT_LT(Relative(Multiply(a.to(at::kBFloat16), b.to(at::kBFloat16)), expected), 1e-2);
}

TEST(BiasQuickGelu, AgreesWithItsDefinitionAndGradient) {
  at::manual_seed(2);
  const at::Tensor hidden =
      at::cat({at::randn({200, 35}) * 4, at::full({1, 35}, 200.0f), at::full({1, 35}, -200.0f)});
  const at::Tensor bias = at::randn({35}), grad = at::randn({202, 35});
  const at::Tensor x = (hidden.to(at::kDouble) + bias).requires_grad_(true);
  const at::Tensor expected = QuickGeluInDouble(x);
  expected.backward(grad.to(at::kDouble));
  for (const auto& [dtype, tolerance] : {std::pair{at::kFloat, 1e-6}, std::pair{at::kBFloat16, 1e-2}}) {
    const at::Tensor h = hidden.to(dtype), b = bias.to(dtype);
    at::Tensor d_hidden = grad.to(dtype).clone();
    EXPECT_LT(Relative(BiasQuickGelu(h, b), expected.detach()), tolerance);
    const QuickGeluGradient found = BiasQuickGeluBackward(h, b, d_hidden);
    EXPECT_LT(Relative(found.active, expected.detach()), tolerance);
    EXPECT_LT(Relative(d_hidden, x.grad()), tolerance);
    EXPECT_LT(Relative(found.bias_grad, x.grad().sum(0)), 2 * tolerance);
  }
}

TEST(QuickGelu, ANanStaysANanInBothTypes) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    at::Tensor h = at::zeros({1, 40}).to(dtype);
    h[0][3] = nan;
    h[0][39] = nan;  // in the tail
    const at::Tensor active = BiasQuickGelu(h, at::zeros({40}).to(dtype)).to(at::kFloat);
    EXPECT_EQ(at::isnan(active).sum().item<int64_t>(), 2);
    EXPECT_TRUE(std::isnan(active[0][3].item<float>()) && std::isnan(active[0][39].item<float>()));
  }
}

TEST(QuickGelu, AgreesWithItsDefinitionAndGradient) {
  at::manual_seed(3);
  const at::Tensor x = (at::randn({40, 7}) * 3).requires_grad_(true);
  const at::Tensor wide = x.detach().to(at::kDouble).requires_grad_(true), grad = at::randn({40, 7});
  const at::Tensor found = QuickGelu(x), expected = QuickGeluInDouble(wide);
  found.backward(grad);
  expected.backward(grad.to(at::kDouble));
  EXPECT_LT(Relative(found.detach(), expected.detach()), 1e-6);
  EXPECT_LT(Relative(x.grad(), wide.grad()), 1e-6);
}

at::Tensor AttentionInDouble(const at::Tensor& qkv, int64_t heads) {
  const int64_t batch = qkv.size(0), tokens = qkv.size(1), width = qkv.size(2) / 3;
  const auto parts = qkv.view({batch, tokens, 3, heads, width / heads}).permute({2, 0, 3, 1, 4}).unbind(0);
  const at::Tensor scores =
      at::matmul(parts[0], parts[1].transpose(2, 3)) / std::sqrt(static_cast<double>(width / heads));
  return at::matmul(at::softmax(scores, -1), parts[2]).transpose(1, 2).reshape({batch, tokens, width});
}

TEST(CpuAttention, AgreesWithDoublePrecisionForAnyLength) {
  at::manual_seed(4);
  for (const auto& [tokens, heads, head_width] :
       {std::array<int64_t, 3>{1, 1, 16}, {5, 3, 16}, {16, 2, 32}, {50, 2, 64}, {65, 4, 48}, {257, 1, 64}}) {
    const at::Tensor qkv = (at::randn({2, tokens, 3 * heads * head_width}) * 2).requires_grad_(true);
    const at::Tensor wide = qkv.detach().to(at::kDouble).requires_grad_(true),
                     grad = at::randn({2, tokens, heads * head_width});
    ASSERT_TRUE(CpuAttentionApplies(qkv, heads));
    const at::Tensor found = CpuAttention(qkv, heads), expected = AttentionInDouble(wide, heads);
    found.backward(grad);
    expected.backward(grad.to(at::kDouble));
    EXPECT_LT(Relative(found.detach(), expected.detach()), 2e-6) << tokens;
    EXPECT_LT(Relative(qkv.grad(), wide.grad()), 5e-6) << tokens;
  }
}

TEST(CpuAttention, SurvivesScoresThatOverflowAnExponential) {
  const at::Tensor qkv = at::randn({1, 20, 48}) * 60;
  EXPECT_LT(Relative(CpuAttention(qkv, 1), AttentionInDouble(qkv.to(at::kDouble), 1)), 1e-4);
}

TEST(CpuAttention, DoesNotDependOnThreads) {
  const at::Tensor qkv = at::randn({7, 33, 96});
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor one = CpuAttention(qkv, 2);
  at::set_num_threads(2);
  const at::Tensor two = CpuAttention(qkv, 2);
  at::set_num_threads(threads);
  EXPECT_TRUE(at::equal(one, two));
}

TEST(CpuAttention, LeavesOddHeadsToTheLibrary) {
  EXPECT_FALSE(CpuAttentionApplies(at::randn({1, 3, 36}), 1));
}

}  // namespace
}  // namespace graticule
