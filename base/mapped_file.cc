#include "base/mapped_file.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace graticule {

MappedFile::MappedFile(const std::string& path) : MappedFile(*PosixFs().Open(path), path) {}

MappedFile::MappedFile(const ReadableFile& file, const std::string& path) {
  if (file.size() == 0) return;
  void* mapping = ::mmap(nullptr, file.size(), PROT_READ, MAP_SHARED, file.fd(), 0);
  if (mapping == MAP_FAILED)
    throw Error(ErrorCode::kData, fmt::format("cannot map the file: {}", std::strerror(errno)), path);
  mapping_ = mapping;
  size_ = file.size();
}

MappedFile::~MappedFile() {
  if (mapping_ != nullptr) ::munmap(mapping_, size_);
}

void MappedFile::ExpectRandomReads() const {
  if (mapping_ != nullptr) ::madvise(mapping_, size_, MADV_RANDOM);
}

MappedFile::MappedFile(MappedFile&& other) noexcept { *this = std::move(other); }

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(mapping_, other.mapping_);
  std::swap(size_, other.size_);
  return *this;
}

}  // namespace graticule
