// Any bytes as a zip.
#include <string>
#include <vector>

#include "base/memory_file.h"
#include "tests/fuzz/drain_archive.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace graticule;
  std::vector<std::unique_ptr<ReadableFile>> slices;
  slices.push_back(MemoryFile(std::string(reinterpret_cast<const char*>(data), size)));
  DrainArchive(std::move(slices), "fuzz.zip", ArchiveFormat::kZip);
  return 0;
}
