// Which record a loader serves at which position: the same on any number of ranks and threads, whatever the
// order.
#include <cmath>
#include <filesystem>
#include <functional>

#include "base/fs.h"
#include "data/loader/alias_table.h"
#include "data/loader/plan_folder.h"
#include "tests/unit/data/loader_fixture.h"

namespace graticule {
namespace {

using namespace loader_fixture;

TEST(Loader, SamplesDoNotDependOnRanksOrThreads) {
  auto data = std::make_shared<FakeImages>(50);
  data->broken_ = {3, 4, 20};
  std::map<std::pair<int64_t, int64_t>, Row> reference;
  Collect(*Loader::Create(data, Options(12, 0, 1, 1)), 9, reference);
  EXPECT_EQ(reference.size(), 12u * 9);  // two epochs of four batches and one more
  for (const int ranks : {1, 2, 4, 5}) {
    for (const int threads : {1, 4}) {
      std::map<std::pair<int64_t, int64_t>, Row> together;
      for (int rank = 0; rank < ranks; ++rank) {
        auto loader = Loader::Create(data, Options(12, rank, ranks, threads));
        EXPECT_EQ(loader->batches_per_epoch(), 4);
        Collect(*loader, 9, together);
      }
      EXPECT_EQ(together, reference) << ranks << " ranks, " << threads << " threads";
    }
  }
}

TEST(Loader, WeightedSamplesDoNotDependOnRanksOrThreadsEither) {
  auto data = std::make_shared<FakeImages>(50);
  data->broken_ = {3, 4, 20};
  std::vector<uint64_t> weights(50, 1);
  weights[7] = 51;  // half of all draws
  const auto table = std::make_shared<const AliasTable>(weights);
  const auto options = [&](int rank, int ranks, int threads) {
    LoaderOptions o = Options(12, rank, ranks, threads);
    o.weights = table;
    return o;
  };
  std::map<std::pair<int64_t, int64_t>, Row> reference;
  Collect(*Loader::Create(data, options(0, 1, 1)), 20, reference);
  for (const int ranks : {2, 4}) {
    std::map<std::pair<int64_t, int64_t>, Row> together;
    for (int rank = 0; rank < ranks; ++rank)
      Collect(*Loader::Create(data, options(rank, ranks, 3)), 20, together);
    EXPECT_EQ(together, reference) << ranks << " ranks";
  }
  int64_t sevens = 0;
  for (const auto& [key, row] : reference) sevens += row.record == 7;
  EXPECT_NEAR(static_cast<double>(sevens), 120, 4 * std::sqrt(240 * 0.25));
  // A position draws the same record wherever one begins to read.
  auto late = Loader::Create(data, options(0, 1, 2));
  late->Seek(2, 1);
  std::map<std::pair<int64_t, int64_t>, Row> tail;
  Collect(*late, 3, tail, 9);  // epochs of four batches: batch 9 of all
  for (const auto& [key, row] : tail) EXPECT_EQ(row, reference.at(key));
  EXPECT_EQ(late->order_name(), "alias-v1:" + table->Sha256().substr(0, 16));
}

// Every order, with bad records, several views and keys: 1 to 8 ranks of 1 to 8 threads see the same bytes at
// the same positions, and a loader that begins in the middle goes on alike.
TEST(Loader, EveryOrderIsTheSameOnAnyRanksAndThreads) {
  auto data = std::make_shared<FakeImages>(50);
  data->broken_ = {3, 4, 20};
  struct Mode {
    std::string name;
    std::function<void(LoaderOptions&)> set;
  };
  std::vector<uint64_t> weights(50, 3);
  weights[7] = 90;
  const std::vector<Mode> modes = {
      {"feistel-v1", [](LoaderOptions&) {}},
      {"feistel-v1", [](LoaderOptions& o) { o.epoch_samples = 64; }},
      {"sequential", [](LoaderOptions& o) { o.shuffle = false; }},
      {"block-v1:4x3",
       [](LoaderOptions& o) {
         o.block = {4, 3};
       }},
      {"block-v1:16x4",
       [](LoaderOptions& o) {
         o.block = {16, 0}, o.epoch_samples = 64;
       }},
      {"alias-v1", [&](LoaderOptions& o) { o.weights = std::make_shared<const AliasTable>(weights); }},
      {"mixture-v1:250/750",
       [](LoaderOptions& o) {
         o.mixture = {1, 3}, o.epoch_samples = 64;
       }},
  };
  for (const Mode& mode : modes) {
    const auto options = [&](int rank, int ranks, int threads) {
      LoaderOptions o = Options(16, rank, ranks, threads);
      o.views = 2;
      o.keys = true;
      o.augment.image_size = 8;
      mode.set(o);
      return o;
    };
    std::map<std::pair<int64_t, int64_t>, Row> reference;
    const auto first = Loader::Create(data, options(0, 1, 1));
    EXPECT_EQ(first->order_name().substr(0, mode.name.size()), mode.name);
    Collect(*first, 11, reference);
    ASSERT_EQ(reference.size(), 16u * 11);
    for (const int ranks : {1, 2, 4, 8}) {
      for (const int threads : {1, 3, 8}) {
        std::map<std::pair<int64_t, int64_t>, Row> together;
        for (int rank = 0; rank < ranks; ++rank)
          Collect(*Loader::Create(data, options(rank, ranks, threads)), 11, together);
        EXPECT_EQ(together, reference) << mode.name << ", " << ranks << " ranks, " << threads << " threads";
      }
    }
    const auto late = Loader::Create(data, options(0, 1, 2));
    const int64_t per_epoch = late->batches_per_epoch();
    late->Seek(7 / per_epoch, 7 % per_epoch);
    std::map<std::pair<int64_t, int64_t>, Row> tail;
    Collect(*late, 4, tail, 7);
    for (const auto& [key, row] : tail) EXPECT_EQ(row, reference.at(key)) << mode.name;
  }
}

// A loader that follows plans: the same bytes on 1, 2 and 4 ranks, and from the middle. It ends with each
// epoch, whose successor may not be known yet.
TEST(Loader, PlansAreTheSameOnAnyRanksAndThreads) {
  auto data = std::make_shared<FakeImages>(50);
  data->broken_ = {3, 4, 20};
  const std::string dir = testing::TempDir() + "loader_plans";
  std::vector<std::vector<uint32_t>> planned(2);
  for (uint32_t i = 0; i < 48; ++i) {
    planned[0].push_back((7 * i + 1) % 50);
    planned[1].push_back((11 * i + 30) % 50);
  }
  const auto plans = [&] {
    auto folder = std::make_shared<PlanFolder>(PlanFolderOptions{dir, "test-v1", 50, 48});
    for (int64_t epoch = 0; epoch < 2; ++epoch)
      folder->Open(epoch, folder->Write(PosixFs(), epoch, planned[static_cast<size_t>(epoch)]));
    return folder;
  };
  const auto options = [&](int rank, int ranks, int threads) {
    LoaderOptions o = Options(12, rank, ranks, threads);
    o.plans = plans();
    return o;
  };
  const auto collect_both = [](Loader& loader, std::map<std::pair<int64_t, int64_t>, Row>& out) {
    for (const int64_t epoch : {0, 1}) {
      loader.Seek(epoch, 0);
      Collect(loader, 4, out, 4 * epoch);
      EXPECT_EQ(loader.Next(), nullptr);
    }
  };
  std::map<std::pair<int64_t, int64_t>, Row> reference;
  const auto first = Loader::Create(data, options(0, 1, 1));
  EXPECT_EQ(first->order_name(), "test-v1");
  collect_both(*first, reference);
  ASSERT_EQ(reference.size(), 96u);
  for (const auto& [key, row] : reference) {
    int64_t record = planned[static_cast<size_t>(key.first / 4)][static_cast<size_t>(key.second)];
    while (data->broken_.contains(record)) ++record;
    EXPECT_EQ(row.record, record);
  }
  for (const int ranks : {1, 2, 4}) {
    for (const int threads : {1, 3}) {
      std::map<std::pair<int64_t, int64_t>, Row> together;
      for (int rank = 0; rank < ranks; ++rank)
        collect_both(*Loader::Create(data, options(rank, ranks, threads)), together);
      EXPECT_EQ(together, reference) << ranks << " ranks, " << threads << " threads";
    }
  }
  const auto late = Loader::Create(data, options(0, 1, 2));
  late->Seek(1, 2);
  std::map<std::pair<int64_t, int64_t>, Row> tail;
  Collect(*late, 2, tail, 6);
  EXPECT_EQ(late->Next(), nullptr);
  for (const auto& [key, row] : tail) EXPECT_EQ(row, reference.at(key));
  std::filesystem::remove_all(dir);
}

TEST(Loader, EveryRecordComesOncePerEpochAndEpochsDiffer) {
  auto data = std::make_shared<FakeImages>(24);
  auto loader = Loader::Create(data, Options(8));
  std::vector<std::vector<int64_t>> epochs(2);
  for (auto& epoch : epochs) {
    for (int t = 0; t < 3; ++t) {
      const Batch* b = loader->Next();
      epoch.insert(epoch.end(), b->record.begin(), b->record.end());
    }
    EXPECT_EQ(std::set<int64_t>(epoch.begin(), epoch.end()).size(), 24u);
  }
  EXPECT_NE(epochs[0], epochs[1]);
}

TEST(Loader, SeekGivesWhatRunningThereGives) {
  auto data = std::make_shared<FakeImages>(40);
  data->broken_ = {5};
  std::map<std::pair<int64_t, int64_t>, Row> straight, jumped;
  Collect(*Loader::Create(data, Options(8)), 13, straight);
  auto loader = Loader::Create(data, Options(8, 0, 1, 3));
  Collect(*loader, 2, jumped);  // leaves batches in flight
  loader->Seek(1, 2);           // batch 7 of the stream
  Collect(*loader, 6, jumped, 7);
  for (const auto& [key, row] : jumped) EXPECT_EQ(row, straight.at(key)) << key.first << " " << key.second;
  EXPECT_EQ(jumped.size(), 8u * 8);
}

TEST(Loader, EpochsOfChosenLengthUseEveryRecordEquallyOften) {
  auto data = std::make_shared<FakeImages>(10);
  LoaderOptions options = Options(6);
  options.epoch_samples = 12;
  auto loader = Loader::Create(data, options);
  EXPECT_EQ(loader->batches_per_epoch(), 2);
  std::map<int64_t, int> count;
  for (int t = 0; t < 5; ++t) {  // 30 draws: three passes
    const Batch* b = loader->Next();
    for (const int64_t record : b->record) ++count[record];
  }
  EXPECT_EQ(count.size(), 10u);
  for (const auto& [record, times] : count) EXPECT_EQ(times, 3) << record;
}

}  // namespace
}  // namespace graticule
