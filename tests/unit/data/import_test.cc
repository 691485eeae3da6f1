#include "data/import/importer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "data/dataset.h"
#include "data/verify.h"
#include "tests/unit/base/failure_of.h"
#include "tests/unit/data/make_jpeg.h"
#include "tests/unit/data/tiny_dataset.h"

namespace graticule {
namespace {

void WriteBytes(const std::string& path, const std::vector<uint8_t>& bytes) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  WriteFileAtomically(PosixFs(), path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

ImportResult ImportPhotos(const std::string& folder, const ImportOptions& options, bool exif = false) {
  const ImportTable table{folder + "/t.csv",
                          [exif](const CsvReader& csv) { return MakeFolderLayout(csv, exif); }};
  return ImportDataset(
      PosixFs(), table, [&](const std::vector<std::string>& ids) { return MakeFileSource(folder, ids); },
      true, options);
}

TEST(Import, CountsEverythingItLeavesOut) {
  const TemporaryFolder folder;
  const std::string in = folder / "in";
  WriteBytes(in + "/good.jpg", MakeJpeg(40, 30));
  WriteBytes(in + "/turned.jpg", WithExif(MakeJpeg(40, 30), 6));
  WriteBytes(in + "/cut.jpg", [] {
    auto bytes = MakeJpeg(64, 64);
    bytes.resize(bytes.size() - 20);
    return bytes;
  }());
  WriteBytes(in + "/text.jpg", {'n', 'o'});
  WriteBytes(in + "/orphan.jpg", MakeJpeg(8, 8));
  WriteBytes(in + "/placed.jpg", WithExif(MakeJpeg(8, 8), 1, -90, 600));
  WriteBytes(folder / "outside.jpg", MakeJpeg(8, 8));
  WriteFileAtomically(
      PosixFs(), in + "/t.csv",
      "image,lat,lon\ngood.jpg,1,2\nturned.jpg,3,4\ncut.jpg,5,6\ntext.jpg,7,8\nmissing.jpg,9,10\n"
      "good.jpg,11,12\nbad.jpg,95,0\nplaced.jpg,,\n../outside.jpg,1,1\n");
  WriteFileAtomically(PosixFs(), folder / "extra.csv",
                      "id,elev_m,climate,month\ngood.jpg,12.5,7,3\nnobody.jpg,1,1,1\n");
  ImportOptions options;
  options.out = folder / "out";
  options.writer.dataset = "photos";
  options.extra_csv = {folder / "extra.csv"};
  options.place_from_exif = true;
  options.list_below = in;
  const ImportResult result = ImportPhotos(in, options, true);
  const ImportReport& report = result.report;
  EXPECT_EQ(result.manifest.n_records, 4);
  EXPECT_EQ(report.count("undecodable"), 1);
  EXPECT_EQ(report.count("truncated"), 1);
  EXPECT_EQ(report.count("row_without_file"), 2);
  EXPECT_EQ(report.count("row_with_repeated_id"), 1);
  EXPECT_EQ(report.count("bad_coordinates"), 1);
  EXPECT_EQ(report.count("name_leaves_the_folder"), 1);
  EXPECT_EQ(report.count("file_without_row"), 1);
  EXPECT_EQ(report.count("extra_row_without_record"), 1);
  EXPECT_EQ(report.count("place_from_exif"), 1);
  const nlohmann::json json = nlohmann::json::parse(report.ToJson());
  EXPECT_EQ(json["reasons"]["row_without_file"]["first"][0], "missing.jpg (row 4)");
  EXPECT_EQ(json["reasons"]["file_without_row"]["first"][0], "orphan.jpg");
  EXPECT_TRUE(PosixFs().Exists(folder / "out/import_report.txt"));

  const auto dataset = Dataset::Open({folder / "out"});
  EXPECT_EQ(dataset->id(0), "good.jpg");
  EXPECT_EQ(dataset->meta(0).aux[0], 12.5f);
  EXPECT_EQ(dataset->meta(0).climate, 7);
  EXPECT_EQ(dataset->meta(0).month, 3);
  EXPECT_EQ(dataset->meta(1).flags, kNeedsRotation);
  EXPECT_TRUE(std::isnan(dataset->meta(1).aux[0]));
  EXPECT_EQ(dataset->meta(2).flags, kTruncated);
  EXPECT_EQ(dataset->place(3), (LatLon{-1.5, 10}));
  std::vector<uint8_t> bytes;
  dataset->ReadImage(0, bytes);
  EXPECT_EQ(bytes, MakeJpeg(40, 30));
  EXPECT_TRUE(VerifyDataset(folder / "out").good());
}

TEST(ImageSource, AnotherFileIsAnotherSource) {
  const auto of = [](const std::vector<std::string>& names) {
    return MakeFileSource("/in", names)->Fingerprint();
  };
  EXPECT_EQ(of({"a.jpg", "b.jpg"}), of({"a.jpg", "b.jpg"}));
  EXPECT_NE(of({"a.jpg", "b.jpg"}), of({"a.jpg", "c.jpg"}));
  EXPECT_NE(of({"a.jpg", "b.jpg"}), of({"b.jpg", "a.jpg"}));
  EXPECT_NE(of({"ab", "c"}), of({"a", "bc"}));
}

TEST(Import, IdsAreUtf8WhateverTheFilesAreCalled) {
  const TemporaryFolder folder;
  const std::vector<std::string> names = {"caf\xE9.jpg", "z\xC3\xBCrich.jpg", "z\xFCrich.jpg"};
  for (size_t i = 0; i < names.size(); ++i)
    WriteBytes(folder / "in/" + names[i], WithExif(MakeJpeg(20 + static_cast<int>(i), 20), 1, -90, 600));
  ImportOptions options;
  options.out = folder / "out";
  options.writer.dataset = "photos";
  options.place_from_exif = true;
  options.list_below = folder / "in";
  const auto source = [&](const std::vector<std::string>&) { return MakeFileSource(folder / "in", names); };
  const ImportResult result = ImportDataset(PosixFs(), {}, source, false, options);
  EXPECT_EQ(result.report.count("name_not_utf8"), 2);
  EXPECT_EQ(result.report.count("file_twice"), 1);  // another coding of the same name
  EXPECT_EQ(result.manifest.n_records, 2);
  const auto dataset = Dataset::Open({folder / "out"});
  EXPECT_EQ(dataset->id(0), "café.jpg");
  EXPECT_EQ(dataset->id(1), "zürich.jpg");
}

TEST(Import, LeavesOutIdenticalAndSmallImages) {
  const TemporaryFolder folder;
  const std::string in = folder / "in";
  WriteBytes(in + "/a.jpg", MakeJpeg(400, 300));
  WriteBytes(in + "/b.jpg", MakeJpeg(400, 300));
  WriteBytes(in + "/c.jpg", MakeJpeg(400, 300, {}, 9));
  WriteBytes(in + "/d.jpg", MakeJpeg(8, 8));
  WriteFileAtomically(PosixFs(), in + "/t.csv",
                      "image,lat,lon\na.jpg,1,2\nb.jpg,3,4\nc.jpg,5,6\nd.jpg,7,8\n");
  ImportOptions options;
  options.out = folder / "out";
  options.writer.dataset = "photos";
  options.drop_identical = true;
  options.min_image_bytes = MakeJpeg(8, 8).size();
  const ImportResult result = ImportPhotos(in, options);
  EXPECT_EQ(result.manifest.n_records, 2);
  EXPECT_EQ(result.report.count("identical_bytes"), 1);
  EXPECT_EQ(result.report.count("too_small"), 1);
}

TEST(Import, GoesOnWhereItWasInterrupted) {
  const TemporaryFolder folder;
  const std::string in = folder / "in";
  std::string table = "image,lat,lon\n";
  int kept = 0, near = 0, latitude_before = -1;
  for (int i = 0; i < 30; ++i) {
    const std::string name = "p" + std::to_string(i) + ".jpg";
    const int latitude = i / 3;  // three at each place, a degree between places
    if (i % 7 != 3 && i % 5 != 2) {
      ++kept;
      near += latitude == latitude_before;
      latitude_before = latitude;
    }
    if (i % 7 != 3)
      WriteBytes(in + "/" + name, i % 5 == 2 ? std::vector<uint8_t>{1} : MakeJpeg(20 + i, 20, {}, i));
    table += name + "," + std::to_string(latitude) + ",5\n";
  }
  WriteFileAtomically(PosixFs(), in + "/t.csv", table);
  ImportOptions options;
  options.writer.dataset = "photos";
  options.writer.records_per_shard = 4;
  options.drop_identical = true;
  options.out = folder / "whole";
  const ImportResult whole = ImportPhotos(in, options);
  EXPECT_DOUBLE_EQ(
      nlohmann::json::parse(whole.report.ToJson())["shares"]["consecutive_within_25km"].get<double>(),
      static_cast<double>(near) / (kept - 1));
  ASSERT_GE(whole.manifest.shards.size(), 4u);

  options.out = folder / "parts";
  for (int attempt = 0; attempt < 10; ++attempt) {  // dies again and again, each time a little later
    int calls = 0;
    options.progress = [&](const ImportProgress&) {
      if (++calls == 9) throw Error(ErrorCode::kData, "interrupted");
    };
    try {
      const ImportResult parts = ImportPhotos(in, options);
      EXPECT_EQ(parts.manifest.sha256, whole.manifest.sha256);
      EXPECT_EQ(parts.report.ToJson(), whole.report.ToJson());
      EXPECT_GT(attempt, 1) << "was never interrupted";
      return;
    } catch (const Error& error) {
      ASSERT_EQ(error.message(), "interrupted") << error.what();
    }
  }
  FAIL() << "never finished";
}

// The step after the last shard fails: nothing may be taken or counted twice by the repeated command.
TEST(Import, GoesOnAfterItsLastShard) {
  const TemporaryFolder folder;
  const std::string in = folder / "in";
  std::string table = "image,lat,lon\n";
  for (int i = 0; i < 7; ++i) {
    WriteBytes(in + "/" + std::to_string(i) + ".jpg", WithExif(MakeJpeg(20 + i, 20), 1, -90, 600));
    if (i > 2) table += std::to_string(i) + ".jpg,1,2\n";
  }
  WriteFileAtomically(PosixFs(), in + "/t.csv", table + "gone.jpg,3,4\n");
  for (const bool with_table : {true, false}) {
    const auto import = [&](const std::string& out) {
      ImportOptions options;
      options.out = folder / out;
      options.writer.dataset = "photos";
      options.place_from_exif = true;
      options.list_below = in;
      if (with_table) return ImportPhotos(in, options);
      const auto source = [&](const std::vector<std::string>&) {
        return MakeFileSource(in, {"0.jpg", "1.jpg", "2.jpg"});
      };
      return ImportDataset(PosixFs(), {}, source, false, options);
    };
    const std::string names = with_table ? "table" : "exif";
    const ImportResult whole = import(names + "_whole");
    std::filesystem::create_directories(folder / (names + "_parts/index.safetensors/in the way"));
    EXPECT_THROW(import(names + "_parts"), Error);
    std::filesystem::remove_all(folder / (names + "_parts/index.safetensors"));
    const ImportResult parts = import(names + "_parts");
    EXPECT_EQ(parts.manifest.sha256, whole.manifest.sha256);
    EXPECT_EQ(parts.report.ToJson(), whole.report.ToJson());
    if (with_table) {
      EXPECT_EQ(parts.report.count("file_without_row"), 3);
      EXPECT_EQ(parts.report.count("row_without_file"), 1);
    }
  }
}

TEST(Import, IsDoneByOneProcessAtATime) {
  const TemporaryFolder folder;
  PosixFs().MakeDirs(folder / "out");
  const FileLock other(folder / "out/import.lock", "");
  WriteFileAtomically(PosixFs(), folder / "t.csv", "image,lat,lon\na.jpg,1,2\n");
  ImportOptions options;
  options.out = folder / "out";
  EXPECT_NE(
      FailureOf([&] { ImportPhotos(folder.path(), options); }, ErrorCode::kUsage).find("another process"),
      std::string::npos);
}

TEST(Import, RefusesAMisspeltExtraColumn) {
  const TemporaryFolder folder;
  WriteFileAtomically(PosixFs(), folder / "t.csv", "image,lat,lon\na.jpg,1,2\n");
  WriteFileAtomically(PosixFs(), folder / "extra.csv", "id,elevation\na.jpg,1\n");
  ImportOptions options;
  options.out = folder / "out";
  options.extra_csv = {folder / "extra.csv"};
  const std::string message = FailureOf([&] { ImportPhotos(folder.path(), options); });
  EXPECT_NE(message.find("\"elevation\""), std::string::npos);
  EXPECT_NE(message.find("elev_m"), std::string::npos);
}

TEST(Verify, ListsEveryProblem) {
  const TemporaryFolder folder;
  const std::string in = folder / "in";
  std::string table = "image,lat,lon\n";
  for (int i = 0; i < 12; ++i) {
    WriteBytes(in + "/" + std::to_string(i) + ".jpg", MakeJpeg(20 + i, 20));
    table += std::to_string(i) + ".jpg,1,2\n";
  }
  WriteFileAtomically(PosixFs(), in + "/t.csv", table);
  ImportOptions options;
  options.out = folder / "out";
  options.writer.dataset = "photos";
  options.writer.records_per_shard = 6;
  const ImportResult result = ImportPhotos(in, options);
  EXPECT_TRUE(VerifyDataset(options.out).good());
  const ShardEntry& first = result.manifest.shards[0];
  PatchByte(options.out + "/" + first.file, first.img_abs_off + 3, 16);
  std::filesystem::resize_file(options.out + "/" + result.manifest.shards[1].file, 1000);
  const VerifyResult bad = VerifyDataset(options.out);
  ASSERT_EQ(bad.problem_count, 3) << testing::PrintToString(bad.problems);
  EXPECT_NE(bad.problems[0].find("SHA-256"), std::string::npos);
  EXPECT_NE(bad.problems[1].find("photos-00000.h5[0]"), std::string::npos);
  EXPECT_NE(bad.problems[2].find("1000 bytes"), std::string::npos);
}

}  // namespace
}  // namespace graticule
