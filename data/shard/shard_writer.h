// Writes one sealed shard in a single pass, without knowing beforehand how many bytes will come.
//
// Images are appended to `<path>.tmp` from 1 MiB on. Seal lets HDF5 lay out a skeleton whose /img/data is
// reserved at that same place, copies everything but the reserved bytes around the images, syncs and renames.
// So image bytes are written once and never copied. Equal input gives equal bytes. Memory: the columns of one
// shard (about 200 B per record). One thread. Failures throw Error(kData); an unsealed writer leaves nothing
// but `.tmp` files, which its destructor removes.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/fs.h"
#include "data/shard/columns.h"
#include "data/shard/dictionary.h"
#include "data/shard/manifest.h"

namespace graticule {

inline constexpr uint64_t kImageDataOffset = 1 << 20;  // absolute offset of /img/data in shards written here

struct ShardAttributes {
  std::string dataset, split, source_uri, source_sha256, licence_note;
  std::string jpeg_policy = "original";
  uint32_t shard_index = 0;
  uint64_t global_first = 0;
};

struct ImageFacts {
  uint16_t width = 0, height = 0;
  uint8_t flags = 0;  // ImageFlag bits
};

// Per record, in shard order: what the dataset index keeps (data/shard/record_index.h).
struct ImageSlot {
  uint64_t off = 0;  // in /img/data
  uint32_t len = 0, crc32c = 0;
};

class ShardWriter {
 public:
  ShardWriter(FileSystem& fs, std::string path, ShardAttributes attributes);
  ~ShardWriter();

  // jpeg may be empty (a record without image). text: UTF-8, what is written about it. Returns where the
  // image was put.
  ImageSlot Append(std::string_view id, std::span<const uint8_t> jpeg, const ImageFacts& facts,
                   const RecordRow& row, std::string_view text = {});
  int64_t size() const { return static_cast<int64_t>(slots_.size()); }
  uint64_t image_bytes() const { return cursor_; }
  // Finishes the file and returns its manifest entry (`first` = global_first).
  ShardEntry Seal(const Dictionaries& dictionaries);

 private:
  void WriteSkeleton(const std::string& path, uint64_t reserved, const Dictionaries& dictionaries) const;

  FileSystem& fs_;
  std::string path_, temporary_;
  ShardAttributes attributes_;
  std::unique_ptr<WritableFile> file_;
  uint64_t cursor_ = 0;     // next free byte of /img/data
  uint32_t image_crc_ = 0;  // of /img/data so far
  BoundingBox box_;
  std::vector<ImageSlot> slots_;
  std::vector<ImageFacts> facts_;
  StringPool ids_, texts_;
  std::vector<std::vector<uint8_t>> columns_;  // by Col, packed values
  std::vector<bool> filled_;                   // by Col, any record has a value
};

}  // namespace graticule
