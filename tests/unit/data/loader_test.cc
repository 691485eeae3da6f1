#include "data/loader/loader.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <thread>
#include <vector>

#include "base/error.h"
#include "data/image/augment.h"
#include "data/image/jpeg_decode.h"
#include "data/loader/order.h"
#include "tests/unit/data/jpeg_samples.h"

namespace graticule {
namespace {

// Small images in memory; chosen records are bad in chosen ways.
class FakeDataset : public Dataset {
 public:
  explicit FakeDataset(int64_t n) {
    for (int64_t i = 0; i < n; ++i)
      jpegs_.push_back(SampleJpeg(40 + static_cast<int>(i % 7), 36, static_cast<int>(i)));
  }
  int64_t size() const override { return static_cast<int64_t>(jpegs_.size()); }
  LatLon place(int64_t record) const override { return {record * 0.25, -record * 0.5}; }
  RecordMeta meta(int64_t record) const override {
    RecordMeta meta;
    meta.place = place(record);
    meta.climate = static_cast<uint8_t>(record % 32 == 31 ? 255 : record % 32);
    meta.month = static_cast<uint8_t>(record % 13);
    for (int k = 0; k < kAuxColumnCount; ++k) meta.aux[k] = static_cast<float>(record * 10 + k);
    return meta;
  }
  std::string id(int64_t record) const override { return std::to_string(record); }
  uint32_t image_bytes(int64_t record) const override { return static_cast<uint32_t>(jpegs_[record].size()); }
  void ReadImage(int64_t record, std::vector<uint8_t>& out) const override {
    ++reads_;
    if (broken_.contains(record)) throw BadRecord{record, "checksum"};
    if (record == io_error_) throw Error(ErrorCode::kData, "input/output error");
    out = jpegs_[record];
  }
  RecordKeys keys(int64_t record) const override {
    return {.place = static_cast<uint64_t>(record / 4),
            .author = static_cast<uint64_t>(record % 5),
            .sequence = 0};
  }
  RecordAddress Address(int64_t record) const override { return {0, 0, record}; }
  std::vector<DatasetFolder> folders() const override {
    std::vector<DatasetFolder> two(2);
    two[0].size = 20;
    two[1].size = size() - 20;
    return two;
  }
  std::string Locate(int64_t record) const override { return "fake[" + std::to_string(record) + "]"; }
  std::string Sha256() const override { return ""; }
  double Coverage(const std::string&) const override { return 1; }

  std::vector<std::vector<uint8_t>> jpegs_;
  std::set<int64_t> broken_;
  int64_t io_error_ = -1;
  mutable std::atomic<int64_t> reads_ = 0;
};

LoaderOptions Options(int64_t global_batch, int rank = 0, int world_size = 1, int threads = 2) {
  LoaderOptions options;
  options.seed = 77;
  options.global_batch = global_batch;
  options.rank = rank;
  options.world_size = world_size;
  options.threads = threads;
  options.augment.image_size = 16;
  options.augment.scale_min = 0.3;
  return options;
}

struct Row {
  int64_t record;
  LatLon place;
  int32_t climate, month;
  std::vector<float> aux;
  std::vector<uint8_t> image;
  std::vector<uint64_t> keys;
  bool operator==(const Row&) const = default;
};

// The next `batches` batches, by (sequence of the batch, global position).
void Collect(Loader& loader, int64_t batches, std::map<std::pair<int64_t, int64_t>, Row>& out,
             int64_t first = 0) {
  for (int64_t t = first; t < first + batches; ++t) {
    const Batch* b = loader.Next();
    ASSERT_NE(b, nullptr);
    const int64_t bytes = b->views * b->image_size * b->image_size * 3;
    for (int64_t i = 0; i < b->size; ++i) {
      Row row{b->record[i],
              b->places[i],
              b->climate[i],
              b->month[i],
              {b->aux_B6.begin() + 6 * i, b->aux_B6.begin() + 6 * i + 6},
              {b->images_BVHWC + bytes * i, b->images_BVHWC + bytes * (i + 1)},
              {}};
      if (!b->keys.empty()) row.keys = {b->keys[i].place, b->keys[i].author, b->keys[i].sequence};
      ASSERT_TRUE(out.emplace(std::pair{t, b->position[i]}, std::move(row)).second)
          << "a position came twice";
    }
    loader.Release(b);
  }
}

TEST(Loader, SamplesDoNotDependOnRanksOrThreads) {
  auto data = std::make_shared<FakeDataset>(50);
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
  auto data = std::make_shared<FakeDataset>(50);
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
  auto data = std::make_shared<FakeDataset>(50);
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
  auto data = std::make_shared<FakeDataset>(50);
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

// The whole chain spelled out: order, replacement, crop keyed by position.
TEST(Loader, SampleIsWhatItsKeySays) {
  auto data = std::make_shared<FakeDataset>(30);
  data->broken_ = {11, 12};
  const LoaderOptions options = Options(10);
  auto loader = Loader::Create(data, options);
  JpegDecoder decoder;
  Cropper cropper(options.augment);
  int64_t replaced = 0;
  for (int64_t t = 0; t < 6; ++t) {
    const Batch* b = loader->Next();
    for (int64_t i = 0; i < 10; ++i) {
      const int64_t epoch = t / 3, position = t % 3 * 10 + i;
      int64_t record = KeyedOrder(30, 77, static_cast<uint64_t>(epoch)).At(position);
      if (record == 11 || record == 12) {
        record = 13;
        ++replaced;
      }
      ASSERT_EQ(b->position[i], position);
      ASSERT_EQ(b->record[i], record);
      Image image;
      decoder.Decode(data->jpegs_[record], {}, image);
      Rng rng(77, {.epoch = static_cast<uint64_t>(epoch),
                   .index = static_cast<uint64_t>(position),
                   .purpose = Purpose::kCrop});
      std::vector<uint8_t> expected(16 * 16 * 3);
      cropper.Crop(image, rng, expected.data());
      ASSERT_EQ(std::memcmp(expected.data(), b->images_BVHWC + i * 16 * 16 * 3, expected.size()), 0);
    }
  }
  EXPECT_EQ(replaced, 4);
  EXPECT_EQ(loader->stats().bad_records, 2);
  ASSERT_EQ(loader->quarantine().size(), 2u);
  EXPECT_EQ(loader->quarantine()[0].reason, "checksum");
  EXPECT_EQ(loader->stats().images, 60);
  EXPECT_EQ(loader->order_name(), "feistel-v1");
}

TEST(Loader, EveryRecordComesOncePerEpochAndEpochsDiffer) {
  auto data = std::make_shared<FakeDataset>(24);
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
  auto data = std::make_shared<FakeDataset>(40);
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

TEST(Loader, EvaluationCoversEveryRecordOnceAndPads) {
  auto data = std::make_shared<FakeDataset>(21);
  data->broken_ = {9};
  std::multiset<int64_t> records;
  int64_t padding = 0;
  for (int rank = 0; rank < 3; ++rank) {
    LoaderOptions options = Options(9, rank, 3);
    options.shuffle = options.drop_last = false;
    options.augment.kind = "centre_crop";
    auto loader = Loader::Create(data, options);
    EXPECT_EQ(loader->batches_per_epoch(), 3);
    for (int t = 0; t < 3; ++t) {
      const Batch* b = loader->Next();
      ASSERT_NE(b, nullptr);
      for (int64_t i = 0; i < b->size; ++i) {
        const int64_t position = t * 9 + rank * 3 + i;
        if (position >= 21 || position == 9) {
          EXPECT_EQ(b->position[i], -1);
          EXPECT_EQ(b->record[i], -1);
          EXPECT_EQ(b->climate[i], -1);
          EXPECT_TRUE(std::isnan(b->places[i].lat_deg));
          EXPECT_TRUE(std::isnan(b->aux_B6[6 * i]));
          EXPECT_EQ(b->images_BVHWC[i * 16 * 16 * 3], 0);
          ++padding;
        } else {
          EXPECT_EQ(b->position[i], position);
          records.insert(b->record[i]);
        }
      }
    }
    EXPECT_EQ(loader->Next(), nullptr);
    EXPECT_EQ(loader->Next(), nullptr);
    loader->Seek(0, 2);
    EXPECT_NE(loader->Next(), nullptr);
    EXPECT_EQ(loader->Next(), nullptr);
  }
  EXPECT_EQ(records.size(), 20u);
  EXPECT_EQ(std::set<int64_t>(records.begin(), records.end()).size(), 20u);
  EXPECT_EQ(padding, 7);
}

TEST(Loader, CodesAreShiftedAndMissingOnesMasked) {
  auto data = std::make_shared<FakeDataset>(64);
  LoaderOptions options = Options(64);
  options.shuffle = false;
  const Batch* b = nullptr;
  auto loader = Loader::Create(data, options);
  b = loader->Next();
  EXPECT_EQ(b->climate[0], -1);  // code 0: no data
  EXPECT_EQ(b->climate[1], 0);
  EXPECT_EQ(b->climate[30], 29);
  EXPECT_EQ(b->climate[31], -1);  // code 255
  EXPECT_EQ(b->month[0], -1);
  EXPECT_EQ(b->month[12], 11);
  EXPECT_EQ(b->month[13], -1);
  EXPECT_EQ(b->aux_B6[6 * 7 + 2], 72.0f);
  EXPECT_EQ(b->places[7], (LatLon{1.75, -3.5}));
}

TEST(Loader, UndecodableImagesCountAsBad) {
  auto data = std::make_shared<FakeDataset>(12);
  data->jpegs_[2] = {1, 2, 3};
  data->jpegs_[7].resize(data->jpegs_[7].size() / 2);
  LoaderOptions options = Options(12);
  options.shuffle = false;
  auto loader = Loader::Create(data, options);
  const Batch* b = loader->Next();
  EXPECT_EQ(b->record, (std::vector<int64_t>{0, 1, 3, 3, 4, 5, 6, 8, 8, 9, 10, 11}));
  EXPECT_EQ(loader->stats().bad_records, 2);
}

TEST(Loader, TooManyBadRecordsStopTheRun) {
  auto data = std::make_shared<FakeDataset>(40);
  data->broken_ = {1, 5, 6, 30};
  LoaderOptions options = Options(8);
  options.shuffle = false;
  options.max_bad = 3;
  auto loader = Loader::Create(data, options);
  for (int t = 0; t < 3; ++t) EXPECT_NE(loader->Next(), nullptr);
  for (int again = 0; again < 2; ++again) {
    try {
      loader->Next();
      FAIL() << "the fourth bad record lies in this batch";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kData);
      EXPECT_EQ(error.where(), "fake[30]");
      EXPECT_NE(error.message().find("4 bad records, expected at most 3"), std::string::npos);
    }
  }
}

TEST(Loader, InputErrorsAreNeverReplaced) {
  auto data = std::make_shared<FakeDataset>(16);
  data->io_error_ = 3;
  LoaderOptions options = Options(8);
  options.shuffle = false;
  EXPECT_THROW(Loader::Create(data, options)->Next(), Error);
}

TEST(Loader, ImpossibleOptionsAreRefused) {
  auto data = std::make_shared<FakeDataset>(10);
  EXPECT_THROW(Loader::Create(data, Options(11)), Error);       // no full batch
  EXPECT_THROW(Loader::Create(data, Options(2, 0, 3)), Error);  // ranks without a sample
  EXPECT_THROW(Loader::Create(data, Options(2, 2, 2)), Error);
  EXPECT_THROW(Loader::Create(std::make_shared<FakeDataset>(0), Options(1)), Error);
  LoaderOptions options = Options(2);
  options.augment.filter = "lanczos";
  EXPECT_THROW(Loader::Create(data, options), Error);
}

TEST(Loader, EpochsOfChosenLengthUseEveryRecordEquallyOften) {
  auto data = std::make_shared<FakeDataset>(10);
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

TEST(Loader, ViewsOfOneImageAreCroppedApart) {
  auto data = std::make_shared<FakeDataset>(8);
  LoaderOptions options = Options(4);
  options.views = 2;
  auto loader = Loader::Create(data, options);
  const Batch* b = loader->Next();
  const size_t image = 16 * 16 * 3;
  for (int64_t i = 0; i < 4; ++i) {
    const uint8_t* views = b->images_BVHWC + 2 * image * i;
    EXPECT_NE(std::memcmp(views, views + image, image), 0);
  }
}

// A batch stays untouched while it is lent, however far the workers could run ahead.
TEST(Loader, LentBatchIsNotOverwritten) {
  auto data = std::make_shared<FakeDataset>(64);
  LoaderOptions options = Options(4, 0, 1, 4);
  options.depth = 3;
  auto loader = Loader::Create(data, options);
  const Batch* first = loader->Next();
  const std::vector<int64_t> records = first->record;
  const std::vector<uint8_t> images(first->images_BVHWC, first->images_BVHWC + 4 * 16 * 16 * 3);
  const Batch* second = loader->Next();
  EXPECT_NE(first, second);
  // The workers fill the third slot and then have nowhere to go. Were the two lent ones taken for free, they
  // would read on: a twentieth of a second is time for hundreds of such images.
  while (data->reads_ < 12) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(data->reads_, 12);
  EXPECT_EQ(first->record, records);
  EXPECT_EQ(std::memcmp(first->images_BVHWC, images.data(), images.size()), 0);
  loader->Release(first);
  loader->Release(second);
  EXPECT_NE(loader->Next(), nullptr);
}

}  // namespace
}  // namespace graticule
