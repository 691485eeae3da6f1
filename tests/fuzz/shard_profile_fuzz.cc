// A small well-formed shard with some bytes of its head replaced, opened without a manifest: the profile
// check must accept or refuse it. Input: groups of 4 bytes, three for a position in the head and one for its
// new value, so that every input stays close to a file that HDF5 can parse.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/fs.h"
#include "data/dataset.h"
#include "data/shard/shard_reader.h"
#include "data/shard/shard_writer.h"

namespace {

using namespace graticule;

// The shard with its image block left out of `head`: positions below kImageDataOffset, then those behind the
// block.
const std::string& SeedShard() {
  static const std::string bytes = [] {
    const std::string path = "/tmp/graticule-fuzz-" + std::to_string(getpid()) + ".seed.h5";
    ShardWriter writer(PosixFs(), path, {.dataset = "fuzz"});
    const std::vector<uint8_t> image(100, 7);
    for (int i = 0; i < 3; ++i) writer.Append("id", image, {1, 1, 0}, RecordRow());
    writer.Seal({});
    std::string text = ReadFileToString(path);
    unlink(path.c_str());
    return text;
  }();
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes = SeedShard();
  // Only the first 64 KiB of the head carry HDF5's structures.
  for (size_t i = 0; i + 4 <= std::min<size_t>(size, 256); i += 4) {
    const size_t at = (data[i] | data[i + 1] << 8 | data[i + 2] << 16) % 65536;
    bytes[at] = static_cast<char>(data[i + 3]);
  }
  static const std::string path = "/tmp/graticule-fuzz-" + std::to_string(getpid()) + ".h5";
  FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr || std::fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size()) std::abort();
  std::fclose(file);
  try {
    const ShardReader reader(path, nullptr);
    std::vector<uint8_t> out;
    const std::vector<ImageSlot> slots = reader.Slots();
    for (size_t i = 0; i < std::min<size_t>(slots.size(), 10); ++i)
      reader.ReadImage(slots[i], static_cast<int64_t>(i), out);
    for (const auto& [name, info] : reader.hdf5().datasets()) {
      if (info.bytes < (1 << 22)) reader.ColumnBytes(name);
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kData) throw;
  } catch (const BadRecord&) {
  }
  unlink(path.c_str());
  return 0;
}
