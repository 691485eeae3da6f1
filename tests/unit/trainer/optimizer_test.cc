// Parity with torch.optim over 100 steps is tests/parity/optim_test.py; here is what Python cannot see.
#include "trainer/optim/optimizer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "trainer/checkpoint/tensor_file.h"

namespace graticule {
namespace {

struct Fixture {
  at::Tensor a = at::full({4}, 2.0f).requires_grad_(true);
  at::Tensor b = at::full({2, 2}, -1.0f).requires_grad_(true);
  at::Tensor grad_a = at::full({4}, 0.5f), grad_b = at::full({2, 2}, 0.25f);
  at::Tensor fine = at::zeros({1}), broken = at::ones({1});

  std::unique_ptr<Optimizer> Make(const std::string& kind) {
    OptimConfig config;
    config.kind = kind;
    config.weight_decay = 0.1;
    return Optimizer::Create(config, {{"one", {{"a", a}}, 1.0, false}, {"two", {{"b", b}}, 0.5, true}},
                             {{"a", grad_a}, {"b", grad_b}});
  }
  std::map<std::string, at::Tensor> Copy(Optimizer& o) {
    std::map<std::string, at::Tensor> copy;
    for (const auto& t : o.State()) copy[t.name] = t.tensor.clone();
    return copy;
  }
};

TEST(Optimizer, FirstAdamWStepMovesByTheLearningRate) {
  Fixture f;
  f.Make("adamw")->Step(0.01, f.fine);
  // The first Adam update is lr * sign(gradient); b decays by lr * 0.1 first, with half the rate.
  EXPECT_NEAR(f.a[0].item<float>(), 2.0 - 0.01, 1e-6);
  EXPECT_NEAR(f.b[0][0].item<float>(), -1.0 * (1 - 0.005 * 0.1) - 0.005, 1e-6);
}

TEST(Optimizer, AStepMovesTheVersionOfEveryParameter) {
  for (const char* kind : {"adamw", "adam", "sgd"}) {
    Fixture f;
    auto optimizer = f.Make(kind);
    const auto a = f.a._version(), b = f.b._version();
    optimizer->Step(0.01, f.fine);
    EXPECT_GT(f.a._version(), a) << kind;
    EXPECT_GT(f.b._version(), b) << kind;
  }
}

TEST(Optimizer, ANonFiniteStepChangesNothing) {
  for (const char* kind : {"adamw", "adam", "sgd"}) {
    Fixture f;
    auto optimizer = f.Make(kind);
    optimizer->Step(0.01, f.fine);
    const at::Tensor a = f.a.detach().clone(), b = f.b.detach().clone();
    const auto state = f.Copy(*optimizer);
    f.grad_a.fill_(std::numeric_limits<float>::quiet_NaN());
    optimizer->Step(0.01, f.broken);
    EXPECT_TRUE(at::equal(a, f.a)) << kind;
    EXPECT_TRUE(at::equal(b, f.b)) << kind;
    for (const auto& t : optimizer->State())
      EXPECT_TRUE(at::equal(state.at(t.name), t.tensor)) << kind << t.name;
  }
}

TEST(Optimizer, ASkippedStepLeavesNoTraceInLaterOnes) {
  Fixture with, without;
  auto one = with.Make("adamw"), two = without.Make("adamw");
  one->Step(0.01, with.fine);
  one->Step(0.01, with.broken);
  one->Step(0.02, with.fine);
  two->Step(0.01, without.fine);
  two->Step(0.02, without.fine);
  EXPECT_TRUE(at::equal(with.a, without.a));
  EXPECT_TRUE(at::equal(with.b, without.b));
}

TEST(Optimizer, ARestoredStateContinuesBitForBit) {
  for (const char* kind : {"adamw", "adam", "sgd"}) {
    Fixture straight, first, second;
    auto whole = straight.Make(kind);
    for (int i = 0; i < 6; ++i) whole->Step(0.01, straight.fine);
    auto head = first.Make(kind);
    for (int i = 0; i < 3; ++i) head->Step(0.01, first.fine);
    auto tail = second.Make(kind);
    second.a.detach().copy_(first.a);
    second.b.detach().copy_(first.b);
    CopyTensors(first.Copy(*head), tail->State(), "optimizer.safetensors");
    for (int i = 0; i < 3; ++i) tail->Step(0.01, second.fine);
    EXPECT_TRUE(at::equal(straight.a, second.a)) << kind;
    EXPECT_TRUE(at::equal(straight.b, second.b)) << kind;
  }
}

TEST(Optimizer, AnotherModelsStateIsRefused) {
  Fixture f;
  auto optimizer = f.Make("adamw");
  auto missing = f.Copy(*optimizer);
  missing.erase("b.exp_avg_sq");
  EXPECT_THROW(CopyTensors(missing, optimizer->State(), "o"), Error);
  auto shape = f.Copy(*optimizer);
  shape["a.exp_avg"] = at::zeros({5});
  EXPECT_THROW(CopyTensors(shape, optimizer->State(), "o"), Error);
  auto extra = f.Copy(*optimizer);
  extra["c.exp_avg"] = at::zeros({5});
  EXPECT_THROW(CopyTensors(extra, optimizer->State(), "o"), Error);
}

}  // namespace
}  // namespace graticule
