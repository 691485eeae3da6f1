// The CPU's share of a training step that the library leaves on the table: fp32 matrix products through
// oneDNN (twice as fast as the BLAS of the wheel where that does not know the CPU:
// bench/results/tower_step.md), and the MLP's bias and activation in one pass over memory instead of five.
//
// All tensors: contiguous fp32 or bf16 on the CPU, all of one dtype; arithmetic inside is fp32. Results
// depend on the number of ATen threads only through summation order, and repeat exactly for the same number.
// Pure functions.
#pragma once

#include <ATen/core/Tensor.h>

namespace graticule {

// True where these kernels apply; elsewhere callers use the library's operators.
bool UsesCpuKernels(const at::Tensor& x);

// a [M,K] x b [K,N]; each may be a transposed view. Into `out` [M,N]: accumulated if `add`.
void Multiply(const at::Tensor& a, const at::Tensor& b, at::Tensor& out, bool add = false);
at::Tensor Multiply(const at::Tensor& a, const at::Tensor& b);

// QuickGELU(hidden + bias), rows of length bias.numel().
at::Tensor BiasQuickGelu(const at::Tensor& hidden, const at::Tensor& bias);

struct QuickGeluGradient {
  at::Tensor active;     // QuickGELU(hidden + bias), computed again
  at::Tensor bias_grad;  // column sums of the gradient
};
// d_active becomes the gradient with respect to hidden, in place.
QuickGeluGradient BiasQuickGeluBackward(const at::Tensor& hidden, const at::Tensor& bias,
                                        at::Tensor& d_active);

}  // namespace graticule
