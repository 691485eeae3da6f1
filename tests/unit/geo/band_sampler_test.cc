#include "geo/band_sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "../base/failure_of.h"
#include "geo_test_support.h"

namespace graticule {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// The quotas that the sampler was made for.
BandOptions UsualBands() {
  return {.bands = {{1, 25, 12}, {25, 200, 12}, {200, 750, 8}, {2500, kInfinity, 32}}};
}

Rng RngOf(int64_t anchor, uint64_t seed = 3) { return Rng(seed, {.index = static_cast<uint64_t>(anchor)}); }

struct Drawn {
  std::vector<int64_t> index;
  std::vector<double> km;
};

Drawn DrawOne(const BandSampler& sampler, LatLon anchor, Rng rng, double near_share = 1) {
  Drawn drawn{std::vector<int64_t>(sampler.slots()), std::vector<double>(sampler.slots())};
  sampler.Draw(anchor, rng, drawn.index, drawn.km, near_share);
  return drawn;
}

Drawn DrawAll(const BandSampler& sampler, const std::vector<LatLon>& anchors, int threads) {
  const size_t n = anchors.size() * sampler.slots();
  Drawn drawn{std::vector<int64_t>(n), std::vector<double>(n)};
  sampler.DrawMany(
      anchors, [](int64_t b) { return RngOf(b); }, threads, drawn.index, drawn.km);
  return drawn;
}

bool InBand(const DistanceBand& band, double d, double r_fn_km) {
  return d > band.low_km && d <= band.high_km && d >= r_fn_km;
}

// Every candidate measured: the members of a band, the first of equal places only.
std::vector<int64_t> Members(const std::vector<LatLon>& candidates, LatLon anchor, const DistanceBand& band,
                             double r_fn_km = 1) {
  std::vector<int64_t> members;
  for (size_t i = 0; i < candidates.size(); ++i)
    if (InBand(band, HaversineKm(anchor, candidates[i]), r_fn_km)) members.push_back(static_cast<int64_t>(i));
  return members;
}

TEST(BandSampler, DrawsFromTheBandsThatMeasuringEveryPlaceGives) {
  std::vector<LatLon> candidates = PhotoPlaces(2000, 5);
  for (LatLon p : {LatLon{90, 0}, {-90, 0}, {89.9, 10}, {-89.9, -170}, {0, -180}, {-17, -179.9}, {45, 179.5}})
    candidates.push_back(p);
  const std::vector<LatLon> distinct = candidates;
  candidates.insert(candidates.end(), distinct.begin(),
                    distinct.begin() + 700);  // drawn under the first index
  candidates.push_back({0, 180});
  candidates.push_back({90, 77});
  const BandOptions options = UsualBands();
  const BandSampler sampler(candidates, options);
  EXPECT_EQ(sampler.candidates(), std::ssize(distinct));
  ASSERT_EQ(sampler.slots(), 64);
  std::vector<LatLon> anchors = TestPlaces(600, 6);
  for (LatLon p : PhotoPlaces(2000, 5)) {
    if (anchors.size() == 1000) break;
    anchors.push_back(p);
  }
  const Drawn drawn = DrawAll(sampler, anchors, 2);
  int64_t spilled = 0, empty = 0;
  for (size_t b = 0; b < anchors.size(); ++b) {
    size_t slot = 0;
    int64_t wanted = 0;
    for (const DistanceBand& band : options.bands) {
      wanted += band.count;
      const std::vector<int64_t> members = Members(distinct, anchors[b], band);
      const int64_t expected = std::min(std::ssize(members), wanted - static_cast<int64_t>(slot));
      spilled += wanted - static_cast<int64_t>(slot) > band.count;
      std::set<int64_t> seen;
      for (int64_t i = 0; i < expected; ++i, ++slot) {
        const int64_t index = drawn.index[b * 64 + slot];
        ASSERT_TRUE(std::binary_search(members.begin(), members.end(), index))
            << "anchor " << b << " slot " << slot;
        ASSERT_TRUE(seen.insert(index).second);
        ASSERT_EQ(drawn.km[b * 64 + slot], HaversineKm(anchors[b], candidates[index]));
      }
    }
    for (; slot < 64; ++slot, ++empty) {
      ASSERT_EQ(drawn.index[b * 64 + slot], -1);
      ASSERT_TRUE(std::isnan(drawn.km[b * 64 + slot]));
    }
  }
  EXPECT_GT(spilled, 100);
  EXPECT_EQ(empty, 0);
}

// Pearson's statistic of how often each member was drawn. `wanted` of n without replacement vary less than
// independent draws do, by the factor (n - wanted) / (n - 1); with it the statistic has n - 1 degrees of
// freedom.
void ExpectUniform(const std::vector<LatLon>& candidates, LatLon anchor, DistanceBand band, int draws) {
  const std::vector<int64_t> members = Members(candidates, anchor, band);
  const auto n = static_cast<double>(members.size());
  const auto wanted = static_cast<double>(band.count);
  ASSERT_GT(n, wanted);
  const BandSampler sampler(candidates, {.bands = {band}});
  std::map<int64_t, int64_t> times;
  for (int i = 0; i < draws; ++i)
    for (const int64_t index : DrawOne(sampler, anchor, RngOf(i)).index) ++times[index];
  ASSERT_EQ(times.size(), members.size()) << "draws outside the band, or members never drawn";
  const double expected = draws * wanted / n;
  double statistic = 0;
  for (const int64_t member : members)
    statistic += (times[member] - expected) * (times[member] - expected) / expected;
  statistic *= (n - 1) / (n - wanted);
  EXPECT_NEAR(statistic, n - 1, 4.5 * std::sqrt(2 * (n - 1))) << n << " members, " << wanted << " wanted";
}

TEST(BandSampler, DrawsEveryPlaceOfASmallBandEquallyOften) {
  const std::vector<LatLon> candidates = PhotoPlaces(3000, 8);
  const LatLon town = RandomPlaces(38, 9)[0];            // its largest town
  ExpectUniform(candidates, town, {1, 60, 40}, 20'000);  // listed: few places per wanted one
  ExpectUniform(candidates, {-17, -179.9}, {1, 400, 12}, 20'000);
  ExpectUniform(candidates, {90, 0}, {1, 120, 5}, 20'000);
}

TEST(BandSampler, DrawsEveryPlaceOfALargeBandEquallyOften) {
  const std::vector<LatLon> candidates = PhotoPlaces(3000, 8);
  const LatLon town = RandomPlaces(38, 9)[0];           // its largest town
  ExpectUniform(candidates, town, {1, 40, 2}, 60'000);  // tried: many places per wanted one
  ExpectUniform(candidates, town, {20, 1000, 8}, 30'000);
  ExpectUniform(candidates, {-17, -179.9}, {200, 2500, 6}, 40'000);
  ExpectUniform(candidates, {89.5, 20}, {2500, kInfinity, 32}, 20'000);
}

TEST(BandSampler, ViolatesNoBandInAMillionDraws) {
  const std::vector<LatLon> candidates = PhotoPlaces(100'000, 9);
  const BandOptions options = UsualBands();
  const BandSampler sampler(candidates, options);
  std::vector<LatLon> anchors = PhotoPlaces(15'625, 9);
  const std::vector<LatLon> awkward = TestPlaces(0, 0);
  std::copy(awkward.begin(), awkward.end(), anchors.begin());
  const Drawn drawn = DrawAll(sampler, anchors, 2);
  ASSERT_EQ(drawn.index.size(), 1'000'000u);
  int64_t violations = 0, empty = 0;
  for (size_t b = 0; b < anchors.size(); ++b) {
    double last_low = 0;
    std::vector<int64_t> row(drawn.index.begin() + b * 64, drawn.index.begin() + (b + 1) * 64);
    for (const int64_t index : row) {
      if (index < 0) {
        ++empty;
        continue;
      }
      const double d = HaversineKm(anchors[b], candidates[index]);
      const auto band = std::find_if(options.bands.begin(), options.bands.end(),
                                     [&](const DistanceBand& own) { return InBand(own, d, 1); });
      violations += band == options.bands.end() || band->low_km < last_low;
      if (band != options.bands.end()) last_low = band->low_km;
    }
    std::sort(row.begin(), row.end());
    violations += std::adjacent_find(row.begin(), row.end()) != row.end();
  }
  EXPECT_EQ(violations, 0);
  EXPECT_EQ(empty, 0);
}

TEST(BandSampler, DoesNotDependOnThreads) {
  const BandSampler sampler(PhotoPlaces(20'000, 10), UsualBands());
  std::vector<LatLon> anchors = PhotoPlaces(700, 11);
  anchors[13] = {kNaN, kNaN};
  const Drawn one = DrawAll(sampler, anchors, 1), many = DrawAll(sampler, anchors, 16);
  EXPECT_EQ(one.index, many.index);
  for (size_t b = 0; b < anchors.size(); ++b) {  // and not on the other anchors of the batch
    const Drawn alone = DrawOne(sampler, anchors[b], RngOf(static_cast<int64_t>(b)));
    ASSERT_TRUE(std::equal(alone.index.begin(), alone.index.end(), one.index.begin() + b * 64));
    if (b == 13) continue;  // NaN is not equal to itself
    ASSERT_TRUE(std::equal(alone.km.begin(), alone.km.end(), many.km.begin() + b * 64));
  }
  EXPECT_NE(DrawOne(sampler, anchors[0], RngOf(0, 4)).index, DrawOne(sampler, anchors[0], RngOf(0, 5)).index);
}

TEST(BandSampler, PassesADeficitOutwardsAndLeavesTheRestEmpty) {
  // On the equator a degree is 111.2 km: two places at about 11 km, one at 56, three at 334.
  const std::vector<LatLon> candidates = {{0, 0.1}, {0, -0.1}, {0, 0.5}, {0, 3},
                                          {3, 0},   {0, -3},   {0, 0},   {0, 0.005}};
  const auto sorted_draw = [&](std::vector<DistanceBand> bands, LatLon anchor) {
    Drawn drawn = DrawOne(BandSampler(candidates, {.bands = std::move(bands)}), anchor, RngOf(1));
    std::sort(drawn.index.begin(), drawn.index.end(),
              [](int64_t a, int64_t b) { return static_cast<uint64_t>(a) < static_cast<uint64_t>(b); });
    return drawn.index;
  };
  EXPECT_EQ(sorted_draw({{0, 25, 2}}, {0, 0}),
            (std::vector<int64_t>{0, 1}));  // 0 and 0.6 km: maybe the same place
  EXPECT_EQ(sorted_draw({{1, 25, 4}, {25, 100, 0}}, {0, 0}), (std::vector<int64_t>{0, 1, 2, -1}));
  EXPECT_EQ(sorted_draw({{1, 25, 5}, {25, 100, 0}, {300, kInfinity, 1}}, {0, 0}),
            (std::vector<int64_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(sorted_draw({{1, 25, 4}, {1000, kInfinity, 4}}, {0, 180}),  // all eight are about 20,000 km away
            (std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(sorted_draw({{400, 700, 2}}, {0, 0}), (std::vector<int64_t>{-1, -1}));
  EXPECT_EQ(sorted_draw({{1, 25, 2}}, {kNaN, 0}), (std::vector<int64_t>{-1, -1}));
}

TEST(BandSampler, TakesTheUpperEdgeIntoABandAndNotTheLower) {
  const std::vector<LatLon> candidates = {{10, 20}};
  const LatLon anchor{12, 21};
  const double d = HaversineKm(anchor, candidates[0]), less = std::nextafter(d, 0),
               more = std::nextafter(d, 1e9);
  const auto drawn = [&](DistanceBand band, double r_fn) {
    return DrawOne(BandSampler(candidates, {.bands = {band}, .r_fn_km = r_fn}), anchor, RngOf(0)).index[0];
  };
  EXPECT_EQ(drawn({1, d, 1}, 1), 0);
  EXPECT_EQ(drawn({1, less, 1}, 1), -1);
  EXPECT_EQ(drawn({d, 9000, 1}, 1), -1);
  EXPECT_EQ(drawn({less, 9000, 1}, 1), 0);
  EXPECT_EQ(drawn({1, 9000, 1}, d), 0);
  EXPECT_EQ(drawn({1, 9000, 1}, more), -1);
}

TEST(BandSampler, PassesOverCandidatesWithoutAPlace) {
  const std::vector<LatLon> candidates = {{kNaN, kNaN}, {0, 1}, {kNaN, 3}, {0, 1}, {0, 2}};
  const BandSampler sampler(candidates, {.bands = {{1, kInfinity, 3}}});
  std::vector<int64_t> index = DrawOne(sampler, {0, 0}, RngOf(0)).index;
  std::sort(index.begin(), index.end());
  EXPECT_EQ(index, (std::vector<int64_t>{-1, 1, 4}));
}

TEST(BandSampler, GivesTheOutermostBandWhatACurriculumTakesFromTheOthers) {
  const BandSampler sampler(RandomPlaces(300'000, 12), UsualBands());
  const std::map<double, std::vector<int64_t>> expected = {
      {0, {0, 0, 0, 64}}, {0.25, {3, 3, 2, 56}}, {0.5, {6, 6, 4, 48}}, {1, {12, 12, 8, 32}}};
  for (const auto& [share, counts] : expected) {
    std::vector<int64_t> found(4);
    const Drawn drawn = DrawOne(sampler, {47, 8}, RngOf(2), share);
    for (const double km : drawn.km)
      for (size_t b = 0; b < 4; ++b) found[b] += InBand(UsualBands().bands[b], km, 1);
    // One place per 1700 km^2: the innermost band holds one or two of them, the next makes up for it.
    EXPECT_EQ(found[0] + found[1], counts[0] + counts[1]);
    EXPECT_EQ(found[2], counts[2]);
    EXPECT_EQ(found[3], counts[3]);
  }
}

TEST(BandSampler, RefusesBandsThatMakeNoSense) {
  const std::vector<LatLon> candidates = {{0, 1}};
  const auto failure = [&](BandOptions options) {
    return FailureOf([&] { BandSampler(candidates, options); }, ErrorCode::kUsage);
  };
  EXPECT_NE(failure({}).find("no distance band"), std::string::npos);
  EXPECT_NE(failure({.bands = {{1, 25, 1}, {20, 30, 1}}}).find("(20, 30]"), std::string::npos);
  EXPECT_NE(failure({.bands = {{25, 25, 1}}}).find("low < high"), std::string::npos);
  EXPECT_FALSE(failure({.bands = {{-1, 25, 1}}}).empty());
  EXPECT_FALSE(failure({.bands = {{1, kNaN, 1}}}).empty());
  EXPECT_FALSE(failure({.bands = {{1, 2, -1}}}).empty());
  EXPECT_FALSE(failure({.bands = {{1, kInfinity, 1}, {kInfinity, kInfinity, 1}}}).empty());
  EXPECT_NE(failure({.bands = {{1, 2, 1}}, .r_fn_km = -1}).find("r_fn"), std::string::npos);
  EXPECT_NE(FailureOf([] {
              BandSampler(std::vector<LatLon>{{kNaN, 0}}, UsualBands());
            }).find("1 candidates"),
            std::string::npos);
}

TEST(SharedUnion, KeepsTheFirstOfEachIndexInRowOrder) {
  EXPECT_EQ(SharedUnion(std::vector<int64_t>{7, -1, 3, 7, 0, 3, -1, 9, 0}),
            (std::vector<int64_t>{7, 3, 0, 9}));
  EXPECT_TRUE(SharedUnion(std::vector<int64_t>{-1, -1}).empty());
}

}  // namespace
}  // namespace graticule
