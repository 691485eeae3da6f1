// Global gradient norm, its finiteness and clipping over flat gradient buckets (padding is zero, so it does
// not count).
//
// The result lives on the device: nothing here waits for the host. All ranks hold the same reduced gradient
// and so get the same bits.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace graticule {

struct GradientNorm {
  at::Tensor norm;       // fp32 [1], L2 over all buckets, before clipping
  at::Tensor found_inf;  // fp32 [1]: 1 where the norm is not finite, else 0
};

GradientNorm ComputeGradientNorm(const std::vector<at::Tensor>& buckets);

// Multiplies the buckets by min(1, max_norm / (norm + 1e-6)); max_norm <= 0 does nothing.
void ClipGradients(const std::vector<at::Tensor>& buckets, const at::Tensor& norm, double max_norm);

}  // namespace graticule
