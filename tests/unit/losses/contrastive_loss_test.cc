#include "losses/contrastive/contrastive_loss.h"

#include <ATen/ATen.h>
#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <cmath>
#include <memory>

namespace graticule {
namespace {

ContrastiveConfig Config(double beta, double tau_plus, bool detach = true, double gps_to_image = 0) {
  ContrastiveConfig config;
  config.beta = beta, config.tau_plus = tau_plus, config.detach = detach, config.gps_to_image = gps_to_image;
  return config;
}

at::Tensor Leaf(const at::Tensor& values, at::ScalarType type) {
  return values.to(type).requires_grad_(true);
}

std::vector<LatLon> FarApart(int64_t count, double lat_deg) {
  std::vector<LatLon> places;
  for (int64_t i = 0; i < count; ++i) places.push_back({lat_deg, static_cast<double>(i % 360) - 180});
  return places;
}

double Sum(const ContrastiveLoss& loss, const ContrastiveRows& rows, const ContrastivePlaces& places) {
  const at::Tensor sum = loss.SumCollective(rows, places, *MakeSingleCommunicator()).sum;
  sum.backward();
  return sum.item<double>();
}

// One image whose logits are [2, 1, 0, -1] at a scale of 14, the positive first and three candidates.
struct KnownRow {
  double loss = 0;
  std::vector<double> gradient;  // d loss / d logits

  KnownRow(const std::string& kind, const ContrastiveConfig& config, at::ScalarType type) {
    const at::Tensor cosines = at::tensor({2.0, 1.0, 0.0, -1.0}, at::kDouble) / 14;
    const at::Tensor columns =
        at::cat({cosines.unsqueeze(1), at::diag((1 - cosines * cosines).sqrt())}, 1);  // unit rows of width 5
    ContrastiveRows rows;
    rows.images_ID = Leaf(at::eye(5, at::kDouble).narrow(0, 0, 1), type);
    rows.places_BD = Leaf(columns.narrow(0, 0, 1), type);
    rows.candidates_SD = Leaf(columns.narrow(0, 1, 3), type);
    rows.log_scale = Leaf(at::scalar_tensor(std::log(14.0), at::kDouble), type);
    loss = Sum(ContrastiveLoss(kind, config), rows, {FarApart(1, 0), {}, FarApart(3, 30), {}, {}, {}});
    // The image is the first axis: d / d column = G s on it.
    const at::Tensor g =
        at::cat({rows.places_BD.grad(), rows.candidates_SD.grad()}).select(1, 0).to(at::kDouble) / 14;
    for (int64_t i = 0; i < 4; ++i) gradient.push_back(g[i].item<double>());
  }
};

TEST(ContrastiveLoss, GivesKnownValuesInBothTypes) {
  const struct {
    std::string kind;
    double beta, tau_plus, loss;
  } known[] = {{"infonce", 0, 0, 0.4401897},      {"weighted_seed", 1, 0, 0.8039593},
               {"weighted_add", 1, 0, 0.6135593}, {"hcl", 1, 0, 0.6135593},
               {"hcl", 1, 0.1, 0.4748486},        {"dcl", 0, 0.1, 0.2477293},
               {"hcl", 2, 0.1, 0.5795108},        {"hcl", 1, 0.3, 3.37605e-7}};
  for (const auto& row : known) {
    const ContrastiveConfig config = Config(row.beta, row.tau_plus);
    EXPECT_NEAR(KnownRow(row.kind, config, at::kDouble).loss, row.loss, 6e-8) << row.kind << row.tau_plus;
    EXPECT_NEAR(KnownRow(row.kind, config, at::kFloat).loss, row.loss, 6e-7) << row.kind << row.tau_plus;
  }
}

TEST(ContrastiveLoss, GivesKnownGradientsWithAndWithoutDetachedWeights) {
  const std::vector<double> detached = {-0.5853472, 0.5073867, 0.0686673, 0.0092931};
  const std::vector<double> through = {-0.5853472, 0.6253766, -0.0059165, -0.0341129};
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    for (size_t i = 0; i < 4; ++i) {
      EXPECT_NEAR(KnownRow("hcl", Config(1, 0.1, true), type).gradient[i], detached[i], 6e-7);
      EXPECT_NEAR(KnownRow("hcl", Config(1, 0.1, false), type).gradient[i], through[i], 6e-7);
    }
  }
}

// Random unit rows; images look a little like their places.
ContrastiveRows Batch(int64_t count, int64_t width, at::ScalarType type) {
  at::manual_seed(7);
  const auto unit = [](const at::Tensor& x) { return x / x.norm(2, {1}, true); };
  const at::Tensor places = unit(at::randn({count, width}, at::kDouble));
  ContrastiveRows rows;
  rows.images_ID = Leaf(unit(places + 0.3 * at::randn({count, width}, at::kDouble)), type);
  rows.places_BD = Leaf(places, type);
  rows.log_scale = Leaf(at::scalar_tensor(std::log(20.0), at::kDouble), type);
  return rows;
}

void ExpectNear(const at::Tensor& ours, const at::Tensor& expected, double bound) {
  EXPECT_LE((ours.to(at::kDouble) - expected).norm().item<double>(), bound * expected.norm().item<double>());
}

// 70 rows in blocks of 9 and one of 7: nothing is a multiple of a vector.
TEST(ContrastiveLoss, BothWaysFromOneMatrixAreTheTwoCrossEntropies) {
  constexpr int64_t kCount = 70;
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    const ContrastiveRows rows = Batch(kCount, 24, type), plain = Batch(kCount, 24, at::kDouble);
    const at::Tensor logits = plain.log_scale.exp() * plain.images_ID.mm(plain.places_BD.t());
    const at::Tensor expected = -0.75 * at::log_softmax(logits, 1).diagonal().sum() -
                                0.25 * at::log_softmax(logits, 0).diagonal().sum();
    expected.backward();
    const ContrastiveLoss loss("infonce", Config(0, 0, true, 0.25), 9 * kCount);
    const double bound = type == at::kDouble ? 1e-12 : 3e-6;
    EXPECT_NEAR(Sum(loss, rows, {FarApart(kCount, 0), {}, {}, {}, {}, {}}), expected.item<double>(),
                bound * expected.item<double>());
    ExpectNear(rows.images_ID.grad(), plain.images_ID.grad(), bound);
    ExpectNear(rows.places_BD.grad(), plain.places_BD.grad(), bound);
    ExpectNear(rows.log_scale.grad(), plain.log_scale.grad(), 10 * bound);
  }
}

// A sample without a place is neither a row nor a column, in either direction: as if it were not there.
TEST(ContrastiveLoss, BothWaysPassOverSamplesWithoutAPlace) {
  constexpr int64_t kCount = 20;
  const ContrastiveRows rows = Batch(kCount, 8, at::kFloat), all = Batch(kCount, 8, at::kDouble);
  std::vector<LatLon> places = FarApart(kCount, 0);
  places[3].lat_deg = std::nan("");
  const at::Tensor kept = at::cat({at::arange(3, at::kLong), at::arange(4, kCount, at::kLong)});
  const at::Tensor logits =
      all.log_scale.exp() * all.images_ID.index_select(0, kept).mm(all.places_BD.index_select(0, kept).t());
  const at::Tensor expected =
      -0.5 * (at::log_softmax(logits, 1) + at::log_softmax(logits, 0)).diagonal().sum();
  expected.backward();
  const ContrastiveLoss loss("infonce", Config(0, 0, true, 0.5), 6 * kCount);
  EXPECT_NEAR(Sum(loss, rows, {places, {}, {}, {}, {}, {}}), expected.item<double>(), 1e-4);
  ExpectNear(rows.images_ID.grad(), all.images_ID.grad(), 1e-5);
  ExpectNear(rows.places_BD.grad(), all.places_BD.grad(), 1e-5);
}

// Told by the allocator of every tensor's memory on this thread.
class PeakBytes : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void*, int64_t size, size_t, size_t, c10::Device) override {
    live_ += size;
    peak = std::max(peak, live_);
  }
  bool memoryProfilingEnabled() const override { return true; }
  int64_t peak = 0;

 private:
  int64_t live_ = 0;
};

int64_t PeakOf(const ContrastiveLoss& loss, int64_t count) {
  const ContrastiveRows rows = Batch(count, 8, at::kFloat);
  const ContrastivePlaces places = {FarApart(count, 0), {}, {}, {}, {}, {}};
  const auto peak = std::make_shared<PeakBytes>();
  const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, peak);
  Sum(loss, rows, places);
  return peak->peak;
}

TEST(ContrastiveLoss, MemoryGrowsWithTheBatchAndNotWithItsSquare) {
  for (const char* kind : {"hcl", "triplet"}) {
    for (const double share : {0.0, 0.5}) {
      const ContrastiveLoss loss(kind, Config(1, 0.02, true, share), 1 << 17);
      const int64_t small = PeakOf(loss, 512), large = PeakOf(loss, 2048);
      EXPECT_GT(small, 4 << 17) << kind;  // one block at least is seen
      EXPECT_LE(large, 4 * small) << kind << " both ways " << share;
    }
  }
}

TEST(ContrastiveLoss, HoldsAnEighthOfTheLogitsOfALargeBatchByItself) {
  constexpr int64_t kCount = 8192;
  EXPECT_LT(PeakOf(ContrastiveLoss("infonce", Config(0, 0, true, 0.5)), kCount), kCount * kCount * 4 / 8);
}

}  // namespace
}  // namespace graticule
