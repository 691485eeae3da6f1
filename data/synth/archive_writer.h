// Writes the archives of a download through libarchive: zips with stored members, and tars. Members get a
// fixed time and mode, so the bytes depend on names and contents alone. Throws Error(kData) naming the file.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace graticule {

class ArchiveWriter {
 public:
  enum class Format { kStoredZip, kTar };
  ArchiveWriter(const std::string& path, Format format);
  ~ArchiveWriter();
  ArchiveWriter(const ArchiveWriter&) = delete;
  ArchiveWriter& operator=(const ArchiveWriter&) = delete;
  void AddFile(const std::string& name, std::span<const uint8_t> bytes);
  void AddDirectory(const std::string& name);
  void Close();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Cuts `path` into `count` raw slices `<prefix>00`, `<prefix>01`, ... of equal size (the last may be shorter)
// and removes it. The slice size is odd, so that cuts fall inside headers as well as inside images.
void SplitIntoSlices(const std::string& path, const std::string& prefix, int count);

}  // namespace graticule
