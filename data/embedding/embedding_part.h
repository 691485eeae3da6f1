// One part of an embedding store: the rows of one shard, row-aligned with it, in a safetensors container that
// NumPy and others open as it is.
//
// Tensors, n records, V views, D numbers: `embeddings` F16, BF16 or F32 [n, V, D], zero where there is no
// image; `valid` u8 [n]; `page_crc32c` u32, the Castagnoli CRC of each 64 KiB of `embeddings`. Metadata:
// `plan_sha256`, of the plan it was made under, and `shard`, its number. A part is written whole, by rename:
// what has its name is complete. Source: docs/EMBEDDINGS.md.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/fs.h"
#include "base/safetensors.h"
#include "data/embedding/embedding_manifest.h"

namespace graticule {

inline constexpr size_t kEmbeddingPage = 64 << 10;

// Rows in order, in memory until Write. Not thread-safe.
class EmbeddingPartWriter {
 public:
  EmbeddingPartWriter(const EmbeddingPlan& plan, int64_t shard);
  // Stores row `row` [V, D]; rows that are never stored are invalid.
  void Store(int64_t row, const uint8_t* values);
  EmbeddingPart Write(FileSystem& fs, const std::string& folder) const;

 private:
  EmbeddingPlan plan_;
  int64_t shard_;
  std::vector<uint8_t> values_, valid_;
};

// An opened part, mapped. A page's CRC is checked when one of its rows is first asked for, on bytes that are
// read with retries; after that rows come from the mapping alone. Thread-safe.
class EmbeddingPartReader {
 public:
  // Throws Error(kData) for a malformed file and for one of another plan.
  EmbeddingPartReader(const std::string& path, const EmbeddingPlan& plan, int64_t shard);
  bool valid(int64_t row) const { return valid_[static_cast<size_t>(row)] != 0; }
  int64_t valid_rows() const;
  // The row [V, D]. Throws BadRecord{record, ...} when a page does not match its CRC, Error(kData) on I/O
  // failure.
  const uint8_t* Row(int64_t row, int64_t record) const;
  // Begins to bring a row, what says that it is valid, and that its page was checked, into the CPU's caches.
  void Prefetch(int64_t row) const;

 private:
  void CheckPage(size_t page, int64_t record) const;

  std::string path_;
  std::shared_ptr<const SafetensorsFile> file_;
  std::unique_ptr<ReadableFile> reads_;  // of the same file
  const uint8_t* values_ = nullptr;
  size_t row_bytes_ = 0, bytes_ = 0;
  uint64_t offset_ = 0;  // of values_ in the file
  std::span<const uint8_t> valid_;
  const uint8_t* page_crc_ = nullptr;                        // u32 each, perhaps unaligned
  mutable std::unique_ptr<std::atomic<uint8_t>[]> checked_;  // by page
};

// As CheckSize, with the remedy for a part.
void CheckPartSize(const std::string& folder, const EmbeddingPart& part);

// What the manifest says of a part that an earlier run left; nullopt where there is none.
std::optional<EmbeddingPart> DescribePart(const std::string& folder, const EmbeddingPlan& plan,
                                          int64_t shard);

}  // namespace graticule
