// The average against its weights written as products; over a training of the real program it is
// tests/mpi/ema_test.py.
#include "trainer/optim/weight_average.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "trainer/checkpoint/tensor_file.h"

namespace graticule {
namespace {

struct Model {
  at::Tensor a = at::tensor({1.0f, -2.0f}).requires_grad_(true);
  at::Tensor b = at::full({}, 0.5f).requires_grad_(true);
  at::Tensor fine = at::zeros({1}), broken = at::ones({1});

  WeightAverage Average(double decay) { return {decay, {{"a", a}, {"b", b}}}; }
  void Set(float first, float second, float scalar) const {
    a.detach().copy_(at::tensor({first, second}));
    b.detach().fill_(scalar);
  }
};

at::Tensor Of(const WeightAverage& average, const std::string& name) {
  for (const NamedTensor& t : average.State())
    if (t.name == name) return t.tensor;
  return {};
}

// What value k (0: the start, then one per update) counts in the average after `updates` updates.
double Share(int k, int updates, double decay) {
  const auto d = [&](int n) { return std::min(decay, (1.0 + n) / (10.0 + n)); };
  double share = k == 0 ? 1 : 1 - d(k - 1);
  for (int n = k; n < updates; ++n) share *= d(n);
  return share;
}

TEST(WeightAverage, EveryValueCountsByTheProductOfLaterDecays) {
  // 0.05: below the growing decay from the start; 0.5: from update 8 on; 0.999: never within these.
  for (const double decay : {0.05, 0.5, 0.999}) {
    Model m;
    WeightAverage average = m.Average(decay);
    constexpr int kUpdates = 40;
    double expected = Share(0, kUpdates, decay) * 1.0, scalar = Share(0, kUpdates, decay) * 0.5;
    for (int k = 1; k <= kUpdates; ++k) {
      m.Set(static_cast<float>(k * k), 3, std::sin(static_cast<float>(k)));
      average.Update(m.fine);
      expected += Share(k, kUpdates, decay) * k * k;
      scalar += Share(k, kUpdates, decay) * std::sin(static_cast<float>(k));
    }
    EXPECT_NEAR(Of(average, "a")[0].item<float>() / expected, 1, 1e-5) << decay;
    EXPECT_NEAR(Of(average, "b").item<float>(), scalar, 1e-5) << decay;
    EXPECT_EQ(Of(average, "updates").item<float>(), kUpdates);
  }
}

TEST(WeightAverage, AStepThatWasSkippedDoesNotCount) {
  Model with, without;
  WeightAverage one = with.Average(0.9), two = without.Average(0.9);
  for (int k = 1; k <= 5; ++k) {
    for (const Model* m : {&with, &without}) m->Set(0.1f * static_cast<float>(k), 2, -1);
    one.Update(with.fine);
    two.Update(without.fine);
    const at::Tensor before = Of(one, "a").clone();
    with.Set(7, 7, 7);
    one.Update(with.broken);
    EXPECT_TRUE(at::equal(before, Of(one, "a")));
  }
  for (const char* name : {"a", "b", "updates"}) EXPECT_TRUE(at::equal(Of(one, name), Of(two, name))) << name;
}

TEST(WeightAverage, TheModelComputesWithTheAverageAndGetsItsWeightsBack) {
  Model m;
  WeightAverage average = m.Average(0.9);
  m.Set(0.3f, 5, 4);
  average.Update(m.fine);  // 0.1 of the start, 0.9 of these
  const at::Tensor weights = m.a.detach().clone(), averages = Of(average, "a").clone();
  const auto version = m.a._version();
  {
    const WithAverage averaged(&average);
    EXPECT_NEAR(m.a[0].item<float>(), 0.1 * 1 + 0.9 * 0.3, 1e-6);
    EXPECT_NEAR(m.b.item<float>(), 0.1 * 0.5 + 0.9 * 4, 1e-6);
    EXPECT_GT(m.a._version(), version) << "casts of the weights would stay those of before";
  }
  EXPECT_TRUE(at::equal(m.a, weights));
  EXPECT_TRUE(at::equal(Of(average, "a"), averages));
  const WithAverage none(nullptr);
  EXPECT_TRUE(at::equal(m.a, weights));
}

TEST(WeightAverage, ARestoredStateContinuesBitForBit) {
  Model straight, first, second;
  WeightAverage whole = straight.Average(0.9), head = first.Average(0.9);
  const auto step = [](const Model& m, WeightAverage& average, int k) {
    m.Set(std::sin(static_cast<float>(k)), static_cast<float>(k), 1.0f / static_cast<float>(k));
    average.Update(m.fine);
  };
  for (int k = 1; k <= 6; ++k) step(straight, whole, k);
  for (int k = 1; k <= 3; ++k) step(first, head, k);
  std::map<std::string, at::Tensor> saved;
  for (const NamedTensor& t : head.State()) saved[t.name] = t.tensor.clone();
  WeightAverage tail = second.Average(0.9);
  CopyTensors(saved, tail.State(), "ema.safetensors");
  for (int k = 4; k <= 6; ++k) step(second, tail, k);
  for (const char* name : {"a", "b", "updates"})
    EXPECT_TRUE(at::equal(Of(whole, name), Of(tail, name))) << name;
}

TEST(WeightAverage, BegunAgainItKnowsOnlyTheWeightsOfNow) {
  Model m;
  WeightAverage average = m.Average(0.9);
  for (int k = 0; k < 3; ++k) average.Update(m.fine);
  m.Set(9, 8, 7);
  average.Restart();
  EXPECT_TRUE(at::equal(Of(average, "a"), m.a));
  EXPECT_EQ(Of(average, "updates").item<float>(), 0);
}

}  // namespace
}  // namespace graticule
