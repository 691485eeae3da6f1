#include "geo/thesis_negatives.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <set>

#include "../base/failure_of.h"
#include "geo_test_support.h"

namespace graticule {
namespace {

Rng RngOf(uint64_t seed) { return Rng(seed, {}); }

std::vector<int64_t> Draw(ThesisVariant variant, const std::vector<LatLon>& anchors,
                          const std::vector<LatLon>& gallery, int64_t slots, uint64_t seed = 1) {
  Rng rng = RngOf(seed);
  return ThesisNegatives(variant, anchors, gallery, PlaceIndex(gallery), slots, rng);
}

// All rows of the gallery, nearest first, by measuring each.
std::vector<int64_t> Ranked(LatLon anchor, const std::vector<LatLon>& gallery) {
  std::vector<int64_t> rows(gallery.size());
  std::iota(rows.begin(), rows.end(), 0);
  std::stable_sort(rows.begin(), rows.end(), [&](int64_t a, int64_t b) {
    return HaversineKm(anchor, gallery[a]) < HaversineKm(anchor, gallery[b]);
  });
  return rows;
}

std::set<int64_t> RanksOf(const std::vector<LatLon>& anchors, const std::vector<LatLon>& gallery, int first,
                          int last) {
  std::set<int64_t> rows;
  for (LatLon anchor : anchors) {
    const std::vector<int64_t> ranked = Ranked(anchor, gallery);
    rows.insert(ranked.begin() + first - 1, ranked.begin() + last);
  }
  return rows;
}

int64_t CountIn(const std::vector<int64_t>& rows, const std::set<int64_t>& set) {
  return std::count_if(rows.begin(), rows.end(), [&](int64_t row) { return set.contains(row); });
}

void ExpectDistinct(std::vector<int64_t> rows, int64_t places) {
  std::erase(rows, -1);
  EXPECT_EQ(std::set<int64_t>(rows.begin(), rows.end()).size(), rows.size());
  for (int64_t row : rows) EXPECT_TRUE(row >= 0 && row < places);
}

// With as many places as a pool takes, the pool is the gallery and the cut can be computed.
TEST(ThesisNegatives, V1TakesHalfFromTheNearestThirtyPercentOfThePool) {
  const std::vector<LatLon> gallery = PhotoPlaces(5 * 40, 1);
  const LatLon anchor{50, 8};
  const std::set<int64_t> near = RanksOf({anchor}, gallery, 1, 60), far = RanksOf({anchor}, gallery, 61, 200);
  std::set<int64_t> ever;
  bool shuffled = false;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const std::vector<int64_t> rows = Draw(ThesisVariant::kV1, {anchor}, gallery, 40, seed);
    ASSERT_EQ(rows.size(), 40u);
    ExpectDistinct(rows, 200);
    EXPECT_EQ(CountIn(rows, near), 20);
    EXPECT_EQ(CountIn(rows, far), 20);
    ever.insert(rows.begin(), rows.end());
    shuffled |= far.contains(rows[0]);
  }
  EXPECT_EQ(ever.size(), 200u) << "each place has its chance";
  EXPECT_TRUE(shuffled);
}

TEST(ThesisNegatives, V1FillsUpInFiveRoundsAtMost) {
  const std::vector<LatLon> gallery =
      RandomPlaces(10, 2);  // 3 near and 5 far ones are taken, 2 slots are left
  int64_t full = 0, tried = 400;
  for (int64_t seed = 0; seed < tried; ++seed) {
    const std::vector<int64_t> rows = Draw(ThesisVariant::kV1, {{0, 0}}, gallery, 10, seed);
    ASSERT_EQ(rows.size(), 10u);
    ExpectDistinct(rows, 10);
    const int64_t kept = std::count(rows.begin(), rows.end(), -1);
    EXPECT_LE(kept, 2);
    full += kept == 0;
  }
  // While 2 of 10 are missing a round of 2 draws finds none with 0.64, one with 0.34, both with 0.02; while
  // one is missing, a round of 1 draw finds it with 0.1.
  double two = 1, one = 0, none = 0;  // missing
  for (int round = 0; round < 5; ++round) {
    none += one * 0.1 + two * 0.02;
    one = one * 0.9 + two * 0.34;
    two *= 0.64;
  }
  EXPECT_NEAR(static_cast<double>(full) / static_cast<double>(tried), none, 0.09) << "4 standard deviations";
}

TEST(ThesisNegatives, V2TakesAQuarterOfV1AndFillsUpAtRandom) {
  const std::vector<LatLon> gallery = PhotoPlaces(5 * 40, 3);
  const LatLon anchor{-20, 140};
  const std::set<int64_t> near = RanksOf({anchor}, gallery, 1, 60), far = RanksOf({anchor}, gallery, 61, 200);
  int64_t from_near = 0, filled = 0;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const std::vector<int64_t> rows = Draw(ThesisVariant::kV2, {anchor}, gallery, 160, seed);  // m / 4 = 40
    ASSERT_EQ(rows.size(), 160u);
    ExpectDistinct(rows, 200);
    EXPECT_GE(CountIn(rows, near), 20);
    EXPECT_GE(CountIn(rows, far), 20);
    from_near += CountIn(rows, near);
    filled += 160 - std::count(rows.begin(), rows.end(), -1);
  }
  // 20 of the 60 near places are chosen; 40 of the 160 others that fill up are near (v1 would take all 60).
  EXPECT_NEAR(static_cast<double>(from_near), 50 * 20 + 0.25 * static_cast<double>(filled - 50 * 40), 150);
  EXPECT_EQ(Draw(ThesisVariant::kV2, {anchor}, gallery, 3).size(), 3u) << "m / 4 = 0: all at random";
}

TEST(ThesisNegatives, V3TakesTheNearestOfThePoolAndLeavesOtherSlotsAlone) {
  const std::vector<LatLon> gallery = PhotoPlaces(5 * 40, 4);
  const LatLon anchor{50, 8};
  const std::vector<int64_t> rows = Draw(ThesisVariant::kV3, {anchor}, gallery, 40);
  ExpectDistinct(rows, 200);
  EXPECT_EQ(CountIn(rows, RanksOf({anchor}, gallery, 1, 20)), 20);
  EXPECT_EQ(CountIn(rows, RanksOf({anchor}, gallery, 61, 200)), 20);
  const std::vector<int64_t> twice = Draw(ThesisVariant::kV3, {anchor, anchor}, gallery, 80);
  EXPECT_EQ(CountIn(twice, RanksOf({anchor}, gallery, 1, 20)), 20);
  const auto kept = std::count(twice.begin(), twice.end(), -1);
  EXPECT_GE(kept, 20);
  EXPECT_LT(kept, 40) << "the far ones differ";
  EXPECT_TRUE(std::all_of(twice.end() - kept, twice.end(), [](int64_t row) { return row == -1; }));
}

TEST(ThesisNegatives, V4SamplesTheNineNearestWithoutTheAnchorsOwnPlace) {
  std::vector<LatLon> gallery = PhotoPlaces(3000, 5);
  const std::vector<LatLon> anchors(gallery.begin(), gallery.begin() + 100);
  std::set<int64_t> expected;
  for (LatLon anchor : anchors) {
    const std::vector<int64_t> ranked = Ranked(anchor, gallery);
    for (int k = 0; k < 9; ++k)
      if (!(gallery[ranked[k]] == anchor)) expected.insert(ranked[k]);
  }
  const auto all = std::ssize(expected);
  const std::vector<int64_t> rows = Draw(ThesisVariant::kV4, anchors, gallery, all);
  EXPECT_EQ(std::set<int64_t>(rows.begin(), rows.end()), expected);
  const std::vector<int64_t> some = Draw(ThesisVariant::kV4, anchors, gallery, 200);
  EXPECT_EQ(some.size(), 200u);
  ExpectDistinct(some, 3000);
  EXPECT_EQ(CountIn(some, expected), 200);
  EXPECT_NE(some, Draw(ThesisVariant::kV4, anchors, gallery, 200, 2));
  const std::string failure =
      FailureOf([&] { Draw(ThesisVariant::kV4, anchors, gallery, all + 1); }, ErrorCode::kUsage);
  EXPECT_NE(failure.find(std::to_string(all) + " distinct places"), std::string::npos) << failure;
}

TEST(ThesisNegatives, V5AndV6TakeHalfByEachRangeOfRanks) {
  const std::vector<LatLon> gallery = PhotoPlaces(1500, 6);
  const std::vector<LatLon> anchors = RandomPlaces(60, 7);
  for (const auto& [variant, near_ranks, ranks] :
       {std::tuple{ThesisVariant::kV5, 6, 24}, std::tuple{ThesisVariant::kV6, 8, 16}}) {
    const std::set<int64_t> near = RanksOf(anchors, gallery, 1, near_ranks),
                            far = RanksOf(anchors, gallery, near_ranks + 1, ranks);
    const std::vector<int64_t> rows = Draw(variant, anchors, gallery, 121);
    ASSERT_EQ(rows.size(), 121u);
    ExpectDistinct(rows, 1500);
    EXPECT_EQ(CountIn({rows.begin(), rows.begin() + 60}, near), 60);
    EXPECT_EQ(CountIn({rows.begin() + 60, rows.end()}, far), 61);
    // More slots than places: everything there is, once, and -1.
    const std::vector<int64_t> full = Draw(variant, anchors, gallery, 6000);
    ExpectDistinct(full, 1500);
    std::set<int64_t> both = near;
    both.insert(far.begin(), far.end());
    EXPECT_EQ(CountIn(full, both), std::ssize(both));
    EXPECT_EQ(std::count(full.begin(), full.end(), -1), 6000 - std::ssize(both));
  }
}

TEST(ThesisNegatives, RefuseWhatTheyCannotServe) {
  const std::vector<LatLon> gallery = RandomPlaces(50, 8), anchors = RandomPlaces(4, 9);
  const auto failure = [&](const std::vector<LatLon>& a, const std::vector<LatLon>& g, int64_t slots) {
    return FailureOf([&] { Draw(ThesisVariant::kV1, a, g, slots); }, ErrorCode::kUsage);
  };
  EXPECT_NE(failure(anchors, gallery, 3).find("3 slots for 4 anchors"), std::string::npos);
  EXPECT_NE(failure({}, gallery, 3).find("no anchor"), std::string::npos);
  EXPECT_NE(failure(anchors, {}, 8).find("no gallery"), std::string::npos);
  EXPECT_NE(failure({{std::numeric_limits<double>::quiet_NaN(), 0}}, gallery, 8).find("anchor 0"),
            std::string::npos);
}

}  // namespace
}  // namespace graticule
