// Any bytes as a manifest.
#include <string_view>

#include "data/shard/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace graticule;
  try {
    ParseManifest({reinterpret_cast<const char*>(data), size}, "fuzz.json");
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kData) throw;
  }
  return 0;
}
