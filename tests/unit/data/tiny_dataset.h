// A small dataset folder for tests: record i has a place, id "rec-i", `image_bytes(i)` pseudo-random bytes,
// and every third record lacks climate and elevation.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "base/fs.h"
#include "data/shard/dataset_writer.h"

namespace graticule {

// A folder below the system's temporary directory, removed at the end of the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "graticule-XXXXXX").string();
    GRATICULE_CHECK(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline std::vector<uint8_t> TinyImage(int64_t i) {
  std::mt19937 random(static_cast<uint32_t>(i));
  std::vector<uint8_t> bytes(50 + i % 37);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  return bytes;
}

inline RecordRow TinyRow(int64_t i) {
  RecordRow row;
  row.SetInt(Col::kIdU64, 1000 + i);
  row.SetInt(Col::kSrcRow, i);
  row.SetFloat(Col::kLat, -60 + static_cast<double>(i % 120));
  row.SetFloat(Col::kLon, -170 + static_cast<double>(i * 7 % 340));
  row.SetInt(Col::kCountryIso, i % 2 == 0 ? 516 : 250);
  row.SetInt(Col::kMonth, i % 12 + 1);
  row.SetFloat(Col::kRoadIndex, 0.1 * static_cast<double>(i));  // stored as another number
  if (i % 3 != 0) {
    row.SetInt(Col::kClimate, i % 30 + 1);
    row.SetFloat(Col::kElevM, 10.5 * static_cast<double>(i));
  }
  return row;
}

inline Manifest WriteTinyDataset(const std::string& folder, int64_t n, int64_t per_shard, int64_t first = 0) {
  Dictionaries dictionaries;
  dictionaries["city"].Intern("Windhoek");
  DatasetWriter writer(PosixFs(), folder,
                       {.dataset = "tiny", .split = "train", .records_per_shard = per_shard}, dictionaries);
  for (int64_t i = first; i < first + n; ++i) {
    const ImageFacts facts{static_cast<uint16_t>(100 + i % 50), 64, static_cast<uint8_t>(i % 2)};
    writer.Append("rec-" + std::to_string(i), TinyImage(i), facts, TinyRow(i));
  }
  return writer.Finish();
}

// Overwrites one byte of a file.
inline void PatchByte(const std::string& path, uint64_t at, uint8_t mask) {
  FILE* file = std::fopen(path.c_str(), "r+b");
  ASSERT_NE(file, nullptr);
  std::fseek(file, static_cast<long>(at), SEEK_SET);
  const int byte = std::fgetc(file);
  std::fseek(file, static_cast<long>(at), SEEK_SET);
  std::fputc(byte ^ mask, file);
  std::fclose(file);
}

}  // namespace graticule
