// Between tensors and the torch-free safetensors container, and the name of a set of tensors.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>
#include <string>

#include "base/safetensors.h"
#include "models/vision_tower.h"

namespace graticule {

// The values at their own dtype in memory of their own (a file's bytes may be unaligned, and go with it).
at::Tensor CopyToTensor(const TensorView& view);
// The same of a tensor of a file, which may be mapped.
at::Tensor CopyToTensor(const SafetensorsFile& file, const TensorView& view);

// Bytes of a contiguous CPU tensor; valid while `tensor` lives.
TensorView ViewOf(const at::Tensor& tensor);

at::ScalarType ScalarTypeOf(SafeDType dtype);
// Of what is said about them, then of each tensor's name, shape and values in fp32.
std::string TensorsSha256(const std::string& about, std::span<const NamedTensor> tensors);

SafeDType SafeDTypeOf(at::ScalarType type);  // Error(kBug) for types that the container does not have

}  // namespace graticule
