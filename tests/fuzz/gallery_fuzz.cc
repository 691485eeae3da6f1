// Any bytes as a gallery: told apart as safetensors or CSV, then read.
#include "base/error.h"
#include "geo/gallery.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace graticule;
  try {
    Gallery::Parse({reinterpret_cast<const char*>(data), size}, "fuzz.gallery");
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kData) throw;
  }
  return 0;
}
