// What a pickle of named tensors says, without running it.
//
// A pickle is a program for a stack machine that may import and call anything. This reader knows the few
// instructions that torch.save writes for tensors in dictionaries, and three callables: the one that rebuilds
// a tensor, OrderedDict, and the storage types. They describe; nothing is called. Whatever else is met is
// Error(kData) with its byte and name. Attributes of dictionaries (BUILD) are read and dropped.
//
// Bounds: 4 MiB of pickle, 65,536 tensors, dictionaries 16 deep, names of 1,024 bytes, 64 dimensions. A
// dictionary may stand in one place only, so nothing unfolds. Pure function, thread-safe.
// Source: PEP 307 (protocol 2).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/safetensors.h"

namespace graticule {

// One tensor as written. No number has been checked against another.
struct PickledTensor {
  std::string name;  // keys from the outside in, joined with "."; "" where the pickle is a bare tensor
  SafeDType dtype = SafeDType::kF32;
  std::string_view storage;  // its key, in the caller's bytes
  int64_t storage_elements = 0, offset = 0;
  std::vector<int64_t> shape, stride;  // in elements, equally long
  uint64_t byte = 0;                   // where in the file it is rebuilt
};

// In the pickle's order. first_byte: where `pickle` lies in `file`, for messages.
std::vector<PickledTensor> ReadTorchPickle(std::span<const uint8_t> pickle, const std::string& file,
                                           uint64_t first_byte);

}  // namespace graticule
