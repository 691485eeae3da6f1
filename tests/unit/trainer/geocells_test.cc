#include "trainer/recipes/geocells.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace graticule {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr float kNanF = std::numeric_limits<float>::quiet_NaN();

// Records with labels in some columns only.
class FakeDataset : public Dataset {
 public:
  explicit FakeDataset(std::vector<RecordMeta> records) : records_(std::move(records)) {}
  int64_t size() const override { return static_cast<int64_t>(records_.size()); }
  LatLon place(int64_t r) const override { return records_[r].place; }
  RecordMeta meta(int64_t r) const override { return records_[r]; }
  std::string id(int64_t record) const override { return std::to_string(record); }
  uint32_t image_bytes(int64_t) const override { return 0; }
  void ReadImage(int64_t, std::vector<uint8_t>&) const override {}
  RecordKeys keys(int64_t) const override { return {}; }
  RecordAddress Address(int64_t record) const override { return {0, 0, record}; }
  std::vector<DatasetFolder> folders() const override { return {}; }
  std::string Locate(int64_t) const override { return ""; }
  std::string Sha256() const override { return ""; }
  double Coverage(const std::string& column) const override {
    double count = 0;
    for (const RecordMeta& m : records_) {
      if (column == "climate") count += m.climate != kMissingU8;
      for (int i = 0; i < kAuxColumnCount; ++i) count += column == kAuxColumns[i] && !std::isnan(m.aux[i]);
    }
    return count / static_cast<double>(records_.size());
  }

 private:
  std::vector<RecordMeta> records_;
};

std::vector<RecordMeta> Records() {
  std::vector<RecordMeta> records(3);
  for (auto& r : records) std::fill(std::begin(r.aux), std::end(r.aux), kNanF);
  records[0].climate = 4;
  records[0].aux[2] = 10;  // mean temperature stays linear
  records[1].aux[2] = 14;
  return records;
}

const std::vector<LatLon> kTowns = {{10, 10}, {10, 11}, {-40, 100}, {60, -120}};

GeocellsOptions Options() {
  GeocellsOptions o;
  o.model.vision = {.image_size = 16,
                    .patch_size = 8,
                    .width = 16,
                    .layers = 2,
                    .heads = 2,
                    .mlp_width = 32,
                    .projection = 8,
                    .activation = "quick_gelu"};
  o.cells = BuildS2Cells(kTowns, {.min_images = 0, .max_images = 1, .min_level = 2, .max_level = 12});
  o.seed = 5;
  return o;
}

Batch Labels() {
  Batch b;
  b.size = 4;
  b.places = {kTowns[0], {kNan, kNan}, {-80, 0}, kTowns[3]};  // known, unknown, in no cell, known
  b.climate = {3, -1, 29, -1};
  b.month = {-1, -1, -1, 11};
  b.aux_B6.assign(24, kNanF);
  b.aux_B6[0 * 6 + 2] = 10;
  b.aux_B6[3 * 6 + 0] = 100;
  b.aux_B6[3 * 6 + 1] = -5;  // below the logarithm's domain: masked
  return b;
}

TEST(Geocells, WeightsCountTheLabelsThatCount) {
  GeocellsRecipe recipe(Options());
  ASSERT_EQ(recipe.cells().size(), 4);
  const auto w = recipe.Weights(Labels());
  EXPECT_EQ(w.at("geocell"), 2);
  EXPECT_EQ(w.at("climate"), 2);
  EXPECT_EQ(w.at("month"), 1);
  EXPECT_EQ(w.at("regression"), 2);
}

TEST(Geocells, TermsAreSumsOverTheLabelledRows) {
  GeocellsOptions options = Options();
  options.loss.tau_km = 0;  // hard labels: plain cross-entropy at the containing cell
  GeocellsRecipe recipe(options);
  const auto single = MakeSingleCommunicator();
  const Batch batch = Labels();
  const at::Tensor images = at::arange(4 * 3 * 16 * 16).view({4, 3, 16, 16}).to(at::kFloat).sin();
  const auto outputs = recipe.Encode({.images_B3HW = images, .embeddings_BD = {}});
  ASSERT_EQ(outputs.size(), 4u);
  std::map<std::string, double> sums;
  for (const LossTerm& t : recipe.Terms(outputs, batch, *single)) {
    EXPECT_TRUE(t.sum.requires_grad()) << t.name;
    sums[t.name] = t.sum.item<double>();
  }
  const auto minus_log_p = [](const at::Tensor& logits, int64_t row, int64_t label) {
    return -at::log_softmax(logits.to(at::kDouble), 1)[row][label].item<double>();
  };
  const CellTable& cells = recipe.cells();
  EXPECT_NEAR(sums.at("geocell"),
              minus_log_p(outputs[0], 0, *cells.CellOf(kTowns[0])) +
                  minus_log_p(outputs[0], 3, *cells.CellOf(kTowns[3])),
              1e-4);
  EXPECT_NEAR(sums.at("climate"), minus_log_p(outputs[1], 0, 3) + minus_log_p(outputs[1], 2, 29), 1e-4);
  EXPECT_NEAR(sums.at("month"), minus_log_p(outputs[2], 3, 11), 1e-4);
  const double temperature = outputs[3][0][2].item<double>() - 10.0;
  const double elevation = outputs[3][3][0].item<double>() - std::log(100.0 + 416.0);
  EXPECT_NEAR(sums.at("regression"), temperature * temperature + elevation * elevation, 1e-3);
}

TEST(Geocells, EveryTrainableParameterGetsAGradientFromABatchWithoutLabels) {
  GeocellsRecipe recipe(Options());
  const auto single = MakeSingleCommunicator();
  Batch batch = Labels();
  batch.places.assign(4, {kNan, kNan});
  batch.climate.assign(4, -1);
  batch.month.assign(4, -1);
  batch.aux_B6.assign(24, kNanF);
  at::Tensor sum = at::zeros({});
  for (const LossTerm& t : recipe.Terms(recipe.Encode({.images_B3HW = at::ones({4, 3, 16, 16}), .embeddings_BD = {}}), batch, *single))
    sum = sum + t.sum * 0.0;
  sum.backward();
  for (const auto& group : recipe.Groups()) {
    for (const auto& p : group.parameters) {
      ASSERT_TRUE(p.tensor.grad().defined()) << p.name;
      EXPECT_EQ(p.tensor.grad().abs().sum().item<float>(), 0.0f) << p.name;
    }
  }
}

TEST(Geocells, AWeightOfZeroRemovesTheHead) {
  GeocellsOptions options = Options();
  options.loss.weights.climate = options.loss.weights.regression = 0;
  GeocellsRecipe recipe(options);
  EXPECT_EQ(recipe.Weights(Labels()).size(), 2u);
  for (const NamedTensor& p : recipe.Parameters()) {
    EXPECT_EQ(p.name.find("climate"), std::string::npos);
    EXPECT_EQ(p.name.find("regression"), std::string::npos);
  }
}

TEST(Geocells, PredictsTheBestCellsInOrder) {
  GeocellsRecipe recipe(Options());
  const at::Tensor logits = at::tensor({0.0f, 3.0f, 1.0f, 2.0f}).view({1, 4});
  const auto places = recipe.Predict({logits}, 3, kNearKm);
  ASSERT_EQ(places.size(), 1u);
  ASSERT_EQ(places[0].size(), 3u);
  EXPECT_EQ(places[0][0].cell, 1);
  EXPECT_EQ(places[0][1].cell, 3);
  EXPECT_EQ(places[0][2].cell, 2);
  const double z = 1 + std::exp(3.0) + std::exp(1.0) + std::exp(2.0);
  EXPECT_NEAR(places[0][0].probability, std::exp(3.0) / z, 1e-6);
  // The whole sphere, and the cell alone.
  EXPECT_NEAR(recipe.Predict({logits}, 1, 30000)[0][0].near_probability, 1, 1e-6);
  EXPECT_NEAR(recipe.Predict({logits}, 1, 1e-3)[0][0].near_probability, std::exp(3.0) / z, 1e-6);
  EXPECT_EQ(places[0][0].place, recipe.cells().centres()[1]);
  EXPECT_EQ(recipe.Predict({logits}, 99, kNearKm)[0].size(), 4u);
}

TEST(Geocells, FitsTheRegressionStatisticsAndKeepsThem) {
  LossConfig loss;
  const std::string state = GeocellsRecipe::FitState(loss, FakeDataset(Records()));
  const auto json = nlohmann::json::parse(state);
  EXPECT_DOUBLE_EQ(json["regression"]["mean"][2].get<double>(), 12.0);
  EXPECT_DOUBLE_EQ(json["regression"]["deviation"][2].get<double>(), 2.0);
  GeocellsOptions options = Options();
  options.state = state;
  EXPECT_EQ(nlohmann::json::parse(GeocellsRecipe(options).State()), json);
}

TEST(Geocells, AHeadWithoutASingleLabelIsRefused) {
  LossConfig loss;
  loss.weights.month = 0;
  const auto lines = GeocellsRecipe::CheckCoverage(loss, FakeDataset(Records()));
  EXPECT_EQ(lines.size(), 7u);
  EXPECT_EQ(lines[0], "climate 33.3 %");
  loss.weights.month = 1;
  try {
    GeocellsRecipe::CheckCoverage(loss, FakeDataset(Records()));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_NE(std::string(error.what()).find("loss.weights.month"), std::string::npos);
  }
}

}  // namespace
}  // namespace graticule
