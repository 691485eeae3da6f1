#include "data/dataset.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include <functional>
#include <set>
#include <thread>

#include "data/shard/record_keys.h"
#include "data/split/split_sidecar.h"
#include "tests/unit/base/failure_of.h"
#include "tests/unit/data/tiny_dataset.h"

namespace graticule {
namespace {

TEST(Dataset, ServesRecordsInOrderAcrossShards) {
  const TemporaryFolder folder;
  const Manifest manifest = WriteTinyDataset(folder / "d", 25, 10);
  ASSERT_EQ(manifest.shards.size(), 3u);
  EXPECT_EQ(manifest.shards[2].n, 5);
  const auto dataset = Dataset::Open({folder / "d"});
  ASSERT_EQ(dataset->size(), 25);
  std::vector<uint8_t> out;
  for (int64_t i = 0; i < 25; ++i) {
    dataset->ReadImage(i, out);
    EXPECT_EQ(out, TinyImage(i));
    EXPECT_EQ(dataset->image_bytes(i), TinyImage(i).size());
    EXPECT_EQ(dataset->place(i).lat_deg, -60.0 + i);
    const RecordMeta meta = dataset->meta(i);
    EXPECT_EQ(dataset->id(i), "rec-" + std::to_string(i));
    EXPECT_EQ(meta.width, 100 + i);
    EXPECT_EQ(meta.flags, i % 2);
    EXPECT_EQ(meta.month, i % 12 + 1);
    EXPECT_EQ(meta.climate, i % 3 == 0 ? kMissingU8 : i % 30 + 1);
    EXPECT_EQ(meta.country, i % 2 == 0 ? "NA" : "FR");
    EXPECT_EQ(std::isnan(meta.aux[0]), i % 3 == 0);
    EXPECT_TRUE(std::isnan(meta.aux[1]));
  }
  EXPECT_EQ(dataset->Locate(24), "tiny-00002.h5[4]");
  EXPECT_DOUBLE_EQ(dataset->Coverage("climate"), 16.0 / 25);
  EXPECT_DOUBLE_EQ(dataset->Coverage("popden_km2"), 0);
  EXPECT_DOUBLE_EQ(dataset->Coverage("month"), 1);
  EXPECT_NE(FailureOf([&] { dataset->Coverage("nonsense"); }).find("nonsense"), std::string::npos);
}

TEST(Dataset, KeepsWhatIsWrittenAboutEachImage) {
  const TemporaryFolder folder;
  Dictionaries none;
  DatasetWriter writer(PosixFs(), folder / "d", {.dataset = "told", .records_per_shard = 2}, none);
  const std::string texts[] = {"a caf\xC3\xA9,\nand a sign", "", "third", "", ""};  // the last shard has none
  for (int64_t i = 0; i < 5; ++i) writer.Append("r", TinyImage(i), {}, TinyRow(i), texts[i]);
  EXPECT_EQ(writer.Finish().shards.size(), 3u);
  const auto dataset = Dataset::Open({folder / "d"});
  for (int64_t i = 0; i < 5; ++i) EXPECT_EQ(dataset->text(i), texts[i]);
}

TEST(Dataset, OfTheFirstMinorVersionStillOpens) {
  const TemporaryFolder folder;
  WriteTinyDataset(folder / "d", 7, 3);
  const std::string path = folder / "d/manifest.json";
  std::string manifest = ReadFileToString(path);
  const std::string now = "\"version_minor\": 1";
  ASSERT_NE(manifest.find(now), manifest.npos);
  manifest.replace(manifest.find(now), now.size(), "\"version_minor\": 0");
  WriteFileAtomically(PosixFs(), path, manifest);
  const auto dataset = Dataset::Open({folder / "d"});
  EXPECT_EQ(dataset->size(), 7);
  EXPECT_EQ(dataset->text(6), "") << "1.0 knew no texts";
}

TEST(Dataset, ConcatenatesFoldersInTheOrderGiven) {
  const TemporaryFolder folder;
  WriteTinyDataset(folder / "a", 7, 3);
  WriteTinyDataset(folder / "b", 5, 10, 100);
  const auto dataset = Dataset::Open({folder / "b", folder / "a"});
  ASSERT_EQ(dataset->size(), 12);
  EXPECT_EQ(dataset->id(0), "rec-100");
  EXPECT_EQ(dataset->id(4), "rec-104");
  EXPECT_EQ(dataset->id(5), "rec-0");
  EXPECT_EQ(dataset->id(11), "rec-6");
  EXPECT_NE(dataset->Sha256(), Dataset::Open({folder / "a", folder / "b"})->Sha256());
}

TEST(Dataset, AShareIsAlwaysTheSameAndNested) {
  const TemporaryFolder folder;
  WriteTinyDataset(folder / "d", 2000, 600);
  WriteTinyDataset(folder / "other_shards", 2000, 150);
  const auto ids = [&](const std::string& name, double share) {
    const auto dataset = Dataset::Open({folder / name}, {.share = share});
    std::vector<std::string> out;
    for (int64_t i = 0; i < dataset->size(); ++i) out.push_back(dataset->id(i));
    return out;
  };
  const auto tenth = ids("d", 0.1), half = ids("d", 0.5);
  EXPECT_NEAR(static_cast<double>(tenth.size()), 200, 4 * std::sqrt(2000 * 0.09));
  EXPECT_NEAR(static_cast<double>(half.size()), 1000, 4 * std::sqrt(2000 * 0.25));
  EXPECT_TRUE(std::includes(
      half.begin(), half.end(), tenth.begin(), tenth.end(),
      [&](const auto& a, const auto& b) { return std::stoi(a.substr(4)) < std::stoi(b.substr(4)); }));
  EXPECT_EQ(ids("other_shards", 0.1), tenth);
  EXPECT_NE(Dataset::Open({folder / "d"}, {.share = 0.1})->Sha256(), Dataset::Open({folder / "d"})->Sha256());
}

TEST(Dataset, SelectsRecordsBySplit) {
  const TemporaryFolder folder;
  const Manifest manifest = WriteTinyDataset(folder / "d", 20, 6);
  EXPECT_EQ(Dataset::Open({folder / "d"}, {.split = {"train"}})->size(), 20);  // the manifest's own split
  SplitLabels labels{.names = {"train", "near", "far"}, .label = std::vector<uint8_t>(20, 0)};
  labels.label[3] = labels.label[17] = 1;
  labels.label[9] = 2;
  WriteSplit(PosixFs(), folder / "d", manifest, labels);
  const auto held_out = Dataset::Open({folder / "d"}, {.split = {"far", "near"}});
  ASSERT_EQ(held_out->size(), 3);
  EXPECT_EQ(held_out->id(0), "rec-3");
  EXPECT_EQ(held_out->id(1), "rec-9");
  EXPECT_EQ(held_out->id(2), "rec-17");
  EXPECT_EQ(held_out->Locate(2), "tiny-00002.h5[5]");
  EXPECT_EQ(Dataset::Open({folder / "d"}, {.split = {"train"}})->size(), 17);
  EXPECT_NE(held_out->Sha256(), Dataset::Open({folder / "d"}, {.split = {"train"}})->Sha256());
  const std::string message =
      FailureOf([&] { Dataset::Open({folder / "d"}, {.split = {"val"}}); }, ErrorCode::kUsage);
  EXPECT_NE(message.find("train, near, far"), std::string::npos) << message;
}

TEST(Dataset, WhatWasNeverDividedServesAsTrain) {
  const TemporaryFolder folder;
  Manifest manifest = WriteTinyDataset(folder / "d", 20, 6);
  manifest.split = "all";
  WriteManifest(PosixFs(), folder / "d", manifest);
  EXPECT_EQ(Dataset::Open({folder / "d"}, {.split = {"train"}})->size(), 20);
  EXPECT_EQ(Dataset::Open({folder / "d"}, {.split = {"all"}})->size(), 20);
  EXPECT_NE(FailureOf([&] { Dataset::Open({folder / "d"}, {.split = {"val"}}); }, ErrorCode::kUsage)
                .find("there is all"),
            std::string::npos);
}

TEST(Dataset, IsReadByManyThreadsAtOnce) {
  const TemporaryFolder folder;
  WriteTinyDataset(folder / "d", 200, 9);
  const auto dataset = Dataset::Open({folder / "d"});
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::vector<uint8_t> out;
      for (int64_t i = 0; i < 200; ++i) {
        const int64_t record = (i * 13 + t * 50) % 200;
        dataset->ReadImage(record, out);
        wrong += out != TinyImage(record) || dataset->id(record) != "rec-" + std::to_string(record);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Dataset, RefusesDamagedFoldersNamingTheFile) {
  const TemporaryFolder folder;
  const std::string d = folder / "d";
  const Manifest manifest = WriteTinyDataset(d, 20, 10);
  const auto open = [&] { Dataset::Open({d}); };
  const std::string shard = d + "/" + manifest.shards[1].file;

  std::filesystem::rename(shard, shard + ".away");
  EXPECT_NE(FailureOf(open).find("tiny-00001.h5: the file is missing"), std::string::npos);
  std::filesystem::rename(shard + ".away", shard);

  std::filesystem::resize_file(shard, manifest.shards[1].size - 1);
  EXPECT_NE(FailureOf(open).find(std::to_string(manifest.shards[1].size)), std::string::npos);
  std::filesystem::resize_file(shard, manifest.shards[1].size);

  PatchByte(d + "/index.safetensors", manifest.index.size - 3, 1);
  EXPECT_NE(FailureOf(open).find("index.safetensors: SHA-256"), std::string::npos);
  PatchByte(d + "/index.safetensors", manifest.index.size - 3, 1);

  PatchByte(shard, 100, 1);
  const auto dataset = Dataset::Open({d});  // the head is hashed when the shard is first touched
  std::vector<uint8_t> out;
  EXPECT_NO_THROW(dataset->ReadImage(3, out));
  EXPECT_NE(FailureOf([&] { dataset->ReadImage(13, out); }).find("tiny-00001.h5: head SHA-256"),
            std::string::npos);
  PatchByte(shard, 100, 1);

  PatchByte(shard, manifest.shards[1].img_abs_off + 4, 1);
  EXPECT_THROW(Dataset::Open({d})->ReadImage(10, out), BadRecord);
  EXPECT_NE(FailureOf([&] { Dataset::Open({folder.path()}); }).find("manifest.json"), std::string::npos);
}

TEST(Dataset, RefusesAShardCutAnywhereBeforeServingARecord) {
  const TemporaryFolder folder;
  const Manifest manifest = WriteTinyDataset(folder / "d", 20, 10);
  const std::string shard = folder / "d/" + manifest.shards[1].file;
  std::mt19937_64 random(11);
  std::set<uint64_t, std::greater<>> lengths;  // falling, so that the file only ever shrinks
  while (lengths.size() < 1000) lengths.insert(random() % manifest.shards[1].size);
  for (const uint64_t length : lengths) {
    std::filesystem::resize_file(shard, length);
    const std::string message = FailureOf([&] { Dataset::Open({folder / "d"}); });
    ASSERT_NE(message.find("tiny-00001.h5: found " + std::to_string(length) + " bytes, the manifest says " +
                           std::to_string(manifest.shards[1].size)),
              std::string::npos)
        << message;
  }
}

TEST(Manifest, NamesTheKeyThatIsWrong) {
  const TemporaryFolder folder;
  WriteTinyDataset(folder / "d", 4, 2);
  const std::string good = ReadFileToString(folder / "d/manifest.json");
  EXPECT_EQ(ParseManifest(good, "m").n_records, 4);
  const auto broken = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    EXPECT_NE(text.find(from), std::string::npos) << from;
    text.replace(text.find(from), from.size(), to);
    return FailureOf([&] { ParseManifest(text, "m"); });
  };
  EXPECT_NE(broken("\"n_records\": 4", "\"n_records\": 5").find("n_records"), std::string::npos);
  EXPECT_NE(broken("\"n\": 2", "\"n\": -2").find("shards[0].n"), std::string::npos);
  EXPECT_NE(broken("tiny-00000.h5", "../tiny-00000.h5").find("shards[0].file"), std::string::npos);
  EXPECT_NE(broken("\"head_sha256\": \"", "\"head_sha256\": \"Z").find("head_sha256"), std::string::npos);
  EXPECT_NE(broken("\"version_major\": 1", "\"version_major\": 2").find("version_major"), std::string::npos);
  EXPECT_NE(broken("{", "").find("not valid JSON"), std::string::npos);
}

TEST(DatasetWriter, GoesOnAfterTheLastSealedShard) {
  const TemporaryFolder folder;
  const Manifest whole = WriteTinyDataset(folder / "whole", 25, 10);
  const DatasetWriterOptions options{.dataset = "tiny", .split = "train", .records_per_shard = 10};
  Dictionaries dictionaries;
  dictionaries["city"].Intern("Windhoek");
  const auto append = [](DatasetWriter& writer, int64_t i) {
    writer.Append("rec-" + std::to_string(i), TinyImage(i),
                  {static_cast<uint16_t>(100 + i % 50), 64, static_cast<uint8_t>(i % 2)}, TinyRow(i));
  };
  {
    DatasetWriter writer(PosixFs(), folder / "d", options, dictionaries);
    EXPECT_EQ(writer.Resume("same"), std::nullopt);
    writer.OnSeal([&] { return "after " + std::to_string(writer.size()); });
    for (int64_t i = 0; i < 24; ++i) append(writer, i);  // and is lost
  }
  const auto resume = [&](const std::string& fingerprint) {
    DatasetWriter writer(PosixFs(), folder / "d", options, dictionaries);
    writer.Resume(fingerprint);
  };
  const std::string other = FailureOf([&] { resume("other"); }, ErrorCode::kUsage);
  EXPECT_NE(other.find("other files or options"), std::string::npos);
  std::filesystem::rename(folder / "d/tiny-00001.h5", folder / "taken");
  const std::string gone = FailureOf([&] { resume("same"); });
  EXPECT_NE(gone.find("tiny-00001.h5: the file is missing"), std::string::npos);
  EXPECT_NE(gone.find("Remove the folder to start again"), std::string::npos);
  std::filesystem::rename(folder / "taken", folder / "d/tiny-00001.h5");
  DatasetWriter writer(PosixFs(), folder / "d", options, dictionaries);
  EXPECT_EQ(writer.Resume("same"), "after 20");
  ASSERT_EQ(writer.size(), 20);
  for (int64_t i = 20; i < 25; ++i) append(writer, i);
  const Manifest resumed = writer.Finish();
  EXPECT_EQ(resumed.sha256, whole.sha256);  // it names the hash of every other file
  EXPECT_FALSE(std::filesystem::exists(folder / "d/import.journal.json"));
}

// Of several shards that are sealed at a time the second fails: the journal ends before it, and the import
// goes on from there.
TEST(DatasetWriter, AShardThatCannotBeSealedLeavesNoHole) {
  const TemporaryFolder folder;
  const Manifest whole = WriteTinyDataset(folder / "whole", 45, 10);
  const DatasetWriterOptions options{.dataset = "tiny", .split = "train", .records_per_shard = 10};
  Dictionaries dictionaries;
  dictionaries["city"].Intern("Windhoek");
  const auto append = [](DatasetWriter& writer, int64_t i) {
    writer.Append("rec-" + std::to_string(i), TinyImage(i),
                  {static_cast<uint16_t>(100 + i % 50), 64, static_cast<uint8_t>(i % 2)}, TinyRow(i));
  };
  const auto failing = MakeFaultyFs(PosixFs(), [](std::string_view operation, const std::string& path) {
    if (operation == "fsync" && path.find("tiny-00001.h5") != std::string::npos)
      throw Error(ErrorCode::kCheckpoint, "no", path);
  });
  const std::string failure = FailureOf(
      [&] {
        DatasetWriter writer(*failing, folder / "d", options, dictionaries);
        writer.Resume("same");
        writer.OnSeal([&] { return "after " + std::to_string(writer.size()); });
        for (int64_t i = 0; i < 45; ++i) append(writer, i);
        writer.Finish();
      },
      ErrorCode::kCheckpoint);
  EXPECT_NE(failure.find("tiny-00001.h5"), std::string::npos) << failure;
  DatasetWriter writer(PosixFs(), folder / "d", options, dictionaries);
  EXPECT_EQ(writer.Resume("same"), "after 10");
  ASSERT_EQ(writer.size(), 10);
  for (int64_t i = 10; i < 45; ++i) append(writer, i);
  EXPECT_EQ(writer.Finish().sha256, whole.sha256);
}

// Datasets with dictionaries of their own agree on the places they both name, whatever the numbers there.
TEST(Dataset, KeysTellWhatRecordsShare) {
  const TemporaryFolder folder;
  const auto write = [&](const std::string& name, const std::vector<std::string>& cities, uint64_t author) {
    Dictionaries dictionaries;
    dictionaries["region"].Intern("Khomas");
    for (const std::string& city : cities) dictionaries["city"].Intern(city);
    DatasetWriter writer(PosixFs(), folder / name, {.dataset = name, .records_per_shard = 2}, dictionaries);
    for (size_t i = 0; i < cities.size(); ++i) {
      RecordRow row = TinyRow(0);  // in country 516
      if (i != 1) row.SetInt(Col::kRegion, 1);
      if (!cities[i].empty()) row.SetInt(Col::kCity, dictionaries["city"].Intern(cities[i]));
      row.SetInt(Col::kAuthorHash, static_cast<int64_t>(author + i));
      if (i == 2) row.SetInt(Col::kSeqHash, 77);
      writer.Append(std::to_string(i), TinyImage(0), {}, row);
    }
    writer.Finish();
  };
  write("a", {"Windhoek", "", "Okahandja"}, 10);
  write("b", {"Okahandja", "Windhoek", " WINDHOEK "}, 12);
  const auto both = Dataset::Open({folder / "a", folder / "b"}, {.keys = true});
  const auto place = [&](int64_t record) { return both->keys(record).place; };
  EXPECT_EQ(place(0), PlaceKey(516, "khomas", "windhoek"));
  EXPECT_EQ(place(1), 0u);        // neither region nor city
  EXPECT_EQ(place(2), place(3));  // Okahandja, number 2 there and 1 here
  EXPECT_EQ(place(5), place(0));  // written otherwise
  EXPECT_NE(place(4), place(0));  // no region
  EXPECT_NE(place(0), place(2));
  EXPECT_NE(PlaceKey(250, "khomas", "windhoek"), place(0));
  EXPECT_EQ(both->keys(2).author, 12u);
  EXPECT_EQ(both->keys(3).author, both->keys(2).author);
  EXPECT_EQ(both->keys(2).sequence, 77u);
  EXPECT_EQ(both->keys(0).sequence, 0u);
  // Seed 0, of the line "516" and the two names below it, by xxh64sum.
  EXPECT_EQ(place(0), 0x878e1e7e4b1f2580u);
  EXPECT_EQ(Dataset::Open({folder / "a"})->keys(0).place, 0u) << "not asked for";
}

}  // namespace
}  // namespace graticule
