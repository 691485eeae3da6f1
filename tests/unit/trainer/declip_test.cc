// The terms of DeCLIP as parts of the recipe `geoclip`; their values and gradients are compared in
// tests/parity/declip_test.py.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "models/simsiam_heads.h"
#include "tests/unit/trainer/tiny_geoclip.h"
#include "trainer/recipes/geoclip.h"
#include "trainer/recipes/neighbour_bank.h"

namespace graticule {
namespace {

GeoclipOptions Options(double simsiam, double nearest) {
  GeoclipOptions o = TinyGeoclip({{0, 0}});
  o.model.frozen_layers = -1;
  o.geoclip.views = 2;
  o.geoclip.location.sigmas = {1};
  o.geoclip.main_weight = 0.7;
  o.geoclip.simsiam = {.weight = simsiam, .width = 6, .hidden = 4};
  o.geoclip.nearest = {.weight = nearest, .bank = 10, .min_km = 1, .max_km = 25, .after = 0};
  return o;
}

// Four samples of two views, ten kilometres apart along a meridian; the last one far away from them.
Batch Share() {
  Batch b;
  b.size = 4, b.views = 2;
  b.places = {{10, 5}, {10.09, 5}, {10.18, 5}, {-60, 5}};
  return b;
}

std::map<std::string, LossTerm> Step(GeoclipRecipe& recipe, int64_t first_sample) {
  const auto single = MakeSingleCommunicator();
  const Batch batch = Share();
  const std::vector<LatLon> places = recipe.PlacesCollective(batch, first_sample, *single);
  const at::Tensor embeddings = at::arange(64).view({8, 8}).to(at::kFloat).sin();
  std::map<std::string, LossTerm> terms;
  for (LossTerm& term : recipe.Terms({recipe.Encode({.images_B3HW = {}, .embeddings_BD = embeddings})[0],
                                      recipe.Encode({.images_B3HW = {}, .places = places})[0]},
                                     batch, *single))
    terms[term.name] = term;
  return terms;
}

TEST(DeclipTerms, AreNotThereWithoutAWeight) {
  GeoclipRecipe recipe(Options(0, 0));
  const auto terms = Step(recipe, 0);
  EXPECT_FALSE(terms.contains("simsiam") || terms.contains("nearest") || terms.contains("neighbours"));
  EXPECT_TRUE(recipe.Buffers().empty());
  for (const NamedTensor& p : recipe.Parameters()) EXPECT_EQ(p.name.find("simsiam"), p.name.npos);
  EXPECT_EQ(terms.at("infonce").scale, 0.7);
}

TEST(DeclipTerms, ReachEveryParameterAndNameTheirWeights) {
  GeoclipRecipe recipe(Options(0.1, 0.2));
  const auto terms = Step(recipe, 0);
  (terms.at("infonce").sum + terms.at("simsiam").sum + terms.at("nearest").sum).backward();
  for (const NamedTensor& p : recipe.Parameters())
    if (p.tensor.requires_grad()) {
      EXPECT_TRUE(p.tensor.grad().defined()) << p.name;
    }
  const std::map<std::string, double> weights = recipe.Weights(Share());
  EXPECT_EQ(weights.size(), terms.size());
  for (const auto& [name, term] : terms) EXPECT_TRUE(weights.contains(name)) << name;
  EXPECT_EQ(weights.at("simsiam"), 4);
  EXPECT_EQ(weights.at("neighbours"), 4);
  EXPECT_EQ(terms.at("simsiam").scale, 0.1);
  EXPECT_EQ(terms.at("nearest").scale, 0.2);
}

TEST(DeclipTerms, NeighboursComeFromEarlierBatchesAlone) {
  GeoclipRecipe recipe(Options(0, 0.2));
  const auto first = Step(recipe, 0);
  EXPECT_EQ(first.at("neighbours").sum.item<double>(), 0) << "the bank is empty";
  EXPECT_EQ(first.at("nearest").sum.item<double>(), 0);
  recipe.AfterUpdate();
  const auto second = Step(recipe, 4);
  EXPECT_EQ(second.at("neighbours").sum.item<double>(), 3) << "the fourth sample is alone";
  EXPECT_GT(second.at("nearest").sum.item<double>(), 0);
  EXPECT_EQ(recipe.Buffers().at(2).tensor.item<int64_t>(), 4) << "a step that is not over enters nothing";
}

TEST(DeclipTerms, NeighboursWaitUntilTheirTime) {
  GeoclipOptions options = Options(0, 0.2);
  options.geoclip.nearest.after = 8;
  GeoclipRecipe recipe(options);
  for (const int64_t first : {0, 4, 8}) {
    EXPECT_EQ(Step(recipe, first).at("neighbours").sum.item<double>(), first < 8 ? 0 : 3) << first;
    recipe.AfterUpdate();
  }
}

TEST(NeighbourBank, RowsThatAreNoNumbersAreNobodysNeighbour) {
  NeighbourBank bank(4, 2, c10::kCPU);
  const std::vector<LatLon> places = {{0, 0.1}, {0, 0.2}, {0, 0.3}};
  const float nan = std::numeric_limits<float>::quiet_NaN();
  bank.Push(at::tensor({0.6f, 0.8f, nan, nan, 1.0f, 0.0f}).view({3, 2}), places);
  const std::vector<LatLon> here = {{0, 0}};
  EXPECT_EQ(bank.Nearest(at::tensor({1.0f, 0.0f}).view({1, 2}), here, 1, 100).item<int64_t>(), 2);
  EXPECT_EQ(bank.Nearest(at::tensor({0.0f, 1.0f}).view({1, 2}), here, 1, 100).item<int64_t>(), 0);
}

TEST(SimSiamHeads, AreCountedAndStartLikeTorchs) {
  const SimSiamShape shape{7, 6, 4};
  int64_t values = 0;
  for (const NamedTensor& p : MakeSimSiamHeads(shape, 3)) {
    values += p.tensor.numel();
    if (p.tensor.dim() < 2) continue;
    // Uniform in +-1/sqrt(fan in): nothing beyond, and something in the outer half.
    const double bound = 1 / std::sqrt(static_cast<double>(p.tensor.size(1)));
    const double largest = p.tensor.abs().max().item<double>();
    EXPECT_LE(largest, bound) << p.name;
    EXPECT_GT(largest, bound / 2) << p.name;
  }
  EXPECT_EQ(values, CountSimSiamHeads(shape));
}

}  // namespace
}  // namespace graticule
