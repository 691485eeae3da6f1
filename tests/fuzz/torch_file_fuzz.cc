// Any bytes as a file of torch.save: refused with an Error(kData), or every view can be read. The pickle
// alone is tried too, since few changes get past the checksums and sizes of the zip around it.
#include <cstddef>
#include <cstdint>

#include "base/error.h"
#include "base/torch_file.h"
#include "base/torch_pickle.h"

namespace {

volatile uint8_t sink;

void TryFile(std::span<const uint8_t> bytes) {
  using namespace graticule;
  try {
    const auto file = TorchFile::Parse(bytes, "input");
    for (const auto& [name, view] : file->tensors()) {
      uint64_t size = SizeOf(view.dtype);
      for (const int64_t extent : view.shape) size *= static_cast<uint64_t>(extent);
      if (size != view.bytes) __builtin_trap();
      uint8_t all = 0;
      for (size_t i = 0; i < view.bytes; ++i) all |= view.data[i];
      sink = all;
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kData) throw;
  }
}

void TryPickle(std::span<const uint8_t> bytes) {
  using namespace graticule;
  try {
    for (const PickledTensor& tensor : ReadTorchPickle(bytes, "input", 0))
      if (tensor.shape.size() != tensor.stride.size()) __builtin_trap();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kData) throw;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 0 && data[0] == 0x80)
    TryPickle({data, size});
  else
    TryFile({data, size});
  return 0;
}
