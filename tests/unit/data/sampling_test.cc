#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "data/loader/alias_table.h"
#include "data/loader/sample_weights.h"

namespace graticule {
namespace {

std::vector<int64_t> Counts(const AliasTable& table, int64_t draws) {
  std::vector<int64_t> counts(static_cast<size_t>(table.size()));
  for (int64_t k = 0; k < draws; ++k) {
    Rng rng(7, {.index = static_cast<uint64_t>(k), .purpose = Purpose::kSample});
    ++counts[static_cast<size_t>(table.Draw(rng))];
  }
  return counts;
}

TEST(AliasTable, DrawsInProportionToItsWeights) {
  const std::vector<uint64_t> weights = {1, 0, 5, 1000, 3, 91};
  const int64_t draws = 400'000;
  const auto counts = Counts(AliasTable(weights), draws);
  EXPECT_EQ(counts[1], 0);
  double chi = 0;
  for (const size_t i : {0, 2, 3, 4, 5}) {
    const double expected = draws * static_cast<double>(weights[i]) / 1100;
    chi +=
        (static_cast<double>(counts[i]) - expected) * (static_cast<double>(counts[i]) - expected) / expected;
  }
  EXPECT_LT(chi, 18.5);  // 4 degrees of freedom, once in a thousand
}

// Weights of one size are all the same table, whatever the size.
TEST(AliasTable, KnowsOnlyTheRatiosOfItsWeights) {
  const AliasTable even(std::vector<uint64_t>(64, 12345));
  const auto counts = Counts(even, 64'000);
  for (const int64_t count : counts) EXPECT_NEAR(count, 1000, 160);
  EXPECT_EQ(even.Sha256(), AliasTable(std::vector<uint64_t>(64, 1)).Sha256());
  EXPECT_NE(even.Sha256(), AliasTable(std::vector<uint64_t>(65, 1)).Sha256());
}

TEST(AliasTable, RefusesWeightsThatAreNone) {
  EXPECT_THROW(AliasTable(std::vector<uint64_t>(3, 0)), Error);
  EXPECT_THROW(AliasTable(std::vector<uint64_t>(3, UINT64_MAX / 2)), Error);
}

TEST(SampleWeights, MakeGroupsOfAnySizeEquallyLikelyAtOne) {
  std::vector<int64_t> groups(1000, 1);
  for (int k = 0; k < 10; ++k) groups[static_cast<size_t>(k)] = -1;
  for (int k = 10; k < 110; ++k) groups[static_cast<size_t>(k)] = 2;
  const auto total = [&](int64_t group, double alpha) {
    const std::vector<uint64_t> weights = SampleWeights(groups, alpha);
    double sum = 0;
    for (size_t i = 0; i < groups.size(); ++i)
      sum += groups[i] == group ? static_cast<double>(weights[i]) : 0;
    return sum;
  };
  EXPECT_NEAR(total(1, 1) / total(-1, 1), 1, 1e-5);
  EXPECT_NEAR(total(2, 1) / total(-1, 1), 1, 1e-5);
  EXPECT_NEAR(total(1, 0) / total(-1, 0), 89, 1e-9);
  // By hand: 890 records of weight (890 / 10)^-0.75 beside 10 of weight 1.
  EXPECT_NEAR(total(1, 0.75) / total(-1, 0.75), 89 * std::pow(89, -0.75), 1e-5);
}

}  // namespace
}  // namespace graticule
