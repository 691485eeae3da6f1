#include "data/loader/sample_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "base/error.h"

namespace graticule {
namespace {

OrderOptions Blocks(int64_t records, int64_t block, int64_t pool) {
  OrderOptions options;
  options.seed = 3;
  options.records = options.epoch_samples = records;
  options.block = {block, pool};
  return options;
}

// A stretch of positions, also one that begins in one pass and ends in the next but one.
TEST(SampleOrder, StretchesAreTheirPositionsOneByOne) {
  OrderOptions global;
  global.seed = 8;
  global.records = 37;
  global.epoch_samples = 100;
  global.endless = true;
  for (const OrderOptions& options : {global, Blocks(203, 10, 4)}) {
    const auto order = SampleOrder::Create(options);
    for (const int64_t first : {0, 20, 36, 37}) {
      std::vector<int64_t> records(60);
      order->RecordsAt(1, first, records);
      for (int64_t i = 0; i < 60; ++i)
        ASSERT_EQ(records[static_cast<size_t>(i)], order->RecordAt(1, first + i))
            << order->name() << " " << first;
    }
  }
}

// Each pool's stretch of positions holds whole blocks of neighbours (cyclic), and blocks begin elsewhere in
// the next epoch.
TEST(BlockOrder, PoolsHoldWholeBlocksOfNeighbours) {
  constexpr int64_t kRecords = 203, kBlock = 10, kPool = 4;
  const auto order = SampleOrder::Create(Blocks(kRecords, kBlock, kPool));
  EXPECT_EQ(order->name(), "block-v1:10x4");
  std::set<int64_t> borders[2];
  for (const int64_t epoch : {0, 1}) {
    std::set<int64_t> all;
    for (int64_t begin = 0; begin < kRecords; begin += kBlock * kPool) {
      std::set<int64_t> pool;
      for (int64_t i = begin; i < std::min(kRecords, begin + kBlock * kPool); ++i)
        pool.insert(order->RecordAt(epoch, i));
      // Runs of neighbours: as many as blocks, or fewer where blocks happen to follow each other.
      int64_t runs = 0;
      for (const int64_t record : pool) {
        if (pool.contains((record + kRecords - 1) % kRecords)) continue;
        ++runs;
        borders[epoch].insert(record % kBlock);
      }
      EXPECT_LE(runs, kPool);
      all.insert(pool.begin(), pool.end());
    }
    EXPECT_EQ(all.size(), static_cast<size_t>(kRecords));
  }
  EXPECT_NE(borders[0], borders[1]);
}

// 2^18 records are pooled where nothing else is asked for, or all there are.
TEST(BlockOrder, PoolsAtLeastTwoToTheEighteenth) {
  EXPECT_EQ(SampleOrder::Create(Blocks(5'000'000, 256, 0))->name(), "block-v1:256x1024");
  EXPECT_EQ(SampleOrder::Create(Blocks(1000, 256, 0))->name(), "block-v1:256x4");
}

TEST(BlockOrder, EndlessEpochsServeEveryRecordEquallyOften) {
  OrderOptions options = Blocks(50, 8, 2);
  options.epoch_samples = 20;
  options.endless = true;
  const auto order = SampleOrder::Create(options);
  std::map<int64_t, int> count;
  for (int64_t epoch = 0; epoch < 10; ++epoch) {
    for (int64_t i = 0; i < 20; ++i) ++count[order->RecordAt(epoch, i)];
  }
  EXPECT_EQ(count.size(), 50u);
  for (const auto& [record, times] : count) EXPECT_EQ(times, 4) << record;
}

// By the time a position is handed out, its record's block has been asked for, once, and wherever reading
// begins.
TEST(BlockOrder, BlocksAreReadAheadBeforeTheirRecordsAreNeeded) {
  constexpr int64_t kRecords = 203, kBatch = 14;
  for (const bool endless : {false, true}) {
    OrderOptions options = Blocks(kRecords, 10, 4);
    options.endless = endless;
    options.epoch_samples = 196;
    const auto order = SampleOrder::Create(options);
    for (const int64_t start : {0, 5}) {
      std::map<int64_t, int> asked;
      int64_t times = 0;
      for (int64_t batch = start; batch < 60; ++batch) {
        const int64_t epoch = batch / 14, position = batch % 14 * kBatch;
        for (const RecordRange& range : order->ReadAhead(epoch, position, kBatch, batch == start)) {
          ASSERT_GE(range.first, 0);
          ASSERT_LE(range.first + range.count, kRecords);
          for (int64_t r = range.first; r < range.first + range.count; ++r) ++asked[r];
          times += range.count;
        }
        for (int64_t i = 0; i < kBatch; ++i) {
          const int64_t record = order->RecordAt(epoch, position + i);
          ASSERT_TRUE(asked[record]-- > 0) << "batch " << batch << " record " << record;
        }
      }
      EXPECT_LE(times, (60 - start) * kBatch + 6 * 40);  // a pool ahead, and a pool at each start
    }
  }
}

TEST(Mixture, SlotsGoToTheLargestRemainders) {
  EXPECT_EQ(MixtureSlots({0.7, 0.2, 0.1}), (std::vector<int64_t>{700, 200, 100}));
  EXPECT_EQ(MixtureSlots({1, 1, 1}), (std::vector<int64_t>{334, 333, 333}));
  EXPECT_EQ(MixtureSlots({2, 4, 1}), (std::vector<int64_t>{286, 571, 143}));  // 285.71, 571.43, 142.86
  EXPECT_EQ(MixtureSlots({3, 0}), (std::vector<int64_t>{1000, 0}));
  EXPECT_THROW(MixtureSlots({1, 1e-5}), Error);
}

OrderOptions Mixture(std::vector<double> weights, std::vector<int64_t> records, int64_t epoch_samples) {
  OrderOptions options;
  options.seed = 11;
  options.endless = true;
  options.epoch_samples = epoch_samples;
  options.mixture = std::move(weights);
  options.member_records = std::move(records);
  for (const int64_t n : options.member_records) options.records += n;
  return options;
}

// Any block of 1,000 positions, across the ends of epochs, has its fixed counts, and a member's records come
// equally often however small it is.
TEST(Mixture, HoldsItsProportionsAndServesMembersEvenly) {
  const auto order = SampleOrder::Create(Mixture({0.6, 0.3, 0.1}, {70, 5000, 10}, 640));
  EXPECT_EQ(order->name(), "mixture-v1:600/300/100");
  std::map<int64_t, int64_t> times;
  for (int64_t block = 0; block < 7; ++block) {
    int64_t first = 0, second = 0, third = 0;
    for (int64_t i = block * 1000; i < (block + 1) * 1000; ++i) {
      const int64_t record = order->RecordAt(i / 640, i % 640);
      ++times[record];
      ++(record < 70 ? first : record < 5070 ? second : third);
    }
    EXPECT_EQ(first, 600);
    EXPECT_EQ(second, 300);
    EXPECT_EQ(third, 100);
  }
  for (int64_t record = 0; record < 70; ++record) EXPECT_EQ(times[record], 60) << record;    // 4200 / 70
  for (int64_t record = 70; record < 5070; ++record) EXPECT_LE(times[record], 1) << record;  // 2100 of 5000
  for (int64_t record = 5070; record < 5080; ++record) EXPECT_EQ(times[record], 70) << record;  // 700 / 10
}

TEST(Mixture, SaysWhatItCannotMix) {
  EXPECT_THROW(SampleOrder::Create(Mixture({1, 1, 1}, {10, 10}, 100)), Error);
  EXPECT_THROW(SampleOrder::Create(Mixture({1, 1}, {10, 0}, 100)), Error);
  OrderOptions both = Mixture({1, 1}, {10, 10}, 100);
  both.block.records = 4;
  EXPECT_THROW(SampleOrder::Create(both), Error);
}

}  // namespace
}  // namespace graticule
