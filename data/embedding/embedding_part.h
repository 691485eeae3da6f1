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
// read with retries; after that rows are copied from the mapping, as long as it can be read. Thread-safe.
class EmbeddingPartReader {
 public:
  // Throws Error(kData) for a malformed file and for one of another plan.
  EmbeddingPartReader(const std::string& path, const EmbeddingPlan& plan, int64_t shard);
  bool valid(int64_t row) const { return valid_[static_cast<size_t>(row)] != 0; }
  int64_t valid_rows() const;
  // Throws BadRecord{record, ...} when a page of the row does not match its CRC, Error(kData) on I/O failure.
  void Check(int64_t row, int64_t record) const;
  // Copies bytes [begin, begin + bytes) of the row [V, D], once it is checked.
  void Read(int64_t row, int64_t record, size_t begin, size_t bytes, uint8_t* out) const;
  // The row [V, D] in the mapping, for GuardedCopy; nullptr unless Read found it good before.
  const uint8_t* Checked(int64_t row) const {
    const bool ready = ready_[static_cast<size_t>(row)].load(std::memory_order_relaxed) != 0;
    return ready ? values_.data + static_cast<size_t>(row) * row_bytes_ : nullptr;
  }

 private:
  void CheckPage(size_t page, int64_t record) const;

  std::string path_;
  std::shared_ptr<const SafetensorsFile> file_;
  TensorView values_;  // in the mapping
  size_t row_bytes_ = 0;
  std::vector<uint8_t> valid_;
  std::vector<uint32_t> page_crc_;
  mutable std::unique_ptr<std::atomic<uint8_t>[]> checked_;  // by page
  mutable std::unique_ptr<std::atomic<uint8_t>[]> ready_;    // by row: valid, and its pages were checked
};

// As CheckSize, with the remedy for a part.
void CheckPartSize(const std::string& folder, const EmbeddingPart& part);

// What the manifest says of a part that an earlier run left; nullopt where there is none.
std::optional<EmbeddingPart> DescribePart(const std::string& folder, const EmbeddingPlan& plan,
                                          int64_t shard);

}  // namespace graticule
