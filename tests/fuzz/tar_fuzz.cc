// Any bytes as a tar, cut into two slices at a place the first byte chooses.
#include <string>
#include <vector>

#include "base/memory_file.h"
#include "tests/fuzz/drain_archive.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace graticule;
  if (size == 0) return 0;
  const std::string all(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t cut = all.size() * data[0] / 256;
  std::vector<std::unique_ptr<ReadableFile>> slices;
  slices.push_back(MemoryFile(all.substr(0, cut)));
  slices.push_back(MemoryFile(all.substr(cut)));
  DrainArchive(std::move(slices), "fuzz.tar", ArchiveFormat::kTar);
  return 0;
}
