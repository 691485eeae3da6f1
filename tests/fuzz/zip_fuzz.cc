// Any bytes as a zip.
#include <string>
#include <vector>

#include "base/memory_file.h"
#include "data/import/archive.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace graticule;
  std::vector<std::unique_ptr<ReadableFile>> slices;
  slices.push_back(MemoryFile(std::string(reinterpret_cast<const char*>(data), size)));
  try {
    ArchiveReader reader(std::move(slices), "fuzz.zip", ArchiveFormat::kZip);
    ArchiveMember member;
    std::vector<uint8_t> bytes;
    std::string why;
    for (int i = 0; i < 100 && reader.Next(member); ++i) {
      if (member.size < (1 << 20)) reader.Read(bytes, why);
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kData) throw;
  }
  return 0;
}
