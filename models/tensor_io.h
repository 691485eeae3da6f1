// Between tensors and the torch-free safetensors container.
#pragma once

#include <ATen/core/Tensor.h>

#include "base/safetensors.h"

namespace graticule {

// The values at their own dtype in memory of their own (a file's bytes may be unaligned and are unmapped
// later).
at::Tensor CopyToTensor(const TensorView& view);

// Bytes of a contiguous CPU tensor; valid while `tensor` lives.
TensorView ViewOf(const at::Tensor& tensor);

at::ScalarType ScalarTypeOf(SafeDType dtype);
SafeDType SafeDTypeOf(at::ScalarType type);  // Error(kBug) for types that the container does not have

}  // namespace graticule
