#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "data/embedding/embedding_store.h"
#include "data/embedding/verify_store.h"
#include "data/loader/loader.h"
#include "data/split/split_sidecar.h"
#include "tests/unit/data/tiny_dataset.h"

namespace graticule {
namespace {

constexpr int64_t kRecords = 500, kPerShard = 200, kViews = 3, kDim = 300;

// The number of view v, dimension d of a record, by its index in the whole dataset.
float Value(int64_t record, int64_t view, int64_t d) {
  return static_cast<float>(record) + 1000.0f * static_cast<float>(view) + 0.5f * static_cast<float>(d);
}

bool Missing(int64_t record) { return record % 50 == 49; }

EmbeddingPlan PlanFor(const Dataset& dataset) {
  const DatasetFolder folder = dataset.folders().front();
  EmbeddingPlan plan;
  plan.tower_sha256 = std::string(64, 'a');
  plan.output = "image_embeds";
  plan.dataset = folder.name;
  plan.records_sha256 = folder.records_sha256;
  plan.views = kViews;
  plan.dim = kDim;
  plan.dtype = SafeDType::kF32;
  plan.shard_rows = folder.shard_rows;
  return plan;
}

// Where a tensor begins in a file, from its header.
uint64_t OffsetIn(const std::string& path, const std::string& tensor) {
  const std::string bytes = ReadFileToString(path);
  uint64_t header = 0;
  std::memcpy(&header, bytes.data(), sizeof header);
  const auto json = nlohmann::json::parse(bytes.substr(sizeof header, header));
  return sizeof header + header + json.at(tensor).at("data_offsets").at(0).get<uint64_t>();
}

void WriteStore(const std::string& folder, const EmbeddingPlan& plan) {
  PosixFs().MakeDirs(folder);
  EmbeddingManifest manifest{.plan = plan, .parts = {}};
  int64_t first = 0;
  for (size_t shard = 0; shard < plan.shard_rows.size(); ++shard) {
    EmbeddingPartWriter writer(plan, static_cast<int64_t>(shard));
    for (int64_t row = 0; row < plan.shard_rows[shard]; ++row) {
      if (Missing(first + row)) continue;
      std::vector<float> values;
      for (int64_t v = 0; v < kViews; ++v) {
        for (int64_t d = 0; d < kDim; ++d) values.push_back(Value(first + row, v, d));
      }
      writer.Store(row, reinterpret_cast<const uint8_t*>(values.data()));
    }
    manifest.parts.push_back(writer.Write(PosixFs(), folder));
    first += plan.shard_rows[shard];
  }
  WriteEmbeddingManifest(PosixFs(), folder, manifest);
}

std::vector<float> Row(const EmbeddingStore& store, int64_t record, int64_t view, int64_t count) {
  std::vector<float> out(static_cast<size_t>(count * kDim));
  store.Read(record, view, count, reinterpret_cast<uint8_t*>(out.data()));
  return out;
}

class EmbeddingStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    WriteTinyDataset(folder_ / "set", kRecords, kPerShard);
    dataset_ = Dataset::Open({folder_ / "set"});
    plan_ = PlanFor(*dataset_);
    WriteStore(folder_ / "emb", plan_);
  }
  TemporaryFolder folder_;
  std::shared_ptr<const Dataset> dataset_;
  EmbeddingPlan plan_;
};

TEST_F(EmbeddingStoreTest, ServesEachRecordsViews) {
  const auto store = EmbeddingStore::Open({folder_ / "emb"}, dataset_);
  EXPECT_EQ(ReadEmbeddingManifest(folder_ / "emb").parts[1].valid, 196);  // 249, 299, 349, 399 are missing
  for (const int64_t record : {0, 48, 198, 200, 250, 498}) {
    const std::vector<float> two = Row(*store, record, 2, 2);  // the last view, then the first again
    EXPECT_EQ(two[7], Value(record, 2, 7));
    EXPECT_EQ(two[kDim + 299], Value(record, 0, 299));
  }
  EXPECT_THROW(Row(*store, 49, 0, 1), BadRecord);
}

// Rows stay with their records when the dataset is divided, and the store of a divided dataset still belongs
// to it.
TEST_F(EmbeddingStoreTest, FollowsTheRecordsOfASplit) {
  SplitLabels labels{.names = {"train", "val"}, .label = {}, .metadata = {{"method", "test"}}};
  for (int64_t i = 0; i < kRecords; ++i) labels.label.push_back(i % 7 == 3);
  WriteSplit(PosixFs(), folder_ / "set", ReadManifest(folder_ / "set"), labels);
  const auto val = Dataset::Open({folder_ / "set"}, {.split = {"val"}});
  const auto store = EmbeddingStore::Open({folder_ / "emb"}, val);
  EXPECT_EQ(Row(*store, 0, 0, 1)[0], Value(3, 0, 0));
  EXPECT_EQ(Row(*store, 40, 1, 1)[5], Value(283, 1, 5));
}

TEST_F(EmbeddingStoreTest, FollowsTheFoldersOfADataset) {
  WriteTinyDataset(folder_ / "other", 30, 16, 1000);
  const auto both = Dataset::Open({folder_ / "other", folder_ / "set"});
  EmbeddingPlan other = PlanFor(*Dataset::Open({folder_ / "other"}));
  other.seed = 9;
  WriteStore(folder_ / "emb2", other);
  const auto store = EmbeddingStore::Open({folder_ / "emb2", folder_ / "emb"}, both);
  EXPECT_EQ(Row(*store, 29, 0, 1)[0], Value(29, 0, 0));
  EXPECT_EQ(Row(*store, 31, 0, 1)[0], Value(1, 0, 0));
  EXPECT_THROW(EmbeddingStore::Open({folder_ / "emb", folder_ / "emb2"}, both), Error);
  EXPECT_THROW(EmbeddingStore::Open({folder_ / "emb"}, both), Error);
  other.tower_sha256 = std::string(64, 'b');
  WriteStore(folder_ / "emb3", other);
  EXPECT_THROW(EmbeddingStore::Open({folder_ / "emb3", folder_ / "emb"}, both), Error);
}

// Epoch e shows draw e mod V; missing rows are replaced by the next record; nothing depends on ranks and
// threads.
TEST_F(EmbeddingStoreTest, LoaderServesRowsInsteadOfPixels) {
  const auto store = EmbeddingStore::Open({folder_ / "emb"}, dataset_);
  std::map<int64_t, std::pair<int64_t, float>> reference;  // global position over epochs
  for (const int ranks : {1, 2, 4}) {
    std::map<int64_t, std::pair<int64_t, float>> seen;
    for (int rank = 0; rank < ranks; ++rank) {
      LoaderOptions options;
      options.seed = 5;
      options.global_batch = 100;
      options.rank = rank;
      options.world_size = ranks;
      options.threads = ranks;
      options.embeddings = store;
      const auto loader = Loader::Create(dataset_, options);
      for (int64_t t = 0; t < 20; ++t) {
        const Batch* b = loader->Next();
        ASSERT_EQ(b->images_BVHWC, nullptr);
        ASSERT_EQ(b->embedding_dim, kDim);
        for (int64_t i = 0; i < b->size; ++i) {
          float row[kDim];
          std::memcpy(row, b->embeddings_BVD + i * kDim * 4, sizeof row);
          ASSERT_FALSE(Missing(b->record[i]));
          ASSERT_EQ(row[2], Value(b->record[i], t / 5 % kViews, 2));
          ASSERT_EQ(b->places[i].lat_deg, -60.0 + static_cast<double>(b->record[i] % 120));
          seen[t / 5 * 1000 + b->position[i]] = {b->record[i], row[2]};
        }
        loader->Release(b);
      }
      EXPECT_EQ(loader->order_name(), "feistel-v1");
    }
    if (ranks == 1) reference = seen;
    EXPECT_EQ(seen, reference) << ranks << " ranks";
  }
  EXPECT_EQ(reference.size(), 2000u);
}

// Many rows at once: those that were read before, with their views wrapping around; the others are left
// alone.
TEST_F(EmbeddingStoreTest, RowsThatWereCheckedAreReadTogether) {
  const auto store = EmbeddingStore::Open({folder_ / "emb"}, dataset_);
  std::vector<int64_t> records, firsts;
  for (int64_t i = 0; i < 300; ++i) {
    records.push_back(i * 37 % kRecords);
    firsts.push_back(i);
  }
  std::vector<float> out(records.size() * 2 * kDim, -1);
  std::vector<uint8_t> read(records.size(), 9);
  const auto read_all = [&] {
    store->ReadChecked(records, firsts, 2, reinterpret_cast<uint8_t*>(out.data()), read);
  };
  read_all();
  EXPECT_EQ(std::count(read.begin(), read.end(), 0), 300);  // nothing has been checked
  for (int64_t record = 0; record < 400; ++record)
    if (!Missing(record)) Row(*store, record, 0, 1);
  read_all();
  for (size_t i = 0; i < records.size(); ++i) {
    const int64_t record = records[i];
    ASSERT_EQ(read[i], record < 400 && !Missing(record)) << record;
    const float* row = out.data() + i * 2 * kDim;
    ASSERT_EQ(row[kDim - 1], read[i] == 0 ? -1 : Value(record, firsts[i] % kViews, kDim - 1));
    ASSERT_EQ(row[kDim + 3], read[i] == 0 ? -1 : Value(record, (firsts[i] + 1) % kViews, 3));
  }
}

// A part that becomes shorter while it is mapped: an error for its lost rows, not the end of the process.
TEST_F(EmbeddingStoreTest, PagesThatCannotBeReadAreAnError) {
  const auto store = EmbeddingStore::Open({folder_ / "emb"}, dataset_);
  for (const int64_t record : {200, 201, 390}) Row(*store, record, 0, 1);
  constexpr int64_t kRowBytes = kViews * kDim * 4;
  ASSERT_EQ(truncate((folder_ / "emb/part-00001.emb").c_str(), 100 * kRowBytes), 0);
  EXPECT_EQ(Row(*store, 201, 0, 1)[0], Value(201, 0, 0));
  try {
    Row(*store, 390, 0, 1);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kData);
    EXPECT_NE(std::string(error.what()).find("too early"), std::string::npos) << error.what();
  }
  const std::vector<int64_t> records = {390, 200, 201}, firsts = {0, 0, 0};
  std::vector<float> out(3 * kDim);
  std::vector<uint8_t> read(3);
  store->ReadChecked(records, firsts, 1, reinterpret_cast<uint8_t*>(out.data()), read);
  EXPECT_EQ(read, (std::vector<uint8_t>{0, 1, 1}));
  EXPECT_EQ(out[2 * kDim + 1], Value(201, 0, 1));
}

// A flipped bit spoils the rows of its page and no others.
TEST_F(EmbeddingStoreTest, DamagedPagesAreFound) {
  const std::string path = folder_ / "emb/part-00001.emb";
  const uint64_t begin = OffsetIn(path, "embeddings");
  PatchByte(path, begin + 2 * kEmbeddingPage + 100, 4);
  const auto store = EmbeddingStore::Open({folder_ / "emb"}, dataset_);
  constexpr int64_t kRowBytes = kViews * kDim * 4;
  for (int64_t row = 0; row < kPerShard; ++row) {
    const int64_t record = kPerShard + row;
    if (Missing(record)) continue;
    const int64_t first = row * kRowBytes, last = first + kRowBytes - 1;
    const auto page = static_cast<int64_t>(kEmbeddingPage);
    if (last >= 2 * page && first < 3 * page) {
      EXPECT_THROW(Row(*store, record, 0, 1), BadRecord) << row;
    } else {
      EXPECT_EQ(Row(*store, record, 0, 1)[1], Value(record, 0, 1)) << row;
    }
  }
}

TEST_F(EmbeddingStoreTest, VerifyFindsWhatIsDamaged) {
  EXPECT_TRUE(IsEmbeddingStore(folder_ / "emb"));
  EXPECT_FALSE(IsEmbeddingStore(folder_ / "set"));
  const StoreCheck good = VerifyStore(folder_ / "emb", true);
  EXPECT_EQ(good.problems, std::vector<std::string>());
  EXPECT_EQ(good.rows, kRecords);
  EXPECT_EQ(good.valid, kRecords - 10);
  const std::string path = folder_ / "emb/part-00001.emb";
  PatchByte(path, OffsetIn(path, "embeddings") + kPerShard * kViews * kDim * 4 - 1, 1);
  const StoreCheck damaged = VerifyStore(folder_ / "emb", false);
  ASSERT_EQ(damaged.problems.size(), 1u);
  EXPECT_NE(damaged.problems[0].find("page 10 of part-00001.emb"), std::string::npos) << damaged.problems[0];
  EXPECT_NE(VerifyStore(folder_ / "emb", true).problems[0].find("SHA-256"), std::string::npos);
}

TEST_F(EmbeddingStoreTest, AStoreThatIsNotFinishedOrCutIsRefused) {
  std::filesystem::resize_file(folder_ / "emb/part-00002.emb", 1000);
  EXPECT_THROW(EmbeddingStore::Open({folder_ / "emb"}, dataset_), Error);
  std::filesystem::remove(folder_ / "emb/manifest.json");
  WriteFileAtomically(PosixFs(), folder_ / "emb/plan.json", PlanJson(plan_));
  try {
    EmbeddingStore::Open({folder_ / "emb"}, dataset_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("not finished"), std::string::npos);
  }
}

TEST_F(EmbeddingStoreTest, PartsOfAnotherPlanAreRefused) {
  EmbeddingPlan other = plan_;
  other.seed = 4;
  EXPECT_THROW(DescribePart(folder_ / "emb", other, 0), Error);
  const auto part = DescribePart(folder_ / "emb", plan_, 0);
  ASSERT_TRUE(part.has_value());
  EXPECT_EQ(part->valid, 196);
  EXPECT_EQ(part->sha256, ReadEmbeddingManifest(folder_ / "emb").parts[0].sha256);
  EXPECT_FALSE(DescribePart(folder_ / "emb", plan_, 7).has_value());
}

TEST_F(EmbeddingStoreTest, PartsThatChangedPlacesAreRefused) {
  std::filesystem::rename(folder_ / "emb/part-00000.emb", folder_ / "emb/keep");
  std::filesystem::rename(folder_ / "emb/part-00001.emb", folder_ / "emb/part-00000.emb");
  std::filesystem::rename(folder_ / "emb/keep", folder_ / "emb/part-00001.emb");
  const auto store = EmbeddingStore::Open({folder_ / "emb"}, dataset_);
  EXPECT_THROW(Row(*store, 0, 0, 1), Error);
}

// Two passes over 500 records in one epoch, and then two more in the next: the draw goes with the pass.
TEST_F(EmbeddingStoreTest, DrawsGoWithThePassNotWithTheEpoch) {
  LoaderOptions options;
  options.seed = 5;
  options.global_batch = 100;
  options.epoch_samples = 1000;
  options.threads = 2;
  options.embeddings = EmbeddingStore::Open({folder_ / "emb"}, dataset_);
  const auto loader = Loader::Create(dataset_, options);
  for (int64_t t = 0; t < 20; ++t) {
    const Batch* b = loader->Next();
    for (int64_t i = 0; i < b->size; ++i) {
      float first;
      std::memcpy(&first, b->embeddings_BVD + i * kDim * 4, sizeof first);
      ASSERT_EQ(first, Value(b->record[i], t / 5 % kViews, 0)) << "batch " << t;
    }
    loader->Release(b);
  }
  EXPECT_EQ(loader->stats().bad_records, 10);
}

TEST_F(EmbeddingStoreTest, DifferencesOfPlansAreNamed) {
  EmbeddingPlan other = plan_;
  other.dtype = SafeDType::kF16;
  EXPECT_EQ(FirstDifference(plan_, other), "dtype is \"F32\" there, \"F16\" here");
  other = plan_;
  other.augment.filter = "bilinear";
  EXPECT_EQ(FirstDifference(plan_, other), "preprocessing.filter is \"bicubic\" there, \"bilinear\" here");
  EXPECT_EQ(FirstDifference(plan_, plan_), "");
}

TEST_F(EmbeddingStoreTest, OtherPreprocessingIsRefused) {
  AugmentOptions wanted = plan_.augment;
  CheckPreprocessing(plan_, wanted, "emb");
  wanted.scale_min = 0.5;
  EXPECT_THROW(CheckPreprocessing(plan_, wanted, "emb"), Error);
  wanted = plan_.augment;
  wanted.filter = "bilinear";
  EXPECT_THROW(CheckPreprocessing(plan_, wanted, "emb"), Error);
  EXPECT_EQ(PlanJson(ParsePlan(PlanJson(plan_), "here")), PlanJson(plan_));
}

}  // namespace
}  // namespace graticule
