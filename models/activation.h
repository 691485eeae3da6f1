// The MLP's activation. QuickGELU, x * sigmoid(1.702 x), keeps its input alone for backward and recomputes
// the rest: composed of library operators it would keep two more tensors of the MLP's width.
#pragma once

#include <ATen/core/Tensor.h>

namespace graticule {

at::Tensor QuickGelu(const at::Tensor& x);

}  // namespace graticule
