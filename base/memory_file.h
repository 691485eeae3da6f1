// A string as a ReadableFile: for tables made in memory, tests and fuzzing. Owns the text; ReadAt is
// thread-safe. The caller stays within size().
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "base/fs.h"

namespace graticule {

inline std::unique_ptr<ReadableFile> MemoryFile(std::string text) {
  class File final : public ReadableFile {
   public:
    explicit File(std::string text) : text_(std::move(text)) {}
    uint64_t size() const override { return text_.size(); }
    void ReadAt(uint64_t offset, void* out, size_t bytes) const override {
      GRATICULE_CHECK(offset + bytes <= text_.size());
      std::memcpy(out, text_.data() + offset, bytes);
    }
    int fd() const override { return -1; }

   private:
    std::string text_;
  };
  return std::make_unique<File>(std::move(text));
}

}  // namespace graticule
