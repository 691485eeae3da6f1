// The block's affine maps as autograd Functions: y = x W^T + b with the residual, the three attention inputs
// or the MLP's activation folded in, so that each tensor of a block's size is written once.
//
// On the CPU they run on models/cpu_kernels.h; elsewhere they are the library's operators. Shapes: x
// is
// [..., in], weights [out, in], biases [out] (or undefined in Linear). Gradients go to every input that
// requires one.
#pragma once

#include <ATen/core/Tensor.h>

namespace graticule {

at::Tensor Linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);

// [..., 3 * out]: query, key and value side by side from one product.
at::Tensor LinearThrice(const at::Tensor& x, at::ArrayRef<at::Tensor> weights,
                        at::ArrayRef<at::Tensor> biases);

// residual + x W^T + b.
at::Tensor LinearOnto(const at::Tensor& residual, const at::Tensor& x, const at::Tensor& weight,
                      const at::Tensor& bias);

// residual + act(x W1^T + b1) W2^T + b2, with QuickGELU or GELU (erf). Keeps x and the hidden values before
// the bias; the activation is computed again in backward.
at::Tensor MlpOnto(const at::Tensor& residual, const at::Tensor& x, const at::Tensor& weight1,
                   const at::Tensor& bias1, const at::Tensor& weight2, const at::Tensor& bias2,
                   bool quick_gelu);

}  // namespace graticule
