// An open shard. HDF5 is asked once for offsets; every byte after that is read by pread, or copied from a
// mapping where images are so small that the system call would cost more than the bytes.
//
// With a manifest entry, size and head hash are checked before HDF5 sees the file, and /img/data must lie
// where the manifest says. Columns are checked by their `crc32c` attribute when read, images by CRC-32C at
// each read. Immutable; all methods are thread-safe. Failures: Error(kData) naming file and object; BadRecord
// for the bytes of one image.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/fs.h"
#include "base/mapped_file.h"
#include "data/dataset.h"
#include "data/shard/dictionary.h"
#include "data/shard/hdf5.h"
#include "data/shard/manifest.h"
#include "data/shard/shard_writer.h"

namespace graticule {

// SHA-256 of the file outside [img_abs_off, img_abs_off + img_bytes).
std::string HeadSha256(const ReadableFile& file, uint64_t img_abs_off, uint64_t img_bytes);

class ShardReader {
 public:
  // expected: the manifest's entry, or nullptr to trust the file.
  ShardReader(const std::string& path, const ShardEntry* expected);

  int64_t size() const { return size_; }
  const std::string& path() const { return path_; }
  const H5Reader& hdf5() const { return *hdf5_; }
  const H5DatasetInfo& image_data() const { return images_; }
  bool Has(const std::string& column) const { return hdf5_->datasets().contains(column); }

  // A whole dataset of the given type, verified against its checksum. T must match the stored type.
  template <typename T>
  std::vector<T> Column(const std::string& column) const;
  // The bytes of a dataset of any type, verified.
  std::vector<uint8_t> ColumnBytes(const std::string& column) const;
  StringPool Pool(const std::string& data, const std::string& off) const;

  // Fills `out`; on a CRC mismatch reads once more, then throws BadRecord{record, ...}. What cannot be copied
  // from the mapping is read.
  void ReadImage(const ImageSlot& slot, int64_t record, std::vector<uint8_t>& out) const;
  // Asks the kernel for these bytes of /img/data, without waiting.
  void ReadAhead(uint64_t off, uint64_t bytes) const;
  // off, len and crc32c of every record, checked to lie inside /img/data.
  std::vector<ImageSlot> Slots() const;

 private:
  const H5DatasetInfo& Info(const std::string& column) const;
  std::string path_;
  std::unique_ptr<ReadableFile> file_;
  std::unique_ptr<const H5Reader> hdf5_;
  H5DatasetInfo images_;
  int64_t size_ = 0;
  MappedFile mapped_;  // nothing unless images are small
};

}  // namespace graticule
