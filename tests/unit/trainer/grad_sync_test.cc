#include "trainer/sync/grad_sync.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>

#include "base/error.h"
#include "trainer/comm/fake_communicator.h"

namespace graticule {
namespace {

// Shapes that leave padding behind, cross bucket limits and include a scalar.
struct Net {
  std::vector<NamedTensor> parameters;
  explicit Net(at::ScalarType dtype = at::kFloat) {
    int seed = 0;
    const auto add = [&](const char* name, at::IntArrayRef shape) {
      int64_t numel = 1;
      for (const int64_t s : shape) numel *= s;
      at::Tensor t =
          at::sin(at::arange(numel, at::kDouble) * (1.3 + seed++) + 1).mul(0.3).to(dtype).view(shape);
      parameters.push_back({name, t.set_requires_grad(true)});
    };
    add("w1", {37, 12});
    add("b1", {37});
    add("w2", {5, 37});
    add("b2", {5});
    add("scale", {});
  }
  at::Tensor Loss(const at::Tensor& x) const {
    const auto p = [&](int i) { return parameters[i].tensor.to(at::kFloat); };
    const at::Tensor h = at::tanh(at::addmm(p(1), x, p(0).t()));
    return (at::addmm(p(3), h, p(2).t()) * p(4)).square().sum();
  }
  std::vector<at::Tensor> tensors() const {
    std::vector<at::Tensor> all;
    for (const NamedTensor& p : parameters) all.push_back(p.tensor);
    return all;
  }
};

// Another input for every rank and micro-batch.
at::Tensor Input(int k) { return at::cos(at::arange(8 * 12, at::kFloat) * (0.7 + k)).view({8, 12}); }

// What the gradient of the global sum is, from one process and plain autograd.
std::vector<at::Tensor> Expected(int micro_batches) {
  const Net net;
  at::Tensor loss = net.Loss(Input(0));
  for (int k = 1; k < micro_batches; ++k) loss = loss + net.Loss(Input(k));
  loss.backward();
  std::vector<at::Tensor> grads;
  for (const at::Tensor& t : net.tensors()) grads.push_back(t.grad().clone());
  return grads;
}

CommConfig Small() {
  CommConfig config;
  config.first_bucket_mb = 0.0005;  // 524 bytes
  config.bucket_mb = 0.0002;        // smaller than one aligned parameter
  return config;
}

double RelativeError(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).norm() / b.norm().clamp_min(1e-12)).item<double>();
}

void ExpectSums(int ranks, int accumulation, const CommConfig& config, double tolerance, int steps = 2) {
  const auto expected = Expected(ranks * accumulation);
  auto data = MakeFakeCommunicators(ranks), control = MakeFakeCommunicators(ranks);
  RunRanks(
      ranks,
      [&](int r) {
        const Net net;
        GradSync sync(net.parameters, *data[r], *control[r], config);
        for (int step = 0; step < steps; ++step) {
          sync.ZeroGrads();
          for (int m = 0; m < accumulation; ++m) {
            sync.BeginBackward(m + 1 == accumulation);
            net.Loss(Input(r * accumulation + m)).backward();
          }
          sync.FinishCollective();
          double squares = 0;
          for (size_t i = 0; i < expected.size(); ++i) {
            EXPECT_LE(RelativeError(net.parameters[i].tensor.grad(), expected[i]), tolerance)
                << net.parameters[i].name << " step " << step;
            EXPECT_EQ(net.parameters[i].tensor.grad().data_ptr(), sync.GradOf(i).data_ptr());
            squares += std::pow(expected[i].norm().item<double>(), 2);
          }
          EXPECT_NEAR(sync.flat().norm().item<double>() / std::sqrt(squares), 1, std::max(tolerance, 1e-6));
        }
      },
      [&] {
        data[0]->Abort();
        control[0]->Abort();
      });
}

TEST(GradSync, SumsGradientsOfAllRanks) {
  for (const int ranks : {1, 2, 4}) ExpectSums(ranks, 1, Small(), 1e-6);
}

TEST(GradSync, ReducesOnlyAfterTheLastMicroBatch) { ExpectSums(2, 3, Small(), 1e-6); }

TEST(GradSync, GivesTheSameWithoutOverlapAndInOneBucket) {
  CommConfig config = Small();
  config.overlap = false;
  ExpectSums(4, 2, config, 1e-6);
  ExpectSums(2, 2, CommConfig{}, 1e-6);
}

TEST(GradSync, Bf16OnTheWireCostsItsRounding) {
  CommConfig config = Small();
  config.grad_dtype = "bf16";
  ExpectSums(2, 1, config, 1.0 / 128);
}

TEST(GradSync, LaysBucketsInReverseOrderAtAlignedPlaces) {
  auto single = MakeSingleCommunicator();
  const Net net;
  GradSync sync(net.parameters, *single, *single, Small());
  ASSERT_EQ(sync.buckets().size(), 3u);
  EXPECT_EQ(sync.buckets()[0].parameters, (std::vector<size_t>{4, 3, 2}));  // 256 + 256 + 740 -> 1280 bytes
  EXPECT_EQ(sync.buckets()[1].parameters, (std::vector<size_t>{1}));
  EXPECT_EQ(sync.buckets()[2].parameters, (std::vector<size_t>{0}));
  EXPECT_EQ(sync.buckets()[1].begin, 320);
  int64_t total = 0;
  for (size_t i = 0; i < net.parameters.size(); ++i) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(sync.GradOf(i).data_ptr()) % 256, 0u);
    total += (net.parameters[i].tensor.numel() + 63) / 64 * 64;
  }
  EXPECT_EQ(sync.flat().numel(), total);
}

TEST(GradSync, PaddingStaysZero) {
  auto single = MakeSingleCommunicator();
  const Net net;
  GradSync sync(net.parameters, *single, *single, Small());
  sync.ZeroGrads();
  sync.BeginBackward(true);
  net.Loss(Input(0)).backward();
  sync.FinishCollective();
  at::Tensor rest = sync.flat().clone();
  for (size_t i = 0; i < net.parameters.size(); ++i) {
    const int64_t begin = sync.GradOf(i).storage_offset() - sync.flat().storage_offset();
    rest.narrow(0, begin, net.parameters[i].tensor.numel()).zero_();
  }
  EXPECT_EQ(rest.abs().max().item<float>(), 0.0f);
  EXPECT_GT(sync.flat().norm().item<float>(), 0.0f);
}

TEST(GradSync, Bf16ParametersHaveFp32Gradients) {
  auto data = MakeFakeCommunicators(2), control = MakeFakeCommunicators(2);
  const auto expected = Expected(4);
  RunRanks(2, [&](int r) {
    const Net net(at::kBFloat16);
    GradSync sync(net.parameters, *data[r], *control[r], Small());
    sync.ZeroGrads();
    for (int m = 0; m < 2; ++m) {
      sync.BeginBackward(m == 1);
      net.Loss(Input(2 * r + m)).backward();
    }
    sync.FinishCollective();
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(sync.GradOf(i).scalar_type(), at::kFloat);
      EXPECT_LE(RelativeError(sync.GradOf(i), expected[i]), 0.05) << net.parameters[i].name;
    }
  });
}

TEST(GradSync, ParameterWithoutGradientIsNamedOnAllRanks) {
  auto data = MakeFakeCommunicators(2), control = MakeFakeCommunicators(2);
  std::atomic<int> named{0};
  RunRanks(2, [&](int r) {
    Net net;
    net.parameters.push_back({"heads.unused", at::zeros({3}).set_requires_grad(true)});
    GradSync sync(net.parameters, *data[r], *control[r], Small());
    sync.ZeroGrads();
    sync.BeginBackward(true);
    at::Tensor loss = net.Loss(Input(r));
    if (r == 0) loss = loss + net.parameters.back().tensor.sum();  // only rank 1 leaves it out
    loss.backward();
    try {
      sync.FinishCollective();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kBug);
      named += std::string(error.what()).find("rank 1: trainable parameters got no gradient") !=
                   std::string::npos &&
               error.message().find("heads.unused") != std::string::npos;
    }
  });
  EXPECT_EQ(named, 2);
}

TEST(GradSync, LaterStepsMayLeaveAParameterOutOnOneRank) {
  auto data = MakeFakeCommunicators(2), control = MakeFakeCommunicators(2);
  RunRanks(2, [&](int r) {
    Net net;
    net.parameters.push_back({"heads.masked", at::zeros({3}).set_requires_grad(true)});
    GradSync sync(net.parameters, *data[r], *control[r], Small());
    for (int step = 0; step < 2; ++step) {
      sync.ZeroGrads();
      sync.BeginBackward(true);
      at::Tensor loss = net.Loss(Input(r));
      if (step == 0 || r == 0) loss = loss + 2 * net.parameters.back().tensor.sum();
      loss.backward();
      sync.FinishCollective();
      EXPECT_EQ(sync.GradOf(5)[0].item<float>(), step == 0 ? 4.0f : 2.0f);
    }
  });
}

TEST(GradSync, RefusesRanksThatTrainDifferentThings) {
  auto data = MakeFakeCommunicators(2), control = MakeFakeCommunicators(2);
  std::atomic<int> refused{0};
  RunRanks(2, [&](int r) {
    Net net;
    if (r == 1) net.parameters.pop_back();
    try {
      GradSync sync(net.parameters, *data[r], *control[r], Small());
    } catch (const Error&) {
      ++refused;
    }
  });
  EXPECT_EQ(refused, 2);
}

TEST(GradSync, LeavesNoHookBehind) {
  auto single = MakeSingleCommunicator();
  const Net net;
  at::Tensor loss = net.Loss(Input(0));
  { GradSync sync(net.parameters, *single, *single, Small()); }
  for (at::Tensor t : net.tensors()) t.mutable_grad() = at::Tensor();
  loss.backward();
  EXPECT_LE(RelativeError(net.parameters[0].tensor.grad(), Expected(1)[0]), 1e-6);
}

}  // namespace
}  // namespace graticule
