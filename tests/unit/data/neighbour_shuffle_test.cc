// The algorithm draw by draw is compared with a second implementation in tests/parity/neighbours_test.py;
// here are its properties.
#include "data/loader/neighbour_shuffle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>

#include "base/error.h"
#include "data/loader/order.h"

namespace graticule {
namespace {

struct Lists {
  std::vector<uint32_t> records_NK;
  int64_t per_record;
  NeighbourTable table() const { return {records_NK, per_record}; }
};

// Random lists of random lengths up to k.
Lists RandomLists(uint32_t n, int64_t k, uint64_t seed) {
  std::mt19937_64 random(seed);
  Lists lists{{}, k};
  for (uint32_t record = 0; record < n; ++record) {
    std::set<uint32_t> chosen;
    const auto length = static_cast<size_t>(random() % static_cast<uint64_t>(k + 1));
    while (chosen.size() < std::min<size_t>(length, n - 1)) {
      const auto other = static_cast<uint32_t>(random() % n);
      if (other != record) chosen.insert(other);
    }
    std::vector<uint32_t> list(chosen.begin(), chosen.end());
    std::shuffle(list.begin(), list.end(), random);
    list.resize(static_cast<size_t>(k), kNoNeighbour);
    lists.records_NK.insert(lists.records_NK.end(), list.begin(), list.end());
  }
  return lists;
}

std::vector<uint32_t> Permutation(int64_t n, uint64_t seed, uint64_t epoch) {
  std::vector<uint32_t> all;
  for (int64_t i = 0; i < n; ++i) all.push_back(static_cast<uint32_t>(KeyedOrder(n, seed, epoch).At(i)));
  return all;
}

// Each record of a batch is the first of the permutation that is left, or stands in the list of the last
// such.
TEST(NeighbourShuffle, BatchesHoldRecordsAndTheirOwnNeighbours) {
  const Lists lists = RandomLists(1000, 24, 1);
  for (const double share : {0.0, 0.25, 0.5, 1.0}) {
    for (const int64_t batch : {1, 7, 32, 128, 1000}) {
      const ShuffleOptions options{.seed = 9, .batch = batch, .select = 16, .share = share};
      const EpochOrder order = NeighbourShuffle(lists.table(), options, 3);
      ASSERT_EQ(std::ssize(order.records), 1000 / batch * batch);
      ASSERT_EQ(order.gave_up_at, -1);
      const std::vector<uint32_t> pool = Permutation(1000, 9, 3);
      std::set<uint32_t> used, listed;
      size_t turn = 0;
      int64_t filled = 0, from_lists = 0;
      for (int64_t position = 0; position < std::ssize(order.records); ++position) {
        const uint32_t record = order.records[position];
        while (used.contains(pool[turn])) ++turn;
        if (position % batch == 0) filled = 0, listed.clear();
        if (record == pool[turn]) {
          const auto list = lists.table().Of(record);
          if (!listed.contains(record)) listed.clear();  // else it may have come from the list
          listed.insert(list.begin(), list.end());
        } else {
          ASSERT_TRUE(listed.contains(record)) << "position " << position;
          ++filled;
          ++from_lists;
        }
        ASSERT_LE(static_cast<double>(filled), share * static_cast<double>(batch));
        ASSERT_TRUE(used.insert(record).second) << "record " << record << " comes twice";
      }
      // A neighbour that happens to be the next of the permutation is not told apart above.
      EXPECT_GE(order.from_lists, from_lists);
      EXPECT_LE(order.from_lists, from_lists + 1000 / 50);
      if (share == 0) EXPECT_TRUE(std::equal(order.records.begin(), order.records.end(), pool.begin()));
      if (share > 0 && batch > 4) EXPECT_GT(order.from_lists, 100);
    }
  }
}

// By hand: of six records, each with its successor as the one candidate.
TEST(NeighbourShuffle, ARecordBringsItsNearestWithIt) {
  const Lists ring{{1, 5, 2, 0, 3, 1, 4, 2, 5, 3, 0, 4}, 2};
  for (const uint64_t seed : {0, 1, 2, 3, 4, 5, 6, 7}) {
    const std::vector<uint32_t> pool = Permutation(6, seed, 0);
    const ShuffleOptions options{.seed = seed, .batch = 3, .select = 2, .share = 1};
    const EpochOrder order = NeighbourShuffle(ring.table(), options, 0);
    // Both list entries: the first half is the successor, the drawn one the predecessor.
    const uint32_t first = pool[0];
    EXPECT_EQ(order.records[0], first);
    EXPECT_EQ(order.records[1], (first + 1) % 6);
    EXPECT_EQ(order.records[2], (first + 5) % 6);
    const ShuffleOptions half{.seed = seed, .batch = 2, .select = 2, .share = 0.5};
    EXPECT_EQ(NeighbourShuffle(ring.table(), half, 0).records[1], (first + 1) % 6);
  }
}

// Each entry behind the first half is drawn equally often, and the first half always.
TEST(NeighbourShuffle, DrawsTheRestOfAListEvenly) {
  Lists star{std::vector<uint32_t>(41 * 40, kNoNeighbour), 40};
  for (uint32_t k = 0; k < 40; ++k) star.records_NK[k] = k + 1;
  std::vector<int> times(41);
  int anchored = 0;
  for (int64_t epoch = 0; epoch < 6000; ++epoch) {
    const ShuffleOptions options{.seed = 4, .batch = 9, .select = 8, .share = 1};
    const EpochOrder order = NeighbourShuffle(star.table(), options, epoch);
    if (order.records[0] != 0) continue;
    ++anchored;
    for (int64_t i = 1; i < 9; ++i) ++times[order.records[i]];
  }
  ASSERT_GT(anchored, 90);
  for (int k = 1; k <= 4; ++k) EXPECT_EQ(times[k], anchored);
  const double expected = anchored * 4.0 / 36;
  for (int k = 5; k <= 40; ++k) EXPECT_NEAR(times[k], expected, 5 * std::sqrt(expected)) << k;
}

TEST(NeighbourShuffle, IsFixedByItsKeyAndDiffersBetweenEpochs) {
  const Lists lists = RandomLists(500, 20, 2);
  const ShuffleOptions options{.seed = 1, .batch = 20, .select = 10};
  const EpochOrder first = NeighbourShuffle(lists.table(), options, 0);
  EXPECT_EQ(NeighbourShuffle(lists.table(), options, 0).records, first.records);
  const auto differ = [&](const EpochOrder& other) {
    int64_t moved = 0;
    for (size_t i = 0; i < other.records.size(); ++i) moved += other.records[i] != first.records[i];
    return moved > 450;
  };
  EXPECT_TRUE(differ(NeighbourShuffle(lists.table(), options, 1)));
  ShuffleOptions seeded = options;
  seeded.seed = 2;
  EXPECT_TRUE(differ(NeighbourShuffle(lists.table(), seeded, 0)));
}

// What follows is the rest of the permutation.
TEST(NeighbourShuffle, GivesUpOnListsAfterFailuresInARow) {
  const Lists lists = RandomLists(600, 20, 3);
  const ShuffleOptions options{.seed = 6, .batch = 30, .select = 20, .share = 1, .give_up = 3};
  const EpochOrder order = NeighbourShuffle(lists.table(), options, 0);
  ASSERT_GT(order.gave_up_at, 30);
  ASSERT_LT(order.gave_up_at, 600);
  ASSERT_EQ(order.records.size(), 600u);
  std::set<uint32_t> used(order.records.begin(), order.records.begin() + order.gave_up_at);
  std::vector<uint32_t> rest;
  for (const uint32_t record : Permutation(600, 6, 0))
    if (!used.contains(record)) rest.push_back(record);
  EXPECT_TRUE(std::equal(rest.begin(), rest.end(), order.records.begin() + order.gave_up_at));
  ShuffleOptions patient = options;
  patient.give_up = 1000;
  const EpochOrder whole = NeighbourShuffle(lists.table(), patient, 0);
  EXPECT_EQ(whole.gave_up_at, -1);
  EXPECT_TRUE(
      std::equal(whole.records.begin(), whole.records.begin() + order.gave_up_at, order.records.begin()));
}

TEST(NeighbourShuffle, NameHoldsAllThatChangesTheOrder) {
  EXPECT_EQ(NeighbourShuffleName({.batch = 128}, 96, "gps"),
            "neighbours-v1:128x64of96,share=0.5,give_up=1024,gps");
}

}  // namespace
}  // namespace graticule
