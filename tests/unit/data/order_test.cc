#include "data/loader/order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <vector>

namespace graticule {
namespace {

std::vector<int64_t> Whole(int64_t n, uint64_t seed, uint64_t epoch) {
  const KeyedOrder order(n, seed, epoch);
  std::vector<int64_t> out(n);
  order.At(0, out);
  return out;
}

TEST(KeyedOrder, IsABijectionForEverySize) {
  std::vector<int64_t> sizes(70);
  std::iota(sizes.begin(), sizes.end(), 1);
  sizes.insert(sizes.end(), {127, 128, 129, 255, 256, 257, 1000, 4095, 4096, 4097, 65537});
  for (const int64_t n : sizes) {
    for (const uint64_t epoch : {0u, 1u, 99u}) {
      std::vector<bool> seen(n, false);
      for (const int64_t record : Whole(n, 5, epoch)) {
        ASSERT_GE(record, 0);
        ASSERT_LT(record, n);
        ASSERT_FALSE(seen[record]) << "size " << n;
        seen[record] = true;
      }
    }
  }
}

// Values of a second implementation in Python (tests/parity/order_test.py).
TEST(KeyedOrder, GivesTheStoredOrder) {
  EXPECT_EQ(Whole(10, 42, 0), (std::vector<int64_t>{7, 5, 1, 8, 0, 9, 3, 6, 2, 4}));
  EXPECT_EQ(Whole(10, 42, 1), (std::vector<int64_t>{2, 9, 1, 5, 8, 0, 3, 6, 4, 7}));
  const KeyedOrder wide(1000, (uint64_t{1} << 40) + 5, 3);
  EXPECT_EQ(wide.At(0), 27);
  EXPECT_EQ(wide.At(7), 216);
  EXPECT_EQ(wide.At(999), 210);
  const KeyedOrder osv(4'890'000, 7, 12);
  EXPECT_EQ(osv.At(0), 3074811);
  EXPECT_EQ(osv.At(5), 429374);
}

TEST(KeyedOrder, GivesAnyStretchAsOneByOne) {
  const KeyedOrder orders[] = {{1025, 9, 4},  // of four values that come out, three are sent through again
                               {4'890'000, (uint64_t{1} << 40) + 5, 3},
                               {int64_t{1} << 48, ~uint64_t{0}, UINT32_MAX}};
  for (const KeyedOrder& order : orders) {
    for (const int64_t first : {0, 1, 500, 985}) {
      for (const int64_t n : {0, 1, 15, 16, 40}) {
        std::vector<int64_t> out(static_cast<size_t>(n), -1);
        order.At(first, out);
        for (int64_t i = 0; i < n; ++i) EXPECT_EQ(out[static_cast<size_t>(i)], order.At(first + i));
      }
    }
  }
}

// Where a record lands is uniform over epochs, and neighbours do not stay together: chi-square with 99
// degrees of freedom is above 149 once in a thousand times.
TEST(KeyedOrder, SpreadsEveryRecordEvenlyOverEpochs) {
  constexpr int64_t kN = 100;
  constexpr int kEpochs = 20'000;
  for (const int64_t index : {0, 1, 57, 99}) {
    std::vector<int> where(kN, 0), distance(kN, 0);
    for (uint64_t epoch = 0; epoch < kEpochs; ++epoch) {
      const KeyedOrder order(kN, 1234, epoch);
      const int64_t a = order.At(index), b = order.At((index + 1) % kN);
      ++where[a];
      ++distance[(b - a + kN) % kN];
    }
    double chi_place = 0, chi_distance = 0;
    for (int64_t i = 0; i < kN; ++i) {
      const double place = kEpochs / 100.0, gap = kEpochs / 99.0;
      chi_place += (where[i] - place) * (where[i] - place) / place;
      if (i > 0) chi_distance += (distance[i] - gap) * (distance[i] - gap) / gap;
    }
    EXPECT_LT(chi_place, 149) << "index " << index;
    EXPECT_LT(chi_distance, 149) << "index " << index;
    EXPECT_EQ(distance[0], 0);
  }
}

TEST(KeyedOrder, AllOrdersOfThreeComeUpEquallyOften) {
  std::vector<int> count(27, 0);
  constexpr int kSeeds = 12'000;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    const auto order = Whole(3, seed, 0);
    ++count[order[0] * 9 + order[1] * 3 + order[2]];
  }
  double chi = 0;
  for (const int c : count) {
    if (c > 0) chi += (c - kSeeds / 6.0) * (c - kSeeds / 6.0) / (kSeeds / 6.0);
  }
  EXPECT_EQ(std::count_if(count.begin(), count.end(), [](int c) { return c > 0; }), 6);
  EXPECT_LT(chi, 20.5);  // 5 degrees of freedom, once in a thousand
}

}  // namespace
}  // namespace graticule
