// A whole file mapped read-only: pages are read when they are touched.
//
// Owns the mapping; what points into bytes() lives as long as this object. Thread-safe once made. A file that
// cannot be opened or mapped is Error(kData); an empty one has no bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/fs.h"

namespace graticule {

class MappedFile {
 public:
  MappedFile() = default;  // nothing mapped
  explicit MappedFile(const std::string& path);
  // `path` is for messages. The file may be closed afterwards.
  MappedFile(const ReadableFile& file, const std::string& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  // A hint that pages will be touched in no order: none is read for the sake of its neighbours.
  void ExpectRandomReads() const;
  std::span<const uint8_t> bytes() const { return {static_cast<const uint8_t*>(mapping_), size_}; }

 private:
  void* mapping_ = nullptr;
  size_t size_ = 0;
};

}  // namespace graticule
