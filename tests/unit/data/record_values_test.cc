#include "data/variogram/record_values.h"

#include <gtest/gtest.h>

#include <limits>

#include "data/embedding/embedding_part.h"
#include "data/enrich/enrich_sidecar.h"
#include "data/variogram/land_cover.h"
#include "tests/unit/base/failure_of.h"
#include "tests/unit/data/tiny_dataset.h"

namespace graticule {
namespace {

constexpr int64_t kRecords = 60;

std::string WriteCovered(const std::string& folder, bool replace) {
  const Dictionaries dictionaries;
  DatasetWriter writer(PosixFs(), folder, {.dataset = "covered", .records_per_shard = 25}, dictionaries);
  for (int64_t i = 0; i < kRecords; ++i) {
    RecordRow row = TinyRow(i);
    if (i % 2 == 0) row.SetInt(Col::kLandcover, 3);
    row.SetInt(Col::kAuthorHash, i % 4 == 0 ? 0 : 70 + i % 4);
    writer.Append("r" + std::to_string(i), TinyImage(i), {8, 8, 0}, row);
  }
  writer.Finish();
  std::vector<uint8_t> classes;
  for (int64_t i = 0; i < kRecords; ++i) classes.push_back(i % 5 == 0 ? 255 : static_cast<uint8_t>(100 + i));
  EnrichColumnInfo info;
  info.method = "nearest";
  info.replace = replace;
  WriteEnrichment(PosixFs(), folder, ReadManifest(folder), {{"landcover", {info, classes}}});
  return folder;
}

// The layer fills what the source does not have, or wins where it was told to; both in every shard.
TEST(RecordValues, LandCoverIsFilledOrReplacedByTheLayer) {
  TemporaryFolder folder;
  for (const bool replace : {false, true}) {
    const auto dataset = Dataset::Open({WriteCovered(folder / (replace ? "r" : "f"), replace)});
    const LandCover cover(*dataset);
    for (int64_t i = 0; i < kRecords; ++i) {
      const bool own = i % 2 == 0, layer = i % 5 != 0;
      const auto expected = layer && (replace || !own) ? std::optional<int32_t>(100 + i)
                            : own                      ? std::optional<int32_t>(3)
                                                       : std::nullopt;
      EXPECT_EQ(cover.Of(i), expected) << i << (replace ? " replaced" : " filled");
    }
    const RecordSample sample = SampleLabels(*dataset, "land_cover", {});
    EXPECT_EQ(sample.without_value, 6);  // odd multiples of five have neither
    EXPECT_EQ(std::ssize(sample.records), kRecords - 6);
  }
}

TEST(RecordValues, AreThoseOfTheRecordsChosen) {
  TemporaryFolder folder;
  WriteTinyDataset(folder / "set", kRecords, 25);
  const auto dataset = Dataset::Open({folder / "set"});
  const RecordSample all = SampleNumbers(*dataset, "elev_m", {});
  EXPECT_EQ(std::ssize(all.records), 40);  // every third record has no elevation
  const RecordSample some = SampleNumbers(*dataset, "elev_m", {.most = 10, .seed = 4}),
                     again = SampleNumbers(*dataset, "elev_m", {.most = 10, .seed = 4}),
                     other = SampleNumbers(*dataset, "elev_m", {.most = 10, .seed = 5});
  EXPECT_EQ(some.records, again.records);
  EXPECT_NE(some.records, other.records);
  ASSERT_EQ(some.records.size(), 10u);
  for (size_t i = 1; i < 10; ++i) {
    const auto record = static_cast<double>(some.records[i]),
               before = static_cast<double>(some.records[i - 1]);
    EXPECT_LT(before, record);
    EXPECT_NEAR(some.values->HalfSquare(static_cast<int64_t>(i - 1), static_cast<int64_t>(i)),
                0.5 * std::pow(10.5 * (record - before), 2), 1e-9);
    EXPECT_EQ(some.places[i].lat_deg, -60 + record);
  }
  const RecordSample climate = SampleLabels(*dataset, "climate", {});
  EXPECT_EQ(climate.values->HalfSquare(0, 1), 1);  // codes 2 and 3
  EXPECT_NE(FailureOf([&] { SampleLabels(*dataset, "land_cover", {}); }).find("no value"), std::string::npos);
}

TEST(RecordValues, RowsWithoutADirectionAreLeftOut) {
  TemporaryFolder folder;
  WriteTinyDataset(folder / "set", 8, 8);
  const auto dataset = Dataset::Open({folder / "set"});
  EmbeddingPlan plan;
  plan.tower_sha256 = std::string(64, 'a');
  plan.output = "image_embeds";
  plan.dataset = dataset->folders().front().name;
  plan.records_sha256 = dataset->folders().front().records_sha256;
  plan.dim = 2;
  plan.dtype = SafeDType::kF32;
  plan.shard_rows = {8};
  EmbeddingPartWriter writer(plan, 0);
  for (int64_t row = 0; row < 7; ++row) {  // the last one is never stored
    float values[2] = {1, static_cast<float>(row)};
    if (row == 2) values[0] = values[1] = 0;
    if (row == 3) values[1] = std::numeric_limits<float>::infinity();
    if (row == 4) values[0] = std::numeric_limits<float>::quiet_NaN();
    writer.Store(row, reinterpret_cast<const uint8_t*>(values));
  }
  PosixFs().MakeDirs(folder / "emb");
  const EmbeddingManifest manifest{.plan = plan, .parts = {writer.Write(PosixFs(), folder / "emb")}};
  WriteEmbeddingManifest(PosixFs(), folder / "emb", manifest);
  const RecordSample sample = SampleEmbeddings(EmbeddingStore::Open({folder / "emb"}, dataset), {});
  EXPECT_EQ(sample.records, (std::vector<int64_t>{0, 1, 5, 6}));
  EXPECT_EQ(sample.without_value, 4);
  EXPECT_NEAR(sample.values->HalfSquare(0, 1), 1 - 1 / std::sqrt(2.0), 1e-6);
}

TEST(RecordValues, KeysOfUnknownAuthorsAreZero) {
  TemporaryFolder folder;
  const auto dataset = Dataset::Open({WriteCovered(folder / "set", false)}, {.keys = true});
  RecordSample sample = SampleLabels(*dataset, "country", {});
  EXPECT_EQ(ExcludeSame(*dataset, "author", sample), 45);
  EXPECT_EQ(ExcludeSame(*dataset, "sequence", sample), 0);
  const EstimateInput input = sample.Input();
  ASSERT_EQ(input.keys.size(), 2u);
  EXPECT_EQ(input.keys[0][4], 0u);
  EXPECT_EQ(input.keys[0][1], input.keys[0][5]);
  EXPECT_NE(input.keys[0][1], input.keys[0][2]);
}

}  // namespace
}  // namespace graticule
