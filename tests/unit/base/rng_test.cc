#include "base/rng.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

#include "base/error.h"

namespace graticule {
namespace {

using Block = std::array<uint32_t, 4>;

// kat_vectors of Random123: zeros, ones and the digits of pi.
TEST(Philox, MatchesThePublishedVectors) {
  EXPECT_EQ(Philox4x32({0, 0, 0, 0}, {0, 0}), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Rng, PacksTheKeyAsTheHeaderSays) {
  const uint64_t seed = 0x1122334455667788;
  Rng rng(seed, {.epoch = 0xABCDEF, .index = 0x123456789ABC, .view = 0x5A, .purpose = Purpose::kOrder});
  const Block first = Philox4x32({0, 0x56789ABC, 0x00011234, 0x5AABCDEF}, {0x55667788, 0x11223344});
  const Block second = Philox4x32({1, 0x56789ABC, 0x00011234, 0x5AABCDEF}, {0x55667788, 0x11223344});
  for (const uint32_t word : first) EXPECT_EQ(rng.NextU32(), word);
  EXPECT_EQ(rng.NextU64(), second[0] | uint64_t{second[1]} << 32);
}

TEST(Rng, RefusesKeysThatWouldCollide) {
  EXPECT_THROW(Rng(1, {.epoch = 1 << 24}), Error);
  EXPECT_THROW(Rng(1, {.index = uint64_t{1} << 48}), Error);
  EXPECT_THROW(Rng(1, {.view = 256}), Error);
}

TEST(Rng, GivesEveryKeyItsOwnStream) {
  std::set<uint64_t> seen;
  int streams = 0;
  for (uint64_t seed : {0ull, 1ull, 1ull << 32}) {
    for (uint64_t epoch : {0, 1, 65536}) {
      for (uint64_t index : {0ull, 1ull, 1ull << 32, 1ull << 33}) {
        for (uint32_t view : {0u, 1u}) {
          for (Purpose purpose : {Purpose::kOrder, Purpose::kCrop}) {
            seen.insert(Rng(seed, {epoch, index, view, purpose}).NextU64());
            ++streams;
          }
        }
      }
    }
  }
  EXPECT_EQ(seen.size(), static_cast<size_t>(streams));
}

TEST(Rng, ForksWhenCopied) {
  Rng a(7, {.index = 3});
  a.NextU32();
  Rng b = a;
  for (int i = 0; i < 9; ++i) EXPECT_EQ(a.NextU32(), b.NextU32());
}

TEST(Rng, DrawsUniformlyBelowN) {
  Rng rng(11, {});
  std::vector<int> count(7);
  for (int i = 0; i < 70000; ++i) ++count[rng.Below(7)];
  double chi2 = 0;
  for (const int n : count) chi2 += (n - 10000.0) * (n - 10000.0) / 10000.0;
  EXPECT_LT(chi2, 22.46);  // 6 degrees of freedom, p = 0.001
  // A modulus or an unrejected multiply favours the low half here by a factor of two.
  const uint64_t n = (uint64_t{1} << 63) + (uint64_t{1} << 62);
  int low = 0;
  for (int i = 0; i < 30000; ++i) low += rng.Below(n) < n / 2;
  EXPECT_NEAR(low, 15000, 400);
  EXPECT_EQ(rng.Below(1), 0u);
}

TEST(Rng, DrawsUniformAndNormalMoments) {
  Rng rng(5, {.purpose = Purpose::kNoise});
  const int n = 200000;
  double mean = 0, square = 0, fourth = 0;
  for (int i = 0; i < n; ++i) {
    const double z = rng.Normal();
    mean += z / n;
    square += z * z / n;
    fourth += z * z * z * z / n;
  }
  EXPECT_NEAR(mean, 0, 4 / std::sqrt(n));
  EXPECT_NEAR(square, 1, 4 * std::sqrt(2.0 / n));
  EXPECT_NEAR(fourth, 3, 4 * std::sqrt(96.0 / n));
  double lowest = 1, highest = 0;
  for (int i = 0; i < n; ++i) {
    const double u = rng.Uniform(-2, 3);
    lowest = std::min(lowest, u);
    highest = std::max(highest, u);
  }
  EXPECT_GE(lowest, -2);
  EXPECT_LT(lowest, -1.999);
  EXPECT_LT(highest, 3);
  EXPECT_GT(highest, 2.999);
}

TEST(Rng, KeepsUniformBelowTheUpperBoundWhenRoundingWouldReachIt) {
  Rng rng(1, {});
  const double lo = 1, hi = std::nextafter(1.0, 2.0);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(rng.Uniform(lo, hi), lo);
}

}  // namespace
}  // namespace graticule
