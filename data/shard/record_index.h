// index.safetensors: what training needs of every record of a dataset (about 70 B each), so that no shard has
// to be parsed to compute labels or to find an image. Written at seal, hashed in the manifest, read into
// memory at open: a mapping would be shared by the ranks of a node, but a disk that fails then is a SIGBUS.
//
// Tensors, N records in order: shard u16, off u64, len u32, crc32c u32, width u16, height u16, flags u8, lat
// f64, lon f64, climate u8, month u8, drive_left u8, country_iso u16, aux f32 [N,6] (kAuxColumns). Missing
// values as in the shards. Immutable once opened; any thread may read. Malformed files throw Error(kData).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/fs.h"
#include "base/safetensors.h"
#include "data/record.h"
#include "data/shard/columns.h"
#include "data/shard/manifest.h"
#include "data/shard/shard_writer.h"

namespace graticule {

inline constexpr char kIndexName[] = "index.safetensors";

// Views of one open index; all spans have N elements, `aux` N * kAuxColumnCount.
struct RecordIndex {
  int64_t size = 0;
  std::span<const uint16_t> shard;
  std::span<const uint64_t> off;
  std::span<const uint32_t> len, crc32c;
  std::span<const uint16_t> width, height;
  std::span<const uint8_t> flags;
  std::span<const double> lat, lon;
  std::span<const uint8_t> climate, month, drive_left;
  std::span<const uint16_t> country_iso;
  std::span<const float> aux;

  // Checks the hash against the manifest, then the tensors against each other and against the shards'
  // extents.
  static RecordIndex Open(const std::string& folder, const Manifest& manifest);

 private:
  std::shared_ptr<const SafetensorsFile> file_;  // holds the values
};

// Collects one row per appended record and writes the file.
class RecordIndexWriter {
 public:
  void Append(uint16_t shard, const ImageSlot& slot, const ImageFacts& facts, const RecordRow& row);
  int64_t size() const { return static_cast<int64_t>(off_.size()); }
  void ForEachImage(const std::function<void(uint32_t len, uint32_t crc32c)>& call) const {
    for (size_t i = 0; i < len_.size(); ++i) call(len_[i], crc32c_[i]);
  }
  // Writes index.safetensors into the folder.
  HashedFile Write(FileSystem& fs, const std::string& folder) const;

 private:
  std::vector<uint16_t> shard_, width_, height_, country_iso_;
  std::vector<uint64_t> off_;
  std::vector<uint32_t> len_, crc32c_;
  std::vector<uint8_t> flags_, climate_, month_, drive_left_;
  std::vector<double> lat_, lon_;
  std::vector<float> aux_;
};

}  // namespace graticule
