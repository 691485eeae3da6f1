// The step over in-process ranks, with a small linear recipe whose gradients are known.
#include "trainer/step/train_step.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <mutex>

#include "base/error.h"
#include "trainer/comm/fake_communicator.h"

namespace graticule {
namespace {

constexpr int64_t kRows = 8;

// Images of one pixel; one term per colour channel, masked by climate == -1 and month == -1.
class LinearRecipe : public Recipe {
 public:
  LinearRecipe() {
    weight_ = at::tensor({0.5f, -1.0f, 2.0f}).view({3, 1}).requires_grad_(true);
    bias_ = at::tensor({0.25f}).requires_grad_(true);
  }
  std::string name() const override { return "linear"; }
  std::map<std::string, double> Weights(const Batch& b) const override {
    double first = 0, second = 0;
    for (int64_t i = 0; i < b.size; ++i) {
      first += b.climate[i] >= 0;
      second += b.month[i] >= 0;
    }
    return {{"first", first}, {"second", second}};
  }
  std::vector<at::Tensor> Encode(const EncoderInput& input) override {
    return {at::matmul(input.images_B3HW.flatten(1), weight_).add(bias_).squeeze(1)};
  }
  std::string TowerOutputName() const override { return ""; }
  std::string TowerHash() const override { return ""; }
  std::vector<LossTerm> Terms(const std::vector<at::Tensor>& outputs, const Batch& b,
                              Communicator&) override {
    at::Tensor first = at::zeros({b.size}), second = at::zeros({b.size});
    for (int64_t i = 0; i < b.size; ++i) {
      first[i] = b.climate[i] >= 0 ? 1.0 : 0.0;
      second[i] = b.month[i] >= 0 ? 1.0 : 0.0;
    }
    at::Tensor square = outputs[0].square().mul(first).sum();
    if (poison_) square = square * std::numeric_limits<float>::quiet_NaN();
    return {{"first", square, 1.0}, {"second", outputs[0].mul(second).sum(), 3.0}};
  }
  bool additive() const override { return true; }
  std::vector<std::vector<Prediction>> Predict(const std::vector<at::Tensor>&, int, double) override {
    return {};
  }
  std::vector<ParameterGroup> Groups() override { return {{"all", Parameters(), 1.0, false}}; }
  std::vector<NamedTensor> Parameters() override { return {{"weight", weight_}, {"bias", bias_}}; }
  std::string State() const override { return "{}"; }
  VisionTower& tower() override { throw Error(ErrorCode::kBug, "there is no tower"); }

  bool poison_ = false;
  at::Tensor weight_, bias_;
};

// Rows [begin, begin + count) of one fixed batch.
struct Data {
  std::vector<uint8_t> pixels;
  Batch batch;
  Data() {
    for (int64_t i = 0; i < kRows * 3; ++i) pixels.push_back(static_cast<uint8_t>(37 * i % 251));
    batch.size = kRows;
    batch.image_size = 1;
    batch.images_BVHWC = pixels.data();
    batch.places.resize(kRows);
    batch.position.resize(kRows);
    batch.record.resize(kRows);
    batch.aux_B6.resize(kRows * 6);
    batch.climate = {0, -1, 2, 3, -1, -1, 6, 7};   // 5 labels
    batch.month = {-1, -1, -1, -1, -1, 1, -1, 1};  // 2 labels, both in the last ranks
  }
};

Batch RowsOf(const Batch& b, int64_t begin, int64_t count) {
  Batch part = b;
  part.size = count;
  part.images_BVHWC = b.images_BVHWC + begin * 3;
  part.climate = {b.climate.begin() + begin, b.climate.begin() + begin + count};
  part.month = {b.month.begin() + begin, b.month.begin() + begin + count};
  part.places.resize(count);
  part.position.resize(count);
  part.record.resize(count);
  part.aux_B6.resize(count * 6);
  return part;
}

struct Result {
  std::vector<StepOutcome> outcomes;
  std::vector<at::Tensor> weights;  // per rank
};

// `steps` steps of SGD on `ranks` ranks; `poisoned` names a rank whose loss is NaN in step 1 (from 0).
Result TrainTiny(int ranks, int64_t micro, int steps = 3, int poisoned = -1, double clip = 0) {
  Data data;
  auto control = MakeFakeCommunicators(ranks), transport = MakeFakeCommunicators(ranks);
  Result result;
  result.weights.resize(ranks);
  std::mutex mutex;
  RunRanks(ranks, [&](int rank) {
    LinearRecipe recipe;
    OptimConfig optim;
    optim.kind = "sgd";
    optim.momentum = 0.9;
    GradSync sync(recipe.Parameters(), *transport[rank], *control[rank], CommConfig{});
    const auto optimizer =
        Optimizer::Create(optim, recipe.Groups(), {{"weight", sync.GradOf(0)}, {"bias", sync.GradOf(1)}});
    TrainStep step(recipe, *optimizer, sync, *control[rank], *transport[rank], {micro, clip, c10::kCPU});
    for (int s = 0; s < steps; ++s) {
      StepRequest request;
      request.save = rank == ranks - 1 && s == 1;
      recipe.poison_ = rank == poisoned && s == 1;
      step.RunCollective(RowsOf(data.batch, rank * kRows / ranks, kRows / ranks), 0, 0.01, request);
      EXPECT_EQ(request.save, s == 1) << "what one rank asks for, all ranks do";
      EXPECT_FALSE(request.stop);
    }
    const std::lock_guard lock(mutex);
    result.weights[rank] = at::cat({recipe.weight_.detach().flatten(), recipe.bias_.detach()});
    while (const auto outcome = step.ReadOutcome()) {
      if (rank == 0) result.outcomes.push_back(*outcome);
    }
  });
  return result;
}

TEST(TrainStep, FirstStepEqualsTheGradientByHand) {
  Data data;
  // objective = mean over climate rows of z^2 + 3 * mean over month rows of z, in double.
  double w[4] = {0.5, -1.0, 2.0, 0.25}, grad[4] = {}, loss = 0;
  const double mean[3] = {0.48145466, 0.4578275, 0.40821073},
               deviation[3] = {0.26862954, 0.26130258, 0.27577711};
  for (int64_t i = 0; i < kRows; ++i) {
    double x[4] = {0, 0, 0, 1}, z = 0;
    for (int c = 0; c < 3; ++c) x[c] = (data.pixels[i * 3 + c] / 255.0 - mean[c]) / deviation[c];
    for (int c = 0; c < 4; ++c) z += x[c] * w[c];
    if (data.batch.climate[i] >= 0) {
      loss += z * z / 5;
      for (int c = 0; c < 4; ++c) grad[c] += 2 * z * x[c] / 5;
    }
    if (data.batch.month[i] >= 0) {
      loss += 3 * z / 2;
      for (int c = 0; c < 4; ++c) grad[c] += 3 * x[c] / 2;
    }
  }
  const Result r = TrainTiny(1, 0, 1);
  ASSERT_EQ(r.outcomes.size(), 1u);
  EXPECT_NEAR(r.outcomes[0].loss, loss, 1e-5 * std::abs(loss));
  double norm = 0;
  for (int c = 0; c < 4; ++c) {
    norm += grad[c] * grad[c];
    EXPECT_NEAR(r.weights[0][c].item<float>(), w[c] - 0.01 * grad[c], 1e-5);
  }
  EXPECT_NEAR(r.outcomes[0].grad_norm, std::sqrt(norm), 1e-4);
}

TEST(TrainStep, RanksAndMicroBatchesDoNotChangeTheObjective) {
  const Result one = TrainTiny(1, 0);
  for (const auto& [ranks, micro] : {std::pair{1, 2}, {2, 0}, {2, 1}, {4, 0}, {4, 1}, {8, 0}}) {
    const Result many = TrainTiny(ranks, micro);
    for (size_t s = 0; s < one.outcomes.size(); ++s) {
      EXPECT_NEAR(many.outcomes[s].loss, one.outcomes[s].loss, 1e-5 * std::abs(one.outcomes[s].loss))
          << ranks << micro;
      EXPECT_NEAR(many.outcomes[s].terms.at("second"), one.outcomes[s].terms.at("second"), 1e-5);
    }
    for (const at::Tensor& w : many.weights) {
      EXPECT_TRUE(at::equal(w, many.weights[0])) << "ranks differ";
      EXPECT_TRUE(at::allclose(w, one.weights[0], 1e-5, 1e-6)) << ranks << " " << micro;
    }
  }
}

TEST(TrainStep, ANanOnOneRankIsSkippedByAll) {
  const Result bad = TrainTiny(4, 1, 3, /*poisoned=*/2);
  ASSERT_EQ(bad.outcomes.size(), 3u);
  EXPECT_TRUE(bad.outcomes[0].finite);
  EXPECT_FALSE(bad.outcomes[1].finite);
  EXPECT_TRUE(bad.outcomes[2].finite);
  const Result good = TrainTiny(4, 1, 2);  // the same without the skipped step
  for (const at::Tensor& w : bad.weights) EXPECT_TRUE(at::equal(w, good.weights[0]));
}

TEST(TrainStep, TheAverageFollowsEachUpdateAndNoSkippedStep) {
  Data data;
  LinearRecipe recipe;
  auto control = MakeFakeCommunicators(1), transport = MakeFakeCommunicators(1);
  OptimConfig optim;
  optim.kind = "sgd";
  GradSync sync(recipe.Parameters(), *transport[0], *control[0], CommConfig{});
  const auto optimizer =
      Optimizer::Create(optim, recipe.Groups(), {{"weight", sync.GradOf(0)}, {"bias", sync.GradOf(1)}});
  WeightAverage average(0.999, recipe.Parameters());
  TrainStep step(recipe, *optimizer, sync, *control[0], *transport[0], {.average = &average});
  const auto run = [&](bool poison) {
    StepRequest request;
    recipe.poison_ = poison;
    step.RunCollective(data.batch, 0, 0.01, request);
  };
  const at::Tensor start = recipe.weight_.detach().clone(), averaged = average.State()[1].tensor;
  run(false);
  const at::Tensor one = recipe.weight_.detach().clone();
  EXPECT_TRUE(at::allclose(averaged, 0.1 * start + 0.9 * one, 1e-6, 1e-7));
  run(true);
  EXPECT_TRUE(at::allclose(averaged, 0.1 * start + 0.9 * one, 1e-6, 1e-7));
  run(false);
  const at::Tensor two = recipe.weight_.detach();
  const double d = 2.0 / 11;
  EXPECT_TRUE(at::allclose(averaged, d * (0.1 * start + 0.9 * one) + (1 - d) * two, 1e-6, 1e-7));
}

TEST(TrainStep, ClippingBoundsTheUpdateAndReportsTheNormBefore) {
  const Result free = TrainTiny(2, 0, 1), clipped = TrainTiny(2, 0, 1, -1, 0.5);
  EXPECT_EQ(free.outcomes[0].grad_norm, clipped.outcomes[0].grad_norm);
  const at::Tensor start = at::tensor({0.5f, -1.0f, 2.0f, 0.25f});
  EXPECT_NEAR((clipped.weights[0] - start).norm().item<float>(), 0.01 * 0.5, 1e-5);
}

}  // namespace
}  // namespace graticule
