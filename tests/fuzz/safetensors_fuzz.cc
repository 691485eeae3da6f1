// Any bytes: refused with an Error, or every view lies inside of them.
#include <cstddef>
#include <cstdint>

#include "base/error.h"
#include "base/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace graticule;
  try {
    const auto file = SafetensorsFile::Parse({data, size}, "input");
    for (const auto& [name, view] : file->tensors()) {
      uint64_t bytes = SizeOf(view.dtype);
      for (const int64_t extent : view.shape) bytes *= static_cast<uint64_t>(extent);
      if (bytes != view.bytes || view.data < data || view.data + view.bytes > data + size) __builtin_trap();
      if (&file->at(name) != &view) __builtin_trap();
    }
  } catch (const Error&) {
  }
  return 0;
}
