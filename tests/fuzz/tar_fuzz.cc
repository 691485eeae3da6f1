// Any bytes as a tar, cut into two slices at a place the first byte chooses.
#include <string>
#include <vector>

#include "base/memory_file.h"
#include "data/import/archive.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace graticule;
  if (size == 0) return 0;
  const std::string all(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t cut = all.size() * data[0] / 256;
  std::vector<std::unique_ptr<ReadableFile>> slices;
  slices.push_back(MemoryFile(all.substr(0, cut)));
  slices.push_back(MemoryFile(all.substr(cut)));
  try {
    ArchiveReader reader(std::move(slices), "fuzz.tar", ArchiveFormat::kTar);
    ArchiveMember member;
    std::vector<uint8_t> bytes;
    std::string why;
    // A sparse member may claim far more than the archive holds; its size is refused by Read.
    for (int i = 0; i < 100 && reader.Next(member); ++i) {
      if (member.size < (1 << 20)) reader.Read(bytes, why);
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kData) throw;
  }
  return 0;
}
